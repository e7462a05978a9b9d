//! What is printed: card stock with guilloche, text, portrait and code, or something that is no card at all.
//!
//! No emblem and no real layout: a decoder only meets the code's surroundings, so those are what is drawn.

use std::f32::consts::TAU;

use super::{
    conditions::{CARD_HEIGHT_MM, CARD_WIDTH_MM},
    ink::{DOTS_PER_MM, Ink},
    pose::Point,
    random::Random,
    symbol::Symbol,
};

/// Reflectance in linear light: red, green, blue.
pub(super) type Colour = [f32; 3];

/// A printed thing, in card coordinates.
#[derive(Debug)]
pub(super) struct Print {
    paper: [Colour; 2],
    wash: Point,
    guilloche: Vec<Lines>,
    waves: Vec<f32>,
    /// Text, portrait, chip: part of the print, under the code.
    pub(super) under: Ink,
    /// Scratches and dirt: over everything.
    over: Option<Ink>,
    code: Option<Code>,
    screen: Option<Screen>,
    half: Point,
}

/// One family of fine wavy lines.
#[derive(Debug, Clone)]
struct Lines {
    across: Point,
    along: Point,
    sway: f32,
    /// Cosine above which there is ink.
    edge: f32,
    ink: Colour,
}

/// A symbol on the card.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) symbol: Symbol,
    pub(super) centre: Point,
    pub(super) side_mm: f32,
    /// White margin in modules; `None` prints straight on the guilloche.
    pub(super) panel: Option<f32>,
    pub(super) ink: Colour,
    pub(super) panel_colour: Colour,
}

impl Code {
    fn module_mm(&self) -> f32 {
        self.side_mm / self.symbol.side as f32
    }
}

/// Stripes of coloured sub-pixels, where the card is shown on a screen.
#[derive(Debug)]
struct Screen {
    pitch_mm: f32,
    depth: f32,
}

/// Radius of the corners (ISO/IEC 7810).
const CORNER_MM: f32 = 3.18;

impl Print {
    /// A card of either year. The code stands where `code` says.
    pub(super) fn card(
        random: &mut Random,
        code: Option<Code>,
        keep_free: [f32; 4],
        on_screen: bool,
    ) -> Self {
        let mut print = Self::blank(random);
        let warm = random.range(0.0, 0.14);
        print.paper = [0, 1].map(|_| {
            let bright = random.range(0.58, 0.80);
            [bright + warm * 0.3, bright, bright - warm + random.range(-0.06, 0.10)]
        });
        for _ in 0..2 {
            print.guilloche.push(Lines::draw(random));
        }
        print.under.card_face(random, keep_free);
        print.code = code;
        print.screen = on_screen
            .then(|| Screen { pitch_mm: random.range(0.055, 0.11), depth: random.range(0.15, 0.45) });
        if random.chance(0.3) {
            let mut over = Ink::new();
            over.scratches(random);
            print.over = Some(over);
        }
        print
    }

    /// White paper with nothing on it but what is drawn `under` next.
    pub(super) fn blank(random: &mut Random) -> Self {
        let angle = random.range(0.0, TAU);
        Self {
            paper: [[0.82, 0.82, 0.80]; 2],
            wash: [angle.cos() / CARD_WIDTH_MM, angle.sin() / CARD_WIDTH_MM],
            guilloche: Vec::new(),
            waves: (0..WAVE).map(|at| (at as f32 / WAVE as f32 * TAU).sin()).collect(),
            under: Ink::new(),
            over: None,
            code: None,
            screen: None,
            half: [CARD_WIDTH_MM / 2.0, CARD_HEIGHT_MM / 2.0],
        }
    }

    /// The code and where it stands.
    pub(super) fn code(&self) -> Option<&Code> {
        self.code.as_ref()
    }

    /// Whether the point lies on the card, rounded corners and all.
    pub(super) fn covers(&self, [x, y]: Point) -> bool {
        let (dx, dy) = (x.abs() - self.half[0], y.abs() - self.half[1]);
        if dx > 0.0 || dy > 0.0 {
            return false;
        }
        let (cx, cy) = (dx + CORNER_MM, dy + CORNER_MM);
        cx < 0.0 || cy < 0.0 || cx * cx + cy * cy < CORNER_MM * CORNER_MM
    }

