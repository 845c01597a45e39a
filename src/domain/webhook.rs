//! Webhook endpoints, their secrets, and what was delivered to them.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
    inbound::{PAUSED, secret_place},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{IntegrationId, WebhookEndpointId, WebhookEventId, WebhookSecretId},
    page::{Page, Paged},
    provider::catalog,
    store::{
        self, TenantTx,
        webhook_endpoint::{WebhookEndpoint, WebhookSecret},
        webhook_event::{Filter, Repetitions, WebhookEvent, body_place},
    },
    telemetry,
    vault::{self, Place, TenantKey},
    words::{EventStatus, SignatureScheme},
};

mod making;

pub use making::{NewEndpoint, create_endpoint, reveal_secret, rotate_secret};

/// Larger bodies are shown by their size alone: 64 KiB.
const PREVIEWED_BYTES_AT_MOST: i32 = 64 * 1024;
/// Bodies in memory at once: 1 MiB.
const PREVIEWS_AT_ONCE: usize = 16;

/// An endpoint with what screens show beside it.
#[derive(Debug)]
pub struct Shown {
    pub endpoint: WebhookEndpoint,
    pub url: String,
    pub secrets: Vec<WebhookSecret>,
    pub last_delivery_time: Option<DateTime<Utc>>,
}

/// An event with what became of it in the end, and its body's shape.
#[derive(Debug)]
pub struct ShownEvent {
    pub event: WebhookEvent,
    pub effective_status: EventStatus,
    /// The server will try again by itself.
    pub will_retry: bool,
    /// Values are masked; empty when the body is gone or too large.
    pub preview: String,
}

/// A page of endpoints, newest first.
pub async fn list_endpoints(
    domain: &Domain,
    caller: &Caller,
    page: &Page<WebhookEndpointId>,
    now: DateTime<Utc>,
) -> Result<Paged<Shown, WebhookEndpointId>> {
    let key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    let paged = store::webhook_endpoint::list(&mut tx, page).await?;
    let rows = show_all(domain, &mut tx, &key, paged.rows, now).await?;
    tx.end_reading();
    Ok(Paged { rows, next: paged.next })
}

/// Makes the address answer 404 from now on.
pub async fn disable_endpoint(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        store::webhook_endpoint::find(&mut tx, id).await?;
        store::webhook_endpoint::disable(&mut tx, id, now).await?;
    }
    let shown = shown(domain, &mut tx, &tenant_key, id, now).await?;
    tx.commit().await?;
    Ok(shown)
}

/// A page of events, newest first.
pub async fn list_events(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<WebhookEventId>,
) -> Result<Paged<ShownEvent, WebhookEventId>> {
    let key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    let paged = store::webhook_event::list(&mut tx, filter, page).await?;
    let ids: Vec<WebhookEventId> = paged.rows.iter().map(|event| event.id).collect();
    let repetitions = store::webhook_event::repetitions(&mut tx, &ids, PAUSED).await?;
    let repetitions: HashMap<_, _> = repetitions.into_iter().map(|one| (one.original_id, one)).collect();
    let queued_again = queued_again(&mut tx, &paged.rows, &repetitions).await?;
    let mut rows = Vec::with_capacity(paged.rows.len());
    let mut previews = previews(&mut tx, &key, &ids).await?;
    for event in paged.rows {
        let preview = previews.remove(&event.id).unwrap_or_default();
        let repeated = repetitions.get(&event.id);
        rows.push(ShownEvent {
            effective_status: repeated.map_or(event.status, |repeated| repeated.newest_status),
            // What is settled is not tried again, also where the queue still has it.
            will_retry: event.will_retry
                && repeated.is_none_or(|repeated| {
                    !repeated.is_settled && (!repeated.has_ended || queued_again.contains(&event.id))
                }),
            event,
            preview,
        });
    }
    tx.end_reading();
    Ok(Paged { rows, next: paged.next })
}

