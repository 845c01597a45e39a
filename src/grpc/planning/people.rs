//! Who is away, who did what, and whose account is whose.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::convert::{optional_date, time_entry};
use crate::{
    domain::{
        Domain,
        planning::{queries, user_mapping},
    },
    grpc::{checked, id, key, optional_id, paging},
    proto::{
        ListAbsencesRequest, ListAbsencesResponse, ListTimeEntriesRequest, ListTimeEntriesResponse,
        ListUserMappingsRequest, ListUserMappingsResponse, SetUserMappingRequest, SetUserMappingResponse,
    },
    store::planning::{absence, time_entry, user},
};

pub(super) async fn list_absences(
    domain: &Domain,
    request: Request<ListAbsencesRequest>,
) -> Result<Response<ListAbsencesResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = absence::Filter {
        integration: optional_id("integration_id", &request.integration_id)?,
        date_from: optional_date("date_from", &request.date_from)?,
        date_until: optional_date("date_until", &request.date_until)?,
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        user: optional_id("external_user_id", &request.external_user_id)?,
    };
    let paged = queries::list_absences(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListAbsencesResponse {
        next_page_token: tokens.next(paged.next)?,
        absences: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn list_time_entries(
    domain: &Domain,
    request: Request<ListTimeEntriesRequest>,
) -> Result<Response<ListTimeEntriesResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = time_entry::Filter {
        integration: optional_id("integration_id", &request.integration_id)?,
        phase: optional_id("phase_id", &request.phase_id)?,
        project: optional_id("project_id", &request.project_id)?,
        date_from: optional_date("date_from", &request.date_from)?,
        date_until: optional_date("date_until", &request.date_until)?,
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        user: optional_id("external_user_id", &request.external_user_id)?,
    };
    let paged = queries::list_time_entries(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListTimeEntriesResponse {
        next_page_token: tokens.next(paged.next)?,
        time_entries: paged.rows.into_iter().map(time_entry).collect(),
    }))
}

pub(super) async fn list_user_mappings(
    domain: &Domain,
    request: Request<ListUserMappingsRequest>,
) -> Result<Response<ListUserMappingsResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = user::Filter {
        integration: optional_id("integration_id", &request.integration_id)?,
        unmapped_only: request.unmapped_only,
    };
    let paged = user_mapping::list(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListUserMappingsResponse {
        next_page_token: tokens.next(paged.next)?,
        user_mappings: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn set_user_mapping(
    domain: &Domain,
    request: Request<SetUserMappingRequest>,
) -> Result<Response<SetUserMappingResponse>, Status> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &request);
    let user = id("external_user_id", &request.external_user_id)?;
    let practitioner = optional_id("practitioner_id", &request.practitioner_id)?;
    let mapped = user_mapping::set(domain, &caller, &key, user, practitioner, Utc::now()).await?;
    Ok(Response::new(SetUserMappingResponse { user_mapping: Some(mapped.into()) }))
}
