//! What a chip says of itself before access control: EF.CardAccess and EF.ATR/INFO.

use cccd_card::tlv::{Header, Length, Tag, TlvReader};
use cccd_card::{
    CardChannel, ChannelLimits, Command, ExpectedLength, SecretBytes, StatusWord, TransportError,
};
use cccd_document::{FileId, SecurityInfos};
use zeroize::Zeroizing;

use crate::pace::Variant;
use crate::shape::{CardAccessRoad, CardShape};
use crate::transport::exchange_plain;

/// EF.CardAccess as several apps for the Vietnamese card carry it, for cards that let nobody read theirs:
/// terminal authentication 1; chip authentication with AES-128; PACE-ECDH-GM with AES-128 on
/// brainpoolP256r1. Whether every generation of the card would show these bytes is not known.
const ASSUMED_CARD_ACCESS: [u8; 54] = [
    0x31, 0x34, 0x30, 0x0D, 0x06, 0x08, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, 0x02, 0x01, 0x01,
    0x30, 0x0F, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02, 0x02, 0x01, 0x01,
    0x30, 0x12, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02, 0x02, 0x02, 0x01, 0x02,
    0x02, 0x01, 0x0D,
];

/// No EF.CardAccess is longer than a few hundred bytes.
const LONGEST_CARD_ACCESS: usize = 4096;

/// EF.CardAccess, and where it is from.
#[derive(Debug)]
pub(crate) enum CardAccess {
    /// The chip showed it, along this road.
    Read(SecretBytes, Road),
    /// The chip showed none: what stands above may hold all the same.
    Assumed,
}

/// How a file under the master file could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    /// SELECT by file identifier, then READ BINARY.
    Identifier,
    /// READ BINARY with the short file identifier.
    ShortIdentifier,
}

/// EF.CardAccess, how it was found, and what else was learned on the way.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) card_access: CardAccess,
    pub(crate) way: CardAccessRoad,
    /// EF.ATR/INFO, where it was read by its short identifier.
    atr_info: Option<SecretBytes>,
}

impl Found {
    /// By what cards of its make are recognised.
    pub(crate) fn hash(&self) -> Option<[u8; 32]> {
        match &self.card_access {
            CardAccess::Read(bytes, _) => CardShape::hash_of(Some(bytes)),
            CardAccess::Assumed => None,
        }
    }
}

/// The variants of PACE in it.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Those we speak, the best first.
    pub(crate) variants: Vec<Variant>,
    /// The chip itself says that it runs PACE in some form.
    pub(crate) by_chip: bool,
}

impl CardAccess {
    /// What it offers.
    pub(crate) fn offer(&self) -> Offer {
        let (bytes, from_chip) = match self {
            Self::Read(bytes, _) => (bytes.as_slice(), true),
            Self::Assumed => (&ASSUMED_CARD_ACCESS[..], false),
        };
        let Ok(infos) = SecurityInfos::parse(bytes) else {
            // The file stands for PACE (ICAO 9303-11, 9.2.10): one that cannot be read says as much.
            return Offer { variants: Vec::new(), by_chip: from_chip };
        };
        let by_chip = from_chip && infos.pace_infos().next().is_some();
        let mut variants: Vec<_> = infos
            .pace_infos()
            .filter(|info| info.version == 2)
            .filter_map(|info| Variant::of(info.oid.as_bytes(), info.parameter_id))
            .collect();
        variants.sort_by_key(|variant| std::cmp::Reverse(variant.score()));
        variants.dedup();
        Offer { variants, by_chip }
    }

    /// The bytes, if they are the chip's.
    pub(crate) fn into_bytes(self) -> Option<SecretBytes> {
        match self {
            Self::Read(bytes, _) => Some(bytes),
            Self::Assumed => None,
        }
    }
}

