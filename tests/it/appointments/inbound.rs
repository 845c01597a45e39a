//! What the tool has promised already: kept, whatever it collides with, and assigned by the name it gives.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::proto::{self, AppointmentChangeKind, AppointmentStatus, SignatureScheme, SyncOrigin};

use super::{of_hold, two_people};
use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    desk::{self, book, slot, timestamp},
    said::{said, said_at, written},
    tenant::TestTenant,
};

fn told(id: &str, at: DateTime<Utc>, therapist: &str) -> Value {
    json!({ "id": id, "patient_id": "p-1", "scheduled_at": written(at), "duration_minutes": 30,
        "therapist_name": therapist, "service_name": "Massage" })
}

/// A tool that has registered somebody already.
async fn tool_of(acme: &TestTenant) -> TestBookingTool {
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "vorname": "Max", "nachname": "Beispiel" })))
        .await
        .kept();
    tool
}

async fn of_tool(acme: &TestTenant, id: &str) -> proto::Appointment {
    let all = desk::appointments(&acme.admin).await;
    all.into_iter().find(|row| row.external_id == id).expect("the tool's appointment")
}

/// P4, P12.
#[tokio::test]
async fn an_inbound_overlap_is_kept_as_conflicting_and_both_name_each_other() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    let local = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();

    let answer = tool.tell(&said("appointment.created", told("a-1", start, "Dr. Anna Beispiel"))).await;

    assert_eq!(answer.kept(), "success");
    let inbound = of_tool(&acme, "a-1").await;
    assert_eq!((inbound.status(), &inbound.practitioner_id), (AppointmentStatus::Conflicting, &practitioner));
    assert_eq!(inbound.conflicting_appointment_ids, std::slice::from_ref(&local.appointment_id));
    let local = desk::appointment(&acme.admin, &local.appointment_id).await;
    assert_eq!(local.status(), AppointmentStatus::Booked);
    assert_eq!(local.conflicting_appointment_ids, [inbound.appointment_id]);
}

/// P4.
#[tokio::test]
async fn a_conflicting_appointment_is_booked_when_its_time_is_freed() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    let hour = |number: i64| start + TimeDelta::hours(number);
    let mut local = Vec::new();
    for number in 0..3 {
        local.push(
            book(&acme.admin, slot(&patient, &practitioner, hour(number))).await.unwrap().appointment_id,
        );
        let id = format!("a-{number}");
        tool.tell(&said("appointment.created", told(&id, hour(number), "Dr. Anna Beispiel"))).await.kept();
    }

    desk::cancel(&acme.admin, &local[0]).await;
    super::reschedule(&acme.admin, &local[1], hour(10)).await.unwrap();
    // The third one is moved at the tool, out of its own conflict.
    tool.tell(&said("appointment.updated", told("a-2", hour(11), "Dr. Anna Beispiel"))).await.kept();

    for number in 0..3 {
        let inbound = of_tool(&acme, &format!("a-{number}")).await;
        assert_eq!(inbound.status(), AppointmentStatus::Booked, "a-{number}");
        assert!(inbound.conflicting_appointment_ids.is_empty());
    }
    let promoted = of_tool(&acme, "a-0").await.appointment_id;
    let last = desk::history(&acme.admin, &promoted).await.pop().unwrap();
    assert_eq!(
        (last.kind(), last.origin(), last.cause.as_str()),
        (AppointmentChangeKind::Status, SyncOrigin::System, "system")
    );
}

/// P4.
#[tokio::test]
async fn a_conflicting_appointment_is_booked_when_the_other_person_is_forgotten() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();
    tool.tell(&said("appointment.created", told("a-1", start, "Dr. Anna Beispiel"))).await.kept();

    let request = proto::DeletePatientRequest { patient_id: patient, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();

    let promoted = desk::only_appointment(&acme.admin).await;
    assert_eq!((promoted.external_id.as_str(), promoted.status()), ("a-1", AppointmentStatus::Booked));
}

