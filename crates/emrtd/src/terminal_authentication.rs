//! Terminal authentication version 1, the terminal's half (BSI TR-03110-1, 3.5; ICAO 9303-11, 7.1): with it a
//! chip opens DG3 and DG4 to stations an authority has certified.
//!
//! The chip names the authority it trusts in EF.CVCA. From there the certificates lead to the terminal's own;
//! the chip verifies each with the key of the one before, and last a signature over its challenge, its own
//! name, and our ephemeral key of chip authentication.

mod cv_certificate;
mod file_key;
mod key;
mod rsa;
mod station;

use cccd_card::tlv::{Tag, TlvReader, encode};
use cccd_card::{CardChannel, Command, ExpectedLength, Response, StatusWord};
use cccd_document::{TerminalAuthentication, TerminalAuthenticationRun, TerminalStep};

use crate::entropy::{Draws, Entropy};
use crate::proof::ProofError;
use crate::read::UnlockedChip;
pub use cv_certificate::{CvCertificate, CvCertificateError, CvRights, CvRole};
pub use file_key::{FileTerminalKey, KeyFileError};
pub use key::{SigningError, TerminalKey, TerminalPublicKey};
pub use station::{Terminal, TerminalError};

/// The short identifier of EF.CVCA (ICAO 9303-10, 4.7.17).
const EF_CVCA: u8 = 0x1C;
/// EF.CVCA has 36 bytes.
const EF_CVCA_SIZE: usize = 36;

/// Runs it, under the session of chip authentication, whose compressed ephemeral key of ours is `our_key`.
pub(crate) fn run<C: CardChannel>(
    chip: &mut UnlockedChip<C>,
    terminal: &Terminal,
    our_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<TerminalAuthentication, ProofError> {
    let reply = trust_file(chip)?;
    if reply.status().is_not_found() {
        // A chip without trust points lets nobody in.
        return Ok(TerminalAuthentication::NotOffered);
    }
    if !reply.status().carries_data() {
        return Ok(refused(TerminalStep::TrustPoint, reply.status()));
    }
    let trusted = trust_points(reply.data());
    let Some((authority, chain)) = trusted.iter().find_map(|name| Some((name, terminal.chain(name)?))) else {
        return Ok(TerminalAuthentication::NoChain);
    };
    let Some(own) = chain.last() else { return Ok(TerminalAuthentication::NoChain) };

    for certificate in &chain {
        let template = encode(Tag(0x83), certificate.authority().as_bytes());
        let commands = [
            Command::new(0x00, 0x22, 0x81, 0xB6).data(&template),
            Command::new(0x00, 0x2A, 0x00, 0xBE).data(certificate.presented()),
        ];
        for command in commands {
            let status = chip.transact_long(&command)?.status();
            if !status.is_ok() {
                return Ok(refused(TerminalStep::Certificate, status));
            }
        }
    }
    let template = encode(Tag(0x83), own.holder().as_bytes());
    let status = chip.transact(&Command::new(0x00, 0x22, 0x81, 0xA4).data(&template))?.status();
    if !status.is_ok() {
        return Ok(refused(TerminalStep::Station, status));
    }
    let reply = chip.transact(&Command::new(0x00, 0x84, 0x00, 0x00).expect(ExpectedLength::new(8)))?;
    if !reply.status().is_ok() {
        return Ok(refused(TerminalStep::Challenge, reply.status()));
    }
    if reply.data().len() != 8 {
        return Ok(TerminalAuthentication::Broken);
    }
    // ID_PICC, r_PICC, Comp(PK) (TR-03110-1, 3.5.2).
    let message = [chip.identity(), reply.data(), our_key].concat();
    let Ok(signature) = terminal.key().sign(own.algorithm(), &message, &mut Draws(entropy)) else {
        return Ok(TerminalAuthentication::NoSignature);
    };
    let status = chip.transact_long(&Command::new(0x00, 0x82, 0x00, 0x00).data(&signature))?.status();
    if !status.is_ok() {
        return Ok(refused(TerminalStep::Signature, status));
    }
    Ok(TerminalAuthentication::Done(TerminalAuthenticationRun {
        authority: authority.clone(),
        certificates: chain.len(),
    }))
}

/// EF.CVCA by its short identifier, or by its identifier where a chip does not speak short ones.
fn trust_file<C: CardChannel>(chip: &mut UnlockedChip<C>) -> Result<Response, ProofError> {
    let size = ExpectedLength::new(EF_CVCA_SIZE);
    let reply = chip.transact(&Command::new(0x00, 0xB0, 0x80 | EF_CVCA, 0x00).expect(size))?;
    if reply.status().carries_data() || reply.status().is_locked() {
        return Ok(reply);
    }
    let select = Command::new(0x00, 0xA4, 0x02, 0x0C).data(&[0x01, EF_CVCA]);
    let selected = chip.transact(&select)?;
    if !selected.status().is_ok() {
        return Ok(selected);
    }
    Ok(chip.transact(&Command::new(0x00, 0xB0, 0x00, 0x00).expect(size))?)
}

fn refused(step: TerminalStep, status: StatusWord) -> TerminalAuthentication {
    TerminalAuthentication::Refused { step, status }
}

/// The references in EF.CVCA, the newest first; zeros fill it up.
fn trust_points(content: &[u8]) -> Vec<String> {
    let mut objects = TlvReader::new(content);
    let mut found = Vec::new();
    while let Ok(Some(object)) = objects.next_object() {
        if object.tag != Tag(0x42) || found.len() == 2 {
            break;
        }
        found.extend(cv_certificate::reference(object.value));
    }
    found
}
