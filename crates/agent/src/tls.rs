//! The certificates of this machine for the API over TLS.
//!
//! An authority of this machine alone signs one certificate, for loopback and nothing else, and its key is destroyed in
//! the same moment: it is never written, so that nobody can ever sign another certificate that this machine trusts.
//! Whoever looks after the machine installs the authority once. Therefore both are renewed together, or not at all.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, Result, bail};
use cccd_api::Api;
use cccd_profiles::TlsSettings;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use crate::daemon::now;
use crate::private_file::{self, require_private};

/// The certificate, the authority, and the key to the certificate; nobody else may read it.
const SERVER_FILE: &str = "server.pem";
/// The authority alone, for whoever installs it.
const AUTHORITY_FILE: &str = "ca.pem";
/// Clocks of other programs on this machine are the same; one that was put right a moment ago is not.
const BACKDATED: Duration = Duration::DAY;
/// What is left of their time when they are renewed.
const RENEWED_BEFORE: Duration = Duration::days(30);
/// How often the daemon looks whether it is time.
const LOOKED_AT_EVERY: std::time::Duration = std::time::Duration::from_secs(6 * 60 * 60);
/// More than this is no such file.
const LARGEST_FILE: u64 = 64 * 1024;

/// The certificates there are.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The certificate, then the authority.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Until when both count.
    pub(crate) ends: OffsetDateTime,
    /// The authority's SHA-256, as certificate stores show it.
    pub(crate) authority_sha256: String,
    /// The authority, as it is installed.
    authority_pem: String,
}

/// Where the authority lies, to be installed.
pub(crate) fn authority_file(settings: &TlsSettings) -> PathBuf {
    settings.folder.join(AUTHORITY_FILE)
}

/// The certificates of this machine, made anew where there are none, or where they cannot be used, or end soon.
pub(crate) fn read_or_make(settings: &TlsSettings, now: OffsetDateTime) -> Result<Certificates> {
    match read(settings) {
        Ok(Some(there)) if !there.end_soon(now) => {
            if fs::read(authority_file(settings)).ok().as_deref() != Some(there.authority_pem.as_bytes()) {
                put(&settings.folder, AUTHORITY_FILE, there.authority_pem.as_bytes(), Readers::Anybody)?;
            }
            return Ok(there);
        }
        Ok(Some(_)) => tracing::warn!("the certificates for TLS end soon and are renewed"),
        Ok(None) => {}
        Err(error) => tracing::warn!("the certificates for TLS cannot be used and are made anew: {error:#}"),
    }
    let made = make(settings, now)?;
    let authority = authority_file(settings);
    tracing::warn!(authority = %authority.display(), sha256 = %made.authority_sha256,
        "browsers trust this agent over TLS once this authority is installed; see `cccd-agent tls`");
    Ok(made)
}

/// The certificates as they lie there, if there are any.
pub(crate) fn read(settings: &TlsSettings) -> Result<Option<Certificates>> {
    let path = settings.folder.join(SERVER_FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("cannot open {}", path.display()))?,
    };
    require_private(&file, &path)?;
    let mut text = Zeroizing::new(Vec::new());
    file.take(LARGEST_FILE).read_to_end(&mut text)?;
    let certificates = Certificates::parse(&text).with_context(|| path.display().to_string())?;
    Ok(Some(certificates))
}

impl Certificates {
    fn parse(text: &[u8]) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(text).context("no key")?;
        let [leaf, authority] = chain.as_slice() else { bail!("not two certificates") };
        let ends = ends(leaf)?.min(ends(authority)?);
        let authority_sha256 = hex::encode_upper(Sha256::digest(authority));
        // The second of three blocks.
        let text = std::str::from_utf8(text).context("not text")?;
        let authority_pem = text.split_inclusive("-----END CERTIFICATE-----").nth(1).unwrap_or_default();
        let authority_pem = format!("{}\n", authority_pem.trim());
        Ok(Self { chain, key, ends, authority_sha256, authority_pem })
    }

    /// Whether it is time for others.
    pub(crate) fn end_soon(&self, now: OffsetDateTime) -> bool {
        self.ends - now < RENEWED_BEFORE
    }

    fn certified(&self) -> Result<CertifiedKey> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(self.key.clone_key())?;
        let certified = CertifiedKey::new(self.chain.clone(), key);
        certified.keys_match().context("the key is not the certificate's")?;
        Ok(certified)
    }
}

