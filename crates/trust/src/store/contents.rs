//! What a file an operator brings holds: certificates, CRLs and signed master lists, told apart by content.

use std::fmt;

use super::shape::{self, Shape};
use super::{ldif, pem};

/// Largest file that is read. The whole download of the ICAO PKD has less.
pub const MAX_FILE_BYTES: usize = 128 * 1024 * 1024;

/// Largest single certificate. Real ones stay below four kilobytes.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// Most objects that are taken from one file.
pub const MAX_OBJECTS: usize = 100_000;

/// What a file holds, as bytes: nothing is verified here.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// How the file is written.
    pub format: FileFormat,
    /// Certificates that stand for themselves, each as its bytes.
    pub certificates: Vec<Vec<u8>>,
    /// CRLs.
    pub crls: Vec<Vec<u8>>,
    /// Signed messages: master lists, or bags of certificates.
    pub messages: Vec<Vec<u8>>,
    /// Parts that cannot be read. The others stand.
    pub unreadable: Vec<Unreadable>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// DER: one object, or several one after another.
    Der,
    /// PEM blocks (RFC 7468).
    Pem,
    /// A CscaMasterList or another series of certificates that nobody has signed.
    BareList,
    /// A signed message (RFC 5652).
    SignedData,
    /// LDIF (RFC 2849).
    Ldif,
}

impl FileFormat {
    /// The name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Der => "der",
            Self::Pem => "pem",
            Self::BareList => "bare-list",
            Self::SignedData => "signed-data",
            Self::Ldif => "ldif",
        }
    }
}

/// A part that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it begins.
    pub place: Place,
    /// What is wrong with it.
    pub fault: PartFault,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line, counted from one.
    Line(usize),
    /// A byte, counted from zero.
    Byte(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(at) => write!(f, "byte {at}"),
        }
    }
}

/// Why a part cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartFault {
    /// Torn, or not base64.
    #[error("damaged, or not base64")]
    NotBase64,
    /// A private key, which has no place in a store of public certificates.
    #[error("a private key: it has no place here")]
    PrivateKey,
    /// Bytes that are none of the objects expected here.
    #[error("neither a certificate nor a CRL nor a signed list")]
    Unknown,
    /// It is larger than such an object can be.
    #[error("larger than such an object can be")]
    TooLarge,
    /// The file ends within it.
    #[error("cut short")]
    CutShort,
}

/// Why nothing of a file can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentsError {
    /// It is larger than any list known.
    #[error("{0} bytes are more than the {MAX_FILE_BYTES} that are read")]
    TooLarge(usize),
    /// It has more objects than any list known.
    #[error("more than {MAX_OBJECTS} objects")]
    TooMany,
    /// It is none of the formats known.
    #[error("neither DER nor PEM nor LDIF, nor a master list")]
    UnknownFormat,
}

