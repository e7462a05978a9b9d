//! HTTP in: the local API.
//!
//! An [`Api`] is a set of paths over an engine, and [`serve`] puts it on a loopback port. Who may call is
//! decided before any handler runs: the exact Host, the exact Origin, the proof of a known caller ([`callers`]).
//!
//! ```
//! use cccd_api::{AgentFacts, Api, Problem};
//! use cccd_engine::{Engine, EngineOptions};
//! use cccd_profiles::{Caller, TokenHash};
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
//! let clinic = Caller { name: "clinic".into(), token: TokenHash::of("s3cret"), origins: vec![], scopes: vec![], profiles: vec![], results: Default::default() };
//! let facts = AgentFacts { version: "0.1.0".into(), features: vec![] };
//! let router = Api::new(engine.handle(), vec![clinic], facts).router(9303);
//!
//! let request = Request::get("/v1/readers").header("host", "127.0.0.1:9303");
//! let stranger = request.body(axum::body::Body::empty()).unwrap();
//! assert_eq!(router.oneshot(stranger).await.unwrap().status(), StatusCode::UNAUTHORIZED);
//! # });
//!
//! // The command line prints the texts of the same table.
//! assert_eq!(Problem::find("no-reader").unwrap().title.vi, "Không có đầu đọc nào");
//! ```
//!
//! It never serves a network but loopback, never answers one caller with another's reading, never writes
//! what it was sent or what it sends into a log, and knows neither cards nor readers.

#![forbid(unsafe_code)]

mod admin;
mod api;
mod asyncapi;
mod audit;
pub mod callers;
mod docs_page;
mod doors;
mod examples;
mod extract;
mod idempotency;
mod metrics;
mod openapi;
mod pairing;
mod peer;
mod preference;
mod problems;
mod refusal;
mod registers;
mod routes;
mod server;
#[cfg(unix)]
mod socket;
mod tls;
mod trace;
mod verdict_words;
mod wiped;
mod wire;

pub use api::{AgentFacts, Api, Deliveries, NotKept, OnTheWay, ProfileSource};
pub use asyncapi::{asyncapi, asyncapi_json};
pub use callers::{Access, Caller, CallerKind};
pub use doors::{open_reader_door, open_webhook};
pub use examples::examples;
pub use openapi::{openapi, openapi_json};
pub use problems::{Actor, PROBLEMS, Problem, Retry, Text};
pub use registers::{
    Admission, Arrival, ExportFormat, ExportList, ExportWish, Exported, NoList, NotEntered, RegisterView,
    Registers, RosterView, SessionCount,
};
pub use server::serve;
#[cfg(unix)]
pub use socket::{Peer, WhoCalls, serve_admin, serve_programs};
pub use tls::serve_tls;
pub use verdict_words::{of_check, of_reason, of_verdict};
pub use wire::{disclosure_json, result_json, rfc3339 as moment, scans_json, verdict_json};
