//! Runs: begun by people, looked at, and called off.

use chrono::{DateTime, Utc};

use super::{
    Domain, consent,
    engine::sync_run,
    idempotency::{Claim, Key, claim},
    integration::micros,
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId},
    page::{Page, Paged},
    provider::catalog,
    store::{
        self, TenantTx,
        integration::Integration,
        retry_deadlocks,
        sync_log::{Filter, SyncLog},
    },
    words::{IntegrationState, SyncKind, SyncState},
};

/// A page of runs, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<SyncLogId>,
) -> Result<Paged<SyncLog, SyncLogId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::sync_log::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(found)
}

/// One run. Errors: `NotFound`.
pub async fn get(domain: &Domain, caller: &Caller, id: SyncLogId) -> Result<SyncLog> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::sync_log::find(&mut tx, id).await?;
    tx.end_reading();
    Ok(found)
}

/// Begins a run of everything there is at the provider; or returns the run that this key began.
///
/// Errors: `NotFound` (integration), `Invalid` (a provider that is not asked),
/// `IntegrationState`, `SyncRunning`, `IdempotencyKeyReused`.
pub async fn start(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    integration: IntegrationId,
    now: DateTime<Utc>,
) -> Result<SyncLog> {
    retry_deadlocks(|| start_once(domain, caller, key, integration, now)).await
}

async fn start_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    integration: IntegrationId,
    now: DateTime<Utc>,
) -> Result<SyncLog> {
    let (id, cause) = (SyncLogId::new(), &caller.subject);
    let run = SyncLog::queued(id, integration, SyncKind::Manual, cause, micros(now));
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(begun) = claim(&mut tx, caller, key, run.id).await? {
        return store::sync_log::find(&mut tx, SyncLogId(begun)).await;
    }
    // Locked, so that a run never begins behind the back of a disconnection.
    let row = store::integration::find_for_update(&mut tx, integration).await?;
    if !catalog::adapter(&row.provider).asks() {
        return Err(Error::invalid("integration_id", "must be of a provider that is asked"));
    }
    if row.state != IntegrationState::Connected {
        return Err(Error::IntegrationState(row.state));
    }
    if !store::sync_log::insert(&mut tx, &run).await? {
        let open = store::sync_log::open_of(&mut tx, integration).await?;
        return Err(open.map_or(Error::Overloaded, |open| Error::SyncRunning(open.id)));
    }
    sync_run::queue(&mut tx, &run, now).await?;
    tx.commit().await?;
    Ok(run)
}

/// Begins the run of everything again that was refused for lack of a consent, now that data may flow; unless
/// another one is under way.
pub(in crate::domain) async fn begin_refused(
    tx: &mut TenantTx,
    integration: &Integration,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let newest = store::sync_log::newest_of_everything(tx, integration.id).await?;
    let Some(refused) = newest.filter(was_refused) else { return Ok(()) };
    if integration.state != IntegrationState::Connected || !consent::opens(tx, integration).await? {
        return Ok(());
    }
    let run = SyncLog::queued(SyncLogId::new(), integration.id, refused.kind, cause, micros(now));
    if store::sync_log::insert(tx, &run).await? {
        sync_run::queue(tx, &run, now).await?;
    }
    Ok(())
}

/// Keeps in mind that a run could not begin for lack of a consent: whoever agrees begins it.
pub(in crate::domain) async fn note_refused(domain: &Domain, caller: &Caller, run: SyncLog) -> Result<()> {
    let mut tx = domain.store.caller(caller).await?;
    // Locked, so that nobody agrees meanwhile and finds nothing to begin.
    let integration = store::integration::find_for_update(&mut tx, run.integration_id).await?;
    let newest = store::sync_log::newest_of_everything(&mut tx, integration.id).await?;
    if consent::opens(&mut tx, &integration).await? || newest.as_ref().is_some_and(was_refused) {
        tx.end_reading();
        return Ok(());
    }
    let refused = SyncLog {
        state: SyncState::Failed,
        reason: Some(consent::MISSING.into()),
        end_time: Some(run.start_time),
        ..run
    };
    store::sync_log::insert(&mut tx, &refused).await?;
    tx.commit().await
}

fn was_refused(run: &SyncLog) -> bool {
    run.state == SyncState::Failed && run.reason.as_deref() == Some(consent::MISSING)
}

/// Calls a run off: one that waits ends here, one that runs ends with its next page; what was taken over
/// stays. One that has ended stays as it is.
///
/// Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn cancel(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: SyncLogId,
    now: DateTime<Utc>,
) -> Result<SyncLog> {
    let mut tx = domain.store.caller(caller).await?;
    let is_first = claim(&mut tx, caller, key, id).await? == Claim::First;
    let mut run = store::sync_log::find_for_update(&mut tx, id).await?;
    match run.state {
        SyncState::Queued if is_first => {
            run.state = SyncState::Cancelled;
            run.end_time = Some(micros(now));
        }
        SyncState::Running if is_first && !run.cancel_asked => run.cancel_asked = true,
        _ => {
            tx.commit().await?;
            return Ok(run);
        }
    }
    run.revision += 1;
    store::sync_log::save(&mut tx, &run).await?;
    tx.commit().await?;
    Ok(run)
}
