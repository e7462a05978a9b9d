//! Every combination the simulator offers: each must be read, and found genuine.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use cccd_document::AccessProtocol;
use cccd_firmware_sim::image::{
    DomainParameters, NamedCurve, PaceCipher, PaceMapping, PaceOffer, SignatureHash,
};
use cccd_firmware_sim::personalise::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, CardDescription, ChipAuthenticationKind,
    ChipAuthenticationPlan, Issuer, LdsVersion, SecurityObjectPlan, personalise,
};
use cccd_firmware_sim::pki::{SignerKind, TrustMaterial};
use cccd_trust::{CheckName, CheckState, Summary};

use crate::judged::{Known, can, mrz, read, without_portrait};
use crate::people;

/// One of the four tables of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Mapping, group, cipher and password.
    Access,
    /// Key, hash and form of active authentication.
    ActiveAuthentication,
    /// Key, form and cipher of chip authentication.
    ChipAuthentication,
    /// Digest, signature and parameter form of EF.SOD, and the version of its list.
    Signature,
}

/// One combination.
pub struct Combination {
    /// Which table it belongs to.
    pub family: Family,
    /// What it is, in the order of the table.
    pub name: String,
    /// The row it is counted in.
    pub row: String,
    card: CardDescription,
    password: Password,
    proof: Option<CheckName>,
    pace: Option<PaceMapping>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Password {
    Can,
    Mrz,
}

/// The card every combination is a variation of: one that proves itself by a key that is quickly made.
fn base() -> CardDescription {
    let active = ActiveAuthenticationKind::ecdsa(NamedCurve::NistP256);
    people::card("cccd-2021")
        .with_active_authentication(Some(ActiveAuthenticationPlan::standard(active, SignatureHash::Sha256)))
        .with_chip_authentication(Vec::new())
}

/// All of them.
pub fn all() -> Vec<Combination> {
    let mut all = Vec::new();
    for offer in PaceOffer::all() {
        for password in [Password::Can, Password::Mrz] {
            // Chip authentication mapping proves the chip by itself.
            let mapping = offer.mapping == PaceMapping::ChipAuthentication;
            let card = if mapping { base().with_active_authentication(None) } else { base() };
            all.push(Combination {
                family: Family::Access,
                name: format!("PACE {} with {password:?}", offer_name(&offer)),
                row: format!("PACE {}", mapping_name(&offer)),
                card: card.with_access(false, vec![offer]),
                password,
                proof: mapping.then_some(CheckName::ChipAuthenticationMapping),
                pace: Some(offer.mapping),
            });
        }
    }
    all.push(Combination {
        family: Family::Access,
        name: "BAC".to_owned(),
        row: "BAC".to_owned(),
        card: base().with_access(true, Vec::new()),
        password: Password::Mrz,
        proof: None,
        pace: None,
    });
    for plan in ActiveAuthenticationPlan::all() {
        all.push(Combination {
            family: Family::ActiveAuthentication,
            name: format!("{plan:?}"),
            row: match plan.kind {
                ActiveAuthenticationKind::Ecdsa { parameters, form, .. } => {
                    format!("ECDSA {form:?}, curve {parameters:?}")
                }
                ActiveAuthenticationKind::Rsa { form, .. } => format!("RSA {form:?}"),
            },
            card: base().with_active_authentication(Some(plan)),
            password: Password::Can,
            proof: Some(CheckName::ActiveAuthentication),
            pace: Some(PaceMapping::Generic),
        });
    }
    for plan in ChipAuthenticationPlan::all() {
        all.push(Combination {
            family: Family::ChipAuthentication,
            name: format!("{plan:?}"),
            row: match plan.kind {
                ChipAuthenticationKind::Ecdh(_, form) => format!("ECDH {form:?}, {:?}", plan.cipher),
                ChipAuthenticationKind::Dh(_, form) => format!("DH {form:?}, {:?}", plan.cipher),
            },
            card: base().with_active_authentication(None).with_chip_authentication(vec![plan]),
            password: Password::Can,
            proof: Some(CheckName::ChipAuthentication),
            pace: Some(PaceMapping::Generic),
        });
    }
    for (digest, signer) in SignerKind::combinations() {
        for version in [LdsVersion::V0, LdsVersion::V1] {
            let plan = SecurityObjectPlan { version, ..SecurityObjectPlan::usual(digest, signer) };
            all.push(Combination {
                family: Family::Signature,
                name: format!("{digest:?} {signer:?} {version:?}"),
                row: match signer {
                    SignerKind::RsaPkcs1 { .. } => "RSA PKCS#1".to_owned(),
                    SignerKind::RsaPss { parameters, .. } => format!("RSA-PSS, parameters {parameters:?}"),
                    SignerKind::Ecdsa { parameters, .. } => format!("ECDSA, curve {parameters:?}"),
                },
                card: base().with_security_object(plan),
                password: Password::Can,
                proof: None,
                pace: Some(PaceMapping::Generic),
            });
        }
    }
    all
}

/// Some of each row, so that a test of a minute meets every kind: the first, the last, and one in `every`.
pub fn some(every: usize) -> Vec<Combination> {
    let mut seen: BTreeMap<(Family, String), usize> = BTreeMap::new();
    let mut all = all();
    all.retain(|one| {
        let count = seen.entry((one.family, one.row.clone())).or_default();
        *count += 1;
        *count % every == 1 || every == 1
    });
    all
}

/// The authorities whose cards these are.
pub struct Authorities {
    issuer: Issuer,
    known: Known,
}

impl Authorities {
    /// New ones.
    pub fn new() -> Result<Self> {
        let issuer = Issuer::new()?;
        let trust = TrustMaterial { anchors: vec![issuer.csca_der().to_vec()], ..TrustMaterial::default() };
        Ok(Self { known: Known::of(&trust)?, issuer })
    }

