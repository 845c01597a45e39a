//! Runs that somebody watches: what they take over, how they go on, and how they end.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::sync_log,
    error::Error,
    sandbox::calcom::{Fault, Operation, Point, Rule},
    words::SyncState,
};

use crate::support::{
    calcom::{self, no_key, on_day},
    link::{Linked, key, line},
};

#[tokio::test]
async fn more_bookings_than_a_page_are_all_taken_over() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    for nth in 0..110 {
        linked.book_there(on_day(2 + nth / 20, 0) + TimeDelta::minutes(30 * (nth % 20))).await;
    }

    linked.link().await;
    linked.idle().await;

    assert_eq!(linked.appointments().await.len(), 110);
    assert_eq!(linked.lines("count(*)", "patient").await, ["1"]);
    assert!(linked.asked(Operation::ListBookings) >= 3);
}

#[tokio::test]
async fn a_run_goes_on_where_it_was_when_its_worker_died() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.link().await;
    let run = linked.first_run().await;
    let mut gate = double.pause_next(Point::BeforeApplying, Operation::ListBookings);
    let first = app.worker();
    gate.reached().await.expect("the bookings are asked for");
    first.kill().await;
    gate.open();

    let _second = app.worker();
    let ended = linked.ended(run.id).await;

    assert_eq!(ended.state, SyncState::Succeeded);
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.asked(Operation::ListEventTypes), 1);
    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
}

#[tokio::test]
async fn a_run_that_is_called_off_ends_with_its_next_page() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.forget_requests();
    let mut gate = double.pause_next(Point::BeforeApplying, Operation::ListEventTypes);
    let run = linked.start(&no_key()).await.expect("begun");
    gate.reached().await.expect("the event types are asked for");

    let asked = sync_log::cancel(&linked.domain, &linked.admin(), &no_key(), run.id, Utc::now()).await;
    gate.open();
    let ended = linked.ended(run.id).await;

    assert!(asked.expect("asked").cancel_asked);
    assert_eq!(ended.state, SyncState::Cancelled);
    assert_eq!(linked.asked(Operation::ListBookings), 0);
}

#[tokio::test]
async fn a_run_that_waits_is_called_off_at_once_and_never_begins() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;
    double.forget_requests();
    let run = linked.first_run().await;

    let ended = sync_log::cancel(&linked.domain, &linked.admin(), &no_key(), run.id, Utc::now()).await;
    let _worker = app.worker();
    linked.idle().await;

    let ended = ended.expect("ended");
    assert_eq!(ended.state, SyncState::Cancelled);
    assert_eq!(linked.run(run.id).await, ended);
    assert_eq!(double.requests().len(), 0);
}

#[tokio::test]
async fn one_run_at_a_time_and_a_repeated_call_finds_the_one_it_began() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let mut gate = double.pause_next(Point::BeforeApplying, Operation::ListEventTypes);
    let run = linked.start(&key("once")).await.expect("begun");
    gate.reached().await.expect("it runs");

    let again = linked.start(&key("once")).await.expect("the same");
    let another = linked.start(&key("twice")).await;

    assert_eq!(again.id, run.id);
    assert!(matches!(another, Err(Error::SyncRunning(id)) if id == run.id), "{another:?}");
    gate.open();
    assert_eq!(linked.ended(run.id).await.state, SyncState::Succeeded);
}

#[tokio::test]
async fn a_read_that_fails_is_tried_again() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::next(1, Fault::ErrorBefore { status: 500 }).on(Operation::ListBookings));

    let ended = linked.sync().await;

    assert_eq!((ended.state, ended.error_count), (SyncState::Succeeded, 0));
}

#[tokio::test]
async fn a_dashboard_adds_up_what_happened() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    linked.sync().await;

    let status = linked.status().await;

    assert_eq!((status.runs.total, status.runs.successful, status.runs.failed), (2, 2, 0));
    assert!(status.runs.average_duration_s.is_some_and(|span| span > 0.0 && span < 60.0));
    assert!(status.last_delivery_time.is_some());
    assert_eq!((status.waiting.messages, status.waiting.open_reviews), (0, 0));
    assert_eq!((status.subscriptions.len(), status.event_types.len()), (1, 1));
    assert_eq!(status.ages.changes, 1);
    assert!(status.ages.last_s.is_some_and(|age| age < 60.0));
    assert!(status.ages.p95_s.is_some());
    assert!(status.flow.is_some_and(|flow| flow.last_success_time.is_some()));
}
