//! Sending a recorded write, and what its answer says. No transaction is open meanwhile.

use std::{collections::VecDeque, sync::Arc};

use super::{
    attempt::{Attempt, Split, Write, left_out, settle_intent},
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
        planning::{
            intent::PhaseIntent,
            phase::{Phase, PhaseFields},
        },
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
            Ok(task) => match retry_deadlocks(|| self.settle(&write, &task)).await? {
                Some(outcome) => Ok(outcome),
                None => self.send_next(write).await,
            },
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

    /// The answer is the whole task: what it has not, it did not take. None: another part is to be written.
    async fn settle(&self, write: &Write, task: &Task) -> Result<Option<Outcome>> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(mut phase) = self.lock(&mut tx).await? else { return Ok(Some(Outcome::Done)) };
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
        if write.has_more() {
            store::planning::phase::save(&mut tx, &phase).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let outcome = match self.remaining(&phase, &write.left_out()) {
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
                let refusal = write.split.as_ref().map(|split| &split.refusal);
                let reason = refusal.filter(|refusal| is_closed(refusal));
                let reason = reason.map_or_else(|| left_out(task), Refusal::reason);
                self.stand(&mut tx, &mut phase, ProviderSync::Review, Some(reason)).await?;
                Outcome::Dead { reason: reason.into() }
            }
        };
        tx.commit().await?;
        Ok(Some(outcome))
    }

    /// Whether somebody who asked after it was sent has seen it done: that says more than its answer, and a
    /// task that was moved has no younger version.
    async fn is_overtaken(&self, tx: &mut TenantTx, phase: &Phase, write: &Write) -> Result<bool> {
        let read = store::planning::bulk::read_time(tx, phase.id).await?;
        let is_seen = write.intent.is_in(&PhaseFields::from(phase.base.clone()));
        Ok(is_seen && read.is_some_and(|read| write.asked < read))
    }

    fn remaining(&self, phase: &Phase, left_out: &[PhaseField]) -> Remaining {
        let base = PhaseFields::from(phase.base.clone());
        let differ = |field: &&PhaseField| phase.fields.get(**field) != base.get(**field);
        let mut differing = PhaseField::ALL.iter().filter(differ).peekable();
        if differing.peek().is_none() {
            return Remaining::Nothing;
        }
        // Whoever edited on meanwhile has a message of their own.
        let is_left_out = |field: &PhaseField| {
            let since = phase.changed.get(*field);
            left_out.contains(field) && since.is_none_or(|time| time <= self.now)
        };
        if differing.all(is_left_out) { Remaining::LeftOut } else { Remaining::Younger }
    }

    async fn refused(&self, mut write: Write, refusal: Refusal) -> Result<Outcome> {
        let is_about_fields =
            matches!(refusal, Refusal::FieldNotOnTask | Refusal::Invalid) || is_closed(&refusal);
        if is_about_fields && write.order.parts().len() > 1 {
            return self.send_parts(write, refusal).await;
        }
        self.mark(&write, IntentState::Refused, refusal.reason()).await?;
        // If the dates are not taken either, no field will be.
        let is_field = is_about_fields && write.order.change.dates.is_none();
        if let Some(split) = write.split.as_mut().filter(|split| is_field && !split.later.is_empty()) {
            split.is_found = true;
            write.order.left_out.append(&mut write.order.writes);
            return self.send_next(write).await;
        }
        match refusal {
            Refusal::NotFound => self.vanished(refusal.reason()).await,
            refusal => self.leave(refusal.reason()).await,
        }
    }

    /// One field that the task does not have, or that is locked, has cost the others: each is written by itself.
    async fn send_parts(&self, write: Write, refusal: Refusal) -> Result<Outcome> {
        match retry_deadlocks(|| self.split(&write, refusal.reason())).await? {
            Some(later) => {
                let split = Some(Split { refusal, later, is_found: false });
                self.send_next(Write { split, ..write }).await
            }
            None => Ok(Outcome::Done),
        }
    }

    async fn split(
        &self,
        write: &Write,
        reason: &'static str,
    ) -> Result<Option<VecDeque<(Order, PhaseIntent)>>> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(phase) = self.lock(&mut tx).await? else { return Ok(None) };
        settle_intent(&mut tx, write.intent.clone(), IntentState::Refused, Some(reason)).await?;
        tx.commit().await?;
        // What was to be written, not what stands here by now: that has a message of its own.
        let meant = Phase { fields: with_written(&phase, write), ..phase };
        let parts = write.order.parts().into_iter().map(|part| {
            let intent = self.intent(&meant, &part);
            (part, intent)
        });
        Ok(Some(parts.collect()))
    }

    /// Sends the next part, leaving out what this one does.
    async fn send_next(&self, mut write: Write) -> Result<Outcome> {
        let next = write.split.as_mut().and_then(|split| split.later.pop_front());
        let Some((order, intent)) = next else { return Ok(Outcome::Done) };
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if self.lock(&mut tx).await?.is_none() {
            return Ok(Outcome::Done);
        }
        let intent = PhaseIntent { send_time: chrono::Utc::now(), ..intent };
        store::planning::intent::insert(&mut tx, &intent).await?;
        tx.commit().await?;
        let order = Order { left_out: write.order.left_out, ..order };
        Box::pin(self.send(Write { intent, order, ..write })).await
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

impl Write {
    /// Whether another part is to be written. Where all but the last one were taken, the whole was refused
    /// because of that one.
    fn has_more(&self) -> bool {
        self.split.as_ref().is_some_and(|split| split.later.len() > usize::from(!split.is_found))
    }

    fn left_out(&self) -> Vec<PhaseField> {
        let later = self.split.iter().flat_map(|split| &split.later).flat_map(|(order, _)| &order.writes);
        self.order.left_out.iter().chain(later).copied().collect()
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
