//! A card to be made, as meant: every value in it is one a card could carry.

use std::fmt;
use std::path::Path;

use crate::image::{LengthOffer, PaceOffer};
use crate::pki::{CmsForm, Country, CvAuthority, DigestKind, SignerKind};

use super::date::PrintedDate;
use super::mrz::{Mrz, MrzContent, MrzKeyFields, NotInMrz};
use super::portrait::{NotAPortrait, Portrait};
use super::proof_plans::{ActiveAuthenticationPlan, ChipAuthenticationPlan};
use super::written::RawCard;

/// An invented person's card, ready to be made. It comes only from TOML: see `cards/`.
#[derive(Clone)]
pub struct CardDescription {
    pub(super) bearer: Bearer,
    pub(super) mrz: Mrz,
    pub(super) portrait: Portrait,
    pub(super) chip: ChipPlan,
    pub(super) access: AccessPlan,
    pub(super) lengths: LengthOffer,
    pub(super) security_object: SecurityObjectPlan,
    pub(super) terminal_roots: Vec<CvAuthority>,
}

/// Whose card it is, and which card.
#[derive(Clone)]
pub enum Bearer {
    /// A Vietnamese citizen with an identity card.
    Citizen(CitizenCard, Box<Citizen>),
    /// Anyone with a passport.
    Traveller(Traveller),
}

/// Which Vietnamese identity card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CitizenCard {
    /// The chip CCCD of 2021: DG13 carries all of its text.
    Cccd2021,
    /// The thẻ Căn cước of 2024: DG13 carries only what Circular 16/2024, article 6, leaves in the open.
    CanCuoc2024,
}

/// What is known about a citizen. Text is as the card spells it.
#[derive(Clone)]
pub struct Citizen {
    /// Twelve digits, beginning with 000: no province has that code.
    pub number: String,
    /// Full name, surname first.
    pub name: String,
    /// Birth, of which only the year may be known.
    pub birth: PrintedDate,
    /// Sex.
    pub sex: Sex,
    /// Nationality, in words.
    pub nationality: String,
    /// Ethnicity.
    pub ethnicity: Option<String>,
    /// Religion.
    pub religion: Option<String>,
    /// Place of origin.
    pub origin: Option<String>,
    /// Residence.
    pub residence: Option<String>,
    /// Identifying features.
    pub features: Option<String>,
    /// Day of issue.
    pub issued: PrintedDate,
    /// Last day of validity; `None` for a card without one.
    pub expires: Option<PrintedDate>,
    /// Father's name.
    pub father: Option<String>,
    /// Mother's name.
    pub mother: Option<String>,
    /// Spouse's name.
    pub spouse: Option<String>,
    /// Number of the nine-digit CMND held before.
    pub old_number: Option<String>,
    /// Sixteen hexadecimal digits of unknown meaning.
    pub chip_field_16: Option<String>,
}

impl Citizen {
    /// Last day of validity as the card words it.
    pub fn expiry_text(&self) -> String {
        self.expires.map_or_else(|| NO_EXPIRY.to_owned(), |day| day.to_string())
    }
}

/// How a card words that it does not expire.
const NO_EXPIRY: &str = "Không thời hạn";

/// The same in the MRZ.
const NO_EXPIRY_MRZ: &str = "991231";

/// What is known about the holder of a passport.
#[derive(Clone)]
pub struct Traveller {
    /// Up to nine letters and digits.
    pub document_number: String,
    /// Who issued it.
    pub issuing_state: IssuingState,
    /// One to three letters.
    pub nationality: String,
    /// Primary identifier.
    pub surname: String,
    /// Secondary identifier.
    pub given_names: String,
    /// Birth.
    pub birth: PrintedDate,
    /// Sex.
    pub sex: Sex,
    /// Day of issue.
    pub issued: PrintedDate,
    /// Last day of validity.
    pub expires: PrintedDate,
    /// Card access number, where one is printed.
    pub can: Option<String>,
}

/// A state this simulation has a signing authority for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuingState {
    /// Vietnam.
    Vietnam,
    /// Utopia, the invented state of ICAO's specimens (ICAO 9303-3, section 5).
    Utopia,
}

