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
    egress::Egress,
    error::{Error, Result},
    issuer::PublicKeys,
    provider::{
        catalog::{Verification, webhook::Proof},
        signature::{self, Receiver, Refusal, Request, Verified},
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
    verification: &Verification,
    request: &Request<'_>,
    (secrets, client_id): (&[SecretSlice<u8>], Option<&str>),
    now: DateTime<Utc>,
) -> Result<Result<Verified, Refusal>> {
    match &verification.proof {
        Proof::Secret(scheme) => Ok(signature::verify(scheme, request, secrets, now.timestamp())),
        Proof::Published(published) => {
            let url: Url = published.keys_url.parse().map_err(Error::internal)?;
            let keys = domain.key_rings.at(url, &domain.egress)?;
            let receiver = Receiver { keys: &keys, client_id, secrets, now };
            published.verify(request, &receiver).await.map_err(|_| Error::IssuerUnavailable)
        }
    }
}

/// The secrets that may prove a delivery to an endpoint.
pub(super) fn secrets_of(
    endpoint: &ResolvedEndpoint,
    key: &TenantKey,
    verification: &Verification,
) -> Result<Vec<SecretSlice<u8>>> {
    let open = |(id, sealed): (&uuid::Uuid, &Vec<u8>)| {
        let bytes = key.open(secret_place(*id), sealed).map_err(Error::internal)?;
        let secret =
            SecretString::from(String::from_utf8(bytes).map_err(|_| Error::internal("a secret is no text"))?);
        verification.proof.key(&secret).map_err(|_| Error::internal("a secret is no key"))
    };
    endpoint.secret_ids.iter().zip(&endpoint.sealed_secrets).map(open).collect()
}
