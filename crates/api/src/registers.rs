//! Where people are entered who have come: guests, passengers, candidates.

use time::OffsetDateTime;

/// The registers of this machine.
pub trait Registers: Send + Sync {
    /// The profile whose readings go into the register of this name; `None` where there is none, or none that can be
    /// used.
    fn profile_of(&self, register: &str) -> Option<&str>;

    /// Enters whoever has come; again of the same reading changes nothing and says the same. Blocks for as long as the
    /// disk takes.
    fn enter(&self, arrival: &Arrival<'_>) -> Result<Admission, NotEntered>;
}

/// Somebody who has come.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// To which register.
    pub register: &'a str,
    /// To which session, trip or day; empty where there are none.
    pub session: &'a str,
    /// By which reading.
    pub read: &'a str,
    /// The number for life, or that of the document.
    pub number: &'a str,
    /// The name on the chip.
    pub name: &'a str,
    /// The date of birth as it is printed, or empty.
    pub birth: &'a str,
    /// What the consumer gets, as JSON; `None` where a demand refuses the card.
    pub output: Option<&'a [u8]>,
    /// For how many days they may stand in the register.
    pub retention_days: u16,
}

/// What is said to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Come in.
    Admitted {
        /// As which one of the session.
        number: u32,
        /// Where to, by the roster; empty where it says nothing.
        seat: String,
    },
    /// They are in already.
    AlreadyIn {
        /// As which one.
        number: u32,
        /// Since when.
        since: OffsetDateTime,
    },
    /// Nobody of this number is expected.
    NotOnRoster,
    /// They are expected, in other sessions.
    WrongSession {
        /// Which.
        sessions: Vec<String>,
    },
    /// The number is expected, and the roster says something else of the person.
    DataDiffer {
        /// What: `name`, `birth`.
        fields: Vec<&'static str>,
    },
    /// A demand of the profile refuses the card.
    NotGenuine,
}

/// Nobody could be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEntered;

/// There are none.
pub(crate) struct NoRegisters;

impl Registers for NoRegisters {
    fn profile_of(&self, _: &str) -> Option<&str> {
        None
    }

    fn enter(&self, _: &Arrival<'_>) -> Result<Admission, NotEntered> {
        Err(NotEntered)
    }
}
