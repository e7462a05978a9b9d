//! Bearer tokens, kept as their hash: a configuration file that leaks opens nothing.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a caller's token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

/// Not the 64 hexadecimal digits of a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token hash is the 64 hexadecimal digits of a SHA-256; `cccd-agent token` makes one")]
pub struct NotATokenHash;

impl TokenHash {
    /// The hash of a token as a caller sends it.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The hash as a configuration file writes it.
    pub fn from_hex(text: &str) -> Result<Self, NotATokenHash> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|_| NotATokenHash)?;
        Ok(Self(hash))
    }

    /// The hash as a configuration file writes it.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Whether `token` is the one, in a time that does not tell how near it came.
    pub fn matches(&self, token: &str) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_matches_its_hash() {
        let hash = TokenHash::from_hex(&TokenHash::of("correct horse").to_hex()).unwrap();
        assert!(hash.matches("correct horse"));
        assert!(!hash.matches("correct horse "));
        assert!(!hash.matches(""));
        assert_eq!(TokenHash::from_hex("abc"), Err(NotATokenHash));
        assert_eq!(TokenHash::from_hex(&"g".repeat(64)), Err(NotATokenHash));
    }
}
