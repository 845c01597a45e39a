//! Files of many people.

use std::time::Instant;

use stellwerk::proto::{self, PatientImportState};

use super::{finish, report, start, upload};
use crate::support::{PATIENCE, caller::TestCaller, server::Installation, soak_rounds, wait_until};

/// People with a name, a birth date and a phone of their own, so that nobody is anybody's twin. The date of
/// every hundredth one does not exist. Of each there is a note, which nobody reads.
fn large_file(rows: usize, note_bytes: usize) -> String {
    let mut file = String::from("Nachname;Vorname;Telefon;Geburtsdatum;Notiz\n");
    let note = "n".repeat(note_bytes);
    for row in 0..rows {
        let (day, month, year) = (1 + row % 28, 1 + row / 28 % 12, 1940 + row / 336 % 70);
        let month = if row % 100 == 99 { 13 } else { month };
        file += &format!("Muster{row};Erika{row};0170 {:07};{day}.{month}.{year};{note}\n", row + 1_000_000);
    }
    file
}

/// Uploads a large file and has its work begun.
pub(super) async fn begin_large(by: &TestCaller, rows: usize) -> String {
    begin(by, large_file(rows, 0)).await
}

async fn begin(by: &TestCaller, file: String) -> String {
    let id = start(by, "").await;
    let mut offset = 0;
    for chunk in file.as_bytes().chunks(1024 * 1024) {
        offset = upload(by, &id, offset, chunk).await.unwrap();
    }
    finish(by, &id, false).await.unwrap();
    id
}

/// Returns the import as it ended.
async fn import_large(by: &TestCaller, rows: usize, note_bytes: usize) -> proto::PatientImport {
    let since = Instant::now();
    let id = begin(by, large_file(rows, note_bytes)).await;
    let patience = PATIENCE + PATIENCE * (rows / 1000) as u32;
    wait_until("the large file is taken over", patience, async || {
        report(by, &id).await.patient_import.unwrap().state() != PatientImportState::Running
    })
    .await;

    println!("{rows} rows took {:.1} s", since.elapsed().as_secs_f64());
    report(by, &id).await.patient_import.unwrap()
}

/// Imports a file into a process of its own. Returns the import, and how much more memory it took than a
/// small one, at its highest.
async fn import_watched(rows: usize, note_bytes: usize) -> (proto::PatientImport, u64) {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let acme = installation.tenant(&server, "acme").await;
    // So that what is loaded once is not counted.
    import_large(&acme.admin, WARM_UP_ROWS, note_bytes).await;
    let before = server.peak_memory_kib();

    let import = import_large(&acme.admin, rows, note_bytes).await;

    let grown = server.peak_memory_kib() - before;
    println!("{before} KiB at most before, {grown} KiB more with {rows} rows");
    (import, grown)
}

const WARM_UP_ROWS: usize = 500;

/// P13. The file has 40 MiB.
#[tokio::test]
async fn a_file_of_2000_long_rows_is_taken_over_in_bounded_memory() {
    let (import, grown) = import_watched(2_000, 20 * 1024).await;

    assert_eq!((import.state(), import.processed_rows), (PatientImportState::Succeeded, 2_000));
    assert_eq!((import.created_rows + import.candidate_rows, import.refused_rows), (1_980, 20));
    assert!(grown < 36 * 1024, "{grown} KiB");
}

/// P13. Its rows would take some hundred bytes each.
#[tokio::test]
async fn soak_a_file_of_100_000_rows_is_taken_over_in_bounded_memory() {
    if soak_rounds() == 0 {
        return;
    }
    let (import, grown) = import_watched(100_000, 0).await;

    assert_eq!((import.state(), import.processed_rows), (PatientImportState::Succeeded, 100_000));
    assert_eq!((import.created_rows + import.candidate_rows, import.refused_rows), (99_000, 1_000));
    assert!(grown < 24 * 1024, "{grown} KiB");
}
