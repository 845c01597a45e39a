//! Booking, by the API and at the booking page.

use super::*;

#[tokio::test]
async fn a_booking_is_answered_shown_and_kept() {
    let stage = Stage::start().await;

    let made = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;

    let booking = made.data();
    assert_eq!((made.status, &booking["status"]), (201, &json!("accepted")));
    assert_eq!(booking["end"], "2026-10-14T08:00:00.000Z");
    assert_eq!(booking["metadata"], json!({ "write_id": "wr_1" }));
    assert_eq!(booking["icsUid"], json!(format!("{}@Cal.com", made.uid())));
    assert_eq!(booking["attendees"][0]["email"], "erika@example.org");
    assert_eq!(booking["hosts"][0]["email"], "mara.vogt@example.com");
    let shown = stage.get(&format!("/v2/bookings/{}", made.uid())).await;
    assert_eq!(shown.data()["title"], "Visit between Mara Vogt and Erika Muster");
    assert_eq!(stage.calcom.booking(&made.uid()).unwrap().source, Source::ApiV2);
}

#[tokio::test]
async fn a_start_without_an_offset_is_utc() {
    let stage = Stage::start().await;

    let local = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00")).await;
    let ahead = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T12:30:00+02:00")).await;

    assert_eq!(local.data()["start"], "2026-10-14T07:30:00.000Z");
    assert_eq!(ahead.data()["start"], "2026-10-14T10:30:00.000Z");
}

#[tokio::test]
async fn an_event_type_is_also_found_by_its_slug_and_user() {
    let stage = Stage::start().await;
    let by_slug = |slug: &str| {
        let mut body = erika(stage.visit, "2026-10-14T07:30:00Z");
        body["eventTypeId"] = Value::Null;
        body["eventTypeSlug"] = json!(slug);
        body["username"] = json!("mara-vogt");
        body
    };

    let unknown = stage.post("/v2/bookings", by_slug("nothing")).await;
    let made = stage.post("/v2/bookings", by_slug("visit")).await;

    assert_eq!((unknown.refusal().0, unknown.refusal().1), (404, 'A'));
    assert_eq!(made.data()["eventTypeId"], stage.visit);
}

#[tokio::test]
async fn an_unknown_event_type_is_404() {
    let stage = Stage::start().await;

    let made = stage.post("/v2/bookings", erika(1, "2026-10-14T07:30:00Z")).await;

    assert_eq!(made.refusal(), (404, 'A', "Event type with id 1 not found."));
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let stage = Stage::start().await;
    let body = json!({
        "start": "tomorrow", "eventTypeId": stage.visit,
        "attendee": { "timeZone": "Berlin", "phoneNumber": "+49123", "language": "xx" },
        "metadata": { "k": "v".repeat(501) },
    });

    let made = stage.post("/v2/bookings", body).await;

    let errors = made.body["error"]["details"]["errors"].as_array().unwrap();
    let name = |error: &Value| error["property"].as_str().unwrap().to_owned();
    let below = |error: &Value| error["children"].as_array().map(|children| name(&children[0]));
    let mut named: Vec<String> =
        errors.iter().map(|error| below(error).unwrap_or_else(|| name(error))).collect();
    named.sort_unstable();
    assert_eq!((made.status, &made.body["error"]["code"]), (400, &json!("BadRequestException")));
    assert_eq!(named, ["language", "metadata", "name", "phoneNumber", "start", "timeZone"]);
    assert!(stage.calcom.bookings().is_empty());
}

#[tokio::test]
async fn an_attendee_needs_an_address_or_a_number() {
    let stage = Stage::start().await;
    let mut body = erika(stage.visit, "2026-10-14T07:30:00Z");
    body["attendee"]["email"] = Value::Null;

    assert_eq!(stage.post("/v2/bookings", body).await.status, 400);
}

#[tokio::test]
async fn an_attendee_without_an_address_gets_one_made_of_the_number() {
    let stage = Stage::start().await;
    let mut body = erika(stage.visit, "2026-10-14T07:30:00Z");
    body["attendee"] =
        json!({ "name": "Erika Muster", "timeZone": "Europe/Berlin", "phoneNumber": "+493023125123" });

    let made = stage.post("/v2/bookings", body).await;

    let attendee = &made.data()["attendees"][0];
    assert_eq!(attendee["email"], "493023125123@sms.cal.com");
    assert_eq!(attendee["phoneNumber"], "+493023125123");
}

#[tokio::test]
async fn the_length_can_be_chosen_only_where_there_is_a_choice() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { length_options_minutes: vec![30, 60], ..EventTypeOptions::default() };
    let choice = stage.event_type("choice", 30, options);
    let of = |id: i64, length: u32| {
        let mut body = erika(id, "2026-10-14T07:30:00Z");
        body["lengthInMinutes"] = json!(length);
        body
    };

    let none = stage.post("/v2/bookings", of(stage.visit, 30)).await;
    let other = stage.post("/v2/bookings", of(choice, 45)).await;
    let hour = stage.post("/v2/bookings", of(choice, 60)).await;

    assert_eq!((none.refusal().0, other.refusal().0), (400, 400));
    assert_eq!(hour.data()["duration"], 60);
}

