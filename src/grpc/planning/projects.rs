//! Projects.

use tonic::{Request, Response, Status};

use super::words;
use crate::{
    domain::{Domain, planning::queries},
    grpc::{checked, id, optional_id, paging},
    proto::{GetProjectRequest, GetProjectResponse, ListProjectsRequest, ListProjectsResponse},
    store::planning::project::Filter,
};

pub(super) async fn list(
    domain: &Domain,
    request: Request<ListProjectsRequest>,
) -> Result<Response<ListProjectsResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = Filter {
        integration: optional_id("integration_id", &request.integration_id)?,
        with_phases_only: request.with_phases_only,
        include_archived: request.include_archived,
        presence: words::presence(request.presence()),
    };
    let paged = queries::list_projects(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListProjectsResponse {
        next_page_token: tokens.next(paged.next)?,
        projects: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn get(
    domain: &Domain,
    request: Request<GetProjectRequest>,
) -> Result<Response<GetProjectResponse>, Status> {
    let (caller, request) = checked(request)?;
    let found = queries::get_project(domain, &caller, id("project_id", &request.project_id)?).await?;
    Ok(Response::new(GetProjectResponse { project: Some(found.into()) }))
}
