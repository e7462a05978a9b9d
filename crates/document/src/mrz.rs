//! The machine-readable zone (ICAO 9303-3 to 9303-7).
//!
//! [`Mrz`] reads the five layouts: TD1, TD2, TD3 and the two visas. A check digit that does not fit is a
//! [`MrzFinding`], not a refusal: documents with wrong ones are in circulation, and who reads one decides.

use time::Date;

use crate::{MrzKey, NotAnAccessKey, PartialDate, Personal};

mod field;
mod layout;

pub use field::{Completeness, MrzDate, MrzName, Sex, check_digit};
pub use layout::MrzFormat;

use field::{CheckDigit, is_mrz_character};
use layout::Fields;

/// A machine-readable zone, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mrz {
    /// Which layout it has.
    pub format: MrzFormat,
    /// What kind of document it is, without fillers: `P`, `I`, `ID`, `V`.
    pub document_code: String,
    /// The issuing state or organization, without fillers: `VNM`, `D`.
    pub issuing_state: String,
    /// The document number, without fillers at its end; whole also where it continues in the optional data.
    pub document_number: Personal,
    /// The national number of the person: Vietnam's twelve digits in TD1, the personal number of TD3.
    pub personal_number: Option<Personal>,
    /// The optional data without fillers at its ends; in TD1 that of the upper line.
    pub optional_data: Personal,
    /// The optional data of the middle line of TD1.
    pub optional_data_2: Personal,
    /// Date of birth.
    pub birth: MrzDate,
    /// Sex.
    pub sex: Sex,
    /// Date of expiry. See [`Mrz::has_no_expiry`].
    pub expiry: MrzDate,
    /// Nationality, without fillers.
    pub nationality: Personal,
    /// The holder's name.
    pub name: MrzName,
    /// What does not fit.
    pub findings: Vec<MrzFinding>,
    /// The lines, one after the other, as they came.
    pub text: Personal,
}

/// Something in an MRZ that does not fit. Alone it proves neither forgery nor a fault of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MrzFinding {
    /// The check digit over the document number is wrong.
    DocumentNumberCheck,
    /// The check digit over the date of birth is wrong.
    BirthCheck,
    /// The check digit over the date of expiry is wrong.
    ExpiryCheck,
    /// The check digit over the personal number is wrong.
    PersonalNumberCheck,
    /// The composite check digit is wrong.
    CompositeCheck,
    /// The date of birth is no date.
    BirthImpossible,
    /// The date of expiry is no date.
    ExpiryImpossible,
    /// The sex is none of `F`, `M`, `X`, `<`.
    SexImpossible,
}

/// Why something is no MRZ at all. Whoever typed or scanned it may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MrzError {
    /// No layout has so many characters.
    #[error("an MRZ has 90, 72 or 88 characters, not {had}")]
    Length {
        /// How many there are.
        had: usize,
    },
    /// A character that no MRZ has.
    #[error("character {at} is none of A-Z, 0-9 and the filler")]
    Character {
        /// Which one, from 0.
        at: usize,
    },
}

impl Mrz {
    /// Reads the bytes of DG1: the lines one after the other, and nothing else.
    pub fn from_chip(bytes: &[u8]) -> Result<Self, MrzError> {
        match bytes.iter().position(|&byte| !is_mrz_character(byte)) {
            Some(at) => Err(MrzError::Character { at }),
            None => Self::read(&bytes.iter().copied().map(char::from).collect::<String>()),
        }
    }

    /// Reads what a person typed or a scanner sent: line breaks and spaces count for nothing, small letters
    /// are taken for capitals. The lines must be whole: fillers at their ends are part of the layout.
    pub fn from_typed(text: &str) -> Result<Self, MrzError> {
        // More than this is no MRZ, however it is spaced.
        if text.len() > 512 {
            return Err(MrzError::Length { had: text.len() });
        }
        let mut folded = zeroize::Zeroizing::new(String::with_capacity(text.len()));
        folded
            .extend(text.chars().filter(|each| !each.is_whitespace()).map(|each| each.to_ascii_uppercase()));
        match folded.chars().position(|each| !u8::try_from(each).is_ok_and(is_mrz_character)) {
            Some(at) => Err(MrzError::Character { at }),
            None => Self::read(&folded),
        }
    }

