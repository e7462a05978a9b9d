//! Whoever comes through a door that knows by itself who is at the other end.

use http::{Extensions, HeaderMap, header};

use super::Caller;
use crate::problems::Fault;

/// What such a door says of a request: the [`Caller`] in its extensions, or this mark. No header can say either.
#[derive(Debug, Clone)]
pub(crate) struct Stranger;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(crate) enum Introduced {
    /// A caller of the settings.
    Known(Box<Caller>),
    /// Somebody else.
    Stranger,
}

impl Introduced {
    /// Says it with a request.
    pub(crate) fn say(&self, extensions: &mut Extensions) {
        match self {
            Self::Known(caller) => drop(extensions.insert(Caller::clone(caller))),
            Self::Stranger => drop(extensions.insert(Stranger)),
        }
    }

    /// What was said of a request, if it came through such a door.
    pub(super) fn of(extensions: &Extensions) -> Option<Result<Caller, Fault>> {
        if extensions.get::<Stranger>().is_some() {
            return Some(Err(Fault::ProgramNotAllowed));
        }
        extensions.get::<Caller>().cloned().map(Ok)
    }

    /// Nothing, if the request may come through: browsers do not use such doors, so that what names a page is made up.
    pub(super) fn check(headers: &HeaderMap) -> Result<(), Fault> {
        if headers.contains_key(header::ORIGIN) { Err(Fault::OriginNotAllowed) } else { Ok(()) }
    }
}
