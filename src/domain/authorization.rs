//! Connecting by OAuth 2.0: a person is sent to the provider's consent page, comes back by their browser,
//! and completes what they began. The same signed-in subject does both, so that nobody can be made to
//! finish somebody else's way.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    Domain, access,
    idempotency::{Claim, Key, claim},
    integration::micros,
    oauth_client::{self, Registration},
};
use crate::{
    caller::Caller,
    error::{Error, Noun, Result},
    ids::{AuthorizationId, IntegrationId},
    provider::{
        catalog::{self, Adapter, OAuth, Provider},
        oauth::{Placeholders, Verifier},
    },
    store::{self, authorization::Attempt, integration::Integration},
    vault,
    words::{AuthorizationState, IntegrationState, Role},
};

mod callback;
mod complete;
mod takeover;

pub use callback::{Return, callback};
pub use complete::complete;

/// From the start to the exchange; providers' codes live no longer.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// Scopes of one request at most, and the longest of them in bytes.
const SCOPES_AT_MOST: usize = 100;
const LONGEST_SCOPE: usize = 200;

/// What a caller says about the account to come.
#[derive(Debug, Clone, Default)]
pub struct Start {
    pub provider: String,
    /// Of the integration to be; an existing one keeps its own.
    pub name: String,
    /// Which integration is connected again; absent for a new one.
    pub integration_id: Option<IntegrationId>,
    /// Where the browser goes in the end.
    pub return_url: String,
    /// What is asked for; the row's own scopes when empty.
    pub scopes: Vec<String>,
    /// The parts of the provider's URLs that differ between tenants.
    pub placeholders: BTreeMap<String, String>,
    /// Nothing is ever written there.
    pub read_only: bool,
    /// A new integration though the account may have one: for another of its workspaces.
    pub another: bool,
}

/// A way that was begun.
pub struct Started {
    /// Where the person is to be sent. Holds the state.
    pub url: SecretString,
    pub expire_time: DateTime<Utc>,
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("expire_time", &self.expire_time).finish_non_exhaustive()
    }
}

/// What a start is about, checked.
struct Plan {
    provider: &'static Provider,
    integration: Option<Integration>,
    name: String,
    read_only: bool,
    placeholders: Placeholders,
    scopes: Vec<String>,
    return_url: Url,
    is_another: bool,
}

/// Begins a way and says where to send the person. Repeated with the same key it gives another URL for the
/// same way, and the one before leads nowhere.
///
/// Errors: `RoleNotAllowed`, `Invalid`, `NotFound` (provider, integration), `IntegrationState`,
/// `OAuthNotConfigured`, `AuthorizationUsed`, `IdempotencyKeyReused`.
pub async fn start(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    start: Start,
    now: DateTime<Utc>,
) -> Result<Started> {
    // As the policy of the integrations' table says; what follows is done in the server's own name.
    if !matches!(caller.role, Role::Admin | Role::Hr | Role::Service | Role::System) {
        return Err(Error::RoleNotAllowed(caller.role));
    }
    let now = micros(now);
    let plan = plan(domain, caller, start).await?;
    let client = oauth_client::current(domain, caller.tenant, plan.provider, &plan.placeholders).await?;
    let redirect_uri = domain.deployments.redirect_uri(plan.provider.id, &domain.public_url);
    let registration =
        Registration::new(domain, plan.provider, client, plan.placeholders.clone(), redirect_uri)?;
    let (state, verifier) = (secret()?, Verifier::random());
    let url = registration.door(domain).authorization_url(&state, &verifier, &plan.scopes);
    let url = url.map_err(Error::internal)?;
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let expire_time = now + LIFETIME;

    let mut tx = domain.store.tenant(caller.tenant).await?;
    let fresh = AuthorizationId::new();
    let claimed = claim(&mut tx, caller, key, fresh).await?;
    let id = if let Claim::Repeat(id) = claimed { AuthorizationId(id) } else { fresh };
    let place = store::authorization::verifier_place(id);
    let sealed = tenant_key.seal(place, verifier.expose().as_bytes()).map_err(Error::internal)?;
    let attempt = Attempt {
        id,
        provider: plan.provider.id.into(),
        integration_id: plan.integration.as_ref().map(|row| row.id),
        subject: caller.subject.clone(),
        state: AuthorizationState::Started,
        reason: None,
        name: plan.name,
        read_only: plan.read_only,
        scopes: plan.scopes,
        placeholders: plan.placeholders.to_json(),
        client_id: registration.client.id.clone(),
        redirect_uri: registration.redirect_uri.clone(),
        return_url: plan.return_url.into(),
        state_hash: vault::hash(state.expose_secret().as_bytes()),
        sealed_verifier: Some(sealed),
        sealed_code: None,
        completion_hash: None,
        made_integration_id: None,
        create_time: now,
        expire_time,
        is_another: plan.is_another,
    };
    match claimed {
        Claim::First => store::authorization::insert(&mut tx, &attempt).await?,
        Claim::Repeat(_) => {
            let before = store::authorization::find_for_update(&mut tx, id).await?;
            if before.state != AuthorizationState::Started {
                return Err(Error::AuthorizationUsed);
            }
            store::authorization::save(&mut tx, &attempt).await?;
        }
    }
    tx.commit().await?;
    Ok(Started { url: url.as_str().into(), expire_time })
}

