//! Another access token, asked for once, however many instances want it.
//!
//! A refresh token may work a single time. So one refresher holds a lease on the credential, writes what it
//! was given before anybody uses it, and writes only over the version that it read.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    Bearer, BearerError, Credential, CredentialKind, Domain, Error, IntegrationId, IntegrationState, Result,
    TenantId, grant::Grant, note,
};
use crate::{
    domain::{
        integration::{self, micros},
        oauth_client::{self, Registration},
    },
    error::Noun,
    provider::{
        catalog,
        oauth::{Placeholders, TokenError, Tokens},
    },
    store::{self, credential::Renewed},
    telemetry::{self, metrics as names},
    words::CredentialEvent,
};

/// For how long a refresher that says nothing keeps others from trying; longer than a call may take.
const LEASE: Duration = Duration::from_secs(60);
/// How long somebody who needs the token waits for another refresher.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often he looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long a token must last to be worth using.
const USABLE: TimeDelta = TimeDelta::seconds(20);
/// Ahead of expiry; a fifth of its life for tokens that live less than 25 minutes.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// Until what could not be written down is worth another try.
const KEEP_AGAIN: Duration = Duration::from_millis(500);
/// The outcomes that are ours to mend, and nothing is wrong with the grant; codes that answers tell.
pub(in crate::domain) const CLIENT_REFUSED: &str = "CLIENT_REFUSED";
pub(in crate::domain) const CLIENT_NOT_CONFIGURED: &str = "CLIENT_NOT_CONFIGURED";
/// Until a broken configuration is worth another look.
const MISCONFIGURED: Duration = Duration::from_secs(5 * 60);

/// Who waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The token works for a while: if somebody else is at it, let him.
    Soon,
    /// There is no token to work with.
    Now,
}

/// When a token of such a life runs out, and from when on another one is asked for.
pub(in crate::domain) fn times(
    lifetime: Option<Duration>,
    now: DateTime<Utc>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let Some(lifetime) = lifetime else { return (None, None) };
    let ahead = AHEAD.min(lifetime / 5);
    let after = |span: Duration| TimeDelta::from_std(span).ok().and_then(|span| now.checked_add_signed(span));
    (after(lifetime).map(micros), after(lifetime.saturating_sub(ahead)).map(micros))
}

/// Whether a credential's token works for one more call.
pub(super) fn is_usable(row: &Credential, now: DateTime<Utc>) -> bool {
    row.expire_time.is_none_or(|end| now + USABLE < end)
}

/// The right to ask for another token, and for how long it lasts at least.
struct Lease {
    id: Uuid,
    end: Instant,
}

/// Gets another token in place of the one in `seen`, or the one that somebody else got meanwhile.
///
/// Goes on though nobody waits for it any longer: a token that was given and not written down is lost.
pub(super) async fn refresh(
    domain: &Domain,
    tenant: TenantId,
    seen: Credential,
    need: Need,
    cause: &str,
) -> Result<Bearer, BearerError> {
    let (domain, cause) = (domain.clone(), cause.to_string());
    let work = async move { take_turn(&domain, tenant, seen, need, &cause).await };
    tokio::spawn(work).await.map_err(|_| BearerError::Own(Error::internal("a refresh broke off")))?
}

async fn take_turn(
    domain: &Domain,
    tenant: TenantId,
    seen: Credential,
    need: Need,
    cause: &str,
) -> Result<Bearer, BearerError> {
    let end = Instant::now() + PATIENCE;
    let id = Uuid::now_v7();
    loop {
        let lease = Lease { id, end: Instant::now() + LEASE };
        let mut tx = domain.store.tenant(tenant).await?;
        let is_ours = store::credential::lease(&mut tx, seen.id, seen.version, id, LEASE).await?;
        let row = store::credential::find(&mut tx, seen.integration_id).await?.ok_or(BearerError::Missing)?;
        tx.commit().await?;
        if is_ours {
            return attempt(domain, tenant, row, &lease, cause).await;
        }
        if (row.id, row.version) != (seen.id, seen.version) {
            return Ok(super::open(domain, tenant, &row).await?);
        }
        if need == Need::Soon || Instant::now() >= end {
            return Err(BearerError::NotNow { after: Duration::from_secs(1), reason: "REFRESHING" });
        }
        sleep(LOOK).await;
    }
}

