//! DG2: the face (ICAO 9303-10, 4.7.2; ISO/IEC 19794-5, 5).

use cccd_card::ByteReader;
use cccd_card::tlv::{Tag, TlvReader};

use crate::malformed::unwrap;
use crate::portrait::{MediaType, Portrait};
use crate::{MalformedFile, PersonalBytes};

/// More faces than this are not read. ICAO allows several, states store one.
const MOST_FACES: usize = 8;
/// Templates nest five deep in the layouts that are known.
const DEEPEST: usize = 12;

/// The portraits on the chip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataGroup2 {
    /// The portraits, first to last. Empty where none was found.
    pub portraits: Vec<Portrait>,
    /// What is odd about the records around them.
    pub notes: Vec<Dg2Note>,
}

/// Something odd about a DG2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dg2Note {
    /// A record's length does not match what is there (card-quirks 64). The picture runs to the end.
    LengthOff {
        /// The length the record states.
        declared: u32,
        /// The length that is there.
        actual: usize,
    },
    /// A picture stands without the record that belongs around it (card-quirks 65).
    NoRecord,
    /// The record around the picture is of a kind not known here: the picture was found by its beginning.
    UnknownRecord,
    /// There are more faces than are read.
    TooMany,
}

impl DataGroup2 {
    /// Reads the file: `75 { 7F61 { 02 count, 7F60 { A1 header, 5F2E or 7F2E record } .. } }`.
    ///
    /// Faces are looked for in whatever nesting there is. A file without any is no error: it says so by
    /// having no portraits.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let content = unwrap(bytes, Tag(0x75))?;
        let mut found = Self::default();
        if MediaType::of(content) == MediaType::Unknown {
            found.search(TlvReader::new(content), DEEPEST);
        } else {
            found.bare(content);
        }
        if found.portraits.is_empty() {
            found.scan(content);
        }
        Ok(found)
    }

    fn search(&mut self, mut objects: TlvReader<'_>, depth: usize) {
        while let Ok(Some(object)) = objects.next_object() {
            // 5F2E holds the record itself; 7F2E, for encrypted records and those of ISO/IEC 39794-5, holds
            // objects, but some chips put the record there all the same.
            if object.value.starts_with(b"FAC\0") {
                self.facial_record(object.value);
            } else if MediaType::of(object.value) != MediaType::Unknown {
                self.bare(object.value);
            } else if object.tag.is_constructed() && depth > 0 {
                self.search(TlvReader::new(object.value), depth - 1);
            }
        }
    }

    fn keep(&mut self, portrait: Portrait) {
        if self.portraits.len() < MOST_FACES {
            self.portraits.push(portrait);
        } else if self.notes.last() != Some(&Dg2Note::TooMany) {
            self.notes.push(Dg2Note::TooMany);
        }
    }

    fn bare(&mut self, picture: &[u8]) {
        self.notes.push(Dg2Note::NoRecord);
        self.keep(Portrait::new(picture, None));
    }

    /// The last resort: the first place where a picture begins, up to the end.
    fn scan(&mut self, content: &[u8]) {
        let rest = |at: usize| content.get(at..).unwrap_or_default();
        if let Some(at) = (0..content.len()).find(|&at| MediaType::of(rest(at)) != MediaType::Unknown) {
            self.notes.push(Dg2Note::UnknownRecord);
            self.keep(Portrait::new(rest(at), None));
        }
    }

    /// A facial record: header of 14 bytes, then the faces (ISO/IEC 19794-5, 5.4 and 5.5).
    fn facial_record(&mut self, record: &[u8]) {
        let mut reader = ByteReader::new(record);
        let Some((declared, count)) = record_header(&mut reader) else {
            return self.notes.push(Dg2Note::UnknownRecord);
        };
        if usize::try_from(declared) != Ok(record.len()) {
            self.notes.push(Dg2Note::LengthOff { declared, actual: record.len() });
        }
        for face in 1..=count {
            // A count says nothing about how many there are: the bytes do.
            if reader.is_empty() {
                return;
            }
            let Some(face) = Face::read(&mut reader, face == count) else {
                return self.notes.push(Dg2Note::UnknownRecord);
            };
            self.notes.extend(face.note);
            self.keep(face.portrait);
        }
    }
}

