//! A description becomes the files of a chip (ICAO 9303-10, 3.11 and 4).

use std::collections::BTreeMap;

use openssl::error::ErrorStack;

use time::Date;
use time::macros::date;

use crate::image::{
    AccessOffer, CanOffer, Chaining, ChipImage, LengthOffer, ProofOffer, ReadRule, StoredFile,
};
use crate::pki::{Content, DocumentSigner, ef_cvca, signed_data};

use super::authority::Issuer;
use super::biometrics::{data_group_2, data_group_3};
use super::chip_keys::ChipKeys;
use super::der::{constructed, integer, tlv};
use super::description::{Bearer, CardDescription, Fingerprints, LdsVersion};
use super::record::data_group_13;
use super::security_infos::{card_access, card_security, data_group_14, data_group_15};
use super::security_object::security_object;

/// Makes the content of a chip, with keys of its own. Only OpenSSL can refuse.
pub fn personalise(card: &CardDescription, issuer: &Issuer) -> Result<ChipImage, ErrorStack> {
    let signer = issuer.signer(card.issuing_state(), card.security_object.signer)?;
    personalise_signed_by(card, &signer)
}

/// The same, whose data groups are changed before they are signed.
pub fn personalise_changed(
    card: &CardDescription,
    issuer: &Issuer,
    change: impl FnOnce(&mut BTreeMap<u8, Vec<u8>>),
) -> Result<ChipImage, ErrorStack> {
    let signer = issuer.signer(card.issuing_state(), card.security_object.signer)?;
    with_groups(card, &signer, change)
}

/// The same, signed by this very signer, whatever key the description asks for.
pub fn personalise_signed_by(
    card: &CardDescription,
    signer: &DocumentSigner,
) -> Result<ChipImage, ErrorStack> {
    with_groups(card, signer, |_| {})
}

fn with_groups(
    card: &CardDescription,
    signer: &DocumentSigner,
    change: impl FnOnce(&mut BTreeMap<u8, Vec<u8>>),
) -> Result<ChipImage, ErrorStack> {
    let keys = ChipKeys::generate(&card.chip, &card.access.pace)?;
    let mut groups = data_groups(card, &keys)?;
    change(&mut groups);
    let sod = security_object(card.security_object, &groups, signer, signing_day(card))?;

    let after_access_control = |content| StoredFile { content, rule: ReadRule::AfterAccessControl };
    let mut emrtd = BTreeMap::from([
        (EF_COM, after_access_control(ef_com(card, groups.keys().copied()))),
        (EF_SOD, after_access_control(sod)),
    ]);
    for (number, content) in groups {
        let rule = if number == 3 { ReadRule::TerminalAuthentication } else { ReadRule::AfterAccessControl };
        emrtd.insert(0x0100 | u16::from(number), StoredFile { content, rule });
    }

    let free = |content| StoredFile { content, rule: ReadRule::Free };
    let mut master_file =
        BTreeMap::from([(EF_ATR_INFO, free(atr_info(card.lengths))), (EF_DIR, free(directory()))]);
    if let Some(content) = card_access_file(card) {
        master_file.insert(EF_CARD_ACCESS, free(content));
    }
    if let Some(infos) = card_security(&card.chip, &card.access.pace, &keys)? {
        // id-SecurityObject, signed like EF.SOD and by the same signer (ICAO 9303-10, 3.11.4).
        let kind: &[u32] = &[0, 4, 0, 127, 0, 7, 3, 2, 1];
        let content = Content { kind, bytes: &infos, signed_on: signing_day(card) };
        let plan = card.security_object;
        let file = signed_data(&content, plan.digest, signer, plan.form, &[])?;
        master_file.insert(EF_CARD_SECURITY, after_access_control(file));
    }

    let roots = &card.terminal_roots;
    if !roots.is_empty() {
        emrtd.insert(EF_CVCA, after_access_control(ef_cvca(roots)));
    }
    let terminal_trust_points = roots.iter().map(|root| root.certificate().to_vec()).collect();

    // The number opens PACE only: a chip with BAC alone has no use for it.
    let can = card.can().filter(|_| !card.access.pace.is_empty());
    let access = AccessOffer {
        bac: card.access.bac,
        pace: card.access.pace.clone(),
        can: can.map(|digits| CanOffer { digits: digits.to_owned(), tries: card.access.can_tries }),
        mrz_information: card.mrz_key().information(),
    };
    Ok(ChipImage {
        atr: answer_to_reset(card.lengths),
        master_file,
        emrtd,
        access,
        proofs: ProofOffer { terminal_trust_points, ..keys.proofs() },
        lengths: card.lengths,
        chaining: Chaining::Accepted,
    })
}

