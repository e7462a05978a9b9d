//! Bytes of a serial line into codes: no port, no clock.

use std::collections::VecDeque;
use std::time::Duration;

use cccd_card::SecretBytes;
use cccd_profiles::{CodeEncoding, CodeEnd, CodeFraming, CommandAnswer, SymbologyMark};
use zeroize::{Zeroize as _, Zeroizing};

/// How many bytes are held at most. The longest code has 7089 characters (QR 40-L, digits only).
pub const LONGEST_FRAME: usize = 8192;

/// How long a line must be silent within a code that a line end should end, before the code is given up: a scanner
/// that is far from its base may pause.
const CUT_SHORT: Duration = Duration::from_millis(500);
/// How long the answer to a command is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How many answers are waited for at once.
const MOST_ANSWERS: usize = 8;

const NUL: u8 = 0x00;
const ETX: u8 = 0x03;
const TAB: u8 = 0x09;
const LF: u8 = 0x0A;
const CR: u8 = 0x0D;
const DEL: u8 = 0x7F;

/// What has come out of a line.
#[derive(Clone, PartialEq, Eq)]
pub enum Heard {
    /// A whole code, without what the scanner adds around it, in UTF-8 where its encoding is known.
    Code(SecretBytes),
    /// Bytes that are no code: too long, cut short, or noise.
    Garbled,
    /// The answer to a command.
    Answer,
}

/// What a code says is about a person: its length is shown, no more.
impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "Code({} bytes)", code.len()),
            Self::Garbled => f.write_str("Garbled"),
            Self::Answer => f.write_str("Answer"),
        }
    }
}

/// Takes the bytes of one scanner as they come and tells the codes in them.
///
/// ```
/// use cccd_profiles::ScannerCatalogue;
/// use cccd_readers::{Heard, Splitter};
///
/// let catalogue = ScannerCatalogue::shipped();
/// let profile = catalogue.get("generic-usb-serial").ok_or("not shipped")?;
/// let mut codes = Vec::new();
/// let mut splitter = Splitter::new(profile.code.clone());
/// for piece in [&b"]Q1000090"[..], b"123456||A\r", b"\nSECOND\r\n"] {
///     splitter.push(piece, &mut |heard| if let Heard::Code(code) = heard { codes.push(code.to_vec()) });
/// }
/// assert_eq!(codes, [&b"000090123456||A"[..], b"SECOND"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It holds at most [`LONGEST_FRAME`] bytes, whatever comes, and wipes them when a code is over.
#[derive(Debug)]
pub struct Splitter {
    framing: CodeFraming,
    /// What has come of a code. Its room is taken once, so that no copy of it is left behind by growing.
    held: SecretBytes,
    /// Whether more has come than is held.
    overflown: bool,
    /// Whether the last code was ended by a line end, so that the next one will be.
    sends_line_ends: bool,
    expected: VecDeque<CommandAnswer>,
}

