//! Where the fields of an MRZ stand (ICAO 9303-4, 4.2; 9303-5, 4.2; 9303-6, 4.2; 9303-7, 4.2).

/// A layout of the machine-readable zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MrzFormat {
    /// Three lines of 30: cards (ICAO 9303-5).
    Td1,
    /// Two lines of 36: larger cards (ICAO 9303-6).
    Td2,
    /// Two lines of 44: passports (ICAO 9303-4).
    Td3,
    /// Two lines of 44, beginning with `V`: visas of format A (ICAO 9303-7).
    MrvA,
    /// Two lines of 36, beginning with `V`: visas of format B (ICAO 9303-7).
    MrvB,
}

impl MrzFormat {
    pub(super) fn of(text: &str) -> Option<Self> {
        // ICAO 9303-7, 4.2.2: the first character of a visa is V.
        match (text.len(), text.starts_with('V')) {
            (90, _) => Some(Self::Td1),
            (72, false) => Some(Self::Td2),
            (72, true) => Some(Self::MrvB),
            (88, false) => Some(Self::Td3),
            (88, true) => Some(Self::MrvA),
            _ => None,
        }
    }

    /// Only TD1 and TD2 carry a number of more than nine characters over into the optional data.
    pub(super) fn continues_long_numbers(self) -> bool {
        matches!(self, Self::Td1 | Self::Td2)
    }
}

/// The fields of an MRZ, each as it stands there.
pub(super) struct Fields<'a> {
    pub(super) format: MrzFormat,
    pub(super) document_code: &'a str,
    pub(super) issuing_state: &'a str,
    pub(super) number: &'a str,
    pub(super) number_check: &'a str,
    pub(super) optional: &'a str,
    pub(super) optional_check: &'a str,
    pub(super) optional_2: &'a str,
    pub(super) birth: &'a str,
    pub(super) birth_check: &'a str,
    pub(super) sex: &'a str,
    pub(super) expiry: &'a str,
    pub(super) expiry_check: &'a str,
    pub(super) nationality: &'a str,
    pub(super) name: &'a str,
    /// What the composite check digit covers, and that digit. Visas have none.
    pub(super) composite: Option<(String, &'a str)>,
}

impl<'a> Fields<'a> {
    /// Cuts `text`, which has the length of `format` and is ASCII. Positions count from 0, over all lines.
    pub(super) fn cut(format: MrzFormat, text: &'a str) -> Self {
        let at = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let (document_code, issuing_state) = (at(0, 2), at(2, 5));
        match format {
            MrzFormat::Td1 => Self {
                format,
                document_code,
                issuing_state,
                number: at(5, 14),
                number_check: at(14, 15),
                optional: at(15, 30),
                optional_check: "",
                birth: at(30, 36),
                birth_check: at(36, 37),
                sex: at(37, 38),
                expiry: at(38, 44),
                expiry_check: at(44, 45),
                nationality: at(45, 48),
                optional_2: at(48, 59),
                composite: Some(([at(5, 30), at(30, 37), at(38, 45), at(48, 59)].concat(), at(59, 60))),
                name: at(60, 90),
            },
            MrzFormat::Td2 | MrzFormat::MrvB => {
                let (optional, composite) = match format {
                    MrzFormat::Td2 => {
                        (at(64, 71), Some(([at(36, 46), at(49, 56), at(57, 71)].concat(), at(71, 72))))
                    }
                    _ => (at(64, 72), None),
                };
                let second = text.split_at_checked(36).map_or("", |(_, second)| second);
                Self { composite, ..Self::cut_second_line(format, text, second, at(5, 36), optional, "") }
            }
            MrzFormat::Td3 | MrzFormat::MrvA => {
                let (optional, optional_check, composite) = match format {
                    MrzFormat::Td3 => (
                        at(72, 86),
                        at(86, 87),
                        Some(([at(44, 54), at(57, 64), at(65, 87)].concat(), at(87, 88))),
                    ),
                    _ => (at(72, 88), "", None),
                };
                let second = text.split_at_checked(44).map_or("", |(_, second)| second);
                Self {
                    composite,
                    ..Self::cut_second_line(format, text, second, at(5, 44), optional, optional_check)
                }
            }
        }
    }

    /// All two-line layouts begin their second line alike.
    fn cut_second_line(
        format: MrzFormat,
        text: &'a str,
        second: &'a str,
        name: &'a str,
        optional: &'a str,
        optional_check: &'a str,
    ) -> Self {
        let at = |from: usize, to: usize| second.get(from..to).unwrap_or_default();
        Self {
            format,
            document_code: text.get(..2).unwrap_or_default(),
            issuing_state: text.get(2..5).unwrap_or_default(),
            number: at(0, 9),
            number_check: at(9, 10),
            nationality: at(10, 13),
            birth: at(13, 19),
            birth_check: at(19, 20),
            sex: at(20, 21),
            expiry: at(21, 27),
            expiry_check: at(27, 28),
            optional,
            optional_check,
            optional_2: "",
            name,
            composite: None,
        }
    }
}