/// Those that were given up and that somebody put into the queue again.
async fn queued_again(
    tx: &mut TenantTx,
    events: &[WebhookEvent],
    repetitions: &HashMap<WebhookEventId, Repetitions>,
) -> Result<Vec<WebhookEventId>> {
    let is_given_up = |event: &&WebhookEvent| {
        event.will_retry && repetitions.get(&event.id).is_some_and(|one| one.has_ended)
    };
    let given_up: Vec<WebhookEvent> = events.iter().filter(is_given_up).cloned().collect();
    if given_up.is_empty() {
        return Ok(Vec::new());
    }
    store::webhook_event::queued(tx, &given_up).await
}

/// What the bodies of these events look like, where they are there and short enough to be shown. One that
/// cannot be opened does not hide the events.
async fn previews(
    tx: &mut TenantTx,
    key: &TenantKey,
    events: &[WebhookEventId],
) -> Result<HashMap<WebhookEventId, String>> {
    let mut previews = HashMap::new();
    for few in events.chunks(PREVIEWS_AT_ONCE) {
        for (id, sealed, wrapped) in store::webhook_event::bodies(tx, few, PREVIEWED_BYTES_AT_MOST).await? {
            match key.open_with_own_key(body_place(id.0), &sealed, &wrapped) {
                Ok(body) => drop(previews.insert(id, preview(&body))),
                Err(error) => telemetry::log_error("the body of a webhook event cannot be opened", &error),
            }
        }
    }
    Ok(previews)
}

/// An endpoint of an integration with a provider, at an address that nobody can guess.
pub(super) fn new_endpoint(
    key: &TenantKey,
    id: WebhookEndpointId,
    (integration, provider): (IntegrationId, &str),
    name: String,
    (scheme, limit_per_minute): (SignatureScheme, i32),
    now: DateTime<Utc>,
) -> Result<WebhookEndpoint> {
    let token = URL_SAFE_NO_PAD.encode(vault::random::<32>().map_err(Error::internal)?);
    Ok(WebhookEndpoint {
        id,
        integration_id: integration,
        provider: provider.into(),
        name,
        token_hash: vault::hash(token.as_bytes()),
        sealed_token: key.seal(token_place(id), token.as_bytes()).map_err(Error::internal)?,
        scheme,
        limit_per_minute,
        create_time: now,
        disable_time: None,
        base_url: None,
        is_clients: false,
        handshake_expire_time: None,
    })
}

/// Where a provider posts to.
pub(super) fn address(domain: &Domain, key: &TenantKey, endpoint: &WebhookEndpoint) -> Result<String> {
    if endpoint.is_clients {
        return Ok(address_of_client(domain, &endpoint.provider));
    }
    let token = key.open(token_place(endpoint.id), &endpoint.sealed_token).map_err(Error::internal)?;
    let token = String::from_utf8(token).map_err(Error::internal)?;
    Ok(address_of_provider(domain, &endpoint.provider) + &token)
}

/// Where a provider posts what is for all tenants of our client.
pub fn address_of_client(domain: &Domain, provider: &str) -> String {
    format!("{}/api/webhooks/{provider}", domain.public_url)
}

/// What all addresses of a provider begin with.
pub(super) fn address_of_provider(domain: &Domain, provider: &str) -> String {
    format!("{}/api/webhooks/{provider}/", domain.public_url)
}

