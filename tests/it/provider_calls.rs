//! Asking Asana: never more at once than it bears, slower when it says so,
//! and once more where a token was not taken.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use serde_json::json;
use stellwerk::{
    domain::engine::provider_call::{self, AsanaFailure, Urgency, Way},
    provider::asana::{FieldChange, Refusal, Task, TaskChange, User},
    sandbox::asana::{Fault, Gate, Gid, Operation, Point, Rule},
    store::{self, call_slot, integration_flow::Permit},
    words::IntegrationState,
};
use tokio::task::JoinHandle;

use crate::support::{
    PATIENCE,
    asana::double,
    asana_token::{Connected, connect_asana},
    calcom::app,
    wait_until,
};

/// What Asana bears at once of one authorisation (rate limits, developers.asana.com).
const READS: u64 = 50;
const WRITES: u64 = 15;
const LEASE: Duration = Duration::from_secs(60);

async fn read(connected: &Connected, urgency: Urgency) -> Result<User, AsanaFailure> {
    let Connected { domain, tenant, integration, .. } = connected;
    let me = |way: Arc<Way>| async move { way.asana().me().await };
    provider_call::asana(domain, *tenant, *integration, urgency, me).await
}

/// A task with one number field, and a change of that.
struct Change {
    task: Gid,
    field: Gid,
}

impl Change {
    fn prepare(connected: &Connected) -> Self {
        let field = connected.asana.add_number_field(connected.workspace, "Soll-Stunden", 2).gid;
        let project = connected.asana.add_project(connected.workspace, "Neubau", &[field]);
        Self { task: connected.asana.add_task(project, json!({ "name": "Rohbau" })).unwrap(), field }
    }

    async fn write(&self, connected: &Connected) -> Result<Task, AsanaFailure> {
        let Connected { domain, tenant, integration, .. } = connected;
        let fields = vec![(self.field.to_string(), FieldChange::Number(40.into()))];
        let (task, change) = (self.task.to_string(), TaskChange { dates: None, fields });
        let (task, change) = (&task, &change);
        let put = |way: Arc<Way>| async move { way.asana().update_task(task, change).await };
        provider_call::asana_write(domain, *tenant, *integration, Urgency::Person, put).await
    }
}

/// As many writes as may be under way, each of which has reached the double.
async fn fill(connected: &Arc<Connected>, change: &Arc<Change>) -> Vec<(Gate, JoinHandle<bool>)> {
    let mut under_way = Vec::new();
    for _ in 0..WRITES {
        let mut gate = connected.asana.pause_next(Point::BeforeApplying, Operation::UpdateTask);
        let (connected, change) = (connected.clone(), change.clone());
        let write = tokio::spawn(async move { change.write(&connected).await.is_ok() });
        gate.reached().await.unwrap();
        under_way.push((gate, write));
    }
    under_way
}

/// P14. The limit is the provider's, so all instances count together.
#[tokio::test]
async fn a_write_beyond_what_may_be_under_way_waits_until_another_has_ended() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = Arc::new(connect_asana(&app, &acme, &double().await).await);
    let change = Arc::new(Change::prepare(&connected));
    let elsewhere = app.second_instance(&["--egress-allow=127.0.0.1"]).await;
    let there = Connected { domain: elsewhere.domain.clone(), ..Connected::clone(&connected) };
    let mut under_way = fill(&connected, &change).await;

    let beyond = change.write(&there).await;
    read(&there, Urgency::Background).await.unwrap();
    let (gate, write) = under_way.pop().unwrap();
    gate.open();
    assert!(write.await.unwrap());
    change.write(&there).await.unwrap();

    assert!(matches!(beyond, Err(AsanaFailure::NotNow { reason: "CALLS_UNDER_WAY", .. })), "{beyond:?}");
    for (gate, write) in under_way {
        gate.open();
        assert!(write.await.unwrap());
    }
    assert_eq!(connected.asana.count(Operation::UpdateTask), WRITES + 1);
    elsewhere.stop().await;
}

/// P14. Reads are counted apart from writes.
#[tokio::test]
async fn a_read_beyond_what_may_be_under_way_waits_until_another_has_ended() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = Arc::new(connect_asana(&app, &acme, &double().await).await);
    let change = Change::prepare(&connected);
    let mut under_way = Vec::new();
    for _ in 0..READS {
        let mut gate = connected.asana.pause_next(Point::BeforeApplying, Operation::GetUser);
        let reading = connected.clone();
        let read = tokio::spawn(async move { read(&reading, Urgency::Background).await.is_ok() });
        gate.reached().await.unwrap();
        under_way.push((gate, read));
    }

    let beyond = read(&connected, Urgency::Background).await;
    change.write(&connected).await.unwrap();
    for (gate, read) in under_way {
        gate.open();
        assert!(read.await.unwrap());
    }
    read(&connected, Urgency::Background).await.unwrap();

    assert!(matches!(beyond, Err(AsanaFailure::NotNow { reason: "CALLS_UNDER_WAY", .. })), "{beyond:?}");
    assert_eq!(connected.asana.count(Operation::GetUser), READS + 1);
}

