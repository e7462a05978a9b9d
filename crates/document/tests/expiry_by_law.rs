//! The table of expiries, written from the two laws and not from the code: every row, and of every boundary the
//! day before, the day itself and the day after.
//!
//! The 2014 Law on Citizen Identification, article 21: a card is renewed at 25, 40 and 60, and one issued within
//! the two years before such an age stays valid to the next. It issues cards from 14 on. The 2023 Law on
//! Identification, in force since 2024-07-01, adds 14 to the ages and issues cards from birth on. (cccd.md,
//! section 6.)

use cccd_document::expiry::{expiry_candidates, expiry_candidates_of};
use cccd_document::{PartialDate, Personal};
use time::Date;
use time::macros::date;

/// What a card says that never expires.
const NEVER: &str = "991231";
/// What it may say instead.
const FILLERS: &str = "<<<<<<";

/// Born, issued, and what the law says stands on the card, followed by what an office that counts a few days
/// differently may have put there.
type Row = (Date, Date, &'static [&'static str]);

const UNDER_2014: &[Row] = &[
    // Under 14 the law issues none. A few days before the fourteenth birthday an office may.
    (date!(2009 - 05 - 20), date!(2022 - 05 - 20), &[]),
    (date!(2008 - 05 - 20), date!(2022 - 05 - 19), &["330520"]),
    (date!(2008 - 05 - 20), date!(2022 - 05 - 20), &["330520"]),
    (date!(2008 - 05 - 20), date!(2022 - 05 - 21), &["330520"]),
    // 14 to under 23: to 25.
    (date!(2004 - 05 - 20), date!(2022 - 01 - 10), &["290520"]),
    (date!(1999 - 05 - 20), date!(2022 - 05 - 19), &["240520", "390520"]),
    // 23 to under 38: to 40.
    (date!(1999 - 05 - 20), date!(2022 - 05 - 20), &["390520", "240520"]),
    (date!(1999 - 05 - 20), date!(2022 - 05 - 21), &["390520", "240520"]),
    (date!(1990 - 01 - 02), date!(2022 - 03 - 15), &["300102"]),
    (date!(1984 - 05 - 20), date!(2022 - 05 - 19), &["240520", "440520"]),
    // 38 to under 58: to 60.
    (date!(1984 - 05 - 20), date!(2022 - 05 - 20), &["440520", "240520"]),
    (date!(1984 - 05 - 20), date!(2022 - 05 - 21), &["440520", "240520"]),
    (date!(1975 - 05 - 20), date!(2022 - 05 - 20), &["350520"]),
    (date!(1964 - 05 - 20), date!(2022 - 05 - 19), &["240520", NEVER, FILLERS]),
    // From 58 on: never. One vendor's program keeps to 60 until 59.
    (date!(1964 - 05 - 20), date!(2022 - 05 - 20), &[NEVER, "240520", FILLERS]),
    (date!(1964 - 05 - 20), date!(2022 - 05 - 21), &[NEVER, "240520", FILLERS]),
    (date!(1963 - 05 - 20), date!(2022 - 05 - 19), &[NEVER, "230520", FILLERS]),
    (date!(1963 - 05 - 20), date!(2022 - 05 - 20), &[NEVER, FILLERS]),
    (date!(1940 - 05 - 20), date!(2022 - 05 - 20), &[NEVER, FILLERS]),
];

const UNDER_2023: &[Row] = &[
    // Under 12: to 14.
    (date!(2025 - 05 - 20), date!(2025 - 05 - 20), &["390520"]),
    (date!(2019 - 05 - 20), date!(2025 - 05 - 20), &["330520"]),
    (date!(2013 - 05 - 20), date!(2025 - 05 - 19), &["270520", "380520"]),
    // 12 to under 14, and 14 to under 23: to 25.
    (date!(2013 - 05 - 20), date!(2025 - 05 - 20), &["380520", "270520"]),
    (date!(2013 - 05 - 20), date!(2025 - 05 - 21), &["380520", "270520"]),
    (date!(2012 - 05 - 20), date!(2025 - 05 - 20), &["370520"]),
    (date!(2011 - 05 - 20), date!(2025 - 05 - 19), &["360520"]),
    (date!(2011 - 05 - 20), date!(2025 - 05 - 20), &["360520"]),
    (date!(2011 - 05 - 20), date!(2025 - 05 - 21), &["360520"]),
    (date!(2005 - 05 - 20), date!(2025 - 05 - 20), &["300520"]),
    (date!(2002 - 05 - 20), date!(2025 - 05 - 19), &["270520", "420520"]),
    // 23 to under 38: to 40.
    (date!(2002 - 05 - 20), date!(2025 - 05 - 20), &["420520", "270520"]),
    (date!(2002 - 05 - 20), date!(2025 - 05 - 21), &["420520", "270520"]),
    (date!(1995 - 05 - 20), date!(2025 - 05 - 20), &["350520"]),
    (date!(1987 - 05 - 20), date!(2025 - 05 - 19), &["270520", "470520"]),
    // 38 to under 58: to 60.
    (date!(1987 - 05 - 20), date!(2025 - 05 - 20), &["470520", "270520"]),
    (date!(1987 - 05 - 20), date!(2025 - 05 - 21), &["470520", "270520"]),
    (date!(1977 - 05 - 20), date!(2025 - 05 - 20), &["370520"]),
    (date!(1967 - 05 - 20), date!(2025 - 05 - 19), &["270520", NEVER, FILLERS]),
    // From 58 on: never.
    (date!(1967 - 05 - 20), date!(2025 - 05 - 20), &[NEVER, "270520", FILLERS]),
    (date!(1967 - 05 - 20), date!(2025 - 05 - 21), &[NEVER, "270520", FILLERS]),
    (date!(1966 - 05 - 20), date!(2025 - 05 - 19), &[NEVER, "260520", FILLERS]),
    (date!(1966 - 05 - 20), date!(2025 - 05 - 20), &[NEVER, FILLERS]),
    (date!(1930 - 05 - 20), date!(2025 - 05 - 20), &[NEVER, FILLERS]),
];

