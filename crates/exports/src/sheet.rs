//! A table as offices have it: the first sheet of an XLSX, or CSV.

use std::io::{Cursor, Read as _};

use calamine::{Data, Reader as _, Xlsx, open_workbook_from_rs};
use cccd_document::text::folded;
use cccd_document::{PartialDate, Personal};

/// The largest file, and the most it may take once unpacked.
const LARGEST_FILE: usize = 32 << 20;
const LARGEST_UNPACKED: u64 = 128 << 20;
/// How far to the right and down a table may reach: one cell far away makes no room for all before it.
const MOST_COLUMNS: u32 = 512;
const MOST_ROWS: u32 = 250_000;
/// The most cells, those between included.
const MOST_CELLS: usize = 4_000_000;
/// In which of the first rows the names of the columns are looked for.
const HEADER_WITHIN: usize = 20;

/// A table: rows of texts. Numbers and dates are texts too, as a person would read them.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// What stands in it, without white space around.
    pub text: Personal,
    /// Whether it was a number in a spreadsheet, which forgets the zeros before it.
    pub was_number: bool,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SheetError {
    /// Larger than any roster.
    #[error("the file is larger than 32 MB, or would be when unpacked, or a cell lies far off")]
    TooLarge,
    /// Not a spreadsheet.
    #[error("the file is no XLSX that can be read")]
    NotXlsx,
    /// Not CSV.
    #[error("line {line} is no CSV in UTF-8")]
    NotCsv {
        /// Where.
        line: u64,
    },
    /// There is nothing in it.
    #[error("the table is empty")]
    Empty,
}

impl Sheet {
    /// Its rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The row of the names of columns: the first in which one of these words stands, in the spelling of
    /// [`folded`].
    pub(crate) fn header(&self, words: &[&str]) -> Option<usize> {
        self.rows
            .iter()
            .take(HEADER_WITHIN)
            .position(|row| row.iter().any(|cell| words.contains(&folded(cell.text.expose()).as_str())))
    }
}

/// The table of a file, told by its beginning: an XLSX is a ZIP.
pub fn of_file(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.starts_with(b"PK") { of_xlsx(bytes) } else { of_csv(bytes) }
}

/// CSV in UTF-8, with or without a byte order mark, parted by commas, semicolons or tabs.
pub fn of_csv(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > LARGEST_FILE {
        return Err(SheetError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
    let delimiter = [b',', b'\t', b';'].into_iter().max_by_key(|byte| count(*byte)).unwrap_or(b';');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record
            .map_err(|error| SheetError::NotCsv { line: error.position().map_or(0, csv::Position::line) })?;
        let cell = |text: &str| Cell { text: composed(text), was_number: false };
        rows.push(record.iter().map(cell).collect());
    }
    finished(rows)
}

/// The first sheet of an XLSX.
pub fn of_xlsx(bytes: &[u8]) -> Result<Sheet, SheetError> {
    check_size(bytes)?;
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).map_err(|_| SheetError::NotXlsx)?;
    let name = book.sheet_names().first().cloned().ok_or(SheetError::Empty)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(|_| SheetError::NotXlsx)?;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    while let Some(found) = cells.next_cell().map_err(|_| SheetError::NotXlsx)? {
        let (row, column) = found.get_position();
        let cell = cell(&Data::from(found.get_value().clone()));
        if cell.text.is_empty() {
            continue;
        }
        let (Ok(row_at), Ok(column_at)) = (usize::try_from(row), usize::try_from(column)) else {
            return Err(SheetError::TooLarge);
        };
        if row >= MOST_ROWS || column >= MOST_COLUMNS {
            return Err(SheetError::TooLarge);
        }
        if rows.len() <= row_at {
            rows.resize(row_at + 1, Vec::new());
        }
        let Some(row) = rows.get_mut(row_at) else { continue };
        if row.len() <= column_at {
            row.resize(column_at + 1, Cell::default());
        }
        if let Some(place) = row.get_mut(column_at) {
            *place = cell;
        }
    }
    // Every row has as many cells, as in the sheet.
    let width = rows.iter().map(Vec::len).max().unwrap_or_default();
    if rows.len().saturating_mul(width) > MOST_CELLS {
        return Err(SheetError::TooLarge);
    }
    rows.iter_mut().for_each(|row| row.resize(width, Cell::default()));
    finished(rows)
}

