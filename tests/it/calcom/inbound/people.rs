//! Who the attendees are.

use serde_json::json;
use stellwerk::proto::{AppointmentStatus, DeletePatientRequest};

use super::practice;
use crate::support::{
    PATIENCE,
    calcom::{app, connect_calcom, double, on_day},
    calcom_hook::{Hook, Story, with},
    desk, wait_until,
};

fn by_phone(story: &Story) -> serde_json::Value {
    let attendee = json!([{ "name": "Max Beispiel", "email": "4915550100200@sms.cal.com",
        "phoneNumber": "+4915550100200", "timeZone": "Europe/Berlin", "language": { "locale": "de" } }]);
    with(story.told("booking-created.phone-only-attendee"), json!({ "attendees": attendee }))
}

#[tokio::test]
async fn somebody_who_is_not_known_is_added_under_the_name_they_gave() {
    let practice = practice().await;
    let story = Story {
        name: "Anna Lena Beispiel".into(),
        email: "anna@example.org".into(),
        ..Story::new(&practice.rows, "uid-1", on_day(3, 9))
    };

    practice.hook.tell(&story.created()).await.kept();

    let row = desk::only_appointment(&practice.acme.admin).await;
    let person = desk::patient(&practice.acme.admin, &row.patient_id).await;
    assert_eq!(
        (person.first_name.as_str(), person.last_name.as_str(), person.email.as_str()),
        ("Anna Lena", "Beispiel", "anna@example.org")
    );
}

#[tokio::test]
async fn a_caller_without_an_address_is_one_person_whose_placeholder_is_not_kept() {
    let practice = practice().await;
    let first = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    practice.hook.tell(&by_phone(&first)).await.kept();
    practice.hook.tell(&by_phone(&first.at("uid-2", on_day(4, 9)))).await.kept();

    let rows = desk::appointments(&practice.acme.admin).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].patient_id, rows[1].patient_id);
    let person = desk::patient(&practice.acme.admin, &rows[0].patient_id).await;
    assert_eq!(
        (person.email.as_str(), person.booking_email.as_str(), person.phone.as_str()),
        ("", "", "+4915550100200")
    );
}

#[tokio::test]
async fn a_late_event_does_not_bring_back_somebody_who_was_deleted() {
    let practice = practice().await;
    let story = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..Story::new(&practice.rows, "uid-1", on_day(3, 9))
    };
    practice.hook.tell(&story.created()).await.kept();
    let patient = desk::only_appointment(&practice.acme.admin).await.patient_id;
    let request = DeletePatientRequest { patient_id: patient, ..Default::default() };
    practice.acme.admin.patients().delete_patient(request).await.unwrap();

    let late = practice.hook.tell(&story.cancelled()).await;

    assert_eq!((late.kept(), late.reason()), ("ignored", "PATIENT_DELETED"));
    assert_eq!(desk::event(&practice.acme.admin, late.event_id()).await.body_preview, "");
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
    assert_eq!(desk::names(&practice.acme.admin).await, ["Erika Muster"]);
}

#[tokio::test]
async fn somebody_who_was_deleted_and_books_anew_has_come_back() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let rows = connect_calcom(&app, &acme, &double().await).await;
    let hook = Hook::of(&app, &rows).await;
    let told = async |booking: &stellwerk::sandbox::calcom::Booking| {
        let story = Story {
            name: "Max Beispiel".into(),
            email: "max@example.org".into(),
            ..Story::new(&rows, &booking.uid, booking.start)
        };
        hook.tell(&story.created()).await
    };
    told(&rows.book_there(on_day(3, 9)).await).await.kept();
    let patient = desk::only_appointment(&acme.admin).await.patient_id;
    let request = DeletePatientRequest { patient_id: patient.clone(), ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    app.work_until_idle().await;

    let answer = told(&rows.book_there(on_day(5, 9)).await).await;

    assert_eq!(answer.reason(), "PATIENT_DELETED");
    wait_until("the new booking was read", PATIENCE, async || {
        !desk::appointments(&acme.admin).await.is_empty()
    })
    .await;
    let row = desk::only_appointment(&acme.admin).await;
    assert_eq!(row.status(), AppointmentStatus::Booked);
    assert_ne!(row.patient_id, patient);
}
