//! Who may call what: every rpc of the protos as nobody, as every role, without its scope, unlinked, and as a stranger.

use std::collections::BTreeSet;

use chrono::{Duration, Utc};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::Timestamp;
use serde_json::{Value, json};
use stellwerk::{
    grpc::access_rules::{AccessRules, DESCRIPTORS, Rule},
    proto::{link_subject_request::Person, *},
    words,
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{
    app::{IssuersFile, TestApp},
    caller::TestCaller,
    jwt, reason,
    seed::contents,
    tenant::TestTenant,
};

#[tokio::test]
async fn every_rpc_asks_who_is_calling() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let expired = acme.key(Role::Admin, &[]).await;
    let expire =
        format!("UPDATE api_key SET expire_time = now() - interval '1 s' WHERE id = '{}'", expired.id);
    app.database.owner().await.run(&expire).await;
    let revoked = acme.key(Role::Admin, &[]).await;
    let revoke = RevokeApiKeyRequest { api_key_id: revoked.id.clone(), ..Default::default() };
    acme.admin.access().revoke_api_key(revoke).await.unwrap();
    let nobodies = [
        (app.anonymous(), "CREDENTIAL_MISSING"),
        (app.bearer("neither-key-nor-token"), "CREDENTIAL_MALFORMED"),
        (app.bearer(&format!("swk_00000000_{}", "A".repeat(43))), "API_KEY_UNKNOWN"),
        (app.bearer(&expired.secret), "API_KEY_EXPIRED"),
        (app.bearer(&revoked.secret), "API_KEY_REVOKED"),
    ];

    let mut wrong = Vec::new();
    for (path, _) in rules() {
        for (nobody, expected) in &nobodies {
            let outcome = told(nobody.call(&path, Vec::new()).await);
            if outcome != (Code::Unauthenticated, expected.to_string()) {
                wrong.push(format!("{path} {expected}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn every_role_may_call_what_the_protos_say_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let all_scopes = scopes();
    let callers = [
        (words::Role::Operator, app.operator()),
        (words::Role::Admin, acme.admin.clone()),
        (words::Role::Hr, acme.hr().await),
        (words::Role::Practitioner, acme.practitioner().await.caller),
        (words::Role::Patient, acme.patient().await.caller),
        (
            words::Role::Service,
            acme.service(&all_scopes.iter().map(String::as_str).collect::<Vec<_>>()).await,
        ),
    ];

    let mut wrong = Vec::new();
    for (path, rule) in rules() {
        for (role, caller) in &callers {
            let outcome = told(caller.call(&path, Vec::new()).await);
            // An empty request gets as far as the field rules, where there are any.
            let fits = match rule.roles.contains(role) {
                true => matches!(outcome.0, Code::Ok | Code::InvalidArgument),
                false => outcome == (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into()),
            };
            if !fits {
                wrong.push(format!("{path} as {role}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn a_service_needs_the_scope_of_the_rpc() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let mut wrong = Vec::new();
    for missing in scopes() {
        let others: Vec<String> = scopes().into_iter().filter(|scope| *scope != missing).collect();
        let service = acme.service(&others.iter().map(String::as_str).collect::<Vec<_>>()).await;
        for (path, _) in rules().into_iter().filter(|(_, rule)| rule.scope.as_ref() == Some(&missing)) {
            let outcome = told(service.call(&path, Vec::new()).await);
            if outcome != (Code::PermissionDenied, "SCOPE_MISSING".into()) {
                wrong.push(format!("{path} without {missing}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn practitioners_and_patients_must_be_linked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let unlinked = [
        (words::Role::Practitioner, acme.caller(Role::Practitioner, &[]).await),
        (words::Role::Patient, acme.caller(Role::Patient, &[]).await),
    ];

    let mut wrong = Vec::new();
    for (path, rule) in rules() {
        for (role, caller) in unlinked.iter().filter(|(role, _)| rule.roles.contains(role)) {
            let outcome = told(caller.call(&path, Vec::new()).await);
            if outcome != (Code::PermissionDenied, "SUBJECT_NOT_LINKED".into()) {
                wrong.push(format!("{path} as {role}: {outcome:?}"));
            }
        }
    }

    assert_eq!(wrong, [""; 0]);
}

#[tokio::test]
async fn a_strangers_id_answers_like_an_unknown_one() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (theirs, own) = (Records::of(&acme).await, Records::of(&globex).await);
    let owner = app.database.owner().await;
    let of_acme = format!("tenant_id = '{}'", acme.id);
    let before = contents(&owner, &of_acme).await;

    let cases = cases(&theirs, &own);
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

#[tokio::test]
async fn a_token_that_is_not_right_in_everything_is_refused() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let keys = IssuersFile::write(&jwt::jwks(&[jwt::ES256]));
    let issuers = IssuersFile::write(&issuers(&acme, &keys));
    let instance = app.second_instance(&[&issuers.setting()]).await;
    let good = claims(&acme, "admin");
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        jwt::ES256.sign(&claims)
    };
    let header = json!({ "typ": "JWT", "alg": "ES256", "kid": jwt::ES256.kid });
    let (past, future) = (Utc::now() - Duration::hours(1), Utc::now() + Duration::hours(1));

    let mut outcomes = String::new();
    for (name, token) in [
        ("right", jwt::ES256.sign(&good)),
        ("alg none", jwt::unsigned(&good)),
        ("shared secret", jwt::sign_hs256(jwt::ES256.kid, b"secret", &good)),
        ("algorithm not listed", jwt::EDDSA.sign(&good)),
        ("unknown kid", jwt::ES256_NEXT.sign(&good)),
        ("another key", jwt::ES256_NEXT.sign_with_header(&header, &good)),
        ("another issuer", changed("iss", "https://else.example.com/".into())),
        ("another audience", changed("aud", "else".into())),
        ("expired", changed("exp", past.timestamp().into())),
        ("no expiry", changed("exp", Value::Null)),
        ("not yet valid", changed("nbf", future.timestamp().into())),
        ("another tenant", changed("stellwerk_tenant", globex.id.to_string().into())),
        ("the house", changed("stellwerk_tenant", Uuid::nil().to_string().into())),
        ("no subject", changed("sub", Value::Null)),
        ("operator", changed("stellwerk_role", "operator".into())),
        ("service", changed("stellwerk_role", "service".into())),
    ] {
        let caller = TestCaller::new(instance.channel(), Some(&token));
        let outcome = told(caller.call("/stellwerk.v1.AccessService/GetTenantSettings", Vec::new()).await);
        outcomes += &format!("{name}: {:?} {}\n", outcome.0, outcome.1);
    }

    insta::assert_snapshot!(outcomes, @r"
    right: Ok 
    alg none: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    shared secret: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    algorithm not listed: Unauthenticated TOKEN_ALGORITHM_NOT_ALLOWED
    unknown kid: Unauthenticated TOKEN_KEY_UNKNOWN
    another key: Unauthenticated TOKEN_SIGNATURE_INVALID
    another issuer: Unauthenticated TOKEN_ISSUER_UNKNOWN
    another audience: Unauthenticated TOKEN_AUDIENCE_WRONG
    expired: Unauthenticated TOKEN_EXPIRED
    no expiry: Unauthenticated TOKEN_EXPIRED
    not yet valid: Unauthenticated TOKEN_NOT_YET_VALID
    another tenant: Unauthenticated TOKEN_TENANT_NOT_ALLOWED
    the house: Unauthenticated TOKEN_TENANT_NOT_ALLOWED
    no subject: Unauthenticated TOKEN_CLAIM_INVALID
    operator: Unauthenticated TOKEN_CLAIM_INVALID
    service: Unauthenticated TOKEN_CLAIM_INVALID
    ");
}

#[tokio::test]
async fn a_signed_in_patient_is_whom_an_admin_says() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let keys = IssuersFile::write(&jwt::jwks(&[jwt::ES256]));
    let issuers = IssuersFile::write(&issuers(&acme, &keys));
    let instance = app.second_instance(&[&issuers.setting()]).await;
    let erika = TestCaller::new(instance.channel(), Some(&jwt::ES256.sign(&claims(&acme, "patient"))));
    let (own, other) =
        (acme.create_patient("Erika", "Muster").await, acme.create_patient("Max", "Beispiel").await);
    let get = |patient_id: &String| GetPatientRequest { patient_id: patient_id.clone() };

    let before = erika.patients().get_patient(get(&own)).await.unwrap_err();
    acme.link_subject(ISSUER, "erika", Person::PatientId(own.clone())).await;
    let linked = erika.patients().get_patient(get(&own)).await.unwrap().into_inner();
    let another = erika.patients().get_patient(get(&other)).await.unwrap_err();

    assert_eq!(reason(&before), "SUBJECT_NOT_LINKED");
    assert_eq!(linked.patient.unwrap().patient_id, own);
    assert_eq!((another.code(), reason(&another)), (Code::NotFound, "PATIENT_NOT_FOUND".into()));
}

/// Every rpc with its rule.
fn rules() -> Vec<(String, Rule)> {
    let rules = AccessRules::read(DESCRIPTORS).unwrap();
    let mut all: Vec<_> = rules.all().map(|(path, rule)| (path.to_string(), rule.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(all.len() >= 40, "{} rpcs", all.len());
    all
}

/// Every scope that an rpc asks for.
fn scopes() -> Vec<String> {
    rules().into_iter().filter_map(|(_, rule)| rule.scope).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Code and reason; no reason where all is well.
fn told(outcome: Result<Vec<u8>, Status>) -> (Code, String) {
    match outcome {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), reason(&status)),
    }
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

/// Their ids in requests that are the caller's own in everything else. A request with a new id field fails the test until it is here.
fn cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let mut cases = access_cases(theirs);
    cases.extend(patient_cases(theirs, own));
    cases.extend(appointment_cases(theirs, own));
    cases.extend(webhook_cases(theirs));
    cases
}

fn access_cases(theirs: &Records) -> Vec<Case> {
    vec![
        case(
            "AccessService/UpdateTenantSettings",
            "default_practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |id| UpdateTenantSettingsRequest { default_practitioner_id: id, ..Default::default() },
        ),
        case(
            "AccessService/LinkSubject",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |id| link_subject(Person::PractitionerId(id)),
        ),
        case("AccessService/LinkSubject", "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |id| {
            link_subject(Person::PatientId(id))
        }),
        case(
            "AccessService/UnlinkSubject",
            "subject_link_id",
            &theirs.subject_link,
            "SUBJECT_LINK_NOT_FOUND",
            |subject_link_id| UnlinkSubjectRequest { subject_link_id, ..Default::default() },
        ),
        case(
            "AccessService/RevokeApiKey",
            "api_key_id",
            &theirs.api_key,
            "API_KEY_NOT_FOUND",
            |api_key_id| RevokeApiKeyRequest { api_key_id, ..Default::default() },
        ),
        case("AccessService/PutService", "service_id", &theirs.service, "SERVICE_NOT_FOUND", |service_id| {
            PutServiceRequest {
                service_id,
                name: "Other".into(),
                duration: Some(half_an_hour()),
                ..Default::default()
            }
        }),
        case(
            "AccessService/PutPractitioner",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| PutPractitionerRequest {
                practitioner_id,
                name: "Other".into(),
                ..Default::default()
            },
        ),
    ]
}

fn patient_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let import = "PATIENT_IMPORT_NOT_FOUND";
    vec![
        case(
            "PatientService/CreatePatient",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| CreatePatientRequest {
                practitioner_id,
                last_name: "Muster".into(),
                ..Default::default()
            },
        ),
        case("PatientService/GetPatient", "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |patient_id| {
            GetPatientRequest { patient_id }
        }),
        case(
            "PatientService/ListPatients",
            "practitioner_id",
            &theirs.practitioner,
            NOTHING,
            |practitioner_id| ListPatientsRequest { practitioner_id, ..Default::default() },
        ),
        case(
            "PatientService/UpdatePatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| UpdatePatientRequest { patient_id, first_name: "Else".into(), ..Default::default() },
        ),
        case(
            "PatientService/UpdatePatient",
            "practitioner_id",
            &theirs.practitioner,
            "PRACTITIONER_NOT_FOUND",
            |practitioner_id| UpdatePatientRequest {
                patient_id: own.patient.clone(),
                practitioner_id,
                ..Default::default()
            },
        ),
        case(
            "PatientService/DeletePatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| DeletePatientRequest { patient_id, ..Default::default() },
        ),
        case(
            "PatientService/StartPatientImport",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |integration_id| StartPatientImportRequest { integration_id, ..Default::default() },
        ),
        case(
            "PatientService/UploadPatientImportChunk",
            "patient_import_id",
            &theirs.patient_import,
            import,
            |id| UploadPatientImportChunkRequest {
                patient_import_id: id,
                offset_bytes: 0,
                data: b"nachname\n".to_vec(),
            },
        ),
        case(
            "PatientService/FinishPatientImport",
            "patient_import_id",
            &theirs.patient_import,
            import,
            |id| FinishPatientImportRequest { patient_import_id: id, dry_run: true },
        ),
        case("PatientService/GetPatientImport", "patient_import_id", &theirs.patient_import, import, |id| {
            GetPatientImportRequest { patient_import_id: id, ..Default::default() }
        }),
        case(
            "PatientService/GetBookingLink",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| GetBookingLinkRequest { patient_id },
        ),
        case(
            "PatientService/ResolveLinkCandidate",
            "link_candidate_id",
            &theirs.link_candidate,
            "LINK_CANDIDATE_NOT_FOUND",
            |link_candidate_id| ResolveLinkCandidateRequest {
                link_candidate_id,
                decision: LinkDecision::Merge.into(),
                ..Default::default()
            },
        ),
        case(
            "PatientService/UnlinkPatient",
            "patient_id",
            &theirs.patient,
            "PATIENT_NOT_FOUND",
            |patient_id| UnlinkPatientRequest {
                patient_id,
                patient_link_id: own.patient_link.clone(),
                ..Default::default()
            },
        ),
        case(
            "PatientService/UnlinkPatient",
            "patient_link_id",
            &theirs.patient_link,
            "PATIENT_LINK_NOT_FOUND",
            |patient_link_id| UnlinkPatientRequest {
                patient_id: own.patient.clone(),
                patient_link_id,
                ..Default::default()
            },
        ),
    ]
}

fn appointment_cases(theirs: &Records, own: &Records) -> Vec<Case> {
    let (book, hold, move_) = (
        "AppointmentService/BookAppointment",
        "AppointmentService/HoldSlot",
        "AppointmentService/RescheduleAppointment",
    );
    let (cancel, list) = ("AppointmentService/CancelAppointment", "AppointmentService/ListAppointments");
    let (get, history) = ("AppointmentService/GetAppointment", "AppointmentService/GetAppointmentHistory");
    let (patient, practitioner) = ("PATIENT_NOT_FOUND", "PRACTITIONER_NOT_FOUND");
    let (service, appointment) = ("SERVICE_NOT_FOUND", "APPOINTMENT_NOT_FOUND");
    let booking = || BookAppointmentRequest {
        patient_id: own.patient.clone(),
        practitioner_id: own.practitioner.clone(),
        service_id: own.service.clone(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    let holding = || HoldSlotRequest {
        practitioner_id: own.practitioner.clone(),
        service_id: own.service.clone(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    let moving = |appointment_id: &str| RescheduleAppointmentRequest {
        appointment_id: appointment_id.into(),
        start_time: Some(in_days(9)),
        ..Default::default()
    };
    vec![
        case(book, "hold_appointment_id", &theirs.hold, appointment, |hold_appointment_id| {
            BookAppointmentRequest {
                hold_appointment_id,
                patient_id: own.patient.clone(),
                ..Default::default()
            }
        }),
        case(book, "patient_id", &theirs.patient, patient, |id| BookAppointmentRequest {
            patient_id: id,
            ..booking()
        }),
        case(book, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            BookAppointmentRequest { practitioner_id, ..booking() }
        }),
        case(book, "service_id", &theirs.service, service, |id| BookAppointmentRequest {
            service_id: id,
            ..booking()
        }),
        case(hold, "patient_id", &theirs.patient, patient, |id| HoldSlotRequest {
            patient_id: id,
            ..holding()
        }),
        case(hold, "practitioner_id", &theirs.practitioner, practitioner, |id| HoldSlotRequest {
            practitioner_id: id,
            ..holding()
        }),
        case(hold, "service_id", &theirs.service, service, |id| HoldSlotRequest {
            service_id: id,
            ..holding()
        }),
        case(move_, "appointment_id", &theirs.appointment, appointment, |id| moving(&id)),
        case(move_, "practitioner_id", &theirs.practitioner, practitioner, |practitioner_id| {
            RescheduleAppointmentRequest { practitioner_id, ..moving(&own.appointment) }
        }),
        case(cancel, "appointment_id", &theirs.appointment, appointment, |id| CancelAppointmentRequest {
            appointment_id: id,
            ..Default::default()
        }),
        case(get, "appointment_id", &theirs.appointment, appointment, |id| GetAppointmentRequest {
            appointment_id: id,
        }),
        case(history, "appointment_id", &theirs.appointment, appointment, |id| {
            GetAppointmentHistoryRequest { appointment_id: id, ..Default::default() }
        }),
        case(list, "patient_id", &theirs.patient, NOTHING, |id| ListAppointmentsRequest {
            patient_id: id,
            ..Default::default()
        }),
        case(list, "practitioner_id", &theirs.practitioner, NOTHING, |id| ListAppointmentsRequest {
            practitioner_id: id,
            ..Default::default()
        }),
    ]
}

fn webhook_cases(theirs: &Records) -> Vec<Case> {
    let (endpoint, event) = ("WEBHOOK_ENDPOINT_NOT_FOUND", "WEBHOOK_EVENT_NOT_FOUND");
    vec![
        case(
            "WebhookService/CreateWebhookEndpoint",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |integration_id| CreateWebhookEndpointRequest {
                integration_id,
                provider: "booking".into(),
                ..Default::default()
            },
        ),
        case(
            "WebhookService/DisableWebhookEndpoint",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            endpoint,
            |id| DisableWebhookEndpointRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case(
            "WebhookService/RotateWebhookSecret",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            endpoint,
            |id| RotateWebhookSecretRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case(
            "WebhookService/ListWebhookEvents",
            "webhook_endpoint_id",
            &theirs.webhook_endpoint,
            NOTHING,
            |id| ListWebhookEventsRequest { webhook_endpoint_id: id, ..Default::default() },
        ),
        case("WebhookService/ReplayWebhookEvent", "webhook_event_id", &theirs.webhook_event, event, |id| {
            ReplayWebhookEventRequest { webhook_event_id: id, ..Default::default() }
        }),
    ]
}

fn link_subject(person: Person) -> LinkSubjectRequest {
    LinkSubjectRequest {
        issuer: ISSUER.into(),
        subject: "max".into(),
        person: Some(person),
        ..Default::default()
    }
}

fn in_days(days: i64) -> Timestamp {
    Timestamp { seconds: (Utc::now() + Duration::days(days)).timestamp(), nanos: 0 }
}

fn half_an_hour() -> prost_types::Duration {
    prost_types::Duration { seconds: 1800, nanos: 0 }
}

const ISSUER: &str = "https://id.example.com/";

/// An identity provider that speaks for one tenant.
fn issuers(tenant: &TestTenant, keys: &IssuersFile) -> Value {
    json!([{
        "issuer": ISSUER,
        "audiences": ["stellwerk"],
        "algorithms": ["ES256"],
        "keys": { "jwks_file": keys.path() },
        "tenants": { "claim": "stellwerk_tenant", "allowed": [tenant.id] },
        "role_map": { "admin": "admin", "patient": "patient" },
    }])
}

/// What that provider says of Erika.
fn claims(tenant: &TestTenant, role: &str) -> Value {
    jwt::claims(ISSUER, "stellwerk", "erika", tenant.id, role, Utc::now())
}
