//! An authentic delivery is kept once, with its effects, its body under a key of its own.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{
    Answer,
    again::{retry_after_pause, retry_of},
    apply::{INTERNAL, Occasion, PAUSED, note, try_apply},
    reading::{Named, Reading},
};
use crate::{
    domain::patient::{ARRIVAL_LOCK, appointment_tombstone, tombstone},
    error::{Error, Result},
    ids::{IntegrationId, WebhookEndpointId, WebhookEventId},
    provider::catalog,
    store::{
        self, TenantTx,
        webhook_event::{BodyKey, Taken, WebhookEvent, body_place},
    },
    vault::TenantKey,
    words::{EventCause, EventStatus},
};

/// An authentic delivery, and where it belongs.
pub(super) struct Arrival<'a> {
    pub(super) endpoint: WebhookEndpointId,
    pub(super) integration: IntegrationId,
    pub(super) provider: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// By the database's clock.
    pub(super) receive_time: DateTime<Utc>,
}

impl Arrival<'_> {
    /// The row of what was read, before anybody knows what comes of it.
    fn event(&self, reading: &Reading, delivery_id: Option<String>) -> WebhookEvent {
        WebhookEvent {
            id: WebhookEventId::new(),
            webhook_endpoint_id: self.endpoint,
            integration_id: self.integration,
            provider: self.provider.into(),
            event_type: reading.event_type.clone(),
            delivery_id,
            status: EventStatus::Success,
            reason: None,
            field: None,
            will_retry: false,
            cause: EventCause::Delivery,
            original_id: None,
            receive_time: self.receive_time,
            occurred_time: reading.occurred_time,
            patient_id: None,
            appointment_id: None,
            body_size_bytes: i32::try_from(self.body.len()).unwrap_or(i32::MAX),
            sealed_body: None,
        }
    }
}

/// Keeps an admitted delivery with its effects. `signed_id` is the one that its signature vouches for.
pub(super) async fn keep(
    tx: &mut TenantTx,
    delivery: &Arrival<'_>,
    key: &Arc<TenantKey>,
    signed_id: Option<String>,
) -> Result<Answer> {
    let Some(reading) =
        Reading::of(delivery.provider, delivery.headers, delivery.body, delivery.receive_time)
    else {
        return Ok(Answer::NotParseable);
    };
    let delivery_id = reading.delivery_id.clone().or(signed_id);
    let taken_key = match &delivery_id {
        Some(id) => Some(key.fingerprint("delivery", &[b"id", id.as_bytes()])),
        None if reading.is_its_own_id() => {
            let told = [b"body".as_slice(), delivery.body].into_iter().chain(reading.told_at());
            Some(key.fingerprint("delivery", &told.collect::<Vec<_>>()))
        }
        None => None,
    };
    let mut event = delivery.event(&reading, delivery_id);
    if let Some(hash) = &taken_key
        && let Some(taken) = store::webhook_event::find_taken(tx, delivery.endpoint, hash).await?
    {
        return repeat(tx, event, taken).await;
    }

    let id = event.id;
    let occasion = Occasion {
        key,
        integration: delivery.integration,
        endpoint: delivery.endpoint,
        cause: format!("webhook_event/{id}"),
        receive_time: delivery.receive_time,
        is_identified: event.delivery_id.is_some(),
    };
    let keeps_body = note(&mut event, try_apply(tx, &occasion, &reading).await?);
    let retry = match event.reason.as_deref() {
        Some(INTERNAL) => Some(retry_of(id, delivery.receive_time)),
        // Nobody can ask this provider later what it said meanwhile.
        Some(PAUSED) if catalog::only_posts(delivery.provider) => Some(retry_after_pause(&event)),
        _ => None,
    };
    if let Some(message) = retry {
        event.will_retry = true;
        store::outbox::push(tx, message).await?;
    }
    if keeps_body {
        event.sealed_body = seal_body(tx, key, &event, &reading, delivery.body).await?;
    }
    store::webhook_event::insert(tx, &event).await?;
    if let Some(delivery_hash) = taken_key {
        let taken = Taken {
            webhook_endpoint_id: delivery.endpoint,
            delivery_hash,
            webhook_event_id: id,
            status: event.status,
            reason: event.reason.clone(),
            field: event.field.clone(),
        };
        store::webhook_event::insert_taken(tx, &taken).await?;
    }
    Ok(match (event.reason, event.field) {
        (Some(reason), Some(field)) => Answer::Unfit { event: id, reason, field },
        (reason, _) => Answer::Kept { event: id, status: event.status, reason },
    })
}

