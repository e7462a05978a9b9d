//! DG3 and DG4: fingers and irises (ICAO 9303-10, 4.7.3 and 4.7.4; ISO/IEC 19785-3; ISO/IEC 19794-4:2005, 7).
//!
//! Pictures stay in the coding they have on the chip: WSQ, JPEG 2000 and the like are for whoever compares them.

use std::fmt;

use cccd_card::ByteReader;
use cccd_card::tlv::{Tag, Tlv, TlvReader};

use crate::malformed::unwrap;
use crate::portrait::MediaType;
use crate::{FileId, MalformedFile, PersonalBytes};

/// More pictures than this are not read: ten fingers, and some of them twice.
const MOST_IMAGES: usize = 24;
/// Templates nest four deep in the layouts that are known.
const DEEPEST: usize = 8;
/// Biometric header template.
const HEADER: Tag = Tag(0xA1);
/// Biometric subtype within it.
const SUBTYPE: Tag = Tag(0x82);
/// Biometric data block; the second, constructed, for encrypted records and those of ISO/IEC 39794.
const RECORDS: [Tag; 2] = [Tag(0x5F2E), Tag(0x7F2E)];

/// What a chip may hold of its holder's body beside the face. Only an authority's terminal may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Biometric {
    /// DG3.
    Fingerprints,
    /// DG4.
    Irises,
}

impl Biometric {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Fingerprints, Self::Irises];

    /// The file it lies in.
    pub const fn file(self) -> FileId {
        match self {
            Self::Fingerprints => FileId::DG3,
            Self::Irises => FileId::DG4,
        }
    }

    /// What lies in this file, if it is one of the two.
    pub fn in_file(file: FileId) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file() == file)
    }

    /// Its name for programs: in requests, scopes, results and addresses alike.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fingerprints => "fingerprints",
            Self::Irises => "irises",
        }
    }
}

impl fmt::Display for Biometric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Biometrics {
    fingerprints: bool,
    irises: bool,
}

impl Biometrics {
    /// Neither.
    pub const NONE: Self = Self { fingerprints: false, irises: false };

    /// Whether this one is among them.
    pub fn contains(self, kind: Biometric) -> bool {
        match kind {
            Biometric::Fingerprints => self.fingerprints,
            Biometric::Irises => self.irises,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Those that are there, fingerprints first.
    pub fn iter(self) -> impl Iterator<Item = Biometric> {
        Biometric::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<Biometric> for Biometrics {
    fn from_iter<I: IntoIterator<Item = Biometric>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, |set, kind| match kind {
            Biometric::Fingerprints => Self { fingerprints: true, ..set },
            Biometric::Irises => Self { irises: true, ..set },
        })
    }
}

/// What DG3 or DG4 holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BiometricGroup {
    /// The pictures, first to last. Empty where the holder has none to give: the file says so itself.
    pub images: Vec<BiometricImage>,
    /// What is odd about the records around them.
    pub notes: Vec<BiometricNote>,
}

/// One picture, exactly as the chip holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiometricImage {
    /// Which finger or eye.
    pub position: Position,
    /// Which view of it, from 1.
    pub view: u8,
    /// The quality its record states, 0 to 100; `None` where it states none.
    pub quality: Option<u8>,
    /// How it is coded. [`MediaType::Unknown`] are bare pixels, or a record of a kind not known here, whole.
    pub media_type: MediaType,
    /// Width and height as its record declares them; zero means undeclared.
    pub declared_size: Option<(u16, u16)>,
    /// Its bytes.
    pub bytes: PersonalBytes,
}

/// Which finger or eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Position {
    Unknown,
    RightThumb,
    RightIndex,
    RightMiddle,
    RightRing,
    RightLittle,
    LeftThumb,
    LeftIndex,
    LeftMiddle,
    LeftRing,
    LeftLittle,
    RightFourFingers,
    LeftFourFingers,
    BothThumbs,
    RightEye,
    LeftEye,
}

