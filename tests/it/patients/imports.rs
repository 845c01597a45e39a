//! CSV files of people: uploaded in chunks, tried, taken over.

mod faults;
mod large;
mod tool;

use serde_json::json;
use stellwerk::domain::upkeep;
use stellwerk::proto::{
    self, LikenessReason, LinkCandidateState, PatientImportOutcome, PatientImportState, PatientLinkOrigin,
    SignatureScheme,
};
use tonic::{Code, Status};

use crate::support::{
    PATIENCE,
    app::TestApp,
    caller::TestCaller,
    desk::{self, person},
    metadata, reason,
    said::said,
    wait_until,
};

/// As a practice program in Germany writes it.
const GERMAN: &str = "Patientennr;Nachname;Vorname;E-Mail;Telefon;Geburtsdatum;Bemerkung\r\n\
    101;Müller;Zoë;zoe@example.org;030 1234567;01.02.1980;neu\r\n\
    102;Beispiel;Max;MAX@example.org;;;bekannt\r\n\
    103;Ähnlich;Ida;ida.neu@example.org;;5.5.1975;Zwilling?\r\n\
    104;Muster;Erika;erika@example.org;;30.02.1980;kein Datum\r\n\
    105;;Jonas;jonas@example.org;;;ohne Namen\r\n\
    106;Größe;Günther;;\"0170/1112223\";\"24.12.1961\";zuletzt\r\n";

pub(super) async fn start(by: &TestCaller, integration_id: &str) -> String {
    let request =
        proto::StartPatientImportRequest { integration_id: integration_id.into(), ..Default::default() };
    let started = by.patients().start_patient_import(request).await.unwrap().into_inner();
    started.patient_import.unwrap().patient_import_id
}

pub(super) async fn upload(by: &TestCaller, id: &str, offset_bytes: i64, data: &[u8]) -> Result<i64, Status> {
    let request = proto::UploadPatientImportChunkRequest {
        patient_import_id: id.into(),
        offset_bytes,
        data: data.into(),
    };
    Ok(by.patients().upload_patient_import_chunk(request).await?.into_inner().received_bytes)
}

async fn finish(by: &TestCaller, id: &str, dry_run: bool) -> Result<proto::PatientImport, Status> {
    let request = proto::FinishPatientImportRequest { patient_import_id: id.into(), dry_run };
    Ok(by.patients().finish_patient_import(request).await?.into_inner().patient_import.unwrap())
}

async fn report(by: &TestCaller, id: &str) -> proto::GetPatientImportResponse {
    let request =
        proto::GetPatientImportRequest { patient_import_id: id.into(), page_size: 200, ..Default::default() };
    by.patients().get_patient_import(request).await.unwrap().into_inner()
}

/// Finishes the upload and waits for the end of the run.
pub(crate) async fn run(by: &TestCaller, id: &str, dry_run: bool) -> proto::GetPatientImportResponse {
    finish(by, id, dry_run).await.unwrap();
    wait_until("the import has ended", PATIENCE * 4, async || {
        report(by, id).await.patient_import.unwrap().state() != PatientImportState::Running
    })
    .await;
    report(by, id).await
}

pub(super) async fn import(by: &TestCaller, text: &str, dry_run: bool) -> proto::GetPatientImportResponse {
    let id = start(by, "").await;
    upload(by, &id, 0, text.as_bytes()).await.unwrap();
    run(by, &id, dry_run).await
}

fn windows_1252(text: &str) -> Vec<u8> {
    let (bytes, _, unmappable) = encoding_rs::WINDOWS_1252.encode(text);
    assert!(!unmappable);
    bytes.into_owned()
}

/// The people whom two rows of the file mean.
async fn know_max_and_ida(admin: &TestCaller) -> [proto::Patient; 2] {
    let max = proto::CreatePatientRequest { email: "max@example.org".into(), ..person("Max", "Beispiel") };
    let ida = proto::CreatePatientRequest { birth_date: "1975-05-05".into(), ..person("Ida", "Aehnlich") };
    [desk::add_patient(admin, max).await, desk::add_patient(admin, ida).await]
}

