//! Consents: who gave them and from where, and that no data flow without one where one is needed.

mod runs;
mod scopes;

use chrono::{DateTime, Utc};
use stellwerk::{
    domain::integration::Changes,
    proto::*,
    sandbox::{
        asana::{Operation as Asked, Point as Stage},
        calcom::{self as double, Operation, Point},
    },
    words::SyncState,
};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    app::TestApp,
    asana,
    calcom::{self, no_key, on_day},
    caller::TestCaller,
    desk, fields,
    link::{Linked, line},
    reason,
    tenant::TestTenant,
    wait_until,
};

fn appointments_for(integration: impl ToString) -> GrantConsentRequest {
    GrantConsentRequest {
        integration_id: integration.to_string(),
        scopes: vec![ConsentScope::Appointments.into()],
        text_version: "2026-11".into(),
        ..Default::default()
    }
}

async fn grant(by: &TestCaller, request: GrantConsentRequest) -> Result<Consent, Status> {
    Ok(by.privacy().grant_consent(request).await?.into_inner().consent.expect("shown"))
}

async fn revoke(by: &TestCaller, consent: &Consent) -> Result<Consent, Status> {
    let request = RevokeConsentRequest { consent_id: consent.consent_id.clone(), ..Default::default() };
    Ok(by.privacy().revoke_consent(request).await?.into_inner().consent.expect("shown"))
}

/// The ids of those that a caller sees, newest first.
async fn seen(by: &TestCaller, living_only: bool) -> Vec<String> {
    let request = ListConsentsRequest { living_only, ..Default::default() };
    let listed = by.privacy().list_consents(request).await.expect("consents").into_inner().consents;
    listed.into_iter().map(|consent| consent.consent_id).collect()
}

/// An integration that a booking tool posts to.
async fn integration(tenant: &TestTenant) -> String {
    tenant.booking_tool(SignatureScheme::Standard).await.endpoint.integration_id
}

/// Marks an integration as needing consent.
async fn require(by: &TestCaller, integration: &str) {
    let request = UpdateIntegrationRequest {
        integration_id: integration.into(),
        consent_required: true,
        ..Default::default()
    };
    let changed = by.integrations().update_integration(request).await.expect("changed").into_inner();
    assert!(changed.integration.expect("shown").consent_required);
}

#[tokio::test]
async fn it_is_kept_who_agreed_to_what_and_from_where_and_a_repeat_is_the_same() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (hr, of) = (acme.hr().await, integration(&acme).await);
    let mut request = GrantConsentRequest { idempotency_key: "k-1".into(), ..appointments_for(&of) };
    request.scopes.push(ConsentScope::Appointments.into());
    let mut call = Request::new(request.clone());
    // What a stranger writes of its address is not believed.
    call.metadata_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());

    let given = hr.privacy().grant_consent(call).await.unwrap().into_inner().consent.unwrap();
    let repeated = grant(&hr, request).await.unwrap();

    assert_eq!(repeated, given);
    assert_eq!((given.integration_id.as_str(), given.patient_id.as_str()), (of.as_str(), ""));
    assert_eq!(
        (given.scopes, given.text_version.as_str()),
        (vec![ConsentScope::Appointments.into()], "2026-11")
    );
    assert!(given.subject.starts_with("api_key|"), "{}", given.subject);
    assert_eq!(given.address, "127.0.0.1");
    assert!(given.user_agent.starts_with("tonic/"), "{}", given.user_agent);
    assert!(given.grant_time.is_some() && given.revoke_time.is_none() && given.revoker.is_empty());
}

#[tokio::test]
async fn a_consent_is_revoked_once_and_stays_as_a_record() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (hr, of) = (acme.hr().await, integration(&acme).await);
    let given = grant(&hr, appointments_for(&of)).await.unwrap();

    let revoked = revoke(&acme.admin, &given).await.unwrap();
    let again = revoke(&hr, &given).await.unwrap();

    assert!(revoked.revoke_time.is_some() && !revoked.revoker.is_empty());
    assert_eq!(again, revoked);
    assert_eq!(seen(&hr, false).await, [given.consent_id]);
    assert_eq!(seen(&hr, true).await, [""; 0]);
}

