//! Looking at every certificate, list and CRL of a file before anything of it is trusted.
//!
//! A certificate that is signed with its own key proves that it is whole, and nothing about whose it is: that
//! is for whoever vouches for it. What a signature here does decide is whether a list is its signer's.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cccd_document::SignedMessage;
use cccd_document::public_key::{Curve, KeyKind};
use const_oid::ObjectIdentifier;
use const_oid::db::DB;
use time::OffsetDateTime;

use super::finding::{
    CrlFacts, CrlFinding, CrlStanding, Facts, Finding, ListFinding, ListSigner, ListStanding, Standing,
    Warning,
};
use super::{Contents, ContentsError, FileFormat, Fingerprint, Unreadable};
use crate::anchors::{Role, TrustAnchors};
use crate::crl::{Coverage, Crl};
use crate::signature::{SignatureFault, curve_of, verify_signature};
use crate::signed_data::{SignedBy, verify_message};
use crate::{Certificate, Reason, parallel};

/// Keys of the same name that are tried for one signature. A country has had some ten so far; more would be an
/// attempt to keep us busy.
const MOST_TRIED: usize = 32;

/// id-icao-mrtd-security-cscaMasterList (ICAO 9303-12, 9.2).
const CSCA_MASTER_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.2");
/// id-icao-mrtd-security-cscaMasterListSigningKey (ICAO 9303-12, 7.1).
const MASTER_LIST_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.3");

/// What a file is looked at against.
#[derive(Debug, Clone, Copy)]
pub struct Surveyor<'a> {
    /// The anchors that are installed.
    pub installed: &'a [Certificate],
    /// Certificates that may sign lists.
    pub pinned: &'a [Fingerprint],
    /// The time.
    pub now: OffsetDateTime,
    /// How long before something ends the operator is told.
    pub warn_before: Duration,
}

/// What a file holds, and what came of each part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// How the file is written.
    pub format: FileFormat,
    /// Certificates nobody has signed for together.
    pub certificates: Vec<Finding>,
    /// Signed lists.
    pub lists: Vec<ListFinding>,
    /// CRLs, as bytes: whether they can be used depends on what is installed by then.
    pub crls: Vec<Vec<u8>>,
    /// Parts that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

