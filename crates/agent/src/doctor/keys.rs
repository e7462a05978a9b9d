//! The machine's own keys and certificates: evidence, https, and those of a station.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Error;
use cccd_api::Actor;
use cccd_emrtd::{CvRole, Terminal};
use cccd_profiles::TlsSettings;
use time::{Date, Duration};

use super::Desk;
use super::finding::{Finding, words};
use crate::{evidence_key, station, tls};

/// Certificates of stations live for weeks: this leaves time to ask for others.
const STATION_WARNED_BEFORE: Duration = Duration::days(14);

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let mut found = vec![evidence(&desk.settings.evidence.key_file)];
    found.extend(https(desk));
    if let Some(terminal) = &desk.settings.terminal {
        let today = desk.now.date();
        found.push(match station::load(terminal) {
            Ok(terminal) => of_station(terminal, today),
            Err(error) if is_forbidden(&error) => unseen("station"),
            Err(error) => {
                let seen = words(
                    format!("chứng thư hoặc khóa của trạm không dùng được: {error:#}"),
                    format!("the station's certificates or its key cannot be used: {error:#}"),
                );
                Finding::fault(
                    "station",
                    seen,
                    Actor::Admin,
                    words("xem docs/fingerprints.md", "see docs/fingerprints.md"),
                )
            }
        });
    }
    found
}

fn is_forbidden(error: &Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|error| error.kind() == ErrorKind::PermissionDenied)
}

fn unseen(check: &'static str) -> Finding {
    Finding::warning(
        check,
        words("tài khoản này không được đọc", "this user may not read it"),
        Actor::Admin,
        words(
            "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
            "run it again as root, or as the user the agent runs as",
        ),
    )
}

fn evidence(path: &Path) -> Finding {
    match evidence_key::read_only(path) {
        Ok(Some(key)) => {
            let id = key.key_id();
            Finding::ok(
                "evidence-key",
                words(format!("khóa của máy: {id}"), format!("this machine's key: {id}")),
            )
        }
        Ok(None) => {
            let seen = words(
                "chưa có khóa: được tạo khi dịch vụ chạy lần đầu",
                "there is no key yet: it is made when the agent first starts",
            );
            Finding::ok("evidence-key", seen)
        }
        Err(error) if is_forbidden(&error) => unseen("evidence-key"),
        Err(error) => {
            let seen = words(
                format!("khóa của máy không dùng được, không ký được chứng cứ: {error:#}"),
                format!("this machine's key cannot be used, and no evidence can be signed: {error:#}"),
            );
            let todo = words(
                "sửa quyền hoặc lấy khóa từ bản sao lưu; xóa tệp thì máy có khóa mới",
                "mend its mode, or restore it; where the file is deleted the machine gets another key",
            );
            Finding::fault("evidence-key", seen, Actor::Admin, todo)
        }
    }
}

fn https(desk: &Desk) -> Option<Finding> {
    let settings: &TlsSettings = &desk.settings.api.tls;
    settings.listen?;
    let install =
        || words("cài lại CA theo `cccd-agent tls`", "install the authority anew, as `cccd-agent tls` says");
    Some(match tls::read(settings) {
        Ok(None) => Finding::ok(
            "https",
            words(
                "chưa có chứng thư: được tạo khi dịch vụ chạy",
                "no certificate yet: it is made when the agent starts",
            ),
        ),
        Ok(Some(there)) => {
            let ends = there.ends.date();
            let seen = words(format!("chứng thư đến {ends}"), format!("the certificate ends on {ends}"));
            if there.ends <= desk.now {
                let todo = words(
                    "khởi động lại dịch vụ rồi cài lại CA (`cccd-agent tls`)",
                    "restart the agent, then install the authority anew (`cccd-agent tls`)",
                );
                Finding::fault("https", seen, Actor::Admin, todo)
            } else if there.end_soon(desk.now) {
                Finding::warning("https", seen, Actor::Admin, install())
            } else {
                Finding::ok("https", seen)
            }
        }
        Err(error) if is_forbidden(&error) => unseen("https"),
        Err(error) => {
            let seen = words(
                format!("chứng thư không dùng được: {error:#}"),
                format!("the certificate cannot be used: {error:#}"),
            );
            Finding::fault("https", seen, Actor::Admin, install())
        }
    })
}

