//! When a provider is not asked, or not written to: by our own choice, by its wish,
//! or because it does not know us any longer.

use std::time::Duration;

use chrono::{DateTime, Utc};
use stellwerk::{
    domain::integration::{self, Changes},
    error::Error,
    proto,
    sandbox::calcom::{Fault, Limits, NewBooking, Operation, Rule},
    words::{IntegrationState, SyncState},
};

use crate::support::{
    PATIENCE,
    calcom::{self, no_key, on_day},
    desk,
    link::{Linked, line, until_run_is},
    tenant::TestTenant,
    wait_until,
};

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

/// P9. It was told in the pause, and will not be told again.
#[tokio::test]
async fn what_was_over_while_the_way_in_was_paused_is_completed_when_the_pause_ends() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let mut uids = Vec::new();
    for hour in [9, 10] {
        let wish = NewBooking::new(linked.event_type, on_day(-2, hour), "Erika Muster", "erika@example.org");
        uids.push(double.book_as_attendee(wish.without_checks()).await.expect("booked").uid);
    }
    linked.idle().await;
    linked.change(Changes { inbound_paused: Some(true), ..Changes::default() }).await.expect("paused");
    double.end_meeting(&uids[0]).await.expect("ended");
    double.end_meeting(&uids[1]).await.expect("ended");
    double.mark_no_show(&uids[1], "erika@example.org", true).await.expect("marked");
    double.quiet().await;
    linked.idle().await;
    let meanwhile = linked.lines("status", "appointment ORDER BY start_time").await;

    linked.change(Changes { inbound_paused: Some(false), ..Changes::default() }).await.expect("resumed");
    linked.idle().await;

    assert_eq!(meanwhile, ["booked", "booked"]);
    assert_eq!(linked.lines("status", "appointment ORDER BY start_time").await, ["completed", "no_show"]);
}

#[tokio::test]
async fn while_the_way_out_is_paused_writes_wait_and_its_end_sends_them_at_once() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.change(Changes { outbound_paused: Some(true), ..Changes::default() }).await.expect("paused");
    let webhook = linked.webhooks_of(linked.event_type).remove(0);
    double.unsubscribe(&webhook.id).expect("deleted");
    book_here(&linked, &tenant, on_day(5, 9)).await;
    linked.queue_check().await;
    wait_until("the write waits", PATIENCE, async || {
        linked.lines("reason", "outbox AND reason IS NOT NULL").await == ["OUTBOUND_PAUSED"]
    })
    .await;
    assert_eq!((double.bookings().len(), double.webhooks().len()), (0, 0));

    linked.change(Changes { outbound_paused: Some(false), ..Changes::default() }).await.expect("resumed");
    linked.idle().await;

    assert_eq!(double.bookings().into_iter().map(|one| one.start).collect::<Vec<_>>(), [on_day(5, 9)]);
    assert_eq!(linked.lines("provider_sync", "appointment").await, ["synced"]);
    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
}

/// The desk books a visit with the practitioner and for the service of the only event type.
async fn book_here(linked: &Linked, tenant: &TestTenant, start: DateTime<Utc>) {
    let erika =
        proto::CreatePatientRequest { email: "erika@example.org".into(), ..desk::person("Erika", "Muster") };
    let request = proto::BookAppointmentRequest {
        patient_id: desk::add_patient(&tenant.admin, erika).await.patient_id,
        practitioner_id: linked.lines("practitioner_id", "event_type").await.remove(0),
        service_id: linked.lines("service_id", "event_type").await.remove(0),
        start_time: Some(desk::timestamp(start)),
        ..Default::default()
    };
    tenant.admin.appointments().book_appointment(request).await.expect("booked");
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
