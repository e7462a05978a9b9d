//! What is done with hostile bytes when fuzzing: each parser is fed, and what it gives is looked at. What is verified and
//! judged with it is two targets of its own, since one signature takes longer than a hundred files to parse.
//!
//! `cargo xtask fuzz` runs these targets under libFuzzer, from the package above this one. A test of this
//! package runs them over the seeds and some thousand changed ones, on any toolchain.

#![forbid(unsafe_code)]

mod chip;
mod evidence;
mod network;
mod picture;
mod proofs;
mod qr;
mod scanner;
#[cfg(feature = "seeds")]
pub mod seeds;
mod tokens;
mod trust;
mod verified;

/// One parser under fire.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its binary, too.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]) -> Outcome,
}

/// Whether bytes were taken for what they should be. Seeds always are, so that fuzzing starts deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They were, and what was in them was used.
    Read,
    /// They were not.
    Refused,
}

macro_rules! targets {
    ($($(#[doc = $doc:literal])* $name:ident => $function:path,)*) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),*];

        $($(#[doc = $doc])* pub fn $name(bytes: &[u8]) -> Outcome {
            Outcome::of($function(bytes))
        })*
    };
}

targets! {
    /// EF.CardAccess: security options, unsigned.
    card_access => chip::card_access,
    /// EF.COM.
    ef_com => chip::ef_com,
    /// EF.SOD: the signed message, and the hashes in it.
    ef_sod => chip::ef_sod,
    /// DG3 and DG4: fingers and irises.
    dg3 => chip::dg3,
    /// DG13: the citizen's record.
    dg13 => chip::dg13,
    /// DG14: security options and keys.
    dg14 => chip::dg14,
    /// DG15: the key for active authentication.
    dg15 => chip::dg15,
    /// Answers to active authentication, chip authentication and its mapping, and the keys they are judged by.
    chip_proofs => proofs::answers,
    /// A card verifiable certificate.
    cv_certificate => proofs::cv_certificate,
    /// The text of a QR code.
    qr_payload => qr::payload,
    /// What comes over the line of a serial scanner.
    scanner_line => scanner::line,
    /// What comes over the line of a network reader, and what programs send one.
    network_reader => network::reader,
    /// A photograph as JPEG.
    picture_jpeg => picture::jpeg,
    /// A picture as PNG.
    picture_png => picture::png,
    /// A picture as WebP.
    picture_webp => picture::webp,
    /// A picture as BMP.
    picture_bmp => picture::bmp,
    /// A camera's frame, as grey pixels.
    picture_grey => picture::grey,
    /// A certificate.
    certificate => trust::certificate,
    /// A revocation list.
    crl => trust::crl,
    /// A signed message, and who signed it.
    signed_message => trust::signed_message,
    /// A file an operator brings: DER, PEM, LDIF or a signed list.
    trust_file => trust::file,
    /// The same where it is LDIF, as the ICAO PKD hands lists out.
    ldif => trust::ldif,
    /// The content of a master list.
    master_list => trust::master_list,
    /// An evidence file as text.
    evidence_file => evidence::file,
    /// The payload of an evidence file.
    evidence_payload => evidence::payload,
    /// A signed token in compact form.
    signed_token => tokens::signed_token,
    /// A public key as JSON Web Key or PEM.
    public_key => tokens::public_key,
    /// A proof of possession, as a page sends it.
    dpop_proof => tokens::dpop_proof,
    /// Its claims, under a signature that fits.
    dpop_claims => tokens::dpop_claims,
    /// Any of these, behind a byte that says which, with all signatures verified and all of it judged: slow, since the
    /// arithmetic of keys takes its time, and the parsers above do without it.
    verified => verified::any,
}

impl Outcome {
    fn of(read: Option<()>) -> Self {
        read.map_or(Self::Refused, |()| Self::Read)
    }
}
