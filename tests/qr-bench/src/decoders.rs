//! The racers: each takes a grey picture and gives back the payloads it believes in.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::Duration,
};

use cccd_qr::{Budget, Code, GreyImage, Live, Still};
use rustix::time::{ClockId, clock_gettime};

use crate::{Only, limit, sample::Sample};

/// How one decoder did on one frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attempt {
    pub(crate) payloads: Vec<Vec<u8>>,
    /// CPU time of the thread.
    pub(crate) cpu: Duration,
    pub(crate) mishap: Option<Mishap>,
}

/// How a decoder may end without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Panicked,
    /// Still busy when the guard's patience ended.
    Stalled,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    OursLive,
    OursStill,
    Rqrr,
    Rxing,
    /// Options as they come, but looking for no other kind of code: the one that ours is measured against.
    ZxingCpp,
    /// No inverted, turned or shrunk search, one symbol at most.
    ZxingCppLean,
    /// Not a decoder: what plain sampling makes of the true geometry.
    LimitPlain,
    /// Not a decoder: the best that linear methods make of the true geometry.
    Limit,
}

impl Row {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OursLive => "ours, live, one pass",
            Self::OursStill => "ours, still, full",
            Self::Rqrr => "rqrr",
            Self::Rxing => "rxing, TryHarder",
            Self::ZxingCpp => "zxing-cpp",
            Self::ZxingCppLean => "zxing-cpp, lean",
            Self::LimitPlain => "true geometry, plain",
            Self::Limit => "true geometry, limit",
        }
    }

    /// Whether the row is a bound, which has neither time nor mistakes.
    pub(crate) fn is_limit(self) -> bool {
        matches!(self, Self::LimitPlain | Self::Limit)
    }

    pub(crate) fn attempt(self, sample: &Sample) -> Attempt {
        match self {
            // Every frame is the first of a stream: nothing is known from earlier ones.
            Self::OursLive => best_of_two(|| ours(sample, |image| live().feed(image))),
            Self::OursStill => best_of_two(|| ours(sample, |image| Still::scan(image, steps(Budget::STILL)))),
            // One run only: it may be very long.
            Self::Rqrr => guarded_rqrr(sample),
            Self::Rxing => best_of_two(|| rxing(sample)),
            Self::ZxingCpp => {
                best_of_two(|| zxing(sample, zxingcpp::read().formats([zxingcpp::BarcodeFormat::QRCode])))
            }
            Self::ZxingCppLean => best_of_two(|| {
                let reader = zxingcpp::read().formats([zxingcpp::BarcodeFormat::QRCode]);
                zxing(
                    sample,
                    reader.try_invert(false).try_rotate(false).try_downscale(false).max_number_of_symbols(1),
                )
            }),
            Self::LimitPlain => limit::attempt(sample, limit::Means::Plain),
            Self::Limit => limit::attempt(sample, limit::Means::All),
        }
    }
}

/// The rows of a race.
pub(crate) fn rows(only: Option<Only>) -> Vec<Row> {
    let ours = [Row::OursLive, Row::OursStill];
    let others = [Row::Rqrr, Row::Rxing, Row::ZxingCpp, Row::ZxingCppLean];
    let limits = [Row::LimitPlain, Row::Limit];
    match only {
        Some(Only::Ours) => ours.into_iter().chain(limits).collect(),
        Some(Only::Others) => others.into_iter().chain(limits).collect(),
        None => ours.into_iter().chain(others).chain(limits).collect(),
    }
}

pub(crate) fn timed(work: impl FnOnce() -> Vec<Vec<u8>>) -> Attempt {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let start = now();
    let outcome = catch_unwind(AssertUnwindSafe(work));
    let cpu = now().saturating_sub(start);
    match outcome {
        Ok(payloads) => Attempt { payloads, cpu, mishap: None },
        Err(_) => Attempt { payloads: Vec::new(), cpu, mishap: Some(Mishap::Panicked) },
    }
}

/// The first run warms caches; the answer is the first run's, the time the better one.
fn best_of_two(run: impl Fn() -> Attempt) -> Attempt {
    let first = run();
    let again = run();
    Attempt { cpu: first.cpu.min(again.cpu), ..first }
}

/// Steps bound our search here, not the clock: a wall clock on a shared machine would count other people's work
/// as ours. What the search costs is in the table.
fn steps(budget: Budget) -> Budget {
    Budget { time: None, ..budget }
}

/// A stream about to begin.
pub(crate) fn live() -> Live {
    Live::with_budget(steps(Budget::LIVE))
}

fn ours(sample: &Sample, scan: impl FnOnce(&GreyImage<'_>) -> Vec<Code>) -> Attempt {
    timed(|| {
        let Ok(image) = GreyImage::new(sample.width, sample.height, &sample.grey) else { return Vec::new() };
        scan(&image).iter().map(|code| code.payload.to_vec()).collect()
    })
}

/// How long rqrr may take before the race goes on without it.
const PATIENCE: Duration = Duration::from_secs(20);

/// rqrr can be busy with one frame for minutes, and a thread cannot be ended from outside: it is left behind,
/// and ends with the process.
fn guarded_rqrr(sample: &Sample) -> Attempt {
    let (sender, receiver) = mpsc::channel();
    let (width, height) = (sample.width as usize, sample.height as usize);
    let grey = Arc::clone(&sample.grey);
    std::thread::spawn(move || {
        let attempt = timed(|| {
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
                grey.get(y * width + x).copied().unwrap_or(0)
            });
            let mut payloads = Vec::new();
            for grid in image.detect_grids() {
                let mut payload = Vec::new();
                if grid.decode_to(&mut payload).is_ok() {
                    payloads.push(payload);
                }
            }
            payloads
        });
        // The receiver is gone where patience ended: then nobody wants to know.
        let _ = sender.send(attempt);
    });
    receiver.recv_timeout(PATIENCE).unwrap_or(Attempt {
        payloads: Vec::new(),
        cpu: PATIENCE,
        mishap: Some(Mishap::Stalled),
    })
}

fn rxing(sample: &Sample) -> Attempt {
    timed(|| {
        let format = Some(rxing::BarcodeFormat::QR_CODE);
        match rxing::helpers::detect_in_luma_slice(&sample.grey, sample.width, sample.height, format) {
            Ok(found) => vec![found.getText().as_bytes().to_vec()],
            Err(_) => Vec::new(),
        }
    })
}

fn zxing(sample: &Sample, reader: zxingcpp::BarcodeReader) -> Attempt {
    use zxingcpp::{BarcodeFormat, ImageFormat, ImageView};

    timed(|| {
        let view = ImageView::from_slice(&sample.grey, sample.width, sample.height, ImageFormat::Lum);
        let Ok(found) = view.and_then(|view| reader.from(view)) else { return Vec::new() };
        let codes = found.iter().filter(|code| code.is_valid() && code.symbology() == BarcodeFormat::QRCode);
        codes.map(zxingcpp::Barcode::bytes).collect()
    })
}
