//! `stellwerk dev`: everything on one machine that has nothing.

mod asana;
mod calcom;
mod commands;
mod demo;
mod link;

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use clap::Args;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use self::{asana::DemoAsana, calcom::DemoCalcom, demo::Demo};
use super::{
    Failure,
    database::{DATABASE, Database, SERVICE_LOGIN, check_schema, root_key},
    sandbox, say, serve as serve_command,
};
use crate::{
    app::App,
    cluster::{Cluster, ClusterError, ClusterOptions, OWNER},
    config::{Config, CorsOrigin},
    domain::root_key,
    error::Error,
    sandbox::booking::BookingTool,
    serve::{Listeners, shutdown::Shutdown},
    store::{
        bootstrap,
        migrate::{self, SchemaError},
    },
    telemetry,
};

/// The booking tool invents at the start until it has booked something, so that there is something to see.
const FIRST_TICKS: usize = 12;
/// Calls under way get less time than a server gives: Ctrl-C ends everything within 10 s,
/// PostgreSQL included.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Args, Debug)]
pub struct Dev {
    /// Where the booking tool's control surface listens.
    #[arg(long, env = "STELLWERK_SANDBOX_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:7213")]
    sandbox_address: SocketAddr,
    /// Where the Cal.com double listens; on this machine only.
    #[arg(
        long,
        env = "STELLWERK_SANDBOX_CALCOM_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7214"
    )]
    sandbox_calcom_address: SocketAddr,
    /// Where the Asana double listens; on this machine only.
    #[arg(
        long,
        env = "STELLWERK_SANDBOX_ASANA_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7215"
    )]
    sandbox_asana_address: SocketAddr,
    #[command(flatten)]
    config: Config,
}

impl Dev {
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        self.config.limits.shutdown_grace = self.config.limits.shutdown_grace.min(GRACE);
        if self.config.callers.cors_origins.is_empty() {
            self.config.callers.cors_origins.push(CorsOrigin::Loopback);
        }
        // First, because nothing has been begun yet that would have to be undone.
        let listeners = Listeners::bind(&self.config).await?;
        let booking = sandbox::listen(self.sandbox_address).await?;
        let calcom = sandbox::listen(self.sandbox_calcom_address).await?;
        let asana = sandbox::listen(self.sandbox_asana_address).await?;
        for double in [&calcom, &asana] {
            let address = double.local_addr().map_err(|error| Failure::failed(&error))?;
            self.config.callers.egress_allow.push(allowed(address)?);
        }
        let sandbox = Sandbox { booking, calcom, asana };

