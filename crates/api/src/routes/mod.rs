//! The handlers, path by path.

pub(crate) mod agent;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod grants;
pub(crate) mod handoff;
pub(crate) mod identity;
pub(crate) mod leases;
pub(crate) mod pairings;
pub(crate) mod problem_pages;
mod profiled;
pub(crate) mod readers;
pub(crate) mod reads;
pub(crate) mod registers;
pub(crate) mod scans;
pub(crate) mod sessions;
