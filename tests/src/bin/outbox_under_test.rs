//! Puts messages into an outbox and delivers them until none is left: the program that is killed in tests.
//!
//! Arguments: the folder, the receiver's address, how many messages.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cccd_delivery::{Carrier, Carriers, TargetFiles};
use cccd_profiles::{DeliveryOrder, DeliveryTarget, TargetKind, TargetUrl, WebAccess, WebhookTarget};
use cccd_store::{NewMessage, Outbox};
use time::OffsetDateTime;
use time::macros::datetime;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outbox-under-test: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A clock that runs a hundred times as fast, so that nobody waits for waits that grow: what was to be tried again in five
/// seconds is due after fifty milliseconds. All runs of the program have the same.
#[expect(clippy::disallowed_methods, reason = "the clock of a program is asked by the program")]
fn now() -> OffsetDateTime {
    let begun = datetime!(2026-01-01 00:00 UTC);
    begun + (OffsetDateTime::now_utc() - begun) * 100
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("folder, address, messages");
    let (folder, address, messages) = (next()?, next()?, next()?.parse::<usize>()?);
    let outbox = Arc::new(Outbox::open(folder.as_ref(), now())?);
    let target = DeliveryTarget {
        name: "receiver".to_owned(),
        order: DeliveryOrder::Free,
        kind: TargetKind::Webhook(Box::new(WebhookTarget {
            url: TargetUrl::parse(&address).context("an address")?,
            secret_file: None,
            access: WebAccess::usual(),
            within: Duration::from_secs(10),
        })),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let carriers = Carriers::start(
            &outbox,
            vec![Carrier::new(&target, &TargetFiles::default(), None)?],
            &(Arc::new(now) as _),
        );
        for number in 0..messages {
            let key = format!("message-{number}");
            let message =
                NewMessage { target: "receiver", key: &key, content_type: "application/json", body: b"{}" };
            outbox.put(message, now())?;
            carriers.wake();
        }
        while !outbox.list()?.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            // They sleep by another clock than theirs.
            carriers.wake();
        }
        carriers.stop().await;
        anyhow::Ok(())
    })
}
