//! Users of a planning tool, and whose account each of them is.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use crate::{
    error::{Error, Noun, Result},
    ids::{ExternalUserId, IntegrationId, PractitionerId},
    page::{Page, Paged},
    store::{Cached, TenantTx, schema::external_user},
};

/// A user of a planning tool.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = external_user, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct ExternalUser {
    pub id: ExternalUserId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub name: String,
    /// Guests may have none.
    pub email: Option<String>,
    /// As `fold::email` makes it.
    pub email_folded: Option<String>,
    /// Whose account it is, once a person has said so.
    pub practitioner_id: Option<PractitionerId>,
    /// Who said so; present iff the practitioner is, and so is the time.
    pub mapped_by: Option<String>,
    pub map_time: Option<DateTime<Utc>>,
    /// When this user's absences were read last.
    pub absences_time: Option<DateTime<Utc>>,
    /// Since when the tool does not list it any more.
    pub missing_time: Option<DateTime<Utc>>,
    pub update_time: DateTime<Utc>,
}

/// One user. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ExternalUserId) -> Result<ExternalUser> {
    let query = external_user::table.filter(external_user::id.eq(id)).select(ExternalUser::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::ExternalUser))
}

/// One user, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: ExternalUserId) -> Result<ExternalUser> {
    let query =
        external_user::table.filter(external_user::id.eq(id)).select(ExternalUser::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::ExternalUser))
}

/// The user that the provider knows by this id.
pub async fn find_by_external_id(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<ExternalUser>> {
    let query = external_user::table
        .filter(external_user::integration_id.eq(integration))
        .filter(external_user::external_id.eq(external_id))
        .select(ExternalUser::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// All users of an integration, by their ids there.
pub async fn all_of(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<ExternalUser>> {
    let query = external_user::table
        .filter(external_user::integration_id.eq(integration))
        .order(external_user::external_id)
        .select(ExternalUser::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Adds a user.
pub async fn insert(tx: &mut TenantTx, row: &ExternalUser) -> Result<()> {
    insert_into(external_user::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes a user as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &ExternalUser) -> Result<()> {
    Cached(update(external_user::table.filter(external_user::id.eq(row.id))).set(row))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Which users a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    /// Only those that are nobody's account yet.
    pub unmapped_only: bool,
}

/// A page, in the order in which they were first seen.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<ExternalUserId>,
) -> Result<Paged<ExternalUser, ExternalUserId>> {
    let mut query = external_user::table
        .order(external_user::id)
        .limit(page.limit())
        .select(ExternalUser::as_select())
        .into_boxed();
    if let Some(integration) = filter.integration {
        query = query.filter(external_user::integration_id.eq(integration));
    }
    if filter.unmapped_only {
        query = query.filter(external_user::practitioner_id.is_null());
    }
    if let Some(after) = page.after {
        query = query.filter(external_user::id.gt(after));
    }
    Ok(page.cut(Cached(query).load(tx.conn()).await?, |row: &ExternalUser| row.id))
}

/// How many users of an integration there still are: mapped, and not.
pub async fn count(tx: &mut TenantTx, integration: IntegrationId) -> Result<(i64, i64)> {
    let users = external_user::table
        .filter(external_user::integration_id.eq(integration))
        .filter(external_user::missing_time.is_null());
    let mapped = users.filter(external_user::practitioner_id.is_not_null()).count();
    let unmapped = users.filter(external_user::practitioner_id.is_null()).count();
    Ok((mapped.get_result(tx.conn()).await?, unmapped.get_result(tx.conn()).await?))
}
