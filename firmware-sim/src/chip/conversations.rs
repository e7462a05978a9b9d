//! Conversations between the tiny terminal and the chip.

use openssl::bn::BigNum;

use super::apdu::Le;
use super::crypto::{self, KeyUse};
use super::terminal::*;
use super::*;
use crate::image::{CanOffer, NamedCurve, PaceCipher, PaceOffer, ReadRule, StoredFile};

#[test]
fn bac_of_icao_appendix_d_word_for_word() {
    // ICAO 9303-11, Appendix D.3 and D.4, from the chip's side.
    let mut image = image();
    image.access.mrz_information = "L898902C<369080619406236".to_owned();
    let com = bytes("60145F0104303130365F36063034303030305C026175");
    image.emrtd.insert(0x011E, StoredFile { content: com, rule: ReadRule::AfterAccessControl });
    let mut draws = vec![bytes("0B4F80323EB3191CB04970CB4052790B"), bytes("4608F91988702212")];
    let draw = move |out: &mut [u8]| out.copy_from_slice(&draws.pop().unwrap());
    let mut chip = Chip::with_entropy(image, Box::new(draw));
    for (command, answer) in [
        (SELECT_APPLICATION, "9000"),
        ("0084000008", "4608F919887022129000"),
        (
            "008200002872C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A728",
            "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D74499000",
        ),
        ("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800", "990290008E08FA855A5D4C50A8ED9000"),
        ("0CB000000D9701048E08ED6705417E96BA5500", "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"),
        (
            "0CB000040D9701128E082EA28A70F3C7B53500",
            "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
        ),
    ] {
        assert_eq!(say(&mut chip, command), answer);
    }
    assert_eq!(chip.status().phase, Phase::SecureMessaging);
}

#[test]
fn pace_of_icao_appendix_g1_word_for_word() {
    // ICAO 9303-11, Appendix G.1: ECDH, generic mapping, AES-128, brainpoolP256r1, MRZ password.
    let mut image = image();
    image.access.mrz_information = "T22000129364081251010318".to_owned();
    let mut draws = vec![
        bytes("107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A"),
        bytes("498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560"),
        bytes("3F00C4D39D153F2B2A214A078D899B22"),
    ];
    let draw = move |out: &mut [u8]| out.copy_from_slice(&draws.pop().unwrap());
    let mut chip = Chip::with_entropy(image, Box::new(draw));
    for (command, answer) in [
        ("0022C1A412800A04007F0007020204020283010184010D", "9000"),
        ("10860000027C0000", "7C12801095A3A016522EE98D01E76CB6B98B42C39000"),
        (
            "10860000457C438141047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E\
             544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D00",
            "7C43824104824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57\
             30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C549000",
        ),
        (
            "10860000457C438341042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C\
             3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB3646200",
            "7C438441049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB\
             7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F0949000",
        ),
        ("008600000C7C0A8508C2B0BD78D94BA86600", "7C0A86083ABB9674BCE93C089000"),
    ] {
        assert_eq!(say(&mut chip, command), answer);
    }
    let (encryption_key, mac_key) = chip.session.secure_messaging.as_ref().unwrap().keys();
    assert_eq!(hex::encode_upper(encryption_key), "F5F0E35C0D7161EE6724EE513A0D9A7F");
    assert_eq!(hex::encode_upper(mac_key), "FE251C7858B356B24514B3BD5F4297D1");
}

#[test]
fn every_cipher_on_every_curve_opens_the_application_and_reads_it() {
    for cipher in CIPHERS {
        for curve in NamedCurve::all() {
            let offer = PaceOffer::ecdh_generic(cipher, curve);
            let mut image = image();
            image.access.pace = vec![offer];
            let mut chip = Chip::new(image);
            let mut run = PaceRun::new(offer);
            assert_eq!(chip.process(&run.set_at(1, false)), [0x90, 0x00]);
            let mut session = run.run(&mut chip, &crypto::sha1(MRZ.as_bytes()).unwrap()).unwrap();
            session.select_application(&mut chip);
            assert_eq!(session.select_file(&mut chip, 0x0101), 0x9000);
            let read = session.say(&mut chip, [0, 0xB0, 0, 0], &[], &[0]);
            assert_eq!(read, (content(95), 0x9000), "{offer:?}");
            // The session of the master file lives on in the application, and back.
            assert_eq!(session.say(&mut chip, [0, 0xA4, 0x00, 0x0C], &[0x3F, 0x00], &[]).1, 0x9000);
            assert_eq!(session.say(&mut chip, [0, 0xB0, 0x9D, 0], &[], &[0]), (content(90), 0x9000));
        }
    }
}

