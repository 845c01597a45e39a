//! Reading one booking at its provider, because what was told of it is not enough to go by.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::{
    error::Result,
    ids::{IntegrationId, MessageId},
    store::{self, TenantTx, outbox::NewMessage},
    words::MessageKind,
};

/// What is told of one booking within this time is read once.
const QUIET: TimeDelta = TimeDelta::seconds(2);
const QUIET_AT_MOST: TimeDelta = TimeDelta::seconds(10);

/// Queues a read of the booking.
pub async fn queue(
    tx: &mut TenantTx,
    integration: IntegrationId,
    uid: &str,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let message = NewMessage {
        kind: MessageKind::BookingRefresh,
        lane: format!("booking/{integration}/{uid}"),
        payload: json!({ "integration_id": integration, "uid": uid }),
        cause: cause.into(),
        run_time: now,
        integration: Some(integration),
    };
    store::outbox::push_debounced(tx, message, QUIET, QUIET_AT_MOST, now).await
}
