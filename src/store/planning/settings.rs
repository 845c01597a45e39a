//! What of a planning tool is read and written, as the onboarding decided it.

use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, OptionalExtension, QueryDsl, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::{Insertable, Queryable},
    sql_query,
    sql_types::{Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::{Error, Noun, Result},
    ids::IntegrationId,
    store::{
        Cached, TenantTx,
        schema::{area_mapping, planning_settings},
    },
    words::{AbsenceSource, Area, Plan},
};

/// What of a planning tool is read and written. The ids of workspace, fields and project are the tool's.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = planning_settings, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PlanningSettings {
    pub integration_id: IntegrationId,
    pub workspace_id: Option<String>,
    pub workspace_name: Option<String>,
    /// The enum field whose options mean areas.
    pub area_field_id: Option<String>,
    pub area_field_name: Option<String>,
    /// The number field of planned hours; without one they are neither read nor written.
    pub hours_field_id: Option<String>,
    pub hours_field_name: Option<String>,
    /// Decimal places that the tool keeps of planned hours, 0 to 6; present iff the field is.
    pub hours_precision: Option<i16>,
    pub absence_source: AbsenceSource,
    /// Present iff that is the source.
    pub absence_project_id: Option<String>,
    pub absence_kind_field_id: Option<String>,
    /// More than this share vanishing at once waits for a person.
    pub deletion_guard_percent: i16,
    pub plan: Plan,
    /// When the workspace was chosen last.
    pub workspace_time: Option<DateTime<Utc>>,
    /// When the field mapping was saved last.
    pub mapping_time: Option<DateTime<Utc>>,
    /// When a full run first succeeded after that.
    pub initial_sync_time: Option<DateTime<Utc>>,
    /// When webhooks were asked for last; none are to be before that.
    pub webhooks_time: Option<DateTime<Utc>>,
    pub update_time: DateTime<Utc>,
}

/// What an option of the tool's area field means here.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = area_mapping, check_for_backend(diesel::pg::Pg))]
#[diesel(treat_none_as_default_value = false)]
pub struct AreaMapping {
    pub integration_id: IntegrationId,
    pub option_id: String,
    pub option_name: String,
    /// As the tool names it.
    pub color: Option<String>,
    /// A disabled option stays readable, but can no longer be written.
    pub is_enabled: bool,
    /// None: it is ignored.
    pub area: Option<Area>,
}

impl PlanningSettings {
    /// Of an integration whose onboarding has not begun.
    pub fn new(integration_id: IntegrationId, now: DateTime<Utc>) -> Self {
        Self {
            integration_id,
            workspace_id: None,
            workspace_name: None,
            area_field_id: None,
            area_field_name: None,
            hours_field_id: None,
            hours_field_name: None,
            hours_precision: None,
            absence_source: AbsenceSource::OutOfOffice,
            absence_project_id: None,
            absence_kind_field_id: None,
            deletion_guard_percent: 20,
            plan: Plan::Free,
            workspace_time: None,
            mapping_time: None,
            initial_sync_time: None,
            webhooks_time: None,
            update_time: now,
        }
    }
}

/// The settings of an integration, if its onboarding has begun.
pub async fn find(tx: &mut TenantTx, integration: IntegrationId) -> Result<Option<PlanningSettings>> {
    let query = planning_settings::table
        .filter(planning_settings::integration_id.eq(integration))
        .select(PlanningSettings::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// The same, which must be there. Errors: `NotFound`.
pub async fn require(tx: &mut TenantTx, integration: IntegrationId) -> Result<PlanningSettings> {
    find(tx, integration).await?.ok_or(Error::NotFound(Noun::PlanningSettings))
}

/// The same, locked until the transaction ends.
pub async fn find_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
) -> Result<Option<PlanningSettings>> {
    let query = planning_settings::table
        .filter(planning_settings::integration_id.eq(integration))
        .select(PlanningSettings::as_select())
        .for_update();
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Writes settings as they stand in `row`, new ones too.
pub async fn save(tx: &mut TenantTx, row: &PlanningSettings) -> Result<()> {
    let statement = insert_into(planning_settings::table)
        .values(row)
        .on_conflict((planning_settings::tenant_id, planning_settings::integration_id))
        .do_update()
        .set(row);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Whether a workspace is what another integration that was not ended is about.
pub async fn is_taken(tx: &mut TenantTx, integration: IntegrationId, workspace: &str) -> Result<bool> {
    let query = sql_query(
        "SELECT FROM planning_settings s JOIN integration theirs ON theirs.id = s.integration_id \
         JOIN integration ours ON ours.id = $1 AND ours.instance_url IS NOT DISTINCT FROM theirs.instance_url \
         WHERE s.workspace_id = $2 AND theirs.id <> ours.id AND theirs.provider = ours.provider \
             AND theirs.state IN ('connected', 'needs_reconnect')",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<Text, _>(workspace);
    Ok(Cached(query).execute(tx.conn()).await? > 0)
}

/// What the options of the area field mean, ignored ones too, by name.
pub async fn area_mappings(tx: &mut TenantTx, integration: IntegrationId) -> Result<Vec<AreaMapping>> {
    let query = area_mapping::table
        .filter(area_mapping::integration_id.eq(integration))
        .order((area_mapping::option_name, area_mapping::option_id))
        .select(AreaMapping::as_select());
    Ok(Cached(query).load(tx.conn()).await?)
}

/// Makes these the meanings of the options, each given once.
pub async fn replace_area_mappings(
    tx: &mut TenantTx,
    integration: IntegrationId,
    rows: &[AreaMapping],
) -> Result<()> {
    delete(area_mapping::table.filter(area_mapping::integration_id.eq(integration)))
        .execute(tx.conn())
        .await?;
    insert_into(area_mapping::table).values(rows).execute(tx.conn()).await?;
    Ok(())
}
