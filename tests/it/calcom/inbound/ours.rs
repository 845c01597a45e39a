//! Our own writes, coming back; and changes of both sides at once.

use chrono::{DateTime, Utc};
use serde_json::json;
use stellwerk::{
    ids::{AppointmentId, IntentId},
    proto::{AppointmentChangeKind, AppointmentStatus, ProviderSyncState},
    store::{self, intent::Intent},
    words::{IntentKind, IntentState},
};

use super::{Practice, practice};
use crate::support::{
    calcom::on_day,
    calcom_hook::{Story, with},
    desk,
};

/// A write of ours that is on its way.
async fn sent(
    practice: &Practice,
    appointment: AppointmentId,
    kind: IntentKind,
    target: Option<&str>,
    start: DateTime<Utc>,
) -> IntentId {
    let intent = Intent {
        id: IntentId::new(),
        integration_id: practice.rows.integration,
        appointment_id: appointment,
        kind,
        target_external_id: target.map(Into::into),
        external_event_type_id: Some(practice.rows.event_type.to_string()),
        start_time: Some(start),
        fingerprint: vec![0],
        state: IntentState::Sent,
        result_external_id: None,
        reason: None,
        cause: "test".into(),
        attempts: 1,
        create_time: Utc::now(),
        send_time: Some(Utc::now()),
        settle_time: None,
    };
    let mut tx = practice.rows.tx().await;
    store::intent::insert(&mut tx, &intent).await.unwrap();
    tx.commit().await.unwrap();
    intent.id
}

#[tokio::test]
async fn the_echo_of_a_creation_gives_the_appointment_its_uid_and_touches_nothing_else() {
    let practice = practice().await;
    let booked = practice.rows.book(on_day(3, 9)).await;
    let intent = sent(&practice, booked, IntentKind::Create, None, on_day(3, 9)).await;
    // Edited here after it was sent.
    practice.rows.reschedule(booked, on_day(3, 12)).await;

    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    let marker = json!({ "metadata": { "stellwerk_intent": intent.to_string() } });
    let marked = practice.hook.tell(&with(story.created(), marker)).await;

    assert_eq!((marked.kept(), marked.reason()), ("success", "ECHO"));
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (row.appointment_id.as_str(), row.start_time),
        (booked.to_string().as_str(), Some(desk::timestamp(on_day(3, 12))))
    );
    assert_eq!(row.provider_sync.unwrap().state(), ProviderSyncState::Pending);
    assert_eq!(practice.bookings().await, ["uid-1 accepted"]);
    let history = desk::history(&practice.acme.admin, &row.appointment_id).await;
    assert_eq!(history.last().unwrap().kind(), AppointmentChangeKind::Sync);
    assert!(practice.rows.review_items().await.is_empty());
}

#[tokio::test]
async fn an_echo_whose_marker_was_lost_is_known_by_slot_and_attendee() {
    let practice = practice().await;
    let booked = practice.rows.book(on_day(3, 9)).await;
    sent(&practice, booked, IntentKind::Create, None, on_day(3, 9)).await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    let somebody_else = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..story.at("uid-2", on_day(3, 9))
    };

    let other = practice.hook.tell(&somebody_else.confirmed()).await;
    let ours = practice.hook.tell(&story.confirmed()).await;

    assert_eq!((other.reason(), ours.reason()), ("OK", "ECHO"));
    assert_eq!(desk::appointments(&practice.acme.admin).await.len(), 2);
}

#[tokio::test]
async fn the_echo_of_a_move_and_of_a_cancellation_is_told_apart_from_other_peoples() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let id: AppointmentId =
        desk::only_appointment(&practice.acme.admin).await.appointment_id.parse().unwrap();
    practice.rows.reschedule(id, on_day(4, 9)).await;
    sent(&practice, id, IntentKind::Reschedule, Some("uid-1"), on_day(4, 9)).await;

    let moved = story.at("uid-2", on_day(4, 9));
    let ours = practice.hook.tell(&moved.rescheduled_from("uid-1")).await;
    let theirs = practice.hook.tell(&moved.cancelled()).await;

    assert_eq!((ours.reason(), theirs.reason()), ("ECHO", "OK"));
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Cancelled);
}

#[tokio::test]
async fn an_attendees_move_that_inherited_our_marker_is_applied() {
    let practice = practice().await;
    let booked = practice.rows.book(on_day(3, 9)).await;
    let intent = sent(&practice, booked, IntentKind::Create, None, on_day(3, 9)).await;
    let marker = json!({ "metadata": { "stellwerk_intent": intent.to_string() } });
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&with(story.created(), marker.clone())).await.kept();

    let moved = story.at("uid-2", on_day(6, 9));
    let answer = practice.hook.tell(&with(moved.rescheduled_from("uid-1"), marker)).await;

    assert_eq!((answer.kept(), answer.reason()), ("success", "OK"));
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(row.start_time, Some(desk::timestamp(on_day(6, 9))));
}

#[tokio::test]
async fn of_two_changes_at_once_the_providers_stands_and_a_person_is_told() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let id: AppointmentId =
        desk::only_appointment(&practice.acme.admin).await.appointment_id.parse().unwrap();
    practice.rows.reschedule(id, on_day(4, 9)).await;

    practice.hook.tell(&story.at("uid-2", on_day(5, 9)).rescheduled_from("uid-1")).await.kept();

    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(row.start_time, Some(desk::timestamp(on_day(5, 9))));
    assert_eq!(practice.reviews().await, ["edited_on_both_sides"]);
    let history = desk::history(&practice.acme.admin, &row.appointment_id).await;
    let starts: Vec<_> = history.iter().filter_map(|change| change.start_time).collect();
    for start in [on_day(4, 9), on_day(5, 9)] {
        assert!(starts.contains(&desk::timestamp(start)), "both values are kept");
    }
}
