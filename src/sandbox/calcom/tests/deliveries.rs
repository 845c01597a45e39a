//! Who is told, when, and with what on the envelope.

use super::*;
use crate::provider::signature;

#[tokio::test]
async fn a_delivery_is_signed_over_its_raw_bytes() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.subscribe(&subscriber);

    let booking = stage.book("2026-10-14T07:30:00Z").await;

    let (headers, body) = subscriber.seen().remove(0);
    assert_eq!(headers["x-cal-signature-256"], signature::sign_legacy(b"hush", &body));
    assert_eq!(headers["x-cal-webhook-version"], "2021-10-20");
    assert_eq!(headers["content-type"], "application/json");
    let told = &subscriber.bodies()[0];
    assert_eq!(told["triggerEvent"], "BOOKING_CREATED");
    assert_eq!(told["payload"]["uid"], booking.uid);
    assert_eq!(told["createdAt"], "2026-10-01T08:00:00.000Z");
    let kept = stage.calcom.deliveries().remove(0);
    assert_eq!((kept.outcome, kept.booking_uid), (Outcome::Answered(200), Some(booking.uid)));
    assert_eq!(kept.body.as_bytes(), &body[..]);
}

#[tokio::test]
async fn an_unsecured_subscription_says_so_where_the_signature_stands() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    stage.calcom.subscribe(Scope::User(stage.host.id), &subscriber.url, None, &ALL).unwrap();

    stage.book("2026-10-14T07:30:00Z").await;

    assert_eq!(subscriber.seen()[0].0["x-cal-signature-256"], "no-secret-provided");
}

#[tokio::test]
async fn every_matching_subscription_is_told() {
    let stage = Stage::start().await;
    let (user, visit, other) =
        (Subscriber::start().await, Subscriber::start().await, Subscriber::start().await);
    let second = stage.event_type("second", 30, EventTypeOptions::default());
    stage.subscribe(&user);
    let narrow = |id: i64, subscriber: &Subscriber| {
        stage.calcom.subscribe(Scope::EventType(id), &subscriber.url, Some("own"), &ALL).unwrap()
    };
    narrow(stage.visit, &visit);
    narrow(second, &other);
    let triggers = [Trigger::BookingCancelled];
    let picky = Subscriber::start().await;
    stage.calcom.subscribe(Scope::User(stage.host.id), &picky.url, None, &triggers).unwrap();

    stage.book("2026-10-14T07:30:00Z").await;

    let counts = [&user, &visit, &other, &picky].map(|subscriber| subscriber.seen().len());
    assert_eq!(counts, [1, 1, 0, 0]);
    let (_, body) = visit.seen().remove(0);
    assert_eq!(visit.seen()[0].0["x-cal-signature-256"], signature::sign_legacy(b"own", &body));
}

#[tokio::test]
async fn inline_the_echo_arrives_before_the_answer() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::slow().await;
    stage.subscribe(&subscriber);

    let request = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z"));
    let mut request = std::pin::pin!(request);
    tokio::select! {
        reply = &mut request => panic!("answered first: {reply:?}"),
        () = subscriber.has_seen(1) => {}
    }
    subscriber.answer();
    let made = request.await;

    assert_eq!(subscriber.told(), [("BOOKING_CREATED".to_owned(), made.uid())]);
}

#[tokio::test]
async fn inline_a_cancellation_is_told_before_it_is_so() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::slow().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.subscribe(&subscriber);

    let path = format!("/v2/bookings/{uid}");
    let cancelled = format!("{path}/cancel");
    let request = stage.post(&cancelled, json!({}));
    let (cancelled, meanwhile) = tokio::join!(request, async {
        subscriber.has_seen(1).await;
        let meanwhile = stage.get(&path).await;
        subscriber.answer();
        meanwhile
    });

    assert_eq!(meanwhile.data()["status"], "accepted");
    assert_eq!(cancelled.data()["status"], "cancelled");
}

