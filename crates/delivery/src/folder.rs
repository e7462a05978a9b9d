//! A message as a file in a folder that another program watches.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use cccd_store::{DueMessage, Failure};

/// Puts the message there under its key. Whoever looks sees all of it or nothing, and one that is there already is not
/// written again.
pub(crate) fn deliver(folder: &Path, message: &DueMessage) -> Result<(), Failure> {
    // Keys are names of readings; anything else would be a way out of the folder.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if message.key.is_empty() || !message.key.bytes().all(plain) {
        return Err(Failure::Lasting("no-file-name"));
    }
    let whole = folder.join(format!("{}.json", message.key));
    if whole.exists() {
        return Ok(());
    }
    let part = folder.join(format!(".{}.part", message.key));
    write(&part, &whole, &message.body).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Passing("folder-absent"),
        ErrorKind::PermissionDenied => Failure::Passing("folder-closed"),
        ErrorKind::StorageFull => Failure::Passing("disk-full"),
        _ => Failure::Passing("disk-fault"),
    })
}

fn write(part: &Path, whole: &Path, body: &[u8]) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(part)?;
    file.write_all(body)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(part, whole)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn message(key: &str) -> DueMessage {
        DueMessage {
            id: 1,
            key: key.to_owned(),
            content_type: "application/json".to_owned(),
            body: Zeroizing::new(b"{}".to_vec()),
            attempts: 0,
        }
    }

    #[test]
    fn a_file_comes_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        deliver(folder.path(), &message("0a1b")).unwrap();
        std::fs::write(folder.path().join("0a1b.json"), "taken").unwrap();
        deliver(folder.path(), &message("0a1b")).unwrap();
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["0a1b.json"]);
        assert_eq!(std::fs::read(folder.path().join("0a1b.json")).unwrap(), b"taken");
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for key in ["../x", "", "a/b", "a.b"] {
            assert_eq!(deliver(folder.path(), &message(key)), Err(Failure::Lasting("no-file-name")), "{key}");
        }
        let absent = folder.path().join("absent");
        assert_eq!(deliver(&absent, &message("a")), Err(Failure::Passing("folder-absent")));
    }
}