#[test]
fn a_forced_leading_zero_is_kept_on_both_sides() {
    for cipher in [PaceCipher::TripleDes, PaceCipher::Aes256] {
        let offer = PaceOffer::ecdh_generic(cipher, NamedCurve::NistP256);
        let mut image = image();
        image.access.pace = vec![offer];
        let mut chip = Chip::new(image);
        chip.force_leading_zero(KeyStep::Mapping);
        chip.force_leading_zero(KeyStep::Agreement);
        let mut run = PaceRun::new(offer);
        chip.process(&run.set_at(2, true));
        let mut session = run.run(&mut chip, b"123456").unwrap();
        assert_eq!((run.mapping_x[0], run.secret[0], run.secret.len()), (0, 0, 32));
        session.select_application(&mut chip);

        // A terminal that loses the zero has other keys: its next command is refused.
        let mut careless = TerminalSession::new(cipher, &run.secret[1..], session.count);
        let command = careless.wrap([0, 0xA4, 0x02, 0x0C], &[0x01, 0x01], &[], false);
        assert_eq!(chip.process(&command), [0x69, 0x88]);
    }
}

#[test]
fn keys_of_the_example_card() {
    // The example card's number ends in 123456; both keys were computed elsewhere.
    let key = |secret: &[u8]| crypto::derive(PaceCipher::Aes128, secret, KeyUse::Password).unwrap();
    assert_eq!(hex::encode_upper(key(b"123456")), "591468CDA83D65219CCCB8560233600F");
    let mrz = crypto::sha1(MRZ.as_bytes()).unwrap();
    assert_eq!(hex::encode_upper(key(&mrz)), "9B43FF597B83AB6A10D6DCFBCD1C9A9D");
    let seed = &mrz[..16];
    let bac = crypto::derive(PaceCipher::TripleDes, seed, KeyUse::Encryption).unwrap();
    assert_eq!(hex::encode_upper(bac), "DF6B9E676D31F41F081C6EE63BD94380");
}

#[test]
fn a_wrong_mrz_is_6300_in_bac_and_in_pace() {
    let mut chip = Chip::new(image());
    let wrong = "090123456290010223001021";
    assert_eq!(bac(&mut chip, wrong).err(), Some(0x6300));
    assert_eq!(chip.status().phase, Phase::ApplicationSelected);
    // The challenge is spent, and the right key alone opens nothing.
    assert_eq!(say(&mut chip, &format!("0082000028{}28", "00".repeat(40))), "6985");
    assert!(bac(&mut chip, MRZ).is_ok());

    chip.reset();
    let mut run = PaceRun::new(DEFAULT_OFFER);
    assert_eq!(chip.process(&run.set_at(1, true)), [0x90, 0x00]);
    let secret = crypto::sha1(wrong.as_bytes()).unwrap();
    assert_eq!(run.run(&mut chip, &secret).err(), Some(0x6300));
    assert_eq!(chip.status().phase, Phase::Idle);
    assert_eq!(chip.status().can_tries_left, Some(3));
}

