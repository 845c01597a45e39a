//! Asking Asana about its webhooks.

use std::{sync::Arc, time::Duration};

use chrono::Utc;

use crate::{
    domain::{
        Domain,
        engine::{
            provider_call::{self, AsanaFailure, CallFailure, HeldPlace, Urgency, Way},
            record::{Ground, Stop},
        },
        webhook,
    },
    ids::{IntegrationId, TenantId, WebhookEndpointId},
    provider::asana::{CallError, Offset, PROVIDER, Page, Refusal, Subscription as Listed, collect},
    store::{self, subscription::Subscription},
    vault,
};

/// Pages of the list of webhooks; an app may have 10 000 for a user.
const PAGES: usize = 100;

/// Deletes at the provider what is registered for a subscription. What is gone already needs nothing.
pub(in crate::domain::engine::subscription) async fn take_back(
    domain: &Domain,
    tenant: TenantId,
    subscription: &Subscription,
) -> Result<(), AsanaFailure> {
    // What was taken back is not asked for again: there is no place to be held.
    let held = HeldPlace::lasting(Duration::ZERO);
    match &subscription.external_id {
        Some(gid) => delete(domain, tenant, subscription.integration_id, gid, &held).await,
        // Whether it was made nobody knows; its address tells.
        None => {
            let id = subscription.integration_id;
            let mut tx = domain.store.tenant(tenant).await?;
            let settings = store::planning::settings::find(&mut tx, id).await?;
            let endpoint = store::webhook_endpoint::find(&mut tx, subscription.webhook_endpoint_id).await?;
            tx.commit().await?;
            let Some(workspace) = settings.and_then(|row| row.workspace_id) else { return Ok(()) };
            let key = domain.tenant_key(tenant).await?;
            let target = webhook::address(domain, &key, &endpoint)?;
            let listed = list(domain, tenant, id, &workspace).await?;
            for one in listed.iter().filter(|one| one.target.as_deref() == Some(target.as_str())) {
                delete(domain, tenant, id, &one.gid, &held).await?;
            }
            Ok(())
        }
    }
}

/// For those who end an integration, whichever provider's it is.
pub(in crate::domain::engine::subscription) fn as_any_providers(failure: AsanaFailure) -> CallFailure {
    match failure {
        AsanaFailure::NotNow { after, reason } => CallFailure::NotNow { after, reason },
        AsanaFailure::Credential => CallFailure::Credential,
        AsanaFailure::Consent => CallFailure::Consent,
        failure @ AsanaFailure::Call(_) => CallFailure::Own(failure.into()),
        AsanaFailure::Own(error) => CallFailure::Own(error),
    }
}

/// Ours at the provider, with the endpoint that each is at, if it is one of this integration's.
pub(super) async fn list_ours(
    ground: &Ground<'_>,
    workspace: &str,
) -> Result<Vec<(Listed, Option<WebhookEndpointId>)>, Stop> {
    let prefix = webhook::address_of_provider(ground.domain, PROVIDER);
    let mut ours = Vec::new();
    let listed = list(ground.domain, ground.tenant, ground.id(), workspace).await?;
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    for one in listed {
        let Some(token) = one.target.as_deref().and_then(|target| target.strip_prefix(&prefix)) else {
            continue;
        };
        let hash = vault::hash(token.as_bytes());
        match store::webhook_endpoint::find_by_token(&mut tx, &hash).await? {
            // The same account, linked for another purpose.
            Some(endpoint) if endpoint.integration_id != ground.id() => {}
            Some(endpoint) => {
                let known = store::webhook_endpoint::secrets(&mut tx, &[endpoint.id], Utc::now()).await?;
                let is_usable = endpoint.disable_time.is_none() && !known.is_empty();
                ours.push((one, Some(endpoint.id).filter(|_| is_usable)));
            }
            None => ours.push((one, None)),
        }
    }
    tx.end_reading();
    Ok(ours)
}

async fn list(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    workspace: &str,
) -> Result<Vec<Listed>, AsanaFailure> {
    Ok(collect(PAGES, |from| page(domain, tenant, id, workspace, from)).await?.items)
}

/// One page. A list has no place that could be kept, so that all but its first page are waited for.
async fn page(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    workspace: &str,
    from: Option<Offset>,
) -> Result<Page<Listed>, AsanaFailure> {
    let (held, at) = (HeldPlace::default(), from.as_ref());
    loop {
        let page = provider_call::asana(domain, tenant, id, Urgency::Background, move |way| async move {
            way.asana().webhooks(workspace, None, at).await
        });
        match page.await {
            Err(failure) if at.is_some() => held.wait(failure).await?,
            page => return page,
        }
    }
}

pub(super) async fn delete(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    gid: &str,
    held: &HeldPlace,
) -> Result<(), AsanaFailure> {
    let call = move |way: Arc<Way>| async move { way.asana().delete_webhook(gid).await };
    match write(domain, tenant, id, held, call).await {
        // Also what this user may no longer see.
        Err(AsanaFailure::Call(CallError::Refused(Refusal::NotFound | Refusal::NotAllowed))) => Ok(()),
        other => other,
    }
}

/// The place is held because the list, which comes first, would have to be read again.
pub(super) async fn write<T, F: Future<Output = Result<T, CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    id: IntegrationId,
    held: &HeldPlace,
    call: impl Fn(Arc<Way>) -> F,
) -> Result<T, AsanaFailure> {
    loop {
        match provider_call::asana_write(domain, tenant, id, Urgency::Background, &call).await {
            Err(failure) => held.wait(failure).await?,
            done => return done,
        }
    }
}
