//! Card verifiable certificates (BSI TR-03110-3, C.1 and D.2), as far as a terminal needs them: whom they name,
//! and the bytes the chip wants.

use cccd_card::tlv::{Tag, TlvError, TlvReader};
use const_oid::ObjectIdentifier;

const CERTIFICATE: Tag = Tag(0x7F21);
const BODY: Tag = Tag(0x7F4E);
const SIGNATURE: Tag = Tag(0x5F37);
const AUTHORITY_REFERENCE: Tag = Tag(0x42);
const HOLDER_REFERENCE: Tag = Tag(0x5F20);
const PUBLIC_KEY: Tag = Tag(0x7F49);
const HOLDER_AUTHORISATION: Tag = Tag(0x7F4C);
const DISCRETIONARY: Tag = Tag(0x53);

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
    /// The public key does not say what it signs with.
    #[error("certificate's public key names no algorithm")]
    Algorithm,
}

/// A certificate. It is not verified here: the chip does that, and it alone has the key to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvCertificate {
    presented: Vec<u8>,
    authority: String,
    holder: String,
    algorithm: ObjectIdentifier,
    terminal: bool,
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

        let (mut authority, mut holder, mut algorithm, mut terminal) = (None, None, None, false);
        let mut members = TlvReader::new(body);
        while let Some(object) = members.next_object()? {
            match object.tag {
                AUTHORITY_REFERENCE => authority = Some(reference(object.value)?),
                HOLDER_REFERENCE => holder = Some(reference(object.value)?),
                PUBLIC_KEY => {
                    let oid = TlvReader::new(object.value).expect(Tag(0x06))?;
                    algorithm = ObjectIdentifier::from_bytes(oid).ok();
                }
                HOLDER_AUTHORISATION => {
                    let mut template = TlvReader::new(object.value);
                    template.expect(Tag(0x06))?;
                    // The two highest bits are the role; a terminal has none set (C.4.1).
                    terminal = template.expect(DISCRETIONARY)?.first().is_some_and(|first| first & 0xC0 == 0);
                }
                _ => {}
            }
        }
        Ok(Self {
            presented: content.to_vec(),
            authority: authority.ok_or(CvCertificateError::Reference)?,
            holder: holder.ok_or(CvCertificateError::Reference)?,
            algorithm: algorithm.ok_or(CvCertificateError::Algorithm)?,
            terminal,
        })
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

    /// Whether the holder is a terminal, and no authority.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Body and signature, as PSO:Verify Certificate carries them (TR-03110-3, B.11.4).
    pub(crate) fn presented(&self) -> &[u8] {
        &self.presented
    }
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
