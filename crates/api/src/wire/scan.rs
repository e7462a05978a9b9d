//! The JSON twin of a scanned code. Like the record's, it borrows what it tells.

use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use cccd_document::expiry::ExpiryCandidate;
use cccd_document::{
    InsuranceRecord, PartialDate, Personal, QrKind, QrNote, QrRecord, StatedDate, SurplusField,
};
use cccd_engine::Scan;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::pretty;
use super::record::{SexJson, Silent, exposed};
use super::rfc3339;

/// The codes of a picture, or the one that was typed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scans)]
pub(crate) struct ScansJson<'a> {
    /// At least one.
    pub(crate) codes: Vec<ScanJson<'a>>,
}

/// A scanned code. Nobody signed it: it says who someone claims to be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scan)]
pub(crate) struct ScanJson<'a> {
    /// Its name: `{"access": {"scan": ...}}` opens a chip with it until it is wiped.
    #[schema(example = "0d4f6a1b9c8e47d2a35b60718293a4b5", pattern = "^[0-9a-f]{32}$")]
    scan_id: String,
    /// The scanner; null for one that was posted.
    scanner_id: Option<String>,
    /// When it came.
    #[schema(format = DateTime)]
    received_at: String,
    /// The code's four corners in the picture, along its first row first, going round; null where there is no
    /// picture.
    #[schema(min_items = 4, max_items = 4)]
    corners: Option<[PointJson; 4]>,
    /// What it is the code of.
    kind: ScanKindJson,
    /// Always false.
    verified: bool,
    /// What an identity card's code says; null for another.
    citizen: Option<CitizenScanJson<'a>>,
    /// What a health insurance card's code says; null for another.
    insurance: Option<InsuranceScanJson<'a>>,
    /// The whole text. U+FFFD stands for what is no UTF-8.
    #[schema(value_type = String)]
    text: Silent<'a>,
    /// The bytes as they were scanned, in Base64.
    #[serde(serialize_with = "exposed_text")]
    #[schema(value_type = String)]
    raw_base64: Personal,
    /// What is odd about it.
    notes: Vec<ScanNoteJson>,
}

/// A point of a picture, in pixels from the centre of its first one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = Point)]
pub(crate) struct PointJson {
    /// To the right.
    #[schema(minimum = -16384, maximum = 32768)]
    x: f32,
    /// Downwards.
    #[schema(minimum = -16384, maximum = 32768)]
    y: f32,
}

/// What a code is of.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ScanKind)]
pub(crate) enum ScanKindJson {
    /// A Vietnamese identity card of 2021 or 2024, or VNeID where it shows the same.
    Citizen,
    /// A health insurance card.
    Insurance,
    /// Something else, which is handed back as text and not guessed at.
    Unknown,
}

/// What the code of an identity card says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CitizenScan)]
pub(crate) struct CitizenScanJson<'a> {
    /// The personal number, twelve digits.
    #[schema(value_type = String, example = "000090123456")]
    number: Silent<'a>,
    /// The number of an older card; null where there is none.
    #[schema(value_type = Option<String>)]
    old_number: Option<Silent<'a>>,
    /// The name.
    #[schema(value_type = String)]
    name: Silent<'a>,
    /// Date of birth.
    birth: ScanDateJson<'a>,
    /// Sex; null where the word is neither `Nam` nor `Nữ`.
    sex: Option<SexJson>,
    /// Residence.
    #[schema(value_type = String)]
    residence: Silent<'a>,
    /// Date of issue.
    issued: ScanDateJson<'a>,
    /// When the card expires by the law, which the code does not say: likeliest first, several where the date of
    /// issue is close to a boundary. Null stands for a card that never does.
    #[serde(serialize_with = "exposed_list")]
    #[schema(value_type = Vec<Option<String>>, example = json!(["2030-01-02"]))]
    expiry_candidates: Vec<Option<Personal>>,
    /// The fields after those above, which nobody has described.
    surplus: Vec<SurplusJson<'a>>,
}

/// What the code of a health insurance card says. Null where it says nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InsuranceScan)]
pub(crate) struct InsuranceScanJson<'a> {
    /// The number of the card.
    #[schema(value_type = String, example = "GD4790000000000")]
    card_number: Silent<'a>,
    /// The name.
    #[schema(value_type = String)]
    name: Silent<'a>,
    /// Date of birth.
    birth: ScanDateJson<'a>,
    /// Sex.
    sex: Option<SexJson>,
    /// Address.
    #[schema(value_type = Option<String>)]
    address: Option<Silent<'a>>,
    /// The facility of first registration, as it stands.
    #[schema(value_type = Option<String>, example = "01 - 001")]
    facility: Option<Silent<'a>>,
    /// The same as five characters.
    #[schema(value_type = Option<String>, example = "01001")]
    facility_code: Option<Silent<'a>>,
    /// The first day it is valid.
    valid_from: Option<ScanDateJson<'a>>,
    /// The last.
    valid_to: Option<ScanDateJson<'a>>,
    /// Date of issue.
    issued: Option<ScanDateJson<'a>>,
    /// The insurance office that manages it.
    #[schema(value_type = Option<String>)]
    managed_by: Option<Silent<'a>>,
    /// A parent, on a child's card.
    #[schema(value_type = Option<String>)]
    parent: Option<Silent<'a>>,
    /// The code of the area the holder lives in.
    #[schema(value_type = Option<String>, example = "K1")]
    area: Option<Silent<'a>>,
    /// From when on the holder has been insured for five years without a break.
    five_years: Option<ScanDateJson<'a>>,
    /// The fields after those above, which nobody has described.
    surplus: Vec<SurplusJson<'a>>,
}

