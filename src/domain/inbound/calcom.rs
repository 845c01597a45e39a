//! What Cal.com says, and what becomes of it.
//!
//! A delivery is a hint: what is a plain next step is applied at once,
//! anything else is read at Cal.com first.

use chrono::Utc;

use super::{
    apply::{Applied, Occasion, PATIENT_DELETED},
    reading::{Named, Reading, Said, Unfit},
};
use crate::{
    domain::engine::{
        lineage::{self, Attendee, Certainty, Context, INTENT_KEY, Mark, Outcome, Seen},
        refresh,
    },
    error::Result,
    fold,
    provider::calcom::{
        self,
        webhook::{self, BookingFacts, Event, Handling, NoShow, ParseError, Trigger},
    },
    store::{self, TenantTx},
    vault::TenantKey,
    words::{BookingStatus, EventStatus},
};

/// None of the event types of this integration.
const EVENT_TYPE_UNKNOWN: &str = "EVENT_TYPE_UNKNOWN";
/// A booking that is not known here, and nothing that would make it so.
const BOOKING_UNKNOWN: &str = "BOOKING_UNKNOWN";
/// A later state of the booking is known.
const OLDER_STATE: &str = "OLDER_STATE";
/// Our own write, coming back.
const ECHO: &str = "ECHO";
/// The booking is read at Cal.com.
const BEING_READ: &str = "BOOKING_IS_BEING_READ";
/// Kept, and changes nothing.
const RECORDED: &str = "RECORDED";
/// About other things than bookings.
const NOT_WANTED: &str = "NOT_WANTED";

/// Reads a body. `None`: not JSON.
pub(super) fn read(body: &[u8]) -> Option<Reading> {
    let reading = |event_type: String, occurred_time, said| Reading {
        event_type,
        delivery_id: None,
        occurred_time,
        said,
    };
    match webhook::parse(body) {
        Ok(event) => {
            let (event_type, created_at) = (event.trigger.as_str().to_owned(), event.created_at);
            Some(reading(event_type, created_at, Ok(Said::Calcom(event))))
        }
        Err(ParseError::CustomTemplate) => Some(reading("unknown".into(), None, Ok(Said::Template))),
        Err(ParseError::Unfit { trigger, field }) => {
            let unfit = Unfit { field, reason: "MALFORMED" };
            Some(reading(trigger.as_str().to_owned(), None, Err(unfit)))
        }
        Err(ParseError::NotJson) => None,
    }
}

/// Whose data the body holds.
pub(super) async fn named(tx: &mut TenantTx, key: &TenantKey, event: &Event) -> Result<Named> {
    let Some(attendee) = event.booking.as_ref().and_then(|facts| facts.attendees.first()) else {
        return Ok(Named::default());
    };
    let region = store::tenant::current(tx).await?.phone_region;
    Ok(Named { patient: lineage::external_id(key, &Attendee::of(attendee), &region), appointment: None })
}

/// Does what the event says.
pub(super) async fn apply(
    tx: &mut TenantTx,
    occasion: &Occasion<'_>,
    event: &Event,
    is_paused: bool,
) -> Result<Applied> {
    if event.trigger.handling() == Handling::Ignore {
        let ignored = Applied::new(EventStatus::Ignored, Some(NOT_WANTED));
        return Ok(Applied { keeps_body: false, ..ignored });
    }
    // The endpoint has decided the tenant; anybody can write an id into a body, but only its own counts.
    if let Some(id) = event.event_type_id
        && store::event_type::find(tx, occasion.integration, &id.to_string()).await?.is_none()
    {
        return Ok(Applied::new(EventStatus::Quarantined, Some(EVENT_TYPE_UNKNOWN)));
    }
    let context = &Context {
        key: occasion.key.clone(),
        integration: occasion.integration,
        cause: occasion.cause.clone(),
        certainty: Certainty::Told,
        now: Utc::now(),
    };
    match (&event.trigger, &event.uid) {
        (Trigger::Other(_), _) => Ok(Applied::new(EventStatus::Quarantined, Some("UNKNOWN_EVENT"))),
        _ if is_paused => Ok(Applied::paused()),
        (Trigger::Ping, _) => Ok(Applied::new(EventStatus::Ignored, Some("PING"))),
        (Trigger::MeetingEnded, Some(uid)) => {
            let applied = lineage::mark(tx, context, uid, Mark::Over).await?;
            settle(tx, context, uid, applied, false).await
        }
        (Trigger::BookingNoShowUpdated, Some(uid)) => absent(tx, context, uid, event.no_show.as_ref()).await,
        (trigger, Some(uid)) if trigger.handling() == Handling::Act => match &event.booking {
            Some(facts) => told(tx, context, event, uid, facts).await,
            None => Ok(Applied::new(EventStatus::Ignored, Some(RECORDED))),
        },
        (trigger, uid) => recorded(tx, context, trigger, uid.as_deref()).await,
    }
}

