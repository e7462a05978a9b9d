//! A paired page across a restart of the agent: its grant goes on, and a proof that was used stays used.

use std::process::Command;

use cccd_agent::Agent;
use cccd_patience::PATIENCE;
use cccd_profiles::AgentSettings;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::sha::sha256;
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PROGRAM, SITE, now};

/// An address of this machine that nobody else takes a port of, so that the agent comes back where it was. It goes by
/// its usual name all the same.
const LISTEN: &str = "127.77.3.9:0";

struct Desk {
    folder: TempDir,
    settings: AgentSettings,
    agent: Option<Agent>,
}

impl Desk {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "[api]\nlisten = '{LISTEN}'\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n\
             [admin]\nsocket = '{}'\n[pairing]\nenabled = true\norigins = ['{SITE}']\n",
            path("key.json"),
            path("trust"),
            path("store"),
            path("admin.sock"),
        );
        std::fs::write(folder.path().join("agent.toml"), &text).unwrap();
        let mut settings = AgentSettings::parse(&text).unwrap();
        let agent = Agent::start(&settings, Vec::new(), Vec::new()).unwrap();
        settings.api.listen = agent.address();
        Self { folder, settings, agent: Some(agent) }
    }

    fn restart(&mut self) {
        self.agent.take().unwrap().stop();
        self.agent = Some(Agent::start(&self.settings, Vec::new(), Vec::new()).unwrap());
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.settings.api.listen.port())
    }

    fn ask(&self, method: Method, path: &str, proof: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut request = client.request(method, format!("http://{}{path}", self.settings.api.listen));
        request = request.header("Host", self.host()).header("Origin", SITE);
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().unwrap();
        (answer.status().as_u16(), answer.json().unwrap())
    }

    /// The code that is shown at the desk.
    fn code(&self) -> String {
        let config = self.folder.path().join("agent.toml");
        let mut pair = Command::new(PROGRAM);
        let shown =
            cccd_patience::output("cccd-agent pair", pair.args(["pair", "--json", "--config"]).arg(config));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["pairings"][0]["code"].as_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.stop();
        }
    }
}

struct Page {
    pair: EcKey<Private>,
}

fn coded(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes).replace('+', "-").replace('/', "_").replace('=', "")
}

impl Page {
    fn new() -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self { pair: EcKey::generate(&group).unwrap() }
    }

    fn jwk(&self) -> Value {
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        self.pair.public_key().affine_coordinates(self.pair.group(), &mut x, &mut y, &mut context).unwrap();
        let padded = |number: BigNum| coded(&number.to_vec_padded(32).unwrap());
        json!({ "kty": "EC", "crv": "P-256", "x": padded(x), "y": padded(y) })
    }

    fn proof(&self, desk: &Desk, method: &Method, path: &str, jti: &str) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() }).to_string();
        let claims = json!({ "jti": jti, "htm": method.as_str(), "htu": format!("http://{}{path}", desk.host()),
            "iat": now() });
        let signed = format!("{}.{}", coded(header.as_bytes()), coded(claims.to_string().as_bytes()));
        let signature = EcdsaSig::sign(&sha256(signed.as_bytes()), &self.pair).unwrap();
        let padded = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).unwrap();
        format!("{signed}.{}", coded(&[padded(signature.r()), padded(signature.s())].concat()))
    }
}

#[test]
fn a_proof_stays_used_across_a_restart_and_its_page_stays_paired() {
    let mut desk = Desk::start();
    let page = Page::new();
    let asked = json!({ "public_key": page.jwk(), "label": "Quầy 1", "scopes": ["readers"] });
    let (status, pairing) = desk.ask(Method::POST, "/v1/pairings", None, Some(&asked));
    assert_eq!(status, 201, "{pairing}");
    let confirm = format!("/v1/pairings/{}/confirm", pairing["pairing_id"].as_str().unwrap());
    let proof = page.proof(&desk, &Method::POST, &confirm, "proof-of-the-confirmation");
    let code = json!({ "code": desk.code() });
    let (status, grant) = desk.ask(Method::POST, &confirm, Some(&proof), Some(&code));
    assert_eq!(status, 201, "{grant}");

    let readers = |desk: &Desk, proof: &str| desk.ask(Method::GET, "/v1/readers", Some(proof), None);
    let used = page.proof(&desk, &Method::GET, "/v1/readers", "proof-before-the-restart");
    assert_eq!(readers(&desk, &used).0, 200);
    desk.restart();
    let (status, problem) = readers(&desk, &used);
    assert_eq!((status, &problem["code"]), (401, &Value::from("proof-replayed")));
    let fresh = page.proof(&desk, &Method::GET, "/v1/readers", "proof-behind-the-restart");
    assert_eq!(readers(&desk, &fresh).0, 200);
}
