//! One reader's keeper: dials it, listens for as long as it is there, and dials again for ever.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use cccd_card::{ReaderEvent, ReaderInfo, ReaderRefusal, StopSignal};
use cccd_hn212::write;
use cccd_profiles::ReaderTrust;
use zeroize::Zeroizing;

use super::line::{Line, Lost};
use super::place::Place;

/// First and longest pause before a reader that was lost is dialled again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long is listened at a time.
const TURN: Duration = Duration::from_millis(100);

/// Everything a keeper is given.
pub(super) struct Keeper<'a> {
    pub(super) info: ReaderInfo,
    pub(super) address: SocketAddr,
    pub(super) trust: Option<&'a ReaderTrust>,
    pub(super) token_file: Option<&'a Path>,
    pub(super) place: &'a Place,
    pub(super) stop: &'a StopSignal,
}

impl Keeper<'_> {
    /// Keeps the reader until told to stop, whatever it does.
    pub(super) fn keep(&self) {
        let mut pause = BACK_OFF.0;
        // What was told last of a reader that is not there.
        let mut told = None;
        let mut has_looked = false;
        while !self.stop.is_raised() {
            let since = Instant::now();
            let opened = self.open();
            if let Ok(mut line) = opened {
                told = None;
                self.place.plugged(ReaderEvent::Attached(self.info.clone()));
                self.look(&mut has_looked);
                let lost = self.listen(&mut line);
                self.place.unplugged();
                if let Err(Lost::Because(why)) = lost {
                    tracing::warn!(reader = %self.info.id, why, "network reader lost");
                }
            } else if let Err(lost) = opened {
                let before = told.replace(lost);
                if before != Some(lost) {
                    // It is no longer what it was.
                    if let Some(Lost::Refused(_)) = before {
                        self.place.unplugged();
                    }
                    self.tell_why(lost);
                }
                self.look(&mut has_looked);
            }
            // One that was there for a while did not fail to come.
            if since.elapsed() > BACK_OFF.1 {
                pause = BACK_OFF.0;
            }
            self.stop.wait(pause);
            pause = (pause * 2).min(BACK_OFF.1);
        }
        self.look(&mut has_looked);
        self.place.closed();
    }

    /// Tells once why the reader is not there.
    fn tell_why(&self, lost: Lost) {
        let reader = &self.info.id;
        let refusal = match lost {
            Lost::Because(why) => {
                tracing::warn!(%reader, why, "network reader cannot be reached; trying on");
                return;
            }
            Lost::Refused(refusal) => refusal,
        };
        match refusal {
            ReaderRefusal::Certificate { seen } => {
                tracing::warn!(%reader, code = "reader-certificate-wrong", %seen,
                    "network reader shows another certificate than certificate_sha256 or ca_file have; nothing was sent");
            }
            ReaderRefusal::SpeaksTls { seen } => {
                tracing::warn!(%reader, code = "reader-scheme-wrong", %seen,
                    "network reader speaks https, and its address says http");
            }
            _ => {
                tracing::warn!(%reader, code = "reader-scheme-wrong",
                    "network reader speaks no https, and its address says so");
            }
        }
        self.place.refused(refusal);
    }

    /// Dials it, with the token as it is in its file now, where there is one to show.
    fn open(&self) -> Result<Line, Lost> {
        let token = self.token_file.map(std::fs::read_to_string).transpose();
        let token =
            token.map_err(|_| Lost::Because("the file with the token cannot be read"))?.map(Zeroizing::new);
        Line::open(self.address, self.trust, token.as_deref().map(|token| token.trim()))
    }

    fn look(&self, has_looked: &mut bool) {
        if !std::mem::replace(has_looked, true) {
            self.place.looked();
        }
    }

    fn listen(&self, line: &mut Line) -> Result<(), Lost> {
        while !self.stop.is_raised() {
            if let Some(message) = line.hear(TURN)? {
                self.place.heard(message);
            }
            if let Some(challenge) = self.place.wish() {
                line.say(&write::get_aa(challenge))?;
            }
            self.place.tidy();
        }
        Ok(())
    }
}
