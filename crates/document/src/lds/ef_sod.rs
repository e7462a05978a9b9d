//! EF.SOD: the signed hashes of the data groups (ICAO 9303-10, 4.6.2).
//!
//! Only its structure is read here. Who signed it, and whether the hashes fit, others judge, from the bytes
//! as they came: nothing is encoded again.

use std::collections::BTreeMap;
use std::fmt;

use cccd_card::tlv::{Header, Length, Tag, TlvReader};
use const_oid::ObjectIdentifier;
use der::asn1::{OctetString, PrintableString};
use der::{Decode, Sequence};
use spki::AlgorithmIdentifierOwned;

use crate::{DataGroupNumber, MalformedFile, SignedMessage};

/// The document security object, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct EfSod {
    /// The signed message around the hashes. What it carries is the encoded LDS security object.
    pub message: SignedMessage,
    /// What the message says it carries.
    pub content_type: SodContentType,
    /// The hashes.
    pub security_object: LdsSecurityObject,
}

/// What a document security object says it carries (card-quirks 50). All of them carry the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SodContentType {
    /// id-icao-mrtd-security-ldsSecurityObject, as the standard wants it.
    Standard,
    /// The identifier of an early draft.
    EarlyIcao,
    /// The identifier of one Dutch producer.
    Sdu,
    /// id-data: no type at all.
    Data,
    /// Another one.
    Other(ObjectIdentifier),
}

/// LDSSecurityObject (ICAO 9303-10, 4.6.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdsSecurityObject {
    /// Its version: 0, or 1 where the LDS version is stated too.
    pub version: u8,
    /// What the hashes were made with.
    pub digest_algorithm: AlgorithmIdentifierOwned,
    /// The hash of each group.
    pub hashes: BTreeMap<DataGroupNumber, Vec<u8>>,
    /// The LDS version, where it is stated: signed, unlike that of EF.COM.
    pub lds_version: Option<String>,
    /// The Unicode version, where it is stated.
    pub unicode_version: Option<String>,
}

impl EfSod {
    /// Reads the file: `77 { ContentInfo }`, with definite or indefinite lengths (card-quirks 35); padding
    /// may follow.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let message = SignedMessage::parse(wrapped(bytes)?)?;
        Ok(Self {
            content_type: SodContentType::of(message.content_type),
            security_object: LdsSecurityObject::parse(&message.content)?,
            message,
        })
    }
}

/// What the outer tag 77 holds.
fn wrapped(bytes: &[u8]) -> Result<&[u8], MalformedFile> {
    let header = Header::peek(bytes)?;
    match header.length {
        // The message inside has ends of its own.
        Length::Indefinite if header.tag == Tag(0x77) => Ok(bytes.get(header.size..).unwrap_or_default()),
        _ => Ok(TlvReader::new(bytes).expect(Tag(0x77))?),
    }
}

impl SodContentType {
    fn of(oid: ObjectIdentifier) -> Self {
        match oid.to_string().as_str() {
            "2.23.136.1.1.1" => Self::Standard,
            "1.3.27.1.1.1" => Self::EarlyIcao,
            "1.2.528.1.1006.1.20.1" => Self::Sdu,
            "1.2.840.113549.1.7.1" => Self::Data,
            _ => Self::Other(oid),
        }
    }
}

#[derive(Sequence)]
struct RawSecurityObject {
    version: u8,
    hash_algorithm: AlgorithmIdentifierOwned,
    hashes: Vec<RawHash>,
    #[asn1(optional = "true")]
    version_info: Option<RawVersionInfo>,
}

#[derive(Sequence)]
struct RawHash {
    number: u8,
    hash: OctetString,
}

#[derive(Sequence)]
struct RawVersionInfo {
    lds: PrintableString,
    unicode: PrintableString,
}

impl LdsSecurityObject {
    fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let raw = RawSecurityObject::from_ber(bytes)?;
        let mut hashes = BTreeMap::new();
        for entry in raw.hashes {
            let group = DataGroupNumber::new(entry.number).ok_or(MalformedFile::Impossible(Tag(0x02)))?;
            // Two hashes for one group: whichever were taken, the other would be signed too.
            if hashes.insert(group, entry.hash.into_bytes().into_vec()).is_some() {
                return Err(MalformedFile::Impossible(Tag(0x02)));
            }
        }
        let (lds_version, unicode_version) = match raw.version_info {
            Some(info) => (Some(info.lds.to_string()), Some(info.unicode.to_string())),
            None => (None, None),
        };
        Ok(Self {
            version: raw.version,
            digest_algorithm: raw.hash_algorithm,
            hashes,
            lds_version,
            unicode_version,
        })
    }
}

