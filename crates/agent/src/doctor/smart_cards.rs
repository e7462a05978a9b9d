//! The smart-card service: whether it is there and serves, and where it does not, why.

use std::path::PathBuf;
use std::time::Duration;

use cccd_api::Actor;
use cccd_readers::{ListedReader, ServiceFault, listed_readers};

use super::Desk;
use super::finding::{Finding, words};
#[cfg(unix)]
use super::within;

/// How long the service may take. One that drives a reader answers within a few milliseconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Where pcscd listens, but for a test's.
const SOCKET: &str = "/run/pcscd/pcscd.comm";
const PROGRAMS: [&str; 3] = ["/usr/sbin/pcscd", "/usr/bin/pcscd", "/sbin/pcscd"];
/// By this file a pcscd tells polkit what it asks it about.
const POLKIT_ACTIONS: &str = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy";
const POLKIT_RULES: [&str; 2] = ["/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"];

/// What a client's socket met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    /// There is none.
    Absent,
    /// It is there and nobody listens.
    Dead,
    /// This user may not connect.
    Forbidden,
    /// Somebody listens.
    Open,
    /// It cannot be told.
    Unknown,
}

/// Whether polkit lets the agent's own user in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polkit {
    /// It is not asked, or a rule of ours answers.
    Settled,
    /// It is asked, and there is no rule of ours.
    NoRule,
}

/// What was found, and the readers where there are any to be had.
pub(super) struct Service {
    pub(super) findings: Vec<Finding>,
    pub(super) readers: Option<Vec<ListedReader>>,
}

pub(super) fn look(desk: &Desk) -> Service {
    let listed = listed_readers(ANSWERED_WITHIN);
    let mut findings = Vec::new();
    let readers = match listed {
        Ok(readers) => {
            let count = readers.len();
            findings.push(Finding::ok(
                "smart-card-service",
                words(format!("chạy, thấy {count} đầu đọc"), format!("it runs and shows {count} reader(s)")),
            ));
            Some(readers)
        }
        Err(fault) if cfg!(target_os = "linux") => {
            let is_installed = PROGRAMS.iter().any(|program| desk.machine.has(program));
            findings.push(on_linux(fault, socket(desk), is_installed));
            None
        }
        Err(fault) => {
            findings.push(elsewhere(fault));
            None
        }
    };
    if polkit(desk) == Polkit::NoRule {
        findings.push(Finding::warning(
            "polkit",
            words(
                "pcscd hỏi polkit và chưa có quy tắc cho tài khoản của dịch vụ: nó sẽ bị từ chối khi không có ai đăng nhập",
                "pcscd asks polkit, and no rule names the agent's user: it is refused while no user is logged in",
            ),
            Actor::Admin,
            words(
                "chép config/systemd/50-cccd-agent.rules vào /etc/polkit-1/rules.d (docs/install.md)",
                "copy config/systemd/50-cccd-agent.rules to /etc/polkit-1/rules.d (docs/install.md)",
            ),
        ));
    }
    Service { findings, readers }
}

#[cfg(unix)]
fn socket(desk: &Desk) -> Socket {
    use std::io::ErrorKind;
    let path = std::env::var_os("PCSCLITE_CSOCK_NAME").map(PathBuf::from);
    let path = path.unwrap_or_else(|| desk.machine.at(SOCKET));
    // A socket whose queue is full would keep us waiting.
    let connected = within(ANSWERED_WITHIN, move || {
        std::os::unix::net::UnixStream::connect(path).map(drop).map_err(|error| error.kind())
    });
    match connected {
        Some(Ok(())) => Socket::Open,
        Some(Err(ErrorKind::NotFound)) => Socket::Absent,
        Some(Err(ErrorKind::ConnectionRefused)) => Socket::Dead,
        Some(Err(ErrorKind::PermissionDenied)) => Socket::Forbidden,
        Some(Err(_)) | None => Socket::Unknown,
    }
}

#[cfg(not(unix))]
fn socket(_: &Desk) -> Socket {
    Socket::Unknown
}

fn fault(seen: (&str, &str), todo: (&str, &str)) -> Finding {
    Finding::fault("smart-card-service", words(seen.0, seen.1), Actor::Admin, words(todo.0, todo.1))
}

fn on_linux(why: ServiceFault, socket: Socket, is_installed: bool) -> Finding {
    match (socket, why) {
        (Socket::Absent, _) if !is_installed => fault(
            ("chưa cài pcscd", "pcscd is not installed"),
            ("apt install pcscd libccid", "apt install pcscd libccid"),
        ),
        (Socket::Absent, _) => fault(
            ("pcscd không chạy", "pcscd does not run"),
            ("systemctl enable --now pcscd.socket", "systemctl enable --now pcscd.socket"),
        ),
        (Socket::Dead, _) => fault(
            ("pcscd đã dừng và để lại socket", "pcscd has ended and left its socket behind"),
            ("systemctl restart pcscd.socket pcscd", "systemctl restart pcscd.socket pcscd"),
        ),
        (Socket::Forbidden, _) => fault(
            ("tài khoản này không được mở socket của pcscd", "this user may not open the socket of pcscd"),
            (
                "xem quyền của /run/pcscd, hoặc chạy bằng tài khoản của dịch vụ",
                "look at the modes in /run/pcscd, or run it as the agent's user",
            ),
        ),
        (_, ServiceFault::Silent) => fault(
            (
                "pcscd không trả lời: có thể đầu đọc hoặc trình điều khiển bị treo",
                "pcscd does not answer: a reader or its driver may hang",
            ),
            (
                "rút đầu đọc, systemctl restart pcscd, cắm lại",
                "unplug the reader, systemctl restart pcscd, plug it in anew",
            ),
        ),
        // One that takes the connection and gives no context refuses the user: polkit says no.
        (Socket::Open, _) => fault(
            (
                "pcscd nhận kết nối rồi từ chối tài khoản này: thường do polkit",
                "pcscd takes the connection and then refuses this user: usually polkit does",
            ),
            (
                "chép config/systemd/50-cccd-agent.rules vào /etc/polkit-1/rules.d; chạy thử bằng root hoặc tài khoản của dịch vụ",
                "copy config/systemd/50-cccd-agent.rules to /etc/polkit-1/rules.d; try as root or as the agent's user",
            ),
        ),
        (Socket::Unknown, _) => fault(
            ("dịch vụ thẻ không trả lời đúng", "the smart-card service does not answer as it should"),
            (
                "journalctl -u pcscd, rồi systemctl restart pcscd",
                "journalctl -u pcscd, then systemctl restart pcscd",
            ),
        ),
    }
}

