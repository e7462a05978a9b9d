//! Reading and writing the files of the store, trusting nothing about them.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Why a file of the store is not touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a link or a device: whoever made it may point it anywhere.
    #[error("not a plain file")]
    NotPlain,
    /// Larger than the store writes it.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Others than its owner may change it.
    #[error("others than its owner may write to it")]
    WritableByOthers,
    /// It belongs to somebody else than the store does.
    #[error("it does not belong to the owner of the store")]
    ForeignOwner,
}

impl FileFault {
    /// Whether the file is merely not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a plain file of at most `limit` bytes, without following a link.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileFault> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileFault::NotPlain);
    }
    if metadata.len() > limit {
        return Err(FileFault::TooLarge(limit));
    }
    let mut bytes = Vec::new();
    // The file may have grown since.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= limit) {
        Ok(bytes)
    } else {
        Err(FileFault::TooLarge(limit))
    }
}

/// The same for a file an operator names, who may name it by a link.
pub(crate) fn read_given(path: &Path, limit: u64) -> Result<Vec<u8>, FileFault> {
    let path = fs::canonicalize(path)?;
    read(&path, limit)
}

/// Refuses a file or directory that others may have changed.
pub(crate) fn require_owned(path: &Path, store: &Metadata) -> Result<(), FileFault> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.file_type().is_symlink() {
        return Err(FileFault::NotPlain);
    }
    require_owned_by(&metadata, store)
}

/// The same, of one that was looked at.
#[cfg(unix)]
pub(crate) fn require_owned_by(metadata: &Metadata, store: &Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::MetadataExt as _;
    if metadata.mode() & 0o022 != 0 {
        return Err(FileFault::WritableByOthers);
    }
    // The administrator may put a file into anybody's store, and nobody else may.
    if metadata.uid() != store.uid() && metadata.uid() != 0 {
        return Err(FileFault::ForeignOwner);
    }
    Ok(())
}

/// Where there are no such bits, the access list of the directory decides, which new files inherit.
#[cfg(not(unix))]
pub(crate) fn require_owned_by(_: &Metadata, _: &Metadata) -> Result<(), FileFault> {
    Ok(())
}

/// Makes a new file with these bytes and waits until they are on the disk.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    set_mode(path, 0o644)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Adds a line to a file and waits until it is on the disk. A last line that was torn by a power cut is ended
/// first, so that it spoils no other.
pub(crate) fn append_line(path: &Path, line: &str) -> Result<(), FileFault> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).read(true);
    no_link(&mut options);
    require_no_link(path)?;
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(FileFault::NotPlain);
    }
    // Who did what is for those who look after the machine.
    set_mode(path, 0o640)?;
    let torn = ends_torn(&mut file)?;
    let text = if torn { format!("\n{line}\n") } else { format!("{line}\n") };
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

/// The last `limit` bytes of a file, or nothing where there is none.
pub(crate) fn read_tail(path: &Path, limit: u64) -> Result<Vec<u8>, FileFault> {
    use std::io::{Seek as _, SeekFrom};
    let mut file = match open(path) {
        Err(fault) if fault.is_absence() => return Ok(Vec::new()),
        other => other?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Waits until the names in a directory are on the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    // Windows opens no directory as a file, and writes its names with the journal.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Makes a directory that everybody may read and only its owner may change.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    set_mode(path, 0o755)
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    use std::io::{Seek as _, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn open(path: &Path) -> Result<File, FileFault> {
    require_no_link(path)?;
    let mut options = OpenOptions::new();
    options.read(true);
    no_link(&mut options);
    Ok(options.open(path)?)
}

fn require_no_link(path: &Path) -> Result<(), FileFault> {
    match fs::symlink_metadata(path) {
        // A pipe would block whoever opens it.
        Ok(metadata) if !metadata.is_file() => Err(FileFault::NotPlain),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Between the look at a name and its opening the name may have become a link: the system refuses it then.
#[cfg(unix)]
fn no_link(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed());
}

#[cfg(not(unix))]
fn no_link(_: &mut OpenOptions) {}

/// Whatever the mask of whoever changes the store: the daemon may be another user and has to read it.
#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
