//! Readers of cards: those that the smart-card service shows, and those that are plugged in and do not get that far.

use std::collections::BTreeSet;

use cccd_api::Actor;
use cccd_profiles::{AgentSettings, ReaderCatalogue, ReaderProfile, ReaderQuirk};
use cccd_readers::{ListedReader, is_ignored};

use super::Desk;
use super::finding::{Finding, words};
use super::machine::{Machine, UsbDevice};
use super::smart_cards;

/// The USB class of smart-card readers (CCID 1.1, 4.3).
const SMART_CARD_CLASS: u8 = 0x0B;
/// The vendor whose readers have a driver of their own in Debian beside the general one.
const ACS: u16 = 0x072F;
/// Modules of the kernel that take readers with a PN53x in them.
const TAKING: [&str; 3] = ["pn533_usb", "pn533", "nfc"];
/// Where drivers of the smart-card service lie, by distribution.
const DRIVERS: [&str; 3] =
    ["/usr/lib/pcsc/drivers", "/usr/lib64/pcsc/drivers", "/usr/local/lib/pcsc/drivers"];

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let service = smart_cards::look(desk);
    let mut found = service.findings;
    let catalogue = ReaderCatalogue::shipped();
    let listed = service.readers.as_deref();
    for reader in listed.unwrap_or_default() {
        found.extend(of_listed(reader, &desk.settings, &catalogue));
    }
    found.extend(plugged_in(desk, listed, &catalogue));
    let named = desk.settings.nfc.len() + desk.settings.network_readers.len();
    let used = listed.unwrap_or_default().iter().filter(|reader| is_used(reader, &desk.settings, &catalogue));
    if listed.is_some() && used.count() == 0 && named == 0 {
        found.push(Finding::fault(
            "reader",
            words("không có đầu đọc nào", "there is no reader"),
            Actor::Operator,
            words(
                "cắm đầu đọc, hoặc khai báo [[nfc]] hay [[network_reader]]",
                "plug one in, or name an [[nfc]] or [[network_reader]] in the settings",
            ),
        ));
    }
    found
}

fn is_used(reader: &ListedReader, settings: &AgentSettings, catalogue: &ReaderCatalogue) -> bool {
    let is_sam = catalogue.find(&reader.name).is_some_and(|profile| profile.is_sam_slot(&reader.name));
    !is_sam && !is_ignored(&settings.readers.ignore, &reader.name)
}

/// One that the service shows, and what is known to be odd about it.
fn of_listed(reader: &ListedReader, settings: &AgentSettings, catalogue: &ReaderCatalogue) -> Vec<Finding> {
    let name = &reader.name;
    let profile = catalogue.find(name);
    if !is_used(reader, settings, catalogue) {
        let seen = words(format!("{name}: được bỏ qua"), format!("{name}: left alone"));
        return vec![Finding::ok("reader", seen)];
    }
    let model = profile.map(|profile| profile.name.as_str()).unwrap_or_default();
    let card = match (reader.has_card, reader.is_mute) {
        (false, _) => ("không có thẻ", "no card"),
        (true, false) => ("có thẻ", "a card"),
        (true, true) => ("thẻ không trả lời", "a card that does not answer"),
    };
    let seen = words(format!("{name}: {model}, {}", card.0), format!("{name}: {model}, {}", card.1));
    let mut found = vec![if reader.has_card && reader.is_mute {
        let todo = words(
            "đặt lại thẻ cho ngay; thẻ cắm khe thì xem mặt chip",
            "lay the card down straight; in a slot, look which way the chip is",
        );
        Finding::warning("reader", seen, Actor::User, todo)
    } else {
        Finding::ok("reader", seen)
    }];
    for quirk in profile.iter().flat_map(|profile| &profile.quirks) {
        // It is shown, so that nothing has taken it.
        if *quirk == ReaderQuirk::KernelModulesTakeIt {
            continue;
        }
        let seen = words(format!("{model}: điều cần biết"), format!("{model}: to be known"));
        found.push(
            Finding::ok("reader", seen).advising(Actor::Operator, words(quirk.advice_vi(), quirk.advice())),
        );
    }
    found
}

