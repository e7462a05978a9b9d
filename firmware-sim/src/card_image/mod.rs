//! Pictures of cards as a webcam sees them, with the truth about each: the food of the QR decoder's tests and
//! benches.
//!
//! A [`Corpus`] is a seed. Its frame number `n` depends on the seed and on `n` alone, so a larger corpus
//! extends a smaller one, and a frame that failed can be drawn again by two numbers:
//!
//! ```
//! use cccd_firmware_sim::card_image::Corpus;
//!
//! let corpus = Corpus::new(7);
//! let frame = corpus.frame(0);
//! assert_eq!(frame.grey.len(), (frame.width * frame.height) as usize);
//! assert!(frame.truth.is_some_and(|truth| truth.payload.starts_with(b"000")));
//! assert!(corpus.frame(Corpus::NEGATIVE).truth.is_none());
//! ```
//!
//! The people on the cards are invented, there is no emblem and no real layout, and every random choice comes
//! from the seed.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a renderer of pictures it made itself: pixel arithmetic in bounds it computed, no input from outside"
)]

mod camera;
mod conditions;
mod decoy;
mod ink;
mod light;
mod person;
mod pose;
mod print;
pub(crate) mod random;
mod symbol;

pub use conditions::{Conditions, Level};
pub use symbol::{Correction, Segments, Symbol, TooLong};

use camera::Scene;
use conditions::{CARD_HEIGHT_MM, CARD_WIDTH_MM};
use light::{Desk, Finger, Light};
use person::Issued;
use pose::{Point, Pose, Projection};
use print::{Code, Print};
use random::Random;

/// A picture and what it shows.
#[derive(Debug, Clone)]
pub struct Frame {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Row by row, one byte a pixel, gamma encoded: the luma of `jpeg`, decoded.
    pub grey: Vec<u8>,
    /// The same picture as the camera sent it.
    pub jpeg: Vec<u8>,
    /// How hard it is meant to be.
    pub level: Level,
    /// What was done to it.
    pub conditions: Conditions,
    /// The code it shows; `None` where it shows none.
    pub truth: Option<Truth>,
}

/// What a decoder should find, and where.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The bytes of the code.
    pub payload: Vec<u8>,
    /// The modules as printed.
    pub symbol: Symbol,
    /// Where the corners of the modules are seen: `side + 1` rows of `side + 1` points, in pixels; pixel
    /// (i, j) covers `i..i + 1` by `j..j + 1`.
    pub mesh: Vec<[f32; 2]>,
}

impl Truth {
    /// Where a point of the symbol is seen. The point is in modules, `0..=side` along each edge.
    pub fn pixel(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let most = self.symbol.side - 1;
        let (column, row) = ((x.max(0.0) as usize).min(most), (y.max(0.0) as usize).min(most));
        let (u, v) = (x - column as f32, y - row as f32);
        let at = row * (self.symbol.side + 1) + column;
        let (a, b) = (self.mesh[at], self.mesh[at + 1]);
        let (c, d) = (self.mesh[at + self.symbol.side + 1], self.mesh[at + self.symbol.side + 2]);
        [0, 1].map(|k| {
            let top = a[k] + (b[k] - a[k]) * u;
            let bottom = c[k] + (d[k] - c[k]) * u;
            top + (bottom - top) * v
        })
    }
}

/// Frames without end, all from one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corpus {
    seed: u64,
}

/// Streams of random numbers of one frame.
const PERSON: u64 = 0;
const CONDITIONS: u64 = 1;
const PRINT: u64 = 2;
const POSE: u64 = 3;
const SCENE: u64 = 4;
const SENSOR: u64 = 5;
const PLACE: u64 = 6;
/// A burst's later shots draw what changes from streams of their own, two a shot.
const SHOTS: u64 = 64;

impl Corpus {
    /// Every frame whose index leaves this remainder by 11 shows no code; the others take the five levels by
    /// turns. The first 1,100 frames are therefore 200 of each level and 100 without a code.
    pub const NEGATIVE: u64 = 10;

    /// The corpus of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Renders frame number `index`.
    pub fn frame(&self, index: u64) -> Frame {
        self.shot(index, 0)
    }

