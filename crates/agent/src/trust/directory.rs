//! The store on the disk, changed so that a power cut at any moment leaves the edition before or the one after.
//!
//! ```text
//! trust/
//!   current                 which edition holds, and the SHA-256 of its manifest
//!   editions/000007/        manifest.json, certificates.pem, crls.pem: never changed once they stand
//!   audit.jsonl             one line for each change
//!   lock                    held while the store is changed
//! ```
//!
//! A change writes a whole new edition beside the others, waits until it is on the disk, and then replaces
//! `current` in one move. What made an edition stands in its manifest, so that a line the audit file lacks
//! after a power cut is added at the next change.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use cccd_trust::store::{Contents, Fingerprint, to_pem};

use super::edition::{self, Change, Edition, EditionFault, MAX_CERTIFICATES, MAX_CRLS};
use super::guarded::{self, FileFault};

/// How many editions are kept for `trust diff`, the one that holds among them.
const KEPT_EDITIONS: usize = 10;

const MAX_MARKER_BYTES: u64 = 128;
const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;
const MAX_OBJECTS_BYTES: u64 = 128 * 1024 * 1024;
/// More than the longest line there can be.
const AUDIT_TAIL_BYTES: u64 = 2 * 1024 * 1024;

const CURRENT: &str = "current";
const CURRENT_NEW: &str = "current.new";
const EDITIONS: &str = "editions";
const AUDIT: &str = "audit.jsonl";
const LOCK: &str = "lock";
const MANIFEST: &str = "manifest.json";
const CERTIFICATES: &str = "certificates.pem";
const CRLS: &str = "crls.pem";
/// An edition that is being written, or that is being thrown away.
const UNFINISHED: &str = "unfinished";

/// Why the store cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreError {
    /// Somebody else changes it just now. Try again.
    #[error("another change of the trust store is under way")]
    Busy,
    /// There is no such edition, or no longer.
    #[error("the trust store keeps no edition {0}")]
    NoEdition(u64),
    /// A file of it cannot be read. The administrator's move.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FileFault,
    },
    /// A file of it was damaged, or changed by other means than this program.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How.
        source: EditionFault,
    },
    /// The change was made, and its line in the audit file was not. The next change adds it.
    #[error("edition {edition} holds now, but the audit file has no line of it yet")]
    NotAudited {
        /// The edition that holds.
        edition: u64,
        /// Why not.
        source: Box<TrustStoreError>,
    },
    /// The change would make it larger than a store may be.
    #[error("a trust store holds at most {MAX_CERTIFICATES} certificates and {MAX_CRLS} CRLs")]
    Full,
}

/// Which edition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) edition: u64,
    manifest: Fingerprint,
}

/// One step of a change. Tests stop before each, and within those that take their time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    MakeDirectory(&'a Path),
    /// A new file with these bytes.
    Write(&'a Path, &'a [u8]),
    Rename(&'a Path, &'a Path),
    /// Waits until the names in a directory are on the disk.
    Sync(&'a Path),
    /// One more line.
    Append(&'a Path, &'a str),
    /// A file, or a directory with everything in it.
    Remove(&'a Path),
}

impl Step<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::MakeDirectory(path)
            | Self::Write(path, _)
            | Self::Rename(_, path)
            | Self::Sync(path)
            | Self::Append(path, _)
            | Self::Remove(path) => path,
        }
    }

    fn take(&self) -> Result<(), FileFault> {
        match *self {
            Self::MakeDirectory(path) => Ok(guarded::make_directory(path)?),
            Self::Write(path, bytes) => Ok(guarded::write_new(path, bytes)?),
            Self::Rename(from, to) => Ok(fs::rename(from, to)?),
            Self::Sync(path) => Ok(guarded::sync_directory(path)?),
            Self::Append(path, line) => guarded::append_line(path, line),
            // A link is removed as a link: what it points to is none of ours.
            Self::Remove(path) if fs::symlink_metadata(path)?.is_dir() => Ok(fs::remove_dir_all(path)?),
            Self::Remove(path) => Ok(fs::remove_file(path)?),
        }
    }
}

