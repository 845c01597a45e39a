//! Rescheduling.

use super::*;

async fn reschedule(stage: &Stage, uid: &str, body: Value) -> Reply {
    stage.post(&format!("/v2/bookings/{uid}/reschedule"), body).await
}

#[tokio::test]
async fn moving_makes_a_new_booking_and_retires_the_old_one() {
    let stage = Stage::start().await;
    let old = stage.post("/v2/bookings", erika(stage.visit, "2026-10-14T07:30:00Z")).await.uid();
    let body = json!({ "start": "2026-10-15T13:00:00Z", "reschedulingReason": "ill",
                       "rescheduledBy": "erika@example.org" });

    let moved = reschedule(&stage, &old, body).await;

    let new = moved.data();
    assert_eq!((moved.status, &new["status"]), (201, &json!("accepted")));
    assert_ne!(new["uid"], old);
    assert_eq!((&new["rescheduledFromUid"], &new["end"]), (&json!(old), &json!("2026-10-15T13:30:00.000Z")));
    assert_eq!(new["metadata"], json!({ "write_id": "wr_1" }));
    assert_eq!(new["icsUid"], json!(format!("{old}@Cal.com")));
    assert_eq!(new["reschedulingReason"], "ill");
    let retired = stage.get(&format!("/v2/bookings/{old}")).await;
    assert_eq!(retired.data()["status"], "cancelled");
    assert_eq!(retired.data()["rescheduledToUid"], new["uid"]);
    assert_eq!(retired.data()["start"], "2026-10-14T07:30:00.000Z");
    let (first, second) = (stage.calcom.booking(&old).unwrap(), stage.calcom.booking(&moved.uid()).unwrap());
    assert_eq!((first.ical_sequence, second.ical_sequence), (0, 1));
    assert_ne!(first.id, second.id);
}

#[tokio::test]
async fn moving_again_by_the_old_uid_names_the_successor() {
    let stage = Stage::start().await;
    let old = stage.book("2026-10-14T07:30:00Z").await.uid;
    let new = reschedule(&stage, &old, json!({ "start": "2026-10-15T13:00:00Z" })).await.uid();

    let again = reschedule(&stage, &old, json!({ "start": "2026-10-15T15:00:00Z" })).await;

    let (status, envelope, message) = again.refusal();
    assert_eq!((status, envelope), (400, 'A'));
    assert!(message.contains(&format!("rescheduled already to booking with uid={new}.")), "{message}");
}

#[tokio::test]
async fn what_was_cancelled_or_put_off_by_the_host_cannot_be_moved() {
    let stage = Stage::start().await;
    let cancelled = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.calcom.cancel_as_attendee(&cancelled, None).await.unwrap();
    let put_off = stage.book("2026-10-14T09:30:00Z").await.uid;
    stage.calcom.request_reschedule(&put_off, "maintenance").await.unwrap();
    let body = || json!({ "start": "2026-10-15T13:00:00Z" });

    let first = reschedule(&stage, &cancelled, body()).await;
    let second = reschedule(&stage, &put_off, body()).await;
    let unknown = reschedule(&stage, "nothing", body()).await;

    assert_eq!((first.refusal().0, second.refusal().0), (400, 400));
    assert_eq!((unknown.refusal().0, unknown.refusal().1), (404, 'A'));
}

#[tokio::test]
async fn a_request_for_another_time_is_answered_by_a_successor() {
    let stage = Stage::start().await;
    let put_off = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.calcom.request_reschedule(&put_off, "maintenance").await.unwrap();

    let new = stage.calcom.answer_reschedule_request(&put_off, at("2026-10-15T07:30:00Z")).await.unwrap();

    assert_eq!(new.rescheduled_from.as_deref(), Some(put_off.as_str()));
    assert_eq!(stage.calcom.booking(&put_off).unwrap().rescheduled_to, Some(new.uid));
}

#[tokio::test]
async fn a_booking_may_be_moved_onto_its_own_time_but_not_onto_another() {
    let stage = Stage::start().await;
    let own = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.book("2026-10-14T09:00:00Z").await;

    let taken = reschedule(&stage, &own, json!({ "start": "2026-10-14T08:45:00Z" })).await;
    let overlapping = reschedule(&stage, &own, json!({ "start": "2026-10-14T07:45:00Z" })).await;

    assert_eq!((taken.refusal().0, taken.refusal().1), (400, 'A'));
    assert_eq!(overlapping.status, 201);
}

#[tokio::test]
async fn where_hosts_confirm_only_their_own_moves_stay_confirmed() {
    let stage = Stage::start().await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let request = stage.event_type("request", 30, options);
    let first = stage.post("/v2/bookings", erika(request, "2026-10-14T07:30:00Z")).await.uid();
    stage.calcom.confirm(&first).await.unwrap();

    let by_nobody = reschedule(&stage, &first, json!({ "start": "2026-10-15T07:30:00Z" })).await;
    let body = json!({ "start": "2026-10-16T07:30:00Z", "rescheduledBy": "mara.vogt@example.com" });
    let by_host = reschedule(&stage, &by_nobody.uid(), body).await;

    assert_eq!(by_nobody.data()["status"], "pending");
    assert_eq!(stage.calcom.booking(&first).unwrap().status, Status::Cancelled, "gone already");
    assert_eq!(by_host.data()["status"], "accepted");
}

#[tokio::test]
async fn a_race_for_the_new_time_is_lost_like_any_other() {
    let stage = Stage::start().await;
    let own = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.calcom.add_fault(Rule::next(1, Fault::LostRace));

    let lost = reschedule(&stage, &own, json!({ "start": "2026-10-14T10:00:00Z" })).await;

    assert_eq!(lost.refusal(), (409, 'B', "booking_conflict_error"));
    assert_eq!(stage.calcom.booking(&own).unwrap().status, Status::Accepted);
}

#[tokio::test]
async fn synchronisation_with_a_calendar_asks_nobody() {
    let stage = Stage::start().await;
    let own = stage.book("2026-10-14T07:30:00Z").await.uid;
    stage.book("2026-10-14T09:00:00Z").await;

    let moved = stage.calcom.reschedule_unchecked(&own, at("2026-10-14T09:15:00Z")).await.unwrap();

    assert_eq!(moved.status, Status::Accepted);
}
