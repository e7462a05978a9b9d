//! `cccd-agent site`: the settings block of a site, from the public key of its backend.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_jose::PublicKey;
use cccd_profiles::{AgentSettings, Origin, Scope};
use clap::Args;

use crate::command_line::say;
use crate::evidence_key;

/// Longer files are no public keys.
const LONGEST: u64 = 16 * 1024;

#[derive(Args)]
pub(crate) struct SiteArguments {
    /// The site's name, for logs and as `iss` of its tokens
    name: String,
    /// A page of it, as browsers write its origin
    #[arg(long, required = true, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// Its public key: PEM (`openssl pkey -pubout`) or a JSON Web Key; again for the next one
    #[arg(long, required = true, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// What its tokens may ask for
    #[arg(
        long,
        value_name = "SCOPES",
        value_delimiter = ',',
        default_value = "readers,presence,read.id,photo"
    )]
    scopes: Vec<String>,
}

/// Prints the block to standard output; what the backend must know of this desk, to standard error.
pub(crate) fn site(settings: &AgentSettings, arguments: &SiteArguments) -> Result<ExitCode> {
    let block = block(arguments)?;
    // The block must be one that the settings take.
    let desk = settings.api.workstation_id.as_deref().unwrap_or("desk-1");
    AgentSettings::parse(&format!("[api]\nworkstation_id = {desk:?}\n{block}")).context("[[site]]")?;
    let agent = evidence_key::read_or_make(&settings.evidence.key_file).map(|key| key.key_id().to_string());
    let mut aside = std::io::stderr().lock();
    let agent = agent.as_deref().unwrap_or("?");
    let workstation = settings.api.workstation_id.as_deref().unwrap_or("(api.workstation_id)");
    writeln!(aside, "Máy chủ của trang ký cho quầy này với · the backend signs for this desk with:")
        .and_then(|()| writeln!(aside, "  aud = {agent}\n  workstation_id = {workstation}"))
        .context("cannot print")?;
    say(&block)
}

fn block(arguments: &SiteArguments) -> Result<String> {
    let mut keys = String::new();
    for path in &arguments.key {
        let shown = path.display();
        let size = std::fs::metadata(path).with_context(|| format!("cannot look at {shown}"))?.len();
        if size > LONGEST {
            bail!("{shown} is no public key");
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        // As a key of one line, however it was written.
        let key = PublicKey::parse(&text).with_context(|| shown.to_string())?;
        keys.push_str(&format!("    '{}',\n", key.to_jwk()));
    }
    let origins = arguments.origin.iter().map(|origin| {
        Origin::parse(origin).with_context(|| origin.clone()).map(|origin| format!("{:?}", origin.as_str()))
    });
    let origins = origins.collect::<Result<Vec<_>>>()?.join(", ");
    let scopes = arguments.scopes.iter().map(|word| {
        let scope = Scope::of_word(word).with_context(|| format!("no scope is called {word:?}"))?;
        Ok(format!("{:?}", scope.as_str()))
    });
    let scopes = scopes.collect::<Result<Vec<_>>>()?.join(", ");
    let name = &arguments.name;
    Ok(format!("[[site]]\nname = {name:?}\norigins = [{origins}]\nscopes = [{scopes}]\nkeys = [\n{keys}]\n"))
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;

    #[test]
    fn a_block_comes_of_a_key_as_openssl_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let pair = PKey::generate_ed25519().unwrap();
        let (public, private) = (folder.path().join("public.pem"), folder.path().join("private.pem"));
        std::fs::write(&public, pair.public_key_to_pem().unwrap()).unwrap();
        std::fs::write(&private, pair.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let arguments = |key: &PathBuf, scopes: &str| SiteArguments {
            name: "his".to_owned(),
            origin: vec!["https://his.example.vn".to_owned()],
            key: vec![key.clone()],
            scopes: scopes.split(',').map(str::to_owned).collect(),
        };
        let text = block(&arguments(&public, "read.id,photo")).unwrap();
        let settings = AgentSettings::parse(&format!("[api]\nworkstation_id = 'desk-3'\n{text}")).unwrap();
        assert_eq!(settings.sites[0].issuer, "his");
        assert!(settings.sites[0].scopes.contains(Scope::ReadId));
        assert!(block(&arguments(&public, "admin")).unwrap_err().to_string().contains("admin"));
        assert!(format!("{:#}", block(&arguments(&private, "photo")).unwrap_err()).contains("private key"));
    }
}
