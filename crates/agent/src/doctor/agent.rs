//! The running agent: whether it answers, whether it is this machine's, and what it says of itself to an administrator.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};
use cccd_api::Actor;
use cccd_evidence::Identity;
use reqwest::Method;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::finding::{Finding, words};
use super::machine::Process;
use super::{DIALLED_WITHIN, Desk, within};
use crate::admin_client::AdminClient;
use crate::evidence_key;

/// How long one answer may take, and how long it may be.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);
const LONGEST_ANSWER: usize = 64 * 1024;
/// What waits longer than this does not wait for a moment's outage.
const LONG_WAIT: time::Duration = time::Duration::hours(1);

/// What the port answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

/// Who answers.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    /// This machine's agent.
    Ours(String),
    /// An agent; whether it is this machine's cannot be told, as its key may not be read.
    Uncompared(String),
    /// An agent with another key than this machine's.
    OtherKey(String),
    /// An agent without a key.
    Keyless,
    /// An agent that was asked too often.
    Busy,
    /// No agent.
    Stranger,
}

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let address = desk.settings.api.listen;
    let mut found = Vec::new();
    if address.port() != 0 {
        let holder = desk.machine.listener(address);
        found.extend(at_port(desk, address, holder.as_ref()));
    }
    found.extend(through_admin_socket(desk));
    found
}

fn at_port(desk: &Desk, address: SocketAddr, holder: Option<&Process>) -> Vec<Finding> {
    if let Err(error) = TcpStream::connect_timeout(&address, DIALLED_WITHIN) {
        return vec![Finding::fault(
            "agent",
            words(
                format!("không chạy: {address} không trả lời ({error})"),
                format!("it does not run: {address} does not answer ({error})"),
            ),
            Actor::Admin,
            words(
                "systemctl start cccd-agent (hoặc `cccd-agent run`), rồi journalctl -u cccd-agent",
                "systemctl start cccd-agent (or `cccd-agent run`), then journalctl -u cccd-agent",
            ),
        )];
    }
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        return Vec::new();
    }
    let nonce = hex::encode(nonce);
    let host = address.to_string();
    let own = evidence_key::read_only(&desk.settings.evidence.key_file);
    // Without a key of its own this machine has no agent yet, and whoever answers is not it.
    let own = own.map(|key| key.map(|key| key.key_id().as_str().to_owned()).unwrap_or_default()).ok();
    let answer = ask(&format!("http://{host}/.well-known/cccd-agent?nonce={nonce}"));
    let who = answer.map_or(Who::Stranger, |answer| told_by(&answer, &nonce, &host, own.as_deref()));
    let mut found = vec![of_who(&who, address, holder)];
    if who != Who::Stranger {
        found.extend(readiness(&host));
    }
    if let Some(process) = holder.filter(|_| who != Who::Stranger) {
        found.extend(replaced(desk, process));
    }
    found
}

/// What an answer to the question who is there says.
fn told_by(answer: &Answer, nonce: &str, host: &str, own: Option<&str>) -> Who {
    let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
    match (answer.status, text("code"), text("proof")) {
        (503, Some("identity-unavailable"), _) => Who::Keyless,
        (429, Some("rate-limited"), _) => Who::Busy,
        (200, _, Some(proof)) => match Identity::open(proof) {
            // The question and the address are ours: whoever passes it on to another agent is found out.
            Ok((identity, key)) if identity.nonce == nonce && identity.host == host => {
                let id = key.as_str().to_owned();
                match own {
                    None => Who::Uncompared(id),
                    Some(own) if own == id => Who::Ours(id),
                    Some(_) => Who::OtherKey(id),
                }
            }
            _ => Who::Stranger,
        },
        _ => Who::Stranger,
    }
}

