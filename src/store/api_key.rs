//! API keys. Of their secrets only hashes are kept; `resolve` finds a key by one.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Selectable, SelectableHelper, dsl::now,
    insert_into, prelude::Queryable, update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::api_key};
use crate::{
    error::{Error, Noun, Result},
    ids::ApiKeyId,
    page::{Page, Paged},
    words::{Origin, Role},
};

/// A caller's key, without its secret.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = api_key, check_for_backend(diesel::pg::Pg))]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// The first characters of the secret, to tell keys apart.
    pub prefix: String,
    pub role: Role,
    pub scopes: Vec<String>,
    pub origin: Origin,
    pub create_time: DateTime<Utc>,
    pub expire_time: Option<DateTime<Utc>>,
    pub revoke_time: Option<DateTime<Utc>>,
    /// To the minute.
    pub last_use_time: Option<DateTime<Utc>>,
}

/// A key on its way in.
#[derive(Insertable)]
#[diesel(table_name = api_key, treat_none_as_default_value = false)]
pub struct NewApiKey<'a> {
    pub id: ApiKeyId,
    pub name: &'a str,
    pub prefix: &'a str,
    pub secret_hash: &'a [u8],
    pub role: Role,
    pub scopes: &'a [String],
    pub origin: Origin,
    pub expire_time: Option<DateTime<Utc>>,
}

/// The key with this id. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ApiKeyId) -> Result<ApiKey> {
    let found = api_key::table.filter(api_key::id.eq(id)).select(ApiKey::as_select()).first(tx.conn()).await;
    found.optional()?.ok_or(Error::NotFound(Noun::ApiKey))
}

/// Newest first.
pub async fn list(tx: &mut TenantTx, page: &Page<ApiKeyId>) -> Result<Paged<ApiKey, ApiKeyId>> {
    let mut query = api_key::table.select(ApiKey::as_select()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(api_key::id.lt(after));
    }
    let rows = query.order(api_key::id.desc()).limit(page.limit()).load(tx.conn()).await?;
    Ok(page.cut(rows, |row| row.id))
}

/// Adds a key unless its id is there already. Returns whether it was added.
pub async fn insert_if_absent(tx: &mut TenantTx, key: &NewApiKey<'_>) -> Result<bool> {
    let added = insert_into(api_key::table).values(key).on_conflict_do_nothing().execute(tx.conn()).await?;
    Ok(added == 1)
}

/// Ends a key now; one that was ended before keeps its time. Errors: `NotFound`.
pub async fn revoke(tx: &mut TenantTx, id: ApiKeyId) -> Result<ApiKey> {
    let working = api_key::table.filter(api_key::id.eq(id)).filter(api_key::revoke_time.is_null());
    Cached(update(working).set(api_key::revoke_time.eq(now))).execute(tx.conn()).await?;
    find(tx, id).await
}
