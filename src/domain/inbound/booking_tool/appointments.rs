//! What the booking tool says of appointments.
//!
//! A record has two clocks, one for its state and one for its cancellation, so that creations, updates and
//! cancellations lead to the same end in whatever order they arrive.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Applied, Context, PATIENT_DELETED, patients};
use crate::{
    domain::{
        appointment,
        patient::{ARRIVAL_LOCK, appointment_tombstone},
    },
    error::{Error, Result},
    fold,
    ids::{AppointmentId, PatientId},
    provider::booking_tool::{ToolAppointment, ToolStatus},
    store::{
        self, TenantTx, appointment::Appointment, appointment_link::AppointmentLink,
        patient_link::PatientLink, service::Service,
    },
    words::{AppointmentStatus, EventStatus, Origin, ReviewKind},
};

/// Kept until the tool speaks of the patient.
const PATIENT_UNKNOWN: &str = "PATIENT_UNKNOWN";
/// A cancellation that came before its appointment; kept until the appointment comes.
const APPOINTMENT_UNKNOWN: &str = "APPOINTMENT_UNKNOWN";

/// `appointment.created` and `appointment.updated`.
pub(super) async fn upserted(
    tx: &mut TenantTx,
    context: &Context<'_>,
    created: bool,
    said: &ToolAppointment,
) -> Result<Applied> {
    let patient_link = person_of(tx, context, &said.patient_id).await?;
    if patients::is_forgotten(tx, context, patient_link.as_ref(), &said.patient_id).await? {
        return Ok(Applied::new(EventStatus::Ignored, Some(PATIENT_DELETED)));
    }
    let patient = patient_link.and_then(|link| link.patient_id);
    let mut link = store::appointment_link::find_or_insert(tx, context.integration, &said.id).await?;
    let fingerprint = context.key.fingerprint("appointment_state", &[&said.canonical()]);
    let is_same = link.state_fingerprint.as_ref() == Some(&fingerprint) && !is_cancelled(&link);
    let about =
        Applied { patient, appointment: link.appointment_id, ..Applied::new(EventStatus::Success, None) };
    let rank = if created { 1 } else { 2 };
    // A creation that does not say when it happened is older than anything else that was said.
    let is_known = link.state_time.is_some() || link.cancel_time.is_some();
    let at =
        if created && !context.is_dated && is_known { DateTime::UNIX_EPOCH } else { context.effective_time };
    if is_same && !context.is_identified {
        (link.state_time, link.state_rank) = (link.state_time, link.state_rank).max((Some(at), rank));
        return said_again(tx, context, &link, about).await;
    }
    if link.state_time.is_some_and(|applied| (at, rank) < (applied, link.state_rank)) {
        return Ok(Applied { status: EventStatus::Ignored, reason: Some(patients::OLDER), ..about });
    }
    let before = link.clone();
    link.external_patient_id = Some(said.patient_id.clone());
    link.start_time = Some(said.start_time);
    link.duration_minutes = Some(i32::try_from(said.duration_minutes).map_err(Error::internal)?);
    link.time_zone = Some(offset_name(said.utc_offset_minutes));
    link.therapist_name.clone_from(&said.therapist_name);
    link.service_name.clone_from(&said.service_name);
    link.status = Some(status(said.status));
    link.state_time = Some(at);
    link.state_rank = rank;
    link.state_fingerprint = Some(fingerprint);
    settle(tx, context, link, Some(&before), patient).await
}

/// `appointment.cancelled`.
pub(super) async fn cancelled(
    tx: &mut TenantTx,
    context: &Context<'_>,
    external_id: &str,
    reason: Option<&str>,
) -> Result<Applied> {
    let known = store::appointment_link::find_for_update(tx, context.integration, external_id).await?;
    let tombstone = appointment_tombstone(context.key, context.integration, external_id);
    if known.is_none() && store::patient::has_tombstone(tx, &tombstone).await? {
        return Ok(Applied::new(EventStatus::Ignored, Some(PATIENT_DELETED)));
    }
    let mut link = match known {
        Some(link) => link,
        None => store::appointment_link::find_or_insert(tx, context.integration, external_id).await?,
    };
    let fingerprint = context.key.fingerprint("cancellation", &[reason.unwrap_or_default().as_bytes()]);
    let about = Applied { appointment: link.appointment_id, ..Applied::new(EventStatus::Success, None) };
    let is_same = is_cancelled(&link) && link.cancel_fingerprint.as_ref() == Some(&fingerprint);
    if is_same && !context.is_identified {
        link.cancel_time = link.cancel_time.max(Some(context.effective_time));
        return said_again(tx, context, &link, about).await;
    }
    if link.cancel_time.is_some_and(|at| context.effective_time < at) {
        return Ok(Applied { status: EventStatus::Ignored, reason: Some(patients::OLDER), ..about });
    }
    let before = link.clone();
    link.cancel_time = Some(context.effective_time);
    link.cancel_fingerprint = Some(fingerprint);
    link.cancel_reason = reason.map(Into::into);
    if link.status.is_none() {
        store::appointment_link::save(tx, &link).await?;
        return Ok(Applied { reason: Some(APPOINTMENT_UNKNOWN), ..about });
    }
    if !is_cancelled(&link) {
        // A younger state took the cancellation back before it arrived.
        store::appointment_link::save(tx, &link).await?;
        return Ok(Applied { status: EventStatus::Ignored, reason: Some(patients::OLDER), ..about });
    }
    let patient = match &link.external_patient_id {
        Some(id) => {
            let patient_link = store::patient_link::find(tx, context.integration, id).await?;
            patient_link.and_then(|link| link.patient_id)
        }
        None => None,
    };
    settle(tx, context, link, Some(&before), patient).await
}

