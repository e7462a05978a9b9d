//! PACE beyond ECDH with generic mapping: the worked examples of the standard, and every variant there is.

use openssl::bn::{BigNum, BigNumContext};

use super::crypto::{self, KeyUse};
use super::group::{Element, Group};
use super::pace::oid_of;
use super::terminal::*;
use super::*;
use crate::image::{
    AgreementKey, DomainParameters, ModpGroup, NamedCurve, PaceCipher, PaceMapping, PaceOffer,
};

/// A chip that draws these, first to last.
fn scripted(image: ChipImage, draws: &[&str]) -> Chip {
    let mut draws: Vec<Vec<u8>> = draws.iter().rev().map(|draw| hex_of(draw)).collect();
    Chip::with_entropy(image, move |out: &mut [u8]| out.copy_from_slice(&draws.pop().unwrap()))
}

fn hex_of(text: &str) -> Vec<u8> {
    bytes(&text.replace([' ', '\n'], ""))
}

/// A private key modulo the order of its group, which gives the same public key: the chip draws no longer ones.
fn reduced(private: &str, parameters: DomainParameters) -> String {
    let order = Group::new(parameters).unwrap().order().unwrap();
    let mut reduced = BigNum::new().unwrap();
    let whole = BigNum::from_slice(&hex_of(private)).unwrap();
    reduced.nnmod(&whole, &order, &mut BigNumContext::new().unwrap()).unwrap();
    hex::encode(reduced.to_vec_padded(order.num_bytes()).unwrap())
}

fn with_offer(offer: PaceOffer) -> ChipImage {
    let mut image = image();
    image.access.pace = vec![offer];
    image
}

/// Sends the commands of an example and expects its answers.
fn replay(chip: &mut Chip, exchanges: &[(&str, &str)]) {
    for (command, answer) in exchanges {
        let answer = answer.replace([' ', '\n'], "");
        assert_eq!(hex::encode_upper(chip.process(&hex_of(command))), answer, "{command}");
    }
}

fn assert_keys(chip: &Chip, encryption: &str, mac: &str) {
    let (encryption_key, mac_key) = chip.session.secure_messaging.as_ref().unwrap().keys();
    assert_eq!(
        (hex::encode_upper(encryption_key), hex::encode_upper(mac_key)),
        (encryption.into(), mac.into())
    );
}

const MODP_1024: DomainParameters = DomainParameters::Modp(ModpGroup::Modp1024Order160);
const BRAINPOOL_256: DomainParameters = DomainParameters::Curve(NamedCurve::BrainpoolP256r1);

#[test]
fn dh_with_generic_mapping_of_icao_appendix_g2_word_for_word() {
    // ICAO 9303-11, Appendix G.2. Its last answer names a certification authority that was not asked for; this
    // chip has none.
    let mut image = with_offer(PaceOffer {
        mapping: PaceMapping::Generic,
        cipher: PaceCipher::Aes128,
        parameters: MODP_1024,
    });
    image.access.mrz_information = "T22000129364081251010318".to_owned();
    let mut chip = scripted(
        image,
        &[
            "FA5B7E3E 49753A0D B9178B7B 9BD898C8",
            "66DDAFEA C1609CB5 B963BB0C B3FF8B3E 047F336C",
            "A5B78012 6B7C980E 9FCEA1D4 539DA1D2 7C342DFA",
        ],
    );
    replay(
        &mut chip,
        &[
            ("0022C1A40F800A04007F00070202040102830101", "9000"),
            ("10860000027C0000", "7C128010854D8DF5827FA6852D1A4FA701CDDDCA9000"),
            (
                "10860000867C8183818180 23FB3749EA030D2A25B278D2A562047ADE3F01B74F17A15402CB7352CA7D2B3E
                 B71C343DB13D1DEBCE9A3666DBCFC920B49174A602CB47965CAA73DC702489A4
                 4D41DB914DE9613DC5E98C94160551C0DF86274B9359BC0490D01B03AD54022D
                 CB4F57FAD6322497D7A1E28D46710F461AFE710FBBBC5F8BA166F4311975EC6C 00",
                "7C8183828180 78879F57225AA8080D52ED0FC890A4B25336F699AA89A2D3A189654AF70729E6
                 23EA5738B26381E4DA19E004706FACE7B235C2DBF2F38748312F3C98C2DD4882
                 A41947B324AA1259AC22579DB93F7085655AF30889DBB845D9E6783FE42C9F24
                 49400306254C8AE8EE9DD812A804C0B66E8CAFC14F84D8258950A91B44126EE6 9000",
            ),
            (
                "10860000867C8183838180 907D89E2D425A178AA81AF4A7774EC8E388C115CAE67031E85EECE520BD911
                 551B9AE4D04369F29A02626C86FBC6747CC7BC352645B6161A2A42D44EDA80A0
                 8FA8D61B76D3A154AD8A5A51786B0BC07147057871A922212C5F67F431731722
                 36B7747D1671E6D692A3C7D40A0C3C5CE397545D015C175EB5130551EDBC2EE5D4 00",
                "7C8183848180 075693D9AE941877573E634B6E644F8E60AF17A0076B8B123D9201074D36152B
                 D8B3A213F53820C42ADC79AB5D0AEEC3AEFB91394DA476BD97B9B14D0A65C1FC
                 71A0E019CB08AF55E1F729005FBA7E3FA5DC41899238A250767A6D46DB974064
                 386CD456743585F8E5D90CC8B4004B1F6D866C79CE0584E49687FF61BC29AEA1 9000",
            ),
            ("008600000C7C0A8508B46DD9BD4D98381F00", "7C0A8608917F37B5C0E6D8D19000"),
        ],
    );
    assert_keys(&chip, "2F7F46ADCC9E7E521B45D192FAFA9126", "805A1D27D45A5116F73C54469462B7D8");
}

