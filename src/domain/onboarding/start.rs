//! The two steps that go on in the background: reading everything once, and being told of changes.

use chrono::{DateTime, Utc};

use super::{Ground, Onboarding, seen};
use crate::{
    caller::Caller,
    domain::{
        Domain, consent,
        engine::{subscription, sync_run},
        idempotency::{Claim, Key, claim},
        integration::micros,
        sync_log,
    },
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId},
    store::{self, sync_log::SyncLog},
    words::{IntegrationState, SyncKind},
};

/// Queues a run that reads everything, or returns the one that this key began. One that is refused for lack
/// of a consent begins by itself when there is one.
///
/// Errors: `NotFound`, `Invalid`, `WorkspaceNotSelected`, `FieldMappingMissing`, `ConsentMissing`,
/// `IntegrationState`, `SyncRunning`, `IdempotencyKeyReused`.
pub async fn start_initial_sync(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    now: DateTime<Utc>,
) -> Result<SyncLog> {
    seen(domain, caller, id).await?;
    let run = SyncLog::queued(SyncLogId::new(), id, SyncKind::Full, &caller.subject, micros(now));
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(begun) = claim(&mut tx, caller, key, run.id).await? {
        return store::sync_log::find(&mut tx, SyncLogId(begun)).await;
    }
    // Locked, so that a run never begins behind the back of a disconnection, or of another workspace.
    let integration = store::integration::find_for_update(&mut tx, id).await?;
    if integration.state != IntegrationState::Connected {
        return Err(Error::IntegrationState(integration.state));
    }
    let settings = store::planning::settings::find(&mut tx, id).await?;
    let settings = settings.filter(|row| row.workspace_id.is_some()).ok_or(Error::WorkspaceNotSelected)?;
    if settings.area_field_id.is_none() {
        return Err(Error::FieldMappingMissing);
    }
    if !consent::opens(&mut tx, &integration).await? {
        // With the transaction goes the claim: the key is free for when there is one.
        drop(tx);
        sync_log::note_refused(domain, caller, run).await?;
        return Err(Error::ConsentMissing);
    }
    if !store::sync_log::insert(&mut tx, &run).await? {
        let open = store::sync_log::open_of(&mut tx, id).await?;
        return Err(open.map_or(Error::Overloaded, |open| Error::SyncRunning(open.id)));
    }
    sync_run::queue(&mut tx, &run, now).await?;
    tx.commit().await?;
    Ok(run)
}

/// Has webhooks registered, or compared with what they should be, in the background.
///
/// Errors: `NotFound`, `Invalid`, `InitialSyncMissing`, `IntegrationState`, `IdempotencyKeyReused`.
pub async fn activate_webhooks(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    now: DateTime<Utc>,
) -> Result<Onboarding> {
    Ground::of_change(domain, caller, id).await?;
    let now = micros(now);
    let mut tx = domain.store.tenant(caller.tenant).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        let integration = store::integration::find_for_update(&mut tx, id).await?;
        if integration.state != IntegrationState::Connected {
            return Err(Error::IntegrationState(integration.state));
        }
        let settings = store::planning::settings::find_for_update(&mut tx, id).await?;
        // Which projects there are is known from then on.
        let settings = settings.filter(|row| row.initial_sync_time.is_some());
        let mut settings = settings.ok_or(Error::InitialSyncMissing)?;
        settings.webhooks_time = Some(now);
        settings.update_time = now;
        store::planning::settings::save(&mut tx, &settings).await?;
        store::subscription::check_anew(&mut tx, id).await?;
        subscription::queue(&mut tx, id, &caller.subject, now).await?;
    }
    tx.commit().await?;
    super::get(domain, caller, id).await
}
