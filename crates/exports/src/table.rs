//! A table about people, written as offices take it: CSV, XLSX, JSON lines, XML.

use cccd_consumers::Shaped;
use cccd_document::Personal;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use zeroize::Zeroizing;

use crate::lodging::printable;

/// The longest text that a cell of a spreadsheet holds (ECMA-376-1, 18.4.12 as Excel keeps it).
const LONGEST_CELL: usize = 32_767;
/// The most columns, and how deep objects may lie in one another.
const MOST_COLUMNS: usize = 512;
const DEEPEST: usize = 8;

/// Rows of texts under titles. Every row has as many as there are titles.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<Personal>>,
}

/// Why a table cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableFault {
    /// A text is longer than a cell of a spreadsheet: a face, say.
    #[error("a text is longer than a cell of a spreadsheet holds: take another format")]
    LongCell,
    /// More columns, or objects deeper in one another, than an office has use for.
    #[error("the objects have too many members, or lie too deep in one another")]
    Shape,
    /// The file cannot be made.
    #[error("the file cannot be made")]
    File,
}

impl Table {
    /// Rows under these titles; a row that is short is filled up with empty texts.
    pub fn new(titles: Vec<String>, mut rows: Vec<Vec<Personal>>) -> Self {
        rows.iter_mut().for_each(|row| row.resize(titles.len(), Personal::default()));
        Self { titles, rows }
    }

    /// A row for each object; the members of objects in objects stand under names joined by dots, in the order they
    /// are met first.
    pub fn of_objects(objects: &[Shaped]) -> Result<Self, TableFault> {
        let mut titles: Vec<String> = Vec::new();
        let mut rows = Vec::new();
        for object in objects {
            let mut flat = Vec::new();
            flatten(object, &mut String::new(), 0, &mut flat)?;
            let mut row = vec![Personal::default(); titles.len()];
            for (name, text) in flat {
                match titles.iter().position(|known| *known == name) {
                    Some(at) => {
                        if let Some(cell) = row.get_mut(at) {
                            *cell = text;
                        }
                    }
                    None if titles.len() < MOST_COLUMNS => {
                        titles.push(name);
                        row.push(text);
                    }
                    None => return Err(TableFault::Shape),
                }
            }
            rows.push(row);
        }
        Ok(Self::new(titles, rows))
    }

    /// How many rows there are, the titles aside.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// CSV as spreadsheets read it: UTF-8 with a byte order mark, lines ended by CR LF (RFC 4180). A text that a
    /// spreadsheet would take for a formula gets an apostrophe before it.
    pub fn to_csv(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.most_bytes()));
        out.extend_from_slice("\u{FEFF}".as_bytes());
        {
            let mut writer =
                csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut *out);
            // Writing into memory cannot fail, and all rows have as many fields as there are titles.
            let _ = writer.write_record(&self.titles);
            for row in &self.rows {
                let fields: Vec<_> = row.iter().map(|text| harmless(text.expose())).collect();
                let _ = writer.write_record(fields.iter().map(|text| text.as_bytes()));
            }
            let _ = writer.flush();
        }
        out
    }

    /// XLSX. Every cell is text, so that no zero gets lost and nothing is taken for a formula.
    pub fn to_xlsx(&self) -> Result<Zeroizing<Vec<u8>>, TableFault> {
        let long = |text: &Personal| text.expose().chars().count() > LONGEST_CELL;
        if self.rows.iter().flatten().any(long) {
            return Err(TableFault::LongCell);
        }
        self.workbook().map_err(|_| TableFault::File)
    }

    fn workbook(&self) -> Result<Zeroizing<Vec<u8>>, XlsxError> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        let bold = Format::new().set_bold();
        for (column, title) in (0..).zip(&self.titles) {
            sheet.write_string_with_format(0, column, title, &bold)?;
        }
        for (row, texts) in (1..).zip(&self.rows) {
            for (column, text) in (0..).zip(texts) {
                sheet.write_string(row, column, text.expose())?;
            }
        }
        sheet.autofit();
        book.save_to_buffer().map(Zeroizing::new)
    }

    /// XML: a `record` for each row under `records`, in it a `field` with its name for each text.
    pub fn to_xml(&self) -> Result<Zeroizing<Vec<u8>>, TableFault> {
        let mut writer = Writer::new_with_indent(Vec::with_capacity(self.most_bytes() * 2), b' ', 1);
        self.records(&mut writer).map_err(|_| TableFault::File)?;
        Ok(Zeroizing::new(writer.into_inner()))
    }

    fn records(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        writer.write_event(Event::Start(BytesStart::new("records")))?;
        for row in &self.rows {
            writer.write_event(Event::Start(BytesStart::new("record")))?;
            for (title, text) in self.titles.iter().zip(row) {
                let field = BytesStart::new("field").with_attributes([("name", title.as_str())]);
                writer.write_event(Event::Start(field))?;
                writer.write_event(Event::Text(BytesText::new(&printable(text.expose()))))?;
                writer.write_event(Event::End(BytesEnd::new("field")))?;
            }
            writer.write_event(Event::End(BytesEnd::new("record")))?;
        }
        writer.write_event(Event::End(BytesEnd::new("records")))
    }

    /// About as many bytes as the texts take, doubled: buffers that grow leave copies behind.
    fn most_bytes(&self) -> usize {
        let texts = self.rows.iter().flatten().map(|text| text.expose().len() * 2 + 40).sum::<usize>();
        texts + self.titles.iter().map(|title| title.len() * 2 + 4).sum::<usize>() + 64
    }
}

