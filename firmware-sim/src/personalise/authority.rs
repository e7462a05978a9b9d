//! Who signs the simulated cards: for each state a CSCA and its document signers, made on the spot.

use std::sync::OnceLock;

use openssl::ec::{Asn1Flag, EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;

use super::certificate::{Period, Terms, csca, document_signer};
use super::description::{IssuingState, SignerKind};

/// The signing authorities of the simulation. Each [`Issuer::new`] makes new keys, so nothing it signs is
/// trusted by anybody who was not handed its CSCA certificates.
pub struct Issuer {
    vietnam: Authority,
    utopia: Authority,
}

impl Issuer {
    /// New authorities with new keys.
    pub fn new() -> Result<Self, ErrorStack> {
        Ok(Self {
            vietnam: Authority::new(IssuingState::Vietnam)?,
            utopia: Authority::new(IssuingState::Utopia)?,
        })
    }

    /// The CSCA certificate that simulated citizens' cards lead to, in DER.
    pub fn csca_der(&self) -> &[u8] {
        self.csca_der_of(IssuingState::Vietnam)
    }

    /// The CSCA certificate of a state, in DER.
    pub fn csca_der_of(&self, state: IssuingState) -> &[u8] {
        &self.of(state).csca_der
    }

    pub(super) fn signer(
        &self,
        state: IssuingState,
        kind: SignerKind,
    ) -> Result<&DocumentSigner, ErrorStack> {
        self.of(state).signer(kind)
    }

    fn of(&self, state: IssuingState) -> &Authority {
        match state {
            IssuingState::Vietnam => &self.vietnam,
            IssuingState::Utopia => &self.utopia,
        }
    }
}

/// A key that signs documents, and the certificate that says so.
pub(super) struct DocumentSigner {
    pub(super) certificate: X509,
    pub(super) key: PKey<Private>,
}

struct Authority {
    state: IssuingState,
    csca: X509,
    csca_der: Vec<u8>,
    csca_key: PKey<Private>,
    p256: OnceLock<DocumentSigner>,
    p384: OnceLock<DocumentSigner>,
    rsa: OnceLock<DocumentSigner>,
}

/// Long enough that a simulation never meets its own end.
const CSCA_VALIDITY: Period = Period { from: "20200101000000Z", to: "20491231235959Z" };
const SIGNER_VALIDITY: Period = Period { from: "20210101000000Z", to: "20471231235959Z" };
const KEY_USAGE_PERIOD: Period = Period { from: "20210101000000Z", to: "20371231235959Z" };

impl Authority {
    fn new(state: IssuingState) -> Result<Self, ErrorStack> {
        let csca_key = ec_key(Nid::SECP384R1)?;
        let terms = Terms {
            state,
            common_name: "Simulated CSCA",
            validity: CSCA_VALIDITY,
            key_usage_period: Period { from: CSCA_VALIDITY.from, to: KEY_USAGE_PERIOD.to },
        };
        let csca = csca(&terms, &csca_key)?;
        Ok(Self {
            state,
            csca_der: csca.to_der()?,
            csca,
            csca_key,
            p256: OnceLock::new(),
            p384: OnceLock::new(),
            rsa: OnceLock::new(),
        })
    }

    /// The signer with that kind of key, made when it is first asked for: an RSA key takes its time.
    fn signer(&self, kind: SignerKind) -> Result<&DocumentSigner, ErrorStack> {
        let slot = match kind {
            SignerKind::EcdsaP256 => &self.p256,
            SignerKind::EcdsaP384 => &self.p384,
            SignerKind::Rsa2048 => &self.rsa,
        };
        if let Some(signer) = slot.get() {
            return Ok(signer);
        }
        // Two threads may both come here; the first to finish wins and both get its signer.
        let made = self.new_signer(kind)?;
        Ok(slot.get_or_init(|| made))
    }

    fn new_signer(&self, kind: SignerKind) -> Result<DocumentSigner, ErrorStack> {
        let (common_name, key) = match kind {
            SignerKind::EcdsaP256 => ("Simulated Document Signer 1", ec_key(Nid::X9_62_PRIME256V1)?),
            SignerKind::EcdsaP384 => ("Simulated Document Signer 2", ec_key(Nid::SECP384R1)?),
            SignerKind::Rsa2048 => ("Simulated Document Signer 3", rsa_key(2048)?),
        };
        // The document codes of the MRZ (ICAO 9303-12, 7.1.1).
        let document_types: &[&str] = match self.state {
            IssuingState::Vietnam => &["ID", "P"],
            IssuingState::Utopia => &["P"],
        };
        let terms = Terms {
            state: self.state,
            common_name,
            validity: SIGNER_VALIDITY,
            key_usage_period: KEY_USAGE_PERIOD,
        };
        let certificate = document_signer(&terms, &key, document_types, &self.csca, &self.csca_key)?;
        Ok(DocumentSigner { certificate, key })
    }
}

/// A new key on a curve, the curve written by name.
pub(super) fn ec_key(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    let mut group = EcGroup::from_curve_name(curve)?;
    group.set_asn1_flag(Asn1Flag::NAMED_CURVE);
    PKey::from_ec_key(EcKey::generate(&group)?)
}

/// A new RSA key.
pub(super) fn rsa_key(bits: u32) -> Result<PKey<Private>, ErrorStack> {
    PKey::from_rsa(Rsa::generate(bits)?)
}

#[cfg(test)]
mod tests {
    use openssl::stack::Stack;
    use openssl::x509::store::X509StoreBuilder;
    use openssl::x509::{GeneralNameRef, X509StoreContext};

    use super::*;

    const SIGNERS: [SignerKind; 3] = [SignerKind::EcdsaP256, SignerKind::EcdsaP384, SignerKind::Rsa2048];

    /// What OpenSSL prints of it, without blanks: those differ between its versions.
    fn text(certificate: &X509) -> String {
        String::from_utf8(certificate.to_text().unwrap()).unwrap().replace([' ', '\n'], "")
    }

    /// What is printed between the title of an extension and the next one.
    fn extension<'a>(text: &'a str, title: &str) -> &'a str {
        let (_, rest) = text.split_once(title).unwrap_or_else(|| panic!("no {title} in {text}"));
        rest.split("X509v3").next().unwrap()
    }

    /// The locality in the directory name of the subject's and of the issuer's alternative names.
    fn localities(certificate: &X509) -> Vec<String> {
        let names = [certificate.subject_alt_names().unwrap(), certificate.issuer_alt_names().unwrap()];
        let names = names.iter().flat_map(|names| names.iter());
        let locality = |name: &GeneralNameRef| {
            let name = name.directory_name().unwrap();
            let entry = name.entries_by_nid(Nid::LOCALITYNAME).next().unwrap();
            entry.data().to_string().unwrap()
        };
        names.map(locality).collect()
    }

    #[test]
    fn a_csca_carries_what_its_profile_asks_for() {
        let issuer = Issuer::new().unwrap();
        for (state, country, locality) in
            [(IssuingState::Vietnam, "C=VN,", "VNM"), (IssuingState::Utopia, "C=UT,", "UTO")]
        {
            let csca = X509::from_der(issuer.csca_der_of(state)).unwrap();
            assert!(csca.verify(&csca.public_key().unwrap()).unwrap());
            let text = text(&csca);
            assert!(text.contains("SignatureAlgorithm:ecdsa-with-SHA384"));
            assert!(text.contains("ASN1OID:secp384r1"), "named curve");
            assert!(text.contains("O=cccd-agentsimulation,CN=SimulatedCSCA"));
            assert!(text.contains(country));
            assert_eq!(extension(&text, "BasicConstraints:critical"), "CA:TRUE,pathlen:0");
            assert_eq!(extension(&text, "KeyUsage:critical"), "CertificateSign,CRLSign");
            assert_eq!(localities(&csca), [locality, locality]);
            assert_eq!(
                extension(&text, "PrivateKeyUsagePeriod:"),
                "NotBefore:Jan100:00:002020GMT,NotAfter:Dec3123:59:592037GMT"
            );
            assert!(extension(&text, "CRLDistributionPoints:").contains("URI:http://crl.example.invalid/"));
            let own = csca.subject_key_id().unwrap().as_slice();
            assert_eq!(csca.authority_key_id().unwrap().as_slice(), own);
        }
    }

    #[test]
    fn a_document_signer_carries_what_its_profile_asks_for_and_leads_to_its_csca() {
        let issuer = Issuer::new().unwrap();
        for state in [IssuingState::Vietnam, IssuingState::Utopia] {
            let csca = X509::from_der(issuer.csca_der_of(state)).unwrap();
            let mut store = X509StoreBuilder::new().unwrap();
            store.add_cert(csca.clone()).unwrap();
            let store = store.build();
            for kind in SIGNERS {
                let signer = &issuer.signer(state, kind).unwrap().certificate;
                let trusted = X509StoreContext::new()
                    .unwrap()
                    .init(&store, signer, &Stack::new().unwrap(), |context| context.verify_cert())
                    .unwrap();
                assert!(trusted, "{state:?} {kind:?}");

                let text = text(signer);
                assert_eq!(extension(&text, "KeyUsage:critical"), "DigitalSignature");
                assert_eq!(
                    extension(&text, "PrivateKeyUsagePeriod:"),
                    "NotBefore:Jan100:00:002021GMT,NotAfter:Dec3123:59:592037GMT"
                );
                assert_eq!(localities(signer), [state.alpha3(), state.alpha3()]);
                assert!(text.contains("2.23.136.1.1.6.2:"));
                assert!(!text.contains("BasicConstraints"));
                let authority = signer.authority_key_id().unwrap().as_slice();
                assert_eq!(authority, csca.subject_key_id().unwrap().as_slice());
                assert_ne!(authority, signer.subject_key_id().unwrap().as_slice());
            }
        }
    }

    #[test]
    fn a_signer_is_made_once() {
        let issuer = Issuer::new().unwrap();
        let once = || {
            let signer = issuer.signer(IssuingState::Vietnam, SignerKind::EcdsaP256).unwrap();
            signer.certificate.to_der().unwrap()
        };
        assert_eq!(once(), once());
    }

    #[test]
    fn the_document_type_list_names_the_codes_of_the_mrz() {
        let issuer = Issuer::new().unwrap();
        let signer = issuer
            .signer(IssuingState::Vietnam, SignerKind::EcdsaP256)
            .unwrap()
            .certificate
            .to_der()
            .unwrap();
        // SEQUENCE { INTEGER 0, SET { "P", "ID" } } in an OCTET STRING.
        let list = b"\x04\x0e\x30\x0c\x02\x01\x00\x31\x07\x13\x01P\x13\x02ID";
        assert!(signer.windows(list.len()).any(|window| window == list));
    }

    #[test]
    fn states_do_not_vouch_for_each_other() {
        let issuer = Issuer::new().unwrap();
        let utopia = X509::from_der(issuer.csca_der_of(IssuingState::Utopia)).unwrap();
        let signer = &issuer.signer(IssuingState::Vietnam, SignerKind::EcdsaP256).unwrap().certificate;
        assert!(!signer.verify(&utopia.public_key().unwrap()).unwrap());
    }
}
