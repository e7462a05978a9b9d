//! Modules to message: hard decisions, which `rqrr`'s grid decoder must not contradict, then erasures, under one
//! guard.
//!
//! The guard, so that nothing wrong is ever returned: a block is mended only while check codewords are left
//! over that agree by themselves; erasures never use the last four; after a soft decode the padding must
//! be legal, the text UTF-8, and what was mended must have looked doubtful in the picture.

#![expect(
    clippy::indexing_slicing,
    reason = "grids of side*side modules, indexed by the symbol's own layout"
)]

use zeroize::Zeroizing;

use crate::format::{self, Format};
use crate::reed_solomon;
use crate::segments::{self, Message, Padding};
use crate::symbol::{self, Blocks, EccLevel, Version};

/// Format readings tried on one grid: the right one is nearly always the first.
const FORMATS: usize = 3;
/// Below this the format information is noise.
const LEAST_AGREEMENT: f32 = 0.35;
/// Check codewords that erasures leave over, to be satisfied by luck or by truth.
const KEPT_CHECKS: usize = 4;
/// The share of the symbol's total certainty that a soft decode may contradict.
const MOST_CONTRADICTION: f32 = 0.16;

/// A version's fixed arrangement, worked out once per hypothesis.
pub(crate) struct Arrangement {
    pub(crate) version: Version,
    pub(crate) layout: Vec<symbol::Module>,
    order: Vec<usize>,
}

impl Arrangement {
    pub(crate) fn of(version: Version) -> Self {
        let layout = symbol::layout(version);
        let order = symbol::bit_order(version, &layout);
        Self { version, layout, order }
    }
}

/// A symbol read.
pub(crate) struct Decoded {
    pub(crate) message: Message,
    pub(crate) level: EccLevel,
    pub(crate) mirrored: bool,
}

/// Decides every module by its sign and mends what that leaves. `soft` is positive for dark, about +-1.
///
/// `rqrr` reads the same modules, and nothing is returned that it contradicts: two decoders that share no code
/// must not differ. It is asked second, because where there is nothing to read it takes a hundred times as long
/// to say so.
pub(crate) fn hard(shape: &Arrangement, soft: &[f32]) -> Option<Decoded> {
    for reading in readings(shape, soft) {
        let words = Codewords::read(shape, soft, &reading);
        let Some(data) = words.mend(shape.version, reading.level, 0).map(|(data, _)| data) else { continue };
        let Some(message) = segments::read(shape.version, &data, Padding::Ignored) else { continue };
        if by_rqrr(shape, soft).is_some_and(|bytes| *bytes != *message.payload) {
            return None;
        }
        return Some(Decoded { message, level: reading.level, mirrored: reading.mirrored });
    }
    None
}

/// Takes the least certain codewords of each block as erased, two at a time, until it can be mended.
pub(crate) fn with_erasures(shape: &Arrangement, soft: &[f32]) -> Option<Decoded> {
    for reading in readings(shape, soft) {
        let words = Codewords::read(shape, soft, &reading);
        let Some((data, contradiction)) = words.mend(shape.version, reading.level, usize::MAX) else {
            continue;
        };
        if contradiction > MOST_CONTRADICTION {
            continue;
        }
        let Some(message) = segments::read(shape.version, &data, Padding::Legal) else { continue };
        if message.kanji || std::str::from_utf8(&message.payload).is_err() {
            continue;
        }
        return Some(Decoded { message, level: reading.level, mirrored: reading.mirrored });
    }
    None
}

/// The modules whose colours are known because the block they belong to could be mended, though others could not:
/// each with its colour, dark positive. What one block teaches about the blur helps the others.
pub(crate) fn known_modules(shape: &Arrangement, soft: &[f32]) -> Zeroizing<Vec<(usize, f32)>> {
    let known = readings(shape, soft)
        .map(|reading| Codewords::read(shape, soft, &reading).known(shape, &reading))
        .max_by_key(Vec::len);
    Zeroizing::new(known.unwrap_or_default())
}

