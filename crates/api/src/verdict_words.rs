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
        CheckName::TerminalAuthentication => Text {
            vi: "Chip cho trạm này đọc vân tay hoặc mống mắt (TA)",
            en: "The chip lets this station read fingerprints or irises (terminal authentication)",
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
        Reason::CurveMisnamed,
        "Khóa ghi tên một đường cong khác với đường cong nó nằm trên.",
        "The key names another curve than the one it is on.",
    ),
    words(
        Reason::HashWeak,
        "Chữ ký hoặc mã băm dùng SHA-1, đã cũ và yếu.",
        "A signature or hash is made with SHA-1, which is old and weak.",
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
        Reason::SecurityObjectUnusable,
        "Không dùng được bản dữ liệu đã ký nên không có gì để đối chiếu.",
        "The signed data cannot be used, so there is nothing to hold the card against.",
    ),
    words(
        Reason::ContentTypeWrong,
        "Bản đã ký không phải là danh sách mã băm của thẻ.",
        "What is signed is no list of a document's hashes.",
    ),
    words(
        Reason::ContentTypeOld,
        "Bản đã ký dùng mã nhận dạng của bản thảo cũ.",
        "What is signed is named by the identifier of an earlier draft.",
    ),
    words(
        Reason::ContentTypeData,
        "Bản đã ký không ghi loại nội dung.",
        "What is signed is named as mere data.",
    ),
    words(Reason::NotSigned, "Không ai ký bản dữ liệu này.", "Nobody has signed the data."),
    words(
        Reason::SeveralSigners,
        "Có nhiều người ký; một chữ ký đúng là đủ.",
        "Several have signed; one signature that holds is taken.",
    ),
    words(
        Reason::ContentTypeMismatch,
        "Người ký ghi loại nội dung khác với bản dữ liệu.",
        "The signer names another kind of content than the data do.",
    ),
    words(
        Reason::ContentTypeAttributeAbsent,
        "Người ký không ghi loại nội dung.",
        "The signer does not name the kind of content.",
    ),
    words(
        Reason::MessageDigestAbsent,
        "Chữ ký thiếu mã băm của nội dung.",
        "The signature lacks the hash of the content.",
    ),
    words(
        Reason::MessageDigestMismatch,
        "Nội dung không phải là nội dung đã ký: đã bị sửa. Không được tin dùng.",
        "The content is not what was signed: altered. Do not rely on it.",
    ),
    words(
        Reason::SignedAttributesAbsent,
        "Chữ ký đặt thẳng trên nội dung, không có thuộc tính.",
        "The signature is over the bare content, without attributes.",
    ),
    words(
        Reason::SigningTimeUnreadable,
        "Không đọc được thời điểm ký.",
        "The time of signing cannot be read.",
    ),
    words(
        Reason::DigestAlgorithmsDiffer,
        "Nội dung và chữ ký dùng hai hàm băm khác nhau.",
        "Content and signature use different hashes.",
    ),
    words(
        Reason::HashUnknown,
        "Thẻ dùng hàm băm mà chương trình chưa biết.",
        "The card uses a hash this program does not know.",
    ),
    words(
        Reason::SignerIdentifierUnmatched,
        "Tên người ký không khớp chứng thư nào, nhưng chữ ký khớp chứng thư kèm theo.",
        "The signer is named as nobody; the certificate inside fits the signature.",
    ),
    words(
        Reason::SignerCertificateAbsent,
        "Không có chứng thư của người ký.",
        "The signer's certificate is neither on the card nor known.",
    ),
    words(
        Reason::SignerCertificateMalformed,
        "Không đọc được chứng thư của người ký.",
        "The signer's certificate cannot be read.",
    ),
    words(Reason::NoGroupRead, "Chưa đọc nhóm dữ liệu nào.", "No data group was read."),
    words(
        Reason::NoVerifiedSigner,
        "Chưa có người ký nào được xác nhận.",
        "There is no signer whose signature holds.",
    ),
    words(
        Reason::UnknownCriticalExtension,
        "Chứng thư có điều kiện bắt buộc mà chương trình chưa biết.",
        "A certificate has a critical extension that is unknown here.",
    ),
    words(
        Reason::ExtensionUnreadable,
        "Một phần phụ của chứng thư không đọc được.",
        "An extension of a certificate cannot be read.",
    ),
    words(
        Reason::SignerIsAuthority,
        "Thẻ do khóa của cơ quan cấp chứng thư ký, không phải khóa ký thẻ.",
        "What signed the card is an authority, whose key is for certificates.",
    ),
    words(
        Reason::SignerMayNotSign,
        "Khóa đã ký thẻ không được phép ký.",
        "The key that signed the card is not for signatures.",
    ),
    words(
        Reason::KeyUsageUnstated,
        "Chứng thư không ghi khóa dùng để làm gì.",
        "A certificate does not say what its key is for.",
    ),
    words(
        Reason::SignerForOtherPurpose,
        "Khóa đã ký thẻ được cấp cho việc khác.",
        "The key that signed the card is for other things than documents.",
    ),
    words(
        Reason::DocumentTypeNotAllowed,
        "Chứng thư không được ký loại giấy tờ này.",
        "The certificate may not sign this type of document.",
    ),
    words(
        Reason::UnknownAnchor,
        "Chữ ký đúng, nhưng máy này chưa cài chứng thư của cơ quan gốc nên chưa kết luận được.",
        "The signature is good, and no authority installed on this machine vouches for it: neither genuine nor fake.",
    ),
    words(
        Reason::CertificateForged,
        "Chứng thư mạo danh cơ quan gốc: thẻ giả. Không được tin dùng.",
        "A certificate claims to be issued by a known authority that did not sign it: forged. Do not rely on the card.",
    ),
    words(
        Reason::IssuerNotAuthority,
        "Nơi cấp chứng thư không phải là cơ quan cấp chứng thư.",
        "An issuer in the chain is no authority.",
    ),
    words(
        Reason::AuthorityUnstated,
        "Chứng thư của nơi cấp không ghi nó là cơ quan cấp chứng thư.",
        "An issuer's certificate does not say whether it is an authority.",
    ),
    words(
        Reason::IssuerMayNotSign,
        "Khóa của nơi cấp không được phép ký chứng thư.",
        "An issuer's key is not for certificates.",
    ),
    words(
        Reason::PathTooLong,
        "Chuỗi chứng thư dài hơn mức cho phép.",
        "More authorities stand between than one of them allows.",
    ),
    words(
        Reason::PathLengthUnstated,
        "Cơ quan cấp không ghi giới hạn độ dài chuỗi.",
        "An authority does not say how many may stand below it.",
    ),
    words(
        Reason::IssuerNameDiffers,
        "Tên cơ quan cấp khác với tên ghi trong chứng thư; khóa và chữ ký khớp.",
        "The issuer's name is another than the certificate says; key and signature fit.",
    ),
    words(
        Reason::KeyIdentifierDiffers,
        "Mã khóa của cơ quan cấp khác với mã ghi trong chứng thư; tên và chữ ký khớp.",
        "The issuer's key has another identifier than the certificate says; name and signature fit.",
    ),
    words(Reason::SigningTimeAbsent, "Không có thời điểm ký.", "Nothing says when the card was signed."),
    words(
        Reason::SignedInFuture,
        "Thẻ ghi được ký ở tương lai. Kiểm tra đồng hồ của máy này.",
        "The card says to be signed at a time that has not come yet. Check this machine's clock.",
    ),
    words(
        Reason::SignerNotValidWhenSigned,
        "Chứng thư của người ký không có hiệu lực khi ký thẻ.",
        "The signer's certificate was not valid when the card was signed.",
    ),
    words(
        Reason::AuthorityNotValidWhenSigned,
        "Chứng thư của cơ quan cấp không có hiệu lực khi ký thẻ.",
        "An authority's certificate was not valid when the card was signed.",
    ),
    words(
        Reason::SignerKeyPeriodOver,
        "Khóa của người ký đã hết hạn dùng khi ký thẻ.",
        "The signer's key was not to be used when the card was signed.",
    ),
    words(
        Reason::CertificateNotYetValid,
        "Một chứng thư chưa có hiệu lực. Kiểm tra đồng hồ của máy này.",
        "A certificate is not valid yet. Check this machine's clock.",
    ),
    words(
        Reason::SignerExpired,
        "Chứng thư của người ký đã hết hạn sau khi ký thẻ.",
        "The signer's certificate has expired since.",
    ),
    words(
        Reason::AuthorityExpired,
        "Chứng thư của cơ quan cấp đã hết hạn sau khi ký thẻ.",
        "An authority's certificate has expired since.",
    ),
    words(
        Reason::IssuedOutsideKeyPeriod,
        "Chứng thư được cấp ngoài thời gian dùng khóa của cơ quan cấp.",
        "A certificate was issued when its issuer's key was not to be used.",
    ),
    words(
        Reason::CardAccessMalformed,
        "Danh sách cách mở chip không đúng cấu trúc.",
        "What the chip offers in the open is no list of options.",
    ),
    words(
        Reason::CardAccessNotSigned,
        "Chip khai cách mở nhưng không có bản đã ký để đối chiếu.",
        "The chip offers options in the open and has no signed list to hold them against.",
    ),
    words(
        Reason::CardAccessDiffers,
        "Cách mở chip khai không có trong bản đã ký: có thể bị can thiệp.",
        "What was offered in the open does not stand in the signed list: somebody may have interfered.",
    ),
    words(
        Reason::CardAccessIncomplete,
        "Chip giấu một cách mở an toàn có trong bản đã ký: có thể bị can thiệp.",
        "A way to open the chip that the signed list has was not offered: somebody may have interfered.",
    ),
    words(
        Reason::AccessDowngraded,
        "Chip bị mở bằng cách cũ (BAC) dù bản đã ký có cách mới (PACE).",
        "The chip was opened the old way (BAC) although its signed list has the new one (PACE).",
    ),
    words(
        Reason::ProofKeyWithheld,
        "Chip giấu khóa dùng để chứng minh nó không phải bản sao: có thể là bản sao.",
        "The chip hides the key it should prove itself with: it may be a copy.",
    ),
    words(
        Reason::ProofKeyUnread,
        "Chưa đọc được khóa dùng để chứng minh chip không phải bản sao.",
        "The key the chip should prove itself with was not read.",
    ),
    words(
        Reason::ProofKeyUnusable,
        "Khóa dùng để chứng minh thuộc loại chương trình chưa biết, hoặc dài quá khả năng của đầu đọc này.",
        "The key the chip should prove itself with is of a kind this program does not know, or too long for this reader.",
    ),
    words(
        Reason::ProofKeyForeign,
        "Chip chứng minh bằng khóa của giấy tờ khác: bản sao. Không được tin dùng.",
        "The chip proved itself with a key that is not this document's: a copy. Do not rely on it.",
    ),
    words(
        Reason::ProofRefused,
        "Chip không chịu chứng minh dù bản đã ký nói nó làm được: có thể là bản sao.",
        "The chip refused a proof that its signed files promise: it may be a copy.",
    ),
    words(
        Reason::ProofBroken,
        "Chip ngắt giữa chừng khi chứng minh: có thể là bản sao.",
        "The chip broke off over a proof that its signed files promise: it may be a copy.",
    ),
    words(
        Reason::ProofWrong,
        "Chip chứng minh sai: bản sao. Không được tin dùng.",
        "The chip's proof is wrong: a copy. Do not rely on it.",
    ),
    words(
        Reason::ProofAnswerCut,
        "Đầu đọc cắt mất câu trả lời của chip.",
        "The chip's answer was cut short on its way.",
    ),
    words(
        Reason::ProofHashUnknown,
        "Không rõ chip ký bằng hàm băm nào.",
        "Which hash the chip signed is not stated, or unknown here.",
    ),
    words(
        Reason::ProofNotRun,
        "Chip được mở theo cách khác nên bước này chưa chạy.",
        "The chip was opened in another way, so this proof was not run.",
    ),
    words(
        Reason::ChallengeNotOfNonce,
        "Câu hỏi gửi chip không phải sinh ra từ nonce đã nêu.",
        "The challenge does not come of the nonce stated with it.",
    ),
    words(
        Reason::CardSecurityWithheld,
        "Chip thiếu tệp EF.CardSecurity để đối chiếu.",
        "The chip lacks EF.CardSecurity, which its proof is judged with.",
    ),
    words(
        Reason::ProofNotCarried,
        "Đầu đọc tự nói chuyện với chip và không chuyển phần chứng minh này: chưa biết chip có phải bản sao không.",
        "The reader converses with the chip by itself and does not pass this proof on: whether the chip is a copy is not \
         known.",
    ),
    words(
        Reason::AccessUnseen,
        "Đầu đọc tự mở chip và không cho biết mở bằng cách nào.",
        "The reader opened the chip by itself and does not show how.",
    ),
    words(
        Reason::CardSecurityMalformed,
        "Tệp EF.CardSecurity không đúng cấu trúc.",
        "EF.CardSecurity is not of the prescribed structure.",
    ),
    words(
        Reason::CardSecurityForged,
        "Tệp EF.CardSecurity bị giả mạo. Không được tin dùng.",
        "EF.CardSecurity is not signed by whom it says: forged. Do not rely on the card.",
    ),
    words(
        Reason::StationNotSetUp,
        "Máy này chưa được cấu hình làm trạm đọc vân tay: cần chứng thư của cơ quan nhà nước.",
        "This machine is not set up to read fingerprints: that takes a certificate from the state's authority.",
    ),
    words(
        Reason::StationUnusable,
        "Không dùng được chứng thư hoặc khóa của trạm; `cccd-agent check-config` nói lý do.",
        "The station's certificates or its key cannot be used; `cccd-agent check-config` says why.",
    ),
    words(
        Reason::StationOutOfDate,
        "Chứng thư của trạm đã hết hạn hoặc chưa có hiệu lực: cần chứng thư mới, hoặc chỉnh đồng hồ máy.",
        "The station's certificates have expired or are not valid yet: renew them, or set this machine's clock.",
    ),
    words(
        Reason::StationForeign,
        "Chip chỉ tin cơ quan khác: không chứng thư nào của trạm dẫn từ cơ quan đó đến trạm.",
        "The chip trusts another authority: no certificate of the station leads from there to it.",
    ),
    words(Reason::StationKeySilent, "Khóa của trạm không ký được.", "The station's key did not sign."),
    words(
        Reason::StationNotCarried,
        "Đầu đọc không chuyển được chứng thư của trạm tới chip.",
        "The reader did not carry the station's proof to the chip.",
    ),
    words(
        Reason::StationRefused,
        "Chip từ chối chứng thư hoặc chữ ký của trạm.",
        "The chip refused the station's certificates or its signature.",
    ),
    words(
        Reason::StationNotEntitled,
        "Chứng thư của trạm không cho quyền đọc phần này.",
        "The station's certificates do not grant what was asked for.",
    ),
    words(
        Reason::StationBroken,
        "Chip ngắt giữa chừng khi kiểm tra trạm.",
        "The chip broke off while it checked the station.",
    ),
    words(
        Reason::NoRevocationList,
        "Máy này không có danh sách thu hồi của cơ quan cấp chứng thư.",
        "This machine has no revocation list of the issuing authority.",
    ),
    words(
        Reason::RevocationListStale,
        "Danh sách thu hồi trên máy này đã quá hạn cập nhật.",
        "The revocation list on this machine is overdue.",
    ),
    words(
        Reason::SignerRevoked,
        "Chứng thư đã ký thẻ bị thu hồi. Không được tin dùng.",
        "The certificate that signed the card is revoked. Do not rely on it.",
    ),
    words(
        Reason::AuthorityRevoked,
        "Chứng thư của cơ quan cấp bị thu hồi. Không được tin dùng.",
        "An authority's certificate is revoked. Do not rely on the card.",
    ),
    words(
        Reason::CountryUnstated,
        "Chứng thư không ghi nước nào.",
        "The signer's certificate names no country.",
    ),
    words(
        Reason::SignerCountryDiffers,
        "Người ký và cơ quan cấp thuộc hai nước khác nhau. Không được tin dùng.",
        "Signer and authority are of different countries. Do not rely on the card.",
    ),
    words(
        Reason::IssuingStateDiffers,
        "Nước ghi trên thẻ không phải nước của người ký. Không được tin dùng.",
        "The state on the card is not the signer's. Do not rely on the card.",
    ),
    words(
        Reason::IssuingStateUnread,
        "Chưa đọc được nước ghi trên thẻ.",
        "The state on the card was not read.",
    ),
    words(
        Reason::IssuingStateUnknown,
        "Nước ghi trên thẻ không có trong danh mục.",
        "The state on the card is none that is known.",
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
