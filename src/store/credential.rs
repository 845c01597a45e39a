//! What opens providers' APIs to us, sealed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete, insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Double, Integer, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

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
    /// What was granted, as far as the provider says; empty for API keys.
    pub scopes: Vec<String>,
    /// When the access token runs out; absent for what does not.
    pub expire_time: Option<DateTime<Utc>>,
    /// From when on another access token is asked for.
    pub refresh_due_time: Option<DateTime<Utc>>,
}

/// What takes the place of a credential's secret so far.
#[derive(Debug, Clone)]
pub struct Renewed {
    pub kind: CredentialKind,
    pub sealed_secret: Vec<u8>,
    pub scopes: Vec<String>,
    pub expire_time: Option<DateTime<Utc>>,
    pub refresh_due_time: Option<DateTime<Utc>>,
    pub cause: String,
    pub time: DateTime<Utc>,
}

impl Credential {
    /// A fresh API key.
    pub fn api_key(
        id: CredentialId,
        integration_id: IntegrationId,
        sealed_secret: Vec<u8>,
        cause: &str,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            integration_id,
            kind: CredentialKind::ApiKey,
            sealed_secret,
            version: 1,
            cause: cause.into(),
            create_time: now,
            update_time: now,
            scopes: Vec::new(),
            expire_time: None,
            refresh_due_time: None,
        }
    }
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

/// The same, locked until the transaction ends.
pub async fn find_for_update(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<Credential>> {
    let query = credential::table
        .filter(credential::integration_id.eq(integration))
        .select(Credential::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Puts another secret in the place of the one so far, whoever asks for a token at this moment.
pub async fn replace(tx: &mut TenantTx, id: CredentialId, renewed: &Renewed) -> Result<()> {
    let changes = (
        credential::kind.eq(renewed.kind),
        credential::sealed_secret.eq(&renewed.sealed_secret),
        credential::scopes.eq(&renewed.scopes),
        credential::expire_time.eq(renewed.expire_time),
        credential::refresh_due_time.eq(renewed.refresh_due_time),
        credential::cause.eq(&renewed.cause),
        credential::update_time.eq(renewed.time),
        credential::version.eq(credential::version + 1),
        credential::refresh_lease_id.eq(None::<Uuid>),
        credential::refresh_lease_until.eq(None::<DateTime<Utc>>),
    );
    Cached(update(credential::table.filter(credential::id.eq(id))).set(changes)).execute(tx.conn()).await?;
    Ok(())
}

/// Takes the right to ask for another token in place of this version's, for so long by the database's clock.
/// `false`: somebody else has it, or was there already.
pub async fn lease(
    tx: &mut TenantTx,
    id: CredentialId,
    version: i32,
    lease: Uuid,
    duration: Duration,
) -> Result<bool> {
    let query = sql_query(
        "UPDATE credential SET refresh_lease_id = $3, \
             refresh_lease_until = now() + make_interval(secs => $4) \
         WHERE id = $1 AND version = $2 AND coalesce(refresh_lease_until <= now(), true)",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Integer, _>(version)
    .bind::<SqlUuid, _>(lease)
    .bind::<Double, _>(duration.as_secs_f64());
    Ok(Cached(query).execute(tx.conn()).await? == 1)
}

/// Gives that right back with nothing changed.
pub async fn end_lease(tx: &mut TenantTx, id: CredentialId, lease: Uuid) -> Result<()> {
    let held = credential::table.filter(credential::id.eq(id)).filter(credential::refresh_lease_id.eq(lease));
    let statement = update(held).set((
        credential::refresh_lease_id.eq(None::<Uuid>),
        credential::refresh_lease_until.eq(None::<DateTime<Utc>>),
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
