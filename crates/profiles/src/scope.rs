//! What a caller may do, down to the fields it may have.

use std::fmt;

use serde::Deserialize;

/// Something a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// See which readers there are, and keep one for itself.
    #[serde(rename = "readers")]
    Readers,
    /// Hear of cards that are laid down and taken away, and of readers that come and go.
    #[serde(rename = "presence")]
    Presence,
    /// Have number, name and birth of whoever's card is read.
    #[serde(rename = "read.id")]
    ReadId,
    /// Have the whole record but the family.
    #[serde(rename = "read.full")]
    ReadFull,
    /// Have the names of parents and spouse.
    #[serde(rename = "read.family")]
    ReadFamily,
    /// Have the face.
    #[serde(rename = "photo")]
    Photo,
    /// Take the evidence of a reading away: everything the chip said, signed, for others to judge.
    #[serde(rename = "evidence")]
    Evidence,
    /// Have what the scanners of the desk scan. What a caller posts itself needs no scope.
    #[serde(rename = "scan")]
    Scan,
    /// Ask for fingerprints.
    #[serde(rename = "fingerprints")]
    Fingerprints,
    /// Ask for irises.
    #[serde(rename = "irises")]
    Irises,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::Readers,
        Self::Presence,
        Self::ReadId,
        Self::ReadFull,
        Self::ReadFamily,
        Self::Photo,
        Self::Evidence,
        Self::Scan,
        Self::Fingerprints,
        Self::Irises,
    ];

    /// The word for settings, tokens and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readers => "readers",
            Self::Presence => "presence",
            Self::ReadId => "read.id",
            Self::ReadFull => "read.full",
            Self::ReadFamily => "read.family",
            Self::Photo => "photo",
            Self::Evidence => "evidence",
            Self::Scan => "scan",
            Self::Fingerprints => "fingerprints",
            Self::Irises => "irises",
        }
    }

    /// The scope of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Scopes, each once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(u16);

impl ScopeSet {
    /// None.
    pub const NONE: Self = Self(0);

    /// What reading cards takes, with all that the record and the face have. A program of the settings has these
    /// where its block names none of them.
    pub fn reading() -> Self {
        use Scope::{Photo, Presence, ReadFamily, ReadFull, ReadId, Readers};
        [Readers, Presence, ReadId, ReadFull, ReadFamily, Photo].into_iter().collect()
    }

    /// Whether this one is among them. Who may have the whole record may have number, name and birth.
    pub fn contains(self, scope: Scope) -> bool {
        let implied = scope == Scope::ReadId && self.0 & Scope::ReadFull.bit() != 0;
        implied || self.0 & scope.bit() != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        // By what they contain: `read.full` and `read.id` have `read.id` in common.
        Scope::ALL.into_iter().filter(|scope| self.contains(*scope) && other.contains(*scope)).collect()
    }

    /// Those that are in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    /// The scopes of a text that names them with blanks between, as tokens do (RFC 6749, 3.3); `None` where it names
    /// one that nobody knows.
    pub fn of_words(text: &str) -> Option<Self> {
        text.split(' ').filter(|word| !word.is_empty()).map(Scope::of_word).collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_has_one_word_in_files_and_out() {
        #[derive(Deserialize)]
        struct File {
            scopes: Vec<Scope>,
        }
        for scope in Scope::ALL {
            let file: File = toml::from_str(&format!("scopes = ['{scope}']")).unwrap();
            assert_eq!(file.scopes, [scope]);
            assert_eq!(Scope::of_word(scope.as_str()), Some(scope));
        }
        assert_eq!(
            ScopeSet::of_words("photo  read.id"),
            Some([Scope::Photo, Scope::ReadId].into_iter().collect())
        );
        assert_eq!(ScopeSet::of_words("photo admin"), None);
        assert_eq!(ScopeSet::of_words(""), Some(ScopeSet::NONE));
    }

    #[test]
    fn the_whole_record_has_number_name_and_birth_in_it() {
        let whole: ScopeSet = [Scope::ReadFull].into_iter().collect();
        let narrow: ScopeSet = [Scope::ReadId, Scope::Photo].into_iter().collect();
        assert!(whole.contains(Scope::ReadId) && !narrow.contains(Scope::ReadFull));
        let both = whole.intersection(narrow);
        assert_eq!(both.iter().collect::<Vec<_>>(), [Scope::ReadId]);
        assert!(!ScopeSet::reading().contains(Scope::Evidence));
    }
}
