//! Every setting, with its unit and default. Read once at start: from arguments, else from the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, builder::BoolishValueParser, value_parser};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    cluster::default_data_dir,
    domain::alert::Thresholds,
    egress::AllowedHost,
    network::Network,
    provider::deployment::{DeploymentError, Deployments, ReturnUrl},
    store::connect::PoolConfig,
    telemetry::LogFormat,
};

mod keys;
mod limits;

pub use keys::KeyConfig;
pub use limits::LimitConfig;

/// What `serve` and `dev` run with.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub keys: KeyConfig,
    #[command(flatten)]
    pub public: PublicUrlConfig,
    #[command(flatten)]
    pub listen: ListenConfig,
    #[command(flatten)]
    pub callers: CallerConfig,
    #[command(flatten)]
    pub limits: LimitConfig,
    #[command(flatten)]
    pub alerts: AlertConfig,
}

/// Where the data is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// The database as the service uses it, `postgres://user:password@host:port/name?sslmode=require`; its
    /// login has no SUPERUSER, no BYPASSRLS and owns no table.
    /// Give it by the environment: other users see arguments.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = secret)]
    database_url: Option<SecretString>,
    /// The same database as the owner of its tables, for `migrate` and `dev`; the service never uses it.
    /// Default: the database URL.
    #[arg(
        long,
        env = "STELLWERK_MIGRATION_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        value_parser = secret
    )]
    migration_database_url: Option<SecretString>,
    /// A PEM file of the certificate authorities that vouch for the database.
    /// Default: the operating system's.
    #[arg(long, env = "STELLWERK_DATABASE_CA_FILE", value_name = "FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Database connections for requests and the queue at most, per process, of which one tenant gets half;
    /// four more serve probes, hints and upkeep. Two to four per core of the database server are the fastest;
    /// more only wait for each other inside it.
    #[arg(long, env = "STELLWERK_DATABASE_POOL_SIZE", value_name = "COUNT", default_value_t = 16,
        value_parser = value_parser!(u16).range(1..=1000))]
    pub database_pool_size: u16,
    /// How long a request waits for a free connection before it is answered UNAVAILABLE / OVERLOADED.
    #[arg(
        long,
        env = "STELLWERK_DATABASE_POOL_WAIT",
        value_name = "SPAN",
        default_value = "5s",
        value_parser = span,
    )]
    pub database_pool_wait: Duration,
    /// Where `dev` keeps its private PostgreSQL cluster, its root key and the demo's secrets.
    #[arg(long, env = "STELLWERK_DATA_DIR", value_name = "FOLDER", default_value_os_t = default_data_dir())]
    pub data_dir: PathBuf,
    /// The folder of `initdb` and `postgres` for the private cluster.
    /// Default: searched for in the usual places.
    #[arg(long, env = "STELLWERK_PG_BIN", value_name = "FOLDER")]
    pub pg_bin: Option<PathBuf>,
}

/// Where the outside finds us.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Addresses")]
pub struct PublicUrlConfig {
    /// Where providers reach the HTTP adapter, as in `https://hooks.example.org`. Default: its own address.
    #[arg(long, env = "STELLWERK_PUBLIC_URL", value_name = "URL", value_parser = base_url)]
    pub public_url: Option<String>,
    /// Where the HTTP adapter listens: webhooks, `/healthz`, `/readyz`. Put a proxy with TLS in front.
    #[arg(long, env = "STELLWERK_HTTP_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:7211")]
    pub http_address: SocketAddr,
}

/// The listeners beside the HTTP adapter, and who runs here.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Addresses")]
pub struct ListenConfig {
    /// Where gRPC and grpc-web are served, without TLS.
    #[arg(long, env = "STELLWERK_GRPC_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:7210")]
    pub grpc_address: SocketAddr,
    /// Where `/metrics` is served. Keep it internal.
    #[arg(long, env = "STELLWERK_METRICS_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:7212")]
    pub metrics_address: SocketAddr,
    /// Serve rpcs and webhooks alone; other processes work on the queue.
    #[arg(long, env = "STELLWERK_NO_WORKER", value_parser = BoolishValueParser::new())]
    no_worker: bool,
    /// Work on the queue alone; the listeners answer probes and nothing else.
    #[arg(long, env = "STELLWERK_WORKER_ONLY", value_parser = BoolishValueParser::new())]
    worker_only: bool,
}

