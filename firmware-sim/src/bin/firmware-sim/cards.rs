//! The cards one can lay into a reader, and what is printed on them.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::lies::Lie;
use cccd_firmware_sim::personalise::{
    Bearer, CardDescription, CitizenCard, Fingerprints, Issuer, IssuingState, personalise, shipped,
    shipped_card,
};
use cccd_firmware_sim::pki::{CrlPlan, DigestKind, SignerKind};
use cccd_firmware_sim::reader::Card;
use cccd_firmware_sim::timing::{ReadingClock, Timed, Timing};
use serde::Serialize;

use crate::stations::{StationFiles, Stations};
use crate::trust::TrustFolder;

/// What a person sees who holds the card in the hand: everything invented.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Printed {
    /// As it was named.
    pub(crate) card: String,
    /// Which document.
    pub(crate) kind: &'static str,
    /// The card access number.
    pub(crate) can: Option<String>,
    /// The lines of the machine readable zone.
    pub(crate) mrz: Vec<String>,
    /// The text of the QR code.
    pub(crate) qr: Option<String>,
}

/// Makes cards, all honest ones under the same invented authorities.
pub(crate) struct Press {
    issuer: Issuer,
    /// Who may have a chip open the fingerprints in it.
    stations: Stations,
    /// Where the certificates and lists go that the cards lead to.
    trust: TrustFolder,
    /// How long cards take, where they take any time.
    timing: Option<Timing>,
}

/// Files for an agent's trust store.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrustFiles {
    /// Certificates, in DER.
    pub(crate) trust_anchors: Vec<String>,
    /// Their revocation lists, in DER.
    pub(crate) revocation_lists: Vec<String>,
}

impl Press {
    /// Authorities with keys of that kind, and a folder for what trust stores need.
    pub(crate) fn new(folder: &Path, signer: SignerKind, digest: DigestKind) -> anyhow::Result<Self> {
        let issuer =
            Issuer::of_kind(signer, digest).context("cannot make the invented signing authorities")?;
        Ok(Self { issuer, stations: Stations::new()?, trust: TrustFolder::new(folder), timing: None })
    }

    /// The same, whose cards take their time.
    pub(crate) fn with_timing(self, timing: Option<Timing>) -> Self {
        Self { timing, ..self }
    }

    /// Makes the card that `named` names: a shipped one, or the TOML file there, and with `+Lie` behind it one
    /// that tells that lie.
    pub(crate) fn make(&mut self, named: &str) -> anyhow::Result<(Box<dyn Card>, Printed)> {
        let (image, printed) = self.image(named)?;
        let chip = Chip::new(image);
        let card: Box<dyn Card> = match self.timing {
            None => Box::new(chip),
            Some(timing) => Box::new(Timed::new(chip, timing, ReadingClock::slept())),
        };
        Ok((card, printed))
    }

    fn image(&mut self, named: &str) -> anyhow::Result<(ChipImage, Printed)> {
        let (card, lie) = split_lie(named)?;
        let mut description = describe(card)?;
        if description.chip().fingerprints != Fingerprints::Absent {
            description = description.with_terminal_authentication(vec![self.stations.root().clone()]);
        }
        let image = match lie {
            None => personalise(&description, &self.issuer)
                .with_context(|| format!("cannot make the card {named}"))?,
            Some(lie) => {
                let told = lie.tell(&description).with_context(|| format!("cannot make the card {named}"))?;
                // A lie has a true state of its own, and nothing to do with the other cards'.
                self.trust.write_material(&lie.to_string(), &told.trust)?;
                told.image
            }
        };
        Ok((image, printed(named, &description)))
    }

    /// Writes the certificates that the honest cards lead to, for an agent's trust store, and says which files.
    pub(crate) fn write_trust(&mut self) -> anyhow::Result<TrustFiles> {
        let mut files = TrustFiles { trust_anchors: Vec::new(), revocation_lists: Vec::new() };
        for state in [IssuingState::Vietnam, IssuingState::Utopia] {
            let name = format!("csca-{}", state.alpha3().to_lowercase());
            let csca = self.issuer.csca(state);
            files.trust_anchors.push(self.trust.write(&format!("{name}.der"), csca.certificate().der())?);
            let crl = csca.crl(&CrlPlan::empty())?;
            files.revocation_lists.push(self.trust.write(&format!("{name}.crl"), &crl)?);
        }
        Ok(files)
    }