fn outcomes(report: &proto::GetPatientImportResponse) -> Vec<(i64, &'static str, &str, &str)> {
    let outcome = |row: &proto::PatientImportRow| row.outcome().as_str_name().rsplit('_').next().unwrap();
    let line = |row| {
        let row: &proto::PatientImportRow = row;
        (row.row_number, outcome(row), row.reason.as_str(), row.field.as_str())
    };
    report.rows.iter().map(line).collect()
}

const EXPECTED: [(i64, &str, &str, &str); 6] = [
    (1, "CREATED", "", ""),
    (2, "MATCHED", "", ""),
    (3, "CANDIDATE", "", ""),
    (4, "REFUSED", "INVALID_DATE", "birth_date"),
    (5, "REFUSED", "MISSING", "last_name"),
    (6, "CREATED", "", ""),
];

#[tokio::test]
async fn a_dry_run_reports_every_row_and_changes_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let [max, _] = know_max_and_ida(&acme.admin).await;
    let before = desk::patients(&acme.admin).await;
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, &windows_1252(GERMAN)).await.unwrap();

    let first = run(&acme.admin, &id, true).await;
    let second = run(&acme.admin, &id, true).await;

    for report in [&first, &second] {
        assert_eq!(outcomes(report), EXPECTED);
        let told = report.patient_import.as_ref().unwrap();
        assert_eq!((told.state(), told.dry_run), (PatientImportState::Succeeded, true));
        assert_eq!((told.processed_rows, told.created_rows, told.matched_rows), (6, 2, 1));
        assert_eq!((told.candidate_rows, told.refused_rows), (1, 2));
        let named: Vec<_> = report.rows.iter().map(|row| row.patient_id.as_str()).collect();
        assert_eq!(named, ["", &max.patient_id, "", "", "", ""]);
    }
    assert_eq!(desk::patients(&acme.admin).await, before);
    assert!(desk::candidates(&acme.admin, LinkCandidateState::Open).await.is_empty());
}

#[tokio::test]
async fn a_german_file_is_taken_over_after_its_trial_without_a_second_upload() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let [max, ida] = know_max_and_ida(&acme.admin).await;
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, &windows_1252(GERMAN)).await.unwrap();
    run(&acme.admin, &id, true).await;

    let report = run(&acme.admin, &id, false).await;

    assert_eq!(outcomes(&report), EXPECTED);
    let told = report.patient_import.unwrap();
    assert_eq!((told.delimiter.as_str(), told.encoding.as_str()), (";", "windows-1252"));
    assert_eq!((told.ignored_columns, told.dry_run), (vec!["Bemerkung".to_string()], false));
    let names = ["Ida Aehnlich", "Ida Ähnlich", "Max Beispiel", "Günther Größe", "Zoë Müller"];
    assert_eq!(desk::names(&acme.admin).await, names);
    let zoe = desk::patient(&acme.admin, &report.rows[0].patient_id).await;
    assert_eq!((zoe.email.as_str(), zoe.birth_date.as_str()), ("zoe@example.org", "1980-02-01"));
    assert_eq!((zoe.booking_email.as_str(), zoe.phone.as_str()), ("", "030 1234567"));
    assert_eq!(report.rows[1].patient_id, max.patient_id);
    let [pair] = &desk::candidates(&acme.admin, LinkCandidateState::Open).await[..] else {
        panic!("one pair")
    };
    assert_eq!(pair.known_patient.as_ref().unwrap().patient_id, ida.patient_id);
    assert!(pair.reasons().any(|reason| reason == LikenessReason::SameBirthDate));
    let again = finish(&acme.admin, &id, false).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::FailedPrecondition, "PATIENT_IMPORT_STATE"));
    app.work_until_idle().await;
    let owner = app.database.owner().await;
    assert_eq!(owner.value("SELECT count(*) FROM patient_import_chunk").await, "0");
}

