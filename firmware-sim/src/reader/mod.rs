//! Readers that are software: what a driver, a service or a test finds a card in.

#[cfg(target_os = "linux")]
pub mod control;
mod echo;
#[cfg(target_os = "linux")]
pub mod gempc;
pub mod hn212;
pub mod in_process;
pub mod own_certificate;
#[cfg(target_os = "linux")]
pub mod pcscd;
#[cfg(target_os = "linux")]
pub mod pn532;
#[cfg(target_os = "linux")]
pub mod pty;
pub mod scanner;
#[cfg(target_os = "linux")]
pub mod serial;
#[cfg(target_os = "linux")]
pub mod slot;
#[cfg(target_os = "linux")]
pub mod trouble;
#[cfg(target_os = "linux")]
pub mod vpcd;

pub use echo::EchoCard;

/// What lies in a simulated reader: bytes in, bytes out, as a contactless chip behind its reader.
///
/// The bytes come from whatever host there is, so no command may panic it; answers carry a status.
pub trait Card: Send {
    /// The answer-to-reset, as a contactless reader would make it up.
    fn atr(&self) -> &[u8];

    /// Field off and on: every session is gone.
    fn reset(&mut self);

    /// Takes a command APDU and gives the response APDU.
    fn process(&mut self, command: &[u8]) -> Vec<u8>;
}

impl Card for Box<dyn Card> {
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        (**self).process(command)
    }
}
