//! The portal's XLSX, filled. Only the rows of guests are written; every other byte of the operator's copy stays.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use calamine::{Reader as _, Xlsx, open_workbook_from_rs};
use cccd_document::text::folded;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer, XmlVersion};
use time::Date;
use zeroize::Zeroizing;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::guest::printed;
use super::{Guest, Note};
use crate::sheet::check_size;

/// The sheet of guests and the sheet of lists.
const GUESTS: &str = "DS_KHACH_VIET_NAM_LUU_TRU";
const LISTS: &str = "DANH_MUC";
/// The first row of guests, counted from 1.
const FIRST_ROW: u32 = 5;
/// The largest part of the archive that is read.
const LARGEST_PART: u64 = 64 << 20;
/// The columns, A to S.
const COLUMNS: usize = 19;
/// The columns that must be there by name, in the spelling of [`folded`], above the first row of guests.
const NAMED: [(usize, &str); 9] = [
    (1, "HO TEN"),
    (2, "NGAY SINH"),
    (3, "GIOI TINH"),
    (4, "QUOC TICH"),
    (5, "LOAI GIAY TO"),
    (7, "SO GIAY TO"),
    (13, "NGAY DEN"),
    (14, "NGAY DI"),
    (16, "LY DO"),
];
/// The reasons of a stay, in the order of their numbers: by these words they are found in the template.
const REASONS: [&str; 20] = [
    "Du lịch",
    "Công tác",
    "Học tập",
    "Thăm viếng",
    "Hội nghị",
    "Thăm thân",
    "Từ thiện",
    "Tổ chức quốc tế",
    "Kết hôn",
    "Lãnh sự quán",
    "Viện trợ",
    "Đại sứ quán",
    "Định cư",
    "Tiếp thị",
    "Báo chí",
    "Thương mại",
    "Gia hạn thị thực",
    "Chữa bệnh",
    "Lao động",
    "Khác",
];

/// The operator's own copy of the portal's form.
pub struct Template {
    bytes: Vec<u8>,
    /// Where the sheet of guests lies in the archive.
    part: String,
    /// The choices of all lists, each by its plain spelling.
    choices: BTreeMap<String, String>,
}

/// The form with the guests in it.
#[derive(Debug)]
pub struct Filled {
    /// The file.
    pub xlsx: Zeroizing<Vec<u8>>,
    /// How many guests are in it. The portal says success even where it took none: compare.
    pub guests: usize,
    /// What is odd, each with the row it stands in.
    pub notes: Vec<(u32, Note)>,
}

/// Why a file is not the portal's form, or not the one this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateFault {
    /// Not a spreadsheet at all.
    #[error("the template is no XLSX that can be read")]
    NotXlsx,
    /// A sheet is missing.
    #[error("the template has no sheet {0}: download it from the portal anew")]
    NoSheet(&'static str),
    /// A column is called something else.
    #[error("column {column} of the template should be {expected:?}: the form has changed")]
    Column {
        /// Its letter.
        column: char,
        /// What was looked for.
        expected: &'static str,
    },
    /// Its lists are empty.
    #[error("the template's lists of choices are empty")]
    NoChoices,
    /// The guests cannot be written.
    #[error("the template's sheet of guests cannot be written")]
    Sheet,
}

impl Template {
    /// Looks at a template: whether it is the form this program knows.
    pub fn open(bytes: Vec<u8>) -> Result<Self, TemplateFault> {
        check_size(&bytes).map_err(|_| TemplateFault::NotXlsx)?;
        let mut book: Xlsx<_> =
            open_workbook_from_rs(Cursor::new(bytes.as_slice())).map_err(|_| TemplateFault::NotXlsx)?;
        let names = book.sheet_names();
        for wanted in [GUESTS, LISTS] {
            if !names.iter().any(|name| name == wanted) {
                return Err(TemplateFault::NoSheet(wanted));
            }
        }
        let head = book.worksheet_range(GUESTS).map_err(|_| TemplateFault::NotXlsx)?;
        for (column, expected) in NAMED {
            let at = u32::try_from(column).unwrap_or_default();
            let stands = (0..FIRST_ROW - 1).any(|row| {
                head.get_value((row, at)).is_some_and(|cell| folded(&cell.to_string()).contains(expected))
            });
            if !stands {
                return Err(TemplateFault::Column { column: letter(column), expected });
            }
        }
        let lists = book.worksheet_range(LISTS).map_err(|_| TemplateFault::NotXlsx)?;
        let texts = lists.rows().flatten().map(ToString::to_string).filter(|text| !text.trim().is_empty());
        let choices: BTreeMap<_, _> = texts.map(|text| (folded(&text).to_string(), text)).collect();
        if choices.is_empty() {
            return Err(TemplateFault::NoChoices);
        }
        let part = part_of_sheet(&bytes).ok_or(TemplateFault::NotXlsx)?;
        Ok(Self { bytes, part, choices })
    }