/// A booking was made, moved, confirmed or called off.
async fn told(
    tx: &mut TenantTx,
    context: &Context,
    event: &Event,
    uid: &str,
    facts: &BookingFacts,
) -> Result<Applied> {
    let is_end = matches!(event.trigger, Trigger::BookingCancelled | Trigger::BookingRejected);
    let is_move = event.trigger == Trigger::BookingRescheduled;
    let from = event.reschedule_uid.as_deref();
    if facts.seats_per_slot.is_some() && (is_end || is_move) {
        // Somebody's seat; the booking may live on for the others.
        for uid in [Some(uid), from].into_iter().flatten() {
            look(tx, context, uid).await?;
        }
        return Ok(being_read(Applied::new(EventStatus::Success, None)));
    }
    let is_known_move = match from {
        Some(from) => store::booking::find(tx, context.integration, from).await?.is_some(),
        None => false,
    };
    let applied = lineage::apply(tx, context, seen(event, uid, facts)).await?;
    let is_plain = match event.trigger {
        // It may replace an accepted booking and not say so.
        Trigger::BookingRequested => is_known_move,
        Trigger::BookingRescheduled => is_known_move,
        // One may stand for a whole series, or a new time may follow.
        Trigger::BookingCancelled => !facts.recurring && !facts.request_reschedule,
        _ => true,
    };
    let is_ours = matches!(applied.outcome, Outcome::Echo(_) | Outcome::Foreign | Outcome::Forgotten);
    settle(tx, context, uid, applied, !is_plain && !is_ours).await
}

/// Somebody was marked as not having come.
async fn absent(tx: &mut TenantTx, context: &Context, uid: &str, marks: Option<&NoShow>) -> Result<Applied> {
    let known = store::booking::find(tx, context.integration, uid).await?;
    let patient = match known.and_then(|booking| booking.appointment_id) {
        Some(id) => store::appointment::find(tx, id).await?.patient_id,
        None => None,
    };
    let Some(patient) = patient else {
        look(tx, context, uid).await?;
        return Ok(Applied { keeps_body: false, ..being_read(Applied::new(EventStatus::Success, None)) });
    };
    let person = store::patient::find(tx, patient).await?;
    let emails = [person.email, person.booking_email].map(|email| email.as_deref().and_then(fold::email));
    let theirs = marks.and_then(|marks| {
        marks.attendees.iter().find(|mark| {
            let email = fold::email(&mark.email);
            email.is_some() && emails.contains(&email)
        })
    });
    match theirs {
        Some(mark) => {
            let applied = lineage::mark(tx, context, uid, Mark::Absent(mark.absent)).await?;
            // Marks have no version: of two that were told, the later one is found by reading.
            settle(tx, context, uid, applied, applied.outcome == Outcome::Changed).await
        }
        // Somebody else's, or known by a placeholder.
        None => {
            look(tx, context, uid).await?;
            Ok(being_read(Applied { patient: Some(patient), ..Applied::new(EventStatus::Success, None) }))
        }
    }
}