impl Position {
    /// Its name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::RightThumb => "right-thumb",
            Self::RightIndex => "right-index",
            Self::RightMiddle => "right-middle",
            Self::RightRing => "right-ring",
            Self::RightLittle => "right-little",
            Self::LeftThumb => "left-thumb",
            Self::LeftIndex => "left-index",
            Self::LeftMiddle => "left-middle",
            Self::LeftRing => "left-ring",
            Self::LeftLittle => "left-little",
            Self::RightFourFingers => "right-four-fingers",
            Self::LeftFourFingers => "left-four-fingers",
            Self::BothThumbs => "both-thumbs",
            Self::RightEye => "right-eye",
            Self::LeftEye => "left-eye",
        }
    }

    /// Every one there is.
    pub const ALL: [Self; 16] = [
        Self::Unknown,
        Self::RightThumb,
        Self::RightIndex,
        Self::RightMiddle,
        Self::RightRing,
        Self::RightLittle,
        Self::LeftThumb,
        Self::LeftIndex,
        Self::LeftMiddle,
        Self::LeftRing,
        Self::LeftLittle,
        Self::RightFourFingers,
        Self::LeftFourFingers,
        Self::BothThumbs,
        Self::RightEye,
        Self::LeftEye,
    ];

    /// A finger position (ISO/IEC 19794-4:2005, table 5). Plain prints of a thumb have a code of their own.
    fn of_finger(code: u8) -> Self {
        match code {
            1 | 11 => Self::RightThumb,
            2 => Self::RightIndex,
            3 => Self::RightMiddle,
            4 => Self::RightRing,
            5 => Self::RightLittle,
            6 | 12 => Self::LeftThumb,
            7 => Self::LeftIndex,
            8 => Self::LeftMiddle,
            9 => Self::LeftRing,
            10 => Self::LeftLittle,
            13 => Self::RightFourFingers,
            14 => Self::LeftFourFingers,
            15 => Self::BothThumbs,
            _ => Self::Unknown,
        }
    }

    /// A biometric subtype (ISO/IEC 19785-3, 6.5.2): the side in the two lowest bits, the finger in the next three.
    fn of_subtype(kind: Biometric, subtype: u8) -> Self {
        match (kind, subtype & 0b11, subtype >> 2 & 0b111) {
            (Biometric::Irises, 1, _) => Self::RightEye,
            (Biometric::Irises, 2, _) => Self::LeftEye,
            (Biometric::Fingerprints, 1, finger @ 1..=5) => Self::of_finger(finger),
            (Biometric::Fingerprints, 2, finger @ 1..=5) => Self::of_finger(finger + 5),
            _ => Self::Unknown,
        }
    }
}

/// Something odd about a DG3 or DG4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BiometricNote {
    /// A picture's length does not match what is there. It runs to the end.
    LengthOff,
    /// A record is of a kind not known here: it is handed out whole.
    UnknownRecord,
    /// There are more pictures than are read.
    TooMany,
}

impl BiometricGroup {
    /// Reads the file: `63` or `76`, then `{ 7F61 { 02 count, 7F60 { A1 header, 5F2E or 7F2E record } .. } }`.
    ///
    /// Records are looked for in whatever nesting there is. A file without any is no error: states write one
    /// for holders without fingers to give.
    pub fn parse(kind: Biometric, bytes: &[u8]) -> Result<Self, MalformedFile> {
        let tag = kind.file().tag().unwrap_or(Tag(0));
        let mut found = Search { kind, group: Self::default() };
        found.look_into(TlvReader::new(unwrap(bytes, tag)?), Position::Unknown, DEEPEST);
        Ok(found.group)
    }
}

/// A file half gone through.
struct Search {
    kind: Biometric,
    group: BiometricGroup,
}

impl Search {
    fn look_into(&mut self, mut objects: TlvReader<'_>, around: Position, depth: usize) {
        let mut position = around;
        while let Ok(Some(object)) = objects.next_object() {
            if object.tag == HEADER {
                position = subtype(object.value).map_or(around, |code| Position::of_subtype(self.kind, code));
            } else if is_record(&object) {
                self.record(object.value, position);
            } else if object.tag.is_constructed() && depth > 0 {
                self.look_into(TlvReader::new(object.value), position, depth - 1);
            }
        }
    }

