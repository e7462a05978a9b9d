//! The camera: rays, blur, mosaic, noise, gamma, sharpening, JPEG.

use ::image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder};

use super::{
    conditions::{CARD_HEIGHT_MM, CARD_WIDTH_MM, Conditions},
    light::{Desk, Finger, Light},
    pose::{CardMap, Point, Projection},
    print::Print,
    random::Random,
};

/// All that stands before the camera.
pub(super) struct Scene<'a> {
    pub(super) print: &'a Print,
    pub(super) projection: &'a Projection,
    pub(super) desk: Desk,
    pub(super) light: Light,
    pub(super) finger: Option<Finger>,
}

/// Takes the picture: the JPEG file, and the grey picture one gets by decoding it.
pub(super) fn expose(scene: &Scene<'_>, conditions: &Conditions, random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let (width, height) = (conditions.frame.0 as usize, conditions.frame.1 as usize);
    let mosaic = sensor(scene, conditions, random, [width, height]);
    let mut grey = develop(&mosaic, [width, height], conditions.gamma);
    sharpen(&mut grey, [width, height], conditions.sharpening);
    if conditions.mirror {
        grey.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    }
    let bytes: Vec<u8> = grey.iter().map(|value| (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8).collect();
    compress(&bytes, conditions)
}

/// A decoder of cards sees the luma plane only, so only that is compressed: the same table as for the Y of a
/// colour JPEG.
fn compress(grey: &[u8], conditions: &Conditions) -> (Vec<u8>, Vec<u8>) {
    let (width, height) = conditions.frame;
    let mut jpeg = Vec::new();
    let written = JpegEncoder::new_with_quality(&mut jpeg, conditions.jpeg_quality).write_image(
        grey,
        width,
        height,
        ExtendedColorType::L8,
    );
    let back = ::image::load_from_memory_with_format(&jpeg, ::image::ImageFormat::Jpeg);
    match (written, back) {
        (Ok(()), Ok(image)) => (jpeg, image.into_luma8().into_raw()),
        // Writing to memory cannot fail, nor can reading back what was written; a frame without its
        // compression is still a frame.
        _ => (jpeg, grey.to_vec()),
    }
}

/// Rectangle of pixels that may see the card.
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// Rays along one pixel: finer where modules are small.
fn rays_per_pixel(conditions: &Conditions) -> usize {
    if conditions.pixels_per_module < 2.6 { 3 } else { 2 }
}

/// What each sensor pixel counted, 0 to 1, behind its red, green or blue filter.
fn sensor(
    scene: &Scene<'_>,
    conditions: &Conditions,
    random: &mut Random,
    [width, height]: [usize; 2],
) -> Vec<f32> {
    let mut mosaic = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let point = [x as f32 + 0.5, y as f32 + 0.5];
            let colour = scene.finger.and_then(|finger| finger.colour(point));
            mosaic.push(colour.unwrap_or_else(|| scene.desk.colour(point))[filter(x, y)]);
        }
    }
    let rays = rays_per_pixel(conditions);
    let kernel = Kernel::draw(random, conditions, rays);
    if let Some(window) = window(scene, [width, height]) {
        trace(scene, &kernel, &window, rays, &mut mosaic, [width, height]);
    }
    for (y, row) in mosaic.chunks_exact_mut(width).enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            *value *= scene.light.at([x as f32 + 0.5, y as f32 + 0.5]);
        }
    }
    for spot in &scene.light.spots {
        let [left, top, right, bottom] = spot.bounds();
        for y in top.max(0.0) as usize..(bottom.max(0.0) as usize).min(height) {
            for x in left.max(0.0) as usize..(right.max(0.0) as usize).min(width) {
                mosaic[y * width + x] += spot.at([x as f32 + 0.5, y as f32 + 0.5]) * conditions.exposure;
            }
        }
    }
    let read = conditions.read_noise / conditions.full_well;
    for value in &mut mosaic {
        // Shot noise is the square root of the count, in electrons.
        let deviation = (*value / conditions.full_well + read * read).sqrt();
        *value = (*value + deviation * random.bell()).clamp(0.0, 1.0);
    }
    mosaic
}

/// The Bayer pattern: red and green in even rows, green and blue in odd ones.
fn filter(x: usize, y: usize) -> usize {
    (x & 1) + (y & 1)
}

fn window(scene: &Scene<'_>, [width, height]: [usize; 2]) -> Option<Window> {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    let mut widen = |pixel: Point| {
        for k in 0..2 {
            low[k] = low[k].min(pixel[k]);
            high[k] = high[k].max(pixel[k]);
        }
    };
    for step in 0..=16 {
        let t = step as f32 / 16.0 - 0.5;
        for edge in [-0.5, 0.5] {
            widen(scene.projection.pixel([t * CARD_WIDTH_MM, edge * CARD_HEIGHT_MM]));
            widen(scene.projection.pixel([edge * CARD_WIDTH_MM, t * CARD_HEIGHT_MM]));
        }
    }
    let clip = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
    let (left, top) = (clip(low[0] - 6.0, width), clip(low[1] - 6.0, height));
    let (right, bottom) = (clip(high[0] + 7.0, width), clip(high[1] + 7.0, height));
    (right > left && bottom > top).then_some(Window { left, top, width: right - left, height: bottom - top })
}

