//! A test PKI: authorities, signers, revocation lists and lists of certificates, of every kind the agent has to
//! cope with, the odd and the wrong ones included.
//!
//! ```
//! use cccd_firmware_sim::pki::{Country, Csca, CscaPlan, DocumentSignerPlan, SignerKind};
//!
//! let csca = Csca::new(CscaPlan::usual(Country::UTOPIA))?;
//! let (next, link) = csca.roll_over(CscaPlan::usual(Country::UTOPIA))?;
//! let plan = DocumentSignerPlan::usual(Country::UTOPIA, SignerKind::ECDSA_P256);
//! let signer = next.document_signer(plan)?;
//! assert!(signer.certificate().der().len() > 500 && link.der() != next.certificate().der());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All keys are made on the spot and are nobody's. The cryptography is OpenSSL's; everything around it is
//! written by hand, since OpenSSL writes neither explicit parameters into chains nor anything odd.

mod bundle;
mod certificate;
mod cms;
mod crl;
mod csca;
mod cv;
mod document_signer;
mod forgery;
mod key;
mod kind;
mod list;
mod story;

pub use bundle::{BareList, LdifEntry, LdifValue, bare_list, ldif, master_list, pem, pem_bundle};
pub use certificate::{Certificate, Country, DistinguishedName, Period};
pub use cms::{
    CmsEncoding, CmsForm, EmbeddedCertificates, SignedAttributes, SignerAlgorithm, SignerIdentifier,
};
pub(crate) use cms::{Content, ID_DATA, signed_data};
pub use crl::CrlPlan;
pub use csca::{Csca, CscaPlan, ExtraExtension};
pub use cv::{CvAuthority, CvError, CvPlan, CvPublicKey, CvRights, CvRole, ef_cvca};
pub use document_signer::{DocumentSigner, DocumentSignerPlan, SignerUsage};
pub use forgery::Forgery;
pub use key::SigningKey;
pub use kind::{Curve, DigestKind, ParameterForm, PssParameters, SignerKind, UnknownKind};
pub use list::{ListedCertificate, ListedRole, csca_list};
pub use story::{Ending, Setting, Story, Told, TrustMaterial};
