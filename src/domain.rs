//! The verbs. They open transactions and know neither tonic nor axum nor SQL.

use std::sync::Arc;

use crate::{
    egress::Egress,
    error::{Error, Result},
    ids::TenantId,
    provider::deployment::Deployments,
    store::{self, Store},
    vault::{TenantKey, Vault},
};

pub mod access;
pub mod alert;
pub mod appointment;
pub mod authorization;
pub mod consent;
pub mod credential;
pub mod dead_letter;
pub mod engine;
pub mod idempotency;
pub mod inbound;
pub mod integration;
pub mod knock;
pub mod matching;
pub mod oauth_client;
pub mod onboarding;
pub mod patient;
pub mod patient_csv;
pub mod patient_import;
pub mod patient_link;
pub mod planning;
pub mod review;
pub mod root_key;
pub mod sync_log;
pub mod upkeep;
pub mod watch;
pub mod webhook;

/// The rooms below, in one hand.
#[derive(Clone)]
pub struct Domain {
    pub store: Store,
    pub vault: Arc<Vault>,
    /// The way to providers.
    pub egress: Arc<Egress>,
    /// Where providers reach the HTTP adapter, without a trailing slash, as in `https://hooks.example.org`.
    pub public_url: String,
    /// How this installation stands with each provider.
    pub deployments: Arc<Deployments>,
    /// What some providers sign deliveries with.
    pub key_rings: Arc<inbound::KeyRings>,
}

impl Domain {
    /// The tenant's data key, opened; made when the tenant has none yet.
    pub async fn tenant_key(&self, tenant: TenantId) -> Result<Arc<TenantKey>> {
        if let Some(key) = self.vault.open_tenant_key(tenant) {
            return Ok(key);
        }
        let mut tx = self.store.tenant(tenant).await?;
        let wrapped = match store::tenant::find_key(&mut tx).await? {
            Some(wrapped) => wrapped,
            None => {
                let fresh = self.vault.new_tenant_key(tenant).map_err(Error::internal)?;
                store::tenant::insert_key_if_absent(&mut tx, &fresh).await?;
                // A racing twin may have been first: what is kept counts.
                store::tenant::find_key(&mut tx)
                    .await?
                    .ok_or_else(|| Error::internal("the tenant key was not kept"))?
            }
        };
        tx.commit().await?;
        self.vault.tenant_key(tenant, &wrapped).map_err(Error::internal)
    }
}
