//! Desks of one operator on a real mosquitto: what they say of themselves, and results that leave sealed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use cccd_delivery::fleet::{FleetView, PresenceState, look};
use cccd_delivery::{Carrier, Carriers, NotATarget, Signer, TargetFiles};
use cccd_evidence::{AgentKey, Delivered};
use cccd_jose::{RecipientKey, SealRandom};
use cccd_profiles::{AgentSettings, FleetSettings};
use cccd_store::{NewMessage, Outbox};
use cccd_tests::fleet::{PATIENCE, desk, desks, report, settings};
use cccd_tests::mosquitto::{BrokerIdentity, Mosquitto};
use cccd_tests::{AgentUnderTest, manual};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::runtime::Runtime;

const AGENT: &str = env!("CARGO_BIN_EXE_agent-under-test");

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the clock of a program is asked by the program")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

async fn seen(port: u16) -> FleetView {
    look(&settings(port, "operations"), &TargetFiles::default(), PATIENCE).await.unwrap()
}

/// Looks until the fleet is as expected.
async fn seen_until(port: u16, expected: impl Fn(&FleetView) -> bool) -> FleetView {
    let looking = async {
        loop {
            let view = seen(port).await;
            if expected(&view) {
                return view;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("the fleet as expected")
}

fn state(view: &FleetView, desk: &str) -> Option<PresenceState> {
    view.get(desk)?.presence.as_ref().map(|presence| presence.state)
}

#[test]
fn an_operator_sees_desks_that_are_up_those_that_were_stopped_and_those_that_are_lost() {
    let mosquitto = Mosquitto::plain().unwrap();
    let port = mosquitto.port();
    let runtime = runtime();
    let mut fleet = runtime.block_on(desks(port, 50)).unwrap();
    let elsewhere = self::runtime();
    let cut = elsewhere.block_on(desk(port, 50)).unwrap();
    runtime.block_on(async {
        let view = seen(port).await;
        assert_eq!(view.len(), 51);
        for (number, (name, desk)) in view.iter().enumerate() {
            assert_eq!(name, &format!("desk-{number:04}"));
            assert_eq!(desk.presence.as_ref().unwrap().state, PresenceState::Up);
            assert_eq!(desk.report.as_ref(), Some(&report(u64::try_from(number).unwrap())));
        }
        // One says goodbye. The power of another goes: no DISCONNECT, the connection is gone.
        let mut stopped = cccd_tests::fleet::presence();
        stopped.state = PresenceState::Stopped;
        fleet.remove(3).stop(Some(stopped)).await;
    });
    drop(cut);
    elsewhere.shutdown_background();
    runtime.block_on(async {
        let view = seen_until(port, |view| state(view, "desk-0050") == Some(PresenceState::Lost)).await;
        assert_eq!(state(&view, "desk-0003"), Some(PresenceState::Stopped));
        assert_eq!(state(&view, "desk-0004"), Some(PresenceState::Up));
        // What it last did is known all the same.
        assert_eq!(view["desk-0050"].report.as_ref().unwrap().readings_completed, 50);
    });
}

#[test]
fn a_desks_program_reports_and_the_command_line_lists_it() {
    let mosquitto = Mosquitto::plain().unwrap();
    let port = mosquitto.port();
    let fleet = format!("[fleet]\nbroker = 'mqtt://127.0.0.1:{port}'\ndesk = 'hue-7'\nreport_s = 5\n");
    let agent = AgentUnderTest::start_with_tables(AGENT, None, "", &fleet);
    runtime().block_on(seen_until(port, |view| view.get("hue-7").is_some_and(|desk| desk.report.is_some())));
    let config = mosquitto.folder().join("operations.toml");
    std::fs::write(&config, fleet.replace("hue-7", "operations")).unwrap();
    let status = |arguments: &[&str]| {
        let mut command = Command::new(AGENT);
        command.args(["fleet", "status", "--within", "60", "--config"]).arg(&config).args(arguments);
        let output = cccd_patience::output("fleet status", &mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let table = status(&[]);
    assert!(table.contains("hue-7") && table.ends_with("1 quầy · desk(s), 1 up\n"), "{table}");
    let desks: serde_json::Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!((&desks[0]["desk"], &desks[0]["state"]), (&"hue-7".into(), &"up".into()));
    assert_eq!(desks[0]["report"]["version"], env!("CARGO_PKG_VERSION"));
    drop(agent);
    runtime().block_on(seen_until(port, |view| state(view, "hue-7") == Some(PresenceState::Stopped)));
}

/// An authority, its broker, and certificates for desks and consumers.
struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

impl Authority {
    fn new() -> Self {
        let key = key();
        Self { certificate: certificate("Operator", &key, None), key }
    }

    fn vouch(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let key = key();
        let certificate = certificate(name, &key, Some(self));
        (certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
    }

    fn broker(&self) -> BrokerIdentity {
        let (certificate, key) = self.vouch("127.0.0.1");
        BrokerIdentity { authority: self.certificate.to_pem().unwrap(), certificate, key }
    }

    /// The certificate and key of somebody, in files.
    fn files(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.vouch(name);
        let (first, second) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&first, certificate).unwrap();
        std::fs::write(&second, key).unwrap();
        (first, second)
    }
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<&Authority>) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    let extension = match issuer {
        None => BasicConstraints::new().critical().ca().build().unwrap(),
        Some(issuer) => {
            let context = builder.x509v3_context(Some(&issuer.certificate), None);
            SubjectAlternativeName::new().ip("127.0.0.1").build(&context).unwrap()
        }
    };
    builder.append_extension(extension).unwrap();
    builder.sign(issuer.map_or(key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A consumer: mosquitto's own client, in a group that shares what comes.
struct Consumer {
    child: Child,
    lines: Receiver<String>,
}

impl Consumer {
    /// Starts it and waits until the broker has its subscription.
    fn start(mosquitto: &Mosquitto, authority: &Authority, id: &str) -> Self {
        let folder = mosquitto.folder();
        let (certificate, key) = authority.files(folder, "his");
        let port = mosquitto.port().to_string();
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "--",
            "mosquitto_sub",
            "-V",
            "5",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
        ]);
        command
            .arg("--cafile")
            .arg(folder.join("ca.pem"))
            .arg("--cert")
            .arg(certificate)
            .arg("--key")
            .arg(key);
        // A session that stays for an hour while its program is away (`-c`, `-x`).
        command.args(["-i", id, "-c", "-x", "3600", "-q", "1", "-t", "$share/his/cccd/desks/+/results/his"]);
        command.args(["-F", "%t|%C|%P|%p"]);
        // One that comes back subscribes once more.
        let subscribed = format!("{id} 1 $share/his/");
        let subscriptions = || mosquitto.log().matches(&subscribed).count();
        let before = subscriptions();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let end = std::time::Instant::now() + PATIENCE;
        while subscriptions() == before {
            assert!(std::time::Instant::now() < end, "{}", mosquitto.log());
            std::thread::yield_now();
        }
        Self { child, lines }
    }

    fn end(mut self) -> Receiver<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines
    }
}

/// The desk hue-7's fleet settings under TLS, and its outbox's target `his`, from the text an operator writes.
fn desk_of(mosquitto: &Mosquitto, authority: &Authority) -> (AgentSettings, FleetSettings, TargetFiles) {
    let folder = mosquitto.folder();
    let (certificate, key) = authority.files(folder, "hue-7");
    let mut make = Command::new(python());
    make.arg(manual::repository("config/fleet/open-result.py")).arg("--new-key");
    let public = cccd_patience::output("a new key", make.arg(folder.join("his.private.jwk")));
    assert!(public.status.success(), "{}", String::from_utf8_lossy(&public.stderr));
    std::fs::write(folder.join("his.jwk"), &public.stdout).unwrap();
    let text = format!(
        "[fleet]\nbroker = 'mqtts://127.0.0.1:{}'\ndesk = 'hue-7'\nca_file = '{ca}'\nca_only = true\n\
         certificate = '{}'\nkey = '{}'\npersonal_data = true\n\
         [[target]]\nname = 'his'\ntopic = 'his'\nrecipient_file = '{}'\n",
        mosquitto.port(),
        certificate.display(),
        key.display(),
        folder.join("his.jwk").display(),
        ca = folder.join("ca.pem").display(),
    );
    let settings = AgentSettings::parse(&text).unwrap();
    let fleet = settings.fleet.clone().unwrap();
    let identity = [std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap()].concat();
    let files = TargetFiles {
        authorities: Some(std::fs::read(folder.join("ca.pem")).unwrap()),
        identity: Some(identity.into()),
        recipient: Some(String::from_utf8(public.stdout).unwrap()),
        ..TargetFiles::default()
    };
    (settings, fleet, files)
}

/// Debian's own, which has what apt installs; any other where there is none.
fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

/// What the shipped program, which has another library, says of a message to whoever knows these desks.
fn open(mosquitto: &Mosquitto, desks: &str, sealed: &str) -> Result<Value, String> {
    let list = mosquitto.folder().join("desks");
    std::fs::write(&list, desks).unwrap();
    let mut child = Command::new(python())
        .arg(manual::repository("config/fleet/open-result.py"))
        .arg(mosquitto.folder().join("his.private.jwk"))
        .arg(list)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sealed.as_bytes()).unwrap();
    let output = cccd_patience::finished("what was sealed", child);
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap().trim().to_owned())
    }
}

/// Signs as the desk hue-7 does.
fn signer(key: AgentKey) -> Signer {
    Arc::new(move |audience, name, result| {
        let delivered = Delivered { desk: "hue-7", audience, key: name, at: now() };
        delivered.sign(result, &key, &mut getrandom::SysRng)
    })
}

fn put(outbox: &Outbox, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let key = format!("reading-{number:02}");
        let body = format!("{{\"name\":\"Nguyễn Văn Mẫu {number}\"}}");
        let message =
            NewMessage { target: "his", key: &key, content_type: "application/json", body: body.as_bytes() };
        outbox.put(message, now()).unwrap();
    }
}

