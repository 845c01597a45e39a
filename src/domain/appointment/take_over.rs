//! What an outside system has promised already is kept, whatever it collides with.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AppointmentStatus, Change, ChangeKind, Error, Origin, PractitionerId, Result, TenantTx, conflict, micros,
    slot::{free, is_moving, lock, lock_move, open, release_expired, tell_provider, update_if_free},
    store, unmatched,
};
use crate::{
    fold,
    store::appointment::{Appointment, SyncStanding},
};

/// Appointments that a new name assigns, at most; the rest follows with their next event.
const ASSIGNED: i64 = 1000;
/// How far back a new name reaches.
const ASSIGNED_BACK: TimeDelta = TimeDelta::hours(24);

/// Keeps an appointment as its source says it is.
/// If somebody has the time, it is kept as `conflicting` for a person to decide.
///
/// `desired` is `booked` (or `conflicting`, which asks for the time again), or over. `previous` is how `find`
/// shows it, not locked yet; its id, origin and creation stay.
/// A change is written down only if there is one. Repeat the transaction when it gives way.
pub async fn take_over(
    tx: &mut TenantTx,
    desired: Appointment,
    previous: Option<Appointment>,
    origin: Origin,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let change = Cause { origin, cause, now: micros(now) };
    let mut desired = in_micros(desired);
    if desired.status == AppointmentStatus::Conflicting {
        desired.status = AppointmentStatus::Booked;
    }
    match previous {
        None => arrive(tx, desired, &change).await,
        Some(seen) => follow(tx, desired, seen, &change).await,
    }
}

/// Assigns unassigned appointments of the last 24 hours and the future whose therapist's name folds to one of
/// these. Returns how many, 1000 at most.
pub async fn assign_unassigned(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    folded_names: &[String],
    now: DateTime<Utc>,
) -> Result<usize> {
    let from = now - ASSIGNED_BACK;
    let mut names = store::appointment::unassigned_names(tx, from).await?;
    names.retain(|name| folded_names.contains(&fold::name(name)));
    if names.is_empty() {
        return Ok(0);
    }
    // Before the rows are locked, as everywhere.
    lock(tx, practitioner).await?;
    let rows = store::appointment::unassigned(tx, &names, from, ASSIGNED).await?;
    let count = rows.len();
    for before in rows {
        let desired = Appointment { practitioner_id: Some(practitioner), ..before.clone() };
        take_over(tx, desired, Some(before), Origin::System, "system", now).await?;
    }
    Ok(count)
}

/// What a change of an appointment is told as. The caller has seen that there is one.
///
/// The end of an appointment is told as such even when its source gave another time with it; otherwise a move
/// says more than the status that comes of it.
pub(super) fn kind_of(before: &Appointment, after: &Appointment) -> ChangeKind {
    let place = |row: &Appointment| (row.start_time, row.end_time, row.practitioner_id);
    let moved = place(before) != place(after);
    let ended = matches!(
        after.status,
        AppointmentStatus::Cancelled | AppointmentStatus::Completed | AppointmentStatus::NoShow
    );
    if before.status != after.status && (ended || !moved) {
        ChangeKind::Status
    } else if moved {
        ChangeKind::Moved
    } else if before.patient_id != after.patient_id {
        ChangeKind::Patient
    } else if before.sync != after.sync
        && is_same(&Appointment { sync: before.sync.clone(), ..after.clone() }, before)
    {
        ChangeKind::Sync
    } else {
        ChangeKind::Details
    }
}

/// Where a change comes from, and when.
struct Cause<'a> {
    origin: Origin,
    cause: &'a str,
    now: DateTime<Utc>,
}

async fn arrive(tx: &mut TenantTx, desired: Appointment, cause: &Cause<'_>) -> Result<Appointment> {
    let mut row = Appointment {
        origin: cause.origin,
        last_change_origin: cause.origin,
        create_time: cause.now,
        update_time: cause.now,
        ..desired
    };
    match row.practitioner_id.filter(|_| row.occupies()) {
        None => store::appointment::insert(tx, &row).await?,
        Some(practitioner) => {
            lock(tx, practitioner).await?;
            if !insert_if_free(tx, &row).await? {
                release_expired(tx, practitioner, cause.now).await?;
                if !insert_if_free(tx, &row).await? {
                    row.status = AppointmentStatus::Conflicting;
                    store::appointment::insert(tx, &row).await?;
                }
            }
        }
    }
    tell_provider(tx, &mut row, cause.origin, cause.cause, cause.now).await?;
    write_down(tx, &row, ChangeKind::Created, cause).await?;
    conflict::tell(tx, &row, cause.now).await?;
    unmatched::tell(tx, &row, cause.now).await?;
    Ok(row)
}