/// Readers on USB that nobody gets to see. `listed` is what the service shows, where it shows anything.
fn plugged_in(desk: &Desk, listed: Option<&[ListedReader]>, catalogue: &ReaderCatalogue) -> Vec<Finding> {
    let devices = desk.machine.usb_devices();
    let readers = devices.iter().filter_map(|device| {
        let profile = catalogue.find_usb(device.vendor, device.product);
        let is_reader = profile.is_some()
            || device.interfaces.iter().any(|interface| interface.class == SMART_CARD_CLASS);
        is_reader.then_some((device, profile))
    });
    let modules = desk.machine.modules();
    let loaded: Vec<&str> =
        TAKING.into_iter().filter(|name| modules.iter().any(|module| module == name)).collect();
    let mut found = Vec::new();
    let mut takeable = false;
    for (device, profile) in readers {
        takeable |= profile.is_some_and(|profile| profile.quirks.contains(&ReaderQuirk::KernelModulesTakeIt));
        if !is_shown(device, profile, listed) {
            found.extend(missing(device, profile, &loaded, desk, listed.is_some()));
        }
    }
    if !loaded.is_empty() && !takeable {
        let modules = loaded.join(", ");
        let seen = words(
            format!("mô-đun {modules} của nhân đã nạp: sẽ chiếm đầu đọc loại ACR122U khi cắm vào"),
            format!("the kernel's modules {modules} are loaded: they take an ACR122U when one is plugged in"),
        );
        found.push(Finding::warning("kernel-modules", seen, Actor::Admin, keep_kernel_off()));
    }
    found
}

fn keep_kernel_off() -> super::finding::Words {
    let quirk = ReaderQuirk::KernelModulesTakeIt;
    words(quirk.advice_vi(), quirk.advice())
}

/// Whether the service shows it: under a name of its model, or of one that says what the device says of itself.
fn is_shown(device: &UsbDevice, profile: Option<&ReaderProfile>, listed: Option<&[ListedReader]>) -> bool {
    listed.unwrap_or_default().iter().any(|reader| {
        profile.is_some_and(|profile| profile.matches(&reader.name))
            || (!device.name.is_empty() && reader.name.contains(&device.name))
    })
}

/// Why a reader that is plugged in is not shown; nothing where libnfc is to have it.
fn missing(
    device: &UsbDevice,
    profile: Option<&ReaderProfile>,
    modules: &[&str],
    desk: &Desk,
    service_answers: bool,
) -> Option<Finding> {
    let UsbDevice { vendor, product, name, interfaces } = device;
    let model = profile.map_or(name.as_str(), |profile| profile.name.as_str());
    let id = format!("{vendor:04x}:{product:04x}");
    if let Some(driver) =
        interfaces.iter().find_map(|one| one.driver.as_deref().filter(|name| *name != "usbfs"))
    {
        let modules = BTreeSet::from_iter(modules.iter().copied().chain([driver]));
        let modules = Vec::from_iter(modules).join(", ");
        let seen = words(
            format!("{model} ({id}) đã cắm nhưng nhân Linux chiếm mất ({modules})"),
            format!("{model} ({id}) is plugged in, and the kernel has taken it ({modules})"),
        );
        return Some(Finding::fault("usb-reader", seen, Actor::Admin, keep_kernel_off()));
    }
    let is_libnfcs = profile.is_some_and(|profile| {
        desk.settings.nfc.iter().any(|reader| profile.matches_libnfc(&with_place(&reader.connstring)))
    });
    if is_libnfcs {
        let seen = words(format!("{model} ({id}): libnfc dùng"), format!("{model} ({id}): libnfc has it"));
        return Some(Finding::ok("usb-reader", seen));
    }
    if !service_answers {
        // Said once already: the service is not there.
        let seen = words(format!("{model} ({id}) đã cắm"), format!("{model} ({id}) is plugged in"));
        return Some(Finding::ok("usb-reader", seen));
    }
    let seen = words(
        format!("{model} ({id}) đã cắm nhưng pcscd không thấy"),
        format!("{model} ({id}) is plugged in, and pcscd does not see it"),
    );
    Some(Finding::fault("usb-reader", seen, Actor::Admin, driver_for(device, profile, &desk.machine)))
}

/// A profile's patterns have a colon after the driver's name, which a connection string need not have.
fn with_place(connstring: &str) -> String {
    if connstring.contains(':') { connstring.to_owned() } else { format!("{connstring}:") }
}