/// P4.
#[tokio::test]
async fn a_hold_that_ran_out_does_not_make_an_inbound_appointment_conflicting() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    let held = super::hold(&acme.admin, &patient, &practitioner, start).await.unwrap();
    let owner = app.database.owner().await;
    owner.run("UPDATE appointment SET hold_expire_time = now() - interval '1 s' WHERE status = 'held'").await;

    tool.tell(&said("appointment.created", told("a-1", start, "Dr. Anna Beispiel"))).await.kept();
    let late = book(&acme.admin, of_hold(&held.appointment_id)).await;

    assert_eq!(of_tool(&acme, "a-1").await.status(), AppointmentStatus::Booked);
    assert_eq!(crate::support::reason(&late.unwrap_err()), "HOLD_EXPIRED");
}

/// P4.
#[tokio::test]
async fn a_booking_by_the_tool_keeps_others_from_the_slot() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    tool.tell(&said("appointment.created", told("a-1", start, "dr.  anna BEISPIEL"))).await.kept();

    let taken = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap_err();
    tool.tell(&said("appointment.cancelled", json!({ "id": "a-1" }))).await.kept();
    let free = book(&acme.admin, slot(&patient, &practitioner, start)).await;

    assert_eq!(crate::support::reason(&taken), "SLOT_TAKEN");
    assert!(free.is_ok(), "{free:?}");
}

/// P4, P12.
#[tokio::test]
async fn an_unknown_therapist_leaves_the_appointment_unassigned_until_the_name_means_somebody() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, _) = two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    // Both at once: without a practitioner they exclude nothing.
    for id in ["a-1", "a-2"] {
        tool.tell(&said("appointment.created", told(id, start, "J. Muster"))).await.kept();
    }
    let unassigned = async || {
        let request = proto::ListAppointmentsRequest { unassigned: true, ..Default::default() };
        acme.admin.appointments().list_appointments(request).await.unwrap().into_inner().appointments
    };

    let before = unassigned().await;
    let jonas = desk::add_practitioner(&acme.admin, "Jonas Muster", &["j. muster"]).await.practitioner_id;
    let after = unassigned().await;

    assert_eq!(before.len(), 2);
    for row in &before {
        assert_eq!((row.status(), row.practitioner_id.as_str()), (AppointmentStatus::Booked, ""));
        assert_eq!((row.therapist_name.as_str(), row.service_name.as_str()), ("J. Muster", "Massage"));
    }
    assert!(after.is_empty(), "{after:?}");
    let assigned = desk::appointments(&acme.admin).await;
    assert!(assigned.iter().all(|row| row.practitioner_id == jonas && row.therapist_name == "J. Muster"));
    let mut statuses: Vec<_> = assigned.iter().map(|row| row.status()).collect();
    statuses.sort();
    assert_eq!(statuses, [AppointmentStatus::Booked, AppointmentStatus::Conflicting]);
    let taken = book(&acme.admin, slot(&patient, &jonas, start)).await.unwrap_err();
    assert_eq!(crate::support::reason(&taken), "SLOT_TAKEN");
}

/// P5.
#[tokio::test]
async fn what_the_desk_moved_stays_moved_until_the_tool_moves_it() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    tool.tell(&said("appointment.created", told("a-1", start, "Dr. Anna Beispiel"))).await.kept();
    let id = desk::only_appointment(&acme.admin).await.appointment_id;
    super::reschedule(&acme.admin, &id, start + TimeDelta::hours(2)).await.unwrap();

    let mut other_service = told("a-1", start, "Dr. Anna Beispiel");
    other_service["service_name"] = json!("Krankengymnastik");
    tool.tell(&said("appointment.updated", other_service)).await.kept();
    let after_details = desk::appointment(&acme.admin, &id).await;
    tool.tell(&said("appointment.updated", told("a-1", start + TimeDelta::hours(4), "Dr. Anna Beispiel")))
        .await
        .kept();
    let after_move = desk::appointment(&acme.admin, &id).await;

    assert_eq!(after_details.start_time, Some(timestamp(start + TimeDelta::hours(2))));
    assert_eq!(after_details.service_name, "Krankengymnastik");
    assert_eq!(after_move.start_time, Some(timestamp(start + TimeDelta::hours(4))));
    let changes = desk::history(&acme.admin, &id).await;
    let told: Vec<_> = changes.iter().map(|change| (change.kind(), change.origin())).collect();
    assert_eq!(
        told,
        [
            (AppointmentChangeKind::Created, SyncOrigin::BookingTool),
            (AppointmentChangeKind::Moved, SyncOrigin::Admin),
            (AppointmentChangeKind::Details, SyncOrigin::BookingTool),
            (AppointmentChangeKind::Moved, SyncOrigin::BookingTool),
        ]
    );
    assert!(changes[0].cause.starts_with("webhook_event/"), "{}", changes[0].cause);
    let events = desk::events(&acme.admin).await;
    let cause = changes[3].cause.trim_start_matches("webhook_event/");
    assert_eq!(events[0].webhook_event_id, cause);
}