    /// Whether the card may be within `distance` of the point.
    pub(super) fn is_near(&self, [x, y]: Point, distance: f32) -> bool {
        x.abs() < self.half[0] + distance && y.abs() < self.half[1] + distance
    }

    /// What the point reflects.
    pub(super) fn colour(&self, point: Point) -> Colour {
        let mut colour = self.printed(point);
        if let Some(over) = &self.over {
            colour = over.over(point, colour);
        }
        if let Some(screen) = &self.screen {
            let phase = point[0] / screen.pitch_mm;
            let row = 1.0 + 0.5 * screen.depth * self.wave(point[1] / screen.pitch_mm);
            for (channel, value) in colour.iter_mut().enumerate() {
                *value *= row * (1.0 + screen.depth * self.wave(phase + channel as f32 / 3.0));
            }
        }
        colour
    }

    fn printed(&self, point: Point) -> Colour {
        let Some(code) = &self.code else { return self.under.over(point, self.stock(point)) };
        let (module, edge) = (code.module_mm(), code.symbol.side as f32);
        let x = (point[0] - code.centre[0]) / module + edge / 2.0;
        let y = (point[1] - code.centre[1]) / module + edge / 2.0;
        let margin = code.panel.unwrap_or(0.0);
        if x < -margin || y < -margin || x >= edge + margin || y >= edge + margin {
            return self.under.over(point, self.stock(point));
        }
        if x >= 0.0 && y >= 0.0 && code.symbol.is_dark(x as usize, y as usize) {
            return code.ink;
        }
        if code.panel.is_some() { code.panel_colour } else { self.stock(point) }
    }

    /// Card stock with its guilloche.
    fn stock(&self, [x, y]: Point) -> Colour {
        let t = (0.5 + x * self.wash[0] + y * self.wash[1]).clamp(0.0, 1.0);
        let [a, b] = self.paper;
        let mut colour = [0, 1, 2].map(|k| a[k] + (b[k] - a[k]) * t);
        for lines in &self.guilloche {
            let sway = lines.sway * self.wave(x * lines.along[0] + y * lines.along[1]);
            let crest = self.wave(x * lines.across[0] + y * lines.across[1] + sway);
            // Ink has soft edges: it runs, and the printing plate is not sharp at this width.
            let cover = ((crest - lines.edge) * 2.5).clamp(0.0, 1.0);
            for (value, ink) in colour.iter_mut().zip(lines.ink) {
                *value *= 1.0 - cover * (1.0 - ink);
            }
        }
        colour
    }

    /// Sine of `turns` full turns.
    fn wave(&self, turns: f32) -> f32 {
        // The mask takes the turn out of a negative number, too: two's complement counts on.
        self.waves[(turns * WAVE as f32) as i32 as usize & (WAVE - 1)]
    }
}

/// Entries of the sine table, a power of two.
const WAVE: usize = 1024;

impl Lines {
    fn draw(random: &mut Random) -> Self {
        let angle = random.range(0.0, TAU);
        let pitch = random.range(0.4, 1.3);
        let sway_length = random.range(5.0, 25.0);
        let strength = random.range(0.08, 0.36);
        // Line inks are tinted: each takes one colour away more than the others.
        let tint = random.below(3);
        let ink = [0, 1, 2].map(|k| 1.0 - strength * if k == tint { 0.55 } else { 1.0 });
        Self {
            across: [angle.cos() / pitch, angle.sin() / pitch],
            along: [-angle.sin() / sway_length, angle.cos() / sway_length],
            sway: random.range(0.0, 3.0),
            edge: random.range(-0.1, 0.6),
            ink,
        }
    }
}

/// The whole sheet of ink covers the card and a little more.
pub(super) const SHEET_MM: [f32; 2] = [CARD_WIDTH_MM + 2.0, CARD_HEIGHT_MM + 2.0];

/// Size of a sheet of ink in dots.
pub(super) fn sheet_dots() -> [usize; 2] {
    SHEET_MM.map(|edge| (edge * DOTS_PER_MM) as usize)
}
