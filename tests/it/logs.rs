//! What must not be read: secrets and people in logs, and anything of the inside in answers.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::Utc;
use serde_json::json;
use stellwerk::proto::{self, Role, SignatureScheme};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    booking_tool::client,
    caller::TestCaller,
    desk::{self, book, person, slot},
    jwt,
    log_book::{self, LogBook},
    reason,
    said::{said, said_at, written},
    server::{Installation, Server},
    tenant::TestTenant,
    wait_until,
};

const FIRST_NAME: &str = "Xanthippe";
const LAST_NAME: &str = "Zwetschgenbaum";
const EMAIL: &str = "xanthippe@example.org";
const PHONE: &str = "030 99887766";
const NOTE: &str = "afraid of needles";

/// Everything that a person, a caller or an operator would not want to be read.
struct Secrets(Vec<String>);

impl Secrets {
    fn found_in(&self, log: &str) -> Vec<String> {
        let log = log.to_lowercase();
        let mut found = Vec::new();
        for secret in &self.0 {
            let forms =
                [secret.clone(), hex::encode(secret), BASE64.encode(secret), spelled_in_numbers(secret)];
            found.extend(forms.into_iter().filter(|form| log.contains(&form.to_lowercase())));
        }
        found
    }
}

/// As `{:?}` shows bytes.
fn spelled_in_numbers(text: &str) -> String {
    text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ")
}

async fn break_table(installation: &Installation, table: &str) {
    installation.owner().await.run(&format!("ALTER TABLE {table} RENAME TO {table}_gone")).await;
}

async fn repair_table(installation: &Installation, table: &str) {
    installation.owner().await.run(&format!("ALTER TABLE {table}_gone RENAME TO {table}")).await;
}

/// Somebody registers, books, is imported and refused, and things break. Returns what must not be logged.
async fn tour(installation: &Installation, server: &Server) -> Secrets {
    let acme = installation.tenant(server, "acme").await;
    let key = acme.key(Role::Service, &["patients:read", "patients:write"]).await;
    let now = Utc::now();
    let claims = jwt::claims("https://idp.example.org", "stellwerk", "somebody", acme.id, "admin", now);
    let token = jwt::sign_hs256("k1", b"nobody knows this", &claims);
    let request = proto::CreateWebhookEndpointRequest {
        provider: "booking".into(),
        scheme: SignatureScheme::Legacy.into(),
        ..Default::default()
    };
    let endpoint = acme.admin.webhooks().create_webhook_endpoint(request).await.unwrap().into_inner();
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let path = endpoint.webhook_endpoint.as_ref().unwrap().url.rsplit('/').next().unwrap().to_string();
    let tools_path = tool.path.rsplit('/').next().unwrap().to_string();
    let mut secrets: Vec<String> =
        [FIRST_NAME, LAST_NAME, EMAIL, PHONE, NOTE, "nobody knows this"].map(String::from).into();
    secrets.extend([key.secret.clone(), token.clone(), endpoint.secret, path, tools_path]);
    secrets.extend(token.split('.').map(String::from));

    let erika = json!({ "id": "p-1", "vorname": FIRST_NAME, "nachname": LAST_NAME, "email": EMAIL,
        "telefon": PHONE, "note": NOTE });
    let created = said_at("e-1", "patient.created", now, erika.clone());
    tool.tell(&created).await.kept();
    tool.tell(&created).await.kept();
    tool.tell(&said("patient.updated", json!({ "id": "p-1", "vorname": FIRST_NAME }))).await;
    tool.post(tool.signed("msg_1", 0, b"{}"), b"{}".into()).await;
    tool.tell_bytes(format!("not JSON: {FIRST_NAME}").into_bytes()).await;
    acme.bearer(&token).patients().list_patients(proto::ListPatientsRequest::default()).await.unwrap_err();
    acme.bearer(&format!("{}x", key.secret))
        .access()
        .list_services(proto::ListServicesRequest::default())
        .await
        .unwrap_err();
    refusals(&acme.bearer(&key.secret)).await;

    let patient = desk::only_patient(&acme.admin).await.patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    book(&acme.admin, slot(&patient, &practitioner, desk::in_days(7))).await.unwrap();
    import(&acme).await;
    let data = json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": written(now), "duration_minutes": 30,
        "therapist_name": LAST_NAME });
    break_table(installation, "appointment_change").await;
    tool.tell(&said("appointment.created", data)).await.kept();
    repair_table(installation, "appointment_change").await;
    break_table(installation, "patient").await;
    add_a_patient_in_vain(&acme).await;
    repair_table(installation, "patient").await;
    let owner = installation.owner().await;
    for (breaks, repairs) in [
        ("ADD CONSTRAINT patient_is_nobody CHECK (false) NOT VALID", "DROP CONSTRAINT patient_is_nobody"),
        ("ADD COLUMN nobodys text NOT NULL DEFAULT ''", "DROP COLUMN nobodys"),
    ] {
        owner.run(&format!("ALTER TABLE patient {breaks}")).await;
        if breaks.contains("nobodys") {
            owner.run("ALTER TABLE patient ALTER nobodys DROP DEFAULT").await;
        }
        add_a_patient_in_vain(&acme).await;
        owner.run(&format!("ALTER TABLE patient {repairs}")).await;
    }
    owner.run("REVOKE INSERT ON patient FROM stellwerk_app").await;
    add_a_patient_in_vain(&acme).await;
    owner.run("GRANT INSERT ON patient TO stellwerk_app").await;
    Secrets(secrets)
}