/// Who may call, from where, and whom we call.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Callers and the way out")]
pub struct CallerConfig {
    /// A JSON file of the identity providers whose JWTs are accepted; README, *Callers with JWTs*, describes
    /// it. Default: none, API keys only.
    #[arg(long, env = "STELLWERK_ISSUERS_FILE", value_name = "FILE")]
    pub issuers_file: Option<PathBuf>,
    /// Private hosts and networks that may be called, as in `idp.internal:8443,10.1.0.0/16`. Default: none.
    #[arg(long, env = "STELLWERK_EGRESS_ALLOW", value_name = "HOSTS", value_delimiter = ',')]
    pub egress_allow: Vec<AllowedHost>,
    /// Origins whose pages may call by grpc-web, as in `https://desk.example.org`; `loopback` means every
    /// port of localhost. Default: none.
    #[arg(long, env = "STELLWERK_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<CorsOrigin>,
    /// Networks of the proxies in front, as in `10.0.0.0/8`: the HTTP adapter believes their
    /// `X-Forwarded-For`. Default: none, the sender is who connects.
    #[arg(long, env = "STELLWERK_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
    /// What an outside scheduler shows as `authorization: Bearer …` at `/api/cron/{schedule}`, 32 characters
    /// or more; without it there is no such route. Give it by the environment: other users see arguments.
    #[arg(long, env = "CRON_SECRET", hide_env_values = true, value_name = "SECRET", value_parser = secret)]
    cron_secret: Option<SecretString>,
    #[command(flatten)]
    pub providers: ProviderConfig,
}

/// The providers' consent pages, and who we are to them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Providers")]
pub struct ProviderConfig {
    /// Where people may be sent back to from a provider's consent page, as in
    /// `https://desk.example.org/settings`; everything below, if it ends with a slash. A tenant may allow
    /// more (UpdateTenantSettings). Default: none.
    #[arg(long, env = "STELLWERK_RETURN_URLS", value_name = "URLS", value_delimiter = ',')]
    pub return_urls: Vec<ReturnUrl>,
    /// A setting of one provider, also read from the environment, where secrets belong: `ASANA_CLIENT_ID` and
    /// `ASANA_CLIENT_SECRET` (our registration), `ASANA_REDIRECT_URI` (default: `/api/auth/asana/callback` at
    /// the public URL), `ASANA_SIGNING_SECRET` (of app-level webhooks), `STELLWERK_ASANA_URL` (a sandbox in
    /// place of the provider); likewise for every other provider.
    #[arg(long = "provider-setting", value_name = "NAME=VALUE", value_parser = provider_setting)]
    pub provider_settings: Vec<(String, SecretString)>,
}

/// When a tenant is told that something is wrong.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Alerts")]
pub struct AlertConfig {
    /// Failures of an integration within an hour; more are an alert.
    #[arg(long, env = "STELLWERK_ALERT_FAILURES", value_name = "COUNT", default_value_t = 5)]
    pub alert_failures: u32,
    /// The share of an integration's writes and runs of a day, in per cent, that must succeed;
    /// less is an alert.
    #[arg(
        long,
        env = "STELLWERK_ALERT_SYNC_SUCCESS",
        value_name = "PERCENT",
        default_value_t = 99.0,
        value_parser = percent,
    )]
    pub alert_sync_success: f64,
    /// Writes and runs of a day that a share must be of to be an alert.
    #[arg(long, env = "STELLWERK_ALERT_SYNC_SUCCESS_OF", value_name = "COUNT", default_value_t = 20,
        value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub alert_sync_success_of: u32,
    /// Open review items of a tenant; more are an alert.
    #[arg(long, env = "STELLWERK_ALERT_REVIEW_QUEUE", value_name = "COUNT", default_value_t = 10)]
    pub alert_review_queue: u32,
    /// Messages of a tenant that wait or run; more are an alert. Above 10000 they are not counted.
    #[arg(long, env = "STELLWERK_ALERT_OUTBOX_DEPTH", value_name = "COUNT", default_value_t = 50,
        value_parser = value_parser!(u32).range(0..=9_999))]
    pub alert_outbox_depth: u32,
    /// The age of what was last read at an integration's provider; an older one is an alert.
    #[arg(
        long,
        env = "STELLWERK_ALERT_FRESHNESS",
        value_name = "SPAN",
        default_value = "15m",
        value_parser = span,
    )]
    pub alert_freshness: Duration,
    /// Quarantined deliveries of an integration within an hour; more are an alert.
    #[arg(long, env = "STELLWERK_ALERT_QUARANTINE", value_name = "COUNT", default_value_t = 0)]
    pub alert_quarantine: u32,
}

/// How the process tells what it does.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogConfig {
    /// The shape of a log line.
    #[arg(
        long,
        env = "STELLWERK_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    pub log_format: LogFormat,
    /// What is logged, as in `info,stellwerk=debug`.
    #[arg(long, env = "STELLWERK_LOG", value_name = "FILTER", default_value = "info", global = true)]
    pub log: String,
}

/// An origin whose pages may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigin {
    /// Every port of the machine the browser runs on.
    Loopback,
    /// Exactly this one, as the browser writes it.
    Exact(http::HeaderValue),
}

impl DatabaseConfig {
    /// The service's database; `None` when none was named.
    pub fn url(&self) -> Option<&str> {
        given(&self.database_url)
    }

