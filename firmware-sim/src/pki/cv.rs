//! Card verifiable certificates: who may read fingerprints, told to the chip (BSI TR-03110-3, C and D.3).
//!
//! ```
//! use cccd_firmware_sim::pki::{CvAuthority, CvPlan};
//!
//! let root = CvAuthority::root(CvPlan::root("XATESTCVCA00001"))?;
//! let verifier = root.certify(CvPlan::document_verifier("XADVTEST00001"))?;
//! let terminal = verifier.certify(CvPlan::terminal("XAISTEST00001"))?;
//! let chain = [verifier.certificate(), terminal.certificate()];
//! assert!(chain.iter().all(|certificate| certificate.starts_with(&[0x7F, 0x21])));
//! let for_the_product = terminal.private_key_pkcs8()?;
//! assert_eq!(for_the_product.first(), Some(&0x30));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::PointConversionForm;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use time::Date;
use time::macros::date;

use crate::der::{constructed, oid, tlv};

use super::key::SigningKey;
use super::kind::{Curve, DigestKind, SignerKind};

/// How a holder of a CV certificate is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvPlan {
    /// Certificate holder reference: country code, mnemonic of at most nine characters, five of a sequence
    /// number (BSI TR-03110-3, C.1.4).
    pub reference: String,
    /// Its place in the chain.
    pub role: CvRole,
    /// What it may have read.
    pub rights: CvRights,
    /// Certificate effective date.
    pub effective: Date,
    /// Certificate expiration date.
    pub expires: Date,
    /// Its key. Below a root the curve is that of the root, which alone writes it out.
    pub signer: SignerKind,
    /// The hash under its signatures.
    pub digest: DigestKind,
}

/// A place in the chain (BSI TR-03110-3, C.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvRole {
    /// The country verifying authority.
    Root,
    /// A document verifier of the country itself.
    DomesticVerifier,
    /// A document verifier of another country.
    ForeignVerifier,
    /// An inspection system.
    InspectionSystem,
}

/// What an inspection system may read. What the chain grants is what every certificate in it grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvRights {
    /// Neither fingerprints nor irises.
    Neither,
    /// DG3.
    Fingerprints,
    /// DG4.
    Irises,
    /// DG3 and DG4.
    Both,
}

/// A right for ever, as simulations go.
const EFFECTIVE: Date = date!(2021 - 01 - 01);
const EXPIRES: Date = date!(2047 - 12 - 31);

impl CvPlan {
    /// A root with every right: brainpoolP256r1 and SHA-256.
    pub fn root(reference: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            role: CvRole::Root,
            rights: CvRights::Both,
            effective: EFFECTIVE,
            expires: EXPIRES,
            signer: SignerKind::named(Curve::BrainpoolP256r1),
            digest: DigestKind::Sha256,
        }
    }

    /// A domestic document verifier with every right.
    pub fn document_verifier(reference: &str) -> Self {
        Self { role: CvRole::DomesticVerifier, ..Self::root(reference) }
    }

    /// An inspection system that may read fingerprints.
    pub fn terminal(reference: &str) -> Self {
        Self { role: CvRole::InspectionSystem, rights: CvRights::Fingerprints, ..Self::root(reference) }
    }

    /// The object identifier that says how its key signs (BSI TR-03110-3, A.6.4 and D.3).
    fn algorithm(&self) -> Result<Vec<u8>, CvError> {
        let (family, last) = match (self.signer, self.digest) {
            (SignerKind::RsaPkcs1 { .. }, DigestKind::Sha1) => (1, 1),
            (SignerKind::RsaPkcs1 { .. }, DigestKind::Sha256) => (1, 2),
            (SignerKind::RsaPkcs1 { .. }, DigestKind::Sha512) => (1, 5),
            (SignerKind::RsaPss { .. }, DigestKind::Sha1) => (1, 3),
            (SignerKind::RsaPss { .. }, DigestKind::Sha256) => (1, 4),
            (SignerKind::RsaPss { .. }, DigestKind::Sha512) => (1, 6),
            (SignerKind::Ecdsa { .. }, DigestKind::Sha1) => (2, 1),
            (SignerKind::Ecdsa { .. }, DigestKind::Sha224) => (2, 2),
            (SignerKind::Ecdsa { .. }, DigestKind::Sha256) => (2, 3),
            (SignerKind::Ecdsa { .. }, DigestKind::Sha384) => (2, 4),
            (SignerKind::Ecdsa { .. }, DigestKind::Sha512) => (2, 5),
            _ => return Err(CvError::NoSuchAlgorithm),
        };
        Ok(oid(&[0, 4, 0, 127, 0, 7, 2, 2, 2, family, last]))
    }

    /// Certificate holder authorisation template of an inspection system (BSI TR-03110-3, C.4.1.1).
    fn authorisation(&self) -> Vec<u8> {
        let role = match self.role {
            CvRole::Root => 0b1100_0000,
            CvRole::DomesticVerifier => 0b1000_0000,
            CvRole::ForeignVerifier => 0b0100_0000,
            CvRole::InspectionSystem => 0,
        };
        let rights = match self.rights {
            CvRights::Neither => 0b00,
            CvRights::Fingerprints => 0b01,
            CvRights::Irises => 0b10,
            CvRights::Both => 0b11,
        };
        // id-IS.
        let kind = oid(&[0, 4, 0, 127, 0, 7, 3, 1, 2, 1]);
        constructed(0x7F4C, &[kind, tlv(0x53, &[role | rights])])
    }
}

