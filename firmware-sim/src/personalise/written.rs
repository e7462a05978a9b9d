//! A card to be made, as written in TOML. Only this file knows the spelling; what it means is
//! [`CardDescription`].

use std::path::Path;

use serde::Deserialize;

use crate::image::{
    ChipAuthenticationCommands, DomainParameters, EcdsaForm, LengthOffer, LongAnswer, NamedCurve, PaceCipher,
    PaceMapping, PaceOffer, RsaForm, SignatureHash,
};
use crate::pki::{
    CmsEncoding, CmsForm, DigestKind, EmbeddedCertificates, SignedAttributes, SignerAlgorithm,
    SignerIdentifier, SignerKind,
};

use super::date::PrintedDate;
use super::description::{
    AccessPlan, Bearer, CardDescription, ChipPlan, Citizen, CitizenCard, DescriptionError, Fingerprints,
    IssuingState, LdsVersion, ParentsNesting, SecurityObjectPlan, Sex, SodContentType, Traveller, mrz_of,
};
use super::portrait::{Portrait, PortraitFormat};
use super::proof_plans::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, ChipAuthenticationInfo, ChipAuthenticationKind,
    ChipAuthenticationPlan, DhKeyForm, EcParameters, EcdhKeyForm, RSA_BITS,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCard {
    kind: RawKind,
    person: Option<RawPerson>,
    passport: Option<RawPassport>,
    portrait: RawPortrait,
    access: RawAccess,
    #[serde(default)]
    chip: RawChip,
    extended_length: Option<RawExtendedLength>,
    #[serde(default)]
    security_object: RawSecurityObject,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    #[serde(rename = "cccd-2021")]
    Cccd2021,
    #[serde(rename = "can-cuoc-2024")]
    CanCuoc2024,
    Passport,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawSex {
    Male,
    Female,
    Unspecified,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    number: String,
    name: String,
    birth: String,
    birth_mrz: Option<String>,
    sex: RawSex,
    nationality: String,
    ethnicity: Option<String>,
    religion: Option<String>,
    origin: Option<String>,
    residence: Option<String>,
    features: Option<String>,
    issued: String,
    expires: Option<String>,
    father: Option<String>,
    mother: Option<String>,
    spouse: Option<String>,
    old_number: Option<String>,
    chip_field_16: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPassport {
    document_number: String,
    issuing_state: RawState,
    nationality: String,
    surname: String,
    #[serde(default)]
    given_names: String,
    birth: String,
    birth_mrz: Option<String>,
    sex: RawSex,
    issued: String,
    expires: String,
    can: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
enum RawState {
    #[serde(rename = "VNM")]
    Vietnam,
    #[serde(rename = "UTO")]
    Utopia,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPortrait {
    file: String,
    media_type: RawMediaType,
}

#[derive(Deserialize, Clone, Copy)]
enum RawMediaType {
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/jp2")]
    Jpeg2000,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    bac: bool,
    #[serde(default)]
    pace: Vec<RawPace>,
    can_tries: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPace {
    #[serde(default)]
    mapping: RawMapping,
    cipher: RawCipher,
    group: String,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawMapping {
    #[default]
    Generic,
    Integrated,
    ChipAuthentication,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawCipher {
    #[serde(rename = "3des")]
    TripleDes,
    #[serde(rename = "aes-128")]
    Aes128,
    #[serde(rename = "aes-192")]
    Aes192,
    #[serde(rename = "aes-256")]
    Aes256,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawChip {
    parents: RawParents,
    fingerprints: RawFingerprints,
    chip_authentication: Vec<RawChipAuthentication>,
    active_authentication: Option<String>,
    active_authentication_hash: Option<RawHash>,
    active_authentication_form: Option<RawSignatureForm>,
    active_authentication_parameters: Option<RawEcParameters>,
    active_authentication_long_answer: RawLongAnswer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChipAuthentication {
    cipher: RawCipher,
    group: Option<String>,
    form: Option<RawKeyForm>,
    key_id: Option<u32>,
    #[serde(default)]
    info: RawPresence,
    #[serde(default)]
    commands: RawCommands,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawKeyForm {
    Named,
    Explicit,
    Standardised,
    Pkcs3,
    #[serde(rename = "x9.42")]
    X942,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawPresence {
    #[default]
    Present,
    Missing,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawCommands {
    #[default]
    Both,
    KeyAgreementTemplate,
    GeneralAuthenticate,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawHash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawSignatureForm {
    Plain,
    Der,
    Standard,
    LongTrailer,
    ShortSignature,
    ShortMessage,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawEcParameters {
    Named,
    Explicit,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawLongAnswer {
    #[default]
    Refused,
    Cut,
    Announced,
    EmptyWhenExtended,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawParents {
    #[default]
    TwoSequences,
    OneSequence,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawFingerprints {
    #[default]
    Absent,
    Listed,
    Unlisted,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExtendedLength {
    max_command: u16,
    max_reply: u32,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawSecurityObject {
    digest: Option<String>,
    lds_digest: Option<String>,
    signer: Option<String>,
    version: RawLdsVersion,
    content_type: RawContentType,
    encoding: RawEncoding,
    signer_identifier: RawSignerIdentifier,
    certificates: RawCertificates,
    attributes: RawAttributes,
    algorithm: RawAlgorithm,
    algorithm_digest: Option<String>,
    padding: u16,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawContentType {
    #[default]
    Icao,
    Data,
    EarlyIcao,
    Sdu,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawEncoding {
    #[default]
    Der,
    Indefinite,
    Chunked,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawSignerIdentifier {
    #[default]
    IssuerAndSerial,
    SubjectKeyIdentifier,
    NoOne,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawCertificates {
    #[default]
    Signer,
    Several,
    None,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawAttributes {
    #[default]
    Usual,
    NoSigningTime,
    None,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawAlgorithm {
    #[default]
    Usual,
    KeyOnly,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawLdsVersion {
    #[default]
    V0,
    V1,
}

impl RawCard {
    /// What is meant. A portrait is looked for in the folder `beside` first.
    pub(super) fn into_description(self, beside: Option<&Path>) -> Result<CardDescription, DescriptionError> {
        let kind = match self.kind {
            RawKind::Cccd2021 => Some(CitizenCard::Cccd2021),
            RawKind::CanCuoc2024 => Some(CitizenCard::CanCuoc2024),
            RawKind::Passport => None,
        };
        let (bearer, birth_mrz) = match (kind, self.person, self.passport) {
            (Some(card), Some(person), None) => {
                let birth_mrz = person.birth_mrz.clone();
                (Bearer::Citizen(card, Box::new(person.try_into()?)), birth_mrz)
            }
            (None, None, Some(passport)) => {
                let birth_mrz = passport.birth_mrz.clone();
                (Bearer::Traveller(passport.try_into()?), birth_mrz)
            }
            (Some(_), _, Some(_)) => return Err(DescriptionError::SectionUnexpected("passport")),
            (Some(_), None, None) => return Err(DescriptionError::SectionMissing("person")),
            (None, Some(_), _) => return Err(DescriptionError::SectionUnexpected("person")),
            (None, None, None) => return Err(DescriptionError::SectionMissing("passport")),
        };
        let birth_mrz = birth_mrz.map(|text| wanted(text, "birth_mrz", "six digits or fillers", is_mrz_date));
        let mrz = mrz_of(&bearer, birth_mrz.transpose()?.as_deref())?;
        let format = match self.portrait.media_type {
            RawMediaType::Jpeg => PortraitFormat::Jpeg,
            RawMediaType::Jpeg2000 => PortraitFormat::Jpeg2000,
        };
        let portrait = Portrait::find(&self.portrait.file, format, beside)
            .map_err(|source| DescriptionError::Portrait { file: self.portrait.file.into(), source })?;
        Ok(CardDescription {
            bearer,
            mrz,
            portrait,
            chip: self.chip.try_into()?,
            access: self.access.try_into()?,
            lengths: self.extended_length.map_or(Ok(LengthOffer::Short), LengthOffer::try_from)?,
            security_object: self.security_object.try_into()?,
            terminal_roots: Vec::new(),
        })
    }
}

impl TryFrom<RawPerson> for Citizen {
    type Error = DescriptionError;

    fn try_from(raw: RawPerson) -> Result<Self, DescriptionError> {
        let number = wanted(raw.number, "number", "twelve digits", |text| is_digits(text, 12))?;
        if !number.starts_with("000") {
            return Err(DescriptionError::CouldBeSomebody);
        }
        Ok(Self {
            number,
            name: wanted(raw.name, "name", "a name", |text| !text.trim().is_empty())?,
            birth: date(&raw.birth, "birth")?,
            sex: raw.sex.into(),
            nationality: raw.nationality,
            ethnicity: raw.ethnicity,
            religion: raw.religion,
            origin: raw.origin,
            residence: raw.residence,
            features: raw.features,
            issued: day(&raw.issued, "issued")?,
            expires: raw.expires.map(|text| day(&text, "expires")).transpose()?,
            father: raw.father,
            mother: raw.mother,
            spouse: raw.spouse,
            old_number: raw
                .old_number
                .map(|text| wanted(text, "old_number", "nine digits", |text| is_digits(text, 9)))
                .transpose()?,
            chip_field_16: raw
                .chip_field_16
                .map(|text| wanted(text, "chip_field_16", "sixteen hexadecimal digits", is_sixteen_hex))
                .transpose()?,
        })
    }
}

impl TryFrom<RawPassport> for Traveller {
    type Error = DescriptionError;

    fn try_from(raw: RawPassport) -> Result<Self, DescriptionError> {
        let letters_and_digits = |text: &str| {
            (1..=9).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let letters =
            |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
        Ok(Self {
            document_number: wanted(
                raw.document_number,
                "document_number",
                "one to nine capital letters and digits",
                letters_and_digits,
            )?,
            issuing_state: match raw.issuing_state {
                RawState::Vietnam => IssuingState::Vietnam,
                RawState::Utopia => IssuingState::Utopia,
            },
            nationality: wanted(raw.nationality, "nationality", "one to three capital letters", letters)?,
            surname: wanted(raw.surname, "surname", "a name", |text| !text.trim().is_empty())?,
            given_names: raw.given_names,
            birth: date(&raw.birth, "birth")?,
            sex: raw.sex.into(),
            issued: day(&raw.issued, "issued")?,
            expires: day(&raw.expires, "expires")?,
            can: raw
                .can
                .map(|text| wanted(text, "can", "six digits", |text| is_digits(text, 6)))
                .transpose()?,
        })
    }
}

impl TryFrom<RawAccess> for AccessPlan {
    type Error = DescriptionError;

    fn try_from(raw: RawAccess) -> Result<Self, DescriptionError> {
        if !raw.bac && raw.pace.is_empty() {
            return Err(DescriptionError::NothingOpensIt);
        }
        let can_tries = raw.can_tries;
        if can_tries == Some(0) {
            return Err(DescriptionError::Value { key: "can_tries", wanted: "at least one" });
        }
        let pace = raw.pace.into_iter().map(PaceOffer::try_from).collect::<Result<_, _>>()?;
        Ok(Self { bac: raw.bac, pace, can_tries })
    }
}

impl TryFrom<RawPace> for PaceOffer {
    type Error = DescriptionError;

    fn try_from(raw: RawPace) -> Result<Self, DescriptionError> {
        let refused = |wanted| DescriptionError::Value { key: "group", wanted };
        let offer = Self {
            mapping: match raw.mapping {
                RawMapping::Generic => PaceMapping::Generic,
                RawMapping::Integrated => PaceMapping::Integrated,
                RawMapping::ChipAuthentication => PaceMapping::ChipAuthentication,
            },
            cipher: raw.cipher.into(),
            parameters: DomainParameters::named(&raw.group).ok_or(refused(KNOWN_GROUPS))?,
        };
        if offer.exists() { Ok(offer) } else { Err(refused("one that goes with this mapping and cipher")) }
    }
}

impl TryFrom<RawExtendedLength> for LengthOffer {
    type Error = DescriptionError;

    fn try_from(raw: RawExtendedLength) -> Result<Self, DescriptionError> {
        let max_command = usize::from(raw.max_command);
        let max_reply = usize::try_from(raw.max_reply).unwrap_or(usize::MAX);
        // Below 261 and 258 bytes even a short command or reply would not fit; above 65,538 no reply exists.
        if max_command < 261 {
            return Err(DescriptionError::Value { key: "max_command", wanted: "261 to 65535" });
        }
        if !(258..=65_538).contains(&max_reply) {
            return Err(DescriptionError::Value { key: "max_reply", wanted: "258 to 65538" });
        }
        Ok(Self::Extended { max_command, max_reply })
    }
}

impl TryFrom<RawChip> for ChipPlan {
    type Error = DescriptionError;

    fn try_from(raw: RawChip) -> Result<Self, DescriptionError> {
        let active_authentication = raw.active_authentication()?;
        Ok(Self {
            parents: match raw.parents {
                RawParents::TwoSequences => ParentsNesting::TwoSequences,
                RawParents::OneSequence => ParentsNesting::OneSequence,
            },
            fingerprints: match raw.fingerprints {
                RawFingerprints::Absent => Fingerprints::Absent,
                RawFingerprints::Listed => Fingerprints::Listed,
                RawFingerprints::Unlisted => Fingerprints::Unlisted,
            },
            chip_authentication: raw
                .chip_authentication
                .into_iter()
                .map(ChipAuthenticationPlan::try_from)
                .collect::<Result<_, _>>()?,
            active_authentication,
        })
    }
}

impl RawChip {
    fn active_authentication(&self) -> Result<Option<ActiveAuthenticationPlan>, DescriptionError> {
        let refused = |key, wanted| Err(DescriptionError::Value { key, wanted });
        let Some(key) = &self.active_authentication else {
            return Ok(None);
        };
        let parameters = match self.active_authentication_parameters {
            None | Some(RawEcParameters::Named) => EcParameters::Named,
            Some(RawEcParameters::Explicit) => EcParameters::Explicit,
        };
        let (form, wrong) = (self.active_authentication_form, "active_authentication_form");
        let kind = if let Some(curve) = ec_curve(key) {
            let form = match form {
                None | Some(RawSignatureForm::Plain) => EcdsaForm::Plain,
                Some(RawSignatureForm::Der) => EcdsaForm::Der,
                Some(_) => return refused(wrong, "plain or der, as the key is one of ECDSA"),
            };
            ActiveAuthenticationKind::Ecdsa { curve, parameters, form }
        } else if let Some(bits) = RSA_BITS.into_iter().find(|bits| *key == format!("rsa-{bits}")) {
            let form = match form {
                None | Some(RawSignatureForm::Standard) => RsaForm::Standard,
                Some(RawSignatureForm::LongTrailer) => RsaForm::LongTrailer,
                Some(RawSignatureForm::ShortSignature) => RsaForm::ShortSignature,
                Some(RawSignatureForm::ShortMessage) => RsaForm::ShortMessage,
                Some(_) => return refused(wrong, "one of RSA, as the key is"),
            };
            ActiveAuthenticationKind::Rsa { bits, form }
        } else {
            return refused(
                "active_authentication",
                "ec-p192 to ec-brainpoolP512r1, or rsa-1024 to rsa-4096",
            );
        };
        let hash = match self.active_authentication_hash {
            Some(RawHash::Sha1) => SignatureHash::Sha1,
            Some(RawHash::Sha224) => SignatureHash::Sha224,
            None | Some(RawHash::Sha256) => SignatureHash::Sha256,
            Some(RawHash::Sha384) => SignatureHash::Sha384,
            Some(RawHash::Sha512) => SignatureHash::Sha512,
        };
        let long_answer = match self.active_authentication_long_answer {
            RawLongAnswer::Refused => LongAnswer::Refused,
            RawLongAnswer::Cut => LongAnswer::Cut,
            RawLongAnswer::Announced => LongAnswer::Announced,
            RawLongAnswer::EmptyWhenExtended => LongAnswer::EmptyWhenExtended,
        };
        Ok(Some(ActiveAuthenticationPlan { kind, hash, long_answer }))
    }
}

/// The curve of a key spelled `ec-p256` or `ec-brainpoolP256r1`.
fn ec_curve(key: &str) -> Option<NamedCurve> {
    let spelled = key.strip_prefix("ec-")?;
    let is = |curve: &NamedCurve| match curve.name().strip_prefix("P-") {
        Some(bits) => spelled.strip_prefix('p') == Some(bits),
        None => spelled == curve.name(),
    };
    NamedCurve::all().into_iter().find(is)
}

impl TryFrom<RawChipAuthentication> for ChipAuthenticationPlan {
    type Error = DescriptionError;

    fn try_from(raw: RawChipAuthentication) -> Result<Self, DescriptionError> {
        let refused = |key, wanted| DescriptionError::Value { key, wanted };
        let group = raw.group.as_deref().unwrap_or("brainpoolP256r1");
        let group = DomainParameters::named(group).ok_or(refused("group", KNOWN_GROUPS))?;
        let kind = match group {
            DomainParameters::Curve(curve) => ChipAuthenticationKind::Ecdh(
                curve,
                match raw.form {
                    None | Some(RawKeyForm::Named) => EcdhKeyForm::Named,
                    Some(RawKeyForm::Explicit) => EcdhKeyForm::Explicit,
                    Some(RawKeyForm::Standardised) => EcdhKeyForm::Standardised,
                    Some(_) => return Err(refused("form", "named, explicit or standardised, as with ECDH")),
                },
            ),
            DomainParameters::Modp(group) => ChipAuthenticationKind::Dh(
                group,
                match raw.form {
                    None | Some(RawKeyForm::Pkcs3) => DhKeyForm::Pkcs3,
                    Some(RawKeyForm::X942) => DhKeyForm::X942,
                    Some(RawKeyForm::Standardised) => DhKeyForm::Standardised,
                    Some(_) => return Err(refused("form", "pkcs3, x9.42 or standardised, as with DH")),
                },
            ),
        };
        Ok(Self {
            kind,
            cipher: raw.cipher.into(),
            key_id: raw.key_id.map(u64::from),
            info: match raw.info {
                RawPresence::Present => ChipAuthenticationInfo::Present,
                RawPresence::Missing => ChipAuthenticationInfo::Missing,
            },
            commands: match raw.commands {
                RawCommands::Both => ChipAuthenticationCommands::Both,
                RawCommands::KeyAgreementTemplate => ChipAuthenticationCommands::KeyAgreementTemplate,
                RawCommands::GeneralAuthenticate => ChipAuthenticationCommands::GeneralAuthenticate,
            },
        })
    }
}

impl From<RawCipher> for PaceCipher {
    fn from(raw: RawCipher) -> Self {
        match raw {
            RawCipher::TripleDes => Self::TripleDes,
            RawCipher::Aes128 => Self::Aes128,
            RawCipher::Aes192 => Self::Aes192,
            RawCipher::Aes256 => Self::Aes256,
        }
    }
}

/// The names of [`DomainParameters`].
const KNOWN_GROUPS: &str =
    "P-192 to P-521, brainpoolP192r1 to brainpoolP512r1, or dh-1024-160 to dh-2048-256";

impl TryFrom<RawSecurityObject> for SecurityObjectPlan {
    type Error = DescriptionError;

    fn try_from(raw: RawSecurityObject) -> Result<Self, DescriptionError> {
        let algorithm_digest =
            raw.algorithm_digest.map(|name| digest(&name, "algorithm_digest")).transpose()?;
        let algorithm = match (raw.algorithm, algorithm_digest) {
            (RawAlgorithm::Usual, None) => SignerAlgorithm::Usual,
            (RawAlgorithm::Usual, Some(other)) => SignerAlgorithm::OtherDigest(other),
            (RawAlgorithm::KeyOnly, None) => SignerAlgorithm::KeyOnly,
            (RawAlgorithm::KeyOnly, Some(_)) => {
                let wanted = "said where the algorithm is the key alone";
                return Err(DescriptionError::Value { key: "algorithm_digest", wanted });
            }
        };
        let signer = raw.signer.map(|name| {
            let wanted = "a kind of signer, such as ecdsa-p256, rsa-2048 or ecdsa-brainpool-p256r1-explicit";
            name.parse().map_err(|_| DescriptionError::Value { key: "signer", wanted })
        });
        Ok(Self {
            digest: raw.digest.map_or(Ok(DigestKind::Sha256), |name| digest(&name, "digest"))?,
            lds_digest: raw.lds_digest.map(|name| digest(&name, "lds_digest")).transpose()?,
            signer: signer.unwrap_or(Ok(SignerKind::ECDSA_P256))?,
            version: match raw.version {
                RawLdsVersion::V0 => LdsVersion::V0,
                RawLdsVersion::V1 => LdsVersion::V1,
            },
            content_type: match raw.content_type {
                RawContentType::Icao => SodContentType::Icao,
                RawContentType::Data => SodContentType::Data,
                RawContentType::EarlyIcao => SodContentType::EarlyIcao,
                RawContentType::Sdu => SodContentType::Sdu,
            },
            form: CmsForm {
                encoding: match raw.encoding {
                    RawEncoding::Der => CmsEncoding::Der,
                    RawEncoding::Indefinite => CmsEncoding::Indefinite,
                    RawEncoding::Chunked => CmsEncoding::Chunked,
                },
                signer_identifier: match raw.signer_identifier {
                    RawSignerIdentifier::IssuerAndSerial => SignerIdentifier::IssuerAndSerial,
                    RawSignerIdentifier::SubjectKeyIdentifier => SignerIdentifier::SubjectKeyIdentifier,
                    RawSignerIdentifier::NoOne => SignerIdentifier::NoOne,
                },
                certificates: match raw.certificates {
                    RawCertificates::Signer => EmbeddedCertificates::Signer,
                    RawCertificates::Several => EmbeddedCertificates::Several,
                    RawCertificates::None => EmbeddedCertificates::None,
                },
                attributes: match raw.attributes {
                    RawAttributes::Usual => SignedAttributes::Usual,
                    RawAttributes::NoSigningTime => SignedAttributes::NoSigningTime,
                    RawAttributes::None => SignedAttributes::None,
                },
                algorithm,
            },
            padding: raw.padding,
        })
    }
}

impl From<RawSex> for Sex {
    fn from(raw: RawSex) -> Self {
        match raw {
            RawSex::Male => Self::Male,
            RawSex::Female => Self::Female,
            RawSex::Unspecified => Self::Unspecified,
        }
    }
}

fn wanted(
    text: String,
    key: &'static str,
    wanted: &'static str,
    test: impl Fn(&str) -> bool,
) -> Result<String, DescriptionError> {
    if test(&text) { Ok(text) } else { Err(DescriptionError::Value { key, wanted }) }
}

fn date(text: &str, key: &'static str) -> Result<PrintedDate, DescriptionError> {
    PrintedDate::parse(text).ok_or(DescriptionError::Value { key, wanted: "dd/MM/yyyy, MM/yyyy or yyyy" })
}

fn day(text: &str, key: &'static str) -> Result<PrintedDate, DescriptionError> {
    PrintedDate::parse_day(text).ok_or(DescriptionError::Value { key, wanted: "dd/MM/yyyy" })
}

fn digest(name: &str, key: &'static str) -> Result<DigestKind, DescriptionError> {
    name.parse()
        .map_err(|_| DescriptionError::Value { key, wanted: "sha1, sha224, sha256, sha384 or sha512" })
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_sixteen_hex(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_mrz_date(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'<')
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::pki::PssParameters;

    const CARD: &str = include_str!("../../cards/cccd-2021.toml");

    fn refusal(from: &str, to: &str) -> DescriptionError {
        assert!(CARD.contains(from), "{from}");
        CardDescription::parse(&CARD.replace(from, to)).unwrap_err()
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_line() {
        for key in ["kind", "religion", "file", "bac", "parents", "max_reply", "digest"] {
            let key = format!("\n{key} =");
            let refused = refusal(&key, &format!("\nfavourite_colour = 1{key}"));
            let source = refused.source().unwrap().to_string();
            assert!(source.contains("unknown field `favourite_colour`"), "{source}");
            assert!(source.contains("line "), "{source}");
        }
    }

    #[test]
    fn a_number_that_could_be_somebodys_is_refused() {
        assert!(matches!(refusal("\"000090123456\"", "\"001090123456\""), DescriptionError::CouldBeSomebody));
    }

    #[test]
    fn values_no_card_could_carry_are_refused_with_their_key() {
        for (from, to, key) in [
            ("\"000090123456\"", "\"00009012345\"", "number"),
            ("\"02/01/1990\"", "\"31/02/1990\"", "birth"),
            ("\"15/03/2022\"", "\"2022\"", "issued"),
            ("\"02/01/2030\"", "\"01/2030\"", "expires"),
            ("\"000123456\"", "\"12345\"", "old_number"),
            ("\"00112233445566AA\"", "\"zz\"", "chip_field_16"),
            ("max_command = 65535", "max_command = 64", "max_command"),
            ("can_tries = 10", "can_tries = 0", "can_tries"),
            ("group = \"brainpoolP256r1\"", "group = \"P-255\"", "group"),
            (
                "{ cipher = \"aes-128\", group",
                "{ mapping = \"integrated\", cipher = \"aes-128\", group = \"P-224\" }, { cipher = \"aes-128\", group",
                "group",
            ),
            ("\"ec-p256\"", "\"rsa-1000\"", "active_authentication"),
            (
                "\"ec-p256\"",
                "\"rsa-2048\"\nactive_authentication_form = \"der\"",
                "active_authentication_form",
            ),
            ("[{ cipher = \"aes-128\" }]", "[{ cipher = \"3des\", form = \"pkcs3\" }]", "form"),
            ("[{ cipher = \"aes-128\" }]", "[{ cipher = \"3des\", group = \"dh\" }]", "group"),
            ("\"sha256\"", "\"md5\"", "digest"),
            ("\"ecdsa-p256\"", "\"ecdsa-p257\"", "signer"),
        ] {
            let refused = refusal(from, to);
            assert!(
                matches!(refused, DescriptionError::Value { key: found, .. } if found == key),
                "{refused}"
            );
        }
        assert!(matches!(refusal("Nguyễn Văn Mẫu", "Nguyễn 王"), DescriptionError::Name(_)));
        assert!(matches!(refusal("[person]", "[passport]"), DescriptionError::Shape(_)));
        assert!(matches!(refusal("face-a.jpg", "face-z.jpg"), DescriptionError::Portrait { .. }));
    }

    #[test]
    fn a_card_nothing_opens_is_refused() {
        let pace = "pace = [{ cipher = \"aes-128\", group = \"brainpoolP256r1\" }]";
        assert!(CARD.contains(pace));
        let closed = CARD.replace(pace, "").replace("bac = true", "bac = false");
        assert!(matches!(CardDescription::parse(&closed), Err(DescriptionError::NothingOpensIt)));
    }

    #[test]
    fn the_spelling_of_a_partial_birth_in_the_mrz_can_be_chosen() {
        let with = |birth: &str| {
            let text = CARD.replace("birth = \"02/01/1990\"", birth);
            CardDescription::parse(&text).unwrap().mrz_key().birth.clone()
        };
        assert_eq!(with("birth = \"1990\""), "90<<<<");
        assert_eq!(with("birth = \"1990\"\nbirth_mrz = \"900101\""), "900101");
    }

    #[test]
    fn a_portrait_beside_the_file_wins_over_a_shipped_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, CARD).unwrap();
        let shipped = CardDescription::load(&path).unwrap();

        let other = Portrait::find("face-c.jpg", PortraitFormat::Jpeg, None).unwrap();
        std::fs::write(folder.path().join("face-a.jpg"), other.bytes()).unwrap();
        let own = CardDescription::load(&path).unwrap();
        assert_eq!(own.portrait().bytes(), other.bytes());
        assert_ne!(own.portrait().bytes(), shipped.portrait().bytes());

        let missing = CardDescription::load(&folder.path().join("none.toml"));
        assert!(matches!(missing, Err(DescriptionError::Unreadable(_))));
    }

    #[test]
    fn every_oddity_of_a_security_object_can_be_written() {
        let section = CARD.find("[security_object]").unwrap();
        let plan = |text: &str| {
            CardDescription::parse(&format!("{}[security_object]\n{text}", &CARD[..section]))
                .unwrap()
                .security_object()
        };
        let usual = SecurityObjectPlan::usual(DigestKind::Sha256, SignerKind::ECDSA_P256);
        assert_eq!(plan(""), usual);
        let odd = plan(
            r#"
            digest = "sha512"
            lds_digest = "sha1"
            signer = "rsa-pss-2048-salt-20"
            version = "v1"
            content_type = "sdu"
            encoding = "chunked"
            signer_identifier = "no-one"
            certificates = "several"
            attributes = "no-signing-time"
            algorithm_digest = "sha224"
            padding = 16
            "#,
        );
        assert_eq!(
            odd,
            SecurityObjectPlan {
                digest: DigestKind::Sha512,
                lds_digest: Some(DigestKind::Sha1),
                signer: SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Salt(20) },
                version: LdsVersion::V1,
                content_type: SodContentType::Sdu,
                form: CmsForm {
                    encoding: CmsEncoding::Chunked,
                    signer_identifier: SignerIdentifier::NoOne,
                    certificates: EmbeddedCertificates::Several,
                    attributes: SignedAttributes::NoSigningTime,
                    algorithm: SignerAlgorithm::OtherDigest(DigestKind::Sha224),
                },
                padding: 16,
            }
        );
        assert_eq!(plan("algorithm = \"key-only\"").form.algorithm, SignerAlgorithm::KeyOnly);
    }

    #[test]
    fn debug_names_the_kind_and_nobody() {
        assert_eq!(format!("{:?}", CardDescription::parse(CARD).unwrap()), "CardDescription(Cccd2021)");
    }
}
