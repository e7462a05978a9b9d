//! Sheets that hold no QR code, and try to look as if they did.

use super::{print::Print, random::Random};

const BLACK: [f32; 3] = [0.06, 0.06, 0.06];
const WHITE: [f32; 3] = [0.84, 0.84, 0.82];

/// One of the kinds of sheet without a code, by turns.
pub(super) fn print(random: &mut Random, kind: u64, on_screen: bool) -> Print {
    match kind % 8 {
        0 | 1 => Print::card(random, None, [0.0; 4], on_screen),
        2 => on_paper(random, page),
        3 => on_paper(random, checker),
        4 => on_paper(random, barcode),
        5 => on_paper(random, lone_finders),
        6 => on_paper(random, speckle),
        _ => on_paper(random, data_matrix),
    }
}

fn on_paper(random: &mut Random, draw: fn(&mut Print, &mut Random)) -> Print {
    let mut print = Print::blank(random);
    draw(&mut print, random);
    print
}

fn page(print: &mut Print, random: &mut Random) {
    let height = random.range(1.2, 3.0);
    let mut y = -25.0 + height;
    while y < 26.0 {
        let end = random.range(10.0, 41.0);
        print.under.text(random, [-41.0, end], y, height, BLACK);
        y += height * 1.7;
    }
}

fn checker(print: &mut Print, random: &mut Random) {
    let edge = random.range(0.3, 2.5);
    cells(
        print,
        random,
        [-30.0, -22.0],
        [(60.0 / edge) as usize, (44.0 / edge) as usize],
        edge,
        |_, x, y| (x + y) % 2 == 0,
    );
}

fn barcode(print: &mut Print, random: &mut Random) {
    for row in 0..3 {
        let top = -24.0 + row as f32 * 17.0;
        let mut x = -36.0;
        while x < 34.0 {
            let bar = (1 + random.below(4)) as f32 * 0.35;
            print.under.rectangle([x, top, x + bar, top + 11.0], BLACK);
            x += bar + (1 + random.below(4)) as f32 * 0.35;
        }
        print.under.text(random, [-30.0, 20.0], top + 14.0, 2.0, BLACK);
    }
}

/// Finder patterns in every corner of a square, and none of the rest; or strewn about.
fn lone_finders(print: &mut Print, random: &mut Random) {
    let module = random.range(0.25, 0.9);
    let strewn = random.chance(0.5);
    let count = 3 + random.below(4);
    for at in 0..count {
        let (x, y) = if strewn {
            (random.range(-40.0, 34.0), random.range(-25.0, 20.0))
        } else {
            ((at % 2) as f32 * module * 38.0 - 18.0, (at / 2) as f32 * module * 38.0 - 18.0)
        };
        for (inset, colour) in [(0.0, BLACK), (1.0, WHITE), (2.0, BLACK)] {
            let (low, high) = (inset * module, (7.0 - inset) * module);
            print.under.rectangle([x + low, y + low, x + high, y + high], colour);
        }
    }
}

/// Random cells, as dense as a code and with no pattern in them.
fn speckle(print: &mut Print, random: &mut Random) {
    let edge = random.range(0.3, 0.8);
    cells(print, random, [-12.0, -12.0], [45, 45], edge, |random, _, _| random.chance(0.5));
}

/// Another kind of matrix code: two solid edges, two dotted ones.
fn data_matrix(print: &mut Print, random: &mut Random) {
    let edge = random.range(0.4, 1.0);
    cells(print, random, [-15.0, -15.0], [32, 32], edge, |random, x, y| match (x, y) {
        (0, _) | (_, 31) => true,
        (column, 0) => column % 2 == 0,
        (31, row) => row % 2 == 1,
        _ => random.chance(0.5),
    });
}

fn cells(
    print: &mut Print,
    random: &mut Random,
    [left, top]: [f32; 2],
    [columns, rows]: [usize; 2],
    edge: f32,
    dark: fn(&mut Random, usize, usize) -> bool,
) {
    for y in 0..rows {
        for x in 0..columns {
            if dark(random, x, y) {
                let (x, y) = (left + x as f32 * edge, top + y as f32 * edge);
                print.under.rectangle([x, y, x + edge, y + edge], BLACK);
            }
        }
    }
}
