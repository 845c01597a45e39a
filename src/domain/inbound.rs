//! The way in: a delivery is verified, counted, kept with its effects in one transaction, and answered.
//!
//! Nothing here waits on a provider. What cannot be applied now is kept with status `error` and a message
//! that tries again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};

use super::Domain;
use crate::{
    error::{Error, Result},
    ids::WebhookEventId,
    provider::{
        catalog::{self, Pair, webhook::Acknowledgement},
        signature::{Refusal, Request},
    },
    store,
    vault::{self, Place},
    words::EventStatus,
};

mod again;
mod apply;
mod asana;
mod booking_tool;
mod calcom;
mod client;
mod greeting;
mod handshake;
mod keep;
mod reading;
mod trust;
mod turns;
mod unadapted;

pub use again::{give_up, replay, retry};
pub(super) use apply::PAUSED;
pub(super) use booking_tool::settle_waiting;
pub use client::{ClientDelivery, receive_for_client};
pub use handshake::Handshake;
use keep::{Arrival, keep};
pub use trust::KeyRings;
pub use turns::Turns;

/// What a provider sent.
pub struct Delivery<'a> {
    pub provider: &'a str,
    /// The unguessable part of the address.
    pub token: &'a str,
    pub method: &'a Method,
    /// What stood behind the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub receive_time: DateTime<Utc>,
}

/// What the provider is told.
#[derive(Debug)]
pub enum Answer {
    /// Committed, with its effects applied or queued.
    Kept { event: WebhookEventId, status: EventStatus, reason: Option<String> },
    /// It only wanted to know whether the address is meant for it: this text, as plain text.
    Greeted { text: String, headers: &'static [Pair] },
    /// It told a secret, or tried to.
    Handshake { header: Option<&'static str>, outcome: Handshake },
    /// Authentic and kept, but it does not fit the contract.
    Unfit { event: WebhookEventId, reason: String, field: String },
    /// Authentic, and for an account that nobody here has connected; not kept,
    /// for there is nobody to keep it for.
    Nobodys,
    /// Authentic, but no JSON object that names its event.
    NotParseable,
    /// Not authentic.
    Refused(Refusal),
    /// No such endpoint, a disabled one, or one of another provider.
    UnknownEndpoint,
    /// Above the endpoint's limit; not kept.
    Limited { retry_after: Duration },
}

/// Whether a provider sends requests of this method at all.
/// An unknown one is answered like an unknown endpoint, which POST is.
pub fn takes(provider: &str, method: &Method) -> bool {
    let webhook = catalog::find(provider).and_then(|provider| provider.webhook.as_ref());
    *method == Method::POST || webhook.is_some_and(|webhook| webhook.asks_by(method))
}

/// Whether a provider's deliveries are answered without a word.
pub fn is_told_nothing(provider: &str) -> bool {
    let webhook = catalog::find(provider).and_then(|provider| provider.webhook.as_ref());
    webhook.is_some_and(|webhook| webhook.acknowledgement == Acknowledgement::Empty)
}

/// Takes a delivery in. Errors: `Unavailable` when it could not be committed, `Overloaded` when those before
/// it take too long, `IssuerUnavailable` when nobody can say whether it is authentic; the provider then repeats
/// it.
pub async fn receive(domain: &Domain, turns: &Turns, delivery: Delivery<'_>) -> Result<Answer> {
    loop {
        if let Some(answer) = try_receive(domain, turns, &delivery).await? {
            return Ok(answer);
        }
    }
}

/// The same once. `None`: somebody took back what it was judged by, while it waited for its turn.
async fn try_receive(domain: &Domain, turns: &Turns, delivery: &Delivery<'_>) -> Result<Option<Answer>> {
    let Some(endpoint) = domain.store.resolve_endpoint(&vault::hash(delivery.token.as_bytes())).await? else {
        return Ok(Some(Answer::UnknownEndpoint));
    };
    if endpoint.provider != delivery.provider {
        return Ok(Some(Answer::UnknownEndpoint));
    }
    let Some((webhook, verification)) = catalog::verification(&endpoint.provider, endpoint.scheme) else {
        return Ok(Some(Answer::UnknownEndpoint));
    };
    if let Some(answer) = greeting::unsigned(webhook, delivery.method, delivery.query) {
        return Ok(Some(answer));
    }
    if *delivery.method != Method::POST {
        return Ok(Some(Answer::UnknownEndpoint));
    }
    if let Some(answer) = handshake::told(domain, (webhook, verification), &endpoint, delivery).await? {
        return Ok(Some(answer));
    }
    let key = domain.vault.tenant_key(endpoint.tenant_id, &endpoint.tenant_key()).map_err(Error::internal)?;
    let base = endpoint.base_url.as_deref().unwrap_or(&domain.public_url);
    let address = format!("{base}/api/webhooks/{}/{}", endpoint.provider, delivery.token);
    let request = Request { headers: delivery.headers, body: delivery.body, address: &address };
    let secrets = trust::secrets_of(domain, &endpoint, &key, (webhook, verification)).await?;
    let client = trust::client_id(domain, &endpoint, verification).await?;
    let known = (delivery.provider, verification);
    let judged = trust::judge(domain, known, &request, (&secrets, client.as_deref()), delivery.receive_time);
    let verified = match judged.await? {
        Ok(verified) => verified,
        Err(refusal) => return Ok(Some(Answer::Refused(refusal))),
    };
    if let Some(answer) = greeting::signed(webhook, delivery.body) {
        return Ok(Some(answer));
    }

    let _turn = turns.wait(endpoint.tenant_id, endpoint.id.0).await?;
    let mut tx = domain.store.tenant(endpoint.tenant_id).await?;
    let (id, secrets, limit) = (endpoint.id, &endpoint.secret_ids, endpoint.limit_per_minute);
    let admission = store::webhook_endpoint::admit(&mut tx, id, secrets, limit).await?;
    if !admission.is_open {
        return Ok(None);
    }
    if !admission.admitted {
        let seconds = u64::try_from(admission.retry_after_s).unwrap_or(1);
        return Ok(Some(Answer::Limited { retry_after: Duration::from_secs(seconds) }));
    }
    let arrival = Arrival {
        endpoint: endpoint.id,
        integration: endpoint.integration_id,
        provider: &endpoint.provider,
        headers: delivery.headers,
        body: &verified.proven(delivery.body),
        // Instances' clocks differ; what comes without a time is in the order of this one.
        receive_time: admission.admit_time,
    };
    let answer = keep(&mut tx, &arrival, &key, verified.delivery_id.clone()).await?;
    tx.commit().await?;
    Ok(Some(answer))
}

/// Where a secret is sealed.
pub(super) fn secret_place(row: uuid::Uuid) -> Place {
    Place { table: "webhook_secret", column: "sealed_secret", row }
}
