//! The connection to the fleet's broker, kept up.

use std::sync::Arc;
use std::time::Duration;

use cccd_profiles::FleetSettings;
use cccd_store::Failure;
use rumqttc::{
    AsyncClient, ConnectionError, DisconnectReasonCode, Event, EventLoop, LastWill, MqttOptions, Packet,
    PubAckReason, Publish, PublishOptions, PublishProperties, PublishResult, StateError, TlsConfiguration,
    Transport,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::report::{Presence, PresenceState};
use super::topic;
use crate::{NotATarget, TargetFiles, tls};

/// How long the broker may be silent, in seconds; it takes a desk for lost after one and a half times that.
const KEEP_ALIVE: u16 = 30;
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// The wait after a connection that failed, which doubles with each, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long presence and reports may take, and ending at most.
const WITHIN: Duration = Duration::from_secs(10);
/// Messages that are not acknowledged yet, either way. The library keeps a place for each: for the usual 65,535 that
/// were 16 MiB a connection.
const AT_ONCE: u16 = 32;
/// Nobody has anything long to say to a desk, and to a watcher no more than reports.
const LONGEST_INCOMING: u32 = 64 << 10;

/// Who connects.
pub(super) enum Role {
    /// A desk: the broker says so when it is lost.
    Desk,
    /// Somebody who looks at desks, under this name.
    Watcher { id: String, incoming: mpsc::Sender<Publish> },
}

/// A connection to the broker. Clones are the same connection.
#[derive(Clone)]
pub struct Broker {
    client: AsyncClient,
    link: watch::Receiver<Link>,
    task: Arc<JoinHandle<()>>,
    settings: Arc<FleetSettings>,
}

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Link {
    /// How many there have been, and 0 while there is none.
    up: u64,
    /// The longest packet the broker takes; 0: any.
    max_packet: u32,
}

impl Broker {
    /// Connects this desk, now and whenever the connection is lost. Called within a runtime.
    pub fn connect(settings: &FleetSettings, files: &TargetFiles) -> Result<Self, NotATarget> {
        Self::connect_as(settings, files, Role::Desk)
    }

    pub(super) fn connect_as(
        settings: &FleetSettings,
        files: &TargetFiles,
        role: Role,
    ) -> Result<Self, NotATarget> {
        let id = match &role {
            Role::Desk => format!("{}-{}", settings.topics.replace('/', "-"), settings.desk),
            Role::Watcher { id, .. } => id.clone(),
        };
        let mut options = MqttOptions::new(id, (settings.broker.host.as_str(), settings.broker.port));
        options.set_keep_alive(KEEP_ALIVE);
        // What is not acknowledged is in the outbox: a session at the broker would only say it twice.
        options.set_clean_start(true);
        options.set_connect_timeout(CONNECT_WITHIN);
        options.set_max_packet_size(Some(LONGEST_INCOMING));
        options.set_outgoing_inflight_upper_limit(AT_ONCE);
        options.set_receive_maximum(Some(AT_ONCE));
        if settings.broker.is_tls {
            let config = Arc::new(tls::client_config(&settings.tls, files)?);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        if let Some(login) = &settings.login {
            let password = files.password.as_ref().map_or("", |text| text.trim_end_matches(['\r', '\n']));
            options.set_credentials(login.username.as_str(), password.as_bytes().to_vec());
        }
        let incoming = match role {
            Role::Desk => {
                let lost = Presence {
                    state: PresenceState::Lost,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    since: None,
                };
                let lost = serde_json::to_vec(&lost).unwrap_or_default();
                let qos = rumqttc::QoS::AtLeastOnce;
                options.set_last_will(LastWill::new(topic(settings, "presence"), lost, qos, true, None));
                None
            }
            Role::Watcher { incoming, .. } => Some(incoming),
        };
        let (client, events) =
            AsyncClient::builder(options).capacity(64).try_build().map_err(|_| NotATarget::Broker)?;
        let (send_link, link) = watch::channel(Link::default());
        let name = settings.broker.to_string();
        let task = Arc::new(tokio::spawn(keep_up(events, send_link, incoming, name)));
        Ok(Self { client, link, task, settings: Arc::new(settings.clone()) })
    }

    /// The settings it was made of.
    pub fn settings(&self) -> &FleetSettings {
        &self.settings
    }

    pub(super) fn client(&self) -> &AsyncClient {
        &self.client
    }

    /// Waits for the next connection after the one of this number, and gives its number.
    pub async fn connected_after(&mut self, number: u64) -> Option<u64> {
        let link = self.link.wait_for(|link| link.up > number).await.ok()?;
        Some(link.up)
    }

    /// Says that this desk is there. Whoever looks sees it until it says otherwise or is lost.
    pub async fn say(&self, presence: &Presence) -> Result<(), Failure> {
        let text = serde_json::to_vec(presence).map_err(|_| Failure::Passing("agent-fault"))?;
        self.retain("presence", text).await
    }

    /// Says how this desk does.
    pub async fn report(&self, report: &super::DeskReport) -> Result<(), Failure> {
        let text = serde_json::to_vec(report).map_err(|_| Failure::Passing("agent-fault"))?;
        self.retain("report", text).await
    }

    async fn retain(&self, part: &str, text: Vec<u8>) -> Result<(), Failure> {
        let properties = PublishProperties {
            content_type: Some("application/json".to_owned()),
            ..PublishProperties::default()
        };
        let options = PublishOptions::at_least_once().retained().properties(properties);
        let topic = topic(&self.settings, part);
        match self.publish(topic, text, options, WITHIN).await {
            // Nobody looks now; the broker keeps it for whoever comes.
            Ok(PubAckReason::Success | PubAckReason::NoMatchingSubscribers) => Ok(()),
            Ok(reason) => Err(refusal(reason)),
            Err(failure) => Err(failure),
        }
    }

    /// Publishes a sealed result. It has arrived when somebody listens to the topic and the broker answers for it: a
    /// shared subscription with a session that stays is somebody, whether its program runs at the moment or not.
    pub(crate) async fn publish_result(
        &self,
        part: &str,
        key: &str,
        sealed: String,
        within: Duration,
    ) -> Result<(), Failure> {
        let properties = PublishProperties {
            content_type: Some("application/jose".to_owned()),
            user_properties: vec![("idempotency-key".to_owned(), key.to_owned())],
            ..PublishProperties::default()
        };
        let topic = topic(&self.settings, &format!("results/{part}"));
        let options = PublishOptions::at_least_once().properties(properties);
        match self.publish(topic, sealed.into_bytes(), options, within).await? {
            PubAckReason::Success => Ok(()),
            PubAckReason::NoMatchingSubscribers => Err(Failure::Passing("nobody-listens")),
            reason => Err(refusal(reason)),
        }
    }

    pub(super) async fn publish(
        &self,
        topic: String,
        text: Vec<u8>,
        options: PublishOptions,
        within: Duration,
    ) -> Result<PubAckReason, Failure> {
        let link = *self.link.borrow();
        if link.up == 0 {
            return Err(Failure::Passing("broker-unreachable"));
        }
        // Topic, properties and lengths around the text are far less than this.
        let whole = u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(1024);
        if link.max_packet != 0 && whole > link.max_packet {
            return Err(Failure::Lasting("too-large"));
        }
        let published = async {
            let notice = self.client.publish_tracked(topic, text, options).await.ok()?;
            notice.wait_async().await.ok()
        };
        match tokio::time::timeout(within, published).await {
            Ok(Some(PublishResult::Qos1(ack))) => Ok(ack.reason),
            Ok(Some(_)) => Ok(PubAckReason::Success),
            Ok(None) => Err(Failure::Passing("connection-lost")),
            Err(_) => Err(Failure::Passing("timeout")),
        }
    }

    /// Takes leave: the broker is told that this desk was stopped, and does not take it for lost.
    pub async fn stop(self, presence: Option<Presence>) {
        if let Some(presence) = presence {
            let _ = self.say(&presence).await;
        }
        if self.client.disconnect_with_timeout(WITHIN).await.is_ok() {
            let mut link = self.link.clone();
            let gone = async {
                // The sender goes with the task.
                while link.changed().await.is_ok() {}
            };
            let _ = tokio::time::timeout(WITHIN, gone).await;
        }
        self.task.abort();
    }
}

fn refusal(reason: PubAckReason) -> Failure {
    match reason {
        PubAckReason::NotAuthorized => Failure::Passing("not-authorised"),
        PubAckReason::QuotaExceeded => Failure::Passing("too-many"),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => {
            Failure::Lasting("refused-by-receiver")
        }
        _ => Failure::Passing("receiver-fault"),
    }
}

/// Polls the connection for as long as anybody holds it.
async fn keep_up(
    mut events: EventLoop,
    link: watch::Sender<Link>,
    incoming: Option<mpsc::Sender<Publish>>,
    name: String,
) {
    let mut wait = FIRST_WAIT;
    let mut number = 0;
    let mut is_leaving = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                wait = FIRST_WAIT;
                number += 1;
                let max_packet = ack.properties.and_then(|known| known.max_packet_size).unwrap_or_default();
                link.send_replace(Link { up: number, max_packet });
                tracing::info!(broker = name, "connected");
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if let Some(incoming) = &incoming
                    && incoming.send(publish).await.is_err()
                {
                    return;
                }
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => is_leaving = true,
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => return,
            Err(_) if is_leaving => return,
            Err(error) => {
                link.send_replace(Link::default());
                if is_taken_over(&error) {
                    tracing::error!(broker = name, "another desk is connected under this desk's name");
                    wait = LONGEST_WAIT;
                }
                // What a broker says of itself is not written: anybody may stand there.
                tracing::warn!(broker = name, why = why(&error), "not connected");
                tokio::time::sleep(spread(wait)).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

fn is_taken_over(error: &ConnectionError) -> bool {
    matches!(
        error,
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. })
            if *reason_code == DisconnectReasonCode::SessionTakenOver
    )
}

fn why(error: &ConnectionError) -> &'static str {
    match error {
        ConnectionError::Timeout(_) => "timeout",
        ConnectionError::Tls(_) => "tls",
        ConnectionError::Io(_) => "connection",
        ConnectionError::ConnectionRefused(_) => "refused",
        ConnectionError::MqttState(_) => "connection-lost",
        _ => "protocol",
    }
}

/// Between half of it and all of it: a province's desks do not come back in the same instant.
fn spread(wait: Duration) -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    wait / 2 + wait / 2 * u32::from(byte[0]) / 255
}
