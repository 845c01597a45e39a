//! Appointments: booked, held, moved and called off, with no time of a practitioner's given twice.
//!
//! The exclusion constraint decides who gets a slot. Whoever takes or frees time has the practitioner's lock
//! first, so that racers queue up; holds that have run out are released before anything is refused because of
//! them.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Domain,
    engine::push,
    idempotency::{Claim, Key, claim},
    integration::micros,
};
use crate::{
    caller::Caller,
    error::{Error, Noun, Result},
    ids::{AppointmentId, PatientId, PractitionerId},
    store::{
        self, TenantTx,
        appointment::{Appointment, Change},
        retry_deadlocks,
    },
    words::{AppointmentStatus, ChangeKind, Origin, Role},
};

mod conflict;
mod free_slots;
mod queries;
mod requests;
mod slot;
mod take_over;
mod unmatched;
mod wait;
mod watch;

pub use free_slots::{FreeSlot, free_slots};
pub use queries::{Recorded, Shown, get, history, is_stale, list, list_mine};
pub use requests::{Booking, Cancel, Hold, Move, Slot};
pub(in crate::domain) use slot::{free, open_with};
pub use slot::{lock_people_out, occupied, promote_conflicting, release_holds, remove, remove_of_patient};
pub use take_over::{assign_unassigned, take_over};
use wait::Asked;
pub use watch::{Bookmark, News, Wanted, Watch};

/// Takes a slot, or turns a hold into a booking; a provider that has to do with it is told.
///
/// Errors: `Invalid`, `SlotTaken`, `HoldExpired`, `AppointmentStatus`, `NotFound` (patient, practitioner,
/// service, hold), `NotOwnRecord`, `IdempotencyKeyReused`, `PatientContactMissing`; and for who waits,
/// `SlotTakenOffering`, `OutsideBookingWindow`, `ProviderRefused`.
pub async fn book(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    booking: Booking,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let (now, wait) = (micros(now), booking.wait);
    let wanted = wait::Wanted {
        service: booking.service,
        practitioner: booking.practitioner,
        start: booking.start.unwrap_or(now),
    };
    let booked = match book_locally(domain, caller, key, booking, now).await {
        Err(Error::SlotTaken) => return Err(wait::instead(domain, caller, &wanted, wait).await),
        booked => booked?,
    };
    wait::for_provider(domain, caller, booked, wait, Asked::Book).await
}

async fn book_locally(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    booking: Booking,
    now: DateTime<Utc>,
) -> Result<Shown> {
    if let Some(hold) = booking.hold {
        booking.refuse_slot()?;
        let booked = retry_deadlocks(|| book_hold(domain, caller, key, hold, booking.patient, now)).await;
        if matches!(booked, Err(Error::HoldExpired(_))) {
            // The refused booking was undone as a whole; that the hold has run out is kept.
            retry_deadlocks(|| release_hold(domain, caller, hold, now)).await?;
        }
        return booked;
    }
    let wanted = booking.into_slot()?;
    retry_deadlocks(|| take_slot(domain, caller, key, &wanted, None, now)).await
}

/// Keeps a slot for a short while. Errors: as `book`, without those of holds.
pub async fn hold(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    hold: Hold,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let now = micros(now);
    let length = HoldLength(hold.hold_duration);
    match retry_deadlocks(|| take_slot(domain, caller, key, &hold.slot, Some(length), now)).await {
        Err(Error::SlotTaken) => {
            let Slot { service, practitioner, start, .. } = hold.slot;
            let wanted = wait::Wanted { service, practitioner: Some(practitioner), start };
            Err(wait::instead(domain, caller, &wanted, None).await)
        }
        held => held,
    }
}

