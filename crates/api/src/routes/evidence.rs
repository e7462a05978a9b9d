//! A reading as a signed file, for others to judge.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cccd_document::{Biometric, Biometrics, FileId};
use cccd_engine::{Part, ReadFailure};
use cccd_evidence::{EvidenceFile, Groups, ReadFacts};
use cccd_profiles::Scope;
use http::{HeaderValue, header};

use super::reads::result_of;
use crate::api::Desk;
use crate::callers::Caller;
use crate::extract::{EvidenceWish, ReadName};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::SignedText;

/// The media type of a signed file: a JSON Web Signature in compact form (RFC 7515, 9.2.1).
const JOSE: &str = "application/jose";

/// The evidence of a reading: a signed file that `cccd-agent verify`, or anyone else, can judge again without
/// card and network. It needs the scope `evidence`.
///
/// It holds EF.SOD, the chip's keys, what the chip proved and the verdict; the data groups themselves, which
/// are personal, only where they are asked for; of those that hold
/// more than the caller may have of this reading, the hashes. Where the reading is known to be a simulation's, the file says
/// so under its signature.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}/evidence",
    tag = "reads",
    params(
        ("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$"),
        ("groups" = Option<bool>, Query,
            description = "Whether the data groups go into the file, and not only their hashes."),
    ),
    responses((status = 200, description = "The signed file.",
        content((SignedText = "application/jose")))),
)]
pub(crate) async fn read_evidence(
    State(desk): State<Desk>,
    caller: Caller,
    ReadName(read): ReadName,
    EvidenceWish(groups): EvidenceWish,
) -> Result<Response, Refusal> {
    caller.require(Scope::Evidence)?;
    let (fields, photo) = (caller.fields(), caller.scopes.contains(Scope::Photo));
    let kinds = Biometric::ALL.into_iter().filter(|kind| caller.require_for(*kind).is_ok());
    let kinds: Biometrics = kinds.collect();
    let reading = result_of(&desk, &caller, read, Part::Evidence).await?;
    // Under a profile the record is not for the caller, who may have what its scopes say of the groups that were read.
    let fields = if reading.under.is_some() { fields } else { reading.fields.intersection(fields) };
    let allowed = |file: &FileId| match Biometric::in_file(*file) {
        Some(kind) => kinds.contains(kind),
        None if *file == FileId::DG2 => photo,
        None => fields.cover(*file),
    };
    let groups = match groups {
        true => Groups::Included(reading.evidence.files.keys().copied().filter(allowed).collect()),
        false => Groups::HashesOnly,
    };
    let key =
        desk.evidence_key.clone().ok_or_else(|| Refusal::from(Fault::EvidenceUnavailable).about(read))?;
    let version = desk.facts.version.clone();
    let failed = || Refusal::from(ReadFailure::AgentFault).about(read);
    // Hashing and signing take milliseconds of a processor.
    let signed = tokio::task::spawn_blocking(move || {
        let name = read.to_string();
        let (read_at, mark) = (reading.finished, reading.mark);
        let facts = ReadFacts { read_id: &name, agent_version: &version, read_at, mark };
        EvidenceFile::new(facts, &reading.evidence, &reading.verdict, groups)
            .sign(&key, &mut getrandom::SysRng)
    })
    .await
    .map_err(|_| failed())?
    .map_err(|_| failed())?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(JOSE))];
    Ok((headers, Bytes::from_owner(signed_bytes(signed))).into_response())
}

/// The text as bytes that are wiped once they have been sent.
fn signed_bytes(mut text: zeroize::Zeroizing<String>) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}
