//! The fields of a profile, each from the first of its sources that has it.

use std::collections::BTreeMap;

use cccd_document::{
    CitizenRecord, DataGroup1, DataGroup11, DataGroup12, DataGroup13, Evidence, Field, FileId,
    InsuranceRecord, Personal, Portrait, QrRecord, RecordSources, Sex, StatedDate, Validity,
};
use cccd_profiles::ConsumerProfile;
use cccd_profiles::consumer::{Datum, Source};
use time::Date;

use crate::Subject;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Picked {
    Text(Personal),
    Date(StatedDate),
    Expiry(Validity),
    Sex(Sex),
    Portrait(Portrait),
}

/// The fields that are there, and the source of each.
#[derive(Debug, Default)]
pub(crate) struct PickedFields(BTreeMap<Datum, (Picked, Source)>);

impl PickedFields {
    /// Takes what the profile names, and nothing else.
    pub(crate) fn of(profile: &ConsumerProfile, subject: &Subject<'_>) -> Self {
        let records = Records::of(subject.evidence, subject.local().date());
        let mut picked = BTreeMap::new();
        for (datum, sources) in &profile.fields {
            let found = sources.iter().find_map(|source| {
                let value = match source {
                    Source::Dg2 => subject.portrait.cloned().map(Picked::Portrait),
                    Source::Code => subject.code.and_then(|code| of_code(*datum, code)),
                    Source::Insurance => subject.insurance.and_then(|card| of_insurance(*datum, card)),
                    on_chip => records.of_source(*on_chip).and_then(|record| of_record(*datum, record)),
                };
                value.map(|value| (value, *source))
            });
            if let Some(found) = found {
                picked.insert(*datum, found);
            }
        }
        Self(picked)
    }

    pub(crate) fn get(&self, datum: Datum) -> Option<&Picked> {
        self.0.get(&datum).map(|(picked, _)| picked)
    }

    pub(crate) fn source(&self, datum: Datum) -> Option<Source> {
        self.0.get(&datum).map(|(_, source)| *source)
    }

    pub(crate) fn text(&self, datum: Datum) -> Option<&str> {
        match self.get(datum)? {
            Picked::Text(text) => Some(text.expose()),
            _ => None,
        }
    }

    pub(crate) fn date(&self, datum: Datum) -> Option<&StatedDate> {
        match self.get(datum)? {
            Picked::Date(date) => Some(date),
            _ => None,
        }
    }
}

/// What each group says by itself.
struct Records {
    dg1: Option<CitizenRecord>,
    dg11: Option<CitizenRecord>,
    dg12: Option<CitizenRecord>,
    dg13: Option<CitizenRecord>,
}

impl Records {
    fn of(evidence: &Evidence, today: Date) -> Self {
        let none = RecordSources::default();
        let dg1 = evidence.bytes(FileId::DG1).and_then(|bytes| DataGroup1::parse(bytes).ok());
        let dg11 = evidence.bytes(FileId::DG11).and_then(|bytes| DataGroup11::parse(bytes).ok());
        let dg12 = evidence.bytes(FileId::DG12).and_then(|bytes| DataGroup12::parse(bytes).ok());
        let dg13 = evidence.bytes(FileId::DG13).and_then(|bytes| DataGroup13::parse(bytes).ok());
        let alone = |sources| CitizenRecord::merge(sources, today);
        Self {
            dg1: dg1.as_ref().map(|dg1| alone(RecordSources { dg1: Some(dg1), ..none })),
            dg11: dg11.as_ref().map(|dg11| alone(RecordSources { dg11: Some(dg11), ..none })),
            dg12: dg12.as_ref().map(|dg12| alone(RecordSources { dg12: Some(dg12), ..none })),
            dg13: dg13.as_ref().map(|dg13| alone(RecordSources { dg13: Some(dg13), ..none })),
        }
    }