fn of_who(who: &Who, address: SocketAddr, holder: Option<&Process>) -> Finding {
    let program = holder.map(|process| format!("{} ({})", process.name, process.id));
    let (vi, en) = match &program {
        Some(program) => (program.clone(), program.clone()),
        None => ("một chương trình khác".to_owned(), "another program".to_owned()),
    };
    match who {
        Who::Ours(id) => Finding::ok(
            "agent",
            words(
                format!("chạy ở {address}, chứng minh được khóa {id}"),
                format!("it runs at {address} and proves the key {id}"),
            ),
        ),
        Who::Uncompared(id) => Finding::warning(
            "agent",
            words(
                format!("chạy ở {address} với khóa {id}; tài khoản này không đọc được khóa của máy để so"),
                format!(
                    "it runs at {address} with the key {id}; this user may not read the machine's to compare"
                ),
            ),
            Actor::Admin,
            words(
                "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
                "run it again as root, or as the user the agent runs as",
            ),
        ),
        Who::OtherKey(id) => Finding::fault(
            "agent",
            words(
                format!("{address}: {vi} trả lời bằng khóa khác ({id})"),
                format!("{address}: {en} answers with another key ({id})"),
            ),
            Actor::Admin,
            words(
                "có hai bản cài, hoặc sai tệp cấu hình: dừng bản kia, hoặc nêu đúng --config",
                "there are two installations, or these are another one's settings: stop the other, or name the right --config",
            ),
        ),
        Who::Keyless => Finding::fault(
            "agent",
            words(
                format!("chạy ở {address} nhưng không có khóa của máy"),
                format!("it runs at {address} without the machine's key"),
            ),
            Actor::Admin,
            words(
                "xem dòng evidence-key, rồi khởi động lại dịch vụ",
                "see the line evidence-key, then restart the agent",
            ),
        ),
        Who::Busy => Finding::warning(
            "agent",
            words(
                format!("{address} trả lời nhưng bị hỏi quá dày"),
                format!("{address} answers and is asked too often"),
            ),
            Actor::Admin,
            words("chạy lại sau vài giây", "run it again in a few seconds"),
        ),
        Who::Stranger => Finding::fault(
            "agent",
            words(
                format!("cổng {address} bị {vi} chiếm: nó không chứng minh được là cccd-agent"),
                format!("{en} has the port {address} and does not prove to be cccd-agent"),
            ),
            Actor::Admin,
            words(
                "dừng chương trình đó (ss -ltnp cho biết tên), hoặc đổi api.listen",
                "stop that program (ss -ltnp names it), or choose another api.listen",
            ),
        ),
    }
}

fn readiness(host: &str) -> Option<Finding> {
    let answer = ask(&format!("http://{host}/readyz"))?;
    Some(if answer.status == 200 {
        Finding::ok("agent.ready", words("sẵn sàng", "ready"))
    } else {
        Finding::fault(
            "agent.ready",
            words(
                "chưa sẵn sàng: một loại đầu đọc chưa dùng được",
                "it is not ready: a kind of reader cannot be used",
            ),
            Actor::Admin,
            words(
                "xem các dòng smart-card-service, nfc và network-reader",
                "see the lines smart-card-service, nfc and network-reader",
            ),
        )
    })
}

/// Whether the file of the running program is no longer the one that was started: it was updated and not restarted.
fn replaced(desk: &Desk, process: &Process) -> Option<Finding> {
    let link = std::fs::read_link(desk.machine.at(format!("/proc/{}/exe", process.id))).ok()?;
    link.to_str()?.ends_with(" (deleted)").then(|| {
        Finding::warning(
            "agent.version",
            words(
                "dịch vụ vẫn chạy bản cũ, tệp chương trình đã được thay",
                "it still runs the version before: its file has been replaced",
            ),
            Actor::Admin,
            words("systemctl restart cccd-agent", "systemctl restart cccd-agent"),
        )
    })
}

/// Asks over loopback, for a short answer. `None` where nothing comes that could be one.
fn ask(url: &str) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let asked = async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWERED_WITHIN)
            .build()?;
        let mut response = client.get(url).send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(body.len() <= LONGEST_ANSWER, "too long");
        }
        let body = serde_json::from_slice(&body).unwrap_or_default();
        anyhow::Ok(Answer { status, body })
    };
    runtime.block_on(asked).ok()
}

/// What the agent says of itself where no port reaches.
fn through_admin_socket(desk: &Desk) -> Vec<Finding> {
    let Some(path) = desk.settings.local.admin_socket.clone() else {
        let seen = words(
            "không đặt admin.socket: chỉ xem được từ ngoài",
            "admin.socket is not set: the agent is seen from outside only",
        );
        return vec![Finding::ok("admin", seen)];
    };
    if std::fs::symlink_metadata(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        // An agent that does not run has none: said once already.
        return Vec::new();
    }
    let settings = desk.settings.clone();
    let asked = within(ANSWERED_WITHIN, move || -> Result<Value> {
        AdminClient::of(&settings)?.json(Method::GET, "/status").context("no status")
    });
    match asked {
        Some(Ok(status)) => of_status(&status, desk.now),
        _ => {
            let shown = path.display();
            vec![Finding::warning(
                "admin",
                words(
                    format!("{shown} không cho tài khoản này vào, hoặc không trả lời"),
                    format!("{shown} does not let this user in, or does not answer"),
                ),
                Actor::Admin,
                words(
                    "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
                    "run it again as root, or as the user the agent runs as",
                ),
            )]
        }
    }
}

