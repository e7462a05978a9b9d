//! A portrait: exactly as the chip stores it, and in a form that a screen can show.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};
use image::{ExtendedColorType, ImageEncoder, ImageReader};

use crate::PersonalBytes;

/// A picture with more pixels than this is not decoded: a portrait has a tenth of it, and decoding takes
/// some fifteen bytes for each.
const MOST_PIXELS: u64 = 4_000_000;

/// A portrait as the chip stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portrait {
    /// The picture's bytes, exactly as on the chip.
    pub bytes: PersonalBytes,
    /// What kind of picture they are, told from their beginning.
    pub media_type: MediaType,
    /// Width and height as the record around the picture declares them; zero means undeclared.
    pub declared_size: Option<(u16, u16)>,
}

/// What kind of picture it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaType {
    /// `image/jpeg`.
    Jpeg,
    /// `image/jp2`: JPEG 2000 in its file format.
    Jp2,
    /// `image/j2c`: a bare JPEG 2000 codestream.
    J2c,
    /// `image/png`: never on a chip, but what JPEG 2000 is shown as.
    Png,
    /// `image/x-wsq`: wavelet scalar quantisation, for fingerprints. No face is stored so.
    Wsq,
    /// None of these.
    Unknown,
}

impl MediaType {
    /// Tells the kind from the first bytes, whatever any header around them says.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x00, 0x00, 0x00, 0x0C, b'j', b'P', b' ', b' ', ..] => Self::Jp2,
            [0xFF, 0x4F, 0xFF, 0x51, ..] => Self::J2c,
            _ => Self::Unknown,
        }
    }

    /// The media type's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Jp2 => "image/jp2",
            Self::J2c => "image/j2c",
            Self::Png => "image/png",
            Self::Wsq => "image/x-wsq",
            Self::Unknown => "application/octet-stream",
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A picture every browser shows: JPEG or PNG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayImage {
    /// JPEG or PNG.
    pub media_type: MediaType,
    /// The picture.
    pub bytes: PersonalBytes,
}

/// Why a portrait cannot be shown. Its bytes are still there for whoever can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDisplayable {
    /// Neither JPEG nor JPEG 2000.
    #[error("neither JPEG nor JPEG 2000")]
    UnknownFormat,
    /// It begins like one of them and cannot be decoded.
    #[error("the picture is damaged")]
    Damaged,
    /// More pixels than any portrait has, or none.
    #[error("a picture of {width} x {height} is no portrait")]
    Size {
        /// Pixels in a line.
        width: u32,
        /// Lines.
        height: u32,
    },
    /// Neither grey nor red-green-blue.
    #[error("colours are neither grey nor RGB")]
    Colours,
}

impl Portrait {
    /// Takes a picture as it came.
    pub fn new(bytes: &[u8], declared_size: Option<(u16, u16)>) -> Self {
        Self { media_type: MediaType::of(bytes), bytes: PersonalBytes::from(bytes), declared_size }
    }

    /// The picture for a screen: JPEG unchanged, JPEG 2000 as PNG.
    ///
    /// Takes some milliseconds for JPEG 2000: call it off the async threads.
    pub fn for_display(&self) -> Result<DisplayImage, NotDisplayable> {
        // The decoders are written not to panic on any input. Should one all the same, it is this picture
        // that is lost and not the reading.
        catch_unwind(AssertUnwindSafe(|| self.decoded())).unwrap_or(Err(NotDisplayable::Damaged))
    }

    fn decoded(&self) -> Result<DisplayImage, NotDisplayable> {
        match self.media_type {
            MediaType::Jpeg => checked_jpeg(&self.bytes),
            MediaType::Jp2 | MediaType::J2c => png_of_jpeg_2000(self.bytes.expose()),
            MediaType::Png | MediaType::Wsq | MediaType::Unknown => Err(NotDisplayable::UnknownFormat),
        }
    }
}

