//! Card verifiable certificates (BSI TR-03110-3, C.1 and D.2), as far as a terminal needs them: whom they name,
//! with which key, what they grant and until when, and the bytes the chip wants.

use cccd_card::tlv::{Tag, TlvError, TlvReader};
use const_oid::ObjectIdentifier;
use time::{Date, Month};

use super::key::{Algorithm, TerminalPublicKey};

const CERTIFICATE: Tag = Tag(0x7F21);
const BODY: Tag = Tag(0x7F4E);
const SIGNATURE: Tag = Tag(0x5F37);
const AUTHORITY_REFERENCE: Tag = Tag(0x42);
const HOLDER_REFERENCE: Tag = Tag(0x5F20);
const PUBLIC_KEY: Tag = Tag(0x7F49);
const HOLDER_AUTHORISATION: Tag = Tag(0x7F4C);
const DISCRETIONARY: Tag = Tag(0x53);
const EFFECTIVE: Tag = Tag(0x5F25);
const EXPIRES: Tag = Tag(0x5F24);
/// id-IS: inspection systems, the one kind of terminal that reads DG3 and DG4 (C.4.1).
const INSPECTION_SYSTEM: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.2.1");

/// A reference has a country, a mnemonic and a sequence number: 16 bytes at most (C.1.4).
const LONGEST_REFERENCE: usize = 16;

/// Why bytes are no card verifiable certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CvCertificateError {
    /// They are no BER-TLV, or not the objects of a certificate.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// A reference is empty, too long, or no text.
    #[error("certificate reference is not one")]
    Reference,
    /// The public key does not say what it signs with, or holds no key.
    #[error("certificate holds no public key of a known kind")]
    PublicKey,
    /// A date is absent, or none.
    #[error("certificate does not say from when to when it is valid")]
    Date,
    /// It is for another kind of terminal than those that read documents, or does not say for which.
    #[error("certificate is not one of an inspection system")]
    Authorisation,
}

/// Whose certificate it is (C.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CvRole {
    /// A country's verifying authority, which chips trust.
    Authority,
    /// A document verifier, which certifies terminals: of the same country or of another.
    Verifier,
    /// A terminal.
    Terminal,
}

/// What a certificate lets its holder read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CvRights {
    /// DG3.
    pub fingerprints: bool,
    /// DG4.
    pub irises: bool,
}

impl CvRights {
    /// Both.
    pub const ALL: Self = Self { fingerprints: true, irises: true };

    /// What both grant.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { fingerprints: self.fingerprints && other.fingerprints, irises: self.irises && other.irises }
    }
}

/// A certificate. It is not verified here: the chip does that, and it alone has the key to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvCertificate {
    presented: Vec<u8>,
    authority: String,
    holder: String,
    algorithm: ObjectIdentifier,
    public_key: TerminalPublicKey,
    role: CvRole,
    rights: CvRights,
    effective: Date,
    expires: Date,
}

impl CvCertificate {
    /// Reads a certificate, tag 7F21 and all.
    pub fn parse(bytes: &[u8]) -> Result<Self, CvCertificateError> {
        let mut outer = TlvReader::new(bytes);
        let content = outer.expect(CERTIFICATE)?;
        outer.finish()?;
        let mut parts = TlvReader::new(content);
        let body = parts.expect(BODY)?;
        parts.expect(SIGNATURE)?;
        parts.finish()?;

        let (mut authority, mut holder, mut key, mut authorisation) = (None, None, None, None);
        let (mut effective, mut expires) = (None, None);
        let mut members = TlvReader::new(body);
        while let Some(object) = members.next_object()? {
            match object.tag {
                AUTHORITY_REFERENCE => authority = Some(reference(object.value)?),
                HOLDER_REFERENCE => holder = Some(reference(object.value)?),
                PUBLIC_KEY => key = Some(public_key(object.value)?),
                HOLDER_AUTHORISATION => authorisation = Some(role_and_rights(object.value)?),
                EFFECTIVE => effective = Some(date(object.value)?),
                EXPIRES => expires = Some(date(object.value)?),
                _ => {}
            }
        }
        let (algorithm, public_key) = key.ok_or(CvCertificateError::PublicKey)?;
        let (role, rights) = authorisation.ok_or(CvCertificateError::Authorisation)?;
        Ok(Self {
            presented: content.to_vec(),
            authority: authority.ok_or(CvCertificateError::Reference)?,
            holder: holder.ok_or(CvCertificateError::Reference)?,
            algorithm,
            public_key,
            role,
            rights,
            effective: effective.ok_or(CvCertificateError::Date)?,
            expires: expires.ok_or(CvCertificateError::Date)?,
        })
    }

