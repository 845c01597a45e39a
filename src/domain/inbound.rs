//! The way in: a delivery is verified, counted, kept with its effects in one transaction, and answered.
//!
//! Nothing here waits on a provider. What cannot be applied now is kept with status `error` and a message that tries again.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};

use super::{Domain, consent};
use crate::{
    error::{Error, Result},
    ids::{AppointmentId, IntegrationId, PatientId, WebhookEndpointId, WebhookEventId},
    provider::{
        catalog::{self, Pair, webhook::Acknowledgement},
        signature::{Refusal, Request},
    },
    store::{
        self, TenantTx,
        integration::Integration,
        webhook_event::{BodyKey, Taken, WebhookEvent, body_place},
    },
    vault::{self, Place, TenantKey},
    words::{EventCause, EventStatus, IntegrationState},
};

mod again;
mod asana;
mod booking_tool;
mod calcom;
mod client;
mod greeting;
mod handshake;
mod reading;
mod trust;
mod unadapted;

use again::retry_of;
pub use again::{give_up, replay, retry};
pub use client::{ClientDelivery, receive_for_client};
pub use handshake::{Handshake, shake_hands};
use reading::{Reading, Said, Unfit};
pub use trust::KeyRings;

/// Applying failed here; the server tries again.
const INTERNAL: &str = "INTERNAL";
/// The integration is being given up.
const DISCONNECTED: &str = "INTEGRATION_DISCONNECTED";
/// Somebody paused what comes in; what was missed is read when the pause ends.
const PAUSED: &str = "INBOUND_PAUSED";
/// The webhook's owner set a payload template, so that the body can say anything.
const CUSTOM_TEMPLATE: &str = "CUSTOM_TEMPLATE";
/// Nobody here reads what this provider tells.
const NO_ADAPTER: &str = "NO_ADAPTER";
/// It says no more than that the address works.
const HANDSHAKE: &str = "HANDSHAKE";
/// The person was deleted here; nothing of the event is kept.
const PATIENT_DELETED: &str = "PATIENT_DELETED";

/// What a provider sent.
pub struct Delivery<'a> {
    pub provider: &'a str,
    /// The unguessable part of the address.
    pub token: &'a str,
    pub method: &'a Method,
    /// What stood behind the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub receive_time: DateTime<Utc>,
}

