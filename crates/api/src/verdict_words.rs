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
        CheckName::SecurityObject => Text {
            vi: "Thẻ có bản dữ liệu đã ký (EF.SOD)",
            en: "The card has signed data (EF.SOD)",
        },
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
        CheckName::Validity => Text {
            vi: "Chứng thư còn hiệu lực khi ký",
            en: "The certificates were valid when they signed",
        },
        CheckName::Revocation => {
            Text { vi: "Chứng thư không bị thu hồi", en: "No certificate is revoked" }
        }
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

/// The words of each reason: Vietnamese, then English.
const WORDS: &[(Reason, Text)] = &[
    words(
        Reason::SecurityObjectAbsent,
        "Chip không có bản dữ liệu đã ký, hoặc không cho đọc.",
        "The chip has no signed data, or does not let it be read.",
    ),
    words(
        Reason::SecurityObjectMalformed,
        "Bản dữ liệu đã ký trên chip không đúng cấu trúc.",
        "The signed data on the chip are not of the prescribed structure.",
    ),
    words(
        Reason::SignatureMismatch,
        "Chữ ký không khớp với dữ liệu: thẻ giả hoặc đã bị sửa. Không được tin dùng.",
        "The signature does not fit the data: forged or altered. Do not rely on them.",
    ),
    words(
        Reason::SignatureNotOfKey,
        "Chữ ký không cùng loại với khóa của nơi ký.",
        "The signature is not of the kind the signer's key makes.",
    ),
    words(
        Reason::SignatureAlgorithmUnknown,
        "Chữ ký dùng thuật toán mà chương trình chưa biết.",
        "The signature is made in a way this program does not know.",
    ),
    words(
        Reason::PublicKeyUnusable,
        "Khóa công khai bị hỏng hoặc thuộc loại không được dùng.",
        "The public key is damaged, or of a kind that is not used.",
    ),
    words(
        Reason::CurveUnknown,
        "Khóa nằm trên đường cong mà chương trình chưa biết.",
        "The key is on a curve this program does not know.",
    ),
    words(
        Reason::ExplicitCurveUnknown,
        "Khóa tự khai một đường cong không phải đường cong chuẩn nào.",
        "The key spells out a curve that is none of the standard ones.",
    ),
    words(
        Reason::HashWeak,
        "Chữ ký dùng SHA-1, đã cũ và yếu.",
        "The signature is made with SHA-1, which is old and weak.",
    ),
    words(Reason::KeyShort, "Khóa RSA ngắn hơn 2048 bit.", "The RSA key is shorter than 2048 bits."),
    words(
        Reason::KeyAlgorithmDiffers,
        "Khóa khai cho một kiểu chữ ký RSA nhưng ký theo kiểu khác.",
        "The key is said to be for one kind of RSA signature and made the other.",
    ),
    words(
        Reason::PssParametersAbsent,
        "Chữ ký không ghi tham số của RSASSA-PSS.",
        "The signature does not state the parameters of RSASSA-PSS.",
    ),
    words(
        Reason::PssSaltNotAsStated,
        "Độ dài salt của chữ ký khác với điều nó ghi.",
        "The signature's salt is not as long as it states.",
    ),
    words(
        Reason::PssSaltUnusual,
        "Độ dài salt của chữ ký khác độ dài mã băm.",
        "The signature's salt is not as long as its hash.",
    ),
    words(
        Reason::PssMaskUnusual,
        "Chữ ký dùng hai hàm băm khác nhau.",
        "The signature uses two different hashes.",
    ),
    words(
        Reason::NoRevocationList,
        "Máy này không có danh sách thu hồi của cơ quan cấp chứng thư.",
        "This machine has no revocation list of the issuing authority.",
    ),
];

const fn words(reason: Reason, vi: &'static str, en: &'static str) -> (Reason, Text) {
    (reason, Text { vi, en })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for &reason in Reason::ALL {
            let words = of_reason(reason);
            assert_ne!(words.en, UNNAMED.en, "{} has no words", reason.code());
            assert!(
                seen.insert(words.en) && seen.insert(words.vi),
                "{} says what another says",
                reason.code()
            );
        }
        assert_eq!(WORDS.len(), Reason::ALL.len());
    }
}
