//! Making connections: unix socket or TCP, TLS as the URL says,
//! and the session settings every promise leans on.

use std::{str::FromStr, sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Pool},
};
use futures::FutureExt;
use tokio_postgres::{NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Store;
use crate::{
    error::{Error, Result},
    telemetry::Chain,
};

/// How the pool behaves.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Connections at most, per process.
    pub size: usize,
    /// How long a request waits for a free connection before it is answered UNAVAILABLE.
    pub wait: Duration,
    /// A PEM file of certificate authorities for TLS to the database; the operating system's when absent.
    pub ca_file: Option<std::path::PathBuf>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { size: 16, wait: Duration::from_secs(5), ca_file: None }
    }
}

/// The service's role and its limits. A statement that outlives its caller would keep a connection busy
/// (cancelling a future does not cancel the statement), hence the timeouts. One whose connection was closed
/// ends within a second: those who hang up behind a lock would otherwise leave more and more waiting there.
const SERVICE_SESSION: &str = "SET ROLE stellwerk_app; SET standard_conforming_strings = on; \
    SET timezone = 'UTC'; SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_connection_check_interval = '1s'";

impl Store {
    /// A store over a pool at `url`. Connects when first used.
    pub fn connect(url: &str, config: &PoolConfig) -> Result<Self> {
        let tls = tls_config(config.ca_file.as_deref())?;
        let mut manager = ManagerConfig::default();
        manager.recycling_method = RecyclingMethod::Fast;
        manager.custom_setup = Box::new(move |url| {
            let (url, tls) = (url.to_string(), tls.clone());
            async move {
                let mut conn = establish(&url, &tls).await?;
                conn.batch_execute(SERVICE_SESSION)
                    .await
                    .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(conn)
            }
            .boxed()
        });
        let pool = Pool::builder(AsyncDieselConnectionManager::new_with_config(url, manager))
            .max_size(config.size)
            .wait_timeout(Some(config.wait))
            .create_timeout(Some(config.wait))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self::new(pool, config))
    }
}

/// A connection as the URL's own user, for migrations.
pub async fn owner_connection(url: &str, config: &PoolConfig) -> Result<AsyncPgConnection> {
    let tls = tls_config(config.ca_file.as_deref())?;
    establish(url, &tls).await.map_err(|error| Error::Unavailable(error.into()))
}

async fn establish(url: &str, tls: &Arc<rustls::ClientConfig>) -> ConnectionResult<AsyncPgConnection> {
    let mut config = tokio_postgres::Config::from_str(url)
        .map_err(|error| ConnectionError::InvalidConnectionUrl(error.to_string()))?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    config.application_name("stellwerk");
    // Its source says why, as in `connection refused`, and diesel's error has no place for one.
    let bad = |error: tokio_postgres::Error| ConnectionError::BadConnection(Chain(&error).to_string());
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(bad)?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    } else {
        let (client, connection) =
            config.connect(MakeRustlsConnect::new((**tls).clone())).await.map_err(bad)?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    }
}

fn tls_config(ca_file: Option<&std::path::Path>) -> Result<Arc<rustls::ClientConfig>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(Error::internal)? {
                roots.add(certificate.map_err(Error::internal)?).map_err(Error::internal)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
