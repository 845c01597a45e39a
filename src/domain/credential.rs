//! What opens a provider's API at this moment, whatever kind of credential the integration has.
//!
//! Callers ask for a [`Bearer`] before each call and tell by [`refused`] when the provider did not take it;
//! whether that means another token or another connection is decided here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::Domain;
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{CredentialChangeId, CredentialId, IntegrationId, TenantId},
    page::{Page, Paged},
    store::{
        self, TenantTx, credential::Credential, credential_history::CredentialChange,
        integration::Integration,
    },
    words::{CredentialEvent, CredentialKind, IntegrationState},
};

mod grant;
mod refresh;
mod revoke;

pub(in crate::domain) use grant::Grant;
pub use refresh::run;
pub(in crate::domain) use refresh::{CLIENT_NOT_CONFIGURED, CLIENT_REFUSED, registration, times};
use refresh::{Need, is_usable};
pub(in crate::domain) use revoke::{Remains, revoke};

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

/// For callers who are told at once.
impl From<BearerError> for Error {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Missing => Self::IntegrationState(IntegrationState::NeedsReconnect),
            BearerError::NotNow { after, .. } => Self::ProviderUnavailable(after),
            BearerError::Own(error) => error,
        }
    }
}

/// The bearer of an integration, fresh enough for one call: a token that runs out soon is replaced first.
pub async fn bearer(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
) -> Result<Bearer, BearerError> {
    let current = find(domain, tenant, integration).await?.ok_or(BearerError::Missing)?;
    let now = Utc::now();
    if current.refresh_due_time.is_none_or(|due| now < due) {
        return Ok(open(domain, tenant, &current).await?);
    }
    let need = if is_usable(&current, now) { Need::Soon } else { Need::Now };
    match refresh::refresh(domain, tenant, current.clone(), need, SYSTEM).await {
        Err(BearerError::NotNow { .. }) if need == Need::Soon => Ok(open(domain, tenant, &current).await?),
        refreshed => refreshed,
    }
}

/// The provider answered 401 to `used`. Returns another bearer to try once more with, if there is one;
/// otherwise the integration needs to be connected again.
pub async fn refused(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
) -> Result<Bearer, BearerError> {
    let current = find(domain, tenant, integration).await?.ok_or(BearerError::Missing)?;
    if (current.id, current.version) != used {
        return Ok(open(domain, tenant, &current).await?);
    }
    match current.kind {
        CredentialKind::ApiKey => {
            let mut tx = domain.store.tenant(tenant).await?;
            ask_to_reconnect(&mut tx, integration, used, "CREDENTIAL_REFUSED").await?;
            tx.commit().await?;
            Err(BearerError::Missing)
        }
        // Another fresh one would fare no better, and asking without end would be noticed there.
        CredentialKind::OAuth2 if was_just_refreshed(&current, Utc::now()) => {
            blocked(domain, tenant, integration, used).await?;
            Err(BearerError::Missing)
        }
        CredentialKind::OAuth2 => refresh::refresh(domain, tenant, current, Need::Now, SYSTEM).await,
    }
}

fn was_just_refreshed(row: &Credential, now: DateTime<Utc>) -> bool {
    row.cause == SYSTEM && now < row.update_time + FRESH
}

/// The provider refused even the bearer that [`refused`] gave: the account's admins keep us out, or took
/// the grant back (asana.md §1.3). To be connected again.
pub async fn blocked(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    used: (CredentialId, i32),
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    ask_to_reconnect(&mut tx, integration, used, "ACCESS_BLOCKED").await?;
    tx.commit().await
}

