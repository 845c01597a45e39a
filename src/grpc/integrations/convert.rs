//! Between integrations and their wire types.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    integration::{Health, Planning, Status, Trial, advice, health},
    wire::{span, text, timestamp},
};
use crate::{
    domain::{Domain, appointment::is_stale, engine::provider_call},
    ids::WebhookEndpointId,
    proto,
    store::{
        event_type::EventType, integration::Integration, integration_health::Runs,
        planning::settings::AreaMapping, subscription::Subscription,
    },
    words::{Breaker, IntegrationState, SubscriptionState},
};

/// Rows of a kind that a dashboard shows at most.
const SHOWN: usize = 200;

/// The dashboard at this moment.
pub(super) fn status(domain: &Domain, status: Status, now: DateTime<Utc>) -> proto::IntegrationStatus {
    let (health, health_reason) = health(&status);
    let health_reason = health_reason.unwrap_or_default();
    let health_advice = advice(&status, &health_reason);
    let flow = status.flow.as_ref();
    let event_type_count = number(status.event_types.len() as i64);
    let mut event_types = status.event_types;
    event_types
        .sort_by_key(|one| one.archived || (one.unsupported_reason.is_none() && one.service_id.is_some()));
    proto::IntegrationStatus {
        integration: Some(integration(domain, status.integration)),
        breaker: flow.map_or(proto::BreakerState::Closed, |flow| flow.breaker.into()).into(),
        breaker_until_time: flow.and_then(|flow| flow.breaker_until).map(timestamp),
        pause_until_time: flow.and_then(|flow| flow.pause_until).filter(|end| *end > now).map(timestamp),
        last_success_time: flow.and_then(|flow| flow.last_success_time).map(timestamp),
        last_failure_time: flow.and_then(|flow| flow.last_failure_time).map(timestamp),
        last_failure_reason: flow.and_then(|flow| flow.last_failure_reason.clone()).unwrap_or_default(),
        last_delivery_time: status.last_delivery_time.map(timestamp),
        is_stale: is_stale(status.last_delivery_time, now),
        watermark_time: status.reconciled_time.map(timestamp),
        subscriptions: status
            .subscriptions
            .into_iter()
            .take(SHOWN)
            .map(|row| subscription(row, &status.deliveries))
            .collect(),
        event_types: event_types.into_iter().take(SHOWN).map(Into::into).collect(),
        event_type_count,
        pending_message_count: number(status.waiting.messages),
        oldest_message_age: status.waiting.oldest_age_s.map(seconds),
        dead_letter_count: number(status.waiting.dead_letters),
        open_review_item_count: number(status.waiting.open_reviews),
        sync_health: Some(status.runs.into()),
        last_sync_log: status.newest_run.map(Into::into),
        last_change_age: status.ages.last_s.map(seconds),
        p95_change_age: status.ages.p95_s.map(seconds),
        health: proto::IntegrationHealth::from(health).into(),
        health_reason,
        health_advice: health_advice.into(),
        planning: status.planning.map(Into::into),
        credential_expire_time: status.credential_expire_time.map(timestamp),
    }
}

fn number(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn seconds(seconds: f64) -> prost_types::Duration {
    span(TimeDelta::milliseconds((seconds * 1000.0) as i64))
}

impl From<Health> for proto::IntegrationHealth {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Degraded => Self::Degraded,
            Health::Failing => Self::Failing,
            Health::NeedsReconnect => Self::NeedsReconnect,
        }
    }
}

impl From<Planning> for proto::PlanningStatus {
    fn from(planning: Planning) -> Self {
        let fields = fields(&planning);
        let settings = planning.settings;
        let of = settings.as_ref();
        Self {
            workspace_id: of.and_then(|of| of.workspace_id.clone()).unwrap_or_default(),
            workspace_name: of.and_then(|of| of.workspace_name.clone()).unwrap_or_default(),
            fields,
            initial_sync_time: of.and_then(|of| of.initial_sync_time).map(timestamp),
            last_absence_sync_time: planning.last_absences_time.map(timestamp),
            absence_reason: planning.health.absences_reason.unwrap_or_default(),
            last_time_entry_sync_time: planning.last_time_entries_time.map(timestamp),
            time_entry_reason: planning.health.time_entries_reason.unwrap_or_default(),
            mapped_user_count: number(planning.mapped_users),
            unmapped_user_count: number(planning.unmapped_users),
            missed_event_count: planning.health.missed_events,
            last_missed_event_time: planning.health.last_missed_time.map(timestamp),
            project_count: number(planning.projects),
            phase_count: number(planning.phases),
            oldest_poll_time: planning.oldest_poll_time.map(timestamp),
        }
    }
}

