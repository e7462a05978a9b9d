//! Every combination the simulator offers: each must be read, and found genuine.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use cccd_document::AccessProtocol;
use cccd_firmware_sim::image::{
    ChipImage, DomainParameters, ModpGroup, NamedCurve, PaceCipher, PaceMapping, PaceOffer, SignatureHash,
};
use cccd_firmware_sim::personalise::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, CardDescription, ChipAuthenticationKind,
    ChipAuthenticationPlan, DhKeyForm, EcdhKeyForm, Issuer, LdsVersion, SecurityObjectPlan,
    odd_security_objects, personalise, personalise_signed_by,
};
use cccd_firmware_sim::pki::{
    Csca, CscaPlan, Curve, DigestKind, DocumentSignerPlan, Ending, PssParameters, Setting, SignerKind, Story,
    TrustMaterial,
};
use cccd_trust::{CheckName, CheckState, Summary};
use time::macros::date;

use crate::judged::{Known, can, mrz, read, without_portrait};
use crate::people;

/// One of the tables of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Mapping, group, cipher and password.
    Access,
    /// Key, hash and form of active authentication.
    ActiveAuthentication,
    /// Key, form and cipher of chip authentication.
    ChipAuthentication,
    /// Several keys of the chip at once, which prove it one after the other.
    ChipKeys,
    /// Digest, signature and parameter form of EF.SOD, and the version of its list.
    Signature,
    /// What else is odd about EF.SOD.
    SecurityObject,
    /// Key, digest and parameter form of the authority.
    Authority,
    /// Links from an older key of the authority to a newer one.
    RollOver,
    /// Lives of authorities that end well.
    Story,
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
    /// What has to pass.
    proofs: Vec<CheckName>,
    pace: Option<PaceMapping>,
    signed: Signed,
}

/// Who has signed the card, and what the verifier is given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Signed {
    /// The authority all share, which is the anchor.
    ByTheUsual,
    /// The same. The signer is not in EF.SOD and given apart.
    ByOneKnownApart,
    /// An authority with this key of its own.
    ByAuthority(DigestKind, SignerKind),
    /// The last of these keys of one authority. The first is the anchor, and links lead from each to the next.
    AfterRollOver(Vec<SignerKind>),
    /// Whoever signs in this story.
    InStory(Story),
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

impl Combination {
    /// The base card, opened with its access number.
    fn of(family: Family, row: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            family,
            name: name.into(),
            row: row.into(),
            card: base(),
            password: Password::Can,
            proofs: Vec::new(),
            pace: Some(PaceMapping::Generic),
            signed: Signed::ByTheUsual,
        }
    }
}

/// All of them.
pub fn all() -> Vec<Combination> {
    let mut all = access();
    all.extend(active_authentication());
    all.extend(chip_authentication());
    all.extend(chip_keys());
    all.extend(signatures());
    all.extend(security_objects());
    all.extend(authorities());
    all.extend(roll_overs());
    let good = Story::ALL.into_iter().filter(|story| story.ending() == Ending::Genuine);
    all.extend(good.map(|story| Combination {
        signed: Signed::InStory(story),
        ..Combination::of(Family::Story, format!("{story:?}"), story.sentence())
    }));
    all
}

fn access() -> Vec<Combination> {
    let mut all = Vec::new();
    for offer in PaceOffer::all() {
        for password in [Password::Can, Password::Mrz] {
            // Chip authentication mapping proves the chip by itself.
            let mapping = offer.mapping == PaceMapping::ChipAuthentication;
            let card = if mapping { base().with_active_authentication(None) } else { base() };
            let name = format!("PACE {} with {password:?}", offer_name(&offer));
            all.push(Combination {
                card: card.with_access(false, vec![offer]),
                password,
                proofs: if mapping { vec![CheckName::ChipAuthenticationMapping] } else { Vec::new() },
                pace: Some(offer.mapping),
                ..Combination::of(Family::Access, format!("PACE {}", mapping_name(&offer)), name)
            });
        }
    }
    all.push(Combination {
        card: base().with_access(true, Vec::new()),
        password: Password::Mrz,
        pace: None,
        ..Combination::of(Family::Access, "BAC", "BAC")
    });
    all
}

