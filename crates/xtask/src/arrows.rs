//! Who may know whom. The picture stands in `crates/README.md`; this keeps it true.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::run::{cargo, output, text};

/// Each room and the rooms it may use, without tests.
const MAY_USE: [(&str, &[&str]); 23] = [
    ("cccd-card", &[]),
    ("cccd-document", &["cccd-card"]),
    ("cccd-curve", &[]),
    ("cccd-jose", &["cccd-curve"]),
    ("cccd-emrtd", &["cccd-card", "cccd-curve", "cccd-document"]),
    ("cccd-qr", &[]),
    ("cccd-trust", &["cccd-card", "cccd-curve", "cccd-document"]),
    ("cccd-evidence", &["cccd-card", "cccd-curve", "cccd-document", "cccd-trust"]),
    ("cccd-profiles", &["cccd-card", "cccd-document", "cccd-jose"]),
    ("cccd-hn212", &["cccd-card"]),
    ("cccd-readers", &["cccd-card", "cccd-hn212", "cccd-profiles"]),
    ("cccd-store", &[]),
    ("cccd-engine", &["cccd-card", "cccd-document", "cccd-emrtd", "cccd-profiles", "cccd-qr", "cccd-trust"]),
    ("cccd-consumers", &["cccd-card", "cccd-document", "cccd-profiles", "cccd-trust"]),
    ("cccd-exports", &["cccd-consumers", "cccd-document"]),
    ("cccd-delivery", &["cccd-consumers", "cccd-exports", "cccd-jose", "cccd-profiles", "cccd-store"]),
    (
        "cccd-api",
        &[
            "cccd-card",
            "cccd-consumers",
            "cccd-document",
            "cccd-engine",
            "cccd-evidence",
            "cccd-hn212",
            "cccd-jose",
            "cccd-profiles",
            "cccd-store",
            "cccd-trust",
        ],
    ),
    (
        "cccd-agent",
        &[
            "cccd-api",
            "cccd-card",
            "cccd-consumers",
            "cccd-delivery",
            "cccd-document",
            "cccd-emrtd",
            "cccd-engine",
            "cccd-evidence",
            "cccd-exports",
            "cccd-jose",
            "cccd-profiles",
            "cccd-readers",
            "cccd-store",
            "cccd-trust",
        ],
    ),
    ("cccd-firmware-sim", &["cccd-card", "cccd-profiles"]),
    (
        "cccd-tests",
        &[
            "cccd-agent",
            "cccd-api",
            "cccd-card",
            "cccd-consumers",
            "cccd-delivery",
            "cccd-document",
            "cccd-emrtd",
            "cccd-engine",
            "cccd-evidence",
            "cccd-exports",
            "cccd-firmware-sim",
            "cccd-patience",
            "cccd-profiles",
            "cccd-readers",
            "cccd-store",
            "cccd-trust",
        ],
    ),
    (
        "cccd-fuzz-targets",
        &[
            "cccd-curve",
            "cccd-document",
            "cccd-emrtd",
            "cccd-evidence",
            "cccd-firmware-sim",
            "cccd-hn212",
            "cccd-jose",
            "cccd-profiles",
            "cccd-readers",
            "cccd-qr",
            "cccd-trust",
        ],
    ),
    ("cccd-patience", &[]),
    ("cccd-xtask", &[]),
];

pub(crate) fn check() -> Result<()> {
    let metadata = output(cargo(["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let may_use: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for package in metadata.get("packages").and_then(Value::as_array).into_iter().flatten() {
        let room = text(package, "name");
        let Some(allowed) = may_use.get(room) else {
            wrong.push(format!("{room} has no row in xtask's table of arrows"));
            continue;
        };
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            let other = text(dependency, "name");
            // Tests of a room may use the simulator, and wait.
            if dependency.get("kind").is_none_or(Value::is_null)
                && other.starts_with("cccd-")
                && !allowed.contains(&other)
            {
                wrong.push(format!("{room} must not know {other}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}