/// A public key of which nobody here has the private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CvPublicKey {
    /// A point of the issuer's curve, uncompressed.
    Ecdsa {
        /// The point.
        point: Vec<u8>,
    },
    /// Numbers, big-endian.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
}

/// Why a CV certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CvError {
    /// Terminal authentication knows no such pair of key and digest.
    #[error("no algorithm of terminal authentication signs so")]
    NoSuchAlgorithm,
    /// OpenSSL.
    #[error("cryptography failed")]
    Cryptography(#[from] ErrorStack),
}

/// A holder of a CV certificate with its private key: a root, a document verifier, or a terminal.
#[derive(Debug, Clone)]
pub struct CvAuthority {
    plan: CvPlan,
    key: SigningKey,
    certificate: Vec<u8>,
}

impl CvAuthority {
    /// A root with a new key, and its self-signed certificate.
    pub fn root(plan: CvPlan) -> Result<Self, CvError> {
        let key = SigningKey::generate(plan.signer)?;
        let certificate = certify(&plan, &key, &plan, &key)?;
        Ok(Self { plan, key, certificate })
    }

    /// The next root, and the link certificate by which this one hands over to it.
    pub fn roll_over(&self, next: CvPlan) -> Result<(Self, Vec<u8>), CvError> {
        let next = Self::root(next)?;
        let link = certify(&next.plan, &next.key, &self.plan, &self.key)?;
        Ok((next, link))
    }

    /// A holder with a new key below this one.
    pub fn certify(&self, plan: CvPlan) -> Result<Self, CvError> {
        let key = SigningKey::generate(plan.signer)?;
        let certificate = certify(&plan, &key, &self.plan, &self.key)?;
        Ok(Self { plan, key, certificate })
    }

    /// The certificate of a holder below this one whose private key lies elsewhere, such as in a token: a verifier's
    /// or a terminal's. `plan.signer` says what kind of key it is.
    pub fn certify_key(&self, plan: &CvPlan, key: &CvPublicKey) -> Result<Vec<u8>, CvError> {
        let parts = match key {
            CvPublicKey::Ecdsa { point } => vec![plan.algorithm()?, tlv(0x86, point)],
            CvPublicKey::Rsa { modulus, exponent } => {
                vec![plan.algorithm()?, tlv(0x81, modulus), tlv(0x82, exponent)]
            }
        };
        signed(plan, constructed(0x7F49, &parts), &self.plan, &self.key)
    }

    /// Its certificate, with its tag.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// How it was made.
    pub fn plan(&self) -> &CvPlan {
        &self.plan
    }

    /// Its private key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Its private key as a PrivateKeyInfo (RFC 5208, 5), for the terminal that is to use it.
    pub fn private_key_pkcs8(&self) -> Result<Vec<u8>, ErrorStack> {
        self.key.private_key().private_key_to_pkcs8()
    }
}

