//! Practitioners and patients: their own appointments, and nobody else's.

use chrono::TimeDelta;
use stellwerk::proto::{self, Role, link_subject_request::Person};
use tonic::Code;

use super::{reschedule, two_people};
use crate::support::{
    app::TestApp,
    desk::{self, book, slot},
    reason,
};

/// P3.
#[tokio::test]
async fn a_practitioner_plans_and_sees_nobody_elses_time() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, other) = two_people(&acme).await;
    let own = acme.practitioner().await;
    let start = desk::in_days(7);
    // Whom the practitioner has never seen cannot be booked either.
    let known = proto::UpdatePatientRequest {
        patient_id: patient.clone(),
        practitioner_id: own.id.clone(),
        ..Default::default()
    };
    acme.admin.patients().update_patient(known).await.unwrap();
    let foreign = book(&acme.admin, slot(&patient, &other, start)).await.unwrap();

    let booked = book(&own, slot(&patient, &own.id, start)).await.unwrap();
    let beyond = book(&own, slot(&patient, &other, start + TimeDelta::hours(1))).await.unwrap_err();
    let request = proto::GetAppointmentRequest { appointment_id: foreign.appointment_id.clone() };
    let unseen = own.appointments().get_appointment(request).await.unwrap_err();
    let unmoved = reschedule(&own, &foreign.appointment_id, start + TimeDelta::hours(2)).await.unwrap_err();

    assert_eq!((beyond.code(), reason(&beyond).as_str()), (Code::PermissionDenied, "NOT_OWN_RECORD"));
    assert_eq!([reason(&unseen), reason(&unmoved)], ["APPOINTMENT_NOT_FOUND", "APPOINTMENT_NOT_FOUND"]);
    let seen: Vec<_> = desk::appointments(&own).await.into_iter().map(|row| row.appointment_id).collect();
    assert_eq!(seen, [booked.appointment_id]);
}

/// P3.
#[tokio::test]
async fn a_patient_sees_their_own_appointments_and_no_others() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (other, practitioner) = two_people(&acme).await;
    let own = acme.patient().await;
    let unlinked = acme.caller(Role::Patient, &[]).await;
    let start = desk::in_days(7);
    let mine = book(&acme.admin, slot(&own.id, &practitioner, start)).await.unwrap();
    let theirs = book(&acme.admin, slot(&other, &practitioner, start + TimeDelta::hours(1))).await.unwrap();
    let request = proto::ListMyAppointmentsRequest::default;

    let listed = own.appointments().list_my_appointments(request()).await.unwrap().into_inner().appointments;
    let get = proto::GetAppointmentRequest { appointment_id: theirs.appointment_id };
    let foreign = own.appointments().get_appointment(get).await.unwrap_err();
    let all =
        own.appointments().list_appointments(proto::ListAppointmentsRequest::default()).await.unwrap_err();
    let nobody = unlinked.appointments().list_my_appointments(request()).await.unwrap_err();
    let admins = acme.admin.appointments().list_my_appointments(request()).await.unwrap_err();

    assert_eq!(listed.into_iter().map(|row| row.appointment_id).collect::<Vec<_>>(), [mine.appointment_id]);
    assert_eq!(reason(&foreign), "APPOINTMENT_NOT_FOUND");
    assert_eq!([reason(&all), reason(&admins)], ["ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED"]);
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::PermissionDenied, "SUBJECT_NOT_LINKED"));
}

/// P3.
#[tokio::test]
async fn whose_patient_somebody_is_follows_from_the_stored_link() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let key = acme.key(Role::Patient, &[]).await;
    let caller = acme.bearer(&key.secret);
    book(&acme.admin, slot(&patient, &practitioner, desk::in_days(7))).await.unwrap();
    let mine = async || {
        let request = proto::ListMyAppointmentsRequest::default();
        caller
            .appointments()
            .list_my_appointments(request)
            .await
            .map(|page| page.into_inner().appointments.len())
    };

    let link = acme.link_subject("api_key", &key.id, Person::PatientId(patient)).await;
    let linked = mine().await.unwrap();
    let request = proto::UnlinkSubjectRequest { subject_link_id: link, ..Default::default() };
    acme.admin.access().unlink_subject(request).await.unwrap();

    assert_eq!((linked, reason(&mine().await.unwrap_err()).as_str()), (1, "SUBJECT_NOT_LINKED"));
}
