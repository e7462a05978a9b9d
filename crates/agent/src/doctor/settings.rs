//! The settings: whether they can be used, and what in them is unusual enough to be asked about.

use std::path::Path;

use cccd_api::{Actor, ProfileSource as _};
use cccd_profiles::{AgentSettings, PairingPages, Scope, UnnamedScanners};

use super::Desk;
use super::finding::{Finding, words};
use crate::profile_shelf::ProfileShelf;

/// Reads the settings, and says whether they can be used. Without a file the defaults hold, with nobody to call.
pub(super) fn load(config: Option<&Path>) -> (Vec<Finding>, Option<AgentSettings>) {
    let Some(path) = config else {
        let seen = words(
            "không nêu tệp cấu hình: xét với giá trị mặc định",
            "no settings file is named: the defaults are looked at",
        );
        let todo = words("chạy với --config TỆP", "run it with --config FILE");
        return (vec![Finding::warning("settings", seen, Actor::Admin, todo)], AgentSettings::parse("").ok());
    };
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let seen =
                words(format!("không đọc được {shown}: {error}"), format!("{shown} cannot be read: {error}"));
            let todo = words("xem lại đường dẫn và quyền đọc tệp", "look at its path and who may read it");
            return (vec![Finding::fault("settings", seen, Actor::Admin, todo)], None);
        }
    };
    match AgentSettings::parse(&text) {
        Ok(settings) => (Vec::new(), Some(settings)),
        Err(error) => {
            // What is wrong may span lines and show the file's: one line is enough, and the file has the rest.
            let told =
                error.to_string().lines().filter(|line| !line.contains('|')).collect::<Vec<_>>().join(" ");
            let seen = words(format!("{shown} có lỗi: {told}"), format!("{shown} cannot be used: {told}"));
            let todo = words(
                "sửa tệp; `cccd-agent check-config` chỉ chỗ sai",
                "mend the file; `cccd-agent check-config` shows the place",
            );
            (vec![Finding::fault("settings", seen, Actor::Admin, todo)], None)
        }
    }
}

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let settings = &desk.settings;
    let callers = settings.callers.len()
        + settings.sites.len()
        + settings.local.programs.len()
        + settings.handoffs.len();
    let mut found = Vec::new();
    let pairing = settings.pairing.pages != PairingPages::Nobody;
    if callers == 0 && !pairing {
        found.push(warning(
            words(
                "chưa khai báo bên gọi nào: không ai đọc được thẻ",
                "no caller is named, so no program may read a card",
            ),
            words(
                "tạo mã bằng `cccd-agent token` và chép khối vào cấu hình",
                "`cccd-agent token` makes a token and the block for the settings",
            ),
        ));
    } else {
        found.push(Finding::ok(
            "settings",
            words(format!("dùng được, {callers} bên gọi"), format!("they can be used, {callers} caller(s)")),
        ));
    }
    found.extend(choices(settings));
    found.extend(profiles(settings));
    found
}

fn warning(seen: super::finding::Words, todo: super::finding::Words) -> Finding {
    Finding::warning("settings", seen, Actor::Admin, todo)
}

/// Choices that are allowed and are seldom meant.
fn choices(settings: &AgentSettings) -> Vec<Finding> {
    let mut found = Vec::new();
    if settings.api.listen.port() == 0 {
        found.push(warning(
            words(
                "api.listen dùng cổng 0: không phần mềm nào biết gọi vào đâu",
                "api.listen has port 0: no program knows where to call",
            ),
            words("chọn một cổng, ví dụ 127.0.0.1:9303", "name one, such as 127.0.0.1:9303"),
        ));
    }
    if settings.api.requests_per_second == 0 {
        found.push(warning(
            words(
                "api.requests_per_second = 0: không giới hạn số yêu cầu",
                "api.requests_per_second = 0: a caller may ask without limit",
            ),
            words("bỏ dòng này để dùng mặc định 100", "delete the line; the default is 100"),
        ));
    }
    for caller in &settings.callers {
        let name = &caller.name;
        let plain = caller.origins.iter().find(|origin| !origin.is_secure());
        if let Some(origin) = plain {
            found.push(warning(
                words(
                    format!(
                        "bên gọi {name}: trang {} không dùng https, ai trên đường truyền cũng sửa được trang",
                        origin.as_str()
                    ),
                    format!(
                        "caller {name}: {} is plain http: whoever is on the way can change the page",
                        origin.as_str()
                    ),
                ),
                words(
                    "chuyển trang sang https, hoặc dùng [[handoff]]",
                    "serve the page over https, or use a [[handoff]]",
                ),
            ));
        }
        let wants_biometrics =
            caller.scopes.iter().any(|scope| matches!(scope, Scope::Fingerprints | Scope::Irises));
        if wants_biometrics && settings.terminal.is_none() {
            found.push(warning(
                words(
                    format!("bên gọi {name} được đọc vân tay hoặc mống mắt, nhưng máy không phải trạm: chúng luôn bị khóa"),
                    format!("caller {name} may ask for fingerprints or irises, and this machine is no station: they stay locked"),
                ),
                words("điền [terminal], hoặc bỏ quyền này", "fill in [terminal], or take the scope away"),
            ));
        }
    }
    let any_page = matches!(&settings.pairing.pages, PairingPages::Secure);
    if any_page {
        found.push(warning(
            words(
                "pairing.origins trống: trang https nào cũng xin ghép được",
                "pairing.origins is empty: any page that came over https may ask to be paired",
            ),
            words("nêu các trang được phép xin", "name the pages that may ask"),
        ));
    }
    if settings.scanners.unnamed == UnnamedScanners::Taken {
        found.push(warning(
            words(
                "scanners.take_unnamed = true: agent chiếm mọi cổng giống máy quét",
                "scanners.take_unnamed = true: the agent takes every port that may be a scanner's",
            ),
            words(
                "khai báo từng máy quét bằng [[scanner]]; `cccd-agent scanners` viết sẵn khối",
                "name each with a [[scanner]]; `cccd-agent scanners` writes the block",
            ),
        ));
    }
    if ["debug", "trace"].contains(&settings.log.level.as_str()) {
        found.push(warning(
            words(
                format!("log.level = {}: nhật ký rất dài", settings.log.level),
                format!("log.level = {}: the log grows fast", settings.log.level),
            ),
            words("dùng info khi không tìm lỗi", "set it to info when nothing is looked for"),
        ));
    }
    let fetch = &settings.trust.fetch;
    let has_addresses = !fetch.crl_urls.is_empty() || !fetch.list_urls.is_empty();
    if has_addresses && !fetch.allowed {
        found.push(warning(
            words(
                "trust.allow_fetch = false: các địa chỉ CRL và danh sách đã khai không được tải",
                "trust.allow_fetch = false: the addresses of CRLs and lists are never fetched",
            ),
            words(
                "đặt trust.allow_fetch = true, hoặc cập nhật từ tệp",
                "set trust.allow_fetch = true, or update from files",
            ),
        ));
    }
    found
}

