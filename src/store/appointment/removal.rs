//! Removing appointments. Their history goes with them; that they are gone stays, for who watches.

use diesel::{ExpressionMethods, QueryDsl, SelectableHelper, delete, insert_into, prelude::Insertable};
use diesel_async::RunQueryDsl;

use super::Appointment;
use crate::{
    error::Result,
    ids::{AppointmentChangeId, AppointmentId, PatientId, PractitionerId},
    store::{
        TenantTx,
        schema::{appointment, appointment_removal},
    },
};

/// An appointment that is gone, and whose it was.
#[derive(Insertable)]
#[diesel(table_name = appointment_removal)]
struct Removal {
    /// Stands among the ids of changes.
    id: AppointmentChangeId,
    appointment_id: AppointmentId,
    practitioner_id: Option<PractitionerId>,
    patient_id: Option<PatientId>,
}

/// Deletes an appointment with its history.
pub async fn remove(tx: &mut TenantTx, id: AppointmentId) -> Result<()> {
    let statement = delete(appointment::table.filter(appointment::id.eq(id)));
    let removed = statement.returning(Appointment::as_returning()).get_results(tx.conn()).await?;
    note(tx, &removed).await
}

/// Deletes all appointments of a person with their history, and returns them: their slots are free.
pub async fn remove_of_patient(tx: &mut TenantTx, patient: PatientId) -> Result<Vec<Appointment>> {
    let statement = delete(appointment::table.filter(appointment::patient_id.eq(patient)));
    let removed = statement.returning(Appointment::as_returning()).get_results(tx.conn()).await?;
    note(tx, &removed).await?;
    Ok(removed)
}

/// Writes down that these are gone.
async fn note(tx: &mut TenantTx, removed: &[Appointment]) -> Result<()> {
    let removal = |row: &Appointment| Removal {
        id: AppointmentChangeId::new(),
        appointment_id: row.id,
        practitioner_id: row.practitioner_id,
        patient_id: row.patient_id,
    };
    // As many as a statement can bind.
    for some in removed.chunks(1000) {
        let rows: Vec<_> = some.iter().map(removal).collect();
        tx.tell();
        insert_into(appointment_removal::table).values(&rows).execute(tx.conn()).await?;
    }
    Ok(())
}
