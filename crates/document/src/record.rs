//! One record of the citizen out of the files of the chip.
//!
//! DG13 has the text as it is printed, DG1 the same without diacritics, DG11 and DG12 what a foreign
//! passport adds. Each field says which file it is from: whoever vouches for a field vouches for its file.

use time::Date;

use crate::access::is_without_end;
use crate::lds::dg13::Dg13Note;
use crate::mrz::Completeness;
use crate::text::{StoredText, folded};
use crate::{
    DataGroup1, DataGroup11, DataGroup12, DataGroup13, FileId, Mrz, MrzFinding, MrzFormat, PartialDate,
    Personal, QrRecord, Sex, Spelling, StatedDate,
};

/// A value and the file it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<T> {
    /// The value.
    pub value: T,
    /// The file.
    pub source: FileId,
}

/// What the chip says about its holder. Absent fields were not on the chip, or empty, or not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CitizenRecord {
    /// The number the person keeps for life; in a foreign document, where there is one.
    pub personal_number: Option<Field<Personal>>,
    /// The number of the document as the MRZ has it.
    pub document_number: Option<Field<Personal>>,
    /// The document code of the MRZ.
    pub document_code: Option<Field<String>>,
    /// The issuing state of the MRZ.
    pub issuing_state: Option<Field<String>>,
    /// The full name as stored: with diacritics where the chip has them.
    pub full_name: Option<Field<Personal>>,
    /// The surname as the MRZ spells it.
    pub mrz_surname: Option<Field<Personal>>,
    /// Middle and given names as the MRZ spells them.
    pub mrz_given_names: Option<Field<Personal>>,
    /// Date of birth.
    pub birth: Option<Field<StatedDate>>,
    /// Sex.
    pub sex: Option<Field<Sex>>,
    /// Nationality: the word of DG13, or the three letters of the MRZ.
    pub nationality: Option<Field<Personal>>,
    /// Ethnicity.
    pub ethnicity: Option<Field<Personal>>,
    /// Religion; `Không` where there is none.
    pub religion: Option<Field<Personal>>,
    /// Place of origin, or of birth in a foreign document.
    pub origin: Option<Field<Personal>>,
    /// Residence.
    pub residence: Option<Field<Personal>>,
    /// Identifying features.
    pub features: Option<Field<Personal>>,
    /// Date of issue.
    pub issued: Option<Field<StatedDate>>,
    /// Until when the document is valid.
    pub expiry: Option<Field<Validity>>,
    /// Father.
    pub father: Option<Field<Personal>>,
    /// Mother.
    pub mother: Option<Field<Personal>>,
    /// One parent, where the chip does not tell which.
    pub unplaced_parent: Option<Field<Personal>>,
    /// Husband or wife.
    pub spouse: Option<Field<Personal>>,
    /// The nine-digit number of the older identity card.
    pub old_number: Option<Field<Personal>>,
    /// Field 16 of DG13: sixteen hexadecimal digits of unknown meaning.
    pub field_16: Option<Field<Personal>>,
    /// What disagrees or is odd.
    pub notes: Vec<RecordNote>,
}

/// Until when a document is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validity {
    /// Until this date.
    Until(StatedDate),
    /// For ever, in the words the document uses.
    WithoutEnd(Personal),
}

