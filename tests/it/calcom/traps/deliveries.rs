//! Deliveries: whose they are, in which order they come, and how far they are believed.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::{
    domain::alert::{self, Thresholds},
    ids::TenantId,
    proto::{
        self, AlertRule, AlertState, AppointmentStatus::*, ProviderSyncState::Synced, WebhookEventStatus,
    },
    sandbox::calcom::{EventTypeOptions, Fault, Operation, Outcome, Rule, Scope, Trigger, Webhook},
};

use super::{delivered, newest_event, open, shape, tell};
use crate::{
    calcom::practice::{Practice, try_connect},
    support::desk,
};

/// Trap 11. P3.
#[tokio::test]
async fn a_delivery_about_an_event_type_that_is_not_ours_is_quarantined_and_its_body_not_kept() {
    let practice = open().await;
    let body = creation(&practice, 0).await;

    let mut forged = body.clone();
    forged["payload"]["uid"] = json!("fNotOurs0000000000000");
    forged["payload"]["eventTypeId"] = json!(practice.visit.event_type + 1000);
    let answered = tell(&practice, &practice.visit, Trigger::BookingCreated, &forged).await;

    assert_eq!(answered, Outcome::Answered(200));
    let event = desk::events(&practice.acme.admin).await.remove(0);
    assert_eq!((event.status(), &*event.reason), (WebhookEventStatus::Quarantined, "EVENT_TYPE_UNKNOWN"));
    assert_eq!(event.body_preview, "");
    assert_eq!(desk::appointments(&practice.acme.admin).await.len(), 1);
    let admin = &practice.acme.admin;
    for _ in 0..2 {
        alert::check(&practice.app.domain, TenantId(practice.acme.id), &Thresholds::default(), Utc::now())
            .await
            .unwrap();
    }
    let alerts = admin.alerts().list_alerts(proto::ListAlertsRequest::default()).await.unwrap().into_inner();
    let [alert] = &alerts.alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((alert.rule(), alert.state()), (AlertRule::Quarantine, AlertState::Firing));
    assert_eq!((alert.value, alert.threshold), (1.0, 0.0));
}

/// Trap 11. P3.
#[tokio::test]
async fn event_types_belong_to_the_tenant_that_linked_them_first() {
    let practice = open().await;
    let globex = practice.app.tenant("globex").await;

    try_connect(&practice.calcom, &globex.admin, &practice.host).await.unwrap();
    practice.work_through().await;

    let owner = practice.app.database.owner().await;
    let owners = owner.lines("SELECT DISTINCT tenant_id FROM event_type").await;
    assert_eq!(owners.len(), 1, "{owners:?}");
    assert_eq!(desk::appointments(&globex.admin).await.len(), 0);
}

/// Trap 12.
#[tokio::test]
async fn a_mark_of_absence_names_no_event_type_and_finds_its_appointment_by_uid() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    practice.calcom.clock().advance(TimeDelta::days(6));

    practice.calcom.mark_no_show(&booked.external_id, "erika@example.org", true).await.unwrap();
    practice.work_through().await;

    let body = parsed(&delivered(&practice, Trigger::BookingNoShowUpdated).body);
    assert_eq!(body["payload"]["eventTypeId"], Value::Null);
    assert_eq!(practice.appointment(&booked.appointment_id).await.status(), NoShow);
}

/// Trap 12.
#[tokio::test]
async fn a_test_delivery_names_nothing_and_is_a_sign_of_life() {
    let practice = open().await;

    let pinged = practice.calcom.ping(&webhook(&practice).id).await.unwrap();

    assert_eq!(pinged.outcome, Outcome::Answered(200));
    assert_eq!(newest_event(&practice).await, (WebhookEventStatus::Ignored, "PING".into()));
    assert!(!desk::listed(&practice.acme.admin).await.appointments.iter().any(|one| one.is_stale));
}

