//! A profile applied to a reading.

use cccd_profiles::ConsumerProfile;
use cccd_profiles::consumer::{Demand, Otherwise};

use crate::picked::PickedFields;
use crate::render::Renderer;
use crate::{PseudonymKey, Shaped, Subject, demand};

/// What a consumer gets of a reading.
#[derive(Debug)]
pub struct Disclosure {
    /// Under which profile.
    pub profile: String,
    /// The targets of the settings that get it, too.
    pub deliver: Vec<String>,
    /// What the profile demands, and whether it is met.
    pub demands: Vec<DemandOutcome>,
    /// The consumer's object; `None` where a demand is not met that refuses it.
    pub output: Option<Shaped>,
}

/// Whether one demand is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandOutcome {
    /// Which.
    pub demand: Demand,
    /// Whether it is.
    pub met: bool,
    /// What happens where it is not.
    pub otherwise: Otherwise,
}

/// Why a profile cannot be applied. It is the operator's move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscloseError {
    /// The profile makes pseudonyms, and the key of them is not at hand.
    #[error("the profile makes pseudonyms, and its key is not at hand")]
    NoPseudonymKey,
}

impl Disclosure {
    /// The demands that are not met and of which this is to come.
    pub fn unmet(&self, otherwise: Otherwise) -> impl Iterator<Item = Demand> {
        self.demands
            .iter()
            .filter(move |outcome| !outcome.met && outcome.otherwise == otherwise)
            .map(|outcome| outcome.demand)
    }
}

/// Applies `profile` to a reading; `key` is that of its pseudonyms, where it makes any.
pub fn disclose(
    profile: &ConsumerProfile,
    subject: &Subject<'_>,
    key: Option<&PseudonymKey>,
) -> Result<Disclosure, DiscloseError> {
    if profile.token.is_some() && key.is_none() {
        return Err(DiscloseError::NoPseudonymKey);
    }
    let fields = PickedFields::of(profile, subject);
    let demands: Vec<_> = profile
        .checks
        .iter()
        .map(|(demand, otherwise)| DemandOutcome {
            demand: *demand,
            met: demand::is_met(*demand, profile, subject, &fields, key),
            otherwise: *otherwise,
        })
        .collect();
    let refused = demands.iter().any(|outcome| !outcome.met && outcome.otherwise == Otherwise::Refuse);
    let output = (!refused).then(|| Renderer { profile, subject, fields: &fields, key }.body());
    Ok(Disclosure { profile: profile.name.clone(), deliver: profile.deliver.clone(), demands, output })
}

#[cfg(test)]
mod tests;
