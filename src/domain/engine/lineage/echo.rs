//! Whether what a provider tells is a write of our own coming back.
//!
//! A marker proves nothing: moves inherit it, whoever moves.
//! What counts is that a recorded write wanted exactly this.

use super::{Context, Seen};
use crate::{
    error::Result,
    fold,
    ids::AppointmentId,
    store::{self, TenantTx, intent::Intent},
    words::{BookingStatus, IntentKind, IntentState},
};

/// The write that this is the outcome of. `from` is the uid before a move, if it is one.
pub(super) async fn of(
    tx: &mut TenantTx,
    context: &Context,
    seen: &Seen,
    from: Option<&str>,
) -> Result<Option<Intent>> {
    match (seen.status, from) {
        (BookingStatus::Pending | BookingStatus::Accepted, Some(from)) => {
            move_of(tx, context, seen, from).await
        }
        (BookingStatus::Pending | BookingStatus::Accepted, None) => creation_of(tx, context, seen).await,
        (BookingStatus::Cancelled | BookingStatus::Rejected, from) => {
            let cancelled = match &seen.rescheduled_to {
                None => cancel_of(tx, context, seen).await?,
                Some(_) => None,
            };
            match (cancelled, from, seen.intent) {
                // Made by us, and ended by somebody before we knew that it was made.
                (None, None, Some(_)) => creation_of(tx, context, seen).await,
                (cancelled, ..) => Ok(cancelled),
            }
        }
        _ => Ok(None),
    }
}

async fn cancel_of(tx: &mut TenantTx, context: &Context, seen: &Seen) -> Result<Option<Intent>> {
    let found = store::intent::of_target(tx, context.integration, IntentKind::Cancel, &seen.uid).await?;
    Ok(found.filter(|intent| may_have_happened(intent.state)))
}

async fn move_of(tx: &mut TenantTx, context: &Context, seen: &Seen, from: &str) -> Result<Option<Intent>> {
    let found = store::intent::of_target(tx, context.integration, IntentKind::Reschedule, from).await?;
    Ok(found.filter(|intent| {
        may_have_happened(intent.state) && intent.start_time == seen.start && fits(intent, &seen.uid)
    }))
}

async fn creation_of(tx: &mut TenantTx, context: &Context, seen: &Seen) -> Result<Option<Intent>> {
    let (Some(event_type), Some(start)) = (&seen.event_type_id, seen.start) else { return Ok(None) };
    if let Some(id) = seen.intent {
        let found = store::intent::find(tx, id).await?;
        return Ok(found.filter(|intent| {
            intent.kind == IntentKind::Create
                && intent.integration_id == context.integration
                && intent.external_event_type_id.as_ref() == Some(event_type)
                && intent.start_time == Some(start)
                && fits(intent, &seen.uid)
        }));
    }
    for intent in store::intent::open_creations(tx, context.integration, event_type, start).await? {
        if fits(&intent, &seen.uid) && is_for_attendee(tx, intent.appointment_id, seen).await? {
            return Ok(Some(intent));
        }
    }
    Ok(None)
}

/// Whether the attendee can be reached as the appointment's patient can.
async fn is_for_attendee(tx: &mut TenantTx, appointment: AppointmentId, seen: &Seen) -> Result<bool> {
    let row = store::appointment::find(tx, appointment).await?;
    let (Some(patient), Some(attendee)) = (row.patient_id, &seen.attendee) else { return Ok(false) };
    let patient = store::patient::find(tx, patient).await?;
    let email = attendee.email.as_deref().and_then(fold::email);
    let emails = [&patient.email, &patient.booking_email].map(|email| email.as_deref().and_then(fold::email));
    if email.is_some() {
        return Ok(emails.contains(&email));
    }
    let region = store::tenant::current(tx).await?.phone_region;
    let phone = attendee.phone.as_deref().and_then(|phone| fold::phone(phone, &region));
    Ok(phone.is_some() && phone == patient.phone_folded)
}

fn may_have_happened(state: IntentState) -> bool {
    match state {
        IntentState::Recorded | IntentState::Sent | IntentState::Unknown | IntentState::Done => true,
        IntentState::Refused | IntentState::Superseded => false,
    }
}

/// One write makes one booking, and what is new of it after its answer is not the write's doing.
fn fits(intent: &Intent, uid: &str) -> bool {
    match intent.result_external_id.as_deref() {
        Some(result) => result == uid && intent.state != IntentState::Done,
        None => true,
    }
}
