//! Appointments: taken once, moved, called off; the same in the end, however the tool tells of them.

mod convergence;
mod inbound;
mod lists;
mod meanwhile;
mod own;
mod races;
mod waiting;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use stellwerk::proto::{self, AppointmentChangeKind, AppointmentStatus, HoldSlotRequest, Role, SyncOrigin};
use tonic::{Code, Status};

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, book, minutes, person, slot, timestamp},
    fields, reason,
    tenant::TestTenant,
};

/// A patient and a practitioner, by their ids.
async fn two_people(acme: &TestTenant) -> (String, String) {
    let patient = desk::add_patient(&acme.admin, person("Erika", "Muster")).await.patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    (patient, practitioner)
}

async fn hold(
    by: &TestCaller,
    patient: &str,
    practitioner: &str,
    start: DateTime<Utc>,
) -> Result<proto::Appointment, Status> {
    let request = HoldSlotRequest {
        patient_id: patient.into(),
        practitioner_id: practitioner.into(),
        start_time: Some(timestamp(start)),
        duration: Some(minutes(30)),
        ..Default::default()
    };
    Ok(by.appointments().hold_slot(request).await?.into_inner().appointment.unwrap())
}

async fn reschedule(by: &TestCaller, id: &str, start: DateTime<Utc>) -> Result<proto::Appointment, Status> {
    let request = proto::RescheduleAppointmentRequest {
        appointment_id: id.into(),
        start_time: Some(timestamp(start)),
        ..Default::default()
    };
    Ok(by.appointments().reschedule_appointment(request).await?.into_inner().appointment.unwrap())
}

fn of_hold(id: &str) -> proto::BookAppointmentRequest {
    proto::BookAppointmentRequest { hold_appointment_id: id.into(), ..Default::default() }
}

/// P4.
#[tokio::test]
async fn a_hold_keeps_the_slot_until_it_is_booked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);

    let held = hold(&acme.admin, &patient, &practitioner, start).await.unwrap();
    let rival = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap_err();
    let booked = book(&acme.admin, of_hold(&held.appointment_id)).await.unwrap();
    let twice = book(&acme.admin, of_hold(&held.appointment_id)).await.unwrap_err();

    assert_eq!((held.status(), held.hold_expire_time.is_some()), (AppointmentStatus::Held, true));
    assert_eq!(reason(&rival), "SLOT_TAKEN");
    assert_eq!((booked.status(), &booked.appointment_id), (AppointmentStatus::Booked, &held.appointment_id));
    assert_eq!((booked.hold_expire_time, booked.patient_id.as_str()), (None, patient.as_str()));
    assert_eq!(reason(&twice), "APPOINTMENT_STATUS");
}

#[tokio::test]
async fn a_hold_without_a_patient_is_booked_for_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let held = hold(&acme.admin, "", &practitioner, desk::in_days(7)).await.unwrap();

    let nobody = book(&acme.admin, of_hold(&held.appointment_id)).await.unwrap_err();
    let for_erika =
        proto::BookAppointmentRequest { patient_id: patient.clone(), ..of_hold(&held.appointment_id) };
    let booked = book(&acme.admin, for_erika).await.unwrap();

    assert_eq!(fields(&nobody), ["patient_id"]);
    assert_eq!(booked.patient_id, patient);
}

/// P4.
#[tokio::test]
async fn a_hold_that_ran_out_gives_way_and_can_no_longer_be_booked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let overtaken = hold(&acme.admin, &patient, &practitioner, start).await.unwrap();
    let late = hold(&acme.admin, &patient, &practitioner, start + TimeDelta::hours(1)).await.unwrap();
    let owner = app.database.owner().await;
    owner.run("UPDATE appointment SET hold_expire_time = now() - interval '1 s' WHERE status = 'held'").await;

    let refused = book(&acme.admin, of_hold(&late.appointment_id)).await.unwrap_err();
    let rival = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();
    let overtaken_too = book(&acme.admin, of_hold(&overtaken.appointment_id)).await.unwrap_err();

    assert_eq!(rival.status(), AppointmentStatus::Booked);
    for status in [&refused, &overtaken_too] {
        assert_eq!((status.code(), reason(status).as_str()), (Code::FailedPrecondition, "HOLD_EXPIRED"));
    }
    let gone = desk::appointment(&acme.admin, &late.appointment_id).await;
    assert_eq!(
        (gone.status(), gone.last_change_origin()),
        (AppointmentStatus::Cancelled, SyncOrigin::System)
    );
}

