//! The running server: its listeners, what answers on each, and how it stops.

pub mod connections;
pub mod grpc_stack;
pub mod metrics;
pub mod services;
pub mod shutdown;

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    app::App,
    bodies::Bodies,
    config::Config,
    domain::inbound::Turns,
    gate::Gate,
    telemetry::install_metrics,
    web::{self, CronSecret, Web, flood::FloodLimit, health::Readiness},
};
use connections::Protocol;
use grpc_stack::{Admission, ReflectionError};
use shutdown::Shutdown;

/// How often the health service looks at the database.
const HEALTH_EVERY: Duration = Duration::from_secs(3);

/// The three listeners, bound: gRPC faces teams, HTTP the internet, metrics the operators.
#[derive(Debug)]
pub struct Listeners {
    pub grpc: TcpListener,
    pub http: TcpListener,
    pub metrics: TcpListener,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {what}; choose another address with {setting}")]
pub struct BindError {
    what: &'static str,
    address: SocketAddr,
    setting: &'static str,
    source: io::Error,
}

impl Listeners {
    /// Binds all of them, before anything else is begun that would have to be undone.
    pub async fn bind(config: &Config) -> Result<Self, BindError> {
        Ok(Self {
            grpc: bind("gRPC", config.listen.grpc_address, "STELLWERK_GRPC_ADDRESS").await?,
            http: bind("the HTTP adapter", config.public.http_address, "STELLWERK_HTTP_ADDRESS").await?,
            metrics: bind("metrics", config.listen.metrics_address, "STELLWERK_METRICS_ADDRESS").await?,
        })
    }
}

impl Listeners {
    /// Logs where they are.
    pub fn tell(&self) {
        for (what, listener) in [("gRPC", &self.grpc), ("HTTP", &self.http), ("metrics", &self.metrics)] {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "{what} listens");
            }
        }
    }
}

/// Lets the process open as many files as the system allows: each connection is one, and the usual soft limit
/// of 1024 is there for programs that still use select(2).
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(soft, hard, %error, "the limit of open files could not be raised");
    }
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
    setting: &'static str,
) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { what, address, setting, source })
}

/// Serves until `shutdown`, then for as long as calls under way need, at most the configured grace.
/// `services` are ours with their own `Authenticate` around them.
pub async fn serve(
    app: &App,
    services: Routes,
    listeners: Listeners,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<(), ReflectionError> {
    let limits = &config.limits;
    let gate = Arc::new(Gate::new(limits.max_concurrent_requests, limits.request_deadline));
    let readiness = Arc::new(Readiness::new(app.domain.store.clone(), shutdown.stop.clone()));
    let health = HealthReporter::new();
    let open = grpc_stack::open_services(health.clone())?;
    // Probes are answered in any case: who restarts a process does not care what it is there for.
    let api = config.listen.api();
    let (services, names) = match api {
        true => (services, grpc_stack::service_names(&app.rules)),
        false => (Routes::default(), Vec::new()),
    };
    let admission = Admission {
        rules: app.rules.clone(),
        gate: gate.clone(),
        bodies: Arc::new(Bodies::new(limits.max_bodies_bytes as usize)),
        message_bytes: limits.max_message_bytes as usize,
        trusted_proxies: config.callers.trusted_proxies.clone(),
    };
    let grpc = grpc_stack::router(services, open, admission, &config.callers.cors_origins);
    let web = Arc::new(Web {
        domain: app.domain.clone(),
        readiness: readiness.clone(),
        gate,
        flood: FloodLimit::new(limits.flood_limit, limits.flood_window, Instant::now()),
        bodies: Bodies::new(limits.max_bodies_bytes as usize),
        turns: Turns::new(app.domain.store.connections().at_most, limits.max_concurrent_requests as usize),
        trusted_proxies: config.callers.trusted_proxies.clone(),
        cron: config.callers.cron_secret().map(CronSecret::new),
    });
    let web = if api { web::router(web) } else { web::probes(web) };
    let metrics = metrics::router(install_metrics(), app.domain.store.clone());

    let stop = &shutdown.stop;
    let all = async {
        tokio::join!(
            connections::serve(listeners.grpc, grpc, Protocol::Http1And2, limits, stop),
            connections::serve(listeners.http, web, Protocol::Http1, limits, stop),
            connections::serve(listeners.metrics, metrics, Protocol::Http1, limits, stop),
            tell_health(&health, &readiness, names, stop),
        )
    };
    tokio::select! {
        _ = all => tracing::info!("everything under way has finished"),
        () = shutdown.overdue(limits.shutdown_grace) => tracing::warn!("calls under way were cut off"),
    }
    Ok(())
}

/// Keeps the health service's answers true, per service and for the whole (the empty name).
async fn tell_health(
    health: &HealthReporter,
    readiness: &Readiness,
    mut names: Vec<String>,
    stop: &CancellationToken,
) {
    names.push(String::new());
    while !stop.is_cancelled() {
        let serving = readiness.check().await.is_ok();
        set_health(health, &names, if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
            .await;
        tokio::select! {
            () = tokio::time::sleep(HEALTH_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    // Watchers hear it while their calls still run.
    set_health(health, &names, ServingStatus::NotServing).await;
}

async fn set_health(health: &HealthReporter, names: &[String], status: ServingStatus) {
    for name in names {
        health.set_service_status(name, status).await;
    }
}