/// P3. A patient speaks for nobody else, and the house's staff office sees no patients.
#[tokio::test]
async fn patients_meet_their_own_consents_and_hr_those_of_the_house() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (hr, of) = (acme.hr().await, integration(&acme).await);
    let (erika, max) = (acme.patient().await, acme.patient().await);

    let house = grant(&hr, appointments_for(&of)).await.unwrap();
    let own = grant(&erika, appointments_for(&of)).await.unwrap();
    let named = GrantConsentRequest { patient_id: erika.id.clone(), ..appointments_for(&of) };
    let by_the_desk = grant(&acme.admin, named.clone()).await.unwrap();
    let by_hr = grant(&hr, named.clone()).await.unwrap_err();
    let by_another = grant(&max, named).await.unwrap_err();
    let others_revoked = revoke(&max, &own).await.unwrap_err();
    let house_revoked = revoke(&erika, &house).await.unwrap_err();

    assert_eq!((&own.patient_id, &by_the_desk.patient_id), (&erika.id, &erika.id));
    assert_eq!(seen(&erika, false).await, [by_the_desk.consent_id.clone(), own.consent_id.clone()]);
    assert_eq!(seen(&max, false).await, [""; 0]);
    assert_eq!(seen(&hr, false).await, std::slice::from_ref(&house.consent_id));
    assert_eq!(seen(&acme.admin, false).await.len(), 3);
    assert_eq!([reason(&by_hr), reason(&by_another)], ["PATIENT_NOT_FOUND", "PATIENT_NOT_FOUND"]);
    assert_eq!([reason(&others_revoked), reason(&house_revoked)], ["CONSENT_NOT_FOUND"; 2]);
}

/// P2. Authentic or not, fit or not: without consent nothing of it is kept.
#[tokio::test]
async fn a_delivery_without_consent_is_answered_and_nothing_of_it_is_kept() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let of = tool.endpoint.integration_id.clone();
    // From before it was refused.
    app.database.owner().await.run("UPDATE integration SET consent_required = true").await;
    let person = |id: &str| serde_json::json!({ "id": id, "vorname": "Max", "nachname": "Beispiel" });

    let fit = tool.patient_created(person("p1")).await;
    let unfit = tool.patient_created(serde_json::json!({ "id": "p2", "vorname": 7 })).await;
    let owner = app.database.owner().await;
    let kept = owner.value("SELECT count(*) FROM webhook_body_key").await;
    let people = desk::names(&acme.admin).await;
    let given = grant(&acme.admin, appointments_for(&of)).await.unwrap();
    let welcome = tool.patient_created(person("p3")).await;
    revoke(&acme.admin, &given).await.unwrap();
    let late = tool.patient_created(person("p4")).await;

    for (what, answer) in [("fit", &fit), ("unfit", &unfit), ("late", &late)] {
        assert_eq!(
            (answer.status.as_u16(), &answer.body["reason"]),
            (200, &"CONSENT_MISSING".into()),
            "{what}"
        );
    }
    assert_eq!((kept.as_str(), people), ("0", vec![]));
    assert_eq!(welcome.body["status"], "success");
    assert_eq!(desk::names(&acme.admin).await, ["Max Beispiel"]);
}

/// P1. What it would drop could never be had again.
#[tokio::test]
async fn what_only_posts_cannot_be_made_to_wait_for_a_consent() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let request = UpdateIntegrationRequest {
        integration_id: integration(&acme).await,
        consent_required: true,
        ..Default::default()
    };

    let refused = acme.admin.integrations().update_integration(request).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
    assert_eq!(fields(&refused), ["consent_required"]);
}

/// The desk books a visit with the practitioner and for the service of the only event type. Returns the
/// appointment's id.
async fn book(linked: &Linked, tenant: &TestTenant, patient: &str, start: DateTime<Utc>) -> String {
    let request = BookAppointmentRequest {
        patient_id: patient.into(),
        practitioner_id: linked.lines("practitioner_id", "event_type").await.remove(0),
        service_id: linked.lines("service_id", "event_type").await.remove(0),
        start_time: Some(desk::timestamp(start)),
        ..Default::default()
    };
    let booked = tenant.admin.appointments().book_appointment(request).await.expect("booked").into_inner();
    booked.appointment.expect("shown").appointment_id
}