/// P4.
#[tokio::test]
async fn a_move_frees_the_old_slot_and_needs_the_new_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let moved = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();
    book(&acme.admin, slot(&patient, &practitioner, start + TimeDelta::hours(1))).await.unwrap();

    let taken =
        reschedule(&acme.admin, &moved.appointment_id, start + TimeDelta::minutes(45)).await.unwrap_err();
    let unchanged = desk::appointment(&acme.admin, &moved.appointment_id).await;
    let free = reschedule(&acme.admin, &moved.appointment_id, start + TimeDelta::hours(2)).await.unwrap();
    let next = book(&acme.admin, slot(&patient, &practitioner, start)).await;

    assert_eq!(reason(&taken), "SLOT_TAKEN");
    assert_eq!(unchanged.start_time, Some(timestamp(start)));
    assert_eq!(free.start_time, Some(timestamp(start + TimeDelta::hours(2))));
    assert_eq!(free.end_time, Some(timestamp(start + TimeDelta::minutes(150))));
    assert!(next.is_ok(), "{next:?}");
}

/// P4.
#[tokio::test]
async fn a_cancelled_appointment_frees_its_slot_and_stays_cancelled() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let booked = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();

    desk::cancel(&acme.admin, &booked.appointment_id).await;
    let again = desk::cancel(&acme.admin, &booked.appointment_id).await;
    let moved =
        reschedule(&acme.admin, &booked.appointment_id, start + TimeDelta::hours(1)).await.unwrap_err();
    let next = book(&acme.admin, slot(&patient, &practitioner, start)).await;

    assert_eq!(again.status(), AppointmentStatus::Cancelled);
    assert_eq!((moved.code(), reason(&moved).as_str()), (Code::FailedPrecondition, "APPOINTMENT_STATUS"));
    assert!(next.is_ok(), "{next:?}");
    assert_eq!(desk::history(&acme.admin, &booked.appointment_id).await.len(), 2);
}

/// P4.
#[tokio::test]
async fn buffers_of_a_service_keep_others_away() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let request = proto::PutServiceRequest {
        name: "Massage".into(),
        duration: Some(minutes(30)),
        buffer_before: Some(minutes(10)),
        buffer_after: Some(minutes(10)),
        ..Default::default()
    };
    let service = acme.admin.access().put_service(request).await.unwrap().into_inner().service.unwrap();
    let start = desk::in_days(7);
    let massage = proto::BookAppointmentRequest {
        service_id: service.service_id,
        duration: None,
        ..slot(&patient, &practitioner, start)
    };
    let booked = book(&acme.admin, massage).await.unwrap();

    let at = |minutes: i64| slot(&patient, &practitioner, start + TimeDelta::minutes(minutes));
    let too_early = book(&acme.admin, at(-35)).await;
    let too_late = book(&acme.admin, at(35)).await;
    let before = book(&acme.admin, at(-40)).await;
    let after = book(&acme.admin, at(40)).await;

    assert_eq!(booked.end_time, Some(timestamp(start + TimeDelta::minutes(30))));
    assert_eq!(
        [too_early, too_late].map(|answer| reason(&answer.unwrap_err())),
        ["SLOT_TAKEN", "SLOT_TAKEN"]
    );
    assert!(before.is_ok() && after.is_ok(), "{before:?} {after:?}");
}

#[tokio::test]
async fn a_booking_says_whatever_is_wrong_with_it() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let nobody = uuid::Uuid::now_v7().to_string();
    let good = slot(&patient, &practitioner, start);
    let refused =
        async |request: proto::BookAppointmentRequest| book(&acme.admin, request).await.unwrap_err();

    let empty = refused(proto::BookAppointmentRequest::default()).await;
    let yesterday = refused(slot(&patient, &practitioner, Utc::now() - TimeDelta::days(1))).await;
    let odd_zone =
        refused(proto::BookAppointmentRequest { time_zone: "Mars/Olympus".into(), ..good.clone() }).await;
    let endless =
        refused(proto::BookAppointmentRequest { duration: Some(minutes(1441)), ..good.clone() }).await;
    let no_patient = refused(slot(&nobody, &practitioner, start)).await;
    let no_practitioner = refused(slot(&patient, &nobody, start)).await;
    let no_service = refused(proto::BookAppointmentRequest { service_id: nobody.clone(), ..good }).await;

    assert_eq!(fields(&empty), ["patient_id", "practitioner_id", "start_time"]);
    assert_eq!(
        [fields(&yesterday), fields(&odd_zone), fields(&endless)],
        [["start_time"], ["time_zone"], ["duration"]]
    );
    assert_eq!(
        [reason(&no_patient), reason(&no_practitioner), reason(&no_service)],
        ["PATIENT_NOT_FOUND", "PRACTITIONER_NOT_FOUND", "SERVICE_NOT_FOUND"]
    );
    assert!(desk::appointments(&acme.admin).await.is_empty());
}

