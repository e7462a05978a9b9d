//! What lies in the outbox arrives, however often its program is killed.

use std::path::Path;

use cccd_tests::outbox::storm;

const PROGRAM: &str = env!("CARGO_BIN_EXE_outbox-under-test");

#[test]
fn every_message_arrives_though_its_program_is_killed_and_its_receiver_fails() {
    let storm = storm(Path::new(PROGRAM), 6, 60).unwrap();
    assert_eq!(storm.arrived, 60, "{storm:?}");
    assert!(storm.refused > 0, "the receiver failed, too: {storm:?}");
}