/// What a status says of version, readers, outbox and audit chain.
fn of_status(status: &Value, now: OffsetDateTime) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let running = status.get("version").and_then(Value::as_str).unwrap_or_default();
    let readers = status.get("readers").and_then(Value::as_array).map_or(0, Vec::len);
    let mut found = vec![if running == own {
        Finding::ok(
            "agent.version",
            words(format!("{own}, {readers} đầu đọc"), format!("{own}, {readers} reader(s)")),
        )
    } else {
        Finding::warning(
            "agent.version",
            words(
                format!("dịch vụ là bản {running}, lệnh này là bản {own}"),
                format!("the agent is {running}, this command is {own}"),
            ),
            Actor::Admin,
            words(
                "systemctl restart cccd-agent, hoặc gỡ bản cài cũ",
                "systemctl restart cccd-agent, or remove the older installation",
            ),
        )
    }];
    found.extend(
        status.get("outbox").filter(|outbox| outbox.is_object()).map(|outbox| of_outbox(outbox, now)),
    );
    if status.pointer("/audit/is_durable").and_then(Value::as_bool) == Some(false) {
        found.push(Finding::fault(
            "agent.audit",
            words(
                "nhật ký kiểm toán chỉ nằm trong bộ nhớ: mất khi dịch vụ dừng",
                "the audit chain is in memory only and ends with the agent",
            ),
            Actor::Admin,
            words(
                "xem quyền và chỗ trống của thư mục [store], rồi khởi động lại dịch vụ",
                "look at the mode and the room of the folder of [store], then restart the agent",
            ),
        ));
    }
    let aside = status.pointer("/audit/moved_aside").and_then(Value::as_array).map_or(0, Vec::len);
    if aside > 0 {
        found.push(Finding::warning(
            "agent.audit",
            words(
                "khi khởi động, một tệp của kho bị hỏng và được để sang bên",
                "a file of the store was damaged when the agent started, and was moved aside",
            ),
            Actor::Admin,
            words(
                "giữ lại tệp .broken-..., xem docs/audit.md",
                "keep the file .broken-..., and see docs/audit.md",
            ),
        ));
    }
    found
}