    /// Reads one or more of them, one behind the other, as files hold them.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, CvCertificateError> {
        let mut rest = TlvReader::new(bytes);
        let mut found = Vec::new();
        while let Some(object) = rest.next_object()? {
            found.push(Self::parse(object.whole)?);
        }
        Ok(found)
    }

    /// Who issued it: the certification authority reference.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whom it is for: the certificate holder reference.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// What the holder signs with (TR-03110-3, A.6.4).
    pub fn algorithm(&self) -> ObjectIdentifier {
        self.algorithm
    }

    /// The name of that algorithm, where it is one of terminal authentication.
    pub fn algorithm_name(&self) -> Option<String> {
        Algorithm::of(self.algorithm).map(Algorithm::name)
    }

    /// The holder's public key.
    pub fn public_key(&self) -> &TerminalPublicKey {
        &self.public_key
    }

    /// Whose certificate it is.
    pub fn role(&self) -> CvRole {
        self.role
    }

    /// Whether the holder is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.role == CvRole::Terminal
    }

    /// Whether the holder is a country's authority: a root, or the next root that a link hands over to.
    pub(crate) fn is_authority(&self) -> bool {
        self.role == CvRole::Authority
    }

    /// What it lets its holder read, if those above it do so too.
    pub fn rights(&self) -> CvRights {
        self.rights
    }

    /// Its first day.
    pub fn effective(&self) -> Date {
        self.effective
    }

    /// Its last day.
    pub fn expires(&self) -> Date {
        self.expires
    }

    /// Body and signature, as PSO:Verify Certificate carries them (TR-03110-3, B.11.4).
    pub(crate) fn presented(&self) -> &[u8] {
        &self.presented
    }
}

/// Which algorithm, and the key (D.3): a point in 86, or a modulus in 81.
fn public_key(value: &[u8]) -> Result<(ObjectIdentifier, TerminalPublicKey), CvCertificateError> {
    let mut members = TlvReader::new(value);
    let oid = ObjectIdentifier::from_bytes(members.expect(Tag(0x06))?)
        .map_err(|_| CvCertificateError::PublicKey)?;
    let (mut modulus, mut point) = (None, None);
    while let Some(member) = members.next_object()? {
        match member.tag {
            Tag(0x81) => modulus = Some(member.value),
            Tag(0x86) => point = Some(member.value),
            _ => {}
        }
    }
    let key = match (Algorithm::of(oid), modulus, point) {
        (Some(Algorithm::Ecdsa(_)), _, Some(point)) => TerminalPublicKey::Ecdsa(point.to_vec()),
        (Some(Algorithm::RsaPkcs1(_) | Algorithm::RsaPss(_)), Some(modulus), _) => {
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            TerminalPublicKey::Rsa(modulus.get(zeros..).unwrap_or_default().to_vec())
        }
        _ => return Err(CvCertificateError::PublicKey),
    };
    Ok((oid, key))
}

/// The two highest bits are the role, the two lowest what may be read (C.4.1.1).
fn role_and_rights(value: &[u8]) -> Result<(CvRole, CvRights), CvCertificateError> {
    let mut template = TlvReader::new(value);
    let kind = ObjectIdentifier::from_bytes(template.expect(Tag(0x06))?);
    let bits = template.expect(DISCRETIONARY)?;
    let (Ok(INSPECTION_SYSTEM), [bits]) = (kind, bits) else { return Err(CvCertificateError::Authorisation) };
    let role = match bits >> 6 {
        0b11 => CvRole::Authority,
        0b00 => CvRole::Terminal,
        _ => CvRole::Verifier,
    };
    Ok((role, CvRights { fingerprints: bits & 1 != 0, irises: bits & 2 != 0 }))
}

