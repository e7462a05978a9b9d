//! The payload of the file as it is written: the twin of what a reading left.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// What every payload begins with.
pub(crate) const FORMAT: &str = "cccd-agent/evidence";
/// The version this program writes and reads.
pub(crate) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payload {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) agent_version: String,
    pub(crate) read_id: String,
    pub(crate) read_at: String,
    /// There only where it is true: whoever does not know it must not take the file for a real reading's.
    #[serde(skip_serializing_if = "is_false", default)]
    pub(crate) simulated: bool,
    pub(crate) access: AccessTwin,
    pub(crate) files: Vec<FileTwin>,
    pub(crate) proofs: ProofsTwin,
    pub(crate) verdict: VerdictTwin,
}

fn is_false(said: &bool) -> bool {
    !said
}

#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessTwin {
    /// `bac`, `pace`, or `reader` where that opened the chip by itself.
    pub(crate) protocol: String,
    pub(crate) password: String,
    pub(crate) mapping: Option<String>,
    pub(crate) cipher: Option<String>,
    pub(crate) parameter_id: Option<u8>,
    pub(crate) downgrade: Option<String>,
    /// EF.CardAccess, in base64.
    pub(crate) card_access: Option<String>,
}

#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileTwin {
    pub(crate) file: String,
    /// `read`, `absent`, `locked`, `refused`, `malformed` or `not-given`.
    pub(crate) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) status: Option<String>,
    /// Its bytes, in base64: of EF.SOD, the files of keys, and of the others where groups are included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) content: Option<String>,
    /// Its hash where its bytes are not included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) digest: Option<DigestTwin>,
}

#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DigestTwin {
    pub(crate) algorithm: String,
    /// In hexadecimal digits.
    pub(crate) value: String,
}

#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofsTwin {
    pub(crate) active_authentication: ProofTwin,
    pub(crate) chip_authentication: ProofTwin,
    pub(crate) chip_authentication_mapping: ProofTwin,
    pub(crate) terminal_authentication: ProofTwin,
}

/// What came of one proof. Which members are there depends on the proof; bytes are in base64.
#[derive(Serialize, Deserialize, Zeroize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofTwin {
    /// `not-asked`, `not-offered`, `unsupported`, `refused`, `broken`, `not-carried` or `done`; of the station's proof also why there
    /// was none.
    pub(crate) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) challenge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) response: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) key_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cipher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) terminal_public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) parameter_id: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) mapping_public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) authentication_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) certificates: Option<usize>,
}

/// The agent's own verdict. Whoever judges again need not believe it.
#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictTwin {
    pub(crate) summary: String,
    pub(crate) checks: Vec<CheckTwin>,
}

#[derive(Serialize, Deserialize, Zeroize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckTwin {
    pub(crate) check: String,
    pub(crate) state: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) tolerated: Vec<String>,
}
