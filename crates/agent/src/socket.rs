//! Sockets of this machine: made so that nobody has more of them than was meant, and who is at their other end.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use cccd_api::{Api, Caller, CallerKind, WhoCalls};
use cccd_engine::CallerId;
use cccd_profiles::{LocalProgram, LocalSettings};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A socket that is there for as long as this is.
struct Socket {
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`. Nobody can connect before the file has this mode and group.
    fn bind(path: &Path, mode: u32, group: Option<&str>) -> Result<(UnixListener, Self)> {
        let shown = path.display();
        match std::fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => bail!("{shown} is there and is no socket"),
            // One that nobody listens at was left behind by an agent that was killed.
            Ok(_) if UnixStream::connect(path).is_ok() => bail!("another program listens at {shown}"),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        }
        let name = path.file_name().with_context(|| format!("{shown} is no file"))?.to_string_lossy();
        let unready = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let _ = std::fs::remove_file(&unready);
        let ready = || -> Result<UnixListener> {
            let listener = UnixListener::bind(&unready).context("cannot listen")?;
            if let Some(group) = group {
                let group = gid_of(group)?;
                std::os::unix::fs::chown(&unready, None, Some(group.as_raw()))
                    .context("cannot give it its group")?;
            }
            std::fs::set_permissions(&unready, std::fs::Permissions::from_mode(mode))
                .context("cannot set its mode")?;
            std::fs::rename(&unready, path).context("cannot give it its name")?;
            Ok(listener)
        };
        match ready() {
            Ok(listener) => Ok((listener, Self { path: path.to_owned() })),
            Err(error) => {
                let _ = std::fs::remove_file(&unready);
                Err(error).with_context(|| format!("{shown} cannot be made"))
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A socket that is served.
pub(crate) struct Served {
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    _socket: Socket,
}

impl Served {
    /// Stops it as the port is stopped, and takes its file away.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// Serves the sockets of the settings.
pub(crate) fn serve(settings: &LocalSettings, api: &Api) -> Result<Vec<Served>> {
    let mut served = Vec::new();
    if let Some(path) = &settings.socket {
        let (listener, socket) = Socket::bind(path, 0o660, settings.group.as_deref())?;
        let who = programs(settings.programs.clone());
        tracing::info!(socket = %path.display(), programs = settings.programs.len(), "serving programs");
        let (stop, stopped) = told_to_stop();
        let server = tokio::spawn(cccd_api::serve_programs(listener, api.clone(), who, stopped));
        served.push(Served { stop, server, _socket: socket });
    }
    if let Some(path) = &settings.admin_socket {
        let (listener, socket) = Socket::bind(path, 0o600, None)?;
        let own = Uid::effective().as_raw();
        tracing::info!(socket = %path.display(), "serving administrators");
        let (stop, stopped) = told_to_stop();
        let server = tokio::spawn(cccd_api::serve_admin(listener, api.clone(), own, stopped));
        served.push(Served { stop, server, _socket: socket });
    }
    Ok(served)
}

fn told_to_stop() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send) {
    let (stop, stopped) = oneshot::channel();
    (stop, async {
        let _ = stopped.await;
    })
}

fn gid_of(group: &str) -> Result<Gid> {
    if let Ok(number) = group.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found = Group::from_name(group).with_context(|| format!("cannot look up the group {group}"))?;
    found.map(|group| group.gid).with_context(|| format!("there is no group {group}"))
}

/// Tells who of the settings' programs is at the other end.
fn programs(programs: Vec<LocalProgram>) -> WhoCalls {
    Arc::new(move |peer| {
        let user = Uid::from_raw(peer.uid);
        let groups = groups_of(user, Gid::from_raw(peer.gid));
        let program = programs.iter().find(|program| {
            program.users.iter().any(|name| is_user(name, user))
                || program.groups.iter().any(|name| gid_of(name).is_ok_and(|gid| groups.contains(&gid)))
        })?;
        let id = CallerId::new(&program.name);
        let mut caller = Caller::new(id, CallerKind::LocalProgram, program.scopes);
        caller.profiles = program.profiles.clone().into();
        caller.results = program.results;
        caller.process = peer.pid.map(|pid| format!("pid {pid}").into());
        Some(caller)
    })
}

fn is_user(name: &str, user: Uid) -> bool {
    match name.parse() {
        Ok(number) => Uid::from_raw(number) == user,
        Err(_) => User::from_name(name).ok().flatten().is_some_and(|known| known.uid == user),
    }
}

/// The group of the process, and those its user is a member of.
fn groups_of(user: Uid, group: Gid) -> Vec<Gid> {
    let known = User::from_uid(user).ok().flatten();
    let name = known.and_then(|user| std::ffi::CString::new(user.name).ok());
    let mut groups = name.and_then(|name| getgrouplist(&name, group).ok()).unwrap_or_default();
    groups.push(group);
    groups
}

#[cfg(test)]
mod tests {
    use cccd_api::Peer;
    use cccd_profiles::{Results, ScopeSet};

    use super::*;

    fn program(name: &str, users: &[&str], groups: &[&str]) -> LocalProgram {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        LocalProgram {
            name: name.into(),
            users: owned(users),
            groups: owned(groups),
            scopes: ScopeSet::NONE,
            profiles: Vec::new(),
            results: Results::Once,
        }
    }

    #[test]
    fn a_program_is_known_by_its_user_or_one_of_its_groups() {
        let who =
            programs(vec![program("by-user", &["root"], &[]), program("by-group", &[], &["4242", "root"])]);
        let told = |uid, gid| {
            who(Peer { uid, gid, pid: Some(7) }).map(|caller| (caller.id.as_str().to_owned(), caller.process))
        };
        let process = || Some("pid 7".into());
        assert_eq!(told(0, 9), Some(("by-user".into(), process())));
        // Nobody has this number, so that only the group of the process counts.
        assert_eq!(told(60_000, 4242), Some(("by-group".into(), process())));
        assert_eq!(told(60_000, 0), Some(("by-group".into(), process())));
        assert_eq!(told(60_000, 60_000), None);
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_makes_way_only_for_the_dead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let (listener, socket) = Socket::bind(&path, 0o600, None).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let refused = Socket::bind(&path, 0o600, None).err().unwrap().to_string();
        assert!(refused.contains("another program"), "{refused}");
        // As if it had been killed: the listener is gone and the file is not.
        drop(listener);
        std::mem::forget(socket);
        let (_listener, socket) = Socket::bind(&path, 0o660, None).unwrap();
        drop(socket);
        assert!(!path.exists());
        std::fs::write(&path, "something else").unwrap();
        assert!(Socket::bind(&path, 0o600, None).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
