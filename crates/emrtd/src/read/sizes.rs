//! How much is asked for at once.

use cccd_card::ChannelLimits;
use cccd_document::Cipher;

use crate::secure_messaging::largest_plain;

/// How much is asked for at once: from the most that fits, downwards as the chip refuses, and never up again
/// in one session.
#[derive(Debug)]
pub(super) struct ReadSizes {
    /// Descending.
    pub(super) ladder: Vec<usize>,
    /// The chip refuses an Le beyond the end of a file: ask for the header first.
    pub(super) header_first: bool,
    /// Larger ones were refused.
    stepped_down: bool,
}

impl ReadSizes {
    /// Sizes whose replies pass both limits. Below the largest stand sizes that published readers found to
    /// work where larger ones were refused.
    pub(super) fn new(cipher: Cipher, limits: ChannelLimits) -> Self {
        let room = limits.max_reply.saturating_sub(2);
        let short = largest_plain(cipher, room.min(256));
        let mut ladder = vec![short, 160, 96];
        if limits.allow_extended() {
            let most = largest_plain(cipher, room.min(65536));
            ladder.splice(0..0, [most, 4096, 1024]);
            ladder.retain(|&size| size <= most);
        } else {
            ladder.retain(|&size| size <= short);
        }
        ladder.dedup();
        Self { ladder, header_first: false, stepped_down: false }
    }

    /// The same without sizes above `most`.
    pub(super) fn up_to(mut self, most: usize, header_first: bool) -> Self {
        self.ladder.retain(|&size| size <= most);
        if self.ladder.is_empty() {
            self.ladder.push(most);
        }
        Self { header_first, stepped_down: most < usize::MAX, ..self }
    }

    /// The most that comes at once, where the chip refused more.
    pub(super) fn refused_more(&self) -> Option<usize> {
        self.stepped_down.then(|| self.chunk())
    }

    pub(super) fn chunk(&self) -> usize {
        // A channel too narrow for any protected byte cannot be helped; the chip will say so.
        self.ladder.first().copied().unwrap_or(1).max(1)
    }

    /// Takes the next smaller size, if there is one.
    pub(super) fn step_down(&mut self) -> bool {
        if self.ladder.len() > 1 {
            self.ladder.remove(0);
            self.stepped_down = true;
            return true;
        }
        false
    }
}