/// Trap 13. P2.
#[tokio::test]
async fn what_an_unsecured_subscription_delivers_is_refused() {
    let practice = open().await;
    let url = webhook(&practice).subscriber_url;
    let scope = Scope::User(practice.host.id);
    let unsecured = practice.calcom.subscribe(scope, &url, None, &[Trigger::BookingCreated]).unwrap();

    creation(&practice, 0).await;

    let told = practice.calcom.deliveries().into_iter().find(|one| one.webhook_id == unsecured.id).unwrap();
    assert_eq!((&*told.signature, told.outcome), ("no-secret-provided", Outcome::Answered(401)));
}

/// Trap 14. P2.
#[tokio::test]
async fn every_subscription_has_an_address_and_a_secret_of_its_own() {
    let practice = open().await;
    let [one, other] = &practice.calcom.webhooks()[..] else { panic!("two webhooks") };
    assert!(one.secret.is_some() && one.secret != other.secret);
    assert_ne!(one.subscriber_url, other.subscriber_url);

    // One's secret does not open the other's address.
    let scope = Scope::User(practice.host.id);
    let secret = one.secret.as_deref();
    let mixed = practice.calcom.subscribe(scope, &other.subscriber_url, secret, &[Trigger::BookingCreated]);
    let told = practice.calcom.ping(&mixed.unwrap().id).await.unwrap();

    assert_eq!(told.outcome, Outcome::Answered(401));
}

/// Trap 15. P2.
#[tokio::test]
async fn a_signature_holds_for_the_bytes_that_were_sent_and_not_for_what_they_mean() {
    let practice = open().await;
    let body = creation(&practice, 0).await;
    let webhook = webhook(&practice);
    let spelled_out = serde_json::to_string_pretty(&body).unwrap();

    let sent =
        practice.calcom.send_raw(&webhook.id, Trigger::BookingCreated, spelled_out.clone()).await.unwrap();
    let client = crate::support::booking_tool::client();
    let retold = client
        .post(&webhook.subscriber_url)
        .header("content-type", "application/json")
        .header("x-cal-signature-256", &*sent.signature)
        .body(body.to_string())
        .send();

    assert_eq!(sent.outcome, Outcome::Answered(200));
    assert_eq!(parsed(&spelled_out), body);
    assert_eq!(retold.await.unwrap().status(), 401);
}

/// Trap 16. P9.
#[tokio::test]
async fn a_cancellation_that_overtakes_its_creation_wins() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::next(1, Fault::WebhookHeld).about(Trigger::BookingCreated));
    let wish = practice.attendee(&practice.visit, practice.slot(0));
    let booking = practice.calcom.book_as_attendee(wish).await.unwrap();

    practice.calcom.cancel_as_attendee(&booking.uid, Some("ill")).await.unwrap();
    practice.work_through().await;
    assert_eq!(practice.calcom.release_webhooks().await, 1);
    practice.work_through().await;

    let statuses: Vec<_> =
        desk::appointments(&practice.acme.admin).await.iter().map(|one| one.status()).collect();
    assert!(statuses.iter().all(|status| *status == Cancelled) && statuses.len() <= 1, "{statuses:?}");
}

/// Trap 16. P9.
#[tokio::test]
async fn a_move_that_overtakes_the_creation_of_what_it_moved_is_one_appointment() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::next(1, Fault::WebhookHeld).about(Trigger::BookingCreated));
    let wish = practice.attendee(&practice.visit, practice.slot(0));
    let first = practice.calcom.book_as_attendee(wish).await.unwrap();

    practice.calcom.reschedule_as_attendee(&first.uid, practice.slot(1)).await.unwrap();
    assert_eq!(practice.calcom.release_webhooks().await, 1);
    practice.work_through().await;

    let appointment = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(shape(&appointment), (practice.slot(1), Booked, Synced));
}

/// Trap 17. P9.
#[tokio::test]
async fn a_younger_time_of_sending_makes_an_old_state_no_younger() {
    let practice = open().await;
    let body = creation(&practice, 0).await;
    let uid = body["payload"]["uid"].as_str().unwrap().to_owned();
    practice.calcom.reschedule_as_attendee(&uid, practice.slot(1)).await.unwrap();

    let mut late = body;
    late["createdAt"] = json!("2099-01-01T00:00:00.000Z");
    tell(&practice, &practice.visit, Trigger::BookingCreated, &late).await;
    practice.work_through().await;

    let appointment = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(shape(&appointment), (practice.slot(1), Booked, Synced));
}