fn outbox_until(outbox: &Outbox, expected: impl Fn(&[cccd_store::MessageView]) -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        let views = outbox.list().unwrap();
        if expected(&views) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{views:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn results_leave_sealed_wait_for_whoever_takes_them_and_are_shared_among_its_programs() {
    let authority = Authority::new();
    let mosquitto = Mosquitto::as_shipped(&authority.broker()).unwrap();
    let (settings, fleet, files) = desk_of(&mosquitto, &authority);
    let runtime = runtime();
    let outbox = Arc::new(Outbox::in_memory().unwrap());
    let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
    let desks = format!("hue-7 {}\nhue-8 {}\n", key.key_id(), "x".repeat(43));
    let signs = signer(key);
    let (broker, carriers) = runtime.block_on(async {
        let mut broker = cccd_delivery::fleet::Broker::connect(&fleet, &files).unwrap();
        let connected = tokio::time::timeout(PATIENCE, broker.connected_after(0)).await;
        connected.unwrap_or_else(|_| panic!("{}", mosquitto.log())).unwrap();
        put(&outbox, 0..1);
        // What is not signed does not leave.
        let unsigned = Carrier::new(&settings.targets[0], &files, Some((&broker, None)));
        assert!(matches!(unsigned.map(drop), Err(NotATarget::Unsigned)));
        let carrier = Carrier::new(&settings.targets[0], &files, Some((&broker, Some(&signs)))).unwrap();
        (broker, Carriers::start(&outbox, vec![carrier], &(Arc::new(now) as _)))
    });
    // The broker took it, and had nobody to give it to: it has not arrived.
    outbox_until(&outbox, |views| views.iter().any(|view| view.why.as_deref() == Some("nobody-listens")));

    let consumers = ["his-a", "his-b"].map(|id| Consumer::start(&mosquitto, &authority, id));
    put(&outbox, 1..20);
    let first = outbox.list().unwrap()[0].id;
    assert!(outbox.retry(first, now()).unwrap());
    carriers.wake();
    outbox_until(&outbox, <[_]>::is_empty);
    // Both programs die. What leaves meanwhile waits at the broker.
    let lines = consumers.map(Consumer::end);
    put(&outbox, 20..30);
    carriers.wake();
    outbox_until(&outbox, <[_]>::is_empty);
    let again = ["his-a", "his-b"].map(|id| Consumer::start(&mosquitto, &authority, id));

    let mut taken: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut shares = [0; 2];
    let end = std::time::Instant::now() + PATIENCE;
    while taken.len() < 30 {
        assert!(std::time::Instant::now() < end, "{taken:?}\n{}", mosquitto.log());
        for (share, lines) in lines.iter().chain(again.iter().map(|consumer| &consumer.lines)).enumerate() {
            for line in lines.try_iter() {
                let [topic, content_type, property, sealed] =
                    line.splitn(4, '|').collect::<Vec<_>>().try_into().unwrap();
                assert_eq!((topic, content_type), ("cccd/desks/hue-7/results/his", "application/jose"));
                let key = property.strip_prefix("idempotency-key:").expect(property).trim().to_owned();
                let before = taken.entry(key).or_insert((0, sealed.to_owned()));
                before.0 += 1;
                shares[share % 2] += 1;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Nobody on the way reads anything, each result is one's, and both had some.
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    for (number, (key, (times, sealed))) in taken.iter().enumerate() {
        assert_eq!(key, &format!("reading-{number:02}"));
        // A program that is killed before it acknowledged gets it again: under the same key.
        assert!(*times >= 1);
        assert!(!sealed.contains("Nguy"));
    }
    for number in [0, 7, 29] {
        let name = format!("reading-{number:02}");
        let told = open(&mosquitto, &desks, &taken[&name].1).unwrap();
        assert_eq!((&told["desk"], &told["key"]), (&json!("hue-7"), &json!(name)));
        assert_eq!(told["result"], json!({ "name": format!("Nguyễn Văn Mẫu {number}") }));
    }
    // The key to seal with is anybody's. What another signs, or this desk under another's name, is no desk's.
    let nobody = || "signed by no desk of this name".to_owned();
    let sealed = &taken["reading-00"].1;
    assert_eq!(open(&mosquitto, &format!("hue-7 {}\n", "x".repeat(43)), sealed), Err(nobody()));
    assert_eq!(open(&mosquitto, &desks.replace("hue-7", "hue-9"), sealed), Err(nobody()));
    let recipient = RecipientKey::from_jwk(files.recipient.as_deref().unwrap()).unwrap();
    let seal = |text: &str| {
        recipient.seal(text.as_bytes(), "JWT", SealRandom::draw(getrandom::fill).unwrap()).unwrap()
    };
    let result = br#"{"name":"X"}"#;
    let forged =
        signer(AgentKey::generate(&mut getrandom::SysRng).unwrap())("his", "reading-00", result).unwrap();
    assert_eq!(open(&mosquitto, &desks, &seal(&forged)), Err(nobody()));
    // Nor is what was changed after it had been signed.
    let signed = signs("his", "reading-00", result).unwrap();
    let told = open(&mosquitto, &desks, &seal(&signed)).unwrap();
    assert_eq!(told["result"], json!({ "name": "X" }));
    let changed = signed.replacen(".eyJ", ".eyK", 1);
    assert_ne!(changed, *signed);
    let told = open(&mosquitto, &desks, &seal(&changed)).unwrap_err();
    assert!(told.contains("InvalidJWSSignature"), "{told}");
    runtime.block_on(async {
        carriers.stop().await;
        broker.stop(None).await;
    });
    drop(again.map(Consumer::end));
}

#[test]
fn the_shipped_rules_let_a_desk_speak_for_itself_alone() {
    let authority = Authority::new();
    let mosquitto = Mosquitto::as_shipped(&authority.broker()).unwrap();
    let folder = mosquitto.folder();
    let (certificate, key) = authority.files(folder, "hue-7");
    let say = |desk: &str| {
        let text = format!(
            "[fleet]\nbroker = 'mqtts://127.0.0.1:{}'\ndesk = '{desk}'\nca_file = '{ca}'\nca_only = true\n\
             certificate = '{}'\nkey = '{}'\n",
            mosquitto.port(),
            certificate.display(),
            key.display(),
            ca = folder.join("ca.pem").display(),
        );
        let fleet = AgentSettings::parse(&text).unwrap().fleet.unwrap();
        let identity = [std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap()].concat();
        let files = TargetFiles {
            authorities: Some(std::fs::read(folder.join("ca.pem")).unwrap()),
            identity: Some(identity.into()),
            ..TargetFiles::default()
        };
        runtime().block_on(async {
            let mut broker = cccd_delivery::fleet::Broker::connect(&fleet, &files).unwrap();
            tokio::time::timeout(PATIENCE, broker.connected_after(0)).await.unwrap().unwrap();
            let said = broker.say(&cccd_tests::fleet::presence()).await;
            let seen = look(&fleet, &files, PATIENCE).await;
            broker.stop(None).await;
            (said, seen.map(|_| ()).map_err(|error| error.to_string()))
        })
    };
    let (said, seen) = say("hue-7");
    assert_eq!(said, Ok(()));
    // A desk does not look at others.
    assert!(seen.unwrap_err().contains("does not let this program see"));
    let (said, _) = say("hue-8");
    assert_eq!(said, Err(cccd_store::Failure::Passing("not-authorised")));
}

/// A web server whose one page can be changed.
struct Page {
    address: String,
    text: Arc<std::sync::Mutex<String>>,
}

impl Page {
    fn serve() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/settings.jws", listener.local_addr().unwrap());
        let text = Arc::new(std::sync::Mutex::new(String::new()));
        let shown = Arc::clone(&text);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let text = shown.lock().unwrap().clone();
                let long = text.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {long}\r\nconnection: close\r\n\r\n{text}");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { address, text }
    }

    fn shows(&self, text: &str) {
        text.clone_into(&mut self.text.lock().unwrap());
    }
}

#[test]
fn served_settings_come_into_force_by_their_signature_and_never_go_back_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("fleet.key");
    let run = |arguments: &[&str]| {
        let output =
            cccd_patience::output(&format!("cccd-agent {arguments:?}"), Command::new(AGENT).args(arguments));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), told)
    };
    let (_, public, _) = run(&["served", "key", "--out", key.to_str().unwrap()]);
    let sign = |version: &str, settings: &str| {
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, settings).unwrap();
        run(&["served", "sign", "--key", key.to_str().unwrap(), "--version", version, file.to_str().unwrap()])
    };
    let (is_signed, _, told) = sign("1", "[[caller]]\nname = 'x'\n");
    assert!(!is_signed && told.contains("caller is a desk's own"), "{told}");

    let page = Page::serve();
    let (_, first, _) = sign("1", "[readings]\nqueue = 4\n");
    page.shows(&first);
    let kept = folder.path().join("served");
    let tables = format!(
        "[served]\nurl = '{}'\nkeys = ['{}']\nfolder = '{}'\n",
        page.address,
        public.trim(),
        kept.display()
    );
    let agent = AgentUnderTest::start_with_tables(AGENT, None, "", &tables);
    agent.wait_for_log("served settings are in force version=1");
    let next = |text: &str, said: &str| {
        page.shows(text);
        agent.hang_up();
        agent.wait_for_log(said);
    };
    // One that a desk could run with, if only it had the file that is named.
    let target =
        "[[target]]\nname = 'his'\nurl = 'http://127.0.0.1:1/'\nsecret_file = '/nowhere/his.secret'\n";
    next(&sign("2", target).1, "the desk cannot start with these served settings");
    next(&first, "version 1 is older than 2");
    let (_, third, _) = sign("3", "[readings]\nqueue = 5\n");
    let (head, signature) = third.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
    next(&forged, "not signed by any of served.keys");
    next(&third, "served settings are in force version=3");
    drop(agent);

    let config = folder.path().join("operations.toml");
    std::fs::write(&config, tables).unwrap();
    let config = config.to_str().unwrap();
    let (_, status, _) = run(&["served", "status", "--config", config]);
    assert!(status.contains("in force: 3") && status.contains("kept: 1, 2, 3"), "{status}");
    // Version 2 never ran; whoever goes back past it says so twice.
    assert!(run(&["served", "roll-back", "--config", config]).0);
    assert!(run(&["served", "roll-back", "--config", config]).0);
    let (_, status, _) = run(&["served", "status", "--config", config]);
    assert!(status.contains("in force: 1") && status.contains("highest: 3"), "{status}");
    // The server still has version 3, and is not heard: the desk stays where its operator put it.
    let agent = AgentUnderTest::start_with_tables(AGENT, None, "", &std::fs::read_to_string(config).unwrap());
    agent.wait_for_log("served settings are in force version=1");
}
