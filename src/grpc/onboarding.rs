//! OnboardingService.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::{checked, id, key, paging};
use crate::{
    domain::{
        Domain,
        onboarding::{self, TASKS, TASKS_AT_MOST},
    },
    proto::{self, onboarding_service_server::OnboardingService},
};

mod convert;

pub struct OnboardingApi {
    domain: Domain,
}

impl OnboardingApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl OnboardingService for OnboardingApi {
    async fn get_onboarding(
        &self,
        request: Request<proto::GetOnboardingRequest>,
    ) -> Result<Response<proto::GetOnboardingResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let found = onboarding::get(&self.domain, &caller, of).await?;
        Ok(Response::new(proto::GetOnboardingResponse { onboarding: Some(found.into()) }))
    }

    async fn list_workspaces(
        &self,
        request: Request<proto::ListWorkspacesRequest>,
    ) -> Result<Response<proto::ListWorkspacesResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let paged = onboarding::workspaces(&self.domain, &caller, of, &page).await?;
        Ok(Response::new(proto::ListWorkspacesResponse {
            next_page_token: tokens.next(paged.next)?,
            workspaces: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn select_workspace(
        &self,
        request: Request<proto::SelectWorkspaceRequest>,
    ) -> Result<Response<proto::SelectWorkspaceResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let chosen = (request.workspace_gid.as_str(), convert::plan(request.plan()));
        let done = onboarding::select_workspace(&self.domain, &caller, &key, of, chosen, Utc::now()).await?;
        Ok(Response::new(proto::SelectWorkspaceResponse { onboarding: Some(done.into()) }))
    }

    async fn list_custom_fields(
        &self,
        request: Request<proto::ListCustomFieldsRequest>,
    ) -> Result<Response<proto::ListCustomFieldsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let found = onboarding::custom_fields(&self.domain, &caller, of, &page).await?;
        let areas = found.areas;
        Ok(Response::new(proto::ListCustomFieldsResponse {
            next_page_token: tokens.next(found.paged.next)?,
            fields: found.paged.rows.into_iter().map(|row| convert::field(row, &areas)).collect(),
            hint: found.hint.map(onboarding::Hint::as_str).unwrap_or_default().into(),
        }))
    }

    async fn save_field_mapping(
        &self,
        request: Request<proto::SaveFieldMappingRequest>,
    ) -> Result<Response<proto::SaveFieldMappingResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let mapping = convert::mapping(request.field_mapping.unwrap_or_default());
        let done = onboarding::save_mapping(&self.domain, &caller, &key, of, mapping, Utc::now()).await?;
        Ok(Response::new(proto::SaveFieldMappingResponse { onboarding: Some(done.into()) }))
    }

    async fn preview_field_mapping(
        &self,
        request: Request<proto::PreviewFieldMappingRequest>,
    ) -> Result<Response<proto::PreviewFieldMappingResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let tasks = match usize::try_from(request.task_count) {
            Ok(asked @ 1..) => asked.min(TASKS_AT_MOST),
            Ok(0) | Err(_) => TASKS,
        };
        let mapping = request.field_mapping.map(convert::mapping);
        let preview = onboarding::preview(&self.domain, &caller, of, mapping, tasks).await?;
        Ok(Response::new(preview.into()))
    }

    async fn start_initial_sync(
        &self,
        request: Request<proto::StartInitialSyncRequest>,
    ) -> Result<Response<proto::StartInitialSyncResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let run = onboarding::start_initial_sync(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::StartInitialSyncResponse { sync_log: Some(run.into()) }))
    }

    async fn activate_webhooks(
        &self,
        request: Request<proto::ActivateWebhooksRequest>,
    ) -> Result<Response<proto::ActivateWebhooksResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let done = onboarding::activate_webhooks(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::ActivateWebhooksResponse { onboarding: Some(done.into()) }))
    }
}
