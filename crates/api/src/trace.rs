//! Which trace a request belongs to (W3C Trace Context), and what the audit chain says of a refusal.
//!
//! The outermost layer: whatever is answered, by whomever, has its trace.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::api::Desk;
use crate::audit;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the answer names its trace in (Trace Context, level 2 draft).
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// A trace, and this request's part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

tokio::task_local! {
    static CURRENT: Trace;
}

/// The id of the trace the request that is being answered belongs to.
pub(crate) fn current_trace_id() -> Option<String> {
    CURRENT.try_with(|trace| hex::encode(trace.trace)).ok()
}

/// The same work, in the trace of this request wherever it is carried on.
pub(crate) fn in_this_trace<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let trace = CURRENT.try_with(|trace| *trace).ok();
    async move {
        match trace {
            Some(trace) => CURRENT.scope(trace, work).await,
            None => work.await,
        }
    }
}

/// Puts a request into its caller's trace, or into one of its own.
pub(crate) async fn in_its_trace(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let Some(trace) = Trace::of(request.headers()) else {
        // Without random numbers nothing else goes well either.
        return next.run(request).await;
    };
    let origin = audit::origin_of(request.headers());
    CURRENT
        .scope(trace, async {
            let mut response = next.run(request).await;
            audit::note_refusal(&desk, &response, origin);
            if let Ok(value) = HeaderValue::try_from(trace.traceresponse()) {
                response.headers_mut().insert(TRACERESPONSE, value);
            }
            response
        })
        .await
}

impl Trace {
    /// The caller's trace where it names one that is one, else a new one; `None` without random numbers.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut span = [0; 8];
        getrandom::fill(&mut span).ok()?;
        let mut named = headers.get_all(TRACEPARENT).iter();
        let named = match (named.next(), named.next()) {
            (Some(one), None) => parse(one.as_bytes()),
            // Two are none (3.2.1).
            _ => None,
        };
        if let Some((trace, sampled)) = named {
            return Some(Self { trace, span, sampled });
        }
        let mut trace = [0; 16];
        getrandom::fill(&mut trace).ok()?;
        Some(Self { trace, span, sampled: false })
    }

    fn traceresponse(self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{}-{}-{flags:02x}", hex::encode(self.trace), hex::encode(self.span))
    }
}

/// The trace id of a `traceparent`, and whether it is sampled (Trace Context, 3.2.2).
fn parse(value: &[u8]) -> Option<([u8; 16], bool)> {
    // version "-" trace-id "-" parent-id "-" flags, and a later version may have more.
    let (head, rest) = value.split_at_checked(55)?;
    let mut parts = head.split(|byte| *byte == b'-');
    let version = lower_hex::<1>(parts.next()?)?;
    let trace = lower_hex::<16>(parts.next()?)?;
    let parent = lower_hex::<8>(parts.next()?)?;
    let [flags] = lower_hex::<1>(parts.next()?)?;
    let may_go_on = match version {
        [0xFF] => return None,
        [0] => rest.is_empty(),
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    if parts.next().is_some() || !may_go_on || trace == [0; 16] || parent == [0; 8] {
        return None;
    }
    Some((trace, flags & 1 == 1))
}

fn lower_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(values: &[&str]) -> Trace {
        let headers = values.iter().map(|value| (TRACEPARENT, value.parse().unwrap())).collect::<HeaderMap>();
        Trace::of(&headers).unwrap()
    }

    #[test]
    fn a_callers_trace_is_kept_and_this_span_is_another() {
        // Trace Context, 3.2.4.
        let trace = of(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]);
        let response = trace.traceresponse();
        assert!(response.starts_with(&format!("00-{TRACE}-")) && response.ends_with("-01"), "{response}");
        assert!(!response.contains("00f067aa0ba902b7"));
        for sampled in ["00", "02", "fe"] {
            let trace = of(&[&format!("00-{TRACE}-00f067aa0ba902b7-{sampled}")]);
            assert!(trace.traceresponse().ends_with("-00"));
        }
        // A later version, as far as it is known.
        for later in ["cc-", "01-"] {
            for rest in ["", "-what-comes-later"] {
                let value = format!("{later}{TRACE}-00f067aa0ba902b7-01{rest}");
                assert_eq!(hex::encode(of(&[&value]).trace), TRACE, "{value}");
            }
        }
    }

    #[test]
    fn what_is_no_trace_context_begins_a_trace_of_its_own() {
        for value in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_ne!(hex::encode(of(&[value]).trace), TRACE, "{value}");
        }
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_ne!(hex::encode(of(&[&good, &good]).trace), TRACE);
        assert_ne!(of(&[]).trace, of(&[]).trace);
    }
}
