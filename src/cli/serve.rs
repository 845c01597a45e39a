//! `stellwerk serve`.

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{
    Failure,
    database::{Access, Database, check_schema},
};
use crate::{
    app::App,
    config::{Config, LimitConfig},
    domain::root_key,
    serve::{self, Listeners, services::services, shutdown::Shutdown},
    worker::{Worker, WorkerConfig},
};

#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = &self.config;
        if !config.listen.api() && !config.listen.worker() {
            return Err(Failure::refused_because(
                "--no-worker and --worker-only together leave nothing to do",
            ));
        }
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        if config.database.url().is_none() {
            return Err(Failure::refused_because("no database: set DATABASE_URL, or try `stellwerk dev`"));
        }
        let database = Database::find(&config.database)?;
        let app = App::new(access(config).domain_of(&database)?, &config.callers)?;
        let listeners = Listeners::bind(config).await?;
        check_schema(&database, &config.database.pool()).await?;
        listeners.tell();
        run(&app, listeners, config, &shutdown).await
    }
}

/// The settings that every other command has, too.
pub fn access(config: &Config) -> Access {
    Access { database: config.database.clone(), keys: config.keys.clone(), public: config.public.clone() }
}

/// Serves and works until `shutdown`.
pub async fn run(
    app: &App,
    listeners: Listeners,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    serve::raise_file_limit();
    let instance = root_key::join(&app.domain).await?;
    let worker = async {
        if config.listen.worker() {
            let LimitConfig { shutdown_grace: grace, worker_lease: lease, worker_concurrency, .. } =
                config.limits;
            let concurrency = worker_concurrency.into();
            let alerts = config.alerts.thresholds();
            let settings = WorkerConfig { concurrency, grace, lease, alerts, ..WorkerConfig::default() };
            Worker::new(app.domain.clone(), settings).run(shutdown.stop.clone()).await;
        }
    };
    let services = services(app, &config.limits);
    // Stays until the last call has ended: it may seal something.
    let ended = CancellationToken::new();
    let served = async {
        let (served, ()) = tokio::join!(serve::serve(app, services, listeners, config, shutdown), worker);
        ended.cancel();
        served
    };
    let (served, ()) = tokio::join!(served, root_key::keep_reporting(&app.domain, instance, &ended));
    served.map_err(|error| Failure::failed(&error))
}