    /// The same as the owner; `None` when no database was named.
    pub fn migration_url(&self) -> Option<&str> {
        given(&self.migration_database_url).or_else(|| self.url())
    }

    /// How the pool behaves.
    pub fn pool(&self) -> PoolConfig {
        PoolConfig {
            size: self.database_pool_size.into(),
            wait: self.database_pool_wait,
            ca_file: self.database_ca_file.clone(),
        }
    }
}

/// Less can be guessed.
const CRON_SECRET_CHARACTERS: usize = 32;

impl CallerConfig {
    /// What opens `/api/cron`; `None` when none was given, or one that is too short to be one.
    pub fn cron_secret(&self) -> Option<&str> {
        let given = given(&self.cron_secret)?;
        if given.chars().count() < CRON_SECRET_CHARACTERS {
            tracing::warn!("CRON_SECRET is shorter than 32 characters, so /api/cron does not exist");
            return None;
        }
        Some(given)
    }
}

impl ProviderConfig {
    /// The settings by provider.
    pub fn deployments(&self) -> Result<Deployments, DeploymentError> {
        let variable = |name: &str| std::env::var(name).ok().map(Into::into);
        Deployments::read(self.return_urls.clone(), &self.provider_settings, variable)
    }
}

impl PublicUrlConfig {
    /// Where providers reach the HTTP adapter, without a trailing slash.
    pub fn base(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.http_address))
    }
}

impl ListenConfig {
    /// Whether this process serves rpcs and webhooks.
    pub fn api(&self) -> bool {
        !self.worker_only
    }

    /// Whether this process works on the queue.
    pub fn worker(&self) -> bool {
        !self.no_worker
    }
}

impl CorsOrigin {
    /// Whether a page of this origin is meant.
    pub fn admits(&self, origin: &http::HeaderValue) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Loopback => {
                origin.to_str().ok().and_then(|text| text.parse::<Url>().ok()).is_some_and(|url| {
                    match url.host() {
                        Some(url::Host::Domain(name)) => name == "localhost",
                        Some(url::Host::Ipv4(address)) => address.is_loopback(),
                        Some(url::Host::Ipv6(address)) => address.is_loopback(),
                        None => false,
                    }
                })
            }
        }
    }
}

impl std::str::FromStr for CorsOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "loopback" {
            return Ok(Self::Loopback);
        }
        let url: Url =
            text.parse().map_err(|_| "must be an origin such as https://desk.example.org".to_string())?;
        let origin = url.origin().ascii_serialization();
        if !matches!(url.scheme(), "http" | "https") || origin != text.trim_end_matches('/') {
            return Err(format!("must be a scheme, a host and a port alone; did you mean {origin}?"));
        }
        http::HeaderValue::from_str(&origin).map(Self::Exact).map_err(|error| error.to_string())
    }
}

impl AlertConfig {
    /// As the rules take them.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            failures: self.alert_failures,
            sync_success: self.alert_sync_success / 100.0,
            sync_success_of: self.alert_sync_success_of,
            review_queue: self.alert_review_queue,
            outbox_depth: self.alert_outbox_depth,
            freshness: self.alert_freshness,
            quarantine: self.alert_quarantine,
        }
    }
}

fn given(setting: &Option<SecretString>) -> Option<&str> {
    setting.as_ref().map(|text| text.expose_secret().trim()).filter(|text| !text.is_empty())
}

/// An empty variable counts as an absent one, so no text is refused here;
/// that also keeps it out of clap's messages.
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

/// The value may be a secret, so it is not refused here, where it would be repeated.
fn provider_setting(text: &str) -> Result<(String, SecretString), std::convert::Infallible> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((name.into(), value.into()))
}

/// A whole number and a unit: `500ms`, `30s`, `5m`, `2h`, `90d`.
pub fn span(text: &str) -> Result<Duration, String> {
    let unfit = || "must be a whole number and one of ms, s, m, h, d, as in 30s".to_string();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(unfit)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| unfit())?;
    let in_seconds = |seconds: u64| number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(unfit);
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => in_seconds(1),
        "m" => in_seconds(60),
        "h" => in_seconds(60 * 60),
        "d" => in_seconds(24 * 60 * 60),
        _ => Err(unfit()),
    }
    .and_then(|span| if span <= Duration::from_secs(10 * 365 * 86_400) { Ok(span) } else { Err(unfit()) })
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number, as in 99.5".to_string())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("must be from 0 to 100".into()) }
}

fn base_url(text: &str) -> Result<String, String> {
    let url: Url = text.parse().map_err(|_| "must be a URL such as https://hooks.example.org".to_string())?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !plain {
        return Err("must be http or https, without user name, query or fragment".into());
    }
    Ok(text.trim_end_matches('/').into())
}

#[cfg(test)]
mod tests;
