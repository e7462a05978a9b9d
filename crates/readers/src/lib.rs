//! The only crate that touches hardware
