//! What was promised still happens, although the server or the database crashes and callers hang up.
//!
//! Each story has a short form, and a long one that `make soak` runs as often as it is told.

mod cancelled;
mod load;

use load::Load;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use stellwerk::proto::SignatureScheme;

use crate::support::{
    PATIENCE,
    said::{NO_LIMIT, limit_new_endpoints},
    server::{Installation, Server},
    soak_rounds, wait_until,
};

/// P1, P6.
#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_exactly_once() {
    kill_the_server(1, 4, 60).await;
}

/// P1, P6.
#[tokio::test]
async fn soak_whatever_was_acknowledged_before_a_kill_is_there_exactly_once() {
    for _ in 0..soak_rounds() {
        kill_the_server(rand::random(), 25, 300).await;
    }
}

/// P1, P6.
#[tokio::test]
async fn a_crash_of_postgresql_loses_nothing_and_is_told_as_unavailable() {
    crash_postgresql(2).await;
}

/// P1, P6.
#[tokio::test]
async fn soak_a_crash_of_postgresql_loses_nothing_and_is_told_as_unavailable() {
    for _ in 0..soak_rounds() {
        crash_postgresql(15).await;
    }
}

/// Kills the server so many times, each time after at most so many further deliveries were acknowledged.
async fn kill_the_server(seed: u64, kills: u32, acknowledged: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let installation = Installation::new().await;
    let mut server = installation.serve(&[]).await;
    let load = begin(&installation, &server).await;

    for _ in 0..kills {
        let enough = load.acknowledged() + chance.random_range(1..acknowledged);
        // The count is looked at every 10 ms, whatever the load is doing then: the moment is random, too.
        load.until_acknowledged(enough).await;
        server.kill();
        server = installation.serve(&[]).await;
        load.move_to(&server);
    }
    load.until_acknowledged(load.acknowledged() + 20).await;
    let told = load.end().await;

    assert_eq!(told.odd_answers, [""; 0], "seed {seed}");
    told.check_what_is_kept(&installation.owner().await, &format!("seed {seed}")).await;
    server.stop().await;
}

async fn crash_postgresql(crashes: u32) {
    let mut installation = Installation::new().await;
    let server = installation.serve(&["--database-pool-wait=1s"]).await;
    let load = begin(&installation, &server).await;

    for _ in 0..crashes {
        load.until_acknowledged(load.acknowledged() + 50).await;
        let refused = load.unavailable();
        // An immediate shutdown: no checkpoint, no goodbye; the next start replays the log.
        kill(Pid::from_raw(installation.cluster.pid() as i32), Signal::SIGQUIT).expect("our postmaster");
        installation.cluster.exited().await;
        wait_until("both kinds of callers were told", PATIENCE, async || {
            let (senders, callers) = load.unavailable();
            senders > refused.0 && callers > refused.1
        })
        .await;
        wait_until("the server says that it is not ready", PATIENCE, async || ready(&server).await == 503)
            .await;
        installation.cluster.restart().await.expect("PostgreSQL starts again");
        wait_until("the server has recovered", PATIENCE, async || ready(&server).await == 200).await;
    }
    load.until_acknowledged(load.acknowledged() + 50).await;
    let told = load.end().await;

    assert_eq!(told.odd_answers, [""; 0]);
    told.check_what_is_kept(&installation.owner().await, "after the crashes").await;
    let log = server.stop().await;
    assert!(!log.contains("panicked"), "{log}");
}

async fn begin(installation: &Installation, server: &Server) -> Load {
    let acme = installation.tenant(server, "acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let caller = acme.key(stellwerk::proto::Role::Admin, &[]).await;
    Load::begin(tool, caller.secret, server)
}

async fn ready(server: &Server) -> u16 {
    let answer =
        crate::support::booking_tool::client().get(format!("http://{}/readyz", server.http)).send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}
