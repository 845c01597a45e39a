//! A tenant's links with providers: made, looked at, changed, tried and ended.

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    Domain, access, credential,
    engine::{provider_call, reconcile, subscription},
    idempotency::{Claim, Key, claim},
    sync_log,
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::IntegrationId,
    page::{Page, Paged},
    provider::catalog::{self, Adapter, Connect},
    store::{self, TenantTx, credential::Renewed, integration::Integration, outbox::NewMessage},
    words::{CredentialEvent, CredentialKind, IntegrationState, MessageKind, SyncState},
};

mod connect;
mod disconnect;
mod health;
mod providers;
mod status;
mod trial;

pub use connect::{NewIntegration, create};
pub(in crate::domain) use connect::{check_limit, connected, rate};
pub use disconnect::{give_up as give_up_disconnecting, run as run_disconnecting};
pub use health::{Health, advice, health};
pub use providers::{Linkable, providers};
pub use status::{Planning, Status, status};
pub use trial::{Trial, test};

/// Without a consent nothing may be kept, and what such a provider said meanwhile could never be had again.
const ASKS_NOBODY: &str =
    "must stay unset for a provider that cannot be asked later for what it told; pause inbound instead";

/// What a caller changes; what is absent stays.
#[derive(Debug, Default)]
pub struct Changes {
    pub name: Option<String>,
    pub inbound_paused: Option<bool>,
    pub outbound_paused: Option<bool>,
    pub read_only: Option<bool>,
    pub consent_required: Option<bool>,
    /// Another key of the same account.
    pub api_key: Option<SecretString>,
    /// What the provider lets this account ask.
    pub requests_per_minute: Option<u32>,
}

/// The lane of all work that concerns an integration as a whole.
pub(in crate::domain) fn lane(id: IntegrationId) -> String {
    format!("integration/{id}")
}

/// Whole microseconds, which is what the database keeps: what is told must equal what is kept.
pub(in crate::domain) fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// A page of the tenant's integrations, oldest first; only of one provider if it is named.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    provider: Option<&str>,
    page: &Page<IntegrationId>,
) -> Result<Paged<Integration, IntegrationId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::integration::list(&mut tx, provider, page).await?;
    tx.end_reading();
    Ok(found)
}

/// One integration. Errors: `NotFound`.
pub async fn get(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<Integration> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::integration::find(&mut tx, id).await?;
    tx.end_reading();
    Ok(found)
}

/// Changes an integration. What a pause kept back is caught up with when it ends.
///
/// Errors: `NotFound`, `Invalid` (also a need of consent at a provider that only posts), `IntegrationState`
/// (it is being ended, or was), `CredentialRefused`, `ProviderUnavailable`, `IdempotencyKeyReused`.
pub async fn update(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    changes: Changes,
    now: DateTime<Utc>,
) -> Result<Integration> {
    let name = changes.name.as_deref().map(|name| access::name("name", name)).transpose()?;
    let rate = changes.requests_per_minute.map(connect::rate).transpose()?;
    let now = micros(now);
    let seen = changeable(domain, caller, id).await?;
    if changes.consent_required == Some(true) && catalog::only_posts(&seen.provider) {
        return Err(Error::invalid("consent_required", ASKS_NOBODY));
    }
    if let Some(api_key) = &changes.api_key {
        connect::check_account(domain, &seen, api_key).await?;
    }
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, id).await? {
        return store::integration::find(&mut tx, id).await;
    }
    let before = store::integration::find_for_update(&mut tx, id).await?;
    if matches!(before.state, IntegrationState::Disconnecting | IntegrationState::Disconnected) {
        return Err(Error::IntegrationState(before.state));
    }
    let mut row = Integration { update_time: now, ..before.clone() };
    row.name = name.unwrap_or(row.name);
    row.inbound_paused = changes.inbound_paused.unwrap_or(row.inbound_paused);
    row.outbound_paused = changes.outbound_paused.unwrap_or(row.outbound_paused);
    row.read_only = changes.read_only.unwrap_or(row.read_only);
    row.consent_required = changes.consent_required.unwrap_or(row.consent_required);
    if let Some((capacity, refill_per_s)) = rate {
        store::integration_flow::set_rate(&mut tx, id, capacity, refill_per_s).await?;
    }
    if let Some(api_key) = &changes.api_key {
        let known = store::credential::find(&mut tx, id).await?.ok_or(Error::CredentialRefused)?;
        let place = store::credential::place(known.id);
        let sealed = tenant_key.seal(place, api_key.expose_secret().as_bytes()).map_err(Error::internal)?;
        let renewed = Renewed {
            kind: CredentialKind::ApiKey,
            sealed_secret: sealed,
            scopes: Vec::new(),
            expire_time: None,
            refresh_due_time: None,
            cause: caller.subject.clone(),
            time: now,
        };
        store::credential::replace(&mut tx, known.id, &renewed).await?;
        let (event, version) = (CredentialEvent::Replaced, known.version + 1);
        credential::note(&mut tx, id, event, version, &caller.subject, None, now).await?;
        row.granted_account_id = None;
        row.state = IntegrationState::Connected;
        row.state_reason = None;
    }
    store::integration::save(&mut tx, &row).await?;
    catch_up(&mut tx, &before, &row, &caller.subject, now).await?;
    tx.commit().await?;
    Ok(row)
}

