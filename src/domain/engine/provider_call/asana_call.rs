//! Asking Asana: as many calls at once as it bears, and once more where its token was not taken.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    AsanaFailure, CHANGED, Urgency, Way, count, failure, find, may_go, note_in, reserve, way, written,
};
use crate::{
    domain::{
        Domain,
        credential::{self, Bearer},
    },
    error::Result,
    ids::{IntegrationId, TenantId},
    provider::{
        asana::{self, CallError, READS_AT_ONCE, WRITES_AT_ONCE},
        call::Effect,
    },
    store::{self, TenantTx, call_slot::CallSlot, integration_flow::Permit},
    words::Plan,
};

/// Longer than any call takes: a slot whose holder was killed is free again after this.
const SLOT_LEASE: Duration = Duration::from_secs(90);
/// How long a call waits here for another to end, before its work is put off.
const SLOT_PATIENCE: Duration = Duration::from_secs(2);
const SLOT_POLL: Duration = Duration::from_millis(50);
/// How long a place is held: as long as Asana's limits ask for, which are per minute.
const HELD_FOR: Duration = Duration::from_secs(60);

/// A place in the midst of work that would begin anew if it was put off, and with a small budget never come
/// to its end: the budget is waited for here. A place holds a worker, so whatever goes on where it was is put
/// off instead.
pub struct HeldPlace {
    until: Instant,
}

impl Default for HeldPlace {
    fn default() -> Self {
        Self::lasting(HELD_FOR)
    }
}

impl HeldPlace {
    pub fn lasting(duration: Duration) -> Self {
        Self { until: Instant::now() + duration }
    }

    /// Waits as long as the failure tells. Errors: the failure, where that is too long or tells nothing.
    pub async fn wait(&self, failure: AsanaFailure) -> Result<(), AsanaFailure> {
        match failure {
            AsanaFailure::NotNow { after, .. } if Instant::now() + after <= self.until => {
                sleep(after).await;
                Ok(())
            }
            failure => Err(failure),
        }
    }
}

/// Asks Asana for something. A token that it does not take is replaced once and the question repeated, so
/// `call` may be called twice. The answer is looked at for what it says about the provider, as with Cal.com.
pub async fn asana<T, F: Future<Output = Result<T, CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    call: impl Fn(Arc<Way>) -> F,
) -> Result<T, AsanaFailure> {
    Asking { domain, tenant, integration, urgency, effect: Effect::Read }.ask(call).await
}

/// Has Asana change something; of those fewer may be under way at once. Otherwise like [`asana()`]: a token
/// that it does not take changed nothing, so the write is repeated.
pub async fn asana_write<T, F: Future<Output = Result<T, CallError>>>(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    call: impl Fn(Arc<Way>) -> F,
) -> Result<T, AsanaFailure> {
    Asking { domain, tenant, integration, urgency, effect: Effect::Write }.ask(call).await
}

struct Asking<'a> {
    domain: &'a Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    effect: Effect,
}

impl Asking<'_> {
    async fn ask<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        call: impl Fn(Arc<Way>) -> F,
    ) -> Result<T, AsanaFailure> {
        let (domain, tenant, integration) = (self.domain, self.tenant, self.integration);
        let first = credential::bearer(domain, tenant, integration).await?;
        let used = first.used();
        let (result, is_out) = self.once(first, &call).await?;
        if !matches!(result, Err(CallError::Credential)) {
            return result.map_err(|error| failure(error, is_out));
        }
        let second = credential::refused(domain, tenant, integration, used).await?;
        let used = second.used();
        let (result, is_out) = self.once(second, &call).await?;
        if matches!(result, Err(CallError::Credential)) {
            credential::blocked(domain, tenant, integration, used).await?;
        }
        result.map_err(|error| failure(error, is_out))
    }

    /// Also says whether the provider counts as out now.
    async fn once<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        bearer: Bearer,
        call: &impl Fn(Arc<Way>) -> F,
    ) -> Result<(Result<T, CallError>, bool), AsanaFailure> {
        let (way, slot) = self.permit(bearer).await?;
        let result = call(Arc::new(way)).await;
        count(&result);
        let is_out = written(self.note(slot, result.as_ref().err()).await);
        Ok((result, is_out))
    }

    async fn permit(&self, bearer: Bearer) -> Result<(Way, CallSlot), AsanaFailure> {
        let until = Instant::now() + SLOT_PATIENCE;
        loop {
            let mut tx = self.domain.store.tenant(self.tenant).await?;
            let row = find(&mut tx, self.integration).await?;
            // The budget's row is locked first, so that slots are given out one after another.
            let reserve = reserve(self.urgency);
            let Some(permit) = store::integration_flow::take(&mut tx, self.integration, reserve).await?
            else {
                self.budget(&mut tx).await?;
                tx.commit().await?;
                continue;
            };
            if permit != Permit::Go {
                tx.commit().await?;
                may_go(permit)?;
                continue;
            }
            let (is_write, at_once) = match self.effect {
                Effect::Read => (false, READS_AT_ONCE),
                Effect::Write => (true, WRITES_AT_ONCE),
            };
            if let Some(slot) =
                store::call_slot::take(&mut tx, self.integration, is_write, at_once, SLOT_LEASE).await?
            {
                tx.commit().await?;
                return Ok((way(self.domain, &row, bearer)?, slot));
            }
            // Undoes the taking from the budget, too.
            drop(tx);
            if Instant::now() >= until {
                return Err(AsanaFailure::NotNow { after: CHANGED, reason: "CALLS_UNDER_WAY" });
            }
            sleep(SLOT_POLL).await;
        }
    }

    /// A budget for an integration that has none yet: its plan's. As with every provider a half may be used
    /// at once and the other half comes back over a minute, so that no minute sees more than the whole.
    async fn budget(&self, tx: &mut TenantTx) -> Result<()> {
        let settings = store::planning::settings::find(tx, self.integration).await?;
        let plan = settings.map_or(Plan::Free, |settings| settings.plan);
        let half = f64::from(asana::requests_per_minute(plan)) / 2.0;
        store::integration_flow::insert(tx, self.integration, half, half / 60.0).await
    }

    async fn note(&self, slot: CallSlot, error: Option<&CallError>) -> Result<bool> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if matches!(error, Some(CallError::Throttled { .. })) {
            store::integration_flow::slow_down(&mut tx, self.integration).await?;
        }
        let is_out = note_in(&mut tx, self.integration, error).await?;
        store::call_slot::give_back(&mut tx, slot).await?;
        tx.commit().await?;
        Ok(is_out)
    }
}
