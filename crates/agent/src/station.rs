//! The certified station this machine may be: its certificates and key, from disk.
//!
//! They are read anew for each reading that needs them. Certificates of stations live for weeks and are renewed by
//! whoever looks after the machine, while the agent runs; and a key that is not in memory leaks from none.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64, Encoding as _};
use cccd_document::StationLack;
use cccd_emrtd::{CvCertificate, CvRole, FileTerminalKey, Terminal};
use cccd_engine::Station;
use cccd_profiles::TerminalSettings;
use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

use crate::private_file::require_private;

/// A certificate has a few hundred bytes, a file of them not many more.
const LARGEST_CERTIFICATES: u64 = 256 * 1024;
/// A key of the longest kind in PEM.
const LARGEST_KEY: u64 = 16 * 1024;
/// What files in a folder of certificates are called.
const EXTENSION: &str = "cvcert";

/// Reads what the settings name: certificates that hang together, and a key that fits them. Dates are another
/// matter ([`Terminal::valid_on`]).
pub(crate) fn load(settings: &TerminalSettings) -> Result<Terminal> {
    let mut certificates = Vec::new();
    for path in certificate_files(&settings.certificates)? {
        let shown = path.display();
        let bytes = read(&path, LARGEST_CERTIFICATES)?;
        let found = CvCertificate::parse_all(&bytes)
            .with_context(|| format!("{shown} is no file of card verifiable certificates"))?;
        if found.is_empty() {
            bail!("{shown} is empty");
        }
        certificates.extend(found);
    }
    let path = &settings.key_file;
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    require_private(&file, path)?;
    let key =
        key_of(&read(path, LARGEST_KEY)?).with_context(|| format!("{} cannot be used", path.display()))?;
    Ok(Terminal::new(certificates, Box::new(key))?)
}

/// The station at each moment it is needed.
pub(crate) fn of(settings: Option<TerminalSettings>) -> Station {
    Arc::new(move |now: OffsetDateTime| {
        let settings = settings.as_ref().ok_or(StationLack::NotSetUp)?;
        let terminal = load(settings).map_err(|error| {
            tracing::error!("the station's certificates or its key cannot be used: {error:#}");
            StationLack::Unusable
        })?;
        terminal.valid_on(now.date()).map_err(|error| {
            tracing::error!(%error, "the station's certificates are out of date");
            StationLack::OutOfDate
        })
    })
}

/// What an operator wants to know of a station: its chain, what it may read, and until when.
pub(crate) fn described(terminal: &Terminal) -> String {
    let mut text = String::new();
    for own in terminal.own() {
        let path = terminal.path(own);
        let mut chain: Vec<&str> = path.iter().map(|certificate| certificate.holder()).collect();
        if let Some(top) = path.first().filter(|top| top.authority() != top.holder()) {
            // Its own certificate need not be here: chips know it.
            chain.insert(0, top.authority());
        }
        let dated = || path.iter().filter(|certificate| certificate.role() != CvRole::Authority);
        let from = dated().map(|certificate| certificate.effective()).max().unwrap_or(own.effective());
        let until = dated().map(|certificate| certificate.expires()).min().unwrap_or(own.expires());
        let rights = terminal.rights(own);
        let word = |granted| if granted { "có · yes" } else { "không · no" };
        for (label, value) in [
            ("trạm · station", own.holder().to_owned()),
            ("  chuỗi · chain", chain.join(" > ")),
            ("  khóa · key", own.algorithm_name().unwrap_or_default()),
            ("  DG3 vân tay · fingerprints", word(rights.fingerprints).to_owned()),
            ("  DG4 mống mắt · irises", word(rights.irises).to_owned()),
            ("  hiệu lực · valid", format!("{from} – {until}")),
        ] {
            text += &format!("{label}: {value}\n");
        }
    }
    text
}

