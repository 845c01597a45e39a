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
        self.until_done("SELECT stellwerk_drop_partitions()::bigint AS count").await
    }

    /// Deletes events that their own tenant no longer keeps from months that others do. Returns how many.
    pub async fn sweep_events(&mut self) -> Result<i64> {
        self.until_done("SELECT stellwerk_sweep_events() AS count").await
    }

    /// Erases bodies that their tenant no longer keeps, by destroying their keys. Returns how many.
    pub async fn sweep_body_keys(&mut self) -> Result<i64> {
        self.until_done("SELECT stellwerk_sweep_body_keys() AS count").await
    }

    /// Lets go of the ids of deliveries whose events are no longer kept. Returns how many.
    pub async fn sweep_delivery_ids(&mut self) -> Result<i64> {
        self.until_done("SELECT stellwerk_sweep_delivery_ids() AS count").await
    }

    /// Deletes what idempotency keys did more than seven days ago. Returns how many.
    pub async fn sweep_idempotency_records(&mut self) -> Result<i64> {
        self.until_done("SELECT stellwerk_sweep_idempotency_records() AS count").await
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

    /// Does a part at a time, each in a transaction of its own: one that cannot be done undoes none before it.
    async fn until_done(&mut self, sql: &'static str) -> Result<i64> {
        let mut all = 0;
        loop {
            match self.count(sql).await? {
                0 => return Ok(all),
                part => all += part,
            }
        }
    }

    async fn count(&mut self, sql: &'static str) -> Result<i64> {
        Ok(sql_query(sql).get_result::<Count>(&mut self.conn).await?.count)
    }
}