/// What was taken before is noted and changes nothing; its answer is the first one's.
async fn repeat(tx: &mut TenantTx, mut event: WebhookEvent, taken: Taken) -> Result<Answer> {
    let id = event.id;
    event.status = EventStatus::Duplicate;
    event.reason.clone_from(&taken.reason);
    event.field.clone_from(&taken.field);
    store::webhook_event::insert(tx, &event).await?;
    Ok(match (taken.status, taken.reason, taken.field) {
        (EventStatus::Error, Some(reason), Some(field)) => Answer::Unfit { event: id, reason, field },
        (_, reason, _) => Answer::Kept { event: id, status: EventStatus::Duplicate, reason },
    })
}

/// Seals a body under a key of its own, and keeps that key where erasure finds whose data it opens. `None`: it
/// is about somebody who was deleted here, or may be about anybody.
async fn seal_body(
    tx: &mut TenantTx,
    key: &TenantKey,
    event: &WebhookEvent,
    reading: &Reading,
    body: &[u8],
) -> Result<Option<Vec<u8>>> {
    let named = reading.named(tx, key, body).await?;
    if reading.said.is_err() && named.is_nobody() {
        return Ok(None);
    }
    if event.patient_id.is_none() && is_forgotten(tx, key, event.integration_id, &named).await? {
        return Ok(None);
    }
    let (sealed, wrapped_key) =
        key.seal_with_own_key(body_place(event.id.0), body).map_err(Error::internal)?;
    let Named { patient: external_patient_id, appointment } = named;
    let is_nobodys = event.patient_id.is_none() && external_patient_id.is_none();
    let body_key = BodyKey {
        webhook_event_id: event.id,
        patient_id: event.patient_id,
        external_patient_id,
        external_appointment_id: appointment.filter(|_| is_nobodys),
        wrapped_key,
    };
    store::webhook_event::insert_body_key(tx, &body_key).await?;
    Ok(Some(sealed))
}

/// Whether what a body names was deleted here. A deletion that is on its way is waited for, and the next one
/// waits for this transaction: it would not find the key.
async fn is_forgotten(
    tx: &mut TenantTx,
    key: &TenantKey,
    integration: IntegrationId,
    named: &Named,
) -> Result<bool> {
    let (is_known, tombstone) = match named {
        Named { patient: Some(id), .. } => {
            let is_known = store::patient_link::find_standing(tx, integration, id).await?.is_some();
            if !is_known {
                // A record that stands for nobody holds no deletion up; whoever deletes people has this lock.
                tx.lock(ARRIVAL_LOCK).await?;
            }
            (is_known, tombstone(key, integration, id))
        }
        Named { appointment: Some(id), .. } => (
            store::appointment_link::find_for_update(tx, integration, id).await?.is_some(),
            appointment_tombstone(key, integration, id),
        ),
        Named { .. } => return Ok(false),
    };
    Ok(!is_known && store::patient::has_tombstone(tx, &tombstone).await?)
}

/// The body of an event, if it was kept and its key is still there.
pub(in crate::domain) async fn open_body(
    tx: &mut TenantTx,
    key: &TenantKey,
    event: &WebhookEvent,
) -> Result<Option<Vec<u8>>> {
    let Some(sealed) = &event.sealed_body else { return Ok(None) };
    let Some((_, wrapped)) = store::webhook_event::body_keys(tx, &[event.id]).await?.pop() else {
        return Ok(None);
    };
    key.open_with_own_key(body_place(event.id.0), sealed, &wrapped).map(Some).map_err(Error::internal)
}
