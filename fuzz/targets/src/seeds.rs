//! Valid bytes for every target, made by the simulator: new keys and signatures each time, the same shapes.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use cccd_document::{
    ActiveAuthenticationRun, Biometrics, ChipAuthenticationMappingRun, ChipAuthenticationRun, ChipProofs,
    Cipher, FileId, ProofOutcome, TerminalAuthentication, TerminalAuthenticationRun,
};
use cccd_evidence::{AgentKey, EvidenceFile, Groups, ReadFacts};
use cccd_firmware_sim::card_image::{Correction, Segments, Symbol};
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{
    ActiveAuthenticationPlan, CardDescription, ChipAuthenticationPlan, Issuer, SecurityObjectPlan,
    odd_security_objects, personalise, shipped, shipped_card,
};
use cccd_firmware_sim::pki::{
    BareList, Country, CrlPlan, Csca, CscaPlan, CvAuthority, CvPlan, DigestKind, DocumentSigner,
    DocumentSignerPlan, LdifEntry, LdifValue, Setting, SignerKind, Story, bare_list, csca_list, ldif,
    master_list, pem_bundle,
};
use cccd_hn212::write;
use cccd_trust::Verdict;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use time::macros::{date, datetime};

use crate::chip::reading;
use crate::proofs::Answers;
use crate::tokens::{self, ED25519, NOW, SIGNED, TARGET};
use crate::verified::Kind;

/// One plan in so many is made into a card. All of them would be hundreds, and much the same; a prime number meets
/// every curve, hash and form in turn.
const EVERY: usize = 11;

/// The code of an invented health insurance card.
const INSURANCE: &str = "GD4790000000000|4E677579E1BB856E2056C4836E204DE1BAAB75|02/01/1990|1|\
                         53E1BB9120312C2058C3A3204DE1BAAB75|01 - 001|01/01/2020|-|15/12/2019|01000|-|K2|01/02/2024|x|$";

