//! `cccd-agent browser-policy`: what lets a managed browser's pages reach this machine without asking the person.
//!
//! Browsers of 2025 and later ask before a page may speak to the machine it is shown on (Local Network Access), and
//! refuse outright where the page came over plain http. An administrator who answers for the sites says so once, by
//! policy. Nothing is installed here: the file is written, and it is said where it belongs and what it does.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_profiles::Origin;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::command_line::say;

/// Registry lists are numbered. Others begin at 1, and a file of ours that did so too would overwrite theirs.
const FIRST_NUMBER: usize = 9303;

#[derive(Args)]
pub(crate) struct BrowserPolicyArguments {
    /// Whose policy
    #[arg(long, value_name = "BROWSER")]
    browser: Browser,
    /// The page's origin, as `https://his.example.vn`; may be given several times
    #[arg(long = "site", required = true, value_name = "URL")]
    sites: Vec<String>,
    /// For which system; without it, that of this machine
    #[arg(long, value_name = "SYSTEM")]
    system: Option<System>,
    /// Write it into this file; without it, to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Browser {
    Chrome,
    Chromium,
    Edge,
    Firefox,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum System {
    Linux,
    Windows,
}

/// What goes into the file, and what is said of it.
struct Template {
    file: String,
    about: String,
}

/// Writes the template and says what it does.
pub(crate) fn run(arguments: &BrowserPolicyArguments) -> Result<ExitCode> {
    let mut sites = Vec::new();
    for site in &arguments.sites {
        let origin = site.strip_suffix('/').unwrap_or(site);
        let origin = Origin::parse(origin).with_context(|| format!("--site {site}"))?;
        if !sites.contains(&origin) {
            sites.push(origin);
        }
    }
    let here = if cfg!(windows) { System::Windows } else { System::Linux };
    let template = template(arguments.browser, arguments.system.unwrap_or(here), &sites)?;
    // Aside, so that standard output can go straight into the file.
    let mut aside = std::io::stderr().lock();
    std::io::Write::write_all(&mut aside, template.about.as_bytes()).context("cannot print")?;
    match &arguments.out {
        None => say(&template.file),
        Some(path) => {
            let shown = path.display();
            std::fs::write(path, template.file).with_context(|| format!("cannot write {shown}"))?;
            say(&format!("đã ghi · written: {shown}\n"))
        }
    }
}

fn template(browser: Browser, system: System, sites: &[Origin]) -> Result<Template> {
    match browser {
        Browser::Firefox => firefox(system, sites),
        Browser::Chromium if system == System::Windows => {
            bail!("Chromium on Windows takes the policies of nobody in particular; name chrome or edge")
        }
        _ => Ok(chromium(browser, system, sites)),
    }
}

/// The newer policy is for this machine only, the older for the local network as well; a browser takes the one it
/// knows.
const LOOPBACK: &str = "LoopbackNetworkAllowedForUrls";
const LOCAL: &str = "LocalNetworkAccessAllowedForUrls";

fn chromium(browser: Browser, system: System, sites: &[Origin]) -> Template {
    let (name, folder, key) = match browser {
        Browser::Edge => ("Edge", "/etc/opt/edge/policies/managed/", r"SOFTWARE\Policies\Microsoft\Edge"),
        Browser::Chromium => ("Chromium", "/etc/chromium/policies/managed/", ""),
        _ => ("Chrome", "/etc/opt/chrome/policies/managed/", r"SOFTWARE\Policies\Google\Chrome"),
    };
    let addresses: Vec<&str> = sites.iter().map(Origin::as_str).collect();
    let (file, place) = match system {
        System::Linux => {
            (pretty(&json!({ LOOPBACK: addresses, LOCAL: addresses })), format!("{folder}cccd-agent.json"))
        }
        System::Windows => (
            registry([LOOPBACK, LOCAL].map(|policy| (format!(r"{key}\{policy}"), addresses.as_slice()))),
            "regedit /s FILE.reg".to_owned(),
        ),
    };
    let plain = if sites.iter().any(is_plain_http) { PLAIN_HTTP } else { "" };
    let about = format!(
        "{name}: {place}\n\
         LoopbackNetworkAllowedForUrls ({name} >= 146): các trang này gọi được 127.0.0.1 của máy mà không hỏi người dùng.\n\
         \x20 These sites may call this machine's 127.0.0.1 without the person being asked.\n\
         LocalNetworkAccessAllowedForUrls ({name} >= {since}): như trên cho bản cũ; mở cả mạng nội bộ cho các trang này.\n\
         \x20 The same for older versions; it opens the local network to these sites, too.\n\
         Xem đã nhận chưa · see whether it is in force: {scheme}://policy\n{plain}",
        since = if browser == Browser::Edge { 140 } else { 139 },
        scheme = if browser == Browser::Edge { "edge" } else { "chrome" },
    );
    Template { file, about }
}

/// The documents say that the policy exempts a site from the checks altogether. Chromium 156, tried on 2026-11-29 with
/// `--ip-address-space-overrides`, let a public https page in by either policy, and a public page over plain http by
/// neither.
const PLAIN_HTTP: &str = "Trang http: Chromium 156 vẫn chặn trang http công cộng dù có chính sách; hãy dùng https hoặc /handoff.\n\
    \x20 Plain http: Chromium 156 refuses a public page over plain http in spite of the policy; use https, or /handoff.\n";

fn is_plain_http(site: &Origin) -> bool {
    site.as_str().starts_with("http://")
}

/// Firefox knows sites by their host name alone.
fn firefox(system: System, sites: &[Origin]) -> Result<Template> {
    let mut hosts: Vec<&str> = Vec::new();
    for site in sites {
        let host = host_of(site);
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let (file, place) = match system {
        System::Linux => (
            pretty(&json!({ "policies": { "LocalNetworkAccess": { "SkipDomains": hosts } } })),
            "/etc/firefox/policies/policies.json",
        ),
        System::Windows => (
            registry([(
                r"SOFTWARE\Policies\Mozilla\Firefox\LocalNetworkAccess\SkipDomains".to_owned(),
                hosts.as_slice(),
            )]),
            "regedit /s FILE.reg",
        ),
    };
    let merge = if system == System::Linux {
        "Máy đã có policies.json thì chép mục này vào đó. · Where there is a policies.json already, put the entry into it.\n"
    } else {
        ""
    };
    let about = format!(
        "Firefox: {place}\n{merge}\
         LocalNetworkAccess.SkipDomains (Firefox >= 151, chưa chắc từ bản nào · the first version is not certain): các \
         tên máy này không bị kiểm tra.\n\
         \x20 These host names are not checked. Firefox takes no port and no scheme here: it is every page of the host.\n\
         Xem đã nhận chưa · see whether it is in force: about:policies\n\
         Chưa thử với cccd-agent trên Firefox thật. · Not tried with cccd-agent in a real Firefox.\n"
    );
    Ok(Template { file, about })
}

fn host_of(site: &Origin) -> &str {
    let rest = site.as_str().split_once("://").map_or("", |(_, rest)| rest);
    match rest.strip_prefix('[').and_then(|address| address.split_once(']')) {
        Some((address, _)) => address,
        None => rest.split(':').next().unwrap_or_default(),
    }
}

fn pretty(value: &serde_json::Value) -> String {
    // Strings can always be written as JSON.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// A file for regedit. An origin has neither quotes nor backslashes, so that nothing needs escaping.
fn registry<'a>(lists: impl IntoIterator<Item = (String, &'a [&'a str])>) -> String {
    let mut text = "Windows Registry Editor Version 5.00\r\n".to_owned();
    for (key, values) in lists {
        let _ = write!(text, "\r\n[HKEY_LOCAL_MACHINE\\{key}]\r\n");
        for (number, value) in (FIRST_NUMBER..).zip(values) {
            let _ = write!(text, "\"{number}\"=\"{value}\"\r\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites() -> Vec<Origin> {
        ["https://his.example.vn", "http://192.168.1.4:8080"].map(|site| Origin::parse(site).unwrap()).into()
    }

    #[test]
    fn chromes_on_linux_read_both_lists() {
        for browser in [Browser::Chrome, Browser::Chromium, Browser::Edge] {
            let template = template(browser, System::Linux, &sites()).unwrap();
            let file: serde_json::Value = serde_json::from_str(&template.file).unwrap();
            let due = json!(["https://his.example.vn", "http://192.168.1.4:8080"]);
            assert_eq!(
                file,
                json!({ "LoopbackNetworkAllowedForUrls": due, "LocalNetworkAccessAllowedForUrls": due })
            );
            assert!(template.about.contains("/policies/managed/cccd-agent.json"), "{}", template.about);
            assert!(template.about.contains("/handoff"));
        }
        let secure = template(Browser::Chrome, System::Linux, &sites()[..1]).unwrap();
        assert!(!secure.about.contains("/handoff"));
    }

    #[test]
    fn registry_files_leave_the_numbers_of_others_alone() {
        let edge = template(Browser::Edge, System::Windows, &sites()).unwrap().file;
        assert_eq!(
            edge,
            "Windows Registry Editor Version 5.00\r\n\
             \r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Edge\\LoopbackNetworkAllowedForUrls]\r\n\
             \"9303\"=\"https://his.example.vn\"\r\n\"9304\"=\"http://192.168.1.4:8080\"\r\n\
             \r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Edge\\LocalNetworkAccessAllowedForUrls]\r\n\
             \"9303\"=\"https://his.example.vn\"\r\n\"9304\"=\"http://192.168.1.4:8080\"\r\n"
        );
        assert!(template(Browser::Chromium, System::Windows, &sites()).is_err());
    }

    #[test]
    fn firefox_gets_host_names() {
        let mut sites = sites();
        sites.push(Origin::parse("http://[::1]:8080").unwrap());
        sites.push(Origin::parse("http://his.example.vn:8080").unwrap());
        let file = template(Browser::Firefox, System::Linux, &sites).unwrap().file;
        let file: serde_json::Value = serde_json::from_str(&file).unwrap();
        let hosts = &file["policies"]["LocalNetworkAccess"]["SkipDomains"];
        assert_eq!(hosts, &json!(["his.example.vn", "192.168.1.4", "::1"]));
        let windows = template(Browser::Firefox, System::Windows, &sites).unwrap().file;
        assert!(
            windows.contains("Firefox\\LocalNetworkAccess\\SkipDomains]\r\n\"9303\"=\"his.example.vn\"\r\n")
        );
    }
}
