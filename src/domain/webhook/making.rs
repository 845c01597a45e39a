//! Endpoints that a person makes, and where their secrets come from.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{Shown, add_secret, keep_secret, new_endpoint, newest_secret, shown};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Noun, Result},
    ids::{IntegrationId, WebhookEndpointId},
    provider::catalog::{
        self, Adapter, Provider, Verification, Webhook,
        webhook::{Handshake, Secret, Setup},
    },
    store::{self, TenantTx, integration::Integration, webhook_endpoint::WebhookEndpoint},
    vault::TenantKey,
    words::SignatureScheme,
};

/// Open endpoints of a tenant and provider, at most.
const MAX_ENDPOINTS: i64 = 100;
/// Valid secrets of an endpoint, at most: every delivery, a forged one too, is held against each of them.
const MAX_SECRETS: usize = 5;
/// How long a provider may tell its secret to an endpoint that a person made.
const HANDSHAKE_TIME: TimeDelta = TimeDelta::hours(24);
/// Providers' secrets are between these lengths, in bytes of visible ASCII: Dropbox's have 15.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 12..=512;

/// What an admin asks for.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    pub provider: String,
    pub integration: Option<IntegrationId>,
    pub name: String,
    /// The provider's preferred one when absent.
    pub scheme: Option<SignatureScheme>,
    /// The one that the provider has made, where it makes them.
    pub secret: Option<SecretString>,
    /// Authentic deliveries per minute; when absent, the tenant's setting for the booking tool,
    /// and none for others.
    pub limit_per_minute: Option<i32>,
}

/// Makes an endpoint. The secret is returned if it was made here: `None` where the provider makes it, and for
/// a repeated call, to which it is not shown again.
///
/// Errors: `Invalid`, `NotFound` (provider, integration), `LimitReached`, `IdempotencyKeyReused`.
pub async fn create_endpoint(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    new: NewEndpoint,
    now: DateTime<Utc>,
) -> Result<(Shown, Option<SecretString>)> {
    let provider = catalog::find(&new.provider).ok_or(Error::NotFound(Noun::Provider))?;
    let (webhook, verification) = chosen(provider, new.scheme)?;
    check_secret(verification, new.secret.as_ref())?;
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    let id = WebhookEndpointId::new();
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, id).await? {
        return Ok((shown(domain, &mut tx, &tenant_key, WebhookEndpointId(made), now).await?, None));
    }
    tx.lock("webhook_endpoints").await?;
    if store::webhook_endpoint::count_open(&mut tx, provider.id).await? >= MAX_ENDPOINTS {
        return Err(Error::LimitReached("100 open webhook endpoints"));
    }
    let integration = integration(&mut tx, provider, new.integration, now).await?;
    let limit_per_minute = match new.limit_per_minute {
        Some(limit) => limit,
        // It repeats what is answered 429; others may not.
        None if provider.adapter == Adapter::Booking => {
            store::tenant::current(&mut tx).await?.webhook_limit_per_minute
        }
        None => 0,
    };
    let whose = (integration.id, provider.id);
    let endpoint =
        new_endpoint(&tenant_key, id, whose, new.name, (verification.scheme, limit_per_minute), now)?;
    let endpoint = WebhookEndpoint {
        base_url: Some(domain.public_url.clone()),
        handshake_expire_time: awaits_secret(webhook, new.secret.as_ref()).then(|| now + HANDSHAKE_TIME),
        ..endpoint
    };
    store::webhook_endpoint::insert(&mut tx, &endpoint).await?;
    let made = first_secret(&mut tx, &tenant_key, (&endpoint, verification), new.secret, now).await?;
    let shown = shown(domain, &mut tx, &tenant_key, id, now).await?;
    tx.commit().await?;
    Ok((shown, made))
}

