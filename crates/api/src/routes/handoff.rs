//! The hand-off window: the agent's own page, which reads for a page that cannot call the agent itself.
//!
//! Browsers let no page that came over plain http reach this machine. Such a page opens this one instead, which says
//! who wants what, reads when a person presses its button, and hands the result to that one page. It is a paired page
//! itself (`callers/pages.rs`): what opens it without a key that was let in can read nothing.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use cccd_profiles::{Handoff, Origin, Scope, ScopeSet};
use http::{HeaderValue, Uri, header};

use crate::api::Desk;
use crate::problems::Fault;
use crate::refusal::Refusal;

/// Its own script and style, its own requests, nobody around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The longest text that is echoed to the page, so that it can tell its windows apart.
const LONGEST_STATE: usize = 128;

/// The window, for a page of the settings.
///
/// The page opens it by a click: `window.open("http://127.0.0.1:9303/handoff?origin=" + location.origin +
/// "&state=" + random)`, and hears `{source: "cccd-agent", state, type: "result", result}` or `type: "cancelled"` by
/// `message`. It checks `event.origin` and `state`.
#[utoipa::path(
    get,
    path = "/handoff",
    tag = "handoff",
    params(
        ("origin" = String, Query, description = "The page, exactly as the settings name it.", max_length = 256,
            example = "http://192.168.1.10"),
        ("state" = Option<String>, Query, description = "Echoed to the page.", max_length = 128,
            pattern = "^[A-Za-z0-9_-]*$"),
    ),
    responses((status = 200, description = "The window.", body = String, content_type = "text/html")),
)]
pub(crate) async fn handoff_window(State(desk): State<Desk>, uri: Uri) -> Result<Response, Refusal> {
    let (origin, state) = asked(&uri)?;
    let handoff = desk.access.handoffs.iter().find(|handoff| handoff.origin == origin);
    let handoff = handoff.ok_or(Fault::HandoffNotAllowed)?;
    let mut response = Html(window(handoff, &state)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Ok(response)
}

/// The window's script.
#[utoipa::path(
    get,
    path = "/handoff/page.js",
    tag = "handoff",
    responses((status = 200, description = "The window's script.", body = String, content_type = "text/javascript")),
)]
pub(crate) async fn handoff_script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../handoff/page.js"))
}

/// The window's style.
#[utoipa::path(
    get,
    path = "/handoff/page.css",
    tag = "handoff",
    responses((status = 200, description = "The window's style.", body = String, content_type = "text/css")),
)]
pub(crate) async fn handoff_style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../handoff/page.css"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}

/// `origin` and `state` of the query, each once and nothing else.
fn asked(uri: &Uri) -> Result<(Origin, String), Refusal> {
    let invalid = |why: &'static str| Refusal::from(Fault::ParameterInvalid).because(why);
    let (mut origin, mut state) = (None, None);
    for part in uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let slot = match name {
            "origin" => &mut origin,
            "state" => &mut state,
            _ => return Err(invalid("origin and state, and nothing else")),
        };
        if slot.replace(value.to_owned()).is_some() {
            return Err(invalid("origin and state, each once"));
        }
    }
    let state = state.unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if state.len() > LONGEST_STATE || !state.bytes().all(plain) {
        return Err(invalid("state: up to 128 letters, digits, hyphens and underscores"));
    }
    // Colons and slashes may stand there as they are or escaped; an origin has nothing else that would need it.
    let origin = origin.ok_or_else(|| invalid("origin is missing"))?;
    let origin = origin.replace("%3A", ":").replace("%3a", ":").replace("%2F", "/").replace("%2f", "/");
    let origin = origin.replace("%5B", "[").replace("%5b", "[").replace("%5D", "]").replace("%5d", "]");
    Ok((Origin::parse(&origin).map_err(|_| invalid("origin is none"))?, state))
}

fn window(handoff: &Handoff, state: &str) -> String {
    let scopes: Vec<&str> = handoff.scopes.iter().map(Scope::as_str).collect();
    let fields: String = received(handoff.scopes)
        .map(|(vi, en)| format!("<li>{vi} <span class=\"en\">{en}</span></li>"))
        .collect();
    // The fields are put in last and the page's own words first, so that no word of the settings is taken for a place.
    let mut page = String::new();
    let mut rest = include_str!("../handoff/page.html");
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        page.push_str(before);
        page.push_str(&match place {
            "site" => escape(handoff.origin.as_str()),
            "name" => escape(&handoff.name),
            "purpose_vi" => escape(&handoff.purpose_vi),
            "purpose_en" => escape(&handoff.purpose_en),
            "scopes" => escape(&scopes.join(" ")),
            "state" => escape(state),
            "fields" => fields.clone(),
            _ => String::new(),
        });
        rest = after;
    }
    page + rest
}

/// What a page with these scopes receives, in the words of the person who is asked.
fn received(scopes: ScopeSet) -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        (Scope::ReadId, ("số, họ tên, ngày sinh", "number, name, birth")),
        (Scope::ReadFull, ("toàn bộ thông tin trên thẻ, trừ người thân", "the whole record but the family")),
        (Scope::ReadFamily, ("tên cha, mẹ, vợ hoặc chồng", "names of parents and spouse")),
        (Scope::Photo, ("ảnh chân dung", "the face")),
        (Scope::Evidence, ("toàn bộ dữ liệu chip, có chữ ký", "everything the chip says, signed")),
        (Scope::Fingerprints, ("vân tay", "fingerprints")),
        (Scope::Irises, ("mống mắt", "irises")),
    ]
    .into_iter()
    .filter(move |(scope, _)| scopes.contains(*scope))
    .map(|(_, words)| words)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handoff() -> Handoff {
        Handoff {
            origin: Origin::parse("http://192.168.1.10").unwrap(),
            name: "Bệnh viện \"A\" <script>{site}".to_owned(),
            purpose_vi: "Điền phiếu khám".to_owned(),
            purpose_en: "Fill the form".to_owned(),
            scopes: [Scope::ReadId, Scope::Photo].into_iter().collect(),
        }
    }

    #[test]
    fn the_window_says_who_wants_what_and_runs_nothing_of_theirs() {
        let page = window(&handoff(), "abc");
        assert!(page.contains("data-site=\"http://192.168.1.10\"") && page.contains("data-state=\"abc\""));
        assert!(page.contains("Bệnh viện &quot;A&quot; &lt;script&gt;{site}"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("ảnh chân dung") && page.contains("number, name, birth"));
        assert!(!page.contains("vân tay") && !page.contains("{name}"));
    }

    #[test]
    fn the_query_is_taken_in_one_form_only() {
        let told = |query: &str| asked(&format!("/handoff?{query}").parse().unwrap());
        for good in ["origin=http://192.168.1.10&state=a-b_1", "state=&origin=http%3A%2F%2F192.168.1.10"] {
            assert_eq!(told(good).unwrap().0, handoff().origin, "{good}");
        }
        for bad in [
            "",
            "origin=*",
            "origin=null",
            "origin=http://192.168.1.10/",
            "origin=http://192.168.1.10&origin=http://192.168.1.10",
            "origin=http://192.168.1.10&state=%3Cscript%3E",
            "origin=http://192.168.1.10&access=123456",
        ] {
            assert!(told(bad).is_err(), "{bad}");
        }
    }
}
