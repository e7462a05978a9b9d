//! What an operator can do with the store: the commands, without the terminal around them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cccd_profiles::{FetchUrl, TrustSettings};
use cccd_trust::Certificate;
use cccd_trust::store::{CrlFinding, Finding, Fingerprint, Hint, MAX_FILE_BYTES, Survey, Surveyor, to_pem};

use super::answer::{
    Answer, CertificateView, ChangeAnswer, Changed, CheckAnswer, CrlView, DiffAnswer, FailedSource, FileView,
    InstalledView, ListAnswer, Named, Notice, NoticeCode, Outcome, ShowAnswer, named, source_of,
};
use super::arguments::{AddArguments, FingerprintStart, TrustCommand};
use super::directory::StoreDirectory;
use super::edition::{Action, Author, Edition, Installed, Voucher};
use super::fetch;
use super::guarded;
use super::plan::{Plan, Word};

/// Everything a command works with.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    pub(crate) settings: &'a TrustSettings,
    pub(crate) directory: StoreDirectory,
    pub(crate) hints: &'a [Hint],
    pub(crate) author: Author,
}

/// A file that was looked at.
struct Looked {
    source: String,
    survey: Survey,
}

impl Desk<'_> {
    /// Carries a command out.
    pub(crate) fn run(&self, command: &TrustCommand) -> Result<(Outcome, Answer)> {
        match command {
            TrustCommand::Add(arguments) => self.add(arguments),
            TrustCommand::List { country } => self.list(country.as_deref()),
            TrustCommand::Show { fingerprint, .. } => self.show(fingerprint),
            TrustCommand::Remove { fingerprints } => self.remove(fingerprints),
            TrustCommand::Update { files, dry_run } => self.update(files, *dry_run),
            TrustCommand::Diff { from, to } => self.diff(*from, *to),
            TrustCommand::Check { files, signers } => self.check(files, &signers.signers),
        }
    }

    fn add(&self, arguments: &AddArguments) -> Result<(Outcome, Answer)> {
        let before = self.directory.read()?;
        let installed = certificates(&before.certificates);
        let pinned = self.pinned(&arguments.signers.signers);
        let looked = self.look_at_files(&arguments.files, &self.surveyor(&installed, &pinned))?;
        let word = Word { expected: &arguments.expect, accepts_unverified: arguments.accept_unverified };
        let mut plan = Plan::from(&before);
        for file in &looked {
            plan.add(&file.survey, word, &self.author);
        }
        for expected in &arguments.expect {
            let there = all_findings(&looked).any(|finding| finding.fingerprint == *expected)
                || before.find(expected).is_some();
            if !there {
                bail!("không tệp nào có chứng thư {expected} · no file holds the certificate {expected}");
            }
        }
        self.finish(before, plan, looked, Vec::new(), Action::Add, arguments.dry_run)
    }

    fn update(&self, files: &[PathBuf], dry_run: bool) -> Result<(Outcome, Answer)> {
        let before = self.directory.read()?;
        let installed = certificates(&before.certificates);
        let pinned = self.pinned(&[]);
        let surveyor = self.surveyor(&installed, &pinned);
        let mut failed = Vec::new();
        let looked = if files.is_empty() {
            self.look_at_addresses(&surveyor, &mut failed)?
        } else {
            self.look_at_files(files, &surveyor)?
        };
        let mut plan = Plan::from(&before);
        for file in &looked {
            plan.update(&file.survey, &self.author);
        }
        self.finish(before, plan, looked, failed, Action::Update, dry_run)
    }

    /// Takes the CRLs, now that it is known who is installed, and writes the new edition.
    fn finish(
        &self,
        before: Edition,
        mut plan: Plan,
        looked: Vec<Looked>,
        failed: Vec<FailedSource>,
        action: Action,
        dry_run: bool,
    ) -> Result<(Outcome, Answer)> {
        let authorities = certificates(&plan.certificates);
        let surveyor = self.surveyor(&authorities, &[]);
        let mut files = Vec::new();
        for file in &looked {
            let mut crls = Vec::new();
            for der in &file.survey.crls {
                // One after the other: two of one file may be of the same authority.
                let installed: Vec<&[u8]> = plan.crls.iter().map(|one| one.der.as_slice()).collect();
                let found = surveyor.crls(std::slice::from_ref(der), &installed);
                plan.add_crls(&found, &self.author);
                crls.extend(found);
            }
            files.push(FileView::of(&file.source, &file.survey, self.crl_views(&crls)));
        }
        let next = before.next(plan.certificates, plan.crls, action, &self.author);
        let difference = next.since(&before);
        let name = |fingerprint| {
            let finding = all_findings(&looked).find(|finding| finding.fingerprint == fingerprint);
            match finding {
                Some(finding) => Named::new(fingerprint, finding.facts.as_ref()),
                None => self.named_of(&before, fingerprint),
            }
        };
        let (added, removed) = named(&difference, name);
        let notices = self.notices_of_added(&next, &difference.added);
        let unusable = all_findings(&looked).any(|finding| !finding.standing.can_be_anchor())
            || files.iter().any(|file| !file.is_clean());
        let changed = match (plan.waiting.is_empty(), difference.is_empty(), dry_run) {
            (false, _, _) => Changed::NeedsWord,
            (_, true, _) => Changed::No,
            (_, _, true) => Changed::Would,
            _ => Changed::Yes,
        };
        let mut edition = before.number;
        if changed == Changed::Yes {
            edition = self.commit(&before, next)?.number;
        }
        // A list of hundreds always has one that cannot be used: what was taken is what counts.
        let nothing_taken = changed == Changed::No && unusable;
        let outcome = match changed {
            Changed::NeedsWord => Outcome::NeedsWord,
            _ if nothing_taken || !failed.is_empty() || plan.older_lists > 0 => Outcome::Partly,
            _ => Outcome::Done,
        };
        let answer = ChangeAnswer {
            edition,
            changed,
            added,
            removed,
            crls_added: difference.crls_added,
            crls_removed: difference.crls_removed,
            waiting: plan.waiting.into_iter().map(name).collect(),
            older_lists: plan.older_lists,
            notices,
            files,
            failed,
        };
        Ok((outcome, Answer::Change(answer)))
    }

    fn remove(&self, fingerprints: &[FingerprintStart]) -> Result<(Outcome, Answer)> {
        let before = self.directory.read()?;
        let mut gone = Vec::new();
        for start in fingerprints {
            let of_certificates = before.certificates.iter().map(|one| one.fingerprint);
            let all = of_certificates.chain(before.crls.iter().map(|one| one.fingerprint));
            gone.push(only_one(start, all)?);
        }
        let keep = |fingerprint: &Fingerprint| !gone.contains(fingerprint);
        let certificates = before.certificates.iter().filter(|one| keep(&one.fingerprint)).cloned().collect();
        let crls = before.crls.iter().filter(|one| keep(&one.fingerprint)).cloned().collect();
        let next = before.next(certificates, crls, Action::Remove, &self.author);
        let difference = next.since(&before);
        let (added, removed) = named(&difference, |fingerprint| self.named_of(&before, fingerprint));
        let edition = self.commit(&before, next)?.number;
        let answer = ChangeAnswer {
            edition,
            changed: Changed::Yes,
            added,
            removed,
            crls_added: difference.crls_added,
            crls_removed: difference.crls_removed,
            waiting: Vec::new(),
            older_lists: 0,
            notices: Vec::new(),
            files: Vec::new(),
            failed: Vec::new(),
        };
        Ok((Outcome::Done, Answer::Change(answer)))
    }

    fn list(&self, country: Option<&str>) -> Result<(Outcome, Answer)> {
        let edition = self.directory.read()?;
        let views = self.installed_views(&edition.certificates);
        let of_country = |of: &Option<String>| {
            country.is_none_or(|country| of.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(country)))
        };
        let mut shown: Vec<InstalledView> = views
            .into_iter()
            .filter(|view| {
                of_country(&view.certificate.facts.as_ref().and_then(|facts| facts.country.clone()))
            })
            .collect();
        shown.sort_by_cached_key(|view| {
            let facts = view.certificate.facts.as_ref();
            facts.map(|facts| (facts.country.clone(), facts.subject.clone(), facts.not_before))
        });
        let authorities = certificates(&edition.certificates);
        let ders: Vec<Vec<u8>> = edition.crls.iter().map(|one| one.der.clone()).collect();
        let crls = self.surveyor(&authorities, &[]).crls(&ders, &[]);
        let crls = crls
            .into_iter()
            .filter(|crl| of_country(&crl.facts.as_ref().and_then(|facts| facts.country.clone())));
        let crls: Vec<CrlFinding> = crls.collect();
        let notices = self
            .hints
            .iter()
            .filter(|hint| of_country(&Some(hint.country.to_owned())))
            .filter(|hint| edition.find(&hint.fingerprint).is_none())
            .map(|hint| Notice::new(NoticeCode::Missing, hint.fingerprint, hint))
            .collect();
        let answer = ListAnswer {
            directory: self.directory.path().to_owned(),
            edition: edition.number,
            editions_kept: self.directory.kept()?,
            certificates: shown,
            crls: self.crl_views(&crls),
            notices,
        };
        Ok((Outcome::Done, Answer::List(answer)))
    }

    fn show(&self, start: &FingerprintStart) -> Result<(Outcome, Answer)> {
        let edition = self.directory.read()?;
        let fingerprint = only_one(start, edition.certificates.iter().map(|one| one.fingerprint))?;
        let installed = edition.find(&fingerprint).context("the certificate is not there")?;
        let notices = self.notices_of_added(&edition, &[fingerprint]);
        let mut views = self.installed_views(&edition.certificates);
        views.retain(|view| view.certificate.sha256 == fingerprint);
        let certificate = views.pop().context("the certificate is not there")?;
        let answer = ShowAnswer { certificate, pem: to_pem("CERTIFICATE", &installed.der), notices };
        Ok((Outcome::Done, Answer::Show(Box::new(answer))))
    }

    fn diff(&self, from: Option<u64>, to: Option<u64>) -> Result<(Outcome, Answer)> {
        let newer = match to {
            Some(number) => self.directory.read_kept(number)?,
            None => self.directory.read()?,
        };
        let older = match from {
            Some(number) => self.directory.read_kept(number)?,
            None => self.directory.read_kept(newer.number.saturating_sub(1))?,
        };
        let difference = newer.since(&older);
        let (added, removed) = named(&difference, |fingerprint| match newer.find(&fingerprint) {
            Some(_) => self.named_of(&newer, fingerprint),
            None => self.named_of(&older, fingerprint),
        });
        let answer = DiffAnswer {
            from: older.number,
            to: newer.number,
            added,
            removed,
            crls_added: difference.crls_added,
            crls_removed: difference.crls_removed,
        };
        Ok((Outcome::Done, Answer::Diff(answer)))
    }

    fn check(&self, files: &[PathBuf], signers: &[Fingerprint]) -> Result<(Outcome, Answer)> {
        let edition = self.directory.read()?;
        let installed = certificates(&edition.certificates);
        let pinned = self.pinned(signers);
        let surveyor = self.surveyor(&installed, &pinned);
        let crls: Vec<&[u8]> = edition.crls.iter().map(|one| one.der.as_slice()).collect();
        let files: Vec<FileView> = self
            .look_at_files(files, &surveyor)?
            .into_iter()
            .map(|file| {
                let crls = surveyor.crls(&file.survey.crls, &crls);
                FileView::of(&file.source, &file.survey, self.crl_views(&crls))
            })
            .collect();
        let outcome = if files.iter().all(FileView::is_clean) { Outcome::Done } else { Outcome::Partly };
        Ok((outcome, Answer::Check(CheckAnswer { files })))
    }

    fn commit(&self, before: &Edition, next: Edition) -> Result<Edition> {
        let changing = self.directory.change()?;
        if changing.current.number != before.number {
            // What was shown to the operator is not what would be changed.
            bail!("kho vừa được thay đổi, hãy thử lại · the store was changed meanwhile: try again");
        }
        Ok(changing.commit(next)?)
    }

    fn look_at_files(&self, files: &[PathBuf], surveyor: &Surveyor<'_>) -> Result<Vec<Looked>> {
        files.iter().map(|path| look_at_file(path, surveyor)).collect()
    }

    /// Fetches what the settings name. One that fails does not keep the others.
    fn look_at_addresses(
        &self,
        surveyor: &Surveyor<'_>,
        failed: &mut Vec<FailedSource>,
    ) -> Result<Vec<Looked>> {
        let fetching = &self.settings.fetch;
        let urls: Vec<&FetchUrl> = fetching.list_urls.iter().chain(&fetching.crl_urls).collect();
        if !fetching.allowed {
            bail!(
                "cấu hình không cho phép tải từ mạng (trust.allow_fetch); hãy đưa tệp · the settings do not allow \
                 fetching (trust.allow_fetch): name files"
            );
        }
        if urls.is_empty() {
            bail!(
                "cấu hình không nêu địa chỉ nào · the settings name nothing to fetch (trust.crl_urls, trust.list_urls)"
            );
        }
        let mut looked = Vec::new();
        for url in urls {
            tracing::info!(url = url.as_str(), "fetching");
            let survey = fetch::fetch(url, fetching)
                .map_err(anyhow::Error::from)
                .and_then(|bytes| Ok(surveyor.survey(&bytes)?));
            match survey {
                Ok(survey) => looked.push(Looked { source: url.as_str().to_owned(), survey }),
                Err(error) => failed
                    .push(FailedSource { source: url.as_str().to_owned(), reason: format!("{error:#}") }),
            }
        }
        Ok(looked)
    }

    fn surveyor<'b>(&self, installed: &'b [Certificate], pinned: &'b [Fingerprint]) -> Surveyor<'b> {
        Surveyor { installed, pinned, now: self.author.time, warn_before: self.settings.warn_before }
    }

    fn pinned(&self, more: &[Fingerprint]) -> Vec<Fingerprint> {
        let in_settings = self.settings.list_signers.iter().map(|digest| Fingerprint::from_bytes(*digest));
        in_settings.chain(more.iter().copied()).collect()
    }

    fn findings(&self, installed: &[Installed]) -> Vec<Finding> {
        let ders: Vec<Vec<u8>> = installed.iter().map(|one| one.der.clone()).collect();
        self.surveyor(&[], &[]).certificates(&ders)
    }

    fn installed_views(&self, installed: &[Installed]) -> Vec<InstalledView> {
        let findings = self.findings(installed);
        let views = findings.iter().zip(installed).map(|(finding, one)| InstalledView {
            certificate: CertificateView::of(finding),
            added: one.added,
            voucher: one.voucher.clone(),
        });
        views.collect()
    }

    fn named_of(&self, edition: &Edition, fingerprint: Fingerprint) -> Named {
        let installed: Vec<Installed> = edition.find(&fingerprint).cloned().into_iter().collect();
        let facts = self.findings(&installed).pop().and_then(|finding| finding.facts);
        Named::new(fingerprint, facts.as_ref())
    }

    /// What the hints have to say of these certificates of an edition.
    fn notices_of_added(&self, edition: &Edition, added: &[Fingerprint]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for fingerprint in added {
            if let Some(hint) = self.hints.iter().find(|hint| hint.fingerprint == *fingerprint) {
                notices.push(Notice::new(NoticeCode::Matches, *fingerprint, hint));
                continue;
            }
            let Some(installed) = edition.find(fingerprint) else { continue };
            let country =
                Certificate::parse(&installed.der).ok().and_then(|certificate| certificate.country());
            let hint = self.hints.iter().find(|hint| country.as_deref() == Some(hint.country));
            // A signed list vouches for what stands in it.
            let by_list = matches!(installed.voucher, Voucher::MasterList { .. });
            if let (Some(hint), false) = (hint, by_list) {
                notices.push(Notice::new(NoticeCode::Differs, *fingerprint, hint));
            }
        }
        notices
    }

    fn crl_views(&self, findings: &[CrlFinding]) -> Vec<CrlView> {
        let stale = |finding: &CrlFinding| {
            finding.facts.as_ref().is_some_and(|facts| {
                facts.next_update.is_some_and(|next| next < self.author.time)
                    || facts.this_update + self.settings.crl_max_age < self.author.time
            })
        };
        findings.iter().map(|finding| CrlView::of(finding, stale(finding))).collect()
    }
}

