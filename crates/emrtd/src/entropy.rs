//! The random source: the caller's, behind one object-safe face.

use rand_core::TryCryptoRng;

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
