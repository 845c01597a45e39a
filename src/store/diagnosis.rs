//! What `doctor` and `outbox status` ask the database about the whole house: counts, ages, states and reason
//! codes.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Bool, Double, Integer, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use super::Store;
use crate::{
    error::Result,
    ids::{IntegrationId, TenantId},
};

/// A tenant's messages of one kind.
#[derive(Debug, Clone, QueryableByName)]
pub struct Standing {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// They wait for an integration that is paused, out, or to be connected again.
    #[diesel(sql_type = Bool)]
    pub is_held: bool,
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    #[diesel(sql_type = BigInt)]
    pub dead: i64,
    /// Seconds since the oldest one that waits was pushed; with the three below absent when none waits.
    #[diesel(sql_type = Nullable<Double>)]
    pub oldest_age_s: Option<f64>,
    /// Its lane, which may name a provider's record.
    #[diesel(sql_type = Nullable<Text>)]
    pub lane: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub attempts: Option<i32>,
    /// The code of how its last attempt ended.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

/// An integration that needs a person, or whose provider does not answer.
#[derive(Debug, Clone, QueryableByName)]
pub struct Trouble {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub id: IntegrationId,
    #[diesel(sql_type = Text)]
    pub provider: String,
    #[diesel(sql_type = Text)]
    pub state: String,
    #[diesel(sql_type = Text)]
    pub breaker: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

/// Where a provider is, for some integrations that are connected.
#[derive(Debug, Clone, QueryableByName)]
pub struct Place {
    #[diesel(sql_type = Text)]
    pub provider: String,
    #[diesel(sql_type = Text)]
    pub instance_url: String,
    /// By the provider's own consent page.
    #[diesel(sql_type = Bool)]
    pub is_granted: bool,
    #[diesel(sql_type = BigInt)]
    pub integrations: i64,
}

#[derive(QueryableByName)]
struct Month {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The months, this one and the next, whose events have no partition and would fall into the default one.
pub async fn missing_partitions(store: &Store) -> Result<Vec<String>> {
    let mut conn = store.connection().await?;
    let months = "SELECT name FROM (SELECT 'webhook_event_' \
         || to_char((now() AT TIME ZONE 'UTC') + make_interval(months => ahead), 'YYYY_MM') AS name \
         FROM generate_series(0, 1) AS ahead) AS months WHERE to_regclass(name) IS NULL";
    Ok(sql_query(months).load::<Month>(&mut *conn).await?.into_iter().map(|month| month.name).collect())
}

/// What waits and what was given up, what has waited longest first.
pub async fn outbox(store: &Store, at_most: i32) -> Result<Vec<Standing>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT * FROM stellwerk_outbox_standing($1)").bind::<Integer, _>(at_most);
    Ok(query.load(&mut *conn).await?)
}

/// Integrations that are not well.
pub async fn troubles(store: &Store, at_most: i32) -> Result<Vec<Trouble>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT * FROM stellwerk_integrations_in_trouble($1)").bind::<Integer, _>(at_most);
    Ok(query.load(&mut *conn).await?)
}

/// Where the providers of connected integrations are, those of most integrations first.
pub async fn places(store: &Store, at_most: i32) -> Result<Vec<Place>> {
    let mut conn = store.connection().await?;
    let query = sql_query("SELECT * FROM stellwerk_provider_places($1)").bind::<Integer, _>(at_most);
    Ok(query.load(&mut *conn).await?)
}
