//! Starting `initdb` and `postgres`, watching them, ending them.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use nix::fcntl::Flock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User, getpid, getppid};
use tokio::sync::{oneshot, watch};

use super::folders::{log_path, make_private, open_log};
use super::orphans::{PidFile, evict, remove_stale_pid_files};
use super::{ClusterError, OWNER, Plan, SETTINGS, failed};

/// A start after a crash replays up to a few checkpoints of log.
const READY_WITHIN: Duration = Duration::from_secs(120);
const MADE_WITHIN: Duration = Duration::from_secs(120);
pub(super) const POLL: Duration = Duration::from_millis(10);

/// Nothing else of our environment reaches PostgreSQL: it holds keys, and PGPORT and the like would change
/// the server.
const ENVIRONMENT: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"];

/// The user PostgreSQL runs as when we are root, which it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl Account {
    /// `None` means ourselves. A cluster that exists keeps its owner: a user `postgres` that a package added
    /// later could not read what `nobody` made.
    pub fn choose(cluster: &Path) -> Result<Option<Account>, ClusterError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        if let Some(owner) = fs::metadata(cluster).ok().filter(|found| found.uid() != 0) {
            let uid = Uid::from_raw(owner.uid());
            let name = User::from_uid(uid).ok().flatten().map_or(uid.to_string(), |user| user.name);
            return Ok(Some(Account { name, uid, gid: Gid::from_raw(owner.gid()) }));
        }
        let user = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = user.ok_or(ClusterError::NoAccount)?;
        Ok(Some(Account { name: user.name, uid: user.uid, gid: user.gid }))
    }
}

/// A command that runs as `account` in `folder` and gets `at_our_end` when the calling thread ends. It has a
/// process group of its own, so that Ctrl-C in a terminal reaches us alone and we stop first.
pub fn command(program: &Path, folder: &Path, account: Option<&Account>, at_our_end: Signal) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).process_group(0);
    command.env_clear().env("LC_ALL", "C");
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    if let Some(account) = account {
        // Setting the uid also clears the supplementary groups (std's documentation of `uid`).
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    end_with_this_thread(&mut command, at_our_end);
    command
}

/// Without this, a killed stellwerk would leave PostgreSQL running. Only Linux has it; elsewhere such an
/// orphan keeps the next start from becoming ready.
#[allow(unsafe_code, reason = "pre_exec: between fork and exec only two system calls, nothing is allocated")]
fn end_with_this_thread(command: &mut Command, signal: Signal) {
    let us = getpid();
    let arm = move || {
        // After std has set the uid, which would clear it again (prctl(2), PR_SET_PDEATHSIG).
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(signal)?;
        // We may have ended before it was armed.
        if getppid() == us { Ok(()) } else { Err(io::Error::from(nix::errno::Errno::ESRCH)) }
    };
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
    unsafe { command.pre_exec(arm) };
}

/// PostgreSQL as long as it runs. The signal at our end follows the spawning thread rather than the process,
/// so each start has a thread of its own that stays until PostgreSQL has ended.
#[derive(Debug)]
pub struct Running {
    pid: u32,
    has_ended: watch::Receiver<bool>,
}

