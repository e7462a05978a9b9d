//! Looks for newer settings while the desk runs.

use anyhow::{Context as _, Result};
use cccd_profiles::{AgentSettings, ServedSettings};
use tokio::sync::watch;

use super::{Looked, look, source};

/// A thread that looks now and then, and at once when the program is told to (SIGHUP).
pub(crate) struct Follower {
    newest: watch::Receiver<u64>,
    stop: watch::Sender<bool>,
    thread: std::thread::JoinHandle<()>,
}

impl Follower {
    /// Looks once, and goes on looking. `None` where nothing is served to this desk.
    pub(crate) fn start(own_text: &str, own: &AgentSettings) -> Result<Option<Self>> {
        let Some(served) = own.served.clone() else { return Ok(None) };
        let source = source(&served)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let own_text = own_text.to_owned();
        let (send, newest) = watch::channel(0);
        let (stop, mut stopped) = watch::channel(false);
        let mut told = runtime.block_on(async { Told::listen() }).context("cannot wait for signals")?;
        // What is served now is there before the desk starts; a server that is away holds it up no longer than within_s.
        runtime.block_on(one_look(&own_text, &served, &source, &send));
        let follow = async move {
            loop {
                tokio::select! {
                    () = told.one() => {}
                    () = tokio::time::sleep(served.every) => {}
                    () = stopped_of(&mut stopped) => return,
                }
                one_look(&own_text, &served, &source, &send).await;
            }
        };
        let thread = std::thread::Builder::new()
            .name("served-settings".to_owned())
            .spawn(move || runtime.block_on(follow))
            .context("cannot start a thread")?;
        Ok(Some(Self { newest, stop, thread }))
    }

    /// Ends when something newer has been taken since the last time.
    pub(crate) async fn changed(&mut self) {
        if self.newest.changed().await.is_err() {
            // Nobody looks any more.
            std::future::pending::<()>().await;
        }
    }

    /// What has come until now is what the desk is about to start with.
    pub(crate) fn seen(&mut self) {
        self.newest.mark_unchanged();
    }

    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.thread.join();
    }
}

async fn one_look(
    own_text: &str,
    served: &ServedSettings,
    source: &cccd_delivery::WebSource,
    newest: &watch::Sender<u64>,
) {
    match look(own_text, served, source).await {
        Ok(Looked::New(document)) => {
            tracing::info!(version = document.version, "newer settings are served");
            newest.send_replace(document.version);
        }
        Ok(Looked::Known) => {}
        // The last good stay in force.
        Err(error) => tracing::warn!("no served settings were taken: {error:#}"),
    }
}

async fn stopped_of(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// A request to look at once (SIGHUP): one that comes during a look leads to another.
struct Told {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Told {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup())? })
    }

    async fn one(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    async fn one(&mut self) {
        std::future::pending().await
    }
}