        let (url, owner_url) = (self.config.database.url(), self.config.database.migration_url());
        if let (Some(url), Some(owner_url)) = (url, owner_url) {
            let database = Database::named(url, owner_url)?;
            let doubles = self.start_doubles(&listeners, sandbox).await?;
            return self.run_on(&database, listeners, doubles, &shutdown).await;
        }
        let mut cluster = tokio::select! {
            started = Cluster::start(self.cluster_options()) => started?,
            () = shutdown.stop.cancelled() => return Ok(()),
        };
        // After the cluster, which has the data folder to itself by now.
        let result = match self.start_doubles(&listeners, sandbox).await {
            Ok(doubles) => self.run_with(&mut cluster, listeners, doubles, &shutdown).await,
            Err(failure) => Err(failure),
        };
        // Whatever happened, PostgreSQL does not stay behind.
        cluster.stop().await?;
        result
    }

    async fn start_doubles(&mut self, listeners: &Listeners, sandbox: Sandbox) -> Result<Doubles, Failure> {
        // Providers come back to the port that there is, whatever was asked for.
        let http = from_here(listeners.http.local_addr().map_err(|error| Failure::failed(&error))?);
        self.config.public.public_url.get_or_insert_with(|| format!("http://{http}"));
        let calcom = DemoCalcom::start(sandbox.calcom, &self.config.database.data_dir).await?;
        let asana = DemoAsana::start(sandbox.asana, http, &mut self.config)?;
        Ok(Doubles { booking: sandbox.booking, calcom, asana })
    }

    fn cluster_options(&self) -> ClusterOptions {
        ClusterOptions {
            data_dir: self.config.database.data_dir.clone(),
            settings: Vec::new(),
            bin_dir: self.config.database.pg_bin.clone(),
        }
    }

    async fn run_with(
        &self,
        cluster: &mut Cluster,
        listeners: Listeners,
        doubles: Doubles,
        shutdown: &Shutdown,
    ) -> Result<(), Failure> {
        let superuser = cluster.url(OWNER, "postgres");
        bootstrap::ensure_database(&superuser, DATABASE).await?;
        bootstrap::ensure_login(&superuser, SERVICE_LOGIN).await?;
        let database = Database::of_cluster(cluster);
        tokio::select! {
            result = self.run_on(&database, listeners, doubles, shutdown) => result,
            Err(error) = keep_running(cluster) => Err(error.into()),
        }
    }

    async fn run_on(
        &self,
        database: &Database,
        listeners: Listeners,
        doubles: Doubles,
        shutdown: &Shutdown,
    ) -> Result<(), Failure> {
        let Doubles { booking: sandbox, calcom, asana } = doubles;
        let (app, demo) = tokio::select! {
            ready = self.prepare(database) => ready?,
            () = shutdown.stop.cancelled() => return Ok(()),
        };
        let address = |listener: &TcpListener| listener.local_addr().map_err(|error| Failure::failed(&error));
        let addresses = commands::Addresses {
            grpc: from_here(address(&listeners.grpc)?),
            http: from_here(address(&listeners.http)?),
            metrics: from_here(address(&listeners.metrics)?),
            sandbox: address(&sandbox)?,
            calcom: calcom.address(),
            asana: asana.address(),
        };
        let tool = self.booking_tool(&demo, addresses.http)?;
        let data_dir = &self.config.database.data_dir;
        let (served, (), ()) = tokio::join!(
            serve_command::run(&app, listeners, &self.config, shutdown),
            run_tool(tool, sandbox, shutdown),
            welcome(&app, (&calcom, &asana), &demo, &addresses, data_dir),
        );
        calcom.double.stop().await;
        asana.double.stop().await;
        served
    }

    /// Schema, keys and demo tenant; each is made on the first run and found on the next ones.
    async fn prepare(&self, database: &Database) -> Result<(App, Demo), Failure> {
        let pool = self.config.database.pool();
        let owner_url = database.owner_url.expose_secret();
        // Looked at first: who may serve need not be who may migrate.
        match migrate::check(database.service_url.expose_secret(), &pool).await? {
            Ok(()) | Err(SchemaError::RoleTooStrong(_)) => {}
            Err(SchemaError::Older(_)) => {
                let run = migrate::up(owner_url, &pool).await?;
                tracing::info!(run, "migrated the database");
            }
            // Granted below in a cluster of our own; elsewhere the second look refuses it.
            Err(SchemaError::RoleMissing | SchemaError::Language(..)) => {}
            Err(newer @ SchemaError::Newer(_)) => return Err(Failure::refused(&newer)),
        }
        if database.is_private {
            migrate::grant_service_role(owner_url, &pool, SERVICE_LOGIN).await?;
            bootstrap::end_leases(owner_url).await?;
        }
        match migrate::check(database.service_url.expose_secret(), &pool).await? {
            Err(strong @ SchemaError::RoleTooStrong(_)) => {
                tracing::warn!("fine for trying things out, but `serve` will refuse this login: {strong}");
            }
            _ => check_schema(database, &pool).await?,
        }

        let mut access = serve_command::access(&self.config);
        if access.keys.root_keys().map_err(|error| Failure::refused(&error))?.is_none() {
            access.keys.set_root_keys(root_key(&self.config.database.data_dir)?);
        }
        let app = App::new(access.domain_of(database)?, &self.config.callers)?;
        root_key::follow(&app.domain).await?;
        let demo = Demo::find_or_make(&app.domain, &self.config.database.data_dir).await?;
        Ok((app, demo))
    }

    fn booking_tool(&self, demo: &Demo, http: SocketAddr) -> Result<BookingTool, Failure> {
        let target =
            format!("http://{http}{}", demo.webhook_path).parse().map_err(|error| Failure::failed(&error))?;
        let tool = BookingTool::new(
            target,
            // As the demo's endpoint was made.
            crate::provider::booking_tool::LEGACY,
            demo.webhook_secret.as_str().into(),
        );
        Ok(tool.map_err(|error| Failure::refused(&error))?.with_seed(rand::random()))
    }
}

