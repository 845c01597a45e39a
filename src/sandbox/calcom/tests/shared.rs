//! Seats and series: several people in one booking, several bookings for one person.

use super::*;

fn seats(seats: u32) -> EventTypeOptions {
    EventTypeOptions { seats: Some(seats), ..EventTypeOptions::default() }
}

fn weekly(occurrences: u32) -> EventTypeOptions {
    let recurrence = Some(Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences });
    EventTypeOptions { recurrence, ..EventTypeOptions::default() }
}

fn max(event_type_id: i64, start: &str) -> Value {
    let mut body = erika(event_type_id, start);
    body["attendee"]["name"] = json!("Max Beispiel");
    body["attendee"]["email"] = json!("max@example.org");
    body
}

#[tokio::test]
async fn attendees_share_a_booking_until_its_seats_are_taken() {
    let stage = Stage::start().await;
    let class = stage.event_type("class", 30, seats(2));

    let first = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await;
    let second = stage.post("/v2/bookings", max(class, "2026-10-14T07:30:00Z")).await;
    let third = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await;

    assert_eq!(first.uid(), second.uid());
    assert_ne!(first.data()["seatUid"], second.data()["seatUid"]);
    assert_eq!(second.data()["attendees"].as_array().unwrap().len(), 2);
    assert_eq!(second.data()["attendees"][1]["seatUid"], second.data()["seatUid"]);
    assert_eq!((third.refusal().0, third.refusal().1), (409, 'A'));
    let by_seat = format!("/v2/bookings/by-seat/{}", second.data()["seatUid"].as_str().unwrap());
    assert_eq!(stage.get(&by_seat).await.uid(), first.uid());
}

#[tokio::test]
async fn one_seat_given_back_leaves_the_booking_standing() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let class = stage.event_type("class", 30, seats(2));
    let first = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await;
    stage.post("/v2/bookings", max(class, "2026-10-14T07:30:00Z")).await;
    stage.subscribe(&subscriber);
    let path = format!("/v2/bookings/{}/cancel", first.uid());
    let seat = first.data()["seatUid"].clone();

    let nobody = stage.anonymous(Method::POST, &path, Some(json!({}))).await;
    let left = stage.post(&path, json!({ "seatUid": seat })).await;
    let again = stage.post(&path, json!({ "seatUid": seat })).await;

    assert_eq!((nobody.refusal().0, nobody.refusal().1), (401, 'B'));
    assert_eq!(left.data()["status"], "accepted");
    assert_eq!(left.data()["attendees"].as_array().unwrap().len(), 1);
    assert_eq!(again.refusal().0, 400);
    let told = &subscriber.bodies()[0]["payload"];
    assert_eq!((&told["status"], &told["seatsPerTimeSlot"]), (&json!("CANCELLED"), &json!(2)));
    assert_eq!(told["attendees"].as_array().unwrap().len(), 1);
    assert_eq!(told["attendees"][0]["email"], "erika@example.org");
}

#[tokio::test]
async fn with_the_last_seat_the_booking_ends() {
    let stage = Stage::start().await;
    let class = stage.event_type("class", 30, seats(2));
    let only = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await;

    let seat = only.data()["seatUid"].as_str().unwrap();
    let ended = stage.calcom.cancel_seat(&only.uid(), seat).await.unwrap();

    assert_eq!(ended.status, Status::Cancelled);
}

#[tokio::test]
async fn a_seat_is_moved_alone() {
    let stage = Stage::start().await;
    let class = stage.event_type("class", 30, seats(2));
    let first = stage.post("/v2/bookings", erika(class, "2026-10-14T07:30:00Z")).await;
    stage.post("/v2/bookings", max(class, "2026-10-14T07:30:00Z")).await;
    let path = format!("/v2/bookings/{}/reschedule", first.uid());

    let whole = stage.post(&path, json!({ "start": "2026-10-15T07:30:00Z" })).await;
    let body = json!({ "start": "2026-10-15T07:30:00Z", "seatUid": first.data()["seatUid"] });
    let moved = stage.post(&path, body).await;

    assert_eq!(whole.refusal().0, 400);
    assert_eq!(moved.data()["attendees"][0]["email"], "erika@example.org");
    let stayed = stage.calcom.booking(&first.uid()).unwrap();
    assert_eq!((stayed.status, stayed.attendees.len()), (Status::Accepted, 1));
    assert_ne!(moved.uid(), first.uid());
}

#[tokio::test]
async fn a_recurring_event_type_answers_with_all_its_bookings() {
    let stage = Stage::start().await;
    let weekly = stage.event_type("weekly", 30, weekly(3));

    let made = stage.post("/v2/bookings", erika(weekly, "2026-10-14T07:30:00Z")).await;

    let series = made.data().as_array().unwrap();
    let starts: Vec<&str> = series.iter().map(|one| one["start"].as_str().unwrap()).collect();
    let expected = ["2026-10-14T07:30:00.000Z", "2026-10-21T07:30:00.000Z", "2026-10-28T07:30:00.000Z"];
    assert_eq!(starts, expected);
    let uid = series[0]["recurringBookingUid"].as_str().unwrap();
    let shown = stage.get(&format!("/v2/bookings/{uid}")).await;
    assert_eq!(shown.data().as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_series_that_fails_midway_leaves_the_earlier_ones() {
    let stage = Stage::start().await;
    let weekly = stage.event_type("weekly", 30, weekly(3));
    stage.book("2026-10-28T07:30:00Z").await;

    let made = stage.post("/v2/bookings", erika(weekly, "2026-10-14T07:30:00Z")).await;

    assert_eq!(made.refusal().0, 400);
    assert_eq!(stage.calcom.bookings().len(), 3);
}

#[tokio::test]
async fn a_series_is_cancelled_at_once_and_told_once() {
    let stage = Stage::start().await;
    let subscriber = Subscriber::start().await;
    let weekly = stage.event_type("weekly", 30, weekly(3));
    let made = stage.post("/v2/bookings", erika(weekly, "2026-10-14T07:30:00Z")).await;
    let uid = made.data()[0]["recurringBookingUid"].as_str().unwrap().to_owned();
    stage.calcom.clock().advance(at("2026-10-15T00:00:00Z") - stage.calcom.clock().now());
    stage.subscribe(&subscriber);

    let ended = stage.post(&format!("/v2/bookings/{uid}/cancel"), json!({})).await;

    assert_eq!(ended.data().as_array().unwrap().len(), 2, "the first one is over");
    assert_eq!(subscriber.triggers(), ["BOOKING_CANCELLED"]);
    assert_eq!(subscriber.bodies()[0]["payload"]["recurringEvent"]["count"], 3);
    let standing = stage.calcom.bookings().iter().filter(|one| one.is_active()).count();
    assert_eq!(standing, 1);
}

#[tokio::test]
async fn one_of_a_series_is_cancelled_alone_or_with_those_after_it() {
    let stage = Stage::start().await;
    let weekly = stage.event_type("weekly", 30, weekly(4));
    let made = stage.post("/v2/bookings", erika(weekly, "2026-10-14T07:30:00Z")).await;
    let path = |nth: usize| format!("/v2/bookings/{}/cancel", made.data()[nth]["uid"].as_str().unwrap());

    stage.post(&path(0), json!({})).await.data();
    let active = || stage.calcom.bookings().iter().filter(|one| one.is_active()).count();
    let after_one = active();
    stage.post(&path(2), json!({ "cancelSubsequentBookings": true })).await.data();

    assert_eq!((after_one, active()), (3, 1));
}
