//! How fast a provider may be asked, and whether it answers:
//! one token bucket and one breaker per integration, shared by all instances.
//!
//! Times are the database's, the one clock that all instances share.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, Selectable, SelectableHelper,
    insert_into,
    prelude::Queryable,
    sql_query,
    sql_types::{Bool, Double, Integer, Text, Uuid as SqlUuid},
    update,
};
use diesel_async::RunQueryDsl;

use super::{Cached, TenantTx, schema::integration_flow};
use crate::{error::Result, ids::IntegrationId, words::Breaker};

/// How an integration's calls flow.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = integration_flow, check_for_backend(diesel::pg::Pg))]
pub struct Flow {
    pub integration_id: IntegrationId,
    /// Calls at once after a quiet time.
    pub capacity: f64,
    pub refill_per_s: f64,
    /// The provider said when to come back.
    pub pause_until: Option<DateTime<Utc>>,
    pub breaker: Breaker,
    pub breaker_until: Option<DateTime<Utc>>,
    /// In a row.
    pub failures: i32,
    pub last_success_time: Option<DateTime<Utc>>,
    pub last_failure_time: Option<DateTime<Utc>>,
    pub last_failure_reason: Option<String>,
}

/// Whether a call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    Go,
    /// The budget is used up, or the provider asked for patience.
    Wait(Duration),
    /// The provider does not answer; somebody tries it again after this.
    Open(Duration),
}

#[derive(QueryableByName)]
struct Taken {
    #[diesel(sql_type = Bool)]
    goes: bool,
    #[diesel(sql_type = Bool)]
    is_open: bool,
    #[diesel(sql_type = Double)]
    wait_s: f64,
}

/// Failures in a row after which a provider counts as out.
const FAILURES: i32 = 5;
/// For how long it is then not asked; doubles with every probe that fails.
const FIRST_OPENING_S: i32 = 5;
const LONGEST_OPENING_S: i32 = 300;
/// A probe that says nothing for this long was lost with its process.
const PROBE_S: i32 = 60;

/// A budget that was too large is halved, and grows back to its whole in this time from nothing.
const RECOVERY_S: f64 = 600.0;
/// The least that is left of a budget, as a part: what a free plan has of a paid one's.
const SLOWEST: f64 = 0.1;

