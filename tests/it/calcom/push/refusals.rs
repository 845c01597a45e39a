//! What Cal.com refuses is given up here, told to whoever waits, and left to a person otherwise.

use std::time::Duration;

use stellwerk::{
    domain::{
        appointment::{self, Hold, Slot},
        engine::{lineage::Certainty, push},
    },
    error::Error,
    sandbox::calcom::{EventTypeOptions, Fault, Operation, Point},
    store::review_item::ReviewItem,
    words::{AppointmentStatus, ProviderSync, ReviewKind},
};

use crate::support::{
    PATIENCE,
    calcom::{Connected, app, connect_calcom, connect_with, double, no_key, on_day},
};

fn reasons(items: &[ReviewItem]) -> Vec<(ReviewKind, &str)> {
    items.iter().map(|item| (item.kind, item.reason.as_str())).collect()
}

/// Somebody's own calendar has that hour.
fn block(practice: &Connected, day: i64, hour: i64) {
    practice.calcom.block(practice.host.id, on_day(day, hour), on_day(day, hour + 1));
}

#[tokio::test]
async fn whoever_waits_for_a_slot_that_is_taken_there_is_told_what_is_free() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    block(&practice, 3, 9);
    practice.book(on_day(3, 10)).await;

    let refused = practice.book_and_wait(on_day(3, 9)).await.unwrap_err();
    app.work_until_idle().await;

    let Error::SlotTakenOffering { free } = refused else { panic!("{refused}") };
    let half_past_ten = on_day(3, 10) + chrono::TimeDelta::minutes(30);
    assert_eq!(free, [half_past_ten, on_day(3, 11), on_day(3, 11) + chrono::TimeDelta::minutes(30)]);
    assert_eq!(practice.review_items().await, []);
    // The time is nobody's here.
    practice.calcom.unblock(practice.host.id);
    assert!(practice.book_and_wait(on_day(3, 9)).await.is_ok());
}

#[tokio::test]
async fn whoever_waits_is_told_of_the_refusal_even_if_nobody_says_in_time_what_is_free() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    block(&practice, 3, 9);
    let mut gate = practice.calcom.pause_next(Point::BeforeApplying, Operation::ListSlots);

    let refused = tokio::time::timeout(Duration::from_secs(12), practice.book_and_wait(on_day(3, 9))).await;

    assert!(matches!(refused, Ok(Err(Error::SlotTaken))), "{refused:?}");
    gate.reached().await.unwrap();
    gate.open();
}

#[tokio::test]
async fn whoever_waits_for_a_slot_that_is_taken_here_is_told_what_is_free() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.book_and_wait(on_day(3, 9)).await.unwrap();
    practice.book_and_wait(on_day(3, 11)).await.unwrap();

    let half = chrono::TimeDelta::minutes(30);
    let next = [on_day(3, 9) + half, on_day(3, 10), on_day(3, 10) + half];
    // Also who does not wait for Cal.com's answer to a booking, as whoever holds a slot.
    let slot = Slot {
        patient: None,
        practitioner: practice.practitioner,
        service: Some(practice.service),
        start: on_day(3, 9),
        duration: None,
        time_zone: String::new(),
    };
    let hold = Hold { slot, hold_duration: None };
    let (admin, now) = (practice.admin(), chrono::Utc::now());
    let held = appointment::hold(&practice.domain, &admin, &no_key(), hold, now).await;
    let refusals = [
        practice.book_and_wait(on_day(3, 9)).await.unwrap_err(),
        practice.try_book(practice.visit(on_day(3, 9))).await.unwrap_err(),
        held.unwrap_err(),
    ];

    for refused in refusals {
        let Error::SlotTakenOffering { free } = refused else { panic!("{refused}") };
        assert_eq!(free, next);
    }
}

