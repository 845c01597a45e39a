//! A person's appointments as a whole: found, and given to somebody else.

use chrono::Utc;
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::RunQueryDsl;

use super::{Appointment, Change, change};
use crate::{
    error::Result,
    ids::{AppointmentId, PatientId, PractitionerId},
    store::{Cached, TenantTx, schema::appointment},
    words::{ChangeKind, Origin},
};

/// All appointments of a person.
pub async fn of_patient(tx: &mut TenantTx, patient: PatientId) -> Result<Vec<AppointmentId>> {
    let query = appointment::table.filter(appointment::patient_id.eq(patient)).select(appointment::id);
    Ok(query.load(tx.conn()).await?)
}

/// Whose time these people's appointments are of, in the order of their ids.
pub async fn practitioners_of_patients(
    tx: &mut TenantTx,
    patients: &[PatientId],
) -> Result<Vec<PractitionerId>> {
    let query = appointment::table
        .filter(appointment::patient_id.eq_any(patients))
        .filter(appointment::practitioner_id.is_not_null())
        .select(appointment::practitioner_id.assume_not_null())
        .distinct()
        .order(appointment::practitioner_id);
    Ok(query.load(tx.conn()).await?)
}

/// Gives these appointments to another person.
pub async fn move_to_patient(
    tx: &mut TenantTx,
    ids: &[AppointmentId],
    patient: PatientId,
    origin: Origin,
    cause: &str,
) -> Result<()> {
    let now = Utc::now();
    let statement = diesel::update(appointment::table.filter(appointment::id.eq_any(ids))).set((
        appointment::patient_id.eq(patient),
        appointment::last_change_origin.eq(origin),
        appointment::update_time.eq(now),
    ));
    let moved: Vec<Appointment> =
        Cached(statement.returning(Appointment::as_returning())).get_results(tx.conn()).await?;
    let changes = moved.iter().map(|row| Change::of(row, ChangeKind::Patient, origin, cause, now));
    change::insert_changes(tx, changes.collect()).await
}
