//! Clean symbols of every version and level: whatever else a decoder is good for, these it must read.

use cccd_firmware_sim::card_image::{Correction, Segments, Symbol};
use cccd_qr::{Budget, GreyImage, Still};

/// Versions times levels.
pub(crate) const CLEAN_SYMBOLS: usize = 160;

/// Pixels along a module, and modules of white around the symbol.
const SCALE: usize = 4;
const QUIET: usize = 4;

/// How many of them our decoder reads.
pub(crate) fn read() -> usize {
    let levels = [Correction::L, Correction::M, Correction::Q, Correction::H];
    let symbols = (1..=40_u8).flat_map(|version| levels.map(|level| (version, level)));
    symbols.filter(|&(version, level)| is_read(version, level)).count()
}

fn is_read(version: u8, level: Correction) -> bool {
    let text = "000090123456|Đặng Thử Nghiệm|Số 1, Xã Mẫu|".bytes().cycle();
    let encode = |bytes: usize| {
        let text: Vec<u8> = text.clone().take(bytes).collect();
        Symbol::encode(&text, level, Segments::Bytes, version..=version, Some(version % 8)).map(|it| (text, it))
    };
    // Filled to the last byte: the largest symbol of all takes 2953.
    let lengths: Vec<usize> = (1..=2953).collect();
    let room = lengths.partition_point(|&bytes| encode(bytes).is_ok());
    let Ok((text, symbol)) = encode(room) else { return false };
    let side = (symbol.side + 2 * QUIET) * SCALE;
    let module = |at: usize| (at / SCALE).checked_sub(QUIET).unwrap_or(usize::MAX);
    let pixels: Vec<u8> = (0..side * side)
        .map(|at| if symbol.is_dark(module(at % side), module(at / side)) { 20 } else { 235 })
        .collect();
    let Ok(edge) = u32::try_from(side) else { return false };
    let Ok(image) = GreyImage::new(edge, edge, &pixels) else { return false };
    let codes = Still::scan(&image, Budget { time: None, ..Budget::STILL });
    codes.len() == 1 && codes.iter().all(|code| *code.payload == text)
}
