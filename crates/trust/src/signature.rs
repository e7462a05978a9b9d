//! One signature under one public key, whatever both are made of.
//!
//! What is odd about a signature that holds is told, not swallowed: each deviation is a [`Reason`] of its own.

use cccd_card::tlv::{Tag, TlvReader};
use cccd_curve::ecdsa::{self, EcdsaFault};
use cccd_curve::{CurveId, PointFault, UnknownCurve};
use cccd_document::PublicKey;
use cccd_document::public_key::KeyKind;
use const_oid::ObjectIdentifier;
use der::Sequence;
use spki::AlgorithmIdentifierOwned;

use crate::Reason;
use crate::hash::HashAlgorithm;
use crate::rsa::{OpenedPss, RsaPublicKey};

/// RSA keys below this are told (BSI TR-03116-2, 2).
const SHORT_RSA_BITS: u32 = 2048;

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ECDSA_WITH_SPECIFIED: &str = "1.2.840.10045.4.3";
const MGF1: &str = "1.2.840.113549.1.1.8";

/// A signature's algorithm, with all its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(HashAlgorithm),
    /// RSASSA-PSS; without parameters, whatever fits.
    Pss(Option<PssParameters>),
    /// ECDSA, the two numbers in a SEQUENCE (RFC 3279, 2.2.3).
    Ecdsa(HashAlgorithm),
    /// ECDSA, the two numbers one after the other (BSI TR-03111, 5.2.1.1).
    PlainEcdsa(HashAlgorithm),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PssParameters {
    hash: HashAlgorithm,
    mask: HashAlgorithm,
    salt: usize,
}

/// A signature that holds, and what is odd about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoodSignature {
    /// Each deviation by name.
    pub tolerated: Vec<Reason>,
}

