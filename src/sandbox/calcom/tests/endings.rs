//! Cancelling, confirming, declining, paying, not coming.

use super::*;

async fn cancel(stage: &Stage, uid: &str, body: Value) -> Reply {
    stage.post(&format!("/v2/bookings/{uid}/cancel"), body).await
}

fn requests() -> EventTypeOptions {
    EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() }
}

#[tokio::test]
async fn a_cancellation_by_the_api_is_200_and_names_nobody() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;

    let ended = cancel(&stage, &uid, json!({ "cancellationReason": "ill" })).await;

    assert_eq!((ended.status, &ended.data()["status"]), (200, &json!("cancelled")));
    assert_eq!(ended.data()["cancellationReason"], "ill");
    assert_eq!(ended.data()["cancelledByEmail"], "");
    assert_eq!(stage.book("2026-10-14T07:30:00Z").await.status, Status::Accepted, "free again");
}

#[tokio::test]
async fn a_second_cancellation_is_400_also_for_a_booking_that_was_moved() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    let moved = stage.book("2026-10-14T09:30:00Z").await.uid;
    cancel(&stage, &uid, json!({})).await.data();
    let new = stage.calcom.reschedule_as_attendee(&moved, at("2026-10-15T09:30:00Z")).await.unwrap();

    for gone in [&uid, &moved] {
        let again = cancel(&stage, gone, json!({})).await;
        assert_eq!((again.refusal().0, again.refusal().1), (400, 'A'));
        assert!(again.refusal().2.contains("it has been cancelled already"));
    }
    assert_eq!(stage.calcom.booking(&new.uid).unwrap().status, Status::Accepted);
    assert_eq!(cancel(&stage, "nothing", json!({})).await.refusal().0, 404);
}

#[tokio::test]
async fn what_is_over_or_must_not_be_cancelled_is_400_in_envelope_b() {
    let stage = Stage::start().await;
    let fixed = EventTypeOptions { disable_cancelling: true, ..EventTypeOptions::default() };
    let asked = EventTypeOptions { requires_cancellation_reason: true, ..EventTypeOptions::default() };
    let (fixed, asked) = (stage.event_type("fixed", 30, fixed), stage.event_type("asked", 30, asked));
    let over = stage.book("2026-10-14T07:30:00Z").await.uid;
    let fixed = stage.post("/v2/bookings", erika(fixed, "2026-10-15T07:30:00Z")).await.uid();
    let asked = stage.post("/v2/bookings", erika(asked, "2026-10-16T07:30:00Z")).await.uid();
    stage.calcom.clock().advance(at("2026-10-14T08:00:00Z") - stage.calcom.clock().now());

    let refused = [
        cancel(&stage, &over, json!({})).await,
        cancel(&stage, &fixed, json!({})).await,
        cancel(&stage, &asked, json!({ "cancellationReason": "" })).await,
    ];

    assert!(refused.iter().all(|reply| (reply.refusal().0, reply.refusal().1) == (400, 'B')));
    assert_eq!(refused[2].refusal().2, "Cancellation reason is required");
    assert_eq!(cancel(&stage, &asked, json!({ "cancellationReason": "ill" })).await.status, 200);
}

#[tokio::test]
async fn a_request_is_confirmed_without_another_look_at_the_diary() {
    let stage = Stage::start().await;
    let request = stage.event_type("request", 30, requests());
    let uid = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await.uid();
    stage.book("2026-10-14T07:30:00Z").await;

    let confirmed = stage.call(Method::POST, &format!("/v2/bookings/{uid}/confirm"), None).await;
    let again = stage.call(Method::POST, &format!("/v2/bookings/{uid}/confirm"), None).await;

    assert_eq!((confirmed.status, &confirmed.data()["status"]), (200, &json!("accepted")));
    assert_eq!(again.refusal().0, 400);
}

#[tokio::test]
async fn a_declined_request_is_rejected_with_its_reason() {
    let stage = Stage::start().await;
    let request = stage.event_type("request", 30, requests());
    let uid = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await.uid();

    let body = json!({ "reason": "no capacity" });
    let declined = stage.post(&format!("/v2/bookings/{uid}/decline"), body).await;

    assert_eq!(declined.data()["status"], "rejected");
    assert_eq!(stage.calcom.booking(&uid).unwrap().rejection_reason.as_deref(), Some("no capacity"));
    assert_eq!(cancel(&stage, &uid, json!({})).await.refusal().0, 400);
}

#[tokio::test]
async fn only_the_host_confirms_and_declines() {
    let stage = Stage::start().await;
    let stranger = stage.calcom.add_user("Max Beispiel", "max@example.org", Berlin);
    let request = stage.event_type("request", 30, requests());
    let uid = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await.uid();
    let path = format!("/v2/bookings/{uid}/confirm");

    let nobody = stage.anonymous(Method::POST, &path, None).await;
    let version = Some("2024-08-13");
    let other = stage.call_as(Some(&stranger.api_key), version, Method::POST, &path, None).await;

    assert_eq!((nobody.refusal().0, other.refusal().0), (401, 403));
    assert_eq!(stage.calcom.booking(&uid).unwrap().status, Status::Pending);
}

#[tokio::test]
async fn absence_is_marked_after_the_start_and_an_absent_host_is_told_to_nobody() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.subscribe(&subscriber);
    let path = format!("/v2/bookings/{uid}/mark-absent");
    let absent = json!({ "attendees": [{ "email": "erika@example.org", "absent": true }] });

    let early = stage.post(&path, absent.clone()).await;
    stage.calcom.clock().advance(at("2026-10-14T07:31:00Z") - stage.calcom.clock().now());
    let host = stage.post(&path, json!({ "host": true })).await;
    let told_of_host = subscriber.seen().len();
    let attendee = stage.post(&path, absent).await;

    assert_eq!((early.refusal().0, told_of_host), (400, 0));
    assert_eq!(host.data()["absentHost"], true);
    assert_eq!(attendee.data()["attendees"][0]["absent"], true);
    assert_eq!(subscriber.told(), [("BOOKING_NO_SHOW_UPDATED".to_owned(), uid)]);
}

#[tokio::test]
async fn a_booking_with_a_price_stands_once_it_is_paid() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let paid = stage.event_type("paid", 30, EventTypeOptions { price_cents: 4900, ..Default::default() });
    stage.subscribe(&subscriber);

    let uid = stage.post("/v2/bookings", erika(paid, "2026-10-14T07:30:00Z")).await.uid();
    let waiting = stage.calcom.booking(&uid).unwrap().status;
    let stands = stage.calcom.pay(&uid).await.unwrap().status;

    assert_eq!((waiting, stands), (Status::Pending, Status::Accepted));
    assert_eq!(subscriber.triggers(), ["BOOKING_PAYMENT_INITIATED", "BOOKING_PAID", "BOOKING_CREATED"]);
}

#[tokio::test]
async fn the_host_asks_for_another_time_by_the_api_too() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    let path = format!("/v2/bookings/{uid}/request-reschedule");

    let nobody = stage.anonymous(Method::POST, &path, None).await;
    let asked = stage.post(&path, json!({ "rescheduleReason": "maintenance" })).await;

    assert_eq!((nobody.refusal().0, asked.status), (401, 200));
    let booking = stage.calcom.booking(&uid).unwrap();
    assert_eq!(
        (booking.status, booking.rescheduled, booking.rescheduled_to),
        (Status::Cancelled, true, None)
    );
}
