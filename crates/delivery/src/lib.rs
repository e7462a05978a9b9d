//! Carries results to other systems until they have arrived: webhooks, and folders.
//!
//! What is to be carried lies in [`cccd_store::Outbox`], encrypted; one task a target takes the next message whose time
//! has come, tries, and notes what became of it. A power cut between the two delivers a message twice under the same
//! `webhook-id`, never not at all.
//!
//! A webhook is signed as Standard Webhooks has it (`v1`, HMAC-SHA-256, and `v1a`, Ed25519). Nothing that is carried is
//! logged. This crate opens no file but those it delivers: what a target's files hold is [`TargetFiles`].

#![forbid(unsafe_code)]

mod carrier;
pub mod fleet;
mod folder;
mod oauth;
mod signature;
mod target_files;
#[cfg(test)]
mod test_server;
mod tls;
mod web_client;
mod web_source;
mod webhook;

pub use carrier::{Carrier, Carriers, Clock, NotATarget, Signer};
pub use signature::{NotASecret, WebhookSecrets};
pub use target_files::TargetFiles;
pub use web_source::{NotFetched, WebSource};
