//! Connections: how many, how slow, and how they end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Api;
use crate::callers::{Closing, Introduced, Scheme};
use crate::peer::Connection;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; further ones wait to be accepted.
    pub(crate) connections: usize,
    /// How long a connection may take to send the head of its next request. An idle one is closed too.
    pub(crate) head_within: Duration,
    /// The longest request head, and the most that is buffered of a body.
    pub(crate) buffer: usize,
    /// How long open requests may go on once the server closes.
    pub(crate) close_within: Duration,
}

pub(crate) const LIMITS: Limits = Limits {
    // Every page that listens to events holds one.
    connections: 2048,
    head_within: Duration::from_secs(10),
    buffer: 32 * 1024,
    close_within: Duration::from_secs(5),
};

/// Serves `api` on `listener` until `shutdown` is done. Event streams end then, other requests are finished
/// if they can be within five seconds.
///
/// Only the listener's own port, under one of three loopback names, is accepted as the Host of a request.
///
/// Readings are counted from the moment that this has returned, through whichever door they are asked for.
pub fn serve<S: Future<Output = ()> + Send>(
    listener: TcpListener,
    api: Api,
    shutdown: S,
) -> impl Future<Output = io::Result<()>> + Send + use<S> {
    serve_within(listener, api, shutdown, LIMITS)
}

fn serve_within<S: Future<Output = ()> + Send>(
    listener: TcpListener,
    api: Api,
    shutdown: S,
    limits: Limits,
) -> impl Future<Output = io::Result<()>> + Send + use<S> {
    let counting = api.count_readings();
    async move {
        let closing = watch::Sender::new(false);
        let router = api.closing_router(Scheme::Http, listener.local_addr()?.port(), closing.subscribe());
        let counting = tokio::spawn(counting);
        let greet = |stream: &TcpStream| Some(Handler::to(&router, None).over(Connection::of(stream)));
        serve_door(listener, greet, &closing, shutdown, limits).await;
        counting.abort();
        Ok(())
    }
}

/// Where connections come in.
pub(crate) trait Door: Send + Sync {
    /// What a connection is.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next one.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Door for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = Self::accept(self).await?;
        // Small answers and single events must not wait to be joined by more.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// Answers the requests of one connection, after saying who is at its other end, where the door knows.
#[derive(Clone)]
pub(crate) struct Handler {
    router: TowerToHyperService<Router>,
    introduced: Option<Introduced>,
    connection: Option<Arc<Connection>>,
    /// Dropped with the connection, which ends what is kept to it.
    _closing: Option<Arc<Closing>>,
}

impl Handler {
    pub(crate) fn to(router: &Router, introduced: Option<Introduced>) -> Self {
        Self {
            router: TowerToHyperService::new(router.clone()),
            introduced,
            connection: None,
            _closing: None,
        }
    }

    /// The same, over a connection whose other end may be looked up.
    pub(crate) fn over(self, connection: Option<Arc<Connection>>) -> Self {
        Self { connection, ..self }
    }

    /// The same, and this ends with the connection.
    pub(crate) fn closing(self, closing: Closing) -> Self {
        Self { _closing: Some(Arc::new(closing)), ..self }
    }
}

impl Service<Request<Incoming>> for Handler {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if let Some(introduced) = &self.introduced {
            introduced.say(request.extensions_mut());
        }
        if let Some(connection) = &self.connection {
            request.extensions_mut().insert(Arc::clone(connection));
        }
        self.router.call(request)
    }
}

/// Serves whoever comes through `door` until `shutdown` is done. `greet` tells who answers a connection; none is, where
/// it gives nothing. Whoever makes a WebSocket of a connection ends it when `closing` says so.
pub(crate) async fn serve_door<D: Door>(
    door: D,
    greet: impl Fn(&D::Stream) -> Option<Handler> + Send,
    closing: &watch::Sender<bool>,
    shutdown: impl Future<Output = ()> + Send,
    limits: Limits,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_within).max_buf_size(limits.buffer);

    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, accept(&door).await))
        };
        let Some((place, stream)) = (tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => None,
        }) else {
            break;
        };
        let Some(handler) = greet(&stream) else { continue };
        let connection = http.serve_connection(TokioIo::new(stream), handler).with_upgrades();
        let mut told = closing.subscribe();
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = async { drop(told.wait_for(|closing| *closing).await) } => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(door);
    closing.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.close_within, ended).await.is_err() {
        connections.shutdown().await;
    }
}

