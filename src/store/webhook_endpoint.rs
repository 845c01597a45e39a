//! The addresses that providers post to, their secrets, and their shared limit.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, Selectable, SelectableHelper,
    insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Array, Bool, Integer, Timestamptz, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    Cached, TenantTx,
    schema::{subscription, webhook_activity, webhook_endpoint, webhook_secret},
};
use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, WebhookEndpointId, WebhookSecretId},
    page::{Page, Paged},
    words::SignatureScheme,
};

/// An address that a provider posts to.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoint, check_for_backend(diesel::pg::Pg))]
pub struct WebhookEndpoint {
    pub id: WebhookEndpointId,
    pub integration_id: IntegrationId,
    pub provider: String,
    pub name: String,
    pub token_hash: Vec<u8>,
    pub sealed_token: Vec<u8>,
    pub scheme: SignatureScheme,
    pub limit_per_minute: i32,
    pub create_time: DateTime<Utc>,
    pub disable_time: Option<DateTime<Utc>>,
    /// What the address began with when it was given out; absent for old ones.
    pub base_url: Option<String>,
    /// It stands for the one address of our client at the provider.
    pub is_clients: bool,
    /// Until when the provider may tell its secret, once; absent as soon as it has.
    pub handshake_expire_time: Option<DateTime<Utc>>,
}

/// A secret of an endpoint.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_secret, check_for_backend(diesel::pg::Pg))]
pub struct WebhookSecret {
    pub id: WebhookSecretId,
    pub webhook_endpoint_id: WebhookEndpointId,
    pub sealed_secret: Vec<u8>,
    pub create_time: DateTime<Utc>,
    pub expire_time: Option<DateTime<Utc>>,
    /// When a person saw it; absent while nobody has seen one that the provider told us.
    pub show_time: Option<DateTime<Utc>>,
}

/// Whether a delivery is taken, and is within the limit.
#[derive(Debug, QueryableByName)]
pub struct Admission {
    /// The endpoint is open, and all that the delivery was judged by is still valid.
    #[diesel(sql_type = Bool)]
    pub is_open: bool,
    #[diesel(sql_type = Bool)]
    pub admitted: bool,
    /// Seconds until the window ends.
    #[diesel(sql_type = Integer)]
    pub retry_after_s: i32,
    /// When it was admitted: later than all that the endpoint has kept, whichever instance that came to.
    #[diesel(sql_type = Timestamptz)]
    pub admit_time: DateTime<Utc>,
}

