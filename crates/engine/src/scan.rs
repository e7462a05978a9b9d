//! Scans: whose they are, how long they live, and that each leaves once.
//!
//! A code that a caller posts is the caller's. A code from a scanner is nobody's until somebody with the right to
//! scanners takes it: the first who fetches it or opens a chip with it has it from then on, and every other is
//! told that it is taken. Whoever has it may open chips with it until it is wiped, and may fetch it once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cccd_card::ScannerId;
use cccd_document::{AccessInputError, AccessPlan, QrPayload};
use time::OffsetDateTime;

use crate::{CallerId, ScanId};

/// How many scans of all scanners, and of each caller, are kept at once: the oldest goes first.
const MOST_SCANS: usize = 32;
/// How long the name of a scan that was wiped is remembered, so that its owner hears "expired" and not "unknown".
const REMEMBER: Duration = Duration::from_secs(600);
/// How many such names at most.
const REMEMBER_AT_MOST: usize = 1024;

/// A scanned code, handed out.
#[derive(Debug)]
pub struct Scan {
    /// Its name.
    pub id: ScanId,
    /// The scanner; `None` for one that a caller posted.
    pub scanner: Option<ScannerId>,
    /// When it came.
    pub received: OffsetDateTime,
    /// What it says.
    pub payload: QrPayload,
}

/// Which scans a caller may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanReach {
    /// Those it posted itself.
    Own,
    /// Those of the scanners too.
    Scanners,
}

/// Why there is no scan to hand out or to open a chip with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanNotHere {
    /// No scan of this name, or none that this caller could ever have.
    #[error("no such scan")]
    Unknown,
    /// It is from a scanner, and this caller may have none of those.
    #[error("scans of scanners are not for this caller")]
    OutOfReach,
    /// Another caller has it, or this one has had its text.
    #[error("scan is taken")]
    Taken,
    /// It has been wiped.
    #[error("scan has been wiped")]
    Expired,
    /// It opens no chip.
    #[error(transparent)]
    NoKey(AccessInputError),
}

/// All scans there are.
pub(crate) struct Scans {
    keep: Duration,
    kept: HashMap<ScanId, Kept>,
    /// Counts those that came.
    arrived: u64,
    /// Wiped, oldest first.
    gone: VecDeque<Gone>,
}

struct Kept {
    scan: Arc<Scan>,
    holder: Holder,
    text: Text,
    /// Its place among those that came.
    place: u64,
    /// Whether a reading that began by itself has had it.
    is_spent: bool,
    wiped_at: Instant,
}

/// Who a scan belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holder {
    /// It was posted, and the others never hear of it.
    Poster(CallerId),
    /// It came from a scanner, and nobody has asked for it yet.
    Nobody,
    /// It came from a scanner, and this caller was the first.
    First(CallerId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Here,
    HandedOut,
}

struct Gone {
    id: ScanId,
    holder: Holder,
    since: Instant,
}

impl Holder {
    /// Whether `caller` may have what belongs to this holder.
    fn admits(&self, caller: &CallerId, reach: ScanReach) -> Result<(), ScanNotHere> {
        match self {
            Self::Poster(poster) if poster == caller => Ok(()),
            // As unknown as one that never was.
            Self::Poster(_) => Err(ScanNotHere::Unknown),
            _ if reach == ScanReach::Own => Err(ScanNotHere::OutOfReach),
            Self::Nobody => Ok(()),
            Self::First(first) if first == caller => Ok(()),
            Self::First(_) => Err(ScanNotHere::Taken),
        }
    }

    fn is_posted(&self) -> bool {
        matches!(self, Self::Poster(_))
    }
}

impl Scans {
    /// None yet; each is wiped after `keep`.
    pub(crate) fn kept_for(keep: Duration) -> Self {
        Self { keep, kept: HashMap::new(), arrived: 0, gone: VecDeque::new() }
    }

    /// Takes a code from a scanner.
    pub(crate) fn scanned(&mut self, scan: Scan, now: Instant) {
        self.keep(scan, Holder::Nobody, Text::Here, now);
    }

    /// Takes a code that `poster` posted, and hears of in the same moment.
    pub(crate) fn posted(&mut self, scan: Scan, poster: CallerId, now: Instant) -> Arc<Scan> {
        self.keep(scan, Holder::Poster(poster), Text::HandedOut, now)
    }

