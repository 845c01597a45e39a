//! Who we are to a provider: the installation's registration, or a tenant's own.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
};
use crate::{
    caller::Caller,
    error::{Error, Noun, Result},
    ids::{OAuthClientId, TenantId},
    provider::{
        catalog::{self, OAuth, Provider, oauth as row},
        oauth::{Client, Door, Endpoints, Placeholders},
    },
    store::{self, oauth_client::OAuthClient},
};

/// What a tenant is shown of its own registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub provider: &'static str,
    /// Empty for none.
    pub client_id: String,
    /// What has to be registered at the provider.
    pub redirect_uri: String,
    pub update_time: Option<DateTime<Utc>>,
}

/// One registration with one provider, for one tenant's placeholders: all that a request of OAuth needs.
#[derive(Clone)]
pub(in crate::domain) struct Registration {
    pub provider: &'static Provider,
    pub row: &'static OAuth,
    pub client: Client,
    pub endpoints: Endpoints,
    pub placeholders: Placeholders,
    pub redirect_uri: String,
}

impl Registration {
    /// The URLs of a provider for this client and these placeholders.
    pub(in crate::domain) fn new(
        domain: &Domain,
        provider: &'static Provider,
        client: Client,
        placeholders: Placeholders,
        redirect_uri: String,
    ) -> Result<Self> {
        let row = provider.oauth().ok_or(Error::NotFound(Noun::Provider))?;
        let base = domain.deployments.base(provider.id);
        let endpoints = Endpoints::of(row, &placeholders, &client.id, base)
            .ok_or_else(|| Error::internal("a row's URL that cannot be filled"))?;
        Ok(Self { provider, row, client, endpoints, placeholders, redirect_uri })
    }

    pub(in crate::domain) fn door<'a>(&'a self, domain: &'a Domain) -> Door<'a> {
        Door {
            egress: &domain.egress,
            row: self.row,
            endpoints: &self.endpoints,
            client: &self.client,
            redirect_uri: &self.redirect_uri,
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("provider", &self.provider.id).finish_non_exhaustive()
    }
}

/// Takes a tenant's own registration in the place of the installation's, or with an empty id goes back to
/// that. Grants that were given to another registration are refreshed with that one for as long as it is
/// here.
///
/// Errors: `NotFound` (provider), `Invalid`, `IdempotencyKeyReused`.
pub async fn put(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    provider: &str,
    client_id: &str,
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let provider = catalog::find(provider)
        .filter(|provider| provider.oauth().is_some())
        .ok_or(Error::NotFound(Noun::Provider))?;
    let client_id = client_id.trim();
    if client_id.is_empty() != secret.expose_secret().is_empty() {
        return Err(Error::invalid("client_secret", "must be given together with client_id"));
    }
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let id = OAuthClientId::new();
    let mut tx = domain.store.tenant(caller.tenant).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        if client_id.is_empty() {
            store::oauth_client::remove(&mut tx, provider.id).await?;
        } else {
            let place = store::oauth_client::place(id);
            let sealed_secret =
                tenant_key.seal(place, secret.expose_secret().as_bytes()).map_err(Error::internal)?;
            let row = OAuthClient {
                id,
                provider: provider.id.into(),
                client_id: client_id.into(),
                sealed_secret,
                cause: caller.subject.clone(),
                create_time: now,
                update_time: now,
            };
            store::oauth_client::put(&mut tx, &row).await?;
        }
    }
    let kept = store::oauth_client::find(&mut tx, provider.id).await?;
    tx.commit().await?;
    Ok(Shown {
        provider: provider.id,
        update_time: kept.as_ref().map(|kept| kept.update_time),
        client_id: kept.map(|kept| kept.client_id).unwrap_or_default(),
        redirect_uri: domain.deployments.redirect_uri(provider.id, &domain.public_url),
    })
}

/// The registration that a tenant's new grants are given to: its own, else the installation's.
///
/// Errors: `OAuthNotConfigured`.
pub(in crate::domain) async fn current(
    domain: &Domain,
    tenant: TenantId,
    provider: &'static Provider,
    placeholders: &Placeholders,
) -> Result<Client> {
    let own = own(domain, tenant, provider.id).await?;
    own.or_else(|| house(domain, provider, placeholders))
        .ok_or(Error::OAuthNotConfigured { provider: provider.id })
}

/// The registration that a grant was given to, if it is still here.
pub(in crate::domain) async fn by_id(
    domain: &Domain,
    tenant: TenantId,
    provider: &'static Provider,
    placeholders: &Placeholders,
    client_id: &str,
) -> Result<Option<Client>> {
    let is_it = |client: &Client| client.id == client_id;
    if let Some(own) = own(domain, tenant, provider.id).await?.filter(is_it) {
        return Ok(Some(own));
    }
    Ok(house(domain, provider, placeholders).filter(is_it))
}

/// The installation's, unless its secret would be shown to a host that a tenant chose, or to an instance
/// where nobody but the tenant can register.
fn house(domain: &Domain, provider: &'static Provider, placeholders: &Placeholders) -> Option<Client> {
    let row = provider.oauth()?;
    let is_fit = row.client == row::Client::Ours && !placeholders.lead_elsewhere(row);
    domain.deployments.client(provider.id).filter(|_| is_fit)
}

async fn own(domain: &Domain, tenant: TenantId, provider: &str) -> Result<Option<Client>> {
    let mut tx = domain.store.tenant(tenant).await?;
    let found = store::oauth_client::find(&mut tx, provider).await?;
    tx.end_reading();
    let Some(row) = found else { return Ok(None) };
    let key = domain.tenant_key(tenant).await?;
    let secret = key.open(store::oauth_client::place(row.id), &row.sealed_secret).map_err(Error::internal)?;
    let secret = String::from_utf8(secret).map_err(|_| Error::internal("a secret that is no text"))?;
    Ok(Some(Client { id: row.client_id, secret: secret.into() }))
}
