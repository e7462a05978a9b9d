//! Who lays the card down.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, Result, bail};
use cccd_document::{AccessKey, Can};
use std::time::Duration;

/// Somebody, or something, that does what a bench asks for.
pub trait Hand {
    /// How long anything may take before it counts as not done.
    fn patience(&self) -> Duration;
    /// What opens the card.
    fn access(&mut self) -> Result<AccessKey>;
    /// Lays the card down.
    fn place(&mut self) -> Result<()>;
    /// Takes the card away.
    fn remove(&mut self) -> Result<()>;
    /// Lays the card down with its other side up.
    fn flip(&mut self) -> Result<()>;
    /// Lays the card down, to be lifted in the middle of a reading.
    fn place_to_lift(&mut self) -> Result<()>;
    /// Lifts it: the reading is in the middle now.
    fn lift(&mut self) -> Result<()>;
    /// Lays it back.
    fn lay_back(&mut self) -> Result<()>;
    /// Lays a card down that answers any length: whether there is one.
    fn place_measuring_card(&mut self) -> Result<bool>;
    /// Has `during` sent to the measuring card, which is pulled before it answers: whether there is one.
    fn pull_measuring_card(&mut self, during: &mut (dyn FnMut() + Send)) -> Result<bool>;
    /// Shows the card's code to the scanner.
    fn show_code(&mut self) -> Result<()>;
    /// Shows another code to the scanner, that of VNeID: whether there is one.
    fn show_app_code(&mut self) -> Result<bool>;
    /// Whether one wrong access number may be tried.
    fn spends_a_try(&self) -> bool;
}

/// Somebody at a terminal.
pub(super) struct Operator {
    spend_a_try: bool,
}

impl Operator {
    pub(super) fn new(spend_a_try: bool) -> Self {
        Self { spend_a_try }
    }
}

/// Says what to do, in both languages.
fn tell(vi: &str, en: &str) {
    let mut err = std::io::stderr();
    let _ = writeln!(err, "→ {vi} · {en}");
}

/// Asks, and takes a line.
fn ask(vi: &str, en: &str) -> Result<String> {
    tell(vi, en);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("standard input")?;
    Ok(line.trim().to_owned())
}

impl Hand for Operator {
    fn patience(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn access(&mut self) -> Result<AccessKey> {
        let typed = ask(
            "Nhập 12 số của thẻ (hoặc 6 số CAN); không được ghi lại",
            "Type the card's twelve digits (or the six of its access number); it is kept nowhere",
        )?;
        let digits = typed.get(typed.len().saturating_sub(6)..).unwrap_or_default();
        if !matches!(typed.len(), 6 | 12) {
            bail!("six or twelve digits are possible");
        }
        Ok(AccessKey::Can(Can::new(digits)?))
    }

    fn place(&mut self) -> Result<()> {
        tell("Đặt thẻ lên đầu đọc và để yên", "Lay the card on the reader and leave it there");
        Ok(())
    }

    fn remove(&mut self) -> Result<()> {
        tell("Lấy thẻ ra", "Take the card away");
        Ok(())
    }

    fn flip(&mut self) -> Result<()> {
        tell("Lật thẻ rồi đặt lại", "Turn the card over and lay it down again");
        Ok(())
    }

    fn place_to_lift(&mut self) -> Result<()> {
        tell(
            "Đặt thẻ lên; khi thấy NHẤC THẺ thì nhấc lên ngay",
            "Lay the card down; lift it as soon as you are told to",
        );
        Ok(())
    }

    fn lift(&mut self) -> Result<()> {
        tell("NHẤC THẺ!", "LIFT THE CARD!");
        Ok(())
    }

    fn lay_back(&mut self) -> Result<()> {
        tell("Đặt thẻ lại ngay", "Lay it back now");
        Ok(())
    }

    fn place_measuring_card(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn pull_measuring_card(&mut self, _: &mut (dyn FnMut() + Send)) -> Result<bool> {
        Ok(false)
    }

    fn show_code(&mut self) -> Result<()> {
        tell("Quét mã QR in trên thẻ", "Scan the QR code that is printed on the card");
        Ok(())
    }

    fn show_app_code(&mut self) -> Result<bool> {
        let answer = ask(
            "Quét mã QR của VNeID? Gõ y rồi quét, Enter để bỏ qua",
            "Scan the QR code of VNeID? Type y and scan it; Enter leaves it out",
        )?;
        Ok(answer.eq_ignore_ascii_case("y"))
    }

    fn spends_a_try(&self) -> bool {
        self.spend_a_try
    }
}
