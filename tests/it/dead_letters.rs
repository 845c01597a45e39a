//! P12. Work that was given up is listed with its reason, and may be tried again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use stellwerk::{
    app,
    caller::Caller,
    domain::{
        Domain,
        dead_letter::{self, AT_MOST, Which},
        idempotency::Key,
    },
    error::{Error, Noun},
    ids::{IntegrationId, MessageId, TenantId},
    page::Page,
    store::{
        dead_letter::{DeadLetter, Filter},
        outbox::{self, NewMessage, Outcome},
    },
    vault::Vault,
    words::{MessageKind, Role},
};

use crate::support::database::{Session, TestDatabase};

/// A tenant's queue, and an admin of it. Nobody works here but the test.
struct Queue {
    database: TestDatabase,
    owner: Session,
    domain: Domain,
    tenant: TenantId,
}

impl Queue {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let owner = database.owner().await;
        let root_keys = Vault::generate_root_key("test").expect("randomness").into();
        let domain = app::domain(database.service_url(), &Default::default(), &root_keys, String::new());
        let tenant = add_tenant(&owner).await;
        Self { database, owner, domain: domain.expect("a domain"), tenant }
    }

    fn admin(&self) -> Caller {
        admin_of(self.tenant)
    }

    /// Pushes, claims and gives up.
    async fn bury(&self, kind: MessageKind, lane: &str, reason: &str) -> MessageId {
        let message = NewMessage {
            kind,
            lane: lane.into(),
            payload: json!({ "secret": "Erika" }),
            cause: "schedule/test".into(),
            run_time: Utc::now(),
            integration: None,
        };
        let mut tx = self.domain.store.tenant(self.tenant).await.unwrap();
        let id = outbox::push(&mut tx, message).await.unwrap();
        tx.commit().await.unwrap();
        let claims = outbox::claim(&self.domain.store, TenantId::HOUSE, 1, 60, None).await.unwrap();
        assert_eq!(claims.messages[0].id, id);
        let dead = Outcome::Dead { reason: reason.into() };
        assert!(outbox::settle(&self.domain.store, &claims.messages[0], &dead).await.unwrap());
        id
    }

    async fn list(&self, filter: Filter) -> Vec<MessageId> {
        let page = Page { size: 50, after: None };
        let paged = dead_letter::list(&self.domain, &self.admin(), &filter, &page).await.unwrap();
        paged.rows.iter().map(|row| row.id).collect()
    }

    async fn requeue(&self, which: Which) -> Result<i64, Error> {
        dead_letter::requeue(&self.domain, &self.admin(), &no_key(), &which).await
    }
}

async fn add_tenant(owner: &Session) -> TenantId {
    let tenant = TenantId::new();
    owner.run(&format!("INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster')")).await;
    tenant
}

fn admin_of(tenant: TenantId) -> Caller {
    Caller { role: Role::Admin, subject: "api_key|desk".into(), ..Caller::system(tenant) }
}

fn no_key() -> Key {
    Key::new("RequeueDeadLetters", "", b"")
}

#[tokio::test]
async fn a_dead_letter_says_what_it_was_why_it_died_and_since_when() {
    let queue = Queue::new().await;
    let begin = Utc::now();
    let id = queue.bury(MessageKind::Reconcile, "integration/1", "PROVIDER_UNREACHABLE").await;

    let page = Page { size: 50, after: None };
    let mut rows =
        dead_letter::list(&queue.domain, &queue.admin(), &Filter::default(), &page).await.unwrap().rows;

    let DeadLetter { dead_time, create_time, .. } = rows[0];
    assert!(begin - TimeDelta::seconds(5) <= create_time && create_time <= dead_time, "{rows:?}");
    assert_eq!(
        rows.remove(0),
        DeadLetter {
            id,
            kind: MessageKind::Reconcile,
            lane: "integration/1".into(),
            reason: Some("PROVIDER_UNREACHABLE".into()),
            attempts: 1,
            cause: "schedule/test".into(),
            integration_id: None,
            create_time,
            dead_time,
        }
    );
}

