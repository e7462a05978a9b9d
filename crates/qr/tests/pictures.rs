//! Pictures without camera: every version and level, turned, mirrored, inverted, several at once.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where its picture is not as drawn"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pictures of a few hundred pixels"
)]

mod scene;

use cccd_qr::{Budget, EccLevel, GreyImage, Handedness, Live, Shade, Still};
use qrcodegen::{QrCode, QrCodeEcc};
use scene::{Scene, symbol};

const LEVELS: [(QrCodeEcc, EccLevel); 4] = [
    (QrCodeEcc::Low, EccLevel::L),
    (QrCodeEcc::Medium, EccLevel::M),
    (QrCodeEcc::Quartile, EccLevel::Q),
    (QrCodeEcc::High, EccLevel::H),
];

/// Numbers that look random and are always the same.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// A symbol with its quiet zone.
fn alone(code: &QrCode, scale: usize) -> Scene {
    let side = (code.size() as usize + 8) * scale;
    let mut scene = Scene::new(side, side);
    scene.draw(code, scale, 4 * scale, 4 * scale);
    scene
}

fn live() -> Live {
    Live::with_budget(Budget { time: None, ..Budget::LIVE })
}

#[test]
fn every_version_and_level_is_read_whole() {
    for version in 1..=40u8 {
        for (level, ours) in LEVELS {
            let payload = format!("{version:02}ả|x");
            let code = symbol(payload.as_bytes(), version, level);
            let scene = alone(&code, 3);
            let codes = Still::scan(&scene.image(), Budget::REPEATABLE);
            assert_eq!(codes.len(), 1, "version {version} level {ours:?}");
            assert_eq!(codes[0].text(), Some(payload.as_str()));
            assert_eq!((codes[0].version.number(), codes[0].level), (version, ours));
            assert_eq!((codes[0].handedness, codes[0].shade), (Handedness::Straight, Shade::DarkOnLight));
            let side = f32::from(version) * 4.0 + 17.0;
            let (near, far) = (4.0 * 3.0 - 0.5, (4.0 + side) * 3.0 - 0.5);
            for ((x, y), (left, top)) in
                codes[0].corners.into_iter().zip([(near, near), (far, near), (far, far), (near, far)])
            {
                assert!((x - left).hypot(y - top) < 3.0, "version {version}: corner {x}, {y}");
            }
        }
    }
}

#[test]
fn a_frame_of_a_stream_is_read_mirrored_and_inverted() {
    let code = symbol("000090123456||Đặng Văn Thử|".as_bytes(), 5, QrCodeEcc::Medium);
    for (mirrored, inverted) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut scene = alone(&code, 4);
        if mirrored {
            scene.pixels.chunks_exact_mut(scene.width).for_each(<[u8]>::reverse);
        }
        if inverted {
            scene.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        for codes in [live().feed(&scene.image()), Still::scan(&scene.image(), Budget::REPEATABLE)] {
            assert_eq!(codes.len(), 1, "mirrored {mirrored} inverted {inverted}");
            assert_eq!(codes[0].text(), Some("000090123456||Đặng Văn Thử|"));
            let as_seen = (codes[0].handedness == Handedness::Mirrored, codes[0].shade == Shade::LightOnDark);
            assert_eq!(as_seen, (mirrored, inverted));
        }
    }
}

#[test]
fn all_codes_of_a_picture_are_found() {
    let mut scene = Scene::new(640, 480);
    let texts: Vec<String> = (0..6).map(|number| format!("code number {number}")).collect();
    for (number, text) in texts.iter().enumerate() {
        let code = symbol(text.as_bytes(), 2, QrCodeEcc::Medium);
        scene.draw(&code, 4, 30 + number % 3 * 210, 40 + number / 3 * 220);
    }
    for codes in [live().feed(&scene.image()), Still::scan(&scene.image(), Budget::REPEATABLE)] {
        let mut found: Vec<&str> = codes.iter().map(|code| code.text().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, texts);
    }
}

#[test]
fn a_large_photograph_is_read_and_its_corners_are_in_its_own_pixels() {
    let code = symbol(b"large", 7, QrCodeEcc::Low);
    let mut scene = Scene::new(4000, 3000);
    scene.draw(&code, 16, 1000, 600);
    let codes = Still::scan(&scene.image(), Budget::REPEATABLE);
    assert_eq!(codes.len(), 1);
    let (x, y) = codes[0].corners[2];
    assert!((x - 1720.0).abs() < 16.0 && (y - 1320.0).abs() < 16.0, "{x}, {y}");
}

#[test]
fn small_modules_in_a_large_photograph_are_read_too() {
    // Shrunk to the size that is searched first, these modules are a pixel wide.
    let code = symbol(b"small", 3, QrCodeEcc::Medium);
    let mut scene = Scene::new(4000, 3000);
    scene.draw(&code, 3, 2100, 1700);
    let codes = Still::scan(&scene.image(), Budget::REPEATABLE);
    assert_eq!(codes.iter().map(cccd_qr::Code::text).collect::<Vec<_>>(), [Some("small")]);
}

#[test]
fn pictures_too_small_for_any_symbol_hold_none() {
    for (width, height) in [(0, 0), (1, 1), (20, 2000), (2000, 20), (21, 21), (3, 1)] {
        let pixels = vec![127; width as usize * height as usize];
        let image = GreyImage::new(width, height, &pixels).unwrap();
        assert!(Still::scan(&image, Budget::REPEATABLE).is_empty());
        assert!(live().feed(&image).is_empty());
    }
}

#[test]
fn nothing_is_read_where_there_is_no_symbol() {
    let mut noise = Noise(7);
    let mut pictures = Vec::new();
    for grain in [1, 2, 3, 5] {
        let (width, height) = (640, 480);
        let cells: Vec<u8> =
            (0..width * height).map(|_| if noise.next() & 1 == 0 { 20 } else { 230 }).collect();
        let pixels =
            (0..width * height).map(|at| cells[at / width / grain * width + at % width / grain]).collect();
        pictures.push(Scene { width, height, pixels });
    }
    // Finder patterns side by side: thousands of triples, and no symbol among them.
    let ring = |at: usize| (at / 3 % 9).abs_diff(4);
    let pixels = (0..640 * 480)
        .map(|at| match ring(at % 640).max(ring(at / 640)) {
            0 | 1 | 3 => 20,
            _ => 230,
        })
        .collect();
    pictures.push(Scene { width: 640, height: 480, pixels });
    for scene in pictures {
        assert!(Still::scan(&scene.image(), Budget::REPEATABLE).is_empty());
        let mut live = live();
        for _ in 0..6 {
            assert!(live.feed(&scene.image()).is_empty());
        }
    }
}

#[test]
fn a_spent_budget_finds_nothing_and_ends() {
    let scene = alone(&symbol(b"x", 4, QrCodeEcc::Low), 4);
    let nothing = Budget { time: None, steps: 0 };
    assert!(Still::scan(&scene.image(), nothing).is_empty());
    assert!(Live::with_budget(nothing).feed(&scene.image()).is_empty());
}
