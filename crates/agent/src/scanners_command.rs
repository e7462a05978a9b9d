//! `cccd-agent scanners`: which scanners stand there, and whether what they send arrives whole. What a code says is
//! never printed: whoever sets up a desk tries it with somebody's card.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_card::StopSignal;
use cccd_document::{QrNote, QrPayload};
use cccd_profiles::{AgentSettings, DeskScanner, ScannerCatalogue, ScannerPlace};
use cccd_readers::{
    Burst, Heard, NotSent, PortFault, ScannerOrder, ScannerTrial, SerialPortFound, probe, serial_ports,
    try_port,
};
use clap::{Args, Subcommand, ValueEnum};

use crate::command_line::say;
use crate::table;

#[derive(Args)]
pub(crate) struct ScannersArguments {
    #[command(subcommand)]
    task: Option<ScannersTask>,
}

#[derive(Subcommand)]
enum ScannersTask {
    /// Thử một máy quét, không in nội dung mã · Show what one sends, without what its codes say
    Test(TestArguments),
}

#[derive(Args)]
struct TestArguments {
    /// A scanner's name in the settings, or a port such as COM5 or /dev/ttyACM0
    scanner: String,
    /// What stands at a port that the settings do not name
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Tell it something first
    #[arg(long, value_name = "ORDER")]
    order: Option<Order>,
    /// End after so many codes; without it, at Ctrl-C
    #[arg(long, value_name = "COUNT")]
    codes: Option<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    Trigger,
    Stop,
    Ping,
}

pub(crate) fn run(settings: &AgentSettings, arguments: &ScannersArguments) -> Result<ExitCode> {
    match &arguments.task {
        None => list(settings),
        Some(ScannersTask::Test(arguments)) => test(settings, arguments),
    }
}

/// Lists the scanners of the settings, then the ports they do not name.
fn list(settings: &AgentSettings) -> Result<ExitCode> {
    let named = &settings.scanners.named;
    let rows = named.iter().map(|desk| [desk.id().to_string(), place(&desk.place), state(desk)]);
    let mut text = table::of_scanners(rows);
    let ports = serial_ports();
    let (known, plain): (Vec<_>, Vec<_>) = ports
        .iter()
        .filter(|port| !named.iter().any(|desk| port.is_of(desk)))
        .partition(|port| suggestion(port).is_some());
    if !known.is_empty() {
        text += "\nChưa có trong cấu hình, có thể thêm · not in the settings, and could be:\n";
    }
    text.extend(known.into_iter().filter_map(suggestion).map(|block| format!("\n{block}")));
    if !plain.is_empty() {
        text += "\nCổng nối tiếp khác · other serial ports:\n";
    }
    for port in plain {
        let name = port.stable.as_ref().unwrap_or(&port.port);
        let product = port.usb.as_ref().and_then(|usb| usb.product.as_deref()).unwrap_or("-");
        text += &format!("  {name}  {product}\n");
    }
    say(&text)
}

fn place(place: &ScannerPlace) -> String {
    match place {
        ScannerPlace::Port(port) => port.clone(),
        ScannerPlace::Usb { id, serial: None } => format!("USB {id}"),
        ScannerPlace::Usb { id, serial: Some(serial) } => format!("USB {id} {serial}"),
    }
}

fn state(desk: &DeskScanner) -> String {
    let state = match probe(desk) {
        Ok(()) => "sẵn sàng · ready",
        Err(fault) => words(fault),
    };
    format!("{}: {state}", desk.profile.name)
}

fn words(fault: PortFault) -> &'static str {
    match fault {
        PortFault::Absent => "chưa cắm · not plugged in",
        // The agent itself, where it runs.
        PortFault::Busy => "đang được dùng · in use by the agent or another program",
        PortFault::Forbidden => "không có quyền mở cổng · no permission to open the port",
        _ => "cổng không dùng được · the port cannot be set so",
    }
}

/// The block of the settings for a port that a profile knows.
fn suggestion(port: &SerialPortFound) -> Option<String> {
    let usb = port.usb.as_ref()?;
    let catalogue = ScannerCatalogue::shipped();
    let (key, profile) = catalogue.find_usb(usb.id.vendor, usb.id.product?)?;
    let place = match (&usb.serial, &port.stable) {
        (Some(serial), _) => format!("usb = \"{}\"\nusb_serial = {serial:?}", usb.id),
        (None, Some(stable)) => format!("port = {stable:?}"),
        (None, None) => format!("usb = \"{}\"", usb.id),
    };
    Some(format!("[[scanner]]\nname = \"{}\"\n{place}\nprofile = \"{key}\"\n", profile.name))
}

