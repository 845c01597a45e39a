//! Providers' records of appointments, as last known there. Those of one appointment are its lineage.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{appointment, booking},
};
use crate::{
    error::Result,
    ids::{AppointmentId, BookingId, IntegrationId},
    words::{AppointmentStatus, BookingStatus},
};

/// One provider record.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = booking, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Booking {
    pub id: BookingId,
    pub integration_id: IntegrationId,
    /// The provider's uid; it gives whoever knows it the right to move and cancel, so it is never logged.
    pub external_id: String,
    pub appointment_id: Option<AppointmentId>,
    pub external_event_type_id: Option<String>,
    pub status: BookingStatus,
    pub start_time: Option<DateTime<Utc>>,
    pub end_time: Option<DateTime<Utc>>,
    pub successor_external_id: Option<String>,
    /// The one of its appointment that lives, or lived last.
    pub is_current: bool,
    /// The provider's own version when it was last read there.
    pub confirmed_time: Option<DateTime<Utc>>,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// The record with this uid, locked until the transaction ends.
pub async fn find_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<Booking>> {
    let query = booking::table
        .filter(booking::integration_id.eq(integration))
        .filter(booking::external_id.eq(external_id))
        .select(Booking::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The record with this uid.
pub async fn find(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<Booking>> {
    let query = booking::table
        .filter(booking::integration_id.eq(integration))
        .filter(booking::external_id.eq(external_id))
        .select(Booking::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The record that was moved to this uid.
pub async fn predecessor(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<Booking>> {
    let query = booking::table
        .filter(booking::integration_id.eq(integration))
        .filter(booking::successor_external_id.eq(external_id))
        .order(booking::id)
        .select(Booking::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// All records of an appointment, oldest first.
pub async fn lineage(tx: &mut TenantTx, appointment: AppointmentId) -> Result<Vec<Booking>> {
    let query = booking::table
        .filter(booking::appointment_id.eq(appointment))
        .order(booking::id)
        .select(Booking::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// All records of these appointments.
pub async fn of_appointments(tx: &mut TenantTx, appointments: &[AppointmentId]) -> Result<Vec<Booking>> {
    let query =
        booking::table.filter(booking::appointment_id.eq_any(appointments)).select(Booking::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// The record of an appointment that lives, or lived last.
pub async fn current(tx: &mut TenantTx, appointment: AppointmentId) -> Result<Option<Booking>> {
    let query = booking::table
        .filter(booking::appointment_id.eq(appointment))
        .filter(booking::is_current)
        .select(Booking::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Adds a record.
pub async fn insert(tx: &mut TenantTx, row: &Booking) -> Result<()> {
    insert_into(booking::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes a record as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Booking) -> Result<()> {
    Cached(update(booking::table.filter(booking::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// Records of an integration that live as far as is known and begin in this span, `until` excluded, by start
/// time: what a sweep compares. Those written since `known_since` are left out:
/// the provider was asked before.
pub async fn living(
    tx: &mut TenantTx,
    integration: IntegrationId,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    known_since: DateTime<Utc>,
) -> Result<Vec<Booking>> {
    let mut query = booking::table
        .filter(booking::integration_id.eq(integration))
        .filter(booking::is_current)
        .filter(booking::start_time.ge(from))
        .filter(booking::status.eq_any([BookingStatus::Pending, BookingStatus::Accepted]))
        .filter(booking::update_time.lt(known_since))
        .order((booking::start_time, booking::id))
        .select(Booking::as_select())
        .into_boxed();
    if let Some(until) = until {
        query = query.filter(booking::start_time.lt(until));
    }
    Ok(query.load(tx.conn()).await?)
}

/// The uids of an integration's accepted bookings that were over at this time, and whose appointments are
/// booked though they were over, too; at most `limit`, by start time.
pub async fn over(
    tx: &mut TenantTx,
    integration: IntegrationId,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<String>> {
    let query = booking::table
        .inner_join(appointment::table.on(booking::appointment_id.eq(appointment::id.nullable())))
        .filter(booking::integration_id.eq(integration))
        .filter(booking::is_current)
        .filter(booking::status.eq(BookingStatus::Accepted))
        .filter(booking::end_time.lt(at))
        .filter(appointment::status.eq(AppointmentStatus::Booked))
        .filter(appointment::end_time.lt(at))
        .order((appointment::start_time, appointment::id))
        .limit(limit)
        .select(booking::external_id);
    Ok(query.load(tx.conn()).await?)
}
