//! Wires the rest: the daemon, and its command line.
//!
//! [`main`] is the whole program; tests start the same one. [`Agent`] is the daemon without the command
//! line around it: give it settings and kinds of readers and scanners, and it serves the local API until told to stop.
//!
//! ```
//! use cccd_agent::Agent;
//! use cccd_profiles::AgentSettings;
//!
//! let settings = AgentSettings::parse("[api]\nlisten = '127.0.0.1:0'")?;
//! let agent = Agent::start(&settings, Vec::new(), Vec::new())?;
//! println!("listening on {}", agent.address());
//! agent.stop();
//! # Ok::<(), anyhow::Error>(())
//! ```

#![forbid(unsafe_code)]

mod access;
mod admin_client;
mod audit;
mod browser_policy;
mod command_line;
mod daemon;
mod doctor;
mod doors;
mod evidence_key;
mod fleet;
mod grant_book;
mod learned_shapes;
mod lodging_command;
mod logging;
mod outbox_command;
mod outbox_desk;
mod pages_command;
mod private_file;
mod profile_command;
mod profile_files;
mod profile_shelf;
mod read_command;
mod record_command;
mod register_command;
mod register_desk;
mod register_tables;
mod replays;
mod scan_command;
mod scan_table;
mod scanners_command;
mod served;
mod site_command;
#[cfg(unix)]
mod socket;
mod station;
mod table;
mod target_files;
mod tls;
mod tls_command;
pub mod trace;
pub mod trust;
mod verify_command;

pub use command_line::main;
pub use daemon::Agent;
