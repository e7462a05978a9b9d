//! Stations that an invented authority has certified to read fingerprints, and some that it has not: what an agent
//! is given to try terminal authentication with.

use anyhow::Context;
use cccd_firmware_sim::pki::{CvAuthority, CvPlan, CvRights, PssParameters, SignerKind};
use serde::Serialize;
use time::macros::date;

use crate::trust::TrustFolder;

/// The authority that the cards trust, and the stations.
pub(crate) struct Stations {
    root: CvAuthority,
    kinds: Vec<(StationKind, [CvAuthority; 3])>,
}

/// A station's files, for the `[terminal]` of an agent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StationFiles {
    /// Its name.
    pub(crate) station: &'static str,
    /// The folder with its certificates.
    pub(crate) certificates: String,
    /// Its private key.
    pub(crate) key_file: String,
    /// What comes of it.
    pub(crate) outcome: &'static str,
}

/// A kind of station.
#[derive(Debug, Clone, Copy)]
enum StationKind {
    Certified,
    CertifiedRsa,
    NotEntitled,
    Expired,
    Foreign,
    Impostor,
}

const KINDS: [StationKind; 6] = [
    StationKind::Certified,
    StationKind::CertifiedRsa,
    StationKind::NotEntitled,
    StationKind::Expired,
    StationKind::Foreign,
    StationKind::Impostor,
];

const ROOT: &str = "UTCVCA00001";

impl StationKind {
    fn name(self) -> &'static str {
        match self {
            Self::Certified => "certified",
            Self::CertifiedRsa => "certified-rsa",
            Self::NotEntitled => "not-entitled",
            Self::Expired => "expired",
            Self::Foreign => "foreign",
            Self::Impostor => "impostor",
        }
    }

    fn outcome(self) -> &'static str {
        match self {
            Self::Certified => "chips open the fingerprints",
            Self::CertifiedRsa => "the same with a key of RSA",
            Self::NotEntitled => "chips believe it and open nothing: station-not-entitled",
            Self::Expired => "its certificate has expired: station-out-of-date",
            Self::Foreign => "another state certified it: station-foreign",
            Self::Impostor => "it bears the names of the first and has keys of its own: station-refused",
        }
    }

    /// Root, verifier and station.
    fn make(self, root: &CvAuthority) -> anyhow::Result<[CvAuthority; 3]> {
        let root = match self {
            Self::Foreign => CvAuthority::root(CvPlan::root("XACVCA00001"))?,
            Self::Impostor => CvAuthority::root(CvPlan::root(ROOT))?,
            _ => root.clone(),
        };
        let signer = match self {
            Self::CertifiedRsa => SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual },
            _ => root.plan().signer,
        };
        let verifier = root.certify(CvPlan { signer, ..CvPlan::document_verifier("UTDVCA00001") })?;
        let own = CvPlan { signer, ..CvPlan::terminal("UTTERM00001") };
        let own = match self {
            Self::NotEntitled => CvPlan { rights: CvRights::Neither, ..own },
            Self::Expired => CvPlan { expires: date!(2022 - 12 - 31), ..own },
            _ => own,
        };
        let own = verifier.certify(own)?;
        Ok([root, verifier, own])
    }
}

impl Stations {
    /// New authorities and stations with new keys.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = CvAuthority::root(CvPlan::root(ROOT)).context("cannot make the authority of stations")?;
        let kinds =
            KINDS.into_iter().map(|kind| Ok((kind, kind.make(&root)?))).collect::<anyhow::Result<_>>()?;
        Ok(Self { root, kinds })
    }

    /// The authority that the cards trust.
    pub(crate) fn root(&self) -> &CvAuthority {
        &self.root
    }

    /// Writes certificates and keys, a folder for each station.
    pub(crate) fn write(&self, folder: &mut TrustFolder) -> anyhow::Result<Vec<StationFiles>> {
        let mut written = Vec::new();
        for (kind, chain) in &self.kinds {
            let within = |file: &str| format!("stations/{}/{file}", kind.name());
            let [root, verifier, own] = chain;
            for (name, holder) in [("root", root), ("verifier", verifier), ("station", own)] {
                folder.write(&within(&format!("{name}.cvcert")), holder.certificate())?;
            }
            let key = own.key().private_key().private_key_to_pem_pkcs8()?;
            let key_file = folder.write_private(&within("key.pem"), &key)?;
            let certificates = folder.path(&within("")).display().to_string();
            let (station, outcome) = (kind.name(), kind.outcome());
            written.push(StationFiles { station, certificates, key_file, outcome });
        }
        Ok(written)
    }
}
