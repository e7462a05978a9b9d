//! Bytes about a person, gathered piece by piece.

use std::io;

use zeroize::Zeroizing;

/// A buffer that leaves no copy behind unwiped, not even when it grows: `Vec` moves and forgets.
pub(crate) struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    /// What most requests and answers fit in.
    const USUAL: usize = 64 * 1024;

    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(Self::USUAL)))
    }

    /// How much there is.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds bytes.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let wanted = self.0.len().saturating_add(bytes.len());
        if wanted > self.0.capacity() {
            let room = wanted.max(self.0.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// The bytes, still to be wiped.
    pub(crate) fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_keeps_what_it_holds() {
        let mut buffer = WipedBuffer::new();
        let piece: Vec<u8> = (0..=255).collect();
        for _ in 0..1000 {
            buffer.extend(&piece);
        }
        assert_eq!(buffer.len(), 256_000);
        assert!(buffer.into_inner().chunks(256).all(|chunk| chunk == piece));
    }
}
