//! The loop around the queue: workers that race, hang and are killed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::BoxFuture};
use stellwerk::{
    app,
    domain::Domain,
    error::Result,
    vault::Vault,
    worker::{Handlers, Worker, WorkerConfig},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::{PATIENCE, wait_until};

/// What handlers were asked to do, and what they do then.
#[derive(Default)]
struct Script {
    /// Never come to an end; neither do those of lanes that are named so.
    hangs: bool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    begun: Vec<MessageId>,
    done: Vec<MessageId>,
    /// Messages of a lane under way at this moment.
    running: HashMap<String, usize>,
    /// The most there ever were.
    most: usize,
}

/// Counts as running until it is dropped.
struct Running<'a>(&'a Script, String);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.log.lock().unwrap().running.get_mut(&self.1).unwrap() -= 1;
    }
}

impl Script {
    fn begun(&self) -> usize {
        self.log.lock().unwrap().begun.len()
    }

    fn running(&self) -> usize {
        self.log.lock().unwrap().running.values().sum()
    }
}

impl Handlers for Script {
    fn run<'a>(&'a self, domain: &'a Domain, message: &'a Claimed) -> BoxFuture<'a, Result<Outcome>> {
        async move {
            let said = payload(&domain.store, message).await.expect("ours");
            let lane = said["lane"].as_str().unwrap_or_default().to_string();
            {
                let mut log = self.log.lock().unwrap();
                log.begun.push(message.id);
                let running = log.running.entry(lane.clone()).or_default();
                *running += 1;
                let now = *running;
                log.most = log.most.max(now);
            }
            let _running = Running(self, lane);
            if self.hangs || said["lane"].as_str().is_some_and(|lane| lane.starts_with("hangs")) {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            self.log.lock().unwrap().done.push(message.id);
            Ok(Outcome::Done)
        }
        .boxed()
    }

    fn give_up<'a>(&'a self, _: &'a Domain, _: &'a Claimed) -> BoxFuture<'a, Result<()>> {
        std::future::ready(Ok(())).boxed()
    }
}

fn domain(database: &TestDatabase) -> Domain {
    let root_keys = Vault::generate_root_key("test").expect("randomness").into();
    app::domain(database.service_url(), &Default::default(), &root_keys, String::new()).expect("a domain")
}

fn worker(domain: &Domain, script: &Arc<Script>, lease: Duration) -> Worker {
    let config = WorkerConfig { lease, ..WorkerConfig::default() };
    Worker::with_handlers(domain.clone(), config, script.clone())
}

/// P8, P14.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_do_each_message_once_and_a_lane_in_order() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, domain(&database));
    let tenant = add_tenant(&owner).await;
    let script = Arc::new(Script::default());
    let stop = CancellationToken::new();
    let workers: Vec<_> = (0..2)
        .map(|_| tokio::spawn(worker(&domain, &script, Duration::from_secs(60)).run(stop.clone())))
        .collect();

    let mut promised = Vec::new();
    for round in 0..50 {
        let lanes = ["a", "b", ["a", "b", "c"][round % 3]];
        promised.extend(promise(&domain.store, tenant, &lanes).await.into_iter().zip(lanes));
    }
    wait_until("the queue is empty", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox").await == "0"
    })
    .await;
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }

    let log = script.log.lock().unwrap();
    assert_eq!((log.done.len(), log.most), (promised.len(), 1));
    for lane in ["a", "b", "c"] {
        let order: Vec<_> = promised.iter().filter(|(_, of)| *of == lane).map(|(id, _)| *id).collect();
        let ran: Vec<_> = log.done.iter().copied().filter(|id| order.contains(id)).collect();
        assert_eq!(ran, order, "{lane}");
    }
}