#[tokio::test]
async fn queued_the_answer_waits_for_nobody_and_the_booking_is_read_again() {
    let stage = Stage::queued().await;
    let subscriber = Subscriber::slow().await;
    stage.subscribe(&subscriber);

    let made = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await.uid();
    stage.calcom.cancel_as_attendee(&made, Some("ill")).await.unwrap();
    subscriber.answer();
    subscriber.answer();
    stage.calcom.quiet().await;

    let mut told = subscriber.told();
    told.sort();
    let both = ["BOOKING_CANCELLED", "BOOKING_CREATED"].map(|trigger| (trigger.to_owned(), made.clone()));
    assert_eq!(told, both);
    let bodies = subscriber.bodies();
    let cancelled = bodies.iter().find(|body| body["triggerEvent"] == "BOOKING_CANCELLED").unwrap();
    assert_eq!(cancelled["payload"]["iCalSequence"], 1);
    assert_eq!(cancelled["payload"]["metadata"]["write_id"], "wr_1");
}

#[tokio::test]
async fn what_was_not_taken_is_not_sent_again() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await.refusing(StatusCode::SERVICE_UNAVAILABLE);
    stage.subscribe(&subscriber);

    let made = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;
    stage.calcom.quiet().await;

    assert_eq!((made.status, subscriber.seen().len()), (201, 1));
    assert_eq!(stage.calcom.deliveries()[0].outcome, Outcome::Answered(503));
}

#[tokio::test]
async fn a_subscriber_that_is_gone_costs_nobody_a_booking() {
    let stage = Stage::start().await;
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let gone = format!("http://{free}/hook");
    stage.calcom.subscribe(Scope::User(stage.host.id), &gone, None, &ALL).unwrap();
    let outside = "https://example.org/hook";
    stage.calcom.subscribe(Scope::EventType(stage.visit), outside, None, &ALL).unwrap();

    stage.book("2026-10-14T07:30:00Z").await;

    let outcomes: Vec<Outcome> = stage.calcom.deliveries().iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::NoAnswer, Outcome::NotLoopback]);
}

#[tokio::test]
async fn a_move_is_told_once_under_the_new_uid() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let old = stage.book("2026-10-14T07:30:00Z").await;
    stage.subscribe(&subscriber);

    let new = stage.calcom.reschedule_as_attendee(&old.uid, at("2026-10-15T07:30:00Z")).await.unwrap();

    assert_eq!(subscriber.told(), [("BOOKING_RESCHEDULED".to_owned(), new.uid)]);
    let payload = &subscriber.bodies()[0]["payload"];
    assert_eq!((&payload["rescheduleUid"], &payload["rescheduleId"]), (&json!(old.uid), &json!(old.id)));
    assert_eq!(payload["rescheduledBy"], "erika@example.org");
}

#[tokio::test]
async fn where_hosts_confirm_a_move_is_a_request_and_then_a_creation() {
    for names_predecessor in [true, false] {
        let settings = Settings { requests_name_predecessor: names_predecessor, ..Settings::default() };
        let stage = Stage::with(settings).await;
        let subscriber = Subscriber::start().await;
        let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
        let request = stage.event_type("request", 30, options);
        let old = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await.uid();
        stage.calcom.confirm(&old).await.unwrap();
        stage.subscribe(&subscriber);

        let new = stage.calcom.reschedule_as_attendee(&old, at("2026-10-15T07:30:00Z")).await.unwrap().uid;
        stage.calcom.confirm(&new).await.unwrap();

        let expected =
            ["BOOKING_REQUESTED", "BOOKING_CREATED"].map(|trigger| (trigger.to_owned(), new.clone()));
        assert_eq!(subscriber.told(), expected);
        let said = &subscriber.bodies()[0]["payload"]["rescheduleUid"];
        assert_eq!(said, &if names_predecessor { json!(old) } else { Value::Null });
    }
}

