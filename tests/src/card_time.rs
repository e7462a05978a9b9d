//! How long a person waits: readings against the timing model of the simulator, with the clock added up, and beside
//! each the least that any terminal could take.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cccd_card::{CardChannel, ChannelLimits};
use cccd_document::{AccessKey, AccessProtocol, Cipher, FileId, FileOutcome};
use cccd_emrtd::{CardShape, Challenge, LockedChip, Metered, ProofPlan, ReadPlan, ReadStep, read_document};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::{ChipImage, LengthOffer};
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::in_process::DirectChannel;
use cccd_firmware_sim::timing::{ReadingClock, Timed, Timing};

use crate::judged::{can, mrz};

/// How the chip is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// PACE with the card access number.
    PaceCan,
    /// PACE with the MRZ.
    PaceMrz,
    /// BAC, on a chip that has no PACE.
    Bac,
}

impl Access {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PaceCan, Self::PaceMrz, Self::Bac];

    /// For a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaceCan => "PACE, CAN",
            Self::PaceMrz => "PACE, MRZ",
            Self::Bac => "BAC",
        }
    }
}

/// How much is asked for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// What the agent does by itself, on a reader that carries extended lengths.
    Agents,
    /// What the agent does by itself, on a reader that carries none.
    AgentsOnShortReader,
    /// Never more than this in one reply APDU, in commands of the form it takes.
    AtMost(usize),
}

impl Strategy {
    /// Those of the table.
    pub const ALL: [Self; 8] = [
        Self::AtMost(96),
        Self::AtMost(128),
        Self::AtMost(192),
        Self::AgentsOnShortReader,
        Self::AtMost(512),
        Self::AtMost(1024),
        Self::AtMost(4096),
        Self::Agents,
    ];

    /// For a table.
    pub fn name(self) -> String {
        match self {
            Self::Agents => "extended, as much as there is: the agent's".to_owned(),
            Self::AgentsOnShortReader => "short, 256: the agent's where nothing longer passes".to_owned(),
            Self::AtMost(most @ ..=256) => format!("short, {most}"),
            Self::AtMost(most) => format!("extended, {most}"),
        }
    }

    /// Whether the agent would do so by itself.
    pub fn is_agents(self) -> bool {
        !matches!(self, Self::AtMost(_))
    }

    /// What the reader carries, as far as it is held against the bound.
    fn reader(self) -> ChannelLimits {
        match self {
            Self::Agents | Self::AtMost(257..) => ChannelLimits::EXTENDED,
            Self::AgentsOnShortReader | Self::AtMost(_) => ChannelLimits::SHORT,
        }
    }

    fn limits(self) -> ChannelLimits {
        match self {
            Self::AtMost(max_reply) => ChannelLimits { max_reply, ..self.reader() },
            _ => self.reader(),
        }
    }
}

/// When something was there, and the least that takes.
#[derive(Debug, Clone, Copy)]
pub struct Milestone {
    /// What the reading took, the chip's computing included.
    pub took: Duration,
    /// What of it the chip computed.
    pub chip: Duration,
    /// The least any terminal could take on this reader, without the chip's computing: bytes over the bit rate, and
    /// commands times their overhead.
    pub bound: Duration,
}

impl Milestone {
    /// How much more than the bound it took, the chip's computing left out on both sides.
    pub fn ratio(&self) -> f64 {
        (self.took - self.chip).as_secs_f64() / self.bound.as_secs_f64()
    }
}

/// One reading.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Who the person is: the face begins to be read.
    pub identity: Milestone,
    /// The face is here.
    pub portrait: Milestone,
    /// The chip has given its proofs: all that a verdict needs.
    pub proofs: Milestone,
    /// Commands in all.
    pub commands: u64,
    /// Bytes of APDUs both ways.
    pub bytes: u64,
}

/// A card to be timed.
pub struct Subject {
    card: CardDescription,
    image: ChipImage,
}

impl Subject {
    /// A chip of this card.
    pub fn new(card: CardDescription) -> Result<Self> {
        let image = personalise(&card, &Issuer::new()?)?;
        Ok(Self { card, image })
    }