/// The tool says what is known already, so that it was still true then: nothing older may overwrite it.
async fn said_again(
    tx: &mut TenantTx,
    context: &Context<'_>,
    link: &AppointmentLink,
    about: Applied,
) -> Result<Applied> {
    store::appointment_link::save(tx, link).await?;
    if let Some(id) = link.appointment_id {
        store::appointment::update_sync_time(tx, id, Some(context.now)).await?;
    }
    Ok(Applied { status: EventStatus::Duplicate, ..about })
}

/// Applies what was said of this person of the tool's before anybody knew who that is. After the last one
/// nobody is asked any more about such bookings; otherwise the upkeep sees to that.
pub(super) async fn settle_waiting(
    tx: &mut TenantTx,
    context: &Context<'_>,
    external_patient_id: &str,
    patient: PatientId,
) -> Result<()> {
    let waiting = store::appointment_link::waiting_for(tx, context.integration, external_patient_id).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    for link in waiting {
        let before = link.clone();
        let applied = link.appointment_id.map(|_| &before);
        settle(tx, context, link, applied, Some(patient)).await?;
    }
    if !store::appointment_link::is_any_waiting(tx, context.integration, context.now).await? {
        let (integration, kind) = (context.integration, ReviewKind::Unmatched);
        store::review_item::settle_of_integration(tx, integration, kind, context.now).await?;
    }
    Ok(())
}

/// Makes the appointment what the record says. Without a patient the record waits for one, and so does the
/// appointment if it was somebody else's.
///
/// `before` is the record as last applied: only what changed at the tool changes here, so that what the desk
/// moved since stays moved. `None`: the record has not been applied yet.
async fn settle(
    tx: &mut TenantTx,
    context: &Context<'_>,
    mut link: AppointmentLink,
    before: Option<&AppointmentLink>,
    patient: Option<PatientId>,
) -> Result<Applied> {
    let previous = match link.appointment_id {
        Some(id) => Some(store::appointment::find(tx, id).await?),
        None => None,
    };
    let is_somebodys = patient.is_some() || previous.is_some();
    let (true, Some(start), Some(minutes), Some(said)) =
        (is_somebodys, link.start_time, link.duration_minutes, link.status)
    else {
        store::appointment_link::save(tx, &link).await?;
        return Ok(Applied::new(EventStatus::Success, Some(PATIENT_UNKNOWN)));
    };
    let status = if is_cancelled(&link) { AppointmentStatus::Cancelled } else { said };
    let end = start + TimeDelta::minutes(minutes.into());
    let applied = before.filter(|_| previous.is_some());
    // It stays theirs when the tool forgets the person, and not when it gives it to somebody else.
    let waits = patient.is_none() && is_to_be_given(&link, applied);
    link.wait_time = link.wait_time.or(Some(context.now)).filter(|_| waits);
    let mut desired = match &previous {
        Some(known) => known.clone(),
        None => new_appointment(context, &link, start, end),
    };
    take_over(&mut desired, &link, applied, patient, (start, end), status);
    if applied.is_none_or(|old| old.therapist_name != link.therapist_name)
        || desired.practitioner_id.is_none()
    {
        desired.practitioner_id = match link.therapist_name.as_deref().map(fold::name) {
            Some(name) => store::practitioner::find_by_folded_name(tx, &name).await?,
            None => None,
        };
    }
    let service = named_service(tx, &link, applied, &desired).await?;
    if let Some(service) = &service {
        desired.service_id = service.as_ref().map(|service| service.id);
    }
    let (buffer_before, buffer_after) = buffers(service.as_ref(), previous.as_ref());
    desired.occupied_start_time = desired.start_time - buffer_before;
    desired.occupied_end_time = desired.end_time + buffer_after;
    desired.therapist_name.clone_from(&link.therapist_name);
    desired.service_name.clone_from(&link.service_name);
    desired.sync_time = Some(context.now);
    let kept =
        appointment::take_over(tx, desired, previous, Origin::BookingTool, &context.cause, context.now)
            .await?;
    link.appointment_id = Some(kept.id);
    store::appointment_link::save(tx, &link).await?;
    Ok(Applied {
        patient: kept.patient_id,
        appointment: Some(kept.id),
        ..Applied::new(EventStatus::Success, waits.then_some(PATIENT_UNKNOWN))
    })
}