/// What is worth keeping, for who looks into a booking.
async fn recorded(
    tx: &mut TenantTx,
    context: &Context,
    trigger: &Trigger,
    uid: Option<&str>,
) -> Result<Applied> {
    let known = match uid {
        Some(uid) => store::booking::find(tx, context.integration, uid).await?,
        None => None,
    };
    if known.is_none() && trigger.is_about_a_booking() {
        let ignored = Applied::new(EventStatus::Ignored, Some(BOOKING_UNKNOWN));
        return Ok(Applied { keeps_body: false, ..ignored });
    }
    let appointment = known.and_then(|booking| booking.appointment_id);
    let patient = match appointment {
        Some(id) => store::appointment::find(tx, id).await?.patient_id,
        None => None,
    };
    Ok(Applied { appointment, patient, ..Applied::new(EventStatus::Ignored, Some(RECORDED)) })
}

/// Turns what came of the lineage into what came of the event,
/// and queues a read if that is not the last word.
async fn settle(
    tx: &mut TenantTx,
    context: &Context,
    uid: &str,
    applied: lineage::Applied,
    is_to_be_read: bool,
) -> Result<Applied> {
    let lineage::Applied { appointment, patient, outcome } = applied;
    let about = |status, reason| Applied { appointment, patient, ..Applied::new(status, reason) };
    let (done, needs_look) = match outcome {
        Outcome::Changed => (about(EventStatus::Success, None), false),
        Outcome::Echo(_) => (about(EventStatus::Success, Some(ECHO)), false),
        Outcome::Unchanged => (about(EventStatus::Duplicate, None), false),
        Outcome::Stale => (about(EventStatus::Ignored, Some(OLDER_STATE)), false),
        Outcome::NeedsLook => (being_read(about(EventStatus::Success, None)), true),
        Outcome::Forgotten => (about(EventStatus::Ignored, Some(PATIENT_DELETED)), false),
        Outcome::ForgottenUnlessNew => (about(EventStatus::Ignored, Some(PATIENT_DELETED)), true),
        Outcome::Foreign => (about(EventStatus::Quarantined, Some(EVENT_TYPE_UNKNOWN)), false),
    };
    if needs_look || is_to_be_read {
        look(tx, context, uid).await?;
    }
    Ok(done)
}

async fn look(tx: &mut TenantTx, context: &Context, uid: &str) -> Result<()> {
    refresh::queue(tx, context.integration, uid, &context.cause, context.now).await.map(drop)
}

fn being_read(applied: Applied) -> Applied {
    Applied { reason: Some(BEING_READ), ..applied }
}

fn seen(event: &Event, uid: &str, facts: &BookingFacts) -> Seen {
    Seen {
        uid: uid.into(),
        status: status_of(&event.trigger, facts),
        start: Some(facts.start),
        end: Some(facts.end),
        event_type_id: event.event_type_id.map(|id| id.to_string()),
        rescheduled_from: event.reschedule_uid.clone(),
        rescheduled_to: None,
        attendee: facts.attendees.first().map(Attendee::of),
        is_absent: None,
        host: facts.organizer.as_ref().and_then(|host| host.name.clone()),
        cancel_reason: facts.cancellation_reason.clone().or_else(|| facts.rejection_reason.clone()),
        intent: facts.metadata.get(INTENT_KEY).and_then(|id| id.parse().ok()),
        created_at: None,
        updated_at: None,
    }
}

/// The trigger says it; the status in the body is made of it.
fn status_of(trigger: &Trigger, facts: &BookingFacts) -> BookingStatus {
    match trigger {
        Trigger::BookingCancelled => BookingStatus::Cancelled,
        Trigger::BookingRejected => BookingStatus::Rejected,
        Trigger::BookingRequested => BookingStatus::Pending,
        _ if facts.status == Some(calcom::BookingStatus::Pending) => BookingStatus::Pending,
        _ => BookingStatus::Accepted,
    }
}
