//! CSV files on their way in: the file in sealed chunks, the checkpoint of its run, the report of its rows.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper,
    delete, dsl::sql, insert_into, prelude::Queryable, sql_types::BigInt, update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{patient_import, patient_import_chunk, patient_import_row},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, PatientId, PatientImportId},
    page::{Page, Paged},
    words::{ImportOutcome, ImportState, Origin},
};

/// A CSV file of people on its way in.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = patient_import, check_for_backend(diesel::pg::Pg))]
pub struct PatientImport {
    pub id: PatientImportId,
    pub integration_id: Option<IntegrationId>,
    pub state: ImportState,
    pub dry_run: bool,
    pub run: i32,
    pub received_bytes: i64,
    pub processed_rows: i64,
    pub created_rows: i64,
    pub matched_rows: i64,
    pub candidate_rows: i64,
    pub refused_rows: i64,
    pub failure_reason: String,
    pub delimiter: String,
    pub encoding: String,
    pub ignored_columns: Vec<String>,
    pub origin: Origin,
    pub create_time: DateTime<Utc>,
    pub end_time: Option<DateTime<Utc>>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = patient_import_row, check_for_backend(diesel::pg::Pg))]
pub struct PatientImportRow {
    pub row_number: i64,
    pub outcome: ImportOutcome,
    pub reason: String,
    pub field: String,
    pub patient_id: Option<PatientId>,
}

/// Where a page of a report ends: the run and the row number. The run is part of it, so that a report does
/// not change its subject between two pages.
pub type RowCursor = (i32, i64);

/// How a run ended, and what the file turned out to be.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Why the file as a whole failed; empty when it did not.
    pub failure_reason: String,
    pub delimiter: String,
    pub encoding: String,
    pub ignored_columns: Vec<String>,
}

/// Adds an import without bytes.
pub async fn insert(
    tx: &mut TenantTx,
    id: PatientImportId,
    integration: Option<IntegrationId>,
    origin: Origin,
) -> Result<()> {
    insert_into(patient_import::table)
        .values((
            patient_import::id.eq(id),
            patient_import::integration_id.eq(integration),
            patient_import::origin.eq(origin),
        ))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// One import. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: PatientImportId) -> Result<PatientImport> {
    let query = patient_import::table.filter(patient_import::id.eq(id)).select(PatientImport::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::PatientImport))
}

/// One import, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_locked(tx: &mut TenantTx, id: PatientImportId) -> Result<PatientImport> {
    let query = patient_import::table.filter(patient_import::id.eq(id)).select(PatientImport::as_select());
    query.for_update().first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::PatientImport))
}

/// How many imports are being received or worked through.
pub async fn count_open(tx: &mut TenantTx) -> Result<i64> {
    let uploading = patient_import::state.eq(ImportState::Uploading);
    let running = patient_import::state.eq(ImportState::Running);
    Ok(patient_import::table.filter(uploading.or(running)).count().get_result(tx.conn()).await?)
}

/// The size of the chunk that was received at an offset.
pub async fn chunk_size(tx: &mut TenantTx, id: PatientImportId, offset: i64) -> Result<Option<i32>> {
    Ok(patient_import_chunk::table
        .filter(patient_import_chunk::patient_import_id.eq(id))
        .filter(patient_import_chunk::offset_bytes.eq(offset))
        .select(patient_import_chunk::size_bytes)
        .first(tx.conn())
        .await
        .optional()?)
}

