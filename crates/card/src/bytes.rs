//! Reading bytes from outside, front to back.

/// The input ended before what it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("input ends at byte {at}: {wanted} more wanted, {had} there")]
pub struct Truncated {
    /// Offset at which more was wanted.
    pub at: usize,
    /// How many bytes were wanted there.
    pub wanted: usize,
    /// How many bytes were left.
    pub had: usize,
}

/// Bytes from outside, read front to back. No take panics, however short the input.
#[derive(Debug, Clone, Copy)]
pub struct ByteReader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> ByteReader<'a> {
    /// Starts at the front of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input, at: 0 }
    }

    /// Takes the next `wanted` bytes.
    pub fn take(&mut self, wanted: usize) -> Result<&'a [u8], Truncated> {
        let Some((head, tail)) = self.rest.split_at_checked(wanted) else {
            return Err(Truncated { at: self.at, wanted, had: self.rest.len() });
        };
        self.rest = tail;
        self.at += wanted;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(Truncated { at: self.at, wanted: N, had: self.rest.len() });
        };
        self.rest = tail;
        self.at += N;
        Ok(*head)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes two bytes, most significant first.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes four bytes, most significant first.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next byte, left where it is.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// What has not been taken yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Offset of the next byte.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether everything has been taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_input_says_where_and_by_how_much() {
        let mut reader = ByteReader::new(&[1, 2, 3]);
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u32(), Err(Truncated { at: 2, wanted: 4, had: 1 }));
        assert_eq!(reader.take(usize::MAX), Err(Truncated { at: 2, wanted: usize::MAX, had: 1 }));
        assert_eq!(reader.u8(), Ok(3));
        assert!(reader.is_empty());
    }
}
