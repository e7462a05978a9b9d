//! Terminal authentication version 1, the chip's half (ICAO 9303-11, 7.1; BSI TR-03110-1, 3.5; BSI TR-03110-3, C
//! and D).

use cccd_card::StatusWord;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcGroupRef, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};

use super::apdu::Refusal;
use super::tlv::{self, Object};

/// Whom the chip trusts to certify terminals. Persistent: link certificates change it for good.
pub(super) struct TrustPoints {
    /// The newest first, and at most two (ICAO 9303-11, 7.1.4.3.4).
    points: Vec<Holder>,
    /// The latest day the chip knows to have come: six digits.
    today: [u8; 6],
}

/// The holder of a certificate that was verified.
#[derive(Clone)]
struct Holder {
    reference: Vec<u8>,
    key: VerifyingKey,
    role: Role,
    /// What it may read, cut down to what its issuers may.
    rights: u8,
    effective: [u8; 6],
    expires: [u8; 6],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Authority,
    DomesticVerifier,
    ForeignVerifier,
    Terminal,
}

/// A public key with the algorithm it verifies by.
#[derive(Clone)]
enum VerifyingKey {
    Ecdsa { key: EcKey<Public>, hash: MessageDigest },
    Rsa { key: PKey<Public>, hash: MessageDigest, padding: Padding },
}

/// What the commands of one session have come to.
#[derive(Default)]
pub(super) struct Progress {
    /// The key that MSE:Set DST named.
    chosen: Option<Holder>,
    /// The certificate that PSO:Verify Certificate took in last.
    imported: Option<Holder>,
    /// The terminal that MSE:Set AT named.
    terminal: Option<Holder>,
    /// What the terminal may read, once it is authenticated.
    granted: Option<u8>,
}

impl Progress {
    /// The access bits the terminal has proven to have: 1 for DG3, 2 for DG4.
    pub(super) fn granted(&self) -> u8 {
        self.granted.unwrap_or(0)
    }

    /// MSE:Set DST: the key that is to verify the next certificate.
    pub(super) fn choose_key(&mut self, trust: &TrustPoints, data: &[u8]) -> Result<(), Refusal> {
        let wanted = reference(data)?;
        let mut known = trust.points.iter().chain(&self.imported);
        let found = known.find(|holder| holder.reference == wanted).cloned();
        self.chosen = Some(found.ok_or(UNKNOWN)?);
        Ok(())
    }

    /// PSO:Verify Certificate.
    pub(super) fn verify_certificate(&mut self, trust: &mut TrustPoints, data: &[u8]) -> Result<(), Refusal> {
        let issuer = self.chosen.take().ok_or(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED))?;
        let holder = verified(&issuer, data)?;
        if holder.role != Role::Authority && holder.expires < trust.today {
            return Err(Refusal(StatusWord::VERIFICATION_FAILED));
        }
        // Domestic document verifiers tell the time truly, and so does whom they certify; foreign ones do not
        // (ICAO 9303-11, 7.1.4.3.3).
        if issuer.role != Role::ForeignVerifier {
            trust.today = trust.today.max(holder.effective);
        }
        if holder.role == Role::Authority {
            if trust.points.iter().any(|point| point.reference == holder.reference) {
                return Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED));
            }
            trust.points.insert(0, holder);
            trust.points.truncate(2);
        } else {
            self.imported = Some(holder);
        }
        Ok(())
    }

    /// MSE:Set AT: the terminal that is to prove itself.
    pub(super) fn choose_terminal(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let wanted = reference(data)?;
        let is_it = |holder: &&Holder| holder.reference == wanted && holder.role == Role::Terminal;
        self.terminal = Some(self.imported.as_ref().filter(is_it).cloned().ok_or(UNKNOWN)?);
        Ok(())
    }

    /// EXTERNAL AUTHENTICATE: the terminal's signature over ID_IC || r_IC || Comp(PK_DH,IFD).
    pub(super) fn authenticate(&mut self, signed: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        // Once in a session, and no more (ICAO 9303-11, 7.1.3).
        if self.granted.is_some() {
            return Err(Refusal(StatusWord::SECURITY_STATUS));
        }
        let terminal = self.terminal.take().ok_or(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED))?;
        if !terminal.key.verifies(signed, signature)? {
            return Err(Refusal(StatusWord::VERIFICATION_FAILED));
        }
        self.granted = Some(terminal.rights);
        Ok(())
    }
}

