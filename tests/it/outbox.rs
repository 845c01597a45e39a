//! The queue: promised with its cause, claimed once at a time, in order where order counts.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};
use stellwerk::{
    ids::{MessageId, TenantId},
    store::{
        Store, TenantTx,
        outbox::{self, Claimed, NewMessage, Outcome},
    },
    words::MessageKind,
};

use crate::support::database::{Session, TestDatabase};

mod debounce;
mod fairness;
mod lanes;
mod workers;

const LEASE_S: i32 = 60;

/// A tenant, by the owner's hand.
async fn add_tenant(owner: &Session) -> TenantId {
    let tenant = TenantId::new();
    owner.run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster')")).await;
    tenant
}

fn message(lane: &str) -> NewMessage {
    NewMessage {
        kind: MessageKind::WebhookEventRetry,
        lane: lane.into(),
        payload: json!({ "lane": lane }),
        cause: "system".into(),
        run_time: Utc::now(),
        integration: None,
    }
}

async fn push(tx: &mut TenantTx, lane: &str) -> MessageId {
    outbox::push(tx, message(lane)).await.unwrap()
}

async fn promise(store: &Store, tenant: TenantId, lanes: &[&str]) -> Vec<MessageId> {
    let mut tx = store.tenant(tenant).await.unwrap();
    let mut ids = Vec::new();
    for lane in lanes {
        ids.push(push(&mut tx, lane).await);
    }
    tx.commit().await.unwrap();
    ids
}

async fn claim(store: &Store) -> Option<Claimed> {
    outbox::claim(store, TenantId::HOUSE, 1, LEASE_S, None).await.unwrap().messages.pop()
}

async fn settle(store: &Store, message: &Claimed, outcome: Outcome) -> bool {
    outbox::settle(store, message, &outcome).await.unwrap()
}

async fn payload(store: &Store, message: &Claimed) -> Option<Value> {
    let mut tx = store.tenant(message.tenant_id).await.unwrap();
    outbox::payload(&mut tx, message).await.unwrap()
}

/// Makes everything due, leases included.
async fn let_time_pass(owner: &Session) {
    owner.run("UPDATE outbox SET run_time = now() - interval '1 s'").await;
}

/// P6. Change and message commit together, or neither is there.
#[tokio::test]
async fn what_was_not_committed_was_not_promised() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;

    let mut tx = store.tenant(tenant).await.unwrap();
    push(&mut tx, "lost").await;
    drop(tx);
    let nothing = claim(&store).await;
    let kept = promise(&store, tenant, &["kept"]).await;

    assert!(nothing.is_none(), "{nothing:?}");
    assert_eq!(claim(&store).await.map(|claimed| claimed.id), Some(kept[0]));
}

/// P14.
#[tokio::test]
async fn racing_workers_claim_each_message_once() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let lanes: Vec<String> = (0..60).map(|lane| lane.to_string()).collect();
    let mut promised = promise(&store, tenant, &lanes.iter().map(String::as_str).collect::<Vec<_>>()).await;

    let work = async || {
        let mut claimed = Vec::new();
        while let Some(message) = claim(&store).await {
            claimed.push(message.id);
        }
        claimed
    };
    let mut claimed = join_all((0..8).map(|_| work())).await.concat();

    // A worker may have found every row locked and ended early, but nobody finds one that is taken.
    claimed.extend(work().await);
    claimed.sort();
    promised.sort();
    assert_eq!(claimed, promised);
}

/// P14.
#[tokio::test]
async fn who_lost_the_lease_neither_reads_nor_extends_nor_settles() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    promise(&store, tenant, &["a"]).await;
    let late = claim(&store).await.unwrap();
    let held = outbox::extend(&store, &late, LEASE_S).await.unwrap();
    let read = payload(&store, &late).await;

    let_time_pass(&owner).await;
    let next = claim(&store).await.unwrap();
    let extended = outbox::extend(&store, &late, LEASE_S).await.unwrap();
    let settled = settle(&store, &late, Outcome::Done).await;
    let buried = settle(&store, &late, Outcome::Dead { reason: "too late".into() }).await;
    let retry = Outcome::Retry { after: Duration::ZERO, reason: "too late".into() };
    let retried = settle(&store, &late, retry).await;

    assert_eq!((late.id, late.attempts, next.attempts), (next.id, 1, 2));
    assert_eq!([held, extended, settled, buried, retried], [true, false, false, false, false]);
    assert_eq!((read, payload(&store, &late).await), (Some(json!({ "lane": "a" })), None));
    assert!(settle(&store, &next, Outcome::Done).await);
    assert_eq!(owner.value("SELECT count(*) FROM outbox").await, "0");
}

/// P14. Claims are not waited for until they are on the disk,
/// so a crash of the database can undo one whose worker lives on.
#[tokio::test]
async fn a_claim_that_was_undone_is_told_apart_from_the_one_that_follows() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    promise(&store, tenant, &["a"]).await;

    let undone = format!("SELECT lease_epoch FROM stellwerk_outbox_claim('{}', 1, 60)", TenantId::HOUSE);
    owner.run("BEGIN").await;
    let undone: i64 = owner.value(&undone).await.parse().unwrap();
    owner.run("ROLLBACK").await;
    let next = claim(&store).await.unwrap();
    let late = Claimed { lease_epoch: undone, ..next };

    assert_eq!(payload(&store, &late).await, None);
    assert!(!settle(&store, &late, Outcome::Done).await);
    assert!(settle(&store, &next, Outcome::Done).await);
}