fn checked_jpeg(bytes: &PersonalBytes) -> Result<DisplayImage, NotDisplayable> {
    let (width, height) =
        ImageReader::with_format(std::io::Cursor::new(bytes.expose()), image::ImageFormat::Jpeg)
            .into_dimensions()
            .map_err(|_| NotDisplayable::Damaged)?;
    check_size(width, height)?;
    Ok(DisplayImage { media_type: MediaType::Jpeg, bytes: bytes.clone() })
}

fn check_size(width: u32, height: u32) -> Result<(), NotDisplayable> {
    let pixels = u64::from(width) * u64::from(height);
    if (1..=MOST_PIXELS).contains(&pixels) { Ok(()) } else { Err(NotDisplayable::Size { width, height }) }
}

fn png_of_jpeg_2000(bytes: &[u8]) -> Result<DisplayImage, NotDisplayable> {
    let (width, height) = jpeg_2000_size(bytes).ok_or(NotDisplayable::Damaged)?;
    check_size(width, height)?;
    let image = Image::new(bytes, &DecodeSettings::default()).map_err(|_| NotDisplayable::Damaged)?;
    // The header says so once more, and the decoder goes by it.
    check_size(image.width(), image.height())?;
    let channels = image.color_space().num_channels() + u8::from(image.has_alpha());
    let colours = match channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        4 if image.has_alpha() => ExtendedColorType::Rgba8,
        _ => return Err(NotDisplayable::Colours),
    };
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|_| NotDisplayable::Damaged)?;
    if decoded.components().len() != usize::from(channels) {
        return Err(NotDisplayable::Colours);
    }
    let pixels = zeroize::Zeroizing::new(decoded.data_u8());
    let mut png = Vec::with_capacity(pixels.len());
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&pixels, image.width(), image.height(), colours)
        .map_err(|_| NotDisplayable::Damaged)?;
    Ok(DisplayImage { media_type: MediaType::Png, bytes: PersonalBytes::new(png) })
}

/// Width and height, before anything is decoded. Every beginning of a codestream in the bytes has to pass: the
/// file format lets other boxes stand before the one that the decoder takes.
fn jpeg_2000_size(bytes: &[u8]) -> Option<(u32, u32)> {
    const SOC_SIZ: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];
    let starts = bytes.windows(SOC_SIZ.len()).enumerate().filter(|(_, window)| *window == SOC_SIZ);
    let sizes: Vec<(u32, u32)> =
        starts.map(|(at, _)| codestream_size(bytes.get(at + SOC_SIZ.len()..)?)).collect::<Option<_>>()?;
    sizes.into_iter().max_by_key(|&(width, height)| u64::from(width) * u64::from(height))
}

