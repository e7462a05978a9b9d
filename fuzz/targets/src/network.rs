//! What comes over the line of a reader with a network of its own, and what programs send where the agent stands in for one.

use std::hint::black_box;

use cccd_hn212::{Packet, ProgramMessage, ReaderMessage};

pub(crate) fn reader(bytes: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(bytes).ok()?;
    let Packet::Event { name, argument } = Packet::parse(text).ok()? else { return Some(()) };
    let program = ProgramMessage::parse(&name, argument);
    if let Ok(ProgramMessage::ReadAgain { .. } | ProgramMessage::Sign { .. }) = &program {
        black_box(&program);
        return Some(());
    }
    let message = ReaderMessage::parse(argument).ok()?;
    if let ReaderMessage::Files(files) = &message {
        // Nothing is larger than what it came in.
        assert!(files.values().map(|file| file.len()).sum::<usize>() <= bytes.len());
    }
    black_box(format!("{message:?}"));
    Some(())
}
