//! The consumers of the provincial plans: each profile read through the whole agent, and what arrives held against what
//! a stand-in of the consumer takes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cccd_agent::Agent;
use cccd_card::{ChannelLimits, ReaderId};
use cccd_exports::lodging::{Template, foreign_xml, guests_of_json_lines};
use cccd_exports::{Attendance, Roster, Tap, sheet};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Bearer, CardDescription, Issuer, RecordValue, personalise};
use cccd_firmware_sim::reader::Card;
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_firmware_sim::timing::{BitRate, ReadingClock, Timed, Timing};
use cccd_profiles::consumer::Datum;
use cccd_profiles::{AgentSettings, ConsumerCatalogue, ConsumerProfile, TokenHash};
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::datetime;

use crate::agent::{CALLER_TOKEN, OTHER_TOKEN, PATIENCE};
use crate::outbox::{Mood, Receiver};
use crate::people;

/// Files that every reading needs, whatever the profile: EF.COM, EF.SOD, and DG14 and DG15 with the chip's keys; by
/// their short identifiers (ICAO 9303-10, table 34).
const ALWAYS: [u8; 4] = [0x1E, 0x1D, 0x0E, 0x0F];
/// The health insurance card of the same person, scanned beside.
pub const INSURANCE: &str = "DN4000000000001|4E677579E1BB856E2056C4836E204DE1BAAB75|02/01/1990|1|53E1BB912031|\
                             00 - 001|01/01/2026|31/12/2026|01/01/2026|0000000000||0|01/01/2020";

/// The token of the caller that looks after registers and reads no card.
pub const OFFICE_TOKEN: &str = "token-of-the-office-in-tests";

/// The formats of a folder.
pub const FORMATS: [&str; 5] = ["json", "json-lines", "csv", "xlsx", "xml"];
/// Candidates of an examination, and learners of a lesson.
const ROSTER: &str = "SBD;Họ và tên;Ngày sinh;Số định danh;Ca thi\n\
                      A-01;NGUYỄN VĂN MẪU;02/01/1990;000090123456;Sáng\n\
                      A-02;Trần Thị Khác;05/06/1991;000191000002;Sáng\n\
                      B-01;Nguyễn Văn Khác;02/01/1990;000090123456;Chiều\n";
/// A profile of the operator's own with the seventeen names of the JTH program's post (facts/cccd.md, section 8).
const JTH: &str = r#"
name = "jth"
title = { vi = "Phần mềm tại quầy", en = "Desktop program" }
purpose = { vi = "Điền phiếu tại quầy", en = "Filling the form at the desk" }
legal_basis = { vi = "Sự đồng ý của người có thẻ", en = "The holder's consent" }
deliver = ["desktop"]
[fields]
number = ["dg13"]
old_number = ["dg13"]
name = ["dg13"]
birth = ["dg13"]
sex = ["dg13"]
nationality = ["dg13"]
ethnicity = ["dg13"]
religion = ["dg13"]
origin = ["dg13"]
residence = ["dg13"]
features = ["dg13"]
issued = ["dg13"]
expiry = ["dg13"]
father = ["dg13"]
mother = ["dg13"]
spouse = ["dg13"]
portrait = ["dg2"]
[touches]
portrait = true
family = true
sensitive = true
[checks]
nothing-failed = "refuse"
[retention]
days = 0
[output]
dates = "dd/MM/yyyy"
absent = "empty"
[output.body]
id_card = "{number}"
old_id_card = "{old_number}"
full_name = "{name}"
date_of_birth = "{birth}"
gender = "{sex:vietnamese}"
nationality = "{nationality}"
race = "{ethnicity}"
religion = "{religion}"
place_of_origin = "{origin}"
place_of_residence = "{residence}"
personal_identification = "{features}"
date_of_issue = "{issued}"
date_of_expiry = "{expiry}"
father_name = "{father}"
mother_name = "{mother}"
wife_name = "{spouse}"
id_img = "{portrait}"
"#;

/// A row of the plans' table.
pub struct Row {
    /// Its number there.
    pub number: u8,
    /// Who it is.
    pub consumer: &'static str,
    /// The profile.
    pub profile: &'static str,
    /// The card that is laid down.
    pub card: &'static str,
    /// What stands for the consumer, and takes what arrives.
    pub stand_in: &'static str,
    /// The test of tests/tests/consumers.rs that goes deepest with it.
    pub test: &'static str,
    takes: fn(&Arrived) -> Result<String>,
}

/// What has arrived of one reading.
pub struct Arrived {
    /// The whole answer.
    pub answer: Value,
    /// The consumer's object.
    pub output: Value,
    /// The short identifiers of the files that the card was asked for.
    pub files: BTreeSet<u8>,
    /// How many commands the card got.
    pub commands: usize,
    /// How long a real card would have taken with them, at 424 kbit/s: added up, not waited for.
    pub on_card: Duration,
    /// How long it took from the request to the answer.
    pub took: Duration,
}

