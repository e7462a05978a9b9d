//! The answers of `cccd-agent trust`, as people at a terminal read them.

use std::fmt::Write as _;

use cccd_api::Text;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use time::OffsetDateTime;

use super::answer::{
    Answer, CertificateView, ChangeAnswer, Changed, CheckAnswer, CrlView, DiffAnswer, FactsView, FileView,
    InstalledView, ListAnswer, ListView, Named, Notice, NoticeCode, ShowAnswer,
};
use super::edition::Voucher;
use super::words;

/// Digits of a fingerprint that tell one of a store from the others.
const SHORT: usize = 16;

/// What an answer says.
pub(crate) fn of_answer(answer: &Answer) -> String {
    match answer {
        Answer::Check(answer) => of_check(answer),
        Answer::Change(answer) => of_change(answer),
        Answer::List(answer) => of_list(answer),
        Answer::Show(answer) => of_show(answer),
        Answer::Diff(answer) => of_diff(answer),
    }
}

fn of_check(answer: &CheckAnswer) -> String {
    answer.files.iter().map(|file| of_file(file, Detail::Everything)).collect()
}

/// How much is told of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Everything,
    /// What cannot be used, and how much else there is.
    Faults,
}

fn of_file(file: &FileView, detail: Detail) -> String {
    let mut text = format!("{} ({})\n", file.source, file.format.code());
    certificates(&mut text, &file.certificates, detail);
    for list in &file.lists {
        of_signed_list(&mut text, list, detail);
    }
    for crl in &file.crls {
        line(&mut text, &of_crl(crl));
    }
    for part in &file.unreadable {
        line(&mut text, &format!("! {}: {}", part.place, part.fault));
    }
    text
}

fn of_signed_list(text: &mut String, list: &ListView, detail: Detail) {
    let Text { vi, en } = words::list_standing(list.found);
    line(text, &format!("Danh sách có chữ ký · signed list: {vi} · {en}"));
    if let Some(signer) = &list.signer {
        line(text, &format!("  người ký · signer: {}", name(signer)));
        line(text, &format!("  SHA-256 {}", signer.sha256));
    }
    if let Some(time) = list.signed_at {
        line(text, &format!("  ký ngày · signed on: {}", day(time)));
    }
    certificates(text, &list.certificates, detail);
    for part in &list.unreadable {
        line(text, &format!("! {}: {}", part.place, part.fault));
    }
}

fn certificates(text: &mut String, all: &[CertificateView], detail: Detail) {
    let usable = all.iter().filter(|one| one.standing.can_be_anchor()).count();
    if !all.is_empty() {
        line(
            text,
            &format!("{} chứng thư, {usable} dùng được · {0} certificates, {usable} can be used", all.len()),
        );
    }
    let mut table =
        table(["SHA-256", "", "chủ thể · subject", "khóa · key", "đến · until", "kết quả · outcome"]);
    let mut rows = 0;
    for one in all {
        if detail == Detail::Everything || !one.standing.can_be_anchor() {
            table.add_row(row(one));
            rows += 1;
        }
    }
    if rows > 0 {
        line(text, &table.to_string());
    }
}

fn row(one: &CertificateView) -> [String; 6] {
    let facts = one.facts.as_ref();
    let text = |field: fn(&FactsView) -> String| facts.map(field).unwrap_or_default();
    [
        short(&one.sha256.to_string()),
        text(|facts| facts.country.clone().unwrap_or_default()),
        text(|facts| facts.subject.clone()),
        text(|facts| facts.key.clone()),
        text(|facts| day(facts.not_after)),
        outcome(one),
    ]
}

fn outcome(one: &CertificateView) -> String {
    let Text { vi, en } = words::standing(one.standing);
    let mut text = format!("{vi} · {en}");
    for warning in &one.warnings {
        let Text { vi, en } = words::warning(*warning);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{vi} · {en}");
    }
    text
}

