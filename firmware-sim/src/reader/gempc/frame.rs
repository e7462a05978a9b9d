//! CCID messages on a serial line, as a GemPC Twin frames them: `03 06`, the message, and the XOR of it all.

/// The longest data field we take or give: the driver's 271 bytes of message less the header.
pub(super) const MAX_DATA: usize = 261;

const HEADER: usize = 10;
const SYNC: u8 = 0x03;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;

/// The answer to a frame that arrived torn.
pub(super) const TORN: [u8; 3] = [SYNC, NAK, SYNC ^ NAK];

/// A CCID command (`PC_to_RDR`, CCID 1.1, 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// bMessageType.
    pub(super) kind: u8,
    /// bSlot.
    pub(super) slot: u8,
    /// bSeq, which the answer repeats.
    pub(super) sequence: u8,
    /// The three bytes whose meaning is each message's own.
    pub(super) parameters: [u8; 3],
    /// abData.
    pub(super) data: Vec<u8>,
}

impl Message {
    /// The frame around it.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_claiming(u32::try_from(self.data.len()).unwrap_or_default())
    }

    /// The frame around it with this as the length of its data, true or not.
    pub(super) fn encode_claiming(&self, length: u32) -> Vec<u8> {
        let mut frame = vec![SYNC, ACK, self.kind];
        frame.extend(length.to_le_bytes());
        frame.extend([self.slot, self.sequence]);
        frame.extend(self.parameters);
        frame.extend(&self.data);
        frame.push(xor(&frame));
        frame
    }
}

/// What came over the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A whole frame.
    Message(Message),
    /// Something that began like a frame and was none.
    Torn,
}

/// Finds frames in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    bytes: Vec<u8>,
}

impl FrameReader {
    /// Takes bytes as they come. Call [`Self::next_frame`] until it gives nothing before pushing more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(super) fn next_frame(&mut self) -> Option<Heard> {
        let start = self.bytes.iter().position(|&byte| byte == SYNC).unwrap_or(self.bytes.len());
        self.bytes.drain(..start);
        if *self.bytes.get(1)? != ACK {
            self.bytes.drain(..1);
            return Some(Heard::Torn);
        }
        let (&[_, _, kind, l0, l1, l2, l3, slot, sequence, p0, p1, p2], rest) =
            self.bytes.split_first_chunk::<{ 2 + HEADER }>()?;
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if length > MAX_DATA {
            // Where the next frame begins is unknown, and nothing is worth waiting so long for.
            self.bytes.clear();
            return Some(Heard::Torn);
        }
        let data = rest.get(..length)?.to_vec();
        rest.get(length)?;
        let whole: Vec<u8> = self.bytes.drain(..2 + HEADER + length + 1).collect();
        if xor(&whole) != 0 {
            return Some(Heard::Torn);
        }
        Some(Heard::Message(Message { kind, slot, sequence, parameters: [p0, p1, p2], data }))
    }
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status_request() -> Message {
        Message { kind: 0x65, slot: 0, sequence: 7, parameters: [0; 3], data: Vec::new() }
    }

    fn all(reader: &mut FrameReader) -> Vec<Heard> {
        std::iter::from_fn(|| reader.next_frame()).collect()
    }

    #[test]
    fn a_slot_status_request_on_the_line() {
        let frame = [0x03, 0x06, 0x65, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0x03 ^ 0x06 ^ 0x65 ^ 7];
        assert_eq!(status_request().encode(), frame);
    }

    #[test]
    fn a_torn_frame_is_told_and_the_next_one_is_found() {
        let mut torn = status_request().encode();
        torn[8] ^= 1;
        let mut reader = FrameReader::default();
        reader.push(&[0xAA, 0xBB]);
        reader.push(&torn);
        reader.push(&status_request().encode());
        assert_eq!(all(&mut reader), [Heard::Torn, Heard::Message(status_request())]);
    }

    #[test]
    fn a_length_beyond_the_line_is_not_waited_for() {
        let mut reader = FrameReader::default();
        reader.push(&[0x03, 0x06, 0x6F, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0]);
        assert_eq!(all(&mut reader), [Heard::Torn]);
        reader.push(&status_request().encode());
        assert_eq!(all(&mut reader), [Heard::Message(status_request())]);
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_however_the_line_cuts_them(
            data in prop::collection::vec(any::<u8>(), 0..=MAX_DATA), cut in 1usize..40
        ) {
            let message = Message { data, ..status_request() };
            let mut reader = FrameReader::default();
            let mut heard = Vec::new();
            for piece in message.encode().chunks(cut) {
                reader.push(piece);
                heard.extend(all(&mut reader));
            }
            prop_assert_eq!(heard, [Heard::Message(message)]);
        }

        #[test]
        fn noise_ends_and_keeps_little(noise in prop::collection::vec(prop_oneof![Just(3u8), Just(6), any::<u8>()], 0..2000)) {
            let mut reader = FrameReader::default();
            for piece in noise.chunks(100) {
                reader.push(piece);
                let heard = all(&mut reader);
                prop_assert!(heard.len() <= 1100);
                prop_assert!(reader.bytes.len() <= 2 + HEADER + MAX_DATA + 1);
            }
        }
    }
}
