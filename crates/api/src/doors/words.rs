//! What of a reading the caller of a door may have, as words and files.

use cccd_card::{FilesGiven, SecretBytes};
use cccd_document::{
    CitizenRecord, EfSod, Field, FieldSet, FileId, FileOutcome, Personal, RecordField, Sex, StatedDate,
    Validity,
};
use cccd_engine::Reading;
use cccd_hn212::write;
use cccd_profiles::Scope;
use cccd_trust::{CheckName, CheckState};

use crate::callers::Caller;

/// A record's fields, as far as they may be had; the others are empty.
pub(super) struct Words<'a> {
    record: &'a CitizenRecord,
    fields: FieldSet,
}

impl<'a> Words<'a> {
    pub(super) fn of(reading: &'a Reading, caller: &Caller) -> Self {
        Self { record: &reading.record, fields: reading.fields.intersection(caller.fields()) }
    }

    fn text(&self, field: RecordField, of: Option<&'a Field<Personal>>) -> &'a str {
        of.filter(|_| self.fields.contains(field)).map_or("", |of| of.value.expose())
    }

    fn date(&self, field: RecordField, of: Option<&'a Field<StatedDate>>) -> &'a str {
        of.filter(|_| self.fields.contains(field)).map_or("", |of| of.value.printed.expose())
    }

    pub(super) fn number(&self) -> &'a str {
        self.text(RecordField::Number, self.record.personal_number.as_ref())
    }

    pub(super) fn old_number(&self) -> &'a str {
        self.text(RecordField::OldNumber, self.record.old_number.as_ref())
    }

    pub(super) fn name(&self) -> &'a str {
        self.text(RecordField::Name, self.record.full_name.as_ref())
    }

    pub(super) fn birth(&self) -> &'a str {
        self.date(RecordField::Birth, self.record.birth.as_ref())
    }

    /// In the words that cards have.
    pub(super) fn sex(&self) -> &'static str {
        let sex = self.record.sex.as_ref().filter(|_| self.fields.contains(RecordField::Sex));
        match sex.map(|sex| &sex.value) {
            Some(Sex::Male) => "Nam",
            Some(Sex::Female) => "Nữ",
            _ => "",
        }
    }

    pub(super) fn nationality(&self) -> &'a str {
        self.text(RecordField::Nationality, self.record.nationality.as_ref())
    }

    pub(super) fn ethnicity(&self) -> &'a str {
        self.text(RecordField::Ethnicity, self.record.ethnicity.as_ref())
    }

    pub(super) fn religion(&self) -> &'a str {
        self.text(RecordField::Religion, self.record.religion.as_ref())
    }

    pub(super) fn origin(&self) -> &'a str {
        self.text(RecordField::Origin, self.record.origin.as_ref())
    }

    pub(super) fn residence(&self) -> &'a str {
        self.text(RecordField::Residence, self.record.residence.as_ref())
    }

    pub(super) fn features(&self) -> &'a str {
        self.text(RecordField::Features, self.record.features.as_ref())
    }

    pub(super) fn issued(&self) -> &'a str {
        self.date(RecordField::Issued, self.record.issued.as_ref())
    }

    pub(super) fn expiry(&self) -> &'a str {
        let expiry = self.record.expiry.as_ref().filter(|_| self.fields.contains(RecordField::Expiry));
        match expiry.map(|expiry| &expiry.value) {
            Some(Validity::Until(date)) => date.printed.expose(),
            Some(Validity::WithoutEnd(words)) => words.expose(),
            None => "",
        }
    }

    pub(super) fn father(&self) -> &'a str {
        self.text(RecordField::Father, self.record.father.as_ref())
    }

    pub(super) fn mother(&self) -> &'a str {
        self.text(RecordField::Mother, self.record.mother.as_ref())
    }

    pub(super) fn spouse(&self) -> &'a str {
        self.text(RecordField::Spouse, self.record.spouse.as_ref())
    }
}

/// The face, where it may be had.
pub(super) fn picture<'a>(reading: &'a Reading, caller: &Caller) -> Option<&'a [u8]> {
    let portrait = reading.portrait.as_ref().filter(|_| caller.scopes.contains(Scope::Photo))?;
    Some(portrait.bytes.expose())
}

/// The groups whose hashes such a reader tells.
const HASHED: [u8; 5] = [1, 2, 13, 14, 15];

/// What passive authentication rests on, under the same right as EF.SOD itself: it is all in that file.
pub(super) fn hashes(reading: &Reading, caller: &Caller) -> Option<write::Written> {
    if !caller.scopes.contains(Scope::Evidence) {
        return None;
    }
    let bytes = reading.evidence.bytes(FileId::EfSod)?;
    let sod = EfSod::parse(bytes).ok()?;
    let signed = sod.security_object.hashes.iter();
    let told = signed.filter(|(group, _)| HASHED.contains(&group.get()));
    let chip = reading.verdict.check(CheckName::ChipAuthentication).and_then(|check| match check.state {
        CheckState::Passed => Some(true),
        CheckState::Failed(_) => Some(false),
        _ => None,
    });
    let hashes = write::Hashes {
        groups: told.map(|(group, hash)| (group.get(), hash.as_slice())).collect(),
        certificate: sod.message.certificates.first().map(Vec::as_slice).unwrap_or_default(),
        sod: bytes,
    };
    Some(write::hashes(chip, &hashes))
}

/// The files that may be had. What is signed and tells nothing takes `evidence`; DG2 takes `photo` too, and whoever may not
/// have the whole record may not have the files it stands in.
pub(super) fn files(reading: &Reading, caller: &Caller) -> FilesGiven {
    if !caller.scopes.contains(Scope::Evidence) {
        return FilesGiven::new();
    }
    let whole = caller.fields() == FieldSet::ALL;
    let may_have = |file: FileId| match file {
        FileId::EfSod | FileId::DG14 | FileId::DG15 => true,
        FileId::DG2 => caller.scopes.contains(Scope::Photo),
        FileId::DG1 | FileId::DG13 => whole,
        _ => false,
    };
    let given = reading.evidence.files.iter().filter_map(|(file, outcome)| match outcome {
        FileOutcome::Read(bytes) if may_have(*file) => Some((file.fid(), SecretBytes::clone(bytes))),
        _ => None,
    });
    given.collect()
}