#[tokio::test]
async fn a_slot_that_is_taken_is_400_in_envelope_a() {
    let stage = Stage::start().await;
    let other = stage.event_type("other", 60, EventTypeOptions::default());
    stage.book("2026-10-14T07:30:00Z").await;

    let same = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;
    let overlapping = stage.post("/v2/bookings", erika(other, "2026-10-14T07:00:00Z")).await;
    let beside = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T08:00:00Z")).await;

    let taken = (400, 'A', "User either already has booking at this time or is not available");
    assert_eq!((same.refusal(), overlapping.refusal()), (taken, taken));
    assert_eq!(same.body["error"]["details"]["statusCode"], 400);
    assert_eq!(beside.status, 201);
}

#[tokio::test]
async fn buffers_keep_their_distance_on_both_sides() {
    let stage = Stage::start().await;
    let options = EventTypeOptions {
        buffer_before_minutes: 10,
        buffer_after_minutes: 20,
        ..EventTypeOptions::default()
    };
    let buffered = stage.event_type("buffered", 30, options);
    stage.post("/v2/bookings", erika(buffered, "2026-10-14T10:00:00Z")).await.data();
    let status = async |start: &str| stage.post("/v2/bookings", erika(stage.visit, start)).await.status;

    assert_eq!(status("2026-10-14T10:49:00Z").await, 400);
    assert_eq!(status("2026-10-14T09:21:00Z").await, 400);
    assert_eq!(status("2026-10-14T10:50:00Z").await, 201);
    assert_eq!(status("2026-10-14T09:20:00Z").await, 201);
}

#[tokio::test]
async fn pending_bookings_hold_nothing() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let request = stage.event_type("request", 30, options);
    let mut other = erika(request, "2026-10-14T07:30:00Z");
    other["attendee"]["email"] = json!("max@example.org");

    let first = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await;
    let second = stage.post("/v2/bookings", other).await;
    let accepted = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;

    assert_eq!((&first.data()["status"], &second.data()["status"]), (&json!("pending"), &json!("pending")));
    assert_eq!(accepted.data()["status"], "accepted");
}

#[tokio::test]
async fn the_same_request_twice_is_one_booking_where_hosts_confirm() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let request = stage.event_type("request", 30, options);

    let first = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await;
    let second = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await;

    assert_eq!((second.status, second.uid()), (201, first.uid()));
    assert_eq!(stage.calcom.bookings().len(), 1);
}

#[tokio::test]
async fn outside_notice_window_and_present_is_400() {
    let stage = Stage::start().await;
    let options =
        EventTypeOptions { notice_minutes: 60, window_days: Some(7), ..EventTypeOptions::default() };
    let near = stage.event_type("near", 30, options);
    let refused = async |start: &str| {
        let reply = stage.post("/v2/bookings", erika(near, start)).await;
        let (status, envelope, message) = reply.refusal();
        (status, envelope, message.contains("minimum booking notice"))
    };

    assert_eq!(refused("2026-10-01T08:59:00Z").await, (400, 'A', true));
    assert_eq!(refused("2026-10-08T08:01:00Z").await, (400, 'A', true));
    assert_eq!(refused("2026-10-01T07:59:00Z").await, (400, 'A', false));
    assert_eq!(stage.post("/v2/bookings", erika(near, "2026-10-01T09:00:00Z")).await.status, 201);
}

#[tokio::test]
async fn hosts_are_booked_in_their_own_hours_only() {
    let stage = Stage::start().await;
    stage.calcom.set_hours(stage.host.id, Hours::weekdays(8, 18)).unwrap();
    stage.calcom.block(stage.host.id, at("2026-10-14T09:00:00Z"), at("2026-10-14T10:00:00Z"));
    let status = async |start: &str| stage.post("/v2/bookings", erika(stage.visit, start)).await.status;

    assert_eq!(status("2026-10-14T05:30:00Z").await, 400, "half past seven in Berlin");
    assert_eq!(status("2026-10-14T15:45:00Z").await, 400, "until a quarter past six");
    assert_eq!(status("2026-10-17T08:00:00Z").await, 400, "a Saturday");
    assert_eq!(status("2026-10-14T09:30:00Z").await, 400, "busy elsewhere");
    assert_eq!(status("2026-10-14T06:00:00Z").await, 201);
    assert_eq!(status("2026-10-14T15:30:00Z").await, 201);
}

#[tokio::test]
async fn whoever_inserts_the_same_time_second_gets_409_in_envelope_b() {
    let stage = Stage::start().await;
    let mut gate = stage.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);

    let slow = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z"));
    let (slow, _) = tokio::join!(slow, async {
        gate.reached().await.unwrap();
        stage.book("2026-10-14T07:30:00Z").await;
        gate.open();
    });

    assert_eq!(slow.refusal(), (409, 'B', "booking_conflict_error"));
    assert_eq!(stage.calcom.bookings().len(), 1);
}