async fn plan(domain: &Domain, caller: &Caller, start: Start) -> Result<Plan> {
    let provider = catalog::find(&start.provider).ok_or(Error::NotFound(Noun::Provider))?;
    let row = provider.oauth().ok_or(Error::NotFound(Noun::Provider))?;
    // Elsewhere an account is one integration, or what it tells would be told to two.
    if start.another && (provider.adapter != Adapter::Asana || start.integration_id.is_some()) {
        return Err(Error::invalid(
            "another",
            "is for a new integration with a provider that has workspaces",
        ));
    }
    let mut tx = domain.store.caller(caller).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    let integration = match start.integration_id {
        Some(id) => Some(store::integration::find_for_update(&mut tx, id).await?),
        None => None,
    };
    tx.commit().await?;
    let return_url = start
        .return_url
        .parse::<Url>()
        .ok()
        .filter(|url| domain.deployments.admits_return(url, &tenant.return_urls))
        .ok_or_else(|| {
            Error::invalid("return_url", "must be one that the installation or the tenant's settings allow")
        })?;
    let placeholders = match &integration {
        Some(row) if row.provider != provider.id => {
            return Err(Error::invalid("integration_id", "must be of this provider"));
        }
        Some(row) if row.state == IntegrationState::Disconnecting => {
            return Err(Error::IntegrationState(row.state));
        }
        // Another instance would be another integration.
        Some(_) if !start.placeholders.is_empty() => {
            return Err(Error::invalid(
                "placeholders",
                "stay as they are; connect another instance on its own",
            ));
        }
        Some(known) => Placeholders::from_json(row, &known.placeholders),
        None => Placeholders::check(row, &start.placeholders),
    };
    let placeholders = placeholders
        .map_err(|error| Error::invalid(format!("placeholders.{}", error.name), error.problem))?;
    let (name, read_only) = match &integration {
        Some(row) => (row.name.clone(), row.read_only),
        None => (access::name("name", &start.name)?, start.read_only),
    };
    let scopes = scopes(row, start.scopes)?;
    let is_another = start.another;
    Ok(Plan { provider, integration, name, read_only, placeholders, scopes, return_url, is_another })
}

/// The scopes as they are asked for, each once.
fn scopes(row: &OAuth, wanted: Vec<String>) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(row.default_scopes.iter().map(ToString::to_string).collect());
    }
    let fits = |scope: &String| {
        (1..=LONGEST_SCOPE).contains(&scope.len())
            && scope.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b))
            && !scope.contains(row.scope_separator)
    };
    if wanted.len() > SCOPES_AT_MOST || !wanted.iter().all(fits) {
        return Err(Error::invalid("scopes", "must be at most 100 scopes of the provider's, one each"));
    }
    let mut once: Vec<String> = Vec::new();
    for scope in wanted {
        if !once.contains(&scope) {
            once.push(scope);
        }
    }
    Ok(once)
}

/// 32 random bytes as text.
fn secret() -> Result<SecretString> {
    let bytes = vault::random::<32>().map_err(Error::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}
