//! A move makes a new booking under a new uid, and the old one looks cancelled.

use stellwerk::{
    proto::{AppointmentStatus::*, ProviderSyncState::Synced, RescheduleAppointmentRequest},
    sandbox::calcom::{Fault, Generation, Operation, Rule, Settings, Status, Trigger},
};

use super::{newest_event, open, shape, standing};
use crate::{calcom::practice::Practice, support::desk};

/// Trap 1. P9.
#[tokio::test]
async fn a_moved_booking_keeps_its_appointment_and_what_is_told_of_its_old_uid_is_stale() {
    let practice = open().await;
    let wish = practice.attendee(&practice.visit, practice.slot(0));
    let first = practice.calcom.book_as_attendee(wish).await.unwrap();
    let creation = super::delivered(&practice, Trigger::BookingCreated);
    let second = practice.calcom.reschedule_as_attendee(&first.uid, practice.slot(1)).await.unwrap();

    practice.calcom.send_again(creation.id).await.unwrap();
    let (status, _) = newest_event(&practice).await;
    practice.work_through().await;

    let appointment = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(shape(&appointment), (practice.slot(1), Booked, Synced));
    assert_eq!(appointment.external_id, second.uid);
    assert_ne!(status, stellwerk::proto::WebhookEventStatus::Success);
    let lineage = "SELECT external_id || ' ' || is_current FROM booking ORDER BY id";
    let lineage = practice.app.database.owner().await.lines(lineage).await;
    assert_eq!(lineage, [format!("{} false", first.uid), format!("{} true", second.uid)]);
}

/// Trap 2. P9.
#[tokio::test]
async fn a_run_that_reads_an_old_uid_as_cancelled_moves_the_appointment_instead_of_cancelling_it() {
    let practice = open().await;
    let wish = practice.attendee(&practice.visit, practice.slot(0));
    let first = practice.calcom.book_as_attendee(wish).await.unwrap();
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    practice.calcom.reschedule_as_host(&first.uid, practice.slot(3)).await.unwrap();
    assert_eq!(practice.calcom.booking(&first.uid).unwrap().status, Status::Cancelled);

    practice.sync().await;

    let appointment = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(shape(&appointment), (practice.slot(3), Booked, Synced));
    let history = desk::history(&practice.acme.admin, &appointment.appointment_id).await;
    assert!(history.iter().all(|change| change.status() != Cancelled), "{history:?}");
}

/// Trap 3. P7.
#[tokio::test]
async fn a_cancellation_follows_a_move_that_nobody_was_told_of() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    practice.calcom.reschedule_as_attendee(&booked.external_id, practice.slot(1)).await.unwrap();

    desk::cancel(&practice.acme.admin, &booked.appointment_id).await;
    practice.work_through().await;

    assert_eq!(standing(&practice), []);
    let cancelled = practice.appointment(&booked.appointment_id).await;
    assert_eq!((cancelled.status(), shape(&cancelled).2), (Cancelled, Synced));
}

/// Trap 6. P7.
#[tokio::test]
async fn a_move_whose_answer_was_lost_is_found_at_its_target_and_not_repeated() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    let lost = Rule::next(1, Fault::AnswerLost { hold: false }).on(Operation::RescheduleBooking);
    practice.calcom.add_fault(lost);

    move_to(&practice, &booked.appointment_id, 5).await;
    practice.work_through().await;

    let moved = practice.appointment(&booked.appointment_id).await;
    assert_eq!(shape(&moved), (practice.slot(5), Booked, Synced));
    assert_eq!(standing(&practice), [(moved.external_id, practice.slot(5))]);
    let moves =
        practice.writes().into_iter().filter(|one| one.operation == Some(Operation::RescheduleBooking));
    assert_eq!(moves.count(), 1);
}