    /// Writes certificates and keys of stations, of which some may have the cards open their fingerprints.
    pub(crate) fn write_stations(&mut self) -> anyhow::Result<Vec<StationFiles>> {
        self.stations.write(&mut self.trust)
    }

    /// Takes away all that was written for agents.
    pub(crate) fn clear_trust(&mut self) {
        self.trust.clear();
    }
}

/// The text of a card's QR code.
pub(crate) fn qr_text(named: &str) -> anyhow::Result<String> {
    let (card, _) = split_lie(named)?;
    describe(card)?.qr_text().with_context(|| format!("{named} has no QR code"))
}

/// Lists the lies a card can tell.
pub(crate) fn list_lies(out: &mut impl Write) -> io::Result<()> {
    for lie in Lie::all() {
        writeln!(out, "{:36} {}", lie.to_string(), lie.sentence())?;
    }
    Ok(())
}

/// A card's name, and the lie behind the last plus sign.
pub(crate) fn split_lie(named: &str) -> anyhow::Result<(&str, Option<Lie>)> {
    // A file may have the sign in its name.
    let Some((card, lie)) = named.rsplit_once('+').filter(|_| !Path::new(named).exists()) else {
        return Ok((named, None));
    };
    let found = Lie::all().into_iter().find(|known| known.to_string() == lie);
    let found = found.with_context(|| format!("{lie} is no lie (`firmware-sim lies` lists them)"))?;
    Ok((card, Some(found)))
}

/// Lists the shipped cards.
pub(crate) fn list(out: &mut impl Write) -> anyhow::Result<()> {
    for card in shipped() {
        let description = card.description().with_context(|| format!("shipped card {}", card.name()))?;
        let printed = printed(card.name(), &description);
        let can = printed.can.as_deref().unwrap_or("-");
        writeln!(out, "{:24} {:26} CAN {can}", printed.card, printed.kind)?;
    }
    Ok(())
}

/// Writes the files of a card into a folder, one file each, and the certificates it leads to.
pub(crate) fn write_image(named: &str, folder: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut press = Press::new(folder, SignerKind::ECDSA_P384, DigestKind::Sha384)?;
    let (image, _) = press.image(named)?;
    let master_file = image.master_file.iter().map(|(id, file)| (master_file_name(*id), file));
    let emrtd = image.emrtd.iter().map(|(id, file)| (emrtd_name(*id), file));
    for (name, file) in master_file.chain(emrtd) {
        let path = folder.join(format!("{name}.bin"));
        let mut target = std::fs::File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                anyhow::anyhow!("{} is there already; choose another folder", path.display())
            }
            _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
        })?;
        target.write_all(&file.content)?;
        writeln!(out, "{:8} bytes  {}", file.content.len(), path.display())?;
    }
    if split_lie(named)?.1.is_some() {
        writeln!(out, "for a verifier  {}", folder.join("csca-*, link-*, crl-*").display())?;
        return Ok(());
    }
    let files = press.write_trust()?;
    for anchor in files.trust_anchors {
        writeln!(out, "trust anchor    {anchor}")?;
    }
    for list in files.revocation_lists {
        writeln!(out, "revocation list {list}")?;
    }
    for files in press.write_stations()? {
        writeln!(out, "station         {}  ({})", files.certificates, files.outcome)?;
    }
    Ok(())
}

fn describe(named: &str) -> anyhow::Result<CardDescription> {
    if let Some(card) = shipped_card(named) {
        return card.description().with_context(|| format!("shipped card {named}"));
    }
    let path = Path::new(named);
    if !path.exists() {
        bail!("{named} is neither a shipped card (`firmware-sim cards` lists them) nor a file");
    }
    CardDescription::load(path).with_context(|| format!("card description {named}"))
}