/// Makes the flow of an integration: `capacity` calls at once, `refill_per_s` on average.
pub async fn insert(tx: &mut TenantTx, id: IntegrationId, capacity: f64, refill_per_s: f64) -> Result<()> {
    insert_into(integration_flow::table)
        .values((
            integration_flow::integration_id.eq(id),
            integration_flow::capacity.eq(capacity),
            integration_flow::refill_per_s.eq(refill_per_s),
            integration_flow::tokens.eq(capacity),
        ))
        .on_conflict_do_nothing()
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Lets an integration's calls flow at another rate from now on.
pub async fn set_rate(tx: &mut TenantTx, id: IntegrationId, capacity: f64, refill_per_s: f64) -> Result<()> {
    let statement = update(integration_flow::table.filter(integration_flow::integration_id.eq(id)))
        .set((integration_flow::capacity.eq(capacity), integration_flow::refill_per_s.eq(refill_per_s)));
    Cached(statement).execute(tx.conn()).await?;
    Ok(())
}

/// The flow of an integration, if it has one.
pub async fn find(tx: &mut TenantTx, id: IntegrationId) -> Result<Option<Flow>> {
    let query =
        integration_flow::table.filter(integration_flow::integration_id.eq(id)).select(Flow::as_select());
    Ok(query.first(tx.conn()).await.optional()?)
}

/// Takes a token, unless less than the part `reserve` of all would be left: work that nobody waits for leaves
/// some to those who do. Commit at once, because others wait for the row. While the breaker is half open one
/// caller probes and the others wait. None where the integration has no flow.
pub async fn take(tx: &mut TenantTx, id: IntegrationId, reserve: f64) -> Result<Option<Permit>> {
    let query = sql_query(
        "WITH kept AS ( \
             SELECT *, clock_timestamp() AS at, \
                 least(1, pace + coalesce(extract(epoch FROM clock_timestamp() - pace_time) / $4, 0)) \
                 AS pace_now \
             FROM integration_flow WHERE integration_id = $1 FOR UPDATE), \
         paced AS (SELECT *, greatest(1, capacity * pace_now) AS room, refill_per_s * pace_now AS per_s \
             FROM kept), \
         seen AS ( \
             SELECT *, least(room, tokens + per_s * extract(epoch FROM at - refill_time)) AS filled, \
                 least(room, 1 + $2 * room) AS wanted FROM paced), \
         judged AS ( \
             SELECT *, breaker <> 'closed' AND coalesce(breaker_until > at, false) AS is_open, \
                 coalesce(pause_until > at, false) AS is_paused, filled >= wanted AS is_within FROM seen) \
         UPDATE integration_flow f SET refill_time = j.at, \
             tokens = CASE WHEN NOT j.is_open AND NOT j.is_paused AND j.is_within THEN j.filled - 1 \
                 ELSE j.filled END, \
             breaker = CASE WHEN f.breaker = 'open' AND NOT j.is_open AND NOT j.is_paused AND j.is_within \
                 THEN 'half_open' ELSE f.breaker END, \
             breaker_until = CASE WHEN f.breaker <> 'closed' AND NOT j.is_open AND NOT j.is_paused \
                 AND j.is_within \
                 THEN j.at + make_interval(secs => $3) ELSE f.breaker_until END \
         FROM judged j WHERE f.integration_id = j.integration_id \
         RETURNING NOT j.is_open AND NOT j.is_paused AND j.is_within AS goes, j.is_open, \
             CASE WHEN j.is_open THEN extract(epoch FROM j.breaker_until - j.at) \
                 WHEN j.is_paused THEN extract(epoch FROM j.pause_until - j.at) \
                 ELSE (j.wanted - j.filled) / j.per_s END::double precision AS wait_s",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Double, _>(reserve)
    .bind::<Integer, _>(PROBE_S)
    .bind::<Double, _>(RECOVERY_S);
    let Some(Taken { goes, is_open, wait_s }) = Cached(query).load(tx.conn()).await?.pop() else {
        return Ok(None);
    };
    let wait = Duration::from_secs_f64(wait_s.clamp(0.01, 3600.0));
    Ok(Some(match (goes, is_open) {
        (true, _) => Permit::Go,
        (false, true) => Permit::Open(wait),
        (false, false) => Permit::Wait(wait),
    }))
}

/// The provider answered, whatever it said: the breaker closes.
pub async fn note_success(tx: &mut TenantTx, id: IntegrationId) -> Result<()> {
    let query = sql_query(
        "UPDATE integration_flow SET breaker = 'closed', breaker_until = NULL, failures = 0, openings = 0, \
             last_success_time = clock_timestamp() \
         WHERE integration_id = $1 AND (breaker <> 'closed' OR failures > 0 OR last_success_time IS NULL \
             OR last_success_time < clock_timestamp() - interval '1 s')",
    );
    Cached(query.bind::<SqlUuid, _>(id)).execute(tx.conn()).await?;
    Ok(())
}

/// The provider did not answer, or answered that it cannot. Returns whether the breaker is open now.
pub async fn note_failure(tx: &mut TenantTx, id: IntegrationId, reason: &str) -> Result<bool> {
    let query = sql_query(
        "UPDATE integration_flow SET failures = failures + 1, last_failure_time = clock_timestamp(), \
             last_failure_reason = $2, \
             openings = CASE WHEN breaker = 'half_open' OR (breaker = 'closed' AND failures + 1 >= $3) \
                 THEN openings + 1 ELSE openings END, \
             breaker_until = CASE WHEN breaker = 'half_open' OR (breaker = 'closed' AND failures + 1 >= $3) \
                 THEN clock_timestamp() \
                     + make_interval(secs => least($5, $4 * power(2, least(openings, 16)))) \
                 ELSE breaker_until END, \
             breaker = CASE WHEN breaker = 'half_open' OR (breaker = 'closed' AND failures + 1 >= $3) \
                 THEN 'open' ELSE breaker END \
         WHERE integration_id = $1 \
         RETURNING breaker = 'open' AS goes, breaker = 'open' AS is_open, 0::double precision AS wait_s",
    )
    .bind::<SqlUuid, _>(id)
    .bind::<Text, _>(reason)
    .bind::<Integer, _>(FAILURES)
    .bind::<Integer, _>(FIRST_OPENING_S)
    .bind::<Integer, _>(LONGEST_OPENING_S);
    let row: Option<Taken> = Cached(query).load(tx.conn()).await?.pop();
    Ok(row.is_some_and(|row| row.is_open))
}

/// Nothing is sent for this long: the provider said so. Not a failure.
pub async fn pause(tx: &mut TenantTx, id: IntegrationId, wait: Duration) -> Result<()> {
    let query = sql_query(
        "UPDATE integration_flow SET \
             pause_until = greatest(pause_until, clock_timestamp() + make_interval(secs => $2)) \
         WHERE integration_id = $1",
    );
    Cached(query.bind::<SqlUuid, _>(id).bind::<Double, _>(wait.as_secs_f64())).execute(tx.conn()).await?;
    Ok(())
}

/// The provider said that we ask too much: nothing is left of the budget now, and half of it comes back. What
/// else was under way when it said so says the same once more, which counts once. Call it before `pause`.
pub async fn slow_down(tx: &mut TenantTx, id: IntegrationId) -> Result<()> {
    let query = sql_query(
        "UPDATE integration_flow SET tokens = 0, refill_time = clock_timestamp(), \
             pace_time = clock_timestamp(), \
             pace = greatest($2, least(1, \
                 pace + coalesce(extract(epoch FROM clock_timestamp() - pace_time) / $3, 0)) / 2) \
         WHERE integration_id = $1 AND (pause_until IS NULL OR pause_until <= clock_timestamp())",
    );
    let query = query.bind::<SqlUuid, _>(id).bind::<Double, _>(SLOWEST).bind::<Double, _>(RECOVERY_S);
    Cached(query).execute(tx.conn()).await?;
    Ok(())
}
