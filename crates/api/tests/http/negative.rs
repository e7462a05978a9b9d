//! What must never work, whoever changes what. The list is that of the threats a local agent has; each line names the
//! test that holds it, here or elsewhere.
//!
//! | who tries | what | test |
//! | --- | --- | --- |
//! | a foreign page | with its own Origin, `null`, two, another caller's | `refusals::only_the_callers_own_origins_are_let_in` |
//! | a page | with no Origin, and so no token | [`a_page_that_asks_without_cors_learns_nothing`] |
//! | a page | with no Origin and somebody's token | [`what_a_browser_says_is_of_another_site_is_no_program`] |
//! | a name that resolves here | any Host but three | `refusals::a_foreign_host_is_refused_before_anything_else` |
//! | a foreign page | a simple POST, a form | [`a_simple_request_of_a_page_changes_nothing`], `refusals::a_form_cannot_ask_for_a_reading` |
//! | a foreign page | a WebSocket | [`a_websocket_of_a_foreign_page_is_refused_like_anything_else`] |
//! | a foreign page | a preflight | `refusals::preflights_are_answered_for_known_origins_only` |
//! | a thief of a signed token | again, elsewhere, for another desk, after its time | `sites` |
//! | the same | after a restart | `cccd-tests`, `callers::a_token_stays_used_across_a_restart` |
//! | whoever is logged off | a stream that goes on | `sites::a_session_ends_by_itself_or_when_it_is_given_up_and_its_stream_with_it` |
//! | another caller | somebody's result, portrait, evidence, cancelling | [`what_one_reads_is_nobody_elses`] |
//! | whoever has a caller's token too | a result that was handed out, where it is handed out once | [`where_it_is_handed_out_once_nobody_has_a_result_again`] |
//! | anybody | a result after the card has gone, or after it was wiped | [`a_result_outlives_its_card_for_its_owner_and_no_wiping`] |
//! | a caller | fields beyond its scopes | `scopes` |
//! | whoever reads the log | names, numbers, tokens | `cccd-tests`: every test with an agent ends so |
//! | a squatter on the port | to be taken for the agent | `identity`, `cccd-tests`, `callers::a_squatter_cannot_prove_to_be_the_agent` |
//! | ten thousand slow connections | to keep others out | `cccd-tests`, `callers::slow_connections_keep_nobody_out_for_good` |
//! | a guesser | tokens in a loop | `sites::too_many_wrong_tokens_are_told_to_stop_and_right_ones_are_not` |

use cccd_api::Access;
use cccd_profiles::Results;
use http::{Method, StatusCode};
use serde_json::json as value;

use crate::desk::{
    CLINIC, CLINIC_ORIGIN, Desk, KIOSK, NOTARY, callers, card, empty, from, from_clinic, from_nobody, json,
};

#[tokio::test]
async fn a_page_that_asks_without_cors_learns_nothing() {
    let desk = Desk::bare();
    for (mode, dest) in
        [("no-cors", "image"), ("no-cors", "script"), ("navigate", "document"), ("navigate", "iframe")]
    {
        for path in ["/v1", "/v1/readers", "/v1/events", "/v1/caller", "/v1/reads/0/portrait"] {
            let request = from_nobody(Method::GET, path)
                .header("sec-fetch-site", "cross-site")
                .header("sec-fetch-mode", mode)
                .header("sec-fetch-dest", dest)
                .header("cookie", format!("token={CLINIC}"));
            let answer = desk.send(empty(request)).await;
            // Nor may it be shown, or run, or framed: `problem` looks at those headers, too.
            assert_eq!(answer.problem(), (401, "token-missing".to_owned()), "{mode} {path}");
        }
        let token = CLINIC.replace(' ', "%20");
        let in_address = from_nobody(Method::GET, &format!("/v1/readers?access_token={token}&token={token}"));
        assert_eq!(desk.send(empty(in_address)).await.problem().1, "token-missing");
    }
}

#[tokio::test]
async fn what_a_browser_says_is_of_another_site_is_no_program() {
    let desk = Desk::bare();
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("?", 403), ("none", 200), ("same-origin", 200)]
    {
        let request = from_clinic(Method::GET, "/v1/readers").header("sec-fetch-site", site);
        let answer = desk.send(empty(request)).await;
        assert_eq!(answer.status, status, "{site}");
        // With its Origin it is judged by that.
        let request = from_clinic(Method::GET, "/v1/readers").header("sec-fetch-site", site);
        let answer = desk.send(empty(request.header("origin", CLINIC_ORIGIN))).await;
        assert_eq!(answer.status, StatusCode::OK, "{site}");
    }
}

#[tokio::test]
async fn a_simple_request_of_a_page_changes_nothing() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let can = value!({ "access": { "can": card().can().unwrap() } });
    for origin in [Some("https://evil.example"), Some("null"), Some(CLINIC_ORIGIN), None] {
        for path in [
            "/v1/reads".to_owned(),
            "/v1/scans".to_owned(),
            "/v1/sessions".to_owned(),
            format!("/v1/readers/{reader}/lease"),
        ] {
            let request = from_nobody(Method::POST, &path).header("content-type", "text/plain");
            let request =
                origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
            let answer = desk.send(request.body(can.to_string().into()).unwrap()).await;
            let (status, code) = answer.problem();
            let stranger = origin == Some("https://evil.example") || origin == Some("null");
            let expected = if stranger { (403, "origin-not-allowed") } else { (401, "token-missing") };
            assert_eq!((status, code.as_str()), expected, "{origin:?} {path}");
        }
    }
    let readers = desk.send(empty(from_clinic(Method::GET, "/v1/readers"))).await.json();
    assert!(readers["readers"][0]["held_by"].is_null());
}