/// EF.CVCA of a chip that trusts these roots, the newest first: their references, filled up with zeros to 36
/// bytes (ICAO 9303-10, 4.7.17; BSI TR-03110-3, A.5).
pub fn ef_cvca<'a>(roots: impl IntoIterator<Item = &'a CvAuthority>) -> Vec<u8> {
    let mut file: Vec<u8> =
        roots.into_iter().take(2).flat_map(|root| tlv(0x42, root.plan.reference.as_bytes())).collect();
    file.resize(36, 0);
    file
}

/// BSI TR-03110-3, C.1 and D.2.
fn certify(holder: &CvPlan, key: &SigningKey, by: &CvPlan, with: &SigningKey) -> Result<Vec<u8>, CvError> {
    signed(holder, public_key(holder, key)?, by, with)
}

fn signed(holder: &CvPlan, key: Vec<u8>, by: &CvPlan, with: &SigningKey) -> Result<Vec<u8>, CvError> {
    let body = constructed(
        0x7F4E,
        &[
            tlv(0x5F29, &[0]),
            tlv(0x42, by.reference.as_bytes()),
            key,
            tlv(0x5F20, holder.reference.as_bytes()),
            holder.authorisation(),
            tlv(0x5F25, &day(holder.effective)),
            tlv(0x5F24, &day(holder.expires)),
        ],
    );
    // What the issuer cannot name in its own certificate it cannot sign with either.
    by.algorithm()?;
    let signature = plain_signature(with, by.digest, &body)?;
    Ok(constructed(0x7F21, &[body, tlv(0x5F37, &signature)]))
}

/// BSI TR-03110-3, D.3.
fn public_key(plan: &CvPlan, key: &SigningKey) -> Result<Vec<u8>, CvError> {
    let mut parts = vec![plan.algorithm()?];
    let Ok(public) = key.private_key().ec_key() else {
        let rsa = key.private_key().rsa()?;
        parts.extend([tlv(0x81, &rsa.n().to_vec()), tlv(0x82, &rsa.e().to_vec())]);
        return Ok(constructed(0x7F49, &parts));
    };
    let mut context = BigNumContext::new()?;
    let group = public.group();
    let mut encoded = |point: &openssl::ec::EcPointRef| {
        point.to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context)
    };
    let base_point = group.generator_opt().ok_or(CvError::NoSuchAlgorithm)?;
    let (generator, point) = (encoded(base_point)?, encoded(public.public_key())?);
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    let (mut order, mut cofactor) = (BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
    group.order(&mut order, &mut context)?;
    group.cofactor(&mut cofactor, &mut context)?;
    // Only roots and links write the curve out; all below inherit it.
    let writes_curve = plan.role == CvRole::Root;
    if writes_curve {
        parts.extend([
            tlv(0x81, &p.to_vec()),
            tlv(0x82, &a.to_vec()),
            tlv(0x83, &b.to_vec()),
            tlv(0x84, &generator),
            tlv(0x85, &order.to_vec()),
        ]);
    }
    parts.push(tlv(0x86, &point));
    if writes_curve {
        parts.push(tlv(0x87, &cofactor.to_vec()));
    }
    Ok(constructed(0x7F49, &parts))
}

/// RSA as it is; ECDSA as r and s side by side, each as long as the order (BSI TR-03111, 5.2.1).
fn plain_signature(key: &SigningKey, digest: DigestKind, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let signature = key.sign(digest, message)?;
    let Ok(private) = key.private_key().ec_key() else {
        return Ok(signature);
    };
    let signature = EcdsaSig::from_der(&signature)?;
    let length = i32::try_from(private.group().order_bits().div_ceil(8)).unwrap_or(0);
    Ok([signature.r().to_vec_padded(length)?, signature.s().to_vec_padded(length)?].concat())
}

/// Six digits of a day, a byte each (BSI TR-03110-3, C.1.6 and D.2.1.3).
fn day(day: Date) -> Vec<u8> {
    let text = format!("{:02}{:02}{:02}", day.year() % 100, u8::from(day.month()), day.day());
    text.bytes().map(|digit| digit - b'0').collect()
}

#[cfg(test)]
mod tests {
    use openssl::ec::EcGroup;
    use openssl::hash::{MessageDigest, hash};
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Padding;
    use openssl::sign::{RsaPssSaltlen, Verifier};

    use super::super::kind::PssParameters;
    use super::*;

