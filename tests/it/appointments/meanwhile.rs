//! What the desk and the tool do with one appointment at the same moment.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::proto::{self, AppointmentStatus, SignatureScheme};

use super::{reschedule, two_people};
use crate::support::{
    app::TestApp,
    booking_tool::{Answer, TestBookingTool},
    database::until_waiting,
    desk::{self, book, slot, timestamp},
    said::{said, written},
    tenant::TestTenant,
};

fn visit(at: DateTime<Utc>, therapist: &str, service: &str) -> Value {
    json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": written(at), "duration_minutes": 30,
        "therapist_name": therapist, "service_name": service })
}

/// A tool that has registered somebody and booked this for them; and the appointment it is here.
async fn tool_with(acme: &TestTenant, visit: Value) -> (TestBookingTool, proto::Appointment) {
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Beispiel" }))).await.kept();
    tool.tell(&said("appointment.created", visit)).await.kept();
    let all = desk::appointments(&acme.admin).await;
    let known = all.into_iter().find(|row| row.external_id == "a-1").expect("the tool's appointment");
    (tool, known)
}

/// The tool tells this when the desk has done what it does and not committed it yet.
async fn told_meanwhile(
    app: &TestApp,
    desk: impl Future<Output = proto::Appointment>,
    tool: &TestBookingTool,
    told: &Value,
) -> Answer {
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    // Appointments are written, and then whoever writes one waits.
    blocker.run("BEGIN; LOCK TABLE appointment_change IN SHARE MODE").await;
    let (_, answer, ()) = tokio::join!(
        desk,
        async {
            until_waiting(&owner, 1).await;
            tool.tell(told).await
        },
        async {
            until_waiting(&owner, 2).await;
            blocker.run("ROLLBACK").await;
        },
    );
    assert_eq!(app.database.deadlocks().await, 0);
    answer
}

/// P5.
#[tokio::test]
async fn what_the_desk_calls_off_while_the_tool_speaks_stays_called_off() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let start = desk::in_days(7);
    let (tool, known) = tool_with(&acme, visit(start, "Nobody Known", "Massage")).await;

    let told = said("appointment.updated", visit(start, "Nobody Known", "Krankengymnastik"));
    let cancelled = desk::cancel(&acme.admin, &known.appointment_id);
    let answer = told_meanwhile(&app, cancelled, &tool, &told).await;

    assert_eq!(answer.kept(), "success");
    let now = desk::appointment(&acme.admin, &known.appointment_id).await;
    assert_eq!((now.status(), now.service_name.as_str()), (AppointmentStatus::Cancelled, "Krankengymnastik"));
}

/// P5.
#[tokio::test]
async fn what_the_desk_moves_while_the_tool_speaks_stays_moved() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let start = desk::in_days(7);
    let (tool, known) = tool_with(&acme, visit(start, "Nobody Known", "Massage")).await;

    let told = said("appointment.updated", visit(start, "Nobody Known", "Krankengymnastik"));
    let later = start + TimeDelta::hours(2);
    let moved = async { reschedule(&acme.admin, &known.appointment_id, later).await.expect("moved") };
    let answer = told_meanwhile(&app, moved, &tool, &told).await;

    assert_eq!(answer.kept(), "success");
    let now = desk::appointment(&acme.admin, &known.appointment_id).await;
    assert_eq!((now.start_time, now.service_name.as_str()), (Some(timestamp(later)), "Krankengymnastik"));
}

/// P4, P5. A conflicting one asks for its time again whatever the tool says of it.
#[tokio::test]
async fn a_conflicting_appointment_that_the_desk_calls_off_while_the_tool_speaks_stays_called_off() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();
    let (tool, known) = tool_with(&acme, visit(start, "Dr. Anna Beispiel", "Massage")).await;

    let told = said("appointment.updated", visit(start, "Dr. Anna Beispiel", "Massage"));
    let cancelled = desk::cancel(&acme.admin, &known.appointment_id);
    let answer = told_meanwhile(&app, cancelled, &tool, &told).await;

    assert_eq!((known.status(), answer.kept()), (AppointmentStatus::Conflicting, "success"));
    let now = desk::appointment(&acme.admin, &known.appointment_id).await;
    assert_eq!(now.status(), AppointmentStatus::Cancelled);
}
