//! The backend of a site, as its own developers would write it: it shares no code with the agent.

use openssl::base64::encode_block;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

/// A key of a backend.
pub(crate) struct SiteBackend(PKey<Private>);

fn base64url(bytes: &[u8]) -> String {
    encode_block(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

impl SiteBackend {
    pub(crate) fn on_ed25519() -> Self {
        Self(PKey::generate_ed25519().unwrap())
    }

    pub(crate) fn on_p256() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
    }

    /// What the desk's settings get.
    pub(crate) fn public_pem(&self) -> String {
        String::from_utf8(self.0.public_key_to_pem().unwrap()).unwrap()
    }

    /// Its own algorithm.
    fn algorithm(&self) -> &'static str {
        if self.0.id() == Id::ED25519 { "EdDSA" } else { "ES256" }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": self.algorithm(), "typ": "JWT" }), claims)
    }

    /// Whatever the header says, the signature is that of this key.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let signed = format!(
            "{}.{}",
            base64url(header.to_string().as_bytes()),
            base64url(claims.to_string().as_bytes())
        );
        let signature = if self.0.id() == Id::ED25519 {
            Signer::new_without_digest(&self.0).unwrap().sign_oneshot_to_vec(signed.as_bytes()).unwrap()
        } else {
            let key = self.0.ec_key().unwrap();
            let signature = EcdsaSig::sign(&sha256(signed.as_bytes()), &key).unwrap();
            [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat()
        };
        format!("{signed}.{}", base64url(&signature))
    }
}

/// Claims that a desk takes: for the agent of this id, from this page, at this second.
pub(crate) fn claims(issuer: &str, agent: &str, origin: &str, now: i64, name: &str) -> Value {
    json!({
        "iss": issuer,
        "aud": agent,
        "origin": origin,
        "workstation_id": "desk-3",
        "scope": "readers presence read.id photo",
        "purpose": "đăng ký khám bệnh",
        "legal_basis": "Luật Khám bệnh, chữa bệnh 2023",
        "jti": name,
        "iat": now,
        "exp": now + 60,
    })
}
