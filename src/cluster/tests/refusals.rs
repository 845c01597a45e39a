//! Every reason not to start, told in one line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use nix::unistd::Uid;

use super::Folder;
use crate::cluster::{Cluster, ClusterError};

#[tokio::test]
async fn missing_binaries_are_named_with_the_way_to_get_them() {
    let folder = Folder::new();
    let mut options = folder.options();
    options.bin_dir = Some(folder.path().to_owned());

    let refused = Cluster::start(options).await.unwrap_err().to_string();

    assert!(refused.starts_with("no PostgreSQL 15 or newer"), "{refused}");
    assert!(refused.contains(&format!("found in {}:", folder.path().display())), "{refused}");
    assert!(refused.contains("apt install postgresql") && refused.contains("STELLWERK_PG_BIN"), "{refused}");
    assert!(!refused.contains('\n'));
}

#[tokio::test]
async fn a_file_is_no_data_folder() {
    let folder = Folder::new();
    let mut options = folder.options();
    options.data_dir = folder.path().join("file");
    fs::write(&options.data_dir, "").unwrap();

    let refused = Cluster::start(options).await.unwrap_err().to_string();

    let file = folder.path().join("file");
    assert_eq!(refused, format!("the data folder {} cannot be used: it is not a folder", file.display()));
}

#[tokio::test]
async fn a_folder_closed_to_the_user_of_postgres_is_named() {
    let folder = Folder::new();
    let closed = folder.path().join("closed");
    let mut options = folder.options();
    options.data_dir = closed.join("data");
    fs::create_dir_all(&options.data_dir).unwrap();
    let mode = if Uid::effective().is_root() { 0o700 } else { 0o000 };
    fs::set_permissions(&closed, Permissions::from_mode(mode)).unwrap();

    let refused = Cluster::start(options).await.unwrap_err();

    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    match refused {
        ClusterError::NotTraversable { blocked, .. } if Uid::effective().is_root() => {
            assert_eq!(blocked, closed)
        }
        ClusterError::DataDir { .. } if !Uid::effective().is_root() => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_left_alone() {
    let folder = Folder::new();
    folder.start().await.stop().await.unwrap();
    let version = folder.cluster().join("PG_VERSION");
    fs::write(&version, "9\n").unwrap();

    let refused = folder.refuses().await;

    assert!(matches!(refused, ClusterError::OtherMajor { cluster: 9, .. }), "{refused:?}");
    assert_eq!(fs::read_to_string(&version).unwrap(), "9\n");
}

#[tokio::test]
async fn a_setting_postgres_refuses_is_told_with_the_log() {
    let folder = Folder::new();
    let mut options = folder.options();
    options.settings.push(("shared_buffers".into(), "many".into()));

    let refused = Cluster::start(options).await.unwrap_err();

    let ClusterError::NotReady { log } = &refused else { panic!("{refused:?}") };
    assert!(fs::read_to_string(log).unwrap().contains("shared_buffers"));
    folder.start().await.stop().await.unwrap();
}