/// EF.CardAccess, where there is PACE.
pub(crate) fn card_access_file(card: &CardDescription) -> Option<Vec<u8>> {
    card_access(&card.chip, &card.access.pace)
}

/// The day of issue; where that is in doubt, the first day of the simulation.
pub(crate) fn signing_day(card: &CardDescription) -> Date {
    card.issued().day().unwrap_or(date!(2021 - 01 - 01))
}

const EF_CARD_ACCESS: u16 = 0x011C;
const EF_CARD_SECURITY: u16 = 0x011D;
const EF_CVCA: u16 = 0x011C;
const EF_COM: u16 = 0x011E;
const EF_SOD: u16 = 0x011D;
const EF_DIR: u16 = 0x2F00;
const EF_ATR_INFO: u16 = 0x2F01;

/// Tags of DG1 to DG16 (ICAO 9303-10, table 38).
const GROUP_TAGS: [u8; 16] =
    [0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70];

fn data_groups(card: &CardDescription, keys: &ChipKeys) -> Result<BTreeMap<u8, Vec<u8>>, ErrorStack> {
    let mut groups = BTreeMap::from([
        (1, constructed(0x61, &[tlv(0x5F1F, card.mrz_lines().concat().as_bytes())])),
        (2, data_group_2(&card.portrait, card.sex())),
    ]);
    if card.chip.fingerprints != Fingerprints::Absent {
        groups.insert(3, data_group_3(card.mrz_key().information().as_bytes())?);
    }
    if matches!(card.bearer, Bearer::Citizen(..)) {
        groups.insert(13, data_group_13(&card.record(), card.chip.parents));
    }
    if let Some(content) = data_group_14(&card.chip, &card.access.pace, keys)? {
        groups.insert(14, content);
    }
    if let Some(content) = data_group_15(keys)? {
        groups.insert(15, content);
    }
    Ok(groups)
}

/// EF.COM: versions of the LDS and of Unicode, and the tags of the groups (ICAO 9303-10, 4.6.1).
fn ef_com(card: &CardDescription, groups: impl Iterator<Item = u8>) -> Vec<u8> {
    let listed = groups.filter(|&number| number != 3 || card.chip.fingerprints == Fingerprints::Listed);
    let tags: Vec<u8> =
        listed.filter_map(|number| GROUP_TAGS.get(usize::from(number) - 1).copied()).collect();
    let version: &[u8] = match card.security_object.version {
        LdsVersion::V0 => b"0107",
        LdsVersion::V1 => b"0108",
    };
    constructed(0x60, &[tlv(0x5F01, version), tlv(0x5F36, b"040000"), tlv(0x5C, &tags)])
}

/// EF.ATR/INFO: card capabilities and, where lengths are extended, how long they may be (ICAO 9303-10,
/// 3.11.2; ISO/IEC 7816-4, 12.7.1).
fn atr_info(lengths: LengthOffer) -> Vec<u8> {
    let capabilities = tlv(0x47, &card_capabilities(lengths));
    match lengths {
        LengthOffer::Short => capabilities,
        LengthOffer::Extended { max_command, max_reply } => {
            let number = |value| integer(u32::try_from(value).unwrap_or(u32::MAX));
            [capabilities, constructed(0x7F66, &[number(max_command), number(max_reply)])].concat()
        }
    }
}

/// EF.DIR: one application (ICAO 9303-10, 3.11.1).
fn directory() -> Vec<u8> {
    constructed(0x61, &[tlv(0x4F, &[0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01])])
}

/// Selection by whole name, by file identifier and by short identifier; units of a byte; and in the third
/// byte extended lengths, detailed in EF.ATR/INFO (ISO/IEC 7816-4, 8.1.1.2.7, tables 117 to 119).
fn card_capabilities(lengths: LengthOffer) -> [u8; 3] {
    let third = match lengths {
        LengthOffer::Short => 0x00,
        LengthOffer::Extended { .. } => 0x60,
    };
    [0x94, 0x01, third]
}

