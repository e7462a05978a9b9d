//! Cards and readers that behave as some out there do: one story a file, under `quirks/`.
//!
//! ```
//! use cccd_firmware_sim::personalise::Issuer;
//! use cccd_firmware_sim::quirks::quirks;
//!
//! let issuer = Issuer::new()?;
//! let naked = quirks()?.into_iter().find(|quirk| quirk.name == "naked-6700").ok_or("not shipped")?;
//! let (chip, _) = naked.chip(&issuer)?;
//! assert!(!chip.atr().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A story says what is to come of a reading too; the tests of the whole agent hold it to that.

use cccd_card::ChannelLimits;
use include_dir::{Dir, include_dir};
use openssl::error::ErrorStack;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::chip::{Chip, Departure};
use crate::image::{ChipImage, LengthOffer, ReadRule};
use crate::personalise::{CardDescription, DescriptionError, Issuer, personalise_changed, shipped_card};

static STORIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/quirks");

/// A story.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What it is, and where it was seen.
    pub story: String,
    /// Of which shipped card it is told.
    pub card: String,
    /// What the reader carries.
    #[serde(default)]
    pub reader: Reader,
    /// What the terminal is given.
    #[serde(default)]
    pub key: Key,
    /// Which lengths the chip takes, where it is not what its card has.
    lengths: Option<Lengths>,
    /// Which of the protocols of its card the chip has.
    only: Option<Only>,
    /// Which of its files it has not, by directory and identifier: `MF/011C`.
    #[serde(default)]
    without: Vec<FilePlace>,
    /// Whether anybody may read everything.
    #[serde(default)]
    open: bool,
    /// Data groups that are other than the card's, and signed so.
    #[serde(default)]
    group: Vec<ChangedGroup>,
    /// Files that are other than they were made.
    #[serde(default)]
    file: Vec<ChangedFile>,
    /// What the chip does otherwise.
    #[serde(default)]
    when: Vec<Departure>,
    /// What comes of a reading.
    pub expect: Expectation,
}

/// What a reading ends in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The verdict's state, or the code of the failure.
    pub outcome: String,
    /// The code of the verdict's reason.
    pub reason: Option<String>,
    /// Of the next reading of the same card, where it is another.
    pub again: Option<String>,
    /// What opened the chip: `pace` or `bac`.
    pub opened: Option<String>,
    /// Why it was not opened with what it offers, where that is so.
    pub downgrade: Option<String>,
    /// Files that cannot be had.
    #[serde(default)]
    pub not_read: Vec<String>,
}

/// What a reader carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// Everything.
    #[default]
    Extended,
    /// Short lengths, and it says so.
    Short,
    /// Short lengths, and it says nothing: longer ones fail without a reason.
    ShortWithoutAWord,
}

impl Reader {
    /// What it claims and what it carries.
    pub fn limits(self) -> (ChannelLimits, ChannelLimits) {
        match self {
            Self::Extended => (ChannelLimits::EXTENDED, ChannelLimits::EXTENDED),
            Self::Short => (ChannelLimits::SHORT, ChannelLimits::SHORT),
            Self::ShortWithoutAWord => (ChannelLimits::EXTENDED, ChannelLimits::SHORT),
        }
    }
}

/// What a terminal is given to open the chip with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The card access number.
    #[default]
    Can,
    /// The MRZ.
    Mrz,
    /// Some other card access number.
    WrongCan,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Lengths {
    Short,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Only {
    Bac,
    Pace,
}

/// `MF/011C`, or `LDS/0102`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FilePlace {
    MasterFile(u16),
    Application(u16),
}

impl<'de> Deserialize<'de> for FilePlace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let place = text.split_once('/').and_then(|(directory, file)| {
            let file = u16::from_str_radix(file, 16).ok()?;
            match directory {
                "MF" => Some(Self::MasterFile(file)),
                "LDS" => Some(Self::Application(file)),
                _ => None,
            }
        });
        place.ok_or_else(|| D::Error::custom(format!("{text:?}: MF/011C or LDS/0102 are possible")))
    }
}

#[derive(Debug, Clone, Deserialize)]
struct ChangedGroup {
    number: u8,
    #[serde(flatten)]
    change: Change,
}

#[derive(Debug, Clone, Deserialize)]
struct ChangedFile {
    place: FilePlace,
    #[serde(flatten)]
    change: Change,
}

