//! A profile together with what it takes to apply it.

use cccd_profiles::ConsumerProfile;

use crate::{DiscloseError, Disclosure, PseudonymKey, Subject, disclose};

/// A profile that can be applied.
#[derive(Debug, Clone)]
pub struct ReadyProfile {
    /// The profile.
    pub profile: ConsumerProfile,
    /// The key of its pseudonyms, where it makes any and the key is at hand.
    pub key: Option<PseudonymKey>,
}

impl ReadyProfile {
    /// Whether something of it is missing, so that it can give nothing.
    pub fn lacks_key(&self) -> bool {
        self.profile.token.is_some() && self.key.is_none()
    }

    /// What the consumer gets of a reading.
    pub fn disclose(&self, subject: &Subject<'_>) -> Result<Disclosure, DiscloseError> {
        disclose(&self.profile, subject, self.key.as_ref())
    }
}