/// The directory of a store, whether it is there yet or not.
#[derive(Debug, Clone)]
pub(crate) struct StoreDirectory {
    root: PathBuf,
    /// Called before each step of a change.
    before: fn(Step<'_>) -> io::Result<()>,
}

/// A store that nobody else changes meanwhile.
#[derive(Debug)]
pub(crate) struct Changing<'a> {
    directory: &'a StoreDirectory,
    /// Held until the end.
    _lock: File,
    /// The edition that holds.
    pub(crate) current: Edition,
}

impl StoreDirectory {
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), before: |_| Ok(()) }
    }

    /// A store whose changes stop where `before` says so.
    #[cfg(test)]
    fn stopping(root: &Path, before: fn(Step<'_>) -> io::Result<()>) -> Self {
        Self { root: root.to_owned(), before }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Which edition holds. Nothing where none was ever installed.
    pub(crate) fn marker(&self) -> Result<Option<Marker>, TrustStoreError> {
        let path = self.root.join(CURRENT);
        let bytes = match guarded::read(&path, MAX_MARKER_BYTES) {
            Ok(bytes) => bytes,
            Err(fault) if fault.is_absence() => return Ok(None),
            Err(source) => return Err(TrustStoreError::File { path, source }),
        };
        match Marker::parse(&bytes) {
            Some(marker) => Ok(Some(marker)),
            None => Err(TrustStoreError::Damaged { path, source: EditionFault::Marker }),
        }
    }

    /// The edition that holds.
    pub(crate) fn read(&self) -> Result<Edition, TrustStoreError> {
        let mut last = None;
        // A change may replace the edition, and later ones clear it away, between the two looks.
        loop {
            let Some(marker) = self.marker()? else { return Ok(Edition::empty()) };
            match self.read_marked(marker) {
                Err(error) if last != Some(marker) => {
                    tracing::debug!(%error, "the trust store changes just now");
                    last = Some(marker);
                }
                done => return done,
            }
        }
    }

    fn read_marked(&self, marker: Marker) -> Result<Edition, TrustStoreError> {
        self.read_edition(marker.edition, Some(marker.manifest))
    }

    /// An edition that is kept.
    pub(crate) fn read_kept(&self, number: u64) -> Result<Edition, TrustStoreError> {
        if number == 0 {
            return Ok(Edition::empty());
        }
        let current = self.marker()?.filter(|marker| marker.edition >= number);
        if current.is_none() || !self.edition_path(number).is_dir() {
            return Err(TrustStoreError::NoEdition(number));
        }
        self.read_edition(number, None)
    }

    /// The editions that are kept, oldest first, up to the one that holds.
    pub(crate) fn kept(&self) -> Result<Vec<u64>, TrustStoreError> {
        let Some(marker) = self.marker()? else { return Ok(Vec::new()) };
        let mut numbers = self.numbers()?;
        numbers.retain(|number| *number <= marker.edition);
        Ok(numbers)
    }

    /// Begins a change: locks, mends what a power cut left, reads the edition that holds.
    pub(crate) fn change(&self) -> Result<Changing<'_>, TrustStoreError> {
        if let Some(parent) = self.root.parent() {
            let fault =
                |source: io::Error| TrustStoreError::File { path: parent.to_owned(), source: source.into() };
            fs::create_dir_all(parent).map_err(fault)?;
        }
        self.make(&self.root)?;
        self.make(&self.root.join(EDITIONS))?;
        let path = self.root.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path);
        let lock =
            lock.map_err(|source| TrustStoreError::File { path: path.clone(), source: source.into() })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TrustStoreError::Busy),
            Err(TryLockError::Error(source)) => {
                return Err(TrustStoreError::File { path, source: source.into() });
            }
        }
        let current = self.read()?;
        self.sweep(current.number)?;
        if let Some(change) = &current.change {
            self.audit(change)?;
        }
        Ok(Changing { directory: self, _lock: lock, current })
    }

    fn read_edition(&self, number: u64, manifest: Option<Fingerprint>) -> Result<Edition, TrustStoreError> {
        let directory = self.edition_path(number);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| TrustStoreError::File { path, source }
        };
        // The store itself may be reached by a link, its inside may not.
        let store = fs::metadata(&self.root).map_err(|source| at(&self.root)(source.into()))?;
        guarded::require_owned_by(&store, &store).map_err(at(&self.root))?;
        let guarded_read = |name: &str, limit| {
            let path = directory.join(name);
            guarded::require_owned(&path, &store)
                .and_then(|()| guarded::read(&path, limit))
                .map_err(at(&path))
        };
        for path in [&self.root.join(CURRENT), &self.root.join(EDITIONS), &directory] {
            guarded::require_owned(path, &store).map_err(at(path))?;
        }
        let text = guarded_read(MANIFEST, MAX_MANIFEST_BYTES)?;
        let damaged = |name: &str, source| TrustStoreError::Damaged { path: directory.join(name), source };
        if manifest.is_some_and(|expected| Fingerprint::of(&text) != expected) {
            return Err(damaged(MANIFEST, EditionFault::OtherManifest));
        }
        let objects = |name: &str, fault: EditionFault| {
            let bytes = guarded_read(name, MAX_OBJECTS_BYTES)?;
            if bytes.is_empty() {
                return Ok(Vec::new());
            }
            let contents = Contents::read(&bytes).ok().filter(|contents| contents.unreadable.is_empty());
            contents
                .map(|contents| [contents.certificates, contents.crls].concat())
                .ok_or_else(|| damaged(name, fault))
        };
        let certificates = objects(CERTIFICATES, EditionFault::OtherCertificates)?;
        let crls = objects(CRLS, EditionFault::OtherCrls)?;
        let edition =
            edition::read_manifest(&text, certificates, crls).map_err(|source| damaged(MANIFEST, source))?;
        if edition.number == number {
            Ok(edition)
        } else {
            Err(damaged(MANIFEST, EditionFault::OtherManifest))
        }
    }

    fn edition_path(&self, number: u64) -> PathBuf {
        self.root.join(EDITIONS).join(format!("{number:06}"))
    }

    /// The numbers of the editions that stand, oldest first.
    fn numbers(&self) -> Result<Vec<u64>, TrustStoreError> {
        let path = self.root.join(EDITIONS);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(TrustStoreError::File { path, source: source.into() }),
        };
        let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| name(entry)?.parse().ok()).filter(|number| *number > 0).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Clears away what a power cut left unfinished, and the editions that are too old.
    fn sweep(&self, current: u64) -> Result<(), TrustStoreError> {
        let numbers = self.numbers()?;
        let kept: Vec<u64> = numbers.iter().copied().filter(|number| *number <= current).collect();
        let old = kept.len().saturating_sub(KEPT_EDITIONS);
        // An edition after the one that holds was written and never came to hold.
        let abandoned = numbers.iter().copied().filter(|number| *number > current);
        let unfinished = self.root.join(EDITIONS).join(UNFINISHED);
        if fs::symlink_metadata(&unfinished).is_ok() {
            self.step(Step::Remove(&unfinished))?;
        }
        for number in kept.iter().copied().take(old).chain(abandoned) {
            // Moved first: a number stands for a whole edition or for none.
            self.step(Step::Rename(&self.edition_path(number), &unfinished))?;
            self.step(Step::Remove(&unfinished))?;
        }
        Ok(())
    }

    /// Adds the line of a change, unless it stands there.
    fn audit(&self, change: &Change) -> Result<(), TrustStoreError> {
        #[derive(serde::Deserialize)]
        struct Numbered {
            edition: u64,
        }
        let path = self.root.join(AUDIT);
        let fault = |source| TrustStoreError::File { path: path.clone(), source };
        let tail = guarded::read_tail(&path, AUDIT_TAIL_BYTES).map_err(fault)?;
        let last = tail
            .split(|byte| *byte == b'\n')
            .rev()
            .find_map(|line| serde_json::from_slice::<Numbered>(line).ok());
        if last.is_some_and(|last| last.edition >= change.edition) {
            return Ok(());
        }
        let line = serde_json::to_string(change).map_err(|error| fault(io::Error::from(error).into()))?;
        self.step(Step::Append(&path, &line))
    }

    fn make(&self, path: &Path) -> Result<(), TrustStoreError> {
        if path.is_dir() { Ok(()) } else { self.step(Step::MakeDirectory(path)) }
    }

    fn step(&self, step: Step<'_>) -> Result<(), TrustStoreError> {
        (self.before)(step)
            .map_err(FileFault::from)
            .and_then(|()| step.take())
            .map_err(|source| TrustStoreError::File { path: step.path().to_owned(), source })
    }
}