    fn record(&mut self, record: &[u8], position: Position) {
        let known = self.kind == Biometric::Fingerprints && record.starts_with(b"FIR\x00010\x00");
        if known && self.fingers(record, position).is_some() {
            return;
        }
        // Of a newer edition, encrypted, of irises, or torn: whoever knows it has it whole.
        self.group.notes.push(BiometricNote::UnknownRecord);
        let bytes = PersonalBytes::from(record);
        let media_type = coding(record);
        self.keep(BiometricImage {
            position,
            view: 1,
            quality: None,
            media_type,
            declared_size: None,
            bytes,
        });
    }

    /// A finger image record: header of 32 bytes, then views with a header of 14 each (ISO/IEC 19794-4:2005, 7).
    /// `None` where not even the first can be read.
    fn fingers(&mut self, record: &[u8], position: Position) -> Option<()> {
        let mut reader = ByteReader::new(record);
        // Format, version, length in six bytes, capture device, acquisition level.
        reader.take(4 + 4 + 6 + 2 + 2).ok()?;
        let fingers = usize::from(reader.u8().ok()?);
        // Units, resolutions of scan and image each way, depth, compression, reserved.
        reader.take(1 + 8 + 1 + 1 + 2).ok()?;
        let mut whole = 0;
        for seen in 0..MOST_IMAGES {
            let Some(view) = View::read(&mut reader, whole + 1 >= fingers) else {
                if seen > 0 && !reader.is_empty() {
                    self.group.notes.push(BiometricNote::LengthOff);
                }
                return (seen > 0).then_some(());
            };
            let position = match Position::of_finger(view.position) {
                Position::Unknown => position,
                stated => stated,
            };
            if view.length_off {
                self.group.notes.push(BiometricNote::LengthOff);
            }
            self.keep(BiometricImage {
                position,
                view: view.number,
                quality: (view.quality <= 100).then_some(view.quality),
                media_type: coding(view.picture),
                declared_size: Some(view.size).filter(|&(width, height)| width != 0 && height != 0),
                bytes: PersonalBytes::from(view.picture),
            });
            whole += usize::from(view.number >= view.views);
            if whole >= fingers {
                return Some(());
            }
        }
        self.too_many();
        Some(())
    }

    fn keep(&mut self, image: BiometricImage) {
        if image.bytes.is_empty() {
            return;
        }
        if self.group.images.len() < MOST_IMAGES {
            self.group.images.push(image);
        } else {
            self.too_many();
        }
    }

    fn too_many(&mut self) {
        if self.group.notes.last() != Some(&BiometricNote::TooMany) {
            self.group.notes.push(BiometricNote::TooMany);
        }
    }
}

/// The subtype that a biometric header states.
fn subtype(header: &[u8]) -> Option<u8> {
    let mut members = TlvReader::new(header);
    while let Ok(Some(member)) = members.next_object() {
        if member.tag == SUBTYPE {
            return member.value.first().copied();
        }
    }
    None
}

fn is_record(object: &Tlv<'_>) -> bool {
    RECORDS.contains(&object.tag) || object.value.starts_with(b"FIR\0") || object.value.starts_with(b"IIR\0")
}

/// One view of one finger.
struct View<'a> {
    position: u8,
    views: u8,
    number: u8,
    quality: u8,
    size: (u16, u16),
    picture: &'a [u8],
    length_off: bool,
}

impl<'a> View<'a> {
    const HEADER: usize = 14;

    /// `in_last` where it is of the last finger: its last view runs to the end, whatever its length says, since a
    /// picture cut short is lost and one with padding after it is not.
    fn read(reader: &mut ByteReader<'a>, in_last: bool) -> Option<Self> {
        let declared = usize::try_from(reader.u32().ok()?).ok()?;
        let (position, views, number, quality) =
            (reader.u8().ok()?, reader.u8().ok()?, reader.u8().ok()?, reader.u8().ok()?);
        let _impression = reader.u8().ok()?;
        let size = (reader.u16().ok()?, reader.u16().ok()?);
        reader.take(1).ok()?;
        let rest = reader.rest().len();
        let stated = declared.checked_sub(Self::HEADER).filter(|&length| length <= rest);
        let last = in_last && number >= views;
        let length = if last { rest } else { stated? };
        let picture = reader.take(length).ok()?;
        Some(Self { position, views, number, quality, size, picture, length_off: stated != Some(length) })
    }
}

