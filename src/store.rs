//! The database: every BEGIN is here, every statement in the files below.
//!
//! A transaction names its tenant, role, subject and person in the BEGIN itself, and row-level security does
//! the rest: the files below hold no tenant filter, and forgetting the transaction is an error, not a leak.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use deadpool::managed::{Manager, TimeoutType};
use diesel::{
    dsl::{select, sql},
    sql_types::Timestamptz,
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::deadpool::{Object, Pool, PoolError},
};
use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;

use crate::{
    caller::{Caller, Person},
    error::{Error, Result},
    ids::TenantId,
    line::Line,
    words::Role,
};

pub mod bootstrap;
mod cached;
pub mod changes;
pub mod connect;
pub mod diagnosis;
mod failure;
pub mod schema;
mod session;

pub mod alert;
pub mod alert_destination;
pub mod api_key;
pub mod appointment;
pub mod appointment_link;
pub mod authorization;
pub mod booking;
pub mod call_slot;
pub mod consent;
pub mod credential;
pub mod credential_history;
pub mod dead_letter;
pub mod event_type;
pub mod idempotency;
pub mod integration;
pub mod integration_flow;
pub mod integration_health;
pub mod intent;
pub mod link_candidate;
pub mod migrate;
pub mod oauth_client;
pub mod outbox;
pub mod patient;
pub mod patient_import;
pub mod patient_link;
pub mod planning;
pub mod practitioner;
pub mod resolve;
pub mod review_item;
pub mod root_key;
pub mod schedule;
pub mod service;
pub mod slot_reservation;
pub mod standing;
pub mod subject_link;
pub mod subscription;
pub mod sync_log;
pub mod tenant;
pub mod upkeep;
pub mod webhook_endpoint;
pub mod webhook_event;

pub(crate) use cached::Cached;

use connect::PoolConfig;
use session::Session;

/// The pool, and the doors to it.
#[derive(Clone)]
pub struct Store {
    pool: Pool<AsyncPgConnection>,
    /// One tenant takes half of the connections, because what it does may wait for its own locks for seconds,
    /// and a connection that waits is one that nobody else gets.
    shares: Arc<Line<TenantId>>,
    /// How long a connection, or the tenant's share of them, is waited for.
    wait: Duration,
    /// For `ping`, while nobody asks.
    spare: Arc<Mutex<Option<AsyncPgConnection>>>,
    hub: Arc<changes::Hub>,
}

/// Connections of the pool, and callers waiting for one.
#[derive(Debug, Clone, Copy)]
pub struct Connections {
    pub idle: usize,
    pub busy: usize,
    pub waiting: usize,
    pub at_most: usize,
}

/// A transaction inside one tenant. Dropped without `commit` it is rolled back at once, or its connection is
/// closed: a cancelled call would otherwise leave a pooled connection in transaction,
/// holding its locks until somebody else is handed it.
pub struct TenantTx {
    session: Option<Session>,
    tenant: TenantId,
    /// Open savepoints.
    depth: usize,
    hub: Arc<changes::Hub>,
    /// Appointments changed.
    is_to_be_told: bool,
}

/// A transaction over the queue's columns of all tenants, and nothing else.
pub struct WorkerTx {
    session: Option<Session>,
}

impl Store {
    fn new(pool: Pool<AsyncPgConnection>, config: &PoolConfig) -> Self {
        Self {
            hub: changes::Hub::new(pool.clone()),
            shares: Arc::new(Line::new(config.size.div_ceil(2), usize::MAX)),
            wait: config.wait,
            spare: Arc::default(),
            pool,
        }
    }

    /// A transaction for a request, under the caller's own rights.
    pub async fn caller(&self, caller: &Caller) -> Result<TenantTx> {
        let person = match caller.person {
            Some(Person::Practitioner(id)) => Some(id.0),
            Some(Person::Patient(id)) => Some(id.0),
            None => None,
        };
        self.begin(caller.tenant, caller.role, &caller.subject, person).await
    }

    /// A transaction for the server's own work on a tenant's behalf.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantTx> {
        self.begin(tenant, Role::System, "system", None).await
    }

    /// A transaction of the worker's. Its commit does not wait for the disk: a claim or an outcome that a
    /// crash of the database undoes only has the message run again, as any other crash does. Whatever a
    /// handler commits makes the claim before it durable, because the log is written in order, and a worker
    /// whose claim was undone has an epoch that nobody else gets.
    pub async fn worker(&self) -> Result<WorkerTx> {
        let sql = "BEGIN; SET LOCAL ROLE stellwerk_worker; SET LOCAL synchronous_commit = off";
        Ok(WorkerTx { session: Some(Session::new(self.connection().await?, sql.into(), None)) })
    }

    /// A connection outside any tenant, for the narrow functions of `resolve` and `migrate`;
    /// no table opens to it.
    pub(in crate::store) async fn connection(&self) -> Result<Object<AsyncPgConnection>> {
        Ok(self.pool.get().await?)
    }

    /// Whether the database answers at this moment. It is asked over a connection of its own: when all others
    /// are busy that is an overload, and telling it as a death would send the load to the next instance.
    pub async fn ping(&self) -> Result<()> {
        let mut spare = self.spare.lock().await;
        let mut conn = match spare.take() {
            Some(conn) => conn,
            None => self.pool.manager().create().await.map_err(|error| Error::Unavailable(error.into()))?,
        };
        conn.batch_execute("SELECT 1").await?;
        *spare = Some(conn);
        Ok(())
    }

    /// The database's time, which is one for all instances.
    pub async fn clock(&self) -> Result<DateTime<Utc>> {
        let mut conn = self.connection().await?;
        Ok(select(sql::<Timestamptz>("clock_timestamp()")).get_result(&mut *conn).await?)
    }

    /// What the pool's connections are doing.
    pub fn connections(&self) -> Connections {
        let status = self.pool.status();
        let busy = status.size.saturating_sub(status.available);
        Connections { idle: status.available, busy, waiting: status.waiting, at_most: status.max_size }
    }

    async fn begin(
        &self,
        tenant: TenantId,
        role: Role,
        subject: &str,
        person: Option<Uuid>,
    ) -> Result<TenantTx> {
        let sql = format!(
            "BEGIN; SET LOCAL stellwerk.tenant_id = '{}'; SET LOCAL stellwerk.role = '{}'; \
             SET LOCAL stellwerk.subject = {}; SET LOCAL stellwerk.person_id = '{}'",
            tenant.0,
            role,
            quote(subject),
            person.map(|id| id.to_string()).unwrap_or_default(),
        );
        let place = self.shares.enter(tenant)?.wait(Instant::now() + self.wait).await?;
        let session = Some(Session::new(self.connection().await?, sql, Some(place)));
        Ok(TenantTx { session, tenant, depth: 0, hub: self.hub.clone(), is_to_be_told: false })
    }
}

