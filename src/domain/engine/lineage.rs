//! Where a provider's truth becomes ours: the one place that makes an appointment what its bookings say.
//!
//! One appointment may have had many bookings, because a provider makes a new one of every move: they are its
//! lineage, and the one without a successor is its head. What is learned of a booking only ever adds to its
//! row, so that whatever the order in which things are learned,
//! the rows and the appointment come out the same.

use chrono::{SubsecRound, TimeDelta};

use self::{
    appointment::Ground,
    person::Person,
    rows::{Head, Learned, Rows},
};
use super::{push, refresh};
use crate::{
    domain::patient::appointment_tombstone,
    error::Result,
    ids::{AppointmentId, IntegrationId},
    store::{
        self, TenantTx,
        appointment::{Appointment, Change},
        booking::Booking,
        event_type::EventType,
        intent::Intent,
    },
    words::{AppointmentStatus, BookingStatus, ChangeKind, IntentKind, Origin, ProviderSync},
};

mod appointment;
mod echo;
mod merge;
mod person;
mod rows;
mod seen;
mod stored;

pub use appointment::{PROVIDER_CHANGE_WON, status_of};
pub use person::external_id;
pub use seen::{Applied, Attendee, Certainty, Context, INTENT_KEY, Mark, Outcome, Seen};

/// Takes in what was learned of a booking. Call it before anything else of the transaction is locked
/// (`webhook_activity` apart): it takes the locks of the integration's bookings, of arriving people, of
/// practitioners and of the appointment, in this order.
pub async fn apply(tx: &mut TenantTx, context: &Context, seen: Seen) -> Result<Applied> {
    let now = context.now;
    lock(tx, context.integration).await?;
    let mut seen = seen;
    let uids = [Some(&seen.uid), seen.rescheduled_from.as_ref(), seen.rescheduled_to.as_ref()];
    let mut rows = stored::load(tx, context.integration, uids.into_iter().flatten()).await?;
    let known = rows.of(&seen.uid).cloned();
    let event_type = match event_type_of(tx, context, &seen, known.as_ref()).await? {
        Ok(event_type) => event_type,
        Err(outcome) => return Ok(Applied::nothing(outcome)),
    };
    tidy(&mut seen, event_type.as_ref());
    if event_type.as_ref().is_some_and(|event_type| event_type.is_seated) {
        // Somebody's seat went, or went elsewhere; the booking may be there for others.
        if context.certainty == Certainty::Told && seen.status == BookingStatus::Cancelled {
            return Ok(Applied::nothing(Outcome::NeedsLook));
        }
        (seen.rescheduled_from, seen.rescheduled_to) = (None, None);
    }

    let before = rows.clone();
    let learned = rows.learn(&seen, context.certainty, now);
    let applied = Applied::nothing(match learned {
        Learned::News => Outcome::Changed,
        Learned::Known => Outcome::Unchanged,
        Learned::Late => Outcome::Stale,
        Learned::Contradiction => return Ok(Applied::nothing(Outcome::NeedsLook)),
    });
    if learned == Learned::News
        && let Some(intent) = echo_of(tx, context, &seen, &mut rows).await?
    {
        return take_in_echo(tx, context, before, rows, intent).await;
    }
    let Some(head) = rows.head() else { return Ok(applied) };
    let is_head = head.uid == seen.uid;
    let ground = Ground {
        context,
        head: &head,
        seen: Some(&seen).filter(|_| is_head && learned != Learned::Late),
        event_type: event_type.as_ref().filter(|_| is_head),
        cancel_reason: None,
    };
    if rows.appointments().is_empty() {
        return arrive(tx, &ground, &seen, (&before, rows), applied).await;
    }
    go_on(tx, ground, &seen, learned, (&before, rows), applied).await
}

