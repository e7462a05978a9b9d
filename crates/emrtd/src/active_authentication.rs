//! Active authentication, the terminal's half (ICAO 9303-11, 6.1): the chip signs a challenge of ours. Whether
//! the signature is right is not judged here.

use cccd_card::{CardChannel, Command, ExpectedLength, StatusWord};
use cccd_document::evidence::challenge_from_nonce;
use cccd_document::public_key::KeyKind;
use cccd_document::{ActiveAuthenticationRun, ProofOutcome, PublicKey};

use crate::entropy::{Entropy, NoEntropy};
use crate::proof::ProofError;
use crate::read::UnlockedChip;
use crate::secure_messaging::largest_plain;
use crate::start::is_about_length;

/// Where RND.IFD comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Drawn for this run.
    Drawn,
    /// Derived from a caller's nonce: see [`challenge_from_nonce`].
    FromNonce(Vec<u8>),
}

/// A nonce belongs to its caller's transaction.
impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Drawn => "Drawn",
            Self::FromNonce(_) => "FromNonce(..)",
        })
    }
}

impl Challenge {
    fn bytes(&self, entropy: &mut dyn Entropy) -> Result<[u8; 8], NoEntropy> {
        match self {
            Self::FromNonce(nonce) => Ok(challenge_from_nonce(nonce)),
            Self::Drawn => {
                let mut challenge = [0; 8];
                entropy.fill(&mut challenge)?;
                Ok(challenge)
            }
        }
    }

    fn nonce(&self) -> Option<Vec<u8>> {
        match self {
            Self::Drawn => None,
            Self::FromNonce(nonce) => Some(nonce.clone()),
        }
    }
}

/// INTERNAL AUTHENTICATE (6.1.2) with the key of DG15.
pub(crate) fn run<C: CardChannel>(
    chip: &mut UnlockedChip<C>,
    key: &PublicKey,
    challenge: &Challenge,
    entropy: &mut dyn Entropy,
) -> Result<ProofOutcome<ActiveAuthenticationRun>, ProofError> {
    let Some(longest) = longest_answer(key) else { return Ok(ProofOutcome::Unsupported) };
    let sent = challenge.bytes(entropy)?;
    let command = Command::new(0x00, 0x88, 0x00, 0x00).data(&sent);
    let mut best = Vec::new();
    let mut refused = StatusWord::OK;
    for asking in ways_to_ask(chip, longest) {
        let reply = match asking {
            Asking::Short => chip.transact_short(&command.clone().expect(ExpectedLength::SHORT_MAX)),
            Asking::Wide => chip.transact(&command.clone().expect(ExpectedLength::SHORT_MAX)),
            Asking::Extended => chip.transact(&command.clone().expect(ExpectedLength::EXTENDED_MAX)),
        };
        let reply = match reply {
            Ok(reply) => reply,
            // What is here of an answer is more than none.
            Err(error) if !best.is_empty() && !error.is_loss() => break,
            Err(error) => return Err(error.into()),
        };
        let status = reply.status();
        // 61xx brings the front of the signature along; the whole of it comes with a longer Le.
        if status.is_ok() || status.more_available().is_some() {
            if reply.data().len() > best.len() {
                best = reply.data().to_vec();
            }
        } else {
            refused = status;
            if !is_about_length(status) {
                break;
            }
        }
        if status.is_ok() && best.len() >= shortest_whole_answer(key, longest) {
            break;
        }
    }
    let whole = best.len() >= shortest_whole_answer(key, longest);
    let room = chip.limits().allow_extended() || longest <= largest_plain(chip.cipher(), 256);
    if !whole && !room && (!best.is_empty() || is_about_length(refused)) {
        // A reader of short lengths has no room for this signature: what it cut, or the chip would not cut, says
        // nothing about the chip.
        return Ok(ProofOutcome::Unsupported);
    }
    Ok(match (best.is_empty(), refused.is_ok()) {
        (false, _) => ProofOutcome::Done(ActiveAuthenticationRun {
            challenge: sent,
            nonce: challenge.nonce(),
            response: best,
        }),
        (true, false) => ProofOutcome::Refused(refused),
        (true, true) => ProofOutcome::Broken,
    })
}

/// Bytes the longest signature of this key takes.
fn longest_answer(key: &PublicKey) -> Option<usize> {
    match key.kind {
        KeyKind::Rsa { bits } => Some(bits.div_ceil(8)),
        // r and s, and what DER puts around them (some chips do: card quirk 42).
        KeyKind::Ec { bits, .. } => Some(bits / 8 * 2 + 9),
        _ => None,
    }
}