/// A date, in both forms.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScanDate)]
pub(crate) struct ScanDateJson<'a> {
    /// ISO 8601, down to the part that is known; null where the text is no date.
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = Option<String>, example = "1990-01-02", pattern = "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
    iso: Option<Personal>,
    /// As the code has it.
    #[schema(value_type = String, example = "02011990")]
    printed: Silent<'a>,
}

/// A field nobody has described.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SurplusField)]
pub(crate) struct SurplusJson<'a> {
    /// Which it is of all fields, counted from one.
    #[schema(minimum = 1, maximum = 40)]
    position: usize,
    /// What stands there.
    #[schema(value_type = String)]
    text: Silent<'a>,
}

/// Something odd about a code. It tells no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ScanNote)]
pub(crate) enum ScanNoteJson {
    /// UTF-8 had been taken for a single-byte encoding; it was put right.
    EncodingRepaired,
    /// The bytes are not UTF-8: the text has gaps.
    NotUtf8,
    /// The scanner named the kind of symbol before the text; that was left out.
    SymbologyIdentifier,
    /// Name and address have no Vietnamese letter: a keyboard-type scanner loses them.
    NoDiacritics,
    /// Letters of name or address are gone: question marks or gaps stand in their place.
    LettersLost,
    /// Name or address has characters that none has: an encoding that was not put right.
    StrangeCharacters,
    /// The name has the keys of a Vietnamese input method in it instead of its letters.
    InputMethodKeys,
    /// Capitals and small letters have changed places: Caps Lock was on.
    CapsLock,
    /// Letters stand where digits belong: the scanner typed through a Vietnamese keyboard layout.
    KeyboardLayout,
    /// The date of birth is no date.
    BirthUnreadable,
    /// The date of issue is no whole date.
    IssueUnreadable,
    /// Issued before birth.
    IssuedBeforeBirth,
    /// The sex is neither of the two.
    SexUnreadable,
    /// The number of an older card is not nine digits.
    OldNumberUnusual,
    /// There are more fields than are described.
    MoreFields,
    /// Issued on or after 2024-07-01: perhaps a thẻ Căn cước. Nothing in the code itself tells.
    PerhapsCanCuoc,
    /// A text of an insurance card that should be hexadecimal is not.
    NotHexadecimal,
    /// A date of an insurance card is no date.
    InsuranceDateUnreadable,
    /// The facility of an insurance card is not five letters or digits.
    FacilityUnusual,
    /// Something newer than this description.
    Other,
}

#[expect(clippy::ptr_arg, reason = "what serde hands over")]
fn exposed_list<S: serde::Serializer>(
    dates: &Vec<Option<Personal>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(dates.iter().map(|date| date.as_ref().map(Personal::expose)))
}

fn exposed_text<S: serde::Serializer>(text: &Personal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.expose())
}

fn silent(text: Option<&Personal>) -> Option<Silent<'_>> {
    text.map(|text| Silent(text.expose()))
}

impl<'a> ScanJson<'a> {
    /// The twin of a scan, at its place in a picture where it is from one.
    pub(crate) fn new(scan: &'a Scan, corners: Option<[(f32, f32); 4]>) -> Self {
        let payload = &scan.payload;
        Self {
            scan_id: scan.id.to_string(),
            scanner_id: scan.scanner.as_ref().map(ToString::to_string),
            received_at: rfc3339(scan.received),
            corners: corners.map(|corners| corners.map(PointJson::from)),
            kind: payload.kind().into(),
            verified: false,
            citizen: payload.citizen().map(CitizenScanJson::from),
            insurance: payload.insurance().map(InsuranceScanJson::from),
            text: Silent(payload.text.expose()),
            raw_base64: Personal::new(Base64::encode_string(payload.raw.expose())),
            notes: payload.notes.iter().map(|note| (*note).into()).collect(),
        }
    }
}

