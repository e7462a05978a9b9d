//! Other machines: whether they let themselves be dialled. Nothing is said to them.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};

use cccd_api::Actor;
use cccd_profiles::{SyslogTransport, TargetKind, WebAccess};
use reqwest::Url;

use super::finding::{Finding, words};
use super::{DIALLED_WITHIN, Desk, within};

/// Readers with a network of their own. One that the agent talks with is not dialled beside it: it may have room for
/// one only.
pub(super) fn check_readers(desk: &Desk) -> Vec<Finding> {
    let each = desk.settings.network_readers.iter().map(|reader| {
        let (name, address) = (reader.name.clone(), reader.address);
        let is_talking = desk.machine.is_connected_to(address);
        move || {
            if is_talking {
                let seen = words(format!("{name} ({address}): đang kết nối"), format!("{name} ({address}): connected"));
                return Finding::ok("network-reader", seen);
            }
            match TcpStream::connect_timeout(&address, DIALLED_WITHIN) {
                Ok(_) => {
                    let seen = words(format!("{name} ({address}): gọi được"), format!("{name} ({address}): it answers"));
                    Finding::ok("network-reader", seen)
                }
                Err(error) => Finding::fault(
                    "network-reader",
                    words(
                        format!("{name} ({address}): không gọi được: {error}"),
                        format!("{name} ({address}): it cannot be reached: {error}"),
                    ),
                    Actor::Operator,
                    words(
                        "bật đầu đọc, cắm cáp, xem địa chỉ IP của máy có cùng mạng không (docs/network-readers.md)",
                        "switch it on, look at its cable and whether this machine has an address in its network (docs/network-readers.md)",
                    ),
                ),
            }
        }
    });
    at_once(each)
}

/// Systems that results, reports and log entries go to, or settings come from.
pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let settings = &desk.settings;
    let mut places: Vec<(String, String, u16)> = Vec::new();
    let mut add = |what: &str, place: Option<(String, u16)>| {
        places.extend(place.map(|(host, port)| (what.to_owned(), host, port)));
    };
    if let Some(fleet) = &settings.fleet {
        add("[fleet]", Some((fleet.broker.host.clone(), fleet.broker.port)));
    }
    if let Some(served) = &settings.served {
        add("[served]", by_the_way(served.url.as_str(), &served.access));
    }
    for target in &settings.targets {
        if let TargetKind::Webhook(webhook) = &target.kind {
            add(&format!("[[target]] {}", target.name), by_the_way(webhook.url.as_str(), &webhook.access));
        }
    }
    if let Some(syslog) =
        settings.audit.syslog.as_ref().filter(|syslog| syslog.server.transport != SyslogTransport::Udp)
    {
        add("[audit] syslog", Some((syslog.server.host.clone(), syslog.server.port)));
    }
    let each = places.into_iter().map(|(what, host, port)| move || of_system(&what, &host, port));
    at_once(each)
}

/// The host and port that a web address, or the proxy on the way to it, has.
fn by_the_way(url: &str, access: &WebAccess) -> Option<(String, u16)> {
    let own = Url::parse(url).ok()?;
    let proxy = access.proxy.as_ref().and_then(|proxy| Url::parse(proxy.as_str()).ok());
    let next = proxy.unwrap_or(own);
    // Without the brackets of an IPv6 address.
    let host = next.host_str()?.trim_matches(['[', ']']).to_owned();
    Some((host, next.port_or_known_default()?))
}

fn of_system(what: &str, host: &str, port: u16) -> Finding {
    let (name, number) = (host.to_owned(), port);
    // Asking for an address may take as long as it likes.
    let found = within(DIALLED_WITHIN, move || (name.as_str(), number).to_socket_addrs().map(Vec::from_iter));
    let addresses: Vec<SocketAddr> = match found {
        Some(Ok(addresses)) if !addresses.is_empty() => addresses,
        _ => {
            return away(what, host, port, "không tìm thấy địa chỉ", "no address is known for its name");
        }
    };
    let mut last = None;
    for address in addresses.iter().take(2) {
        match TcpStream::connect_timeout(address, DIALLED_WITHIN) {
            Ok(_) => {
                let seen = words(
                    format!("{what}: gọi được {host}:{port}"),
                    format!("{what}: {host}:{port} answers"),
                );
                return Finding::ok("system", seen);
            }
            Err(error) => last = Some(error.to_string()),
        }
    }
    let why = last.unwrap_or_default();
    away(what, host, port, &why, &why)
}

