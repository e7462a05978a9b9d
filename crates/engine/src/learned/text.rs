//! What was learned, written down: a line for each make of card, and one for a reader.

use cccd_card::ChannelLimits;
use cccd_emrtd::{AssumedPace, CardAccessRoad, CardShape, FileFront, FileRoad};

use super::{MAKES, ReaderReach};

const NONE: &str = "-";

/// One line for each shape: hash of EF.CardAccess, its road, longest command and reply, assumed PACE, road of the
/// files, most at once, front of a file.
pub(super) fn of_shapes(shapes: &[CardShape]) -> String {
    let lines: Vec<_> = shapes.iter().map(of_shape).collect();
    lines.join("\n")
}

/// The other way round. A line that cannot be understood is left out.
pub(super) fn shapes(text: &str) -> Vec<CardShape> {
    text.lines().take(MAKES).filter_map(shape).collect()
}

fn of_shape(shape: &CardShape) -> String {
    let hash = shape.card_access_hash.map_or(NONE.to_owned(), hex::encode);
    let road = match shape.card_access {
        CardAccessRoad::Identifier => "identifier",
        CardAccessRoad::ShortIdentifier => "short-identifier",
        CardAccessRoad::AfterMasterFile => "after-master-file",
        CardAccessRoad::Nowhere => "nowhere",
    };
    let ChannelLimits { max_command, max_reply } = shape.limits;
    let pace = match shape.assumed_pace {
        AssumedPace::Possible => "possible",
        AssumedPace::Refused => "refused",
    };
    let files = match shape.files {
        FileRoad::ShortIdentifier => "short-identifier",
        FileRoad::Identifier => "identifier",
    };
    let most = shape.most_at_once.map_or(NONE.to_owned(), |most| most.to_string());
    let front = match shape.front {
        FileFront::Whole => "whole",
        FileFront::Header => "header",
    };
    format!("{hash} {road} {max_command} {max_reply} {pace} {files} {most} {front}")
}

fn shape(line: &str) -> Option<CardShape> {
    let words: Vec<&str> = line.split(' ').collect();
    let [hash, road, max_command, max_reply, pace, files, most, front] = words[..] else { return None };
    let limits = ChannelLimits { max_command: max_command.parse().ok()?, max_reply: max_reply.parse().ok()? };
    // Less than any card takes: a shape that would spoil every reading.
    if limits.max_command < ChannelLimits::SHORT.max_command || limits.max_reply < LEAST_REPLY {
        return None;
    }
    Some(CardShape {
        card_access_hash: match hash {
            NONE => None,
            hash => Some(hex::decode(hash).ok()?.try_into().ok()?),
        },
        card_access: match road {
            "identifier" => CardAccessRoad::Identifier,
            "short-identifier" => CardAccessRoad::ShortIdentifier,
            "after-master-file" => CardAccessRoad::AfterMasterFile,
            "nowhere" => CardAccessRoad::Nowhere,
            _ => return None,
        },
        limits,
        assumed_pace: match pace {
            "possible" => AssumedPace::Possible,
            "refused" => AssumedPace::Refused,
            _ => return None,
        },
        files: match files {
            "short-identifier" => FileRoad::ShortIdentifier,
            "identifier" => FileRoad::Identifier,
            _ => return None,
        },
        most_at_once: match most {
            NONE => None,
            most => Some(most.parse().ok().filter(|most| *most >= LEAST_AT_ONCE)?),
        },
        front: match front {
            "whole" => FileFront::Whole,
            "header" => FileFront::Header,
            _ => return None,
        },
    })
}

/// The least a reply is ever limited to.
const LEAST_REPLY: usize = 100;
/// The least of a file that is ever asked for at once.
const LEAST_AT_ONCE: usize = 48;

/// Longest command and reply that passed, and how often extended length did not.
pub(super) fn of_reach(reach: &ReaderReach) -> String {
    format!("{} {} {}", reach.longest_command, reach.longest_reply, reach.refusals)
}

pub(super) fn reach(text: &str) -> Option<ReaderReach> {
    let numbers: Option<Vec<usize>> = text.split(' ').map(|word| word.parse().ok()).collect();
    let [longest_command, longest_reply, refusals] = numbers?[..] else { return None };
    let refusals = u32::try_from(refusals).ok()?;
    Some(ReaderReach { longest_command, longest_reply, refusals, news: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_the_same() {
        let mut all = Vec::new();
        for (card_access, files, front) in [
            (CardAccessRoad::Identifier, FileRoad::Identifier, FileFront::Header),
            (CardAccessRoad::ShortIdentifier, FileRoad::ShortIdentifier, FileFront::Whole),
            (CardAccessRoad::AfterMasterFile, FileRoad::Identifier, FileFront::Whole),
            (CardAccessRoad::Nowhere, FileRoad::ShortIdentifier, FileFront::Header),
        ] {
            for (assumed_pace, most_at_once) in
                [(AssumedPace::Possible, None), (AssumedPace::Refused, Some(160))]
            {
                let card_access_hash = (card_access != CardAccessRoad::Nowhere).then_some([0xA5; 32]);
                let limits = ChannelLimits { max_command: 2048, max_reply: 4096 };
                all.push(CardShape {
                    card_access_hash,
                    card_access,
                    limits,
                    assumed_pace,
                    files,
                    most_at_once,
                    front,
                });
            }
        }
        assert_eq!(shapes(&of_shapes(&all)), all);
        let seen = ReaderReach { longest_command: 412, longest_reply: 17_000, refusals: 1, news: false };
        assert_eq!(reach(&of_reach(&seen)), Some(seen));
    }

    #[test]
    fn what_would_spoil_readings_is_left_out() {
        let good = "- nowhere 261 258 refused short-identifier - whole";
        assert_eq!(shapes(good).len(), 1);
        for bad in [
            "",
            "- nowhere 261 258 refused short-identifier -",
            "- nowhere 261 258 refused short-identifier - whole more",
            "- nowhere 5 258 refused short-identifier - whole",
            "- nowhere 261 2 refused short-identifier - whole",
            "- nowhere 261 258 refused short-identifier 0 whole",
            "AA nowhere 261 258 refused short-identifier - whole",
            "- anywhere 261 258 refused short-identifier - whole",
        ] {
            assert!(shapes(bad).is_empty(), "{bad}");
        }
        assert_eq!(shapes(&[good; 20].join("\n")).len(), MAKES);
        for bad in ["", "1 2", "1 2 3 4", "a b c", "1 2 99999999999999"] {
            assert_eq!(reach(bad), None, "{bad}");
        }
    }
}
