//! What runs by the clock: each occurrence once, whatever the number of instances.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use super::{Cached, Store};
use crate::{
    error::Result,
    ids::{PractitionerId, TenantId},
    words::MessageKind,
};

/// What an occurrence queues for every connected integration of a provider.
#[derive(Debug, Clone)]
pub struct Order {
    pub provider: &'static str,
    pub kind: MessageKind,
    /// The integration's id is added to it.
    pub payload: serde_json::Value,
}

/// Somebody whose holds have run out.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ExpiredHolds {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub practitioner_id: PractitionerId,
}

#[derive(QueryableByName)]
struct Queued {
    #[diesel(sql_type = Nullable<BigInt>)]
    queued: Option<i64>,
}

#[derive(QueryableByName)]
struct Swept {
    #[diesel(sql_type = BigInt)]
    swept: i64,
}

/// Claims an occurrence and queues its work in the same moment; says for how many integrations.
/// `None`: somebody else had it.
pub async fn run(
    store: &Store,
    schedule: &str,
    occurrence: DateTime<Utc>,
    order: &Order,
) -> Result<Option<i64>> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT stellwerk_schedule_run($1, $2, $3, $4, $5) AS queued")
        .bind::<Text, _>(schedule)
        .bind::<Timestamptz, _>(occurrence)
        .bind::<Text, _>(order.kind.as_str())
        .bind::<Text, _>(order.provider)
        .bind::<Jsonb, _>(&order.payload);
    let row: Queued = Cached(query).get_result(tx.conn()).await?;
    tx.commit().await?;
    Ok(row.queued)
}

/// Claims an occurrence that queues nothing. False: somebody else had it.
pub async fn claim(store: &Store, schedule: &str, occurrence: DateTime<Utc>) -> Result<bool> {
    // No integration is of no provider.
    let nothing = Order { provider: "", kind: MessageKind::SyncRun, payload: serde_json::json!({}) };
    Ok(run(store, schedule, occurrence, &nothing).await?.is_some())
}

/// Claims an occurrence and queues a look at every grant that can run out. As `run` otherwise.
pub async fn refreshes(store: &Store, schedule: &str, occurrence: DateTime<Utc>) -> Result<Option<i64>> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT stellwerk_schedule_refreshes($1, $2) AS queued")
        .bind::<Text, _>(schedule)
        .bind::<Timestamptz, _>(occurrence);
    let row: Queued = Cached(query).get_result(tx.conn()).await?;
    tx.commit().await?;
    Ok(row.queued)
}

/// Deletes records of runs that nobody looks at any longer. Returns how many.
pub async fn sweep_sync_logs(store: &Store) -> Result<i64> {
    let mut tx = store.worker().await?;
    let row: Swept =
        Cached(sql_query("SELECT stellwerk_sweep_sync_logs() AS swept")).get_result(tx.conn()).await?;
    tx.commit().await?;
    Ok(row.swept)
}

/// Whose holds have run out, at most `at_most` practitioners.
pub async fn expired_holds(store: &Store, at_most: i32) -> Result<Vec<ExpiredHolds>> {
    let mut tx = store.worker().await?;
    let query = sql_query("SELECT * FROM stellwerk_expired_holds($1)").bind::<Integer, _>(at_most);
    let rows = Cached(query).load(tx.conn()).await?;
    tx.commit().await?;
    Ok(rows)
}
