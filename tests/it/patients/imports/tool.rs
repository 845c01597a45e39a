//! Files that name people by a booking tool's ids, beside what the tool itself says of them.

use serde_json::{Value, json};
use stellwerk::proto::{self, SignatureScheme};
use tonic::Code;

use super::{outcomes, run, start, upload};
use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    desk, reason,
    said::{said, written},
};

/// As the tool exports them.
const EXPORT: &str = "id;nachname;vorname;telefon;geburtsdatum\n\
    p-1;Muster;Erika;030 1234567;01.02.1980\n\
    p-2;Beispiel;Max;;\n";

/// An uploaded file of the tool's people.
async fn export(by: &TestCaller, tool: &TestBookingTool) -> String {
    let id = start(by, &tool.endpoint.integration_id).await;
    upload(by, &id, 0, EXPORT.as_bytes()).await.unwrap();
    id
}

fn visit() -> Value {
    let at = written(desk::in_days(7));
    json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": at, "duration_minutes": 30 })
}

/// P9. The tool was connected when it had people already, of whom it does not speak again.
#[tokio::test]
async fn an_appointment_that_waits_for_its_patient_comes_with_the_patients_row() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let told = tool.tell(&said("appointment.created", visit())).await;
    let id = export(&acme.admin, &tool).await;

    run(&acme.admin, &id, true).await;
    let tried = desk::appointments(&acme.admin).await;
    let report = run(&acme.admin, &id, false).await;

    assert_eq!((told.kept(), told.reason()), ("success", "PATIENT_UNKNOWN"));
    assert_eq!(tried, []);
    let appointment = desk::only_appointment(&acme.admin).await;
    assert_eq!(
        (&appointment.patient_id, appointment.external_id.as_str()),
        (&report.rows[0].patient_id, "a-1")
    );
    let changes = desk::history(&acme.admin, &appointment.appointment_id).await;
    assert_eq!(changes[0].cause, format!("patient_import/{id}"));
}

#[tokio::test]
async fn the_tools_first_word_after_an_import_changes_only_what_it_says_differently() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let id = export(&acme.admin, &tool).await;
    let report = run(&acme.admin, &id, false).await;
    let corrected = proto::UpdatePatientRequest {
        patient_id: report.rows[0].patient_id.clone(),
        last_name: "Muster-Neu".into(),
        ..Default::default()
    };
    acme.admin.patients().update_patient(corrected).await.unwrap();

    let data = json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster", "telefon": "030 7654321" });
    tool.tell(&said("patient.updated", data)).await.kept();

    let erika = desk::patient(&acme.admin, &report.rows[0].patient_id).await;
    assert_eq!(
        (erika.last_name.as_str(), erika.phone.as_str(), erika.birth_date.as_str()),
        ("Muster-Neu", "030 7654321", "1980-02-01")
    );
}

/// P11.
#[tokio::test]
async fn a_file_does_not_bring_a_forgotten_person_back() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let erika = json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster" });
    tool.tell(&said("patient.created", erika)).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let id = export(&acme.admin, &tool).await;

    let tried = run(&acme.admin, &id, true).await;
    let done = run(&acme.admin, &id, false).await;

    for report in [&tried, &done] {
        assert_eq!(
            outcomes(report),
            [(1, "REFUSED", "PATIENT_DELETED", "external_id"), (2, "CREATED", "", "")]
        );
    }
    assert_eq!(desk::names(&acme.admin).await, ["Max Beispiel"]);
}

/// A calendar knows bookings, not people, so its ids can be no file's.
#[tokio::test]
async fn a_file_names_people_of_a_booking_tool_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    owner.run("UPDATE integration SET provider = 'calcom'").await;

    let request = proto::StartPatientImportRequest {
        integration_id: tool.endpoint.integration_id.clone(),
        ..Default::default()
    };
    let refused = acme.admin.patients().start_patient_import(request).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
}

#[tokio::test]
async fn a_name_that_nobody_sees_is_no_name() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, "nachname;vorname\n\u{200b};Erika\n".as_bytes()).await.unwrap();

    let report = run(&acme.admin, &id, false).await;
    let told = tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "\u{200b}" }))).await;

    assert_eq!(outcomes(&report), [(1, "REFUSED", "MISSING", "last_name")]);
    assert_eq!((told.status.as_u16(), told.body["field"].as_str()), (422, Some("data.nachname")));
    assert_eq!(desk::patients(&acme.admin).await, []);
}