/// P14. Kill one, the others go on.
#[tokio::test]
async fn what_a_killed_holder_left_is_free_when_its_lease_ends() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = Arc::new(connect_asana(&app, &acme, &double().await).await);
    let change = Arc::new(Change::prepare(&connected));
    for (gate, write) in fill(&connected, &change).await {
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        gate.open();
    }

    let before = change.write(&connected).await;
    let owner = app.database.owner().await;
    owner.run("UPDATE call_slot SET lease_until = now() WHERE number = 7").await;
    let after = change.write(&connected).await;

    assert!(matches!(before, Err(AsanaFailure::NotNow { .. })), "{before:?}");
    assert!(after.is_ok(), "{after:?}");
    let held = "SELECT count(*) FROM call_slot WHERE lease_until > now()";
    assert_eq!(owner.value(held).await, (WRITES - 1).to_string());
}

#[tokio::test]
async fn a_slot_that_went_to_another_cannot_be_given_back() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let take = async |lease| {
        let mut tx = connected.tx().await;
        let slot = call_slot::take(&mut tx, connected.integration, true, 1, lease).await.unwrap();
        tx.commit().await.unwrap();
        slot
    };
    let late = take(Duration::ZERO).await.unwrap();

    let holder = take(LEASE).await;
    let mut tx = connected.tx().await;
    call_slot::give_back(&mut tx, late).await.unwrap();
    tx.commit().await.unwrap();

    assert!(holder.is_some());
    assert_eq!(take(LEASE).await, None);
}

/// Nobody gets a slot that somebody else got at the same moment.
#[tokio::test]
async fn takers_at_the_same_moment_get_different_slots() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let take = async |_| {
        let mut tx = connected.tx().await;
        let slot = call_slot::take(&mut tx, connected.integration, false, 5, LEASE).await.unwrap();
        tx.commit().await.unwrap();
        slot
    };

    let taken: Vec<_> = stream::iter(0..40).map(take).buffer_unordered(8).collect().await;

    let owner = app.database.owner().await;
    let held = "SELECT count(DISTINCT holder) FROM call_slot WHERE lease_until > now()";
    assert_eq!(taken.iter().flatten().count(), 5);
    assert_eq!(owner.value(held).await, "5");
}

/// Traps 16 and 17.
#[tokio::test]
async fn a_limit_pauses_the_integration_and_halves_its_budget_once() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let owner = app.database.owner().await;
    // Without a word on how long: then a minute.
    connected.asana.add_fault(Rule::always(Fault::ErrorAfter { status: 429 }).on(Operation::GetUser));
    let mut gates: Vec<_> =
        (0..4).map(|_| connected.asana.pause_next(Point::BeforeApplying, Operation::GetUser)).collect();

    let asking = stream::iter(0..4).map(|_| read(&connected, Urgency::Person)).buffer_unordered(4);
    let asking = asking.collect::<Vec<_>>();
    let opening = async {
        for gate in &mut gates {
            gate.reached().await.unwrap();
        }
        gates.into_iter().for_each(Gate::open);
    };
    let (answers, ()) = tokio::join!(asking, opening);
    let paused = read(&connected, Urgency::Person).await;

    let told = |answer: &Result<User, AsanaFailure>| match answer {
        Err(AsanaFailure::NotNow { after, reason: "THROTTLED" }) => after.as_secs(),
        other => panic!("{other:?}"),
    };
    assert_eq!(answers.iter().map(told).collect::<Vec<_>>(), [60; 4]);
    assert!((58..=60).contains(&told(&paused)), "{paused:?}");
    assert_eq!(connected.asana.count(Operation::GetUser), 4, "nothing is sent into the pause");
    assert_eq!(owner.value("SELECT pace FROM integration_flow").await, "0.5");
    let integration = connected.integration().await;
    assert_eq!(integration.state, IntegrationState::Connected);
}

