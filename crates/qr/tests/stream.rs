//! What a stream may do that a frame cannot: add up what each frame shows of one symbol, and of one only.

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

use cccd_qr::{Budget, Live};
use qrcodegen::{QrCode, QrCodeEcc};
use scene::{Scene, symbol};

const SCALE: usize = 4;

fn live() -> Live {
    Live::with_budget(Budget { time: None, ..Budget::LIVE })
}

/// As many bytes as version 5-L takes: nothing of the symbol is padding.
fn card(owner: &str) -> QrCode {
    let text: String = owner.chars().cycle().take(106).collect();
    symbol(text.as_bytes(), 5, QrCodeEcc::Low)
}

/// The symbol with a lamp's reflection over a fifth of it, more than its correction bears, `shift` pixels aside.
fn under_glare(code: &QrCode, place: usize, shift: usize) -> Scene {
    let side = (code.size() as usize + 8) * SCALE;
    let mut scene = Scene::new(side + 16, side + 16);
    scene.draw(code, SCALE, 4 * SCALE + shift, 4 * SCALE + shift / 2);
    let (left, top) = [(15, 11), (15, 22), (24, 17)][place];
    for y in top * SCALE..(top + 11) * SCALE {
        for x in left * SCALE..(left + 17) * SCALE {
            scene.pixels[y * scene.width + x + shift] = 250;
        }
    }
    scene
}

#[test]
fn glare_that_wanders_hides_a_symbol_from_every_frame_but_not_from_the_stream() {
    let code = card("Nguyen Van Mau|");
    let frames = [(0, 0), (1, 5), (2, 3)].map(|(place, shift)| under_glare(&code, place, shift));
    for (number, frame) in frames.iter().enumerate() {
        assert!(live().feed(&frame.image()).is_empty(), "frame {number} can be read by itself");
    }
    let mut stream = live();
    let read: Vec<usize> = frames.iter().map(|frame| stream.feed(&frame.image()).len()).collect();
    // Where glare was, one frame says light and another says dark; the third decides.
    assert_eq!(read[2], 1, "{read:?}");
}

#[test]
fn two_cards_held_up_in_turn_are_never_added_up() {
    let cards = [card("Nguyen Van Mau|"), card("Tran Thi Thu|")];
    let mut stream = live();
    for number in 0..12 {
        // One after the other in the same place: what the sum would show is neither.
        let frame = under_glare(&cards[number % 2], 0, 0);
        assert!(stream.feed(&frame.image()).is_empty(), "frame {number}");
    }
}

#[test]
fn a_card_put_away_is_forgotten() {
    let code = card("Nguyen Van Mau|");
    let desk = Scene::new(200, 200);
    let mut stream = live();
    assert!(stream.feed(&under_glare(&code, 0, 0).image()).is_empty());
    for _ in 0..20 {
        assert!(stream.feed(&desk.image()).is_empty());
    }
    // The other half comes too late to be added.
    assert!(stream.feed(&under_glare(&code, 1, 5).image()).is_empty());
}

#[test]
fn a_code_in_view_is_given_on_every_frame() {
    let mut scene = Scene::new(132, 132);
    scene.draw(&symbol(b"again", 2, QrCodeEcc::Medium), SCALE, 4 * SCALE, 4 * SCALE);
    let mut stream = live();
    for _ in 0..5 {
        let codes = stream.feed(&scene.image());
        assert_eq!(codes.iter().map(cccd_qr::Code::text).collect::<Vec<_>>(), [Some("again")]);
    }
}