#[tokio::test]
async fn a_websocket_of_a_foreign_page_is_refused_like_anything_else() {
    let desk = Desk::bare();
    for path in ["/", "/v1/events", "/ws", "/socket.io/"] {
        for (origin, code) in [
            (Some("https://evil.example"), "origin-not-allowed"),
            (Some("null"), "origin-not-allowed"),
            (Some(CLINIC_ORIGIN), if path == "/v1/events" { "token-missing" } else { "not-found" }),
        ] {
            let request = from_nobody(Method::GET, path)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
            let request =
                origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
            let answer = desk.send(empty(request)).await;
            assert_ne!(answer.status, StatusCode::SWITCHING_PROTOCOLS);
            assert_eq!(answer.problem().1, code, "{origin:?} {path}");
        }
    }
}

#[tokio::test]
async fn what_one_reads_is_nobody_elses() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let can = value!({ "access": { "can": card().can().unwrap() } });
    let ask = json(from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60"), &can);
    let read = desk.send(ask).await.header("location").to_owned();
    for other in [NOTARY, KIOSK] {
        for below in ["", "/result", "/partial", "/portrait"] {
            let answer = desk.send(empty(from(other, Method::GET, &format!("{read}{below}")))).await;
            assert_eq!(answer.problem(), (404, "read-not-found".to_owned()), "{below}");
        }
        let answer = desk.send(empty(from(other, Method::DELETE, &read))).await;
        assert_eq!(answer.problem(), (404, "read-not-found".to_owned()));
    }
    let evidence = desk.send(empty(from(NOTARY, Method::GET, &format!("{read}/evidence")))).await;
    assert_eq!(evidence.problem(), (404, "read-not-found".to_owned()));
    let own = desk.send(empty(from_clinic(Method::GET, &format!("{read}/result")))).await;
    assert_eq!(own.status, StatusCode::OK);
}

#[tokio::test]
async fn a_result_outlives_its_card_for_its_owner_and_no_wiping() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let can = value!({ "access": { "can": card().can().unwrap() }, "portrait": false });
    let ask = || json(from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60"), &can);
    let read = desk.send(ask()).await.header("location").to_owned();
    let mut events = desk.engine.handle().subscribe(cccd_engine::CallerId::new("test"), None).await.unwrap();
    desk.hand.remove(&reader).unwrap();
    cccd_patience::soon("the card that was lifted", events.coming.recv()).await.unwrap();
    let result = format!("{read}/result");
    assert_eq!(desk.send(empty(from_clinic(Method::GET, &result))).await.status, StatusCode::OK);
    assert_eq!(
        desk.send(empty(from(NOTARY, Method::GET, &result))).await.problem(),
        (404, "read-not-found".to_owned())
    );
    // Without a card there is no reading, and nobody's earlier one in its place.
    let now = value!({ "access": { "can": "000000" }, "wait_for_card_s": 1 });
    let ask_now = json(from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60"), &now);
    assert_eq!(desk.send(ask_now).await.problem(), (409, "no-card".to_owned()));
    assert_eq!(desk.send(empty(from_clinic(Method::DELETE, &read))).await.status, StatusCode::OK);
    for below in ["/result", "/partial", "/portrait"] {
        let answer = desk.send(empty(from_clinic(Method::GET, &format!("{read}{below}")))).await;
        assert_eq!(answer.problem(), (410, "read-expired".to_owned()), "{below}");
    }
}

#[tokio::test]
async fn where_it_is_handed_out_once_nobody_has_a_result_again() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let once = callers().into_iter().map(|caller| cccd_profiles::Caller { results: Results::Once, ..caller });
    let desk = desk.letting_in(Access { callers: once.collect(), ..Access::default() });
    let can = value!({ "access": { "can": card().can().unwrap() } });
    let read = || from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60");
    let waited = desk.send(json(read(), &can)).await;
    assert_eq!(waited.status, StatusCode::OK);
    let address = format!("/v1/reads/{}", waited.json()["read_id"].as_str().unwrap());
    // What was waited for has been handed out; the other parts have not, each of them once.
    let part =
        async |part: &str| desk.send(empty(from_clinic(Method::GET, &format!("{address}{part}")))).await;
    for (name, status) in [("/result", 409), ("/partial", 200), ("/portrait", 200)] {
        assert_eq!(part(name).await.status, status, "{name}");
        let again = part(name).await;
        assert_eq!(again.problem(), (409, "result-taken".to_owned()), "{name}");
        assert_eq!(again.json()["read_id"], address.trim_start_matches("/v1/reads/"));
    }
    assert_eq!(part("").await.json()["state"], "completed");
    // Of two at once one gets it.
    let accepted = desk.send(json(from_clinic(Method::POST, "/v1/reads"), &can)).await;
    let address = accepted.header("location").to_owned();
    let is_over = async {
        while desk.send(empty(from_clinic(Method::GET, &address))).await.json()["state"] != "completed" {
            tokio::task::yield_now().await;
        }
    };
    cccd_patience::soon("the end of the reading", is_over).await;
    let fetch = || desk.send(empty(from_clinic(Method::GET, &format!("{address}/result"))));
    let (one, other) = tokio::join!(fetch(), fetch());
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 409]);
}
