//! One edition of the store: which certificates and CRLs, who vouched for each, and what change made it.

use std::collections::BTreeSet;

use cccd_trust::store::{Fingerprint, Standing};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Most certificates a store holds. All the world's master lists together have some hundreds.
pub(crate) const MAX_CERTIFICATES: usize = 4096;

/// Most CRLs a store holds: one for each authority.
pub(crate) const MAX_CRLS: usize = 1024;

/// One edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edition {
    /// Counted from one; nought is the store before anything was installed.
    pub(crate) number: u64,
    pub(crate) certificates: Vec<Installed>,
    pub(crate) crls: Vec<InstalledCrl>,
    /// What made it. Nothing for the empty one.
    pub(crate) change: Option<Change>,
}

/// A certificate of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(crate) der: Vec<u8>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) added: OffsetDateTime,
    pub(crate) voucher: Voucher,
    /// What its signature was found to be when it was installed. It is about these very bytes, whose fingerprint
    /// is computed again each time, and whoever could change it could as well install an anchor.
    pub(crate) standing: Standing,
}

/// A CRL of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstalledCrl {
    pub(crate) der: Vec<u8>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) added: OffsetDateTime,
}

/// Why a certificate is in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Voucher {
    /// The operator accepted it, with nothing to compare it with.
    Operator,
    /// The operator had its fingerprint from elsewhere.
    Fingerprint,
    /// A master list that was signed by this certificate, of this country, at this time.
    MasterList {
        #[serde(with = "fingerprint_text")]
        signer: Fingerprint,
        country: String,
        #[serde(with = "time_text::optional")]
        signed_at: Option<OffsetDateTime>,
    },
}

/// One change: the line of the audit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// The edition it made.
    pub(crate) edition: u64,
    #[serde(with = "time_text")]
    pub(crate) time: OffsetDateTime,
    /// The account at the operating system.
    pub(crate) user: String,
    /// The account that asked for another's rights, as `sudo` tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) action: Action,
    #[serde(with = "fingerprint_texts")]
    pub(crate) added: Vec<Fingerprint>,
    #[serde(with = "fingerprint_texts")]
    pub(crate) removed: Vec<Fingerprint>,
    #[serde(with = "fingerprint_texts")]
    pub(crate) crls_added: Vec<Fingerprint>,
    #[serde(with = "fingerprint_texts")]
    pub(crate) crls_removed: Vec<Fingerprint>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Add,
    Remove,
    Update,
}

/// Who asks for a change, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Author {
    pub(crate) user: String,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) time: OffsetDateTime,
}

/// What differs between two editions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Difference {
    pub(crate) added: Vec<Fingerprint>,
    pub(crate) removed: Vec<Fingerprint>,
    pub(crate) crls_added: Vec<Fingerprint>,
    pub(crate) crls_removed: Vec<Fingerprint>,
}

impl Difference {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why an edition cannot be made of what stands on the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditionFault {
    /// The manifest is none.
    #[error("the manifest cannot be read: {0}")]
    Manifest(#[from] serde_json::Error),
    /// The manifest is not the one the marker names.
    #[error("the manifest is not the one the store was left with")]
    OtherManifest,
    /// The manifest is that of a later program.
    #[error("it was written by a later version of this program")]
    LaterVersion,
    /// The marker does not say which edition holds.
    #[error("it does not say which edition holds")]
    Marker,
    /// The certificates are not those of the manifest.
    #[error("the certificates are not those the manifest lists")]
    OtherCertificates,
    /// The CRLs are not those of the manifest.
    #[error("the CRLs are not those the manifest lists")]
    OtherCrls,
    /// More than a store holds.
    #[error("more certificates or CRLs than a store holds")]
    TooMany,
}

impl Edition {
    /// The store before anything was installed.
    pub(crate) fn empty() -> Self {
        Self { number: 0, certificates: Vec::new(), crls: Vec::new(), change: None }
    }

    pub(crate) fn find(&self, fingerprint: &Fingerprint) -> Option<&Installed> {
        self.certificates.iter().find(|installed| installed.fingerprint == *fingerprint)
    }

    /// What `self` has changed since `before`, each list in the order of the fingerprints.
    pub(crate) fn since(&self, before: &Self) -> Difference {
        let certificates = |edition: &Self| edition.certificates.iter().map(|one| one.fingerprint).collect();
        let crls = |edition: &Self| edition.crls.iter().map(|one| one.fingerprint).collect();
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (certificates(before), certificates(self));
        let (old_crls, new_crls): (BTreeSet<_>, BTreeSet<_>) = (crls(before), crls(self));
        Difference {
            added: new.difference(&old).copied().collect(),
            removed: old.difference(&new).copied().collect(),
            crls_added: new_crls.difference(&old_crls).copied().collect(),
            crls_removed: old_crls.difference(&new_crls).copied().collect(),
        }
    }