impl GoodSignature {
    fn tolerating(mut self, condition: bool, deviation: Reason) -> Self {
        if condition {
            self.tolerated.push(deviation);
        }
        self
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// It was verified and does not hold.
    #[error("signature does not hold: {}", .0.code())]
    Bad(Reason),
    /// It is made of something unknown here, so that nobody can tell.
    #[error("signature cannot be verified: {}", .0.code())]
    Unverifiable(Reason),
}

impl SignatureFault {
    /// The reason, for a check.
    pub fn reason(self) -> Reason {
        match self {
            Self::Bad(reason) | Self::Unverifiable(reason) => reason,
        }
    }
}

const MISMATCH: SignatureFault = SignatureFault::Bad(Reason::SignatureMismatch);

/// Verifies `signature` over `message`. `stated_hash` is what something around the signature says the hash is,
/// for algorithms that leave it open (RFC 5652, 5.3: rsaEncryption names the key alone).
pub fn verify_signature(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    stated_hash: Option<HashAlgorithm>,
    message: &[u8],
    signature: &[u8],
) -> Result<GoodSignature, SignatureFault> {
    let scheme = Scheme::of(algorithm, stated_hash)
        .ok_or(SignatureFault::Unverifiable(Reason::SignatureAlgorithmUnknown))?;
    let is_rsa = matches!(scheme, Scheme::Pkcs1(_) | Scheme::Pss(_));
    match (key.kind, is_rsa) {
        (KeyKind::Rsa { .. }, true) => with_rsa(key, scheme, stated_hash, message, signature),
        (KeyKind::Ec { .. }, false) => with_ec(key, scheme, message, signature),
        (KeyKind::Rsa { .. } | KeyKind::Ec { .. }, _) => Err(SignatureFault::Bad(Reason::SignatureNotOfKey)),
        _ => Err(SignatureFault::Unverifiable(Reason::PublicKeyUnusable)),
    }
}

fn with_rsa(
    key: &PublicKey,
    scheme: Scheme,
    stated_hash: Option<HashAlgorithm>,
    message: &[u8],
    signature: &[u8],
) -> Result<GoodSignature, SignatureFault> {
    let rsa =
        RsaPublicKey::parse(&key.key).map_err(|_| SignatureFault::Unverifiable(Reason::PublicKeyUnusable))?;
    let good = GoodSignature::default().tolerating(rsa.bits() < SHORT_RSA_BITS, Reason::KeyShort);
    match scheme {
        Scheme::Pkcs1(hash) => {
            if !rsa.verify_pkcs1(hash, &hash.hash(message), signature) {
                return Err(MISMATCH);
            }
            // Card quirk 51: the key says PSS and signs in the old way.
            let other = key.algorithm.to_string() != RSA_ENCRYPTION;
            Ok(good.tolerating(other, Reason::KeyAlgorithmDiffers).tolerating_weak(hash))
        }
        Scheme::Pss(parameters) => {
            let opened = OpenedPss::new(&rsa, signature).ok_or(MISMATCH)?;
            let fitting = |hash: HashAlgorithm, mask: HashAlgorithm| {
                opened.salt_length(hash, mask, &hash.hash(message)).map(|salt| (hash, salt))
            };
            let Some(parameters) = parameters else {
                // By the letter, absent parameters mean SHA-1 with a salt of 20 bytes (RFC 4055, 3.1); chips
                // mean the hash around them (card quirk 52). A signature fits one hash at most.
                let candidates = stated_hash.into_iter().chain(HashAlgorithm::ALL);
                let mut candidates = candidates.filter_map(|hash| fitting(hash, hash));
                let (hash, salt) = candidates.next().ok_or(MISMATCH)?;
                let by_the_letter = hash == HashAlgorithm::Sha1 && salt == 20;
                return Ok(good
                    .tolerating(!by_the_letter, Reason::PssParametersAbsent)
                    .tolerating_weak(hash));
            };
            let (hash, salt) = fitting(parameters.hash, parameters.mask).ok_or(MISMATCH)?;
            Ok(good
                .tolerating(salt != parameters.salt, Reason::PssSaltNotAsStated)
                .tolerating(salt != hash.length(), Reason::PssSaltUnusual)
                .tolerating(parameters.mask != hash, Reason::PssMaskUnusual)
                .tolerating_weak(hash))
        }
        Scheme::Ecdsa(_) | Scheme::PlainEcdsa(_) => Err(SignatureFault::Bad(Reason::SignatureNotOfKey)),
    }
}

fn with_ec(
    key: &PublicKey,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<GoodSignature, SignatureFault> {
    let stated = curve_of(key).map_err(SignatureFault::Unverifiable)?;
    let (hash, r, s) = match scheme {
        Scheme::Ecdsa(hash) => {
            let (r, s) = two_integers(signature).ok_or(MISMATCH)?;
            (hash, r, s)
        }
        Scheme::PlainEcdsa(hash) if signature.len().is_multiple_of(2) => {
            let (r, s) = signature.split_at(signature.len() / 2);
            (hash, r, s)
        }
        _ => return Err(MISMATCH),
    };
    let digest = hash.hash(message);
    let verify_on = |curve| ecdsa::verify(curve, &key.key, &digest, r, s);
    let mut outcome = verify_on(stated);
    let mut good = GoodSignature::default();
    // Card quirk 55: the key names a curve its point does not lie on. A point lies on a second curve by chance once
    // in some 2^190 times, so that where it does it was made there; the signature has to hold all the same.
    if outcome == Err(EcdsaFault::PublicKey(PointFault::NotOnCurve))
        && let Some(curve) = CurveId::ALL.iter().copied().find(|curve| curve.holds(&key.key))
    {
        outcome = verify_on(curve);
        good = good.tolerating(true, Reason::CurveMisnamed);
    }
    match outcome {
        Ok(()) => Ok(good.tolerating_weak(hash)),
        Err(EcdsaFault::PublicKey(_)) => Err(SignatureFault::Unverifiable(Reason::PublicKeyUnusable)),
        Err(_) => Err(MISMATCH),
    }
}

/// The curve of a key. Parameters that are spelled out must be those of a known curve to the last number.
pub fn curve_of(key: &PublicKey) -> Result<CurveId, Reason> {
    CurveId::from_algorithm(key.algorithm, key.parameters.as_deref()).map_err(|unknown| match unknown {
        UnknownCurve::Explicit => Reason::ExplicitCurveUnknown,
        _ => Reason::CurveUnknown,
    })
}

/// SEQUENCE { r INTEGER, s INTEGER }.
fn two_integers(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut outer = TlvReader::new(signature);
    let mut inner = TlvReader::new(outer.expect(Tag(0x30)).ok()?);
    let (r, s) = (inner.expect(Tag(0x02)).ok()?, inner.expect(Tag(0x02)).ok()?);
    inner.finish().ok()?;
    outer.finish().ok()?;
    Some((r, s))
}

impl GoodSignature {
    fn tolerating_weak(self, hash: HashAlgorithm) -> Self {
        self.tolerating(hash == HashAlgorithm::Sha1, Reason::HashWeak)
    }
}

/// RSASSA-PSS-params (RFC 4055, 3.1).
#[derive(Sequence)]
struct RawPssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u16>,
}

impl Scheme {
    fn of(algorithm: &AlgorithmIdentifierOwned, stated_hash: Option<HashAlgorithm>) -> Option<Self> {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512, Sha512_256};
        Some(match algorithm.oid.to_string().as_str() {
            RSA_ENCRYPTION => Self::Pkcs1(stated_hash?),
            // The second is that of OIW, older than PKCS #1's own.
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Self::Pkcs1(Sha1),
            "1.2.840.113549.1.1.14" => Self::Pkcs1(Sha224),
            "1.2.840.113549.1.1.11" => Self::Pkcs1(Sha256),
            "1.2.840.113549.1.1.12" => Self::Pkcs1(Sha384),
            "1.2.840.113549.1.1.13" => Self::Pkcs1(Sha512),
            "1.2.840.113549.1.1.16" => Self::Pkcs1(Sha512_256),
            RSASSA_PSS => Self::Pss(PssParameters::of(algorithm)?),
            EC_PUBLIC_KEY => Self::Ecdsa(stated_hash?),
            "1.2.840.10045.4.1" => Self::Ecdsa(Sha1),
            "1.2.840.10045.4.3.1" => Self::Ecdsa(Sha224),
            "1.2.840.10045.4.3.2" => Self::Ecdsa(Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(Sha512),
            ECDSA_WITH_SPECIFIED => {
                let hash: AlgorithmIdentifierOwned = algorithm.parameters.as_ref()?.decode_as().ok()?;
                Self::Ecdsa(HashAlgorithm::of_oid(&hash.oid)?)
            }
            // BSI TR-03111, 5.2.1.1.
            "0.4.0.127.0.7.1.1.4.1.1" => Self::PlainEcdsa(Sha1),
            "0.4.0.127.0.7.1.1.4.1.2" => Self::PlainEcdsa(Sha224),
            "0.4.0.127.0.7.1.1.4.1.3" => Self::PlainEcdsa(Sha256),
            "0.4.0.127.0.7.1.1.4.1.4" => Self::PlainEcdsa(Sha384),
            "0.4.0.127.0.7.1.1.4.1.5" => Self::PlainEcdsa(Sha512),
            _ => return None,
        })
    }

    fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Pkcs1(hash) | Self::Ecdsa(hash) | Self::PlainEcdsa(hash) => Some(hash),
            Self::Pss(parameters) => parameters.map(|parameters| parameters.hash),
        }
    }
}

/// The hash a signature's algorithm names itself, if it does.
pub(crate) fn hash_named_by(algorithm: &AlgorithmIdentifierOwned) -> Option<HashAlgorithm> {
    Scheme::of(algorithm, None)?.hash()
}

impl PssParameters {
    /// The outer `None` says that they cannot be read or name something unknown, the inner that there are none.
    #[expect(clippy::option_option, reason = "absent and impossible are different")]
    fn of(algorithm: &AlgorithmIdentifierOwned) -> Option<Option<Self>> {
        let Some(any) = algorithm.parameters.as_ref().filter(|any| !any.is_null()) else {
            return Some(None);
        };
        let raw: RawPssParameters = any.decode_as().ok()?;
        let function = |algorithm: Option<AlgorithmIdentifierOwned>| match algorithm {
            Some(algorithm) => HashAlgorithm::of_oid(&algorithm.oid),
            None => Some(HashAlgorithm::Sha1),
        };
        let mask = match raw.mask {
            Some(mask) if mask.oid == ObjectIdentifier::new_unwrap(MGF1) => {
                function(mask.parameters.and_then(|any| any.decode_as().ok()))?
            }
            Some(_) => return None,
            None => HashAlgorithm::Sha1,
        };
        if raw.trailer.is_some_and(|trailer| trailer != 1) {
            return None;
        }
        let salt = usize::from(raw.salt.unwrap_or(20));
        Some(Some(Self { hash: function(raw.hash)?, mask, salt }))
    }
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{
        Country, Csca, CscaPlan, DigestKind, DocumentSignerPlan, PssParameters as PssForm, SignerKind,
    };

