//! An ICAO 9303 chip, as software: bytes in, bytes out.
//!
//! It parses commands, builds data objects and computes everything by itself, with OpenSSL underneath. The
//! agent's own code is not used here, so that a mistake on one side is caught by the other.
//!
//! ```
//! use std::collections::BTreeMap;
//! use cccd_firmware_sim::chip::Chip;
//! use cccd_firmware_sim::image::{
//!     AccessOffer, Chaining, ChipImage, LengthOffer, ProofOffer, ReadRule, StoredFile,
//! };
//!
//! let directory = StoredFile { content: vec![0x61, 0x00], rule: ReadRule::Free };
//! let mut chip = Chip::new(ChipImage {
//!     atr: vec![0x3B, 0x80, 0x80, 0x01, 0x01],
//!     master_file: BTreeMap::from([(0x2F00, directory)]),
//!     emrtd: BTreeMap::new(),
//!     access: AccessOffer { bac: true, pace: Vec::new(), can: None, mrz_information: String::new() },
//!     proofs: ProofOffer::default(),
//!     lengths: LengthOffer::Short,
//!     chaining: Chaining::Accepted,
//! });
//! // READ BINARY of EF.DIR by its short identifier.
//! assert_eq!(chip.process(&[0x00, 0xB0, 0x9E, 0x00, 0x00]), [0x61, 0x00, 0x90, 0x00]);
//! ```
//!
//! It never panics, whatever it is sent, and never answers fewer than two bytes. It has no logical channels.

mod active_authentication;
mod apdu;
mod bac;
mod chain;
mod chip_authentication;
mod crypto;
mod curve;
mod entropy;
mod files;
mod group;
mod integrated_mapping;
mod modp;
mod pace;
mod script;
mod secure_messaging;
mod terminal_authentication;
mod tlv;

#[cfg(test)]
mod conversations;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod mappings;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod terminals;

use std::collections::BTreeMap;

use cccd_card::StatusWord;

use crate::image::{
    AfterChipAuthentication, Chaining, ChipAuthenticationOffer, ChipImage, LengthOffer, ReadRule,
};
use crate::reader::Card;
use apdu::{Answer, Apdu, Refusal, Reply, Request};
use chain::Chain;
use chip_authentication::Authenticated;
use entropy::Entropy;
use files::{Directory, Selection};
use pace::{Outcome, Pace, Password, Surroundings};
use script::Script;
pub use script::{Departing, Departure, Frame, Status, Under};
use secure_messaging::SecureMessaging;
use terminal_authentication::{Progress, TrustPoints};

/// A chip under power.
pub struct Chip {
    image: ChipImage,
    entropy: Entropy,
    leading_zero: Vec<KeyStep>,
    /// Persistent memory: survives a reset.
    can_tries_left: Option<u8>,
    /// Persistent memory too: link certificates renew it.
    trust_points: TrustPoints,
    commands: u64,
    script: Script,
    session: Session,
}

/// What a reset wipes.
#[derive(Default)]
struct Session {
    selection: Selection,
    challenge: Option<[u8; 8]>,
    pace: Pace,
    /// What MSE:Set AT chose for chip authentication.
    chip_authentication: Option<ChipAuthenticationOffer>,
    secure_messaging: Option<SecureMessaging>,
    /// Data of which more is to come.
    chain: Option<Chain>,
    /// The session that takes over once the answer of this command is out, under the keys of before.
    next: Option<SecureMessaging>,
    /// What terminal authentication knows this chip by: Comp(PK) of its key in PACE, or its document number.
    chip_identifier: Vec<u8>,
    /// Comp(PK) of the ephemeral key the terminal used last to authenticate the chip.
    terminal_key: Option<Vec<u8>>,
    terminal_authentication: Progress,
    /// What chip authentication left, on a chip that does not come through it whole.
    after_chip_authentication: AfterChipAuthentication,
}

/// Where a PACE run agrees a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStep {
    /// The shared point H that maps the generator.
    Mapping,
    /// The shared secret K that the session keys come from.
    Agreement,
}