/// P5.
#[tokio::test]
async fn the_desks_reason_of_a_cancellation_stays_until_the_tool_gives_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(7);
    tool.tell(&said("appointment.created", told("a-1", start, "Jonas Muster"))).await.kept();
    let id = desk::only_appointment(&acme.admin).await.appointment_id;
    let cancel = proto::CancelAppointmentRequest {
        appointment_id: id.clone(),
        reason: "ill".into(),
        ..Default::default()
    };
    acme.admin.appointments().cancel_appointment(cancel).await.unwrap();
    let changes = desk::history(&acme.admin, &id).await.len();

    let unrelated = told("a-1", start, "Jonas Muster");
    tool.tell(&said_at("e-2", "appointment.updated", Utc::now(), unrelated)).await.kept();
    let kept = (desk::appointment(&acme.admin, &id).await, desk::history(&acme.admin, &id).await.len());
    tool.tell(&said("appointment.cancelled", json!({ "id": "a-1", "reason": "moved away" }))).await.kept();
    let told_by_tool = desk::appointment(&acme.admin, &id).await;

    assert_eq!((kept.0.status(), kept.0.cancel_reason.as_str()), (AppointmentStatus::Cancelled, "ill"));
    assert_eq!(kept.1, changes, "nothing changed");
    assert_eq!(told_by_tool.cancel_reason, "moved away");
}

#[tokio::test]
async fn the_outcome_of_an_appointment_is_the_tools_to_tell() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    two_people(&acme).await;
    let tool = tool_of(&acme).await;
    let start = desk::in_days(-2);
    let with_status = |id: &str, status: &str| {
        let mut data = told(id, start, "Dr. Anna Beispiel");
        data["status"] = json!(status);
        data
    };
    for (id, status) in [("a-1", "completed"), ("a-2", "no_show"), ("a-3", "cancelled"), ("a-4", "confirmed")]
    {
        tool.tell(&said("appointment.created", with_status(id, status))).await.kept();
    }

    let mut shown = Vec::new();
    for number in 1..=4 {
        shown.push(of_tool(&acme, &format!("a-{number}")).await.status());
    }

    use AppointmentStatus::{Booked, Cancelled, Completed, NoShow};
    assert_eq!(shown, [Completed, NoShow, Cancelled, Booked]);
}

/// What a tool says again without an id changes nothing, and yet tells that it has spoken.
#[tokio::test]
async fn what_is_said_again_refreshes_the_time_of_the_last_sync_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Beispiel" }))).await.kept();
    let booked = said("appointment.updated", told("a-1", desk::in_days(7), "Jonas Muster"));
    let cancelled = said("appointment.cancelled", json!({ "id": "a-1", "reason": "ill" }));

    for event in [booked, cancelled] {
        tool.tell(&event).await.kept();
        let before = of_tool(&acme, "a-1").await;
        assert_eq!(tool.tell(&event).await.kept(), "duplicate");
        let after = of_tool(&acme, "a-1").await;

        let times = [&before, &after].map(|row| row.sync_time.map(|time| (time.seconds, time.nanos)));
        assert!(times[0] < times[1], "{times:?}");
        assert_eq!(proto::Appointment { sync_time: before.sync_time, ..after }, before);
    }
}
