//! The files certificates travel in: PEM, bare lists, CSCA master lists, and the LDIF of the ICAO PKD.

use openssl::base64::encode_block;
use openssl::error::ErrorStack;
use time::Date;

use crate::der::{integer, sequence, set_of};

use super::certificate::{Certificate, Country};
use super::cms::{CmsForm, Content, signed_data};
use super::csca::Csca;
use super::document_signer::DocumentSigner;
use super::kind::DigestKind;

/// One certificate in PEM.
pub fn pem(certificate: &[u8]) -> String {
    let base64 = encode_block(certificate);
    let lines: Vec<&str> = chunks(&base64, 64).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// Several in PEM, with the explanatory text between them that tools like to leave there (RFC 7468, 5.2).
pub fn pem_bundle<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> String {
    let one =
        |(number, certificate): (usize, &[u8])| format!("# number {}\n{}\n", number + 1, pem(certificate));
    certificates.into_iter().enumerate().map(one).collect()
}

/// Which collection a bare list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BareList {
    /// SEQUENCE OF Certificate.
    Sequence,
    /// SET OF Certificate.
    Set,
}

/// Certificates one after another in DER, with nobody's signature around them.
pub fn bare_list<'a>(kind: BareList, certificates: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = certificates.into_iter().map(<[u8]>::to_vec).collect();
    match kind {
        BareList::Sequence => sequence(&parts),
        BareList::Set => set_of(parts),
    }
}

/// A CSCA master list (ICAO 9303-12, 9): the certificates, signed by a master list signer whose certificate
/// and whose authority's lie inside.
pub fn master_list<'a>(
    certificates: impl IntoIterator<Item = &'a [u8]>,
    signer: &DocumentSigner,
    csca: &Csca,
    signed_on: Date,
) -> Result<Vec<u8>, ErrorStack> {
    // CscaMasterList, version 0.
    let list = sequence(&[integer(0), bare_list(BareList::Set, certificates)]);
    let content = Content { kind: CSCA_MASTER_LIST, bytes: &list, signed_on };
    signed_data(&content, DigestKind::Sha256, signer, CmsForm::default(), &[csca.certificate()])
}

/// id-icao-mrtd-security-cscaMasterList.
const CSCA_MASTER_LIST: &[u32] = &[2, 23, 136, 1, 1, 2];

/// One entry of an LDIF file.
#[derive(Debug, Clone, Copy)]
pub struct LdifEntry<'a> {
    /// The state it stands under.
    pub country: Country,
    /// What it holds.
    pub value: LdifValue<'a>,
}

