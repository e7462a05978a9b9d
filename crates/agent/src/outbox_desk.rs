//! The outbox of this machine: what the API puts in, and what carries it away.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cccd_api::{Deliveries, NotKept, OnTheWay};
use cccd_delivery::fleet::Broker;
use cccd_delivery::{Carrier, Carriers, Signer};
use cccd_evidence::{AgentKey, Delivered};
use cccd_profiles::AgentSettings;
use cccd_store::{NewMessage, Outbox};
use tokio::sync::Notify;

use crate::daemon::now;
use crate::target_files;

/// Where the API puts what is to be delivered.
pub(crate) struct OutboxDesk {
    outbox: Arc<Outbox>,
    names: BTreeSet<String>,
    waker: Arc<Notify>,
}

impl OutboxDesk {
    /// What is on its way.
    pub(crate) fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }
}

impl Deliveries for OutboxDesk {
    fn has(&self, target: &str) -> bool {
        self.names.contains(target)
    }

    fn put(&self, target: &str, key: &str, body: &[u8]) -> Result<(), NotKept> {
        let message = NewMessage { target, key, content_type: "application/json", body };
        match self.outbox.put(message, now()) {
            Ok(_) => {
                self.waker.notify_waiters();
                Ok(())
            }
            Err(error) => {
                tracing::error!(target_name = target, %error, "a result cannot be kept for delivery");
                Err(NotKept)
            }
        }
    }

    fn on_the_way(&self) -> Option<OnTheWay> {
        let (waiting, dead) = self.outbox.counts().ok()?;
        Some(OnTheWay { waiting, dead, oldest_waiting: self.outbox.oldest_waiting().ok()? })
    }
}

/// Signs results of this desk.
fn signer(desk: &str, key: Arc<AgentKey>) -> Signer {
    let desk = desk.to_owned();
    Arc::new(move |audience, name, result| {
        let delivered = Delivered { desk: &desk, audience, key: name, at: now() };
        delivered.sign(result, &key, &mut getrandom::SysRng)
    })
}

/// Opens the outbox and starts what carries it away; `None` where the settings name no target. Called within the
/// runtime.
pub(crate) fn start(
    settings: &AgentSettings,
    broker: Option<&Broker>,
    key: Option<Arc<AgentKey>>,
) -> Result<Option<(OutboxDesk, Carriers)>> {
    if settings.targets.is_empty() {
        return Ok(None);
    }
    let folder = &settings.outbox.folder;
    let outbox = Outbox::open(folder, now())
        .with_context(|| format!("cannot open the outbox in {}", folder.display()))?;
    if let Some(aside) = outbox.moved_aside() {
        tracing::error!(moved_to = %aside.display(), "the outbox could not be used, and a new one was begun");
    }
    let outbox = Arc::new(outbox);
    let signer = broker.zip(key).map(|(broker, key)| signer(&broker.settings().desk, key));
    let broker = broker.map(|broker| (broker, signer.as_ref()));
    let carriers = settings
        .targets
        .iter()
        .map(|target| {
            let name = &target.name;
            let files =
                target_files::read(target).with_context(|| format!("target {name:?} cannot be used"))?;
            Carrier::new(target, &files, broker).with_context(|| format!("target {name:?} cannot be used"))
        })
        .collect::<Result<Vec<_>>>()?;
    let names = settings.targets.iter().map(|target| target.name.clone()).collect();
    let carriers = Carriers::start(&outbox, carriers, &(Arc::new(now) as _));
    let waker = carriers.waker();
    Ok(Some((OutboxDesk { outbox, names, waker }, carriers)))
}
