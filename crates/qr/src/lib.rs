//! Pixels to payload: finds and reads QR Codes.

#![forbid(unsafe_code)]

mod budget;
mod code;
mod decode;
mod edges;
mod equalise;
mod finder;
mod format;
mod homography;
mod hypothesis;
mod image;
mod model;
mod patch;
mod read;
mod reed_solomon;
mod segments;
mod still;
mod symbol;

pub fn counters() -> Vec<u32> { finder::C.iter().map(|c| c.swap(0, std::sync::atomic::Ordering::Relaxed)).collect() }
pub use budget::Budget;
pub use code::{Code, Handedness, Shade};
pub use image::{GreyImage, ImageError, MAX_PIXELS, MAX_SIDE};
pub use segments::StructuredAppend;
pub use still::Still;
pub use symbol::{EccLevel, Version};
