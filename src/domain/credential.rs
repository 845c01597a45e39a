//! What opens a provider's API at this moment, whatever kind of credential the integration has.
//!
//! Callers ask for a [`Bearer`] before each call and tell by [`refused`] when the provider did not take it; whether
//! that means another token or another connection is decided here.

use std::time::Duration;

use chrono::Utc;
use secrecy::SecretString;

use super::Domain;
use crate::{
    error::{Error, Result},
    ids::{CredentialId, IntegrationId, TenantId},
    store::{self, credential::Credential},
    words::{CredentialKind, IntegrationState},
};

/// What is sent as `authorization: Bearer …`.
#[derive(Debug, Clone)]
pub struct Bearer {
    pub secret: SecretString,
    pub id: CredentialId,
    /// Grows with every change of the credential.
    pub version: i32,
}

impl Bearer {
    /// Names what was used, for [`refused`] and [`blocked`].
    pub fn used(&self) -> (CredentialId, i32) {
        (self.id, self.version)
    }
}

/// Why there is no bearer.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// There is none that the provider takes: somebody must connect again.
    #[error("the integration has no credential that the provider takes")]
    Missing,
    /// The provider gives no token at this moment; nothing is wrong with the connection.
    #[error("the provider gives no token for the next {} s: {reason}", .after.as_secs())]
    NotNow { after: Duration, reason: &'static str },
    /// Ours, not the provider's.
    #[error("{0}")]
    Own(Error),
}

impl From<Error> for BearerError {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// The bearer of an integration, fresh enough for one call.
pub async fn bearer(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
) -> Result<Bearer, BearerError> {
    let current = find(domain, tenant, integration).await?.ok_or(BearerError::Missing)?;
    match current.kind {
        CredentialKind::ApiKey => Ok(open_api_key(domain, tenant, &current).await?),
    }
}

/// The provider answered 401 to `used`. Returns another bearer to try once more with, if there is one; otherwise the
/// integration needs to be connected again.
pub async fn refused(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
) -> Result<Bearer, BearerError> {
    let current = find(domain, tenant, integration).await?.ok_or(BearerError::Missing)?;
    match current.kind {
        CredentialKind::ApiKey if (current.id, current.version) != used => {
            Ok(open_api_key(domain, tenant, &current).await?)
        }
        CredentialKind::ApiKey => {
            ask_to_reconnect(domain, tenant, integration, used, "CREDENTIAL_REFUSED").await?;
            Err(BearerError::Missing)
        }
    }
}

/// The provider refused even the bearer that [`refused`] gave: the account's admins keep us out, or took the grant back
/// (asana.md §1.3). To be connected again.
pub async fn blocked(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
) -> Result<()> {
    ask_to_reconnect(domain, tenant, integration, used, "ACCESS_BLOCKED").await
}

/// Unless somebody brought another credential while the old one was being refused.
async fn ask_to_reconnect(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
    reason: &str,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let mut row = store::integration::find_for_update(&mut tx, integration).await?;
    let current = store::credential::find(&mut tx, integration).await?;
    let is_current = current.is_some_and(|credential| (credential.id, credential.version) == used);
    if row.state == IntegrationState::Connected && is_current {
        row.state = IntegrationState::NeedsReconnect;
        row.state_reason = Some(reason.into());
        row.update_time = Utc::now();
        store::integration::save(&mut tx, &row).await?;
        tracing::warn!(integration.id = %integration, reason, "the provider no longer accepts the credential");
    }
    tx.commit().await
}

async fn find(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Option<Credential>> {
    let mut tx = domain.store.tenant(tenant).await?;
    let found = store::credential::find(&mut tx, integration).await?;
    tx.end_reading();
    Ok(found)
}

async fn open_api_key(domain: &Domain, tenant: TenantId, row: &Credential) -> Result<Bearer> {
    let key = domain.tenant_key(tenant).await?;
    let opened = key.open(store::credential::place(row.id), &row.sealed_secret).map_err(Error::internal)?;
    let secret = String::from_utf8(opened).map_err(|_| Error::internal("a credential that is no text"))?;
    Ok(Bearer { secret: secret.into(), id: row.id, version: row.version })
}