/// Something that disagrees or is odd. It tells no value, so that it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordNote {
    /// DG1 and DG13 have different numbers.
    NumbersDiffer,
    /// DG1 and DG13 have different names, diacritics aside.
    NamesDiffer,
    /// DG1 and DG13 have different dates of birth.
    BirthsDiffer,
    /// DG1 and DG13 have different sexes.
    SexesDiffer,
    /// DG1 and DG13 expire at different times.
    ExpiriesDiffer,
    /// The MRZ of DG1 has something that does not fit.
    Mrz(MrzFinding),
    /// DG13 has something odd.
    Dg13(Dg13Note),
    /// DG13 is not of the Vietnamese structure.
    Dg13Unrecognised,
    /// The scanned code and the chip have different numbers.
    ScannedNumberDiffers,
    /// The scanned code and the chip have different names, diacritics aside.
    ScannedNameDiffers,
    /// The scanned code and the chip have different dates of birth.
    ScannedBirthDiffers,
    /// The scanned code and the chip have different sexes.
    ScannedSexDiffers,
    /// The scanned code and the chip have different dates of issue: the code may be that of an earlier card.
    ScannedIssueDiffers,
    /// The scanned code and the chip have different numbers of the older card.
    ScannedOldNumberDiffers,
    /// The scanned code and the chip have different residences, diacritics and punctuation aside. No source
    /// says that they must be written alike, so this alone is no disagreement.
    ScannedResidenceDiffers,
    /// The name in the scanned code was spoilt on the way and cannot be compared.
    ScannedNameUnclear,
}

/// The files to make a record of. Any may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordSources<'a> {
    /// The MRZ.
    pub dg1: Option<&'a DataGroup1>,
    /// The Vietnamese text.
    pub dg13: Option<&'a DataGroup13>,
    /// Additional personal details.
    pub dg11: Option<&'a DataGroup11>,
    /// Additional document details.
    pub dg12: Option<&'a DataGroup12>,
}

impl CitizenRecord {
    /// Merges the files. `today` settles the century of the two-digit years of the MRZ.
    ///
    /// DG13 goes before DG11, and that before DG1.
    pub fn merge(sources: RecordSources<'_>, today: Date) -> Self {
        let mut record = Self::default();
        let text = sources.dg13.and_then(DataGroup13::vietnamese);
        match (sources.dg13, text) {
            (Some(dg13), Some(_)) => record.take_dg13(dg13),
            (Some(_), None) => record.notes.push(RecordNote::Dg13Unrecognised),
            (None, _) => {}
        }
        if let Some(dg11) = sources.dg11 {
            record.take_dg11(dg11);
        }
        if let Some(dg12) = sources.dg12 {
            let issued =
                dg12.issued.map(|date| Field { value: StatedDate::from_date(date), source: FileId::DG12 });
            fill(&mut record.issued, issued);
        }
        if let Some(dg1) = sources.dg1 {
            record.take_mrz(&dg1.mrz, today);
        }
        if let (Some(dg1), Some(_)) = (sources.dg1, text) {
            record.compare(&dg1.mrz, today);
        }
        record
    }

    /// Compares what a code said, which nobody signed, with what the chip says; each difference becomes a
    /// note. Whether they agree in everything both of them have: number, name, birth, sex, issue and the number
    /// of the older card.
    pub fn compare_scan(&mut self, scan: &QrRecord) -> bool {
        self.compare_residence(scan);
        let before = self.notes.len();
        let number = scan.personal_number.expose().trim();
        // A passport's number is another one; a card without DG13 has the twelve digits in its MRZ.
        if self.personal_number.as_ref().is_some_and(|field| field.value.expose().trim() != number) {
            self.notes.push(RecordNote::ScannedNumberDiffers);
        }
        let name = folded(scan.full_name.expose());
        let names_differ = self.full_name.as_ref().is_some_and(|field| folded(field.value.expose()) != name);
        if names_differ && scan.spelling == Spelling::Whole {
            self.notes.push(RecordNote::ScannedNameDiffers);
        }
        if self.birth.as_ref().is_some_and(|field| field.value.date.contradicts(scan.birth.date)) {
            self.notes.push(RecordNote::ScannedBirthDiffers);
        }
        if let (Some(chip), Some(scanned)) = (&self.sex, scan.sex)
            && chip.value != Sex::Unspecified
            && chip.value != scanned
        {
            self.notes.push(RecordNote::ScannedSexDiffers);
        }
        if self.issued.as_ref().is_some_and(|field| field.value.date.contradicts(scan.issued.date)) {
            self.notes.push(RecordNote::ScannedIssueDiffers);
        }
        if let (Some(chip), Some(scanned)) = (&self.old_number, &scan.old_number)
            && chip.value.expose().trim() != scanned.expose()
        {
            self.notes.push(RecordNote::ScannedOldNumberDiffers);
        }
        let agree = self.notes.len() == before;
        if names_differ && scan.spelling == Spelling::Damaged {
            self.notes.push(RecordNote::ScannedNameUnclear);
        }
        agree
    }

