//! What makes a frame easy or hard, drawn within the ranges of its level.

use super::random::Random;

/// How hard a frame is, from a card held well to one that can hardly be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Held still, square and close.
    One,
    /// A little of everything.
    Two,
    /// A hurried hand.
    Three,
    /// Bad light, bad angle.
    Four,
    /// Half of these no plain sampling reads.
    Five,
}

impl Level {
    /// From the easiest to the hardest.
    pub const ALL: [Self; 5] = [Self::One, Self::Two, Self::Three, Self::Four, Self::Five];

    /// 1 to 5.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
            Self::Five => 5,
        }
    }

    fn ranges(self) -> Ranges {
        let row = |pixels, tilt, defocus, motion, exposure, quality, chances: [f32; 4]| Ranges {
            pixels,
            tilt,
            defocus,
            motion,
            exposure,
            quality,
            glare: chances[0],
            finger: chances[1],
            screen: chances[2],
            bend: chances[3],
        };
        match self {
            Self::One => row((4.0, 6.5), (0.0, 8.0), (0.0, 0.12), 0.2, (0.8, 1.1), (84, 90), [0.0; 4]),
            Self::Two => row(
                (3.4, 5.2),
                (0.0, 18.0),
                (0.05, 0.20),
                0.4,
                (0.6, 1.15),
                (70, 90),
                [0.12, 0.10, 0.05, 0.10],
            ),
            Self::Three => row(
                (2.9, 4.5),
                (3.0, 27.0),
                (0.08, 0.27),
                0.65,
                (0.4, 1.15),
                (50, 85),
                [0.25, 0.15, 0.10, 0.25],
            ),
            Self::Four => row(
                (2.5, 3.8),
                (6.0, 34.0),
                (0.10, 0.34),
                0.8,
                (0.28, 1.2),
                (38, 75),
                [0.35, 0.25, 0.12, 0.35],
            ),
            Self::Five => row(
                (2.0, 3.2),
                (10.0, 40.0),
                (0.14, 0.42),
                1.1,
                (0.18, 1.2),
                (30, 65),
                [0.45, 0.35, 0.16, 0.50],
            ),
        }
    }
}

struct Ranges {
    pixels: (f32, f32),
    tilt: (f32, f32),
    defocus: (f32, f32),
    motion: f32,
    exposure: (f32, f32),
    quality: (u8, u8),
    glare: f32,
    finger: f32,
    screen: f32,
    bend: f32,
}

/// Everything that happened to one frame. The bench groups its results by these.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// Frame width and height in pixels.
    pub frame: (u32, u32),
    /// Pixels along one module, were the card square to the camera.
    pub pixels_per_module: f32,
    /// Angle between the card and the sensor, degrees.
    pub tilt_degrees: f32,
    /// Standard deviation of the defocus, modules.
    pub defocus_modules: f32,
    /// Length of the path the card moved while the shutter was open, modules.
    pub motion_modules: f32,
    /// 1 is a white card just below saturation.
    pub exposure: f32,
    /// As libjpeg counts it.
    pub jpeg_quality: u8,
    /// Light reflected by the laminate.
    pub glare: bool,
    /// A finger over the edge of the card.
    pub finger: bool,
    /// The card is shown on a screen.
    pub screen: bool,
    /// Radius of the bent card, millimetres, positive where its edges come nearer.
    pub bend_radius_mm: Option<f32>,
    /// A hard shadow lies across the card.
    pub shadow: bool,
    /// The picture is mirrored, as a self-view is.
    pub mirror: bool,
    /// The code stands on a white panel, not on the guilloche itself.
    pub panel: bool,
    /// Electrons that fill a pixel: the fewer, the more noise.
    pub full_well: f32,
    /// Electrons of noise in an empty pixel.
    pub read_noise: f32,
    /// Strength of the camera's sharpening, whose halos surround every edge.
    pub sharpening: f32,
    /// The camera's gamma.
    pub gamma: f32,
}

/// Frame sizes and how often each is drawn, per cent. After the redraws of [`frame_and_scale`] the corpus is
/// about one half 720p, two fifths 1080p and a tenth the smallest.
const FRAMES: [((u32, u32), usize); 3] = [((1280, 720), 53), ((1920, 1080), 28), ((640, 480), 19)];

/// Width of an ID-1 card (ISO/IEC 7810).
pub(super) const CARD_WIDTH_MM: f32 = 85.6;
/// Its height.
pub(super) const CARD_HEIGHT_MM: f32 = 53.98;

/// Draws the conditions of a frame of `level` that shows modules of `module_mm`.
pub(super) fn draw(random: &mut Random, level: Level, module_mm: f32) -> Conditions {
    let frame_and_scale = frame_and_scale(random, level.ranges().pixels, module_mm);
    within(random, level, frame_and_scale)
}

/// Those of a small picture of level 1 that shows little but the code. The largest symbol printed, of version 10, has
/// 57 modules: turned by any angle it still fits.
pub(super) fn close_up(random: &mut Random) -> Conditions {
    let scale = random.range(4.0, 4.5);
    within(random, Level::One, ((384, 384), scale))
}

fn within(random: &mut Random, level: Level, (frame, pixels_per_module): ((u32, u32), f32)) -> Conditions {
    let ranges = level.ranges();
    let between = |random: &mut Random, (low, high): (f32, f32)| random.range(low, high);
    let (worst, best) = ranges.quality;
    let bend = random.chance(ranges.bend);
    let radius = random.range(110.0, 400.0) * if random.chance(0.5) { 1.0 } else { -1.0 };
    Conditions {
        frame,
        pixels_per_module,
        tilt_degrees: between(random, ranges.tilt),
        defocus_modules: between(random, ranges.defocus),
        motion_modules: random.range(0.0, ranges.motion),
        exposure: between(random, ranges.exposure),
        jpeg_quality: worst + random.below(usize::from(best - worst) + 1) as u8,
        glare: random.chance(ranges.glare),
        finger: random.chance(ranges.finger),
        screen: random.chance(ranges.screen),
        bend_radius_mm: bend.then_some(radius),
        shadow: level != Level::One && random.chance(0.3),
        mirror: random.chance(0.12),
        panel: random.chance(0.5),
        full_well: random.range(2500.0, 9000.0),
        read_noise: random.range(3.0, 9.0),
        sharpening: if random.chance(0.75) { random.range(0.2, 1.4) } else { 0.0 },
        gamma: random.range(1.9, 2.4),
    }
}

/// How far the card moves while the shutter is open, modules.
pub(super) fn motion(random: &mut Random, level: Level) -> f32 {
    random.range(0.0, level.ranges().motion)
}

/// The size is drawn first and the scale within what fits it: the card fills 30 to 92 % of the width, and only
/// in the smallest frame may it come closer. A size that no scale of the level fits is drawn again.
fn frame_and_scale(random: &mut Random, (low, high): (f32, f32), module_mm: f32) -> ((u32, u32), f32) {
    let card_modules = CARD_WIDTH_MM / module_mm;
    for _ in 0..64 {
        let mut ticket = random.below(100);
        let mut frame = FRAMES[0].0;
        for (size, share) in FRAMES {
            if ticket < share {
                frame = size;
                break;
            }
            ticket -= share;
        }
        let share = if frame.0 == 640 { 1.6 } else { 0.92 };
        let most = share * frame.0 as f32 / card_modules;
        let least = 0.3 * frame.0 as f32 / card_modules;
        let scale = random.range(low, high);
        if (least..=most).contains(&scale) {
            return (frame, scale);
        }
    }
    (FRAMES[1].0, low)
}