    /// Fills it with the Vietnamese guests among these; foreign ones have a form of their own.
    pub fn fill(&self, guests: &[Guest], today: Date) -> Result<Filled, TemplateFault> {
        let mut notes = Vec::new();
        let mut rows = Vec::new();
        for guest in guests.iter().filter(|guest| !guest.is_foreign()) {
            let at = FIRST_ROW + u32::try_from(rows.len()).map_err(|_| TemplateFault::Sheet)?;
            notes.extend(guest.notes(today).into_iter().map(|note| (at, note)));
            let (row, unknown) = self.row(rows.len() + 1, guest);
            notes.extend(unknown.then_some((at, Note::ChoiceUnknown)));
            rows.push(row);
        }
        let sheet = read_part(&self.bytes, &self.part).ok_or(TemplateFault::Sheet)?;
        let sheet = with_rows(&sheet, &rows).ok_or(TemplateFault::Sheet)?;
        let xlsx = with_part(&self.bytes, &self.part, &sheet).ok_or(TemplateFault::Sheet)?;
        Ok(Filled { xlsx, guests: rows.len(), notes })
    }

    /// A guest's row, and whether a choice is not in the lists.
    fn row(&self, number: usize, guest: &Guest) -> ([Zeroizing<String>; COLUMNS], bool) {
        let reason = usize::from(guest.stay.reason).checked_sub(1).and_then(|at| REASONS.get(at));
        let reason = reason.map(|words| format!("{} - {words}", guest.stay.reason)).unwrap_or_default();
        let citizen = if guest.number.is_empty() { &guest.document_number } else { &guest.number };
        let choices = [
            self.choice(guest.sex.expose()),
            self.beginning("VNM"),
            self.choice(guest.paper.expose()),
            self.choice(&reason),
        ];
        let unknown = choices.iter().any(Option::is_none);
        let [sex, nationality, paper, reason] = choices.map(|choice| choice.unwrap_or_default().to_owned());
        let none = String::new;
        let row = [
            number.to_string(),
            guest.name.expose().to_owned(),
            guest.birth.expose().to_owned(),
            sex,
            nationality,
            paper,
            none(),
            citizen.expose().to_owned(),
            none(),
            none(),
            none(),
            none(),
            guest.residence.expose().to_owned(),
            printed(guest.stay.arrival),
            printed(guest.stay.departure),
            guest.stay.room.clone(),
            reason,
            guest.stay.other_reason.clone(),
            none(),
        ];
        (row.map(Zeroizing::new), unknown)
    }

    /// A choice as the template spells it.
    fn choice(&self, words: &str) -> Option<&str> {
        self.choices.get(folded(words).as_str()).map(String::as_str)
    }

    /// The choice that begins with this code.
    fn beginning(&self, code: &str) -> Option<&str> {
        let begins =
            |text: &&String| text.strip_prefix(code).is_some_and(|rest| rest.trim_start().starts_with('-'));
        self.choices.values().find(begins).map(String::as_str)
    }
}

/// The letter of a column.
fn letter(column: usize) -> char {
    u8::try_from(column).ok().and_then(|column| b'A'.checked_add(column)).map_or('?', char::from)
}

fn read_part(bytes: &[u8], name: &str) -> Option<Zeroizing<String>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let part = archive.by_name(name).ok()?;
    let mut text = Zeroizing::new(String::new());
    part.take(LARGEST_PART).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Where the sheet of guests lies: its name leads to an id in the workbook, and that to a part (ECMA-376-1, 18.2.19
/// and 12.3.24).
fn part_of_sheet(bytes: &[u8]) -> Option<String> {
    let workbook = read_part(bytes, "xl/workbook.xml")?;
    let id = attribute_beside(&workbook, "sheet", ("name", GUESTS), "id")?;
    let relations = read_part(bytes, "xl/_rels/workbook.xml.rels")?;
    let target = attribute_beside(&relations, "Relationship", ("Id", &id), "Target")?;
    Some(match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    })
}

