//! The data folder, and what lies in it besides the cluster.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::{env, iter};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};

use super::process::{Account, command};
use super::{ClusterError, failed};

/// Bytes of a unix socket's path: macOS keeps 104 with the closing zero, Linux 108 (their unix(4), unix(7)).
const SOCKET_PATH_MAX: usize = 103;

/// A log above this many bytes is set aside at the next start.
const LOG_MAX: u64 = 4 << 20;

/// Root keeps its data where the user PostgreSQL runs as can reach it, which is not so for /root.
pub fn default_data_dir() -> PathBuf {
    if Uid::effective().is_root() {
        return PathBuf::from("/var/lib/stellwerk");
    }
    // The XDG base directory specification says to ignore relative paths.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").or_else(|| Some(User::from_uid(Uid::effective()).ok()??.dir));
    absolute("XDG_DATA_HOME")
        .unwrap_or_else(|| home().unwrap_or_default().join(".local/share"))
        .join("stellwerk")
}

/// The data folder's real path. One made here can be entered, but not listed, by the user PostgreSQL runs as.
pub fn data_dir(path: &Path) -> Result<PathBuf, ClusterError> {
    let unfit = |problem| move |source| ClusterError::DataDir { path: path.to_owned(), problem, source };

    if !path.exists() {
        let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(path)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .map_err(|error| unfit("it cannot be made")(Some(error)))?;
    }
    let real = path.canonicalize().map_err(|error| unfit("it cannot be reached")(Some(error)))?;
    if !real.is_dir() {
        return Err(unfit("it is not a folder")(None));
    }
    fs::read_dir(&real).map_err(|error| unfit("it cannot be read")(Some(error)))?;
    Ok(real)
}

/// One process at a time. The system drops the lock with the process, however that ends.
pub fn lock(data_dir: &Path) -> Result<Flock<File>, ClusterError> {
    let path = data_dir.join("postgres.lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| ClusterError::DataDir {
            path: data_dir.to_owned(),
            problem: "it cannot be written",
            source: Some(error),
        })?;

    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            lock.set_len(0)
                .and_then(|()| writeln!(*lock, "{}", process::id()))
                .map_err(failed("write", &path))?;
            Ok(lock)
        }
        Err((file, Errno::EWOULDBLOCK)) => {
            let mut holder = String::new();
            // Only for the message; the holder may be just about to write it.
            let _ = file.take(20).read_to_string(&mut holder);
            let holder = Some(holder.trim()).filter(|pid| !pid.is_empty()).unwrap_or("unknown");
            Err(ClusterError::Locked { path: data_dir.to_owned(), holder: holder.to_owned() })
        }
        Err((_, errno)) => Err(failed("lock", &path)(errno.into())),
    }
}

/// The major version that made the cluster, or `None` when there is no cluster yet.
pub fn major_of(cluster: &Path) -> Result<Option<u32>, ClusterError> {
    let path = cluster.join("PG_VERSION");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let major = text.trim().parse().map_err(|error| failed("read", &path)(io::Error::other(error)))?;
    Ok(Some(major))
}

/// Tries it as `account`, because mode bits alone do not decide (access lists, mounts, containers).
pub fn check_traversable(data_dir: &Path, account: &Account, bin_dir: &Path) -> Result<(), ClusterError> {
    let can_enter = |folder: &Path| {
        command(&bin_dir.join("postgres"), folder, Some(account), Signal::SIGKILL)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    };
    if can_enter(data_dir) {
        return Ok(());
    }

    let mut from_the_root: Vec<&Path> = data_dir.ancestors().collect();
    from_the_root.reverse();
    let blocked = from_the_root.into_iter().find(|folder| !can_enter(folder)).unwrap_or(data_dir);
    Err(ClusterError::NotTraversable {
        user: account.name.clone(),
        blocked: blocked.to_owned(),
        path: data_dir.to_owned(),
    })
}

/// Beside the cluster, or in a short folder named after the data folder when that path is too long.
pub fn socket_dir(data_dir: &Path, account: Option<&Account>) -> Result<PathBuf, ClusterError> {
    let name = format!("stellwerk-{}", hex::encode(&Sha256::digest(data_dir.as_os_str().as_bytes())[..8]));
    // Root's own runtime folder is closed to the user PostgreSQL runs as.
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|dir| account.is_none() && !dir.is_empty());
    let fits = |dir: &PathBuf| dir.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_PATH_MAX;
    let dir = iter::once(data_dir.join("socket"))
        .chain(runtime.map(|dir| Path::new(&dir).join(&name)))
        .find(|dir| dir.is_absolute() && fits(dir) && dir.to_str().is_some()) // as text it becomes a setting
        .unwrap_or_else(|| Path::new("/tmp").join(&name));
    make_private(&dir, account)?;
    Ok(dir)
}

/// Leaves no litter in /tmp; a socket folder beside the cluster stays for the next start.
pub fn remove_outside_socket_dir(socket_dir: &Path, data_dir: &Path) {
    if !socket_dir.starts_with(data_dir) {
        let _ = fs::remove_dir(socket_dir); // it may hold what somebody else put there
    }
}

/// A folder of mode 0700 owned by `account`. One that exists must be exactly that already: in /tmp anybody
/// could have put a folder or a link there first.
pub fn make_private(dir: &Path, account: Option<&Account>) -> Result<(), ClusterError> {
    let us = Uid::effective();
    let owner = account.map_or(us, |account| account.uid).as_raw();

    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("make", dir)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(dir).map_err(failed("read", dir))?;
    let is_ours = found.uid() == owner || found.uid() == us.as_raw();
    if !found.is_dir() || !is_ours || found.mode() & 0o077 != 0 {
        return Err(failed("use", dir)(io::Error::other("it is not a folder of ours closed to all others")));
    }
    if let Some(account) = account.filter(|_| found.uid() != owner) {
        lchown(dir, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
            .map_err(failed("hand over", dir))?;
    }
    Ok(())
}

pub fn log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres.log")
}

/// The log, to append to. PostgreSQL inherits it open, so it may belong to us.
pub fn open_log(data_dir: &Path) -> Result<File, ClusterError> {
    let path = log_path(data_dir);
    if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_MAX) {
        let before = path.with_extension(OsStr::new("log.1"));
        fs::rename(&path, before).map_err(failed("set aside", &path))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed("open", &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::Folder;

    #[test]
    fn a_long_log_is_set_aside_at_the_next_start() {
        let folder = Folder::new();
        open_log(folder.path()).unwrap().set_len(LOG_MAX + 1).unwrap();

        open_log(folder.path()).unwrap();

        assert_eq!(fs::metadata(log_path(folder.path())).unwrap().len(), 0);
        assert_eq!(fs::metadata(folder.path().join("postgres.log.1")).unwrap().len(), LOG_MAX + 1);
    }

    #[test]
    fn a_socket_folder_that_others_can_enter_or_that_is_a_link_is_refused() {
        let folder = Folder::new();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();

        let refused = [make_private(&open, None), make_private(&link, None)];

        assert!(refused.iter().all(|r| matches!(r, Err(ClusterError::Io { doing: "use", .. }))));
    }
}