/// Format identifier, version, length, number of faces.
fn record_header(reader: &mut ByteReader<'_>) -> Option<(u32, u16)> {
    reader.take(8).ok()?;
    Some((reader.u32().ok()?, reader.u16().ok()?))
}

struct Face {
    portrait: Portrait,
    note: Option<Dg2Note>,
}

impl Face {
    /// Facial information of 20 bytes, feature points of 8 each, image information of 12, the picture
    /// (ISO/IEC 19794-5, 5.5 to 5.7).
    fn read(reader: &mut ByteReader<'_>, last: bool) -> Option<Self> {
        let whole = reader.rest().len();
        let declared = reader.u32().ok()?;
        let points = usize::from(reader.u16().ok()?);
        // Gender, eye and hair colour, properties, expression, pose: not asked for by anyone.
        reader.take(14).ok()?;
        reader.take(points.checked_mul(8)?).ok()?;
        let _kind = reader.u16().ok()?;
        let size = (reader.u16().ok()?, reader.u16().ok()?);
        reader.take(6).ok()?;
        let header = whole - reader.rest().len();
        let rest = reader.rest().len();
        let stated = usize::try_from(declared).ok()?.checked_sub(header).filter(|&length| length <= rest);
        // The last face runs to the end, whatever its length says: a picture cut short is lost, one with
        // padding after it is not.
        let length = if last { rest } else { stated? };
        let note =
            (stated != Some(length)).then_some(Dg2Note::LengthOff { declared, actual: header + length });
        let picture = reader.take(length).ok()?;
        let size = Some(size).filter(|&(width, height)| width != 0 && height != 0);
        Some(Self { portrait: Portrait::new(picture, size), note })
    }
}

impl DataGroup2 {
    /// The portrait to show: the first that is of a known kind.
    pub fn portrait(&self) -> Option<&Portrait> {
        self.portraits
            .iter()
            .find(|portrait| portrait.media_type != MediaType::Unknown)
            .or(self.portraits.first())
    }

