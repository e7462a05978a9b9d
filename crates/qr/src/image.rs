//! Grey pixels: borrowed from a camera, or decoded from a picture file under caps.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a coordinate is clamped into the picture before it becomes an index"
)]

use std::fmt;
use std::io::Cursor;

use zeroize::Zeroizing;

use crate::homography::Point;

/// The most pixels a picture may have.
pub const MAX_PIXELS: u64 = 40_000_000;
/// The longest side of a picture.
pub const MAX_SIDE: u32 = 16_384;
/// The most memory a picture file's decoder may ask for.
const MAX_DECODER_BYTES: u64 = 256 << 20;

/// Why a picture was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The caller gave a buffer that does not fit the size it named.
    #[error("{width} x {height} pixels need {wanted} bytes, not {had}")]
    WrongLength {
        /// As named.
        width: u32,
        /// As named.
        height: u32,
        /// `width * height`.
        wanted: u64,
        /// The buffer's length.
        had: usize,
    },
    /// The picture is beyond the caps: [`MAX_PIXELS`], [`MAX_SIDE`], or the decoder's memory.
    #[error("picture of {width} x {height} pixels is too large")]
    TooLarge {
        /// As the file's header says.
        width: u32,
        /// As the file's header says.
        height: u32,
    },
    /// The bytes are no JPEG, PNG, WebP or BMP.
    #[error("picture is of no known format")]
    UnknownFormat,
    /// The file is damaged, or of a kind of its format that is not read.
    #[error("picture file is damaged")]
    Damaged(#[source] image::ImageError),
}

enum Pixels<'a> {
    Borrowed(&'a [u8]),
    /// A picture of a person's card: wiped like everything read from it.
    Owned(Zeroizing<Vec<u8>>),
}

/// Grey pixels, row by row, 0 black to 255 white.
///
/// A camera's Y plane can be used as it is: colour adds nothing here.
pub struct GreyImage<'a> {
    width: usize,
    height: usize,
    pixels: Pixels<'a>,
}

impl fmt::Debug for GreyImage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GreyImage({} x {})", self.width, self.height)
    }
}

impl<'a> GreyImage<'a> {
    /// A view of `pixels`, `width * height` bytes.
    ///
    /// # Errors
    ///
    /// When the length does not fit, or the picture is beyond the caps.
    pub fn new(width: u32, height: u32, pixels: &'a [u8]) -> Result<Self, ImageError> {
        let wanted = capped(width, height)?;
        if wanted != pixels.len() as u64 {
            return Err(ImageError::WrongLength { width, height, wanted, had: pixels.len() });
        }
        Ok(Self { width: width as usize, height: height as usize, pixels: Pixels::Borrowed(pixels) })
    }

    /// Decodes a JPEG, PNG, WebP or BMP file. Transparent parts count as white.
    ///
    /// # Errors
    ///
    /// When the file is of no known format, damaged, or its picture is beyond the caps; the caps are held
    /// against the header, before any pixel is decoded.
    pub fn decode(file: &[u8]) -> Result<GreyImage<'static>, ImageError> {
        let format = image::guess_format(file).map_err(|_| ImageError::UnknownFormat)?;
        if !matches!(
            format,
            image::ImageFormat::Jpeg
                | image::ImageFormat::Png
                | image::ImageFormat::WebP
                | image::ImageFormat::Bmp
        ) {
            return Err(ImageError::UnknownFormat);
        }
        let reader = || {
            let mut reader = image::ImageReader::with_format(Cursor::new(file), format);
            let mut limits = image::Limits::default();
            limits.max_image_width = Some(MAX_SIDE);
            limits.max_image_height = Some(MAX_SIDE);
            limits.max_alloc = Some(MAX_DECODER_BYTES);
            reader.limits(limits);
            reader
        };
        let (width, height) = reader().into_dimensions().map_err(ImageError::Damaged)?;
        capped(width, height)?;
        let picture = reader().decode().map_err(|error| match error {
            image::ImageError::Limits(_) => ImageError::TooLarge { width, height },
            error => ImageError::Damaged(error),
        })?;
        let pixels = if picture.color().has_alpha() {
            let with_alpha = picture.into_luma_alpha8();
            with_alpha
                .pixels()
                .map(|pixel| {
                    let [grey, alpha] = pixel.0.map(u32::from);
                    ((grey * alpha + 255 * (255 - alpha) + 127) / 255) as u8
                })
                .collect()
        } else {
            picture.into_luma8().into_raw()
        };
        let pixels = Pixels::Owned(Zeroizing::new(pixels));
        Ok(GreyImage { width: width as usize, height: height as usize, pixels })
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels, row by row.
    pub fn pixels(&self) -> &[u8] {
        match &self.pixels {
            Pixels::Borrowed(pixels) => pixels,
            Pixels::Owned(pixels) => pixels,
        }
    }

