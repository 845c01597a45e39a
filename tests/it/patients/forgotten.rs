//! A person is forgotten: nothing stays readable, and nothing that comes late brings them back.

use serde_json::json;
use stellwerk::proto::{self, SignatureScheme};

use super::{erika, imports};
use crate::support::{PATIENCE, app::TestApp, database::until_waiting, desk, reason, said::said, wait_until};

/// P11.
#[tokio::test]
async fn a_forgotten_person_leaves_nothing_readable_and_is_not_brought_back_by_late_events() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let appointment = |id: &str| {
        json!({ "id": id, "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
            "duration_minutes": 30 })
    };
    let reason_given = |id: &str| json!({ "id": id, "reason": "Erika Muster is ill" });
    tool.tell(&said("appointment.created", appointment("a-1"))).await.kept();
    tool.tell(&said("patient.created", erika())).await.kept();
    tool.tell(&said("appointment.cancelled", reason_given("a-1"))).await.kept();
    tool.tell(&said("appointment.cancelled", reason_given("a-2"))).await.kept();
    tool.tell(&said("appointment.created", appointment("a-2"))).await.kept();
    let patient = desk::only_patient(&acme.admin).await.patient_id;
    let booked = desk::appointments(&acme.admin).await;

    let request = proto::DeletePatientRequest { patient_id: patient.clone(), ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let late = [
        tool.tell(&said("patient.updated", erika())).await,
        tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await,
        tool.tell(&said("appointment.updated", appointment("a-1"))).await,
        tool.tell(&said("appointment.created", appointment("a-3"))).await,
        tool.tell(&said("appointment.cancelled", reason_given("a-1"))).await,
    ];

    for answer in &late {
        assert_eq!((answer.kept(), answer.reason()), ("ignored", "PATIENT_DELETED"));
    }
    assert_eq!(reason(&desk::try_patient(&acme.admin, &patient).await.unwrap_err()), "PATIENT_NOT_FOUND");
    assert!(desk::patients(&acme.admin).await.is_empty());
    assert!(desk::appointments(&acme.admin).await.is_empty());
    assert_eq!(booked.len(), 2);
    for event in desk::events(&acme.admin).await {
        assert_eq!(event.body_preview, "", "{}", event.event_type);
        let request = proto::ReplayWebhookEventRequest {
            webhook_event_id: event.webhook_event_id,
            ..Default::default()
        };
        let replayed = acme.admin.webhooks().replay_webhook_event(request).await;
        assert_eq!(reason(&replayed.unwrap_err()), "WEBHOOK_BODY_GONE");
    }
    let owner = app.database.owner().await;
    let left = "SELECT 'link' FROM patient_link UNION ALL SELECT 'appointment link' FROM appointment_link \
        UNION ALL SELECT 'change' FROM appointment_change UNION ALL SELECT 'key' FROM webhook_body_key";
    assert_eq!(owner.lines(left).await, [""; 0]);
}

/// P11.
#[tokio::test]
async fn a_forgotten_persons_appointment_that_the_tool_gives_to_somebody_else_is_theirs_in_full() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let of = |patient: &str| {
        let data = json!({ "id": "a-1", "patient_id": patient, "scheduled_at": "2026-03-02T09:00:00+01:00",
            "duration_minutes": 30 });
        said("appointment.updated", data)
    };
    tool.tell(&said("patient.created", erika())).await.kept();
    tool.tell(&of("p-1")).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    tool.tell(&said("patient.created", json!({ "id": "p-2", "nachname": "Beispiel" }))).await.kept();

    let taken_over = tool.tell(&of("p-2")).await;
    let cancelled = tool.tell(&said("appointment.cancelled", json!({ "id": "a-1" }))).await;

    assert_eq!([taken_over.kept(), cancelled.kept()], ["success", "success"]);
    assert_eq!(desk::only_appointment(&acme.admin).await.status(), proto::AppointmentStatus::Cancelled);
}

/// P11.
#[tokio::test]
async fn somebody_else_with_a_forgotten_persons_address_is_a_person_of_their_own() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", erika())).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();

    let other = json!({ "id": "p-2", "vorname": "Max", "nachname": "Muster", "email": "erika@example.org" });
    let answer = tool.tell(&said("patient.created", other)).await;

    assert_eq!(answer.kept(), "success");
    assert_eq!(desk::names(&acme.admin).await, ["Max Muster"]);
}

/// P11. What the tool said in a shape that did not fit names the person, too,
/// and so does what comes when both have forgotten them.
#[tokio::test]
async fn a_person_whom_the_tool_forgot_first_leaves_nothing_readable_either() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let unfit = json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster", "geburtsdatum": "yesterday" });
    tool.tell(&said("patient.created", erika())).await.kept();
    let refused = tool.tell(&said("patient.updated", unfit.clone())).await;
    tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;

    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let late = tool.tell(&said("patient.updated", erika())).await;

    assert_eq!(refused.status.as_u16(), 422);
    assert_eq!((late.kept(), late.reason()), ("ignored", "PATIENT_DELETED"));
    let bodies = desk::events(&acme.admin).await.into_iter().map(|event| event.body_preview);
    assert_eq!(bodies.collect::<Vec<_>>(), [""; 4]);
    let owner = app.database.owner().await;
    let left = "SELECT 'link' FROM patient_link UNION ALL SELECT 'key' FROM webhook_body_key";
    assert_eq!(owner.lines(left).await, [""; 0]);
}