#[test]
fn ecdh_with_integrated_mapping_of_icao_appendix_h1() {
    // ICAO 9303-11, Appendix H.1. Its key K_pi is that of the CAN 123456. It gives values and no commands.
    let image = with_offer(PaceOffer {
        mapping: PaceMapping::Integrated,
        cipher: PaceCipher::Aes128,
        parameters: BRAINPOOL_256,
    });
    let mut chip = scripted(
        image,
        &[
            "2923BE84 E16CD6AE 529049F1 F1BBE9EB",
            "107CF586 96EF6155 053340FD 633392BA 81909DF7 B9706F22 6F32086C 7AFF974A",
        ],
    );
    replay(
        &mut chip,
        &[
            ("0022C1A40F800A04007F00070202040402830102", "9000"),
            ("10860000027C0000", "7C128010143DC40C08C8E891FBED7DEDB92B64AD9000"),
            ("10860000147C1281105DD4CBFC96F5453B130D890A1CDBAE3200", "7C0282009000"),
            (
                "10860000457C43834104 89CBA23FFE96AA18D824627C3E934E54A9FD0B87A95D1471DC1C0ABFDCD640D4
                 6755DE9B7B778280B6BEBD57439ADFEB0E21FD4ED6DF42578C13418A59B34C37 00",
                "7C43844104 67F78E5F7F7686082B293E8D087E056916D0F74BC01A5F8957D0DE45691E51E8
                 932B69A962B52A0985AD2C0A271EE6A13A8ADDDCD1A3A994B9DED257F4D22753 9000",
            ),
            ("008600000C7C0A8508450F02B86F6A090900", "7C0A860875D4D96E8D5B03089000"),
        ],
    );
    assert_keys(&chip, "0D3FEB33251A6370893D62AE8DAAF51B", "B01E89E3D9E8719E586B50B4A7506E0B");
}

