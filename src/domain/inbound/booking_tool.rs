//! What the booking tool says, and what becomes of it.

use chrono::{DateTime, Utc};

use super::{
    apply::{Applied, Occasion, PATIENT_DELETED},
    reading::{Reading, Said, Unfit},
};
use crate::{
    domain::patient::Record,
    error::Result,
    ids::{IntegrationId, PatientId},
    provider::booking_tool::{self, Envelope, Event, ParseError},
    store::TenantTx,
    vault::TenantKey,
    words::EventStatus,
};

mod appointments;
mod patients;

/// How far ahead of us a tool's clock may be. A time beyond that counts as one just within it: taken at its
/// word it would block every later change, and taken as the arrival it would be older than what the same clock
/// said before.
const CLOCK_SKEW: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// What the appliers need to know of an event besides what it says.
struct Context<'a> {
    key: &'a TenantKey,
    integration: IntegrationId,
    cause: String,
    /// When it was true at the tool, or arrived if the tool gave no time.
    effective_time: DateTime<Utc>,
    /// The tool gave a time that can be.
    is_dated: bool,
    /// The tool gave an id, so repeats were told apart by it.
    is_identified: bool,
    now: DateTime<Utc>,
}

/// Reads a body. `None`: no JSON object that names its event.
pub(super) fn read(body: &[u8], receive_time: DateTime<Utc>) -> Option<Reading> {
    match booking_tool::parse_at(body, receive_time) {
        Ok((envelope, said)) => {
            let event_type = match &said {
                Event::Unknown { event } => event.clone(),
                _ => envelope.kind.as_str().into(),
            };
            Some(Reading {
                event_type,
                delivery_id: envelope.id.clone(),
                occurred_time: envelope.occurred_time,
                said: Ok(Said::BookingTool(envelope, said)),
            })
        }
        Err(ParseError::Unfit { envelope, event, field, problem }) => Some(Reading {
            event_type: event,
            delivery_id: envelope.id,
            occurred_time: envelope.occurred_time,
            said: Err(Unfit { field, reason: problem.reason() }),
        }),
        Err(ParseError::NotJson) => None,
    }
}

/// Does what the event says.
pub(super) async fn apply(
    tx: &mut TenantTx,
    occasion: &Occasion<'_>,
    envelope: &Envelope,
    said: &Event,
    is_paused: bool,
) -> Result<Applied> {
    let context = &context_of(occasion, envelope);
    match said {
        Event::Unknown { .. } => Ok(Applied::new(EventStatus::Quarantined, Some("UNKNOWN_EVENT"))),
        _ if is_paused => Ok(Applied::paused()),
        Event::Ping => Ok(Applied::new(EventStatus::Ignored, Some("PING"))),
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

/// Applies what waited for a person of the tool's who came in another way: in a file.
pub(in crate::domain) async fn settle_waiting(
    tx: &mut TenantTx,
    record: Record<'_>,
    patient: PatientId,
    cause: String,
) -> Result<()> {
    let Record { key, integration, external_id } = record;
    let now = Utc::now();
    let context =
        Context { key, integration, cause, effective_time: now, is_dated: false, is_identified: false, now };
    appointments::settle_waiting(tx, &context, external_id, patient).await
}

fn context_of<'a>(occasion: &Occasion<'a>, envelope: &Envelope) -> Context<'a> {
    let latest = occasion.receive_time + CLOCK_SKEW;
    let told_time = envelope.occurred_time;
    Context {
        key: occasion.key,
        integration: occasion.integration,
        cause: occasion.cause.clone(),
        effective_time: told_time.map_or(occasion.receive_time, |at| at.min(latest)),
        is_dated: told_time.is_some_and(|at| at <= latest),
        is_identified: occasion.is_identified,
        now: Utc::now(),
    }
}

/// Whose data a body holds, by the tool's id, even if the body does not fit otherwise: erasure must find it.
pub(super) fn patient_named_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let data = &value["data"];
    let id = match value["event"].as_str()? {
        event if event.starts_with("patient.") => &data["id"],
        _ => &data["patient_id"],
    };
    text_of_id(id)
}

/// What a body of an appointment calls it; the person it is about may come to be known later.
pub(super) fn appointment_named_in(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_of_appointment = value["event"].as_str()?.starts_with("appointment.");
    text_of_id(&value["data"]["id"]).filter(|_| is_of_appointment)
}

/// An unfit body may have anything as an id: what nobody can be known by is none, and would not fit an index.
fn text_of_id(id: &serde_json::Value) -> Option<String> {
    match id {
        serde_json::Value::String(text) => Some(text.clone()).filter(|text| booking_tool::is_id(text)),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}
