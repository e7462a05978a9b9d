//! What a scan hands out.

use std::fmt;

use zeroize::Zeroizing;

use crate::decode::Decoded;
use crate::finder::Polarity;
use crate::homography::Point;
use crate::model::Model;
use crate::segments::StructuredAppend;
use crate::symbol::{EccLevel, Version};

/// Whether the picture shows the symbol as printed or as in a looking-glass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handedness {
    /// As printed.
    Straight,
    /// Mirrored, as by a front camera.
    Mirrored,
}

/// Which of the two colours are the symbol's dark modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shade {
    /// Dark on light.
    DarkOnLight,
    /// Light on dark: a screen in dark mode.
    LightOnDark,
}

/// A QR Code read from a picture.
///
/// The payload is what the symbol says, unverified: anybody can print a symbol. `Debug` shows none of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Code {
    /// The message's bytes as encoded: byte segments as they are, numeric and alphanumeric ones as ASCII,
    /// Kanji ones as Shift JIS.
    pub payload: Zeroizing<Vec<u8>>,
    /// The symbol's outer corners in pixels, (0, 0) being the centre of the first pixel: the corner between
    /// the two others that have finder patterns, then on along the symbol's first row.
    pub corners: [(f32, f32); 4],
    /// The symbol's size.
    pub version: Version,
    /// The symbol's error correction level.
    pub level: EccLevel,
    /// Straight or mirrored.
    pub handedness: Handedness,
    /// Normal or inverted.
    pub shade: Shade,
    /// The first ECI designator, where the message names its character set; 26 is UTF-8.
    pub eci: Option<u32>,
    /// The symbol's place in a message of several symbols.
    pub append: Option<StructuredAppend>,
}

impl Code {
    pub(crate) fn new(decoded: Decoded, model: &Model) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most 177")]
        let side = model.shape.version.side() as f32;
        let ring = if decoded.mirrored {
            [(0.0, 0.0), (0.0, side), (side, side), (side, 0.0)]
        } else {
            [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)]
        };
        Self {
            payload: decoded.message.payload,
            corners: ring.map(|(x, y)| {
                let Point { x, y } = model.map.apply(x, y);
                (x, y)
            }),
            version: model.shape.version,
            level: decoded.level,
            handedness: if decoded.mirrored { Handedness::Mirrored } else { Handedness::Straight },
            shade: match model.polarity {
                Polarity::Normal => Shade::DarkOnLight,
                Polarity::Inverted => Shade::LightOnDark,
            },
            eci: decoded.message.eci,
            append: decoded.message.append,
        }
    }

    /// The payload as text, where it is UTF-8, which is what Vietnamese cards carry with or without saying so.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }

    /// Whether the point is within the symbol.
    pub(crate) fn covers(&self, point: Point) -> bool {
        let corners = self.corners.map(|(x, y)| Point::new(x, y));
        let [a, b, c, d] = corners;
        let sides = [(a, b), (b, c), (c, d), (d, a)].map(|(from, to)| (to - from).cross(point - from));
        sides.iter().all(|&side| side >= 0.0) || sides.iter().all(|&side| side <= 0.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("version", &self.version.number())
            .field("level", &self.level)
            .field("bytes", &self.payload.len())
            .field("corners", &self.corners)
            .finish_non_exhaustive()
    }
}
