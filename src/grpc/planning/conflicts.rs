//! Fields that both sides had changed.

use chrono::Utc;
use tonic::{Request, Response, Status};

use crate::{
    domain::{Domain, planning::conflict},
    grpc::{checked, id, key, optional_id, paging},
    proto::{ListConflictsRequest, ListConflictsResponse, RevertConflictRequest, RevertConflictResponse},
    store::planning::conflict::Filter,
};

pub(super) async fn list(
    domain: &Domain,
    request: Request<ListConflictsRequest>,
) -> Result<Response<ListConflictsResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = Filter {
        phase: optional_id("phase_id", &request.phase_id)?,
        unreverted_only: request.unreverted_only,
    };
    let paged = conflict::list(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListConflictsResponse {
        next_page_token: tokens.next(paged.next)?,
        conflicts: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn revert(
    domain: &Domain,
    request: Request<RevertConflictRequest>,
) -> Result<Response<RevertConflictResponse>, Status> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &request);
    let of = id("phase_conflict_id", &request.phase_conflict_id)?;
    let (conflict, phase) = conflict::revert(domain, &caller, &key, of, Utc::now()).await?;
    Ok(Response::new(RevertConflictResponse { conflict: Some(conflict.into()), phase: Some(phase.into()) }))
}
