//! A tiny terminal for the tests. Its frames are built by hand; its primitives are the chip's, which the worked
//! examples of the standards hold.

#![expect(clippy::cast_possible_truncation, reason = "lengths in tests are small")]

use std::collections::BTreeMap;

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, PointConversionForm};

use super::crypto::{self, KeyUse};
use super::pace::oid_of;
use super::*;
use crate::image::{
    AccessOffer, CanOffer, Chaining, DomainParameters, NamedCurve, PaceCipher, PaceMapping, PaceOffer,
    ProofOffer, ReadRule, StoredFile,
};

pub(super) const MRZ: &str = "090123456290010223001020";
pub(super) const SELECT_APPLICATION: &str = "00A4040C07A0000002471001";
pub(super) const DEFAULT_OFFER: PaceOffer = PaceOffer {
    mapping: PaceMapping::Generic,
    cipher: PaceCipher::Aes128,
    parameters: DomainParameters::Curve(NamedCurve::BrainpoolP256r1),
};
pub(super) const EXTENDED: LengthOffer = LengthOffer::Extended { max_command: 65_544, max_reply: 65_538 };
pub(super) const CIPHERS: [PaceCipher; 4] =
    [PaceCipher::TripleDes, PaceCipher::Aes128, PaceCipher::Aes192, PaceCipher::Aes256];

/// Bytes of which each tells where it stands.
pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

pub(super) fn image() -> ChipImage {
    let file = |length, rule| StoredFile { content: content(length), rule };
    ChipImage {
        atr: vec![0x3B, 0x80, 0x80, 0x01, 0x01],
        master_file: BTreeMap::from([
            (0x011C, file(54, ReadRule::Free)),
            (0x011D, file(90, ReadRule::AfterAccessControl)),
            (0x2F00, file(10, ReadRule::Free)),
            (0x2F01, file(20, ReadRule::Free)),
        ]),
        emrtd: BTreeMap::from([
            (0x011E, file(24, ReadRule::AfterAccessControl)),
            (0x011D, file(1800, ReadRule::AfterAccessControl)),
            (0x0101, file(95, ReadRule::AfterAccessControl)),
            (0x0102, file(70_000, ReadRule::AfterAccessControl)),
            (0x0103, file(500, ReadRule::TerminalAuthentication)),
        ]),
        access: AccessOffer {
            bac: true,
            pace: vec![DEFAULT_OFFER],
            can: Some(CanOffer { digits: "123456".to_owned(), tries: Some(3) }),
            mrz_information: MRZ.to_owned(),
        },
        proofs: ProofOffer::default(),
        lengths: EXTENDED,
        chaining: Chaining::Accepted,
    }
}

pub(super) fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// Sends hex, gets hex.
pub(super) fn say(chip: &mut Chip, command: &str) -> String {
    hex::encode_upper(chip.process(&bytes(command)))
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    openssl::rand::rand_bytes(&mut out).unwrap();
    out
}

/// Counter in 8 or 16 bytes.
pub(super) fn counter(cipher: PaceCipher, value: u128) -> Vec<u8> {
    value.to_be_bytes()[16 - crypto::block_size(cipher)..].to_vec()
}

/// The terminal's end of a session, its frames built by hand.
pub(super) struct TerminalSession {
    cipher: PaceCipher,
    encryption_key: Vec<u8>,
    pub(super) mac_key: Vec<u8>,
    pub(super) count: u128,
}

impl TerminalSession {
    pub(super) fn new(cipher: PaceCipher, secret: &[u8], count: u128) -> Self {
        let key = |key_use| crypto::derive(cipher, secret, key_use).unwrap().to_vec();
        Self { cipher, encryption_key: key(KeyUse::Encryption), mac_key: key(KeyUse::Mac), count }
    }

    pub(super) fn iv(&self) -> Vec<u8> {
        let zero = vec![0; crypto::block_size(self.cipher)];
        match self.cipher {
            PaceCipher::TripleDes => zero,
            _ => crypto::encrypt(self.cipher, &self.encryption_key, &zero, &counter(self.cipher, self.count))
                .unwrap(),
        }
    }

    pub(super) fn checksum(&self, content: &[u8]) -> Vec<u8> {
        let mut input = counter(self.cipher, self.count);
        input.extend_from_slice(content);
        let padded = crypto::pad(input, crypto::block_size(self.cipher));
        crypto::mac(self.cipher, &self.mac_key, &padded).unwrap()
    }

