//! PEM (RFC 7468): one text, any number of blocks, anything between them.

use base64ct::{Base64, Encoding as _};

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// The line it begins on, counted from one.
    pub(super) line: usize,
    /// What it says it is.
    pub(super) label: &'a str,
    /// Its bytes; nothing where it does not end, or is not base64.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Whether a text has a block.
pub(super) fn is_pem(text: &str) -> bool {
    text.lines().any(|line| label(line, BEGIN).is_some())
}

/// The blocks, in their order. Text around them is explanatory (RFC 7468, 2) and left out.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut lines = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (line, label) = lines.find_map(|(at, line)| Some((at + 1, label(line, BEGIN)?)))?;
        let mut base64 = String::new();
        // A block that begins before the last one ended: the last one is torn, the next is not.
        while let Some((_, row)) = lines.next_if(|(_, row)| self::label(row, BEGIN).is_none()) {
            if self::label(row, "-----END ").is_some_and(|end| end == label) {
                return Some(Block { line, label, bytes: Base64::decode_vec(&base64).ok() });
            }
            base64.extend(row.chars().filter(|char| !char.is_ascii_whitespace()));
        }
        Some(Block { line, label, bytes: None })
    })
}

fn label<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.trim().trim_start_matches('\u{feff}').strip_prefix(start)?.strip_suffix(DASHES)
}

/// A certificate as PEM, 64 characters a row as RFC 7468 wants it.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let base64 = Base64::encode_string(der);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for (at, char) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text.push_str(&format!("\n-----END {label}{DASHES}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_are_found_among_other_text() {
        let text = "subject=C = VN\n-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\nissuer\n-----BEGIN B C-----\nBA==\n-----END B C-----";
        let found: Vec<_> = blocks(text).collect();
        assert_eq!(
            found,
            [
                Block { line: 2, label: "A", bytes: Some(vec![1, 2, 3]) },
                Block { line: 7, label: "B C", bytes: Some(vec![4]) },
            ]
        );
    }

    #[test]
    fn a_torn_block_costs_itself_and_no_other() {
        let torn = "-----BEGIN A-----\nAQID\n-----BEGIN A-----\nBA==\n-----END A-----\n-----BEGIN A-----\nA";
        let found: Vec<_> = blocks(torn).map(|block| block.bytes).collect();
        assert_eq!(found, [None, Some(vec![4]), None]);
    }

    #[test]
    fn a_block_ends_with_its_own_label() {
        let text = "-----BEGIN A-----\nAQID\n-----END B-----\n-----END A-----\n";
        assert_eq!(blocks(text).next().unwrap().bytes, None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = to_pem("CERTIFICATE", &bytes);
            prop_assert!(is_pem(&text) && text.lines().all(|line| line.len() <= 64));
            let found: Vec<_> = blocks(&text).collect();
            prop_assert_eq!(found, [Block { line: 1, label: "CERTIFICATE", bytes: Some(bytes) }]);
        }

        #[test]
        fn no_text_panics(text in "(-----(BEGIN|END) [AB]-----\n|[A-Z=\n-]{0,5}){0,12}") {
            prop_assert_eq!(is_pem(&text), blocks(&text).next().is_some());
        }
    }
}
