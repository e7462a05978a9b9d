//! From what someone typed or scanned to the keys that may open the chip.
//!
//! The order is the one least likely to annoy a chip: the card access number first, because it needs
//! neither dates nor guesses, then at most three MRZ keys. Chips slow down after failures.

use crate::expiry::{mrz_date, no_expiry_candidates};
use crate::mrz::MrzFinding;
use crate::{
    AccessKey, Can, Mrz, MrzError, MrzFormat, MrzKey, NotAnAccessKey, PartialDate, Personal, QrContent,
    QrPayload, QrRecord,
};

/// More MRZ keys than this are not tried.
const MOST_MRZ_KEYS: usize = 3;

/// What a caller may have of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessInput {
    /// The lines of the MRZ, typed or scanned. Line breaks, spaces and small letters do not matter.
    MrzLines(Personal),
    /// Three fields of the MRZ. Dates as the MRZ writes them (`yyMMdd`), as ISO 8601 or as printed.
    Fields {
        /// The document number; of a Vietnamese card also the twelve digits of the personal number.
        document_number: Personal,
        /// Date of birth.
        birth: Personal,
        /// Date of expiry. Empty, or words such as `Không thời hạn`, for a card without.
        expiry: Personal,
    },
    /// The card access number: six digits.
    Can(Personal),
    /// The text of the QR code on the card.
    QrText(Personal),
    /// The twelve digits of a Vietnamese personal number.
    PersonalNumber(Personal),
}

/// The keys to try, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPlan {
    /// Never empty.
    pub keys: Vec<AccessKey>,
    /// What the QR code said, where the keys come from one: to be compared with what the chip says.
    pub scanned: Option<Box<QrRecord>>,
}

impl AccessPlan {
    /// The keys that follow from a scanned code.
    pub fn of_scan(payload: &QrPayload) -> Result<Self, AccessInputError> {
        match &payload.content {
            QrContent::Citizen(record) => Ok(Self { keys: of_qr(record)?, scanned: Some(record.clone()) }),
            QrContent::Insurance(_) => Err(AccessInputError::InsuranceQr),
            QrContent::Unknown => Err(AccessInputError::UnknownQr),
        }
    }
}

impl From<AccessKey> for AccessPlan {
    fn from(key: AccessKey) -> Self {
        Self { keys: vec![key], scanned: None }
    }
}

/// Why there is no key in what was given. The caller's move, always: look again, type again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessInputError {
    /// The lines are no MRZ.
    #[error(transparent)]
    NotAnMrz(#[from] MrzError),
    /// A check digit over the number or one of the dates is wrong: a character was misread or mistyped.
    #[error("the check digit over {0} is wrong")]
    Mistyped(MistypedField),
    /// A field is not what the MRZ can hold.
    #[error(transparent)]
    NotAKey(#[from] NotAnAccessKey),
    /// The date of birth is no date.
    #[error("the date of birth is no date")]
    Birth,
    /// The date of expiry is no date.
    #[error("the date of expiry is no date")]
    Expiry,
    /// A personal number is twelve digits.
    #[error("a personal number has twelve digits")]
    PersonalNumber,
    /// The scanned text is not that of a Vietnamese identity card.
    #[error("the scanned code is not that of an identity card")]
    UnknownQr,
    /// The scanned text is that of a health insurance card, which says nothing that opens a chip.
    #[error("the scanned code is that of an insurance card, which opens no chip")]
    InsuranceQr,
}

/// A field of the MRZ with a wrong check digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MistypedField {
    /// The document number.
    DocumentNumber,
    /// The date of birth.
    Birth,
    /// The date of expiry.
    Expiry,
}

impl std::fmt::Display for MistypedField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DocumentNumber => "the document number",
            Self::Birth => "the date of birth",
            Self::Expiry => "the date of expiry",
        })
    }
}

