//! A card read in process and judged: the way of a reading without readers, for tests of what is genuine.

use anyhow::{Context as _, Result};
use cccd_card::ChannelLimits;
use cccd_document::{AccessKey, Can, Evidence, FileId, MrzKey};
use cccd_emrtd::{Challenge, LockedChip, ProofPlan, ReadPlan, read_document};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::CardDescription;
use cccd_firmware_sim::pki::TrustMaterial;
use cccd_firmware_sim::reader::in_process::DirectChannel;
use cccd_trust::{Basis, Certificate, Crl, Judgement, Policy, Role, TrustAnchors, judge};
use time::OffsetDateTime;
use time::macros::datetime;

/// When the cards are judged: within what the simulated authorities' certificates are valid for.
pub const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

/// All files but the portrait, which takes most of the time and is hashed like the others.
pub fn without_portrait() -> ReadPlan {
    let whole = ReadPlan::identity();
    ReadPlan::new(whole.files().iter().copied().filter(|file| *file != FileId::DG2))
}

/// Reads `plan` from a chip with this content, asking for every proof.
pub fn read(image: ChipImage, key: &AccessKey, plan: ReadPlan) -> Result<Evidence> {
    let channel = DirectChannel::new(Chip::new(image), ChannelLimits::EXTENDED)?;
    let mut chip = LockedChip::new(channel)
        .unlock(std::slice::from_ref(key), &mut getrandom::SysRng)
        .context("unlocking")?;
    let plan = plan.proving(ProofPlan::all(Challenge::Drawn));
    read_document(&mut chip, &plan, &mut getrandom::SysRng, &mut |_| {}).context("reading")
}

/// The card access number of a card.
pub fn can(card: &CardDescription) -> Result<AccessKey> {
    Ok(AccessKey::Can(Can::new(card.can().context("the card has a card access number")?)?))
}

/// The MRZ key of a card.
pub fn mrz(card: &CardDescription) -> Result<AccessKey> {
    let fields = card.mrz_key();
    Ok(AccessKey::Mrz(MrzKey::new(&fields.document_number, &fields.birth, &fields.expiry)?))
}

/// What a verifier is given, in the product's types.
pub struct Known {
    anchors: TrustAnchors,
    crls: Vec<Crl>,
}

impl Known {
    /// Takes the simulator's certificates and lists.
    pub fn of(trust: &TrustMaterial) -> Result<Self> {
        let mut anchors = TrustAnchors::new();
        for (ders, role) in [(&trust.anchors, Role::Anchor), (&trust.certificates, Role::Helper)] {
            for der in ders {
                anchors.insert(Certificate::parse(der)?, role);
            }
        }
        let crls = trust.crls.iter().map(|der| Crl::parse(der)).collect::<Result<_, _>>()?;
        Ok(Self { anchors, crls })
    }

    /// Nothing at all: a desk where nobody has installed an anchor.
    pub fn nothing() -> Self {
        Self { anchors: TrustAnchors::new(), crls: Vec::new() }
    }

    /// Judges with the strict policy.
    pub fn judge(&self, evidence: &Evidence) -> Judgement {
        let basis = Basis { anchors: &self.anchors, crls: &self.crls, policy: &Policy::default() };
        judge(evidence, basis, NOW)
    }
}