    fn compare_residence(&mut self, scan: &QrRecord) {
        let scanned = folded(scan.residence.expose());
        let differ = self.residence.as_ref().is_some_and(|field| folded(field.value.expose()) != scanned);
        if differ && !scanned.is_empty() && scan.spelling == Spelling::Whole {
            self.notes.push(RecordNote::ScannedResidenceDiffers);
        }
    }

    fn take_dg13(&mut self, dg13: &DataGroup13) {
        let Some(text) = dg13.vietnamese() else { return };
        let plain = |stored: Option<&StoredText>| stored.map(|stored| in_dg13(stored.text.clone()));
        let date = |stored: Option<&StoredText>| {
            stored.map(|stored| in_dg13(StatedDate::from_printed(stored.as_str())))
        };
        self.personal_number = plain(text.personal_number());
        self.full_name = plain(text.full_name());
        self.birth = date(text.birth());
        self.sex = text.sex().and_then(|word| Sex::from_vietnamese(word.as_str())).map(in_dg13);
        self.nationality = plain(text.nationality());
        self.ethnicity = plain(text.ethnicity());
        self.religion = plain(text.religion());
        self.origin = plain(text.origin());
        self.residence = plain(text.residence());
        self.features = plain(text.features());
        self.issued = date(text.issued());
        self.expiry = text.expiry().map(|stored| in_dg13(Validity::from_printed(stored)));
        self.father = plain(text.parents().father);
        self.mother = plain(text.parents().mother);
        self.unplaced_parent = plain(text.parents().unplaced);
        self.spouse = plain(text.spouse());
        self.old_number = plain(text.old_number());
        self.field_16 = plain(text.field_16());
        self.notes.extend(text.notes.iter().copied().map(RecordNote::Dg13));
    }

    fn take_dg11(&mut self, dg11: &DataGroup11) {
        let plain = |stored: &Option<StoredText>| {
            stored.as_ref().map(|stored| Field { value: stored.text.clone(), source: FileId::DG11 })
        };
        fill(&mut self.personal_number, plain(&dg11.personal_number));
        fill(&mut self.full_name, plain(&dg11.full_name));
        fill(&mut self.origin, plain(&dg11.place_of_birth));
        fill(&mut self.residence, plain(&dg11.address));
        let birth = dg11.birth.filter(|date| *date != PartialDate::Unknown);
        fill(
            &mut self.birth,
            birth.map(|date| Field { value: StatedDate::from_date(date), source: FileId::DG11 }),
        );
    }

    fn take_mrz(&mut self, mrz: &Mrz, today: Date) {
        self.document_number = named(&mrz.document_number);
        self.document_code = Some(in_dg1(mrz.document_code.clone()));
        self.issuing_state = Some(in_dg1(mrz.issuing_state.clone()));
        self.mrz_surname = named(&mrz.name.primary);
        self.mrz_given_names = named(&mrz.name.secondary);
        fill(&mut self.personal_number, mrz.personal_number.as_ref().and_then(named));
        fill(&mut self.full_name, named(&mrz.name.full()));
        let birth = mrz.birth_on(today);
        if birth != PartialDate::Unknown {
            fill(&mut self.birth, Some(in_dg1(StatedDate::from_date(birth))));
        }
        fill(&mut self.sex, Some(in_dg1(mrz.sex)));
        fill(&mut self.nationality, named(&mrz.nationality));
        fill(&mut self.expiry, Validity::from_mrz(mrz, today).map(in_dg1));
        self.notes.extend(mrz.findings.iter().copied().map(RecordNote::Mrz));
    }