/// Reads EF.CardAccess.
///
/// Some chips answer SELECT of the master file with 6D00, 6982 and more, and let EF.CardAccess be selected
/// all the same; so the master file comes last, and what it answers does not matter. Where a card of this make went a
/// way before, that is the first.
///
/// A chip that says 6A82 to SELECT, while it gives EF.ATR/INFO out of the same directory, has no EF.CardAccess: both lie
/// under the master file (ICAO 9303-10, 3.6), and the other ways lead to the same place.
pub(crate) fn card_access(
    channel: &mut dyn CardChannel,
    known: Option<CardAccessRoad>,
) -> Result<Found, TransportError> {
    let (mut atr_info, mut short_was_tried) = (None, false);
    for way in CardAccessRoad::first(known) {
        let road = match way {
            CardAccessRoad::ShortIdentifier if short_was_tried => continue,
            CardAccessRoad::ShortIdentifier => Road::ShortIdentifier,
            _ => Road::Identifier,
        };
        let is_short = road == Road::ShortIdentifier;
        if way == CardAccessRoad::AfterMasterFile {
            exchange_plain(channel, &Command::new(0x00, 0xA4, 0x00, 0x0C).data(&[0x3F, 0x00]))?;
        }
        let status = match open(channel, FileId::CardAccess, road)? {
            Ok(first) => {
                // What is selected can be read by its short identifier as well, where the chip knows those; then the
                // next card of its make is spared the SELECT.
                if way == CardAccessRoad::Identifier && !short_was_tried {
                    short_was_tried = true;
                    if let Some(bytes) = read_whole(channel, &by_short_identifier(FileId::CardAccess))? {
                        let card_access = CardAccess::Read(bytes, Road::ShortIdentifier);
                        return Ok(Found { card_access, way: CardAccessRoad::ShortIdentifier, atr_info });
                    }
                }
                short_was_tried |= is_short;
                if let Some(bytes) = read_whole(channel, &first)? {
                    return Ok(Found { card_access: CardAccess::Read(bytes, road), way, atr_info });
                }
                continue;
            }
            Err(status) => status,
        };
        if way == CardAccessRoad::Identifier && known.is_none() && status.is_not_found() {
            atr_info = read_atr_info(channel, &by_short_identifier(FileId::AtrInfo))?;
            if atr_info.is_some() {
                break;
            }
        }
    }
    Ok(Found { card_access: CardAccess::Assumed, way: CardAccessRoad::Nowhere, atr_info })
}

/// What the card carries at once, as far as it says, and never more than `limits`.
///
/// Extended length is used where EF.ATR/INFO gives the figures (ISO/IEC 7816-4, 12.7.1), where the
/// historical bytes claim it, or where a trial read works. Everything here is plain: a trial that fails
/// under secure messaging would cost the session.
pub(crate) fn card_limits(
    channel: &mut dyn CardChannel,
    found: &Found,
    limits: ChannelLimits,
) -> Result<ChannelLimits, TransportError> {
    let short = limits.min(ChannelLimits::SHORT);
    let claim = channel.atr().claims_extended_length();
    if !limits.allow_extended() || claim == Some(false) {
        return Ok(short);
    }
    let told = match &found.atr_info {
        Some(bytes) => extended_length_information(bytes),
        None => told_limits(channel)?,
    };
    if let Some(told) = told {
        let both = limits.min(told);
        return Ok(if both.allow_extended() { both } else { short });
    }
    let works = match (claim, &found.card_access) {
        (Some(true), _) => true,
        (_, CardAccess::Read(_, road)) => trial_read(channel, *road)?,
        (_, CardAccess::Assumed) => false,
    };
    Ok(if works { limits } else { short })
}

/// The figures of DO7F66 in EF.ATR/INFO.
fn told_limits(channel: &mut dyn CardChannel) -> Result<Option<ChannelLimits>, TransportError> {
    for road in [Road::ShortIdentifier, Road::Identifier] {
        let Ok(first) = open(channel, FileId::AtrInfo, road)? else { continue };
        if let Some(bytes) = read_atr_info(channel, &first)? {
            return Ok(extended_length_information(&bytes));
        }
    }
    Ok(None)
}

/// EF.ATR/INFO, as far as one reply holds it.
fn read_atr_info(
    channel: &mut dyn CardChannel,
    first: &Command,
) -> Result<Option<SecretBytes>, TransportError> {
    let reply = exchange_plain(channel, &first.clone().expect(ExpectedLength::SHORT_MAX))?;
    // Where another directory is the current one, its first file has the same short identifier: EF.DG1 of a chip
    // without access control.
    let is_it = reply.status().carries_data()
        && !matches!(Header::peek(reply.data()), Err(_) | Ok(Header { tag: Tag(0x61), .. }));
    Ok(is_it.then(|| reply.into_data()))
}