/// Appends a chunk to an import that the transaction has locked.
pub async fn insert_chunk(
    tx: &mut TenantTx,
    id: PatientImportId,
    offset: i64,
    size: i32,
    sealed: &[u8],
) -> Result<()> {
    insert_into(patient_import_chunk::table)
        .values((
            patient_import_chunk::patient_import_id.eq(id),
            patient_import_chunk::offset_bytes.eq(offset),
            patient_import_chunk::size_bytes.eq(size),
            patient_import_chunk::sealed_data.eq(sealed),
        ))
        .execute(tx.conn())
        .await?;
    let received = patient_import::received_bytes.eq(offset + i64::from(size));
    Cached(update(patient_import::table).filter(patient_import::id.eq(id)).set(received))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The chunk at an offset, sealed.
pub async fn find_chunk(tx: &mut TenantTx, id: PatientImportId, offset: i64) -> Result<Option<Vec<u8>>> {
    Ok(patient_import_chunk::table
        .filter(patient_import_chunk::patient_import_id.eq(id))
        .filter(patient_import_chunk::offset_bytes.eq(offset))
        .select(patient_import_chunk::sealed_data)
        .first(tx.conn())
        .await
        .optional()?)
}

/// How many bytes of the file are still kept.
pub async fn kept_bytes(tx: &mut TenantTx, id: PatientImportId) -> Result<i64> {
    Ok(patient_import_chunk::table
        .filter(patient_import_chunk::patient_import_id.eq(id))
        .select(sql::<BigInt>("coalesce(sum(size_bytes), 0)::bigint"))
        .first(tx.conn())
        .await?)
}

/// The same of all files.
pub async fn all_kept_bytes(tx: &mut TenantTx) -> Result<i64> {
    let query = patient_import_chunk::table.select(sql::<BigInt>("coalesce(sum(size_bytes), 0)::bigint"));
    Ok(query.first(tx.conn()).await?)
}

/// Begins the next run, from the first row.
pub async fn begin_run(tx: &mut TenantTx, id: PatientImportId, dry_run: bool) -> Result<()> {
    let no_words: Vec<String> = Vec::new();
    let statement = update(patient_import::table).filter(patient_import::id.eq(id)).set((
        patient_import::state.eq(ImportState::Running),
        patient_import::dry_run.eq(dry_run),
        patient_import::run.eq(patient_import::run + 1),
        patient_import::processed_rows.eq(0),
        patient_import::created_rows.eq(0),
        patient_import::matched_rows.eq(0),
        patient_import::candidate_rows.eq(0),
        patient_import::refused_rows.eq(0),
        patient_import::failure_reason.eq(""),
        patient_import::delimiter.eq(""),
        patient_import::encoding.eq(""),
        patient_import::ignored_columns.eq(no_words),
        patient_import::end_time.eq(None::<DateTime<Utc>>),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Reports the next rows of a run and moves its checkpoint behind them.
pub async fn record(
    tx: &mut TenantTx,
    id: PatientImportId,
    run: i32,
    rows: &[PatientImportRow],
) -> Result<()> {
    let Some(last) = rows.last() else { return Ok(()) };
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                patient_import_row::patient_import_id.eq(id),
                patient_import_row::run.eq(run),
                patient_import_row::row_number.eq(row.row_number),
                patient_import_row::outcome.eq(row.outcome),
                patient_import_row::reason.eq(&row.reason),
                patient_import_row::field.eq(&row.field),
                patient_import_row::patient_id.eq(row.patient_id),
            )
        })
        .collect();
    insert_into(patient_import_row::table).values(values).execute(tx.conn()).await?;
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count() as i64;
    let statement = update(patient_import::table).filter(patient_import::id.eq(id)).set((
        patient_import::processed_rows.eq(last.row_number),
        patient_import::created_rows.eq(patient_import::created_rows + count(ImportOutcome::Created)),
        patient_import::matched_rows.eq(patient_import::matched_rows + count(ImportOutcome::Matched)),
        patient_import::candidate_rows.eq(patient_import::candidate_rows + count(ImportOutcome::Candidate)),
        patient_import::refused_rows.eq(patient_import::refused_rows + count(ImportOutcome::Refused)),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Ends a run.
pub async fn end_run(tx: &mut TenantTx, id: PatientImportId, ending: &Ending) -> Result<()> {
    let failed = !ending.failure_reason.is_empty();
    let statement = update(patient_import::table).filter(patient_import::id.eq(id)).set((
        patient_import::state.eq(if failed { ImportState::Failed } else { ImportState::Succeeded }),
        patient_import::failure_reason.eq(&ending.failure_reason),
        patient_import::delimiter.eq(&ending.delimiter),
        patient_import::encoding.eq(&ending.encoding),
        patient_import::ignored_columns.eq(&ending.ignored_columns),
        patient_import::end_time.eq(diesel::dsl::now),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Deletes the file.
pub async fn delete_chunks(tx: &mut TenantTx, id: PatientImportId) -> Result<()> {
    let chunks = patient_import_chunk::table.filter(patient_import_chunk::patient_import_id.eq(id));
    delete(chunks).execute(tx.conn()).await?;
    Ok(())
}

/// A page of the report, by row number; of the run the page before was of, else of `run`.
pub async fn list_rows(
    tx: &mut TenantTx,
    id: PatientImportId,
    run: i32,
    outcome: Option<ImportOutcome>,
    page: &Page<RowCursor>,
) -> Result<Paged<PatientImportRow, RowCursor>> {
    let (run, after) = page.after.unwrap_or((run, 0));
    let mut query = patient_import_row::table
        .filter(patient_import_row::patient_import_id.eq(id))
        .filter(patient_import_row::run.eq(run))
        .filter(patient_import_row::row_number.gt(after))
        .into_boxed();
    if let Some(outcome) = outcome {
        query = query.filter(patient_import_row::outcome.eq(outcome));
    }
    let rows = query
        .order(patient_import_row::row_number)
        .limit(page.limit())
        .select(PatientImportRow::as_select())
        .load(tx.conn())
        .await?;
    Ok(page.cut(rows, |row| (run, row.row_number)))
}
