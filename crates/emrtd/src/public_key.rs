//! A chip's static key for key agreement, as DG14 writes it: on a curve that is named, numbered or spelled
//! out, or modulo a prime (ICAO 9303-11, 9.2.6; BSI TR-03110-3, A.2).

use cccd_card::tlv::{Tag, TlvReader};
use cccd_curve::CurveId;
use cccd_document::PublicKey;
use cccd_document::public_key::{Curve, KeyKind};

use const_oid::ObjectIdentifier;

use crate::group::{DomainParameters, ModpId, SpelledOut};

/// dhpublicnumber of X9.42: behind prime and generator stands the order. Behind those of PKCS #3 may stand the
/// length of private keys.
const DH_PUBLIC_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10046.2.1");

/// A public key and its group. Whether it is in the group is found when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgreementKey {
    pub(crate) group: KeyGroup,
    /// A point, uncompressed, or a number.
    pub(crate) public: Vec<u8>,
}

/// The group of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyGroup {
    /// One of those we know.
    Known(DomainParameters),
    /// One modulo a prime that the key spells out. Whether it is one is found when it is used.
    SpelledOut(SpelledOut),
}

/// How keys are agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAgreement {
    /// Modulo a prime.
    Dh,
    /// On a curve.
    Ecdh,
}

impl KeyAgreement {
    /// Its arc in object identifiers (TR-03110-3, A.1.1.1).
    pub(crate) fn arc(self) -> u8 {
        match self {
            Self::Dh => 1,
            Self::Ecdh => 2,
        }
    }
}

impl AgreementKey {
    /// The key, if its group is known or one modulo a prime. A curve that is spelled out is looked up and never
    /// believed.
    pub(crate) fn of(key: &PublicKey) -> Option<Self> {
        let parameters = key.parameters.as_deref();
        let known = |parameters, public| Some(Self { group: KeyGroup::Known(parameters), public });
        match key.kind {
            // The number may be one of a group modulo a prime.
            KeyKind::Ec { curve: Curve::Standardised(id @ 0..=2), .. } => {
                let id = ModpId::from_parameter_id(id.into())?;
                known(DomainParameters::Modp(id), integer(&key.key)?)
            }
            KeyKind::Ec { .. } => {
                let curve = CurveId::from_algorithm(key.algorithm, parameters).ok()?;
                known(DomainParameters::Curve(curve), key.key.clone())
            }
            KeyKind::Dh => {
                let mut outer = TlvReader::new(parameters?);
                let mut numbers = TlvReader::new(outer.expect(Tag(0x30)).ok()?);
                let prime = unsigned(numbers.expect(Tag(0x02)).ok()?);
                let generator = unsigned(numbers.expect(Tag(0x02)).ok()?);
                let public = integer(&key.key)?;
                if let Some(id) = ModpId::from_numbers(prime, generator) {
                    return known(DomainParameters::Modp(id), public);
                }
                let order = match key.algorithm == DH_PUBLIC_NUMBER {
                    true => Some(unsigned(numbers.expect(Tag(0x02)).ok()?)),
                    false => None,
                };
                let group = KeyGroup::SpelledOut(SpelledOut::new(prime, generator, order)?);
                Some(Self { group, public })
            }
            _ => None,
        }
    }

    pub(crate) fn agreement(&self) -> KeyAgreement {
        match self.group {
            KeyGroup::Known(DomainParameters::Curve(_)) => KeyAgreement::Ecdh,
            KeyGroup::Known(DomainParameters::Modp(_)) | KeyGroup::SpelledOut(_) => KeyAgreement::Dh,
        }
    }
}

/// The value of an INTEGER that is all there is.
fn integer(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = TlvReader::new(der);
    let value = reader.expect(Tag(0x02)).ok()?;
    reader.finish().ok()?;
    Some(unsigned(value).to_vec())
}

/// An INTEGER's bytes without the zero that keeps it positive.
fn unsigned(value: &[u8]) -> &[u8] {
    value.strip_prefix(&[0]).unwrap_or(value)
}