/// The attribute `wanted` of the first element that has this other attribute; names without their prefix.
fn attribute_beside(xml: &str, element: &str, known: (&str, &str), wanted: &str) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    loop {
        let (Event::Start(start) | Event::Empty(start)) = (match reader.read_event().ok()? {
            Event::Eof => return None,
            event @ (Event::Start(_) | Event::Empty(_)) => event,
            _ => continue,
        }) else {
            continue;
        };
        if start.local_name().as_ref() != element {
            continue;
        }
        let value = |name: &str| {
            let found = start
                .attributes()
                .filter_map(Result::ok)
                .find(|each| each.key.local_name().as_ref() == name)?;
            found.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
        };
        if value(known.0).as_deref() == Some(known.1) {
            return value(wanted);
        }
    }
}

/// The sheet with these rows in place of whatever stood from the first row of guests on. The cells keep the style
/// that the first row had.
fn with_rows(sheet: &str, rows: &[[Zeroizing<String>; COLUMNS]]) -> Option<Zeroizing<Vec<u8>>> {
    let mut reader = Reader::from_str(sheet);
    let room = sheet.len() + rows.iter().flatten().map(|text| text.len() * 2 + 80).sum::<usize>();
    let mut writer = Writer::new(Vec::with_capacity(room));
    let mut styles: BTreeMap<String, String> = BTreeMap::new();
    let last = FIRST_ROW + u32::try_from(rows.len()).ok()?.max(1) - 1;
    loop {
        match reader.read_event().ok()? {
            Event::Eof => break,
            Event::Empty(start) if start.local_name().as_ref() == "dimension" => {
                let mut dimension = BytesStart::new(start.name().as_ref().to_owned());
                dimension.push_attribute(("ref", format!("A1:S{last}").as_str()));
                writer.write_event(Event::Empty(dimension)).ok()?;
            }
            Event::Start(start) if start.local_name().as_ref() == "row" && is_of_guests(&start) => {
                take_styles(&mut reader, &mut styles)?;
            }
            Event::Empty(start) if start.local_name().as_ref() == "row" && is_of_guests(&start) => {}
            Event::Empty(start) if start.local_name().as_ref() == "sheetData" => {
                writer.write_event(Event::Start(start.borrow())).ok()?;
                write_rows(&mut writer, rows, &styles)?;
                writer.write_event(Event::End(start.to_end())).ok()?;
            }
            Event::End(end) if end.local_name().as_ref() == "sheetData" => {
                write_rows(&mut writer, rows, &styles)?;
                writer.write_event(Event::End(end)).ok()?;
            }
            event => writer.write_event(event).ok()?,
        }
    }
    Some(Zeroizing::new(writer.into_inner()))
}

fn is_of_guests(row: &BytesStart<'_>) -> bool {
    let number = row.try_get_attribute("r").ok().flatten();
    number.and_then(|number| number.value.parse::<u32>().ok()).is_some_and(|number| number >= FIRST_ROW)
}

/// Reads a row to its end, and remembers the style of each of its columns where none is known yet.
fn take_styles(reader: &mut Reader<&[u8]>, styles: &mut BTreeMap<String, String>) -> Option<()> {
    loop {
        match reader.read_event().ok()? {
            Event::Eof => return None,
            Event::End(end) if end.local_name().as_ref() == "row" => return Some(()),
            Event::Start(cell) | Event::Empty(cell) if cell.local_name().as_ref() == "c" => {
                let value = |name: &str| cell.try_get_attribute(name).ok().flatten();
                if let (Some(place), Some(style)) = (value("r"), value("s")) {
                    let column = place.value.trim_end_matches(|digit: char| digit.is_ascii_digit());
                    styles.entry(column.to_owned()).or_insert_with(|| style.value.into_owned());
                }
            }
            _ => {}
        }
    }
}