    fn keep(&mut self, scan: Scan, holder: Holder, text: Text, now: Instant) -> Arc<Scan> {
        let beside = |other: &Holder| match &holder {
            Holder::Poster(_) => *other == holder,
            Holder::Nobody | Holder::First(_) => !other.is_posted(),
        };
        let mut of_the_same: Vec<(Instant, ScanId)> = self
            .kept
            .iter()
            .filter(|(_, kept)| beside(&kept.holder))
            .map(|(id, kept)| (kept.wiped_at, *id))
            .collect();
        of_the_same.sort_unstable();
        let too_many = (of_the_same.len() + 1).saturating_sub(MOST_SCANS);
        for (_, oldest) in of_the_same.into_iter().take(too_many) {
            self.wipe(oldest, now);
        }
        let scan = Arc::new(scan);
        self.arrived += 1;
        let kept = Kept {
            scan: Arc::clone(&scan),
            holder,
            text,
            place: self.arrived,
            is_spent: false,
            wiped_at: now + self.keep,
        };
        self.kept.insert(scan.id, kept);
        scan
    }

    /// Hands the text to `caller`, who has it from then on; once.
    pub(crate) fn fetch(
        &mut self,
        caller: &CallerId,
        reach: ScanReach,
        id: ScanId,
    ) -> Result<Arc<Scan>, ScanNotHere> {
        let kept = self.admitted(caller, reach, id)?;
        if kept.text == Text::HandedOut {
            return Err(ScanNotHere::Taken);
        }
        kept.text = Text::HandedOut;
        kept.belong_to(caller);
        Ok(Arc::clone(&kept.scan))
    }

    /// What opens a chip with it. One that opens none stays whose it is.
    pub(crate) fn access(
        &mut self,
        caller: &CallerId,
        reach: ScanReach,
        id: ScanId,
    ) -> Result<AccessPlan, ScanNotHere> {
        let kept = self.admitted(caller, reach, id)?;
        let plan = AccessPlan::of_scan(&kept.scan.payload).map_err(ScanNotHere::NoKey)?;
        kept.belong_to(caller);
        Ok(plan)
    }

    /// The newest scan that opens a chip and that `caller` may have, with what opens the chip; it is the caller's, and
    /// spent, from then on. None where it is spent already: an earlier one is of somebody who has been here before. Of the
    /// scanners only `scanner` counts, where there is one; where there is `only`, it must be that very scan.
    pub(crate) fn take_newest(
        &mut self,
        caller: &CallerId,
        reach: ScanReach,
        scanner: Option<&ScannerId>,
        only: Option<ScanId>,
    ) -> Option<(ScanId, AccessPlan)> {
        let here = |scan: &Scan| match (&scan.scanner, scanner) {
            (Some(of), Some(wanted)) => of == wanted,
            (None, _) | (_, None) => true,
        };
        let (newest, plan) = self
            .kept
            .values_mut()
            .filter(|kept| here(&kept.scan) && kept.holder.admits(caller, reach).is_ok())
            .filter_map(|kept| AccessPlan::of_scan(&kept.scan.payload).ok().map(|plan| (kept, plan)))
            .max_by_key(|(kept, _)| kept.place)?;
        if newest.is_spent || only.is_some_and(|only| only != newest.scan.id) {
            return None;
        }
        newest.is_spent = true;
        newest.belong_to(caller);
        Some((newest.scan.id, plan))
    }