/// A card that remembers which files it was asked for. Secure messaging hides what is read, and not from where: READ
/// BINARY names a file by its short identifier in P1 (ISO/IEC 7816-4, 11.3.3).
struct WatchedCard {
    chip: Timed<Chip>,
    seen: Arc<Mutex<(BTreeSet<u8>, usize)>>,
}

impl Card for WatchedCard {
    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }

    fn reset(&mut self) {
        self.chip.reset();
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let mut seen = self.seen.lock().unwrap();
        seen.1 += 1;
        // A protected READ BINARY with a short identifier. EF.CardAccess and its like are read in the open.
        if let [0x0C, 0xB0, p1, ..] = command
            && p1 & 0x80 != 0
        {
            seen.0.insert(p1 & 0x1F);
        }
        drop(seen);
        self.chip.process(command)
    }
}

/// The whole agent in this process, with a reader, and an authority it trusts.
pub struct Desk {
    agent: Option<Agent>,
    hand: InProcessReader<WatchedCard>,
    reader: ReaderId,
    client: Client,
    address: String,
    issuer: Issuer,
    folder: TempDir,
    program: PathBuf,
    desktop: Receiver,
}

impl Desk {
    /// Starts it; `program` is the agent's command line, which installs the authority.
    pub fn start(program: &Path) -> Result<Self> {
        let folder = TempDir::new()?;
        let issuer = Issuer::new()?;
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("csca.der"), issuer.csca_der())?;
        std::fs::create_dir(at("profiles"))?;
        for name in ["ticketing", "entry-control"] {
            let key = at(&format!("{name}.key"));
            write_private(&key, &[7; 32])?;
            let text = ConsumerCatalogue::shipped_text(name).context("a shipped profile")?;
            let shipped = format!("/etc/cccd-agent/{name}.key");
            ensure!(text.contains(&shipped), "{name} names its key");
            let text = text.replace(&shipped, key.to_str().context("a path in UTF-8")?);
            let denied = at(&format!("{name}.deny"));
            std::fs::write(&denied, "")?;
            let shipped = format!("/etc/cccd-agent/{name}.deny");
            let text = text.replace(&shipped, denied.to_str().context("a path in UTF-8")?);
            std::fs::write(at("profiles").join(format!("{name}.toml")), text)?;
        }
        // A profile of the operator's own, delivered into folders beside the answer, in each format.
        let text = ConsumerCatalogue::shipped_text("school").context("a shipped profile")?;
        let mut targets = String::new();
        for format in FORMATS {
            std::fs::create_dir(at(format))?;
            let path = at(format);
            let _ = write!(
                targets,
                "[[target]]\nname = '{format}'\nfolder = '{}'\nformat = '{format}'\n",
                path.display()
            );
        }
        let deliver = format!("name = \"delivered\"\ndeliver = {FORMATS:?}");
        let text = text.replacen("name = \"school\"", &deliver, 1);
        std::fs::write(at("profiles").join("delivered.toml"), text)?;
        // And one that posts to a desktop program of this machine, under the names that the JTH program's partners take.
        let desktop = Receiver::start(Mood::Willing)?;
        let _ = write!(targets, "[[target]]\nname = 'desktop'\nurl = '{}'\n", desktop.address);
        std::fs::write(at("profiles").join("jth.toml"), JTH)?;
        std::fs::write(at("roster.csv"), ROSTER)?;
        let names: Vec<_> =
            ConsumerCatalogue::shipped().all().map(|profile| format!("'{}'", profile.name)).collect();
        let text = format!(
            "[api]\nlisten = '127.0.0.1:0'\n\
             [trust]\ndirectory = '{}'\n[profiles]\ndirectory = '{}'\n[evidence]\nkey_file = '{}'\n\
             [store]\nfolder = '{}'\n[outbox]\nfolder = '{}'\n{targets}\
             [[register]]\nname = 'exam'\nprofile = 'exam'\nroster = '{}'\n\
             [[register]]\nname = 'lesson'\nprofile = 'driving-test'\nroster = '{}'\n\
             [[register]]\nname = 'coach'\nprofile = 'coach-manifest'\n\
             [[register]]\nname = 'house'\nprofile = 'lodging'\n\
             [[caller]]\nname = 'consumer'\ntoken_sha256 = '{}'\nprofiles = ['delivered', 'jth', {}]\n\
             [[caller]]\nname = 'notary'\ntoken_sha256 = '{}'\nprofiles = ['notary']\n\
             scopes = ['read.full', 'read.family', 'photo', 'evidence']\n\
             [[caller]]\nname = 'office'\ntoken_sha256 = '{}'\n\
             scopes = ['registers', 'registers.load', 'registers.export']\n",
            at("trust").display(),
            at("profiles").display(),
            at("evidence-key.json").display(),
            at("store").display(),
            at("outbox").display(),
            at("roster.csv").display(),
            at("roster.csv").display(),
            TokenHash::of(CALLER_TOKEN).to_hex(),
            names.join(", "),
            TokenHash::of(OTHER_TOKEN).to_hex(),
            TokenHash::of(OFFICE_TOKEN).to_hex(),
        );
        std::fs::write(at("agent.toml"), &text)?;
        let mut add = Command::new(program);
        add.arg("--config").arg(at("agent.toml")).args(["trust", "add"]).arg(at("csca.der"));
        let added = cccd_patience::output("trust add", add.arg("--accept-unverified"));
        ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let hand = InProcessReader::new();
        let settings = AgentSettings::parse(&text)?;
        let agent = Agent::start(&settings, vec![Arc::new(hand.clone())], Vec::new())?;
        let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED)?;
        let address = format!("http://{}", agent.address());
        let client = Client::builder().no_proxy().timeout(PATIENCE * 2).build()?;
        let program = program.to_owned();
        Ok(Self { agent: Some(agent), hand, reader, client, address, issuer, folder, program, desktop })
    }

    /// Reads a card under a profile.
    pub fn read(&self, profile: &str, card: &CardDescription) -> Result<Arrived> {
        let mut ask = json!({ "access": access(card), "profile": profile });
        if profile.starts_with("clinic") {
            ask["insurance"] = INSURANCE.into();
        }
        self.ask(&ask, self.chip(card)?)
    }

    /// What has been delivered into the folder of a format: the only file there. Waits for it.
    pub fn dropped(&self, format: &str) -> Result<(String, Vec<u8>)> {
        let folder = self.folder.path().join(format);
        let whole = |path: &PathBuf| path.extension().is_some_and(|ending| ending != "part");
        within("nothing was delivered", || {
            let paths = std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
            let path = paths.collect::<Result<Vec<_>>>()?.into_iter().find(whole);
            let Some(path) = path else { return Ok(None) };
            let bytes = std::fs::read(&path)?;
            let name = path.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
            // A day's file may be seen before its first line is in it.
            Ok((!bytes.is_empty()).then_some((name, bytes)))
        })
    }

    /// What the desktop program got under this reading's name. Waits for it.
    pub fn posted(&self, read: &str) -> Result<Value> {
        within("nothing was posted", || {
            self.desktop.body_of(read).map(|body| Ok(serde_json::from_slice(&body)?)).transpose()
        })
    }

    /// Reads a card under a profile and enters its holder in a register; what is said to them.
    pub fn enter(
        &self,
        profile: &str,
        register: &str,
        session: &str,
        card: &CardDescription,
    ) -> Result<Value> {
        self.enter_chip(profile, register, session, card, self.chip(card)?)
    }

    /// The same with another chip in the card.
    pub fn enter_chip(
        &self,
        profile: &str,
        register: &str,
        session: &str,
        card: &CardDescription,
        chip: Chip,
    ) -> Result<Value> {
        let ask = json!({
            "access": access(card), "profile": profile, "register": { "name": register, "session": session },
        });
        Ok(self.ask(&ask, chip)?.answer["admission"].take())
    }

    /// Leases the reader for cards that are handled without a request each.
    pub fn lease(&self, auto_read: &Value) -> Result<()> {
        let path = format!("/v1/readers/{}/lease", self.reader);
        let leased = self.send(CALLER_TOKEN, &path, &json!({ "seconds": 120, "auto_read": auto_read }))?;
        ensure!(leased.status() == 200, "{}", leased.text()?);
        Ok(())
    }

    /// Has a card's code scanned and lays it down on the leased reader: nobody asks for the reading. What the holder of the
    /// lease then fetches.
    pub fn tap(&self, card: &CardDescription) -> Result<Value> {
        let events =
            self.client.get(format!("{}/v1/events", self.address)).bearer_auth(CALLER_TOKEN).send()?;
        ensure!(events.status() == 200, "{}", events.status());
        let mut lines = BufReader::new(events).lines();
        // The first line comes when the listener is one.
        lines.next().context("the stream begins")??;
        let scanned = self.send(
            CALLER_TOKEN,
            "/v1/scans",
            &json!({ "text": card.qr_text().context("a card with a code")? }),
        )?;
        let scanned: Value = scanned.json()?;
        let scan = &scanned["codes"][0]["scan_id"];
        ensure!(scan.is_string(), "{scanned}");
        let seen = Arc::default();
        let rate = BitRate::of_kilobits(424).context("a bit rate of ISO/IEC 14443")?;
        let chip = Timed::new(self.chip(card)?, Timing::usual(rate), ReadingClock::added_up());
        self.hand.insert(&self.reader, WatchedCard { chip, seen })?;
        let mut read = None;
        let read = loop {
            let line = lines.next().context("the stream ended")??;
            let Some(event) = line.strip_prefix("data:") else { continue };
            let event: Value = serde_json::from_str(event)?;
            let data = &event["data"];
            match event["type"].as_str() {
                Some("read.queued") if data["scan_id"] == *scan => read = Some(data["read_id"].clone()),
                Some("read.failed") if Some(&data["read_id"]) == read.as_ref() => bail!("{event}"),
                Some("read.completed") if Some(&data["read_id"]) == read.as_ref() => {
                    break text(data, "read_id")?.to_owned();
                }
                _ => {}
            }
        };
        self.hand.remove(&self.reader);
        let result = self.client.get(format!("{}/v1/reads/{read}/result", self.address));
        let result = result.bearer_auth(CALLER_TOKEN).send()?;
        let (status, answer) = (result.status(), result.json()?);
        ensure!(status == 200, "{answer}");
        // Nobody else has it.
        let other = self.client.get(format!("{}/v1/reads/{read}/result", self.address));
        ensure!(other.bearer_auth(OTHER_TOKEN).send()?.status() == 404, "another caller's result");
        Ok(answer)
    }

    /// Posts JSON.
    pub fn send(&self, token: &str, path: &str, body: &Value) -> Result<Response> {
        Ok(self.client.post(format!("{}{path}", self.address)).bearer_auth(token).json(body).send()?)
    }

    /// Puts a file into an address, as the office does.
    pub fn load(&self, path: &str, media_type: &str, file: Vec<u8>) -> Result<Response> {
        let request = self.client.post(format!("{}{path}", self.address)).bearer_auth(OFFICE_TOKEN);
        Ok(request.header("Content-Type", media_type).body(file).send()?)
    }

    /// What an address tells a caller.
    pub fn get(&self, token: &str, path: &str) -> Result<Value> {
        let told = self.client.get(format!("{}{path}", self.address)).bearer_auth(token).send()?;
        let (status, told) = (told.status(), told.json()?);
        ensure!(status == 200, "{told}");
        Ok(told)
    }

    /// Reads a card under the profile `notary`, as its office does, and takes the evidence away.
    pub fn evidence(&self, card: &CardDescription) -> Result<(Arrived, String)> {
        let ask = json!({ "access": access(card), "profile": "notary" });
        let arrived = self.ask_as(OTHER_TOKEN, &ask, self.chip(card)?)?;
        let read = text(&arrived.answer, "read_id")?;
        let evidence = self
            .client
            .get(format!("{}/v1/reads/{read}/evidence?groups=true", self.address))
            .bearer_auth(OTHER_TOKEN)
            .send()?;
        ensure!(evidence.status() == 200, "{}", evidence.status());
        Ok((arrived, evidence.text()?))
    }

    /// Runs `cccd-agent` with this desk's settings, and gives what it printed.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.path("agent.toml")).args(arguments);
        let done = cccd_patience::output(&format!("cccd-agent {arguments:?}"), &mut command);
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{arguments:?}: {told}");
        Ok(String::from_utf8(done.stdout)?)
    }

    /// A file in the desk's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A genuine chip with this card's content.
    pub fn chip(&self, card: &CardDescription) -> Result<Chip> {
        Ok(Chip::new(personalise(card, &self.issuer)?))
    }

    /// Lays a chip down, asks, and takes it away.
    pub fn ask(&self, ask: &Value, chip: Chip) -> Result<Arrived> {
        self.ask_as(CALLER_TOKEN, ask, chip)
    }

    fn ask_as(&self, token: &str, ask: &Value, chip: Chip) -> Result<Arrived> {
        let seen = Arc::new(Mutex::new((BTreeSet::new(), 0)));
        let rate = BitRate::of_kilobits(424).context("a bit rate of ISO/IEC 14443")?;
        let clock = ReadingClock::added_up();
        let chip = Timed::new(chip, Timing::usual(rate), clock.clone());
        self.hand.insert(&self.reader, WatchedCard { chip, seen: Arc::clone(&seen) })?;
        let started = Instant::now();
        let response = self
            .client
            .post(format!("{}/v1/reads", self.address))
            .bearer_auth(token)
            .header("Prefer", "wait=60")
            .json(ask)
            .send()?;
        let took = started.elapsed();
        let (status, answer) = (response.status(), response.json::<Value>()?);
        self.hand.remove(&self.reader);
        ensure!(status == 200, "{answer}");
        let (files, commands) = seen.lock().unwrap().clone();
        let output = answer["disclosure"]["output"].clone();
        Ok(Arrived { answer, output, files, commands, took, on_card: clock.now() })
    }

    /// Reads what a row says, holds it against the profile, and gives it to the stand-in. What the stand-in says of it.
    pub fn try_row(&self, row: &Row) -> Result<(Arrived, String)> {
        let card = people::card(row.card);
        let arrived = self.read(row.profile, &card)?;
        let catalogue = ConsumerCatalogue::shipped();
        let profile = catalogue.find(row.profile).context("a shipped profile")?;
        only_what_is_named(profile, &card, &arrived)?;
        let said = (row.takes)(&arrived)?;
        Ok((arrived, said))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop();
        }
    }
}

