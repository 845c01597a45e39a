//! Connecting by OAuth 2.0, and what becomes of the credential.

use chrono::Utc;
use secrecy::ExposeSecret;
use tonic::Request;

use super::{Domain, Result, checked, convert, id, key, paging, proto, wire::timestamp};
use crate::{
    domain::{
        authorization::{self, Start},
        credential,
        oauth_client::{self, Shown},
    },
    grpc::optional_id,
    store::credential_history::CredentialChange,
    words::CredentialEvent,
};

pub(super) async fn start(
    domain: &Domain,
    request: Request<proto::StartAuthorizationRequest>,
) -> Result<proto::StartAuthorizationResponse> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &sorted(&request));
    let start = Start {
        provider: request.provider,
        name: request.name,
        integration_id: optional_id("integration_id", &request.integration_id)?,
        return_url: request.return_url,
        scopes: request.scopes,
        placeholders: request.placeholders.into_iter().collect(),
        read_only: request.read_only,
        another: request.another,
    };
    let started = authorization::start(domain, &caller, &key, start, Utc::now()).await?;
    Ok(proto::StartAuthorizationResponse {
        authorization_url: started.url.expose_secret().into(),
        expire_time: Some(timestamp(started.expire_time)),
    })
}

/// A map has no order of its own, and a request must be the same each time that it is encoded.
fn sorted(request: &proto::StartAuthorizationRequest) -> proto::StartAuthorizationRequest {
    let mut pairs: Vec<_> = request.placeholders.iter().collect();
    pairs.sort();
    let mut plain = request.clone();
    plain.scopes.extend(pairs.into_iter().map(|(name, value)| format!("{name}={value}")));
    plain.placeholders.clear();
    plain
}

pub(super) async fn complete(
    domain: &Domain,
    request: Request<proto::CompleteAuthorizationRequest>,
) -> Result<proto::CompleteAuthorizationResponse> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &request);
    let code = request.completion_code.into();
    let made = authorization::complete(domain, &caller, &key, &code, Utc::now()).await?;
    Ok(proto::CompleteAuthorizationResponse { integration: Some(convert::integration(domain, made)) })
}

pub(super) async fn refresh(
    domain: &Domain,
    request: Request<proto::RefreshCredentialRequest>,
) -> Result<proto::RefreshCredentialResponse> {
    let (caller, request) = checked(request)?;
    let of = id("integration_id", &request.integration_id)?;
    let found = credential::refresh_now(domain, &caller, of).await?;
    Ok(proto::RefreshCredentialResponse { integration: Some(convert::integration(domain, found)) })
}

pub(super) async fn changes(
    domain: &Domain,
    request: Request<proto::ListCredentialChangesRequest>,
) -> Result<proto::ListCredentialChangesResponse> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let of = id("integration_id", &request.integration_id)?;
    let paged = credential::history(domain, &caller, of, &page).await?;
    Ok(proto::ListCredentialChangesResponse {
        next_page_token: tokens.next(paged.next)?,
        changes: paged.rows.into_iter().map(Into::into).collect(),
    })
}

pub(super) async fn put_client(
    domain: &Domain,
    request: Request<proto::PutOAuthClientRequest>,
) -> Result<proto::PutOAuthClientResponse> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &request);
    let secret = request.client_secret.into();
    let (provider, client) = (&request.provider, &request.client_identifier);
    let kept = oauth_client::put(domain, &caller, &key, provider, client, &secret, Utc::now()).await?;
    Ok(proto::PutOAuthClientResponse { client: Some(kept.into()) })
}

impl From<Shown> for proto::OAuthClient {
    fn from(shown: Shown) -> Self {
        Self {
            provider: shown.provider.into(),
            client_identifier: shown.client_id,
            redirect_uri: shown.redirect_uri,
            update_time: shown.update_time.map(timestamp),
        }
    }
}

impl From<CredentialChange> for proto::CredentialChange {
    fn from(row: CredentialChange) -> Self {
        let event = match row.event {
            CredentialEvent::Given => proto::CredentialEvent::Given,
            CredentialEvent::Replaced => proto::CredentialEvent::Replaced,
            CredentialEvent::Refreshed => proto::CredentialEvent::Refreshed,
            CredentialEvent::Refused => proto::CredentialEvent::Refused,
            CredentialEvent::Revoked => proto::CredentialEvent::Revoked,
            CredentialEvent::Destroyed => proto::CredentialEvent::Destroyed,
        };
        Self {
            event: event.into(),
            version: row.version,
            cause: row.cause,
            reason: row.reason.unwrap_or_default(),
            create_time: Some(timestamp(row.create_time)),
        }
    }
}
