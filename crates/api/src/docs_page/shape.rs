//! A JSON schema as a table, and the small words of the page.

use serde_json::Value;

/// One named schema.
pub(super) fn shape(name: &str, schema: &Value) -> String {
    let required: Vec<&str> = list(schema, "/required").iter().filter_map(Value::as_str).collect();
    let rows: String = members(schema, "/properties")
        .map(|(member, of)| {
            let needed =
                if required.contains(&member) { "" } else { " <span class=\"lock\">(optional)</span>" };
            format!(
                "<tr><td><code>{}</code>{needed}</td><td>{}</td><td>{}</td></tr>\n",
                escape(member),
                kind(of),
                inline(description(of)),
            )
        })
        .collect();
    let body = if rows.is_empty() {
        format!("<p>{}</p>\n", kind(schema))
    } else {
        format!("<table>\n{rows}</table>\n")
    };
    format!(
        "<section>\n<h3 id=\"shape-{0}\"><code>{0}</code></h3>\n{1}{body}</section>\n",
        escape(name),
        lines(text(schema, "/description")),
    )
}

/// Its own words, or those beside the one shape that may be null.
fn description(schema: &Value) -> &str {
    let own = text(schema, "/description");
    if own.is_empty() { text(schema, "/oneOf/0/description") } else { own }
}

/// What a value is, in a few words; a named schema is a link.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = text(schema, "/$ref").rsplit_once('/').map(|(_, name)| escape(name)) {
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for (choice, joined) in [("/oneOf", " or "), ("/anyOf", " or "), ("/allOf", " and ")] {
        let of = list(schema, choice);
        if !of.is_empty() {
            return of.iter().map(kind).collect::<Vec<_>>().join(joined);
        }
    }
    let words = list(schema, "/enum");
    if !words.is_empty() {
        let words =
            words.iter().map(|word| format!("<code>{}</code>", escape(word.as_str().unwrap_or_default())));
        return words.collect::<Vec<_>>().join(", ");
    }
    let kinds = match schema.pointer("/type") {
        Some(Value::String(one)) => one.clone(),
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    };
    let mut out = escape(&kinds);
    if let Some(items) = schema.pointer("/items") {
        out = format!("{out} of {}", kind(items));
    }
    let inner: Vec<String> = members(schema, "/properties")
        .map(|(member, of)| format!("<code>{}</code>: {}", escape(member), kind(of)))
        .collect();
    if !inner.is_empty() {
        out = format!("{{ {} }}", inner.join(", "));
    }
    for (name, word) in
        [("pattern", ""), ("format", ""), ("minimum", "≥ "), ("maximum", "≤ "), ("const", "= ")]
    {
        match schema.get(name) {
            Some(Value::String(limit)) => out += &format!(", <code>{word}{}</code>", escape(limit)),
            Some(limit) => out += &format!(", {word}{}", escape(&limit.to_string())),
            None => {}
        }
    }
    out
}

/// Paragraphs.
pub(super) fn lines(words: &str) -> String {
    let paragraphs = words.split("\n\n").filter(|paragraph| !paragraph.is_empty());
    paragraphs.map(|paragraph| format!("<p>{}</p>\n", inline(paragraph))).collect()
}

/// A sentence with its code in backticks.
pub(super) fn inline(words: &str) -> String {
    let parts = words.split('`').enumerate();
    let shown = parts.map(|(at, part)| {
        let part = escape(part);
        if at % 2 == 1 { format!("<code>{part}</code>") } else { part }
    });
    shown.collect()
}

/// The text at a place, or none.
pub(super) fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a place, or an empty one.
pub(super) fn list<'a>(value: &'a Value, at: &str) -> &'a [Value] {
    value.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The members of the object at a place, in order.
pub(super) fn members<'a>(value: &'a Value, at: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let object = value.pointer(at).and_then(Value::as_object);
    object.into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

/// What may stand in text and in an attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_told_in_a_few_words() {
        for (schema, words) in [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["string", "null"] }), "string or null"),
            (json!({ "type": "integer", "minimum": 0, "maximum": 9 }), "integer, ≥ 0, ≤ 9"),
            (json!({ "type": "array", "items": { "type": "boolean" } }), "array of boolean"),
            (json!({ "enum": ["a", "b"] }), "<code>a</code>, <code>b</code>"),
            (json!({ "$ref": "#/components/schemas/Read" }), "<a href=\"#shape-Read\">Read</a>"),
            (json!({}), "anything"),
        ] {
            assert_eq!(kind(&schema), words);
        }
    }

    #[test]
    fn no_word_becomes_markup() {
        assert_eq!(inline("<b> & `<i>`"), "&lt;b&gt; &amp; <code>&lt;i&gt;</code>");
        assert_eq!(escape("\"'"), "&quot;'");
    }
}