impl Changing<'_> {
    /// Makes `next` the edition that holds.
    pub(crate) fn commit(self, next: Edition) -> Result<Edition, TrustStoreError> {
        let directory = self.directory;
        if next.certificates.len() > MAX_CERTIFICATES || next.crls.len() > MAX_CRLS {
            return Err(TrustStoreError::Full);
        }
        let editions = directory.root.join(EDITIONS);
        let unfinished = editions.join(UNFINISHED);
        let manifest = edition::write_manifest(&next).map_err(|error| TrustStoreError::Damaged {
            path: unfinished.join(MANIFEST),
            source: error.into(),
        })?;
        let certificates: String =
            next.certificates.iter().map(|one| to_pem("CERTIFICATE", &one.der)).collect();
        let crls: String = next.crls.iter().map(|one| to_pem("X509 CRL", &one.der)).collect();

        directory.make(&unfinished)?;
        directory.step(Step::Write(&unfinished.join(CERTIFICATES), certificates.as_bytes()))?;
        directory.step(Step::Write(&unfinished.join(CRLS), crls.as_bytes()))?;
        directory.step(Step::Write(&unfinished.join(MANIFEST), manifest.as_bytes()))?;
        directory.step(Step::Sync(&unfinished))?;
        directory.step(Step::Rename(&unfinished, &directory.edition_path(next.number)))?;
        directory.step(Step::Sync(&editions))?;

        let marker = Marker { edition: next.number, manifest: Fingerprint::of(manifest.as_bytes()) };
        let new = directory.root.join(CURRENT_NEW);
        if fs::symlink_metadata(&new).is_ok() {
            directory.step(Step::Remove(&new))?;
        }
        directory.step(Step::Write(&new, marker.to_text().as_bytes()))?;
        // The one step that counts: before it the old edition holds, after it the new one.
        directory.step(Step::Rename(&new, &directory.root.join(CURRENT)))?;
        directory.step(Step::Sync(&directory.root))?;

        if let Some(change) = &next.change {
            directory.audit(change).map_err(|source| TrustStoreError::NotAudited {
                edition: next.number,
                source: Box::new(source),
            })?;
        }
        // What is left lying is swept the next time.
        if let Err(error) = directory.sweep(next.number) {
            tracing::warn!(%error, "an old edition of the trust store cannot be cleared away");
        }
        Ok(next)
    }
}

