//! Pictures of symbols for the tests: printed flat or held at an angle, blurred, noisy, several together.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "pictures the tests draw themselves"
)]

use cccd_qr::GreyImage;
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

pub fn symbol(payload: &[u8], version: u8, level: QrCodeEcc) -> QrCode {
    let version = Version::new(version);
    QrCode::encode_segments_advanced(&[QrSegment::make_bytes(payload)], level, version, version, None, false)
        .unwrap()
}

/// An invented card's payload.
pub fn payload() -> Vec<u8> {
    "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022"
        .as_bytes()
        .to_vec()
}

/// Random numbers that depend on the seed alone.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub fn unit(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 31) as f32
    }
}

/// A grey picture being drawn.
pub struct Scene {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<f32>,
}

impl Scene {
    pub fn new(width: usize, height: usize, ground: f32) -> Self {
        Self { width, height, pixels: vec![ground; width * height] }
    }

    /// Draws `code` with its centre at `centre`, `module` pixels to a module, rolled by `roll` radians and
    /// tilted away so that the far side is `1 - tilt` of the near one; four samples to a pixel.
    pub fn draw(
        &mut self,
        code: &QrCode,
        centre: (f32, f32),
        module: f32,
        roll: f32,
        tilt: f32,
        ink: (f32, f32),
    ) {
        let side = code.size() as f32;
        let (sin, cos) = roll.sin_cos();
        for y in 0..self.height {
            for x in 0..self.width {
                let (mut sum, mut covered) = (0.0, 0);
                for part in 0..16 {
                    let px = x as f32 + ((part % 4) as f32 - 1.5) / 4.0 - centre.0;
                    let py = y as f32 + ((part / 4) as f32 - 1.5) / 4.0 - centre.1;
                    let (u, v) = (cos * px + sin * py, cos * py - sin * px);
                    // The inverse of x / (1 + tilt * y).
                    let depth = 1.0 / (1.0 - tilt * v / (module * side));
                    let (u, v) = (u * depth / module + side / 2.0, v * depth / module + side / 2.0);
                    if u >= -4.0 && v >= -4.0 && u < side + 4.0 && v < side + 4.0 {
                        covered += 1;
                        let dark = code.get_module(u.floor() as i32, v.floor() as i32);
                        sum += if dark { ink.0 } else { ink.1 };
                    }
                }
                if covered > 0 {
                    let pixel = &mut self.pixels[y * self.width + x];
                    *pixel = (sum + *pixel * (16 - covered) as f32) / 16.0;
                }
            }
        }
    }

    /// A Gaussian blur of `sigma` pixels.
    pub fn blur(&mut self, sigma: f32) {
        let reach = (sigma * 3.0).ceil() as i32;
        let weights: Vec<f32> =
            (-reach..=reach).map(|d| (-(d * d) as f32 / (2.0 * sigma * sigma)).exp()).collect();
        let total: f32 = weights.iter().sum();
        for (dx, dy) in [(1, 0), (0, 1)] {
            let before = self.pixels.clone();
            for y in 0..self.height as i32 {
                for x in 0..self.width as i32 {
                    let mut sum = 0.0;
                    for (weight, d) in weights.iter().zip(-reach..) {
                        let (sx, sy) = (
                            (x + d * dx).clamp(0, self.width as i32 - 1),
                            (y + d * dy).clamp(0, self.height as i32 - 1),
                        );
                        sum += weight * before[sy as usize * self.width + sx as usize];
                    }
                    self.pixels[y as usize * self.width + x as usize] = sum / total;
                }
            }
        }
    }

    pub fn noise(&mut self, amplitude: f32, random: &mut Random) {
        for pixel in &mut self.pixels {
            *pixel += amplitude * (random.unit() + random.unit() + random.unit() - 1.5);
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.pixels.iter().map(|&value| value as u8).collect()
    }
}

pub fn view(width: usize, height: usize, pixels: &[u8]) -> GreyImage<'_> {
    GreyImage::new(width as u32, height as u32, pixels).unwrap()
}
