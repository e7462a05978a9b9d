//! Scanned codes through HTTP: posted, from scanners, and to open a card with.

use axum::body::Body;
use cccd_engine::EventKind;
use http::{Method, Request, StatusCode};
use image::{GrayImage, ImageFormat, Luma};
use serde_json::{Value, json as value};

use crate::desk::{Answer, CLINIC, Desk, KIOSK, NOTARY, card, empty, from, from_clinic, json};

const INSURANCE: &str = "GD4790000000000|4E677579E1BB856E|1990|1|53E1BB9120|01 - 001|01/01/2020|-|-|01000";

fn post(token: &str, media_type: &str, body: impl Into<Body>) -> Request<Body> {
    from(token, Method::POST, "/v1/scans").header("content-type", media_type).body(body.into()).unwrap()
}

fn text() -> String {
    card().qr_text().unwrap()
}

async fn post_text(desk: &Desk, text: &str) -> Answer {
    desk.send(post(CLINIC, "text/plain; charset=utf-8", text.to_owned())).await
}

fn code(answer: &Answer) -> &'static str {
    let (status, code) = answer.problem();
    let problem = cccd_api::Problem::find(&code).unwrap();
    assert_eq!(problem.status, status);
    problem.code
}

/// A picture of codes side by side, four pixels a module.
fn picture(texts: &[&str], format: ImageFormat) -> Vec<u8> {
    const SIDE: u32 = 400;
    let mut picture = GrayImage::from_pixel(SIDE * u32::try_from(texts.len()).unwrap(), SIDE, Luma([230]));
    for (text, left) in texts.iter().zip((0..).step_by(SIDE as usize)) {
        let symbol = qrcodegen::QrCode::encode_binary(text.as_bytes(), qrcodegen::QrCodeEcc::Medium).unwrap();
        let side = u32::try_from(symbol.size()).unwrap();
        for (x, y) in (0..side * 4).flat_map(|y| (0..side * 4).map(move |x| (x, y))) {
            if symbol.get_module((x / 4).cast_signed(), (y / 4).cast_signed()) {
                picture.put_pixel(left + 40 + x, 40 + y, Luma([20]));
            }
        }
    }
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

#[tokio::test]
async fn a_typed_code_comes_back_as_a_record() {
    let desk = Desk::bare();
    let form = format!("--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n{}\r\n--x--\r\n", text());
    for (media_type, body) in [
        ("text/plain", text()),
        ("text/plain;charset=UTF-8", format!("{}\r\n", text())),
        ("application/json", value!({ "text": text() }).to_string()),
        ("multipart/form-data; boundary=x", form),
    ] {
        // What a caller has itself needs no scope.
        let answer = desk.send(post(KIOSK, media_type, body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{media_type}");
        answer.assert_guarded();
        let answer = answer.json();
        assert_eq!(answer["codes"].as_array().unwrap().len(), 1);
        let scan = &answer["codes"][0];
        let person = card();
        let person = person.citizen().unwrap();
        assert_eq!((&scan["kind"], &scan["verified"]), (&value!("citizen"), &value!(false)));
        assert_eq!((&scan["corners"], &scan["scanner_id"]), (&Value::Null, &Value::Null));
        assert_eq!(scan["text"], text());
        assert_eq!((&scan["notes"], &scan["insurance"]), (&value!([]), &Value::Null));
        let record = &scan["citizen"];
        assert_eq!((&record["number"], &record["name"]), (&value!(person.number), &value!(person.name)));
        assert_eq!(record["birth"], value!({ "iso": "1990-01-02", "printed": "02011990" }));
        assert_eq!((&record["sex"], &record["surplus"]), (&value!("male"), &value!([])));
        assert_eq!(record["expiry_candidates"], value!(["2030-01-02"]));
    }
}

#[tokio::test]
async fn other_codes_are_told_for_what_they_are() {
    let desk = Desk::bare();
    let scan = post_text(&desk, INSURANCE).await.json()["codes"][0].clone();
    assert_eq!((&scan["kind"], &scan["citizen"]), (&value!("insurance"), &Value::Null));
    let record = &scan["insurance"];
    assert_eq!((&record["name"], &record["facility_code"]), (&value!("Nguyễn"), &value!("01001")));
    assert_eq!((&record["valid_to"], &record["valid_from"]["iso"]), (&Value::Null, &value!("2020-01-01")));

    let scan = post_text(&desk, "https://example.vn/?a=1").await.json()["codes"][0].clone();
    assert_eq!((&scan["kind"], &scan["text"]), (&value!("unknown"), &value!("https://example.vn/?a=1")));
    assert_eq!(scan["raw_base64"], "aHR0cHM6Ly9leGFtcGxlLnZuLz9hPTE=");

    // A card that never expires, one whose issue is close to a boundary, and a spoilt one.
    for (text, expiries, notes) in [
        ("000000000001||A|1950|Nam|Mẫu|15032022", value!([null]), value!([])),
        ("000000000001||A|20051999|Nữ|Mẫu|20052022", value!(["2039-05-20", "2024-05-20"]), value!([])),
        (
            "000000000001||A?|1990|Nam|M?u|32132022|||",
            value!([]),
            value!(["more-fields", "issue-unreadable", "no-diacritics", "letters-lost"]),
        ),
    ] {
        let scan = post_text(&desk, text).await.json()["codes"][0].clone();
        assert_eq!((&scan["citizen"]["expiry_candidates"], &scan["notes"]), (&expiries, &notes), "{text}");
    }
    // Bytes that are no text are bytes all the same.
    let scan = desk.send(post(CLINIC, "text/plain", vec![0xFF, 0x31])).await.json()["codes"][0].clone();
    assert_eq!((&scan["text"], &scan["raw_base64"]), (&value!("\u{fffd}1"), &value!("/zE=")));
    assert_eq!(scan["notes"], value!(["not-utf8"]));
}

#[tokio::test]
async fn every_code_of_a_picture_is_read_with_its_corners() {
    let desk = Desk::bare();
    let texts = [text(), INSURANCE.to_owned()];
    let file = picture(&texts.each_ref().map(String::as_str), ImageFormat::Png);
    let mut form = b"--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\
                     Content-Type: image/png\r\n\r\n"
        .to_vec();
    form.extend_from_slice(&file);
    form.extend_from_slice(b"\r\n--x--\r\n");
    for (media_type, body) in [
        ("image/png", file.clone()),
        // The bytes say what they are.
        ("image/jpeg", file),
        ("multipart/form-data; boundary=x", form),
    ] {
        let answer = desk.send(post(CLINIC, media_type, body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{media_type}");
        let answer = answer.json();
        let codes = answer["codes"].as_array().unwrap();
        let mut found: Vec<(&str, i64)> = codes
            .iter()
            .map(|code| {
                let corners = code["corners"].as_array().unwrap();
                assert_eq!(corners.len(), 4);
                #[expect(clippy::cast_possible_truncation, reason = "a pixel")]
                let x = corners[0]["x"].as_f64().unwrap().round() as i64;
                (code["kind"].as_str().unwrap(), x)
            })
            .collect();
        found.sort_unstable();
        let near = |x: i64, at: i64| (x - at).abs() <= 2;
        assert!(
            matches!(found[..], [("citizen", first), ("insurance", second)] if near(first, 40) && near(second, 440)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_picture_without_a_code_is_a_clear_answer() {
    let desk = Desk::bare();
    let mut file = std::io::Cursor::new(Vec::new());
    GrayImage::from_pixel(640, 480, Luma([200])).write_to(&mut file, ImageFormat::Jpeg).unwrap();
    let answer = desk.send(post(CLINIC, "image/jpeg", file.into_inner())).await;
    assert_eq!(code(&answer), "code-not-found");
    assert!(answer.json()["remedy_vi"].as_str().unwrap().contains("Chụp lại"));
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_not_repeated() {
    let desk = Desk::bare();
    let bomb = {
        // A PNG whose header promises what no memory has.
        let mut file = picture(&["x"], ImageFormat::Png);
        file[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
        file
    };
    let cut = |format| {
        let file = picture(&["090123"], format);
        file[..file.len() / 2].to_vec()
    };
    let form = |parts: &str| parts.replace('\n', "\r\n").into_bytes();
    let part = "--x\nContent-Disposition: form-data; name=\"text\"\n\n090123\n";
    for (media_type, body, expected) in [
        ("image/png", bomb, "image-unusable"),
        ("image/png", cut(ImageFormat::Png), "image-unusable"),
        ("image/bmp", cut(ImageFormat::Bmp), "image-unusable"),
        ("image/svg+xml", b"<svg>090123</svg>".to_vec(), "image-unusable"),
        ("image/jpeg", b"\xFF\xD8\xFF\xE0090123".to_vec(), "image-unusable"),
        ("image/png", Vec::new(), "image-unusable"),
        ("text/plain", b" \r\n".to_vec(), "body-invalid"),
        ("text/plain", vec![b'1'; 8193], "body-invalid"),
        ("text/plain; charset=utf-16", b"090123".to_vec(), "media-type-unsupported"),
        ("application/json", br#"{"text": 090123}"#.to_vec(), "body-invalid"),
        ("application/json", br#"{"text": "090123", "x": 1}"#.to_vec(), "body-invalid"),
        ("application/json", br#"["090123"]"#.to_vec(), "body-invalid"),
        ("application/json", b"{}".to_vec(), "body-invalid"),
        ("text/html", b"090123".to_vec(), "media-type-unsupported"),
        ("application/x-www-form-urlencoded", b"text=090123".to_vec(), "media-type-unsupported"),
        ("multipart/form-data", form(part), "body-invalid"),
        ("multipart/form-data; boundary=x", form(part), "body-invalid"),
        ("multipart/form-data; boundary=x", form("--x--\n"), "body-invalid"),
        ("multipart/form-data; boundary=x", b"090123".to_vec(), "body-invalid"),
        ("multipart/form-data; boundary=x", form(&format!("{part}{part}--x--\n")), "body-invalid"),
        (
            "multipart/form-data; boundary=x",
            form(&format!("{}--x--\n", part.replace("text", "photo"))),
            "body-invalid",
        ),
    ] {
        let answer = desk.send(post(CLINIC, media_type, body)).await;
        assert_eq!(code(&answer), expected, "{media_type}: {:?}", answer.json()["detail"]);
        assert!(!String::from_utf8_lossy(&answer.body).contains("09012"), "{media_type}");
    }
    let untyped = from_clinic(Method::POST, "/v1/scans").body(Body::from(text())).unwrap();
    assert_eq!(code(&desk.send(untyped).await), "media-type-unsupported");
    for (media_type, most) in
        [("image/jpeg", 16 << 20), ("text/plain", 64 << 10), ("application/json", 64 << 10)]
    {
        let answer = desk.send(post(CLINIC, media_type, vec![b'1'; most + 1])).await;
        assert_eq!(code(&answer), "body-too-large", "{media_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn pictures_that_do_not_come_hold_nobody_up_for_ever() {
    let desk = Desk::bare();
    let never = || futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
    let slow = |desk: &Desk| {
        let (router, request) = (desk.router(), post(CLINIC, "image/jpeg", Body::from_stream(never())));
        tokio::spawn(tower::ServiceExt::oneshot(router, request))
    };
    let slow: Vec<_> = (0..5).map(|_| slow(&desk)).collect();
    for answer in slow {
        let answer = cccd_patience::soon("the end of a picture that does not come", answer).await;
        assert_eq!(answer.unwrap().unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    }
    let file = picture(&["x"], ImageFormat::Png);
    assert_eq!(desk.send(post(CLINIC, "image/png", file)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_scan_of_a_scanner_leaves_once_and_to_the_first() {
    let desk = Desk::bare();
    let scanner = desk.scanner.attach("Desk 1");
    let told = desk.show(&scanner, text().as_bytes()).await;
    // The scanner itself is told first.
    let told = match told {
        EventKind::ScannerAttached { .. } => desk.show(&scanner, text().as_bytes()).await,
        told => told,
    };
    let EventKind::ScanReceived { scan, .. } = told else { panic!("{told:?}") };
    let path = format!("/v1/scans/{scan}");
    let fetch = |token: &'static str| desk.send(empty(from(token, Method::GET, &path)));

    assert_eq!(code(&fetch(KIOSK).await), "scope-missing");
    let looked = desk.send(empty(from(CLINIC, Method::HEAD, &path))).await;
    assert_eq!(looked.status, StatusCode::METHOD_NOT_ALLOWED, "a look must not take it");
    assert_eq!(looked.header("allow"), "GET,DELETE");
    let fetched = fetch(NOTARY).await;
    assert_eq!(fetched.status, StatusCode::OK);
    fetched.assert_guarded();
    assert_eq!(
        (&fetched.json()["text"], &fetched.json()["scanner_id"]),
        (&value!(text()), &value!("desk-1"))
    );
    assert_eq!(code(&fetch(NOTARY).await), "scan-taken");
    assert_eq!(code(&fetch(CLINIC).await), "scan-taken");
    let wipe = |token: &'static str| desk.send(empty(from(token, Method::DELETE, &path)));
    assert_eq!(code(&wipe(CLINIC).await), "scan-taken");
    assert_eq!(wipe(NOTARY).await.status, StatusCode::NO_CONTENT);
    assert_eq!(wipe(NOTARY).await.status, StatusCode::NO_CONTENT);
    assert_eq!(code(&fetch(NOTARY).await), "scan-expired");

    let scanners = desk.send(empty(from(KIOSK, Method::GET, "/v1/scanners"))).await.json();
    assert_eq!(scanners, value!({ "scanners": [{ "scanner_id": "desk-1", "name": "Desk 1" }] }));
}

#[tokio::test]
async fn what_was_posted_is_the_posters_alone() {
    let desk = Desk::bare();
    let scan = post_text(&desk, &text()).await.json()["codes"][0]["scan_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/scans/{scan}");
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(code(&desk.send(empty(from(NOTARY, method, &path))).await), "scan-not-found");
    }
    assert_eq!(code(&desk.send(empty(from_clinic(Method::GET, &path))).await), "scan-taken");
    let body = value!({ "access": { "scan": scan } });
    let other = desk.send(json(from(NOTARY, Method::POST, "/v1/reads"), &body)).await;
    assert_eq!(code(&other), "scan-not-found");
    assert_eq!(code(&desk.send(json(from_clinic(Method::POST, "/v1/reads"), &body)).await), "no-reader");
}

#[tokio::test]
async fn scan_then_tap() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    let scanner = desk.scanner.attach("Desk 1");
    let told = loop {
        match desk.show(&scanner, text().as_bytes()).await {
            EventKind::ScanReceived { scan, .. } => break scan,
            EventKind::ScannerAttached { .. } => {}
            told => panic!("{told:?}"),
        }
    };
    let ask = |token: &'static str| {
        let body = value!({ "access": { "scan": told.to_string() }, "portrait": false });
        desk.send(json(from(token, Method::POST, "/v1/reads").header("prefer", "wait=60"), &body))
    };
    assert_eq!(code(&ask(KIOSK).await), "scope-missing");
    let (answer, ()) = tokio::join!(ask(CLINIC), desk.lay_card(&reader));
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.json());
    let result = answer.json();
    assert_eq!(result["scan_agrees"], true);
    assert!(!result["record"]["notes"].to_string().contains("scanned-"), "{}", result["record"]["notes"]);
    assert_eq!(result["record"]["number"]["value"], card().citizen().unwrap().number);
    // It is the clinic's: for another card laid badly, and to be fetched; for nobody else.
    assert_eq!(ask(CLINIC).await.status, StatusCode::OK);
    assert_eq!(code(&ask(NOTARY).await), "scan-taken");
    let path = format!("/v1/scans/{told}");
    assert_eq!(desk.send(empty(from_clinic(Method::GET, &path))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_scan_that_opens_no_chip_says_so() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    for (text, detail) in
        [(INSURANCE, "insurance card"), ("https://example.vn", "not that of an identity card")]
    {
        let scan = post_text(&desk, text).await.json()["codes"][0]["scan_id"].clone();
        let body = value!({ "access": { "scan": scan } });
        let answer = desk.send(json(from_clinic(Method::POST, "/v1/reads"), &body)).await;
        assert_eq!(code(&answer), "access-key-invalid");
        assert!(answer.json()["detail"].as_str().unwrap().contains(detail));
    }
    for name in ["x", &"0".repeat(32), &"A".repeat(32)] {
        let body = value!({ "access": { "scan": name } });
        let answer = desk.send(json(from_clinic(Method::POST, "/v1/reads"), &body)).await;
        assert_eq!(code(&answer), "scan-not-found", "{name}");
    }
}