fn flatten(
    value: &Shaped,
    name: &mut String,
    depth: usize,
    out: &mut Vec<(String, Personal)>,
) -> Result<(), TableFault> {
    if depth > DEEPEST || out.len() > MOST_COLUMNS {
        return Err(TableFault::Shape);
    }
    let text = match value {
        Shaped::Null => Personal::default(),
        Shaped::YesNo(answer) => if *answer { "true" } else { "false" }.into(),
        Shaped::Integer(number) => Personal::new(number.to_string()),
        Shaped::Text(text) => text.clone(),
        Shaped::List(list) => {
            return list.iter().zip(1..).try_for_each(|(part, number): (_, usize)| {
                under(name, &number.to_string(), |name| flatten(part, name, depth + 1, out))
            });
        }
        Shaped::Object(members) => {
            return members.iter().try_for_each(|(member, part)| {
                under(name, member, |name| flatten(part, name, depth + 1, out))
            });
        }
    };
    out.push((name.clone(), text));
    Ok(())
}

/// Does something under a longer name, and takes it back.
fn under<T>(name: &mut String, member: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let before = name.len();
    if before > 0 {
        name.push('.');
    }
    name.push_str(member);
    let done = work(name);
    name.truncate(before);
    done
}

fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;

    fn object(json: &str) -> Shaped {
        Shaped::of_json(json.as_bytes()).unwrap()
    }

    fn table() -> Table {
        let objects = [
            object(r#"{"ho_ten":"Nguyễn Văn Mẫu","gia_dinh":{"cha":"A & <B>","me":null},"that":true}"#),
            object(r#"{"ho_ten":"=1+1","so":7,"noi":["x","y"]}"#),
        ];
        Table::of_objects(&objects).unwrap()
    }

    #[test]
    fn objects_become_rows_and_their_members_columns() {
        let table = table();
        assert_eq!(table.titles, ["ho_ten", "gia_dinh.cha", "gia_dinh.me", "that", "so", "noi.1", "noi.2"]);
        assert_eq!(
            &*table.to_csv(),
            "\u{FEFF}ho_ten,gia_dinh.cha,gia_dinh.me,that,so,noi.1,noi.2\r\n\
             Nguyễn Văn Mẫu,A & <B>,,true,,,\r\n\
             '=1+1,,,,7,x,y\r\n"
                .as_bytes()
        );
        let xlsx = sheet::of_xlsx(&table.to_xlsx().unwrap()).unwrap();
        let cells = |row: usize| xlsx.rows()[row].iter().map(|cell| cell.text.expose()).collect::<Vec<_>>();
        assert_eq!(cells(1), ["Nguyễn Văn Mẫu", "A & <B>", "", "true", "", "", ""]);
        assert_eq!(cells(2), ["=1+1", "", "", "", "7", "x", "y"]);
        let xml = table.to_xml().unwrap();
        let xml = std::str::from_utf8(&xml).unwrap();
        assert!(xml.contains(r#"<field name="gia_dinh.cha">A &amp; &lt;B&gt;</field>"#), "{xml}");
        assert_eq!((xml.matches("<record>").count(), table.len()), (2, 2));
    }

    #[test]
    fn what_no_cell_holds_and_what_lies_too_deep_is_told() {
        let text = "x".repeat(LONGEST_CELL + 1);
        let long = Table::of_objects(&[object(&format!(r#"{{"anh":"{text}"}}"#))]).unwrap();
        assert_eq!(long.to_xlsx().unwrap_err(), TableFault::LongCell);
        assert!(long.to_csv().len() > LONGEST_CELL);
        let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
        assert_eq!(Table::of_objects(&[object(&deep)]).unwrap_err(), TableFault::Shape);
        let members: Vec<_> = (0..600).map(|at| format!(r#""{at}":{at}"#)).collect();
        let wide = object(&format!("{{{}}}", members.join(",")));
        assert_eq!(Table::of_objects(&[wide]).unwrap_err(), TableFault::Shape);
    }
}
