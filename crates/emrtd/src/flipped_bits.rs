//! A whole reading of a simulated chip, and every bit of every reply turned once.

use cccd_card::{Atr, CardChannel, ChannelLimits, Response, SecretBytes, TransportError};
use cccd_document::{AccessKey, Can, Cipher, MrzKey};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
use cccd_firmware_sim::reader::in_process::DirectChannel;

use crate::testing::{Fixed, FixedRng};
use crate::{LockedChip, ReadPlan, read_document};

/// Keeps every command and reply.
struct Recorder<C> {
    channel: C,
    exchanges: Vec<(Vec<u8>, SecretBytes)>,
}

impl<C: CardChannel> CardChannel for Recorder<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let reply = self.channel.transmit(command)?;
        self.exchanges.push((command.to_vec(), reply.clone()));
        Ok(reply)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.channel.reset()
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.channel.limits()
    }
}

/// Reads the shipped card of this name, then hands each recorded reply to the session again as it stood,
/// once for each of its bits.
fn no_flipped_bit_is_accepted(name: &str, keys: &dyn Fn(&MrzKey, Option<&str>) -> AccessKey, cipher: Cipher) {
    let card = shipped_card(name).unwrap().description().unwrap();
    let fields = card.mrz_key();
    let mrz = MrzKey::new(&fields.document_number, &fields.birth, &fields.expiry).unwrap();
    let key = keys(&mrz, card.can());
    let mut image = personalise(&card, &Issuer::new().unwrap()).unwrap();
    if matches!(key, AccessKey::Mrz(_)) {
        // So that BAC runs.
        image.access.pace.clear();
        image.master_file.remove(&0x011C);
    }
    let channel = DirectChannel::new(Chip::new(image), ChannelLimits::SHORT).unwrap();
    let recorder = Recorder { channel, exchanges: Vec::new() };
    let mut chip = LockedChip::new(recorder).unlock(&[key], &mut getrandom::SysRng).unwrap();
    let mut session = chip.session_ref().unwrap().clone();
    assert_eq!(session.cipher(), cipher);
    let before = chip.channel_ref().exchanges.len();
    let evidence =
        read_document(&mut chip, &ReadPlan::identity(), &mut FixedRng(Fixed::new(&[])), &mut |_| {}).unwrap();
    assert!(evidence.bytes(cccd_document::FileId::DG2).is_some());

    let exchanges = chip.into_channel().exchanges.split_off(before);
    assert!(exchanges.len() > 20, "a reading in short chunks");
    for (index, (command, reply)) in exchanges.iter().enumerate() {
        let ins = command[1];
        // What protecting the command did to the counter.
        session.step();
        for bit in 0..reply.len() * 8 {
            let mut flipped = reply.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = Response::parse(&flipped).unwrap();
            assert!(session.clone().open(ins, &flipped).is_err(), "reply {index}, bit {bit}");
        }
        assert!(session.open(ins, &Response::parse(reply).unwrap()).is_ok(), "reply {index}");
    }
}

#[test]
fn under_aes_no_reply_with_a_flipped_bit_is_accepted() {
    let can = |_: &MrzKey, can: Option<&str>| AccessKey::Can(Can::new(can.unwrap()).unwrap());
    no_flipped_bit_is_accepted("cccd-2021", &can, Cipher::Aes128);
}

#[test]
fn under_3des_no_reply_with_a_flipped_bit_is_accepted() {
    let mrz = |mrz: &MrzKey, _: Option<&str>| AccessKey::Mrz(mrz.clone());
    no_flipped_bit_is_accepted("cccd-2021", &mrz, Cipher::TripleDes);
}
