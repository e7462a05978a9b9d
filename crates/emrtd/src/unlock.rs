//! Opening a chip: which protocols with which keys, in which order, and when to stop.

use std::fmt;

use cccd_card::{CardChannel, ChannelLimits, StatusWord, TransportError};
use cccd_document::{
    AccessKey, AccessProtocol, AccessRun, ChipAuthenticationMappingRun, Downgrade, MrzKey, PasswordKind,
    ProofOutcome,
};
use rand_core::TryCryptoRng;

use crate::attempt::{AccessStep, AttemptError, ProtocolFault};
use crate::entropy::{Entropy, NoEntropy, Source};
use crate::read::{Application, UnlockedChip};
use crate::secure_messaging::SecureMessaging;
use crate::shape::{AssumedPace, CardShape, FileFront, FileRoad};
use crate::start::{self, Offer};
use crate::{bac, pace};

/// Protocols run at most so often in one unlocking, whatever the number of keys.
const MAX_RUNS: usize = 4;

/// Why a chip stayed locked. The variant says whose move it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// Card or reader went away. The person may lay the card down again.
    #[error("card lost during {step}")]
    CardLost {
        /// When.
        step: AccessStep,
        /// How.
        source: TransportError,
    },
    /// The chip tested a key and it is not this card's. Another key is needed: from the person, or from the
    /// card's own print.
    #[error("chip refused the {} key", name(*kind))]
    WrongKey {
        /// Which kind of key.
        kind: PasswordKind,
        /// How many wrong tries in a row the chip still takes, if it says. At one, no further try was made.
        tries_left: Option<u8>,
    },
    /// The chip takes this kind of key no more, right or wrong.
    #[error("chip has blocked its {} key", name(*kind))]
    KeyBlocked {
        /// Which kind of key.
        kind: PasswordKind,
    },
    /// One wrong try is left before the chip blocks this kind of key. It was not spent: open the card once
    /// with a key that is known to be right.
    #[error("chip has one try left for its {} key, which was not spent", name(*kind))]
    LastTryRefused {
        /// Which kind of key.
        kind: PasswordKind,
    },
    /// The chip would not run the protocol. 6A88 and 6985 during BAC mean that it wants PACE.
    #[error("chip answered {status} to {step}")]
    AccessRefused {
        /// The last step.
        step: AccessStep,
        /// What it answered.
        status: StatusWord,
    },
    /// The chip broke the protocol. Not retried: it may be an attack.
    #[error("chip broke the access protocol")]
    Misbehaved(#[from] ProtocolFault),
    /// No protocol that this chip offers can be run with the keys at hand.
    #[error("no access protocol of this chip can be run with the keys given")]
    Unsupported,
    /// The machine's random source failed. Nothing was tried without it.
    #[error("no random numbers for the access protocol")]
    NoRandom(#[from] NoEntropy),
}

fn name(kind: PasswordKind) -> &'static str {
    match kind {
        PasswordKind::Can => "CAN",
        PasswordKind::Mrz => "MRZ",
    }
}

/// A chip before access control.
///
/// `C` may be a `&mut` of a channel: then the caller has the channel back whatever comes.
pub struct LockedChip<C> {
    channel: C,
    limits: ChannelLimits,
    known: Vec<CardShape>,
}

