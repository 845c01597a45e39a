//! What the tables' owner does on the service's behalf, through its functions.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Bool, Integer},
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, pooled_connection::deadpool::Object,
};

use super::Store;
use crate::error::Result;

/// The right to do the chores, for one instance at a time.
/// Its connection is its own and closes with it, which gives the right back.
pub struct Chores {
    conn: AsyncPgConnection,
}

#[derive(QueryableByName)]
struct Granted {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Takes the right; `None` while another instance has it.
pub async fn begin(store: &Store) -> Result<Option<Chores>> {
    let mut conn = Object::take(store.connection().await?);
    // A chore may be long, but must not make deliveries queue up behind its wait for a table:
    // the next hour is as good.
    conn.batch_execute("SET statement_timeout = '10min'; SET lock_timeout = '2s'").await?;
    let sql = "SELECT pg_try_advisory_lock(hashtextextended('stellwerk_upkeep', 0)) AS granted";
    let row: Granted = sql_query(sql).get_result(&mut conn).await?;
    Ok(row.granted.then_some(Chores { conn }))
}

impl Chores {
    /// Makes the partitions of this month and the next ones, and of earlier ones whose events had none.
    /// Returns how many were missing.
    pub async fn make_partitions(&mut self, months_ahead: i32) -> Result<i64> {
        let query = sql_query("SELECT stellwerk_make_partitions($1)::bigint AS count")
            .bind::<Integer, _>(months_ahead);
        Ok(query.get_result::<Count>(&mut self.conn).await?.count)
    }

    /// How many events lie in no month's partition.
    pub async fn events_without_month(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_default_events() AS count").await
    }

    /// Drops the months that no tenant keeps any longer. Returns how many.
    pub async fn drop_partitions(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_drop_partitions()::bigint AS count").await
    }

    /// Deletes imported files that nobody will read again. Returns how many chunks.
    pub async fn sweep_imports(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_sweep_imports() AS count").await
    }

    /// Deletes attempts to connect that ran out more than a day ago. Returns how many.
    pub async fn sweep_authorizations(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_sweep_authorizations() AS count").await
    }

    /// Deletes addresses made for webhooks that were closed more than a day ago without a delivery. Returns how
    /// many.
    pub async fn sweep_endpoints(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_sweep_endpoints() AS count").await
    }

    /// Deletes secrets of endpoints that stopped being accepted more than a month ago. Returns how many.
    pub async fn sweep_secrets(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_sweep_secrets() AS count").await
    }

    /// Asks a person about bookings that have waited for their patients for an hour, and nobody any more about
    /// those that do not. Returns how many were asked about.
    pub async fn tell_waiting(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_tell_waiting() AS count").await
    }

    /// Deletes writes of phases that ended more than a month ago. Returns how many.
    pub async fn sweep_phase_intents(&mut self) -> Result<i64> {
        self.count("SELECT stellwerk_sweep_phase_intents() AS count").await
    }

    async fn count(&mut self, sql: &'static str) -> Result<i64> {
        Ok(sql_query(sql).get_result::<Count>(&mut self.conn).await?.count)
    }
}