/// Moves a booked or conflicting appointment; the old slot is free in the same moment.
///
/// Errors: `Invalid`, `SlotTaken`, `AppointmentStatus`, `NotFound` (appointment, practitioner),
/// `NotOwnRecord`, `IdempotencyKeyReused`; and for who waits, `SlotTakenOffering`,
/// `OutsideBookingWindow`, `ProviderRefused`.
pub async fn reschedule(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    to: Move,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let (now, to) = (micros(now), Move { start: micros(to.start), ..to });
    if let Some(practitioner) = to.practitioner {
        slot::check_own(caller, practitioner)?;
    }
    let moved = match retry_deadlocks(|| move_to(domain, caller, key, &to, now)).await {
        Err(Error::SlotTaken) => {
            let row = queries::get(domain, caller, to.appointment, now).await?.appointment;
            let (service, practitioner) = (row.service_id, to.practitioner.or(row.practitioner_id));
            let wanted = wait::Wanted { service, practitioner, start: to.start };
            return Err(wait::instead(domain, caller, &wanted, to.wait).await);
        }
        moved => moved?,
    };
    wait::for_provider(domain, caller, moved, to.wait, Asked::Reschedule).await
}

/// Frees the slot; the appointment stays in the history. A cancelled one stays as it is.
///
/// Errors: `AppointmentStatus`, `NotFound` (appointment), `IdempotencyKeyReused`.
pub async fn cancel(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    of: Cancel,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let now = micros(now);
    let cancelled =
        retry_deadlocks(|| call_off(domain, caller, key, of.appointment, &of.reason, now)).await?;
    wait::for_provider(domain, caller, cancelled, of.wait, Asked::Cancel).await
}

/// How long to hold a slot; the tenant's setting when nothing is said.
#[derive(Debug, Clone, Copy)]
struct HoldLength(Option<TimeDelta>);

async fn take_slot(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    wanted: &Slot,
    hold: Option<HoldLength>,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let id = AppointmentId::new();
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(first) = claim(&mut tx, caller, key, id).await? {
        return again(tx, AppointmentId(first), now).await;
    }
    let mut row = slot::new_appointment(&mut tx, caller, id, wanted, now).await?;
    if let Some(HoldLength(length)) = hold {
        let length = match length {
            Some(length) => length,
            None => TimeDelta::seconds(store::tenant::current(&mut tx).await?.hold_duration_s.into()),
        };
        row.status = AppointmentStatus::Held;
        row.hold_expire_time = Some(micros(now + length));
    }
    slot::open(&mut tx, [Some(wanted.practitioner), None], now).await?;
    push::request(&mut tx, caller.origin, &caller.subject, &mut row, true, now).await?;
    store::appointment::insert(&mut tx, &row).await?;
    if row.status == AppointmentStatus::Held {
        push::queue_reservation(&mut tx, &caller.subject, &row, now).await?;
    }
    follow_merge(&mut tx, &mut row).await?;
    write_down(&mut tx, caller, &row, ChangeKind::Created, now).await?;
    finish(tx, row, now).await
}

async fn book_hold(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    hold: AppointmentId,
    patient: Option<PatientId>,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(first) = claim(&mut tx, caller, key, hold).await? {
        return again(tx, AppointmentId(first), now).await;
    }
    let mut row = slot::open_with(&mut tx, hold, None, now).await?;
    match row.status {
        AppointmentStatus::Held => {}
        // Nobody but the server calls off a hold in its own name: its time had run out.
        AppointmentStatus::Cancelled if row.last_change_origin == Origin::System => {
            return Err(Error::HoldExpired(hold));
        }
        other => return Err(Error::AppointmentStatus(other)),
    }
    let who = patient
        .or(row.patient_id)
        .ok_or_else(|| Error::invalid("patient_id", "required: the hold names nobody"))?;
    row.patient_id = Some(store::patient::survivor(&mut tx, who).await?);
    row.status = AppointmentStatus::Booked;
    row.hold_expire_time = None;
    push::request(&mut tx, caller.origin, &caller.subject, &mut row, false, now).await?;
    push::queue_reservation(&mut tx, &caller.subject, &row, now).await?;
    change(&mut tx, caller, &mut row, ChangeKind::Status, now).await?;
    follow_merge(&mut tx, &mut row).await?;
    finish(tx, row, now).await
}

async fn release_hold(
    domain: &Domain,
    caller: &Caller,
    hold: AppointmentId,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.caller(caller).await?;
    slot::open_with(&mut tx, hold, None, now).await?;
    tx.commit().await
}

