//! Time: how it is locked, checked, taken and freed.

use chrono::{DateTime, Months, TimeDelta, Utc};

use super::{
    AppointmentId, AppointmentStatus, Caller, Change, ChangeKind, Error, Noun, Origin, PatientId,
    PractitionerId, Result, Role, Slot, TenantTx, conflict, micros, store,
};
use crate::{
    domain::engine::push::{self, target},
    store::{
        appointment::{Appointment, SyncStanding},
        service::Service,
    },
    words::ProviderSync,
};

/// How far back a booking may begin: clocks differ and people are slow.
const LATENESS: TimeDelta = TimeDelta::minutes(5);
/// How far ahead one may begin.
const HORIZON: Months = Months::new(36);

/// The time that an appointment keeps others out of: its own and the service's buffers.
pub fn occupied(
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    service: Option<&Service>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let (before, after) = service.map_or((0, 0), |service| (service.buffer_before_s, service.buffer_after_s));
    (start - TimeDelta::seconds(before.into()), end + TimeDelta::seconds(after.into()))
}

/// Takes the locks of these practitioners, in the order of their ids so that two racers never wait for each
/// other, and releases the holds of theirs that have run out.
pub(super) async fn open(
    tx: &mut TenantTx,
    practitioners: [Option<PractitionerId>; 2],
    now: DateTime<Utc>,
) -> Result<()> {
    let practitioners = in_order(practitioners);
    for practitioner in &practitioners {
        lock(tx, *practitioner).await?;
    }
    for practitioner in practitioners {
        release_expired(tx, practitioner, now).await?;
    }
    Ok(())
}

/// Gives back the time of a practitioner's holds that have run out.
pub async fn release_holds(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    now: DateTime<Utc>,
) -> Result<()> {
    open(tx, [Some(practitioner), None], now).await
}

/// The same for the practitioner of an appointment, and perhaps another; returns the appointment, locked too.
/// Repeat the transaction when it gives way: somebody may move the appointment meanwhile. Errors: `NotFound`.
pub(in crate::domain) async fn open_with(
    tx: &mut TenantTx,
    id: AppointmentId,
    other: Option<PractitionerId>,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let mut seen = store::appointment::find(tx, id).await?;
    if is_moving(seen.practitioner_id, other) {
        lock_move(tx, id).await?;
        seen = store::appointment::find(tx, id).await?;
    }
    open(tx, [seen.practitioner_id, other], now).await?;
    let row = store::appointment::find_for_update(tx, id).await?;
    // To ask for another practitioner's lock with this one and the row in hand would be the wrong order.
    if row.practitioner_id == seen.practitioner_id { Ok(row) } else { Err(store::overtaken()) }
}

pub(super) async fn lock(tx: &mut TenantTx, practitioner: PractitionerId) -> Result<()> {
    tx.lock(&format!("practitioner/{practitioner}")).await
}

/// Whether an appointment goes from one practitioner to another.
pub(super) fn is_moving(from: Option<PractitionerId>, to: Option<PractitionerId>) -> bool {
    from.is_some() && to.is_some() && from != to
}

/// Before the practitioners' locks: of two who move one appointment the second waits here, and not, with one
/// practitioner locked already, for the other.
pub(super) async fn lock_move(tx: &mut TenantTx, id: AppointmentId) -> Result<()> {
    tx.lock(&format!("appointment/{id}")).await
}

/// Cancels holds that have run out; whoever waits for their time gets it. Needs the practitioner's lock.
pub(super) async fn release_expired(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    now: DateTime<Utc>,
) -> Result<()> {
    for hold in store::appointment::expire_holds(tx, practitioner, now).await? {
        promote_conflicting(tx, practitioner, hold.occupied_start_time, hold.occupied_end_time, now).await?;
        push::queue_reservation(tx, "system", &hold, now).await?;
    }
    Ok(())
}

/// Offers the time that `before` occupied, and no longer does, to conflicting appointments. Needs the
/// practitioner's lock.
pub(in crate::domain) async fn free(
    tx: &mut TenantTx,
    before: &Appointment,
    now: DateTime<Utc>,
) -> Result<()> {
    if let Some(practitioner) = before.practitioner_id.filter(|_| before.occupies()) {
        promote_conflicting(tx, practitioner, before.occupied_start_time, before.occupied_end_time, now)
            .await?;
    }
    conflict::settle(tx, before, now).await
}

