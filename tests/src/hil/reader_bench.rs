//! A reader, from the first card to the last assertion.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cccd_document::{AccessKey, Can, Evidence, FileOutcome};
use cccd_engine::{EventKind, ReadFailure, Reading};
use cccd_trust::{HashState, Summary};

use super::assertion::{Assertion, Tried};
use super::bench_file::ReaderPlace;
use super::desk::{Desk, Told};
use super::hand::Hand;
use super::report::{Report, Timing};
use super::{bare, card_facts, lengths, profile};

/// Tries a reader out.
pub(super) fn run(place: &ReaderPlace, hand: &mut dyn Hand, report: &mut Report) -> Result<()> {
    let mut desk = Desk::start(place, hand.patience())?;
    report.reader = Some(desk.reader.name.clone());
    let key = hand.access()?;

    hand.place()?;
    let seen = desk.wait_for_card(true).and_then(|()| desk.atr()).map(|_| Tried::Held);
    report.hold("a card that is laid down is seen, and answers to reset", seen);

    let first = desk.read(key.clone())?;
    report.hold("the card is read, and every group that was read is as it was signed", is_whole(&first));
    report.hold("who somebody is is told before their face is there", is_told_early(&first));
    let next = desk.read(key.clone())?;
    report.hold("the same card read again says the same", says_the_same(&first, &next));
    report.hold("the next card of its make is asked no more than the first", is_asked_no_more(&first, &next));
    for (what, told) in [("first", &first), ("next", &next)] {
        if let Ok(reading) = &told.outcome {
            report.timings.push(Timing::of(what, reading));
            report.keep_out(reading);
        }
    }
    let evidence = look(&mut desk, &key, report);

    hand.remove()?;
    let gone = desk.wait_for_card(false).map(|()| Tried::Held);
    report.hold("a card that is taken away is gone", gone);
    let nobody = desk.submit(key.clone(), Some(Duration::from_secs(1))).and_then(|read| desk.follow(read));
    let nobody = nobody.and_then(|told| ends_in(&told, "no-card"));
    report.hold("a reading without a card waits for one, and says so", nobody);

    hand.flip()?;
    desk.wait_for_card(true)?;
    let other_side = desk.read(key.clone())?;
    report.hold("the card is read whichever side lies up", says_the_same(&first, &other_side));
    hand.remove()?;
    desk.wait_for_card(false)?;

    let moved = lifted(&mut desk, hand, &key, &first);
    report.hold("a card that is lifted in the middle pauses its reading, and laid back it goes on", moved);

    let wrong = wrong_number(&mut desk, hand, &key);
    report.hold(
        "a wrong access number is answered by its own code, and the right one opens the card after it",
        wrong,
    );
    hand.remove()?;
    desk.wait_for_card(false)?;

    let measured = measure(&mut desk, hand, place)?;
    let word = measured.is_some();
    report.hold(
        "lengths are told by a card that answers any",
        Ok(if word { Tried::Held } else { Tried::Not("such a card lies in simulated readers only") }),
    );
    report.lengths = measured;
    report.profile = profile::of_reader(place, &desk.reader.name, report);
    drop(evidence);
    Ok(())
}

fn done(told: &Told) -> Result<&Arc<Reading>> {
    told.outcome.as_ref().map_err(|failure| anyhow::anyhow!("the reading ended in {}", failure.code()))
}

fn is_whole(told: &Told) -> Result<Tried> {
    let reading = done(told)?;
    let read = reading.hashes.iter().filter(|hash| hash.state == HashState::Match).count();
    ensure!(read >= 2, "{read} groups were read as they were signed");
    for hash in &reading.hashes {
        ensure!(
            matches!(hash.state, HashState::Match | HashState::NotRead),
            "{}: {:?}",
            hash.file,
            hash.state
        );
    }
    let verdict = &reading.verdict;
    ensure!(verdict.summary() != Summary::NotGenuine, "not genuine: {}", verdict.code());
    ensure!(reading.portrait.is_some(), "no portrait");
    Ok(Tried::Held)
}

fn is_told_early(told: &Told) -> Result<Tried> {
    done(told)?;
    let is_early = told.events.iter().any(|event| matches!(event, EventKind::ReadPartial { .. }));
    ensure!(is_early, "nothing was told before the end");
    Ok(Tried::Held)
}

fn says_the_same(first: &Told, next: &Told) -> Result<Tried> {
    let (first, next) = (done(first)?, done(next)?);
    // Never a word of what differs: it is somebody's.
    ensure!(first.record == next.record, "another record");
    let files = |evidence: &Evidence| -> Vec<_> {
        evidence.files.iter().map(|(file, outcome)| (*file, outcome.clone())).collect()
    };
    let (one, other) = (files(&first.evidence), files(&next.evidence));
    ensure!(one.len() == other.len(), "{} files, then {}", one.len(), other.len());
    for ((file, one), (_, other)) in one.iter().zip(&other) {
        let same = match (one, other) {
            (FileOutcome::Read(one), FileOutcome::Read(other)) => one == other,
            (one, other) => one == other,
        };
        ensure!(same, "{file} is another");
    }
    Ok(Tried::Held)
}

