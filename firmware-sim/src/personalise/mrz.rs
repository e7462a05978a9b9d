//! The machine-readable zone of the cards made here (ICAO 9303-3, 4; 9303-4, 4.2; 9303-5, 4.2).

use unicode_normalization::UnicodeNormalization;

use super::Sex;

/// The lines of a machine-readable zone, and the fields that open the chip.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mrz {
    lines: Vec<String>,
    key: MrzKeyFields,
}

/// What a reader must know of the MRZ to open the chip, without check digits.
#[derive(Clone, PartialEq, Eq)]
pub struct MrzKeyFields {
    /// Nine characters, padded with fillers.
    pub document_number: String,
    /// `YYMMDD`, or with fillers where the day or the month is not known.
    pub birth: String,
    /// `YYMMDD`.
    pub expiry: String,
}

impl MrzKeyFields {
    /// Each field followed by its check digit (ICAO 9303-11, 9.7.2).
    pub fn information(&self) -> String {
        [&self.document_number, &self.birth, &self.expiry].map(|field| checked(field)).concat()
    }
}

/// Text that has no spelling in the MRZ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("character {character:?} has no MRZ spelling")]
pub struct NotInMrz {
    /// The first character that is in the way.
    pub character: char,
}

/// What both layouts print.
pub(super) struct MrzContent<'a> {
    pub(super) issuing_state: &'a str,
    pub(super) nationality: &'a str,
    pub(super) birth: &'a str,
    pub(super) sex: Sex,
    pub(super) expiry: &'a str,
    pub(super) surname: &'a str,
    pub(super) given_names: &'a str,
}

impl Mrz {
    /// The Vietnamese identity card: TD1, three lines of thirty (ICAO 9303-5, 4.2.2).
    ///
    /// The document number is the last nine of the twelve digits. The optional data are all twelve, two
    /// fillers, and a check digit over the twelve that ICAO does not ask for.
    pub(super) fn td1(twelve_digits: &str, content: &MrzContent<'_>) -> Result<Self, NotInMrz> {
        let document_number: String = twelve_digits.chars().skip(3).collect();
        let key = content.key(document_number);
        let state = content.issuing_state;
        let first = format!(
            "ID{state:<<3}{}{twelve_digits:<<14}{}",
            checked(&key.document_number),
            check_digit(twelve_digits),
        );
        let birth = checked(content.birth);
        let expiry = checked(content.expiry);
        let second_optional = "<".repeat(11);
        let composite: String =
            [first.get(5..).unwrap_or_default(), birth.as_str(), expiry.as_str(), second_optional.as_str()]
                .concat();
        let second = format!(
            "{birth}{}{expiry}{:<<3}{second_optional}{}",
            content.sex.mrz(),
            content.nationality,
            check_digit(&composite)
        );
        Ok(Self { lines: vec![first, second, content.name(30)?], key })
    }

    /// A passport: TD3, two lines of forty-four (ICAO 9303-4, 4.2.2).
    pub(super) fn td3(document_number: &str, content: &MrzContent<'_>) -> Result<Self, NotInMrz> {
        let key = content.key(document_number.to_owned());
        let first = format!("P<{:<<3}{}", content.issuing_state, content.name(39)?);
        let number = checked(&key.document_number);
        let birth = checked(content.birth);
        let expiry = checked(content.expiry);
        // No optional data: its check digit may be a filler then (ICAO 9303-4, 4.2.2.2).
        let optional = "<".repeat(15);
        let composite = check_digit(&[&number, &birth, &expiry, &optional].map(String::as_str).concat());
        let nationality = content.nationality;
        let second =
            format!("{number}{nationality:<<3}{birth}{}{expiry}{optional}{composite}", content.sex.mrz());
        Ok(Self { lines: vec![first, second], key })
    }

    /// The lines, top to bottom.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What a reader must know to open the chip.
    pub(super) fn key(&self) -> &MrzKeyFields {
        &self.key
    }
}

impl MrzContent<'_> {
    fn key(&self, document_number: String) -> MrzKeyFields {
        MrzKeyFields {
            document_number: format!("{document_number:<<9}"),
            birth: self.birth.to_owned(),
            expiry: self.expiry.to_owned(),
        }
    }

    fn name(&self, width: usize) -> Result<String, NotInMrz> {
        Ok(fit(&components(self.surname)?, &components(self.given_names)?, width))
    }
}

/// The check digit: weights 7, 3, 1 over the values of the characters, modulo ten (ICAO 9303-3, 4.9).
pub(super) fn check_digit(field: &str) -> u32 {
    let value = |character: char| character.to_digit(36).unwrap_or(0);
    field
        .chars()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(character, weight)| value(character) * weight)
        .sum::<u32>()
        % 10
}

fn checked(field: &str) -> String {
    format!("{field}{}", check_digit(field))
}

/// The parts of a name in capital letters A to Z (ICAO 9303-3, 4.6 and 6).
///
/// Diacritics are dropped; `Đ` has none that Unicode could take off, so it is spelled out. A hyphen parts
/// a name, an apostrophe vanishes.
fn components(name: &str) -> Result<Vec<String>, NotInMrz> {
    let mut spelled = String::new();
    for character in name.nfd() {
        match character {
            'A'..='Z' | 'a'..='z' => spelled.push(character.to_ascii_uppercase()),
            'Đ' | 'đ' => spelled.push('D'),
            ' ' | '-' => spelled.push(' '),
            '\'' | '’' | '\u{300}'..='\u{36F}' => {}
            _ => return Err(NotInMrz { character }),
        }
    }
    Ok(spelled.split_whitespace().map(str::to_owned).collect())
}

