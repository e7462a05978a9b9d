//! JSON Web Encryption in compact form (RFC 7516) to one recipient: `ECDH-ES` on P-256 (RFC 7518, 4.6) and `A256GCM`
//! (RFC 7518, 5.3), which every JOSE library opens.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NonZeroScalar, PublicKey};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::KeyFault;

/// How the content is encrypted.
const ENCRYPTION: &str = "A256GCM";
/// Bytes of its key, and of its initialization vector.
const KEY: usize = 32;
const IV: usize = 12;
/// No public key of this kind is longer.
const LONGEST_KEY: usize = 4096;
/// The longest name of a key.
const LONGEST_KID: usize = 128;

/// The public key of whoever opens what is sealed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientKey {
    point: PublicKey,
    kid: Option<String>,
}

/// Randomness for one message: drawn by whoever asks, used once.
pub struct SealRandom {
    scalar: Zeroizing<[u8; 32]>,
    iv: [u8; IV],
}

/// The text could not be sealed: the randomness was none (once in 2^32 draws), or the text too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be encrypted with this randomness")]
pub struct NotSealed;

/// The members that count.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    kid: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl SealRandom {
    /// Draws from a source of random bytes.
    pub fn draw<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut this = Self { scalar: Zeroizing::new([0; 32]), iv: [0; IV] };
        fill(this.scalar.as_mut_slice())?;
        fill(&mut this.iv)?;
        Ok(this)
    }
}

impl RecipientKey {
    /// A JSON Web Key (RFC 7517), `EC` on P-256, for encryption.
    pub fn from_jwk(text: &str) -> Result<Self, KeyFault> {
        if text.len() > LONGEST_KEY || !text.trim_ascii_start().starts_with('{') {
            return Err(KeyFault::Form);
        }
        let jwk: Jwk = serde_json::from_str(text).map_err(|_| KeyFault::Form)?;
        if jwk.d.is_some() || jwk.k.is_some() {
            return Err(KeyFault::Private);
        }
        let is_for_this = jwk.alg.as_deref().is_none_or(|alg| alg == "ECDH-ES")
            && jwk.purpose.as_deref().is_none_or(|purpose| purpose == "enc");
        if jwk.kty != "EC" || jwk.crv.as_deref() != Some("P-256") || !is_for_this {
            return Err(KeyFault::Kind);
        }
        let mut point = vec![0x04];
        for coordinate in [jwk.x, jwk.y] {
            let coordinate = coordinate.ok_or(KeyFault::Form)?;
            point.extend(Base64UrlUnpadded::decode_vec(&coordinate).map_err(|_| KeyFault::Point)?);
        }
        let point = PublicKey::from_sec1_bytes(&point).map_err(|_| KeyFault::Point)?;
        if jwk.kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KID) {
            return Err(KeyFault::Form);
        }
        Ok(Self { point, kid: jwk.kid })
    }

    /// Encrypts a text that is of this content type. Only the recipient opens it; anybody could have made it.
    pub fn seal(&self, text: &[u8], content_type: &str, random: SealRandom) -> Result<String, NotSealed> {
        let ephemeral = NonZeroScalar::try_from(random.scalar.as_slice()).map_err(|_| NotSealed)?;
        let secret = p256::ecdh::diffie_hellman(ephemeral, self.point.as_affine());
        let key = concat_kdf(secret.raw_secret_bytes(), ENCRYPTION, b"", b"");
        let public = PublicKey::from_secret_scalar(&ephemeral).to_sec1_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| {
            bytes.map(|bytes| Base64UrlUnpadded::encode_string(bytes)).ok_or(NotSealed)
        };
        let (x, y) = (coordinate(public.x())?, coordinate(public.y())?);
        let mut header = json!({
            "alg": "ECDH-ES",
            "enc": ENCRYPTION,
            "cty": content_type,
            "epk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
        });
        if let (Some(kid), Some(members)) = (&self.kid, header.as_object_mut()) {
            members.insert("kid".to_owned(), kid.as_str().into());
        }
        let header = Base64UrlUnpadded::encode_string(header.to_string().as_bytes());
        let cipher = Aes256Gcm::new_from_slice(key.as_slice()).map_err(|_| NotSealed)?;
        let nonce = Nonce::from(random.iv);
        let payload = Payload { msg: text, aad: header.as_bytes() };
        let sealed = cipher.encrypt(&nonce, payload).map_err(|_| NotSealed)?;
        // The tag is the last 16 bytes, and a part of its own.
        let (text, tag) = sealed.split_last_chunk::<16>().ok_or(NotSealed)?;
        let encoded = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        // The second part, an encrypted key, is empty: the agreed one is used (RFC 7518, 4.6).
        Ok(format!("{header}..{}.{}.{}", encoded(&random.iv), encoded(text), encoded(tag)))
    }
}

/// The single-step derivation of RFC 7518, 4.6.2, for keys of one hash or less.
fn concat_kdf(secret: &[u8], algorithm: &str, party_u: &[u8], party_v: &[u8]) -> Zeroizing<Vec<u8>> {
    let long = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let key = if algorithm == "A128GCM" { KEY / 2 } else { KEY };
    let bits = u32::try_from(key * 8).unwrap_or(u32::MAX);
    let mut hash = Sha256::new();
    hash.update(1_u32.to_be_bytes());
    hash.update(secret);
    for info in [algorithm.as_bytes(), party_u, party_v] {
        hash.update(long(info));
        hash.update(info);
    }
    hash.update(bits.to_be_bytes());
    let mut whole: [u8; 32] = hash.finalize().into();
    let derived = Zeroizing::new(whole.iter().take(key).copied().collect());
    whole.zeroize();
    derived
}