    /// The edition after this one, and what made it.
    pub(crate) fn next(
        &self,
        certificates: Vec<Installed>,
        crls: Vec<InstalledCrl>,
        action: Action,
        author: &Author,
    ) -> Self {
        let number = self.number + 1;
        let mut next = Self { number, certificates, crls, change: None };
        let Difference { added, removed, crls_added, crls_removed } = next.since(self);
        next.change = Some(Change {
            edition: number,
            time: author.time,
            user: author.user.clone(),
            on_behalf_of: author.on_behalf_of.clone(),
            action,
            added,
            removed,
            crls_added,
            crls_removed,
        });
        next
    }
}

/// The manifest of an edition, as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    version: u32,
    change: Change,
    certificates: Vec<RawInstalled>,
    crls: Vec<RawInstalledCrl>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstalled {
    #[serde(with = "fingerprint_text")]
    sha256: Fingerprint,
    #[serde(with = "time_text")]
    added: OffsetDateTime,
    voucher: Voucher,
    #[serde(with = "standing_code")]
    standing: Standing,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstalledCrl {
    #[serde(with = "fingerprint_text")]
    sha256: Fingerprint,
    #[serde(with = "time_text")]
    added: OffsetDateTime,
}

const VERSION: u32 = 1;

/// The manifest's text.
pub(crate) fn write_manifest(edition: &Edition) -> Result<String, serde_json::Error> {
    let Some(change) = edition.change.clone() else {
        return Err(serde::ser::Error::custom("the empty edition has no manifest"));
    };
    let certificates = edition.certificates.iter().map(|one| RawInstalled {
        sha256: one.fingerprint,
        added: one.added,
        voucher: one.voucher.clone(),
        standing: one.standing,
    });
    let crls = edition.crls.iter().map(|one| RawInstalledCrl { sha256: one.fingerprint, added: one.added });
    let manifest =
        RawManifest { version: VERSION, change, certificates: certificates.collect(), crls: crls.collect() };
    serde_json::to_string_pretty(&manifest)
}

/// Puts an edition together. Every object has to have the fingerprint the manifest lists at its place.
pub(crate) fn read_manifest(
    text: &[u8],
    certificates: Vec<Vec<u8>>,
    crls: Vec<Vec<u8>>,
) -> Result<Edition, EditionFault> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    if serde_json::from_slice::<Versioned>(text)?.version > VERSION {
        return Err(EditionFault::LaterVersion);
    }
    let manifest: RawManifest = serde_json::from_slice(text)?;
    if manifest.certificates.len() > MAX_CERTIFICATES || manifest.crls.len() > MAX_CRLS {
        return Err(EditionFault::TooMany);
    }
    if manifest.certificates.len() != certificates.len() {
        return Err(EditionFault::OtherCertificates);
    }
    if manifest.crls.len() != crls.len() {
        return Err(EditionFault::OtherCrls);
    }
    let certificates = manifest
        .certificates
        .into_iter()
        .zip(certificates)
        .map(|(raw, der)| {
            let right = Fingerprint::of(&der) == raw.sha256 && raw.standing.can_be_anchor();
            let RawInstalled { sha256, added, voucher, standing } = raw;
            let one = Installed { der, fingerprint: sha256, added, voucher, standing };
            right.then_some(one).ok_or(EditionFault::OtherCertificates)
        })
        .collect::<Result<_, _>>()?;
    let crls = manifest
        .crls
        .into_iter()
        .zip(crls)
        .map(|(raw, der)| {
            let right = Fingerprint::of(&der) == raw.sha256;
            let one = InstalledCrl { der, fingerprint: raw.sha256, added: raw.added };
            right.then_some(one).ok_or(EditionFault::OtherCrls)
        })
        .collect::<Result<_, _>>()?;
    Ok(Edition { number: manifest.change.edition, certificates, crls, change: Some(manifest.change) })
}

/// Times as RFC 3339 writes them.
mod time_text {
    use super::{OffsetDateTime, Rfc3339};
    use serde::{Deserialize as _, Deserializer, Serializer, de, ser};

    pub(super) fn serialize<S: Serializer>(time: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.format(&Rfc3339).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<OffsetDateTime, D::Error> {
        OffsetDateTime::parse(&String::deserialize(from)?, &Rfc3339).map_err(de::Error::custom)
    }

    /// The same, where it may be missing.
    pub(super) mod optional {
        use super::{OffsetDateTime, Rfc3339};
        use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de, ser};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<OffsetDateTime>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            let text = time.map(|time| time.format(&Rfc3339)).transpose().map_err(ser::Error::custom)?;
            text.serialize(to)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<OffsetDateTime>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)).transpose()
        }
    }
}

mod fingerprint_text {
    use super::Fingerprint;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(one: &Fingerprint, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(one)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fingerprint, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

mod fingerprint_texts {
    use super::Fingerprint;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(all: &[Fingerprint], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Fingerprint>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}

mod standing_code {
    use super::Standing;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(standing: &Standing, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(standing.code())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Standing, D::Error> {
        let code = String::deserialize(from)?;
        let known = Standing::ALL.iter().find(|standing| standing.code() == code);
        known.copied().ok_or_else(|| de::Error::custom("an outcome nobody knows"))
    }
}