impl AccessInput {
    /// The keys to try.
    ///
    /// ```
    /// use cccd_document::access::AccessInput;
    /// use cccd_document::{Personal, PasswordKind};
    ///
    /// let text = "000090123456||Nguyễn Văn Mẫu|02011990|Nam|Số 1, Đường Mẫu, Tỉnh Mẫu|15032022";
    /// let plan = AccessInput::QrText(Personal::from(text)).plan()?;
    /// let kinds: Vec<_> = plan.keys.iter().map(|key| key.kind()).collect();
    /// assert_eq!(kinds, [PasswordKind::Can, PasswordKind::Mrz]);
    /// # Ok::<(), cccd_document::access::AccessInputError>(())
    /// ```
    pub fn plan(&self) -> Result<AccessPlan, AccessInputError> {
        let keys = match self {
            Self::MrzLines(lines) => of_mrz(&Mrz::from_typed(lines.expose())?)?,
            Self::Fields { document_number, birth, expiry } => {
                of_fields(document_number.expose().trim(), birth.expose().trim(), expiry.expose().trim())?
            }
            Self::Can(digits) => vec![AccessKey::Can(Can::new(digits.expose().trim())?)],
            Self::QrText(text) => return AccessPlan::of_scan(&QrPayload::parse(text.expose().as_bytes())),
            Self::PersonalNumber(number) => {
                let number = twelve_digits(number.expose().trim()).ok_or(AccessInputError::PersonalNumber)?;
                vec![AccessKey::Can(number.can()?)]
            }
        };
        Ok(AccessPlan { keys, scanned: None })
    }
}

/// The twelve digits of a Vietnamese personal number (cccd.md, sections 2 and 3).
#[derive(Clone, Copy)]
struct PersonalNumber<'a>(&'a str);

fn twelve_digits(text: &str) -> Option<PersonalNumber<'_>> {
    (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(PersonalNumber(text))
}

impl<'a> PersonalNumber<'a> {
    /// The card access number is the last six digits.
    fn can(self) -> Result<Can, NotAnAccessKey> {
        Can::new(self.last(6))
    }

    /// The document number in the MRZ is the last nine digits, not the first.
    fn document_number(self) -> &'a str {
        self.last(9)
    }

    fn last(self, count: usize) -> &'a str {
        self.0.get(self.0.len().saturating_sub(count)..).unwrap_or_default()
    }
}

fn of_mrz(mrz: &Mrz) -> Result<Vec<AccessKey>, AccessInputError> {
    for (finding, field) in [
        (MrzFinding::DocumentNumberCheck, MistypedField::DocumentNumber),
        (MrzFinding::BirthCheck, MistypedField::Birth),
        (MrzFinding::ExpiryCheck, MistypedField::Expiry),
    ] {
        if mrz.findings.contains(&finding) {
            return Err(AccessInputError::Mistyped(field));
        }
    }
    let mut keys = Vec::new();
    // Only Vietnam's card access number follows from its MRZ, and only if those digits were read rightly.
    let vietnamese = mrz.format == MrzFormat::Td1 && mrz.issuing_state == "VNM";
    if vietnamese
        && !mrz.findings.contains(&MrzFinding::PersonalNumberCheck)
        && let Some(number) = &mrz.personal_number
        && let Some(number) = twelve_digits(number.expose())
    {
        keys.push(AccessKey::Can(number.can()?));
    }
    keys.push(AccessKey::Mrz(mrz.key()?));
    Ok(keys)
}

fn of_qr(record: &QrRecord) -> Result<Vec<AccessKey>, AccessInputError> {
    let number = twelve_digits(record.personal_number.expose()).ok_or(AccessInputError::PersonalNumber)?;
    let mut keys = vec![AccessKey::Can(number.can()?)];
    // Without both dates there is no expiry, and still the card access number.
    let births = birth_spellings(record.birth.date);
    let expiries: Vec<Personal> =
        record.expiry_candidates().into_iter().map(|candidate| candidate.mrz).collect();
    keys.extend(mrz_keys(&[number.document_number()], &births, &expiries)?);
    Ok(keys)
}

fn of_fields(number: &str, birth: &str, expiry: &str) -> Result<Vec<AccessKey>, AccessInputError> {
    let number = zeroize::Zeroizing::new(number.to_ascii_uppercase());
    let births = match mrz_date_as_given(birth) {
        Some(six) => vec![six],
        None => match birth_spellings(as_given(birth).ok_or(AccessInputError::Birth)?) {
            none if none.is_empty() => return Err(AccessInputError::Birth),
            spellings => spellings,
        },
    };
    let expiries = match mrz_date_as_given(expiry) {
        Some(six) => vec![six],
        None => match as_given(expiry) {
            Some(PartialDate::Day(date)) => vec![mrz_date(date)],
            Some(_) => return Err(AccessInputError::Expiry),
            None if is_without_end(expiry) => {
                no_expiry_candidates().into_iter().map(|candidate| candidate.mrz).collect()
            }
            None => return Err(AccessInputError::Expiry),
        },
    };
    match twelve_digits(&number) {
        Some(vietnamese) => {
            let mut keys = vec![AccessKey::Can(vietnamese.can()?)];
            // Other states have numbers of twelve digits too (Belgium), carried whole.
            keys.extend(mrz_keys(&[vietnamese.document_number(), &number], &births, &expiries)?);
            Ok(keys)
        }
        None => Ok(mrz_keys(&[&number], &births, &expiries)?),
    }
}