/// P13.
#[tokio::test]
async fn a_repeated_chunk_changes_nothing_and_a_gap_is_told() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let id = start(&acme.admin, "").await;
    let (first, second) = GERMAN.as_bytes().split_at(100);

    let received = upload(&acme.admin, &id, 0, first).await.unwrap();
    let repeated = upload(&acme.admin, &id, 0, first).await.unwrap();
    let gap = upload(&acme.admin, &id, 101, second).await.unwrap_err();
    let other = upload(&acme.admin, &id, 0, &first[..50]).await.unwrap_err();
    let all = upload(&acme.admin, &id, 100, second).await.unwrap();
    let report = run(&acme.admin, &id, false).await;
    let late = upload(&acme.admin, &id, all, b"x").await.unwrap_err();

    assert_eq!((received, repeated, all), (100, 100, GERMAN.len() as i64));
    for refused in [&gap, &other] {
        assert_eq!(
            (refused.code(), reason(refused).as_str()),
            (Code::FailedPrecondition, "PATIENT_IMPORT_OFFSET")
        );
        assert_eq!(metadata(refused, "expected_offset"), "100");
    }
    assert_eq!(reason(&late), "PATIENT_IMPORT_STATE");
    assert_eq!(report.patient_import.unwrap().processed_rows, 6);
}

#[tokio::test]
async fn chunks_may_be_cut_in_the_middle_of_a_letter() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let id = start(&acme.admin, "").await;
    let file = "Nachname,Vorname\nMüller,Zoë\n".as_bytes();

    for (offset, byte) in file.iter().enumerate() {
        upload(&acme.admin, &id, offset as i64, &[*byte]).await.unwrap();
    }
    run(&acme.admin, &id, false).await;

    assert_eq!(desk::names(&acme.admin).await, ["Zoë Müller"]);
}

#[tokio::test]
async fn an_id_of_the_tool_in_the_file_links_the_person_to_the_tools_events() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let id = start(&acme.admin, &tool.endpoint.integration_id).await;
    upload(&acme.admin, &id, 0, b"id,last name,first name\np-1,Muster,Erika\n").await.unwrap();

    let report = run(&acme.admin, &id, false).await;
    let data =
        json!({ "id": "p-1", "vorname": "Erika", "nachname": "Beispiel", "email": "erika@example.org" });
    tool.tell(&said("patient.updated", data)).await.kept();

    let patient = desk::only_patient(&acme.admin).await;
    assert_eq!(patient.patient_id, report.rows[0].patient_id);
    assert_eq!(
        (patient.last_name.as_str(), patient.booking_email.as_str()),
        ("Beispiel", "erika@example.org")
    );
    assert_eq!(patient.links[0].origin(), PatientLinkOrigin::Import);
}

#[tokio::test]
async fn a_second_import_of_a_file_finds_everybody_again() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let file = "name;vorname;email;geburtsdatum\nMuster;Erika;erika@example.org;1980-02-01\n\
        Beispiel;Max;max@example.org;2.3.81\n";

    import(&acme.admin, file, false).await;
    let again = import(&acme.admin, file, false).await.patient_import.unwrap();

    assert_eq!((again.created_rows, again.matched_rows), (0, 2));
    assert_eq!(desk::names(&acme.admin).await, ["Max Beispiel", "Erika Muster"]);
}

/// P12.
#[tokio::test]
async fn a_file_that_cannot_be_read_fails_as_a_whole_and_says_why() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let unclosed = format!("nachname;vorname\nMuster;\"{}", "Erika\n".repeat(20_000));

    let mut told = Vec::new();
    for file in ["\n\n", "vorname;email\nErika;e@example.org\n", &unclosed] {
        let import = import(&acme.admin, file, false).await.patient_import.unwrap();
        told.push((import.state(), import.failure_reason));
    }

    let expected = ["EMPTY", "MISSING_COLUMN", "RECORD_TOO_LONG"];
    assert_eq!(told, expected.map(|reason| (PatientImportState::Failed, reason.to_string())));
    assert!(desk::patients(&acme.admin).await.is_empty());
}