    fn read(text: &str) -> Result<Self, MrzError> {
        let format = MrzFormat::of(text).ok_or(MrzError::Length { had: text.len() })?;
        let fields = Fields::cut(format, text);
        let mut findings = Vec::new();
        let mut check = |digit: &CheckDigit<'_>, finding| {
            if !digit.fits() {
                findings.push(finding);
            }
        };

        let number = long_number(&fields);
        check(
            &number.as_ref().map_or(
                CheckDigit { field: fields.number, digit: fields.number_check },
                |long| CheckDigit { field: &long.number, digit: long.check },
            ),
            MrzFinding::DocumentNumberCheck,
        );
        check(&CheckDigit { field: fields.birth, digit: fields.birth_check }, MrzFinding::BirthCheck);
        check(&CheckDigit { field: fields.expiry, digit: fields.expiry_check }, MrzFinding::ExpiryCheck);
        let personal_number = personal_number(&fields);
        if let Some((_, digit)) = &personal_number {
            check(digit, MrzFinding::PersonalNumberCheck);
        }
        if let Some((composite, digit)) = &fields.composite {
            check(&CheckDigit { field: composite, digit }, MrzFinding::CompositeCheck);
        }

        let birth = MrzDate::new(fields.birth);
        let expiry = MrzDate::new(fields.expiry);
        let sex = Sex::from_mrz(fields.sex);
        if birth.is_impossible() {
            findings.push(MrzFinding::BirthImpossible);
        }
        if expiry.is_impossible() {
            findings.push(MrzFinding::ExpiryImpossible);
        }
        if sex.is_none() {
            findings.push(MrzFinding::SexImpossible);
        }

        Ok(Self {
            format,
            document_code: fields.document_code.trim_end_matches('<').to_owned(),
            issuing_state: fields.issuing_state.trim_end_matches('<').to_owned(),
            document_number: Personal::from(
                number.as_ref().map_or(fields.number, |long| &long.number).trim_end_matches('<'),
            ),
            personal_number: personal_number.map(|(number, _)| number).filter(|number| !number.is_empty()),
            optional_data: Personal::from(
                number.as_ref().map_or(fields.optional, |long| long.rest).trim_matches('<'),
            ),
            optional_data_2: Personal::from(fields.optional_2.trim_matches('<')),
            birth,
            sex: sex.unwrap_or(Sex::Unspecified),
            expiry,
            nationality: Personal::from(fields.nationality.trim_end_matches('<')),
            name: MrzName::new(fields.name),
            findings,
            text: Personal::from(text),
        })
    }

    /// The three fields that open the chip (ICAO 9303-11, 9.7.2).
    pub fn key(&self) -> Result<MrzKey, NotAnAccessKey> {
        MrzKey::new(self.document_number.expose(), self.birth.as_str(), self.expiry.as_str())
    }

    /// Whether a check digit is wrong over one of the fields that open the chip: then they will not open it.
    pub fn key_is_mistyped(&self) -> bool {
        self.findings.iter().any(|finding| {
            matches!(
                finding,
                MrzFinding::DocumentNumberCheck | MrzFinding::BirthCheck | MrzFinding::ExpiryCheck
            )
        })
    }

    /// Whether the document is valid for ever: the date is fillers, or the last day two digits can name,
    /// as Vietnam writes it.
    pub fn has_no_expiry(&self) -> bool {
        matches!(self.expiry.as_str(), "<<<<<<" | "991231")
    }

    /// The date of birth with its century: the latest that does not lie after `reference`, a day on which
    /// the person was alive. Whoever is older than a hundred comes out too young.
    pub fn birth_on(&self, reference: Date) -> PartialDate {
        self.birth.not_after(reference)
    }

    /// The date of expiry with its century: the one less than fifty years after `reference`.
    /// [`PartialDate::Unknown`] where there is none.
    pub fn expiry_on(&self, reference: Date) -> PartialDate {
        if self.has_no_expiry() { PartialDate::Unknown } else { self.expiry.near(reference) }
    }
}

