//! Pages that a person has let in: each holds a key that cannot leave it, and proves so with every request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use cccd_profiles::{Origin, ScopeSet};
use time::OffsetDateTime;

use super::Access;

/// What a person has let a page do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name: the thumbprint of the page's key (RFC 7638).
    pub id: String,
    /// What the person calls it.
    pub label: String,
    /// The page.
    pub origin: Origin,
    /// What it may do.
    pub scopes: ScopeSet,
    /// Under which consumer profiles it may read.
    pub profiles: Vec<String>,
    /// When it was made.
    pub made: OffsetDateTime,
    /// Until when it counts.
    pub expires: OffsetDateTime,
}

/// A grant cannot be written down.
#[derive(Debug)]
pub struct BookFault;

impl fmt::Display for BookFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the book of grants cannot be written")
    }
}

impl std::error::Error for BookFault {}

/// The grants there are.
pub trait GrantBook: Send + Sync {
    /// The grant of this id, whether its time is over or not.
    fn grant(&self, id: &str) -> Option<Grant>;
    /// All of them.
    fn all(&self) -> Vec<Grant>;
    /// Adds one, in place of an earlier one of the same id.
    fn add(&self, grant: Grant) -> Result<(), BookFault>;
    /// Takes one back; whether there was one.
    fn revoke(&self, id: &str) -> Result<bool, BookFault>;
}

/// A book that a restart empties.
#[derive(Debug, Default)]
pub struct MemoryGrants(Mutex<BTreeMap<String, Grant>>);

impl MemoryGrants {
    fn book(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Grant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GrantBook for MemoryGrants {
    fn grant(&self, id: &str) -> Option<Grant> {
        self.book().get(id).cloned()
    }

    fn all(&self) -> Vec<Grant> {
        self.book().values().cloned().collect()
    }

    fn add(&self, grant: Grant) -> Result<(), BookFault> {
        self.book().insert(grant.id.clone(), grant);
        Ok(())
    }

    fn revoke(&self, id: &str) -> Result<bool, BookFault> {
        Ok(self.book().remove(id).is_some())
    }
}

/// Whether a page of this origin may try at all.
pub(super) fn any_has_origin(access: &Access, origin: &[u8]) -> bool {
    let now = (access.clock)();
    access.grants.all().iter().any(|grant| grant.expires > now && grant.origin.as_str().as_bytes() == origin)
}
