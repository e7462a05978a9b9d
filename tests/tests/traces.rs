//! Readings as files: recorded without a word of the person, sealed where somebody consents, replayed as they were.

use std::path::PathBuf;

use cccd_agent::trace::{Recorder, RecordingRng, Replay, Trace, TraceError, read, seal};
use cccd_card::{CardChannel, ChannelLimits};
use cccd_document::{AccessKey, Can, FileOutcome};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::quirks::quirks;
use cccd_firmware_sim::reader::in_process::DirectChannel;
use cccd_tests::{judged, people};

const CARD: &str = "cccd-2021";

fn key() -> AccessKey {
    judged::can(&people::card(CARD)).unwrap()
}

/// Records one reading, with its bytes.
fn recorded(chip: Chip, key: AccessKey, with_face: bool) -> Trace {
    let mut recorder = Recorder::new(DirectChannel::new(chip, ChannelLimits::EXTENDED).unwrap());
    let mut rng = RecordingRng::new(getrandom::SysRng);
    let outcome = read(&mut recorder, &[key], with_face, &mut rng);
    let mut trace = recorder.into_trace(rng);
    trace.outcome = outcome.word;
    trace.files = outcome.files;
    trace
}

fn chip() -> Chip {
    Chip::new(personalise(&people::card(CARD), &Issuer::new().unwrap()).unwrap())
}

/// The recorded stories: what they are called, and how each is recorded anew (`UPDATE=1`).
fn stories() -> [(&'static str, fn() -> Trace, AccessKey, &'static str); 2] {
    let naked = || {
        let story = quirks().unwrap().into_iter().find(|quirk| quirk.name == "naked-6700").unwrap();
        recorded(story.chip(&Issuer::new().unwrap()).unwrap().0, key(), false)
    };
    [
        ("cccd-2021-by-its-number", || recorded(chip(), key(), false), key(), "read"),
        ("naked-6700", naked, key(), "session-ended"),
    ]
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces").join(format!("{name}.json"))
}

#[test]
fn recorded_stories_end_as_they_did() {
    for (name, record, key, outcome) in stories() {
        let path = file(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, record().to_text().unwrap()).unwrap();
        }
        let trace = Trace::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(trace.outcome, outcome, "{name}");
        let (mut replay, mut rng) = Replay::of(&trace).unwrap();
        let again = read(&mut replay, &[key], false, &mut rng);
        assert_eq!(replay.departed(), None, "{name}: the agent says something else than it did then");
        assert_eq!((again.word.as_str(), &again.files), (outcome, &trace.files), "{name}");
        assert!(replay.is_over(), "{name}: the agent says less than it did then");
    }
}

#[test]
fn a_replay_gives_every_byte_of_then_and_answers_nothing_else() {
    let image = personalise(&people::card(CARD), &Issuer::new().unwrap()).unwrap();
    let trace = recorded(Chip::new(image.clone()), key(), true);
    let (mut replay, mut rng) = Replay::of(&trace).unwrap();
    let outcome = read(&mut replay, &[key()], true, &mut rng);
    assert!(replay.is_over() && outcome.is_invented());
    for (file, outcome) in &outcome.evidence.unwrap().files {
        if let FileOutcome::Read(bytes) = outcome {
            assert_eq!(bytes.as_slice(), &*image.emrtd[&file.fid()].content, "{file}");
        }
    }
    // Another number makes another conversation: it parts from the recorded one as soon as the number counts.
    let (mut replay, mut rng) = Replay::of(&trace).unwrap();
    let wrong = AccessKey::Can(Can::new("654321").unwrap());
    assert_ne!(read(&mut replay, &[wrong], true, &mut rng).word, "read");
    assert!(replay.departed().is_some());
    assert!(replay.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08]).is_err());
}

#[test]
fn a_redacted_trace_names_nobody_and_holds_no_byte() {
    let trace = recorded(chip(), key(), true);
    let answers = trace.bytes.clone().unwrap();
    let text = trace.clone().redacted().to_text().unwrap();
    people::assert_nobody_in("a trace", &text);
    people::assert_nobody_in("the outline of a trace", &trace.outline());
    for answer in answers.answers.iter().filter(|answer| answer.len() > 16) {
        assert!(!text.contains(&answer[..16]) && !trace.outline().contains(&answer[..16]));
    }
    let redacted = Trace::parse(&text).unwrap();
    assert_eq!((redacted.exchanges.len(), &redacted.outcome), (trace.exchanges.len(), &trace.outcome));
    assert!(matches!(Replay::of(&redacted), Err(TraceError::NoBytes)));
    assert!(!format!("{trace:?}").contains(&answers.answers[1]));
}

#[test]
fn consented_bytes_open_with_their_key_and_no_other() {
    let trace = recorded(chip(), key(), false);
    let (private, public) = seal::new_keys();
    let sealed = seal::seal(trace.clone(), &public).unwrap();
    let text = sealed.to_text().unwrap();
    people::assert_nobody_in("a sealed trace", &text);
    let sealed = Trace::parse(&text).unwrap();
    assert!(matches!(Replay::of(&sealed), Err(TraceError::NoBytes)));
    assert_eq!(seal::open(sealed.clone(), &private).unwrap(), trace);
    let (other, _) = seal::new_keys();
    assert!(matches!(seal::open(sealed.clone(), &other), Err(TraceError::NotOpened)));
    // Sealed bytes belong to their card: under another answer-to-reset they do not open.
    let mut moved = sealed;
    moved.atr = "3B80800101".to_owned();
    assert!(matches!(seal::open(moved, &private), Err(TraceError::NotOpened)));
    assert!(matches!(seal::seal(trace, "00"), Err(TraceError::NoKey)));
}

#[test]
fn spoilt_files_are_refused_and_nothing_panics() {
    let trace = recorded(chip(), key(), false);
    let text = trace.to_text().unwrap();
    assert!(matches!(
        Trace::parse(&text.replacen("cccd-trace-1", "cccd-trace-9", 1)),
        Err(TraceError::Format(_))
    ));
    assert!(matches!(Trace::parse("{"), Err(TraceError::Json(_))));
    let mut short = trace.clone();
    short.exchanges.pop();
    assert!(matches!(Replay::of(&short), Err(TraceError::BytesDoNotFit)));
    // Whatever is cut out of the file, it is refused, or it replays to some named end.
    for at in (0..text.len()).step_by(997) {
        let mut cut = text.clone().into_bytes();
        cut.drain(at..(at + 3).min(text.len()));
        let Ok(cut) = Trace::parse(&String::from_utf8_lossy(&cut)) else { continue };
        if let Ok((mut replay, mut rng)) = Replay::of(&cut) {
            assert!(!read(&mut replay, &[key()], false, &mut rng).word.is_empty());
        }
    }
}
