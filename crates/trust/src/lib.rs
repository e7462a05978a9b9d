//! Evidence to verdict
