//! WebhookService.

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tonic::{Request, Response, Status};

use super::{checked, convert, id, key, optional_id, paging};
use crate::{
    domain::{
        Domain, inbound,
        webhook::{self, NewEndpoint, Shown, ShownEvent},
    },
    proto::{self, webhook_service_server::WebhookService},
    store::webhook_event::{Filter, WebhookEvent},
    words::{EventCause, EventStatus},
};

pub(super) mod schemes;

/// How long old secrets stay valid when the caller does not say.
const DEFAULT_GRACE: TimeDelta = TimeDelta::hours(24);

pub struct WebhookApi {
    domain: Domain,
}

impl WebhookApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl WebhookService for WebhookApi {
    async fn create_webhook_endpoint(
        &self,
        request: Request<proto::CreateWebhookEndpointRequest>,
    ) -> Result<Response<proto::CreateWebhookEndpointResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let new = NewEndpoint {
            integration: optional_id("integration_id", &request.integration_id)?,
            scheme: schemes::chosen(request.scheme()),
            secret: given(request.secret),
            limit_per_minute: Some(request.limit_per_minute).filter(|limit| *limit > 0),
            name: request.name,
            provider: request.provider,
        };
        let (shown, secret) = webhook::create_endpoint(&self.domain, &caller, &key, new, Utc::now()).await?;
        let webhook_endpoint = Some(shown.into());
        Ok(Response::new(proto::CreateWebhookEndpointResponse { webhook_endpoint, secret: once(secret) }))
    }

    async fn list_webhook_endpoints(
        &self,
        request: Request<proto::ListWebhookEndpointsRequest>,
    ) -> Result<Response<proto::ListWebhookEndpointsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let paged = webhook::list_endpoints(&self.domain, &caller, &page, Utc::now()).await?;
        Ok(Response::new(proto::ListWebhookEndpointsResponse {
            next_page_token: tokens.next(paged.next)?,
            webhook_endpoints: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn disable_webhook_endpoint(
        &self,
        request: Request<proto::DisableWebhookEndpointRequest>,
    ) -> Result<Response<proto::DisableWebhookEndpointResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let endpoint = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let shown = webhook::disable_endpoint(&self.domain, &caller, &key, endpoint, Utc::now()).await?;
        Ok(Response::new(proto::DisableWebhookEndpointResponse { webhook_endpoint: Some(shown.into()) }))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<proto::RotateWebhookSecretRequest>,
    ) -> Result<Response<proto::RotateWebhookSecretResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let endpoint = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        // The field rules bound the seconds to 30 days.
        let grace = request.grace_period.map_or(DEFAULT_GRACE, |grace| TimeDelta::seconds(grace.seconds));
        let asked = (endpoint, given(request.secret));
        let (shown, secret) =
            webhook::rotate_secret(&self.domain, &caller, &key, asked, grace, Utc::now()).await?;
        let webhook_endpoint = Some(shown.into());
        Ok(Response::new(proto::RotateWebhookSecretResponse { webhook_endpoint, secret: once(secret) }))
    }

    async fn reveal_webhook_secret(
        &self,
        request: Request<proto::RevealWebhookSecretRequest>,
    ) -> Result<Response<proto::RevealWebhookSecretResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let endpoint = id("webhook_endpoint_id", &request.webhook_endpoint_id)?;
        let (shown, secret) =
            webhook::reveal_secret(&self.domain, &caller, &key, endpoint, Utc::now()).await?;
        let webhook_endpoint = Some(shown.into());
        Ok(Response::new(proto::RevealWebhookSecretResponse { webhook_endpoint, secret: once(secret) }))
    }

    async fn list_webhook_events(
        &self,
        request: Request<proto::ListWebhookEventsRequest>,
    ) -> Result<Response<proto::ListWebhookEventsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            endpoint: optional_id("webhook_endpoint_id", &request.webhook_endpoint_id)?,
            status: status_filter(request.status()),
            event_type: Some(request.event_type).filter(|name| !name.is_empty()),
        };
        let paged = webhook::list_events(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListWebhookEventsResponse {
            next_page_token: tokens.next(paged.next)?,
            webhook_events: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn replay_webhook_event(
        &self,
        request: Request<proto::ReplayWebhookEventRequest>,
    ) -> Result<Response<proto::ReplayWebhookEventResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let event = id("webhook_event_id", &request.webhook_event_id)?;
        let event = inbound::replay(&self.domain, &caller, &key, event, Utc::now()).await?;
        let shown =
            ShownEvent { effective_status: event.status, will_retry: false, event, preview: String::new() };
        Ok(Response::new(proto::ReplayWebhookEventResponse { webhook_event: Some(shown.into()) }))
    }
}