/// Books the conflicting appointments of a freed time that fit now, first come first. Needs the
/// practitioner's lock.
pub async fn promote_conflicting(
    tx: &mut TenantTx,
    practitioner: PractitionerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    for mut row in store::appointment::conflicting(tx, practitioner, from, until).await? {
        // A provider refused that time, and a person is to decide.
        if row.sync.provider_sync == ProviderSync::Review {
            continue;
        }
        let (from, until) = (row.occupied_start_time, row.occupied_end_time);
        // Most that do not fit are told apart by reading alone; the constraint has the last word.
        if !store::appointment::overlapping(tx, practitioner, from, until).await?.is_empty() {
            continue;
        }
        row.status = AppointmentStatus::Booked;
        row.last_change_origin = Origin::System;
        row.update_time = now;
        if update_if_free(tx, &row).await? {
            tell_provider(tx, &mut row, Origin::System, "system", now).await?;
            let change = Change::of(&row, ChangeKind::Status, Origin::System, "system", now);
            store::appointment::insert_change(tx, &change).await?;
        }
    }
    Ok(())
}

/// Nobody books for these people until the transaction ends, and whoever just did is waited for. Those who
/// were merged into others come first, because a booking finds its way from them to those. Repeat the
/// transaction when it gives way.
pub async fn lock_people_out(tx: &mut TenantTx, patients: &[PatientId]) -> Result<()> {
    // Before the rows are locked, as everywhere.
    let practitioners = store::appointment::practitioners_of_patients(tx, patients).await?;
    for practitioner in &practitioners {
        lock(tx, *practitioner).await?;
    }
    for patient in patients {
        store::patient::find_exclusively(tx, *patient).await?;
    }
    let mut booked_meanwhile = store::appointment::practitioners_of_patients(tx, patients).await?;
    booked_meanwhile.retain(|practitioner| !practitioners.contains(practitioner));
    if booked_meanwhile.is_empty() { Ok(()) } else { Err(store::overtaken()) }
}

/// Deletes a person's appointments with their history; whoever waits for their time gets it. Call it when the
/// person is locked out.
pub async fn remove_of_patient(tx: &mut TenantTx, patient: PatientId, now: DateTime<Utc>) -> Result<()> {
    let mut removed = store::appointment::remove_of_patient(tx, patient).await?;
    removed.retain(Appointment::occupies);
    removed.sort_by_key(|row| row.practitioner_id);
    for row in &removed {
        free(tx, row, micros(now)).await?;
    }
    Ok(())
}

/// Deletes an appointment with its history; whoever waits for its time gets it. Errors: `NotFound`.
pub async fn remove(tx: &mut TenantTx, id: AppointmentId, now: DateTime<Utc>) -> Result<()> {
    let row = open_with(tx, id, None, now).await?;
    store::appointment::remove(tx, id).await?;
    free(tx, &row, micros(now)).await
}

/// Promises that the provider will have what was just written to the row.
pub(super) async fn tell_provider(
    tx: &mut TenantTx,
    row: &mut Appointment,
    origin: Origin,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let before = row.sync.clone();
    push::queue(tx, origin, cause, row, now).await?;
    if row.sync == before {
        return Ok(());
    }
    store::appointment::update_sync(tx, row.id, &row.sync).await
}

/// Writes the row unless somebody has its time; says whether it did.
pub(super) async fn update_if_free(tx: &mut TenantTx, row: &Appointment) -> Result<bool> {
    tx.begin_savepoint().await?;
    match store::appointment::update(tx, row).await {
        Ok(()) => tx.release_savepoint().await.map(|()| true),
        Err(error) => {
            // Whatever it was: a part that is left open would be undone in place of the caller's own.
            tx.roll_back_savepoint().await?;
            if matches!(error, Error::SlotTaken) { Ok(false) } else { Err(error) }
        }
    }
}

/// What a booking of this slot would be. Errors: `Invalid`, `NotFound` (patient, practitioner, service),
/// `NotOwnRecord`.
pub(super) async fn new_appointment(
    tx: &mut TenantTx,
    caller: &Caller,
    id: AppointmentId,
    wanted: &Slot,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let start = micros(wanted.start);
    check_own(caller, wanted.practitioner)?;
    check_start(start, now)?;
    let time_zone = time_zone(tx, &wanted.time_zone).await?;
    check_bookable(tx, wanted.practitioner).await?;
    let service = match wanted.service {
        Some(service) => Some(store::service::find(tx, service).await?),
        None => None,
    };
    if service.as_ref().is_some_and(|service| service.archived) {
        return Err(Error::NotFound(Noun::Service));
    }
    let length = match (wanted.duration, &service) {
        (Some(said), _) => said,
        (None, Some(service)) => usual_length(tx, service, wanted.practitioner).await?,
        (None, None) => return Err(Error::invalid("duration", "required without a service")),
    };
    let patient_id = match wanted.patient {
        Some(patient) => Some(store::patient::survivor(tx, patient).await?),
        None => None,
    };
    let end = micros(start + length);
    let (occupied_start_time, occupied_end_time) = occupied(start, end, service.as_ref());
    Ok(Appointment {
        id,
        patient_id,
        practitioner_id: Some(wanted.practitioner),
        service_id: wanted.service,
        therapist_name: None,
        service_name: None,
        status: AppointmentStatus::Booked,
        start_time: start,
        end_time: end,
        occupied_start_time,
        occupied_end_time,
        time_zone,
        hold_expire_time: None,
        origin: caller.origin,
        last_change_origin: caller.origin,
        integration_id: None,
        external_id: None,
        sync_time: None,
        cancel_reason: None,
        create_time: now,
        update_time: now,
        sync: SyncStanding::default(),
    })
}

