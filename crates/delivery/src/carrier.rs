//! One task for each target, that carries what lies in the outbox for it.

use std::sync::Arc;
use std::time::Duration;

use cccd_jose::{KeyFault, RecipientKey, SealRandom};
use cccd_profiles::{DeliveryOrder, DeliveryTarget, FolderTarget, TargetKind};
use cccd_store::{Due, DueMessage, Failure, Order, Outbox, StoreError};
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::fleet::Broker;
use crate::webhook::Webhook;
use crate::{NotASecret, TargetFiles, folder};

/// How long a task sleeps at most: an operator's `retry` beside the daemon is seen by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// The time of day.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Why a target of the settings cannot be delivered to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotATarget {
    /// Its secret is none.
    #[error(transparent)]
    Secret(#[from] NotASecret),
    /// No HTTP client can be made for it.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// Its authorities are none.
    #[error("ca_file holds no certificate in PEM")]
    Authorities,
    /// Its certificate or key are none.
    #[error("certificate and key hold no certificate and private key (PKCS #8, not encrypted) in PEM")]
    Identity,
    /// TLS cannot be set up.
    #[error("cannot set TLS up")]
    Tls(#[source] rustls::Error),
    /// No MQTT client can be made, or there is none to publish through.
    #[error("there is no broker to publish through")]
    Broker,
    /// This machine has no key to sign results with.
    #[error("results leave through the broker signed, and this machine has no key: evidence.key_file")]
    Unsigned,
    /// Its recipient's key is none.
    #[error("recipient_file: {0}; needed is a JSON Web Key, EC on P-256, for ECDH-ES")]
    Recipient(#[from] KeyFault),
    /// The client's secret is none.
    #[error("oauth.secret_file: holds no secret: one line of printable characters")]
    OAuthSecret,
}

/// What carries messages to one target.
pub struct Carrier {
    name: String,
    order: Order,
    way: Way,
}

enum Way {
    Webhook(Box<Webhook>),
    Folder(FolderTarget),
    Broker(Box<BrokerWay>),
}

/// A topic, and whom what is published there is sealed to.
struct BrokerWay {
    broker: Broker,
    topic: String,
    recipient: RecipientKey,
    signer: Signer,
    within: Duration,
}

/// Signs a result that leaves through the broker, as this machine: for which topic, under which key, of these bytes. `None`
/// where it cannot be signed.
pub type Signer = Arc<dyn Fn(&str, &str, &[u8]) -> Option<Zeroizing<String>> + Send + Sync>;

/// What the content is that lies in the seal (RFC 7519, 5.2).
const SIGNED: &str = "JWT";

impl Carrier {
    /// Of a target of the settings, and what lies in the files it names; `broker` is the fleet's, where there is one, with
    /// what signs for this machine.
    pub fn new(
        target: &DeliveryTarget,
        files: &TargetFiles,
        broker: Option<(&Broker, Option<&Signer>)>,
    ) -> Result<Self, NotATarget> {
        let way = match &target.kind {
            TargetKind::Webhook(webhook) => Way::Webhook(Box::new(Webhook::new(webhook, files)?)),
            TargetKind::Folder(target) => Way::Folder(target.clone()),
            TargetKind::Broker(target) => {
                let (broker, signer) = broker.ok_or(NotATarget::Broker)?;
                Way::Broker(Box::new(BrokerWay {
                    broker: broker.clone(),
                    topic: target.topic.clone(),
                    recipient: RecipientKey::from_jwk(files.recipient.as_deref().unwrap_or_default())?,
                    signer: Arc::clone(signer.ok_or(NotATarget::Unsigned)?),
                    within: target.within,
                }))
            }
        };
        let order = match target.order {
            DeliveryOrder::Kept => Order::Kept,
            DeliveryOrder::Free => Order::Free,
        };
        Ok(Self { name: target.name.clone(), order, way })
    }

    /// The target's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, message: DueMessage, now: OffsetDateTime) -> (i64, Result<(), Failure>) {
        let id = message.id;
        let done = match &self.way {
            Way::Webhook(webhook) => webhook.deliver(&message, now).await,
            Way::Folder(target) => {
                let target = target.clone();
                let written =
                    tokio::task::spawn_blocking(move || folder::deliver(&target, &message, now)).await;
                written.unwrap_or(Err(Failure::Passing("agent-fault")))
            }
            Way::Broker(way) => way.deliver(&message).await,
        };
        (id, done)
    }
}

impl BrokerWay {
    async fn deliver(&self, message: &DueMessage) -> Result<(), Failure> {
        let no_randomness = Failure::Passing("agent-fault");
        let random = SealRandom::draw(getrandom::fill).map_err(|_| no_randomness)?;
        // Signed first, then sealed: nobody on the way learns whose signature it is, or puts another in its place.
        let signed = (self.signer)(&self.topic, &message.key, &message.body).ok_or(no_randomness)?;
        let sealed = self.recipient.seal(signed.as_bytes(), SIGNED, random).map_err(|_| no_randomness)?;
        self.broker.publish_result(&self.topic, &message.key, sealed, self.within).await
    }
}

/// All tasks that carry. They end when told to; what has not arrived lies in the outbox.
pub struct Carriers {
    stop: watch::Sender<bool>,
    wake: Arc<Notify>,
    tasks: Vec<JoinHandle<()>>,
}

impl Carriers {
    /// Starts one task for each target, on the runtime this is called on.
    pub fn start(outbox: &Arc<Outbox>, carriers: Vec<Carrier>, clock: &Clock) -> Self {
        let stop = watch::Sender::new(false);
        let wake = Arc::new(Notify::new());
        let tasks = carriers
            .into_iter()
            .map(|carrier| {
                let task = Task {
                    outbox: Arc::clone(outbox),
                    carrier: Arc::new(carrier),
                    clock: Arc::clone(clock),
                    wake: Arc::clone(&wake),
                };
                tokio::spawn(task.run(stop.subscribe()))
            })
            .collect();
        Self { stop, wake, tasks }
    }

    /// Something new lies in the outbox.
    pub fn wake(&self) {
        self.wake.notify_waiters();
    }

    /// What wakes them, for whoever puts messages in.
    pub fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Ends all tasks; an attempt that is under way is called off, and made again after a restart.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

struct Task {
    outbox: Arc<Outbox>,
    carrier: Arc<Carrier>,
    clock: Clock,
    wake: Arc<Notify>,
}

impl Task {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            // Before looking: what is put in between wakes.
            let woken = self.wake.notified();
            let sleep = match self.next().await {
                Ok(Due::Now(message)) => {
                    self.carry(message).await;
                    continue;
                }
                Ok(Due::Later(wait)) => wait.min(LONGEST_SLEEP),
                Ok(Due::Nothing) => LONGEST_SLEEP,
                Err(error) => {
                    tracing::error!(target_name = self.carrier.name, %error, "the outbox cannot be read");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(sleep) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn next(&self) -> Result<Due, StoreError> {
        let (outbox, carrier, now) = (Arc::clone(&self.outbox), Arc::clone(&self.carrier), (self.clock)());
        let due = tokio::task::spawn_blocking(move || outbox.due(&carrier.name, carrier.order, now)).await;
        // A task that panicked has read nothing.
        due.unwrap_or(Ok(Due::Nothing))
    }

    async fn carry(&self, message: DueMessage) {
        let now = (self.clock)();
        let (id, done) = self.carrier.deliver(message, now).await;
        let name = self.carrier.name.as_str();
        match done {
            Ok(()) => tracing::info!(target_name = name, message = id, "delivered"),
            Err(Failure::Passing(why)) => {
                tracing::warn!(target_name = name, message = id, why, "not delivered yet")
            }
            Err(Failure::Lasting(why)) => {
                tracing::error!(target_name = name, message = id, why, "a dead letter")
            }
        }
        let (outbox, now) = (Arc::clone(&self.outbox), (self.clock)());
        let noted = tokio::task::spawn_blocking(move || match done {
            Ok(()) => outbox.delivered(id, now),
            Err(failure) => outbox.failed(id, failure, now),
        })
        .await;
        if let Ok(Err(error)) = noted {
            // It is tried again: the receiver knows it by its key.
            tracing::error!(target_name = name, message = id, %error, "the outbox cannot be written");
            tokio::time::sleep(LONGEST_SLEEP).await;
        }
    }
}
