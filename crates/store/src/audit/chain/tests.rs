use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use rusqlite::Connection;
use time::macros::datetime;

use super::*;
use crate::{ExportChecker, Store};

const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

/// A store with a chain of some entries, closed.
struct Closed {
    _outer: tempfile::TempDir,
    folder: PathBuf,
}

impl Closed {
    fn with_entries(count: usize) -> Self {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("store");
        let store = Store::open(&folder, NOW).unwrap();
        for number in 0..count {
            let entry = Entry::new(EntryKind::ReadEnded).with("number", number.to_string());
            let now = NOW + time::Duration::seconds(i64::try_from(number).unwrap());
            store.audit().append(&entry, now).unwrap();
        }
        Self { _outer: outer, folder }
    }

    /// Reaches into the file as no program of ours does.
    fn tamper(&self, sql: &str) {
        let connection = Connection::open(self.folder.join(FILE)).unwrap();
        connection
            .execute_batch(
                "DROP TRIGGER entries_stay; DROP TRIGGER entries_stay_as_they_are;
                 DROP TRIGGER entries_are_added_at_the_end;",
            )
            .unwrap();
        connection.execute_batch(sql).unwrap();
    }

    fn fault(&self) -> Option<Fault> {
        let chain = Store::look_at_audit(&self.folder).unwrap();
        chain.verify().unwrap().fault.map(|fault| fault.fault)
    }
}

#[test]
fn entries_are_numbered_without_a_gap_and_hold_each_other() {
    let closed = Closed::with_entries(5);
    let store = Store::open(&closed.folder, NOW).unwrap();
    let entries = store.audit().after(0, 100).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(store.audit().after(3, 1).unwrap(), entries[3..4]);
    let report = store.audit().verify().unwrap();
    assert_eq!((report.entries, report.last, report.fault), (5, entries[4].hash, None));
    for (seconds, before) in [(-1, 0), (0, 0), (1, 1), (4, 4), (5, 5)] {
        let moment = NOW + time::Duration::seconds(seconds);
        assert_eq!(store.audit().last_before(moment).unwrap(), before, "{seconds}");
    }
    assert_eq!(store.audit().last().unwrap(), 5);
}

