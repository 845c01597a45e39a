//! What opens providers' APIs to us, sealed.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::credential};
use crate::{
    error::Result,
    ids::{CredentialId, IntegrationId},
    vault::Place,
    words::CredentialKind,
};

/// An integration's secrets. Only for the server's own transactions.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = credential, check_for_backend(diesel::pg::Pg))]
pub struct Credential {
    pub id: CredentialId,
    pub integration_id: IntegrationId,
    pub kind: CredentialKind,
    pub sealed_secret: Vec<u8>,
    pub version: i32,
    /// Who gave it.
    pub cause: String,
    pub create_time: DateTime<Utc>,
    pub update_time: DateTime<Utc>,
}

/// Keeps a credential.
pub async fn insert(tx: &mut TenantTx, row: &Credential) -> Result<()> {
    insert_into(credential::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// The credential of an integration, if it has one.
pub async fn find(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<Credential>> {
    let query =
        credential::table.filter(credential::integration_id.eq(integration)).select(Credential::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Puts another secret in the place of the one so far.
pub async fn replace(
    tx: &mut TenantTx,
    id: CredentialId,
    sealed_secret: &[u8],
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let statement = update(credential::table.filter(credential::id.eq(id))).set((
        credential::sealed_secret.eq(sealed_secret),
        credential::version.eq(credential::version + 1),
        credential::cause.eq(cause),
        credential::update_time.eq(now),
    ));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Destroys the credential of an integration.
pub async fn remove(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    delete(credential::table.filter(credential::integration_id.eq(integration))).execute(tx.conn()).await?;
    Ok(())
}

/// Where a credential is sealed.
pub fn place(id: CredentialId) -> Place {
    Place { table: "credential", column: "sealed_secret", row: id.0 }
}
