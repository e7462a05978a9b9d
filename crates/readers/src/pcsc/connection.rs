//! One card, connected: a thread of its own makes the calls that may never return.

use std::convert::Infallible;
use std::ffi::CString;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cccd_card::{Atr, CardChannel, ChannelLimits, MAX_REPLY, SecretBytes, TransportError};
use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State, Transaction};
use zeroize::Zeroizing;

use super::fault::transport_error;

/// Windows resets a card after five seconds of silence within a transaction.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// A failed exchange and the news that the card has gone come by two roads; the service looks at its
/// readers every 400 ms.
const NEWS_OF_REMOVAL: Duration = Duration::from_millis(1200);
/// How often a card that others keep resetting is asked again before it is called mute or held.
const PATIENT_TRIES: usize = 5;
/// How long a dropped channel waits for its thread to let go of the card, so that the next one finds it free.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Connects, and takes the card for ourselves until the channel is dropped.
pub(super) fn connect(
    reader: CString,
    profile: ChannelLimits,
    patience: Duration,
) -> Result<Box<dyn CardChannel>, TransportError> {
    let (requests, inbox) = mpsc::channel();
    let (report, reports) = mpsc::channel();
    let (letting_go, let_go) = mpsc::channel::<Infallible>();
    // Not joined: where a driver never returns, this thread never ends, and the reading must.
    std::thread::spawn(move || {
        if let Err(error) = converse(&reader, profile, &inbox, &report) {
            let _ = report.send(Report::Failed(error));
        }
        drop(letting_go);
    });
    let deadline = Instant::now() + patience;
    let mut waiting_for = TransportError::TimedOut { after: patience };
    loop {
        match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            // From here on only another program's transaction can hold us up.
            Ok(Report::Connected) => waiting_for = TransportError::HeldElsewhere,
            Ok(Report::Ready { atr, limits }) => {
                let requests = Some(requests);
                return Ok(Box::new(PcscChannel { requests, let_go, atr, limits, patience, hung: false }));
            }
            Ok(Report::Failed(error)) => return Err(error),
            Err(_) => return Err(waiting_for),
        }
    }
}

/// What the thread tells while it connects.
enum Report {
    Connected,
    Ready { atr: Atr, limits: ChannelLimits },
    Failed(TransportError),
}

/// What the thread is asked to do.
enum Request {
    Transmit { command: SecretBytes, reply: mpsc::Sender<Result<SecretBytes, TransportError>> },
    Reset { reply: mpsc::Sender<Result<Atr, TransportError>> },
}

struct PcscChannel {
    /// Taken when the channel is dropped, which ends the thread.
    requests: Option<mpsc::Sender<Request>>,
    /// Disconnected once the thread has let go of the card.
    let_go: mpsc::Receiver<Infallible>,
    atr: Atr,
    limits: ChannelLimits,
    patience: Duration,
    /// Whether a call did not return. Then the thread lets go of the card whenever the driver lets go of it, and
    /// nobody waits for that.
    hung: bool,
}

impl PcscChannel {
    fn ask<T>(
        &mut self,
        request: impl FnOnce(mpsc::Sender<Result<T, TransportError>>) -> Request,
    ) -> Result<T, TransportError> {
        let (reply, answer) = mpsc::channel();
        // With the thread gone the reply's sender is dropped, and `recv_timeout` says so at once.
        if let Some(requests) = &self.requests {
            let _ = requests.send(request(reply));
        }
        match answer.recv_timeout(self.patience) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.hung = true;
                Err(TransportError::TimedOut { after: self.patience })
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(TransportError::ReaderLost),
        }
    }
}

impl Drop for PcscChannel {
    fn drop(&mut self) {
        self.requests = None;
        if !self.hung {
            let _ = self.let_go.recv_timeout(LETTING_GO);
        }
    }
}