/// DO7F66: two INTEGERs, the longest command and the longest response APDU.
fn extended_length_information(atr_info: &[u8]) -> Option<ChannelLimits> {
    let mut objects = TlvReader::new(atr_info);
    // A file read with more than its length ends in padding, which is no object: stop there.
    while let Ok(Some(object)) = objects.next_object() {
        if object.tag == Tag(0x7F66) {
            let mut numbers = TlvReader::new(object.value);
            let mut number = || {
                let value = numbers.expect(Tag(0x02)).ok()?;
                (value.len() <= 4)
                    .then(|| value.iter().fold(0usize, |number, &byte| number << 8 | usize::from(byte)))
            };
            return Some(ChannelLimits { max_command: number()?, max_reply: number()? });
        }
    }
    None
}

/// Reads EF.CardAccess once more, with an extended Le.
fn trial_read(channel: &mut dyn CardChannel, road: Road) -> Result<bool, TransportError> {
    let Ok(first) = open(channel, FileId::CardAccess, road)? else { return Ok(false) };
    match exchange_plain(channel, &first.expect(ExpectedLength::EXTENDED_MAX)) {
        Ok(reply) => Ok(reply.status().carries_data() && !reply.data().is_empty()),
        // The driver would not have it, or the card fell silent over it.
        Err(TransportError::NotTransacted) => channel.reset().map(|()| false),
        Err(error) => Err(error),
    }
}

/// Makes `file` the current one, or finds that it needs no making; then the command that reads its front. Otherwise
/// what SELECT was answered.
fn open(
    channel: &mut dyn CardChannel,
    file: FileId,
    road: Road,
) -> Result<Result<Command, StatusWord>, TransportError> {
    Ok(match road {
        Road::Identifier => {
            let select = Command::new(0x00, 0xA4, 0x02, 0x0C).data(&file.fid().to_be_bytes());
            let status = exchange_plain(channel, &select)?.status();
            // 6283 is a warning too far: a file that is deactivated is as good as none.
            if status.is_ok() { Ok(Command::new(0x00, 0xB0, 0x00, 0x00)) } else { Err(status) }
        }
        Road::ShortIdentifier => Ok(by_short_identifier(file)),
    })
}

/// READ BINARY of a file's front, which makes it the current one.
fn by_short_identifier(file: FileId) -> Command {
    Command::new(0x00, 0xB0, 0x80 | file.sfi(), 0x00)
}

/// Reads a file up to the end of its outermost object.
fn read_whole(channel: &mut dyn CardChannel, first: &Command) -> Result<Option<SecretBytes>, TransportError> {
    let room = channel.limits().max_reply.saturating_sub(2);
    let mut chunk = room.min(256);
    let mut reply = exchange_plain(channel, &first.clone().expect(ExpectedLength::new(chunk)))?;
    if !reply.status().carries_data() || reply.data().is_empty() {
        if !is_about_length(reply.status()) {
            return Ok(None);
        }
        // Le of more than the file holds is refused by some chips: its header first, then the rest exactly.
        chunk = room.min(96);
        reply = exchange_plain(channel, &first.clone().expect(ExpectedLength::new(4)))?;
    }
    let mut bytes = Zeroizing::new(Vec::new());
    loop {
        if !reply.status().carries_data() || reply.data().is_empty() {
            return Ok(None);
        }
        bytes.extend_from_slice(reply.data());
        let Ok(Header { length: Length::Definite(length), size, tag }) = Header::peek(&bytes) else {
            return Ok(None);
        };
        let total = size.saturating_add(length);
        if !matches!(tag, Tag(0x31 | 0x30)) || total > LONGEST_CARD_ACCESS {
            return Ok(None);
        }
        let Some(missing) = total.checked_sub(bytes.len()).filter(|&missing| missing > 0) else {
            bytes.truncate(total);
            return Ok(Some(bytes));
        };
        let [high, low] = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        let next = Command::new(0x00, 0xB0, high, low).expect(ExpectedLength::new(missing.min(chunk)));
        reply = exchange_plain(channel, &next)?;
    }
}

/// 6700, 6B00 or 6Cxx: the command would have been fine with another length. 6282 with nothing in it too.
pub(crate) fn is_about_length(status: StatusWord) -> bool {
    matches!(status, StatusWord::WRONG_LENGTH | StatusWord::WRONG_OFFSET | StatusWord::END_OF_FILE)
        || status.right_length().is_some()
}

#[cfg(test)]
mod tests {
    use cccd_document::{Cipher, SelectedPace};