/// Shows what comes over a port.
fn test(settings: &AgentSettings, arguments: &TestArguments) -> Result<ExitCode> {
    let desk = desk(settings, arguments)?;
    let order = arguments.order.map(|order| match order {
        Order::Trigger => ScannerOrder::Trigger,
        Order::Stop => ScannerOrder::Stop,
        Order::Ping => ScannerOrder::Ping,
    });
    let stop = StopSignal::default();
    let (mut codes, mut failed) = (0, None);
    let mut tell = |told: ScannerTrial| {
        let text = match told {
            ScannerTrial::Open { port } => {
                format!("{port}: đã mở, hãy quét một mã · open, scan a code ({})\n", desk.profile.name)
            }
            ScannerTrial::Ordered(Ok(())) => return,
            ScannerTrial::Ordered(Err(error)) => format!("{}\n", not_sent(error)),
            ScannerTrial::Burst(burst) => {
                codes += burst.heard.iter().filter(|heard| matches!(heard, Heard::Code(_))).count();
                of_burst(&burst)
            }
            ScannerTrial::Gone => "máy quét đã bị rút · the scanner has gone\n".to_owned(),
            _ => return,
        };
        if let Err(error) = say(&text) {
            failed = Some(error);
        }
        if failed.is_some() || arguments.codes.is_some_and(|wanted| codes >= wanted) {
            stop.raise();
        }
    };
    match try_port(&desk, order, &mut tell, &stop) {
        Ok(()) => failed.map_or(Ok(ExitCode::SUCCESS), Err),
        Err(fault) => bail!("{}: {}", place(&desk.place), words(fault)),
    }
}

/// The scanner of that name, or one at that port.
fn desk(settings: &AgentSettings, arguments: &TestArguments) -> Result<DeskScanner> {
    let TestArguments { scanner, profile, .. } = arguments;
    let by_name = |desk: &&DeskScanner| desk.name == *scanner || desk.id().as_str() == scanner;
    if let Some(desk) = settings.scanners.named.iter().find(by_name).filter(|_| profile.is_none()) {
        return Ok(desk.clone());
    }
    let catalogue = ScannerCatalogue::shipped();
    let known = || catalogue.profiles().map(|(key, _)| key).collect::<Vec<_>>().join(", ");
    let found = match profile {
        Some(key) => {
            catalogue.get(key).with_context(|| format!("no profile {key:?}; there is {}", known()))?
        }
        None => {
            let ports = serial_ports();
            let port =
                ports.iter().find(|port| port.port == *scanner || port.stable.as_ref() == Some(scanner));
            let usb = port.and_then(|port| port.usb.as_ref());
            let of_usb = usb.and_then(|usb| catalogue.find_usb(usb.id.vendor, usb.id.product?));
            let (_, profile) =
                of_usb.or_else(|| Some(("", catalogue.get("generic-usb-serial")?))).context("no profile")?;
            profile
        }
    };
    Ok(DeskScanner {
        name: scanner.clone(),
        place: ScannerPlace::Port(scanner.clone()),
        profile: found.clone(),
    })
}

fn not_sent(error: NotSent) -> &'static str {
    match error {
        NotSent::NoSuchCommand => "loại máy này không có lệnh đó · this model has no such command",
        _ => "máy quét không nhận lệnh · the scanner takes no command",
    }
}

/// What came between two silences, told by its shape.
fn of_burst(burst: &Burst) -> String {
    let shape = &burst.shape;
    let mut text = format!(
        "{} byte; đầu · begins: {}; cuối · ends: {}\n",
        shape.bytes,
        controls(&shape.begins),
        controls(&shape.ends)
    );
    for heard in &burst.heard {
        text += &match heard {
            Heard::Code(code) => format!("  mã · code: {}\n", of_code(code)),
            Heard::Garbled => {
                "  hỏng · garbled: dài quá, thiếu phần cuối hoặc nhiễu; xem lại tốc độ và ký tự kết thúc · \
                 too long, cut short or noise; look at baud and suffix\n"
                    .to_owned()
            }
            Heard::Answer => "  máy quét đã trả lời · the scanner answered\n".to_owned(),
        };
    }
    text
}

