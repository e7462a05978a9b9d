//! The descriptions of the API and of its events as one HTML page.
//!
//! It is written here and not by a script in the browser: so the page needs no network, and its policy allows no script.

mod shape;

use serde_json::Value;

use crate::asyncapi::asyncapi;
use crate::openapi::openapi;
use shape::{escape, lines, list, members, shape, text};

/// The page.
pub(crate) fn page() -> String {
    let api = serde_json::to_value(openapi()).unwrap_or_default();
    let events = asyncapi();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>cccd-agent</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n<h1>cccd-agent</h1>\n\
         <p lang=\"vi\">Giao ước của chương trình đọc thẻ: mọi lệnh gọi, sự kiện và cấu trúc dữ liệu. Mỗi mã lỗi có trang \
         giải thích bằng tiếng Việt.</p>\n{}\
         <p>For programs: <a href=\"/v1/openapi.json\">OpenAPI</a>, <a href=\"/v1/asyncapi.json\">AsyncAPI</a>.</p>\n\
         <nav>\n<ul>\n{}</ul>\n</nav>\n<h2 id=\"operations\">Operations</h2>\n{}\
         <h2 id=\"events\">Events</h2>\n{}<h2 id=\"schemas\">Shapes</h2>\n{}</body>\n</html>\n",
        lines(text(&api, "/info/description")),
        contents(&api),
        operations(&api).map(|operation| operation.section()).collect::<String>(),
        told(&events),
        members(&api, "/components/schemas").map(|(name, schema)| shape(name, schema)).collect::<String>(),
    )
}

/// One operation of the description.
struct Operation<'a> {
    method: String,
    path: &'a str,
    described: &'a Value,
}

fn operations(api: &Value) -> impl Iterator<Item = Operation<'_>> {
    members(api, "/paths").flat_map(|(path, item)| {
        members(item, "").map(move |(method, described)| Operation {
            method: method.to_uppercase(),
            path,
            described,
        })
    })
}

fn contents(api: &Value) -> String {
    let links = operations(api).map(|operation| {
        format!(
            "<li><a href=\"#{}\"><code><span class=\"method\">{}</span> {}</code></a></li>\n",
            operation.id(),
            operation.method,
            escape(operation.path)
        )
    });
    links.collect()
}

impl Operation<'_> {
    fn id(&self) -> String {
        format!("operation-{}", escape(text(self.described, "/operationId")))
    }

    fn section(&self) -> String {
        let guarded = self.described.pointer("/security/0").and_then(Value::as_object);
        let lock = match guarded.and_then(|needed| needed.keys().next()) {
            Some(scheme) => format!(" <span class=\"lock\">({})</span>", escape(scheme)),
            None => String::new(),
        };
        format!(
            "<section>\n<h3 id=\"{}\"><code><span class=\"method\">{}</span> {}</code>{lock}</h3>\n{}{}{}{}{}</section>\n",
            self.id(),
            self.method,
            escape(self.path),
            lines(text(self.described, "/summary")),
            lines(text(self.described, "/description")),
            self.parameters(),
            self.body(),
            self.answers(),
        )
    }

    fn parameters(&self) -> String {
        let rows = list(self.described, "/parameters").iter().map(|parameter| {
            format!(
                "<tr><td><code>{}</code> ({})</td><td>{}</td><td>{}</td></tr>\n",
                escape(text(parameter, "/name")),
                escape(text(parameter, "/in")),
                shape::kind(parameter.pointer("/schema").unwrap_or(&Value::Null)),
                shape::inline(text(parameter, "/description")),
            )
        });
        table("Parameters", rows.collect())
    }

    fn body(&self) -> String {
        let media = self.described.pointer("/requestBody").unwrap_or(&Value::Null);
        let rows = contents_of(media);
        table("Body", rows)
    }

    fn answers(&self) -> String {
        let rows = members(self.described, "/responses").map(|(status, answer)| {
            let shapes: Vec<String> = members(answer, "/content")
                .map(|(media, content)| {
                    let schema = content.pointer("/schema").unwrap_or(&Value::Null);
                    format!("{} <code>{}</code>", shape::kind(schema), escape(media))
                })
                .collect();
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(status),
                answer_words(status, text(answer, "/description")),
                shapes.join("<br>")
            )
        });
        table("Answers", rows.collect())
    }
}

/// The codes of a refusal lead to the pages that explain them.
fn answer_words(status: &str, description: &str) -> String {
    if !matches!(status.as_bytes().first(), Some(b'4' | b'5')) {
        return shape::inline(description);
    }
    let codes = description.split(", ").map(|code| {
        let code = escape(code.trim_matches('`'));
        format!("<a href=\"/problems/{code}\"><code>{code}</code></a>")
    });
    codes.collect::<Vec<_>>().join(", ")
}

fn contents_of(body: &Value) -> String {
    let rows = members(body, "/content").map(|(media, content)| {
        let schema = content.pointer("/schema").unwrap_or(&Value::Null);
        format!("<tr><td><code>{}</code></td><td>{}</td></tr>\n", escape(media), shape::kind(schema))
    });
    rows.collect()
}

fn told(events: &Value) -> String {
    let about = lines(text(events, "/info/description"));
    let sections = members(events, "/components/messages").map(|(name, message)| {
        let example = message.pointer("/examples/0/payload").unwrap_or(&Value::Null);
        format!(
            "<section>\n<h3 id=\"event-{0}\"><code>{0}</code></h3>\n{1}<pre>{2}</pre>\n</section>\n",
            escape(name),
            lines(text(message, "/summary")),
            escape(&example.to_string()),
        )
    });
    about + &sections.collect::<String>()
}

fn table(title: &str, rows: String) -> String {
    if rows.is_empty() {
        rows
    } else {
        format!("<table>\n<caption hidden>{title}</caption>\n{rows}</table>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_the_descriptions_name_is_on_the_page_and_every_link_in_it_leads_somewhere() {
        let page = page();
        let api = serde_json::to_value(openapi()).unwrap();
        assert!(operations(&api).count() > 20);
        for operation in operations(&api) {
            assert!(page.contains(&format!("<h3 id=\"{}\">", operation.id())), "{}", operation.path);
        }
        for (name, _) in members(&asyncapi(), "/components/messages") {
            assert!(page.contains(&format!("id=\"event-{name}\"")), "{name}");
        }
        let links: Vec<&str> =
            page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 200);
        for link in links {
            match link.split_at(1) {
                ("#", id) => assert!(page.contains(&format!("id=\"{id}\"")), "{link}"),
                _ => match link.strip_prefix("/problems/") {
                    Some(code) => assert!(crate::Problem::find(code).is_some(), "{link}"),
                    None => assert!(
                        ["/docs/style.css", "/v1/openapi.json", "/v1/asyncapi.json"].contains(&link),
                        "{link}"
                    ),
                },
            }
        }
    }

    #[test]
    fn it_needs_nothing_but_its_style() {
        let page = page();
        for never in ["<script", "style=", "http-equiv", "<img", "https://", "onclick"] {
            assert!(!page.contains(never), "{never}");
        }
    }
}