    /// Renders shot number `shot` of a burst that begins with frame number `index`: the same card under the same
    /// lamp, in a hand that trembles, with noise of its own.
    pub fn shot(&self, index: u64, shot: u64) -> Frame {
        let with_code = index % 11 != Self::NEGATIVE;
        let turn = if with_code { index - index / 11 } else { index / 11 };
        let level = Level::ALL[(turn % 5) as usize];
        let subject = self.subject(index);
        let mut conditions =
            conditions::draw(&mut self.stream(index, CONDITIONS), level, subject.module_mm());
        let mut pose = pose(&mut self.stream(index, POSE), &conditions, &subject);
        let mut sensor = self.stream(index, SENSOR);
        if shot > 0 {
            let tremor = &mut self.stream(index, SHOTS + 2 * shot);
            tremble(tremor, &mut pose, &mut conditions, &subject);
            conditions.motion_modules = conditions::motion(tremor, level);
            sensor = self.stream(index, SHOTS + 2 * shot + 1);
        }
        let random = &mut self.stream(index, PRINT);
        let print = if with_code {
            subject.card(random, &conditions)
        } else {
            decoy::print(random, index / 11, conditions.screen)
        };
        self.picture(index, level, conditions, &print, &pose, subject, &mut sensor)
    }

    /// Renders the code of the person of frame number `index` from close by: a small picture of level 1 that is
    /// quickly drawn and always shows a code.
    pub fn close_up(&self, index: u64) -> Frame {
        let level = Level::One;
        let subject = self.subject(index);
        let conditions = conditions::close_up(&mut self.stream(index, CONDITIONS));
        let mut pose = pose(&mut self.stream(index, POSE), &conditions, &subject);
        // A large code, turned, leaves no room to stand anywhere but in the middle.
        pose.anchor_pixel = pose.frame.map(|edge| edge / 2.0);
        let print = subject.card(&mut self.stream(index, PRINT), &conditions);
        let sensor = &mut self.stream(index, SENSOR);
        self.picture(index, level, conditions, &print, &pose, subject, sensor)
    }

    fn stream(&self, index: u64, number: u64) -> Random {
        Random::new(self.seed, index, number)
    }

    fn subject(&self, index: u64) -> Subject {
        let random = &mut self.stream(index, PERSON);
        let issued = if random.chance(0.5) { Issued::Cccd2021 } else { Issued::CanCuoc2024 };
        let (payload, symbol) = encode(random, issued);
        let side_mm = match issued {
            Issued::Cccd2021 => random.range(14.0, 16.5),
            Issued::CanCuoc2024 => random.range(15.5, 18.0),
        };
        let centre = code_centre(&mut self.stream(index, PLACE), issued, side_mm);
        Subject { payload, symbol, side_mm, centre }
    }

    #[expect(clippy::too_many_arguments, reason = "everything a picture is made of")]
    fn picture(
        &self,
        index: u64,
        level: Level,
        conditions: Conditions,
        print: &Print,
        pose: &Pose,
        subject: Subject,
        sensor: &mut Random,
    ) -> Frame {
        let projection = pose.prepare();
        let scene = scene(&mut self.stream(index, SCENE), &conditions, print, &projection, &subject);
        let (jpeg, grey) = camera::expose(&scene, &conditions, sensor);
        let truth = print.code().map(|code| Truth {
            payload: subject.payload,
            mesh: mesh(code, &projection, &conditions),
            symbol: subject.symbol,
        });
        Frame { width: conditions.frame.0, height: conditions.frame.1, grey, jpeg, level, conditions, truth }
    }
}

/// A person's code, and where on the card it stands.
struct Subject {
    payload: Vec<u8>,
    symbol: Symbol,
    side_mm: f32,
    centre: Point,
}

impl Subject {
    fn module_mm(&self) -> f32 {
        self.side_mm / self.symbol.side as f32
    }

    /// The side of the code with two modules of its surroundings.
    fn surrounded_mm(&self) -> f32 {
        self.side_mm + 4.0 * self.module_mm()
    }

