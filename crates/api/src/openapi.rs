//! The description of the API, generated from the handlers (OpenAPI 3.1).

use std::collections::{BTreeMap, BTreeSet};

use cccd_engine::ReadFailure;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, License, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
    ResponseBuilder, ServerBuilder, Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Desk;
use crate::problems::{Fault, Problem};
use crate::refusal::PROBLEM_JSON;
use crate::routes::{
    agent, docs, events, evidence, grants, handoff, identity, leases, pairings, problem_pages, readers,
    reads, registers, scans, sessions,
};
use crate::wire::ProblemJson;

const TOKEN: &str = "token";
const SIGNED_TOKEN: &str = "signed_token";
const PROOF: &str = "proof";

/// The paths, by what they ask for.
pub(crate) struct Routes {
    /// Open to anyone on this machine.
    pub(crate) open: OpenApiRouter<Desk>,
    /// For a token that a site's backend signed.
    pub(crate) signed: OpenApiRouter<Desk>,
    /// For a known caller.
    pub(crate) guarded: OpenApiRouter<Desk>,
}

/// The paths.
pub(crate) fn routes() -> Routes {
    let open = OpenApiRouter::new()
        .routes(routes!(agent::healthz))
        .routes(routes!(agent::readyz))
        .routes(routes!(agent::openapi_document))
        .routes(routes!(agent::asyncapi_document))
        .routes(routes!(docs::docs_page))
        .routes(routes!(docs::docs_style))
        .routes(routes!(identity::prove_identity))
        .routes(routes!(pairings::begin_pairing))
        .routes(routes!(pairings::confirm_pairing))
        .routes(routes!(handoff::handoff_window))
        .routes(routes!(handoff::handoff_script))
        .routes(routes!(handoff::handoff_style))
        .routes(routes!(problem_pages::problem_page));
    let signed = OpenApiRouter::new().routes(routes!(sessions::open_session));
    let guarded = OpenApiRouter::new()
        .routes(routes!(agent::about))
        .routes(routes!(sessions::show_caller))
        .routes(routes!(sessions::end_session))
        .routes(routes!(grants::show_grant, grants::give_grant_back))
        .routes(routes!(readers::list_readers))
        .routes(routes!(leases::take_lease, leases::end_lease))
        .routes(routes!(reads::create_read))
        .routes(routes!(reads::show_read, reads::dismiss_read))
        .routes(routes!(reads::read_result))
        .routes(routes!(reads::read_partial))
        .routes(routes!(reads::read_portrait))
        .routes(routes!(reads::read_biometric))
        .routes(routes!(evidence::read_evidence))
        .routes(routes!(registers::list_registers))
        .routes(routes!(registers::load_roster))
        .routes(routes!(registers::export_register))
        .routes(routes!(scans::list_scanners))
        .routes(routes!(scans::create_scans))
        .routes(routes!(scans::fetch_scan, scans::dismiss_scan))
        .routes(routes!(events::events));
    Routes { open, signed, guarded }
}

/// The description, as served at `/v1/openapi.json`.
pub fn openapi() -> OpenApi {
    let Routes { open, signed, guarded } = routes();
    let mut open = open.into_openapi();
    let mut signed = signed.into_openapi();
    let mut guarded = guarded.into_openapi();
    for operation in operations(&mut open) {
        // An empty requirement, so that no reader of the description takes the default for them.
        operation.security = Some(vec![match operation.operation_id.as_deref() {
            // The key is proved, and is nobody's yet.
            Some("confirm_pairing") => SecurityRequirement::new(PROOF, Vec::<String>::new()),
            _ => SecurityRequirement::default(),
        }]);
        describe_problems(operation, &[Fault::HostNotAllowed, Fault::OriginNotAllowed]);
    }
    for operation in operations(&mut signed) {
        operation.security = Some(vec![SecurityRequirement::new(SIGNED_TOKEN, Vec::<String>::new())]);
        let gate = [Fault::HostNotAllowed, Fault::OriginNotAllowed, Fault::TokenMissing, Fault::TokenWrong];
        describe_problems(operation, &gate);
    }
    for operation in operations(&mut guarded) {
        // Either will do.
        let either = [TOKEN, PROOF].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
        operation.security = Some(either.into());
        let gate = [
            Fault::HostNotAllowed,
            Fault::OriginNotAllowed,
            Fault::TokenMissing,
            Fault::TokenWrong,
            Fault::SessionRequired,
            Fault::SessionExpired,
            Fault::ProofWrong,
            Fault::ProofReplayed,
            Fault::PairingRequired,
            Fault::ReplayMemoryUnavailable,
            Fault::RateLimited,
        ];
        describe_problems(operation, &gate);
    }

    let mut whole = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("cccd-agent local API")
                // The contract's version, not the program's: a release that changes nothing here must leave
                // the committed file as it is.
                .version("1.0.0")
                .description(Some(DESCRIPTION))
                .license(Some(License::new("MIT OR Apache-2.0")))
                .build(),
        )
        .servers(Some([ServerBuilder::new()
            .url("http://127.0.0.1:9303")
            .description(Some("The agent on this machine."))
            .build()]))
        .build();
    whole.merge(open);
    whole.merge(signed);
    whole.merge(guarded);
    operations(&mut whole).for_each(describe_trace);

    let components = whole.components.get_or_insert_default();
    components.schemas.insert(ProblemJson::name().into_owned(), ProblemJson::schema());
    let mut members = Vec::new();
    ProblemJson::schemas(&mut members);
    components.schemas.extend(members);
    components.add_security_scheme(
        TOKEN,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(
                    "The token that `cccd-agent token` made for this caller, or that of a session.",
                ))
                .build(),
        ),
    );
    components.add_security_scheme(
        PROOF,
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "DPoP",
            "What a paired page signs with its key for each request (RFC 9449): POST /v1/pairings begins.",
        ))),
    );
    components.add_security_scheme(
        SIGNED_TOKEN,
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("A token that the backend of a site signed for one of its pages."))
                .build(),
        ),
    );
    whole
}

