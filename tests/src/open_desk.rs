//! A desk that programs of any language can call: the daemon on a port of its own, over readers in this process.
//!
//! One reader has a card that stays on it, another has none, and a scanner stands beside them. What a caller needs to
//! know of it is in [`OpenDesk::environment`].

use std::sync::Arc;

use cccd_agent::Agent;
use cccd_card::{ChannelLimits, ReaderId, ScannerId};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_firmware_sim::reader::scanner::InProcessScanner;
use cccd_profiles::{AgentSettings, TokenHash};
use cccd_store::Store;
use serde_json::json;
use tempfile::TempDir;

use crate::agent::{CALLER_TOKEN, OTHER_TOKEN, PAGE_ORIGIN, PAGE_TOKEN};
use crate::people;

/// The card that lies on the first reader.
pub const CARD: &str = "cccd-2021";

/// A running desk. It stops when dropped.
pub struct OpenDesk {
    agent: Option<Agent>,
    readers: InProcessReader,
    scanners: InProcessScanner,
    with_card: ReaderId,
    empty: ReaderId,
    scanner: ScannerId,
    folder: TempDir,
}

impl OpenDesk {
    /// Starts it with the callers `clinic` (every scope but biometrics), `notary` (none) and `page`, and waits until it
    /// knows what stands there.
    pub fn start() -> Self {
        let desk = Self::start_with("");
        let ready = format!("{}/readyz", desk.url());
        cccd_patience::done("the desk's readers", move || {
            let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
            let is_ready = || client.get(&ready).send().is_ok_and(|answer| answer.status() == 200);
            cccd_patience::until("the desk's readers", is_ready);
        });
        desk
    }

    /// The same with these tables behind everything else, as soon as it has started.
    pub fn start_with(tables: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut text = format!(
            "[api]\nlisten = '127.0.0.1:0'\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n",
            folder.path().join("evidence-key.json").display(),
            folder.path().join("trust").display(),
            folder.path().join("store").display()
        );
        for (name, token, more) in [
            ("clinic", CALLER_TOKEN, "scopes = ['evidence', 'scan']".to_owned()),
            ("notary", OTHER_TOKEN, String::new()),
            ("page", PAGE_TOKEN, format!("origins = ['{PAGE_ORIGIN}']")),
        ] {
            let hash = TokenHash::of(token).to_hex();
            text += &format!("[[caller]]\nname = '{name}'\ntoken_sha256 = '{hash}'\n{more}\n");
        }
        text += tables;
        let settings = AgentSettings::parse(&text).unwrap();

        let readers = InProcessReader::new();
        let with_card = readers.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
        let image = personalise(&card(), &Issuer::new().unwrap()).unwrap();
        readers.insert(&with_card, Chip::new(image)).unwrap();
        let empty = readers.attach("Lane 1", ChannelLimits::EXTENDED).unwrap();
        let scanners = InProcessScanner::new();
        let scanner = scanners.attach("Desk 1");
        let agent =
            Agent::start(&settings, vec![Arc::new(readers.clone())], vec![Arc::new(scanners.clone())])
                .unwrap();
        Self { agent: Some(agent), readers, scanners, with_card, empty, scanner, folder }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.agent.as_ref().unwrap().address().to_string()
    }

    /// Where its doors listen.
    pub fn doors(&self) -> Vec<std::net::SocketAddr> {
        self.agent.as_ref().unwrap().doors()
    }

    /// Stops it, and gives every entry of its audit chain as text.
    pub fn audit(mut self) -> Vec<String> {
        self.agent.take().unwrap().stop();
        let chain = Store::look_at_audit(&self.folder.path().join("store")).unwrap();
        let entries = chain.after(0, 1000).unwrap();
        entries.into_iter().map(|recorded| format!("{:?}", recorded.entry)).collect()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The reader with the card, and the one without.
    pub fn readers(&self) -> [&ReaderId; 2] {
        [&self.with_card, &self.empty]
    }

    /// Lays a card of this description on the reader that has none.
    pub fn lay_another(&self, card: &CardDescription) {
        let image = personalise(card, &Issuer::new().unwrap()).unwrap();
        self.readers.insert(&self.empty, Chip::new(image)).unwrap();
    }

    /// Shows a code to the scanner.
    pub fn scan(&self, payload: &[u8]) {
        self.scanners.show(&self.scanner, payload);
    }

    /// What a program is told of the desk: where it is, the clinic's token, and, as JSON, what it shall find there.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let card = card();
        let person = card.citizen().unwrap();
        let facts = json!({
            "other_token": OTHER_TOKEN,
            "reader": self.with_card.as_str(),
            "empty_reader": self.empty.as_str(),
            "can": card.can().unwrap(),
            "qr": card.qr_text().unwrap(),
            "number": person.number,
            "name": person.name,
        });
        vec![
            ("CCCD_AGENT_URL", self.url()),
            ("CCCD_AGENT_TOKEN", CALLER_TOKEN.to_owned()),
            ("CCCD_DESK", facts.to_string()),
        ]
    }
}

impl Drop for OpenDesk {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop();
        }
    }
}

/// The description of [`CARD`].
pub fn card() -> CardDescription {
    people::card(CARD)
}
