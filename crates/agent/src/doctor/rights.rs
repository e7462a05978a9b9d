//! Files and folders of the desk: whether they are there, whose they are, and who else may read or change them.

use std::path::{Path, PathBuf};

use cccd_api::Actor;
use cccd_profiles::{AgentSettings, PeerTls, TargetKind, WebAccess};

use super::Desk;
use super::finding::{Finding, words};
use super::machine::Identity;

/// What is expected of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A key or a token that the settings name: it is there, and nobody else may read it.
    Secret,
    /// The same, of one that the agent makes.
    OwnSecret,
    /// A folder that only the agent may look into.
    Closed,
    /// What everybody may read and nobody else may change.
    Guarded,
}

pub(super) fn check(desk: &Desk) -> Vec<Finding> {
    let agent = desk.agent_identity();
    let places = places(&desk.settings, desk.config.as_deref());
    let count = places.len();
    let mut found = Vec::new();
    let mut unseen: Vec<&Path> = Vec::new();
    for (path, kind) in &places {
        match look_at(path, *kind, agent.as_ref()) {
            Ok(finding) => found.extend(finding),
            Err(Unseen) => unseen.push(path),
        }
    }
    if let Some(first) = unseen.first() {
        let (first, count) = (first.display(), unseen.len());
        found.push(Finding::warning(
            "rights",
            words(
                format!("tài khoản này không xem được {count} tệp, thư mục, như {first}"),
                format!("this user may not look at {count} files and folders, such as {first}"),
            ),
            Actor::Admin,
            words(
                "chạy lại bằng quyền root, hoặc bằng tài khoản của dịch vụ",
                "run it again as root, or as the user the agent runs as",
            ),
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok(
            "rights",
            words(
                format!("{count} tệp và thư mục: đúng chủ, đúng quyền"),
                format!("{count} files and folders: their owners and modes are right"),
            ),
        ));
    }
    found
}

/// Everything the settings name, and the settings themselves.
fn places(settings: &AgentSettings, config: Option<&Path>) -> Vec<(PathBuf, Kind)> {
    let mut places: Vec<(PathBuf, Kind)> = Vec::new();
    let mut add = |path: &Path, kind: Kind| places.push((path.to_owned(), kind));
    if let Some(config) = config {
        add(config, Kind::Guarded);
        if let Some(folder) = config.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            add(folder, Kind::Guarded);
        }
    }
    add(&settings.evidence.key_file, Kind::OwnSecret);
    add(&settings.store.folder, Kind::Closed);
    for file in ["hash.key", "audit.db", "state.db"] {
        add(&settings.store.folder.join(file), Kind::OwnSecret);
    }
    add(&settings.trust.directory, Kind::Guarded);
    if settings.api.tls.listen.is_some() {
        add(&settings.api.tls.folder, Kind::Guarded);
        add(&settings.api.tls.folder.join("server.pem"), Kind::OwnSecret);
    }
    if !settings.targets.is_empty() {
        add(&settings.outbox.folder, Kind::Closed);
        add(&settings.outbox.folder.join("outbox.key"), Kind::OwnSecret);
        add(&settings.outbox.folder.join("outbox.db"), Kind::OwnSecret);
    }
    if let Some(terminal) = &settings.terminal {
        add(&terminal.key_file, Kind::Secret);
    }
    for reader in &settings.network_readers {
        reader.token_file.iter().for_each(|file| add(file, Kind::Secret));
    }
    let of_tls = |tls: &PeerTls| tls.client.iter().map(|client| client.key_file.clone()).collect::<Vec<_>>();
    let of_access = |access: &WebAccess| {
        let mut files = of_tls(&access.tls);
        files.extend(access.oauth.iter().map(|oauth| oauth.secret_file.clone()));
        files
    };
    let mut secrets = Vec::new();
    for target in &settings.targets {
        if let TargetKind::Webhook(webhook) = &target.kind {
            secrets.extend(webhook.secret_file.clone());
            secrets.extend(of_access(&webhook.access));
        }
    }
    if let Some(fleet) = &settings.fleet {
        secrets.extend(fleet.login.iter().map(|login| login.password_file.clone()));
        secrets.extend(of_tls(&fleet.tls));
    }
    if let Some(served) = &settings.served {
        secrets.extend(of_access(&served.access));
        add(&served.folder, Kind::Guarded);
    }
    let syslog = settings.audit.syslog.as_ref().and_then(|syslog| syslog.client.as_ref());
    secrets.extend(syslog.map(|client| client.key_file.clone()));
    places.extend(secrets.into_iter().map(|path| (path, Kind::Secret)));
    places
}

