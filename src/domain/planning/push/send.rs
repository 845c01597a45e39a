//! Sending a recorded write, and what its answer says. No transaction is open meanwhile.

use std::sync::Arc;

use super::{
    attempt::{Attempt, Write, left_out, settle_intent},
    observe::Observed,
    order::Order,
};
use crate::{
    domain::{
        consent,
        engine::provider_call::{self, AsanaFailure, Urgency, Way},
        planning::reading::Lens,
    },
    error::Result,
    provider::{
        asana::{CallError, Refusal, Task},
        call::Class,
    },
    store::{
        self, TenantTx,
        outbox::Outcome,
        planning::phase::{Phase, PhaseFields},
        retry_deadlocks,
    },
    words::{ConsentScope, IntentState, PhaseField, ProviderSync},
};

impl Attempt<'_> {
    pub(super) async fn send(&self, write: Write) -> Result<Outcome> {
        let (gid, change) = (write.target.task.as_str(), &write.order.change);
        let (domain, tenant, integration) = (self.domain, self.tenant, write.target.integration);
        let put = |way: Arc<Way>| async move { way.asana().update_task(gid, change).await };
        let urgency = Urgency::Background;
        let answer = provider_call::asana_write(domain, tenant, integration, urgency, put).await;
        match answer {
            Ok(task) => retry_deadlocks(|| self.settle(&write, &task)).await,
            Err(AsanaFailure::Call(CallError::Refused(refusal))) => self.refused(write, refusal).await,
            Err(AsanaFailure::Call(error)) if error.class() == Class::Unknown => {
                self.mark(&write, IntentState::Unknown, error.reason()).await?;
                self.failed(error.reason()).await
            }
            // The record stays as it is: the next attempt reads the task and finds out.
            Err(AsanaFailure::Own(error)) => Err(error),
            Err(failure) => {
                self.mark(&write, IntentState::Recorded, reason(&failure)).await?;
                self.unanswered(failure).await
            }
        }
    }

    /// The answer is the whole task: what it has not, it did not take.
    async fn settle(&self, write: &Write, task: &Task) -> Result<Outcome> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(mut phase) = self.lock(&mut tx).await? else { return Ok(Outcome::Done) };
        let known = phase.base.clone();
        if !self.is_overtaken(&mut tx, &phase, write).await? {
            phase.base = with_written(&phase, write).into();
            // What the answer tells besides is nobody's to keep once the consent is gone.
            if consent::covers(&mut tx, write.target.integration, ConsentScope::Planning).await? {
                let lens = Lens::of(&mut tx, write.target.integration, task).await?;
                let answer = (task, write.asked);
                if self.observe(&mut tx, &lens, &mut phase, answer).await? == Observed::Stale {
                    // Somebody has read it since, and more is known than this answer tells.
                    phase.base = known;
                }
            }
        }
        settle_intent(&mut tx, write.intent.clone(), IntentState::Done, None).await?;
        let outcome = match self.remaining(&phase, &write.order) {
            Remaining::Nothing => {
                // Reading it may have said so already; the history has not heard of it.
                phase.sync.provider_sync = ProviderSync::Pending;
                self.stand(&mut tx, &mut phase, ProviderSync::Synced, None).await?;
                Outcome::Done
            }
            Remaining::Younger => {
                store::planning::phase::save(&mut tx, &phase).await?;
                Outcome::Done
            }
            Remaining::LeftOut => {
                let reason = write.refused.as_ref().filter(|refusal| is_closed(refusal));
                let reason = reason.map_or_else(|| left_out(task), Refusal::reason);
                self.stand(&mut tx, &mut phase, ProviderSync::Review, Some(reason)).await?;
                Outcome::Dead { reason: reason.into() }
            }
        };
        tx.commit().await?;
        Ok(outcome)
    }

    /// Whether somebody who asked after it was sent has seen it done: that says more than its answer, and a
    /// task that was moved has no younger version.
    async fn is_overtaken(&self, tx: &mut TenantTx, phase: &Phase, write: &Write) -> Result<bool> {
        let read = store::planning::bulk::read_time(tx, phase.id).await?;
        let is_seen = write.intent.is_in(&PhaseFields::from(phase.base.clone()));
        Ok(is_seen && read.is_some_and(|read| write.asked < read))
    }

    fn remaining(&self, phase: &Phase, order: &Order) -> Remaining {
        let base = PhaseFields::from(phase.base.clone());
        let differ = |field: &&PhaseField| phase.fields.get(**field) != base.get(**field);
        let mut differing = PhaseField::ALL.iter().filter(differ).peekable();
        if differing.peek().is_none() {
            return Remaining::Nothing;
        }
        // Whoever edited on meanwhile has a message of their own.
        let is_left_out = |field: &PhaseField| {
            let since = phase.changed.get(*field);
            order.left_out.contains(field) && since.is_none_or(|time| time <= self.now)
        };
        if differing.all(is_left_out) { Remaining::LeftOut } else { Remaining::Younger }
    }

    async fn refused(&self, write: Write, refusal: Refusal) -> Result<Outcome> {
        let is_about_fields =
            matches!(refusal, Refusal::FieldNotOnTask | Refusal::Invalid) || is_closed(&refusal);
        if is_about_fields && write.order.has_dates_and_more() {
            return self.send_dates(write, refusal).await;
        }
        self.mark(&write, IntentState::Refused, refusal.reason()).await?;
        match refusal {
            Refusal::NotFound => self.vanished(refusal.reason()).await,
            refusal => self.leave(refusal.reason()).await,
        }
    }

    /// One field that the task does not have, or that is locked, has cost the dates; they are written without
    /// it.
    async fn send_dates(&self, write: Write, refusal: Refusal) -> Result<Outcome> {
        let order = write.order.dates_only();
        let recorded = retry_deadlocks(|| self.record_instead(&write, &order, refusal.reason())).await?;
        let refused = Some(refusal);
        match recorded {
            Some(intent) => Box::pin(self.send(Write { intent, order, refused, ..write })).await,
            None => Ok(Outcome::Done),
        }
    }

    async fn record_instead(
        &self,
        write: &Write,
        order: &Order,
        reason: &'static str,
    ) -> Result<Option<store::planning::intent::PhaseIntent>> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(phase) = self.lock(&mut tx).await? else { return Ok(None) };
        settle_intent(&mut tx, write.intent.clone(), IntentState::Refused, Some(reason)).await?;
        // What was to be written, not what stands here by now: that has a message of its own.
        let meant = Phase { fields: with_written(&phase, write), ..phase };
        let intent = self.intent(&meant, order);
        store::planning::intent::insert(&mut tx, &intent).await?;
        tx.commit().await?;
        Ok(Some(intent))
    }

    async fn mark(&self, write: &Write, state: IntentState, reason: &str) -> Result<()> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let mut marked = write.intent.clone();
        (marked.state, marked.reason) = (state, Some(reason.into()));
        if !marked.is_open() {
            marked.settle_time = Some(chrono::Utc::now());
        }
        store::planning::intent::save(&mut tx, &marked).await?;
        tx.commit().await
    }
}

/// What is left once the tool has answered.
enum Remaining {
    Nothing,
    /// Somebody changed something since; that is promised already.
    Younger,
    /// What the task cannot hold.
    LeftOut,
}

/// A field may be there and closed to us: locked by somebody, or beyond the plan. Asana says the same of a
/// whole task, which the dates alone then find out.
fn is_closed(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NotAllowed | Refusal::PlanLimit)
}

/// What the tool is known to have had, with what was just written.
fn with_written(phase: &Phase, write: &Write) -> PhaseFields {
    let mut fields = PhaseFields::from(phase.base.clone());
    for field in PhaseField::ALL.iter().copied() {
        if let Some(value) = write.intent.written(field) {
            fields.set(field, value);
        }
    }
    fields
}

fn reason(failure: &AsanaFailure) -> &'static str {
    match failure {
        AsanaFailure::NotNow { reason, .. } => reason,
        AsanaFailure::Credential => "CREDENTIAL_REFUSED",
        AsanaFailure::Consent => crate::domain::consent::MISSING,
        AsanaFailure::Call(error) => error.reason(),
        AsanaFailure::Own(_) => "INTERNAL",
    }
}
