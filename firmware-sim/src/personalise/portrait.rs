//! The picture on the card: its bytes, its kind, its size.

use std::path::Path;

use include_dir::{Dir, include_dir};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/portraits");

/// A picture of nobody: the shipped ones are drawn (see `portraits/README.md`).
#[derive(Clone)]
pub struct Portrait {
    bytes: Vec<u8>,
    format: PortraitFormat,
    width: u16,
    height: u16,
    colour: Colour,
}

/// What DG2 may carry (ISO/IEC 19794-5, 5.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortraitFormat {
    /// JPEG.
    Jpeg,
    /// JPEG 2000 with its box header.
    Jpeg2000,
}

/// How many samples a pixel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// One.
    Grey,
    /// Three.
    Rgb,
}

/// Why a file cannot be a portrait.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAPortrait {
    /// Only a plain file name is looked for.
    #[error("is not a plain file name")]
    Name,
    /// Neither beside the description nor among the shipped ones.
    #[error("is not there")]
    Missing,
    /// It is there and cannot be read.
    #[error("cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Its bytes are not of the kind the description says, or tell no size.
    #[error("is not an image of the media type given")]
    Format,
}

impl Portrait {
    pub(super) fn find(
        file: &str,
        format: PortraitFormat,
        beside: Option<&Path>,
    ) -> Result<Self, NotAPortrait> {
        if Path::new(file).file_name() != Some(file.as_ref()) {
            return Err(NotAPortrait::Name);
        }
        let own = beside.map(|folder| folder.join(file)).filter(|path| path.is_file());
        let bytes = match own {
            Some(path) => std::fs::read(path).map_err(NotAPortrait::Unreadable)?,
            None => SHIPPED.get_file(file).ok_or(NotAPortrait::Missing)?.contents().to_vec(),
        };
        let shape = match format {
            PortraitFormat::Jpeg => jpeg_shape(&bytes),
            PortraitFormat::Jpeg2000 => jpeg_2000_shape(&bytes),
        };
        let (width, height, colour) = shape.ok_or(NotAPortrait::Format)?;
        Ok(Self { bytes, format, width, height, colour })
    }

    /// The image file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its kind.
    pub fn format(&self) -> PortraitFormat {
        self.format
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    pub(super) fn colour(&self) -> Colour {
        self.colour
    }
}

/// Width, height and colour, from the frame header (ITU-T T.81, B.2.2).
fn jpeg_shape(bytes: &[u8]) -> Option<(u16, u16, Colour)> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, high, low, body @ ..] = rest else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if let (0xC0..=0xC2, [_, h1, h0, w1, w0, components, ..]) = (*marker, body) {
            let size = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
            return Some((size.0, size.1, colour(u16::from(*components))?));
        }
        rest = body.get(length.checked_sub(2)?..)?;
    }
}

/// The same from the image header box, which comes first in the header box (ISO/IEC 15444-1, I.5.3.1).
fn jpeg_2000_shape(bytes: &[u8]) -> Option<(u16, u16, Colour)> {
    const SIGNATURE: &[u8] = &[0, 0, 0, 0x0C, b'j', b'P', b' ', b' ', 0x0D, 0x0A, 0x87, 0x0A];
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    loop {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, body) = after.split_first_chunk::<4>()?;
        if name == b"jp2h" {
            let [_, _, _, _, b'i', b'h', b'd', b'r', 0, 0, h1, h0, 0, 0, w1, w0, c1, c0, ..] = body else {
                return None;
            };
            let size = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
            return Some((size.0, size.1, colour(u16::from_be_bytes([*c1, *c0]))?));
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        rest = rest.get(length.max(8)..)?;
    }
}

fn colour(components: u16) -> Option<Colour> {
    match components {
        1 => Some(Colour::Grey),
        3 => Some(Colour::Rgb),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_pictures_say_their_size() {
        for (file, format, colour) in [
            ("face-a.jpg", PortraitFormat::Jpeg, Colour::Rgb),
            ("face-b.jp2", PortraitFormat::Jpeg2000, Colour::Rgb),
            ("face-c.jpg", PortraitFormat::Jpeg, Colour::Grey),
        ] {
            let portrait = Portrait::find(file, format, None).unwrap();
            assert_eq!((portrait.size(), portrait.colour()), ((300, 400), colour), "{file}");
            assert!((10_000..16_000).contains(&portrait.bytes().len()), "{file}");
        }
    }

    #[test]
    fn a_wrong_media_type_or_a_path_is_refused() {
        let find = |file| Portrait::find(file, PortraitFormat::Jpeg, None).err();
        assert!(matches!(find("face-b.jp2"), Some(NotAPortrait::Format)));
        assert!(matches!(find("../portraits/face-a.jpg"), Some(NotAPortrait::Name)));
        assert!(matches!(find("nobody.jpg"), Some(NotAPortrait::Missing)));
    }

    #[test]
    fn a_picture_cut_short_tells_no_size() {
        let jpeg = Portrait::find("face-a.jpg", PortraitFormat::Jpeg, None).unwrap();
        let jp2 = Portrait::find("face-b.jp2", PortraitFormat::Jpeg2000, None).unwrap();
        // The JPEG 2000 one is told by its first 58 bytes, the JPEG one later.
        for length in 0..58 {
            assert_eq!(jpeg_shape(&jpeg.bytes()[..length]), None);
            assert_eq!(jpeg_2000_shape(&jp2.bytes()[..length]), None);
        }
    }
}
