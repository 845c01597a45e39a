//! Bookings whose appointments are deleted here: they are given up at the provider, too.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Work,
    attempt::HALTED,
    look_up, push,
    target::{is_writable, lives},
};
use crate::{
    domain::{
        Domain, consent,
        engine::provider_call::{self, CallFailure, Urgency},
        patient,
    },
    error::Result,
    ids::{AppointmentId, IntegrationId, IntentId},
    provider::calcom::{CallError, Refusal},
    store::{
        self, TenantTx,
        booking::Booking,
        outbox::{Claimed, Outcome},
        patient_link::PatientLink,
    },
    vault::TenantKey,
    words::IntentKind,
};

/// What the provider's people read.
pub(super) const REASON: &str = "The practice cancelled the appointment.";
/// How far a reading connection may lag behind a write that was on its way when the appointment was deleted.
const LAG: Duration = Duration::from_secs(5);
/// Moves of one booking that are followed, at most.
const MOVES: usize = 20;

/// A create that may have become a booking.
pub(super) struct Write {
    pub(super) external_event_type_id: String,
    pub(super) start_time: DateTime<Utc>,
    pub(super) end_time: DateTime<Utc>,
    pub(super) intent_id: IntentId,
}

/// Promises that the provider gives up what these appointments have there, and remembers that nothing of it
/// comes back. Call it before they are deleted.
///
/// `links` say by what names the person was known: of a booking in which others have seats only the person's
/// own is given up.
pub async fn forget(
    tx: &mut TenantTx,
    key: &TenantKey,
    appointments: &[AppointmentId],
    links: &[PatientLink],
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    for booking in store::booking::of_appointments(tx, appointments).await? {
        let is_shared = is_shared(tx, &booking).await?;
        // What others come to stays known.
        if !is_shared {
            let tombstone = patient::appointment_tombstone(key, booking.integration_id, &booking.external_id);
            store::patient::insert_tombstone(tx, &tombstone).await?;
        }
        store::webhook_event::destroy_body_keys_of_external_appointment(
            tx,
            booking.integration_id,
            &booking.external_id,
        )
        .await?;
        let is_over = booking.end_time.is_some_and(|end| end <= now);
        let Some(lane) = booking.appointment_id.filter(|_| lives(&booking) && !is_over) else { continue };
        let (integration_id, external_id) = (booking.integration_id, booking.external_id);
        if is_shared {
            let theirs = links.iter().filter(|link| link.integration_id == integration_id);
            let people = theirs.map(|link| link.external_id.clone()).collect();
            let work = Work::Seats { integration_id, external_id, people };
            push(tx, lane, &work, cause, Some(integration_id), now).await?;
        } else if is_writable(tx, integration_id).await? {
            let work = Work::Booking { integration_id, external_id };
            push(tx, lane, &work, cause, Some(integration_id), now).await?;
        }
    }
    for intent in store::intent::open_of(tx, appointments).await? {
        let (IntentKind::Create, Some(start_time)) = (intent.kind, intent.start_time) else { continue };
        let name = intent.id.to_string();
        let tombstone = patient::appointment_tombstone(key, intent.integration_id, &name);
        store::patient::insert_tombstone(tx, &tombstone).await?;
        let integration_id = intent.integration_id;
        let work = Work::Write {
            integration_id,
            external_event_type_id: intent.external_event_type_id.unwrap_or_default(),
            start_time,
            end_time: start_time + look_up::LONGEST,
            intent_id: intent.id,
        };
        push(tx, intent.appointment_id, &work, cause, Some(integration_id), now).await?;
    }
    Ok(())
}

async fn is_shared(tx: &mut TenantTx, booking: &Booking) -> Result<bool> {
    let Some(id) = &booking.external_event_type_id else { return Ok(false) };
    let event_type = store::event_type::find(tx, booking.integration_id, id).await?;
    Ok(event_type.is_some_and(|event_type| event_type.is_seated))
}

/// Cancels a booking, or what it was moved to. A second cancel changes nothing, so nothing is looked up
/// before it.
pub(super) async fn cancel(
    domain: &Domain,
    message: &Claimed,
    integration: IntegrationId,
    external_id: String,
) -> Result<Outcome> {
    let mut uid = external_id;
    for _ in 0..MOVES {
        let asked = uid.clone();
        let answer = provider_call::calcom(
            domain,
            message.tenant_id,
            integration,
            Urgency::Background,
            |way| async move { way.calcom().cancel_booking(&asked, REASON).await },
        );
        let refusal = match answer.await {
            Ok(_) => return Ok(Outcome::Done),
            Err(CallFailure::Call(CallError::Refused(refusal))) => refusal,
            Err(failure) => return later(failure),
        };
        let successor = match refusal {
            Refusal::NotFound | Refusal::AlreadyEnded => return Ok(Outcome::Done),
            Refusal::AlreadyRescheduled { successor: Some(successor) } => Some(successor),
            Refusal::AlreadyRescheduled { successor: None } | Refusal::AlreadyCancelled => {
                let asked = uid.clone();
                let read = provider_call::calcom(
                    domain,
                    message.tenant_id,
                    integration,
                    Urgency::Background,
                    |way| async move { look_up::booking(&way, &asked).await },
                );
                match read.await {
                    Ok(booking) => booking.and_then(|booking| booking.rescheduled_to_uid),
                    Err(failure) => return later(failure),
                }
            }
            refusal => return Ok(Outcome::Dead { reason: refusal.reason().into() }),
        };
        match successor {
            Some(successor) => uid = successor,
            None => return Ok(Outcome::Done),
        }
    }
    Ok(Outcome::Dead { reason: "MOVED_TOO_OFTEN".into() })
}

/// Cancels what came of a create, if anything did.
pub(super) async fn cancel_write(
    domain: &Domain,
    message: &Claimed,
    integration: IntegrationId,
    write: &Write,
) -> Result<Outcome> {
    let slot = (write.external_event_type_id.as_str(), write.start_time, write.end_time, write.intent_id);
    let found = look_up::made(domain, message.tenant_id, integration, Urgency::Background, slot).await;
    match found {
        Ok(Some(made)) => cancel(domain, message, integration, made.uid).await,
        Ok(None) if message.attempts <= 1 => {
            Ok(Outcome::Retry { after: LAG, reason: "OUTCOME_UNKNOWN".into() })
        }
        Ok(None) => Ok(Outcome::Done),
        Err(failure) => later(failure),
    }
}

pub(super) fn later(failure: CallFailure) -> Result<Outcome> {
    match failure {
        CallFailure::NotNow { after, reason } => Ok(Outcome::Release { after, reason: Some(reason.into()) }),
        CallFailure::Credential => {
            Ok(Outcome::Release { after: HALTED, reason: Some("CREDENTIAL_REFUSED".into()) })
        }
        CallFailure::Consent => Ok(Outcome::Release { after: HALTED, reason: Some(consent::MISSING.into()) }),
        failure @ (CallFailure::Call(_) | CallFailure::Own(_)) => Err(failure.into()),
    }
}