/// P6, P14. Killed between claim and settling: nobody tells anybody,
/// and the lease says when somebody else begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_workers_lanes_go_on_within_the_lease() {
    const LEASE: Duration = Duration::from_secs(2);
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, domain(&database));
    let tenant = add_tenant(&owner).await;
    let ids = promise(&domain.store, tenant, &["a", "a", "b", "b"]).await;
    let (doomed, heir) = (Arc::new(Script { hangs: true, ..Script::default() }), Arc::new(Script::default()));
    let killed = tokio::spawn(worker(&domain, &doomed, LEASE).run(CancellationToken::new()));
    wait_until("both lanes are under way", PATIENCE, async || doomed.begun() == 2).await;
    let stop = CancellationToken::new();
    let other = tokio::spawn(worker(&domain, &heir, LEASE).run(stop.clone()));

    killed.abort();
    let begin = std::time::Instant::now();
    wait_until("the lanes are empty", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox").await == "0"
    })
    .await;
    let took = begin.elapsed();
    stop.cancel();
    other.await.unwrap();

    let mut done = heir.log.lock().unwrap().done.clone();
    done.sort();
    assert_eq!(done, ids);
    // The poll of an idle worker may lie in between.
    assert!(took < LEASE + WorkerConfig::default().poll + Duration::from_secs(2), "{took:?}");
}

/// P13. What hangs at one tenant's provider holds up that tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_hang_leave_places_to_other_tenants() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, domain(&database));
    let (hanging, other) = (add_tenant(&owner).await, add_tenant(&owner).await);
    let lanes: Vec<_> = (0..20).map(|n| format!("hangs {n}")).collect();
    promise(&domain.store, hanging, &lanes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let script = Arc::new(Script::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&domain, &script, Duration::from_secs(60)).run(stop.clone()));
    wait_until("the tenant has its share", PATIENCE, async || script.running() == 6).await;

    // One lane after the other, so that each message is the only one that is due.
    let lanes = ["a", "a", "b", "a", "c", "d", "e", "f"];
    let promised = promise(&domain.store, other, &lanes).await;
    wait_until("the other's messages are done", PATIENCE, async || {
        script.log.lock().unwrap().done.len() == promised.len()
    })
    .await;

    assert_eq!(script.running(), 6);
    running.abort();
}

/// P14. Somebody else has begun: whatever was under way here ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_was_taken_over_stops_the_work() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, domain(&database));
    let tenant = add_tenant(&owner).await;
    promise(&domain.store, tenant, &["a"]).await;
    let script = Arc::new(Script { hangs: true, ..Script::default() });
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&domain, &script, Duration::from_secs(1)).run(stop.clone()));
    wait_until("the message is under way", PATIENCE, async || script.running() == 1).await;

    // As another worker's claim would, which has an hour.
    owner.run("UPDATE outbox SET lease_epoch = lease_epoch + 1, run_time = now() + interval '1 hour'").await;

    wait_until("the work has ended", PATIENCE, async || script.running() == 0).await;
    assert_eq!((script.begun(), script.log.lock().unwrap().done.len()), (1, 0));
    assert_eq!(owner.value("SELECT state || ' ' || is_leased FROM outbox").await, "pending true");
    stop.cancel();
    running.await.unwrap();
}

/// A stop gives the leases back instead of letting them run out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_releases_what_it_could_not_finish() {
    let database = TestDatabase::new().await;
    let (owner, domain) = (database.owner().await, domain(&database));
    let tenant = add_tenant(&owner).await;
    promise(&domain.store, tenant, &["a"]).await;
    let script = Arc::new(Script { hangs: true, ..Script::default() });
    let stop = CancellationToken::new();
    let config = WorkerConfig { grace: Duration::from_millis(50), ..WorkerConfig::default() };
    let handlers: Arc<dyn Handlers> = script.clone();
    let running = tokio::spawn(Worker::with_handlers(domain.clone(), config, handlers).run(stop.clone()));
    wait_until("the message is under way", PATIENCE, async || script.running() == 1).await;

    stop.cancel();
    running.await.unwrap();

    let again = claim(&domain.store).await.map(|claimed| claimed.attempts);
    assert_eq!(again, Some(1));
}