/// How long a service takes when nobody says so: as long as it is booked at its provider, if it has one.
async fn usual_length(
    tx: &mut TenantTx,
    service: &Service,
    practitioner: PractitionerId,
) -> Result<TimeDelta> {
    let theirs = target::bookable(tx, service, practitioner).await?.map(|(_, length)| length);
    Ok(theirs.unwrap_or_else(|| TimeDelta::seconds(service.duration_s.into())))
}

/// Moves the row to another begin, with the buffers it was booked with.
pub(super) fn shift(row: &mut Appointment, start: DateTime<Utc>, length: Option<TimeDelta>) {
    let before = row.start_time - row.occupied_start_time;
    let after = row.occupied_end_time - row.end_time;
    let end = micros(start + length.unwrap_or(row.end_time - row.start_time));
    row.start_time = start;
    row.end_time = end;
    row.occupied_start_time = start - before;
    row.occupied_end_time = end + after;
}

/// A practitioner plans nobody's time but their own. Errors: `NotOwnRecord`.
pub(super) fn check_own(caller: &Caller, practitioner: PractitionerId) -> Result<()> {
    let foreign = caller.role == Role::Practitioner && caller.practitioner() != Some(practitioner);
    if foreign { Err(Error::NotOwnRecord) } else { Ok(()) }
}

/// Errors: `Invalid`.
pub(super) fn check_start(start: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    if start < now - LATENESS {
        return Err(Error::invalid("start_time", "must not lie more than 5 minutes back"));
    }
    if start > now + HORIZON {
        return Err(Error::invalid("start_time", "must not lie more than 3 years ahead"));
    }
    Ok(())
}

/// Errors: `NotFound`, also for an archived one.
pub(super) async fn check_bookable(tx: &mut TenantTx, id: PractitionerId) -> Result<()> {
    let archived = store::practitioner::find(tx, id).await?.archived;
    if archived { Err(Error::NotFound(Noun::Practitioner)) } else { Ok(()) }
}

async fn time_zone(tx: &mut TenantTx, name: &str) -> Result<String> {
    if name.is_empty() {
        return Ok(store::tenant::current(tx).await?.time_zone);
    }
    match name.parse::<chrono_tz::Tz>() {
        Ok(zone) => Ok(zone.name().into()),
        Err(_) => Err(Error::invalid("time_zone", "must be an IANA time zone, as in Europe/Berlin")),
    }
}

fn in_order(practitioners: [Option<PractitionerId>; 2]) -> Vec<PractitionerId> {
    let mut ids: Vec<_> = practitioners.into_iter().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_start_is_at_most_5_minutes_late_and_3_years_ahead() {
        let now = at("2028-02-29T12:00:00Z");

        for good in ["2028-02-29T11:55:00Z", "2031-02-28T12:00:00Z"] {
            assert!(check_start(at(good), now).is_ok(), "{good}");
        }
        for bad in ["2028-02-29T11:54:59Z", "2031-02-28T12:00:01Z"] {
            assert!(check_start(at(bad), now).is_err(), "{bad}");
        }
    }

    #[test]
    fn locks_are_taken_in_one_order_and_once() {
        let (older, younger) = (PractitionerId::new(), PractitionerId(uuid::Uuid::max()));

        assert_eq!(in_order([Some(younger), Some(older)]), [older, younger]);
        assert_eq!(in_order([Some(older), Some(older)]), [older]);
        assert_eq!(in_order([None, None]), []);
    }

    #[test]
    fn a_practitioner_plans_only_their_own_time() {
        let own = PractitionerId::new();
        let mut caller = Caller::system(crate::ids::TenantId::new());
        caller.role = Role::Practitioner;
        caller.person = Some(crate::caller::Person::Practitioner(own));

        assert!(check_own(&caller, own).is_ok());
        assert!(matches!(check_own(&caller, PractitionerId::new()), Err(Error::NotOwnRecord)));
    }
}
