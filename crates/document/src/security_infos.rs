//! SecurityInfos: what a chip says it can do (ICAO 9303-11, 9.2; BSI TR-03110-3, A.1.1).
//!
//! EF.CardAccess is one unsigned list of them and DG14 a signed one: one reader serves both. It is the list
//! as the chip tells it; whether an option may be used, and whether the two lists agree, others decide.

use cccd_card::tlv::{Tlv, TlvReader};
use const_oid::ObjectIdentifier;

use crate::MalformedFile;
use crate::asn1::{SEQUENCE, SET, take_integer, take_oid, take_optional_integer};
use crate::public_key::PublicKey;

/// id-PK: keys for chip authentication.
const ID_PK: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.1");
/// id-TA: terminal authentication.
const ID_TA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2");
/// id-CA: chip authentication.
const ID_CA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.3");
/// id-PACE.
const ID_PACE: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.4");
/// id-icao-mrtd-security-aaProtocolObject.
const ID_AA: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.5");

/// A chip's list of options, in the order it gives them.
///
/// ```
/// use cccd_document::SecurityInfos;
///
/// let ef_card_access = [
///     0x31, 0x14, 0x30, 0x12, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02, 0x02, // PACE
///     0x02, 0x01, 0x02, 0x02, 0x01, 0x0D,
/// ];
/// let infos = SecurityInfos::parse(&ef_card_access)?;
/// let pace = infos.pace_infos().next().unwrap();
/// assert_eq!((pace.version, pace.parameter_id), (2, Some(13)));
/// # Ok::<(), cccd_document::MalformedFile>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityInfos {
    infos: Vec<SecurityInfo>,
}

/// One option: `SEQUENCE { protocol OBJECT IDENTIFIER, requiredData ANY, optionalData ANY OPTIONAL }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityInfo {
    /// What it is about. `None` where even this cannot be read.
    pub protocol: Option<ObjectIdentifier>,
    /// What it says.
    pub content: SecurityInfoContent,
    /// The whole SEQUENCE as it came: for finding it again in another list.
    pub raw: Vec<u8>,
}

/// What an option says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityInfoContent {
    /// A variant of PACE.
    Pace(PaceInfo),
    /// Domain parameters of PACE that are not in the table.
    PaceDomainParameters(PaceDomainParameterInfo),
    /// A variant of chip authentication.
    ChipAuthentication(ChipAuthenticationInfo),
    /// A public key for chip authentication.
    ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo),
    /// How active authentication signs, where its key is of an elliptic curve.
    ActiveAuthentication(ActiveAuthenticationInfo),
    /// Terminal authentication.
    TerminalAuthentication(TerminalAuthenticationInfo),
    /// A kind this program does not know.
    Unknown,
    /// A known kind whose content is not what its definition says.
    Malformed,
}

/// PACEInfo (ICAO 9303-11, 9.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceInfo {
    /// Key agreement, mapping and cipher in one identifier.
    pub oid: ObjectIdentifier,
    /// The version; 2 is the only one defined.
    pub version: u64,
    /// The number of the domain parameters, in the table or in a PACEDomainParameterInfo.
    pub parameter_id: Option<u64>,
}

/// PACEDomainParameterInfo (ICAO 9303-11, 9.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceDomainParameterInfo {
    /// Key agreement and mapping.
    pub oid: ObjectIdentifier,
    /// The AlgorithmIdentifier with the parameters.
    pub algorithm: Vec<u8>,
    /// The number PACEInfo refers to it by.
    pub parameter_id: Option<u64>,
}

/// ChipAuthenticationInfo (ICAO 9303-11, 9.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipAuthenticationInfo {
    /// Key agreement and cipher.
    pub oid: ObjectIdentifier,
    /// The version; ICAO uses 1.
    pub version: u64,
    /// Which key, where there are several.
    pub key_id: Option<u64>,
}

/// ChipAuthenticationPublicKeyInfo (ICAO 9303-11, 9.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationPublicKeyInfo {
    /// Key agreement.
    pub oid: ObjectIdentifier,
    /// The key.
    pub public_key: PublicKey,
    /// Which key it is, where there are several.
    pub key_id: Option<u64>,
}