/// What a PC/SC layer makes of a contactless chip with these historical bytes (PC/SC part 3, 3.1.3.2.3.1).
fn answer_to_reset(lengths: LengthOffer) -> Vec<u8> {
    let [first, second, third] = card_capabilities(lengths);
    let mut atr = vec![0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, first, second, third];
    // TCK makes the exclusive or of everything behind TS zero (ISO/IEC 7816-3, 8.2.5).
    atr.push(atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
    atr
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use openssl::bn::{BigNum, BigNumContext};
    use openssl::cms::{CMSOptions, CmsContentInfo};
    use openssl::ec::{EcGroup, EcPoint, PointConversionForm};
    use openssl::hash::{MessageDigest, hash};
    use openssl::pkey::PKey;
    use openssl::x509::X509;
    use openssl::x509::store::X509StoreBuilder;

    use super::*;
    use crate::image::{ActiveAuthenticationKey, NamedCurve, PaceCipher, PaceOffer};
    use crate::personalise::{IssuingState, PortraitFormat, shipped, shipped_card};
    use crate::pki::{CvAuthority, CvPlan};

    fn described(name: &str) -> CardDescription {
        shipped_card(name).unwrap_or_else(|| panic!("{name} is not shipped")).description().unwrap()
    }

    fn issuer() -> &'static Issuer {
        static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new().unwrap());
        &ISSUER
    }

    fn made(name: &str) -> ChipImage {
        personalise(&described(name), issuer()).unwrap()
    }

    fn byte(length: usize) -> u8 {
        u8::try_from(length).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn the_example_person_has_the_record_of_the_worked_example() {
        let image = made("cccd-2021");
        let record = &image.emrtd[&0x010D].content;
        assert_eq!(record.len(), 405);
        assert_eq!(
            hex(&hash(MessageDigest::sha256(), record).unwrap()),
            "64A8DE0CF29DCFFEB526D09214AC55DE44B753EB307321AF8D1A579BE7BF85E5"
        );
    }

    #[test]
    fn the_example_person_has_the_first_group_of_the_worked_example() {
        let image = made("cccd-2021");
        let zone =
            "IDVNM0901234562000090123456<<29001022M3001020VNM<<<<<<<<<<<4NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";
        assert_eq!(image.emrtd[&0x0101].content, [b"\x61\x5D\x5F\x1F\x5A", zone.as_bytes()].concat());
        assert_eq!(image.emrtd[&0x0101].content.len(), 95);
        assert_eq!(image.access.mrz_information, "090123456290010223001020");
        assert_eq!(image.access.can.unwrap().digits, "123456");
    }

    #[test]
    fn the_example_chip_says_what_vendors_take_for_granted() {
        let image = made("cccd-2021");
        assert_eq!(
            hex(&image.master_file[&EF_CARD_ACCESS].content).to_lowercase(),
            "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d"
        );
        // Version 0107, Unicode 4.0.0, DG1, 2, 3, 13, 14, 15.
        assert_eq!(
            hex(&image.emrtd[&EF_COM].content),
            "60185F0104303130375F36063034303030305C066175636D6E6F"
        );
        // 65,535 bytes each way, as positive integers.
        assert_eq!(hex(&image.master_file[&EF_ATR_INFO].content), "47039401607F660A020300FFFF020300FFFF");
        assert_eq!(hex(&image.master_file[&EF_DIR].content), "61094F07A0000002471001");
    }

    #[test]
    fn the_example_code_has_seven_fields() {
        assert_eq!(
            described("cccd-2021").qr_text().unwrap(),
            "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022"
        );
        assert_eq!(described("can-cuoc-2024").qr_text().unwrap().split('|').count(), 11);
        assert_eq!(described("passport-td3").qr_text(), None);
    }

    #[test]
    fn every_shipped_card_is_signed_up_to_its_csca_and_its_hashes_are_those_of_its_files() {
        let issuer = issuer();
        for card in shipped() {
            let name = card.name();
            let card = card.description().unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let image = personalise(&card, issuer).unwrap();

            let mut store = X509StoreBuilder::new().unwrap();
            store.add_cert(X509::from_der(issuer.csca_der_of(card.issuing_state())).unwrap()).unwrap();
            let file = &image.emrtd[&EF_SOD].content;
            assert_eq!(file[..2], [0x77, 0x82], "{name}");
            let mut content = Vec::new();
            CmsContentInfo::from_der(&file[4..])
                .unwrap()
                .verify(None, Some(&store.build()), None, Some(&mut content), CMSOptions::BINARY)
                .unwrap_or_else(|error| panic!("{name}: {error}"));

            let plan = card.security_object;
            let digest = plan.lds_digest.unwrap_or(plan.digest).message_digest();
            let mut groups = 0;
            for (id, file) in image.emrtd.iter().filter(|(id, _)| !matches!(**id, EF_COM | EF_SOD)) {
                let value = hash(digest, &file.content).unwrap();
                let mut entry = vec![0x02, 0x01, byte(usize::from(id & 0xFF)), 0x04, byte(value.len())];
                entry.extend_from_slice(&value);
                assert!(content.windows(entry.len()).any(|window| window == entry), "{name} {id:04X}");
                groups += 1;
            }
            // As many hashes as groups, so that no absent group is vouched for.
            let heads = content.windows(5).filter(|window| match *window {
                [2, 1, 1..=16, 4, length] => usize::from(*length) == digest.size(),
                _ => false,
            });
            assert_eq!(heads.count(), groups, "{name}");
        }
    }

    #[test]
    fn card_security_is_signed_and_holds_the_key_the_chip_maps_with() {
        let card = described("passport-chip-mapping");
        let image = made("passport-chip-mapping");
        let mut store = X509StoreBuilder::new().unwrap();
        let csca = issuer().csca_der_of(card.issuing_state());
        store.add_cert(X509::from_der(csca).unwrap()).unwrap();
        let file = &image.master_file[&EF_CARD_SECURITY].content;
        let mut content = Vec::new();
        CmsContentInfo::from_der(file)
            .unwrap()
            .verify(None, Some(&store.build()), None, Some(&mut content), CMSOptions::BINARY)
            .unwrap();
        let holds = |part: &[u8]| content.windows(part.len()).any(|window| window == part);

        // The whole of EF.CardAccess, set aside its tag and length, is found again, info by info.
        let infos = ["3012060A04007F000702020406040201020201 0F", "3012060A04007F0007020204020402010202010F"];
        for info in infos {
            assert!(holds(&::hex::decode(info.replace(' ', "")).unwrap()), "{info}");
        }
        // The public half of the chip's key, with 15 for a number.
        let [key] = &image.proofs.mapping_keys[..] else { panic!("one key") };
        let group = EcGroup::from_curve_name(NamedCurve::NistP384.nid()).unwrap();
        let (mut point, mut context) = (EcPoint::new(&group).unwrap(), BigNumContext::new().unwrap());
        point.mul_generator2(&group, &BigNum::from_slice(&key.private).unwrap(), &mut context).unwrap();
        let point = point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
        assert!(holds(&[&point[..], &[0x02, 0x01, 0x0F]].concat()));
        // No other card has the file.
        assert!(!made("cccd-2021").master_file.contains_key(&EF_CARD_SECURITY));
    }

    #[test]
    fn a_chip_with_trust_points_names_them_in_ef_cvca() {
        let root = |reference| CvAuthority::root(CvPlan::root(reference)).unwrap();
        let (new, old) = (root("XACVCA00002"), root("XACVCA00001"));
        let own = new.certificate().to_vec();
        let card = described("cccd-2021").with_terminal_authentication(vec![new, old]);
        let image = personalise(&card, issuer()).unwrap();
        let file = &image.emrtd[&EF_CVCA];
        assert_eq!(file.content, [b"\x42\x0BXACVCA00002\x42\x0BXACVCA00001", &[0; 10][..]].concat());
        assert_eq!(file.rule, ReadRule::AfterAccessControl);
        assert_eq!(
            (image.proofs.terminal_trust_points.len(), &image.proofs.terminal_trust_points[0]),
            (2, &own)
        );
        assert!(!made("cccd-2021").emrtd.contains_key(&EF_CVCA));
    }

    #[test]
    fn only_fingerprints_are_locked_and_only_the_master_file_is_free() {
        for card in shipped() {
            let image = made(card.name());
            for (id, file) in &image.master_file {
                assert_eq!(file.rule == ReadRule::Free, *id != EF_CARD_SECURITY, "{} {id:04X}", card.name());
            }
            for (id, file) in &image.emrtd {
                let rule = if *id == 0x0103 {
                    ReadRule::TerminalAuthentication
                } else {
                    ReadRule::AfterAccessControl
                };
                assert_eq!(file.rule, rule, "{} {id:04X}", card.name());
            }
        }
    }

    #[test]
    fn two_makings_differ_only_where_keys_are_new() {
        let (one, other) = (made("cccd-2021"), made("cccd-2021"));
        for (id, file) in &one.emrtd {
            let same = file.content == other.emrtd[id].content;
            assert_eq!(same, !matches!(id, 0x010E | 0x010F | 0x011D), "{id:04X}");
        }
        for (id, file) in &one.master_file {
            assert_eq!(file.content, other.master_file[id].content, "{id:04X}");
        }
    }

    #[test]
    fn the_card_of_2024_keeps_the_encrypted_part_out_of_its_record() {
        let card = described("can-cuoc-2024");
        let numbers: Vec<u8> = card.record().iter().map(|field| field.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 8, 12]);
        let image = made("can-cuoc-2024");
        let residence = card.citizen().unwrap().residence.clone().unwrap();
        let record = &image.emrtd[&0x010D].content;
        assert!(!record.windows(residence.len()).any(|window| window == residence.as_bytes()));
        assert!(!image.access.bac);
        assert_eq!(image.access.pace, [PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::NistP256)]);
        assert_eq!(card.portrait().format(), PortraitFormat::Jpeg2000);
        // DG3 is there and EF.COM is silent about it.
        assert!(image.emrtd.contains_key(&0x0103));
        assert!(image.emrtd[&EF_COM].content.ends_with(&[0x5C, 0x05, 0x61, 0x75, 0x6D, 0x6E, 0x6F]));
    }

    #[test]
    fn a_card_without_expiry_says_so_in_both_places() {
        let card = described("cccd-no-expiry");
        assert_eq!(card.mrz_key().expiry, "991231");
        assert_eq!(card.mrz_lines()[1][8..15], *"9912315");
        let image = made("cccd-no-expiry");
        let worded = "\x02\x01\x0c\x0c\x13Không thời hạn".as_bytes();
        assert!(image.emrtd[&0x010D].content.windows(worded.len()).any(|window| window == worded));
        assert_eq!(image.lengths, LengthOffer::Short);
        assert_eq!(image.master_file[&EF_ATR_INFO].content, [0x47, 0x03, 0x94, 0x01, 0x00]);
    }

    #[test]
    fn a_birth_of_which_only_the_year_is_known_says_so_everywhere() {
        let card = described("cccd-birth-year");
        let year = card.citizen().unwrap().birth.to_string();
        assert_eq!(year.len(), 4);
        assert_eq!(card.mrz_key().birth, format!("{}<<<<", &year[2..]));
        assert_eq!(card.qr_text().unwrap().split('|').nth(3), Some(year.as_str()));
        let field = [b"\x30\x09\x02\x01\x03\x13\x04", year.as_bytes()].concat();
        let image = made("cccd-birth-year");
        assert!(image.emrtd[&0x010D].content.windows(field.len()).any(|window| window == field));
    }

    #[test]
    fn the_second_nesting_has_a_residence_of_two_length_bytes_and_names_full_of_marks() {
        let card = described("cccd-second-nesting");
        let citizen = card.citizen().unwrap();
        let residence = citizen.residence.as_ref().unwrap();
        assert!((128..=250).contains(&residence.len()));
        let image = made("cccd-second-nesting");
        let record = &image.emrtd[&0x010D].content;
        let inside = 3 + 3 + residence.len();
        let head = [0x30, 0x81, byte(inside), 0x02, 0x01, 0x09, 0x0C, 0x81, byte(residence.len())];
        assert!(record.windows(head.len()).any(|window| window == head));
        let father = citizen.father.as_ref().unwrap();
        let at = record.windows(father.len()).position(|window| window == father.as_bytes()).unwrap();
        // The mother follows in the same sequence: a string, not a sequence.
        assert_eq!(record[at + father.len()], 0x0C);
        assert!(citizen.name.starts_with('Đ') && card.mrz_lines()[2].starts_with('D'));
        assert!(citizen.spouse.is_some());
    }

    #[test]
    fn the_passport_has_two_lines_bac_and_a_key_of_rsa() {
        let card = described("passport-td3");
        assert_eq!(card.issuing_state(), IssuingState::Utopia);
        assert_eq!(card.mrz_lines().iter().map(String::len).collect::<Vec<_>>(), [44, 44]);
        let image = personalise(&card, issuer()).unwrap();
        assert_eq!(image.emrtd.keys().copied().collect::<Vec<_>>(), [0x0101, 0x0102, 0x010F, EF_SOD, EF_COM]);
        assert!(!image.master_file.contains_key(&EF_CARD_ACCESS));
        assert!(image.access.bac && image.access.pace.is_empty() && image.access.can.is_none());
        assert_eq!(image.emrtd[&0x0101].content[..5], [0x61, 0x5B, 0x5F, 0x1F, 0x58]);
        let group_15 = &image.emrtd[&0x010F].content;
        let public = PKey::public_key_from_der(&group_15[group_15.len() - 162..]).unwrap();
        let offer = image.proofs.active_authentication.unwrap();
        assert!(
            matches!(offer.key, ActiveAuthenticationKey::Rsa(key, _) if key.n() == public.rsa().unwrap().n())
        );
    }

    #[test]
    fn the_answer_to_reset_closes_with_its_check_byte() {
        let atr = answer_to_reset(LengthOffer::Short);
        assert_eq!(atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte), 0);
        let extended = answer_to_reset(LengthOffer::Extended { max_command: 2048, max_reply: 2048 });
        assert_eq!(extended[..9], [0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0x94, 0x01, 0x60]);
    }
}
