//! Quirks of cards, readers and certificates, by number: each is simulated, and survived or answered by its right code.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use cccd_document::{AccessKey, AccessProtocol, Biometrics, Can, Downgrade, FieldSet, FileId, FileOutcome};
use cccd_engine::{
    CallerId, Engine, EngineOptions, ReadFailure, ReadRequest, ReadState, Reading, every_group,
};
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::lies::Lie;
use cccd_firmware_sim::personalise::Issuer;
use cccd_firmware_sim::pki::TrustMaterial;
use cccd_firmware_sim::quirks::{Expectation, Key, Quirk, quirks};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_trust::Summary;
use serde::Deserialize;

use crate::judged::{self, Known, can, mrz};
use crate::matrix::{self, Authorities, Combination, Family};
use crate::people;

/// The table, as written.
const TABLE: &str = include_str!("../quirks.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    quirk: Vec<Row>,
}

/// One quirk.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its number in the list.
    pub item: u8,
    /// What it is.
    pub name: String,
    /// Scripted cards and readers.
    #[serde(default)]
    pub stories: Vec<String>,
    /// Rows of the matrix of combinations.
    #[serde(default)]
    pub matrix: Vec<String>,
    /// Lies.
    #[serde(default)]
    pub lies: Vec<String>,
    /// Lives of authorities.
    #[serde(default)]
    pub histories: Vec<String>,
    /// Tests, as file and name.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Why there is nothing of all this.
    pub reason: Option<String>,
}

/// The table.
pub fn rows() -> Result<Vec<Row>> {
    Ok(toml::from_str::<Table>(TABLE).context("tests/quirks.toml")?.quirk)
}

impl Row {
    /// Whether something is simulated or tested.
    pub fn is_applicable(&self) -> bool {
        self.reason.is_none()
    }

    /// The names of its tests.
    pub fn test_names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().filter_map(|test| Some(test.rsplit_once("::")?.1))
    }

    /// How it is simulated, for a table.
    pub fn simulated(&self) -> String {
        let mut ways = Vec::new();
        for (kind, names) in [
            ("story", &self.stories),
            ("matrix", &self.matrix),
            ("lie", &self.lies),
            ("history", &self.histories),
        ] {
            ways.extend(names.iter().map(|name| format!("{kind} {name}")));
        }
        ways.join("; ")
    }
}

/// Everything a row can be held to.
pub struct Bench {
    issuer: Issuer,
    known: Arc<Known>,
    authorities: Authorities,
    stories: Vec<Quirk>,
    combinations: Vec<Combination>,
}

impl Bench {
    /// New authorities, and all stories.
    pub fn new() -> Result<Self> {
        let issuer = Issuer::new()?;
        let mut anchors = Vec::new();
        for state in [
            cccd_firmware_sim::personalise::IssuingState::Vietnam,
            cccd_firmware_sim::personalise::IssuingState::Utopia,
        ] {
            anchors.push(issuer.csca(state).certificate().der().to_vec());
        }
        let trust = TrustMaterial { anchors, ..TrustMaterial::default() };
        Ok(Self {
            known: Arc::new(Known::of(&trust)?),
            issuer,
            authorities: Authorities::new()?,
            stories: quirks()?,
            combinations: matrix::all(),
        })
    }

    /// The names of the stories there are.
    pub fn stories(&self) -> impl Iterator<Item = &str> {
        self.stories.iter().map(|story| story.name.as_str())
    }