    fn card(&self, random: &mut Random, conditions: &Conditions) -> Print {
        let code = code_on_card(random, self, conditions);
        let reach = self.side_mm / 2.0 + 4.2 * self.module_mm();
        let [x, y] = self.centre;
        Print::card(random, Some(code), [x - reach, y - reach, x + reach, y + reach], conditions.screen)
    }
}

/// A person's text as a symbol of version 5 to 10.
fn encode(random: &mut Random, issued: Issued) -> (Vec<u8>, Symbol) {
    loop {
        let payload = person::payload(random, issued).into_bytes();
        let correction = if random.chance(0.58) { Correction::M } else { Correction::L };
        let segments = match random.below(10) {
            0 => Segments::EciBytes,
            1 => Segments::NumericBytes,
            _ => Segments::Bytes,
        };
        if let Ok(symbol) = Symbol::encode(&payload, correction, segments, 5..=10, None) {
            return (payload, symbol);
        }
    }
}

/// Top right on the front of 2021; somewhat further in on the back of 2024.
fn code_centre(random: &mut Random, issued: Issued, side_mm: f32) -> Point {
    let inset = match issued {
        Issued::Cccd2021 => random.range(2.5, 4.0),
        Issued::CanCuoc2024 => random.range(3.5, 7.0),
    } + side_mm / 2.0;
    [CARD_WIDTH_MM / 2.0 - inset, inset - CARD_HEIGHT_MM / 2.0 + random.range(-0.5, 0.5)]
}

fn code_on_card(random: &mut Random, subject: &Subject, conditions: &Conditions) -> Code {
    let black = random.range(0.03, 0.13);
    let white = random.range(0.74, 0.86);
    Code {
        symbol: subject.symbol.clone(),
        centre: subject.centre,
        side_mm: subject.side_mm,
        panel: conditions.panel.then(|| random.range(1.5, 4.0)),
        ink: [black, black * random.range(0.9, 1.1), black * random.range(0.9, 1.3)],
        panel_colour: [white, white, white * 0.97],
    }
}

/// Puts the card where the whole code is in the frame, and the whole card where there is room for it.
fn pose(random: &mut Random, conditions: &Conditions, subject: &Subject) -> Pose {
    let frame = [conditions.frame.0 as f32, conditions.frame.1 as f32];
    let turn = |random: &mut Random| random.range(0.0, std::f32::consts::TAU);
    let mut best = Pose {
        focal: random.range(0.8, 1.35) * frame[0],
        frame,
        scale: conditions.pixels_per_module / subject.module_mm(),
        anchor: subject.centre,
        anchor_pixel: [frame[0] / 2.0, frame[1] / 2.0],
        roll: turn(random),
        tilt: conditions.tilt_degrees.to_radians(),
        tilt_axis: turn(random),
        curvature: conditions.bend_radius_mm.map_or(0.0, |radius| 1.0 / radius),
        bend_axis: turn(random),
        distortion: random.range(-0.10, 0.03),
    };
    let mut least = f32::MAX;
    for _ in 0..60 {
        let anchor_pixel = [random.range(0.1, 0.9) * frame[0], random.range(0.1, 0.9) * frame[1]];
        let pose = Pose { anchor_pixel, ..best.clone() };
        let out = overhang(&pose.prepare(), frame, subject);
        if out < least {
            (least, best) = (out, pose);
        }
        if out <= 0.0 {
            break;
        }
    }
    best
}

/// Moves the card as a hand does that means to hold it still: a few pixels, a degree or two, a hair's breadth nearer
/// or farther. Of some such movements the first that leaves nothing out of the frame, or else the least.
fn tremble(random: &mut Random, pose: &mut Pose, conditions: &mut Conditions, subject: &Subject) {
    let mut least = f32::MAX;
    let from = pose.clone();
    for _ in 0..20 {
        let nearer = 1.0 + 0.02 * random.bell();
        let moved = Pose {
            scale: from.scale * nearer,
            anchor_pixel: from.anchor_pixel.map(|at| at + 4.0 * random.bell()),
            roll: from.roll + 0.02 * random.bell(),
            tilt: (from.tilt + 0.02 * random.bell()).abs(),
            tilt_axis: from.tilt_axis + 0.03 * random.bell(),
            ..from.clone()
        };
        let out = overhang(&moved.prepare(), moved.frame, subject);
        if out < least {
            least = out;
            conditions.tilt_degrees = moved.tilt.to_degrees();
            conditions.pixels_per_module *= moved.scale / pose.scale;
            *pose = moved;
        }
        if out <= 0.0 {
            break;
        }
    }
}

