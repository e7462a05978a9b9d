//! Files of consumer profiles, and of the keys of their pseudonyms.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cccd_consumers::PseudonymKey;
use cccd_profiles::ConsumerProfile;
use cccd_profiles::consumer::{LONGEST_PROFILE, TokenRule};
use zeroize::Zeroizing;

use crate::private_file::require_private;

/// How many files of a folder are looked at.
const MOST_FILES: usize = 256;
/// The longest deny list: some million pseudonyms.
const LONGEST_DENY_LIST: u64 = 64 << 20;
/// The longest key of pseudonyms.
const LONGEST_KEY: u64 = 1024;

/// The profile in a file, which bears its name.
pub(crate) fn profile_in(path: &Path) -> Result<ConsumerProfile> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let mut text = String::new();
    file.take(LONGEST_PROFILE + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {shown}"))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST_PROFILE {
        bail!("{shown}: longer than any profile");
    }
    let profile = ConsumerProfile::parse(&text).with_context(|| format!("{shown} cannot be used"))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    profile.require_named(stem).with_context(|| format!("{shown} cannot be used"))?;
    Ok(profile)
}

/// The key of a profile's pseudonyms, and who is to be turned away.
pub(crate) fn pseudonym_key(rule: &TokenRule) -> Result<PseudonymKey> {
    let shown = rule.key_file.display();
    let file = File::open(&rule.key_file).with_context(|| format!("cannot open {shown}"))?;
    require_private(&file, &rule.key_file)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    file.take(LONGEST_KEY + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    let key = PseudonymKey::new(bytes).with_context(|| format!("{shown} cannot be used"))?;
    let Some(path) = &rule.deny_file else { return Ok(key) };
    let shown = path.display();
    let mut list = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(LONGEST_DENY_LIST + 1).read_to_string(&mut list))
        .with_context(|| format!("cannot read {shown}"))?;
    if u64::try_from(list.len()).unwrap_or(u64::MAX) > LONGEST_DENY_LIST {
        bail!("{shown}: longer than any deny list");
    }
    key.denying(&list).with_context(|| format!("{shown} cannot be used"))
}

/// The files of a folder that may hold profiles, in order. A folder that is not there has none.
pub(crate) fn files_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.take(MOST_FILES).filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml") && path.is_file())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use cccd_profiles::ConsumerCatalogue;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_file_bears_the_name_of_its_profile() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("contest.toml");
        std::fs::write(&path, ConsumerCatalogue::shipped_text("exam").unwrap()).unwrap();
        let error = format!("{:#}", profile_in(&path).unwrap_err());
        assert!(error.contains("\"contest\"") && error.contains("\"exam\""), "{error}");
        assert_eq!(files_in(folder.path()), [path]);
        assert!(files_in(&folder.path().join("nowhere")).is_empty());
    }
}
