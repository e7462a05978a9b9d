//! Moments as the databases hold them: milliseconds since the epoch.

use time::OffsetDateTime;

pub(crate) fn millis(moment: OffsetDateTime) -> i64 {
    // The years `time` knows fit.
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

pub(crate) fn moment(millis: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