fn active_authentication() -> impl Iterator<Item = Combination> {
    ActiveAuthenticationPlan::all().into_iter().map(|plan| {
        let row = match plan.kind {
            ActiveAuthenticationKind::Ecdsa { parameters, form, .. } => {
                format!("ECDSA {form:?}, curve {parameters:?}")
            }
            ActiveAuthenticationKind::Rsa { form, .. } => format!("RSA {form:?}"),
        };
        Combination {
            card: base().with_active_authentication(Some(plan)),
            proofs: vec![CheckName::ActiveAuthentication],
            ..Combination::of(Family::ActiveAuthentication, row, format!("{plan:?}"))
        }
    })
}

fn chip_authentication() -> impl Iterator<Item = Combination> {
    ChipAuthenticationPlan::all().into_iter().map(|plan| {
        let row = match plan.kind {
            ChipAuthenticationKind::Ecdh(_, form) => format!("ECDH {form:?}, {:?}", plan.cipher),
            ChipAuthenticationKind::Dh(_, form) => format!("DH {form:?}, {:?}", plan.cipher),
        };
        Combination {
            card: base().with_active_authentication(None).with_chip_authentication(vec![plan]),
            proofs: vec![CheckName::ChipAuthentication],
            ..Combination::of(Family::ChipAuthentication, row, format!("{plan:?}"))
        }
    })
}

/// Pairs and triples of keys for chip authentication, with a key for active authentication and with chip
/// authentication mapping before them.
fn chip_keys() -> Vec<Combination> {
    let kinds = [
        ChipAuthenticationKind::Ecdh(NamedCurve::NistP256, EcdhKeyForm::Named),
        ChipAuthenticationKind::Ecdh(NamedCurve::BrainpoolP384r1, EcdhKeyForm::Explicit),
        ChipAuthenticationKind::Ecdh(NamedCurve::BrainpoolP256r1, EcdhKeyForm::Standardised),
        ChipAuthenticationKind::Dh(ModpGroup::Modp2048Order224, DhKeyForm::X942),
    ];
    let numbered = |kinds: &[ChipAuthenticationKind], cipher| -> Vec<ChipAuthenticationPlan> {
        let plans = kinds.iter().map(|kind| ChipAuthenticationPlan::standard(*kind, cipher));
        (1..)
            .zip(plans)
            .map(|(number, plan)| ChipAuthenticationPlan { key_id: Some(number), ..plan })
            .collect()
    };
    let with_mapping = PaceOffer::all()
        .into_iter()
        .find(|offer| offer.mapping == PaceMapping::ChipAuthentication && offer.cipher == PaceCipher::Aes128);
    let mut all = Vec::new();
    for cipher in PaceCipher::all() {
        for (at, one) in kinds.iter().enumerate() {
            for other in kinds.iter().skip(at + 1) {
                let plans = numbered(&[*one, *other], cipher);
                let name = format!("{one:?} and {other:?}, {}", cipher_name(cipher));
                let card = base().with_chip_authentication(plans);
                all.push(Combination {
                    card: card.clone().with_active_authentication(None),
                    proofs: vec![CheckName::ChipAuthentication],
                    ..Combination::of(Family::ChipKeys, "two for chip authentication", &*name)
                });
                all.push(Combination {
                    card: card.clone(),
                    proofs: vec![CheckName::ChipAuthentication, CheckName::ActiveAuthentication],
                    ..Combination::of(Family::ChipKeys, "two, and active authentication", &*name)
                });
                all.extend(with_mapping.map(|offer| Combination {
                    card: card.with_access(false, vec![offer]),
                    proofs: vec![
                        CheckName::ChipAuthenticationMapping,
                        CheckName::ChipAuthentication,
                        CheckName::ActiveAuthentication,
                    ],
                    pace: Some(PaceMapping::ChipAuthentication),
                    ..Combination::of(Family::ChipKeys, "two, active authentication and mapping", name)
                }));
            }
        }
        all.push(Combination {
            card: base().with_active_authentication(None).with_chip_authentication(numbered(&kinds, cipher)),
            proofs: vec![CheckName::ChipAuthentication],
            ..Combination::of(Family::ChipKeys, "four for chip authentication", cipher_name(cipher))
        });
    }
    all
}

