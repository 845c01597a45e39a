//! One webhook: what it should be, what it is, and the few requests in between.

use std::collections::HashSet;

use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{CallFailure, Ground, SubscriptionScope, ask, delete, is_ours, list, may_write, resource_of};
use crate::{
    domain::webhook,
    error::{Error, Result},
    ids::WebhookEndpointId,
    provider::calcom::{self, SUBSCRIBED_TRIGGERS, SubscriptionWish},
    store::{self, event_type::EventType, subscription::Subscription},
    words::SignatureScheme,
};

/// A subscription with what only its endpoint knows.
pub(super) struct Wanted {
    pub(super) subscription: Subscription,
    url: Url,
    secret: SecretString,
}

/// A webhook that is as it should be.
pub(super) struct Found {
    pub(super) external_id: String,
    /// It was not, before.
    pub(super) is_repaired: bool,
}

/// Why a webhook is not as it should be.
pub(super) enum Obstacle {
    /// Nothing is to be written there: a code.
    NotAllowed(&'static str),
    Call(CallFailure),
}

impl From<CallFailure> for Obstacle {
    fn from(failure: CallFailure) -> Self {
        Self::Call(failure)
    }
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::Call(error.into())
    }
}

/// What an event type's webhook should be. Its address and secret are made, and kept, before the provider
/// hears of them: its first delivery may come before its answer.
pub(super) async fn want(ground: &Ground<'_>, event_type: &EventType) -> Result<Wanted> {
    let now = Utc::now();
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    tx.lock(&format!("subscriptions/{}", ground.id())).await?;
    let resource = resource_of(event_type);
    let known = store::subscription::of_integration(&mut tx, ground.id()).await?;
    let subscription = match known.into_iter().find(|one| one.resource == resource) {
        Some(known) => known,
        None => {
            let endpoint = webhook::new_endpoint(
                &ground.key,
                WebhookEndpointId::new(),
                (ground.id(), calcom::PROVIDER),
                event_type.title.clone(),
                // What this provider is told to repeat later it never repeats.
                (SignatureScheme::Calcom, 0),
                now,
            )?;
            store::webhook_endpoint::insert(&mut tx, &endpoint).await?;
            webhook::add_secret(&mut tx, &ground.key, &endpoint, now).await?;
            let fresh = Subscription::new(ground.id(), endpoint.id, resource, now);
            store::subscription::insert(&mut tx, &fresh).await?;
            fresh
        }
    };
    let endpoint = store::webhook_endpoint::find(&mut tx, subscription.webhook_endpoint_id).await?;
    let url = webhook::address(ground.domain, &ground.key, &endpoint)?;
    let secret = webhook::newest_secret(&mut tx, &ground.key, endpoint.id, now).await?;
    tx.commit().await?;
    Ok(Wanted { subscription, url: url.parse().map_err(Error::internal)?, secret })
}

/// Looks at what is there and makes it what it should be: one of ours, no more.
pub(super) async fn make_so(
    ground: &Ground<'_>,
    scope: SubscriptionScope,
    wanted: &Wanted,
) -> Result<Found, Obstacle> {
    let (domain, tenant, id) = (ground.domain, ground.tenant, ground.id());
    let listed = list(domain, tenant, id, scope).await?;
    let ours = listed.iter().filter(|one| is_ours(domain, one, &wanted.subscription));
    let (usable, strays): (Vec<_>, Vec<_>) = ours.partition(|one| !one.has_template);
    let is_known = |one: &&calcom::Subscription| wanted.subscription.external_id.as_ref() == Some(&one.id);
    let kept = usable.iter().copied().find(is_known);
    // One whose making was answered too late for us to learn its id.
    let kept = kept.or_else(|| usable.iter().copied().find(|one| one.url == wanted.url.as_str()));
    let strays = strays.into_iter().chain(usable.iter().copied());
    let strays: Vec<_> = strays.filter(|one| Some(&one.id) != kept.map(|kept| &kept.id)).collect();
    if let Some(kept) = kept.filter(|kept| strays.is_empty() && fits(kept, wanted)) {
        return Ok(Found { external_id: kept.id.clone(), is_repaired: false });
    }

    may_write(ground).map_err(Obstacle::NotAllowed)?;
    for stray in &strays {
        delete(domain, tenant, id, scope, &stray.id).await?;
    }
    let made = match kept {
        Some(kept) if fits(kept, wanted) => kept.clone(),
        Some(kept) => {
            let changed = ask(domain, tenant, id, |way| async move {
                way.calcom().update_subscription(scope, &kept.id, &wanted.wish()).await
            });
            changed.await?
        }
        None => {
            let made = ask(domain, tenant, id, |way| async move {
                way.calcom().create_subscription(scope, &wanted.wish()).await
            });
            made.await?
        }
    };
    // The first one is no repair.
    Ok(Found { external_id: made.id, is_repaired: wanted.subscription.external_id.is_some() })
}

impl Wanted {
    fn wish(&self) -> SubscriptionWish<'_> {
        SubscriptionWish {
            url: &self.url,
            secret: &self.secret,
            triggers: SUBSCRIBED_TRIGGERS,
            is_active: true,
        }
    }
}

fn fits(one: &calcom::Subscription, wanted: &Wanted) -> bool {
    let triggers: HashSet<_> = one.triggers.iter().collect();
    let is_secret_ours =
        one.secret.as_ref().is_some_and(|secret| secret.expose_secret() == wanted.secret.expose_secret());
    one.is_active
        && is_secret_ours
        && !one.has_template
        && one.url == wanted.url.as_str()
        && triggers == SUBSCRIBED_TRIGGERS.iter().collect::<HashSet<_>>()
}
