//! The profiles at hand while the agent runs: those that come with it, and over them the files of a folder.
//!
//! The folder is looked at whenever a profile is asked for. A file that has changed counts from then on; one that has
//! become wrong is logged, and the profile it held before stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cccd_api::ProfileSource;
use cccd_consumers::ReadyProfile;
use cccd_profiles::{ConsumerCatalogue, ConsumerProfile};

use crate::profile_files::{files_in, profile_in, pseudonym_key};

/// The profiles at hand.
pub(crate) struct ProfileShelf {
    directory: PathBuf,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    /// What the folder held when it was last looked at.
    seen: BTreeMap<PathBuf, Stamp>,
    /// The profiles of its files that could be used, as each was last.
    own: BTreeMap<PathBuf, ConsumerProfile>,
    /// What the deny lists were when they were last looked at.
    lists: BTreeMap<PathBuf, Option<Stamp>>,
    /// All of them, by name.
    ready: BTreeMap<String, Arc<ReadyProfile>>,
}

/// By what a changed file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    bytes: u64,
}

impl ProfileShelf {
    /// The shipped profiles, and those in `directory`, which need not be there.
    pub(crate) fn open(directory: &Path) -> Self {
        let mut shelf = Shelf::default();
        shelf.fill(stamps(directory));
        Self { directory: directory.to_owned(), shelf: Mutex::new(shelf) }
    }
}

impl ProfileSource for ProfileShelf {
    fn find(&self, name: &str) -> Option<Arc<ReadyProfile>> {
        let stamps = stamps(&self.directory);
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.seen != stamps {
            shelf.fill(stamps);
        }
        shelf.look_at_lists(name);
        shelf.ready.get(name).cloned()
    }
}

impl Shelf {
    /// Reads the key and the deny list of a profile, where one that was not there before may be now or one has changed.
    fn look_at_lists(&mut self, name: &str) {
        let Some(ready) = self.ready.get(name).cloned() else { return };
        let Some(rule) = &ready.profile.token else { return };
        let list = rule.deny_file.as_ref().map(|path| (path.clone(), stamp(path)));
        let changed = list.as_ref().is_some_and(|(path, stamp)| self.lists.get(path) != Some(stamp));
        if ready.key.is_some() && !changed {
            return;
        }
        let anew = made_ready(ready.profile.clone());
        if anew.key.is_some() {
            self.ready.insert(name.to_owned(), Arc::new(anew));
        } else if ready.key.is_some() {
            tracing::error!(
                profile = name,
                "its key or deny list cannot be used any more, the one before stays"
            );
        }
        self.lists.extend(list);
    }

    fn fill(&mut self, stamps: BTreeMap<PathBuf, Stamp>) {
        self.own.retain(|path, _| stamps.contains_key(path));
        for (path, stamp) in &stamps {
            if self.seen.get(path) == Some(stamp) {
                continue;
            }
            match profile_in(path) {
                Ok(profile) => {
                    tracing::info!(profile = profile.name, "profile loaded");
                    self.own.insert(path.clone(), profile);
                }
                Err(error) if self.own.contains_key(path) => {
                    tracing::error!("a profile cannot be used any more, the one before stays: {error:#}");
                }
                Err(error) => tracing::error!("a profile cannot be used: {error:#}"),
            }
        }
        let mut catalogue = ConsumerCatalogue::shipped();
        self.own.values().for_each(|profile| catalogue.insert(profile.clone()));
        self.ready = catalogue
            .all()
            .map(|profile| (profile.name.clone(), Arc::new(made_ready(profile.clone()))))
            .collect();
        self.seen = stamps;
    }
}

/// A profile with its key. Without the key it is there all the same, and gives nothing.
fn made_ready(profile: ConsumerProfile) -> ReadyProfile {
    let key = profile.token.as_ref().and_then(|rule| match pseudonym_key(rule) {
        Ok(key) => Some(key),
        Err(error) => {
            tracing::debug!(profile = profile.name, "no pseudonyms: {error:#}");
            None
        }
    });
    ReadyProfile { profile, key }
}

fn stamps(directory: &Path) -> BTreeMap<PathBuf, Stamp> {
    files_in(directory).into_iter().filter_map(|path| stamp(&path).map(|stamp| (path, stamp))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    // What a link leads to counts.
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { changed: metadata.modified().ok(), bytes: metadata.len() })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn write(folder: &TempDir, name: &str, text: &str) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }

    fn exam(title: &str) -> String {
        ConsumerCatalogue::shipped_text("exam").unwrap().replace("Dự thi, điểm danh", title)
    }

    fn title(shelf: &ProfileShelf, name: &str) -> Option<String> {
        shelf.find(name).map(|ready| ready.profile.title.vi.clone())
    }

    #[test]
    fn a_changed_file_counts_at_once_and_a_wrong_one_leaves_what_was_there() {
        let folder = TempDir::new().unwrap();
        let shelf = ProfileShelf::open(folder.path());
        assert_eq!(title(&shelf, "exam").as_deref(), Some("Dự thi, điểm danh"));
        write(&folder, "exam.toml", &exam("Kỳ thi"));
        assert_eq!(title(&shelf, "exam").as_deref(), Some("Kỳ thi"));
        write(&folder, "exam.toml", "name = 'exam'\nnonsense = 1\n");
        assert_eq!(title(&shelf, "exam").as_deref(), Some("Kỳ thi"));
        write(&folder, "exam.toml", &exam("Kỳ thi mới hơn"));
        assert_eq!(title(&shelf, "exam").as_deref(), Some("Kỳ thi mới hơn"));
        std::fs::remove_file(folder.path().join("exam.toml")).unwrap();
        assert_eq!(title(&shelf, "exam").as_deref(), Some("Dự thi, điểm danh"));
        assert!(shelf.find("clinic").is_some() && shelf.find("nobody").is_none());
    }

    #[test]
    fn a_key_counts_as_soon_as_it_is_there_and_nobody_else_may_read_it() {
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("ticketing.key");
        let text = ConsumerCatalogue::shipped_text("ticketing").unwrap();
        let text = text.replace("/etc/cccd-agent/ticketing.key", key.to_str().unwrap());
        let denied = folder.path().join("ticketing.deny");
        let text = text.replace("/etc/cccd-agent/ticketing.deny", denied.to_str().unwrap());
        write(&folder, "ticketing.toml", &text);
        let shelf = ProfileShelf::open(folder.path());
        assert!(shelf.find("ticketing").unwrap().key.is_none());
        std::fs::write(&key, [7; 32]).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(shelf.find("ticketing").unwrap().key.is_none());
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        // Without its deny list it gives nothing either.
        assert!(shelf.find("ticketing").unwrap().lacks_key());
        std::fs::write(&denied, "").unwrap();
        let denies =
            || shelf.find("ticketing").unwrap().key.as_ref().unwrap().denies("ticketing", "000090123456");
        assert!(!denies());
        let pseudonym = {
            let ready = shelf.find("ticketing").unwrap();
            ready.key.as_ref().unwrap().pseudonym("ticketing", "000090123456").expose().to_owned()
        };
        std::fs::write(&denied, &pseudonym).unwrap();
        assert!(denies());
        std::fs::write(&denied, "no pseudonym, and longer than one: 32 digits").unwrap();
        assert!(denies(), "the list before stays");
        std::fs::write(&denied, "# nobody any more").unwrap();
        assert!(!denies());
    }
}
