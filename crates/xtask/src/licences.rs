//! Licences of everything the product is built from.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::run::{cargo, output, text};

/// Licences the product may ship with. MPL-2.0 is for unchanged files only.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

pub(crate) fn check() -> Result<()> {
    let metadata = output(cargo(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut wrong = Vec::new();
    for package in metadata.get("packages").and_then(Value::as_array).into_iter().flatten() {
        let name = text(package, "name");
        let licence = text(package, "license");
        if !is_allowed(licence) {
            wrong.push(format!("{name}: {licence:?}"));
        }
    }
    if !wrong.is_empty() {
        bail!("licences nobody has agreed to:\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// Whether an SPDX expression can be met with allowed licences: `AND` wants every part, `OR` one of them.
fn is_allowed(expression: &str) -> bool {
    let expression = strip_outer_parentheses(expression.trim());
    if let Some(parts) = split(expression, " AND ") {
        return parts.into_iter().all(is_allowed);
    }
    // The old spelling `MIT/Apache-2.0` means OR.
    if let Some(parts) = split(expression, " OR ").or_else(|| split(expression, "/")) {
        return parts.into_iter().any(is_allowed);
    }
    ALLOWED.contains(&expression)
}

fn strip_outer_parentheses(expression: &str) -> &str {
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        // `(A) OR (B)` begins and ends so, too: its first parenthesis closes before the end.
        Some(inner) if depths(inner).all(|depth| depth >= 0) => inner.trim(),
        _ => expression,
    }
}

/// The parts between separators that stand outside all parentheses, if there is one.
fn split<'a>(expression: &'a str, separator: &str) -> Option<Vec<&'a str>> {
    let depths: Vec<i32> = depths(expression).collect();
    let cuts: Vec<usize> = expression
        .match_indices(separator)
        .map(|(at, _)| at)
        .filter(|&at| depths.get(at) == Some(&0))
        .collect();
    if cuts.is_empty() {
        return None;
    }
    let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut + separator.len()));
    let ends = cuts.iter().copied().chain(std::iter::once(expression.len()));
    Some(starts.zip(ends).filter_map(|(start, end)| expression.get(start..end)).collect())
}

/// How deep in parentheses each byte stands.
fn depths(expression: &str) -> impl Iterator<Item = i32> + '_ {
    expression.bytes().scan(0, |depth, byte| {
        *depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        Some(*depth)
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions_are_met_as_spdx_means_them() {
        for good in
            ["MIT", "MIT OR GPL-3.0", "(MIT OR Apache-2.0) AND ISC", "MIT/Apache-2.0", "(MIT) OR (GPL-3.0)"]
        {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND LGPL-3.0", "GPL-2.0/GPL-3.0"] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
