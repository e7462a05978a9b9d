//! A problem on its way out (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use cccd_document::AccessInputError;
use cccd_engine::{CallerId, NotHere, ReadFailure, ReadId, Refused, ScanNotHere};
use http::{HeaderValue, StatusCode, header};

use crate::audit::AnsweredWith;
use crate::problems::{Fault, Problem};
use crate::wire::ProblemJson;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request is not answered as asked. It never repeats what the caller sent.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) problem: &'static Problem,
    /// What of this one request, where there is more to say than the cause.
    pub(crate) detail: Option<Cow<'static, str>>,
    pub(crate) read: Option<ReadId>,
    pub(crate) tries_left: Option<u8>,
    /// Who has the reader, where that is why.
    pub(crate) held_by: Option<CallerId>,
    /// How long to wait, where that is known.
    pub(crate) after: Option<Duration>,
}

impl Refusal {
    /// The same with a word on this one request.
    pub(crate) fn because(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same, and this caller has the reader.
    pub(crate) fn held_by(mut self, caller: CallerId) -> Self {
        self.held_by = Some(caller);
        self
    }

    /// The same, and worth trying again after this time.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.after = Some(wait);
        self
    }

    /// The same, about this reading.
    pub(crate) fn about(mut self, read: ReadId) -> Self {
        self.read = Some(read);
        self
    }
}

impl From<&'static Problem> for Refusal {
    fn from(problem: &'static Problem) -> Self {
        Self { problem, detail: None, read: None, tries_left: None, held_by: None, after: None }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        fault.problem().into()
    }
}

impl From<ReadFailure> for Refusal {
    fn from(failure: ReadFailure) -> Self {
        let tries_left = match failure {
            ReadFailure::AccessKeyWrong { tries_left } => tries_left,
            _ => None,
        };
        let detail = match failure {
            ReadFailure::ReaderCertificateWrong { seen }
            | ReadFailure::ReaderSchemeWrong { seen: Some(seen) } => {
                Some(format!("the reader shows the certificate whose SHA-256 is {seen}").into())
            }
            ReadFailure::ReaderSchemeWrong { seen: None } => Some("the reader speaks no TLS".into()),
            _ => None,
        };
        Self { tries_left, detail, ..Problem::of(failure).into() }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self { held_by: refused.held_by, ..refused.failure.into() }
    }
}

impl From<NotHere> for Refusal {
    fn from(not_here: NotHere) -> Self {
        match not_here {
            NotHere::Unknown => Fault::ReadNotFound.into(),
            NotHere::NotYet => Fault::ReadNotOver.into(),
            NotHere::Taken => Fault::ResultTaken.into(),
            NotHere::Expired => Fault::ReadExpired.into(),
            NotHere::Failed(failure) => failure.into(),
        }
    }
}

impl From<ScanNotHere> for Refusal {
    fn from(not_here: ScanNotHere) -> Self {
        match not_here {
            ScanNotHere::Unknown => Fault::ScanNotFound.into(),
            ScanNotHere::OutOfReach => Fault::ScopeMissing.into(),
            ScanNotHere::Taken => Fault::ScanTaken.into(),
            ScanNotHere::Expired => Fault::ScanExpired.into(),
            ScanNotHere::NoKey(error) => error.into(),
        }
    }
}

/// The error's own words: they name the field and repeat nothing of it.
impl From<AccessInputError> for Refusal {
    fn from(error: AccessInputError) -> Self {
        Self::from(Fault::AccessKeyInvalid).because(error.to_string())
    }
}

/// The engine has gone, which it does only when the whole program stops.
impl From<tokio::sync::oneshot::error::RecvError> for Refusal {
    fn from(_: tokio::sync::oneshot::error::RecvError) -> Self {
        ReadFailure::AgentStopping.into()
    }
}

fn is_about_a_key(code: &str) -> bool {
    [Fault::ProofWrong, Fault::ProofReplayed, Fault::PairingRequired].iter().any(|fault| fault.code() == code)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(ProblemJson::from(&self))).into_response();
        response.extensions_mut().insert(AnsweredWith(self.problem.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match status {
            // RFC 6750, 3.1: no error code where no token was sent at all.
            StatusCode::UNAUTHORIZED if self.problem.code == Fault::TokenMissing.code() => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"cccd-agent\""),
                );
            }
            // RFC 9449, 7.1.
            StatusCode::UNAUTHORIZED if is_about_a_key(self.problem.code) => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(
                        "DPoP realm=\"cccd-agent\", error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA\"",
                    ),
                );
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"cccd-agent\", error=\"invalid_token\""),
                );
            }
            StatusCode::CONFLICT if self.problem.code == Fault::IdempotencyKeyInFlight.code() => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                let wait = self.after.unwrap_or_default().as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(wait).unwrap_or(u64::MAX);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            StatusCode::LOCKED | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            // What is left of the body would be taken for the next request.
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