/// ActiveAuthenticationInfo (ICAO 9303-11, 9.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveAuthenticationInfo {
    /// The version; 1 is the only one defined.
    pub version: u64,
    /// The plain ECDSA variant: it names the hash.
    pub signature_algorithm: ObjectIdentifier,
}

/// TerminalAuthenticationInfo (TR-03110-3, A.1.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalAuthenticationInfo {
    /// The version.
    pub version: u64,
}

impl SecurityInfos {
    /// Reads the SET OF SecurityInfo that EF.CardAccess is and DG14 holds.
    ///
    /// A SEQUENCE where the SET belongs is taken too (some cards, card-quirks 12), and so are members out of
    /// DER order. What follows the list is padding. An option that cannot be read stays in the list, raw:
    /// one odd option must not hide the others.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut outer = TlvReader::new(bytes);
        let list = match outer.peek_tag() {
            Some(SEQUENCE) => outer.expect(SEQUENCE)?,
            _ => outer.expect(SET)?,
        };
        let mut reader = TlvReader::new(list);
        let mut infos = Vec::new();
        while let Some(object) = reader.next_object()? {
            infos.push(SecurityInfo::read(object));
        }
        Ok(Self { infos })
    }

    /// All options, in the chip's order.
    pub fn iter(&self) -> impl Iterator<Item = &SecurityInfo> {
        self.infos.iter()
    }

    /// The variants of PACE.
    pub fn pace_infos(&self) -> impl Iterator<Item = &PaceInfo> {
        self.infos.iter().filter_map(|info| match &info.content {
            SecurityInfoContent::Pace(pace) => Some(pace),
            _ => None,
        })
    }

    /// Whether PACE is offered in any form, also one that cannot be read: then BAC is a downgrade.
    pub fn offers_pace(&self) -> bool {
        self.infos.iter().filter_map(|info| info.protocol).any(|oid| is_under(&oid, &ID_PACE, 2))
    }

    /// The variants of chip authentication.
    pub fn chip_authentication_infos(&self) -> impl Iterator<Item = &ChipAuthenticationInfo> {
        self.infos.iter().filter_map(|info| match &info.content {
            SecurityInfoContent::ChipAuthentication(found) => Some(found),
            _ => None,
        })
    }

    /// The keys for chip authentication.
    pub fn chip_authentication_keys(&self) -> impl Iterator<Item = &ChipAuthenticationPublicKeyInfo> {
        self.infos.iter().filter_map(|info| match &info.content {
            SecurityInfoContent::ChipAuthenticationPublicKey(found) => Some(found),
            _ => None,
        })
    }

    /// How active authentication signs.
    pub fn active_authentication_info(&self) -> Option<&ActiveAuthenticationInfo> {
        self.infos.iter().find_map(|info| match &info.content {
            SecurityInfoContent::ActiveAuthentication(found) => Some(found),
            _ => None,
        })
    }

    /// Terminal authentication, if it is offered.
    pub fn terminal_authentication_info(&self) -> Option<&TerminalAuthenticationInfo> {
        self.infos.iter().find_map(|info| match &info.content {
            SecurityInfoContent::TerminalAuthentication(found) => Some(found),
            _ => None,
        })
    }

    /// Whether this very option, byte for byte, is in the list (ICAO 9303-11, 4.4.1: what EF.CardAccess
    /// offered must be found again in DG14).
    pub fn contains(&self, other: &SecurityInfo) -> bool {
        self.infos.iter().any(|info| info.raw == other.raw)
    }
}

impl SecurityInfo {
    fn read(object: Tlv<'_>) -> Self {
        let mut members = TlvReader::new(object.value);
        let protocol = if object.tag == SEQUENCE { take_oid(&mut members) } else { None };
        let content = match protocol {
            Some(oid) => SecurityInfoContent::read(oid, members),
            None => SecurityInfoContent::Malformed,
        };
        Self { protocol, content, raw: object.whole.to_vec() }
    }
}

