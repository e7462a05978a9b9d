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
