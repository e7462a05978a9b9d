use std::sync::{Arc, Mutex};

use cccd_document::{AccessProtocol, Cipher, PasswordKind};

use super::*;
use crate::secure_messaging::largest_plain;
use crate::testing::{ALL_CIPHERS, Files, Says, Script, chip_in_session, hex, session};

type Seen = Arc<Mutex<Vec<Command>>>;

/// A chip opened with `cipher` that answers by `answer`, and the plain commands it saw.
fn opened<'a>(
    cipher: Cipher,
    limits: ChannelLimits,
    mut answer: impl FnMut(&Command) -> Says + Send + 'a,
) -> (UnlockedChip<Script<'a>>, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let channel = chip_in_session(cipher, move |command| {
        log.lock().unwrap().push(command.clone());
        answer(command)
    })
    .with_limits(limits);
    let access = AccessRun {
        protocol: AccessProtocol::Bac,
        password: PasswordKind::Mrz,
        downgrade: None,
        card_access: None,
    };
    (UnlockedChip::new(channel, session(cipher), access, limits, Application::NotSelected), seen)
}

/// The same with short lengths and AES-128.
fn short<'a>(answer: impl FnMut(&Command) -> Says + Send + 'a) -> (UnlockedChip<Script<'a>>, Seen) {
    opened(Cipher::Aes128, ChannelLimits::SHORT, answer)
}

/// How many commands went out beside SELECT of the application.
fn count(seen: &Seen) -> usize {
    seen.lock().unwrap().len() - 1
}

/// A file with this tag and so many bytes in all.
fn file(tag: u32, total: usize) -> Vec<u8> {
    let header = match total {
        0..=0x7F => 2,
        0x80..=0x101 => 3,
        0x102..=0x1_0003 => 4,
        _ => 5,
    };
    let value: Vec<u8> = (0..total - header).map(|i| (i % 251).to_le_bytes()[0]).collect();
    let file = encode(Tag(tag), &value);
    assert_eq!(file.len(), total);
    file
}

fn read(content: &[u8]) -> FileOutcome {
    FileOutcome::Read(Zeroizing::new(content.to_vec()))
}

fn says(data: &[u8], status: u16) -> Says {
    Says::Protected(data.to_vec(), status)
}

const DG2: u16 = 0x0102;

#[test]
fn a_file_takes_no_more_commands_than_it_has_chunks() {
    for cipher in ALL_CIPHERS {
        let chunk = largest_plain(cipher, 256);
        for total in [2, 10, 100, chunk - 1, chunk, chunk + 1, 2 * chunk, 15_000, 40_000] {
            let content = file(0x75, total);
            let mut files = Files::new(&[(DG2, content.clone())]);
            let (mut chip, seen) = opened(cipher, ChannelLimits::SHORT, |c| files.answer(c));
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content), "{cipher:?} {total}");
            drop(chip);
            // Beyond offset 32767 each reply gives up four bytes to DO53.
            let far = total.saturating_sub(32_768).div_ceil(chunk - DISCRETIONARY_OVERHEAD);
            let near = total.min(32_768).div_ceil(chunk);
            assert!(count(&seen) <= near + far, "{cipher:?} {total}: {}", count(&seen));
        }
    }
}

#[test]
fn with_extended_length_a_file_takes_one_command() {
    for cipher in ALL_CIPHERS {
        let limits = ChannelLimits { max_command: 1024, max_reply: 20_000 };
        let content = file(0x75, 15_000);
        let mut files = Files::new(&[(DG2, content.clone())]);
        let (mut chip, seen) = opened(cipher, limits, |c| files.answer(c));
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
        drop(chip);
        assert_eq!(count(&seen), 1);
    }
}

#[test]
fn offsets_above_32767_go_into_the_odd_instruction() {
    for limits in [ChannelLimits::SHORT, ChannelLimits { max_command: 600, max_reply: 10_000 }] {
        let content = file(0x75, 70_000);
        let mut files = Files::new(&[(DG2, content.clone())]);
        let (mut chip, seen) = opened(Cipher::Aes256, limits, |c| files.answer(c));
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
        drop(chip);
        for command in seen.lock().unwrap().iter().skip(2) {
            let [_, ins, p1, _] = command.header();
            assert!((ins == 0xB0 && p1 < 0x80) || (ins == 0xB1 && p1 == 0), "{command}");
        }
    }
}