impl TrustPoints {
    /// The authorities of these self-signed certificates, the newest first. What is no such certificate is no
    /// trust point.
    pub(super) fn new(certificates: &[Vec<u8>]) -> Self {
        let points: Vec<Holder> = certificates.iter().filter_map(|bytes| root(bytes)).take(2).collect();
        let today = points.iter().map(|point| point.effective).max().unwrap_or_default();
        Self { points, today }
    }

    /// The references of the authorities, the newest first.
    pub(super) fn references(&self) -> Vec<Vec<u8>> {
        self.points.iter().map(|point| point.reference.clone()).collect()
    }
}

/// The certificate of an authority, verified with its own key.
fn root(certificate: &[u8]) -> Option<Holder> {
    let outer = tlv::objects(certificate)?;
    let [whole] = outer.as_slice() else { return None };
    let body = find(&tlv::objects(whole.value)?, 0x7F4E)?;
    let holder = read_body(body, None).ok()?;
    (holder.role == Role::Authority).then_some(())?;
    verified(&holder, whole.value).ok()
}

/// A certificate body and its signature, checked with the issuer's key.
fn verified(issuer: &Holder, data: &[u8]) -> Result<Holder, Refusal> {
    let objects = tlv::objects(data).ok_or(MALFORMED)?;
    let [body, signature] = objects.as_slice() else {
        return Err(MALFORMED);
    };
    if (body.tag, signature.tag) != (0x7F4E, 0x5F37) {
        return Err(MALFORMED);
    }
    let mut holder = read_body(body.value, Some(issuer))?;
    // Who may certify whom (ICAO 9303-12, 7.2; BSI TR-03110-3, C.4.1).
    let may = match holder.role {
        Role::Authority | Role::DomesticVerifier | Role::ForeignVerifier => issuer.role == Role::Authority,
        Role::Terminal => matches!(issuer.role, Role::DomesticVerifier | Role::ForeignVerifier),
    };
    if !may || !issuer.key.verifies(body.whole, signature.value)? {
        return Err(Refusal(StatusWord::VERIFICATION_FAILED));
    }
    holder.rights &= issuer.rights;
    Ok(holder)
}

/// The certificate body (BSI TR-03110-3, C.1). Below a root the curve is that of the issuer.
fn read_body(body: &[u8], issuer: Option<&Holder>) -> Result<Holder, Refusal> {
    let objects = tlv::objects(body).ok_or(MALFORMED)?;
    let take = |tag| find(&objects, tag).ok_or(MALFORMED);
    let day = |tag| <[u8; 6]>::try_from(take(tag)?).map_err(|_| MALFORMED);
    if take(0x5F29)? != [0] {
        return Err(MALFORMED);
    }
    if issuer.is_some_and(|issuer| take(0x42).ok() != Some(&issuer.reference)) {
        return Err(UNKNOWN);
    }
    let template = tlv::objects(take(0x7F4C)?).ok_or(MALFORMED)?;
    // id-IS: anything else is the terminal of another system.
    if find(&template, 0x06) != Some(&[0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01]) {
        return Err(MALFORMED);
    }
    let Some(&[bits]) = find(&template, 0x53) else {
        return Err(MALFORMED);
    };
    let role = match bits >> 6 {
        0b11 => Role::Authority,
        0b10 => Role::DomesticVerifier,
        0b01 => Role::ForeignVerifier,
        _ => Role::Terminal,
    };
    Ok(Holder {
        reference: take(0x5F20)?.to_vec(),
        key: VerifyingKey::read(take(0x7F49)?, issuer.map(|issuer| &issuer.key))?,
        role,
        rights: bits & 0b11,
        effective: day(0x5F25)?,
        expires: day(0x5F24)?,
    })
}

