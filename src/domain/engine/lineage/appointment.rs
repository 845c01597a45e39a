//! Making an appointment what its head is.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, Seen, rows::Head};
use crate::{
    domain::{
        appointment,
        engine::push::{self, target::is_whose},
    },
    error::Result,
    fold,
    ids::{AppointmentId, PatientId, PractitionerId, ReviewItemId},
    store::{
        self, TenantTx,
        appointment::{Appointment, SyncStanding},
        event_type::EventType,
        review_item::ReviewItem,
    },
    words::{AppointmentStatus, BookingStatus, Origin, ProviderSync, RefusalCode, ReviewKind, ReviewState},
};

/// The reason of the item that is opened when both sides changed an appointment.
pub const PROVIDER_CHANGE_WON: &str = "PROVIDER_CHANGE_WON";

/// What there is to go by.
pub(super) struct Ground<'a> {
    pub(super) context: &'a Context,
    pub(super) head: &'a Head,
    /// What was learned, if it was about the head.
    pub(super) seen: Option<&'a Seen>,
    pub(super) event_type: Option<&'a EventType>,
    /// Why the head was called off, from an appointment that turned out to be this one.
    pub(super) cancel_reason: Option<String>,
}

/// Adds the appointment of a lineage that has none. The head's times are known.
pub(super) async fn arrive(
    tx: &mut TenantTx,
    ground: &Ground<'_>,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    patient: Option<PatientId>,
) -> Result<Appointment> {
    let now = ground.context.now;
    let service = match ground.event_type.and_then(|event_type| event_type.service_id) {
        Some(id) => Some(store::service::find(tx, id).await?),
        None => None,
    };
    let (occupied_start_time, occupied_end_time) = appointment::occupied(start, end, service.as_ref());
    let told_zone = ground.seen.and_then(|seen| seen.attendee.as_ref()?.time_zone.clone());
    let time_zone = match told_zone.filter(|zone| zone.parse::<chrono_tz::Tz>().is_ok()) {
        Some(zone) => zone,
        None => store::tenant::current(tx).await?.time_zone,
    };
    let status = status_of(ground.head.status).unwrap_or(AppointmentStatus::Requested);
    let desired = Appointment {
        id: AppointmentId::new(),
        patient_id: patient,
        practitioner_id: practitioner(tx, ground).await?,
        service_id: service.map(|service| service.id),
        therapist_name: ground.seen.and_then(|seen| seen.host.clone()),
        service_name: ground.event_type.map(|event_type| event_type.title.clone()),
        status,
        start_time: start,
        end_time: end,
        occupied_start_time,
        occupied_end_time,
        time_zone,
        hold_expire_time: None,
        origin: Origin::Calcom,
        last_change_origin: Origin::Calcom,
        integration_id: Some(ground.context.integration),
        external_id: Some(ground.head.uid.clone()),
        sync_time: Some(now),
        cancel_reason: cancel_reason(ground, status),
        create_time: now,
        update_time: now,
        sync: synced(),
    };
    let desired = with_absence(desired, ground);
    appointment::take_over(tx, desired, None, Origin::Calcom, &ground.context.cause, now).await
}

