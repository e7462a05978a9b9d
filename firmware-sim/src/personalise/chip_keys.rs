//! The private keys of a chip, made new for each.

use std::collections::BTreeSet;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::Rsa;

use cccd_card::SecretBytes;

use crate::image::{
    ActiveAuthenticationKey, ActiveAuthenticationOffer, AgreementKey, ChipAuthenticationOffer,
    DomainParameters, NamedCurve, PaceMapping, PaceOffer, ProofOffer,
};

use super::description::ChipPlan;
use super::key_info;
use super::proof_plans::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, ChipAuthenticationKind, ChipAuthenticationPlan,
    EcdhKeyForm,
};

/// The keys of one chip.
pub(super) struct ChipKeys {
    active: Option<(ActiveAuthenticationPlan, ActiveAuthenticationKey)>,
    agreement: Vec<(ChipAuthenticationPlan, AgreementPair)>,
    mapping: Vec<(NamedCurve, AgreementPair)>,
}

/// A static key for key agreement, with its public half as commands carry it.
struct AgreementPair {
    key: AgreementKey,
    public: Vec<u8>,
}

impl ChipKeys {
    pub(super) fn generate(plan: &ChipPlan, pace: &[PaceOffer]) -> Result<Self, ErrorStack> {
        let active = plan.active_authentication;
        let active = active.map(|plan| Ok((plan, active_key(plan.kind)?))).transpose()?;
        let pair = |plan: &ChipAuthenticationPlan| Ok((*plan, agreement_pair(plan.kind)?));
        let agreement = plan.chip_authentication.iter().map(pair).collect::<Result<_, ErrorStack>>()?;
        let curves: BTreeSet<NamedCurve> = pace.iter().filter_map(mapping_curve).collect();
        let of_curve =
            |curve| Ok((curve, agreement_pair(ChipAuthenticationKind::Ecdh(curve, MAPPING_FORM))?));
        let mapping = curves.into_iter().map(of_curve).collect::<Result<_, ErrorStack>>()?;
        Ok(Self { active, agreement, mapping })
    }

    /// What the chip proves itself with.
    pub(super) fn proofs(&self) -> ProofOffer {
        let active = self.active.as_ref().map(|(plan, key)| ActiveAuthenticationOffer {
            key: key.clone(),
            hash: plan.hash,
            long_answer: plan.long_answer,
        });
        let agreement = self.agreement.iter().map(|(plan, pair)| ChipAuthenticationOffer {
            key: pair.key.clone(),
            cipher: plan.cipher,
            key_id: plan.key_id,
            commands: plan.commands,
        });
        ProofOffer {
            active_authentication: active,
            chip_authentication: agreement.collect(),
            mapping_keys: self.mapping.iter().map(|(_, pair)| pair.key.clone()).collect(),
            ..ProofOffer::default()
        }
    }

    /// The SubjectPublicKeyInfo for active authentication.
    pub(super) fn active_public(&self) -> Result<Option<Vec<u8>>, ErrorStack> {
        let Some((plan, key)) = &self.active else {
            return Ok(None);
        };
        match (plan.kind, key) {
            (
                ActiveAuthenticationKind::Ecdsa { curve, parameters, .. },
                ActiveAuthenticationKey::Ecdsa(key, _),
            ) => Ok(Some(key_info::ecdsa(curve, parameters, &point_of(key)?)?)),
            (_, ActiveAuthenticationKey::Rsa(key, _)) => Ok(Some(key.public_key_to_der()?)),
            _ => Ok(None),
        }
    }

    /// The SubjectPublicKeyInfo of each key of chip authentication mapping.
    pub(super) fn mapping_publics(&self) -> impl Iterator<Item = Result<(NamedCurve, Vec<u8>), ErrorStack>> {
        self.mapping
            .iter()
            .map(|(curve, pair)| Ok((*curve, key_info::ecdh(*curve, MAPPING_FORM, &pair.public)?)))
    }

    /// The SubjectPublicKeyInfo of each key of chip authentication.
    pub(super) fn agreement_publics(
        &self,
    ) -> impl Iterator<Item = Result<(&ChipAuthenticationPlan, Vec<u8>), ErrorStack>> {
        self.agreement.iter().map(|(plan, pair)| {
            let info = match plan.kind {
                ChipAuthenticationKind::Ecdh(curve, form) => key_info::ecdh(curve, form, &pair.public)?,
                ChipAuthenticationKind::Dh(group, form) => key_info::dh(group, form, &pair.public)?,
            };
            Ok((plan, info))
        })
    }
}

/// As in ICAO 9303-11, Appendix I.1.
const MAPPING_FORM: EcdhKeyForm = EcdhKeyForm::Standardised;

fn mapping_curve(offer: &PaceOffer) -> Option<NamedCurve> {
    match (offer.mapping, offer.parameters) {
        (PaceMapping::ChipAuthentication, DomainParameters::Curve(curve)) => Some(curve),
        _ => None,
    }
}

fn active_key(kind: ActiveAuthenticationKind) -> Result<ActiveAuthenticationKey, ErrorStack> {
    Ok(match kind {
        ActiveAuthenticationKind::Ecdsa { curve, form, .. } => {
            let key = EcKey::generate(&*EcGroup::from_curve_name(curve.nid())?)?;
            ActiveAuthenticationKey::Ecdsa(key, form)
        }
        ActiveAuthenticationKind::Rsa { bits, form } => {
            ActiveAuthenticationKey::Rsa(Rsa::generate(bits)?, form)
        }
    })
}

fn agreement_pair(kind: ChipAuthenticationKind) -> Result<AgreementPair, ErrorStack> {
    match kind {
        ChipAuthenticationKind::Ecdh(curve, _) => {
            let key = EcKey::generate(&*EcGroup::from_curve_name(curve.nid())?)?;
            let private = SecretBytes::new(key.private_key().to_vec());
            let parameters = DomainParameters::Curve(curve);
            Ok(AgreementPair { key: AgreementKey { parameters, private }, public: point_of(&key)? })
        }
        ChipAuthenticationKind::Dh(group, _) => {
            let domain = group.numbers()?;
            let order = domain.prime_q().map_or_else(BigNum::new, |order| order.to_owned())?;
            let mut private = BigNum::new()?;
            order.rand_range(&mut private)?;
            let mut public = BigNum::new()?;
            let mut context = BigNumContext::new()?;
            public.mod_exp(domain.generator(), &private, domain.prime_p(), &mut context)?;
            let private = SecretBytes::new(private.to_vec());
            let parameters = DomainParameters::Modp(group);
            Ok(AgreementPair { key: AgreementKey { parameters, private }, public: public.to_vec() })
        }
    }
}

fn point_of(key: &EcKey<Private>) -> Result<Vec<u8>, ErrorStack> {
    let mut context = BigNumContext::new()?;
    key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)
}
