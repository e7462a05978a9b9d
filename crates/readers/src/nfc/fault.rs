//! What libnfc's error codes mean for a reading (libnfc 1.8, `nfc.h`).

/// Whose move it is after an error of libnfc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The card has left.
    CardGone,
    /// The exchange went wrong in the air or in the chip: the card may have left, or lie badly.
    Uncertain,
    /// The reader did not answer in time.
    Silent,
    /// The reader is of no use until it is opened anew.
    Unusable,
}

/// The reader's line broke, or what came over it was no frame.
pub(super) const EIO: i32 = -1;
/// An argument that libnfc refuses; a check where no card was ever found.
pub(super) const EINVARG: i32 = -2;
pub(super) const EDEVNOTSUPP: i32 = -3;
pub(super) const ENOTSUCHDEV: i32 = -4;
/// The answer did not fit.
pub(super) const EOVFLOW: i32 = -5;
pub(super) const ETIMEOUT: i32 = -6;
pub(super) const EOPABORTED: i32 = -7;
pub(super) const ENOTIMPL: i32 = -8;
pub(super) const ETGRELEASED: i32 = -10;
/// Time-out, checksum, parity, collision or protocol fault between chip and card.
pub(super) const ERFTRANS: i32 = -20;
pub(super) const EMFCAUTHFAIL: i32 = -30;
/// libnfc ran out of memory or files.
pub(super) const ESOFT: i32 = -80;
pub(super) const ECHIP: i32 = -90;

/// Every code there is, with its name and its meaning.
pub(super) const CODES: [(i32, &str, Meaning); 13] = [
    (EIO, "NFC_EIO", Meaning::Unusable),
    (EINVARG, "NFC_EINVARG", Meaning::Uncertain),
    (EDEVNOTSUPP, "NFC_EDEVNOTSUPP", Meaning::Unusable),
    (ENOTSUCHDEV, "NFC_ENOTSUCHDEV", Meaning::Unusable),
    (EOVFLOW, "NFC_EOVFLOW", Meaning::Uncertain),
    (ETIMEOUT, "NFC_ETIMEOUT", Meaning::Silent),
    (EOPABORTED, "NFC_EOPABORTED", Meaning::Uncertain),
    (ENOTIMPL, "NFC_ENOTIMPL", Meaning::Unusable),
    (ETGRELEASED, "NFC_ETGRELEASED", Meaning::CardGone),
    (ERFTRANS, "NFC_ERFTRANS", Meaning::Uncertain),
    (EMFCAUTHFAIL, "NFC_EMFCAUTHFAIL", Meaning::Uncertain),
    (ESOFT, "NFC_ESOFT", Meaning::Unusable),
    (ECHIP, "NFC_ECHIP", Meaning::Uncertain),
];

/// What a code means. One that nobody knows says that this libnfc is not the one we know.
pub(super) fn meaning(code: i32) -> Meaning {
    CODES.iter().find(|(known, ..)| *known == code).map_or(Meaning::Unusable, |(.., meaning)| *meaning)
}

/// A code's name, for the log.
pub(super) fn name(code: i32) -> &'static str {
    CODES.iter().find(|(known, ..)| *known == code).map_or("an unknown error", |(_, name, _)| name)
}
