//! A reading as a signed file: what an independent party needs to judge it again, without card or network.
//!
//! ```
//! use cccd_evidence::{AgentKey, EvidenceFile, Groups, ReadFacts, open};
//! # use std::collections::BTreeMap;
//! # use cccd_document::*;
//! # let access = AccessRun {
//! #     protocol: AccessProtocol::Bac, password: PasswordKind::Mrz, downgrade: None, card_access: None,
//! # };
//! # let evidence = Evidence { access, files: BTreeMap::new(), proofs: ChipProofs::default() };
//! # let verdict = cccd_trust::Verdict::of(Vec::new());
//! # let read_at = time::macros::datetime!(2026-11-20 08:00 UTC);
//! let key = AgentKey::generate(&mut getrandom::SysRng)?;
//! let facts = ReadFacts { read_id: "5f0c3a9b", agent_version: "0.1.0", read_at, mark: ReadMark::Unmarked };
//!
//! let file = EvidenceFile::new(facts, &evidence, &verdict, Groups::HashesOnly).sign(&key, &mut getrandom::SysRng)?;
//!
//! let opened = open(&file, Some(&key.key_id()))?;
//! assert_eq!(opened.read_at, read_at);
//! assert!(open(&file.replacen('e', "f", 1), None).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file is a JSON Web Signature in compact form (RFC 7515) with ES256 and the agent's public key in its
//! header. The signature says which agent stands behind what only an agent can know: that chip authentication
//! went well, and when it was. Everything else proves itself: EF.SOD by its issuer's signature, active
//! authentication by the chip's.
//!
//! The same key proves which agent it is that answers on a port ([`Identity`]), and which machine a result comes from that
//! was delivered through others ([`Delivered`]).
//!
//! It holds personal data where the groups are included, and is wiped here; it is never logged. This crate
//! opens no file, asks nobody the time, and judges nothing: that is `cccd-trust`.

#![forbid(unsafe_code)]

mod agent_key;
mod delivered;
mod file;
mod identity;
mod jws;
mod names;
mod twin;

pub use agent_key::{AgentKey, AgentKeyError, KeyId};
pub use delivered::Delivered;
pub use file::{
    EvidenceFile, EvidenceFileError, GroupDigest, Groups, OpenedEvidence, ReadFacts, check_payload, open,
};
pub use identity::Identity;
pub use jws::JwsFault;
