//! What `doctor` asks the database: facts about the whole house, none about a tenant.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Text, Timestamptz},
};
use diesel_async::RunQueryDsl;

use super::Store;
use crate::error::Result;

/// A root key that tenants' keys are wrapped by, and how many.
#[derive(Debug, QueryableByName)]
pub struct RootKeyUse {
    #[diesel(sql_type = Text)]
    pub root_key_id: String,
    #[diesel(sql_type = BigInt)]
    pub tenants: i64,
}

#[derive(QueryableByName)]
struct Clock {
    #[diesel(sql_type = Timestamptz)]
    time: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Month {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The database's time.
pub async fn clock(store: &Store) -> Result<DateTime<Utc>> {
    let mut conn = store.connection().await?;
    Ok(sql_query("SELECT clock_timestamp() AS time").get_result::<Clock>(&mut *conn).await?.time)
}

/// The root keys in use.
pub async fn root_keys(store: &Store) -> Result<Vec<RootKeyUse>> {
    let mut conn = store.connection().await?;
    Ok(sql_query("SELECT * FROM stellwerk_root_keys() ORDER BY 1").load(&mut *conn).await?)
}

/// The months, this one and the next, whose events have no partition and would fall into the default one.
pub async fn missing_partitions(store: &Store) -> Result<Vec<String>> {
    let mut conn = store.connection().await?;
    let months = "SELECT name FROM (SELECT 'webhook_event_' \
         || to_char((now() AT TIME ZONE 'UTC') + make_interval(months => ahead), 'YYYY_MM') AS name \
         FROM generate_series(0, 1) AS ahead) AS months WHERE to_regclass(name) IS NULL";
    Ok(sql_query(months).load::<Month>(&mut *conn).await?.into_iter().map(|month| month.name).collect())
}