/// Six digits, a byte each: year of this century, month, day (D.2.1.3).
fn date(value: &[u8]) -> Result<Date, CvCertificateError> {
    let &[y1, y2, m1, m2, d1, d2] = value else { return Err(CvCertificateError::Date) };
    if value.iter().any(|digit| *digit > 9) {
        return Err(CvCertificateError::Date);
    }
    let month = Month::try_from(m1 * 10 + m2).map_err(|_| CvCertificateError::Date)?;
    Date::from_calendar_date(2000 + i32::from(y1 * 10 + y2), month, d1 * 10 + d2)
        .map_err(|_| CvCertificateError::Date)
}

/// A reference as text (C.1.4: ISO/IEC 8859-1; in practice letters and digits).
pub(crate) fn reference(bytes: &[u8]) -> Result<String, CvCertificateError> {
    let fits = (1..=LONGEST_REFERENCE).contains(&bytes.len());
    let text = std::str::from_utf8(bytes).map_err(|_| CvCertificateError::Reference)?;
    let is_text = text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && is_text { Ok(text.to_owned()) } else { Err(CvCertificateError::Reference) }
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{CvAuthority, CvPlan};

    use super::*;

    #[test]
    fn the_certificates_of_a_chain_name_each_other() {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
        let verifier = root.certify(CvPlan::document_verifier("UTDVCA00001")).unwrap();
        let terminal = verifier.certify(CvPlan::terminal("UTTERM00001")).unwrap();
        let parse = |holder: &CvAuthority| CvCertificate::parse(holder.certificate()).unwrap();
        let names = |certificate: &CvCertificate| {
            (certificate.authority().to_owned(), certificate.holder().to_owned(), certificate.is_terminal())
        };
        let (root, verifier, terminal) = (parse(&root), parse(&verifier), parse(&terminal));
        assert_eq!(names(&root), ("UTCVCA00001".into(), "UTCVCA00001".into(), false));
        assert_eq!(names(&verifier), ("UTCVCA00001".into(), "UTDVCA00001".into(), false));
        assert_eq!(names(&terminal), ("UTDVCA00001".into(), "UTTERM00001".into(), true));
        assert_eq!([root.role(), verifier.role()], [CvRole::Authority, CvRole::Verifier]);
        assert_eq!((root.rights(), terminal.rights().irises), (CvRights::ALL, false));
        assert!(terminal.rights().fingerprints);
        let (first, last) = (terminal.effective().to_string(), terminal.expires().to_string());
        assert_eq!((first.as_str(), last.as_str()), ("2021-01-01", "2047-12-31"));
        assert_eq!(terminal.algorithm_name().as_deref(), Some("ECDSA-SHA-256"));
    }

    #[test]
    fn several_in_one_file_are_read_one_by_one() {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
        let verifier = root.certify(CvPlan::document_verifier("UTDVCA00001")).unwrap();
        let both = [root.certificate(), verifier.certificate()].concat();
        let found = CvCertificate::parse_all(&both).unwrap();
        assert_eq!(
            found.iter().map(CvCertificate::holder).collect::<Vec<_>>(),
            ["UTCVCA00001", "UTDVCA00001"]
        );
        assert!(CvCertificate::parse_all(&both[..both.len() - 1]).is_err());
        assert_eq!(CvCertificate::parse_all(&[]), Ok(Vec::new()));
    }

    #[test]
    fn a_day_that_is_none_is_refused() {
        assert_eq!(date(&[2, 6, 1, 1, 3, 0]).unwrap().to_string(), "2026-11-30");
        for bad in
            [&[2, 6, 1, 3, 0, 1][..], &[2, 6, 0, 2, 3, 0], &[2, 6, 1, 1, 3, 10], &[2, 6, 1, 1, 3], b"261130"]
        {
            assert_eq!(date(bad), Err(CvCertificateError::Date), "{bad:?}");
        }
    }

    #[test]
    fn no_cut_or_changed_certificate_panics() {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
        let bytes = root.certificate();
        for length in 0..bytes.len() {
            assert!(CvCertificate::parse(&bytes[..length]).is_err(), "{length}");
        }
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut changed = bytes.to_vec();
                changed[at] ^= flip;
                // Whatever comes of it, references are short and printable.
                if let Ok(certificate) = CvCertificate::parse(&changed) {
                    assert!(certificate.holder().len() <= LONGEST_REFERENCE);
                }
            }
        }
    }
}