#[test]
fn dh_with_integrated_mapping_of_icao_appendix_h2() {
    // ICAO 9303-11, Appendix H.2. Its private key is longer than the order, which gives the same public key.
    let private = "020F018C7284B047FA7721A337EFB7ACB1440BB30C5252BD41C97C30C994BB78
         E9F0C5B32744D84017D21FFA6878396A6469CA283EF5C000DAF7D261A39AB886
         0ED4610AB5343390897AAB5A7787E4FAEFA0649C6A94FDF82D991E8E3FC332F5
         142729E7040A3F7D5A4D3CD75CBEE1F043C1CAD2DD484FEB4ED22B597D36688E";
    let reduced = reduced(private, MODP_1024);
    let image = with_offer(PaceOffer {
        mapping: PaceMapping::Integrated,
        cipher: PaceCipher::Aes128,
        parameters: MODP_1024,
    });
    let mut chip = scripted(image, &["FA5B7E3E49753A0DB9178B7B9BD898C8", &reduced]);
    replay(
        &mut chip,
        &[
            ("0022C1A40F800A04007F00070202040302830102", "9000"),
            ("10860000027C0000", "7C1280109ABB8864CA0FF1551E620D1EF4E135109000"),
            ("10860000147C128110B3A6DB3C870C3E99245E0D1C06B747DE00", "7C0282009000"),
            (
                "10860000867C8183838180 0F0CC62945A8029251FB7EF3C094E12EC68E4EF07F27CB9D9CD04C5C4250FAE0
                 E4F8A951557E929AEB48E5C6DD47F2F5CD7C351A9BD2CD722C07EDE166770F08
                 FFCB370262CF308DD7B07F2E0DA9CAAA1492344C852906919538C98A4BA4187E
                 76CE9D87832386D319CE2E043C3343AEAE6EDBA1A9894DC5094D22F7FE1351D5 00",
                "7C8183848180 928D9A0F9DBA450F13FC859C6F290D1D36E42431138A4378500BEB4E0401854C
                 FF111F71CB6DC1D0335807A11388CC8EAA87B07907AAD9FBA6B169AF6D8C26AF
                 8DDDC39ADC3AD2E3FF882B84D23E9768E95A80E4746FB07A9767679FE92133B4
                 D379935C771BD7FBED6C7BB4B1708B275EA75679524CDC9C6A91370CC662A2F3 9000",
            ),
            ("008600000C7C0A850855D61977CBF5307E00", "7C0A8608C2F04230187E15259000"),
        ],
    );
    assert_keys(&chip, "01AFC10CF87BE36D8179E87370171F07", "23F0FBD05FD6C7B8B88F4C8309669061");
}

#[test]
fn chip_authentication_mapping_of_icao_appendix_i_word_for_word() {
    // ICAO 9303-11, Appendix I.1. It does not give the static private key, but all that follows from it: the
    // mapping key divided by the chip authentication data.
    let mapping = "9E56A6B59C95D06ECE5CD10F983BB2F4F1943528E577F23881D89D8C3BBEE0AA";
    let data = "85DC3FA93D0952BFA82F5FD189EE75BD82F11D1F0B8ED4BF5319AC9B53C426B3";
    let group = Group::new(BRAINPOOL_256).unwrap();
    let (order, mut context) = (group.order().unwrap(), BigNumContext::new().unwrap());
    let (mut inverse, mut private) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    inverse.mod_inverse(&BigNum::from_slice(&hex_of(data)).unwrap(), &order, &mut context).unwrap();
    let mapping_key = BigNum::from_slice(&hex_of(mapping)).unwrap();
    private.mod_mul(&inverse, &mapping_key, &order, &mut context).unwrap();
    let public = group.encode(&group.times(&group.generator().unwrap(), &private).unwrap()).unwrap();
    let stated = "04 1872709494399E7470A6431BE25E83EEE24FEA568C2ED28DB48E05DB3A610DC8
         84D256A40E35EFCB59BF6753D3A489D28C7A4D973C2DA138A6E7A4A08F68E16F";
    assert_eq!(public, hex_of(stated));

    let mut image = with_offer(PaceOffer {
        mapping: PaceMapping::ChipAuthentication,
        cipher: PaceCipher::Aes128,
        parameters: BRAINPOOL_256,
    });
    image.access.mrz_information = "C11T002JM496081222310314".to_owned();
    let private = cccd_card::SecretBytes::new(private.to_vec());
    image.proofs.mapping_keys = vec![AgreementKey { parameters: BRAINPOOL_256, private }];
    let mut chip = scripted(
        image,
        &[
            "658B860B C94DF6F0 44FCE6D5 C82CF8E5",
            mapping,
            // Above the order, as the example has it.
            &reduced(
                "CD626EF3 C256E235 FE8912CA C28279E6 26008EDA 6B3A05C4 CF862A3B DAB79E78",
                BRAINPOOL_256,
            ),
        ],
    );
    replay(
        &mut chip,
        &[
            ("0022C1A40F800A04007F00070202040602830101", "9000"),
            ("10860000027C0000", "7C128010CB60E8E0D85B76A9BD304747C2AD42E29000"),
            (
                "10860000457C43814104 7F1D410ADB7DDB3B84BF1030800981A9105D7457B4A3ADE002384F3086C67EDE
                 1AB889104A27DB6D842B019020FBF3CEACB0DC627F7BDCAC29969E19D0E553C1 00",
                "7C43824104 A234236AA9B9621E8EFB73B5245C0E09D2576E5277183C1208BDD55280CAE8B3
                 04F365713A356E65A451E165ECC9AC0AC46E3771342C8FE5AEDD092685338E23 9000",
            ),
            (
                "10860000457C43834104 446C934084D9DAB863944F219520076C29EE3F7AE6722B11FF319EC1C7728F95
                 5483400BFF60BF0C5929270009277DC2A515E12575010AD9BA916CF1BF86FEFC 00",
                "7C43844104 02AD566F3C6EC7F9324509AD50A51FA52030782A4968FCFEDF737DAEA9933331
                 11C3B9B4C2287789BD137E7F8AA882E2A3C633CCD6ECC2C63C57AD401A09C2E1 9000",
            ),
            (
                "008600000C7C0A8508E86BD06018A1CD3B00",
                "7C3C86088596CF055C67C1A38A301EEA964DAAE372AC990E3EFDE6333353BFC89A6704D93DA8798CF77F5B7A54BD
                 10CBA372B42BE0B9B5F28AA8DE2F4F929000",
            ),
        ],
    );
    assert_keys(&chip, "0A9DA4DB03BDDE39FC5202BC44B2E89E", "4B1C06491ED5140CA2B537D344C6C0B1");
}