    /// Protects a command given as header, data and the Le field, in extended form outside if `long`.
    pub(super) fn wrap(&mut self, header: [u8; 4], data: &[u8], le: &[u8], long: bool) -> Vec<u8> {
        let mut field = self.data_object(header[1], data);
        if !le.is_empty() {
            field.extend([0x97, le.len() as u8]);
            field.extend_from_slice(le);
        }
        self.seal(header, field, long)
    }

    /// DO87 or DO85 under the counter of the command to come.
    pub(super) fn data_object(&mut self, ins: u8, data: &[u8]) -> Vec<u8> {
        if data.is_empty() {
            return Vec::new();
        }
        self.count += 1;
        let padded = crypto::pad(data.to_vec(), crypto::block_size(self.cipher));
        let sealed = crypto::encrypt(self.cipher, &self.encryption_key, &self.iv(), &padded).unwrap();
        self.count -= 1;
        match ins & 1 {
            0 => tlv::object(&[0x87], &[&[0x01], &sealed[..]].concat()),
            _ => tlv::object(&[0x85], &sealed),
        }
    }

    /// Closes `field` with DO8E and puts the header and lengths around it.
    pub(super) fn seal(&mut self, header: [u8; 4], mut field: Vec<u8>, long: bool) -> Vec<u8> {
        self.count += 1;
        let header = [header[0] | 0x0C, header[1], header[2], header[3]];
        let block = crypto::block_size(self.cipher);
        let checksum = self.checksum(&[crypto::pad(header.to_vec(), block), field.clone()].concat());
        field.extend([0x8E, 0x08]);
        field.extend(checksum);
        let mut command = header.to_vec();
        if long {
            command.push(0);
            command.extend((field.len() as u16).to_be_bytes());
        } else {
            command.push(u8::try_from(field.len()).unwrap());
        }
        command.extend(field);
        command.extend(vec![0; if long { 2 } else { 1 }]);
        command
    }

    /// Opens an answer; everything in it must be right.
    pub(super) fn unwrap(&mut self, answer: &[u8]) -> (Vec<u8>, u16) {
        self.count += 1;
        let (mut field, outer) = answer.split_at(answer.len() - 2);
        let whole = field;
        let mut plain = Vec::new();
        if let [tag @ (0x87 | 0x85), ..] = *field {
            let (length, start) = match field[1] {
                0x81 => (usize::from(field[2]), 3),
                0x82 => (usize::from(u16::from_be_bytes([field[2], field[3]])), 4),
                0x83 => {
                    (usize::from(field[2]) << 16 | usize::from(u16::from_be_bytes([field[3], field[4]])), 5)
                }
                short => (usize::from(short), 2),
            };
            let mut sealed = &field[start..start + length];
            if tag == 0x87 {
                assert_eq!(sealed[0], 0x01);
                sealed = &sealed[1..];
            }
            let padded = crypto::decrypt(self.cipher, &self.encryption_key, &self.iv(), sealed).unwrap();
            plain = crypto::unpad(&padded).unwrap().to_vec();
            field = &field[start + length..];
        }
        assert_eq!(field.len(), 14);
        assert_eq!(field[..2], [0x99, 0x02]);
        assert_eq!(&field[2..4], outer);
        assert_eq!(field[4..6], [0x8E, 0x08]);
        assert_eq!(field[6..], self.checksum(&whole[..whole.len() - 10]));
        (plain, u16::from_be_bytes([outer[0], outer[1]]))
    }

    pub(super) fn say(&mut self, chip: &mut Chip, header: [u8; 4], data: &[u8], le: &[u8]) -> (Vec<u8>, u16) {
        let command = self.wrap(header, data, le, le.len() == 2);
        self.unwrap(&chip.process(&command))
    }

    pub(super) fn select_application(&mut self, chip: &mut Chip) {
        let name = bytes("A0000002471001");
        assert_eq!(self.say(chip, [0, 0xA4, 0x04, 0x0C], &name, &[]), (Vec::new(), 0x9000));
    }

    pub(super) fn select_file(&mut self, chip: &mut Chip, identifier: u16) -> u16 {
        self.say(chip, [0, 0xA4, 0x02, 0x0C], &identifier.to_be_bytes(), &[]).1
    }
}

