//! Making a webhook at Asana, which calls its address before it says that it was made.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::{
    HANDSHAKE_NOT_OURS, Resource, Round,
    calls::{delete, write},
    failed, retire, with_health,
};
use crate::{
    domain::{
        engine::{provider_call::AsanaFailure, record::Stop},
        webhook,
    },
    error::Result,
    ids::WebhookEndpointId,
    provider::asana::{CallError, CreatedSubscription, PROVIDER, SubscriptionWish},
    store::{self, subscription::Subscription, webhook_endpoint::WebhookEndpoint},
    words::{SignatureScheme, SubscriptionState},
};

/// For how long an address takes the secret. Asana's own time limit for our answer is 10 s.
const HANDSHAKE: TimeDelta = TimeDelta::seconds(60);
/// Deliveries are not limited: who is refused for a day deletes the webhook.
const NO_LIMIT: i32 = 0;

impl Round<'_> {
    /// Makes a webhook at an address of its own. The row says how it ended. False: it was refused.
    pub(super) async fn make(&self, resource: &Resource, known: Option<&Subscription>) -> Result<bool, Stop> {
        let (ground, now) = (self.ground, Utc::now());
        let (pending, target) = self.prepare(resource, known, now).await?;
        let wish =
            &SubscriptionWish { resource: resource.gid(), target: &target, filters: resource.filters() };
        let made = write(ground.domain, ground.tenant, ground.id(), &self.held, move |way| async move {
            way.asana().create_webhook(wish).await
        });
        match made.await {
            Ok(created) => self.settle(pending, &created).await,
            Err(AsanaFailure::Call(CallError::Refused(refusal))) => {
                let mut tx = ground.domain.store.tenant(ground.tenant).await?;
                store::webhook_endpoint::disable(&mut tx, pending.webhook_endpoint_id, Utc::now()).await?;
                store::subscription::save(&mut tx, &failed(pending, refusal.reason())).await?;
                tx.commit().await?;
                Ok(false)
            }
            // Perhaps it was made all the same: then the next check finds it, and the address has the secret.
            Err(failure) => Err(failure.into()),
        }
    }

    /// Keeps an address that takes one secret, before anybody hears of it.
    pub(super) async fn prepare(
        &self,
        resource: &Resource,
        known: Option<&Subscription>,
        now: DateTime<Utc>,
    ) -> Result<(Subscription, String)> {
        let ground = self.ground;
        if let Some(known) = known
            && let Some(target) = self.unused(known, now).await?
        {
            return Ok((known.clone(), target));
        }
        let endpoint = webhook::new_endpoint(
            &ground.key,
            WebhookEndpointId::new(),
            (ground.id(), PROVIDER),
            resource.name(),
            (SignatureScheme::Asana, NO_LIMIT),
            now,
        )?;
        let endpoint = WebhookEndpoint { handshake_expire_time: Some(now + HANDSHAKE), ..endpoint };
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        store::webhook_endpoint::insert(&mut tx, &endpoint).await?;
        let fresh = Subscription::new(ground.id(), endpoint.id, resource.name(), now);
        let pending = match known {
            Some(known) => {
                retire(&mut tx, known.webhook_endpoint_id, now).await?;
                let row = Subscription { id: known.id, create_time: known.create_time, ..fresh };
                store::subscription::save(&mut tx, &row).await?;
                row
            }
            None => {
                store::subscription::insert(&mut tx, &fresh).await?;
                fresh
            }
        };
        let target = webhook::address(ground.domain, &ground.key, &endpoint)?;
        tx.commit().await?;
        Ok((pending, target))
    }

    /// The address that a check made and nobody was told of, because it might not ask by then.
    async fn unused(&self, known: &Subscription, now: DateTime<Utc>) -> Result<Option<String>> {
        let (ground, id) = (self.ground, known.webhook_endpoint_id);
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        let endpoint = store::webhook_endpoint::find(&mut tx, id).await?;
        let is_told = !store::webhook_endpoint::secrets(&mut tx, &[id], now).await?.is_empty();
        if is_told || endpoint.disable_time.is_some() || known.state != SubscriptionState::Pending {
            tx.end_reading();
            return Ok(None);
        }
        store::webhook_endpoint::await_handshake(&mut tx, id, now + HANDSHAKE).await?;
        let target = webhook::address(ground.domain, &ground.key, &endpoint)?;
        tx.commit().await?;
        Ok(Some(target))
    }

    /// Compares the secret that the address was told with the one that came with the answer (asana.md §6.3).
    async fn settle(&self, pending: Subscription, created: &CreatedSubscription) -> Result<bool, Stop> {
        let (ground, now) = (self.ground, Utc::now());
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        let endpoint = pending.webhook_endpoint_id;
        let told = store::webhook_endpoint::secrets(&mut tx, &[endpoint], now).await?;
        let is_same = match (told.is_empty(), &created.secret) {
            (true, _) => false,
            (false, None) => true,
            (false, Some(said)) => {
                let told = webhook::newest_secret(&mut tx, &ground.key, endpoint, now).await?;
                told.expose_secret() == said.expose_secret()
            }
        };
        if !is_same {
            // Somebody else's secret, or none: nothing that comes here could be believed.
            store::webhook_endpoint::disable(&mut tx, endpoint, now).await?;
            store::subscription::save(&mut tx, &failed(pending, HANDSHAKE_NOT_OURS)).await?;
            tx.commit().await?;
            delete(ground.domain, ground.tenant, ground.id(), &created.subscription.gid, &self.held).await?;
            return Ok(false);
        }
        store::subscription::save(&mut tx, &with_health(pending, &created.subscription)).await?;
        tx.commit().await?;
        Ok(true)
    }
}
