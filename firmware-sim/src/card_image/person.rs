//! People who do not exist, as the text their card's QR code would carry.

use unicode_normalization::UnicodeNormalization as _;

use super::random::Random;

/// Every Vietnamese letter with a mark occurs in these syllables, so no letter goes untried.
const SYLLABLES: [&str; 73] = [
    "làng",
    "sáng",
    "ảo",
    "mã",
    "dạng",
    "trăng",
    "bằng",
    "nắng",
    "phẳng",
    "sẵn",
    "mặc",
    "tâm",
    "tầng",
    "mấu",
    "ẩn",
    "mẫu",
    "thật",
    "xe",
    "hè",
    "thép",
    "lẻ",
    "vẽ",
    "nhẹ",
    "tên",
    "bền",
    "đến",
    "kiểm",
    "nguyễn",
    "nghiệm",
    "thi",
    "bình",
    "ví",
    "chỉ",
    "nghĩ",
    "định",
    "cho",
    "tròn",
    "gió",
    "nhỏ",
    "rõ",
    "đọc",
    "không",
    "đồng",
    "số",
    "ổn",
    "gỗ",
    "một",
    "thơ",
    "đường",
    "thớ",
    "mở",
    "cỡ",
    "hợp",
    "tu",
    "mùa",
    "chú",
    "thủ",
    "vũ",
    "dụ",
    "tư",
    "từ",
    "thứ",
    "thử",
    "chữ",
    "tự",
    "ly",
    "kỳ",
    "lý",
    "tỷ",
    "mỹ",
    "kỵ",
    "giả",
    "đo",
];

const FAMILIES: [&str; 12] =
    ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ", "Dương"];

/// The shortest and the longest text a corpus prints, in bytes.
pub(super) const PAYLOAD_BYTES: std::ops::RangeInclusive<usize> = 100..=202;

/// The text of an invented person's code: seven fields, and on cards of 2024 often eleven.
///
/// The number starts with 000, which is no province's code.
pub(super) fn payload(random: &mut Random, issued: Issued) -> String {
    loop {
        let text = draw(random, issued);
        // A few systems write the marks as letters of their own.
        let text: String = if random.chance(0.03) { text.nfd().collect() } else { text.nfc().collect() };
        if PAYLOAD_BYTES.contains(&text.len()) {
            return text;
        }
    }
}

/// Which card the person holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Issued {
    /// Front of the card of 2021.
    Cccd2021,
    /// Back of the card of 2024.
    CanCuoc2024,
}

fn draw(random: &mut Random, issued: Issued) -> String {
    let number = format!("000{:09}", random.below(1_000_000_000));
    let old = if random.chance(0.6) { format!("000{:06}", random.below(1_000_000)) } else { String::new() };
    let mut name = (*random.pick(&FAMILIES)).to_owned();
    for _ in 0..1 + random.below(3) {
        name.push(' ');
        name.push_str(&syllable(random));
    }
    let birth = match random.below(20) {
        0 => format!("{}", 1940 + random.below(80)),
        1 => format!("{:02}{}", 1 + random.below(12), 1940 + random.below(80)),
        _ => date(random, 1940, 80),
    };
    let sex = if random.chance(0.5) { "Nam" } else { "Nữ" };
    let mut address = String::new();
    if random.chance(0.8) {
        address.push_str(&format!("Số {}, ", 1 + random.below(400)));
    }
    for kind in ["Đường", "Khu phố", "Xã", "Huyện"] {
        if kind == "Xã" || random.chance(0.62) {
            address.push_str(&format!("{kind} {} {}, ", syllable(random), syllable(random)));
        }
    }
    address.push_str(&format!("Tỉnh {} {}", syllable(random), syllable(random)));
    let (from, years) = if issued == Issued::CanCuoc2024 { (2024, 3) } else { (2021, 3) };
    let issue_date = date(random, from, years);
    let mut text = format!("{number}|{old}|{name}|{birth}|{sex}|{address}|{issue_date}");
    if issued == Issued::CanCuoc2024 && random.chance(0.6) {
        text.push_str("||||");
    }
    text
}

fn date(random: &mut Random, from: usize, years: usize) -> String {
    format!("{:02}{:02}{}", 1 + random.below(28), 1 + random.below(12), from + random.below(years))
}

fn syllable(random: &mut Random) -> String {
    let mut letters = random.pick(&SYLLABLES).chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn payloads() -> Vec<String> {
        let mut random = Random::new(5, 0, 0);
        (0..2000)
            .map(|at| payload(&mut random, if at % 2 == 0 { Issued::Cccd2021 } else { Issued::CanCuoc2024 }))
            .collect()
    }

    #[test]
    fn every_marked_letter_of_vietnamese_occurs() {
        let seen: BTreeSet<char> = payloads()
            .iter()
            .flat_map(|text| text.nfc().collect::<Vec<_>>())
            .flat_map(char::to_lowercase)
            .collect();
        for base in ['a', 'ă', 'â', 'e', 'ê', 'i', 'o', 'ô', 'ơ', 'u', 'ư', 'y'] {
            for tone in ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'] {
                let letter: String = [base, tone].into_iter().nfc().collect();
                assert!(
                    letter.chars().count() == 1 && letter.chars().all(|one| seen.contains(&one)),
                    "{letter}"
                );
            }
        }
        assert!(seen.contains(&'đ'));
    }

    #[test]
    fn nobody_printed_lives_in_a_real_province() {
        for text in payloads() {
            let fields: Vec<&str> = text.split('|').collect();
            assert!(matches!(fields.len(), 7 | 11), "{text}");
            assert!(fields[0].len() == 12 && fields[0].starts_with("000"), "{text}");
            assert!(PAYLOAD_BYTES.contains(&text.len()), "{text}");
        }
    }

    #[test]
    fn lengths_centre_where_real_texts_do_and_some_are_decomposed() {
        let mut lengths: Vec<usize> = payloads().iter().map(String::len).collect();
        lengths.sort_unstable();
        assert!((132..=146).contains(&lengths[1000]), "{}", lengths[1000]);
        let decomposed = payloads().iter().filter(|text| !unicode_normalization::is_nfc(text)).count();
        assert!((20..=110).contains(&decomposed), "{decomposed}");
    }
}
