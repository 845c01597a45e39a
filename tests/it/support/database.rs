//! A database per test, cloned from a migrated template in the one cluster of this process.

use std::{
    ops::Deref,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use stellwerk::store::{Store, connect::PoolConfig};
use tokio::{runtime::Builder, sync::oneshot};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, error::SqlState};

use super::{
    PATIENCE,
    cluster::{TestCluster, migrate_down, migrate_up},
    wait_until,
};

/// The cluster's own defaults serve one program; here are as many as there are tests at a time.
const SETTINGS: [(&str, &str); 4] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "500"),
];

const TEMPLATE: &str = "migrated";

/// A database of this test's own. It goes with the value.
pub(crate) struct TestDatabase {
    name: String,
    owner_url: String,
    service_url: String,
}

impl TestDatabase {
    /// With every migration.
    pub(crate) async fn new() -> Self {
        Self::made_from(TEMPLATE).await
    }

    /// Without any.
    pub(crate) async fn empty() -> Self {
        Self::made_from("template0").await
    }

    async fn made_from(template: &'static str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let (done, is_made) = oneshot::channel();
        Clerk::of_this_process().ask(Order::Make { name: name.clone(), template, done });
        let [owner_url, service_url] = is_made.await.expect("an answer").expect("a database");
        Self { name, owner_url, service_url }
    }

    /// Connects as the owner of the tables, above every policy.
    pub(crate) fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// Connects as the program does.
    pub(crate) fn service_url(&self) -> &str {
        &self.service_url
    }

    pub(crate) async fn owner(&self) -> Session {
        Session::connect(&self.owner_url).await
    }

    /// Transactions that PostgreSQL ended because they waited in a circle; the newest may not be counted yet.
    pub(crate) async fn deadlocks(&self) -> usize {
        let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        self.owner().await.value(counted).await.parse().expect("a number")
    }

    /// A session like those of the program's pool.
    pub(crate) async fn service(&self) -> Session {
        let session = Session::connect(&self.service_url).await;
        session.run("SET ROLE stellwerk_app").await;
        session
    }

    pub(crate) fn store(&self) -> Store {
        Store::connect(&self.service_url, &PoolConfig::default()).expect("a pool")
    }

    pub(crate) async fn up(&self) -> usize {
        migrate_up(&self.owner_url).await
    }

    pub(crate) async fn down(&self) -> usize {
        migrate_down(&self.owner_url).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        Clerk::of_this_process().ask(Order::Drop { name: self.name.clone() });
    }
}

/// Makes and drops databases, one at a time: a template may have no visitor while it is copied.
struct Clerk {
    orders: mpsc::Sender<Order>,
}

enum Order {
    Make { name: String, template: &'static str, done: oneshot::Sender<Made> },
    Drop { name: String },
}

/// The owner's URL and the service's.
type Made = Result<[String; 2], tokio_postgres::Error>;

impl Clerk {
    /// The first test waits for the cluster, some three seconds. Its thread stays as long as the process,
    /// because tests' runtimes come and go.
    fn of_this_process() -> &'static Self {
        static CLERK: OnceLock<Clerk> = OnceLock::new();
        CLERK.get_or_init(|| {
            let (orders, inbox) = mpsc::channel();
            let (ready, is_ready) = mpsc::channel();
            thread::Builder::new().name("clerk".into()).spawn(move || work(&ready, inbox)).expect("a thread");
            is_ready.recv().expect("a cluster; the clerk's panic says why there is none");
            Self { orders }
        })
    }

    fn ask(&self, order: Order) {
        self.orders.send(order).expect("the clerk is at work");
    }
}

fn work(ready: &mpsc::Sender<()>, inbox: mpsc::Receiver<Order>) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cluster = TestCluster::start(&SETTINGS).await;
        cluster.make_migrated(TEMPLATE).await;
        let admin = Session::connect(&cluster.owner_url("postgres")).await;
        admin.run(&format!("ALTER DATABASE {TEMPLATE} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true")).await;
        ready.send(()).expect("somebody waits");
        for order in inbox {
            match order {
                Order::Make { name, template, done } => {
                    // Half the time of a copy through the log, which nobody needs here.
                    let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
                    let made = admin.batch_execute(&copy).await;
                    let urls = [cluster.owner_url(&name), cluster.service_url(&name)];
                    let _ = done.send(made.map(|()| urls)); // a cancelled test no longer waits
                }
                // Best effort: the whole cluster goes at the end.
                Order::Drop { name } => {
                    let _ = admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
                }
            }
        }
    });
}

/// A connection for questions that the program's own doors do not answer.
pub(crate) struct Session(Client);

impl Session {
    pub(crate) async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
        // It ends with the client.
        tokio::spawn(connection);
        Self(client)
    }

    /// Runs statements that must succeed.
    pub(crate) async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// How many rows the last statement touched, or what PostgreSQL says against it.
    pub(crate) async fn attempt(&self, sql: &str) -> Result<u64, SqlState> {
        match self.0.simple_query(sql).await {
            Ok(messages) => Ok(messages.iter().filter_map(completed).next_back().unwrap_or_default()),
            Err(error) => Err(error.code().cloned().unwrap_or_else(|| panic!("{sql}: {error:?}"))),
        }
    }

    /// The first column of the answer; an SQL NULL is an empty text.
    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        let messages = self.0.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let line = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_string()),
            _ => None,
        };
        messages.into_iter().filter_map(line).collect()
    }

    /// The answer's only value.
    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut lines = self.lines(sql).await;
        assert_eq!(lines.len(), 1, "{sql}");
        lines.remove(0)
    }
}

fn completed(message: &SimpleQueryMessage) -> Option<u64> {
    match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    }
}

impl Deref for Session {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.0
    }
}

/// Until so many of the program's transactions wait for a lock that somebody else has.
pub(crate) async fn until_waiting(owner: &Session, calls: usize) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = 'stellwerk' AND wait_event_type = 'Lock'";
    wait_until("the calls wait", PATIENCE, async || owner.value(waiting).await == calls.to_string()).await;
}