/// Each cell is an inline string (ECMA-376-1, 18.3.1.53): the table of shared strings stays as it is.
fn write_rows(
    writer: &mut Writer<Vec<u8>>,
    rows: &[[Zeroizing<String>; COLUMNS]],
    styles: &BTreeMap<String, String>,
) -> Option<()> {
    for (number, row) in (FIRST_ROW..).zip(rows) {
        let mut start = BytesStart::new("row");
        start.push_attribute(("r", number.to_string().as_str()));
        writer.write_event(Event::Start(start)).ok()?;
        for (column, text) in row.iter().enumerate() {
            let column = letter(column).to_string();
            let mut cell = BytesStart::new("c");
            cell.push_attribute(("r", format!("{column}{number}").as_str()));
            if let Some(style) = styles.get(&column) {
                cell.push_attribute(("s", style.as_str()));
            }
            if text.is_empty() {
                writer.write_event(Event::Empty(cell)).ok()?;
                continue;
            }
            cell.push_attribute(("t", "inlineStr"));
            writer.write_event(Event::Start(cell)).ok()?;
            writer.write_event(Event::Start(BytesStart::new("is"))).ok()?;
            let kept = BytesStart::new("t").with_attributes([("xml:space", "preserve")]);
            writer.write_event(Event::Start(kept)).ok()?;
            writer.write_event(Event::Text(BytesText::new(&printable(text)))).ok()?;
            for name in ["t", "is", "c"] {
                writer.write_event(Event::End(BytesEnd::new(name))).ok()?;
            }
        }
        writer.write_event(Event::End(BytesEnd::new("row"))).ok()?;
    }
    Some(())
}

/// Without the characters that XML cannot have at all (XML 1.0, 2.2).
pub(crate) fn printable(text: &str) -> Zeroizing<String> {
    let fits = |letter: char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    Zeroizing::new(text.chars().filter(|letter| fits(*letter)).collect())
}

