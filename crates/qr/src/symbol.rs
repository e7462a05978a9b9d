//! The fixed shape of a symbol: its side, function patterns and block structure (ISO/IEC 18004, 6.3 and
//! tables 1, 9 and Annex E).

#![expect(
    clippy::indexing_slicing,
    reason = "grids of side*side modules walked by rows and columns below the side, tables by version 1-40"
)]

/// A QR Code version, 1 to 40: it fixes the number of modules in a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u8);

impl Version {
    /// `None` outside 1 to 40.
    pub const fn new(number: u8) -> Option<Self> {
        if 1 <= number && number <= 40 { Some(Self(number)) } else { None }
    }

    /// 1 to 40.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Modules in a side, 21 to 177.
    pub const fn side(self) -> usize {
        17 + 4 * self.0 as usize
    }

    const fn index(self) -> usize {
        self.0 as usize - 1
    }
}

/// How much of a symbol is check codewords (ISO/IEC 18004, 6.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EccLevel {
    /// About 7 % of the codewords can be mended.
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

impl EccLevel {
    /// From the two bits of the format information (table 12).
    pub(crate) const fn from_format(bits: u16) -> Self {
        match bits & 3 {
            0b01 => Self::L,
            0b00 => Self::M,
            0b11 => Self::Q,
            _ => Self::H,
        }
    }
}

/// Check codewords in a block, by level and version (table 9).
const CHECKS: [[u8; 40]; 4] = [
    [
        7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26,
        28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28,
        28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    ],
    [
        13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30,
        28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
];

/// Blocks in a symbol, by level and version (table 9).
const BLOCKS: [[u8; 40]; 4] = [
    [
        1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16,
        17, 18, 19, 19, 20, 21, 22, 24, 25,
    ],
    [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28,
        29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
    ],
    [
        1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35,
        38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68,
    ],
    [
        1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42,
        45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81,
    ],
];

/// How a symbol's codewords are dealt into blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// Blocks in all; the last `long` of them carry one data codeword more.
    pub(crate) count: usize,
    pub(crate) long: usize,
    /// Data codewords of a short block.
    pub(crate) data: usize,
    /// Check codewords of every block.
    pub(crate) checks: usize,
    /// Check codewords that only detect (table 9, `p`): kept back against miscorrection.
    pub(crate) reserved: usize,
}

impl Blocks {
    pub(crate) fn of(version: Version, level: EccLevel) -> Self {
        let row = level as usize;
        let checks = usize::from(CHECKS[row][version.index()]);
        let count = usize::from(BLOCKS[row][version.index()]);
        let total = data_modules(version) / 8;
        let reserved = match (version.number(), level) {
            (1, EccLevel::L) => 3,
            (1, EccLevel::M) | (2, EccLevel::L) => 2,
            (1, EccLevel::Q | EccLevel::H) | (3, EccLevel::L) => 1,
            _ => 0,
        };
        Self { count, long: total % count, data: total / count - checks, checks, reserved }
    }
}

/// Modules that carry codewords and remainder bits.
fn data_modules(version: Version) -> usize {
    let number = usize::from(version.number());
    let mut modules = (16 * number + 128) * number + 64;
    if number >= 2 {
        let aligned = number / 7 + 2;
        modules -= (25 * aligned - 10) * aligned - 55;
        if number >= 7 {
            modules -= 36;
        }
    }
    modules
}

/// The row and column numbers where alignment patterns stand (Annex E).
pub(crate) fn alignment_centres(version: Version) -> Vec<usize> {
    let number = usize::from(version.number());
    if number == 1 {
        return Vec::new();
    }
    let count = number / 7 + 2;
    let step = if number == 32 { 26 } else { (number * 4 + count * 2 + 1) / (count * 2 - 2) * 2 };
    let last = version.side() - 7;
    let mut centres: Vec<usize> = (0..count - 1).map(|back| last - back * step).collect();
    centres.push(6);
    centres.reverse();
    centres
}

/// The alignment patterns themselves, as (column, row) of their centre modules.
pub(crate) fn alignment_patterns(version: Version) -> Vec<(usize, usize)> {
    let centres = alignment_centres(version);
    let (first, last) = (6, version.side() - 7);
    let mut patterns = Vec::new();
    for &row in &centres {
        for &column in &centres {
            let at_finder =
                (row == first && (column == first || column == last)) || (row == last && column == first);
            if !at_finder {
                patterns.push((column, row));
            }
        }
    }
    patterns
}

