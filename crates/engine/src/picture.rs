//! A picture to the codes it shows.

use std::time::Duration;

use cccd_document::QrPayload;
use cccd_qr::{Budget, GreyImage, ImageError, Still};

/// The steps of a still picture, and a time that ends them only on a machine that has none to spare: the same
/// picture is to give the same answer on a busy desk as on an idle one.
const BUDGET: Budget = Budget { time: Some(Duration::from_secs(5)), ..Budget::STILL };

/// A code in a picture.
#[derive(Debug, Clone)]
pub struct PictureCode {
    /// What it says.
    pub payload: QrPayload,
    /// Its outer corners in pixels, along its first row first, going round.
    pub corners: [(f32, f32); 4],
}

/// The codes a picture file shows, JPEG, PNG, WebP or BMP; none where there are none, or none that can be read.
///
/// Takes some 50 ms for the search, beside the decoding of the file: it is not for a thread that others wait for.
/// Memory is bounded by [`cccd_qr`]'s caps.
///
/// # Errors
///
/// Where the bytes are no such file, or the picture is too large.
pub fn codes_in_picture(file: &[u8]) -> Result<Vec<PictureCode>, ImageError> {
    let image = GreyImage::decode(file)?;
    let codes = Still::scan(&image, BUDGET);
    Ok(codes
        .into_iter()
        .map(|code| PictureCode { payload: QrPayload::parse(&code.payload), corners: code.corners })
        .collect())
}
