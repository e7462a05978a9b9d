//! The API over TLS: the same paths on a port of its own.
//!
//! Safari lets a page that came over https reach loopback in no other way, and some software insists on https. Whoever
//! speaks plain HTTP there is told so in plain HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::Api;
use crate::callers::Scheme;
use crate::peer::Connection;
use crate::problems::Fault;
use crate::refusal::{PROBLEM_JSON, Refusal};
use crate::server::{Door, Handler, LIMITS, serve_door};
use crate::wire::ProblemJson;

/// What a TLS record of a handshake begins with (RFC 8446, 5.1); no HTTP request does.
const HANDSHAKE: u8 = 22;
/// How much of a plain request is read before the connection is closed: enough for a client to have sent it whole and
/// to look for the answer.
const PLAIN_READ_AT_MOST: usize = 64 * 1024;

/// Serves `api` over TLS on `listener` until `shutdown` is done, beside [`crate::serve`] on its port. `config` says with
/// which certificate.
///
/// Host and Origin are held to the same rules; the port in the Host is this listener's.
pub async fn serve_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    api: Api,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let closing = watch::Sender::new(false);
    let router = api.closing_router(Scheme::Https, listener.local_addr()?.port(), closing.subscribe());
    let door = TlsDoor { listener, acceptor: config.into() };
    let greet = |stream: &TlsConnection| Some(Handler::to(&router, None).over(stream.connection.clone()));
    serve_door(door, greet, &closing, shutdown, LIMITS).await;
    Ok(())
}

struct TlsDoor {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Door for TlsDoor {
    type Stream = TlsConnection;

    /// The handshake is the connection's own affair: one that is slow at it keeps nobody else out.
    async fn accept(&self) -> io::Result<TlsConnection> {
        let stream = Door::accept(&self.listener).await?;
        let connection = Connection::of(&stream);
        Ok(TlsConnection { connection, state: State::Met { stream, acceptor: self.acceptor.clone() } })
    }
}

/// A connection that shakes hands when it is first read from.
struct TlsConnection {
    connection: Option<Arc<Connection>>,
    state: State,
}

enum State {
    /// Nothing has been heard yet.
    Met { stream: TcpStream, acceptor: TlsAcceptor },
    /// The handshake runs.
    Greeting(Box<Accept<TcpStream>>),
    /// Everything is well.
    Open(Box<TlsStream<TcpStream>>),
    /// The other side speaks plain HTTP.
    Plain(TurnedAway),
    /// There is nothing more to be had.
    Over,
}

impl TlsConnection {
    /// The stream once the handshake is done; `None` where there will be none.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<&mut TlsStream<TcpStream>>>> {
        loop {
            let state = match &mut self.state {
                State::Open(_) | State::Over => break,
                State::Met { stream, .. } => {
                    let mut first = [0];
                    let heard = ready!(stream.poll_peek(cx, &mut ReadBuf::new(&mut first)))?;
                    match std::mem::replace(&mut self.state, State::Over) {
                        State::Met { stream, acceptor } if heard > 0 && first == [HANDSHAKE] => {
                            State::Greeting(Box::new(acceptor.accept(stream)))
                        }
                        State::Met { stream, .. } if heard > 0 => State::Plain(TurnedAway::new(stream)),
                        _ => State::Over,
                    }
                }
                State::Greeting(accept) => match ready!(Pin::new(&mut **accept).poll(cx)) {
                    Ok(stream) => State::Open(Box::new(stream)),
                    Err(error) => {
                        self.state = State::Over;
                        return Poll::Ready(Err(error));
                    }
                },
                State::Plain(turned_away) => {
                    ready!(turned_away.go(cx))?;
                    State::Over
                }
            };
            self.state = state;
        }
        match &mut self.state {
            State::Open(stream) => Poll::Ready(Ok(Some(stream))),
            _ => Poll::Ready(Ok(None)),
        }
    }
}

/// Somebody who speaks plain HTTP, and is told.
struct TurnedAway {
    stream: TcpStream,
    answer: Vec<u8>,
    sent: usize,
    heard: usize,
}

impl TurnedAway {
    fn new(stream: TcpStream) -> Self {
        Self { stream, answer: plain_answer(), sent: 0, heard: 0 }
    }

    /// Sends the answer, and reads on until the other side has closed or has sent too much: a connection that is
    /// closed with something unread is reset, and the answer may be lost with it.
    fn go(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.answer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            self.sent += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
        }
        // More than once does no harm.
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        while self.heard < PLAIN_READ_AT_MOST {
            let mut scrap = [0; 1024];
            let mut buffer = ReadBuf::new(&mut scrap);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
            self.heard += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

/// The problem as plain HTTP, whatever was asked.
fn plain_answer() -> Vec<u8> {
    let refusal = Refusal::from(Fault::TlsRequired);
    let body = serde_json::to_vec(&ProblemJson::from(&refusal)).unwrap_or_default();
    let mut answer = format!(
        "HTTP/1.1 {} Bad Request\r\nContent-Type: {PROBLEM_JSON}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        refusal.problem.status,
        body.len()
    )
    .into_bytes();
    answer.extend(body);
    answer
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.get_mut().open(cx))? {
            Some(stream) => Pin::new(stream).poll_read(cx, buffer),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.get_mut().open(cx))? {
            Some(stream) => Pin::new(stream).poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Open(stream) => Pin::new(&mut **stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            State::Met { stream, .. } => Pin::new(stream).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
