mod faults;
mod refusals;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use tokio_postgres::{Client, NoTls};

use super::orphans::inhabitants;
use super::{Cluster, ClusterError, ClusterOptions, OWNER};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that the user PostgreSQL runs as can enter; gone when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Folder {
        let path = env::temp_dir().join(format!("stellwerk-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Folder(path.canonicalize().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn cluster(&self) -> PathBuf {
        self.0.join("postgres")
    }

    fn options(&self) -> ClusterOptions {
        let settings = vec![("fsync".to_owned(), "off".to_owned())];
        ClusterOptions { data_dir: self.0.clone(), settings, bin_dir: None }
    }

    async fn start(&self) -> Cluster {
        Cluster::start(self.options()).await.unwrap()
    }

    async fn refuses(&self) -> ClusterError {
        Cluster::start(self.options()).await.unwrap_err()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for pid in inhabitants(&self.cluster()) {
            send(pid, Signal::SIGKILL); // what a failed test left
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn send(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}

fn wait_until(state: &str, is_reached: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_reached() {
        assert!(Instant::now() < deadline, "waited too long for: {state}");
        thread::sleep(Duration::from_millis(5));
    }
}

async fn connect(cluster: &Cluster) -> Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url(OWNER, "postgres"), NoTls).await.unwrap();
    tokio::spawn(connection); // ends with an error when the server does
    client
}

async fn ask(cluster: &Cluster, query: &str) -> String {
    connect(cluster).await.query_one(query, &[]).await.unwrap().get(0)
}

async fn write(cluster: &Cluster, statement: &str) {
    connect(cluster).await.batch_execute(statement).await.unwrap();
}

#[tokio::test]
async fn an_empty_folder_becomes_a_cluster_that_answers() {
    let folder = Folder::new();

    let cluster = folder.start().await;

    let one: i32 = connect(&cluster).await.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_cluster_is_private_checked_and_speaks_utf8() {
    let folder = Folder::new();

    let cluster = folder.start().await;

    let facts = "select concat_ws(' ', current_user, current_setting('is_superuser'),
        current_setting('server_encoding'), current_setting('data_checksums'),
        current_setting('max_connections'), current_setting('timezone'),
        '[' || current_setting('listen_addresses') || ']', current_setting('fsync'))";
    assert_eq!(ask(&cluster, facts).await, "stellwerk_owner on UTF8 on 200 UTC [] off");
    for private in ["postgres", "socket"] {
        let mode = fs::metadata(folder.path().join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{private}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn our_environment_and_groups_do_not_reach_postgres() {
    let folder = Folder::new();

    let cluster = folder.start().await;

    let environment = fs::read(format!("/proc/{}/environ", cluster.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("CARGO"), "cargo sets it for every test");
    let status = fs::read_to_string(format!("/proc/{}/status", cluster.pid())).unwrap();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
    assert!(!Uid::effective().is_root() || groups.trim().is_empty(), "{groups}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_finds_the_data() {
    let folder = Folder::new();
    let first = folder.start().await;
    write(&first, "create table kept as select 'yes'::text as word").await;
    first.stop().await.unwrap();

    let second = folder.start().await;

    assert_eq!(ask(&second, "select word from kept").await, "yes");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_instance_is_refused_until_the_first_has_stopped() {
    let folder = Folder::new();
    let first = folder.start().await;

    let refused = folder.refuses().await;

    assert_eq!(
        refused.to_string(),
        format!(
            "the data folder {} is in use by another process (pid {})",
            folder.path().display(),
            std::process::id()
        )
    );
    assert_eq!(ask(&first, "select 'alive'").await, "alive");
    first.stop().await.unwrap();
    folder.start().await.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_ends_open_sessions_and_leaves_no_process() {
    let folder = Folder::new();
    let cluster = folder.start().await;
    let session = connect(&cluster).await;
    session.batch_execute("begin; create table unfinished (id int)").await.unwrap();
    assert!(!inhabitants(&folder.cluster()).is_empty());

    let begun = Instant::now();
    cluster.stop().await.unwrap();

    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(inhabitants(&folder.cluster()).is_empty());
    assert!(!folder.cluster().join("postmaster.pid").exists(), "a clean shutdown removes it");
}

#[tokio::test]
async fn a_dropped_cluster_ends_and_can_be_started_at_once() {
    let folder = Folder::new();
    let dropped = folder.start().await;
    let pid = dropped.pid();
    drop(dropped);

    let next = folder.start().await;

    assert_ne!(next.pid(), pid);
    assert!(!inhabitants(&folder.cluster()).contains(&pid));
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_data_and_url_and_a_running_cluster_has_not_exited() {
    let folder = Folder::new();
    let mut cluster = folder.start().await;
    write(&cluster, "create table kept as select 'yes'::text as word").await;
    let (pid, url) = (cluster.pid(), cluster.url(OWNER, "postgres"));

    cluster.restart().await.unwrap();

    assert_eq!(ask(&cluster, "select word from kept").await, "yes");
    assert_ne!(cluster.pid(), pid);
    assert_eq!(cluster.url(OWNER, "postgres"), url);
    assert!(futures::FutureExt::now_or_never(cluster.exited()).is_none());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_too_deep_for_a_socket_gets_a_short_private_one() {
    let folder = Folder::new();
    let mut options = folder.options();
    options.data_dir = folder.path().join("a folder, \"deep\"").join("x".repeat(100));
    fs::create_dir_all(&options.data_dir).unwrap();
    fs::set_permissions(&options.data_dir, Permissions::from_mode(0o755)).unwrap();

    let cluster = Cluster::start(options).await.unwrap();

    let socket_dir = cluster.plan.socket_dir.clone();
    assert_eq!(ask(&cluster, "select 'short'").await, "short");
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    cluster.stop().await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn odd_characters_in_the_path_do_no_harm() {
    let folder = Folder::new();
    let mut options = folder.options();
    options.data_dir = folder.path().join("a, \"b\"%2F?");

    let cluster = Cluster::start(options).await.unwrap();

    assert_eq!(ask(&cluster, "select 'odd'").await, "odd");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn as_root_a_cluster_keeps_the_user_that_made_it() {
    if !Uid::effective().is_root() {
        return; // only root can choose
    }
    let folder = Folder::new();
    folder.start().await.stop().await.unwrap();
    let nobody = User::from_name("nobody").unwrap().unwrap();
    give(&folder.cluster(), &nobody);
    give(&folder.path().join("socket"), &nobody);

    let cluster = folder.start().await;

    let runs_as = fs::metadata(format!("/proc/{}", cluster.pid())).unwrap().uid();
    assert_eq!(runs_as, nobody.uid.as_raw());
    cluster.stop().await.unwrap();
}

fn give(path: &Path, to: &User) {
    chown(path, Some(to.uid.as_raw()), Some(to.gid.as_raw())).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), to));
    }
}
