//! What came of a certificate, a list or a CRL, in words an operator understands.

use cccd_api::Text;
use cccd_trust::store::{CrlStanding, HintedDocuments, ListStanding, Standing, Warning};

pub(crate) fn standing(standing: Standing) -> Text {
    match standing {
        Standing::SelfSigned => text("tự ký, chữ ký đúng", "self-signed, signature good"),
        Standing::Link => text("chứng thư nối khóa cũ sang khóa mới", "link from the old key to the new one"),
        Standing::LinkUnverified => text(
            "chứng thư nối, thiếu khóa cũ nên chưa kiểm tra được",
            "a link whose older key is not here: not verified",
        ),
        Standing::SelfSignatureWrong => {
            text("CHỮ KÝ SAI: hỏng hoặc bị sửa", "SIGNATURE WRONG: damaged or altered")
        }
        Standing::NotAnAuthority => text("không phải CSCA", "no CSCA: it may not sign certificates"),
        Standing::IssuedByOther => text("do cơ quan khác cấp, không phải gốc", "issued by another: no root"),
        Standing::Unsupported => {
            text("loại khóa hoặc chữ ký chưa hỗ trợ", "a key or signature of an unsupported kind")
        }
        Standing::Unreadable => text("không đọc được", "cannot be read"),
        _ => UNKNOWN,
    }
}

pub(crate) fn warning(warning: Warning) -> Text {
    match warning {
        Warning::Repeated => text("lặp lại trong tệp", "repeated in the file"),
        Warning::Installed => text("đã cài", "installed already"),
        Warning::Expired => text("đã hết hạn", "expired"),
        Warning::NotYetValid => text("chưa đến ngày hiệu lực", "not valid yet"),
        Warning::EndsSoon => text("sắp hết hạn", "expires soon"),
        Warning::KeyUsageOver => text(
            "khóa đã ngừng ký: giấy tờ mới dùng khóa khác, hãy tìm chứng thư kế tiếp",
            "its key signs no more: newer documents need its successor",
        ),
        Warning::KeyUsageEndsSoon => text(
            "khóa sắp ngừng ký: sẽ có chứng thư kế tiếp",
            "its key stops signing soon: a successor is due",
        ),
        Warning::WeakDigest => text("chữ ký dùng hàm băm yếu", "signed with a weak digest"),
        Warning::WeakKey => text("khóa ngắn", "a short key"),
        Warning::NoCountry => text("không ghi quốc gia", "names no country"),
        _ => UNKNOWN,
    }
}

pub(crate) fn list_standing(standing: ListStanding) -> Text {
    match standing {
        ListStanding::SignedByPinned => {
            text("chữ ký đúng, người ký đã được ghim", "signature good, by a pinned signer")
        }
        ListStanding::SignedByInstalled => {
            text("chữ ký đúng, dưới một CSCA đã cài", "signature good, under an installed CSCA")
        }
        ListStanding::SignerUnknown => text(
            "CHƯA XÁC MINH: chữ ký đúng nhưng không rõ của ai",
            "NOT VERIFIED: the signature holds, whose it is nobody here knows",
        ),
        ListStanding::SignerNotForLists => text(
            "CHƯA XÁC MINH: chứng thư người ký không dùng để ký danh sách",
            "NOT VERIFIED: the signer's certificate is not for lists",
        ),
        ListStanding::SignerNotValid => text(
            "CHƯA XÁC MINH: chứng thư người ký không có hiệu lực khi ký",
            "NOT VERIFIED: the signer's certificate was not valid when it signed",
        ),
        ListStanding::SignatureWrong => {
            text("CHỮ KÝ SAI: danh sách hỏng hoặc bị sửa", "SIGNATURE WRONG: the list is damaged or altered")
        }
        ListStanding::Unsupported => {
            text("không kiểm tra được chữ ký ở đây", "the signature cannot be verified here")
        }
        ListStanding::NoList => {
            text("thông điệp có chữ ký nhưng không phải danh sách", "signed, but no list")
        }
        ListStanding::Unreadable => text("không đọc được", "cannot be read"),
        _ => UNKNOWN,
    }
}

pub(crate) fn crl_standing(standing: CrlStanding) -> Text {
    match standing {
        CrlStanding::Signed => text("chữ ký đúng", "signature good"),
        CrlStanding::IssuerUnknown => {
            text("chưa cài CSCA đã ký nó", "the CSCA that signed it is not installed")
        }
        CrlStanding::SignatureWrong => text(
            "CHỮ KÝ SAI với mọi khóa đã cài của cơ quan ký",
            "SIGNATURE WRONG under every installed key of its issuer",
        ),
        CrlStanding::OlderThanInstalled => text("cũ hơn bản đã cài", "older than the one installed"),
        CrlStanding::Installed => text("đã cài", "installed already"),
        CrlStanding::Unreadable => text("không đọc được", "cannot be read"),
        _ => UNKNOWN,
    }
}

pub(crate) fn documents(documents: HintedDocuments) -> Text {
    match documents {
        HintedDocuments::CitizenId => text("thẻ CCCD, thẻ Căn cước", "chip ID cards of citizens"),
        HintedDocuments::Passport => text("hộ chiếu điện tử", "electronic passports"),
    }
}

/// Where an operator gets an anchor, and how it is installed.
pub(crate) fn where_from(documents: HintedDocuments) -> Text {
    match documents {
        HintedDocuments::CitizenId => text(
            "Nó không nằm trong danh sách công khai nào: hãy xin từ cơ quan cấp, so với vân tay dưới đây, rồi chạy \
             `cccd-agent trust add TỆP --expect SHA256`.",
            "It is in no public list: get it from the issuing authority, compare it with the fingerprint below, and \
             run `cccd-agent trust add FILE --expect SHA256`.",
        ),
        HintedDocuments::Passport => text(
            "Nó nằm trong danh sách CSCA của Đức: tải về rồi chạy `cccd-agent trust add TỆP --signer SHA256`.",
            "It is in the German master list: download that and run `cccd-agent trust add FILE --signer SHA256`.",
        ),
    }
}

/// Outcomes may be added before their words are; a test allows none.
const UNKNOWN: Text = text("?", "?");

const fn text(vi: &'static str, en: &'static str) -> Text {
    Text { vi, en }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_words() {
        fn distinct<T: Copy>(all: &[T], words: fn(T) -> Text) {
            let texts: Vec<Text> = all.iter().map(|one| words(*one)).collect();
            for (at, one) in texts.iter().enumerate() {
                assert_ne!(*one, UNKNOWN, "the outcome at {at}");
                assert!(
                    texts.iter().skip(at + 1).all(|other| other.vi != one.vi && other.en != one.en),
                    "{one:?}"
                );
            }
        }
        distinct(Standing::ALL, standing);
        distinct(Warning::ALL, warning);
        distinct(ListStanding::ALL, list_standing);
        distinct(CrlStanding::ALL, crl_standing);
    }
}
