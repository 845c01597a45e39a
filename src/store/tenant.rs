//! Tenants, their settings and their data keys.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::Queryable, update,
};
use diesel_async::RunQueryDsl;

use super::{
    Cached, TenantTx,
    schema::{tenant, tenant_key},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{PractitionerId, TenantId},
    vault::WrappedTenantKey,
};

/// Owns everything below it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = tenant, check_for_backend(diesel::pg::Pg))]
pub struct Tenant {
    #[diesel(column_name = tenant_id)]
    pub id: TenantId,
    pub name: String,
    pub default_practitioner_id: Option<PractitionerId>,
    pub booking_url: Option<String>,
    pub time_zone: String,
    pub phone_region: String,
    pub webhook_limit_per_minute: i32,
    pub hold_duration_s: i32,
    pub event_retention_months: i32,
    pub create_time: DateTime<Utc>,
    /// Where people may be sent back to from a provider's consent page.
    pub return_urls: Vec<String>,
}

/// The transaction's own tenant.
pub async fn current(tx: &mut TenantTx) -> Result<Tenant> {
    let found = tenant::table.select(Tenant::as_select()).first(tx.conn()).await.optional()?;
    found.ok_or(Error::NotFound(Noun::Tenant))
}

/// Adds the transaction's tenant unless it is there already.
pub async fn insert_if_absent(tx: &mut TenantTx, name: &str, time_zone: &str) -> Result<()> {
    let id = tx.tenant();
    insert_into(tenant::table)
        .values((tenant::tenant_id.eq(id), tenant::name.eq(name), tenant::time_zone.eq(time_zone)))
        .on_conflict_do_nothing()
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Writes the settings as they stand in `changed`.
pub async fn update_settings(tx: &mut TenantTx, changed: &Tenant) -> Result<()> {
    let statement = update(tenant::table).set((
        tenant::default_practitioner_id.eq(changed.default_practitioner_id),
        tenant::booking_url.eq(changed.booking_url.as_deref()),
        tenant::time_zone.eq(&changed.time_zone),
        tenant::phone_region.eq(&changed.phone_region),
        tenant::webhook_limit_per_minute.eq(changed.webhook_limit_per_minute),
        tenant::hold_duration_s.eq(changed.hold_duration_s),
        tenant::event_retention_months.eq(changed.event_retention_months),
        tenant::return_urls.eq(&changed.return_urls),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// The tenant's data key as it is kept. Only for the server's own transactions.
pub async fn find_key(tx: &mut TenantTx) -> Result<Option<WrappedTenantKey>> {
    let found = tenant_key::table
        .select((tenant_key::id, tenant_key::root_key_id, tenant_key::wrapped_key))
        .first(tx.conn())
        .await
        .optional()?;
    Ok(found.map(|(id, root_key_id, wrapped_key)| WrappedTenantKey { id, root_key_id, wrapped_key }))
}

/// The same, locked until the transaction ends.
pub async fn find_key_for_update(tx: &mut TenantTx) -> Result<Option<WrappedTenantKey>> {
    let found = tenant_key::table
        .select((tenant_key::id, tenant_key::root_key_id, tenant_key::wrapped_key))
        .for_update()
        .first(tx.conn())
        .await
        .optional()?;
    Ok(found.map(|(id, root_key_id, wrapped_key)| WrappedTenantKey { id, root_key_id, wrapped_key }))
}

/// Keeps a data key as another root key wraps it.
pub async fn rewrap_key(tx: &mut TenantTx, key: &WrappedTenantKey) -> Result<()> {
    let wrapped =
        (tenant_key::root_key_id.eq(&key.root_key_id), tenant_key::wrapped_key.eq(&key.wrapped_key));
    update(tenant_key::table.filter(tenant_key::id.eq(key.id))).set(wrapped).execute(tx.conn()).await?;
    Ok(())
}

/// Keeps a new data key unless the tenant has one.
pub async fn insert_key_if_absent(tx: &mut TenantTx, key: &WrappedTenantKey) -> Result<()> {
    insert_into(tenant_key::table)
        .values((
            tenant_key::id.eq(key.id),
            tenant_key::root_key_id.eq(&key.root_key_id),
            tenant_key::wrapped_key.eq(&key.wrapped_key),
        ))
        .on_conflict_do_nothing()
        .execute(tx.conn())
        .await?;
    Ok(())
}
