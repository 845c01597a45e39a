//! The rpcs of CSV imports; `patients` serves them.

use tonic::{Request, Response, Status};

use super::{checked, id, key, optional_id, paging};
use crate::{
    domain::{Domain, patient_import},
    error::Result,
    proto,
    store::patient_import::{PatientImport, PatientImportRow},
    words::{ImportOutcome, ImportState},
};

pub(super) async fn start(
    domain: &Domain,
    request: Request<proto::StartPatientImportRequest>,
) -> Result<Response<proto::StartPatientImportResponse>, Status> {
    let (caller, message) = checked(request)?;
    let key = key(&message.idempotency_key, &message);
    let integration = optional_id("integration_id", &message.integration_id)?;
    let import = patient_import::start(domain, &caller, &key, integration).await?;
    Ok(Response::new(proto::StartPatientImportResponse { patient_import: Some(import.into()) }))
}

pub(super) async fn upload(
    domain: &Domain,
    request: Request<proto::UploadPatientImportChunkRequest>,
) -> Result<Response<proto::UploadPatientImportChunkResponse>, Status> {
    let (caller, message) = checked(request)?;
    let id = id("patient_import_id", &message.patient_import_id)?;
    let received_bytes =
        patient_import::upload(domain, &caller, id, message.offset_bytes, &message.data).await?;
    Ok(Response::new(proto::UploadPatientImportChunkResponse { received_bytes }))
}

pub(super) async fn finish(
    domain: &Domain,
    request: Request<proto::FinishPatientImportRequest>,
) -> Result<Response<proto::FinishPatientImportResponse>, Status> {
    let (caller, message) = checked(request)?;
    let id = id("patient_import_id", &message.patient_import_id)?;
    let import = patient_import::finish(domain, &caller, id, message.dry_run, chrono::Utc::now()).await?;
    Ok(Response::new(proto::FinishPatientImportResponse { patient_import: Some(import.into()) }))
}

pub(super) async fn get(
    domain: &Domain,
    request: Request<proto::GetPatientImportRequest>,
) -> Result<Response<proto::GetPatientImportResponse>, Status> {
    let (caller, message) = checked(request)?;
    let id = id("patient_import_id", &message.patient_import_id)?;
    let (tokens, page) = paging(domain, &caller, &message)?;
    let (import, rows) = patient_import::get(domain, &caller, id, wanted(message.outcome()), &page).await?;
    Ok(Response::new(proto::GetPatientImportResponse {
        patient_import: Some(import.into()),
        rows: rows.rows.into_iter().map(Into::into).collect(),
        next_page_token: tokens.next(rows.next)?,
    }))
}

fn wanted(outcome: proto::PatientImportOutcome) -> Option<ImportOutcome> {
    match outcome {
        proto::PatientImportOutcome::Unspecified => None,
        proto::PatientImportOutcome::Created => Some(ImportOutcome::Created),
        proto::PatientImportOutcome::Matched => Some(ImportOutcome::Matched),
        proto::PatientImportOutcome::Candidate => Some(ImportOutcome::Candidate),
        proto::PatientImportOutcome::Refused => Some(ImportOutcome::Refused),
    }
}

impl From<PatientImport> for proto::PatientImport {
    fn from(import: PatientImport) -> Self {
        Self {
            patient_import_id: import.id.to_string(),
            state: proto::PatientImportState::from(import.state).into(),
            dry_run: import.dry_run,
            received_bytes: import.received_bytes,
            processed_rows: import.processed_rows,
            created_rows: import.created_rows,
            matched_rows: import.matched_rows,
            candidate_rows: import.candidate_rows,
            refused_rows: import.refused_rows,
            failure_reason: import.failure_reason,
            delimiter: import.delimiter,
            encoding: import.encoding,
            ignored_columns: import.ignored_columns,
            create_time: Some(timestamp(import.create_time)),
            end_time: import.end_time.map(timestamp),
        }
    }
}

impl From<PatientImportRow> for proto::PatientImportRow {
    fn from(row: PatientImportRow) -> Self {
        Self {
            row_number: row.row_number,
            outcome: proto::PatientImportOutcome::from(row.outcome).into(),
            reason: row.reason,
            field: row.field,
            patient_id: row.patient_id.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

impl From<ImportState> for proto::PatientImportState {
    fn from(state: ImportState) -> Self {
        match state {
            ImportState::Uploading => Self::Uploading,
            ImportState::Running => Self::Running,
            ImportState::Succeeded => Self::Succeeded,
            ImportState::Failed => Self::Failed,
        }
    }
}

impl From<ImportOutcome> for proto::PatientImportOutcome {
    fn from(outcome: ImportOutcome) -> Self {
        match outcome {
            ImportOutcome::Created => Self::Created,
            ImportOutcome::Matched => Self::Matched,
            ImportOutcome::Candidate => Self::Candidate,
            ImportOutcome::Refused => Self::Refused,
        }
    }
}

fn timestamp(time: chrono::DateTime<chrono::Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() as i32 }
}