/// Says a step in extended form, as groups of 2048 bits need it; the one object inside 7C.
fn step(chip: &mut Chip, chained: bool, tag: u8, value: &[u8]) -> Vec<u8> {
    let template = tlv::object(&[0x7C], &tlv::object(&[tag], value));
    let head = [if chained { 0x10 } else { 0x00 }, 0x86, 0, 0, 0];
    let length = u16::try_from(template.len()).unwrap().to_be_bytes();
    let answer = chip.process(&[&head[..], &length, &template, &[0, 0]].concat());
    let (body, status) = answer.split_at(answer.len() - 2);
    assert_eq!(status, [0x90, 0x00]);
    tlv::objects(body).unwrap()[0].value.to_vec()
}

/// Every variant, run by a terminal whose arithmetic is the chip's, which the examples above hold.
#[test]
fn every_variant_opens_the_application() {
    for offer in PaceOffer::all() {
        let group = Group::new(offer.parameters).unwrap();
        let (generator, order) = (group.generator().unwrap(), group.order().unwrap());
        let draw = || {
            let mut scalar = BigNum::new().unwrap();
            order.rand_range(&mut scalar).unwrap();
            scalar
        };
        let power = |element: &Element, scalar: &BigNum| group.times(element, scalar).unwrap();
        let static_key = draw();
        let mut image = with_offer(offer);
        let private = cccd_card::SecretBytes::new(static_key.to_vec());
        image.proofs.mapping_keys = vec![AgreementKey { parameters: offer.parameters, private }];
        let mut chip = Chip::new(image);

        let oid = oid_of(&offer);
        let set_at = [tlv::object(&[0x80], &oid), vec![0x83, 1, 2]].concat();
        let set_at = [&bytes("0022C1A4")[..], &[u8::try_from(set_at.len()).unwrap()], &set_at].concat();
        assert_eq!(chip.process(&set_at), [0x90, 0x00], "{offer:?}");
        let answer = chip.process(&bytes("10860000027C0000"));
        let sealed = &answer[4..answer.len() - 2];
        let key = crypto::derive(offer.cipher, b"123456", KeyUse::Password).unwrap();
        let zero = vec![0; crypto::block_size(offer.cipher)];
        let nonce = crypto::decrypt(offer.cipher, &key, &zero, sealed).unwrap();

        let mut mapping_public = Vec::new();
        let mapped = if offer.mapping == PaceMapping::Integrated {
            let ours = vec![0x3C; crypto::key_size(offer.cipher)];
            assert_eq!(step(&mut chip, true, 0x81, &ours), [0x82, 0x00]);
            integrated_mapping::map(&group, offer.cipher, &nonce, &ours).unwrap()
        } else {
            let private = draw();
            let ours = group.encode(&power(&generator, &private)).unwrap();
            let answer = step(&mut chip, true, 0x81, &ours);
            mapping_public = tlv::objects(&answer).unwrap()[0].value.to_vec();
            let shared = power(&group.public_key(&mapping_public).unwrap(), &private);
            group.map(&nonce, &shared).unwrap()
        };
        let private = draw();
        let ours = group.encode(&power(&mapped, &private)).unwrap();
        let answer = step(&mut chip, true, 0x83, &ours);
        let theirs = tlv::objects(&answer).unwrap()[0].value.to_vec();
        let secret = group.secret(&power(&group.public_key(&theirs).unwrap(), &private)).unwrap();
        let mac_key = crypto::derive(offer.cipher, &secret, KeyUse::Mac).unwrap();
        let tag = if matches!(offer.parameters, DomainParameters::Curve(_)) { 0x86 } else { 0x84 };
        let token = |public: &[u8]| {
            let inner = [tlv::object(&[0x06], &oid), tlv::object(&[tag], public)].concat();
            let object = tlv::object(&[0x7F, 0x49], &inner);
            let padded = match offer.cipher {
                PaceCipher::TripleDes => crypto::pad(object, 8),
                _ => object,
            };
            crypto::mac(offer.cipher, &mac_key, &padded).unwrap()
        };
        let answer = step(&mut chip, false, 0x85, &token(&theirs));
        let objects = tlv::objects(&answer).unwrap();
        assert_eq!((objects[0].tag, objects[0].value), (0x86, &token(&ours)[..]), "{offer:?}");
        assert_eq!(objects.len(), if offer.mapping == PaceMapping::ChipAuthentication { 2 } else { 1 });
        if let Some(proof) = objects.get(1) {
            // PK_Map,IC = KA(CA_IC, PK_IC) (ICAO 9303-11, 4.4.3.5.2).
            assert_eq!(proof.tag, 0x8A);
            let key = crypto::derive(offer.cipher, &secret, KeyUse::Encryption).unwrap();
            let iv = crypto::encrypt(offer.cipher, &key, &zero, &[0xFF; 16]).unwrap();
            let padded = crypto::decrypt(offer.cipher, &key, &iv, proof.value).unwrap();
            let data = crypto::unpad(&padded).unwrap();
            assert_eq!(data.len(), usize::try_from(order.num_bytes()).unwrap(), "{offer:?}");
            let public = power(&generator, &static_key);
            let product = power(&public, &BigNum::from_slice(data).unwrap());
            assert_eq!(group.encode(&product).unwrap(), mapping_public, "{offer:?}");
        }
        let mut session = TerminalSession::new(offer.cipher, &secret, 0);
        session.select_application(&mut chip);
        assert_eq!(session.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[0]), (content(95), 0x9000), "{offer:?}");
    }
}

