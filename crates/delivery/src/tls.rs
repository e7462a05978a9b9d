//! TLS for what is no HTTP.

use std::sync::Arc;

use cccd_profiles::{FetchRoots, PeerTls};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::{NotATarget, TargetFiles};

/// Whom to believe, and what to show.
pub(crate) fn client_config(settings: &PeerTls, files: &TargetFiles) -> Result<ClientConfig, NotATarget> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(NotATarget::Tls)?;
    let by_machine =
        |extra: Vec<CertificateDer<'static>>| -> Result<Arc<dyn ServerCertVerifier>, NotATarget> {
            Ok(Arc::new(Verifier::new_with_extra_roots(extra, provider).map_err(NotATarget::Tls)?))
        };
    let builder = match settings.roots {
        FetchRoots::Machine => builder.dangerous().with_custom_certificate_verifier(by_machine(Vec::new())?),
        FetchRoots::MachineAnd(_) => {
            builder.dangerous().with_custom_certificate_verifier(by_machine(authorities(files)?)?)
        }
        FetchRoots::Only(_) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities(files)? {
                roots.add(authority).map_err(|_| NotATarget::Authorities)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let Some(pem) = &files.identity else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(pem).ok_or(NotATarget::Identity)?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| NotATarget::Identity)?;
    builder.with_client_auth_cert(chain, key).map_err(|_| NotATarget::Identity)
}

fn authorities(files: &TargetFiles) -> Result<Vec<CertificateDer<'static>>, NotATarget> {
    certificates(files.authorities.as_deref().unwrap_or_default()).ok_or(NotATarget::Authorities)
}

/// At least one certificate.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!all.is_empty()).then_some(all)
}