#[test]
fn a_refused_le_is_remembered_for_the_session() {
    // Quirk 25: Le beyond some size, or beyond the end of the file, is refused in one of many ways.
    for refusal in [0x6700, 0x6C0E, 0x6B00, 0x6282] {
        for most in [192, 100] {
            let (dg1, dg2) = (file(0x61, 95), file(0x75, 1500));
            let mut files = Files::new(&[(0x0101, dg1.clone()), (DG2, dg2.clone())]);
            let (mut chip, seen) = short(|command| {
                let answer = files.answer(command);
                let too_long = command.expected().is_some_and(|le| le.get() > most);
                match answer {
                    Says::Protected(_, 0x6282) => says(&[], refusal),
                    _ if command.ins() == 0xB0 && too_long => says(&[], refusal),
                    answer => answer,
                }
            });
            assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1), "{refusal:04X} {most}");
            let before = count(&seen);
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X} {most}");
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X} {most}");
            drop(chip);
            let size = if most == 192 { 160 } else { 96 };
            let ladder = if most == 192 { 1 } else { 2 };
            let chunks = 1 + 1494usize.div_ceil(size);
            assert_eq!(count(&seen) - before, 2 * chunks + ladder, "{refusal:04X} {most}");
        }
    }
}

#[test]
fn short_replies_are_gone_on_from() {
    for buffer in [50, 64, 200] {
        let content = file(0x75, 2000);
        let mut files = Files::new(&[(DG2, content.clone())]);
        files.buffer = buffer;
        let (mut chip, _) = short(|command| files.answer(command));
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content), "{buffer}");
    }
}

#[test]
fn replies_longer_than_asked_and_filled_with_zeros_are_cut() {
    // Quirk 27: whatever is asked, 200 bytes come, zeros behind the end of the file.
    let content = file(0x75, 500);
    let mut padded = content.clone();
    padded.resize(1000, 0);
    let mut files = Files::new(&[(DG2, padded)]);
    let (mut chip, _) = short(|command| {
        let [_, _, p1, p2] = command.header();
        if command.ins() == 0xB0 && p1 < 0x80 {
            let longer = Command::new(0, 0xB0, p1, p2).expect(ExpectedLength::new(240));
            return files.answer(&longer);
        }
        files.answer(command)
    });
    assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
}

#[test]
fn empty_replies_and_dribbles_come_to_an_end() {
    // Quirk 28: nothing, with 9000, from some offset on.
    for stop in [0, 1, 3, 100, 223, 500] {
        let mut files = Files::new(&[(DG2, file(0x75, 1000))]);
        files.buffer = 100;
        let mut given = 0;
        let (mut chip, seen) = short(|command| match files.answer(command) {
            Says::Protected(data, status) if command.ins() == 0xB0 => {
                let data = &data[..data.len().min(stop - given)];
                given += data.len();
                says(data, status)
            }
            answer => answer,
        });
        assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed, "{stop}");
        drop(chip);
        assert!(count(&seen) < 20);
    }
    // One byte at a time, of a file that would take a million commands.
    let mut files = Files::new(&[(DG2, file(0x75, 1_000_000))]);
    files.buffer = 1;
    let (mut chip, seen) = short(|command| files.answer(command));
    assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed);
    drop(chip);
    assert!(count(&seen) < 30_000, "{}", count(&seen));
}

#[test]
fn a_file_that_ends_early_is_malformed() {
    for status in [0x6B00, 0x6282, 0x9000, 0x6700] {
        let mut whole = file(0x75, 1000);
        whole.truncate(600);
        let mut files = Files::new(&[(DG2, whole)]);
        let (mut chip, seen) = short(|command| match files.answer(command) {
            Says::Protected(data, 0x6282 | 0x6B00) => says(&data, status),
            answer => answer,
        });
        assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed, "{status:04X}");
        drop(chip);
        assert!(count(&seen) < 20);
    }
}

#[test]
fn claims_beyond_the_cap_end_at_the_header() {
    let claims = [
        (FileId::DG1, hex("61820401")),
        (FileId::EfCom, hex("6084FFFFFFFF")),
        (FileId::DG2, hex("7584FFFFFFFF")),
        (FileId::DG2, hex("75840010 0000")),
        (FileId::DG13, hex("6D83010000")),
        (FileId::EfSod, hex("7783010000")),
    ];
    for (id, claim) in claims {
        let mut content = claim.clone();
        content.resize(300, 0xAA);
        let mut files = Files::new(&[(id.fid(), content)]);
        let (mut chip, seen) = short(|command| files.answer(command));
        assert_eq!(chip.read(id).unwrap(), FileOutcome::Malformed, "{id}");
        drop(chip);
        assert_eq!(count(&seen), 1);
    }
}

