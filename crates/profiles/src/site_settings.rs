//! `[[site]]`: systems whose backend signs who may call from their pages.

use std::time::Duration;

use cccd_jose::{KeyFault, PublicKey};
use serde::Deserialize;

use crate::{NotAnOrigin, Origin, Results, Scope, ScopeSet};

/// Keys of one site: the one in use, the next, and a few for those who rotate oddly.
const MOST_KEYS: usize = 8;

/// A system whose backend signs tokens for its pages.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name, for logs and for other callers who wait for a reader.
    pub name: String,
    /// What its tokens call it (`iss`).
    pub issuer: String,
    /// Its pages.
    pub origins: Vec<Origin>,
    /// The keys that its tokens may be signed with.
    pub keys: Vec<PublicKey>,
    /// What its tokens may ask for at most.
    pub scopes: ScopeSet,
    /// Under which consumer profiles its tokens may ask to read. None that is not named here.
    pub profiles: Vec<String>,
    /// How often its pages may fetch a result.
    pub results: Results,
    /// How long a session may last that a token opens.
    pub session: Duration,
}

/// Why a site cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteSettingsError {
    /// A site without a name.
    #[error("a site needs a name of 1 to 64 letters, digits, dots, hyphens or underscores, not {0:?}")]
    Name(String),
    /// Two sites of one name, or of one issuer.
    #[error("site {0:?}: another site has the same name or issuer")]
    Twice(String),
    /// No issuer, or one that no token can name.
    #[error("site {0:?}: an issuer has 1 to 256 characters")]
    Issuer(String),
    /// A page that is none.
    #[error("site {name:?}: origin {origin:?}: {source}")]
    Origin {
        /// Whose.
        name: String,
        /// As written.
        origin: String,
        /// What is wrong.
        source: NotAnOrigin,
    },
    /// No page, no key, too many of them, or nothing it may do: nobody could ever call.
    #[error("site {0:?}: it needs origins, scopes or profiles, and 1 to 8 keys")]
    Nothing(String),
    /// A key that is none.
    #[error("site {name:?}: key {number}: {source}")]
    Key {
        /// Whose.
        name: String,
        /// Which, counted from 1.
        number: usize,
        /// What is wrong.
        source: KeyFault,
    },
    /// A session that is too short or too long.
    #[error("site {name:?}: session_s = {value}: 60 to 3600 is possible")]
    Session {
        /// Whose.
        name: String,
        /// As written.
        value: u64,
    },
    /// Tokens name the workstation they are for, and this one has no name.
    #[error("a [[site]] needs api.workstation_id: its tokens say which desk they are for")]
    NoWorkstation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSite {
    name: String,
    issuer: Option<String>,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    results: Results,
    #[serde(default = "ten_minutes")]
    session_s: u64,
}

fn ten_minutes() -> u64 {
    600
}

/// Whether a text may be the name of a caller or a site: it is shown to others, and stands in logs.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// The sites of a file.
pub(crate) fn sites(raw: Vec<RawSite>, workstation: Option<&str>) -> Result<Vec<Site>, SiteSettingsError> {
    if !raw.is_empty() && workstation.is_none() {
        return Err(SiteSettingsError::NoWorkstation);
    }
    let mut sites: Vec<Site> = Vec::new();
    for site in raw {
        let site = Site::try_from(site)?;
        if sites.iter().any(|known| known.name == site.name || known.issuer == site.issuer) {
            return Err(SiteSettingsError::Twice(site.name));
        }
        sites.push(site);
    }
    Ok(sites)
}

impl TryFrom<RawSite> for Site {
    type Error = SiteSettingsError;

    fn try_from(raw: RawSite) -> Result<Self, SiteSettingsError> {
        let name = raw.name;
        if !is_name(&name) {
            return Err(SiteSettingsError::Name(name));
        }
        let issuer = raw.issuer.unwrap_or_else(|| name.clone());
        if !(1..=256).contains(&issuer.len()) {
            return Err(SiteSettingsError::Issuer(name));
        }
        let nothing = raw.scopes.is_empty() && raw.profiles.is_empty();
        if raw.origins.is_empty() || nothing || !(1..=MOST_KEYS).contains(&raw.keys.len()) {
            return Err(SiteSettingsError::Nothing(name));
        }
        if !(60..=3600).contains(&raw.session_s) {
            return Err(SiteSettingsError::Session { name, value: raw.session_s });
        }
        let origin = |origin: String| match Origin::parse(&origin) {
            Ok(origin) => Ok(origin),
            Err(source) => Err(SiteSettingsError::Origin { name: name.clone(), origin, source }),
        };
        let key = |(at, text): (usize, &String)| {
            let wrong = |source| SiteSettingsError::Key { name: name.clone(), number: at + 1, source };
            PublicKey::parse(text).map_err(wrong)
        };
        Ok(Self {
            origins: raw.origins.into_iter().map(origin).collect::<Result<_, _>>()?,
            keys: raw.keys.iter().enumerate().map(key).collect::<Result<_, _>>()?,
            scopes: raw.scopes.into_iter().collect(),
            profiles: raw.profiles,
            results: raw.results,
            session: Duration::from_secs(raw.session_s),
            issuer,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{AgentSettings, Scope};

    const SITE: &str = r#"
[api]
workstation_id = "desk-3"
[[site]]
name = "his"
issuer = "https://his.example.vn"
origins = ["https://his.example.vn"]
scopes = ["read.id", "photo"]
keys = [
    '''
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
''',
    '{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}',
]
"#;

    #[test]
    fn a_site_with_two_keys() {
        let settings = AgentSettings::parse(SITE).unwrap();
        let site = &settings.sites[0];
        assert_eq!((site.issuer.as_str(), site.keys.len()), ("https://his.example.vn", 2));
        assert!(site.scopes.contains(Scope::Photo) && !site.scopes.contains(Scope::ReadFull));
        assert_eq!(site.session.as_secs(), 600);
        assert_eq!(settings.api.workstation_id.as_deref(), Some("desk-3"));
    }

    #[test]
    fn a_site_that_cannot_work_says_why() {
        for (from, to, told) in [
            ("workstation_id = \"desk-3\"", "", "workstation_id"),
            ("workstation_id = \"desk-3\"", "workstation_id = \"desk 3\"", "workstation_id"),
            ("\"his\"", "\"his 1\"", "needs a name"),
            ("[\"https://his.example.vn\"]", "[\"*\"]", "origin \"*\""),
            ("[\"https://his.example.vn\"]", "[]", "needs origins"),
            ("[\"read.id\", \"photo\"]", "[]", "needs origins"),
            ("[\"read.id\", \"photo\"]", "[\"admin\"]", "unknown variant"),
            ("MCow", "MCox", "key 1"),
            ("x_FEzRu9m36", "x_FEzRu9m37", "key 2"),
            ("name = \"his\"", "name = \"his\"\nsession_s = 4000", "session_s = 4000"),
        ] {
            let text = SITE.replacen(from, to, 1);
            assert_ne!(text, SITE, "{from}");
            let error = AgentSettings::parse(&text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let (_, site) = SITE.split_once("[[site]]").unwrap();
        let twice = format!("{SITE}\n[[site]]{site}");
        assert!(AgentSettings::parse(&twice).unwrap_err().to_string().contains("another site"));
    }
}
