//! Bodies, held against the published samples where these are at hand.

use std::collections::BTreeSet;

use super::*;
use crate::sandbox::published;

/// Paths of all keys, with the kind of what is there; lists by their first item.
fn shape(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| {
            shape(value, &format!("{path}/{key}"), into);
        }),
        Value::Array(items) => {
            into.insert(format!("{path} array"));
            items.iter().take(1).for_each(|item| shape(item, &format!("{path}/0"), into));
        }
        Value::Null => drop(into.insert(format!("{path} null"))),
        Value::Bool(_) => drop(into.insert(format!("{path} boolean"))),
        Value::Number(_) => drop(into.insert(format!("{path} number"))),
        Value::String(_) => drop(into.insert(format!("{path} string"))),
    }
}

fn shape_of(body: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    shape(body, "", &mut paths);
    // Filled in by whoever wrote it, and in every sample differently.
    paths.retain(|path| !path.starts_with("/payload/metadata/") && !path.starts_with("/metadata/"));
    paths
}

fn sample(name: &str) -> Option<Value> {
    published::json(&format!("providers/samples/calcom/{name}.json"))
}

/// The body last told, against the sample: nothing missing, nothing too much, the same kinds.
fn compare(told: &Value, name: &str, differing: &[&str]) {
    let Some(sample) = sample(name) else { return };
    let (told, sample) = (shape_of(told), shape_of(&sample));
    let unexpected: Vec<&String> = told
        .symmetric_difference(&sample)
        .filter(|path| !differing.iter().any(|known| path.starts_with(known)))
        .collect();
    assert!(unexpected.is_empty(), "{name}: {unexpected:#?}");
}

struct Told {
    stage: Stage,
    subscriber: Subscriber,
}

impl Told {
    async fn start(generation: Generation) -> Self {
        let stage = Stage::with(Settings { generation, ..Settings::default() }).await;
        let subscriber = Subscriber::start().await;
        stage.subscribe(&subscriber);
        Self { stage, subscriber }
    }

    fn wish(&self, event_type_id: i64, start: &str) -> NewBooking {
        let mut wish = NewBooking::new(event_type_id, at(start), "Jonas Keller", "jonas.keller@example.net");
        wish.responses.insert("notes".to_owned(), json!("Parking space needed"));
        wish.metadata.insert("write_id".to_owned(), json!("wr_1"));
        wish
    }

    async fn book(&self, event_type_id: i64, start: &str) -> Booking {
        self.stage.calcom.book_as_attendee(self.wish(event_type_id, start)).await.unwrap()
    }

    fn requests(&self) -> i64 {
        let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
        self.stage.event_type("house-visit", 60, options)
    }

    async fn last(&self) -> Value {
        self.stage.calcom.quiet().await;
        self.subscriber.bodies().pop().unwrap()
    }
}

#[tokio::test]
async fn creation_inline() {
    let told = Told::start(Generation::Inline).await;

    told.book(told.stage.visit, "2026-10-14T07:30:00Z").await;

    let body = told.last().await;
    assert_eq!(body["payload"]["startTime"], "2026-10-14T07:30:00Z");
    assert_eq!(body["payload"]["organizer"]["utcOffset"], 120);
    compare(&body, "booking-created", &[]);
}

#[tokio::test]
async fn creation_by_telephone() {
    let told = Told::start(Generation::Inline).await;
    let mut wish = told.wish(told.stage.visit, "2026-10-14T07:30:00Z");
    (wish.email, wish.phone) = (None, Some("+4915550100200".to_owned()));

    told.stage.calcom.book_as_attendee(wish).await.unwrap();

    let body = told.last().await;
    assert_eq!(body["payload"]["attendees"][0]["email"], "4915550100200@sms.cal.com");
    assert_eq!(body["payload"]["smsReminderNumber"], "+4915550100200");
    let video = ["/payload/videoCallData", "/payload/conferenceData", "/payload/appsStatus"];
    compare(&body, "booking-created.phone-only-attendee", &video);
}

#[tokio::test]
async fn creation_queued() {
    let told = Told::start(Generation::Queued).await;

    told.book(told.stage.visit, "2026-10-14T07:30:00Z").await;

    let body = told.last().await;
    assert_eq!(body["payload"]["startTime"], "2026-10-14T07:30:00.000Z");
    let by_phone = ["/payload/attendees/0/phoneNumber", "/payload/responses/attendeePhoneNumber"];
    compare(&body, "booking-created.queued", &by_phone);
}

#[tokio::test]
async fn request_confirmation_and_refusal_inline() {
    let told = Told::start(Generation::Inline).await;
    let house = told.requests();
    let first = told.book(house, "2026-10-15T12:00:00Z").await;
    let requested = told.last().await;
    told.stage.calcom.confirm(&first.uid).await.unwrap();
    let confirmed = told.last().await;
    let second = told.book(house, "2026-10-16T12:00:00Z").await;

    told.stage.calcom.reject(&second.uid, Some("No capacity that afternoon")).await.unwrap();

    let rejected = told.last().await;
    let statuses = [&requested, &confirmed, &rejected].map(|body| body["payload"]["status"].clone());
    assert_eq!(statuses, [json!("PENDING"), json!("ACCEPTED"), json!("REJECTED")]);
    compare(&requested, "booking-requested", &["/payload/oneTimePassword"]);
    let phone = ["/payload/attendees/0/phoneNumber"];
    compare(&confirmed, "booking-created.after-confirmation", &phone);
    compare(&rejected, "booking-rejected", &phone);
}

