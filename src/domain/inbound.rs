//! The way in: a delivery is verified, counted, kept with its effects in one transaction, and answered.
//!
//! Nothing here waits on a provider. What cannot be applied now is kept with status `error` and a message that tries again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use secrecy::{SecretSlice, SecretString};
use serde_json::json;

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{AppointmentId, IntegrationId, PatientId, TenantId, WebhookEventId},
    provider::{
        self,
        booking_tool::{self, Envelope, Event, ParseError},
        signature::{self, Refusal},
    },
    store::{
        self, TenantTx,
        outbox::{NewMessage, Outcome},
        resolve::ResolvedEndpoint,
        webhook_event::{BodyKey, Taken, WebhookEvent, body_place},
    },
    vault::{self, Place, TenantKey},
    words::{EventCause, EventStatus, MessageKind},
};

mod appointments;
mod patients;

/// How far ahead of us a tool's clock may be; a time beyond that counts as the arrival, or it would block every later change.
const CLOCK_SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// What a provider posted.
pub struct Delivery<'a> {
    pub provider: &'a str,
    /// The unguessable part of the address.
    pub token: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub receive_time: DateTime<Utc>,
}

/// What the provider is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Committed, with its effects applied or queued.
    Kept { event: WebhookEventId, status: EventStatus, reason: Option<String> },
    /// Authentic and kept, but it does not fit the contract.
    Unfit { event: WebhookEventId, reason: String, field: String },
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
}

/// What the appliers need to know of an event besides what it says.
struct Context<'a> {
    key: &'a TenantKey,
    integration: IntegrationId,
    cause: String,
    /// When it was true at the tool, or arrived if the tool did not say.
    effective_time: DateTime<Utc>,
    /// The tool said when.
    is_dated: bool,
    /// The tool gave an id, so repeats were told apart by it.
    is_identified: bool,
    now: DateTime<Utc>,
}

impl Applied {
    fn new(status: EventStatus, reason: Option<&'static str>) -> Self {
        Self { status, reason, patient: None, appointment: None }
    }
}

