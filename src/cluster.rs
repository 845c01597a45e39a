//! A private PostgreSQL cluster, so that a first run needs no set-up: made on first use, kept below the
//! data folder, reachable through a unix socket only, stopped with this program, recovered after a crash.
//!
//! ```text
//! <data folder>/postgres        the cluster (mode 0700, owned by the user PostgreSQL runs as)
//! <data folder>/postgres.new    a cluster being made; renamed when whole
//! <data folder>/postgres.lock   held while the cluster is in use; names the holder's pid
//! <data folder>/postgres.log    PostgreSQL's own words; postgres.log.1 is the log before
//! <data folder>/socket          the socket (mode 0700), elsewhere if the path would be too long
//! ```
//!
//! Every local connection is trusted. That is safe because there is no TCP port, and only the user
//! PostgreSQL runs as (and root) can enter the socket's folder.

pub mod binaries;
pub mod folders;
pub mod orphans;
pub mod process;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::Flock;
use nix::sys::signal::Signal;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

pub use folders::default_data_dir;
use process::{Account, Running};

/// The superuser the cluster is made with.
pub const OWNER: &str = "stellwerk_owner";

/// A fast shutdown writes a checkpoint first. An immediate one does not, so the next start replays the log
/// instead; nothing committed is lost. PostgreSQL itself kills stuck backends 5 s into the second.
const STOP: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(8)),
    (Signal::SIGQUIT, Duration::from_secs(8)),
    (Signal::SIGKILL, Duration::from_secs(2)),
];

const STOP_NOW: [(Signal, Duration); 2] =
    [(Signal::SIGQUIT, Duration::from_secs(8)), (Signal::SIGKILL, Duration::from_secs(2))];

/// What is not left to PostgreSQL's defaults; `ClusterOptions::settings` come after these and win.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", ""),
    ("port", "5432"), // only names the socket file; fixed, so that the URL needs no port
    ("max_connections", "200"),
    ("shared_buffers", "256MB"), // becomes real memory only as pages are read
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "off"), // the log is the inherited stderr
    // Statements and the details of a violated constraint hold people's data: they stay out of the log.
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
];

/// Characters that need no escape in any part of the URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Made if missing.
    pub data_dir: PathBuf,
    /// Further `-c name=value` settings of PostgreSQL, such as `fsync=off` for tests.
    pub settings: Vec<(String, String)>,
    /// The folder of `initdb` and `postgres` (STELLWERK_PG_BIN); searched for when absent.
    pub bin_dir: Option<PathBuf>,
}

/// Why there is no cluster. Each reads as one line for an operator; the cause, if any, is the source.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL {oldest} or newer that {user} can run was found in {looked}: install it (on Debian \
         `apt install postgresql`) or name the folder of `initdb` and `postgres` in STELLWERK_PG_BIN"
    )]
    NoBinaries { oldest: u32, user: String, looked: String },
    #[error("the data folder {path} cannot be used: {problem}")]
    DataDir { path: PathBuf, problem: &'static str, source: Option<io::Error> },
    #[error(
        "PostgreSQL runs as user {user}, who cannot enter {blocked} on the way to the data folder {path}: \
         choose another data folder, such as /var/lib/stellwerk, or `chmod o+x {blocked}`"
    )]
    NotTraversable { user: String, blocked: PathBuf, path: PathBuf },
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: \
         run as another user"
    )]
    NoAccount,
    #[error("the data folder {path} is in use by another process (pid {holder})")]
    Locked { path: PathBuf, holder: String },
    #[error(
        "the cluster {path} was made by PostgreSQL {cluster}, but only {found} is installed: install \
         PostgreSQL {cluster} beside it, or move the data with pg_upgrade"
    )]
    OtherMajor { path: PathBuf, cluster: u32, found: u32 },
    #[error("PostgreSQL could not make a new cluster; the end of {log} says why")]
    NotMade { log: PathBuf },
    #[error("PostgreSQL did not become ready; the end of {log} says why")]
    NotReady { log: PathBuf },
    #[error("PostgreSQL (pid {pid}) did not stop")]
    NotStopped { pid: u32 },
    #[error("could not {doing} {path}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