    use super::*;
    use crate::testing::{Script, hex};

    const SELECT: &str = "00A4020C02011C";
    const READ: &str = "00B0000000";
    const READ_SFI: &str = "00B09C0000";
    const READ_ATR_INFO: &str = "00B0810000";
    const SELECT_MF: &str = "00A4000C023F00";
    const ONE_PACE: &str = "31143012060A04007F0007020204020202010202010D";

    fn read(steps: &[(&str, &str)]) -> CardAccess {
        let mut chip = Script::of(steps);
        let found = card_access(&mut chip, None).unwrap();
        chip.finish();
        found.card_access
    }

    fn ok(data: &str) -> String {
        format!("{data}9000")
    }

    #[test]
    fn the_file_is_selected_without_the_master_file() {
        let answer = ok(ONE_PACE);
        let chip = [(SELECT, "9000"), (READ_SFI, answer.as_str())];
        let CardAccess::Read(bytes, road) = read(&chip) else { panic!() };
        assert_eq!((bytes.to_vec(), road), (hex(ONE_PACE), Road::ShortIdentifier));
        // A chip that knows no short identifiers.
        let chip = [(SELECT, "9000"), (READ_SFI, "6A86"), (READ, answer.as_str())];
        let CardAccess::Read(bytes, road) = read(&chip) else { panic!() };
        assert_eq!((bytes.to_vec(), road), (hex(ONE_PACE), Road::Identifier));
    }

    #[test]
    fn the_short_identifier_comes_second_and_the_master_file_last() {
        let answer = ok(ONE_PACE);
        let chip = [(SELECT, "6A82"), (READ_ATR_INFO, "6A82"), (READ_SFI, answer.as_str())];
        let CardAccess::Read(_, road) = read(&chip) else { panic!() };
        assert_eq!(road, Road::ShortIdentifier);
        // Whatever the master file answers, the file may be there afterwards.
        for answer_of_mf in ["9000", "6D00", "6982", "6A81", "6A86", "6A87", "6985"] {
            let found = read(&[
                (SELECT, "6D00"),
                (READ_SFI, "6A82"),
                (SELECT_MF, answer_of_mf),
                (SELECT, "9000"),
                (READ, &answer),
            ]);
            assert!(matches!(found, CardAccess::Read(_, Road::Identifier)), "{answer_of_mf}");
        }
    }

    #[test]
    fn a_chip_that_refuses_all_of_it_is_assumed_to_run_pace() {
        // 6283 (Malaysia) counts as absent.
        for refusal in ["6A82", "6283", "6982"] {
            let asked = (refusal == "6A82").then_some((READ_ATR_INFO, "6A82"));
            let rest = [(READ_SFI, refusal), (SELECT_MF, "6D00"), (SELECT, refusal)];
            let steps: Vec<_> = [(SELECT, refusal)].into_iter().chain(asked).chain(rest).collect();
            let found = read(&steps);
            let offer = found.offer();
            assert!(!offer.by_chip);
            assert_eq!(
                offer.variants.iter().map(|v| v.selected()).collect::<Vec<_>>(),
                [SelectedPace {
                    mapping: cccd_document::Mapping::Generic,
                    cipher: Cipher::Aes128,
                    parameter_id: 13
                }]
            );
            assert_eq!(found.into_bytes(), None);
        }
    }

    #[test]
    fn the_way_a_card_of_this_make_went_is_the_first_and_the_others_follow() {
        let answer = ok(ONE_PACE);
        let read = |known, steps: &[(&str, &str)]| {
            let mut chip = Script::of(steps);
            let found = card_access(&mut chip, Some(known)).unwrap();
            chip.finish();
            (found.hash().is_some(), found.way)
        };
        let found = read(CardAccessRoad::ShortIdentifier, &[(READ_SFI, &answer)]);
        assert_eq!(found, (true, CardAccessRoad::ShortIdentifier));
        let steps = [(SELECT_MF, "6D00"), (SELECT, "9000"), (READ, answer.as_str())];
        assert_eq!(read(CardAccessRoad::AfterMasterFile, &steps).1, CardAccessRoad::AfterMasterFile);
        // Another card of the same answer-to-reset goes another way.
        let steps = [(READ_SFI, "6A82"), (SELECT, "9000"), (READ, answer.as_str())];
        assert_eq!(read(CardAccessRoad::ShortIdentifier, &steps).1, CardAccessRoad::Identifier);
        // One that had none is asked once all the same.
        assert_eq!(read(CardAccessRoad::Nowhere, &[(SELECT, "6A82")]), (false, CardAccessRoad::Nowhere));
        let found = read(CardAccessRoad::Nowhere, &[(SELECT, "9000"), (READ_SFI, &answer)]);
        assert_eq!(found, (true, CardAccessRoad::ShortIdentifier));
    }