#[test]
fn what_does_not_begin_with_its_tag_is_malformed() {
    for content in ["6204 00000000", "", "FFFFFFFF01", "61 85 0000000001 00", "00000000"] {
        let mut files = Files::new(&[(0x0101, hex(content))]);
        let (mut chip, seen) = short(|command| files.answer(command));
        let outcome = chip.read(FileId::DG1).unwrap();
        let none_came = matches!(outcome, FileOutcome::Malformed | FileOutcome::Refused(_));
        assert!(none_came, "{content} {outcome:?}");
        drop(chip);
        assert!(count(&seen) <= 3);
    }
}

#[test]
fn an_object_of_indefinite_length_is_read_to_its_end() {
    // 77 80, a nested indefinite one, a long definite one that holds zeros, the ends, and padding.
    let definite = encode(Tag(0x04), &[0; 700]);
    let object = [&hex("7780 30 80")[..], &hex("0202 0000"), &definite, &hex("0000 0000")].concat();
    for padding in [0, 1, 300] {
        let mut content = object.clone();
        content.resize(object.len() + padding, 0);
        let mut files = Files::new(&[(FileId::EfSod.fid(), content)]);
        let (mut chip, _) = short(|command| files.answer(command));
        assert_eq!(chip.read(FileId::EfSod).unwrap(), read(&object), "{padding}");
    }
    // Without its end it is nothing.
    for end in [0x6B00, 0x6282, 0x9000, 0x6700] {
        let mut files = Files::new(&[(FileId::EfSod.fid(), object[..object.len() - 2].to_vec())]);
        let (mut chip, seen) = short(|command| match files.answer(command) {
            Says::Protected(data, 0x6282 | 0x6B00) => says(&data, end),
            answer => answer,
        });
        assert_eq!(chip.read(FileId::EfSod).unwrap(), FileOutcome::Malformed, "{end:04X}");
        drop(chip);
        assert!(count(&seen) < 20);
    }
}

#[test]
fn refusals_are_outcomes_and_the_next_file_is_read() {
    for (status, outcome) in [
        (0x6A82, FileOutcome::Absent(StatusWord(0x6A82))),
        (0x6A83, FileOutcome::Absent(StatusWord(0x6A83))),
        (0x6982, FileOutcome::Locked(StatusWord(0x6982))),
        (0x6985, FileOutcome::Locked(StatusWord(0x6985))),
        (0x6F00, FileOutcome::Refused(StatusWord(0x6F00))),
    ] {
        let dg1 = file(0x61, 95);
        let mut files = Files::new(&[(0x0101, dg1.clone())]);
        let (mut chip, _) = short(|command| match command.header() {
            [_, 0xB0, 0x83, _] => says(&[], status),
            [_, 0xA4, 0x02, _] if command.payload() == [0x01, 0x03] => says(&[], status),
            _ => files.answer(command),
        });
        assert_eq!(chip.read(FileId::DG3).unwrap(), outcome);
        assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1));
        assert_eq!(chip.read(FileId::DG3).unwrap(), outcome);
    }
}

#[test]
fn once_a_short_identifier_has_worked_an_absent_file_costs_one_command() {
    let mut files = Files::new(&[(0x0101, file(0x61, 95))]);
    let (mut chip, seen) = short(|command| files.answer(command));
    chip.read(FileId::DG1).unwrap();
    let before = count(&seen);
    assert!(matches!(chip.read(FileId::DG11).unwrap(), FileOutcome::Absent(_)));
    assert_eq!(count(&seen) - before, 1);
}

#[test]
fn a_chip_without_short_identifiers_is_read_by_select() {
    for refusal in [0x6A82, 0x6A86, 0x6B00, 0x6D00, 0x6A81, 0x6986] {
        let (dg1, dg2) = (file(0x61, 95), file(0x75, 600));
        let mut files = Files::new(&[(0x0101, dg1.clone()), (DG2, dg2.clone())]);
        let (mut chip, seen) = short(|command| match command.header() {
            [_, 0xB0, p1, _] if p1 >= 0x80 => says(&[], refusal),
            _ => files.answer(command),
        });
        assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1), "{refusal:04X}");
        let before = count(&seen);
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X}");
        // SELECT, then as many as there are chunks: the short identifier is not tried again.
        assert_eq!(count(&seen) - before, 1 + 600usize.div_ceil(223));
    }
}

