//! Callers who hang up, or whose time runs out, leave no transaction open behind them.

use std::time::Duration;

use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use stellwerk::proto::SignatureScheme;
use tonic::Request;

use crate::support::{
    PATIENCE,
    app::TestApp,
    database::Session,
    desk::{self, person},
    said::said,
    wait_until,
};

/// Far below the session's own limits, which would end what hangs, too: 10 s for a lock, 60 s for an idle
/// transaction.
const SOON: Duration = Duration::from_secs(5);

const OURS: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'stellwerk'";

async fn count(owner: &Session, condition: &str) -> u32 {
    owner.value(&format!("SELECT count(*) {OURS} AND {condition}")).await.parse().unwrap()
}

/// P13.
#[tokio::test]
async fn calls_that_are_cancelled_behind_a_lock_leave_no_transaction_open() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker
        .run(&format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{}/patients', 0))", acme.id))
        .await;

    // Seven and one: as many as a tenant gets connections.
    let gone: Vec<_> = (0..7)
        .map(|number| {
            let mut client = acme.admin.patients();
            tokio::spawn(async move {
                client.create_patient(person("Gone", &number.to_string())).await.map(|_| ())
            })
        })
        .collect();
    let hung_up = tokio::spawn(async move {
        tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Hung up" }))).await;
    });
    wait_until("all of them wait", PATIENCE, async || count(&owner, "wait_event_type = 'Lock'").await == 8)
        .await;
    gone.iter().for_each(|call| call.abort());
    hung_up.abort();
    let late = join_all((0..8).map(async |number| {
        let mut request = Request::new(person("Late", &number.to_string()));
        request.set_timeout(Duration::from_millis(500));
        acme.admin.patients().create_patient(request).await
    }));
    let late = late.await;
    // While the lock still blocks the statements, those who wait for connections get them.
    wait_until("nobody holds a connection", SOON, async || app.domain.store.connections().busy == 0).await;
    // And those who hung up leave nothing behind that waits in the database: it would add up.
    wait_until("nobody waits", SOON, async || count(&owner, "wait_event_type = 'Lock'").await == 0).await;
    blocker.run("ROLLBACK").await;

    assert!(late.iter().all(|call| call.is_err()), "{late:?}");
    wait_until("no transaction is open", SOON, async || count(&owner, "state <> 'idle'").await == 0).await;
    assert!(desk::patients(&acme.admin).await.is_empty());
    assert_eq!(owner.value("SELECT count(*) FROM webhook_event").await, "0");
    desk::add_patient(&acme.admin, person("Erika", "Muster")).await;
}

/// P13.
#[tokio::test]
async fn calls_that_are_cancelled_at_any_moment_leave_no_transaction_open() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let mut chance = StdRng::seed_from_u64(1);

    let calls = (0..200).map(|number| {
        let patience = Duration::from_micros(chance.random_range(100..40_000));
        let mut client = acme.admin.patients();
        tokio::time::timeout(patience, async move {
            client.create_patient(person("Erika", &number.to_string())).await
        })
    });
    let ended = join_all(calls.collect::<Vec<_>>()).await;

    wait_until("no transaction is open", SOON, async || count(&owner, "state <> 'idle'").await == 0).await;
    let answered = ended.iter().filter(|call| matches!(call, Ok(Ok(_)))).count();
    let kept = owner.value("SELECT count(*) FROM patient").await.parse::<usize>().unwrap();
    // Who hung up may have hung up on an answer that was on its way.
    assert!(kept >= answered && answered < 200, "{kept} kept, {answered} answered");
    wait_until("calls are answered as before", PATIENCE, async || {
        acme.admin.patients().create_patient(person("Max", "Beispiel")).await.is_ok()
    })
    .await;
    // What began only after its caller had gone has ended by now, too.
    wait_until("no transaction is open", SOON, async || count(&owner, "state <> 'idle'").await == 0).await;
}
