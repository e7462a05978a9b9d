//! The outbox of this machine: what the API puts in, and what carries it away.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cccd_api::{Deliveries, NotKept};
use cccd_delivery::{Carrier, Carriers};
use cccd_profiles::{AgentSettings, TargetKind};
use cccd_store::{NewMessage, Outbox};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::daemon::now;
use crate::private_file::require_private;

/// The longest secret of a webhook.
const LONGEST_SECRET: u64 = 256;

/// Where the API puts what is to be delivered.
pub(crate) struct OutboxDesk {
    outbox: Arc<Outbox>,
    names: BTreeSet<String>,
    waker: Arc<Notify>,
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
}

/// Opens the outbox and starts what carries it away; `None` where the settings name no target. Called within the
/// runtime.
pub(crate) fn start(settings: &AgentSettings) -> Result<Option<(OutboxDesk, Carriers)>> {
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
    let carriers = settings
        .targets
        .iter()
        .map(|target| {
            let secret = match &target.kind {
                TargetKind::Webhook(webhook) => webhook.secret_file.as_deref().map(secret_in).transpose()?,
                TargetKind::Folder(_) => None,
            };
            let secret = secret.as_ref().map(|text| text.as_str());
            Carrier::new(target, secret).with_context(|| format!("target {:?} cannot be used", target.name))
        })
        .collect::<Result<Vec<_>>>()?;
    let names = settings.targets.iter().map(|target| target.name.clone()).collect();
    let carriers = Carriers::start(&outbox, carriers, &(Arc::new(now) as _));
    let waker = carriers.waker();
    Ok(Some((OutboxDesk { outbox, names, waker }, carriers)))
}

fn secret_in(path: &Path) -> Result<Zeroizing<String>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    require_private(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(512));
    file.take(LONGEST_SECRET).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
    Ok(text)
}