/// An archive that says it would grow beyond measure is not unpacked.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), SheetError> {
    if bytes.len() > LARGEST_FILE {
        return Err(SheetError::TooLarge);
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| SheetError::NotXlsx)?;
    // What an archive says of its sizes anybody may have written: it is unpacked once into nothing, as far as may be.
    let mut left = LARGEST_UNPACKED;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| SheetError::NotXlsx)?;
        let unpacked = std::io::copy(&mut entry.take(left.saturating_add(1)), &mut std::io::sink());
        let unpacked = unpacked.map_err(|_| SheetError::NotXlsx)?;
        left = left.checked_sub(unpacked).ok_or(SheetError::TooLarge)?;
    }
    Ok(())
}

fn finished(rows: Vec<Vec<Cell>>) -> Result<Sheet, SheetError> {
    if rows.iter().flatten().all(|cell| cell.text.is_empty()) {
        return Err(SheetError::Empty);
    }
    Ok(Sheet { rows })
}

/// Texts of offices come in either form of Unicode; ours is NFC.
fn composed(text: &str) -> Personal {
    cccd_document::text::composed(text.trim())
}

fn cell(data: &Data) -> Cell {
    match data {
        Data::String(text) => Cell { text: composed(text), was_number: false },
        Data::Int(number) => Cell { text: Personal::new(number.to_string()), was_number: true },
        // Twelve digits are far within what a double holds exactly.
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Cell { text: Personal::new(format!("{number:.0}")), was_number: true }
        }
        Data::Float(number) => Cell { text: Personal::new(number.to_string()), was_number: true },
        Data::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            let date = PartialDate::new(i32::from(year), Some(month), Some(day));
            Cell { text: date.and_then(PartialDate::to_printed).unwrap_or_default(), was_number: false }
        }
        Data::DateTimeIso(text) => {
            let date = text.get(..10).and_then(PartialDate::from_iso);
            let printed = date.and_then(PartialDate::to_printed);
            Cell { text: printed.unwrap_or_else(|| composed(text)), was_number: false }
        }
        Data::Bool(answer) => Cell { text: if *answer { "TRUE" } else { "FALSE" }.into(), was_number: false },
        _ => Cell::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sheet: &Sheet) -> Vec<Vec<&str>> {
        sheet.rows().iter().map(|row| row.iter().map(|cell| cell.text.expose()).collect()).collect()
    }

    #[test]
    fn csv_is_read_however_it_is_parted() {
        for text in
            ["a;b, c\n\"d;e\";f\n", "\u{FEFF}a;b, c\r\n\"d;e\";f\r\n", "a\tb, c\nd;e\tf", "a,\"b, c\"\nd;e,f"]
        {
            assert_eq!(texts(&of_csv(text.as_bytes()).unwrap()), [["a", "b, c"], ["d;e", "f"]], "{text:?}");
        }
    }

    /// An XLSX with these cells in its first sheet.
    fn xlsx(cells: &[(u32, u16, &str)]) -> Vec<u8> {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        for (row, column, text) in cells {
            sheet.write_string(*row, *column, *text).unwrap();
        }
        book.save_to_buffer().unwrap()
    }

    #[test]
    fn a_cell_far_away_makes_no_room_for_all_before_it() {
        // The last cell of a sheet (ECMA-376-1 as Excel keeps it): 17 thousand million lie before it.
        let far = xlsx(&[(0, 0, "a"), (1_048_575, 16_383, "b")]);
        assert!(far.len() < 10_000);
        assert!(matches!(of_xlsx(&far), Err(SheetError::TooLarge)));
        let near = xlsx(&[(1, 1, "a"), (1, 3, "b"), (3, 0, "c")]);
        assert_eq!(
            texts(&of_xlsx(&near).unwrap()),
            [[""; 4], ["", "a", "", "b"], [""; 4], ["c", "", "", ""]]
        );
    }

    #[test]
    fn decomposed_text_is_composed() {
        let sheet = of_csv("Nguye\u{302}\u{303}n".as_bytes()).unwrap();
        assert_eq!(texts(&sheet), [["Nguyễn"]]);
    }

    #[test]
    fn what_is_no_table_is_said_to_be_none() {
        assert!(matches!(of_csv(b"a;b\n\xFF\xFE;c"), Err(SheetError::NotCsv { line: 2 })));
        assert!(matches!(of_csv(b" \n"), Err(SheetError::Empty)));
        assert!(matches!(of_file(b"PK\x03\x04nothing"), Err(SheetError::NotXlsx)));
    }
}