fn elsewhere(why: ServiceFault) -> Finding {
    match why {
        // Windows ends it with the last reader.
        ServiceFault::Absent => fault(
            (
                "dịch vụ thẻ không chạy, hoặc chưa cắm đầu đọc nào",
                "the smart-card service does not run, or no reader is plugged in",
            ),
            (
                "cắm đầu đọc; Windows: bật dịch vụ SCardSvr",
                "plug a reader in; Windows: start the service SCardSvr",
            ),
        ),
        _ => fault(
            ("dịch vụ thẻ không phục vụ tài khoản này", "the smart-card service does not serve this user"),
            (
                "khởi động lại dịch vụ thẻ (Windows: SCardSvr)",
                "restart the smart-card service (Windows: SCardSvr)",
            ),
        ),
    }
}

/// Whether polkit is asked, and has an answer for a service that nobody is logged in for.
fn polkit(desk: &Desk) -> Polkit {
    let is_root = desk.agent_identity().is_none_or(|agent| agent.user == 0);
    if is_root || !desk.machine.has(POLKIT_ACTIONS) {
        return Polkit::Settled;
    }
    let rules: Vec<PathBuf> = POLKIT_RULES.iter().flat_map(|folder| desk.machine.entries(folder)).collect();
    // A folder that this user may not look into tells nothing.
    let is_seen = POLKIT_RULES.iter().any(|folder| std::fs::read_dir(desk.machine.at(folder)).is_ok());
    let names_it =
        |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains("pcsc-lite"));
    if !is_seen || rules.iter().any(names_it) { Polkit::Settled } else { Polkit::NoRule }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, shown};
    use super::*;

    #[test]
    fn each_way_in_which_the_service_is_not_there_has_its_own_remedy() {
        let mut remedies = Vec::new();
        for (why, socket, is_installed, told) in [
            (ServiceFault::Absent, Socket::Absent, false, "apt install pcscd"),
            (ServiceFault::Absent, Socket::Absent, true, "systemctl enable --now pcscd.socket"),
            (ServiceFault::Absent, Socket::Dead, true, "systemctl restart pcscd.socket"),
            (ServiceFault::Absent, Socket::Forbidden, true, "the modes in /run/pcscd"),
            (ServiceFault::Refused, Socket::Open, true, "50-cccd-agent.rules"),
            (ServiceFault::Silent, Socket::Open, true, "unplug the reader"),
            (ServiceFault::Failing, Socket::Unknown, true, "journalctl -u pcscd"),
        ] {
            let found = on_linux(why, socket, is_installed);
            let todo = found.todo.unwrap().1.en;
            assert!(todo.contains(told), "{why:?} {socket:?}: {todo}");
            assert!(!remedies.contains(&todo), "{todo}");
            remedies.push(todo);
        }
    }

    #[test]
    fn a_socket_is_absent_dead_or_open() {
        let planted = Planted::new();
        let desk = desk("", planted.machine());
        let path = planted.path(SOCKET);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(socket(&desk), Socket::Absent);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(socket(&desk), Socket::Open);
        drop(listener);
        assert_eq!(socket(&desk), Socket::Dead);
    }

    #[test]
    fn polkit_wants_a_rule_for_a_service_and_none_for_root() {
        let planted = Planted::new();
        planted.process(40, "cccd-agent", 990, &[]);
        let judged = || polkit(&desk("", planted.machine()));
        assert_eq!(judged(), Polkit::Settled, "a pcscd without polkit");
        planted.file(POLKIT_ACTIONS, "<policyconfig/>");
        assert_eq!(judged(), Polkit::Settled, "no folder of rules can be looked into");
        planted.file("/usr/share/polkit-1/rules.d/50-default.rules", "");
        assert_eq!(judged(), Polkit::NoRule);
        planted.file(
            "/etc/polkit-1/rules.d/50-cccd-agent.rules",
            include_str!("../../../../config/systemd/50-cccd-agent.rules"),
        );
        assert_eq!(judged(), Polkit::Settled);
        std::fs::remove_file(planted.path("/etc/polkit-1/rules.d/50-cccd-agent.rules")).unwrap();
        planted.process(40, "cccd-agent", 0, &[]);
        assert_eq!(judged(), Polkit::Settled, "root");
        let found = shown(&[elsewhere(ServiceFault::Absent)]);
        assert!(found.contains("SCardSvr"), "{found}");
    }
}
