//! Distinguished names (RFC 5280, 4.1.2.4): compared folded, shown as written.

use std::fmt;
use std::hash::{Hash, Hasher};

use const_oid::ObjectIdentifier;
use der::asn1::{Any, BmpString};
use der::{Decode, Encode, Tag, Tagged};
use unicode_normalization::UnicodeNormalization as _;
use x509_cert::name::Name;

const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");

/// Names of attributes people know (RFC 4514, 3), and those of CSCA certificates beside them.
const SHORT_NAMES: [(&str, &str); 8] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A distinguished name. Two are equal if they differ in nothing but the kind of string, the case of letters
/// and blanks (RFC 4518, 2; card quirk 62): issuers do not write their own name the same way twice.
#[derive(Clone)]
pub struct DistinguishedName {
    attributes: Vec<Attribute>,
    folded: Vec<u8>,
}

#[derive(Clone)]
struct Attribute {
    kind: ObjectIdentifier,
    /// As written, if it is a string.
    text: Option<String>,
}

impl DistinguishedName {
    /// Reads an encoded Name.
    pub fn parse(der: &[u8]) -> Result<Self, der::Error> {
        Name::from_der(der).map(|name| Self::of(&name))
    }

    pub(crate) fn of(name: &Name) -> Self {
        let mut attributes = Vec::new();
        let mut folded = Vec::new();
        for relative in name.iter_rdn() {
            let mut parts: Vec<Vec<u8>> = Vec::new();
            for attribute in relative.iter() {
                let text = text(&attribute.value);
                let (string, value) = match &text {
                    Some(text) => (1, fold(text).into_bytes()),
                    None => (0, attribute.value.to_der().unwrap_or_default()),
                };
                let kind = attribute.oid.as_bytes();
                // Lengths in front, so that no two names run together into the same bytes.
                let lengths = [kind.len(), value.len()].map(usize::to_be_bytes).concat();
                parts.push([lengths.as_slice(), kind, &[string], &value].concat());
                attributes.push(Attribute { kind: attribute.oid, text });
            }
            // A set has no order.
            parts.sort_unstable();
            folded.extend_from_slice(&parts.len().to_be_bytes());
            folded.extend(parts.concat());
        }
        Self { attributes, folded }
    }

    /// The country as written, usually two letters.
    pub fn country(&self) -> Option<&str> {
        self.first(COUNTRY)
    }

    /// The locality as written: in alternative names, the state's code of the MRZ (ICAO 9303-12, 7.1.1.2).
    pub fn locality(&self) -> Option<&str> {
        self.first(LOCALITY)
    }

    fn first(&self, kind: ObjectIdentifier) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.kind == kind)?.text.as_deref()
    }

    /// What makes two names the same: a key for tables.
    pub fn folded(&self) -> &[u8] {
        &self.folded
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for DistinguishedName {}

impl Hash for DistinguishedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attribute) in self.attributes.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            let kind = attribute.kind.to_string();
            let known =
                SHORT_NAMES.iter().find(|(oid, _)| *oid == kind).map_or(kind.as_str(), |(_, name)| *name);
            write!(f, "{known}=")?;
            // A certificate is a stranger's: no control characters reach a terminal.
            for char in attribute.text.as_deref().unwrap_or("?").chars() {
                fmt::Write::write_char(f, if char.is_control() { '\u{FFFD}' } else { char })?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A string of any kind as text.
fn text(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::PrintableString | Tag::Utf8String | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
            String::from_utf8(value.value().to_vec()).ok()
        }
        // Strictly T.61; in practice Latin-1.
        Tag::TeletexString => Some(value.value().iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => Some(value.decode_as::<BmpString>().ok()?.to_string()),
        _ => None,
    }
}

/// RFC 4518, 2: compatibility forms, lower case, blanks run together.
fn fold(text: &str) -> String {
    let lower: String = text.nfkc().flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of one attribute each, of this type of string.
    fn name(tag: u8, parts: &[(u8, &str)]) -> DistinguishedName {
        let wrap = |tag: u8, value: Vec<u8>| [vec![tag, u8::try_from(value.len()).unwrap()], value].concat();
        let relatives = parts.iter().flat_map(|(kind, text)| {
            let value = match tag {
                0x1E => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                0x14 => text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect(),
                _ => text.as_bytes().to_vec(),
            };
            let pair = [vec![0x06, 3, 0x55, 4, *kind], wrap(tag, value)].concat();
            wrap(0x31, wrap(0x30, pair))
        });
        DistinguishedName::parse(&wrap(0x30, relatives.collect())).unwrap()
    }

    #[test]
    fn the_kind_of_string_case_and_blanks_make_no_difference() {
        let one = name(0x0C, &[(6, "VN"), (10, "Bộ Công an"), (3, "CSCA Vietnam")]);
        assert_eq!(one, name(0x0C, &[(6, "vn"), (10, "bộ  CÔNG AN "), (3, "CSCA VIETNAM")]));
        assert_eq!(one, name(0x1E, &[(6, "VN"), (10, "Bộ Công an"), (3, "CSCA Vietnam")]));
        assert_eq!(name(0x13, &[(6, "CH"), (3, "Zurich")]), name(0x14, &[(6, "CH"), (3, "ZURICH")]));
        assert_eq!(name(0x0C, &[(3, "Zürich")]), name(0x14, &[(3, "Zürich")]));
    }

    #[test]
    fn other_words_order_or_attributes_make_another_name() {
        let one = name(0x0C, &[(6, "VN"), (3, "CSCA Vietnam")]);
        for other in [
            &[(6, "VN"), (3, "CSCA Vietnam 2")][..],
            &[(3, "CSCA Vietnam"), (6, "VN")],
            &[(6, "VN"), (10, "CSCA Vietnam")],
            &[(6, "VN")],
            &[(6, "VNCSCA"), (3, "Vietnam")],
            &[],
        ] {
            assert_ne!(one, name(0x0C, other), "{other:?}");
        }
    }

    #[test]
    fn a_name_is_shown_as_written_without_control_characters() {
        let shown = name(0x0C, &[(6, "VN"), (3, "CSCA\u{1B}[2J"), (42, "x")]);
        assert_eq!(shown.to_string(), "C=VN, CN=CSCA\u{FFFD}[2J, 2.5.4.42=x");
        assert_eq!(shown.country(), Some("VN"));
        assert_eq!(shown.locality(), None);
    }
}