/// What `rqrr` makes of the same modules. It knows no FNC1 and no structured append; ours does.
fn by_rqrr(shape: &Arrangement, soft: &[f32]) -> Option<Zeroizing<Vec<u8>>> {
    let side = shape.version.side();
    let grid =
        rqrr::SimpleGrid::from_func(side, |x, y| soft.get(y * side + x).is_some_and(|&value| value > 0.0));
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    rqrr::Grid::new(grid).decode_to(&mut *bytes).ok()?;
    Some(bytes)
}

fn readings(shape: &Arrangement, soft: &[f32]) -> impl Iterator<Item = Format> {
    let side = shape.version.side();
    format::readings(shape.version, |column, row| soft[row * side + column])
        .into_iter()
        .take(FORMATS)
        .filter(|reading| reading.agreement >= LEAST_AGREEMENT)
}

/// The codewords of a symbol as read, with the certainty of each bit.
struct Codewords {
    values: Zeroizing<Vec<u8>>,
    certainty: Vec<[f32; 8]>,
}

impl Codewords {
    fn read(shape: &Arrangement, soft: &[f32], format: &Format) -> Self {
        let side = shape.version.side();
        let count = shape.order.len() / 8;
        let mut values = Zeroizing::new(Vec::with_capacity(count));
        let mut certainty = Vec::with_capacity(count);
        for eight in shape.order.chunks_exact(8) {
            let mut value = 0u8;
            let mut sure = [0f32; 8];
            for (&at, sure) in eight.iter().zip(&mut sure) {
                let (row, column) = (at / side, at % side);
                let module = if format.mirrored { soft[column * side + row] } else { soft[at] };
                let bit = (module > 0.0) != format::masked(format.mask, column, row);
                value = value << 1 | u8::from(bit);
                *sure = module.abs().min(1.0);
            }
            values.push(value);
            certainty.push(sure);
        }
        Self { values, certainty }
    }

    /// The data codewords in message order, with the share of certainty that mending contradicted.
    /// At most `most_erased` codewords of a block are taken as erased.
    fn mend(
        &self,
        version: Version,
        level: EccLevel,
        most_erased: usize,
    ) -> Option<(Zeroizing<Vec<u8>>, f32)> {
        let blocks = Blocks::of(version, level);
        let mut message = Zeroizing::new(Vec::with_capacity(self.values.len()));
        let (mut against, mut all) = (0f32, 1e-6f32);
        for number in 0..blocks.count {
            let data = blocks.data + usize::from(number >= blocks.count - blocks.long);
            let places = places(&blocks, number, data);
            let read: Zeroizing<Vec<u8>> = Zeroizing::new(places.iter().map(|&at| self.values[at]).collect());
            let mended = self.mend_block(&blocks, &places, &read, most_erased)?;
            for ((&at, &before), &after) in places.iter().zip(read.iter()).zip(mended.iter()) {
                for (bit, &sure) in self.certainty[at].iter().enumerate() {
                    all += sure;
                    if (before ^ after) >> (7 - bit) & 1 == 1 {
                        against += sure;
                    }
                }
            }
            message.extend_from_slice(&mended[..data]);
        }
        Some((message, against / all))
    }