/// Takes a delivery in. Errors: `Unavailable` when it could not be committed; the provider then repeats it.
pub async fn receive(domain: &Domain, delivery: Delivery<'_>) -> Result<Answer> {
    let Some(endpoint) = domain.store.resolve_endpoint(&vault::hash(delivery.token.as_bytes())).await? else {
        return Ok(Answer::UnknownEndpoint);
    };
    if endpoint.provider != delivery.provider {
        return Ok(Answer::UnknownEndpoint);
    }
    let key = domain.vault.tenant_key(endpoint.tenant_id, &endpoint.tenant_key()).map_err(Error::internal)?;
    let scheme = provider::scheme(endpoint.scheme);
    let secrets = open_secrets(&endpoint, &key, &scheme)?;
    let now_s = delivery.receive_time.timestamp();
    let verified = match signature::verify(&scheme, delivery.headers, delivery.body, &secrets, now_s) {
        Ok(verified) => verified,
        Err(refusal) => return Ok(Answer::Refused(refusal)),
    };

    let mut tx = domain.store.tenant(endpoint.tenant_id).await?;
    let admission = store::webhook_endpoint::admit(&mut tx, endpoint.id, endpoint.limit_per_minute).await?;
    if !admission.admitted {
        let seconds = u64::try_from(admission.retry_after_s).unwrap_or(1);
        return Ok(Answer::Limited { retry_after: Duration::from_secs(seconds) });
    }
    let answer = keep(&mut tx, &endpoint, &key, &delivery, verified.delivery_id).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Keeps an admitted delivery with its effects.
async fn keep(
    tx: &mut TenantTx,
    endpoint: &ResolvedEndpoint,
    key: &TenantKey,
    delivery: &Delivery<'_>,
    header_id: Option<String>,
) -> Result<Answer> {
    let id = WebhookEventId::new();
    let parsed = match booking_tool::parse_at(delivery.body, delivery.receive_time) {
        Err(ParseError::NotJson) => return Ok(Answer::NotParseable),
        other => other,
    };
    let (envelope, event_type) = match &parsed {
        Ok((envelope, event)) => (envelope.clone(), event_name(envelope, event)),
        Err(ParseError::Unfit { envelope, event, .. }) => (envelope.clone(), event.clone()),
        Err(ParseError::NotJson) => return Ok(Answer::NotParseable),
    };
    let delivery_id = envelope.id.clone().or(header_id);
    // An unfit body without an id is its own id: a repeat must get the same answer.
    let taken_key = match (&delivery_id, &parsed) {
        (Some(id), _) => Some(key.fingerprint("delivery", &[b"id", id.as_bytes()])),
        (None, Err(_)) => Some(key.fingerprint("delivery", &[b"body", delivery.body])),
        (None, Ok(_)) => None,
    };
    let mut event = WebhookEvent {
        id,
        webhook_endpoint_id: endpoint.id,
        integration_id: endpoint.integration_id,
        provider: endpoint.provider.clone(),
        event_type,
        delivery_id: delivery_id.clone(),
        status: EventStatus::Success,
        reason: None,
        field: None,
        will_retry: false,
        cause: EventCause::Delivery,
        original_id: None,
        receive_time: delivery.receive_time,
        occurred_time: envelope.occurred_time,
        patient_id: None,
        appointment_id: None,
        body_size_bytes: i32::try_from(delivery.body.len()).unwrap_or(i32::MAX),
        sealed_body: None,
    };
    if let Some(hash) = &taken_key
        && let Some(taken) = store::webhook_event::find_taken(tx, endpoint.id, hash).await?
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

    match &parsed {
        Ok((envelope, said)) => {
            let context = context_of(
                key,
                endpoint.integration_id,
                envelope,
                delivery_id.is_some(),
                id,
                delivery.receive_time,
            );
            match try_apply(tx, &context, said).await? {
                Ok(applied) => note(&mut event, applied),
                Err(_) => {
                    event.status = EventStatus::Error;
                    event.reason = Some("INTERNAL".into());
                    event.will_retry = true;
                    store::outbox::push(tx, retry_of(id, delivery.receive_time)).await?;
                }
            }
        }
        Err(ParseError::Unfit { field, problem, .. }) => {
            event.status = EventStatus::Error;
            event.reason = Some(problem.reason().into());
            event.field = Some(field.clone());
        }
        Err(ParseError::NotJson) => {}
    }
    let forgotten = event.reason.as_deref() == Some(patients::DELETED);
    if event.status != EventStatus::Quarantined && !forgotten {
        let (sealed, wrapped_key) =
            key.seal_with_own_key(body_place(id.0), delivery.body).map_err(Error::internal)?;
        event.sealed_body = Some(sealed);
        let external_patient_id = patient_named_in(delivery.body);
        let is_nobodys = event.patient_id.is_none() && external_patient_id.is_none();
        let external_appointment_id = if is_nobodys { appointment_named_in(delivery.body) } else { None };
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
            webhook_endpoint_id: endpoint.id,
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

/// Applies an event again because an admin asks for it; a new event that points at the original. Errors: `BodyGone`.
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
    let event = repeat(domain, &mut tx, &asked, fresh, EventCause::Replay, now).await?;
    tx.commit().await?;
    Ok(event)
}

/// Tries an event again that could not be applied. `Err`: it still cannot be; the attempt leaves no row, so that the trail holds
/// one per outcome.
pub async fn retry(
    domain: &Domain,
    tenant: TenantId,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let mut tx = domain.store.tenant(tenant).await?;
    let original = store::webhook_event::find(&mut tx, event_of(payload)?).await?;
    match repeat(domain, &mut tx, &original, WebhookEventId::new(), EventCause::Retry, now).await {
        Ok(event) if event.status == EventStatus::Error => {
            Err(Error::internal("the event still cannot be applied"))
        }
        Ok(_) => {
            tx.commit().await?;
            Ok(Outcome::Done)
        }
        // Its person was forgotten meanwhile.
        Err(Error::BodyGone) => Ok(Outcome::Done),
        Err(error) => Err(error),
    }
}

/// Records that no attempt is left; an admin can still replay the event.
pub async fn give_up(
    domain: &Domain,
    tenant: TenantId,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let original = store::webhook_event::find(&mut tx, event_of(payload)?).await?;
    let last = WebhookEvent {
        id: WebhookEventId::new(),
        status: EventStatus::Error,
        reason: Some("RETRIES_EXHAUSTED".into()),
        will_retry: false,
        cause: EventCause::Retry,
        original_id: Some(original.id),
        receive_time: now,
        sealed_body: None,
        ..original
    };
    store::webhook_event::insert(&mut tx, &last).await?;
    tx.commit().await
}

fn event_of(payload: &serde_json::Value) -> Result<WebhookEventId> {
    serde_json::from_value(payload["webhook_event_id"].clone()).map_err(Error::internal)
}

/// Applies the body of `asked` again and records the outcome as an event of its own.
async fn repeat(
    domain: &Domain,
    tx: &mut TenantTx,
    asked: &WebhookEvent,
    fresh: WebhookEventId,
    cause: EventCause,
    now: DateTime<Utc>,
) -> Result<WebhookEvent> {
    let original = match asked.original_id {
        Some(id) => store::webhook_event::find(tx, id).await?,
        None => asked.clone(),
    };
    let key = domain.tenant_key(tx.tenant()).await?;
    let body = open_body(tx, &key, &original).await?.ok_or(Error::BodyGone)?;
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
    match booking_tool::parse_at(&body, original.receive_time) {
        Ok((envelope, said)) => {
            let is_identified = original.delivery_id.is_some();
            let context = context_of(
                &key,
                original.integration_id,
                &envelope,
                is_identified,
                fresh,
                original.receive_time,
            );
            match try_apply(tx, &context, &said).await? {
                Ok(applied) => note(&mut event, applied),
                Err(_) => {
                    event.status = EventStatus::Error;
                    event.reason = Some("INTERNAL".into());
                }
            }
        }
        Err(ParseError::Unfit { field, problem, .. }) => {
            event.status = EventStatus::Error;
            event.reason = Some(problem.reason().into());
            event.field = Some(field);
        }
        Err(ParseError::NotJson) => return Err(Error::internal("a kept body is no longer parseable")),
    }
    store::webhook_event::insert(tx, &event).await?;
    Ok(event)
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
async fn try_apply(tx: &mut TenantTx, context: &Context<'_>, said: &Event) -> Result<Result<Applied>> {
    tx.begin_savepoint().await?;
    match apply(tx, context, said).await {
        Ok(applied) => {
            tx.release_savepoint().await?;
            Ok(Ok(applied))
        }
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            tx.roll_back_savepoint().await?;
            crate::telemetry::log_error("a webhook event could not be applied", &error);
            Ok(Err(error))
        }
    }
}

async fn apply(tx: &mut TenantTx, context: &Context<'_>, said: &Event) -> Result<Applied> {
    match said {
        Event::Ping => Ok(Applied::new(EventStatus::Ignored, Some("PING"))),
        Event::Unknown { .. } => Ok(Applied::new(EventStatus::Quarantined, Some("UNKNOWN_EVENT"))),
        Event::PatientUpserted { created, patient } => {
            patients::upserted(tx, context, *created, patient).await
        }
        Event::PatientDeleted { id } => patients::deleted(tx, context, id).await,
        Event::AppointmentUpserted { created, appointment } => {
            appointments::upserted(tx, context, *created, appointment).await
        }
        Event::AppointmentCancelled { id, reason, .. } => {
            appointments::cancelled(tx, context, id, reason.as_deref()).await
        }
    }
}

fn note(event: &mut WebhookEvent, applied: Applied) {
    event.status = applied.status;
    event.reason = applied.reason.map(Into::into);
    event.patient_id = applied.patient;
    event.appointment_id = applied.appointment;
}

fn context_of<'a>(
    key: &'a TenantKey,
    integration: IntegrationId,
    envelope: &Envelope,
    is_identified: bool,
    cause: WebhookEventId,
    receive_time: DateTime<Utc>,
) -> Context<'a> {
    let latest = receive_time + CLOCK_SKEW;
    Context {
        key,
        integration,
        cause: format!("webhook_event/{cause}"),
        effective_time: envelope.occurred_time.filter(|at| *at <= latest).unwrap_or(receive_time),
        is_dated: envelope.occurred_time.is_some(),
        is_identified,
        now: Utc::now(),
    }
}