/// Pixels by which the card's corners leave the frame, the code's counted a hundredfold.
fn overhang(projection: &Projection, frame: [f32; 2], subject: &Subject) -> f32 {
    let (centre, side_mm) = (subject.centre, subject.surrounded_mm());
    let outside = |point: Point| {
        let pixel = projection.pixel(point);
        (0..2).map(|k| (-pixel[k]).max(pixel[k] - frame[k]).max(0.0)).sum::<f32>()
    };
    let mut sum = 0.0;
    for (x, y) in [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)] {
        sum += 100.0 * outside([centre[0] + x * side_mm, centre[1] + y * side_mm]);
        sum += outside([x * CARD_WIDTH_MM, y * CARD_HEIGHT_MM]);
    }
    sum
}

fn scene<'a>(
    random: &mut Random,
    conditions: &Conditions,
    print: &'a Print,
    projection: &'a Projection,
    &Subject { centre, side_mm, .. }: &Subject,
) -> Scene<'a> {
    let frame = [conditions.frame.0 as f32, conditions.frame.1 as f32];
    let code = projection.pixel(centre);
    let edge = projection.pixel([centre[0] + side_mm / 2.0, centre[1]]);
    let radius = (edge[0] - code[0]).hypot(edge[1] - code[1]);
    let light = Light::draw(
        random,
        (conditions.exposure, conditions.shadow, conditions.glare),
        frame,
        (code, radius),
    );
    let finger = conditions.finger.then(|| finger(random, projection, centre, side_mm));
    Scene { print, projection, desk: Desk::draw(random, frame), light, finger }
}

/// A finger that holds the card by the edge nearest to the code, and comes near the code or upon it.
fn finger(random: &mut Random, projection: &Projection, centre: Point, side_mm: f32) -> Finger {
    let half = side_mm / 2.0;
    let upon = random.range(-2.5, 2.5);
    let along = random.range(-0.6, 0.6) * side_mm;
    // From the right edge or from the top one: the code stands in that corner of the card.
    let (tip, away) = if random.chance(0.5) {
        ([centre[0] + half - upon, centre[1] + along], [1.0, random.range(-0.5, 0.5)])
    } else {
        ([centre[0] + along, centre[1] - half + upon], [random.range(-0.5, 0.5), -1.0])
    };
    let radius_mm = random.range(6.0, 8.5);
    // The tip of a capsule is the middle of its round end.
    let length = f32::hypot(away[0], away[1]);
    let back = |distance: f32| {
        projection.pixel([tip[0] + away[0] / length * distance, tip[1] + away[1] / length * distance])
    };
    let (near, end) = (back(radius_mm), back(0.0));
    // The hand it belongs to is outside the picture.
    let hand = back(radius_mm + 20.0);
    let reach = 4000.0 / (hand[0] - near[0]).hypot(hand[1] - near[1]).max(1.0);
    let skin = random.range(0.35, 1.1);
    Finger {
        tip: near,
        root: [near[0] + (hand[0] - near[0]) * reach, near[1] + (hand[1] - near[1]) * reach],
        radius: (near[0] - end[0]).hypot(near[1] - end[1]),
        skin: [0.55 * skin, 0.36 * skin, 0.27 * skin],
    }
}

