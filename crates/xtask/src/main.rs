//! Developer commands. `cargo xtask` alone lists them.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks through them")]

mod arrows;
mod demo;
mod fuzz;
mod licences;
mod run;
mod schemathesis;
mod setup;
mod socket_io;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, step};
use crate::watch::Limits;

const HELP: &str = "\
cargo xtask COMMAND

  setup      install what the machine lacks (apt on Debian and Ubuntu; elsewhere it says what to install)
  demo       start a simulated reader with a card and the agent, read once, stay up until Ctrl-C
             (--once: stop after the reading; --card NAME: another of the simulated cards)
  test       every test, and a short run of schemathesis; a test that hangs for ten minutes is named, and ends it
  check      format, clippy, docs, arrows between the rooms, licences, the committed API contract, tests
  bench      commands and bytes of a whole reading, by card, access method and length form
             (bench api: what the API adds to a reading, and a thousand listeners; bench card: seconds to identity and to
             portrait with the times of a real card, --kbits N --overhead MS --card NAME; bench consumers: a roster of
             20,000, and what each profile costs; bench outbox: 1,000 messages, their program killed 200 times; bench fleet:
             2,000 desks on one mosquitto, [N] of them; bench qr: our QR decoder beside rqrr, rxing and zxing-cpp on rendered
             cards, and what must be reached: fails where it is not; --seed N: another corpus; --frames DIR: a folder with manifest.jsonl instead)
  matrix     every combination the simulator offers, read and judged: a table with counts
             (matrix N: one in N of each row; matrix quirks: the quirks of cards, readers and certificates by number;
             matrix consumers: every consumer of the plans, and what arrives at it)
  soak       ten thousand readings in one process, and the memory they leave behind (soak crowd [N [SEED]]: five hundred
             on six readers of every kind at once, with cards pulled out)
  hil        a reader or scanner on a bench, tried out with a real card: --bench FILE (hil/benches has some), --out FOLDER for
             the report and the proposed device profile
  fuzz       every parser of hostile bytes under libFuzzer; needs a nightly toolchain and cargo-fuzz
             ([TARGET]: one of them; --seconds N: how long each, 60 by default)
  schemathesis  the API against docs/openapi.json by more than 2,000 requests; brings its tool along (python3, pip)
             (--examples N: how many for each operation; --seed N: others; --short: as the tests end)
  openapi    write docs/openapi.json anew

demo, test, check, bench, matrix, soak, hil and fuzz run setup first where something is missing.";

