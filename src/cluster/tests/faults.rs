//! What is killed, left behind or given up.

use std::process::{Child, Command, Stdio};
use std::{env, fs};

use nix::sys::signal::Signal;

use super::{Folder, PATIENCE, ask, send, wait_until, write};
use crate::cluster::binaries;
use crate::cluster::orphans::inhabitants;
use crate::cluster::process::{Account, command};
use crate::cluster::{Cluster, ClusterError, ClusterOptions};

/// Names the data folder to the process that plays another stellwerk.
const OTHER_PROCESS: &str = "STELLWERK_TEST_OTHER_PROCESS";

/// `postgres` started by nobody in particular, as after a kill -9 of the program that had started it.
fn orphan(folder: &Folder) -> Child {
    let bin_dir = binaries::find(None, None, None).unwrap().bin_dir;
    let account = Account::choose(&folder.cluster()).unwrap();
    let child = command(&bin_dir.join("postgres"), folder.path(), account.as_ref(), Signal::SIGINT)
        .arg("-D")
        .arg(folder.cluster())
        .args(["-c", "listen_addresses=", "-k"])
        .arg(folder.path().join("socket"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the orphan is up", || {
        fs::read_to_string(folder.cluster().join("postmaster.pid"))
            .is_ok_and(|text| text.starts_with(&format!("{}\n", child.id())) && text.contains("ready"))
    });
    child
}

#[tokio::test]
async fn a_killed_postgres_is_noticed_and_recovers_what_was_committed() {
    let folder = Folder::new();
    let cluster = folder.start().await;
    write(&cluster, "create table kept as select 'yes'::text as word").await;

    send(cluster.pid(), Signal::SIGKILL);
    tokio::time::timeout(PATIENCE, cluster.exited()).await.unwrap();
    drop(cluster);
    let recovered = folder.start().await;

    assert_eq!(ask(&recovered, "select word from kept").await, "yes");
    recovered.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_postgres_can_be_stopped() {
    let folder = Folder::new();
    let cluster = folder.start().await;

    send(cluster.pid(), Signal::SIGKILL);

    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_revives_a_killed_postgres() {
    let folder = Folder::new();
    let mut cluster = folder.start().await;
    send(cluster.pid(), Signal::SIGKILL);

    cluster.restart().await.unwrap();

    assert_eq!(ask(&cluster, "select 'back'").await, "back");
    cluster.stop().await.unwrap();
}

/// Plays the other stellwerk in a test below: starts a cluster and waits to be killed.
#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn the_other_process() {
    let Some(data_dir) = env::var_os(OTHER_PROCESS) else {
        return;
    };
    let options = ClusterOptions { data_dir: data_dir.into(), settings: vec![], bin_dir: None };
    let cluster = Cluster::start(options).await.unwrap();
    cluster.exited().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_process_holds_the_lock_and_takes_postgres_with_it_when_killed() {
    let folder = Folder::new();
    let name = concat!(module_path!(), "::the_other_process").split_once("::").unwrap().1;
    let mut other = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored"])
        .env(OTHER_PROCESS, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid_file = folder.cluster().join("postmaster.pid");
    wait_until("its cluster is up", || {
        fs::read_to_string(&pid_file).is_ok_and(|text| text.contains("ready"))
    });

    let refused = folder.refuses().await;
    other.kill().unwrap();
    other.wait().unwrap();
    wait_until("postgres has ended by itself", || inhabitants(&folder.cluster()).is_empty());

    assert!(matches!(refused, ClusterError::Locked { holder, .. } if holder == other.id().to_string()));
    assert!(!pid_file.exists(), "it was a clean shutdown");
    folder.start().await.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_orphan_is_stopped_before_the_start_even_if_it_stays_a_zombie() {
    let folder = Folder::new();
    folder.start().await.stop().await.unwrap();
    let mut orphan = orphan(&folder);

    let cluster = folder.start().await;

    assert_eq!(ask(&cluster, "select 'mine'").await, "mine");
    assert!(orphan.wait().unwrap().success(), "it was a clean shutdown");
    cluster.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_pid_file_of_a_killed_orphan_that_stays_a_zombie_does_not_hinder() {
    let folder = Folder::new();
    folder.start().await.stop().await.unwrap();
    let mut orphan = orphan(&folder);
    orphan.kill().unwrap();

    let cluster = folder.start().await;

    assert_eq!(ask(&cluster, "select 'mine'").await, "mine");
    orphan.wait().unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_half_made_cluster_is_made_anew() {
    let folder = Folder::new();
    let half = folder.path().join("postgres.new");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();

    let cluster = folder.start().await;

    assert_eq!(ask(&cluster, "select 'whole'").await, "whole");
    assert!(!half.exists());
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_nobody_waits_for_leaves_no_process() {
    let folder = Folder::new();
    folder.start().await.stop().await.unwrap();

    let given_up = tokio::spawn(Cluster::start(folder.options()));
    wait_until("postgres is on its way", || !inhabitants(&folder.cluster()).is_empty());
    given_up.abort();

    let _ = given_up.await;
    wait_until("it has ended", || inhabitants(&folder.cluster()).is_empty());
}
