//! What became known of how a planning tool can be read, and what its webhooks did not tell.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, Selectable, SelectableHelper, delete,
    insert_into,
    prelude::Queryable,
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::IntegrationId,
    store::{
        Cached, TenantTx,
        schema::{planning_health, unheard_change},
    },
};

/// How a planning tool can be read.
#[derive(Debug, Default, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = planning_health, check_for_backend(diesel::pg::Pg))]
pub struct PlanningHealth {
    /// Changes that no webhook told of, ever.
    pub missed_events: i64,
    pub last_missed_time: Option<DateTime<Utc>>,
    /// The code of why absences could not be read last time.
    pub absences_reason: Option<String>,
    pub time_entries_reason: Option<String>,
    /// By how much the tool's clock is ahead of ours, in milliseconds.
    pub clock_skew_ms: i64,
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// How an integration's tool can be read, as far as is known.
pub async fn find(tx: &mut TenantTx, integration: IntegrationId) -> Result<PlanningHealth> {
    let query = planning_health::table
        .filter(planning_health::integration_id.eq(integration))
        .select(PlanningHealth::as_select());
    Ok(query.first(tx.conn()).await.optional()?.unwrap_or_default())
}

/// Writes down why absences could not be read, or that they could.
pub async fn set_absences_reason(
    tx: &mut TenantTx,
    integration: IntegrationId,
    reason: Option<&str>,
) -> Result<()> {
    let values = planning_health::absences_reason.eq(reason);
    let statement = insert_into(planning_health::table)
        .values((planning_health::integration_id.eq(integration), values))
        .on_conflict((planning_health::tenant_id, planning_health::integration_id))
        .do_update()
        .set(values);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// The same for time entries.
pub async fn set_time_entries_reason(
    tx: &mut TenantTx,
    integration: IntegrationId,
    reason: Option<&str>,
) -> Result<()> {
    let values = planning_health::time_entries_reason.eq(reason);
    let statement = insert_into(planning_health::table)
        .values((planning_health::integration_id.eq(integration), values))
        .on_conflict((planning_health::tenant_id, planning_health::integration_id))
        .do_update()
        .set(values);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Writes down by how much the tool's clock is ahead of ours, in milliseconds.
pub async fn set_clock_skew(tx: &mut TenantTx, integration: IntegrationId, skew_ms: i64) -> Result<()> {
    let values = planning_health::clock_skew_ms.eq(skew_ms);
    let statement = insert_into(planning_health::table)
        .values((planning_health::integration_id.eq(integration), values))
        .on_conflict((planning_health::tenant_id, planning_health::integration_id))
        .do_update()
        .set(values);
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// Notes changes that were found though no webhook had told of them; it may still do.
pub async fn note_unheard(
    tx: &mut TenantTx,
    integration: IntegrationId,
    external_ids: &[&str],
    now: DateTime<Utc>,
) -> Result<()> {
    let query = sql_query(
        "INSERT INTO unheard_change (integration_id, external_id, find_time) \
         SELECT $1, id, $3 FROM unnest($2) AS id ORDER BY id ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<Array<Text>, _>(external_ids)
    .bind::<Timestamptz, _>(now);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}

/// A webhook told of these after all.
pub async fn note_heard(tx: &mut TenantTx, integration: IntegrationId, external_ids: &[&str]) -> Result<()> {
    let heard = unheard_change::table
        .filter(unheard_change::integration_id.eq(integration))
        .filter(unheard_change::external_id.eq_any(external_ids));
    Cached(delete(heard)).execute(tx.conn()).await?;
    Ok(())
}

/// Counts as missed what was found before `until` and is still untold. Returns how many.
pub async fn count_missed(
    tx: &mut TenantTx,
    integration: IntegrationId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let query = sql_query(
        "WITH missed AS (DELETE FROM unheard_change WHERE integration_id = $1 AND find_time < $2 \
             RETURNING 1), \
         counted AS (SELECT count(*) AS rows FROM missed), \
         kept AS (INSERT INTO planning_health AS h (integration_id, missed_events, last_missed_time) \
             SELECT $1, rows, $3 FROM counted WHERE rows > 0 \
             ON CONFLICT ON CONSTRAINT planning_health_pkey DO UPDATE \
             SET missed_events = h.missed_events + excluded.missed_events, \
             last_missed_time = excluded.last_missed_time) \
         SELECT rows FROM counted",
    )
    .bind::<SqlUuid, _>(integration)
    .bind::<Timestamptz, _>(until)
    .bind::<Timestamptz, _>(now);
    let counted: Counted = Cached(query).get_result(tx.conn()).await?;
    Ok(u64::try_from(counted.rows).unwrap_or_default())
}
