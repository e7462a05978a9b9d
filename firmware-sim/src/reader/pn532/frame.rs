//! Frames on the PN532's serial line (NXP UM0701-02, 6.2.1).

/// What the chip sends as soon as it has understood a command frame, and what a host sends to call one off.
pub(super) const ACK: [u8; 6] = [0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00];
/// What it sends instead of an answer to a command it does not know: "syntax error" (6.2.1.5).
pub(super) const ERROR: [u8; 8] = [0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00];
/// "Say that again" (6.2.1.4).
pub(super) const NACK: [u8; 6] = [0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00];

/// Most bytes of a frame between length and checksum, the frame identifier included (6.2.1.2).
pub(super) const LONGEST: usize = 265;

/// Frame identifiers: from host to chip, and back.
const FROM_HOST: u8 = 0xD4;
const FROM_CHIP: u8 = 0xD5;

/// What came from the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A command: its code and what belongs to it.
    Command(Vec<u8>),
    /// An acknowledgement, which calls off what runs.
    Ack,
    /// The last answer was not understood.
    Nack,
}

/// Puts frames together out of whatever pieces come. What is no frame is passed over, as the chip does: the host
/// hears no acknowledgement and gives up by itself.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    bytes: Vec<u8>,
}

enum Parsed {
    Whole(Heard, usize),
    /// Not yet; begins here.
    Incomplete,
    /// Nothing that starts here is a frame.
    Nonsense,
}

impl FrameReader {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(super) fn next_frame(&mut self) -> Option<Heard> {
        loop {
            let Some(start) = self.bytes.windows(2).position(|two| two == [0x00, 0xFF]) else {
                // The last byte may be the first half of a start code.
                self.bytes.drain(..self.bytes.len().saturating_sub(1));
                return None;
            };
            self.bytes.drain(..start + 2);
            match parse(&self.bytes) {
                Parsed::Whole(heard, length) => {
                    self.bytes.drain(..length);
                    return Some(heard);
                }
                Parsed::Incomplete => {
                    self.bytes.splice(..0, [0x00, 0xFF]);
                    return None;
                }
                Parsed::Nonsense => {}
            }
        }
    }
}

/// Understands what follows a start code.
fn parse(bytes: &[u8]) -> Parsed {
    let (length, header) = match *bytes {
        [0x00, 0xFF, ..] => return Parsed::Whole(Heard::Ack, 2),
        [0xFF, 0x00, ..] => return Parsed::Whole(Heard::Nack, 2),
        [0xFF, 0xFF, high, low, check, ..] => {
            if high.wrapping_add(low).wrapping_add(check) != 0 {
                return Parsed::Nonsense;
            }
            (usize::from(u16::from_be_bytes([high, low])), 5)
        }
        [0xFF, 0xFF, ..] => return Parsed::Incomplete,
        [length, check, ..] if length.wrapping_add(check) == 0 => (usize::from(length), 2),
        [_, _, ..] => return Parsed::Nonsense,
        _ => return Parsed::Incomplete,
    };
    if !(2..=LONGEST).contains(&length) {
        return Parsed::Nonsense;
    }
    let Some(body) = bytes.get(header..=header + length) else { return Parsed::Incomplete };
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    match body {
        [FROM_HOST, command @ .., _] if sum == 0 => {
            Parsed::Whole(Heard::Command(command.to_vec()), header + length + 1)
        }
        _ => Parsed::Nonsense,
    }
}

/// The frame around an answer: its code and what belongs to it. Longer ones than [`LONGEST`] are made, too, for a
/// chip that has lost its mind.
pub(super) fn answer(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() + 1;
    let mut frame = vec![0x00, 0x00, 0xFF];
    match u8::try_from(length) {
        Ok(short) if short < 0xFF => frame.extend([short, short.wrapping_neg()]),
        _ => {
            let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            frame.extend([0xFF, 0xFF, high, low, high.wrapping_add(low).wrapping_neg()]);
        }
    }
    frame.push(FROM_CHIP);
    frame.extend(payload);
    let sum = payload.iter().fold(FROM_CHIP, |sum, byte| sum.wrapping_add(*byte));
    frame.extend([sum.wrapping_neg(), 0x00]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(bytes: &[u8]) -> Vec<Heard> {
        let mut reader = FrameReader::default();
        reader.push(bytes);
        std::iter::from_fn(|| reader.next_frame()).collect()
    }

    /// GetFirmwareVersion, as the manual writes it.
    const VERSION: [u8; 9] = [0x00, 0x00, 0xFF, 0x02, 0xFE, 0xD4, 0x02, 0x2A, 0x00];

    #[test]
    fn a_command_is_heard_behind_the_wake_up_and_in_any_pieces() {
        let mut line = vec![0x55, 0x55];
        line.extend([0; 14]);
        line.extend(VERSION);
        assert_eq!(hear(&line), [Heard::Command(vec![0x02])]);
        let mut reader = FrameReader::default();
        let mut heard = Vec::new();
        for byte in line.iter().chain(&ACK).chain(&NACK).chain(&VERSION) {
            reader.push(&[*byte]);
            heard.extend(reader.next_frame());
        }
        let command = || Heard::Command(vec![0x02]);
        assert_eq!(heard, [command(), Heard::Ack, Heard::Nack, command()]);
    }

    #[test]
    fn a_long_command_has_a_long_header_and_a_longer_one_is_none() {
        let long = |data: usize| {
            let length = u16::try_from(data + 1).unwrap().to_be_bytes();
            let mut frame = vec![0x00, 0xFF, 0xFF, 0xFF, length[0], length[1]];
            frame.push(length[0].wrapping_add(length[1]).wrapping_neg());
            frame.push(0xD4);
            frame.resize(frame.len() + data, 0x40);
            let sum = std::iter::repeat_n(0x40, data).fold(0xD4u8, |sum, byte| sum.wrapping_add(byte));
            frame.push(sum.wrapping_neg());
            frame
        };
        assert_eq!(hear(&long(264)), [Heard::Command(vec![0x40; 264])]);
        assert_eq!(hear(&long(265)), []);
    }

    #[test]
    fn what_is_no_frame_does_not_hide_the_next() {
        for at in 3..8 {
            let mut line = VERSION.to_vec();
            line[at] ^= 0x10;
            line.extend(VERSION);
            // A changed length may swallow what follows; then silence is all the host gets.
            assert!(hear(&line).len() <= 1, "{line:02X?}");
        }
        let mut bad_check = VERSION.to_vec();
        bad_check[7] ^= 1;
        bad_check.extend(VERSION);
        assert_eq!(hear(&bad_check), [Heard::Command(vec![0x02])]);
    }

    #[test]
    fn answers_add_up() {
        assert_eq!(
            answer(&[0x03, 0x32, 0x01, 0x06, 0x07]),
            [0x00, 0x00, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0x00]
        );
        let long = answer(&[0; 300]);
        assert_eq!(long[3..8], [0xFF, 0xFF, 0x01, 0x2D, 0xD2]);
    }
}