/// A lease that ran out while nobody else had begun is still good.
#[tokio::test]
async fn who_is_late_but_was_not_replaced_settles() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    promise(&store, tenant, &["a"]).await;
    let late = claim(&store).await.unwrap();

    let_time_pass(&owner).await;
    let extended = outbox::extend(&store, &late, LEASE_S).await.unwrap();
    let blocked = claim(&store).await;

    assert!(extended && blocked.is_none(), "{blocked:?}");
    assert!(settle(&store, &late, Outcome::Done).await);
}

/// A limit or an open breaker costs a message nothing but time.
#[tokio::test]
async fn a_released_message_has_used_up_no_attempt() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    promise(&store, tenant, &["a"]).await;
    let claimed = claim(&store).await.unwrap();

    let wait = Outcome::Release { after: Duration::from_secs(600), reason: Some("THROTTLED".into()) };
    assert!(settle(&store, &claimed, wait).await);
    let meanwhile = claim(&store).await;
    let reason = owner.value("SELECT reason FROM outbox").await;
    let_time_pass(&owner).await;
    let again = claim(&store).await.unwrap();

    assert!(meanwhile.is_none(), "{meanwhile:?}");
    assert_eq!((claimed.attempts, again.attempts, reason.as_str()), (1, 1, "THROTTLED"));
}

/// P12.
#[tokio::test]
async fn a_dead_message_stays_to_be_seen_with_its_reason_and_frees_its_lane() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let ids = promise(&store, tenant, &["a", "a"]).await;
    let first = claim(&store).await.unwrap();

    settle(&store, &first, Outcome::Dead { reason: "nobody can do this".into() }).await;
    let next = claim(&store).await.unwrap();

    assert_eq!([first.id, next.id], [ids[0], ids[1]]);
    let dead = owner.lines("SELECT id || ' ' || reason FROM outbox WHERE state = 'dead'").await;
    assert_eq!(dead, [format!("{} nobody can do this", first.id)]);
    let depth = outbox::depth(&store).await.unwrap();
    let mut told: Vec<_> = depth.iter().map(|depth| (depth.state.as_str(), depth.messages)).collect();
    told.sort_unstable();
    assert_eq!(told, [("dead", 1), ("pending", 1)]);
}

/// So that an idle worker need not look more often than there is something to do.
#[tokio::test]
async fn the_next_run_is_that_of_the_first_message_that_may_be_claimed() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let ahead = async |store| {
        let next: Option<DateTime<Utc>> = outbox::next_run(store).await.unwrap();
        next.map(|next| ((next - Utc::now()).as_seconds_f64() / 60.0).round())
    };

    let empty = ahead(&store).await;
    let ids = promise(&store, tenant, &["a", "a", "b"]).await;
    let run_at = |id: MessageId, minutes: i32| {
        format!("UPDATE outbox SET run_time = now() + interval '{minutes} min' WHERE id = '{id}'")
    };
    // The second one of a lane is due, but may not run.
    for (id, minutes) in [(ids[0], 5), (ids[1], -9), (ids[2], 7)] {
        owner.run(&run_at(id, minutes)).await;
    }
    let waiting = ahead(&store).await;
    owner.run(&run_at(ids[0], -1)).await;
    let due = ahead(&store).await;
    outbox::claim(&store, TenantId::HOUSE, 1, 3 * 60, None).await.unwrap();
    let leased = ahead(&store).await;

    assert_eq!([empty, waiting, due, leased], [None, Some(5.0), Some(-1.0), Some(3.0)]);
}

/// P13. A queue is empty most of the time, and a plan made then is kept by the session for the time when it
/// is not.
#[tokio::test]
async fn no_statement_of_the_queue_reads_the_whole_table_not_even_while_it_is_empty() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = add_tenant(&owner).await;
    let service = database.service().await;
    owner.run("VACUUM ANALYZE outbox").await;
    let begin = format!(
        "BEGIN; SET LOCAL stellwerk.tenant_id = '{tenant}'; SET LOCAL stellwerk.role = 'system'; \
         SET LOCAL stellwerk.subject = 'system'; SET LOCAL stellwerk.person_id = ''"
    );
    let id = MessageId::new();

    for statement in [
        "SELECT stellwerk_outbox_merge('a', 'sync_run', '{}', 'c', now(), 1)".to_string(),
        format!(
            "INSERT INTO outbox (id, kind, lane, payload, cause) \
             VALUES ('{id}', 'sync_run', 'a', '{{}}', 'c')"
        ),
        format!("SELECT stellwerk_outbox_claim('{tenant}', 4, 60)"),
        format!("SELECT stellwerk_outbox_payload('{id}', 1)"),
        format!("SELECT stellwerk_outbox_extend('{tenant}', '{id}', 1, 60)"),
        format!(
            "SELECT stellwerk_outbox_settle(tenant_id, id, lease_epoch, 'dead', 0, 'why') \
             FROM stellwerk_outbox_claim('{tenant}', 1, 60)"
        ),
        "SELECT stellwerk_outbox_next_run()".into(),
        "SELECT stellwerk_alert_measures(now(), 20)".into(),
    ] {
        service.run(&format!("{begin}; {statement}; COMMIT")).await;
    }

    service.run("SELECT pg_stat_force_next_flush()").await;
    let scans = owner.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'outbox'").await;
    let looked_up =
        owner.value("SELECT idx_scan > 5 FROM pg_stat_user_tables WHERE relname = 'outbox'").await;
    assert_eq!((scans.as_str(), looked_up.as_str()), ("0", "t"));
}

/// What a message says after it was pushed, in minutes from its creation.
fn minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from + TimeDelta::seconds(30)).num_minutes()
}
