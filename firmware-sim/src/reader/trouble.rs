//! What a simulated reader can be made to do that no good one does: during which commands, what, and how often.
//!
//! Each kind of reader has its own stages and misbehaviours; how they are written is the same for all:
//!
//! ```text
//! exchanging:wrong-lrc            at every exchange, until told otherwise
//! exchanging:wrong-lrc*1          at the next one only
//! exchanging:wrong-lrc@30*1       at the thirtieth from now only
//! exchanging:wrong-lrc/5          at every fifth
//! ```

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// Something that has a name on a command line.
pub trait Word: Copy + PartialEq + fmt::Debug + Send + 'static {
    /// What is called so.
    fn from_word(word: &str) -> Option<Self>;

    /// What it is called.
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// What is called so in a table of names.
pub(super) fn named<T: Copy>(names: &[(&str, T)], word: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == word).map(|(_, what)| *what)
}

/// What it is called in a table of names.
pub(super) fn name_of<'a, T: PartialEq>(names: &[(&'a str, T)], what: &T) -> Option<&'a str> {
    names.iter().find(|(_, named)| named == what).map(|(name, _)| *name)
}

/// What happens, during which commands, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble<S, W> {
    /// During which commands.
    pub stage: S,
    /// What.
    pub what: W,
    /// At which of them.
    pub when: When,
}

/// At which of the commands at which it could happen, counted from 1 since it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The first.
    pub first: NonZeroU32,
    /// Every how manyth from there on.
    pub every: NonZeroU32,
    /// How many times; without a number, until another trouble is set or none.
    pub times: Option<u32>,
}

/// No trouble of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a trouble is STAGE:WHAT with @FIRST, /EVERY and *TIMES as wanted, such as exchanging:wrong-lrc@30*1 (at the \
     thirtieth exchange only), exchanging:rf-02*1, finding:ats-length-zero"
)]
pub struct NoTrouble;

impl When {
    /// At every one.
    pub const ALWAYS: Self = Self { first: NonZeroU32::MIN, every: NonZeroU32::MIN, times: None };
    /// At the next one.
    pub const ONCE: Self = Self { times: Some(1), ..Self::ALWAYS };

    /// Whether it happens at the command of this number.
    fn includes(self, number: u32) -> bool {
        let Some(since) = number.checked_sub(self.first.get()) else { return false };
        since % self.every == 0 && self.times.is_none_or(|times| since / self.every < times)
    }
}

impl<S, W> Trouble<S, W> {
    /// This at every such command from now on.
    pub const fn always(stage: S, what: W) -> Self {
        Self { stage, what, when: When::ALWAYS }
    }

    /// This at the next such command, and then no more.
    pub const fn once(stage: S, what: W) -> Self {
        Self { stage, what, when: When::ONCE }
    }
}

impl<S: Word, W: Word> fmt::Display for Trouble<S, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stage.write(f)?;
        f.write_str(":")?;
        self.what.write(f)?;
        let When { first, every, times } = self.when;
        if first > NonZeroU32::MIN {
            write!(f, "@{first}")?;
        }
        if every > NonZeroU32::MIN {
            write!(f, "/{every}")?;
        }
        times.map_or(Ok(()), |times| write!(f, "*{times}"))
    }
}

impl<S: Word, W: Word> FromStr for Trouble<S, W> {
    type Err = NoTrouble;

    fn from_str(text: &str) -> Result<Self, NoTrouble> {
        let (stage, rest) = text.split_once(':').ok_or(NoTrouble)?;
        let (rest, times) = number_behind('*', rest)?;
        let (rest, every) = number_behind('/', rest)?;
        let (what, first) = number_behind('@', rest)?;
        let when = When {
            first: first.unwrap_or(NonZeroU32::MIN),
            every: every.unwrap_or(NonZeroU32::MIN),
            times: times.map(NonZeroU32::get),
        };
        let stage = S::from_word(stage).ok_or(NoTrouble)?;
        Ok(Self { stage, what: W::from_word(what).ok_or(NoTrouble)?, when })
    }
}

fn number_behind(sign: char, text: &str) -> Result<(&str, Option<NonZeroU32>), NoTrouble> {
    match text.split_once(sign) {
        Some((before, number)) => Ok((before, Some(number.parse().map_err(|_| NoTrouble)?))),
        None => Ok((text, None)),
    }
}

/// A trouble that a reader has.
#[derive(Debug)]
pub(super) struct Lasting<S, W> {
    trouble: Trouble<S, W>,
    /// At how many commands it could have happened.
    met: u32,
}

impl<S: Word, W: Word> Lasting<S, W> {
    pub(super) fn of(trouble: Trouble<S, W>) -> Self {
        Self { trouble, met: 0 }
    }

    /// During which commands it happens.
    pub(super) fn stage(&self) -> S {
        self.trouble.stage
    }

    /// What goes wrong at a command of this stage, if it is something that `can` happen there.
    pub(super) fn meet(&mut self, stage: S, can: impl FnOnce(W) -> bool) -> Option<W> {
        let Trouble { stage: troubled, what, when } = self.trouble;
        if troubled != stage || !can(what) {
            return None;
        }
        self.met = self.met.saturating_add(1);
        when.includes(self.met).then_some(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Letter(char);

    impl Word for Letter {
        fn from_word(word: &str) -> Option<Self> {
            word.parse().ok().filter(char::is_ascii_lowercase).map(Self)
        }

        fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }

    fn happens_at(text: &str) -> Vec<u32> {
        let trouble: Trouble<Letter, Letter> = text.parse().unwrap();
        assert_eq!(trouble.to_string(), text);
        let mut lasting = Lasting::of(trouble);
        (1..=12).filter(|_| lasting.meet(Letter('s'), |_| true).is_some()).collect()
    }

    #[test]
    fn a_trouble_says_at_which_commands() {
        for (text, at) in [
            ("s:w*1", &[1][..]),
            ("s:w@4*1", &[4]),
            ("s:w@11", &[11, 12]),
            ("s:w/5", &[1, 6, 11]),
            ("s:w@2/5", &[2, 7, 12]),
            ("s:w@2/5*2", &[2, 7]),
        ] {
            assert_eq!(happens_at(text), at, "{text}");
        }
        assert_eq!(happens_at("s:w").len(), 12);
    }

    #[test]
    fn what_cannot_happen_at_a_command_is_not_counted() {
        let mut lasting = Lasting::of("s:w@2*1".parse::<Trouble<Letter, Letter>>().unwrap());
        assert_eq!(lasting.meet(Letter('s'), |_| true), None);
        assert_eq!(lasting.meet(Letter('t'), |_| true), None, "another stage");
        assert_eq!(lasting.meet(Letter('s'), |_| false), None, "nothing to spoil");
        assert_eq!(lasting.meet(Letter('s'), |what| what == Letter('w')), Some(Letter('w')));
        assert_eq!(lasting.meet(Letter('s'), |_| true), None);
    }

    #[test]
    fn nonsense_is_no_trouble() {
        for text in
            ["", "s", "s:", "S:w", "s:W", "s:w*", "s:w*0", "s:w@0", "s:w/0", "s:w*1@4", "s:w@-1", "s:w@1/x"]
        {
            assert_eq!(text.parse::<Trouble<Letter, Letter>>(), Err(NoTrouble), "{text}");
        }
    }
}
