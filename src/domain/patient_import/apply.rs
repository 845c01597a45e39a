//! One batch of rows: applied, reported and counted in one transaction,
//! each row inside a savepoint of its own.

use std::sync::Arc;

use super::seen::Familiar;
use crate::{
    domain::{
        Domain, inbound,
        patient::{self, Newcomer, Record, TakenIn},
        patient_csv::{PatientRow, Row},
    },
    error::{Error, Result},
    ids::{PatientId, PatientImportId, TenantId},
    store::{
        self, TenantTx,
        patient_import::{PatientImport, PatientImportRow},
        tenant::Tenant,
    },
    vault::TenantKey,
    words::{ImportOutcome, ImportState, LinkOrigin},
};

/// Rows of one transaction: enough to make its commit cheap, few enough to hold their locks for moments only.
pub(super) const BATCH_ROWS: usize = 200;

/// A row, and whom a dry run took it for.
pub(super) struct Incoming {
    pub(super) row: Row,
    pub(super) familiar: Familiar,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    pub(super) import: PatientImportId,
    pub(super) run: i32,
    pub(super) processed_rows: i64,
}

/// What the rows of a batch have in common.
struct Ground {
    tenant: Tenant,
    import: PatientImport,
    key: Arc<TenantKey>,
}

/// Whose turn the rows behind a checkpoint are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The caller's.
    Ours,
    /// Nobody's: the run has ended, or another one has begun.
    Over,
    /// Another worker's, who has moved the checkpoint.
    Taken,
}

impl Checkpoint {
    /// Whose turn it is, as an import stands that the transaction has locked.
    pub(super) fn turn(&self, import: &PatientImport) -> Turn {
        match import.state {
            ImportState::Running if import.run != self.run => Turn::Over,
            ImportState::Running if import.processed_rows == self.processed_rows => Turn::Ours,
            ImportState::Running => Turn::Taken,
            ImportState::Uploading | ImportState::Succeeded | ImportState::Failed => Turn::Over,
        }
    }
}

/// Applies the rows behind the checkpoint. In a dry run each of them is undone at once, and its report stays.
pub(super) async fn batch(
    domain: &Domain,
    tenant: TenantId,
    at: Checkpoint,
    rows: &[Incoming],
) -> Result<Turn> {
    let key = domain.tenant_key(tenant).await?;
    let mut tx = domain.store.tenant(tenant).await?;
    let import = store::patient_import::find_locked(&mut tx, at.import).await?;
    let turn = at.turn(&import);
    if turn == Turn::Ours {
        // Before the settings are read, of which the keys of phone numbers are made.
        tx.lock(patient::ARRIVAL_LOCK).await?;
        let ground = Ground { tenant: store::tenant::current(&mut tx).await?, import, key };
        let mut report = Vec::with_capacity(rows.len());
        for Incoming { row, familiar } in rows {
            let line = match &row.outcome {
                Ok(person) => take_over(&mut tx, &ground, person, *familiar).await?,
                Err(error) => refused(error.code.as_str(), error.field),
            };
            report.push(PatientImportRow { row_number: row.number as i64, ..line });
        }
        store::patient_import::record(&mut tx, at.import, at.run, &report).await?;
    }
    tx.commit().await?;
    Ok(turn)
}

async fn take_over(
    tx: &mut TenantTx,
    ground: &Ground,
    person: &PatientRow,
    familiar: Familiar,
) -> Result<PatientImportRow> {
    let dry_run = ground.import.dry_run;
    tx.begin_savepoint().await?;
    let taken = take_in(tx, ground, person).await;
    if taken.is_ok() && !dry_run {
        tx.release_savepoint().await?;
    } else if taken.is_ok() || taken.as_ref().is_err_and(|error| refusal(error).is_some()) {
        tx.roll_back_savepoint().await?;
    }
    match taken {
        Ok(Some(taken)) => Ok(taken_in(taken, dry_run, familiar)),
        Ok(None) => Ok(refused("PATIENT_DELETED", "external_id")),
        Err(error) => refusal(&error).ok_or(error),
    }
}

/// Takes the person in, and what the tool said before of their appointments.
async fn take_in(tx: &mut TenantTx, ground: &Ground, person: &PatientRow) -> Result<Option<TakenIn>> {
    let Ground { tenant, import, key } = ground;
    let record = import.integration_id.zip(person.external_id.as_deref());
    let record = record.map(|(integration, external_id)| Record { key, integration, external_id });
    let taken =
        patient::take_in(tx, tenant, record, &newcomer(person), import.origin, LinkOrigin::Import).await?;
    if let (Some(record), Some(taken)) = (record, taken) {
        let cause = format!("patient_import/{}", import.id);
        inbound::settle_waiting(tx, record, taken.id(), cause).await?;
    }
    Ok(taken)
}

fn newcomer(person: &PatientRow) -> Newcomer {
    Newcomer {
        first_name: person.first_name.clone().unwrap_or_default(),
        last_name: person.last_name.clone(),
        email: person.email.clone(),
        phone: person.phone.clone(),
        birth_date: person.birth_date,
    }
}

/// A dry run's new people are gone again, so it names only those who were known.
fn taken_in(taken: TakenIn, dry_run: bool, familiar: Familiar) -> PatientImportRow {
    let (outcome, patient_id) = match taken {
        TakenIn::Matched(id) => (ImportOutcome::Matched, Some(id)),
        TakenIn::Created(id) => (ImportOutcome::Created, Some(id).filter(|_| !dry_run)),
        TakenIn::Candidate(id) => (ImportOutcome::Candidate, Some(id).filter(|_| !dry_run)),
    };
    let outcome = if dry_run { familiar.correct(outcome) } else { outcome };
    line(outcome, "", "", patient_id)
}

/// The report of a row that does not fit; `None` for an error that is not the row's fault.
fn refusal(error: &Error) -> Option<PatientImportRow> {
    match error {
        Error::Invalid(violations) => {
            Some(refused("INVALID_FIELD", violations.first().map_or("row", |violation| &violation.field)))
        }
        Error::NotFound(_) => Some(refused("NOT_FOUND", "row")),
        Error::NameTaken { .. } => Some(refused("NAME_TAKEN", "row")),
        _ => None,
    }
}

fn refused(reason: &str, field: &str) -> PatientImportRow {
    line(ImportOutcome::Refused, reason, field, None)
}

fn line(
    outcome: ImportOutcome,
    reason: &str,
    field: &str,
    patient_id: Option<PatientId>,
) -> PatientImportRow {
    PatientImportRow { row_number: 0, outcome, reason: reason.into(), field: field.into(), patient_id }
}
