//! A message as a file in a folder that another program watches, or as a line of the day's file.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use cccd_consumers::Shaped;
use cccd_exports::Table;
use cccd_profiles::{FileFormat, FolderTarget};
use cccd_store::{DueMessage, Failure};
use time::{OffsetDateTime, UtcOffset};
use zeroize::Zeroizing;

/// The largest day's file that is added to.
const LARGEST_DAY: u64 = 256 << 20;

/// Puts the message there under its key. Whoever looks sees all of it or nothing, and one that is there already is not
/// written again.
pub(crate) fn deliver(
    target: &FolderTarget,
    message: &DueMessage,
    now: OffsetDateTime,
) -> Result<(), Failure> {
    // Keys are names of readings; anything else would be a way out of the folder.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if message.key.is_empty() || !message.key.bytes().all(plain) {
        return Err(Failure::Lasting("no-file-name"));
    }
    let written = match target.format {
        FileFormat::JsonLines => add_line(&target.path, message, now),
        format => {
            let (body, ending) = written_as(format, message)?;
            put(&target.path, &message.key, ending, &body)
        }
    };
    written.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Passing("folder-absent"),
        ErrorKind::PermissionDenied => Failure::Passing("folder-closed"),
        ErrorKind::StorageFull => Failure::Passing("disk-full"),
        ErrorKind::FileTooLarge => Failure::Passing("file-full"),
        _ => Failure::Passing("disk-fault"),
    })
}

/// The message in this format, and how a file of it ends.
fn written_as(
    format: FileFormat,
    message: &DueMessage,
) -> Result<(Zeroizing<Vec<u8>>, &'static str), Failure> {
    let lasting = |_| Failure::Lasting("no-such-format");
    let table = || {
        let object = Shaped::of_json(&message.body).ok_or(Failure::Lasting("no-such-format"))?;
        Table::of_objects(&[object]).map_err(lasting)
    };
    Ok(match format {
        FileFormat::Json | FileFormat::JsonLines => (message.body.clone(), "json"),
        FileFormat::Csv => (table()?.to_csv(), "csv"),
        FileFormat::Xlsx => (table()?.to_xlsx().map_err(lasting)?, "xlsx"),
        FileFormat::Xml => (table()?.to_xml().map_err(lasting)?, "xml"),
    })
}

fn put(folder: &Path, key: &str, ending: &str, body: &[u8]) -> std::io::Result<()> {
    let whole = folder.join(format!("{key}.{ending}"));
    if whole.exists() {
        return Ok(());
    }
    let part = folder.join(format!(".{key}.part"));
    let mut file = private(File::options().write(true).create(true).truncate(true)).open(&part)?;
    file.write_all(body)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(part, whole)
}

/// Adds a line to the file of the day: `{"id": KEY, "result": BODY}`. What a power cut has left of a line is taken away
/// first.
fn add_line(folder: &Path, message: &DueMessage, now: OffsetDateTime) -> std::io::Result<()> {
    let day = now.to_offset(UtcOffset::from_hms(7, 0, 0).unwrap_or(UtcOffset::UTC)).date();
    let path = folder.join(format!("{day}.jsonl"));
    let mut file = private(File::options().read(true).write(true).create(true)).open(path)?;
    if file.metadata()?.len() > LARGEST_DAY {
        return Err(Error::from(ErrorKind::FileTooLarge));
    }
    let mut before = Zeroizing::new(Vec::new());
    file.read_to_end(&mut before)?;
    let whole = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let id = format!("{{\"id\":\"{}\",", message.key);
    let lines = before.get(..whole).unwrap_or_default();
    if lines.split(|byte| *byte == b'\n').any(|line| line.starts_with(id.as_bytes())) {
        return Ok(());
    }
    let end = u64::try_from(whole).map_err(|_| Error::from(ErrorKind::FileTooLarge))?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    let line = Zeroizing::new([id.as_bytes(), b"\"result\":", &message.body[..], b"}\n"].concat());
    file.write_all(&line)?;
    file.sync_all()
}

/// Files about people are nobody else's business.
fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    fn message(key: &str) -> DueMessage {
        DueMessage {
            id: 1,
            key: key.to_owned(),
            content_type: "application/json".to_owned(),
            body: Zeroizing::new(r#"{"ho_ten":"Nguyễn Văn Mẫu","so":"000090123456"}"#.as_bytes().to_vec()),
            attempts: 0,
        }
    }

    fn folder_of(path: &Path, format: FileFormat) -> FolderTarget {
        FolderTarget { path: path.to_owned(), format }
    }

    #[test]
    fn a_file_comes_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_of(folder.path(), FileFormat::Json);
        deliver(&target, &message("0a1b"), NOW).unwrap();
        std::fs::write(folder.path().join("0a1b.json"), "taken").unwrap();
        deliver(&target, &message("0a1b"), NOW).unwrap();
        let names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["0a1b.json"]);
        assert_eq!(std::fs::read(folder.path().join("0a1b.json")).unwrap(), b"taken");
    }

    #[test]
    fn each_format_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        for format in [FileFormat::Csv, FileFormat::Xlsx, FileFormat::Xml] {
            deliver(&folder_of(folder.path(), format), &message("k"), NOW).unwrap();
        }
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        for name in ["k.csv", "k.xlsx"] {
            let sheet = cccd_exports::sheet::of_file(&read(name)).unwrap();
            let row = |at: usize| sheet.rows()[at].iter().map(|cell| cell.text.expose()).collect::<Vec<_>>();
            assert_eq!(row(0), ["ho_ten", "so"], "{name}");
            assert_eq!(row(1), ["Nguyễn Văn Mẫu", "000090123456"], "{name}");
        }
        let xml = String::from_utf8(read("k.xml")).unwrap();
        assert!(xml.contains(r#"<field name="so">000090123456</field>"#), "{xml}");
    }

    #[test]
    fn a_day_has_one_file_and_each_result_one_line_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_of(folder.path(), FileFormat::JsonLines);
        deliver(&target, &message("a"), NOW).unwrap();
        // 00:30 of the next day in Vietnam.
        deliver(&target, &message("c"), datetime!(2026-11-20 17:30 UTC)).unwrap();
        let path = folder.path().join("2026-11-20.jsonl");
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(br#"{"id":"b","result":{"ho_"#);
        std::fs::write(&path, torn).unwrap();
        for key in ["b", "a", "b"] {
            deliver(&target, &message(key), NOW).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let ids: Vec<_> = text.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
        assert_eq!(ids, ["a", "b"], "{text}");
        assert!(text.lines().all(|line| Shaped::of_json(line.as_bytes()).is_some()));
        assert!(folder.path().join("2026-11-21.jsonl").exists());
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_of(folder.path(), FileFormat::Json);
        for key in ["../x", "", "a/b", "a.b"] {
            assert_eq!(deliver(&target, &message(key), NOW), Err(Failure::Lasting("no-file-name")), "{key}");
        }
        let absent = folder_of(&folder.path().join("absent"), FileFormat::Json);
        assert_eq!(deliver(&absent, &message("a"), NOW), Err(Failure::Passing("folder-absent")));
    }
}
