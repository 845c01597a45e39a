//! The running program over a database of its own, and the callers it knows.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use clap::Parser;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use stellwerk::{
    app::{self, App},
    caller::Caller,
    config::Config,
    domain::{Domain, access, idempotency},
    ids::TenantId,
    serve::{self, Listeners, services::services, shutdown::Shutdown},
    vault::Vault,
    words::Role,
    worker::{Worker, WorkerConfig},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

use super::{
    PATIENCE,
    caller::TestCaller,
    database::TestDatabase,
    log_book::{self, LogBook},
    tenant::TestTenant,
    wait_until,
};

/// A server with its worker. Its database goes with it.
pub(crate) struct TestApp {
    pub(crate) database: TestDatabase,
    pub(crate) domain: Domain,
    running: Running,
    channel: Channel,
    operator_secret: SecretString,
    // Last: what the others say at their end is looked at too.
    _log_book: LogBook,
}

/// What a server in this process listens on, and how it ends. Dropped, it stops.
pub(crate) struct Running {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) domain: Domain,
    shutdown: Shutdown,
    ended: JoinHandle<()>,
}

/// A worker alone. Dropped, it dies as a process does that is killed: nothing is finished,
/// no lease given back.
pub(crate) struct TestWorker(JoinHandle<()>);

#[derive(Default)]
pub(crate) struct TestAppBuilder {
    database: Option<TestDatabase>,
    settings: Vec<String>,
    without_worker: bool,
    reachable: bool,
}

/// The settings as the command line takes them.
#[derive(Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    config: Config,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    pub(crate) fn builder() -> TestAppBuilder {
        TestAppBuilder::default()
    }

    /// A new tenant and its first admin, made by an operator.
    pub(crate) async fn tenant(&self, name: &str) -> TestTenant {
        TestTenant::make(&self.operator(), self.http(), self.channel.clone(), name).await
    }

    pub(crate) fn anonymous(&self) -> TestCaller {
        TestCaller::new(self.channel.clone(), None)
    }

    pub(crate) fn operator(&self) -> TestCaller {
        self.bearer(self.operator_secret.expose_secret())
    }

    /// Somebody with this credential.
    pub(crate) fn bearer(&self, credential: &str) -> TestCaller {
        TestCaller::new(self.channel.clone(), Some(credential))
    }

    /// A connection as nobody.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.running.http
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        self.running.grpc
    }

    pub(crate) fn metrics(&self) -> SocketAddr {
        self.running.metrics
    }

    /// Waits until every promise was kept. Panics when one was given up.
    pub(crate) async fn work_until_idle(&self) {
        let owner = self.database.owner().await;
        let count = |state| format!("SELECT count(*) FROM outbox WHERE state = '{state}'");
        wait_until("the outbox is empty", PATIENCE, async || owner.value(&count("pending")).await == "0")
            .await;
        assert_eq!(
            owner.lines("SELECT kind || ' ' || reason FROM outbox WHERE state = 'dead'").await,
            [""; 0]
        );
    }

    /// The next attempts are due now, whatever pause they would have waited for.
    pub(crate) async fn hurry(&self) {
        let due = "UPDATE outbox SET run_time = now() WHERE NOT is_leased AND state = 'pending'; \
            NOTIFY stellwerk_outbox";
        self.database.owner().await.run(due).await;
    }

    /// Another instance over the same database and its connections, with the same keys.
    pub(crate) async fn second_instance(&self, settings: &[&str]) -> Running {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        launch(self.domain.clone(), &settings, true).await
    }

    /// A worker whose death is noticed after two seconds.
    pub(crate) fn worker(&self) -> TestWorker {
        let config =
            WorkerConfig { lease: Duration::from_secs(2), poll: Duration::from_millis(100), ..quiet() };
        TestWorker(tokio::spawn(Worker::new(self.domain.clone(), config).run(CancellationToken::new())))
    }
}

impl TestAppBuilder {
    /// A setting as on the command line, as in `--request-deadline=2s`.
    pub(crate) fn setting(mut self, setting: &str) -> Self {
        self.settings.push(setting.into());
        self
    }

    /// Nobody works, unless the test starts somebody.
    pub(crate) fn without_worker(mut self) -> Self {
        self.without_worker = true;
        self
    }

    /// Doubles on this machine find the way to it: its public address is its own.
    pub(crate) fn reachable(mut self) -> Self {
        self.reachable = true;
        self
    }