/// The same as text: pretty, and the same from build to build.
pub fn openapi_json() -> String {
    // Maps of the description are ordered; it holds nothing that JSON could not write.
    let mut text = serde_json::to_string_pretty(&openapi()).unwrap_or_default();
    text.push('\n');
    text
}

const DESCRIPTION: &str = "Reads chip identity cards on the readers of this machine.\n\n\
    Ask for a reading with POST /v1/reads, follow it through /v1/events or GET /v1/reads/{id}, and fetch its \
    result. `Prefer: wait=N` does all of it in one call. A QR code read before, by a scanner of the desk or with POST \
    /v1/scans, opens the chip with `{\"access\": {\"scan\": ...}}`.\n\n\
    Every problem is RFC 9457 with a stable `code`; /problems/{code} tells cause and remedy. A result belongs \
    to the caller whose token asked for it, and is wiped after a minute or two.\n\n\
    Members, codes and events are added: pass over those you do not know. `api_level` in GET /v1 is raised only where \
    something that worked would not any more. What is to go is marked `deprecated` here first, and for at least a year its \
    answers carry `Deprecation` (RFC 9745) and `Sunset` (RFC 8594).";

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.delete].into_iter().filter_map(Option::as_mut)
    })
}

/// The trace every request may name and every answer names.
fn describe_trace(operation: &mut Operation) {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let parameter = ParameterBuilder::new()
        .name("traceparent")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The caller's trace (W3C Trace Context). One that is none begins a trace of its own.",
        ))
        .schema(Some(text()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            let mut header = Header::new(text());
            header.description = Some("The trace, and this request's span in it.".to_owned());
            response.headers.insert("traceresponse".to_owned(), RefOr::T(header));
        }
    }
}

/// Adds the problems an operation can answer with, a response for each status.
fn describe_problems(operation: &mut Operation, gate: &[Fault]) {
    let own = problems_of(operation.operation_id.as_deref().unwrap_or_default());
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for problem in gate.iter().map(|fault| fault.problem()).chain(own) {
        by_status.entry(problem.status).or_default().insert(problem.code);
    }
    for (status, codes) in by_status {
        let codes: Vec<String> = codes.into_iter().map(|code| format!("`{code}`")).collect();
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(ProblemJson::name().into_owned())))
            .build();
        let mut response =
            ResponseBuilder::new().description(codes.join(", ")).content(PROBLEM_JSON, content).build();
        let header = match status {
            401 => {
                let schema = ObjectBuilder::new().schema_type(Type::String);
                Some(("WWW-Authenticate", schema, "How to send a token."))
            }
            423 | 429 | 503 => {
                let schema = ObjectBuilder::new().schema_type(Type::Integer);
                Some(("Retry-After", schema.minimum(Some(0)).maximum(Some(3600)), "Seconds to wait."))
            }
            _ => None,
        };
        if let Some((name, schema, about)) = header {
            let mut header = Header::new(schema.build());
            header.description = Some(about.to_owned());
            response.headers.insert(name.to_owned(), RefOr::T(header));
        }
        operation.responses.responses.insert(status.to_string(), RefOr::T(response));
    }
}

