//! The pages that the types of problems point to: what happened, why, what to do.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};

use crate::preference::accepts_by_name;
use crate::problems::{Fault, Problem, Text};
use crate::refusal::Refusal;
use crate::wire::ProblemPageJson;

/// What a problem means and what to do about it, in Vietnamese and English.
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "problems",
    params(("code" = String, Path, description = "The problem's code.", example = "no-card",
        pattern = "^[a-z-]+$", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The page; as JSON where `Accept` names it.", content(
        (String = "text/html"),
        (ProblemPageJson = "application/json"),
    ))),
)]
pub(crate) async fn problem_page(
    code: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let problem = code.ok().and_then(|Path(code)| Problem::find(&code)).ok_or(Fault::NotFound)?;
    let mut response = if accepts_by_name(&headers, "application/json") {
        Json(ProblemPageJson::from(problem)).into_response()
    } else {
        Html(page(problem)).into_response()
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

/// Plain HTML without style or script: the policy of every answer forbids both.
fn page(problem: &Problem) -> String {
    let section = |lang: &str, words: [&str; 2], pick: fn(Text) -> &'static str| {
        format!(
            "<section lang=\"{lang}\">\n<h1>{}</h1>\n<h2>{}</h2>\n<p>{}</p>\n<h2>{}</h2>\n<p>{}</p>\n</section>\n",
            escape(pick(problem.title)),
            words[0],
            escape(pick(problem.cause)),
            words[1],
            escape(pick(problem.remedy)),
        )
    };
    format!(
        "<!doctype html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title} ({code})</title>\n\
         </head>\n<body>\n{vi}<hr>\n{en}<hr>\n<p><code>{code}</code> · HTTP {status}</p>\n</body>\n</html>\n",
        title = escape(problem.title.vi),
        code = problem.code,
        status = problem.status,
        vi = section("vi", ["Nguyên nhân", "Cách xử lý"], |text| text.vi),
        en = section("en", ["Cause", "Remedy"], |text| text.en),
    )
}

/// The texts are ours; a bracket or an ampersand in one must still not become markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::PROBLEMS;

    #[test]
    fn every_page_says_it_in_both_languages() {
        for problem in PROBLEMS {
            let page = page(problem);
            assert!(page.contains(&escape(problem.remedy.vi)) && page.contains(&escape(problem.remedy.en)));
            assert!(!page.contains("<script") && !page.contains("style"));
        }
    }
}
