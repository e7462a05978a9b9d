//! How a chip to be made shall prove itself, and every way in which it can.

use crate::image::{
    ChipAuthenticationCommands, EcdsaForm, LongAnswer, ModpGroup, NamedCurve, PaceCipher, RsaForm,
    SignatureHash,
};

/// Active authentication of a chip to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveAuthenticationPlan {
    /// The key in DG15, and the form of the signature.
    pub kind: ActiveAuthenticationKind,
    /// The hash under the signature. With ECDSA, DG14 names it.
    pub hash: SignatureHash,
    /// What the chip does with a signature that the exchange does not carry.
    pub long_answer: LongAnswer,
}

/// The key of active authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveAuthenticationKind {
    /// ECDSA.
    Ecdsa {
        /// Its curve.
        curve: NamedCurve,
        /// How DG15 gives the curve.
        parameters: EcParameters,
        /// How the signature is written.
        form: EcdsaForm,
    },
    /// RSA.
    Rsa {
        /// Bits of the modulus: a multiple of eight.
        bits: u32,
        /// How the signature is made.
        form: RsaForm,
    },
}

/// How a SubjectPublicKeyInfo gives its curve (RFC 5480, 2.1.1; RFC 3279, 2.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcParameters {
    /// By its object identifier.
    Named,
    /// By its prime, coefficients, generator, order and cofactor.
    Explicit,
}

impl ActiveAuthenticationPlan {
    /// Active authentication as ICAO 9303-11, 6.1.2 wants it: plain ECDSA over a named curve, or RSA with the
    /// trailer that belongs to the hash.
    pub fn standard(kind: ActiveAuthenticationKind, hash: SignatureHash) -> Self {
        Self { kind, hash, long_answer: LongAnswer::Refused }
    }

    /// Every kind of key with every hash it goes with: with ECDSA one that is not longer than the order, with
    /// RSA any, where only SHA-1 has a choice of trailer. RSA of other sizes than 1024 and 2048 bits, of which
    /// keys take long to make, comes in its standard form with SHA-256 alone.
    pub fn all() -> Vec<Self> {
        let mut plans = Vec::new();
        for kind in ActiveAuthenticationKind::all() {
            for hash in SignatureHash::all() {
                let goes = match kind {
                    ActiveAuthenticationKind::Ecdsa { curve, .. } => hash.length() * 8 <= curve.order_bits(),
                    ActiveAuthenticationKind::Rsa { bits: 1024 | 2048, form: RsaForm::LongTrailer } => {
                        hash == SignatureHash::Sha1
                    }
                    ActiveAuthenticationKind::Rsa { bits: 1024 | 2048, .. } => true,
                    ActiveAuthenticationKind::Rsa { form, .. } => {
                        form == RsaForm::Standard && hash == SignatureHash::Sha256
                    }
                };
                if goes {
                    plans.push(Self::standard(kind, hash));
                }
            }
        }
        plans
    }
}

impl ActiveAuthenticationKind {
    /// ECDSA in plain form over a named curve.
    pub fn ecdsa(curve: NamedCurve) -> Self {
        Self::Ecdsa { curve, parameters: EcParameters::Named, form: EcdsaForm::Plain }
    }

    /// RSA with the trailer that belongs to the hash.
    pub fn rsa(bits: u32) -> Self {
        Self::Rsa { bits, form: RsaForm::Standard }
    }

    /// Every kind of key.
    pub fn all() -> Vec<Self> {
        let mut kinds = Vec::new();
        for curve in NamedCurve::all() {
            for parameters in [EcParameters::Named, EcParameters::Explicit] {
                for form in [EcdsaForm::Plain, EcdsaForm::Der] {
                    kinds.push(Self::Ecdsa { curve, parameters, form });
                }
            }
        }
        for bits in RSA_BITS {
            for form in
                [RsaForm::Standard, RsaForm::LongTrailer, RsaForm::ShortSignature, RsaForm::ShortMessage]
            {
                kinds.push(Self::Rsa { bits, form });
            }
        }
        kinds
    }
}

/// The sizes of RSA keys for active authentication.
pub(super) const RSA_BITS: [u32; 7] = [1024, 1280, 1536, 1792, 2048, 3072, 4096];

