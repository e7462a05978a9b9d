//! Hundreds of authorities of mixed shape, as public lists have them.
//!
//! The shape is that of published national lists: nearly all curves written out, a fifth of the signatures
//! PSS, some SHA-1, several authorities of one name per state, link certificates among them. Which certificate
//! has which shape depends on its place alone; keys and serial numbers are new each time.

use openssl::error::ErrorStack;
use time::Date;
use time::macros::date;

use super::certificate::{Certificate, Country, DistinguishedName, Period};
use super::csca::{Csca, CscaPlan};
use super::key::SigningKey;
use super::kind::{Curve, DigestKind, PssParameters, SignerKind};

/// A certificate of such a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// What it is.
    pub role: ListedRole,
    /// The key in it.
    pub key: SignerKind,
    /// Its state.
    pub country: Country,
}

/// What a certificate of such a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedRole {
    /// Signed by its own key.
    SelfSigned,
    /// A link: subject and issuer have the same name, and the issuer's key signed.
    Link,
}

/// A list of so many certificates. They repeat few keys, but no two are the same.
pub fn csca_list(count: usize) -> Result<Vec<ListedCertificate>, ErrorStack> {
    let mut list = Vec::with_capacity(count);
    let mut shapes = SHAPES.iter().copied().enumerate().cycle();
    let mut next_shape = || shapes.next().unwrap_or((0, Shape::FALLBACK));
    for (series, country) in COUNTRIES.into_iter().cycle().enumerate() {
        if list.len() >= count {
            break;
        }
        let mut authority = |from: Date, to: Date| {
            let (number, shape) = next_shape();
            let plan = plan(country, series, shape, Period { from, to });
            Csca::with_key(plan, shape.key(number)?)
        };
        let old = authority(date!(2010 - 03 - 01), date!(2025 - 02 - 28))?;
        let new = authority(date!(2015 - 03 - 01), date!(2030 - 02 - 28))?;
        let newest = authority(date!(2020 - 03 - 01), date!(2035 - 02 - 28))?;
        // A second series of the same name that no link ties to the first.
        let apart = authority(date!(2019 - 06 - 01), date!(2034 - 05 - 31))?;
        let renewed = Period { from: date!(2023 - 03 - 01), to: date!(2038 - 02 - 28) };
        let renewed = CscaPlan { validity: renewed, ..newest.plan().clone() };
        let renewed = Csca::with_key(renewed, newest.key().clone())?;

        let mut put = |certificate: &Certificate, role, key| {
            list.push(ListedCertificate { certificate: certificate.clone(), role, key, country });
        };
        for csca in [&old, &new, &newest, &apart, &renewed] {
            put(csca.certificate(), ListedRole::SelfSigned, csca.key().kind());
        }
        for (from, to) in [(&old, &new), (&new, &newest)] {
            let link = from.vouch_for(to.plan(), to.key())?;
            put(&link, ListedRole::Link, to.key().kind());
        }
    }
    list.truncate(count);
    Ok(list)
}

/// Invented states only: the codes ISO 3166 leaves to its users.
const COUNTRIES: [Country; 26] = {
    const fn state(alpha2: &'static str, alpha3: &'static str) -> Country {
        Country { alpha2, alpha3 }
    }
    [
        state("XA", "XAA"),
        state("XB", "XBA"),
        state("XC", "XCA"),
        state("XD", "XDA"),
        state("XE", "XEA"),
        state("XF", "XFA"),
        state("XG", "XGA"),
        state("XH", "XHA"),
        state("XI", "XIA"),
        state("XJ", "XJA"),
        state("XK", "XKA"),
        state("XL", "XLA"),
        state("XM", "XMA"),
        state("XN", "XNA"),
        state("XO", "XOA"),
        state("XP", "XPA"),
        state("XQ", "XQA"),
        state("XR", "XRA"),
        state("XS", "XSA"),
        state("XT", "XTA"),
        // Some states write their code small.
        state("xu", "XUA"),
        state("XV", "XVA"),
        state("XW", "XWA"),
        state("xx", "XXA"),
        state("XY", "XYA"),
        state("XZ", "XZA"),
    ]
};

fn plan(country: Country, series: usize, shape: Shape, validity: Period) -> CscaPlan {
    let name = DistinguishedName {
        country: country.alpha2,
        organisation: "cccd-agent simulation",
        // Every ninth does without a common name. A state that comes round again has another authority.
        common_name: (series % 9 != 8).then(|| format!("Simulated CSCA {}", series / COUNTRIES.len() + 1)),
    };
    CscaPlan {
        name,
        signer: shape.signer,
        digest: shape.digest,
        validity,
        key_usage_period: (series % 4 != 3).then_some(Period {
            from: validity.from,
            to: validity.from.replace_year(validity.from.year() + 5).unwrap_or(validity.to),
        }),
        path_length: match series % 11 {
            9 => None,
            10 => Some(2),
            _ => Some(0),
        },
        ..CscaPlan::usual(country)
    }
}

/// A key and how it signs.
#[derive(Clone, Copy)]
struct Shape {
    signer: SignerKind,
    exponent: u32,
    digest: DigestKind,
}

impl Shape {
    const FALLBACK: Self = Self::of(SignerKind::ECDSA_P256, DigestKind::Sha256);

    const fn of(signer: SignerKind, digest: DigestKind) -> Self {
        Self { signer, exponent: 65537, digest }
    }

    const fn rsa(bits: u32, exponent: u32, digest: DigestKind) -> Self {
        Self { signer: SignerKind::RsaPkcs1 { bits }, exponent, digest }
    }