fn open_secrets(
    endpoint: &ResolvedEndpoint,
    key: &TenantKey,
    scheme: &signature::Scheme,
) -> Result<Vec<SecretSlice<u8>>> {
    let open = |(id, sealed): (&uuid::Uuid, &Vec<u8>)| {
        let bytes = key.open(secret_place(*id), sealed).map_err(Error::internal)?;
        let secret =
            SecretString::from(String::from_utf8(bytes).map_err(|_| Error::internal("a secret is no text"))?);
        scheme.key(&secret).map_err(|_| Error::internal("a secret is no key"))
    };
    endpoint.secret_ids.iter().zip(&endpoint.sealed_secrets).map(open).collect()
}

/// Where a secret is sealed.
pub(super) fn secret_place(row: uuid::Uuid) -> Place {
    Place { table: "webhook_secret", column: "sealed_secret", row }
}

fn retry_of(id: WebhookEventId, receive_time: DateTime<Utc>) -> NewMessage {
    NewMessage {
        kind: MessageKind::WebhookEventRetry,
        lane: format!("webhook_event/{id}"),
        payload: json!({ "webhook_event_id": id }),
        cause: format!("webhook_event/{id}"),
        run_time: receive_time + chrono::TimeDelta::seconds(1),
        integration: None,
    }
}

fn event_name(envelope: &Envelope, event: &Event) -> String {
    match event {
        Event::Unknown { event } => event.clone(),
        _ => envelope.kind.as_str().into(),
    }
}

/// Whose data a body holds, by the tool's id, even if the body does not fit otherwise: erasure must find it.
fn patient_named_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let data = &value["data"];
    let id = match value["event"].as_str()? {
        event if event.starts_with("patient.") => &data["id"],
        _ => &data["patient_id"],
    };
    text_of_id(id)
}

/// What a body of an appointment calls it; the person it is about may come to be known later.
fn appointment_named_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_of_appointment = value["event"].as_str()?.starts_with("appointment.");
    text_of_id(&value["data"]["id"]).filter(|_| is_of_appointment)
}

fn text_of_id(id: &serde_json::Value) -> Option<String> {
    match id {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}
