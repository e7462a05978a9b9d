//! Signed tokens that others made: JSON Web Signatures in compact form (RFC 7515) under EdDSA (RFC 8037) or ES256
//! (RFC 7518, 3.4), and the public keys that they are verified with. And texts sealed to somebody's public key, as
//! JSON Web Encryption (RFC 7516).
//!
//! ```
//! use cccd_jose::{Compact, PublicKey};
//!
//! // RFC 8037, A.2 and A.4.
//! let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
//! let key = PublicKey::from_jwk(key)?;
//! let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
//!             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
//! let token = Compact::parse(text)?;
//! token.verify(&key)?;
//! assert_eq!(token.payload(), b"Example of Ed25519 signing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The key decides the algorithm: a token that names another than its key's is refused, and `none` and shared
//! secrets do not exist here. No key is ever fetched, from wherever a header may point. Private keys are refused, so
//! that none ends up in a file of settings. This crate asks nobody the time and remembers nothing: what a token claims
//! is its reader's matter, a [`DpopProof`] takes the time as an argument, and whether it was used before is for whoever
//! remembers.

#![forbid(unsafe_code)]

mod compact;
mod dpop;
mod public_key;
mod sealed;

pub use compact::{Compact, LONGEST, TokenFault};
pub use dpop::{DpopFault, DpopProof, DpopRequest};
pub use public_key::{Algorithm, KeyFault, PublicKey};
pub use sealed::{NotSealed, RecipientKey, SealRandom};
