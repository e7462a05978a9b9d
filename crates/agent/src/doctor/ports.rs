//! Serial ports of the settings: NFC readers and scanners. Nothing is opened: whoever has a port keeps it.

use std::path::{Path, PathBuf};

use cccd_api::Actor;
use cccd_profiles::{ScannerPlace, UsbId};

use super::finding::{Finding, Words, words};
use super::machine::{Identity, Machine};
use super::{Desk, is_ours};

/// Programs that try every port they see.
const PROBING: [&str; 2] = ["ModemManager", "brltty"];
/// Drivers of libnfc whose connection string has a port of this machine.
const ON_A_PORT: [&str; 3] = ["pn532_uart", "arygon", "acr122s"];

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    // Ports of Windows have no files.
    if cfg!(windows) {
        return Vec::new();
    }
    let agent = desk.agent_identity();
    let mut found = Vec::new();
    for reader in &desk.settings.nfc {
        if let Some(port) = port_of(&reader.connstring) {
            found.push(of_port("nfc", &reader.name, &port, &desk.machine, agent.as_ref()));
        }
    }
    for scanner in &desk.settings.scanners.named {
        found.push(match &scanner.place {
            ScannerPlace::Port(port) => {
                of_port("scanner", &scanner.name, Path::new(port), &desk.machine, agent.as_ref())
            }
            ScannerPlace::Usb { id, .. } => of_usb(&scanner.name, *id, &desk.machine),
        });
    }
    found
}

/// The port in a connection string of libnfc: `pn532_uart:/dev/ttyUSB0:115200`.
fn port_of(connstring: &str) -> Option<PathBuf> {
    let (driver, place) = connstring.split_once(':')?;
    let port = match place.rsplit_once(':') {
        Some((port, speed)) if speed.bytes().all(|digit| digit.is_ascii_digit()) => port,
        _ => place,
    };
    ON_A_PORT.contains(&driver).then(|| PathBuf::from(port))
}

/// A port that the settings name, in one line: the worst that is to be said of it.
fn of_port(
    check: &'static str,
    name: &str,
    port: &Path,
    machine: &Machine,
    agent: Option<&Identity>,
) -> Finding {
    let shown = port.display();
    let Some(device) = machine.device(port) else {
        let seen = words(format!("{name}: không có {shown}"), format!("{name}: {shown} is not there"));
        let todo = if is_running(machine, "brltty") {
            words(
                "cắm thiết bị; nếu đã cắm, gỡ brltty (apt remove brltty): nó chiếm bộ chuyển USB–serial",
                "plug it in; if it is, remove brltty (apt remove brltty), which takes adapters from USB to serial",
            )
        } else {
            words(
                "cắm thiết bị; nếu đã cắm, `cccd-agent scanners` liệt kê các cổng",
                "plug it in; if it is, `cccd-agent scanners` lists the ports",
            )
        };
        return Finding::fault(check, seen, Actor::Operator, todo);
    };
    if let Some(todo) = forbidden(&machine.at(&device), agent) {
        let seen = words(
            format!("{name}: dịch vụ không được mở {shown}"),
            format!("{name}: the agent may not open {shown}"),
        );
        return Finding::fault(check, seen, Actor::Admin, todo);
    }
    let holders = machine.holders(&device);
    if let Some(other) = holders.iter().find(|holder| !is_ours(&holder.name)) {
        let (process, id) = (&other.name, other.id);
        let seen = words(
            format!("{name}: {shown} đang bị {process} (số {id}) giữ"),
            format!("{name}: {process} (process {id}) has {shown} open"),
        );
        return Finding::fault(check, seen, Actor::Admin, let_go(process));
    }
    let is_held = holders.iter().any(|holder| is_ours(&holder.name));
    let prober = PROBING.iter().find(|program| is_running(machine, program));
    // A program that has it keeps probing ones away from nothing: they look when it is plugged in.
    if let Some(prober) = prober.filter(|_| !is_held && is_adapter(&device)) {
        let seen = words(
            format!("{name}: {prober} đang chạy và hay thử mọi cổng như {shown}"),
            format!("{name}: {prober} runs, which tries ports such as {shown}"),
        );
        return Finding::warning(check, seen, Actor::Admin, let_go(prober));
    }
    if is_adapter(port) {
        let stable = stable_name(machine, &device);
        let seen = words(
            format!("{name}: {shown} có thể là thiết bị khác sau khi cắm lại"),
            format!("{name}: {shown} may be another device once it is plugged in anew"),
        );
        let stable =
            stable.map(|path| path.display().to_string()).unwrap_or("/dev/serial/by-id/...".to_owned());
        let todo = words(format!("ghi {stable} vào cấu hình"), format!("put {stable} into the settings"));
        return Finding::warning(check, seen, Actor::Admin, todo);
    }
    let held = if is_held { (", agent đang dùng", ", the agent has it") } else { ("", "") };
    Finding::ok(check, words(format!("{name}: {shown}{}", held.0), format!("{name}: {shown}{}", held.1)))
}

