//! Pixels to payload: finds and reads QR Codes in a picture, or in the frames of a camera.
//!
//! A locator and sampler of its own: finder patterns are searched without any brightness threshold, the
//! perspective is refined on every module whose colour is known beforehand, blur is undone by an equaliser
//! learnt on those same modules, and what is still unclear is mended with erasures. Several codes in a
//! picture, mirrored and inverted ones are read.
//!
//! ```
//! use cccd_qr::{Budget, GreyImage, Live, Still};
//!
//! # let code = qrcodegen::QrCode::encode_binary(b"000090123456|", qrcodegen::QrCodeEcc::Medium).unwrap();
//! # let side = code.size() as u32 * 4 + 32;
//! # let dark = |at: u32| code.get_module((at % side) as i32 / 4 - 4, (at / side) as i32 / 4 - 4);
//! # let pixels: Vec<u8> = (0..side * side).map(|at| if dark(at) { 30 } else { 220 }).collect();
//! // A photograph, or a file given to `GreyImage::decode`.
//! let image = GreyImage::new(side, side, &pixels)?;
//! let codes = Still::scan(&image, Budget::STILL);
//! # let codes = Still::scan(&image, Budget::REPEATABLE);
//! assert_eq!(codes[0].text(), Some("000090123456|"));
//!
//! // A camera: one `Live` for the stream, one `feed` for each frame.
//! let mut live = Live::new();
//! # let mut live = Live::with_budget(Budget::REPEATABLE);
//! let codes = live.feed(&image);
//! assert_eq!(codes[0].payload.as_slice(), b"000090123456|");
//! # Ok::<(), cccd_qr::ImageError>(())
//! ```
//!
//! `rqrr` reads the modules that were sampled, beside a decoder of our own, and the two must not differ. Its search
//! of a picture is not used: it has been seen to panic, and to spend two minutes on one frame, in code that no budget
//! reaches and on a thread that nobody can end. Whatever it finds, the search here finds first.
//!
//! It never says what a payload means or whether it is true, never returns what the error correction and
//! the guard of `decode.rs` do not carry, opens no file or camera, and spends no more time or memory on a
//! hostile picture than its budget and caps allow.

#![forbid(unsafe_code)]

mod budget;
mod clearer;
mod code;
mod decode;
mod edges;

mod equalise;
mod finder;
mod format;
mod homography;
mod hypothesis;
mod image;
mod live;
mod model;
mod patch;
mod read;
mod reed_solomon;
mod segments;
mod still;
mod symbol;

pub use budget::Budget;
pub use code::{Code, Handedness, Shade};
pub use image::{GreyImage, ImageError, MAX_PIXELS, MAX_SIDE};
pub use live::Live;
pub use segments::StructuredAppend;
pub use still::Still;
pub use symbol::{EccLevel, Version};
