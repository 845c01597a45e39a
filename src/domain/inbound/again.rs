//! Events that are applied again: because they could not be at first, or because an admin asks for it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use serde_json::json;

use super::{
    apply::{Occasion, PATIENT_DELETED, PAUSED, note, try_apply},
    keep::open_body,
    reading::Reading,
};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Result},
    ids::{TenantId, WebhookEventId},
    store::{
        self, TenantTx,
        outbox::{NewMessage, Outcome},
        webhook_event::WebhookEvent,
    },
    words::{EventCause, EventStatus, MessageKind},
};

/// The body was erased before it could be applied.
const BODY_GONE: &str = "BODY_GONE";
/// Between two looks at whether a pause has ended; its end makes what waits due at once.
const HALTED: Duration = Duration::from_secs(30);

/// Applies an event again because an admin asks for it; a new event that points at the original.
/// Errors: `BodyGone`.
pub async fn replay(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: WebhookEventId,
    now: DateTime<Utc>,
) -> Result<WebhookEvent> {
    let mut tx = domain.store.caller(caller).await?;
    let fresh = WebhookEventId::new();
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, fresh).await? {
        return store::webhook_event::find(&mut tx, WebhookEventId(made)).await;
    }
    let asked = store::webhook_event::find(&mut tx, id).await?;
    let original = match asked.original_id {
        Some(id) => store::webhook_event::find(&mut tx, id).await?,
        None => asked,
    };
    one_by_one(&mut tx, original.id).await?;
    let event = repeat(domain, &mut tx, &original, fresh, EventCause::Replay, now).await?;
    tx.commit().await?;
    Ok(event)
}

/// Tries an event again that could not be applied. `Err`: it still cannot be; the attempt leaves no row, so
/// that the trail holds one per outcome. One that was applied meanwhile, by an admin or by an attempt that did
/// not come to its end, is left alone: as what it says is old by now, it would be shown as ignored.
pub async fn retry(
    domain: &Domain,
    tenant: TenantId,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let mut tx = domain.store.tenant(tenant).await?;
    let Some(original) = kept(&mut tx, payload).await? else { return Ok(Outcome::Done) };
    one_by_one(&mut tx, original.id).await?;
    let repetitions = store::webhook_event::repetitions(&mut tx, &[original.id], PAUSED).await?;
    if repetitions.iter().any(|repeated| repeated.is_settled) {
        return Ok(Outcome::Done);
    }
    match repeat(domain, &mut tx, &original, WebhookEventId::new(), EventCause::Retry, now).await {
        Ok(event) if event.reason.as_deref() == Some(PAUSED) => {
            Ok(Outcome::Release { after: HALTED, reason: Some(PAUSED.into()) })
        }
        Ok(event) if event.status == EventStatus::Error && payload["after_pause"] == true => {
            drop(tx);
            step_aside(domain, tenant, original.id, now).await
        }
        Ok(event) if event.status == EventStatus::Error => {
            Err(Error::internal("the event still cannot be applied"))
        }
        Ok(_) => {
            tx.commit().await?;
            Ok(Outcome::Done)
        }
        // Its person was forgotten meanwhile: nothing is left to try, and that is said.
        Err(Error::BodyGone) => {
            note_end(&mut tx, original, EventStatus::Ignored, BODY_GONE, now).await?;
            tx.commit().await?;
            Ok(Outcome::Done)
        }
        Err(error) => Err(error),
    }
}

/// Lets an event be tried again on its own, so that it does not hold up what came behind it in a pause.
async fn step_aside(
    domain: &Domain,
    tenant: TenantId,
    id: WebhookEventId,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let mut tx = domain.store.tenant(tenant).await?;
    store::outbox::push(&mut tx, retry_of(id, now)).await?;
    tx.commit().await?;
    Ok(Outcome::Done)
}

