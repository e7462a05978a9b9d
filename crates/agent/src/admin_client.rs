//! Asks the running agent through its admin socket.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_profiles::AgentSettings;
use reqwest::Method;
use serde_json::Value;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// What the agent was asked, and answered.
pub(crate) struct AdminClient {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl AdminClient {
    /// A client for the agent of these settings.
    #[cfg(unix)]
    pub(crate) fn of(settings: &AgentSettings) -> Result<Self> {
        let Some(socket) = &settings.local.admin_socket else {
            bail!(
                "cấu hình không có admin.socket · the settings have no admin.socket, so there is no such door"
            );
        };
        let client =
            reqwest::Client::builder().unix_socket(socket.as_path()).no_proxy().timeout(WITHIN).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            client: client.context("cannot make a client")?,
            runtime: runtime.context("cannot start the runtime")?,
        })
    }

    /// There is no such socket there yet.
    #[cfg(not(unix))]
    pub(crate) fn of(_: &AgentSettings) -> Result<Self> {
        bail!("there is no admin socket on this system yet")
    }

    /// The text of an answer.
    pub(crate) fn text(&self, method: Method, path: &str) -> Result<String> {
        self.runtime.block_on(async {
            // The name is needed by the protocol and by nobody else.
            let request = self.client.request(method, format!("http://admin{path}"));
            let answer = request.send().await.context(
                "không gọi được cccd-agent qua admin.socket · cannot reach cccd-agent through admin.socket; is it running, \
                 and are you root or the user it runs as?",
            )?;
            let status = answer.status();
            let text = answer.text().await.context("the answer broke off")?;
            if status.is_success() {
                return Ok(text);
            }
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let told = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
            bail!("{status}: {} · {}", told("title_vi"), told("title"))
        })
    }

    /// The same as JSON.
    pub(crate) fn json(&self, method: Method, path: &str) -> Result<Value> {
        serde_json::from_str(&self.text(method, path)?).context("not JSON")
    }
}
