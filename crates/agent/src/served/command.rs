//! `cccd-agent served`: settings that many desks have in common, at the desk and where they are made.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use cccd_profiles::{AgentSettings, ServedSettings};
use clap::{Args, Subcommand};
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::document::{Served, public_jwk};
use super::shelf::Shelf;
use crate::command_line::say;
use crate::private_file;

/// Settings that many desks have in common
#[derive(Args)]
pub(crate) struct ServedArguments {
    #[command(subcommand)]
    command: ServedCommand,
}

#[derive(Subcommand)]
enum ServedCommand {
    /// Phiên bản đang dùng · Which version is in force at this desk, and which are kept
    Status,
    /// Quay lại phiên bản trước · Go back to the version before, until something newer is served; restart the agent after it
    RollBack,
    /// Tạo khoá ký · Draw the key that signs; prints its public half for `served.keys`
    Key {
        /// Where the private key goes: a new file that nobody else may read
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Ký cấu hình · Sign settings, and print what is to be served
    Sign {
        /// The private key that `served key` drew
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Higher than any before
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
        version: u64,
        /// The settings, TOML
        #[arg(value_name = "FILE")]
        settings: PathBuf,
    },
}

/// Runs `cccd-agent served`.
pub(crate) fn run(settings: &AgentSettings, arguments: &ServedArguments) -> Result<ExitCode> {
    match &arguments.command {
        ServedCommand::Status => status(of(settings)?),
        ServedCommand::RollBack => {
            let served = of(settings)?;
            let version = Shelf::open(&served.folder)?.roll_back(&served.keys)?;
            say(&format!(
                "phiên bản {version}, có hiệu lực khi chạy lại · version {version}, in force after a restart\n"
            ))
        }
        ServedCommand::Key { out } => key(out),
        ServedCommand::Sign { key, version, settings } => sign(key, *version, settings),
    }
}

fn of(settings: &AgentSettings) -> Result<&ServedSettings> {
    settings.served.as_ref().context("cấu hình không có [served] · the settings have no [served]")
}

fn status(served: &ServedSettings) -> Result<ExitCode> {
    let shelf = Shelf::open(&served.folder)?;
    let note = shelf.note()?;
    let number = |version: u64| if version == 0 { "-".to_owned() } else { version.to_string() };
    let kept: Vec<String> = shelf.versions()?.iter().map(u64::to_string).collect();
    say(&format!(
        "đang dùng · in force: {}\nchưa thử · not tried yet: {}\ncao nhất · highest: {}\nđang giữ · kept: {}\n",
        number(note.in_force),
        number(note.untried),
        number(note.highest),
        kept.join(", ")
    ))
}

#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: String,
    d: String,
}

fn key(out: &Path) -> Result<ExitCode> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).context("the operating system gives no randomness")?;
    let key = SigningKey::from_bytes(&seed);
    let public = public_jwk(&key);
    let digits = Zeroizing::new(Base64UrlUnpadded::encode_string(seed.as_slice()));
    let private =
        public.strip_suffix('}').map(|open| Zeroizing::new(format!("{open},\"d\":\"{}\"}}\n", *digits)));
    private_file::create(out, private.context("no key")?.as_bytes())?;
    say(&format!("{public}\n"))
}

fn sign(key: &Path, version: u64, settings: &Path) -> Result<ExitCode> {
    let key = read_key(key)?;
    let shown = settings.display();
    let text = std::fs::read_to_string(settings).with_context(|| format!("cannot read {shown}"))?;
    // Beneath nothing: what no desk could take is told here.
    AgentSettings::parse_with_served("", &text).with_context(|| format!("{shown} cannot be served"))?;
    say(&(Served::sign(version, &text, &key) + "\n"))
}

fn read_key(path: &Path) -> Result<SigningKey> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
    private_file::require_private(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(1024));
    file.take(1024).read_to_string(&mut text).with_context(|| format!("cannot read {shown}"))?;
    let jwk: PrivateJwk =
        serde_json::from_str(&text).ok().with_context(|| format!("{shown} holds no JSON Web Key"))?;
    let mut seed = Zeroizing::new([0; 32]);
    let decoded = Base64UrlUnpadded::decode(jwk.d.as_bytes(), seed.as_mut_slice()).map(<[u8]>::len);
    if jwk.kty != "OKP" || jwk.crv != "Ed25519" || decoded != Ok(32) {
        bail!("{shown} holds no private key on Ed25519");
    }
    Ok(SigningKey::from_bytes(&seed))
}