/// With the lease held: asks, and writes down what came of it.
async fn attempt(
    domain: &Domain,
    tenant: TenantId,
    row: Credential,
    lease: &Lease,
    cause: &str,
) -> Result<Bearer, BearerError> {
    let asked = ask(domain, tenant, &row).await;
    let outcome = match &asked {
        Ok(_) => "OK",
        Err(Failure::Token(_, error)) => error.reason(),
        Err(Failure::NoRefreshToken) => "NO_REFRESH_TOKEN",
        Err(Failure::NoClient) => CLIENT_NOT_CONFIGURED,
        Err(Failure::Own(_)) => "FAILED",
    };
    let provider = match &asked {
        Ok(Renewal { provider, .. }) | Err(Failure::Token(provider, _)) => *provider,
        Err(Failure::NoRefreshToken | Failure::NoClient | Failure::Own(_)) => "none",
    };
    counter!(names::TOKEN_REFRESHES, "provider" => provider, "outcome" => outcome).increment(1);
    match asked {
        Ok(renewal) => keep(domain, tenant, &row, &renewal, lease, cause).await,
        Err(Failure::Token(_, TokenError::GrantRefused)) => {
            lost(domain, tenant, &row, lease, "GRANT_REFUSED").await
        }
        Err(Failure::NoRefreshToken) => lost(domain, tenant, &row, lease, "NO_REFRESH_TOKEN").await,
        Err(failure) => {
            give_back(domain, tenant, &row, lease, outcome).await?;
            Err(match failure {
                Failure::Token(_, TokenError::Unavailable(after)) => {
                    BearerError::NotNow { after, reason: outcome }
                }
                Failure::Own(error) => BearerError::Own(error),
                _ => {
                    tracing::error!(
                        integration.id = %row.integration_id, outcome,
                        "a token could not be refreshed: look at the provider's client settings"
                    );
                    BearerError::NotNow { after: MISCONFIGURED, reason: outcome }
                }
            })
        }
    }
}

struct Renewal {
    provider: &'static str,
    old: Grant,
    tokens: Tokens,
    /// When they were given.
    time: DateTime<Utc>,
}

