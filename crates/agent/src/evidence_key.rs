//! The machine's key on disk: made once, read ever after.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use cccd_evidence::AgentKey;
use zeroize::Zeroizing;

use crate::private_file::require_private;

/// A key file is a few hundred bytes.
const LARGEST: u64 = 4096;

/// The key in `path`; a new one where there is no such file.
pub(crate) fn read_or_make(path: &Path) -> Result<AgentKey> {
    match read_only(path)? {
        Some(key) => Ok(key),
        None => make(path),
    }
}

/// The key in `path`, where there is one: none is made.
pub(crate) fn read_only(path: &Path) -> Result<Option<AgentKey>> {
    match File::open(path) {
        Ok(file) => read(file, path).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {}", path.display())),
    }
}

fn read(file: File, path: &Path) -> Result<AgentKey> {
    require_private(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    let shown = path.display();
    file.take(LARGEST).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
    AgentKey::from_jwk(&text).with_context(|| format!("{shown} cannot be used"))
}

/// Two agents that start at once: one makes the file, the other finds it.
fn make(path: &Path) -> Result<AgentKey> {
    let shown = path.display();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let key = AgentKey::generate(&mut getrandom::SysRng).context("cannot draw a key")?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            let written = file.write_all(key.to_jwk().as_bytes()).and_then(|()| file.sync_all());
            if let Err(error) = written {
                // Half a key would keep every later start from making a whole one.
                let _ = std::fs::remove_file(path);
                return Err(error).with_context(|| format!("cannot write {shown}"));
            }
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(File::open(path).with_context(|| format!("cannot open {shown}"))?, path)
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {shown}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper").join("key.json");
        let made = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap().key_id(), made.key_id());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        read_or_make(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read_or_make(&path).unwrap_err().to_string();
        assert!(refused.contains("640"), "{refused}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).unwrap().write_all(b"{}").unwrap();
        assert!(read_or_make(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    }
}
