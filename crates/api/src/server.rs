//! Connections: how many, how slow, and how they end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::Api;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Connections at once; further ones wait to be accepted.
    connections: usize,
    /// How long a connection may take to send the head of its next request. An idle one is closed too.
    head_within: Duration,
    /// The longest request head, and the most that is buffered of a body.
    buffer: usize,
    /// How long open requests may go on once the server closes.
    close_within: Duration,
}

const LIMITS: Limits = Limits {
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
pub async fn serve(
    listener: TcpListener,
    api: Api,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve_within(listener, api, shutdown, LIMITS).await
}

async fn serve_within(
    listener: TcpListener,
    api: Api,
    shutdown: impl Future<Output = ()> + Send,
    limits: Limits,
) -> io::Result<()> {
    let closing = watch::Sender::new(false);
    let router = api.closing_router(listener.local_addr()?.port(), closing.subscribe());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_within).max_buf_size(limits.buffer);

    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, accept(&listener).await))
        };
        let Some((place, stream)) = (tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => None,
        }) else {
            break;
        };
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    if tokio::time::timeout(limits.close_within, graceful.shutdown()).await.is_err() {
        connections.abort_all();
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The next connection, whatever goes wrong with those before it.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers and single events must not wait to be joined by more.
                let _ = stream.set_nodelay(true);
                return stream;
            }
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
    use cccd_engine::{Engine, EngineOptions};
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
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_head_that_never_ends_loses_its_connection() {
        let (_engine, address) = serve(Limits { head_within: Duration::from_millis(50), ..LIMITS }).await;
        for beginning in ["", "GET /healthz HTTP/1.1\r\nHost: "] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            // Ends only once the server has closed the connection.
            let _ = stream.read_to_end(&mut answer).await;
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
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    }
}
