//! How a provider that makes the secret itself tells it: in a header of its first request, while we are still asking it to make the
//! webhook.
//!
//! Anybody could post a secret of their own to an address that takes any, and then sign what they like. Hence each address takes one,
//! within a short time after it was made, and no other ever again (asana.md §6.3, trap 1).

use chrono::{DateTime, Utc};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use super::{Domain, secret_place};
use crate::{
    error::{Error, Result},
    ids::WebhookSecretId,
    store::{self, webhook_endpoint::WebhookSecret},
    vault,
    words::IntegrationState,
};

/// What a provider that tells its secret is answered.
#[derive(Debug)]
pub enum Handshake {
    /// Kept; the same is said back.
    Echo(SecretString),
    /// No such endpoint, or one of another provider.
    UnknownEndpoint,
    /// It has its secret, or nobody asked for one in time. What is kept stays.
    NotExpected,
    /// The header is not there once, or is no secret.
    Malformed,
}

/// Longer than any secret that was seen.
const MAX_SECRET_CHARS: usize = 512;

/// Takes the secret in `header` for a pending endpoint.
///
/// Errors: `Unavailable` when it could not be committed; then nothing is echoed, and making the webhook fails.
pub async fn shake_hands(
    domain: &Domain,
    (provider, token): (&str, &str),
    (headers, header): (&HeaderMap, &str),
    now: DateTime<Utc>,
) -> Result<Handshake> {
    let Some(secret) = secret(headers, header) else { return Ok(Handshake::Malformed) };
    let Some(endpoint) = domain.store.resolve_endpoint(&vault::hash(token.as_bytes())).await? else {
        return Ok(Handshake::UnknownEndpoint);
    };
    if endpoint.provider != provider {
        return Ok(Handshake::UnknownEndpoint);
    }
    let key = domain.vault.tenant_key(endpoint.tenant_id, &endpoint.tenant_key()).map_err(Error::internal)?;
    let mut tx = domain.store.tenant(endpoint.tenant_id).await?;
    let integration = store::integration::find(&mut tx, endpoint.integration_id).await?;
    let is_wanted = integration.state == IntegrationState::Connected;
    if !is_wanted || !store::webhook_endpoint::use_handshake(&mut tx, endpoint.id, now).await? {
        return Ok(Handshake::NotExpected);
    }
    let id = WebhookSecretId::new();
    let sealed = key.seal(secret_place(id.0), secret.expose_secret().as_bytes()).map_err(Error::internal)?;
    let row = WebhookSecret {
        id,
        webhook_endpoint_id: endpoint.id,
        sealed_secret: sealed,
        create_time: now,
        expire_time: None,
    };
    store::webhook_endpoint::insert_secret(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(Handshake::Echo(secret))
}

fn secret(headers: &HeaderMap, header: &str) -> Option<SecretString> {
    let mut values = headers.get_all(header).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let text = only.to_str().ok()?;
    (1..=MAX_SECRET_CHARS).contains(&text.len()).then(|| SecretString::from(text))
}