/// The event type that a booking is of, if it is told. `Err`: that is what comes of the booking.
async fn event_type_of(
    tx: &mut TenantTx,
    context: &Context,
    seen: &Seen,
    known: Option<&Booking>,
) -> Result<Result<Option<EventType>, Outcome>> {
    let told = seen.event_type_id.as_ref().or(known.and_then(|row| row.external_event_type_id.as_ref()));
    if let Some(id) = told {
        let found = store::event_type::find(tx, context.integration, id).await?;
        return Ok(found.map(Some).ok_or(Outcome::Foreign));
    }
    Ok(match known {
        Some(_) => Ok(None),
        None if context.certainty == Certainty::Told => Err(Outcome::NeedsLook),
        // Gone, and never known.
        None if seen.start.is_none() => Err(Outcome::Unchanged),
        None => Err(Outcome::Foreign),
    })
}

/// The lineage has no appointment yet.
async fn arrive(
    tx: &mut TenantTx,
    ground: &Ground<'_>,
    seen: &Seen,
    (before, rows): (&Rows, Rows),
    applied: Applied,
) -> Result<Applied> {
    let Ground { context, head, .. } = *ground;
    let is_head = head.uid == seen.uid;
    let Some((start, end)) = head.start.zip(head.end).filter(|_| is_head && head.is_known()) else {
        stored::save(tx, before, rows, None, context.now).await?;
        look_for(tx, context, head, is_head).await?;
        return Ok(applied);
    };
    if is_of_a_deleted_one(tx, context, seen).await? {
        return Ok(Applied::nothing(Outcome::Forgotten));
    }
    let patient = match &seen.attendee {
        Some(attendee) => match person::take_in(tx, context, attendee, seen.created_at).await? {
            Person::Known(id) => Some(id),
            // Others have seats, and the practitioner comes for them.
            Person::Forgotten if ground.event_type.is_some_and(|event_type| event_type.is_seated) => None,
            Person::Forgotten if seen.created_at.is_some() => {
                return Ok(Applied::nothing(Outcome::Forgotten));
            }
            Person::Forgotten => return Ok(Applied::nothing(Outcome::ForgottenUnlessNew)),
            Person::Nobody => None,
        },
        None => None,
    };
    let row = appointment::arrive(tx, ground, (start, end), patient).await?;
    stored::save(tx, before, rows, Some(row.id), context.now).await?;
    Ok(Applied { appointment: Some(row.id), patient: row.patient_id, ..applied })
}

/// The lineage has an appointment, or several, of which one stays.
async fn go_on(
    tx: &mut TenantTx,
    mut ground: Ground<'_>,
    seen: &Seen,
    learned: Learned,
    (before, rows): (&Rows, Rows),
    applied: Applied,
) -> Result<Applied> {
    let Ground { context, head, .. } = ground;
    let is_head = head.uid == seen.uid;
    let ids = rows.appointments();
    let kept = match ids[..] {
        [] => return Ok(applied),
        [only] => only,
        [..] => merge::survivor(tx, &ids).await?,
    };
    stored::save(tx, before, rows, Some(kept), context.now).await?;
    ground.cancel_reason = merge::remove_others(tx, &ids, kept, context.now).await?;
    let applied = Applied { appointment: Some(kept), ..applied };
    if !head.is_known() {
        look_for(tx, context, head, is_head).await?;
        return Ok(applied);
    }
    let was = before.current_of(kept);
    if !is_other(was.as_ref(), head) {
        match (is_head, learned) {
            (false, _) | (true, Learned::Late) => return Ok(applied),
            (true, Learned::Known) if context.certainty == Certainty::Told => {
                store::appointment::update_sync_time(tx, kept, Some(context.now)).await?;
                return Ok(applied);
            }
            (true, _) => {}
        }
    }
    let (is_changed, row) = appointment::follow(tx, &ground, kept, was.as_ref()).await?;
    let outcome = if is_changed { Outcome::Changed } else { applied.outcome };
    Ok(Applied { outcome, patient: row.patient_id, ..applied })
}

