//! Whole pages of phases at a time: one statement each, whatever their number, whose text never changes, so
//! that it is prepared once. Rows go in as one JSON array, which PostgreSQL unfolds.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, sql_query,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use super::phase::Phase;
use crate::{
    error::Result,
    ids::{IntegrationId, PhaseChangeId, PhaseId, ProjectId},
    store::{Cached, TenantTx, schema::phase},
};

/// A phase that was not known, and where it is.
#[derive(Debug)]
pub struct NewPhase {
    pub row: Phase,
    pub projects: Vec<ProjectId>,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(embed)]
    phase: Phase,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    read_time: Option<DateTime<Utc>>,
}

/// One look into the unique index for each. `external_id = ANY` lets PostgreSQL choose, and as long as it
/// takes the table for small, as while a first run fills it, it reads all of the integration's instead.
const FIND: &str = "SELECT p.* \
     FROM (SELECT DISTINCT external_id COLLATE \"C\" AS external_id FROM unnest($2) AS t (external_id) ORDER BY 1) t \
     CROSS JOIN LATERAL (SELECT * FROM phase p \
         WHERE p.integration_id = $1 AND p.external_id = t.external_id LIMIT 1 FOR UPDATE) p";

/// The columns of a phase as `jsonb_to_recordset` has to be told them.
macro_rules! columns {
    () => {
        "id uuid, integration_id uuid, external_id text, name text, is_completed boolean, assignee_id uuid, \
         start_date date, due_date date, planned_hours numeric, area text, \
         base_start_date date, base_due_date date, base_planned_hours numeric, base_area text, \
         start_date_change_time timestamptz, due_date_change_time timestamptz, \
         planned_hours_change_time timestamptz, area_change_time timestamptz, \
         area_option_id text, actual_minutes integer, counted_minutes integer, \
         external_update_time timestamptz, presence text, missing_time timestamptz, \
         update_time timestamptz, provider_sync text, \
         provider_sync_attempts integer, provider_sync_time timestamptz, provider_sync_cause text, \
         provider_sync_reason text"
    };
}

const INSERT: &str = concat!(
    "WITH told AS (SELECT * FROM jsonb_to_recordset($1) AS t(",
    columns!(),
    ", change_id uuid, projects uuid[])), \
     made AS (INSERT INTO phase (id, integration_id, external_id, name, is_completed, assignee_id, \
         start_date, due_date, planned_hours, area, base_start_date, base_due_date, base_planned_hours, \
         base_area, area_option_id, actual_minutes, counted_minutes, external_update_time, \
         update_time, read_time) \
         SELECT id, integration_id, external_id, name, is_completed, assignee_id, \
         start_date, due_date, planned_hours, area, base_start_date, base_due_date, base_planned_hours, \
         base_area, area_option_id, actual_minutes, counted_minutes, external_update_time, update_time, $2 \
         FROM told ORDER BY external_id \
         ON CONFLICT ON CONSTRAINT phase_is_unique_at_its_source DO NOTHING RETURNING id), \
     noted AS (INSERT INTO phase_change (id, phase_id, kind, origin, cause, start_date, due_date, \
         planned_hours, area, presence, provider_sync, change_time) \
         SELECT change_id, id, 'created', 'asana', $3, start_date, due_date, planned_hours, area, \
         'present', 'synced', update_time FROM told JOIN made USING (id)), \
     placed AS (INSERT INTO phase_project (phase_id, project_id, seen_time) \
         SELECT id, unnest(projects), $2 FROM told JOIN made USING (id)) \
     SELECT count(*) AS rows FROM made"
);

const UPDATE: &str = concat!(
    "WITH told AS (SELECT * FROM jsonb_to_recordset($1) AS t(",
    columns!(),
    ")) UPDATE phase p SET name = t.name, is_completed = t.is_completed, assignee_id = t.assignee_id, \
     start_date = t.start_date, due_date = t.due_date, planned_hours = t.planned_hours, area = t.area, \
     base_start_date = t.base_start_date, base_due_date = t.base_due_date, \
     base_planned_hours = t.base_planned_hours, base_area = t.base_area, \
     start_date_change_time = t.start_date_change_time, due_date_change_time = t.due_date_change_time, \
     planned_hours_change_time = t.planned_hours_change_time, area_change_time = t.area_change_time, \
     area_option_id = t.area_option_id, actual_minutes = t.actual_minutes, \
     counted_minutes = t.counted_minutes, external_update_time = t.external_update_time, \
     presence = t.presence, missing_time = t.missing_time, \
     update_time = t.update_time, provider_sync = t.provider_sync, \
     provider_sync_attempts = t.provider_sync_attempts, provider_sync_time = t.provider_sync_time, \
     provider_sync_cause = t.provider_sync_cause, provider_sync_reason = t.provider_sync_reason, \
     read_time = $2 FROM told t WHERE p.id = t.id"
);

