//! When a Vietnamese identity card expires: the rule of two laws, for opening a chip from its QR code.
//!
//! The 2014 Law on Citizen Identification, article 21, and the 2023 Law on Identification (in force since
//! 2024-07-01) have a card renewed at 25, 40 and 60, the latter at 14 too; one issued within the two years
//! before such an age stays valid to the next. Some programs, and perhaps some cards, count differently
//! close to a boundary: there both dates are candidates. The chip decides which is right.

use time::{Date, Duration, Month};

use crate::{PartialDate, Personal};

/// The day the 2023 law came into force.
const LAW_2023: Date = match Date::from_calendar_date(2024, Month::July, 1) {
    Ok(date) => date,
    Err(_) => Date::MIN,
};

/// Age at issue in years, up to which the card expires at the next age. From the last on there is no expiry.
const ROWS: [(i32, i32); 5] = [(12, 14), (14, 25), (23, 40), (38, 60), (58, 0)];

/// How far from a boundary both sides are candidates. Programs that count a year as 365 days are off by a
/// day for every leap year: fourteen days at 58.
const DOUBT: Duration = Duration::days(15);

/// A date a card may carry as its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryCandidate {
    /// The six characters in the MRZ.
    pub mrz: Personal,
    /// The date. `None` for a card that does not expire.
    pub date: Option<Date>,
}

/// What a card issued to someone born on `birth` may carry, likeliest first, without repetition.
///
/// The first is what the law of the day of issue says. At most five; empty where no law would have issued a card
/// then.
///
/// ```
/// use cccd_document::expiry::expiry_candidates;
/// use time::macros::date;
///
/// let candidates = expiry_candidates(date!(1990 - 01 - 02), date!(2022 - 03 - 15));
/// assert_eq!(candidates.len(), 1);
/// assert_eq!(candidates[0].mrz.expose(), "300102");
/// ```
pub fn expiry_candidates(birth: Date, issued: Date) -> Vec<ExpiryCandidate> {
    candidates(&ages(birth, issued), birth)
}

/// The same for a birth of which a part may be unknown: the person may have been as old as one born on its first
/// day, or as young as one born on its last. What day and month such a card expires on is not known (cccd.md,
/// section 6); it is reckoned from the first.
pub fn expiry_candidates_of(birth: PartialDate, issued: Date) -> Vec<ExpiryCandidate> {
    let (Some(first), Some(last)) = (birth.first_day(), birth.last_day()) else { return vec![] };
    let mut found = ages(first, issued);
    if last != first {
        for age in ages(last, issued) {
            if !found.contains(&age) {
                found.push(age);
            }
        }
    }
    candidates(&found, first)
}

fn ages(birth: Date, issued: Date) -> Vec<Age> {
    if issued < birth {
        return vec![];
    }
    let mut ages = Vec::new();
    // The statute first, then what stands on the other side of a boundary close by.
    for day in [issued, issued.saturating_sub(DOUBT), issued.saturating_add(DOUBT)] {
        ages.extend(expiry_age(birth, day, issued).filter(|age| !ages.contains(age)));
    }
    // One vendor's program lets a card issued at 58 expire at 60 until the holder is 59.
    if reached(birth, 58, issued) && !reached(birth, 59, issued) && !ages.contains(&Age::Years(60)) {
        ages.push(Age::Years(60));
    }
    ages
}

fn candidates(ages: &[Age], birth: Date) -> Vec<ExpiryCandidate> {
    let mut candidates: Vec<ExpiryCandidate> = ages.iter().flat_map(|age| age.candidates(birth)).collect();
    // Less likely than any date: no card was seen with it.
    if ages.contains(&Age::Never) {
        candidates.push(ExpiryCandidate { mrz: Personal::from("<<<<<<"), date: None });
    }
    candidates
}

/// What a card that is known not to expire may carry.
pub fn no_expiry_candidates() -> Vec<ExpiryCandidate> {
    ["991231", "<<<<<<"].map(|mrz| ExpiryCandidate { mrz: Personal::from(mrz), date: None }).to_vec()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Years(i32),
    Never,
}

impl Age {
    fn candidates(self, birth: Date) -> Vec<ExpiryCandidate> {
        match self {
            Self::Years(years) => birthdays(birth, years).map(dated).collect(),
            Self::Never => vec![ExpiryCandidate { mrz: Personal::from("991231"), date: None }],
        }
    }
}

/// At which age a card expires that was issued on `day`, or truly on `issued`, a few days from it.
fn expiry_age(birth: Date, day: Date, issued: Date) -> Option<Age> {
    if day < birth {
        return None;
    }
    let row = ROWS.iter().find(|&&(up_to, _)| !reached(birth, up_to, day));
    match row {
        // Below 14 only the later law issues cards.
        Some(&(up_to, _)) if up_to <= 14 && issued.saturating_add(DOUBT) < LAW_2023 => None,
        Some((12, _)) => Some(Age::Years(14)),
        Some((14 | 23, _)) => Some(Age::Years(25)),
        Some((38, _)) => Some(Age::Years(40)),
        Some(_) => Some(Age::Years(60)),
        None => Some(Age::Never),
    }
}

/// Whether someone born on `birth` has reached `years` on `day`.
fn reached(birth: Date, years: i32, day: Date) -> bool {
    birthdays(birth, years).next().is_some_and(|birthday| day >= birthday)
}