impl Contents {
    /// Takes a file apart. Its format is told by what stands in it, never by its name.
    pub fn read(bytes: &[u8]) -> Result<Self, ContentsError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ContentsError::TooLarge(bytes.len()));
        }
        // Text first: explanations before a PEM block may begin with `0` or `1`, as a SEQUENCE or SET does.
        let text = std::str::from_utf8(bytes).ok();
        if let Some(text) = text.filter(|text| ldif::is_ldif(text)) {
            let mut contents = Self::empty(FileFormat::Ldif);
            contents.ldif(text)?;
            Ok(contents)
        } else if let Some(text) = text.filter(|text| pem::is_pem(text)) {
            let mut contents = Self::empty(FileFormat::Pem);
            contents.pem(text)?;
            Ok(contents)
        } else if matches!(bytes.first(), Some(0x30 | 0x31)) {
            let mut contents = Self::empty(FileFormat::Der);
            contents.binary(bytes)?;
            Ok(contents)
        } else {
            Err(ContentsError::UnknownFormat)
        }
    }

    /// The certificates of a CscaMasterList (ICAO 9303-12, 9.2), which a signed master list carries.
    pub fn of_master_list(content: &[u8]) -> Result<Self, ContentsError> {
        let mut contents = Self::empty(FileFormat::BareList);
        let list = shape::first(content).map_err(|_| ContentsError::UnknownFormat)?;
        if shape::shape(&list) != Some(Shape::BareList) {
            return Err(ContentsError::UnknownFormat);
        }
        contents.bare_list(list.value, 0)?;
        Ok(contents)
    }

    fn empty(format: FileFormat) -> Self {
        Self { format, certificates: vec![], crls: vec![], messages: vec![], unreadable: vec![] }
    }

    fn ldif(&mut self, text: &str) -> Result<(), ContentsError> {
        for value in ldif::binary_values(text) {
            let place = Place::Line(value.line);
            match value.bytes {
                None => self.cannot(place, PartFault::NotBase64)?,
                // Attributes of other kinds may be binary, too.
                Some(bytes) if bytes.first() != Some(&0x30) => {}
                Some(bytes) => self.single(&bytes, place)?,
            }
        }
        Ok(())
    }

    fn pem(&mut self, text: &str) -> Result<(), ContentsError> {
        for block in pem::blocks(text) {
            let place = Place::Line(block.line);
            match block.bytes {
                _ if block.label.contains("PRIVATE KEY") => self.cannot(place, PartFault::PrivateKey)?,
                None => self.cannot(place, PartFault::NotBase64)?,
                Some(bytes) => self.single(&bytes, place)?,
            }
        }
        Ok(())
    }

    /// Bytes that should be one object.
    fn single(&mut self, bytes: &[u8], place: Place) -> Result<(), ContentsError> {
        if shape::is_indefinite_signed_data(bytes) {
            return self.message(bytes);
        }
        match shape::first(bytes) {
            Ok(element) if element.whole.len() == bytes.len() => self.object(&element, place),
            Ok(_) => self.cannot(place, PartFault::Unknown),
            Err(_) => self.cannot(place, PartFault::CutShort),
        }
    }

    /// Objects one after another, until the end or padding.
    fn binary(&mut self, bytes: &[u8]) -> Result<(), ContentsError> {
        if shape::is_indefinite_signed_data(bytes) {
            self.format = FileFormat::SignedData;
            return self.message(bytes);
        }
        let mut at = 0;
        for element in shape::elements(bytes) {
            let rest = bytes.get(at..).unwrap_or_default();
            if at > 0 && rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
                break;
            }
            match element {
                Ok(element) => {
                    self.object(&element, Place::Byte(at))?;
                    at += element.whole.len();
                }
                Err(_) => self.cannot(Place::Byte(at), PartFault::CutShort)?,
            }
        }
        Ok(())
    }

    fn object(&mut self, element: &shape::Element<'_>, place: Place) -> Result<(), ContentsError> {
        match shape::shape(element) {
            Some(Shape::Certificate) => self.certificate(element.whole, place),
            Some(Shape::Crl) => {
                self.crls.push(element.whole.to_vec());
                self.bounded()
            }
            Some(Shape::SignedData) => {
                if self.format == FileFormat::Der {
                    self.format = FileFormat::SignedData;
                }
                self.message(element.whole)
            }
            Some(shape @ (Shape::BareList | Shape::Certificates)) => {
                if self.format == FileFormat::Der {
                    self.format = FileFormat::BareList;
                }
                let at = match place {
                    Place::Byte(at) => at + (element.whole.len() - element.value.len()),
                    Place::Line(_) => 0,
                };
                if shape == Shape::BareList {
                    self.bare_list(element.value, at)
                } else {
                    self.series(element.value, at)
                }
            }
            None => self.cannot(place, PartFault::Unknown),
        }
    }

    /// CscaMasterList ::= SEQUENCE { version INTEGER, certList SET OF Certificate }, from its version on.
    fn bare_list(&mut self, inside: &[u8], at: usize) -> Result<(), ContentsError> {
        let mut parts = shape::elements(inside);
        let (Some(Ok(version)), Some(Ok(list))) = (parts.next(), parts.next()) else {
            return self.cannot(Place::Byte(at), PartFault::Unknown);
        };
        let header = list.whole.len() - list.value.len();
        self.series(list.value, at + version.whole.len() + header)
    }

    fn series(&mut self, inside: &[u8], mut at: usize) -> Result<(), ContentsError> {
        for element in shape::elements(inside) {
            match element {
                // A list holds certificates: one of an odd outline is for its parser to refuse by name.
                Ok(element) => {
                    self.certificate(element.whole, Place::Byte(at))?;
                    at += element.whole.len();
                }
                Err(_) => self.cannot(Place::Byte(at), PartFault::CutShort)?,
            }
        }
        Ok(())
    }

    fn certificate(&mut self, bytes: &[u8], place: Place) -> Result<(), ContentsError> {
        if bytes.len() > MAX_CERTIFICATE_BYTES {
            return self.cannot(place, PartFault::TooLarge);
        }
        self.certificates.push(bytes.to_vec());
        self.bounded()
    }

    fn message(&mut self, bytes: &[u8]) -> Result<(), ContentsError> {
        self.messages.push(bytes.to_vec());
        self.bounded()
    }

    fn cannot(&mut self, place: Place, fault: PartFault) -> Result<(), ContentsError> {
        self.unreadable.push(Unreadable { place, fault });
        self.bounded()
    }

    fn bounded(&self) -> Result<(), ContentsError> {
        let objects = self.certificates.len() + self.crls.len() + self.messages.len() + self.unreadable.len();
        if objects > MAX_OBJECTS { Err(ContentsError::TooMany) } else { Ok(()) }
    }
}

