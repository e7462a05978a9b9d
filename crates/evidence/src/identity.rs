//! A proof that whoever answers on a port has this machine's key.
//!
//! Another program may have taken the port before the agent did. What it answers looks right until it is asked to
//! sign a nonce. The proof names the address that was called, too: a squatter that passes the question on to the
//! agent, which then listens elsewhere, gets a proof for elsewhere.

use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::agent_key::{AgentKey, KeyId};
use crate::jws::{self, JwsFault};

/// What the proof is, in its header: no evidence, and nothing else that is signed with this key (RFC 8725, 3.11).
const TYPE: &str = "cccd-agent-identity+jwt";
/// No proof is longer.
const LONGEST: usize = 4096;

/// What is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The agent's id: the thumbprint of its key.
    pub iss: String,
    /// What whoever asks has drawn, in hexadecimal digits.
    pub nonce: String,
    /// The address that was called, as the request named it.
    pub host: String,
    /// The page that asked; none for a program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub origin: Option<String>,
    /// What sites call the desk; none where it has no name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub workstation_id: Option<String>,
    /// When, in seconds since 1970, by the agent's clock.
    pub iat: i64,
}

impl Identity {
    /// The identity of the machine with this key.
    pub fn of(key: &AgentKey, nonce: &[u8], host: &str, at: OffsetDateTime) -> Self {
        Self {
            iss: key.key_id().as_str().to_owned(),
            nonce: hex::encode(nonce),
            host: host.to_owned(),
            origin: None,
            workstation_id: None,
            iat: at.unix_timestamp(),
        }
    }

    /// The same, signed. `None` where there are no random numbers.
    pub fn sign(&self, key: &AgentKey, rng: &mut (impl TryCryptoRng + ?Sized)) -> Option<String> {
        let payload = serde_json::to_vec(self).ok()?;
        jws::sign(TYPE, &payload, key, rng).ok().map(|text| text.to_string())
    }

    /// What a proof says, and the key behind it. Whoever knows the agent compares that with the key it knows.
    pub fn open(text: &str) -> Result<(Self, KeyId), JwsFault> {
        if text.len() > LONGEST {
            return Err(JwsFault::Form);
        }
        let (payload, key) = jws::open(TYPE, text)?;
        let identity: Self = serde_json::from_slice(&payload).map_err(|_| JwsFault::Form)?;
        if identity.iss == key.as_str() { Ok((identity, key)) } else { Err(JwsFault::Form) }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_proof_says_who_where_and_to_what_question() {
        let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
        let now = datetime!(2026-11-29 08:00 UTC);
        let identity = Identity::of(&key, &[0xAB; 16], "127.0.0.1:9303", now);
        let proof = identity.sign(&key, &mut getrandom::SysRng).unwrap();
        assert_eq!(Identity::open(&proof).unwrap(), (identity.clone(), key.key_id()));
        assert_eq!(identity.nonce, "ab".repeat(16));
        // Neither is the other, though one key signs both.
        assert!(crate::open(&proof, None).is_err());
        let claimed = Identity { iss: "another".to_owned(), ..identity };
        let proof = claimed.sign(&key, &mut getrandom::SysRng).unwrap();
        assert_eq!(Identity::open(&proof), Err(JwsFault::Form));
    }
}