/// Whether the tool's word decides whose the appointment is. Merges move appointments here without the tool's
/// knowing, so only what the tool itself changed counts, and what nobody has taken over from it yet.
fn is_to_be_given(link: &AppointmentLink, applied: Option<&AppointmentLink>) -> bool {
    applied.is_none_or(|old| old.external_patient_id != link.external_patient_id || old.wait_time.is_some())
}

/// Puts in what has changed at the tool since the record was `applied`.
fn take_over(
    desired: &mut Appointment,
    link: &AppointmentLink,
    applied: Option<&AppointmentLink>,
    patient: Option<PatientId>,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    status: AppointmentStatus,
) {
    if is_to_be_given(link, applied) {
        desired.patient_id = patient;
    }
    if applied.is_none_or(|old| old.time_zone != link.time_zone)
        && let Some(time_zone) = &link.time_zone
    {
        desired.time_zone.clone_from(time_zone);
    }
    if applied
        .is_none_or(|old| old.start_time != link.start_time || old.duration_minutes != link.duration_minutes)
    {
        (desired.start_time, desired.end_time) = (start, end);
    }
    if applied.is_none_or(|old| effective_status(old) != Some(status)) {
        desired.status = status;
        desired.hold_expire_time = None;
    }
    if applied
        .is_none_or(|old| effective_status(old) != Some(status) || old.cancel_reason != link.cancel_reason)
    {
        desired.cancel_reason = link.cancel_reason.clone().filter(|_| status == AppointmentStatus::Cancelled);
    }
}

/// How long the practitioner is busy before and after. `service` is the one the record names now.
fn buffers(service: Option<&Option<Service>>, previous: Option<&Appointment>) -> (TimeDelta, TimeDelta) {
    match (service, previous) {
        (Some(Some(service)), _) => (
            TimeDelta::seconds(service.buffer_before_s.into()),
            TimeDelta::seconds(service.buffer_after_s.into()),
        ),
        (None, Some(known)) => {
            (known.start_time - known.occupied_start_time, known.occupied_end_time - known.end_time)
        }
        (Some(None), _) | (None, None) => (TimeDelta::zero(), TimeDelta::zero()),
    }
}

/// The service the record names, if that is to be looked up: `Some(None)` means that the name is nobody's.
async fn named_service(
    tx: &mut TenantTx,
    link: &AppointmentLink,
    applied: Option<&AppointmentLink>,
    desired: &Appointment,
) -> Result<Option<Option<Service>>> {
    let is_new = applied.is_none_or(|old| old.service_name != link.service_name);
    if !is_new && desired.service_id.is_some() {
        return Ok(None);
    }
    match link.service_name.as_deref().map(fold::name) {
        Some(name) => Ok(Some(store::service::find_by_folded_name(tx, &name).await?)),
        None if is_new => Ok(Some(None)),
        None => Ok(None),
    }
}

/// The record of the tool's person; who merges, parts or deletes people waits for what is said of it here. One
/// who is on the way in now could not see what waits for them, so whoever is not known is looked for again
/// behind the lock of arrivals.
async fn person_of(
    tx: &mut TenantTx,
    context: &Context<'_>,
    external_id: &str,
) -> Result<Option<PatientLink>> {
    let known = store::patient_link::find_standing(tx, context.integration, external_id).await?;
    if known.is_some() {
        return Ok(known);
    }
    tx.lock(ARRIVAL_LOCK).await?;
    store::patient_link::find(tx, context.integration, external_id).await
}

fn new_appointment(
    context: &Context<'_>,
    link: &AppointmentLink,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Appointment {
    Appointment {
        id: AppointmentId::new(),
        patient_id: None,
        practitioner_id: None,
        service_id: None,
        therapist_name: None,
        service_name: None,
        status: AppointmentStatus::Booked,
        start_time: start,
        end_time: end,
        occupied_start_time: start,
        occupied_end_time: end,
        time_zone: link.time_zone.clone().unwrap_or_else(|| "+00:00".into()),
        hold_expire_time: None,
        origin: Origin::BookingTool,
        last_change_origin: Origin::BookingTool,
        integration_id: Some(context.integration),
        external_id: Some(link.external_id.clone()),
        sync_time: None,
        cancel_reason: None,
        create_time: context.now,
        update_time: context.now,
        sync: Default::default(),
    }
}

/// Whether the cancellation is younger than the state, or as young.
fn is_cancelled(link: &AppointmentLink) -> bool {
    link.cancel_time.is_some_and(|cancelled| link.state_time.is_none_or(|state| cancelled >= state))
}

fn effective_status(link: &AppointmentLink) -> Option<AppointmentStatus> {
    if is_cancelled(link) { Some(AppointmentStatus::Cancelled) } else { link.status }
}

fn status(said: ToolStatus) -> AppointmentStatus {
    match said {
        ToolStatus::Booked => AppointmentStatus::Booked,
        ToolStatus::Cancelled => AppointmentStatus::Cancelled,
        ToolStatus::Completed => AppointmentStatus::Completed,
        ToolStatus::NoShow => AppointmentStatus::NoShow,
    }
}

/// The tool gives an offset, not a zone: `+02:00`.
fn offset_name(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