impl<C> fmt::Debug for LockedChip<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedChip").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<C: CardChannel> LockedChip<C> {
    /// A card that has just been laid down or reset.
    pub fn new(channel: C) -> Self {
        Self { limits: channel.limits(), channel, known: Vec::new() }
    }

    /// Never sends or asks for more than this at once, whatever card and reader claim: for a second reading
    /// of a card that broke off the first over a long reply.
    pub fn limited_to(self, limits: ChannelLimits) -> Self {
        Self { limits: self.limits.min(limits), ..self }
    }

    /// Begins with what worked on this reader with cards that answered the same to reset. Of several makes the first is
    /// the likeliest; which it is, EF.CardAccess tells, and a card of none of them is found out about anew.
    pub fn known_as(self, shapes: impl IntoIterator<Item = CardShape>) -> Self {
        Self { known: shapes.into_iter().collect(), ..self }
    }

    /// Runs PACE with each key, or BAC where that gives nothing (ICAO 9303-11, 4.2).
    ///
    /// First PACE with every key in the order given, then BAC with every MRZ key; the card is reset between
    /// two runs; four runs at most. A key that the chip has tested and refused is not tested again by
    /// another variant. Once the chip says that one try is left for a kind of key, that kind is not used
    /// again.
    ///
    /// Takes `self`: after a failure the plain channel is spent.
    pub fn unlock<R: TryCryptoRng + ?Sized>(
        mut self,
        keys: &[AccessKey],
        rng: &mut R,
    ) -> Result<UnlockedChip<C>, UnlockError> {
        let mut entropy = Source(rng);
        let lost = |source| UnlockError::CardLost { step: AccessStep::Start, source };
        let known_way = self.known.first().map(|shape| shape.card_access);
        let found = start::card_access(&mut self.channel, known_way).map_err(lost)?;
        let card_access_hash = found.hash();
        // What was found out of another kind of card says nothing of this one.
        let known = self.known.iter().find(|shape| shape.card_access_hash == card_access_hash).copied();
        let limits = match known {
            Some(shape) => self.limits.min(shape.limits),
            None => start::card_limits(&mut self.channel, &found, self.limits).map_err(lost)?,
        };
        let start::Found { card_access, way, .. } = found;

        let mut offer = card_access.offer();
        let is_assumed = matches!(card_access, start::CardAccess::Assumed);
        if is_assumed && known.is_some_and(|shape| shape.assumed_pace == AssumedPace::Refused) {
            offer.variants.clear();
        }
        offer.variants.retain(|variant| variant.fits(limits.min(self.channel.limits())));
        let mut tries = Tries::new(&mut self.channel, &mut entropy, &offer);
        let opened = match tries.pace(keys)? {
            Some(opened) => opened,
            None => match tries.bac(keys)? {
                Some(opened) => opened,
                None => return Err(tries.failure.unwrap_or(UnlockError::Unsupported)),
            },
        };
        let access = AccessRun {
            protocol: opened.protocol,
            password: opened.password,
            downgrade: opened.downgrade,
            card_access: card_access.into_bytes(),
        };
        let in_vain = is_assumed && matches!(access.protocol, AccessProtocol::Bac);
        let shape = CardShape {
            card_access_hash,
            card_access: way,
            limits,
            assumed_pace: if in_vain { AssumedPace::Refused } else { AssumedPace::Possible },
            files: known.map_or(FileRoad::ShortIdentifier, |shape| shape.files),
            most_at_once: known.and_then(|shape| shape.most_at_once),
            front: known.map_or(FileFront::Whole, |shape| shape.front),
        };
        let chip = UnlockedChip::new(self.channel, opened.session, access, limits, opened.application);
        Ok(chip.after_access(opened.mapping, opened.identity, opened.our_key).shaped(shape))
    }
}

/// A run that gave a session.
struct Opened {
    session: SecureMessaging,
    protocol: AccessProtocol,
    password: PasswordKind,
    downgrade: Option<Downgrade>,
    application: Application,
    mapping: ProofOutcome<ChipAuthenticationMappingRun>,
    identity: Vec<u8>,
    our_key: Option<Vec<u8>>,
}

/// What has been tried on one card, and what came of it.
struct Tries<'a> {
    channel: &'a mut dyn CardChannel,
    entropy: &'a mut dyn Entropy,
    offer: &'a Offer,
    runs: usize,
    /// Kinds of key not to be used again.
    barred: Vec<PasswordKind>,
    /// What came of chip authentication mapping, as long as it did not run.
    mapping: ProofOutcome<ChipAuthenticationMappingRun>,
    /// The most telling failure so far.
    failure: Option<UnlockError>,
}

impl<'a> Tries<'a> {
    fn new(channel: &'a mut dyn CardChannel, entropy: &'a mut dyn Entropy, offer: &'a Offer) -> Self {
        let offered = offer.variants.iter().any(|variant| variant.proves_chip());
        let mapping = if offered { ProofOutcome::NotAsked } else { ProofOutcome::NotOffered };
        Self { channel, entropy, offer, runs: 0, barred: Vec::new(), mapping, failure: None }
    }

