//! A scanned code as people at a terminal see it.

use cccd_document::{
    InsuranceRecord, PartialDate, Personal, QrContent, QrNote, QrPayload, QrRecord, Sex, StatedDate,
    SurplusField,
};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

/// What a code says, and that nobody signed it.
pub(crate) fn of_code(payload: &QrPayload) -> String {
    let mut rows = Rows::new();
    let (head, whose) = match &payload.content {
        QrContent::Citizen(record) => {
            rows.citizen(record);
            ("CHƯA XÁC MINH · UNVERIFIED", "Mã QR của thẻ căn cước · identity card's code")
        }
        QrContent::Insurance(record) => {
            rows.insurance(record);
            ("CHƯA XÁC MINH · UNVERIFIED", "Mã QR của thẻ bảo hiểm y tế · health insurance card's code")
        }
        QrContent::Unknown => {
            rows.text("Nội dung · text", &payload.text);
            ("KHÔNG RÕ LOẠI MÃ · UNKNOWN CODE", "Không phải mã của giấy tờ đã biết · of no known document")
        }
    };
    let mut lines = vec![
        head.to_owned(),
        format!("  {whose}"),
        "  Ai cũng có thể in một mã QR; đọc chip mới biết thật · anyone can print a code; the chip tells"
            .to_owned(),
        rows.0.to_string(),
    ];
    lines.extend(payload.notes.iter().map(|note| format!("Lưu ý · note: {}", note_text(*note))));
    lines.join("\n") + "\n"
}

/// Two columns: what, and what the code says of it.
struct Rows(Table);

impl Rows {
    fn new() -> Self {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        Self(table)
    }

    fn citizen(&mut self, record: &QrRecord) {
        self.text("Số · number", &record.personal_number);
        self.text("Họ và tên · name", &record.full_name);
        self.date("Ngày sinh · birth", Some(&record.birth));
        self.sex(record.sex);
        self.text("Nơi cư trú · residence", &record.residence);
        self.date("Ngày cấp · issued", Some(&record.issued));
        let expiries: Vec<String> = record.expiry_candidates().iter().map(|each| expiry(each.date)).collect();
        let mut expiries: Vec<&str> = expiries.iter().map(String::as_str).collect();
        expiries.dedup();
        self.row("Hết hạn theo luật · expiry by the law", &expiries.join(", "));
        self.optional("Số cũ · old number", record.old_number.as_ref());
        self.surplus(&record.surplus);
    }

    fn insurance(&mut self, record: &InsuranceRecord) {
        self.text("Số thẻ · card number", &record.card_number);
        self.text("Họ và tên · name", &record.full_name);
        self.date("Ngày sinh · birth", Some(&record.birth));
        self.sex(record.sex);
        self.optional("Địa chỉ · address", record.address.as_ref());
        self.optional("Nơi đăng ký KCB · facility", record.facility.as_ref());
        self.date("Giá trị từ · valid from", record.valid_from.as_ref());
        self.date("Giá trị đến · valid to", record.valid_to.as_ref());
        self.date("Ngày cấp · issued", record.issued.as_ref());
        self.optional("Cơ quan BHXH · managed by", record.managed_by.as_ref());
        self.optional("Cha hoặc mẹ · a parent", record.parent.as_ref());
        self.optional("Khu vực · area", record.area.as_ref());
        self.date("Đủ 5 năm liên tục từ · five years from", record.five_years.as_ref());
        self.surplus(&record.surplus);
    }

    fn row(&mut self, label: &str, text: &str) {
        if !text.is_empty() {
            self.0.add_row([label, &printable(text)]);
        }
    }

    fn text(&mut self, label: &str, text: &Personal) {
        self.row(label, text.expose());
    }

    fn optional(&mut self, label: &str, text: Option<&Personal>) {
        if let Some(text) = text {
            self.text(label, text);
        }
    }

    /// As cards print it; what is no date as it stands.
    fn date(&mut self, label: &str, stated: Option<&StatedDate>) {
        if let Some(stated) = stated {
            self.text(label, stated.date.to_printed().as_ref().unwrap_or(&stated.printed));
        }
    }