fn is_asked_no_more(first: &Told, next: &Told) -> Result<Tried> {
    let (first, next) = (done(first)?.effort.commands, done(next)?.effort.commands);
    ensure!(next <= first, "{first} commands, then {next}");
    Ok(Tried::Held)
}

fn ends_in(told: &Told, code: &str) -> Result<Tried> {
    match &told.outcome {
        Err(failure) if failure.code() == code => Ok(Tried::Held),
        Err(failure) => anyhow::bail!("{} and not {code}", failure.code()),
        Ok(_) => anyhow::bail!("a record and not {code}"),
    }
}

/// What the card is made of, in the report. The evidence stays here.
fn look(desk: &mut Desk, key: &AccessKey, report: &mut Report) -> Option<Evidence> {
    let looked =
        desk.connect().context("no connection").and_then(|channel| card_facts::look_at(channel, key));
    let (mut facts, evidence) = match looked {
        Ok(found) => found,
        Err(error) => {
            report.notes.push(format!("the card could not be looked at: {error:#}"));
            return None;
        }
    };
    let bac =
        desk.connect().context("no connection").and_then(|channel| card_facts::takes_bac(channel, &evidence));
    match bac {
        Ok(bac) => facts.bac = bac,
        Err(error) => report.notes.push(format!("whether BAC opens the card is not known: {error:#}")),
    }
    report.card = Some(facts);
    Some(evidence)
}

fn lifted(desk: &mut Desk, hand: &mut dyn Hand, key: &AccessKey, first: &Told) -> Result<Tried> {
    hand.place_to_lift()?;
    desk.wait_for_card(true)?;
    let read = desk.submit(key.clone(), None)?;
    // The chip is open: from here on files are read.
    while !matches!(desk.hear()?, EventKind::ReadProgress { read: of, percent: 20.., .. } if of == read) {}
    hand.lift()?;
    loop {
        match desk.hear()? {
            EventKind::ReadPaused { read: of, .. } if of == read => break,
            EventKind::ReadCompleted { read: of } if of == read => {
                return Ok(Tried::Not("the reading was over before the card was lifted"));
            }
            EventKind::ReadFailed { failure, .. } => anyhow::bail!("it ended in {}", failure.code()),
            _ => {}
        }
    }
    desk.wait_for_card(false)?;
    hand.lay_back()?;
    let told = desk.follow(read)?;
    let resumed = told.events.iter().any(|event| matches!(event, EventKind::ReadResumed { .. }));
    ensure!(resumed, "it did not go on");
    says_the_same(first, &told)
}

fn wrong_number(desk: &mut Desk, hand: &mut dyn Hand, key: &AccessKey) -> Result<Tried> {
    if !hand.spends_a_try() {
        return Ok(Tried::Not(
            "it would cost the card one of its tries: spend_a_try in the bench file allows it",
        ));
    }
    let right = match key {
        AccessKey::Can(can) => can.as_bytes().to_vec(),
        AccessKey::Mrz(_) => return Ok(Tried::Not("the card was opened with its MRZ")),
    };
    let digits = if right == b"111111" { "222222" } else { "111111" };
    let told = desk.read(AccessKey::Can(Can::new(digits)?))?;
    match &told.outcome {
        Err(ReadFailure::AccessKeyWrong { .. }) => {}
        Err(failure) => anyhow::bail!("{} and not access-key-wrong", failure.code()),
        Ok(_) => anyhow::bail!("a wrong number opened the card"),
    }
    is_whole(&desk.read(key.clone())?)
}

/// Lengths, where there is a card to measure them with.
fn measure(desk: &mut Desk, hand: &mut dyn Hand, place: &ReaderPlace) -> Result<Option<lengths::Lengths>> {
    if !hand.place_measuring_card()? {
        return Ok(None);
    }
    desk.wait_for_card(true)?;
    let mut measured = lengths::measure(desk)?;
    if let ReaderPlace::Pcsc { .. } = place {
        let name = std::ffi::CString::new(desk.reader.name.clone())?;
        if measured.command_ends_there && measured.max_command < cccd_card::MAX_COMMAND {
            let too_long = lengths::command_of(measured.max_command + 1);
            measured.too_long_ejects_the_card = bare::is_thrown_out(&name, &too_long)?;
        }
        hand.remove()?;
        desk.wait_for_card(false)?;
        let mut said = None;
        if hand.pull_measuring_card(&mut || said = Some(bare::length_of_success(&name)))? {
            let length = said.transpose()?.flatten();
            measured.success_without_an_answer = Some(length.is_some_and(|length| length < 2));
        }
    } else {
        hand.remove()?;
    }
    desk.wait_for_card(false)?;
    Ok(Some(measured))
}

impl Report {
    fn hold(&mut self, claim: &'static str, result: Result<Tried>) {
        self.assertions.push(Assertion::of(claim, result));
    }
}
