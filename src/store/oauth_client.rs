//! Tenants' own registrations with providers.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete, insert_into,
    prelude::{Insertable, Queryable},
    upsert::excluded,
};
use diesel_async::RunQueryDsl;

use super::{TenantTx, schema::oauth_client};
use crate::{error::Result, ids::OAuthClientId, vault::Place};

/// A registration that a tenant made itself. Only for the server's own transactions.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = oauth_client, check_for_backend(diesel::pg::Pg))]
pub struct OAuthClient {
    pub id: OAuthClientId,
    /// The provider's key, as in `asana`.
    pub provider: String,
    pub client_id: String,
    pub sealed_secret: Vec<u8>,
    /// Who gave it.
    pub cause: String,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// The tenant's registration with a provider, if it has one of its own.
pub async fn find(tx: &mut TenantTx, provider: &str) -> Result<Option<OAuthClient>> {
    let query = oauth_client::table
        .filter(oauth_client::provider.eq(provider.to_owned()))
        .select(OAuthClient::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Keeps a registration in the place of the one so far. The row gets a new id, because its secret is bound
/// to it.
pub async fn put(tx: &mut TenantTx, row: &OAuthClient) -> Result<()> {
    insert_into(oauth_client::table)
        .values(row)
        .on_conflict((oauth_client::tenant_id, oauth_client::provider))
        .do_update()
        .set((
            oauth_client::id.eq(excluded(oauth_client::id)),
            oauth_client::client_id.eq(excluded(oauth_client::client_id)),
            oauth_client::sealed_secret.eq(excluded(oauth_client::sealed_secret)),
            oauth_client::cause.eq(excluded(oauth_client::cause)),
            oauth_client::update_time.eq(excluded(oauth_client::update_time)),
        ))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Destroys the tenant's registration with a provider.
pub async fn remove(tx: &mut TenantTx, provider: &str) -> Result<()> {
    let statement = delete(oauth_client::table.filter(oauth_client::provider.eq(provider.to_owned())));
    statement.execute(tx.conn()).await?;
    Ok(())
}

/// Where a registration's secret is sealed.
pub fn place(id: OAuthClientId) -> Place {
    Place { table: "oauth_client", column: "sealed_secret", row: id.0 }
}
