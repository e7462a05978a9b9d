//! Terminal authentication version 1, the terminal's half (BSI TR-03110-1, 3.5; ICAO 9303-11, 7.1): with it a
//! chip opens DG3 and DG4 to stations an authority has certified.
//!
//! The chip names the authority it trusts in EF.CVCA. From there the certificates lead to the terminal's own;
//! the chip verifies each with the key of the one before, and last a signature over its challenge, its own
//! name, and our ephemeral key of chip authentication.

mod cv_certificate;
mod key;

use cccd_card::tlv::{Tag, TlvReader, encode};
use cccd_card::{CardChannel, Command, ExpectedLength, StatusWord};
use cccd_document::{ProofOutcome, TerminalAuthenticationRun};

use crate::entropy::{Draws, Entropy};
use crate::proof::ProofError;
use crate::read::UnlockedChip;
pub use cv_certificate::{CvCertificate, CvCertificateError};
pub use key::{EcdsaTerminalKey, KeyFileError, SigningError, TerminalKey};

/// The short identifier of EF.CVCA (ICAO 9303-10, 4.7.17).
const EF_CVCA: u8 = 0x1C;
/// EF.CVCA has 36 bytes.
const EF_CVCA_SIZE: usize = 36;
/// Roots in a row, link certificates, a verifier and a terminal: no chain is longer.
const LONGEST_CHAIN: usize = 8;

/// A station that an authority has certified: certificates and the private key to the last of them.
pub struct Terminal {
    certificates: Vec<CvCertificate>,
    key: Box<dyn TerminalKey>,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Certificates in any order, of which more may be there than one chip needs: links between roots, and
    /// one of each authority that certified the station. `key` belongs to the certificate of the terminal.
    pub fn new(certificates: Vec<CvCertificate>, key: Box<dyn TerminalKey>) -> Self {
        Self { certificates, key }
    }

    /// The certificates that lead from what the chip trusts to a terminal, if there is such a chain.
    fn chain(&self, trusted: &str) -> Option<Vec<&CvCertificate>> {
        let mut chain = Vec::new();
        self.go_on(trusted, &mut chain).then_some(chain)
    }

    fn go_on<'a>(&'a self, from: &str, chain: &mut Vec<&'a CvCertificate>) -> bool {
        if chain.len() == LONGEST_CHAIN {
            return false;
        }
        for next in self.certificates.iter().filter(|next| next.authority() == from) {
            // A root's own certificate leads nowhere, and no certificate leads on twice.
            if next.holder() == from || chain.contains(&next) {
                continue;
            }
            chain.push(next);
            if next.is_terminal() || self.go_on(next.holder(), chain) {
                return true;
            }
            chain.pop();
        }
        false
    }
}

type Outcome = ProofOutcome<TerminalAuthenticationRun>;

/// Runs it, under the session of chip authentication, whose compressed ephemeral key of ours is `our_key`.
pub(crate) fn run<C: CardChannel>(
    chip: &mut UnlockedChip<C>,
    terminal: &Terminal,
    our_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Outcome, ProofError> {
    let read = Command::new(0x00, 0xB0, 0x80 | EF_CVCA, 0x00).expect(ExpectedLength::new(EF_CVCA_SIZE));
    let reply = chip.transact(&read)?;
    if !reply.status().carries_data() {
        return Ok(refused(reply.status()));
    }
    let trusted = trust_points(reply.data());
    let Some((authority, chain)) = trusted.iter().find_map(|name| Some((name, terminal.chain(name)?))) else {
        return Ok(ProofOutcome::Unsupported);
    };
    let Some(own) = chain.last() else { return Ok(ProofOutcome::Unsupported) };

    for certificate in &chain {
        let template = encode(Tag(0x83), certificate.authority().as_bytes());
        let commands = [
            Command::new(0x00, 0x22, 0x81, 0xB6).data(&template),
            Command::new(0x00, 0x2A, 0x00, 0xBE).data(certificate.presented()),
        ];
        for command in commands {
            let status = chip.transact_long(&command)?.status();
            if !status.is_ok() {
                return Ok(refused(status));
            }
        }
    }
    let template = encode(Tag(0x83), own.holder().as_bytes());
    let status = chip.transact(&Command::new(0x00, 0x22, 0x81, 0xA4).data(&template))?.status();
    if !status.is_ok() {
        return Ok(refused(status));
    }
    let reply = chip.transact(&Command::new(0x00, 0x84, 0x00, 0x00).expect(ExpectedLength::new(8)))?;
    if !reply.status().is_ok() {
        return Ok(refused(reply.status()));
    }
    if reply.data().len() != 8 {
        return Ok(ProofOutcome::Broken);
    }
    // ID_PICC, r_PICC, Comp(PK) (TR-03110-1, 3.5.2).
    let message = [chip.identity(), reply.data(), our_key].concat();
    let Ok(signature) = terminal.key.sign(own.algorithm(), &message, &mut Draws(entropy)) else {
        return Ok(ProofOutcome::Unsupported);
    };
    let status = chip.transact_long(&Command::new(0x00, 0x82, 0x00, 0x00).data(&signature))?.status();
    if !status.is_ok() {
        return Ok(refused(status));
    }
    Ok(ProofOutcome::Done(TerminalAuthenticationRun {
        authority: authority.clone(),
        certificates: chain.len(),
    }))
}

fn refused(status: StatusWord) -> Outcome {
    ProofOutcome::Refused(status)
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