/// Which driver to install, by what those that are there say they drive.
fn driver_for(
    device: &UsbDevice,
    profile: Option<&ReaderProfile>,
    machine: &Machine,
) -> super::finding::Words {
    let bundles = DRIVERS.iter().flat_map(|folder| machine.entries(folder));
    let known: Vec<String> =
        bundles.filter_map(|bundle| machine.text(bundle_list(&bundle, machine))).collect();
    let is_ccid = device.interfaces.iter().any(|interface| interface.class == SMART_CARD_CLASS);
    if known.iter().any(|list| drives(list, device.vendor, device.product)) {
        return words(
            "trình điều khiển đã có: rút ra cắm lại, systemctl restart pcscd, xem journalctl -u pcscd",
            "its driver is there: plug it in anew, systemctl restart pcscd, look at journalctl -u pcscd",
        );
    }
    if device.vendor == ACS && !known.is_empty() {
        return words(
            "apt install libacsccid1, rồi systemctl restart pcscd",
            "apt install libacsccid1, then systemctl restart pcscd",
        );
    }
    if known.is_empty() && is_ccid {
        return words(
            "apt install libccid, rồi systemctl restart pcscd",
            "apt install libccid, then systemctl restart pcscd",
        );
    }
    if profile.is_some_and(|profile| !profile.libnfc.is_empty()) && !is_ccid {
        return words(
            "libccid không điều khiển nó: khai báo [[nfc]] (docs/nfc.md), hoặc cài trình điều khiển của hãng",
            "libccid does not drive it: name it as an [[nfc]] (docs/nfc.md), or install its maker's driver",
        );
    }
    words(
        "cài libccid mới hơn, hoặc trình điều khiển của hãng, rồi systemctl restart pcscd",
        "install a newer libccid, or its maker's driver, then systemctl restart pcscd",
    )
}

/// Where a driver says what it drives, as a path of the machine. Debian has a link there that leads out of the folder.
fn bundle_list(bundle: &std::path::Path, machine: &Machine) -> std::path::PathBuf {
    let list = bundle.join("Contents/Info.plist");
    let root = machine.at("/");
    let within =
        |path: &std::path::Path| path.strip_prefix(&root).map(std::path::Path::to_owned).unwrap_or_default();
    match std::fs::read_link(&list) {
        Ok(target) if target.is_absolute() => target,
        _ => within(&list),
    }
}