impl Splitter {
    /// A splitter for a scanner that frames its codes so.
    pub fn new(framing: CodeFraming) -> Self {
        let held = Zeroizing::new(Vec::with_capacity(LONGEST_FRAME));
        Self { framing, held, overflown: false, sends_line_ends: false, expected: VecDeque::new() }
    }

    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Heard)) {
        for &byte in bytes {
            self.take(byte, tell);
        }
    }

    /// How long the line must be silent for that to mean something; nothing between codes.
    pub fn patience(&self) -> Option<Duration> {
        let silence = self.framing.silence;
        let patience = if self.sends_line_ends { silence.max(CUT_SHORT) } else { silence };
        self.is_within().then_some(patience)
    }

    /// Hears that nothing has come for so long.
    pub fn silence(&mut self, lasting: Duration, tell: &mut dyn FnMut(Heard)) {
        if self.patience().is_some_and(|patience| lasting >= patience) {
            match self.framing.end {
                CodeEnd::Silence => self.finish(self.held.len(), tell),
                CodeEnd::LineEnd if !self.sends_line_ends => self.finish(self.held.len(), tell),
                // Where line ends were sent and are no more, the scanner was set up anew: one code is lost to it.
                CodeEnd::LineEnd
                | CodeEnd::Cr
                | CodeEnd::Lf
                | CodeEnd::CrLf
                | CodeEnd::Tab
                | CodeEnd::Etx => {
                    self.sends_line_ends = false;
                    self.end(tell);
                }
            }
        }
        if lasting >= ANSWER_WITHIN {
            self.expected.clear();
        }
    }

    /// Hears that the line is gone: what was within a code is cut short.
    pub fn end(&mut self, tell: &mut dyn FnMut(Heard)) {
        if self.is_within() {
            tell(Heard::Garbled);
        }
        self.forget();
    }

    /// Waits for the answer to a command, so that it is not taken for a code.
    pub fn expect(&mut self, answer: CommandAnswer) {
        if self.expected.len() < MOST_ANSWERS {
            self.expected.push_back(answer);
        }
    }

    fn is_within(&self) -> bool {
        self.overflown || !self.held.is_empty()
    }

    fn take(&mut self, byte: u8, tell: &mut dyn FnMut(Heard)) {
        if !self.is_within() && is_between_codes(byte) && !self.may_begin_with(byte) {
            return;
        }
        if self.held.len() >= LONGEST_FRAME {
            // The last byte may be the first of the suffix.
            let last = self.held.last().copied();
            self.forget();
            self.held.extend(last);
            self.overflown = true;
        }
        self.held.push(byte);
        if self.is_answer(tell) {
            return;
        }
        let suffix: &[u8] = match self.framing.end {
            CodeEnd::Cr => &[CR],
            CodeEnd::Lf => &[LF],
            CodeEnd::CrLf => &[CR, LF],
            CodeEnd::Tab => &[TAB],
            CodeEnd::Etx => &[ETX],
            CodeEnd::LineEnd if byte == CR => &[CR],
            CodeEnd::LineEnd => &[LF],
            CodeEnd::Silence => return,
        };
        if self.held.ends_with(suffix) {
            self.sends_line_ends = self.framing.end == CodeEnd::LineEnd;
            self.finish(self.held.len() - suffix.len(), tell);
        }
    }

    /// Whether a prefix or the answer that is waited for begins with a byte.
    fn may_begin_with(&self, byte: u8) -> bool {
        let answer = self.expected.front().and_then(|answer| answer.begin.first());
        self.framing.prefix.first() == Some(&byte) || answer == Some(&byte)
    }

    /// Whether what is held is, or may yet become, the answer that is waited for.
    fn is_answer(&mut self, tell: &mut dyn FnMut(Heard)) -> bool {
        let Some(answer) = self.expected.front().filter(|_| !self.overflown) else { return false };
        if !self.held.starts_with(&answer.begin) {
            return answer.begin.starts_with(&self.held);
        }
        let has_ended = self.held.len() >= answer.begin.len() + answer.end.len();
        if has_ended && self.held.ends_with(&answer.end) {
            self.expected.pop_front();
            self.forget();
            tell(Heard::Answer);
        }
        true
    }

    /// The first `length` bytes held are a code with what stands before it.
    fn finish(&mut self, length: usize, tell: &mut dyn FnMut(Heard)) {
        let frame = self.held.get(..length).unwrap_or_default();
        let heard = if self.overflown { Some(Heard::Garbled) } else { code_of(frame, &self.framing, tell) };
        self.forget();
        if let Some(heard) = heard {
            tell(heard);
        }
    }

    /// Wipes what is held, and not all the room for it: a line may be full of short codes.
    fn forget(&mut self) {
        self.held.as_mut_slice().zeroize();
        self.held.clear();
        self.overflown = false;
    }
}