enum Failure {
    /// At which provider.
    Token(&'static str, TokenError),
    NoRefreshToken,
    NoClient,
    Own(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

async fn ask(domain: &Domain, tenant: TenantId, row: &Credential) -> Result<Renewal, Failure> {
    let old = Grant::open(domain, tenant, row).await?;
    let refresh = old.refresh.clone().ok_or(Failure::NoRefreshToken)?;
    let registration =
        registration(domain, tenant, row.integration_id, &old).await?.ok_or(Failure::NoClient)?;
    let provider = registration.provider.id;
    let asked = registration.door(domain).refresh(&refresh).await;
    let tokens = asked.map_err(|error| Failure::Token(provider, error))?;
    Ok(Renewal { provider, old, tokens, time: micros(Utc::now()) })
}

/// The registration that a grant was given to, if it is still here.
pub(in crate::domain) async fn registration(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    grant: &Grant,
) -> Result<Option<Registration>> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    tx.end_reading();
    let provider = catalog::find(&row.provider).ok_or(Error::NotFound(Noun::Provider))?;
    let oauth = provider.oauth().ok_or(Error::NotFound(Noun::Provider))?;
    let placeholders = Placeholders::from_json(oauth, &row.placeholders).map_err(Error::internal)?;
    let client = oauth_client::by_id(domain, tenant, provider, &placeholders, &grant.client_id).await?;
    client
        .map(|client| Registration::new(domain, provider, client, placeholders, grant.redirect_uri.clone()))
        .transpose()
}

/// Writes the new token down, however often that takes while nobody else may ask: the old one may be spent,
/// and the new one is nowhere else.
async fn keep(
    domain: &Domain,
    tenant: TenantId,
    row: &Credential,
    renewal: &Renewal,
    lease: &Lease,
    cause: &str,
) -> Result<Bearer, BearerError> {
    loop {
        match write_down(domain, tenant, row, renewal, cause).await {
            Err(BearerError::Own(error)) if Instant::now() + KEEP_AGAIN < lease.end => {
                telemetry::log_error("a fresh token is not written down yet", &error);
                sleep(KEEP_AGAIN).await;
            }
            kept => return kept,
        }
    }
}

/// Unless somebody connected again meanwhile: then theirs counts.
async fn write_down(
    domain: &Domain,
    tenant: TenantId,
    row: &Credential,
    renewal: &Renewal,
    cause: &str,
) -> Result<Bearer, BearerError> {
    let Renewal { old, tokens, time: now, .. } = renewal;
    let now = *now;
    let (expire_time, refresh_due_time) = times(tokens.lifetime, now);
    let scopes = tokens.scopes.clone().unwrap_or_else(|| row.scopes.clone());
    // One that comes back replaces the old one, an absent one keeps it: whether a provider rotates is not
    // always settled.
    let refresh = tokens.refresh.clone().or_else(|| old.refresh.clone());
    let grant = Grant { access: tokens.access.clone(), refresh, ..old.clone() };
    let key = domain.tenant_key(tenant).await?;
    let sealed_secret =
        key.seal(store::credential::place(row.id), &grant.to_bytes()?).map_err(Error::internal)?;
    let renewed = Renewed {
        kind: CredentialKind::OAuth2,
        sealed_secret,
        scopes,
        expire_time,
        refresh_due_time,
        cause: cause.into(),
        time: now,
    };

    let mut tx = domain.store.tenant(tenant).await?;
    let before = store::integration::find_for_update(&mut tx, row.integration_id).await?;
    let current = store::credential::find_for_update(&mut tx, row.integration_id).await?;
    let current = current.ok_or(BearerError::Missing)?;
    if (current.id, current.version) != (row.id, row.version) {
        tx.commit().await?;
        return Ok(super::open(domain, tenant, &current).await?);
    }
    store::credential::replace(&mut tx, row.id, &renewed).await?;
    note(&mut tx, row.integration_id, CredentialEvent::Refreshed, row.version + 1, cause, None, now).await?;
    // Somebody slower than us believed that the grant was lost.
    let was_lost = before.state == IntegrationState::NeedsReconnect
        && before.state_reason.as_deref() == Some("GRANT_REFUSED");
    if was_lost || before.state == IntegrationState::Connected && before.state_reason.is_some() {
        let mut after = before.clone();
        (after.state, after.state_reason, after.update_time) = (IntegrationState::Connected, None, now);
        store::integration::save(&mut tx, &after).await?;
        integration::catch_up(&mut tx, &before, &after, cause, now).await?;
    }
    tx.commit().await?;
    Ok(Bearer { secret: grant.access, id: row.id, version: row.version + 1 })
}

/// The provider says that the grant is over. Whoever holds another version by now was given it after that.
async fn lost(
    domain: &Domain,
    tenant: TenantId,
    row: &Credential,
    lease: &Lease,
    reason: &'static str,
) -> Result<Bearer, BearerError> {
    let mut tx = domain.store.tenant(tenant).await?;
    // Locked in this order everywhere.
    store::integration::find_for_update(&mut tx, row.integration_id).await?;
    let current = store::credential::find_for_update(&mut tx, row.integration_id).await?;
    let current = current.ok_or(BearerError::Missing)?;
    if (current.id, current.version) != (row.id, row.version) {
        tx.commit().await?;
        return Ok(super::open(domain, tenant, &current).await?);
    }
    super::ask_to_reconnect(&mut tx, row.integration_id, (row.id, row.version), reason).await?;
    store::credential::end_lease(&mut tx, row.id, lease.id).await?;
    tx.commit().await?;
    Err(BearerError::Missing)
}

/// Lets somebody else try. Where our registration is what is wrong, the integration says so until a token
/// comes: nothing else would, because its work only waits.
async fn give_back(
    domain: &Domain,
    tenant: TenantId,
    row: &Credential,
    lease: &Lease,
    outcome: &str,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    if matches!(outcome, CLIENT_REFUSED | CLIENT_NOT_CONFIGURED) {
        let mut found = store::integration::find_for_update(&mut tx, row.integration_id).await?;
        if found.state == IntegrationState::Connected && found.state_reason.as_deref() != Some(outcome) {
            (found.state_reason, found.update_time) = (Some(outcome.into()), micros(Utc::now()));
            store::integration::save(&mut tx, &found).await?;
        }
    }
    store::credential::end_lease(&mut tx, row.id, lease.id).await?;
    tx.commit().await
}

/// The message of a schedule: asks for another token, so that refresh tokens do not fall out of use, and a
/// grant that is over is known before somebody needs it. Errors: what is worth another attempt.
pub async fn run(domain: &Domain, tenant: TenantId, payload: &Value) -> Result<store::outbox::Outcome> {
    use store::outbox::Outcome;
    let id: IntegrationId =
        serde_json::from_value(payload["integration_id"].clone()).map_err(Error::internal)?;
    let mut tx = domain.store.tenant(tenant).await?;
    let integration = store::integration::find(&mut tx, id).await?;
    let row = store::credential::find(&mut tx, id).await?;
    tx.end_reading();
    let Some(row) = row.filter(|row| row.kind == CredentialKind::OAuth2) else { return Ok(Outcome::Done) };
    let is_asked_for = integration.state == IntegrationState::Connected;
    // Without a refresh token there is nothing to ask with, and as long as the token works nothing is wrong.
    if !is_asked_for || Grant::open(domain, tenant, &row).await?.refresh.is_none() {
        return Ok(Outcome::Done);
    }
    match refresh(domain, tenant, row, Need::Now, "schedule/refresh-asana-tokens").await {
        // What is over is on the integration by now.
        Ok(_) | Err(BearerError::Missing) => Ok(Outcome::Done),
        Err(BearerError::NotNow { after, reason }) => {
            Ok(Outcome::Release { after, reason: Some(reason.into()) })
        }
        Err(BearerError::Own(error)) => {
            telemetry::log_error("a token could not be refreshed", &error);
            Err(error)
        }
    }
}