/// What the provider is told.
#[derive(Debug)]
pub enum Answer {
    /// Committed, with its effects applied or queued.
    Kept { event: WebhookEventId, status: EventStatus, reason: Option<String> },
    /// It only wanted to know whether the address is meant for it: this text, as plain text.
    Greeted { text: String, headers: &'static [Pair] },
    /// It told a secret, or tried to.
    Handshake { header: Option<&'static str>, outcome: Handshake },
    /// Authentic and kept, but it does not fit the contract.
    Unfit { event: WebhookEventId, reason: String, field: String },
    /// Authentic, and for an account that nobody here has connected; not kept, for there is nobody to keep it for.
    Nobodys,
    /// Authentic, but no JSON object that names its event.
    NotParseable,
    /// Not authentic.
    Refused(Refusal),
    /// No such endpoint, a disabled one, or one of another provider.
    UnknownEndpoint,
    /// Above the endpoint's limit; not kept.
    Limited { retry_after: Duration },
}

/// What an event turned out to do.
#[derive(Debug, Clone, Copy)]
struct Applied {
    status: EventStatus,
    reason: Option<&'static str>,
    patient: Option<PatientId>,
    appointment: Option<AppointmentId>,
    keeps_body: bool,
}

/// What is known of an event besides what it says.
struct Occasion<'a> {
    key: &'a Arc<TenantKey>,
    integration: IntegrationId,
    endpoint: WebhookEndpointId,
    cause: String,
    receive_time: DateTime<Utc>,
    /// The provider gave an id, so repeats were told apart by it.
    is_identified: bool,
}

/// Whose data a body holds, by the provider's ids, so that erasure finds it.
#[derive(Debug, Default)]
struct Named {
    patient: Option<String>,
    appointment: Option<String>,
}

impl Applied {
    fn new(status: EventStatus, reason: Option<&'static str>) -> Self {
        let keeps_body = status != EventStatus::Quarantined && reason != Some(PATIENT_DELETED);
        Self { status, reason, patient: None, appointment: None, keeps_body }
    }
}

/// Whether a provider sends requests of this method at all. An unknown one is answered like an unknown endpoint, which POST is.
pub fn takes(provider: &str, method: &Method) -> bool {
    let webhook = catalog::find(provider).and_then(|provider| provider.webhook.as_ref());
    *method == Method::POST || webhook.is_some_and(|webhook| webhook.asks_by(method))
}

/// Whether a provider's deliveries are answered without a word.
pub fn is_told_nothing(provider: &str) -> bool {
    let webhook = catalog::find(provider).and_then(|provider| provider.webhook.as_ref());
    webhook.is_some_and(|webhook| webhook.acknowledgement == Acknowledgement::Empty)
}

/// Takes a delivery in. Errors: `Unavailable` when it could not be committed, `IssuerUnavailable` when nobody can say whether it
/// is authentic; the provider then repeats it.
pub async fn receive(domain: &Domain, delivery: Delivery<'_>) -> Result<Answer> {
    let Some(endpoint) = domain.store.resolve_endpoint(&vault::hash(delivery.token.as_bytes())).await? else {
        return Ok(Answer::UnknownEndpoint);
    };
    if endpoint.provider != delivery.provider {
        return Ok(Answer::UnknownEndpoint);
    }
    let Some((webhook, verification)) = catalog::verification(&endpoint.provider, endpoint.scheme) else {
        return Ok(Answer::UnknownEndpoint);
    };
    if let Some(answer) = greeting::unsigned(webhook, delivery.method, delivery.query) {
        return Ok(answer);
    }
    if *delivery.method != Method::POST {
        return Ok(Answer::UnknownEndpoint);
    }
    if let Some(answer) = handshake::told(domain, (webhook, verification), &endpoint, &delivery).await? {
        return Ok(answer);
    }
    let key = domain.vault.tenant_key(endpoint.tenant_id, &endpoint.tenant_key()).map_err(Error::internal)?;
    let base = endpoint.base_url.as_deref().unwrap_or(&domain.public_url);
    let address = format!("{base}/api/webhooks/{}/{}", endpoint.provider, delivery.token);
    let request = Request { headers: delivery.headers, body: delivery.body, address: &address };
    let secrets = trust::secrets_of(domain, &endpoint, &key, verification).await?;
    let client = trust::client_id(domain, &endpoint, verification).await?;
    let known = (delivery.provider, verification);
    let judged = trust::judge(domain, known, &request, (&secrets, client.as_deref()), delivery.receive_time);
    let verified = match judged.await? {
        Ok(verified) => verified,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };
    if let Some(answer) = greeting::signed(webhook, delivery.body) {
        return Ok(answer);
    }

    let mut tx = domain.store.tenant(endpoint.tenant_id).await?;
    let admission = store::webhook_endpoint::admit(&mut tx, endpoint.id, endpoint.limit_per_minute).await?;
    if !admission.admitted {
        let seconds = u64::try_from(admission.retry_after_s).unwrap_or(1);
        return Ok(Answer::Limited { retry_after: Duration::from_secs(seconds) });
    }
    let arrival = Arrival {
        endpoint: endpoint.id,
        integration: endpoint.integration_id,
        provider: &endpoint.provider,
        headers: delivery.headers,
        body: &verified.proven(delivery.body),
        receive_time: delivery.receive_time,
    };
    let answer = keep(&mut tx, &arrival, &key, verified.delivery_id.clone()).await?;
    tx.commit().await?;
    Ok(answer)
}

/// An authentic delivery, and where it belongs.
struct Arrival<'a> {
    endpoint: WebhookEndpointId,
    integration: IntegrationId,
    provider: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
    receive_time: DateTime<Utc>,
}