/// What becomes of bytes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Change {
    /// All of them are these.
    whole: Option<String>,
    /// What follows is about the place behind these.
    find: Option<String>,
    /// So many bytes further on.
    skip: usize,
    /// These stand there.
    put: Option<String>,
    /// The number of four bytes that stands there has this added to it.
    add: Option<i64>,
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) -> Option<()> {
        if let Some(whole) = &self.whole {
            *content = hex::decode(whole).ok()?;
        }
        let mut at = self.skip;
        if let Some(find) = &self.find {
            let find = hex::decode(find).ok()?;
            at += find.len() + content.windows(find.len()).position(|window| window == find)?;
        }
        if let Some(put) = &self.put {
            let put = hex::decode(put).ok()?;
            content.get_mut(at..at + put.len())?.copy_from_slice(&put);
        }
        if let Some(add) = self.add {
            let number = content.get_mut(at..at + 4)?;
            let value = number.iter().fold(0i64, |value, &byte| value << 8 | i64::from(byte)) + add;
            number.copy_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
        }
        Some(())
    }
}

/// Why a story cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuirkError {
    /// A file is no story.
    #[error("{name}: {source}")]
    Toml {
        /// Which.
        name: String,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// There is no such card.
    #[error("{name}: no card {card}")]
    NoCard {
        /// Which story.
        name: String,
        /// Which card.
        card: String,
    },
    /// The card cannot be made.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// What is to be changed is not there.
    #[error("{0}: what is to be changed is not there")]
    NothingToChange(String),
    /// OpenSSL failed.
    #[error(transparent)]
    OpenSsl(#[from] ErrorStack),
}

/// Every story that comes with the simulator, by name.
pub fn quirks() -> Result<Vec<Quirk>, QuirkError> {
    let mut quirks = Vec::new();
    for file in STORIES.files() {
        let name = file.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = file.contents_utf8().unwrap_or_default();
        match toml::from_str::<Quirk>(text) {
            Ok(quirk) => quirks.push(Quirk { name, ..quirk }),
            Err(source) => return Err(QuirkError::Toml { name, source: Box::new(source) }),
        }
    }
    quirks.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(quirks)
}

impl Quirk {
    /// The card it is told of.
    pub fn description(&self) -> Result<CardDescription, QuirkError> {
        let (name, card) = (self.name.clone(), self.card.clone());
        let shipped = shipped_card(&self.card).ok_or(QuirkError::NoCard { name, card })?;
        let card = shipped.description()?;
        Ok(match self.only {
            None => card,
            Some(Only::Bac) => card.with_access(true, Vec::new()),
            Some(Only::Pace) => {
                let pace = card.pace().to_vec();
                card.with_access(false, pace)
            }
        })
    }

    /// A chip of this story, and what it holds.
    pub fn chip(&self, issuer: &Issuer) -> Result<(Chip, ChipImage), QuirkError> {
        let missing = || QuirkError::NothingToChange(self.name.clone());
        let mut changed = Some(());
        let mut image = personalise_changed(&self.description()?, issuer, |groups| {
            for ChangedGroup { number, change } in &self.group {
                changed = changed.and(change.apply(groups.entry(*number).or_default()));
            }
        })?;
        changed.ok_or_else(missing)?;
        for ChangedFile { place, change } in &self.file {
            let file = match *place {
                FilePlace::MasterFile(file) => image.master_file.get_mut(&file),
                FilePlace::Application(file) => image.emrtd.get_mut(&file),
            };
            file.and_then(|file| change.apply(&mut file.content)).ok_or_else(missing)?;
        }
        for place in &self.without {
            let gone = match place {
                FilePlace::MasterFile(file) => image.master_file.remove(file),
                FilePlace::Application(file) => image.emrtd.remove(file),
            };
            gone.ok_or_else(missing)?;
        }
        if self.open {
            image.access.bac = false;
            image.access.pace.clear();
            image.emrtd.values_mut().for_each(|file| file.rule = ReadRule::Free);
        }
        if let Some(Lengths::Short) = self.lengths {
            image.lengths = LengthOffer::Short;
        }
        Ok((Chip::new(image.clone()).departing(self.when.clone()), image))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_story_can_be_told() {
        let issuer = Issuer::new().unwrap();
        let quirks = quirks().unwrap();
        assert!(quirks.len() >= 30, "{}", quirks.len());
        for quirk in quirks {
            let told = quirk.chip(&issuer);
            assert!(told.is_ok(), "{}: {:?}", quirk.name, told.err());
        }
    }
}
