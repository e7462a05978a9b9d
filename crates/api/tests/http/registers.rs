//! Registers over the API: counted, loaded, taken away, and only by whom the settings name.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use cccd_api::{
    Admission, Api, Arrival, ExportFormat, ExportList, ExportWish, Exported, NoList, NotEntered,
    RegisterView, Registers, RosterView, SessionCount,
};
use cccd_profiles::{Caller, Scope};
use cccd_store::{EntryKind, Scribe, Store};
use http::{Method, StatusCode};
use serde_json::{Value, json as value};
use time::macros::{date, datetime};
use zeroize::Zeroizing;

use crate::desk::{
    Answer, CLINIC, CLINIC_ORIGIN, Desk, KIOSK, NOTARY, NOTARY_ORIGIN, caller, empty, facts, from, json,
};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// An office: two registers, of which one has a roster.
#[derive(Default)]
struct Office {
    loaded: Mutex<Vec<Vec<u8>>>,
    asked: Mutex<Vec<ExportWish>>,
}

impl Registers for Office {
    fn profile_of(&self, _: &str) -> Option<&str> {
        None
    }

    fn enter(&self, _: &Arrival<'_>) -> Result<Admission, NotEntered> {
        Err(NotEntered)
    }

    fn names(&self) -> Vec<String> {
        vec!["exam".to_owned(), "coach".to_owned()]
    }

    fn look(&self, register: &str) -> Result<RegisterView, NoList> {
        let roster = RosterView { candidates: 3, sessions: vec!["Sáng".to_owned(), "Chiều".to_owned()] };
        let came = SessionCount {
            session: "Sáng".to_owned(),
            entries: 2,
            first: datetime!(2026-11-20 08:00 UTC),
            last: datetime!(2026-11-20 08:05 UTC),
        };
        Ok(match register {
            "exam" => RegisterView { profile: "exam".into(), roster: Some(roster), sessions: vec![came] },
            _ => RegisterView { profile: "coach-manifest".into(), roster: None, sessions: vec![] },
        })
    }

    fn load_roster(&self, register: &str, file: &[u8]) -> Result<RosterView, NoList> {
        if register == "coach" {
            return Err(NoList::Impossible("the settings name no roster of this register"));
        }
        if !file.starts_with(b"SBD") {
            return Err(NoList::Unusable("row 2: there is no name".to_owned()));
        }
        self.loaded.lock().unwrap().push(file.to_vec());
        Ok(RosterView { candidates: 1, sessions: vec![String::new()] })
    }

    fn export(&self, _: &str, wish: &ExportWish) -> Result<Exported, NoList> {
        self.asked.lock().unwrap().push(wish.clone());
        match wish.session.as_deref() {
            Some("Tối") => Err(NoList::Impossible("the roster has no such session")),
            _ => Ok(Exported { file: Zeroizing::new(b"Nguyen Van Mau".to_vec()), rows: 1 }),
        }
    }
}

struct Door {
    desk: Desk,
    office: Arc<Office>,
    scribe: Scribe,
}

impl Door {
    /// The clinic looks after registers and reads no card, the notary reads cards, the kiosk counts.
    fn open() -> Self {
        let now = datetime!(2026-11-29 08:00 UTC);
        let store = Store::in_memory(now).unwrap();
        let scribe = Scribe::start(store, Arc::new(move || now)).unwrap();
        let office = Arc::new(Office::default());
        let desk = Desk::bare();
        let api = Api::new(desk.engine.handle(), callers(), facts());
        let api = api.entering_in(office.clone()).keeping(scribe.clone());
        Self { desk: desk.serving(api), office, scribe }
    }

    async fn load(&self, token: &str, id: &str, media_type: &str, file: impl Into<Body>) -> Answer {
        let request = from(token, Method::POST, &format!("/v1/registers/{id}/roster"));
        self.desk.send(request.header("content-type", media_type).body(file.into()).unwrap()).await
    }

    async fn export(&self, token: &str, id: &str, body: &Value) -> Answer {
        self.desk.send(json(from(token, Method::POST, &format!("/v1/registers/{id}/exports")), body)).await
    }

    /// The id of a register, as the list tells it.
    async fn id(&self, name: &str) -> String {
        let list = self.desk.send(empty(from(KIOSK, Method::GET, "/v1/registers"))).await.json();
        let registers = list["registers"].as_array().unwrap();
        let found = registers.iter().find(|register| register["name"] == name).unwrap();
        found["register_id"].as_str().unwrap().to_owned()
    }

