//! `devices/readers/*.toml`: what is known of one reader model.

use cccd_card::ChannelLimits;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../devices/readers");

/// What is known of one reader model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderProfile {
    /// The model's name.
    pub name: String,
    /// Which PC/SC names it goes by, `*` standing for anything.
    pub pcsc_name: String,
    /// What it carries at once. What the file leaves open is left to the driver's word and to a probe.
    pub limits: ChannelLimits,
}

/// Why a reader profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderProfileError {
    /// Not TOML, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// The name pattern is empty or has more than one `*`.
    #[error("pcsc_name = {0:?}: a name with at most one `*` at its end is possible")]
    Pattern(String),
    /// A limit that no APDU could keep to.
    #[error("{key} = {value}: {least} to {most} is possible")]
    Limit {
        /// Which.
        key: &'static str,
        /// As written.
        value: usize,
        /// Smallest.
        least: usize,
        /// Largest.
        most: usize,
    },
}

impl ReaderProfile {
    /// Understands the text of a reader profile.
    pub fn parse(text: &str) -> Result<Self, ReaderProfileError> {
        toml::from_str::<RawReaderProfile>(text)?.try_into()
    }

    /// Whether a reader of this PC/SC name is of this model.
    pub fn matches(&self, name: &str) -> bool {
        name_matches(&self.pcsc_name, name)
    }
}

/// Whether `name` fits `pattern`: the same text, or the same beginning where the pattern ends in `*`.
fn name_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReaderProfile {
    name: String,
    pcsc_name: String,
    max_command: Option<usize>,
    max_reply: Option<usize>,
}

impl TryFrom<RawReaderProfile> for ReaderProfile {
    type Error = ReaderProfileError;

    fn try_from(raw: RawReaderProfile) -> Result<Self, ReaderProfileError> {
        let stars = raw.pcsc_name.matches('*').count();
        if raw.pcsc_name.is_empty() || stars > 1 || (stars == 1 && !raw.pcsc_name.ends_with('*')) {
            return Err(ReaderProfileError::Pattern(raw.pcsc_name));
        }
        let limit = |key, value: Option<usize>, least, most| match value {
            None => Ok(most),
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(value) => Err(ReaderProfileError::Limit { key, value, least, most }),
        };
        let most = ChannelLimits::EXTENDED;
        // A PACE public key point on a 521-bit curve makes the longest command that must pass.
        let max_command = limit("max_command", raw.max_command, 160, most.max_command)?;
        let max_reply = limit("max_reply", raw.max_reply, 160, most.max_reply)?;
        Ok(Self {
            name: raw.name,
            pcsc_name: raw.pcsc_name,
            limits: ChannelLimits { max_command, max_reply },
        })
    }
}

/// All profiles, the more exact name pattern first.
#[derive(Debug, Clone)]
pub struct ReaderCatalogue(Vec<ReaderProfile>);

impl ReaderCatalogue {
    /// The profiles shipped with the program. A test loads every one.
    pub fn shipped() -> Self {
        let profiles = SHIPPED
            .files()
            .filter_map(|file| file.contents_utf8())
            .filter_map(|text| ReaderProfile::parse(text).ok())
            .collect();
        Self::new(profiles)
    }

    /// A catalogue of these profiles.
    pub fn new(mut profiles: Vec<ReaderProfile>) -> Self {
        profiles.sort_by_key(|profile| std::cmp::Reverse(profile.pcsc_name.len()));
        Self(profiles)
    }

    /// The profile that fits a PC/SC name best.
    pub fn find(&self, name: &str) -> Option<&ReaderProfile> {
        self.0.iter().find(|profile| profile.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_loads() {
        assert!(SHIPPED.files().count() >= 3);
        for file in SHIPPED.files() {
            let text = file.contents_utf8().unwrap();
            assert!(
                ReaderProfile::parse(text).is_ok(),
                "{:?}: {:?}",
                file.path(),
                ReaderProfile::parse(text)
            );
        }
    }

    #[test]
    fn the_longest_pattern_wins() {
        let catalogue = ReaderCatalogue::shipped();
        let acr = catalogue.find("ACS ACR122U PICC Interface 00 00").unwrap();
        assert_eq!(acr.limits, ChannelLimits { max_command: 261, max_reply: 258 });
        assert_eq!(catalogue.find("Never Heard Of It 00 00").unwrap().name, "Any PC/SC reader");
    }

    #[test]
    fn mistakes_name_their_place() {
        for (text, told) in [
            ("name = 'x'\npcsc_name = '*x'", "at its end"),
            ("name = 'x'\npcsc_name = 'x'\nmax_reply = 3", "max_reply = 3: 160 to"),
            ("name = 'x'\npcsc_name = 'x'\nquirks = []", "unknown field `quirks`"),
        ] {
            let message = ReaderProfile::parse(text).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }
}