impl Surveyor<'_> {
    /// Looks at every part of a file.
    pub fn survey(&self, bytes: &[u8]) -> Result<Survey, ContentsError> {
        let contents = Contents::read(bytes)?;
        Ok(Survey {
            format: contents.format,
            certificates: self.certificates(&contents.certificates),
            lists: contents.messages.iter().map(|message| self.list(message)).collect(),
            crls: contents.crls,
            unreadable: contents.unreadable,
        })
    }

    /// Looks at certificates, each among the others.
    pub fn certificates(&self, ders: &[Vec<u8>]) -> Vec<Finding> {
        let parsed = parallel::map(ders, |der| Certificate::parse(der).ok());
        let family = Family::of(parsed.iter().flatten().chain(self.installed));
        let standings = parallel::map(&parsed, |one| one.as_ref().map(|one| family.standing(one)));
        let installed: HashSet<Fingerprint> = self.installed.iter().map(Certificate::fingerprint).collect();
        let mut seen = HashSet::new();
        let mut finding = |((der, certificate), standing): ((&Vec<u8>, &Option<Certificate>), _)| {
            let fingerprint = Fingerprint::of(der);
            let mut warnings = Vec::new();
            if !seen.insert(fingerprint) {
                warnings.push(Warning::Repeated);
            }
            if installed.contains(&fingerprint) {
                warnings.push(Warning::Installed);
            }
            let standing = match certificate.as_ref().zip(standing) {
                Some((certificate, (standing, weak))) => {
                    warnings.extend(weak);
                    warnings.extend(self.dates(certificate));
                    standing
                }
                None => Standing::Unreadable,
            };
            Finding {
                der: der.clone(),
                fingerprint,
                facts: certificate.as_ref().map(facts),
                standing,
                warnings,
            }
        };
        ders.iter().zip(&parsed).zip(standings).map(&mut finding).collect()
    }

    /// Looks at CRLs: whether one of the installed authorities has signed each, and which of the `known` ones it
    /// takes the place of.
    pub fn crls(&self, ders: &[Vec<u8>], known: &[&[u8]]) -> Vec<CrlFinding> {
        let known: Vec<(Fingerprint, Crl)> =
            known.iter().filter_map(|der| Some((Fingerprint::of(der), Crl::parse(der).ok()?))).collect();
        ders.iter().map(|der| self.crl(der, &known)).collect()
    }

    fn crl(&self, der: &[u8], known: &[(Fingerprint, Crl)]) -> CrlFinding {
        let fingerprint = Fingerprint::of(der);
        let finding = |facts, standing, replaces| CrlFinding {
            der: der.to_vec(),
            fingerprint,
            facts,
            standing,
            replaces,
        };
        let Ok(crl) = Crl::parse(der) else { return finding(None, CrlStanding::Unreadable, Vec::new()) };
        let facts = Some(CrlFacts {
            country: crl.issuer().country().map(str::to_uppercase),
            issuer: crl.issuer().to_string(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            revoked: crl.len(),
        });
        let mut authorities =
            self.installed.iter().filter(|one| may_sign_crls(one, &crl)).take(MOST_TRIED).peekable();
        if authorities.peek().is_none() {
            return finding(facts, CrlStanding::IssuerUnknown, Vec::new());
        }
        let Some(authority) = authorities.find(|authority| crl.verify(authority).is_ok()) else {
            return finding(facts, CrlStanding::SignatureWrong, Vec::new());
        };
        if known.iter().any(|(other, _)| *other == fingerprint) {
            return finding(facts, CrlStanding::Installed, Vec::new());
        }
        // One about a part of the certificates stands in for no other.
        let complete = |crl: &Crl| crl.coverage() == Coverage::Complete;
        let same: Vec<&(Fingerprint, Crl)> = known
            .iter()
            .filter(|(_, other)| complete(other) && complete(&crl) && other.issuer() == crl.issuer())
            .filter(|(_, other)| other.verify(authority).is_ok())
            .collect();
        if same.iter().any(|(_, other)| other.this_update() > crl.this_update()) {
            return finding(facts, CrlStanding::OlderThanInstalled, Vec::new());
        }
        finding(facts, CrlStanding::Signed, same.iter().map(|(other, _)| *other).collect())
    }

    /// Looks at a signed message: who signed it, and what it carries.
    fn list(&self, bytes: &[u8]) -> ListFinding {
        let mut finding = ListFinding {
            standing: ListStanding::Unreadable,
            signer: None,
            signed_at: None,
            certificates: Vec::new(),
            unreadable: Vec::new(),
        };
        let Ok(message) = SignedMessage::parse(bytes) else { return finding };
        if message.content_type != CSCA_MASTER_LIST {
            finding.standing = ListStanding::NoList;
            return finding;
        }
        let Ok(contents) = Contents::of_master_list(&message.content) else { return finding };
        finding.certificates = self.certificates(&contents.certificates);
        finding.unreadable = contents.unreadable;
        let mut known = TrustAnchors::new();
        for certificate in self.installed {
            known.insert(certificate.clone(), Role::Anchor);
        }
        match verify_message(&message, &known) {
            Ok(signed) => {
                let in_list =
                    contents.certificates.iter().filter(|der| self.pinned.contains(&Fingerprint::of(der)));
                let pinned: Vec<Certificate> =
                    in_list.filter_map(|der| Certificate::parse(der).ok()).collect();
                finding.standing = self.list_standing(&signed, &pinned);
                finding.signed_at = signed.signed_at;
                finding.signer = Some(ListSigner {
                    fingerprint: signed.signer.fingerprint(),
                    facts: facts(&signed.signer),
                });
            }
            Err(SignatureFault::Bad(_)) => finding.standing = ListStanding::SignatureWrong,
            Err(SignatureFault::Unverifiable(_)) => finding.standing = ListStanding::Unsupported,
        }
        finding
    }

    /// Whether whoever signed a list may: `pinned` are the pinned certificates the list itself holds.
    fn list_standing(&self, signed: &SignedBy, pinned: &[Certificate]) -> ListStanding {
        let signer = &*signed.signer;
        let signed_at = signed.signed_at.unwrap_or(self.now);
        let has_issued = |authority: &&Certificate| {
            is_authority(authority)
                && authority.subject() == signer.issuer()
                && identifiers_agree(signer, authority) != Some(false)
                && authority.validity().contains(signed_at)
                && signed_with_key_of(signer, authority).is_ok()
        };
        let is_pinned = |one: &Certificate| self.pinned.contains(&one.fingerprint());
        let companions = signed.companions.iter().map(|one| &**one);
        let vouched = if is_pinned(signer)
            || companions
                .chain(pinned)
                .chain(self.installed)
                .filter(|one| is_pinned(one))
                .take(MOST_TRIED)
                .any(|one| has_issued(&one))
        {
            ListStanding::SignedByPinned
        } else if self.installed.iter().filter(has_issued).take(MOST_TRIED).next().is_some() {
            ListStanding::SignedByInstalled
        } else {
            return ListStanding::SignerUnknown;
        };
        // A key that signs documents is in many hands: under an authority only its list signers count.
        let uses = signer.extensions().extended_key_usage.as_deref().unwrap_or_default();
        if !is_pinned(signer) && !uses.contains(&MASTER_LIST_SIGNING) {
            ListStanding::SignerNotForLists
        } else if !signer.validity().contains(signed_at) {
            ListStanding::SignerNotValid
        } else {
            vouched
        }
    }

    /// What there is to say of a certificate's days.
    fn dates(&self, certificate: &Certificate) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let validity = certificate.validity();
        let soon = self.now + self.warn_before;
        if validity.not_after < self.now {
            warnings.push(Warning::Expired);
        } else if validity.not_after < soon {
            warnings.push(Warning::EndsSoon);
        }
        if validity.not_before > self.now {
            warnings.push(Warning::NotYetValid);
        }
        match key_usage_until(certificate) {
            Some(until) if until < self.now => warnings.push(Warning::KeyUsageOver),
            Some(until) if until < soon => warnings.push(Warning::KeyUsageEndsSoon),
            _ => {}
        }
        if certificate.country().is_none_or(|country| country.is_empty()) {
            warnings.push(Warning::NoCountry);
        }
        warnings
    }
}

