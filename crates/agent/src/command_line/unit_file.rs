//! The files of a desk's installation agree with each other, with the settings and with this command line.

use std::path::{Path, PathBuf};

use cccd_profiles::{AgentSettings, ScannerCatalogue};
use clap::Parser as _;

use super::{Command, CommandLine};

const UNIT: &str = include_str!("../../../../config/systemd/cccd-agent.service");
const USERS: &str = include_str!("../../../../config/systemd/cccd-agent.sysusers");
const POLKIT: &str = include_str!("../../../../config/systemd/50-cccd-agent.rules");
const UDEV: &str = include_str!("../../../../config/systemd/71-cccd-agent.rules");
const SHIPPED: &str = include_str!("../../../../config/agent.toml");
const MANUAL: &str = include_str!("../../../../docs/install.md");

/// What stands behind a key of the unit, in order.
fn all(key: &str) -> Vec<&'static str> {
    UNIT.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn one(key: &str) -> &'static str {
    let found = all(key);
    assert_eq!(found.len(), 1, "{key}");
    found[0]
}

#[test]
fn the_unit_starts_the_daemon_with_the_settings_of_its_folder() {
    let words = one("ExecStart").split_whitespace();
    let line = CommandLine::try_parse_from(words).unwrap();
    assert!(matches!(line.command, Command::Run));
    let config = line.config.unwrap();
    assert_eq!(config.parent(), Some(Path::new("/etc").join(one("ConfigurationDirectory")).as_path()));
    assert!(MANUAL.contains(config.to_str().unwrap()));
    assert!(MANUAL.contains("/usr/bin/") && one("ExecStart").starts_with("/usr/bin/cccd-agent "));
}

#[test]
fn what_the_agent_writes_by_itself_lies_where_the_unit_lets_it() {
    let state = Path::new("/var/lib").join(one("StateDirectory"));
    let settings = AgentSettings::parse(SHIPPED).unwrap();
    let written = [
        settings.store.folder,
        settings.outbox.folder,
        settings.trust.directory,
        settings.evidence.key_file,
        settings.api.tls.folder,
    ];
    for path in written {
        assert!(path.starts_with(&state), "{}", path.display());
    }
    // What comments propose, too: folders that are written, sockets, and what is only read.
    let run = Path::new("/run").join(one("RuntimeDirectory"));
    let read = Path::new("/etc").join(one("ConfigurationDirectory"));
    let proposed: Vec<PathBuf> = SHIPPED
        .split('"')
        .filter(|part| ["/var/lib/", "/run/", "/etc/"].iter().any(|root| part.starts_with(root)))
        .map(PathBuf::from)
        .collect();
    assert!(proposed.iter().any(|path| path.starts_with(&run)), "no socket is proposed any more");
    for path in proposed {
        let is_let = [&state, &run, &read].into_iter().any(|root| path.starts_with(root));
        assert!(is_let, "{}", path.display());
    }
    assert!(MANUAL.contains(run.join("admin.sock").to_str().unwrap()));
    assert_eq!((one("ProtectSystem"), one("StateDirectoryMode"), one("UMask")), ("strict", "0700", "0077"));
}

#[test]
fn the_user_is_one_and_the_same_everywhere_and_has_no_privileges() {
    let user = one("User");
    assert!(USERS.lines().any(|line| line.starts_with(&format!("u {user} "))));
    assert!(POLKIT.contains(&format!("subject.user === \"{user}\"")));
    for action in ["org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"] {
        assert!(POLKIT.contains(&format!("\"{action}\"")), "{action}");
    }
    assert!(MANUAL.contains(&format!("sudo -u {user} cccd-agent")));
    // Both serial readers and scanners are opened through it.
    assert!(one("SupplementaryGroups").split(' ').any(|group| group == "dialout"));
    assert_eq!(
        (one("CapabilityBoundingSet"), one("AmbientCapabilities"), one("NoNewPrivileges")),
        ("", "", "yes")
    );
    assert_eq!(one("LimitCORE"), "0");
    for family in ["AF_UNIX", "AF_INET", "AF_INET6"] {
        assert!(one("RestrictAddressFamilies").split(' ').any(|known| known == family), "{family}");
    }
    // The first says what may be done; later ones take away, and give back one by one.
    let calls = all("SystemCallFilter");
    assert_eq!(calls.first(), Some(&"@system-service"));
    assert!(calls.get(1).is_some_and(|calls| calls.starts_with("~@privileged")), "{calls:?}");
}

#[test]
fn every_file_that_is_shipped_is_installed_and_removed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/systemd");
    let (install, remove) = MANUAL.split_once("**Gỡ").unwrap();
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(install.contains(&format!("config/systemd/{name}")), "{name}");
        let installed = name.replace(".sysusers", ".conf");
        assert!(remove.contains(&format!("/{installed}")), "{installed}");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn no_scanner_of_ours_is_tried_by_a_modem_manager() {
    for (key, profile) in ScannerCatalogue::shipped().profiles() {
        for id in &profile.usb {
            let vendor = format!("ATTR{{idVendor}}==\"{:04x}\"", id.vendor);
            let product = id.product.map(|product| format!("ATTR{{idProduct}}==\"{product:04x}\""));
            let is_left_alone = UDEV.lines().any(|line| {
                line.contains(&vendor)
                    && line.ends_with("ENV{ID_MM_DEVICE_IGNORE}=\"1\"")
                    && (!line.contains("idProduct")
                        || product.as_ref().is_some_and(|product| line.contains(product.as_str())))
            });
            assert!(is_left_alone, "{key}: {id}");
        }
    }
    let labels: Vec<&str> = UDEV.split('"').filter(|part| *part == "cccd_agent_end").collect();
    assert_eq!(labels.len(), 2, "a place to go to, and who goes there");
}