/// The name field: surname, two fillers, given names, cut where it is too long (ICAO 9303-5, 4.2.3).
///
/// A field that was cut ends in a letter, so that it shows: where the cut falls behind a whole name, a
/// letter of an earlier one gives way.
fn fit(surname: &[String], given: &[String], width: usize) -> String {
    let mut surname = surname.join("<");
    let mut given = given.to_vec();
    if !given.is_empty() {
        // However long the surname, two fillers and one letter of the given names follow it.
        surname.truncate(width.saturating_sub(3));
        surname.truncate(surname.trim_end_matches('<').len());
    }
    loop {
        let whole =
            if given.is_empty() { surname.clone() } else { format!("{surname}<<{}", given.join("<")) };
        let cut: String = whole.chars().take(width).collect();
        if whole.len() <= width || !cut.ends_with('<') {
            return format!("{cut:<<width$}");
        }
        // The longest name that can spare a letter and lies before the cut.
        let shown = cut.trim_end_matches('<').len().saturating_sub(surname.len() + 2);
        let mut start = 0;
        let spare = given.iter_mut().take_while(|name| {
            let before = start < shown;
            start += name.len() + 1;
            before
        });
        match spare.filter(|name| name.len() > 1).last() {
            Some(name) => {
                name.pop();
            }
            // Initials only, and still too long: the last of them goes.
            None => return format!("{:<<width$}", cut.trim_end_matches('<')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<'a>(surname: &'a str, given_names: &'a str) -> MrzContent<'a> {
        MrzContent {
            issuing_state: "VNM",
            nationality: "VNM",
            birth: "900102",
            sex: Sex::Male,
            expiry: "300102",
            surname,
            given_names,
        }
    }

    #[test]
    fn check_digits_of_the_specimens() {
        // ICAO 9303-11, Appendix D.2; then the invented Vietnamese card and a card without expiry.
        for (field, digit) in [
            ("L898902C<", 3),
            ("690806", 1),
            ("940623", 6),
            ("090123456", 2),
            ("000090123456", 2),
            ("000090123456<<", 2),
            ("900102", 2),
            ("300102", 0),
            ("991231", 5),
        ] {
            assert_eq!(check_digit(field), digit, "{field}");
        }
    }

    #[test]
    fn the_example_card_has_its_three_lines() {
        let mrz = Mrz::td1("000090123456", &content("Nguyễn", "Văn Mẫu")).unwrap();
        assert_eq!(
            mrz.lines(),
            [
                "IDVNM0901234562000090123456<<2",
                "9001022M3001020VNM<<<<<<<<<<<4",
                "NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<"
            ]
        );
        assert_eq!(mrz.key().information(), "090123456290010223001020");
    }

    #[test]
    fn the_icao_passport_specimen_has_its_key_fields() {
        // ICAO 9303-4, Appendix B, but for its optional data.
        let specimen = MrzContent {
            issuing_state: "UTO",
            nationality: "UTO",
            birth: "740812",
            sex: Sex::Female,
            expiry: "120415",
            surname: "ERIKSSON",
            given_names: "ANNA MARIA",
        };
        let mrz = Mrz::td3("L898902C3", &specimen).unwrap();
        let [first, second] = mrz.lines() else { panic!("two lines") };
        assert_eq!(first, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<");
        assert_eq!(&second[..28], "L898902C36UTO7408122F1204159");
        assert_eq!((first.len(), second.len()), (44, 44));
    }

    #[test]
    fn letters_with_two_marks_and_the_crossed_d_become_plain() {
        assert_eq!(components("Đặng Thị Ngọc-Ưu đường").unwrap(), ["DANG", "THI", "NGOC", "UU", "DUONG"]);
        assert_eq!(components("O'Brien").unwrap(), ["OBRIEN"]);
        assert_eq!(components("王"), Err(NotInMrz { character: '王' }));
    }

    #[test]
    fn a_long_name_is_cut_and_ends_in_a_letter() {
        for (surname, given, expected) in [
            // Fits exactly.
            ("NGUYEN", "ABCDEFGHIJ KLMNOPQRSTU", "NGUYEN<<ABCDEFGHIJ<KLMNOPQRSTU"),
            // Cut inside a name.
            ("NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG KRASUANG", "NILAVADHANANANDA<<CHAYAPA<DEJT"),
            // The cut would fall on a filler: the name before it gives a letter.
            ("NGUYEN", "ABCDEFGHIJ KLMNOPQRST UVW", "NGUYEN<<ABCDEFGHIJ<KLMNOPQRS<U"),
            // A surname that leaves room for one letter only.
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDE", "FGH", "ABCDEFGHIJKLMNOPQRSTUVWXYZA<<F"),
            ("MAU", "", "MAU<<<<<<<<<<<<<<<<<<<<<<<<<<<"),
        ] {
            let field = content(surname, given).name(30).unwrap();
            assert_eq!(field, expected);
            assert_eq!(field.len(), 30);
        }
    }
}
