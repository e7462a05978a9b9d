//! From an invented person through print, camera and decoder back to the text.

#![expect(clippy::unwrap_used, reason = "a test stops where its picture is not as drawn")]

use std::collections::BTreeSet;

use cccd_firmware_sim::card_image::Corpus;
use cccd_qr::{Budget, GreyImage, Live, Still};
use unicode_normalization::UnicodeNormalization as _;

/// Never used for tuning.
const SEED: u64 = 500;

/// Every letter of Vietnamese that Latin does not have: twelve vowels with five tones, six of them without, and đ.
fn marked_letters() -> BTreeSet<char> {
    let tones = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let vowels = ['a', 'ă', 'â', 'e', 'ê', 'i', 'o', 'ô', 'ơ', 'u', 'ư', 'y'];
    let toned =
        vowels.iter().flat_map(|vowel| tones.map(|tone| [*vowel, tone].into_iter().nfc().next().unwrap()));
    toned.chain(['ă', 'â', 'đ', 'ê', 'ô', 'ơ', 'ư']).collect()
}

#[test]
fn five_hundred_people_come_back_letter_by_letter() {
    let corpus = Corpus::new(SEED);
    let mut seen = BTreeSet::new();
    let mut side = Vec::new();
    for person in 0..500 {
        let frame = corpus.close_up(person);
        let truth = frame.truth.unwrap();
        let image = GreyImage::new(frame.width, frame.height, &frame.grey).unwrap();
        let codes = Still::scan(&image, Budget::REPEATABLE);
        assert_eq!(codes.len(), 1, "person {person} of seed {SEED}");
        assert!(*codes[0].payload == truth.payload, "person {person} of seed {SEED}");
        // A pixel of the mesh is its left upper edge, one of ours its middle.
        let [x, y] = truth.mesh[0];
        let (left, top) = codes[0].corners[0];
        side.push((x - 0.5 - left).hypot(y - 0.5 - top));
        seen.extend(codes[0].text().unwrap().nfc().flat_map(char::to_lowercase));
    }
    assert_eq!(marked_letters().len(), 67);
    assert!(
        marked_letters().is_subset(&seen),
        "{:?}",
        marked_letters().difference(&seen).collect::<Vec<_>>()
    );
    side.sort_by(f32::total_cmp);
    let farthest = side[side.len() - 1];
    assert!(farthest < 4.0, "a corner is {farthest} pixels off");
}

#[test]
fn a_picture_file_gives_what_its_pixels_give() {
    let frame = Corpus::new(SEED).close_up(500);
    let image = GreyImage::decode(&frame.jpeg).unwrap();
    let codes = Still::scan(&image, Budget::REPEATABLE);
    assert!(*codes[0].payload == frame.truth.unwrap().payload);
}

#[test]
fn the_whole_card_before_a_camera_is_read() {
    // Level 1 of the corpus: the first of every eleven frames.
    let corpus = Corpus::new(SEED);
    for index in [0, 11, 22, 33] {
        let frame = corpus.frame(index);
        let image = GreyImage::new(frame.width, frame.height, &frame.grey).unwrap();
        let codes = Live::with_budget(Budget { time: None, ..Budget::LIVE }).feed(&image);
        assert!(*codes[0].payload == frame.truth.unwrap().payload, "frame {index}");
    }
}
