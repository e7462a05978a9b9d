//! What pages can do in a real browser, and what they cannot.

use std::future::Future;
use std::process::Command;
use std::sync::Arc;

use cccd_agent::Agent;
use cccd_card::{ChannelLimits, ReaderSource};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_profiles::{AgentSettings, TokenHash};
use cccd_tests::browser::{Browser, Pages};
use cccd_tests::{PAGE_TOKEN, manual};
use fantoccini::Locator;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A page that knows how to ask the agent, with a token or with a key of its own.
const PAGE: &str = r##"<!doctype html><meta charset="utf-8"><title>A page</title>
<label>Mã <input id="code" autocomplete="off"></label> <button id="confirm">Ghép</button> <output id="told"></output>
<script type="module">
const coded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const text = (value) => coded(new TextEncoder().encode(JSON.stringify(value)));
let pair, pairing;
window.makeKey = async () => {
  pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
};
window.proof = async (method, url) => {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const signed = text({ typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } }) + "." +
    text({ jti: crypto.randomUUID(), htm: method, htu: url, iat: Math.floor(Date.now() / 1000) });
  const bytes = new TextEncoder().encode(signed);
  return signed + "." + coded(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, bytes));
};
window.ask = async (method, url, body, headers = {}) => {
  if (pair) headers.DPoP ??= await proof(method, url);
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: answer.status === 204 ? null : await answer.json() };
};
window.begin = async (agent, label, scopes) => {
  await makeKey();
  const public_key = await crypto.subtle.exportKey("jwk", pair.publicKey);
  const begun = await ask("POST", agent + "/v1/pairings", { public_key, label, scopes });
  pairing = agent + "/v1/pairings/" + begun.body.pairing_id + "/confirm";
  return begun;
};
document.querySelector("#confirm").addEventListener("click", async () => {
  const answer = await ask("POST", pairing, { code: document.querySelector("#code").value });
  document.querySelector("#told").value = answer.status + " " + (answer.body.code ?? answer.body.label);
});
window.listen = async (url) => {
  const answer = await fetch(url, { headers: { DPoP: await proof("GET", url) } });
  const reader = answer.body.getReader();
  window.streamEnded = (async () => {
    try { while (!(await reader.read()).done); return "ended"; } catch (error) { return "broken: " + error; }
  })();
  return answer.status;
};
</script>"##;

/// An agent with a simulated reader, the settings it runs by, and where it listens.
struct Desk {
    agent: Option<Agent>,
    hand: InProcessReader,
    reader: cccd_card::ReaderId,
    folder: TempDir,
}

impl Desk {
    fn start(page_origin: &str, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let hash = TokenHash::of(PAGE_TOKEN).to_hex();
        let text = format!(
            "[api]\nlisten = '127.0.0.1:0'\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n\
             [store]\nfolder = '{}'\n[admin]\nsocket = '{}'\n\
             [[caller]]\nname = 'page'\ntoken_sha256 = '{hash}'\norigins = ['{page_origin}']\n{more}\n",
            path("key.json"),
            path("trust"),
            path("store"),
            path("admin.sock"),
        );
        std::fs::write(folder.path().join("agent.toml"), &text).unwrap();
        let settings = AgentSettings::parse(&text).unwrap();
        let hand = InProcessReader::new();
        let reader = hand.attach("Desk 1", ChannelLimits::EXTENDED).unwrap();
        let sources: Vec<Arc<dyn ReaderSource>> = vec![Arc::new(hand.clone())];
        let agent = Agent::start(&settings, sources, Vec::new()).unwrap();
        Self { agent: Some(agent), hand, reader, folder }
    }

    fn address(&self) -> String {
        format!("http://{}", self.agent.as_ref().unwrap().address())
    }

    fn port(&self) -> u16 {
        self.agent.as_ref().unwrap().address().port()
    }

    fn lay_card(&self) {
        let card = shipped_card("cccd-2021").unwrap().description().unwrap();
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        self.hand.insert(&self.reader, Chip::new(image)).unwrap();
    }

