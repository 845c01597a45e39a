//! A slot that is held here is kept from the provider's booking page, too. That makes a collision less likely
//! and prevents none, so whatever goes wrong is let go: a reservation ends by itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Work, kept_from, push, target};
use crate::{
    domain::{
        Domain,
        engine::provider_call::{self, CallFailure, Urgency},
    },
    error::{Error, Noun, Result},
    ids::{AppointmentId, TenantId},
    provider::calcom::SlotRequest,
    store::{
        self, TenantTx, appointment::Appointment, event_type::EventType, outbox::Outcome,
        slot_reservation::SlotReservation,
    },
    words::AppointmentStatus,
};

/// Promises that the provider keeps the slot for as long as it is held, and no longer. For whoever makes a
/// hold or ends one.
pub async fn queue_reservation(
    tx: &mut TenantTx,
    cause: &str,
    row: &Appointment,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(event_type) = target::target(tx, row).await? else { return Ok(()) };
    let work = Work::Hold { hold_id: row.id };
    push(tx, row.id, &work, cause, Some(event_type.integration_id), now).await.map(drop)
}

/// Reserves what is held, gives back what is not.
pub(super) async fn run(
    domain: &Domain,
    tenant: TenantId,
    hold: AppointmentId,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = match store::appointment::find(&mut tx, hold).await {
        Ok(row) => row,
        Err(Error::NotFound(Noun::Appointment)) => return Ok(Outcome::Done),
        Err(error) => return Err(error),
    };
    let reservation = store::slot_reservation::find(&mut tx, hold).await?;
    let target = target::target(&mut tx, &row).await?;
    tx.commit().await?;
    let rest = row.hold_expire_time.map(|end| end - now).filter(|rest| *rest > TimeDelta::zero());
    match (row.status, reservation, target, rest) {
        (AppointmentStatus::Held, None, Some(event_type), Some(rest)) => {
            if let Some(end) = kept_from(domain, tenant, event_type.integration_id).await? {
                return Ok(end);
            }
            reserve(domain, tenant, &row, &event_type, rest).await?;
        }
        (AppointmentStatus::Held, ..) => {}
        (_, Some(reservation), ..) => {
            if let Some(end) = kept_from(domain, tenant, reservation.integration_id).await? {
                return Ok(end);
            }
            release(domain, tenant, reservation).await?;
        }
        (_, None, ..) => {}
    }
    Ok(Outcome::Done)
}

async fn reserve(
    domain: &Domain,
    tenant: TenantId,
    row: &Appointment,
    event_type: &EventType,
    rest: TimeDelta,
) -> Result<()> {
    let Ok(event_type_id) = event_type.external_id.parse() else { return Ok(()) };
    let minutes = |span: TimeDelta| u32::try_from((span + TimeDelta::seconds(59)).num_minutes()).ok();
    let wanted = SlotRequest {
        event_type_id,
        start: row.start_time,
        duration_minutes: minutes(row.end_time - row.start_time)
            .filter(|_| !event_type.length_options.is_empty()),
        reservation_minutes: minutes(rest),
    };
    let integration = event_type.integration_id;
    let answer = provider_call::calcom(domain, tenant, integration, Urgency::Background, |way| async move {
        way.calcom().reserve_slot(&wanted).await
    });
    let reserved = match answer.await {
        Ok(reserved) => reserved,
        Err(CallFailure::Own(error)) => return Err(error),
        Err(failure) => {
            tracing::debug!(%failure, "a held slot is not reserved at its provider");
            return Ok(());
        }
    };
    let mut tx = domain.store.tenant(tenant).await?;
    let kept = SlotReservation {
        appointment_id: row.id,
        integration_id: integration,
        external_id: reserved.uid,
        expire_time: reserved.until,
    };
    // A hold that was deleted meanwhile takes nothing with it that does not end by itself.
    if store::appointment::find(&mut tx, row.id).await.is_ok() {
        store::slot_reservation::insert(&mut tx, &kept, Utc::now()).await?;
    }
    tx.commit().await
}

async fn release(domain: &Domain, tenant: TenantId, reservation: SlotReservation) -> Result<()> {
    let SlotReservation { appointment_id, integration_id, external_id, .. } = reservation;
    let answer =
        provider_call::calcom(domain, tenant, integration_id, Urgency::Background, |way| async move {
            way.calcom().release_reservation(&external_id).await
        });
    if let Err(CallFailure::Own(error)) = answer.await {
        return Err(error);
    }
    let mut tx = domain.store.tenant(tenant).await?;
    store::slot_reservation::remove(&mut tx, appointment_id).await?;
    tx.commit().await
}