    /// What the audit chain says of this kind.
    fn entered(&self, kind: EntryKind) -> Vec<cccd_store::Entry> {
        self.scribe.settle();
        let entries = self.scribe.store().audit().after(0, 100).unwrap();
        entries.into_iter().map(|recorded| recorded.entry).filter(|entry| entry.kind == kind).collect()
    }
}

fn callers() -> Vec<Caller> {
    vec![
        caller("clinic", CLINIC, CLINIC_ORIGIN, &[Scope::RegistersLoad, Scope::RegistersExport]),
        // Of what registers take nobody has anything that is not named.
        caller("notary", NOTARY, NOTARY_ORIGIN, &[]),
        caller("kiosk", KIOSK, CLINIC_ORIGIN, &[Scope::Registers]),
    ]
}

#[tokio::test]
async fn registers_are_counted_and_nobody_is_named() {
    let door = Door::open();
    let answer = door.desk.send(empty(from(KIOSK, Method::GET, "/v1/registers"))).await;
    answer.assert_guarded();
    let list = answer.json();
    let exam = &list["registers"][0];
    assert_eq!((&exam["name"], &exam["profile"]), (&value!("exam"), &value!("exam")));
    assert_eq!(exam["roster"], value!({ "candidates": 3, "sessions": ["Sáng", "Chiều"] }));
    assert_eq!(
        exam["sessions"],
        value!([{ "session": "Sáng", "entries": 2,
            "first_at": "2026-11-20T08:00:00Z", "last_at": "2026-11-20T08:05:00Z" }])
    );
    assert_eq!(list["registers"][1]["roster"], Value::Null);
    let id = exam["register_id"].as_str().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // Whoever looks after registers alone reads no card.
    let me = door.desk.send(empty(from(CLINIC, Method::GET, "/v1/caller"))).await.json();
    assert_eq!(me["scopes"], value!(["registers.load", "registers.export"]));
}

#[tokio::test]
async fn each_of_the_three_takes_its_own_scope() {
    let door = Door::open();
    let id = door.id("exam").await;
    let list = |token| empty(from(token, Method::GET, "/v1/registers"));
    let wish = value!({ "list": "entries", "format": "csv" });
    for token in [CLINIC, NOTARY] {
        assert_eq!(door.desk.send(list(token)).await.problem(), (403, "scope-missing".to_owned()));
    }
    for token in [KIOSK, NOTARY] {
        assert_eq!(door.load(token, &id, "text/csv", "SBD").await.problem().1, "scope-missing");
        assert_eq!(door.export(token, &id, &wish).await.problem().1, "scope-missing");
        // Whether or not there is such a register.
        assert_eq!(door.export(token, "0000000000000000", &wish).await.problem().1, "scope-missing");
    }
    assert!(door.office.loaded.lock().unwrap().is_empty() && door.office.asked.lock().unwrap().is_empty());
    assert!(door.entered(EntryKind::RegisterExported).is_empty());
}

#[tokio::test]
async fn a_list_is_a_download_and_the_chain_says_who_took_it() {
    let door = Door::open();
    let id = door.id("exam").await;
    for (format, media_type, file) in
        [("csv", "text/csv; charset=utf-8", "register.csv"), ("xlsx", XLSX, "register.xlsx")]
    {
        let wish = value!({
            "list": "attendance", "format": format, "session": "Sáng",
        });
        let answer = door.export(CLINIC, &id, &wish).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.assert_guarded();
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{file}\""));
        assert_eq!(&answer.body[..], b"Nguyen Van Mau");
    }
    let by_day = value!({ "list": "entries", "format": "csv", "day": "2026-11-20" });
    assert_eq!(door.export(CLINIC, &id, &by_day).await.status, StatusCode::OK);
    let asked = door.office.asked.lock().unwrap().clone();
    assert_eq!(asked[0].session.as_deref(), Some("Sáng"));
    let last = ExportWish {
        list: ExportList::Entries,
        session: None,
        day: Some(date!(2026 - 11 - 20)),
        format: ExportFormat::Csv,
    };
    assert_eq!(asked[2], last);
    let entered = door.entered(EntryKind::RegisterExported);
    assert_eq!(entered.len(), 3);
    let first = &entered[0];
    assert_eq!((first.caller.as_deref(), first.caller_kind.as_deref()), (Some("clinic"), Some("program")));
    let told = |name: &str| first.more.get(name).map(String::as_str);
    assert_eq!(
        (told("register"), told("list"), told("format"), told("rows")),
        (Some("exam"), Some("attendance"), Some("csv"), Some("1"))
    );
    assert!(!format!("{entered:?}").contains("Mau"));
}

