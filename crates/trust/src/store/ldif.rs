//! LDIF (RFC 2849), as far as the downloads of the ICAO PKD need it: the binary values, whatever their
//! attributes are called.
//!
//! The names of the attributes have changed over the years (card-quirks 61); what a value is, its bytes tell.

use base64ct::{Base64, Encoding as _};

/// One binary value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The line it begins on, counted from one.
    pub(super) line: usize,
    /// Its bytes; nothing where they are not base64.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Whether a text is LDIF: its first line that says something is `version:` or `dn:` (RFC 2849, note 1).
pub(super) fn is_ldif(text: &str) -> bool {
    let first =
        lines(text).map(|(_, line)| line).find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        let name = line.split(':').next().unwrap_or_default();
        line.contains(':') && (name.eq_ignore_ascii_case("version") || name.eq_ignore_ascii_case("dn"))
    })
}

/// The values written in base64 (`name:: value`), in their order. Plain values hold no certificate, and
/// values by reference (`name:< url`) are never followed.
pub(super) fn binary_values(text: &str) -> impl Iterator<Item = Value> + '_ {
    let mut lines = lines(text).peekable();
    std::iter::from_fn(move || {
        loop {
            let (line, first) = lines.next()?;
            // A folded line goes on after a line break and one blank (RFC 2849, note 2).
            let mut folded = Vec::new();
            while let Some((_, more)) = lines.next_if(|(_, next)| next.starts_with(' ')) {
                folded.push(more);
            }
            let Some((name, value)) = first.split_once("::") else { continue };
            if first.starts_with([' ', '#']) || name.contains(':') || is_a_name(name) {
                continue;
            }
            let mut base64 = value.trim().to_owned();
            base64.extend(folded.into_iter().map(str::trim));
            return Some(Value { line, bytes: Base64::decode_vec(&base64).ok() });
        }
    })
}

/// A name that is not plain ASCII is written in base64 as well and is no value.
fn is_a_name(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("dn")
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .enumerate()
        .map(|(at, line)| (at + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<(usize, Option<Vec<u8>>)> {
        binary_values(text).map(|value| (value.line, value.bytes)).collect()
    }

    #[test]
    fn folded_values_are_joined_and_plain_ones_left_out() {
        let text = "version: 1\r\n# a comment:: AAAA\r\n\r\ndn: c=VN,\r\n dc=data\r\nuserCertificate;binary:: AQ\r\n ID\r\n BA==\r\nsn: 1\r\n";
        assert_eq!(values(text), [(6, Some(vec![1, 2, 3, 4]))]);
    }

    #[test]
    fn a_folded_comment_is_all_comment() {
        assert_eq!(values("dn: c=VN\n# x\n y:: AQID\na:: AQID\n"), [(4, Some(vec![1, 2, 3]))]);
    }

    #[test]
    fn names_in_base64_and_values_by_reference_are_no_values() {
        assert_eq!(values("dn:: Yz1WTg==\nx:< file:///a::b\ny: a::AQID\n"), []);
    }

    #[test]
    fn what_is_not_base64_is_told_with_its_line() {
        assert_eq!(values("dn: c=VN\nx:: A!\ny:: AQID\n"), [(2, None), (3, Some(vec![1, 2, 3]))]);
    }

    #[test]
    fn ldif_is_known_by_its_first_line() {
        for good in ["version: 1\n", "# c\n\ndn: c=VN\n", "\u{feff}DN:: Yz1WTg==\r\n", "Version:1"] {
            assert!(is_ldif(good), "{good:?}");
        }
        for bad in ["", "\n", "dn", "objectClass: top\ndn: c=VN\n", "-----BEGIN CERTIFICATE-----\n"] {
            assert!(!is_ldif(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_folded_anywhere_comes_back(
            bytes in proptest::collection::vec(any::<u8>(), 1..200), width in 1usize..80, crlf in any::<bool>(),
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let base64 = Base64::encode_string(&bytes);
            let rows: Vec<&str> = base64.as_bytes().chunks(width).map(|row| std::str::from_utf8(row).unwrap()).collect();
            let text = format!("dn: c=VN{end}x;binary:: {}{end}", rows.join(&format!("{end} ")));
            prop_assert_eq!(values(&text), [(2, Some(bytes))]);
        }

        #[test]
        fn no_text_panics(text in "[a:; \n\r#=A-Z<]{0,60}") {
            let _ = is_ldif(&text);
            let _ = values(&text);
        }
    }
}