/// Whose a folder is.
#[cfg(unix)]
pub(super) fn owner_of(folder: &Path) -> Option<Identity> {
    use nix::unistd::{Gid, Uid, User, getgrouplist};
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(folder).ok()?;
    let mut groups = vec![metadata.gid()];
    let user = User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten();
    if let Some(user) = user
        && let Ok(name) = std::ffi::CString::new(user.name)
        && let Ok(listed) = getgrouplist(&name, user.gid)
    {
        groups.extend(listed.into_iter().map(Gid::as_raw));
    }
    Some(Identity { user: metadata.uid(), groups })
}

/// What this user may not look at.
#[derive(Debug, PartialEq, Eq)]
struct Unseen;

/// Looks at one. Nothing is said of what is as it should be.
#[cfg(unix)]
fn look_at(path: &Path, kind: Kind, agent: Option<&Identity>) -> Result<Option<Finding>, Unseen> {
    use std::io::ErrorKind;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && kind != Kind::Secret => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let seen = words(
                format!("không có tệp {shown} mà cấu hình nêu"),
                format!("{shown}, which the settings name, is not there"),
            );
            let todo = words(
                "đặt tệp vào đó với quyền 600, hoặc sửa cấu hình",
                "put it there with mode 600, or mend the settings",
            );
            return Ok(Some(Finding::fault("rights", seen, Actor::Admin, todo)));
        }
        Err(_) => return Err(Unseen),
    };
    let mode = metadata.permissions().mode() & 0o7777;
    let (mask, wanted) = match kind {
        Kind::Secret | Kind::OwnSecret => (0o077, "600"),
        Kind::Closed => (0o077, "700"),
        // A sticky folder such as /tmp lets nobody change another's file.
        Kind::Guarded if mode & 0o1000 != 0 => (0, ""),
        Kind::Guarded => (0o022, "go-w"),
    };
    if mode & mask != 0 {
        let (vi, en) = match kind {
            Kind::Guarded => ("người khác sửa được", "others may change it"),
            _ => ("người khác đọc được", "others may read it"),
        };
        let seen =
            words(format!("{shown}: {vi} (quyền {mode:03o})"), format!("{shown}: {en} (mode {mode:03o})"));
        let todo = format!("chmod {wanted} {shown}");
        return Ok(Some(Finding::fault("rights", seen, Actor::Admin, words(todo.clone(), todo))));
    }
    // What the settings name may be the administrator's, where the agent is the administrator too.
    let is_of_agent = agent.is_none_or(|agent| agent.user == metadata.uid() || agent.user == 0);
    if kind != Kind::Guarded && !is_of_agent {
        let user = agent.map(|agent| agent.user).unwrap_or_default();
        let seen = words(
            format!("{shown} thuộc người dùng số {}, còn dịch vụ chạy với số {user}", metadata.uid()),
            format!("{shown} is user {}'s, and the agent runs as user {user}", metadata.uid()),
        );
        let todo = format!("chown {user} {shown}");
        return Ok(Some(Finding::fault("rights", seen, Actor::Admin, words(todo.clone(), todo))));
    }
    Ok(None)
}

/// On Windows the folder's access list decides, which the installer sets.
#[cfg(not(unix))]
fn look_at(path: &Path, kind: Kind, _: Option<&Identity>) -> Result<Option<Finding>, Unseen> {
    match path.try_exists() {
        Ok(false) if kind == Kind::Secret => {}
        Ok(_) => return Ok(None),
        Err(_) => return Err(Unseen),
    }
    let shown = path.display();
    let seen = words(
        format!("không có tệp {shown} mà cấu hình nêu"),
        format!("{shown}, which the settings name, is not there"),
    );
    let todo = words("đặt tệp vào đó, hoặc sửa cấu hình", "put it there, or mend the settings");
    Ok(Some(Finding::fault("rights", seen, Actor::Admin, todo)))
}