    /// Compares what DG1 says with the fields, where those came from DG13.
    fn compare(&mut self, mrz: &Mrz, today: Date) {
        let mut notes = Vec::new();
        let mut differ = |yes: Option<bool>, note| {
            if yes == Some(true) {
                notes.push(note);
            }
        };
        differ(
            of_dg13(&self.personal_number).map(|number| !same_number(mrz, number)),
            RecordNote::NumbersDiffer,
        );
        differ(of_dg13(&self.full_name).map(|name| !same_name(mrz, name)), RecordNote::NamesDiffer);
        let birth = mrz.birth_on(today);
        differ(of_dg13(&self.birth).map(|stated| stated.date.contradicts(birth)), RecordNote::BirthsDiffer);
        differ(
            of_dg13(&self.sex).map(|sex| mrz.sex != Sex::Unspecified && *sex != mrz.sex),
            RecordNote::SexesDiffer,
        );
        let expiry = Validity::from_mrz(mrz, today);
        differ(
            of_dg13(&self.expiry).zip(expiry.as_ref()).map(|(one, other)| one.contradicts(other)),
            RecordNote::ExpiriesDiffer,
        );
        self.notes.append(&mut notes);
    }
}

impl Validity {
    fn from_printed(stored: &StoredText) -> Self {
        let stated = StatedDate::from_printed(stored.as_str());
        if stated.date == PartialDate::Unknown && is_without_end(stored.as_str()) {
            Self::WithoutEnd(stored.text.clone())
        } else {
            Self::Until(stated)
        }
    }

    fn from_mrz(mrz: &Mrz, today: Date) -> Option<Self> {
        if mrz.has_no_expiry() {
            return Some(Self::WithoutEnd(Personal::default()));
        }
        let date = mrz.expiry_on(today);
        (date != PartialDate::Unknown).then(|| Self::Until(StatedDate::from_date(date)))
    }

    fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Until(one), Self::Until(other)) => one.date.contradicts(other.date),
            (Self::WithoutEnd(_), Self::WithoutEnd(_)) => false,
            // What could not be read contradicts nothing.
            (Self::Until(dated), Self::WithoutEnd(_)) | (Self::WithoutEnd(_), Self::Until(dated)) => {
                dated.date != PartialDate::Unknown
            }
        }
    }
}

/// A Vietnamese MRZ has the last nine of the twelve digits for a document number, and all twelve beside it.
fn same_number(mrz: &Mrz, number: &Personal) -> bool {
    let number = number.expose().trim();
    match (&mrz.personal_number, mrz.format) {
        (Some(twelve), MrzFormat::Td1) => {
            twelve.expose() == number && number.ends_with(mrz.document_number.expose())
        }
        _ => !mrz.document_number.is_empty() && number.ends_with(mrz.document_number.expose()),
    }
}

/// Compares names in the MRZ's spelling. A name that fills its field may have lost words or their ends
/// (ICAO 9303-3, 4.6: truncation): then each of its words must begin one of the other's, in order.
fn same_name(mrz: &Mrz, name: &Personal) -> bool {
    let (full, spelt) = (folded(name.expose()), mrz.name.full());
    match mrz.name.completeness {
        Completeness::Whole => full.as_str() == spelt.expose(),
        Completeness::PerhapsCut => {
            let mut words = full.split(' ');
            spelt.expose().split(' ').all(|cut| words.any(|word| word.starts_with(cut)))
        }
    }
}

fn in_dg1<T>(value: T) -> Field<T> {
    Field { value, source: FileId::DG1 }
}

fn in_dg13<T>(value: T) -> Field<T> {
    Field { value, source: FileId::DG13 }
}

/// A field of DG1, unless it is empty.
fn named(value: &Personal) -> Option<Field<Personal>> {
    (!value.is_empty()).then(|| in_dg1(value.clone()))
}

fn of_dg13<T>(field: &Option<Field<T>>) -> Option<&T> {
    field.as_ref().filter(|field| field.source == FileId::DG13).map(|field| &field.value)
}