impl CardChannel for PcscChannel {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let (length, limit) = (command.len(), self.limits.max_command);
        if length > limit {
            return Err(TransportError::CommandTooLong { length, limit });
        }
        let command = Zeroizing::new(command.to_vec());
        self.ask(|reply| Request::Transmit { command, reply })
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.atr = self.ask(|reply| Request::Reset { reply })?;
        Ok(())
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

/// The thread: connects, serves the channel, lets go of the card.
fn converse(
    reader: &CString,
    profile: ChannelLimits,
    inbox: &mpsc::Receiver<Request>,
    report: &mpsc::Sender<Report>,
) -> Result<(), TransportError> {
    let context = Context::establish(Scope::System).map_err(transport_error)?;
    let mut card = context.connect(reader, ShareMode::Shared, Protocols::ANY).map_err(transport_error)?;
    let _ = report.send(Report::Connected);
    let limits = profile.min(driver_limits(&card));
    let mut transaction = begin(&mut card)?;
    let atr = settle(&mut transaction, Disposition::LeaveCard)?;
    // Nobody listens where whoever asked has given up in the meantime.
    if report.send(Report::Ready { atr, limits }).is_ok() {
        serve(&context, reader, &mut transaction, inbox);
    }
    // Nobody after us may use the session we opened; and with the reset done within the transaction, nobody
    // after us is thrown out by it.
    let _ = transaction.end(Disposition::ResetCard);
    let _ = card.disconnect(Disposition::LeaveCard);
    Ok(())
}

/// Takes the card for ourselves, however often others reset it before it is our turn.
fn begin(card: &mut Card) -> Result<Transaction<'_>, TransportError> {
    let mut card = card;
    for _ in 0..PATIENT_TRIES {
        match card.transaction2() {
            Ok(transaction) => return Ok(transaction),
            Err((again, Error::ResetCard)) => {
                again
                    .reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard)
                    .map_err(transport_error)?;
                card = again;
            }
            Err((_, error)) => return Err(transport_error(error)),
        }
    }
    Err(TransportError::HeldElsewhere)
}

/// Connects anew within the transaction, until the card is powered and has a protocol.
///
/// A connection made while another program lets go of the card may have none (seen with pcsc-lite 1.9.9, about
/// one in thirty), and the crate panics at the first exchange over such a one.
fn settle(transaction: &mut Transaction<'_>, first: Disposition) -> Result<Atr, TransportError> {
    let later = std::iter::repeat_n(Disposition::ResetCard, PATIENT_TRIES);
    let mut outcome = TransportError::CardMute;
    for disposition in std::iter::once(first).chain(later) {
        let status = transaction
            .reconnect(ShareMode::Shared, Protocols::ANY, disposition)
            .and_then(|()| transaction.status2_owned());
        match status.map_err(transport_error) {
            Ok(status) if status.protocol2().is_some() => {
                return Atr::new(status.atr()).map_err(|_| TransportError::CardMute);
            }
            Ok(_) => {}
            Err(error @ (TransportError::CardReset | TransportError::CardMute)) => outcome = error,
            Err(error) => return Err(error),
        }
    }
    Err(outcome)
}

