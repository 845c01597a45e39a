//! What a delivery is judged by: the endpoint's secrets, our client's, or the provider's public keys.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use secrecy::{SecretSlice, SecretString};
use url::Url;

use super::{Domain, secret_place};
use crate::{
    domain::oauth_client,
    egress::Egress,
    error::{Error, Result},
    ids::TenantId,
    issuer::PublicKeys,
    provider::{
        catalog::{
            self, Verification, Webhook,
            webhook::{Address, ClientSecret, Proof},
        },
        oauth::{Client, Placeholders, rebase},
        signature::{self, Audience, Receiver, Refusal, Request, Verified},
    },
    store::resolve::ResolvedEndpoint,
    vault::TenantKey,
};

/// The providers' public keys, by where they are.
#[derive(Default)]
pub struct KeyRings(Mutex<HashMap<Url, Arc<PublicKeys>>>);

impl KeyRings {
    fn at(&self, url: Url, egress: &Arc<Egress>) -> Result<Arc<PublicKeys>> {
        // Every change is one insertion, so there is no half-made state to fear after a panic.
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rings.get(&url) {
            return Ok(known.clone());
        }
        let fresh = Arc::new(PublicKeys::at(url.clone(), egress).map_err(Error::internal)?);
        rings.insert(url, fresh.clone());
        Ok(fresh)
    }
}

/// Judges a delivery. Outer error: nobody can say yet, the provider is to repeat it.
pub(super) async fn judge(
    domain: &Domain,
    (provider, verification): (&str, &Verification),
    request: &Request<'_>,
    (secrets, client_id): (&[SecretSlice<u8>], Option<&str>),
    now: DateTime<Utc>,
) -> Result<Result<Verified, Refusal>> {
    match &verification.proof {
        Proof::Secret(scheme) => Ok(signature::verify(scheme, request, secrets, now.timestamp())),
        Proof::Published(published) => {
            let url: Url = published.keys_url.parse().map_err(Error::internal)?;
            let url = domain.deployments.base(provider).map_or(url.clone(), |base| rebase(&url, base));
            let keys = domain.key_rings.at(url, &domain.egress)?;
            let receiver = Receiver { keys: &keys, client_id, secrets, now };
            published.verify(request, &receiver).await.map_err(|_| Error::IssuerUnavailable)
        }
    }
}

/// The secrets that may prove a delivery to an endpoint: its own. Where it has none, that of the client which
/// the row names, unless the client has an address of its own: what comes there may be for anybody.
pub(super) async fn secrets_of(
    domain: &Domain,
    endpoint: &ResolvedEndpoint,
    key: &TenantKey,
    (webhook, verification): (&Webhook, &Verification),
) -> Result<Vec<SecretSlice<u8>>> {
    let open = |(id, sealed): (&uuid::Uuid, &Vec<u8>)| {
        let bytes = key.open(secret_place(*id), sealed).map_err(Error::internal)?;
        let secret =
            SecretString::from(String::from_utf8(bytes).map_err(|_| Error::internal("a secret is no text"))?);
        verification.proof.key(&secret).map_err(|_| Error::internal("a secret is no key"))
    };
    let own: Vec<SecretSlice<u8>> =
        endpoint.secret_ids.iter().zip(&endpoint.sealed_secrets).map(open).collect::<Result<_>>()?;
    match verification.client_secret {
        Some(kind) if own.is_empty() && webhook.address == Address::PerSubscription => {
            let clients = match kind {
                ClientSecret::Signing => domain.deployments.signing_secret(&endpoint.provider).cloned(),
                ClientSecret::OAuth => {
                    client(domain, endpoint.tenant_id, &endpoint.provider).await?.map(|client| client.secret)
                }
            };
            Ok(clients.and_then(|secret| verification.proof.key(&secret).ok()).into_iter().collect())
        }
        _ => Ok(own),
    }
}

/// The secret of our own client that proves deliveries to its address.
pub(super) fn secret_of_client(
    domain: &Domain,
    provider: &str,
    verification: &Verification,
) -> Option<SecretSlice<u8>> {
    let secret = match verification.client_secret? {
        ClientSecret::Signing => domain.deployments.signing_secret(provider).cloned(),
        ClientSecret::OAuth => domain.deployments.client(provider).map(|client| client.secret),
    };
    verification.proof.key(&secret?).ok()
}

/// Who we are to a provider for a tenant: its own registration, else the installation's.
async fn client(domain: &Domain, tenant: TenantId, provider: &str) -> Result<Option<Client>> {
    let Some(row) = catalog::find(provider) else { return Ok(None) };
    match oauth_client::current(domain, tenant, row, &Placeholders::default()).await {
        Ok(client) => Ok(Some(client)),
        Err(Error::OAuthNotConfigured { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Our client's id as the tenant is known there, where tokens are made for it.
pub(super) async fn client_id(
    domain: &Domain,
    endpoint: &ResolvedEndpoint,
    verification: &Verification,
) -> Result<Option<String>> {
    match &verification.proof {
        Proof::Published(published) if published.audience == Audience::ClientId => {
            Ok(client(domain, endpoint.tenant_id, &endpoint.provider).await?.map(|client| client.id))
        }
        _ => Ok(None),
    }
}