/// Whether a driver's list (`ifdVendorID` and `ifdProductID`, in step) has this device.
fn drives(list: &str, vendor: u16, product: u16) -> bool {
    let numbers = |key: &str| -> Vec<u16> {
        let rest = list.split(&format!("<key>{key}</key>")).nth(1).unwrap_or_default();
        let array = rest.split("</array>").next().unwrap_or_default();
        let text = array.split("<string>").skip(1).filter_map(|item| item.split("</string>").next());
        text.map(|item| u16::from_str_radix(item.trim().trim_start_matches("0x"), 16).unwrap_or_default())
            .collect()
    };
    let (vendors, products) = (numbers("ifdVendorID"), numbers("ifdProductID"));
    vendors.into_iter().zip(products).any(|pair| pair == (vendor, product))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::finding::State;
    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, shown};
    use super::*;

    const LIST: &str = "<dict><key>ifdVendorID</key><array><string>0x072F</string><string>0x076B</string></array>\n\
                        <key>ifdProductID</key><array>\n<string>0x2200</string>\n<string>0x5422</string></array></dict>";

    fn listed(name: &str) -> ListedReader {
        ListedReader { name: name.to_owned(), has_card: false, is_mute: false }
    }

    fn found(planted: &Planted, settings: &str, readers: Option<&[ListedReader]>) -> String {
        shown(&plugged_in(&desk(settings, planted.machine()), readers, &ReaderCatalogue::shipped()))
    }

    #[test]
    fn a_reader_that_is_plugged_in_and_shown_is_nothing_to_speak_of() {
        let planted = Planted::new();
        planted.usb("072f:2200", "ACR122U PICC Interface", "0b", Some("usbfs"));
        assert_eq!(found(&planted, "", Some(&[listed("ACS ACR122U PICC Interface 00 00")])), "");
        let odd = Planted::new();
        odd.usb("1234:5678", "Reader of Nobody", "0b", None);
        assert_eq!(found(&odd, "", Some(&[listed("Maker Reader of Nobody 00 00")])), "");
        let none = Planted::new();
        none.usb("046d:c31c", "Keyboard", "03", Some("usbhid"));
        assert_eq!(found(&none, "", Some(&[])), "");
    }

    #[test]
    fn a_reader_that_is_plugged_in_and_not_shown_comes_with_what_to_install() {
        for (id, class, driver, drivers, settings, told) in [
            (
                "072f:2200",
                "0b",
                Some("pn533_usb"),
                true,
                "",
                "Fault usb-reader: ACS ACR122U (072f:2200) is plugged in, and the kernel has taken it (pn533_usb)",
            ),
            ("072f:2200", "0b", None, true, "", "its driver is there: plug it in anew"),
            ("072f:2200", "0b", None, false, "", "apt install libccid"),
            ("072f:2301", "0b", None, true, "", "apt install libacsccid1"),
            ("04e6:5591", "ff", None, true, "", "name it as an [[nfc]]"),
            (
                "04e6:5591",
                "ff",
                None,
                true,
                "[[nfc]]\nname = 'a'\nconnstring = 'pn53x_usb'",
                "Ok usb-reader: SCM SCL3711 (04e6:5591): libnfc has it",
            ),
            (
                "1234:5678",
                "0b",
                None,
                true,
                "",
                "Fault usb-reader: Odd (1234:5678) is plugged in, and pcscd does not see it | install a newer libccid",
            ),
        ] {
            let planted = Planted::new();
            planted.usb(id, "Odd", class, driver);
            if drivers {
                planted.file("/etc/libccid_Info.plist", LIST);
                planted.link(
                    "/usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist",
                    "/etc/libccid_Info.plist",
                );
            }
            let said = found(&planted, settings, Some(&[]));
            assert!(said.contains(told) && said.lines().count() == 1, "{id}: {said}");
        }
    }

    #[test]
    fn modules_of_the_kernel_are_told_before_they_take_a_reader_and_when_they_have() {
        let planted = Planted::new();
        planted.file("/proc/modules", "nfc 131072 1 pn533, Live 0x0\npn533_usb 20480 0 - Live 0x0\n");
        assert!(
            found(&planted, "", Some(&[]))
                .starts_with("Warning kernel-modules: the kernel's modules pn533_usb, nfc")
        );
        planted.usb("072f:2200", "ACR122U", "0b", Some("pn533_usb"));
        let said = found(&planted, "", Some(&[]));
        assert!(
            said.contains("taken it (nfc, pn533_usb) | If it does not appear on Linux")
                && said.lines().count() == 1,
            "{said}"
        );
        // The service has it all the same: nothing is wrong.
        assert_eq!(found(&planted, "", Some(&[listed("ACS ACR122U PICC Interface 00 00")])), "");
    }

    #[test]
    fn a_reader_is_told_with_its_model_its_card_and_what_is_odd_about_it() {
        let catalogue = ReaderCatalogue::shipped();
        let told = |reader: &ListedReader, settings: &str| {
            shown(&of_listed(reader, &AgentSettings::parse(settings).unwrap(), &catalogue))
        };
        let acr = listed("ACS ACR122U PICC Interface 00 00");
        let said = told(&acr, "");
        assert!(
            said.starts_with("Ok reader: ACS ACR122U PICC Interface 00 00: ACS ACR122U, no card"),
            "{said}"
        );
        assert!(said.contains("It carries short commands only") && !said.contains("blacklist"), "{said}");
        assert!(told(&acr, "[readers]\nignore = ['ACS*']").contains("left alone"));
        assert!(
            told(&listed("ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 00 01"), "")
                .contains("left alone")
        );
        let mute = ListedReader { has_card: true, is_mute: true, ..acr };
        assert!(told(&mute, "").starts_with("Warning reader:"), "{}", told(&mute, ""));
    }

    #[test]
    fn a_drivers_list_is_read_in_step() {
        assert!(drives(LIST, 0x072F, 0x2200) && drives(LIST, 0x076B, 0x5422));
        assert!(
            !drives(LIST, 0x072F, 0x5422) && !drives("", 0, 0) && !drives("<key>ifdVendorID</key>", 1, 1)
        );
        assert_eq!(State::Ok, State::Ok.min(State::Fault));
    }
}
