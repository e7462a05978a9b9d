//! The files that a block of the settings names for another system: secrets, keys, authorities.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cccd_delivery::TargetFiles;
use cccd_profiles::{DeliveryTarget, FetchRoots, PeerTls, TargetKind, WebAccess};
use zeroize::Zeroizing;

use crate::private_file::require_private;

/// The longest file of secrets, and of certificates: the authorities of a whole machine are shorter.
const LONGEST_SECRET: u64 = 4 << 10;
const LONGEST_PEM: u64 = 1 << 20;

/// Reads what a target names.
pub(crate) fn read(target: &DeliveryTarget) -> Result<TargetFiles> {
    match &target.kind {
        TargetKind::Webhook(webhook) => {
            let mut files = of_access(&webhook.access)?;
            files.secrets = webhook.secret_file.as_deref().map(secret).transpose()?;
            Ok(files)
        }
        TargetKind::Folder(_) => Ok(TargetFiles::default()),
        TargetKind::Broker(broker) => {
            let path = &broker.recipient_file;
            let key = bounded(&open(path)?, path, LONGEST_SECRET)?;
            let key = std::str::from_utf8(&key).with_context(|| format!("{} is no text", path.display()))?;
            Ok(TargetFiles { recipient: Some(key.to_owned()), ..TargetFiles::default() })
        }
    }
}

/// Reads what the way to a web address names.
pub(crate) fn of_access(access: &WebAccess) -> Result<TargetFiles> {
    let mut files = of_tls(&access.tls)?;
    let oauth = access.oauth.as_ref();
    files.oauth_secret = oauth.map(|oauth| secret(&oauth.secret_file)).transpose()?;
    Ok(files)
}

/// Reads what TLS to a server names.
pub(crate) fn of_tls(tls: &PeerTls) -> Result<TargetFiles> {
    let authorities = match &tls.roots {
        FetchRoots::Machine => None,
        FetchRoots::MachineAnd(file) | FetchRoots::Only(file) => {
            Some(bounded(&open(file)?, file, LONGEST_PEM)?)
        }
    };
    let identity = tls.client.as_ref().map(|client| -> Result<_> {
        let certificate_file = &client.certificate_file;
        let certificate = bounded(&open(certificate_file)?, certificate_file, LONGEST_PEM)?;
        let key = private(&client.key_file, LONGEST_PEM)?;
        let mut both = Zeroizing::new(Vec::with_capacity(certificate.len() + key.len() + 1));
        both.extend_from_slice(&certificate);
        both.push(b'\n');
        both.extend_from_slice(&key);
        Ok(both)
    });
    let authorities = authorities.map(|pem| pem.to_vec());
    Ok(TargetFiles { authorities, identity: identity.transpose()?, ..TargetFiles::default() })
}

/// The text of a file that nobody else may read.
pub(crate) fn secret(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = private(path, LONGEST_SECRET)?;
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{} is no text", path.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn private(path: &Path, longest: u64) -> Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    require_private(&file, path)?;
    bounded(&file, path, longest)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

fn bounded(file: &File, path: &Path, longest: u64) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let long = file.metadata().with_context(|| format!("cannot look at {shown}"))?.len();
    if long > longest {
        bail!("{shown} has more than {longest} bytes");
    }
    // At once: growing would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(long).unwrap_or_default() + 1));
    file.take(longest).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    Ok(bytes)
}