/// What a module is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module {
    /// Carries a codeword bit.
    Data,
    /// Format information: reserved, unknown until read.
    Format,
    /// A function pattern (or version information) whose colour the version fixes.
    Dark,
    Light,
}

/// Every module's purpose, row by row.
pub(crate) fn layout(version: Version) -> Vec<Module> {
    let side = version.side();
    let mut grid = vec![Module::Data; side * side];
    let colour = |dark: bool| if dark { Module::Dark } else { Module::Light };

    for along in 0..side {
        grid[6 * side + along] = colour(along % 2 == 0);
        grid[along * side + 6] = colour(along % 2 == 0);
    }
    for (column, row) in alignment_patterns(version) {
        for y in 0..5 {
            for x in 0..5 {
                let ring = x == 0 || x == 4 || y == 0 || y == 4;
                grid[(row + y - 2) * side + column + x - 2] = colour(ring || (x == 2 && y == 2));
            }
        }
    }
    // Format information, both copies, and the dark module (7.9.1).
    for along in 0..9 {
        if along != 6 {
            grid[8 * side + along] = Module::Format;
            grid[along * side + 8] = Module::Format;
        }
    }
    for along in 0..8 {
        grid[8 * side + side - 1 - along] = Module::Format;
        grid[(side - 1 - along) * side + 8] = Module::Format;
    }
    grid[(side - 8) * side + 8] = Module::Dark;

    for (left, top) in [(0, 0), (side - 7, 0), (0, side - 7)] {
        for y in 0..9 {
            for x in 0..9 {
                // One module beyond the pattern on every side: the separator, where it is inside.
                let (Some(column), Some(row)) = ((left + x).checked_sub(1), (top + y).checked_sub(1)) else {
                    continue;
                };
                if column >= side || row >= side {
                    continue;
                }
                let ring = (x.abs_diff(4)).max(y.abs_diff(4));
                grid[row * side + column] = colour(ring == 3 || ring <= 1);
            }
        }
    }
    if version.number() >= 7 {
        // Version information (7.10): six bits and their BCH(18,6) remainder, both copies.
        let mut remainder = u32::from(version.number());
        for _ in 0..12 {
            remainder = (remainder << 1) ^ ((remainder >> 11) * 0x1F25);
        }
        let bits = u32::from(version.number()) << 12 | remainder;
        for bit in 0..18usize {
            let dark = bits >> bit & 1 == 1;
            let (far, near) = (side - 11 + bit % 3, bit / 3);
            grid[near * side + far] = colour(dark);
            grid[far * side + near] = colour(dark);
        }
    }
    grid
}

/// The data modules in the order codeword bits fill them (7.7.3), as indices into the grid.
pub(crate) fn bit_order(version: Version, layout: &[Module]) -> Vec<usize> {
    let side = version.side();
    let mut order = Vec::with_capacity(data_modules(version));
    let mut right = side - 1;
    let mut upward = true;
    loop {
        for step in 0..side {
            let row = if upward { side - 1 - step } else { step };
            for column in [right, right - 1] {
                let at = row * side + column;
                if layout[at] == Module::Data {
                    order.push(at);
                }
            }
        }
        upward = !upward;
        // The vertical timing pattern's column belongs to no pair.
        right = match right {
            1 => break,
            8 => 5,
            other => other - 2,
        };
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_as_many_data_modules_as_the_formula_says() {
        for number in 1..=40 {
            let version = Version::new(number).unwrap();
            let order = bit_order(version, &layout(version));
            assert_eq!(order.len(), data_modules(version), "version {number}");
        }
    }

    #[test]
    fn alignment_centres_of_annex_e() {
        for (number, centres) in [
            (1, vec![]),
            (2, vec![6, 18]),
            (7, vec![6, 22, 38]),
            (8, vec![6, 24, 42]),
            (32, vec![6, 34, 60, 86, 112, 138]),
            (36, vec![6, 24, 50, 76, 102, 128, 154]),
            (40, vec![6, 30, 58, 86, 114, 142, 170]),
        ] {
            assert_eq!(alignment_centres(Version::new(number).unwrap()), centres, "version {number}");
        }
    }

    #[test]
    fn block_structure_of_table_9() {
        let blocks = Blocks::of(Version::new(5).unwrap(), EccLevel::Q);
        assert_eq!(blocks, Blocks { count: 4, long: 2, data: 15, checks: 18, reserved: 0 });
        assert_eq!(Version::new(0), None);
        assert_eq!(Version::new(41), None);
    }
}
