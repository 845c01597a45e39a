//! The queue: promised with its cause, claimed once at a time, in order where order counts.

use std::time::Duration;

use chrono::Utc;
use futures::future::join_all;
use serde_json::json;
use stellwerk::{
    ids::{MessageId, TenantId},
    store::{
        Store, TenantTx,
        outbox::{self, Claimed, NewMessage, Outcome},
    },
    words::MessageKind,
};

use crate::support::database::{Session, TestDatabase};

const LEASE_S: i32 = 60;

/// A tenant, by the owner's hand.
async fn add_tenant(owner: &Session) -> TenantId {
    let tenant = TenantId::new();
    owner.run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster')")).await;
    tenant
}

async fn push(tx: &mut TenantTx, lane: &str) -> MessageId {
    let message = NewMessage {
        kind: MessageKind::WebhookEventRetry,
        lane: lane.into(),
        payload: json!({ "lane": lane }),
        cause: "system".into(),
        run_time: Utc::now(),
        integration: None,
    };
    outbox::push(tx, message).await.unwrap()
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
    outbox::claim(store, TenantId::HOUSE, 1, LEASE_S).await.unwrap().pop()
}

async fn settle(store: &Store, message: &Claimed, outcome: Outcome) -> bool {
    outbox::settle(store, message, &outcome).await.unwrap()
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

/// P8.
#[tokio::test]
async fn messages_of_one_lane_run_one_after_the_other_and_other_lanes_do_not_wait() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let ids = promise(&store, tenant, &["a", "a", "b"]).await;

    let (first, other) = (claim(&store).await.unwrap(), claim(&store).await.unwrap());
    let blocked = claim(&store).await;
    let failed = Outcome::Retry { after: Duration::from_secs(600), reason: "not now".into() };
    assert!(settle(&store, &first, failed).await);
    // A later message must not overtake the one that waits for its next attempt.
    let still_blocked = claim(&store).await;
    owner.run("UPDATE outbox SET run_time = now() WHERE NOT is_leased").await;
    let again = claim(&store).await.unwrap();
    assert!(settle(&store, &again, Outcome::Done).await);
    let second = claim(&store).await.unwrap();

    assert_eq!([first.id, other.id, again.id, second.id], [ids[0], ids[2], ids[0], ids[1]]);
    assert!(blocked.is_none() && still_blocked.is_none(), "{blocked:?} {still_blocked:?}");
    assert_eq!((first.attempts, again.attempts), (1, 2));
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
async fn who_lost_the_lease_neither_extends_nor_settles() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    promise(&store, tenant, &["a"]).await;
    let late = claim(&store).await.unwrap();
    let held = outbox::extend(&store, &late, LEASE_S).await.unwrap();

    owner.run("UPDATE outbox SET run_time = now()").await;
    let next = claim(&store).await.unwrap();
    let extended = outbox::extend(&store, &late, LEASE_S).await.unwrap();
    let settled = settle(&store, &late, Outcome::Done).await;
    let dead = Outcome::Dead { reason: "too late".into() };
    let buried = settle(&store, &late, dead).await;

    assert_eq!((late.id, late.lease_epoch + 1), (next.id, next.lease_epoch));
    assert_eq!([held, extended, settled, buried], [true, false, false, false]);
    assert!(settle(&store, &next, Outcome::Done).await);
    assert_eq!(owner.value("SELECT count(*) FROM outbox").await, "0");
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
