//! One serial port: found, opened for ourselves alone, and why it could not be.

use std::path::PathBuf;
use std::time::Duration;

use cccd_profiles::{DeskScanner, FlowControl, Parity, ScannerPlace, SerialLine, StopBits, UsbId};
use serialport::{DataBits, ErrorKind, SerialPort, SerialPortType};

/// A serial port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialPortFound {
    /// What it is opened by now: `/dev/ttyACM0`, `COM5`. It may be another one's tomorrow.
    pub port: String,
    /// A name that stays with the device or with the socket it is plugged into. On Windows that is the port's own.
    pub stable: Option<String>,
    /// What USB says of it, where it hangs on USB.
    pub usb: Option<UsbPort>,
}

/// What USB says of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbPort {
    /// Who made it, and which product it is.
    pub id: UsbId,
    /// Which one of them, where it says so.
    pub serial: Option<String>,
    /// What it calls itself.
    pub product: Option<String>,
}

impl SerialPortFound {
    /// Whether a scanner of the settings is found here, or may be.
    pub fn is_of(&self, desk: &DeskScanner) -> bool {
        match (&desk.place, &self.usb) {
            (ScannerPlace::Port(name), _) => {
                let device = device_behind(name);
                *name == self.port || (device.is_some() && device == device_behind(&self.port))
            }
            (ScannerPlace::Usb { id, serial }, Some(usb)) => usb.is_meant(*id, serial.as_deref()),
            (ScannerPlace::Usb { .. }, None) => false,
        }
    }
}

impl UsbPort {
    fn is_meant(&self, id: UsbId, serial: Option<&str>) -> bool {
        let product = self.id.product.unwrap_or_default();
        id.matches(self.id.vendor, product) && (serial.is_none() || self.serial.as_deref() == serial)
    }
}

/// Why a port is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortFault {
    /// There is none of this name.
    #[error("not plugged in")]
    Absent,
    /// Another program has it.
    #[error("in use by another program")]
    Busy,
    /// This program may not.
    #[error("no permission to open it")]
    Forbidden,
    /// It does not do as a serial port does, or not at this speed.
    #[error("not a serial port that can be set so")]
    Unusable,
}

/// The serial ports of this machine. Pseudo-terminals are not among them.
pub fn serial_ports() -> Vec<SerialPortFound> {
    // The library takes it for granted and panics without it, as in a container.
    if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    let ports = serialport::available_ports().unwrap_or_default();
    ports
        .into_iter()
        .map(|found| {
            let usb = match found.port_type {
                SerialPortType::UsbPort(usb) => Some(UsbPort {
                    id: UsbId { vendor: usb.vid, product: Some(usb.pid) },
                    serial: usb.serial_number,
                    product: usb.product,
                }),
                _ => None,
            };
            SerialPortFound { stable: stable_name(&found.port_name), port: found.port_name, usb }
        })
        .collect()
}

/// The name that stays: by device first, by socket where the device has no serial number.
#[cfg(target_os = "linux")]
fn stable_name(port: &str) -> Option<String> {
    let device = std::fs::canonicalize(port).ok()?;
    ["/dev/serial/by-id", "/dev/serial/by-path"].iter().find_map(|folder| {
        let links = std::fs::read_dir(folder).ok()?.flatten().map(|link| link.path());
        let mut ours: Vec<PathBuf> =
            links.filter(|link| std::fs::canonicalize(link).is_ok_and(|end| end == device)).collect();
        ours.sort();
        ours.first()?.to_str().map(str::to_owned)
    })
}

#[cfg(windows)]
fn stable_name(port: &str) -> Option<String> {
    Some(port.to_owned())
}

#[cfg(not(any(target_os = "linux", windows)))]
fn stable_name(_port: &str) -> Option<String> {
    None
}

/// Which device a port's name leads to now, where a name may lead to one and then to another.
pub(super) fn device_behind(port: &str) -> Option<PathBuf> {
    if cfg!(unix) { std::fs::canonicalize(port).ok() } else { Some(PathBuf::from(port)) }
}

/// An open port.
pub(super) struct Opened {
    pub(super) port: Box<dyn SerialPort>,
    /// What it was opened by.
    pub(super) name: String,
    /// What that led to just before.
    pub(super) device: Option<PathBuf>,
}

/// Opens the port that is found in `place`, for ourselves alone. A read or write on it waits for at most `slice`.
pub(super) fn open(
    place: &ScannerPlace,
    line: &SerialLine,
    slice: Duration,
    list: fn() -> Vec<SerialPortFound>,
) -> Result<Opened, PortFault> {
    let names = match place {
        ScannerPlace::Port(name) => vec![name.clone()],
        ScannerPlace::Usb { id, serial } => {
            let meant = |found: &SerialPortFound| {
                found.usb.as_ref().is_some_and(|usb| usb.is_meant(*id, serial.as_deref()))
            };
            list().into_iter().filter(meant).map(|found| found.port).collect()
        }
    };
    // Of several that fit, one that another has is not the one.
    let mut fault = PortFault::Absent;
    for name in names {
        let device = device_behind(&name);
        match open_named(&name, line, slice) {
            Ok(port) => return Ok(Opened { port, name, device }),
            Err(other) => fault = other,
        }
    }
    Err(fault)
}

fn open_named(name: &str, line: &SerialLine, slice: Duration) -> Result<Box<dyn SerialPort>, PortFault> {
    let port = serialport::new(name, line.baud)
        .data_bits(DataBits::Eight)
        .parity(match line.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        })
        .stop_bits(match line.stop_bits {
            StopBits::One => serialport::StopBits::One,
            StopBits::Two => serialport::StopBits::Two,
        })
        .flow_control(match line.flow_control {
            FlowControl::None => serialport::FlowControl::None,
            FlowControl::XonXoff => serialport::FlowControl::Software,
            FlowControl::RtsCts => serialport::FlowControl::Hardware,
        })
        // A CDC ACM device sends nothing to a host that is not there, and this is how it is told.
        .dtr_on_open(true)
        .timeout(slice)
        .open();
    let mut port = port.map_err(|error| fault_of(&error, name))?;
    if line.flow_control != FlowControl::RtsCts {
        // Not every line has one: a pseudo-terminal refuses.
        let _ = port.write_request_to_send(true);
    }
    Ok(port)
}

fn fault_of(error: &serialport::Error, name: &str) -> PortFault {
    match error.kind() {
        ErrorKind::Io(std::io::ErrorKind::NotFound) => PortFault::Absent,
        ErrorKind::Io(std::io::ErrorKind::PermissionDenied) => PortFault::Forbidden,
        // "Busy" on Linux; on Windows "access denied" and "not found" alike.
        ErrorKind::NoDevice if is_there(name) => PortFault::Busy,
        ErrorKind::NoDevice => PortFault::Absent,
        _ => PortFault::Unusable,
    }
}

fn is_there(name: &str) -> bool {
    if cfg!(unix) {
        std::path::Path::new(name).exists()
    } else {
        serial_ports().iter().any(|found| found.port.eq_ignore_ascii_case(name))
    }
}
