//! A stranger's id answers like an unknown one, in every field of every request that takes an id.

mod cases;
mod link_cases;
mod lists;
mod onboarding_cases;
mod planning_cases;
mod privacy_cases;

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use prost::Message;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use prost_types::Timestamp;
use serde_json::json;
use stellwerk::{
    grpc::access_rules::DESCRIPTORS,
    proto::{link_subject_request::Person, *},
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::told;
use crate::support::{app::TestApp, database::Session, seed::contents, tenant::TestTenant};

/// P3.
#[tokio::test]
async fn a_strangers_id_answers_like_an_unknown_one() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let owner = app.database.owner().await;
    let (theirs, own) = (Records::of(&owner, &acme).await, Records::of(&owner, &globex).await);
    let of_acme = format!("tenant_id = '{}'", acme.id);
    let before = contents(&owner, &of_acme).await;

    let mut cases = cases::all(&theirs, &own);
    cases.extend(link_cases::all(&theirs, &own));
    cases.extend(planning_cases::all(&theirs, &own));
    cases.extend(onboarding_cases::all(&theirs));
    cases.extend(privacy_cases::all(&theirs, &own));
    let mut wrong = Vec::new();
    for case in &cases {
        let path = format!("/stellwerk.v1.{}", case.rpc);
        let foreign = globex.admin.call(&path, case.foreign.clone()).await;
        let unknown = globex.admin.call(&path, case.unknown.clone()).await;
        let same = comparable(&foreign) == comparable(&unknown);
        let outcome = told(foreign);
        let fits = match case.expected {
            NOTHING => outcome.0 == Code::Ok,
            expected => outcome == (Code::NotFound, expected.into()),
        };
        if !(same && fits) {
            wrong.push(format!("{} {}: {outcome:?}, like an unknown one: {same}", case.rpc, case.field));
        }
    }

    assert_eq!(wrong, [""; 0]);
    assert_eq!(contents(&owner, &of_acme).await, before);
    let covered: BTreeSet<_> =
        cases.iter().map(|case| (case.rpc.to_string(), case.field.to_string())).collect();
    assert_eq!(covered, id_fields());
}

/// All that a caller could tell two answers apart by.
fn comparable(outcome: &Result<Vec<u8>, Status>) -> (Code, Vec<u8>, String, Vec<u8>) {
    match outcome {
        Ok(message) => (Code::Ok, message.clone(), String::new(), Vec::new()),
        Err(status) => (status.code(), Vec::new(), status.message().into(), status.details().into()),
    }
}

/// What a filter finds by an id that is not the caller's.
const NOTHING: &str = "";

/// One id in one request, meant for somebody else's record and for no record at all.
struct Case {
    rpc: &'static str,
    field: &'static str,
    foreign: Vec<u8>,
    unknown: Vec<u8>,
    /// The reason, or `NOTHING`.
    expected: &'static str,
}

fn case<M: Message>(
    rpc: &'static str,
    field: &'static str,
    foreign: &str,
    expected: &'static str,
    request: impl Fn(String) -> M,
) -> Case {
    let encoded = |id: String| request(id).encode_to_vec();
    Case {
        rpc,
        field,
        foreign: encoded(foreign.into()),
        unknown: encoded(Uuid::now_v7().to_string()),
        expected,
    }
}

/// Every field of every request that holds the id of a record, as the descriptors list them.
fn id_fields() -> BTreeSet<(String, String)> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = pool.services().filter(|service| service.package_name() == "stellwerk.v1").collect::<Vec<_>>();
    let methods = ours.iter().flat_map(|service| service.methods());
    methods
        .flat_map(|method| {
            let rpc = format!("{}/{}", method.parent_service().name(), method.name());
            ids_in(&method.input()).into_iter().map(move |field| (rpc.clone(), field))
        })
        .collect()
}

/// Those of messages inside as `filter.integration_id`.
fn ids_in(message: &MessageDescriptor) -> Vec<String> {
    let mut ids = Vec::new();
    for field in message.fields() {
        let name = field.name();
        if name.ends_with("_id") || name.ends_with("_ids") {
            ids.push(name.to_string());
        }
        if let Kind::Message(inner) = field.kind()
            && inner.package_name() == "stellwerk.v1"
        {
            ids.extend(ids_in(&inner).iter().map(|id| format!("{name}.{id}")));
        }
    }
    ids
}

/// A record of every kind.
struct Records {
    practitioner: String,
    service: String,
    patient: String,
    patient_link: String,
    link_candidate: String,
    patient_import: String,
    appointment: String,
    hold: String,
    integration: String,
    webhook_endpoint: String,
    webhook_event: String,
    subject_link: String,
    api_key: String,
    sync_log: String,
    review_item: String,
    dead_letter: String,
    alert_destination: String,
    planning: planning_cases::Planning,
    consent: String,
}