/// Adds an endpoint with its limit's row.
pub async fn insert(tx: &mut TenantTx, endpoint: &WebhookEndpoint) -> Result<()> {
    insert_into(webhook_endpoint::table).values(endpoint).execute(tx.conn()).await?;
    let row = (
        webhook_activity::webhook_endpoint_id.eq(endpoint.id),
        webhook_activity::integration_id.eq(endpoint.integration_id),
    );
    insert_into(webhook_activity::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// How many open endpoints the tenant has for deliveries of a provider.
pub async fn count_open(tx: &mut TenantTx, provider: &str) -> Result<i64> {
    let query = webhook_endpoint::table
        .filter(webhook_endpoint::provider.eq(provider))
        .filter(webhook_endpoint::disable_time.is_null())
        .count();
    Ok(query.get_result(tx.conn()).await?)
}

/// The endpoints of an integration that are open, oldest first.
pub async fn of_integration(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<WebhookEndpoint>> {
    let query = webhook_endpoint::table
        .filter(webhook_endpoint::integration_id.eq(integration))
        .filter(webhook_endpoint::disable_time.is_null())
        .order(webhook_endpoint::id)
        .select(WebhookEndpoint::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// What stands for the address of our client, for one integration.
pub async fn of_client(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<WebhookEndpoint>> {
    let query = webhook_endpoint::table
        .filter(webhook_endpoint::integration_id.eq(integration))
        .filter(webhook_endpoint::is_clients)
        .select(WebhookEndpoint::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// One endpoint.
pub async fn find(tx: &mut TenantTx, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
    let query =
        webhook_endpoint::table.filter(webhook_endpoint::id.eq(id)).select(WebhookEndpoint::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::WebhookEndpoint))
}

/// The same, locked until the transaction ends; deliveries to it go on.
pub async fn find_for_update(tx: &mut TenantTx, id: WebhookEndpointId) -> Result<WebhookEndpoint> {
    let query = webhook_endpoint::table
        .filter(webhook_endpoint::id.eq(id))
        .select(WebhookEndpoint::as_select())
        .for_no_key_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::WebhookEndpoint))
}

/// The endpoint whose address ends with the token of this hash, a disabled one too.
pub async fn find_by_token(tx: &mut TenantTx, token_hash: &[u8]) -> Result<Option<WebhookEndpoint>> {
    let query = webhook_endpoint::table
        .filter(webhook_endpoint::token_hash.eq(token_hash))
        .select(WebhookEndpoint::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Makes the addresses of an integration answer 404 that no subscription is at, that were made before
/// `until`, and whose secrets have expired by `now`.
pub async fn disable_leftovers(
    tx: &mut TenantTx,
    integration: IntegrationId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    use diesel::{BoolExpressionMethods, dsl::exists, dsl::not};
    let used = subscription::table
        .filter(subscription::tenant_id.eq(webhook_endpoint::tenant_id))
        .filter(subscription::webhook_endpoint_id.eq(webhook_endpoint::id));
    let valid = webhook_secret::table
        .filter(webhook_secret::tenant_id.eq(webhook_endpoint::tenant_id))
        .filter(webhook_secret::webhook_endpoint_id.eq(webhook_endpoint::id))
        .filter(webhook_secret::expire_time.is_null().or(webhook_secret::expire_time.gt(now)));
    let leftovers = webhook_endpoint::table
        .filter(webhook_endpoint::integration_id.eq(integration))
        .filter(webhook_endpoint::disable_time.is_null())
        .filter(webhook_endpoint::create_time.lt(until))
        .filter(not(exists(used)))
        .filter(not(exists(valid)));
    Cached(update(leftovers).set(webhook_endpoint::disable_time.eq(now))).execute(tx.conn()).await?;
    Ok(())
}

/// A page, newest first.
pub async fn list(
    tx: &mut TenantTx,
    page: &Page<WebhookEndpointId>,
) -> Result<Paged<WebhookEndpoint, WebhookEndpointId>> {
    let mut query = webhook_endpoint::table
        .order(webhook_endpoint::id.desc())
        .limit(page.limit())
        .select(WebhookEndpoint::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(webhook_endpoint::id.lt(after));
    }
    let rows = query.load(tx.conn()).await?;
    Ok(page.cut(rows, |row: &WebhookEndpoint| row.id))
}

/// Makes the address answer 404 from `now` on; its secrets end with it.
pub async fn disable(tx: &mut TenantTx, id: WebhookEndpointId, now: DateTime<Utc>) -> Result<()> {
    let open = webhook_endpoint::table
        .filter(webhook_endpoint::id.eq(id))
        .filter(webhook_endpoint::disable_time.is_null());
    Cached(update(open).set(webhook_endpoint::disable_time.eq(now))).execute(tx.conn()).await?;
    expire_secrets(tx, id, now).await
}

/// Uses up an endpoint's one handshake. False: it was used, is over, or never was to be.
pub async fn use_handshake(tx: &mut TenantTx, id: WebhookEndpointId, now: DateTime<Utc>) -> Result<bool> {
    let pending = webhook_endpoint::table
        .filter(webhook_endpoint::id.eq(id))
        .filter(webhook_endpoint::disable_time.is_null())
        .filter(webhook_endpoint::handshake_expire_time.gt(now));
    let used = webhook_endpoint::handshake_expire_time.eq(None::<DateTime<Utc>>);
    Ok(Cached(update(pending).set(used)).execute(tx.conn()).await? == 1)
}

/// Lets the provider tell its secret until `end`, once.
pub async fn await_handshake(tx: &mut TenantTx, id: WebhookEndpointId, end: DateTime<Utc>) -> Result<()> {
    let one = webhook_endpoint::table.filter(webhook_endpoint::id.eq(id));
    let awaited = webhook_endpoint::handshake_expire_time.eq(end);
    Cached(update(one).set(awaited)).execute(tx.conn()).await?;
    Ok(())
}

/// Uses up the one time that a secret may be shown. False: it was shown.
pub async fn show_secret(tx: &mut TenantTx, id: WebhookSecretId, now: DateTime<Utc>) -> Result<bool> {
    let unseen =
        webhook_secret::table.filter(webhook_secret::id.eq(id)).filter(webhook_secret::show_time.is_null());
    Ok(Cached(update(unseen).set(webhook_secret::show_time.eq(now))).execute(tx.conn()).await? == 1)
}

/// Keeps a secret.
pub async fn insert_secret(tx: &mut TenantTx, secret: &WebhookSecret) -> Result<()> {
    insert_into(webhook_secret::table).values(secret).execute(tx.conn()).await?;
    Ok(())
}

/// Lets the secrets so far expire at `at`, those that would not do so sooner.
pub async fn expire_secrets(tx: &mut TenantTx, endpoint: WebhookEndpointId, at: DateTime<Utc>) -> Result<()> {
    use diesel::BoolExpressionMethods;
    let valid = webhook_secret::table
        .filter(webhook_secret::webhook_endpoint_id.eq(endpoint))
        .filter(webhook_secret::expire_time.is_null().or(webhook_secret::expire_time.gt(at)));
    Cached(update(valid).set(webhook_secret::expire_time.eq(at))).execute(tx.conn()).await?;
    Ok(())
}

/// The secrets that are valid at `now`, newest first.
pub async fn secrets(
    tx: &mut TenantTx,
    endpoints: &[WebhookEndpointId],
    now: DateTime<Utc>,
) -> Result<Vec<WebhookSecret>> {
    use diesel::BoolExpressionMethods;
    let query = webhook_secret::table
        .filter(webhook_secret::webhook_endpoint_id.eq_any(endpoints))
        .filter(webhook_secret::expire_time.is_null().or(webhook_secret::expire_time.gt(now)))
        .order(webhook_secret::id.desc())
        .select(WebhookSecret::as_select());
    Ok(query.load(tx.conn()).await?)
}

/// When anything authentic last arrived at each endpoint.
pub async fn last_deliveries(
    tx: &mut TenantTx,
    endpoints: &[WebhookEndpointId],
) -> Result<Vec<(WebhookEndpointId, Option<DateTime<Utc>>)>> {
    let query = webhook_activity::table
        .filter(webhook_activity::webhook_endpoint_id.eq_any(endpoints))
        .select((webhook_activity::webhook_endpoint_id, webhook_activity::last_delivery_time));
    Ok(query.load(tx.conn()).await?)
}

/// Counts an authentic delivery against the shared limit; 0 is none. The row stays locked until the
/// transaction ends, which also makes the deliveries of one endpoint apply one by one; a refused one rolls
/// back and leaves no trace. A window begins with its first delivery and lasts 60 s by the database's clock,
/// the one clock that all instances share. `secrets` are those of the endpoint's own that the delivery was
/// judged by: somebody may have taken them back while it waited for the row.
pub async fn admit(
    tx: &mut TenantTx,
    endpoint: WebhookEndpointId,
    secrets: &[Uuid],
    limit_per_minute: i32,
) -> Result<Admission> {
    let query = sql_query(
        "UPDATE webhook_activity SET last_delivery_time = now(), \
             window_start_time = CASE WHEN window_start_time <= clock_timestamp() - interval '60 s' \
                 THEN clock_timestamp() ELSE window_start_time END, \
             window_count = CASE WHEN window_start_time <= clock_timestamp() - interval '60 s' THEN 1 \
                 ELSE window_count + 1 END \
         WHERE webhook_endpoint_id = $1 \
         RETURNING stellwerk_endpoint_takes($1, $3) AS is_open, $2 = 0 OR window_count <= $2 AS admitted, \
             greatest(1, ceil(60 - extract(epoch FROM clock_timestamp() - window_start_time)))::integer \
                 AS retry_after_s, \
             clock_timestamp() AS admit_time",
    );
    let bound = query
        .bind::<SqlUuid, _>(endpoint)
        .bind::<Integer, _>(limit_per_minute)
        .bind::<Array<SqlUuid>, _>(secrets);
    Ok(Cached(bound).get_result(tx.conn()).await?)
}
