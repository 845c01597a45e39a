//! The list of bookings.

use super::*;

async fn uids(stage: &Stage, query: &str) -> Vec<String> {
    let listed = stage.get(&format!("/v2/bookings?{query}")).await;
    let items = listed.data().as_array().unwrap();
    items.iter().map(|one| one["uid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_list_is_page_zero() {
    let stage = Stage::start().await;

    let listed = stage.get("/v2/bookings").await;

    assert_eq!(listed.data(), &json!([]));
    let expected = json!({ "returnedItems": 0, "totalItems": 0, "itemsPerPage": 100, "remainingItems": 0,
                           "currentPage": 0, "totalPages": 0, "hasNextPage": false,
                           "hasPreviousPage": false });
    assert_eq!(listed.body["pagination"], expected);
}

#[tokio::test]
async fn pages_are_cut_by_offset() {
    let stage = Stage::start().await;
    let mut made = Vec::new();
    for hour in 8..13 {
        made.push(stage.book(&format!("2026-10-14T{hour:02}:00:00Z")).await.uid);
    }

    let second = stage.get("/v2/bookings?take=2&skip=2&sortStart=asc").await;

    assert_eq!(second.data()[0]["uid"], made[2]);
    let expected = json!({ "returnedItems": 2, "totalItems": 5, "itemsPerPage": 2, "remainingItems": 1,
                           "currentPage": 2, "totalPages": 3, "hasNextPage": true, "hasPreviousPage": true });
    assert_eq!(second.body["pagination"], expected);
    assert_eq!(stage.get("/v2/bookings?take=251").await.refusal().0, 400);
    assert_eq!(stage.get("/v2/bookings?take=0").await.refusal().0, 400);
}

#[tokio::test]
async fn every_change_moves_a_booking_to_the_end_of_the_list_by_update() {
    let stage = Stage::start().await;
    let clock = stage.calcom.clock();
    let first = stage.book("2026-10-14T08:00:00Z").await.uid;
    clock.advance(TimeDelta::seconds(10));
    let second = stage.book("2026-10-14T09:00:00Z").await.uid;
    clock.advance(TimeDelta::seconds(10));
    let mark = clock.now().to_rfc3339().replace('+', "%2B");

    stage.calcom.cancel_as_host(&first, Some("ill")).await.unwrap();

    assert_eq!(uids(&stage, "sortUpdatedAt=asc").await, [second.as_str(), first.as_str()]);
    assert_eq!(uids(&stage, "sortUpdatedAt=desc").await, [first.as_str(), second.as_str()]);
    assert_eq!(uids(&stage, &format!("afterUpdatedAt={mark}")).await, [first.as_str()]);
    assert_eq!(uids(&stage, "beforeUpdatedAt=2026-10-01T08:00:15Z").await, [second.as_str()]);
    assert_eq!(uids(&stage, "afterCreatedAt=2026-10-01T08:00:05Z").await, [second]);
    clock.advance(TimeDelta::seconds(10));
    let moved = stage.book("2026-10-15T08:00:00Z").await.uid;
    clock.advance(TimeDelta::seconds(10));
    let new = stage.calcom.reschedule_as_attendee(&moved, at("2026-10-16T08:00:00Z")).await.unwrap().uid;
    assert_eq!(uids(&stage, "afterUpdatedAt=2026-10-01T08:00:40Z&sortUpdatedAt=asc").await, [moved, new]);
}

#[tokio::test]
async fn bookings_are_found_by_time_event_type_attendee_and_uid() {
    let stage = Stage::start().await;
    let other = stage.event_type("other", 60, EventTypeOptions::default());
    let early = stage.book("2026-10-14T08:00:00Z").await.uid;
    let mut wish = NewBooking::new(other, at("2026-10-15T08:00:00Z"), "Max Beispiel", "Max@example.org");
    wish.metadata = json!({ "write_id": "wr_2" }).as_object().unwrap().clone();
    let late = stage.calcom.book_as_attendee(wish).await.unwrap().uid;

    assert_eq!(uids(&stage, "afterStart=2026-10-15T00:00:00Z").await, [late.as_str()]);
    assert_eq!(uids(&stage, "beforeEnd=2026-10-14T08:30:00Z").await, [early.as_str()]);
    assert_eq!(uids(&stage, &format!("eventTypeId={other}")).await, [late.as_str()]);
    let both = format!("eventTypeIds={other},{}", stage.visit);
    assert_eq!(uids(&stage, &both).await, [early.as_str(), late.as_str()]);
    assert_eq!(uids(&stage, "attendeeEmail=max@example.org").await, [late.as_str()]);
    assert_eq!(uids(&stage, "attendeeName=Erika%20Muster").await, [early.as_str()]);
    assert_eq!(uids(&stage, &format!("bookingUid={early}")).await, [early]);
    assert_eq!(stage.get("/v2/bookings?afterStart=tomorrow").await.refusal().0, 400);
}

#[tokio::test]
async fn bookings_are_found_by_state_and_cancelled_includes_declined() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let request = stage.event_type("request", 30, options);
    let past = stage.book("2026-10-02T08:00:00Z").await.uid;
    let upcoming = stage.book("2026-10-14T08:00:00Z").await.uid;
    let cancelled = stage.book("2026-10-14T09:00:00Z").await.uid;
    stage.calcom.cancel_as_host(&cancelled, None).await.unwrap();
    let pending = stage.post("/v2/bookings", erika(request, "2026-10-15T08:00:00Z")).await.uid();
    let declined = stage.post("/v2/bookings", erika(request, "2026-10-15T09:00:00Z")).await.uid();
    stage.calcom.reject(&declined, None).await.unwrap();
    stage.calcom.clock().advance(TimeDelta::days(3));

    assert_eq!(uids(&stage, "status=upcoming").await, [upcoming.as_str()]);
    assert_eq!(uids(&stage, "status=past").await, [past.as_str()]);
    assert_eq!(uids(&stage, "status=cancelled").await, [cancelled, declined]);
    assert_eq!(uids(&stage, "status=unconfirmed").await, [pending]);
    assert_eq!(uids(&stage, "status=upcoming,past").await, [past, upcoming]);
    assert_eq!(stage.get("/v2/bookings?status=lost").await.refusal().0, 400);
}

#[tokio::test]
async fn a_key_sees_its_users_own_bookings_and_those_they_attend() {
    let stage = Stage::start().await;
    let guest = stage.calcom.add_user("Erika Muster", "erika@example.org", Berlin);
    let stranger = stage.calcom.add_user("Max Beispiel", "max@example.org", Berlin);
    stage.book("2026-10-14T08:00:00Z").await;
    let count = async |key: &str| {
        let version = Some("2024-08-13");
        let listed = stage.call_as(Some(key), version, Method::GET, "/v2/bookings", None).await;
        listed.data().as_array().unwrap().len()
    };

    assert_eq!(count(&guest.api_key).await, 1);
    assert_eq!(count(&stranger.api_key).await, 0);
}
