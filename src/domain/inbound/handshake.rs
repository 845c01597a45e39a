//! How a provider that makes the secret itself tells it: in a header of its first request, while we are still
//! asking it to make the webhook.
//!
//! Anybody could post a secret of their own to an address that takes any, and then sign what they like. Hence
//! each address takes one, within a short time after it was made,
//! and no other ever again (asana.md §6.3, trap 1).

use chrono::{DateTime, Utc};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Answer, Delivery, Domain, secret_place, trust};
use crate::{
    error::{Error, Result},
    ids::WebhookSecretId,
    provider::{
        catalog::{self, Pointer, Verification, Webhook},
        signature::Request,
    },
    store::{self, resolve::ResolvedEndpoint, webhook_endpoint::WebhookSecret},
    words::IntegrationState,
};

/// What a provider that tells its secret is answered.
#[derive(Debug)]
pub enum Handshake {
    /// Kept; the same is said back.
    Echo(SecretString),
    /// It has its secret, or nobody asked for one in time. What is kept stays.
    NotExpected,
    /// The header is not there once, or is no secret.
    Malformed,
}

/// Longer than any secret that was seen.
const MAX_SECRET_CHARS: usize = 512;

/// Keeps a secret that the provider told, if the endpoint waits for one.
///
/// Errors: `Unavailable` when it could not be committed; then nothing is echoed, and making the webhook
/// fails.
async fn take(
    domain: &Domain,
    endpoint: &ResolvedEndpoint,
    secret: SecretString,
    now: DateTime<Utc>,
) -> Result<Handshake> {
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
        show_time: None,
    };
    store::webhook_endpoint::insert_secret(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(Handshake::Echo(secret))
}

/// Whether a delivery tells a secret instead of an event; then the answer to it.
pub(super) async fn told(
    domain: &Domain,
    (webhook, verification): (&Webhook, &Verification),
    endpoint: &ResolvedEndpoint,
    delivery: &Delivery<'_>,
) -> Result<Option<Answer>> {
    match webhook.handshake {
        catalog::webhook::Handshake::EchoSecretHeader { header } if delivery.headers.contains_key(header) => {
            let outcome = match self::secret(delivery.headers, header) {
                Some(secret) => take(domain, endpoint, secret, delivery.receive_time).await?,
                None => Handshake::Malformed,
            };
            Ok(Some(Answer::Handshake { header: Some(header), outcome }))
        }
        catalog::webhook::Handshake::TellsSecret { at } => {
            let Some(secret) = secret_in(delivery.body, at) else { return Ok(None) };
            let Ok(key) = verification.proof.key(&secret) else {
                return Ok(Some(Answer::Handshake { header: None, outcome: Handshake::Malformed }));
            };
            // Who tells it can sign with it; whoever cannot has only heard of the form.
            let request = Request { headers: delivery.headers, body: delivery.body, address: "" };
            let at = delivery.receive_time;
            let judged =
                trust::judge(domain, (delivery.provider, verification), &request, (&[key], None), at).await?;
            if let Err(refusal) = judged {
                return Ok(Some(Answer::Refused(refusal)));
            }
            let outcome = take(domain, endpoint, secret, delivery.receive_time).await?;
            Ok(Some(Answer::Handshake { header: None, outcome }))
        }
        _ => Ok(None),
    }
}

fn secret_in(body: &[u8], at: Pointer) -> Option<SecretString> {
    let said: Value = serde_json::from_slice(body).ok()?;
    let text = said.pointer(at)?.as_str()?;
    (1..=MAX_SECRET_CHARS).contains(&text.len()).then(|| SecretString::from(text))
}

fn secret(headers: &HeaderMap, header: &str) -> Option<SecretString> {
    let mut values = headers.get_all(header).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let text = only.to_str().ok()?;
    (1..=MAX_SECRET_CHARS).contains(&text.len()).then(|| SecretString::from(text))
}