    /// Reads one combination and says whether it is genuine, by the proof it is about.
    pub fn try_one(&self, one: &Combination) -> Result<()> {
        let image = personalise(&one.card, &self.issuer).context("personalising")?;
        let key = match one.password {
            Password::Can => can(&one.card)?,
            Password::Mrz => mrz(&one.card)?,
        };
        let evidence = read(image, &key, without_portrait())?;
        let ran = match evidence.access.protocol {
            AccessProtocol::Bac => None,
            AccessProtocol::Pace(pace) => Some(pace.mapping),
        };
        let meant = one.pace.map(|mapping| match mapping {
            PaceMapping::Generic => cccd_document::Mapping::Generic,
            PaceMapping::Integrated => cccd_document::Mapping::Integrated,
            PaceMapping::ChipAuthentication => cccd_document::Mapping::ChipAuthentication,
        });
        if ran != meant {
            bail!("opened by {ran:?}");
        }
        let verdict = self.known.judge(&evidence).verdict;
        if verdict.summary() != Summary::Genuine {
            bail!("{}: {:?}", verdict.summary().code(), verdict.decisive());
        }
        if let Some(proof) = one.proof
            && verdict.check(proof).is_none_or(|check| check.state != CheckState::Passed)
        {
            bail!("{proof} did not pass: {:?}", verdict.check(proof));
        }
        Ok(())
    }
}

fn mapping_name(offer: &PaceOffer) -> String {
    let agreement = match offer.parameters {
        DomainParameters::Curve(_) => "ECDH",
        DomainParameters::Modp(_) => "DH",
    };
    format!("{agreement} {:?}, {}", offer.mapping, cipher_name(offer.cipher))
}

fn offer_name(offer: &PaceOffer) -> String {
    format!("{:?} {:?} {}", offer.mapping, offer.parameters, cipher_name(offer.cipher))
}

fn cipher_name(cipher: PaceCipher) -> &'static str {
    match cipher {
        PaceCipher::TripleDes => "3DES",
        PaceCipher::Aes128 => "AES-128",
        PaceCipher::Aes192 => "AES-192",
        PaceCipher::Aes256 => "AES-256",
    }
}
