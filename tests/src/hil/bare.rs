//! The smart-card service asked without our own channel, which takes no driver's word: to see what the driver says.

use std::ffi::CStr;
use std::time::Duration;

use anyhow::Result;
use pcsc::{Card, Context, Protocols, ReaderState, Scope, ShareMode, State};

/// How long a card may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// READ BINARY, which the measuring card answers with itself.
const SHORT: [u8; 5] = [0x00, 0xB0, 0x00, 0x00, 0x10];

fn connect(reader: &CStr) -> Result<Card> {
    let context = Context::establish(Scope::System)?;
    let mut states = [ReaderState::new(reader, State::UNAWARE)];
    while !states.iter().all(|state| state.event_state().contains(State::PRESENT)) {
        states.iter_mut().for_each(ReaderState::sync_current_state);
        context.get_status_change(PATIENCE, &mut states)?;
    }
    Ok(context.connect(reader, ShareMode::Shared, Protocols::ANY)?)
}

/// How many bytes came where the driver says success.
pub(super) fn length_of_success(reader: &CStr) -> Result<Option<usize>> {
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    Ok(connect(reader)?.transmit(&SHORT, &mut buffer).ok().map(<[u8]>::len))
}

/// Whether the card no longer answers after a command that is too long, without anybody having touched it.
pub(super) fn is_thrown_out(reader: &CStr, too_long: &[u8]) -> Result<bool> {
    let card = connect(reader)?;
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    if card.transmit(too_long, &mut buffer).is_ok() {
        return Ok(false);
    }
    Ok(!card.transmit(&SHORT, &mut buffer).is_ok_and(|answer| answer.len() >= 2))
}
