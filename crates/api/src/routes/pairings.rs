//! Pages that ask to be let in.

use std::time::Instant;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Response};
use cccd_engine::ReadFailure;
use cccd_jose::PublicKey;
use cccd_profiles::{Origin, Scope, ScopeSet};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use zeroize::Zeroizing;

use crate::api::Desk;
use crate::callers::{Grant, missing, proof_of, use_once};
use crate::extract::JsonBody;
use crate::pairing::{Asked, NoPairing, PairingId, WITHIN};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{GrantJson, PairingCodeJson, PairingJson, PairingRequestJson};

/// The longest name of a page.
const LONGEST_LABEL: usize = 64;

/// A page that may ask to be paired.
pub(crate) struct AskingPage {
    origin: Origin,
    /// The most it may be granted.
    most: ScopeSet,
    profiles: Vec<String>,
}

impl FromRequestParts<Desk> for AskingPage {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refusal> {
        // More than one never comes this far.
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = origin.and_then(|origin| Origin::parse(origin).ok());
        let asking = origin.and_then(|origin| {
            let (most, profiles) = desk.access.may_be_paired(&desk.hosts, &origin)?;
            Some(Self { origin, most, profiles: profiles.to_vec() })
        });
        asking.ok_or_else(|| Fault::PairingNotAllowed.into())
    }
}

/// Asks for this page to be let in.
///
/// The person at the desk is shown a code by `cccd-agent pair` and types it into the page, which confirms with it. Only
/// pages may ask, of an origin the settings admit; a pairing is over after a minute, after three wrong codes, and when
/// the same origin begins another.
#[utoipa::path(
    post,
    path = "/v1/pairings",
    tag = "pairing",
    request_body = PairingRequestJson,
    responses((status = 201, description = "It waits for its code.", body = PairingJson, headers(
        ("Location" = String, description = "Where the code is sent."),
    ))),
)]
pub(crate) async fn begin_pairing(
    State(desk): State<Desk>,
    AskingPage { origin, most, profiles: most_profiles }: AskingPage,
    JsonBody(body): JsonBody<PairingRequestJson>,
) -> Result<Response, Refusal> {
    let invalid = |why: String| Refusal::from(Fault::BodyInvalid).because(why);
    let key = PublicKey::from_jwk(&body.public_key.to_string())
        .map_err(|fault| invalid(format!("public_key: {fault}")))?;
    let label = body.label.trim();
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(is_unprintable) {
        return Err(invalid("label: one line of 1 to 64 characters".to_owned()));
    }
    let scopes = match body.scopes {
        None => most,
        Some(asked) => scopes_of(&asked, most)?,
    };
    let profiles = profiles_of(body.profiles, &most_profiles)?;
    let asked = Asked { origin, label: label.to_owned(), scopes, profiles, key };
    let waiting = desk.pairings.begin(asked, Instant::now())?;
    // Neither the code nor what the page calls itself.
    tracing::info!(origin = %waiting.asked.origin, "a page asks to be paired");
    let location = HeaderValue::try_from(format!("/v1/pairings/{}/confirm", waiting.id))
        .unwrap_or(HeaderValue::from_static("/v1/pairings"));
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(PairingJson::from(&waiting))).into_response())
}

/// What is shown at a terminal must not move its cursor, nor turn its text around.
fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn scopes_of(asked: &[String], most: ScopeSet) -> Result<ScopeSet, Refusal> {
    let mut scopes = Vec::new();
    for word in asked {
        let scope = Scope::of_word(word)
            .ok_or_else(|| Refusal::from(Fault::BodyInvalid).because("scopes: one that nobody knows"))?;
        if !most.contains(scope) {
            return Err(missing(scope));
        }
        scopes.push(scope);
    }
    Ok(scopes.into_iter().collect())
}

/// The profiles a page asks for, each once, of those it may be granted.
fn profiles_of(mut asked: Vec<String>, most: &[String]) -> Result<Vec<String>, Refusal> {
    if asked.iter().any(|name| !most.contains(name)) {
        return Err(Fault::ProfileNotGranted.into());
    }
    asked.sort_unstable();
    asked.dedup();
    Ok(asked)
}

/// Proves that the page stands at this desk: by the code, and by its key.
///
/// From then on every request of the page carries a `DPoP` header (RFC 9449) signed by that key, and no token.
#[utoipa::path(
    post,
    path = "/v1/pairings/{id}/confirm",
    tag = "pairing",
    params(
        ("id" = String, Path, description = "The pairing.", pattern = "^[0-9a-f]{32}$"),
        ("DPoP" = String, Header, description = "Proof of the key that was sent (RFC 9449)."),
    ),
    request_body = PairingCodeJson,
    responses((status = 201, description = "The page is let in.", body = GrantJson)),
)]
pub(crate) async fn confirm_pairing(
    State(desk): State<Desk>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let proof = proof_of(&desk.access, &desk.hosts, &parts)?;
    let AskingPage { origin, .. } = AskingPage::from_request_parts(&mut parts, &desk).await?;
    let request = Request::from_parts(parts, body);
    let JsonBody(PairingCodeJson { code }) = JsonBody::from_request(request, &desk).await?;
    let code = Zeroizing::new(code);
    let id = id.ok().and_then(|Path(id)| PairingId::parse(&id)).ok_or(Fault::PairingNotFound)?;
    if !desk.pairings.waits(id, &origin, &proof.key, Instant::now()) {
        return Err(Fault::PairingNotFound.into());
    }
    use_once(&desk.access, &proof)?;
    let asked = desk.pairings.confirm(id, &origin, &proof.key, &code, Instant::now())?;
    let made = (desk.access.clock)();
    let grant = Grant {
        id: asked.key.thumbprint(),
        label: asked.label,
        origin: asked.origin,
        scopes: asked.scopes,
        profiles: asked.profiles,
        made,
        expires: made + desk.access.pairing.grant_for,
    };
    desk.access.grants.add(grant.clone()).map_err(|_| Refusal::from(ReadFailure::AgentFault))?;
    tracing::info!(origin = %grant.origin, scopes = ?grant.scopes, "a page was paired");
    Ok((StatusCode::CREATED, Json(GrantJson::from(&grant))).into_response())
}

impl From<NoPairing> for Refusal {
    fn from(why: NoPairing) -> Self {
        match why {
            NoPairing::TooMany => Self::from(Fault::RateLimited)
                .because("too many pages ask to be paired, or this one too often")
                .after(WITHIN),
            NoPairing::NoEntropy => ReadFailure::AgentFault.into(),
            NoPairing::Unknown => Fault::PairingNotFound.into(),
            NoPairing::Wrong { tries_left } => {
                Self { tries_left: Some(tries_left), ..Fault::PairingCodeWrong.into() }
            }
        }
    }
}
