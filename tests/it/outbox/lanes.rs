//! Order inside a lane, none across lanes.

use tokio::task::JoinSet;

use super::*;

/// Lanes in which not exactly one message is the first; seen from one snapshot, there is none at any time.
const BROKEN_LANES: &str = "SELECT lane || ': ' || count(*) FILTER (WHERE is_head) \
    FROM outbox WHERE state = 'pending' \
    GROUP BY tenant_id, lane HAVING count(*) FILTER (WHERE is_head) <> 1";

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
    owner.run("UPDATE outbox SET run_time = now() WHERE lane = 'a'").await;
    let again = claim(&store).await.unwrap();
    assert!(settle(&store, &again, Outcome::Done).await);
    let second = claim(&store).await.unwrap();

    assert_eq!([first.id, other.id, again.id, second.id], [ids[0], ids[2], ids[0], ids[1]]);
    assert!(blocked.is_none() && still_blocked.is_none(), "{blocked:?} {still_blocked:?}");
    assert_eq!((first.attempts, again.attempts), (1, 2));
}

/// P8. Instances' clocks differ, and ids follow them.
#[tokio::test]
async fn a_lane_keeps_the_order_of_its_promises_whatever_the_clocks_say() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let mut ids = [MessageId::new(), MessageId::new(), MessageId::new()];
    ids.sort();
    ids.reverse();

    for id in ids {
        let row = format!("('{tenant}', '{id}', 'sync_run', 'a', '{{}}', 'c')");
        owner
            .run(&format!("INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause) VALUES {row}"))
            .await;
    }
    let mut ran = Vec::new();
    while let Some(claimed) = claim(&store).await {
        ran.push(claimed.id);
        settle(&store, &claimed, Outcome::Done).await;
    }

    assert_eq!(ran, ids);
}

/// P8. One statement that promises several things for one lane.
#[tokio::test]
async fn of_messages_that_are_pushed_together_one_is_the_first() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    let tenant = add_tenant(&owner).await;

    owner
        .run(&format!(
            "INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause) \
             SELECT '{tenant}', gen_random_uuid(), 'sync_run', 'lane ' || n % 3, '{{}}', 'c' \
             FROM generate_series(1, 30) n"
        ))
        .await;

    assert_eq!(owner.lines(BROKEN_LANES).await, [""; 0]);
    assert_eq!(owner.value("SELECT count(*) FROM outbox WHERE is_head").await, "3");
}

/// P12. The lane went on without it, so it has no place to come back to.
#[tokio::test]
async fn a_requeued_message_begins_anew_behind_what_waits_in_its_lane() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let ids = promise(&store, tenant, &["a", "a", "a"]).await;
    let first = claim(&store).await.unwrap();
    settle(&store, &first, Outcome::Dead { reason: "why".into() }).await;
    let second = claim(&store).await.unwrap();

    requeue_all(&owner).await;
    let meanwhile = claim(&store).await;
    let mut ran = Vec::new();
    let mut next = Some(second);
    while let Some(claimed) = next {
        ran.push((claimed.id, claimed.attempts));
        settle(&store, &claimed, Outcome::Done).await;
        next = claim(&store).await;
    }

    assert!(meanwhile.is_none(), "{meanwhile:?}");
    assert_eq!(ran, [(ids[1], 1), (ids[2], 1), (ids[0], 1)]);
}

#[tokio::test]
async fn a_requeued_message_is_the_first_of_a_lane_that_is_empty() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    let ids = promise(&store, tenant, &["a", "a"]).await;
    for _ in &ids {
        let claimed = claim(&store).await.unwrap();
        settle(&store, &claimed, Outcome::Dead { reason: "why".into() }).await;
    }

    requeue_all(&owner).await;
    let broken = owner.lines(BROKEN_LANES).await;
    let first = claim(&store).await.unwrap();
    let blocked = claim(&store).await;
    settle(&store, &first, Outcome::Done).await;
    let second = claim(&store).await.unwrap();

    assert_eq!(broken, [""; 0]);
    assert!(blocked.is_none(), "{blocked:?}");
    let mut ran = [first.id, second.id];
    ran.sort();
    assert_eq!(ran, [ids[0], ids[1]]);
}

/// P8. The one promise of a lane: whatever happens at the same time, one message is the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_settlings_and_requeueings_at_the_same_time_leave_one_first_message_per_lane() {
    const PUSHERS: usize = 8;
    const WORKERS: usize = 4;
    const PUSHES: usize = 60;
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;

    let mut pushers = JoinSet::new();
    for pusher in 0..PUSHERS {
        let store = store.clone();
        pushers.spawn(async move {
            for push in 0..PUSHES {
                promise(&store, tenant, &[["a", "b", "c"][(pusher + push) % 3]]).await;
            }
        });
    }
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let store = store.clone();
        workers.spawn(async move {
            let (mut done, mut at) = (Vec::new(), worker);
            // Ends with the test; nothing is claimed for the last time.
            loop {
                let Some(claimed) = claim(&store).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                at += 1;
                let outcome = match at % 5 {
                    0 => Outcome::Dead { reason: "why".into() },
                    1 => Outcome::Retry { after: Duration::ZERO, reason: "why".into() },
                    2 => Outcome::Release { after: Duration::ZERO, reason: None },
                    _ => Outcome::Done,
                };
                assert!(settle(&store, &claimed, outcome).await);
                done.push(claimed.id);
            }
        });
    }
    let mut looks = 0;
    let mut broken = Vec::new();
    while broken.is_empty() && (looks < 40 || owner.value("SELECT count(*) FROM outbox").await != "0") {
        broken = owner.lines(BROKEN_LANES).await;
        requeue_all(&owner).await;
        looks += 1;
    }

    assert_eq!(broken, [""; 0]);
    pushers.join_all().await;
    workers.abort_all();
}

/// As `store::dead_letter` does, lane by lane.
async fn requeue_all(owner: &Session) {
    owner
        .run(
            "DO $$ DECLARE one record; BEGIN FOR one IN SELECT tenant_id, id FROM outbox \
             WHERE state = 'dead' \
             ORDER BY lane, position FOR UPDATE LOOP \
             UPDATE outbox SET state = 'pending', attempts = 0, run_time = now() \
             WHERE tenant_id = one.tenant_id AND id = one.id; END LOOP; END $$",
        )
        .await;
}