/// The files, and those in the folders.
fn certificate_files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let shown = path.display();
        let listed = std::fs::read_dir(path).with_context(|| format!("cannot list {shown}"))?;
        let mut found = Vec::new();
        for entry in listed {
            let entry = entry.with_context(|| format!("cannot list {shown}"))?.path();
            if entry.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(EXTENSION)) {
                found.push(entry);
            }
        }
        if found.is_empty() {
            bail!("no file in {shown} ends in .{EXTENSION}");
        }
        found.sort();
        files.extend(found);
    }
    Ok(files)
}

fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        bail!("{shown} is longer than {most} bytes");
    }
    Ok(bytes)
}

/// A key in PKCS #8, DER or PEM.
fn key_of(bytes: &[u8]) -> Result<FileTerminalKey> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.contains("-----BEGIN "));
    let Some(text) = text else { return Ok(FileTerminalKey::from_pkcs8(bytes)?) };
    let label =
        text.split("-----BEGIN ").nth(1).and_then(|rest| rest.split("-----").next()).unwrap_or_default();
    match label {
        "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => bail!("it is encrypted; decrypt it with `openssl pkcs8`"),
        other => {
            bail!("it holds a {other:?} and no PRIVATE KEY; `openssl pkcs8 -topk8 -nocrypt` makes one of it")
        }
    }
    let body =
        text.split("-----BEGIN PRIVATE KEY-----").nth(1).and_then(|rest| rest.split("-----END").next());
    let base64: Zeroizing<String> =
        Zeroizing::new(body.unwrap_or_default().chars().filter(|char| !char.is_ascii_whitespace()).collect());
    let der = Base64::decode_vec(&base64).map(Zeroizing::new).context("its base64 is damaged")?;
    Ok(FileTerminalKey::from_pkcs8(&der)?)
}

