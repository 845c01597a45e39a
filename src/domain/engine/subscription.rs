//! Our webhooks at the provider: what they should be, and what is done when they are not.
//!
//! Each event type has one, with an address and a secret of its own, so that a delivery names its event
//! type's owner by where it arrives. Anybody with access to the account can delete or change them;
//! that is found here, and repaired.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    provider_call::{self, CallFailure, Urgency, Way},
    record::{Ground, Record, Stop},
};
use crate::{
    domain::{Domain, integration, webhook},
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId, TenantId},
    provider::{
        calcom::{self, CallError, Refusal, SubscriptionScope},
        catalog::Adapter,
    },
    store::{
        self, TenantTx,
        event_type::EventType,
        outbox::{Claimed, Outcome},
        subscription::Subscription,
    },
    telemetry,
    words::{IntegrationState, MessageKind, SubscriptionState, SyncKind},
};

pub(in crate::domain) mod asana;
mod repair;

use repair::Found;

const NOUN: &str = "subscriptions";
/// When the round that is under way began.
const CURSOR: &str = "subscriptions";
/// A round that did not end by then is begun anew.
const ROUND_AT_MOST: TimeDelta = TimeDelta::hours(1);
/// Attempts of one check; the next one is due soon and does the same.
const ATTEMPTS: i32 = 5;

#[derive(Deserialize)]
struct Order {
    integration_id: IntegrationId,
}

/// Queues a check of an integration's webhooks.
pub async fn queue(tx: &mut TenantTx, id: IntegrationId, cause: &str, now: DateTime<Utc>) -> Result<()> {
    integration::queue(tx, id, MessageKind::SubscriptionCheck, json!({}), cause, now).await
}

/// Does what a message asks for. How it ended is seen on the subscriptions.
pub async fn run(domain: &Domain, message: &Claimed, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let ground = Ground::find(domain, message.tenant_id, order.integration_id).await?;
    if ground.integration.state != IntegrationState::Connected {
        return Ok(Outcome::Done);
    }
    // Never written: a check that goes well is no news.
    let mut record = Record::begin(SyncLogId::new(), ground.id(), SyncKind::Scheduled, "system", now);
    let checked = match ground.adapter() {
        Adapter::Asana => asana::check(&ground).await,
        Adapter::Calcom => check(&ground, &mut record).await,
        Adapter::Booking | Adapter::None => Err(Stop::Ended("NO_ADAPTER")),
    };
    match checked {
        Ok(()) | Err(Stop::Over | Stop::Ended(_)) => Ok(Outcome::Done),
        Err(Stop::Later { after, reason }) => {
            let after = after.max(Duration::from_secs(1));
            Ok(Outcome::Release { after, reason: Some(reason.into()) })
        }
        Err(Stop::Failed(error)) if message.attempts < ATTEMPTS => Err(error),
        Err(Stop::Failed(error)) => {
            telemetry::log_error("webhooks at the provider could not be checked", &error);
            Ok(Outcome::Done)
        }
    }
}

/// Makes the provider's webhooks what they should be. A check that ended early is gone on with.
pub(super) async fn check(ground: &Ground<'_>, record: &mut Record) -> Result<(), Stop> {
    let round = begin_round(ground).await?;
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let event_types = store::event_type::of_integration(&mut tx, ground.id()).await?;
    let known = store::subscription::of_integration(&mut tx, ground.id()).await?;
    tx.commit().await?;
    let (wanted, gone): (Vec<EventType>, Vec<EventType>) =
        event_types.into_iter().partition(|event_type| !event_type.archived);
    *record.count(NOUN) = Default::default();
    record.count(NOUN).total = u64::try_from(wanted.len()).ok();

    for event_type in &wanted {
        let resource = resource_of(event_type);
        let was = known.iter().find(|one| one.resource == resource);
        let is_checked = was.is_some_and(|one| one.check_time.is_some_and(|time| time >= round));
        if !is_checked {
            check_one(ground, record, event_type).await?;
        }
        record.count(NOUN).processed += 1;
        record.save(ground).await?;
    }
    for subscription in known.iter().filter(|one| gone.iter().any(|of| resource_of(of) == one.resource)) {
        if may_write(ground).is_ok() {
            take_back(ground.domain, ground.tenant, subscription).await?;
            forget(ground, subscription).await?;
        }
    }
    end_round(ground).await?;
    Ok(())
}

async fn check_one(ground: &Ground<'_>, record: &mut Record, event_type: &EventType) -> Result<(), Stop> {
    let Some(scope) = scope_of(&resource_of(event_type)) else { return Ok(()) };
    let wanted = repair::want(ground, event_type).await?;
    let (state, external_id, reason) = match repair::make_so(ground, scope, &wanted).await {
        Ok(Found { external_id, is_repaired }) => {
            record.count(NOUN).repaired += u64::from(is_repaired);
            (SubscriptionState::Active, Some(external_id), None)
        }
        Err(repair::Obstacle::NotAllowed(reason)) => {
            (SubscriptionState::Failed, wanted.subscription.external_id.clone(), Some(reason))
        }
        Err(repair::Obstacle::Call(CallFailure::Call(CallError::Refused(refusal)))) => {
            (SubscriptionState::Failed, wanted.subscription.external_id.clone(), Some(refusal.reason()))
        }
        Err(repair::Obstacle::Call(failure)) => return Err(failure.into()),
    };
    if let Some(reason) = reason {
        record.add_error(wanted.subscription.resource.clone(), reason);
    }
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let row = Subscription {
        external_id,
        state,
        reason: reason.map(Into::into),
        check_time: Some(Utc::now()),
        ..wanted.subscription
    };
    store::subscription::save(&mut tx, &row).await?;
    Ok(tx.commit().await?)
}