/// Certificates by the name of their subject, to find the keys one may be signed with.
pub(crate) struct Family<'a> {
    by_subject: HashMap<&'a [u8], Vec<&'a Certificate>>,
}

impl<'a> Family<'a> {
    pub(crate) fn of(certificates: impl Iterator<Item = &'a Certificate>) -> Self {
        let mut by_subject: HashMap<&[u8], Vec<&Certificate>> = HashMap::new();
        for certificate in certificates {
            by_subject.entry(certificate.subject().folded()).or_default().push(certificate);
        }
        Self { by_subject }
    }

    /// Whether a certificate can be an anchor, and what is weak about its signature and key.
    pub(crate) fn standing(&self, certificate: &Certificate) -> (Standing, Vec<Warning>) {
        if !is_authority(certificate) {
            return (Standing::NotAnAuthority, Vec::new());
        }
        let mut weak = weak_key(certificate);
        let own = identifiers_agree(certificate, certificate);
        // Same name is not same key: a third of the self-issued certificates of one national list are links.
        if certificate.is_self_issued() && own != Some(false) {
            match signed_with_key_of(certificate, certificate) {
                Ok(warnings) => {
                    weak.extend(warnings);
                    return (Standing::SelfSigned, weak);
                }
                Err(SignatureFault::Unverifiable(_)) => return (Standing::Unsupported, weak),
                Err(SignatureFault::Bad(_)) => {}
            }
        }
        if curve_of_key_is_unknown(certificate) {
            return (Standing::Unsupported, weak);
        }
        let issuers = self.by_subject.get(certificate.issuer().folded()).map_or(&[][..], Vec::as_slice);
        let may_have_signed = |issuer: &&&Certificate| {
            identifiers_agree(certificate, issuer) != Some(false) && **issuer != certificate
        };
        for issuer in issuers.iter().filter(may_have_signed).take(MOST_TRIED) {
            if let Ok(warnings) = signed_with_key_of(certificate, issuer) {
                weak.extend(warnings);
                return (Standing::Link, weak);
            }
        }
        let standing = match (certificate.is_self_issued(), own) {
            (true, Some(false)) => Standing::LinkUnverified,
            (true, _) => Standing::SelfSignatureWrong,
            (false, _) => Standing::IssuedByOther,
        };
        (standing, weak)
    }
}

