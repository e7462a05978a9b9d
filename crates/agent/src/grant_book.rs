//! The grants of paired pages, written down.

use cccd_api::callers::{BookFault, Grant, GrantBook};
use cccd_profiles::{Origin, Permissions};
use cccd_store::{Entry, EntryKind, NewGrant, Scribe, StoreError};

use crate::daemon::now;

/// The book that the store keeps: what is in it outlives a restart, and what changes it is audited.
pub(crate) struct StoredGrants(pub(crate) Scribe);

/// What the audit has of a grant.
fn entry(kind: EntryKind, grant: &cccd_store::Grant) -> Entry {
    Entry {
        caller: Some(grant.label.clone()),
        origin: Some(grant.origin.clone()),
        scopes: grant.scopes.split(' ').map(str::to_owned).collect(),
        ..Entry::new(kind)
    }
    .with("grant", &grant.thumbprint)
}

fn failed(error: &StoreError) -> BookFault {
    tracing::error!(%error, "grants cannot be written");
    BookFault
}

/// What was written, as it was meant; `None` for what no version of this program writes.
fn understood(grant: cccd_store::Grant) -> Option<Grant> {
    let Permissions { scopes, profiles } = Permissions::of_words(&grant.scopes)?;
    Some(Grant {
        id: grant.thumbprint,
        label: grant.label,
        origin: Origin::parse(&grant.origin).ok()?,
        scopes,
        profiles,
        made: grant.created,
        expires: grant.expires?,
    })
}

impl GrantBook for StoredGrants {
    fn grant(&self, id: &str) -> Option<Grant> {
        // A book that cannot be read lets nobody in.
        let grant = self.0.store().grant_by_thumbprint(id).map_err(|error| failed(&error)).ok()??;
        Some(grant).filter(|grant| grant.revoked.is_none()).and_then(understood)
    }

    fn all(&self) -> Vec<Grant> {
        let grants = self.0.store().grants().map_err(|error| failed(&error)).unwrap_or_default();
        grants.into_iter().filter(|grant| grant.counts_at(now())).filter_map(understood).collect()
    }

    fn add(&self, grant: Grant) -> Result<(), BookFault> {
        // A key is let in anew: what it had before is over.
        self.revoke(&grant.id)?;
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| BookFault)?;
        let permissions = Permissions { scopes: grant.scopes, profiles: grant.profiles };
        let new = NewGrant {
            id: hex::encode(name),
            thumbprint: grant.id,
            label: grant.label,
            origin: grant.origin.to_string(),
            scopes: permissions.to_words(),
            expires: Some(grant.expires),
        };
        let given = self.0.store().add_grant(&new, grant.made).map_err(|error| failed(&error))?;
        self.0.enter(entry(EntryKind::GrantGiven, &given));
        Ok(())
    }

    fn revoke(&self, id: &str) -> Result<bool, BookFault> {
        let found = self.0.store().grant_by_thumbprint(id).map_err(|error| failed(&error))?;
        let Some(grant) = found.filter(|grant| grant.counts_at(now())) else { return Ok(false) };
        let revoked = self.0.store().revoke_grant(&grant.id, now()).map_err(|error| failed(&error))?;
        if let Some(grant) = &revoked {
            self.0.enter(entry(EntryKind::GrantRevoked, grant));
        }
        Ok(revoked.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cccd_profiles::Scope;
    use cccd_store::Store;
    use time::Duration;

    use super::*;

    fn grant(scopes: &[Scope]) -> Grant {
        Grant {
            id: "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s".to_owned(),
            label: "Quầy 1".to_owned(),
            origin: Origin::parse("https://his.example.vn").unwrap(),
            scopes: scopes.iter().copied().collect(),
            profiles: vec!["clinic".to_owned(), "exam".to_owned()],
            made: now().replace_nanosecond(0).unwrap(),
            expires: now().replace_nanosecond(0).unwrap() + Duration::days(1),
        }
    }

    #[test]
    fn a_grant_is_as_it_was_given_after_a_restart_and_gone_once_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Store::open(&folder.path().join("store"), now()).unwrap();
            StoredGrants(Scribe::start(store, Arc::new(now)).unwrap())
        };
        let (narrow, wide) = (grant(&[Scope::ReadId]), grant(&[Scope::ReadFull, Scope::Photo]));
        for grant in [&narrow, &wide] {
            let book = open();
            book.add(grant.clone()).unwrap();
            book.0.settle();
        }
        let book = open();
        let found = book.grant(&wide.id).unwrap();
        assert_eq!((found.scopes.iter().count(), &found.origin), (wide.scopes.iter().count(), &wide.origin));
        assert_eq!((&found.profiles, found.expires, book.all().len()), (&wide.profiles, wide.expires, 1));
        assert!(book.revoke(&wide.id).unwrap());
        assert!(!book.revoke(&wide.id).unwrap());
        assert_eq!(open().grant(&wide.id), None);
        assert!(open().all().is_empty());
        book.0.settle();
        let entries = book.0.store().audit().after(0, 100).unwrap();
        let kinds: Vec<EntryKind> = entries.iter().map(|recorded| recorded.entry.kind).collect();
        let (given, revoked) = (EntryKind::GrantGiven, EntryKind::GrantRevoked);
        assert_eq!(kinds, [given, revoked, given, revoked]);
    }
}
