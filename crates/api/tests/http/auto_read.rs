//! Readings that begin by themselves for the holder of a lease: a code and a card, whichever comes first.

use std::sync::Arc;

use cccd_api::Api;
use cccd_card::{ReaderId, ScannerId, TransportError};
use cccd_engine::{CallerId, EventKind, Occasion, ReadFailure, ReadId, ScanId, Subscription};
use cccd_firmware_sim::reader::in_process::{Fault, FaultPlan};
use cccd_patience::soon;
use cccd_profiles::{Caller, Scope};
use http::{Method, StatusCode};
use serde_json::{Value, json as value};

use crate::desk::{
    Answer, CLINIC, CLINIC_ORIGIN, Desk, KIOSK, NOTARY, NOTARY_ORIGIN, caller, card, empty, facts, from,
    from_clinic, json,
};
use crate::profiles::{Door, Kept, Shelf};

struct Kiosk {
    desk: Desk,
    reader: ReaderId,
    scanner: ScannerId,
    events: Subscription,
}

impl Kiosk {
    /// A reader, a scanner, and what the clinic hears.
    async fn new() -> Self {
        Self::at(Desk::simulated()).await
    }

    async fn at(desk: Desk) -> Self {
        let reader = desk.plug_in("Lane 0").await;
        let mut events = desk.engine.handle().subscribe(CallerId::new("clinic"), None).await.unwrap();
        let scanner = desk.scanner.attach("Desk 1");
        let is_attached = |kind: &EventKind| matches!(kind, EventKind::ScannerAttached { .. });
        while !is_attached(&soon("the scanner", events.coming.recv()).await.unwrap().kind) {}
        Self { desk, reader, scanner, events }
    }

    async fn lease(&self, token: &str, auto_read: Value) -> Answer {
        let body = value!({ "seconds": 60, "auto_read": auto_read });
        self.desk.send(json(from(token, Method::POST, "/v1/readers/lane-0/lease"), &body)).await
    }

    async fn next<T>(&mut self, wanted: impl Fn(&EventKind) -> Option<T>) -> T {
        loop {
            if let Some(found) =
                wanted(&soon("the event that was wanted", self.events.coming.recv()).await.unwrap().kind)
            {
                return found;
            }
        }
    }

    async fn scan(&mut self, text: &str) -> ScanId {
        self.desk.scanner.show(&self.scanner, text.as_bytes());
        self.next(|kind| match kind {
            EventKind::ScanReceived { scan, .. } => Some(*scan),
            _ => None,
        })
        .await
    }

    async fn scan_the_card(&mut self) -> ScanId {
        self.scan(&card().qr_text().unwrap()).await
    }

    async fn lay(&mut self) {
        self.desk.lay_card(&self.reader).await;
        self.next(|kind| matches!(kind, EventKind::CardInserted { .. }).then_some(())).await;
    }

    async fn lift(&mut self) {
        self.desk.hand.remove(&self.reader).unwrap();
        self.next(|kind| matches!(kind, EventKind::CardRemoved { .. }).then_some(())).await;
    }

    /// The next reading that begins, and what it began for.
    async fn begun(&mut self) -> (ReadId, Option<Occasion>) {
        self.next(|kind| match kind {
            EventKind::ReadQueued { read, occasion } => Some((*read, occasion.clone())),
            _ => None,
        })
        .await
    }

    async fn over(&mut self, of: ReadId) -> Result<(), ReadFailure> {
        self.next(|kind| match kind {
            EventKind::ReadCompleted { read } if *read == of => Some(Ok(())),
            EventKind::ReadFailed { read, failure } if *read == of => Some(Err(*failure)),
            _ => None,
        })
        .await
    }

    /// Waits until the engine has done all that it was told so far, and tells whether a reading of the clinic's began.
    async fn has_begun(&mut self) -> bool {
        self.desk.engine.handle().readers().await.unwrap();
        let mut begun = false;
        while let Ok(event) = self.events.coming.try_recv() {
            begun |= matches!(event.kind, EventKind::ReadQueued { .. });
        }
        begun
    }

    async fn result(&self, token: &str, read: ReadId) -> Answer {
        self.desk.send(empty(from(token, Method::GET, &format!("/v1/reads/{read}/result")))).await
    }
}