/// How far a terminal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The master file is selected and nothing was proven.
    Idle,
    /// The eMRTD application is selected and nothing was proven.
    ApplicationSelected,
    /// BAC or PACE went well and the session lives.
    SecureMessaging,
}

/// What can be seen of a chip from outside the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipStatus {
    /// How many commands it has answered since it was made.
    pub commands: u64,
    /// How far the terminal has come.
    pub phase: Phase,
    /// Tries left for the CAN; `None` if it counts for ever or there is no CAN.
    pub can_tries_left: Option<u8>,
}

impl Chip {
    /// A chip with this content, fresh from a reset, that draws from OpenSSL's generator.
    pub fn new(image: ChipImage) -> Self {
        Self::build(image, Entropy::OpenSsl)
    }

    /// The same, where `draw` fills every nonce, challenge and private key.
    ///
    /// The order of draws is that of the protocol. BAC: RND.IC (8 bytes), K.IC (16). PACE: the nonce (16 or
    /// 32), the mapping key, the ephemeral key (each as many bytes as the group order; drawn again while
    /// zero or not below the order). Active authentication with RSA: M1, as long as the key leaves room.
    pub fn with_entropy(image: ChipImage, draw: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        Self::build(image, Entropy::Forced(Box::new(draw)))
    }

    fn build(image: ChipImage, entropy: Entropy) -> Self {
        let can_tries_left = image.access.can.as_ref().and_then(|can| can.tries);
        let trust_points = TrustPoints::new(&image.proofs.terminal_trust_points);
        Self {
            image,
            entropy,
            leading_zero: Vec::new(),
            can_tries_left,
            trust_points,
            commands: 0,
            script: Script::default(),
            session: Session::default(),
        }
    }

    /// The same chip, which does these things otherwise. Of several that are about the same command the first counts.
    pub fn departing(self, departures: Vec<Departure>) -> Self {
        Self { script: Script::new(departures), ..self }
    }

    /// From now on the chip draws its private key of `step` again until the x coordinate of the point it
    /// shares with the terminal begins with a zero byte: the one run in 256 that a terminal gets wrong when
    /// it takes the coordinate for an integer.
    pub fn force_leading_zero(&mut self, step: KeyStep) {
        if !self.leading_zero.contains(&step) {
            self.leading_zero.push(step);
        }
    }

    /// Power off and on: every session is gone, the try counter of the CAN is not.
    pub fn reset(&mut self) {
        self.session = Session::default();
    }

    /// The answer-to-reset a reader reports.
    pub fn atr(&self) -> &[u8] {
        &self.image.atr
    }

    /// What can be seen from outside the protocol.
    pub fn status(&self) -> ChipStatus {
        let phase = match (&self.session.secure_messaging, self.session.selection.directory) {
            (Some(_), _) => Phase::SecureMessaging,
            (None, Directory::Emrtd) => Phase::ApplicationSelected,
            (None, Directory::MasterFile) => Phase::Idle,
        };
        ChipStatus { commands: self.commands, phase, can_tries_left: self.can_tries_left }
    }

    /// What a reader that converses with chips by itself gets of this one: every file of the application that access
    /// control opens, by file identifier.
    pub fn opened_files(&self) -> BTreeMap<u16, Vec<u8>> {
        let opened =
            self.image.emrtd.iter().filter(|(_, file)| file.rule != ReadRule::TerminalAuthentication);
        opened.map(|(identifier, file)| (*identifier, file.content.clone())).collect()
    }

    /// What such a reader gets where it has the chip sign; nothing where the chip would not.
    pub fn signed(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        let offer = self.image.proofs.active_authentication.as_ref().filter(|_| challenge.len() == 8)?;
        active_authentication::sign(offer, challenge, &mut self.entropy).ok()
    }

