//! Evidence to verdict, in one call.

use cccd_document::{Evidence, FileId, SecurityInfos, SignedMessage};
use const_oid::ObjectIdentifier;
use time::OffsetDateTime;

use crate::chain::{NoChain, find_chains};
use crate::chip_proof::{CardSecurity, chip_checks};
use crate::crl::Crl;
use crate::passive::{PassiveAuthentication, Policy, passive_authentication};
use crate::signature::SignatureFault;
use crate::signed_data::verify_message;
use crate::{Check, CheckName, CheckState, Reason, TrustAnchors, Verdict};

/// id-SecurityObject (BSI TR-03110-3, A.1.2.5): what EF.CardSecurity says it carries.
const SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.2.1");

/// What a judge stands on: what the operator trusts, and where the operator is lenient.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Certificates.
    pub anchors: &'a TrustAnchors,
    /// Revocation lists.
    pub crls: &'a [Crl],
    /// Where deviations are tolerated.
    pub policy: &'a Policy,
}

/// A verdict, and what it leads to.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// All checks, and what they come to.
    pub verdict: Verdict,
    /// Who signed, and where the chain ends.
    pub passive_authentication: PassiveAuthentication,
}

/// Judges what a reading left: passive authentication (ICAO 9303-11, 5.1), then what the chip proved (6.1, 6.2
/// and 4.4.3.3.3). `now` is the moment for which it is judged: that of the reading, if it is judged later.
pub fn judge(evidence: &Evidence, basis: Basis<'_>, now: OffsetDateTime) -> Judgement {
    let Basis { anchors, crls, policy } = basis;
    let passive = passive_authentication(evidence, anchors, crls, now, policy);
    let mut checks = passive.checks.clone();
    checks.extend(chip_checks(evidence, &card_security(evidence, &passive, anchors)));
    Judgement { verdict: Verdict::of(checks), passive_authentication: passive }
}

/// What EF.CardSecurity is worth. It is signed like EF.SOD, most often by the same signer: then what was found
/// of that one holds here too. Another signer must lead to an anchor, as any document signer must.
fn card_security(
    evidence: &Evidence,
    passive: &PassiveAuthentication,
    anchors: &TrustAnchors,
) -> CardSecurity {
    let Some(bytes) = evidence.bytes(FileId::CardSecurity) else {
        return CardSecurity::NotTrusted(Reason::CardSecurityWithheld);
    };
    let Ok(message) = SignedMessage::parse(bytes) else {
        return CardSecurity::Forged(Reason::CardSecurityMalformed);
    };
    if message.content_type != SECURITY_OBJECT {
        return CardSecurity::Forged(Reason::CardSecurityMalformed);
    }
    let signed = match verify_message(&message, anchors) {
        Ok(signed) => signed,
        Err(SignatureFault::Bad(_)) => return CardSecurity::Forged(Reason::CardSecurityForged),
        Err(SignatureFault::Unverifiable(reason)) => return CardSecurity::NotTrusted(reason),
    };
    let is_signer_of_sod = passive.signer.as_ref() == Some(&signed.signer);
    if !(is_signer_of_sod && may_sign(&passive.checks)) {
        match find_chains(&signed.signer, &signed.companions, anchors) {
            // What stands against the signer of EF.SOD stands against this key too.
            Ok(_) if is_signer_of_sod => return CardSecurity::NotTrusted(Reason::NoVerifiedSigner),
            Ok(_) => {}
            Err(NoChain::UnknownAnchor) => return CardSecurity::NotTrusted(Reason::UnknownAnchor),
            Err(NoChain::Forged) => return CardSecurity::Forged(Reason::CardSecurityForged),
            Err(NoChain::Unverifiable(reason)) => return CardSecurity::NotTrusted(reason),
        }
    }
    match SecurityInfos::parse(&message.content) {
        Ok(infos) => CardSecurity::Signed(infos),
        Err(_) => CardSecurity::Forged(Reason::CardSecurityMalformed),
    }
}

/// Whether nothing was found against the signer of EF.SOD.
fn may_sign(checks: &[Check]) -> bool {
    let names = [CheckName::Signature, CheckName::SignerCertificate, CheckName::Chain, CheckName::Validity];
    names
        .iter()
        .all(|name| checks.iter().any(|check| check.name == *name && check.state == CheckState::Passed))
}