/// BAC; the status if it did not go well.
pub(super) fn bac(chip: &mut Chip, mrz: &str) -> Result<TerminalSession, u16> {
    let cipher = PaceCipher::TripleDes;
    assert_eq!(say(chip, SELECT_APPLICATION), "9000");
    let challenge = chip.process(&bytes("0084000008"));
    let (rnd_ifd, k_ifd) = (random::<8>(), random::<16>());
    let seed = &crypto::sha1(mrz.as_bytes()).unwrap()[..16];
    let key = |key_use| crypto::derive(cipher, seed, key_use).unwrap();
    let plain = [&rnd_ifd[..], &challenge[..8], &k_ifd].concat();
    let sealed = crypto::encrypt(cipher, &key(KeyUse::Encryption), &[0; 8], &plain).unwrap();
    let checksum = crypto::mac(cipher, &key(KeyUse::Mac), &crypto::pad(sealed.clone(), 8)).unwrap();
    let answer = chip.process(&[&bytes("0082000028")[..], &sealed, &checksum, &[0x28]].concat());
    let (body, status) = answer.split_at(answer.len() - 2);
    if status != [0x90, 0x00] {
        return Err(u16::from_be_bytes([status[0], status[1]]));
    }
    let opened = crypto::decrypt(cipher, &key(KeyUse::Encryption), &[0; 8], &body[..32]).unwrap();
    assert_eq!(opened[..16], [&challenge[..8], &rnd_ifd].concat());
    let secret: Vec<u8> = k_ifd.iter().zip(&opened[16..]).map(|(a, b)| a ^ b).collect();
    let count = [&challenge[4..8], &rnd_ifd[4..]].concat();
    let count = u64::from_be_bytes(count.try_into().unwrap());
    Ok(TerminalSession::new(cipher, &secret, count.into()))
}

/// The curve of a variant over one.
fn curve_of(offer: PaceOffer) -> NamedCurve {
    match offer.parameters {
        DomainParameters::Curve(curve) => curve,
        DomainParameters::Modp(_) => panic!("this terminal speaks ECDH with generic mapping"),
    }
}

/// A PACE run, ECDH with generic mapping, of which the steps can be taken one by one.
pub(super) struct PaceRun {
    offer: PaceOffer,
    group: EcGroup,
    field: usize,
    pub(super) mapped: Option<EcPoint>,
    pub(super) secret: Vec<u8>,
    /// x of the mapping step's shared point.
    pub(super) mapping_x: Vec<u8>,
    pub(super) tokens: (Vec<u8>, Vec<u8>),
    /// The chip's ephemeral public key.
    pub(super) chip_key: Vec<u8>,
}

impl PaceRun {
    pub(super) fn new(offer: PaceOffer) -> Self {
        let group = EcGroup::from_curve_name(curve_of(offer).nid()).unwrap();
        let field = group.degree().div_ceil(8) as usize;
        Self {
            offer,
            group,
            field,
            mapped: None,
            secret: Vec::new(),
            mapping_x: Vec::new(),
            tokens: Default::default(),
            chip_key: Vec::new(),
        }
    }

    pub(super) fn set_at(&self, password: u8, with_parameter: bool) -> Vec<u8> {
        let mut data = tlv::object(&[0x80], &oid_of(&self.offer));
        data.extend([0x83, 0x01, password]);
        if with_parameter {
            data.extend([0x84, 0x01, self.offer.parameters.parameter_id()]);
        }
        [&bytes("0022C1A4")[..], &[data.len() as u8], &data].concat()
    }

    pub(super) fn random_scalar(&self) -> BigNum {
        let mut order = BigNum::new().unwrap();
        let mut context = BigNumContext::new().unwrap();
        self.group.order(&mut order, &mut context).unwrap();
        let mut scalar = BigNum::new().unwrap();
        order.rand_range(&mut scalar).unwrap();
        scalar
    }

    pub(super) fn times(&self, point: &EcPoint, scalar: &BigNum) -> EcPoint {
        let mut out = EcPoint::new(&self.group).unwrap();
        out.mul2(&self.group, point, scalar, &mut BigNumContext::new().unwrap()).unwrap();
        out
    }

    pub(super) fn generator(&self) -> EcPoint {
        self.group.generator_opt().unwrap().to_owned(&self.group).unwrap()
    }