    /// It was not of use, and may be taken again.
    pub(crate) fn give_back(&mut self, id: ScanId) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.is_spent = false;
        }
    }

    /// It opens no further chip by itself.
    pub(crate) fn spend(&mut self, id: ScanId) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.is_spent = true;
        }
    }

    /// Neither it nor another scan of the same code opens a further chip by itself: scanners that are held before a code
    /// for long tell it several times.
    pub(crate) fn spend_alike(&mut self, id: ScanId) {
        let Some(scan) = self.kept.get(&id).map(|kept| Arc::clone(&kept.scan)) else { return };
        for kept in self.kept.values_mut().filter(|kept| kept.scan.payload == scan.payload) {
            kept.is_spent = true;
        }
    }

    /// Whether two scans are of the same code.
    pub(crate) fn say_the_same(&self, one: ScanId, other: ScanId) -> bool {
        let payload = |id| self.kept.get(&id).map(|kept: &Kept| &kept.scan.payload);
        payload(one).is_some_and(|said| payload(other) == Some(said))
    }

    /// Wipes it before its time.
    pub(crate) fn dismiss(
        &mut self,
        caller: &CallerId,
        reach: ScanReach,
        id: ScanId,
        now: Instant,
    ) -> Result<(), ScanNotHere> {
        let kept = match self.admitted(caller, reach, id) {
            // Doing it again does no harm.
            Err(ScanNotHere::Expired) => return Ok(()),
            admitted => admitted?,
        };
        kept.belong_to(caller);
        self.wipe(id, now);
        Ok(())
    }

    /// Wipes what `caller` has.
    pub(crate) fn forget(&mut self, caller: &CallerId, now: Instant) {
        let theirs =
            |holder: &Holder| matches!(holder, Holder::Poster(of) | Holder::First(of) if of == caller);
        let theirs: Vec<ScanId> =
            self.kept.iter().filter(|(_, kept)| theirs(&kept.holder)).map(|(id, _)| *id).collect();
        for id in theirs {
            self.wipe(id, now);
        }
    }

    fn admitted(
        &mut self,
        caller: &CallerId,
        reach: ScanReach,
        id: ScanId,
    ) -> Result<&mut Kept, ScanNotHere> {
        match self.kept.get_mut(&id) {
            Some(kept) => kept.holder.admits(caller, reach).map(|()| kept),
            None => {
                let gone = self.gone.iter().find(|gone| gone.id == id).ok_or(ScanNotHere::Unknown)?;
                gone.holder.admits(caller, reach)?;
                Err(ScanNotHere::Expired)
            }
        }
    }

    fn wipe(&mut self, id: ScanId, now: Instant) {
        // Whoever is sending it out at this moment holds the last copy; it is wiped with that.
        if let Some(kept) = self.kept.remove(&id) {
            self.gone.push_back(Gone { id, holder: kept.holder, since: now });
        }
    }

    /// When the next one is to be wiped.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.kept.values().map(|kept| kept.wiped_at).min()
    }

    /// Wipes what is over, and forgets what was wiped long ago.
    pub(crate) fn keep_deadlines(&mut self, now: Instant) {
        let due: Vec<ScanId> =
            self.kept.iter().filter(|(_, kept)| kept.wiped_at <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.wipe(id, now);
        }
        while let Some(gone) = self.gone.front() {
            if now.duration_since(gone.since) < REMEMBER && self.gone.len() <= REMEMBER_AT_MOST {
                break;
            }
            self.gone.pop_front();
        }
    }
}

impl Kept {
    fn belong_to(&mut self, caller: &CallerId) {
        if self.holder == Holder::Nobody {
            self.holder = Holder::First(caller.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(90);
    const CARD: &[u8] = b"000090123456||A|1990|Nam|B|15032022";

    struct Bench {
        scans: Scans,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { scans: Scans::kept_for(KEEP), now: Instant::now() }
        }

        fn scan(bytes: &[u8], scanner: Option<&str>) -> Scan {
            Scan {
                id: ScanId::draw().unwrap(),
                scanner: scanner.map(ScannerId::from_name),
                received: OffsetDateTime::UNIX_EPOCH,
                payload: QrPayload::parse(bytes),
            }
        }

        fn scanned(&mut self, bytes: &[u8]) -> ScanId {
            let scan = Self::scan(bytes, Some("Desk"));
            let id = scan.id;
            self.scans.scanned(scan, self.now);
            id
        }

        fn posted(&mut self, poster: &CallerId) -> ScanId {
            self.scans.posted(Self::scan(CARD, None), poster.clone(), self.now).id
        }

        fn fetch(&mut self, caller: &CallerId, id: ScanId) -> Result<(), ScanNotHere> {
            self.scans.fetch(caller, ScanReach::Scanners, id).map(drop)
        }

        fn access(&mut self, caller: &CallerId, id: ScanId) -> Result<(), ScanNotHere> {
            self.scans.access(caller, ScanReach::Scanners, id).map(drop)
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
            self.scans.keep_deadlines(self.now);
        }
    }

    fn two() -> (CallerId, CallerId) {
        (CallerId::new("clinic"), CallerId::new("lodging"))
    }

    #[test]
    fn the_first_to_fetch_has_it_and_the_text_leaves_once() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let id = bench.scanned(CARD);
        assert_eq!(bench.fetch(&clinic, id), Ok(()));
        assert_eq!(bench.fetch(&clinic, id), Err(ScanNotHere::Taken));
        assert_eq!(bench.fetch(&lodging, id), Err(ScanNotHere::Taken));
        assert_eq!(bench.access(&lodging, id), Err(ScanNotHere::Taken));
        // A card that was lifted too early is read again without another scan.
        assert_eq!(bench.access(&clinic, id), Ok(()));
        assert_eq!(bench.access(&clinic, id), Ok(()));
    }

    #[test]
    fn what_a_caller_has_is_wiped_with_the_caller_and_nothing_else() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let (taken, posted) = (bench.scanned(CARD), bench.posted(&clinic));
        bench.access(&clinic, taken).unwrap();
        let (free, others) = (bench.scanned(CARD), bench.posted(&lodging));
        bench.scans.forget(&clinic, bench.now);
        assert_eq!(bench.access(&clinic, taken), Err(ScanNotHere::Expired));
        assert_eq!(bench.access(&clinic, posted), Err(ScanNotHere::Expired));
        assert_eq!(bench.access(&lodging, free), Ok(()));
        assert_eq!(bench.access(&lodging, others), Ok(()));
    }