/// Makes an appointment what its head is at the provider as last known, whatever was changed here since.
/// `None`: it has no booking. Locks as `apply` does.
pub async fn follow_head(tx: &mut TenantTx, context: &Context, id: AppointmentId) -> Result<Option<Applied>> {
    lock(tx, context.integration).await?;
    let rows = Rows::new(context.integration, store::booking::lineage(tx, id).await?);
    let Some(head) = rows.head().filter(Head::is_known) else { return Ok(None) };
    let event_type = event_type_at(tx, context, &head).await?;
    let ground =
        Ground { context, head: &head, seen: None, event_type: event_type.as_ref(), cancel_reason: None };
    let (is_changed, row) = appointment::follow(tx, &ground, id, None).await?;
    let outcome = if is_changed { Outcome::Changed } else { Outcome::Unchanged };
    Ok(Some(Applied { appointment: Some(id), patient: row.patient_id, outcome }))
}

/// What a head is a booking of.
async fn event_type_at(tx: &mut TenantTx, context: &Context, head: &Head) -> Result<Option<EventType>> {
    match &head.event_type_id {
        Some(event_type) => store::event_type::find(tx, context.integration, event_type).await,
        None => Ok(None),
    }
}

/// Takes in what happened to the people of a booking at its time. Locks as `apply` does.
pub async fn mark(tx: &mut TenantTx, context: &Context, uid: &str, mark: Mark) -> Result<Applied> {
    lock(tx, context.integration).await?;
    let Some(booking) = store::booking::find(tx, context.integration, uid).await? else {
        return Ok(Applied::nothing(Outcome::NeedsLook));
    };
    let Some(id) = booking.appointment_id else { return Ok(Applied::nothing(Outcome::NeedsLook)) };
    let is_living = booking.is_current && booking.status == BookingStatus::Accepted;
    let row = crate::domain::appointment::open_with(tx, id, None, context.now).await?;
    let mut applied = Applied { appointment: Some(id), patient: row.patient_id, outcome: Outcome::Unchanged };
    if !is_living {
        return Ok(Applied { outcome: Outcome::Stale, ..applied });
    }
    // Moved here, and its booking was not moved there yet: what happened at the old time is not its end.
    if booking.start_time != Some(row.start_time) && row.end_time > context.now {
        return Ok(Applied { outcome: Outcome::NeedsLook, ..applied });
    }
    let status = match mark {
        Mark::Absent(is_absent) => appointment::marked(&row, is_absent, context.now),
        Mark::Over if row.status == AppointmentStatus::Booked => Some(AppointmentStatus::Completed),
        Mark::Over => None,
    };
    if let Some(status) = status {
        let desired = Appointment { status, sync_time: Some(context.now), ..row.clone() };
        let take_over = crate::domain::appointment::take_over;
        take_over(tx, desired, Some(row), Origin::Calcom, &context.cause, context.now).await?;
        applied.outcome = Outcome::Changed;
    }
    Ok(applied)
}

/// Nobody else learns of the integration's bookings until the transaction ends. To be had before any
/// practitioner or appointment is locked.
pub async fn lock(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    tx.lock(&format!("bookings/{integration}")).await
}

