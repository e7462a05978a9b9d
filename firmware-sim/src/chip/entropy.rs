//! Where the chip's random bytes come from.

use openssl::error::ErrorStack;

/// Fills what it is given.
type Draw = dyn FnMut(&mut [u8]) + Send;

/// Everything the chip draws, nonces, challenges and private keys, comes through here.
pub(super) enum Entropy {
    /// OpenSSL's generator.
    OpenSsl,
    /// A test decides.
    Forced(Box<Draw>),
}

impl Entropy {
    /// Fills `bytes`.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ErrorStack> {
        match self {
            Self::OpenSsl => openssl::rand::rand_bytes(bytes),
            Self::Forced(draw) => {
                draw(bytes);
                Ok(())
            }
        }
    }

    /// An array of random bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ErrorStack> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}