#[cfg(not(unix))]
pub(super) fn owner_of(_: &Path) -> Option<Identity> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::super::finding::State;
    use super::super::machine::Machine;
    use super::super::tests::{desk, shown};
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        /// A desk whose files are all as they should be.
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for name in ["store", "outbox", "trust"] {
                fs::create_dir(folder.path(name)).unwrap();
                folder.mode(name, if name == "trust" { 0o755 } else { 0o700 });
            }
            for name in ["key.json", "his.secret", "store/audit.db", "station.key", "broker.password"] {
                fs::write(folder.path(name), "").unwrap();
                folder.mode(name, 0o600);
            }
            fs::write(folder.path("agent.toml"), "").unwrap();
            folder.mode("agent.toml", 0o644);
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn found(&self) -> Vec<Finding> {
            let at = |name: &str| self.path(name).display().to_string();
            let text = format!(
                "[evidence]\nkey_file = '{}'\n[store]\nfolder = '{}'\n[outbox]\nfolder = '{}'\n[trust]\ndirectory = '{}'\n\
                 [terminal]\ncertificates = ['x']\nkey_file = '{}'\n\
                 [[target]]\nname = 'his'\nurl = 'https://his.example.vn/'\nsecret_file = '{}'\n\
                 [fleet]\nbroker = 'mqtts://fleet.example.vn'\ndesk = 'a'\nusername = 'a'\npassword_file = '{}'\n",
                at("key.json"),
                at("store"),
                at("outbox"),
                at("trust"),
                at("station.key"),
                at("his.secret"),
                at("broker.password"),
            );
            let config = Some(self.path("agent.toml"));
            check(&Desk { config, ..desk(&text, Machine::below("/nowhere")) })
        }
    }

    #[test]
    fn files_that_lie_well_are_one_good_line() {
        let found = Folder::new().found();
        assert!(matches!(found.as_slice(), [Finding { state: State::Ok, .. }]), "{}", shown(&found));
    }

    #[test]
    fn whatever_others_may_read_or_change_is_named_with_the_command_that_mends_it() {
        for (name, mode, told) in [
            ("key.json", 0o640, "chmod 600"),
            ("his.secret", 0o604, "chmod 600"),
            ("station.key", 0o644, "chmod 600"),
            ("broker.password", 0o644, "chmod 600"),
            ("store/audit.db", 0o660, "chmod 600"),
            ("store", 0o750, "chmod 700"),
            ("outbox", 0o755, "chmod 700"),
            ("trust", 0o775, "chmod go-w"),
            ("agent.toml", 0o666, "chmod go-w"),
        ] {
            let folder = Folder::new();
            folder.mode(name, mode);
            let found = folder.found();
            let told = format!("{told} {}", folder.path(name).display());
            let is_told = |found: &Finding| {
                found.state == State::Fault && found.todo.as_ref().is_some_and(|(_, todo)| todo.en == told)
            };
            assert!(found.len() == 1 && found.iter().all(is_told), "{name}: {}", shown(&found));
        }
    }

    #[test]
    fn a_secret_that_the_settings_name_has_to_be_there() {
        let folder = Folder::new();
        fs::remove_file(folder.path("his.secret")).unwrap();
        fs::remove_file(folder.path("key.json")).unwrap();
        let found = folder.found();
        // The agent makes the other one.
        assert!(found.len() == 1 && found[0].seen.en.contains("his.secret"), "{}", shown(&found));
    }

    #[test]
    fn what_is_not_the_agents_cannot_be_read_by_it() {
        let folder = Folder::new();
        let path = folder.path("his.secret");
        let own = fs::metadata(&path).unwrap().uid();
        let other = Identity { user: own + 1, groups: Vec::new() };
        let found = look_at(&path, Kind::Secret, Some(&other)).unwrap().unwrap();
        assert_eq!(found.todo.unwrap().1.en, format!("chown {} {}", own + 1, path.display()));
        let same = Identity { user: own, groups: Vec::new() };
        assert_eq!(look_at(&path, Kind::Secret, Some(&same)), Ok(None));
        assert_eq!(look_at(&path, Kind::Secret, Some(&Identity { user: 0, groups: Vec::new() })), Ok(None));
        assert_eq!(owner_of(&folder.path("store")).map(|owner| owner.user), Some(own));
    }
}