/// Until when chips open fingerprints to this station.
fn of_station(terminal: Terminal, today: Date) -> Finding {
    let renew = || {
        words("xin chứng thư mới (docs/fingerprints.md)", "ask for new certificates (docs/fingerprints.md)")
    };
    let terminal = match terminal.valid_on(today) {
        Ok(terminal) => terminal,
        Err(error) => {
            let seen = words(
                format!("vân tay và mống mắt bị khóa: {error}"),
                format!("fingerprints and irises stay locked: {error}"),
            );
            return Finding::fault("station", seen, Actor::Admin, renew());
        }
    };
    // A path counts until the first of it ends, and the best path counts.
    let ends = terminal.own().filter_map(|own| {
        let path = terminal.path(own);
        let dated = path.iter().filter(|certificate| certificate.role() != CvRole::Authority);
        dated.map(|certificate| certificate.expires()).min()
    });
    let Some(ends) = ends.max() else {
        return Finding::fault(
            "station",
            words("không có chứng thư trạm", "no certificate of a station"),
            Actor::Admin,
            renew(),
        );
    };
    let seen =
        words(format!("chứng thư trạm đến {ends}"), format!("the station's certificates end on {ends}"));
    if ends - today < STATION_WARNED_BEFORE {
        Finding::warning("station", seen, Actor::Admin, renew())
    } else {
        Finding::ok("station", seen)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use cccd_emrtd::{CvCertificate, FileTerminalKey};
    use cccd_firmware_sim::pki::{CvAuthority, CvPlan};
    use time::macros::date;

    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::{desk, shown};
    use super::*;

    #[test]
    fn the_key_of_the_machine_is_looked_at_and_never_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        assert!(shown(&[evidence(&path)]).starts_with("Ok evidence-key: there is no key yet"));
        assert!(!path.exists());
        let key = evidence_key::read_or_make(&path).unwrap();
        assert!(shown(&[evidence(&path)]).contains(key.key_id().as_str()));
        let private = fs::read_to_string(&path).unwrap();
        let secret: serde_json::Value = serde_json::from_str(&private).unwrap();
        assert!(!evidence(&path).line().contains(secret["d"].as_str().unwrap()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(evidence(&path).state, State::Fault);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{}").unwrap();
        assert_eq!(evidence(&path).state, State::Fault);
    }

    #[test]
    fn the_certificate_of_https_is_told_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[api.tls]\nlisten = '127.0.0.1:9304'\nfolder = '{}'",
            folder.path().join("tls").display()
        );
        let mut desk = desk(&text, Machine::below("/nowhere"));
        assert!(https(&desk).unwrap().seen.en.contains("no certificate yet"));
        let made = tls::read_or_make(&desk.settings.api.tls, desk.now).unwrap();
        for (now, state) in [
            (desk.now, State::Ok),
            (made.ends - Duration::days(29), State::Warning),
            (made.ends + Duration::DAY, State::Fault),
        ] {
            desk.now = now;
            assert_eq!(https(&desk).unwrap().state, state, "{now}");
        }
        fs::write(folder.path().join("tls/server.pem"), "torn").unwrap();
        assert_eq!(https(&desk).unwrap().state, State::Fault);
        assert_eq!(https(&super::super::tests::desk("", Machine::below("/nowhere"))), None);
    }

    #[test]
    fn a_station_is_told_before_its_certificates_end() {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
        let verifier = root.certify(CvPlan::document_verifier("UTDVCA00001")).unwrap();
        let plan = CvPlan { expires: date!(2026 - 11 - 30), ..CvPlan::terminal("UTTERM00001") };
        let own = verifier.certify(plan).unwrap();
        let terminal = || {
            let chain = [root.certificate(), verifier.certificate(), own.certificate()];
            let chain = chain.map(|certificate| CvCertificate::parse(certificate).unwrap()).to_vec();
            let key = FileTerminalKey::from_pkcs8(&own.private_key_pkcs8().unwrap()).unwrap();
            Terminal::new(chain, Box::new(key)).unwrap()
        };
        for (today, state) in [
            (date!(2026 - 11 - 16), State::Ok),
            (date!(2026 - 11 - 17), State::Warning),
            (date!(2026 - 11 - 30), State::Warning),
            (date!(2026 - 12 - 01), State::Fault),
        ] {
            let found = of_station(terminal(), today);
            assert!(found.state == state, "{today}: {}", shown(&[found]));
        }
        let missing = desk(
            "[terminal]\ncertificates = ['/nowhere/x']\nkey_file = '/nowhere/y'",
            Machine::below("/nowhere"),
        );
        assert!(
            shown(&check(&missing))
                .contains("Fault station: the station's certificates or its key cannot be used")
        );
    }
}