/// A key of chip authentication of a chip to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipAuthenticationPlan {
    /// The key in DG14.
    pub kind: ChipAuthenticationKind,
    /// The cipher of the session it opens.
    pub cipher: PaceCipher,
    /// Its number, where there are several.
    pub key_id: Option<u64>,
    /// Whether DG14 names the protocol as well as the key.
    pub info: ChipAuthenticationInfo,
    /// Which commands run it.
    pub commands: ChipAuthenticationCommands,
}

/// Whether DG14 has a ChipAuthenticationInfo for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipAuthenticationInfo {
    /// It has.
    Present,
    /// It has only the key: terminals are to take 3DES with MSE:Set KAT, as with French passports of 2013.
    Missing,
}

/// A static key for key agreement, and how its SubjectPublicKeyInfo is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipAuthenticationKind {
    /// ECDH.
    Ecdh(NamedCurve, EcdhKeyForm),
    /// DH.
    Dh(ModpGroup, DhKeyForm),
}

/// How an ECDH key gives its domain parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcdhKeyForm {
    /// id-ecPublicKey with the curve's object identifier.
    Named,
    /// id-ecPublicKey with the parameters written out (BSI TR-03111, 5.1; ICAO 9303-11, 9.5.2).
    Explicit,
    /// standardizedDomainParameters with their number (ICAO 9303-11, 9.5.1).
    Standardised,
}

/// How a DH key gives its domain parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhKeyForm {
    /// dhKeyAgreement of PKCS#3: prime and generator.
    Pkcs3,
    /// dhpublicnumber of X9.42: prime, generator and order.
    X942,
    /// standardizedDomainParameters with their number.
    Standardised,
}

impl ChipAuthenticationPlan {
    /// The usual: one key without a number, announced, and every command that goes with the cipher.
    pub fn standard(kind: ChipAuthenticationKind, cipher: PaceCipher) -> Self {
        Self {
            kind,
            cipher,
            key_id: None,
            info: ChipAuthenticationInfo::Present,
            commands: ChipAuthenticationCommands::Both,
        }
    }

    /// Every kind of key with every cipher, with and without a number; and with 3DES the ways in which chips
    /// limit the commands.
    pub fn all() -> Vec<Self> {
        let mut plans = Vec::new();
        for kind in ChipAuthenticationKind::all() {
            for cipher in PaceCipher::all() {
                let plan = Self::standard(kind, cipher);
                plans.push(plan);
                plans.push(Self { key_id: Some(7), ..plan });
                if cipher == PaceCipher::TripleDes {
                    let template = ChipAuthenticationCommands::KeyAgreementTemplate;
                    plans.push(Self { commands: template, ..plan });
                    let general = ChipAuthenticationCommands::GeneralAuthenticate;
                    plans.push(Self { commands: general, ..plan });
                    plans.push(Self { info: ChipAuthenticationInfo::Missing, commands: template, ..plan });
                }
            }
        }
        plans
    }
}

impl ChipAuthenticationKind {
    /// Every kind of key.
    pub fn all() -> Vec<Self> {
        let mut kinds = Vec::new();
        for curve in NamedCurve::all() {
            for form in [EcdhKeyForm::Named, EcdhKeyForm::Explicit, EcdhKeyForm::Standardised] {
                kinds.push(Self::Ecdh(curve, form));
            }
        }
        for group in ModpGroup::all() {
            for form in [DhKeyForm::Pkcs3, DhKeyForm::X942, DhKeyForm::Standardised] {
                kinds.push(Self::Dh(group, form));
            }
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PaceOffer;

    fn assert_distinct<T: PartialEq + std::fmt::Debug>(all: &[T]) {
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{one:?}");
        }
    }

    #[test]
    fn every_variant_is_listed_once() {
        let (active, chip) = (ActiveAuthenticationPlan::all(), ChipAuthenticationPlan::all());
        // Curves with the hashes they take, twice two forms; two sizes of RSA in full and five in brief.
        assert_eq!(active.len(), (2 + 2 * 2 + 2 * 3 + 3 + 2 * 4 + 5 + 5) * 4 + 2 * 16 + 5);
        // Eleven curves and three groups in three forms; four ciphers by two, and three odd ways of 3DES.
        assert_eq!(chip.len(), 14 * 3 * (4 * 2 + 3));
        // Generic, integrated but for P-224, and chip authentication mapping with AES on curves.
        assert_eq!(PaceOffer::all().len(), 14 * 4 + 13 * 4 + 11 * 3);
        assert_distinct(&active);
        assert_distinct(&chip);
        assert_distinct(&PaceOffer::all());
    }
}
