//! What verdicts, checks and reasons are called, for people: at the desk in Vietnamese, elsewhere in English.

use cccd_trust::{Check, CheckName, CheckState, GroupReason, Reason, Summary, Verdict};

use crate::Text;

/// What a verdict says to whoever holds the card in their hand.
pub fn of_verdict(verdict: &Verdict) -> Text {
    match (verdict.summary(), verdict.decisive()) {
        (Summary::Genuine, _) => Text {
            vi: "Thẻ thật: cơ quan cấp thẻ đã ký mọi dữ liệu đã đọc, và chip không phải bản sao.",
            en: "Genuine: the issuer signed everything that was read, and the chip is no copy.",
        },
        (Summary::NotGenuine, Some(Check { state: CheckState::Failed(reason), .. })) => of_reason(*reason),
        (Summary::Unconfirmed, Some(Check { state: CheckState::NotPossible(reason), .. })) => {
            of_reason(*reason)
        }
        (Summary::Unconfirmed, Some(Check { state: CheckState::NotOffered, .. })) => Text {
            vi: "Chưa xác nhận được: thẻ không có cách nào chứng minh chip không phải bản sao.",
            en: "Not confirmed: the card has no way to show that its chip is no copy.",
        },
        (Summary::Unconfirmed, Some(Check { state: CheckState::Skipped, .. })) => Text {
            vi: "Chưa xác nhận được: cấu hình đã bỏ qua một bước kiểm tra cần thiết.",
            en: "Not confirmed: a check that is needed was left out by the settings.",
        },
        _ => Text {
            vi: "Chưa xác nhận được: thiếu bước kiểm tra.",
            en: "Not confirmed: a check that is needed was not made.",
        },
    }
}

/// What is checked.
pub fn of_check(name: CheckName) -> Text {
    match name {
        CheckName::SecurityObject => {
            Text { vi: "Thẻ có bản dữ liệu đã ký (EF.SOD)", en: "The card has signed data (EF.SOD)" }
        }
        CheckName::GroupHashes => Text {
            vi: "Dữ liệu đọc được đúng là dữ liệu đã ký",
            en: "What was read is what was signed",
        },
        CheckName::Signature => Text { vi: "Chữ ký của nơi cấp thẻ", en: "The issuer's signature" },
        CheckName::SignerCertificate => {
            Text { vi: "Chứng thư được phép ký thẻ", en: "The certificate may sign documents" }
        }
        CheckName::Chain => Text {
            vi: "Chứng thư dẫn về cơ quan gốc đã cài trên máy này",
            en: "The certificate leads to an authority installed on this machine",
        },
        CheckName::Validity => {
            Text { vi: "Chứng thư còn hiệu lực khi ký", en: "The certificates were valid when they signed" }
        }
        CheckName::Revocation => Text { vi: "Chứng thư không bị thu hồi", en: "No certificate is revoked" },
        CheckName::IssuingState => Text {
            vi: "Nước ghi trên thẻ là nước của chứng thư",
            en: "The state on the card is the state of its certificates",
        },
        CheckName::CardAccess => Text {
            vi: "Chip không bị ép dùng cách mở yếu hơn",
            en: "The chip was not made to open in a weaker way",
        },
        CheckName::ActiveAuthentication => Text {
            vi: "Chip tự chứng minh không phải bản sao (AA)",
            en: "The chip shows that it is no copy (active authentication)",
        },
        CheckName::ChipAuthentication => Text {
            vi: "Chip tự chứng minh không phải bản sao (CA)",
            en: "The chip shows that it is no copy (chip authentication)",
        },
        CheckName::ChipAuthenticationMapping => Text {
            vi: "Chip tự chứng minh không phải bản sao (PACE-CAM)",
            en: "The chip shows that it is no copy (PACE with chip authentication mapping)",
        },
        _ => Text { vi: "Bước kiểm tra khác", en: "Another check" },
    }
}

/// Why a check failed or could not be made, or what it passed in spite of.
pub fn of_reason(reason: Reason) -> Text {
    if let Reason::Group(reason, _) = reason {
        return of_group(reason);
    }
    WORDS.iter().find(|(known, _)| *known == reason).map_or(UNNAMED, |(_, words)| *words)
}

fn of_group(reason: GroupReason) -> Text {
    match reason {
        GroupReason::HashMismatch => Text {
            vi: "Dữ liệu trên chip đã bị sửa sau khi ký. Không được tin dùng.",
            en: "The data on the chip were altered after they were signed. Do not rely on them.",
        },
        GroupReason::NotSigned => Text {
            vi: "Chip có dữ liệu mà không cơ quan nào ký. Không được tin dùng.",
            en: "The chip holds data that nobody signed for. Do not rely on them.",
        },
    }
}

/// For a reason of a newer `cccd-trust`; a test holds that there is none.
const UNNAMED: Text = Text { vi: "Lý do khác", en: "Another reason" };

/// The words of each reason.
const WORDS: &[(Reason, Text)] = &[
    (
        Reason::SecurityObjectAbsent,
        Text {
            vi: "Chip không có bản dữ liệu đã ký, hoặc không cho đọc.",
            en: "The chip has no signed data, or does not let it be read.",
        },
    ),
    (
        Reason::SecurityObjectMalformed,
        Text {
            vi: "Bản dữ liệu đã ký trên chip không đúng cấu trúc.",
            en: "The signed data on the chip are not of the prescribed structure.",
        },
    ),
    (
        Reason::NoRevocationList,
        Text {
            vi: "Máy này không có danh sách thu hồi của cơ quan cấp chứng thư.",
            en: "This machine has no revocation list of the issuing authority.",
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for &reason in Reason::ALL {
            let words = of_reason(reason);
            assert_ne!(words.en, UNNAMED.en, "{} has no words", reason.code());
            assert!(seen.insert(words.en) && seen.insert(words.vi), "{} says what another says", reason.code());
        }
        assert_eq!(WORDS.len(), Reason::ALL.len());
    }
}