    /// Answers one command APDU with a whole response APDU.
    pub fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.commands = self.commands.saturating_add(1);
        if self.session.after_chip_authentication == AfterChipAuthentication::Mute {
            return StatusWord(0x6F00).to_bytes().to_vec();
        }
        self.process_or_refuse(command).unwrap_or_else(|refusal| refusal.0.to_bytes().to_vec())
    }

    fn process_or_refuse(&mut self, command: &[u8]) -> Result<Vec<u8>, Refusal> {
        // A wrong length is found before anything else: the session does not notice it, and its counter
        // stays. Chips in the field answer this 6700 bare in the middle of secure messaging.
        let apdu = Apdu::parse(command, self.image.lengths)?;
        let carries = self.longest_field();
        match apdu.cla {
            0x1C if self.image.chaining == Chaining::Unknown => {
                self.session = Session { selection: self.session.selection, ..Session::default() };
                Err(Refusal(StatusWord::CLA_NOT_SUPPORTED))
            }
            0x0C | 0x1C => self.process_protected(&apdu, carries),
            0x00 | 0x10 => {
                // A plain command ends secure messaging (ICAO 9303-11, 9.8.3).
                self.session.secure_messaging = None;
                self.session.chain = None;
                let request = Request {
                    ins: apdu.ins,
                    p1: apdu.p1,
                    p2: apdu.p2,
                    chained: apdu.cla == 0x10,
                    data: apdu.data,
                    le: apdu.le,
                    protected: false,
                    granted: 0,
                    room: carries,
                };
                let departing = self.script.meets(&request);
                let reply = match departing.as_ref().and_then(Departing::instead) {
                    Some(instead) => instead?,
                    None => self.execute(&request)?,
                };
                let reply = departing.map_or(reply.clone(), |departing| departing.change(reply));
                if let Some(next) = self.session.next.take() {
                    self.session.secure_messaging = Some(next);
                }
                Ok(reply.into_bytes())
            }
            other => {
                self.session = Session { selection: self.session.selection, ..Session::default() };
                Err(Refusal(match other {
                    // Secure messaging that authenticates no header: 6882.
                    0x04 | 0x08 | 0x14 | 0x18 => StatusWord(0x6882),
                    // Another logical channel: 6881.
                    0x01..=0x1F => StatusWord(0x6881),
                    _ => StatusWord::CLA_NOT_SUPPORTED,
                }))
            }
        }
    }

    fn process_protected(&mut self, apdu: &Apdu<'_>, carries: usize) -> Result<Vec<u8>, Refusal> {
        // The answer is never empty, so the outer Le must be there and hold a status at least.
        let total = apdu.le.map_or(0, |le| le.limit()).min(carries);
        if !SecureMessaging::carries_status(total) {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        }
        // Taken out: whatever goes wrong below, no session is left.
        let Some(mut secure_messaging) = self.session.secure_messaging.take() else {
            self.session = Session { selection: self.session.selection, ..Session::default() };
            return Err(Refusal(StatusWord::SM_OBJECT_WRONG));
        };
        let uncounted = secure_messaging.clone();
        let opened = secure_messaging.unwrap(apdu)?;
        let before = self.session.chain.take();
        if apdu.cla & 0x10 != 0 {
            // A piece is answered at once; what it belongs to is carried out with the last.
            let taken = match self.image.chaining {
                Chaining::Accepted => Chain::go_on(before, apdu, &opened.data),
                Chaining::Refused | Chaining::Unknown => Err(chain::NOT_SUPPORTED),
            };
            let status = taken.as_ref().map_or_else(|refusal| refusal.0, |_| StatusWord::OK);
            self.session.chain = taken.ok();
            let answer = secure_messaging.wrap(apdu.ins, &Reply::bare(status))?;
            self.session.secure_messaging = Some(secure_messaging);
            return Ok(answer);
        }
        let data = Chain::ended(before, apdu, &opened.data);
        let request = Request {
            ins: apdu.ins,
            p1: apdu.p1,
            p2: apdu.p2,
            chained: false,
            data: &data,
            le: opened.le,
            protected: true,
            granted: self.session.terminal_authentication.granted(),
            room: secure_messaging.room(total, apdu.ins),
        };
        let departing = self.script.meets(&request);
        let reply = match departing.as_ref().and_then(Departing::instead) {
            Some(instead) => instead,
            None => self.execute(&request),
        };
        let mut frame = None;
        match (&departing, &reply) {
            (Some(Departing::Ends(_)), Err(refusal)) => return Err(*refusal),
            (Some(Departing::Bare(_)), Err(refusal)) => {
                self.session.secure_messaging = Some(uncounted);
                return Err(*refusal);
            }
            (Some(Departing::Frame(wrong)), _) => frame = Some(*wrong),
            _ => {}
        }
        let reply = reply.map_or_else(
            |refusal| Reply::bare(refusal.0),
            |reply| departing.map_or(reply.clone(), |departing| departing.change(reply)),
        );
        let answer = match frame {
            None => secure_messaging.wrap(apdu.ins, &reply)?,
            Some(frame) => secure_messaging.wrap_wrongly(apdu.ins, &reply, frame)?,
        };
        self.session.secure_messaging = Some(self.session.next.take().unwrap_or(secure_messaging));
        Ok(answer)
    }

    /// The longest data field this chip puts into an answer.
    fn longest_field(&self) -> usize {
        match self.image.lengths {
            LengthOffer::Short => 256,
            LengthOffer::Extended { max_reply, .. } => max_reply.saturating_sub(2).min(65_536),
        }
    }

    fn execute(&mut self, request: &Request<'_>) -> Answer {
        // A challenge is good for the very next command, and nothing may come between the steps of PACE.
        let challenge = self.session.challenge.take();
        let pace = std::mem::take(&mut self.session.pace);
        let chip_authentication = self.session.chip_authentication.take();
        self.session.next = None;
        if request.chained && request.ins != 0x86 {
            return Err(Refusal(StatusWord(0x6884)));
        }
        match request.ins {
            0xA4 => self.session.selection.select(&self.image, request),
            0xB0 => self.session.selection.read(&self.image, request),
            0xB1 => self.session.selection.read_odd(&self.image, request),
            0x84 => self.get_challenge(request),
            0x82 => self.external_authenticate(request, challenge),
            0x88 => self.internal_authenticate(request),
            0x22 => self.manage_security_environment(request),
            0x2A => self.verify_certificate(request),
            0x86 => match chip_authentication {
                Some(offer) => self.authenticate_chip(request, &offer),
                None => self.general_authenticate(request, pace),
            },
            _ => Err(Refusal(StatusWord::INS_NOT_SUPPORTED)),
        }
    }

    fn get_challenge(&mut self, request: &Request<'_>) -> Answer {
        if request.p1_p2() != 0 {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        if !request.data.is_empty() || !request.le.is_some_and(|le| matches!(le.limit(), 8 | 256 | 65_536)) {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        }
        if self.session.selection.directory != Directory::Emrtd {
            return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
        }
        let challenge = self.entropy.array::<8>()?;
        self.session.challenge = Some(challenge);
        request.answer(challenge.to_vec())
    }

    /// EXTERNAL AUTHENTICATE: BAC, or within a session terminal authentication.
    fn external_authenticate(&mut self, request: &Request<'_>, challenge: Option<[u8; 8]>) -> Answer {
        if request.p1_p2() != 0 {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        if request.protected && !self.image.proofs.terminal_trust_points.is_empty() {
            return self.authenticate_terminal(request, challenge);
        }
        // No BAC inside a session, be it of BAC or of PACE; and none without a challenge of just now.
        let Some(challenge) = challenge.filter(|_| self.image.access.bac && !request.protected) else {
            return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
        };
        let Ok(token) = <&[u8; 40]>::try_from(request.data) else {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        };
        let (answer, opened) = bac::mutual_authenticate(
            &self.image.access.mrz_information,
            challenge,
            token,
            &mut self.entropy,
        )?;
        let reply = request.answer(answer)?;
        // The document number with its check digit: what comes before birth and expiry.
        let information = self.image.access.mrz_information.as_bytes();
        let number = information.split_at_checked(information.len().saturating_sub(14));
        let number = number.map(|(number, _)| number.to_vec()).unwrap_or_default();
        self.open_session(opened, number);
        Ok(reply)
    }

    /// INTERNAL AUTHENTICATE: active authentication.
    fn internal_authenticate(&mut self, request: &Request<'_>) -> Answer {
        self.require_open_application(request)?;
        let Some(offer) = &self.image.proofs.active_authentication else {
            return Err(Refusal(StatusWord::INS_NOT_SUPPORTED));
        };
        if self.session.after_chip_authentication == AfterChipAuthentication::NoActiveAuthentication {
            return Err(Refusal(StatusWord(0x6F00)));
        }
        active_authentication::internal_authenticate(offer, request, &mut self.entropy)
    }

    /// MANAGE SECURITY ENVIRONMENT: which protocol is to run, and with what.
    fn manage_security_environment(&mut self, request: &Request<'_>) -> Answer {
        match request.p1_p2() {
            0xC1A4 => self.choose_pace(request),
            0x41A4 => {
                self.require_open_application(request)?;
                let offer =
                    chip_authentication::choose(&self.image.proofs.chip_authentication, request.data)?;
                self.session.chip_authentication = Some(offer);
                Ok(Reply::bare(StatusWord::OK))
            }
            0x41A6 => {
                self.require_open_application(request)?;
                let offers = &self.image.proofs.chip_authentication;
                let done = chip_authentication::key_agreement_template(offers, request.data)?;
                self.take_over(done);
                Ok(Reply::bare(StatusWord::OK))
            }
            0x81B6 => {
                self.require_authenticated_chip(request)?;
                self.session.terminal_authentication.choose_key(&self.trust_points, request.data)?;
                Ok(Reply::bare(StatusWord::OK))
            }
            0x81A4 => {
                self.require_authenticated_chip(request)?;
                self.session.terminal_authentication.choose_terminal(request.data)?;
                Ok(Reply::bare(StatusWord::OK))
            }
            _ => Err(Refusal(StatusWord::WRONG_P1_P2)),
        }
    }

    /// PERFORM SECURITY OPERATION: Verify Certificate.
    fn verify_certificate(&mut self, request: &Request<'_>) -> Answer {
        if request.p1_p2() != 0x00BE {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        self.require_authenticated_chip(request)?;
        self.session.terminal_authentication.verify_certificate(&mut self.trust_points, request.data)?;
        Ok(Reply::bare(StatusWord::OK))
    }

    /// EXTERNAL AUTHENTICATE within a session.
    fn authenticate_terminal(&mut self, request: &Request<'_>, challenge: Option<[u8; 8]>) -> Answer {
        let key = self.require_authenticated_chip(request)?;
        let challenge = challenge.ok_or(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED))?;
        let signed = [&self.session.chip_identifier, &challenge[..], &key].concat();
        self.session.terminal_authentication.authenticate(&signed, request.data)?;
        Ok(Reply::bare(StatusWord::OK))
    }

    /// Terminals prove themselves to a chip that has done so (ICAO 9303-11, 7.1.2): the key it did so with.
    fn require_authenticated_chip(&self, request: &Request<'_>) -> Result<Vec<u8>, Refusal> {
        self.require_open_application(request)?;
        if self.image.proofs.terminal_trust_points.is_empty() {
            return Err(Refusal(StatusWord::INS_NOT_SUPPORTED));
        }
        self.session.terminal_key.clone().ok_or(Refusal(StatusWord::SECURITY_STATUS))
    }

    /// GENERAL AUTHENTICATE after MSE:Set AT for chip authentication.
    fn authenticate_chip(&mut self, request: &Request<'_>, offer: &ChipAuthenticationOffer) -> Answer {
        if request.p1_p2() != 0 {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        if request.chained {
            return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
        }
        let done = chip_authentication::general_authenticate(offer, request.data)?;
        let reply = request.answer(tlv::object(&[0x7C], &[]))?;
        self.take_over(done);
        Ok(reply)
    }

    /// The keys of chip authentication take over once the answer is out (ICAO 9303-11, 6.2.2).
    fn take_over(&mut self, done: Authenticated) {
        self.session.next = Some(done.session);
        // Rights hang on the session of the key the terminal authenticated (ICAO 9303-11, 7.1.3).
        self.session.terminal_key = Some(done.terminal_key);
        self.session.terminal_authentication = Progress::default();
        self.session.after_chip_authentication = self.image.proofs.after_chip_authentication;
    }

    /// A session from access control: nothing of an earlier one is left.
    fn open_session(&mut self, opened: SecureMessaging, chip_identifier: Vec<u8>) {
        self.session.secure_messaging = Some(opened);
        self.session.chip_identifier = chip_identifier;
        self.session.terminal_key = None;
        self.session.terminal_authentication = Progress::default();
        self.session.after_chip_authentication = AfterChipAuthentication::Works;
    }

    /// What proves the chip lies in the application, behind access control where there is one.
    fn require_open_application(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let guarded = self.image.access.bac || !self.image.access.pace.is_empty();
        if guarded && !request.protected {
            return Err(Refusal(StatusWord::SECURITY_STATUS));
        }
        if self.session.selection.directory != Directory::Emrtd {
            return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
        }
        Ok(())
    }

    /// MSE:Set AT: the start of PACE.
    fn choose_pace(&mut self, request: &Request<'_>) -> Answer {
        if request.protected {
            return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
        }
        let choice = pace::choose(&self.image.access, request.data)?;
        let full = self.image.access.can.as_ref().and_then(|can| can.tries);
        let status = match (choice.password, self.can_tries_left) {
            (Password::Can, Some(left)) if self.can_tries_left < full || left == 0 => tries_left(left),
            _ => StatusWord::OK,
        };
        self.session.pace = match (choice.password, self.can_tries_left) {
            (Password::Can, Some(0)) => Pace::Blocked,
            _ => Pace::Chosen(choice),
        };
        Ok(Reply::bare(status))
    }

    fn general_authenticate(&mut self, request: &Request<'_>, pace: Pace) -> Answer {
        if request.p1_p2() != 0 {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        let mut around = Surroundings {
            access: &self.image.access,
            mapping_keys: &self.image.proofs.mapping_keys,
            authorities: self.trust_points.references(),
            entropy: &mut self.entropy,
            leading_zero: &self.leading_zero,
        };
        match pace.general_authenticate(request.data, request.chained, &mut around)? {
            Outcome::Next(answer, next) => {
                let reply = request.answer(answer)?;
                self.session.pace = next;
                Ok(reply)
            }
            Outcome::Opened(answer, opened) => {
                if opened.password == Password::Can {
                    self.can_tries_left = self.image.access.can.as_ref().and_then(|can| can.tries);
                }
                let reply = request.answer(answer)?;
                self.open_session(opened.session, opened.chip_key);
                self.session.terminal_key = opened.terminal_key;
                Ok(reply)
            }
            Outcome::WrongPassword(Password::Mrz) => Err(Refusal(StatusWord::VERIFICATION_FAILED)),
            Outcome::WrongPassword(Password::Can) => {
                self.can_tries_left = self.can_tries_left.map(|left| left.saturating_sub(1));
                Err(Refusal(self.can_tries_left.map_or(StatusWord::VERIFICATION_FAILED, tries_left)))
            }
        }
    }
}

impl Card for Chip {
    fn atr(&self) -> &[u8] {
        Chip::atr(self)
    }

    fn reset(&mut self) {
        Chip::reset(self);
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        Chip::process(self, command)
    }
}

/// 63Cx: so many tries are left; the field holds no more than 15.
fn tries_left(left: u8) -> StatusWord {
    StatusWord(0x63C0 | u16::from(left.min(15)))
}