fn given(secret: String) -> Option<SecretString> {
    Some(secret).filter(|secret| !secret.is_empty()).map(Into::into)
}

fn once(secret: Option<SecretString>) -> String {
    secret.map(|secret| secret.expose_secret().to_string()).unwrap_or_default()
}

impl From<Shown> for proto::WebhookEndpoint {
    fn from(shown: Shown) -> Self {
        let endpoint = shown.endpoint;
        let secret = |secret: crate::store::webhook_endpoint::WebhookSecret| proto::WebhookSecret {
            webhook_secret_id: secret.id.to_string(),
            create_time: Some(convert::timestamp(secret.create_time)),
            expire_time: secret.expire_time.map(convert::timestamp),
        };
        Self {
            webhook_endpoint_id: endpoint.id.to_string(),
            provider: endpoint.provider,
            integration_id: endpoint.integration_id.to_string(),
            name: endpoint.name,
            url: shown.url,
            scheme: schemes::told(endpoint.scheme).into(),
            disabled: endpoint.disable_time.is_some(),
            limit_per_minute: endpoint.limit_per_minute,
            last_delivery_time: shown.last_delivery_time.map(convert::timestamp),
            secrets: shown.secrets.into_iter().map(secret).collect(),
            create_time: Some(convert::timestamp(endpoint.create_time)),
        }
    }
}

impl From<ShownEvent> for proto::WebhookEvent {
    fn from(shown: ShownEvent) -> Self {
        let event: WebhookEvent = shown.event;
        let cause = match event.cause {
            EventCause::Delivery => proto::WebhookEventCause::Delivery,
            EventCause::Retry => proto::WebhookEventCause::Retry,
            EventCause::Replay => proto::WebhookEventCause::Replay,
        };
        Self {
            webhook_event_id: event.id.to_string(),
            webhook_endpoint_id: event.webhook_endpoint_id.to_string(),
            provider: event.provider,
            event_type: event.event_type,
            delivery_id: event.delivery_id.unwrap_or_default(),
            status: status(event.status).into(),
            effective_status: status(shown.effective_status).into(),
            reason: event.reason.unwrap_or_default(),
            field: event.field.unwrap_or_default(),
            will_retry: shown.will_retry,
            cause: cause.into(),
            original_webhook_event_id: event.original_id.map(|id| id.to_string()).unwrap_or_default(),
            receive_time: Some(convert::timestamp(event.receive_time)),
            occurred_time: event.occurred_time.map(convert::timestamp),
            patient_id: event.patient_id.map(|id| id.to_string()).unwrap_or_default(),
            appointment_id: event.appointment_id.map(|id| id.to_string()).unwrap_or_default(),
            body_size_bytes: event.body_size_bytes,
            body_preview: shown.preview,
        }
    }
}

fn status(status: EventStatus) -> proto::WebhookEventStatus {
    match status {
        EventStatus::Success => proto::WebhookEventStatus::Success,
        EventStatus::Error => proto::WebhookEventStatus::Error,
        EventStatus::Duplicate => proto::WebhookEventStatus::Duplicate,
        EventStatus::Ignored => proto::WebhookEventStatus::Ignored,
        EventStatus::Quarantined => proto::WebhookEventStatus::Quarantined,
    }
}

fn status_filter(status: proto::WebhookEventStatus) -> Option<EventStatus> {
    match status {
        proto::WebhookEventStatus::Unspecified => None,
        proto::WebhookEventStatus::Success => Some(EventStatus::Success),
        proto::WebhookEventStatus::Error => Some(EventStatus::Error),
        proto::WebhookEventStatus::Duplicate => Some(EventStatus::Duplicate),
        proto::WebhookEventStatus::Ignored => Some(EventStatus::Ignored),
        proto::WebhookEventStatus::Quarantined => Some(EventStatus::Quarantined),
    }
}