#[tokio::test]
async fn the_guard_does_not_see_times_that_merely_overlap() {
    let stage = Stage::start().await;
    let mut gate = stage.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);

    let slow = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z"));
    let (slow, _) = tokio::join!(slow, async {
        gate.reached().await.unwrap();
        stage.book("2026-10-14T07:45:00Z").await;
        gate.open();
    });

    assert_eq!(slow.status, 201);
    assert_eq!(stage.calcom.bookings().iter().filter(|one| one.status == Status::Accepted).count(), 2);
}

#[tokio::test]
async fn required_fields_must_be_filled_in() {
    let stage = Stage::start().await;
    let options =
        EventTypeOptions { required_fields: vec!["insurance".to_owned()], ..EventTypeOptions::default() };
    let visit = stage.event_type("insured", 30, options);
    let mut body = erika(visit, "2026-10-14T07:30:00Z");

    let missing = stage.post("/v2/bookings", body.clone()).await;
    body["bookingFieldsResponses"] = json!({ "insurance": 7 });
    let mistyped = stage.post("/v2/bookings", body.clone()).await;
    body["bookingFieldsResponses"] = json!({ "insurance": "none" });
    let made = stage.post("/v2/bookings", body).await;

    assert_eq!((missing.refusal().0, missing.refusal().1), (400, 'A'));
    assert_eq!(mistyped.status, 400);
    assert_eq!(made.data()["bookingFieldsResponses"]["insurance"], "none");
}

#[tokio::test]
async fn a_location_must_be_one_the_event_type_has() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { locations: vec!["phone".to_owned()], ..EventTypeOptions::default() };
    let by_phone = stage.event_type("call", 30, options);
    let mut body = erika(by_phone, "2026-10-14T07:30:00Z");

    body["location"] = json!({ "type": "integration", "integration": "cal-video" });
    let unfit = stage.post("/v2/bookings", body.clone()).await;
    body["location"] = json!({ "type": "phone", "phone": "+493023125000" });
    let fit = stage.post("/v2/bookings", body).await;

    assert_eq!(unfit.refusal().0, 400);
    assert_eq!(fit.data()["location"], "+493023125000");
}

#[tokio::test]
async fn attendees_can_be_refused_for_who_they_are() {
    let stage = Stage::start().await;
    stage.calcom.block_attendee("erika@example.org");
    let blocked = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;
    let mut watched = erika(stage.visit, "2026-10-14T07:30:00Z");
    watched["attendee"]["email"] = json!("max@example.org");
    stage.calcom.watch_attendee("max@example.org");

    let watched = stage.post("/v2/bookings", watched).await;

    assert_eq!((blocked.refusal().0, blocked.refusal().1), (403, 'B'));
    assert_eq!(watched.refusal(), (500, 'B', "Internal server error"));
    assert!(stage.calcom.bookings().is_empty());
}

#[tokio::test]
async fn attendees_can_be_limited_and_asked_for_a_code() {
    let stage = Stage::start().await;
    let limited = EventTypeOptions { attendee_booking_limit: Some(1), ..EventTypeOptions::default() };
    let limited = stage.event_type("limited", 30, limited);
    let verified = EventTypeOptions { verifies_email: true, ..EventTypeOptions::default() };
    let verified = stage.event_type("verified", 30, verified);
    let coded = |code: &str| {
        let mut body = erika(verified, "2026-10-15T07:30:00Z");
        body["emailVerificationCode"] = json!(code);
        body
    };

    let first = stage.post("/v2/bookings", erika(limited, "2026-10-14T07:30:00Z")).await.uid();
    let second = stage.post("/v2/bookings", erika(limited, "2026-10-14T09:30:00Z")).await;
    let bare = stage.post("/v2/bookings", erika(verified, "2026-10-15T07:30:00Z")).await;

    assert!(second.refusal().2.contains(&first), "{:?}", second.refusal());
    assert_eq!((bare.refusal().0, bare.refusal().1), (400, 'B'));
    assert_eq!(stage.post("/v2/bookings", coded("000000")).await.refusal().0, 400);
    assert_eq!(stage.post("/v2/bookings", coded("123456")).await.status, 201);
}

#[tokio::test]
async fn anybody_may_book_look_move_and_cancel() {
    let stage = Stage::start().await;
    let body = erika(stage.visit, "2026-10-14T07:30:00Z");

    let made = stage.anonymous(Method::POST, "/v2/bookings", Some(body)).await.uid();
    let path = format!("/v2/bookings/{made}");
    let shown = stage.anonymous(Method::GET, &path, None).await;
    let start = Some(json!({ "start": "2026-10-15T07:30:00Z" }));
    let moved = stage.anonymous(Method::POST, &format!("{path}/reschedule"), start).await.uid();
    let ended = stage.anonymous(Method::POST, &format!("/v2/bookings/{moved}/cancel"), Some(json!({}))).await;

    assert_eq!((shown.status, ended.status), (200, 200));
    assert_eq!(stage.anonymous(Method::GET, "/v2/bookings", None).await.refusal().0, 401);
}
