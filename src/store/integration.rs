//! A tenant's links with providers.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    PgExpressionMethods, QueryDsl, QueryResult, Selectable, SelectableHelper,
    dsl::max,
    insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{
    Cached, TenantTx,
    schema::{integration, webhook_activity},
};
use crate::{
    error::{Error, Noun, Result},
    ids::IntegrationId,
    page::{Page, Paged},
    words::IntegrationState,
};

/// A tenant's link with one provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = integration, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Integration {
    pub id: IntegrationId,
    /// The provider's key, as in `booking`.
    pub provider: String,
    pub name: String,
    pub create_time: DateTime<Utc>,
    pub state: IntegrationState,
    /// The reason code of a state that is not connected.
    pub state_reason: Option<String>,
    /// Where the provider's API is, without a trailing slash; only for providers that are asked.
    pub instance_url: Option<String>,
    /// The provider's id of the account behind the credential.
    pub account_id: Option<String>,
    pub account_name: Option<String>,
    /// Deliveries are kept, and applied when the pause ends.
    pub inbound_paused: bool,
    /// Writes wait.
    pub outbound_paused: bool,
    /// Nothing is ever written there.
    pub read_only: bool,
    pub update_time: DateTime<Utc>,
    /// What the tenant said about the parts of the provider's URLs that differ between tenants, by name.
    pub placeholders: serde_json::Value,
    /// The account as the provider named it beside a grant; absent for API keys and once disconnected.
    pub granted_account_id: Option<String>,
    /// No data flow without a consent that lives; see `domain::consent`.
    pub consent_required: bool,
}

/// When a provider last gave a sign of life.
#[derive(Debug, Clone, Queryable)]
pub struct Freshness {
    pub integration_id: IntegrationId,
    pub name: String,
    pub last_delivery_time: Option<DateTime<Utc>>,
}

impl Integration {
    /// A fresh one that is connected.
    pub fn new(id: IntegrationId, provider: &str, name: &str, now: DateTime<Utc>) -> Self {
        Self {
            id,
            provider: provider.into(),
            name: name.into(),
            create_time: now,
            state: IntegrationState::Connected,
            state_reason: None,
            instance_url: None,
            account_id: None,
            account_name: None,
            inbound_paused: false,
            outbound_paused: false,
            read_only: false,
            update_time: now,
            placeholders: serde_json::json!({}),
            granted_account_id: None,
            consent_required: false,
        }
    }
}

/// States of what was not ended.
const LIVING: [IntegrationState; 2] = [IntegrationState::Connected, IntegrationState::NeedsReconnect];

/// The integration with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: IntegrationId) -> Result<Integration> {
    let query = integration::table.filter(integration::id.eq(id)).select(Integration::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Integration))
}

/// The same, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: IntegrationId) -> Result<Integration> {
    let query = integration::table
        .filter(integration::id.eq(id))
        .select(Integration::as_select())
        .for_no_key_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Integration))
}

/// The integration that an account of an instance is linked by, or was last,
/// locked until the transaction ends.
pub async fn of_account_for_update(
    tx: &mut TenantTx,
    provider: &str,
    instance_url: &str,
    account_id: &str,
) -> Result<Option<Integration>> {
    let query = integration::table
        .filter(integration::provider.eq(provider))
        .filter(integration::instance_url.eq(instance_url))
        .filter(integration::account_id.eq(account_id))
        .order(integration::id.desc())
        .select(Integration::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The integration that an account is connected with, or was last, where a provider may have no instances:
/// the newest of several. Locked until the transaction ends.
pub async fn of_granted_account_for_update(
    tx: &mut TenantTx,
    provider: &str,
    instance_url: Option<&str>,
    account_id: &str,
) -> Result<Option<Integration>> {
    let query = integration::table
        .filter(integration::provider.eq(provider))
        .filter(integration::instance_url.is_not_distinct_from(instance_url))
        .filter(integration::account_id.eq(account_id))
        .order((integration::state.eq_any(LIVING).desc(), integration::id.desc()))
        .select(Integration::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// How many integrations the tenant has, ended ones too.
pub async fn count(tx: &mut TenantTx) -> Result<i64> {
    Ok(integration::table.count().get_result(tx.conn()).await?)
}

/// The integrations with a provider that were not ended, oldest first.
pub async fn of_provider(tx: &mut TenantTx, provider: &str) -> Result<Vec<Integration>> {
    let query = integration::table
        .filter(integration::provider.eq(provider))
        .filter(integration::state.eq_any(LIVING))
        .order(integration::id)
        .select(Integration::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// A page, oldest first; only of one provider if it is named.
pub async fn list(
    tx: &mut TenantTx,
    provider: Option<&str>,
    page: &Page<IntegrationId>,
) -> Result<Paged<Integration, IntegrationId>> {
    let mut query = integration::table
        .order(integration::id)
        .limit(page.limit())
        .select(Integration::as_select())
        .into_boxed();
    if let Some(provider) = provider {
        query = query.filter(integration::provider.eq(provider.to_owned()));
    }
    if let Some(after) = page.after {
        query = query.filter(integration::id.gt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &Integration| row.id))
}

/// Adds an integration.
pub async fn insert(tx: &mut TenantTx, row: &Integration) -> Result<()> {
    insert_into(integration::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes an integration as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Integration) -> Result<()> {
    Cached(update(integration::table.filter(integration::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// How old the copies of these providers' records may be, oldest integration first.
pub async fn freshness(tx: &mut TenantTx, providers: &[&str]) -> Result<Vec<Freshness>> {
    let query = integration::table
        .left_join(webhook_activity::table.on(webhook_activity::integration_id.eq(integration::id)))
        .filter(integration::provider.eq_any(providers))
        .group_by((integration::id, integration::name))
        .order(integration::id)
        .select((integration::id, integration::name, max(webhook_activity::last_delivery_time.nullable())));
    Ok(query.load(tx.conn()).await?)
}

/// When an integration's provider last gave a sign of life.
pub async fn last_delivery_time(tx: &mut TenantTx, id: IntegrationId) -> Result<Option<DateTime<Utc>>> {
    Ok(last_delivery(tx.conn().shared().await?, id).await?)
}

pub(in crate::store) async fn last_delivery(
    mut conn: &AsyncPgConnection,
    id: IntegrationId,
) -> QueryResult<Option<DateTime<Utc>>> {
    let query = webhook_activity::table
        .filter(webhook_activity::integration_id.eq(id))
        .select(max(webhook_activity::last_delivery_time));
    query.first(&mut conn).await
}