/// What an operation itself can answer with, beside what the guard refuses.
fn problems_of(operation: &str) -> Vec<&'static Problem> {
    let faults: &[Fault] = match operation {
        "readyz" => &[Fault::AgentNotReady],
        "prove_identity" => &[Fault::ParameterInvalid, Fault::IdentityUnavailable, Fault::RateLimited],
        "open_session" => &[
            Fault::TokenClaimsInvalid,
            Fault::TokenExpired,
            Fault::TokenMisdirected,
            Fault::TokenReplayed,
            Fault::ScopeMissing,
            Fault::RateLimited,
            Fault::ReplayMemoryUnavailable,
        ],
        "begin_pairing" => &[
            Fault::PairingNotAllowed,
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::ScopeMissing,
            Fault::ProfileNotGranted,
            Fault::RateLimited,
        ],
        "confirm_pairing" => &[
            Fault::PairingNotAllowed,
            Fault::TokenMissing,
            Fault::ProofWrong,
            Fault::ProofReplayed,
            Fault::ReplayMemoryUnavailable,
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::PairingNotFound,
            Fault::PairingCodeWrong,
        ],
        "handoff_window" => &[Fault::ParameterInvalid, Fault::HandoffNotAllowed],
        "list_readers" | "end_lease" => &[Fault::ScopeMissing],
        "problem_page" => &[Fault::NotFound],
        "create_read" => &[
            Fault::ParameterInvalid,
            Fault::IdempotencyKeyInFlight,
            Fault::IdempotencyKeyReused,
            Fault::IdempotencyKeySpent,
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::AccessKeyMissing,
            Fault::AccessKeyInvalid,
            Fault::ReadExpired,
            Fault::ScopeMissing,
            Fault::ProfileNotGranted,
            Fault::ProfileUnavailable,
            Fault::OutboxUnavailable,
            Fault::RegisterUnavailable,
            Fault::ScanNotFound,
            Fault::ScanTaken,
            Fault::ScanExpired,
        ],
        "show_read" | "dismiss_read" => &[Fault::ReadNotFound],
        "take_lease" => &[
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::ScopeMissing,
            Fault::ProfileNotGranted,
            Fault::ProfileUnavailable,
            Fault::RegisterUnavailable,
        ],
        "list_registers" => &[Fault::ScopeMissing, Fault::RegisterUnavailable],
        "load_roster" => &[
            Fault::ScopeMissing,
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::RegisterNotFound,
            Fault::RosterInvalid,
            Fault::ExportImpossible,
            Fault::RegisterUnavailable,
        ],
        "export_register" => &[
            Fault::ScopeMissing,
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::RegisterNotFound,
            Fault::ExportImpossible,
            Fault::RegisterUnavailable,
        ],
        "read_result" => &[
            Fault::ReadNotFound,
            Fault::ReadNotOver,
            Fault::ReadExpired,
            Fault::ProfileUnavailable,
            Fault::OutboxUnavailable,
            Fault::RegisterUnavailable,
        ],
        "read_partial" => &[Fault::ReadNotFound, Fault::ReadNotOver, Fault::ReadExpired],
        "read_portrait" => &[
            Fault::ScopeMissing,
            Fault::ReadNotFound,
            Fault::ReadNotOver,
            Fault::ReadExpired,
            Fault::PortraitAbsent,
            Fault::PortraitUndisplayable,
        ],
        "read_biometric" => &[
            Fault::NotFound,
            Fault::ScopeMissing,
            Fault::ReadNotFound,
            Fault::ReadNotOver,
            Fault::ReadExpired,
            Fault::BiometricAbsent,
        ],
        "read_evidence" => &[
            Fault::ParameterInvalid,
            Fault::ScopeMissing,
            Fault::EvidenceUnavailable,
            Fault::ReadNotFound,
            Fault::ReadNotOver,
            Fault::ReadExpired,
        ],
        "create_scans" => &[
            Fault::MediaTypeUnsupported,
            Fault::BodyTooLarge,
            Fault::BodyTooSlow,
            Fault::BodyInvalid,
            Fault::ImageUnusable,
            Fault::CodeNotFound,
        ],
        "fetch_scan" | "dismiss_scan" => {
            &[Fault::ScopeMissing, Fault::ScanNotFound, Fault::ScanTaken, Fault::ScanExpired]
        }
        "events" => &[Fault::ParameterInvalid],
        _ => &[],
    };
    let failures: &[ReadFailure] = match operation {
        // The outcome of a reading is any of them.
        "create_read" | "read_result" | "read_partial" | "read_portrait" | "read_biometric"
        | "read_evidence" => &ReadFailure::ALL,
        "take_lease" => &[ReadFailure::ReaderNotFound, ReadFailure::ReaderBusy, ReadFailure::AgentStopping],
        "begin_pairing" | "confirm_pairing" | "give_grant_back" => &[ReadFailure::AgentFault],
        "end_lease" => &[ReadFailure::ReaderNotFound, ReadFailure::AgentStopping],
        // What asks the engine hears when it has stopped.
        "readyz" | "list_readers" | "show_read" | "dismiss_read" | "events" | "list_scanners"
        | "fetch_scan" | "dismiss_scan" => &[ReadFailure::AgentStopping],
        "create_scans" => &[ReadFailure::AgentFault, ReadFailure::AgentStopping],
        "open_session" => &[ReadFailure::AgentFault],
        "end_session" => &[ReadFailure::AgentStopping],
        "list_registers" | "load_roster" | "export_register" => &[ReadFailure::AgentFault],
        _ => &[],
    };
    faults
        .iter()
        .map(|fault| fault.problem())
        .chain(failures.iter().map(|&failure| Problem::of(failure)))
        .collect()
}
