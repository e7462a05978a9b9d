//! Certificates and lists written into a folder, for the trust store of an agent.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cccd_firmware_sim::pki::{
    BareList, Country, CrlPlan, Csca, CscaPlan, DocumentSignerPlan, LdifEntry, LdifValue, SignerKind,
    TrustMaterial, bare_list, csca_list, ldif, master_list, pem, pem_bundle,
};
use time::macros::date;

/// A folder, and the files that were written into it.
pub(crate) struct TrustFolder {
    folder: PathBuf,
    written: BTreeSet<PathBuf>,
}

impl TrustFolder {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), written: BTreeSet::new() }
    }

    /// Writes a file and says where it is.
    pub(crate) fn write(&mut self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        self.write_with(std::fs::OpenOptions::new(), name, content)
    }

    /// The same for a key, which nobody else may read.
    pub(crate) fn write_private(&mut self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        let mut options = std::fs::OpenOptions::new();
        options.mode(0o600);
        self.write_with(options, name, content)
    }

    /// Where a file of this name goes.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write_with(
        &mut self,
        mut options: std::fs::OpenOptions,
        name: &str,
        content: &[u8],
    ) -> anyhow::Result<String> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let opened = options.write(true).create(true).truncate(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(content))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let shown = path.display().to_string();
        self.written.insert(path);
        Ok(shown)
    }

    /// Writes what a verifier is given: `csca-NAME-1.der`, `link-NAME-1.der`, `crl-NAME-1.crl` and on.
    pub(crate) fn write_material(&mut self, name: &str, trust: &TrustMaterial) -> anyhow::Result<()> {
        for (kind, ending, files) in [
            ("csca", "der", &trust.anchors),
            ("link", "der", &trust.certificates),
            ("crl", "crl", &trust.crls),
        ] {
            for (number, file) in files.iter().enumerate() {
                self.write(&format!("{kind}-{name}-{}.{ending}", number + 1), file)?;
            }
        }
        Ok(())
    }

    /// Takes away all that was written.
    pub(crate) fn clear(&mut self) {
        for path in std::mem::take(&mut self.written) {
            // Somebody may have taken it away already.
            let _ = std::fs::remove_file(&path);
            // Folders of ours go with the last file in them.
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.folder) {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

/// Writes `count` invented authorities in every form there is.
pub(crate) fn write_lists(count: usize, folder: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let list = csca_list(count)?;
    let certificates: Vec<&[u8]> = list.iter().map(|listed| listed.certificate.der()).collect();

    // Who signs the master list.
    let csca = Csca::new(CscaPlan::usual(Country::UTOPIA))?;
    let signer =
        csca.document_signer(DocumentSignerPlan::of_master_lists(Country::UTOPIA, SignerKind::ECDSA_P256))?;
    let master = master_list(certificates.iter().copied(), &signer, &csca, date!(2026 - 05 - 01))?;
    let crl = csca.crl(&CrlPlan::empty())?;

    let of = |country, value| LdifEntry { country, value };
    let mut entries: Vec<LdifEntry<'_>> =
        list.iter().map(|listed| of(listed.country, LdifValue::Certificate(&listed.certificate))).collect();
    entries.push(of(Country::UTOPIA, LdifValue::Crl(&crl)));
    let pkd =
        [of(Country::UTOPIA, LdifValue::MasterList(&master)), of(Country::UTOPIA, LdifValue::Crl(&crl))];

    let mut files = TrustFolder::new(folder);
    let bundle = pem_bundle(certificates.iter().copied());
    let own = csca.certificate().der();
    for (name, content, what) in [
        ("csca.der", own.to_vec(), "the authority above the master list's signer"),
        ("csca.pem", pem(own).into_bytes(), "the same in PEM"),
        ("csca.crl", crl.clone(), "its revocation list, empty"),
        ("master-list-signer.der", signer.certificate().der().to_vec(), "who signed the master list"),
        ("master-list.ml", master.clone(), "all authorities, as a signed master list"),
        ("bundle.pem", bundle.into_bytes(), "all authorities, as a PEM bundle"),
        ("sequence.der", bare_list(BareList::Sequence, certificates.iter().copied()), "as a bare SEQUENCE"),
        ("set.der", bare_list(BareList::Set, certificates.iter().copied()), "as a bare SET"),
        ("certificates.ldif", ldif(&entries).into_bytes(), "as LDIF, an entry each"),
        ("master-list.ldif", ldif(&pkd).into_bytes(), "as LDIF, the master list in one entry"),
    ] {
        let path = files.write(name, &content)?;
        writeln!(out, "{:9} bytes  {path}  ({what})", content.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_written_and_holds_every_certificate() {
        let dir = tempfile::tempdir().unwrap();
        write_lists(7, dir.path(), &mut Vec::new()).unwrap();
        let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let text = |name: &str| String::from_utf8(read(name)).unwrap();
        assert_eq!(text("bundle.pem").matches("BEGIN CERTIFICATE").count(), 7);
        assert_eq!(text("certificates.ldif").matches("userCertificate;binary:: ").count(), 7);
        assert_eq!(text("master-list.ldif").matches("pkdMasterListContent:: ").count(), 1);
        // Both hold the same certificates behind four bytes of head.
        assert_eq!(read("sequence.der").len(), read("set.der").len());
        assert!(read("master-list.ml").len() > read("set.der").len());
    }

    #[test]
    fn what_was_written_is_taken_away_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("not-ours"), b"").unwrap();
        let mut folder = TrustFolder::new(dir.path());
        let trust =
            TrustMaterial { anchors: vec![vec![1]], certificates: vec![], crls: vec![vec![2], vec![3]] };
        folder.write_material("x", &trust).unwrap();
        for (name, content) in [("csca-x-1.der", 1), ("crl-x-1.crl", 2), ("crl-x-2.crl", 3)] {
            assert_eq!(std::fs::read(dir.path().join(name)).unwrap(), [content], "{name}");
        }
        folder.clear();
        let left: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["not-ours"]);
    }
}