fn mesh(code: &Code, projection: &Projection, conditions: &Conditions) -> Vec<[f32; 2]> {
    let side = code.symbol.side;
    let module_mm = code.side_mm / side as f32;
    let mut mesh = Vec::with_capacity((side + 1) * (side + 1));
    for row in 0..=side {
        for column in 0..=side {
            let x = code.centre[0] + column as f32 * module_mm - code.side_mm / 2.0;
            let y = code.centre[1] + row as f32 * module_mm - code.side_mm / 2.0;
            let [x, y] = projection.pixel([x, y]);
            mesh.push(if conditions.mirror { [conditions.frame.0 as f32 - x, y] } else { [x, y] });
        }
    }
    mesh
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_depends_on_seed_and_index_alone() {
        let (first, again) = (Corpus::new(3).frame(5), Corpus::new(3).frame(5));
        assert!(first.grey == again.grey && first.jpeg == again.jpeg);
        assert_ne!(first.grey, Corpus::new(4).frame(5).grey);
        assert_ne!(first.truth.unwrap().payload, Corpus::new(3).frame(6).truth.unwrap().payload);
    }

    #[test]
    fn one_frame_in_eleven_has_no_code_and_the_levels_take_turns() {
        let corpus = Corpus::new(1);
        let mut levels = [0; 5];
        for index in (0..11).chain([21]) {
            let frame = corpus.frame(index);
            assert_eq!(frame.truth.is_none(), index % 11 == Corpus::NEGATIVE, "{index}");
            if frame.truth.is_some() {
                levels[usize::from(frame.level.number()) - 1] += 1;
            }
        }
        assert_eq!(levels, [2; 5]);
    }

    #[test]
    fn the_mesh_lies_on_the_modules_of_an_easy_frame() {
        // Dark modules must be darker than light ones where the truth says they are: in a level-1 frame nothing
        // but a misplaced mesh could make them disagree.
        let corpus = Corpus::new(11);
        for index in [0, 5, 11, 16, 22, 27] {
            let frame = corpus.frame(index);
            assert_eq!(frame.level, Level::One);
            let truth = frame.truth.as_ref().unwrap();
            let mut sums = [(0.0, 0.0); 2];
            for y in 0..truth.symbol.side {
                for x in 0..truth.symbol.side {
                    let [px, py] = truth.pixel([x as f32 + 0.5, y as f32 + 0.5]);
                    let value = f32::from(frame.grey[py as usize * frame.width as usize + px as usize]);
                    let sum = &mut sums[usize::from(truth.symbol.is_dark(x, y))];
                    *sum = (sum.0 + value, sum.1 + 1.0);
                }
            }
            let [light, dark] = sums.map(|(sum, count)| sum / count);
            assert!(light > dark + 50.0, "frame {index}: light {light}, dark {dark}");
        }
    }

    #[test]
    fn the_whole_code_is_inside_the_frame() {
        let corpus = Corpus::new(2);
        for index in (0..30).filter(|index| index % 11 != Corpus::NEGATIVE) {
            let frame = corpus.frame(index);
            let inside = |[x, y]: [f32; 2]| {
                (0.0..frame.width as f32).contains(&x) && (0.0..frame.height as f32).contains(&y)
            };
            assert!(frame.truth.unwrap().mesh.into_iter().all(inside), "frame {index}");
        }
    }

    #[test]
    fn a_burst_begins_with_its_frame_and_shows_the_same_code_a_little_elsewhere() {
        let corpus = Corpus::new(6);
        let (frame, first, second) = (corpus.frame(3), corpus.shot(3, 0), corpus.shot(3, 1));
        assert_eq!(frame.grey, first.grey);
        let (before, after) = (first.truth.unwrap(), second.truth.unwrap());
        assert_eq!((&before.payload, &before.symbol), (&after.payload, &after.symbol));
        let moved = (before.mesh[0][0] - after.mesh[0][0]).hypot(before.mesh[0][1] - after.mesh[0][1]);
        assert!((0.01..60.0).contains(&moved), "{moved}");
    }

    #[test]
    fn a_close_up_is_small_and_never_without_its_code() {
        // The largest codes, the fullest pictures: the first persons of version 9 or 10.
        let corpus = Corpus::new(8);
        let large = (0..400).filter(|index| corpus.subject(*index).symbol.version >= 9).take(12);
        for index in large.chain([0, 10]) {
            let frame = corpus.close_up(index);
            assert_eq!((frame.width, frame.height), (384, 384));
            let truth = frame.truth.unwrap();
            assert!(truth.mesh.iter().flatten().all(|at| (0.0..384.0).contains(at)), "{index}");
        }
    }
}