#[tokio::test]
async fn a_budget_that_was_cut_grows_back_and_is_never_cut_to_nothing() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let owner = app.database.owner().await;
    let slow_down = async || {
        let mut tx = connected.tx().await;
        store::integration_flow::slow_down(&mut tx, connected.integration).await.unwrap();
        tx.commit().await.unwrap();
    };
    let go_at_once = async || {
        let full = "UPDATE integration_flow SET tokens = capacity, refill_time = now(), refill_per_s = 0.001";
        owner.run(full).await;
        let mut permits = 0_i32;
        let mut tx = connected.tx().await;
        while store::integration_flow::take(&mut tx, connected.integration, 0.2).await.unwrap()
            == Some(Permit::Go)
        {
            permits += 1;
        }
        tx.commit().await.unwrap();
        permits
    };
    owner.run("UPDATE integration_flow SET capacity = 100").await;

    let whole = go_at_once().await;
    slow_down().await;
    let half = go_at_once().await;
    for _ in 0..9 {
        slow_down().await;
    }
    let least = go_at_once().await;
    owner.run("UPDATE integration_flow SET pace_time = now() - interval '5 minutes'").await;
    let later = go_at_once().await;
    owner.run("UPDATE integration_flow SET pace_time = now() - interval '1 hour'").await;
    let in_the_end = go_at_once().await;

    // A fifth of what there is, is left for people. It grows while it is counted.
    let counted = [whole, half, least, later, in_the_end];
    for (count, expected) in counted.into_iter().zip([80_i32, 40, 8, 48, 80]) {
        assert!((count - expected).abs() <= 1, "{counted:?}");
    }
}

#[tokio::test]
async fn an_integration_without_a_budget_starts_with_the_smallest_plans() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let owner = app.database.owner().await;
    owner.run("DELETE FROM integration_flow").await;

    read(&connected, Urgency::Background).await.unwrap();

    let budget = "SELECT capacity || ' ' || refill_per_s FROM integration_flow";
    assert_eq!(owner.value(budget).await, "75 1.25");
}

#[tokio::test]
async fn a_token_that_was_replaced_meanwhile_costs_one_repeat() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = Arc::new(connect_asana(&app, &acme, &double().await).await);
    let mut gate = connected.asana.pause_next(Point::BeforeApplying, Operation::GetUser);
    connected.asana.add_fault(Rule::next(1, Fault::ErrorAfter { status: 401 }).on(Operation::GetUser));

    let asking = connected.clone();
    let asking = tokio::spawn(async move { read(&asking, Urgency::Person).await });
    gate.reached().await.unwrap();
    connected.bring_another_token().await;
    gate.open();
    let me = asking.await.unwrap().unwrap();

    assert_eq!(me.gid, connected.user.to_string());
    assert_eq!(connected.asana.count(Operation::GetUser), 2);
    assert_eq!(connected.integration().await.state, IntegrationState::Connected);
}

/// P12. A 401 after a fresh token means that somebody shut us out: no loop, and somebody is told.
#[tokio::test]
async fn a_token_that_is_refused_for_good_asks_to_reconnect() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    connected.asana.revoke_token(&connected.token);

    let refused = read(&connected, Urgency::Person).await;
    let afterwards = read(&connected, Urgency::Person).await;

    assert!(matches!(refused, Err(AsanaFailure::Credential)), "{refused:?}");
    assert!(matches!(afterwards, Err(AsanaFailure::Credential)), "{afterwards:?}");
    assert_eq!(connected.asana.count(Operation::GetUser), 1);
    let integration = connected.integration().await;
    assert_eq!(integration.state, IntegrationState::NeedsReconnect);
    assert_eq!(integration.state_reason.as_deref(), Some("CREDENTIAL_REFUSED"));
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_an_outage_opens_the_breaker() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let connected = connect_asana(&app, &acme, &double().await).await;
    let Connected { domain, tenant, integration, .. } = &connected;
    let absent = |way: Arc<Way>| async move { way.asana().task("1").await };
    let missing = provider_call::asana(domain, *tenant, *integration, Urgency::Person, absent).await;
    connected.asana.stop().await;

    wait_until("the breaker is open", PATIENCE, async || {
        let answer = read(&connected, Urgency::Person).await;
        matches!(answer, Err(AsanaFailure::NotNow { reason: "PROVIDER_OUT", .. }))
    })
    .await;
    let mut tx = connected.tx().await;
    let flow = store::integration_flow::find(&mut tx, *integration).await.unwrap().unwrap();
    tx.end_reading();

    let not_found = stellwerk::provider::asana::CallError::Refused(Refusal::NotFound);
    assert!(matches!(missing, Err(AsanaFailure::Call(error)) if error == not_found));
    assert_eq!(flow.last_failure_reason.as_deref(), Some("PROVIDER_UNREACHABLE"));
}