fn signatures() -> Vec<Combination> {
    let mut all = Vec::new();
    for (digest, signer) in SignerKind::combinations() {
        for version in [LdsVersion::V0, LdsVersion::V1] {
            let plan = SecurityObjectPlan { version, ..SecurityObjectPlan::usual(digest, signer) };
            all.push(Combination {
                card: base().with_security_object(plan),
                ..Combination::of(
                    Family::Signature,
                    kind_name(signer),
                    format!("{digest} {signer} {version:?}"),
                )
            });
        }
    }
    all
}

/// Keys that differ in all that matters to a form.
const FORMED: [SignerKind; 4] = [
    SignerKind::ECDSA_P256,
    SignerKind::explicit(Curve::BrainpoolP384r1),
    SignerKind::RSA_2048,
    SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual },
];

fn security_objects() -> Vec<Combination> {
    let mut all = Vec::new();
    for signer in FORMED {
        for digest in [DigestKind::Sha1, DigestKind::Sha256, DigestKind::Sha512] {
            for (oddity, plan) in odd_security_objects(SecurityObjectPlan::usual(digest, signer)) {
                let apart = oddity == "no-certificate";
                all.push(Combination {
                    card: base().with_security_object(plan),
                    signed: if apart { Signed::ByOneKnownApart } else { Signed::ByTheUsual },
                    ..Combination::of(Family::SecurityObject, oddity, format!("{oddity} {digest} {signer}"))
                });
            }
        }
    }
    for curve in Curve::ALL.into_iter().filter(|curve| curve.of_the_same_length().is_some()) {
        let signer = SignerKind::misnamed(curve);
        all.push(Combination {
            card: base().with_security_object(SecurityObjectPlan::usual(DigestKind::Sha256, signer)),
            ..Combination::of(Family::SecurityObject, "curve-misnamed", signer.to_string())
        });
    }
    all
}

fn authorities() -> impl Iterator<Item = Combination> {
    // Authorities have longer keys than whoever signs documents.
    let long = [6144, 8192].into_iter().flat_map(|bits| {
        let pss = SignerKind::RsaPss { bits, parameters: PssParameters::Usual };
        [(DigestKind::Sha512, SignerKind::RsaPkcs1 { bits }), (DigestKind::Sha512, pss)]
    });
    SignerKind::combinations().into_iter().chain(long).map(|(digest, kind)| Combination {
        signed: Signed::ByAuthority(digest, kind),
        ..Combination::of(Family::Authority, kind_name(kind), format!("{digest} {kind}"))
    })
}