impl Running {
    /// `lock` is held here too until PostgreSQL is up: a caller may give up waiting and let go of his.
    pub async fn launch(plan: Arc<Plan>, lock: Arc<Flock<File>>) -> Result<Running, ClusterError> {
        let (ready, becomes_ready) = oneshot::channel();
        let (ended, has_ended) = watch::channel(false);
        let log = log_path(&plan.data_dir);

        let keep = move || -> Result<(), ClusterError> {
            let mut child = boot(&plan)?;
            let running = Running { pid: child.id(), has_ended };
            // If nobody waits any more, both come back, and to drop the one stops PostgreSQL. Whoever waits
            // gets the lock with it: kept here for another moment it would refuse the next start.
            let lock = ready.send((running, lock)).err().map(|(_, lock)| lock);
            let _ = child.wait(); // fails only for a child already waited for
            ended.send_replace(true);
            drop(lock);
            Ok(())
        };
        let keeper = thread::Builder::new().name("postgres".into()).spawn(keep);
        let keeper = keeper.map_err(failed("start a thread for", &log))?;

        match becomes_ready.await {
            Ok((running, _)) => Ok(running),
            // The thread has dropped its end: it is over, or about to be.
            Err(_) => Err(keeper.join().ok().and_then(Result::err).unwrap_or(ClusterError::NotReady { log })),
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Resolves when PostgreSQL has ended.
    pub async fn ended(&self) {
        // An error says that the thread is gone, and PostgreSQL goes with it.
        let _ = self.has_ended.clone().wait_for(|ended| *ended).await;
    }

    /// Does nothing once PostgreSQL has ended: by then its pid may be another process's.
    pub fn signal(&self, with: Signal) {
        if !*self.has_ended.borrow() {
            signal(self.pid, with);
        }
    }

    /// Sends each signal in turn until PostgreSQL ends within the time given to it.
    pub async fn end(&self, steps: &[(Signal, Duration)]) -> Result<(), ClusterError> {
        for (with, patience) in steps {
            self.signal(*with);
            if tokio::time::timeout(*patience, self.ended()).await.is_ok() {
                return Ok(());
            }
            tracing::warn!(pid = self.pid, signal = %with, "postgres does not stop");
        }
        Err(ClusterError::NotStopped { pid: self.pid })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// Starts `postgres` and waits until it answers. Blocks.
fn boot(plan: &Plan) -> Result<Child, ClusterError> {
    evict(&plan.cluster)?;
    remove_stale_pid_files(plan)?;

    let program = plan.bin_dir.join("postgres");
    let log = open_log(&plan.data_dir)?;
    let mut command = command(&program, &plan.data_dir, plan.account.as_ref(), Signal::SIGINT);
    command.arg("-D").arg(&plan.cluster).stdout(Stdio::null()).stderr(log);
    let settings = plan.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // The value is a list: quoted, a comma or blank in the path stays part of it.
    let socket_dir = plan.socket_dir.display().to_string().replace('"', "\"\"");
    command.arg("-c").arg(format!("unix_socket_directories=\"{socket_dir}\""));
    for (name, value) in SETTINGS.into_iter().chain(settings) {
        command.arg("-c").arg(format!("{name}={value}"));
    }

    let mut child = command.spawn().map_err(failed("start", &program))?;
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if child.try_wait().map_err(failed("wait for", &program))?.is_some() {
            return Err(ClusterError::NotReady { log: log_path(&plan.data_dir) });
        }
        // After a kill -9 the old file still says ready, with the old pid.
        if PidFile::read(&plan.cluster).is_some_and(|file| file.is_ready && file.pid == child.id()) {
            tracing::info!(pid = child.id(), "postgres is ready");
            return Ok(child);
        }
        thread::sleep(POLL);
    }
    signal(child.id(), Signal::SIGQUIT);
    wait_within(&mut child, Duration::from_secs(8)).map_err(failed("wait for", &program))?;
    Err(ClusterError::NotReady { log: log_path(&plan.data_dir) })
}

/// Makes a cluster under another name and renames it when whole, so that a killed `initdb` leaves no half
/// cluster behind. Blocks.
pub fn make_cluster(plan: &Plan) -> Result<(), ClusterError> {
    let new = plan.data_dir.join("postgres.new");
    let program = plan.bin_dir.join("initdb");
    let is_unsynced = plan.settings.iter().any(|(name, value)| name == "fsync" && value == "off");

    // Not every system has C.UTF-8; C sorts the same and differs in upper and lower case beyond ASCII.
    for locale in ["C.UTF-8", "C"] {
        if new.exists() {
            evict(&new)?;
            fs::remove_dir_all(&new).map_err(failed("remove", &new))?;
        }
        make_private(&new, plan.account.as_ref())?;

        let log = open_log(&plan.data_dir)?;
        let mut command = command(&program, &plan.data_dir, plan.account.as_ref(), Signal::SIGKILL);
        command.arg("-D").arg(&new).args(["-U", OWNER, "--auth=trust", "--encoding=UTF8"]);
        command.args(["--locale", locale, "--data-checksums", "--no-instructions"]);
        command.args(is_unsynced.then_some("--no-sync")).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().map_err(failed("start", &program))?;
        let status = wait_within(&mut child, MADE_WITHIN).map_err(failed("wait for", &program))?;

        if status.is_some_and(|status| status.success()) {
            fs::rename(&new, &plan.cluster).map_err(failed("rename", &new))?;
            return File::open(&plan.data_dir)
                .and_then(|folder| folder.sync_all())
                .map_err(failed("write", &plan.data_dir));
        }
    }
    Err(ClusterError::NotMade { log: log_path(&plan.data_dir) })
}

/// `None` when it had to be killed.
fn wait_within(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// A process that has ended meanwhile is fine.
pub fn signal(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}