/// What opens the card.
fn access(card: &CardDescription) -> Value {
    match (card.qr_text(), card.can()) {
        (Some(qr), _) => json!({ "qr": qr }),
        (None, Some(can)) => json!({ "can": can }),
        (None, None) => json!({ "mrz": card.mrz_lines().join("\n") }),
    }
}

/// Waits until something is there.
fn within<T>(otherwise: &'static str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, otherwise);
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}

/// No file was read and nothing is given that the profile does not name.
fn only_what_is_named(profile: &ConsumerProfile, card: &CardDescription, arrived: &Arrived) -> Result<()> {
    let mut allowed: BTreeSet<u8> = profile.groups().into_iter().map(|group| group.sfi()).collect();
    let needed = allowed.clone();
    allowed.extend(ALWAYS);
    let beyond: Vec<_> = arrived.files.difference(&allowed).collect();
    ensure!(beyond.is_empty(), "files {beyond:02X?} were read, and nothing needs them");
    ensure!(arrived.files.contains(&0x01), "DG1 was read: what the card saw counts");
    ensure!(!needed.contains(&0x02) || arrived.files.contains(&0x02), "the face is named and was not read");
    for (field, value) in arrived.answer["record"].as_object().context("a record")? {
        let empty =
            value.is_null() || value.as_array().is_some_and(|list| field == "notes" && list.is_empty());
        ensure!(empty, "record.{field} is given beside the profile");
    }
    ensure!(arrived.answer["portrait"].is_null(), "the face is given beside the profile");
    let output = arrived.output.to_string();
    let named = |datum: Datum| {
        profile.fields.contains_key(&datum) && !(datum == Datum::Number && profile.token.is_some())
    };
    let of_dg13 = [
        (1, Datum::Number),
        (2, Datum::Name),
        (6, Datum::Ethnicity),
        (8, Datum::Origin),
        (9, Datum::Residence),
        (10, Datum::Features),
        (13, Datum::Father),
        (14, Datum::Spouse),
        (15, Datum::OldNumber),
    ];
    // A place of origin may be a part of a residence that is named, and that may be of the code.
    let code = card.qr_text().filter(|_| named(Datum::Residence));
    let residence = code.as_deref().and_then(|code| code.split('|').nth(5)).map(str::to_owned);
    let given: Vec<String> = of_dg13
        .iter()
        .filter(|(_, datum)| named(*datum))
        .flat_map(|(number, _)| texts(card, *number))
        .chain(residence)
        .collect();
    for (number, datum) in of_dg13.into_iter().filter(|(_, datum)| !named(*datum)) {
        for text in texts(card, number) {
            let within = given.iter().any(|given| given.contains(&text));
            ensure!(within || !output.contains(&text), "{datum} is given, and the profile does not name it");
        }
    }
    Ok(())
}

