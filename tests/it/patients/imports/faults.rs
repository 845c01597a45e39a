//! Imports that are interrupted, or cannot go on.

use stellwerk::proto::{self, PatientImportState, SignatureScheme};

use super::{GERMAN, finish, large::begin_large, outcomes, report, run, start, upload};
use crate::support::{PATIENCE, app::TestApp, caller::TestCaller, desk, server::Installation, wait_until};

async fn import_of(by: &TestCaller, id: &str) -> proto::PatientImport {
    report(by, id).await.patient_import.unwrap()
}

/// P6, P14. Another instance takes over, and every row has its effect once.
#[tokio::test]
async fn an_import_goes_on_where_a_killed_server_left_it() {
    let installation = Installation::new().await;
    let (server, blocker) = (installation.serve(&[]).await, installation.owner().await);
    let acme = installation.tenant(&server, "acme").await;
    let admin = acme.key(proto::Role::Admin, &[]).await;
    let id = begin_large(&acme.admin, 3_000).await;
    wait_until("the import has begun", PATIENCE, async || {
        import_of(&acme.admin, &id).await.processed_rows > 0
    })
    .await;
    // Where people arrive one by one the worker waits behind us, in the middle of the file.
    blocker
        .run(&format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{}/patients', 0))", acme.id))
        .await;
    let midway = import_of(&acme.admin, &id).await;

    server.kill();
    blocker.run("ROLLBACK").await;
    // Nobody is there to extend the lease, for whose end nobody should have to wait here.
    let owner = installation.owner().await;
    owner.run("UPDATE outbox SET run_time = now()").await;
    let next = installation.serve(&[]).await;
    let admin = TestCaller::new(next.channel(), Some(&admin.secret));
    wait_until("the import has ended", PATIENCE * 4, async || {
        import_of(&admin, &id).await.state() != PatientImportState::Running
    })
    .await;

    let ended = import_of(&admin, &id).await;
    assert_eq!((midway.state(), ended.state()), (PatientImportState::Running, PatientImportState::Succeeded));
    assert!((1..3_000).contains(&midway.processed_rows), "{midway:?}");
    assert_eq!((ended.processed_rows, ended.created_rows, ended.refused_rows), (3_000, 2_970, 30));
    assert_eq!(owner.value("SELECT count(*) FROM patient").await, "2970");
    assert_eq!(owner.value("SELECT count(DISTINCT row_number) FROM patient_import_row").await, "3000");
    assert_eq!(owner.value("SELECT count(*) FROM outbox").await, "0");
}

/// P12.
#[tokio::test]
async fn an_import_that_cannot_go_on_is_told_as_failed() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    owner
        .run(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN RAISE EXCEPTION 'broken for Erika Muster'; END $$; \
             CREATE TRIGGER report_broken BEFORE INSERT ON patient_import_row \
             FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        .await;
    let id = start(&acme.admin, "").await;
    upload(&acme.admin, &id, 0, GERMAN.as_bytes()).await.unwrap();
    finish(&acme.admin, &id, false).await.unwrap();

    wait_until("the attempts are used up", PATIENCE, async || {
        app.hurry().await;
        import_of(&acme.admin, &id).await.state() != PatientImportState::Running
    })
    .await;

    let failed = import_of(&acme.admin, &id).await;
    assert_eq!((failed.state(), failed.failure_reason.as_str()), (PatientImportState::Failed, "INTERNAL"));
    assert!(desk::patients(&acme.admin).await.is_empty());
    assert_eq!(owner.value("SELECT count(*) FROM patient_import_chunk").await, "0");
    wait_until("the message is dead", PATIENCE, async || {
        owner.lines("SELECT kind || ' ' || state FROM outbox").await == ["patient_import dead"]
    })
    .await;
}

/// Each row is taken over as a whole or not at all, and one that fails does not hold up the others.
#[tokio::test]
async fn a_row_that_the_database_refuses_leaves_nothing_and_the_others_go_on() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    // Behind the person, whom the row would have added before its link.
    owner
        .run(
            "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'refused' USING ERRCODE = 'foreign_key_violation', \
             CONSTRAINT = 'patient_practitioner'; END $$; \
             CREATE TRIGGER link_refused BEFORE INSERT ON patient_link \
             FOR EACH ROW WHEN (NEW.external_id = 'p-2') EXECUTE FUNCTION refused()",
        )
        .await;
    let file = "id;nachname;vorname\np-1;Erste;Ida\np-2;Muster;Erika\np-3;Letzte;Max\n";

    let id = start(&acme.admin, &tool.endpoint.integration_id).await;
    upload(&acme.admin, &id, 0, file.as_bytes()).await.unwrap();
    let report = run(&acme.admin, &id, false).await;

    assert_eq!(
        outcomes(&report),
        [(1, "CREATED", "", ""), (2, "REFUSED", "NOT_FOUND", "row"), (3, "CREATED", "", "")]
    );
    assert_eq!(desk::names(&acme.admin).await, ["Ida Erste", "Max Letzte"]);
}
