//! Pairings and grants on the wire.

use cccd_profiles::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rfc3339;
use crate::callers::Grant;
use crate::pairing::{TRIES, WITHIN, Waiting};

/// A page asks to be let in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PairingRequest)]
pub(crate) struct PairingRequestJson {
    /// The public half of a key that the page has made and cannot give away: a JSON Web Key on P-256 or Ed25519.
    #[schema(value_type = Object, example = json!({ "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" }))]
    pub(crate) public_key: serde_json::Value,
    /// What the person at the desk shall call it, such as the desk's name. One line of up to 64 characters.
    #[schema(min_length = 1, max_length = 64, example = "Quầy 1")]
    pub(crate) label: String,
    /// What it wants to do; without it, all that paired pages may here.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["read.id", "photo"]))]
    pub(crate) scopes: Option<Vec<String>>,
    /// The consumer profiles it wants to read under; without it, none.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["clinic"]))]
    pub(crate) profiles: Vec<String>,
}

/// A pairing that waits for its code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pairing)]
pub(crate) struct PairingJson {
    /// Its name.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pairing_id: String,
    /// Seconds until it is over.
    #[schema(minimum = 0, maximum = 60)]
    expires_in_s: u64,
    /// How many wrong codes end it.
    #[schema(minimum = 1, maximum = 3)]
    tries_left: u8,
}

impl From<&Waiting> for PairingJson {
    fn from(waiting: &Waiting) -> Self {
        Self { pairing_id: waiting.id.to_string(), expires_in_s: WITHIN.as_secs(), tries_left: TRIES }
    }
}

/// The code, as the person typed it into the page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PairingCode)]
pub(crate) struct PairingCodeJson {
    /// Six digits, with blanks or without.
    #[schema(min_length = 6, max_length = 16, example = "123 456")]
    pub(crate) code: String,
}

/// What a page was let in for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantJson {
    /// Its name: the thumbprint of the page's key (RFC 7638).
    #[schema(pattern = "^[A-Za-z0-9_-]{43}$")]
    grant_id: String,
    /// What the page called itself.
    label: String,
    /// The page.
    #[schema(example = "https://his.example.vn")]
    origin: String,
    /// What it may do.
    #[schema(example = json!(["read.id", "photo"]))]
    scopes: Vec<&'static str>,
    /// The consumer profiles it may read under.
    #[schema(example = json!(["clinic"]))]
    profiles: Vec<String>,
    /// When it was let in.
    #[schema(format = DateTime)]
    made_at: String,
    /// Until when.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl From<&Grant> for GrantJson {
    fn from(grant: &Grant) -> Self {
        Self {
            grant_id: grant.id.clone(),
            label: grant.label.clone(),
            origin: grant.origin.to_string(),
            scopes: grant.scopes.iter().map(Scope::as_str).collect(),
            profiles: grant.profiles.clone(),
            made_at: rfc3339(grant.made),
            expires_at: rfc3339(grant.expires),
        }
    }
}
