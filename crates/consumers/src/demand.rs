//! Whether a reading meets what a profile demands.

use cccd_document::text::folded;
use cccd_document::{InsuranceRecord, PartialDate, Validity};
use cccd_profiles::ConsumerProfile;
use cccd_profiles::consumer::{Datum, Demand};
use cccd_trust::{CheckName, CheckState, Summary, Verdict};
use time::Date;

use crate::picked::{Picked, PickedFields, merged};
use crate::{PseudonymKey, Subject};

/// Whether `demand` is met.
pub(crate) fn is_met(
    demand: Demand,
    profile: &ConsumerProfile,
    subject: &Subject<'_>,
    fields: &PickedFields,
    key: Option<&PseudonymKey>,
) -> bool {
    let today = subject.local().date();
    match demand {
        Demand::Genuine => subject.verdict.summary() == Summary::Genuine,
        Demand::NothingFailed => subject.verdict.summary() != Summary::NotGenuine,
        Demand::ChipProven => is_chip_proven(subject.verdict),
        Demand::InForce => is_in_force(fields, today),
        Demand::CodeAgrees => {
            subject.code.is_none_or(|code| merged(subject.evidence, today).compare_scan(code))
        }
        Demand::NotDenied => is_not_denied(profile, fields, key),
        Demand::Complete => profile.required.iter().all(|datum| is_there(fields, *datum)),
        Demand::InsuranceAgrees => subject.insurance.is_none_or(|card| is_same_person(fields, card)),
    }
}

/// Nobody passes of whom it cannot be said.
fn is_not_denied(profile: &ConsumerProfile, fields: &PickedFields, key: Option<&PseudonymKey>) -> bool {
    let Some((rule, key)) = profile.token.as_ref().zip(key) else { return false };
    fields.text(Datum::Number).is_some_and(|number| !key.denies(&rule.context, number))
}

/// A proof counts where what it was made with is signed for.
fn is_chip_proven(verdict: &Verdict) -> bool {
    let passed = |name| verdict.check(name).is_some_and(|check| check.state == CheckState::Passed);
    let signed =
        [CheckName::SecurityObject, CheckName::GroupHashes, CheckName::Signature].into_iter().all(passed);
    let proofs = [
        CheckName::ActiveAuthentication,
        CheckName::ChipAuthentication,
        CheckName::ChipAuthenticationMapping,
    ];
    signed && proofs.into_iter().any(passed)
}

fn is_in_force(fields: &PickedFields, today: Date) -> bool {
    match fields.get(Datum::Expiry) {
        Some(Picked::Expiry(Validity::WithoutEnd(_))) => true,
        Some(Picked::Expiry(Validity::Until(stated))) => match stated.date {
            PartialDate::Day(day) => today <= day,
            PartialDate::Month(year, month) => {
                (today.year(), u8::from(today.month())) <= (year, u8::from(month))
            }
            PartialDate::Year(year) => today.year() <= year,
            PartialDate::Unknown => false,
        },
        _ => false,
    }
}

/// A date that says nothing is none.
fn is_there(fields: &PickedFields, datum: Datum) -> bool {
    match fields.get(datum) {
        None => false,
        Some(Picked::Date(date)) => date.date != PartialDate::Unknown,
        Some(_) => true,
    }
}

/// Name and date of birth, as far as both tell them.
fn is_same_person(fields: &PickedFields, card: &InsuranceRecord) -> bool {
    let name = fields.text(Datum::Name);
    let birth = fields.date(Datum::Birth);
    name.is_some_and(|name| *folded(name) == *folded(card.full_name.expose()))
        && birth.is_some_and(|birth| !birth.date.contradicts(card.birth.date))
}
