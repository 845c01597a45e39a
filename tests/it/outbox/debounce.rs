//! Messages that may wait for more of their kind.

use super::*;

const QUIET: TimeDelta = TimeDelta::minutes(5);
const CAP: TimeDelta = TimeDelta::minutes(12);

struct Debounced {
    _database: TestDatabase,
    store: Store,
    owner: Session,
    tenant: TenantId,
    begin: DateTime<Utc>,
}

impl Debounced {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let (store, owner) = (database.store(), database.owner().await);
        let tenant = add_tenant(&owner).await;
        Self { _database: database, store, owner, tenant, begin: Utc::now() }
    }

    /// Pushes so many minutes after the begin.
    async fn push(&self, at_minutes: i64, kind: MessageKind, payload: Value) -> MessageId {
        let now = self.begin + TimeDelta::minutes(at_minutes);
        let new = NewMessage { kind, payload, run_time: now, ..message("a") };
        let mut tx = self.store.tenant(self.tenant).await.unwrap();
        let id = outbox::push_debounced(&mut tx, new, QUIET, CAP, now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn refresh(&self, at_minutes: i64) -> MessageId {
        self.push(at_minutes, MessageKind::BookingRefresh, json!({ "uid": "u1" })).await
    }

    /// In how many minutes from the begin each message runs.
    async fn plan(&self) -> Vec<i64> {
        let times = self.owner.lines("SELECT to_json(run_time) #>> '{}' FROM outbox ORDER BY position").await;
        times.iter().map(|time| minutes(self.begin, time.parse().unwrap())).collect()
    }
}

#[tokio::test]
async fn messages_of_one_lane_and_kind_become_one_that_runs_when_it_is_quiet() {
    let queue = Debounced::new().await;

    let pushed = [queue.refresh(0).await, queue.refresh(2).await, queue.refresh(4).await];

    assert_eq!(pushed, [pushed[0]; 3]);
    assert_eq!(queue.plan().await, [9]);
}

/// P13. Who never falls silent is heard all the same.
#[tokio::test]
async fn a_message_is_put_off_until_the_cap_and_no_longer() {
    let queue = Debounced::new().await;

    for at in [0, 4, 8, 11, 15] {
        queue.refresh(at).await;
    }

    assert_eq!(queue.plan().await, [12]);
}

/// Whoever has begun may have read what the new one is about already.
#[tokio::test]
async fn nothing_is_merged_into_a_message_that_somebody_has_begun() {
    let queue = Debounced::new().await;
    let first = queue.refresh(0).await;
    let_time_pass(&queue.owner).await;
    let begun = claim(&queue.store).await.unwrap();

    let second = queue.refresh(1).await;
    let retry = Outcome::Retry { after: Duration::ZERO, reason: "again".into() };
    settle(&queue.store, &begun, retry).await;
    let third = queue.refresh(2).await;

    assert_eq!(begun.id, first);
    assert_ne!(second, first);
    assert_eq!(third, second);
}

#[tokio::test]
async fn messages_of_different_kinds_stay_apart() {
    let queue = Debounced::new().await;

    let refresh = queue.refresh(0).await;
    let run = queue.push(1, MessageKind::SyncRun, json!({})).await;

    assert_ne!(run, refresh);
    assert_eq!(queue.plan().await, [5, 6]);
}

/// A person's `force` outlives the webhooks that come after it.
#[tokio::test]
async fn the_newest_payload_counts_and_what_only_the_older_one_said_stays() {
    let queue = Debounced::new().await;
    queue.push(0, MessageKind::BookingRefresh, json!({ "uid": "u1", "force": true, "page": 1 })).await;

    queue.push(1, MessageKind::BookingRefresh, json!({ "uid": "u1", "page": 2 })).await;

    let payload: Value = queue.owner.value("SELECT payload FROM outbox").await.parse().unwrap();
    assert_eq!(payload, json!({ "uid": "u1", "force": true, "page": 2 }));
}

/// The provider asked for patience, and a further webhook does not change its mind.
#[tokio::test]
async fn a_merge_makes_nothing_run_sooner() {
    let queue = Debounced::new().await;
    queue.refresh(0).await;
    let_time_pass(&queue.owner).await;
    let claimed = claim(&queue.store).await.unwrap();
    let wait = Outcome::Release { after: Duration::from_secs(60 * 60), reason: None };
    settle(&queue.store, &claimed, wait).await;

    let merged = queue.refresh(1).await;

    assert_eq!((merged, queue.plan().await), (claimed.id, vec![60]));
}

/// The lock that both need is taken in one order: the lane's first, the row's second.
#[tokio::test]
async fn a_merge_and_the_settling_of_what_is_before_it_do_not_block_each_other_for_good() {
    let queue = Debounced::new().await;
    promise(&queue.store, queue.tenant, &["a"]).await;
    let before = claim(&queue.store).await.unwrap();
    queue.refresh(0).await;

    let mut tx = queue.store.tenant(queue.tenant).await.unwrap();
    let merging = NewMessage { kind: MessageKind::BookingRefresh, ..message("a") };
    outbox::push_debounced(&mut tx, merging, QUIET, CAP, queue.begin).await.unwrap();
    let settling = tokio::spawn({
        let store = queue.store.clone();
        async move { settle(&store, &before, Outcome::Done).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
        AND datname = current_database()";
    crate::support::wait_until("the settling waits", crate::support::PATIENCE, async || {
        queue.owner.value(waits).await == "1"
    })
    .await;
    push(&mut tx, "a").await;
    tx.commit().await.unwrap();

    assert!(settling.await.unwrap());
    assert_eq!(
        queue.owner.value("SELECT count(*) FILTER (WHERE is_head) || ' of ' || count(*) FROM outbox").await,
        "1 of 2"
    );
}