/// Makes a known appointment what its head is. `before` is the head as it was: only what changed at the
/// provider changes here, so that what the desk moved since stays moved. `None` changes everything. Returns
/// whether the appointment is another now.
pub(super) async fn follow(
    tx: &mut TenantTx,
    ground: &Ground<'_>,
    id: AppointmentId,
    before: Option<&Head>,
) -> Result<(bool, Appointment)> {
    let now = ground.context.now;
    let practitioner = practitioner(tx, ground).await?;
    let row = appointment::open_with(tx, id, practitioner, now).await?;
    let is_on_its_way = matches!(row.sync.provider_sync, ProviderSync::Pending | ProviderSync::Failed);
    // Called off here while it was moved there: whoever tells the provider calls off what it became at last.
    if row.status == AppointmentStatus::Cancelled && is_on_its_way && ground.head.lives() && before.is_some()
    {
        return Ok((false, row));
    }
    let mut desired = followed(ground, &row, before, practitioner);
    let was_edited =
        matches!(row.sync.provider_sync, ProviderSync::Pending | ProviderSync::Failed | ProviderSync::Review);
    // What was put back after a refusal is what the booking was.
    let is_overruled = was_edited
        && before.is_some_and(|before| !agrees(&row, before, ground.event_type))
        && shape(&desired) != shape(&row);
    let is_as_there = agrees(&desired, ground.head, ground.event_type);
    // What was refused and put back agrees at once; that it was refused is still to be seen by somebody.
    let is_to_be_seen = before == Some(ground.head) && is_open_refusal(tx, &row).await?;
    if is_as_there && !is_to_be_seen && row.sync.provider_sync != ProviderSync::Synced {
        // Who wanted it stays to be seen.
        desired.sync = SyncStanding {
            provider_sync: ProviderSync::Synced,
            provider_sync_reason: None,
            provider_sync_review_time: None,
            ..row.sync.clone()
        };
    }
    let was_given_up = row.sync.provider_sync == ProviderSync::Review;
    let is_changed = desired != row;
    desired.sync_time = Some(now);
    let was = row.status;
    // While a person was to decide it did not take its time back by itself.
    let asks_again = is_as_there && was_given_up && was == AppointmentStatus::Conflicting;
    let kept = if is_only_known_better(&desired, &row) && !asks_again {
        store::appointment::update(tx, &desired).await?;
        desired
    } else {
        appointment::take_over(tx, desired, Some(row), Origin::Calcom, &ground.context.cause, now).await?
    };
    if kept.sync.provider_sync == ProviderSync::Synced {
        push::settle_trouble(tx, id, now).await?;
        if was_given_up {
            push::find_out(tx, &ground.context.cause, id, now).await?;
        }
    }
    if is_overruled {
        store::review_item::open(tx, &overruled(ground, id)).await?;
    }
    Ok((is_changed || kept.status != was, kept))
}

/// What an appointment is that follows its head; `before` as for [`follow`].
fn followed(
    ground: &Ground<'_>,
    row: &Appointment,
    before: Option<&Head>,
    practitioner: Option<PractitionerId>,
) -> Appointment {
    let mut desired = row.clone();
    let is_other_booking = before.is_none_or(|before| before.uid != ground.head.uid);
    if let Some(status) = status_of(ground.head.status)
        && (is_other_booking || before.is_none_or(|before| before.status != ground.head.status))
    {
        desired.status = status;
        desired.hold_expire_time = None;
        desired.cancel_reason = cancel_reason(ground, status);
    }
    let is_other_time = before.is_none_or(|before| {
        (before.start, before.end) != (ground.head.start, ground.head.end) || is_other_booking
    });
    if let (true, Some(start), Some(end)) = (is_other_time, ground.head.start, ground.head.end) {
        let (buffer_before, buffer_after) =
            (row.start_time - row.occupied_start_time, row.occupied_end_time - row.end_time);
        (desired.start_time, desired.end_time) = (start, end.max(start + TimeDelta::minutes(1)));
        desired.occupied_start_time = desired.start_time - buffer_before;
        desired.occupied_end_time = desired.end_time + buffer_after;
    }
    let host_is_to_say = ground.event_type.is_none_or(|event_type| event_type.practitioner_id.is_none());
    // Of an appointment made here the practitioner is known; a name beside it would tell nothing.
    if let Some(host) = ground.seen.and_then(|seen| seen.host.clone())
        && desired.therapist_name.as_ref() != Some(&host)
        && (desired.therapist_name.is_some() || desired.practitioner_id.is_none() || host_is_to_say)
    {
        // Whose event type it is, is known better than by a name; who takes turns is not.
        let is_another_host = desired.therapist_name.is_some();
        desired.therapist_name = Some(host);
        if desired.practitioner_id.is_none() || (is_another_host && host_is_to_say) {
            desired.practitioner_id = practitioner;
        }
    }
    // A new time is one in that calendar; and whose it is counts while nobody is changing that here.
    let is_settled = row.sync.provider_sync == ProviderSync::Synced;
    if !is_whose(ground.event_type, &desired) && (is_other_time || is_settled) {
        desired.practitioner_id = practitioner;
    }
    desired.external_id = Some(ground.head.uid.clone());
    desired.integration_id = Some(ground.context.integration);
    with_absence(desired, ground)
}

/// Whether a person is still to see that the provider refused what was asked of it.
async fn is_open_refusal(tx: &mut TenantTx, row: &Appointment) -> Result<bool> {
    let code = row.sync.provider_sync_reason.as_deref().and_then(|reason| reason.parse().ok());
    let is_put_back = code.is_some_and(|code: RefusalCode| code.is_about_the_time());
    if row.sync.provider_sync != ProviderSync::Review || !is_put_back {
        return Ok(false);
    }
    Ok(store::review_item::open_of(tx, row.id, ReviewKind::RequiresManualReview).await?.is_some())
}

