//! The Rust side of every file under devices/ and config/
