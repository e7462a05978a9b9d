//! A whole reading: which files, in which order, and what became of each.

use std::collections::{BTreeMap, BTreeSet};

use cccd_card::CardChannel;
use cccd_document::{Biometric, DataGroupNumber, EfCom, EfSod, Evidence, FileId, FileOutcome, StationLack};
use rand_core::TryCryptoRng;

use crate::entropy::Source;
use crate::proof::{self, ProofPlan};
use crate::read::{Progress, ReadError, UnlockedChip, outcome_of};
use crate::start::is_about_length;
use crate::terminal_authentication::Terminal;

/// Which files to read, in this order.
///
/// A data group that the chip lists neither in EF.SOD nor in EF.COM is passed over, so that no command is wasted
/// on it. Without either list, every group of the plan is
/// asked for, but DG11 and DG12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPlan {
    files: Vec<FileId>,
    required: BTreeSet<FileId>,
    proofs: ProofPlan,
    known: BTreeMap<FileId, FileOutcome>,
}

/// What happens while a document is read.
#[derive(Debug)]
pub enum ReadStep<'a> {
    /// A file is asked for: all before it are done with.
    Begins(FileId),
    /// More of a file is here.
    Piece(Progress),
    /// A file is done with, one way or another. Nothing of it is judged yet.
    File(FileId, &'a FileOutcome),
}

impl ReadPlan {
    /// These files, if the chip lists them.
    pub fn new(files: impl IntoIterator<Item = FileId>) -> Self {
        Self {
            files: files.into_iter().collect(),
            required: BTreeSet::new(),
            proofs: ProofPlan::none(),
            known: BTreeMap::new(),
        }
    }

    /// All that says who the person is, small and decisive first, the portrait last. Fingers and irises are
    /// not in it: only an authority's terminal may read them.
    pub fn identity() -> Self {
        Self::new([
            FileId::EfCom,
            FileId::EfSod,
            FileId::DG1,
            FileId::DG13,
            FileId::DG14,
            FileId::DG15,
            FileId::DG11,
            FileId::DG12,
            FileId::DG2,
        ])
    }

    /// The same and these, if the chip lists them.
    pub fn and(mut self, files: impl IntoIterator<Item = FileId>) -> Self {
        for file in files {
            if !self.files.contains(&file) {
                self.files.push(file);
            }
        }
        self
    }

    /// The same, and `file` is asked for whatever the chip lists; at the end, if it was not in the plan.
    pub fn requiring(mut self, file: FileId) -> Self {
        if !self.files.contains(&file) {
            self.files.push(file);
        }
        self.required.insert(file);
        self
    }

    /// The same, and the chip is asked for these proofs after its files. The files with the keys for them
    /// are read too, if the chip lists them.
    pub fn proving(mut self, proofs: ProofPlan) -> Self {
        let files: Vec<_> = proofs.files().collect();
        self.proofs = proofs;
        self.and(files)
    }

    /// The same, and goes on from an earlier reading that the card was taken away from: `known` is what was read
    /// then. EF.SOD is read anew. Where it is the same, what it has hashes of is not read a second time: the
    /// hashes hold it to this document, and proofs are asked of the chip that lies there now. Where it is another,
    /// the reading ends with [`ReadError::AnotherDocument`]. Without an EF.SOD in `known` nothing is kept.
    pub fn going_on_from(mut self, known: BTreeMap<FileId, FileOutcome>) -> Self {
        self.known = known;
        self
    }

    /// The group as an earlier reading of the same document has it.
    fn kept(&self, file: FileId, signed: Option<&BTreeSet<DataGroupNumber>>) -> Option<&FileOutcome> {
        let FileId::Dg(number) = file else { return None };
        let outcome = self.known.get(&file)?;
        (signed?.contains(&number) && matches!(outcome, FileOutcome::Read(_))).then_some(outcome)
    }

    /// The files, in order.
    pub fn files(&self) -> &[FileId] {
        &self.files
    }

    /// Whether to ask for `file`, given what the chip lists.
    fn wants(&self, file: FileId, listed: Option<&BTreeSet<DataGroupNumber>>) -> bool {
        match (file, listed) {
            _ if self.required.contains(&file) => true,
            (FileId::Dg(number), Some(listed)) => listed.contains(&number),
            (FileId::DG11 | FileId::DG12, None) => false,
            _ => true,
        }
    }
}

