//! A certificate that a reader has made for itself, as devices do: of nobody's authority, for no name in particular.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVersion};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

/// The certificate and its key.
#[derive(Clone)]
pub struct OwnCertificate {
    certificate: X509,
    acceptor: SslAcceptor,
    key: Vec<u8>,
}

/// How it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// On P-256, of version 3, for 127.0.0.1, under TLS 1.3.
    Today,
    /// RSA, of version 1, with no name, out of date, under TLS 1.2: as a device from some years ago has it.
    Formerly,
}

impl OwnCertificate {
    /// Makes one.
    pub fn make(made: Made) -> Result<Self, ErrorStack> {
        let key = match made {
            Made::Today => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
                PKey::from_ec_key(EcKey::generate(&group)?)?
            }
            Made::Formerly => PKey::from_rsa(Rsa::generate(2048)?)?,
        };
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, "reader")?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(if made == Made::Today { 2 } else { 0 })?;
        let mut serial = BigNum::new()?;
        serial.rand(64, MsbOption::ONE, false)?;
        let serial = serial.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        // The second was over in 2023.
        let (from, until) = match made {
            Made::Today => (Asn1Time::from_unix(1_700_000_000)?, Asn1Time::days_from_now(365)?),
            Made::Formerly => (Asn1Time::from_unix(1_500_000_000)?, Asn1Time::from_unix(1_690_000_000)?),
        };
        builder.set_not_before(&from)?;
        builder.set_not_after(&until)?;
        if made == Made::Today {
            let names =
                SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None))?;
            builder.append_extension(names)?;
        }
        builder.sign(&key, MessageDigest::sha256())?;
        let certificate = builder.build();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        if made == Made::Formerly {
            acceptor.set_max_proto_version(Some(SslVersion::TLS1_2))?;
        }
        acceptor.set_private_key(&key)?;
        acceptor.set_certificate(&certificate)?;
        Ok(Self { certificate, acceptor: acceptor.build(), key: key.private_key_to_pem_pkcs8()? })
    }

    /// The SHA-256 of the whole certificate, as `openssl x509 -fingerprint` shows it, without colons.
    pub fn sha256(&self) -> Result<String, ErrorStack> {
        Ok(hex::encode_upper(self.certificate.digest(MessageDigest::sha256())?))
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }

    /// The key, then the certificate, in PEM.
    pub fn with_key(&self) -> Result<Vec<u8>, ErrorStack> {
        Ok([self.key.clone(), self.to_pem()?].concat())
    }

    pub(super) fn acceptor(&self) -> &SslAcceptor {
        &self.acceptor
    }
}

impl std::fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnCertificate(..)")
    }
}
