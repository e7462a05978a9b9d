//! States: three letters in the MRZ, two in certificates (ICAO 9303-3, 5; ICAO 9303-12, 7.1.1.1).

use isocountry::CountryCode;

/// Codes that ICAO has and ISO 3166 has not, or has otherwise (ICAO 9303-3, 5, parts B to D).
const ICAO: [(&str, &[&str]); 17] = [
    ("D", &["DE"]),
    ("GBD", &["GB"]),
    ("GBN", &["GB"]),
    ("GBO", &["GB"]),
    ("GBP", &["GB"]),
    ("GBS", &["GB"]),
    ("RKS", &["KS", "XK"]),
    ("ROM", &["RO"]),
    ("EUE", &["EU"]),
    ("UNO", &["UN"]),
    ("UNA", &["UN"]),
    ("UNK", &["UN", "KS", "XK"]),
    ("XOM", &["XO"]),
    ("XPO", &["XP"]),
    ("XCC", &["XC"]),
    ("XBA", &["XB"]),
    ("UTO", &["UT"]),
];

/// Whether a certificate's country is the state of an MRZ. `None` where the state is unknown here.
pub(crate) fn is_state(country: &str, state: &str) -> Option<bool> {
    let (country, state) = (country.trim().to_uppercase(), state.trim().to_uppercase());
    // Some certificates have the MRZ's own code.
    if country == state {
        return Some(true);
    }
    if let Some((_, countries)) = ICAO.iter().find(|(code, _)| *code == state) {
        return Some(countries.contains(&country.as_str()));
    }
    let known = CountryCode::for_alpha3(&state).ok()?;
    Some(known.alpha2() == country)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_country_and_no_other() {
        for (country, state) in [
            ("VN", "VNM"),
            ("vn", "VNM"),
            ("DE", "D"),
            ("D", "D"),
            ("GB", "GBN"),
            ("UT", "UTO"),
            ("XK", "RKS"),
        ] {
            assert_eq!(is_state(country, state), Some(true), "{country} {state}");
        }
        for (country, state) in [("LA", "VNM"), ("VU", "VNM"), ("DK", "D"), ("VN", "UTO"), ("", "VNM")] {
            assert_eq!(is_state(country, state), Some(false), "{country} {state}");
        }
        assert_eq!(is_state("QX", "QQX"), None);
        assert_eq!(is_state("VN", ""), None);
    }
}
