//! A record of a reading, for the file of a notary's act: a PDF/A-2b in Vietnamese with its own fonts.
//!
//! It is made of what the profile `notary` gives. Whether it tells the truth nobody has to believe: it names the
//! evidence of the same reading by its hash, in print and as a QR code, and that evidence is signed.

mod page;
mod typesetting;

use cccd_consumers::Shaped;
use cccd_document::{DisplayImage, MediaType, ReadMark};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use page::Pages;

/// What is recorded.
pub struct Record<'a> {
    /// The office that keeps it.
    pub office: &'a str,
    /// What the profile `notary` gave.
    pub output: &'a Shaped,
    /// The face, as a screen shows it.
    pub portrait: Option<&'a DisplayImage>,
    /// What is to be thought of the card, in Vietnamese.
    pub verdict: &'a str,
    /// Whether the reading is known to be a test's.
    pub mark: ReadMark,
    /// When the card was read.
    pub read_at: OffsetDateTime,
    /// The name of the reading.
    pub read_id: &'a str,
    /// SHA-256 of the evidence file.
    pub evidence_sha256: [u8; 32],
    /// The key the evidence is signed with.
    pub agent_key: &'a str,
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// A letter that the fonts do not have: what is left out would be wrong.
    #[error("the record holds a letter that its fonts do not have: U+{0:04X}")]
    Letter(u32),
    /// The face is neither JPEG nor PNG, or damaged.
    #[error("the portrait cannot be drawn")]
    Portrait,
    /// Longer than any record.
    #[error("the record is too long")]
    TooLong,
    /// The fonts or the PDF cannot be made.
    #[error("the PDF cannot be made")]
    Pdf,
}

/// The fields, and what they are called.
const FIELDS: [(&str, &str); 14] = [
    ("ho_ten", "Họ, chữ đệm và tên"),
    ("so_dinh_danh", "Số định danh cá nhân"),
    ("so_cmnd", "Số CMND cũ"),
    ("ngay_sinh", "Ngày sinh"),
    ("gioi_tinh", "Giới tính"),
    ("quoc_tich", "Quốc tịch"),
    ("que_quan", "Quê quán"),
    ("noi_thuong_tru", "Nơi thường trú"),
    ("dac_diem_nhan_dang", "Đặc điểm nhận dạng"),
    ("ngay_cap", "Ngày cấp"),
    ("noi_cap", "Nơi cấp (theo quy tắc)"),
    ("co_gia_tri_den", "Có giá trị đến"),
    ("so_giay_to", "Số giấy tờ (MRZ)"),
    ("loai_giay_to", "Loại giấy tờ"),
];
/// The same for the family.
const FAMILY: [(&str, &str); 4] = [
    ("cha", "Họ tên cha"),
    ("me", "Họ tên mẹ"),
    ("cha_hoac_me", "Họ tên cha hoặc mẹ"),
    ("vo_chong", "Họ tên vợ/chồng"),
];

/// What stands on the record of a test's reading.
const SIMULATED: &str = "MÔ PHỎNG: KHÔNG PHẢI THẺ CỦA AI";

/// Makes the PDF.
pub fn record_pdf(record: &Record<'_>) -> Result<Zeroizing<Vec<u8>>, RecordFault> {
    let mut pages = Pages::new()?;
    pages.small(record.office)?;
    pages.title("BIÊN BẢN ĐỌC THẺ CĂN CƯỚC GẮN CHIP")?;
    if record.mark.is_simulated() {
        pages.title(SIMULATED)?;
    }
    if let Some(face) = record.portrait {
        pages.portrait(&face.bytes, face.media_type == MediaType::Png)?;
    }
    pages.heading("Dữ liệu trong chip")?;
    for (name, label) in FIELDS {
        if let Some(text) = said(record.output.get(name)) {
            pages.field(label, text)?;
        }
    }
    let family = record.output.get("gia_dinh");
    for (name, label) in FAMILY {
        if let Some(text) = said(family.and_then(|family| family.get(name))) {
            pages.field(label, text)?;
        }
    }
    pages.heading("Kết quả xác thực")?;
    pages.field("Kết luận", record.verdict)?;
    if record.mark.is_simulated() {
        pages.field("Lần đọc", SIMULATED)?;
    }
    pages.field("Đọc lúc", &crate::manifest::clock(record.read_at))?;
    pages.field("Mã lần đọc", record.read_id)?;
    pages.heading("Chứng cứ")?;
    let hash: String = record.evidence_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    pages.field("SHA-256 của tệp chứng cứ", &hash)?;
    pages.field("Khóa của máy đọc", record.agent_key)?;
    pages.small(
        "Tệp chứng cứ kèm theo đã được máy đọc ký. Bất kỳ ai cũng kiểm tra lại được, không cần thẻ và mạng, bằng lệnh \
         cccd-agent verify; mã QR dưới đây là SHA-256 của tệp đó.",
    )?;
    pages.code(&format!("sha256:{hash}"))?;
    pages.finish("Biên bản đọc thẻ căn cước gắn chip", record.read_at)
}

