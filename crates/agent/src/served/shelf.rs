//! The served settings that a desk has taken, and which of them are in force.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cccd_jose::PublicKey;
use serde::{Deserialize, Serialize};

use super::document::{LONGEST, Served};

/// How many are kept.
const KEPT: usize = 5;

/// The folder.
pub(super) struct Shelf {
    folder: PathBuf,
}

/// What is noted beside them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    /// The highest version that ever was here: none below it comes in any more, whoever serves it.
    pub(super) highest: u64,
    /// What the desk runs with; 0: its own settings alone.
    pub(super) in_force: u64,
    /// What it has not run with yet; 0: nothing.
    pub(super) untried: u64,
}

impl Shelf {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).with_context(|| format!("cannot make {shown}"))?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn note(&self) -> Result<Note> {
        let path = self.folder.join("note.json");
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Note::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub(super) fn highest(&self) -> Result<u64> {
        Ok(self.note()?.highest)
    }

    /// Keeps these, to be tried.
    pub(super) fn take(&self, served: &Served) -> Result<()> {
        let note = self.note()?;
        if served.version <= note.highest {
            bail!("version {} is not newer than {}", served.version, note.highest);
        }
        self.write(&name(served.version), served.text.as_bytes())?;
        self.write_note(&Note { highest: served.version, untried: served.version, ..note })?;
        self.tidy()
    }

    /// What may be run with, the best first. The untried are tried once: a desk that dies of them runs without them next
    /// time.
    pub(super) fn choices(&self, keys: &[PublicKey]) -> Result<Vec<Served>> {
        let note = self.note()?;
        let versions = [note.untried, note.in_force];
        if note.untried != 0 {
            self.write_note(&Note { untried: 0, ..note })?;
        }
        let mut choices: Vec<Served> = Vec::new();
        for version in versions {
            if version != 0 && choices.iter().all(|choice| choice.version != version) {
                match self.read(version, keys) {
                    Ok(served) => choices.push(served),
                    Err(error) => tracing::error!(version, "kept settings cannot be used: {error:#}"),
                }
            }
        }
        Ok(choices)
    }

    pub(super) fn put_in_force(&self, version: u64) -> Result<()> {
        let note = self.note()?;
        if note.in_force == version {
            return Ok(());
        }
        self.write_note(&Note { in_force: version, ..note })
    }

    /// Goes back to the version before the one in force, and gives its number. What is served counts again once it is
    /// newer than anything that was here.
    pub(super) fn roll_back(&self, keys: &[PublicKey]) -> Result<u64> {
        let note = self.note()?;
        let before = self.versions()?.into_iter().rev().find(|version| *version < note.in_force);
        let Some(before) = before else { bail!("no version before {} is kept", note.in_force) };
        self.read(before, keys)?;
        self.write_note(&Note { in_force: before, untried: 0, ..note })?;
        Ok(before)
    }

    /// The versions that are kept.
    pub(super) fn versions(&self) -> Result<BTreeSet<u64>> {
        let mut versions = BTreeSet::new();
        for entry in fs::read_dir(&self.folder).context("cannot list the folder")? {
            let file_name = entry.context("cannot list the folder")?.file_name();
            let number = file_name.to_str().and_then(|name| name.strip_suffix(".jws"));
            versions.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(versions)
    }

    fn read(&self, version: u64, keys: &[PublicKey]) -> Result<Served> {
        let path = self.folder.join(name(version));
        let shown = path.display();
        let long = fs::metadata(&path).with_context(|| format!("cannot look at {shown}"))?.len();
        if long > u64::try_from(LONGEST).unwrap_or(u64::MAX) {
            bail!("{shown} is too long");
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
        // Verified again: a disk is no proof.
        let served = Served::open(&text, keys).with_context(|| format!("{shown} cannot be believed"))?;
        if served.version != version {
            bail!("{shown} is version {}", served.version);
        }
        Ok(served)
    }

    fn tidy(&self) -> Result<()> {
        let note = self.note()?;
        let versions = self.versions()?;
        for version in versions.iter().rev().skip(KEPT).filter(|version| **version != note.in_force) {
            fs::remove_file(self.folder.join(name(*version))).context("cannot remove an old version")?;
        }
        Ok(())
    }

    fn write_note(&self, note: &Note) -> Result<()> {
        self.write("note.json", &serde_json::to_vec(note)?)
    }

    /// Whole or not at all, whenever the power goes.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (part, whole) = (self.folder.join(format!(".{name}.part")), self.folder.join(name));
        let written = || -> std::io::Result<()> {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file: File = options.open(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, &whole)?;
            #[cfg(unix)]
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        written().with_context(|| format!("cannot write {}", whole.display()))
    }
}

fn name(version: u64) -> String {
    format!("{version}.jws")
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::super::document::public_jwk;
    use super::*;

    fn keys() -> (SigningKey, Vec<PublicKey>) {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = PublicKey::from_jwk(&public_jwk(&key)).unwrap();
        (key, vec![public])
    }

    fn take(shelf: &Shelf, version: u64) -> Result<()> {
        let (key, keys) = keys();
        shelf.take(&Served::open(&Served::sign(version, "", &key), &keys).unwrap())
    }

    fn choices(shelf: &Shelf) -> Vec<u64> {
        shelf.choices(&keys().1).unwrap().into_iter().map(|served| served.version).collect()
    }

    #[test]
    fn the_new_is_tried_once_and_the_last_good_stays_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&folder.path().join("served")).unwrap();
        assert!(choices(&shelf).is_empty());
        take(&shelf, 3).unwrap();
        assert_eq!(choices(&shelf), [3]);
        shelf.put_in_force(3).unwrap();
        take(&shelf, 5).unwrap();
        assert_eq!(choices(&shelf), [5, 3]);
        // The desk died of it, or could not start with it.
        assert_eq!(choices(&shelf), [3]);
        // And whoever serves an older one, or the same again, is not heard.
        for version in [1, 3, 4, 5] {
            assert!(take(&shelf, version).is_err(), "{version}");
        }
        take(&shelf, 6).unwrap();
        assert_eq!(choices(&shelf), [6, 3]);
    }

    #[test]
    fn an_operator_goes_back_and_stays_there_until_something_newer_comes() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        for version in 1..=8 {
            take(&shelf, version).unwrap();
            assert_eq!(choices(&shelf)[0], version);
            shelf.put_in_force(version).unwrap();
        }
        assert_eq!(shelf.versions().unwrap().into_iter().collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
        assert_eq!(shelf.roll_back(&keys().1).unwrap(), 7);
        assert_eq!(shelf.roll_back(&keys().1).unwrap(), 6);
        assert_eq!(choices(&shelf), [6]);
        assert!(take(&shelf, 8).is_err());
        take(&shelf, 9).unwrap();
        assert_eq!(choices(&shelf), [9, 6]);
    }

    #[test]
    fn a_file_that_was_changed_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        take(&shelf, 1).unwrap();
        shelf.put_in_force(1).unwrap();
        let stranger = SigningKey::from_bytes(&[2; 32]);
        fs::write(folder.path().join("1.jws"), Served::sign(1, "", &stranger)).unwrap();
        assert!(choices(&shelf).is_empty());
        fs::write(folder.path().join("1.jws"), Served::sign(2, "", &keys().0)).unwrap();
        assert!(choices(&shelf).is_empty());
    }
}
