//! Socket.IO's own client and server, which tests of network readers drive: from npm's registry, as `tests/socket-io` locks
//! them by hash, into the target folder. Nothing of what is installed is run by installing it.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::run::{root, run, step, target};

/// What is copied beside what is installed, so that a change of it is seen.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs it where it is not, or not as it is locked.
pub(crate) fn install() -> Result<()> {
    let (from, folder) = (root().join("tests/socket-io"), target().join("socket-io"));
    let there = |file: &str| fs::read(folder.join(file)).ok();
    let same =
        |file: &str| there(file).is_some_and(|there| fs::read(from.join(file)).is_ok_and(|now| now == there));
    // Written last by npm.
    let whole = folder.join("node_modules/.package-lock.json").exists();
    if whole && FILES.iter().all(|file| same(file)) {
        return Ok(());
    }
    step("installing Socket.IO", || {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for file in FILES {
            let (from, to) = (from.join(file), folder.join(file));
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        let mut install = Command::new("npm");
        install.args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--loglevel=error",
        ]);
        install.current_dir(&folder);
        run(install)
    })
}
