//! The invented people of the shipped cards, and the search for what must not be known of them.

use std::sync::LazyLock;

use cccd_firmware_sim::personalise::{Bearer, CardDescription, RecordValue, shipped};

/// Every shipped card's name and description.
pub fn cards() -> Vec<(&'static str, CardDescription)> {
    shipped().into_iter().map(|card| (card.name(), card.description().unwrap())).collect()
}

/// The description of one shipped card.
pub fn card(name: &str) -> CardDescription {
    cards().into_iter().find(|(known, _)| *known == name).map(|(_, card)| card).expect("a shipped card")
}

/// What tells who somebody is.
struct Needle {
    text: String,
    stands: Stands,
}

/// Where a needle counts as found.
#[derive(Clone, Copy)]
enum Stands {
    Anywhere,
    /// As a whole word, so that six digits are not found in a timestamp.
    Alone,
    /// In quotes, as a text is written: a year of birth is also the number of bytes or milliseconds of something.
    Quoted,
}

static NEEDLES: LazyLock<Vec<Needle>> = LazyLock::new(|| {
    let mut needles = Vec::new();
    for (_, card) in cards() {
        let mut anywhere = Vec::new();
        for field in card.record() {
            match field.value {
                // Sex, nationality, ethnicity and religion are words of every language and tell nobody.
                _ if (4..=7).contains(&field.number) => {}
                RecordValue::Printable(text) | RecordValue::Text(text) | RecordValue::Spouse(text) => {
                    anywhere.push(text);
                }
                RecordValue::Parents { father, mother } => anywhere.extend([father, mother]),
                RecordValue::Nothing => {}
            }
        }
        if let Bearer::Traveller(traveller) = card.bearer() {
            anywhere.extend([traveller.document_number.clone(), traveller.surname.clone()]);
        }
        for line in card.mrz_lines() {
            anywhere.extend(line.split('<').map(str::to_owned));
        }
        let key = card.mrz_key();
        anywhere.push(key.document_number.clone());
        for text in anywhere.iter().filter(|text| text.chars().count() >= 7) {
            needles.push(Needle { text: text.to_lowercase(), stands: Stands::Anywhere });
        }
        let words = anywhere.iter().filter(|text| (3..7).contains(&text.chars().count()));
        let short = words.cloned().chain(card.can().map(str::to_owned));
        for text in short.chain([key.birth.clone(), key.expiry.clone()]) {
            let is_a_year = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
            let stands = if is_a_year { Stands::Quoted } else { Stands::Alone };
            needles.push(Needle { text: text.to_lowercase(), stands });
        }
    }
    needles
});

/// Fails where `text` tells anything of the people on the shipped cards.
pub fn assert_nobody_in(place: &str, text: &str) {
    if let Some(found) = somebody_in(text) {
        panic!("{place} holds {found:?}");
    }
}

/// The first thing in `text` that tells something of the people on the shipped cards.
pub fn somebody_in(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let words: std::collections::HashSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    NEEDLES
        .iter()
        .find(|needle| match needle.stands {
            Stands::Anywhere => text.contains(&needle.text),
            Stands::Alone => words.contains(needle.text.as_str()),
            Stands::Quoted => text.contains(&format!("\"{}\"", needle.text)),
        })
        .map(|needle| needle.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_what_it_is_there_for() {
        for planted in [
            "name=Nguyễn Văn Mẫu",
            "NGUYEN VAN MAU IDVNM0901234562000090123456<<2",
            "key 090123456 tried",
            "can=123456 ",
            "father: NGUYỄN VĂN CHA.",
            "birth 900102",
            r#""birth":{"iso":"1960"}"#,
        ] {
            assert!(somebody_in(planted).is_some(), "{planted}");
        }
        for harmless in [
            "2026-11-20T16:25:55.123456Z  INFO serving",
            "00 A4 040C data=7",
            "elapsed_ms=1960 bytes=1960",
            "",
        ] {
            assert_eq!(somebody_in(harmless), None, "{harmless}");
        }
    }
}