#[test]
fn the_database_itself_refuses_to_change_or_remove_an_entry() {
    let closed = Closed::with_entries(3);
    let connection = Connection::open(closed.folder.join(FILE)).unwrap();
    for sql in [
        "DELETE FROM entries WHERE sequence = 3",
        "DELETE FROM entries",
        "UPDATE entries SET text = '{}' WHERE sequence = 2",
        "UPDATE entries SET sequence = 9 WHERE sequence = 3",
        "REPLACE INTO entries SELECT 2, at_ms, text, hash, mac FROM entries WHERE sequence = 1",
        "INSERT INTO entries SELECT 9, at_ms, text, hash, mac FROM entries WHERE sequence = 1",
    ] {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
    assert_eq!(closed.fault(), None);
}

#[test]
fn every_removal_change_and_exchange_of_an_entry_is_found() {
    for (tampering, found) in [
        ("DELETE FROM entries WHERE sequence = 1", Fault::Missing),
        ("DELETE FROM entries WHERE sequence = 3", Fault::Missing),
        ("DELETE FROM entries WHERE sequence = 5", Fault::CutShort),
        ("DELETE FROM entries WHERE sequence > 2", Fault::CutShort),
        ("DELETE FROM entries", Fault::CutShort),
        // Closing the gap does not help.
        (
            "DELETE FROM entries WHERE sequence = 2;
             UPDATE entries SET sequence = sequence - 1 WHERE sequence > 2",
            Fault::Missing,
        ),
        ("UPDATE entries SET text = replace(text, 'number', 'Number') WHERE sequence = 4", Fault::Changed),
        ("UPDATE entries SET text = replace(text, 'number', 'Number') WHERE sequence = 5", Fault::Changed),
        ("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 2", Fault::Changed),
        ("UPDATE entries SET mac = zeroblob(32) WHERE sequence = 2", Fault::Forged),
        ("UPDATE entries SET at_ms = at_ms + 1 WHERE sequence = 2", Fault::Changed),
        ("UPDATE entries SET text = 'x' WHERE sequence = 2", Fault::Changed),
        (
            "UPDATE entries SET sequence = 99 WHERE sequence = 2;
             UPDATE entries SET sequence = 2 WHERE sequence = 3;
             UPDATE entries SET sequence = 3 WHERE sequence = 99",
            Fault::Missing,
        ),
        // The first one once more, in place of the second.
        (
            "DELETE FROM entries WHERE sequence = 2;
             INSERT INTO entries SELECT 2, at_ms, text, hash, mac FROM entries WHERE sequence = 1",
            Fault::Displaced,
        ),
        // One more at the end.
        (
            "INSERT INTO entries SELECT 6, at_ms, text, hash, mac FROM entries WHERE sequence = 5",
            Fault::Displaced,
        ),
    ] {
        let closed = Closed::with_entries(5);
        closed.tamper(tampering);
        assert_eq!(closed.fault(), Some(found), "{tampering}");
    }
}

/// The rows of a chain that someone makes anew from entry `from` on, every hash included.
fn rewritten(folder: &std::path::Path, from: u64) -> String {
    let connection = Connection::open(folder.join(FILE)).unwrap();
    let texts: Vec<String> = connection
        .prepare("SELECT text FROM entries ORDER BY sequence")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut previous = GENESIS;
    let mut sql = String::new();
    for (sequence, text) in (1..).zip(texts) {
        let mut entry: serde_json::Value = serde_json::from_str(&text).unwrap();
        entry["previous"] = hex::encode(previous).into();
        if sequence >= from {
            entry["caller"] = "somebody-else".into();
        }
        let text = entry.to_string();
        previous = Sha256::digest(text.as_bytes()).into();
        sql += &format!(
            "UPDATE entries SET text = '{text}', hash = x'{}' WHERE sequence = {sequence};",
            hex::encode(previous)
        );
    }
    sql
}

#[test]
fn a_chain_made_anew_without_the_key_is_found() {
    for from in [1, 3, 5] {
        let closed = Closed::with_entries(5);
        closed.tamper(&rewritten(&closed.folder, from));
        assert_eq!(closed.fault(), Some(Fault::Forged), "{from}");
    }
}

#[test]
fn the_head_is_nobody_elses_to_write() {
    for (damage, found) in
        [(None, Fault::HeadMissing), (Some("{}"), Fault::HeadForged), (Some("not json"), Fault::HeadForged)]
    {
        let closed = Closed::with_entries(2);
        let head = closed.folder.join("audit.head");
        match damage {
            None => fs::remove_file(head).unwrap(),
            Some(text) => fs::write(head, text).unwrap(),
        }
        assert_eq!(closed.fault(), Some(found));
    }
    // One that names an earlier entry, made by hand.
    let closed = Closed::with_entries(3);
    let head = closed.folder.join("audit.head");
    let text = fs::read_to_string(&head).unwrap().replace("\"sequence\":3", "\"sequence\":2");
    fs::write(&head, text).unwrap();
    assert_eq!(closed.fault(), Some(Fault::HeadForged));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_byte_of_an_entry_can_be_changed_unseen(
        sequence in 1..5_u32, column in 0..3_usize, at in any::<prop::sample::Index>(), change in 1..128_u8,
    ) {
        let closed = Closed::with_entries(4);
        let column = ["text", "hash", "mac"][column];
        let connection = Connection::open(closed.folder.join(FILE)).unwrap();
        let query = format!("SELECT CAST({column} AS BLOB) FROM entries WHERE sequence = {sequence}");
        let mut bytes: Vec<u8> = connection.query_row(&query, [], |row| row.get(0)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        drop(connection);
        let kind = if column == "text" { "TEXT" } else { "BLOB" };
        closed.tamper(&format!(
            "UPDATE entries SET {column} = CAST(x'{}' AS {kind}) WHERE sequence = {sequence}",
            hex::encode(bytes)
        ));
        prop_assert!(closed.fault().is_some());
    }
}

#[test]
fn an_end_that_was_cut_off_is_recorded_first_in_a_new_chain() {
    let closed = Closed::with_entries(4);
    closed.tamper("DELETE FROM entries WHERE sequence = 4");
    let error = Store::join(&closed.folder, NOW).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::ChainBroken(ChainFault { sequence: 4, fault: Fault::CutShort })));

    let store = Store::open(&closed.folder, NOW).unwrap();
    let [notice] = store.notices() else { panic!("{:?}", store.notices()) };
    assert_eq!(notice.file, "audit.db");
    let first = &store.audit().after(0, 10).unwrap()[0];
    assert_eq!(first.entry.kind, EntryKind::ChainRestarted);
    assert_eq!(first.entry.more["last_sequence"], "4");
    assert!(first.entry.more["why"].contains("entry 4"), "{first:?}");
    // What was moved aside is all there.
    let aside = notice.aside.as_ref().unwrap();
    let kept: i64 = Connection::open(aside)
        .unwrap()
        .query_row("SELECT count(*) FROM entries", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3);
    assert_eq!(store.audit().verify().unwrap().fault, None);
}

#[test]
fn what_is_cut_off_under_a_running_daemon_is_not_covered_up() {
    let closed = Closed::with_entries(4);
    let store = Store::open(&closed.folder, NOW).unwrap();
    closed.tamper("DELETE FROM entries WHERE sequence = 4");
    let receipt = store.audit().append(&Entry::new(EntryKind::ReadEnded), NOW).unwrap();
    assert_eq!(receipt.sequence, 2);
    let kinds: Vec<EntryKind> =
        store.audit().after(0, 10).unwrap().into_iter().map(|recorded| recorded.entry.kind).collect();
    assert_eq!(kinds, [EntryKind::ChainRestarted, EntryKind::ReadEnded]);
}