#[tokio::test]
async fn a_filter_narrows_the_list_by_each_of_its_fields() {
    let queue = Queue::new().await;
    let run = queue.bury(MessageKind::SyncRun, "a", "INTERNAL").await;
    let push = queue.bury(MessageKind::AppointmentPush, "b", "INTERNAL").await;
    let late = queue.bury(MessageKind::SyncRun, "c", "CREDENTIAL_REFUSED").await;
    let integration = IntegrationId::new();
    let owner = &queue.owner;
    owner
        .run(&format!(
            "INSERT INTO integration (tenant_id, id, provider, name) \
             VALUES ('{}', '{integration}', 'calcom', 'x'); \
             UPDATE outbox SET integration_id = '{integration}' WHERE id = '{push}'; \
             UPDATE outbox SET update_time = now() - interval '1 day' WHERE id = '{run}'",
            queue.tenant
        ))
        .await;
    let yesterday: DateTime<Utc> = Utc::now() - TimeDelta::hours(12);

    let of_kind = Filter { kind: Some(MessageKind::SyncRun), ..Filter::default() };
    let of_integration = Filter { integration: Some(integration), ..Filter::default() };
    let for_reason = Filter { reason: Some("INTERNAL".into()), ..Filter::default() };
    let from = Filter { dead_time_from: Some(yesterday), ..Filter::default() };
    let until = Filter { dead_time_until: Some(yesterday), ..Filter::default() };

    assert_eq!(queue.list(Filter::default()).await, [run, push, late]);
    assert_eq!(queue.list(of_kind).await, [run, late]);
    assert_eq!(queue.list(of_integration).await, [push]);
    assert_eq!(queue.list(for_reason).await, [run, push]);
    assert_eq!(queue.list(from).await, [push, late]);
    assert_eq!(queue.list(until).await, [run]);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let queue = Queue::new().await;
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(queue.bury(MessageKind::SyncRun, &format!("lane {n}"), "INTERNAL").await);
    }
    // Those that died in the same moment are told apart by their ids.
    queue.owner.run("UPDATE outbox SET update_time = now()").await;

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page { size: 2, after };
        let paged =
            dead_letter::list(&queue.domain, &queue.admin(), &Filter::default(), &page).await.unwrap();
        seen.extend(paged.rows.iter().map(|row| row.id));
        after = paged.next;
        if after.is_none() {
            break;
        }
    }

    all.sort();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_requeued_letter_is_tried_as_if_for_the_first_time() {
    let queue = Queue::new().await;
    let id = queue.bury(MessageKind::SyncRun, "a", "INTERNAL").await;
    let other = queue.bury(MessageKind::SyncRun, "b", "INTERNAL").await;

    let count = queue.requeue(Which::Named(vec![id])).await.unwrap();
    let left = queue.list(Filter::default()).await;
    let claims = outbox::claim(&queue.domain.store, TenantId::HOUSE, 10, 60, None).await.unwrap();

    assert_eq!((count, left), (1, vec![other]));
    let [again] = claims.messages[..] else { panic!("{claims:?}") };
    assert_eq!((again.id, again.attempts), (id, 1));
}

#[tokio::test]
async fn letters_are_requeued_by_filter_and_counted() {
    let queue = Queue::new().await;
    for (lane, kind) in
        [("a", MessageKind::SyncRun), ("a", MessageKind::SyncRun), ("b", MessageKind::Reconcile)]
    {
        queue.bury(kind, lane, "INTERNAL").await;
    }
    let runs = Filter { kind: Some(MessageKind::SyncRun), ..Filter::default() };

    let count = queue.requeue(Which::Matching(runs.clone())).await.unwrap();
    let again = queue.requeue(Which::Matching(runs)).await.unwrap();

    assert_eq!((count, again, queue.list(Filter::default()).await.len()), (2, 0, 1));
    let heads = queue.owner.value("SELECT count(*) FROM outbox WHERE is_head").await;
    assert_eq!(heads, "1");
}