/// Trap 18. P1.
#[tokio::test]
async fn two_subscriptions_that_tell_of_one_change_have_one_effect() {
    let practice = open().await;
    let Webhook { subscriber_url, secret, .. } = webhook(&practice);
    let scope = Scope::User(practice.host.id);
    let triggers = [Trigger::BookingCreated];
    practice.calcom.subscribe(scope, &subscriber_url, secret.as_deref(), &triggers).unwrap();

    creation(&practice, 0).await;
    practice.work_through().await;

    let mut told: Vec<_> =
        desk::events(&practice.acme.admin).await.iter().map(|event| event.status()).collect();
    told.sort_unstable();
    assert_eq!(told, [WebhookEventStatus::Success, WebhookEventStatus::Duplicate]);
    let appointment = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(desk::history(&practice.acme.admin, &appointment.appointment_id).await.len(), 1);
}

/// Trap 19. P9, P12.
#[tokio::test]
async fn what_no_webhook_told_is_found_and_counted_as_repaired() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    for slot in [0, 2, 4] {
        creation(&practice, slot).await;
    }
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());

    let log = practice.sync().await;

    assert_eq!(desk::appointments(&practice.acme.admin).await.len(), 3);
    let repaired: i32 = log.counts.iter().filter(|one| one.noun == "bookings").map(|one| one.repaired).sum();
    assert_eq!(repaired, 3, "{log:?}");
}

/// Trap 20. P9.
#[tokio::test]
async fn a_read_that_contradicts_what_was_told_is_repeated_before_it_is_believed() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    practice.calcom.add_fault(Rule::next(1, Fault::StaleRead).on(Operation::GetBooking));
    practice.calcom.forget_requests();

    practice.calcom.request_reschedule(&booked.external_id, "another time, please").await.unwrap();
    practice.work_through().await;

    assert_eq!(practice.appointment(&booked.appointment_id).await.status(), Cancelled);
    let asked = practice.calcom.requests();
    let reads = asked.iter().filter(|one| one.operation == Some(Operation::GetBooking)).count();
    assert!(reads >= 2, "{reads}");
}

/// Trap 33. P11.
#[tokio::test]
async fn a_subscription_of_a_whole_user_tells_of_private_event_types_and_nothing_of_it_is_kept() {
    let practice = open().await;
    let options = EventTypeOptions::default();
    let private = practice.calcom.add_event_type(practice.host.id, "coffee", "Coffee", 30, options).unwrap();
    let Webhook { subscriber_url, secret, .. } = webhook(&practice);
    let scope = Scope::User(practice.host.id);
    let triggers = [Trigger::BookingCreated];
    practice.calcom.subscribe(scope, &subscriber_url, secret.as_deref(), &triggers).unwrap();

    let wish = practice.attendee(&practice.visit, practice.slot(0));
    let wish = stellwerk::sandbox::calcom::NewBooking { event_type_id: private, ..wish };
    practice.calcom.book_as_attendee(wish).await.unwrap();

    assert_eq!(delivered(&practice, Trigger::BookingCreated).outcome, Outcome::Answered(200));
    let event = desk::events(&practice.acme.admin).await.remove(0);
    assert_eq!((event.status(), &*event.body_preview), (WebhookEventStatus::Quarantined, ""));
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
    assert!(desk::patients(&practice.acme.admin).await.is_empty());
}

/// A booking at Cal.com's page, and the body that tells of it.
async fn creation(practice: &Practice, slot: i64) -> Value {
    let wish = practice.attendee(&practice.visit, practice.slot(slot));
    practice.calcom.book_as_attendee(wish).await.unwrap();
    parsed(&delivered(practice, Trigger::BookingCreated).body)
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

/// The one about visits.
fn webhook(practice: &Practice) -> Webhook {
    let about = Scope::EventType(practice.visit.event_type);
    practice.calcom.webhooks().into_iter().find(|one| one.scope == about).unwrap()
}
