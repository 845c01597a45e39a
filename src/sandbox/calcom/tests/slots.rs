//! Free times and reservations.

use super::*;

async fn starts(stage: &Stage, query: &str) -> Vec<String> {
    let path = format!("/v2/slots?eventTypeId={}&{query}", stage.visit);
    let listed = stage.anonymous(Method::GET, &path, None).await;
    let days = listed.data().as_object().unwrap();
    let all = days.values().flat_map(|slots| slots.as_array().unwrap());
    all.map(|slot| slot["start"].as_str().unwrap().to_owned()).collect()
}

async fn reserve(stage: &Stage, start: &str) -> Reply {
    let body = json!({ "eventTypeId": stage.visit, "slotStart": start });
    stage.post("/v2/slots/reservations", body).await
}

const MORNING: &str = "start=2026-10-14T07:00:00Z&end=2026-10-14T09:00:00Z";

#[tokio::test]
async fn slots_are_what_is_left_of_working_hours() {
    let stage = Stage::start().await;
    stage.calcom.set_hours(stage.host.id, Hours::weekdays(8, 18)).unwrap();
    stage.book("2026-10-14T06:30:00Z").await;

    let listed =
        stage.get(&format!("/v2/slots?eventTypeId={}&start=2026-10-14&end=2026-10-18", stage.visit)).await;

    let days = listed.data().as_object().unwrap();
    assert_eq!(days.keys().collect::<Vec<_>>(), ["2026-10-14", "2026-10-15", "2026-10-16"], "no weekend");
    assert_eq!(days["2026-10-14"][0], json!({ "start": "2026-10-14T06:00:00.000Z" }));
    assert_eq!(days["2026-10-14"][1], json!({ "start": "2026-10-14T07:00:00.000Z" }));
    assert_eq!(
        (days["2026-10-14"].as_array().unwrap().len(), days["2026-10-15"].as_array().unwrap().len()),
        (19, 20)
    );
}

#[tokio::test]
async fn slots_come_in_a_zone_and_as_ranges_when_asked() {
    let stage = Stage::start().await;
    let late = "start=2026-10-14T21:30:00Z&end=2026-10-14T22:30:00Z";
    let path = format!("/v2/slots?eventTypeId={}&{late}&timeZone=Europe/Berlin&format=range", stage.visit);

    let listed = stage.get(&path).await;

    let expected = json!({
        "2026-10-14": [{ "start": "2026-10-14T23:30:00.000+02:00", "end": "2026-10-15T00:00:00.000+02:00" }],
        "2026-10-15": [{ "start": "2026-10-15T00:00:00.000+02:00", "end": "2026-10-15T00:30:00.000+02:00" }],
    });
    assert_eq!(listed.data(), &expected);
}

#[tokio::test]
async fn slots_keep_notice_window_length_and_present() {
    let stage = Stage::start().await;
    let options = EventTypeOptions {
        notice_minutes: 60,
        window_days: Some(1),
        length_options_minutes: vec![30, 60],
        ..EventTypeOptions::default()
    };
    let near = stage.event_type("near", 30, options);
    let path = |more: &str| format!("/v2/slots?eventTypeId={near}&start=2026-10-01&end=2026-10-05{more}");

    let listed = stage.get(&path("")).await;
    let hours = stage.get(&path("&duration=60")).await;

    assert_eq!(listed.data()["2026-10-01"][0]["start"], "2026-10-01T09:00:00.000Z");
    assert_eq!(listed.data().as_object().unwrap().len(), 2);
    assert_eq!(hours.data()["2026-10-01"][1]["start"], "2026-10-01T10:00:00.000Z");
    assert_eq!(stage.get(&path("&duration=45")).await.refusal().0, 400);
}

#[tokio::test]
async fn a_booking_that_is_to_be_moved_frees_its_own_slot() {
    let stage = Stage::start().await;
    let uid = stage.book("2026-10-14T07:30:00Z").await.uid;

    let before = starts(&stage, MORNING).await;
    let moving = starts(&stage, &format!("{MORNING}&bookingUidToReschedule={uid}")).await;

    assert_eq!((before.len(), moving.len()), (3, 4));
}