fn printed(named: &str, description: &CardDescription) -> Printed {
    let kind = match description.bearer() {
        Bearer::Citizen(CitizenCard::Cccd2021, _) => "CCCD of 2021",
        Bearer::Citizen(CitizenCard::CanCuoc2024, _) => "Thẻ Căn cước of 2024",
        Bearer::Traveller(_) => "passport",
    };
    Printed {
        card: named.to_owned(),
        kind,
        can: description.can().map(str::to_owned),
        mrz: description.mrz_lines().to_vec(),
        qr: description.qr_text(),
    }
}

/// ICAO 9303-10, 3.11, tables 8 to 11.
fn master_file_name(id: u16) -> String {
    match id {
        0x011C => "EF.CardAccess".to_owned(),
        0x011D => "EF.CardSecurity".to_owned(),
        0x2F00 => "EF.DIR".to_owned(),
        0x2F01 => "EF.ATR-INFO".to_owned(),
        other => format!("MF-{other:04X}"),
    }
}

/// ICAO 9303-10, 4.7, table 34.
fn emrtd_name(id: u16) -> String {
    match id {
        0x011E => "EF.COM".to_owned(),
        0x011D => "EF.SOD".to_owned(),
        0x011C => "EF.CVCA".to_owned(),
        0x0101..=0x0110 => format!("EF.DG{}", id - 0x0100),
        other => format!("LDS1-{other:04X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_card_can_be_listed() {
        let mut out = Vec::new();
        list(&mut out).unwrap();
        let listed = String::from_utf8(out).unwrap();
        assert_eq!(listed.lines().count(), shipped().len());
        assert!(listed.contains("passport-td3"), "{listed}");
    }

    #[test]
    fn an_image_has_a_file_for_each_file_of_the_chip_and_overwrites_none() {
        let dir = tempfile::tempdir().unwrap();
        write_image("cccd-2021", dir.path(), &mut Vec::new()).unwrap();
        for name in [
            "EF.CardAccess.bin",
            "EF.COM.bin",
            "EF.SOD.bin",
            "EF.CVCA.bin",
            "EF.DG1.bin",
            "EF.DG13.bin",
            "csca-vnm.der",
            "stations/certified/station.cvcert",
            "stations/expired/key.pem",
        ] {
            assert!(std::fs::metadata(dir.path().join(name)).unwrap().len() > 0, "{name}");
        }
        let again = write_image("cccd-2021", dir.path(), &mut Vec::new()).unwrap_err();
        assert!(again.to_string().ends_with("is there already; choose another folder"), "{again}");
    }

    #[test]
    fn a_card_with_a_lie_comes_with_what_its_verifier_is_given() {
        let dir = tempfile::tempdir().unwrap();
        write_image("cccd-2021+SignerRevoked", dir.path(), &mut Vec::new()).unwrap();
        for name in ["EF.SOD.bin", "csca-SignerRevoked-1.der", "crl-SignerRevoked-1.crl"] {
            assert!(std::fs::metadata(dir.path().join(name)).unwrap().len() > 0, "{name}");
        }
        assert!(!dir.path().join("csca-vnm.der").exists());
        let unknown = split_lie("cccd-2021+Fib").unwrap_err().to_string();
        assert!(unknown.starts_with("Fib is no lie"), "{unknown}");
    }

    #[test]
    fn every_lie_is_listed_with_its_sentence() {
        let mut out = Vec::new();
        list_lies(&mut out).unwrap();
        let listed = String::from_utf8(out).unwrap();
        assert_eq!(listed.lines().count(), Lie::all().len());
        assert!(listed.contains(Lie::SignedByStranger.sentence()), "{listed}");
    }

    #[test]
    fn an_unknown_card_is_said() {
        let unknown = describe("cccd-1985").unwrap_err().to_string();
        assert!(unknown.starts_with("cccd-1985 is neither a shipped card"), "{unknown}");
        assert_eq!(qr_text("passport-td3").unwrap_err().to_string(), "passport-td3 has no QR code");
    }
}