/// What an entry of an LDIF file holds, in DER.
#[derive(Debug, Clone, Copy)]
pub enum LdifValue<'a> {
    /// A certificate.
    Certificate(&'a Certificate),
    /// A revocation list.
    Crl(&'a [u8]),
    /// A master list.
    MasterList(&'a [u8]),
}

/// The download of the ICAO PKD: entries one after another, values in base64, lines folded at 76 characters
/// (RFC 2849).
pub fn ldif(entries: &[LdifEntry<'_>]) -> String {
    let mut out = String::from("version: 1\n");
    for (number, entry) in entries.iter().enumerate() {
        let (unit, attribute, bytes) = match entry.value {
            LdifValue::Certificate(certificate) => ("dsc", "userCertificate;binary", certificate.der()),
            LdifValue::Crl(list) => ("crl", "certificateRevocationList;binary", list),
            LdifValue::MasterList(list) => ("ml", "pkdMasterListContent", list),
        };
        let country = entry.country.alpha2;
        let lines = [
            format!(
                "dn: cn={number:032x},o={unit},c={country},dc=data,dc=download,dc=pkd,dc=example,dc=invalid"
            ),
            "objectClass: top".to_owned(),
            "objectClass: pkdDownload".to_owned(),
            format!("pkdVersion: {}", number + 1),
            format!("{attribute}:: {}", encode_block(bytes)),
        ];
        out.push('\n');
        for line in lines {
            out.push_str(&folded(&line));
            out.push('\n');
        }
    }
    out
}

/// The first line has 76 characters, and each that goes on begins with a blank.
fn folded(line: &str) -> String {
    let (first, rest) = line.split_at_checked(76).unwrap_or((line, ""));
    let rest: String = chunks(rest, 75).map(|chunk| format!("\n {chunk}")).collect();
    format!("{first}{rest}")
}

/// ASCII in pieces of so many characters.
fn chunks(text: &str, length: usize) -> impl Iterator<Item = &str> {
    text.as_bytes().chunks(length).filter_map(|chunk| std::str::from_utf8(chunk).ok())
}

#[cfg(test)]
mod tests {
    use openssl::base64::decode_block;
    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::stack::Stack;
    use openssl::x509::X509;
    use openssl::x509::store::X509StoreBuilder;
    use time::macros::date;

    use super::super::csca::CscaPlan;
    use super::super::document_signer::DocumentSignerPlan;
    use super::super::kind::SignerKind;
    use super::*;

    fn authorities() -> Vec<Csca> {
        (0..3).map(|_| Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap()).collect()
    }

    #[test]
    fn openssl_reads_each_certificate_of_a_bundle() {
        let authorities = authorities();
        let ders: Vec<&[u8]> = authorities.iter().map(|csca| csca.certificate().der()).collect();
        let read = X509::stack_from_pem(pem_bundle(ders.iter().copied()).as_bytes()).unwrap();
        assert_eq!(read.iter().map(|one| one.to_der().unwrap()).collect::<Vec<_>>(), ders);
        let one = pem(ders[0]);
        assert_eq!(X509::from_pem(one.as_bytes()).unwrap().to_der().unwrap(), ders[0]);
        assert!(one.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn openssl_verifies_a_master_list_and_finds_the_certificates_in_it() {
        let authorities = authorities();
        let ders: Vec<&[u8]> = authorities.iter().map(|csca| csca.certificate().der()).collect();
        let csca = &authorities[0];
        let plan = DocumentSignerPlan::of_master_lists(Country::UTOPIA, SignerKind::ECDSA_P256);
        let signer = csca.document_signer(plan).unwrap();
        let list = master_list(ders.iter().copied(), &signer, csca, date!(2026 - 05 - 01)).unwrap();

        let store = X509StoreBuilder::new().unwrap().build();
        let mut content = Vec::new();
        // What the signer may sign is no purpose of OpenSSL's.
        let options = CMSOptions::BINARY | CMSOptions::NO_SIGNER_CERT_VERIFY;
        CmsContentInfo::from_der(&list)
            .unwrap()
            .verify(Some(&Stack::new().unwrap()), Some(&store), None, Some(&mut content), options)
            .unwrap();
        let mut sorted = ders.clone();
        sorted.sort_unstable();
        assert!(content.ends_with(&sorted.concat()));
        let text = X509::from_der(signer.certificate().der()).unwrap().to_text().unwrap();
        assert!(String::from_utf8(text).unwrap().contains("2.23.136.1.1.3"));
        // Both certificates are inside.
        for inside in [signer.certificate().der(), csca.certificate().der()] {
            assert!(list.windows(inside.len()).any(|window| window == inside));
        }
    }

    #[test]
    fn a_bare_list_is_its_certificates_and_a_head() {
        let authorities = authorities();
        let ders: Vec<&[u8]> = authorities.iter().map(|csca| csca.certificate().der()).collect();
        let list = bare_list(BareList::Sequence, ders.iter().copied());
        assert!(list[0] == 0x30 && list.ends_with(&ders.concat()));
        let list = bare_list(BareList::Set, ders.iter().copied());
        assert!(list[0] == 0x31 && list.len() == 4 + ders.concat().len());
    }

    #[test]
    fn an_ldif_unfolds_to_what_went_in() {
        let csca = &authorities()[0];
        let crl = csca.crl(&super::super::CrlPlan::empty()).unwrap();
        let of = |value| LdifEntry { country: Country::UTOPIA, value };
        let text = ldif(&[
            of(LdifValue::Certificate(csca.certificate())),
            of(LdifValue::Crl(&crl)),
            of(LdifValue::MasterList(&[0x30; 60])),
        ]);
        assert!(text.lines().all(|line| line.len() <= 76));
        let unfolded = text.replace("\n ", "");
        let value = |name: &str| {
            let line = unfolded.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            decode_block(line.strip_prefix(":: ").unwrap()).unwrap()
        };
        assert_eq!(value("userCertificate;binary"), csca.certificate().der());
        assert_eq!(value("certificateRevocationList;binary"), crl);
        assert_eq!(value("pkdMasterListContent"), [0x30; 60]);
        assert_eq!(unfolded.matches("\n\ndn: cn=").count(), 3);
    }
}
