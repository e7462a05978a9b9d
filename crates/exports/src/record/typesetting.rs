//! Letters to glyphs. Vietnamese in NFC has one glyph a letter, so that nothing has to be shaped.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

use super::RecordFault;

/// Be Vietnam Pro, under the SIL Open Font License (crates/exports/fonts/OFL.txt).
const REGULAR: &[u8] = include_bytes!("../../fonts/BeVietnamPro-Regular.ttf");
const SEMIBOLD: &[u8] = include_bytes!("../../fonts/BeVietnamPro-SemiBold.ttf");

/// A font, and what is known of its letters.
pub(super) struct Face {
    pub(super) font: Font,
    outlines: FontRef<'static>,
    units_per_em: f32,
}

/// A line, ready to be drawn.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
}

impl Face {
    pub(super) fn regular() -> Result<Self, RecordFault> {
        Self::of(REGULAR)
    }

    pub(super) fn semibold() -> Result<Self, RecordFault> {
        Self::of(SEMIBOLD)
    }

    fn of(bytes: &'static [u8]) -> Result<Self, RecordFault> {
        let font = Font::new(bytes.into(), 0).ok_or(RecordFault::Pdf)?;
        let outlines = FontRef::new(bytes).map_err(|_| RecordFault::Pdf)?;
        let units_per_em = font.units_per_em();
        Ok(Self { font, outlines, units_per_em })
    }

    /// How wide a letter is, as a part of the font's size, and its glyph.
    fn letter(&self, letter: char) -> Result<(GlyphId, f32), RecordFault> {
        let missing = RecordFault::Letter(letter.into());
        let glyph = self.outlines.charmap().map(letter).filter(|glyph| glyph.to_u32() != 0).ok_or(missing)?;
        let metrics = self.outlines.glyph_metrics(Size::unscaled(), LocationRef::default());
        let advance = metrics.advance_width(glyph).ok_or(missing)?;
        Ok((GlyphId::new(glyph.to_u32()), advance / self.units_per_em))
    }

    /// A text in lines of at most `width`, both at this size. A word that is longer than a line is parted.
    pub(super) fn lines(&self, text: &str, size: f32, width: f32) -> Result<Vec<Line>, RecordFault> {
        let mut lines = Vec::new();
        let mut current = String::new();
        let mut filled = 0.0;
        let (_, space) = self.letter(' ')?;
        for word in text.split_whitespace() {
            let wide = self.width(word)? * size;
            let gap = if current.is_empty() { 0.0 } else { space * size };
            if !current.is_empty() && filled + gap + wide > width {
                lines.push(self.line(&std::mem::take(&mut current))?);
                filled = 0.0;
            }
            if wide > width {
                for letter in word.chars() {
                    let (_, advance) = self.letter(letter)?;
                    if filled + advance * size > width && !current.is_empty() {
                        lines.push(self.line(&std::mem::take(&mut current))?);
                        filled = 0.0;
                    }
                    current.push(letter);
                    filled += advance * size;
                }
                continue;
            }
            if !current.is_empty() {
                current.push(' ');
                filled += space * size;
            }
            current.push_str(word);
            filled += wide;
        }
        if !current.is_empty() {
            lines.push(self.line(&current)?);
        }
        Ok(lines)
    }

    fn width(&self, text: &str) -> Result<f32, RecordFault> {
        text.chars().map(|letter| self.letter(letter).map(|(_, advance)| advance)).sum()
    }

    fn line(&self, text: &str) -> Result<Line, RecordFault> {
        let glyphs = text
            .char_indices()
            .map(|(at, letter)| {
                let (glyph, advance) = self.letter(letter)?;
                let range = at..at + letter.len_utf8();
                Ok(KrillaGlyph::new(glyph, advance, 0.0, 0.0, 0.0, range, None))
            })
            .collect::<Result<_, RecordFault>>()?;
        Ok(Line { text: text.to_owned(), glyphs })
    }
}