/// Deletes what of ours is registered at the provider for a subscription's resource.
/// What is gone already needs nothing.
pub(in crate::domain) async fn take_back(
    domain: &Domain,
    tenant: TenantId,
    subscription: &Subscription,
) -> Result<(), CallFailure> {
    if asana::Resource::parse(&subscription.resource).is_some() {
        let taken = asana::take_back(domain, tenant, subscription).await;
        return taken.map_err(asana::as_any_providers);
    }
    let Some(scope) = scope_of(&subscription.resource) else { return Ok(()) };
    let id = subscription.integration_id;
    let listed = match list(domain, tenant, id, scope).await {
        // The event type went, and its webhooks with it.
        Err(CallFailure::Call(CallError::Refused(Refusal::NotFound | Refusal::NotAllowed))) => return Ok(()),
        other => other?,
    };
    for one in listed.iter().filter(|one| is_ours(domain, one, subscription)) {
        delete(domain, tenant, id, scope, &one.id).await?;
    }
    Ok(())
}

/// All subscriptions of a scope, ours and others'.
async fn list(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    scope: SubscriptionScope,
) -> Result<Vec<calcom::Subscription>, CallFailure> {
    /// Of one scope; nobody has a thousand.
    const PAGES: u32 = 4;
    const PAGE: u32 = 250;
    let mut all = Vec::new();
    for nth in 0..PAGES {
        let page =
            ask(domain, tenant, id, |way| async move { way.calcom().subscriptions(scope, nth * PAGE).await });
        let page = page.await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            break;
        }
    }
    Ok(all)
}

async fn delete(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    scope: SubscriptionScope,
    external_id: &str,
) -> Result<(), CallFailure> {
    let deleted =
        ask(
            domain,
            tenant,
            id,
            |way| async move { way.calcom().delete_subscription(scope, external_id).await },
        );
    match deleted.await {
        Err(CallFailure::Call(CallError::Refused(Refusal::NotFound))) => Ok(()),
        other => other,
    }
}

/// Whether we registered it: nobody else has it call us.
fn is_ours(domain: &Domain, one: &calcom::Subscription, subscription: &Subscription) -> bool {
    one.url.starts_with(&webhook::address_of_provider(domain, calcom::PROVIDER))
        || subscription.external_id.as_ref() == Some(&one.id)
}

const READ_ONLY: &str = "READ_ONLY";
const OUTBOUND_PAUSED: &str = "OUTBOUND_PAUSED";

/// What is never written there, or not now.
fn may_write(ground: &Ground<'_>) -> Result<(), &'static str> {
    if ground.integration.read_only {
        return Err(READ_ONLY);
    }
    if ground.integration.outbound_paused { Err(OUTBOUND_PAUSED) } else { Ok(()) }
}

/// Whether it was us who did not let it be written.
fn is_of_may_write(reason: &str) -> bool {
    matches!(reason, READ_ONLY | OUTBOUND_PAUSED)
}

/// The address answers 404 from now on.
async fn forget(ground: &Ground<'_>, subscription: &Subscription) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::subscription::remove(&mut tx, subscription.id).await?;
    store::webhook_endpoint::disable(&mut tx, subscription.webhook_endpoint_id, Utc::now()).await?;
    tx.commit().await
}

/// When this round began: what was checked since need not be again.
async fn begin_round(ground: &Ground<'_>) -> Result<DateTime<Utc>> {
    let now = Utc::now();
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let begun = store::sync_log::watermark(&mut tx, ground.id(), CURSOR).await?;
    let round = match begun.filter(|begun| now - *begun < ROUND_AT_MOST) {
        Some(begun) => begun,
        None => {
            store::sync_log::set_watermark(&mut tx, ground.id(), CURSOR, Some(now), now).await?;
            now
        }
    };
    tx.commit().await?;
    Ok(round)
}

async fn end_round(ground: &Ground<'_>) -> Result<()> {
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    store::sync_log::set_watermark(&mut tx, ground.id(), CURSOR, None, Utc::now()).await?;
    tx.commit().await
}

async fn ask<T, F: Future<Output = Result<T, CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    call: impl FnOnce(Arc<Way>) -> F,
) -> Result<T, CallFailure> {
    provider_call::calcom(domain, tenant, id, Urgency::Background, call).await
}

fn resource_of(event_type: &EventType) -> String {
    format!("event_type/{}", event_type.external_id)
}

/// What a resource is called at the provider.
fn scope_of(resource: &str) -> Option<SubscriptionScope> {
    let id = resource.strip_prefix("event_type/")?.parse().ok()?;
    Some(SubscriptionScope::EventType(id))
}
