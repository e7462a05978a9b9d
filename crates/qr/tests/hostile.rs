//! Whatever the picture: no panic, no message that nobody wrote, no time beyond the budget.

#![allow(
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the pictures drawn here are small, and `scene` is shared by two tests"
)]

mod scene;

use std::time::Duration;

use cccd_qr::{Budget, GreyImage, Live, Still};
use proptest::prelude::*;
use qrcodegen::QrCodeEcc;
use scene::{Random, Scene, payload, symbol, view};

fn finders(width: usize, height: usize, unit: usize) -> Vec<u8> {
    let ring = |at: usize| (at / unit % 9).abs_diff(4);
    (0..width * height)
        .map(|at| {
            let ring = ring(at % width).max(ring(at / width));
            if ring == 3 || ring <= 1 { 20 } else { 230 }
        })
        .collect()
}

#[test]
fn thin_and_empty_pictures_hold_nothing() {
    for (width, height) in [(0, 0), (1, 1), (1, 16_000), (16_000, 1), (20, 4000), (4000, 20), (21, 21)] {
        let pixels = vec![128; width * height];
        let image = view(width, height, &pixels);
        assert!(Still::scan(&image, Budget::REPEATABLE).is_empty());
        assert!(Live::with_budget(Budget::REPEATABLE).feed(&image).is_empty());
    }
}

#[test]
fn a_field_of_finders_ends_with_the_budget() {
    for (width, height, unit) in [(1280, 720, 2), (1280, 720, 3), (640, 480, 5), (4000, 3000, 4)] {
        let pixels = finders(width, height, unit);
        let image = view(width, height, &pixels);
        let budget = Budget { time: Some(Duration::from_millis(50)), ..Budget::REPEATABLE };
        // That it comes back at all is the point: without the budget it would search for minutes.
        assert!(Still::scan(&image, budget).is_empty(), "{width} x {height}, unit {unit}");
    }
}

#[test]
fn noise_stripes_and_shuffled_modules_say_nothing() {
    let mut random = Random(3);
    let clean = symbol(&payload(), 7, QrCodeEcc::Low);
    for round in 0..40usize {
        let (width, height) = (240, 200);
        let mut scene = Scene::new(width, height, 128.0);
        match round % 4 {
            0 => scene.noise(200.0, &mut random),
            1 => {
                for (at, pixel) in scene.pixels.iter_mut().enumerate() {
                    *pixel = if (at % width / (2 + round / 8)).is_multiple_of(2) { 0.0 } else { 255.0 };
                }
                scene.noise(30.0, &mut random);
            }
            _ => {
                // Everything but the function patterns' corners is random: the format may even be legal.
                scene.draw(&clean, (120.0, 100.0), 4.0, 0.0, 0.0, (30.0, 220.0));
                for cell in 0..37 * 37usize {
                    let (column, row) = (cell % 37 + 9, cell / 37 + 9);
                    if column < 45 && row < 45 {
                        let grey = if random.next().is_multiple_of(2) { 30.0 } else { 220.0 };
                        for at in 0..16 {
                            let (x, y) = (30 + column * 4 + at % 4, 10 + row * 4 + at / 4);
                            if x < width && y < height {
                                scene.pixels[y * width + x] = grey;
                            }
                        }
                    }
                }
            }
        }
        let bytes = scene.bytes();
        assert!(Still::scan(&view(width, height, &bytes), Budget::REPEATABLE).is_empty(), "round {round}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn torn_pictures_of_a_code_give_its_payload_or_nothing(
        tears in proptest::collection::vec((0usize..200, 0usize..200, 1usize..60, 1usize..60, any::<u8>()), 0..12),
        roll in 0f32..6.3,
        tilt in -0.6f32..0.6,
        module in 0.8f32..5.0,
    ) {
        let mut scene = Scene::new(200, 200, 170.0);
        scene.draw(&symbol(&payload(), 7, QrCodeEcc::Medium), (100.0, 100.0), module, roll, tilt, (30.0, 220.0));
        let mut bytes = scene.bytes();
        for (left, top, width, height, grey) in tears {
            for y in top..(top + height).min(200) {
                for x in left..(left + width).min(200) {
                    bytes[y * 200 + x] = grey.wrapping_add((x * y) as u8 & 31);
                }
            }
        }
        let image = view(200, 200, &bytes);
        let mut codes = Still::scan(&image, Budget::REPEATABLE);
        codes.extend(Live::with_budget(Budget::REPEATABLE).feed(&image));
        for code in codes {
            prop_assert_eq!(&*code.payload, &payload());
        }
    }

    #[test]
    fn any_bytes_are_a_picture_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600), kind in 0usize..4) {
        let magic: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"RIFF\x20\0\0\0WEBPVP8 "];
        let file = [magic[kind], &bytes].concat();
        if let Ok(image) = GreyImage::decode(&file) {
            prop_assert_eq!(image.pixels().len(), image.width() * image.height());
        }
    }

    #[test]
    fn any_pixels_are_searched_without_a_panic(
        width in 21u32..90,
        height in 21u32..90,
        seed in any::<u64>(),
        levels in 1u32..6,
    ) {
        let mut random = Random(seed);
        let pixels: Vec<u8> = (0..width * height).map(|_| (random.next() % (levels + 1) * 255 / levels) as u8).collect();
        let image = GreyImage::new(width, height, &pixels).unwrap();
        prop_assert!(Still::scan(&image, Budget::REPEATABLE).is_empty());
    }
}