/// Pairs every number with every birth and expiry, the likelier expiry first, and takes the first few.
fn mrz_keys(
    numbers: &[&str],
    births: &[Personal],
    expiries: &[Personal],
) -> Result<Vec<AccessKey>, NotAnAccessKey> {
    let mut keys = Vec::new();
    for number in numbers {
        for expiry in expiries {
            for birth in births {
                if keys.len() < MOST_MRZ_KEYS {
                    keys.push(AccessKey::Mrz(MrzKey::new(number, birth.expose(), expiry.expose())?));
                }
            }
        }
    }
    Ok(keys)
}

/// How an MRZ may spell a date of birth. Which form a card takes for an unknown day or month is not known
/// (cccd.md, section 6): fillers as ICAO 9303-3, 4.8, has it, zeros, or the first.
fn birth_spellings(birth: PartialDate) -> Vec<Personal> {
    let year = |year: i32| format!("{:02}", year.rem_euclid(100));
    match birth {
        PartialDate::Day(date) => vec![mrz_date(date)],
        PartialDate::Month(of, month) => ["<<", "00", "01"]
            .map(|day| Personal::new(format!("{}{:02}{day}", year(of), u8::from(month))))
            .to_vec(),
        PartialDate::Year(of) => {
            ["<<<<", "0000", "0101"].map(|rest| Personal::new(format!("{}{rest}", year(of)))).to_vec()
        }
        PartialDate::Unknown => vec![],
    }
}

/// Six digits or fillers.
fn mrz_date_as_given(text: &str) -> Option<Personal> {
    let six = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'<');
    six.then(|| Personal::from(text))
}

/// A date as callers write it: ISO 8601 or as printed.
pub(crate) fn as_given(text: &str) -> Option<PartialDate> {
    PartialDate::from_iso(text).or_else(|| PartialDate::from_printed(text))
}

