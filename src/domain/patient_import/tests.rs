use super::{
    apply::{Checkpoint, Turn},
    run::failure_reason,
    seen::{Familiar, Seen},
    *,
};
use crate::{
    domain::patient_csv::{FileError, PatientRow},
    words::Origin,
};

fn import(state: ImportState) -> PatientImport {
    PatientImport {
        id: PatientImportId::new(),
        integration_id: None,
        state,
        dry_run: false,
        run: 2,
        received_bytes: 100,
        processed_rows: 400,
        created_rows: 0,
        matched_rows: 0,
        candidate_rows: 0,
        refused_rows: 0,
        failure_reason: String::new(),
        delimiter: String::new(),
        encoding: String::new(),
        ignored_columns: Vec::new(),
        origin: Origin::Admin,
        create_time: DateTime::UNIX_EPOCH,
        end_time: None,
    }
}

fn person(last_name: &str, email: Option<&str>, birth_date: Option<&str>) -> PatientRow {
    PatientRow {
        external_id: None,
        first_name: Some("Erika".into()),
        last_name: last_name.into(),
        email: email.map(Into::into),
        phone: None,
        birth_date: birth_date.map(|date| date.parse().unwrap()),
    }
}

#[test]
fn the_next_chunk_goes_on_where_the_file_ends_and_a_received_one_changes_nothing() {
    let import = import(ImportState::Uploading);

    assert_eq!(judge(&import, 100, 10, None).unwrap(), Chunk::Next);
    assert_eq!(judge(&import, 90, 10, Some(10)).unwrap(), Chunk::Repeated);
}

#[test]
fn a_chunk_that_leaves_a_gap_or_cuts_into_others_is_told_where_to_go_on() {
    let import = import(ImportState::Uploading);

    for (offset, received_size) in [(101, None), (99, None), (90, Some(9))] {
        assert!(matches!(judge(&import, offset, 10, received_size), Err(Error::ImportOffset(100))));
    }
}

#[test]
fn a_file_ends_at_256_mib() {
    let import = PatientImport { received_bytes: BYTES_AT_MOST - 10, ..import(ImportState::Uploading) };

    assert_eq!(judge(&import, BYTES_AT_MOST - 10, 10, None).unwrap(), Chunk::Next);
    assert!(matches!(judge(&import, BYTES_AT_MOST - 10, 11, None), Err(Error::LimitReached(_))));
}

#[test]
fn only_an_open_upload_takes_chunks() {
    for state in [ImportState::Running, ImportState::Succeeded, ImportState::Failed] {
        assert!(
            matches!(judge(&import(state), 100, 10, None), Err(Error::ImportState(told)) if told == state)
        );
    }
}

#[test]
fn a_file_is_tried_as_often_as_one_likes_and_taken_over_once() {
    let runs = ImportState::ALL.iter().map(|state| (may_run(*state, true), may_run(*state, false)));

    assert_eq!(runs.collect::<Vec<_>>(), [(true, true), (false, false), (true, false), (true, false)]);
}

#[test]
fn chunks_have_places_of_their_own() {
    let (one, other) = (PatientImportId::new(), PatientImportId::new());

    assert_eq!(place(one, 0).row, one.0);
    assert_ne!(place(one, 1).row, place(one, 2).row);
    assert_ne!(place(one, 1).row, place(other, 1).row);
}

#[test]
fn a_worker_goes_on_only_from_the_checkpoint_that_stands() {
    let running = import(ImportState::Running);
    let at = |run, processed_rows| Checkpoint { import: running.id, run, processed_rows };

    assert_eq!(at(2, 400).turn(&running), Turn::Ours);
    assert_eq!(at(2, 200).turn(&running), Turn::Taken);
    assert_eq!(at(1, 400).turn(&running), Turn::Over);
    assert_eq!(at(2, 400).turn(&import(ImportState::Succeeded)), Turn::Over);
}

#[test]
fn a_dry_run_recognises_people_of_its_own_file() {
    let mut seen = Seen::default();

    let met = [
        seen.meet(&person("Müller", Some("e@example.org"), Some("1980-02-01"))),
        seen.meet(&person("Mueller", None, Some("1980-02-01"))),
        seen.meet(&person("Muster", Some("E@Example.org"), None)),
        seen.meet(&person("Muster", None, None)),
        seen.meet(&person("Muster", None, None)),
    ];

    assert_eq!(met, [Familiar::Nobody, Familiar::Twin, Familiar::Person, Familiar::Nobody, Familiar::Nobody]);
}

#[test]
fn what_the_database_knows_better_stays() {
    let corrected =
        |familiar: Familiar| ImportOutcome::ALL.iter().map(|o| familiar.correct(*o)).collect::<Vec<_>>();
    use ImportOutcome::{Candidate, Created, Matched, Refused};

    assert_eq!(corrected(Familiar::Nobody), [Created, Matched, Candidate, Refused]);
    assert_eq!(corrected(Familiar::Twin), [Candidate, Matched, Candidate, Refused]);
    assert_eq!(corrected(Familiar::Person), [Matched, Matched, Matched, Refused]);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let reasons = [
        FileError::Empty,
        FileError::MissingColumn("last_name"),
        FileError::RecordTooLong(7),
        FileError::TooManyColumns(7),
    ];

    assert_eq!(
        reasons.map(|error| failure_reason(&error)),
        ["EMPTY", "MISSING_COLUMN", "RECORD_TOO_LONG", "TOO_MANY_COLUMNS"]
    );
}
