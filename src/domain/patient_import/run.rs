//! A run of an import, as the worker does it: the file is read from its beginning, one chunk in memory, and
//! its rows are applied from the checkpoint on.
//! Whatever ends it early, the next attempt goes on behind the last batch that committed.

use std::time::Duration;

use serde_json::Value;

use super::{
    RunOrder,
    apply::{self, BATCH_ROWS, Checkpoint, Incoming, Turn},
    place,
    seen::{Familiar, Seen},
};
use crate::{
    domain::{
        Domain,
        patient_csv::{FileError, PatientCsv, Row, Summary},
    },
    error::{Error, Result},
    ids::TenantId,
    store::{
        self, TenantTx,
        outbox::Outcome,
        patient_import::{Ending, PatientImport},
    },
};

/// Bytes parsed at once: what they hold at most, as rows, is what a run has in memory beside its chunk.
const PIECE_BYTES: usize = 16 * 1024;
/// How long to leave a run to the worker who seems to be at it.
const TAKEN_PAUSE: Duration = Duration::from_secs(1);

/// Why a run does not go on here.
enum Stop {
    Over,
    Taken,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

struct Run<'a> {
    domain: &'a Domain,
    tenant: TenantId,
    import: PatientImport,
    at: Checkpoint,
    /// Rows that wait for their batch to fill.
    waiting: Vec<Incoming>,
    seen: Seen,
}

/// Does the run that a message asks for, or what is left of it.
/// Errors: `Unavailable` and whatever else is worth another attempt.
pub async fn run(domain: &Domain, tenant: TenantId, payload: &Value) -> Result<Outcome> {
    let order = order(payload)?;
    let mut tx = domain.store.tenant(tenant).await?;
    let import = store::patient_import::find(&mut tx, order.patient_import_id).await?;
    tx.commit().await?;
    let at = Checkpoint { import: import.id, run: order.run, processed_rows: import.processed_rows };
    let run = Run { domain, tenant, import, at, waiting: Vec::new(), seen: Seen::default() };
    match run.go().await {
        Ok(()) | Err(Stop::Over) => Ok(Outcome::Done),
        Err(Stop::Taken) => {
            Ok(Outcome::Retry { after: TAKEN_PAUSE, reason: "another worker is at it".into() })
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Ends the run that a message asks for as failed: no attempt is left.
pub async fn give_up(domain: &Domain, tenant: TenantId, payload: &Value) -> Result<()> {
    let order = order(payload)?;
    let mut tx = domain.store.tenant(tenant).await?;
    let import = store::patient_import::find_locked(&mut tx, order.patient_import_id).await?;
    let at = Checkpoint { import: import.id, run: order.run, processed_rows: import.processed_rows };
    if at.turn(&import) == Turn::Ours {
        let ending = Ending { failure_reason: "INTERNAL".into(), ..Ending::default() };
        end(&mut tx, &import, &ending).await?;
    }
    tx.commit().await
}

/// Ends the run. After one for real there is no other, however it ended, and nobody reads the file again.
async fn end(tx: &mut TenantTx, import: &PatientImport, ending: &Ending) -> Result<()> {
    store::patient_import::end_run(tx, import.id, ending).await?;
    if !import.dry_run {
        store::patient_import::delete_chunks(tx, import.id).await?;
    }
    Ok(())
}

fn order(payload: &Value) -> Result<RunOrder> {
    serde_json::from_value(payload.clone()).map_err(Error::internal)
}

impl Run<'_> {
    async fn go(mut self) -> Result<(), Stop> {
        proceed(self.at.turn(&self.import))?;
        let ending = match self.read().await? {
            Ok(summary) => Ending {
                failure_reason: String::new(),
                delimiter: summary.delimiter.into(),
                encoding: summary.encoding.into(),
                ignored_columns: summary.ignored_columns,
            },
            Err(error) => Ending { failure_reason: failure_reason(&error).into(), ..Ending::default() },
        };
        while !self.waiting.is_empty() {
            self.apply().await?;
        }
        self.end(&ending).await
    }

    /// Reads the file and applies its rows, but for the last few.
    /// The inner error is the file's: rows before it stay.
    async fn read(&mut self) -> Result<Result<Summary, FileError>, Stop> {
        // The day it was started, so that every run and every attempt reads two-digit years alike.
        let mut csv = PatientCsv::new(self.import.create_time.date_naive());
        let mut rows = Vec::new();
        let mut offset = 0;
        while offset < self.import.received_bytes {
            let bytes = self.chunk(offset).await?;
            for piece in bytes.chunks(PIECE_BYTES) {
                let fed = csv.feed(piece, &mut rows);
                self.take(&mut rows).await?;
                if let Err(error) = fed {
                    return Ok(Err(error));
                }
            }
            offset += bytes.len() as i64;
        }
        let finished = csv.finish(&mut rows);
        self.take(&mut rows).await?;
        Ok(finished)
    }

    async fn chunk(&self, offset: i64) -> Result<Vec<u8>> {
        let key = self.domain.tenant_key(self.tenant).await?;
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let found = store::patient_import::find_chunk(&mut tx, self.import.id, offset).await?;
        tx.commit().await?;
        let sealed = found.ok_or_else(|| Error::internal("a chunk of the import is missing"))?;
        key.open(place(self.import.id, offset), &sealed).map_err(Error::internal)
    }

    /// Takes rows as they are read: those before the checkpoint are only remembered.
    async fn take(&mut self, rows: &mut Vec<Row>) -> Result<(), Stop> {
        let resumed_at = self.import.processed_rows;
        for row in rows.drain(..) {
            let familiar = match &row.outcome {
                Ok(person) if self.import.dry_run => self.seen.meet(person),
                _ => Familiar::Nobody,
            };
            if row.number as i64 > resumed_at {
                self.waiting.push(Incoming { row, familiar });
            }
        }
        while self.waiting.len() >= BATCH_ROWS {
            self.apply().await?;
        }
        // Rows before the checkpoint need no database, and so would keep other work on this thread from
        // running.
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn apply(&mut self) -> Result<(), Stop> {
        let batch: Vec<Incoming> = self.waiting.drain(..self.waiting.len().min(BATCH_ROWS)).collect();
        let (domain, tenant, at) = (self.domain, self.tenant, self.at);
        let turn = store::retry_deadlocks(|| apply::batch(domain, tenant, at, &batch)).await?;
        proceed(turn)?;
        self.at.processed_rows += batch.len() as i64;
        Ok(())
    }

    async fn end(&self, ending: &Ending) -> Result<(), Stop> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let import = store::patient_import::find_locked(&mut tx, self.import.id).await?;
        proceed(self.at.turn(&import))?;
        end(&mut tx, &import, ending).await?;
        Ok(tx.commit().await?)
    }
}

fn proceed(turn: Turn) -> Result<(), Stop> {
    match turn {
        Turn::Ours => Ok(()),
        Turn::Over => Err(Stop::Over),
        Turn::Taken => Err(Stop::Taken),
    }
}

pub(super) fn failure_reason(error: &FileError) -> &'static str {
    match error {
        FileError::Empty => "EMPTY",
        FileError::MissingColumn(_) => "MISSING_COLUMN",
        FileError::RecordTooLong(_) => "RECORD_TOO_LONG",
        FileError::TooManyColumns(_) => "TOO_MANY_COLUMNS",
    }
}
