//! Readings under a consumer's profile: who may, what comes, and what is kept for delivery.

use std::sync::{Arc, Mutex};

use cccd_api::{
    Admission, Api, Arrival, Deliveries, ExportWish, Exported, NoList, NotEntered, NotKept, OnTheWay,
    ProfileSource, RegisterView, Registers, RosterView,
};
use cccd_consumers::ReadyProfile;
use cccd_profiles::{Caller, ConsumerCatalogue, ConsumerProfile, Scope};
use http::Method;
use serde_json::{Value, json as value};
use tokio::sync::Notify;

use crate::desk::{Answer, CLINIC, CLINIC_ORIGIN, Desk, caller, card, empty, facts, from_clinic, json};

/// The shipped profiles, without any key, and one that is delivered.
pub(crate) struct Shelf(ConsumerCatalogue);

impl Shelf {
    pub(crate) fn new() -> Self {
        let mut catalogue = ConsumerCatalogue::shipped();
        let text = ConsumerCatalogue::shipped_text("exam").unwrap();
        let text = text.replacen("name = \"exam\"", "name = \"delivered\"\ndeliver = [\"his\"]", 1);
        catalogue.insert(ConsumerProfile::parse(&text).unwrap());
        let text = ConsumerCatalogue::shipped_text("coach-manifest").unwrap();
        let text = text.replacen("name = \"coach-manifest\"", "name = \"sent\"\ndeliver = [\"his\"]", 1);
        catalogue.insert(ConsumerProfile::parse(&text).unwrap());
        Self(catalogue)
    }
}

impl ProfileSource for Shelf {
    fn find(&self, name: &str) -> Option<Arc<ReadyProfile>> {
        let profile = self.0.find(name)?.clone();
        Some(Arc::new(ReadyProfile { profile, key: None }))
    }
}

/// Remembers what is put in, or takes nothing.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) full: bool,
    pub(crate) put: Mutex<Vec<(String, String, Value)>>,
    arrived: Notify,
}

impl Kept {
    /// Waits until so many results are kept.
    pub(crate) async fn holds(&self, wanted: usize) {
        let holds = async {
            loop {
                let more = self.arrived.notified();
                if self.put.lock().unwrap().len() >= wanted {
                    break;
                }
                more.await;
            }
        };
        let within = std::time::Duration::from_secs(120);
        tokio::time::timeout(within, holds).await.expect("the outbox holds the result");
    }
}

impl Deliveries for Kept {
    fn has(&self, target: &str) -> bool {
        target == "his"
    }

    fn put(&self, target: &str, key: &str, body: &[u8]) -> Result<(), NotKept> {
        if self.full {
            return Err(NotKept);
        }
        let mut put = self.put.lock().unwrap();
        if !put.iter().any(|(known, name, _)| known == target && name == key) {
            put.push((target.to_owned(), key.to_owned(), serde_json::from_slice(body).unwrap()));
            self.arrived.notify_one();
        }
        Ok(())
    }

    fn on_the_way(&self) -> Option<OnTheWay> {
        None
    }
}

/// A desk whose caller may read under these, and nothing else.
async fn desk(profiles: &[&str], kept: Option<Arc<Kept>>) -> Desk {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let profiles = profiles.iter().map(|name| (*name).to_owned()).collect();
    let caller = Caller { profiles, ..caller("clinic", CLINIC, CLINIC_ORIGIN, &[Scope::Presence]) };
    let api = Api::new(desk.engine.handle(), vec![caller], facts()).reading_under(Arc::new(Shelf::new()));
    let api = match kept {
        Some(kept) => api.delivering(kept),
        None => api,
    };
    desk.serving(api)
}

