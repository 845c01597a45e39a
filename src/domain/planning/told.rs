//! What a planning tool's webhooks tell: queued to be read, once for all that is told of a project within a short time.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::{
    error::Result,
    ids::IntegrationId,
    provider::asana::Event,
    store::{self, TenantTx, outbox::NewMessage},
    words::MessageKind,
};

/// What is told of one project within this time is read once.
const QUIET: TimeDelta = TimeDelta::seconds(2);
const QUIET_AT_MOST: TimeDelta = TimeDelta::seconds(10);

/// Queues a read of what `events` tell; they came by the webhook of a project, or by the workspace's. Without events something
/// happened that nobody told, and all of it is read.
pub async fn queue(
    tx: &mut TenantTx,
    integration: IntegrationId,
    project: Option<&str>,
    _events: &[Event],
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let of = project.map_or_else(|| "workspace".into(), |gid| format!("project/{gid}"));
    let message = NewMessage {
        kind: MessageKind::PlanningRefresh,
        lane: format!("planning/{integration}/{of}"),
        payload: json!({ "integration_id": integration, "project": project, "everything": true }),
        cause: cause.into(),
        run_time: now,
        integration: Some(integration),
    };
    store::outbox::push_debounced(tx, message, QUIET, QUIET_AT_MOST, now).await?;
    Ok(())
}
