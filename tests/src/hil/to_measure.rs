//! What nobody has measured on real cards yet, by name, and what this bench adds to it.

use serde::Serialize;

use super::report::Report;

/// One of the open questions.
#[derive(Debug, Clone, Serialize)]
pub struct OpenQuestion {
    /// What is to be measured.
    pub item: &'static str,
    /// What came of it here.
    pub found: Option<String>,
}

/// All of them, with what this bench found.
pub(super) fn questions(report: &Report) -> Vec<OpenQuestion> {
    let card = report.card.as_ref();
    let sod = card.and_then(|card| card.security_object.as_ref());
    let record = card.and_then(|card| card.dg13.as_ref());
    let seconds = |timing: &super::report::Timing| {
        format!("{}: {} ms, {} commands", timing.reading, timing.elapsed_ms, timing.commands)
    };
    let timings: Vec<_> = report.timings.iter().map(seconds).collect();
    let files = card.map(|card| {
        let file = |(name, word): (&String, &String)| format!("{name} {word}");
        card.files.iter().map(file).collect::<Vec<_>>().join("; ")
    });
    let extended = card.map(|card| {
        let passes = card.longest_reply > 258 || card.longest_command > 261;
        let word = if passes { "passes" } else { "was not used" };
        format!(
            "{word}: longest command {}, longest reply {} bytes",
            card.longest_command, card.longest_reply
        )
    });
    let codes = &report.codes;
    let of_code = |kind: &str| {
        let found = codes.iter().find(|code| code.of == kind)?;
        Some(format!("{} bytes, {} fields, read as {}", found.bytes, found.fields, found.kind))
    };
    let item = |item, found| OpenQuestion { item, found };
    vec![
        item(
            "ATR, ATS",
            card.map(|card| format!("{} (historical bytes {})", card.atr, card.historical_bytes)),
        ),
        item(
            "EF.CardAccess bytes",
            card.map(|card| {
                let bytes = card.card_access.clone().unwrap_or_else(|| "none".to_owned());
                format!("{bytes}, found {}", card.card_access_found)
            }),
        ),
        item(
            "BAC accepted or not",
            card.and_then(|card| card.bac)
                .map(|bac| if bac { "accepted" } else { "not accepted" }.to_owned()),
        ),
        item("extended length", extended),
        item("size of each DG", files),
        item("seconds per read on this reader", (!timings.is_empty()).then(|| timings.join("; "))),
        item("DG15 algorithm", card.and_then(|card| card.dg15.clone())),
        item("DG14 OIDs", card.filter(|card| !card.dg14.is_empty()).map(|card| card.dg14.join(", "))),
        item(
            "SOD digest",
            sod.map(|sod| format!("groups {}, signer {}", sod.group_digest, sod.signer_digest)),
        ),
        item(
            "DS algorithm, issuer, curve form",
            sod.map(|sod| format!("{}; key {}; issuer {}", sod.signature, sod.signer_key, sod.issuer)),
        ),
        item(
            "DG13: tag 13 nesting",
            record.and_then(|record| {
                Some(format!("{} texts in {} sequences", record.field_13_texts?, record.field_13_sequences?))
            }),
        ),
        item("DG13: tag 16", record.and_then(|record| record.field_16.clone())),
        item(
            "DG13: tag 12 of a card without expiry",
            record.and_then(|record| record.field_12.clone().filter(|form| form.starts_with("words"))),
        ),
        item("number of QR fields on a 2024 card", of_code("card")),
        item("shape of the VNeID QR text", of_code("VNeID")),
    ]
}