/// What may be the whole of a signature: an RSA signature written as a number may lack leading zeros (card
/// quirk 41), one of ECDSA is anything.
fn shortest_whole_answer(key: &PublicKey, longest: usize) -> usize {
    match key.kind {
        KeyKind::Rsa { .. } => longest.saturating_sub(2),
        _ => 1,
    }
}

/// How to ask for a signature.
enum Asking {
    /// Le 256, inside and outside.
    Short,
    /// Le 256 inside, and room for all of it protected.
    Wide,
    /// Le 65536.
    Extended,
}

/// Which Le to ask with, one after the other until the signature is whole (card quirk 40).
///
/// 256 is what every chip takes and more than most signatures need. A longer signature is cut short by some
/// chips at 256, and not given at all by others at 65536, so both are asked and the longer answer is kept.
fn ways_to_ask<C: CardChannel>(chip: &UnlockedChip<C>, longest: usize) -> Vec<Asking> {
    let fits = longest <= largest_plain(chip.cipher(), 256);
    match (fits, chip.limits().allow_extended()) {
        (false, true) => vec![Asking::Extended, Asking::Wide],
        (true, true) => vec![Asking::Short, Asking::Extended],
        (_, false) => vec![Asking::Short],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use cccd_card::ChannelLimits;
    use cccd_card::tlv::{Tag, encode};
    use cccd_document::{AccessProtocol, AccessRun, Cipher, PasswordKind};

    use super::*;
    use crate::read::Application;
    use crate::testing::{Fixed, Says, Script, chip_in_session, hex, session};

    type Outcome = ProofOutcome<ActiveAuthenticationRun>;

    fn rsa_key(bytes: usize) -> PublicKey {
        let mut modulus = vec![0x00, 0xC1];
        modulus.resize(bytes + 1, 0x55);
        let key = encode(Tag(0x30), &[encode(Tag(0x02), &modulus), hex("0203010001")].concat());
        spki(&hex("06092A864886F70D0101010500"), &key)
    }

    fn spki(algorithm: &[u8], key: &[u8]) -> PublicKey {
        let bits = [&[0][..], key].concat();
        let spki = [encode(Tag(0x30), algorithm), encode(Tag(0x03), &bits)].concat();
        PublicKey::parse(&encode(Tag(0x30), &spki)).unwrap()
    }

    fn p256_key() -> PublicKey {
        spki(&hex("06072A8648CE3D0201 06082A8648CE3D030107"), &[&[4][..], &[0x11; 64]].concat())
    }

    /// What a chip that answers by `answer` leaves, and the commands it saw.
    fn asked<'a>(
        key: &PublicKey,
        limits: ChannelLimits,
        mut answer: impl FnMut(usize) -> Says + Send + 'a,
    ) -> (Result<Outcome, ProofError>, Vec<Command>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let channel: Script<'a> = chip_in_session(Cipher::Aes128, move |command| {
            log.lock().unwrap().push(command.clone());
            answer(command.expected().unwrap().get())
        })
        .with_limits(limits);
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        let mut chip =
            UnlockedChip::new(channel, session(Cipher::Aes128), access, limits, Application::Selected);
        let outcome = run(&mut chip, key, &Challenge::Drawn, &mut Fixed::new(&[&hex("F173589974BF40C6")]));
        drop(chip);
        let seen = seen.lock().unwrap().clone();
        (outcome, seen)
    }

    fn done(outcome: Result<Outcome, ProofError>) -> ActiveAuthenticationRun {
        match outcome {
            Ok(ProofOutcome::Done(run)) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_challenge_goes_out_and_the_answer_comes_back_as_it_is() {
        let (outcome, seen) =
            asked(&p256_key(), ChannelLimits::SHORT, |_| Says::Protected(vec![7; 64], 0x9000));
        let run = done(outcome);
        assert_eq!((run.challenge.to_vec(), run.nonce), (hex("F173589974BF40C6"), None));
        assert_eq!(run.response, [7; 64]);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].header(), seen[0].payload()), ([0, 0x88, 0, 0], &run.challenge[..]));
    }

    #[test]
    fn a_nonce_of_the_caller_becomes_the_challenge() {
        let challenge = Challenge::FromNonce(b"transaction 7".to_vec());
        assert_eq!(challenge.bytes(&mut Fixed::new(&[])).unwrap(), challenge_from_nonce(b"transaction 7"));
        assert_eq!(challenge.nonce(), Some(b"transaction 7".to_vec()));
        assert!(!format!("{challenge:?}").contains("transaction"));
    }

    #[test]
    fn a_short_signature_takes_one_command_with_le_256() {
        for limits in [ChannelLimits::SHORT, ChannelLimits::EXTENDED] {
            let (outcome, seen) = asked(&rsa_key(128), limits, |_| Says::Protected(vec![1; 128], 0x9000));
            assert_eq!(done(outcome).response.len(), 128);
            assert_eq!(
                seen.iter().map(|command| command.expected().unwrap().get()).collect::<Vec<_>>(),
                [256]
            );
        }
    }

    #[test]
    fn of_two_answers_to_a_long_key_the_longer_is_kept() {
        // Quirk 40: nothing at 65536; or cut at 256; or 61xx with the front of it.
        let chips: [fn(usize) -> Says; 3] = [
            |le| Says::Protected(vec![2; if le > 256 { 0 } else { 256 }], 0x9000),
            |le| Says::Protected(vec![2; if le > 256 { 256 } else { 200 }], 0x9000),
            |le| {
                if le > 256 { Says::Protected(vec![], 0x6700) } else { Says::Protected(vec![2; 256], 0x6100) }
            },
        ];
        for chip in chips {
            let (outcome, _) = asked(&rsa_key(256), ChannelLimits::EXTENDED, chip);
            assert_eq!(done(outcome).response.len(), 256);
        }
        // One that gives all of it at once is asked once.
        let (_, seen) =
            asked(&rsa_key(512), ChannelLimits::EXTENDED, |_| Says::Protected(vec![2; 512], 0x9000));
        assert_eq!(seen.len(), 1);
    }

    #[test]
    fn a_reader_without_room_for_a_signature_says_nothing_about_the_chip() {
        let chips: [fn(usize) -> Says; 3] = [
            |_| Says::Protected(vec![], 0x6700),
            |_| Says::Protected(vec![2; 223], 0x9000),
            |_| Says::Protected(vec![2; 223], 0x6121),
        ];
        for chip in chips {
            let (outcome, _) = asked(&rsa_key(256), ChannelLimits::SHORT, chip);
            assert!(matches!(outcome, Ok(ProofOutcome::Unsupported)), "{outcome:?}");
        }
        // A chip that will not, will not; and with room for all of it, less is no signature.
        let (outcome, _) = asked(&rsa_key(256), ChannelLimits::SHORT, |_| Says::Protected(vec![], 0x6982));
        assert!(matches!(outcome, Ok(ProofOutcome::Refused(StatusWord(0x6982)))), "{outcome:?}");
        let (outcome, _) =
            asked(&rsa_key(128), ChannelLimits::SHORT, |_| Says::Protected(vec![2; 100], 0x9000));
        assert_eq!(done(outcome).response.len(), 100);
    }

    #[test]
    fn a_session_that_breaks_at_the_second_try_leaves_the_first_answer() {
        let (outcome, _) = asked(&rsa_key(256), ChannelLimits::EXTENDED, |le| {
            if le > 256 { Says::Protected(vec![2; 100], 0x9000) } else { Says::Naked(0x6700) }
        });
        assert_eq!(done(outcome).response.len(), 100);
    }

    #[test]
    fn refusals_and_empty_answers_are_told_apart() {
        let (outcome, seen) =
            asked(&p256_key(), ChannelLimits::EXTENDED, |_| Says::Protected(vec![], 0x6A88));
        assert!(matches!(outcome, Ok(ProofOutcome::Refused(StatusWord(0x6A88)))), "{outcome:?}");
        assert_eq!(seen.len(), 1);
        let (outcome, _) = asked(&p256_key(), ChannelLimits::SHORT, |_| Says::Protected(vec![], 0x9000));
        assert!(matches!(outcome, Ok(ProofOutcome::Broken)), "{outcome:?}");
        let unknown = spki(&hex("06032A0304"), &[1, 2, 3]);
        let (outcome, seen) = asked(&unknown, ChannelLimits::SHORT, |_| Says::Naked(0x6D00));
        assert!(matches!(outcome, Ok(ProofOutcome::Unsupported)), "{outcome:?}");
        assert!(seen.is_empty());
    }
}
