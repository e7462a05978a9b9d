//! A look at all desks of a fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use cccd_profiles::FleetSettings;
use rumqttc::{PubAckReason, Publish, PublishOptions, QoS, SubscribeFilterInput};
use tokio::sync::mpsc;

use super::broker::{Broker, Role};
use super::report::{DeskReport, Presence};
use crate::{NotATarget, TargetFiles};

/// The most desks that are listed: anybody with a login may invent some.
const MOST_DESKS: usize = 100_000;

/// A desk as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeskView {
    /// Whether it is there; `None` where it has not said so in a way that is understood.
    pub presence: Option<Presence>,
    /// What it last said of itself.
    pub report: Option<DeskReport>,
}

/// All desks, by their names.
pub type FleetView = BTreeMap<String, DeskView>;

/// Why the fleet was not seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] NotATarget),
    /// The broker did not answer, or did not let us in.
    #[error("the broker does not answer, or does not let this program in")]
    Unreachable,
    /// The broker does not let us see desks.
    #[error("the broker does not let this program see {0}")]
    NotAllowed(String),
    /// It did not say everything in time.
    #[error("the broker has not said everything in time; {0} desks were seen")]
    Late(usize),
    /// No randomness.
    #[error("this machine has no randomness")]
    Randomness,
}

/// Connects beside the desks and collects what the broker keeps of them.
pub async fn look(
    settings: &FleetSettings,
    files: &TargetFiles,
    within: Duration,
) -> Result<FleetView, LookError> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(|_| LookError::Randomness)?;
    let id = format!("watcher-{:016x}", u64::from_be_bytes(id));
    let (send, mut incoming) = mpsc::channel(256);
    let role = Role::Watcher { id: id.clone(), incoming: send };
    let mut broker = Broker::connect_as(settings, files, role)?;
    let mut fleet = FleetView::new();
    let seen = tokio::time::timeout(within, collect(&mut broker, &id, &mut incoming, &mut fleet)).await;
    // Whatever still comes is of no use, and must not keep the connection from ending.
    drop(incoming);
    broker.stop(None).await;
    match seen {
        Ok(Ok(())) => Ok(fleet),
        Ok(Err(error)) => Err(error),
        Err(_) if fleet.is_empty() => Err(LookError::Unreachable),
        Err(_) => Err(LookError::Late(fleet.len())),
    }
}

async fn collect(
    broker: &mut Broker,
    id: &str,
    incoming: &mut mpsc::Receiver<Publish>,
    fleet: &mut FleetView,
) -> Result<(), LookError> {
    broker.connected_after(0).await.ok_or(LookError::Unreachable)?;
    let topics = broker.settings().topics.clone();
    let mark = format!("{topics}/watchers/{id}");
    let prefix = format!("{topics}/desks/");
    // QoS 0: the broker sends what it keeps without a queue that could be too short for a province.
    let names = [
        (mark.clone(), QoS::AtLeastOnce),
        (format!("{prefix}+/presence"), QoS::AtMostOnce),
        (format!("{prefix}+/report"), QoS::AtMostOnce),
    ];
    let filters = names.clone().map(|(name, qos)| SubscribeFilterInput::new(name, qos));
    let subscribed =
        broker.client().subscribe_many_tracked(filters).await.map_err(|_| LookError::Unreachable)?;
    // What is kept comes before and after the broker's answer: it is taken meanwhile.
    let mut marked = None;
    let answered = async {
        let ack = subscribed.wait_async().await.map_err(|_| LookError::Unreachable)?;
        let refused = ack
            .return_codes
            .iter()
            .zip(&names)
            .find(|(code, _)| !matches!(code, rumqttc::SubscribeReasonCode::Success(_)));
        if let Some((_, (name, _))) = refused {
            return Err(LookError::NotAllowed(name.clone()));
        }
        let options = PublishOptions::at_least_once();
        let published = broker.publish(mark.clone(), Vec::new(), options, Duration::from_secs(600)).await;
        match published.map_err(|_| LookError::Unreachable)? {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
            // mosquitto says yes to every subscription, and sends nothing that its rules do not allow.
            _ => Err(LookError::NotAllowed(mark.clone())),
        }
    };
    tokio::pin!(answered);
    let mut is_answered = false;
    while marked.is_none() {
        tokio::select! {
            answer = &mut answered, if !is_answered => {
                answer?;
                is_answered = true;
            }
            publish = incoming.recv() => {
                let publish = publish.ok_or(LookError::Unreachable)?;
                if publish.topic == mark.as_bytes() {
                    marked = Some(());
                } else {
                    note(fleet, &prefix, &publish);
                }
            }
        }
    }
    Ok(())
}

/// What one message says. Anybody with a login may have written it.
fn note(fleet: &mut FleetView, prefix: &str, publish: &Publish) {
    let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
    let Some((desk, part)) = topic.strip_prefix(prefix).and_then(|rest| rest.split_once('/')) else { return };
    let is_named = (1..=64).contains(&desk.len())
        && desk.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_named || (fleet.len() >= MOST_DESKS && !fleet.contains_key(desk)) {
        return;
    }
    let view = fleet.entry(desk.to_owned()).or_default();
    match part {
        "presence" => view.presence = serde_json::from_slice(&publish.payload).ok(),
        "report" => view.report = serde_json::from_slice(&publish.payload).ok(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::PresenceState;
    use super::*;

    fn said(fleet: &mut FleetView, topic: &str, text: &str) {
        note(fleet, "cccd/desks/", &Publish::new(topic, QoS::AtMostOnce, text.as_bytes().to_vec(), None));
    }

    #[test]
    fn what_desks_say_is_taken_and_what_is_none_is_not() {
        let mut fleet = FleetView::new();
        said(&mut fleet, "cccd/desks/hue-7/presence", r#"{"state":"up","version":"0.1.0","more":1}"#);
        assert_eq!(fleet["hue-7"].presence.as_ref().unwrap().state, PresenceState::Up);
        for topic in ["cccd/desks/hue-7", "cccd/desks/a b/presence", "cccd/desks//presence", "other/presence"]
        {
            said(&mut fleet, topic, "{}");
        }
        assert_eq!(fleet.len(), 1);
        for text in ["", "[]", "{\"state\":\"gone\"}", &"[".repeat(10_000)] {
            said(&mut fleet, "cccd/desks/hue-7/presence", text);
            assert_eq!(fleet["hue-7"], DeskView::default(), "{text}");
        }
    }
}
