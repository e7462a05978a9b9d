//! The QR symbol itself (ISO/IEC 18004): text to modules.

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

/// How much damage the symbol can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// About 7 % of the codewords.
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

/// How the text is cut into segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segments {
    /// One byte segment and no word about its character set.
    Bytes,
    /// ECI 26 (UTF-8), then one byte segment.
    EciBytes,
    /// The leading digits as a numeric segment, the rest as bytes.
    NumericBytes,
}

/// A QR symbol as it is printed: `side` by `side` modules, without the quiet zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Modules along one edge: 17 + 4 x version.
    pub side: usize,
    /// 1 to 40.
    pub version: u8,
    /// The level its error-correction codewords were made for.
    pub correction: Correction,
    /// 0 to 7.
    pub mask: u8,
    dark: Vec<bool>,
}

/// The text does not fit a symbol of the versions allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text needs a larger symbol")]
pub struct TooLong;

impl Symbol {
    /// Encodes `payload` in the smallest version that `versions` allows.
    ///
    /// `mask` is the standard's penalty rule where it is `None` (ISO/IEC 18004, 7.8.3).
    pub fn encode(
        payload: &[u8],
        correction: Correction,
        segments: Segments,
        versions: std::ops::RangeInclusive<u8>,
        mask: Option<u8>,
    ) -> Result<Self, TooLong> {
        let digits = payload.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, tail) = payload.split_at(digits);
        let list = match segments {
            Segments::Bytes => vec![QrSegment::make_bytes(payload)],
            Segments::EciBytes => vec![QrSegment::make_eci(26), QrSegment::make_bytes(payload)],
            Segments::NumericBytes => {
                vec![QrSegment::make_numeric(&String::from_utf8_lossy(head)), QrSegment::make_bytes(tail)]
            }
        };
        let level = match correction {
            Correction::L => QrCodeEcc::Low,
            Correction::M => QrCodeEcc::Medium,
            Correction::Q => QrCodeEcc::Quartile,
            Correction::H => QrCodeEcc::High,
        };
        let (least, most) = (*versions.start(), *versions.end());
        let code = QrCode::encode_segments_advanced(
            &list,
            level,
            Version::new(least.clamp(1, 40)),
            Version::new(most.clamp(least.clamp(1, 40), 40)),
            mask.map(|mask| Mask::new(mask & 7)),
            false,
        )
        .map_err(|_| TooLong)?;
        let edge = code.size();
        let dark = (0..edge).flat_map(|y| (0..edge).map(move |x| (x, y))).map(|(x, y)| code.get_module(x, y));
        Ok(Self {
            side: edge.unsigned_abs() as usize,
            version: code.version().value(),
            correction,
            mask: code.mask().value(),
            dark: dark.collect(),
        })
    }

    /// Whether the module in column `x`, row `y` is dark. Outside the symbol all is light.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && y < self.side && self.dark.get(y * self.side + x).copied().unwrap_or(false)
    }
}

impl Symbol {
    /// The symbol as a screen shows it, straight and sharp, as a PNG file: for who wants a picture of a code and
    /// not a camera's view of one.
    pub fn png(&self, module_pixels: usize) -> Result<Vec<u8>, image::ImageError> {
        /// Of light modules around it (ISO/IEC 18004, 9.1).
        const QUIET: usize = 4;
        let side = (self.side + 2 * QUIET) * module_pixels;
        let pixel = |at: usize| {
            let module = |at: usize| (at / module_pixels).wrapping_sub(QUIET);
            if self.is_dark(module(at % side), module(at / side)) { 20 } else { 235 }
        };
        let pixels: Vec<u8> = (0..side * side).map(pixel).collect();
        let mut file = std::io::Cursor::new(Vec::new());
        let side = u32::try_from(side).unwrap_or(u32::MAX);
        image::write_buffer_with_format(
            &mut file,
            &pixels,
            side,
            side,
            image::ExtendedColorType::L8,
            image::ImageFormat::Png,
        )?;
        Ok(file.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_version_that_holds_the_text_is_taken() {
        // ISO/IEC 18004, table 7: byte mode, 152 bytes at 8-M, 153 need 9-M.
        for (bytes, version) in [(152, 8), (153, 9)] {
            let symbol =
                Symbol::encode(&vec![b'a'; bytes], Correction::M, Segments::Bytes, 1..=40, None).unwrap();
            assert_eq!((symbol.version, symbol.side), (version, 17 + 4 * usize::from(version)));
        }
    }

    #[test]
    fn a_text_beyond_the_versions_allowed_is_refused() {
        let long = vec![b'a'; 300];
        assert_eq!(Symbol::encode(&long, Correction::M, Segments::Bytes, 1..=10, None), Err(TooLong));
    }

    #[test]
    fn finder_patterns_stand_in_three_corners() {
        let symbol =
            Symbol::encode(b"000090123456|", Correction::L, Segments::NumericBytes, 5..=5, Some(3)).unwrap();
        let line = |x0: usize, y: usize| (0..7).map(|x| symbol.is_dark(x0 + x, y)).collect::<Vec<_>>();
        let middle = vec![true, false, true, true, true, false, true];
        let last = symbol.side - 7;
        assert_eq!([line(0, 3), line(last, 3), line(0, last + 3)], [middle.clone(), middle.clone(), middle]);
        assert_eq!(symbol.mask, 3);
    }
}
