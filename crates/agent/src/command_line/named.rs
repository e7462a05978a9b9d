//! Every command that a text of ours tells somebody to type is there.

use std::fs;
use std::path::{Path, PathBuf};

use cccd_api::{PROBLEMS, of_reason};
use cccd_profiles::ReaderQuirk;
use cccd_trust::Reason;
use clap::{Command, CommandFactory as _};

use super::CommandLine;

const PROGRAM: &str = "cccd-agent";
/// What begins so and is no call: the beginning of what is hashed for a challenge.
const NO_CALLS: [&str; 1] = ["active authentication challenge 1"];
/// Where texts lie that people read: manuals, settings, messages of the program.
const PLACES: [&str; 7] = ["README.md", "docs", "config", "devices", "crates", "hil", "clients"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of these places, manuals, settings and sources.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = PLACES.iter().map(|place| root().join(place)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            let skipped = ["target", "node_modules", "bin", "obj", "build"];
            open.extend(entries.filter(|entry| !skipped.iter().any(|name| entry.ends_with(name))));
        } else if path.extension().is_some_and(|kind| {
            ["md", "toml", "rs", "service", "rules", "conf"].iter().any(|known| kind == *known)
        }) {
            found.push(path);
        }
    }
    found
}

/// What stands in backticks and begins with the program's name. A comment may break it over lines, and so may a string.
fn in_backticks(text: &str) -> Vec<String> {
    let marks = |line: &str| {
        let line = line.trim().trim_end_matches('\\');
        let bare = ["///", "//!", "//", "#"].iter().find_map(|mark| line.strip_prefix(mark));
        bare.unwrap_or(line).trim().to_owned()
    };
    let text = text.lines().map(marks).collect::<Vec<_>>().join(" ");
    let begins = format!("`{PROGRAM} ");
    let ends_soon = |from: &str| from.find('`').filter(|length| *length < 200);
    text.match_indices(&begins)
        .filter_map(|(at, _)| text.get(at + begins.len()..))
        .filter_map(|rest| Some(rest.get(..ends_soon(rest)?)?.to_owned()))
        .collect()
}

/// The lines of a manual's blocks that call the program.
fn in_blocks(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        let mut words = line.split_whitespace().skip_while(|word| ["$", "sudo", "#"].contains(word));
        let called = words.next().is_some_and(|word| word.rsplit('/').next() == Some(PROGRAM));
        if inside && called {
            found.push(words.collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// What of a call the command line does not know.
fn unknown_in(call: &str) -> Option<String> {
    let mut line = CommandLine::command();
    line.build();
    let mut at: &Command = &line;
    let mut words = call.split_whitespace();
    while let Some(word) = words.next() {
        if ["#", "|", ">", ">>", "<", "&&", ";", "\\", "…", "..."].contains(&word) {
            return None;
        }
        if let Some(flag) = word.strip_prefix("--") {
            let (name, value) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            // Punctuation of the sentence around it.
            let name = name.trim_end_matches([',', ')', ']']);
            let Some(known) = at.get_arguments().find(|known| known.get_long() == Some(name)) else {
                return Some(format!("{} has no --{name}", at.get_name()));
            };
            if value.is_none() && known.get_action().takes_values() {
                words.next();
            }
        } else if let Some(next) = at.find_subcommand(word) {
            at = next;
        } else if at.has_subcommands()
            && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
        {
            return Some(format!("{} has no command {word:?}", at.get_name()));
        }
    }
    None
}

#[test]
fn every_command_that_a_text_names_is_there() {
    let mut calls = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        calls.extend(in_backticks(&text).into_iter().map(|call| (shown.clone(), call)));
        if path.extension().is_some_and(|kind| kind == "md") {
            calls.extend(in_blocks(&text).into_iter().map(|call| (shown.clone(), call)));
        }
    }
    // The same texts as they are told, however the sources put them together.
    let problems = PROBLEMS.iter().flat_map(|problem| {
        [problem.title, problem.cause, problem.remedy].map(|text| (format!("problem {}", problem.code), text))
    });
    let reasons = Reason::ALL.iter().map(|reason| (format!("reason {}", reason.code()), of_reason(*reason)));
    for (place, text) in problems.chain(reasons) {
        let both = [text.vi, text.en].into_iter().flat_map(in_backticks);
        calls.extend(both.map(|call| (place.clone(), call)));
    }
    for quirk in ReaderQuirk::ALL {
        let both = [quirk.advice_vi(), quirk.advice()].into_iter().flat_map(in_backticks);
        calls.extend(both.map(|call| (format!("quirk {quirk:?}"), call)));
    }
    for place in ["README.md", "docs/trust.md", "config/agent.toml", "problem no-reader", "reason "] {
        assert!(
            calls.iter().any(|(at, _)| at.starts_with(place)),
            "{place} names no command: is it looked at?"
        );
    }
    let wrong: Vec<String> = calls
        .iter()
        .filter(|(_, call)| !NO_CALLS.contains(&call.as_str()))
        .filter_map(|(place, call)| Some(format!("{place}: `{PROGRAM} {call}`: {}", unknown_in(call)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_call_is_followed_to_its_last_word() {
    for (call, told) in [
        ("nowhere", Some("no command \"nowhere\"")),
        ("trust nowhere", Some("trust has no command \"nowhere\"")),
        ("read --nothing", Some("read has no --nothing")),
        ("--config agent.toml trust add FILE --expect SHA256", None),
        ("trust list | show | remove", None),
        ("token clinic", None),
        ("nfc-worker", None),
    ] {
        let unknown = unknown_in(call);
        assert_eq!(unknown.is_some(), told.is_some(), "{call}: {unknown:?}");
        assert!(unknown.unwrap_or_default().contains(told.unwrap_or_default()), "{call}");
    }
    assert_eq!(in_backticks("see `cccd-agent\n/// trust list`, `cccd-agent`"), ["trust list"]);
    assert_eq!(
        in_blocks("```sh\n$ sudo bin/cccd-agent run  # now\n```\ncccd-agent else"),
        ["run  # now".split_whitespace().collect::<Vec<_>>().join(" ")]
    );
}