fn is_running(machine: &Machine, program: &str) -> bool {
    machine.processes().iter().any(|process| process.name == program)
}

/// Whether the system numbers it anew each time it is plugged in.
fn is_adapter(port: &Path) -> bool {
    let name = port.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    port.parent() == Some(Path::new("/dev")) && (name.starts_with("ttyUSB") || name.starts_with("ttyACM"))
}

/// The name that stays.
fn stable_name(machine: &Machine, device: &Path) -> Option<PathBuf> {
    ["/dev/serial/by-id", "/dev/serial/by-path"].iter().find_map(|folder| {
        let links = machine.entries(folder).into_iter();
        let name = links.filter_map(|link| Some(Path::new(folder).join(link.file_name()?)));
        name.into_iter().find(|name| machine.device(name).as_deref() == Some(device))
    })
}

fn let_go(process: &str) -> Words {
    match process {
        "ModemManager" => words(
            "chép config/systemd/71-cccd-agent.rules vào /etc/udev/rules.d rồi udevadm control --reload; hoặc systemctl disable --now ModemManager",
            "copy config/systemd/71-cccd-agent.rules to /etc/udev/rules.d, then udevadm control --reload; or systemctl disable --now ModemManager",
        ),
        "brltty" => words("apt remove brltty", "apt remove brltty"),
        other => words(format!("đóng {other}"), format!("close {other}")),
    }
}

/// What lets the agent's user open a device, where its mode does not.
#[cfg(unix)]
fn forbidden(path: &Path, agent: Option<&Identity>) -> Option<Words> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let (agent, metadata) = (agent?, std::fs::metadata(path).ok()?);
    let mode = metadata.permissions().mode();
    let both = |shift: u32| (mode >> shift) & 0o6 == 0o6;
    let may = if agent.user == 0 {
        true
    } else if agent.user == metadata.uid() {
        both(6)
    } else if agent.groups.contains(&metadata.gid()) {
        both(3)
    } else {
        both(0)
    };
    if may {
        return None;
    }
    let group = nix::unistd::Group::from_gid(nix::unistd::Gid::from_raw(metadata.gid())).ok().flatten();
    let group = group.map_or_else(|| metadata.gid().to_string(), |group| group.name);
    Some(words(
        format!(
            "thêm tài khoản của dịch vụ vào nhóm {group} (SupplementaryGroups={group}) rồi khởi động lại dịch vụ"
        ),
        format!(
            "add the agent's user to the group {group} (SupplementaryGroups={group}), and restart the agent"
        ),
    ))
}

#[cfg(not(unix))]
fn forbidden(_: &Path, _: Option<&Identity>) -> Option<Words> {
    None
}

