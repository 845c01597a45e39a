//! PostgreSQL clusters that leave nothing behind, however the tests end.

use std::{
    env, fs,
    ops::{Deref, DerefMut},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::atomic::{AtomicUsize, Ordering},
};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use stellwerk::{
    cluster::{Cluster, ClusterOptions, OWNER, folders, orphans},
    store::{connect::PoolConfig, migrate},
};

use super::database::Session;

/// The login of the program under test: it may take the service's role and no other.
pub(crate) const SERVICE: &str = "stellwerk_service";

const PREFIX: &str = "stellwerk-it-";

/// Ends when we do, because its standard input does; then PostgreSQL is stopping too (see
/// `cluster::process`), and its folder can go once it has.
const REAPER: &str = r#"
    read -r _
    tries=0
    while [ -e "$1/postgres/postmaster.pid" ] && [ $tries -lt 400 ]; do sleep 0.05; tries=$((tries + 1)); done
    rm -rf -- "$1"
"#;

/// A cluster in a folder of its own. Both are gone soon after the value is dropped or the process has ended.
pub(crate) struct TestCluster {
    cluster: Cluster,
    // After the cluster: its end waits for the cluster's.
    _folder: Folder,
}

impl TestCluster {
    /// With `settings` beside those of the program.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        sweep();
        let folder = Folder::new();
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let options = ClusterOptions { data_dir: folder.path.clone(), settings, bin_dir: None };
        let cluster = Cluster::start(options).await.expect("a cluster");
        Self { cluster, _folder: folder }
    }

    pub(crate) fn owner_url(&self, database: &str) -> String {
        self.url(OWNER, database)
    }

    pub(crate) fn service_url(&self, database: &str) -> String {
        self.url(SERVICE, database)
    }

    /// Makes a database with every migration, and the login of the service.
    pub(crate) async fn make_migrated(&self, database: &str) {
        let admin = Session::connect(&self.owner_url("postgres")).await;
        admin.run(&format!("CREATE DATABASE {database}")).await;
        migrate_up(&self.owner_url(database)).await;
        let login = "DO $$ BEGIN CREATE ROLE stellwerk_service LOGIN; \
            EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        admin.run(login).await;
        let granted =
            migrate::grant_service_role(&self.owner_url(database), &PoolConfig::default(), SERVICE).await;
        granted.expect("the service's role");
    }
}

/// Runs the migrations on a runtime of their own: they block, which a test's single thread cannot.
pub(crate) async fn migrate_up(url: &str) -> usize {
    try_migrate_up(url).await.expect("migrations run")
}

pub(crate) async fn try_migrate_up(url: &str) -> stellwerk::error::Result<usize> {
    let url = url.to_string();
    blocking(async move { migrate::up(&url, &PoolConfig::default()).await }).await
}

pub(crate) async fn migrate_down(url: &str) -> usize {
    let url = url.to_string();
    blocking(async move { migrate::down(&url, &PoolConfig::default()).await })
        .await
        .expect("migrations run back")
}

async fn blocking<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let run = || tokio::runtime::Runtime::new().expect("a runtime").block_on(work);
    tokio::task::spawn_blocking(run).await.expect("migrations do not panic")
}

impl Deref for TestCluster {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for TestCluster {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

/// A data folder that is gone soon after the value is dropped or the process has ended. In the system's
/// temporary folder, and not among the build's files: when we are root, PostgreSQL is somebody else, who must
/// be able to get there.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    reaper: Child,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{PREFIX}{}-{}", id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal must not end it.
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { path, reaper }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _ = self.reaper.wait();
    }
}

/// Removes what is left of runs whose reaper was killed as well.
fn sweep() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let path = entry.path();
        // A lock that is free says that nobody lives there, even if the pid meant another process elsewhere.
        if is_deserted(&path)
            && let Ok(_lock) = folders::lock(&path)
        {
            let _ = orphans::evict(&path.join("postgres"));
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn is_deserted(path: &Path) -> bool {
    let pid = || path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('-').next()?.parse().ok();
    pid().is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}
