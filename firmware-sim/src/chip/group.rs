//! Key agreement over a curve or over a multiplicative group, behind one face.

use cccd_card::{SecretBytes, StatusWord};
use openssl::bn::{BigNum, BigNumRef};
use openssl::ec::EcPoint;
use openssl::error::ErrorStack;

use super::apdu::Refusal;
use super::crypto;
use super::curve::Curve;
use super::entropy::Entropy;
use super::modp::Modp;
use crate::image::DomainParameters;

/// A forced entropy source that gives the same bytes for ever must not hang the chip. A drawn scalar is
/// above the group order once in two times at most, a shared secret begins with a zero byte once in 256.
const SCALAR_DRAWS: usize = 128;
const LEADING_ZERO_DRAWS: usize = 8_192;

/// Domain parameters.
pub(super) enum Group {
    /// ECDH.
    Curve(Curve),
    /// DH.
    Modp(Modp),
}

/// An element of a group: a public key, a generator, a shared secret.
pub(super) enum Element {
    /// Of a curve.
    Point(EcPoint),
    /// Of a multiplicative group.
    Number(BigNum),
}

/// An ephemeral key, and what it agreed with the terminal's public key.
pub(super) struct Agreement {
    /// Our private key.
    pub(super) private: BigNum,
    /// Our public key.
    pub(super) public: Element,
    /// The shared element.
    pub(super) shared: Element,
}

/// What the shared secret should look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SharedCoordinate {
    AsDrawn,
    LeadingZero,
}

impl Group {
    pub(super) fn new(parameters: DomainParameters) -> Result<Self, ErrorStack> {
        Ok(match parameters {
            DomainParameters::Curve(curve) => Self::Curve(Curve::new(curve)?),
            DomainParameters::Modp(group) => Self::Modp(Modp::new(group)?),
        })
    }

    /// The standard generator.
    pub(super) fn generator(&self) -> Result<Element, ErrorStack> {
        Ok(match self {
            Self::Curve(curve) => Element::Point(curve.generator()?),
            Self::Modp(group) => Element::Number(group.generator()?),
        })
    }

    /// How many elements the generator makes.
    pub(super) fn order(&self) -> Result<BigNum, ErrorStack> {
        match self {
            Self::Curve(curve) => curve.order(),
            Self::Modp(group) => group.order(),
        }
    }

    /// The prime of the field.
    pub(super) fn prime(&self) -> Result<BigNum, ErrorStack> {
        match self {
            Self::Curve(curve) => Ok(curve.components()?.prime),
            Self::Modp(group) => group.prime().to_owned(),
        }
    }

    /// A public key as the terminal wrote it, if it is one.
    pub(super) fn public_key(&self, bytes: &[u8]) -> Option<Element> {
        match self {
            Self::Curve(curve) => curve.public_key(bytes).map(Element::Point),
            Self::Modp(group) => group.public_key(bytes).map(Element::Number),
        }
    }

    /// A public key as the chip writes it (ICAO 9303-11, 9.4.5).
    pub(super) fn encode(&self, element: &Element) -> Result<Vec<u8>, Refusal> {
        Ok(match (self, element) {
            (Self::Curve(curve), Element::Point(point)) => curve.encode(point)?,
            (Self::Modp(group), Element::Number(number)) => group.encode(number),
            _ => return Err(MIXED),
        })
    }

    /// What keys are derived from: the x coordinate, or the number, as long as the field.
    pub(super) fn secret(&self, element: &Element) -> Result<SecretBytes, Refusal> {
        Ok(match (self, element) {
            (Self::Curve(curve), Element::Point(point)) => curve.x(point)?,
            (Self::Modp(group), Element::Number(number)) => group.fixed_length(number)?,
            _ => return Err(MIXED),
        })
    }