/// What a card's DG13 says in a field.
fn texts(card: &CardDescription, number: u8) -> Vec<String> {
    let field = card.record().into_iter().find(|field| field.number == number);
    match field.map(|field| field.value) {
        Some(RecordValue::Printable(text) | RecordValue::Text(text) | RecordValue::Spouse(text)) => {
            vec![text]
        }
        Some(RecordValue::Parents { father, mother }) => vec![father, mother],
        Some(RecordValue::Nothing) | None => Vec::new(),
    }
}

/// The test that goes through all of them.
const EVERY: &str = "every_consumer_of_the_plans_gets_what_its_profile_names_and_nothing_else";

/// All sixteen rows.
pub const ROWS: [Row; 16] = [
    Row {
        number: 1,
        consumer: "One-stop office, self-service kiosk",
        profile: "one-stop-kiosk",
        card: "cccd-2021",
        stand_in: "a case file that wants an applicant, a genuine card and a face",
        test: EVERY,
        takes: one_stop,
    },
    Row {
        number: 2,
        consumer: "Clinic and hospital reception",
        profile: "clinic",
        card: "cccd-2021",
        stand_in: "XML1 by its lengths and forms, and the gateway's triple",
        test: "an_insurance_card_of_somebody_else_is_told",
        takes: clinic,
    },
    Row {
        number: 3,
        consumer: "Hospital self-service kiosk",
        profile: "clinic-kiosk",
        card: "cccd-2021",
        stand_in: "the same, with a face",
        test: "an_insurance_card_of_somebody_else_is_told",
        takes: clinic_kiosk,
    },
    Row {
        number: 4,
        consumer: "Notary, certification, bailiff",
        profile: "notary",
        card: "cccd-2021",
        stand_in: "an act that wants the whole record and a sentence about the person",
        test: "a_record_of_a_reading_is_made_of_its_evidence",
        takes: notary,
    },
    Row {
        number: 5,
        consumer: "Lodging: hotels",
        profile: "lodging",
        card: "cccd-2021",
        stand_in: "the portal's XLSX, read again",
        test: "guests_of_a_day_go_into_the_portals_own_form_and_the_foreign_ones_into_xml",
        takes: lodging_vietnamese,
    },
    Row {
        number: 6,
        consumer: "Lodging: rented rooms",
        profile: "lodging",
        card: "can-cuoc-2024",
        stand_in: "the portal's XLSX, read again",
        test: "guests_of_a_day_go_into_the_portals_own_form_and_the_foreign_ones_into_xml",
        takes: lodging_vietnamese,
    },
    Row {
        number: 7,
        consumer: "Lodging: in-patients and relatives",
        profile: "lodging",
        card: "passport-td3",
        stand_in: "the portal's XML of foreign guests",
        test: "guests_of_a_day_go_into_the_portals_own_form_and_the_foreign_ones_into_xml",
        takes: lodging_foreign,
    },
    Row {
        number: 8,
        consumer: "Lodging: long-distance coaches",
        profile: "coach-manifest",
        card: "cccd-2021",
        stand_in: "a manifest with one row a passenger",
        test: "a_coach_has_each_passenger_once_and_its_manifest_and_notices_of_stay",
        takes: coach,
    },
    Row {
        number: 9,
        consumer: "Tickets without cash",
        profile: "ticketing",
        card: "cccd-2021",
        stand_in: "a gate that knows pseudonyms and fares",
        test: "a_passenger_on_the_deny_list_is_turned_away",
        takes: ticketing,
    },
    Row {
        number: 10,
        consumer: "Driving schools and test centres",
        profile: "driving-test",
        card: "cccd-2021",
        stand_in: "a lesson's roster",
        test: "a_learner_is_the_same_from_the_first_lesson_to_the_test",
        takes: driving,
    },
    Row {
        number: 11,
        consumer: "Examinations and attendance",
        profile: "exam",
        card: "cccd-2021",
        stand_in: "a session's roster",
        test: "a_tap_at_the_door_of_an_examination_hears_what_is_the_matter",
        takes: exam,
    },
    Row {
        number: 12,
        consumer: "Businesses under security conditions",
        profile: "regulated-business",
        card: "cccd-2021",
        stand_in: "a program that takes the JTH desktop's names",
        test: "a_desktop_program_of_this_machine_gets_the_seventeen_names_it_knows",
        takes: regulated,
    },
    Row {
        number: 13,
        consumer: "Credit without collateral",
        profile: "lending",
        card: "cccd-2021",
        stand_in: "an application that wants person, household and verdict",
        test: EVERY,
        takes: lending,
    },
    Row {
        number: 14,
        consumer: "Entry control",
        profile: "entry-control",
        card: "cccd-2021",
        stand_in: "a gate that counts",
        test: EVERY,
        takes: entry,
    },
    Row {
        number: 15,
        consumer: "Schools",
        profile: "school",
        card: "cccd-2021",
        stand_in: "a pupil's file",
        test: "what_a_profile_has_delivered_arrives_beside_the_answer_in_every_format",
        takes: school,
    },
    Row {
        number: 16,
        consumer: "Tourism statistics",
        profile: "lodging",
        card: "cccd-2021",
        stand_in: "counts, never persons",
        test: "guests_of_a_day_go_into_the_portals_own_form_and_the_foreign_ones_into_xml",
        takes: statistics,
    },
];

