//! Certificates of a signing authority and of its document signers, by the profiles of ICAO 9303-12, 7.

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rand::rand_bytes;
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameRef, X509Ref};

use super::der::{bits, constructed, integer, octets, oid, printable, sequence, set_of, tlv};
use super::description::IssuingState;

/// Days and seconds of a certificate, `YYYYMMDDHHMMSSZ`.
#[derive(Clone, Copy)]
pub(super) struct Period {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// What both kinds of certificate have.
pub(super) struct Terms<'a> {
    pub(super) state: IssuingState,
    pub(super) common_name: &'a str,
    pub(super) validity: Period,
    /// When the private key may be used, which ends long before the certificate does.
    pub(super) key_usage_period: Period,
}

/// A self-signed CSCA certificate.
pub(super) fn csca(terms: &Terms<'_>, key: &PKeyRef<Private>) -> Result<X509, ErrorStack> {
    let name = name_of(terms)?;
    let own = key_identifier(key)?;
    let mut builder = begin(terms, &name, &name, key)?;
    extend(&mut builder, BASIC_CONSTRAINTS, true, &sequence(&[tlv(0x01, &[0xFF]), integer(0)]))?;
    // keyCertSign is bit 5, cRLSign bit 6.
    extend(&mut builder, KEY_USAGE, true, &bits(&[0b0000_0110], 1))?;
    common(&mut builder, terms, &own, &own)?;
    builder.sign(key, MessageDigest::sha384())?;
    Ok(builder.build())
}

/// A document signer's certificate under a CSCA.
pub(super) fn document_signer(
    terms: &Terms<'_>,
    key: &PKeyRef<Private>,
    document_types: &[&str],
    csca: &X509Ref,
    csca_key: &PKeyRef<Private>,
) -> Result<X509, ErrorStack> {
    let name = name_of(terms)?;
    let mut builder = begin(terms, &name, csca.subject_name(), key)?;
    // digitalSignature is bit 0.
    extend(&mut builder, KEY_USAGE, true, &bits(&[0b1000_0000], 7))?;
    common(&mut builder, terms, &key_identifier(key)?, &key_identifier(csca_key)?)?;
    let types = document_types.iter().map(|kind| printable(kind)).collect();
    extend(&mut builder, DOCUMENT_TYPE_LIST, false, &sequence(&[integer(0), set_of(types)]))?;
    builder.sign(csca_key, MessageDigest::sha384())?;
    Ok(builder.build())
}

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const PRIVATE_KEY_USAGE_PERIOD: &str = "2.5.29.16";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const ISSUER_ALT_NAME: &str = "2.5.29.18";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const DOCUMENT_TYPE_LIST: &str = "2.23.136.1.1.6.2";

fn begin(
    terms: &Terms<'_>,
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKeyRef<Private>,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(serial_number()?.as_ref())?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_not_before(Asn1Time::from_str_x509(terms.validity.from)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_str_x509(terms.validity.to)?.as_ref())?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

/// The extensions both profiles ask for, in the order of table 6 of ICAO 9303-12.
fn common(
    builder: &mut X509Builder,
    terms: &Terms<'_>,
    subject_key: &[u8],
    authority_key: &[u8],
) -> Result<(), ErrorStack> {
    extend(builder, AUTHORITY_KEY_IDENTIFIER, false, &sequence(&[tlv(0x80, authority_key)]))?;
    extend(builder, SUBJECT_KEY_IDENTIFIER, false, &octets(subject_key))?;
    let period =
        [tlv(0x80, terms.key_usage_period.from.as_bytes()), tlv(0x81, terms.key_usage_period.to.as_bytes())];
    extend(builder, PRIVATE_KEY_USAGE_PERIOD, false, &sequence(&period))?;
    // A directory name whose locality is the three letters of the state (ICAO 9303-12, 7.1.1).
    let locality = sequence(&[oid(&[2, 5, 4, 7]), printable(terms.state.alpha3())]);
    let directory = sequence(&[constructed(0xA4, &[sequence(&[set_of(vec![locality])])])]);
    extend(builder, SUBJECT_ALT_NAME, false, &directory)?;
    extend(builder, ISSUER_ALT_NAME, false, &directory)?;
    // Names under .invalid lead nowhere (RFC 6761, 6.4).
    let uri = format!("http://crl.example.invalid/{}.crl", terms.state.alpha3());
    let point = sequence(&[constructed(0xA0, &[constructed(0xA0, &[tlv(0x86, uri.as_bytes())])])]);
    extend(builder, CRL_DISTRIBUTION_POINTS, false, &sequence(&[point]))
}

fn extend(builder: &mut X509Builder, id: &str, critical: bool, value: &[u8]) -> Result<(), ErrorStack> {
    let id = Asn1Object::from_str(id)?;
    let value = Asn1OctetString::new_from_bytes(value)?;
    builder.append_extension(X509Extension::new_from_der(&id, critical, &value)?)
}

fn name_of(terms: &Terms<'_>) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::COUNTRYNAME, terms.state.alpha2())?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "cccd-agent simulation")?;
    name.append_entry_by_nid(Nid::COMMONNAME, terms.common_name)?;
    Ok(name.build())
}

/// Sixteen bytes that begin with neither a zero nor a sign.
fn serial_number() -> Result<Asn1Integer, ErrorStack> {
    let mut bytes = [0; 16];
    rand_bytes(&mut bytes)?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    BigNum::from_slice(&bytes)?.to_asn1_integer()
}

/// SHA-1 of the public key's bits (RFC 5280, 4.2.1.2, method 1).
fn key_identifier(key: &PKeyRef<Private>) -> Result<Vec<u8>, ErrorStack> {
    let public = PKey::public_key_from_der(&key.public_key_to_der()?)?;
    let key_bits = match public.ec_key() {
        Ok(ec) => {
            let mut context = openssl::bn::BigNumContext::new()?;
            let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
            ec.public_key().to_bytes(ec.group(), form, &mut context)?
        }
        Err(_) => public.rsa()?.public_key_to_der_pkcs1()?,
    };
    Ok(hash(MessageDigest::sha1(), &key_bits)?.to_vec())
}
