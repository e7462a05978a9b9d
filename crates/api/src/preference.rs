//! What a request would like: `Prefer: wait=N` (RFC 7240) and `Accept` (RFC 9110, 12.5.1).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The header a preference comes in.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The header that says which was kept to.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait a request may ask for; a longer one is cut to it.
pub(crate) const LONGEST_WAIT_S: u32 = 60;

/// How long to wait for the outcome before answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(u32);

impl Wait {
    /// The wait a request prefers. One that cannot be kept to is passed over, as RFC 7240, 2, wants: it is a
    /// wish and never an error. The first `wait` counts.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let wait = elements(headers, &PREFER).find_map(|preference| {
            // Parameters of a preference come after a semicolon; `wait` has none.
            let (name, value) = preference.split(';').next()?.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
        })?;
        // `+5` parses as a number and is no token of digits.
        if !wait.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Digits that do not fit are a long wait all the same.
        let seconds = if wait.is_empty() { 0 } else { wait.parse().unwrap_or(u32::MAX) };
        (seconds > 0).then(|| Self(seconds.min(LONGEST_WAIT_S)))
    }

    /// How long.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }

    /// As `Preference-Applied` says it.
    pub(crate) fn applied(self) -> HeaderValue {
        HeaderValue::try_from(format!("wait={}", self.0)).unwrap_or(HeaderValue::from_static("wait"))
    }
}

/// Whether `Accept` names this media type itself, with a weight above zero. Ranges such as `*/*` leave the
/// choice to us and do not count.
pub(crate) fn accepts_by_name(headers: &HeaderMap, media_type: &str) -> bool {
    elements(headers, &header::ACCEPT).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let refused = parts.any(|parameter| {
            let weight = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
        });
        named && !refused
    })
}

/// The comma-separated elements of every header of this name.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn waits_are_found_among_other_wishes() {
        for (values, wait) in [
            (&["wait=20"][..], Some(20)),
            (&["respond-async, wait=10"], Some(10)),
            (&["respond-async", "Wait = \"7\"; x=y"], Some(7)),
            (&["wait=3, wait=9"], Some(3)),
            (&["wait=61"], Some(60)),
            (&["wait=99999999999999999999"], Some(60)),
            (&["wait=0"], None),
            (&["wait="], None),
            (&["wait=+5"], None),
            (&["wait=-5"], None),
            (&["wait=soon"], None),
            (&["wait"], None),
            (&["waiting=5"], None),
            (&[], None),
        ] {
            assert_eq!(Wait::of(&headers(PREFER, values)).map(|wait| wait.0), wait, "{values:?}");
        }
    }

    #[test]
    fn only_a_named_media_type_is_asked_for() {
        for (value, asked) in [
            ("image/jp2", true),
            ("text/html, image/JP2;q=0.5", true),
            ("image/*, */*", false),
            ("image/jp2;q=0", false),
            ("image/jp2; q=0.000", false),
            ("image/jp2x", false),
        ] {
            assert_eq!(accepts_by_name(&headers(header::ACCEPT, &[value]), "image/jp2"), asked, "{value}");
        }
    }
}