async fn add_a_patient_in_vain(acme: &TestTenant) {
    let refused = acme.admin.patients().create_patient(person(FIRST_NAME, LAST_NAME)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
}

/// Requests that repeat personal data in every field, and are refused for it.
async fn refusals(by: &TestCaller) {
    let create = proto::CreatePatientRequest {
        first_name: FIRST_NAME.into(),
        email: format!("{FIRST_NAME} {LAST_NAME}"),
        practitioner_id: LAST_NAME.into(),
        birth_date: FIRST_NAME.into(),
        ..Default::default()
    };
    assert_eq!(by.patients().create_patient(create).await.unwrap_err().code(), Code::InvalidArgument);
    let get = proto::GetPatientRequest { patient_id: format!("{FIRST_NAME}-{EMAIL}") };
    assert_eq!(by.patients().get_patient(get).await.unwrap_err().code(), Code::InvalidArgument);
    let list = proto::ListPatientsRequest {
        page_token: FIRST_NAME.into(),
        email: EMAIL.into(),
        ..Default::default()
    };
    assert_eq!(by.patients().list_patients(list).await.unwrap_err().code(), Code::InvalidArgument);
}

async fn import(acme: &TestTenant) {
    let by = &acme.admin;
    let started =
        by.patients().start_patient_import(proto::StartPatientImportRequest::default()).await.unwrap();
    let patient_import_id = started.into_inner().patient_import.unwrap().patient_import_id;
    let data = format!(
        "nachname;vorname;email;geburtsdatum\n{LAST_NAME};{FIRST_NAME};{EMAIL};31.02.1980\n\
         {LAST_NAME};Ida;;\n"
    );
    by.patients()
        .upload_patient_import_chunk(proto::UploadPatientImportChunkRequest {
            patient_import_id: patient_import_id.clone(),
            offset_bytes: 0,
            data: data.into_bytes(),
        })
        .await
        .unwrap();
    let finish =
        proto::FinishPatientImportRequest { patient_import_id: patient_import_id.clone(), dry_run: false };
    by.patients().finish_patient_import(finish).await.unwrap();
    wait_until("the import has ended", PATIENCE, async || {
        let get = proto::GetPatientImportRequest {
            patient_import_id: patient_import_id.clone(),
            ..Default::default()
        };
        let told = by.patients().get_patient_import(get).await.unwrap().into_inner();
        told.patient_import.unwrap().state() == proto::PatientImportState::Succeeded
    })
    .await;
}

/// P10.
#[tokio::test]
async fn no_secret_and_nobodys_data_is_ever_logged() {
    let installation = Installation::new().await;

    for settings in [["--log=trace", "--log-format=text"], ["--log=debug", "--log-format=json"]] {
        let server = installation.serve(&settings).await;
        let secrets = tour(&installation, &server).await;
        let log = server.stop().await;

        assert!(
            log.contains("a webhook event could not be applied") && log.contains("a call failed"),
            "{log}"
        );
        assert_eq!(secrets.found_in(&log), [""; 0], "{settings:?}");
        for sql in ["SELECT ", "INSERT INTO", "UPDATE \\\"", "SET LOCAL"] {
            assert!(!log.contains(sql), "{settings:?}: {sql}");
        }
        let log = log.replace("\\\"", "\"");
        assert_eq!(names_told(&installation, &log).await, [""; 0], "{settings:?}");
        for what_is_wrong in WITHOUT_NAMES {
            assert!(log.contains(what_is_wrong), "{settings:?}: {what_is_wrong}");
        }
    }
}

/// What is left of PostgreSQL's messages for an operator to read.
const WITHOUT_NAMES: [&str; 4] = [
    "relation \"…\" does not exist",
    "new row for relation \"…\" violates check constraint \"…\"",
    "null value in column \"…\" of relation \"…\" violates not-null constraint",
    "permission denied for table …",
];

/// Names of the inside, where PostgreSQL's messages have them: behind what they name.
async fn names_told(installation: &Installation, log: &str) -> Vec<String> {
    let names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace \
        UNION SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
        UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
        UNION SELECT unnest(ARRAY['patient_is_nobody', 'nobodys'])";
    let names = installation.owner().await.lines(names).await;
    let things = ["relation", "table", "constraint", "column", "function"];
    let said = |name: &String| {
        things.iter().any(|thing| {
            log.contains(&format!("{thing} \"{name}\"")) || log.contains(&format!("{thing} {name}"))
        })
    };
    names.into_iter().filter(said).collect()
}

/// Words of the inside: SQL, tables, constraints, files, addresses.
const INSIDE: [&str; 22] = [
    "select ",
    "insert ",
    "update ",
    "delete from",
    "relation",
    "constraint",
    "violates",
    "syntax",
    "column",
    "postgres",
    "diesel",
    "tokio",
    "stellwerk_",
    "_gone",
    "_pkey",
    "panicked",
    ".rs",
    "/tmp",
    "127.0.0.1",
    "localhost",
    "socket",
    "0x",
];

fn assert_neutral(answer: &str) {
    let lower = answer.to_lowercase();
    let told: Vec<_> = INSIDE.iter().filter(|word| lower.contains(**word)).collect();
    assert!(told.is_empty(), "{told:?} in: {answer}");
}

/// Message and details: they are what a caller reads.
fn all_of(status: &Status) -> String {
    format!("{} {}", status.message(), String::from_utf8_lossy(status.details()))
}

/// P10.
#[tokio::test]
async fn an_answer_tells_nothing_of_the_inside() {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let acme = installation.tenant(&server, "acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let by = &acme.admin;
    let nobody = Uuid::now_v7().to_string();
    let patient = desk::add_patient(by, person("Erika", "Muster")).await.patient_id;
    let start = desk::in_days(7);

    let mut refused = vec![
        desk::try_patient(by, &nobody).await.unwrap_err(),
        desk::try_patient(by, "'; DROP TABLE patient; --").await.unwrap_err(),
        book(by, slot(&patient, &nobody, start)).await.unwrap_err(),
        book(by, slot(&nobody, &nobody, start)).await.unwrap_err(),
        by.patients().create_patient(person("\0", "\0")).await.unwrap_err(),
        by.patients()
            .list_patients(proto::ListPatientsRequest { page_token: "x".repeat(2000), ..Default::default() })
            .await
            .unwrap_err(),
        by.access()
            .update_tenant_settings(proto::UpdateTenantSettingsRequest {
                default_practitioner_id: nobody,
                ..Default::default()
            })
            .await
            .unwrap_err(),
        acme.bearer("swk_nobody")
            .patients()
            .list_patients(proto::ListPatientsRequest::default())
            .await
            .unwrap_err(),
    ];
    for (table, call) in [("patient", 0), ("practitioner", 1), ("webhook_event", 2)] {
        break_table(&installation, table).await;
        let status = match call {
            0 => by.patients().list_patients(proto::ListPatientsRequest::default()).await.unwrap_err(),
            1 => {
                by.access().list_practitioners(proto::ListPractitionersRequest::default()).await.unwrap_err()
            }
            _ => by
                .webhooks()
                .list_webhook_events(proto::ListWebhookEventsRequest::default())
                .await
                .unwrap_err(),
        };
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "INTERNAL"), "{table}");
        refused.push(status);
        repair_table(&installation, table).await;
    }
    break_table(&installation, "webhook_activity").await;
    let failed = tool.tell(&said("ping", json!({}))).await;

    for status in &refused {
        assert_neutral(&all_of(status));
    }
    assert_eq!((failed.status.as_u16(), failed.reason()), (500, "INTERNAL"));
    assert_neutral(&failed.body.to_string());
    let elsewhere = client().get(format!("http://{}/nowhere", server.http)).send().await.unwrap();
    assert_neutral(&elsewhere.text().await.unwrap());
}

/// Or the look at the end of every other test could not fail.
#[test]
fn what_the_program_says_in_a_test_is_looked_through_for_its_secrets() {
    let book = LogBook::open();
    log_book::secret("a-secret-that-is-said");
    log_book::secret("a-secret-that-is-kept");

    tracing::trace!(target: "stellwerk", "it is a-secret-that-is-said");

    assert_eq!(book.told(), ["a-secr…"]);
    std::mem::forget(book);
}