    #[test]
    fn the_first_to_open_a_chip_with_it_has_it_and_may_fetch_it() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let id = bench.scanned(CARD);
        assert_eq!(bench.access(&lodging, id), Ok(()));
        assert_eq!(bench.fetch(&clinic, id), Err(ScanNotHere::Taken));
        assert_eq!(bench.fetch(&lodging, id), Ok(()));
    }

    #[test]
    fn what_opens_no_chip_stays_nobodys() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let id = bench.scanned(b"https://example.vn");
        assert_eq!(bench.access(&clinic, id), Err(ScanNotHere::NoKey(AccessInputError::UnknownQr)));
        assert_eq!(bench.fetch(&lodging, id), Ok(()));
    }

    #[test]
    fn what_was_posted_is_the_posters_alone_and_has_left_already() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let id = bench.posted(&clinic);
        assert_eq!(bench.fetch(&clinic, id), Err(ScanNotHere::Taken));
        assert_eq!(bench.scans.access(&clinic, ScanReach::Own, id).map(drop), Ok(()));
        for reach in [ScanReach::Own, ScanReach::Scanners] {
            assert_eq!(bench.scans.access(&lodging, reach, id).map(drop), Err(ScanNotHere::Unknown));
            assert_eq!(bench.scans.dismiss(&lodging, reach, id, bench.now), Err(ScanNotHere::Unknown));
        }
        bench.pass(KEEP);
        assert_eq!(bench.access(&lodging, id), Err(ScanNotHere::Unknown));
        assert_eq!(bench.access(&clinic, id), Err(ScanNotHere::Expired));
    }

    #[test]
    fn without_the_right_to_scanners_there_are_none() {
        let (mut bench, (clinic, _)) = (Bench::new(), two());
        let id = bench.scanned(CARD);
        let own = ScanReach::Own;
        assert_eq!(bench.scans.fetch(&clinic, own, id).map(drop), Err(ScanNotHere::OutOfReach));
        assert_eq!(bench.scans.access(&clinic, own, id).map(drop), Err(ScanNotHere::OutOfReach));
        assert_eq!(bench.scans.dismiss(&clinic, own, id, bench.now), Err(ScanNotHere::OutOfReach));
        assert_eq!(bench.fetch(&clinic, id), Ok(()));
    }

    #[test]
    fn a_scan_is_wiped_in_time_and_remembered_for_a_while() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let (first, dismissed) = (bench.scanned(CARD), bench.scanned(CARD));
        let payload = Arc::downgrade(&bench.scans.kept[&first].scan);
        assert_eq!(bench.scans.next_deadline(), Some(bench.now + KEEP));
        assert_eq!(bench.scans.dismiss(&clinic, ScanReach::Scanners, dismissed, bench.now), Ok(()));
        assert_eq!(bench.scans.dismiss(&clinic, ScanReach::Scanners, dismissed, bench.now), Ok(()));
        assert_eq!(bench.fetch(&clinic, dismissed), Err(ScanNotHere::Expired));
        assert_eq!(bench.fetch(&lodging, dismissed), Err(ScanNotHere::Taken));
        bench.pass(KEEP);
        assert!(payload.upgrade().is_none(), "nobody keeps what it said");
        assert_eq!(bench.fetch(&lodging, first), Err(ScanNotHere::Expired));
        assert_eq!(bench.scans.next_deadline(), None);
        bench.pass(REMEMBER);
        assert_eq!(bench.fetch(&lodging, first), Err(ScanNotHere::Unknown));
    }

    #[test]
    fn a_flood_of_one_kind_pushes_nothing_of_another_out() {
        let (mut bench, (clinic, lodging)) = (Bench::new(), two());
        let (scanned, posted) = (bench.scanned(CARD), bench.posted(&lodging));
        for _ in 0..MOST_SCANS {
            bench.now += Duration::from_millis(1);
            bench.posted(&clinic);
        }
        assert_eq!(bench.scans.kept.len(), MOST_SCANS + 2);
        let fresh = bench.posted(&clinic);
        assert_eq!(bench.scans.kept.len(), MOST_SCANS + 2);
        assert_eq!(bench.access(&clinic, fresh), Ok(()));
        assert_eq!(bench.access(&lodging, posted), Ok(()));
        for _ in 0..MOST_SCANS {
            bench.now += Duration::from_millis(1);
            bench.scanned(CARD);
        }
        assert_eq!(bench.fetch(&clinic, scanned), Err(ScanNotHere::Expired));
    }
}