    fn pace(&mut self, keys: &[AccessKey]) -> Result<Option<Opened>, UnlockError> {
        // The last run is kept for BAC, where there is a key for it.
        let kept = usize::from(keys.iter().any(|key| key.kind() == PasswordKind::Mrz));
        let mut variants = self.offer.variants.clone();
        for key in keys {
            for variant in variants.clone() {
                if self.barred.contains(&key.kind()) || self.runs + kept >= MAX_RUNS {
                    break;
                }
                self.begin()?;
                let error = match pace::run(self.channel, variant, key, self.entropy) {
                    Ok(run) => {
                        // Another variant may have run because the one with the proof was refused.
                        let mapping = match run.mapping {
                            ProofOutcome::NotOffered => std::mem::take(&mut self.mapping),
                            outcome => outcome,
                        };
                        return Ok(Some(Opened {
                            session: run.session,
                            protocol: AccessProtocol::Pace(variant.selected()),
                            password: key.kind(),
                            downgrade: None,
                            application: Application::NotSelected,
                            mapping,
                            identity: run.identity,
                            our_key: run.our_key,
                        }));
                    }
                    Err(error) => error,
                };
                if let AttemptError::VariantRefused { status, .. } = &error
                    && variant.proves_chip()
                {
                    self.mapping = ProofOutcome::Refused(*status);
                }
                if self.note(error, key.kind())? == Next::Variant {
                    // It was refused before the key came into it: other keys need not try it.
                    variants.retain(|other| *other != variant);
                } else {
                    break;
                }
            }
        }
        Ok(None)
    }