fn look_at_file(path: &Path, surveyor: &Surveyor<'_>) -> Result<Looked> {
    let source = source_of(path);
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    let bytes = guarded::read_given(path, limit).with_context(|| source.clone())?;
    let survey = surveyor.survey(&bytes).with_context(|| source.clone())?;
    Ok(Looked { source, survey })
}

fn all_findings(looked: &[Looked]) -> impl Iterator<Item = &Finding> {
    looked.iter().flat_map(|file| {
        let in_lists = file.survey.lists.iter().flat_map(|list| &list.certificates);
        file.survey.certificates.iter().chain(in_lists)
    })
}

fn certificates(installed: &[Installed]) -> Vec<Certificate> {
    installed.iter().filter_map(|one| Certificate::parse(&one.der).ok()).collect()
}

fn only_one(start: &FingerprintStart, all: impl Iterator<Item = Fingerprint>) -> Result<Fingerprint> {
    let mut fitting = all.filter(|fingerprint| start.fits(fingerprint));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => bail!(
            "trong kho không có {start} · nothing in the store begins with {start}",
            start = start.as_str()
        ),
        (Some(_), Some(_)) => bail!(
            "{start} chưa đủ dài để chỉ một · {start} is the beginning of several",
            start = start.as_str()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};

    use cccd_firmware_sim::pki::{
        self, Country, CrlPlan, Csca, CscaPlan, DocumentSigner, DocumentSignerPlan, LdifEntry, LdifValue,
        SignerKind,
    };
    use cccd_profiles::AgentSettings;
    use cccd_trust::store::{Contents, HintedDocuments};
    use clap::Parser;
    use serde_json::Value;
    use tempfile::TempDir;
    use time::Date;
    use time::macros::{date, datetime};

    use super::super::arguments::TrustArguments;
    use super::super::loaded::{TrustHandle, load};
    use super::super::table;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        trust: TrustArguments,
    }

    /// A store in a directory of its own, and the files an operator has.
    struct Office {
        place: TempDir,
        settings: TrustSettings,
        hints: Vec<Hint>,
    }

    impl Office {
        fn new() -> Self {
            Self::with("")
        }

        fn with(settings: &str) -> Self {
            let settings = AgentSettings::parse(&format!("[trust]\n{settings}")).unwrap().trust;
            Self { place: tempfile::tempdir().unwrap(), settings, hints: Vec::new() }
        }

        fn store(&self) -> PathBuf {
            self.place.path().join("trust")
        }

        fn file(&self, name: &str, bytes: &[u8]) -> String {
            let path = self.place.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        }

        /// What a command answers to programs. Every answer can be told to people too.
        fn run(&self, line: &[&str]) -> Result<(Outcome, Value)> {
            let line = Line::try_parse_from(["trust"].iter().chain(line)).unwrap();
            let author = Author {
                user: "alice".to_owned(),
                on_behalf_of: None,
                time: datetime!(2026-11-20 12:00 UTC),
            };
            let directory = StoreDirectory::at(self.store());
            let desk = Desk { settings: &self.settings, directory, hints: &self.hints, author };
            let (outcome, answer) = desk.run(&line.trust.command)?;
            assert!(!table::of_answer(&answer).trim().is_empty());
            Ok((outcome, serde_json::from_str(&answer.to_json().unwrap()).unwrap()))
        }

        fn done(&self, line: &[&str]) -> Value {
            let (outcome, answer) = self.run(line).unwrap();
            assert_eq!(outcome, Outcome::Done, "{answer:#}");
            answer
        }

        fn installed(&self) -> Vec<Fingerprint> {
            StoreDirectory::at(self.store())
                .read()
                .unwrap()
                .certificates
                .iter()
                .map(|one| one.fingerprint)
                .collect()
        }
    }

    fn csca(country: Country) -> Csca {
        Csca::new(CscaPlan::usual(country)).unwrap()
    }

    fn sha256(csca: &Csca) -> Fingerprint {
        Fingerprint::of(csca.certificate().der())
    }

    fn list_signer(csca: &Csca) -> DocumentSigner {
        let plan = DocumentSignerPlan::of_master_lists(csca.plan().country, SignerKind::ECDSA_P256);
        csca.document_signer(plan).unwrap()
    }

    fn list(of: &[&Csca], signer: &DocumentSigner, csca: &Csca, signed_on: Date) -> Vec<u8> {
        pki::master_list(of.iter().map(|one| one.certificate().der()), signer, csca, signed_on).unwrap()
    }

    #[test]
    fn a_certificate_is_installed_on_somebodys_word_only() {
        let office = Office::new();
        let csca = csca(Country::VIETNAM);
        let file = office.file("csca.cer", csca.certificate().der());
        let fingerprint = sha256(&csca).to_string();

        let (outcome, answer) = office.run(&["add", &file]).unwrap();
        assert_eq!((outcome, &answer["changed"]), (Outcome::NeedsWord, &"needs-word".into()));
        assert_eq!(answer["waiting"][0]["sha256"], fingerprint);
        assert!(!office.store().exists(), "looking changes nothing");

        let wrong = "00".repeat(32);
        assert!(office.run(&["add", &file, "--expect", &wrong]).is_err());
        let rehearsed = office.done(&["add", &file, "--expect", &fingerprint, "--dry-run"]);
        assert_eq!(rehearsed["changed"], "would");
        assert_eq!(office.installed(), []);

        let answer = office.done(&["add", &file, "--expect", &fingerprint.to_uppercase()]);
        assert_eq!((&answer["edition"], &answer["added"][0]["country"]), (&1.into(), &"VN".into()));
        assert_eq!(office.installed(), [sha256(&csca)]);
        assert_eq!(office.done(&["list"])["certificates"][0]["voucher"]["by"], "fingerprint");
        assert_eq!(office.done(&["add", &file])["changed"], "no");

        let line = fs::read_to_string(office.store().join("audit.jsonl")).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["user"], &line["action"]), (&"alice".into(), &"add".into()));
        assert_eq!((&line["time"], &line["added"][0]), (&"2026-11-20T12:00:00Z".into(), &fingerprint.into()));
    }

    #[test]
    fn with_fingerprints_given_only_those_are_taken() {
        let office = Office::new();
        let (one, other) = (csca(Country::VIETNAM), csca(Country::UTOPIA));
        let bundle = pki::pem_bundle([one.certificate().der(), other.certificate().der()]);
        let file = office.file("bundle.txt", bundle.as_bytes());
        office.done(&["add", &file, "--expect", &sha256(&one).to_string()]);
        assert_eq!(office.installed(), [sha256(&one)]);
        office.done(&["add", &file, "--accept-unverified"]);
        assert_eq!(office.installed(), [sha256(&one), sha256(&other)]);
        let by: Vec<Value> =
            office.done(&["list", "--country", "ut"])["certificates"].as_array().unwrap().clone();
        assert_eq!((by.len(), &by[0]["voucher"]["by"]), (1, &"operator".into()));
    }

    #[test]
    fn nothing_broken_is_ever_installed() {
        let office = Office::new();
        let csca = csca(Country::VIETNAM);
        let mut broken = csca.certificate().der().to_vec();
        *broken.last_mut().unwrap() ^= 1;
        let signer = list_signer(&csca);
        let mut altered = list(&[&csca], &signer, &csca, date!(2026 - 05 - 01));
        *altered.last_mut().unwrap() ^= 1;
        for bytes in [&broken[..], &altered, signer.certificate().der()] {
            let file = office.file("x", bytes);
            let (outcome, answer) = office.run(&["add", &file, "--accept-unverified"]).unwrap();
            assert_eq!((outcome, &answer["changed"]), (Outcome::Partly, &"no".into()));
            let (outcome, _) = office.run(&["check", &file]).unwrap();
            assert_eq!(outcome, Outcome::Partly);
        }
        assert!(office.run(&["add", &office.file("x", b"hello"), "--accept-unverified"]).is_err());
        assert!(office.run(&["add", "/nowhere/at/all"]).is_err());
        assert_eq!(office.installed(), []);
    }

    #[test]
    fn check_tells_of_every_certificate_and_changes_nothing() {
        // The CRL is of January.
        let office = Office::with("crl_max_age_days = 3660");
        let (csca, other) = (csca(Country::VIETNAM), csca(Country::UTOPIA));
        let list = list(&[&other], &list_signer(&csca), &csca, date!(2026 - 05 - 01));
        let crl = csca.crl(&CrlPlan::empty()).unwrap();
        let country = Country::VIETNAM;
        let ldif = pki::ldif(&[
            LdifEntry { country, value: LdifValue::Certificate(csca.certificate()) },
            LdifEntry { country, value: LdifValue::MasterList(&list) },
            LdifEntry { country, value: LdifValue::Crl(&crl) },
        ]);
        let file = office.file("download.ldif", ldif.as_bytes());
        let (outcome, answer) = office.run(&["check", &file]).unwrap();
        assert_eq!(outcome, Outcome::Partly);
        let seen = &answer["files"][0];
        assert_eq!(
            (&seen["format"], &seen["certificates"][0]["standing"]),
            (&"ldif".into(), &"self-signed".into())
        );
        assert_eq!(seen["lists"][0]["standing"], "signer-unknown");
        assert_eq!(seen["lists"][0]["certificates"][0]["country"], "UT");
        assert_eq!(seen["crls"][0]["standing"], "issuer-unknown");
        assert!(!office.store().exists());
        // All of it at once: the CRL counts for the authority that comes with it.
        let pinned = sha256(&csca).to_string();
        office.done(&["add", &file, "--expect", &pinned, "--signer", &pinned]);
        assert_eq!(office.done(&["list"])["crls"][0]["standing"], "signed");
        office.done(&["check", &file]);
    }

    #[test]
    fn an_update_puts_the_new_edition_of_a_list_in_the_place_of_the_old() {
        let office = Office::new();
        let (root, one, two, own) =
            (csca(Country::UTOPIA), csca(Country::VIETNAM), csca(Country::VIETNAM), csca(Country::VIETNAM));
        let signer = list_signer(&root);
        let own_file = office.file("own", own.certificate().der());
        let root_file = office.file("root", root.certificate().der());
        office.done(&["add", &own_file, &root_file, "--accept-unverified"]);
        let may = office.file("may", &list(&[&one], &signer, &root, date!(2026 - 05 - 01)));
        let june = office.file("june", &list(&[&two], &signer, &root, date!(2026 - 06 - 01)));
        assert_eq!(office.done(&["add", &may])["added"][0]["sha256"], sha256(&one).to_string());

        let answer = office.done(&["update", &june]);
        assert_eq!(answer["added"][0]["sha256"], sha256(&two).to_string());
        assert_eq!(answer["removed"][0]["sha256"], sha256(&one).to_string());
        assert_eq!(office.installed(), [sha256(&own), sha256(&root), sha256(&two)]);

        let (outcome, answer) = office.run(&["update", &may]).unwrap();
        assert_eq!((outcome, &answer["older_lists"]), (Outcome::Partly, &1.into()));
        assert_eq!(office.installed(), [sha256(&own), sha256(&root), sha256(&two)]);

        let answer = office.done(&["diff"]);
        assert_eq!((&answer["from"], &answer["to"]), (&2.into(), &3.into()));
        assert_eq!(answer["removed"][0]["sha256"], sha256(&one).to_string());
        assert_eq!(office.done(&["diff", "0", "1"])["added"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_newer_crl_replaces_the_older_and_never_the_other_way() {
        let office = Office::new();
        let csca = csca(Country::VIETNAM);
        let (old, new) = (csca.crl(&CrlPlan::empty().stale()).unwrap(), csca.crl(&CrlPlan::empty()).unwrap());
        let anchor = office.file("anchor", csca.certificate().der());
        let (old, new) = (office.file("old", &old), office.file("new", &new));
        let (outcome, _) = office.run(&["add", &new]).unwrap();
        assert_eq!(outcome, Outcome::Partly, "nobody who is installed has issued it");
        office.done(&["add", &anchor, &old, "--accept-unverified"]);
        assert_eq!(office.done(&["list"])["crls"][0]["stale"], true);
        let answer = office.done(&["add", &new]);
        assert_eq!(
            (
                answer["crls_added"].as_array().unwrap().len(),
                answer["crls_removed"].as_array().unwrap().len()
            ),
            (1, 1)
        );
        let (outcome, answer) = office.run(&["add", &old]).unwrap();
        assert_eq!(
            (outcome, &answer["files"][0]["crls"][0]["standing"]),
            (Outcome::Partly, &"older-than-installed".into())
        );
        assert_eq!(load(&office.store()).unwrap().crls.len(), 1);
    }

    #[test]
    fn one_is_shown_and_removed_by_the_beginning_of_its_fingerprint() {
        let office = Office::new();
        let csca = csca(Country::VIETNAM);
        let file = office.file("csca", csca.certificate().der());
        office.done(&["add", &file, "--accept-unverified"]);
        let start = &sha256(&csca).to_string()[..8];
        let shown = office.done(&["show", start]);
        assert_eq!(shown["subject"], "C=VN, O=cccd-agent simulation, CN=Simulated CSCA");
        assert_eq!(
            Contents::read(shown["pem"].as_str().unwrap().as_bytes()).unwrap().certificates,
            [csca.certificate().der()]
        );
        assert!(office.run(&["show", "00000000"]).is_err());
        assert!(office.run(&["remove", start, "00000000"]).is_err());
        assert_eq!(office.installed().len(), 1, "all or none");
        office.done(&["remove", start]);
        assert_eq!(office.installed(), []);
        assert!(Line::try_parse_from(["trust", "show", "1234567"]).is_err(), "too short to be meant");
    }

    #[test]
    fn hints_tell_the_known_anchor_from_any_other() {
        let mut office = Office::new();
        let (known, other, root) = (csca(Country::VIETNAM), csca(Country::VIETNAM), csca(Country::UTOPIA));
        let documents = HintedDocuments::CitizenId;
        office.hints = vec![Hint { fingerprint: sha256(&known), country: "VN", documents }];
        let codes = |answer: &Value| -> Vec<String> {
            answer["notices"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["code"].as_str().unwrap().to_owned())
                .collect()
        };
        let guidance = office.done(&["list"]);
        assert_eq!(codes(&guidance), ["hint-missing"]);
        assert_eq!(guidance["notices"][0]["sha256"], sha256(&known).to_string());

        let add = |office: &Office, csca: &Csca| {
            let file = office.file("csca", csca.certificate().der());
            office.done(&["add", &file, "--accept-unverified"])
        };
        assert_eq!(codes(&add(&office, &other)), ["hint-differs"]);
        assert_eq!(codes(&office.done(&["list"])), ["hint-missing"]);
        assert_eq!(codes(&add(&office, &root)), [""; 0]);
        assert_eq!(codes(&add(&office, &known)), ["hint-matches"]);
        assert_eq!(codes(&office.done(&["list"])), [""; 0]);
        // A signed list vouches for what stands in it.
        let listed = csca(Country::VIETNAM);
        let list = list(&[&listed], &list_signer(&root), &root, date!(2026 - 05 - 01));
        assert_eq!(codes(&office.done(&["add", &office.file("list", &list)])), [""; 0]);
    }

    /// A server with one object for each path.
    fn serve(objects: Vec<(&'static str, Vec<u8>)>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = first.split(' ').nth(1).unwrap();
                let found = objects.iter().find(|(of, _)| *of == path);
                let (status, body) = found.map_or(("404 Not Found", &[][..]), |(_, body)| ("200 OK", body));
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
            }
        });
        address
    }

    #[test]
    fn an_update_fetches_what_the_settings_name_when_they_allow_it() {
        let csca = csca(Country::VIETNAM);
        let listed = csca_of_utopia_and_its_list(&csca);
        let address = serve(vec![("/a.crl", csca.crl(&CrlPlan::empty()).unwrap()), ("/list", listed.1)]);
        let urls = format!(
            "crl_urls = ['http://{address}/a.crl', 'http://{address}/none']\nlist_urls = ['http://{address}/list']"
        );
        let mut office = Office::with(&urls);
        let anchor = office.file("anchor", csca.certificate().der());
        office.done(&["add", &anchor, "--accept-unverified"]);
        let refused = office.run(&["update"]).unwrap_err().to_string();
        assert!(refused.contains("allow_fetch"), "{refused}");

        office.settings.fetch.allowed = true;
        let (outcome, answer) = office.run(&["update"]).unwrap();
        assert_eq!(outcome, Outcome::Partly);
        assert_eq!(answer["failed"][0]["source"], format!("http://{address}/none"));
        assert_eq!(answer["crls_added"].as_array().unwrap().len(), 1);
        assert_eq!(office.installed(), [sha256(&csca), sha256(&listed.0)]);

        let mut nothing = Office::new();
        nothing.settings.fetch.allowed = true;
        assert!(nothing.run(&["update"]).is_err());
    }

    fn csca_of_utopia_and_its_list(signing: &Csca) -> (Csca, Vec<u8>) {
        let listed = csca(Country::UTOPIA);
        let list = list(&[&listed], &list_signer(signing), signing, date!(2026 - 05 - 01));
        (listed, list)
    }

    #[test]
    fn a_judge_sees_the_store_as_it_is_and_a_damaged_one_as_empty() {
        let office = Office::new();
        let handle = TrustHandle::open(&office.store()).unwrap();
        assert_eq!((handle.current().edition, handle.current().anchors.len()), (0, 0));
        let csca = csca(Country::VIETNAM);
        let (_, link) = csca.roll_over(CscaPlan::usual(Country::VIETNAM)).unwrap();
        let bundle = pki::pem_bundle([csca.certificate().der(), link.der()]);
        office.done(&["add", &office.file("csca", bundle.as_bytes()), "--accept-unverified"]);
        let trust = handle.current();
        assert_eq!((trust.edition, trust.anchors.len()), (1, 2));
        let is_anchor = |der: &[u8]| trust.anchors.is_anchor(&Certificate::parse(der).unwrap());
        assert!(is_anchor(csca.certificate().der()) && !is_anchor(link.der()));
        assert!(std::sync::Arc::ptr_eq(&trust, &handle.current()), "loaded once");

        let current = office.store().join("current");
        let good = fs::read(&current).unwrap();
        fs::write(&current, "1 00\n").unwrap();
        assert!(handle.current().anchors.is_empty());
        fs::write(&current, good).unwrap();
        assert_eq!(handle.current().anchors.len(), 2);
    }
}
