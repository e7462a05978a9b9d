//! The whole agent over firmware-sim: through HTTP, a real pcscd and the real CCID driver.
//!
//! Each test file under `tests/` starts what it needs from here: a private pcscd with simulated readers
//! (`cccd_firmware_sim`), the agent as a child process ([`AgentUnderTest`]), and people ([`people`]) whose
//! names must turn up in results and nowhere else: whenever an agent is stopped, everything it logged at
//! trace level and every event it sent is searched for them.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness fails by panicking, as a test does"
)]

pub mod agent;
pub mod held_card;
pub mod people;

pub use held_card::{HeldCard, Hold};
pub use agent::{AgentUnderTest, CALLER_TOKEN, OTHER_TOKEN, PAGE_ORIGIN, PAGE_TOKEN};
