//! P13. Nobody waits for another tenant's thousands: counted in claims,
//! because seconds depend on the machine.

use super::*;

/// So many messages, each the first of its own lane, by the owner's hand and without the lanes' locks.
async fn fill(owner: &Session, tenant: TenantId, messages: usize, run_time: &str) {
    owner
        .run(&format!(
            "BEGIN; SET LOCAL session_replication_role = replica; \
             INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, is_head, position, run_time) \
             SELECT '{tenant}', gen_random_uuid(), 'sync_run', n::text, '{{}}', 'c', true, n, {run_time} \
             FROM generate_series(1, {messages}) n; COMMIT"
        ))
        .await;
}

/// Claims one message at a time, settling each, until this tenant has got one.
/// Returns how many claims that took.
async fn claims_until(store: &Store, tenant: TenantId, mut after: TenantId) -> usize {
    for claims in 1..1000 {
        let given = outbox::claim(store, after, 1, LEASE_S, None).await.unwrap();
        after = given.turn;
        let [claimed] = given.messages[..] else { panic!("nothing to claim") };
        settle(store, &claimed, Outcome::Done).await;
        if claimed.tenant_id == tenant {
            return claims;
        }
    }
    panic!("a thousand claims were not enough");
}

#[tokio::test]
async fn a_single_message_is_claimed_second_beside_a_hundred_thousand_of_another_tenant() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let (crowd, single) = (add_tenant(&owner).await, add_tenant(&owner).await);
    fill(&owner, crowd, 100_000, "now() - interval '1 hour'").await;

    let mut took = Vec::new();
    // Wherever in the ring the worker is, and however often it happens.
    for after in [TenantId::HOUSE, crowd, single, TenantId(uuid::Uuid::max())] {
        promise(&store, single, &["one"]).await;
        took.push(claims_until(&store, single, after).await);
    }

    assert!(took.iter().all(|claims| *claims <= 2), "{took:?}");
}

#[tokio::test]
async fn a_worker_with_several_places_gives_each_tenant_one_before_anybody_gets_two() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let mut tenants = Vec::new();
    for _ in 0..3 {
        let tenant = add_tenant(&owner).await;
        fill(&owner, tenant, 10, "now()").await;
        tenants.push(tenant);
    }

    let given = outbox::claim(&store, TenantId::HOUSE, 4, LEASE_S, None).await.unwrap();
    let next = outbox::claim(&store, given.turn, 2, LEASE_S, None).await.unwrap();

    let whose = |messages: &[Claimed]| messages.iter().map(|claimed| claimed.tenant_id).collect::<Vec<_>>();
    assert_eq!(whose(&given.messages), [tenants[0], tenants[1], tenants[2], tenants[0]]);
    assert_eq!(whose(&next.messages), [tenants[1], tenants[2]]);
}

/// A provider's outage puts off the messages of all who use it;
/// those of the others must not be looked for among them for long.
#[tokio::test]
async fn a_message_is_found_among_hundreds_of_tenants_whose_messages_are_not_due() {
    const WAITING: usize = 450;
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let crowd = add_tenant(&owner).await;
    for _ in 0..WAITING {
        let tenant = add_tenant(&owner).await;
        fill(&owner, tenant, 1, "now() + interval '1 hour'").await;
    }
    let single = add_tenant(&owner).await;
    fill(&owner, crowd, 100, "now() - interval '1 hour'").await;
    promise(&store, single, &["one"]).await;

    let claims = claims_until(&store, single, crowd).await;

    // The ring is looked at in stretches of a hundred; meanwhile the oldest messages go on.
    assert!(claims <= WAITING / 100 + 2, "{claims}");
}

/// A tenant has its share of a worker's places: the others are found behind it, however much of its own waits.
#[tokio::test]
async fn a_tenant_that_is_left_out_gets_nothing_and_hides_nobody() {
    const WAITING: usize = 150;
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let crowd = add_tenant(&owner).await;
    fill(&owner, crowd, 100_000, "now() - interval '1 hour'").await;
    for _ in 0..WAITING {
        let tenant = add_tenant(&owner).await;
        fill(&owner, tenant, 1, "now() + interval '1 hour'").await;
    }
    let single = add_tenant(&owner).await;
    promise(&store, single, &["one"]).await;

    let given = outbox::claim(&store, crowd, 4, LEASE_S, Some(crowd)).await.unwrap();
    let none = outbox::claim(&store, given.turn, 4, LEASE_S, Some(crowd)).await.unwrap();

    let whose: Vec<_> = given.messages.iter().map(|claimed| claimed.tenant_id).collect();
    assert_eq!((whose, none.messages.len()), (vec![single], 0));
}

#[tokio::test]
async fn nothing_is_claimed_before_it_is_due_nor_twice() {
    let database = TestDatabase::new().await;
    let (store, owner) = (database.store(), database.owner().await);
    let tenant = add_tenant(&owner).await;
    fill(&owner, tenant, 3, "now() + make_interval(mins => 10 * (n - 2))").await;

    let given = outbox::claim(&store, TenantId::HOUSE, 10, LEASE_S, None).await.unwrap();
    let none = outbox::claim(&store, given.turn, 10, LEASE_S, None).await.unwrap();

    assert_eq!((given.messages.len(), none.messages.len()), (2, 0));
}
