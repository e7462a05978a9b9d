//! The cards that come with the simulator: every file of `cards/`, inside the program, so that a test finds
//! them wherever it runs.

use include_dir::{Dir, include_dir};

use super::description::{CardDescription, DescriptionError};

static CARDS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/cards");

/// A card that comes with the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippedCard {
    name: &'static str,
    toml: &'static str,
}

impl ShippedCard {
    /// Its file name without `.toml`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its file, as written.
    pub fn toml(&self) -> &'static str {
        self.toml
    }

    /// What it describes.
    pub fn description(&self) -> Result<CardDescription, DescriptionError> {
        CardDescription::parse(self.toml)
    }
}

/// The cards that come with the simulator, by name.
pub fn shipped() -> Vec<ShippedCard> {
    let card = |file: &'static include_dir::File<'static>| {
        let name = file.path().to_str()?.strip_suffix(".toml")?;
        Some(ShippedCard { name, toml: file.contents_utf8()? })
    };
    let mut cards: Vec<ShippedCard> = CARDS.files().filter_map(card).collect();
    cards.sort_by_key(ShippedCard::name);
    cards
}

/// The shipped card of that name.
pub fn shipped_card(name: &str) -> Option<ShippedCard> {
    shipped().into_iter().find(|card| card.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let names: Vec<&str> = shipped().iter().map(ShippedCard::name).collect();
        for wanted in [
            "can-cuoc-2024",
            "cccd-2021",
            "cccd-birth-year",
            "cccd-no-expiry",
            "cccd-second-nesting",
            "passport-td3",
        ] {
            assert!(names.contains(&wanted), "{wanted}");
        }
        assert_eq!(names.len(), CARDS.files().count());
    }
}
