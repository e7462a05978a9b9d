//! The store in memory, as a judge uses it, and how it follows the disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cccd_trust::crl::Crl;
use cccd_trust::store::Standing;
use cccd_trust::{Certificate, anchors::Role, anchors::TrustAnchors};

use super::directory::{Marker, StoreDirectory, TrustStoreError};
use super::edition::{Edition, Installed, Voucher};

/// An edition of the store in memory.
#[derive(Debug, Clone, Default)]
pub struct LoadedTrust {
    /// Its number; nought where nothing was ever installed.
    pub edition: u64,
    /// Its certificates.
    pub anchors: TrustAnchors,
    /// Its CRLs. Whose they are, and whether they are fresh enough, is judged with each document.
    pub crls: Vec<Crl>,
}

/// Reads the store in a directory. One that is not there is one where nothing was installed.
pub fn load(directory: &Path) -> Result<LoadedTrust, TrustStoreError> {
    Ok(LoadedTrust::of(&StoreDirectory::at(directory).read()?))
}

impl LoadedTrust {
    fn of(edition: &Edition) -> Self {
        let mut anchors = TrustAnchors::new();
        for one in &edition.certificates {
            match Certificate::parse(&one.der) {
                Ok(certificate) => anchors.insert(certificate, role(one)),
                // It was read when it was installed, by another version of this program.
                Err(error) => {
                    tracing::warn!(fingerprint = %one.fingerprint, %error, "an installed certificate")
                }
            }
        }
        let mut crls = Vec::new();
        for one in &edition.crls {
            match Crl::parse(&one.der) {
                Ok(crl) => crls.push(crl),
                Err(error) => tracing::warn!(fingerprint = %one.fingerprint, %error, "an installed CRL"),
            }
        }
        Self { edition: edition.number, anchors, crls }
    }
}

/// A link leads to an anchor and is none, unless the operator has pinned that very certificate.
fn role(one: &Installed) -> Role {
    if one.standing == Standing::SelfSigned || one.voucher == Voucher::Fingerprint {
        Role::Anchor
    } else {
        Role::Helper
    }
}

/// The store, as it is whenever one asks.
#[derive(Debug)]
pub struct TrustHandle {
    directory: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    marker: Option<Marker>,
    trust: Arc<LoadedTrust>,
}

impl TrustHandle {
    /// Loads the store in a directory.
    pub fn open(directory: &Path) -> Result<Self, TrustStoreError> {
        // Looked at first: a change in between is then seen the next time.
        let marker = StoreDirectory::at(directory).marker()?;
        let trust = Arc::new(load(directory)?);
        let held = Held { marker, trust };
        Ok(Self { directory: directory.to_owned(), held: Mutex::new(held) })
    }

    /// The edition that holds now. Looking costs one read of a small file; only a new edition is loaded.
    ///
    /// A store that can no longer be read holds nothing: an anchor that was removed must not stay trusted
    /// because the rest is damaged. Documents are then neither genuine nor fake.
    pub fn current(&self) -> Arc<LoadedTrust> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let marker = StoreDirectory::at(&self.directory).marker();
        match marker {
            Ok(marker) if marker == held.marker => {}
            Ok(marker) => match load(&self.directory) {
                Ok(trust) => {
                    tracing::info!(edition = trust.edition, "the trust store has changed");
                    *held = Held { marker, trust: Arc::new(trust) };
                }
                Err(error) => held.fail(&error),
            },
            Err(error) => held.fail(&error),
        }
        Arc::clone(&held.trust)
    }
}

impl Held {
    /// Forgets everything; the next look tries again.
    fn fail(&mut self, error: &TrustStoreError) {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(%error, source, "the trust store cannot be read: nothing is trusted");
        *self = Self { marker: None, trust: Arc::new(LoadedTrust::default()) };
    }
}