async fn follow(
    tx: &mut TenantTx,
    desired: Appointment,
    seen: Appointment,
    cause: &Cause<'_>,
) -> Result<Appointment> {
    // Of the standing at the provider only what is said on purpose counts: it goes its own way meanwhile.
    let standing = Some(&desired.sync).filter(|sync| **sync != seen.sync).cloned();
    let mut unchanged = merged(&desired, &seen);
    if is_same(&unchanged, &seen) {
        set_standing(tx, &mut unchanged, standing).await?;
        // Every event tells that the source has spoken, even if nothing else.
        if unchanged.sync_time != seen.sync_time {
            store::appointment::update_sync_time(tx, unchanged.id, unchanged.sync_time).await?;
        }
        return Ok(unchanged);
    }
    let before = lock_both(tx, &desired, &seen, cause).await?;
    let wanted = merged(&desired, &before);
    let settles = claim_of(&before) != claim_of(&wanted);
    let (row, kind) = stamped(wanted.clone(), &before, cause);
    let (mut row, kind) = if !(settles && row.occupies()) {
        store::appointment::update(tx, &row).await?;
        (row, kind)
    } else if update_if_free(tx, &row).await? {
        (row, kind)
    } else {
        let colliding = Appointment { status: AppointmentStatus::Conflicting, ..wanted };
        let (row, kind) = stamped(colliding, &before, cause);
        store::appointment::update(tx, &row).await?;
        (row, kind)
    };
    set_standing(tx, &mut row, standing).await?;
    if let Some(kind) = kind {
        if matches!(kind, ChangeKind::Moved | ChangeKind::Status) {
            tell_provider(tx, &mut row, cause.origin, cause.cause, cause.now).await?;
        }
        write_down(tx, &row, kind, cause).await?;
    }
    // A completed one has used its time.
    if settles && row.status != AppointmentStatus::Completed {
        free(tx, &before, cause.now).await?;
    } else if before.status == AppointmentStatus::Conflicting {
        conflict::settle(tx, &before, cause.now).await?;
    }
    conflict::tell(tx, &row, cause.now).await?;
    unmatched::settle(tx, &before, &row, cause.now).await?;
    Ok(row)
}

async fn set_standing(
    tx: &mut TenantTx,
    row: &mut Appointment,
    standing: Option<SyncStanding>,
) -> Result<()> {
    let Some(standing) = standing.filter(|standing| *standing != row.sync) else { return Ok(()) };
    row.sync = standing;
    store::appointment::update_sync(tx, row.id, &row.sync).await
}

/// Locks the practitioners whose time is taken or freed, and then the appointment: the order of every other
/// verb. Returns how the appointment stands now, which is as it was seen but for its standing at the provider.
async fn lock_both(
    tx: &mut TenantTx,
    desired: &Appointment,
    seen: &Appointment,
    cause: &Cause<'_>,
) -> Result<Appointment> {
    if is_moving(seen.practitioner_id, desired.practitioner_id) {
        lock_move(tx, seen.id).await?;
    }
    if claim_of(seen) != claim_of(desired) {
        let practitioners = [seen, desired].map(|row| row.practitioner_id.filter(|_| row.occupies()));
        open(tx, practitioners, cause.now).await?;
    }
    let now = store::appointment::find_for_update(tx, seen.id).await?;
    // What is desired was made of what was seen, and would undo whatever somebody else has done since.
    let is_as_seen = is_same(&Appointment { sync: seen.sync.clone(), ..now.clone() }, seen);
    if is_as_seen { Ok(now) } else { Err(store::overtaken()) }
}

/// What the source says, over what is ours to say.
fn merged(desired: &Appointment, before: &Appointment) -> Appointment {
    Appointment {
        id: before.id,
        origin: before.origin,
        last_change_origin: before.last_change_origin,
        create_time: before.create_time,
        update_time: before.update_time,
        sync: before.sync.clone(),
        ..desired.clone()
    }
}

/// The time a row keeps others out of; nothing for one that does not.
fn claim_of(row: &Appointment) -> Option<(Option<PractitionerId>, DateTime<Utc>, DateTime<Utc>)> {
    row.occupies().then_some((row.practitioner_id, row.occupied_start_time, row.occupied_end_time))
}

/// The row with the marks of a change, if it is one: that its source has spoken again is none.
fn stamped(row: Appointment, before: &Appointment, cause: &Cause<'_>) -> (Appointment, Option<ChangeKind>) {
    if is_same(&row, before) {
        return (row, None);
    }
    let kind = kind_of(before, &row);
    (Appointment { last_change_origin: cause.origin, update_time: cause.now, ..row }, Some(kind))
}