/// The image area less its offset, from the SIZ marker segment (ISO/IEC 15444-1, A.5.1). `None` also for a
/// picture cut into more tiles than a portrait needs: each costs memory, however small it is.
fn codestream_size(segment: &[u8]) -> Option<(u32, u32)> {
    const MOST_TILES: u64 = 4096;
    let mut reader = cccd_card::ByteReader::new(segment);
    let _length_and_capabilities = reader.u32().ok()?;
    let mut next = || reader.u32().ok();
    let (right, bottom, left, top) = (next()?, next()?, next()?, next()?);
    let (tile_width, tile_height) = (next()?, next()?);
    let (width, height) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
    let tiles = u64::from(right.div_ceil(tile_width.max(1))) * u64::from(bottom.div_ceil(tile_height.max(1)));
    (tiles <= MOST_TILES && tile_width > 0 && tile_height > 0).then_some((width, height))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made with `opj_compress` from a slope of 24 x 16 grey values, reversible.
    pub(crate) const GREY_JP2: &[u8] = include_bytes!("../tests/data/slope-grey.jp2");
    /// The same in three colours, as a bare codestream.
    pub(crate) const RGB_J2C: &[u8] = include_bytes!("../tests/data/slope-rgb.j2k");

    pub(crate) fn jpeg() -> Vec<u8> {
        let mut out = Vec::new();
        let pixels: Vec<u8> = (0..24 * 16).map(|at| u8::try_from(at % 24 * 10).unwrap()).collect();
        image::codecs::jpeg::JpegEncoder::new(&mut out)
            .write_image(&pixels, 24, 16, ExtendedColorType::L8)
            .unwrap();
        out
    }

    #[test]
    fn the_kind_is_told_from_the_first_bytes() {
        assert_eq!(MediaType::of(&jpeg()), MediaType::Jpeg);
        assert_eq!(MediaType::of(GREY_JP2), MediaType::Jp2);
        assert_eq!(MediaType::of(RGB_J2C), MediaType::J2c);
        for bytes in [&b""[..], b"\xFF\xD8", b"GIF89a", b"\x89PNG"] {
            assert_eq!(MediaType::of(bytes), MediaType::Unknown);
        }
    }

    #[test]
    fn a_jpeg_is_shown_unchanged() {
        let bytes = [jpeg(), vec![0; 3]].concat();
        let shown = Portrait::new(&bytes, None).for_display().unwrap();
        assert_eq!((shown.media_type, shown.bytes.expose()), (MediaType::Jpeg, &bytes[..]));
    }

    #[test]
    fn jpeg_2000_is_shown_as_png_with_the_same_pixels() {
        for (bytes, channels) in [(GREY_JP2, 1), (RGB_J2C, 3)] {
            let shown = Portrait::new(bytes, None).for_display().unwrap();
            assert_eq!(shown.media_type, MediaType::Png);
            let picture = image::load_from_memory(shown.bytes.expose()).unwrap();
            assert_eq!((picture.width(), picture.height()), (24, 16));
            assert_eq!(picture.color().channel_count(), channels);
            for (x, y, pixel) in picture.to_rgb8().enumerate_pixels() {
                let grey = u8::try_from(x * 10 + y).unwrap();
                let expected = if channels == 1 { [grey; 3] } else { [grey, 255 - grey, 7] };
                assert_eq!(pixel.0, expected, "{x} {y}");
            }
        }
    }

    #[test]
    fn padding_after_jpeg_2000_changes_nothing() {
        for bytes in [GREY_JP2, RGB_J2C] {
            let padded = [bytes, &[0; 50]].concat();
            assert_eq!(Portrait::new(&padded, None).for_display(), Portrait::new(bytes, None).for_display());
        }
    }

    #[test]
    fn a_huge_picture_is_refused_before_it_is_decoded() {
        let mut bytes = RGB_J2C.to_vec();
        // SIZ: length, capabilities, then the width and the height of the image, and of the tile.
        bytes[8..16].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        assert_eq!(
            Portrait::new(&bytes, None).for_display(),
            Err(NotDisplayable::Damaged),
            "more tiles than a portrait has"
        );
        bytes[24..32].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        assert_eq!(
            Portrait::new(&bytes, None).for_display(),
            Err(NotDisplayable::Size { width: 16384, height: 16384 })
        );
        bytes[8..16].copy_from_slice(&[0; 8]);
        assert_eq!(
            Portrait::new(&bytes, None).for_display(),
            Err(NotDisplayable::Size { width: 0, height: 0 })
        );
    }

    #[test]
    fn what_is_no_picture_says_so() {
        assert_eq!(Portrait::new(b"GIF89a", None).for_display(), Err(NotDisplayable::UnknownFormat));
        assert_eq!(Portrait::new(&[0xFF, 0xD8, 0xFF], None).for_display(), Err(NotDisplayable::Damaged));
        assert_eq!(Portrait::new(&GREY_JP2[..20], None).for_display(), Err(NotDisplayable::Damaged));
        assert_eq!(Portrait::new(&RGB_J2C[..60], None).for_display(), Err(NotDisplayable::Damaged));
    }

    #[test]
    fn debug_shows_no_pixel() {
        let shown = format!("{:?}", Portrait::new(&[0xFF, 0xD8, 0xFF, 0xAB], Some((1, 2))));
        assert!(shown.contains("<personal, 4 bytes>"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            which in 0usize..3,
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = [GREY_JP2.to_vec(), RGB_J2C.to_vec(), jpeg()][which].clone();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            // Without the net that `for_display` spreads.
            let _ = Portrait::new(&bytes, None).decoded();
        }
    }
}