#[cfg(test)]
mod tests {
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::derive::Deriver;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::sha::Sha256 as OtherSha256;
    use openssl::symm::{Cipher, decrypt_aead};

    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        Base64UrlUnpadded::decode_vec(text).unwrap()
    }

    #[test]
    fn the_example_of_the_key_agreement() {
        // RFC 7518, appendix C: Alice's ephemeral key, Bob's key, 128 bits for A128GCM.
        let bob = r#"{"kty":"EC","crv":"P-256",
            "x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#;
        let bob = RecipientKey::from_jwk(bob).unwrap();
        let alice = decoded("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let alice = NonZeroScalar::try_from(alice.as_slice()).unwrap();
        let secret = p256::ecdh::diffie_hellman(alice, bob.point.as_affine());
        let key = concat_kdf(secret.raw_secret_bytes(), "A128GCM", b"Alice", b"Bob");
        assert_eq!(Base64UrlUnpadded::encode_string(&key), "VqqN6vgjbSBcIijNcacQGg");
    }

    fn recipient() -> (PKey<Private>, String) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = EcKey::generate(&group).unwrap();
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(&group, &mut x, &mut y, &mut context).unwrap();
        let encoded = |number: BigNum| Base64UrlUnpadded::encode_string(&number.to_vec_padded(32).unwrap());
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "use": "enc", "alg": "ECDH-ES", "kid": "his-2026", "x": encoded(x), "y": encoded(y),
        });
        (PKey::from_ec_key(key).unwrap(), jwk.to_string())
    }

    /// Opens with another library, by the steps of RFC 7516, 5.2.
    fn open(sealed: &str, key: &PKey<Private>) -> Option<Vec<u8>> {
        let [header, encrypted_key, iv, text, tag] = sealed.split('.').collect::<Vec<_>>().try_into().ok()?;
        assert_eq!(encrypted_key, "");
        let members: serde_json::Value = serde_json::from_slice(&decoded(header)).unwrap();
        let epk = &members["epk"];
        let number = |name: &str| BigNum::from_slice(&decoded(epk[name].as_str().unwrap())).unwrap();
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let other = EcKey::from_public_key_affine_coordinates(&group, &number("x"), &number("y")).unwrap();
        let other = PKey::from_ec_key(other).unwrap();
        let mut deriver = Deriver::new(key).unwrap();
        deriver.set_peer(&other).unwrap();
        let mut hash = OtherSha256::new();
        hash.update(&[0, 0, 0, 1]);
        hash.update(&deriver.derive_to_vec().unwrap());
        hash.update(b"\0\0\0\x07A256GCM\0\0\0\0\0\0\0\0\0\0\x01\0");
        let (iv, text, tag) = (decoded(iv), decoded(text), decoded(tag));
        decrypt_aead(Cipher::aes_256_gcm(), &hash.finish(), Some(&iv), header.as_bytes(), &text, &tag).ok()
    }

    #[test]
    fn another_library_opens_it_and_nobody_else_does() {
        let (key, jwk) = recipient();
        let recipient = RecipientKey::from_jwk(&jwk).unwrap();
        let random = || SealRandom::draw(getrandom::fill).unwrap();
        let text = "{\"name\":\"Nguyễn Văn Mẫu\"}".as_bytes();
        let sealed = recipient.seal(text, "json", random()).unwrap();
        assert_eq!(open(&sealed, &key).unwrap(), text);
        let header: serde_json::Value =
            serde_json::from_slice(&decoded(sealed.split('.').next().unwrap())).unwrap();
        assert_eq!((&header["cty"], &header["kid"]), (&json!("json"), &json!("his-2026")));
        let again = recipient.seal(text, "json", random()).unwrap();
        assert_ne!(sealed, again);
        assert_eq!(open(&sealed, &super::tests::recipient().0), None);
        // Another header, with the same keys in it, is another text.
        let [header, rest] = sealed.splitn(2, '.').collect::<Vec<_>>().try_into().unwrap();
        let other =
            String::from_utf8(decoded(header)).unwrap().replace("\"cty\":\"json\"", "\"cty\":\"jsom\"");
        assert_eq!(
            open(&format!("{}.{rest}", Base64UrlUnpadded::encode_string(other.as_bytes())), &key),
            None
        );
    }

    #[test]
    fn keys_that_nothing_may_be_sealed_to() {
        let (_, good) = recipient();
        let with = |from: &str, to: &str| RecipientKey::from_jwk(&good.replace(from, to)).unwrap_err();
        assert_eq!(with("\"EC\"", "\"OKP\""), KeyFault::Kind);
        assert_eq!(with("P-256", "P-384"), KeyFault::Kind);
        assert_eq!(with("\"enc\"", "\"sig\""), KeyFault::Kind);
        assert_eq!(with("ECDH-ES", "ES256"), KeyFault::Kind);
        assert_eq!(with("{", "{\"d\":\"AA\","), KeyFault::Private);
        assert_eq!(with("{", "["), KeyFault::Form);
        let y = serde_json::from_str::<serde_json::Value>(&good).unwrap()["y"].as_str().unwrap().to_owned();
        assert_eq!(with(&y, &Base64UrlUnpadded::encode_string(&[7; 32])), KeyFault::Point);
        assert_eq!(with(&y, ""), KeyFault::Point);
    }

    #[test]
    fn randomness_that_is_none_seals_nothing() {
        let (_, jwk) = recipient();
        for byte in [0, 0xff] {
            let random = SealRandom::draw(|bytes| {
                bytes.fill(byte);
                Ok::<_, ()>(())
            });
            let sealed = RecipientKey::from_jwk(&jwk).unwrap().seal(b"", "json", random.unwrap());
            assert_eq!(sealed, Err(NotSealed));
        }
    }
}
