//! Phases: top-level tasks of a planning tool, with what both sides last agreed on beside what stands here.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, Selectable,
    SelectableHelper, insert_into,
    prelude::{Insertable, Queryable},
    update,
};
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;

mod list;

pub use list::{Cursor, Filter, list};

use crate::{
    error::{Error, Noun, Result},
    ids::{ExternalUserId, IntegrationId, PhaseId, ProjectId},
    store::{
        Cached, TenantTx,
        schema::{phase, phase_project},
    },
    words::{Area, Presence, ProviderSync},
};

/// A phase of one or more projects.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = phase, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Phase {
    pub id: PhaseId,
    pub integration_id: IntegrationId,
    pub external_id: String,
    pub name: String,
    pub is_completed: bool,
    pub assignee_id: Option<ExternalUserId>,
    #[diesel(embed)]
    pub fields: PhaseFields,
    #[diesel(embed)]
    pub base: PhaseBase,
    #[diesel(embed)]
    pub changed: PhaseChangeTimes,
    /// The option the tool has; it may be one that is ignored, or one of several that mean the same area.
    pub area_option_id: Option<String>,
    /// The sum of the time entries, as the tool says it.
    pub actual_minutes: Option<i32>,
    /// What `actual_minutes` was when the time entries were read last.
    pub counted_minutes: Option<i32>,
    /// The tool's own time of the task's last change, a comment included.
    pub external_update_time: Option<DateTime<Utc>>,
    pub presence: Presence,
    /// Since when it is not present; only then.
    pub missing_time: Option<DateTime<Utc>>,
    pub update_time: DateTime<Utc>,
    #[diesel(embed)]
    pub sync: PhaseSync,
}

/// What both sides can change, as it stands here.
#[derive(
    Debug, Clone, PartialEq, Eq, Default, Queryable, QueryableByName, Selectable, Insertable, AsChangeset,
)]
#[diesel(table_name = phase, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseFields {
    /// None with a due date: the phase is that one day long.
    pub start_date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    /// Not negative, rounded to the precision that the tool keeps.
    pub planned_hours: Option<Decimal>,
    pub area: Option<Area>,
}

/// What the tool had when the two sides were last compared: a side that differs has changed the field since.
#[derive(
    Debug, Clone, PartialEq, Eq, Default, Queryable, QueryableByName, Selectable, Insertable, AsChangeset,
)]
#[diesel(table_name = phase, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseBase {
    pub base_start_date: Option<NaiveDate>,
    pub base_due_date: Option<NaiveDate>,
    pub base_planned_hours: Option<Decimal>,
    pub base_area: Option<Area>,
}

/// When a field was changed here; none as soon as both sides agree.
#[derive(
    Debug, Clone, PartialEq, Eq, Default, Queryable, QueryableByName, Selectable, Insertable, AsChangeset,
)]
#[diesel(table_name = phase, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseChangeTimes {
    pub start_date_change_time: Option<DateTime<Utc>>,
    pub due_date_change_time: Option<DateTime<Utc>>,
    pub planned_hours_change_time: Option<DateTime<Utc>>,
    pub area_change_time: Option<DateTime<Utc>>,
}

/// Whether the tool has what stands here.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, QueryableByName, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = phase, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PhaseSync {
    pub provider_sync: ProviderSync,
    /// Tries of the write that is, or was last, on its way.
    pub provider_sync_attempts: i32,
    /// When that write was caused.
    pub provider_sync_time: Option<DateTime<Utc>>,
    /// By whom.
    pub provider_sync_cause: Option<String>,
    /// The code of what went wrong last.
    pub provider_sync_reason: Option<String>,
}

/// That a phase is in a project.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = phase_project, check_for_backend(diesel::pg::Pg))]
pub struct PhaseProject {
    pub phase_id: PhaseId,
    pub project_id: ProjectId,
    /// When the provider last said so.
    pub seen_time: DateTime<Utc>,
}

impl Default for PhaseSync {
    /// Of a phase as it was read.
    fn default() -> Self {
        Self {
            provider_sync: ProviderSync::Synced,
            provider_sync_attempts: 0,
            provider_sync_time: None,
            provider_sync_cause: None,
            provider_sync_reason: None,
        }
    }
}

impl From<PhaseBase> for PhaseFields {
    fn from(base: PhaseBase) -> Self {
        Self {
            start_date: base.base_start_date,
            due_date: base.base_due_date,
            planned_hours: base.base_planned_hours,
            area: base.base_area,
        }
    }
}

impl From<PhaseFields> for PhaseBase {
    fn from(fields: PhaseFields) -> Self {
        Self {
            base_start_date: fields.start_date,
            base_due_date: fields.due_date,
            base_planned_hours: fields.planned_hours,
            base_area: fields.area,
        }
    }
}

/// One phase. Errors: `NotFound`.
pub async fn find(tx: &mut TenantTx, id: PhaseId) -> Result<Phase> {
    let query = phase::table.filter(phase::id.eq(id)).select(Phase::as_select());
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Phase))
}

/// One phase, locked until the transaction ends. Errors: `NotFound`.
pub async fn find_for_update(tx: &mut TenantTx, id: PhaseId) -> Result<Phase> {
    let query = phase::table.filter(phase::id.eq(id)).select(Phase::as_select()).for_update();
    query.first(tx.conn()).await.optional()?.ok_or(Error::NotFound(Noun::Phase))
}

/// The phase that the provider knows by this id, locked until the transaction ends.
pub async fn find_by_external_id_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_id: &str,
) -> Result<Option<Phase>> {
    let query = phase::table
        .filter(phase::integration_id.eq(integration))
        .filter(phase::external_id.eq(external_id))
        .select(Phase::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Adds a phase.
pub async fn insert(tx: &mut TenantTx, row: &Phase) -> Result<()> {
    insert_into(phase::table).values(row).execute(tx.conn()).await?;
    Ok(())
}

/// Writes a phase as it stands in `row`.
pub async fn save(tx: &mut TenantTx, row: &Phase) -> Result<()> {
    Cached(update(phase::table.filter(phase::id.eq(row.id))).set(row)).execute(tx.conn()).await?;
    Ok(())
}

/// Writes whether the tool has what stands here, and nothing else.
pub async fn save_sync(tx: &mut TenantTx, id: PhaseId, sync: &PhaseSync) -> Result<()> {
    Cached(update(phase::table.filter(phase::id.eq(id))).set(sync)).execute(tx.conn()).await?;
    Ok(())
}

/// The projects that these phases are in.
pub async fn projects_of(tx: &mut TenantTx, phases: &[PhaseId]) -> Result<Vec<PhaseProject>> {
    let query = phase_project::table
        .filter(phase_project::phase_id.eq_any(phases))
        .order((phase_project::phase_id, phase_project::project_id))
        .select(PhaseProject::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}