/// The row of this number.
pub fn row(number: u8) -> &'static Row {
    ROWS.iter().find(|row| row.number == number).expect("a row of the table")
}

/// The object has exactly these names.
fn names(object: &Value, expected: &[&str]) -> Result<()> {
    let found: BTreeSet<_> = object.as_object().context("an object")?.keys().map(String::as_str).collect();
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    ensure!(found == expected, "names {found:?} where {expected:?} are taken");
    Ok(())
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str> {
    object[name].as_str().with_context(|| format!("{name} is no text"))
}

fn is(object: &Value, name: &str, expected: &str) -> Result<()> {
    let found = text(object, name)?;
    ensure!(found == expected, "{name} is {found:?}, not {expected:?}");
    Ok(())
}

/// A face: base64 of a JPEG.
fn is_face(text: &str) -> Result<()> {
    // FF D8 FF, and more than a thumbnail.
    ensure!(text.starts_with("/9j/") && text.len() > 4000, "not the face of the card");
    Ok(())
}

fn one_stop(arrived: &Arrived) -> Result<String> {
    let (person, proof) = (&arrived.output["nguoi_nop"], &arrived.output["xac_thuc"]);
    is(person, "so_dinh_danh", "000090123456")?;
    is(person, "ngay_sinh", "02/01/1990")?;
    ensure!(proof["the_that"] == true, "the card is genuine");
    is_face(text(proof, "anh")?)?;
    Ok("applicant, genuine, face".to_owned())
}

fn clinic(arrived: &Arrived) -> Result<String> {
    let xml1 = &arrived.output["XML1"];
    // Name, most characters, whether all must be digits: QĐ 130/QĐ-BYT as amended.
    for (name, most, digits) in [
        ("HO_TEN", 255, false),
        ("SO_CCCD", 15, true),
        ("NGAY_SINH", 12, true),
        ("GIOI_TINH", 1, true),
        ("MA_QUOCTICH", 3, true),
        ("DIA_CHI", 1024, false),
        ("NGAYCAP_CCCD", 8, true),
        ("NOICAP_CCCD", 1024, false),
        ("MA_THE_BHYT", 15, false),
        ("MA_DKBD", 5, true),
        ("GT_THE_TU", 8, true),
        ("GT_THE_DEN", 8, true),
    ] {
        let value = text(xml1, name)?;
        let fits = !value.is_empty() && value.chars().count() <= most;
        ensure!(fits && (!digits || value.bytes().all(|byte| byte.is_ascii_digit())), "{name} = {value:?}");
    }
    is(xml1, "NGAY_SINH", "199001020000")?;
    let gateway = &arrived.output["gateway"];
    names(gateway, &["maThe", "hoTen", "ngaySinh"])?;
    is(gateway, "maThe", "000090123456")?;
    is(gateway, "ngaySinh", "02/01/1990")?;
    Ok("XML1 of 12 fields, triple".to_owned())
}

fn clinic_kiosk(arrived: &Arrived) -> Result<String> {
    let said = clinic(arrived)?;
    is_face(text(&arrived.output["card"], "portrait")?)?;
    Ok(said + ", face")
}

fn notary(arrived: &Arrived) -> Result<String> {
    let act = &arrived.output;
    is(act, "ho_ten", "Nguyễn Văn Mẫu")?;
    is(&act["gia_dinh"], "cha", "Nguyễn Văn Cha")?;
    is(
        act,
        "mo_ta",
        "Nguyễn Văn Mẫu, sinh ngày 02/01/1990, số định danh 000090123456, cấp ngày 15/03/2022, thường trú tại \
         Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu",
    )?;
    is_face(text(&act["anh"], "base64")?)?;
    ensure!(act["ket_qua"]["that"] == true, "the card is genuine");
    Ok("whole record, sentence, face".to_owned())
}

/// The guest that arrived, with a stay, as a line of the file that `cccd-agent lodging` takes.
fn guest_line(arrived: &Arrived, reason: u8) -> String {
    let stay = json!({ "arrival": "20/11/2026", "departure": "21/11/2026", "room": "101", "reason": reason });
    json!({ "guest": arrived.output, "stay": stay }).to_string()
}

/// A form like the portal's, of which no copy may be kept here.
pub fn portal_form(sheet: &str) -> Result<Vec<u8>> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let guests = book.add_worksheet();
    guests.set_name(sheet)?;
    let titles = [
        "STT",
        "Họ tên",
        "Ngày sinh",
        "Giới tính",
        "Quốc tịch",
        "Loại giấy tờ",
        "Tên giấy tờ",
        "Số giấy tờ",
        "Điện thoại",
        "Nơi cư trú hiện nay",
        "Tỉnh",
        "Xã",
        "Chi tiết",
        "Ngày đến",
        "Ngày đi dự kiến",
        "Phòng",
        "Lý do cư trú",
        "Lý do khác",
        "Ghi chú",
    ];
    for (column, title) in (0..).zip(titles) {
        guests.write_string(3, column, title)?;
        guests.write_string(4, column, "mẫu")?;
    }
    let lists = book.add_worksheet();
    lists.set_name("DANH_MUC")?;
    for (row, choice) in (0..).zip([
        "M - Nam",
        "F - Nữ",
        "VNM - Viet Nam",
        "1 - Thẻ CCCD",
        "8 - Thẻ Căn Cước",
        "4 - Hộ chiếu",
        "1 - Du lịch",
        "18 - Chữa bệnh",
    ]) {
        lists.write_string(row, 0, choice)?;
    }
    Ok(book.save_to_buffer()?)
}