    /// What the command line of the same program says.
    fn command(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.output(arguments)).unwrap_or(Value::Null)
    }

    fn output(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-under-test"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("agent.toml"));
        let output = cccd_patience::output("the command", &mut command);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The same as text.
    fn command_text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.output(arguments)).unwrap()
    }

    /// Waits until a reading waits for its card.
    fn wait_for_a_reading_in_line(&self) {
        // Each question is a process of its own, so that this turns in no tight circle.
        for _ in 0..1000 {
            if self.command_text(&["status", "--metrics"]).contains("cccd_queue 1\n") {
                return;
            }
        }
        panic!("no reading waits");
    }

    /// The code of the one pairing that waits.
    fn code(&self) -> String {
        let waiting = self.command(&["pair", "--json"]);
        assert_eq!(waiting["pairings"].as_array().unwrap().len(), 1, "{waiting}");
        waiting["pairings"][0]["code"].as_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            // In the middle of a runtime, which the agent's own cannot be stopped in.
            tokio::task::block_in_place(|| agent.stop());
        }
    }
}

fn in_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

fn reading() -> Value {
    let card = shipped_card("cccd-2021").unwrap().description().unwrap();
    json!({ "access": { "can": card.can().unwrap() }, "wait_for_card_s": 60 })
}

/// Opens a page and waits until its script has run.
async fn open(browser: &Browser, address: &str) {
    browser.show(address).await;
    browser.run("while (!window.ask) await new Promise(requestAnimationFrame);", vec![]).await;
}

/// Types a code into the page as a person does, and gives what the page says then.
async fn type_code(browser: &Browser, code: &str) -> String {
    let client = browser.client();
    browser.run("document.querySelector('#told').value = ''", vec![]).await;
    let field = client.find(Locator::Css("#code")).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(code).await.unwrap();
    client.find(Locator::Css("#confirm")).await.unwrap().click().await.unwrap();
    let told = "const told = document.querySelector('#told');
        while (!told.value) await new Promise(requestAnimationFrame); return told.value;";
    browser.run(told, vec![]).await.as_str().unwrap().to_owned()
}

#[test]
fn a_page_of_the_settings_reads_a_card_and_any_other_page_is_refused() {
    in_a_runtime(async {
        let (page, foreign) = (Pages::serve(PAGE).await, Pages::serve(PAGE).await);
        let desk = tokio::task::block_in_place(|| Desk::start(&page.origin(), ""));
        desk.lay_card();
        let browser = Browser::start("MAP evil.example 127.0.0.1").await;
        let read = "return await ask('POST', given[0] + '/v1/reads', given[1], \
            { Authorization: 'Bearer ' + given[2], Prefer: 'wait=60' })";
        let given = || vec![json!(desk.address()), reading(), json!(PAGE_TOKEN)];

        open(&browser, &page.origin()).await;
        let answer = browser.run(read, given()).await;
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["body"]["record"]["name"]["value"], "Nguyễn Văn Mẫu");

        // The same script with the same token, from another port: another origin.
        open(&browser, &foreign.origin()).await;
        let answer = browser.run(read, given()).await;
        assert_eq!(answer["thrown"], "TypeError: Failed to fetch", "{answer}");
        // Without CORS a page may send a request and see nothing of the answer; here it may not even know that there is
        // one, and nothing is started.
        let blind = "await fetch(given[0] + '/v1/reads', { method: 'POST', mode: 'no-cors', \
            headers: { 'Content-Type': 'text/plain' }, body: JSON.stringify(given[1]) })";
        assert_eq!(browser.run(blind, given()).await["thrown"], "TypeError: Failed to fetch");

        // A name of somebody else's that leads here: what DNS rebinding comes in by.
        let rebound = format!("http://evil.example:{}", desk.port());
        browser.show(&format!("{rebound}/v1/readers")).await;
        let shown = browser.client().source().await.unwrap();
        assert!(shown.contains("host-not-allowed"), "{shown}");
        open(&browser, &format!("http://evil.example:{}", page.port())).await;
        let answer = browser.run(read, vec![json!(rebound), reading(), json!(PAGE_TOKEN)]).await;
        assert_eq!(answer["thrown"], "TypeError: Failed to fetch", "{answer}");

        browser.close().await;
        let metrics = desk.command_text(&["status", "--metrics"]);
        assert!(metrics.contains("cccd_readings_total{outcome=\"completed\"} 1\n"), "{metrics}");
    });
}

