//! What a manual tells its reader to type, taken out of it to be run.

use std::path::PathBuf;

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

/// The fenced blocks of this language in a manual, in order. There is at least one.
pub fn blocks(manual: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository(manual)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(named)) if named == language => open = Some(String::new()),
            // A block of another language: passed over until it ends.
            (None, Some(named)) if !named.is_empty() => open = Some(String::from("\0")),
            (None, _) => {}
            (Some(block), Some("")) => {
                if !block.starts_with('\0') {
                    blocks.push(std::mem::take(block));
                }
                open = None;
            }
            (Some(block), _) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    assert!(open.is_none(), "{manual}: a block has no end");
    assert!(!blocks.is_empty(), "{manual}: no block of {language}");
    blocks
}