/// The phases that the provider knows by these ids, locked until the transaction ends, in the order that
/// everybody locks them in; with the time that the newest answer about each was asked for.
pub async fn find_for_update(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_ids: &[&str],
) -> Result<Vec<(Phase, Option<DateTime<Utc>>)>> {
    let query = sql_query(FIND).bind::<SqlUuid, _>(integration).bind::<Array<Text>, _>(external_ids);
    let found: Vec<Found> = Cached(query).load(tx.conn()).await?;
    Ok(found.into_iter().map(|found| (found.phase, found.read_time)).collect())
}

/// Adds phases, notes that they were made and puts them into their projects. Returns how many; fewer than
/// given: somebody else has just added some.
pub async fn insert(tx: &mut TenantTx, new: &[NewPhase], cause: &str, asked: DateTime<Utc>) -> Result<usize> {
    let told = new.iter().map(|new| {
        let mut told = told(&new.row);
        told["change_id"] = json!(PhaseChangeId::new());
        told["projects"] = json!(new.projects);
        told
    });
    let query = sql_query(INSERT)
        .bind::<Jsonb, _>(told.collect::<Value>())
        .bind::<Timestamptz, _>(asked)
        .bind::<Text, _>(cause);
    let counted: Counted = Cached(query).get_result(tx.conn()).await?;
    Ok(usize::try_from(counted.rows).unwrap_or_default())
}

/// Writes phases as they stand in `rows`, after what was asked for at `asked`.
pub async fn save(tx: &mut TenantTx, rows: &[Phase], asked: DateTime<Utc>) -> Result<()> {
    let told: Value = rows.iter().map(told).collect();
    let query = sql_query(UPDATE).bind::<Jsonb, _>(told).bind::<Timestamptz, _>(asked);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// Notes that what was asked for at `asked` said nothing new about these.
pub async fn note_read(tx: &mut TenantTx, phases: &[PhaseId], asked: DateTime<Utc>) -> Result<()> {
    let query = sql_query("UPDATE phase SET read_time = greatest(read_time, $2) WHERE id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(phases)
        .bind::<Timestamptz, _>(asked);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// When the newest answer about a phase was asked for.
pub async fn read_time(tx: &mut TenantTx, phase: PhaseId) -> Result<Option<DateTime<Utc>>> {
    let query = phase::table.filter(phase::id.eq(phase)).select(phase::read_time);
    Ok(query.first(tx.conn()).await?)
}

/// The same for phases that an answer named without saying more that could be read.
pub async fn note_named(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_ids: &[&str],
    asked: DateTime<Utc>,
) -> Result<()> {
    let query = sql_query(
        "UPDATE phase SET read_time = greatest(read_time, $3) \
         WHERE integration_id = $1 AND external_id = ANY($2)",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<Array<Text>, _>(external_ids)
    .bind::<Timestamptz, _>(asked);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// Makes these the only places of the phases named.
pub async fn place(
    tx: &mut TenantTx,
    phases: &[PhaseId],
    places: &[(PhaseId, ProjectId)],
    asked: DateTime<Utc>,
) -> Result<()> {
    let query = sql_query("DELETE FROM phase_project WHERE phase_id = ANY($1)");
    Cached(query.bind::<Array<SqlUuid>, _>(phases)).execute(tx.conn()).await?;
    let (of_phases, in_projects): (Vec<_>, Vec<_>) = places.iter().copied().unzip();
    let query = sql_query(
        "INSERT INTO phase_project (phase_id, project_id, seen_time) \
         SELECT phase_id, project_id, $3 FROM unnest($1, $2) AS place (phase_id, project_id)",
    )
    .bind::<Array<SqlUuid>, _>(of_phases)
    .bind::<Array<SqlUuid>, _>(in_projects)
    .bind::<Timestamptz, _>(asked);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

fn told(row: &Phase) -> Value {
    let (fields, base, changed, sync) = (&row.fields, &row.base, &row.changed, &row.sync);
    json!({
        "id": row.id, "integration_id": row.integration_id, "external_id": row.external_id,
        "name": row.name, "is_completed": row.is_completed, "assignee_id": row.assignee_id,
        "start_date": fields.start_date, "due_date": fields.due_date,
        // Decimals travel as text: a JSON number would pass through a double.
        "planned_hours": fields.planned_hours.map(|hours| hours.to_string()),
        "area": fields.area.map(|area| area.as_str()),
        "base_start_date": base.base_start_date, "base_due_date": base.base_due_date,
        "base_planned_hours": base.base_planned_hours.map(|hours| hours.to_string()),
        "base_area": base.base_area.map(|area| area.as_str()),
        "start_date_change_time": changed.start_date_change_time,
        "due_date_change_time": changed.due_date_change_time,
        "planned_hours_change_time": changed.planned_hours_change_time,
        "area_change_time": changed.area_change_time,
        "area_option_id": row.area_option_id,
        "actual_minutes": row.actual_minutes, "counted_minutes": row.counted_minutes,
        "external_update_time": row.external_update_time,
        "presence": row.presence.as_str(), "missing_time": row.missing_time, "update_time": row.update_time,
        "provider_sync": sync.provider_sync.as_str(),
        "provider_sync_attempts": sync.provider_sync_attempts,
        "provider_sync_time": sync.provider_sync_time,
        "provider_sync_cause": sync.provider_sync_cause,
        "provider_sync_reason": sync.provider_sync_reason,
    })
}