/// How a picture is coded, told from its beginning: compression codes of headers are wrong too often.
fn coding(picture: &[u8]) -> MediaType {
    match picture {
        [0xFF, 0xA0, ..] => MediaType::Wsq,
        [0x89, b'P', b'N', b'G', ..] => MediaType::Png,
        _ => MediaType::of(picture),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    const WSQ: &[u8] = &[0xFF, 0xA0, 0xFF, 0xA8, 1, 2, 3, 0xFF, 0xA1];

    /// A view; `off` is added to its stated length.
    fn view(position: u8, views: u8, number: u8, picture: &[u8], off: i32) -> Vec<u8> {
        let length = u32::try_from(14 + picture.len()).unwrap().wrapping_add_signed(off);
        let header = [position, views, number, 80, 0, 1, 0, 0, 200, 0];
        [&length.to_be_bytes()[..], &header, picture].concat()
    }

    fn record(fingers: u8, views: &[Vec<u8>]) -> Vec<u8> {
        let views = views.concat();
        let length = u32::try_from(32 + views.len()).unwrap();
        [
            &b"FIR\x00010\x00\0\0"[..],
            &length.to_be_bytes(),
            &[0, 0, 0, 31, fingers, 2, 0, 197, 0, 197, 0, 197, 0, 197, 8, 2, 0, 0],
            &views,
        ]
        .concat()
    }

    fn file(tag: u32, records: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut group = vec![0x02, 0x01, u8::try_from(records.len()).unwrap()];
        for (subtype, record) in records {
            let header = encode(HEADER, &[0x81, 0x01, 0x08, 0x82, 0x01, *subtype, 0x88, 0x02, 0x00, 0x07]);
            group.extend(encode(Tag(0x7F60), &[header, encode(Tag(0x5F2E), record)].concat()));
        }
        encode(Tag(tag), &encode(Tag(0x7F61), &group))
    }

    fn fingers(bytes: &[u8]) -> BiometricGroup {
        BiometricGroup::parse(Biometric::Fingerprints, bytes).unwrap()
    }

    fn positions(group: &BiometricGroup) -> Vec<&'static str> {
        group.images.iter().map(|image| image.position.code()).collect()
    }

    #[test]
    fn two_fingers_come_out_exactly_as_they_went_in() {
        let bytes = file(
            0x63,
            &[(9, record(1, &[view(2, 1, 1, WSQ, 0)])), (10, record(1, &[view(7, 1, 1, WSQ, 0)]))],
        );
        let group = fingers(&bytes);
        assert_eq!((positions(&group), group.notes.as_slice()), (vec!["right-index", "left-index"], &[][..]));
        let first = &group.images[0];
        assert_eq!((first.bytes.expose(), first.media_type), (WSQ, MediaType::Wsq));
        assert_eq!((first.view, first.quality, first.declared_size), (1, Some(80), Some((256, 200))));
    }

    #[test]
    fn several_views_and_fingers_in_one_record() {
        let views = [view(2, 2, 1, WSQ, 0), view(2, 2, 2, b"\x89PNG..", 0), view(11, 1, 1, b"raw", 0)];
        let group = fingers(&file(0x63, &[(0, record(2, &views))]));
        assert_eq!(positions(&group), ["right-index", "right-index", "right-thumb"]);
        let kinds: Vec<_> = group.images.iter().map(|image| (image.view, image.media_type)).collect();
        assert_eq!(kinds, [(1, MediaType::Wsq), (2, MediaType::Png), (1, MediaType::Unknown)]);
        assert_eq!(group.notes, []);
    }

    #[test]
    fn a_file_of_no_fingers_is_read_and_empty() {
        // What states write for holders without fingers to give: a count of zero, and random data in 53.
        let content = [&[0x02, 0x01, 0x00][..], &encode(Tag(0x53), &[0x5A; 8])].concat();
        let empty = encode(Tag(0x63), &encode(Tag(0x7F61), &content));
        assert_eq!(fingers(&empty), BiometricGroup::default());
        assert!(BiometricGroup::parse(Biometric::Irises, &empty).is_err(), "it is no DG4");
    }

    #[test]
    fn lengths_off_by_some_bytes_cost_no_byte_of_the_picture() {
        for off in [-5, -1, 1, 9] {
            let group = fingers(&file(0x63, &[(9, record(1, &[view(2, 1, 1, WSQ, off)]))]));
            assert_eq!(group.images[0].bytes.expose(), WSQ, "{off}");
            assert_eq!(group.notes, [BiometricNote::LengthOff]);
        }
        // In the middle there is no telling where the next begins: what was read stands.
        let views = [view(2, 1, 1, WSQ, 0), view(3, 1, 1, WSQ, 500), view(4, 1, 1, WSQ, 0)];
        let group = fingers(&file(0x63, &[(9, record(3, &views))]));
        assert_eq!(positions(&group), ["right-index"]);
        assert_eq!(group.notes, [BiometricNote::LengthOff]);
    }

    #[test]
    fn a_record_of_another_kind_is_handed_out_whole_with_what_its_template_says() {
        let newer = b"FIR\x00020\x00whatever".to_vec();
        let group = fingers(&file(0x63, &[(0x05, newer.clone())]));
        assert_eq!((positions(&group), group.images[0].bytes.expose()), (vec!["right-thumb"], &newer[..]));
        assert_eq!(group.notes, [BiometricNote::UnknownRecord]);
        let eyes = file(0x76, &[(1, b"IIR\0one".to_vec()), (2, b"IIR\0two".to_vec())]);
        let group = BiometricGroup::parse(Biometric::Irises, &eyes).unwrap();
        assert_eq!(positions(&group), ["right-eye", "left-eye"]);
        assert_eq!(group.images[1].bytes.expose(), b"IIR\0two");
    }

    #[test]
    fn lying_counts_and_floods_are_capped() {
        let one = file(0x63, &[(9, record(255, &[view(2, 1, 1, WSQ, 0)]))]);
        assert_eq!(fingers(&one).images.len(), 1);
        let flood: Vec<_> = (0..60).map(|_| view(2, 1, 1, WSQ, 0)).collect();
        let group = fingers(&file(0x63, &[(9, record(60, &flood)), (9, record(1, &flood[..1]))]));
        assert_eq!(
            (group.images.len(), group.notes.as_slice()),
            (MOST_IMAGES, &[BiometricNote::TooMany][..])
        );
        assert!(fingers(&file(0x63, &[(9, Vec::new())])).images.is_empty());
    }

    #[test]
    fn every_finger_of_both_hands_has_its_subtype() {
        for (finger, name) in ["thumb", "index", "middle", "ring", "little"].into_iter().enumerate() {
            for (side, hand) in [(1, "right"), (2, "left")] {
                let subtype = u8::try_from(finger + 1).unwrap() << 2 | side;
                let position = Position::of_subtype(Biometric::Fingerprints, subtype);
                assert_eq!(position.code(), format!("{hand}-{name}"));
            }
        }
        assert_eq!(Position::of_subtype(Biometric::Fingerprints, 0xFF), Position::Unknown);
    }

    #[test]
    fn debug_shows_no_print() {
        let group = fingers(&file(0x63, &[(9, record(1, &[view(2, 1, 1, WSQ, 0)]))]));
        assert!(format!("{group:?}").contains("<personal, 9 bytes>"));
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let views = [view(2, 2, 1, WSQ, 0), view(2, 2, 2, WSQ, 0), view(3, 1, 1, WSQ, 0)];
            let mut bytes = file(0x63, &[(9, record(2, &views)), (10, b"FIR\x00020\x00x".to_vec())]);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = BiometricGroup::parse(Biometric::Fingerprints, &bytes);
            let _ = BiometricGroup::parse(Biometric::Fingerprints, &bytes[..cut.index(bytes.len())]);
        }
    }
}
