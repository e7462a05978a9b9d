//! `cargo xtask fuzz`: every parser of hostile bytes under libFuzzer, each for a while.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, output, root, run, step, target};

/// Limits of one run: what a parser must not need, however hostile its input.
const LIMITS: [&str; 3] = ["-timeout=5", "-rss_limit_mb=1024", "-malloc_limit_mb=256"];

/// What `cargo xtask fuzz` was asked for.
struct Wish {
    target: Option<String>,
    seconds: u32,
}

/// What libFuzzer says at the end of a run.
#[derive(Debug, PartialEq, Eq)]
struct Figures {
    executions: u64,
    edges: u64,
    peak_mb: u64,
}

pub(crate) fn fuzz(arguments: &[String]) -> Result<()> {
    let wish = Wish::read(arguments)?;
    tools()?;
    let folder = root().join("fuzz");
    // What is fuzzed is what is shipped: the same versions of everything.
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    step("seeds", || {
        let mut seeds = cargo(["run", "--quiet", "--locked", "--package", "cccd-fuzz-targets", "--"]);
        seeds.arg(folder.join("seeds"));
        run(seeds)
    })?;
    step("build", || run(cargo_fuzz(&folder, &["build"])))?;
    let all = output(cargo_fuzz(&folder, &["list"]))?;
    let targets: Vec<&str> =
        all.lines().filter(|name| wish.target.as_deref().is_none_or(|wanted| wanted == *name)).collect();
    if targets.is_empty() {
        bail!("no such target; there are:\n{all}");
    }
    println!("{:<18} {:>12} {:>10} {:>8} {:>8}", "target", "executions", "a second", "edges", "peak MB");
    let mut broken = Vec::new();
    for name in targets {
        let log = target().join("fuzz").join(format!("{name}.log"));
        let ended_well = fuzz_one(&folder, name, wish.seconds, &log)?;
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        match Figures::read(&text) {
            Some(Figures { executions, edges, peak_mb }) if ended_well => {
                let a_second = executions / u64::from(wish.seconds.max(1));
                println!("{name:<18} {executions:>12} {a_second:>10} {edges:>8} {peak_mb:>8}");
            }
            _ => {
                println!("{name:<18} broken: {}", log.display());
                broken.push(name);
            }
        }
    }
    if !broken.is_empty() {
        bail!("broken: {}; the inputs are in fuzz/artifacts", broken.join(", "));
    }
    Ok(())
}

impl Wish {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut wish = Self { target: None, seconds: 60 };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word == "--seconds" {
                let seconds = words.next().context("--seconds wants a number")?;
                wish.seconds = seconds.parse().context("--seconds wants a number")?;
            } else if word.starts_with('-') || wish.target.is_some() {
                bail!("fuzz [TARGET] [--seconds N]");
            } else {
                wish.target = Some(word.clone());
            }
        }
        Ok(wish)
    }
}

/// libFuzzer needs a nightly toolchain, and cargo-fuzz to build with it.
fn tools() -> Result<()> {
    for (arguments, remedy) in [
        (&["run", "nightly", "rustc", "--version"][..], "rustup toolchain install nightly --profile minimal"),
        (&["run", "nightly", "cargo", "fuzz", "--version"], "cargo install cargo-fuzz --locked"),
    ] {
        let there =
            Command::new("rustup").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            bail!("fuzzing needs what this machine lacks; get it with: {remedy}");
        }
    }
    Ok(())
}

/// Other cargos than the one that runs us are reached through rustup alone.
fn cargo_fuzz(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz"]).args(arguments).current_dir(folder);
    if arguments.first() != Some(&"list") {
        command.arg("--target-dir").arg(target().join("fuzz"));
    }
    // The variables of the toolchain that runs us would be passed on.
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_TARGET_DIR");
    command
}

/// Whether a target came through its time. What it says goes to `log`.
fn fuzz_one(folder: &Path, name: &str, seconds: u32, log: &Path) -> Result<bool> {
    let corpus = folder.join("corpus").join(name);
    std::fs::create_dir_all(&corpus)?;
    let seeds: PathBuf = folder.join("seeds").join(name);
    let mut command = cargo_fuzz(folder, &["run", name]);
    command.args([&corpus, &seeds]).arg("--").args(LIMITS);
    command.arg(format!("-max_total_time={seconds}")).args(["-print_final_stats=1", "-verbosity=1"]);
    // Freed memory is kept for a while to catch its use; a quarter of a gigabyte of it would hide the figures.
    command.env("ASAN_OPTIONS", "quarantine_size_mb=16");
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    Ok(command.status().context("cannot start cargo fuzz")?.success())
}

impl Figures {
    fn read(log: &str) -> Option<Self> {
        let after = |line: &str, word: &str| line.split_once(word)?.1.split_whitespace().next()?.parse().ok();
        let stated = |name: &str| log.lines().rev().find_map(|line| after(line, name));
        Some(Self {
            executions: stated("stat::number_of_executed_units:")?,
            edges: stated(" cov: ")?,
            peak_mb: stated("stat::peak_rss_mb:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_target_and_its_time_can_be_given_in_any_order() {
        for (text, target, seconds) in [
            ("", None, 60),
            ("dg14", Some("dg14"), 60),
            ("--seconds 5", None, 5),
            ("--seconds 5 dg14", Some("dg14"), 5),
            ("dg14 --seconds 5", Some("dg14"), 5),
        ] {
            let wish = Wish::read(&words(text)).unwrap();
            assert_eq!((wish.target.as_deref(), wish.seconds), (target, seconds), "{text:?}");
        }
        for bad in ["dg14 dg15", "--seconds", "--seconds x", "--fast"] {
            assert!(Wish::read(&words(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_figures_are_those_at_the_end() {
        let log = "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #900\tDONE   cov: 812 ft: 3001 corp: 90/9Kb lim: 4096 exec/s: 15 rss: 90Mb\n\
                   stat::number_of_executed_units: 900\nstat::peak_rss_mb:              91\n";
        assert_eq!(Figures::read(log), Some(Figures { executions: 900, edges: 812, peak_mb: 91 }));
        assert_eq!(Figures::read("==1== ERROR: libFuzzer: deadly signal"), None);
    }
}
