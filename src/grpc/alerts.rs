//! AlertService.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::{
    checked,
    convert::{text, timestamp},
    id, key, optional_id, paging,
};
use crate::{
    domain::{
        Domain,
        alert::{self, NewDestination},
    },
    error::{Error, Result},
    proto::{self, alert_service_server::AlertService},
    store::{
        alert::{Alert, Filter},
        alert_destination::AlertDestination,
    },
    words::{AlertDestinationKind, AlertRule, AlertState},
};

pub struct AlertApi {
    domain: Domain,
}

impl AlertApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl AlertService for AlertApi {
    async fn put_alert_destination(
        &self,
        request: Request<proto::PutAlertDestinationRequest>,
    ) -> Result<Response<proto::PutAlertDestinationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = optional_id("alert_destination_id", &request.alert_destination_id)?;
        let new = NewDestination {
            kind: destination_kind(request.kind()).ok_or_else(|| Error::invalid("kind", "is required"))?,
            name: request.name,
            url: request.url.into(),
            headers: request.headers.into_iter().map(|header| (header.name, header.value.into())).collect(),
            disabled: request.disabled,
        };
        let kept = alert::put(&self.domain, &caller, &key, of, &new, Utc::now()).await?;
        Ok(Response::new(proto::PutAlertDestinationResponse { alert_destination: Some(kept.into()) }))
    }

    async fn list_alert_destinations(
        &self,
        request: Request<proto::ListAlertDestinationsRequest>,
    ) -> Result<Response<proto::ListAlertDestinationsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let paged = alert::list_destinations(&self.domain, &caller, &page).await?;
        Ok(Response::new(proto::ListAlertDestinationsResponse {
            next_page_token: tokens.next(paged.next)?,
            alert_destinations: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn delete_alert_destination(
        &self,
        request: Request<proto::DeleteAlertDestinationRequest>,
    ) -> Result<Response<proto::DeleteAlertDestinationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("alert_destination_id", &request.alert_destination_id)?;
        alert::delete(&self.domain, &caller, &key, of).await?;
        Ok(Response::new(proto::DeleteAlertDestinationResponse {}))
    }

    async fn test_alert_destination(
        &self,
        request: Request<proto::TestAlertDestinationRequest>,
    ) -> Result<Response<proto::TestAlertDestinationResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("alert_destination_id", &request.alert_destination_id)?;
        let tested = alert::test(&self.domain, &caller, of, Utc::now()).await?;
        Ok(Response::new(proto::TestAlertDestinationResponse {
            succeeded: tested.succeeded,
            reason: tested.reason.unwrap_or_default(),
        }))
    }

    async fn list_alerts(
        &self,
        request: Request<proto::ListAlertsRequest>,
    ) -> Result<Response<proto::ListAlertsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            state: state(request.state()),
            rule: rule(request.rule()),
            integration: optional_id("integration_id", &request.integration_id)?,
        };
        let paged = alert::list(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListAlertsResponse {
            next_page_token: tokens.next(paged.next)?,
            alerts: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }
}

/// A kind that a request names; unspecified is none.
fn destination_kind(kind: proto::AlertDestinationKind) -> Option<AlertDestinationKind> {
    match kind {
        proto::AlertDestinationKind::Unspecified => None,
        proto::AlertDestinationKind::Webhook => Some(AlertDestinationKind::Webhook),
        proto::AlertDestinationKind::Slack => Some(AlertDestinationKind::Slack),
    }
}

/// A state that a request names; unspecified is none.
fn state(state: proto::AlertState) -> Option<AlertState> {
    match state {
        proto::AlertState::Unspecified => None,
        proto::AlertState::Pending => Some(AlertState::Pending),
        proto::AlertState::Firing => Some(AlertState::Firing),
        proto::AlertState::Ended => Some(AlertState::Ended),
    }
}

/// A rule that a request names; unspecified is none.
fn rule(rule: proto::AlertRule) -> Option<AlertRule> {
    match rule {
        proto::AlertRule::Unspecified => None,
        proto::AlertRule::Failures => Some(AlertRule::Failures),
        proto::AlertRule::SyncSuccess => Some(AlertRule::SyncSuccess),
        proto::AlertRule::ReviewQueue => Some(AlertRule::ReviewQueue),
        proto::AlertRule::OutboxDepth => Some(AlertRule::OutboxDepth),
        proto::AlertRule::Freshness => Some(AlertRule::Freshness),
        proto::AlertRule::Quarantine => Some(AlertRule::Quarantine),
    }
}

impl From<AlertDestinationKind> for proto::AlertDestinationKind {
    fn from(kind: AlertDestinationKind) -> Self {
        match kind {
            AlertDestinationKind::Webhook => Self::Webhook,
            AlertDestinationKind::Slack => Self::Slack,
        }
    }
}

impl From<AlertState> for proto::AlertState {
    fn from(state: AlertState) -> Self {
        match state {
            AlertState::Pending => Self::Pending,
            AlertState::Firing => Self::Firing,
            AlertState::Ended => Self::Ended,
        }
    }
}

impl From<AlertRule> for proto::AlertRule {
    fn from(rule: AlertRule) -> Self {
        match rule {
            AlertRule::Failures => Self::Failures,
            AlertRule::SyncSuccess => Self::SyncSuccess,
            AlertRule::ReviewQueue => Self::ReviewQueue,
            AlertRule::OutboxDepth => Self::OutboxDepth,
            AlertRule::Freshness => Self::Freshness,
            AlertRule::Quarantine => Self::Quarantine,
        }
    }
}

impl From<AlertDestination> for proto::AlertDestination {
    fn from(row: AlertDestination) -> Self {
        Self {
            alert_destination_id: row.id.to_string(),
            kind: proto::AlertDestinationKind::from(row.kind).into(),
            name: row.name,
            url_host: row.url_host,
            disabled: row.disabled,
            create_time: Some(timestamp(row.create_time)),
            last_success_time: row.last_success_time.map(timestamp),
            last_failure_time: row.last_failure_time.map(timestamp),
            last_failure_reason: row.last_failure_reason.unwrap_or_default(),
        }
    }
}

impl From<Alert> for proto::Alert {
    fn from(row: Alert) -> Self {
        Self {
            alert_id: row.id.to_string(),
            rule: proto::AlertRule::from(row.rule).into(),
            integration_id: text(row.integration_id),
            state: proto::AlertState::from(row.state).into(),
            value: row.value,
            threshold: row.threshold,
            begin_time: Some(timestamp(row.begin_time)),
            notify_time: row.notify_time.map(timestamp),
            end_time: row.end_time.map(timestamp),
            advice: alert::advice(row.rule).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_the_wire() {
        for word in AlertDestinationKind::ALL {
            assert_eq!(destination_kind((*word).into()), Some(*word));
        }
        for word in AlertState::ALL {
            assert_eq!(state((*word).into()), Some(*word));
        }
        for word in AlertRule::ALL {
            assert_eq!(rule((*word).into()), Some(*word));
        }
    }
}
