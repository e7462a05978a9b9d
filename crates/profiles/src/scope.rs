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
    /// See which registers there are, and how many are in each; nobody by name.
    #[serde(rename = "registers")]
    Registers,
    /// Say who is expected: put a roster in place of the one before.
    #[serde(rename = "registers.load")]
    RegistersLoad,
    /// Take away who is expected and who has come.
    #[serde(rename = "registers.export")]
    RegistersExport,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 13] = [
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
        Self::Registers,
        Self::RegistersLoad,
        Self::RegistersExport,
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
            Self::Registers => "registers",
            Self::RegistersLoad => "registers.load",
            Self::RegistersExport => "registers.export",
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

    /// What looking after registers takes. Nobody has these unless they are named.
    pub fn registers() -> Self {
        [Scope::Registers, Scope::RegistersLoad, Scope::RegistersExport].into_iter().collect()
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
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// How a word begins that names a profile among scopes.
const PROFILE: &str = "profile:";
/// The longest name of a profile.
const LONGEST_PROFILE: usize = 64;

/// What a text of words lets somebody do: scopes, and consumer profiles to read under, as `profile:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permissions {
    /// The scopes.
    pub scopes: ScopeSet,
    /// The profiles.
    pub profiles: Vec<String>,
}

impl Permissions {
    /// Those of a text with blanks between, as tokens have it (RFC 6749, 3.3); `None` where a word is neither a known
    /// scope nor names a profile.
    pub fn of_words(text: &str) -> Option<Self> {
        let mut this = Self::default();
        let mut scopes = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word.strip_prefix(PROFILE) {
                Some(name) if is_profile_name(name) => {
                    if !this.profiles.iter().any(|known| known == name) {
                        this.profiles.push(name.to_owned());
                    }
                }
                Some(_) => return None,
                None => scopes.push(Scope::of_word(word)?),
            }
        }
        this.scopes = scopes.into_iter().collect();
        Some(this)
    }

    /// The text again.
    pub fn to_words(&self) -> String {
        let scopes = self.scopes.iter().map(|scope| scope.as_str().to_owned());
        let profiles = self.profiles.iter().map(|name| format!("{PROFILE}{name}"));
        scopes.chain(profiles).collect::<Vec<_>>().join(" ")
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.profiles.is_empty()
    }
}

/// Whether a text may be the name of a profile.
fn is_profile_name(name: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= LONGEST_PROFILE
        && name.bytes().next().is_some_and(first)
        && name.bytes().all(|byte| first(byte) || byte == b'-')
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
    }

    #[test]
    fn a_text_names_scopes_and_profiles() {
        let named = Permissions::of_words("photo  profile:clinic read.id profile:clinic").unwrap();
        assert_eq!(named.scopes, [Scope::Photo, Scope::ReadId].into_iter().collect());
        assert_eq!(named.profiles, ["clinic"]);
        assert_eq!(named.to_words(), "read.id photo profile:clinic");
        assert_eq!(Permissions::of_words(&named.to_words()), Some(named));
        for wrong in ["photo admin", "profile:", "profile:../x", "profile:Clinic", "profile:-x", "clinic"] {
            assert_eq!(Permissions::of_words(wrong), None, "{wrong}");
        }
        assert!(Permissions::of_words("").unwrap().is_empty());
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