/// The seeds of every target, by its name.
#[derive(Debug, Default)]
pub struct Seeds(BTreeMap<&'static str, Vec<Vec<u8>>>);

impl Seeds {
    /// Makes them all.
    pub fn make() -> Result<Self> {
        let mut seeds = Self::default();
        seeds.chips()?;
        seeds.scanners()?;
        seeds.network_readers()?;
        seeds.security_objects()?;
        seeds.certificates()?;
        seeds.lists()?;
        seeds.terminals()?;
        seeds.evidence()?;
        seeds.pictures()?;
        seeds.tokens()?;
        Ok(seeds)
    }

    /// Those of one target.
    pub fn of(&self, target: &str) -> &[Vec<u8>] {
        self.0.get(target).map(Vec::as_slice).unwrap_or_default()
    }

    fn add(&mut self, target: &'static str, bytes: impl Into<Vec<u8>>) {
        self.0.entry(target).or_default().push(bytes.into());
    }

    /// The files of every card that comes with the simulator, and of cards with other keys for their proofs.
    fn chips(&mut self) -> Result<()> {
        let issuer = Issuer::new()?;
        for card in shipped() {
            let card = card.description()?;
            self.chip(&personalise(&card, &issuer)?)?;
            if let Some(text) = card.qr_text() {
                // As it is, and as scanners spoil it: taken for Latin-1, without accents, named and ended.
                self.add("qr_payload", text.bytes().map(char::from).collect::<String>());
                self.add("qr_payload", text.chars().filter(char::is_ascii).collect::<String>());
                self.add("qr_payload", format!("]Q1{text}|1|2|3|4\r\n"));
                self.add("qr_payload", text);
            }
        }
        self.add("qr_payload", INSURANCE);
        for plan in ActiveAuthenticationPlan::all().into_iter().step_by(EVERY) {
            let card = citizen()?.with_active_authentication(Some(plan));
            self.chip(&personalise(&card, &issuer)?)?;
        }
        for plan in ChipAuthenticationPlan::all().into_iter().step_by(EVERY) {
            let card = citizen()?.with_chip_authentication(vec![plan]);
            self.chip(&personalise(&card, &issuer)?)?;
        }
        Ok(())
    }

    /// Tokens, keys in both forms, and proofs of a page.
    fn tokens(&mut self) -> Result<()> {
        let page = tokens::page_key().context("no key")?;
        for jwk in [ED25519, page] {
            self.add("public_key", jwk);
        }
        // RFC 8410, 10.1, and RFC 7517, A.1.
        self.add(
            "public_key",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
             -----END PUBLIC KEY-----\n",
        );
        self.add(
            "public_key",
            r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
               "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#,
        );
        self.add("signed_token", SIGNED);
        let claims = |more: &str| {
            format!(
                r#"{{"jti":"0f0c1a52-7e8e-4f0e-8a6a-3f4b6f0c9d11","htm":"POST","htu":"{TARGET}","iat":{NOW}{more}}}"#
            )
        };
        for claims in [claims(""), claims(r#","nonce":"x","more":[1,{"a":null}]"#)] {
            let proof = tokens::prove(claims.as_bytes()).context("not signed")?;
            self.add("signed_token", proof.as_str());
            self.add("dpop_proof", proof);
            self.add("dpop_claims", claims);
        }
        Ok(())
    }

    /// Codes as a scanner sends them, whole and in pieces.
    fn scanners(&mut self) -> Result<()> {
        let code = citizen()?.qr_text().context("no code")?;
        for (framing, before, behind) in [
            (0, "", "\r"),
            (1, "", "\n"),
            (2, "", "\r\n"),
            (3, "", "\t"),
            (4, "\x02", "\x03"),
            (5, "]Q1", "\r\n"),
            (6, "", ""),
        ] {
            let code = format!("{before}{code}{behind}");
            self.add("scanner_line", [&[framing, 255], code.as_bytes(), code.as_bytes()].concat());
            self.add("scanner_line", [&[framing, 7], code.as_bytes()].concat());
        }
        Ok(())
    }

    /// Messages of a network reader, and orders to one.
    fn network_readers(&mut self) -> Result<()> {
        let card = citizen()?;
        let image = personalise(&card, &Issuer::new()?)?;
        let files = image.emrtd.iter().filter(|(fid, _)| **fid != FileId::DG2.fid());
        let files = files.map(|(fid, file)| (*fid, file.content.clone().into())).collect();
        for packet in [
            write::opening(&write::Handshake {
                sid: "x",
                upgrades: &["websocket"],
                ping_interval: Duration::from_secs(25),
                ping_timeout: Duration::from_secs(20),
                max_payload: 16_384,
            }),
            write::connected("x"),
            write::ping(),
            write::new_card(),
            write::failed("no"),
            write::text(&write::Text { person_name: "x", ..write::Text::default() }),
            write::files(Some(&[0xFF, 0xD8]), &files),
            write::get_aa([7; 8]),
        ] {
            self.add("network_reader", packet.as_bytes());
        }
        let again =
            r#"42["/input_data",{"idCode":"000090123456","dateOfBirth":"02011990","expiryDate":"02012099"}]"#;
        self.add("network_reader", again);
        self.add(
            "network_reader",
            r#"42["/event",{"id":7,"data":{"aa_signature":"AQID","aa_challege":"AAAAAAAAAAA="}}]"#,
        );
        Ok(())
    }

    fn chip(&mut self, image: &ChipImage) -> Result<()> {
        for (target, file) in [
            ("ef_com", FileId::EfCom),
            ("ef_sod", FileId::EfSod),
            ("dg3", FileId::DG3),
            ("dg13", FileId::DG13),
            ("dg14", FileId::DG14),
            ("dg15", FileId::DG15),
        ] {
            if let Some(file) = image.emrtd.get(&file.fid()) {
                self.add(target, &*file.content);
            }
        }
        for (target, file) in [("card_access", FileId::CardAccess), ("signed_message", FileId::CardSecurity)]
        {
            if let Some(file) = image.master_file.get(&file.fid()) {
                self.add(target, &*file.content);
            }
        }
        let group =
            |file: FileId| image.emrtd.get(&file.fid()).map(|file| &*file.content).unwrap_or_default();
        let card_access = image.master_file.get(&FileId::CardAccess.fid());
        // The answers fit no key: what is changed in them would not, either.
        let answers = Answers {
            card_access: card_access.map(|file| &*file.content).unwrap_or_default(),
            dg14: group(FileId::DG14),
            dg15: group(FileId::DG15),
            response: &[0x5A; 128],
            public_key: &GENERATOR,
            authentication_data: &[0x5A; 32],
        };
        self.add("chip_proofs", answers.written()?);
        Ok(())
    }

    /// Every oddity of EF.SOD, by signers of both kinds.
    fn security_objects(&mut self) -> Result<()> {
        let issuer = Issuer::new()?;
        for signer in [SignerKind::ECDSA_P256, SignerKind::RSA_2048] {
            let usual = citizen()?.security_object();
            for (name, plan) in odd_security_objects(usual) {
                let plan = SecurityObjectPlan { signer, ..plan };
                let image = personalise(&citizen()?.with_security_object(plan), &issuer)?;
                if let Some(file) = image.emrtd.get(&FileId::EfSod.fid()) {
                    self.add("ef_sod", &*file.content);
                    if name == "several-certificates" {
                        self.add("verified", Kind::SecurityObject.before(&file.content));
                    }
                }
            }
        }
        Ok(())
    }

    /// Authorities, signers and links in every story of their lives, and with every kind of key.
    fn certificates(&mut self) -> Result<()> {
        for story in Story::ALL {
            let setting = Setting {
                country: Country::UTOPIA,
                signer: SignerKind::ECDSA_P256,
                signed_on: date!(2025 - 03 - 01),
            };
            let told = story.tell(setting)?;
            self.add("certificate", told.signer.certificate().der());
            if story == Story::PathTooLong {
                self.add("verified", Kind::Certificate.before(told.signer.certificate().der()));
            }
            for der in &told.trust.crls {
                self.add("crl", &**der);
            }
            for der in told.trust.anchors.iter().chain(&told.trust.certificates) {
                self.add("certificate", &**der);
            }
        }
        for (digest, signer) in SignerKind::combinations() {
            let csca = Csca::new(CscaPlan { signer, digest, ..CscaPlan::usual(Country::UTOPIA) })?;
            self.add("certificate", csca.certificate().der());
            if [SignerKind::ECDSA_P256, SignerKind::RSA_2048].contains(&signer)
                && digest == DigestKind::Sha256
            {
                self.add("verified", Kind::Certificate.before(csca.certificate().der()));
            }
        }
        Ok(())
    }

    /// A short list in every form there is.
    fn lists(&mut self) -> Result<()> {
        let list = csca_list(3)?;
        let ders: Vec<&[u8]> = list.iter().map(|listed| listed.certificate.der()).collect();
        let (csca, signer) = list_signer()?;
        let signed = master_list(ders.iter().copied(), &signer, &csca, date!(2026 - 05 - 01))?;
        let crl = csca.crl(&CrlPlan::empty().revoking(signer.certificate(), date!(2026 - 06 - 01)))?;
        let set = bare_list(BareList::Set, ders.iter().copied());
        // CscaMasterList ::= SEQUENCE { version INTEGER, certList SET OF Certificate }.
        let version = [0x02, 0x01, 0x00];
        let content = bare_list(BareList::Sequence, [&version[..], &set]);

        let of = |value| LdifEntry { country: Country::UTOPIA, value };
        let mut entries: Vec<LdifEntry<'_>> =
            list.iter().map(|listed| of(LdifValue::Certificate(&listed.certificate))).collect();
        entries.push(of(LdifValue::Crl(&crl)));
        let lists = ldif(&[of(LdifValue::MasterList(&signed)), of(LdifValue::Crl(&crl))]);

        // One certificate is enough to be verified.
        let small = [csca.certificate().der(), &crl].concat();
        self.add("verified", Kind::TrustFile.before(&small));
        self.add("verified", Kind::SignedMessage.before(&signed));

        self.add("ldif", ldif(entries.get(..1).unwrap_or_default()));
        self.add("ldif", ldif(&entries));
        self.add("trust_file", ldif(&entries));
        self.add("trust_file", lists);
        self.add("trust_file", pem_bundle(ders.iter().copied()));
        self.add("trust_file", bare_list(BareList::Sequence, ders.iter().copied()));
        self.add("trust_file", ders.concat());
        self.add("trust_file", small);
        self.add("crl", &*crl);
        self.add("crl", csca.crl(&CrlPlan::empty().stale())?);
        self.add("trust_file", set);
        self.add("signed_message", &*signed);
        self.add("trust_file", signed);
        self.add("trust_file", &*content);
        self.add("master_list", content);
        Ok(())
    }

    /// Small symbols, drawn clean: as files of each format, and as a frame.
    fn pictures(&mut self) -> Result<()> {
        for (version, correction) in [(1, Correction::L), (2, Correction::H), (7, Correction::L)] {
            let symbol = Symbol::encode(
                b"000090123456|",
                correction,
                Segments::NumericBytes,
                version..=version,
                None,
            )?;
            let side = u32::try_from(3 * (symbol.side + 6))?;
            let picture = GrayImage::from_fn(side, side, |x, y| {
                let module = |at: u32| (at / 3).checked_sub(3).and_then(|at| usize::try_from(at).ok());
                let dark = module(x).zip(module(y)).is_some_and(|(x, y)| symbol.is_dark(x, y));
                Luma([if dark { 30 } else { 220 }])
            });
            let colours = DynamicImage::ImageLuma8(picture.clone()).into_rgba8();
            for (target, format, deep) in [
                ("picture_jpeg", ImageFormat::Jpeg, false),
                ("picture_png", ImageFormat::Png, true),
                ("picture_png", ImageFormat::Png, false),
                ("picture_webp", ImageFormat::WebP, true),
                ("picture_bmp", ImageFormat::Bmp, true),
                ("picture_bmp", ImageFormat::Bmp, false),
            ] {
                let mut file = Cursor::new(Vec::new());
                if deep {
                    colours.write_to(&mut file, format)?;
                } else {
                    picture.write_to(&mut file, format)?;
                }
                self.add(target, file.into_inner());
            }
            let mut frame = vec![u8::try_from(side - 1)?];
            frame.extend(picture.into_raw());
            self.add("picture_grey", frame);
        }
        Ok(())
    }

    /// From the root to the terminal.
    fn terminals(&mut self) -> Result<()> {
        let root = CvAuthority::root(CvPlan::root("UTCVCA00001"))?;
        let verifier = root.certify(CvPlan::document_verifier("UTDV00001"))?;
        let terminal = verifier.certify(CvPlan::terminal("UTIS00001"))?;
        let rsa = CvPlan { signer: SignerKind::RSA_2048, ..CvPlan::root("UTCVCA00002") };
        for holder in [&root, &verifier, &terminal, &CvAuthority::root(rsa)?] {
            self.add("cv_certificate", holder.certificate());
        }
        Ok(())
    }

    /// What a reading with every proof leaves, with its groups and with their hashes alone.
    fn evidence(&mut self) -> Result<()> {
        let image = personalise(&citizen()?, &Issuer::new()?)?;
        // No portrait, and nothing twice of its kind: what matters here is the form around the files.
        let files = [FileId::EfSod, FileId::DG1, FileId::DG15];
        let files = files.iter().filter_map(|file| Some((*file, &*image.emrtd.get(&file.fid())?.content)));
        let mut evidence = reading(files);
        evidence.proofs = ChipProofs {
            active_authentication: ProofOutcome::Done(ActiveAuthenticationRun {
                challenge: [1, 2, 3, 4, 5, 6, 7, 8],
                nonce: Some(vec![9; 32]),
                response: vec![10; 64],
            }),
            chip_authentication: ProofOutcome::Done(ChipAuthenticationRun {
                public_key: vec![1, 2],
                key_id: Some(3),
                cipher: Cipher::Aes128,
                terminal_public_key: vec![4; 65],
            }),
            chip_authentication_mapping: ProofOutcome::Done(ChipAuthenticationMappingRun {
                parameter_id: 13,
                mapping_public_key: vec![4; 65],
                authentication_data: vec![5; 32],
            }),
            terminal_authentication: TerminalAuthentication::Done(TerminalAuthenticationRun {
                authority: "UTCVCA00001".to_owned(),
                certificates: 2,
            }),
        };
        let key = AgentKey::generate(&mut getrandom::SysRng)?;
        let facts = || ReadFacts {
            read_id: "5f0c3a9be1d24487a6c0f1e2d3b4a596",
            agent_version: "0.1.0",
            read_at: datetime!(2026-11-20 08:30:15 UTC),
            mark: cccd_document::ReadMark::Simulated,
        };
        for groups in [Groups::with(&evidence, Biometrics::NONE), Groups::HashesOnly] {
            let file = EvidenceFile::new(facts(), &evidence, &Verdict::of(Vec::new()), groups);
            let text = file.sign(&key, &mut getrandom::SysRng)?;
            let payload = text.split('.').nth(1).context("no payload")?;
            let payload = Base64UrlUnpadded::decode_vec(payload)?;
            self.add("verified", Kind::EvidencePayload.before(&payload));
            self.add("evidence_payload", payload);
            self.add("evidence_file", text.as_bytes());
        }
        Ok(())
    }
}

/// The generator of brainpoolP256r1, uncompressed (RFC 5639, 3.4): a point that every check finds on its curve.
const GENERATOR: [u8; 65] = [
    0x04, 0x8B, 0xD2, 0xAE, 0xB9, 0xCB, 0x7E, 0x57, 0xCB, 0x2C, 0x4B, 0x48, 0x2F, 0xFC, 0x81, 0xB7, 0xAF,
    0xB9, 0xDE, 0x27, 0xE1, 0xE3, 0xBD, 0x23, 0xC2, 0x3A, 0x44, 0x53, 0xBD, 0x9A, 0xCE, 0x32, 0x62, 0x54,
    0x7E, 0xF8, 0x35, 0xC3, 0xDA, 0xC4, 0xFD, 0x97, 0xF8, 0x46, 0x1A, 0x14, 0x61, 0x1D, 0xC9, 0xC2, 0x77,
    0x45, 0x13, 0x2D, 0xED, 0x8E, 0x54, 0x5C, 0x1D, 0x54, 0xC7, 0x2F, 0x04, 0x69, 0x97,
];

fn citizen() -> Result<CardDescription> {
    Ok(shipped_card("cccd-2021").context("not shipped")?.description()?)
}

/// An authority, and who signs master lists under it.
fn list_signer() -> Result<(Csca, DocumentSigner)> {
    let csca = Csca::new(CscaPlan::usual(Country::UTOPIA))?;
    let plan = DocumentSignerPlan::of_master_lists(Country::UTOPIA, SignerKind::ECDSA_P256);
    let signer = csca.document_signer(plan)?;
    Ok((csca, signer))
}
