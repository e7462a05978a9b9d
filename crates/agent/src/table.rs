//! A reading, and the readers, as people at a terminal see them.

use cccd_card::Transport;
use cccd_document::{
    AccessProtocol, Biometric, Cipher, Field, FileOutcome, PasswordKind, Personal, RecordNote, Sex,
    StatedDate, Validity,
};
use cccd_engine::{BiometricOutcome, ReaderView, Reading};
use cccd_profiles::ReaderCatalogue;
use cccd_trust::{Check, CheckName, CheckState, HashState, Reason, Summary, Verdict};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};

/// The record, how it was read, and what it proves.
pub(crate) fn of_reading(reading: &Reading) -> String {
    let mut table = table(["", "", "nguồn · source"]);
    let record = &reading.record;
    let mut rows = Rows(&mut table);
    rows.text("Số · number", record.personal_number.as_ref());
    rows.text("Số giấy tờ · document", record.document_number.as_ref());
    rows.text("Họ và tên · name", record.full_name.as_ref());
    rows.date("Ngày sinh · birth", record.birth.as_ref());
    rows.row("Giới tính · sex", record.sex.as_ref(), |sex| match sex {
        Sex::Male => "Nam".to_owned(),
        Sex::Female => "Nữ".to_owned(),
        Sex::Unspecified => "-".to_owned(),
    });
    rows.text("Quốc tịch · nationality", record.nationality.as_ref());
    rows.text("Dân tộc · ethnicity", record.ethnicity.as_ref());
    rows.text("Tôn giáo · religion", record.religion.as_ref());
    rows.text("Quê quán · origin", record.origin.as_ref());
    rows.text("Nơi thường trú · residence", record.residence.as_ref());
    rows.text("Đặc điểm nhận dạng · features", record.features.as_ref());
    rows.date("Ngày cấp · issued", record.issued.as_ref());
    rows.row("Có giá trị đến · expiry", record.expiry.as_ref(), |validity| match validity {
        Validity::Until(date) => date.printed.expose().to_owned(),
        Validity::WithoutEnd(words) => words.expose().to_owned(),
    });
    rows.text("Cha · father", record.father.as_ref());
    rows.text("Mẹ · mother", record.mother.as_ref());
    rows.text("Cha hoặc mẹ · a parent", record.unplaced_parent.as_ref());
    rows.text("Vợ hoặc chồng · spouse", record.spouse.as_ref());
    rows.text("Số CMND cũ · old number", record.old_number.as_ref());
    format!("{table}\n{}", footer(reading))
}

fn footer(reading: &Reading) -> String {
    let effort = reading.effort;
    let mut lines = vec![
        format!("Mở chip · opened by: {}", opened_by(reading)),
        format!("Ảnh · portrait: {}", portrait(reading)),
        format!("Tệp · files: {}", files(reading)),
        format!("Vân tay · fingerprints: {}", biometric(reading, Biometric::Fingerprints)),
        format!("Mống mắt · irises: {}", biometric(reading, Biometric::Irises)),
        hashes(reading),
        format!(
            "{} ms, {} APDU, {} B gửi · sent, {} B nhận · received",
            effort.elapsed.as_millis(),
            effort.commands,
            effort.bytes_sent,
            effort.bytes_received
        ),
    ];
    lines.splice(0..0, verdict_lines(&reading.verdict));
    if let Some(agrees) = reading.scan_agrees {
        let words = if agrees {
            "khớp với chip · agrees with the chip"
        } else {
            "KHÁC với chip · DIFFERS from the chip"
        };
        lines.push(format!("Mã QR · QR code: {words}"));
    }
    lines.extend(reading.record.notes.iter().map(|note| format!("Lưu ý · note: {}", note_text(*note))));
    lines.join("\n") + "\n"
}

/// What a receptionist has to know first, then every check on a line of its own.
pub(crate) fn verdict_lines(verdict: &Verdict) -> Vec<String> {
    let head = match verdict.summary() {
        Summary::Genuine => "THẺ THẬT · GENUINE",
        Summary::NotGenuine => "KHÔNG PHẢI THẺ THẬT · NOT GENUINE",
        Summary::Unconfirmed => "CHƯA XÁC NHẬN · UNCONFIRMED",
    };
    let words = cccd_api::of_verdict(verdict);
    let mut lines =
        vec![head.to_owned(), format!("  {}", words.vi), format!("  {} [{}]", words.en, verdict.code())];
    lines.extend(verdict.checks().iter().map(check_line));
    lines
}