    #[test]
    fn a_chip_that_shows_its_other_file_and_not_this_one_has_none() {
        let atr_info = ok("43 01 B8 7F66 08 02 02 0400 02 02 0800");
        let mut chip =
            Script::of(&[(SELECT, "6A82"), (READ_ATR_INFO, &atr_info)]).with_limits(ChannelLimits::EXTENDED);
        let found = card_access(&mut chip, None).unwrap();
        assert_eq!((found.hash(), found.way), (None, CardAccessRoad::Nowhere));
        // The figures in it are taken: it is not read a second time.
        let limits = card_limits(&mut chip, &found, ChannelLimits::EXTENDED).unwrap();
        assert_eq!(limits, ChannelLimits { max_command: 0x400, max_reply: 0x800 });
        chip.finish();
        // Where the application is the current directory, its first file is EF.DG1: nothing is known by that.
        let rest = [(READ_SFI, "6A82"), (SELECT_MF, "9000"), (SELECT, "6A82")];
        for other in [ok("61 5D 5F 1F"), ok(""), "6982".to_owned()] {
            let steps = [&[(SELECT, "6A82"), (READ_ATR_INFO, other.as_str())][..], &rest].concat();
            assert!(matches!(read(&steps), CardAccess::Assumed), "{other}");
        }
    }

    #[test]
    fn a_long_file_is_read_in_pieces_and_cut_at_its_end() {
        let content = format!("3182012C{}", "AB".repeat(300));
        let (front, back) = content.split_at(512);
        let (front, back) = (ok(front), ok(&format!("{back}0000")));
        let steps = [(SELECT, "9000"), (READ_SFI, front.as_str()), ("00B0010030", &back)];
        let CardAccess::Read(bytes, _) = read(&steps) else { panic!() };
        assert_eq!(bytes.to_vec(), hex(&content));
    }

    #[test]
    fn a_refused_le_leads_to_header_and_rest() {
        let (head, rest) = ONE_PACE.split_at(8);
        for refusal in ["6700", "6B00", "6282"] {
            let found = read(&[
                (SELECT, "9000"),
                (READ_SFI, refusal),
                ("00B09C0004", &ok(head)),
                ("00B0000412", &ok(rest)),
            ]);
            assert_eq!(found.into_bytes().map(|bytes| bytes.to_vec()), Some(hex(ONE_PACE)));
        }
    }

    #[test]
    fn what_is_no_list_is_not_read_and_never_waited_for() {
        for content in ["", "6E82FFFF", "3184FFFFFFFF00", "3180", "31"] {
            let answer = ok(content);
            let found = read(&[
                (SELECT, "9000"),
                (READ_SFI, &answer),
                (READ, &answer),
                (SELECT_MF, "9000"),
                (SELECT, "6A82"),
            ]);
            assert!(matches!(found, CardAccess::Assumed), "{content}");
        }
        // A file that ends before it should.
        let found = read(&[
            (SELECT, "9000"),
            (READ_SFI, &ok("3114")),
            ("00B0000214", "9000"),
            (READ, "6A86"),
            (SELECT_MF, "9000"),
            (SELECT, "6A82"),
        ]);
        assert!(matches!(found, CardAccess::Assumed));
    }

    #[test]
    fn the_best_variant_comes_first_and_foreign_ones_fall_out() {
        // A mapping nobody has defined; 3DES on P-256; AES-256 on P-384; AES-128 on brainpoolP256r1; version 1.
        let info = |arcs: &str, version: u8, id: u8| {
            format!("3012060A04007F0007020204{arcs}0201{version:02X}0201{id:02X}")
        };
        let list = [
            info("0502", 2, 13),
            info("0201", 2, 12),
            info("0204", 2, 15),
            info("0202", 2, 13),
            info("0202", 1, 12),
        ]
        .concat();
        let content = hex(&format!("31{:02X}{list}", list.len() / 2));
        let offer = CardAccess::Read(Zeroizing::new(content), Road::Identifier).offer();
        let found: Vec<_> = offer.variants.iter().map(|v| v.selected().parameter_id).collect();
        assert_eq!(found, [13, 15, 12]);
        assert!(offer.by_chip);
    }

