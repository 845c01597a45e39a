//! What changes here reaches Cal.com: once, in order, and whatever goes wrong on the way.

mod colleagues;
mod crashes;
mod lost_answers;
mod outages;
mod people;
mod read_only;
mod refusals;
mod slots;

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::{
        appointment::{self, Booking, Hold, Move, Slot},
        engine::lineage::{Certainty, Outcome},
    },
    error::Error,
    sandbox::calcom::{EventTypeOptions, Operation, Point, Status},
    words::{AppointmentStatus, Origin, ProviderSync},
};

use stellwerk::store::appointment::Appointment;

use crate::support::calcom::{app, connect_calcom, connect_with, double, no_key, on_day};

#[tokio::test]
async fn a_booking_made_here_is_made_at_calcom_once() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    let booked = practice.book(on_day(3, 9)).await;
    let row = practice.until_synced(booked).await;
    app.work_until_idle().await;

    let there = practice.only_living();
    assert_eq!((there.start, there.end), (row.start_time, row.end_time));
    assert_eq!(
        (there.attendees[0].name.as_str(), there.attendees[0].email.as_str()),
        ("Erika Muster", "erika@example.org")
    );
    assert_eq!((row.status, practice.asked(Operation::CreateBooking)), (AppointmentStatus::Booked, 1));
    assert_eq!(practice.history(booked).await, ["created pending", "sync pending ECHO", "sync synced"]);
}

#[tokio::test]
async fn a_move_replaces_the_booking_and_a_cancellation_ends_it() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let booked = practice.book(on_day(3, 9)).await;
    practice.until_synced(booked).await;
    let first = practice.only_living();

    practice.reschedule(booked, on_day(3, 11)).await;
    practice.until_synced(booked).await;
    let second = practice.only_living();
    practice.cancel(booked).await;
    practice.until_synced(booked).await;
    app.work_until_idle().await;

    assert_eq!((second.start, second.rescheduled_from.as_ref()), (on_day(3, 11), Some(&first.uid)));
    assert_eq!(practice.living(), []);
    assert_eq!(practice.calcom.bookings().len(), 2);
    let ended = practice.calcom.booking(&second.uid).unwrap();
    assert_eq!((ended.status, ended.cancellation_reason.as_deref()), (Status::Cancelled, Some("ill")));
}

/// P12.
#[tokio::test]
async fn a_write_that_succeeds_takes_what_was_given_up_before_off_the_list() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    let owner = app.database.owner().await;
    for work in ["\"is_urgent\": true, \"appointment_id\"", "\"hold_id\""] {
        let dead = format!(
            "INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, state, reason) \
             VALUES ('{}', gen_random_uuid(), 'appointment_push', 'appointment/{id}', '{{{work}: \"{id}\"}}', \
             'test', 'dead', 'INTERNAL')",
            acme.id
        );
        owner.run(&dead).await;
    }

    practice.reschedule(id, on_day(3, 11)).await;
    practice.until_synced(id).await;

    // What somebody else's work was is not done by it.
    let left = "SELECT payload ? 'hold_id' FROM outbox WHERE state = 'dead'";
    assert_eq!(owner.lines(left).await, ["t"]);
}

#[tokio::test]
async fn a_hold_reaches_calcom_when_it_is_booked() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let hold = Hold {
        slot: Slot {
            patient: Some(practice.patient),
            practitioner: practice.practitioner,
            service: Some(practice.service),
            start: on_day(3, 9),
            duration: None,
            time_zone: String::new(),
        },
        hold_duration: None,
    };

    let held = appointment::hold(&practice.domain, &practice.admin(), &no_key(), hold, Utc::now()).await;
    let id = held.unwrap().appointment.id;
    app.work_until_idle().await;
    let before = practice.living();
    practice.try_book(Booking { hold: Some(id), ..Booking::default() }).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(before, []);
    assert_eq!(practice.only_living().start, on_day(3, 9));
}