/// Fills a field that an earlier source left empty.
fn fill<T>(slot: &mut Option<Field<T>>, value: Option<Field<T>>) {
    if slot.is_none() {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lds::dg13::tests::{example, field, file, utf8};
    use crate::mrz::check_digit;
    use cccd_card::tlv::{Tag, encode};
    use time::macros::date;

    const TODAY: Date = date!(2026 - 11 - 20);
    const UPPER: &str = "IDVNM0901234562000090123456<<2";

    /// DG1 with these lines two and three; the composite digit is put right.
    fn dg1(middle: &str, name: &str) -> DataGroup1 {
        let covered = [&UPPER[5..], &middle[..7], &middle[8..15], &middle[18..29]].concat();
        let text = format!("{UPPER}{}{}{name:<<30}", &middle[..29], check_digit(&covered).unwrap());
        DataGroup1::parse(&encode(Tag(0x61), &encode(Tag(0x5F1F), text.as_bytes()))).unwrap()
    }

    fn example_dg1() -> DataGroup1 {
        dg1("9001022M3001020VNM<<<<<<<<<<<", "NGUYEN<<VAN<MAU")
    }

    fn example_dg13() -> DataGroup13 {
        DataGroup13::parse(&example()).unwrap()
    }

    fn merge(dg1: &DataGroup1, dg13: &DataGroup13) -> CitizenRecord {
        let sources = RecordSources { dg1: Some(dg1), dg13: Some(dg13), ..RecordSources::default() };
        CitizenRecord::merge(sources, TODAY)
    }

    fn text(field: &Option<Field<Personal>>) -> Option<(&str, FileId)> {
        field.as_ref().map(|field| (field.value.expose(), field.source))
    }

    fn date_of(field: &Option<Field<StatedDate>>) -> (String, String, FileId) {
        let field = field.as_ref().unwrap();
        let iso = field.value.date.to_iso().unwrap();
        (iso.expose().to_owned(), field.value.printed.expose().to_owned(), field.source)
    }

    #[test]
    fn the_example_card_gives_every_field_and_no_note() {
        let record = merge(&example_dg1(), &example_dg13());
        assert_eq!(record.notes, []);
        for (found, expected) in [
            (&record.personal_number, "000090123456"),
            (&record.full_name, "Nguyễn Văn Mẫu"),
            (&record.nationality, "Việt Nam"),
            (&record.ethnicity, "Kinh"),
            (&record.religion, "Không"),
            (&record.origin, "Xã Mẫu, Huyện Mẫu, Tỉnh Mẫu"),
            (&record.residence, "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu"),
            (&record.features, "Nốt ruồi C:1cm dưới mép trái"),
            (&record.father, "Nguyễn Văn Cha"),
            (&record.mother, "Trần Thị Mẹ"),
            (&record.old_number, "000123456"),
            (&record.field_16, "00112233445566AA"),
        ] {
            assert_eq!(text(found), Some((expected, FileId::DG13)));
        }
        assert_eq!(text(&record.document_number), Some(("090123456", FileId::DG1)));
        assert_eq!(text(&record.mrz_surname), Some(("NGUYEN", FileId::DG1)));
        assert_eq!(date_of(&record.birth), ("1990-01-02".into(), "02/01/1990".into(), FileId::DG13));
        assert_eq!(date_of(&record.issued), ("2022-03-15".into(), "15/03/2022".into(), FileId::DG13));
        assert!(record.sex.unwrap().value == Sex::Male);
        assert_eq!(record.spouse, None);
        assert!(matches!(record.expiry.unwrap().value, Validity::Until(stated)
            if stated.date == PartialDate::from_iso("2030-01-02").unwrap()));
    }

    #[test]
    fn without_dg13_there_is_still_an_identity() {
        let dg1 = example_dg1();
        let sources = RecordSources { dg1: Some(&dg1), ..RecordSources::default() };
        let record = CitizenRecord::merge(sources, TODAY);
        assert_eq!(record.notes, []);
        assert_eq!(text(&record.personal_number), Some(("000090123456", FileId::DG1)));
        assert_eq!(text(&record.full_name), Some(("NGUYEN VAN MAU", FileId::DG1)));
        assert_eq!(date_of(&record.birth), ("1990-01-02".into(), "02/01/1990".into(), FileId::DG1));
        assert_eq!(record.residence, None);
        let unrecognised = DataGroup13::parse(&[0x6D, 0x02, 0x04, 0x00]).unwrap();
        assert_eq!(merge(&dg1, &unrecognised).notes, [RecordNote::Dg13Unrecognised]);
    }

    #[test]
    fn a_foreign_passport_is_filled_from_dg11_and_dg12() {
        let lines =
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10";
        let dg1 = DataGroup1::parse(&encode(Tag(0x61), &encode(Tag(0x5F1F), lines.as_bytes()))).unwrap();
        let details =
            [encode(Tag(0x5F0E), "ERIKSSON<<ÁNNA".as_bytes()), encode(Tag(0x5F42), b"1 MAIN ST<ZENITH")];
        let dg11 = DataGroup11::parse(&encode(Tag(0x6B), &details.concat())).unwrap();
        let dg12 = DataGroup12::parse(&encode(Tag(0x6C), &encode(Tag(0x5F26), b"20070415"))).unwrap();
        let sources = RecordSources { dg1: Some(&dg1), dg13: None, dg11: Some(&dg11), dg12: Some(&dg12) };
        let record = CitizenRecord::merge(sources, TODAY);
        assert_eq!(text(&record.full_name), Some(("ERIKSSON ÁNNA", FileId::DG11)));
        assert_eq!(text(&record.residence), Some(("1 MAIN ST ZENITH", FileId::DG11)));
        assert_eq!(text(&record.personal_number), Some(("ZE184226B", FileId::DG1)));
        assert_eq!(text(&record.nationality), Some(("UTO", FileId::DG1)));
        assert_eq!(date_of(&record.issued), ("2007-04-15".into(), "15/04/2007".into(), FileId::DG12));
        assert_eq!(date_of(&record.birth).2, FileId::DG1);
        assert_eq!(record.notes, []);
    }

    #[test]
    fn each_disagreement_is_its_own_note() {
        let name = "NGUYEN<<VAN<MAU";
        for (middle, name, number, note) in [
            ("9001022M3001020VNM<<<<<<<<<<<", name, "000090123457", RecordNote::NumbersDiffer),
            ("9001022M3001020VNM<<<<<<<<<<<", "NGUYEN<<VAN<MAI", "000090123456", RecordNote::NamesDiffer),
            ("9001033M3001020VNM<<<<<<<<<<<", name, "000090123456", RecordNote::BirthsDiffer),
            ("9001022F3001020VNM<<<<<<<<<<<", name, "000090123456", RecordNote::SexesDiffer),
            ("9001022M3001031VNM<<<<<<<<<<<", name, "000090123456", RecordNote::ExpiriesDiffer),
            ("9001022M9912315VNM<<<<<<<<<<<", name, "000090123456", RecordNote::ExpiriesDiffer),
        ] {
            let mut bytes = example();
            let at = bytes.windows(12).position(|window| window == b"000090123456").unwrap();
            bytes[at..at + 12].copy_from_slice(number.as_bytes());
            let record = merge(&dg1(middle, name), &DataGroup13::parse(&bytes).unwrap());
            assert_eq!(record.notes, [note]);
        }
    }

    #[test]
    fn a_name_cut_short_in_the_mrz_is_no_disagreement() {
        let full = "Nguyễn Thị Phương Thảo Bình Nguyên";
        let dg13 = DataGroup13::parse(&file(&[field(2, &[utf8(full)])])).unwrap();
        let middle = "9001022M3001020VNM<<<<<<<<<<<";
        let cut = dg1(middle, "NGUYEN<<THI<PHUONG<THAO<BINH<N");
        assert_eq!(merge(&cut, &dg13).notes, []);
        let other = dg1(middle, "NGUYEN<<THI<PHUONG<THAO<BINH<V");
        assert_eq!(merge(&other, &dg13).notes, [RecordNote::NamesDiffer]);
        let whole = dg1(middle, "NGUYEN<<THI<PHUONG<THAO<BINH");
        assert_eq!(merge(&whole, &dg13).notes, [RecordNote::NamesDiffer]);
    }

    #[test]
    fn words_for_no_expiry_agree_with_the_mrz() {
        let dg13 = DataGroup13::parse(&file(&[field(12, &[utf8("Không thời hạn")])])).unwrap();
        let record = merge(&dg1("9001022M9912315VNM<<<<<<<<<<<", "NGUYEN<<VAN<MAU"), &dg13);
        assert_eq!(record.notes, []);
        assert!(matches!(record.expiry.unwrap().value, Validity::WithoutEnd(words)
            if words.expose() == "Không thời hạn"));
    }

    #[test]
    fn part_of_a_birth_agrees_with_less_of_it() {
        let dg13 = DataGroup13::parse(&file(&[field(3, &[utf8("1990")])])).unwrap();
        let record = merge(&dg1("90<<<<3M3001020VNM<<<<<<<<<<<", "NGUYEN<<VAN<MAU"), &dg13);
        assert_eq!(record.notes, []);
        assert_eq!(date_of(&record.birth), ("1990".into(), "1990".into(), FileId::DG13));
    }

    #[test]
    fn a_scan_is_compared_field_by_field() {
        const SCAN: &str = "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|\
                            Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022";
        for (from, to, agree, note) in [
            ("", "", true, None),
            // What a keyboard-type scanner makes of the same card.
            ("Nguyễn Văn Mẫu", "NGUYEN VAN MAU", true, None),
            ("Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu", "So 1 Duong Mau, Xa Mau, Tinh Mau", true, None),
            ("02011990", "1990", true, None),
            ("|000123456|", "||", true, None),
            ("15032022", "", true, None),
            ("Nguyễn Văn", "Nguy?n Văn", true, Some(RecordNote::ScannedNameUnclear)),
            ("Số 1,", "Số 2,", true, Some(RecordNote::ScannedResidenceDiffers)),
            ("000090123456", "000090123457", false, Some(RecordNote::ScannedNumberDiffers)),
            ("Nguyễn Văn Mẫu", "Nguyễn Văn Thử", false, Some(RecordNote::ScannedNameDiffers)),
            ("02011990", "1991", false, Some(RecordNote::ScannedBirthDiffers)),
            ("|Nam|", "|Nữ|", false, Some(RecordNote::ScannedSexDiffers)),
            ("15032022", "16032022", false, Some(RecordNote::ScannedIssueDiffers)),
            ("000123456", "000123457", false, Some(RecordNote::ScannedOldNumberDiffers)),
        ] {
            let payload = crate::QrPayload::parse(SCAN.replacen(from, to, 1).as_bytes());
            let mut record = merge(&example_dg1(), &example_dg13());
            assert_eq!(record.compare_scan(payload.citizen().unwrap()), agree, "{to}");
            assert_eq!(record.notes, Vec::from_iter(note), "{to}");
        }
    }

    #[test]
    fn debug_of_a_whole_record_names_nobody() {
        let record = merge(&example_dg1(), &example_dg13());
        let shown = format!("{record:?} {record:#?} {:?} {:?}", example_dg1(), example_dg13());
        for personal in [
            "Nguyễn",
            "NGUYEN",
            "Mẫu",
            "MAU",
            "Trần",
            "Kinh",
            "Không",
            "Việt",
            "090123456",
            "000123456",
            "00112233445566AA",
            "1990",
            "2030",
            "2022",
            "Male",
            "\"Nam",
            "Đường",
            "ruồi",
        ] {
            assert!(!shown.contains(personal), "{personal} in {shown}");
        }
    }
}
