//! P7: what may have been done is looked for before it is done again.

use chrono::Utc;
use stellwerk::{
    domain::engine::{lineage::Certainty, push},
    ids::AppointmentId,
    sandbox::calcom::{Fault, Operation, Rule, Status},
    words::{AppointmentStatus, IntegrationState, ProviderSync},
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double, on_day},
    wait_until,
};

const LOST: Fault = Fault::AnswerLost { hold: false };

#[tokio::test]
async fn a_booking_whose_answer_was_lost_is_found_and_not_made_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, LOST);

    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 9));
    assert_eq!(practice.asked(Operation::CreateBooking), 1);
    assert_eq!(practice.asked(Operation::ListBookings), 1);
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_is_found_and_not_made_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = booked(&practice).await;
    practice.fail(1, Operation::RescheduleBooking, LOST);

    practice.reschedule(id, on_day(3, 11)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 11));
    assert_eq!(practice.asked(Operation::RescheduleBooking), 1);
}

#[tokio::test]
async fn a_cancellation_whose_answer_was_lost_is_found_and_not_made_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = booked(&practice).await;
    practice.fail(1, Operation::CancelBooking, LOST);

    practice.cancel(id).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.living(), []);
    assert_eq!(practice.asked(Operation::CancelBooking), 1);
}

#[tokio::test]
async fn an_error_before_or_after_the_booking_leaves_exactly_one() {
    for fault in [Fault::ErrorBefore { status: 502 }, Fault::ErrorAfter { status: 500 }, Fault::Reset] {
        let app = app().start().await;
        let acme = app.tenant("acme").await;
        let practice = connect_calcom(&app, &acme, &double().await).await;
        practice.fail(1, Operation::CreateBooking, fault.clone());

        let id = practice.book(on_day(3, 9)).await;
        let row = practice.until_synced(id).await;
        app.work_until_idle().await;

        assert_eq!(practice.only_living().start, on_day(3, 9), "{fault:?}");
        assert_eq!(row.sync.provider_sync_attempts, 2, "{fault:?}");
        let tried = practice.history(id).await;
        assert!(tried.contains(&"sync failed OUTCOME_UNKNOWN".into()), "{fault:?} {tried:?}");
    }
}

/// Nothing is sent again while Cal.com may still be at work on the first try.
#[tokio::test]
async fn what_is_not_seen_at_the_first_look_is_looked_for_again_before_it_is_repeated() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, Fault::ErrorAfter { status: 504 });
    practice.fail(1, Operation::ListBookings, Fault::StaleRead);

    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((practice.asked(Operation::CreateBooking), practice.asked(Operation::ListBookings)), (1, 2));
    assert_eq!(practice.only_living().start, on_day(3, 9));
}

#[tokio::test]
async fn a_look_that_lags_behind_does_not_make_a_second_booking() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, Fault::ErrorAfter { status: 500 });
    practice.fail(2, Operation::ListBookings, Fault::StaleRead);

    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    // The second try was refused because of the first one, which was ours.
    assert_eq!(practice.asked(Operation::CreateBooking), 2);
    assert_eq!(practice.calcom.bookings().len(), 1);
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn a_refused_second_try_is_looked_into_twice_before_it_is_believed() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, Fault::ErrorAfter { status: 500 });
    practice.fail(3, Operation::ListBookings, Fault::StaleRead);

    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((practice.calcom.bookings().len(), practice.asked(Operation::ListBookings)), (1, 4));
    assert_eq!(practice.review_items().await, []);
}

