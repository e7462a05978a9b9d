//! What the chip offered in the open against what it offers under the signature (ICAO 9303-11, 4.4.1 and
//! 9.2.10).
//!
//! EF.CardAccess is not signed: a go-between can take the better protocols out of it, or leave it out, and
//! have the terminal open the chip with a weaker one. DG14 tells afterwards.

use cccd_document::{
    AccessProtocol, Cipher, Downgrade, Evidence, Mapping, SecurityInfo, SecurityInfoContent, SecurityInfos,
    SelectedPace,
};
use const_oid::ObjectIdentifier;

use super::{Lack, Options};
use crate::{Check, CheckName, CheckState, Reason};

/// id-PACE.
const ID_PACE: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.4");

pub(super) fn check(evidence: &Evidence, options: &Options) -> Check {
    let name = CheckName::CardAccess;
    let access = &evidence.access;
    if access.protocol == AccessProtocol::ByReader {
        // Nobody here has seen what the chip offered in the open, nor what ran.
        return Check::not_possible(name, Reason::AccessUnseen);
    }
    let shown = access.card_access.as_ref().map(|bytes| SecurityInfos::parse(bytes));
    let signed = match options {
        Options::Read(signed) => signed,
        // A document without DG14 has nothing but BAC to offer.
        Options::Lacking(Lack::NotListed) if shown.is_none() && access.protocol == AccessProtocol::Bac => {
            return Check::new(name, CheckState::NotOffered);
        }
        Options::Lacking(Lack::NotListed) => return Check::not_possible(name, Reason::CardAccessNotSigned),
        Options::Lacking(lack) => return lack.verdict(name),
    };
    if let Some(shown) = &shown {
        let Ok(shown) = shown else { return Check::failed(name, Reason::CardAccessMalformed) };
        // Each option about access or proofs must be found again, byte for byte.
        if shown.iter().filter(|info| is_ours(info)).any(|info| !signed.contains(info)) {
            return Check::failed(name, Reason::CardAccessDiffers);
        }
        // And no variant of PACE may have been taken away.
        if signed.iter().filter(|info| is_pace(info)).any(|info| !shown.contains(info)) {
            return Check::failed(name, Reason::CardAccessIncomplete);
        }
    }
    match access.protocol {
        // Where the chip showed no list, the one we assumed must still be the document's.
        AccessProtocol::Pace(selected) if !signed.pace_infos().any(|info| is_selected(info, selected)) => {
            Check::failed(name, Reason::CardAccessDiffers)
        }
        AccessProtocol::Pace(_) => Check::passed(name),
        AccessProtocol::Bac if !signed.offers_pace() => match shown {
            Some(_) => Check::passed(name),
            None => Check::new(name, CheckState::NotOffered),
        },
        // What the chip offered is what it has, and we speak none of it: nobody was deceived.
        AccessProtocol::Bac if access.downgrade == Some(Downgrade::PaceUnsupported) => {
            Check::passed(name).tolerating(Reason::AccessDowngraded)
        }
        AccessProtocol::Bac => Check::failed(name, Reason::AccessDowngraded),
        AccessProtocol::ByReader => Check::not_possible(name, Reason::AccessUnseen),
    }
}

/// Whether an option is about access control or a proof of chip or terminal. Others may stand in the open
/// alone.
fn is_ours(info: &SecurityInfo) -> bool {
    is_pace(info)
        || matches!(
            info.content,
            SecurityInfoContent::ChipAuthentication(_)
                | SecurityInfoContent::ChipAuthenticationPublicKey(_)
                | SecurityInfoContent::TerminalAuthentication(_)
                | SecurityInfoContent::ActiveAuthentication(_)
                | SecurityInfoContent::Malformed
        )
}

/// Whether an option is about PACE, readable or not.
fn is_pace(info: &SecurityInfo) -> bool {
    info.protocol.is_some_and(|protocol| protocol.starts_with(ID_PACE))
}

/// The mapping in the object identifier of a PACEInfo (9.2.3).
pub(super) fn mapping_of(oid: &ObjectIdentifier) -> Option<Mapping> {
    let [mapping, _] = arcs_under_pace(oid)?;
    Some(match mapping {
        1 | 2 => Mapping::Generic,
        3 | 4 => Mapping::Integrated,
        6 => Mapping::ChipAuthentication,
        _ => return None,
    })
}

fn is_selected(info: &cccd_document::PaceInfo, selected: SelectedPace) -> bool {
    let cipher = arcs_under_pace(&info.oid).and_then(|[_, cipher]| match cipher {
        1 => Some(Cipher::TripleDes),
        2 => Some(Cipher::Aes128),
        3 => Some(Cipher::Aes192),
        4 => Some(Cipher::Aes256),
        _ => None,
    });
    mapping_of(&info.oid) == Some(selected.mapping)
        && cipher == Some(selected.cipher)
        && info.parameter_id == Some(selected.parameter_id.into())
}

fn arcs_under_pace(oid: &ObjectIdentifier) -> Option<[u32; 2]> {
    let mut arcs = oid.arcs().skip(ID_PACE.arcs().count());
    let found = [arcs.next()?, arcs.next()?];
    (oid.starts_with(ID_PACE) && arcs.next().is_none()).then_some(found)
}