/// The code in a frame, or that it is none; nothing for an empty one.
fn code_of(frame: &[u8], framing: &CodeFraming, tell: &mut dyn FnMut(Heard)) -> Option<Heard> {
    let frame = trimmed(frame);
    if frame.is_empty() {
        return None;
    }
    let Some((before, code)) = split_at_prefix(frame, &framing.prefix) else { return Some(Heard::Garbled) };
    if !before.is_empty() {
        tell(Heard::Garbled);
    }
    let code = match framing.symbology {
        SymbologyMark::Aim => without_symbology(code),
        SymbologyMark::None => code,
    };
    let code = trimmed(code);
    if code.is_empty() {
        return None;
    }
    if is_noise(code, framing.encoding) {
        return Some(Heard::Garbled);
    }
    Some(framing.encoding.to_utf8(code).map_or(Heard::Garbled, Heard::Code))
}

/// What stands before the prefix and what stands behind it.
///
/// A prefix of a control character stands in no code: where there are two, the code behind the first was cut short.
/// One of plain text may stand in a code as well, so it counts at the beginning only.
fn split_at_prefix<'a>(frame: &'a [u8], prefix: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let Some(first) = prefix.first() else { return Some((&[], frame)) };
    if !first.is_ascii_control() {
        return frame.strip_prefix(prefix).map(|code| (&[][..], code));
    }
    let at = frame.windows(prefix.len()).rposition(|window| window == prefix)?;
    let (before, rest) = frame.split_at_checked(at)?;
    Some((before, rest.strip_prefix(prefix)?))
}

/// Takes the symbology identifier of ISO/IEC 15424 off: `]`, a letter, a modifier.
fn without_symbology(code: &[u8]) -> &[u8] {
    match code {
        [b']', letter, modifier, rest @ ..]
            if letter.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric() =>
        {
            rest
        }
        _ => code,
    }
}

/// What lines and scanners put between codes, and no code begins with: breaks, line ends, flow control, and
/// acknowledgements of commands.
fn is_between_codes(byte: u8) -> bool {
    const ACK: u8 = 0x06;
    const XON: u8 = 0x11;
    const XOFF: u8 = 0x13;
    const NAK: u8 = 0x15;
    matches!(byte, NUL | LF | CR | ACK | XON | XOFF | NAK)
}

fn trimmed(frame: &[u8]) -> &[u8] {
    let outside = |byte: &u8| matches!(*byte, NUL | LF | CR);
    let start = frame.iter().position(|byte| !outside(byte)).unwrap_or(frame.len());
    let end = frame.iter().rposition(|byte| !outside(byte)).map_or(start, |last| last + 1);
    frame.get(start..end).unwrap_or_default()
}

/// Whether bytes are no text: control characters that no code holds (ISO/IEC 15434 has FS to US and EOT in some), or
/// more than a third of them no UTF-8 where that is what should come. Fewer may be text of another encoding, whose
/// digits are right all the same.
fn is_noise(code: &[u8], encoding: CodeEncoding) -> bool {
    const EOT: u8 = 0x04;
    let allowed = |byte: u8| matches!(byte, EOT | TAB | LF | CR | 0x1C..=0x1F);
    if code.iter().any(|&byte| byte == DEL || (byte < b' ' && !allowed(byte))) {
        return true;
    }
    let wrong: usize = code.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    encoding == CodeEncoding::UTF_8 && wrong * 3 > code.len()
}

#[cfg(test)]
mod tests {
    use cccd_profiles::ScannerCatalogue;
    use proptest::prelude::*;

    use super::*;

    const QR: &str = "000090123456||Nguyễn Văn Mẫu|02011990|Nam|Số 1, Tỉnh Mẫu|15032022";
    const LONG: Duration = Duration::from_secs(60);

    fn framing(end: CodeEnd) -> CodeFraming {
        CodeFraming {
            prefix: Vec::new(),
            end,
            silence: Duration::from_millis(100),
            symbology: SymbologyMark::None,
            encoding: CodeEncoding::UTF_8,
        }
    }

    /// What comes out of pieces with a long silence behind the last.
    fn heard(framing: &CodeFraming, pieces: &[&[u8]]) -> Vec<Heard> {
        let mut splitter = Splitter::new(framing.clone());
        let mut all = Vec::new();
        for piece in pieces {
            splitter.push(piece, &mut |heard| all.push(heard));
        }
        splitter.silence(LONG, &mut |heard| all.push(heard));
        assert!(!splitter.is_within());
        all
    }