/// P12. An attendee moved it on, so that both sides agree and nothing is left to ask; what became of our own
/// move is still not known.
#[tokio::test]
async fn a_write_whose_outcome_stays_unknown_is_put_to_a_person_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let owner = app.database.owner().await;
    let unreadable = || Rule::always(Fault::ErrorBefore { status: 400 }).on(Operation::GetBooking);
    let id = booked(&practice).await;
    practice.fail(1, Operation::RescheduleBooking, Fault::ErrorBefore { status: 502 });
    practice.calcom.add_fault(unreadable());
    practice.reschedule(id, on_day(3, 11)).await;
    given_up(&app, &practice, id).await;

    practice.calcom.clear_faults();
    let uid = practice.only_living().uid;
    let moved = practice.calcom.reschedule_as_attendee(&uid, on_day(4, 9)).await.unwrap();
    let seen = practice.look(&moved.uid).await;
    practice.calcom.add_fault(unreadable());
    practice.apply(seen, Certainty::Read).await;
    assert_eq!(practice.standing(id).await, ProviderSync::Synced);
    assert_eq!(reasons(&practice).await, ["PROVIDER_CHANGE_WON"]);
    given_up(&app, &practice, id).await;
    assert_eq!(reasons(&practice).await.len(), 2);
    let unknown = "SELECT count(*) FROM intent WHERE state = 'unknown'";
    assert_eq!(owner.value(unknown).await, "1");

    practice.calcom.clear_faults();
    let mut tx = practice.tx().await;
    assert!(push::queue_again(&mut tx, "test", id, Utc::now()).await.unwrap());
    tx.commit().await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;
    assert_eq!(owner.value(unknown).await, "0");
    assert_eq!(reasons(&practice).await, ["PROVIDER_CHANGE_WON"]);
    assert_eq!(practice.only_living().start, on_day(4, 9));
}

#[tokio::test]
async fn a_limit_is_waited_for_and_uses_no_attempt() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(5, Operation::CreateBooking, Fault::Throttled { retry_after_seconds: Some(1) });

    let id = practice.book(on_day(3, 9)).await;
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 9));
    assert_eq!((row.sync.provider_sync_attempts, practice.asked(Operation::CreateBooking)), (1, 6));
}

#[tokio::test]
async fn what_somebody_moved_while_our_answer_was_lost_is_where_they_moved_it() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, LOST);

    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Failed).await;
    let made = practice.only_living();
    practice.calcom.reschedule_as_attendee(&made.uid, on_day(4, 9)).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(4, 9));
    assert_eq!(practice.appointment(id).await.start_time, on_day(4, 9));
    assert_eq!(practice.calcom.booking(&made.uid).unwrap().status, Status::Cancelled);
}

#[tokio::test]
async fn what_somebody_cancelled_while_our_answer_was_lost_is_not_made_again() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, LOST);

    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Failed).await;
    practice.calcom.cancel_as_attendee(&practice.only_living().uid, None).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.living(), []);
    assert_eq!(practice.appointment(id).await.status, AppointmentStatus::Cancelled);
}

#[tokio::test]
async fn a_write_whose_account_is_disconnected_before_its_answer_is_found_is_let_go() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::CreateBooking, LOST);
    practice.fail(2, Operation::ListBookings, Fault::ErrorBefore { status: 500 });
    let id = practice.book(on_day(3, 9)).await;
    practice.until(id, ProviderSync::Failed).await;

    practice.change_integration(|row| row.state = IntegrationState::Disconnected).await;
    app.hurry().await;
    practice.until(id, ProviderSync::None).await;
    app.work_until_idle().await;

    let owner = app.database.owner().await;
    let writes = owner.lines("SELECT state || ' ' || reason FROM intent").await;
    assert_eq!(writes, ["superseded INTEGRATION_DISCONNECTED"]);
    assert_eq!(practice.review_items().await, []);
}

/// Waits until no try is left, and not for the pauses between them.
async fn given_up(app: &TestApp, practice: &Connected, id: AppointmentId) {
    wait_until("a person is asked", PATIENCE, async || {
        app.hurry().await;
        practice.standing(id).await == ProviderSync::Review
    })
    .await;
    app.work_until_idle().await;
}

/// Why a person is asked.
async fn reasons(practice: &Connected) -> Vec<String> {
    practice.review_items().await.into_iter().map(|item| item.reason).collect()
}

async fn booked(practice: &Connected) -> AppointmentId {
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    id
}