fn of_outbox(outbox: &Value, now: OffsetDateTime) -> Finding {
    let count = |name: &str| outbox.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (waiting, dead) = (count("waiting"), count("dead"));
    let oldest = outbox.get("oldest_waiting_at").and_then(Value::as_str);
    let oldest = oldest.and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    let seen = words(
        format!("{waiting} kết quả chờ gửi, {dead} không gửi được"),
        format!("{waiting} result(s) on their way, {dead} dead"),
    );
    let list = || {
        words("`cccd-agent outbox list`, rồi retry hoặc drop", "`cccd-agent outbox list`, then retry or drop")
    };
    if dead > 0 {
        return Finding::warning("outbox", seen, Actor::Admin, list());
    }
    match oldest.filter(|oldest| now - *oldest > LONG_WAIT) {
        Some(oldest) => {
            let hours = (now - oldest).whole_hours();
            let seen = words(
                format!("{}; cái cũ nhất đã chờ {hours} giờ", seen.vi),
                format!("{}; the oldest has waited for {hours} hour(s)", seen.en),
            );
            Finding::warning("outbox", seen, Actor::Admin, list())
        }
        None => Finding::ok("outbox", seen),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use cccd_evidence::AgentKey;
    use serde_json::json;
    use time::macros::datetime;

    use super::super::finding::State;
    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, nobody, shown};
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-29 08:00 UTC);
    const NONCE: &str = "8f1d2c3b4a5968778695a4b3c2d1e0ff";

    #[test]
    fn only_the_machines_own_key_over_this_very_question_is_the_agent() {
        let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
        let id = key.key_id().as_str().to_owned();
        let answer = |nonce: &[u8], host: &str| {
            let proof = Identity::of(&key, nonce, host, NOW).sign(&key, &mut getrandom::SysRng).unwrap();
            Answer { status: 200, body: json!({ "proof": proof }) }
        };
        let nonce = hex::decode(NONCE).unwrap();
        let host = "127.0.0.1:9303";
        let right = answer(&nonce, host);
        let problem = |status, code: &str| Answer { status, body: json!({ "code": code }) };
        for (answer, own, who) in [
            (&right, Some(id.as_str()), Who::Ours(id.clone())),
            (&right, Some("another"), Who::OtherKey(id.clone())),
            // This machine has no agent yet, and one answers.
            (&right, Some(""), Who::OtherKey(id.clone())),
            (&right, None, Who::Uncompared(id.clone())),
            (&answer(&nonce, "127.0.0.1:9999"), Some(&id), Who::Stranger),
            (&answer(&[0; 16], host), Some(&id), Who::Stranger),
            (&problem(503, "identity-unavailable"), None, Who::Keyless),
            (&problem(429, "rate-limited"), None, Who::Busy),
            (&problem(404, "not-found"), None, Who::Stranger),
            (&Answer { status: 200, body: json!({ "proof": "x.y.z" }) }, None, Who::Stranger),
            (&Answer { status: 200, body: Value::Null }, None, Who::Stranger),
        ] {
            assert_eq!(told_by(answer, NONCE, host, own), who, "{answer:?}");
        }
    }

    #[test]
    fn who_answers_is_told_with_the_program_that_has_the_port() {
        let address = "127.0.0.1:9303".parse().unwrap();
        let nginx = Process { id: 77, name: "nginx".to_owned() };
        let stranger = of_who(&Who::Stranger, address, Some(&nginx));
        assert!(
            stranger.state == State::Fault && stranger.seen.en.starts_with("nginx (77) has the port"),
            "{}",
            shown(&[stranger])
        );
        for (who, state) in [
            (Who::Ours("k".into()), State::Ok),
            (Who::Uncompared("k".into()), State::Warning),
            (Who::OtherKey("k".into()), State::Fault),
            (Who::Keyless, State::Fault),
            (Who::Busy, State::Warning),
            (Who::Stranger, State::Fault),
        ] {
            assert_eq!(of_who(&who, address, None).state, state, "{who:?}");
        }
    }

    #[test]
    fn nobody_at_the_port_and_somebody_else_at_it_are_two_things() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let text = |address: SocketAddr| {
            format!("[api]\nlisten = '{address}'\n[evidence]\nkey_file = '/nowhere/key.json'")
        };
        let squatter = std::thread::spawn(move || {
            // The look whether somebody is there, and the question.
            for connection in listener.incoming().take(2) {
                let mut connection = connection.unwrap();
                let mut head = [0; 1024];
                if connection.read(&mut head).unwrap_or(0) > 0 {
                    let _ = connection
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
                }
            }
        });
        let found = check(&desk(&text(address), Planted::new().machine()));
        assert!(shown(&found).starts_with("Fault agent: another program has the port"), "{}", shown(&found));
        squatter.join().unwrap();
        let (address, _held) = nobody();
        let found = check(&desk(&text(address), Planted::new().machine()));
        assert!(shown(&found).starts_with("Fault agent: it does not run"), "{}", shown(&found));
    }

    #[test]
    fn a_program_that_was_replaced_under_the_running_one_is_told() {
        let planted = Planted::new();
        let desk = desk("", planted.machine());
        let agent = Process { id: 7, name: "cccd-agent".to_owned() };
        planted.link("/proc/7/exe", "/usr/bin/cccd-agent");
        assert_eq!(replaced(&desk, &agent), None);
        planted.link("/proc/8/exe", "/usr/bin/cccd-agent (deleted)");
        let other = Process { id: 8, ..agent };
        assert_eq!(replaced(&desk, &other).map(|found| found.state), Some(State::Warning));
    }

    #[test]
    fn a_status_is_judged_by_version_outbox_and_audit_chain() {
        let good = json!({
            "version": env!("CARGO_PKG_VERSION"), "readers": [{}],
            "outbox": { "waiting": 2, "dead": 0, "oldest_waiting_at": "2026-11-29T07:30:00Z" },
            "audit": { "is_durable": true, "entries": 4, "moved_aside": [] },
        });
        let found = of_status(&good, NOW);
        assert!(found.len() == 2 && found.iter().all(|found| found.state == State::Ok), "{}", shown(&found));
        for (place, value, state, told) in [
            ("/version", json!("0.0.9"), State::Warning, "the agent is 0.0.9"),
            ("/outbox/dead", json!(1), State::Warning, "1 dead"),
            (
                "/outbox/oldest_waiting_at",
                json!("2026-11-29T05:59:00Z"),
                State::Warning,
                "waited for 2 hour(s)",
            ),
            ("/audit/is_durable", json!(false), State::Fault, "in memory only"),
            ("/audit/moved_aside", json!(["audit.db"]), State::Warning, "moved aside"),
        ] {
            let mut status = good.clone();
            *status.pointer_mut(place).unwrap() = value;
            let found = of_status(&status, NOW);
            let is_told = |found: &Finding| found.state == state && found.seen.en.contains(told);
            assert!(found.iter().any(is_told), "{place}: {}", shown(&found));
        }
        assert_eq!(of_status(&json!({ "version": env!("CARGO_PKG_VERSION"), "outbox": null }), NOW).len(), 1);
    }
}
