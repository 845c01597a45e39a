//! A tenant's links with providers.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl, Selectable,
    SelectableHelper, dsl::max, insert_into, prelude::Queryable,
};
use diesel_async::RunQueryDsl;

use super::{
    TenantTx,
    schema::{integration, webhook_activity},
};
use crate::{
    error::{Error, Noun, Result},
    ids::IntegrationId,
};

/// Providers whose deliveries keep a copy here fresh.
const MIRRORED_PROVIDERS: [&str; 1] = ["booking"];

/// A tenant's link with one provider.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = integration, check_for_backend(diesel::pg::Pg))]
pub struct Integration {
    pub id: IntegrationId,
    /// The provider's key, as in `booking`.
    pub provider: String,
    pub name: String,
    pub create_time: DateTime<Utc>,
}

/// When a provider last gave a sign of life.
#[derive(Debug, Clone, Queryable)]
pub struct Freshness {
    pub integration_id: IntegrationId,
    pub name: String,
    pub last_delivery_time: Option<DateTime<Utc>>,
}

/// The integration with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: IntegrationId) -> Result<Integration> {
    let query = integration::table.filter(integration::id.eq(id)).select(Integration::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Integration))
}

/// The oldest integration with a provider.
pub async fn first_of_provider(tx: &mut TenantTx, provider: &str) -> Result<Option<Integration>> {
    let query = integration::table
        .filter(integration::provider.eq(provider))
        .order(integration::id)
        .select(Integration::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Adds an integration.
pub async fn insert(tx: &mut TenantTx, id: IntegrationId, provider: &str, name: &str) -> Result<Integration> {
    Ok(insert_into(integration::table)
        .values((integration::id.eq(id), integration::provider.eq(provider), integration::name.eq(name)))
        .returning(Integration::as_returning())
        .get_result(tx.conn())
        .await?)
}

/// How old the copies of providers' records may be, oldest integration first.
pub async fn freshness(tx: &mut TenantTx) -> Result<Vec<Freshness>> {
    let query = integration::table
        .left_join(webhook_activity::table.on(webhook_activity::integration_id.eq(integration::id)))
        .filter(integration::provider.eq_any(MIRRORED_PROVIDERS))
        .group_by((integration::id, integration::name))
        .order(integration::id)
        .select((integration::id, integration::name, max(webhook_activity::last_delivery_time.nullable())));
    Ok(query.load(tx.conn()).await?)
}