#[tokio::test]
async fn a_slot_that_is_taken_there_is_given_up_here_and_shown_to_a_person() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    block(&practice, 3, 9);

    let id = practice.book(on_day(3, 9)).await;
    let row = practice.until(id, ProviderSync::Review).await;
    app.work_until_idle().await;

    assert_eq!(
        (row.status, row.sync.provider_sync_reason.as_deref()),
        (AppointmentStatus::Conflicting, Some("SLOT_TAKEN"))
    );
    assert!(row.sync.provider_sync_review_time.is_some());
    assert_eq!(reasons(&practice.review_items().await), [(ReviewKind::RequiresManualReview, "SLOT_TAKEN")]);
    assert_eq!(practice.asked(Operation::CreateBooking), 1);
}

#[tokio::test]
async fn what_is_tried_again_when_the_time_is_free_succeeds_and_settles_the_item() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    block(&practice, 3, 9);
    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Review).await;
    practice.calcom.unblock(practice.host.id);

    practice.reschedule(id, on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 9));
    assert_eq!(practice.appointment(id).await.status, AppointmentStatus::Booked);
    assert_eq!(practice.review_items().await, []);
}

/// P12.
#[tokio::test]
async fn a_second_time_that_is_taken_too_leaves_what_is_booked_nowhere_to_a_person() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    block(&practice, 3, 9);
    block(&practice, 3, 11);
    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Review).await;

    let refused = practice.try_reschedule(id, on_day(3, 11), Some(PATIENCE)).await.unwrap_err();
    app.work_until_idle().await;

    assert!(matches!(refused, Error::SlotTakenOffering { .. }), "{refused}");
    let row = practice.appointment(id).await;
    assert_eq!((row.status, row.sync.provider_sync), (AppointmentStatus::Conflicting, ProviderSync::Review));
    assert_eq!(practice.living(), []);
    assert_eq!(reasons(&practice.review_items().await), [(ReviewKind::RequiresManualReview, "SLOT_TAKEN")]);
}

#[tokio::test]
async fn a_race_that_was_lost_there_is_a_refusal_like_any_other() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, Fault::LostRace);

    let refused = practice.book_and_wait(on_day(3, 9)).await.unwrap_err();
    app.work_until_idle().await;

    assert!(matches!(refused, Error::SlotTakenOffering { .. }), "{refused}");
    let rival = practice.only_living();
    assert_eq!(rival.attendees[0].name, "Rita Rival");
    // Her booking finds the time free here.
    practice.learn(&rival.uid, Certainty::Told).await;
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn a_move_to_a_time_that_is_taken_there_goes_back() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    block(&practice, 3, 11);

    let refused = practice.try_reschedule(id, on_day(3, 11), Some(PATIENCE)).await.unwrap_err();
    let waited = practice.appointment(id).await;
    practice.reschedule(id, on_day(3, 11)).await;
    let alone = practice.until(id, ProviderSync::Review).await;
    app.work_until_idle().await;

    assert!(matches!(refused, Error::SlotTakenOffering { .. }), "{refused}");
    for row in [&waited, &alone] {
        assert_eq!((row.status, row.start_time), (AppointmentStatus::Booked, on_day(3, 9)));
    }
    assert_eq!(waited.sync.provider_sync, ProviderSync::Synced);
    assert_eq!(practice.only_living().start, on_day(3, 9));
    assert_eq!(reasons(&practice.review_items().await), [(ReviewKind::RequiresManualReview, "SLOT_TAKEN")]);
}