    #[test]
    fn a_file_that_cannot_be_understood_still_says_pace() {
        let broken = CardAccess::Read(Zeroizing::new(hex("310430820001")), Road::Identifier);
        let offer = broken.offer();
        assert!(offer.by_chip);
        assert!(offer.variants.is_empty());
    }

    fn selected() -> Found {
        let card_access = CardAccess::Read(Zeroizing::new(hex(ONE_PACE)), Road::Identifier);
        Found { card_access, way: CardAccessRoad::Identifier, atr_info: None }
    }

    fn limits_of(steps: &[(&str, &str)], atr: &str, limits: ChannelLimits) -> (ChannelLimits, usize) {
        let mut chip = Script::of(steps).with_limits(limits).with_atr(atr);
        let found = card_limits(&mut chip, &selected(), limits).unwrap();
        chip.finish();
        (found, chip.resets)
    }

    const SILENT_ATR: &str = "3B80800101";
    const CLAIMING_ATR: &str = "3B85800180730000 40 00";
    const DENYING_ATR: &str = "3B85800180730000 00 00";

    #[test]
    fn a_short_reader_asks_the_card_nothing() {
        let (found, _) = limits_of(&[], CLAIMING_ATR, ChannelLimits::SHORT);
        assert_eq!(found, ChannelLimits::SHORT);
        let (found, _) = limits_of(&[], DENYING_ATR, ChannelLimits::EXTENDED);
        assert_eq!(found, ChannelLimits::SHORT);
    }

    #[test]
    fn figures_of_atr_info_are_taken() {
        let answer = ok("43 01 B8 7F66 08 02 02 0400 02 02 0800 47 03 940180");
        let steps = [("00B0810000", answer.as_str())];
        let (found, _) = limits_of(&steps, SILENT_ATR, ChannelLimits::EXTENDED);
        assert_eq!(found, ChannelLimits { max_command: 0x400, max_reply: 0x800 });
        let narrow = ChannelLimits { max_command: 300, max_reply: 65538 };
        let (found, _) = limits_of(&steps, SILENT_ATR, narrow);
        assert_eq!(found, ChannelLimits { max_command: 300, max_reply: 0x800 });
        // Figures that allow no more than short lengths.
        let answer = ok("7F66 08 02 02 0105 02 02 0102");
        let (found, _) = limits_of(&[("00B0810000", &answer)], SILENT_ATR, ChannelLimits::EXTENDED);
        assert_eq!(found, ChannelLimits::SHORT);
    }

    #[test]
    fn without_figures_the_claim_of_the_atr_counts() {
        let steps = [("00B0810000", "6982"), ("00A4020C022F01", "6A82")];
        let (found, _) = limits_of(&steps, CLAIMING_ATR, ChannelLimits::EXTENDED);
        assert_eq!(found, ChannelLimits::EXTENDED);
    }

    #[test]
    fn without_either_a_trial_decides() {
        let trial = |answer: &str, expected| {
            let steps = [
                ("00B0810000", "6A82"),
                ("00A4020C022F01", "6A82"),
                (SELECT, "9000"),
                ("00B00000000000", answer),
            ];
            assert_eq!(limits_of(&steps, SILENT_ATR, ChannelLimits::EXTENDED).0, expected);
        };
        trial(&ok(ONE_PACE), ChannelLimits::EXTENDED);
        trial("6700", ChannelLimits::SHORT);
        trial("9000", ChannelLimits::SHORT);
    }

    #[test]
    fn a_trial_the_driver_refuses_ends_in_a_reset() {
        let mut chip = Script::answering_or_failing(|command| match command.len() {
            7 if command[1] == 0xB0 => Err(TransportError::NotTransacted),
            _ if command[..2] == [0x00, 0xA4] && command[6] == 0x1C => Ok(vec![0x90, 0x00]),
            _ => Ok(vec![0x6A, 0x82]),
        })
        .with_limits(ChannelLimits::EXTENDED);
        let found = card_limits(&mut chip, &selected(), ChannelLimits::EXTENDED).unwrap();
        assert_eq!((found, chip.resets), (ChannelLimits::SHORT, 1));
    }
}