async fn ask(desk: &Desk, more: &Value) -> Answer {
    let mut body = value!({ "access": { "can": card().can().unwrap() } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = json(from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60"), &body);
    desk.send(request).await
}

#[tokio::test]
async fn a_profile_is_all_its_caller_needs_and_all_it_gets() {
    let desk = desk(&["coach-manifest"], None).await;
    let answer = ask(&desk, &value!({ "profile": "coach-manifest" })).await;
    let result = answer.json();
    assert_eq!(answer.status, 200, "{result}");
    let disclosure = &result["disclosure"];
    assert_eq!(disclosure["profile"], "coach-manifest");
    assert_eq!(disclosure["output"]["so_dinh_danh"], "000090123456");
    assert!(result["record"]["name"].is_null() && result["portrait"].is_null());
    let files: Vec<_> =
        result["files"].as_array().unwrap().iter().map(|file| file["file"].as_str().unwrap()).collect();
    assert!(files.contains(&"EF.DG13") && !files.contains(&"EF.DG2"), "{files:?}");
    // Without one it may read nothing.
    assert_eq!(ask(&desk, &value!({})).await.problem(), (403, "scope-missing".to_owned()));
}

#[tokio::test]
async fn what_is_not_granted_not_there_or_not_meant_is_refused() {
    let desk = desk(&["coach-manifest", "ticketing", "nowhere", "delivered"], None).await;
    for (more, status, code) in [
        (value!({ "profile": "clinic" }), 403, "profile-not-granted"),
        (value!({ "profile": "nowhere" }), 503, "profile-unavailable"),
        // Its key is not there.
        (value!({ "profile": "ticketing" }), 503, "profile-unavailable"),
        // Its target is not there.
        (value!({ "profile": "delivered" }), 503, "profile-unavailable"),
        (value!({ "profile": "coach-manifest", "portrait": true }), 400, "body-invalid"),
        (value!({ "register": { "name": "coach" } }), 400, "body-invalid"),
        (value!({ "profile": "coach-manifest", "register": "coach" }), 400, "body-invalid"),
        // There is no register of this name.
        (
            value!({ "profile": "coach-manifest", "register": { "name": "coach" } }),
            503,
            "register-unavailable",
        ),
        (value!({ "profile": "coach-manifest", "fields": ["name"] }), 400, "body-invalid"),
        (value!({ "profile": "coach-manifest", "insurance": "000090123456|A" }), 400, "body-invalid"),
        (value!({ "insurance": "DN4000000000001|41|1990|1|41" }), 400, "body-invalid"),
    ] {
        let (found, told) = ask(&desk, &more).await.problem();
        assert_eq!((found, told.as_str()), (status, code), "{more}");
    }
}

#[tokio::test]
async fn a_result_is_in_the_outbox_before_it_is_answered_and_there_once() {
    let kept = Arc::new(Kept::default());
    let desk = desk(&["sent"], Some(Arc::clone(&kept))).await;
    let answer = ask(&desk, &value!({ "profile": "sent" })).await;
    let result = answer.json();
    assert_eq!(answer.status, 200, "{result}");
    let read = result["read_id"].as_str().unwrap().to_owned();
    let again = from_clinic(Method::GET, &format!("/v1/reads/{read}/result"));
    let again = desk.send(empty(again)).await;
    assert_eq!(again.status, 200);
    let put = kept.put.lock().unwrap();
    assert_eq!(*put, [("his".to_owned(), read, result["disclosure"]["output"].clone())]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_called_done() {
    let kept = Arc::new(Kept { full: true, ..Kept::default() });
    let desk = desk(&["sent"], Some(kept)).await;
    let answer = ask(&desk, &value!({ "profile": "sent" })).await;
    assert_eq!(answer.problem(), (503, "outbox-unavailable".to_owned()));
}

/// A register of this profile; everybody has come before, or nobody can be entered.
pub(crate) struct Door {
    pub(crate) profile: &'static str,
    pub(crate) broken: bool,
    pub(crate) came: Mutex<Vec<(String, String, String)>>,
}

impl Door {
    pub(crate) fn of(profile: &'static str) -> Self {
        Self { profile, broken: false, came: Mutex::default() }
    }
}

impl Registers for Door {
    fn profile_of(&self, register: &str) -> Option<&str> {
        (register == "coach").then_some(self.profile)
    }

    fn enter(&self, arrival: &Arrival<'_>) -> Result<Admission, NotEntered> {
        let Arrival { session, read, number, .. } = arrival;
        assert!(arrival.output.is_some() && arrival.retention_days == 2);
        self.came.lock().unwrap().push(((*session).into(), (*read).into(), (*number).into()));
        if self.broken {
            return Err(NotEntered);
        }
        Ok(Admission::AlreadyIn { number: 7, since: time::macros::datetime!(2026-11-20 08:00 UTC) })
    }

    fn names(&self) -> Vec<String> {
        vec!["coach".to_owned()]
    }

    fn look(&self, _: &str) -> Result<RegisterView, NoList> {
        Err(NoList::Unavailable)
    }

    fn load_roster(&self, _: &str, _: &[u8]) -> Result<RosterView, NoList> {
        Err(NoList::Unavailable)
    }

    fn export(&self, _: &str, _: &ExportWish) -> Result<Exported, NoList> {
        Err(NoList::Unavailable)
    }
}

#[tokio::test]
async fn who_comes_is_entered_before_anybody_is_answered() {
    for broken in [false, true] {
        let door = Arc::new(Door { broken, ..Door::of("coach-manifest") });
        let desk = desk(&["coach-manifest"], None).await.with_registers(door.clone());
        let wish = value!({ "name": "coach", "session": "07:00" });
        let answer = ask(&desk, &value!({ "profile": "coach-manifest", "register": wish })).await;
        let came = door.came.lock().unwrap().clone();
        assert!(came.iter().all(|(session, _, number)| session == "07:00" && number == "000090123456"));
        assert!(!came.is_empty());
        if broken {
            assert_eq!(answer.problem(), (503, "register-unavailable".to_owned()));
            continue;
        }
        let result = answer.json();
        assert_eq!(came[0].1, result["read_id"].as_str().unwrap());
        assert_eq!(
            result["admission"],
            value!({
                "register": "coach", "session": "07:00", "code": "already-in", "number": 7, "seat": null,
                "since": "2026-11-20T08:00:00Z", "sessions": [], "differ": [],
            })
        );
    }
    let desk = desk(&["coach-manifest"], None).await.with_registers(Arc::new(Door::of("coach-manifest")));
    let long = value!({ "name": "coach", "session": "x".repeat(65) });
    let answer = ask(&desk, &value!({ "profile": "coach-manifest", "register": long })).await;
    assert_eq!(answer.problem(), (400, "body-invalid".to_owned()));
}