#[test]
fn a_page_is_paired_by_a_typed_code_and_stopped_at_once_when_its_grant_is_taken_back() {
    in_a_runtime(async {
        let page = Pages::serve(PAGE).await;
        let desk = tokio::task::block_in_place(|| {
            Desk::start("https://his.example.vn", "[pairing]\nenabled = true\n")
        });
        let agent = desk.address();
        let browser = Browser::start("").await;
        open(&browser, &page.origin()).await;
        let begin = "return await begin(given[0], 'Quầy 1', ['readers', 'presence', 'read.id'])";
        let begun = browser.run(begin, vec![json!(agent)]).await;
        assert_eq!(begun["status"], 201, "{begun}");

        // The key alone opens nothing.
        let readers = "return await ask('GET', given[0] + '/v1/readers')";
        let answer = browser.run(readers, vec![json!(agent)]).await;
        assert_eq!((&answer["status"], &answer["body"]["code"]), (&json!(401), &json!("pairing-required")));

        let code = desk.code();
        let wrong = if code.starts_with('0') { "100000" } else { "000000" };
        assert_eq!(type_code(&browser, wrong).await, "403 pairing-code-wrong");
        assert_eq!(type_code(&browser, &code).await, "201 Quầy 1");

        // Reads a card, and gets what it was let in for and nothing beside.
        desk.lay_card();
        let read = "return await ask('POST', given[0] + '/v1/reads', given[1], { Prefer: 'wait=60' })";
        let answer = browser.run(read, vec![json!(agent), reading()]).await;
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(answer["body"]["record"]["name"]["value"], "Nguyễn Văn Mẫu");
        assert!(
            answer["body"]["portrait"].is_null() && answer["body"]["record"]["residence"].is_null(),
            "{answer}"
        );
        let result = format!("{agent}/v1/reads/{}/result", answer["body"]["read_id"].as_str().unwrap());

        // A proof is good once.
        let twice = "const url = given[0] + '/v1/readers'; const DPoP = await proof('GET', url); \
            return [await ask('GET', url, null, { DPoP }), await ask('GET', url, null, { DPoP })]";
        let answers = browser.run(twice, vec![json!(agent)]).await;
        assert_eq!(answers[0]["status"], 200, "{answers}");
        assert_eq!(
            (&answers[1]["status"], &answers[1]["body"]["code"]),
            (&json!(401), &json!("proof-replayed"))
        );

        // A stream is open, a reading waits for its card, and then the grant is taken back at the desk.
        desk.hand.remove(&desk.reader).unwrap();
        let listening = browser.run("return await listen(given[0] + '/v1/events')", vec![json!(agent)]).await;
        assert_eq!(listening, 200);
        let wait = "window.waiting = ask('POST', given[0] + '/v1/reads', given[1], { Prefer: 'wait=60' })
            .catch((error) => ({ thrown: String(error) }));";
        browser.run(wait, vec![json!(agent), reading()]).await;
        desk.wait_for_a_reading_in_line();
        let grants = desk.command(&["grants", "list", "--json"]);
        let grant = &grants["grants"][0];
        assert_eq!((&grant["label"], &grant["origin"]), (&json!("Quầy 1"), &json!(page.origin())));
        desk.command(&["grants", "revoke", grant["grant_id"].as_str().unwrap()]);

        let ended = browser.run("return await streamEnded", vec![]).await;
        assert!(
            ended.as_str().is_some_and(|ended| ended == "ended" || ended.starts_with("broken")),
            "{ended}"
        );
        let waited = browser.run("return await waiting", vec![]).await;
        assert_ne!(waited["status"], 200, "{waited}");
        for ask in [
            "return await ask('GET', given[0] + '/v1/readers')",
            "return await ask('GET', given[1])",
            "return await ask('GET', given[0] + '/v1/grants/self')",
        ] {
            let answer = browser.run(ask, vec![json!(agent), json!(result)]).await;
            assert_eq!(
                (&answer["status"], &answer["body"]["code"]),
                (&json!(401), &json!("pairing-required")),
                "{ask}"
            );
        }
        browser.close().await;
    });
}

/// A page of an intranet that came over plain http: it has no keys, and asks the agent's window to read.
const INTRANET: &str = r##"<!doctype html><meta charset="utf-8"><title>Intranet</title>
<button id="open">Đọc thẻ</button> <output id="heard"></output>
<script>
const agent = new URLSearchParams(location.search).get("agent");
window.ask = true;
document.querySelector("#open").onclick = () => {
  window.open(agent + "/handoff?state=desk-4&origin=" + location.origin, "cccd", "popup,width=700,height=760");
};
window.addEventListener("message", (event) => {
  if (event.origin !== agent) return;
  const { source, state, type, result } = event.data;
  document.querySelector("#heard").value = JSON.stringify(
    { source, state, type, name: result?.record.name.value, portrait: result?.portrait ?? null });
});
</script>"##;

