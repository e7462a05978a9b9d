//! Files and folders that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

/// Makes the folder where it is not there, and closes it to others.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => give_to_owner_of_folder(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) => return Err(error),
    }
    set_mode(path, 0o700)
}

/// Makes an empty file where there is none, and closes it to others. Whatever SQLite puts beside a database takes its
/// mode.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    match create(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            require_plain(path)?;
            set_mode(path, 0o600)
        }
        Err(error) => Err(error),
    }
}

/// A new file, open for writing.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    give_to_owner_of_folder(path);
    Ok(file)
}

/// The bytes of a small plain file; `None` where there is no such file.
pub(crate) fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    match require_plain(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Puts these bytes into a file in one step: whoever looks sees all of the old ones or all of the new ones, also
/// after a power cut.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".new");
    let next = Path::new(&next);
    match fs::remove_file(next) {
        // Left by a power cut.
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = create(next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(next, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows opens no folder as a file, and writes its names with the journal.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

fn require_plain(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "not a plain file"))
    }
}

/// An administrator's command may be the first to make what the daemon, another user, has to read: what is made
/// belongs to whom its folder belongs to. Where that cannot be done it is the same user already, or has no need.
#[cfg(unix)]
fn give_to_owner_of_folder(path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    let made = fs::symlink_metadata(path).ok();
    if let (Some(folder), Some(made)) = (folder, made)
        && folder.uid() != made.uid()
    {
        let _ = std::os::unix::fs::lchown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

#[cfg(not(unix))]
fn give_to_owner_of_folder(_: &Path) {}

/// On Windows the folder's access list decides, which the installer sets.
#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if fs::metadata(path)?.permissions().mode() & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_stood_open_to_others_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        make_folder(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);

        let file = inner.join("file");
        fs::write(&file, b"kept").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        make_file(&file).unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"kept".to_vec()));

        replace(&file, b"other").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"other".to_vec()));
    }

    #[test]
    fn a_link_is_neither_read_nor_used() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"x").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(make_file(&link).is_err());
        assert!(read_small(&link, 10).is_err());
        assert_eq!(read_small(&folder.path().join("none"), 10).unwrap(), None);
    }
}
