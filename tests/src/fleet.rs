//! Simulated desks of one operator, on one broker.

use anyhow::{Result, anyhow, ensure};
use cccd_delivery::TargetFiles;
use cccd_delivery::fleet::{Broker, DeskReport, OutboxCounts, Presence, PresenceState, ReaderReport};
pub use cccd_patience::PATIENCE;
use cccd_profiles::{BrokerUrl, FleetSettings, PeerTls, PersonalData};

/// The settings of a desk on a plain broker of this machine.
pub fn settings(port: u16, desk: &str) -> FleetSettings {
    FleetSettings {
        broker: BrokerUrl { host: "127.0.0.1".to_owned(), port, is_tls: false },
        desk: desk.to_owned(),
        topics: "cccd".to_owned(),
        login: None,
        tls: PeerTls::usual(),
        report_every: PATIENCE,
        personal_data: PersonalData::Never,
    }
}

/// A desk that says it is there.
pub fn presence() -> Presence {
    Presence {
        state: PresenceState::Up,
        version: "0.1.0".to_owned(),
        since: Some("2026-11-29T07:00:00Z".to_owned()),
    }
}

/// A desk that has read so many cards.
pub fn report(readings: u64) -> DeskReport {
    DeskReport {
        at: "2026-11-29T08:00:00Z".to_owned(),
        started_at: "2026-11-29T07:00:00Z".to_owned(),
        version: "0.1.0".to_owned(),
        configuration: Some(7),
        readers: vec![ReaderReport { name: "Simulated Reader 1 00 00".to_owned() }],
        readings_completed: readings,
        readings_failed: [("card-removed".to_owned(), 2)].into(),
        outbox: Some(OutboxCounts { waiting: 1, dead: 0 }),
    }
}

/// Connects a desk, says that it is there and what it has done.
pub async fn desk(port: u16, number: usize) -> Result<Broker> {
    let settings = settings(port, &format!("desk-{number:04}"));
    let mut broker = Broker::connect(&settings, &TargetFiles::default())?;
    let connected = tokio::time::timeout(PATIENCE, broker.connected_after(0)).await?;
    ensure!(connected.is_some(), "a connection");
    broker.say(&presence()).await.map_err(|failure| anyhow!("presence: {failure:?}"))?;
    let readings = u64::try_from(number)?;
    broker.report(&report(readings)).await.map_err(|failure| anyhow!("report: {failure:?}"))?;
    Ok(broker)
}

/// So many desks, a hundred at a time as they would come after a power cut.
pub async fn desks(port: u16, count: usize) -> Result<Vec<Broker>> {
    let mut desks = Vec::with_capacity(count);
    for first in (0..count).step_by(100) {
        let some = (first..count.min(first + 100)).map(|number| tokio::spawn(desk(port, number)));
        for desk in some.collect::<Vec<_>>() {
            desks.push(desk.await??);
        }
    }
    Ok(desks)
}