/// Profiles that callers were granted.
fn profiles(settings: &AgentSettings) -> Vec<Finding> {
    let shelf = ProfileShelf::open(&settings.profiles.directory);
    let mut found = Vec::new();
    for caller in &settings.callers {
        for name in &caller.profiles {
            if shelf.find(name).is_none_or(|ready| ready.lacks_key()) {
                let caller = &caller.name;
                found.push(Finding::fault(
                    "settings",
                    words(
                        format!("hồ sơ {name} của bên gọi {caller} không dùng được"),
                        format!("the profile {name} of caller {caller} cannot be used"),
                    ),
                    Actor::Admin,
                    words(
                        "xem `cccd-agent profile list` và `cccd-agent profile check`",
                        "see `cccd-agent profile list` and `cccd-agent profile check`",
                    ),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::{desk, shown};
    use super::*;

    const CALLER: &str = "[[caller]]\nname = 'clinic'\ntoken_sha256 = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'\n";

    #[test]
    fn ordinary_settings_are_one_good_line() {
        let text = format!(
            "[admin]\nsocket = '/x'\n[pairing]\nenabled = true\norigins = ['https://a.example']\n{CALLER}profiles = ['clinic']\norigins = ['https://his.example.vn', 'http://localhost:3000']"
        );
        let found = check(&desk(&text, Machine::below("/nowhere")));
        assert_eq!(shown(&found), "Ok settings: they can be used, 1 caller(s) | \n");
    }

    #[test]
    fn each_risky_choice_is_asked_about() {
        for (text, state, told) in [
            ("", State::Warning, "no program may read a card"),
            ("[api]\nlisten = '127.0.0.1:0'", State::Warning, "port 0"),
            ("[api]\nrequests_per_second = 0", State::Warning, "without limit"),
            (
                &format!("{CALLER}origins = ['http://10.0.0.1']"),
                State::Warning,
                "http://10.0.0.1 is plain http",
            ),
            (&format!("{CALLER}scopes = ['irises']"), State::Warning, "no station"),
            ("[admin]\nsocket = '/x'\n[pairing]\nenabled = true", State::Warning, "any page"),
            ("[scanners]\ntake_unnamed = true", State::Warning, "every port"),
            ("[log]\nlevel = 'trace'", State::Warning, "the log grows"),
            ("[trust]\ncrl_urls = ['http://crl.example.vn/a.crl']", State::Warning, "never fetched"),
            (
                &format!("{CALLER}profiles = ['nobodys']"),
                State::Fault,
                "the profile nobodys of caller clinic",
            ),
        ] {
            let found = check(&desk(text, Machine::below("/nowhere")));
            let is_told = found.iter().any(|found| found.state == state && found.seen.en.contains(told));
            assert!(is_told, "{text}: {}", shown(&found));
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_a_fault_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        let (found, settings) = load(Some(&path));
        assert!(shown(&found).starts_with("Fault settings:") && settings.is_none(), "{}", shown(&found));
        std::fs::write(&path, "[api]\nport = 1\n").unwrap();
        let (found, settings) = load(Some(&path));
        assert!(shown(&found).contains("unknown field `port`") && settings.is_none(), "{}", shown(&found));
        assert_eq!(shown(&found).lines().count(), 1);
        std::fs::write(&path, "[log]\n").unwrap();
        assert!(matches!(load(Some(&path)), (found, Some(_)) if found.is_empty()));
        assert!(matches!(load(None), (found, Some(_)) if found.len() == 1));
    }
}