/// Trap 9. P5.
#[tokio::test]
async fn an_attendees_move_of_our_booking_counts_although_it_inherits_our_mark() {
    for generation in [Generation::Inline, Generation::Queued] {
        let practice = Practice::open(Settings { generation, ..Settings::default() }).await;
        let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
        let writes = practice.writes().len();

        let moved =
            practice.calcom.reschedule_as_attendee(&booked.external_id, practice.slot(1)).await.unwrap();
        practice.work_through().await;

        assert!(moved.metadata.contains_key("stellwerk_intent"), "{moved:?}");
        let followed = practice.appointment(&booked.appointment_id).await;
        assert_eq!(shape(&followed), (practice.slot(1), Booked, Synced), "{generation:?}");
        assert_eq!(practice.writes().len(), writes, "{generation:?}");
    }
}

/// Trap 21. P9.
#[tokio::test]
async fn a_request_that_replaces_a_booking_frees_its_time_and_waits_at_the_new_one() {
    for requests_name_predecessor in [true, false] {
        let practice = Practice::open(Settings { requests_name_predecessor, ..Settings::default() }).await;
        let wish = practice.attendee(&practice.consultation, practice.slot(0));
        let first = practice.calcom.book_as_attendee(wish).await.unwrap();
        practice.calcom.confirm(&first.uid).await.unwrap();

        practice.calcom.reschedule_as_attendee(&first.uid, practice.slot(2)).await.unwrap();
        practice.work_through().await;

        let waiting = desk::only_appointment(&practice.acme.admin).await;
        assert_eq!(shape(&waiting), (practice.slot(2), Requested, Synced));
        let old_time = practice.wish(&practice.visit, &practice.erika().await, practice.slot(0));
        desk::book(&practice.acme.admin, old_time).await.expect("the old time is free");
        practice.work_through().await;
    }
}

/// Trap 22. P9.
#[tokio::test]
async fn a_creation_that_ends_a_request_books_the_appointment_that_waited() {
    let practice = open().await;
    let wish = practice.attendee(&practice.consultation, practice.slot(0));
    let request = practice.calcom.book_as_attendee(wish).await.unwrap();
    let waiting = desk::only_appointment(&practice.acme.admin).await;

    practice.calcom.confirm(&request.uid).await.unwrap();
    practice.work_through().await;

    assert_eq!(super::delivered(&practice, Trigger::BookingCreated).booking_uid, Some(request.uid));
    let booked = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!((waiting.status(), booked.status()), (Requested, Booked));
    assert_eq!(waiting.appointment_id, booked.appointment_id);
}

/// Trap 29.
#[tokio::test]
async fn a_move_is_one_request_and_never_a_cancellation_and_a_creation() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;
    practice.calcom.forget_requests();

    move_to(&practice, &booked.appointment_id, 1).await;
    practice.work_through().await;

    let writes: Vec<_> = practice.writes().into_iter().filter_map(|one| one.operation).collect();
    assert_eq!(writes, [Operation::RescheduleBooking]);
}

/// Sec. 11 of what is known of Cal.com: the host's wish for another time is told as a cancellation, and the
/// attendee's choice as a move.
#[tokio::test]
async fn a_new_time_chosen_on_the_hosts_wish_revives_the_appointment() {
    let practice = open().await;
    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    practice.calcom.request_reschedule(&booked.external_id, "another time, please").await.unwrap();
    practice.work_through().await;
    let asked = practice.appointment(&booked.appointment_id).await;
    practice.calcom.answer_reschedule_request(&booked.external_id, practice.slot(7)).await.unwrap();
    practice.work_through().await;

    assert_eq!(asked.status(), Cancelled);
    let answered = desk::appointments(&practice.acme.admin).await;
    let answered: Vec<_> = answered.iter().filter(|one| one.status() == Booked).map(shape).collect();
    assert_eq!(answered, [(practice.slot(7), Booked, Synced)]);
}

async fn move_to(practice: &Practice, id: &str, slot: i64) {
    let request = RescheduleAppointmentRequest {
        appointment_id: id.into(),
        start_time: Some(desk::timestamp(practice.slot(slot))),
        ..Default::default()
    };
    practice.acme.admin.appointments().reschedule_appointment(request).await.expect("moved");
}