/// Does as it is asked until the channel is dropped.
fn serve(
    context: &Context,
    reader: &CString,
    transaction: &mut Transaction<'_>,
    inbox: &mpsc::Receiver<Request>,
) {
    let mut buffer = Zeroizing::new(vec![0; MAX_REPLY]);
    loop {
        match inbox.recv_timeout(KEEP_ALIVE) {
            Ok(Request::Transmit { command, reply }) => {
                let answer = transmit(context, reader, transaction, &command, &mut buffer);
                let _ = reply.send(answer);
            }
            Ok(Request::Reset { reply }) => {
                let _ = reply.send(settle(transaction, Disposition::ResetCard));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // Only to be heard; what it says will be said again by the next exchange.
                let _ = transaction.status2_len();
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn transmit(
    context: &Context,
    reader: &CString,
    card: &Card,
    command: &[u8],
    buffer: &mut [u8],
) -> Result<SecretBytes, TransportError> {
    match card.transmit(command, buffer) {
        Ok(answer) if answer.len() >= 2 => Ok(Zeroizing::new(answer.to_vec())),
        // A driver may call an answer that never came a success.
        Ok(answer) => {
            let length = answer.len();
            Err(what_happened(context, reader).unwrap_or(TransportError::ShortAnswer { length }))
        }
        Err(error) => Err(match transport_error(error) {
            TransportError::NotTransacted => {
                what_happened(context, reader).unwrap_or(TransportError::NotTransacted)
            }
            told => told,
        }),
    }
}

/// After an exchange failed for no stated reason: whether card or reader have gone, or will be known to
/// have gone in a moment.
fn what_happened(context: &Context, reader: &CString) -> Option<TransportError> {
    let deadline = Instant::now() + NEWS_OF_REMOVAL;
    let mut states = [ReaderState::new(reader.clone(), State::UNAWARE)];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match context.get_status_change(left, &mut states) {
            Ok(()) => {}
            Err(Error::Timeout) => return None,
            Err(error) => return Some(transport_error(error)),
        }
        for state in &mut states {
            let now = state.event_state();
            if now.intersects(State::UNKNOWN | State::UNAVAILABLE) {
                return Some(TransportError::ReaderLost);
            }
            if now.intersects(State::EMPTY) {
                return Some(TransportError::CardRemoved);
            }
            state.sync_current_state();
        }
    }
}

/// What the driver says it carries at once (PC/SC part 10, 2.6.14: property dwMaxAPDUDataSize).
///
/// Zero or up to 256 means short lengths only. A driver that does not speak of it leaves the question to the
/// reader's profile and to the protocol's own probe.
fn driver_limits(card: &Card) -> ChannelLimits {
    match max_apdu_data_size(card) {
        Some(0..=256) => ChannelLimits::SHORT,
        _ => ChannelLimits::EXTENDED,
    }
}

fn max_apdu_data_size(card: &Card) -> Option<u32> {
    /// CM_IOCTL_GET_FEATURE_REQUEST.
    const FEATURE_REQUEST: u32 = 3400;
    /// FEATURE_GET_TLV_PROPERTIES.
    const TLV_PROPERTIES: u8 = 0x12;
    /// dwMaxAPDUDataSize.
    const MAX_APDU_DATA_SIZE: u8 = 0x0A;

    let mut buffer = [0; 256];
    let features = card.control(pcsc::ctl_code(FEATURE_REQUEST.into()), &[], &mut buffer).ok()?;
    // Features carry their control codes most significant byte first ...
    let code = property(features, TLV_PROPERTIES).map(u32::from_be_bytes)?;
    let mut buffer = [0; 256];
    let properties = card.control(code.into(), &[], &mut buffer).ok()?;
    // ... properties their values least significant byte first.
    property(properties, MAX_APDU_DATA_SIZE).map(u32::from_le_bytes)
}

/// The four-byte value of `tag` in a list of one-byte tags, one-byte lengths and values.
fn property(list: &[u8], tag: u8) -> Option<[u8; 4]> {
    let mut bytes = cccd_card::ByteReader::new(list);
    loop {
        let (found, length) = (bytes.u8().ok()?, bytes.u8().ok()?);
        let value = bytes.take(length.into()).ok()?;
        if found == tag {
            return value.try_into().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_is_found_among_others() {
        let list = [0x06, 4, 0x42, 0x33, 0, 6, 0x12, 4, 0x42, 0x33, 0, 0x12, 0x13, 2, 1];
        assert_eq!(property(&list, 0x12), Some([0x42, 0x33, 0, 0x12]));
        assert_eq!(property(&list, 0x0A), None);
        assert_eq!(property(&list, 0x13), None);
        assert_eq!(property(&[0x12, 2, 1, 2], 0x12), None);
    }
}