fn lodging_vietnamese(arrived: &Arrived) -> Result<String> {
    let guests = guests_of_json_lines(&guest_line(arrived, 1))?;
    let template = Template::open(portal_form("DS_KHACH_VIET_NAM_LUU_TRU")?)?;
    let filled = template.fill(&guests, time::macros::date!(2026 - 11 - 20))?;
    ensure!(filled.guests == 1 && filled.notes.is_empty(), "{:?}", filled.notes);
    let sheet = sheet::of_xlsx(&filled.xlsx)?;
    let row = sheet.rows().last().context("a row")?;
    let cells: Vec<_> = row.iter().map(|cell| cell.text.expose()).collect();
    let paper = text(&arrived.output, "loai_giay_to")?;
    for expected in
        [text(&arrived.output, "ho_ten")?, "VNM - Viet Nam", paper, "20/11/2026", "101", "1 - Du lịch"]
    {
        ensure!(cells.contains(&expected), "{expected} is not in the form: {cells:?}");
    }
    ensure!(["1 - Thẻ CCCD", "8 - Thẻ Căn Cước"].contains(&paper), "{paper}");
    Ok(format!("row 5 of the form, {paper}"))
}

fn lodging_foreign(arrived: &Arrived) -> Result<String> {
    let guests = guests_of_json_lines(&guest_line(arrived, 18))?;
    let xml = foreign_xml(&guests)?.context("a foreign guest")?;
    let xml = std::str::from_utf8(&xml)?;
    let card = people::card("passport-td3");
    let Bearer::Traveller(traveller) = card.bearer() else { bail!("a traveller") };
    ensure!(xml.contains(&format!("<so_ho_chieu>{}<", traveller.document_number)), "{xml}");
    ensure!(xml.matches("<THONG_TIN_KHACH>").count() == 1, "{xml}");
    Ok("one THONG_TIN_KHACH".to_owned())
}

