//! EF.SOD: the hashes of the data groups, signed (ICAO 9303-10, 4.6.2; 9303-12, 8).

use std::collections::BTreeMap;

use openssl::error::ErrorStack;
use openssl::hash::hash;
use time::Date;

use crate::pki::{
    CmsEncoding, CmsForm, Content, DigestKind, DocumentSigner, EmbeddedCertificates, ID_DATA,
    SignedAttributes, SignerAlgorithm, SignerIdentifier, signed_data,
};

use super::der::{constructed, integer, octets, printable, sequence};
use super::description::{LdsVersion, SecurityObjectPlan, SodContentType};

/// The bytes of EF.SOD over data groups by their number. The kind of signer in the plan is
/// not heeded: the key is that of `signer`.
pub fn security_object(
    plan: SecurityObjectPlan,
    groups: &BTreeMap<u8, Vec<u8>>,
    signer: &DocumentSigner,
    signed_on: Date,
) -> Result<Vec<u8>, ErrorStack> {
    let kind = match plan.content_type {
        SodContentType::Icao => LDS_SECURITY_OBJECT,
        SodContentType::Data => ID_DATA,
        SodContentType::EarlyIcao => EARLY_LDS_SECURITY_OBJECT,
        SodContentType::Sdu => SDU_LDS_SECURITY_OBJECT,
    };
    let content = Content { kind, bytes: &lds_security_object(plan, groups)?, signed_on };
    let mut file = constructed(0x77, &[signed_data(&content, plan.digest, signer, plan.form, &[])?]);
    file.resize(file.len() + usize::from(plan.padding), 0);
    Ok(file)
}

/// The plan with one oddity at a time, each under its name: what EF.SOD has been seen to be.
pub fn odd_security_objects(plan: SecurityObjectPlan) -> Vec<(&'static str, SecurityObjectPlan)> {
    let form = plan.form;
    let formed = |form| SecurityObjectPlan { form, ..plan };
    let called = |content_type| SecurityObjectPlan { content_type, ..plan };
    let other = if plan.digest == DigestKind::Sha256 { DigestKind::Sha384 } else { DigestKind::Sha256 };
    vec![
        ("indefinite-lengths", formed(CmsForm { encoding: CmsEncoding::Indefinite, ..form })),
        ("chunked-content", formed(CmsForm { encoding: CmsEncoding::Chunked, ..form })),
        ("content-type-data", called(SodContentType::Data)),
        ("content-type-early-icao", called(SodContentType::EarlyIcao)),
        ("content-type-sdu", called(SodContentType::Sdu)),
        (
            "signer-by-key-identifier",
            formed(CmsForm { signer_identifier: SignerIdentifier::SubjectKeyIdentifier, ..form }),
        ),
        ("signer-named-as-no-one", formed(CmsForm { signer_identifier: SignerIdentifier::NoOne, ..form })),
        ("several-certificates", formed(CmsForm { certificates: EmbeddedCertificates::Several, ..form })),
        ("no-certificate", formed(CmsForm { certificates: EmbeddedCertificates::None, ..form })),
        ("no-signing-time", formed(CmsForm { attributes: SignedAttributes::NoSigningTime, ..form })),
        ("no-signed-attributes", formed(CmsForm { attributes: SignedAttributes::None, ..form })),
        ("algorithm-of-the-key-alone", formed(CmsForm { algorithm: SignerAlgorithm::KeyOnly, ..form })),
        (
            "algorithm-with-another-digest",
            formed(CmsForm { algorithm: SignerAlgorithm::OtherDigest(other), ..form }),
        ),
        ("other-digest-for-the-groups", SecurityObjectPlan { lds_digest: Some(other), ..plan }),
        ("lds-version-1", SecurityObjectPlan { version: LdsVersion::V1, ..plan }),
        ("padding", SecurityObjectPlan { padding: 16, ..plan }),
    ]
}

/// id-icao-mrtd-security-ldsSecurityObject.
const LDS_SECURITY_OBJECT: &[u32] = &[2, 23, 136, 1, 1, 1];

/// The same under iso(1) identified-organization(3) icao(27), as early documents have it.
const EARLY_LDS_SECURITY_OBJECT: &[u32] = &[1, 3, 27, 1, 1, 1];

/// The same under the arc of Sdu.
const SDU_LDS_SECURITY_OBJECT: &[u32] = &[1, 2, 528, 1, 1006, 1, 20, 1];

