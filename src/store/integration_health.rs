//! How an integration is doing, added up from what its runs, deliveries and messages left behind.
//! Numbers only, nobody's data.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Double, Nullable, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx};
use crate::{error::Result, ids::IntegrationId};

/// The runs that have ended.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct Runs {
    #[diesel(sql_type = BigInt)]
    pub total: i64,
    /// Those with errors in some records among them.
    #[diesel(sql_type = BigInt)]
    pub successful: i64,
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// Failed ones since the last successful one.
    #[diesel(sql_type = BigInt)]
    pub consecutive_errors: i64,
    /// Seconds, over those that did not fail.
    #[diesel(sql_type = Nullable<Double>)]
    pub average_duration_s: Option<f64>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_success_time: Option<DateTime<Utc>>,
}

/// How old changes at the provider were when they took effect here.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct Ages {
    /// Seconds, of the newest change.
    #[diesel(sql_type = Nullable<Double>)]
    pub last_s: Option<f64>,
    /// Seconds; 19 of 20 changes were not older.
    #[diesel(sql_type = Nullable<Double>)]
    pub p95_s: Option<f64>,
    /// Changes that were looked at.
    #[diesel(sql_type = BigInt)]
    pub changes: i64,
}

/// What still waits.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct Waiting {
    #[diesel(sql_type = BigInt)]
    pub messages: i64,
    /// Seconds since the oldest of them was pushed.
    #[diesel(sql_type = Nullable<Double>)]
    pub oldest_age_s: Option<f64>,
    #[diesel(sql_type = BigInt)]
    pub dead_letters: i64,
    #[diesel(sql_type = BigInt)]
    pub open_reviews: i64,
}

/// The runs of an integration that began at or after `since`.
pub async fn runs(tx: &mut TenantTx, id: IntegrationId, since: DateTime<Utc>) -> Result<Runs> {
    let query = sql_query(
        "WITH ended AS (SELECT * FROM sync_log WHERE integration_id = $1 AND start_time >= $2 \
             AND end_time IS NOT NULL), \
         good AS (SELECT max(end_time) AS last FROM ended WHERE state IN ('succeeded', 'partial')) \
         SELECT count(*) AS total, count(*) FILTER (WHERE state IN ('succeeded', 'partial')) AS successful, \
             count(*) FILTER (WHERE state = 'failed') AS failed, \
             count(*) FILTER (WHERE state = 'failed' AND (good.last IS NULL OR end_time > good.last)) \
                 AS consecutive_errors, \
             avg(extract(epoch FROM end_time - start_time)) \
                 FILTER (WHERE state IN ('succeeded', 'partial'))::double precision AS average_duration_s, \
             max(good.last) AS last_success_time \
         FROM ended, good",
    );
    let bound = query.bind::<SqlUuid, _>(id).bind::<Timestamptz, _>(since);
    Ok(Cached(bound).get_result(tx.conn()).await?)
}

/// How old the rows of `recent` were, by when each change was made here and there.
const AGED: &str = "aged AS (SELECT change_time, \
         greatest(0, extract(epoch FROM change_time - occurred_time))::double precision AS age_s \
         FROM recent) \
     SELECT (SELECT age_s FROM aged ORDER BY change_time DESC LIMIT 1) AS last_s, \
         percentile_disc(0.95) WITHIN GROUP (ORDER BY age_s) AS p95_s, count(*) AS changes FROM aged";

/// The last 500 changes that came from an integration's provider since `since`. A change is as old as the
/// provider says: by the event that told it, or by the version that was read. What was taken in before the
/// provider's clock had reached it counts as new.
/// What was taken in before the first run that succeeded had ended was there before us: nobody was late.
pub async fn ages(tx: &mut TenantTx, id: IntegrationId, since: DateTime<Utc>) -> Result<Ages> {
    let query = sql_query(format!(
        "WITH first AS (SELECT min(end_time) AS end_time FROM sync_log \
             WHERE integration_id = $1 AND state IN ('succeeded', 'partial')), \
         recent AS ( \
             SELECT c.change_time, coalesce(e.occurred_time, b.confirmed_time) AS occurred_time \
             FROM booking b JOIN first ON true \
                 JOIN appointment_change c ON c.appointment_id = b.appointment_id \
                     AND c.change_time > first.end_time \
                 LEFT JOIN webhook_event e ON e.id = CASE WHEN c.cause LIKE 'webhook_event/%' \
                     THEN substr(c.cause, 15)::uuid END \
             WHERE b.integration_id = $1 AND b.is_current AND b.update_time >= $2 AND c.origin = 'calcom' \
                 AND c.change_time >= $2 \
                 AND (e.occurred_time IS NOT NULL OR b.confirmed_time <= c.change_time) \
             ORDER BY c.change_time DESC LIMIT 500), {AGED}"
    ));
    let bound = query.bind::<SqlUuid, _>(id).bind::<Timestamptz, _>(since);
    Ok(Cached(bound).get_result(tx.conn()).await?)
}

/// The same of a planning tool: phases whose fields it changed. A change is as old as the task's own time of
/// its last change, the tool's clock put right.
pub async fn planning_ages(tx: &mut TenantTx, id: IntegrationId, since: DateTime<Utc>) -> Result<Ages> {
    let query = sql_query(format!(
        "WITH skew AS (SELECT make_interval(secs => coalesce(max(clock_skew_ms), 0) / 1000.0) AS ahead \
             FROM planning_health WHERE integration_id = $1), \
         recent AS ( \
             SELECT c.change_time, p.external_update_time - s.ahead AS occurred_time \
             FROM phase p JOIN phase_change c ON c.phase_id = p.id, skew s \
             WHERE p.integration_id = $1 AND p.update_time >= $2 AND c.origin = 'asana' \
                 AND c.kind = 'fields' \
                 AND c.change_time >= $2 AND p.external_update_time - s.ahead <= c.change_time \
             ORDER BY c.change_time DESC LIMIT 500), {AGED}"
    ));
    let bound = query.bind::<SqlUuid, _>(id).bind::<Timestamptz, _>(since);
    Ok(Cached(bound).get_result(tx.conn()).await?)
}

/// What of an integration's waits for its turn, or for a person.
pub async fn waiting(tx: &mut TenantTx, id: IntegrationId) -> Result<Waiting> {
    let query = sql_query(
        "SELECT count(*) FILTER (WHERE state = 'pending') AS messages, \
             extract(epoch FROM clock_timestamp() - min(create_time) \
                 FILTER (WHERE state = 'pending'))::double precision AS oldest_age_s, \
             count(*) FILTER (WHERE state = 'dead') AS dead_letters, \
             (SELECT count(*) FROM review_item WHERE integration_id = $1 AND state = 'open') AS open_reviews \
         FROM outbox WHERE integration_id = $1",
    );
    Ok(Cached(query.bind::<SqlUuid, _>(id)).get_result(tx.conn()).await?)
}
