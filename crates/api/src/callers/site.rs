//! Managed sites: a token that a site's backend signed, and what it must say.
//!
//! The agent holds public keys only, and those that its settings name: nothing that a token points to is fetched.
//! The key decides the algorithm (`cccd-jose`). A token is for one desk, one page, two minutes, and one use.

use std::sync::Arc;

use cccd_engine::CallerId;
use cccd_jose::Compact;
use cccd_profiles::{Permissions, Site};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::replay::{Remembered, ReplayKind};
use super::{Access, Caller, CallerKind};
use crate::problems::Fault;
use crate::refusal::Refusal;

/// The longest time a token may be good for.
const LONGEST_LIFE: i64 = 120;
/// How far the clocks of a backend and of this desk may be apart.
const SKEW: Duration = Duration::seconds(30);

/// What a token claims (RFC 7519, 4). Members that are not here are nobody's matter.
#[derive(Debug, Clone, Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    sub: Option<String>,
    origin: Option<String>,
    workstation_id: Option<String>,
    scope: Option<String>,
    purpose: Option<String>,
    legal_basis: Option<String>,
    jti: Option<String>,
    iat: Option<i64>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

/// One agent or several (RFC 7519, 4.1.3).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self, agent: &str) -> bool {
        match self {
            Self::One(name) => name == agent,
            Self::Several(names) => names.iter().any(|name| name == agent),
        }
    }
}

/// Where a token was sent to, and from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    /// This agent's id; `None` where it has no key, and so no name.
    pub(super) agent: Option<&'a str>,
    /// The page that sent it.
    pub(super) origin: Option<&'a str>,
    /// The time of day.
    pub(super) now: OffsetDateTime,
}

/// The page that a token speaks for, and how long its session may last. The token is used up by this.
pub(super) fn caller_of(
    access: &Access,
    token: &str,
    sent: Sent<'_>,
) -> Result<(Caller, std::time::Duration), Refusal> {
    let compact = Compact::parse(token).map_err(|_| Fault::TokenWrong)?;
    // RFC 8725, 3.11: a token of another kind is not one of these, whoever signed it.
    if compact.kind().is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
        return Err(Fault::TokenWrong.into());
    }
    let claims: Claims =
        serde_json::from_slice(compact.payload()).map_err(|_| wrong("not the claims expected"))?;
    let issuer = claims.iss.as_deref().ok_or_else(|| wrong("iss is missing"))?;
    let site = access.sites.iter().find(|site| site.issuer == issuer).ok_or(Fault::TokenWrong)?;
    if !site.keys.iter().any(|key| compact.verify(key).is_ok()) {
        return Err(Fault::TokenWrong.into());
    }
    // From here on it is the site that speaks, and may be told what is wrong.
    let (issued, until) = in_time(&claims, sent.now)?;
    for_this_desk(access, &claims, sent)?;
    let origin = claims.origin.as_deref().ok_or_else(|| wrong("origin is missing"))?;
    let known = site.origins.iter().any(|known| known.as_str() == origin);
    if !known || sent.origin != Some(origin) {
        return Err(Refusal::from(Fault::OriginNotAllowed)
            .because("the token's origin is not the page that sent it, or not one of the site's"));
    }
    let Permissions { scopes, profiles } = permissions(site, &claims)?;
    let purpose = said(claims.purpose.as_deref(), "purpose")?.ok_or_else(|| wrong("purpose is missing"))?;
    let legal_basis = said(claims.legal_basis.as_deref(), "legal_basis")?;
    let owner = owner(site, claims.sub.as_deref())?;
    // Last: a token that is refused for what it says is not used up.
    use_up(access, site, &claims, issued, until, sent.now)?;
    let caller = Caller {
        origin: Some(origin.into()),
        profiles: profiles.into(),
        results: site.results,
        purpose: Some(purpose),
        legal_basis,
        workstation_id: claims.workstation_id.as_deref().map(Arc::from),
        ..Caller::new(owner, CallerKind::Site, scopes)
    };
    Ok((caller, site.session))
}

/// The refusal of a token that is signed and says the wrong thing. It names the claim and repeats nothing of it.
fn wrong(why: &'static str) -> Refusal {
    Refusal::from(Fault::TokenClaimsInvalid).because(why)
}