    fn code(text: impl AsRef<[u8]>) -> Heard {
        Heard::Code(Zeroizing::new(text.as_ref().to_vec()))
    }

    fn suffix(end: CodeEnd) -> &'static str {
        match end {
            CodeEnd::Cr => "\r",
            CodeEnd::Lf => "\n",
            CodeEnd::CrLf | CodeEnd::LineEnd => "\r\n",
            CodeEnd::Tab => "\t",
            CodeEnd::Etx => "\x03",
            CodeEnd::Silence => "",
        }
    }

    const ENDS: [CodeEnd; 6] =
        [CodeEnd::Cr, CodeEnd::Lf, CodeEnd::CrLf, CodeEnd::Tab, CodeEnd::Etx, CodeEnd::LineEnd];

    #[test]
    fn glued_codes_come_apart_at_every_suffix() {
        for end in ENDS {
            let line = format!("{QR}{0}second{0}{0}third{0}", suffix(end));
            let expected = [code(QR), code("second"), code("third")];
            assert_eq!(heard(&framing(end), &[line.as_bytes()]), expected, "{end:?}");
        }
    }

    #[test]
    fn a_line_end_may_be_either_or_both_and_silence_where_none_comes() {
        let line = "first\rsecond\nthird\r\n";
        let expected = [code("first"), code("second"), code("third")];
        assert_eq!(heard(&framing(CodeEnd::LineEnd), &[line.as_bytes()]), expected);
        assert_eq!(heard(&framing(CodeEnd::LineEnd), &[b"fourth"]), [code("fourth")]);
        // A scanner that sends more than its profile knows of loses nothing by it.
        assert_eq!(heard(&framing(CodeEnd::Cr), &[b"first\r\nsecond\r\n"]), [code("first"), code("second")]);
        assert_eq!(heard(&framing(CodeEnd::Lf), &[b"first\r\n"]), [code("first")]);
    }

    #[test]
    fn a_scanner_that_has_sent_line_ends_is_held_to_them() {
        let mut splitter = Splitter::new(framing(CodeEnd::LineEnd));
        let mut all = Vec::new();
        let mut tell = |heard| all.push(heard);
        splitter.push(b"first\rsec", &mut tell);
        splitter.silence(Duration::from_millis(499), &mut tell);
        splitter.push(b"ond\rcut", &mut tell);
        splitter.silence(Duration::from_millis(500), &mut tell);
        // It was set up anew meanwhile.
        splitter.push(b"third", &mut tell);
        splitter.silence(Duration::from_millis(100), &mut tell);
        assert_eq!(all, [code("first"), code("second"), Heard::Garbled, code("third")]);
    }

    #[test]
    fn only_enough_silence_means_anything() {
        for (end, expected) in [(CodeEnd::Silence, code(QR)), (CodeEnd::Cr, Heard::Garbled)] {
            let mut splitter = Splitter::new(framing(end));
            let mut all = Vec::new();
            for piece in QR.as_bytes().chunks(7) {
                splitter.push(piece, &mut |heard| all.push(heard));
                splitter.silence(Duration::from_millis(99), &mut |heard| all.push(heard));
            }
            assert_eq!((all.len(), splitter.is_within()), (0, true));
            splitter.silence(Duration::from_millis(100), &mut |heard| all.push(heard));
            splitter.silence(LONG, &mut |heard| all.push(heard));
            assert_eq!(all, [expected], "{end:?}, and once only");
        }
    }

    #[test]
    fn a_line_that_ends_within_a_code_says_so_and_leaves_nothing_to_the_next() {
        let mut splitter = Splitter::new(framing(CodeEnd::Cr));
        let mut all = Vec::new();
        splitter.push(b"0000901", &mut |heard| all.push(heard));
        splitter.end(&mut |heard| all.push(heard));
        splitter.end(&mut |heard| all.push(heard));
        splitter.push(b"whole\r", &mut |heard| all.push(heard));
        assert_eq!(all, [Heard::Garbled, code("whole")]);
    }

    #[test]
    fn an_overlong_frame_is_one_thing_and_the_next_is_whole() {
        for end in ENDS {
            for length in [LONGEST_FRAME - 1, LONGEST_FRAME, LONGEST_FRAME + 1, 5 * LONGEST_FRAME + 3] {
                let line = format!("{}{1}next{1}", "x".repeat(length), suffix(end));
                let told = heard(&framing(end), &[line.as_bytes()]);
                assert_eq!(told.last(), Some(&code("next")), "{end:?} {length}");
                assert_eq!(told.len(), 2);
                // Of either or both line ends the first ends it.
                let ending = if end == CodeEnd::CrLf { 2 } else { 1 };
                assert_eq!(told[0] == Heard::Garbled, length + ending > LONGEST_FRAME, "{end:?} {length}");
            }
        }
        let endless = vec![b'x'; 3 * LONGEST_FRAME];
        assert_eq!(heard(&framing(CodeEnd::Silence), &[&endless]), [Heard::Garbled]);
    }

    #[test]
    fn noise_is_no_code_and_text_of_any_kind_is() {
        let line_end = framing(CodeEnd::LineEnd);
        for noise in
            [&b"\x01\x02\x80\r"[..], b"000090\x00123456\r", b"a\x7Fb\n", b"\xFF\xFE\xC0\r", b"\x1B[2J\r"]
        {
            assert_eq!(heard(&line_end, &[noise]), [Heard::Garbled], "{noise:?}");
        }
        // One wrong byte in a text is for whoever reads the text; separators belong to some codes.
        let windows = &b"Nguy\xEA\xDEn V\xE3n M\xE2\xDEu\r"[..];
        for text in [windows, "ễễễễ\u{110}\r".as_bytes(), b"[)>\x1E06\x1DP1\x1E\x04\r", b"a\tb\r"] {
            let told = heard(&line_end, &[text]);
            assert_eq!(told, [code(&text[..text.len() - 1])], "{text:?}");
        }
        for nothing in [&b"\0\0\r\n\n"[..], b"\x06", b"\x11\x13", b""] {
            assert_eq!(heard(&line_end, &[nothing]), [], "{nothing:?}");
        }
        assert_eq!(heard(&line_end, &[b"\0\0code\0\r"]), [code("code")], "breaks of the line go");
    }

    #[test]
    fn a_prefix_is_taken_off_and_tells_where_a_code_begins() {
        let stx = CodeFraming { prefix: vec![2], ..framing(CodeEnd::Cr) };
        for (line, expected) in [
            (&b"\x02code\r"[..], vec![code("code")]),
            (b"\xAA\x01\x02code\r", vec![Heard::Garbled, code("code")]),
            (b"\x0200009\x02code\r", vec![Heard::Garbled, code("code")]),
            (b"tail of one\r\x02code\r", vec![Heard::Garbled, code("code")]),
        ] {
            assert_eq!(heard(&stx, &[line]), expected, "{line:?}");
        }
        let text = CodeFraming { prefix: b"QR".to_vec(), ..framing(CodeEnd::Cr) };
        assert_eq!(heard(&text, &[b"QRa QR b\r"]), [code("a QR b")]);
        assert_eq!(heard(&text, &[b"x QRb\r"]), [Heard::Garbled]);
    }

    #[test]
    fn a_symbology_identifier_is_taken_off_where_there_may_be_one() {
        let aim = CodeFraming { symbology: SymbologyMark::Aim, ..framing(CodeEnd::Cr) };
        for (line, expected) in [("]Q1000090\r", "000090"), ("000090\r", "000090"), ("]?1x\r", "]?1x")] {
            assert_eq!(heard(&aim, &[line.as_bytes()]), [code(expected)]);
        }
        assert_eq!(heard(&framing(CodeEnd::Cr), &[b"]Q1000090\r"]), [code("]Q1000090")]);
    }

    #[test]
    fn another_encoding_becomes_utf_8() {
        let encoding = CodeEncoding::of_label("windows-1258").unwrap();
        let windows = CodeFraming { encoding, ..framing(CodeEnd::Cr) };
        assert_eq!(heard(&windows, &[b"V\xE3n \xD0\xFD\r"]), [code("Văn Đư")]);
    }

    #[test]
    fn an_answer_that_is_waited_for_is_no_code() {
        let shipped = ScannerCatalogue::shipped();
        let profile = shipped.get("honeywell").unwrap();
        let answer = profile.commands.ping.as_ref().unwrap().answer.clone().unwrap();
        let mut splitter = Splitter::new(profile.code.clone());
        let mut all = Vec::new();
        splitter.push(b"CBRENA1\x06.", &mut |heard| all.push(heard));
        splitter.silence(LONG, &mut |heard| all.push(heard));
        assert_eq!(all, [Heard::Garbled], "nobody had asked");
        all.clear();
        splitter.expect(answer.clone());
        splitter.push(b"code before\r\nCBRE", &mut |heard| all.push(heard));
        splitter.push(b"NA1\x06.code behind\r\nCBRENA is a code\r", &mut |heard| all.push(heard));
        assert_eq!(all, [code("code before"), Heard::Answer, code("code behind"), code("CBRENA is a code")]);
        // One may be a mere acknowledgement, or begin with one.
        for (begin, end) in [(&b"\x06"[..], &b""[..]), (b"\x06", b"\x15"), (b"\x06OK", b"")] {
            all.clear();
            splitter.expect(CommandAnswer { begin: begin.to_vec(), end: end.to_vec() });
            splitter.push(&[b"\r\n", begin, end, b"code\r"].concat(), &mut |heard| all.push(heard));
            assert_eq!(all, [Heard::Answer, code("code")]);
        }
        // An answer that never comes is not waited for for ever.
        all.clear();
        splitter.expect(answer);
        splitter.silence(ANSWER_WITHIN, &mut |heard| all.push(heard));
        splitter.push(b"CBRENA is a code\r", &mut |heard| all.push(heard));
        assert_eq!(all, [code("CBRENA is a code")]);
    }

    #[test]
    fn debug_tells_nothing_of_a_code() {
        let mut splitter = Splitter::new(framing(CodeEnd::Cr));
        splitter.push(QR.as_bytes(), &mut |_| {});
        for shown in [format!("{:?}", code(QR)), format!("{splitter:?}")] {
            assert!(!shown.contains("0000") && !shown.contains("48, 48"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn how_a_line_is_cut_into_reads_changes_nothing(
            codes in proptest::collection::vec("[ -~ễĐ]{1,60}", 1..8),
            end in proptest::sample::select(&ENDS[..]),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let line: String = codes.iter().map(|code| format!("{code}{}", suffix(end))).collect();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(line.len())).collect();
            at.extend([0, line.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|two| &line.as_bytes()[two[0]..two[1]]).collect();
            let expected: Vec<Heard> = codes.iter().map(code).collect();
            prop_assert_eq!(heard(&framing(end), &pieces), expected);
        }

        #[test]
        fn whatever_comes_a_code_with_a_prefix_behind_it_is_whole(
            noise in proptest::collection::vec(any::<u8>(), 0..400),
            end in proptest::sample::select(&ENDS[..]),
        ) {
            let stx = CodeFraming { prefix: vec![2], ..framing(end) };
            let line = format!("\x02{QR}{}", suffix(end));
            let told = heard(&stx, &[&noise, line.as_bytes()]);
            prop_assert_eq!(told.last(), Some(&code(QR)));
        }

        #[test]
        fn no_line_makes_it_hold_more_than_the_longest_frame(
            pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..3000), 0_u64..200), 0..8),
            end in proptest::sample::select(&ENDS[..]),
        ) {
            let mut splitter = Splitter::new(framing(end));
            for (piece, silence) in &pieces {
                splitter.push(piece, &mut |_| {});
                splitter.silence(Duration::from_millis(*silence), &mut |_| {});
                prop_assert!(splitter.held.capacity() == LONGEST_FRAME);
            }
        }
    }
}