/// Section 13 of the sheet: what comes back of the metadata that the first writer sent.
#[tokio::test]
async fn metadata_comes_back_as_each_generation_has_it() {
    for generation in [Generation::Inline, Generation::Queued] {
        let stage = Stage::with(Settings { generation, ..Settings::default() }).await;
        let subscriber = Subscriber::start().await;
        let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
        let request = stage.event_type("request", 30, options);
        stage.subscribe(&subscriber);
        let settled = async || stage.calcom.quiet().await;

        let made = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await.uid();
        settled().await;
        let path = format!("/v2/bookings/{made}/reschedule");
        let by_api = stage.post(&path, json!({ "start": "2026-10-15T07:30:00Z" })).await.uid();
        settled().await;
        let by_hand =
            stage.calcom.reschedule_as_attendee(&by_api, at("2026-10-16T07:30:00Z")).await.unwrap().uid;
        settled().await;
        stage.calcom.cancel_as_attendee(&by_hand, None).await.unwrap();
        settled().await;
        let asked = stage.post("/v2/bookings", erika(request, "2026-10-17T07:30:00Z")).await.uid();
        settled().await;
        stage.calcom.confirm(&asked).await.unwrap();
        settled().await;
        let declined = stage.post("/v2/bookings", erika(request, "2026-10-18T07:30:00Z")).await.uid();
        settled().await;
        stage.calcom.reject(&declined, None).await.unwrap();
        settled().await;

        let carries: Vec<(String, bool)> = subscriber
            .bodies()
            .iter()
            .map(|body| {
                let trigger = body["triggerEvent"].as_str().unwrap().to_owned();
                (trigger, body["payload"]["metadata"]["write_id"] == "wr_1")
            })
            .collect();
        let queued = generation == Generation::Queued;
        let expected = [
            ("BOOKING_CREATED", true),
            ("BOOKING_RESCHEDULED", true),
            ("BOOKING_RESCHEDULED", queued),
            ("BOOKING_CANCELLED", queued),
            ("BOOKING_REQUESTED", true),
            ("BOOKING_CREATED", queued),
            ("BOOKING_REQUESTED", true),
            ("BOOKING_REJECTED", false),
        ];
        assert_eq!(
            carries,
            expected.map(|(trigger, carried)| (trigger.to_owned(), carried)),
            "{generation:?}"
        );
    }
}

#[tokio::test]
async fn a_template_replaces_the_body() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let webhook = stage.subscribe(&subscriber);
    let template = r#"{"what": "{{triggerEvent}}", "who": "{{organizer.name}}", "none": "{{nothing}}"}"#;
    stage.calcom.set_payload_template(&webhook.id, template).unwrap();
    stage.book("2026-10-14T07:30:00Z").await;
    stage.calcom.set_payload_template(&webhook.id, "what={{triggerEvent}}&uid={{uid}}").unwrap();

    let second = stage.book("2026-10-14T08:30:00Z").await;

    let seen = subscriber.seen();
    let expected = json!({ "what": "BOOKING_CREATED", "who": "Mara Vogt", "none": "" });
    assert_eq!(serde_json::from_slice::<Value>(&seen[0].1).unwrap(), expected);
    assert_eq!(seen[1].0["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen[1].1, format!("what=BOOKING_CREATED&uid={}", second.uid));
}

#[tokio::test]
async fn the_test_button_names_no_booking() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let webhook = stage.subscribe(&subscriber);

    let delivery = stage.calcom.ping(&webhook.id).await.unwrap();

    assert_eq!((delivery.trigger, delivery.outcome), (Trigger::Ping, Outcome::Answered(200)));
    assert_eq!(subscriber.told(), [("PING".to_owned(), String::new())]);
    assert!(matches!(stage.calcom.ping("none").await, Err(Error::Unknown { noun: "webhook" })));
}

#[tokio::test]
async fn any_bytes_can_be_sent_and_an_old_delivery_again() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let webhook = stage.subscribe(&subscriber);

    let sent = stage.calcom.send_raw(&webhook.id, Trigger::FormSubmitted, "no json").await.unwrap();
    stage.calcom.send_again(sent.id).await.unwrap();

    let seen = subscriber.seen();
    assert_eq!((&seen[0].1[..], &seen[1].1[..]), (b"no json".as_slice(), b"no json".as_slice()));
    assert_eq!(seen[0].0["x-cal-signature-256"], seen[1].0["x-cal-signature-256"]);
    assert!(matches!(stage.calcom.send_again(99).await, Err(Error::Unknown { noun: "delivery" })));
}

#[tokio::test]
async fn nobody_is_told_of_a_new_location() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.subscribe(&subscriber);
    stage.calcom.clock().advance(TimeDelta::seconds(1));

    let changed = stage.calcom.change_location(&uid, "Musterstraße 1").unwrap();

    assert_eq!(subscriber.seen().len(), 0);
    assert!(changed.updated_at > changed.created_at);
}