/// Tells a person that what was edited here gave way.
fn overruled(ground: &Ground<'_>, id: AppointmentId) -> ReviewItem {
    ReviewItem {
        id: ReviewItemId::new(),
        kind: ReviewKind::EditedOnBothSides,
        state: ReviewState::Open,
        integration_id: Some(ground.context.integration),
        appointment_id: Some(id),
        intent_id: None,
        reason: PROVIDER_CHANGE_WON.into(),
        resolution: None,
        resolver: None,
        open_time: ground.context.now,
        resolve_time: None,
    }
}

/// Whether an appointment is what its head is, in the calendar of its practitioner, so that there is nothing
/// to write to the provider.
pub(super) fn agrees(row: &Appointment, head: &Head, event_type: Option<&EventType>) -> bool {
    match row.status {
        AppointmentStatus::Cancelled => !head.lives(),
        AppointmentStatus::Held => false,
        AppointmentStatus::Requested
        | AppointmentStatus::Booked
        | AppointmentStatus::Conflicting
        | AppointmentStatus::Completed
        | AppointmentStatus::NoShow => {
            head.lives()
                && head.start == Some(row.start_time)
                && head.end.is_none_or(|end| end == row.end_time)
                && is_whose(event_type, row)
        }
    }
}

/// What the appointment of such a booking is.
pub fn status_of(head: BookingStatus) -> Option<AppointmentStatus> {
    match head {
        BookingStatus::Pending => Some(AppointmentStatus::Requested),
        BookingStatus::Accepted => Some(AppointmentStatus::Booked),
        BookingStatus::Cancelled | BookingStatus::Rejected => Some(AppointmentStatus::Cancelled),
        BookingStatus::Unknown | BookingStatus::Rescheduled => None,
    }
}

/// The standing of an appointment that is as the provider has it.
pub(super) fn synced() -> SyncStanding {
    SyncStanding { provider_sync: ProviderSync::Synced, ..SyncStanding::default() }
}

/// Whether nothing differs but what the provider calls it and whether it has it:
/// no change of the appointment's.
fn is_only_known_better(desired: &Appointment, row: &Appointment) -> bool {
    let Appointment { integration_id, external_id, sync_time, sync, .. } = desired.clone();
    *desired == Appointment { integration_id, external_id, sync_time, sync, ..row.clone() }
}

/// What a person would see as another appointment.
fn shape(row: &Appointment) -> (AppointmentStatus, DateTime<Utc>, DateTime<Utc>) {
    let status = match row.status {
        AppointmentStatus::Conflicting => AppointmentStatus::Booked,
        other => other,
    };
    (status, row.start_time, row.end_time)
}

async fn practitioner(tx: &mut TenantTx, ground: &Ground<'_>) -> Result<Option<PractitionerId>> {
    if let Some(id) = ground.event_type.and_then(|event_type| event_type.practitioner_id) {
        return Ok(Some(id));
    }
    match ground.seen.and_then(|seen| seen.host.as_deref()).map(fold::name) {
        Some(name) => store::practitioner::find_by_folded_name(tx, &name).await,
        None => Ok(None),
    }
}

fn cancel_reason(ground: &Ground<'_>, status: AppointmentStatus) -> Option<String> {
    let said = ground.seen.and_then(|seen| seen.cancel_reason.clone());
    let reason = said.or_else(|| ground.cancel_reason.clone());
    reason.filter(|_| status == AppointmentStatus::Cancelled)
}

fn with_absence(mut row: Appointment, ground: &Ground<'_>) -> Appointment {
    if let Some(is_absent) = ground.seen.and_then(|seen| seen.is_absent)
        && ground.head.status == BookingStatus::Accepted
        && ground.head.start == Some(row.start_time)
        && let Some(status) = marked(&row, is_absent, ground.context.now)
    {
        row.status = status;
    }
    row
}

/// What an appointment becomes when its attendee is marked as absent, or no longer so. `None`: it stays.
pub(super) fn marked(row: &Appointment, is_absent: bool, now: DateTime<Utc>) -> Option<AppointmentStatus> {
    match (row.status, is_absent) {
        (AppointmentStatus::Booked | AppointmentStatus::Conflicting | AppointmentStatus::Completed, true) => {
            Some(AppointmentStatus::NoShow)
        }
        (AppointmentStatus::NoShow, false) if row.end_time <= now => Some(AppointmentStatus::Completed),
        (AppointmentStatus::NoShow, false) => Some(AppointmentStatus::Booked),
        _ => None,
    }
}

#[cfg(test)]
#[path = "appointment/tests.rs"]
mod tests;
