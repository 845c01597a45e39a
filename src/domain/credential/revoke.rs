//! The end of a grant: the provider is told while the token still works.

use chrono::Utc;

use super::{
    BearerError, CredentialEvent, CredentialKind, Domain, Grant, IntegrationId, SYSTEM, TenantId, bearer,
    find, note, registration,
};
use crate::{
    domain::integration::micros,
    provider::{
        catalog::oauth::RevokedToken,
        oauth::{Revocation, TokenError},
    },
};

/// What is left of an integration's grant at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Remains {
    Nothing,
    /// The provider offers no end, or refused: the person finds it in the account's settings there.
    Grant,
}

/// Tells the provider that an integration's grant is over. Errors: what is worth another attempt.
pub(in crate::domain) async fn revoke(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
) -> Result<Remains, BearerError> {
    let Some(row) = find(domain, tenant, integration).await? else { return Ok(Remains::Nothing) };
    if row.kind != CredentialKind::OAuth2 {
        return Ok(Remains::Nothing);
    }
    let mut grant = Grant::open(domain, tenant, &row).await?;
    let Some(registration) = registration(domain, tenant, integration, &grant).await? else {
        return Ok(Remains::Grant);
    };
    let Some(way) = &registration.row.revoke else { return Ok(Remains::Grant) };
    // Where the access token itself is shown, it must be one that works.
    if way.token == RevokedToken::Access {
        match bearer(domain, tenant, integration).await {
            Ok(fresh) => grant.access = fresh.secret,
            Err(BearerError::Missing) => return Ok(Remains::Grant),
            Err(error) => return Err(error),
        }
    }
    match registration.door(domain).revoke(&grant.access, grant.refresh.as_ref()).await {
        Ok(Revocation::Done) => {
            let mut tx = domain.store.tenant(tenant).await?;
            let now = micros(Utc::now());
            note(&mut tx, integration, CredentialEvent::Revoked, row.version, SYSTEM, None, now).await?;
            tx.commit().await?;
            Ok(Remains::Nothing)
        }
        Err(TokenError::Unavailable(after)) => {
            Err(BearerError::NotNow { after, reason: "PROVIDER_UNAVAILABLE" })
        }
        Ok(Revocation::Left) | Err(_) => Ok(Remains::Grant),
    }
}