fn check_line(check: &Check) -> String {
    let about = |reason: &Reason| match reason {
        Reason::Group(_, file) => format!("{file}: {}", reason.code()),
        _ => reason.code().to_owned(),
    };
    let (sign, why) = match &check.state {
        CheckState::Passed => ("✓", String::new()),
        CheckState::Failed(reason) => ("✗", format!(" [{}]", about(reason))),
        CheckState::NotOffered => ("-", " (thẻ không có · not offered)".to_owned()),
        CheckState::NotPossible(reason) => ("?", format!(" [{}]", about(reason))),
        CheckState::Skipped => ("-", " (bỏ qua · skipped)".to_owned()),
    };
    let words = cccd_api::of_check(check.name);
    let tolerated = match check.tolerated.as_slice() {
        [] => String::new(),
        deviations => {
            format!(
                " (bỏ qua lệch chuẩn · tolerated: {})",
                deviations.iter().map(about).collect::<Vec<_>>().join(", ")
            )
        }
    };
    format!("  {sign} {} · {}{why}{tolerated}", words.vi, words.en)
}

fn opened_by(reading: &Reading) -> String {
    let access = &reading.evidence.access;
    let key = match access.password {
        PasswordKind::Can => "CAN",
        PasswordKind::Mrz => "MRZ",
    };
    let protocol = match access.protocol {
        AccessProtocol::Bac => "BAC".to_owned(),
        AccessProtocol::ByReader => "đầu đọc tự mở · by the reader itself".to_owned(),
        AccessProtocol::Pace(pace) => {
            let cipher = match pace.cipher {
                Cipher::TripleDes => "3DES",
                Cipher::Aes128 => "AES-128",
                Cipher::Aes192 => "AES-192",
                Cipher::Aes256 => "AES-256",
            };
            format!("PACE, {cipher}")
        }
    };
    let downgrade = if access.downgrade.is_some() {
        "; thẻ có PACE nhưng phải dùng BAC · PACE is offered and BAC had to be used"
    } else {
        ""
    };
    format!("{protocol}, {key}{downgrade}")
}

fn portrait(reading: &Reading) -> String {
    match &reading.portrait {
        Some(portrait) => format!("{}, {} B", portrait.media_type.as_str(), portrait.bytes.len()),
        None => "không có · none".to_owned(),
    }
}

/// What became of fingerprints or irises, and why.
fn biometric(reading: &Reading, kind: Biometric) -> String {
    let found = reading.biometrics.iter().find(|found| found.kind == kind);
    match found.map(|found| &found.outcome) {
        None | Some(BiometricOutcome::NotAsked) => "không yêu cầu · not asked for".to_owned(),
        Some(BiometricOutcome::Absent) => "thẻ không có · the card has none".to_owned(),
        Some(BiometricOutcome::Locked(status)) => {
            let check = reading.verdict.check(CheckName::TerminalAuthentication);
            let reason = match check.map(|check| check.state) {
                Some(CheckState::NotPossible(reason)) => reason,
                _ => Reason::StationNotEntitled,
            };
            let words = cccd_api::of_reason(reason);
            format!("bị khóa · locked ({status}): {} · {} [{}]", words.vi, words.en, reason.code())
        }
        Some(BiometricOutcome::Read(images)) => {
            let each = images.iter().map(|image| {
                format!("{} {} {} B", image.position.code(), image.media_type.as_str(), image.bytes.len())
            });
            let pictures: Vec<String> = each.collect();
            if pictures.is_empty() {
                "đã đọc, trống · read, empty".to_owned()
            } else {
                pictures.join(", ")
            }
        }
        Some(BiometricOutcome::Refused(Some(status))) => format!("chip từ chối · refused ({status})"),
        Some(BiometricOutcome::Refused(None)) => "chip ngắt giữa chừng · the chip broke off".to_owned(),
        Some(BiometricOutcome::Malformed) => "hỏng · malformed".to_owned(),
    }
}

