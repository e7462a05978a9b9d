//! The line of a serial scanner: its framing and the size of each read from the first two bytes, the rest as it comes.

use std::hint::black_box;
use std::time::Duration;

use cccd_profiles::{CodeEncoding, CodeEnd, CodeFraming, CommandAnswer, SymbologyMark};
use cccd_readers::{Heard, LONGEST_FRAME, Splitter};

const ENDS: [CodeEnd; 7] =
    [CodeEnd::Cr, CodeEnd::Lf, CodeEnd::CrLf, CodeEnd::Tab, CodeEnd::Etx, CodeEnd::LineEnd, CodeEnd::Silence];

#[expect(clippy::panic, reason = "more than is held is a finding")]
pub(crate) fn line(bytes: &[u8]) -> Option<()> {
    let (&[framing, at_once], line) = bytes.split_first_chunk::<2>()?;
    let end = *ENDS.get(usize::from(framing) % ENDS.len())?;
    let framing = CodeFraming {
        prefix: if end == CodeEnd::Etx { vec![0x02] } else { Vec::new() },
        end,
        silence: Duration::from_millis(100),
        symbology: if end == CodeEnd::LineEnd { SymbologyMark::Aim } else { SymbologyMark::None },
        encoding: match framing {
            0x80.. => CodeEncoding::of_label("windows-1258")?,
            _ => CodeEncoding::UTF_8,
        },
    };
    let mut splitter = Splitter::new(framing);
    let mut codes = 0;
    let mut tell = |heard: Heard| {
        if let Heard::Code(code) = heard {
            // Three bytes of UTF-8 at most for one of another encoding.
            if code.is_empty() || code.len() > 3 * LONGEST_FRAME {
                panic!("a code of {} bytes", code.len());
            }
            codes += 1;
        }
    };
    for (number, read) in line.chunks(usize::from(at_once).max(1)).enumerate() {
        if number % 5 == 3 {
            splitter.expect(CommandAnswer { begin: vec![0x02, 0x01], end: vec![0x3B, 0x03] });
            splitter.silence(Duration::from_millis(50), &mut tell);
        }
        splitter.push(read, &mut tell);
    }
    black_box(splitter.patience());
    splitter.silence(Duration::from_secs(2), &mut tell);
    splitter.end(&mut tell);
    (codes > 0).then_some(())
}