    /// The bytes of that portrait.
    pub fn picture(&self) -> Option<&PersonalBytes> {
        self.portrait().map(|portrait| &portrait.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portrait::tests::{GREY_JP2, jpeg};
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    /// A face with so many feature points; `off` is added to its stated length.
    fn face(picture: &[u8], points: u16, off: i32) -> Vec<u8> {
        let length = 20 + 8 * usize::from(points) + 12 + picture.len();
        let stated = u32::try_from(length).unwrap().wrapping_add_signed(off);
        [
            &stated.to_be_bytes()[..],
            &points.to_be_bytes(),
            &[0; 14],
            &vec![0xEE; 8 * usize::from(points)],
            &[1, 0, 0, 24, 0, 16, 1, 0, 0, 0, 0, 0],
            picture,
        ]
        .concat()
    }

    fn record(faces: &[Vec<u8>], off: i32) -> Vec<u8> {
        let faces_bytes = faces.concat();
        let length = u32::try_from(14 + faces_bytes.len()).unwrap().wrapping_add_signed(off);
        [
            &b"FAC\x00010\x00"[..],
            &length.to_be_bytes(),
            &u16::try_from(faces.len()).unwrap().to_be_bytes(),
            &faces_bytes,
        ]
        .concat()
    }

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let mut group = vec![0x02, 0x01, u8::try_from(records.len()).unwrap()];
        for record in records {
            let header =
                encode(Tag(0xA1), &[0x81, 0x01, 0x02, 0x87, 0x02, 0x01, 0x01, 0x88, 0x02, 0x00, 0x08]);
            group.extend(encode(Tag(0x7F60), &[header, encode(Tag(0x5F2E), record)].concat()));
        }
        encode(Tag(0x75), &encode(Tag(0x7F61), &group))
    }

    #[test]
    fn the_picture_comes_out_exactly_as_it_went_in() {
        for points in [0, 3] {
            let picture = jpeg();
            let dg2 = DataGroup2::parse(&file(&[record(&[face(&picture, points, 0)], 0)])).unwrap();
            assert_eq!(dg2.notes, []);
            let portrait = dg2.portrait().unwrap();
            assert_eq!(portrait.bytes.expose(), picture);
            assert_eq!((portrait.media_type, portrait.declared_size), (MediaType::Jpeg, Some((24, 16))));
        }
    }

    #[test]
    fn several_faces_in_one_record_and_in_several() {
        let (one, two) = (face(&jpeg(), 0, 0), face(GREY_JP2, 2, 0));
        for bytes in
            [file(&[record(&[one.clone(), two.clone()], 0)]), file(&[record(&[one], 0), record(&[two], 0)])]
        {
            let dg2 = DataGroup2::parse(&bytes).unwrap();
            let kinds: Vec<_> = dg2.portraits.iter().map(|portrait| portrait.media_type).collect();
            assert_eq!(kinds, [MediaType::Jpeg, MediaType::Jp2]);
            assert_eq!(dg2.portraits[1].bytes.expose(), GREY_JP2);
            assert_eq!(dg2.notes, []);
        }
    }

    #[test]
    fn lengths_off_by_some_bytes_cost_no_byte_of_the_picture() {
        let picture = jpeg();
        for off in [-8, -1, 1, 8] {
            let dg2 = DataGroup2::parse(&file(&[record(&[face(&picture, 0, off)], off)])).unwrap();
            assert_eq!(dg2.portrait().unwrap().bytes.expose(), picture, "{off}");
            assert_eq!(dg2.notes.len(), 2, "{off}");
            assert!(dg2.notes.iter().all(|note| matches!(note, Dg2Note::LengthOff { .. })));
        }
    }

    #[test]
    fn a_picture_without_its_record_is_found() {
        let picture = jpeg();
        let in_template = file(std::slice::from_ref(&picture));
        for bytes in [encode(Tag(0x75), &picture), in_template] {
            let dg2 = DataGroup2::parse(&bytes).unwrap();
            assert_eq!(dg2.picture().unwrap().expose(), picture);
            assert_eq!(dg2.notes, [Dg2Note::NoRecord]);
        }
        let unknown = file(&[[b"XYZ\0something".to_vec(), picture.clone()].concat()]);
        let dg2 = DataGroup2::parse(&unknown).unwrap();
        assert_eq!(dg2.picture().unwrap().expose(), picture);
        assert_eq!(dg2.notes, [Dg2Note::UnknownRecord]);
    }

    #[test]
    fn no_face_is_no_error_and_too_many_are_capped() {
        assert_eq!(DataGroup2::parse(&file(&[])).unwrap(), DataGroup2::default());
        let faces = vec![face(&jpeg(), 0, 0); 20];
        let dg2 = DataGroup2::parse(&file(&[record(&faces, 0)])).unwrap();
        assert_eq!((dg2.portraits.len(), dg2.notes.as_slice()), (MOST_FACES, &[Dg2Note::TooMany][..]));
        // A record that claims 65535 faces and has one.
        let mut lying = record(&[face(&jpeg(), 0, 0)], 0);
        lying[12..14].copy_from_slice(&[0xFF, 0xFF]);
        assert_eq!(DataGroup2::parse(&file(&[lying])).unwrap().portraits.len(), 1);
        assert!(DataGroup2::parse(&[0x76, 0x00]).is_err());
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = file(&[record(&[face(&jpeg(), 2, 0), face(GREY_JP2, 0, 0)], 0)]);
            for (at, value) in flips {
                let at = at.index(bytes.len().min(120));
                bytes[at] = value;
            }
            let _ = DataGroup2::parse(&bytes);
            let _ = DataGroup2::parse(&bytes[..cut.index(bytes.len())]);
        }
    }
}