    /// Runs whatever a row has, and says what came of it.
    pub fn run(&self, row: &Row) -> Result<String> {
        let mut outcomes = BTreeSet::new();
        for name in &row.stories {
            let story = self.stories.iter().find(|story| story.name == *name);
            let story = story.with_context(|| format!("no story {name}"))?;
            outcomes.insert(self.tell(story).with_context(|| format!("story {name}"))?);
        }
        for name in &row.matrix {
            let mut met = self.combinations.iter().filter(|one| one.row == *name).peekable();
            ensure!(met.peek().is_some(), "no row {name} in the matrix");
            // The whole row is for the matrix itself.
            for one in met.take(3) {
                self.authorities.try_one(one).with_context(|| format!("{name}: {}", one.name))?;
            }
            outcomes.insert("genuine".to_owned());
        }
        for name in &row.histories {
            let row = |one: &&Combination| one.family == Family::Story && one.row == *name;
            let one = self.combinations.iter().find(row).with_context(|| format!("no history {name}"))?;
            self.authorities.try_one(one).with_context(|| name.clone())?;
            outcomes.insert("genuine".to_owned());
        }
        for name in &row.lies {
            outcomes.insert(lie(name).with_context(|| format!("lie {name}"))?);
        }
        for test in &row.tests {
            is_written(test)?;
        }
        if outcomes.is_empty() && !row.tests.is_empty() {
            outcomes.insert("as its tests say".to_owned());
        }
        Ok(outcomes.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// Reads the card of a story twice, and holds both readings to what it expects.
    fn tell(&self, story: &Quirk) -> Result<String> {
        let (chip, image) = story.chip(&self.issuer)?;
        let card = story.description()?;
        let key = match story.key {
            Key::Can => can(&card)?,
            Key::Mrz => mrz(&card)?,
            Key::WrongCan => AccessKey::Can(Can::new("111111")?),
        };
        let hand = InProcessReader::new();
        let (claims, carries) = story.reader.limits();
        let reader = hand.attach_claiming("Lane 0", claims, carries)?;
        hand.insert(&reader, chip)?;
        let known = Arc::clone(&self.known);
        let options = EngineOptions {
            wait_for_return: Duration::ZERO,
            clock: Arc::new(|| judged::NOW),
            judge: Arc::new(move |evidence, _| known.judge(evidence).verdict),
            ..EngineOptions::default()
        };
        let engine = Engine::start(vec![Arc::new(hand)], Vec::new(), options);
        cccd_patience::ready("the first look of every source", engine.handle().settled())?;
        let first = read(&engine, key.clone())?;
        let expect = &story.expect;
        hold(&first, &expect.outcome, expect, &image).context("first reading")?;
        // What was learned by the first reading is begun with.
        let again = expect.again.as_deref().unwrap_or(&expect.outcome);
        hold(&read(&engine, key)?, again, expect, &image).context("second reading")?;
        Ok(expect.outcome.clone())
    }
}

/// One reading to its end.
fn read(engine: &Engine, key: AccessKey) -> Result<Result<Arc<Reading>, ReadFailure>> {
    let caller = CallerId::new("tests");
    let handle = engine.handle();
    let request = ReadRequest {
        owner: caller.clone(),
        reader: None,
        access: key.into(),
        nonce: None,
        expect: None,
        biometrics: Biometrics::NONE,
        under: None,
        groups: every_group(),
        fields: FieldSet::ALL,
        wait_for_card: None,
    };
    let view = handle.submit(request).blocking_recv()??;
    let mut events = handle.subscribe(caller.clone(), Some(0)).blocking_recv()?;
    let views =
        handle.watch(caller.clone(), view.id).blocking_recv()?.map_err(|_| anyhow::anyhow!("gone"))?;
    while !views.borrow().state.is_over() {
        cccd_patience::ready("the end of the reading", events.coming.recv())?;
    }
    let state = views.borrow().state;
    match state {
        ReadState::Completed => {
            let result = handle.result(caller, view.id).blocking_recv()?;
            Ok(Ok(result.map_err(|_| anyhow::anyhow!("no result"))?))
        }
        ReadState::Failed(failure) => Ok(Err(failure)),
        other => bail!("a reading ended {other:?}"),
    }
}

/// Whether a reading is what was expected of it: outcome, way in, and every byte of every file.
fn hold(
    reading: &Result<Arc<Reading>, ReadFailure>,
    outcome: &str,
    expect: &Expectation,
    image: &ChipImage,
) -> Result<()> {
    let reading = match reading {
        Err(failure) => {
            ensure!(failure.code() == outcome, "{} and not {outcome}", failure.code());
            return Ok(());
        }
        Ok(reading) => reading,
    };
    let verdict = &reading.verdict;
    ensure!(
        verdict.summary().code() == outcome,
        "{} ({}) and not {outcome}: {:?}",
        verdict.summary().code(),
        verdict.code(),
        verdict.decisive()
    );
    let code = verdict.code();
    ensure!(expect.reason.as_deref().is_none_or(|reason| reason == code), "because of {code}");
    let access = &reading.evidence.access;
    let opened = match access.protocol {
        AccessProtocol::Bac => "bac",
        AccessProtocol::Pace(_) => "pace",
        AccessProtocol::ByReader => "reader",
    };
    ensure!(expect.opened.as_deref().is_none_or(|wanted| wanted == opened), "opened by {opened}");
    let downgrade = access.downgrade.map(|downgrade| match downgrade {
        Downgrade::PaceUnsupported => "pace-unsupported",
        Downgrade::PaceFailed => "pace-failed",
    });
    ensure!(downgrade == expect.downgrade.as_deref(), "downgrade {downgrade:?}");
    for (file, outcome) in &reading.evidence.files {
        let name = file.to_string();
        let content = match file {
            FileId::CardSecurity => image.master_file.get(&file.fid()),
            _ => image.emrtd.get(&file.fid()),
        };
        match (outcome, content) {
            (FileOutcome::Read(bytes), Some(content)) => {
                ensure!(content.content.starts_with(bytes), "{name} was read otherwise than it is");
                ensure!(!expect.not_read.contains(&name), "{name} was read");
            }
            (FileOutcome::Read(_), None) => bail!("{name} was read and is not there"),
            (_, Some(_)) => ensure!(expect.not_read.contains(&name), "{name}: {outcome:?}"),
            (_, None) => {}
        }
    }
    Ok(())
}

/// Reads a card that tells this lie, and says why it is not genuine.
fn lie(name: &str) -> Result<String> {
    let lie = Lie::all().into_iter().find(|lie| lie.to_string() == name).context("no such lie")?;
    let cards = people::cards();
    let (_, card) = cards.iter().find(|(_, card)| lie.suits(card)).context("suits no card")?;
    let told = lie.tell(card)?;
    let key = if name == "PaceHidden" { mrz(card)? } else { can(card).or_else(|_| mrz(card))? };
    let evidence = judged::read(told.image, &key, judged::without_portrait())?;
    let verdict = Known::of(&told.trust)?.judge(&evidence).verdict;
    ensure!(verdict.summary() != Summary::Genuine, "taken for genuine");
    Ok(verdict.code().to_owned())
}

/// Whether a test of that name stands in that file.
fn is_written(test: &str) -> Result<()> {
    let (file, name) = test.rsplit_once("::").with_context(|| format!("{test}: file::name"))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the workspace")?;
    let text = std::fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
    let at = text.find(&format!("fn {name}(")).with_context(|| format!("no test {name} in {file}"))?;
    let before = text.get(..at).unwrap_or_default().trim_end();
    ensure!(before.ends_with("#[test]"), "{name} in {file} is no test");
    Ok(())
}
