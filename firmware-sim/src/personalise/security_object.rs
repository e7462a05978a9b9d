//! EF.SOD: the hashes of the data groups, signed (ICAO 9303-10, 4.6.2; 9303-12, 8; RFC 5652).

use std::collections::BTreeMap;

use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::sign::Signer;

use super::authority::DocumentSigner;
use super::date::PrintedDate;
use super::der::{constructed, integer, octets, oid, printable, sequence, set_of, tlv, unsigned};
use super::description::{DigestKind, LdsVersion, SecurityObjectPlan, SignerKind};

/// The bytes of EF.SOD over data groups by their number.
pub(super) fn security_object(
    plan: SecurityObjectPlan,
    groups: &BTreeMap<u8, Vec<u8>>,
    signer: &DocumentSigner,
    signed_on: PrintedDate,
) -> Result<Vec<u8>, ErrorStack> {
    let digest = message_digest(plan.digest);
    let content = lds_security_object(plan, groups)?;
    let attributes = set_of(vec![
        attribute(&[1, 2, 840, 113_549, 1, 9, 3], oid(LDS_SECURITY_OBJECT)),
        attribute(&[1, 2, 840, 113_549, 1, 9, 4], octets(&hash(digest, &content)?)),
        attribute(&[1, 2, 840, 113_549, 1, 9, 5], signing_time(signed_on)),
    ]);
    // Signed as a SET, sent as [0] IMPLICIT (RFC 5652, 5.4).
    let mut signature = Signer::new(digest, &signer.key)?;
    signature.update(&attributes)?;
    let signature = signature.sign_to_vec()?;
    let sent_attributes =
        attributes.split_first().map(|(_, rest)| [&[0xA0], rest].concat()).unwrap_or_default();

    let certificate = signer.certificate.to_der()?;
    let issuer = signer.certificate.issuer_name().to_der()?;
    let serial = signer.certificate.serial_number().to_bn()?.to_vec();
    let signer_info = sequence(&[
        // Version 1: the certificate is named by issuer and serial number.
        integer(1),
        sequence(&[issuer, unsigned(&serial)]),
        digest_algorithm(plan.digest),
        sent_attributes,
        signature_algorithm(plan),
        octets(&signature),
    ]);
    let signed_data = sequence(&[
        // Version 3: the content is not id-data (RFC 5652, 5.1).
        integer(3),
        set_of(vec![digest_algorithm(plan.digest)]),
        sequence(&[oid(LDS_SECURITY_OBJECT), constructed(0xA0, &[octets(&content)])]),
        tlv(0xA0, &certificate),
        set_of(vec![signer_info]),
    ]);
    let id_signed_data = oid(&[1, 2, 840, 113_549, 1, 7, 2]);
    Ok(constructed(0x77, &[sequence(&[id_signed_data, constructed(0xA0, &[signed_data])])]))
}

/// id-icao-mrtd-security-ldsSecurityObject.
const LDS_SECURITY_OBJECT: &[u32] = &[2, 23, 136, 1, 1, 1];

fn lds_security_object(
    plan: SecurityObjectPlan,
    groups: &BTreeMap<u8, Vec<u8>>,
) -> Result<Vec<u8>, ErrorStack> {
    let digest = message_digest(plan.digest);
    let mut hashes = Vec::new();
    for (number, bytes) in groups {
        hashes.push(sequence(&[integer(u32::from(*number)), octets(&hash(digest, bytes)?)]));
    }
    let hashes = sequence(&hashes);
    let algorithm = digest_algorithm(plan.digest);
    Ok(match plan.version {
        LdsVersion::V0 => sequence(&[integer(0), algorithm, hashes]),
        LdsVersion::V1 => {
            let lds = sequence(&[printable("0108"), printable("040000")]);
            sequence(&[integer(1), algorithm, hashes, lds])
        }
    })
}

fn attribute(kind: &[u32], value: Vec<u8>) -> Vec<u8> {
    sequence(&[oid(kind), set_of(vec![value])])
}

/// UTCTime at noon of a day; a day in doubt is the first of the simulation.
fn signing_time(day: PrintedDate) -> Vec<u8> {
    let day = day.year_month_day().unwrap_or_else(|| "20210101".to_owned());
    tlv(0x17, format!("{}120000Z", day.get(2..).unwrap_or_default()).as_bytes())
}

fn message_digest(kind: DigestKind) -> MessageDigest {
    match kind {
        DigestKind::Sha256 => MessageDigest::sha256(),
        DigestKind::Sha384 => MessageDigest::sha384(),
        DigestKind::Sha512 => MessageDigest::sha512(),
    }
}