async fn move_to(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    to: &Move,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(first) = claim(&mut tx, caller, key, to.appointment).await? {
        return again(tx, AppointmentId(first), now).await;
    }
    slot::check_start(to.start, now)?;
    let before = slot::open_with(&mut tx, to.appointment, to.practitioner, now).await?;
    if !matches!(before.status, AppointmentStatus::Booked | AppointmentStatus::Conflicting) {
        return Err(Error::AppointmentStatus(before.status));
    }
    let mut row = Appointment { status: AppointmentStatus::Booked, ..before.clone() };
    row.practitioner_id = to.practitioner.or(before.practitioner_id);
    if let Some(practitioner) = row.practitioner_id {
        slot::check_bookable(&mut tx, practitioner).await?;
    }
    slot::shift(&mut row, to.start, to.duration);
    if row != before {
        push::request(&mut tx, caller.origin, &caller.subject, &mut row, false, now).await?;
        let kind = take_over::kind_of(&before, &row);
        change(&mut tx, caller, &mut row, kind, now).await?;
        slot::free(&mut tx, &before, now).await?;
    }
    finish(tx, row, now).await
}

async fn call_off(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: AppointmentId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(first) = claim(&mut tx, caller, key, id).await? {
        return again(tx, AppointmentId(first), now).await;
    }
    let before = slot::open_with(&mut tx, id, None, now).await?;
    match before.status {
        AppointmentStatus::Cancelled => return finish(tx, before, now).await,
        status @ (AppointmentStatus::Completed | AppointmentStatus::NoShow) => {
            return Err(Error::AppointmentStatus(status));
        }
        AppointmentStatus::Held
        | AppointmentStatus::Requested
        | AppointmentStatus::Booked
        | AppointmentStatus::Conflicting => {}
    }
    let mut row =
        Appointment { status: AppointmentStatus::Cancelled, hold_expire_time: None, ..before.clone() };
    row.cancel_reason = Some(reason.to_string()).filter(|reason| !reason.is_empty());
    push::queue(&mut tx, caller.origin, &caller.subject, &mut row, now).await?;
    if before.status == AppointmentStatus::Held {
        push::queue_reservation(&mut tx, &caller.subject, &row, now).await?;
    }
    change(&mut tx, caller, &mut row, ChangeKind::Status, now).await?;
    slot::free(&mut tx, &before, now).await?;
    finish(tx, row, now).await
}

/// What the first call with this key made or changed, as it stands today.
async fn again(mut tx: TenantTx, id: AppointmentId, now: DateTime<Utc>) -> Result<Shown> {
    let row = store::appointment::find(&mut tx, id).await?;
    finish(tx, row, now).await
}

async fn finish(mut tx: TenantTx, row: Appointment, now: DateTime<Utc>) -> Result<Shown> {
    let shown = queries::show(&mut tx, row, now).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Writes the row and what happened to it.
async fn change(
    tx: &mut TenantTx,
    caller: &Caller,
    row: &mut Appointment,
    kind: ChangeKind,
    now: DateTime<Utc>,
) -> Result<()> {
    row.last_change_origin = caller.origin;
    row.update_time = now;
    store::appointment::update(tx, row).await?;
    write_down(tx, caller, row, kind, now).await
}

async fn write_down(
    tx: &mut TenantTx,
    caller: &Caller,
    row: &Appointment,
    kind: ChangeKind,
    now: DateTime<Utc>,
) -> Result<()> {
    store::appointment::insert_change(tx, &Change::of(row, kind, caller.origin, &caller.subject, now)).await
}

/// If the patient was merged while the row was being written, gives it to the survivor.
///
/// Asked for before the write, the answer may be outdated by it: the row's foreign key waits for a merge that
/// is on its way, as it does for the lock of `find_exclusively`. Asked for after it, it holds, because the
/// next merge waits for this transaction.
async fn follow_merge(tx: &mut TenantTx, row: &mut Appointment) -> Result<()> {
    while let Some(patient) = row.patient_id {
        let survivor = store::patient::survivor(tx, patient).await?;
        if survivor == patient {
            break;
        }
        row.patient_id = Some(survivor);
        store::appointment::update(tx, row).await?;
    }
    Ok(())
}