/// The day the later law came into force: for a child under 14 it decides whether there is a card at all.
const FROM_LAW_TO_LAW: &[Row] = &[
    (date!(2014 - 01 - 10), date!(2024 - 06 - 10), &[]),
    // Days before: an office that was early.
    (date!(2014 - 01 - 10), date!(2024 - 06 - 30), &["280110"]),
    (date!(2014 - 01 - 10), date!(2024 - 07 - 01), &["280110"]),
    (date!(2014 - 01 - 10), date!(2024 - 07 - 02), &["280110"]),
    (date!(2011 - 06 - 01), date!(2024 - 06 - 10), &[]),
    (date!(2011 - 06 - 01), date!(2024 - 07 - 01), &["360601"]),
    // For everybody else nothing changes on that day.
    (date!(1990 - 01 - 02), date!(2024 - 06 - 30), &["300102"]),
    (date!(1990 - 01 - 02), date!(2024 - 07 - 01), &["300102"]),
];

/// Born on 29 February: a common year has the 28th and 1 March for a birthday, and which the card carries is not
/// known. The years of the boundaries that are leap years again have their own day.
const BORN_ON_LEAP_DAY: &[Row] = &[
    // 23 in 2027, a common year: reached on the 28th at the earliest; 25 falls in 2029, 40 in 2044.
    (date!(2004 - 02 - 29), date!(2027 - 02 - 27), &["290228", "290301", "440229"]),
    (date!(2004 - 02 - 29), date!(2027 - 02 - 28), &["440229", "290228", "290301"]),
    (date!(2004 - 02 - 29), date!(2027 - 03 - 01), &["440229", "290228", "290301"]),
    // 12 in 2028, a leap year; 14 falls in 2030, 25 in 2041.
    (date!(2016 - 02 - 29), date!(2028 - 02 - 28), &["300228", "300301", "410228", "410301"]),
    (date!(2016 - 02 - 29), date!(2028 - 02 - 29), &["410228", "410301", "300228", "300301"]),
    (date!(2016 - 02 - 29), date!(2028 - 03 - 01), &["410228", "410301", "300228", "300301"]),
    // 38 in 2022 under the earlier law; 40 falls in 2024, 60 in 2044.
    (date!(1984 - 02 - 29), date!(2022 - 02 - 27), &["240229", "440229"]),
    (date!(1984 - 02 - 29), date!(2022 - 02 - 28), &["440229", "240229"]),
    (date!(1984 - 02 - 29), date!(2022 - 03 - 01), &["440229", "240229"]),
    // 58 in 2026; 60 falls in 2028.
    (date!(1968 - 02 - 29), date!(2026 - 02 - 27), &["280229", NEVER, FILLERS]),
    (date!(1968 - 02 - 29), date!(2026 - 02 - 28), &[NEVER, "280229", FILLERS]),
    (date!(1968 - 02 - 29), date!(2026 - 03 - 01), &[NEVER, "280229", FILLERS]),
    // Issued on a 29 February to somebody born on another day.
    (date!(2001 - 03 - 01), date!(2024 - 02 - 29), &["260301", "410301"]),
];

#[test]
fn every_row_and_every_boundary_day_of_both_laws() {
    for (table, rows) in [
        ("2014", UNDER_2014),
        ("2023", UNDER_2023),
        ("from law to law", FROM_LAW_TO_LAW),
        ("29 February", BORN_ON_LEAP_DAY),
    ] {
        for &(birth, issued, expected) in rows {
            let found = expiry_candidates(birth, issued);
            let found: Vec<&str> = found.iter().map(|candidate| candidate.mrz.expose()).collect();
            assert_eq!(found, expected, "{table}: born {birth}, issued {issued}");
        }
    }
}

#[test]
fn a_birth_known_in_part_may_fall_on_either_side() {
    let mrz = |birth: &str, issued: Date| -> Vec<String> {
        let birth = PartialDate::from_iso(birth).unwrap();
        expiry_candidates_of(birth, issued).iter().map(|each| each.mrz.expose().to_owned()).collect()
    };
    assert_eq!(mrz("1990", date!(2022 - 03 - 15)), ["300101"]);
    assert_eq!(mrz("1990-06", date!(2022 - 03 - 15)), ["300601"]);
    // 37 or 38 in the middle of 2021.
    assert_eq!(mrz("1983", date!(2021 - 06 - 01)), ["430101", "230101"]);
    assert_eq!(mrz("1960", date!(2021 - 12 - 01)), [NEVER, FILLERS]);
    assert_eq!(mrz("1990-01-02", date!(2022 - 03 - 15)), ["300102"]);
    assert!(expiry_candidates_of(PartialDate::Unknown, date!(2022 - 03 - 15)).is_empty());
    let at_birth = expiry_candidates_of(PartialDate::from_iso("2025").unwrap(), date!(2025 - 06 - 01));
    assert_eq!(at_birth.first().map(|each| &each.mrz), Some(&Personal::from("390101")));
}
