//! Pictures made to keep a decoder busy. No payload is expected of them; what counts is how long each takes.

use std::time::Duration;

use cccd_qr::{Budget, GreyImage, Live, Still};

use crate::decoders::timed;

/// The picture that took longest, and its time.
pub(crate) struct Worst {
    pub(crate) name: String,
    pub(crate) cpu: Duration,
}

/// Pictures by name: size, and the grey value of every pixel.
type Picture = (&'static str, u32, u32, fn(u32, u32) -> u8);

const PICTURES: [Picture; 9] = [
    ("noise, 1280x720", 1280, 720, noise),
    ("coarse noise, 1920x1080", 1920, 1080, |x, y| noise(x / 3, y / 3)),
    ("coarse noise, 40 megapixels", 8000, 5000, |x, y| noise(x / 4, y / 4)),
    ("black or white noise, 1920x1080", 1920, 1080, |x, y| if noise(x / 2, y / 2) > 127 { 230 } else { 20 }),
    ("finders side by side, 1920x1080", 1920, 1080, |x, y| finder(x, y, 3)),
    ("large finders side by side, 4000x3000", 4000, 3000, |x, y| finder(x, y, 12)),
    ("finders on a lattice of symbols, 1920x1080", 1920, 1080, |x, y| lattice(x, y, 3, 45)),
    ("finders of the largest symbol over noise", 1600, 1600, |x, y| lattice(x, y, 8, 177)),
    ("checkerboard, 16384 in a row", 16_384, 2441, |x, y| if (x / 3 + y / 3) % 2 == 0 { 0 } else { 255 }),
];

/// Scans all of them in both modes, with the budgets as they are shipped: clock and steps.
pub(crate) fn worst() -> Worst {
    let mut worst = Worst { name: "none".to_owned(), cpu: Duration::ZERO };
    for (name, width, height, value) in PICTURES {
        let pixels: Vec<u8> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect();
        let Ok(image) = GreyImage::new(width, height, &pixels) else { continue };
        let mut note = |mode: &str, cpu: Duration| {
            if cpu > worst.cpu {
                worst = Worst { name: format!("{name} ({mode})"), cpu };
            }
        };
        let payloads = |codes: Vec<cccd_qr::Code>| codes.iter().map(|code| code.payload.to_vec()).collect();
        note("still", timed(|| payloads(Still::scan(&image, Budget::STILL))).cpu);
        let mut live = Live::new();
        for _ in 0..4 {
            note("live", timed(|| payloads(live.feed(&image))).cpu);
        }
    }
    worst
}

fn noise(x: u32, y: u32) -> u8 {
    let mut hash = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ 0x1234_5678;
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39);
    (hash >> 24) as u8
}

/// A finder pattern every nine modules.
fn finder(x: u32, y: u32, module: u32) -> u8 {
    let (column, row) = (x / module % 9, y / module % 9);
    let ring = column.abs_diff(4).max(row.abs_diff(4));
    if ring == 3 || ring <= 1 { 20 } else { 235 }
}

/// Finder patterns where symbols of `side` modules would have theirs, noise between them.
fn lattice(x: u32, y: u32, module: u32, side: u32) -> u8 {
    let (column, row) = (x / module % side, y / module % side);
    let near = |at: u32| at < 7 || at >= side - 7;
    if near(column) && near(row) {
        let centred = |at: u32| if at < 7 { at.abs_diff(3) } else { (at + 4).abs_diff(side) };
        let ring = centred(column).max(centred(row));
        return if ring == 3 || ring <= 1 { 20 } else { 235 };
    }
    if noise(column, row) > 127 { 20 } else { 235 }
}
