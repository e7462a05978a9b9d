//! The JSON twins of callers, their sessions, and of the agent's own identity.

use serde::Serialize;
use utoipa::ToSchema;

use crate::callers::CallerKind;

/// A caller, as far as the agent knows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Caller)]
pub(crate) struct CallerJson {
    /// How it proved who it is.
    pub(crate) kind: CallerKindJson,
    /// What it is called, where others and logs may see it.
    #[schema(example = "site:his")]
    pub(crate) label: String,
    /// The page it calls from; null for what is no page.
    #[schema(example = "https://his.example.vn")]
    pub(crate) origin: Option<String>,
    /// The desk its token is for; null where a token is for no desk in particular.
    pub(crate) workstation_id: Option<String>,
    /// What for, as its site says; null otherwise.
    pub(crate) purpose: Option<String>,
    /// On which legal basis, as its site says; null otherwise.
    pub(crate) legal_basis: Option<String>,
    /// What it may do.
    pub(crate) scopes: Vec<&'static str>,
    /// The consumer profiles it may read under.
    #[schema(example = json!(["clinic"]))]
    pub(crate) profiles: Vec<String>,
    /// The fields of a record it may have.
    pub(crate) fields: Vec<&'static str>,
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CallerKind)]
pub(crate) enum CallerKindJson {
    /// A program with a token of the settings.
    Program,
    /// A page with a token of the settings.
    Page,
    /// A page of a site whose backend signed for it.
    Site,
    /// A page with a key that a person let in.
    Paired,
    /// A program at the local socket.
    LocalProgram,
    /// What a door of the settings reads for.
    Door,
}

impl From<CallerKind> for CallerKindJson {
    fn from(kind: CallerKind) -> Self {
        match kind {
            CallerKind::Program => Self::Program,
            CallerKind::Page => Self::Page,
            CallerKind::Site => Self::Site,
            CallerKind::Paired => Self::Paired,
            CallerKind::LocalProgram => Self::LocalProgram,
            CallerKind::Door => Self::Door,
        }
    }
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionJson<'a> {
    /// What the page shows with every request: `Authorization: Bearer` and this.
    #[schema(example = "cs_6ooWc5yJ3HqYb0m3M8b1pVZb3mJ9H7n0c1rQpF2wX5k", pattern = "^cs_[A-Za-z0-9_-]{43}$")]
    pub(crate) token: &'a str,
    /// `Bearer`.
    pub(crate) token_type: &'static str,
    /// Seconds it lasts.
    #[schema(minimum = 60, maximum = 3600)]
    pub(crate) expires_in: u64,
    /// When it is over, by the agent's clock.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
    /// Whose it is, and what they may do.
    pub(crate) caller: CallerJson,
}

/// Who the agent is, proved.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentIdentity)]
pub(crate) struct IdentityJson {
    /// Its id: the thumbprint (RFC 7638) of its key.
    #[schema(example = "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s", pattern = "^[A-Za-z0-9_-]{43}$")]
    pub(crate) agent_id: String,
    /// What sites call this desk; null where it has no name.
    pub(crate) workstation_id: Option<String>,
    /// Its public key: a JSON Web Key on P-256, as a text.
    pub(crate) key: String,
    /// The proof: a JSON Web Signature in compact form.
    #[schema(pattern = "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]{86}$")]
    pub(crate) proof: String,
}
