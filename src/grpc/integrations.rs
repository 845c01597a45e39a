//! IntegrationService.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::{
    checked, convert as wire, id, key,
    mask::Mask,
    paging,
    streams::{Answers, Streams},
};
use crate::{
    domain::{
        Domain,
        integration::{self, Changes, NewIntegration},
    },
    error::{Error, Result},
    proto::{self, integration_service_server::IntegrationService},
};

mod authorization;
mod convert;
mod providers;
mod watch;

pub struct IntegrationApi {
    domain: Domain,
    streams: Streams,
}

impl IntegrationApi {
    pub fn new(domain: Domain, streams: Streams) -> Self {
        Self { domain, streams }
    }
}

#[tonic::async_trait]
impl IntegrationService for IntegrationApi {
    type WatchIntegrationStatusStream = Answers<proto::WatchIntegrationStatusResponse>;

    async fn list_providers(
        &self,
        request: Request<proto::ListProvidersRequest>,
    ) -> Result<Response<proto::ListProvidersResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let paged = integration::providers(&self.domain, &page);
        Ok(Response::new(proto::ListProvidersResponse {
            next_page_token: tokens.next(paged.next)?,
            providers: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_integrations(
        &self,
        request: Request<proto::ListIntegrationsRequest>,
    ) -> Result<Response<proto::ListIntegrationsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let provider = Some(request.provider.as_str()).filter(|provider| !provider.is_empty());
        let paged = integration::list(&self.domain, &caller, provider, &page).await?;
        Ok(Response::new(proto::ListIntegrationsResponse {
            next_page_token: tokens.next(paged.next)?,
            integrations: paged.rows.into_iter().map(|row| convert::integration(&self.domain, row)).collect(),
        }))
    }

    async fn get_integration(
        &self,
        request: Request<proto::GetIntegrationRequest>,
    ) -> Result<Response<proto::GetIntegrationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let found =
            integration::get(&self.domain, &caller, id("integration_id", &request.integration_id)?).await?;
        let integration = Some(convert::integration(&self.domain, found));
        Ok(Response::new(proto::GetIntegrationResponse { integration }))
    }

    async fn create_integration(
        &self,
        request: Request<proto::CreateIntegrationRequest>,
    ) -> Result<Response<proto::CreateIntegrationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let new = NewIntegration {
            provider: request.provider,
            name: request.name,
            api_key: request.api_key.into(),
            instance_url: Some(request.instance_url).filter(|url| !url.is_empty()),
            requests_per_minute: per_minute(request.requests_per_minute),
            read_only: request.read_only,
        };
        let made = integration::create(&self.domain, &caller, &key, new, Utc::now()).await?;
        let integration = Some(convert::integration(&self.domain, made));
        Ok(Response::new(proto::CreateIntegrationResponse { integration }))
    }

    async fn update_integration(
        &self,
        request: Request<proto::UpdateIntegrationRequest>,
    ) -> Result<Response<proto::UpdateIntegrationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let changes = changes(request)?;
        let changed = integration::update(&self.domain, &caller, &key, of, changes, Utc::now()).await?;
        let integration = Some(convert::integration(&self.domain, changed));
        Ok(Response::new(proto::UpdateIntegrationResponse { integration }))
    }

    async fn test_integration(
        &self,
        request: Request<proto::TestIntegrationRequest>,
    ) -> Result<Response<proto::TestIntegrationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let trial = integration::test(&self.domain, &caller, of, Utc::now()).await?;
        Ok(Response::new(trial.into()))
    }

    async fn disconnect_integration(
        &self,
        request: Request<proto::DisconnectIntegrationRequest>,
    ) -> Result<Response<proto::DisconnectIntegrationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let ended = integration::disconnect(&self.domain, &caller, &key, of, Utc::now()).await?;
        let integration = Some(convert::integration(&self.domain, ended));
        Ok(Response::new(proto::DisconnectIntegrationResponse { integration }))
    }

    async fn start_authorization(
        &self,
        request: Request<proto::StartAuthorizationRequest>,
    ) -> Result<Response<proto::StartAuthorizationResponse>, Status> {
        Ok(Response::new(authorization::start(&self.domain, request).await?))
    }

    async fn complete_authorization(
        &self,
        request: Request<proto::CompleteAuthorizationRequest>,
    ) -> Result<Response<proto::CompleteAuthorizationResponse>, Status> {
        Ok(Response::new(authorization::complete(&self.domain, request).await?))
    }

    async fn refresh_credential(
        &self,
        request: Request<proto::RefreshCredentialRequest>,
    ) -> Result<Response<proto::RefreshCredentialResponse>, Status> {
        Ok(Response::new(authorization::refresh(&self.domain, request).await?))
    }

    async fn list_credential_changes(
        &self,
        request: Request<proto::ListCredentialChangesRequest>,
    ) -> Result<Response<proto::ListCredentialChangesResponse>, Status> {
        Ok(Response::new(authorization::changes(&self.domain, request).await?))
    }

    async fn put_o_auth_client(
        &self,
        request: Request<proto::PutOAuthClientRequest>,
    ) -> Result<Response<proto::PutOAuthClientResponse>, Status> {
        Ok(Response::new(authorization::put_client(&self.domain, request).await?))
    }

    async fn get_integration_status(
        &self,
        request: Request<proto::GetIntegrationStatusRequest>,
    ) -> Result<Response<proto::GetIntegrationStatusResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("integration_id", &request.integration_id)?;
        let now = Utc::now();
        let status = integration::status(&self.domain, &caller, of, now).await?;
        Ok(Response::new(proto::GetIntegrationStatusResponse {
            status: Some(convert::status(&self.domain, status, now)),
        }))
    }

    async fn watch_integration_status(
        &self,
        request: Request<proto::WatchIntegrationStatusRequest>,
    ) -> Result<Response<Self::WatchIntegrationStatusStream>, Status> {
        Ok(Response::new(watch::begin(&self.domain, &self.streams, request).await?))
    }
}

