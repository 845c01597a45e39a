//! What providers let be booked, and which service of which practitioner it is here.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::event_type};
use crate::{
    error::Result,
    ids::{EventTypeId, IntegrationId, PractitionerId, ServiceId},
};

/// Something that can be booked at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = event_type, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct EventType {
    pub id: EventTypeId,
    pub integration_id: IntegrationId,
    /// With `external_id` unique over all tenants: nobody takes over another's bookings by registering its
    /// number.
    pub instance_url: String,
    pub external_id: String,
    pub slug: String,
    pub title: String,
    pub service_id: Option<ServiceId>,
    pub practitioner_id: Option<PractitionerId>,
    pub length_minutes: i32,
    /// Other lengths that may be booked.
    pub length_options: Vec<i32>,
    pub requires_confirmation: bool,
    pub is_seated: bool,
    pub is_recurring: bool,
    /// Why nothing is booked there from here.
    pub unsupported_reason: Option<String>,
    /// Gone at the provider.
    pub archived: bool,
    pub check_time: DateTime<Utc>,
}

/// The one with this id at the provider.
pub async fn find(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<EventType>> {
    let query = event_type::table
        .filter(event_type::integration_id.eq(integration))
        .filter(event_type::external_id.eq(external_id))
        .select(EventType::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Where a service of a practitioner is booked, oldest first. Archived ones are left out.
pub async fn of_service(
    tx: &mut TenantTx,
    service: ServiceId,
    practitioner: PractitionerId,
) -> Result<Vec<EventType>> {
    let query = event_type::table
        .filter(event_type::service_id.eq(service))
        .filter(event_type::practitioner_id.eq(practitioner))
        .filter(event_type::archived.eq(false))
        .order(event_type::id)
        .select(EventType::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// All of an integration, archived ones too, oldest first.
pub async fn of_integration(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<EventType>> {
    let query = event_type::table
        .filter(event_type::integration_id.eq(integration))
        .order(event_type::id)
        .select(EventType::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// Adds one. False: another integration has that event type.
pub async fn insert(tx: &mut TenantTx, row: &EventType) -> Result<bool> {
    let statement = insert_into(event_type::table).values(row).on_conflict_do_nothing();
    Ok(Cached(statement).execute(tx.conn()).await? == 1)
}

/// Writes one as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &EventType) -> Result<()> {
    Cached(update(event_type::table.filter(event_type::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// Gives up all of an integration: another tenant may own them tomorrow.
pub async fn remove_of_integration(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    delete(event_type::table.filter(event_type::integration_id.eq(integration))).execute(tx.conn()).await?;
    Ok(())
}