/// A picture of what the browser shows, where somebody wants to look at it.
async fn picture(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("CCCD_SCREENSHOTS") {
        let picture = browser.client().screenshot().await.unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
    }
}

/// Waits until a step of the hand-off window is shown.
async fn step(browser: &Browser, name: &str) {
    let shown = "while (document.querySelector(`section[data-step='${given[0]}']`)?.hidden !== false)
        await new Promise(requestAnimationFrame);";
    browser.run(shown, vec![json!(name)]).await;
}

#[test]
fn the_hand_off_window_reads_for_a_page_that_cannot_and_tells_that_page_alone() {
    in_a_runtime(async {
        let page = Pages::serve(INTRANET).await;
        let site = format!("http://his.intranet:{}", page.port());
        let handoff = format!(
            "[[handoff]]\norigin = '{site}'\nname = 'Bệnh viện Mẫu'\npurpose_vi = 'Điền tên vào phiếu khám'\n\
             purpose_en = 'Fill the name into the visit form'\nscopes = ['read.id']\n"
        );
        let desk = tokio::task::block_in_place(|| Desk::start("https://his.example.vn", &handoff));
        let agent = desk.address();
        let browser = Browser::start("MAP his.intranet 127.0.0.1").await;
        let client = browser.client();
        open(&browser, &format!("{site}/?agent={agent}")).await;
        // It has no keys, and the agent lets nothing of it in.
        let alone = "try { await fetch(given[0] + '/v1/readers'); return 'in'; } catch { return typeof crypto.subtle; }";
        assert_eq!(browser.run(alone, vec![json!(agent)]).await, "undefined");

        let asking = client.window().await.unwrap();
        client.find(Locator::Css("#open")).await.unwrap().click().await.unwrap();
        let window = loop {
            let windows = client.windows().await.unwrap();
            if let Some(window) = windows.into_iter().find(|window| *window != asking) {
                break window;
            }
        };
        client.switch_to_window(window).await.unwrap();
        step(&browser, "pair").await;
        let shown = client.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
        for told in
            ["Bệnh viện Mẫu", &site, "Điền tên vào phiếu khám", "Fill the name", "number, name, birth"]
        {
            assert!(shown.contains(told), "{told} is not in {shown}");
        }
        assert!(!shown.contains("chân dung"), "{shown}");

        // Once for each site and browser, by the code at the desk.
        client.find(Locator::Css("#pair")).await.unwrap().click().await.unwrap();
        let field =
            "while (document.querySelector('#code-form').hidden) await new Promise(requestAnimationFrame);";
        browser.run(field, vec![]).await;
        picture(&browser, "handoff-pair.png").await;
        client.find(Locator::Css("#code")).await.unwrap().send_keys(&desk.code()).await.unwrap();
        client.find(Locator::Css("#code-form button")).await.unwrap().click().await.unwrap();
        step(&browser, "read").await;

        desk.lay_card();
        let can = shipped_card("cccd-2021").unwrap().description().unwrap().can().unwrap().to_string();
        client.find(Locator::Css("#access")).await.unwrap().send_keys(&can).await.unwrap();
        picture(&browser, "handoff-read.png").await;
        client.find(Locator::Css("#read")).await.unwrap().click().await.unwrap();
        step(&browser, "done").await;
        client.switch_to_window(asking).await.unwrap();
        let heard =
            "while (!document.querySelector('#heard').value) await new Promise(requestAnimationFrame);
            return JSON.parse(document.querySelector('#heard').value);";
        let heard = browser.run(heard, vec![]).await;
        let due = json!({ "source": "cccd-agent", "state": "desk-4", "type": "result", "name": "Nguyễn Văn Mẫu",
            "portrait": null });
        assert_eq!(heard, due);

        // A page that is not listed, and the window by itself.
        browser.show(&format!("{agent}/handoff?origin=http://other.intranet")).await;
        assert!(client.source().await.unwrap().contains("handoff-not-allowed"));
        browser.show(&format!("{agent}/handoff?origin={site}")).await;
        step(&browser, "alone").await;
        browser.close().await;
    });
}

