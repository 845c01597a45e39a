//! PlanningService.

use tonic::{Request, Response, Status};

use crate::{
    domain::Domain,
    proto::{
        GetPhaseHistoryRequest, GetPhaseHistoryResponse, GetPhaseRequest, GetPhaseResponse,
        GetProjectRequest, GetProjectResponse, ListAbsencesRequest, ListAbsencesResponse,
        ListConflictsRequest, ListConflictsResponse, ListPhasesRequest, ListPhasesResponse,
        ListProjectsRequest, ListProjectsResponse, ListTimeEntriesRequest, ListTimeEntriesResponse,
        ListUserMappingsRequest, ListUserMappingsResponse, RevertConflictRequest, RevertConflictResponse,
        SetUserMappingRequest, SetUserMappingResponse, UpdatePhaseRequest, UpdatePhaseResponse,
        planning_service_server::PlanningService,
    },
};

mod conflicts;
mod convert;
mod people;
mod phases;
mod projects;
mod words;

pub struct PlanningApi {
    domain: Domain,
}

impl PlanningApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl PlanningService for PlanningApi {
    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        projects::list(&self.domain, request).await
    }

    async fn get_project(
        &self,
        request: Request<GetProjectRequest>,
    ) -> Result<Response<GetProjectResponse>, Status> {
        projects::get(&self.domain, request).await
    }

    async fn list_phases(
        &self,
        request: Request<ListPhasesRequest>,
    ) -> Result<Response<ListPhasesResponse>, Status> {
        phases::list(&self.domain, request).await
    }

    async fn get_phase(
        &self,
        request: Request<GetPhaseRequest>,
    ) -> Result<Response<GetPhaseResponse>, Status> {
        phases::get(&self.domain, request).await
    }

    async fn update_phase(
        &self,
        request: Request<UpdatePhaseRequest>,
    ) -> Result<Response<UpdatePhaseResponse>, Status> {
        phases::update(&self.domain, request).await
    }

    async fn get_phase_history(
        &self,
        request: Request<GetPhaseHistoryRequest>,
    ) -> Result<Response<GetPhaseHistoryResponse>, Status> {
        phases::history(&self.domain, request).await
    }

    async fn list_absences(
        &self,
        request: Request<ListAbsencesRequest>,
    ) -> Result<Response<ListAbsencesResponse>, Status> {
        people::list_absences(&self.domain, request).await
    }

    async fn list_time_entries(
        &self,
        request: Request<ListTimeEntriesRequest>,
    ) -> Result<Response<ListTimeEntriesResponse>, Status> {
        people::list_time_entries(&self.domain, request).await
    }

    async fn list_user_mappings(
        &self,
        request: Request<ListUserMappingsRequest>,
    ) -> Result<Response<ListUserMappingsResponse>, Status> {
        people::list_user_mappings(&self.domain, request).await
    }

    async fn set_user_mapping(
        &self,
        request: Request<SetUserMappingRequest>,
    ) -> Result<Response<SetUserMappingResponse>, Status> {
        people::set_user_mapping(&self.domain, request).await
    }

    async fn list_conflicts(
        &self,
        request: Request<ListConflictsRequest>,
    ) -> Result<Response<ListConflictsResponse>, Status> {
        conflicts::list(&self.domain, request).await
    }

    async fn revert_conflict(
        &self,
        request: Request<RevertConflictRequest>,
    ) -> Result<Response<RevertConflictResponse>, Status> {
        conflicts::revert(&self.domain, request).await
    }
}
