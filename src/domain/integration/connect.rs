//! Linking a provider's account: the credential is tried before anything is kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Claim, Domain, Error, Integration, IntegrationId, IntegrationState, Key, Result, access, claim};
use crate::{
    caller::Caller,
    domain::{credential, engine::sync_run},
    error::Noun,
    ids::{CredentialId, SyncLogId},
    provider::{
        calcom::{self, Calcom, CallError, Me, Refusal},
        catalog::{self, api::LimitScope},
    },
    store::{self, TenantTx, credential::Credential, sync_log::SyncLog},
    words::{CredentialEvent, Role, SyncKind},
};

/// Integrations of a tenant, ended ones included, at most.
const INTEGRATIONS_AT_MOST: i64 = 200;
/// What Cal.com's documentation allows a key (2026-03).
const REQUESTS_PER_MINUTE: u32 = 120;
/// Said of what would be lost on a provider that only posts.
const NOT_ASKED: &str = "must be absent: this provider is not asked";
/// Until an unreachable provider is worth another try.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// What a caller says about an account to link.
#[derive(Debug)]
pub struct NewIntegration {
    pub provider: String,
    pub name: String,
    /// Empty for a provider that only posts.
    pub api_key: SecretString,
    /// Of a self-hosted provider; the hosted one when absent.
    pub instance_url: Option<String>,
    /// What the provider lets this account ask; 120 when absent.
    pub requests_per_minute: Option<u32>,
    /// Nothing is ever written there.
    pub read_only: bool,
}

/// Links an account and queues its first run, which takes over event types and bookings and registers
/// webhooks. An integration of the account that was ended is gone on with. A provider that only posts has no
/// account: there it is one more tool, with ids of its own.
///
/// Errors: `RoleNotAllowed`, `Invalid`, `NotFound` (provider), `CredentialRefused`, `AccountTaken`,
/// `ProviderRefused`, `ProviderUnavailable`, `LimitReached`, `IdempotencyKeyReused`.
pub async fn create(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    new: NewIntegration,
    now: DateTime<Utc>,
) -> Result<Integration> {
    // As the policy of the table says; what follows is done in the server's own name.
    if !matches!(caller.role, Role::Admin | Role::Hr | Role::Service | Role::System) {
        return Err(Error::RoleNotAllowed(caller.role));
    }
    let id = IntegrationId::new();
    if let Some(made) = made_before(domain, caller, key, id).await? {
        return Ok(made);
    }
    if catalog::only_posts(&new.provider) {
        return add_tool(domain, caller, key, id, new, now).await;
    }
    if new.provider != calcom::PROVIDER {
        return Err(Error::NotFound(Noun::Provider));
    }
    if new.api_key.expose_secret().is_empty() {
        return Err(Error::invalid("api_key", "must be given"));
    }
    let name = access::name("name", &new.name)?;
    let (capacity, refill_per_s) = rate(new.requests_per_minute.unwrap_or(REQUESTS_PER_MINUTE))?;
    let instance = instance(domain, new.instance_url.as_deref())?;
    let me = account_behind(domain, &instance, &new.api_key).await?;
    let tenant_key = domain.tenant_key(caller.tenant).await?;

    let mut tx = domain.store.tenant(caller.tenant).await?;
    // Two who link one account at once would both see that nobody has.
    tx.lock("integrations").await?;
    let (url, account) = (instance.as_str().trim_end_matches('/').to_owned(), me.id.to_string());
    let before = store::integration::of_account_for_update(&mut tx, calcom::PROVIDER, &url, &account).await?;
    let id = before.as_ref().map_or(id, |before| before.id);
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, id).await? {
        return store::integration::find(&mut tx, IntegrationId(made)).await;
    }
    let row = Integration {
        instance_url: Some(url),
        account_id: Some(account),
        account_name: me.name.or(me.username),
        read_only: new.read_only,
        ..Integration::new(id, calcom::PROVIDER, &name, now)
    };
    keep(&mut tx, before, row).await?;
    let credential = CredentialId::new();
    let place = store::credential::place(credential);
    let secret = new.api_key.expose_secret().as_bytes();
    let sealed = tenant_key.seal(place, secret).map_err(Error::internal)?;
    let credential = Credential::api_key(credential, id, sealed, &caller.subject, now);
    store::credential::insert(&mut tx, &credential).await?;
    store::integration_flow::insert(&mut tx, id, capacity, refill_per_s).await?;
    store::integration_flow::set_rate(&mut tx, id, capacity, refill_per_s).await?;
    credential::note(&mut tx, id, CredentialEvent::Given, 1, &caller.subject, None, now).await?;
    run_first(&mut tx, id, &caller.subject, now).await?;
    let linked = store::integration::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(linked)
}

