//! The event loop: one reading per reader
