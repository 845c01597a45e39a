//! PostgreSQL dies under it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use stellwerk::cluster::{binaries, process::Account};

use super::{ADDRESSES, Dev};
use crate::support::{PATIENCE, booking_tool::client, cluster::Folder, process::program, wait_until};

/// A PostgreSQL that does not become ready while `hurdle` exists, as after a crash with much to recover.
fn postgres_with(hurdle: &Path, folder: &Folder) -> PathBuf {
    let account = Account::choose(&folder.path.join("postgres")).expect("an account");
    let real = binaries::find(None, account.as_ref(), None).expect("PostgreSQL").bin_dir;
    let bin = folder.path.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let initdb = format!("exec '{}' \"$@\"", real.join("initdb").display());
    let postgres = format!(
        "if [ -e '{}' ]; then exec sleep 600; fi; exec '{}' \"$@\"",
        hurdle.display(),
        real.join("postgres").display()
    );
    for (name, script) in [("initdb", initdb), ("postgres", postgres)] {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made executable");
    }
    bin
}

/// P13.
#[tokio::test]
async fn while_postgresql_starts_again_everything_else_goes_on_and_ctrl_c_ends_it() {
    let folder = Folder::new();
    let hurdle = folder.path.join("hurdle");
    let mut command = program();
    command.env("STELLWERK_PG_BIN", postgres_with(&hurdle, &folder));
    let dev = Dev::start_by(command, &folder, [0; ADDRESSES.len()]).await;
    fs::write(&hurdle, "").unwrap();

    let pid = fs::read_to_string(folder.path.join("postgres/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    wait_until("its end is noticed", PATIENCE, async || dev.log.text().contains("starting it again")).await;
    let alive = client().get(format!("{}/healthz", dev.told("HTTP adapter"))).send().await.unwrap();

    assert_eq!(alive.status(), 200);
    dev.interrupt().await;
}
