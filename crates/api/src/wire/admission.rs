//! The JSON twins of registers: who is to be entered where, and what is said to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use crate::registers::Admission;

/// The register of the settings that the holder is entered in when the reading is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegisterWish)]
pub(crate) struct RegisterWishJson {
    /// Its name.
    #[schema(example = "exam-2026", pattern = "^[a-z0-9-]{1,64}$", min_length = 1, max_length = 64)]
    pub(crate) name: String,
    /// The session, trip or day: each person is in once in each. Nothing about a person; empty where there are none.
    #[serde(default)]
    #[schema(example = "Ca 1", max_length = 64)]
    pub(crate) session: String,
}

/// What is said to whoever came.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Admission)]
pub(crate) struct AdmissionJson {
    /// The register.
    #[schema(example = "exam-2026")]
    register: String,
    /// The session.
    #[schema(example = "Ca 1")]
    session: String,
    /// What is the matter.
    code: AdmissionCodeJson,
    /// As which one of the session they came, counted from 1; null where they are not in.
    #[schema(minimum = 1, maximum = 4294967295_i64)]
    number: Option<u32>,
    /// The seat or candidate number of the roster; null where it has none.
    seat: Option<String>,
    /// Since when they are in, where they were before; null where they were not.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// The sessions they are expected in, where this is none of them.
    sessions: Vec<String>,
    /// In what card and roster differ.
    differ: Vec<DifferenceJson>,
}

/// What is the matter with whoever came.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AdmissionCode)]
pub(crate) enum AdmissionCodeJson {
    /// They are in now.
    Admitted,
    /// They were in before: the card is held to the door a second time, or somebody else's reading.
    AlreadyIn,
    /// Nobody of this number is expected.
    NotOnRoster,
    /// They are expected, in other sessions.
    WrongSession,
    /// The number is expected, and the roster says something else of the person.
    DataDiffer,
    /// A demand of the profile refuses the card: `disclosure.demands` says which.
    NotGenuine,
}

/// In what card and roster differ.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Difference)]
pub(crate) enum DifferenceJson {
    /// The name, diacritics and capitals aside.
    Name,
    /// The date of birth, as far as both have it.
    Birth,
}

impl AdmissionJson {
    pub(crate) fn new(register: &str, session: &str, admission: Admission) -> Self {
        let mut twin = Self {
            register: register.to_owned(),
            session: session.to_owned(),
            code: AdmissionCodeJson::NotGenuine,
            number: None,
            seat: None,
            since: None,
            sessions: Vec::new(),
            differ: Vec::new(),
        };
        match admission {
            Admission::Admitted { number, seat } => {
                twin.code = AdmissionCodeJson::Admitted;
                twin.number = Some(number);
                twin.seat = Some(seat).filter(|seat| !seat.is_empty());
            }
            Admission::AlreadyIn { number, since } => {
                twin.code = AdmissionCodeJson::AlreadyIn;
                twin.number = Some(number);
                twin.since = Some(rfc3339(since));
            }
            Admission::NotOnRoster => twin.code = AdmissionCodeJson::NotOnRoster,
            Admission::WrongSession { sessions } => {
                twin.code = AdmissionCodeJson::WrongSession;
                twin.sessions = sessions;
            }
            Admission::DataDiffer { fields } => {
                twin.code = AdmissionCodeJson::DataDiffer;
                let named = |field| match field {
                    "name" => Some(DifferenceJson::Name),
                    "birth" => Some(DifferenceJson::Birth),
                    _ => None,
                };
                twin.differ = fields.into_iter().filter_map(named).collect();
            }
            Admission::NotGenuine => {}
        }
        twin
    }
}
