//! What happened to credentials. Only ever added to; no secret in it.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
};
use diesel_async::RunQueryDsl;

use super::{TenantTx, schema::credential_history};
use crate::{
    error::Result,
    ids::{CredentialChangeId, IntegrationId},
    page::{Page, Paged},
    words::CredentialEvent,
};

/// One change of an integration's credential.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = credential_history, check_for_backend(diesel::pg::Pg))]
pub struct CredentialChange {
    pub id: CredentialChangeId,
    pub integration_id: IntegrationId,
    pub event: CredentialEvent,
    /// The credential's version after it.
    pub version: i32,
    /// Who or what caused it: a subject, a schedule, `system`.
    pub cause: String,
    /// A code, where there is more to say.
    pub reason: Option<String>,
    pub create_time: DateTime<Utc>,
}

/// Adds a change.
pub async fn insert(tx: &mut TenantTx, row: &CredentialChange) -> Result<()> {
    insert_into(credential_history::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// A page of an integration's, newest first.
pub async fn list(
    tx: &mut TenantTx,
    integration: IntegrationId,
    page: &Page<CredentialChangeId>,
) -> Result<Paged<CredentialChange, CredentialChangeId>> {
    let mut query = credential_history::table
        .filter(credential_history::integration_id.eq(integration))
        .order(credential_history::id.desc())
        .limit(page.limit())
        .select(CredentialChange::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(credential_history::id.lt(after));
    }
    Ok(page.cut(query.load(tx.conn()).await?, |row: &CredentialChange| row.id))
}