    const fn pss(bits: u32, parameters: PssParameters, digest: DigestKind) -> Self {
        Self::of(SignerKind::RsaPss { bits, parameters }, digest)
    }

    /// A series takes four shapes, and there are four times eight: so each shape keeps its place in the series,
    /// and no two authorities of a series find the same key in the drawer.
    fn key(self, number: usize) -> Result<SigningKey, ErrorStack> {
        SigningKey::from_drawer(self.signer, self.exponent, number % 4)
    }
}

const SHAPES: [Shape; 32] = {
    use Curve::{
        BrainpoolP224r1, BrainpoolP256r1, BrainpoolP320r1, BrainpoolP384r1, BrainpoolP512r1, P224, P256,
        P384, P521,
    };
    use DigestKind::{Sha1, Sha224, Sha256, Sha384, Sha512};
    use PssParameters::{KeyToo, Salt, Usual};
    [
        Shape::rsa(4096, 65537, Sha256),
        Shape::of(SignerKind::explicit(BrainpoolP256r1), Sha256),
        Shape::pss(4096, Usual, Sha256),
        Shape::rsa(2048, 65537, Sha1),
        Shape::of(SignerKind::explicit(P384), Sha384),
        Shape::rsa(3072, 65537, Sha256),
        Shape::of(SignerKind::explicit(BrainpoolP384r1), Sha384),
        Shape::pss(3072, Usual, Sha256),
        Shape::rsa(4096, 3, Sha256),
        Shape::of(SignerKind::named(P256), Sha256),
        Shape::rsa(2048, 65537, Sha256),
        Shape::of(SignerKind::explicit(P521), Sha512),
        Shape::rsa(6144, 65537, Sha512),
        Shape::of(SignerKind::explicit(P256), Sha1),
        Shape::pss(4096, Usual, Sha512),
        Shape::of(SignerKind::explicit(BrainpoolP512r1), Sha512),
        Shape::rsa(2048, 3, Sha1),
        Shape::of(SignerKind::named(P384), Sha384),
        Shape::rsa(4096, 65537, Sha512),
        Shape::of(SignerKind::explicit(BrainpoolP320r1), Sha256),
        Shape::pss(4096, KeyToo, Sha256),
        Shape::of(SignerKind::explicit(P256), Sha256),
        Shape::rsa(4096, 65537, Sha256),
        Shape::of(SignerKind::named(BrainpoolP384r1), Sha384),
        Shape::pss(2048, Salt(20), Sha256),
        Shape::of(SignerKind::explicit(BrainpoolP224r1), Sha224),
        Shape::rsa(3072, 65537, Sha384),
        Shape::of(SignerKind::explicit(P224), Sha224),
        Shape::pss(4096, Usual, Sha256),
        Shape::of(SignerKind::explicit(BrainpoolP256r1), Sha1),
        Shape::of(SignerKind::named(BrainpoolP256r1), Sha256),
        Shape::pss(2048, Usual, Sha1),
    ]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use openssl::x509::X509;

    use super::*;

    #[test]
    fn a_list_has_every_shape_and_each_certificate_is_what_it_says() {
        // Ten series of seven, and each takes four shapes.
        let list = csca_list(70).unwrap();
        assert_eq!(list.len(), 70);
        let mut signatures = BTreeSet::new();
        for listed in &list {
            let certificate = X509::from_der(listed.certificate.der()).unwrap();
            let own = certificate.verify(&certificate.public_key().unwrap()).unwrap_or(false);
            assert_eq!(own, listed.role == ListedRole::SelfSigned, "{listed:?}");
            assert_eq!(
                certificate.subject_name().to_der().unwrap(),
                certificate.issuer_name().to_der().unwrap(),
            );
            signatures.insert(certificate.signature_algorithm().object().nid().as_raw());
        }
        let different: BTreeSet<&[u8]> = list.iter().map(|listed| listed.certificate.der()).collect();
        assert_eq!(different.len(), list.len());
        let kinds: BTreeSet<SignerKind> = list.iter().map(|listed| listed.key).collect();
        assert_eq!(kinds.len(), SHAPES.iter().map(|shape| shape.signer).collect::<BTreeSet<_>>().len());
        // SHA-1, 256, 384 and 512 with RSA, PSS, and SHA-1 to 512 with ECDSA.
        assert_eq!(signatures.len(), 4 + 1 + 5);
    }

    #[test]
    fn every_link_is_signed_by_one_of_its_namesakes() {
        let list = csca_list(14).unwrap();
        let parsed: Vec<X509> =
            list.iter().map(|listed| X509::from_der(listed.certificate.der()).unwrap()).collect();
        let links = list.iter().zip(&parsed).filter(|(listed, _)| listed.role == ListedRole::Link);
        for (_, link) in links.clone() {
            let signers = parsed.iter().filter(|one| {
                one.subject_name().to_der().unwrap() == link.issuer_name().to_der().unwrap()
                    && link.verify(&one.public_key().unwrap()).unwrap_or(false)
            });
            assert!(signers.count() >= 1);
        }
        assert_eq!(links.count(), 4);
    }

    #[test]
    fn the_shape_is_the_same_each_time_and_the_certificates_are_not() {
        let (one, other) = (csca_list(7).unwrap(), csca_list(7).unwrap());
        for (one, other) in one.iter().zip(&other) {
            assert_eq!((one.role, one.key, one.country), (other.role, other.key, other.country));
            assert_ne!(one.certificate, other.certificate);
        }
    }
}