/// Reads the files of `plan`, then asks for its proofs; DG3 and DG4, which chips keep locked, come last.
///
/// A file that is locked or absent is an outcome among the others, and so is a proof that the chip refuses or
/// breaks its session over; an error means that the card left, or that the chip ended or broke the session
/// while its files were read.
pub fn read_document<C: CardChannel, R: TryCryptoRng + ?Sized>(
    chip: &mut UnlockedChip<C>,
    plan: &ReadPlan,
    rng: &mut R,
    tell: &mut dyn FnMut(ReadStep<'_>),
) -> Result<Evidence, ReadError> {
    read_document_as(Err(StationLack::NotSetUp), chip, plan, rng, tell)
}

/// The same for a station that an authority has certified: where DG3 or DG4 is in the plan and the chip lists it,
/// terminal authentication follows the other proofs. Where it comes to nothing, or there is no station, they are
/// asked for all the same, and answered as what they are.
pub fn read_document_as<C: CardChannel, R: TryCryptoRng + ?Sized>(
    station: Result<&Terminal, StationLack>,
    chip: &mut UnlockedChip<C>,
    plan: &ReadPlan,
    rng: &mut R,
    tell: &mut dyn FnMut(ReadStep<'_>),
) -> Result<Evidence, ReadError> {
    let mut files = BTreeMap::new();
    let mut listed = None;
    let mut going_on = None;
    // EF.CardSecurity holds the key that the mapping is judged with. PACE leaves the master file selected, so
    // it costs least before all others.
    let first = chip.mapping().done().map(|_| FileId::CardSecurity);
    let after_proofs = |file: &FileId| Biometric::in_file(*file).is_some();
    for file in first.into_iter().chain(plan.files.iter().copied()).filter(|file| !after_proofs(file)) {
        if files.contains_key(&file) || !plan.wants(file, listed.as_ref()) {
            continue;
        }
        let outcome = match plan.kept(file, going_on.as_ref()) {
            Some(known) => known.clone(),
            None => {
                tell(ReadStep::Begins(file));
                chip.read_with(file, &mut |piece| tell(ReadStep::Piece(piece)))?
            }
        };
        if let FileOutcome::Read(bytes) = &outcome {
            match file {
                FileId::EfCom => add(&mut listed, groups_in_com(bytes)),
                FileId::EfSod => {
                    let signed = groups_in_sod(bytes);
                    if let Some(FileOutcome::Read(known)) = plan.known.get(&file) {
                        if known != bytes {
                            return Err(ReadError::AnotherDocument);
                        }
                        going_on = signed.clone();
                    }
                    add(&mut listed, signed);
                }
                _ => {}
            }
        }
        tell(ReadStep::File(file, &outcome));
        files.insert(file, outcome);
    }
    let mut locked = plan.files.clone();
    locked.retain(|file| after_proofs(file) && plan.wants(*file, listed.as_ref()));
    let station = (!locked.is_empty()).then_some(station);
    let proofs = proof::ask(chip, &plan.proofs, station, &files, &mut Source(rng))?;
    for file in locked {
        if files.contains_key(&file) {
            continue;
        }
        tell(ReadStep::Begins(file));
        let outcome = match chip.read_with(file, &mut |piece| tell(ReadStep::Piece(piece))) {
            Ok(outcome) => outcome,
            // A proof has ended the session: what was read before it stands.
            Err(ReadError::NoSession { .. }) => break,
            // So does it where a chip ends its session over a file that it keeps locked.
            Err(ReadError::SessionEnded { status, .. }) if !is_about_length(status) => outcome_of(status),
            Err(error) => return Err(error),
        };
        tell(ReadStep::File(file, &outcome));
        files.insert(file, outcome);
    }
    Ok(Evidence { access: chip.access().clone(), files, proofs })
}

/// What either file lists is worth a command: a group that only unsigned EF.COM knows is one nobody signed for,
/// and that must show.
fn add(listed: &mut Option<BTreeSet<DataGroupNumber>>, groups: Option<BTreeSet<DataGroupNumber>>) {
    if let Some(groups) = groups {
        listed.get_or_insert_default().extend(groups);
    }
}

/// The groups EF.COM lists. Unsigned: good for nothing but for knowing what is worth a command.
fn groups_in_com(bytes: &[u8]) -> Option<BTreeSet<DataGroupNumber>> {
    let groups = EfCom::parse(bytes).ok()?.groups;
    (!groups.is_empty()).then(|| groups.into_iter().collect())
}

/// The groups whose hashes EF.SOD holds. Whether it is genuine is judged later; a forged list only leaves
/// groups out, and that shows.
fn groups_in_sod(bytes: &[u8]) -> Option<BTreeSet<DataGroupNumber>> {
    let hashes = EfSod::parse(bytes).ok()?.security_object.hashes;
    (!hashes.is_empty()).then(|| hashes.into_keys().collect())
}

#[cfg(test)]
mod tests {
    use cccd_card::tlv::{Tag, encode};
    use cccd_card::{ChannelLimits, Command};
    use cccd_document::{AccessProtocol, AccessRun, Cipher, PasswordKind, TerminalAuthentication};

    use super::*;
    use crate::read::Application;
    use crate::testing::{Files, Fixed, FixedRng, Says, Script, chip_in_session, hex, session};

    fn opened<'a>(answer: impl FnMut(&Command) -> Says + Send + 'a) -> UnlockedChip<Script<'a>> {
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        UnlockedChip::new(
            chip_in_session(Cipher::TripleDes, answer),
            session(Cipher::TripleDes),
            access,
            ChannelLimits::SHORT,
            Application::Selected,
        )
    }

    fn group(file: FileId) -> (u16, Vec<u8>) {
        (file.fid(), encode(file.tag().unwrap(), &[0x5A; 300]))
    }

    fn com(tags: &str) -> (u16, Vec<u8>) {
        (FileId::EfCom.fid(), encode(Tag(0x60), &encode(Tag(0x5C), &hex(tags))))
    }

    /// Reading draws nothing.
    fn no_draws() -> FixedRng {
        FixedRng(Fixed::new(&[]))
    }

    fn names(evidence: &Evidence) -> Vec<String> {
        evidence.files.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn groups_that_are_not_listed_cost_no_command() {
        // EF.SOD is no signed message here, so the list is that of EF.COM: DG1, DG2, DG3, DG13.
        let dg1 = encode(Tag(0x61), &[0x41; 90]);
        let mut files = Files::new(&[
            com("61 75 63 6D"),
            (FileId::EfSod.fid(), hex("7700")),
            (0x0101, dg1),
            group(FileId::DG2),
            group(FileId::DG13),
            group(FileId::DG15),
        ]);
        let mut asked = Vec::new();
        let evidence = {
            let mut chip = opened(|command| {
                asked.push(command.header());
                files.answer(command)
            });
            read_document(&mut chip, &ReadPlan::identity(), &mut no_draws(), &mut |_| {}).unwrap()
        };
        assert_eq!(names(&evidence), ["EF.COM", "EF.SOD", "EF.DG1", "EF.DG2", "EF.DG13"]);
        assert!(evidence.files.values().all(|outcome| matches!(outcome, FileOutcome::Read(_))));
        let starts: Vec<u8> =
            asked.iter().map(|header| header[2]).filter(|p1| p1 & 0x80 != 0).map(|p1| p1 & 0x1F).collect();
        assert_eq!(starts, [0x1E, 0x1D, 1, 13, 2]);
    }

    #[test]
    fn without_any_list_all_but_the_rare_groups_are_tried() {
        let mut files = Files::new(&[group(FileId::DG13), group(FileId::DG2)]);
        let mut chip = opened(|command| files.answer(command));
        let evidence = read_document(&mut chip, &ReadPlan::identity(), &mut no_draws(), &mut |_| {}).unwrap();
        let expected = ["EF.COM", "EF.SOD", "EF.DG1", "EF.DG2", "EF.DG13", "EF.DG14", "EF.DG15"];
        assert_eq!(names(&evidence), expected);
        assert!(matches!(evidence.files[&FileId::EfSod], FileOutcome::Absent(_)));
        assert!(evidence.bytes(FileId::DG13).is_some());
    }

    #[test]
    fn what_is_required_is_asked_for_whatever_the_list() {
        let mut files = Files::new(&[com("61"), group(FileId::DG11)]);
        let mut chip = opened(|command| match command.header() {
            [_, 0xB0, 0x83, _] => Says::Protected(vec![], 0x6982),
            _ => files.answer(command),
        });
        let plan = ReadPlan::new([FileId::EfCom]).requiring(FileId::DG11).requiring(FileId::DG3);
        assert_eq!(plan.files(), [FileId::EfCom, FileId::DG11, FileId::DG3]);
        let evidence = read_document(&mut chip, &plan, &mut no_draws(), &mut |_| {}).unwrap();
        assert!(evidence.bytes(FileId::DG11).is_some());
        assert!(matches!(evidence.files[&FileId::DG3], FileOutcome::Locked(_)));
    }

    #[test]
    fn a_session_that_ends_over_a_locked_file_costs_nothing_of_what_was_read() {
        let mut files = Files::new(&[com("61 63 76"), group(FileId::DG11)]);
        let mut chip = opened(|command| match command.header() {
            [_, 0xB0, 0x83, _] => Says::Naked(0x6982),
            _ => files.answer(command),
        });
        // Whatever their place in the plan, they come last.
        let plan = ReadPlan::new([FileId::EfCom, FileId::DG3, FileId::DG4]).requiring(FileId::DG11);
        let evidence = read_document(&mut chip, &plan, &mut no_draws(), &mut |_| {}).unwrap();
        assert!(evidence.bytes(FileId::DG11).is_some());
        assert!(matches!(evidence.files[&FileId::DG3], FileOutcome::Locked(_)));
        assert!(!evidence.files.contains_key(&FileId::DG4), "there was no session left to ask in");
        let lack = TerminalAuthentication::NoStation(StationLack::NotSetUp);
        assert_eq!(evidence.proofs.terminal_authentication, lack);
    }

    #[test]
    fn a_dead_session_ends_the_reading() {
        let mut files = Files::new(&[com("61 75"), group(FileId::DG2)]);
        let mut chip = opened(|command| match command.header() {
            [_, 0xB0, 0x82, _] => Says::Naked(0x6988),
            _ => files.answer(command),
        });
        let ended = read_document(&mut chip, &ReadPlan::identity(), &mut no_draws(), &mut |_| {});
        assert!(matches!(ended, Err(ReadError::SessionEnded { file: FileId::DG2, .. })), "{ended:?}");
    }
}
