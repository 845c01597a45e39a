//! Webhooks that we registered at providers, or want to.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::subscription};
use crate::{
    error::Result,
    ids::{IntegrationId, SubscriptionId, WebhookEndpointId},
    words::SubscriptionState,
};

/// A webhook of ours at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = subscription, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub integration_id: IntegrationId,
    pub webhook_endpoint_id: WebhookEndpointId,
    /// What it is about, as in `user` or `event_type/123`.
    pub resource: String,
    /// The provider's id of it, once it is there.
    pub external_id: Option<String>,
    pub state: SubscriptionState,
    /// Why it failed, a code.
    pub reason: Option<String>,
    pub check_time: Option<DateTime<Utc>>,
    pub create_time: DateTime<Utc>,
    /// When the provider last delivered, as it says itself.
    pub provider_success_time: Option<DateTime<Utc>>,
    pub provider_failure_time: Option<DateTime<Utc>>,
    /// When the provider will give it up unless a delivery succeeds before.
    pub provider_removal_time: Option<DateTime<Utc>>,
}

impl Subscription {
    /// One that is wanted and not there yet.
    pub fn new(
        integration: IntegrationId,
        endpoint: WebhookEndpointId,
        resource: String,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id: SubscriptionId::new(),
            integration_id: integration,
            webhook_endpoint_id: endpoint,
            resource,
            external_id: None,
            state: SubscriptionState::Pending,
            reason: None,
            check_time: None,
            create_time: now,
            provider_success_time: None,
            provider_failure_time: None,
            provider_removal_time: None,
        }
    }
}

/// Has all of an integration checked as if none had been before: what was refused may be allowed by now.
pub async fn check_anew(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    let all = subscription::table.filter(subscription::integration_id.eq(integration));
    let unchecked = subscription::check_time.eq(None::<DateTime<Utc>>);
    Cached(update(all).set(unchecked)).execute(tx.conn()).await?;
    Ok(())
}

/// All of an integration, oldest first.
pub async fn of_integration(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<Subscription>> {
    let query = subscription::table
        .filter(subscription::integration_id.eq(integration))
        .order(subscription::id)
        .select(Subscription::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// The one whose deliveries come to an endpoint; none once it was replaced.
pub async fn of_endpoint(tx: &mut TenantTx, endpoint: WebhookEndpointId) -> Result<Option<Subscription>> {
    let query = subscription::table
        .filter(subscription::webhook_endpoint_id.eq(endpoint))
        .select(Subscription::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Adds one that is wanted.
pub async fn insert(tx: &mut TenantTx, row: &Subscription) -> Result<()> {
    insert_into(subscription::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes one as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Subscription) -> Result<()> {
    Cached(update(subscription::table.filter(subscription::id.eq(row.id))).set(row))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets all of an integration.
pub async fn remove_of_integration(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    delete(subscription::table.filter(subscription::integration_id.eq(integration)))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets one that is gone at the provider.
pub async fn remove(tx: &mut TenantTx, id: SubscriptionId) -> Result<()> {
    delete(subscription::table.filter(subscription::id.eq(id))).execute(tx.conn()).await?;
    Ok(())
}