    pub(crate) fn view(&self) -> View<'_> {
        View { width: self.width, height: self.height, pixels: self.pixels() }
    }

    /// The picture at `1/factor` of its size, each pixel the mean of the square it stands for.
    pub(crate) fn shrunk(&self, factor: usize) -> GreyImage<'static> {
        let (width, height) = (self.width / factor, self.height / factor);
        let source = self.pixels();
        let mut pixels = Zeroizing::new(Vec::with_capacity(width * height));
        let mut sums = vec![0u32; width];
        let area = (factor * factor) as u32;
        for row in 0..height {
            sums.fill(0);
            for inner in 0..factor {
                let start = (row * factor + inner) * self.width;
                let line = &source[start..start + width * factor];
                for (sum, part) in sums.iter_mut().zip(line.chunks_exact(factor)) {
                    *sum += part.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
                }
            }
            pixels.extend(sums.iter().map(|sum| (sum / area) as u8));
        }
        GreyImage { width, height, pixels: Pixels::Owned(pixels) }
    }
}

fn capped(width: u32, height: u32) -> Result<u64, ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(pixels)
}

/// What the search reads from. Coordinates are in pixels; (0, 0) is the centre of the first one.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: &'a [u8],
}

impl View<'_> {
    /// Whether it could hold even the smallest symbol at one pixel a module.
    pub(crate) fn holds_a_symbol(&self) -> bool {
        self.width >= 21 && self.height >= 21
    }

    pub(crate) fn row(&self, row: usize) -> &[u8] {
        &self.pixels[row * self.width..(row + 1) * self.width]
    }

    /// The grey value there, from its four neighbours; beyond the edge the edge goes on. Not a number is 0.
    #[inline]
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let x = x.max(0.0).min((self.width - 1) as f32);
        let y = y.max(0.0).min((self.height - 1) as f32);
        let column = (x as usize).min(self.width - 2);
        let row = (y as usize).min(self.height - 2);
        let (right, down) = (x - column as f32, y - row as f32);
        let start = row * self.width + column;
        let upper = &self.pixels[start..start + 2];
        let lower = &self.pixels[start + self.width..start + self.width + 2];
        let above = f32::from(upper[0]) + right * (f32::from(upper[1]) - f32::from(upper[0]));
        let below = f32::from(lower[0]) + right * (f32::from(lower[1]) - f32::from(lower[0]));
        above + down * (below - above)
    }

    /// Fills `line` with the values at `from`, `from + step`, ..., each `factor` times the grey value.
    pub(crate) fn fill(&self, from: Point, step: Point, factor: i32, line: &mut [i16]) {
        let to = from + step * line.len() as f32;
        let inside = |p: Point| {
            p.x >= 1.0 && p.y >= 1.0 && p.x < self.width as f32 - 2.0 && p.y < self.height as f32 - 2.0
        };
        if !inside(from) || !inside(to) {
            for (at, value) in line.iter_mut().enumerate() {
                let point = from + step * at as f32;
                *value = (self.at(point.x, point.y) * factor as f32) as i16;
            }
            return;
        }
        // In 1/16384 of a pixel, which a side of 16384 leaves room for: most of the search's time is spent
        // in this loop.
        let fixed = |value: f32| (value * 16_384.0) as i32;
        let (mut x, mut y) = (fixed(from.x), fixed(from.y));
        let (dx, dy) = (fixed(step.x), fixed(step.y));
        for value in line {
            let start = (y >> 14) as usize * self.width + (x >> 14) as usize;
            let (right, down) = ((x >> 6) & 0xFF, (y >> 6) & 0xFF);
            let upper = &self.pixels[start..start + 2];
            let lower = &self.pixels[start + self.width..start + self.width + 2];
            let [a, b, c, d] = [upper[0], upper[1], lower[0], lower[1]].map(i32::from);
            let above = (a << 8) + right * (b - a);
            let below = (c << 8) + right * (d - c);
            let grey = (above << 8) + down * (below - above);
            *value = (((grey >> 8) * factor) >> 8) as i16;
            x += dx;
            y += dy;
        }
    }

    pub(crate) fn contains(&self, x: f32, y: f32) -> bool {
        x >= 0.0 && y >= 0.0 && x <= (self.width - 1) as f32 && y <= (self.height - 1) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(format: image::ImageFormat) -> Vec<u8> {
        let picture = image::GrayImage::from_fn(30, 20, |x, y| image::Luma([(x * 8 + y) as u8]));
        let mut file = Vec::new();
        let rgb = image::DynamicImage::ImageLuma8(picture).to_rgb8();
        rgb.write_to(&mut Cursor::new(&mut file), format).unwrap();
        file
    }

    #[test]
    fn each_common_format_is_decoded() {
        use image::ImageFormat::{Bmp, Jpeg, Png, WebP};
        for format in [Png, WebP, Bmp, Jpeg] {
            let picture = GreyImage::decode(&file(format)).unwrap();
            assert_eq!((picture.width(), picture.height()), (30, 20));
            let off = picture.pixels()[5 * 30 + 10].abs_diff(85);
            assert!(off <= 4, "{format:?} is off by {off}");
        }
    }

    #[test]
    fn transparent_counts_as_white() {
        let picture = image::RgbaImage::from_pixel(2, 2, image::Rgba([0, 0, 0, 0]));
        let mut file = Vec::new();
        picture.write_to(&mut Cursor::new(&mut file), image::ImageFormat::Png).unwrap();
        assert_eq!(GreyImage::decode(&file).unwrap().pixels(), [255; 4]);
    }

    #[test]
    fn a_header_beyond_the_cap_is_refused_before_its_pixels() {
        // A BMP header alone, of 10000 x 10000 pixels.
        let mut header = file(image::ImageFormat::Bmp)[..54].to_vec();
        header[18..22].copy_from_slice(&10_000i32.to_le_bytes());
        header[22..26].copy_from_slice(&10_000i32.to_le_bytes());
        assert!(matches!(
            GreyImage::decode(&header),
            Err(ImageError::TooLarge { width: 10_000, height: 10_000 })
        ));
    }

    #[test]
    fn damage_and_strange_bytes_are_errors() {
        assert!(matches!(GreyImage::decode(b"no picture"), Err(ImageError::UnknownFormat)));
        assert!(matches!(GreyImage::decode(b""), Err(ImageError::UnknownFormat)));
        let whole = file(image::ImageFormat::Png);
        for cut in [9, 40, whole.len() / 2] {
            assert!(GreyImage::decode(&whole[..cut]).is_err(), "cut at {cut}");
        }
        assert!(matches!(
            GreyImage::new(3, 3, &[0; 8]),
            Err(ImageError::WrongLength { wanted: 9, had: 8, .. })
        ));
        assert!(matches!(GreyImage::new(u32::MAX, u32::MAX, &[]), Err(ImageError::TooLarge { .. })));
    }

    #[test]
    fn shrinking_takes_means() {
        let pixels: Vec<u8> = (0..16).map(|at| at * 10).collect();
        let picture = GreyImage::new(4, 4, &pixels).unwrap().shrunk(2);
        assert_eq!(picture.pixels(), [25, 45, 105, 125]);
    }
}
