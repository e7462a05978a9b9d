//! The groups keys are agreed in: elliptic curves, and numbers modulo a prime (ICAO 9303-11, 9.5 and 9.6).

mod elliptic;
mod modp;
mod spelled_out;

use cccd_card::tlv::Tag;
use cccd_curve::{CurveId, IcaoCurve, OnCurve};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy};
pub(crate) use elliptic::Elliptic;
pub(crate) use modp::{ModpGroup, ModpId};
pub(crate) use spelled_out::SpelledOut;

/// What is wrong with a public key the chip sent, or with what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyFault {
    /// No uncompressed point in the curve's own width, or no number in the prime's.
    #[error("public key has the wrong encoding")]
    Encoding,
    /// No point of the curve, or no number of the group (ICAO 9303-11, 9.6).
    #[error("public key is not in the group")]
    NotInGroup,
    /// The chip sent our own public key back (ICAO 9303-11, 4.4.1, step 3 c).
    #[error("chip sent our own public key back")]
    Reflected,
    /// The mapped generator or the shared secret is the point at infinity, or one.
    #[error("key agreement ends in the neutral element")]
    Neutral,
}

/// One group and its arithmetic.
pub(crate) trait Group {
    /// A number modulo the group's order.
    type Number;
    /// A point, or a number modulo the prime.
    type Element;

    /// Under which tag a public key stands in what a token is made over (9.4.5).
    const PUBLIC_KEY_TAG: Tag;

    /// A secret from 1 to the order less one, each as likely as any other.
    fn draw(&self, entropy: &mut dyn Entropy) -> Result<Zeroizing<Self::Number>, NoEntropy>
    where
        Self::Number: zeroize::Zeroize;
    /// A big-endian number modulo the order, however long it is.
    fn number(&self, bytes: &[u8]) -> Zeroizing<Self::Number>
    where
        Self::Number: zeroize::Zeroize;
    /// The standard generator.
    fn generator(&self) -> Self::Element;
    /// `element` taken so many times.
    fn repeat(&self, element: &Self::Element, times: &Self::Number) -> Self::Element;
    /// Both taken together.
    fn combine(&self, one: &Self::Element, other: &Self::Element) -> Self::Element;
    /// Whether it is the point at infinity, or one.
    fn is_neutral(&self, element: &Self::Element) -> bool;
    /// A public key from the chip, checked to be in the group.
    fn decode(&self, bytes: &[u8]) -> Result<Self::Element, PublicKeyFault>;
    /// A public key as it travels (9.4.4).
    fn encode(&self, element: &Self::Element) -> Vec<u8>;
    /// What keys are derived from: the x coordinate, or the number itself.
    ///
    /// Always as long as the field: a number of minimal length drops leading zeros, and with them about one
    /// reading in 256.
    fn shared_secret(&self, element: &Self::Element) -> Zeroizing<Vec<u8>>;
    /// What names a public key in terminal authentication: its x coordinate, or a hash over it (BSI
    /// TR-03110-3, A.2.2.3).
    fn compress(&self, public: &[u8]) -> Vec<u8>;
    /// Bits of the field's prime.
    fn prime_bits(&self) -> usize;
    /// The element that pseudo-random bytes are mapped to (4.4.3.3.2); `None` where there is none.
    fn map_integrated(&self, pseudo_random: &[u8]) -> Option<Self::Element>;
}

/// Which group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DomainParameters {
    /// An elliptic curve.
    Curve(CurveId),
    /// One of the groups of RFC 5114.
    Modp(ModpId),
}

/// Work that is the same in every group.
pub(crate) trait InGroup {
    /// What comes of it.
    type Output;
    /// The work.
    fn on<G: Group>(self, group: &G) -> Self::Output
    where
        G::Number: zeroize::Zeroize;
}

impl DomainParameters {
    /// The standardised domain parameters of this number (9.5.1, table 6).
    pub(crate) fn from_parameter_id(id: u64) -> Option<Self> {
        let curve = CurveId::from_parameter_id(id).map(Self::Curve);
        curve.or_else(|| ModpId::from_parameter_id(id).map(Self::Modp))
    }

    /// The number in table 6.
    pub(crate) fn parameter_id(self) -> u8 {
        match self {
            Self::Curve(curve) => curve.parameter_id(),
            Self::Modp(group) => group.parameter_id(),
        }
    }

    /// Does `work` in this group.
    pub(crate) fn run<W: InGroup>(self, work: W) -> W::Output {
        struct OnThis<W>(W);
        impl<W: InGroup> OnCurve for OnThis<W> {
            type Output = W::Output;
            fn on<C: IcaoCurve>(self) -> W::Output {
                self.0.on(&Elliptic::<C>::new())
            }
        }
        match self {
            Self::Curve(curve) => curve.run(OnThis(work)),
            Self::Modp(id) => work.on(&ModpGroup::standard(id)),
        }
    }
}

/// A key pair on some generator. Its secret is wiped.
pub(crate) struct EphemeralKey<G: Group>
where
    G::Number: zeroize::Zeroize,
{
    secret: Zeroizing<G::Number>,
    public: Vec<u8>,
}