/// A text that says something.
fn said(shaped: Option<&Shaped>) -> Option<&str> {
    shaped.and_then(Shaped::text).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use cccd_consumers::{InventedReading, disclose};
    use cccd_document::PersonalBytes;
    use cccd_profiles::ConsumerCatalogue;
    use cccd_trust::Summary;
    use time::macros::datetime;

    use super::*;

    fn made(office: &str) -> Result<Zeroizing<Vec<u8>>, RecordFault> {
        made_of(office, ReadMark::Unmarked)
    }

    fn made_of(office: &str, mark: ReadMark) -> Result<Zeroizing<Vec<u8>>, RecordFault> {
        let catalogue = ConsumerCatalogue::shipped();
        let reading = InventedReading::new(Summary::Genuine);
        let given = disclose(catalogue.find("notary").unwrap(), &reading.subject(), None).unwrap();
        let face = reading.subject().portrait.unwrap().for_display().unwrap();
        record_pdf(&Record {
            office,
            output: &given.output.unwrap(),
            portrait: Some(&face),
            verdict: "THẺ THẬT",
            mark,
            read_at: datetime!(2026-11-20 08:00 UTC),
            read_id: "00000000000000000000000000000000",
            evidence_sha256: [0xAB; 32],
            agent_key: "khóa-mẫu",
        })
    }

    /// What a program of poppler-utils says of a PDF, which `cargo xtask setup` installs.
    fn poppler(program: &str, arguments: &[&str], pdf: &[u8]) -> String {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} of poppler-utils: {error}; `cargo xtask setup` installs it")
            });
        let mut input = child.stdin.take().unwrap();
        input.write_all(pdf).unwrap();
        drop(input);
        let output = cccd_patience::finished(program, child);
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn every_word_of_the_record_can_be_read_out_of_the_pdf() {
        let pdf = made("Văn phòng công chứng Mẫu, đường Nguyễn Huệ").unwrap();
        let text = poppler("pdftotext", &["-layout", "-", "-"], &pdf);
        let words: Vec<_> = text.split_whitespace().collect();
        let text = words.join(" ");
        for expected in [
            "Văn phòng công chứng Mẫu, đường Nguyễn Huệ",
            "BIÊN BẢN ĐỌC THẺ CĂN CƯỚC GẮN CHIP",
            "Nguyễn Văn Mẫu",
            "000090123456",
            "02/01/1990",
            "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu",
            "Nốt ruồi C:1cm dưới mép trái",
            "Nguyễn Văn Cha",
            "Trần Thị Mẹ",
            "THẺ THẬT",
            "15:00 20/11/2026",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let hash = "ab".repeat(32);
        assert!(text.replace(' ', "").contains(&hash), "{text}");
        assert!(!text.contains("Kinh") && !text.contains("00112233445566AA"));
    }

    #[test]
    fn the_record_of_a_test_says_so_above_and_beside_the_verdict() {
        let told = |mark| poppler("pdftotext", &["-layout", "-", "-"], &made_of("Mẫu", mark).unwrap());
        assert_eq!(told(ReadMark::Simulated).matches(SIMULATED).count(), 2);
        assert_eq!(told(ReadMark::Unmarked).matches("PHỎNG").count(), 0);
    }

    #[test]
    fn its_fonts_are_in_it_and_it_says_that_it_is_for_archives() {
        let pdf = made("Văn phòng Mẫu").unwrap();
        let fonts = poppler("pdffonts", &["-"], &pdf);
        let lines: Vec<_> = fonts.lines().skip(2).collect();
        assert!(!lines.is_empty(), "{fonts}");
        for line in lines {
            // name, type, encoding, emb sub uni
            assert!(line.contains("BeVietnamPro") && line.contains(" yes yes yes"), "{fonts}");
        }
        let whole = String::from_utf8_lossy(&pdf);
        assert!(whole.contains("pdfaid:part") && whole.contains("pdfaid:conformance"));
    }

    #[test]
    fn a_letter_that_no_font_has_is_told() {
        assert_eq!(made("Văn phòng 漢").unwrap_err(), RecordFault::Letter(0x6F22));
    }

    #[test]
    fn a_long_record_goes_on_on_another_page() {
        let one = made("Mẫu").unwrap();
        let long = "Văn phòng công chứng có tên rất dài ".repeat(120);
        let two = made(&long).unwrap();
        let pages = |pdf: &[u8]| {
            poppler("pdfinfo", &["-"], pdf).lines().find_map(|line| {
                line.strip_prefix("Pages:").map(|count| count.trim().parse::<u32>().unwrap())
            })
        };
        assert_eq!(pages(&one), Some(1));
        assert!(pages(&two).unwrap() > 1);
        assert_eq!(made(&"x ".repeat(100_000)).unwrap_err(), RecordFault::TooLong);
    }

    #[test]
    fn a_face_that_is_no_picture_is_told() {
        let reading = InventedReading::new(Summary::Genuine);
        let catalogue = ConsumerCatalogue::shipped();
        let given = disclose(catalogue.find("notary").unwrap(), &reading.subject(), None).unwrap();
        let face = DisplayImage { media_type: MediaType::Jpeg, bytes: PersonalBytes::from(&[1, 2, 3][..]) };
        let record = Record {
            office: "",
            output: &given.output.unwrap(),
            portrait: Some(&face),
            verdict: "",
            mark: ReadMark::Unmarked,
            read_at: datetime!(2026-11-20 08:00 UTC),
            read_id: "",
            evidence_sha256: [0; 32],
            agent_key: "",
        };
        assert_eq!(record_pdf(&record).unwrap_err(), RecordFault::Portrait);
    }
}