#[test]
fn the_can_counter_counts_warns_blocks_and_survives_a_reset() {
    let mut chip = Chip::new(image());
    let run = PaceRun::new(DEFAULT_OFFER);
    assert_eq!(pace_can(&mut chip, "000000").err(), Some(0x63C2));
    chip.reset();
    assert_eq!(chip.process(&run.set_at(2, true)), [0x63, 0xC2]);
    assert_eq!(pace_can(&mut chip, "000000").err(), Some(0x63C1));

    // A success restores it.
    assert!(pace_can(&mut chip, "123456").is_ok());
    assert_eq!(chip.status().can_tries_left, Some(3));
    assert_eq!(chip.process(&run.set_at(2, true)), [0x90, 0x00]);

    for left in [0x63C2, 0x63C1, 0x63C0] {
        assert_eq!(pace_can(&mut chip, "000000").err(), Some(left));
    }
    chip.reset();
    assert_eq!(chip.process(&run.set_at(2, true)), [0x63, 0xC0]);
    assert_eq!(say(&mut chip, "10860000027C0000"), "6983");
    // The MRZ is another password.
    assert_eq!(chip.process(&run.set_at(1, true)), [0x90, 0x00]);
}

#[test]
fn a_can_without_a_counter_is_never_blocked() {
    let mut image = image();
    image.access.can = Some(CanOffer { digits: "123456".to_owned(), tries: None });
    let mut chip = Chip::new(image);
    for _ in 0..5 {
        assert_eq!(pace_can(&mut chip, "000000").err(), Some(0x6300));
    }
    assert!(pace_can(&mut chip, "123456").is_ok());
    assert_eq!(chip.status().can_tries_left, None);
}

#[test]
fn set_at_refuses_what_is_not_on_offer() {
    let mut image = image();
    image.access.pace.push(PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::NistP256));
    image.access.pace.push(PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::NistP384));
    let mut chip = Chip::new(image);
    let aes128 = "800A04007F00070202040202";
    let aes256 = "800A04007F00070202040204";
    for (data, status) in [
        (format!("{aes128}830101"), "9000"),
        (format!("{aes128}83010184010D"), "9000"),
        (format!("{aes256}83010184010F"), "9000"),
        // Two sets of parameters, none named; one that is not offered; a password that is not there.
        (format!("{aes256}830101"), "6A88"),
        (format!("{aes128}83010184010C"), "6A88"),
        (format!("{aes128}830103"), "6A88"),
        // An unknown variant, a missing object, one too many, one twice, one torn.
        ("800A04007F00070202040201830101".to_owned(), "6A80"),
        ("830101".to_owned(), "6A80"),
        (aes128.to_owned(), "6A80"),
        (format!("{aes128}830101870100"), "6A80"),
        (format!("{aes128}830101830101"), "6A80"),
        (format!("{aes128}8302"), "6A80"),
        (format!("{aes128}83020101"), "6A80"),
    ] {
        let command = format!("0022C1A4{:02X}{data}", data.len() / 2);
        assert_eq!(say(&mut chip, &command), status, "{data}");
    }
    assert_eq!(say(&mut chip, "0022C1A50F800A04007F00070202040202830101"), "6A86");
}

