//! Whom the desk believes: without a CSCA certificate of Vietnam no card can be genuine.

use cccd_api::Actor;
use time::{Duration, OffsetDateTime};

use super::Desk;
use super::finding::{Finding, words};
use crate::trust::{FileFault, LoadedTrust, TrustStoreError, load};

const COUNTRY: &str = "VN";

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let settings = &desk.settings.trust;
    match load(&settings.directory) {
        Ok(trust) => {
            let warn_before = Duration::try_from(settings.warn_before).unwrap_or(Duration::ZERO);
            let max_age = Duration::try_from(settings.crl_max_age).unwrap_or(Duration::ZERO);
            let mut found = vec![anchors(&trust, desk.now, warn_before)];
            found.extend(lists(&trust, desk.now, max_age));
            found
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let seen = words(
                format!("không đọc được kho tin cậy: {error}: {source}"),
                format!("the trust store cannot be read: {error}: {source}"),
            );
            if is_forbidden(&error) {
                let todo = words(
                    "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
                    "run it again as root, or as the user the agent runs as",
                );
                return vec![Finding::warning("trust.csca", seen, Actor::Admin, todo)];
            }
            let todo = words(
                "kho hỏng, hoặc bị người khác sửa: cài lại theo docs/trust.md",
                "it is damaged, or others may change it: install it anew (docs/trust.md)",
            );
            vec![Finding::fault("trust.csca", seen, Actor::Admin, todo)]
        }
    }
}

/// Whether it is this user who may not read the store, and not the store that cannot be read.
fn is_forbidden(error: &TrustStoreError) -> bool {
    let TrustStoreError::File { source: FileFault::Io(error), .. } = error else { return false };
    error.kind() == std::io::ErrorKind::PermissionDenied
}

/// The authorities that documents of Vietnam lead to.
fn anchors(trust: &LoadedTrust, now: OffsetDateTime, warn_before: Duration) -> Finding {
    let ours = trust.anchors.iter().filter(|(certificate, _)| {
        trust.anchors.is_anchor(certificate)
            && certificate.country().is_some_and(|country| country.eq_ignore_ascii_case(COUNTRY))
    });
    let ends: Vec<OffsetDateTime> = ours.map(|(certificate, _)| certificate.validity().not_after).collect();
    let (count, all) = (ends.len(), trust.anchors.len());
    let good = ends.iter().filter(|end| **end > now).count();
    let install = || {
        words(
            "xin CSCA của cơ quan cấp rồi `cccd-agent trust add TỆP --expect SHA256` (docs/trust.md)",
            "ask the issuing authority for its CSCA certificate, then `cccd-agent trust add FILE --expect SHA256` (docs/trust.md)",
        )
    };
    if count == 0 {
        let seen = words(
            format!("chưa cài CSCA nào của Việt Nam (tất cả: {all}): không thẻ nào được xác nhận là thật"),
            format!("no CSCA certificate of Vietnam is installed ({all} in all): no card will be genuine"),
        );
        return Finding::fault("trust.csca", seen, Actor::Admin, install());
    }
    if good == 0 {
        let seen = words(
            format!("cả {count} CSCA của Việt Nam đã hết hạn"),
            format!("all {count} CSCA certificate(s) of Vietnam have ended"),
        );
        return Finding::fault("trust.csca", seen, Actor::Admin, install());
    }
    let last = ends.iter().max().copied().unwrap_or(now);
    if last - now < warn_before {
        let seen = words(
            format!("CSCA cuối cùng của Việt Nam hết hạn ngày {}", last.date()),
            format!("the last CSCA certificate of Vietnam ends on {}", last.date()),
        );
        return Finding::warning("trust.csca", seen, Actor::Admin, install());
    }
    Finding::ok(
        "trust.csca",
        words(
            format!("{count} CSCA của Việt Nam, tất cả {all}, ấn bản {}", trust.edition),
            format!("{count} CSCA certificate(s) of Vietnam, {all} in all, edition {}", trust.edition),
        ),
    )
}