    /// Reads it, the first card of its make on that reader.
    pub fn read(&self, access: Access, strategy: Strategy, timing: Timing) -> Result<Run> {
        Ok(self.read_knowing(access, strategy, timing, None)?.0)
    }

    /// Reads it as the next card of a make that was read before.
    pub fn read_next(&self, access: Access, strategy: Strategy, timing: Timing) -> Result<Run> {
        let (_, shape) = self.read_knowing(access, strategy, timing, None)?;
        Ok(self.read_knowing(access, strategy, timing, shape)?.0)
    }

    fn read_knowing(
        &self,
        access: Access,
        strategy: Strategy,
        timing: Timing,
        known: Option<CardShape>,
    ) -> Result<(Run, Option<CardShape>)> {
        let mut image = self.image.clone();
        let key = match access {
            Access::PaceCan => can(&self.card)?,
            Access::PaceMrz | Access::Bac => mrz(&self.card)?,
        };
        if access == Access::Bac {
            // As before PACE: no EF.CardAccess.
            image.access.pace.clear();
            image.master_file.remove(&FileId::CardAccess.fid());
        }
        if !strategy.reader().allow_extended() {
            image.lengths = LengthOffer::Short;
        }
        let atr_info = image.master_file.get(&FileId::AtrInfo.fid()).map_or(0, |file| file.content.len());
        let is_first = known.is_none();
        let clock = ReadingClock::added_up();
        let card = Timed::new(Chip::new(image), timing, clock.clone());
        let mut channel = Metered::new(DirectChannel::new(card, strategy.reader())?);
        let (identity, portrait, evidence, shape) = read(&mut channel, strategy, key, &clock, known)?;
        let traffic = channel.traffic();

        let is_pace = matches!(evidence.access.protocol, AccessProtocol::Pace(_));
        ensure!(is_pace == (access != Access::Bac), "opened by {:?}", evidence.access.protocol);
        let must_be_asked = (is_first && strategy.reader().allow_extended()).then_some(atr_info);
        let least = Least::of(&evidence, strategy.reader(), must_be_asked, timing);
        let milestone = |at: At, bound| Milestone { took: at.now, chip: at.chip, bound };
        let end = At::of(&clock);
        let run = Run {
            identity: milestone(identity.context("DG2 was never begun")?, least.identity),
            portrait: milestone(portrait.context("DG2 was never read")?, least.portrait),
            proofs: milestone(end, least.proofs),
            commands: traffic.commands,
            bytes: traffic.bytes_sent + traffic.bytes_received,
        };
        Ok((run, shape))
    }
}

#[derive(Clone, Copy)]
struct At {
    now: Duration,
    chip: Duration,
}

impl At {
    fn of(clock: &ReadingClock) -> Self {
        Self { now: clock.now(), chip: clock.of_chip() }
    }
}

type Read = (Option<At>, Option<At>, cccd_document::Evidence, Option<CardShape>);

fn read<C: CardChannel>(
    channel: &mut C,
    strategy: Strategy,
    key: AccessKey,
    clock: &ReadingClock,
    known: Option<CardShape>,
) -> Result<Read> {
    let (mut identity, mut portrait) = (None, None);
    let chip = LockedChip::new(channel).limited_to(strategy.limits());
    let chip = match known {
        Some(shape) => chip.known_as([shape]),
        None => chip,
    };
    let mut chip = chip.unlock(&[key], &mut getrandom::SysRng).context("unlocking")?;
    let plan = ReadPlan::identity().proving(ProofPlan::all(Challenge::Drawn));
    let evidence = read_document(&mut chip, &plan, &mut getrandom::SysRng, &mut |step| match step {
        ReadStep::Begins(FileId::DG2) => identity = Some(At::of(clock)),
        ReadStep::File(FileId::DG2, _) => portrait = Some(At::of(clock)),
        _ => {}
    })
    .context("reading")?;
    Ok((identity, portrait, evidence, chip.shape()))
}