/// Hundreds of certificates say nothing in a log; their number does.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("format", &self.format)
            .field("certificates", &self.certificates.len())
            .field("crls", &self.crls.len())
            .field("messages", &self.messages.len())
            .field("unreadable", &self.unreadable)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::personalise::{Issuer, IssuingState};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    use super::super::to_pem;
    use super::*;

    static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new().unwrap());

    fn two() -> [Vec<u8>; 2] {
        [IssuingState::Vietnam, IssuingState::Utopia].map(|state| ISSUER.csca_der_of(state).to_vec())
    }

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        let header = match value.len() {
            short @ 0..=127 => vec![tag, u8::try_from(short).unwrap()],
            128..=255 => vec![tag, 0x81, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        [header, value.to_vec()].concat()
    }

    /// A v2 CRL by its outline: nothing in it is verified here.
    fn crl() -> Vec<u8> {
        let algorithm = tlv(0x30, &tlv(0x06, &[0x2A, 0x03]));
        let inside =
            [vec![0x02, 1, 1], algorithm.clone(), tlv(0x30, &[]), tlv(0x17, b"260101000000Z")].concat();
        tlv(0x30, &[tlv(0x30, &inside), algorithm, vec![0x03, 2, 0, 1]].concat())
    }

    fn signed_message() -> Vec<u8> {
        let oid = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2];
        tlv(0x30, &[oid.to_vec(), tlv(0xA0, &tlv(0x30, &[]))].concat())
    }

    fn master_list_content() -> Vec<u8> {
        tlv(0x30, &[vec![0x02, 1, 0], tlv(0x31, &two().concat())].concat())
    }

    fn read(bytes: &[u8]) -> Contents {
        Contents::read(bytes).unwrap()
    }

    #[test]
    fn every_format_gives_the_same_certificates() {
        let [one, other] = two();
        let pem =
            format!("1 s:C = VN\r\n{}{}", to_pem("CERTIFICATE", &one), to_pem("X509 CERTIFICATE", &other));
        let base64 = |der: &[u8]| {
            to_pem("X", der)
                .lines()
                .skip(1)
                .filter(|row| !row.starts_with('-'))
                .collect::<Vec<_>>()
                .join("\n ")
        };
        let ldif = format!(
            "version: 1\ndn: c=VN\nsn:: c21hbGw=\ncACertificate;binary:: {}\n\ndn: c=UT\nuserCertificate;binary:: {}\n",
            base64(&one),
            base64(&other)
        );
        for (bytes, format) in [
            (two().concat(), FileFormat::Der),
            ([two().concat(), b"\r\n\0".to_vec()].concat(), FileFormat::Der),
            (pem.into_bytes(), FileFormat::Pem),
            (ldif.into_bytes(), FileFormat::Ldif),
            (tlv(0x30, &two().concat()), FileFormat::BareList),
            (tlv(0x31, &two().concat()), FileFormat::BareList),
            (master_list_content(), FileFormat::BareList),
        ] {
            let contents = read(&bytes);
            assert_eq!(contents.format, format);
            assert_eq!(contents.certificates, two(), "{format:?}");
            assert_eq!(contents.unreadable, [], "{format:?}");
        }
        assert_eq!(Contents::of_master_list(&master_list_content()).unwrap().certificates, two());
    }

    #[test]
    fn crls_and_signed_messages_are_told_from_certificates() {
        let [one, _] = two();
        let contents = read(&[one, crl(), signed_message()].concat());
        assert_eq!(
            (contents.certificates.len(), contents.crls, contents.messages),
            (1, vec![crl()], vec![signed_message()])
        );
        assert_eq!(read(&signed_message()).format, FileFormat::SignedData);
        let streamed = [&[0x30, 0x80], &signed_message()[2..], &[0, 0]].concat();
        assert_eq!(read(&streamed).messages, [streamed]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place_and_the_rest_stands() {
        let [one, other] = two();
        let cut = &other[..other.len() - 1];
        let faults = |bytes: &[u8]| {
            read(bytes).unreadable.iter().map(|part| (part.place, part.fault)).collect::<Vec<_>>()
        };

        let der = [one.clone(), cut.to_vec()].concat();
        assert_eq!(faults(&der), [(Place::Byte(one.len()), PartFault::CutShort)]);
        assert_eq!(read(&der).certificates, std::slice::from_ref(&one));

        let pem =
            [to_pem("CERTIFICATE", cut), to_pem("PRIVATE KEY", &[0x30, 0]), to_pem("CERTIFICATE", &one)]
                .concat();
        let second = to_pem("CERTIFICATE", cut).lines().count() + 1;
        assert_eq!(
            faults(pem.as_bytes()),
            [(Place::Line(1), PartFault::CutShort), (Place::Line(second), PartFault::PrivateKey)]
        );
        assert_eq!(read(pem.as_bytes()).certificates, std::slice::from_ref(&one));

        assert_eq!(faults(b"dn: c=VN\nx:: %%\n"), [(Place::Line(2), PartFault::NotBase64)]);
        assert_eq!(faults(&tlv(0x30, b"")), [(Place::Byte(0), PartFault::Unknown)]);

        // A list that ends within its second certificate, as a download that was cut.
        let list = master_list_content();
        let torn = &list[..list.len() - 20];
        assert_eq!(faults(torn), [(Place::Byte(0), PartFault::CutShort)]);
    }

    #[test]
    fn places_within_a_list_are_those_of_the_file() {
        let [one, _] = two();
        // Whole outside, torn inside: the second element claims more than there is.
        let inside = [one.clone(), vec![0x30, 0x7F, 0]].concat();
        let list = tlv(0x30, &[vec![0x02, 1, 0], tlv(0x31, &inside)].concat());
        let at = list.len() - 3;
        let contents = read(&list);
        assert_eq!(contents.unreadable, [Unreadable { place: Place::Byte(at), fault: PartFault::CutShort }]);
        assert_eq!(contents.certificates, [one]);
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [&b""[..], b"hello", b"\x89PNG\r\n", b"{}", &[0x77, 0x02, 0x30, 0x00]] {
            assert_eq!(Contents::read(bytes), Err(ContentsError::UnknownFormat), "{bytes:?}");
        }
        assert_eq!(Contents::of_master_list(&two()[0]), Err(ContentsError::UnknownFormat));
    }

    #[test]
    fn more_than_the_limits_is_refused() {
        let many = [0x30, 0].repeat(MAX_OBJECTS + 1);
        assert_eq!(Contents::read(&many), Err(ContentsError::TooMany));
        let large = vec![0x30; MAX_FILE_BYTES + 1];
        assert_eq!(Contents::read(&large), Err(ContentsError::TooLarge(MAX_FILE_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn no_mutation_panics_and_no_byte_is_found_twice(
            form in 0u8..3,
            flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = match form {
                0 => two().concat(),
                1 => master_list_content(),
                _ => two().map(|der| to_pem("CERTIFICATE", &der)).concat().into_bytes(),
            };
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(contents) = Contents::read(&bytes) {
                let found: usize = contents.certificates.iter().chain(&contents.crls).chain(&contents.messages).map(Vec::len).sum();
                prop_assert!(found <= bytes.len());
            }
            let _ = Contents::of_master_list(&bytes);
        }
    }
}
