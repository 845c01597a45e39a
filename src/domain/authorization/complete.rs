//! The end of the way: whoever began it has the code exchanged, and the integration is connected.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Attempt, Caller, Claim, Domain, Error, Integration, IntegrationState, Key, Noun, Placeholders,
    Registration, Result, catalog, claim, oauth_client, takeover,
};
use crate::{
    domain::{
        credential::{self, Grant},
        integration::{self, micros},
    },
    ids::{AuthorizationId, CredentialId, IntegrationId, TenantId},
    provider::oauth::{Account, AccountError, TokenError, Tokens, Verifier},
    store::{
        self, TenantTx,
        credential::{Credential, Renewed},
    },
    vault,
    words::{AuthorizationState, CredentialEvent, CredentialKind},
};

/// Exchanges the code of a way that the caller began, and connects the integration. One of the same account
/// goes on with its settings, whether it needed to be connected again or was ended, unless another one was
/// asked for; one of Asana that was meant also with a colleague's account.
///
/// Errors: `NotFound` (no way of the caller's), `AuthorizationUsed`, `AuthorizationExpired`,
/// `AuthorizationRefused`, `ScopesNotGranted`, `OtherAccount`, `AccountUnknown`, `AccountTaken`,
/// `OAuthNotConfigured`, `ProviderUnavailable` (come back with the same code), `IntegrationState`,
/// `LimitReached`, `IdempotencyKeyReused`.
pub async fn complete(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    completion_code: &SecretString,
    now: DateTime<Utc>,
) -> Result<Integration> {
    let now = micros(now);
    let hash = vault::hash(completion_code.expose_secret().as_bytes());
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let mut attempt = store::authorization::of_completion_for_update(&mut tx, &hash).await?;
    if attempt.subject != caller.subject {
        return Err(Error::NotFound(Noun::Authorization));
    }
    let claimed = claim(&mut tx, caller, key, attempt.id).await?;
    match (attempt.state, claimed, attempt.made_integration_id) {
        (AuthorizationState::Completed, Claim::Repeat(_), Some(made)) => {
            tx.end_reading();
            return integration::get(domain, caller, made).await;
        }
        (AuthorizationState::Returned, ..) if now < attempt.expire_time => {}
        (AuthorizationState::Returned, ..) => {
            end(&mut tx, attempt, AuthorizationState::Failed, Some("AUTHORIZATION_EXPIRED")).await?;
            tx.commit().await?;
            return Err(Error::AuthorizationExpired);
        }
        _ => return Err(Error::AuthorizationUsed),
    }
    attempt.state = AuthorizationState::Exchanging;
    store::authorization::save(&mut tx, &attempt).await?;
    tx.commit().await?;

    // Goes on though the caller goes away: a code works once, and what it gives must not be lost.
    let (domain_of_task, caller_of_task) = (domain.clone(), caller.clone());
    let work = async move { finish(&domain_of_task, &caller_of_task, attempt, now).await };
    let id = tokio::spawn(work).await.map_err(|_| Error::internal("an exchange broke off"))??;
    integration::get(domain, caller, id).await
}

