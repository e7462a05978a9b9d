//! Doors for programs that know another reader's messages: opened where the settings name them.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use cccd_api::Api;
use cccd_profiles::{Door, DoorKind};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An open door.
pub(crate) struct OpenDoor {
    /// Where it listens, if it is one that does.
    pub(crate) address: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl OpenDoor {
    /// Closes it.
    pub(crate) async fn close(self) {
        let _ = self.stop.send(());
        let _ = self.serving.await;
    }
}

/// Opens the doors of the settings, and no other.
pub(crate) async fn open(doors: &[Door], api: &Api) -> Result<Vec<OpenDoor>> {
    let mut open = Vec::new();
    for door in doors {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let api = api.clone();
        let (address, serving) = match &door.kind {
            DoorKind::Hn212 { listen } => {
                let listener = TcpListener::bind(listen).await.with_context(|| {
                    format!("cannot listen on {listen}; is a reader or another program on this port?")
                })?;
                let address = listener.local_addr().context("cannot tell the address")?;
                tracing::info!(%address, caller = %door.caller, "a door with the HN212's messages is open");
                let door = cccd_api::open_reader_door(listener, api, door, shutdown).await;
                (Some(address), tokio::spawn(door))
            }
            DoorKind::Jth { address, .. } => {
                tracing::info!(%address, caller = %door.caller, "readings are posted in the JTH program's fields");
                (None, tokio::spawn(cccd_api::open_webhook(api, door, shutdown).await))
            }
        };
        open.push(OpenDoor { address, stop, serving });
    }
    Ok(open)
}
