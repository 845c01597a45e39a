//! Files of many people.

use std::time::Instant;

use stellwerk::proto::{self, PatientImportState};

use super::{finish, report, start, upload};
use crate::support::{
    PATIENCE, app::TestApp, caller::TestCaller, server::Installation, soak_rounds, wait_until,
};

/// People with a name, a birth date and a phone of their own, so that nobody is anybody's twin. The date of
/// every hundredth one does not exist.
fn large_file(rows: usize) -> String {
    let mut file = String::from("Nachname;Vorname;Telefon;Geburtsdatum\n");
    for row in 0..rows {
        let (day, month, year) = (1 + row % 28, 1 + row / 28 % 12, 1940 + row / 336 % 70);
        let month = if row % 100 == 99 { 13 } else { month };
        file += &format!("Muster{row};Erika{row};0170 {:07};{day}.{month}.{year}\n", row + 1_000_000);
    }
    file
}

/// Uploads a large file and has its work begun.
pub(super) async fn begin_large(by: &TestCaller, rows: usize) -> String {
    let id = start(by, "").await;
    let mut offset = 0;
    for chunk in large_file(rows).as_bytes().chunks(1024 * 1024) {
        offset = upload(by, &id, offset, chunk).await.unwrap();
    }
    finish(by, &id, false).await.unwrap();
    id
}

/// Returns the import as it ended.
async fn import_large(by: &TestCaller, rows: usize) -> proto::PatientImport {
    let begin = Instant::now();
    let id = begin_large(by, rows).await;
    let patience = PATIENCE + PATIENCE * (rows / 1000) as u32;
    wait_until("the large file is taken over", patience, async || {
        report(by, &id).await.patient_import.unwrap().state() != PatientImportState::Running
    })
    .await;

    println!("{rows} rows took {:.1} s", begin.elapsed().as_secs_f64());
    report(by, &id).await.patient_import.unwrap()
}

#[tokio::test]
async fn a_file_of_5000_rows_is_taken_over() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let import = import_large(&acme.admin, 5_000).await;

    assert_eq!((import.state(), import.processed_rows), (PatientImportState::Succeeded, 5_000));
    assert_eq!((import.created_rows, import.refused_rows), (4_950, 50));
    let owner = app.database.owner().await;
    assert_eq!(owner.value("SELECT count(*) FROM patient").await, "4950");
}

/// Far less than the rows would take: some hundred bytes each.
const GROWTH_AT_MOST_KIB: u64 = 24 * 1024;

/// P13.
#[tokio::test]
async fn soak_a_file_of_100_000_rows_is_taken_over_in_bounded_memory() {
    if soak_rounds() == 0 {
        return;
    }
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let acme = installation.tenant(&server, "acme").await;
    // So that what is loaded once is not counted.
    import_large(&acme.admin, 2_000).await;
    let before = server.peak_memory_kib();

    let import = import_large(&acme.admin, 100_000).await;

    let grown = server.peak_memory_kib() - before;
    println!("{before} KiB at most before, {grown} KiB more with 100000 rows");
    assert_eq!((import.state(), import.processed_rows), (PatientImportState::Succeeded, 100_000));
    assert_eq!((import.created_rows + import.candidate_rows, import.refused_rows), (99_000, 1_000));
    assert!(grown < GROWTH_AT_MOST_KIB, "{grown} KiB");
}