#[test]
fn pace_steps_out_of_order_end_the_run() {
    let mut chip = Chip::new(image());
    let set_at = PaceRun::new(DEFAULT_OFFER).set_at(1, true);
    let key = hex::encode(PaceRun::new(DEFAULT_OFFER).encode(&PaceRun::new(DEFAULT_OFFER).generator()));
    let ask = "10860000027C0000";
    assert_eq!(say(&mut chip, ask), "6985");
    for wrong in [
        format!("10860000457C438141{key}00"),
        format!("10860000457C438341{key}00"),
        "008600000C7C0A8508000000000000000000".to_owned(),
        // Chaining forgotten.
        "00860000027C0000".to_owned(),
        // Another command in between.
        "00A4020C02011C".to_owned(),
    ] {
        assert_eq!(chip.process(&set_at), [0x90, 0x00]);
        let expected = if wrong.starts_with("00A4") { "9000" } else { "6985" };
        assert_eq!(say(&mut chip, &wrong), expected, "{wrong}");
        assert_eq!(say(&mut chip, ask), "6985", "the run must be over after {wrong}");
    }
    // The nonce is given once.
    assert_eq!(chip.process(&set_at), [0x90, 0x00]);
    assert!(say(&mut chip, ask).ends_with("9000"));
    assert_eq!(say(&mut chip, ask), "6985");
    for malformed in ["1086000000", "10860000027D0000", "10860000037C01FF00", "10860000047C02870000"] {
        assert_eq!(chip.process(&set_at), [0x90, 0x00]);
        assert_eq!(say(&mut chip, malformed), "6A80", "{malformed}");
        assert_eq!(say(&mut chip, ask), "6985");
    }
    // The last step ends the chain.
    let mut run = PaceRun::new(DEFAULT_OFFER);
    assert_eq!(chip.process(&run.set_at(2, true)), [0x90, 0x00]);
    let nonce = run.ask_nonce(&mut chip, b"123456");
    run.map(&mut chip, &nonce);
    run.agree(&mut chip);
    let token = hex::encode(&run.tokens.0);
    assert_eq!(say(&mut chip, &format!("108600000C7C0A8508{token}00")), "6985");
    assert_eq!(run.finish(&mut chip).err(), Some(0x6985));
    // No Le, no answer.
    assert_eq!(chip.process(&set_at), [0x90, 0x00]);
    assert_eq!(say(&mut chip, "10860000027C00"), "6700");
    // Chaining is for GENERAL AUTHENTICATE alone.
    assert_eq!(say(&mut chip, "10A4020C02011C"), "6884");
}

#[test]
fn bad_points_end_the_run_in_both_steps() {
    let mut off = PaceRun::new(DEFAULT_OFFER).encode(&PaceRun::new(DEFAULT_OFFER).generator());
    *off.last_mut().unwrap() ^= 1;
    let other_curve = PaceRun::new(PaceOffer::ecdh_generic(PaceCipher::Aes128, NamedCurve::NistP256));
    let stranger = other_curve.encode(&other_curve.generator());
    for bad in [off, stranger, vec![0x00], Vec::new(), vec![0x04; 65]] {
        let mut chip = Chip::new(image());
        let mut run = PaceRun::new(DEFAULT_OFFER);
        chip.process(&run.set_at(2, true));
        run.ask_nonce(&mut chip, b"123456");
        assert_eq!(PaceRun::send_key(&mut chip, 0x81, &bad), Err(0x6A80));
        assert_eq!(PaceRun::send_key(&mut chip, 0x81, &bad), Err(0x6985));

        chip.process(&run.set_at(2, true));
        let nonce = run.ask_nonce(&mut chip, b"123456");
        run.map(&mut chip, &nonce);
        assert_eq!(PaceRun::send_key(&mut chip, 0x83, &bad), Err(0x6A80));
        assert_eq!(say(&mut chip, "008600000C7C0A8508000000000000000000"), "6985");
        assert_eq!(chip.status().can_tries_left, Some(3));
    }
}

#[test]
fn equal_public_keys_are_refused() {
    // Both sides draw the same private key over the same mapped generator.
    let private = [0x11; 32];
    let draw = move |out: &mut [u8]| out.fill(0x11);
    let mut chip = Chip::with_entropy(image(), Box::new(draw));
    let mut run = PaceRun::new(DEFAULT_OFFER);
    chip.process(&run.set_at(2, true));
    let nonce = run.ask_nonce(&mut chip, b"123456");
    run.map(&mut chip, &nonce);
    let same = run.encode(&run.times(run.mapped.as_ref().unwrap(), &BigNum::from_slice(&private).unwrap()));
    assert_eq!(PaceRun::send_key(&mut chip, 0x83, &same), Err(0x6300));
}