/// What an update changes: the fields its mask names, or without a mask those that are set.
fn changes(request: proto::UpdateIntegrationRequest) -> Result<Changes> {
    const FIELDS: [&str; 7] = [
        "name",
        "inbound_paused",
        "outbound_paused",
        "read_only",
        "api_key",
        "requests_per_minute",
        "consent_required",
    ];
    let mask = Mask::of(request.update_mask.as_ref(), &FIELDS)?;
    let flag = |field, flag| mask.names(field, flag).then_some(flag);
    let api_key = mask.names("api_key", !request.api_key.is_empty()).then_some(request.api_key);
    if api_key.as_deref() == Some("") {
        return Err(Error::invalid("api_key", "cannot be taken away; disconnect the integration"));
    }
    let is_rate_named = mask.names("requests_per_minute", request.requests_per_minute != 0);
    Ok(Changes {
        name: mask.names("name", !request.name.is_empty()).then_some(request.name),
        inbound_paused: flag("inbound_paused", request.inbound_paused),
        outbound_paused: flag("outbound_paused", request.outbound_paused),
        read_only: flag("read_only", request.read_only),
        consent_required: flag("consent_required", request.consent_required),
        api_key: api_key.map(Into::into),
        requests_per_minute: is_rate_named.then_some(request.requests_per_minute.unsigned_abs()),
    })
}

/// The field rules have seen that it is not negative.
fn per_minute(wire: i32) -> Option<u32> {
    u32::try_from(wire).ok().filter(|rate| *rate > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FieldMask;

    fn request(paths: Option<&[&str]>) -> proto::UpdateIntegrationRequest {
        let mask = |paths: &[&str]| FieldMask { paths: paths.iter().map(ToString::to_string).collect() };
        proto::UpdateIntegrationRequest {
            name: "Kalender".into(),
            read_only: true,
            update_mask: paths.map(mask),
            ..Default::default()
        }
    }

    #[test]
    fn without_a_mask_the_fields_that_are_set_change() {
        let changes = changes(request(None)).unwrap();

        assert_eq!((changes.name.as_deref(), changes.read_only), (Some("Kalender"), Some(true)));
        assert_eq!((changes.inbound_paused, changes.outbound_paused), (None, None));
        assert!(changes.api_key.is_none() && changes.requests_per_minute.is_none());
    }

    #[test]
    fn a_pause_ends_by_being_named() {
        let changes = changes(request(Some(&["inbound_paused"]))).unwrap();

        assert_eq!((changes.inbound_paused, changes.read_only, changes.name), (Some(false), None, None));
    }

    #[test]
    fn unknown_fields_and_taking_the_key_away_are_refused() {
        for path in ["state", "", "integration_id", "api_key"] {
            let refused = changes(request(Some(&[path])));
            assert!(matches!(refused, Err(Error::Invalid(_))), "{path}");
        }
    }
}