#[tokio::test]
async fn a_code_and_a_card_make_one_reading_whichever_comes_first() {
    let mut kiosk = Kiosk::new().await;
    let taken = kiosk.lease(CLINIC, value!({ "portrait": false, "scanner": "desk-1" })).await;
    assert_eq!((taken.status, &taken.json()["auto_read"]), (StatusCode::OK, &value!(true)));
    for card_first in [false, true, false] {
        let scan = if card_first {
            kiosk.lay().await;
            assert!(!kiosk.has_begun().await, "without a code there is nothing to open it with");
            kiosk.scan_the_card().await
        } else {
            let scan = kiosk.scan_the_card().await;
            assert!(!kiosk.has_begun().await, "no card lies there");
            kiosk.lay().await;
            scan
        };
        let (read, occasion) = kiosk.begun().await;
        assert_eq!(occasion, Some(Occasion { reader: kiosk.reader.clone(), scan }));
        assert_eq!(kiosk.over(read).await, Ok(()));
        // It is the holder's, and as thin as any other until it is fetched.
        let result = kiosk.result(CLINIC, read).await;
        result.assert_guarded();
        assert_eq!(result.json()["record"]["number"]["value"], "000090123456");
        assert_eq!(result.json()["scan_agrees"], true);
        assert_eq!(result.json()["portrait"], Value::Null);
        assert_eq!(kiosk.result(NOTARY, read).await.problem().1, "read-not-found");

        // The scanner tells the code once more: the card was read, and nobody else's is read with it.
        kiosk.scan_the_card().await;
        assert!(!kiosk.has_begun().await);
        kiosk.lift().await;
        kiosk.lay().await;
        assert!(!kiosk.has_begun().await, "each scan and insertion make one reading");
        kiosk.lift().await;
    }
}

#[tokio::test]
async fn a_scan_serves_until_a_card_was_read_with_it_or_refused_it() {
    let mut kiosk = Kiosk::new().await;
    kiosk.lease(CLINIC, value!({})).await;
    kiosk.scan_the_card().await;
    let held = Fault::Fail(TransportError::HeldElsewhere);
    // Another program has the card: the same code opens the card when it is laid down anew.
    kiosk.desk.hand.plan_faults(&kiosk.reader, FaultPlan::default().at(5, held)).unwrap();
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    assert_eq!(kiosk.over(read).await, Err(ReadFailure::HeldElsewhere));
    assert!(!kiosk.has_begun().await, "nothing is tried again by itself while the card lies there");
    kiosk.lift().await;
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    assert_eq!(kiosk.over(read).await, Ok(()));
    kiosk.lift().await;

    // Another card's code: this card refuses it, and is not asked again with it.
    let other = card().qr_text().unwrap().replace("000090123456", "000090123457");
    kiosk.scan(&other).await;
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    assert!(matches!(kiosk.over(read).await, Err(ReadFailure::AccessKeyWrong { .. })));
    kiosk.lift().await;
    kiosk.lay().await;
    assert!(!kiosk.has_begun().await);
    // Now its own: the card still lies there.
    kiosk.scan_the_card().await;
    let (read, _) = kiosk.begun().await;
    assert_eq!(kiosk.over(read).await, Ok(()));
}

#[tokio::test]
async fn what_the_caller_posts_opens_cards_too_and_needs_no_scope_of_scanners() {
    let mut kiosk = Kiosk::new().await;
    let denied = kiosk.lease(KIOSK, value!({ "scanner": "desk-1" })).await;
    assert_eq!(denied.problem().1, "scope-missing");
    kiosk.lease(CLINIC, value!({ "fields": ["number"], "portrait": false })).await;
    kiosk.lay().await;
    let posted = from_clinic(Method::POST, "/v1/scans");
    let posted = kiosk.desk.send(json(posted, &value!({ "text": card().qr_text().unwrap() }))).await.json();
    let (read, occasion) = kiosk.begun().await;
    assert_eq!(occasion.unwrap().scan.to_string(), posted["codes"][0]["scan_id"].as_str().unwrap());
    assert_eq!(kiosk.over(read).await, Ok(()));
    let record = kiosk.result(CLINIC, read).await.json()["record"].clone();
    assert_eq!((&record["number"]["value"], &record["name"]), (&value!("000090123456"), &Value::Null));
    kiosk.lift().await;
    // What another caller posts is never the holder's.
    let theirs = from(NOTARY, Method::POST, "/v1/scans");
    kiosk.desk.send(json(theirs, &value!({ "text": card().qr_text().unwrap() }))).await;
    kiosk.lay().await;
    assert!(!kiosk.has_begun().await);
}

