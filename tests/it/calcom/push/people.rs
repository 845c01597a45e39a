//! People: whom Cal.com is told of, and what becomes of their bookings when they are deleted here.

use chrono::Utc;
use stellwerk::{
    domain::{
        engine::lineage::{Certainty, Outcome},
        patient,
    },
    proto::{AppointmentStatus, UpdatePatientRequest},
    sandbox::calcom::{Booking, EventTypeOptions, NewBooking, Operation, Point},
    words::IntegrationState,
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_calcom, connect_with, double, no_key, on_day},
    desk, wait_until,
};

async fn delete(practice: &Connected) {
    patient::delete(&practice.domain, &practice.admin(), &no_key(), practice.patient).await.unwrap();
}

#[tokio::test]
async fn somebody_with_a_telephone_alone_is_booked_by_it() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let request = stellwerk::proto::CreatePatientRequest {
        phone: "030 23125000".into(),
        ..desk::person("Max", "Beispiel")
    };
    let max = desk::add_patient(&acme.admin, request).await.patient_id.parse().unwrap();

    let booking =
        stellwerk::domain::appointment::Booking { patient: Some(max), ..practice.visit(on_day(3, 9)) };
    let id = practice.try_book(booking).await.unwrap().appointment.id;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    let there = practice.only_living();
    assert_eq!(there.attendees[0].phone.as_deref(), Some("+493023125000"));
}

#[tokio::test]
async fn a_deleted_patients_bookings_are_cancelled_there_and_do_not_bring_them_back() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    let there = practice.only_living();

    delete(&practice).await;
    app.work_until_idle().await;
    let late = practice.learn(&there.uid, Certainty::Told).await;

    assert_eq!(practice.living(), []);
    assert_eq!(late.outcome, Outcome::Forgotten);
    assert_eq!(desk::patients(&acme.admin).await, []);
}

#[tokio::test]
async fn a_booking_that_is_on_its_way_when_its_patient_is_deleted_is_cancelled_there() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let mut gate = practice.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);
    practice.book(on_day(3, 9)).await;
    gate.reached().await.unwrap();

    delete(&practice).await;
    gate.open();
    app.work_until_idle().await;

    assert_eq!(practice.calcom.bookings().len(), 1);
    assert_eq!(practice.living(), []);
    assert_eq!(desk::patients(&acme.admin).await, []);
}

#[tokio::test]
async fn a_deleted_patients_booking_that_was_moved_there_is_cancelled_where_it_is() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.calcom.reschedule_as_attendee(&practice.only_living().uid, on_day(4, 9)).await.unwrap();

    delete(&practice).await;
    app.work_until_idle().await;

    assert_eq!(practice.living(), []);
}

#[tokio::test]
async fn a_deleted_patients_booking_is_cancelled_there_when_the_pause_of_writes_ends() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.change_integration(|row| row.outbound_paused = true).await;

    delete(&practice).await;
    until_it_waits(&app, "OUTBOUND_PAUSED").await;
    let cancelled = practice.asked(Operation::CancelBooking);
    practice.change_integration(|row| row.outbound_paused = false).await;
    app.hurry().await;
    app.work_until_idle().await;

    assert_eq!((cancelled, practice.living()), (0, vec![]));
}

#[tokio::test]
async fn nothing_is_cancelled_any_more_where_nothing_may_be_written() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.change_integration(|row| row.outbound_paused = true).await;
    delete(&practice).await;
    until_it_waits(&app, "OUTBOUND_PAUSED").await;

    practice.change_integration(|row| (row.read_only, row.outbound_paused) = (true, false)).await;
    app.hurry().await;
    app.work_until_idle().await;

    assert_eq!(practice.asked(Operation::CancelBooking), 0);
}

#[tokio::test]
async fn a_cancellation_for_a_deleted_patient_waits_for_a_new_credential_and_uses_no_try() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;
    practice.change_integration(|row| row.state = IntegrationState::NeedsReconnect).await;

    delete(&practice).await;
    until_it_waits(&app, "CREDENTIAL_REFUSED").await;
    let tries = app.database.owner().await.value("SELECT attempts FROM outbox").await;
    practice.change_integration(|row| row.state = IntegrationState::Connected).await;
    app.hurry().await;
    app.work_until_idle().await;

    assert_eq!((tries.as_str(), practice.living()), ("0", vec![]));
}

async fn until_it_waits(app: &TestApp, reason: &str) {
    let owner = app.database.owner().await;
    let waits = "SELECT coalesce(reason, '') FROM outbox WHERE NOT is_leased";
    wait_until("the cancellation waits", PATIENCE, async || owner.lines(waits).await == [reason]).await;
}

#[tokio::test]
async fn whoever_lost_their_address_before_the_write_is_left_to_a_person() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.change_integration(|row| row.outbound_paused = true).await;
    let id = practice.book(on_day(3, 9)).await;
    let request = UpdatePatientRequest {
        patient_id: practice.patient.to_string(),
        email: String::new(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["email".into()] }),
        ..Default::default()
    };
    acme.admin.patients().update_patient(request).await.unwrap();

    practice.change_integration(|row| row.outbound_paused = false).await;
    let mut tx = practice.tx().await;
    stellwerk::domain::engine::push::queue_again(&mut tx, "test", id, Utc::now()).await.unwrap();
    tx.commit().await.unwrap();
    let row = crate::support::calcom::until_within(
        &practice,
        id,
        stellwerk::words::ProviderSync::Review,
        std::time::Duration::from_secs(60),
    )
    .await;

    assert_eq!(row.sync.provider_sync_reason.as_deref(), Some("PATIENT_CONTACT_MISSING"));
    assert_eq!(practice.asked(Operation::CreateBooking), 0);
}

/// A class of the host's to which Erika comes first, and Max.
async fn class(practice: &Connected) -> Booking {
    for (name, email) in [("Erika Muster", "erika@example.org"), ("Max Beispiel", "max@example.org")] {
        let wish = NewBooking::new(practice.event_type, on_day(3, 9), name, email);
        practice.calcom.book_as_attendee(wish).await.unwrap();
    }
    let class = practice.only_living();
    assert_eq!(class.attendees.len(), 2);
    assert!(practice.learn(&class.uid, Certainty::Told).await.appointment.is_some());
    class
}

/// P4.
#[tokio::test]
async fn a_deleted_patients_seat_is_given_back_and_the_others_keep_theirs() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { seats: Some(3), ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    let class = class(&practice).await;

    delete(&practice).await;
    app.work_until_idle().await;

    let there = practice.only_living();
    let attendees: Vec<_> = there.attendees.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((there.uid, attendees), (class.uid, vec!["Max Beispiel"]));
    let row = desk::only_appointment(&acme.admin).await;
    assert_eq!(row.status(), AppointmentStatus::Booked);
    let patients = desk::patients(&acme.admin).await;
    assert_eq!(patients.iter().map(|one| one.last_name.as_str()).collect::<Vec<_>>(), ["Beispiel"]);
}

/// P4.
#[tokio::test]
async fn a_class_that_a_deleted_patient_stays_in_still_keeps_its_practitioners_time() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let options = EventTypeOptions { seats: Some(3), ..EventTypeOptions::default() };
    let practice = connect_with(&app, &acme, &double().await, options).await;
    class(&practice).await;
    practice.change_integration(|row| row.read_only = true).await;

    delete(&practice).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().attendees.len(), 2);
    let row = desk::only_appointment(&acme.admin).await;
    assert_eq!((row.status(), row.patient_id.as_str()), (AppointmentStatus::Booked, ""));
    assert_eq!(desk::patients(&acme.admin).await, []);
}