/// The day someone turns so many years. Who was born on 29 February has two in a common year: the last of
/// February and the first of March; which of them a card carries is not known.
fn birthdays(birth: Date, years: i32) -> impl Iterator<Item = Date> {
    let year = birth.year().saturating_add(years);
    let (first, second) = match birth.replace_year(year) {
        Ok(date) => (Some(date), None),
        Err(_) => (
            Date::from_calendar_date(year, Month::February, 28).ok(),
            Date::from_calendar_date(year, Month::March, 1).ok(),
        ),
    };
    first.into_iter().chain(second)
}

fn dated(date: Date) -> ExpiryCandidate {
    ExpiryCandidate { mrz: mrz_date(date), date: Some(date) }
}

/// A date as the MRZ writes it: `yyMMdd`.
pub(crate) fn mrz_date(date: Date) -> Personal {
    Personal::new(format!("{:02}{:02}{:02}", date.year().rem_euclid(100), u8::from(date.month()), date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    fn candidates(birth: Date, issued: Date) -> Vec<String> {
        expiry_candidates(birth, issued).iter().map(|each| each.mrz.expose().to_owned()).collect()
    }

    /// Issued so many days after the birthday at which this age is reached.
    fn issued_at(age: i32, days: i64) -> Vec<String> {
        let birth = date!(1990 - 06 - 15);
        let birth = if age < 20 { date!(2015 - 06 - 15) } else { birth };
        candidates(birth, birth.replace_year(birth.year() + age).unwrap() + Duration::days(days))
    }

    #[test]
    fn the_worked_example() {
        assert_eq!(candidates(date!(1990 - 01 - 02), date!(2022 - 03 - 15)), ["300102"]);
    }

    #[test]
    fn every_row_of_the_rule_far_from_its_ends() {
        // Born 1990-06-15; below 20 born 2015-06-15, issued under the 2023 law.
        for (age, expected) in [
            (10, &["290615"][..]),
            (12, &["400615"]),
            (13, &["400615"]),
            (14, &["400615"]),
            (19, &["400615"]),
            (22, &["150615"]),
            (23, &["300615"]),
            (24, &["300615"]),
            (37, &["300615"]),
            (38, &["500615"]),
            (57, &["500615"]),
            (59, &["991231", "<<<<<<"]),
            (80, &["991231", "<<<<<<"]),
        ] {
            assert_eq!(issued_at(age, 100), expected, "{age}");
        }
    }

    #[test]
    fn every_boundary_is_sharp_and_has_both_sides_as_candidates() {
        for (age, before, after) in
            [(12, "290615", "400615"), (23, "150615", "300615"), (38, "300615", "500615")]
        {
            assert_eq!(issued_at(age, -1), [before, after], "{age}, the day before");
            assert_eq!(issued_at(age, 0), [after, before], "{age}, the birthday");
            assert_eq!(issued_at(age, -15), [before, after], "{age}, at the edge of doubt");
            assert_eq!(issued_at(age, -16), [before], "{age}, beyond doubt");
            assert_eq!(issued_at(age, 14), [after, before], "{age}, two weeks later");
            assert_eq!(issued_at(age, 15), [after], "{age}, later");
        }
    }

    #[test]
    fn at_58_the_vendor_and_the_statute_differ_for_a_year() {
        let sixty = "500615";
        assert_eq!(issued_at(58, -16), [sixty]);
        assert_eq!(issued_at(58, -1), [sixty, "991231", "<<<<<<"]);
        assert_eq!(issued_at(58, 0), ["991231", sixty, "<<<<<<"]);
        assert_eq!(issued_at(58, 300), ["991231", sixty, "<<<<<<"]);
        assert_eq!(issued_at(59, -1), ["991231", sixty, "<<<<<<"]);
        assert_eq!(issued_at(59, 0), ["991231", "<<<<<<"]);
    }

    #[test]
    fn below_14_only_the_later_law_issues_cards() {
        let birth = date!(2012 - 01 - 10);
        assert_eq!(candidates(birth, date!(2024 - 07 - 01)), ["370110"]);
        assert_eq!(candidates(birth, date!(2024 - 06 - 16)), ["370110"], "within days of the law");
        assert_eq!(candidates(birth, date!(2024 - 06 - 15)), [""; 0]);
        // At 14 the older law too, and a few days before it by another way of counting.
        let birth = date!(2008 - 03 - 20);
        assert_eq!(candidates(birth, date!(2022 - 03 - 20)), ["330320"]);
        assert_eq!(candidates(birth, date!(2022 - 03 - 10)), ["330320"]);
        assert_eq!(candidates(birth, date!(2022 - 03 - 01)), [""; 0]);
        // At 14 nothing changes under the later law.
        assert_eq!(candidates(date!(2012 - 08 - 01), date!(2026 - 08 - 01)), ["370801"]);
    }

    #[test]
    fn a_leap_day_has_two_birthdays_in_a_common_year() {
        let birth = date!(2004 - 02 - 29);
        assert_eq!(candidates(birth, date!(2020 - 05 - 01)), ["290228", "290301"]);
        // 2000 + 40 is a leap year again.
        assert_eq!(candidates(date!(2000 - 02 - 29), date!(2024 - 05 - 01)), ["400229"]);
    }

    #[test]
    fn issued_before_birth_there_is_no_card() {
        assert_eq!(candidates(date!(1990 - 01 - 02), date!(1989 - 12 - 31)), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_dates_panic_and_candidates_are_few(birth in -5_000_000i32..5_000_000, issued in -5_000_000i32..5_000_000) {
            let day = |offset: i32| Date::from_julian_day(offset).unwrap_or(Date::MAX);
            let found = candidates(day(birth), day(issued));
            prop_assert!(found.len() <= 5);
        }
    }
}
