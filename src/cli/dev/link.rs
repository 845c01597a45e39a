//! The demo tenant's links with the doubles: one that is there is gone on with, whatever else was linked is
//! ended.

use std::time::Duration;

use chrono::Utc;
use tokio::time;

use crate::{
    caller::Caller,
    domain::{Domain, idempotency::Key, integration, sync_log},
    error::{Error, Result},
    ids::IntegrationId,
    page::{MAX_SIZE, Page},
    store::{self, integration::Integration},
    words::{IntegrationState, SyncState},
};

/// How long a start waits for a run, which takes a second or two.
const RUN_WITHIN: Duration = Duration::from_secs(20);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The link with this account. Those with others are ended: their double's world is gone.
pub(super) async fn find(
    domain: &Domain,
    caller: &Caller,
    provider: &str,
    account: &str,
) -> Result<Option<Integration>> {
    let page = Page { size: MAX_SIZE.into(), after: None };
    let mut found = None;
    for link in integration::list(domain, caller, Some(provider), &page).await?.rows {
        let stands = matches!(link.state, IntegrationState::Connected | IntegrationState::NeedsReconnect);
        if link.account_id.as_deref() == Some(account) {
            found = Some(link).filter(|_| stands).or(found);
        } else if stands {
            let key = unrepeated("DisconnectIntegration");
            integration::disconnect(domain, caller, &key, link.id, Utc::now()).await?;
        }
    }
    Ok(found)
}

/// Begins a run of everything, which finds what happened at the double while nothing listened here.
pub(super) async fn catch_up(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<()> {
    begun(sync_log::start(domain, caller, &unrepeated("StartSync"), id, Utc::now()).await)
}

/// One that an end like a crash left open goes on by itself.
pub(super) fn begun<T>(run: Result<T>) -> Result<()> {
    match run {
        Ok(_) | Err(Error::SyncRunning(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether the newest run ended in time.
pub(super) async fn has_run(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<bool> {
    let deadline = time::Instant::now() + RUN_WITHIN;
    while time::Instant::now() < deadline {
        let page = Page { size: 1, after: None };
        let filter = store::sync_log::Filter { integration: Some(id), ..store::sync_log::Filter::default() };
        let run = sync_log::list(domain, caller, &filter, &page).await?.rows.pop();
        if run.is_some_and(|run| !matches!(run.state, SyncState::Queued | SyncState::Running)) {
            return Ok(true);
        }
        time::sleep(LOOK_EVERY).await;
    }
    Ok(false)
}

pub(super) fn unrepeated(rpc: &'static str) -> Key {
    Key::new(rpc, "", b"")
}