#[test]
fn bac_is_refused_where_it_is_not_offered_or_out_of_place() {
    let mut without = image();
    without.access.bac = false;
    assert_eq!(bac(&mut Chip::new(without), MRZ).err(), Some(0x6985));

    let mut chip = Chip::new(image());
    assert_eq!(say(&mut chip, "0084000008"), "6985");
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "9000");
    for (command, status) in
        [("0084010008", "6A86"), ("00840000", "6700"), ("0084000009", "6700"), ("00840000010000", "6700")]
    {
        assert_eq!(say(&mut chip, command), status, "{command}");
    }
    let attempt = format!("0082000028{}28", "00".repeat(40));
    assert!(say(&mut chip, "0084000008").ends_with("9000"));
    assert_eq!(say(&mut chip, "00820000020000"), "6700");
    assert_eq!(say(&mut chip, &attempt), "6985", "a challenge is good for one command");
    assert!(say(&mut chip, "0084000000").ends_with("9000"));
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "9000");
    assert_eq!(say(&mut chip, &attempt), "6985");

    // Not within a session.
    let mut session = pace_can(&mut chip, "123456").unwrap();
    session.select_application(&mut chip);
    assert_eq!(session.say(&mut chip, [0, 0x84, 0, 0], &[], &[8]).0.len(), 8);
    assert_eq!(session.say(&mut chip, [0, 0x82, 0, 0], &[0; 40], &[0x28]), (Vec::new(), 0x6985));
}

#[test]
fn select_and_read_in_the_master_file() {
    let mut chip = Chip::new(image());
    let access = hex::encode_upper(content(54));
    for (command, answer) in [
        ("00B0000000", "6986"),
        ("00A4020C02011C", "9000"),
        ("00B0000000", &format!("{access}9000")),
        ("00B0000036", &format!("{access}9000")),
        ("00B0000040", &format!("{access}6282")),
        ("00B0003002", "30319000"),
        ("00B0003600", "6B00"),
        ("00B07FFF01", "6B00"),
        ("00B0000004", "000102039000"),
        ("00B00000", "6700"),
        ("00B0000001AA04", "6700"),
        // Short identifiers: EF.CardAccess, EF.DIR, EF.ATR/INFO; offset in P2.
        ("00B09C3500", "359000"),
        ("00B09E0803", "08096282"),
        ("00B0811200", "12139000"),
        ("00B0000001", "009000"),
        ("00B08000FF", "6A86"),
        ("00B0BC0000", "6A86"),
        ("00B0820000", "6A82"),
        // The file selected last stays.
        ("00B0001300", "139000"),
        ("00A4020C020101", "6A82"),
        ("00A4020C02011D", "6982"),
        ("00A4000C023F00", "9000"),
        ("00B0000000", "6986"),
        ("00A4000C", "9000"),
        ("00A4000C02011C", "6A82"),
        ("00A4000C0101", "6700"),
        ("00A4020C0101", "6700"),
        ("00A4040C07A0000002471002", "6A82"),
        ("00A4040C", "6700"),
        ("00A4030C", "6A86"),
        ("00A4020802011C", "6A86"),
        ("00A4040407A0000002471001", "6A86"),
        ("00A4020402011C00", "620880020036830201 1C9000"),
        ("00A4040007A000000247100100", "6F098407A00000024710019000"),
        ("00C0000000", "6D00"),
        ("80B0000000", "6E00"),
        ("FFCA000000", "6E00"),
        ("01B0000000", "6881"),
        ("04B0000000", "6882"),
        ("0CB0000000", "6988"),
        ("00B0", "6700"),
        ("", "6700"),
    ] {
        assert_eq!(say(&mut chip, command), answer.replace(' ', ""), "{command}");
    }
    assert_eq!(chip.status().phase, Phase::ApplicationSelected);
    chip.reset();
    assert_eq!(chip.status().phase, Phase::Idle);
}