async fn person(tenant: &TestTenant, first_name: &str) -> String {
    let email = format!("{}@example.org", first_name.to_lowercase());
    let request = CreatePatientRequest { email, ..desk::person(first_name, "Muster") };
    desk::add_patient(&tenant.admin, request).await.patient_id
}

/// Waits until the appointment's write stands like this.
async fn until_sync_is(linked: &Linked, appointment: &str, expected: &str) {
    let id: Uuid = appointment.parse().unwrap();
    let tail = format!("appointment AND id = '{id}'");
    wait_until(&format!("the write is {expected}"), PATIENCE, async || {
        linked.lines("provider_sync || coalesce(' ' || provider_sync_reason, '')", &tail).await == [expected]
    })
    .await;
}

/// P2, P6. Nothing is asked and nothing written; what was promised happens when somebody agrees.
#[tokio::test]
async fn without_consent_nothing_is_asked_or_written_and_a_consent_catches_up() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let erika = person(&tenant, "Erika").await;
    linked.change(Changes { consent_required: Some(true), ..Changes::default() }).await.expect("marked");
    double.forget_requests();
    linked.book_there(on_day(3, 10)).await;
    let booked = book(&linked, &tenant, &erika, on_day(5, 9)).await;

    let run = linked.sync().await;
    until_sync_is(&linked, &booked, "pending CONSENT_MISSING").await;
    let asked = double.requests().len();
    let here = linked.appointments().await;
    let slots = ListFreeSlotsRequest {
        practitioner_id: linked.lines("practitioner_id", "event_type").await.remove(0),
        service_id: linked.lines("service_id", "event_type").await.remove(0),
        start_time_from: Some(desk::timestamp(on_day(3, 0))),
        start_time_until: Some(desk::timestamp(on_day(4, 0))),
        ..Default::default()
    };
    let slots = tenant.admin.appointments().list_free_slots(slots).await.map(|_| ());
    grant(&tenant.admin, appointments_for(linked.integration)).await.unwrap();
    linked.idle().await;

    assert_eq!((run.state, run.reason.as_deref()), (SyncState::Failed, Some("CONSENT_MISSING")));
    assert_eq!((asked, here), (0, vec![line("booked", on_day(5, 9))]));
    assert_eq!(reason(&slots.unwrap_err()), "CONSENT_MISSING");
    until_sync_is(&linked, &booked, "synced").await;
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10)), line("booked", on_day(5, 9))]);
}

/// P2. The step that is under way ends, and no other one begins.
#[tokio::test]
async fn a_consent_that_is_revoked_in_the_middle_of_a_run_ends_the_run() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let given = grant(&tenant.admin, appointments_for(linked.integration)).await.unwrap();
    linked.change(Changes { consent_required: Some(true), ..Changes::default() }).await.expect("marked");
    linked.idle().await;
    let mut gate = double.pause_next(Point::BeforeApplying, Operation::ListEventTypes);
    let run = linked.start(&no_key()).await.expect("begun");
    gate.reached().await.expect("the event types are asked for");
    double.forget_requests();

    revoke(&tenant.admin, &given).await.unwrap();
    gate.open();
    let ended = linked.ended(run.id).await;
    linked.idle().await;

    assert_eq!((ended.state, ended.reason.as_deref()), (SyncState::Failed, Some("CONSENT_MISSING")));
    assert_eq!(double.requests().len(), 0);
}