/// P12, P13.
#[tokio::test]
async fn the_report_is_paged_and_filtered_by_outcome() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, GERMAN.as_bytes()).await.unwrap();
    run(&acme.admin, &id, true).await;
    let ask = async |page_size, page_token, outcome: PatientImportOutcome| {
        let request = proto::GetPatientImportRequest {
            patient_import_id: id.clone(),
            page_size,
            page_token,
            outcome: outcome.into(),
        };
        let page = acme.admin.patients().get_patient_import(request).await.unwrap().into_inner();
        (page.rows.iter().map(|row| row.row_number).collect::<Vec<_>>(), page.next_page_token)
    };

    let (first, token) = ask(4, String::new(), PatientImportOutcome::Unspecified).await;
    let (second, end) = ask(4, token, PatientImportOutcome::Unspecified).await;
    let (refused, _) = ask(0, String::new(), PatientImportOutcome::Refused).await;

    assert_eq!((first, second, end.as_str()), (vec![1, 2, 3, 4], vec![5, 6], ""));
    assert_eq!(refused, [4, 5]);
}

/// P3, P13.
#[tokio::test]
async fn imports_stay_inside_their_tenant_and_their_number_is_bounded() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let id = start(&acme.admin, "").await;
    for _ in 1..10 {
        start(&acme.admin, "").await;
    }

    let strangers = upload(&globex.admin, &id, 0, b"x").await.unwrap_err();
    let eleventh =
        acme.admin.patients().start_patient_import(proto::StartPatientImportRequest::default()).await;
    let eleventh = eleventh.unwrap_err();

    assert_eq!((strangers.code(), reason(&strangers).as_str()), (Code::NotFound, "PATIENT_IMPORT_NOT_FOUND"));
    assert_eq!((eleventh.code(), reason(&eleventh).as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    start(&globex.admin, "").await;
}

/// P13. A file that was tried is open no more, and is kept nevertheless.
#[tokio::test]
async fn files_are_kept_up_to_a_bound_of_the_tenants() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, b"vorname\nErika\n").await.unwrap();
    let tried = run(&acme.admin, &id, true).await.patient_import.unwrap();
    let owner = app.database.owner().await;
    owner.run("UPDATE patient_import_chunk SET size_bytes = 1024 * 1024 * 1024").await;

    let another =
        acme.admin.patients().start_patient_import(proto::StartPatientImportRequest::default()).await;
    let another = another.unwrap_err();
    start(&globex.admin, "").await;
    owner.run("UPDATE patient_import_chunk SET size_bytes = size_bytes - 1").await;
    start(&acme.admin, "").await;

    assert_eq!(tried.failure_reason, "MISSING_COLUMN");
    assert_eq!((another.code(), reason(&another).as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    assert_eq!(metadata(&another, "limit"), "1 GiB of kept import files");
}

/// P11, P13.
#[tokio::test]
async fn the_report_of_an_import_is_swept_after_90_days_and_its_counts_stay() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let mut ids = Vec::new();
    for age in ["89 days", "91 days"] {
        let id = start(&acme.admin, "").await;
        upload(&acme.admin, &id, 0, b"nachname\nMuster\n").await.unwrap();
        run(&acme.admin, &id, false).await;
        let aged = format!("end_time = now() - interval '{age}' WHERE id = '{id}'");
        owner.run(&format!("UPDATE patient_import SET {aged}")).await;
        ids.push(id);
    }

    wait_until("the chores are done", PATIENCE, async || {
        upkeep::run(&app.domain).await;
        owner.value("SELECT count(*) FROM patient_import_row").await == "1"
    })
    .await;

    let mut told = Vec::new();
    for id in ids {
        let report = report(&acme.admin, &id).await;
        told.push((report.rows.len(), report.patient_import.unwrap().created_rows));
    }
    assert_eq!(told, [(1, 1), (0, 1)]);
}
