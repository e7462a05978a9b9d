//! Pictures the tests look at: drawn by an encoder that shares nothing with the decoder.

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

pub(crate) const DARK: u8 = 30;
pub(crate) const LIGHT: u8 = 225;

/// A grey picture to draw on.
pub(crate) struct Scene {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Scene {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![LIGHT; width * height] }
    }

    /// A symbol alone, with its quiet zone.
    pub(crate) fn of(code: &QrCode, scale: usize) -> Self {
        let side = (code.size() as usize + 8) * scale;
        let mut scene = Self::new(side, side);
        scene.draw(code, scale, 4 * scale, 4 * scale);
        scene
    }

    pub(crate) fn draw(&mut self, code: &QrCode, scale: usize, left: usize, top: usize) {
        let side = code.size() as usize * scale;
        for y in 0..side {
            for x in 0..side {
                if code.get_module((x / scale) as i32, (y / scale) as i32) {
                    self.pixels[(top + y) * self.width + left + x] = DARK;
                }
            }
        }
    }

    pub(crate) fn mirror(&mut self) {
        self.pixels.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
    }

    pub(crate) fn invert(&mut self) {
        self.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    }

    pub(crate) fn image(&self) -> cccd_qr::GreyImage<'_> {
        cccd_qr::GreyImage::new(self.width as u32, self.height as u32, &self.pixels).unwrap()
    }
}

/// A symbol of exactly this version and level.
pub(crate) fn symbol(payload: &[u8], version: u8, level: QrCodeEcc) -> QrCode {
    let fixed = Version::new(version);
    let segments = [QrSegment::make_bytes(payload)];
    QrCode::encode_segments_advanced(&segments, level, fixed, fixed, None, false).unwrap()
}

/// Numbers that look random and are always the same.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// About normal, mean 0, deviation 1.
    pub(crate) fn bell(&mut self) -> f32 {
        let sum: f32 = (0..12).map(|_| (self.next() & 0xFFFF) as f32 / 65_536.0).sum();
        sum - 6.0
    }
}
