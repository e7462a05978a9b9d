//! The JSON twin of what a consumer gets.

use cccd_consumers::{DemandOutcome, Disclosure, Shaped};
use cccd_profiles::consumer::{Demand, Otherwise};
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::pretty;

/// What a consumer gets of a reading, by its profile.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Disclosure)]
pub(crate) struct DisclosureJson<'a> {
    /// The profile.
    #[schema(example = "clinic")]
    profile: &'a str,
    /// What the profile demands, and whether it is met.
    demands: Vec<DemandJson>,
    /// The consumer's object, with the names and formats of the profile; null where a demand is not met that
    /// refuses it.
    #[schema(value_type = Option<Object>)]
    output: Option<&'a Shaped>,
}

/// Whether a demand is met.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Demand)]
pub(crate) struct DemandJson {
    /// Which.
    demand: DemandNameJson,
    /// Whether it is.
    met: bool,
    /// What happens where it is not.
    otherwise: OtherwiseJson,
}

/// Something a profile may demand of a reading.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = DemandName)]
pub(crate) enum DemandNameJson {
    /// The verdict is `genuine`.
    Genuine,
    /// The verdict is not `not_genuine`.
    NothingFailed,
    /// The chip has proved to be no copy.
    ChipProven,
    /// The document has not expired.
    InForce,
    /// The QR code that opened the chip says the same as the chip, or none did.
    CodeAgrees,
    /// The holder's pseudonym is not on the profile's deny list.
    NotDenied,
    /// Every field the profile requires is there.
    Complete,
    /// The health insurance card scanned beside is that of the same person, or none was.
    InsuranceAgrees,
}

/// What happens where a demand is not met.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Otherwise)]
pub(crate) enum OtherwiseJson {
    /// It stands here, and nothing else happens.
    Record,
    /// Whoever stands at the desk should be told.
    Warn,
    /// There is no output.
    Refuse,
}

impl<'a> From<&'a Disclosure> for DisclosureJson<'a> {
    fn from(disclosure: &'a Disclosure) -> Self {
        Self {
            profile: &disclosure.profile,
            demands: disclosure.demands.iter().map(DemandJson::from).collect(),
            output: disclosure.output.as_ref(),
        }
    }
}

impl From<&DemandOutcome> for DemandJson {
    fn from(outcome: &DemandOutcome) -> Self {
        Self {
            demand: match outcome.demand {
                Demand::Genuine => DemandNameJson::Genuine,
                Demand::NothingFailed => DemandNameJson::NothingFailed,
                Demand::ChipProven => DemandNameJson::ChipProven,
                Demand::InForce => DemandNameJson::InForce,
                Demand::CodeAgrees => DemandNameJson::CodeAgrees,
                Demand::NotDenied => DemandNameJson::NotDenied,
                Demand::Complete => DemandNameJson::Complete,
                Demand::InsuranceAgrees => DemandNameJson::InsuranceAgrees,
            },
            met: outcome.met,
            otherwise: match outcome.otherwise {
                Otherwise::Record => OtherwiseJson::Record,
                Otherwise::Warn => OtherwiseJson::Warn,
                Otherwise::Refuse => OtherwiseJson::Refuse,
            },
        }
    }
}

/// What a consumer gets, as the API answers it: for programs that have it in their own process.
pub fn disclosure_json(disclosure: &Disclosure) -> Zeroizing<String> {
    pretty(&DisclosureJson::from(disclosure))
}