/// Says whether the station can be used on that day, in words for `check-config`; a failure is the error.
pub(crate) fn check(settings: &TerminalSettings, today: Date) -> Result<String> {
    let terminal = load(settings).context("[terminal] cannot be used")?;
    let terminal =
        terminal.valid_on(today).with_context(|| format!("[terminal] cannot be used today, {today}"))?;
    Ok(described(&terminal))
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{CvAuthority, CvPlan, SignerKind};
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 20);

    struct Folder {
        folder: tempfile::TempDir,
        own: CvAuthority,
    }

    impl Folder {
        fn new(signer: SignerKind) -> Self {
            let kind = |plan| CvPlan { signer, ..plan };
            let root = CvAuthority::root(kind(CvPlan::root("UTCVCA00001"))).unwrap();
            let verifier = root.certify(kind(CvPlan::document_verifier("UTDVCA00001"))).unwrap();
            let plan = CvPlan { expires: date!(2026 - 11 - 30), ..CvPlan::terminal("UTTERM00001") };
            let own = verifier.certify(kind(plan)).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let this = Self { folder, own };
            this.write("root.cvcert", root.certificate());
            this.write("rest.CVCERT", &[verifier.certificate(), this.own.certificate()].concat());
            this.write("README", b"not a certificate");
            this.write("key.der", &this.own.private_key_pkcs8().unwrap());
            this
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            use std::io::Write as _;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(self.path(name)).unwrap().write_all(bytes).unwrap();
        }

        fn settings(&self, certificates: &[&str], key: &str) -> TerminalSettings {
            let certificates = certificates.iter().map(|name| self.path(name)).collect();
            TerminalSettings { certificates, key_file: self.path(key) }
        }

        fn refusal(&self, certificates: &[&str], key: &str) -> String {
            format!("{:#}", check(&self.settings(certificates, key), TODAY).unwrap_err())
        }
    }

    #[test]
    fn a_folder_and_a_key_of_either_kind_make_a_station_that_is_described() {
        for (signer, name) in
            [(SignerKind::ECDSA_P256, "ECDSA-SHA-256"), (SignerKind::RSA_2048, "RSA-PKCS1-SHA-256")]
        {
            let folder = Folder::new(signer);
            let said = check(&folder.settings(&["."], "key.der"), TODAY).unwrap();
            for part in [
                "station: UTTERM00001",
                "UTCVCA00001 > UTDVCA00001 > UTTERM00001",
                name,
                "fingerprints: có · yes",
                "irises: không · no",
                "2021-01-01 – 2026-11-30",
            ] {
                assert!(said.contains(part), "{part} in {said}");
            }
        }
    }

    #[test]
    fn a_key_in_pem_is_the_same_key() {
        let folder = Folder::new(SignerKind::ECDSA_P256);
        let body = Base64::encode_string(&folder.own.private_key_pkcs8().unwrap());
        let (front, back) = body.split_at(64);
        let pem = |label: &str| {
            format!("words\n-----BEGIN {label}-----\r\n{front}\n{back}\n-----END {label}-----\n")
        };
        folder.write("key.pem", pem("PRIVATE KEY").as_bytes());
        assert!(check(&folder.settings(&["."], "key.pem"), TODAY).is_ok());
        folder.write("key.pem", pem("ENCRYPTED PRIVATE KEY").as_bytes());
        assert!(folder.refusal(&["."], "key.pem").contains("encrypted"));
        folder.write("key.pem", pem("EC PRIVATE KEY").as_bytes());
        assert!(folder.refusal(&["."], "key.pem").contains("openssl pkcs8 -topk8"));
        folder.write("key.pem", b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----");
        assert!(folder.refusal(&["."], "key.pem").contains("base64"));
    }

    #[test]
    fn mistakes_name_the_file_and_what_is_wrong_with_it() {
        let folder = Folder::new(SignerKind::ECDSA_P256);
        let other = Folder::new(SignerKind::ECDSA_P256);
        folder.write("other.der", &other.own.private_key_pkcs8().unwrap());
        folder.write("torn.cvcert.part", &folder.own.certificate()[..50]);
        folder.write("empty", b"");
        std::fs::create_dir(folder.path("none")).unwrap();
        for (certificates, key, said) in [
            (&["missing.cvcert"][..], "key.der", "missing.cvcert"),
            (&["none"], "key.der", "ends in .cvcert"),
            (&["README"], "key.der", "README is no file of card verifiable certificates"),
            (&["torn.cvcert.part"], "key.der", "torn.cvcert.part is no file"),
            (&["empty"], "key.der", "empty is empty"),
            (&["."], "missing.key", "missing.key"),
            (&["."], "README", "README cannot be used"),
            (&["."], "other.der", "does not belong to the certificate of UTTERM00001"),
            (&["root.cvcert"], "key.der", "no certificate of a terminal"),
        ] {
            let refusal = folder.refusal(certificates, key);
            assert!(refusal.contains(said) && refusal.starts_with("[terminal]"), "{refusal}");
        }
        let expired = check(&folder.settings(&["."], "key.der"), date!(2026 - 12 - 01)).unwrap_err();
        assert!(format!("{expired:#}").contains("expired on 2026-11-30"), "{expired:#}");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new(SignerKind::ECDSA_P256);
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(folder.path("key.der"), readable).unwrap();
        assert!(folder.refusal(&["."], "key.der").contains("make it 600"));
    }

    #[test]
    fn renewed_certificates_count_at_once_and_broken_ones_say_so() {
        let folder = Folder::new(SignerKind::ECDSA_P256);
        let station = of(Some(folder.settings(&["."], "key.der")));
        let at = |day: Date| OffsetDateTime::new_utc(day, time::Time::MIDNIGHT);
        assert!(station(at(TODAY)).is_ok());
        assert_eq!(station(at(date!(2026 - 12 - 01))).unwrap_err(), StationLack::OutOfDate);
        folder.write("rest.CVCERT", b"torn");
        assert_eq!(station(at(TODAY)).unwrap_err(), StationLack::Unusable);
        assert_eq!(of(None)(at(TODAY)).unwrap_err(), StationLack::NotSetUp);
    }
}
