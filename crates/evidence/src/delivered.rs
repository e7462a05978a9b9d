//! A result as it leaves for its consumer, signed by the machine that made it: whoever opens its seal learns which desk
//! that was, for whom, and that nothing was changed on the way.
//!
//! It is a JSON Web Token (RFC 7519) under ES256 without an end: a result may wait for weeks. Its key stands in its header
//! and proves nothing by itself; its thumbprint, the agent's id, is what a consumer knows its desks by.

use rand_core::TryCryptoRng;
use serde::Serialize;
use serde::de::IgnoredAny;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::agent_key::AgentKey;
use crate::jws;

/// What it is, in its header: no evidence, and nothing else that is signed with this key (RFC 8725, 3.11).
const TYPE: &str = "cccd-result+jwt";

/// Where a result goes, and by which name.
#[derive(Debug, Clone, Copy)]
pub struct Delivered<'a> {
    /// The desk, as its fleet calls it.
    pub desk: &'a str,
    /// The consumer it is for, such as the topic.
    pub audience: &'a str,
    /// The name by which it counts once.
    pub key: &'a str,
    /// When it is signed.
    pub at: OffsetDateTime,
}

/// What stands beside the result (RFC 7519, 4.1).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
}

impl Delivered<'_> {
    /// Signs a result, JSON, which becomes the claim `result`. `None` where it is no JSON, or there are no random numbers.
    pub fn sign(
        &self,
        result: &[u8],
        key: &AgentKey,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Option<Zeroizing<String>> {
        serde_json::from_slice::<IgnoredAny>(result).ok()?;
        let id = key.key_id();
        let claims = Claims {
            iss: id.as_str(),
            sub: self.desk,
            aud: self.audience,
            jti: self.key,
            iat: self.at.unix_timestamp(),
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        // The result stays as it is, byte for byte, and lies in no buffer that is not wiped.
        let open = claims.strip_suffix(b"}")?;
        let name = b",\"result\":";
        let mut payload = Zeroizing::new(Vec::with_capacity(open.len() + name.len() + result.len() + 1));
        for part in [open, name, result, b"}"] {
            payload.extend_from_slice(part);
        }
        jws::sign(TYPE, &payload, key, rng).ok()
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding};
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_result_says_which_desk_made_it_for_whom_and_is_nothing_else() {
        let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
        let delivered = Delivered {
            desk: "hue-7",
            audience: "his",
            key: "5f0c3a9be1d24487a6c0f1e2d3b4a596",
            at: datetime!(2026-11-20 08:00 UTC),
        };
        let result = "{\"ho_ten\":\"Nguyễn Văn Mẫu\",\"x\":[1, 2]}".as_bytes();
        let signed = delivered.sign(result, &key, &mut getrandom::SysRng).unwrap();
        let part = |at: usize| {
            let bytes = Base64UrlUnpadded::decode_vec(signed.split('.').nth(at).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        assert_eq!((&part(0)["typ"], &part(0)["alg"]), (&json!("cccd-result+jwt"), &json!("ES256")));
        assert_eq!(
            part(1),
            json!({
                "iss": key.key_id().as_str(), "sub": "hue-7", "aud": "his", "iat": 1_795_161_600,
                "jti": "5f0c3a9be1d24487a6c0f1e2d3b4a596", "result": { "ho_ten": "Nguyễn Văn Mẫu", "x": [1, 2] },
            })
        );
        assert!(jws::open(TYPE, &signed).is_ok());
        // Neither is the other, though one key signs both.
        assert!(crate::open(&signed, None).is_err() && crate::Identity::open(&signed).is_err());
        // What is no JSON could say anything beside the claims.
        for wrong in ["", "{", "{},\"aud\":\"other\"", "1}{"] {
            assert!(delivered.sign(wrong.as_bytes(), &key, &mut getrandom::SysRng).is_none(), "{wrong}");
        }
    }
}
