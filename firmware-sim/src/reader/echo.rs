//! The least card there is: it proves a line.

use super::Card;

/// A card without files or keys, for trying a reader.
///
/// - SELECT (`A4`) is answered with the card's mark and `9000`,
/// - GET DATA (`CA`) with as many bytes as P1-P2 say and `9000`,
/// - any other command with itself and `9000`, cut where no response could carry it.
#[derive(Debug, Clone)]
pub struct EchoCard {
    atr: Vec<u8>,
    mark: u8,
    resets: u32,
}

impl EchoCard {
    /// A card whose SELECT tells it from others.
    pub fn marked(mark: u8) -> Self {
        // "ECHO" in the historical bytes; over a T=1 reader it is rebuilt around them.
        Self { atr: vec![0x3B, 0x84, 0x80, 0x01, b'E', b'C', b'H', b'O', 0x07], mark, resets: 0 }
    }

    /// How often it was powered.
    pub fn resets(&self) -> u32 {
        self.resets
    }
}

impl Card for EchoCard {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) {
        self.resets = self.resets.saturating_add(1);
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let mut response = match command {
            [_, 0xA4, ..] => vec![self.mark],
            &[_, 0xCA, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                (0..=u8::MAX).cycle().take(length).collect()
            }
            any => any.iter().copied().take(0xFFFF).collect(),
        };
        response.extend([0x90, 0x00]);
        response
    }
}