/// Follows the rays through the window and gathers them through the kernel.
///
/// The rays are kept in one plane per colour and per position within the pixel, so that gathering is adding
/// rows to rows.
fn trace(
    scene: &Scene<'_>,
    kernel: &Kernel,
    window: &Window,
    rays: usize,
    mosaic: &mut [f32],
    [width, height]: [usize; 2],
) {
    let map = CardMap::new(scene.projection);
    let pad = kernel.reach / rays + 1;
    let (columns, rows) = (window.width + 2 * pad, window.height + 2 * pad);
    let mut planes = vec![0.0_f32; 3 * rays * rays * columns * rows];
    let plane = columns * rows;
    for row in 0..rows {
        for column in 0..columns {
            let x = (window.left + column) as f32 - pad as f32;
            let y = (window.top + row) as f32 - pad as f32;
            let sight = Sight::of(scene, &map, [x, y], [width, height]);
            for phase in 0..rays * rays {
                let part = [phase % rays, phase / rays].map(|k| (k as f32 + 0.5) / rays as f32);
                for (channel, value) in sight.colour(scene, part).into_iter().enumerate() {
                    planes[(channel * rays * rays + phase) * plane + row * columns + column] = value;
                }
            }
        }
    }
    let mut gathered = [vec![0.0_f32; window.width], vec![0.0_f32; window.width]];
    for row in 0..window.height {
        let y = window.top + row;
        for (which, sum) in gathered.iter_mut().enumerate() {
            sum.fill(0.0);
            let channel = which + (y & 1);
            for &(dx, dy, weight) in &kernel.taps {
                let (sx, sy) = (dx + (pad * rays) as i32, dy + (pad * rays) as i32);
                let (sx, sy) = (sx as usize, sy as usize);
                let phase = (sy % rays) * rays + sx % rays;
                let start = (channel * rays * rays + phase) * plane + (row + sy / rays) * columns + sx / rays;
                for (sum, value) in sum.iter_mut().zip(&planes[start..start + window.width]) {
                    *sum += weight * value;
                }
            }
        }
        let seen = y * width + window.left;
        for (column, value) in mosaic[seen..seen + window.width].iter_mut().enumerate() {
            *value = gathered[(window.left + column) & 1][column];
        }
    }
}

/// What one pixel sees, before its rays are told apart.
enum Sight {
    /// One thing all over.
    Plain([f32; 3]),
    /// The card, or its edge: the point seen at the pixel's corner, and how it moves along and down the pixel.
    Card { pixel: Point, corner: Point, along: Point, down: Point },
}

impl Sight {
    fn of(scene: &Scene<'_>, map: &CardMap, pixel: Point, [width, height]: [usize; 2]) -> Self {
        let pixel = [pixel[0].clamp(0.0, (width - 1) as f32), pixel[1].clamp(0.0, (height - 1) as f32)];
        let middle = [pixel[0] + 0.5, pixel[1] + 0.5];
        let corner = map.card(pixel);
        let [right, below] = [map.card([pixel[0] + 0.999, pixel[1]]), map.card([pixel[0], pixel[1] + 0.999])];
        let along = [right[0] - corner[0], right[1] - corner[1]];
        let down = [below[0] - corner[0], below[1] - corner[1]];
        let size = along[0].abs() + along[1].abs() + down[0].abs() + down[1].abs();
        if scene.print.is_near(corner, size) {
            return Self::Card { pixel, corner, along, down };
        }
        let finger = scene.finger.and_then(|finger| finger.colour(middle));
        Self::Plain(finger.unwrap_or_else(|| scene.desk.colour(middle)))
    }

    fn colour(&self, scene: &Scene<'_>, [u, v]: Point) -> [f32; 3] {
        match *self {
            Self::Plain(colour) => colour,
            Self::Card { pixel, corner, along, down } => {
                let seen = [pixel[0] + u, pixel[1] + v];
                if let Some(colour) = scene.finger.and_then(|finger| finger.colour(seen)) {
                    return colour;
                }
                let point = [0, 1].map(|k| corner[k] + along[k] * u + down[k] * v);
                if scene.print.covers(point) { scene.print.colour(point) } else { scene.desk.colour(seen) }
            }
        }
    }
}

/// The way one point of light spreads over the rays: pixel area, defocus and motion together.
struct Kernel {
    /// Offsets in rays, and the weight of each.
    taps: Vec<(i32, i32, f32)>,
    reach: usize,
}