impl VerifyingKey {
    /// A public key data object (BSI TR-03110-3, D.3).
    fn read(value: &[u8], issuer: Option<&Self>) -> Result<Self, Refusal> {
        let objects = tlv::objects(value).ok_or(MALFORMED)?;
        let number = |tag| Ok::<_, Refusal>(BigNum::from_slice(find(&objects, tag).ok_or(MALFORMED)?)?);
        // id-TA, the kind of key and the hash.
        let Some(&[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, kind, last]) = find(&objects, 0x06) else {
            return Err(MALFORMED);
        };
        let (sha1, sha256, sha512) = (MessageDigest::sha1, MessageDigest::sha256, MessageDigest::sha512);
        if kind == 1 {
            let (hash, padding) = match last {
                1 => (sha1(), Padding::PKCS1),
                2 => (sha256(), Padding::PKCS1),
                3 => (sha1(), Padding::PKCS1_PSS),
                4 => (sha256(), Padding::PKCS1_PSS),
                5 => (sha512(), Padding::PKCS1),
                6 => (sha512(), Padding::PKCS1_PSS),
                _ => return Err(MALFORMED),
            };
            let key = PKey::from_rsa(Rsa::from_public_components(number(0x81)?, number(0x82)?)?)?;
            return Ok(Self::Rsa { key, hash, padding });
        }
        let hash = match (kind, last) {
            (2, 1) => sha1(),
            (2, 2) => MessageDigest::sha224(),
            (2, 3) => sha256(),
            (2, 4) => MessageDigest::sha384(),
            (2, 5) => sha512(),
            _ => return Err(MALFORMED),
        };
        let mut context = BigNumContext::new()?;
        let mut point_of = |group: &EcGroup, tag| {
            let bytes = find(&objects, tag).ok_or(MALFORMED)?;
            EcPoint::from_bytes(group, bytes, &mut context).map_err(|_| MALFORMED)
        };
        let group = match (find(&objects, 0x81), issuer) {
            (Some(_), _) => {
                let mut context = BigNumContext::new()?;
                let (p, a, b) = (number(0x81)?, number(0x82)?, number(0x83)?);
                let mut group = EcGroup::from_components(p, a, b, &mut context)?;
                let generator = point_of(&group, 0x84)?;
                group.set_generator(generator, number(0x85)?, number(0x87)?)?;
                group
            }
            (None, Some(Self::Ecdsa { key, .. })) => copy(key.group())?,
            _ => return Err(MALFORMED),
        };
        let point = point_of(&group, 0x86)?;
        Ok(Self::Ecdsa { key: EcKey::from_public_key(&group, &point)?, hash })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        match self {
            Self::Ecdsa { key, hash: kind } => {
                // r and s side by side (BSI TR-03111, 5.2.1).
                let length = usize::try_from(key.group().order_bits().div_ceil(8)).unwrap_or(0);
                let Some((r, s)) = signature.split_at_checked(length).filter(|(_, s)| s.len() == length)
                else {
                    return Ok(false);
                };
                let (r, s) = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
                let signature = EcdsaSig::from_private_components(r, s)?;
                // What OpenSSL cannot take for a signature is none.
                Ok(signature.verify(&hash(*kind, message)?, key).unwrap_or(false))
            }
            Self::Rsa { key, hash: kind, padding } => {
                let mut verifier = Verifier::new(*kind, key)?;
                verifier.set_rsa_padding(*padding)?;
                if *padding == Padding::PKCS1_PSS {
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                    verifier.set_rsa_mgf1_md(*kind)?;
                }
                Ok(verifier.verify_oneshot(signature, message).unwrap_or(false))
            }
        }
    }
}

/// A curve by its parameters: there is no other way to have one twice.
fn copy(group: &EcGroupRef) -> Result<EcGroup, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    let (mut order, mut cofactor) = (BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
    group.order(&mut order, &mut context)?;
    group.cofactor(&mut cofactor, &mut context)?;
    let mut copy = EcGroup::from_components(p, a, b, &mut context)?;
    let form = PointConversionForm::UNCOMPRESSED;
    let generator = group.generator_opt().map(|point| point.to_bytes(group, form, &mut context));
    let generator = EcPoint::from_bytes(&copy, &generator.transpose()?.unwrap_or_default(), &mut context)?;
    copy.set_generator(generator, order, cofactor)?;
    Ok(copy)
}

/// 83: a reference, and nothing else.
fn reference(data: &[u8]) -> Result<&[u8], Refusal> {
    match tlv::objects(data).ok_or(MALFORMED)?.as_slice() {
        [one] if one.tag == 0x83 && !one.value.is_empty() => Ok(one.value),
        _ => Err(MALFORMED),
    }
}

fn find<'a>(objects: &[Object<'a>], tag: u32) -> Option<&'a [u8]> {
    objects.iter().find(|object| object.tag == tag).map(|object| object.value)
}

const MALFORMED: Refusal = Refusal(StatusWord::WRONG_DATA);
const UNKNOWN: Refusal = Refusal(StatusWord::REFERENCE_NOT_FOUND);
