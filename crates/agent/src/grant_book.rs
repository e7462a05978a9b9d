//! The grants of paired pages, written down.

use cccd_api::callers::{BookFault, Grant, GrantBook};
use cccd_profiles::{Origin, Scope, ScopeSet};
use cccd_store::{NewGrant, Store, StoreError};

use crate::daemon::now;

/// The book that the store keeps: what is in it outlives a restart.
pub(crate) struct StoredGrants(pub(crate) Store);

fn failed(error: &StoreError) -> BookFault {
    tracing::error!(%error, "grants cannot be written");
    BookFault
}

/// What was written, as it was meant; `None` for what no version of this program writes.
fn understood(grant: cccd_store::Grant) -> Option<Grant> {
    Some(Grant {
        id: grant.thumbprint,
        label: grant.label,
        origin: Origin::parse(&grant.origin).ok()?,
        scopes: ScopeSet::of_words(&grant.scopes)?,
        made: grant.created,
        expires: grant.expires?,
    })
}

impl GrantBook for StoredGrants {
    fn grant(&self, id: &str) -> Option<Grant> {
        // A book that cannot be read lets nobody in.
        let grant = self.0.grant_by_thumbprint(id).inspect_err(|error| drop(failed(error))).ok()??;
        Some(grant).filter(|grant| grant.revoked.is_none()).and_then(understood)
    }

    fn all(&self) -> Vec<Grant> {
        let grants = self.0.grants().inspect_err(|error| drop(failed(error))).unwrap_or_default();
        grants.into_iter().filter(|grant| grant.counts_at(now())).filter_map(understood).collect()
    }

    fn add(&self, grant: Grant) -> Result<(), BookFault> {
        // A key is let in anew: what it had before is over.
        self.revoke(&grant.id)?;
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| BookFault)?;
        let words: Vec<&str> = grant.scopes.iter().map(Scope::as_str).collect();
        let new = NewGrant {
            id: hex::encode(name),
            thumbprint: grant.id,
            label: grant.label,
            origin: grant.origin.to_string(),
            scopes: words.join(" "),
            expires: Some(grant.expires),
        };
        self.0.add_grant(&new, grant.made).map(drop).map_err(|error| failed(&error))
    }

    fn revoke(&self, id: &str) -> Result<bool, BookFault> {
        let found = self.0.grant_by_thumbprint(id).map_err(|error| failed(&error))?;
        let Some(grant) = found.filter(|grant| grant.counts_at(now())) else { return Ok(false) };
        self.0.revoke_grant(&grant.id, now()).map(|grant| grant.is_some()).map_err(|error| failed(&error))
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn grant(scopes: &[Scope]) -> Grant {
        Grant {
            id: "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s".to_owned(),
            label: "Quầy 1".to_owned(),
            origin: Origin::parse("https://his.example.vn").unwrap(),
            scopes: scopes.iter().copied().collect(),
            made: now().replace_nanosecond(0).unwrap(),
            expires: now().replace_nanosecond(0).unwrap() + Duration::days(1),
        }
    }

    #[test]
    fn a_grant_is_as_it_was_given_after_a_restart_and_gone_once_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let open = || StoredGrants(Store::open(&folder.path().join("store"), now()).unwrap());
        let (narrow, wide) = (grant(&[Scope::ReadId]), grant(&[Scope::ReadFull, Scope::Photo]));
        open().add(narrow).unwrap();
        open().add(wide.clone()).unwrap();
        let book = open();
        let found = book.grant(&wide.id).unwrap();
        assert_eq!((found.scopes.iter().count(), &found.origin), (wide.scopes.iter().count(), &wide.origin));
        assert_eq!((found.expires, book.all().len()), (wide.expires, 1));
        assert!(book.revoke(&wide.id).unwrap());
        assert!(!book.revoke(&wide.id).unwrap());
        assert_eq!(open().grant(&wide.id), None);
        assert!(open().all().is_empty());
    }
}