/// Whether it may sign certificates (RFC 5280, 4.2.1.3 and 4.2.1.9).
fn is_authority(certificate: &Certificate) -> bool {
    let extensions = certificate.extensions();
    extensions.basic_constraints.is_some_and(|constraints| constraints.is_authority)
        && extensions.key_usage.is_none_or(|usage| usage.certificate_signing)
}

/// Whether it may have signed a CRL (RFC 5280, 4.2.1.3).
fn may_sign_crls(authority: &Certificate, crl: &Crl) -> bool {
    authority.subject() == crl.issuer()
        && authority.extensions().key_usage.is_none_or(|usage| usage.crl_signing)
}

/// Whether the issuer's key is the one a certificate says it was signed with. Nothing where either does not say.
fn identifiers_agree(certificate: &Certificate, issuer: &Certificate) -> Option<bool> {
    let stated = certificate.extensions().authority_key_identifier.as_ref()?;
    let own = issuer.extensions().subject_key_identifier.as_ref()?;
    Some(stated == own)
}

/// Verifies a certificate under an issuer's key; what is weak about the signature where it holds.
fn signed_with_key_of(
    certificate: &Certificate,
    issuer: &Certificate,
) -> Result<Vec<Warning>, SignatureFault> {
    let good = verify_signature(
        issuer.public_key(),
        certificate.signature_algorithm(),
        None,
        certificate.to_be_signed(),
        certificate.signature(),
    )?;
    Ok(if good.tolerated.contains(&Reason::HashWeak) { vec![Warning::WeakDigest] } else { Vec::new() })
}

fn curve_of_key_is_unknown(certificate: &Certificate) -> bool {
    match certificate.public_key().kind {
        KeyKind::Rsa { .. } => false,
        KeyKind::Ec { .. } => curve_of(certificate.public_key()).is_err(),
        _ => true,
    }
}

/// Keys below what BSI TR-03116-2, 2 asks of issuers, and ICAO 9303-12, 4.1.4 before it.
fn weak_key(certificate: &Certificate) -> Vec<Warning> {
    let short = match certificate.public_key().kind {
        KeyKind::Rsa { bits } => bits < 2048,
        KeyKind::Ec { bits, .. } => bits < 224,
        _ => false,
    };
    if short { vec![Warning::WeakKey] } else { Vec::new() }
}

fn key_usage_until(certificate: &Certificate) -> Option<OffsetDateTime> {
    certificate.extensions().private_key_usage_period?.not_after
}

/// What a certificate says of itself, for people.
pub(crate) fn facts(certificate: &Certificate) -> Facts {
    let validity = certificate.validity();
    Facts {
        country: certificate.country(),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: hex(certificate.serial_number()),
        not_before: validity.not_before,
        not_after: validity.not_after,
        key_usage_until: key_usage_until(certificate),
        key: key_name(certificate),
        signature: algorithm_name(certificate.signature_algorithm().oid),
        key_identifier: certificate.extensions().subject_key_identifier.as_deref().map(hex),
    }
}

fn key_name(certificate: &Certificate) -> String {
    let key = certificate.public_key();
    match key.kind {
        KeyKind::Rsa { bits } => format!("RSA {bits}"),
        KeyKind::Ec { curve, bits } => {
            let name = curve_of(key).map_or_else(|_| format!("{bits}"), |curve| format!("{curve:?}"));
            let explicit = if curve == Curve::Explicit { ", explicit" } else { "" };
            format!("EC {name}{explicit}")
        }
        _ => algorithm_name(key.algorithm),
    }
}