fn files(reading: &Reading) -> String {
    let one = |(file, outcome): (&cccd_document::FileId, &FileOutcome)| match outcome {
        FileOutcome::Read(bytes) => format!("{file} {} B", bytes.len()),
        FileOutcome::Absent(_) => format!("{file} không có · absent"),
        FileOutcome::Locked(_) => format!("{file} bị khóa · locked"),
        FileOutcome::Refused(status) => format!("{file} {status}"),
        FileOutcome::Malformed => format!("{file} hỏng · malformed"),
        FileOutcome::NotGiven => format!("{file} đầu đọc không đưa · not given by the reader"),
    };
    reading.evidence.files.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn hashes(reading: &Reading) -> String {
    let wrong: Vec<String> = reading
        .hashes
        .iter()
        .filter(|group| group.state == HashState::Mismatch)
        .map(|group| group.file.to_string())
        .collect();
    let right = reading.hashes.iter().filter(|group| group.state == HashState::Match).count();
    if wrong.is_empty() {
        format!("Mã băm · hashes: {right} khớp với EF.SOD · match EF.SOD")
    } else {
        let wrong = wrong.join(", ");
        format!("MÃ BĂM SAI · HASHES DIFFER FROM EF.SOD: {wrong}. Dữ liệu đã bị sửa · the data were altered")
    }
}

fn note_text(note: RecordNote) -> &'static str {
    match note {
        RecordNote::NumbersDiffer => "số trên DG1 và DG13 khác nhau · numbers differ between DG1 and DG13",
        RecordNote::NamesDiffer => "họ tên trên DG1 và DG13 khác nhau · names differ between DG1 and DG13",
        RecordNote::BirthsDiffer => {
            "ngày sinh trên DG1 và DG13 khác nhau · births differ between DG1 and DG13"
        }
        RecordNote::SexesDiffer => "giới tính trên DG1 và DG13 khác nhau · sexes differ between DG1 and DG13",
        RecordNote::ExpiriesDiffer => {
            "hạn thẻ trên DG1 và DG13 khác nhau · expiries differ between DG1 and DG13"
        }
        RecordNote::Mrz(_) => "MRZ trong DG1 có chỗ không khớp · something in the MRZ of DG1 does not fit",
        RecordNote::Dg13(_) => "DG13 có chỗ lạ · something in DG13 is odd",
        RecordNote::ScannedNumberDiffers => {
            "số trên mã QR và trên chip khác nhau · numbers differ between QR code and chip"
        }
        RecordNote::ScannedNameDiffers => {
            "họ tên trên mã QR và trên chip khác nhau · names differ between QR code and chip"
        }
        RecordNote::ScannedBirthDiffers => {
            "ngày sinh trên mã QR và trên chip khác nhau · dates of birth differ between QR code and chip"
        }
        RecordNote::ScannedSexDiffers => {
            "giới tính trên mã QR và trên chip khác nhau · sexes differ between QR code and chip"
        }
        RecordNote::ScannedIssueDiffers => {
            "ngày cấp trên mã QR và trên chip khác nhau · dates of issue differ between QR code and chip"
        }
        RecordNote::ScannedOldNumberDiffers => {
            "số cũ trên mã QR và trên chip khác nhau · old numbers differ between QR code and chip"
        }
        RecordNote::ScannedResidenceDiffers => {
            "nơi cư trú trên mã QR và trên chip khác nhau · residences differ between QR code and chip"
        }
        RecordNote::ScannedNameUnclear => {
            "tên trên mã QR bị hỏng, không so được · the name in the QR code is spoilt and was not compared"
        }
        RecordNote::Dg13Unrecognised => "DG13 không theo cấu trúc đã biết · DG13 is of an unknown structure",
        _ => "xem kết quả JSON · see the JSON result",
    }
}

/// The readers, with what lies on them.
pub(crate) fn of_readers(readers: &[ReaderView]) -> String {
    let mut table = table(["id", "tên · name", "thẻ · card"]);
    for reader in readers {
        let transport = match reader.info.transport {
            Transport::PcSc => "PC/SC",
            Transport::Nfc => "libnfc",
            _ => "-",
        };
        let card = if reader.has_card { "có · yes" } else { "không · no" };
        table.add_row([reader.info.id.as_str(), &format!("{} ({transport})", reader.info.name), card]);
    }
    let catalogue = ReaderCatalogue::shipped();
    let mut text = format!("{table}\n");
    for reader in readers {
        for quirk in catalogue.find(&reader.info.name).into_iter().flat_map(|profile| &profile.quirks) {
            text += &format!("{}: {} · {}\n", reader.info.id, quirk.advice_vi(), quirk.advice());
        }
    }
    text
}

/// The scanners: id, where, and what.
pub(crate) fn of_scanners(rows: impl Iterator<Item = [String; 3]>) -> String {
    let mut table = table(["id", "cổng · port", "máy quét · scanner"]);
    table.add_rows(rows);
    format!("{table}\n")
}

fn table(header: [&str; 3]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// Adds the fields that are there.
struct Rows<'a>(&'a mut Table);

impl Rows<'_> {
    fn row<T>(&mut self, label: &str, field: Option<&Field<T>>, text: impl FnOnce(&T) -> String) {
        if let Some(field) = field {
            self.0.add_row([label.to_owned(), text(&field.value), field.source.to_string()]);
        }
    }

    fn text(&mut self, label: &str, field: Option<&Field<Personal>>) {
        self.row(label, field, |text| text.expose().to_owned());
    }

    fn date(&mut self, label: &str, field: Option<&Field<StatedDate>>) {
        self.row(label, field, |date| date.printed.expose().to_owned());
    }
}
