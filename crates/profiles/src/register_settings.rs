//! `[[register]]`: who came, and who is expected.

use std::path::PathBuf;

use serde::Deserialize;

/// A register: guests, passengers, candidates. It has each person once in each session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterSettings {
    /// The name that requests enter people in.
    pub name: String,
    /// The profile whose readings go into it.
    pub profile: String,
    /// Who is expected; without it, everybody is.
    pub roster: Option<PathBuf>,
}

/// Why a register cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterSettingsError {
    /// The name is none, or two have it.
    #[error("register {0:?}: a name of its own of 1 to 64 small letters, digits and hyphens is needed")]
    Name(String),
    /// It is of no profile.
    #[error("register {0:?}: profile = \"NAME\" is needed: whose readings go into it")]
    Profile(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRegister {
    name: String,
    #[serde(default)]
    profile: String,
    roster: Option<PathBuf>,
}

/// The registers as meant.
pub(crate) fn registers(raw: Vec<RawRegister>) -> Result<Vec<RegisterSettings>, RegisterSettingsError> {
    let mut registers: Vec<RegisterSettings> = Vec::new();
    for RawRegister { name, profile, roster } in raw {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let named = (1..=64).contains(&name.len()) && name.bytes().all(good);
        if !named || registers.iter().any(|known| known.name == name) {
            return Err(RegisterSettingsError::Name(name));
        }
        if profile.is_empty() {
            return Err(RegisterSettingsError::Profile(name));
        }
        registers.push(RegisterSettings { name, profile, roster });
    }
    Ok(registers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<RegisterSettings>, RegisterSettingsError> {
        #[derive(Deserialize)]
        struct All {
            register: Vec<RawRegister>,
        }
        registers(toml::from_str::<All>(text).unwrap().register)
    }

    #[test]
    fn mistakes_name_their_register() {
        for (text, told) in [
            ("name = 'Kỳ thi'\nprofile = 'exam'", "a name of its own"),
            ("name = 'a'", "profile"),
            ("name = 'a'\nprofile = 'exam'\n[[register]]\nname = 'a'\nprofile = 'exam'", "a name of its own"),
        ] {
            let message = parse(&format!("[[register]]\n{text}")).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
        let good = parse("[[register]]\nname = 'thi'\nprofile = 'exam'\nroster = 'a.csv'").unwrap();
        assert_eq!((good[0].profile.as_str(), &good[0].roster), ("exam", &Some("a.csv".into())));
    }
}
