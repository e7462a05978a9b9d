//! What is written to the log, and what never is.

use std::io::{self, IsTerminal as _};
use std::panic;

use cccd_profiles::LogSettings;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging to standard error, once for the process.
///
/// Our own crates log at the level asked for. All others stay at warnings whatever is asked: an HTTP library
/// at trace level writes bodies, and bodies hold people.
pub(crate) fn start(settings: &LogSettings) {
    let level = settings.level.parse().unwrap_or(LevelFilter::INFO);
    let targets = Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("cccd", level);
    let registry = tracing_subscriber::registry().with(targets);
    let layer =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // A second start in one process keeps the first one's logging.
    let _ =
        if settings.json { registry.with(layer.json()).try_init() } else { registry.with(layer).try_init() };
    log_panics_without_their_message();
}

/// A panic's message may hold the very text that could not be sliced. Only its place is logged.
fn log_panics_without_their_message() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "fault in the agent");
    }));
}