fn of_code(code: &[u8]) -> String {
    let encoding = match std::str::from_utf8(code) {
        Ok(text) if text.is_ascii() => "ASCII",
        Ok(_) => "UTF-8",
        Err(_) => "không phải UTF-8 · not UTF-8",
    };
    let payload = QrPayload::parse(code);
    let kind = match payload.citizen() {
        Some(_) => {
            let notes: String = payload
                .notes
                .iter()
                .filter_map(|note| note_words(*note))
                .map(|note| format!("; {note}"))
                .collect();
            format!("mã thẻ Căn cước · a citizen's card{notes}")
        }
        None => "không phải mã thẻ Căn cước · no citizen's card".to_owned(),
    };
    format!("{} byte, {encoding}, {kind}", code.len())
}

/// What a note says of the scanner. Those about the card are nobody's business here.
fn note_words(note: QrNote) -> Option<&'static str> {
    match note {
        QrNote::EncodingRepaired => Some("bảng mã sai, đã sửa · wrong encoding, put right"),
        QrNote::NotUtf8 => Some("bảng mã sai, mất chữ · wrong encoding, letters are lost"),
        QrNote::NoDiacritics => Some("mất dấu tiếng Việt · no Vietnamese letters"),
        _ => None,
    }
}

fn controls(bytes: &[u8]) -> String {
    let name = |byte: &u8| match *byte {
        0x02 => "STX".to_owned(),
        0x03 => "ETX".to_owned(),
        b'\t' => "TAB".to_owned(),
        b'\n' => "LF".to_owned(),
        b'\r' => "CR".to_owned(),
        other => format!("{other:02X}"),
    };
    if bytes.is_empty() { "-".to_owned() } else { bytes.iter().map(name).collect::<Vec<_>>().join(" ") }
}

#[cfg(test)]
mod tests {
    use cccd_profiles::UsbId;
    use cccd_readers::{BurstShape, UsbPort};
    use zeroize::Zeroizing;

    use super::*;

    const QR: &str = "000090123456||Nguyễn Văn Mẫu|02011990|Nam|Số 1, Tỉnh Mẫu|15032022";

    fn burst(codes: &[&[u8]], ends: &[u8]) -> String {
        let bytes = codes.iter().map(|code| code.len()).sum();
        let shape = BurstShape { bytes, begins: vec![2], ends: ends.to_vec() };
        let heard = codes.iter().map(|code| Heard::Code(Zeroizing::new(code.to_vec()))).collect();
        of_burst(&Burst { shape, heard })
    }

    #[test]
    fn a_burst_is_told_by_its_shape_and_not_by_what_it_says() {
        let text = burst(&[QR.as_bytes()], b"\r\n");
        assert!(text.contains("begins: STX; cuối · ends: CR LF"), "{text}");
        assert!(text.contains(&format!("{} byte, UTF-8, mã thẻ Căn cước", QR.len())), "{text}");
        for field in QR.split('|').filter(|field| field.len() > 3) {
            assert!(!text.contains(field), "{text}");
        }
        let stripped = burst(&[b"000090123456||Nguyen Van Mau|02011990|Nam|So 1, Tinh Mau|15032022"], b"");
        assert!(stripped.contains("ends: -") && stripped.contains("ASCII") && stripped.contains("mất dấu"));
        assert!(burst(&[b"https://example.vn"], b"\r").contains("no citizen's card"));
    }

    #[test]
    fn a_port_that_a_profile_knows_comes_with_the_block_that_takes_it() {
        let mut port = SerialPortFound {
            port: "COM5".to_owned(),
            stable: Some("COM5".to_owned()),
            usb: Some(UsbPort {
                id: UsbId { vendor: 0x1EAB, product: Some(0x1D06) },
                serial: Some("A\"B".to_owned()),
                product: None,
            }),
        };
        for place in [
            ScannerPlace::Usb { id: port.usb.as_ref().unwrap().id, serial: Some("A\"B".to_owned()) },
            ScannerPlace::Port("COM5".to_owned()),
        ] {
            let settings = AgentSettings::parse(&suggestion(&port).unwrap()).unwrap();
            let desk = &settings.scanners.named[0];
            assert_eq!((&desk.place, desk.profile.name.as_str()), (&place, "Newland scanner"));
            assert!(port.is_of(desk));
            port.usb.as_mut().unwrap().serial = None;
        }
        port.usb = None;
        assert_eq!(suggestion(&port), None);
    }
}