/// PostgreSQL is started again when it dies: connections are made anew by themselves. A start may take
/// minutes, and everything else goes on meanwhile.
async fn keep_running(cluster: &mut Cluster) -> Result<Infallible, ClusterError> {
    loop {
        cluster.exited().await;
        tracing::warn!("PostgreSQL has ended; starting it again");
        cluster.restart().await?;
    }
}

/// Where the providers' doubles are to listen.
struct Sandbox {
    booking: TcpListener,
    calcom: TcpListener,
    asana: TcpListener,
}

/// The providers' doubles.
struct Doubles {
    booking: TcpListener,
    calcom: DemoCalcom,
    asana: DemoAsana,
}

/// Links the demo tenant, once somebody answers the webhooks that come of it, and prints what can be done.
/// Without the link everything else is still worth trying.
async fn welcome(
    app: &App,
    (calcom, asana): (&DemoCalcom, &DemoAsana),
    demo: &Demo,
    addresses: &commands::Addresses,
    data_dir: &std::path::Path,
) {
    let bookable = match calcom.connect(&app.domain, demo).await {
        Ok(integration) => match calcom.bookable(&app.domain, demo, integration).await {
            Ok(bookable) => bookable,
            Err(error) => {
                telemetry::log_error("what can be booked at the Cal.com double is not known", &error);
                None
            }
        },
        Err(failure) => {
            tracing::error!("the demo tenant is not linked with the Cal.com double: {failure}");
            None
        }
    };
    let planned = asana.connect(&app.domain, demo).await.unwrap_or_else(|failure| {
        tracing::error!("the demo tenant is not linked with the Asana double: {failure}");
        None
    });
    say(&commands::welcome(addresses, demo, (bookable.as_ref(), planned.as_ref()), data_dir));
}

/// The tool's troubles are shown, but end nothing else.
async fn run_tool(tool: BookingTool, listener: TcpListener, shutdown: &Shutdown) {
    let first = async {
        for _ in 0..FIRST_TICKS {
            if let Err(error) = tool.tick().await {
                telemetry::log_error("the booking tool could not invent anything", &error);
            }
            if !tool.appointments().is_empty() {
                break;
            }
        }
    };
    tokio::select! {
        () = first => {}
        () = shutdown.stop.cancelled() => return,
    }
    let stop = shutdown.stop.clone();
    if let Err(error) = tool.serve(listener, async move { stop.cancelled().await }).await {
        telemetry::log_error("the booking tool's control surface ended", &error);
    }
}

/// A double, as the guard of the way out must know it.
fn allowed(address: SocketAddr) -> Result<crate::egress::AllowedHost, Failure> {
    address.to_string().parse().map_err(|error| Failure::refused(&error))
}

/// An address to call from this machine: nobody can call 0.0.0.0.
fn from_here(listening: SocketAddr) -> SocketAddr {
    if listening.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listening.port())
    } else {
        listening
    }
}

impl Database {
    fn of_cluster(cluster: &Cluster) -> Self {
        Self {
            service_url: cluster.url(SERVICE_LOGIN, DATABASE).into(),
            owner_url: cluster.url(OWNER, DATABASE).into(),
            is_private: true,
        }
    }
}

/// A verb's answer for a tenant that is gone, as in another database than last time.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::NotFound(_))
}
