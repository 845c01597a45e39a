//! A stranger's id answers like an unknown one, in every field of every request that takes an id.

mod cases;

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::Timestamp;
use serde_json::json;
use stellwerk::{
    grpc::access_rules::DESCRIPTORS,
    proto::{link_subject_request::Person, *},
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::told;
use crate::support::{app::TestApp, seed::contents, tenant::TestTenant};

/// P3.
#[tokio::test]
async fn a_strangers_id_answers_like_an_unknown_one() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (theirs, own) = (Records::of(&acme).await, Records::of(&globex).await);
    let owner = app.database.owner().await;
    let of_acme = format!("tenant_id = '{}'", acme.id);
    let before = contents(&owner, &of_acme).await;

    let cases = cases::all(&theirs, &own);
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
            let fields: Vec<_> = method.input().fields().map(|field| field.name().to_string()).collect();
            fields.into_iter().filter(|name| name.ends_with("_id")).map(move |name| (rpc.clone(), name))
        })
        .collect()
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
}

impl Records {
    async fn of(tenant: &TestTenant) -> Self {
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
        Self {
            practitioner,
            service,
            patient_link: linked.patients[0].links[0].patient_link_id.clone(),
            patient,
            link_candidate: candidates.into_inner().link_candidates[0].link_candidate_id.clone(),
            patient_import: import.into_inner().patient_import.unwrap().patient_import_id,
            appointment: booked.appointment.unwrap().appointment_id,
            hold: held.appointment.unwrap().appointment_id,
            integration: tool.endpoint.integration_id.clone(),
            webhook_endpoint: tool.endpoint.webhook_endpoint_id.clone(),
            webhook_event: delivered.body["event_id"].as_str().unwrap().into(),
            subject_link,
            api_key,
        }
    }
}

fn in_days(days: i64) -> Timestamp {
    Timestamp { seconds: (Utc::now() + Duration::days(days)).timestamp(), nanos: 0 }
}
