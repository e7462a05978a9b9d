//! Active authentication judged (ICAO 9303-11, 6.1): does the answer fit the challenge and the key in DG15?

use cccd_curve::ecdsa;
use cccd_document::evidence::challenge_from_nonce;
use cccd_document::public_key::KeyKind;
use cccd_document::{
    ActiveAuthenticationRun, DataGroup15, Evidence, FileId, ProofOutcome, PublicKey, SecurityInfos,
};
use der::asn1::UintRef;
use der::{Decode, Sequence};
use subtle::ConstantTimeEq;

use super::iso9796::{self, Iso9796Fault};
use super::{Options, signed_file};
use crate::hash::HashAlgorithm;
use crate::signature::curve_of;
use crate::{Check, CheckName, CheckState, Reason};

pub(super) fn check(evidence: &Evidence, options: &Options) -> Check {
    let name = CheckName::ActiveAuthentication;
    let bytes = match signed_file(evidence, FileId::DG15) {
        Ok(bytes) => bytes,
        Err(lack) => return lack.verdict(name),
    };
    let run = match &evidence.proofs.active_authentication {
        ProofOutcome::Done(run) => run,
        ProofOutcome::NotAsked => return Check::new(name, CheckState::Skipped),
        ProofOutcome::Unsupported => return Check::not_possible(name, Reason::ProofKeyUnusable),
        ProofOutcome::Refused(_) => return Check::failed(name, Reason::ProofRefused),
        ProofOutcome::NotCarried => return Check::not_possible(name, Reason::ProofNotCarried),
        // DG15 is the offer; a reading that holds it and says otherwise is not to be believed.
        ProofOutcome::Broken | ProofOutcome::NotOffered => return Check::failed(name, Reason::ProofBroken),
    };
    let Ok(DataGroup15 { public_key }) = DataGroup15::parse(bytes) else {
        return Check::not_possible(name, Reason::ProofKeyUnusable);
    };
    match verify(run, &public_key, options.read()) {
        Ok(()) => Check::passed(name),
        Err(Fault::Unable(reason)) => Check::not_possible(name, reason),
        Err(Fault::Wrong(reason)) => Check::failed(name, reason),
    }
}

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It cannot be judged: no fault of the chip's that could be shown, and no proof either.
    Unable(Reason),
    /// It is wrong.
    Wrong(Reason),
}

/// Whether `run` is an answer to its challenge by the owner of `key`. `signed` is the list of DG14: it names
/// the hash of ECDSA.
fn verify(
    run: &ActiveAuthenticationRun,
    key: &PublicKey,
    signed: Option<&SecurityInfos>,
) -> Result<(), Fault> {
    // A challenge that claims to be of a nonce must be of it: else an old answer would pass for a new one.
    if let Some(nonce) = &run.nonce
        && !bool::from(challenge_from_nonce(nonce).ct_eq(&run.challenge))
    {
        return Err(Fault::Wrong(Reason::ChallengeNotOfNonce));
    }
    match key.kind {
        KeyKind::Rsa { .. } => {
            iso9796::verify(key, &run.challenge, &run.response).map_err(|fault| match fault {
                Iso9796Fault::Key => Fault::Unable(Reason::ProofKeyUnusable),
                Iso9796Fault::Cut => Fault::Unable(Reason::ProofAnswerCut),
                Iso9796Fault::Trailer => Fault::Unable(Reason::ProofHashUnknown),
                Iso9796Fault::Range | Iso9796Fault::Representative | Iso9796Fault::Hash => {
                    Fault::Wrong(Reason::ProofWrong)
                }
            })
        }
        KeyKind::Ec { .. } => verify_ecdsa(run, key, signed),
        _ => Err(Fault::Unable(Reason::ProofKeyUnusable)),
    }
}

/// ECDSA (6.1.2.3). The hash is the one ActiveAuthenticationInfo names, never a guess from the curve.
fn verify_ecdsa(
    run: &ActiveAuthenticationRun,
    key: &PublicKey,
    signed: Option<&SecurityInfos>,
) -> Result<(), Fault> {
    let curve = curve_of(key).map_err(Fault::Unable)?;
    let hash = signed
        .and_then(SecurityInfos::active_authentication_info)
        .and_then(|info| hash_of(&info.signature_algorithm.to_string()))
        .ok_or(Fault::Unable(Reason::ProofHashUnknown))?;
    let digest = hash.hash(&run.challenge);
    // DER where the standard has r || s (card quirk 42). A plain signature that happens to be DER as well
    // gets both readings.
    let readings = [plain(&run.response), der_encoded(&run.response)];
    let fits = |(r, s): (&[u8], &[u8])| ecdsa::verify(curve, &key.key, &digest, r, s).is_ok();
    if readings.into_iter().flatten().any(fits) {
        return Ok(());
    }
    // A signature of half the length was cut on its way.
    let cut = run.response.len() < curve.field_bytes();
    Err(if cut { Fault::Unable(Reason::ProofAnswerCut) } else { Fault::Wrong(Reason::ProofWrong) })
}

/// The hash of a signature algorithm of ActiveAuthenticationInfo: plain ECDSA (BSI TR-03111, 5.2.1.1), or that
/// of X9.62 for chips that answer in DER.
fn hash_of(algorithm: &str) -> Option<HashAlgorithm> {
    Some(match algorithm {
        "0.4.0.127.0.7.1.1.4.1.1" | "1.2.840.10045.4.1" => HashAlgorithm::Sha1,
        "0.4.0.127.0.7.1.1.4.1.2" | "1.2.840.10045.4.3.1" => HashAlgorithm::Sha224,
        "0.4.0.127.0.7.1.1.4.1.3" | "1.2.840.10045.4.3.2" => HashAlgorithm::Sha256,
        "0.4.0.127.0.7.1.1.4.1.4" | "1.2.840.10045.4.3.3" => HashAlgorithm::Sha384,
        "0.4.0.127.0.7.1.1.4.1.5" | "1.2.840.10045.4.3.4" => HashAlgorithm::Sha512,
        _ => return None,
    })
}

/// r || s, each half of it (BSI TR-03111, 5.2.1).
fn plain(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    signature.len().is_multiple_of(2).then(|| signature.split_at(signature.len() / 2))
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// SEQUENCE { r INTEGER, s INTEGER } (RFC 3279, 2.2.3).
fn der_encoded(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    let EcdsaSigValue { r, s } = EcdsaSigValue::from_der(signature).ok()?;
    Some((r.as_bytes(), s.as_bytes()))
}