fn of_crl(crl: &CrlView) -> String {
    let Text { vi, en } = words::crl_standing(crl.found);
    let mut text = format!("CRL {}: {vi} · {en}", short(&crl.sha256.to_string()));
    if let Some(facts) = &crl.facts {
        let _ = write!(
            text,
            "\n  {}: {} thu hồi · revoked, ngày · of {}",
            facts.issuer,
            facts.revoked,
            day(facts.this_update)
        );
        if let Some(next) = facts.next_update {
            let _ = write!(text, ", kế tiếp · next {}", day(next));
        }
    }
    if crl.stale {
        text += "\n  QUÁ CŨ, không còn được tính · STALE: it no longer counts";
    }
    text
}

fn of_change(answer: &ChangeAnswer) -> String {
    let mut text: String = answer.files.iter().map(|file| of_file(file, Detail::Faults)).collect();
    for failed in &answer.failed {
        line(&mut text, &format!("! {}: {}", failed.source, failed.reason));
    }
    if answer.older_lists > 0 {
        line(
            &mut text,
            "! Danh sách cũ hơn bản đã cài, không dùng · a list that is older than the one installed was not taken",
        );
    }
    differences(
        &mut text,
        &answer.added,
        &answer.removed,
        answer.crls_added.len(),
        answer.crls_removed.len(),
    );
    notices(&mut text, &answer.notices);
    let edition = answer.edition;
    line(
        &mut text,
        &match answer.changed {
            Changed::Yes => format!("Đã lưu thành ấn bản {edition} · saved as edition {edition}"),
            Changed::No => {
                format!("Không có gì thay đổi, ấn bản {edition} · nothing to change, edition {edition}")
            }
            Changed::Would => "Chạy thử, chưa thay đổi gì · a dry run: nothing was changed".to_owned(),
            Changed::NeedsWord => waiting(&answer.waiting),
        },
    );
    text
}

fn waiting(waiting: &[Named]) -> String {
    let mut text = "CHƯA CÀI: không có gì bảo đảm cho các chứng thư sau. So vân tay với nguồn tin cậy khác rồi chạy lại \
                    với --expect SHA256, hoặc --accept-unverified nếu tự chịu trách nhiệm.\n\
                    NOT INSTALLED: nothing vouches for these certificates. Compare their fingerprints with what you \
                    were given by another way and run again with --expect SHA256, or with --accept-unverified to \
                    vouch for them yourself."
        .to_owned();
    for one in waiting {
        let _ = write!(text, "\n  {}  {}", one.sha256, name(one));
    }
    text
}

fn of_list(answer: &ListAnswer) -> String {
    let mut text = format!(
        "{}\nẤn bản · edition {}: {} chứng thư · certificates, {} CRL\n",
        answer.directory.display(),
        answer.edition,
        answer.certificates.len(),
        answer.crls.len()
    );
    if !answer.certificates.is_empty() {
        let mut table = table([
            "SHA-256",
            "",
            "chủ thể · subject",
            "khóa ký đến · signs until",
            "đến · until",
            "lưu ý · notes",
        ]);
        for one in &answer.certificates {
            let facts = one.certificate.facts.as_ref();
            let until = facts.and_then(|facts| facts.key_usage_until).map(day).unwrap_or_default();
            let [sha256, country, subject, _, not_after, _] = row(&one.certificate);
            table.add_row([sha256, country, subject, until, not_after, notes(one)]);
        }
        line(&mut text, &table.to_string());
    }
    for crl in &answer.crls {
        line(&mut text, &of_crl(crl));
    }
    notices(&mut text, &answer.notices);
    text
}

/// What is worth a word about an installed one.
fn notes(one: &InstalledView) -> String {
    let mut notes: Vec<String> = Vec::new();
    if matches!(one.voucher, Voucher::Operator) {
        notes.push("người vận hành tự chấp nhận · accepted by the operator".to_owned());
    }
    let warnings = one.certificate.warnings.iter().map(|warning| words::warning(*warning));
    notes.extend(warnings.map(|Text { vi, en }| format!("{vi} · {en}")));
    notes.join("\n")
}