/// A document number longer than its field.
struct LongNumber<'a> {
    number: String,
    check: &'a str,
    rest: &'a str,
}

/// Where the check digit of the number is a filler, TD1 and TD2 continue the number in the optional data, up
/// to a filler; the last character before it is the check digit (ICAO 9303-5, 4.2.2; 9303-6, 4.2.2).
fn long_number<'a>(fields: &Fields<'a>) -> Option<LongNumber<'a>> {
    if !fields.format.continues_long_numbers() || fields.number_check != "<" || fields.number.ends_with('<') {
        return None;
    }
    let (continued, rest) = fields.optional.split_once('<').unwrap_or((fields.optional, ""));
    let (tail, check) = continued.split_at_checked(continued.len().checked_sub(1)?)?;
    (!tail.is_empty()).then(|| LongNumber { number: [fields.number, tail].concat(), check, rest })
}

/// The personal number and its check digit, where the layout or the country has one.
fn personal_number<'a>(fields: &Fields<'a>) -> Option<(Personal, CheckDigit<'a>)> {
    match fields.format {
        // ICAO 9303-4, 4.2.2: at the discretion of the issuing state, with a check digit of its own.
        MrzFormat::Td3 => {
            let number = fields.optional.trim_end_matches('<');
            let check = CheckDigit { field: fields.optional, digit: fields.optional_check };
            // An empty field may have a filler or a zero for a check digit, and still that one is checked.
            Some((Personal::from(number), check))
        }
        // The Vietnamese card: twelve digits, two fillers, and a check digit over the twelve.
        MrzFormat::Td1 if fields.issuing_state == "VNM" => {
            let (digits, rest) = fields.optional.split_at_checked(12)?;
            let check =
                rest.strip_prefix("<<").filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            Some((Personal::from(digits), CheckDigit { field: digits, digit: check }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    const VIETNAMESE: &str = "IDVNM0901234562000090123456<<2\n\
                              9001022M3001020VNM<<<<<<<<<<<4\n\
                              NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
    // ICAO 9303-4, Appendix B.
    const TD3: &str = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                       L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    // ICAO 9303-5, Appendix B.
    const TD1: &str = "I<UTOD231458907<<<<<<<<<<<<<<<\n\
                       7408122F1204159UTO<<<<<<<<<<<6\n\
                       ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
    // ICAO 9303-6, Appendix B.
    const TD2: &str = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\n\
                       D231458907UTO7408122F1204159<<<<<<<6";
    // ICAO 9303-7, Appendices.
    const MRV_A: &str = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                         L8988901C4XXX4009078F96121096ZE184226B<<<<<<";
    const MRV_B: &str = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\n\
                         L8988901C4XXX4009078F9612109<<<<<<<<";
    // ICAO 9303-11, Appendix D.2: document numbers longer than nine characters.
    const LONG_TD1: &str = "I<UTOD23145890<7349<<<<<<<<<<<\n\
                            3407127M9507122UTO<<<<<<<<<<<2\n\
                            STEVENSON<<PETER<JOHN<<<<<<<<<";
    const LONG_TD2: &str = "I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<\n\
                            D23145890<UTO3407127M95071227349<<<8";

    fn read(text: &str) -> Mrz {
        Mrz::from_typed(text).unwrap()
    }

    #[test]
    fn the_vietnamese_card() {
        let mrz = read(VIETNAMESE);
        assert_eq!((mrz.format, mrz.findings.as_slice()), (MrzFormat::Td1, &[][..]));
        assert_eq!((mrz.document_code.as_str(), mrz.issuing_state.as_str()), ("ID", "VNM"));
        assert_eq!(mrz.document_number.expose(), "090123456");
        assert_eq!(mrz.personal_number.as_ref().unwrap().expose(), "000090123456");
        assert_eq!(mrz.birth.as_str(), "900102");
        assert_eq!(mrz.nationality.expose(), "VNM");
        assert!(mrz.sex == Sex::Male);
        assert_eq!(mrz.name.full().expose(), "NGUYEN VAN MAU");
        let today = date!(2026 - 11 - 20);
        assert_eq!(mrz.birth_on(today).to_iso().unwrap().expose(), "1990-01-02");
        assert_eq!(mrz.expiry_on(today).to_iso().unwrap().expose(), "2030-01-02");
        assert_eq!(mrz.key().unwrap().mrz_information().as_slice(), b"090123456290010223001020");
    }

    #[test]
    fn the_specimens_of_all_layouts() {
        for (text, format, number) in [
            (TD3, MrzFormat::Td3, "L898902C3"),
            (TD1, MrzFormat::Td1, "D23145890"),
            (TD2, MrzFormat::Td2, "D23145890"),
            (MRV_A, MrzFormat::MrvA, "L8988901C"),
            (MRV_B, MrzFormat::MrvB, "L8988901C"),
        ] {
            let mrz = read(text);
            assert_eq!((mrz.format, mrz.findings.as_slice()), (format, &[][..]));
            assert_eq!(mrz.document_number.expose(), number);
            assert_eq!(mrz.issuing_state, "UTO");
            assert_eq!((mrz.name.primary.expose(), mrz.name.secondary.expose()), ("ERIKSSON", "ANNA MARIA"));
            assert!(mrz.sex == Sex::Female);
        }
        assert_eq!(read(TD3).personal_number.unwrap().expose(), "ZE184226B");
        assert_eq!(read(TD1).personal_number, None);
        assert_eq!(read(MRV_A).optional_data.expose(), "6ZE184226B");
    }

    #[test]
    fn a_long_number_continues_in_the_optional_data() {
        for text in [LONG_TD1, LONG_TD2] {
            let mrz = read(text);
            assert_eq!(mrz.findings, []);
            assert_eq!(mrz.document_number.expose(), "D23145890734");
            assert!(mrz.optional_data.is_empty());
            assert_eq!(mrz.key().unwrap().mrz_information().as_slice(), b"D23145890734934071279507122");
        }
        let wrong = LONG_TD1.replace("7349", "7348");
        assert!(read(&wrong).findings.contains(&MrzFinding::DocumentNumberCheck));
        // Nothing continues here: the filler is a missing check digit.
        let bare = TD1.replace("D231458907", "D23145890<");
        assert!(read(&bare).findings.contains(&MrzFinding::DocumentNumberCheck));
        assert_eq!(read(&bare).document_number.expose(), "D23145890");
    }

    #[test]
    fn every_wrong_check_digit_is_named() {
        for (at, finding) in [
            (14, MrzFinding::DocumentNumberCheck),
            (29, MrzFinding::PersonalNumberCheck),
            (36, MrzFinding::BirthCheck),
            (44, MrzFinding::ExpiryCheck),
            (59, MrzFinding::CompositeCheck),
        ] {
            let mut bytes: Vec<u8> = VIETNAMESE.bytes().filter(|&byte| byte != b'\n').collect();
            bytes[at] = b'0' + (bytes[at] - b'0' + 1) % 10;
            let findings = Mrz::from_chip(&bytes).unwrap().findings;
            assert!(findings.contains(&finding), "{at}: {findings:?}");
            // The composite digit covers the other digits.
            assert!(findings.iter().all(|each| *each == finding || *each == MrzFinding::CompositeCheck));
        }
        let td3 = TD3.replace("<<<<<10", "<<<<<20");
        assert_eq!(read(&td3).findings, [MrzFinding::PersonalNumberCheck, MrzFinding::CompositeCheck]);
    }

    #[test]
    fn an_empty_personal_number_may_have_a_filler_or_a_zero() {
        for check in ["<", "0"] {
            let line = "L898902C36UTO7408122F1204159<<<<<<<<<<<<<<";
            let covered = [&line[..10], &line[13..20], &line[21..]].concat() + check;
            let composite = check_digit(&covered).unwrap();
            let mrz = read(&format!("{}\n{line}{check}{composite}", TD3.lines().next().unwrap()));
            assert_eq!(mrz.findings, []);
            assert!(mrz.personal_number.is_none(), "an empty field is no number");
        }
    }

    #[test]
    fn no_expiry_is_fillers_or_the_last_day_of_the_century() {
        let text = |expiry: &str| {
            let front = "IDVNM0901234562000090123456<<2";
            let rest = format!("9001022M{expiry}VNM<<<<<<<<<<<");
            let composite =
                check_digit(&[&front[5..], &rest[..7], &rest[8..15], &rest[18..]].concat()).unwrap();
            format!("{front}{rest}{composite}NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<")
        };
        for expiry in ["9912315", "<<<<<<<", "<<<<<<0"] {
            let mrz = read(&text(expiry));
            assert_eq!(mrz.findings, [], "{expiry}");
            assert!(mrz.has_no_expiry());
            assert!(mrz.expiry_on(date!(2026 - 11 - 20)) == PartialDate::Unknown);
        }
        let odd = read(&text("99AB315"));
        assert!(!odd.has_no_expiry());
        assert!(odd.findings.contains(&MrzFinding::ExpiryImpossible));
        assert_eq!(odd.key(), Err(NotAnAccessKey::Date));
    }

    #[test]
    fn one_letter_countries_and_other_sexes_are_read() {
        let german = TD3.replace("P<UTO", "P<D<<").replace("UTO74", "D<<74").replace("F12", "X12");
        let mrz = read(&german);
        assert_eq!((mrz.issuing_state.as_str(), mrz.nationality.expose()), ("D", "D"));
        assert!(mrz.sex == Sex::Unspecified);
        assert_eq!(mrz.findings, []);
        assert!(read(&TD3.replace("F12", "Q12")).findings.contains(&MrzFinding::SexImpossible));
    }

    #[test]
    fn typed_lines_may_be_spaced_broken_and_small() {
        let whole = read(VIETNAMESE);
        for text in [
            VIETNAMESE.replace('\n', "\r\n") + "\r\n",
            VIETNAMESE.replace('\n', " "),
            VIETNAMESE.replace('\n', ""),
            VIETNAMESE.to_lowercase(),
        ] {
            assert_eq!(read(&text), whole);
        }
        // A chip has no excuse for line breaks.
        assert_eq!(Mrz::from_chip(VIETNAMESE.as_bytes()), Err(MrzError::Character { at: 30 }));
    }

    #[test]
    fn what_is_no_mrz_says_why() {
        assert_eq!(Mrz::from_typed(""), Err(MrzError::Length { had: 0 }));
        assert_eq!(Mrz::from_typed(&VIETNAMESE[..89]), Err(MrzError::Length { had: 87 }));
        assert_eq!(Mrz::from_typed(&VIETNAMESE.replacen('I', "Đ", 1)), Err(MrzError::Character { at: 0 }));
        assert_eq!(Mrz::from_typed(&"<".repeat(513)), Err(MrzError::Length { had: 513 }));
    }

    #[test]
    fn a_turkish_filler_before_the_national_number_continues_no_number() {
        let mrz = read(&TD1.replace("D231458907<<<<<<<<<<<<<<<", "D231458907<12345678901<<<"));
        assert_eq!(mrz.document_number.expose(), "D23145890");
        assert_eq!(mrz.optional_data.expose(), "12345678901");
    }

    #[test]
    fn debug_tells_nothing_about_the_person() {
        let shown = format!("{:?}", read(VIETNAMESE));
        for personal in ["NGUYEN", "MAU", "090123456", "900102", "300102", "Male"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Mrz::from_chip(&bytes);
            let _ = Mrz::from_typed(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_zone_panics(text in "[A-Z0-9<]{72}|[A-Z0-9<]{88}|[A-Z0-9<]{90}|V[A-Z0-9<]{71}|IDVNM[0-9<]{85}") {
            let mrz = Mrz::from_typed(&text).unwrap();
            let _ = mrz.key();
            let _ = mrz.birth_on(date!(2026 - 11 - 20));
            let _ = mrz.expiry_on(date!(2026 - 11 - 20));
            prop_assert_eq!(mrz.text.expose(), text.as_str());
        }
    }
}