/// Whether they differ in nothing but when the source last spoke.
fn is_same(row: &Appointment, before: &Appointment) -> bool {
    (Appointment { sync_time: before.sync_time, ..row.clone() }) == *before
}

async fn insert_if_free(tx: &mut TenantTx, row: &Appointment) -> Result<bool> {
    match store::appointment::insert(tx, row).await {
        Ok(()) => Ok(true),
        Err(Error::SlotTaken) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn write_down(tx: &mut TenantTx, row: &Appointment, kind: ChangeKind, cause: &Cause<'_>) -> Result<()> {
    store::appointment::insert_change(tx, &Change::of(row, kind, cause.origin, cause.cause, cause.now)).await
}

/// Sources write times to the nanosecond; compared with what is kept, such a time would differ for ever.
fn in_micros(row: Appointment) -> Appointment {
    Appointment {
        start_time: micros(row.start_time),
        end_time: micros(row.end_time),
        occupied_start_time: micros(row.occupied_start_time),
        occupied_end_time: micros(row.occupied_end_time),
        sync_time: row.sync_time.map(micros),
        ..row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AppointmentId, PatientId};

    fn booked() -> Appointment {
        let at = |hour: u32| format!("2026-03-02T{hour:02}:00:00.123456Z").parse().unwrap();
        Appointment {
            id: AppointmentId::new(),
            patient_id: Some(PatientId::new()),
            practitioner_id: Some(PractitionerId::new()),
            service_id: None,
            therapist_name: Some("Max Beispiel".into()),
            service_name: None,
            status: AppointmentStatus::Booked,
            start_time: at(9),
            end_time: at(10),
            occupied_start_time: at(9),
            occupied_end_time: at(10),
            time_zone: "Europe/Berlin".into(),
            hold_expire_time: None,
            origin: Origin::BookingTool,
            last_change_origin: Origin::BookingTool,
            integration_id: None,
            external_id: None,
            sync_time: None,
            cancel_reason: None,
            create_time: at(8),
            update_time: at(8),
            sync: Default::default(),
        }
    }

    #[test]
    fn a_change_is_told_as_what_says_most() {
        let before = booked();
        let later = before.end_time;
        let told = |change: &dyn Fn(&mut Appointment)| {
            let mut after = before.clone();
            change(&mut after);
            kind_of(&before, &after)
        };

        assert_eq!(told(&|row| row.end_time = later + TimeDelta::hours(1)), ChangeKind::Moved);
        assert_eq!(told(&|row| row.practitioner_id = None), ChangeKind::Moved);
        assert_eq!(told(&|row| row.status = AppointmentStatus::Conflicting), ChangeKind::Status);
        assert_eq!(told(&|row| row.patient_id = None), ChangeKind::Patient);
        assert_eq!(told(&|row| row.service_name = Some("Massage".into())), ChangeKind::Details);
        assert_eq!(
            told(&|row| (row.start_time, row.status) = (later, AppointmentStatus::Conflicting)),
            ChangeKind::Moved
        );
        assert_eq!(
            told(&|row| (row.start_time, row.status) = (later, AppointmentStatus::Cancelled)),
            ChangeKind::Status
        );
    }

    #[test]
    fn that_the_source_spoke_again_is_no_change() {
        let before = booked();
        let cause = Cause { origin: Origin::Admin, cause: "x", now: before.end_time };

        let (spoken, none) =
            stamped(Appointment { sync_time: Some(cause.now), ..before.clone() }, &before, &cause);
        let (changed, some) =
            stamped(Appointment { time_zone: "UTC".into(), ..before.clone() }, &before, &cause);

        assert_eq!(
            (none, spoken.update_time, spoken.last_change_origin),
            (None, before.update_time, Origin::BookingTool)
        );
        assert_eq!(
            (some, changed.update_time, changed.last_change_origin),
            (Some(ChangeKind::Details), cause.now, Origin::Admin)
        );
    }

    #[test]
    fn only_held_and_booked_appointments_of_somebody_keep_others_out() {
        for status in AppointmentStatus::ALL.iter().copied() {
            let keeps = matches!(status, AppointmentStatus::Held | AppointmentStatus::Booked);
            assert_eq!(claim_of(&Appointment { status, ..booked() }).is_some(), keeps, "{status}");
            assert!(
                claim_of(&Appointment { status, practitioner_id: None, ..booked() }).is_none(),
                "{status}"
            );
        }
    }

    #[test]
    fn nanoseconds_of_a_source_are_cut_off() {
        let row = booked();
        let finer = Appointment { start_time: row.start_time + TimeDelta::nanoseconds(789), ..row.clone() };

        assert_eq!(in_micros(finer), row);
    }
}
