//! What one DER object is, told by its outline alone.

use const_oid::ObjectIdentifier;
use der::{Decode as _, Header, Reader as _, SliceReader, Tag};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// What an object is by its outline. Whether it is a good one, its own parser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A certificate (RFC 5280, 4.1).
    Certificate,
    /// A certificate revocation list (RFC 5280, 5.1).
    Crl,
    /// A ContentInfo with signed data: a master list, or a bag of certificates.
    SignedData,
    /// CscaMasterList without the signed message around it (ICAO 9303-12, 9.2).
    BareList,
    /// A SEQUENCE or SET of certificates.
    Certificates,
}

/// One object of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    /// With tag and length.
    pub(super) whole: &'a [u8],
    /// Without.
    pub(super) value: &'a [u8],
}

/// The objects written one after another. Ends with an error where the rest is no object.
pub(super) fn elements(bytes: &[u8]) -> impl Iterator<Item = Result<Element<'_>, der::Error>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = first(rest);
        // What cannot be read ends the series: where the next one would begin nobody can tell.
        rest = match &next {
            Ok(element) => rest.get(element.whole.len()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(next)
    })
}

/// The object at the front.
pub(super) fn first(bytes: &[u8]) -> Result<Element<'_>, der::Error> {
    let mut reader = SliceReader::new(bytes)?;
    let header = Header::peek(&reader)?;
    let whole = reader.tlv_bytes()?;
    let mut inside = SliceReader::new(whole)?;
    Header::decode(&mut inside)?;
    let value = inside.read_slice(header.length())?;
    Ok(Element { tag: header.tag(), whole, value })
}

/// What an object is, if it is one of those an operator may bring.
pub(super) fn shape(element: &Element<'_>) -> Option<Shape> {
    let mut inner = elements(element.value).map_while(Result::ok);
    match element.tag {
        Tag::Set => is_signed(&inner.next()?).then_some(Shape::Certificates),
        Tag::Sequence => {
            let (one, two) = (inner.next()?, inner.next());
            match (one.tag, two.map(|two| two.tag)) {
                (Tag::ObjectIdentifier, _) => is_signed_data(one.whole).then_some(Shape::SignedData),
                (Tag::Integer, Some(Tag::Set)) => Some(Shape::BareList),
                _ if is_signed(element) => of_signed(one.value),
                _ => is_signed(&one).then_some(Shape::Certificates),
            }
        }
        _ => None,
    }
}

/// Whether bytes begin a ContentInfo of signed data in BER with an indefinite length, which only the parser
/// of such messages can find the end of.
pub(super) fn is_indefinite_signed_data(bytes: &[u8]) -> bool {
    bytes.strip_prefix(&[0x30, 0x80]).is_some_and(is_signed_data)
}

fn is_signed_data(bytes: &[u8]) -> bool {
    let oid = SliceReader::new(bytes).and_then(|mut reader| ObjectIdentifier::decode(&mut reader));
    oid.is_ok_and(|oid| oid == SIGNED_DATA)
}

/// SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING }: what both certificates and CRLs are.
fn is_signed(element: &Element<'_>) -> bool {
    let tags: Vec<Tag> = elements(element.value).take(4).map_while(|inner| Some(inner.ok()?.tag)).collect();
    element.tag == Tag::Sequence && tags == [Tag::Sequence, Tag::Sequence, Tag::BitString]
}

/// After version and serial number come the algorithm and the issuer in both; then a CRL has a time and a
/// certificate a SEQUENCE of two.
fn of_signed(to_be_signed: &[u8]) -> Option<Shape> {
    let mut tags = elements(to_be_signed)
        .map_while(|element| Some(element.ok()?.tag))
        .skip_while(|tag| *tag != Tag::Sequence);
    match (tags.next()?, tags.next()?, tags.next()?) {
        (Tag::Sequence, Tag::Sequence, Tag::Sequence) => Some(Shape::Certificate),
        (Tag::Sequence, Tag::Sequence, Tag::UtcTime | Tag::GeneralizedTime) => Some(Shape::Crl),
        _ => None,
    }
}
