//! The API on a real port.

use std::net::SocketAddr;

use cccd_patience::soon;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::desk::{CLINIC, Desk};

/// Serves the desk on a free port until told to stop.
async fn serve(desk: &Desk) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let api = desk.api.clone();
    let server = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        cccd_api::serve(listener, api, shutdown).await.unwrap();
    });
    (address, stop, server)
}

async fn status_line(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_port_in_the_host_is_the_listeners_own() {
    let desk = Desk::bare();
    let (address, stop, server) = serve(&desk).await;
    let port = address.port();
    for (host, expected) in [
        (format!("Host: 127.0.0.1:{port}\r\n"), "HTTP/1.1 200 OK"),
        (format!("Host: localhost:{port}\r\n"), "HTTP/1.1 200 OK"),
        ("Host: 127.0.0.1:1\r\n".to_owned(), "HTTP/1.1 421 Misdirected Request"),
        (String::new(), "HTTP/1.1 421 Misdirected Request"),
        (format!("Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n"), "HTTP/1.1 421 Misdirected Request"),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        assert_eq!(status_line(address, &request).await, expected, "{host}");
    }
    let absolute = format!(
        "GET http://evil.com/healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(status_line(address, &absolute).await, "HTTP/1.1 421 Misdirected Request");
    stop.send(()).unwrap();
    soon("the end of the server", server).await.unwrap();
}

#[tokio::test]
async fn closing_ends_event_streams_and_idle_connections() {
    let desk = Desk::bare();
    let (address, stop, server) = serve(&desk).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let mut listening = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {CLINIC}\r\n\r\n",
        address.port()
    );
    listening.write_all(request.as_bytes()).await.unwrap();
    let mut line = String::new();
    while !line.starts_with("retry:") {
        line.clear();
        assert!(soon("the beginning of the stream", listening.read_line(&mut line)).await.unwrap() > 0);
    }
    stop.send(()).unwrap();
    let mut rest = String::new();
    soon("the end of the stream", listening.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream was cut and not ended: {rest:?}");
    soon("the end of the server", server).await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err());
}
