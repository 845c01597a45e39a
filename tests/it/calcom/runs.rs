//! Runs that somebody watches, looks for what no webhook told, pauses, and what the clock begins.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::{
        engine::schedule::{self, Seen},
        integration::{self, Changes},
        sync_log, upkeep,
    },
    error::Error,
    sandbox::calcom::{Fault, Limits, Operation, Point, Rule},
    store,
    words::{IntegrationState, SyncKind, SyncState},
    worker::{Worker, WorkerConfig},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    PATIENCE,
    calcom::{self, no_key, on_day},
    desk,
    link::{Linked, key, line, until_run_is},
    wait_until,
};

#[tokio::test]
async fn a_booking_whose_webhook_was_lost_is_found_and_counted() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    linked.book_there(on_day(3, 10)).await;
    assert_eq!(linked.appointments().await, [""; 0]);

    linked.reconcile().await;

    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.repaired().await, 1);
}

#[tokio::test]
async fn a_move_and_a_cancellation_whose_webhooks_were_lost_are_found() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let (moved, ended) = (linked.book_there(on_day(3, 10)).await, linked.book_there(on_day(3, 12)).await);
    linked.idle().await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    double.reschedule_as_attendee(&moved.uid, on_day(4, 10)).await.expect("moved");
    double.cancel_as_attendee(&ended.uid, None).await.expect("cancelled");

    linked.reconcile().await;

    assert_eq!(
        linked.appointments().await,
        [line("cancelled", on_day(3, 12)), line("booked", on_day(4, 10))]
    );
}

#[tokio::test]
async fn what_a_webhook_told_is_no_repair() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;

    linked.reconcile().await;

    assert_eq!(linked.repaired().await, 0);
    let last = linked.runs().await.pop().expect("a run");
    assert_eq!((last.kind, last.state), (SyncKind::Incremental, SyncState::Succeeded));
    assert_eq!(last.counts["bookings"]["processed"], 1);
}

#[tokio::test]
async fn a_booking_that_is_gone_there_is_found_by_a_sweep_though_nobody_tells_when() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let booking = linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    double.add_fault(Rule::always(Fault::WebhookLost));
    double.cancel_as_attendee(&booking.uid, None).await.expect("cancelled");
    // As if the change had been read by somebody who could not make anything of it.
    forget_changes(&linked).await;
    linked.reconcile().await;
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);

    linked.sweep().await;

    assert_eq!(linked.appointments().await, [line("cancelled", on_day(3, 10))]);
}

/// Nothing that changed so far is read again.
async fn forget_changes(linked: &Linked) {
    let later = format!(
        "UPDATE sync_cursor SET watermark = now() + interval '1 hour' WHERE tenant_id = '{}' AND noun = 'bookings'",
        linked.tenant
    );
    linked.owner.run(&later).await;
}

#[tokio::test]
async fn so_many_gone_at_once_wait_for_a_person() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let invented = format!(
        "INSERT INTO booking (tenant_id, id, integration_id, external_id, status, start_time, end_time, is_current, update_time) \
         SELECT '{}', gen_random_uuid(), '{}', 'gone' || n, 'accepted', now() + n * interval '1 day', \
             now() + n * interval '1 day' + interval '30 min', true, now() - interval '1 day' FROM generate_series(1, 12) n",
        linked.tenant, linked.integration
    );
    linked.owner.run(&invented).await;

    linked.sweep().await;
    linked.sweep().await;

    assert_eq!(
        linked.lines("kind || ' ' || reason", "review_item").await,
        ["deletions_over_guard TOO_MANY_GONE"]
    );
    assert_eq!(linked.asked(Operation::GetBooking), 0);
    assert_eq!(linked.runs().await.pop().expect("a run").state, SyncState::Partial);
}

