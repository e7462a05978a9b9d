//! Web origins, compared exactly (RFC 6454, 6.2: scheme, host, port).

use std::fmt;

/// One web origin, as a browser writes it in the `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// Why a text is not the origin of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an origin is written like `https://his.example.vn` or `http://127.0.0.1:8080`: scheme, host, and a port unless it is the usual one; no path, no wildcard, lower case"
)]
pub struct NotAnOrigin;

impl Origin {
    /// Takes an origin in the one spelling browsers send. Anything else (a path, a wildcard, `null`,
    /// capitals, the default port written out) would silently never match, so it is refused here.
    pub fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let (rest, usual_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, "443"),
            (_, Some(rest)) => (rest, "80"),
            _ => return Err(NotAnOrigin),
        };
        let (host, port) = match rest.rfind(':').filter(|&colon| !rest.ends_with(']') && colon > 0) {
            Some(colon) => {
                let (host, port) = rest.split_at(colon);
                (host, Some(port.trim_start_matches(':')))
            }
            None => (rest, None),
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
        let literal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b':';
        let host_is_right = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => !address.is_empty() && address.bytes().all(literal),
            None => !host.is_empty() && host.bytes().all(plain),
        };
        let port_is_right = port.is_none_or(|port| {
            port != usual_port
                && !port.starts_with('0')
                && port.parse::<u16>().is_ok()
                && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        if host_is_right && port_is_right { Ok(Self(text.to_owned())) } else { Err(NotAnOrigin) }
    }

    /// Whether browsers take its pages for secure, so that these have keys of their own: they came over https, or from
    /// this machine (W3C Secure Contexts, 3.1).
    pub fn is_secure(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return self.0.starts_with("https://") };
        ["127.0.0.1", "localhost", "[::1]"].into_iter().any(|loopback| {
            rest.strip_prefix(loopback).is_some_and(|port| port.is_empty() || port.starts_with(':'))
        })
    }

    /// The origin as a browser writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_is_what_came_over_https_or_from_here() {
        let is_secure = |origin| Origin::parse(origin).unwrap().is_secure();
        for origin in
            ["https://his.example.vn", "http://127.0.0.1", "http://localhost:8080", "http://[::1]:5173"]
        {
            assert!(is_secure(origin), "{origin}");
        }
        for origin in [
            "http://his.example.vn",
            "http://192.168.1.4",
            "http://127.0.0.1.evil.vn",
            "http://localhost.evil.vn:8080",
        ] {
            assert!(!is_secure(origin), "{origin}");
        }
    }

    #[test]
    fn only_the_spelling_of_browsers_is_taken() {
        for good in
            ["https://his.example.vn", "http://127.0.0.1:8080", "http://[::1]:5173", "https://a_b.vn:8443"]
        {
            assert_eq!(Origin::parse(good).map(|origin| origin.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "null",
            "*",
            "https://*",
            "https://*.example.vn",
            "https://his.example.vn/",
            "HTTPS://his.example.vn",
            "https://HIS.example.vn",
            "https://his.example.vn:443",
            "http://his.example.vn:80",
            "https://",
            "https://his.example.vn:",
            "https://his.example.vn:0443",
            "https://his.example.vn:99999",
            "ftp://x",
            "https://user@his.example.vn",
            "https://[::1",
            "https://his.example.vn?x",
            "http://:80",
            "http://a:+80",
        ] {
            assert_eq!(Origin::parse(bad), Err(NotAnOrigin), "{bad}");
        }
    }
}
