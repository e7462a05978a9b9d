//! The whole contract as a page, for a browser without a network.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};

use crate::docs_page;

/// Its own style and nothing else: no script, no frame, no picture, no request.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The contract, for people: every operation, event and shape.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "agent",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(crate) async fn docs_page() -> Response {
    let mut response = Html(docs_page::page()).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// The style of that page.
#[utoipa::path(
    get,
    path = "/docs/style.css",
    tag = "agent",
    responses((status = 200, description = "The style.", body = String, content_type = "text/css")),
)]
pub(crate) async fn docs_style() -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"))];
    (headers, include_str!("../docs_page/style.css")).into_response()
}