/// When it was issued, and until when it must be remembered.
fn in_time(claims: &Claims, now: OffsetDateTime) -> Result<(OffsetDateTime, OffsetDateTime), Refusal> {
    let moment = |seconds: Option<i64>, missing| {
        let seconds = seconds.ok_or_else(|| wrong(missing))?;
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| wrong("a time is out of range"))
    };
    let issued = moment(claims.iat, "iat is missing")?;
    let expires = moment(claims.exp, "exp is missing")?;
    let from = claims.nbf.map_or(Ok(issued), |nbf| moment(Some(nbf), ""))?;
    let life = expires - issued;
    if !life.is_positive() || life > Duration::seconds(LONGEST_LIFE) {
        return Err(wrong("exp is at most 120 seconds after iat"));
    }
    if now > expires + SKEW {
        return Err(Fault::TokenExpired.into());
    }
    if now < issued.max(from) - SKEW {
        return Err(Refusal::from(Fault::TokenExpired).because("it is not valid yet: compare the clocks"));
    }
    Ok((issued, expires + SKEW))
}

fn for_this_desk(access: &Access, claims: &Claims, sent: Sent<'_>) -> Result<(), Refusal> {
    let audience = claims.aud.as_ref().ok_or_else(|| wrong("aud is missing"))?;
    if !sent.agent.is_some_and(|agent| audience.names(agent)) {
        return Err(Refusal::from(Fault::TokenMisdirected).because("aud is not the id of this agent"));
    }
    let workstation = claims.workstation_id.as_ref().ok_or_else(|| wrong("workstation_id is missing"))?;
    if access.workstation_id.as_ref() != Some(workstation) {
        return Err(Refusal::from(Fault::TokenMisdirected).because("workstation_id is not that of this desk"));
    }
    Ok(())
}

/// What the site may have and the token asks for.
fn permissions(site: &Site, claims: &Claims) -> Result<Permissions, Refusal> {
    let asked = claims.scope.as_deref().ok_or_else(|| wrong("scope is missing"))?;
    let asked = Permissions::of_words(asked).ok_or_else(|| wrong("scope names one that nobody knows"))?;
    let granted = Permissions {
        scopes: site.scopes.intersection(asked.scopes),
        profiles: asked.profiles.into_iter().filter(|name| site.profiles.contains(name)).collect(),
    };
    if granted.is_empty() {
        return Err(Refusal::from(Fault::ScopeMissing)
            .because("the token asks for no scope or profile that the settings give this site"));
    }
    Ok(granted)
}

/// A short text of one line.
fn said(text: Option<&str>, what: &'static str) -> Result<Option<Arc<str>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let plain = (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if plain {
        Ok(Some(text.into()))
    } else {
        Err(Refusal::from(Fault::TokenClaimsInvalid)
            .because(format!("{what} is one line of 1 to 200 characters")))
    }
}

/// Whose the readings are: the site's, or that one user's of the site where the token names one. Nobody is told the
/// name, only that it is another.
fn owner(site: &Site, user: Option<&str>) -> Result<CallerId, Refusal> {
    let label = format!("site:{}", site.name);
    match user {
        None => Ok(CallerId::new(&label)),
        Some(user) if (1..=256).contains(&user.len()) => {
            let digest = Sha256::digest(user.as_bytes());
            Ok(CallerId::of_one(&label, &hex::encode(digest.get(..16).unwrap_or_default())))
        }
        Some(_) => Err(wrong("sub has 1 to 256 characters")),
    }
}

fn use_up(
    access: &Access,
    site: &Site,
    claims: &Claims,
    issued: OffsetDateTime,
    until: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let name = claims.jti.as_deref().filter(|name| (8..=128).contains(&name.len()));
    let name = name.ok_or_else(|| wrong("jti has 8 to 128 characters"))?;
    // It was good from `issued - SKEW` on: if the memory began later, it may have been used before that.
    if access.replays.knows_since().is_some_and(|since| issued - SKEW <= since) {
        return Err(Refusal::from(Fault::TokenReplayed).because(
            "it may have been used before the agent began to remember; sign another in half a minute",
        ));
    }
    let hash =
        Sha256::new().chain_update(site.name.as_bytes()).chain_update([0]).chain_update(name.as_bytes());
    match access.replays.remember(ReplayKind::SiteToken, hash.finalize().into(), until, now) {
        Remembered::Fresh => Ok(()),
        Remembered::Seen => Err(Fault::TokenReplayed.into()),
        Remembered::Unavailable => Err(Fault::ReplayMemoryUnavailable.into()),
    }
}