/// Begins to end an integration: its webhooks at the provider are taken back first, then its credential is
/// destroyed. Appointments stay. One that is being ended, or was, stays as it is.
///
/// Errors: `NotFound`, `Invalid` (a provider that is not linked with a credential), `IdempotencyKeyReused`.
pub async fn disconnect(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    now: DateTime<Utc>,
) -> Result<Integration> {
    let provider = changeable(domain, caller, id).await?.provider;
    if catalog::find(&provider).is_none_or(|row| row.connect == Connect::WebhookOnly) {
        return Err(Error::invalid(
            "integration_id",
            "must be of a provider that is linked with a credential",
        ));
    }
    let mut tx = domain.store.tenant(caller.tenant).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, id).await? {
        return store::integration::find(&mut tx, id).await;
    }
    let mut row = store::integration::find_for_update(&mut tx, id).await?;
    if matches!(row.state, IntegrationState::Connected | IntegrationState::NeedsReconnect) {
        row.state = IntegrationState::Disconnecting;
        row.state_reason = None;
        row.update_time = micros(now);
        store::integration::save(&mut tx, &row).await?;
        if let Some(mut run) = store::sync_log::open_of(&mut tx, id).await? {
            run = store::sync_log::find_for_update(&mut tx, run.id).await?;
            if matches!(run.state, SyncState::Queued | SyncState::Running) {
                run.cancel_asked = true;
                run.revision += 1;
                store::sync_log::save(&mut tx, &run).await?;
            }
        }
        queue(&mut tx, id, MessageKind::Disconnect, json!({}), &caller.subject, now).await?;
    }
    tx.commit().await?;
    Ok(row)
}

/// The integration, if the caller may change it: what follows is done in the server's own name, because
/// callers have no way to credentials and budgets. Errors: `NotFound`.
async fn changeable(domain: &Domain, caller: &Caller, id: IntegrationId) -> Result<Integration> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::integration::find_for_update(&mut tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

/// Queues what becomes possible when a pause, a restriction, the lack of a credential or the need of a
/// consent ends.
pub(in crate::domain) async fn catch_up(
    tx: &mut TenantTx,
    before: &Integration,
    after: &Integration,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let hears = before.inbound_paused && !after.inbound_paused;
    if hears && catalog::only_posts(&after.provider) {
        return store::outbox::hurry(tx, after.id, now).await;
    }
    if !catalog::adapter(&after.provider).asks() || after.state != IntegrationState::Connected {
        return Ok(());
    }
    let is_opened = before.consent_required && !after.consent_required;
    if is_opened {
        sync_log::begin_refused(tx, after, cause, now).await?;
    }
    let is_back = before.state != after.state || is_opened;
    let writes = (before.outbound_paused && !after.outbound_paused) || (before.read_only && !after.read_only);
    if is_back || writes || hears {
        store::outbox::hurry(tx, after.id, now).await?;
    }
    if is_back || writes {
        make_up(tx, after, cause, now).await?;
    } else if hears {
        look(tx, after, cause, now).await?;
    }
    Ok(())
}

/// Queues a look at all that was missed, both ways.
pub(in crate::domain) async fn make_up(
    tx: &mut TenantTx,
    row: &Integration,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    if !catalog::adapter(&row.provider).asks() || row.state != IntegrationState::Connected {
        return Ok(());
    }
    store::subscription::check_anew(tx, row.id).await?;
    subscription::queue(tx, row.id, cause, now).await?;
    look(tx, row, cause, now).await
}

/// Queues a look at what there is at the provider, as far as one look goes.
async fn look(tx: &mut TenantTx, row: &Integration, cause: &str, now: DateTime<Utc>) -> Result<()> {
    match catalog::adapter(&row.provider) {
        Adapter::Calcom => reconcile::queue_sweep(tx, row.id, cause, now).await,
        Adapter::Asana => reconcile::queue(tx, row.id, cause, now).await,
        Adapter::Booking | Adapter::None => Ok(()),
    }
}

/// Queues work on an integration as a whole, once however often it is asked for before it begins.
pub(in crate::domain) async fn queue(
    tx: &mut TenantTx,
    id: IntegrationId,
    kind: MessageKind,
    mut payload: serde_json::Value,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    payload["integration_id"] = json!(id);
    let message = NewMessage {
        kind,
        lane: lane(id),
        payload,
        cause: cause.into(),
        run_time: now,
        integration: Some(id),
    };
    store::outbox::push_once(tx, message).await
}
