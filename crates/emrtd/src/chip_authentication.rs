//! Chip authentication version 1, the terminal's half (ICAO 9303-11, 6.2): new session keys from the chip's
//! static key in DG14 and an ephemeral one of ours.
//!
//! The chip has shown that it has the private key when it answers one command under the new keys, and not
//! before (card quirk 47).

use cccd_card::tlv::{Tag, encode};
use cccd_card::{CardChannel, Command, ExpectedLength};
use cccd_document::security_infos::{ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo};
use cccd_document::{ChipAuthenticationRun, Cipher, FileId, ProofOutcome, SecurityInfos};
use zeroize::Zeroize;

use crate::entropy::Entropy;
use crate::exchange::{ExchangeError, Long};
use crate::group::{DomainParameters, EphemeralKey, Group, InGroup};
use crate::key_derivation::KeyPair;
use crate::proof::ProofError;
use crate::public_key::{AgreementKey, KeyAgreement, KeyGroup};
use crate::read::UnlockedChip;
use crate::secure_messaging::SecureMessaging;

/// id-CA, 0.4.0.127.0.7.2.2.3; one more arc names the key agreement and one more the cipher (9.2.7).
const ID_CA: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03];

/// Two keys with every cipher: no card has more, and trying the numbers of a group takes its time.
const MOST_TRIES: usize = 8;

type Outcome = ProofOutcome<ChipAuthenticationRun>;

/// Runs it with the best of the keys in `infos` that the chip does not refuse.
pub(crate) fn run<C: CardChannel>(
    chip: &mut UnlockedChip<C>,
    infos: &SecurityInfos,
    entropy: &mut dyn Entropy,
) -> Result<Outcome, ProofError> {
    if infos.chip_authentication_keys().next().is_none() {
        return Ok(ProofOutcome::NotOffered);
    }
    let mut outcome = ProofOutcome::Unsupported;
    for candidate in candidates(infos).into_iter().take(MOST_TRIES) {
        let work = Run { chip: &mut *chip, candidate: &candidate, entropy: &mut *entropy };
        let done = match &candidate.key.group {
            KeyGroup::Known(parameters) => parameters.run(work)?,
            // What is no group is nothing the chip can be blamed for before DG14's signature is judged.
            KeyGroup::SpelledOut(numbers) => match numbers.group() {
                Some(group) => work.on(&group)?,
                None => ProofOutcome::Unsupported,
            },
        };
        match done {
            // Refused under protection: the session lives, and another key may do.
            ProofOutcome::Refused(status) => outcome = ProofOutcome::Refused(status),
            // Without a session there is nothing to try another key in.
            ProofOutcome::Unsupported if chip.session_ref().is_none() => {
                return Ok(ProofOutcome::Unsupported);
            }
            ProofOutcome::Unsupported => {}
            ended => return Ok(ended),
        }
    }
    Ok(outcome)
}

/// One key, and how to use it.
struct Candidate<'a> {
    info: &'a ChipAuthenticationPublicKeyInfo,
    key: AgreementKey,
    cipher: Cipher,
    /// Told to the chip only where it is told to us (card quirk 45).
    key_id: Option<u64>,
}

/// Every pair of a key and a ChipAuthenticationInfo that fit each other, the best first.
///
/// Without any ChipAuthenticationInfo the key is for 3DES (French documents of 2013: card quirk 44).
fn candidates(infos: &SecurityInfos) -> Vec<Candidate<'_>> {
    let keys: Vec<_> = infos
        .chip_authentication_keys()
        .filter_map(|info| Some((info, AgreementKey::of(&info.public_key)?)))
        .collect();
    let none_stated = infos.chip_authentication_infos().next().is_none();
    let mut found = Vec::new();
    for (info, key) in &keys {
        let alone = keys.iter().filter(|(_, other)| other.agreement() == key.agreement()).count() == 1;
        let stated = infos.chip_authentication_infos().filter_map(|stated| {
            let cipher = cipher_of(stated, key.agreement())?;
            let fits = match (stated.key_id, info.key_id) {
                (Some(one), Some(other)) => one == other,
                (None, None) => true,
                _ => alone,
            };
            fits.then_some((cipher, stated.key_id.or(info.key_id)))
        });
        let implied = none_stated.then_some((Cipher::TripleDes, info.key_id));
        found.extend(stated.chain(implied).map(|(cipher, key_id)| Candidate {
            info,
            key: key.clone(),
            cipher,
            key_id,
        }));
    }
    found.sort_by_key(|candidate| {
        let curve = matches!(candidate.key.group, KeyGroup::Known(DomainParameters::Curve(_)));
        std::cmp::Reverse((candidate.cipher != Cipher::TripleDes, curve))
    });
    found
}

