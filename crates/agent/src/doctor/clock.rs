//! The machine's clock: certificates, tokens and cards' dates are all judged by it.

use cccd_api::Actor;
use time::{Duration, OffsetDateTime};

use super::Desk;
use super::finding::{Finding, words};
use crate::trust::load;

/// Nobody's clock is right to the second, and zones are mistaken for one another.
const TOLERATED: Duration = Duration::DAY;

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let program = std::env::current_exe().and_then(std::fs::metadata).and_then(|file| file.modified());
    let program = program.ok().map(OffsetDateTime::from);
    let trust = load(&desk.settings.trust.directory).unwrap_or_default();
    let lists = trust.crls.iter().map(|crl| crl.this_update()).max();
    let ends = trust.anchors.iter().map(|(certificate, _)| certificate.validity().not_after).max();
    let mut found = vec![judged(desk.now, program.max(lists), ends)];
    // Where systemd keeps the clock, it says so; other programs keep it where there is none of this.
    let is_kept = desk.machine.has("/run/systemd/timesync/synchronized")
        || desk.machine.processes().iter().any(|process| {
            ["chronyd", "ntpd", "ntpsec", "openntpd", "ptp4l"].contains(&process.name.as_str())
        });
    if desk.machine.has("/run/systemd/system") && !is_kept {
        found.push(Finding::warning(
            "clock",
            words("đồng hồ không được đồng bộ qua mạng", "nothing keeps the clock in step over the network"),
            Actor::Admin,
            words("timedatectl set-ntp true", "timedatectl set-ntp true"),
        ));
    }
    found
}

/// Whether a clock may be right: not before what was certainly made in the past, and not after all that it is to judge
/// by has ended.
fn judged(now: OffsetDateTime, made: Option<OffsetDateTime>, ends: Option<OffsetDateTime>) -> Finding {
    let shown = now.date();
    let todo = || {
        words(
            "chỉnh ngày giờ của máy rồi bật đồng bộ (timedatectl)",
            "set the machine's date and time, and let it be kept in step (timedatectl)",
        )
    };
    if let Some(made) = made.filter(|made| now + TOLERATED < *made) {
        let made = made.date();
        let seen = words(
            format!("đồng hồ chỉ {shown}, trước ngày {made} của chương trình hoặc CRL đã cài"),
            format!(
                "the clock says {shown}, which is before the {made} of this program or of an installed CRL"
            ),
        );
        return Finding::fault("clock", seen, Actor::Admin, todo());
    }
    if let Some(ends) = ends.filter(|ends| now > *ends) {
        let ends = ends.date();
        let seen = words(
            format!("đồng hồ chỉ {shown}, sau khi mọi CSCA đã cài hết hạn ({ends})"),
            format!("the clock says {shown}, when every installed CSCA certificate has ended ({ends})"),
        );
        return Finding::fault("clock", seen, Actor::Admin, todo());
    }
    Finding::ok("clock", words(format!("{shown}, hợp lý"), format!("{shown}, which may be right")))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use time::macros::datetime;

    use super::super::finding::State;
    use super::super::machine::planted::Planted;
    use super::super::tests::{desk, shown};
    use super::*;

    #[test]
    fn a_clock_is_between_what_was_made_and_what_ends() {
        let made = Some(datetime!(2026-11-20 08:00 UTC));
        let ends = Some(datetime!(2031-01-01 00:00 UTC));
        for (now, state, told) in [
            (datetime!(2026-11-29 08:00 UTC), State::Ok, "may be right"),
            (datetime!(2026-11-19 09:00 UTC), State::Ok, "may be right"),
            (datetime!(2026-11-18 08:00 UTC), State::Fault, "before the 2026-11-20"),
            (datetime!(1970-01-01 00:00 UTC), State::Fault, "before the 2026-11-20"),
            (datetime!(2031-01-02 00:00 UTC), State::Fault, "has ended (2031-01-01)"),
        ] {
            let found = judged(now, made, ends);
            assert!(found.state == state && found.seen.en.contains(told), "{}", shown(&[found]));
            assert_eq!(judged(now, None, None).state, State::Ok);
        }
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_told_where_that_can_be_seen() {
        let settings = "[trust]\ndirectory = '/nowhere'";
        let planted = Planted::new();
        let count = || {
            check(&desk(settings, planted.machine()))
                .iter()
                .filter(|found| found.state == State::Warning)
                .count()
        };
        assert_eq!(count(), 0);
        planted.file("/run/systemd/system/x", "");
        assert_eq!(count(), 1);
        planted.process(5, "chronyd", 0, &[]);
        assert_eq!(count(), 0);
    }
}
