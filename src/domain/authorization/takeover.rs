//! Another account in the place of one that left.

use url::Url;

use super::{Attempt, Domain, Error, Result, store};
use crate::{
    domain::engine::provider_call,
    ids::TenantId,
    provider::{
        asana::{self, Asana, collect},
        catalog::{self, Adapter},
        oauth::{Account, Tokens},
    },
    store::integration::Integration,
};

/// Of a list of workspaces: a thousand of them.
const PAGES: usize = 10;

/// Whether the integration that was meant may go on with this account though another one granted access
/// before. Asana's ids are the same for everybody who sees a thing, so whoever is in the workspace that was
/// chosen goes on where the other one ended; elsewhere what is known is known by the account's own ids.
///
/// Errors: `NotFound`, `AuthorizationRefused` (the provider does not say).
pub(super) async fn is_allowed(
    domain: &Domain,
    tenant: TenantId,
    attempt: &Attempt,
    tokens: &Tokens,
    account: &Account,
) -> Result<bool> {
    let Some(id) = attempt.integration_id else { return Ok(false) };
    if catalog::adapter(&attempt.provider) != Adapter::Asana {
        return Ok(false);
    }
    let mut tx = domain.store.tenant(tenant).await?;
    let known = store::integration::find(&mut tx, id).await?;
    let settings = store::planning::settings::find(&mut tx, id).await?;
    tx.end_reading();
    let Some(workspace) = settings.and_then(|settings| settings.workspace_id) else { return Ok(false) };
    if known.account_id.as_ref() == Some(&account.id) {
        return Ok(false);
    }
    let granted = Integration { granted_account_id: Some(account.id.clone()), ..known };
    let Some(address) = provider_call::address(domain, &granted) else { return Ok(false) };
    let base: Url = address.parse().map_err(Error::internal)?;
    let door = &Asana::new(&domain.egress, &base, &tokens.access);
    let seen = collect(PAGES, |from| async move { door.workspaces(from.as_ref()).await });
    let seen = seen.await.map_err(|error| {
        let (provider, reason) = (asana::PROVIDER, error.reason());
        Error::AuthorizationRefused { provider, reason }
    })?;
    Ok(seen.items.iter().any(|one| one.gid == workspace))
}