/// Gets another token at once, whatever the one so far is worth. For an integration that needs to be
/// connected again, this may be what shows that it does not.
///
/// Errors: `NotFound`, `NotRefreshable`, `IntegrationState`, `ProviderUnavailable`.
pub async fn refresh_now(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<Integration> {
    let mut tx = domain.store.caller(caller).await?;
    let integration = store::integration::find_for_update(&mut tx, id).await?;
    tx.commit().await?;
    if matches!(integration.state, IntegrationState::Disconnecting | IntegrationState::Disconnected) {
        return Err(Error::IntegrationState(integration.state));
    }
    let current = find(domain, caller.tenant, id).await?.ok_or(Error::NotRefreshable)?;
    let is_refreshable = match current.kind {
        CredentialKind::ApiKey => false,
        CredentialKind::OAuth2 => Grant::open(domain, caller.tenant, &current).await?.refresh.is_some(),
    };
    if !is_refreshable {
        return Err(Error::NotRefreshable);
    }
    refresh::refresh(domain, caller.tenant, current, Need::Now, &caller.subject).await?;
    let mut tx = domain.store.caller(caller).await?;
    let found = store::integration::find(&mut tx, id).await?;
    tx.end_reading();
    Ok(found)
}

/// What happened to an integration's credential, newest first. Errors: `NotFound`.
pub async fn history(
    domain: &Domain,
    caller: &Caller,
    id: IntegrationId,
    page: &Page<CredentialChangeId>,
) -> Result<Paged<CredentialChange, CredentialChangeId>> {
    let mut tx = domain.store.caller(caller).await?;
    store::integration::find(&mut tx, id).await?;
    let found = store::credential_history::list(&mut tx, id, page).await?;
    tx.end_reading();
    Ok(found)
}

/// A token that is refused at this age was refused from the beginning.
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// Who refreshes when somebody needs a token.
const SYSTEM: &str = "system";

/// Writes down what happened to a credential.
pub(in crate::domain) async fn note(
    tx: &mut TenantTx,
    integration_id: IntegrationId,
    event: CredentialEvent,
    version: i32,
    cause: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = CredentialChangeId::new();
    let (cause, reason) = (cause.into(), reason.map(Into::into));
    let change = CredentialChange { id, integration_id, event, version, cause, reason, create_time: now };
    store::credential_history::insert(tx, &change).await
}

/// Unless somebody brought another credential while the old one was being refused.
async fn ask_to_reconnect(
    tx: &mut TenantTx,
    integration: IntegrationId,
    used: (CredentialId, i32),
    reason: &str,
) -> Result<()> {
    let mut row = store::integration::find_for_update(tx, integration).await?;
    let current = store::credential::find(tx, integration).await?;
    let is_current = current.is_some_and(|credential| (credential.id, credential.version) == used);
    if row.state == IntegrationState::Connected && is_current {
        let now = super::integration::micros(Utc::now());
        row.state = IntegrationState::NeedsReconnect;
        row.state_reason = Some(reason.into());
        row.update_time = now;
        store::integration::save(tx, &row).await?;
        note(tx, integration, CredentialEvent::Refused, used.1, SYSTEM, Some(reason), now).await?;
        tracing::warn!(integration.id = %integration, reason, "the provider no longer takes the credential");
    }
    Ok(())
}

async fn find(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Option<Credential>> {
    let mut tx = domain.store.tenant(tenant).await?;
    let found = store::credential::find(&mut tx, integration).await?;
    tx.end_reading();
    Ok(found)
}

/// The secret as it is, however old.
async fn open(domain: &Domain, tenant: TenantId, row: &Credential) -> Result<Bearer> {
    let secret = match row.kind {
        CredentialKind::ApiKey => {
            let opened = unseal(domain, tenant, row).await?;
            let text =
                String::from_utf8(opened).map_err(|_| Error::internal("a credential that is no text"))?;
            text.into()
        }
        CredentialKind::OAuth2 => Grant::open(domain, tenant, row).await?.access,
    };
    Ok(Bearer { secret, id: row.id, version: row.version })
}

async fn unseal(domain: &Domain, tenant: TenantId, row: &Credential) -> Result<Vec<u8>> {
    let key = domain.tenant_key(tenant).await?;
    key.open(store::credential::place(row.id), &row.sealed_secret).map_err(Error::internal)
}
