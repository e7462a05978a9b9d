//! `cccd-agent scan`, and the scan before the card of `cccd-agent read --scan`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cccd_api::Problem;
use cccd_document::{AccessPlan, QrKind, QrPayload};
use cccd_engine::{
    Engine, EngineHandle, EngineOptions, EventKind, PictureCode, ScanNotHere, ScanReach, codes_in_picture,
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::broadcast::error::RecvError;
use zeroize::Zeroizing;

use crate::command_line::{ScanArguments, say};
use crate::read_command::{tell, terminal};
use crate::{daemon, scan_table};

/// The largest picture file, as the API takes it.
const LARGEST_PICTURE: u64 = 16 << 20;
/// The longest line a scanner types.
const LONGEST_LINE: u64 = 8192;

/// Reads the codes of a picture and prints what they say.
pub(crate) fn scan(arguments: &ScanArguments) -> Result<ExitCode> {
    let codes = match codes(&arguments.image)? {
        Ok(codes) => codes,
        Err(problem) => return tell(problem, None),
    };
    if !arguments.json {
        return say(&codes.iter().map(|code| scan_table::of_code(&code.payload)).collect::<String>());
    }
    // An engine of its own, without any device, gives scans their names.
    let options = EngineOptions { clock: std::sync::Arc::new(daemon::now), ..EngineOptions::default() };
    let engine = Engine::start(Vec::new(), Vec::new(), options);
    let (payloads, corners): (Vec<_>, Vec<_>) =
        codes.into_iter().map(|code| (code.payload, Some(code.corners))).unzip();
    let scans = engine.handle().post_scans(terminal(), payloads).blocking_recv()??;
    say(&cccd_api::scans_json(&scans, &corners))
}

/// The codes of a picture file, at least one, or the problem with it.
fn codes(image: &str) -> Result<Result<Vec<PictureCode>, &'static Problem>> {
    let problem = |code| Problem::find(code).context(code);
    let file = if image == "-" {
        picture(std::io::stdin())
    } else {
        picture(File::open(image).with_context(|| format!("cannot read {image}"))?)
    };
    Ok(match codes_in_picture(&file.context("cannot read the picture")?) {
        Ok(codes) if codes.is_empty() => Err(problem("code-not-found")?),
        Ok(codes) => Ok(codes),
        Err(_) => Err(problem("image-unusable")?),
    })
}

/// One byte more than there may be makes a file that no decoder takes.
fn picture(file: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LARGEST_PICTURE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What opens a chip with the one identity card's code of a picture.
pub(crate) fn plan_of_picture(image: &str) -> Result<Result<AccessPlan, &'static Problem>> {
    let codes = match codes(image)? {
        Ok(codes) => codes,
        Err(problem) => return Ok(Err(problem)),
    };
    let mut cards = codes.iter().filter(|code| code.payload.kind() == QrKind::Citizen);
    match (cards.next(), cards.next()) {
        (Some(card), None) => AccessPlan::of_scan(&card.payload).map(Ok).context("cannot open a card"),
        (None, _) => {
            bail!("không có mã QR của thẻ căn cước trong ảnh · no identity card's code in the picture")
        }
        (Some(_), Some(_)) => {
            bail!(
                "có nhiều thẻ trong ảnh, hãy chụp một thẻ · several cards in the picture, take one of a single card"
            )
        }
    }
}

/// What there is to scan with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    /// The scanners of the settings, and standard input.
    Scanners,
    /// Standard input alone.
    StandardInput,
}

/// Something that may be a code.
enum News {
    Event(EventKind),
    /// A line a scanner typed.
    Line(Zeroizing<Vec<u8>>),
    /// Nothing more will be typed.
    InputEnded,
    EngineStopped,
}

/// Waits for the code of an identity card, from any scanner or typed by one, and says what opens its chip.
pub(crate) fn plan_of_next_scan(
    engine: &EngineHandle,
    listening: Listening,
    limit: Duration,
) -> Result<AccessPlan> {
    let news = listen(engine)?;
    let deadline = Instant::now() + limit;
    let prompt = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        prompt.set_style(style);
    }
    prompt.set_message("Đưa mã QR trên thẻ vào máy quét · Show the card's QR code to the scanner");
    prompt.enable_steady_tick(Duration::from_millis(200));
    let plan = loop {
        let plan = match news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(News::Event(EventKind::ScanReceived { scan, .. })) => {
                match engine.scan_access(terminal(), ScanReach::Scanners, scan).blocking_recv()? {
                    Ok(plan) => Ok(plan),
                    Err(ScanNotHere::NoKey(error)) => Err(error),
                    // Wiped in the meantime: there will be another.
                    Err(_) => continue,
                }
            }
            Ok(News::Line(line)) => AccessPlan::of_scan(&QrPayload::parse(&line)),
            Ok(News::Event(EventKind::ScanGarbled { .. })) => {
                prompt.println(
                    "Máy quét gửi dữ liệu hỏng, hãy quét lại · The scanner sent no code, scan again",
                );
                continue;
            }
            Ok(News::Event(_)) => continue,
            Ok(News::InputEnded) if listening == Listening::Scanners => continue,
            Ok(News::InputEnded) => {
                bail!(
                    "chưa cài đặt máy quét nào và không có gì được gõ vào · no scanner is set up, and nothing was typed"
                )
            }
            Err(RecvTimeoutError::Timeout) => {
                bail!("không có mã nào được quét · no code was scanned in time")
            }
            Ok(News::EngineStopped) | Err(RecvTimeoutError::Disconnected) => bail!("the engine has stopped"),
        };
        match plan {
            Ok(plan) => break plan,
            Err(error) => {
                prompt.println(format!("Không phải mã của thẻ căn cước, hãy quét lại · Scan again: {error}"));
            }
        }
    };
    prompt.finish_and_clear();
    Ok(plan)
}

/// Listens to the engine and to standard input, in threads that end with what they listen to.
fn listen(engine: &EngineHandle) -> Result<mpsc::Receiver<News>> {
    let (sender, news) = mpsc::channel();
    // From the first event on: a scanner may have been quicker than we.
    let subscription = engine.subscribe(terminal(), Some(0)).blocking_recv()?;
    let events = sender.clone();
    std::thread::spawn(move || {
        let mut coming = subscription.coming;
        for event in subscription.missed {
            let _ = events.send(News::Event(event.kind));
        }
        loop {
            let told = match coming.blocking_recv() {
                Ok(event) => events.send(News::Event(event.kind)),
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => {
                    let _ = events.send(News::EngineStopped);
                    return;
                }
            };
            if told.is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin());
        loop {
            let mut line =
                Zeroizing::new(Vec::with_capacity(usize::try_from(LONGEST_LINE).unwrap_or_default()));
            let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            let told = match read {
                Ok(1..) if line.trim_ascii().is_empty() => Ok(()),
                Ok(1..) => sender.send(News::Line(line)),
                Ok(0) | Err(_) => {
                    let _ = sender.send(News::InputEnded);
                    return;
                }
            };
            if told.is_err() {
                return;
            }
        }
    });
    Ok(news)
}