/// The secret that deliveries to an endpoint are to be signed with.
pub(super) async fn newest_secret(
    tx: &mut TenantTx,
    key: &TenantKey,
    endpoint: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<SecretString> {
    let secrets = store::webhook_endpoint::secrets(tx, &[endpoint], now).await?;
    let newest = secrets.first().ok_or_else(|| Error::internal("an endpoint without a secret"))?;
    let secret = key.open(secret_place(newest.id.0), &newest.sealed_secret).map_err(Error::internal)?;
    Ok(String::from_utf8(secret).map_err(|_| Error::internal("a secret is no text"))?.into())
}

/// Makes a secret for an endpoint that we tell the provider.
pub(super) async fn add_secret(
    tx: &mut TenantTx,
    key: &TenantKey,
    endpoint: &WebhookEndpoint,
    now: DateTime<Utc>,
) -> Result<SecretString> {
    let generated = catalog::verification(&endpoint.provider, endpoint.scheme)
        .and_then(|(_, verification)| verification.proof.generate_secret());
    let secret = generated.ok_or_else(|| Error::internal("an endpoint whose secret cannot be made here"))?;
    keep_secret(tx, key, endpoint.id, &secret, now).await?;
    Ok(secret)
}

/// Keeps a secret that a person has seen.
async fn keep_secret(
    tx: &mut TenantTx,
    key: &TenantKey,
    endpoint: WebhookEndpointId,
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<()> {
    let id = WebhookSecretId::new();
    let sealed = key.seal(secret_place(id.0), secret.expose_secret().as_bytes()).map_err(Error::internal)?;
    let row = WebhookSecret {
        id,
        webhook_endpoint_id: endpoint,
        sealed_secret: sealed,
        create_time: now,
        expire_time: None,
        show_time: Some(now),
    };
    store::webhook_endpoint::insert_secret(tx, &row).await
}

async fn shown(
    domain: &Domain,
    tx: &mut TenantTx,
    key: &TenantKey,
    id: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<Shown> {
    let endpoint = store::webhook_endpoint::find(tx, id).await?;
    let shown = show_all(domain, tx, key, vec![endpoint], now).await?.pop();
    shown.ok_or_else(|| Error::internal("a shown endpoint vanished"))
}

async fn show_all(
    domain: &Domain,
    tx: &mut TenantTx,
    key: &TenantKey,
    endpoints: Vec<WebhookEndpoint>,
    now: DateTime<Utc>,
) -> Result<Vec<Shown>> {
    let ids: Vec<WebhookEndpointId> = endpoints.iter().map(|endpoint| endpoint.id).collect();
    let secrets = store::webhook_endpoint::secrets(tx, &ids, now).await?;
    let deliveries = store::webhook_endpoint::last_deliveries(tx, &ids).await?;
    let show = |endpoint: WebhookEndpoint| {
        Ok(Shown {
            url: address(domain, key, &endpoint)?,
            secrets: secrets
                .iter()
                .filter(|secret| secret.webhook_endpoint_id == endpoint.id)
                .cloned()
                .collect(),
            last_delivery_time: deliveries.iter().find(|(id, _)| *id == endpoint.id).and_then(|(_, at)| *at),
            endpoint,
        })
    };
    endpoints.into_iter().map(show).collect()
}

fn token_place(endpoint: WebhookEndpointId) -> Place {
    Place { table: "webhook_endpoint", column: "sealed_token", row: endpoint.0 }
}

/// A body's shape: names of fields stay, what they say is masked,
/// except for words that say nothing of a person.
fn preview(body: &[u8]) -> String {
    const PLAIN: [&str; 10] = [
        "event",
        "occurred_at",
        "scheduled_at",
        "duration_minutes",
        "status",
        "triggerEvent",
        "createdAt",
        "startTime",
        "endTime",
        "eventTypeId",
    ];
    fn mask(name: &str, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.iter_mut().for_each(|(name, value)| mask(name, value))
            }
            serde_json::Value::Array(items) => {
                items.truncate(3);
                items.iter_mut().for_each(|item| mask("", item));
            }
            serde_json::Value::Null => {}
            _ if PLAIN.contains(&name) => {}
            masked => *masked = serde_json::Value::String("…".into()),
        }
    }
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    mask("", &mut value);
    let text = value.to_string();
    text.chars().take(2_000).collect()
}

#[cfg(test)]
mod tests {
    use super::preview;

    #[test]
    fn a_preview_shows_the_shape_and_nothing_of_a_person() {
        let body = br#"{"event":"patient.created","id":"evt_1",
            "data":{"id":"p-7","vorname":"Erika","email":null,"tags":["a","b"]}}"#;

        let data = r#"{"email":null,"id":"…","tags":["…","…"],"vorname":"…"}"#;
        let shown = format!(r#"{{"data":{data},"event":"patient.created","id":"…"}}"#);
        assert_eq!(preview(body), shown);
        assert_eq!(preview(b"not json"), "");
    }

    #[test]
    fn names_of_fields_that_look_plain_do_not_let_objects_through() {
        assert_eq!(preview(br#"{"status":{"note":"Erika"}}"#), r#"{"status":{"note":"…"}}"#);
    }
}