#[test]
fn the_application_tells_nothing_before_access_control() {
    let mut chip = Chip::new(image());
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "9000");
    for command in [
        "00A4020C020101",
        "00A4020C02010B",
        "00A4020C020103",
        "00B0810000",
        "00B08B0000",
        "00B1000103540100 00",
    ] {
        assert_eq!(say(&mut chip, &command.replace(' ', "")), "6982", "{command}");
    }
    assert_eq!(say(&mut chip, "00B0000000"), "6986");

    let mut session = bac(&mut chip, MRZ).unwrap();
    assert_eq!(session.select_file(&mut chip, 0x010B), 0x6A82);
    assert_eq!(session.select_file(&mut chip, 0x0103), 0x6982);
    assert_eq!(session.say(&mut chip, [0, 0xB0, 0x83, 0], &[], &[0]), (Vec::new(), 0x6982));
    assert_eq!(session.say(&mut chip, [0, 0xB0, 0x81, 90], &[], &[0]), (content(95)[90..].to_vec(), 0x9000));
    assert_eq!(session.say(&mut chip, [0, 0xB0, 0, 90], &[], &[9]), (content(95)[90..].to_vec(), 0x6282));
    assert_eq!(session.say(&mut chip, [0, 0xB0, 0, 95], &[], &[1]), (Vec::new(), 0x6B00));
    assert_eq!(session.say(&mut chip, [0, 0xD6, 0, 0], &[1], &[]), (Vec::new(), 0x6D00));
}

#[test]
fn files_free_to_all_need_no_access_control() {
    let mut image = image();
    image.emrtd.get_mut(&0x0101).unwrap().rule = ReadRule::Free;
    let mut chip = Chip::new(image.clone());
    say(&mut chip, SELECT_APPLICATION);
    assert_eq!(say(&mut chip, "00B0810002"), "00019000");
    // A chip without any access control has no reason to hide what it has not.
    assert_eq!(say(&mut chip, "00A4020C02010B"), "6982");
    (image.access.bac, image.access.pace) = (false, Vec::new());
    let mut chip = Chip::new(image);
    say(&mut chip, SELECT_APPLICATION);
    assert_eq!(say(&mut chip, "00A4020C02010B"), "6A82");
}

#[test]
fn a_plain_command_ends_the_session() {
    let mut chip = Chip::new(image());
    let mut session = bac(&mut chip, MRZ).unwrap();
    assert_eq!(session.select_file(&mut chip, 0x0101), 0x9000);
    assert_eq!(say(&mut chip, "00B0000000"), "6982");
    assert_eq!(chip.status().phase, Phase::ApplicationSelected);
    let command = session.wrap([0, 0xB0, 0, 0], &[], &[0], false);
    assert_eq!(chip.process(&command), [0x69, 0x88]);

    bac(&mut chip, MRZ).unwrap();
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "9000");
    assert_eq!(chip.status().phase, Phase::ApplicationSelected);
    bac(&mut chip, MRZ).unwrap();
    assert_eq!(say(&mut chip, "80CA000000"), "6E00");
    assert_eq!(chip.status().phase, Phase::ApplicationSelected);
}

#[test]
fn broken_frames_end_the_session_with_a_bare_status() {
    type Spoil = fn(&mut TerminalSession) -> Vec<u8>;
    let header = [0, 0xB0, 0x81, 0];
    let cases: [(&str, Spoil, [u8; 2]); 11] = [
        (
            "checksum",
            |session| {
                let mut command = session.wrap([0, 0xB0, 0x81, 0], &[], &[0], false);
                let at = command.len() - 2;
                command[at] ^= 1;
                command
            },
            [0x69, 0x88],
        ),
        (
            "header",
            |session| {
                let mut command = session.wrap([0, 0xB0, 0x81, 0], &[], &[0], false);
                command[3] = 1;
                command
            },
            [0x69, 0x88],
        ),
        (
            "counter",
            |session| {
                session.count += 1;
                session.wrap([0, 0xB0, 0x81, 0], &[], &[0], false)
            },
            [0x69, 0x88],
        ),
        ("no checksum", |_| bytes("0CB08100 03 970100 00".replace(' ', "").as_str()), [0x69, 0x87]),
        ("no objects", |_| bytes("0CB0810000"), [0x69, 0x87]),
        ("torn object", |_| bytes("0CB0810002970500"), [0x69, 0x88]),
        (
            "unknown object",
            |session| session.seal([0, 0xB0, 0x81, 0], bytes("B30100970100"), false),
            [0x69, 0x88],
        ),
        (
            "data after Le",
            |session| {
                let data = session.data_object(0xA4, &[0x01, 0x01]);
                session.seal([0, 0xA4, 0x02, 0x0C], [&[0x97, 0x01, 0x00], &data[..]].concat(), false)
            },
            [0x69, 0x88],
        ),
        (
            "padding indicator",
            |session| {
                let mut data = session.data_object(0xA4, &[0x01, 0x01]);
                data[2] = 0x02;
                session.seal([0, 0xA4, 0x02, 0x0C], data, false)
            },
            [0x69, 0x88],
        ),
        (
            "padding",
            |session| {
                let mut data = session.data_object(0xA4, &[0x01, 0x01]);
                let at = data.len() - 1;
                data[at] ^= 0x55;
                session.seal([0, 0xA4, 0x02, 0x0C], data, false)
            },
            [0x69, 0x88],
        ),
        (
            "Le of three bytes",
            |session| session.seal([0, 0xB0, 0x81, 0], bytes("9703000000"), false),
            [0x69, 0x88],
        ),
    ];
    for (name, spoil, status) in cases {
        let mut chip = Chip::new(image());
        let mut session = bac(&mut chip, MRZ).unwrap();
        assert_eq!(session.say(&mut chip, header, &[], &[4]), (content(4), 0x9000));
        assert_eq!(chip.process(&spoil(&mut session)), status, "{name}");
        assert_eq!(chip.status().phase, Phase::ApplicationSelected, "{name}");
    }
}