    /// Comp(PK) (ICAO 9303-11, 7.1.4): the x coordinate, or SHA-1 of the number.
    pub(super) fn compress(&self, element: &Element) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Curve(_) => Ok(self.secret(element)?.to_vec()),
            Self::Modp(_) => Ok(crypto::sha1(&self.encode(element)?)?),
        }
    }

    /// `element` so many times: a multiple of a point, a power of a number.
    pub(super) fn times(&self, element: &Element, scalar: &BigNumRef) -> Result<Element, Refusal> {
        Ok(match (self, element) {
            (Self::Curve(curve), Element::Point(point)) => Element::Point(curve.times(point, scalar)?),
            (Self::Modp(group), Element::Number(number)) => Element::Number(group.power(number, scalar)?),
            _ => return Err(MIXED),
        })
    }

    /// Generic mapping (ICAO 9303-11, 4.4.3.3.1): the nonce times the generator, and the shared element.
    pub(super) fn map(&self, nonce: &[u8], shared: &Element) -> Result<Element, Refusal> {
        let scaled = self.times(&self.generator()?, &*BigNum::from_slice(nonce)?)?;
        Ok(match (self, &scaled, shared) {
            (Self::Curve(curve), Element::Point(one), Element::Point(other)) => {
                Element::Point(curve.add(one, other)?)
            }
            (Self::Modp(group), Element::Number(one), Element::Number(other)) => {
                Element::Number(group.multiply(one, other)?)
            }
            _ => return Err(MIXED),
        })
    }

    /// Whether this is the neutral element, which no key may be.
    pub(super) fn is_neutral(&self, element: &Element) -> bool {
        match (self, element) {
            (Self::Curve(curve), Element::Point(point)) => curve.is_infinity(point),
            (_, Element::Number(number)) => number.num_bits() <= 1,
            _ => true,
        }
    }

    /// Draws an ephemeral key over `generator` and agrees it with the terminal's public key.
    pub(super) fn agree(
        &self,
        generator: &Element,
        terminal: &Element,
        wanted: SharedCoordinate,
        entropy: &mut Entropy,
    ) -> Result<Agreement, Refusal> {
        for _ in 0..LEADING_ZERO_DRAWS {
            let private = self.draw_scalar(entropy)?;
            let shared = self.times(terminal, &private)?;
            if wanted == SharedCoordinate::LeadingZero && self.secret(&shared)?.first() != Some(&0) {
                continue;
            }
            let public = self.times(generator, &private)?;
            return Ok(Agreement { private, public, shared });
        }
        Err(Refusal(StatusWord(0x6F00)))
    }

    /// A scalar from 1 to the order less one, drawn as many bytes as the order has.
    fn draw_scalar(&self, entropy: &mut Entropy) -> Result<BigNum, Refusal> {
        let order = self.order()?;
        let bits = order.num_bits();
        let zero = BigNum::new()?;
        let mut bytes = SecretBytes::new(vec![0; usize::try_from(order.num_bytes()).unwrap_or(0)]);
        for _ in 0..SCALAR_DRAWS {
            entropy.fill(&mut bytes)?;
            let mut scalar = BigNum::from_slice(&bytes)?;
            if scalar.num_bits() > bits {
                // The order of P-521 has 521 bits in 66 bytes: the surplus is cut off.
                scalar.mask_bits(bits)?;
            }
            if scalar > zero && scalar < order {
                return Ok(scalar);
            }
        }
        Err(Refusal(StatusWord(0x6F00)))
    }
}

/// An element of another kind of group than this one. No command leads here: elements come from the group
/// they are used with.
const MIXED: Refusal = Refusal(StatusWord(0x6F00));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::NamedCurve;

    #[test]
    fn a_shared_secret_with_a_leading_zero_can_be_had_in_every_group() {
        for parameters in DomainParameters::all() {
            let group = Group::new(parameters).unwrap();
            let generator = group.generator().unwrap();
            let drawn = SharedCoordinate::AsDrawn;
            let terminal = group.agree(&generator, &generator, drawn, &mut Entropy::OpenSsl).unwrap();
            let zero = SharedCoordinate::LeadingZero;
            let agreement = group.agree(&generator, &terminal.public, zero, &mut Entropy::OpenSsl).unwrap();
            let secret = group.secret(&agreement.shared).unwrap();
            assert_eq!(secret.first(), Some(&0), "{parameters:?}");
            // The other side comes to the same.
            let theirs = group.times(&agreement.public, &terminal.private).unwrap();
            assert_eq!(group.secret(&theirs).unwrap().as_slice(), secret.as_slice(), "{parameters:?}");
        }
    }

    #[test]
    fn constant_entropy_ends_in_a_refusal_and_not_in_a_loop() {
        let group = Group::new(DomainParameters::Curve(NamedCurve::NistP256)).unwrap();
        let generator = group.generator().unwrap();
        for constant in [0x00, 0xFF] {
            let mut entropy = Entropy::Forced(Box::new(move |bytes| bytes.fill(constant)));
            let refused = group.agree(&generator, &generator, SharedCoordinate::AsDrawn, &mut entropy);
            assert_eq!(refused.err(), Some(Refusal(StatusWord(0x6F00))));
        }
    }

    #[test]
    fn compressed_keys_have_a_fixed_length() {
        for (parameters, length) in [
            (DomainParameters::Curve(NamedCurve::NistP521), 66),
            (DomainParameters::Curve(NamedCurve::BrainpoolP224r1), 28),
            (DomainParameters::Modp(crate::image::ModpGroup::Modp2048Order256), 20),
        ] {
            let group = Group::new(parameters).unwrap();
            assert_eq!(group.compress(&group.generator().unwrap()).unwrap().len(), length);
        }
    }
}