/// Without parameters (RFC 5754, 2).
fn digest_algorithm(kind: DigestKind) -> Vec<u8> {
    let last = match kind {
        DigestKind::Sha256 => 1,
        DigestKind::Sha384 => 2,
        DigestKind::Sha512 => 3,
    };
    sequence(&[oid(&[2, 16, 840, 1, 101, 3, 4, 2, last])])
}

fn signature_algorithm(plan: SecurityObjectPlan) -> Vec<u8> {
    match plan.signer {
        SignerKind::EcdsaP256 | SignerKind::EcdsaP384 => {
            let last = match plan.digest {
                DigestKind::Sha256 => 2,
                DigestKind::Sha384 => 3,
                DigestKind::Sha512 => 4,
            };
            // ecdsa-with-SHA2, without parameters (RFC 5758, 3.2).
            sequence(&[oid(&[1, 2, 840, 10045, 4, 3, last])])
        }
        SignerKind::Rsa2048 => {
            let last = match plan.digest {
                DigestKind::Sha256 => 11,
                DigestKind::Sha384 => 12,
                DigestKind::Sha512 => 13,
            };
            // sha2WithRSAEncryption, parameters NULL (RFC 5754, 3.2).
            sequence(&[oid(&[1, 2, 840, 113_549, 1, 1, last]), tlv(0x05, &[])])
        }
    }
}

#[cfg(test)]
mod tests {
    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::x509::X509;
    use openssl::x509::store::X509StoreBuilder;

    use super::*;
    use crate::personalise::{Issuer, IssuingState};

    fn plan(digest: DigestKind, signer: SignerKind, version: LdsVersion) -> SecurityObjectPlan {
        SecurityObjectPlan { digest, signer, version }
    }

    fn made(issuer: &Issuer, plan: SecurityObjectPlan) -> Vec<u8> {
        let groups = BTreeMap::from([(1, b"one".to_vec()), (13, b"thirteen".to_vec())]);
        let day = PrintedDate::parse("15/03/2022").unwrap();
        security_object(plan, &groups, issuer.signer(IssuingState::Vietnam, plan.signer).unwrap(), day)
            .unwrap()
    }

    /// OpenSSL's own verdict, and the content it vouches for.
    fn verified(file: &[u8], csca: &[u8]) -> Option<Vec<u8>> {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_der(csca).unwrap()).unwrap();
        let mut content = Vec::new();
        let mut cms = CmsContentInfo::from_der(&file[4..]).unwrap();
        cms.verify(None, Some(&store.build()), None, Some(&mut content), CMSOptions::BINARY).ok()?;
        Some(content)
    }

    #[test]
    fn openssl_verifies_every_combination_up_to_the_csca() {
        let issuer = Issuer::new().unwrap();
        for digest in [DigestKind::Sha256, DigestKind::Sha384, DigestKind::Sha512] {
            for signer in [SignerKind::EcdsaP256, SignerKind::EcdsaP384, SignerKind::Rsa2048] {
                for version in [LdsVersion::V0, LdsVersion::V1] {
                    let plan = plan(digest, signer, version);
                    let file = made(&issuer, plan);
                    let content = verified(&file, issuer.csca_der()).unwrap_or_else(|| panic!("{plan:?}"));
                    let hash_of_one = hash(message_digest(digest), b"one").unwrap();
                    let entry = sequence(&[integer(1), octets(&hash_of_one)]);
                    assert!(content.windows(entry.len()).any(|window| window == entry), "{plan:?}");
                }
            }
        }
    }

    #[test]
    fn openssl_refuses_another_csca_and_a_flipped_bit() {
        let issuer = Issuer::new().unwrap();
        let plan = plan(DigestKind::Sha256, SignerKind::EcdsaP256, LdsVersion::V0);
        let mut file = made(&issuer, plan);
        assert!(verified(&file, Issuer::new().unwrap().csca_der()).is_none());

        let one = hash(MessageDigest::sha256(), b"one").unwrap();
        let at = file.windows(one.len()).position(|window| window == &*one).unwrap();
        file[at] ^= 1;
        assert!(verified(&file, issuer.csca_der()).is_none());
    }

    #[test]
    fn the_second_version_names_the_lds_it_belongs_to() {
        let groups = BTreeMap::from([(1, b"one".to_vec())]);
        let content = |version| {
            lds_security_object(plan(DigestKind::Sha256, SignerKind::EcdsaP256, version), &groups).unwrap()
        };
        assert!(content(LdsVersion::V1).ends_with(b"\x30\x0e\x13\x040108\x13\x06040000"));
        assert_eq!(content(LdsVersion::V0)[2..5], [2, 1, 0]);
    }

    #[test]
    fn signed_at_noon_of_the_day_of_issue() {
        assert_eq!(signing_time(PrintedDate::parse("15/03/2022").unwrap()), b"\x17\x0d220315120000Z");
    }
}
