//! Files that nobody else may read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Writes a new file that only its owner can read; one that is there already is left alone.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot make {shown}"))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written.with_context(|| format!("cannot write {shown}"))
}

/// Puts a file in place of another, whole or not at all. It may be read by whoever might read the one before; where there
/// was none, by its owner alone.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    // What a link leads to is replaced, not the link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = path.display();
    let name = path.file_name().with_context(|| format!("{shown} is no file"))?.to_string_lossy();
    let unready = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let _ = std::fs::remove_file(&unready);
    create(&unready, bytes)?;
    let replaced = || {
        if let Ok(before) = std::fs::metadata(&path) {
            std::fs::set_permissions(&unready, before.permissions())?;
        }
        std::fs::rename(&unready, &path)
    };
    let replaced = replaced();
    if replaced.is_err() {
        let _ = std::fs::remove_file(&unready);
    }
    replaced.with_context(|| format!("cannot write {shown}"))
}

/// A key that others may read is anybody's.
#[cfg(unix)]
pub(crate) fn require_private(file: &File, path: &Path) -> Result<()> {
    use anyhow::bail;
    use std::os::unix::fs::PermissionsExt as _;
    let mode =
        file.metadata().with_context(|| format!("cannot look at {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} may be read by others (mode {:03o}); make it 600", path.display(), mode & 0o777);
    }
    Ok(())
}

/// On Windows the folder's access list decides, which the installer sets.
#[cfg(not(unix))]
pub(crate) fn require_private(_: &File, _: &Path) -> Result<()> {
    Ok(())
}
