//! The JSON twin of fingerprints and irises: what became of them, and where each picture is.

use cccd_document::{Biometric, BiometricImage};
use cccd_engine::{BiometricOutcome, BiometricReading, ReadId, Reading};
use cccd_trust::{CheckName, CheckState, Reason, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use super::verdict::ReasonJson;

/// Fingerprints and irises.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Biometrics)]
pub(crate) struct BiometricsJson {
    /// DG3.
    fingerprints: BiometricGroupJson,
    /// DG4.
    irises: BiometricGroupJson,
}

/// What became of fingerprints or irises.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BiometricGroup)]
pub(crate) struct BiometricGroupJson {
    /// What became of them.
    state: BiometricStateJson,
    /// What the chip answered instead; null where it was not asked or gave them.
    #[schema(example = "6982", pattern = "^[0-9A-F]{4}$")]
    status: Option<String>,
    /// Why the chip did not open them to this machine; null where it did, or was not to.
    why: Option<ReasonJson>,
    /// The pictures. Where the state is `read` there may be none: not everybody has fingers to give.
    images: Vec<BiometricImageJson>,
}

/// What became of fingerprints or irises.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BiometricState)]
pub(crate) enum BiometricStateJson {
    /// The request did not ask for them, and the chip was not either.
    NotAsked,
    /// The chip has none.
    Absent,
    /// The chip keeps them locked.
    Locked,
    /// They were read.
    Read,
    /// The chip answered something else.
    Refused,
    /// What it gave is no such file.
    Malformed,
}

/// One picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BiometricImage)]
pub(crate) struct BiometricImageJson {
    /// Which finger or eye, such as `right-index`; `unknown` where its record does not say.
    #[schema(example = "right-index")]
    position: &'static str,
    /// Which view of it, from 1.
    #[schema(minimum = 0, maximum = 255)]
    view: u8,
    /// The quality its record states; null where it states none.
    #[schema(minimum = 0, maximum = 100)]
    quality: Option<u8>,
    /// How it is coded on the chip and handed out. `application/octet-stream` are bare pixels, a byte each, or a
    /// record of a kind not known here.
    #[schema(example = "image/x-wsq")]
    media_type: &'static str,
    /// Pixels in a line, as its record declares; null where it does not.
    #[schema(minimum = 1, maximum = 65535)]
    width: Option<u16>,
    /// Lines, likewise.
    #[schema(minimum = 1, maximum = 65535)]
    height: Option<u16>,
    /// Its size.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    bytes: usize,
    /// Its address.
    #[schema(example = "/v1/reads/5f0c3a9be1d24487a6c0f1e2d3b4a596/biometrics/fingerprints/1")]
    href: String,
}

impl BiometricsJson {
    pub(super) fn new(read: ReadId, reading: &Reading) -> Self {
        let of = |kind| {
            let found = reading.biometrics.iter().find(|found| found.kind == kind);
            BiometricGroupJson::new(read, kind, found, &reading.verdict)
        };
        Self { fingerprints: of(Biometric::Fingerprints), irises: of(Biometric::Irises) }
    }
}

impl BiometricGroupJson {
    fn new(read: ReadId, kind: Biometric, found: Option<&BiometricReading>, verdict: &Verdict) -> Self {
        let images = found.map(BiometricReading::images).unwrap_or_default();
        let (state, status) = match found.map(|found| &found.outcome) {
            None | Some(BiometricOutcome::NotAsked) => (BiometricStateJson::NotAsked, None),
            Some(BiometricOutcome::Absent) => (BiometricStateJson::Absent, None),
            Some(BiometricOutcome::Locked(status)) => (BiometricStateJson::Locked, Some(*status)),
            Some(BiometricOutcome::Read(_)) => (BiometricStateJson::Read, None),
            Some(BiometricOutcome::Refused(status)) => (BiometricStateJson::Refused, *status),
            Some(BiometricOutcome::Malformed) => (BiometricStateJson::Malformed, None),
        };
        let shut = matches!(state, BiometricStateJson::Locked | BiometricStateJson::Refused);
        Self {
            state,
            status: status.map(|status| status.to_string()),
            why: shut.then(|| why(verdict)).flatten(),
            images: images.iter().enumerate().map(|(at, image)| picture(read, kind, at + 1, image)).collect(),
        }
    }
}

/// What the verdict says of the station; where the chip believed it, its certificates grant something else.
fn why(verdict: &Verdict) -> Option<ReasonJson> {
    match verdict.check(CheckName::TerminalAuthentication)?.state {
        CheckState::NotPossible(reason) => Some(reason.into()),
        CheckState::Passed => Some(Reason::StationNotEntitled.into()),
        _ => None,
    }
}

fn picture(read: ReadId, kind: Biometric, number: usize, image: &BiometricImage) -> BiometricImageJson {
    BiometricImageJson {
        position: image.position.code(),
        view: image.view,
        quality: image.quality,
        media_type: image.media_type.as_str(),
        width: image.declared_size.map(|(width, _)| width),
        height: image.declared_size.map(|(_, height)| height),
        bytes: image.bytes.len(),
        href: format!("/v1/reads/{read}/biometrics/{kind}/{number}"),
    }
}