async fn add_tool(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: IntegrationId,
    new: NewIntegration,
    now: DateTime<Utc>,
) -> Result<Integration> {
    if !new.api_key.expose_secret().is_empty() {
        return Err(Error::invalid("api_key", NOT_ASKED));
    }
    if new.instance_url.is_some() {
        return Err(Error::invalid("instance_url", NOT_ASKED));
    }
    let name = access::name("name", &new.name)?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    tx.lock("integrations").await?;
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, id).await? {
        return store::integration::find(&mut tx, IntegrationId(made)).await;
    }
    check_limit(&mut tx).await?;
    let row = Integration { read_only: new.read_only, ..Integration::new(id, &new.provider, &name, now) };
    store::integration::insert(&mut tx, &row).await?;
    let made = store::integration::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(made)
}

/// Keeps the integration of an account. `before` is the one there was.
async fn keep(tx: &mut TenantTx, before: Option<Integration>, row: Integration) -> Result<()> {
    match before {
        None => {
            check_limit(tx).await?;
            store::integration::insert(tx, &row).await
        }
        // What was ended goes on: its bookings are known, and would be taken for others under another id.
        Some(before) if before.state == IntegrationState::Disconnected => {
            let again = Integration {
                create_time: before.create_time,
                consent_required: before.consent_required,
                ..row
            };
            store::integration::save(tx, &again).await
        }
        Some(_) => Err(Error::AccountTaken),
    }
}

/// What follows when an account was connected by a grant. `before` is how the integration stood until then.
pub(in crate::domain) async fn connected(
    tx: &mut TenantTx,
    before: Option<&Integration>,
    after: &Integration,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let (capacity, refill_per_s) = rate(documented_rate(&after.provider))?;
    // One that is known keeps the rate it was given.
    store::integration_flow::insert(tx, after.id, capacity, refill_per_s).await?;
    match before {
        Some(before) if before.state != IntegrationState::Disconnected => {
            super::catch_up(tx, before, after, cause, now).await
        }
        // Others wait to be told what is to be kept in step, or have nothing that could be.
        _ if after.provider == calcom::PROVIDER => run_first(tx, after.id, cause, now).await,
        // What was told before it was disconnected still holds.
        _ if is_onboarded(tx, after.id).await? => super::make_up(tx, after, cause, now).await,
        _ => Ok(()),
    }
}

/// Whether a planning tool was read before.
async fn is_onboarded(tx: &mut TenantTx, id: IntegrationId) -> Result<bool> {
    let settings = store::planning::settings::find(tx, id).await?;
    Ok(settings.is_some_and(|settings| settings.initial_sync_time.is_some()))
}

/// What the provider's documentation allows a token, in requests per minute.
fn documented_rate(provider: &str) -> u32 {
    let limits = catalog::find(provider).and_then(|row| row.api.as_ref()).map_or(&[][..], |api| api.limits);
    let of_token = limits.iter().find(|limit| limit.per == LimitScope::Token).or(limits.first());
    let per_minute = of_token.map(|limit| limit.requests.saturating_mul(60) / limit.seconds.max(1));
    per_minute.unwrap_or(REQUESTS_PER_MINUTE).clamp(2, 1_000_000)
}

/// Queues the run that takes over what is there.
async fn run_first(tx: &mut TenantTx, id: IntegrationId, cause: &str, now: DateTime<Utc>) -> Result<()> {
    let run = SyncLog::queued(SyncLogId::new(), id, SyncKind::Full, cause, now);
    store::sync_log::insert(tx, &run).await?;
    sync_run::queue(tx, &run, now).await
}