/// Names what was being done to which path when the operating system refused.
fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ClusterError {
    move |source| ClusterError::Io { doing, path: path.to_owned(), source }
}

/// Everything a start needs; a restart uses it again.
#[derive(Debug)]
pub struct Plan {
    account: Option<Account>,
    bin_dir: PathBuf,
    data_dir: PathBuf,
    cluster: PathBuf,
    socket_dir: PathBuf,
    settings: Vec<(String, String)>,
}

/// A running cluster. Dropping it asks PostgreSQL to stop without waiting; prefer `stop`.
#[derive(Debug)]
pub struct Cluster {
    plan: Arc<Plan>,
    running: Running,
    lock: Arc<Flock<File>>,
}

impl Cluster {
    /// Makes the cluster if there is none, ends what an earlier killed run left behind, and returns when
    /// PostgreSQL answers. Takes about half a second the first time. Bounded by two minutes, which only a
    /// long crash recovery comes near.
    pub async fn start(options: ClusterOptions) -> Result<Cluster, ClusterError> {
        let path = options.data_dir.clone();
        let (plan, lock) = tokio::task::spawn_blocking(move || prepare(options))
            .await
            .map_err(|panicked| failed("prepare", &path)(io::Error::other(panicked)))??;
        let (plan, lock) = (Arc::new(plan), Arc::new(lock));

        let running = Running::launch(plan.clone(), lock.clone()).await?;

        Ok(Cluster { plan, running, lock })
    }

    /// For tokio-postgres and libpq, which both take the socket's folder as `host`.
    pub fn url(&self, user: &str, database: &str) -> String {
        let escaped = |part: &[u8]| percent_encode(part, ESCAPED).to_string();
        let host = self.plan.socket_dir.as_os_str().as_bytes();
        format!(
            "postgres://{}@/{}?host={}",
            escaped(user.as_bytes()),
            escaped(database.as_bytes()),
            escaped(host)
        )
    }

    /// Process id of the postmaster. Changes with `restart`.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Resolves when PostgreSQL has ended although nobody called `stop`; the caller may `restart` or quit.
    pub async fn exited(&self) {
        self.running.ended().await;
    }

    /// Ends PostgreSQL at once, as a crash would, and starts it again on the same socket. Also starts it
    /// after it died by itself.
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        self.running.end(&STOP_NOW).await?;
        self.running = Running::launch(self.plan.clone(), self.lock.clone()).await?;
        Ok(())
    }

    /// Stops PostgreSQL: sessions are ended, open transactions rolled back, a checkpoint written. Takes a
    /// fraction of a second; harsher means follow after 8 s and 16 s, and 18 s is the end.
    pub async fn stop(self) -> Result<(), ClusterError> {
        self.running.end(&STOP).await?;
        folders::remove_outside_socket_dir(&self.plan.socket_dir, &self.plan.data_dir);
        Ok(())
    }
}

/// Everything up to the point where `postgres` can be started. Blocks.
fn prepare(options: ClusterOptions) -> Result<(Plan, Flock<File>), ClusterError> {
    let data_dir = folders::data_dir(&options.data_dir)?;
    let cluster = data_dir.join("postgres");
    let account = Account::choose(&cluster)?;
    let lock = folders::lock(&data_dir)?;

    let made_by = folders::major_of(&cluster)?;
    let found = binaries::find(options.bin_dir.as_deref(), account.as_ref(), made_by)?;
    if let Some(made_by) = made_by.filter(|major| *major != found.major) {
        return Err(ClusterError::OtherMajor { path: cluster, cluster: made_by, found: found.major });
    }
    if let Some(account) = &account {
        folders::check_traversable(&data_dir, account, &found.bin_dir)?;
    }

    let socket_dir = folders::socket_dir(&data_dir, account.as_ref())?;
    let mut plan =
        Plan { account, bin_dir: found.bin_dir, data_dir, cluster, socket_dir, settings: options.settings };
    if made_by.is_none() {
        process::make_cluster(&plan)?;
    }
    // A cluster moved to another disk may be a link, and a process's folder is known by its real path.
    plan.cluster = plan.cluster.canonicalize().map_err(failed("find", &plan.cluster))?;
    Ok((plan, lock))
}
