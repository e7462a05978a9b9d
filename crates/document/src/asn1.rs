//! ASN.1 values inside the BER-TLV that chips write.
//!
//! The lists a chip gives are not always DER (a SEQUENCE for a SET, members out of order, long lengths), so
//! the frame is read as BER-TLV and only the values are ASN.1.

use cccd_card::tlv::{Tag, TlvReader};
use const_oid::ObjectIdentifier;

/// INTEGER (X.690, 8.3).
pub(crate) const INTEGER: Tag = Tag(0x02);
/// OBJECT IDENTIFIER (X.690, 8.19).
pub(crate) const OID: Tag = Tag(0x06);
/// SEQUENCE (X.690, 8.9).
pub(crate) const SEQUENCE: Tag = Tag(0x30);
/// SET (X.690, 8.11).
pub(crate) const SET: Tag = Tag(0x31);

/// The next object as an INTEGER that is not negative and fits.
pub(crate) fn take_integer(reader: &mut TlvReader<'_>) -> Option<u64> {
    integer(reader.expect(INTEGER).ok()?)
}

/// The value of an INTEGER that is not negative and fits.
pub(crate) fn integer(value: &[u8]) -> Option<u64> {
    let negative = value.first()? & 0x80 != 0;
    let zeros = value.iter().take_while(|&&byte| byte == 0).count();
    let significant = value.get(zeros..)?;
    (!negative && significant.len() <= 8)
        .then(|| significant.iter().fold(0, |all, &byte| all << 8 | u64::from(byte)))
}

/// The next object as an INTEGER if it is one; the outer `None` says that it is one and does not fit.
#[expect(
    clippy::option_option,
    reason = "absent and impossible are different, as with `TlvReader::optional`"
)]
pub(crate) fn take_optional_integer(reader: &mut TlvReader<'_>) -> Option<Option<u64>> {
    match reader.optional(INTEGER).ok()? {
        Some(value) => integer(value).map(Some),
        None => Some(None),
    }
}

/// The next object as an OBJECT IDENTIFIER.
pub(crate) fn take_oid(reader: &mut TlvReader<'_>) -> Option<ObjectIdentifier> {
    ObjectIdentifier::from_bytes(reader.expect(OID).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_unsigned_and_only_when_they_fit() {
        assert_eq!(integer(&[0x0D]), Some(13));
        assert_eq!(integer(&[0x00, 0xFF]), Some(255));
        assert_eq!(integer(&[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), Some(u64::MAX >> 1));
        assert_eq!(integer(&[0xFF]), None);
        assert_eq!(integer(&[1; 9]), None);
        assert_eq!(integer(&[]), None);
    }
}