    fn sex(&mut self, sex: Option<Sex>) {
        let word = match sex {
            Some(Sex::Male) => "Nam",
            Some(Sex::Female) => "Nữ",
            Some(Sex::Unspecified) | None => "-",
        };
        self.row("Giới tính · sex", word);
    }

    fn surplus(&mut self, fields: &[SurplusField]) {
        for field in fields {
            self.row(&format!("Trường {} · field {}", field.position, field.position), field.text.expose());
        }
    }
}

/// A code may say anything, control sequences of the terminal too.
fn printable(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { char::REPLACEMENT_CHARACTER } else { each }).collect()
}

fn expiry(date: Option<time::Date>) -> String {
    let printed = date.and_then(|date| PartialDate::Day(date).to_printed());
    printed.map_or_else(|| "không thời hạn · never".to_owned(), |printed| printed.expose().to_owned())
}

fn note_text(note: QrNote) -> &'static str {
    match note {
        QrNote::EncodingRepaired => "bảng mã bị sai, đã sửa lại · the encoding was wrong and was put right",
        QrNote::NotUtf8 => "không phải UTF-8, chữ bị thiếu · not UTF-8, the text has gaps",
        QrNote::SymbologyIdentifier => "máy quét gửi kèm mã loại · the scanner sent the kind of symbol too",
        QrNote::NoDiacritics => "mất dấu tiếng Việt · Vietnamese accents are lost",
        QrNote::LettersLost => "mất chữ trong tên hoặc địa chỉ · letters of name or address are lost",
        QrNote::StrangeCharacters => "có ký tự lạ, bảng mã sai · strange characters, a wrong encoding",
        QrNote::InputMethodKeys => {
            "bộ gõ tiếng Việt làm hỏng tên, hãy tắt bộ gõ · keys of an input method in the name, turn it off"
        }
        QrNote::CapsLock => "Caps Lock đang bật · Caps Lock was on",
        QrNote::KeyboardLayout => {
            "bàn phím đang ở kiểu tiếng Việt, hãy chuyển sang tiếng Anh · Vietnamese keyboard layout, use an English one"
        }
        QrNote::BirthUnreadable => "ngày sinh không phải ngày · the date of birth is none",
        QrNote::IssueUnreadable => "ngày cấp không phải ngày · the date of issue is none",
        QrNote::IssuedBeforeBirth => "cấp trước ngày sinh · issued before birth",
        QrNote::SexUnreadable => "giới tính không rõ · the sex is unclear",
        QrNote::OldNumberUnusual => "số cũ không phải 9 chữ số · the old number is not nine digits",
        QrNote::MoreFields { .. } => "có thêm trường chưa rõ nghĩa · there are fields nobody has described",
        QrNote::PerhapsCanCuoc => {
            "cấp từ 01/07/2024, có thể là thẻ Căn cước mới · issued since 2024-07-01, perhaps the new card"
        }
        QrNote::NotHexadecimal => "trường lẽ ra ở dạng hexa thì không phải · a field is not hexadecimal",
        QrNote::InsuranceDateUnreadable => "một ngày trên thẻ không phải ngày · a date of the card is none",
        QrNote::FacilityUnusual => "mã nơi đăng ký KCB lạ · the facility is unusual",
        _ => "xem kết quả JSON · see the JSON result",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_shown_in_words_and_as_unverified() {
        let text = "000090123456|000123456|Nguyễn Văn Mẫu|01990|Nam|Số 1, Tỉnh Mẫu|15032022||x"
            .replace("01990", "1990");
        let shown = of_code(&QrPayload::parse(text.as_bytes()));
        assert!(shown.starts_with("CHƯA XÁC MINH · UNVERIFIED"), "{shown}");
        for part in ["000090123456", "Nguyễn Văn Mẫu", "1990", "15/03/2022", "01/01/2030", "field 9", "x"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn a_hostile_code_cannot_steer_the_terminal() {
        let shown = of_code(&QrPayload::parse(b"x\x1b[2Jy"));
        assert!(shown.contains("x\u{fffd}[2Jy") && !shown.contains('\x1b'), "{shown:?}");
    }
}
