//! People's ways through providers' consent pages. The table has another name, because `authorization` is a
//! word of SQL's.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::oauth_authorization};
use crate::{
    error::{Error, Noun, Result},
    ids::{AuthorizationId, IntegrationId},
    vault::Place,
    words::AuthorizationState,
};

/// One person's way. Only for the server's own transactions.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = oauth_authorization, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Attempt {
    pub id: AuthorizationId,
    /// The provider's key, as in `asana`.
    pub provider: String,
    /// Which integration is connected again; absent for a new one.
    pub integration_id: Option<IntegrationId>,
    /// Who began it, and alone may complete it.
    pub subject: String,
    pub state: AuthorizationState,
    /// The code of why it failed.
    pub reason: Option<String>,
    /// Of the integration to be.
    pub name: String,
    pub read_only: bool,
    /// What was asked for.
    pub scopes: Vec<String>,
    pub placeholders: serde_json::Value,
    /// The registration it was begun with.
    pub client_id: String,
    pub redirect_uri: String,
    pub return_url: String,
    pub state_hash: Vec<u8>,
    pub sealed_verifier: Option<Vec<u8>>,
    pub sealed_code: Option<Vec<u8>>,
    pub completion_hash: Option<Vec<u8>>,
    pub made_integration_id: Option<IntegrationId>,
    pub create_time: DateTime<Utc>,
    pub expire_time: DateTime<Utc>,
    /// A new integration is asked for though the account may have one.
    pub is_another: bool,
}

/// Adds an attempt.
pub async fn insert(tx: &mut TenantTx, row: &Attempt) -> Result<()> {
    insert_into(oauth_authorization::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes an attempt as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Attempt) -> Result<()> {
    let statement = update(oauth_authorization::table.filter(oauth_authorization::id.eq(row.id))).set(row);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// An attempt, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: AuthorizationId) -> Result<Attempt> {
    let query = oauth_authorization::table
        .filter(oauth_authorization::id.eq(id))
        .select(Attempt::as_select())
        .for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Authorization))
}

/// The attempt whose completion code has this SHA-256, locked until the transaction ends. Errors: `NotFound`.
pub async fn of_completion_for_update(tx: &mut TenantTx, hash: &[u8]) -> Result<Attempt> {
    let query = oauth_authorization::table
        .filter(oauth_authorization::completion_hash.eq(hash.to_vec()))
        .select(Attempt::as_select())
        .for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Authorization))
}

/// Where an attempt's verifier is sealed.
pub fn verifier_place(id: AuthorizationId) -> Place {
    Place { table: "oauth_authorization", column: "sealed_verifier", row: id.0 }
}

/// Where an attempt's code is sealed.
pub fn code_place(id: AuthorizationId) -> Place {
    Place { table: "oauth_authorization", column: "sealed_code", row: id.0 }
}
