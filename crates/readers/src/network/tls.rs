//! TLS towards a reader, whose certificate it has made itself: by whom it is known, and what it showed.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cccd_card::{CertificateHash, ReaderRefusal};
use cccd_profiles::ReaderTrust;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, PeerMisbehaved,
    RootCertStore, SignatureScheme, StreamOwned,
};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::line::{Lost, Wire};

/// A line under TLS.
pub(super) type TlsWire = StreamOwned<ClientConnection, Wire>;

/// Shakes hands with whoever is at the other end, and says nothing else. Only one that is known by `trust` is a reader.
pub(super) fn shake_hands(
    mut wire: Wire,
    address: SocketAddr,
    trust: &ReaderTrust,
    until: Instant,
) -> Result<TlsWire, Lost> {
    let verifier = Arc::new(Known::by(trust)?);
    let provider = Arc::clone(&verifier.provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Lost::Because("TLS cannot be set up"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|_| Lost::Because("TLS cannot be set up"))?;
    while connection.is_handshaking() {
        match connection.complete_io(&mut wire) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {}
            Err(error) => return Err(verifier.why(&error)),
        }
    }
    Ok(StreamOwned::new(connection, wire))
}

/// Which certificate is shown by whoever is at the other end of this wire; nothing else is said, and nobody believed.
pub(super) fn seen(wire: Wire, address: SocketAddr, until: Instant) -> Option<CertificateHash> {
    match shake_hands(wire, address, &ReaderTrust::Nobody, until) {
        Err(Lost::Refused(ReaderRefusal::Certificate { seen })) => Some(seen),
        _ => None,
    }
}

/// Looks whether a certificate is that of the reader, and keeps which it was where it is not.
#[derive(Debug)]
struct Known {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<CertificateHash>>,
}

#[derive(Debug)]
enum Trust {
    Nobody,
    Certificate(CertificateHash),
    Authority(Arc<WebPkiServerVerifier>),
}

impl Known {
    fn by(trust: &ReaderTrust) -> Result<Self, Lost> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = match trust {
            ReaderTrust::Nobody => Trust::Nobody,
            ReaderTrust::Certificate(hash) => Trust::Certificate(*hash),
            ReaderTrust::Authority(file) => Trust::Authority(authority(file, &provider)?),
        };
        Ok(Self { trust, provider, refused: Mutex::new(None) })
    }

    /// Why the handshake came to nothing.
    fn why(&self, error: &io::Error) -> Lost {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = refused {
            return Lost::Refused(ReaderRefusal::Certificate { seen });
        }
        match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
            // What comes is no record of TLS.
            Some(Error::InvalidMessage(_)) => Lost::Refused(ReaderRefusal::SpeaksNoTls),
            Some(_) => Lost::Because("it comes to no terms over TLS"),
            None => Lost::Because("it does not answer over TLS: does its address begin with http:// ?"),
        }
    }

    fn algorithms(&self) -> WebPkiSupportedAlgorithms {
        self.provider.signature_verification_algorithms
    }
}

/// The authorities of a file, and no other.
fn authority(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Lost> {
    const NONE: Lost = Lost::Because("the file of authorities (ca_file) holds none, or cannot be read");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|_| NONE)? {
        roots.add(certificate.map_err(|_| NONE)?).map_err(|_| NONE)?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    verifier.build().map_err(|_| NONE)
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = CertificateHash(Sha256::digest(end_entity).into());
        let known = match &self.trust {
            Trust::Certificate(known) if *known == seen => Ok(ServerCertVerified::assertion()),
            Trust::Nobody | Trust::Certificate(_) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Trust::Authority(authority) => {
                authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
        };
        if known.is_err() {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        known
    }

    /// As the library does it, but for certificates of any version: `openssl x509 -req` made those of version 1 for long,
    /// which it does not read.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parsed(certificate)?;
        let key = certificate.tbs_certificate().subject_public_key_info();
        let algorithm = key.algorithm.to_der().map_err(|_| CertificateError::BadEncoding)?;
        let bits = key.subject_public_key.as_bytes().ok_or(CertificateError::BadEncoding)?;
        let supported = self.algorithms();
        let of_scheme = supported.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, candidates) = of_scheme.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        // Those of the scheme that are made for this kind of key. Their identifiers are without tag and length.
        let algorithm = algorithm.get(2..).unwrap_or_default();
        let mut fits = candidates.iter().filter(|candidate| *candidate.public_key_alg_id() == *algorithm);
        if fits.any(|fit| fit.verify_signature(bits, message, signed.signature()).is_ok()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parsed(certificate)?;
        let key = certificate.tbs_certificate().subject_public_key_info().to_der();
        let key = SubjectPublicKeyInfoDer::from(key.map_err(|_| CertificateError::BadEncoding)?);
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}