#[tokio::test]
async fn move_inline_and_queued() {
    for (generation, name) in
        [(Generation::Inline, "booking-rescheduled"), (Generation::Queued, "booking-rescheduled.queued")]
    {
        let told = Told::start(generation).await;
        let old = told.book(told.stage.visit, "2026-10-14T07:30:00Z").await;
        told.last().await;

        told.stage.calcom.reschedule_as_attendee(&old.uid, at("2026-10-15T13:00:00Z")).await.unwrap();

        let body = told.last().await;
        assert_eq!(body["payload"]["iCalSequence"], 1);
        let ours = [
            "/payload/responses/rescheduleReason/value",
            "/payload/attendees/0/phoneNumber",
            "/payload/responses/attendeePhoneNumber",
        ];
        compare(&body, name, &ours);
    }
}

#[tokio::test]
async fn move_where_hosts_confirm_queued() {
    for (names_predecessor, name) in
        [(true, "booking-requested.from-reschedule"), (false, "booking-requested.from-reschedule.no-link")]
    {
        let generation = Generation::Queued;
        let settings =
            Settings { generation, requests_name_predecessor: names_predecessor, ..Settings::default() };
        let stage = Stage::with(settings).await;
        let subscriber = Subscriber::start().await;
        stage.subscribe(&subscriber);
        let told = Told { stage, subscriber };
        let first = told.book(told.requests(), "2026-10-15T12:00:00Z").await;
        told.stage.calcom.confirm(&first.uid).await.unwrap();
        told.last().await;

        told.stage.calcom.reschedule_as_attendee(&first.uid, at("2026-10-16T12:00:00Z")).await.unwrap();

        let by_phone = ["/payload/attendees/0/phoneNumber", "/payload/responses/attendeePhoneNumber"];
        compare(&told.last().await, name, &by_phone);
    }
}

#[tokio::test]
async fn cancellation_by_attendee_by_api_and_queued() {
    let phone = ["/payload/attendees/0/phoneNumber"];
    let told = Told::start(Generation::Inline).await;
    let (first, second) = (
        told.book(told.stage.visit, "2026-10-14T07:30:00Z").await,
        told.book(told.stage.visit, "2026-10-14T08:30:00Z").await,
    );
    told.stage.calcom.cancel_as_attendee(&first.uid, Some("Unable to attend")).await.unwrap();
    let by_attendee = told.last().await;
    let path = format!("/v2/bookings/{}/cancel", second.uid);
    told.stage.post(&path, json!({ "cancellationReason": "Cancelled by practice" })).await.data();

    let by_api = told.last().await;

    assert_eq!(by_attendee["payload"]["startTime"], "2026-10-14T07:30:00+00:00");
    assert_eq!(by_api["payload"]["cancelledBy"], Value::Null);
    compare(&by_attendee, "booking-cancelled", &[&phone[..], &["/payload/eventDescription"]].concat());
    compare(&by_api, "booking-cancelled.via-api", &phone);
    let told = Told::start(Generation::Queued).await;
    let uid = told.book(told.stage.visit, "2026-10-14T07:30:00Z").await.uid;
    told.last().await;
    told.stage.calcom.cancel_as_attendee(&uid, Some("Unable to attend")).await.unwrap();
    let by_phone = [&phone[..], &["/payload/responses/attendeePhoneNumber"]].concat();
    compare(&told.last().await, "booking-cancelled.queued", &by_phone);
}

#[tokio::test]
async fn another_time_and_one_seat_less() {
    let told = Told::start(Generation::Inline).await;
    let first = told.book(told.stage.visit, "2026-10-14T07:30:00Z").await;
    told.stage.calcom.request_reschedule(&first.uid, "Device maintenance that day").await.unwrap();
    let another_time = told.last().await;
    let class =
        told.stage.event_type("group-class", 30, EventTypeOptions { seats: Some(8), ..Default::default() });
    told.book(class, "2026-10-15T07:30:00Z").await;
    let mut wish = told.wish(class, "2026-10-15T07:30:00Z");
    wish.email = Some("max@example.org".to_owned());
    let shared = told.stage.calcom.book_as_attendee(wish).await.unwrap();
    let seat = shared.attendees[0].seat.clone().unwrap().uid;

    told.stage.calcom.cancel_seat(&shared.uid, &seat).await.unwrap();

    assert_eq!(another_time["payload"]["requestReschedule"], true);
    compare(&another_time, "booking-cancelled.request-reschedule", &["/payload/attendees/0/phoneNumber"]);
    compare(&told.last().await, "booking-cancelled.one-seat", &[]);
}

#[tokio::test]
async fn payment_absence_meeting_and_test() {
    let told = Told::start(Generation::Inline).await;
    let paid =
        told.stage.event_type("paid", 30, EventTypeOptions { price_cents: 4900, ..Default::default() });
    let uid = told.book(paid, "2026-10-20T08:00:00Z").await.uid;
    let initiated = told.last().await;
    told.stage.calcom.pay(&uid).await.unwrap();
    let bodies = told.subscriber.bodies();
    let visit = told.book(told.stage.visit, "2026-10-14T07:30:00Z").await.uid;
    told.stage.calcom.end_meeting(&visit).await.unwrap();
    let ended = told.last().await;
    told.stage.calcom.clock().advance(TimeDelta::days(30));
    told.stage.calcom.mark_no_show(&visit, "jonas.keller@example.net", true).await.unwrap();
    let absent = told.last().await;

    told.stage.calcom.ping(&told.stage.calcom.webhooks()[0].id).await.unwrap();

    let phone = ["/payload/attendees/0/phoneNumber"];
    compare(&initiated, "booking-payment-initiated", &phone);
    compare(&bodies[bodies.len() - 2], "booking-paid", &phone);
    compare(&ended, "meeting-ended", &["/fromReschedule"]);
    compare(&absent, "booking-no-show-updated", &[]);
    compare(&told.last().await, "ping", &[]);
}