impl TenantTx {
    /// The tenant this transaction is in.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(in crate::store) fn conn(&mut self) -> &mut Session {
        open(&mut self.session)
    }

    /// Watchers of the tenant's appointments are to be told when this commits.
    pub(in crate::store) fn tell(&mut self) {
        self.is_to_be_told = true;
    }

    /// Keeps everything that was done.
    pub async fn commit(mut self) -> Result<()> {
        commit(&mut self.session).await?;
        if self.is_to_be_told {
            self.hub.tell(self.tenant);
        }
        Ok(())
    }

    /// Ends a transaction that only read. The answer need not wait for it: nothing depends on how it ends.
    pub fn end_reading(self) {
        drop(self);
    }

    /// Opens a part that can be undone alone; end it with one of the two below.
    pub async fn begin_savepoint(&mut self) -> Result<()> {
        self.depth += 1;
        let sql = format!("SAVEPOINT part_{}", self.depth);
        Ok(self.conn().batch_execute(&sql).await?)
    }

    /// Keeps what was done since `begin_savepoint`.
    pub async fn release_savepoint(&mut self) -> Result<()> {
        let sql = format!("RELEASE SAVEPOINT part_{}", self.depth);
        self.conn().batch_execute(&sql).await?;
        self.depth -= 1;
        Ok(())
    }

    /// Undoes what was done since `begin_savepoint`.
    pub async fn roll_back_savepoint(&mut self) -> Result<()> {
        let sql = format!("ROLLBACK TO SAVEPOINT part_{}", self.depth);
        self.conn().batch_execute(&sql).await?;
        self.depth -= 1;
        Ok(())
    }

    /// Waits for the transaction-long lock on `key`: racers queue up instead of killing each other by
    /// deadlock.
    pub async fn lock(&mut self, key: &str) -> Result<()> {
        use diesel::{sql_query, sql_types::Text};
        use diesel_async::RunQueryDsl;
        let sql = sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))");
        let key = format!("{}/{key}", self.tenant);
        Cached(sql.bind::<Text, _>(key)).execute(self.conn()).await?;
        Ok(())
    }
}

impl WorkerTx {
    pub(in crate::store) fn conn(&mut self) -> &mut Session {
        open(&mut self.session)
    }

    /// Keeps everything that was done.
    pub async fn commit(mut self) -> Result<()> {
        commit(&mut self.session).await
    }
}

impl Drop for TenantTx {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.abandon();
        }
    }
}

impl Drop for WorkerTx {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.abandon();
        }
    }
}

#[expect(clippy::expect_used, reason = "the session leaves only in commit, which consumes the transaction")]
fn open(session: &mut Option<Session>) -> &mut Session {
    session.as_mut().expect("an open transaction")
}

/// Whoever no longer waits for the end leaves it to `drop`. A session that did not end is closed.
/// Errors: `CommitUnknown`, when COMMIT is on its way and the connection breaks.
async fn commit(session: &mut Option<Session>) -> Result<()> {
    let ended = open(session).commit().await;
    if let Some(over) = session.take().filter(|_| ended.is_err()) {
        over.close();
    }
    ended.map_err(|error| match Error::from(error) {
        Error::Unavailable(source) => Error::CommitUnknown(source),
        other => other,
    })
}

/// A text as an SQL literal; `connect` makes sure of standard_conforming_strings.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// What a transaction ends with that must begin again, because what it is about was changed before it was
/// locked.
pub fn overtaken() -> Error {
    Error::internal(failure::Overtaken)
}

/// Whether a transaction gave way to others, so that it is worth beginning again.
pub fn gave_way(error: &Error) -> bool {
    matches!(error, Error::Internal(source) if failure::is_giving_way(source))
}

/// Repeats `work` while its transaction gives way to others, as a deadlock's victim does, four times at most,
/// with growing pauses. Errors: `Unavailable` after that.
///
/// Not `AsyncFnMut`: the compiler cannot yet see that such a closure's futures are `Send`,
/// which gRPC handlers must be.
pub async fn retry_deadlocks<T, F: Future<Output = Result<T>>>(mut work: impl FnMut() -> F) -> Result<T> {
    for pause_ms in [5, 25, 100, 250] {
        match work().await {
            Err(error) if gave_way(&error) => tokio::time::sleep(Duration::from_millis(pause_ms)).await,
            result => return result,
        }
    }
    match work().await {
        Err(Error::Internal(source)) if failure::is_giving_way(&source) => Err(Error::Unavailable(source)),
        result => result,
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Overloaded,
            other => Self::Unavailable(other.into()),
        }
    }
}