#[tokio::test]
async fn an_appointment_that_was_here_before_is_booked_there_by_the_first_run() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let service = tenant.put_service("Visit").await;
    let practitioner = desk::add_practitioner(&tenant.admin, "Mara Vogt", &[]).await.practitioner_id;
    let erika = stellwerk::proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        ..desk::person("Erika", "Muster")
    };
    let patient = desk::add_patient(&tenant.admin, erika).await.patient_id;
    let request = stellwerk::proto::BookAppointmentRequest {
        patient_id: patient,
        practitioner_id: practitioner,
        service_id: service,
        start_time: Some(desk::timestamp(on_day(5, 9))),
        ..Default::default()
    };
    tenant.admin.appointments().book_appointment(request).await.expect("booked");

    let linked = Linked::new(&app, &tenant, &double).await;

    let there: Vec<_> = double.bookings().into_iter().map(|booking| booking.start).collect();
    assert_eq!(there, [on_day(5, 9)]);
    assert_eq!(linked.lines("provider_sync", "appointment").await, ["synced"]);
}

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
async fn a_provider_that_asks_for_patience_is_asked_later_and_the_run_succeeds() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let patience = Fault::Throttled { retry_after_seconds: Some(1) };
    double.add_fault(Rule::next(3, patience).on(Operation::ListBookings));

    let ended = linked.sync().await;

    assert_eq!((ended.state, ended.error_count), (SyncState::Succeeded, 0));
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
async fn a_refused_key_asks_to_reconnect_and_a_new_one_catches_up() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::next(1, Fault::WebhookLost));
    linked.book_there(on_day(3, 10)).await;
    double.revoke_key(&linked.host.api_key);

    linked.reconcile().await;
    linked.until(IntegrationState::NeedsReconnect).await;
    let failed = linked.runs().await.pop().expect("a run");
    let refused = linked.start(&no_key()).await;
    let fresh = double.add_key(linked.host.id).expect("a key");
    let back = linked.change(Changes { api_key: Some(fresh.into()), ..Changes::default() }).await;
    linked.idle().await;

    assert_eq!((failed.state, failed.reason.as_deref()), (SyncState::Failed, Some("CREDENTIAL_REFUSED")));
    assert!(matches!(refused, Err(Error::IntegrationState(IntegrationState::NeedsReconnect))), "{refused:?}");
    assert_eq!(back.expect("back").state, IntegrationState::Connected);
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.status().await.runs.consecutive_errors, 0);
}

#[tokio::test]
async fn a_key_of_another_account_is_no_new_key() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let other = double.add_user("Jonas Beispiel", "jonas@example.org", chrono_tz::Europe::Berlin);

    let refused = linked.change(Changes { api_key: Some(other.api_key.into()), ..Changes::default() }).await;

    assert_eq!(crate::support::link::field(refused), "api_key");
}

#[tokio::test]
async fn a_trial_tells_a_refused_key_and_ends_the_wait_when_the_key_works_again() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let trial = async || {
        integration::test(&linked.domain, &linked.admin(), linked.integration, Utc::now()).await.unwrap()
    };
    double.add_fault(Rule::next(1, Fault::ErrorBefore { status: 401 }).on(Operation::GetMe));

    let refused = trial().await;
    let works = trial().await;

    assert_eq!(
        (refused.reason, refused.integration.state),
        (Some("CREDENTIAL_REFUSED"), IntegrationState::NeedsReconnect)
    );
    assert_eq!((works.reason, works.integration.state), (None, IntegrationState::Connected));
    linked.idle().await;
}

#[tokio::test]
async fn while_the_way_in_is_paused_nothing_is_taken_in_and_its_end_catches_up() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.change(Changes { inbound_paused: Some(true), ..Changes::default() }).await.expect("paused");
    linked.book_there(on_day(3, 10)).await;
    linked.reconcile().await;
    assert_eq!(linked.appointments().await, [""; 0]);

    linked.change(Changes { inbound_paused: Some(false), ..Changes::default() }).await.expect("resumed");
    linked.idle().await;

    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
}

#[tokio::test]
async fn nothing_is_written_to_a_provider_that_is_only_read() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.change(Changes { read_only: Some(true), ..Changes::default() }).await.expect("restricted");
    let webhook = linked.webhooks_of(linked.event_type).remove(0);
    double.unsubscribe(&webhook.id).expect("deleted");
    double.forget_requests();

    linked.sync().await;

    let writes = double.requests().into_iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 0);
    let subscription = linked.status().await.subscriptions.remove(0);
    assert_eq!(subscription.reason.as_deref(), Some("READ_ONLY"));

    linked.change(Changes { read_only: Some(false), ..Changes::default() }).await.expect("free");
    linked.idle().await;

    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
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

#[tokio::test]
async fn the_age_of_a_change_that_was_found_late_counts_from_when_it_was_made() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_fault(Rule::next(1, Fault::WebhookLost));
    // The double's clock stands behind: what is made there now was made some minutes ago.
    double.clock().advance(-TimeDelta::minutes(5));
    linked.book_there(on_day(3, 10)).await;

    linked.reconcile().await;

    let age = linked.status().await.ages.last_s.expect("an age");
    assert!((290.0..360.0).contains(&age), "{age}");
}

#[tokio::test]
async fn an_occurrence_is_queued_once_however_many_instances_there_are() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;
    // All of them have an occurrence here or shortly before.
    let now = "2031-05-06T03:30:10Z".parse().expect("a time");

    let (mut one, mut other, mut late) = (Seen::default(), Seen::default(), Seen::default());
    tokio::join!(
        schedule::run(&linked.domain, &mut one, now),
        schedule::run(&linked.domain, &mut other, now)
    );
    schedule::run(&linked.domain, &mut late, now).await;

    assert_eq!(
        linked.lines("cause", "outbox AND cause LIKE 'schedule/%' ORDER BY cause").await,
        [
            "schedule/check-subscriptions",
            "schedule/reconcile-calcom",
            "schedule/refresh-event-types",
            "schedule/sweep-calcom"
        ]
    );
}

