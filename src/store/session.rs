//! A pooled connection in one transaction. Its BEGIN travels with the first statement: a round trip less.

use std::time::Duration;

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AsQuery, QueryFragment, QueryId},
};
use diesel_async::{
    AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection, pooled_connection::deadpool::Object,
};
use futures::{
    FutureExt,
    future::{BoxFuture, join},
};

use crate::{ids::TenantId, line::Place};

/// How long the end of an abandoned transaction is waited for.
const QUICK: Duration = Duration::from_secs(1);

/// What statements run on. Whoever holds it ends it by one of `commit`, `abandon` and `close`.
pub(in crate::store) struct Session {
    conn: Object<AsyncPgConnection>,
    /// Not sent yet.
    begin: Option<String>,
    /// The tenant's right to the connection, given back with it.
    _place: Option<Place<TenantId>>,
}

impl Session {
    /// Nothing is sent before the first statement.
    pub(in crate::store) fn new(
        conn: Object<AsyncPgConnection>,
        begin: String,
        place: Option<Place<TenantId>>,
    ) -> Self {
        Self { conn, begin: Some(begin), _place: place }
    }

    /// For several statements in one flight: those whose futures are polled together travel together.
    pub(in crate::store) async fn shared(&mut self) -> QueryResult<&AsyncPgConnection> {
        if let Some(begin) = self.begin.take() {
            self.conn.batch_execute(&begin).await?;
        }
        Ok(&self.conn)
    }

    /// Keeps everything that was done.
    pub(in crate::store) async fn commit(&mut self) -> QueryResult<()> {
        match self.begin {
            Some(_) => Ok(()),
            None => self.conn.batch_execute("COMMIT").await,
        }
    }

    /// Rolls back and gives the connection back to the pool; if that is not quick, closes it.
    pub(in crate::store) fn abandon(mut self) {
        if self.begin.is_some() {
            return;
        }
        // Without a runtime nothing can be asked of it any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return self.close() };
        runtime.spawn(async move {
            let undone = tokio::time::timeout(QUICK, self.conn.batch_execute("ROLLBACK")).await;
            if !matches!(undone, Ok(Ok(()))) {
                self.close();
            }
        });
    }

    /// Leaves the rest to the database.
    pub(in crate::store) fn close(self) {
        drop(Object::take(self.conn));
    }
}

impl SimpleAsyncConnection for Session {
    async fn batch_execute(&mut self, sql: &str) -> QueryResult<()> {
        match self.begin.take() {
            Some(begin) => self.conn.batch_execute(&format!("{begin}; {sql}")).await,
            None => self.conn.batch_execute(sql).await,
        }
    }
}

impl AsyncConnectionCore for Session {
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type Stream<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Stream<'conn, 'query>;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'conn, 'query>;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let mut conn: &'conn AsyncPgConnection = &self.conn;
        let loaded = AsyncConnectionCore::load(&mut conn, source);
        after(conn, self.begin.take(), loaded)
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let mut conn: &'conn AsyncPgConnection = &self.conn;
        let executed = conn.execute_returning_count(source);
        after(conn, self.begin.take(), executed)
    }
}

/// Both are on their way before the first answer, in this order. Should BEGIN fail, the statement runs outside
/// of any tenant, where nothing opens to it.
fn after<'conn, T: Send + 'conn>(
    mut conn: &'conn AsyncPgConnection,
    begin: Option<String>,
    statement: BoxFuture<'conn, QueryResult<T>>,
) -> BoxFuture<'conn, QueryResult<T>> {
    let Some(begin) = begin else { return statement };
    async move {
        let (begun, done) = join(conn.batch_execute(&begin), statement).await;
        begun.and(done)
    }
    .boxed()
}