impl IssuingState {
    /// Three letters, as the MRZ and the alternative names of certificates have it.
    pub fn alpha3(self) -> &'static str {
        match self {
            Self::Vietnam => Country::VIETNAM.alpha3,
            Self::Utopia => Country::UTOPIA.alpha3,
        }
    }

    /// The same state, as the test PKI knows it.
    pub fn country(self) -> Country {
        match self {
            Self::Vietnam => Country::VIETNAM,
            Self::Utopia => Country::UTOPIA,
        }
    }
}

/// Sex of the holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Not said.
    Unspecified,
}

impl Sex {
    /// The letter of the MRZ (ICAO 9303-4, 4.2.2.2).
    pub(super) fn mrz(self) -> char {
        match self {
            Self::Male => 'M',
            Self::Female => 'F',
            Self::Unspecified => '<',
        }
    }

    /// The word on the card; empty where it is not said.
    pub fn vietnamese(self) -> &'static str {
        match self {
            Self::Male => "Nam",
            Self::Female => "Nữ",
            Self::Unspecified => "",
        }
    }
}

/// What the chip holds beside the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipPlan {
    /// How field 13 of DG13 nests its two names.
    pub parents: ParentsNesting,
    /// Whether there is a DG3, and whether EF.COM says so.
    pub fingerprints: Fingerprints,
    /// The keys of chip authentication, where it is offered.
    pub chip_authentication: Vec<ChipAuthenticationPlan>,
    /// Active authentication, where it is offered.
    pub active_authentication: Option<ActiveAuthenticationPlan>,
}

/// The two reported forms of field 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentsNesting {
    /// A sequence for each name.
    TwoSequences,
    /// One sequence for both.
    OneSequence,
}

/// Whether there is a DG3. Where there is one it is locked, and its hash is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fingerprints {
    /// None.
    Absent,
    /// There is one and EF.COM lists it.
    Listed,
    /// There is one of which EF.COM says nothing.
    Unlisted,
}

/// What opens the chip.
#[derive(Clone)]
pub(super) struct AccessPlan {
    pub(super) bac: bool,
    pub(super) pace: Vec<PaceOffer>,
    pub(super) can_tries: Option<u8>,
}

/// How the security object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityObjectPlan {
    /// The hash under the signature.
    pub digest: DigestKind,
    /// The hash over the data groups; that under the signature where it is not said.
    pub lds_digest: Option<DigestKind>,
    /// The document signer's key.
    pub signer: SignerKind,
    /// The version of the LDSSecurityObject.
    pub version: LdsVersion,
    /// What the content is called.
    pub content_type: SodContentType,
    /// How the SignedData around it is written.
    pub form: CmsForm,
    /// Zeros behind the file's data object.
    pub padding: u16,
}

impl SecurityObjectPlan {
    /// By the letter of the standard, with this digest and this signer.
    pub fn usual(digest: DigestKind, signer: SignerKind) -> Self {
        Self {
            digest,
            lds_digest: None,
            signer,
            version: LdsVersion::V0,
            content_type: SodContentType::Icao,
            form: CmsForm::default(),
            padding: 0,
        }
    }
}

/// What the content of EF.SOD is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SodContentType {
    /// id-icao-mrtd-security-ldsSecurityObject (ICAO 9303-10, 4.6.2.2).
    Icao,
    /// id-data, as seen on Chinese documents.
    Data,
    /// The object identifier of drafts before ICAO had an arc of its own.
    EarlyIcao,
    /// That of the Dutch printer Sdu.
    Sdu,
}

impl SodContentType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Icao, Self::Data, Self::EarlyIcao, Self::Sdu];
}

/// Version of the LDSSecurityObject (ICAO 9303-10, 4.6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdsVersion {
    /// Without the LDS version inside.
    V0,
    /// With it.
    V1,
}