#[tokio::test]
async fn it_ends_with_the_lease() {
    let mut kiosk = Kiosk::new().await;
    kiosk.lease(CLINIC, value!({})).await;
    kiosk.desk.hand.plan_faults(&kiosk.reader, FaultPlan::default().at(5, Fault::PullCard)).unwrap();
    kiosk.scan_the_card().await;
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    kiosk.next(|kind| matches!(kind, EventKind::ReadPaused { .. }).then_some(())).await;
    kiosk.desk.send(empty(from_clinic(Method::DELETE, "/v1/readers/lane-0/lease"))).await;
    assert_eq!(kiosk.over(read).await, Err(ReadFailure::Cancelled));
    kiosk.lift().await;
    kiosk.scan_the_card().await;
    kiosk.lay().await;
    assert!(!kiosk.has_begun().await);
    kiosk.lift().await;

    // Asked for anew without it, the lease goes on and nothing is read by itself.
    kiosk.lease(CLINIC, value!({})).await;
    let plain = json(from_clinic(Method::POST, "/v1/readers/lane-0/lease"), &value!({}));
    assert_eq!(kiosk.desk.send(plain).await.json()["auto_read"], false);
    kiosk.scan_the_card().await;
    kiosk.lay().await;
    assert!(!kiosk.has_begun().await);
}

#[tokio::test]
async fn a_lease_that_nobody_keeps_ends_what_it_began() {
    let mut kiosk = Kiosk::new().await;
    let body = value!({ "seconds": 5, "auto_read": {} });
    kiosk.desk.hand.plan_faults(&kiosk.reader, FaultPlan::default().at(5, Fault::PullCard)).unwrap();
    kiosk.desk.send(json(from_clinic(Method::POST, "/v1/readers/lane-0/lease"), &body)).await;
    kiosk.scan_the_card().await;
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    assert_eq!(kiosk.over(read).await, Err(ReadFailure::Cancelled));
    let lost = kiosk.next(|kind| match kind {
        EventKind::LeaseLost { why, .. } => Some(why.code()),
        _ => None,
    });
    assert_eq!(lost.await, "expired");
}

#[tokio::test]
async fn only_what_the_caller_may_have_is_read_by_itself() {
    let kiosk = Kiosk::new().await;
    for (auto_read, code) in [
        (value!({ "biometrics": ["fingerprints"] }), "scope-missing"),
        (value!({ "scanner": "Desk 1" }), "body-invalid"),
        (value!({ "scanner": "" }), "body-invalid"),
        (value!({ "access": { "can": "123456" } }), "body-invalid"),
        (value!({ "nonce": "00112233445566778899" }), "body-invalid"),
        (value!(null), "body-invalid"),
        (value!(true), "body-invalid"),
    ] {
        assert_eq!(kiosk.lease(CLINIC, auto_read.clone()).await.problem().1, code, "{auto_read}");
    }
    let readers = kiosk.desk.send(empty(from_clinic(Method::GET, "/v1/readers"))).await.json();
    assert_eq!(readers["readers"][0]["held_by"], Value::Null, "what was refused leased nothing");
}

/// A kiosk whose caller reads under profiles alone, and what stands behind them.
async fn under_profiles() -> (Kiosk, Arc<Kept>, Arc<Door>) {
    let (kept, door) = (Arc::new(Kept::default()), Arc::new(Door::of("sent")));
    let profiles = ["sent", "coach-manifest", "ticketing"].map(str::to_owned).to_vec();
    let scopes = [Scope::Readers, Scope::Scan];
    let callers = vec![
        Caller { profiles, ..caller("clinic", CLINIC, CLINIC_ORIGIN, &scopes) },
        caller("notary", NOTARY, NOTARY_ORIGIN, &[Scope::Scan]),
    ];
    let desk = Desk::simulated();
    let api = Api::new(desk.engine.handle(), callers, facts())
        .reading_under(Arc::new(Shelf::new()))
        .delivering(kept.clone())
        .entering_in(door.clone());
    (Kiosk::at(desk.serving(api)).await, kept, door)
}

