//! What is held of a bench, one sentence each: the sentences of the tests.

use serde::Serialize;

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct Assertion {
    /// What is held.
    pub claim: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "why", rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Held,
    /// It does not.
    Failed(String),
    /// It could not be tried here.
    NotTried(String),
}

impl Assertion {
    pub(super) fn of(claim: &'static str, result: Result<Tried, anyhow::Error>) -> Self {
        let outcome = match result {
            Ok(Tried::Held) => Outcome::Held,
            Ok(Tried::Not(why)) => Outcome::NotTried(why.to_owned()),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        Self { claim, outcome }
    }
}

/// An assertion that did not fail.
pub(super) enum Tried {
    /// It holds.
    Held,
    /// It could not be tried, and why.
    Not(&'static str),
}
