//! Who signs the simulated cards: for each state a CSCA and its document signers, made on the spot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::error::ErrorStack;

use crate::pki::{Csca, CscaPlan, DigestKind, DocumentSigner, DocumentSignerPlan, SignerKind, SigningKey};

use super::description::IssuingState;

/// The signing authorities of the simulation. Each [`Issuer::new`] makes new ones, so nothing it signs is
/// trusted by anybody who was not handed its CSCA certificates.
pub struct Issuer {
    vietnam: Authority,
    utopia: Authority,
}

impl Issuer {
    /// New authorities with new keys: P-384 and SHA-384.
    pub fn new() -> Result<Self, ErrorStack> {
        Self::of_kind(SignerKind::ECDSA_P384, DigestKind::Sha384)
    }

    /// New authorities with keys of this kind, whose certificates are signed with this digest.
    pub fn of_kind(signer: SignerKind, digest: DigestKind) -> Result<Self, ErrorStack> {
        let authority = |state: IssuingState| {
            let plan = CscaPlan { signer, digest, ..CscaPlan::usual(state.country()) };
            Ok::<_, ErrorStack>(Authority { csca: Csca::new(plan)?, signers: Mutex::default() })
        };
        Ok(Self { vietnam: authority(IssuingState::Vietnam)?, utopia: authority(IssuingState::Utopia)? })
    }

    /// The CSCA certificate that simulated citizens' cards lead to, in DER.
    pub fn csca_der(&self) -> &[u8] {
        self.csca_der_of(IssuingState::Vietnam)
    }

    /// The CSCA certificate of a state, in DER.
    pub fn csca_der_of(&self, state: IssuingState) -> &[u8] {
        self.csca(state).certificate().der()
    }

    /// The authority of a state.
    pub fn csca(&self, state: IssuingState) -> &Csca {
        &self.of(state).csca
    }

    /// The state's document signer with that kind of key, made when it is first asked for.
    pub fn signer(&self, state: IssuingState, kind: SignerKind) -> Result<Arc<DocumentSigner>, ErrorStack> {
        let Authority { csca, signers } = self.of(state);
        let known = || signers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = known().get(&kind) {
            return Ok(Arc::clone(signer));
        }
        // Not under the lock: an RSA key takes its time. Where two come here, both get what the first put in.
        let plan = DocumentSignerPlan::usual(state.country(), kind);
        let key = SigningKey::from_drawer(kind, 65537, 0)?;
        let made = Arc::new(csca.document_signer_with_key(plan, key)?);
        Ok(Arc::clone(known().entry(kind).or_insert(made)))
    }

    fn of(&self, state: IssuingState) -> &Authority {
        match state {
            IssuingState::Vietnam => &self.vietnam,
            IssuingState::Utopia => &self.utopia,
        }
    }
}

struct Authority {
    csca: Csca,
    signers: Mutex<HashMap<SignerKind, Arc<DocumentSigner>>>,
}

#[cfg(test)]
mod tests {
    use openssl::nid::Nid;
    use openssl::stack::Stack;
    use openssl::x509::store::X509StoreBuilder;
    use openssl::x509::{GeneralNameRef, X509, X509StoreContext};

    use super::*;

    const SIGNERS: [SignerKind; 3] = [SignerKind::ECDSA_P256, SignerKind::ECDSA_P384, SignerKind::RSA_2048];

    fn certificate(issuer: &Issuer, state: IssuingState, kind: SignerKind) -> X509 {
        X509::from_der(issuer.signer(state, kind).unwrap().certificate().der()).unwrap()
    }

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
                let signer = certificate(&issuer, state, kind);
                let trusted = X509StoreContext::new()
                    .unwrap()
                    .init(&store, &signer, &Stack::new().unwrap(), |context| context.verify_cert())
                    .unwrap();
                assert!(trusted, "{state:?} {kind:?}");

                let text = text(&signer);
                assert_eq!(extension(&text, "KeyUsage:critical"), "DigitalSignature");
                assert_eq!(
                    extension(&text, "PrivateKeyUsagePeriod:"),
                    "NotBefore:Jan100:00:002021GMT,NotAfter:Dec3123:59:592037GMT"
                );
                assert_eq!(localities(&signer), [state.alpha3(), state.alpha3()]);
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
        let once =
            || issuer.signer(IssuingState::Vietnam, SignerKind::ECDSA_P256).unwrap().certificate().clone();
        assert_eq!(once(), once());
    }

    #[test]
    fn the_document_type_list_names_the_codes_of_the_mrz() {
        let issuer = Issuer::new().unwrap();
        let signer = issuer.signer(IssuingState::Vietnam, SignerKind::ECDSA_P256).unwrap();
        // SEQUENCE { INTEGER 0, SET { "P", "ID" } } in an OCTET STRING.
        let list = b"\x04\x0e\x30\x0c\x02\x01\x00\x31\x07\x13\x01P\x13\x02ID";
        assert!(signer.certificate().der().windows(list.len()).any(|window| window == list));
    }

    #[test]
    fn states_do_not_vouch_for_each_other() {
        let issuer = Issuer::new().unwrap();
        let utopia = X509::from_der(issuer.csca_der_of(IssuingState::Utopia)).unwrap();
        let signer = certificate(&issuer, IssuingState::Vietnam, SignerKind::ECDSA_P256);
        assert!(!signer.verify(&utopia.public_key().unwrap()).unwrap());
    }
}
