//! What an empty server needs before the migrations: a database, and a login for the service. For `dev` and its own cluster.

use diesel::{QueryableByName, sql_query, sql_types::Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::connect::{PoolConfig, owner_connection};
use crate::error::Result;

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    known: bool,
}

/// Makes the database `name` unless there is one. `url` is a superuser's, to any other database.
pub async fn ensure_database(url: &str, name: &'static str) -> Result<()> {
    let mut conn = owner_connection(url, &PoolConfig::default()).await?;
    let known = format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}') AS known");
    if !is_known(&mut conn, &known).await? {
        conn.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    }
    Ok(())
}

/// Makes the login `name` unless there is one: no password, no rights of its own.
pub async fn ensure_login(url: &str, name: &'static str) -> Result<()> {
    let mut conn = owner_connection(url, &PoolConfig::default()).await?;
    let known = format!("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') AS known");
    if !is_known(&mut conn, &known).await? {
        conn.batch_execute(&format!("CREATE ROLE {name} LOGIN")).await?;
    }
    Ok(())
}

/// Ends the leases of a process that was killed. In a cluster of our own nobody else has any, and a lane need
/// not wait a minute for nobody. `url` is the superuser's, to the migrated database.
pub async fn end_leases(url: &str) -> Result<()> {
    let mut conn = owner_connection(url, &PoolConfig::default()).await?;
    conn.batch_execute("UPDATE outbox SET run_time = clock_timestamp() WHERE is_leased").await?;
    Ok(())
}

async fn is_known(conn: &mut AsyncPgConnection, sql: &str) -> Result<bool> {
    Ok(sql_query(sql).get_result::<Known>(conn).await?.known)
}
