//! What came of a bench: for people as Markdown, for programs as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use cccd_engine::Reading;
use serde::Serialize;

use super::assertion::{Assertion, Outcome};
use super::bench_file::{BenchFile, HandKind};
use super::card_facts::CardFacts;
use super::desk::now;
use super::lengths::Lengths;
use super::to_measure::{OpenQuestion, questions};

/// It.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The bench's name.
    pub bench: String,
    /// The day, as `2026-11-29`.
    pub day: String,
    /// `operator`, or `simulated`.
    pub hand: &'static str,
    /// The reader's name as the driver gives it.
    pub reader: Option<String>,
    /// What was held, and what came of it.
    pub assertions: Vec<Assertion>,
    /// What the card is made of.
    pub card: Option<CardFacts>,
    /// What the readings took.
    pub timings: Vec<Timing>,
    /// How long commands and replies may be.
    pub lengths: Option<Lengths>,
    /// The codes that were scanned.
    pub codes: Vec<CodeFacts>,
    /// What nobody had measured.
    pub to_measure: Vec<OpenQuestion>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// The proposed profile.
    #[serde(skip)]
    pub profile: String,
    /// What may stand nowhere in it.
    #[serde(skip)]
    kept_out: Vec<String>,
}

/// What one reading took.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// Which.
    pub reading: &'static str,
    /// APDUs.
    pub commands: u64,
    /// Bytes of commands.
    pub bytes_sent: u64,
    /// Bytes of replies.
    pub bytes_received: u64,
    /// Until the chip was open.
    pub unlocked_after_ms: u128,
    /// In all.
    pub elapsed_ms: u128,
}

impl Timing {
    pub(super) fn of(reading: &'static str, of: &Reading) -> Self {
        let effort = &of.effort;
        Self {
            reading,
            commands: effort.commands,
            bytes_sent: effort.bytes_sent,
            bytes_received: effort.bytes_received,
            unlocked_after_ms: effort.unlocked_after.as_millis(),
            elapsed_ms: effort.elapsed.as_millis(),
        }
    }
}

/// A scanned code, without what it says.
#[derive(Debug, Clone, Serialize)]
pub struct CodeFacts {
    /// `card`, or `VNeID`.
    pub of: &'static str,
    /// How long it is.
    pub bytes: usize,
    /// How many fields a vertical bar makes of it.
    pub fields: usize,
    /// What it was taken for.
    pub kind: &'static str,
    /// The control characters it came between.
    pub begins: String,
    /// See above.
    pub ends: String,
}

impl Report {
    pub(super) fn of(bench: &BenchFile) -> Self {
        Self {
            bench: bench.name.clone(),
            day: now().date().to_string(),
            hand: match bench.hand {
                HandKind::Operator { .. } => "operator",
                HandKind::Simulated { .. } => "simulated",
            },
            reader: None,
            assertions: Vec::new(),
            card: None,
            timings: Vec::new(),
            lengths: None,
            codes: Vec::new(),
            to_measure: Vec::new(),
            notes: Vec::new(),
            profile: String::new(),
            kept_out: Vec::new(),
        }
    }

    /// Remembers, until the report is written, what of this reading may not stand in it.
    pub(super) fn keep_out(&mut self, reading: &Reading) {
        let record = &reading.record;
        for field in [
            &record.personal_number,
            &record.document_number,
            &record.full_name,
            &record.mrz_surname,
            &record.residence,
            &record.origin,
            &record.father,
            &record.mother,
            &record.old_number,
        ] {
            let text = field.as_ref().map(|field| field.value.expose().to_owned());
            // A single letter or two stands anywhere.
            self.kept_out.extend(text.filter(|text| text.chars().count() > 4));
        }
    }

    /// The last assertion, about all of it, and what was open.
    pub(super) fn finish(&mut self) {
        self.to_measure = questions(self);
        let texts = [self.markdown(), serde_json::to_string(self).unwrap_or_default()];
        let told = self.kept_out.iter().any(|kept| texts.iter().any(|text| text.contains(kept.as_str())));
        let outcome =
            if told { Outcome::Failed("something of the holder is in it".to_owned()) } else { Outcome::Held };
        self.assertions.push(Assertion { claim: "nothing of the holder is in this report", outcome });
        self.kept_out.clear();
    }

    /// Whether nothing failed.
    pub fn is_good(&self) -> bool {
        !self.assertions.iter().any(|assertion| matches!(assertion.outcome, Outcome::Failed(_)))
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# {} · {}\n", self.bench, self.day);
        let reader = self.reader.as_deref().unwrap_or("-");
        let _ = writeln!(text, "Đầu đọc · reader: {reader}. Người thao tác · hand: {}.\n", self.hand);
        let _ = writeln!(text, "| Điều được giữ · assertion | |\n|---|---|");
        for assertion in &self.assertions {
            let word = match &assertion.outcome {
                Outcome::Held => "đạt · held".to_owned(),
                Outcome::Failed(why) => format!("**KHÔNG ĐẠT · FAILED**: {why}"),
                Outcome::NotTried(why) => format!("chưa thử · not tried: {why}"),
            };
            let _ = writeln!(text, "| {} | {word} |", assertion.claim);
        }
        let _ =
            writeln!(text, "\n## Cần đo trên thẻ thật · to be measured with real cards\n\n| | |\n|---|---|");
        for question in &self.to_measure {
            let found = question.found.as_deref().unwrap_or("không có trên bàn thử này · not on this bench");
            let _ = writeln!(text, "| {} | {found} |", question.item);
        }
        if let Some(card) = &self.card {
            let _ = writeln!(
                text,
                "\nMở bằng · opened by {}. Một lần trao đổi · one exchange: {:.1} ms (trung vị · median).",
                card.opened_by, card.median_exchange_ms
            );
        }
        if let Some(lengths) = &self.lengths {
            let _ = writeln!(
                text,
                "\nLệnh dài nhất · longest command: {} byte. Trả lời dài nhất · longest reply: {} byte.",
                lengths.max_command, lengths.max_reply
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        if !self.profile.is_empty() {
            let _ = writeln!(
                text,
                "\n## Hồ sơ thiết bị đề xuất · proposed device profile\n\n```toml\n{}```",
                self.profile
            );
        }
        text
    }

    /// Writes `report.md`, `report.json` and, where there is one, `profile.toml`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        std::fs::write(folder.join("report.md"), self.markdown())?;
        std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(self)? + "\n")?;
        if !self.profile.is_empty() {
            std::fs::write(folder.join("profile.toml"), &self.profile)?;
        }
        Ok(())
    }
}