/// What waits for it is kept: nobody at the desk is kept from reading.
fn away(what: &str, host: &str, port: u16, vi: &str, en: &str) -> Finding {
    Finding::warning(
        "system",
        words(
            format!("{what}: không gọi được {host}:{port}: {vi}"),
            format!("{what}: {host}:{port} cannot be reached: {en}"),
        ),
        Actor::Admin,
        words(
            "xem mạng, tường lửa, proxy và DNS; dữ liệu chờ gửi vẫn được giữ (`cccd-agent outbox list`)",
            "look at network, firewall, proxy and DNS; what waits for it is kept (`cccd-agent outbox list`)",
        ),
    )
}

/// Dials all of them at once, and gives what was found in their order.
fn at_once<W: FnOnce() -> Finding + Send + 'static>(each: impl Iterator<Item = W>) -> Vec<Finding> {
    let threads: Vec<_> = each.map(std::thread::spawn).collect();
    threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::net::TcpListener;

    use super::super::finding::State;
    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, nobody, shown};
    use super::*;

    #[test]
    fn a_network_reader_answers_is_away_or_is_talked_with_and_then_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = |address: SocketAddr| {
            format!("[[network_reader]]\nname = 'Desk 3'\naddress = 'http://{address}'")
        };
        let found = |address, planted: &Planted| check_readers(&desk(&text(address), planted.machine()));
        let planted = Planted::new();
        let here = found(address, &planted);
        assert!(here[0].state == State::Ok && here[0].seen.en.contains("it answers"), "{}", shown(&here));
        let (away, _held) = nobody();
        let missing = found(away, &planted);
        assert!(
            missing[0].state == State::Fault && missing[0].seen.en.contains("cannot be reached"),
            "{}",
            shown(&missing)
        );
        // Were it dialled, it would be missing.
        planted.sockets(&[("127.0.0.1:40000", &away.to_string(), 1, 5)]);
        let talking = found(away, &planted);
        assert!(
            talking[0].state == State::Ok && talking[0].seen.en.contains("connected"),
            "{}",
            shown(&talking)
        );
    }

    #[test]
    fn systems_that_are_away_are_warned_of() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (away, _held) = nobody();
        let (here, away) = (listener.local_addr().unwrap().port(), away.port());
        let text = format!(
            "[fleet]\nbroker = 'mqtt://127.0.0.1:{away}'\ndesk = 'a'\n\
             [[target]]\nname = 'his'\nurl = 'http://127.0.0.1:{here}/cards'\n\
             [audit]\nsyslog = 'tcp://127.0.0.1:{here}'\n"
        );
        let found = check(&desk(&text, Planted::new().machine()));
        let states: Vec<State> = found.iter().map(|found| found.state).collect();
        assert_eq!(states, [State::Warning, State::Ok, State::Ok], "{}", shown(&found));
        assert!(found[0].seen.en.starts_with(&format!("[fleet]: 127.0.0.1:{away} cannot be reached")));
        assert_eq!(check(&desk("[audit]\nsyslog = 'udp://127.0.0.1'", Planted::new().machine())), []);
    }

    #[test]
    fn what_goes_through_a_proxy_is_asked_of_the_proxy() {
        let mut access = WebAccess::usual();
        assert_eq!(by_the_way("https://[::1]/x", &access), Some(("::1".to_owned(), 443)));
        access.proxy = Some(cccd_profiles::FetchUrl::parse("http://proxy.example.vn:3128").unwrap());
        assert_eq!(
            by_the_way("https://his.example.vn/x", &access),
            Some(("proxy.example.vn".to_owned(), 3128))
        );
    }
}
