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
        Reason::SecurityObjectUnusable,
        "Không có bản dữ liệu đã ký dùng được để đối chiếu.",
        "There are no usable signed data to compare with.",
    ),
    words(
        Reason::ContentTypeWrong,
        "Bản đã ký không phải là danh sách mã băm của thẻ. Không được tin dùng.",
        "What was signed is not a document's list of hashes. Do not rely on it.",
    ),
    words(
        Reason::ContentTypeOld,
        "Bản dữ liệu đã ký dùng mã loại nội dung kiểu cũ.",
        "The signed data name their content in an old way.",
    ),
    words(
        Reason::ContentTypeData,
        "Bản dữ liệu đã ký không ghi rõ loại nội dung.",
        "The signed data call their content mere data.",
    ),
    words(
        Reason::NotSigned,
        "Bản dữ liệu trên chip không có chữ ký nào.",
        "The data on the chip bear no signature.",
    ),
    words(
        Reason::SeveralSigners,
        "Bản dữ liệu có nhiều chữ ký; một chữ ký đúng đã được dùng.",
        "There are several signatures; one that holds was taken.",
    ),
    words(
        Reason::ContentTypeMismatch,
        "Nơi ký ghi một loại nội dung khác với bản dữ liệu.",
        "The signer names another kind of content than the data do.",
    ),
    words(
        Reason::ContentTypeAttributeAbsent,
        "Nơi ký không ghi loại nội dung.",
        "The signer does not name the kind of content.",
    ),
    words(
        Reason::MessageDigestAbsent,
        "Chữ ký không kèm mã băm của nội dung.",
        "The signature does not come with the hash of the content.",
    ),
    words(
        Reason::MessageDigestMismatch,
        "Danh sách mã băm đã bị sửa sau khi ký. Không được tin dùng.",
        "The list of hashes was altered after it was signed. Do not rely on it.",
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
        "Tên nơi ký không khớp chứng thư kèm theo; chữ ký thì khớp.",
        "The signer's name fits no certificate; the signature fits the one inside.",
    ),
    words(
        Reason::SignerCertificateAbsent,
        "Không có chứng thư của nơi ký, trong thẻ cũng như trên máy này.",
        "The signer's certificate is neither on the card nor on this machine.",
    ),
    words(
        Reason::SignerCertificateMalformed,
        "Không đọc được chứng thư của nơi ký.",
        "The signer's certificate cannot be read.",
    ),
    words(
        Reason::NoGroupRead,
        "Chưa đọc nhóm dữ liệu nào để đối chiếu.",
        "No data group was read, so there is nothing to compare.",
    ),
    words(
        Reason::NoVerifiedSigner,
        "Chưa biết chắc ai đã ký thẻ.",
        "Who signed the card is not established.",
    ),
    words(
        Reason::UnknownCriticalExtension,
        "Chứng thư có điều khoản bắt buộc mà chương trình không biết.",
        "A certificate has a binding clause this program does not know.",
    ),
    words(
        Reason::ExtensionUnreadable,
        "Chứng thư có phần mở rộng không đọc được.",
        "A certificate has an extension that cannot be read.",
    ),
    words(
        Reason::SignerIsAuthority,
        "Thẻ do khóa của cơ quan gốc ký, là khóa không được ký thẻ.",
        "An authority's own key signed the card, which it may not do.",
    ),
    words(
        Reason::SignerMayNotSign,
        "Khóa của nơi ký không dùng để ký.",
        "The signer's key is not for signing.",
    ),
    words(
        Reason::KeyUsageUnstated,
        "Chứng thư không ghi khóa được dùng vào việc gì.",
        "A certificate does not say what its key is for.",
    ),
    words(
        Reason::SignerForOtherPurpose,
        "Khóa của nơi ký dành cho việc khác, không phải ký thẻ.",
        "The signer's key is for other things than documents.",
    ),
    words(
        Reason::DocumentTypeNotAllowed,
        "Nơi ký không được ký loại giấy tờ này.",
        "The signer may not sign documents of this type.",
    ),
    words(
        Reason::UnknownAnchor,
        "Chữ ký đúng, nhưng máy này chưa cài cơ quan gốc để biết ai ký.",
        "The signature holds, and no authority installed on this machine vouches for the signer.",
    ),
    words(
        Reason::CertificateForged,
        "Chứng thư mạo danh một cơ quan gốc đã biết. Không được tin dùng.",
        "A certificate pretends to be from a known authority. Do not rely on the card.",
    ),
    words(
        Reason::IssuerNotAuthority,
        "Chứng thư do nơi không phải cơ quan chứng thực cấp.",
        "A certificate was issued by one that is no authority.",
    ),
    words(
        Reason::AuthorityUnstated,
        "Chứng thư cấp trên không ghi mình là cơ quan chứng thực.",
        "An issuer's certificate does not say that it is an authority.",
    ),
    words(
        Reason::IssuerMayNotSign,
        "Khóa của nơi cấp không dùng để ký chứng thư.",
        "An issuer's key is not for signing certificates.",
    ),
    words(
        Reason::PathTooLong,
        "Chuỗi chứng thư dài hơn mức cơ quan gốc cho phép.",
        "The chain of certificates is longer than an authority allows.",
    ),
    words(
        Reason::PathLengthUnstated,
        "Cơ quan chứng thực không ghi chuỗi được dài bao nhiêu.",
        "An authority does not say how long a chain may be.",
    ),
    words(
        Reason::IssuerNameDiffers,
        "Tên nơi cấp khác với tên ghi trong chứng thư; khóa thì khớp.",
        "An issuer's name is not as stated; its key fits.",
    ),
    words(
        Reason::KeyIdentifierDiffers,
        "Mã khóa nơi cấp khác với mã ghi trong chứng thư; chữ ký thì khớp.",
        "An issuer's key identifier is not as stated; its signature fits.",
    ),
    words(
        Reason::SigningTimeAbsent,
        "Thẻ không ghi thời điểm ký.",
        "The card does not say when it was signed.",
    ),
    words(
        Reason::SignedInFuture,
        "Thẻ ghi thời điểm ký chưa tới. Hãy xem lại đồng hồ của máy.",
        "The card says to be signed in the future. Check this machine's clock.",
    ),
    words(
        Reason::SignerNotValidWhenSigned,
        "Chứng thư của nơi ký không có hiệu lực vào lúc ký.",
        "The signer's certificate was not valid when it signed.",
    ),
    words(
        Reason::AuthorityNotValidWhenSigned,
        "Chứng thư của cơ quan gốc không có hiệu lực vào lúc ký.",
        "The authority's certificate was not valid when the card was signed.",
    ),
    words(
        Reason::SignerKeyPeriodOver,
        "Khóa của nơi ký nằm ngoài thời hạn được dùng vào lúc ký.",
        "The signer's key was outside its time of use when it signed.",
    ),
    words(
        Reason::CertificateNotYetValid,
        "Chứng thư chưa đến ngày có hiệu lực.",
        "A certificate is not valid yet.",
    ),
    words(Reason::SignerExpired, "Chứng thư của nơi ký đã hết hạn.", "The signer's certificate has expired."),
    words(
        Reason::AuthorityExpired,
        "Chứng thư của cơ quan gốc đã hết hạn.",
        "The authority's certificate has expired.",
    ),
    words(
        Reason::IssuedOutsideKeyPeriod,
        "Chứng thư được cấp ngoài thời hạn dùng khóa của nơi cấp.",
        "A certificate was issued outside its issuer's time of key use.",
    ),
    words(
        Reason::RevocationListStale,
        "Danh sách thu hồi trên máy này đã quá hạn. Hãy cập nhật.",
        "The revocation list on this machine is overdue. Update it.",
    ),
    words(
        Reason::SignerRevoked,
        "Chứng thư của nơi ký đã bị thu hồi. Không được tin dùng.",
        "The signer's certificate is revoked. Do not rely on the card.",
    ),
    words(
        Reason::AuthorityRevoked,
        "Chứng thư của một cơ quan trong chuỗi đã bị thu hồi.",
        "The certificate of an authority in the chain is revoked.",
    ),
    words(
        Reason::CountryUnstated,
        "Chứng thư của nơi ký không ghi nước nào.",
        "The signer's certificate names no country.",
    ),
    words(
        Reason::SignerCountryDiffers,
        "Nơi ký và cơ quan gốc thuộc hai nước khác nhau.",
        "The signer and its authority are of different countries.",
    ),
    words(
        Reason::IssuingStateDiffers,
        "Nước ghi trên thẻ không phải nước của nơi ký. Không được tin dùng.",
        "The state on the card is not the signer's. Do not rely on the card.",
    ),
    words(
        Reason::IssuingStateUnread,
        "Chưa đọc được nước cấp trong DG1.",
        "The issuing state in DG1 was not read.",
    ),
    words(
        Reason::IssuingStateUnknown,
        "Chương trình không biết mã nước ghi trên thẻ.",
        "This program does not know the state's code on the card.",
    ),
    words(
        Reason::NoRevocationList,
        "Máy này không có danh sách thu hồi của cơ quan cấp chứng thư.",
        "This machine has no revocation list of the issuing authority.",
    ),
    words(
        Reason::CardAccessMalformed,
        "Danh sách cách mở chip (EF.CardAccess) bị hỏng.",
        "The chip's open list of options (EF.CardAccess) is damaged.",
    ),
    words(
        Reason::CardAccessNotSigned,
        "Chip có danh sách cách mở mà không có bản được ký để so sánh.",
        "The chip has an open list of options and no signed one to compare it with.",
    ),
    words(
        Reason::CardAccessDiffers,
        "Cách mở chip không có trong danh sách được ký. Có thể có kẻ xen giữa.",
        "How the chip was opened is not in its signed list. Someone may stand in between.",
    ),
    words(
        Reason::CardAccessIncomplete,
        "Một cách mở tốt hơn đã bị giấu khỏi danh sách công khai của chip.",
        "A better way to open the chip was hidden from its open list.",
    ),
    words(
        Reason::AccessDowngraded,
        "Chip được mở bằng cách cũ (BAC) dù có cách mới (PACE).",
        "The chip was opened in the old way (BAC) although it has the new one (PACE).",
    ),
    words(
        Reason::ProofKeyWithheld,
        "Chip giấu khóa mà dữ liệu được ký nói là có. Có thể là bản sao.",
        "The chip hides a key that its signed data say it has. It may be a copy.",
    ),
    words(
        Reason::ProofKeyUnread,
        "Chưa đọc được khóa để kiểm tra chip.",
        "The key to check the chip with was not read.",
    ),
    words(
        Reason::ProofKeyUnusable,
        "Chương trình không dùng được loại khóa này của chip.",
        "This program cannot use this kind of chip key.",
    ),
    words(
        Reason::ProofKeyForeign,
        "Chip chứng minh bằng khóa không phải của thẻ này. Không được tin dùng.",
        "The chip proved itself with a key that is not this card's. Do not rely on it.",
    ),
    words(
        Reason::ProofRefused,
        "Chip từ chối chứng minh dù dữ liệu được ký nói là có. Có thể là bản sao.",
        "The chip refused a proof that its signed data promise. It may be a copy.",
    ),
    words(
        Reason::ProofBroken,
        "Chip ngắt giữa chừng khi chứng minh. Có thể là bản sao.",
        "The chip broke off during its proof. It may be a copy.",
    ),
    words(
        Reason::ProofWrong,
        "Chip trả lời sai: chip không có khóa của thẻ. Không được tin dùng.",
        "The chip's answer is wrong: it does not have the card's key. Do not rely on it.",
    ),
    words(
        Reason::ProofAnswerCut,
        "Câu trả lời của chip bị cắt ngắn; hãy thử đầu đọc khác.",
        "The chip's answer was cut short; try another reader.",
    ),
    words(
        Reason::ProofHashUnknown,
        "Không biết chip ký bằng hàm băm nào.",
        "Which hash the chip signed with is not known.",
    ),
    words(
        Reason::ProofNotRun,
        "Chip có cách chứng minh này nhưng đã được mở bằng cách khác.",
        "The chip has this proof but was opened in another way.",
    ),
    words(
        Reason::ChallengeNotOfNonce,
        "Câu trả lời không phải cho giao dịch này.",
        "The answer was not made for this transaction.",
    ),
    words(
        Reason::CardSecurityWithheld,
        "Chip không cho đọc khóa của cách mở nó đã dùng (EF.CardSecurity).",
        "The chip does not show the key of the way it was opened (EF.CardSecurity).",
    ),
    words(
        Reason::CardSecurityNotVerified,
        "Chưa kiểm tra chữ ký trên khóa của chip (EF.CardSecurity).",
        "The signature over the chip's key (EF.CardSecurity) was not checked.",
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