/// The archive with another part in the place of `name`; all others are copied as they are.
fn with_part(bytes: &[u8], name: &str, part: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len() + part.len())));
    for at in 0..archive.len() {
        let file = archive.by_index_raw(at).ok()?;
        if file.name().is_ok_and(|known| known == name) {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            writer.start_file(name, options).ok()?;
            writer.write_all(part).ok()?;
        } else {
            writer.raw_copy_file(file).ok()?;
        }
    }
    Some(Zeroizing::new(writer.finish().ok()?.into_inner()))
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{Format, Workbook};
    use time::macros::date;

    use super::*;
    use crate::lodging::guest::tests::line;
    use crate::lodging::guests_of_json_lines;

    const TODAY: Date = date!(2026 - 11 - 20);

    /// A form like the portal's: four rows of head, a sample row, and lists.
    fn form(sheet: &str, seventh: &str) -> Vec<u8> {
        let mut book = Workbook::new();
        let guests = book.add_worksheet();
        guests.set_name(sheet).unwrap();
        guests.write_string(0, 0, "DANH SÁCH KHÁCH VIỆT NAM LƯU TRÚ").unwrap();
        let titles = [
            "STT",
            "Họ tên (*)",
            "Ngày sinh (*)",
            "Giới tính (*)",
            "Quốc tịch (*)",
            "Loại giấy tờ (*)",
            "Tên giấy tờ",
            seventh,
            "Điện thoại",
            "Nơi cư trú hiện nay",
            "Tỉnh",
            "Xã",
            "Chi tiết",
            "Ngày đến (*)",
            "Ngày đi dự kiến (*)",
            "Phòng",
            "Lý do cư trú (*)",
            "Lý do khác",
            "Ghi chú",
        ];
        let framed = Format::new().set_border(rust_xlsxwriter::FormatBorder::Thin);
        for (column, title) in (0..).zip(titles) {
            guests.write_string(3, column, title).unwrap();
            guests.write_string_with_format(4, column, "mẫu", &framed).unwrap();
        }
        guests.write_string(5, 1, "một dòng cũ").unwrap();
        let provinces = book.add_worksheet();
        provinces.set_name("TINH_THANH").unwrap().write_string(0, 0, "701 - TP. Hồ Chí Minh").unwrap();
        let lists = book.add_worksheet();
        lists.set_name("DANH_MUC").unwrap();
        // Spaced otherwise than here, as the portal may.
        for (row, choice) in (0..).zip([
            "M - Nam",
            "F - Nữ",
            "VNM -  Viet Nam",
            "USA - Hoa Ky",
            "1 -  Thẻ CCCD",
            "8 - Thẻ Căn Cước",
            "4 - Hộ chiếu",
            "1 - Du  lịch",
            "18 - Chữa bệnh",
        ]) {
            lists.write_string(row, 0, choice).unwrap();
        }
        book.save_to_buffer().unwrap()
    }

    fn cells(xlsx: &[u8], sheet: &str) -> Vec<Vec<String>> {
        let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(xlsx)).unwrap();
        let range = book.worksheet_range(sheet).unwrap();
        range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn vietnamese_guests_fill_the_form_and_nothing_else_of_it_changes() {
        let bytes = form(GUESTS, "Số giấy tờ (*)");
        let lines = [
            line("Nguyễn Văn Mẫu & <con>", "VNM", "02/01/1990"),
            line("ERIKSSON ANNA", "USA", "12/08/1974"),
            line("Trần Thị Mẫu", "VNM", "1991"),
        ];
        let guests = guests_of_json_lines(&lines.join("\n")).unwrap();
        let filled = Template::open(bytes.clone()).unwrap().fill(&guests, TODAY).unwrap();
        assert_eq!((filled.guests, &filled.notes[..]), (2, &[(6, Note::BirthIncomplete)][..]));
        let (before, after) = (cells(&bytes, GUESTS), cells(&filled.xlsx, GUESTS));
        assert_eq!(before[..4], after[..4]);
        assert_eq!(
            after[4],
            [
                "1",
                "Nguyễn Văn Mẫu & <con>",
                "02/01/1990",
                "M - Nam",
                "VNM -  Viet Nam",
                "1 -  Thẻ CCCD",
                "",
                "000090123456",
                "",
                "",
                "",
                "",
                "Số 1, Đường Mẫu",
                "20/11/2026",
                "22/11/2026",
                "101",
                "1 - Du  lịch",
                "",
                "",
            ]
        );
        assert_eq!((after[5][1].as_str(), after[5][2].as_str()), ("Trần Thị Mẫu", "1991"));
        assert_eq!(after.len(), 6, "no sample row is left");
        for sheet in ["TINH_THANH", LISTS] {
            assert_eq!(cells(&bytes, sheet), cells(&filled.xlsx, sheet));
        }
        // The cells look like those of the sample row.
        let template = Template::open(filled.xlsx.to_vec()).unwrap();
        let sheet = read_part(&filled.xlsx, &template.part).unwrap();
        assert!(sheet.contains(r#"<c r="B6" s="1" t="inlineStr">"#), "{}", sheet.as_str());
        // Filled again with fewer, the rest is gone.
        let again = template.fill(&guests[..1], TODAY).unwrap();
        assert_eq!(cells(&again.xlsx, GUESTS).len(), 5);
        assert_eq!(template.fill(&[], TODAY).unwrap().guests, 0);
    }

    #[test]
    fn another_form_is_told_by_what_is_missing() {
        let fault = |bytes: Vec<u8>| Template::open(bytes).err().unwrap();
        assert_eq!(fault(b"not a form".to_vec()), TemplateFault::NotXlsx);
        assert_eq!(fault(form("Sheet1", "Số giấy tờ")), TemplateFault::NoSheet(GUESTS));
        assert_eq!(
            fault(form(GUESTS, "Mã số")),
            TemplateFault::Column { column: 'H', expected: "SO GIAY TO" }
        );
    }

    #[test]
    fn what_the_portal_would_not_take_is_noted() {
        let guests = guests_of_json_lines(&line("Nguyễn Văn Mẫu", "VNM", "02/01/1990")).unwrap();
        let template = Template::open(form(GUESTS, "Số giấy tờ")).unwrap();
        let notes = |today| template.fill(&guests, today).unwrap().notes;
        assert_eq!(notes(date!(2026 - 11 - 21)), []);
        for today in [date!(2026 - 11 - 22), date!(2026 - 11 - 19)] {
            assert_eq!(notes(today), [(5, Note::ArrivalNotNow)]);
        }
        let mut other = guests.clone();
        other[0].stay.reason = 2;
        assert_eq!(template.fill(&other, TODAY).unwrap().notes, [(5, Note::ChoiceUnknown)]);
    }
}