/// Whether text in the place of an expiry says that there is none. `Không thời hạn` is what cards print.
pub(crate) fn is_without_end(text: &str) -> bool {
    let plain = crate::text::folded(text);
    plain.is_empty() || plain.starts_with("KHONG") || plain.starts_with("VO THOI HAN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &str = "IDVNM0901234562000090123456<<2\n9001022M3001020VNM<<<<<<<<<<<4\n\
                         NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";

    /// Each key as text: the card access number, or number, birth and expiry with their check digits.
    fn keys(input: AccessInput) -> Vec<String> {
        let plan = input.plan().unwrap();
        assert!(!plan.keys.is_empty());
        plan.keys
            .iter()
            .map(|key| match key {
                AccessKey::Can(can) => String::from_utf8(can.as_bytes().to_vec()).unwrap(),
                AccessKey::Mrz(mrz) => String::from_utf8(mrz.mrz_information().to_vec()).unwrap(),
            })
            .collect()
    }

    fn fields(number: &str, birth: &str, expiry: &str) -> AccessInput {
        AccessInput::Fields {
            document_number: Personal::from(number),
            birth: Personal::from(birth),
            expiry: Personal::from(expiry),
        }
    }

    fn qr(birth: &str, issued: &str) -> AccessInput {
        AccessInput::QrText(Personal::new(format!("000090123456||Nguyễn Văn Mẫu|{birth}|Nam|Số 1|{issued}")))
    }

    #[test]
    fn every_kind_of_input_opens_the_example() {
        let both = ["123456", "090123456290010223001020"];
        assert_eq!(keys(AccessInput::MrzLines(Personal::from(LINES))), both);
        assert_eq!(keys(qr("02011990", "15032022")), both);
        assert_eq!(keys(AccessInput::PersonalNumber(Personal::from("000090123456"))), ["123456"]);
        assert_eq!(keys(AccessInput::Can(Personal::from(" 123456 "))), ["123456"]);
        assert_eq!(keys(fields("090123456", "900102", "300102")), both[1..]);
        for (birth, expiry) in [("1990-01-02", "2030-01-02"), ("02/01/1990", "02/01/2030")] {
            // The twelve digits whole come last, for another state's numbers.
            assert_eq!(
                keys(fields("000090123456", birth, expiry)),
                [both[0], both[1], "000090123456290010223001020"]
            );
        }
    }

    #[test]
    fn boundaries_give_at_most_three_mrz_keys() {
        // 58 on the day of issue: none, sixty, fillers.
        let plan = keys(qr("15061964", "15062022"));
        let expiries: Vec<_> = plan[1..].iter().map(|key| &key[17..23]).collect();
        assert_eq!(expiries, ["991231", "240615", "<<<<<<"]);
        assert_eq!(keys(qr("15061999", "14062022")).len(), 3);
    }

    #[test]
    fn part_of_a_birth_gives_every_spelling() {
        let births =
            |input| -> Vec<String> { keys(input)[1..].iter().map(|key| key[10..16].to_owned()).collect() };
        assert_eq!(births(qr("1990", "15032022")), ["90<<<<", "900000", "900101"]);
        assert_eq!(births(qr("011990", "15032022")), ["9001<<", "900100", "900101"]);
        assert_eq!(keys(fields("090123456", "1990", "300102")).len(), 3);
    }

    #[test]
    fn without_a_date_of_issue_there_is_still_the_card_access_number() {
        assert_eq!(keys(qr("02011990", "")), ["123456"]);
        assert_eq!(keys(qr("", "15032022")), ["123456"]);
    }

    #[test]
    fn a_card_without_expiry_is_tried_with_both_spellings() {
        for expiry in ["", "Không thời hạn", "không thời hạn"] {
            let keys = keys(fields("090123456", "900102", expiry));
            assert_eq!(keys.iter().map(|key| &key[17..]).collect::<Vec<_>>(), ["9912315", "<<<<<<0"]);
        }
    }

    #[test]
    fn foreign_lines_give_no_card_access_number() {
        let lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                     L898902C36UTO7408122F1204159ZE184226B<<<<<10";
        assert_eq!(keys(AccessInput::MrzLines(Personal::from(lines))), ["L898902C3674081221204159"]);
    }

    #[test]
    fn what_cannot_be_a_key_says_why() {
        let error = |input: AccessInput| input.plan().unwrap_err();
        for (from, to, field) in [
            ("0901234562", "0901234563", MistypedField::DocumentNumber),
            ("9001022", "9001032", MistypedField::Birth),
            ("3001020", "3001021", MistypedField::Expiry),
        ] {
            let lines = Personal::new(LINES.replacen(from, to, 1));
            assert_eq!(error(AccessInput::MrzLines(lines)), AccessInputError::Mistyped(field));
        }
        assert_eq!(
            error(AccessInput::MrzLines(Personal::from("IDVNM"))),
            AccessInputError::NotAnMrz(MrzError::Length { had: 5 })
        );
        assert_eq!(
            error(AccessInput::Can(Personal::from("12345"))),
            AccessInputError::NotAKey(NotAnAccessKey::Can)
        );
        assert_eq!(
            error(fields("Đ1", "900102", "300102")),
            AccessInputError::NotAKey(NotAnAccessKey::DocumentNumber)
        );
        assert_eq!(error(fields("1", "31/04/1990", "300102")), AccessInputError::Birth);
        assert_eq!(error(fields("1", "", "300102")), AccessInputError::Birth);
        assert_eq!(error(fields("1", "900102", "2030")), AccessInputError::Expiry);
        assert_eq!(error(fields("1", "900102", "mai")), AccessInputError::Expiry);
        assert_eq!(
            error(AccessInput::PersonalNumber(Personal::from("123456789"))),
            AccessInputError::PersonalNumber
        );
        assert_eq!(error(AccessInput::QrText(Personal::from("https://x"))), AccessInputError::UnknownQr);
        let insurance = Personal::from("GD4790000000000|4E677579|1990|1|4E");
        assert_eq!(error(AccessInput::QrText(insurance)), AccessInputError::InsuranceQr);
    }

    #[test]
    fn a_misread_personal_number_costs_only_its_key() {
        let lines = Personal::new(LINES.replacen("000090123456<<2", "000090123457<<2", 1));
        assert_eq!(keys(AccessInput::MrzLines(lines)), ["090123456290010223001020"]);
    }

    #[test]
    fn debug_tells_no_key() {
        let input = qr("02011990", "15032022");
        let shown = format!("{input:?} {:?}", input.plan().unwrap());
        assert!(!shown.contains("123456") && !shown.contains("900102"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_panics(a in ".{0,30}", b in "[0-9/<-]{0,10}", c in "[0-9/<-]{0,10}") {
            for input in [
                fields(&a, &b, &c),
                fields("000090123456", &b, &c),
                qr(&b, &c),
                AccessInput::MrzLines(Personal::from(a.as_str())),
                AccessInput::Can(Personal::from(b.as_str())),
                AccessInput::PersonalNumber(Personal::from(a.as_str())),
            ] {
                if let Ok(plan) = input.plan() {
                    prop_assert!((1..=1 + MOST_MRZ_KEYS).contains(&plan.keys.len()));
                }
            }
        }
    }
}