fn lds_security_object(
    plan: SecurityObjectPlan,
    groups: &BTreeMap<u8, Vec<u8>>,
) -> Result<Vec<u8>, ErrorStack> {
    let digest = plan.lds_digest.unwrap_or(plan.digest);
    let mut hashes = Vec::new();
    for (number, bytes) in groups {
        let value = hash(digest.message_digest(), bytes)?;
        hashes.push(sequence(&[integer(u32::from(*number)), octets(&value)]));
    }
    let (algorithm, hashes) = (digest.algorithm(), sequence(&hashes));
    Ok(match plan.version {
        LdsVersion::V0 => sequence(&[integer(0), algorithm, hashes]),
        LdsVersion::V1 => {
            let lds = sequence(&[printable("0108"), printable("040000")]);
            sequence(&[integer(1), algorithm, hashes, lds])
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::hash::MessageDigest;
    use openssl::stack::Stack;
    use openssl::x509::X509;
    use openssl::x509::store::X509StoreBuilder;
    use time::macros::date;

    use super::*;
    use crate::personalise::{Issuer, IssuingState};
    use crate::pki::{ParameterForm, PssParameters, SignerKind};

    const DAY: Date = date!(2022 - 03 - 15);

    fn issuer() -> &'static Issuer {
        static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new().unwrap());
        &ISSUER
    }

    fn signer(kind: SignerKind) -> std::sync::Arc<DocumentSigner> {
        issuer().signer(IssuingState::Vietnam, kind).unwrap()
    }

    fn groups() -> BTreeMap<u8, Vec<u8>> {
        BTreeMap::from([(1, b"one".to_vec()), (13, b"thirteen".to_vec())])
    }

    fn made(plan: SecurityObjectPlan) -> Vec<u8> {
        security_object(plan, &groups(), &signer(plan.signer), DAY).unwrap()
    }

    fn usual() -> SecurityObjectPlan {
        SecurityObjectPlan::usual(DigestKind::Sha256, SignerKind::ECDSA_P256)
    }

    /// OpenSSL's own verdict on the signature, and the content it vouches for. The chain is asked for apart.
    fn verified(
        file: &[u8],
        options: CMSOptions,
        apart: Option<&DocumentSigner>,
        csca: &[u8],
    ) -> Option<Vec<u8>> {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_der(csca).unwrap()).unwrap();
        let mut given = Stack::new().unwrap();
        if let Some(signer) = apart {
            given.push(X509::from_der(signer.certificate().der()).unwrap()).unwrap();
        }
        let mut content = Vec::new();
        let mut cms = CmsContentInfo::from_der(&file[4..]).unwrap();
        let options = options | CMSOptions::BINARY;
        cms.verify(Some(&given), Some(&store.build()), None, Some(&mut content), options).ok()?;
        Some(content)
    }

    #[test]
    fn openssl_verifies_every_digest_with_every_signer() {
        for (digest, kind) in SignerKind::combinations() {
            // OpenSSL reads absent parameters by the letter; the unit tests of the key hold that case.
            if matches!(kind, SignerKind::RsaPss { parameters: PssParameters::Absent, .. }) {
                continue;
            }
            // It refuses explicit parameters within chains (error 94): only the signature is its to judge.
            let explicit = matches!(kind, SignerKind::Ecdsa { parameters: ParameterForm::Explicit, .. });
            let options = if explicit { CMSOptions::NO_SIGNER_CERT_VERIFY } else { CMSOptions::empty() };
            for version in [LdsVersion::V0, LdsVersion::V1] {
                let plan = SecurityObjectPlan { version, ..SecurityObjectPlan::usual(digest, kind) };
                let content = verified(&made(plan), options, None, issuer().csca_der())
                    .unwrap_or_else(|| panic!("{digest} {kind}: {}", ErrorStack::get()));
                let hash_of_one = hash(digest.message_digest(), b"one").unwrap();
                let entry = sequence(&[integer(1), octets(&hash_of_one)]);
                assert!(content.windows(entry.len()).any(|window| window == entry), "{plan:?}");
            }
        }
    }

    #[test]
    fn openssl_refuses_another_csca_and_a_flipped_bit() {
        let mut file = made(usual());
        let judged = |file: &[u8], csca: &[u8]| verified(file, CMSOptions::empty(), None, csca).is_some();
        assert!(judged(&file, issuer().csca_der()));
        assert!(!judged(&file, Issuer::new().unwrap().csca_der()));

        let one = hash(MessageDigest::sha256(), b"one").unwrap();
        let at = file.windows(one.len()).position(|window| window == &*one).unwrap();
        file[at] ^= 1;
        assert!(!judged(&file, issuer().csca_der()));
    }

    #[test]
    fn openssl_verifies_the_odd_forms_it_knows() {
        let odd = odd_security_objects(usual());
        let beyond_openssl = ["signer-named-as-no-one", "no-certificate", "algorithm-with-another-digest"];
        for (name, plan) in &odd {
            assert_ne!(*plan, usual(), "{name}");
            let good = verified(&made(*plan), CMSOptions::empty(), None, issuer().csca_der()).is_some();
            assert_eq!(good, !beyond_openssl.contains(name), "{name}");
        }
        let names: std::collections::BTreeSet<_> = odd.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), odd.len());
    }

    #[test]
    fn openssl_verifies_indefinite_lengths_and_chunks() {
        for encoding in [CmsEncoding::Indefinite, CmsEncoding::Chunked] {
            let plan = SecurityObjectPlan { form: CmsForm { encoding, ..CmsForm::default() }, ..usual() };
            let file = made(plan);
            assert_eq!(file[4..6], [0x30, 0x80]);
            assert_eq!(file[file.len() - 6..], [0; 6]);
            assert_eq!(file.windows(2).any(|tag| tag == [0x24, 0x80]), encoding == CmsEncoding::Chunked);
            let content = verified(&file, CMSOptions::empty(), None, issuer().csca_der());
            assert_eq!(content.unwrap(), lds_security_object(plan, &groups()).unwrap());
        }
    }

    #[test]
    fn a_signer_that_is_not_inside_can_be_given_apart() {
        let form = CmsForm { certificates: EmbeddedCertificates::None, ..CmsForm::default() };
        let file = made(SecurityObjectPlan { form, ..usual() });
        let csca = issuer().csca_der();
        assert!(verified(&file, CMSOptions::empty(), None, csca).is_none());
        let signer = signer(SignerKind::ECDSA_P256);
        assert!(verified(&file, CMSOptions::empty(), Some(&signer), csca).is_some());
    }

    #[test]
    fn a_signer_named_as_no_one_is_not_found() {
        let form = CmsForm { signer_identifier: SignerIdentifier::NoOne, ..CmsForm::default() };
        let file = made(SecurityObjectPlan { form, ..usual() });
        assert!(verified(&file, CMSOptions::empty(), None, issuer().csca_der()).is_none());
        let own = signer(SignerKind::ECDSA_P256).certificate().der().to_vec();
        assert!(file.windows(own.len()).any(|window| window == own));
    }

    #[test]
    fn another_digest_signs_than_the_one_the_content_is_hashed_with() {
        let form =
            CmsForm { algorithm: SignerAlgorithm::OtherDigest(DigestKind::Sha384), ..CmsForm::default() };
        let file = made(SecurityObjectPlan { form, ..usual() });
        // ecdsa-with-SHA384 beside SHA-256.
        let algorithm = SignerKind::ECDSA_P256.signature_algorithm(DigestKind::Sha384);
        let at = file.windows(algorithm.len()).rposition(|window| window == algorithm).unwrap();
        let ends_there =
            |start: &usize| file[*start] == 0xA0 && start + 2 + usize::from(file[start + 1]) == at;
        let attributes = (0..at).rev().find(ends_there).unwrap();
        let signed = [&[0x31], &file[attributes + 1..at]].concat();
        let public = signer(SignerKind::ECDSA_P256).key().public_key().unwrap();
        let public = openssl::pkey::PKey::public_key_from_der(&public).unwrap();
        let signature = &file[at + algorithm.len() + 2..];
        let verified = |digest| {
            let mut verifier = openssl::sign::Verifier::new(digest, &public).unwrap();
            verifier.verify_oneshot(signature, &signed).unwrap()
        };
        assert!(verified(MessageDigest::sha384()));
        assert!(!verified(MessageDigest::sha256()));
        let content = lds_security_object(usual(), &groups()).unwrap();
        let message_digest = hash(MessageDigest::sha256(), &content).unwrap();
        assert!(signed.windows(32).any(|window| window == &*message_digest));
    }

    #[test]
    fn padding_lies_behind_the_object() {
        let padded = made(SecurityObjectPlan { padding: 3, ..usual() });
        let length = usize::from(u16::from_be_bytes([padded[2], padded[3]]));
        assert_eq!(padded.len(), 4 + length + 3);
        assert_eq!(padded[4 + length..], [0; 3]);
    }

    #[test]
    fn the_second_version_names_the_lds_it_belongs_to() {
        let groups = BTreeMap::from([(1, b"one".to_vec())]);
        let content =
            |version| lds_security_object(SecurityObjectPlan { version, ..usual() }, &groups).unwrap();
        assert!(content(LdsVersion::V1).ends_with(b"\x30\x0e\x13\x040108\x13\x06040000"));
        assert_eq!(content(LdsVersion::V0)[2..5], [2, 1, 0]);
    }

    #[test]
    fn signed_at_noon_of_the_day_of_issue() {
        let time = b"\x17\x0d220315120000Z";
        assert!(made(usual()).windows(time.len()).any(|window| window == time));
    }
}