/// Whether it is about an appointment that was deleted here with its patient,
/// or the late outcome of a write for one.
async fn is_of_a_deleted_one(tx: &mut TenantTx, context: &Context, seen: &Seen) -> Result<bool> {
    let write = seen.intent.map(|intent| intent.to_string());
    for name in [Some(&seen.uid), seen.rescheduled_from.as_ref(), write.as_ref()].into_iter().flatten() {
        let tombstone = appointment_tombstone(&context.key, context.integration, name);
        if store::patient::has_tombstone(tx, &tombstone).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The write of ours that this is the outcome of,
/// if the appointment it was for has no other booking of its kind that lives.
async fn echo_of(
    tx: &mut TenantTx,
    context: &Context,
    seen: &Seen,
    rows: &mut Rows,
) -> Result<Option<Intent>> {
    let from = seen.rescheduled_from.as_deref().or_else(|| rows.predecessor(&seen.uid)).map(str::to_owned);
    let Some(intent) = echo::of(tx, context, seen, from.as_deref()).await? else { return Ok(None) };
    let theirs = store::booking::lineage(tx, intent.appointment_id).await?;
    let mut joined = rows.clone();
    joined.join(theirs);
    // One at another event type is given up when this one stands.
    if joined.living_at(seen.event_type_id.as_deref()) > 1 {
        return Ok(None);
    }
    *rows = joined;
    Ok(Some(intent))
}

/// Our own write came back: its uid is known now.
/// The appointment may have been edited since, so it stays as it is.
async fn take_in_echo(
    tx: &mut TenantTx,
    context: &Context,
    before: Rows,
    rows: Rows,
    intent: Intent,
) -> Result<Applied> {
    let (id, now) = (intent.appointment_id, context.now);
    let ids = rows.appointments();
    let head = rows.head();
    let uid = head.as_ref().map(|head| head.uid.clone());
    stored::save(tx, &before, rows, Some(id), now).await?;
    merge::remove_others(tx, &ids, id, now).await?;
    let mut row = crate::domain::appointment::open_with(tx, id, None, now).await?;
    if intent.kind != IntentKind::Cancel
        && let Some(uid) = uid
    {
        store::intent::set_result(tx, intent.id, &uid).await?;
    }
    let known = row.clone();
    let was_given_up = row.sync.provider_sync == ProviderSync::Review;
    if let Some(head) = head {
        // Whoever pushed had given up; otherwise they settle it themselves.
        let event_type = event_type_at(tx, context, &head).await?;
        if was_given_up && appointment::agrees(&row, &head, event_type.as_ref()) {
            row.sync = appointment::synced();
            push::settle_trouble(tx, id, now).await?;
            push::find_out(tx, &context.cause, id, now).await?;
        }
        // By what name the provider knows it is nobody's edit.
        (row.integration_id, row.external_id) = (Some(context.integration), Some(head.uid));
    }
    if row != known {
        store::appointment::update(tx, &row).await?;
    }
    // What stands there asks for its time here again.
    if was_given_up && row.status == AppointmentStatus::Conflicting {
        let take_over = crate::domain::appointment::take_over;
        row = take_over(tx, row.clone(), Some(row), Origin::Calcom, &context.cause, now).await?;
    }
    let change = Change {
        intent_id: Some(intent.id),
        reason: Some("ECHO".into()),
        ..Change::of(&row, ChangeKind::Sync, Origin::Calcom, &context.cause, now)
    };
    store::appointment::insert_change(tx, &change).await?;
    Ok(Applied { appointment: Some(id), patient: row.patient_id, outcome: Outcome::Echo(intent.id) })
}

/// Only where a booking went is known; what it is there is to be read.
async fn look_for(tx: &mut TenantTx, context: &Context, head: &Head, was_read: bool) -> Result<()> {
    if head.is_known() || was_read {
        return Ok(());
    }
    refresh::queue(tx, context.integration, &head.uid, &context.cause, context.now).await.map(drop)
}

/// Whether a head differs in what an appointment goes by.
fn is_other(was: Option<&Head>, head: &Head) -> bool {
    was.is_none_or(|was| {
        (&was.uid, was.status, was.start, was.end) != (&head.uid, head.status, head.start, head.end)
    })
}

/// Whole microseconds, as the database keeps them, and an end after the begin.
fn tidy(seen: &mut Seen, event_type: Option<&EventType>) {
    seen.start = seen.start.map(|time| time.trunc_subsecs(6));
    seen.end = seen.end.map(|time| time.trunc_subsecs(6));
    seen.updated_at = seen.updated_at.map(|time| time.trunc_subsecs(6));
    if let (Some(start), Some(end)) = (seen.start, seen.end)
        && end <= start
    {
        let minutes = event_type.map_or(1, |event_type| event_type.length_minutes.max(1));
        seen.end = Some(start + TimeDelta::minutes(minutes.into()));
    }
}