/// Scans with their corners, as the API answers them: for programs that have the engine in their own process.
pub fn scans_json(scans: &[Arc<Scan>], corners: &[Option<[(f32, f32); 4]>]) -> Zeroizing<String> {
    let codes = scans.iter().zip(corners).map(|(scan, corners)| ScanJson::new(scan, *corners)).collect();
    pretty(&ScansJson { codes })
}

impl From<(f32, f32)> for PointJson {
    /// To a tenth of a pixel.
    fn from((x, y): (f32, f32)) -> Self {
        let tenth = |at: f32| if at.is_finite() { (at * 10.0).round() / 10.0 } else { 0.0 };
        Self { x: tenth(x), y: tenth(y) }
    }
}

impl From<QrKind> for ScanKindJson {
    fn from(kind: QrKind) -> Self {
        match kind {
            QrKind::Citizen => Self::Citizen,
            QrKind::Insurance => Self::Insurance,
            QrKind::Unknown => Self::Unknown,
        }
    }
}

impl<'a> From<&'a QrRecord> for CitizenScanJson<'a> {
    fn from(record: &'a QrRecord) -> Self {
        Self {
            number: Silent(record.personal_number.expose()),
            old_number: silent(record.old_number.as_ref()),
            name: Silent(record.full_name.expose()),
            birth: (&record.birth).into(),
            sex: record.sex.map(SexJson::from),
            residence: Silent(record.residence.expose()),
            issued: (&record.issued).into(),
            expiry_candidates: expiries(&record.expiry_candidates()),
            surplus: record.surplus.iter().map(SurplusJson::from).collect(),
        }
    }
}

/// Each date once: an MRZ has two spellings for a card that never expires.
fn expiries(candidates: &[ExpiryCandidate]) -> Vec<Option<Personal>> {
    let mut dates = Vec::new();
    for candidate in candidates {
        let date = candidate.date.and_then(|date| PartialDate::Day(date).to_iso());
        if !dates.contains(&date) {
            dates.push(date);
        }
    }
    dates
}

impl<'a> From<&'a InsuranceRecord> for InsuranceScanJson<'a> {
    fn from(record: &'a InsuranceRecord) -> Self {
        let date = |stated: &'a Option<StatedDate>| stated.as_ref().map(ScanDateJson::from);
        Self {
            card_number: Silent(record.card_number.expose()),
            name: Silent(record.full_name.expose()),
            birth: (&record.birth).into(),
            sex: record.sex.map(SexJson::from),
            address: silent(record.address.as_ref()),
            facility: silent(record.facility.as_ref()),
            facility_code: silent(record.facility_code.as_ref()),
            valid_from: date(&record.valid_from),
            valid_to: date(&record.valid_to),
            issued: date(&record.issued),
            managed_by: silent(record.managed_by.as_ref()),
            parent: silent(record.parent.as_ref()),
            area: silent(record.area.as_ref()),
            five_years: date(&record.five_years),
            surplus: record.surplus.iter().map(SurplusJson::from).collect(),
        }
    }
}

impl<'a> From<&'a StatedDate> for ScanDateJson<'a> {
    fn from(stated: &'a StatedDate) -> Self {
        Self { iso: stated.date.to_iso(), printed: Silent(stated.printed.expose()) }
    }
}

impl<'a> From<&'a SurplusField> for SurplusJson<'a> {
    fn from(field: &'a SurplusField) -> Self {
        Self { position: field.position, text: Silent(field.text.expose()) }
    }
}

impl From<QrNote> for ScanNoteJson {
    fn from(note: QrNote) -> Self {
        match note {
            QrNote::EncodingRepaired => Self::EncodingRepaired,
            QrNote::NotUtf8 => Self::NotUtf8,
            QrNote::SymbologyIdentifier => Self::SymbologyIdentifier,
            QrNote::NoDiacritics => Self::NoDiacritics,
            QrNote::LettersLost => Self::LettersLost,
            QrNote::StrangeCharacters => Self::StrangeCharacters,
            QrNote::InputMethodKeys => Self::InputMethodKeys,
            QrNote::CapsLock => Self::CapsLock,
            QrNote::KeyboardLayout => Self::KeyboardLayout,
            QrNote::BirthUnreadable => Self::BirthUnreadable,
            QrNote::IssueUnreadable => Self::IssueUnreadable,
            QrNote::IssuedBeforeBirth => Self::IssuedBeforeBirth,
            QrNote::SexUnreadable => Self::SexUnreadable,
            QrNote::OldNumberUnusual => Self::OldNumberUnusual,
            QrNote::MoreFields { .. } => Self::MoreFields,
            QrNote::PerhapsCanCuoc => Self::PerhapsCanCuoc,
            QrNote::NotHexadecimal => Self::NotHexadecimal,
            QrNote::InsuranceDateUnreadable => Self::InsuranceDateUnreadable,
            QrNote::FacilityUnusual => Self::FacilityUnusual,
            _ => Self::Other,
        }
    }
}