fn ends(certificate: &CertificateDer<'_>) -> Result<OffsetDateTime> {
    let certificate = x509_cert::Certificate::from_der(certificate).context("not a certificate")?;
    let ends = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    OffsetDateTime::from_unix_timestamp(i64::try_from(ends.as_secs())?).context("not a time")
}

/// Makes both, and writes them down.
fn make(settings: &TlsSettings, now: OffsetDateTime) -> Result<Certificates> {
    let (begins, ends) = (now - BACKDATED, now + Duration::days(i64::try_from(settings.days)?));
    let text = sign(begins, ends).context("cannot make certificates")?;
    let certificates = Certificates::parse(text.as_bytes())?;
    certificates.certified()?;
    let folder = &settings.folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Where the machine stops in between, the next start writes the authority.
    put(folder, SERVER_FILE, text.as_bytes(), Readers::Owner)?;
    put(folder, AUTHORITY_FILE, certificates.authority_pem.as_bytes(), Readers::Anybody)?;
    Ok(certificates)
}

/// The text of both with the certificate's key. The authority's key does not leave.
fn sign(begins: OffsetDateTime, ends: OffsetDateTime) -> Result<Zeroizing<String>> {
    let named = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        names
    };
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let mut authority = CertificateParams::default();
    authority.distinguished_name = named(&format!("cccd-agent, this machine only, {}", begins.date()));
    (authority.not_before, authority.not_after) = (begins, ends);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let mut permitted = vec![GeneralSubtree::DnsName("localhost".to_owned())];
    permitted.extend(loopback.map(|address| {
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
            address,
            if address.is_ipv4() { 32 } else { 128 },
        ))
    }));
    authority.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });

    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
    leaf.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    leaf.distinguished_name = named("cccd-agent");
    (leaf.not_before, leaf.not_after) = (begins, ends);
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];

    let leaf_key = KeyPair::generate()?;
    let (authority, leaf) = {
        // Gone, and wiped, at the end of this block.
        let authority_key = KeyPair::generate()?;
        let certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);
        (certificate.pem(), leaf.signed_by(&leaf_key, &issuer)?.pem())
    };
    let key = Zeroizing::new(leaf_key.serialize_pem());
    // With line feeds alone, on whichever system.
    let text = |pem: &str| pem.replace('\r', "");
    Ok(Zeroizing::new(format!("{}{}{}", text(&leaf), text(&authority), *Zeroizing::new(text(&key)))))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    Owner,
    Anybody,
}

/// Writes a file as a whole, in place of an earlier one.
fn put(folder: &Path, name: &str, bytes: &[u8], readers: Readers) -> Result<()> {
    let unready = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&unready);
    private_file::create(&unready, bytes)?;
    #[cfg(unix)]
    if readers == Readers::Anybody {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&unready, fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = readers;
    let path = folder.join(name);
    fs::rename(&unready, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// The server over TLS, while it runs.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    renewal: JoinHandle<()>,
}

impl TlsServer {
    /// Starts it, where the settings want one.
    pub(crate) async fn start(settings: &TlsSettings, api: Api) -> Result<Option<Self>> {
        let Some(listen) = settings.listen else { return Ok(None) };
        let certificates = read_or_make(settings, now()).context("[api.tls] cannot be used")?;
        let shown = Shown::new(&certificates)?;
        let config = Arc::new(Arc::clone(&shown).server()?);
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr().context("cannot tell the address")?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            if let Err(error) = cccd_api::serve_tls(listener, config, api, shutdown).await {
                tracing::error!(%error, "the API over TLS has stopped");
            }
        });
        let renewal = tokio::spawn(renew(settings.clone(), shown));
        Ok(Some(Self { address, stop, server, renewal }))
    }

    /// Stops it as the port is stopped.
    pub(crate) async fn stop(self) {
        self.renewal.abort();
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// Looks now and then whether it is time for others: desks are not restarted for months.
async fn renew(settings: TlsSettings, shown: Arc<Shown>) {
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        let (settings, shown) = (settings.clone(), Arc::clone(&shown));
        let looked = tokio::task::spawn_blocking(move || {
            read_or_make(&settings, now()).and_then(|certificates| shown.exchange(&certificates))
        });
        if let Ok(Err(error)) = looked.await {
            tracing::error!("the certificates for TLS cannot be renewed: {error:#}");
        }
    }
}