    use super::*;
    use crate::Certificate;

    /// A certificate signed with such a key, and the key's own.
    fn signed_by(kind: SignerKind, digest: DigestKind) -> (Certificate, Certificate) {
        let plan = CscaPlan { signer: kind, digest, ..CscaPlan::usual(Country::UTOPIA) };
        let csca = Csca::new(plan).unwrap();
        let plan = DocumentSignerPlan::usual(Country::UTOPIA, SignerKind::ECDSA_P256);
        let signer = csca.document_signer(plan).unwrap();
        let parse = |der: &[u8]| Certificate::parse(der).unwrap();
        (parse(signer.certificate().der()), parse(csca.certificate().der()))
    }

    fn verified(subject: &Certificate, key: &PublicKey) -> Result<GoodSignature, SignatureFault> {
        let (message, signature) = (subject.to_be_signed(), subject.signature());
        verify_signature(key, subject.signature_algorithm(), None, message, signature)
    }

    #[test]
    fn every_kind_of_signature_verifies_and_only_as_it_was_made() {
        for (digest, kind) in SignerKind::combinations() {
            let (subject, issuer) = signed_by(kind, digest);
            let good = verified(&subject, issuer.public_key()).unwrap_or_else(|fault| {
                panic!("{kind} {digest}: {fault}");
            });
            let told = |reason| good.tolerated.contains(&reason);
            assert_eq!(told(Reason::HashWeak), digest == DigestKind::Sha1, "{kind} {digest}");
            let absent = matches!(kind, SignerKind::RsaPss { parameters: PssForm::Absent, .. });
            assert_eq!(told(Reason::PssParametersAbsent), absent && digest != DigestKind::Sha1);
            let salt = matches!(kind, SignerKind::RsaPss { parameters: PssForm::Salt(_), .. });
            assert_eq!(told(Reason::PssSaltUnusual), salt, "{kind} {digest}");

            let key = issuer.public_key();
            let (algorithm, signature) = (subject.signature_algorithm(), subject.signature());
            let mut other = subject.to_be_signed().to_vec();
            other[20] ^= 1;
            assert_eq!(verify_signature(key, algorithm, None, &other, signature), Err(MISMATCH));
            for at in [0, signature.len() / 2, signature.len() - 1] {
                let mut bad = signature.to_vec();
                bad[at] ^= 1;
                let outcome = verify_signature(key, algorithm, None, subject.to_be_signed(), &bad);
                assert_eq!(outcome, Err(MISMATCH), "{kind} {digest} byte {at}");
            }
            for bad in [&[][..], &signature[1..], &signature[..signature.len() - 1]] {
                let outcome = verify_signature(key, algorithm, None, subject.to_be_signed(), bad);
                assert_eq!(outcome, Err(MISMATCH), "{kind} {digest}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_told_from_a_signature_that_does_not_fit() {
        let (by_ec, ec) = signed_by(SignerKind::ECDSA_P384, DigestKind::Sha384);
        let (by_rsa, rsa) = signed_by(SignerKind::RSA_2048, DigestKind::Sha256);
        let (_, stranger) = signed_by(SignerKind::ECDSA_P384, DigestKind::Sha384);
        let not_of_key = Err(SignatureFault::Bad(Reason::SignatureNotOfKey));
        assert_eq!(verified(&by_ec, rsa.public_key()), not_of_key);
        assert_eq!(verified(&by_rsa, ec.public_key()), not_of_key);
        assert_eq!(verified(&by_ec, stranger.public_key()), Err(MISMATCH));
    }

    #[test]
    fn a_curve_with_one_changed_number_is_unknown_and_never_used() {
        let (subject, issuer) =
            signed_by(SignerKind::explicit(cccd_firmware_sim::pki::Curve::P256), DigestKind::Sha256);
        let der = &issuer.public_key().der;
        // The base point: its last byte lies right before the order's INTEGER.
        let order = [0x02, 0x21, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0x00];
        let at = der.windows(order.len()).rposition(|window| window == order).unwrap();
        for changed in [at - 1, at - 40, at + 10] {
            let mut der = der.clone();
            der[changed] ^= 1;
            let key = PublicKey::parse(&der).unwrap();
            let unknown = SignatureFault::Unverifiable(Reason::ExplicitCurveUnknown);
            assert_eq!(verified(&subject, &key), Err(unknown), "{changed}");
        }
    }

    #[test]
    fn a_key_that_names_another_curve_than_its_own_is_told_and_verified_on_its_own() {
        use cccd_firmware_sim::pki::Curve;
        for curve in Curve::ALL.into_iter().filter(|curve| curve.of_the_same_length().is_some()) {
            let (subject, issuer) = signed_by(SignerKind::misnamed(curve), DigestKind::Sha256);
            let key = issuer.public_key();
            let good = verified(&subject, key).unwrap();
            assert_eq!(good.tolerated, [Reason::CurveMisnamed], "{curve:?}");
            let (algorithm, signature) = (subject.signature_algorithm(), subject.signature());
            assert_eq!(verify_signature(key, algorithm, None, b"other", signature), Err(MISMATCH));
            // On no curve at all.
            let mut der = key.der.clone();
            *der.last_mut().unwrap() ^= 1;
            let outcome = verified(&subject, &PublicKey::parse(&der).unwrap());
            assert_eq!(outcome, Err(SignatureFault::Unverifiable(Reason::PublicKeyUnusable)));
        }
    }

    #[test]
    fn the_longest_rsa_keys_verify() {
        for bits in [6144, 8192] {
            for kind in
                [SignerKind::RsaPkcs1 { bits }, SignerKind::RsaPss { bits, parameters: PssForm::Usual }]
            {
                let (subject, issuer) = signed_by(kind, DigestKind::Sha512);
                assert_eq!(verified(&subject, issuer.public_key()), Ok(GoodSignature::default()), "{kind}");
                let mut signature = subject.signature().to_vec();
                signature[9] ^= 1;
                let (key, algorithm) = (issuer.public_key(), subject.signature_algorithm());
                let outcome = verify_signature(key, algorithm, None, subject.to_be_signed(), &signature);
                assert_eq!(outcome, Err(MISMATCH), "{kind}");
            }
        }
    }

    #[test]
    fn plain_signatures_hold_the_two_numbers_side_by_side() {
        let (subject, issuer) = signed_by(SignerKind::ECDSA_P384, DigestKind::Sha384);
        let (r, s) = two_integers(subject.signature()).unwrap();
        let padded = |number: &[u8]| {
            let number = crate::certificate::significant(number);
            [vec![0; 48 - number.len()], number.to_vec()].concat()
        };
        let plain = [padded(r), padded(s)].concat();
        let algorithm =
            |oid| AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters: None };
        let verify = |oid, signature: &[u8]| {
            let (key, message) = (issuer.public_key(), subject.to_be_signed());
            verify_signature(key, &algorithm(oid), None, message, signature).is_ok()
        };
        assert!(verify("0.4.0.127.0.7.1.1.4.1.4", &plain));
        assert!(!verify("0.4.0.127.0.7.1.1.4.1.3", &plain));
        assert!(!verify("0.4.0.127.0.7.1.1.4.1.4", subject.signature()));
        assert!(!verify("1.2.840.10045.4.3.3", &plain));
    }

    #[test]
    fn an_algorithm_nobody_knows_leaves_the_question_open() {
        let (subject, issuer) = signed_by(SignerKind::ECDSA_P256, DigestKind::Sha256);
        for oid in ["1.2.3.4", RSA_ENCRYPTION, EC_PUBLIC_KEY] {
            let algorithm =
                AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters: None };
            let outcome = verify_signature(
                issuer.public_key(),
                &algorithm,
                None,
                subject.to_be_signed(),
                subject.signature(),
            );
            let unknown = SignatureFault::Unverifiable(Reason::SignatureAlgorithmUnknown);
            assert_eq!(outcome, Err(unknown), "{oid}");
        }
    }
}