/// Why a TOML file describes no card. Whoever wrote the file is to change it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The file cannot be read.
    #[error("card description cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Not TOML, a key nobody knows, or a value of the wrong kind. The source says where.
    #[error("not a card description")]
    Shape(#[source] toml::de::Error),
    /// A section this kind of card needs.
    #[error("this kind of card needs a section [{0}]")]
    SectionMissing(&'static str),
    /// A section this kind of card cannot have.
    #[error("this kind of card has no section [{0}]")]
    SectionUnexpected(&'static str),
    /// A value that no card could carry.
    #[error("{key} is not {wanted}")]
    Value {
        /// The key in the file.
        key: &'static str,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A number that could belong to somebody.
    #[error("personal number must begin with 000, which is no province's code")]
    CouldBeSomebody,
    /// A name the machine-readable zone cannot spell.
    #[error("name cannot be written in the machine-readable zone")]
    Name(#[from] NotInMrz),
    /// Neither BAC nor PACE.
    #[error("nothing opens this chip: neither bac nor pace")]
    NothingOpensIt,
    /// The portrait.
    #[error("portrait {file:?}")]
    Portrait {
        /// Its file name.
        file: Box<str>,
        /// What is wrong with it.
        source: NotAPortrait,
    },
}

impl CardDescription {
    /// Reads a description from a file. A portrait lying beside the file wins over a shipped one.
    pub fn load(path: &Path) -> Result<Self, DescriptionError> {
        let text = std::fs::read_to_string(path).map_err(DescriptionError::Unreadable)?;
        Self::from_text(&text, path.parent())
    }

    /// Reads a description from text. Its portrait is one of the shipped ones.
    pub fn parse(text: &str) -> Result<Self, DescriptionError> {
        Self::from_text(text, None)
    }

    fn from_text(text: &str, beside: Option<&Path>) -> Result<Self, DescriptionError> {
        let raw: RawCard = toml::from_str(text).map_err(DescriptionError::Shape)?;
        raw.into_description(beside)
    }

    /// Whose card it is.
    pub fn bearer(&self) -> &Bearer {
        &self.bearer
    }

    /// The citizen, unless it is a passport.
    pub fn citizen(&self) -> Option<&Citizen> {
        match &self.bearer {
            Bearer::Citizen(_, citizen) => Some(citizen),
            Bearer::Traveller(_) => None,
        }
    }

    /// The card access number: the last six digits of a citizen's number, or what a passport prints.
    pub fn can(&self) -> Option<&str> {
        match &self.bearer {
            Bearer::Citizen(_, citizen) => citizen.number.get(6..),
            Bearer::Traveller(traveller) => traveller.can.as_deref(),
        }
    }

    /// The lines of the machine-readable zone.
    pub fn mrz_lines(&self) -> &[String] {
        self.mrz.lines()
    }

    /// The fields of the MRZ that open the chip.
    pub fn mrz_key(&self) -> &MrzKeyFields {
        self.mrz.key()
    }

    /// The portrait's bytes and kind.
    pub fn portrait(&self) -> &Portrait {
        &self.portrait
    }

    /// What the chip holds beside the person.
    pub fn chip(&self) -> &ChipPlan {
        &self.chip
    }

    /// The variants of PACE its chip runs.
    pub fn pace(&self) -> &[PaceOffer] {
        &self.access.pace
    }

    /// The same card with active authentication like this, or without.
    #[must_use]
    pub fn with_active_authentication(mut self, plan: Option<ActiveAuthenticationPlan>) -> Self {
        self.chip.active_authentication = plan;
        self
    }

    /// The same card with these keys of chip authentication. Several need different numbers.
    #[must_use]
    pub fn with_chip_authentication(mut self, plans: Vec<ChipAuthenticationPlan>) -> Self {
        self.chip.chip_authentication = plans;
        self
    }

    /// The same card with or without BAC, and with these variants of PACE.
    #[must_use]
    pub fn with_access(mut self, bac: bool, pace: Vec<PaceOffer>) -> Self {
        (self.access.bac, self.access.pace) = (bac, pace);
        self
    }

    /// The same card, whose chip lets those read fingerprints whom these authorities have certified: the newest
    /// first, at most two. The description as written has none, and its fingerprints are locked for everyone.
    #[must_use]
    pub fn with_terminal_authentication(mut self, roots: Vec<CvAuthority>) -> Self {
        self.terminal_roots = roots;
        self
    }

    /// The same card with or without fingerprints.
    #[must_use]
    pub fn with_fingerprints(mut self, fingerprints: Fingerprints) -> Self {
        self.chip.fingerprints = fingerprints;
        self
    }

    /// The same card, taking commands and giving replies of these lengths.
    #[must_use]
    pub fn with_lengths(mut self, lengths: LengthOffer) -> Self {
        self.lengths = lengths;
        self
    }

    /// How the security object is made.
    pub fn security_object(&self) -> SecurityObjectPlan {
        self.security_object
    }

    /// The same card with another security object.
    pub fn with_security_object(mut self, plan: SecurityObjectPlan) -> Self {
        self.security_object = plan;
        self
    }

    /// Who issued the document.
    pub fn issuing_state(&self) -> IssuingState {
        match &self.bearer {
            Bearer::Citizen(..) => IssuingState::Vietnam,
            Bearer::Traveller(traveller) => traveller.issuing_state,
        }
    }

    /// The day of issue.
    pub fn issued(&self) -> PrintedDate {
        match &self.bearer {
            Bearer::Citizen(_, citizen) => citizen.issued,
            Bearer::Traveller(traveller) => traveller.issued,
        }
    }

    /// Sex of the holder.
    pub fn sex(&self) -> Sex {
        match &self.bearer {
            Bearer::Citizen(_, citizen) => citizen.sex,
            Bearer::Traveller(traveller) => traveller.sex,
        }
    }

    /// The text of the code printed on the card; a passport has none.
    ///
    /// Seven fields on the card of 2021. For the card of 2024 the reported form with four more, empty.
    pub fn qr_text(&self) -> Option<String> {
        let Bearer::Citizen(card, citizen) = &self.bearer else {
            return None;
        };
        let mut text = [
            citizen.number.as_str(),
            citizen.old_number.as_deref().unwrap_or_default(),
            citizen.name.as_str(),
            citizen.birth.compact().as_str(),
            citizen.sex.vietnamese(),
            citizen.residence.as_deref().unwrap_or_default(),
            citizen.issued.compact().as_str(),
        ]
        .join("|");
        if *card == CitizenCard::CanCuoc2024 {
            text.push_str("||||");
        }
        Some(text)
    }
}

impl fmt::Debug for CardDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bearer {
            Bearer::Citizen(card, _) => write!(f, "CardDescription({card:?})"),
            Bearer::Traveller(_) => f.write_str("CardDescription(Passport)"),
        }
    }
}

/// The MRZ of a bearer. `birth_mrz` stands for the birth where the card spells a partial date its own way.
pub(super) fn mrz_of(bearer: &Bearer, birth_mrz: Option<&str>) -> Result<Mrz, NotInMrz> {
    match bearer {
        Bearer::Citizen(_, citizen) => {
            let (surname, given_names) = citizen.name.split_once(' ').unwrap_or((&citizen.name, ""));
            let birth = birth_mrz.map_or_else(|| citizen.birth.mrz(), str::to_owned);
            let expiry = citizen.expires.map_or_else(|| NO_EXPIRY_MRZ.to_owned(), PrintedDate::mrz);
            let content = MrzContent {
                issuing_state: IssuingState::Vietnam.alpha3(),
                nationality: IssuingState::Vietnam.alpha3(),
                birth: &birth,
                sex: citizen.sex,
                expiry: &expiry,
                surname,
                given_names,
            };
            Mrz::td1(&citizen.number, &content)
        }
        Bearer::Traveller(traveller) => {
            let birth = birth_mrz.map_or_else(|| traveller.birth.mrz(), str::to_owned);
            let content = MrzContent {
                issuing_state: traveller.issuing_state.alpha3(),
                nationality: &traveller.nationality,
                birth: &birth,
                sex: traveller.sex,
                expiry: &traveller.expires.mrz(),
                surname: &traveller.surname,
                given_names: &traveller.given_names,
            };
            Mrz::td3(&traveller.document_number, &content)
        }
    }
}