async fn finish(
    domain: &Domain,
    caller: &Caller,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Result<IntegrationId> {
    let (id, provider) = (attempt.id, attempt.provider.clone());
    let outcome = exchange(domain, caller, attempt, now).await;
    let (state, reason) = match &outcome {
        Ok(_) => {
            tracing::info!(provider, "an account was connected");
            return outcome;
        }
        // The code is as good as before, or the next exchange tells.
        Err(Error::ProviderUnavailable(_)) => (AuthorizationState::Returned, None),
        Err(Error::AuthorizationRefused { reason, .. }) => (AuthorizationState::Failed, Some(*reason)),
        Err(Error::ScopesNotGranted(_)) => (AuthorizationState::Failed, Some("SCOPES_NOT_GRANTED")),
        Err(Error::OtherAccount) => (AuthorizationState::Failed, Some("OTHER_ACCOUNT")),
        Err(Error::AccountUnknown) => (AuthorizationState::Failed, Some("ACCOUNT_UNKNOWN")),
        Err(Error::AccountTaken) => (AuthorizationState::Failed, Some("ACCOUNT_TAKEN")),
        Err(_) => (AuthorizationState::Failed, Some("FAILED")),
    };
    tracing::warn!(
        provider,
        reason = reason.unwrap_or("PROVIDER_UNAVAILABLE"),
        "an account was not connected"
    );
    leave(domain, caller.tenant, id, state, reason).await?;
    outcome
}

async fn exchange(
    domain: &Domain,
    caller: &Caller,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Result<IntegrationId> {
    let registration = registration(domain, caller.tenant, &attempt).await?;
    let provider = registration.provider.id;
    let (code, verifier) = unsealed(domain, caller.tenant, &attempt).await?;
    let door = registration.door(domain);
    let tokens = door.exchange(&code, &verifier).await.map_err(|error| match error {
        TokenError::Unavailable(after) => Error::ProviderUnavailable(after),
        error => Error::AuthorizationRefused { provider, reason: error.reason() },
    })?;
    let missing = tokens.missing(&attempt.scopes);
    if !missing.is_empty() {
        return Err(Error::ScopesNotGranted(missing));
    }
    // The code is spent by now: whatever goes wrong, the way begins anew.
    let account = door.account(&tokens, &registration.placeholders).await.map_err(|error| match error {
        AccountError::Unsaid | AccountError::Several => Error::AccountUnknown,
        AccountError::Call(error) => Error::AuthorizationRefused { provider, reason: error.reason() },
    })?;
    let takes_over = takeover::is_allowed(domain, caller.tenant, &attempt, &tokens, &account).await?;
    keep(domain, caller, attempt, &registration, Granted { tokens, account, takes_over }, now).await
}

/// What a person granted, and for which account.
struct Granted {
    tokens: Tokens,
    account: Account,
    /// The integration that was meant may be another account's.
    takes_over: bool,
}

async fn registration(domain: &Domain, tenant: TenantId, attempt: &Attempt) -> Result<Registration> {
    let provider = catalog::find(&attempt.provider).ok_or(Error::NotFound(Noun::Provider))?;
    let row = provider.oauth().ok_or(Error::NotFound(Noun::Provider))?;
    let placeholders = Placeholders::from_json(row, &attempt.placeholders).map_err(Error::internal)?;
    let client = oauth_client::by_id(domain, tenant, provider, &placeholders, &attempt.client_id)
        .await?
        .ok_or(Error::OAuthNotConfigured { provider: provider.id })?;
    Registration::new(domain, provider, client, placeholders, attempt.redirect_uri.clone())
}

async fn unsealed(domain: &Domain, tenant: TenantId, attempt: &Attempt) -> Result<(SecretString, Verifier)> {
    let key = domain.tenant_key(tenant).await?;
    let open = |place, sealed: Option<&Vec<u8>>| {
        let sealed = sealed.ok_or_else(|| Error::internal("an attempt without its secrets"))?;
        let opened = key.open(place, sealed).map_err(Error::internal)?;
        String::from_utf8(opened).map_err(|_| Error::internal("a secret that is no text"))
    };
    let code = open(store::authorization::code_place(attempt.id), attempt.sealed_code.as_ref())?;
    let verifier = open(store::authorization::verifier_place(attempt.id), attempt.sealed_verifier.as_ref())?;
    Ok((code.into(), Verifier::from_text(verifier)))
}

/// Connects: integration, credential, history and attempt commit together.
async fn keep(
    domain: &Domain,
    caller: &Caller,
    attempt: Attempt,
    registration: &Registration,
    granted: Granted,
    now: DateTime<Utc>,
) -> Result<IntegrationId> {
    let Granted { tokens, account, takes_over } = granted;
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.tenant(caller.tenant).await?;
    // Two who connect one account at once would both see that nobody has.
    tx.lock("integrations").await?;
    let before = known(&mut tx, &attempt, registration, &account, takes_over).await?;
    let row = integration_of(&attempt, registration, before.as_ref(), account, now);
    match &before {
        Some(_) => store::integration::save(&mut tx, &row).await?,
        None => {
            integration::check_limit(&mut tx).await?;
            store::integration::insert(&mut tx, &row).await?;
        }
    }

    let old = store::credential::find_for_update(&mut tx, row.id).await?;
    let id = old.as_ref().map_or_else(CredentialId::new, |old| old.id);
    let (expire_time, refresh_due_time) = credential::times(tokens.lifetime, now);
    let scopes = tokens.scopes.unwrap_or_else(|| attempt.scopes.clone());
    let grant = Grant {
        access: tokens.access,
        refresh: tokens.refresh,
        client_id: attempt.client_id.clone(),
        redirect_uri: attempt.redirect_uri.clone(),
    };
    let place = store::credential::place(id);
    let sealed_secret = tenant_key.seal(place, &grant.to_bytes()?).map_err(Error::internal)?;
    let (cause, kind) = (caller.subject.clone(), CredentialKind::OAuth2);
    let (event, version) = match old {
        Some(old) => {
            let renewed =
                Renewed { kind, sealed_secret, scopes, expire_time, refresh_due_time, cause, time: now };
            store::credential::replace(&mut tx, id, &renewed).await?;
            (CredentialEvent::Replaced, old.version + 1)
        }
        None => {
            let blank = Credential::api_key(id, row.id, sealed_secret, &cause, now);
            let fresh = Credential { kind, scopes, expire_time, refresh_due_time, ..blank };
            store::credential::insert(&mut tx, &fresh).await?;
            (CredentialEvent::Given, fresh.version)
        }
    };
    credential::note(&mut tx, row.id, event, version, &caller.subject, None, now).await?;
    integration::connected(&mut tx, before.as_ref(), &row, &caller.subject, now).await?;
    if takes_over {
        // What the other account had registered is not this one's.
        integration::make_up(&mut tx, &row, &caller.subject, now).await?;
    }
    let completed = Attempt { made_integration_id: Some(row.id), ..attempt };
    end(&mut tx, completed, AuthorizationState::Completed, None).await?;
    tx.commit().await?;
    Ok(row.id)
}

/// The integration that goes on, if there is one: the one that was meant, or one of the same account.
async fn known(
    tx: &mut TenantTx,
    attempt: &Attempt,
    registration: &Registration,
    account: &Account,
    takes_over: bool,
) -> Result<Option<Integration>> {
    let found = match attempt.integration_id {
        Some(id) => {
            let row = store::integration::find_for_update(tx, id).await?;
            // What is known here is known by that account's ids.
            let is_other = row.account_id.as_ref().is_some_and(|known| *known != account.id);
            if is_other && !takes_over {
                return Err(Error::OtherAccount);
            }
            Some(row)
        }
        None if attempt.is_another => None,
        None => {
            let url = instance_url(registration);
            let provider = registration.provider.id;
            store::integration::of_granted_account_for_update(tx, provider, url.as_deref(), &account.id)
                .await?
        }
    };
    match found {
        Some(row) if row.state == IntegrationState::Disconnecting => Err(Error::IntegrationState(row.state)),
        found => Ok(found),
    }
}

fn integration_of(
    attempt: &Attempt,
    registration: &Registration,
    before: Option<&Integration>,
    account: Account,
    now: DateTime<Utc>,
) -> Integration {
    let fresh = || Integration {
        instance_url: instance_url(registration),
        read_only: attempt.read_only,
        placeholders: registration.placeholders.to_json(),
        ..Integration::new(IntegrationId::new(), registration.provider.id, &attempt.name, now)
    };
    let row = before.cloned().unwrap_or_else(fresh);
    Integration {
        account_id: Some(account.id.clone()),
        account_name: account.name.or(row.account_name),
        granted_account_id: Some(account.id),
        state: IntegrationState::Connected,
        state_reason: None,
        update_time: now,
        ..row
    }
}

/// As documented, whatever stands in for the provider here.
fn instance_url(registration: &Registration) -> Option<String> {
    let template = registration.provider.api.as_ref()?.base_url;
    Some(registration.placeholders.url(template)?.as_str().trim_end_matches('/').into())
}

/// An attempt that goes no further keeps no secrets.
async fn end(
    tx: &mut TenantTx,
    attempt: Attempt,
    state: AuthorizationState,
    reason: Option<&str>,
) -> Result<()> {
    let ended = Attempt {
        state,
        reason: reason.map(Into::into),
        sealed_verifier: None,
        sealed_code: None,
        ..attempt
    };
    store::authorization::save(tx, &ended).await
}

/// What an exchange that led to nothing leaves behind.
async fn leave(
    domain: &Domain,
    tenant: TenantId,
    id: AuthorizationId,
    state: AuthorizationState,
    reason: Option<&str>,
) -> Result<()> {
    let mut tx = domain.store.tenant(tenant).await?;
    let attempt = store::authorization::find_for_update(&mut tx, id).await?;
    if state == AuthorizationState::Returned {
        store::authorization::save(&mut tx, &Attempt { state, ..attempt }).await?;
    } else {
        end(&mut tx, attempt, state, reason).await?;
    }
    tx.commit().await
}
