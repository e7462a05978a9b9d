//! Whether there is room for what has to be kept.

use std::path::Path;

use cccd_api::Actor;

use super::Desk;
use super::finding::{Finding, words};

const MIB: u64 = 1024 * 1024;
/// Below this the audit chain may stop within a day; and below that at once.
const SCARCE: u64 = 500 * MIB;
const GONE: u64 = 50 * MIB;

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let mut folders = vec![desk.settings.store.folder.as_path()];
    if !desk.settings.targets.is_empty() {
        folders.push(&desk.settings.outbox.folder);
    }
    folders.into_iter().filter_map(|folder| Some(judged(folder, free_in(folder)?))).collect()
}

/// How many bytes the folder may grow by, or whichever folder above it is there already.
#[cfg(unix)]
fn free_in(folder: &Path) -> Option<u64> {
    let stat = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// There it is the system that warns.
#[cfg(not(unix))]
fn free_in(_: &Path) -> Option<u64> {
    None
}

fn judged(folder: &Path, free: u64) -> Finding {
    let shown = folder.display();
    let mib = free / MIB;
    let seen = words(format!("{shown}: còn {mib} MiB"), format!("{shown}: {mib} MiB free"));
    let todo = words(
        "giải phóng đĩa: nhật ký kiểm toán và kết quả chờ gửi cần chỗ",
        "free the disk: the audit chain and results on their way need room",
    );
    if free < GONE {
        Finding::fault("storage", seen, Actor::Admin, todo)
    } else if free < SCARCE {
        Finding::warning("storage", seen, Actor::Admin, todo)
    } else {
        Finding::ok("storage", seen)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::desk;
    use super::*;

    #[test]
    fn a_disk_that_fills_is_told_before_it_is_full() {
        for (mib, state) in [
            (0, State::Fault),
            (49, State::Fault),
            (50, State::Warning),
            (499, State::Warning),
            (500, State::Ok),
        ] {
            assert_eq!(judged(Path::new("/x"), mib * MIB).state, state, "{mib}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("not/there");
        assert_eq!(free_in(&deep).is_some(), free_in(folder.path()).is_some());
        let text = format!("[store]\nfolder = '{}'", deep.display());
        assert_eq!(check(&desk(&text, Machine::below("/nowhere"))).len(), 1);
        assert!(!deep.exists(), "looking makes nothing");
    }
}