#[test]
fn a_chain_that_is_no_database_or_is_gone_is_recorded_too() {
    for gone in [false, true] {
        let closed = Closed::with_entries(3);
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(closed.folder.join(format!("{FILE}{suffix}")));
        }
        if !gone {
            fs::write(closed.folder.join(FILE), b"not a database, and long enough to be looked at").unwrap();
        }
        let store = Store::open(&closed.folder, NOW).unwrap();
        assert_eq!(store.notices().len(), 1);
        assert_eq!(store.notices()[0].aside.is_none(), gone);
        let first = &store.audit().after(0, 10).unwrap()[0];
        assert_eq!(first.entry.kind, EntryKind::ChainRestarted);
        assert_eq!(first.entry.more["last_sequence"], "3");
    }
}

#[test]
fn a_power_cut_between_an_entry_and_its_head_is_no_fault() {
    let closed = Closed::with_entries(2);
    let head = closed.folder.join("audit.head");
    let before = fs::read(&head).unwrap();
    let store = Store::open(&closed.folder, NOW).unwrap();
    store.audit().append(&Entry::new(EntryKind::ReadEnded), NOW).unwrap();
    drop(store);
    let after = fs::read(&head).unwrap();
    fs::write(&head, before).unwrap();
    assert_eq!(closed.fault(), None);
    let store = Store::open(&closed.folder, NOW).unwrap();
    assert!(store.notices().is_empty());
    // And the head has caught up.
    assert_eq!(fs::read(&head).unwrap(), after);
}

#[test]
fn threads_and_processes_add_to_one_chain() {
    let closed = Closed::with_entries(0);
    let stores = [Store::open(&closed.folder, NOW).unwrap(), Store::join(&closed.folder, NOW).unwrap()];
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let store = &stores[thread % 2];
            scope.spawn(move || {
                for _ in 0..5 {
                    store.audit().append(&Entry::new(EntryKind::ReadEnded), NOW).unwrap();
                }
            });
        }
    });
    let report = stores[0].audit().verify().unwrap();
    assert_eq!((report.entries, report.fault), (30, None));
    assert!(Store::open(&closed.folder, NOW).unwrap().notices().is_empty());
}

#[test]
fn an_export_is_checked_without_the_machine() {
    let closed = Closed::with_entries(5);
    let store = Store::open(&closed.folder, NOW).unwrap();
    let lines: Vec<String> = store.audit().after(1, 10).unwrap().iter().map(Recorded::line).collect();
    let check = |lines: &[String]| {
        let mut checker = ExportChecker::new();
        lines.iter().try_for_each(|line| checker.check(line)).map(|()| (checker.entries(), checker.last()))
    };
    assert_eq!(check(&lines), Ok((4, Some(5))));

    let fault = |lines: &[String]| check(lines).unwrap_err().fault;
    assert_eq!(fault(&[&lines[..1], &lines[2..]].concat()), Fault::Missing);
    assert_eq!(fault(&[lines[1].clone(), lines[0].clone()]), Fault::Displaced);
    let mut changed = lines.clone();
    changed[2] = changed[2].replace("read-ended", "read-failed");
    assert_eq!(check(&changed).unwrap_err(), ChainFault { sequence: 4, fault: Fault::Changed });
    assert_eq!(fault(&["{}".to_owned()]), Fault::Unreadable);
}

#[test]
fn a_cursor_stays_where_it_was_set_and_goes_with_its_chain() {
    let closed = Closed::with_entries(3);
    let store = Store::open(&closed.folder, NOW).unwrap();
    assert_eq!(store.audit().cursor("syslog").unwrap(), 0);
    let entries = store.audit().after(0, 10).unwrap();
    store.audit().advance_cursor("syslog", &entries[1]).unwrap();
    // One that is not of this chain moves nothing.
    store.audit().advance_cursor("syslog", &Recorded { hash: [0; 32], ..entries[2].clone() }).unwrap();
    drop(store);
    let store = Store::open(&closed.folder, NOW).unwrap();
    assert_eq!(store.audit().cursor("syslog").unwrap(), 2);
    store.audit().step_cursor_back("syslog", 1).unwrap();
    assert_eq!(store.audit().cursor("syslog").unwrap(), 1);
    store.audit().step_cursor_back("syslog", 9).unwrap();
    assert_eq!(store.audit().cursor("syslog").unwrap(), 0);
    drop(store);
    closed.tamper("DELETE FROM entries WHERE sequence = 3");
    let store = Store::open(&closed.folder, NOW).unwrap();
    assert_eq!(store.audit().cursor("syslog").unwrap(), 0);
}