/// Takes another secret; the old ones stay valid for `grace`. `given` is the provider's, where it makes them;
/// without it a provider that tells its secret may tell one again. The secret is returned if it was made
/// here; `None` also for a repetition. Errors: `EndpointDisabled`, `Invalid`, `LimitReached` where too many
/// would stay valid.
pub async fn rotate_secret(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    (id, given): (WebhookEndpointId, Option<SecretString>),
    grace: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(Shown, Option<SecretString>)> {
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    let secret = match claim(&mut tx, caller, key, id).await? {
        Claim::Repeat(_) => None,
        Claim::First => {
            // Two who rotate at once would each leave a secret that the other does not know of.
            let endpoint = store::webhook_endpoint::find_for_update(&mut tx, id).await?;
            if endpoint.disable_time.is_some() {
                return Err(Error::EndpointDisabled);
            }
            let (webhook, verification) = known(&endpoint)?;
            check_secret(verification, given.as_ref())?;
            if verification.secret == Secret::Theirs && given.is_none() {
                return Err(Error::invalid("secret", "must be given: this provider makes it"));
            }
            store::webhook_endpoint::expire_secrets(&mut tx, id, now + grace).await?;
            // Those that end at once make room.
            if store::webhook_endpoint::secrets(&mut tx, &[id], now).await?.len() >= MAX_SECRETS {
                return Err(Error::LimitReached("5 valid secrets of a webhook endpoint"));
            }
            if awaits_secret(webhook, given.as_ref()) {
                store::webhook_endpoint::await_handshake(&mut tx, id, now + HANDSHAKE_TIME).await?;
            }
            first_secret(&mut tx, &tenant_key, (&endpoint, verification), given, now).await?
        }
    };
    let shown = shown(domain, &mut tx, &tenant_key, id, now).await?;
    tx.commit().await?;
    Ok((shown, secret))
}

/// The secret that a provider told in its handshake, for the person who has to type it in there; shown once.
/// `None`: a repetition. Errors: `SecretNotToBeShown` when there is none that nobody has seen.
pub async fn reveal_secret(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: WebhookEndpointId,
    now: DateTime<Utc>,
) -> Result<(Shown, Option<SecretString>)> {
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    let secret = match claim(&mut tx, caller, key, id).await? {
        Claim::Repeat(_) => None,
        Claim::First => {
            let endpoint = store::webhook_endpoint::find(&mut tx, id).await?;
            let (webhook, _) = known(&endpoint)?;
            let is_typed_in = matches!(webhook.handshake, Handshake::TellsSecret { .. });
            let newest = store::webhook_endpoint::secrets(&mut tx, &[id], now).await?.into_iter().next();
            let newest = newest.filter(|_| is_typed_in).ok_or(Error::SecretNotToBeShown)?;
            if !store::webhook_endpoint::show_secret(&mut tx, newest.id, now).await? {
                return Err(Error::SecretNotToBeShown);
            }
            Some(newest_secret(&mut tx, &tenant_key, id, now).await?)
        }
    };
    let shown = shown(domain, &mut tx, &tenant_key, id, now).await?;
    tx.commit().await?;
    Ok((shown, secret))
}

/// The webhook and the verification that an endpoint is to have. Errors: `Invalid`.
fn chosen(
    provider: &'static Provider,
    scheme: Option<SignatureScheme>,
) -> Result<(&'static Webhook, &'static Verification)> {
    let webhook = provider.webhook.as_ref();
    let webhook = webhook.ok_or_else(|| Error::invalid("provider", "posts nothing"))?;
    // What has an adapter and an API to be asked at makes its own subscriptions.
    if webhook.setup == Setup::Api && provider.adapter != Adapter::None {
        return Err(Error::invalid("provider", "its endpoints are made by its integrations"));
    }
    let verification = match scheme {
        Some(scheme) => webhook.verification(scheme),
        None => webhook.verifications.first(),
    };
    let verification =
        verification.ok_or_else(|| Error::invalid("scheme", "the provider does not sign like that"))?;
    Ok((webhook, verification))
}

/// The webhook and the verification that an endpoint has.
/// Errors: `Invalid` for one that a person may not change.
fn known(endpoint: &WebhookEndpoint) -> Result<(&'static Webhook, &'static Verification)> {
    let (webhook, verification) = catalog::verification(&endpoint.provider, endpoint.scheme)
        .ok_or_else(|| Error::internal("an endpoint of a scheme that its provider has not"))?;
    let is_clients = endpoint.is_clients;
    if is_clients || matches!(webhook.handshake, Handshake::EchoSecretHeader { .. }) {
        return Err(Error::invalid("webhook_endpoint_id", "its secret is no person's to see or change"));
    }
    Ok((webhook, verification))
}

fn check_secret(verification: &Verification, given: Option<&SecretString>) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    let text = given.expose_secret();
    let is_plain = SECRET_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match verification.secret {
        Secret::Ours => Err(Error::invalid("secret", "must be empty: it is made here")),
        Secret::Theirs | Secret::Handshake if is_plain && verification.proof.key(given).is_ok() => Ok(()),
        Secret::Theirs | Secret::Handshake => Err(Error::invalid(
            "secret",
            "must be 12 to 512 visible ASCII characters, as the provider shows it",
        )),
    }
}

/// Whether the provider is to tell the secret itself, to an endpoint that a person made.
fn awaits_secret(webhook: &Webhook, given: Option<&SecretString>) -> bool {
    matches!(webhook.handshake, Handshake::TellsSecret { .. }) && given.is_none()
}

/// Keeps the given secret, or makes one where we make them. Returns what was made.
async fn first_secret(
    tx: &mut TenantTx,
    key: &TenantKey,
    (endpoint, verification): (&WebhookEndpoint, &Verification),
    given: Option<SecretString>,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>> {
    match (given, verification.secret) {
        (Some(given), _) => keep_secret(tx, key, endpoint.id, &given, now).await.map(|()| None),
        (None, Secret::Ours) => add_secret(tx, key, endpoint, now).await.map(Some),
        (None, Secret::Theirs | Secret::Handshake) => Ok(None),
    }
}

async fn integration(
    tx: &mut TenantTx,
    provider: &Provider,
    wanted: Option<IntegrationId>,
    now: DateTime<Utc>,
) -> Result<Integration> {
    let integration = match wanted {
        Some(id) => store::integration::find(tx, id).await?,
        None => match <[_; 1]>::try_from(store::integration::of_provider(tx, provider.id).await?) {
            Ok([only]) => only,
            Err(none) if none.is_empty() => {
                let fresh = Integration::new(IntegrationId::new(), provider.id, provider.name, now);
                store::integration::insert(tx, &fresh).await?;
                fresh
            }
            // One tool's people would be taken for another's.
            Err(_) => return Err(Error::invalid("integration_id", "must name one: there are several")),
        },
    };
    if integration.provider != provider.id {
        return Err(Error::invalid("integration_id", "must be an integration of this provider"));
    }
    Ok(integration)
}