/// The next connection, whatever goes wrong with those before it.
async fn accept<D: Door>(door: &D) -> D::Stream {
    loop {
        match door.accept().await {
            Ok(stream) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: the system tells nobody when there are some again,
                // and asking at once would turn in circles.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cccd_card::ChannelLimits;
    use cccd_document::{AccessKey, Biometrics, Can, FieldSet};
    use cccd_engine::{CallerId, Engine, EngineOptions, ReadRequest};
    use cccd_firmware_sim::reader::EchoCard;
    use cccd_firmware_sim::reader::in_process::InProcessReader;
    use cccd_patience::soon;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::AgentFacts;

    /// A server with these limits, and its address. It ends with the runtime of its test.
    async fn serve(limits: Limits) -> (Engine, std::net::SocketAddr) {
        let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
        let facts = AgentFacts { version: "0".to_owned(), features: vec![] };
        let api = Api::new(engine.handle(), Vec::new(), facts);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve_within(listener, api, std::future::pending(), limits));
        (engine, address)
    }

    async fn health(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            address.port()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("the answer", stream.read_to_string(&mut answer)).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_reading_that_ends_before_the_server_runs_is_counted() {
        let readers = InProcessReader::<EchoCard>::new();
        readers.attach("Lane 0", ChannelLimits::SHORT).unwrap();
        let engine = Engine::start(vec![Arc::new(readers)], Vec::new(), EngineOptions::default());
        let handle = engine.handle();
        assert!(soon("the first look", handle.settled()).await.unwrap());
        let facts = AgentFacts { version: "0".to_owned(), features: vec![] };
        let api = Api::new(handle.clone(), Vec::new(), facts);
        let admin = api.admin_router();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let serving = super::serve(listener, api, std::future::pending());

        let owner = CallerId::new("clinic");
        let request = ReadRequest {
            owner: owner.clone(),
            reader: None,
            access: AccessKey::Can(Can::new("123456").unwrap()).into(),
            nonce: None,
            expect: None,
            biometrics: Biometrics::NONE,
            under: None,
            groups: FieldSet::ALL.groups(),
            fields: FieldSet::ALL,
            wait_for_card: None,
        };
        let read = handle.submit(request).await.unwrap().unwrap().id;
        handle.dismiss(owner, read).await.unwrap().unwrap();

        tokio::spawn(serving);
        let is_counted = async {
            let counted = "cccd_readings_total{outcome=\"cancelled\"} 1";
            loop {
                let request = http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
                let answer = tower::ServiceExt::oneshot(admin.clone(), request).await.unwrap();
                let text = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
                if std::str::from_utf8(&text).unwrap().contains(counted) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("the count of a reading that was called off", is_counted).await;
    }

    #[tokio::test]
    async fn a_head_that_never_ends_loses_its_connection() {
        let (_engine, address) = serve(Limits { head_within: Duration::from_millis(50), ..LIMITS }).await;
        for beginning in ["", "GET /healthz HTTP/1.1\r\nHost: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Ends only once the server has closed the connection.
            let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
            assert!(!answer.starts_with(b"HTTP/1.1 200"), "{beginning:?}");
        }
        assert!(health(address).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn slow_connections_make_room_for_the_next() {
        let limits = Limits { connections: 4, head_within: Duration::from_millis(50), ..LIMITS };
        let (_engine, address) = serve(limits).await;
        let mut slow = Vec::new();
        for _ in 0..limits.connections * 3 {
            slow.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(health(address).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (_engine, address) = serve(LIMITS).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(2 * LIMITS.buffer));
        // The server may close before it has taken all of it.
        let _ = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    }
}