#[tokio::test]
async fn each_card_of_a_lease_is_handled_by_its_profile_without_a_request() {
    let (mut kiosk, kept, door) = under_profiles().await;
    let wish = value!({ "profile": "sent", "register": { "name": "coach", "session": "07:00" } });
    assert_eq!(kiosk.lease(CLINIC, wish).await.status, StatusCode::OK);
    for number in 1..=2 {
        kiosk.scan_the_card().await;
        kiosk.lay().await;
        let (read, _) = kiosk.begun().await;
        assert_eq!(kiosk.over(read).await, Ok(()));
        // It arrives though nobody has asked for anything.
        kept.holds(number).await;
        let put = kept.put.lock().unwrap().last().unwrap().clone();
        assert_eq!((put.0.as_str(), put.1), ("his", read.to_string()));
        // The answer is the holder's alone, and the same as to a request.
        let answer = kiosk.result(CLINIC, read).await;
        answer.assert_guarded();
        let result = answer.json();
        assert_eq!(result["disclosure"]["profile"], "sent");
        assert_eq!(result["disclosure"]["output"], put.2);
        assert_eq!(result["record"]["number"], Value::Null);
        let admission = &result["admission"];
        assert_eq!((&admission["code"], &admission["session"]), (&value!("already-in"), &value!("07:00")));
        assert_eq!(kiosk.result(NOTARY, read).await.problem().1, "read-not-found");
        let came = door.came.lock().unwrap().clone();
        assert!(came.iter().any(|(session, of, number)| {
            session == "07:00" && *of == read.to_string() && number == "000090123456"
        }));
        kiosk.lift().await;
    }
    assert_eq!(kept.put.lock().unwrap().len(), 2, "once each");
    // Asked for anew under another profile, the next card is that one's, and is delivered nowhere.
    assert_eq!(kiosk.lease(CLINIC, value!({ "profile": "coach-manifest" })).await.status, StatusCode::OK);
    kiosk.scan_the_card().await;
    kiosk.lay().await;
    let (read, _) = kiosk.begun().await;
    assert_eq!(kiosk.over(read).await, Ok(()));
    let result = kiosk.result(CLINIC, read).await.json();
    assert_eq!(result["disclosure"]["profile"], "coach-manifest");
    assert_eq!((&result["admission"], kept.put.lock().unwrap().len()), (&Value::Null, 2));
}

#[tokio::test]
async fn a_lease_asks_for_no_profile_that_a_request_may_not() {
    let (kiosk, _, _) = under_profiles().await;
    let door = |session: &str| value!({ "name": "coach", "session": session });
    for (auto_read, code) in [
        (value!({ "profile": "clinic" }), "profile-not-granted"),
        (value!({ "profile": "" }), "profile-not-granted"),
        // Its key is not there.
        (value!({ "profile": "ticketing" }), "profile-unavailable"),
        (value!({ "profile": "sent", "portrait": true }), "body-invalid"),
        (value!({ "profile": "sent", "fields": ["number"] }), "body-invalid"),
        (value!({ "profile": "sent", "insurance": "DN4000000000001|41|1990|1|41" }), "body-invalid"),
        (value!({ "register": door("07:00") }), "body-invalid"),
        (value!({ "profile": "sent", "register": door(&"x".repeat(65)) }), "body-invalid"),
        // It is another profile's.
        (value!({ "profile": "coach-manifest", "register": door("07:00") }), "register-unavailable"),
        (value!({ "profile": "sent", "register": { "name": "other" } }), "register-unavailable"),
        // Without a profile it may read nothing.
        (value!({}), "scope-missing"),
    ] {
        assert_eq!(kiosk.lease(CLINIC, auto_read.clone()).await.problem().1, code, "{auto_read}");
    }
    let readers = kiosk.desk.send(empty(from_clinic(Method::GET, "/v1/readers"))).await.json();
    assert_eq!(readers["readers"][0]["held_by"], Value::Null, "what was refused leased nothing");
}

#[tokio::test]
async fn only_a_program_at_the_socket_has_a_connection_of_its_own() {
    let kiosk = Kiosk::new().await;
    let lease = json(
        from_clinic(Method::POST, "/v1/readers/lane-0/lease"),
        &value!({ "seconds": 60, "while_connected": true }),
    );
    assert_eq!(kiosk.desk.send(lease).await.problem(), (400, "body-invalid".to_owned()));
    let readers = kiosk.desk.send(empty(from_clinic(Method::GET, "/v1/readers"))).await.json();
    assert_eq!(readers["readers"][0]["held_by"], Value::Null);
}