/// P11. The tool forgot somebody, a file gave the number to another, and the first one is forgotten here.
#[tokio::test]
async fn forgetting_somebody_does_not_cut_off_who_has_the_number_now() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", erika())).await.kept();
    let erikas = desk::only_patient(&acme.admin).await.patient_id;
    tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await.kept();
    let import = imports::start(&acme.admin, &tool.endpoint.integration_id).await;
    let file = "Patientennr;Nachname;Vorname\r\np-1;Neumann;Nora\r\n";
    imports::upload(&acme.admin, &import, 0, file.as_bytes()).await.unwrap();
    imports::run(&acme.admin, &import, false).await;
    let owner = app.database.owner().await;
    let former =
        owner.lines("SELECT former_patient_id FROM patient_link WHERE former_patient_id IS NOT NULL");
    assert_eq!(former.await, [""; 0]);
    // As files left it once.
    owner.run(&format!("UPDATE patient_link SET former_patient_id = '{erikas}'")).await;

    let request = proto::DeletePatientRequest { patient_id: erikas, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let news = json!({ "id": "p-1", "vorname": "Nora", "nachname": "Neumann-Muster" });
    let told = tool.tell(&said("patient.updated", news)).await;

    assert_eq!(told.kept(), "success", "{}", told.body);
    let nora = desk::only_patient(&acme.admin).await;
    assert_eq!((nora.last_name.as_str(), nora.links[0].external_id.as_str()), ("Neumann-Muster", "p-1"));
}

/// P1, P11. Another tool's person of the same number is somebody else.
#[tokio::test]
async fn forgetting_somebody_leaves_what_another_tool_says_of_its_own_person() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let other = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    owner
        .run(&format!(
            "INSERT INTO integration (tenant_id, id, provider, name) \
             SELECT tenant_id, gen_random_uuid(), 'booking', 'another' FROM integration; \
             UPDATE webhook_endpoint SET integration_id = i.id FROM integration i \
             WHERE i.name = 'another' AND webhook_endpoint.id = '{}'",
            other.endpoint.webhook_endpoint_id
        ))
        .await;
    let visit = json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
        "duration_minutes": 30 });
    tool.tell(&said("patient.created", erika())).await.kept();
    tool.tell(&said("appointment.created", visit)).await.kept();
    let told = [
        other.tell(&said("patient.updated", json!({ "id": "p-1" }))).await,
        other.tell(&said("appointment.cancelled", json!({ "id": "a-1" }))).await,
    ];

    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();

    for answer in &told {
        let event = desk::event(&acme.admin, answer.event_id()).await;
        assert_ne!(event.body_preview, "", "{}", answer.body);
    }
}

/// P11. A cancellation names its appointment alone, and the appointment waited for a person whom the tool had
/// forgotten.
#[tokio::test]
async fn what_waited_for_a_forgotten_person_leaves_nothing_readable_either() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let visit = json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
        "duration_minutes": 30 });
    let cancelled = said("appointment.cancelled", json!({ "id": "a-1", "reason": "Erika Muster is ill" }));
    tool.tell(&said("patient.created", erika())).await.kept();
    tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await.kept();
    tool.tell(&said("appointment.created", visit)).await.kept();
    tool.tell(&cancelled).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;

    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let late = tool.tell(&cancelled).await;

    assert_eq!((late.kept(), late.reason()), ("ignored", "PATIENT_DELETED"));
    let owner = app.database.owner().await;
    assert_eq!(owner.lines("SELECT 'key' FROM webhook_body_key").await, [""; 0]);
}

/// P11. The event stays, with what was wrong with it.
#[tokio::test]
async fn what_does_not_say_whom_it_is_about_is_not_kept_to_be_read() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let nameless = json!({ "vorname": "Erika", "nachname": "Muster", "email": "erika@example.org" });

    let refused = tool.tell(&said("patient.created", nameless)).await;

    assert_eq!((refused.status.as_u16(), refused.reason()), (422, "FIELD_MISSING"));
    let event = desk::event(&acme.admin, refused.event_id()).await;
    assert_eq!((event.field.as_str(), event.body_preview.as_str()), ("data.id", ""));
    let owner = app.database.owner().await;
    let left = "SELECT 'body' FROM webhook_event WHERE sealed_body IS NOT NULL \
        UNION ALL SELECT 'key' FROM webhook_body_key";
    assert_eq!(owner.lines(left).await, [""; 0]);
}

/// P11. The tool's record stands for nobody any more, so that there is none to hold on to.
#[tokio::test]
async fn an_unfit_body_on_its_way_about_somebody_whom_the_tool_deleted_is_forgotten_with_them() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    tool.tell(&said("patient.created", erika())).await.kept();
    tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    let unfit = said("patient.updated", json!({ "id": "p-1", "vorname": "Erika" }));
    blocker.run("BEGIN; LOCK TABLE webhook_event IN SHARE MODE").await;

    let forget = async {
        until_waiting(&owner, 1).await;
        let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
        acme.admin.patients().delete_patient(request).await.unwrap();
    };
    let release = async {
        wait_until("both wait, or the person is gone", PATIENCE, async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'stellwerk' AND wait_event_type = 'Lock'";
            owner.value(waiting).await == "2" || owner.value("SELECT count(*) FROM patient").await == "0"
        })
        .await;
        blocker.run("ROLLBACK").await;
    };
    let (told, (), ()) = tokio::join!(tool.tell(&unfit), forget, release);

    assert_eq!(told.status, 422);
    assert_eq!(owner.value("SELECT count(*) FROM webhook_body_key").await, "0");
}