impl<G: Group> EphemeralKey<G>
where
    G::Number: zeroize::Zeroize,
{
    /// A new one on `generator`.
    pub(crate) fn generate(
        group: &G,
        generator: &G::Element,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, NoEntropy> {
        let secret = group.draw(entropy)?;
        let public = group.encode(&group.repeat(generator, &secret));
        Ok(Self { secret, public })
    }

    /// The public key as it travels.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The element shared with the owner of `theirs`.
    pub(crate) fn agree(&self, group: &G, theirs: &[u8]) -> Result<G::Element, PublicKeyFault> {
        if theirs == self.public {
            return Err(PublicKeyFault::Reflected);
        }
        let shared = group.repeat(&group.decode(theirs)?, &self.secret);
        if group.is_neutral(&shared) { Err(PublicKeyFault::Neutral) } else { Ok(shared) }
    }
}

/// The generic mapping (4.4.3.3.1): the nonce times the generator, and the shared element.
pub(crate) fn map_generic<G: Group>(
    group: &G,
    nonce: &[u8],
    shared: &G::Element,
) -> Result<G::Element, PublicKeyFault>
where
    G::Number: zeroize::Zeroize,
{
    let scaled = group.repeat(&group.generator(), &group.number(nonce));
    let mapped = group.combine(&scaled, shared);
    if group.is_neutral(&mapped) { Err(PublicKeyFault::Neutral) } else { Ok(mapped) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;

    /// Both sides of a generic mapping and the agreement after it.
    struct BothSides {
        seed: u8,
    }

    impl InGroup for BothSides {
        type Output = Vec<u8>;
        fn on<G: Group>(self, group: &G) -> Vec<u8>
        where
            G::Number: zeroize::Zeroize,
        {
            let width = group.prime_bits().div_ceil(8);
            // Below every order: the first byte has its highest bit clear.
            let draw = |add: u8| {
                let mut bytes: Vec<u8> =
                    (0..width).map(|i| 0x11 ^ self.seed ^ add ^ i.to_le_bytes()[0]).collect();
                bytes[0] &= 0x7F;
                bytes
            };
            let key = |add, generator: &G::Element| {
                EphemeralKey::generate(group, generator, &mut Fixed::new(&[&draw(add)])).unwrap()
            };
            let (ours, theirs) = (key(1, &group.generator()), key(2, &group.generator()));
            let nonce = [0xF7; 32];
            let map = |key: &EphemeralKey<G>, other: &EphemeralKey<G>| {
                map_generic(group, &nonce, &key.agree(group, other.public()).unwrap()).unwrap()
            };
            let (our_base, their_base) = (map(&ours, &theirs), map(&theirs, &ours));
            assert_eq!(group.encode(&our_base), group.encode(&their_base));
            let (ours, theirs) = (key(3, &our_base), key(4, &their_base));
            let secret = group.shared_secret(&ours.agree(group, theirs.public()).unwrap());
            assert_eq!(secret, group.shared_secret(&theirs.agree(group, ours.public()).unwrap()));
            assert_eq!(secret.len(), width);
            assert_eq!(ours.agree(group, ours.public()).err(), Some(PublicKeyFault::Reflected));
            assert_eq!(ours.agree(group, &[]).err(), Some(PublicKeyFault::Encoding));
            secret.to_vec()
        }
    }

    fn all() -> Vec<DomainParameters> {
        (0..=255).filter_map(DomainParameters::from_parameter_id).collect()
    }

    #[test]
    fn table_6_is_known_whole_and_nothing_else() {
        let numbers: Vec<_> = all().iter().map(|group| group.parameter_id()).collect();
        assert_eq!(numbers, [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    }

    #[test]
    fn both_sides_come_to_the_same_secret_in_every_group() {
        for group in all() {
            group.run(BothSides { seed: 0 });
        }
    }

    #[test]
    fn a_leading_zero_stays_in_the_shared_secret() {
        // One run in 256 gives one.
        for group in [CurveId::NistP256, CurveId::BrainpoolP256r1].map(DomainParameters::Curve) {
            let narrow = (0..=255).map(|seed| group.run(BothSides { seed })).find(|secret| secret[0] == 0);
            assert_eq!(narrow.map(|secret| secret.len()), Some(32), "{group:?}");
        }
        let group = DomainParameters::Modp(ModpId::Bits1024);
        let narrow = (0..=255).map(|seed| group.run(BothSides { seed })).find(|secret| secret[0] == 0);
        assert_eq!(narrow.map(|secret| secret.len()), Some(128));
    }

    #[test]
    fn a_source_that_says_nothing_new_does_not_hang() {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
                out.fill(0);
                Ok(())
            }
        }
        struct Draw;
        impl InGroup for Draw {
            type Output = bool;
            fn on<G: Group>(self, group: &G) -> bool
            where
                G::Number: zeroize::Zeroize,
            {
                group.draw(&mut Zeros).is_err()
            }
        }
        for group in all() {
            assert!(group.run(Draw), "{group:?}");
        }
    }
}