/// The page of the JavaScript client's manual, as it stands there but for the agent's address.
#[test]
fn the_javascript_client_pairs_reads_and_listens_with_a_key_the_page_cannot_take_out() {
    in_a_runtime(async {
        let desk = tokio::task::block_in_place(|| {
            Desk::start("https://nobody.example", "[pairing]\nenabled = true")
        });
        let printed = manual::blocks("clients/js/README.md", "html").concat();
        let url = format!("CccdAgent({{ url: '{}', ", desk.address());
        let page = printed.replace("CccdAgent({ ", &url);
        assert_ne!(page, printed);
        let script = std::fs::read_to_string(manual::repository("clients/js/cccd-agent.js")).unwrap();
        let page =
            Pages::serve_with_client(format!("<!doctype html><meta charset=utf-8>{page}"), script).await;
        let browser = Browser::start("").await;
        let shown = async || {
            browser.show(&page.origin()).await;
            browser.run("while (!window.ready) await new Promise(requestAnimationFrame);", vec![]).await;
        };
        shown().await;
        let code = tokio::task::block_in_place(|| desk.code());
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let problem = cccd_api::Problem::find("pairing-code-wrong").unwrap();
        assert_eq!(type_code(&browser, wrong).await, format!("{} (2)", problem.title.vi));
        // As it is shown, in two halves.
        let halves = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(type_code(&browser, &halves).await, "Quầy 1");

        // The same page, loaded anew: its key is the browser's, and nobody takes it out.
        shown().await;
        let kept = "const { PageKey } = await import('/cccd-agent.js');
            const base = await new Promise((done) => {
                const opening = indexedDB.open('cccd-agent');
                opening.onsuccess = () => done(opening.result);
            });
            const pair = await new Promise((done) => {
                const asking = base.transaction('keys').objectStore('keys').get('page');
                asking.onsuccess = () => done(asking.result);
            });
            const taken = await crypto.subtle.exportKey('pkcs8', pair.privateKey).then(() => 'taken', (e) => e.name);
            const same = (await (await PageKey.open()).publicJwk()).x;
            return [taken, same === (await crypto.subtle.exportKey('jwk', pair.publicKey)).x, ready.grant.scopes];";
        let scopes = json!(["readers", "presence", "read.id", "photo"]);
        assert_eq!(browser.run(kept, vec![]).await, json!(["InvalidAccessError", true, scopes]));
        tokio::task::block_in_place(|| desk.lay_card());
        let read = "let steps = 0;
            const result = await ready.agent.read(given[0], { onProgress: () => { steps += 1; } });
            const face = await ready.agent.portrait(result.read_id);
            return [result.record.name.value, result.record.residence, face.type, steps > 0];";
        let result = browser.run(read, vec![reading()]).await;
        assert_eq!(result, json!(["Nguyễn Văn Mẫu", null, "image/jpeg", true]));

        // Two proofs for two requests; one that is shown again is none.
        let replayed = "const url = ready.agent.url + '/v1/readers';
            const { PageKey } = await import('/cccd-agent.js');
            const headers = await (await PageKey.open()).authorize({ method: 'GET', url });
            const answers = [];
            for (const _ of [1, 2]) answers.push((await fetch(url, { headers })).status);
            return answers;";
        assert_eq!(browser.run(replayed, vec![]).await, json!([200, 401]));

        // Taken back at the desk: the stream ends with it, and nothing is answered any more.
        let listen = "window.heard = (async () => {
                for await (const event of ready.agent.events({ lastEventId: 0 })) window.events = (window.events ?? 0) + 1;
            })().then(() => 'ended', (error) => error.code);
            while (!window.events) await new Promise(requestAnimationFrame);";
        browser.run(listen, vec![]).await;
        tokio::task::block_in_place(|| {
            let grants = desk.command(&["grants", "list", "--json"]);
            let id = grants["grants"][0]["grant_id"].as_str().unwrap().to_owned();
            desk.command_text(&["grants", "revoke", &id]);
        });
        assert_eq!(browser.run("return await window.heard", vec![]).await, "pairing-required");
        let refused = "return await ready.agent.readers().catch((error) => error.code)";
        assert_eq!(browser.run(refused, vec![]).await, "pairing-required");
        browser.close().await;
    });
}