impl Records {
    async fn of(owner: &Session, tenant: &TestTenant) -> Self {
        let admin = &tenant.admin;
        let practitioner = tenant.put_practitioner("Dr. Muster").await;
        let service = tenant.put_service("Massage").await;
        let tool = tenant.booking_tool(SignatureScheme::Standard).await;
        let person =
            json!({ "id": "p1", "vorname": "Max", "nachname": "Beispiel", "geburtsdatum": "1980-05-17" });
        let delivered = tool.patient_created(person).await;
        let linked =
            admin.patients().list_patients(ListPatientsRequest::default()).await.unwrap().into_inner();
        let twin = CreatePatientRequest {
            first_name: "Max".into(),
            last_name: "Beispiel".into(),
            birth_date: "1980-05-17".into(),
            ..Default::default()
        };
        admin.patients().create_patient(twin).await.unwrap();
        let candidates =
            admin.patients().list_link_candidates(ListLinkCandidatesRequest::default()).await.unwrap();
        let import =
            admin.patients().start_patient_import(StartPatientImportRequest::default()).await.unwrap();
        let patient = linked.patients[0].patient_id.clone();
        let booking = BookAppointmentRequest {
            patient_id: patient.clone(),
            practitioner_id: practitioner.clone(),
            service_id: service.clone(),
            start_time: Some(in_days(2)),
            ..Default::default()
        };
        let booked = admin.appointments().book_appointment(booking).await.unwrap().into_inner();
        let hold = HoldSlotRequest {
            practitioner_id: practitioner.clone(),
            service_id: service.clone(),
            start_time: Some(in_days(3)),
            ..Default::default()
        };
        let held = admin.appointments().hold_slot(hold).await.unwrap().into_inner();
        let booking_url = "https://booking.example.org/?name={name}".to_string();
        let settings = UpdateTenantSettingsRequest { booking_url, ..Default::default() };
        admin.access().update_tenant_settings(settings).await.unwrap();
        let api_key = tenant.key(Role::Practitioner, &[]).await.id;
        let subject_link =
            tenant.link_subject("api_key", &api_key, Person::PractitionerId(practitioner.clone())).await;
        let integration = tool.endpoint.integration_id.clone();
        let [sync_log, review_item, dead_letter, alert_destination, consent] =
            plant(owner, tenant, &integration).await;
        Self {
            planning: planning_cases::Planning::plant(owner, tenant, &integration).await,
            sync_log,
            review_item,
            dead_letter,
            alert_destination,
            consent,
            practitioner,
            service,
            patient_link: linked.patients[0].links[0].patient_link_id.clone(),
            patient,
            link_candidate: candidates.into_inner().link_candidates[0].link_candidate_id.clone(),
            patient_import: import.into_inner().patient_import.unwrap().patient_import_id,
            appointment: booked.appointment.unwrap().appointment_id,
            hold: held.appointment.unwrap().appointment_id,
            integration,
            webhook_endpoint: tool.endpoint.webhook_endpoint_id.clone(),
            webhook_event: delivered.body["event_id"].as_str().unwrap().into(),
            subject_link,
            api_key,
        }
    }
}

/// What no rpc makes: a run, a review item, a dead letter,
/// a place for alerts and a consent that nothing works on.
async fn plant(owner: &Session, tenant: &TestTenant, integration: &str) -> [String; 5] {
    let ids: [Uuid; 5] = std::array::from_fn(|_| Uuid::now_v7());
    let [run, item, letter, destination, consent] = ids;
    owner.run(&format!("SET stellwerk.tenant_id = '{}'", tenant.id)).await;
    for statement in [
        format!(
            "INSERT INTO sync_log (id, integration_id, kind, state, cause) \
             VALUES ('{run}', '{integration}', 'manual', 'running', 'system')"
        ),
        format!(
            "INSERT INTO review_item (id, kind, integration_id, reason) \
             VALUES ('{item}', 'deletions_over_guard', '{integration}', 'MANY_DELETIONS')"
        ),
        format!(
            "INSERT INTO outbox (id, kind, lane, payload, cause, state, reason, integration_id) \
             VALUES ('{letter}', 'reconcile', 'integration/{integration}', '{{}}', 'system', 'dead', \
                 'gave up', '{integration}')"
        ),
        format!(
            "INSERT INTO alert_destination (id, kind, name, url_host, sealed_target) \
             VALUES ('{destination}', 'webhook', 'Telefon', 'alerts.example.org', '\\x00')"
        ),
        format!(
            "INSERT INTO consent (id, integration_id, subject, scopes, text_version) \
             VALUES ('{consent}', '{integration}', 'system', '{{appointments}}', 'v1')"
        ),
    ] {
        owner.run(&statement).await;
    }
    owner.run("RESET stellwerk.tenant_id").await;
    ids.map(|id| id.to_string())
}

fn in_days(days: i64) -> Timestamp {
    Timestamp { seconds: (Utc::now() + Duration::days(days)).timestamp(), nanos: 0 }
}