    /// The value of the first object with that tag, and what lies behind it.
    fn object<'a>(bytes: &'a [u8], tag: &[u8]) -> (&'a [u8], &'a [u8]) {
        let rest = bytes.strip_prefix(tag).unwrap_or_else(|| panic!("no {tag:02X?} in {bytes:02X?}"));
        let (length, head) = match rest[0] {
            0x82 => (usize::from(u16::from_be_bytes([rest[1], rest[2]])), 3),
            0x81 => (usize::from(rest[1]), 2),
            length => (usize::from(length), 1),
        };
        rest[head..].split_at(length)
    }

    /// The body with its tag, and the signature.
    fn halves(certificate: &[u8]) -> (&[u8], &[u8]) {
        let (inside, rest) = object(certificate, &[0x7F, 0x21]);
        assert!(rest.is_empty());
        let (_, behind) = object(inside, &[0x7F, 0x4E]);
        let (signature, rest) = object(behind, &[0x5F, 0x37]);
        assert!(rest.is_empty());
        (&inside[..inside.len() - behind.len()], signature)
    }

    fn ecdsa_holds(key: &PKey<Private>, certificate: &[u8], digest: MessageDigest) -> bool {
        let (body, signature) = halves(certificate);
        let (r, s) = signature.split_at(signature.len() / 2);
        let number = |bytes| BigNum::from_slice(bytes).unwrap();
        let signature = EcdsaSig::from_private_components(number(r), number(s)).unwrap();
        signature.verify(&hash(digest, body).unwrap(), &key.ec_key().unwrap()).unwrap()
    }

    fn chain() -> [CvAuthority; 3] {
        let root = CvAuthority::root(CvPlan::root("XACVCA00001")).unwrap();
        let verifier = root.certify(CvPlan::document_verifier("XADV00001")).unwrap();
        let terminal = verifier.certify(CvPlan::terminal("XAIS00001")).unwrap();
        [root, verifier, terminal]
    }

    #[test]
    fn each_certificate_is_signed_by_the_one_above() {
        let [root, verifier, terminal] = chain();
        for (holder, issuer) in [(&root, &root), (&verifier, &root), (&terminal, &verifier)] {
            let key = issuer.key().private_key();
            assert!(ecdsa_holds(key, holder.certificate(), MessageDigest::sha256()));
        }
        let key = root.key().private_key();
        assert!(!ecdsa_holds(key, terminal.certificate(), MessageDigest::sha256()));
    }

    #[test]
    fn a_terminals_certificate_object_by_object() {
        let [_, _, terminal] = chain();
        let (body, _) = halves(terminal.certificate());
        let (body, _) = object(body, &[0x7F, 0x4E]);
        let (profile, rest) = object(body, &[0x5F, 0x29]);
        let (authority, rest) = object(rest, &[0x42]);
        let (key, rest) = object(rest, &[0x7F, 0x49]);
        let (holder, rest) = object(rest, &[0x5F, 0x20]);
        let (authorisation, rest) = object(rest, &[0x7F, 0x4C]);
        let (effective, rest) = object(rest, &[0x5F, 0x25]);
        let (expires, rest) = object(rest, &[0x5F, 0x24]);
        assert!(rest.is_empty());
        assert_eq!((profile, authority, holder), (&[0][..], &b"XADV00001"[..], &b"XAIS00001"[..]));
        // id-IS, and DG3 alone.
        let id_is = b"\x06\x09\x04\x00\x7F\x00\x07\x03\x01\x02\x01";
        assert_eq!(authorisation, [&id_is[..], &[0x53, 0x01, 0x01]].concat());
        assert_eq!((effective, expires), (&[2, 1, 0, 1, 0, 1][..], &[4, 7, 1, 2, 3, 1][..]));
        // id-TA-ECDSA-SHA-256 and the point, and no curve.
        let (algorithm, rest) = object(key, &[0x06]);
        assert_eq!(algorithm, b"\x04\x00\x7F\x00\x07\x02\x02\x02\x02\x03");
        let (point, rest) = object(rest, &[0x86]);
        assert!(point.len() == 65 && point[0] == 4 && rest.is_empty());
    }

    #[test]
    fn roles_and_rights_share_a_byte() {
        let byte = |plan: CvPlan| *plan.authorisation().last().unwrap();
        assert_eq!(byte(CvPlan::root("")), 0xC3);
        assert_eq!(byte(CvPlan::document_verifier("")), 0x83);
        assert_eq!(byte(CvPlan { role: CvRole::ForeignVerifier, ..CvPlan::terminal("") }), 0x41);
        assert_eq!(byte(CvPlan { rights: CvRights::Irises, ..CvPlan::terminal("") }), 0x02);
        assert_eq!(byte(CvPlan { rights: CvRights::Neither, ..CvPlan::terminal("") }), 0x00);
    }

    #[test]
    fn a_root_writes_its_curve_out() {
        for curve in Curve::ALL {
            let plan = CvPlan { signer: SignerKind::named(curve), ..CvPlan::root("XACVCA00001") };
            let root = CvAuthority::root(plan).unwrap();
            let (body, _) = halves(root.certificate());
            let start = body.windows(2).position(|tag| tag == [0x7F, 0x49]).unwrap();
            let (key, _) = object(&body[start..], &[0x7F, 0x49]);
            let (_, mut rest) = object(key, &[0x06]);
            let mut values = Vec::new();
            for tag in 0x81..=0x87 {
                let (value, behind) = object(rest, &[tag]);
                values.push(value);
                rest = behind;
            }
            assert!(rest.is_empty());
            let number = |at: usize| BigNum::from_slice(values[at]).unwrap();
            let group =
                EcGroup::from_components(number(0), number(1), number(2), &mut BigNumContext::new().unwrap());
            let group = group.unwrap();
            let mut context = BigNumContext::new().unwrap();
            for point in [values[3], values[5]] {
                let point = openssl::ec::EcPoint::from_bytes(&group, point, &mut context).unwrap();
                assert!(point.is_on_curve(&group, &mut context).unwrap(), "{curve:?}");
            }
            assert_eq!(values[6], [1]);
            assert!(ecdsa_holds(root.key().private_key(), root.certificate(), MessageDigest::sha256()));
        }
    }

    #[test]
    fn a_link_carries_the_new_key_under_the_old_name_of_its_signer() {
        let old = CvAuthority::root(CvPlan::root("XACVCA00001")).unwrap();
        let (new, link) = old.roll_over(CvPlan::root("XACVCA00002")).unwrap();
        assert!(ecdsa_holds(old.key().private_key(), &link, MessageDigest::sha256()));
        assert!(!ecdsa_holds(new.key().private_key(), &link, MessageDigest::sha256()));
        let references = b"\x42\x0BXACVCA00001\x7F\x49";
        assert!(link.windows(references.len()).any(|window| window == references));
        assert!(link.windows(14).any(|window| window == b"\x5F\x20\x0BXACVCA00002"));
        assert_eq!(ef_cvca([&new, &old]), [b"\x42\x0BXACVCA00002\x42\x0BXACVCA00001", &[0; 10][..]].concat());
    }

    #[test]
    fn rsa_signs_too_with_the_digests_there_are() {
        for parameters in [None, Some(PssParameters::Usual)] {
            let signer = match parameters {
                None => SignerKind::RSA_2048,
                Some(parameters) => SignerKind::RsaPss { bits: 2048, parameters },
            };
            for digest in [DigestKind::Sha1, DigestKind::Sha256, DigestKind::Sha512] {
                let root =
                    CvAuthority::root(CvPlan { signer, digest, ..CvPlan::root("XACVCA00001") }).unwrap();
                let (body, signature) = halves(root.certificate());
                let mut verifier = Verifier::new(digest.message_digest(), root.key().private_key()).unwrap();
                if parameters.is_some() {
                    verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
                }
                assert!(verifier.verify_oneshot(signature, body).unwrap(), "{signer} {digest}");
            }
            let plan = CvPlan { signer, digest: DigestKind::Sha384, ..CvPlan::root("XACVCA00001") };
            assert!(matches!(CvAuthority::root(plan), Err(CvError::NoSuchAlgorithm)));
        }
    }

    #[test]
    fn the_terminals_key_can_be_taken_along() {
        let [_, _, terminal] = chain();
        let taken = PKey::private_key_from_pkcs8(&terminal.private_key_pkcs8().unwrap()).unwrap();
        assert!(taken.public_eq(terminal.key().private_key()));
    }
}
