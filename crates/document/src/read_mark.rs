//! Whether a reading is a test's, as far as anybody knows.

/// What is known of where a reading comes from.
///
/// The mark is there so that a test reading cannot be passed off as a real one by accident or by whoever was handed it. It
/// is set where the reader itself is known to be software, or where the card's signer says that it is a simulation's. A
/// forger leaves both out: that the mark is missing promises nothing, and only the verdict says whether a card is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadMark {
    /// Nothing known says that it was simulated.
    #[default]
    Unmarked,
    /// Reader or card were a simulation's.
    Simulated,
}

impl ReadMark {
    /// The mark where this is so.
    pub fn simulated_if(is_so: bool) -> Self {
        if is_so { Self::Simulated } else { Self::Unmarked }
    }

    /// Whether it is there.
    pub fn is_simulated(self) -> bool {
        self == Self::Simulated
    }
}