#[test]
fn a_naked_status_ends_the_session_for_good() {
    for status in [0x6987, 0x6988, 0x6700, 0x6C20, 0x6982, 0x9000] {
        let mut files = Files::new(&[(DG2, file(0x75, 600))]);
        let (mut chip, seen) = short(|command| match command.header() {
            [_, 0xB0, 0x00, _] => Says::Naked(status),
            _ => files.answer(command),
        });
        let ended = chip.read(FileId::DG2);
        let said = matches!(
            ended,
            Err(ReadError::SessionEnded { file: FileId::DG2, status: StatusWord(s) }) if s == status
        );
        assert!(said, "{ended:?}");
        let before = count(&seen);
        assert!(matches!(chip.read(FileId::DG1), Err(ReadError::NoSession { .. })));
        assert_eq!(count(&seen), before);
    }
}

#[test]
fn a_reply_with_a_wrong_mac_ends_the_session_for_good() {
    let mut sm = session(Cipher::Aes128);
    let mut channel = Script::answering(move |bytes| {
        let command = sm.open_command(&crate::testing::parse_command(bytes)).unwrap();
        let mut reply = sm.protect_reply(command.ins(), &[], StatusWord::OK);
        reply[6] ^= 1;
        reply
    });
    let access = AccessRun {
        protocol: AccessProtocol::Bac,
        password: PasswordKind::Mrz,
        downgrade: None,
        card_access: None,
    };
    let mut chip = UnlockedChip::new(
        &mut channel,
        session(Cipher::Aes128),
        access,
        ChannelLimits::SHORT,
        Application::NotSelected,
    );
    let broken = chip.read(FileId::DG1);
    assert!(matches!(broken, Err(ReadError::Misbehaved { source: SmFault::WrongMac, .. })), "{broken:?}");
    assert!(matches!(chip.read(FileId::DG1), Err(ReadError::NoSession { .. })));
}

#[test]
fn a_chip_without_the_application_is_told_apart() {
    let (mut chip, _) = short(|_| says(&[], 0x6A82));
    let refused = chip.read(FileId::DG1);
    assert!(matches!(refused, Err(ReadError::ApplicationRefused { status: StatusWord(0x6A82) })));
    let outside = chip.read(FileId::CardAccess);
    assert!(matches!(outside, Err(ReadError::NotInApplication { .. })));
}

#[test]
fn progress_grows_to_the_total() {
    let mut files = Files::new(&[(DG2, file(0x75, 1000))]);
    let (mut chip, _) = short(|command| files.answer(command));
    let mut told = Vec::new();
    chip.read_with(FileId::DG2, &mut |progress| told.push(progress)).unwrap();
    let bytes: Vec<_> = told.iter().map(|progress| progress.read).collect();
    assert_eq!(bytes, [223, 446, 669, 892, 1000]);
    assert!(told.iter().all(|progress| progress.total == Some(1000)));
}

#[test]
fn extended_reads_step_down_to_what_the_chip_takes() {
    // It claims extended length and refuses replies of more than 1500 bytes.
    let dg2 = file(0x75, 9000);
    let mut files = Files::new(&[(DG2, dg2.clone())]);
    let (mut chip, seen) = opened(Cipher::Aes128, ChannelLimits::EXTENDED, |command| {
        if command.expected().is_some_and(|le| le.get() > 1500) {
            return says(&[], 0x6700);
        }
        files.answer(command)
    });
    assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2));
    drop(chip);
    assert!(count(&seen) <= 2 + 3 + 9, "{}", count(&seen));
}

#[test]
fn every_size_asked_for_fits_its_limit() {
    for cipher in ALL_CIPHERS {
        for max_reply in (2..700).chain([4000, 65_538]) {
            let limits = ChannelLimits { max_command: 600, max_reply };
            let sizes = ReadSizes::new(cipher, limits);
            assert!(sizes.ladder.is_sorted_by(|a, b| a > b), "{:?}", sizes.ladder);
            let room = if limits.allow_extended() { max_reply - 2 } else { (max_reply - 2).min(256) };
            assert!(sizes.ladder.iter().all(|&size| size <= largest_plain(cipher, room)));
        }
    }
}