fn coach(arrived: &Arrived) -> Result<String> {
    let row = &arrived.output;
    names(
        row,
        &[
            "ho_ten",
            "ngay_sinh",
            "gioi_tinh",
            "quoc_tich",
            "loai_giay_to",
            "so_dinh_danh",
            "so_giay_to",
            "len_xe_luc",
        ],
    )?;
    is(row, "gioi_tinh", "Nam")?;
    is(row, "quoc_tich", "VNM")?;
    Ok("a passenger of eight names".to_owned())
}

fn ticketing(arrived: &Arrived) -> Result<String> {
    names(&arrived.output, &["passenger", "fare"])?;
    let passenger = text(&arrived.output, "passenger")?;
    ensure!(passenger.len() == 32 && passenger.bytes().all(|byte| byte.is_ascii_hexdigit()), "{passenger}");
    is(&arrived.output, "fare", "adult")?;
    ensure!(!arrived.files.contains(&0x0D) && !arrived.files.contains(&0x02), "neither DG13 nor DG2");
    people::somebody_in(&arrived.output.to_string()).map_or(Ok(()), |found| bail!("it names {found}"))?;
    Ok("pseudonym, fare".to_owned())
}

/// The person that arrived, held against a roster.
fn admitted(arrived: &Arrived) -> Result<&'static str> {
    let table = "SBD;Họ và tên;Ngày sinh;Số định danh;Ca thi\n\
                 A-01;NGUYỄN VĂN MẪU;02/01/1990;000090123456;Sáng\n\
                 A-02;Trần Thị Khác;05/06/1991;000191000002;Chiều\n";
    let roster = Roster::read(&sheet::of_csv(table.as_bytes())?)?;
    let mut morning = Attendance::new(&roster, "Sáng");
    let tap = Tap {
        number: text(&arrived.output, "so_dinh_danh")?,
        name: text(&arrived.output, "ho_ten")?,
        birth: text(&arrived.output, "ngay_sinh")?,
        genuine: arrived.answer["verdict"]["state"] == "genuine",
    };
    let at = datetime!(2026-11-20 07:10 +7);
    let first = morning.tap(&tap, at);
    ensure!(first.code() == "admitted", "{first:?}");
    ensure!(morning.tap(&tap, at).code() == "already-in", "a second tap is told");
    let mut afternoon = Attendance::new(&roster, "Chiều");
    ensure!(afternoon.tap(&tap, at).code() == "wrong-session", "the other session is told");
    Ok("admitted, then already in, wrong session elsewhere")
}