/// A workspace of its own, so that nothing else builds the decoders that ours is measured against.
const QR_BENCH: &str = "tests/qr-bench/Cargo.toml";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let result = match command {
        "setup" => setup::setup(),
        "demo" => setup::setup_if_needed().and_then(|()| demo::demo(rest)),
        "test" => setup::setup_for_tests().and_then(|()| test()),
        "check" => setup::setup_for_tests().and_then(|()| check()),
        "bench" => match rest.split_first() {
            Some((which, rest)) if which == "qr" => setup::setup_for_qr_bench().and_then(|()| bench_qr(rest)),
            _ => setup::setup_if_needed().and_then(|()| bench(rest)),
        },
        "matrix" => setup::setup_if_needed().and_then(|()| matrix(rest)),
        "soak" => setup::setup_if_needed().and_then(|()| soak(rest)),
        "hil" => setup::setup_if_needed().and_then(|()| hil(rest)),
        "fuzz" => setup::setup_if_needed().and_then(|()| fuzz::fuzz(rest)),
        "schemathesis" => setup::setup_for_tests().and_then(|()| schemathesis::schemathesis(rest)),
        "openapi" => setup::setup_if_needed().and_then(|()| openapi()),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("no command {other:?}\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tests that print nothing for so long hang.
const TESTS: Limits = Limits { silence: Duration::from_secs(10 * 60), whole: Duration::from_secs(60 * 60) };

fn test() -> Result<()> {
    // A workspace of its own, which no other command of this list would find out of step with the packages of this one.
    step("lock file of the QR bench", || {
        let mut update = cargo(["update", "--workspace", "--locked", "--manifest-path"]);
        update.arg(run::root().join(QR_BENCH));
        run::run(update)
    })?;
    build_tests()?;
    step("test", || watch::tests(cargo(["test", "--workspace", "--locked"]), TESTS))?;
    step("the API against its description, in short", schemathesis::short)
}

/// Builds all tests before they are watched: linking the last of them may be silent for longer than a test.
fn build_tests() -> Result<()> {
    step("build", || run::run(cargo(["test", "--workspace", "--locked", "--no-run"])))
}

fn check() -> Result<()> {
    step("format", || run::run(cargo(["fmt", "--all", "--check"])))?;
    step("arrows between the rooms", arrows::check)?;
    step("licences", licences::check)?;
    step("clippy", || {
        run::run(cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    step("docs", || {
        let mut docs = cargo(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"]);
        docs.env("RUSTDOCFLAGS", "-D warnings");
        run::run(docs)
    })?;
    test()
}

fn bench(rest: &[String]) -> Result<()> {
    let (program, rest) = match rest.split_first() {
        Some((first, rest)) if first == "api" => ("cccd-bench-api", rest),
        Some((first, rest)) if first == "card" => ("cccd-bench-card", rest),
        Some((first, rest)) if first == "consumers" => {
            build_beside("agent-under-test")?;
            ("cccd-bench-consumers", rest)
        }
        Some((first, rest)) if first == "fleet" => ("cccd-bench-fleet", rest),
        Some((first, rest)) if first == "outbox" => {
            build_beside("outbox-under-test")?;
            ("cccd-bench-outbox", rest)
        }
        _ => ("cccd-bench", rest),
    };
    let mut bench = cargo(["run", "--locked", "--package", "cccd-tests", "--bin", program]);
    if program != "cccd-bench-card" {
        // That one's clock is added up: it takes no faster program for better figures.
        bench.arg("--release");
    }
    bench.arg("--").args(rest);
    run::run(bench)
}

/// Builds a program that another one starts from beside itself.
fn build_beside(program: &str) -> Result<()> {
    run::run(cargo(["build", "--release", "--locked", "--package", "cccd-tests", "--bin", program]))
}

/// A workspace of its own: its decoders are no dependency of anything else here.
fn bench_qr(rest: &[String]) -> Result<()> {
    let mut bench = cargo(["run", "--release", "--locked", "--manifest-path"]);
    bench.arg(run::root().join(QR_BENCH));
    bench.arg("--target-dir").arg(run::target().join("qr-bench")).arg("--").args(rest);
    // Names in `rest` are meant from where the command was given.
    bench.current_dir(std::env::current_dir()?);
    run::run(bench)
}

fn matrix(rest: &[String]) -> Result<()> {
    if rest.first().is_some_and(|first| first == "consumers") {
        // Its command line installs whom to trust.
        build_beside("agent-under-test")?;
    }
    let matrix = |arguments: &[String]| {
        let mut matrix =
            cargo(["run", "--release", "--locked", "--package", "cccd-tests", "--bin", "cccd-matrix", "--"]);
        matrix.args(arguments);
        matrix
    };
    run::run(matrix(rest))?;
    if rest.first().is_none_or(|first| first != "quirks") {
        return Ok(());
    }
    // What a row names beside its stories runs too: a table of green names would prove nothing.
    let names = run::output(matrix(&["quirks-tests".to_owned()]))?;
    let mut tests = cargo(["test", "--workspace", "--locked", "--quiet", "--"]);
    tests.args(names.lines());
    build_tests()?;
    step("the tests of these rows", || watch::tests(tests, TESTS))
}

fn soak(rest: &[String]) -> Result<()> {
    let mut soak =
        cargo(["run", "--release", "--locked", "--package", "cccd-tests", "--bin", "cccd-soak", "--"]);
    soak.args(rest);
    run::run(soak)
}

fn hil(rest: &[String]) -> Result<()> {
    let mut hil =
        cargo(["run", "--locked", "--package", "cccd-tests", "--bin", "cccd-hil", "--manifest-path"]);
    hil.arg(run::root().join("Cargo.toml")).arg("--").args(rest);
    // Names in `rest` are meant from where the command was given.
    hil.current_dir(std::env::current_dir()?);
    run::run(hil)
}

fn openapi() -> Result<()> {
    let text =
        run::output(cargo(["run", "--quiet", "--locked", "--package", "cccd-agent", "--", "openapi"]))?;
    if text.trim().is_empty() {
        bail!("the agent printed no contract");
    }
    std::fs::write(run::root().join("docs/openapi.json"), text).context("cannot write docs/openapi.json")
}