/// Told that it was refused, nobody expects it to have happened half.
#[tokio::test]
async fn whoever_waits_for_a_move_that_is_refused_there_has_the_old_time_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { disable_rescheduling: true, ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;

    let refused = practice.try_reschedule(id, on_day(3, 11), Some(PATIENCE)).await.unwrap_err();
    let row = practice.appointment(id).await;
    app.work_until_idle().await;

    assert!(matches!(refused, Error::ProviderRefused { reason: "CHANGE_DISABLED", .. }), "{refused}");
    assert_eq!((row.status, row.start_time), (AppointmentStatus::Booked, on_day(3, 9)));
    assert_eq!(row.sync.provider_sync, ProviderSync::Synced);
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn whoever_waits_for_a_cancellation_that_is_refused_there_is_told_and_a_person_decides() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { disable_cancelling: true, ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;

    let refused = practice.try_cancel(id, Some(PATIENCE)).await.unwrap_err();
    app.work_until_idle().await;

    assert!(matches!(refused, Error::ProviderRefused { reason: "CHANGE_DISABLED", .. }), "{refused}");
    assert_eq!(practice.appointment(id).await.status, AppointmentStatus::Cancelled);
    assert_eq!(practice.living().len(), 1);
    assert_eq!(
        reasons(&practice.review_items().await),
        [(ReviewKind::RequiresManualReview, "CHANGE_DISABLED")]
    );
}

#[tokio::test]
async fn a_time_that_nobody_may_book_there_is_told_as_such() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { window_days: Some(2), ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;

    let refused = practice.book_and_wait(on_day(9, 9)).await.unwrap_err();
    app.work_until_idle().await;

    assert!(matches!(refused, Error::OutsideBookingWindow), "{refused}");
}

#[tokio::test]
async fn what_calcom_never_takes_is_not_tried_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.block_attendee("erika@example.org");

    let id = practice.book(on_day(3, 9)).await;
    let row = practice.until(id, ProviderSync::Review).await;
    let refused = practice.book_and_wait(on_day(3, 11)).await.unwrap_err();
    app.work_until_idle().await;

    assert_eq!((row.status, row.sync.provider_sync_attempts), (AppointmentStatus::Booked, 1));
    assert_eq!(
        reasons(&practice.review_items().await),
        [(ReviewKind::RequiresManualReview, "ATTENDEE_BLOCKED")]
    );
    assert!(
        matches!(refused, Error::ProviderRefused { provider: "calcom", reason: "ATTENDEE_BLOCKED" }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_cancellation_finds_what_the_attendee_moved_meanwhile_and_ends_that() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    // Nobody told us.
    let moved =
        practice.calcom.reschedule_as_attendee(&practice.only_living().uid, on_day(4, 9)).await.unwrap();
    practice.calcom.reschedule_as_attendee(&moved.uid, on_day(5, 9)).await.unwrap();

    practice.cancel(id).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.living(), []);
    assert_eq!(practice.appointment(id).await.status, AppointmentStatus::Cancelled);
}

#[tokio::test]
async fn a_cancellation_of_what_was_cancelled_there_is_done() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.cancel_as_attendee(&practice.only_living().uid, None).await.unwrap();

    practice.cancel(id).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn a_move_of_what_the_attendee_moved_meanwhile_loses_and_is_shown_to_a_person() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.reschedule_as_attendee(&practice.only_living().uid, on_day(4, 9)).await.unwrap();

    practice.reschedule(id, on_day(3, 12)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(4, 9));
    assert_eq!(practice.appointment(id).await.start_time, on_day(4, 9));
    assert_eq!(
        reasons(&practice.review_items().await),
        [(ReviewKind::EditedOnBothSides, "PROVIDER_CHANGE_WON")]
    );
}

#[tokio::test]
async fn after_four_failures_a_person_must_look_and_may_try_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.watch_attendee("erika@example.org");

    let id = practice.book(on_day(3, 9)).await;
    let row =
        crate::support::calcom::until_within(&practice, id, ProviderSync::Review, Duration::from_secs(60))
            .await;
    app.work_until_idle().await;

    assert_eq!((row.sync.provider_sync_attempts, row.status), (4, AppointmentStatus::Booked));
    assert_eq!(
        reasons(&practice.review_items().await),
        [(ReviewKind::RequiresManualReview, "OUTCOME_UNKNOWN")]
    );
    assert_eq!(practice.asked(Operation::CreateBooking), 4);
    let mut tx = practice.tx().await;
    assert!(push::queue_again(&mut tx, "api_key|desk", id, chrono::Utc::now()).await.unwrap());
    tx.commit().await.unwrap();
    practice.until(id, ProviderSync::Failed).await;
    assert!(practice.asked(Operation::ListBookings) > 3);
}