/// The hashes and the signature name one document among all: they are not for logs.
impl fmt::Debug for EfSod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EfSod")
            .field("content_type", &self.content_type)
            .field("groups", &self.security_object.hashes.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    fn oid(text: &str) -> Vec<u8> {
        encode(Tag(0x06), ObjectIdentifier::new_unwrap(text).as_bytes())
    }

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        encode(Tag(0x30), &parts.concat())
    }

    fn integer(value: u8) -> Vec<u8> {
        vec![0x02, 0x01, value]
    }

    fn security_object(version: u8, groups: &[u8]) -> Vec<u8> {
        let hash = |group: &u8| sequence(&[integer(*group), encode(Tag(0x04), &[*group; 32])]);
        let mut parts = vec![
            integer(version),
            sequence(&[oid("2.16.840.1.101.3.4.2.1"), vec![0x05, 0x00]]),
            encode(Tag(0x30), &groups.iter().flat_map(hash).collect::<Vec<_>>()),
        ];
        if version == 1 {
            parts.push(sequence(&[encode(Tag(0x13), b"0108"), encode(Tag(0x13), b"040000")]));
        }
        sequence(&parts)
    }

    /// A message with no signer: enough for its structure.
    fn definite(content_type: &str, content: &[u8]) -> Vec<u8> {
        around(content_type, encode(Tag(0x04), content))
    }

    fn around(content_type: &str, octets: Vec<u8>) -> Vec<u8> {
        let signed = sequence(&[
            integer(3),
            encode(Tag(0x31), &sequence(&[oid("2.16.840.1.101.3.4.2.1")])),
            sequence(&[oid(content_type), encode(Tag(0xA0), &octets)]),
            vec![0x31, 0x00],
        ]);
        let info = sequence(&[oid("1.2.840.113549.1.7.2"), encode(Tag(0xA0), &signed)]);
        encode(Tag(0x77), &info)
    }

    /// The content in two pieces, all lengths definite.
    fn definite_pieces(content: &[u8]) -> Vec<u8> {
        let (front, back) = content.split_at(10);
        let octets = encode(Tag(0x24), &[encode(Tag(0x04), front), encode(Tag(0x04), back)].concat());
        around("2.23.136.1.1.1", octets)
    }

    fn indefinite(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        [vec![tag, 0x80], parts.concat(), vec![0, 0]].concat()
    }

    /// The same with every length indefinite and the content in two pieces.
    fn streamed(content: &[u8]) -> Vec<u8> {
        let (front, back) = content.split_at(content.len() / 2);
        let octets = indefinite(0x24, &[encode(Tag(0x04), front), encode(Tag(0x04), back)]);
        let signed = indefinite(
            0x30,
            &[
                integer(3),
                encode(Tag(0x31), &sequence(&[oid("2.16.840.1.101.3.4.2.1")])),
                indefinite(0x30, &[oid("2.23.136.1.1.1"), indefinite(0xA0, &[octets])]),
                vec![0x31, 0x00],
            ],
        );
        indefinite(0x30, &[oid("1.2.840.113549.1.7.2"), indefinite(0xA0, &[signed])])
    }

    #[test]
    fn the_hashes_of_each_group_are_found_in_both_versions() {
        for version in [0, 1] {
            let content = security_object(version, &[1, 2, 13, 14, 15]);
            let sod = EfSod::parse(&definite("2.23.136.1.1.1", &content)).unwrap();
            assert_eq!(sod.content_type, SodContentType::Standard);
            assert_eq!(sod.message.content, content);
            let object = &sod.security_object;
            assert_eq!(object.version, version);
            assert_eq!(object.digest_algorithm.oid.to_string(), "2.16.840.1.101.3.4.2.1");
            assert_eq!(object.hashes.keys().map(|group| group.get()).collect::<Vec<_>>(), [1, 2, 13, 14, 15]);
            assert_eq!(object.hashes[&DataGroupNumber::new(13).unwrap()], [13; 32]);
            assert_eq!(object.lds_version.as_deref(), (version == 1).then_some("0108"));
            assert_eq!(object.unicode_version.as_deref(), (version == 1).then_some("040000"));
        }
    }

    #[test]
    fn indefinite_lengths_and_padding_change_nothing() {
        let content = security_object(0, &[1, 2]);
        let plain = EfSod::parse(&definite("2.23.136.1.1.1", &content)).unwrap();
        let inner = streamed(&content);
        for bytes in [
            [definite("2.23.136.1.1.1", &content), vec![0; 40]].concat(),
            encode(Tag(0x77), &inner),
            definite_pieces(&content),
            encode(Tag(0x77), &[inner.clone(), vec![0; 5]].concat()),
            [vec![0x77, 0x80], inner.clone(), vec![0; 2]].concat(),
            [vec![0x77, 0x80], inner.clone(), vec![0; 30]].concat(),
        ] {
            let sod = EfSod::parse(&bytes).unwrap();
            assert_eq!(sod.message.content, content);
            assert_eq!(sod.security_object, plain.security_object);
        }
    }

    #[test]
    fn other_content_types_are_noted_and_read() {
        for (oid, kind) in [
            ("1.3.27.1.1.1", SodContentType::EarlyIcao),
            ("1.2.528.1.1006.1.20.1", SodContentType::Sdu),
            ("1.2.840.113549.1.7.1", SodContentType::Data),
            ("1.2.3", SodContentType::Other(ObjectIdentifier::new_unwrap("1.2.3"))),
        ] {
            let sod = EfSod::parse(&definite(oid, &security_object(0, &[1]))).unwrap();
            assert_eq!(sod.content_type, kind);
        }
    }

    #[test]
    fn two_hashes_for_one_group_and_groups_there_are_none_of_are_refused() {
        for groups in [&[1, 2, 1][..], &[0], &[17]] {
            let bytes = definite("2.23.136.1.1.1", &security_object(0, groups));
            assert_eq!(EfSod::parse(&bytes), Err(MalformedFile::Impossible(Tag(0x02))), "{groups:?}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let sod = EfSod::parse(&definite("2.23.136.1.1.1", &security_object(0, &[1]))).unwrap();
        let shown = format!("{sod:?}");
        assert!(shown.contains("Standard") && !shown.contains("1, 1"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            stream in any::<bool>(),
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let content = security_object(1, &[1, 2, 13]);
            let mut bytes =
                if stream { encode(Tag(0x77), &streamed(&content)) } else { definite("2.23.136.1.1.1", &content) };
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = EfSod::parse(&bytes);
            let _ = EfSod::parse(&bytes[..cut.index(bytes.len())]);
        }
    }
}
