//! The audit chain on the disk: whole, or who has reached into it.

use std::time::Duration;

use cccd_api::Actor;
use cccd_store::Store;

use super::finding::{Finding, words};
use super::{Desk, within};

/// A chain of years is long: whoever wants to know all the same is told how.
const LOOKED_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let folder = desk.settings.store.folder.clone();
    let shown = folder.display().to_string();
    // Looking makes no key: one that is not there is the rights' matter.
    let is_there = |file: &str| std::fs::File::open(folder.join(file)).map(drop);
    if let Err(error) = is_there("audit.db").and_then(|()| is_there("hash.key")) {
        if error.kind() == std::io::ErrorKind::NotFound {
            let seen = words(
                format!("chưa có nhật ký trong {shown}: được tạo khi dịch vụ chạy lần đầu"),
                format!("no chain in {shown} yet: it is made when the agent first starts"),
            );
            return vec![Finding::ok("audit", seen)];
        }
        let seen = words(
            format!("không xem được nhật ký trong {shown}: {error}"),
            format!("the chain in {shown} cannot be looked at: {error}"),
        );
        let todo = words(
            "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
            "run it again as root, or as the user the agent runs as",
        );
        return vec![Finding::warning("audit", seen, Actor::Admin, todo)];
    }
    let looked =
        within(LOOKED_WITHIN, move || Store::look_at_audit(&folder).and_then(|chain| chain.verify()));
    let verify = || {
        words(
            "chạy `cccd-agent audit verify` và xem docs/audit.md",
            "run `cccd-agent audit verify` and see docs/audit.md",
        )
    };
    vec![match looked {
        None => Finding::warning(
            "audit",
            words("nhật ký quá dài để kiểm ở đây", "the chain is too long to be verified here"),
            Actor::Admin,
            verify(),
        ),
        Some(Err(error)) => Finding::fault(
            "audit",
            words(format!("không mở được nhật ký: {error}"), format!("the chain cannot be opened: {error}")),
            Actor::Admin,
            verify(),
        ),
        Some(Ok(report)) => match report.fault {
            None => {
                let entries = report.entries;
                Finding::ok(
                    "audit",
                    words(
                        format!("chuỗi nguyên vẹn, {entries} mục"),
                        format!("the chain is whole, {entries} entries"),
                    ),
                )
            }
            Some(fault) => Finding::fault(
                "audit",
                words(
                    format!("CHUỖI BỊ HỎNG ở mục {}", fault.sequence),
                    format!("THE CHAIN IS BROKEN ({}): {fault}", fault.fault.as_str()),
                ),
                Actor::Admin,
                verify(),
            ),
        },
    }]
}

#[cfg(test)]
mod tests {
    use cccd_store::{Entry, EntryKind};

    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::{desk, shown};
    use super::*;

    #[test]
    fn a_chain_is_whole_or_it_is_said_where_it_breaks_and_looking_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let desk = desk(&format!("[store]\nfolder = '{}'", store.display()), Machine::below("/nowhere"));
        let found = check(&desk);
        assert!(shown(&found).contains("no chain in") && !store.exists(), "{}", shown(&found));

        let kept = Store::open(&store, desk.now).unwrap();
        for _ in 0..3 {
            kept.audit().append(&Entry::new(EntryKind::AgentStarted), desk.now).unwrap();
        }
        let found = check(&desk);
        assert_eq!(shown(&found), "Ok audit: the chain is whole, 3 entries | \n");
        drop(kept);
        std::fs::remove_file(store.join("audit.head")).unwrap();
        let found = check(&desk);
        assert_eq!(found[0].state, State::Fault, "{}", shown(&found));
        std::fs::remove_file(store.join("hash.key")).unwrap();
        check(&desk);
        assert!(!store.join("hash.key").exists(), "looking makes nothing");
    }
}
