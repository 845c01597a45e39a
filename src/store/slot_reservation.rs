//! What providers keep from their booking pages while a slot is held here.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::slot_reservation};
use crate::{
    error::Result,
    ids::{AppointmentId, IntegrationId},
};

/// A hint at a provider, for one hold.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = slot_reservation, check_for_backend(diesel::pg::Pg))]
pub struct SlotReservation {
    pub appointment_id: AppointmentId,
    pub integration_id: IntegrationId,
    /// Whoever knows it can take the reservation back, so it is never logged.
    pub external_id: String,
    /// When the provider forgets it by itself.
    pub expire_time: DateTime<Utc>,
}

/// Keeps one, unless the hold has one already. What providers have forgotten since is forgotten here, too.
pub async fn insert(tx: &mut TenantTx, row: &SlotReservation, now: DateTime<Utc>) -> Result<()> {
    let over = slot_reservation::table.filter(slot_reservation::expire_time.le(now));
    Cached(delete(over)).execute(tx.conn()).await?;
    let statement = insert_into(slot_reservation::table).values(row).on_conflict_do_nothing();
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// The one of a hold.
pub async fn find(tx: &mut TenantTx, appointment: AppointmentId) -> Result<Option<SlotReservation>> {
    let query = slot_reservation::table
        .filter(slot_reservation::appointment_id.eq(appointment))
        .select(SlotReservation::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Forgets the one of a hold.
pub async fn remove(tx: &mut TenantTx, appointment: AppointmentId) -> Result<()> {
    let gone = slot_reservation::table.filter(slot_reservation::appointment_id.eq(appointment));
    Cached(delete(gone)).execute(tx.conn()).await?;
    Ok(())
}