impl SecurityInfoContent {
    fn read(oid: ObjectIdentifier, members: TlvReader<'_>) -> Self {
        // id-PACE is followed by the mapping, and in a PACEInfo by the cipher too (9.2.3). id-CA is followed
        // by the key agreement and the cipher, id-PK by the key agreement.
        let read = if is_under(&oid, &ID_PACE, 2) {
            read_pace(oid, members).map(Self::Pace)
        } else if is_under(&oid, &ID_PACE, 1) {
            read_pace_domain_parameters(oid, members).map(Self::PaceDomainParameters)
        } else if is_under(&oid, &ID_CA, 2) {
            read_chip_authentication(oid, members).map(Self::ChipAuthentication)
        } else if is_under(&oid, &ID_PK, 1) {
            read_chip_authentication_key(oid, members).map(Self::ChipAuthenticationPublicKey)
        } else if oid == ID_AA {
            read_active_authentication(members).map(Self::ActiveAuthentication)
        } else if oid == ID_TA {
            read_terminal_authentication(members).map(Self::TerminalAuthentication)
        } else {
            Some(Self::Unknown)
        };
        read.unwrap_or(Self::Malformed)
    }
}

/// Whether `oid` is `arc` with exactly so many more numbers.
fn is_under(oid: &ObjectIdentifier, arc: &ObjectIdentifier, more: usize) -> bool {
    oid.starts_with(*arc) && oid.arcs().count() == arc.arcs().count() + more
}

fn read_pace(oid: ObjectIdentifier, mut members: TlvReader<'_>) -> Option<PaceInfo> {
    let version = take_integer(&mut members)?;
    let parameter_id = take_optional_integer(&mut members)?;
    members.finish().ok()?;
    Some(PaceInfo { oid, version, parameter_id })
}

fn read_pace_domain_parameters(
    oid: ObjectIdentifier,
    mut members: TlvReader<'_>,
) -> Option<PaceDomainParameterInfo> {
    let algorithm = members.next_object().ok()?.filter(|object| object.tag == SEQUENCE)?.whole.to_vec();
    let parameter_id = take_optional_integer(&mut members)?;
    members.finish().ok()?;
    Some(PaceDomainParameterInfo { oid, algorithm, parameter_id })
}

fn read_chip_authentication(
    oid: ObjectIdentifier,
    mut members: TlvReader<'_>,
) -> Option<ChipAuthenticationInfo> {
    let version = take_integer(&mut members)?;
    let key_id = take_optional_integer(&mut members)?;
    members.finish().ok()?;
    Some(ChipAuthenticationInfo { oid, version, key_id })
}

fn read_chip_authentication_key(
    oid: ObjectIdentifier,
    mut members: TlvReader<'_>,
) -> Option<ChipAuthenticationPublicKeyInfo> {
    let public_key = PublicKey::parse(members.next_object().ok()??.whole).ok()?;
    let key_id = take_optional_integer(&mut members)?;
    members.finish().ok()?;
    Some(ChipAuthenticationPublicKeyInfo { oid, public_key, key_id })
}

fn read_active_authentication(mut members: TlvReader<'_>) -> Option<ActiveAuthenticationInfo> {
    let version = take_integer(&mut members)?;
    let signature_algorithm = take_oid(&mut members)?;
    members.finish().ok()?;
    Some(ActiveAuthenticationInfo { version, signature_algorithm })
}