    /// The modules of those blocks that can be mended by themselves, with their colours.
    fn known(&self, shape: &Arrangement, format: &Format) -> Vec<(usize, f32)> {
        let side = shape.version.side();
        let blocks = Blocks::of(shape.version, format.level);
        let mut known = Vec::new();
        for number in 0..blocks.count {
            let data = blocks.data + usize::from(number >= blocks.count - blocks.long);
            let places = places(&blocks, number, data);
            let read: Zeroizing<Vec<u8>> = Zeroizing::new(places.iter().map(|&at| self.values[at]).collect());
            let Some(mended) = self.mend_block(&blocks, &places, &read, usize::MAX) else { continue };
            for (&place, &word) in places.iter().zip(mended.iter()) {
                for (bit, &at) in shape.order[8 * place..8 * place + 8].iter().enumerate() {
                    let (row, column) = (at / side, at % side);
                    let dark = (word >> (7 - bit) & 1 == 1) != format::masked(format.mask, column, row);
                    let at = if format.mirrored { column * side + row } else { at };
                    known.push((at, if dark { 1.0 } else { -1.0 }));
                }
            }
        }
        known
    }

    fn mend_block(
        &self,
        blocks: &Blocks,
        places: &[usize],
        read: &[u8],
        most_erased: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        // Most doubtful first: by the chance that any of the eight bits is wrong.
        let mut doubtful: Vec<(f32, usize)> = places
            .iter()
            .enumerate()
            .map(|(place, &at)| (self.certainty[at].iter().map(|sure| (-6.0 * sure).exp()).sum(), place))
            .collect();
        doubtful.sort_by(|a, b| b.0.total_cmp(&a.0));
        let order: Vec<usize> = doubtful.into_iter().map(|(_, place)| place).collect();

        let most = most_erased.min(blocks.checks.saturating_sub(KEPT_CHECKS + blocks.reserved));
        for erased in (0..=most).step_by(2) {
            let mut block = Zeroizing::new(read.to_vec());
            if let Some(cost) = reed_solomon::mend(&mut block, blocks.checks, &order[..erased]) {
                // The more was erased, the less an error found beside it may cost.
                let kept = if erased == 0 { blocks.reserved } else { 2 + blocks.reserved };
                if 2 * cost.errors + erased + kept <= blocks.checks {
                    return Some(block);
                }
            }
        }
        None
    }
}