#[tokio::test]
async fn a_roster_is_taken_in_one_form_only_and_within_bounds() {
    let door = Door::open();
    let (exam, coach) = (door.id("exam").await, door.id("coach").await);
    let answer = door.load(CLINIC, &exam, "text/csv; charset=utf-8", "SBD;...").await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, value!({ "candidates": 1, "sessions": [""] }))
    );
    assert_eq!(door.load(CLINIC, &exam, XLSX, "SBD as if it were one").await.status, StatusCode::OK);
    let large = vec![b'S'; 8 * 1024 * 1024 + 1];
    for (id, media_type, file, refused) in [
        (&exam, "text/plain", b"SBD".to_vec(), (415, "media-type-unsupported")),
        (&exam, "text/csv; charset=utf-16", b"SBD".to_vec(), (415, "media-type-unsupported")),
        (&exam, "application/json", b"{}".to_vec(), (415, "media-type-unsupported")),
        (&exam, "text/csv", large, (413, "body-too-large")),
        (&exam, "text/csv", b"nonsense".to_vec(), (422, "roster-invalid")),
        (&coach, "text/csv", b"SBD".to_vec(), (409, "export-impossible")),
    ] {
        let answer = door.load(CLINIC, id, media_type, file).await;
        assert_eq!(answer.problem(), (refused.0, refused.1.to_owned()));
    }
    let row = door.load(CLINIC, &exam, "text/csv", "nonsense").await.json();
    assert_eq!(row["detail"], "row 2: there is no name");
    for unknown in ["0000000000000000", "exam", "%2e%2e"] {
        let answer = door.load(CLINIC, unknown, "text/csv", "SBD").await;
        assert_eq!(answer.problem(), (404, "register-not-found".to_owned()), "{unknown}");
    }
    assert_eq!(door.office.loaded.lock().unwrap().len(), 2);
    let entered = door.entered(EntryKind::RosterLoaded);
    assert_eq!(entered.len(), 2, "what was refused changed nothing");
    assert_eq!(entered[0].caller.as_deref(), Some("clinic"));
}

#[tokio::test]
async fn a_list_that_cannot_be_made_is_refused_and_nothing_is_said_of_anybody() {
    let door = Door::open();
    let id = door.id("exam").await;
    for (wish, refused) in [
        (value!({ "list": "entries" }), (400, "body-invalid")),
        (value!({ "format": "csv" }), (400, "body-invalid")),
        (value!({ "list": "persons", "format": "csv" }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "pdf" }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "csv", "day": "20/11/2026" }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "csv", "day": "2026-02-30" }), (400, "body-invalid")),
        (value!({ "list": "attendance", "format": "csv", "day": "2026-11-20" }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "csv", "session": "x".repeat(65) }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "csv", "session": null }), (400, "body-invalid")),
        (value!({ "list": "entries", "format": "csv", "number": "000090123456" }), (400, "body-invalid")),
        (value!({ "list": "attendance", "format": "csv", "session": "Tối" }), (409, "export-impossible")),
    ] {
        let answer = door.export(CLINIC, &id, &wish).await;
        assert_eq!(answer.problem(), (refused.0, refused.1.to_owned()), "{wish}");
    }
    let unknown = door.export(CLINIC, "exam", &value!({ "list": "entries", "format": "csv" })).await;
    assert_eq!(unknown.problem(), (404, "register-not-found".to_owned()));
    assert!(door.entered(EntryKind::RegisterExported).is_empty());
    // Where nobody could find out who took it, nothing is to be had.
    let desk = Desk::bare();
    let api = Api::new(desk.engine.handle(), callers(), facts()).entering_in(Arc::new(Office::default()));
    let unwitnessed = Door { desk: desk.serving(api), ..Door::open() };
    let answer = unwitnessed.export(CLINIC, &id, &value!({ "list": "entries", "format": "csv" })).await;
    assert_eq!(answer.problem(), (503, "register-unavailable".to_owned()));
}