fn read_terminal_authentication(mut members: TlvReader<'_>) -> Option<TerminalAuthenticationInfo> {
    // An efCVCA FileID may follow (TR-03110-3, A.1.1.3); EF.CVCA is not read here.
    Some(TerminalAuthenticationInfo { version: take_integer(&mut members)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::{Tag, encode};
    use proptest::prelude::*;

    /// EF.CardAccess as vendor programs for the Vietnamese card carry it.
    const VIETNAMESE: &str = "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d";

    fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }

    #[test]
    fn the_vietnamese_card_access_is_read_whole() {
        let infos = SecurityInfos::parse(&hex::decode(VIETNAMESE).unwrap()).unwrap();
        assert_eq!(infos.iter().count(), 3);
        assert_eq!(infos.terminal_authentication_info(), Some(&TerminalAuthenticationInfo { version: 1 }));
        assert_eq!(
            infos.chip_authentication_infos().collect::<Vec<_>>(),
            [&ChipAuthenticationInfo { oid: oid("0.4.0.127.0.7.2.2.3.2.2"), version: 1, key_id: None }]
        );
        assert_eq!(
            infos.pace_infos().collect::<Vec<_>>(),
            [&PaceInfo { oid: oid("0.4.0.127.0.7.2.2.4.2.2"), version: 2, parameter_id: Some(13) }]
        );
        assert!(infos.offers_pace());
        assert_eq!(infos.active_authentication_info(), None);
    }

    #[test]
    fn a_sequence_may_stand_for_the_set_and_padding_may_follow() {
        let mut bytes = hex::decode(VIETNAMESE).unwrap();
        let as_set = SecurityInfos::parse(&bytes).unwrap();
        bytes[0] = 0x30;
        bytes.extend([0; 7]);
        assert_eq!(SecurityInfos::parse(&bytes).unwrap(), as_set);
    }

    #[test]
    fn an_option_that_cannot_be_read_hides_no_other_and_still_says_pace() {
        // PACEInfo without a version, something that is no SEQUENCE, an unknown protocol, then a good one.
        let bytes = hex::decode(
            "312c\
             300c060a04007f00070202040202\
             0401aa\
             300706022a03020101\
             3012060a04007f0007020204020202010202010d",
        )
        .map(|mut bytes| {
            bytes[1] = u8::try_from(bytes.len() - 2).unwrap();
            bytes
        })
        .unwrap();
        let infos = SecurityInfos::parse(&bytes).unwrap();
        let contents: Vec<_> = infos.iter().map(|info| info.content.clone()).collect();
        assert_eq!(
            contents[..3],
            [SecurityInfoContent::Malformed, SecurityInfoContent::Malformed, SecurityInfoContent::Unknown]
        );
        assert_eq!(infos.pace_infos().count(), 1);
        let only_broken = SecurityInfos::parse(&encode(SET, &bytes[2..16])).unwrap();
        assert_eq!(only_broken.pace_infos().count(), 0);
        assert!(only_broken.offers_pace());
    }

    #[test]
    fn options_are_found_again_byte_for_byte() {
        let access = SecurityInfos::parse(&hex::decode(VIETNAMESE).unwrap()).unwrap();
        let pace = access.iter().nth(2).unwrap();
        let mut raw = pace.raw.clone();
        let signed = SecurityInfos::parse(&encode(SET, &raw)).unwrap();
        assert!(signed.contains(pace));
        // Another set of domain parameters.
        *raw.last_mut().unwrap() = 12;
        assert!(!SecurityInfos::parse(&encode(SET, &raw)).unwrap().contains(pace));
    }

    #[test]
    fn a_chip_authentication_key_on_a_numbered_curve() {
        // TR-03110-3, A.2.1.1: standardizedDomainParameters 13, a point of 64 bytes.
        let algorithm =
            [encode(Tag(0x06), oid("0.4.0.127.0.7.1.2").as_bytes()), vec![0x02, 0x01, 0x0D]].concat();
        let mut point = vec![0x00, 0x04];
        point.extend([0x11; 64]);
        let spki = encode(SEQUENCE, &[encode(SEQUENCE, &algorithm), encode(Tag(0x03), &point)].concat());
        let info = [
            encode(Tag(0x06), oid("0.4.0.127.0.7.2.2.1.2").as_bytes()),
            spki.clone(),
            vec![0x02, 0x01, 0x05],
        ]
        .concat();
        let infos = SecurityInfos::parse(&encode(SET, &encode(SEQUENCE, &info))).unwrap();
        let key = infos.chip_authentication_keys().next().unwrap();
        assert_eq!((key.key_id, &key.public_key.der), (Some(5), &spki));
        assert_eq!(
            key.public_key.kind,
            crate::public_key::KeyKind::Ec { curve: crate::public_key::Curve::Standardised(13), bits: 256 }
        );
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bytes in [&[][..], &[0x04, 0x00], &[0x31, 0x05, 0x30], &[0x31, 0x02, 0x30, 0x05]] {
            assert!(SecurityInfos::parse(bytes).is_err(), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
            key in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = hex::decode(VIETNAMESE).unwrap();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = SecurityInfos::parse(&bytes).map(|infos| infos.offers_pace());
            let _ = PublicKey::parse(&key);
            let _ = PublicKey::parse(&encode(SEQUENCE, &key));
        }
    }
}