/// Keeps an admitted delivery with its effects.
async fn keep(
    tx: &mut TenantTx,
    delivery: &Arrival<'_>,
    key: &Arc<TenantKey>,
    signed_id: Option<String>,
) -> Result<Answer> {
    let id = WebhookEventId::new();
    let Some(reading) =
        Reading::of(delivery.provider, delivery.headers, delivery.body, delivery.receive_time)
    else {
        return Ok(Answer::NotParseable);
    };
    let delivery_id = reading.delivery_id.clone().or(signed_id);
    let taken_key = match &delivery_id {
        Some(id) => Some(key.fingerprint("delivery", &[b"id", id.as_bytes()])),
        None if reading.is_its_own_id() => Some(key.fingerprint("delivery", &[b"body", delivery.body])),
        None => None,
    };
    let mut event = WebhookEvent {
        id,
        webhook_endpoint_id: delivery.endpoint,
        integration_id: delivery.integration,
        provider: delivery.provider.into(),
        event_type: reading.event_type.clone(),
        delivery_id: delivery_id.clone(),
        status: EventStatus::Success,
        reason: None,
        field: None,
        will_retry: false,
        cause: EventCause::Delivery,
        original_id: None,
        receive_time: delivery.receive_time,
        occurred_time: reading.occurred_time,
        patient_id: None,
        appointment_id: None,
        body_size_bytes: i32::try_from(delivery.body.len()).unwrap_or(i32::MAX),
        sealed_body: None,
    };
    if let Some(hash) = &taken_key
        && let Some(taken) = store::webhook_event::find_taken(tx, delivery.endpoint, hash).await?
    {
        event.status = EventStatus::Duplicate;
        event.reason.clone_from(&taken.reason);
        event.field.clone_from(&taken.field);
        store::webhook_event::insert(tx, &event).await?;
        return Ok(match (taken.status, taken.reason, taken.field) {
            (EventStatus::Error, Some(reason), Some(field)) => Answer::Unfit { event: id, reason, field },
            (_, reason, _) => Answer::Kept { event: id, status: EventStatus::Duplicate, reason },
        });
    }

    let occasion = Occasion {
        key,
        integration: delivery.integration,
        endpoint: delivery.endpoint,
        cause: format!("webhook_event/{id}"),
        receive_time: delivery.receive_time,
        is_identified: delivery_id.is_some(),
    };
    let keeps_body = note(&mut event, try_apply(tx, &occasion, &reading).await?);
    if event.reason.as_deref() == Some(INTERNAL) {
        event.will_retry = true;
        store::outbox::push(tx, retry_of(id, delivery.receive_time)).await?;
    }
    if keeps_body {
        let (sealed, wrapped_key) =
            key.seal_with_own_key(body_place(id.0), delivery.body).map_err(Error::internal)?;
        event.sealed_body = Some(sealed);
        let Named { patient: external_patient_id, appointment } =
            reading.named(tx, key, delivery.body).await?;
        let is_nobodys = event.patient_id.is_none() && external_patient_id.is_none();
        let external_appointment_id = appointment.filter(|_| is_nobodys);
        let body_key = BodyKey {
            webhook_event_id: id,
            patient_id: event.patient_id,
            external_patient_id,
            external_appointment_id,
            wrapped_key,
        };
        store::webhook_event::insert_body_key(tx, &body_key).await?;
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

/// The body of an event, if it was kept and its key is still there.
pub(super) async fn open_body(
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

/// Applies inside a savepoint. Outer error: the whole transaction is lost. Inner error: what was applied is undone, logged once.
async fn try_apply(
    tx: &mut TenantTx,
    occasion: &Occasion<'_>,
    reading: &Reading,
) -> Result<Result<Applied, Unfit>> {
    let integration = store::integration::find(tx, occasion.integration).await?;
    if let Some(dropped) = dropped(tx, &integration).await? {
        return Ok(Ok(dropped));
    }
    let said = match &reading.said {
        Ok(said) => said,
        Err(unfit) => return Ok(Err(unfit.clone())),
    };
    if integration.inbound_paused {
        return Ok(Ok(Applied::new(EventStatus::Ignored, Some(PAUSED))));
    }
    tx.begin_savepoint().await?;
    match apply(tx, occasion, said).await {
        Ok(applied) => {
            tx.release_savepoint().await?;
            Ok(Ok(applied))
        }
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            tx.roll_back_savepoint().await?;
            crate::telemetry::log_error("a webhook event could not be applied", &error);
            Ok(Ok(Applied::new(EventStatus::Error, Some(INTERNAL))))
        }
    }
}

/// What becomes of anything that comes for an integration that is ended, or that nobody lets data flow to: nothing is kept of it.
async fn dropped(tx: &mut TenantTx, integration: &Integration) -> Result<Option<Applied>> {
    let reason = match integration.state {
        IntegrationState::Disconnecting | IntegrationState::Disconnected => DISCONNECTED,
        IntegrationState::Connected | IntegrationState::NeedsReconnect => {
            if consent::opens(tx, integration).await? {
                return Ok(None);
            }
            consent::MISSING
        }
    };
    Ok(Some(Applied { keeps_body: false, ..Applied::new(EventStatus::Ignored, Some(reason)) }))
}

async fn apply(tx: &mut TenantTx, occasion: &Occasion<'_>, said: &Said) -> Result<Applied> {
    match said {
        Said::BookingTool(envelope, event) => booking_tool::apply(tx, occasion, envelope, event).await,
        Said::Calcom(event) => calcom::apply(tx, occasion, event).await,
        Said::Asana(delivery) => asana::apply(tx, occasion, delivery).await,
        Said::Template => Ok(Applied::new(EventStatus::Quarantined, Some(CUSTOM_TEMPLATE))),
        Said::Unadapted { is_greeting, .. } => {
            let reason = if *is_greeting { HANDSHAKE } else { NO_ADAPTER };
            // Nobody would find a person in it again when that person is to be forgotten.
            Ok(Applied { keeps_body: false, ..Applied::new(EventStatus::Ignored, Some(reason)) })
        }
    }
}

/// Writes down what came of an event; returns whether its body is kept.
fn note(event: &mut WebhookEvent, applied: Result<Applied, Unfit>) -> bool {
    match applied {
        Ok(applied) => {
            event.status = applied.status;
            event.reason = applied.reason.map(Into::into);
            event.patient_id = applied.patient;
            event.appointment_id = applied.appointment;
            applied.keeps_body
        }
        Err(Unfit { field, reason }) => {
            event.status = EventStatus::Error;
            event.reason = Some(reason.into());
            event.field = Some(field);
            true
        }
    }
}

/// Where a secret is sealed.
pub(super) fn secret_place(row: uuid::Uuid) -> Place {
    Place { table: "webhook_secret", column: "sealed_secret", row }
}
