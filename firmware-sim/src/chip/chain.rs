//! Command chaining under secure messaging (ISO/IEC 7816-4, 5.3.3): long data in pieces, each protected by itself.

use cccd_card::{SecretBytes, StatusWord};

use super::apdu::{Apdu, Refusal};

/// The commands whose data may be long: MANAGE SECURITY ENVIRONMENT with a key of 3DES, PERFORM SECURITY OPERATION
/// with a certificate, EXTERNAL AUTHENTICATE with a signature, GENERAL AUTHENTICATE with a key.
const CHAINABLE: [u8; 4] = [0x22, 0x2A, 0x82, 0x86];
/// Longer data than a certificate of the longest keys: the chip has no buffer for it.
const LONGEST: usize = 4096;
/// 6884: command chaining not supported.
pub(super) const NOT_SUPPORTED: Refusal = Refusal(StatusWord(0x6884));

/// Data gathered so far.
pub(super) struct Chain {
    command: [u8; 3],
    data: SecretBytes,
}

impl Chain {
    /// Takes in a piece that is not the last.
    pub(super) fn go_on(before: Option<Self>, apdu: &Apdu<'_>, piece: &[u8]) -> Result<Self, Refusal> {
        if !CHAINABLE.contains(&apdu.ins) {
            return Err(NOT_SUPPORTED);
        }
        let data = Self::ended(before, apdu, piece);
        if data.len() > LONGEST {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        }
        Ok(Self { command: [apdu.ins, apdu.p1, apdu.p2], data })
    }

    /// The whole with its last piece. A chain that another command breaks into is forgotten.
    pub(super) fn ended(before: Option<Self>, apdu: &Apdu<'_>, piece: &[u8]) -> SecretBytes {
        let mut data = match before {
            Some(chain) if chain.command == [apdu.ins, apdu.p1, apdu.p2] => chain.data,
            _ => SecretBytes::default(),
        };
        data.extend_from_slice(piece);
        data
    }
}