fn algorithm_name(oid: ObjectIdentifier) -> String {
    DB.by_oid(&oid).map_or_else(|| oid.to_string(), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use cccd_firmware_sim::pki::{
        self, Country, CrlPlan, Csca, CscaPlan, DigestKind, DocumentSigner, DocumentSignerPlan, ListedRole,
        Period, SignerKind, csca_list,
    };
    use proptest::prelude::*;
    use time::Date;
    use time::macros::{date, datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const SIGNED_ON: Date = date!(2026 - 05 - 01);

    static CSCA: LazyLock<Csca> = LazyLock::new(|| Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap());
    static LIST_SIGNER: LazyLock<DocumentSigner> =
        LazyLock::new(|| list_signer(DocumentSignerPlan::of_master_lists));
    static LISTED: LazyLock<Csca> = LazyLock::new(|| Csca::new(CscaPlan::usual(Country::VIETNAM)).unwrap());
    static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| list_by(&LIST_SIGNER));

    fn list_signer(plan: fn(Country, SignerKind) -> DocumentSignerPlan) -> DocumentSigner {
        CSCA.document_signer(plan(Country::UTOPIA, SignerKind::ECDSA_P256)).unwrap()
    }

    fn list_by(signer: &DocumentSigner) -> Vec<u8> {
        pki::master_list([LISTED.certificate().der()], signer, &CSCA, SIGNED_ON).unwrap()
    }

    fn parse(certificate: &pki::Certificate) -> Certificate {
        Certificate::parse(certificate.der()).unwrap()
    }

    fn fingerprint(certificate: &pki::Certificate) -> Fingerprint {
        Fingerprint::of(certificate.der())
    }

    fn surveyor<'a>(installed: &'a [Certificate], pinned: &'a [Fingerprint]) -> Surveyor<'a> {
        Surveyor { installed, pinned, now: NOW, warn_before: Duration::from_secs(90 * 24 * 3600) }
    }

    fn look(ders: &[&[u8]]) -> Vec<Finding> {
        surveyor(&[], &[]).certificates(&ders.iter().map(|der| der.to_vec()).collect::<Vec<_>>())
    }

    fn standing(der: &[u8]) -> Standing {
        look(&[der])[0].standing
    }

    #[test]
    fn a_list_of_every_shape_is_judged_as_it_was_made() {
        let list = csca_list(60).unwrap();
        let ders: Vec<&[u8]> = list.iter().map(|one| one.certificate.der()).collect();
        for (listed, finding) in list.iter().zip(look(&ders)) {
            let expected = match listed.role {
                ListedRole::SelfSigned => Standing::SelfSigned,
                ListedRole::Link => Standing::Link,
            };
            assert_eq!(finding.standing, expected, "{:?}", finding.facts);
            assert_eq!(finding.facts.unwrap().country, Some(listed.country.alpha2.to_uppercase()));
        }
    }

    #[test]
    fn what_cannot_be_an_anchor_is_told_by_its_reason() {
        let csca = &*CSCA;
        let good = csca.certificate().der();
        assert_eq!(standing(good), Standing::SelfSigned);
        assert_eq!(standing(LIST_SIGNER.certificate().der()), Standing::NotAnAuthority);
        let mut broken = good.to_vec();
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(standing(&broken), Standing::SelfSignatureWrong);
        assert_eq!(standing(&good[..good.len() - 1]), Standing::Unreadable);
        assert_eq!(standing(b"0\0"), Standing::Unreadable);
        let mut below = CscaPlan::usual(Country::UTOPIA);
        below.name.common_name = Some("Below".to_owned());
        let below = csca.sub_authority(below).unwrap();
        assert_eq!(standing(below.certificate().der()), Standing::IssuedByOther);
        assert_eq!(look(&[below.certificate().der(), good])[0].standing, Standing::Link);
    }

    #[test]
    fn a_link_needs_the_older_key_to_be_verified() {
        let (_, link) = CSCA.roll_over(CscaPlan::usual(Country::UTOPIA)).unwrap();
        assert_eq!(standing(link.der()), Standing::LinkUnverified);
        let stranger = Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap();
        assert_eq!(look(&[link.der(), stranger.certificate().der()])[0].standing, Standing::LinkUnverified);
        assert_eq!(look(&[link.der(), CSCA.certificate().der()])[0].standing, Standing::Link);
        let installed = [parse(CSCA.certificate())];
        let findings = surveyor(&installed, &[]).certificates(&[link.der().to_vec()]);
        assert_eq!(findings[0].standing, Standing::Link);
    }

    #[test]
    fn days_and_weaknesses_are_warned_of() {
        let usual = CscaPlan::usual(Country::UTOPIA);
        let validity = |from, to| CscaPlan { validity: Period { from, to }, ..usual.clone() };
        let signs_until = |to| CscaPlan {
            key_usage_period: Some(Period { from: date!(2020 - 01 - 01), to }),
            ..usual.clone()
        };
        let long_ago = date!(2010 - 01 - 01);
        for (plan, warning) in [
            (usual.clone(), None),
            (validity(long_ago, date!(2026 - 11 - 19)), Some(Warning::Expired)),
            (validity(long_ago, date!(2026 - 11 - 21)), Some(Warning::EndsSoon)),
            (validity(date!(2026 - 11 - 21), date!(2040 - 01 - 01)), Some(Warning::NotYetValid)),
            (signs_until(date!(2026 - 11 - 19)), Some(Warning::KeyUsageOver)),
            (signs_until(date!(2026 - 11 - 21)), Some(Warning::KeyUsageEndsSoon)),
            (signs_until(date!(2027 - 06 - 01)), None),
            (CscaPlan { digest: DigestKind::Sha1, ..usual.clone() }, Some(Warning::WeakDigest)),
        ] {
            let csca = Csca::new(plan).unwrap();
            let finding = look(&[csca.certificate().der()]).remove(0);
            assert_eq!(finding.standing, Standing::SelfSigned);
            assert_eq!(finding.warnings, warning.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_certificate_that_is_there_already_is_told() {
        let der = CSCA.certificate().der().to_vec();
        let installed = [parse(CSCA.certificate())];
        let findings = surveyor(&installed, &[]).certificates(&[der.clone(), der]);
        assert_eq!(findings[0].warnings, [Warning::Installed]);
        assert_eq!(findings[1].warnings, [Warning::Repeated, Warning::Installed]);
    }

    fn list_standing(list: &[u8], installed: &[Certificate], pinned: &[Fingerprint]) -> ListStanding {
        let survey = surveyor(installed, pinned).survey(list).unwrap();
        assert_eq!((survey.certificates.len(), survey.lists.len()), (0, 1));
        survey.lists[0].standing
    }

    #[test]
    fn a_list_is_believed_for_its_signer_alone() {
        let csca = [parse(CSCA.certificate())];
        let signer = fingerprint(LIST_SIGNER.certificate());
        assert_eq!(list_standing(&LIST, &[], &[]), ListStanding::SignerUnknown);
        assert_eq!(list_standing(&LIST, &[], &[signer]), ListStanding::SignedByPinned);
        assert_eq!(
            list_standing(&LIST, &[], &[fingerprint(CSCA.certificate())]),
            ListStanding::SignedByPinned
        );
        assert_eq!(list_standing(&LIST, &csca, &[]), ListStanding::SignedByInstalled);
        // One of the authorities in the list is no one who vouches for it.
        let listed = [parse(LISTED.certificate())];
        assert_eq!(list_standing(&LIST, &listed, &[listed[0].fingerprint()]), ListStanding::SignerUnknown);
        // The same name and another key.
        let stranger = Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap();
        assert_eq!(list_standing(&LIST, &[parse(stranger.certificate())], &[]), ListStanding::SignerUnknown);

        let survey = surveyor(&csca, &[]).survey(&LIST).unwrap();
        let list = &survey.lists[0];
        assert_eq!(list.signer.as_ref().unwrap().fingerprint, signer);
        assert_eq!(list.signed_at.unwrap().date(), SIGNED_ON);
        assert_eq!(list.certificates[0].der, LISTED.certificate().der());
    }

    #[test]
    fn a_signer_of_documents_signs_no_lists_unless_it_is_pinned() {
        let csca = [parse(CSCA.certificate())];
        let signer = list_signer(DocumentSignerPlan::usual);
        let list = list_by(&signer);
        assert_eq!(list_standing(&list, &csca, &[]), ListStanding::SignerNotForLists);
        let pinned = [fingerprint(signer.certificate())];
        assert_eq!(list_standing(&list, &csca, &pinned), ListStanding::SignedByPinned);
    }

    #[test]
    fn a_signer_signs_within_its_days() {
        let csca = [parse(CSCA.certificate())];
        let mut plan = DocumentSignerPlan::of_master_lists(Country::UTOPIA, SignerKind::ECDSA_P256);
        plan.validity.to = date!(2026 - 04 - 30);
        let list = list_by(&CSCA.document_signer(plan).unwrap());
        assert_eq!(list_standing(&list, &csca, &[]), ListStanding::SignerNotValid);
    }

    #[test]
    fn a_signed_message_without_a_list_is_none() {
        let mut other = LIST.clone();
        let kind = [0x06, 0x06, 0x67, 0x81, 0x08, 0x01, 0x01, 0x02];
        let at = other.windows(kind.len()).position(|window| window == kind).unwrap();
        other[at + 7] = 1;
        assert_eq!(list_standing(&other, &[], &[]), ListStanding::NoList);
    }

    #[test]
    fn a_crl_counts_for_the_authority_that_signed_it() {
        let installed = [parse(CSCA.certificate())];
        let plan = CrlPlan::empty().revoking(LIST_SIGNER.certificate(), date!(2026 - 02 - 01));
        let (crl, old) = (CSCA.crl(&plan).unwrap(), CSCA.crl(&CrlPlan::empty().stale()).unwrap());
        let judge = |installed: &[Certificate], crl: &[u8], known: &[&[u8]]| {
            surveyor(installed, &[]).crls(&[crl.to_vec()], known).remove(0)
        };
        let finding = judge(&installed, &crl, &[]);
        assert_eq!(finding.standing, CrlStanding::Signed);
        assert_eq!(finding.facts.unwrap().revoked, 1);
        assert_eq!(judge(&[], &crl, &[]).standing, CrlStanding::IssuerUnknown);
        let stranger = Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap();
        let strangers = [parse(stranger.certificate())];
        assert_eq!(judge(&strangers, &crl, &[]).standing, CrlStanding::SignatureWrong);
        // Of two of one name, the one whose key it is.
        let both = [strangers[0].clone(), installed[0].clone()];
        assert_eq!(judge(&both, &crl, &[]).standing, CrlStanding::Signed);
        assert_eq!(judge(&installed, &crl, &[&crl]).standing, CrlStanding::Installed);
        assert_eq!(judge(&installed, &old, &[&crl]).standing, CrlStanding::OlderThanInstalled);
        assert_eq!(judge(&installed, &crl, &[&old]).replaces, [Fingerprint::of(&old)]);
        // A stranger's list under the same name neither replaces nor blocks.
        let forged = stranger.crl(&CrlPlan::empty()).unwrap();
        assert_eq!(judge(&both, &old, &[&forged]).standing, CrlStanding::Signed);
        assert_eq!(judge(&both, &crl, &[&forged]).replaces, []);
        assert_eq!(judge(&installed, &crl[..crl.len() - 1], &[]).standing, CrlStanding::Unreadable);
    }

    proptest! {
        #[test]
        fn a_list_that_is_believed_after_any_change_still_says_the_same(
            at in any::<prop::sample::Index>(), bit in 0u8..8, cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
        ) {
            let installed = [parse(CSCA.certificate())];
            let mut list = LIST.clone();
            let at = at.index(list.len());
            list[at] ^= 1 << bit;
            if let Some(cut) = cut {
                list.truncate(cut.index(list.len()));
            }
            if let Ok(survey) = surveyor(&installed, &[]).survey(&list) {
                for list in survey.lists.iter().filter(|list| list.standing.is_vouched_for()) {
                    prop_assert_eq!(&list.certificates[0].der, LISTED.certificate().der());
                    prop_assert_eq!(list.certificates.len(), 1);
                    prop_assert_eq!(list.signed_at.map(|time| time.date()), Some(SIGNED_ON));
                }
            }
        }
    }
}