impl Marker {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let (edition, manifest) = text.split_once(' ')?;
        let edition = edition.parse().ok().filter(|edition| *edition > 0)?;
        Some(Self { edition, manifest: manifest.parse().ok()? })
    }

    fn to_text(self) -> String {
        format!("{} {}\n", self.edition, self.manifest)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::LazyLock;

    use cccd_firmware_sim::pki::{Country, CrlPlan, Csca, CscaPlan};
    use cccd_trust::store::Standing;
    use time::macros::datetime;

    use super::super::edition::{Action, Author, Installed, InstalledCrl, Voucher};
    use super::*;

    static CSCAS: LazyLock<Vec<Csca>> =
        LazyLock::new(|| (0..3).map(|_| Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap()).collect());

    fn author() -> Author {
        Author { user: "alice".to_owned(), on_behalf_of: None, time: datetime!(2026-11-20 19:00 UTC) }
    }

    fn installed(which: usize) -> Installed {
        let der = CSCAS[which].certificate().der().to_vec();
        let fingerprint = Fingerprint::of(&der);
        Installed {
            der,
            fingerprint,
            added: author().time,
            voucher: Voucher::Operator,
            standing: Standing::SelfSigned,
        }
    }

    fn crl() -> InstalledCrl {
        let der = CSCAS[0].crl(&CrlPlan::empty()).unwrap();
        InstalledCrl { fingerprint: Fingerprint::of(&der), der, added: author().time }
    }

    fn replace(store: &StoreDirectory, certificates: &[usize]) -> Result<Edition, TrustStoreError> {
        let changing = store.change()?;
        let certificates = certificates.iter().map(|which| installed(*which)).collect();
        let next = changing.current.next(certificates, vec![crl()], Action::Add, &author());
        changing.commit(next)
    }

    fn audited(store: &StoreDirectory) -> Vec<Change> {
        let text = fs::read_to_string(store.path().join(AUDIT)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[test]
    fn an_edition_comes_back_as_it_was_written() {
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("a/trust"));
        assert_eq!(store.read().unwrap(), Edition::empty());
        let first = replace(&store, &[0, 1]).unwrap();
        assert_eq!(store.read().unwrap(), first);
        let second = replace(&store, &[1, 2]).unwrap();
        assert_eq!(store.read().unwrap(), second);
        assert_eq!(store.read_kept(1).unwrap(), first);
        let change = second.change.clone().unwrap();
        assert_eq!(
            (change.added, change.removed),
            (vec![installed(2).fingerprint], vec![installed(0).fingerprint])
        );
        assert_eq!(audited(&store), [first.change.unwrap(), second.change.unwrap()]);
    }

    thread_local! {
        /// Steps until the power goes.
        static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// Stops before a step, and within those that write.
    fn power_cut(step: Step<'_>) -> io::Result<()> {
        let here = || {
            let left = LEFT.get();
            LEFT.set(left.saturating_sub(1));
            left == 0
        };
        let gone = Err(io::Error::other("the power is gone"));
        if here() {
            return gone;
        }
        let torn = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
        match step {
            Step::Write(path, bytes) if here() => {
                guarded::write_new(path, &torn(bytes))?;
                gone
            }
            Step::Append(path, line) if here() => {
                let before = fs::read(path).unwrap_or_default();
                fs::write(path, [before, torn(line.as_bytes())].concat())?;
                gone
            }
            Step::Remove(path) if path.is_dir() && here() => {
                fs::remove_file(path.join(MANIFEST))?;
                gone
            }
            _ => Ok(()),
        }
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
            if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(drop).unwrap() }
        }
    }

    #[test]
    fn a_power_cut_at_any_step_leaves_the_old_edition_or_the_new_one() {
        let mut held = [0; 2];
        let place = tempfile::tempdir().unwrap();
        let original = StoreDirectory::at(place.path().join("original"));
        // As many as are kept, so that the change also clears one away.
        for _ in 0..KEPT_EDITIONS {
            replace(&original, &[0]).unwrap();
        }
        let old = original.read().unwrap();
        for steps in 0.. {
            let root = place.path().join(steps.to_string());
            copy(original.path(), &root);
            let store = StoreDirectory::at(&root);
            LEFT.set(steps);
            let outcome = replace(&StoreDirectory::stopping(&root, power_cut), &[0, 1]);
            let finished = LEFT.replace(usize::MAX) > 0;

            let after = store.read().unwrap();
            let is_new = after.certificates.len() == 2;
            if is_new {
                assert_eq!(after.number, old.number + 1, "after {steps} steps");
            } else {
                assert_eq!(after, old, "after {steps} steps");
            }
            held[usize::from(is_new)] += 1;
            if outcome.is_ok() {
                assert!(is_new, "a change that was reported done holds");
            }

            // The next change finds nothing in its way, and the audit file tells of every edition that held.
            let next = replace(&store, &[2]).unwrap();
            assert_eq!(store.read().unwrap(), next);
            let editions: Vec<u64> = audited(&store).iter().map(|change| change.edition).collect();
            assert_eq!(editions, (1..=next.number).collect::<Vec<_>>(), "after {steps} steps");
            assert_eq!(store.kept().unwrap().len(), KEPT_EDITIONS);
            assert!(!root.join(EDITIONS).join(UNFINISHED).exists());
            if finished {
                break;
            }
        }
        assert!(held.iter().all(|count| *count > 3), "both sides of the switch were cut: {held:?}");
    }

    #[test]
    fn two_changes_at_once_are_one_too_many() {
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("trust"));
        let first = store.change().unwrap();
        assert!(matches!(store.change(), Err(TrustStoreError::Busy)));
        drop(first);
        assert!(store.change().is_ok());
    }

    #[test]
    fn whatever_was_changed_by_hand_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("trust"));
        replace(&store, &[0, 1]).unwrap();
        let files = [
            "current",
            "editions/000001/manifest.json",
            "editions/000001/certificates.pem",
            "editions/000001/crls.pem",
        ];
        for file in files {
            let path = store.path().join(file);
            let good = fs::read(&path).unwrap();
            let half = good.len() / 2;
            let flipped: Vec<u8> =
                good.iter().enumerate().map(|(at, byte)| if at == half { byte ^ 1 } else { *byte }).collect();
            for bad in [flipped, good[..half].to_vec(), Vec::new(), [&good[..], &good[..]].concat()] {
                fs::write(&path, &bad).unwrap();
                assert!(store.read().is_err(), "{file}: {} bytes", bad.len());
            }
            fs::write(&path, good).unwrap();
            assert!(store.read().is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_files_of_others_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("trust"));
        replace(&store, &[0]).unwrap();
        let fault = || match store.read() {
            Err(TrustStoreError::File { source, .. }) => source,
            other => panic!("{other:?}"),
        };
        for file in ["current", "editions", "editions/000001", "editions/000001/certificates.pem"] {
            let path = store.path().join(file);
            let aside = place.path().join("aside");
            fs::rename(&path, &aside).unwrap();
            symlink(&aside, &path).unwrap();
            assert!(matches!(fault(), FileFault::NotPlain), "{file}");
            fs::remove_file(&path).unwrap();
            fs::rename(&aside, &path).unwrap();

            let mode = fs::metadata(&path).unwrap().permissions().mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o020)).unwrap();
            assert!(matches!(fault(), FileFault::WritableByOthers), "{file}");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        assert!(store.read().is_ok());
        fs::remove_file(store.path().join(AUDIT)).unwrap();
        symlink(place.path().join("elsewhere"), store.path().join(AUDIT)).unwrap();
        assert!(replace(&store, &[1]).is_err() && !place.path().join("elsewhere").exists());
    }

    #[test]
    fn a_file_larger_than_the_store_writes_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("trust"));
        replace(&store, &[0]).unwrap();
        fs::write(store.path().join(CURRENT), "1".repeat(129)).unwrap();
        assert!(matches!(
            store.read(),
            Err(TrustStoreError::File { source: FileFault::TooLarge(MAX_MARKER_BYTES), .. })
        ));
    }

    #[test]
    fn editions_that_are_gone_or_never_held_are_not_there() {
        let place = tempfile::tempdir().unwrap();
        let store = StoreDirectory::at(place.path().join("trust"));
        assert!(matches!(store.read_kept(1), Err(TrustStoreError::NoEdition(1))));
        replace(&store, &[0]).unwrap();
        assert!(matches!(store.read_kept(2), Err(TrustStoreError::NoEdition(2))));
        assert_eq!(store.read_kept(0).unwrap(), Edition::empty());
    }
}
