//! Carries results to other systems until they have arrived: webhooks, and folders.
//!
//! What is to be carried lies in [`cccd_store::Outbox`], encrypted; one task a target takes the next message whose time
//! has come, tries, and notes what became of it. A power cut between the two delivers a message twice under the same
//! `webhook-id`, never not at all.
//!
//! A webhook is signed as Standard Webhooks has it (version `v1`, HMAC-SHA-256). Nothing that is carried is logged.

#![forbid(unsafe_code)]

mod carrier;
mod folder;
mod signature;
mod webhook;

pub use carrier::{Carrier, Carriers, Clock, NotATarget};
pub use signature::{NotASecret, WebhookSecret};