/// P2. The page that is under way was asked for with leave, and is not kept without.
#[tokio::test]
async fn of_planning_nothing_is_kept_from_the_moment_a_consent_is_revoked() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = asana::Planner::new(&app, &tenant, &double).await;
    planner.task("Rohbau", "2026-11-13");
    planner.change_integration(|row| row.consent_required = true).await;
    let untold = planner.sync().await;
    let planning = GrantConsentRequest {
        scopes: vec![ConsentScope::Planning.into()],
        ..appointments_for(planner.integration)
    };
    let given = grant(&tenant.admin, planning).await.unwrap();
    // What was refused begins by itself.
    planner.idle().await;
    let told = planner.phases().await.len();
    planner.task("Dachstuhl", "2026-11-20");
    let mut gate = double.pause_next(Stage::AfterApplying, Asked::ListTasks);
    let run = planner.start().await;
    gate.reached().await.expect("the tasks are asked for");
    double.forget_requests();

    revoke(&tenant.admin, &given).await.unwrap();
    gate.open();
    let ended = planner.ended(run.id).await;
    planner.idle().await;

    for run in [untold, ended] {
        assert_eq!((run.state, run.reason.as_deref()), (SyncState::Failed, Some("CONSENT_MISSING")));
    }
    assert_eq!((told, planner.phases().await.len()), (1, 1));
    assert_eq!(double.requests().len(), 0);
}

/// The house agreed, one patient took their word back: that patient's visits are not told, others' are, and
/// what was told may be taken back.
#[tokio::test]
async fn a_patients_own_no_goes_before_the_houses_yes() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    grant(&tenant.admin, appointments_for(linked.integration)).await.unwrap();
    linked.change(Changes { consent_required: Some(true), ..Changes::default() }).await.expect("marked");
    let (erika, max) = (person(&tenant, "Erika").await, person(&tenant, "Max").await);
    let named = GrantConsentRequest { patient_id: erika.clone(), ..appointments_for(linked.integration) };
    let own = grant(&tenant.admin, named).await.unwrap();
    let told = book(&linked, &tenant, &erika, on_day(5, 9)).await;
    until_sync_is(&linked, &told, "synced").await;

    revoke(&tenant.admin, &own).await.unwrap();
    let untold = book(&linked, &tenant, &erika, on_day(6, 9)).await;
    let others = book(&linked, &tenant, &max, on_day(6, 10)).await;
    until_sync_is(&linked, &untold, "pending CONSENT_MISSING").await;
    until_sync_is(&linked, &others, "synced").await;
    let cancel = CancelAppointmentRequest { appointment_id: told.clone(), ..Default::default() };
    tenant.admin.appointments().cancel_appointment(cancel).await.expect("cancelled");
    until_sync_is(&linked, &told, "synced").await;

    let living = double
        .bookings()
        .into_iter()
        .filter(|one| one.status == double::Status::Accepted)
        .map(|one| one.start);
    assert_eq!(living.collect::<Vec<_>>(), [on_day(6, 10)]);
}

/// Two records turn out to be one person, who had said no as one of them: it still is a no, until that person
/// says something else.
#[tokio::test]
async fn a_no_is_still_one_when_who_said_it_is_merged_into_somebody() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    grant(&tenant.admin, appointments_for(linked.integration)).await.unwrap();
    linked.change(Changes { consent_required: Some(true), ..Changes::default() }).await.expect("marked");
    let mut people = Vec::new();
    for email in ["erika@example.org", "e.muster@example.org"] {
        let request = CreatePatientRequest {
            email: email.into(),
            phone: "030 901820".into(),
            ..desk::person("Erika", "Muster")
        };
        people.push(desk::add_patient(&tenant.admin, request).await.patient_id);
    }
    let named = |patient: &str| GrantConsentRequest {
        patient_id: patient.into(),
        ..appointments_for(linked.integration)
    };
    let own = grant(&tenant.admin, named(&people[1])).await.unwrap();
    revoke(&tenant.admin, &own).await.unwrap();
    let pair = desk::candidates(&tenant.admin, LinkCandidateState::Open).await.remove(0);
    desk::decide(&tenant.admin, &pair.link_candidate_id, LinkDecision::Merge).await;

    let untold = book(&linked, &tenant, &people[0], on_day(6, 9)).await;
    until_sync_is(&linked, &untold, "pending CONSENT_MISSING").await;
    grant(&tenant.admin, named(&people[0])).await.unwrap();
    until_sync_is(&linked, &untold, "synced").await;
}