/// P5.
#[tokio::test]
async fn the_history_tells_what_came_last_at_the_end_though_a_clock_was_ahead() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let booked = book(&acme.admin, slot(&patient, &practitioner, desk::in_days(7))).await.unwrap();
    // As an instance writes it whose clock is ahead.
    let ahead = "INSERT INTO appointment_change (tenant_id, id, appointment_id, kind, origin, cause, status, \
            start_time, end_time, practitioner_id) \
        SELECT tenant_id, stellwerk_uuid_floor(now() + interval '1 min'), appointment_id, 'details', origin, \
            cause, status, start_time, end_time, practitioner_id FROM appointment_change";
    app.database.owner().await.run(ahead).await;

    reschedule(&acme.admin, &booked.appointment_id, desk::in_days(8)).await.unwrap();
    desk::cancel(&acme.admin, &booked.appointment_id).await;

    let changes = desk::history(&acme.admin, &booked.appointment_id).await;
    let told: Vec<_> = changes.iter().map(|change| change.kind()).collect();
    use AppointmentChangeKind::{Created, Details, Moved, Status};
    assert_eq!(told, [Created, Details, Moved, Status]);
}

#[tokio::test]
async fn a_repeated_booking_is_the_first_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let request = proto::BookAppointmentRequest {
        idempotency_key: "k-1".into(),
        ..slot(&patient, &practitioner, start)
    };

    let first = book(&acme.admin, request.clone()).await.unwrap();
    desk::cancel(&acme.admin, &first.appointment_id).await;
    let repeat = book(&acme.admin, request.clone()).await.unwrap();
    let other = proto::BookAppointmentRequest { time_zone: "Europe/Vienna".into(), ..request };
    let reused = book(&acme.admin, other).await.unwrap_err();

    assert_eq!(
        (repeat.appointment_id, repeat.status),
        (first.appointment_id, AppointmentStatus::Cancelled.into())
    );
    assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
}

/// P5.
#[tokio::test]
async fn the_history_tells_what_happened_from_where_and_by_whom() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let key = acme.key(Role::Service, &["appointments:write", "appointments:read"]).await;
    let backend = acme.bearer(&key.secret);
    let start = desk::in_days(7);

    let booked = book(&backend, slot(&patient, &practitioner, start)).await.unwrap();
    reschedule(&acme.admin, &booked.appointment_id, start + TimeDelta::hours(1)).await.unwrap();
    desk::cancel(&backend, &booked.appointment_id).await;

    let changes = desk::history(&acme.admin, &booked.appointment_id).await;
    let told: Vec<_> =
        changes.iter().map(|change| (change.kind(), change.origin(), change.status())).collect();
    assert_eq!(
        told,
        [
            (AppointmentChangeKind::Created, SyncOrigin::Api, AppointmentStatus::Booked),
            (AppointmentChangeKind::Moved, SyncOrigin::Admin, AppointmentStatus::Booked),
            (AppointmentChangeKind::Status, SyncOrigin::Api, AppointmentStatus::Cancelled),
        ]
    );
    let backends = format!("api_key|{}", key.id);
    assert_eq!((&changes[0].cause, &changes[2].cause), (&backends, &backends));
    assert_ne!(changes[1].cause, backends);
    assert_eq!(changes[1].start_time, Some(timestamp(start + TimeDelta::hours(1))));
    let appointment = desk::appointment(&acme.admin, &booked.appointment_id).await;
    assert_eq!((appointment.origin(), appointment.last_change_origin()), (SyncOrigin::Api, SyncOrigin::Api));
}

/// P4. Nobody is a deadlock's victim so often that a caller learns of it.
#[tokio::test]
async fn racing_moves_between_practitioners_all_come_to_an_end() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, first) = two_people(&acme).await;
    let mut practitioners = vec![first.clone()];
    for name in ["Dr. Bert Beispiel", "Dr. Carla Beispiel"] {
        practitioners.push(desk::add_practitioner(&acme.admin, name, &[]).await.practitioner_id);
    }
    let start = Utc::now() + TimeDelta::days(2);
    let mut moves = Vec::new();
    for number in 0..3 {
        let at = start + TimeDelta::hours(number);
        let booked = book(&acme.admin, slot(&patient, &first, at)).await.unwrap();
        for turn in 0..12 {
            moves.push(proto::RescheduleAppointmentRequest {
                appointment_id: booked.appointment_id.clone(),
                start_time: Some(timestamp(at)),
                practitioner_id: practitioners[turn % practitioners.len()].clone(),
                ..Default::default()
            });
        }
    }

    let answers = join_all(moves.into_iter().map(async |request| {
        loop {
            match acme.admin.appointments().reschedule_appointment(request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => {}
                answer => return answer.map(|_| ()).map_err(|status| reason(&status)),
            }
        }
    }));

    assert_eq!(answers.await, vec![Ok(()); 36]);
    assert_eq!(app.database.deadlocks().await, 0);
}