fn roll_overs() -> Vec<Combination> {
    let mut all = Vec::new();
    for first in FORMED {
        for second in FORMED {
            let mut put = |row, kinds: Vec<SignerKind>| {
                let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                all.push(Combination {
                    signed: Signed::AfterRollOver(kinds),
                    ..Combination::of(Family::RollOver, row, names.join(" to "))
                });
            };
            put("one link", vec![first, second]);
            put("two links", vec![first, second, first]);
            put("three links", vec![first, second, first, second]);
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

    /// Reads one combination and says whether it is genuine, by the proofs it is about.
    pub fn try_one(&self, one: &Combination) -> Result<()> {
        let (image, own) = self.signed(one).context("personalising")?;
        let key = match one.password {
            Password::Can => can(&one.card)?,
            Password::Mrz => mrz(&one.card)?,
        };
        let evidence = read(image, &key, without_portrait())?;
        let ran = match evidence.access.protocol {
            AccessProtocol::Bac | AccessProtocol::ByReader => None,
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
        let verdict = own.as_ref().unwrap_or(&self.known).judge(&evidence).verdict;
        if verdict.summary() != Summary::Genuine {
            bail!("{}: {:?}", verdict.summary().code(), verdict.decisive());
        }
        for proof in &one.proofs {
            if verdict.check(*proof).is_none_or(|check| check.state != CheckState::Passed) {
                bail!("{proof} did not pass: {:?}", verdict.check(*proof));
            }
        }
        Ok(())
    }

    /// The card, and what the verifier is given where it is not the usual.
    fn signed(&self, one: &Combination) -> Result<(ChipImage, Option<Known>)> {
        let card = &one.card;
        let country = card.issuing_state().country();
        match &one.signed {
            Signed::ByTheUsual => Ok((personalise(card, &self.issuer)?, None)),
            Signed::ByOneKnownApart => {
                let signer = self.issuer.signer(card.issuing_state(), card.security_object().signer)?;
                let trust = TrustMaterial {
                    anchors: vec![self.issuer.csca_der().to_vec()],
                    certificates: vec![signer.certificate().der().to_vec()],
                    ..TrustMaterial::default()
                };
                Ok((personalise(card, &self.issuer)?, Some(Known::of(&trust)?)))
            }
            Signed::ByAuthority(digest, signer) => {
                let csca =
                    Csca::new(CscaPlan { signer: *signer, digest: *digest, ..CscaPlan::usual(country) })?;
                by_authority(card, &csca, &csca, Vec::new())
            }
            Signed::AfterRollOver(kinds) => {
                let mut plans = kinds.iter().map(|signer| CscaPlan {
                    signer: *signer,
                    digest: DigestKind::Sha256,
                    ..CscaPlan::usual(country)
                });
                let anchor = Csca::new(plans.next().context("no key to begin with")?)?;
                let (mut newest, mut links) = (anchor.clone(), Vec::new());
                for plan in plans {
                    let (next, link) = newest.roll_over(plan)?;
                    links.push(link.der().to_vec());
                    newest = next;
                }
                by_authority(card, &anchor, &newest, links)
            }
            Signed::InStory(story) => {
                let signer = card.security_object().signer;
                let told = story.tell(Setting { country, signer, signed_on: date!(2022 - 03 - 15) })?;
                Ok((personalise_signed_by(card, &told.signer)?, Some(Known::of(&told.trust)?)))
            }
        }
    }
}

/// A card signed under `issuer`, for a verifier who trusts `anchor` and has these links.
fn by_authority(
    card: &CardDescription,
    anchor: &Csca,
    issuer: &Csca,
    links: Vec<Vec<u8>>,
) -> Result<(ChipImage, Option<Known>)> {
    let plan = DocumentSignerPlan::usual(card.issuing_state().country(), card.security_object().signer);
    let signer = issuer.document_signer(plan)?;
    let trust = TrustMaterial {
        anchors: vec![anchor.certificate().der().to_vec()],
        certificates: links,
        ..TrustMaterial::default()
    };
    Ok((personalise_signed_by(card, &signer)?, Some(Known::of(&trust)?)))
}

fn kind_name(kind: SignerKind) -> String {
    match kind {
        SignerKind::RsaPkcs1 { bits: 6144.. } => "RSA PKCS#1, long".to_owned(),
        SignerKind::RsaPkcs1 { .. } => "RSA PKCS#1".to_owned(),
        SignerKind::RsaPss { bits: 6144.., .. } => "RSA-PSS, long".to_owned(),
        SignerKind::RsaPss { parameters, .. } => format!("RSA-PSS, parameters {parameters:?}"),
        SignerKind::Ecdsa { parameters, .. } => format!("ECDSA, curve {parameters:?}"),
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
