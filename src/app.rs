//! Builds the rooms from the settings; no logic.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::CallerConfig,
    domain::Domain,
    egress::{Egress, EgressConfig, EgressError},
    error::Error,
    grpc::access_rules::{AccessRuleError, AccessRules, DESCRIPTORS},
    issuer::{self, IssuerConfigError, Issuers},
    network::Network,
    provider::deployment::DeploymentError,
    store::{Store, connect::PoolConfig},
    vault::{Vault, VaultError},
};

/// Everything a server needs beside its listeners.
#[derive(Clone)]
pub struct App {
    pub domain: Domain,
    pub issuers: Arc<Issuers>,
    pub rules: Arc<AccessRules>,
    /// The proxies whose word on where a call came from counts.
    pub trusted_proxies: Vec<Network>,
}

/// A setting that does not work.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the root keys cannot be used")]
    RootKeys(#[from] VaultError),
    #[error("the database's settings cannot be used")]
    Database(#[source] Error),
    #[error("the issuers file cannot be used")]
    Issuers(#[from] IssuerConfigError),
    #[error("the way out cannot be set up")]
    Egress(#[from] EgressError),
    #[error("the providers' settings cannot be used")]
    Providers(#[from] DeploymentError),
    #[error("the access rules of the protos are not whole")]
    AccessRules(#[from] AccessRuleError),
}

/// The verbs' rooms. Connects when first used.
pub fn domain(
    url: &str,
    pool: &PoolConfig,
    root_keys: &SecretString,
    public_url: String,
) -> Result<Domain, SetupError> {
    Ok(Domain {
        store: Store::connect(url, pool).map_err(SetupError::Database)?,
        vault: Arc::new(Vault::from_root_keys(root_keys.expose_secret())?),
        egress: Arc::new(Egress::new(EgressConfig::default())?),
        public_url,
        deployments: Arc::default(),
        key_rings: Arc::default(),
    })
}

impl App {
    /// A server's rooms around the domain.
    pub fn new(domain: Domain, callers: &CallerConfig) -> Result<Self, SetupError> {
        let rules = Arc::new(AccessRules::read(DESCRIPTORS)?);
        let allow_private = callers.egress_allow.clone();
        let egress = Arc::new(Egress::new(EgressConfig { allow_private, ..EgressConfig::default() })?);
        let configs = callers.issuers_file.as_deref().map_or(Ok(Vec::new()), issuer::load)?;
        let issuers = Arc::new(Issuers::new(configs, egress.clone())?);
        let trusted_proxies = callers.trusted_proxies.clone();
        let deployments = Arc::new(callers.providers.deployments()?);
        Ok(Self { domain: Domain { egress, deployments, ..domain }, issuers, rules, trusted_proxies })
    }
}