/// The lists of what was revoked. A desk without any judges all the same; one that is overdue keeps cards from being
/// genuine (docs/verdict.md).
fn lists(trust: &LoadedTrust, now: OffsetDateTime, max_age: Duration) -> Option<Finding> {
    if trust.crls.is_empty() {
        return (!trust.anchors.is_empty()).then(|| {
            let seen = words(
                "không có CRL nào: chứng thư bị thu hồi không bị phát hiện",
                "there is no CRL: revoked certificates are not noticed",
            );
            Finding::ok("trust.crl", seen)
                .advising(Actor::Admin, words("`cccd-agent trust update`", "`cccd-agent trust update`"))
        });
    }
    let is_stale = |issued: OffsetDateTime, next: Option<OffsetDateTime>| {
        next.is_some_and(|next| next < now) || now - issued > max_age
    };
    let stale = trust.crls.iter().filter(|crl| is_stale(crl.this_update(), crl.next_update())).count();
    let all = trust.crls.len();
    Some(if stale == 0 {
        Finding::ok("trust.crl", words(format!("{all} CRL còn hạn"), format!("{all} CRL(s), none overdue")))
    } else {
        Finding::warning(
            "trust.crl",
            words(
                format!("{stale} trong {all} CRL đã quá hạn: thẻ của cơ quan đó không được xác nhận"),
                format!("{stale} of {all} CRL(s) are overdue: cards of their authorities are unconfirmed"),
            ),
            Actor::Admin,
            words(
                "`cccd-agent trust update`, từ tệp hoặc từ mạng",
                "`cccd-agent trust update`, from files or the network",
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{Country, CrlPlan, Csca, CscaPlan};
    use cccd_trust::Certificate;
    use cccd_trust::anchors::Role;
    use cccd_trust::crl::Crl;

    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::{desk, shown};
    use super::*;

    /// A store with a certificate of this country, in this role.
    fn store(country: Country, role: Role) -> (Csca, LoadedTrust) {
        let csca = Csca::new(CscaPlan::usual(country)).unwrap();
        let mut trust = LoadedTrust { edition: 3, ..LoadedTrust::default() };
        trust.anchors.insert(Certificate::parse(csca.certificate().der()).unwrap(), role);
        (csca, trust)
    }

    #[test]
    fn a_desk_needs_an_authority_of_vietnam_that_has_not_ended() {
        let (csca, trust) = store(Country::VIETNAM, Role::Anchor);
        let certificate = Certificate::parse(csca.certificate().der()).unwrap();
        let ends = certificate.validity().not_after;
        let soon = Duration::days(90);
        for (trust, now, state, told) in [
            (
                &trust,
                ends - Duration::days(91),
                State::Ok,
                "1 CSCA certificate(s) of Vietnam, 1 in all, edition 3",
            ),
            (
                &trust,
                ends - Duration::days(89),
                State::Warning,
                "the last CSCA certificate of Vietnam ends on",
            ),
            (&trust, ends + Duration::days(1), State::Fault, "have ended"),
            (&LoadedTrust::default(), ends, State::Fault, "(0 in all): no card will be genuine"),
            (&store(Country::UTOPIA, Role::Anchor).1, ends - soon * 2, State::Fault, "(1 in all): no card"),
            // A link leads to an anchor and is none.
            (
                &store(Country::VIETNAM, Role::Helper).1,
                ends - soon * 2,
                State::Fault,
                "no card will be genuine",
            ),
        ] {
            let found = anchors(trust, now, soon);
            assert!(found.state == state && found.seen.en.contains(told), "{}", shown(&[found]));
        }
    }

    #[test]
    fn a_list_that_is_overdue_is_told() {
        let (csca, mut trust) = store(Country::VIETNAM, Role::Anchor);
        assert_eq!(lists(&LoadedTrust::default(), OffsetDateTime::UNIX_EPOCH, Duration::ZERO), None);
        let found = lists(&trust, OffsetDateTime::UNIX_EPOCH, Duration::ZERO).unwrap();
        assert!(found.state == State::Ok && found.seen.en.contains("no CRL"), "{}", shown(&[found]));
        let crl = Crl::parse(&csca.crl(&CrlPlan::empty()).unwrap()).unwrap();
        let issued = crl.this_update();
        trust.crls.push(crl);
        let judged = |now, max_age| lists(&trust, now, max_age).unwrap();
        assert_eq!(judged(issued, Duration::days(90)).state, State::Ok);
        // By its age, whatever it says of its next update.
        let found = judged(issued + Duration::days(8), Duration::days(7));
        assert!(found.state == State::Warning && found.seen.en.contains("1 of 1"), "{}", shown(&[found]));
        let next = trust.crls[0].next_update().unwrap();
        assert_eq!(judged(next + Duration::DAY, Duration::days(100_000)).state, State::Warning);
    }

    #[test]
    fn a_store_that_this_user_may_not_read_is_no_fault_of_the_store() {
        let path = std::path::PathBuf::from("current");
        let of = |kind: std::io::ErrorKind| TrustStoreError::File {
            path: path.clone(),
            source: FileFault::Io(kind.into()),
        };
        assert!(is_forbidden(&of(std::io::ErrorKind::PermissionDenied)));
        assert!(!is_forbidden(&of(std::io::ErrorKind::InvalidData)));
        assert!(!is_forbidden(&TrustStoreError::Full));
    }

    #[test]
    fn a_store_that_cannot_be_read_trusts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[trust]\ndirectory = '{}'", folder.path().display());
        let found = check(&desk(&text, Machine::below("/nowhere")));
        assert!(shown(&found).starts_with("Fault trust.csca: no CSCA"), "{}", shown(&found));
        std::fs::write(folder.path().join("current"), "no edition").unwrap();
        let found = check(&desk(&text, Machine::below("/nowhere")));
        assert!(
            shown(&found).starts_with("Fault trust.csca: the trust store cannot be read"),
            "{}",
            shown(&found)
        );
    }
}