#[tokio::test]
async fn edits_that_come_faster_than_answers_end_in_what_was_wanted_last() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let mut gate = practice.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);

    let booked = practice.book(on_day(3, 9)).await;
    gate.reached().await.unwrap();
    for hour in [10, 11, 12] {
        practice.reschedule(booked, on_day(3, hour)).await;
    }
    gate.open();
    practice.until_synced(booked).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 12));
    // Neither 10 nor 11 o'clock was ever asked for.
    assert_eq!(practice.asked(Operation::RescheduleBooking), 1);
}

#[tokio::test]
async fn a_booking_that_is_called_off_before_it_is_answered_is_called_off_there_too() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let mut gate = practice.calcom.pause_next(Point::AfterApplying, Operation::CreateBooking);

    let booked = practice.book(on_day(3, 9)).await;
    gate.reached().await.unwrap();
    practice.cancel(booked).await;
    gate.open();
    practice.until_synced(booked).await;
    app.work_until_idle().await;

    assert_eq!(practice.living(), []);
    assert_eq!(practice.calcom.bookings().len(), 1);
}

#[tokio::test]
async fn an_echo_that_comes_before_the_answer_is_recognised_and_changes_nothing() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    for (operation, hour) in [(Operation::CreateBooking, 9), (Operation::RescheduleBooking, 10)] {
        let mut gate = practice.calcom.pause_next(Point::AfterApplying, operation);
        let id = match operation {
            Operation::CreateBooking => practice.book(on_day(3, hour)).await,
            _ => only(&practice).await,
        };
        if operation == Operation::RescheduleBooking {
            practice.reschedule(id, on_day(3, hour)).await;
        }
        gate.reached().await.unwrap();
        let before = practice.appointment(id).await;

        let echo = practice.learn(&practice.only_living().uid, Certainty::Told).await;

        assert!(matches!(echo.outcome, Outcome::Echo(_)), "{echo:?}");
        // What Cal.com calls it is known now, and nothing else is another.
        let after = practice.appointment(id).await;
        let (integration_id, external_id) = (after.integration_id, after.external_id.clone());
        assert_eq!(external_id, Some(practice.only_living().uid));
        assert_eq!(
            (echo.appointment, after),
            (Some(id), Appointment { integration_id, external_id, ..before })
        );
        gate.open();
        practice.until_synced(id).await;
        assert_eq!(practice.only_living().start, on_day(3, hour));
    }
    app.work_until_idle().await;
}

#[tokio::test]
async fn an_admins_edit_of_what_was_booked_at_calcom_reaches_it() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let there = practice.book_there(on_day(3, 9)).await;
    let id = practice.learn(&there.uid, Certainty::Told).await.appointment.unwrap();

    practice.reschedule(id, on_day(3, 14)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    let moved = practice.only_living();
    assert_eq!((moved.start, moved.rescheduled_from), (on_day(3, 14), Some(there.uid)));
    let row = practice.appointment(id).await;
    assert_eq!((row.origin, row.last_change_origin), (Origin::Calcom, Origin::Admin));
}

#[tokio::test]
async fn what_changed_at_calcom_is_not_written_back_to_it() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    let first = practice.only_living();
    let moved = practice.calcom.reschedule_as_attendee(&first.uid, on_day(3, 15)).await.unwrap();
    practice.calcom.forget_requests();

    practice.learn(&moved.uid, Certainty::Told).await;
    let row = practice.appointment(id).await;
    app.work_until_idle().await;

    assert_eq!((row.start_time, row.sync.provider_sync), (on_day(3, 15), ProviderSync::Synced));
    assert_eq!(practice.asked(Operation::RescheduleBooking) + practice.asked(Operation::CreateBooking), 0);
}