#[test]
fn a_wrong_length_leaves_session_and_counter_alone() {
    let mut image = image();
    image.lengths = LengthOffer::Short;
    let mut chip = Chip::new(image);
    let mut session = bac(&mut chip, MRZ).unwrap();
    let before = session.count;
    let long = session.wrap([0, 0xB0, 0x81, 0], &[], &[0], true);
    assert_eq!(chip.process(&long), [0x67, 0x00]);
    session.count = before;
    // No outer Le, or one that cannot hold so much as a status.
    let mut command = session.wrap([0, 0xB0, 0x81, 0], &[], &[0], false);
    session.count = before;
    assert_eq!(chip.process(&command[..command.len() - 1]), [0x67, 0x00]);
    *command.last_mut().unwrap() = 13;
    assert_eq!(chip.process(&command), [0x67, 0x00]);
    assert_eq!(session.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[0]), (content(95), 0x9000));
}

#[test]
fn a_protected_command_without_objects_may_pad_nothing_or_a_block() {
    for block_of_padding in [true, false] {
        let mut chip = Chip::new(image());
        let mut session = pace_can(&mut chip, "123456").unwrap();
        let mut command = session.wrap([0, 0xA4, 0x00, 0x0C], &[], &[], false);
        if !block_of_padding {
            let header = crypto::pad(vec![0x0C, 0xA4, 0x00, 0x0C], 16);
            let input = [counter(PaceCipher::Aes128, session.count), header].concat();
            let checksum = crypto::mac(PaceCipher::Aes128, &session.mac_key, &input).unwrap();
            command[7..15].copy_from_slice(&checksum);
        }
        assert_eq!(session.unwrap(&chip.process(&command)), (Vec::new(), 0x9000));
    }
}

#[test]
fn answers_are_cut_to_what_the_exchange_carries() {
    for (lengths, le, carried) in [
        // A short exchange carries 223 bytes under AES, whatever the inner Le says.
        (EXTENDED, &[0x00][..], 223),
        (EXTENDED, &[0xE0], 223),
        (EXTENDED, &[0xDF], 223),
        (EXTENDED, &[0x50], 80),
        (EXTENDED, &[0x01, 0x00], 256),
        (EXTENDED, &[0x10, 0x00], 4096),
        (EXTENDED, &[0x00, 0x00], 65_503),
        (LengthOffer::Extended { max_command: 300, max_reply: 1000 }, &[0x00, 0x00], 975),
        (LengthOffer::Short, &[0x00], 223),
    ] {
        let mut image = image();
        image.lengths = lengths;
        let mut chip = Chip::new(image);
        let mut session = pace_can(&mut chip, "123456").unwrap();
        session.select_application(&mut chip);
        let (data, status) = session.say(&mut chip, [0, 0xB0, 0x82, 0], &[], le);
        assert_eq!((data.len(), status), (carried, 0x9000), "{le:02X?}");
        assert_eq!(data, content(carried));
    }
}

