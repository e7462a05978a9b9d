//! The API at Unix sockets: who is at the other end, the operating system says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::Api;
use crate::admin;
use crate::callers::{Caller, Introduced, OwnConnection, Scheme};
use crate::server::{Door, Handler, LIMITS, Limits, serve_door};

/// A connection of a program may be silent for as long as a lease runs that is kept to it.
const PROGRAM_LIMITS: Limits = Limits { head_within: Duration::from_secs(150), ..LIMITS };
/// Administrators are few.
const ADMIN_LIMITS: Limits = Limits { connections: 16, ..LIMITS };

/// The process at the other end of a socket, as it was when it connected (SO_PEERCRED).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Whose process it is.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its number, where the system tells it.
    pub pid: Option<i32>,
}

/// Which caller a process is, if it is one.
pub type WhoCalls = Arc<dyn Fn(Peer) -> Option<Caller> + Send + Sync>;

impl Door for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

fn peer_of(stream: &UnixStream) -> Option<Peer> {
    let credentials = stream.peer_cred().ok()?;
    Some(Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

/// Serves `api` to programs of this machine until `shutdown` is done. No Host is asked for and no token; a process that
/// is nobody's is told so.
pub async fn serve_programs(
    listener: UnixListener,
    api: Api,
    who: WhoCalls,
    shutdown: impl Future<Output = ()> + Send,
) {
    let closing = watch::Sender::new(false);
    let desk = api.desk(Scheme::Http, 0, closing.subscribe());
    let engine = desk.engine.clone();
    let router = api.closing_router(Scheme::Http, 0, closing.subscribe());
    let greet = |stream: &UnixStream| {
        let peer = peer_of(stream)?;
        let caller = who(peer);
        tracing::debug!(?peer, known = caller.is_some(), "a program connects");
        let Some(caller) = caller else { return Some(Handler::to(&router, Some(Introduced::Stranger))) };
        let connection = OwnConnection::default();
        let closing = connection.closing(engine.clone());
        let caller = Caller { connection: Some(connection), ..caller };
        Some(Handler::to(&router, Some(Introduced::Known(Box::new(caller)))).closing(closing))
    };
    serve_door(listener, greet, &closing, shutdown, PROGRAM_LIMITS).await;
}

/// Serves the door of whoever looks after this machine until `shutdown` is done: to processes of root and of the user
/// this one runs as.
pub async fn serve_admin(
    listener: UnixListener,
    api: Api,
    own_uid: u32,
    shutdown: impl Future<Output = ()> + Send,
) {
    let closing = watch::Sender::new(false);
    let router = admin::router(api.desk(Scheme::Http, 0, closing.subscribe()));
    let greet = |stream: &UnixStream| {
        let peer = peer_of(stream)?;
        if peer.uid != 0 && peer.uid != own_uid {
            tracing::warn!(?peer, "not an administrator");
            return None;
        }
        Some(Handler::to(&router, None))
    };
    serve_door(listener, greet, &closing, shutdown, ADMIN_LIMITS).await;
}