fn of_show(answer: &ShowAnswer) -> String {
    let one = &answer.certificate;
    let mut table = table(["", ""]);
    let mut add = |label: &str, value: String| {
        table.add_row([label, value.as_str()]);
    };
    add("SHA-256", one.certificate.sha256.to_string());
    if let Some(facts) = &one.certificate.facts {
        add("Quốc gia · country", facts.country.clone().unwrap_or_default());
        add("Chủ thể · subject", facts.subject.clone());
        add("Cơ quan cấp · issuer", facts.issuer.clone());
        add("Số · serial", facts.serial.clone());
        add("Hiệu lực · valid", format!("{} – {}", day(facts.not_before), day(facts.not_after)));
        add("Khóa ký đến · signs until", facts.key_usage_until.map(day).unwrap_or_default());
        add("Khóa · key", facts.key.clone());
        add("Chữ ký · signature", facts.signature.clone());
        add("Mã khóa · key identifier", facts.key_identifier.clone().unwrap_or_default());
    }
    add("Kết quả · outcome", outcome(&one.certificate));
    add("Cài ngày · installed on", day(one.added));
    add("Bảo đảm · vouched for by", voucher(&one.voucher));
    let mut text = format!("{table}\n");
    notices(&mut text, &answer.notices);
    text
}

fn voucher(voucher: &Voucher) -> String {
    match voucher {
        Voucher::Operator => {
            "người vận hành, không có gì để so · the operator, with nothing to compare".to_owned()
        }
        Voucher::Fingerprint => {
            "vân tay người vận hành có từ nguồn khác · a fingerprint the operator had from elsewhere"
                .to_owned()
        }
        Voucher::MasterList { signer, country, .. } => {
            format!(
                "danh sách của {country}, người ký {signer} · a master list of {country}, signed by {signer}"
            )
        }
    }
}

fn of_diff(answer: &DiffAnswer) -> String {
    let mut text = format!("Ấn bản {} → {} · edition {0} → {1}\n", answer.from, answer.to);
    differences(
        &mut text,
        &answer.added,
        &answer.removed,
        answer.crls_added.len(),
        answer.crls_removed.len(),
    );
    text
}

fn differences(
    text: &mut String,
    added: &[Named],
    removed: &[Named],
    crls_added: usize,
    crls_removed: usize,
) {
    for (sign, all) in [("+", added), ("-", removed)] {
        for one in all {
            line(text, &format!("{sign} {}  {}", short(&one.sha256.to_string()), name(one)));
        }
    }
    if crls_added + crls_removed > 0 {
        line(text, &format!("CRL: +{crls_added} -{crls_removed}"));
    }
}

fn notices(text: &mut String, notices: &[Notice]) {
    for notice in notices {
        let Notice { sha256, country, .. } = notice;
        let documents = notice.documents.map(words::documents);
        let (vi, en) = documents.map_or(("", ""), |text| (text.vi, text.en));
        line(
            text,
            &match notice.code {
                NoticeCode::Matches => format!(
                    "Vân tay trùng với CSCA đã biết của {country} cho {vi}.\n\
                     The fingerprint is the known one of {country}'s CSCA for {en}.\n  {sha256}"
                ),
                NoticeCode::Differs => format!(
                    "LƯU Ý: CSCA của {country} có vân tay khác với các vân tay đã biết. Ngoài người vận hành, không ai \
                     bảo đảm cho nó.\nNOTE: a CSCA of {country} with another fingerprint than those known. Nobody but \
                     the operator vouches for it.\n  {sha256}"
                ),
                NoticeCode::Missing => {
                    let source = notice.documents.map_or(Text { vi: "", en: "" }, words::where_from);
                    format!(
                        "Chưa cài CSCA đã biết của {country} cho {vi}: chưa thể kết luận giấy tờ đó thật. {} Xem \
                         docs/trust.md.\n\
                         The known CSCA of {country} for {en} is not installed: no document under it can be found \
                         genuine. {} See docs/trust.md.\n  {sha256}",
                        source.vi, source.en
                    )
                }
            },
        );
    }
}

fn name(one: &Named) -> String {
    one.subject.clone().unwrap_or_default()
}

fn day(time: OffsetDateTime) -> String {
    time.date().to_string()
}

fn short(fingerprint: &str) -> String {
    fingerprint.chars().take(SHORT).collect()
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if header.iter().any(|cell| !cell.is_empty()) {
        table.set_header(header);
    }
    table
}