#[test]
fn plain_answers_stay_within_le_and_the_longest_reply() {
    let mut image = image();
    image.lengths = LengthOffer::Extended { max_command: 300, max_reply: 100 };
    image.master_file.get_mut(&0x011C).unwrap().content = content(400);
    let mut chip = Chip::new(image);
    say(&mut chip, "00A4020C02011C");
    for (command, length) in [("00B0000000", 98), ("00B00000000000", 98), ("00B0000050", 80)] {
        let answer = chip.process(&bytes(command));
        assert_eq!(answer.len(), length + 2, "{command}");
        assert!(answer.ends_with(&[0x90, 0x00]));
    }
}

#[test]
fn offsets_beyond_32767_are_read_with_odd_ins() {
    let mut chip = Chip::new(image());
    let mut session = pace_can(&mut chip, "123456").unwrap();
    session.select_application(&mut chip);
    assert_eq!(session.select_file(&mut chip, 0x0102), 0x9000);
    let whole = content(70_000);
    let mut read = |p2, offset: &str, le: &[u8]| {
        let (data, status) = session.say(&mut chip, [0, 0xB1, 0, p2], &bytes(offset), le);
        if data.is_empty() {
            return (None, status);
        }
        let objects = tlv::objects(&data).unwrap();
        assert_eq!((objects.len(), objects[0].tag), (1, 0x53));
        let le = Le::read(le).unwrap();
        assert!(data.len() <= le.limit(), "Le counts tag and length too");
        (Some(objects[0].value.to_vec()), status)
    };
    for (offset, field) in
        [(0x8000, "54028000"), (0xC350, "5402C350"), (0x10000, "5403010000"), (5, "540105")]
    {
        // 223 bytes of room less tag and length of two bytes.
        assert_eq!(read(0, field, &[0]), (Some(whole[offset..offset + 220].to_vec()), 0x9000));
    }
    // 127 bytes take a length of one byte, 128 of two: an Le of 130 has room for 127.
    assert_eq!(read(0, "54028000", &[130]).0.unwrap().len(), 127);
    assert_eq!(read(0, "54028000", &[131]).0.unwrap().len(), 128);
    assert_eq!(read(0, "540301116E", &[0]), (Some(whole[69_998..].to_vec()), 0x9000));
    assert_eq!(read(0, "540301116E", &[4]), (Some(whole[69_998..].to_vec()), 0x9000));
    assert_eq!(read(0, "540301116E", &[5]), (Some(whole[69_998..].to_vec()), 0x6282));
    assert_eq!(read(0, "5403011170", &[0]), (None, 0x6B00));
    assert_eq!(read(0, "5404FFFFFFFF", &[0]), (None, 0x6B00));
    for malformed in ["", "5400", "53020000", "54050000000000", "5401005401 00", "54"] {
        assert_eq!(read(0, &malformed.replace(' ', ""), &[0]), (None, 0x6A80), "{malformed}");
    }
    assert_eq!(read(0x1D, "54020700", &[0]), (Some(content(1800)[0x700..].to_vec()), 0x9000));
    assert_eq!(read(0x1F, "540100", &[0]), (None, 0x6A86));
    assert_eq!(read(0, "540100", &[0, 0]).0.unwrap(), content(1800));
}

#[test]
fn odd_ins_works_in_plain_too_and_needs_a_file() {
    let mut chip = Chip::new(image());
    assert_eq!(say(&mut chip, "00B100000354010000"), "6986");
    assert_eq!(say(&mut chip, "00B1001C0354013400"), "530234359000");
    assert_eq!(say(&mut chip, "00B10000035401"), "6700");
    assert_eq!(say(&mut chip, "00B100000354013402"), "6700");
}
