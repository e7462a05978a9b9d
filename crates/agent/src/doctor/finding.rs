//! What a look came to: how it is, what was seen, whose move it is and what to do.

use cccd_api::Actor;
use serde_json::{Value, json};

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// It works, and will not for ever or not for everybody.
    Warning,
    /// It keeps somebody from reading a card, or from believing what is read.
    Fault,
}

/// The same words in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) vi: String,
    pub(crate) en: String,
}

/// Words in Vietnamese, then in English.
pub(crate) fn words(vi: impl Into<String>, en: impl Into<String>) -> Words {
    Words { vi: vi.into(), en: en.into() }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was looked at: a name for programs.
    pub(crate) check: &'static str,
    pub(crate) state: State,
    pub(crate) seen: Words,
    /// Whose move it is, and which.
    pub(crate) todo: Option<(Actor, Words)>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, seen: Words) -> Self {
        Self { check, state: State::Ok, seen, todo: None }
    }

    pub(crate) fn warning(check: &'static str, seen: Words, actor: Actor, todo: Words) -> Self {
        Self { check, state: State::Warning, seen, todo: Some((actor, todo)) }
    }

    pub(crate) fn fault(check: &'static str, seen: Words, actor: Actor, todo: Words) -> Self {
        Self { check, state: State::Fault, seen, todo: Some((actor, todo)) }
    }

    /// The same, with something to know though nothing is wrong.
    pub(crate) fn advising(self, actor: Actor, todo: Words) -> Self {
        Self { todo: Some((actor, todo)), ..self }
    }

    /// The line for a person. What it quotes may come from a file or another program: nothing in it moves the cursor.
    pub(crate) fn line(&self) -> String {
        let state = match self.state {
            State::Ok => "✓ ok",
            State::Warning => "! cảnh báo · warning",
            State::Fault => "✗ lỗi · fault",
        };
        let mut line = format!("{state}  {}: {} · {}", self.check, self.seen.vi, self.seen.en);
        if let Some((actor, todo)) = &self.todo {
            let actor = who(*actor);
            line += &format!(" → {} · {}: {} · {}", actor.vi, actor.en, todo.vi, todo.en);
        }
        line.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
    }

    /// The same for a program.
    pub(crate) fn json(&self) -> Value {
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Fault => "fault",
        };
        let todo = self.todo.as_ref();
        json!({
            "check": self.check,
            "state": state,
            "seen": self.seen.en,
            "seen_vi": self.seen.vi,
            "actor": todo.map(|(actor, _)| actor.as_str()),
            "remedy": todo.map(|(_, todo)| &todo.en),
            "remedy_vi": todo.map(|(_, todo)| &todo.vi),
        })
    }
}

fn who(actor: Actor) -> Words {
    match actor {
        Actor::User => words("người cầm thẻ", "whoever holds the card"),
        Actor::Operator => words("người trực quầy", "operator"),
        Actor::Admin => words("quản trị viên", "administrator"),
        Actor::Integrator => words("bên phần mềm", "integrator"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_and_nothing_in_it_moves_the_cursor() {
        let seen = words("cổng \u{1b}[2J lạ", "odd port\nfalse line");
        let fault = Finding::fault("ports", seen, Actor::Admin, words("sửa", "mend it"));
        let line = fault.line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.starts_with("✗ lỗi · fault  ports: cổng ?[2J lạ · odd port?false line → quản trị viên"));
        assert_eq!(fault.json()["actor"], "admin");
        assert_eq!(Finding::ok("clock", words("đúng", "right")).json()["remedy"], Value::Null);
    }
}
