//! Names of readings and scans: 128 random bits, so that they cannot be guessed.

use std::fmt;

macro_rules! random_id {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Draws a new one from the operating system.
            pub(crate) fn draw() -> Result<Self, getrandom::Error> {
                let mut id = [0; 16];
                getrandom::fill(&mut id)?;
                Ok(Self(id))
            }

            /// Reads the 32 hexadecimal digits that [`fmt::Display`] writes.
            pub fn parse(text: &str) -> Option<Self> {
                let mut id = [0; 16];
                hex::decode_to_slice(text, &mut id).ok()?;
                Some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
    };
}

random_id! {
    /// The name of one reading.
    ReadId
}

random_id! {
    /// The name of one scan.
    ScanId
}