    fn bac(&mut self, keys: &[AccessKey]) -> Result<Option<Opened>, UnlockError> {
        let downgrade = match (self.offer.by_chip, self.runs) {
            (false, _) => None,
            (true, 0) => Some(Downgrade::PaceUnsupported),
            (true, _) => Some(Downgrade::PaceFailed),
        };
        for key in keys {
            let AccessKey::Mrz(mrz) = key else { continue };
            if self.barred.contains(&PasswordKind::Mrz) || self.runs >= MAX_RUNS {
                break;
            }
            self.begin()?;
            match bac::run(self.channel, mrz, self.entropy) {
                Ok(session) => {
                    return Ok(Some(Opened {
                        session,
                        protocol: AccessProtocol::Bac,
                        password: PasswordKind::Mrz,
                        downgrade,
                        application: Application::Selected,
                        mapping: std::mem::take(&mut self.mapping),
                        identity: document_number(mrz),
                        our_key: None,
                    }));
                }
                Err(error) => {
                    if self.note(error, PasswordKind::Mrz)? == Next::Variant {
                        // This chip does no BAC, whatever the key.
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Counts a run. After another one the card is reset: some stay half-open.
    fn begin(&mut self) -> Result<(), UnlockError> {
        if self.runs > 0 {
            let lost = |source| UnlockError::CardLost { step: AccessStep::Reset, source };
            self.channel.reset().map_err(lost)?;
        }
        self.runs += 1;
        Ok(())
    }

    /// Sorts a failed run: an error to end with, or what may come next.
    fn note(&mut self, error: AttemptError, kind: PasswordKind) -> Result<Next, UnlockError> {
        let (failure, next) = match error {
            AttemptError::Transport { step, source } => return Err(UnlockError::CardLost { step, source }),
            AttemptError::Entropy(error) => return Err(error.into()),
            AttemptError::Fault(fault) => return Err(fault.into()),
            AttemptError::VariantRefused { step, status } => {
                (UnlockError::AccessRefused { step, status }, Next::Variant)
            }
            AttemptError::PasswordUnknown { step, status } => {
                (UnlockError::AccessRefused { step, status }, Next::Key)
            }
            AttemptError::WrongPassword { tries_left } => {
                if tries_left.is_some_and(|left| left <= 1) {
                    self.barred.push(kind);
                }
                (UnlockError::WrongKey { kind, tries_left }, Next::Key)
            }
            AttemptError::Blocked => {
                self.barred.push(kind);
                (UnlockError::KeyBlocked { kind }, Next::Key)
            }
            AttemptError::LastTry => {
                self.barred.push(kind);
                (UnlockError::LastTryRefused { kind }, Next::Key)
            }
        };
        // The first of the most telling kind stays: what the person can do something about.
        if self.failure.as_ref().is_none_or(|known| telling(known) < telling(&failure)) {
            self.failure = Some(failure);
        }
        Ok(next)
    }
}

/// The document number with its check digit: what names the chip where BAC opened it. Behind it in the MRZ
/// information stand two dates, each with a check digit.
fn document_number(mrz: &MrzKey) -> Vec<u8> {
    let all = mrz.mrz_information();
    all.get(..all.len().saturating_sub(14)).unwrap_or_default().to_vec()
}

/// What may still work after a failed run.
#[derive(PartialEq, Eq)]
enum Next {
    /// The same key with another variant.
    Variant,
    /// Another key.
    Key,
}

fn telling(error: &UnlockError) -> u8 {
    match error {
        UnlockError::WrongKey { .. } => 4,
        UnlockError::KeyBlocked { .. } => 3,
        UnlockError::LastTryRefused { .. } => 2,
        // A card with another application: that it knows no PACE either says less.
        UnlockError::AccessRefused { step: AccessStep::SelectApplication, status }
            if status.is_not_found() =>
        {
            1
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use cccd_document::{Can, MrzKey};

    use super::*;
    use crate::testing::{Script, hex};

    const CARD_ACCESS: &str = "31143012060A04007F0007020204020202010202010D 9000";
    /// Points of ICAO 9303-11, Appendix G.1: on the curve, and not ours.
    const CHIP_POINTS: [&str; 2] = [
        "7C43824104824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57
         30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C549000",
        "7C438441049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB
         7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F0949000",
    ];

    type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

    /// A chip that offers PACE, goes along up to the last step, and answers MSE:Set AT, the last step of
    /// PACE, and everything of BAC with the statuses given by password reference.
    fn chip(
        set_template: impl Fn(u8) -> &'static str + Send + 'static,
        last: impl Fn() -> &'static str + Send + 'static,
        bac: &'static str,
    ) -> (Script<'static>, Seen) {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        let script = Script::answering(move |command| {
            log.lock().unwrap().push(command.to_vec());
            hex(match (command[1], command) {
                (0xA4, [_, _, 0x02, _, _, 0x01, 0x1C]) => "9000",
                (0xB0, _) => CARD_ACCESS,
                (0x22, _) => set_template(command[19]),
                (0x86, [.., 0x7C, 0x00, 0x00]) => "7C12801095A3A016522EE98D01E76CB6B98B42C39000",
                (0x86, [_, _, _, _, _, 0x7C, _, 0x81, ..]) => CHIP_POINTS[0],
                (0x86, [_, _, _, _, _, 0x7C, _, 0x83, ..]) => CHIP_POINTS[1],
                (0x86, _) => last(),
                (0xA4, [_, _, 0x04, ..]) => "9000",
                (0x84, _) if bac == "6300" => "0102030405060708 9000",
                _ => bac,
            })
        });
        (script, seen)
    }

    fn can(digits: &str) -> AccessKey {
        AccessKey::Can(Can::new(digits).unwrap())
    }

    fn mrz(number: &str) -> AccessKey {
        AccessKey::Mrz(MrzKey::new(number, "900102", "300102").unwrap())
    }

    fn sent(seen: &Seen, ins: u8) -> usize {
        seen.lock().unwrap().iter().filter(|command| command[1] == ins).count()
    }

    fn fails(script: &mut Script<'_>, keys: &[AccessKey]) -> UnlockError {
        LockedChip::new(script).unlock(keys, &mut getrandom::SysRng).err().unwrap()
    }

    #[test]
    fn after_63c1_that_kind_of_key_is_left_alone() {
        let (mut script, seen) = chip(|_| "9000", || "63C1", "6985");
        let error = fails(&mut script, &[can("111111"), can("222222"), can("333333")]);
        let told = matches!(error, UnlockError::WrongKey { kind: PasswordKind::Can, tries_left: Some(1) });
        assert!(told, "{error:?}");
        assert_eq!(sent(&seen, 0x22), 1);
    }

    #[test]
    fn a_warning_of_one_try_left_stops_before_the_password_is_used() {
        let (mut script, seen) = chip(|_| "63C1", || "6300", "6985");
        let error = fails(&mut script, &[can("111111")]);
        assert!(matches!(error, UnlockError::LastTryRefused { kind: PasswordKind::Can }), "{error:?}");
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x86)), (1, 0));
    }

    #[test]
    fn a_blocked_can_does_not_keep_the_mrz_from_being_tried() {
        let (mut script, seen) = chip(|kind| if kind == 2 { "63C0" } else { "9000" }, || "6300", "6985");
        let error = fails(&mut script, &[can("111111"), mrz("090123456")]);
        let told = matches!(error, UnlockError::WrongKey { kind: PasswordKind::Mrz, tries_left: None });
        assert!(told, "{error:?}");
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x84)), (2, 1));
        let (mut script, _) = chip(|_| "6983", || "6300", "6985");
        let error = fails(&mut script, &[can("111111")]);
        assert!(matches!(error, UnlockError::KeyBlocked { kind: PasswordKind::Can }), "{error:?}");
    }

    #[test]
    fn four_runs_at_most_the_last_of_them_bac_and_a_reset_before_each_but_the_first() {
        let keys: Vec<_> = (1..8).map(|n| mrz(&format!("00000000{n}"))).collect();
        let (mut script, seen) = chip(|_| "9000", || "6300", "6300");
        let error = fails(&mut script, &keys);
        assert!(matches!(error, UnlockError::WrongKey { .. }), "{error:?}");
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x82)), (3, 1));
        assert_eq!(script.resets, 3);
        // Without a key for BAC, all four are PACE.
        let keys: Vec<_> = (1..8).map(|n| can(&format!("00000{n}"))).collect();
        let (mut script, seen) = chip(|_| "9000", || "6300", "6300");
        fails(&mut script, &keys);
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x82)), (4, 0));
    }

    #[test]
    fn a_variant_refused_before_the_key_matters_is_not_tried_with_the_next_key() {
        let (mut script, seen) = chip(|_| "6A80", || "6300", "6A88");
        let error = fails(&mut script, &[can("111111"), mrz("090123456")]);
        let told = matches!(
            error,
            UnlockError::AccessRefused { step: AccessStep::SetTemplate, status: StatusWord(0x6A80) }
        );
        assert!(told, "{error:?}");
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x84)), (1, 1));
    }

    #[test]
    fn a_chip_that_breaks_the_protocol_is_not_tried_again() {
        let (mut script, seen) = chip(|_| "9000", || "7C0A86080102030405060708 9000", "9000");
        let error = fails(&mut script, &[can("111111"), mrz("090123456")]);
        assert!(matches!(error, UnlockError::Misbehaved(ProtocolFault::WrongToken)), "{error:?}");
        assert_eq!((sent(&seen, 0x22), sent(&seen, 0x84)), (1, 0));
        assert_eq!(script.resets, 0);
    }

    #[test]
    fn without_a_key_that_fits_nothing_is_tried() {
        let (mut script, seen) = chip(|_| "9000", || "6300", "6300");
        assert!(matches!(fails(&mut script, &[]), UnlockError::Unsupported));
        assert_eq!(sent(&seen, 0x22), 0);
        // PACE on parameters that do not exist, and no key for BAC.
        let mut script = Script::answering(|command| match command[1] {
            0xB0 => hex("31143012060A04007F00070202040402020102020113 9000"),
            _ => hex("9000"),
        });
        assert!(matches!(fails(&mut script, &[can("111111")]), UnlockError::Unsupported));
    }

    #[test]
    fn no_random_numbers_no_run() {
        let (mut script, seen) = chip(|_| "9000", || "6300", "6300");
        let mut rng = crate::testing::FixedRng(crate::testing::Fixed::new(&[]));
        let error = LockedChip::new(&mut script).unlock(&[can("111111")], &mut rng).err().unwrap();
        assert!(matches!(error, UnlockError::NoRandom(_)), "{error:?}");
        assert_eq!(seen.lock().unwrap().iter().filter(|c| c.len() > 70).count(), 0);
    }
}