    fn of_source(&self, source: Source) -> Option<&CitizenRecord> {
        match source {
            Source::Dg1 => self.dg1.as_ref(),
            Source::Dg11 => self.dg11.as_ref(),
            Source::Dg12 => self.dg12.as_ref(),
            Source::Dg13 => self.dg13.as_ref(),
            Source::Dg2 | Source::Code | Source::Insurance => None,
        }
    }
}

/// What all groups that were read say together, for comparing with a code.
pub(crate) fn merged(evidence: &Evidence, today: Date) -> CitizenRecord {
    let dg1 = evidence.bytes(FileId::DG1).and_then(|bytes| DataGroup1::parse(bytes).ok());
    let dg13 = evidence.bytes(FileId::DG13).and_then(|bytes| DataGroup13::parse(bytes).ok());
    let sources = RecordSources { dg1: dg1.as_ref(), dg13: dg13.as_ref(), ..RecordSources::default() };
    CitizenRecord::merge(sources, today)
}

fn of_record(datum: Datum, record: &CitizenRecord) -> Option<Picked> {
    let text = |field: &Option<Field<Personal>>| {
        let value = &field.as_ref()?.value;
        (!value.expose().trim().is_empty()).then(|| Picked::Text(value.clone()))
    };
    let plain = |field: &Option<Field<String>>| Some(Picked::Text(field.as_ref()?.value.as_str().into()));
    let date = |field: &Option<Field<StatedDate>>| dated(&field.as_ref()?.value);
    match datum {
        Datum::Number => text(&record.personal_number),
        Datum::OldNumber => text(&record.old_number),
        Datum::Name => text(&record.full_name),
        Datum::Surname => text(&record.mrz_surname),
        Datum::GivenNames => text(&record.mrz_given_names),
        Datum::Birth => date(&record.birth),
        Datum::Sex => record.sex.as_ref().map(|field| Picked::Sex(field.value)),
        Datum::Nationality => text(&record.nationality),
        Datum::Ethnicity => text(&record.ethnicity),
        Datum::Religion => text(&record.religion),
        Datum::Origin => text(&record.origin),
        Datum::Residence => text(&record.residence),
        Datum::Features => text(&record.features),
        Datum::Issued => date(&record.issued),
        Datum::Expiry => record.expiry.as_ref().map(|field| Picked::Expiry(field.value.clone())),
        Datum::Father => text(&record.father),
        Datum::Mother => text(&record.mother),
        Datum::Parent => text(&record.unplaced_parent),
        Datum::Spouse => text(&record.spouse),
        Datum::DocumentNumber => text(&record.document_number),
        Datum::DocumentCode => plain(&record.document_code),
        Datum::IssuingState => plain(&record.issuing_state),
        Datum::Portrait
        | Datum::InsuranceNumber
        | Datum::InsuranceFacility
        | Datum::InsuranceFrom
        | Datum::InsuranceUntil => None,
    }
}

fn of_code(datum: Datum, code: &QrRecord) -> Option<Picked> {
    let text = |value: &Personal| (!value.expose().trim().is_empty()).then(|| Picked::Text(value.clone()));
    match datum {
        Datum::Number => text(&code.personal_number),
        Datum::OldNumber => text(code.old_number.as_ref()?),
        Datum::Name => text(&code.full_name),
        Datum::Birth => dated(&code.birth),
        Datum::Sex => code.sex.map(Picked::Sex),
        Datum::Residence => text(&code.residence),
        Datum::Issued => dated(&code.issued),
        _ => None,
    }
}

fn of_insurance(datum: Datum, card: &InsuranceRecord) -> Option<Picked> {
    match datum {
        Datum::InsuranceNumber => Some(Picked::Text(card.card_number.clone())),
        Datum::InsuranceFacility => card.facility_code.clone().map(Picked::Text),
        Datum::InsuranceFrom => dated(card.valid_from.as_ref()?),
        Datum::InsuranceUntil => dated(card.valid_to.as_ref()?),
        _ => None,
    }
}

/// A date, unless nothing is stated.
fn dated(date: &StatedDate) -> Option<Picked> {
    (!date.printed.expose().trim().is_empty()).then(|| Picked::Date(date.clone()))
}
