//! One host's time at the reader: frames in, frames out, and what goes wrong between.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use super::TwinModel;
use super::atr::offering_faster;
use super::firmware::{Firmware, Outcome, Reaction, Task};
use super::frame::{FrameReader, Heard, Message, TORN};
use super::t1::Complaint;
use super::trouble::{Misbehaviour, Moment, Stage};
use crate::reader::pty::{Ear, Happened, Pty};
use crate::reader::serial::Shared;
use crate::reader::slot::{Generation, Question};

/// How long a card computes before the host is asked for patience. The driver gives up after three seconds of silence,
/// or after what the answer-to-reset says.
const TIME_REQUEST_AFTER: Duration = Duration::from_millis(400);

/// "More time", one byte between the echo and the answer.
const TIME_REQUEST: u8 = 0x80;

#[derive(Default)]
struct Session {
    frames: FrameReader,
    firmware: Firmware,
    /// What is to be sent. The echo waits here for the answer, so that both go out at once.
    out: Vec<u8>,
    busy: Option<Busy>,
    /// What the card answers once the host has answered its own request.
    held: Option<Message>,
    /// What goes out with the next answer.
    late: Vec<u8>,
}

struct Busy {
    stage: Option<Stage>,
    /// The card, and what it was asked. Nothing is asked by a reader that only asks for time.
    asked: Option<Asked>,
}

struct Asked {
    card: Generation,
    task: fn(Vec<u8>) -> Outcome,
    answer: Receiver<Vec<u8>>,
}

pub(super) fn serve(line: &mut Pty, reader: &Shared<TwinModel>, cut: &AtomicBool) -> io::Result<()> {
    let mut session = Session::default();
    let mut buffer = [0; 1024];
    while !cut.load(Ordering::Acquire) {
        let (ear, limit) = match session.busy {
            // A reader that waits for its card does not listen: the line is half duplex.
            Some(_) => (Ear::Shut, Some(TIME_REQUEST_AFTER)),
            None => (Ear::Open, None),
        };
        let happened = line.wait(ear, reader.slot.bell(), limit)?;
        if happened == Happened::HostLeft {
            session = Session::default();
            reader.slot.forget_host();
            continue;
        }
        if happened == Happened::Input {
            let read = line.read(&mut buffer)?;
            session.frames.push(buffer.get(..read).unwrap_or_default());
        }
        session.hear_card(reader);
        session.hear_host(reader);
        if session.busy.is_some() {
            if happened != Happened::Nothing {
                continue;
            }
            session.out.push(TIME_REQUEST);
        }
        line.send(&session.out)?;
        session.out.clear();
    }
    Ok(())
}

impl Session {
    fn hear_host(&mut self, reader: &Shared<TwinModel>) {
        while self.busy.is_none()
            && let Some(heard) = self.frames.next_frame()
        {
            let message = match heard {
                Heard::Message(message) => message,
                Heard::Torn => {
                    self.out.extend(TORN);
                    continue;
                }
            };
            self.out.append(&mut self.late);
            let stage = Stage::of(&message);
            let wrong = stage.and_then(|stage| reader.meet(stage, |what| what.moment() == Moment::Before));
            // A Twin repeats the command before it answers.
            if !matches!(wrong, Some(Misbehaviour::Nak | Misbehaviour::Deaf | Misbehaviour::NoEcho)) {
                self.out.extend(message.encode());
            }
            match wrong {
                None | Some(Misbehaviour::NoEcho) => self.carry_out(message, stage, reader),
                Some(wrong) => self.go_wrong(wrong, message, stage, reader),
            }
        }
    }

    fn carry_out(&mut self, message: Message, stage: Option<Stage>, reader: &Shared<TwinModel>) {
        let message = self.released_by(message);
        let slot = &reader.slot;
        let card = if Firmware::asks_for_presence(&message) { slot.tell() } else { slot.look() };
        let asked = match self.firmware.command(message, card) {
            Reaction::Answer(answer) => return self.answer(answer, card, stage, reader),
            Reaction::Ask(Task::Reset(card)) => {
                Asked { card, task: Outcome::Atr, answer: slot.ask(card, Question::Reset) }
            }
            Reaction::Ask(Task::Process(card, command)) => {
                let answer = slot.ask(card, Question::Process(command));
                Asked { card, task: Outcome::Response, answer }
            }
        };
        self.busy = Some(Busy { stage, asked: Some(asked) });
    }

    /// Does something instead of what the host wants.
    fn go_wrong(
        &mut self,
        wrong: Misbehaviour,
        message: Message,
        stage: Option<Stage>,
        reader: &Shared<TwinModel>,
    ) {
        let card = reader.slot.look();
        match wrong {
            Misbehaviour::Nak => self.out.extend(TORN),
            Misbehaviour::Deaf | Misbehaviour::Silence => {}
            Misbehaviour::EndlessTime => self.busy = Some(Busy { stage, asked: None }),
            Misbehaviour::Failed(error) => {
                self.out.extend(self.firmware.fail(&message, card, error).encode())
            }
            Misbehaviour::RBlockParity | Misbehaviour::RBlockOther => {
                let parity = wrong == Misbehaviour::RBlockParity;
                let complaint = if parity { Complaint::ErrorDetection } else { Complaint::Other };
                self.out.extend(self.firmware.complain(&message, card, complaint).encode());
            }
            _ => match wrong.request() {
                Some((pcb, information)) => {
                    self.out.extend(self.firmware.request(&message, card, pcb, information).encode());
                    // The card asks again before it has answered what it held back.
                    self.held.get_or_insert(message);
                }
                None => self.carry_out(message, stage, reader),
            },
        }
    }

    /// The block the card held back, where this is the host's response to the request in between; else this one.
    fn released_by(&mut self, message: Message) -> Message {
        let is_response = matches!(message.data.as_slice(), [_, 0xE0..=0xFF, ..]);
        match self.held.take() {
            Some(held) if is_response && message.kind == held.kind => {
                Message { sequence: message.sequence, ..held }
            }
            _ => message,
        }
    }

    fn hear_card(&mut self, reader: &Shared<TwinModel>) {
        let Some(busy) = &self.busy else { return };
        let card = reader.slot.look();
        let stage = busy.stage;
        let Some(asked) = &busy.asked else {
            if reader.troubled_stage() != stage {
                // It has come to its senses, and the host has long forgotten what it wanted.
                self.busy = None;
            }
            return;
        };
        let outcome = match asked.answer.try_recv() {
            _ if card != Some(asked.card) => Outcome::Gone,
            Ok(said) => (asked.task)(said),
            Err(TryRecvError::Disconnected) => Outcome::Gone,
            Err(TryRecvError::Empty) => return,
        };
        self.busy = None;
        let Some(mut answer) = self.firmware.finish(outcome, card) else { return };
        if stage == Some(Stage::PoweringOn) && reader.troubled_stage() == Some(Stage::Negotiating) {
            answer.data = offering_faster(&answer.data);
        }
        self.answer(answer, card, stage, reader);
    }

    fn answer(
        &mut self,
        answer: Message,
        card: Option<Generation>,
        stage: Option<Stage>,
        reader: &Shared<TwinModel>,
    ) {
        self.out.extend(self.firmware.movements(card));
        let suits = |what: Misbehaviour| what.moment() == Moment::Answering && what.suits(&answer);
        match stage.and_then(|stage| reader.meet(stage, suits)) {
            None => self.out.extend(answer.encode()),
            Some(Misbehaviour::Late) => self.late = answer.encode(),
            Some(wrong) => self.out.extend(wrong.distort(answer)),
        }
    }
}
