//! The one door for transactions: whoever is dropped on the way through it leaves nothing open.

use std::{
    future::{pending, poll_fn},
    task::Poll,
    time::Duration,
};

use stellwerk::{error::Result, ids::TenantId, store::Store};

use crate::support::{
    PATIENCE,
    database::{Session, TestDatabase},
    seed::Seed,
    wait_until,
};

/// Far below the session's own limit of 60 s, which would end an idle transaction, too.
const SOON: Duration = Duration::from_secs(5);

/// P13.
#[tokio::test]
async fn a_call_dropped_at_any_moment_leaves_no_open_transaction() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = TenantId(Seed::plant(&owner).await.tenant);
    let store = database.store();

    let mut polls = 0;
    let mut is_done = false;
    while !is_done {
        polls += 1;
        is_done = dropped_after(polls, lock_and_commit(&store, tenant)).await;
        wait_until("no transaction is open", PATIENCE, async || open_transactions(&owner).await == "0").await;
    }

    // One poll is not enough to connect, begin, lock and commit.
    assert!(polls > 4, "{polls}");
}

/// P13.
#[tokio::test]
async fn a_call_dropped_while_it_waits_lets_go_of_its_place() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = TenantId(Seed::plant(&owner).await.tenant);
    let store = database.store();
    let mut first = store.tenant(tenant).await.unwrap();
    first.lock("slot").await.unwrap();

    let waiting = tokio::spawn({
        let store = store.clone();
        async move { lock_and_commit(&store, tenant).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait_until("the second call waits", PATIENCE, async || owner.value(waits).await == "1").await;
    waiting.abort();
    waiting.await.unwrap_err();
    drop(first);

    wait_until("no transaction is open", PATIENCE, async || open_transactions(&owner).await == "0").await;
    tokio::time::timeout(Duration::from_secs(5), lock_and_commit(&store, tenant))
        .await
        .expect("the lock is free")
        .unwrap();
}

/// P13. The moment that a call is least likely to be dropped at: BEGIN is sent with the first statement, and
/// the answers are on the way.
#[tokio::test]
async fn a_transaction_that_is_dropped_while_it_begins_is_not_left_open() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);

    for polls in 1..=8 {
        // Dropped connections are closed, so each round needs one that is there already.
        store.ping().await.unwrap();
        let mut begin = Box::pin(async {
            let mut tx = store.tenant(TenantId::new()).await?;
            tx.lock("slot").await?;
            pending::<Result<()>>().await
        });
        for _ in 0..polls {
            if futures::poll!(&mut begin).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(begin);
        wait_until("no transaction is open", SOON, async || open_transactions(&owner).await == "0").await;
    }
}

/// BEGIN goes out with the first statement.
#[tokio::test]
async fn a_transaction_in_which_nothing_is_said_does_not_begin() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);

    let mut speaking = store.tenant(TenantId::new()).await.unwrap();
    let silent = store.tenant(TenantId::new()).await.unwrap();
    speaking.lock("slot").await.unwrap();

    assert_eq!(open_transactions(&owner).await, "1");
    silent.commit().await.unwrap();
    speaking.commit().await.unwrap();
    assert_eq!(open_transactions(&owner).await, "0");
}

async fn lock_and_commit(store: &Store, tenant: TenantId) -> Result<()> {
    let mut tx = store.tenant(tenant).await?;
    tx.lock("slot").await?;
    tx.commit().await
}

/// Polls a call so many times and then drops it, as a deadline does. Returns whether it had finished.
async fn dropped_after<T>(polls: usize, call: impl Future<Output = Result<T>>) -> bool {
    let mut call = Box::pin(call);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map(|_| true).expect("the call succeeds")),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Of the program's sessions in this database.
async fn open_transactions(owner: &Session) -> String {
    owner
        .value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND usename = 'stellwerk_service' AND xact_start IS NOT NULL",
        )
        .await
}
