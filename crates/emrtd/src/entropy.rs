//! The random source: the caller's, behind one object-safe face.

use rand_core::{TryCryptoRng, TryRng};

/// The random source gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("random source failed")]
pub struct NoEntropy;

/// Fills buffers with bytes nobody can guess.
pub(crate) trait Entropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The caller's source, whatever its error type.
pub(crate) struct Source<'a, R: ?Sized>(pub(crate) &'a mut R);

impl<R: TryCryptoRng + ?Sized> Entropy for Source<'_, R> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.try_fill_bytes(out).map_err(|_| NoEntropy)
    }
}

/// The other way about: one of ours as a source for others.
pub(crate) struct Draws<'a>(pub(crate) &'a mut dyn Entropy);

impl TryRng for Draws<'_> {
    type Error = NoEntropy;

    fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(out)
    }
}

impl TryCryptoRng for Draws<'_> {}
