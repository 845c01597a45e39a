//! Projects of a planning tool.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, QueryableByName, Selectable,
    SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Array, BigInt, Bool, Numeric, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;

use crate::{
    error::{Error, Noun, Result},
    ids::{IntegrationId, PhaseId, ProjectId},
    page::{Page, Paged},
    store::{
        Cached, TenantTx,
        planning::settings::PlanningSettings,
        schema::{phase_project, project},
    },
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

/// Which of the mapped fields the projects have that are present and not archived.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct Fields {
    /// One of them was read completely once, so that its tasks could have an area.
    #[diesel(sql_type = Bool)]
    was_read: bool,
    #[diesel(sql_type = Bool)]
    has_area: bool,
    /// One that has the area's has the hours' as well.
    #[diesel(sql_type = Bool)]
    has_hours: bool,
}

/// No project has the field of the area any more.
pub const AREA_FIELD_LOST: &str = "AREA_FIELD_LOST";
/// No project whose phases are read has the field of the planned hours.
pub const HOURS_FIELD_LOST: &str = "HOURS_FIELD_LOST";

impl Fields {
    /// Which mapped field somebody has to map anew. Of a mapping by which nothing was read yet nobody knows.
    pub fn lost(&self, settings: &PlanningSettings) -> Option<&'static str> {
        let is_known = self.was_read && settings.initial_sync_time >= settings.mapping_time;
        match (self.has_area, self.has_hours) {
            (false, _) if is_known && settings.area_field_id.is_some() => Some(AREA_FIELD_LOST),
            (_, false) if is_known && settings.hours_field_id.is_some() => Some(HOURS_FIELD_LOST),
            _ => None,
        }
    }
}

/// What the projects of an integration have.
pub async fn fields(tx: &mut TenantTx, integration: IntegrationId) -> Result<Fields> {
    let query = sql_query(
        "SELECT coalesce(bool_or(sync_time IS NOT NULL), false) AS was_read, \
             coalesce(bool_or(has_area_field), false) AS has_area, \
             coalesce(bool_or(has_area_field AND has_hours_field), false) AS has_hours \
         FROM project WHERE integration_id = $1 AND presence = 'present' AND NOT is_archived",
    );
    Ok(Cached(query.bind::<SqlUuid, _>(integration)).get_result(tx.conn()).await?)
}

/// Which projects a list shows.
#[derive(Debug, Default)]
pub struct Filter {
    pub integration: Option<IntegrationId>,
    /// Only those whose tasks are phases.
    pub with_phases_only: bool,
    pub include_archived: bool,
    /// None: those that are present or missing.
    pub presence: Option<Presence>,
}

/// What the phases of a project add up to, those that are gone or detached left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Totals {
    #[diesel(sql_type = SqlUuid)]
    pub project_id: ProjectId,
    #[diesel(sql_type = BigInt)]
    pub phases: i64,
    #[diesel(sql_type = BigInt)]
    pub completed_phases: i64,
    #[diesel(sql_type = Numeric)]
    pub planned_hours: Decimal,
    #[diesel(sql_type = BigInt)]
    pub actual_minutes: i64,
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

/// A page, in the order in which they were first seen.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &Page<ProjectId>,
) -> Result<Paged<Project, ProjectId>> {
    let mut query =
        project::table.order(project::id).limit(page.limit()).select(Project::as_select()).into_boxed();
    query = match filter.presence {
        Some(presence) => query.filter(project::presence.eq(presence)),
        None => query.filter(project::presence.eq_any([Presence::Present, Presence::Missing])),
    };
    if let Some(integration) = filter.integration {
        query = query.filter(project::integration_id.eq(integration));
    }
    if filter.with_phases_only {
        query = query.filter(project::has_area_field.eq(true));
    }
    if !filter.include_archived {
        query = query.filter(project::is_archived.eq(false));
    }
    if let Some(after) = page.after {
        query = query.filter(project::id.gt(after));
    }
    Ok(page.cut(Cached(query).load(tx.conn()).await?, |row: &Project| row.id))
}

/// What the phases of these projects add up to; nothing for a project without any.
pub async fn totals(tx: &mut TenantTx, projects: &[ProjectId]) -> Result<Vec<Totals>> {
    let query = sql_query(
        "SELECT m.project_id, count(*) AS phases, \
             count(*) FILTER (WHERE p.is_completed) AS completed_phases, \
             coalesce(sum(p.planned_hours), 0) AS planned_hours, \
             coalesce(sum(p.actual_minutes), 0) AS actual_minutes \
         FROM phase_project m JOIN phase p ON p.tenant_id = m.tenant_id AND p.id = m.phase_id \
         WHERE m.project_id = ANY ($1) AND p.presence IN ('present', 'missing') GROUP BY m.project_id",
    );
    Ok(Cached(query.bind::<Array<SqlUuid>, _>(projects)).load(tx.conn()).await?)
}

/// The projects that a phase is in, gone ones left out.
pub async fn of_phase(tx: &mut TenantTx, phase: PhaseId) -> Result<Vec<Project>> {
    let query = project::table
        .inner_join(phase_project::table.on(phase_project::project_id.eq(project::id)))
        .filter(phase_project::phase_id.eq(phase))
        .filter(project::presence.eq_any([Presence::Present, Presence::Missing]))
        .order(project::id)
        .select(Project::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}