impl Kernel {
    fn draw(random: &mut Random, conditions: &Conditions, rays: usize) -> Self {
        let module = conditions.pixels_per_module * rays as f32;
        // No lens is perfect: a webcam's best focus still spreads a point over a quarter of a pixel.
        let sigma = (conditions.defocus_modules * module).hypot(0.25 * rays as f32);
        let disc = random.chance(0.5);
        let (length, angle) = (conditions.motion_modules * module, random.range(0.0, std::f32::consts::TAU));
        let sag = random.range(-0.35, 0.35) * length;
        let spread = sigma * if disc { 2.0 } else { 3.0 };
        let reach = (spread + length + rays as f32).ceil() as usize + 1;
        let side = 2 * reach + 1;
        let mut weights = vec![0.0_f32; side * side];
        let path = (length * 2.0) as usize + 1;
        let fine = spread.ceil() as i32 + 1;
        for step in 0..path {
            let t = if path > 1 { step as f32 / (path - 1) as f32 - 0.5 } else { 0.0 };
            let bow = sag * (0.25 - t * t) * 2.0;
            let at =
                [angle.cos() * t * length - angle.sin() * bow, angle.sin() * t * length + angle.cos() * bow];
            for sub in 0..rays * rays {
                // The area of the pixel: as many points as it has rays.
                let inside = [sub % rays, sub / rays].map(|k| k as f32);
                let [cx, cy] = [at[0] + inside[0], at[1] + inside[1]];
                for y in cy as i32 - fine..=cy as i32 + fine {
                    for x in cx as i32 - fine..=cx as i32 + fine {
                        let (ox, oy) = (x as f32 - cx, y as f32 - cy);
                        let off = (ox * ox + oy * oy).sqrt() / sigma;
                        let weight = if disc {
                            // A disc of radius two deviations, soft over half a ray.
                            ((2.0 - off) * sigma * 2.0 + 0.5).clamp(0.0, 1.0)
                        } else {
                            (-0.5 * off * off).exp()
                        };
                        let (column, row) = (x + reach as i32, y + reach as i32);
                        if (0..side as i32).contains(&column) && (0..side as i32).contains(&row) {
                            weights[row as usize * side + column as usize] += weight;
                        }
                    }
                }
            }
        }
        let total: f32 = weights.iter().sum();
        let taps = weights
            .iter()
            .enumerate()
            .filter(|(_, weight)| **weight > total * 2e-4)
            .map(|(at, weight)| {
                ((at % side) as i32 - reach as i32, (at / side) as i32 - reach as i32, *weight)
            })
            .collect::<Vec<_>>();
        let kept: f32 = taps.iter().map(|tap| tap.2).sum();
        let taps = taps.into_iter().map(|(x, y, weight)| (x, y, weight / kept)).collect();
        Self { taps, reach: reach + rays }
    }
}

/// Bilinear demosaicking, then gamma, then luma (ITU-R BT.601, as JPEG has it).
fn develop(mosaic: &[f32], [width, height]: [usize; 2], gamma: f32) -> Vec<f32> {
    let curve: Vec<f32> = (0..=4096).map(|at| (at as f32 / 4096.0).powf(1.0 / gamma)).collect();
    let bright = |value: f32| curve[(value * 4096.0) as usize & 0x1FFF];
    let mut grey = vec![0.0; width * height];
    for y in 0..height {
        let above = if y == 0 { 1 } else { y - 1 } * width;
        let below = if y + 1 == height { y - 1 } else { y + 1 } * width;
        let here = y * width;
        for x in 0..width {
            let left = if x == 0 { 1 } else { x - 1 };
            let right = if x + 1 == width { x - 1 } else { x + 1 };
            let own = mosaic[here + x];
            let sides = (mosaic[here + left] + mosaic[here + right]) / 2.0;
            let ends = (mosaic[above + x] + mosaic[below + x]) / 2.0;
            let [red, green, blue] = match filter(x, y) {
                1 if y & 1 == 0 => [sides, own, ends],
                1 => [ends, own, sides],
                own_colour => {
                    let corners = (mosaic[above + left]
                        + mosaic[above + right]
                        + mosaic[below + left]
                        + mosaic[below + right])
                        / 4.0;
                    let green = (sides + ends) / 2.0;
                    if own_colour == 0 { [own, green, corners] } else { [corners, green, own] }
                }
            };
            grey[here + x] = 0.299 * bright(red) + 0.587 * bright(green) + 0.114 * bright(blue);
        }
    }
    grey
}

/// Adds `amount` of the difference to the 3x3 neighbourhood.
fn sharpen(grey: &mut [f32], [width, height]: [usize; 2], amount: f32) {
    if amount == 0.0 {
        return;
    }
    let soft: Vec<f32> = grey
        .chunks_exact(width)
        .flat_map(|row| {
            (0..width).map(|x| {
                let (left, right) = (row[x.saturating_sub(1)], row[(x + 1).min(width - 1)]);
                (left + 2.0 * row[x] + right) / 4.0
            })
        })
        .collect();
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        for x in 0..width {
            let blurred = (soft[above + x] + 2.0 * soft[y * width + x] + soft[below + x]) / 4.0;
            grey[y * width + x] += amount * (grey[y * width + x] - blurred);
        }
    }
}
