//! What an earlier, killed run left behind.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::sys::signal::Signal;

use super::process::{POLL, signal};
use super::{ClusterError, Plan, failed};

/// What an orphan is sent, and how long it is waited for.
const EVICT: [(Signal, Duration); 2] =
    [(Signal::SIGINT, Duration::from_secs(10)), (Signal::SIGQUIT, Duration::from_secs(8))];

/// Ends the processes an earlier, killed run left in this cluster. We hold the lock, so none is in use.
pub fn evict(cluster: &Path) -> Result<(), ClusterError> {
    for (with, patience) in EVICT {
        let found = inhabitants(cluster);
        if found.is_empty() {
            break;
        }
        tracing::warn!(pids = ?found, signal = %with, "ending postgres processes of an earlier run");
        // The postmaster ends its own, in order; without one each has to be told.
        let postmaster = PidFile::read(cluster).map(|file| file.pid).filter(|pid| found.contains(pid));
        match postmaster.filter(|_| with == Signal::SIGINT) {
            Some(postmaster) => signal(postmaster, with),
            None => found.into_iter().for_each(|pid| signal(pid, with)),
        }
        let deadline = Instant::now() + patience;
        while !inhabitants(cluster).is_empty() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
    if let Some(pid) = inhabitants(cluster).first() {
        return Err(ClusterError::NotStopped { pid: *pid });
    }

    Ok(())
}

/// PostgreSQL takes any process with the pid in an old file for itself, even a zombie or, after a reboot, a
/// stranger, and refuses to start. Its other check, for shared memory still in use, does not need the files.
pub fn remove_stale_pid_files(plan: &Plan) -> Result<(), ClusterError> {
    if !Path::new("/proc/self/cwd").exists() {
        return Ok(()); // nobody has looked whether the process lives
    }
    for stale in [plan.cluster.join("postmaster.pid"), plan.socket_dir.join(".s.PGSQL.5432.lock")] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &stale)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The living `postgres` processes at work in this folder. Without a /proc none is seen, and PostgreSQL's own
/// checks remain.
pub fn inhabitants(cluster: &Path) -> Vec<u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| lives_in(*pid, cluster))
        .collect()
}

fn lives_in(pid: u32, cluster: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    if !fs::read(process.join("comm")).is_ok_and(|name| name.trim_ascii_end() == b"postgres") {
        return false; // such as an operator's shell
    }
    match fs::read_link(process.join("cwd")) {
        Ok(folder) => folder == cluster,
        // Root without CAP_SYS_PTRACE, as in most containers, may not see this; the arguments it may.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fs::read(process.join("cmdline"))
            .is_ok_and(|line| {
                line.split(|byte| *byte == 0).any(|word| word == cluster.as_os_str().as_bytes())
            }),
        // Gone, or a zombie, which has no folder any more.
        Err(_) => false,
    }
}

/// PostgreSQL's postmaster.pid: the pid is line 1, the state line 8 (its source, `utils/pidfile.h`).
pub struct PidFile {
    pub pid: u32,
    pub is_ready: bool,
}

impl PidFile {
    pub fn read(cluster: &Path) -> Option<PidFile> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        Some(PidFile { pid, is_ready: lines.nth(6).is_some_and(|state| state.trim() == "ready") })
    }
}