/// Where the codewords of block `number` stand in the interleaved sequence (ISO/IEC 18004, 7.6).
fn places(blocks: &Blocks, number: usize, data: usize) -> Vec<usize> {
    let short = blocks.count - blocks.long;
    let common = blocks.count * blocks.data;
    let mut places: Vec<usize> = (0..blocks.data).map(|step| step * blocks.count + number).collect();
    if data > blocks.data {
        places.push(common + number - short);
    }
    let checks = common + blocks.long;
    places.extend((0..blocks.checks).map(|step| checks + step * blocks.count + number));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrcodegen::{QrCode, QrCodeEcc, QrSegment};

    const LEVELS: [(QrCodeEcc, EccLevel); 4] = [
        (QrCodeEcc::Low, EccLevel::L),
        (QrCodeEcc::Medium, EccLevel::M),
        (QrCodeEcc::Quartile, EccLevel::Q),
        (QrCodeEcc::High, EccLevel::H),
    ];

    fn symbol(version: u8, level: QrCodeEcc, payload: &[u8]) -> (Arrangement, Vec<f32>) {
        let fixed = qrcodegen::Version::new(version);
        let segments = [QrSegment::make_bytes(payload)];
        let code = QrCode::encode_segments_advanced(&segments, level, fixed, fixed, None, false).unwrap();
        let side = code.size();
        let dark = |at: i32| code.get_module(at % side, at / side);
        let soft = (0..side * side).map(|at| if dark(at) { 1.0 } else { -1.0 }).collect();
        (Arrangement::of(Version::new(version).unwrap()), soft)
    }

    fn payload(length: usize) -> Vec<u8> {
        "Nguyễn Văn Mẫu|02011990|Nam|".bytes().cycle().take(length).map(|b| b & 0x7F).collect()
    }

    #[test]
    fn every_version_and_level_is_read_hard_and_soft() {
        for number in 1..=40 {
            for (level, ours) in LEVELS {
                let blocks = Blocks::of(Version::new(number).unwrap(), ours);
                let room = blocks.data * blocks.count + blocks.long - 3;
                let bytes = payload(room);
                let (shape, soft) = symbol(number, level, &bytes);
                for decoded in [hard(&shape, &soft).unwrap(), with_erasures(&shape, &soft).unwrap()] {
                    assert_eq!(*decoded.message.payload, bytes, "version {number} level {ours:?}");
                    assert_eq!((decoded.level, decoded.mirrored), (ours, false));
                }
            }
        }
    }

    #[test]
    fn function_patterns_are_where_an_independent_encoder_puts_them() {
        for number in 1..=40 {
            let (shape, soft) = symbol(number, QrCodeEcc::Low, b"x");
            for (at, module) in shape.layout.iter().enumerate() {
                match module {
                    symbol::Module::Dark => assert!(soft[at] > 0.0, "version {number} module {at}"),
                    symbol::Module::Light => assert!(soft[at] < 0.0, "version {number} module {at}"),
                    symbol::Module::Data | symbol::Module::Format => {}
                }
            }
        }
    }

    #[test]
    fn a_transposed_grid_is_read_and_called_mirrored() {
        let (shape, soft) = symbol(7, QrCodeEcc::Medium, b"mirror");
        let side = shape.version.side();
        let turned: Vec<f32> = (0..soft.len()).map(|at| soft[at % side * side + at / side]).collect();
        let decoded = hard(&shape, &turned).unwrap();
        assert!(decoded.mirrored);
        assert_eq!(*decoded.message.payload, b"mirror");
    }

    #[test]
    fn announced_doubt_mends_what_hard_decisions_cannot() {
        let (shape, mut soft) = symbol(8, QrCodeEcc::Medium, &payload(120));
        // 60 consecutive codewords wrong but faint: 15 a block, beyond the 11 that 22 check codewords find.
        for &at in &shape.order[400..400 + 60 * 8] {
            soft[at] *= -0.05;
        }
        assert!(hard(&shape, &soft).is_none());
        assert_eq!(*with_erasures(&shape, &soft).unwrap().message.payload, payload(120));
    }

    #[test]
    fn a_block_that_is_mended_tells_the_colours_of_its_modules() {
        let (shape, clean) = symbol(8, QrCodeEcc::Medium, &payload(120));
        let mut soft = clean.clone();
        // Every codeword of the first block is noise, and two modules of the others are wrong.
        let blocks = Blocks::of(shape.version, EccLevel::M);
        let first = places(&blocks, 0, blocks.data);
        for (number, &at) in shape.order.iter().enumerate() {
            if first.contains(&(number / 8)) && number % 3 == 0 {
                soft[at] *= -1.0;
            }
        }
        let other = places(&blocks, 1, blocks.data);
        let wrong = [shape.order[8 * other[0]], shape.order[8 * other[5] + 3]];
        for at in wrong {
            soft[at] *= -0.7;
        }
        assert!(with_erasures(&shape, &soft).is_none());
        let known = known_modules(&shape, &soft);
        assert_eq!(known.len(), 8 * (shape.order.len() / 8 - first.len()));
        assert!(known.iter().all(|&(at, colour)| colour == clean[at]));
        assert!(wrong.iter().all(|wrong| known.iter().any(|(at, _)| at == wrong)));
    }

    #[test]
    fn nothing_is_read_from_noise() {
        let mut state = 1u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        for number in (1..=40).chain([1; 200]).chain([2; 200]) {
            let (shape, clean) = symbol(number, QrCodeEcc::High, b"x");
            // Format information intact, everything else noise: only the guard stands.
            let soft: Vec<f32> = clean
                .iter()
                .zip(&shape.layout)
                .map(|(&value, module)| if *module == symbol::Module::Data { noise() } else { value })
                .collect();
            assert!(hard(&shape, &soft).is_none(), "version {number}");
            assert!(with_erasures(&shape, &soft).is_none(), "version {number}");
        }
    }
}