/// The fields that mean something here, the area's first.
fn fields(planning: &Planning) -> Vec<proto::PlanningField> {
    let Some(settings) = &planning.settings else { return Vec::new() };
    let field = |noun: &str, id: &Option<String>, name: &Option<String>| {
        let external_id = id.clone()?;
        let name = name.clone().unwrap_or_default();
        Some(proto::PlanningField { noun: noun.into(), external_id, name, options: Vec::new() })
    };
    let mut area = field("area", &settings.area_field_id, &settings.area_field_name);
    if let Some(area) = &mut area {
        area.options = planning.areas.iter().map(Into::into).collect();
    }
    let hours = field("planned_hours", &settings.hours_field_id, &settings.hours_field_name);
    area.into_iter().chain(hours).collect()
}

impl From<&AreaMapping> for proto::PlanningFieldOption {
    fn from(row: &AreaMapping) -> Self {
        Self {
            external_id: row.option_id.clone(),
            name: row.option_name.clone(),
            area: row.area.map(|area| area.to_string()).unwrap_or_default(),
        }
    }
}

/// With the address that is really asked.
pub(super) fn integration(domain: &Domain, row: Integration) -> proto::Integration {
    let address = provider_call::address(domain, &row);
    let state = match row.state {
        IntegrationState::Connected => proto::IntegrationState::Connected,
        IntegrationState::NeedsReconnect => proto::IntegrationState::NeedsReconnect,
        IntegrationState::Disconnecting => proto::IntegrationState::Disconnecting,
        IntegrationState::Disconnected => proto::IntegrationState::Disconnected,
    };
    proto::Integration {
        integration_id: row.id.to_string(),
        provider: row.provider,
        name: row.name,
        state: state.into(),
        state_reason: row.state_reason.unwrap_or_default(),
        instance_url: address.unwrap_or_default(),
        account_id: row.account_id.unwrap_or_default(),
        account_name: row.account_name.unwrap_or_default(),
        inbound_paused: row.inbound_paused,
        outbound_paused: row.outbound_paused,
        read_only: row.read_only,
        consent_required: row.consent_required,
        create_time: Some(timestamp(row.create_time)),
        update_time: Some(timestamp(row.update_time)),
    }
}

impl From<Trial> for proto::TestIntegrationResponse {
    fn from(trial: Trial) -> Self {
        let duration = TimeDelta::from_std(trial.duration).unwrap_or(TimeDelta::MAX);
        Self {
            succeeded: trial.reason.is_none(),
            reason: trial.reason.unwrap_or_default().into(),
            account_name: trial.integration.account_name.unwrap_or_default(),
            duration: Some(span(duration)),
        }
    }
}

impl From<Breaker> for proto::BreakerState {
    fn from(breaker: Breaker) -> Self {
        match breaker {
            Breaker::Closed => Self::Closed,
            Breaker::Open => Self::Open,
            Breaker::HalfOpen => Self::HalfOpen,
        }
    }
}

fn subscription(
    row: Subscription,
    deliveries: &HashMap<WebhookEndpointId, DateTime<Utc>>,
) -> proto::WebhookSubscription {
    let state = match row.state {
        SubscriptionState::Pending => proto::SubscriptionState::Pending,
        SubscriptionState::Active => proto::SubscriptionState::Active,
        SubscriptionState::Failed => proto::SubscriptionState::Failed,
        SubscriptionState::Removing => proto::SubscriptionState::Removing,
        SubscriptionState::Removed => proto::SubscriptionState::Removed,
    };
    proto::WebhookSubscription {
        subscription_id: row.id.to_string(),
        last_delivery_time: deliveries.get(&row.webhook_endpoint_id).copied().map(timestamp),
        webhook_endpoint_id: row.webhook_endpoint_id.to_string(),
        resource: row.resource,
        state: state.into(),
        reason: row.reason.unwrap_or_default(),
        check_time: row.check_time.map(timestamp),
        provider_success_time: row.provider_success_time.map(timestamp),
        provider_failure_time: row.provider_failure_time.map(timestamp),
        provider_removal_time: row.provider_removal_time.map(timestamp),
    }
}

impl From<EventType> for proto::EventType {
    fn from(row: EventType) -> Self {
        Self {
            event_type_id: row.id.to_string(),
            external_id: row.external_id,
            title: row.title,
            service_id: text(row.service_id),
            practitioner_id: text(row.practitioner_id),
            length_minutes: row.length_minutes,
            length_option_minutes: row.length_options,
            requires_confirmation: row.requires_confirmation,
            unsupported_reason: row.unsupported_reason.unwrap_or_default(),
            archived: row.archived,
        }
    }
}

impl From<Runs> for proto::SyncHealth {
    fn from(runs: Runs) -> Self {
        Self {
            total_count: number(runs.total),
            succeeded_count: number(runs.successful),
            failed_count: number(runs.failed),
            consecutive_failed_count: number(runs.consecutive_errors),
            average_duration: runs.average_duration_s.map(seconds),
            last_success_time: runs.last_success_time.map(timestamp),
        }
    }
}