fn driving(arrived: &Arrived) -> Result<String> {
    is_face(text(&arrived.output["anh"], "base64")?)?;
    Ok(format!("{}, face", admitted(arrived)?))
}

fn exam(arrived: &Arrived) -> Result<String> {
    names(&arrived.output, &["so_dinh_danh", "ho_ten", "ngay_sinh", "luc"])?;
    Ok(admitted(arrived)?.to_owned())
}

fn regulated(arrived: &Arrived) -> Result<String> {
    is(&arrived.output, "id_card", "000090123456")?;
    is(&arrived.output, "old_id_card", "000123456")?;
    is(&arrived.output, "date_of_birth", "02/01/1990")?;
    is_face(text(&arrived.output, "id_img")?)?;
    Ok("ten JTH names".to_owned())
}

fn lending(arrived: &Arrived) -> Result<String> {
    is(&arrived.output["gia_dinh"], "me", "Trần Thị Mẹ")?;
    is(&arrived.output["ket_qua"], "ma", "genuine")?;
    Ok("person, household, verdict".to_owned())
}

fn entry(arrived: &Arrived) -> Result<String> {
    names(&arrived.output, &["visitor", "name", "age_group", "at"])?;
    is(&arrived.output, "age_group", "16-59")?;
    ensure!(!arrived.output.to_string().contains("000090123456"), "the number stays on the card");
    Ok("pseudonym, name, age group".to_owned())
}

fn school(arrived: &Arrived) -> Result<String> {
    is(&arrived.output, "ho_ten_cha", "Nguyễn Văn Cha")?;
    is(&arrived.output, "que_quan", "Xã Mẫu, Huyện Mẫu, Tỉnh Mẫu")?;
    ensure!(!arrived.files.contains(&0x02), "no face is read");
    Ok("pupil and parents".to_owned())
}

fn statistics(arrived: &Arrived) -> Result<String> {
    use cccd_exports::lodging::{Counts, LodgingKind};
    let mut counts = Counts::default();
    counts.add(&guests_of_json_lines(&guest_line(arrived, 1))?, LodgingKind::Hotel);
    let csv = counts.to_csv();
    let csv = std::str::from_utf8(&csv)?;
    ensure!(csv.contains("20/11/2026,hotel,25-44,nội địa,1"), "{csv}");
    people::somebody_in(csv).map_or(Ok(()), |found| bail!("it names {found}"))?;
    Ok("one domestic guest of 25-44".to_owned())
}
