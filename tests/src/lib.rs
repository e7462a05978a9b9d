//! The whole agent over firmware-sim: through HTTP, a real pcscd and the real CCID driver.
//!
//! Each test file under `tests/` starts what it needs from here: a private pcscd with simulated readers
//! (`cccd_firmware_sim`), the agent as a child process ([`AgentUnderTest`]), and people ([`people`]) whose
//! names must turn up in results and nowhere else: whenever an agent is stopped, everything it logged at
//! trace level and every event it sent is searched for them.

pub mod agent;
pub mod browser;
pub mod card_time;
pub mod consumers;
pub mod cutting_proxy;
pub mod fleet;
pub mod held_card;
pub mod hil;
pub mod judged;
pub mod manual;
pub mod matrix;
pub mod mosquitto;
pub mod open_desk;
pub mod outbox;
pub mod people;
pub mod quirks;
pub mod soak;

pub use agent::{AgentUnderTest, Answer, CALLER_TOKEN, OTHER_TOKEN, PAGE_ORIGIN, PAGE_TOKEN};
pub use cutting_proxy::CuttingProxy;
pub use held_card::{HeldCard, Hold};
pub use open_desk::OpenDesk;