#[tokio::test]
async fn a_worker_makes_up_for_what_was_due_while_nobody_worked() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;

    let worker = Worker::new(linked.domain.clone(), WorkerConfig::default());
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));
    wait_until("a sweep was made", PATIENCE, async || {
        linked.runs().await.iter().any(|run| run.kind == SyncKind::Scheduled && run.end_time.is_some())
    })
    .await;
    linked.idle().await;
    stop.cancel();
    working.await.expect("the worker ends in order");

    assert_eq!(linked.owner.value("SELECT count(DISTINCT schedule) FROM schedule_run").await, "5");
}

#[tokio::test]
async fn what_waits_already_is_not_queued_again_by_the_next_occurrence() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;

    for minute in ["10:00", "10:05", "10:10"] {
        let now = format!("2031-05-06T{minute}:01Z").parse().expect("a time");
        schedule::run(&linked.domain, &mut Seen::default(), now).await;
    }

    let queued = linked.lines("count(*)", "outbox AND cause = 'schedule/reconcile-calcom'").await;
    assert_eq!(queued, ["1"]);
}

#[tokio::test]
async fn what_the_clock_began_is_done_and_seen() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_event_type(linked.host.id, "talk", "Talk", 20, Default::default()).expect("a kind");

    schedule::run(&linked.domain, &mut Seen::default(), "2031-05-06T04:00:10Z".parse().expect("a time"))
        .await;
    linked.idle().await;

    assert_eq!(linked.lines("slug", "event_type ORDER BY slug").await, ["talk", "visit"]);
    let causes: Vec<String> = linked.runs().await.into_iter().map(|run| run.cause).collect();
    assert!(causes.contains(&"schedule/refresh-event-types".into()), "{causes:?}");
}

#[tokio::test]
async fn old_records_of_runs_are_swept_and_young_ones_stay() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let aged = |kind: &str, state: &str, days: i32| {
        format!(
            "INSERT INTO sync_log (tenant_id, id, integration_id, kind, state, cause, start_time, end_time) \
             SELECT '{}', gen_random_uuid(), '{}', '{kind}', '{state}', 'aged {days}', at, at \
             FROM (SELECT now() - interval '{days} days' AS at) aged",
            linked.tenant, linked.integration
        )
    };
    for (kind, state, days) in [
        ("incremental", "succeeded", 8),
        ("incremental", "succeeded", 6),
        ("incremental", "failed", 8),
        ("manual", "succeeded", 91),
        ("manual", "succeeded", 89),
    ] {
        linked.owner.run(&aged(kind, state, days)).await;
    }

    let swept = store::schedule::sweep_sync_logs(&linked.domain.store).await.expect("swept");

    assert_eq!(swept, 2);
    assert_eq!(
        linked.lines("cause", "sync_log AND cause LIKE 'aged%' ORDER BY cause").await,
        ["aged 6", "aged 8", "aged 89"]
    );
}

#[tokio::test]
async fn a_hold_that_ran_out_gives_its_time_back_though_nobody_asks() {
    let app = calcom::app().start().await;
    let tenant = app.tenant("Praxis am Wall").await;
    let practitioner = tenant.put_practitioner("Dr. Muster").await;
    let request = stellwerk::proto::HoldSlotRequest {
        practitioner_id: practitioner,
        start_time: Some(desk::timestamp(on_day(5, 9))),
        duration: Some(prost_types::Duration { seconds: 1800, nanos: 0 }),
        ..Default::default()
    };
    tenant.admin.appointments().hold_slot(request).await.expect("held");
    let owner = app.database.owner().await;
    owner.run("UPDATE appointment SET hold_expire_time = now() - interval '1 s' WHERE status = 'held'").await;

    upkeep::release_holds(&app.domain, Utc::now()).await;

    assert_eq!(owner.lines("SELECT status FROM appointment").await, ["cancelled"]);
}

#[tokio::test]
async fn a_small_budget_slows_a_run_down_and_loses_nothing() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    double.set_limits(Limits { per_key: Some(120), ..Limits::default() });
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    let new = integration::NewIntegration { requests_per_minute: Some(6), ..linked.wish() };
    linked.integration = linked.try_link(new).await.expect("linked").id;

    // Two at once, then one every twenty seconds; it would take minutes to the end.
    let run = linked.first_run().await;
    wait_until("the budget is used up", PATIENCE, async || {
        linked.lines("coalesce(reason, '')", "outbox").await == ["THROTTLED"]
    })
    .await;
    linked
        .change(integration::Changes { requests_per_minute: Some(60_000), ..Default::default() })
        .await
        .unwrap();
    until_run_is(&linked, run.id, SyncState::Succeeded, Duration::from_secs(60)).await;

    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
}
