//! CSV files of people: received in chunks, finished, and worked through by the worker,
//! for real or to see what would happen.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Domain,
    idempotency::{self, Claim},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{IntegrationId, PatientImportId},
    page::{Page, Paged},
    provider::booking_tool,
    store::{
        self,
        outbox::NewMessage,
        patient_import::{PatientImport, PatientImportRow, RowCursor},
    },
    vault::Place,
    words::{ImportOutcome, ImportState, MessageKind},
};

mod apply;
mod run;
mod seen;

pub use run::{give_up, run};

/// Imports of a tenant that are being received or worked through, at most.
pub const OPEN_AT_MOST: i64 = 10;
/// Bytes of one file, at most: 256 MiB.
pub const BYTES_AT_MOST: i64 = 256 * 1024 * 1024;
/// Bytes of a tenant's files, open or tried, with which none is begun any more: 1 GiB.
pub const KEPT_BYTES_AT_MOST: i64 = 4 * BYTES_AT_MOST;

/// Which run a message asks for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct RunOrder {
    patient_import_id: PatientImportId,
    run: i32,
}

/// What a chunk is to the file so far.
#[derive(Debug, PartialEq, Eq)]
enum Chunk {
    Next,
    Repeated,
}

/// Opens an import. Errors: `IdempotencyKeyReused`, `LimitReached`, `NotFound` (integration), `Invalid`.
pub async fn start(
    domain: &Domain,
    caller: &Caller,
    key: &idempotency::Key,
    integration: Option<IntegrationId>,
) -> Result<PatientImport> {
    let fresh = PatientImportId::new();
    let mut tx = domain.store.caller(caller).await?;
    let id = match idempotency::claim(&mut tx, caller, key, fresh).await? {
        Claim::Repeat(id) => PatientImportId(id),
        Claim::First => {
            if let Some(id) = integration
                && store::integration::find(&mut tx, id).await?.provider != booking_tool::PROVIDER
            {
                return Err(Error::invalid("integration_id", "must be of a booking tool"));
            }
            // Two starts at once would both count nine.
            tx.lock("patient_import").await?;
            if store::patient_import::count_open(&mut tx).await? >= OPEN_AT_MOST {
                return Err(Error::LimitReached("ten open imports"));
            }
            // A file that was tried is open no more, and kept to be taken over.
            if store::patient_import::all_kept_bytes(&mut tx).await? >= KEPT_BYTES_AT_MOST {
                return Err(Error::LimitReached("1 GiB of kept import files"));
            }
            store::patient_import::insert(&mut tx, fresh, integration, caller.origin).await?;
            fresh
        }
    };
    let import = store::patient_import::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(import)
}

/// Appends bytes; returns how many there are now.
/// Errors: `NotFound`, `ImportState`, `ImportOffset`, `LimitReached`.
pub async fn upload(
    domain: &Domain,
    caller: &Caller,
    id: PatientImportId,
    offset: i64,
    data: &[u8],
) -> Result<i64> {
    let size = i32::try_from(data.len()).map_err(|_| Error::invalid("data", "must be 1 MiB at most"))?;
    // Sealed first: the row lock below should not wait for it.
    let sealed =
        domain.tenant_key(caller.tenant).await?.seal(place(id, offset), data).map_err(Error::internal)?;
    let mut tx = domain.store.caller(caller).await?;
    let import = store::patient_import::find_locked(&mut tx, id).await?;
    let received_size = store::patient_import::chunk_size(&mut tx, id, offset).await?;
    let received_bytes = match judge(&import, offset, size, received_size)? {
        Chunk::Repeated => import.received_bytes,
        Chunk::Next => {
            store::patient_import::insert_chunk(&mut tx, id, offset, size, &sealed).await?;
            offset + i64::from(size)
        }
    };
    tx.commit().await?;
    Ok(received_bytes)
}

/// Ends the upload and queues a run. Errors: `NotFound`, `ImportState`.
pub async fn finish(
    domain: &Domain,
    caller: &Caller,
    id: PatientImportId,
    dry_run: bool,
    now: DateTime<Utc>,
) -> Result<PatientImport> {
    let mut tx = domain.store.caller(caller).await?;
    let import = store::patient_import::find_locked(&mut tx, id).await?;
    // A file that was tried can be swept away before it is taken over.
    let is_kept = store::patient_import::kept_bytes(&mut tx, id).await? == import.received_bytes;
    if !is_kept || !may_run(import.state, import.dry_run) {
        return Err(Error::ImportState(import.state));
    }
    store::patient_import::begin_run(&mut tx, id, dry_run).await?;
    let order = RunOrder { patient_import_id: id, run: import.run + 1 };
    let message = NewMessage {
        kind: MessageKind::PatientImport,
        lane: format!("patient_import/{id}"),
        payload: serde_json::to_value(order).map_err(Error::internal)?,
        cause: caller.subject.clone(),
        run_time: now,
        integration: None,
    };
    store::outbox::push(&mut tx, message).await?;
    let import = store::patient_import::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(import)
}

/// An import and a page of its report. Errors: `NotFound`.
pub async fn get(
    domain: &Domain,
    caller: &Caller,
    id: PatientImportId,
    outcome: Option<ImportOutcome>,
    page: &Page<RowCursor>,
) -> Result<(PatientImport, Paged<PatientImportRow, RowCursor>)> {
    let mut tx = domain.store.caller(caller).await?;
    let import = store::patient_import::find(&mut tx, id).await?;
    let rows = store::patient_import::list_rows(&mut tx, id, import.run, outcome, page).await?;
    tx.end_reading();
    Ok((import, rows))
}

/// Where a chunk lives: no two chunks of one import share a row, and no two imports an id.
fn place(id: PatientImportId, offset: i64) -> Place {
    let row = Uuid::from_u128(id.0.as_u128() ^ u128::from(offset.unsigned_abs()));
    Place { table: "patient_import_chunk", column: "sealed_data", row }
}

fn judge(import: &PatientImport, offset: i64, size: i32, received_size: Option<i32>) -> Result<Chunk> {
    match offset.cmp(&import.received_bytes) {
        _ if import.state != ImportState::Uploading => Err(Error::ImportState(import.state)),
        std::cmp::Ordering::Less if received_size == Some(size) => Ok(Chunk::Repeated),
        std::cmp::Ordering::Equal if offset + i64::from(size) > BYTES_AT_MOST => {
            Err(Error::LimitReached("256 MiB of a file"))
        }
        std::cmp::Ordering::Equal => Ok(Chunk::Next),
        _ => Err(Error::ImportOffset(import.received_bytes)),
    }
}

/// A file is taken over once; before, it may be tried as often as anybody likes.
fn may_run(state: ImportState, last_run_was_dry: bool) -> bool {
    match state {
        ImportState::Uploading => true,
        ImportState::Running => false,
        ImportState::Succeeded | ImportState::Failed => last_run_was_dry,
    }
}

#[cfg(test)]
#[path = "patient_import/tests.rs"]
mod tests;
