//! What the chip's own proofs are worth: is it the chip the state issued, or a copy of its files?
//!
//! Passive authentication shows that the files are the state's; anyone can copy files. A chip that signs a
//! challenge of ours, or agrees a key with us, has a private key that cannot be copied out of it. Each proof
//! is made with a public key in a signed file, and **counts only where passive authentication of that file
//! passed**: the checks here say what the answers are worth under the keys as read, and whoever sums them up
//! puts both together.
//!
//! What a signed file offers and the chip does not keep is a failure, not a gap: whoever copies the files
//! copies the offer and cannot keep it. So a chip that refuses a proof it has signed for, breaks its session
//! over it, or hides the file that EF.SOD lists has failed. What is not possible is what we cannot do, or were
//! not let do on our own side: an unknown curve, a signature cut short in a reader, a file nobody read.

mod active_authentication;
mod card_access;
mod chip_authentication;
mod iso9796;
mod mapping;
mod terminal_authentication;

use cccd_document::{DataGroup14, EfSod, Evidence, FileId, FileOutcome, SecurityInfos};

use crate::{Check, CheckName, CheckState, Reason};

/// What EF.CardSecurity is worth: the key of chip authentication mapping stands in it (ICAO 9303-11, 9.2.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardSecurity {
    /// It is signed by a signer that was found trustworthy; these are the options in it.
    Signed(SecurityInfos),
    /// Whether it is cannot be told: why.
    NotTrusted(Reason),
    /// It is not what it should be, or not signed by whom it says: why.
    Forged(Reason),
}

/// The checks of [`CheckName::CardAccess`], [`CheckName::ActiveAuthentication`],
/// [`CheckName::ChipAuthentication`], [`CheckName::ChipAuthenticationMapping`] and
/// [`CheckName::TerminalAuthentication`], one of each.
///
/// The keys are taken from DG14, DG15 and EF.CardSecurity as they were read: that the first two are signed is
/// the matter of [`CheckName::GroupHashes`] and [`CheckName::Signature`], and of the last the caller says it.
pub fn chip_checks(evidence: &Evidence, card_security: &CardSecurity) -> Vec<Check> {
    let options = Options::of(evidence);
    vec![
        card_access::check(evidence, &options),
        active_authentication::check(evidence, &options),
        chip_authentication::check(evidence, &options),
        mapping::check(evidence, &options, card_security),
        terminal_authentication::check(evidence),
    ]
}

/// The options in DG14, or why there are none.
enum Options {
    Read(SecurityInfos),
    Lacking(Lack),
}

impl Options {
    fn of(evidence: &Evidence) -> Self {
        match signed_file(evidence, FileId::DG14) {
            Err(lack) => Self::Lacking(lack),
            Ok(bytes) => DataGroup14::parse(bytes)
                .map_or(Self::Lacking(Lack::Unread), |group| Self::Read(group.security_infos)),
        }
    }

    fn read(&self) -> Option<&SecurityInfos> {
        match self {
            Self::Read(infos) => Some(infos),
            Self::Lacking(_) => None,
        }
    }
}

/// Why a signed file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// EF.SOD does not list it: the document has none.
    NotListed,
    /// EF.SOD lists it and the chip would not show it.
    Withheld,
    /// EF.SOD lists it, and it was not read, or is nothing that can be read.
    Unread,
    /// Without EF.SOD nobody knows what the document should have.
    NoSecurityObject,
}

impl Lack {
    /// What it makes of a check that needs the file.
    fn verdict(self, name: CheckName) -> Check {
        match self {
            Self::NotListed => Check::new(name, CheckState::NotOffered),
            Self::Withheld => Check::failed(name, Reason::ProofKeyWithheld),
            Self::Unread => Check::not_possible(name, Reason::ProofKeyUnread),
            Self::NoSecurityObject => Check::not_possible(name, Reason::SecurityObjectAbsent),
        }
    }
}

/// The bytes of a group, or why there are none. A copy may leave out the group it has no private key for: the
/// signed list tells.
fn signed_file(evidence: &Evidence, file: FileId) -> Result<&[u8], Lack> {
    if let Some(bytes) = evidence.bytes(file) {
        return Ok(bytes);
    }
    let listed = evidence.bytes(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok());
    let (Some(sod), FileId::Dg(number)) = (listed, file) else { return Err(Lack::NoSecurityObject) };
    if !sod.security_object.hashes.contains_key(&number) {
        return Err(Lack::NotListed);
    }
    Err(match evidence.files.get(&file) {
        Some(FileOutcome::Absent(_) | FileOutcome::Locked(_) | FileOutcome::Refused(_)) => Lack::Withheld,
        _ => Lack::Unread,
    })
}

#[cfg(test)]
mod tests;