/// A scanner that is found by what it is.
fn of_usb(name: &str, id: UsbId, machine: &Machine) -> Finding {
    let is_there = machine.usb_devices().iter().any(|device| id.matches(device.vendor, device.product));
    if is_there || !machine.has("/sys/bus/usb/devices") {
        return Finding::ok("scanner", words(format!("{name}: USB {id}"), format!("{name}: USB {id}")));
    }
    Finding::fault(
        "scanner",
        words(format!("{name}: chưa cắm USB {id}"), format!("{name}: USB {id} is not plugged in")),
        Actor::Operator,
        words(
            "cắm máy quét; nếu đã cắm, chuyển nó sang USB serial (docs/scan.md)",
            "plug it in; if it is, switch it to USB serial (docs/scan.md)",
        ),
    )
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, shown};
    use super::*;

    const BY_ID: &str = "/dev/serial/by-id/usb-Silicon_Labs_CP2102-if00-port0";
    const STRANGER: u32 = 64_000;

    /// A machine with an adapter that everybody may open.
    fn machine() -> Planted {
        let planted = Planted::new();
        planted.file("/dev/ttyUSB0", "").link(BY_ID, "../../ttyUSB0");
        fs::set_permissions(planted.path("/dev/ttyUSB0"), fs::Permissions::from_mode(0o666)).unwrap();
        planted
    }

    fn nfc(planted: &Planted, port: &str) -> String {
        let text = format!("[[nfc]]\nname = 'Desk 2'\nconnstring = 'pn532_uart:{port}:115200'");
        shown(&check(&desk(&text, planted.machine())))
    }

    #[test]
    fn a_port_with_a_name_that_stays_is_good_and_one_with_a_number_is_asked_about() {
        let planted = machine();
        assert_eq!(nfc(&planted, BY_ID), format!("Ok nfc: Desk 2: {BY_ID} | \n"));
        let said = nfc(&planted, "/dev/ttyUSB0");
        assert!(said.starts_with("Warning nfc:") && said.contains(&format!("put {BY_ID} into")), "{said}");
        let scanner = "[[scanner]]\nname = 'Desk 1'\nport = '/dev/ttyUSB0'";
        let said = shown(&check(&desk(scanner, planted.machine())));
        assert!(said.starts_with("Warning scanner:"), "{said}");
        // Built into the machine: it keeps its number.
        planted.file("/dev/ttyS0", "");
        assert!(nfc(&planted, "/dev/ttyS0").starts_with("Ok nfc:"));
    }

    #[test]
    fn each_thing_that_keeps_a_port_from_us_is_told_with_its_remedy() {
        type Plant = fn(&Planted);
        for (plant, told) in [
            (
                (|planted| fs::remove_file(planted.path("/dev/ttyUSB0")).unwrap()) as Plant,
                "is not there | plug it in; if it is, `cccd-agent scanners`",
            ),
            (
                |planted| {
                    fs::remove_file(planted.path("/dev/ttyUSB0")).unwrap();
                    planted.process(9, "brltty", 0, &[]);
                },
                "remove brltty",
            ),
            (
                |planted| {
                    planted.process(9, "cccd-agent", STRANGER, &[]);
                    fs::set_permissions(planted.path("/dev/ttyUSB0"), fs::Permissions::from_mode(0o660))
                        .unwrap();
                },
                "the agent may not open",
            ),
            (
                |planted| {
                    planted.process(9, "ModemManager", 0, &["/dev/ttyUSB0"]);
                },
                "Fault nfc: Desk 2: ModemManager (process 9) has",
            ),
            (
                |planted| {
                    planted.process(9, "ModemManager", 0, &[]);
                },
                "Warning nfc: Desk 2: ModemManager runs",
            ),
            (
                |planted| {
                    planted.process(9, "minicom", 0, &["/dev/ttyUSB0"]);
                },
                "close minicom",
            ),
        ] {
            let planted = machine();
            plant(&planted);
            let said = nfc(&planted, BY_ID);
            assert!(said.contains(told) && said.lines().count() == 1, "{told}: {said}");
        }
    }

    #[test]
    fn a_port_that_the_agent_has_is_nobody_elses() {
        let planted = machine();
        planted.process(9, "cccd-agent", 0, &["/dev/ttyUSB0"]).process(10, "ModemManager", 0, &[]);
        assert!(nfc(&planted, BY_ID).contains("the agent has it"));
    }

    #[test]
    fn a_group_that_the_agent_is_in_lets_it_open_a_port() {
        let planted = machine();
        let path = planted.path("/dev/ttyUSB0");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        let group = fs::metadata(&path).unwrap().gid();
        let user = |groups: &[u32]| Identity { user: STRANGER, groups: groups.to_vec() };
        assert_eq!(forbidden(&path, Some(&user(&[group]))), None);
        assert!(forbidden(&path, Some(&user(&[]))).unwrap().en.contains("SupplementaryGroups="));
        assert_eq!(forbidden(&path, None), None);
    }

    #[test]
    fn a_scanner_by_its_usb_ids_is_plugged_in_or_not() {
        let text = "[[scanner]]\nname = 'Desk 1'\nusb = '1eab:1d06'";
        let planted = Planted::new();
        planted.usb("1eab:1d06", "Newland", "02", Some("cdc_acm"));
        assert!(shown(&check(&desk(text, planted.machine()))).starts_with("Ok scanner:"));
        let other = Planted::new();
        other.usb("046d:c31c", "Keyboard", "03", Some("usbhid"));
        assert!(
            shown(&check(&desk(text, other.machine())))
                .starts_with("Fault scanner: Desk 1: USB 1eab:1d06 is not")
        );
    }

    #[test]
    fn only_a_port_of_this_machine_is_one() {
        for (connstring, port) in [
            ("pn532_uart:/dev/ttyUSB0:115200", Some("/dev/ttyUSB0")),
            (
                "pn532_uart:/dev/serial/by-path/pci-0:1:2-port0:115200",
                Some("/dev/serial/by-path/pci-0:1:2-port0"),
            ),
            ("pn532_uart:/dev/ttyS0", Some("/dev/ttyS0")),
            ("pn53x_usb", None),
            ("pn53x_usb:001:002", None),
        ] {
            assert_eq!(port_of(connstring).as_deref(), port.map(Path::new), "{connstring}");
        }
    }
}
