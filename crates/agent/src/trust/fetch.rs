//! Fetching what the settings name, when they allow it.
//!
//! What comes is believed in nothing: it is bounded in size and time, and taken only where its signature holds.

use std::net::IpAddr;

use cccd_profiles::{FetchSettings, FetchUrl};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode, Url};

/// Redirects that are followed, all on the same host.
const MOST_REDIRECTS: usize = 3;

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// The settings do not allow it. The operator's move.
    #[error("the settings do not allow fetching: trust.allow_fetch is false")]
    NotAllowed,
    /// The address is none.
    #[error("not an address")]
    Address,
    /// The server points elsewhere: the settings have to name the other place.
    #[error("the server points to another host, which the settings do not name")]
    OtherHost,
    /// The server has it not.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// More than the settings allow.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// Longer than the settings allow.
    #[error("no whole answer within {0} s")]
    TooSlow(u64),
    /// The network failed. Try again.
    #[error("no connection, or a broken one")]
    Network(#[source] reqwest::Error),
    /// No task can be run.
    #[error("cannot start the network")]
    Runtime(#[source] std::io::Error),
}

/// Fetches one object.
pub(crate) fn fetch(url: &FetchUrl, settings: &FetchSettings) -> Result<Vec<u8>, FetchError> {
    if !settings.allowed {
        return Err(FetchError::NotAllowed);
    }
    let url = Url::parse(url.as_str()).map_err(|_| FetchError::Address)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FetchError::Runtime)?;
    runtime.block_on(async {
        // One limit over everything: a server that drips would keep any limit on a single read.
        match tokio::time::timeout(settings.within, get(url, settings.max_bytes)).await {
            Ok(done) => done,
            Err(_) => Err(FetchError::TooSlow(settings.within.as_secs())),
        }
    })
}

async fn get(url: Url, max_bytes: u64) -> Result<Vec<u8>, FetchError> {
    let mut client = Client::builder().redirect(Policy::custom(follow)).referer(false);
    if is_loopback(&url) {
        client = client.no_proxy();
    }
    let client = client.build().map_err(FetchError::Network)?;
    let mut response = client.get(url).send().await.map_err(refusal)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Network)? {
        let total = u64::try_from(bytes.len() + chunk.len()).unwrap_or(u64::MAX);
        if total > max_bytes {
            return Err(FetchError::TooLarge(max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Follows within one host, and never from a protected connection to an open one.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    let next = attempt.url();
    let same_host =
        next.host() == first.host() && next.port_or_known_default() == first.port_or_known_default();
    let upgraded = next.host() == first.host() && first.scheme() == "http" && next.scheme() == "https";
    let opened = first.scheme() == "https" && next.scheme() != "https";
    if (!same_host && !upgraded) || opened || attempt.previous().len() > MOST_REDIRECTS {
        attempt.error(Elsewhere)
    } else {
        attempt.follow()
    }
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("a redirect to another host")]
struct Elsewhere;

fn refusal(error: reqwest::Error) -> FetchError {
    // The address is in the settings already; in the error it would be written twice.
    let error = error.without_url();
    if error.is_redirect() { FetchError::OtherHost } else { FetchError::Network(error) }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::time::Duration;

    use super::*;

    /// A server that gives each connection the answer for its path.
    fn serve(answers: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = first.split(' ').nth(1).unwrap().to_owned();
                // The other side may have had enough and gone.
                let _ = connection.write_all(&answers(&path, address));
                if path == "/slow" {
                    // Held open: whoever waits for the rest waits for ever.
                    std::mem::forget(connection);
                }
            }
        });
        address
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn redirect(to: &str) -> Vec<u8> {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .into_bytes()
    }

    fn settings() -> FetchSettings {
        FetchSettings {
            allowed: true,
            crl_urls: Vec::new(),
            list_urls: Vec::new(),
            within: Duration::from_secs(10),
            max_bytes: 1000,
        }
    }

    fn fetched(address: SocketAddr, path: &str, settings: &FetchSettings) -> Result<Vec<u8>, FetchError> {
        fetch(&FetchUrl::parse(&format!("http://{address}{path}")).unwrap(), settings)
    }

    #[test]
    fn what_is_allowed_comes_whole_and_what_is_not_is_not_asked_for() {
        let address = serve(|_, _| ok(&[7; 1000]));
        assert_eq!(fetched(address, "/a.crl", &settings()).unwrap(), [7; 1000]);

        let asked = TcpListener::bind("127.0.0.1:0").unwrap();
        asked.set_nonblocking(true).unwrap();
        let refused = FetchSettings { allowed: false, ..settings() };
        let outcome = fetched(asked.local_addr().unwrap(), "/a.crl", &refused);
        assert!(matches!(outcome, Err(FetchError::NotAllowed)));
        assert_eq!(asked.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn one_byte_too_many_is_too_many_with_and_without_a_stated_length() {
        let address = serve(|path, _| match path {
            "/stated" => ok(&[7; 1001]),
            _ => [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &[7; 1001]].concat(),
        });
        for path in ["/stated", "/unstated"] {
            assert!(matches!(fetched(address, path, &settings()), Err(FetchError::TooLarge(1000))), "{path}");
        }
    }

    #[test]
    fn a_redirect_stays_on_its_host() {
        let other = serve(|_, _| ok(b"stolen"));
        let address = serve(move |path, own| match path {
            "/near" => redirect("/here"),
            "/far" => redirect(&format!("http://{other}/here")),
            "/name" => redirect(&format!("http://localhost:{}/here", own.port())),
            "/round" => redirect("/round"),
            _ => ok(b"here"),
        });
        assert_eq!(fetched(address, "/near", &settings()).unwrap(), b"here");
        for path in ["/far", "/name", "/round"] {
            assert!(matches!(fetched(address, path, &settings()), Err(FetchError::OtherHost)), "{path}");
        }
    }

    #[test]
    fn a_server_that_never_finishes_is_given_up() {
        let address = serve(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec());
        let hurried = FetchSettings { within: Duration::from_millis(200), ..settings() };
        assert!(matches!(fetched(address, "/slow", &hurried), Err(FetchError::TooSlow(_))));
        // The same, cut off: never taken for the whole.
        assert!(matches!(fetched(address, "/cut", &settings()), Err(FetchError::Network(_))));
    }

    #[test]
    fn other_answers_than_success_give_nothing() {
        let address = serve(|_, _| b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".to_vec());
        assert!(matches!(fetched(address, "/", &settings()), Err(FetchError::Status(StatusCode::NOT_FOUND))));
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(fetched(nobody, "/", &settings()), Err(FetchError::Network(_))));
    }
}