    /// A database made before.
    pub(crate) fn database(mut self, database: TestDatabase) -> Self {
        self.database = Some(database);
        self
    }

    pub(crate) async fn start(self) -> TestApp {
        let log_book = LogBook::open();
        let database = match self.database {
            Some(database) => database,
            None => TestDatabase::new().await,
        };
        let root_keys: SecretString = Vault::generate_root_key("test").expect("randomness").into();
        log_book::secret(root_keys.expose_secret());
        // Most tests post to the address itself; this only has to look like one in `url`.
        let public_url = if self.reachable { "" } else { "http://hooks.example.org" }.to_string();
        let pool = config(&self.settings).database.pool();
        let domain = app::domain(database.service_url(), &pool, &root_keys, public_url).expect("a domain");

        let running = launch(domain, &self.settings, !self.without_worker).await;
        let domain = running.domain.clone();
        let channel = running.channel();
        let operator_secret = operator_key(&domain).await;
        TestApp { database, domain, running, channel, operator_secret, _log_book: log_book }
    }
}

fn config(settings: &[String]) -> Config {
    let free =
        ["--grpc-address", "--http-address", "--metrics-address"].map(|name| format!("{name}=127.0.0.1:0"));
    // All tests share one address, so the flood limit is off unless a test asks for it.
    let line = free.into_iter().chain(["--flood-limit=0".to_string()]).chain(settings.iter().cloned());
    Line::try_parse_from(line).expect("settings that can be read").config
}

/// The only place that knows how the program is put together. Everything listens on free ports of loopback.
async fn launch(domain: Domain, settings: &[String], works: bool) -> Running {
    let config = config(settings);
    let mut app = App::new(domain, &config.callers).expect("a server's rooms");
    let listeners = Listeners::bind(&config).await.expect("free ports");
    let [grpc, http, metrics] = [&listeners.grpc, &listeners.http, &listeners.metrics]
        .map(|listener| listener.local_addr().expect("a bound listener"));
    if app.domain.public_url.is_empty() {
        app.domain.public_url = format!("http://{http}");
    }
    let domain = app.domain.clone();

    let shutdown = Shutdown::default();
    let (told, workers) = (shutdown.clone(), domain.clone());
    let ended = tokio::spawn(async move {
        let worker = async {
            if works {
                Worker::new(workers, quiet()).run(told.stop.clone()).await;
            }
        };
        let served = serve::serve(&app, services(&app, &config.limits), listeners, &config, &told);
        let (served, ()) = tokio::join!(served, worker);
        served.expect("the server ends in order");
    });
    Running { grpc, http, metrics, domain, shutdown, ended }
}

/// What is due by the clock would come between a test's steps; tests of that begin it themselves.
fn quiet() -> WorkerConfig {
    WorkerConfig { schedules: false, ..WorkerConfig::default() }
}

impl Running {
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::try_from(format!("http://{}", self.grpc)).expect("an address").connect_lazy()
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.stop.cancel();
        (&mut self.ended).await.expect("the server ends without a panic");
    }
}

impl TestWorker {
    /// Returns when nothing of it runs any more.
    pub(crate) async fn kill(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.stop.cancel();
        self.shutdown.hurry.cancel();
        self.ended.abort();
    }
}

/// The first operator's key cannot come from an rpc, because only an operator could call it.
async fn operator_key(domain: &Domain) -> SecretString {
    let spec = access::ApiKeySpec {
        name: "test".into(),
        role: Role::Operator,
        scopes: Vec::new(),
        origin: None,
        expire_time: None,
    };
    let house = Caller::system(TenantId::HOUSE);
    let key = idempotency::Key::new("CreateApiKey", "", b"");
    let made = access::create_api_key(domain, &house, &key, &spec, &[], Utc::now())
        .await
        .expect("an operator's key");
    made.secret.expect("a new key has a secret")
}

/// A JSON file that a server reads: the identity providers that it believes, or their keys.
pub(crate) struct IssuersFile(PathBuf);

impl IssuersFile {
    pub(crate) fn write(json: &Value) -> Self {
        let path = env::temp_dir().join(format!("stellwerk-issuers-{}.json", Uuid::now_v7()));
        fs::write(&path, json.to_string()).expect("a file");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// For a server's command line.
    pub(crate) fn setting(&self) -> String {
        format!("--issuers-file={}", self.0.display())
    }
}

impl Drop for IssuersFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