/// What the server shows, which is exchanged when it is renewed.
#[derive(Debug)]
pub(crate) struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    pub(crate) fn new(certificates: &Certificates) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(RwLock::new(Arc::new(certificates.certified()?)))))
    }

    /// Shows others from now on.
    pub(crate) fn exchange(&self, certificates: &Certificates) -> Result<()> {
        let certified = Arc::new(certificates.certified()?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }

    /// A server that shows them. TLS 1.2 and 1.3.
    pub(crate) fn server(self: Arc<Self>) -> Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use tempfile::TempDir;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-29 08:00 UTC);

    fn settings(folder: &TempDir) -> TlsSettings {
        TlsSettings { listen: None, folder: folder.path().join("tls"), days: 730 }
    }

    #[test]
    fn both_are_made_once_and_renewed_together_before_they_end() {
        let folder = TempDir::new().unwrap();
        let settings = settings(&folder);
        assert!(read(&settings).unwrap().is_none());
        let made = read_or_make(&settings, NOW).unwrap();
        assert_eq!(made.ends, NOW + Duration::days(730));
        let later = NOW + Duration::days(699);
        let kept = read_or_make(&settings, later).unwrap();
        assert_eq!((&kept.chain, &kept.authority_sha256), (&made.chain, &made.authority_sha256));
        let due = NOW + Duration::days(701);
        assert!(kept.end_soon(due));
        let renewed = read_or_make(&settings, due).unwrap();
        assert!(renewed.chain.iter().all(|certificate| !made.chain.contains(certificate)));
        assert_eq!(renewed.ends, due + Duration::days(730));
    }

    #[test]
    fn what_cannot_be_used_is_made_anew() {
        let folder = TempDir::new().unwrap();
        let settings = settings(&folder);
        let made = read_or_make(&settings, NOW).unwrap();
        let file = settings.folder.join(SERVER_FILE);
        let text = fs::read_to_string(&file).unwrap();
        for spoilt in ["".to_owned(), text.replace("PRIVATE", "PUBLIC"), text.replacen("MII", "MIJ", 1)] {
            fs::write(&file, spoilt).unwrap();
            assert!(read(&settings).is_err());
            assert_ne!(read_or_make(&settings, NOW).unwrap().authority_sha256, made.authority_sha256);
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TempDir::new().unwrap();
        let settings = settings(&folder);
        read_or_make(&settings, NOW).unwrap();
        let file = settings.folder.join(SERVER_FILE);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&authority_file(&settings))), (0o600, 0o644));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&settings).unwrap_err().to_string().contains("make it 600"));
    }

    /// By OpenSSL, which had no part in making them.
    #[test]
    fn the_authority_signs_loopback_alone_and_its_key_is_nowhere() {
        let folder = TempDir::new().unwrap();
        let settings = settings(&folder);
        read_or_make(&settings, NOW).unwrap();
        let text = fs::read(settings.folder.join(SERVER_FILE)).unwrap();
        let chain = X509::stack_from_pem(&text).unwrap();
        let [leaf, authority] = chain.as_slice() else { panic!("{} certificates", chain.len()) };
        assert_eq!(fs::read(authority_file(&settings)).unwrap(), authority.to_pem().unwrap());
        let authority_key = authority.public_key().unwrap();
        assert!(leaf.verify(&authority_key).unwrap());
        let shown = String::from_utf8(authority.to_text().unwrap()).unwrap();
        for due in [
            "CA:TRUE, pathlen:0",
            "X509v3 Name Constraints: critical",
            "DNS:localhost",
            "IP:127.0.0.1/255.255.255.255",
            "IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF",
            "Certificate Sign\n",
        ] {
            assert!(shown.contains(due), "{due}\n{shown}");
        }
        let shown = String::from_utf8(leaf.to_text().unwrap()).unwrap();
        for due in [
            "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
            "TLS Web Server Authentication",
        ] {
            assert!(shown.contains(due), "{due}\n{shown}");
        }
        // One key in the whole folder, and it is the certificate's.
        let mut keys = 0;
        for file in fs::read_dir(&settings.folder).unwrap() {
            let text = String::from_utf8(fs::read(file.unwrap().path()).unwrap()).unwrap();
            for at in text.match_indices("-----BEGIN PRIVATE KEY").map(|(at, _)| at) {
                let key = PKey::private_key_from_pem(&text.as_bytes()[at..]).unwrap();
                assert!(key.public_eq(&leaf.public_key().unwrap()));
                assert!(!key.public_eq(&authority_key));
                keys += 1;
            }
        }
        assert_eq!(keys, 1);
    }
}
