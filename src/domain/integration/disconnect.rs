//! The end of an integration: what was registered at the provider is taken back while the credential still
//! works, then it is destroyed. A provider that does not answer cannot keep it alive.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{Domain, Error, Integration, IntegrationId, IntegrationState, Result};
use crate::{
    domain::{
        credential::{self, BearerError, Remains},
        engine::{provider_call::CallFailure, subscription},
    },
    ids::TenantId,
    store::{self, TenantTx, outbox::Outcome, subscription::Subscription},
    telemetry,
    words::{CredentialEvent, SubscriptionState, SyncState},
};

/// How long a provider that asks for patience is waited for.
const PATIENCE: TimeDelta = TimeDelta::hours(1);
/// How long late deliveries are still answered: they are verified and dropped,
/// which a sender takes better than a refusal.
const LATE: TimeDelta = TimeDelta::days(7);
/// Webhooks of ours may be left at the provider; deliveries to them are refused.
const WEBHOOKS_LEFT: &str = "WEBHOOKS_LEFT";

/// The provider still lists us among those who may, though what it gave us is destroyed;
/// the person ends that there.
const GRANT_LEFT: &str = "GRANT_LEFT";

#[derive(Deserialize)]
struct Order {
    integration_id: IntegrationId,
}

/// Takes back the webhooks, then ends the integration. Errors: what is worth another attempt.
pub async fn run(domain: &Domain, tenant: TenantId, payload: &Value, now: DateTime<Utc>) -> Result<Outcome> {
    let id = order(payload)?;
    let mut tx = domain.store.tenant(tenant).await?;
    let integration = store::integration::find(&mut tx, id).await?;
    let subscriptions = store::subscription::of_integration(&mut tx, id).await?;
    tx.commit().await?;
    if integration.state != IntegrationState::Disconnecting {
        return Ok(Outcome::Done);
    }
    let is_patient = now - integration.update_time < PATIENCE;
    let mut webhooks_left = None;
    for subscription in subscriptions.iter().filter(|one| one.state != SubscriptionState::Removed) {
        match subscription::take_back(domain, tenant, subscription).await {
            Ok(()) => note_removed(domain, tenant, subscription, now).await?,
            Err(CallFailure::NotNow { after, reason }) if is_patient => {
                return Ok(Outcome::Release { after, reason: Some(reason.into()) });
            }
            // It can no longer be asked for anything.
            Err(CallFailure::NotNow { .. } | CallFailure::Credential) => {
                webhooks_left = Some(WEBHOOKS_LEFT);
                break;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    // Last, because afterwards nothing of ours could be taken back.
    let grant_left = match credential::revoke(domain, tenant, id).await {
        Ok(Remains::Nothing) => None,
        Err(BearerError::NotNow { after, reason }) if is_patient => {
            return Ok(Outcome::Release { after, reason: Some(reason.into()) });
        }
        Ok(Remains::Grant) | Err(BearerError::Missing | BearerError::NotNow { .. }) => Some(GRANT_LEFT),
        Err(BearerError::Own(error)) => return Err(error),
    };
    end(domain, tenant, id, webhooks_left.or(grant_left), now).await?;
    Ok(Outcome::Done)
}

/// Ends the integration all the same: no attempt is left. The provider is told once more that its grant is
/// over.
pub async fn give_up(domain: &Domain, tenant: TenantId, payload: &Value, now: DateTime<Utc>) -> Result<()> {
    let id = order(payload)?;
    if let Err(BearerError::Own(error)) = credential::revoke(domain, tenant, id).await {
        telemetry::log_error("a provider could not be told that an account was disconnected", &error);
    }
    end(domain, tenant, id, Some(WEBHOOKS_LEFT), now).await
}

fn order(payload: &Value) -> Result<IntegrationId> {
    let order: Order = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    Ok(order.integration_id)
}

async fn note_removed(
    domain: &Domain,
    tenant: TenantId,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let removed = Subscription {
        state: SubscriptionState::Removed,
        reason: None,
        external_id: None,
        check_time: Some(now),
        ..subscription.clone()
    };
    store::subscription::save(&mut tx, &removed).await?;
    tx.commit().await
}

async fn end(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find_for_update(&mut tx, id).await?;
    if row.state != IntegrationState::Disconnecting {
        return Ok(());
    }
    end_run(&mut tx, id, now).await?;
    if let Some(credential) = store::credential::find_for_update(&mut tx, id).await? {
        let (event, version) = (CredentialEvent::Destroyed, credential.version);
        credential::note(&mut tx, id, event, version, "system", reason, now).await?;
        store::credential::remove(&mut tx, id).await?;
    }
    store::event_type::remove_of_integration(&mut tx, id).await?;
    store::subscription::remove_of_integration(&mut tx, id).await?;
    for endpoint in store::webhook_endpoint::of_integration(&mut tx, id).await? {
        store::webhook_endpoint::expire_secrets(&mut tx, endpoint.id, now + LATE).await?;
    }
    let ended = Integration {
        state: IntegrationState::Disconnected,
        state_reason: reason.map(Into::into),
        // Another tenant may connect it from now on.
        granted_account_id: None,
        update_time: now,
        ..row
    };
    store::integration::save(&mut tx, &ended).await?;
    tx.commit().await
}

/// A run whose message comes later, or never, has nothing left to do.
async fn end_run(tx: &mut TenantTx, id: IntegrationId, now: DateTime<Utc>) -> Result<()> {
    let Some(open) = store::sync_log::open_of(tx, id).await? else { return Ok(()) };
    let mut run = store::sync_log::find_for_update(tx, open.id).await?;
    if matches!(run.state, SyncState::Queued | SyncState::Running) {
        run.state = SyncState::Cancelled;
        run.reason = Some("INTEGRATION_DISCONNECTED".into());
        run.end_time = Some(now);
        run.revision += 1;
        store::sync_log::save(tx, &run).await?;
    }
    Ok(())
}