#[tokio::test]
async fn another_practitioners_event_type_gets_the_booking_before_the_old_one_gives_it_up() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let colleague = practice.calcom.add_user("Jan Kern", "jan.kern@example.com", chrono_tz::Europe::Berlin);
    let jan = stellwerk::ids::PractitionerId(acme.put_practitioner("Jan Kern").await.parse().unwrap());
    let other = practice.offer(&colleague, jan, EventTypeOptions::default()).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;

    let to =
        Move { appointment: id, start: on_day(3, 10), duration: None, practitioner: Some(jan), wait: None };
    appointment::reschedule(&practice.domain, &practice.admin(), &no_key(), to, Utc::now()).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    let there = practice.only_living();
    assert_eq!((there.event_type_id, there.start), (other, on_day(3, 10)));
    let order: Vec<_> =
        practice.calcom.requests().into_iter().filter_map(|request| request.operation).collect();
    assert_eq!(order, [Operation::CreateBooking, Operation::CreateBooking, Operation::CancelBooking]);
}

#[tokio::test]
async fn a_booking_that_waits_for_the_host_is_a_request_here_and_keeps_nobody_out() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;

    let id = practice.book(on_day(3, 9)).await;
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(row.status, AppointmentStatus::Requested);
    assert_eq!(practice.living()[0].status, Status::Pending);
    let rival =
        Booking { service: None, duration: Some(TimeDelta::minutes(30)), ..practice.visit(on_day(3, 9)) };
    assert!(practice.try_book(rival).await.is_ok());
}

#[tokio::test]
async fn one_booking_there_is_not_given_to_two_appointments() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;

    // Cal.com answers with the booking that the same attendee has for that slot.
    let twin = practice.book(on_day(3, 9)).await;
    let row = practice.until(twin, ProviderSync::Review).await;
    app.work_until_idle().await;

    assert_eq!(row.sync.provider_sync_reason.as_deref(), Some("BOOKED_ALREADY"));
    assert_eq!((practice.living().len(), practice.standing(id).await), (1, ProviderSync::Synced));
}

#[tokio::test]
async fn a_confirmed_booking_stays_confirmed_when_it_is_moved_from_here() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { requires_confirmation: true, ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    let waiting = practice.living().remove(0);
    practice.calcom.confirm(&waiting.uid).await.unwrap();
    practice.learn(&waiting.uid, Certainty::Told).await;

    practice.reschedule(id, on_day(3, 12)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 12));
    assert_eq!(practice.appointment(id).await.status, AppointmentStatus::Booked);
}

#[tokio::test]
async fn what_calcom_cannot_offer_is_refused_before_anything_is_promised() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let nobody = acme.create_patient("Max", "Beispiel").await.parse().unwrap();

    let unreachable = practice
        .try_book(Booking { patient: Some(nobody), ..practice.visit(on_day(3, 9)) })
        .await
        .unwrap_err();
    let too_long = practice
        .try_book(Booking { duration: Some(TimeDelta::minutes(50)), ..practice.visit(on_day(3, 9)) })
        .await
        .unwrap_err();
    app.work_until_idle().await;

    assert!(matches!(unreachable, Error::PatientContactMissing), "{unreachable}");
    let Error::Invalid(violations) = too_long else { panic!("{too_long}") };
    assert_eq!(violations[0].field, "duration");
    assert_eq!(practice.calcom.requests(), []);
}

#[tokio::test]
async fn what_is_nobodys_event_type_concerns_nobody() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    let booking =
        Booking { service: None, duration: Some(TimeDelta::minutes(50)), ..practice.visit(on_day(3, 9)) };
    let booked = practice.try_book(booking).await.unwrap().appointment;
    practice.cancel(booked.id).await;
    app.work_until_idle().await;

    assert_eq!(booked.sync.provider_sync, ProviderSync::None);
    assert_eq!(practice.calcom.requests(), []);
}

/// The only appointment there is.
async fn only(practice: &crate::support::calcom::Connected) -> stellwerk::ids::AppointmentId {
    let mut tx = practice.tx().await;
    let rows = stellwerk::store::appointment::of_patient(&mut tx, practice.patient).await.unwrap();
    tx.end_reading();
    assert_eq!(rows.len(), 1);
    rows[0]
}