/// Errors: `LimitReached`.
pub(in crate::domain) async fn check_limit(tx: &mut TenantTx) -> Result<()> {
    match store::integration::count(tx).await? {
        count if count >= INTEGRATIONS_AT_MOST => Err(Error::LimitReached("200 integrations")),
        _ => Ok(()),
    }
}

/// What an earlier call with this key made. Its credential is not tried again, and may be another one by now.
async fn made_before(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    fresh: IntegrationId,
) -> Result<Option<Integration>> {
    let mut tx = domain.store.caller(caller).await?;
    match claim(&mut tx, caller, key, fresh).await? {
        Claim::Repeat(made) => Ok(Some(store::integration::find(&mut tx, IntegrationId(made)).await?)),
        // Undone with the transaction: nothing is made before the provider has answered.
        Claim::First => Ok(None),
    }
}

/// Another key must be of the account that the integration is about:
/// its bookings are known by that account's ids.
pub(super) async fn check_account(domain: &Domain, row: &Integration, api_key: &SecretString) -> Result<()> {
    let ended = matches!(row.state, IntegrationState::Disconnecting | IntegrationState::Disconnected);
    if ended {
        return Err(Error::IntegrationState(row.state));
    }
    if row.provider != calcom::PROVIDER {
        return Err(Error::invalid("api_key", NOT_ASKED));
    }
    let instance = instance(domain, row.instance_url.as_deref())?;
    let me = account_behind(domain, &instance, api_key).await?;
    if row.account_id.as_deref() == Some(me.id.to_string().as_str()) {
        return Ok(());
    }
    Err(Error::invalid("api_key", "must be of the same account; connect another account on its own"))
}

/// Tokens at once and per second, so that no minute ever has more requests than are allowed: what is saved up
/// and what is added in a minute are one half each. Who exceeds is refused for a whole minute.
pub(in crate::domain) fn rate(requests_per_minute: u32) -> Result<(f64, f64)> {
    if !(2..=1_000_000).contains(&requests_per_minute) {
        return Err(Error::invalid("requests_per_minute", "must be 2 to 1,000,000"));
    }
    let half = f64::from(requests_per_minute) / 2.0;
    Ok((half, half / 60.0))
}

fn instance(domain: &Domain, text: Option<&str>) -> Result<Url> {
    let text = text.unwrap_or(calcom::DEFAULT_INSTANCE);
    calcom::parse_instance(text, &domain.egress)
        .map_err(|error| Error::invalid("instance_url", error.to_string()))
}

async fn account_behind(domain: &Domain, instance: &Url, api_key: &SecretString) -> Result<Me> {
    Calcom::new(&domain.egress, instance, api_key).me().await.map_err(|error| match error {
        CallError::Credential => Error::CredentialRefused,
        CallError::Throttled { retry_after } => Error::ProviderUnavailable(retry_after),
        CallError::Transient(_) | CallError::NotSent(_) | CallError::Unknown(_) => {
            Error::ProviderUnavailable(TRY_AGAIN)
        }
        CallError::AddressRefused(why) => Error::invalid("instance_url", why.to_string()),
        CallError::UnexpectedShape { .. } | CallError::Refused(Refusal::NotFound) => Error::invalid(
            "instance_url",
            "must be where Cal.com's API v2 answers, as in https://api.cal.com/v2",
        ),
        CallError::Refused(refusal) => {
            Error::ProviderRefused { provider: calcom::PROVIDER, reason: refusal.reason() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_requests_than_the_provider_allows() {
        let (capacity, refill_per_s) = rate(120).unwrap();

        assert!(capacity + 60.0 * refill_per_s <= 120.0);
        assert!(capacity >= 50.0, "a person's burst fits");
    }

    #[test]
    fn a_rate_that_would_stand_still_is_refused() {
        for unfit in [0, 1, 1_000_001] {
            assert!(matches!(rate(unfit), Err(Error::Invalid(_))), "{unfit}");
        }
    }
}
