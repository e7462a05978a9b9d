//! Files that nobody else may read.

use std::fs::File;
use std::path::Path;

use anyhow::Result;

/// A key that others may read is anybody's.
#[cfg(unix)]
pub(crate) fn require_private(file: &File, path: &Path) -> Result<()> {
    use anyhow::{Context as _, bail};
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