/// What no terminal can do without: each command once, each file in as few as its length allows, and nothing asked
/// that is not needed.
///
/// Every reading begins with a look for EF.CardAccess (ICAO 9303-11, 4.2), and on a chip without it that is one command
/// too: nothing else may tell a terminal to open the chip by BAC. A card whose make was never met has to say what lengths
/// it takes before they are used, which is one reading of EF.ATR/INFO (ICAO 9303-10, 3.6); where the make is known, that
/// is left out.
struct Least {
    identity: Duration,
    portrait: Duration,
    proofs: Duration,
}

/// Protected READ BINARY beside its data (ICAO 9303-11, 9.8): header, Lc, DO97, DO8E, Le.
const READ_COMMAND: usize = 4 + 1 + 3 + 10 + 1;
/// Its answer beside the data: the header of DO87, its padding indicator, DO99, DO8E, the status.
const READ_ANSWER: usize = 2 + 1 + 4 + 10 + 2;
/// A protected command with nothing to say and its answer.
const BARE: usize = READ_COMMAND + 4 + 10 + 2;

impl Least {
    fn of(
        evidence: &cccd_document::Evidence,
        reader: ChannelLimits,
        atr_info: Option<usize>,
        timing: Timing,
    ) -> Self {
        let mut spent = Spent { timing, commands: 0, bytes: 0 };
        // READ BINARY with a short identifier: the file, or the status that it is not there.
        let card_access = evidence.access.card_access.as_ref().map_or(0, |file| file.len());
        for file in [card_access].into_iter().chain(atr_info) {
            spent.exchange(5 + file + 2);
        }
        let cipher = match evidence.access.protocol {
            AccessProtocol::Bac => {
                // SELECT of the application, GET CHALLENGE, EXTERNAL AUTHENTICATE.
                spent.exchange(12 + 2);
                spent.exchange(5 + 10);
                spent.exchange(46 + 42);
                Cipher::TripleDes
            }
            AccessProtocol::ByReader => Cipher::TripleDes,
            AccessProtocol::Pace(pace) => {
                // MSE:Set AT, the nonce, two public keys each way, the tokens; SELECT.
                spent.exchange(5 + 15 + 2);
                spent.exchange(8 + 20 + 2);
                for _ in 0..2 {
                    spent.exchange(2 * (5 + 4 + 65));
                }
                spent.exchange(2 * (5 + 4 + 8));
                spent.exchange(BARE + 7);
                pace.cipher
            }
        };
        // What a reply carries: everything, or what fits into 256 bytes beside the objects of secure messaging.
        let block = if cipher == Cipher::TripleDes { 8 } else { 16 };
        let short = (256 - 3 - 1 - 4 - 10) / block * block - 1;
        let room = if reader.allow_extended() { usize::MAX } else { short };
        for (file, outcome) in &evidence.files {
            if let (true, FileOutcome::Read(bytes)) = (*file != FileId::DG2, outcome) {
                spent.file(bytes.len(), room);
            }
        }
        let identity = spent.time();
        if let Some(FileOutcome::Read(bytes)) = evidence.files.get(&FileId::DG2) {
            spent.file(bytes.len(), room);
        }
        let portrait = spent.time();
        if evidence.proofs.chip_authentication.done().is_some() {
            // MSE:Set AT, GENERAL AUTHENTICATE, and one exchange that proves it.
            spent.exchange(BARE + 12);
            spent.exchange(BARE + 65);
            spent.exchange(BARE);
        }
        if evidence.proofs.active_authentication.done().is_some() {
            spent.exchange(BARE + 8 + 64);
        }
        Self { identity, portrait, proofs: spent.time() }
    }
}

struct Spent {
    timing: Timing,
    commands: u32,
    bytes: usize,
}

impl Spent {
    fn exchange(&mut self, bytes: usize) {
        self.commands += 1;
        self.bytes += bytes;
    }

    fn file(&mut self, length: usize, room: usize) {
        let commands = length.div_ceil(room);
        self.commands += u32::try_from(commands).unwrap_or(u32::MAX);
        self.bytes += length + commands * (READ_COMMAND + READ_ANSWER);
    }

    fn time(&self) -> Duration {
        self.timing.bit_rate.bytes(self.bytes) + self.timing.per_command * self.commands
    }
}