#[test]
fn integrated_mapping_takes_a_nonce_as_long_as_the_key_and_nothing_else() {
    for (cipher, length) in [(PaceCipher::TripleDes, 16), (PaceCipher::Aes192, 24), (PaceCipher::Aes256, 32)]
    {
        let offer = PaceOffer { mapping: PaceMapping::Integrated, cipher, parameters: BRAINPOOL_256 };
        for wrong in [0, length - 1, length + 1, 65] {
            let mut chip = Chip::new(with_offer(offer));
            let set_at = [tlv::object(&[0x80], &oid_of(&offer)), vec![0x83, 1, 2]].concat();
            chip.process(&[&bytes("0022C1A40F")[..], &set_at].concat());
            say(&mut chip, "10860000027C0000");
            assert_eq!(
                PaceRun::send_key(&mut chip, 0x81, &vec![1; wrong]),
                Err(0x6A80),
                "{cipher:?} {wrong}"
            );
        }
    }
}

#[test]
fn a_chip_without_the_static_key_ends_chip_authentication_mapping() {
    let offer = PaceOffer {
        mapping: PaceMapping::ChipAuthentication,
        cipher: PaceCipher::Aes128,
        parameters: BRAINPOOL_256,
    };
    let mut chip = Chip::new(with_offer(offer));
    let generic = PaceRun::new(DEFAULT_OFFER);
    let set_at = [tlv::object(&[0x80], &oid_of(&offer)), vec![0x83, 1, 2]].concat();
    assert_eq!(chip.process(&[&bytes("0022C1A40F")[..], &set_at].concat()), [0x90, 0x00]);
    let mut run = generic;
    let nonce = run.ask_nonce(&mut chip, b"123456");
    run.map(&mut chip, &nonce);
    let ours = run.encode(&run.times(run.mapped.as_ref().unwrap(), &run.random_scalar()));
    assert_eq!(PaceRun::send_key(&mut chip, 0x83, &ours), Err(0x6A88));
}