/// The cipher of a version 1 of chip authentication with this key agreement.
fn cipher_of(info: &ChipAuthenticationInfo, agreement: KeyAgreement) -> Option<Cipher> {
    let [kind, cipher] = info.oid.as_bytes().strip_prefix(&ID_CA)? else { return None };
    if info.version != 1 || *kind != agreement.arc() {
        return None;
    }
    Some(match cipher {
        1 => Cipher::TripleDes,
        2 => Cipher::Aes128,
        3 => Cipher::Aes192,
        4 => Cipher::Aes256,
        _ => return None,
    })
}

/// A run that waits for its group.
struct Run<'a, C> {
    chip: &'a mut UnlockedChip<C>,
    candidate: &'a Candidate<'a>,
    entropy: &'a mut dyn Entropy,
}

impl<C: CardChannel> InGroup for Run<'_, C> {
    type Output = Result<Outcome, ProofError>;

    fn on<G: Group>(self, group: &G) -> Self::Output
    where
        G::Number: Zeroize,
    {
        let Self { chip, candidate, entropy } = self;
        let ours = EphemeralKey::generate(group, &group.generator(), entropy)?;
        let Ok(shared) = ours.agree(group, &candidate.key.public) else {
            return Ok(ProofOutcome::Unsupported);
        };
        match candidate.send(chip, ours.public())? {
            Long::NotInPieces(_) => return Ok(ProofOutcome::Unsupported),
            Long::Answered(reply) if !reply.status().is_ok() => {
                return Ok(ProofOutcome::Refused(reply.status()));
            }
            Long::Answered(_) => {}
        }
        // The counter starts from zero (9.8.6.3 and 9.8.7.3).
        let keys = KeyPair::derive(candidate.cipher, &group.shared_secret(&shared));
        chip.change_session(SecureMessaging::new(keys), group.compress(ours.public()));
        // Whatever it answers, it answers under the new keys; a few bytes of DG14 are there to be read.
        let read = Command::new(0x00, 0xB0, 0x80 | FileId::DG14.sfi(), 0x00).expect(ExpectedLength::new(6));
        match chip.transact(&read) {
            Ok(_) => Ok(ProofOutcome::Done(ChipAuthenticationRun {
                public_key: candidate.info.public_key.der.clone(),
                key_id: candidate.key_id,
                cipher: candidate.cipher,
                terminal_public_key: ours.public().to_vec(),
            })),
            // What the reader did not carry says nothing about the chip.
            Err(error @ ExchangeError::Transport(_)) => Err(error.into()),
            Err(_) => Ok(ProofOutcome::Broken),
        }
    }
}

impl Candidate<'_> {
    /// Our public key to the chip: in one command with 3DES, in two with AES (6.2.4). Chips that know 3DES
    /// only in the second form are taken too.
    fn send<C: CardChannel>(&self, chip: &mut UnlockedChip<C>, public: &[u8]) -> Result<Long, ProofError> {
        let key_id = self.key_id.map(|id| encode(Tag(0x84), &number(id))).unwrap_or_default();
        if self.cipher == Cipher::TripleDes {
            let template = [encode(Tag(0x91), public), key_id.clone()].concat();
            let command = Command::new(0x00, 0x22, 0x41, 0xA6).data(&template);
            let reply = chip.transact_long(&command)?;
            if reply.status().is_ok() || chip.session_ref().is_none() {
                return Ok(reply);
            }
        }
        let oid = [&ID_CA[..], &[self.key.agreement().arc(), arc(self.cipher)]].concat();
        let template = [encode(Tag(0x80), &oid), key_id].concat();
        let reply = chip.transact(&Command::new(0x00, 0x22, 0x41, 0xA4).data(&template))?;
        if !reply.status().is_ok() {
            return Ok(Long::Answered(reply));
        }
        let data = encode(Tag(0x7C), &encode(Tag(0x80), public));
        let command = Command::new(0x00, 0x86, 0x00, 0x00).data(&data);
        Ok(chip.transact_long(&command.expect(ExpectedLength::new(64)))?)
    }
}

/// The last arc of a protocol's object identifier.
fn arc(cipher: Cipher) -> u8 {
    match cipher {
        Cipher::TripleDes => 1,
        Cipher::Aes128 => 2,
        Cipher::Aes192 => 3,
        Cipher::Aes256 => 4,
    }
}

/// A number in as few bytes as it takes.
fn number(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    bytes.split_at(zeros).1.to_vec()
}
