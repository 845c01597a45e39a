//! The way back: whoever shows the state of an attempt is sent to its return URL, with a one-time code or with a reason.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use url::Url;

use super::{Attempt, Domain, Error, Result, secret};
use crate::{
    ids::TenantId,
    store::{self, resolve::ResolvedAuthorization},
    vault,
    words::AuthorizationState,
};

/// The longest code that is kept, in bytes; real ones have some hundreds.
const LONGEST_CODE: usize = 8 * 1024;

/// What the browser is told.
#[derive(Debug)]
pub enum Return {
    /// Go there. Holds the completion code, if all went well.
    To(Url),
    /// Nobody knows this way, so nobody knows where it leads: a page that says so.
    Unknown,
}

/// What became of the provider's page.
enum Outcome<'a> {
    Code(&'a str),
    Reason(&'static str),
}

/// Takes what a provider's redirect says. `query` is as the browser brought it: nothing in it is believed before the state is known.
pub async fn callback(
    domain: &Domain,
    provider: &str,
    query: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<Return> {
    let Some(state) = single(query, "state") else { return Ok(Return::Unknown) };
    let hash = vault::hash(state.as_bytes());
    let Some(ResolvedAuthorization { tenant_id, id }) = domain.store.resolve_authorization(&hash).await?
    else {
        return Ok(Return::Unknown);
    };
    let mut tx = domain.store.tenant(tenant_id).await?;
    let attempt = match store::authorization::find_for_update(&mut tx, id).await {
        Ok(attempt) if attempt.state_hash == hash => attempt,
        // Begun anew in this moment.
        Ok(_) | Err(Error::NotFound(_)) => return Ok(Return::Unknown),
        Err(error) => return Err(error),
    };
    let allowed = store::tenant::current(&mut tx).await?.return_urls;
    let return_url: Url = attempt.return_url.parse().map_err(Error::internal)?;
    if !domain.deployments.admits_return(&return_url, &allowed) {
        return Ok(Return::Unknown);
    }
    // Used once, whatever comes of it; what was begun stays as it is.
    if attempt.state != AuthorizationState::Started {
        return Ok(told(&attempt, return_url, "reason", "AUTHORIZATION_USED"));
    }
    let (row, answer) = match outcome(&attempt, provider, query, now) {
        Outcome::Reason(reason) => {
            let failed = Attempt {
                state: AuthorizationState::Failed,
                reason: Some(reason.into()),
                sealed_verifier: None,
                ..attempt.clone()
            };
            (failed, told(&attempt, return_url, "reason", reason))
        }
        Outcome::Code(code) => {
            let completion = secret()?;
            let returned = Attempt {
                state: AuthorizationState::Returned,
                sealed_code: Some(sealed(domain, tenant_id, &attempt, code).await?),
                completion_hash: Some(vault::hash(completion.expose_secret().as_bytes())),
                ..attempt.clone()
            };
            (returned, told(&attempt, return_url, "completion_code", completion.expose_secret()))
        }
    };
    store::authorization::save(&mut tx, &row).await?;
    tx.commit().await?;
    Ok(answer)
}

fn outcome<'a>(
    attempt: &Attempt,
    provider: &str,
    query: &'a [(String, String)],
    now: DateTime<Utc>,
) -> Outcome<'a> {
    if attempt.provider != provider {
        // One provider's page must not hand out codes in another one's name (RFC 9207's mix-up).
        return Outcome::Reason("WRONG_PROVIDER");
    }
    if now >= attempt.expire_time {
        return Outcome::Reason("AUTHORIZATION_EXPIRED");
    }
    let said = query.iter().any(|(name, _)| name == "error");
    match (said, single(query, "error"), single(query, "code")) {
        (false, _, Some(code)) if code.len() <= LONGEST_CODE => Outcome::Code(code),
        // RFC 6749 §4.1.2.1; Asana and Atlassian add names of their own.
        (_, Some("access_denied" | "user_denied" | "consent_required"), _) => {
            Outcome::Reason("AUTHORIZATION_DENIED")
        }
        (_, Some("invalid_scope" | "forbidden_scopes"), _) => Outcome::Reason("SCOPES_REFUSED"),
        (_, Some("unauthorized_client" | "invalid_client"), _) => Outcome::Reason("CLIENT_REFUSED"),
        (_, Some("server_error" | "temporarily_unavailable"), _) => Outcome::Reason("PROVIDER_UNAVAILABLE"),
        _ => Outcome::Reason("PROVIDER_ERROR"),
    }
}

/// A parameter that is there once and holds something.
fn single<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = query.iter().filter(|(key, _)| key == name);
    match (found.next(), found.next()) {
        (Some((_, value)), None) if !value.is_empty() => Some(value),
        _ => None,
    }
}

fn told(attempt: &Attempt, mut url: Url, name: &str, value: &str) -> Return {
    url.query_pairs_mut().append_pair("provider", &attempt.provider).append_pair(name, value);
    Return::To(url)
}

async fn sealed(domain: &Domain, tenant: TenantId, attempt: &Attempt, code: &str) -> Result<Vec<u8>> {
    let key = domain.tenant_key(tenant).await?;
    key.seal(store::authorization::code_place(attempt.id), code.as_bytes()).map_err(Error::internal)
}
