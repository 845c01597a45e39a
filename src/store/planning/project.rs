//! Projects of a planning tool.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;

use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, ProjectId},
    store::{Cached, TenantTx, schema::project},
    words::Presence,
};

/// A project of a planning tool.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = project, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Project {
    pub id: ProjectId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub name: String,
    pub start_date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    pub is_archived: bool,
    /// Whether its tasks can have an area; without the field they are no phases.
    pub has_area_field: bool,
    /// Whether its tasks can have planned hours.
    pub has_hours_field: bool,
    pub presence: Presence,
    /// Since when it is not present; only then.
    pub missing_time: Option<DateTime<Utc>>,
    /// The tool's own time of its last change.
    pub external_update_time: Option<DateTime<Utc>>,
    /// When its phases were read completely last.
    pub sync_time: Option<DateTime<Utc>>,
    pub update_time: DateTime<Utc>,
}

/// One project. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: ProjectId) -> Result<Project> {
    let query = project::table.filter(project::id.eq(id)).select(Project::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Project))
}

/// The project that the provider knows by this id.
pub async fn find_by_external_id(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<Project>> {
    let query = project::table
        .filter(project::integration_id.eq(integration))
        .filter(project::external_id.eq(external_id))
        .select(Project::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// All projects of an integration, gone ones too, by their ids there.
pub async fn all_of(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<Project>> {
    let query = project::table
        .filter(project::integration_id.eq(integration))
        .order(project::external_id)
        .select(Project::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Adds a project.
pub async fn insert(tx: &mut TenantTx, row: &Project) -> Result<()> {
    insert_into(project::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes a project as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Project) -> Result<()> {
    Cached(update(project::table.filter(project::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}