/// P13.
#[tokio::test]
async fn one_call_requeues_a_thousand_and_leaves_the_rest_to_the_next() {
    let queue = Queue::new().await;
    queue
        .owner
        .run(&format!(
            "BEGIN; SET LOCAL session_replication_role = replica; \
             INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, state, reason) \
             SELECT '{}', gen_random_uuid(), 'sync_run', n::text, '{{}}', 'c', 'dead', 'INTERNAL' \
             FROM generate_series(1, {AT_MOST} + 7) n; COMMIT",
            queue.tenant
        ))
        .await;

    let first = queue.requeue(Which::Matching(Filter::default())).await.unwrap();
    let second = queue.requeue(Which::Matching(Filter::default())).await.unwrap();

    assert_eq!((first, second), (AT_MOST, 7));
}

#[tokio::test]
async fn of_named_letters_all_are_requeued_or_none() {
    let queue = Queue::new().await;
    let id = queue.bury(MessageKind::SyncRun, "a", "INTERNAL").await;

    let outcome = queue.requeue(Which::Named(vec![id, MessageId::new()])).await;

    assert!(matches!(outcome, Err(Error::NotFound(Noun::DeadLetter))), "{outcome:?}");
    assert_eq!(queue.list(Filter::default()).await, [id]);
}

#[tokio::test]
async fn a_repeated_call_requeues_nothing_more() {
    let queue = Queue::new().await;
    queue.bury(MessageKind::SyncRun, "a", "INTERNAL").await;
    let key = Key::new("RequeueDeadLetters", "k1", b"all");
    let all = Which::Matching(Filter::default());

    let first = dead_letter::requeue(&queue.domain, &queue.admin(), &key, &all).await.unwrap();
    let claims = outbox::claim(&queue.domain.store, TenantId::HOUSE, 1, 60, None).await.unwrap();
    let dead = Outcome::Dead { reason: "AGAIN".into() };
    outbox::settle(&queue.domain.store, &claims.messages[0], &dead).await.unwrap();
    let repeated = dead_letter::requeue(&queue.domain, &queue.admin(), &key, &all).await.unwrap();

    assert_eq!((first, repeated, queue.list(Filter::default()).await.len()), (1, 0, 1));
}

/// P3.
#[tokio::test]
async fn another_tenants_letters_are_unknown() {
    let queue = Queue::new().await;
    let id = queue.bury(MessageKind::SyncRun, "a", "INTERNAL").await;
    let stranger = admin_of(add_tenant(&queue.owner).await);
    let page = Page { size: 50, after: None };

    let seen = dead_letter::list(&queue.domain, &stranger, &Filter::default(), &page).await.unwrap();
    let all = Which::Matching(Filter::default());
    let matching = dead_letter::requeue(&queue.domain, &stranger, &no_key(), &all).await.unwrap();
    let named = dead_letter::requeue(&queue.domain, &stranger, &no_key(), &Which::Named(vec![id])).await;

    assert_eq!((seen.rows, matching), (vec![], 0));
    assert!(matches!(named, Err(Error::NotFound(Noun::DeadLetter))), "{named:?}");
    assert_eq!(queue.list(Filter::default()).await, [id]);
}

/// Two people at it at the same time wait for each other and do not block each other for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_requeue_the_same_letters_requeue_each_once() {
    let queue = Queue::new().await;
    for n in 0..30 {
        queue.bury(MessageKind::SyncRun, &format!("lane {}", n % 7), "INTERNAL").await;
    }
    let all = Which::Matching(Filter::default());
    let requeue = || async {
        let admin = queue.admin();
        dead_letter::requeue(&queue.domain, &admin, &no_key(), &all).await.unwrap()
    };

    let racing = async { tokio::join!(requeue(), requeue(), requeue()) };
    let (a, b, c) = tokio::time::timeout(Duration::from_secs(20), racing).await.unwrap();

    assert_eq!(a + b + c, 30);
    let heads = queue.owner.value("SELECT count(*) FROM outbox WHERE is_head").await;
    assert_eq!(heads, "7");
    drop(queue.database);
}
