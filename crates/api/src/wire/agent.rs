//! What the agent says of itself.

use serde::Serialize;
use utoipa::ToSchema;

/// The answer of a health check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthJson {
    /// `ok` or `ready`.
    pub(crate) status: &'static str,
}

/// Versions and features.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentJson {
    /// `cccd-agent`.
    pub(crate) name: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub(crate) version: String,
    /// The API's version, as the paths name it.
    #[schema(example = "v1")]
    pub(crate) api_version: &'static str,
    /// The API's level: raised only where something that worked before would not any more.
    #[schema(minimum = 1, maximum = 1000)]
    pub(crate) api_level: u16,
    /// What this build can do. Look for a name here before relying on it.
    pub(crate) features: Vec<&'static str>,
}