/// Records that no attempt is left; an admin can still replay the event.
pub async fn give_up(
    domain: &Domain,
    tenant: TenantId,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let Some(original) = kept(&mut tx, payload).await? else { return Ok(()) };
    note_end(&mut tx, original, EventStatus::Error, "RETRIES_EXHAUSTED", now).await?;
    tx.commit().await
}

/// Writes down that no attempt follows.
async fn note_end(
    tx: &mut TenantTx,
    original: WebhookEvent,
    status: EventStatus,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let last = WebhookEvent {
        id: WebhookEventId::new(),
        status,
        reason: Some(reason.into()),
        will_retry: false,
        cause: EventCause::Retry,
        original_id: Some(original.id),
        receive_time: now,
        sealed_body: None,
        ..original
    };
    store::webhook_event::insert(tx, &last).await
}

/// Tries an event again in a moment.
pub(super) fn retry_of(id: WebhookEventId, receive_time: DateTime<Utc>) -> NewMessage {
    NewMessage {
        kind: MessageKind::WebhookEventRetry,
        lane: format!("webhook_event/{id}"),
        payload: json!({ "webhook_event_id": id }),
        cause: format!("webhook_event/{id}"),
        run_time: receive_time + TimeDelta::seconds(1),
        integration: None,
    }
}

/// Tries an event when the pause of its integration ends, behind those that came before it.
pub(super) fn retry_after_pause(event: &WebhookEvent) -> NewMessage {
    NewMessage {
        lane: format!("webhook_pause/{}", event.integration_id),
        payload: json!({ "webhook_event_id": event.id, "after_pause": true }),
        integration: Some(event.integration_id),
        ..retry_of(event.id, event.receive_time)
    }
}

fn event_of(payload: &serde_json::Value) -> Result<WebhookEventId> {
    serde_json::from_value(payload["webhook_event_id"].clone()).map_err(Error::internal)
}

/// The event of a message. `None`: its month is kept no longer.
async fn kept(tx: &mut TenantTx, payload: &serde_json::Value) -> Result<Option<WebhookEvent>> {
    match store::webhook_event::find(tx, event_of(payload)?).await {
        Ok(event) => Ok(Some(event)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whoever applies an event again waits until the others who do so have ended.
async fn one_by_one(tx: &mut TenantTx, original: WebhookEventId) -> Result<()> {
    tx.lock(&format!("webhook_event/{original}")).await
}

/// Applies the body of an event again and records the outcome as an event of its own.
async fn repeat(
    domain: &Domain,
    tx: &mut TenantTx,
    original: &WebhookEvent,
    fresh: WebhookEventId,
    cause: EventCause,
    now: DateTime<Utc>,
) -> Result<WebhookEvent> {
    let key = domain.tenant_key(tx.tenant()).await?;
    let body = open_body(tx, &key, original).await?.ok_or(Error::BodyGone)?;
    let mut event = WebhookEvent {
        id: fresh,
        status: EventStatus::Success,
        reason: None,
        field: None,
        will_retry: false,
        cause,
        original_id: Some(original.id),
        receive_time: now,
        patient_id: None,
        appointment_id: None,
        sealed_body: None,
        ..original.clone()
    };
    let Some(reading) = Reading::of(&original.provider, &HeaderMap::new(), &body, original.receive_time)
    else {
        return Err(Error::internal("a kept body is no longer parseable"));
    };
    let occasion = Occasion {
        key: &key,
        integration: original.integration_id,
        endpoint: original.webhook_endpoint_id,
        cause: format!("webhook_event/{fresh}"),
        receive_time: original.receive_time,
        is_identified: original.delivery_id.is_some(),
    };
    note(&mut event, try_apply(tx, &occasion, &reading).await?);
    if event.reason.as_deref() == Some(PATIENT_DELETED) {
        store::webhook_event::destroy_body_key(tx, original.id).await?;
    }
    store::webhook_event::insert(tx, &event).await?;
    Ok(event)
}