    pub(super) fn encode(&self, point: &EcPoint) -> Vec<u8> {
        let mut context = BigNumContext::new().unwrap();
        point.to_bytes(&self.group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
    }

    pub(super) fn decode(&self, encoded: &[u8]) -> EcPoint {
        EcPoint::from_bytes(&self.group, encoded, &mut BigNumContext::new().unwrap()).unwrap()
    }

    pub(super) fn ask_nonce(&self, chip: &mut Chip, password_key_secret: &[u8]) -> Vec<u8> {
        let cipher = self.offer.cipher;
        let answer = chip.process(&bytes("10860000027C0000"));
        assert_eq!(answer[answer.len() - 2..], [0x90, 0x00], "{answer:02X?}");
        let sealed = &answer[4..answer.len() - 2];
        let key = crypto::derive(cipher, password_key_secret, KeyUse::Password).unwrap();
        crypto::decrypt(cipher, &key, &vec![0; crypto::block_size(cipher)], sealed).unwrap()
    }

    /// Sends a public key under `tag`; the chip's, or the status.
    pub(super) fn send_key(chip: &mut Chip, tag: u8, key: &[u8]) -> Result<Vec<u8>, u16> {
        let template = tlv::object(&[0x7C], &tlv::object(&[tag], key));
        let command = [&bytes("10860000")[..], &[template.len() as u8], &template, &[0]].concat();
        let answer = chip.process(&command);
        let (body, status) = answer.split_at(answer.len() - 2);
        if status != [0x90, 0x00] {
            return Err(u16::from_be_bytes([status[0], status[1]]));
        }
        let outer = tlv::objects(body).unwrap();
        let inner = tlv::objects(outer[0].value).unwrap();
        assert_eq!((outer[0].tag, inner[0].tag), (0x7C, u32::from(tag) + 1));
        Ok(inner[0].value.to_vec())
    }

    pub(super) fn map(&mut self, chip: &mut Chip, nonce: &[u8]) {
        let private = self.random_scalar();
        let public = self.encode(&self.times(&self.generator(), &private));
        let theirs = Self::send_key(chip, 0x81, &public).unwrap();
        let shared = self.times(&self.decode(&theirs), &private);
        self.mapping_x = self.encode(&shared)[1..=self.field].to_vec();
        let scaled = self.times(&self.generator(), &BigNum::from_slice(nonce).unwrap());
        let mut mapped = EcPoint::new(&self.group).unwrap();
        mapped.add(&self.group, &scaled, &shared, &mut BigNumContext::new().unwrap()).unwrap();
        self.mapped = Some(mapped);
    }

    pub(super) fn agree(&mut self, chip: &mut Chip) {
        let private = self.random_scalar();
        let public = self.encode(&self.times(self.mapped.as_ref().unwrap(), &private));
        let theirs = Self::send_key(chip, 0x83, &public).unwrap();
        let shared = self.times(&self.decode(&theirs), &private);
        self.secret = self.encode(&shared)[1..=self.field].to_vec();
        let key = crypto::derive(self.offer.cipher, &self.secret, KeyUse::Mac).unwrap();
        let token = |point: &[u8]| {
            let oid = oid_of(&self.offer);
            let body = [&[0x06, oid.len() as u8], &oid[..], &tlv::object(&[0x86], point)].concat();
            let object = tlv::object(&[0x7F, 0x49], &body);
            let input = match self.offer.cipher {
                PaceCipher::TripleDes => crypto::pad(object, 8),
                _ => object,
            };
            crypto::mac(self.offer.cipher, &key, &input).unwrap()
        };
        self.tokens = (token(&theirs), token(&public));
        self.chip_key = theirs;
    }

    pub(super) fn finish(&self, chip: &mut Chip) -> Result<TerminalSession, u16> {
        let answer = chip.process(&[&bytes("008600000C7C0A8508")[..], &self.tokens.0, &[0]].concat());
        let (body, status) = answer.split_at(answer.len() - 2);
        if status != [0x90, 0x00] {
            return Err(u16::from_be_bytes([status[0], status[1]]));
        }
        assert_eq!(body, [&[0x7C, 0x0A, 0x86, 0x08], &self.tokens.1[..]].concat());
        Ok(TerminalSession::new(self.offer.cipher, &self.secret, 0))
    }

    pub(super) fn run(&mut self, chip: &mut Chip, secret: &[u8]) -> Result<TerminalSession, u16> {
        let nonce = self.ask_nonce(chip, secret);
        self.map(chip, &nonce);
        self.agree(chip);
        self.finish(chip)
    }
}

pub(super) fn pace_can(chip: &mut Chip, digits: &str) -> Result<TerminalSession, u16> {
    let mut run = PaceRun::new(DEFAULT_OFFER);
    let answer = chip.process(&run.set_at(2, true));
    assert!(answer == [0x90, 0x00] || answer[0] == 0x63, "{answer:02X?}");
    run.run(chip, digits.as_bytes())
}