#[tokio::test]
async fn seats_show_how_many_are_left() {
    let stage = Stage::start().await;
    let class = stage.event_type("class", 30, EventTypeOptions { seats: Some(2), ..Default::default() });
    let made = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await.uid();
    let path = format!("/v2/slots?eventTypeId={class}&{MORNING}");

    let listed = stage.get(&path).await;

    let slots = listed.data()["2026-10-14"].as_array().unwrap();
    assert_eq!(slots.len(), 4);
    assert_eq!((&slots[1]["seatsRemaining"], &slots[1]["bookingUid"]), (&json!(1), &json!(made)));
    assert_eq!((&slots[0]["seatsRemaining"], &slots[0]["bookingUid"]), (&json!(2), &Value::Null));
}

#[tokio::test]
async fn a_reservation_hides_a_slot_for_five_minutes_and_locks_nothing() {
    let stage = Stage::start().await;

    let reserved = reserve(&stage, "2026-10-14T07:30:00Z").await;
    let hidden = starts(&stage, MORNING).await;
    let booked = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await;
    stage.calcom.cancel_as_host(&booked.uid(), None).await.unwrap();
    stage.calcom.clock().advance(TimeDelta::minutes(5));
    let shown_again = starts(&stage, MORNING).await;

    assert_eq!((reserved.status, &reserved.data()["reservationDuration"]), (201, &json!(5)));
    assert_eq!(reserved.data()["slotEnd"], "2026-10-14T08:00:00.000Z");
    assert_eq!(reserved.data()["reservationUntil"], "2026-10-01T08:05:00.000Z");
    assert_eq!((hidden.len(), booked.status, shown_again.len()), (3, 201, 4));
}

#[tokio::test]
async fn a_slot_reserved_or_booked_cannot_be_reserved() {
    let stage = Stage::start().await;
    stage.book("2026-10-14T09:00:00Z").await;
    reserve(&stage, "2026-10-14T07:30:00Z").await.data();

    let overlapping = reserve(&stage, "2026-10-14T07:45:00Z").await;
    let booked = reserve(&stage, "2026-10-14T09:00:00Z").await;

    let message = "This time slot is already reserved by another user. Please choose a different time.";
    assert_eq!(overlapping.refusal(), (422, 'A', message));
    assert_eq!(overlapping.body["error"]["code"], "UnprocessableEntityException");
    assert_eq!((booked.refusal().0, booked.refusal().1), (422, 'A'));
    assert_eq!(stage.calcom.reservations().len(), 1);
}

#[tokio::test]
async fn only_the_owner_says_for_how_long() {
    let stage = Stage::start().await;
    let stranger = stage.calcom.add_user("Max Beispiel", "max@example.org", Berlin);
    let body =
        json!({ "eventTypeId": stage.visit, "slotStart": "2026-10-14T07:30:00Z", "reservationDuration": 15 });
    let path = "/v2/slots/reservations";
    let asked = async |key: Option<&str>| {
        stage.call_as(key, Some("2024-09-04"), Method::POST, path, Some(body.clone())).await
    };

    assert_eq!(asked(None).await.refusal().0, 401);
    assert_eq!(asked(Some(&stranger.api_key)).await.refusal().0, 403);
    let reserved = asked(Some(&stage.host.api_key)).await;
    assert_eq!(reserved.data()["reservationUntil"], "2026-10-01T08:15:00.000Z");
}

#[tokio::test]
async fn reservations_are_looked_at_moved_and_given_back() {
    let stage = Stage::start().await;
    let uid = reserve(&stage, "2026-10-14T07:30:00Z").await.data()["reservationUid"].clone();
    let path = format!("/v2/slots/reservations/{}", uid.as_str().unwrap());

    let shown = stage.get(&path).await;
    let body = json!({ "eventTypeId": stage.visit, "slotStart": "2026-10-14T08:00:00Z" });
    let moved = stage.call(Method::PATCH, &path, Some(body)).await;
    let gone = stage.call(Method::DELETE, &path, None).await;
    let after = stage.get(&path).await;

    assert_eq!(shown.data()["slotStart"], "2026-10-14T07:30:00.000Z");
    assert_eq!(moved.data()["slotStart"], "2026-10-14T08:00:00.000Z");
    assert_eq!((gone.status, after.data()), (200, &Value::Null));
    assert_eq!(stage.call(Method::DELETE, &path, None).await.refusal().0, 404);
    assert_eq!(reserve(&stage, "2026-10-14T07:30:00Z").await.status, 201);
}
