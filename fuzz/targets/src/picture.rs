//! Pictures: files of each format, and the grey frames of a camera.

use std::hint::black_box;

use cccd_qr::{Budget, GreyImage, Live, Still};

/// Steps alone bound the search, and few of them: what takes longest is what is tried least.
const BUDGET: Budget = Budget { time: None, steps: 5_000 };

pub(crate) fn jpeg(bytes: &[u8]) -> Option<()> {
    file(bytes, bytes.starts_with(&[0xFF, 0xD8, 0xFF]))
}

pub(crate) fn png(bytes: &[u8]) -> Option<()> {
    file(bytes, bytes.starts_with(b"\x89PNG\r\n\x1a\n"))
}

pub(crate) fn webp(bytes: &[u8]) -> Option<()> {
    file(bytes, bytes.starts_with(b"RIFF"))
}

pub(crate) fn bmp(bytes: &[u8]) -> Option<()> {
    file(bytes, bytes.starts_with(b"BM"))
}

fn file(bytes: &[u8], of_format: bool) -> Option<()> {
    if !of_format {
        return None;
    }
    let image = GreyImage::decode(bytes).ok()?;
    black_box(Still::scan(&image, BUDGET));
    Some(())
}

/// A width less one, then rows of pixels; what is left over of a row is dropped.
pub(crate) fn grey(bytes: &[u8]) -> Option<()> {
    let (&width, pixels) = bytes.split_first()?;
    let width = usize::from(width) + 1;
    let height = pixels.len() / width;
    let pixels = pixels.get(..width * height)?;
    let image = GreyImage::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?, pixels).ok()?;
    let codes = Still::scan(&image, BUDGET);
    black_box(codes.iter().map(|code| code.text().is_some()).collect::<Vec<_>>());
    let mut live = Live::with_budget(BUDGET);
    for _ in 0..4 {
        black_box(live.feed(&image));
    }
    Some(())
}
