//! One attempt at a phase: read the task, compare, and write what it lacks.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{observe::Observed, order::Order};
use crate::{
    domain::{
        Domain, consent,
        engine::provider_call::{self, AsanaFailure, Urgency},
        planning::{reading::Lens, sync::refresh},
    },
    error::{Error, Noun, Result},
    ids::{IntegrationId, MessageId, PhaseId, PhaseIntentId, TenantId},
    provider::asana::{Refusal, Task},
    store::{
        self, TenantTx,
        outbox::{Claimed, Outcome},
        planning::{
            intent::PhaseIntent,
            phase::{Phase, PhaseFields},
            phase_change::PhaseChange,
        },
        retry_deadlocks,
    },
    words::{
        ConsentScope, IntegrationState, IntentState, Origin, PhaseChangeKind, PhaseField, Presence,
        ProviderSync,
    },
};

/// Between two looks at an integration whose writes are paused, or whose credential is refused.
pub(super) const HALTED: Duration = Duration::from_secs(30);
/// Deleted, or moved to where nothing is read.
const NOT_PRESENT: &str = "PHASE_NOT_PRESENT";

/// One attempt.
pub(super) struct Attempt<'a> {
    pub(super) domain: &'a Domain,
    pub(super) tenant: TenantId,
    pub(super) message: MessageId,
    /// The first one is 1.
    pub(super) attempts: i32,
    pub(super) phase: PhaseId,
    pub(super) now: DateTime<Utc>,
}

/// Where the task is.
pub(super) struct Target {
    pub(super) integration: IntegrationId,
    pub(super) task: String,
}

/// The task as it is at a moment.
struct Read {
    task: Task,
    /// When it was asked for, by the database's clock.
    asked: DateTime<Utc>,
}

/// Whether there is anything to do at the tool.
enum Ground {
    Ready(Target),
    End(Outcome),
    Halt(&'static str),
    Leave(&'static str),
}

/// A write that is recorded and may be sent.
pub(super) struct Write {
    pub(super) target: Target,
    pub(super) intent: PhaseIntent,
    pub(super) order: Order,
    /// When it was sent, by the database's clock.
    pub(super) asked: DateTime<Utc>,
    pub(super) split: Option<Split>,
}

/// That a write is a part of one that the tool refused as a whole.
pub(super) struct Split {
    /// What it said to that.
    pub(super) refusal: Refusal,
    /// The parts that come after this one.
    pub(super) later: VecDeque<(Order, PhaseIntent)>,
    /// Whether one was refused by itself.
    pub(super) is_found: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(domain: &'a Domain, message: &Claimed, phase: PhaseId, now: DateTime<Utc>) -> Self {
        let Claimed { tenant_id: tenant, id: message, attempts, .. } = *message;
        Self { domain, tenant, message, attempts, phase, now }
    }

    pub(super) async fn run(self) -> Result<Outcome> {
        let target = match retry_deadlocks(|| self.ground()).await? {
            Ground::Ready(target) => target,
            Ground::End(outcome) => return Ok(outcome),
            Ground::Halt(reason) => return self.halt(HALTED, reason).await,
            Ground::Leave(reason) => return self.leave(reason).await,
        };
        let asked = self.domain.store.clock().await?;
        let begun = Instant::now();
        let read = match self.read(&target).await {
            Ok(task) => Read { task, asked },
            Err(failure) => return self.unanswered(failure).await,
        };
        let planned = retry_deadlocks(|| self.plan(&target, &read)).await?;
        match planned {
            Planned::Nothing => Ok(Outcome::Done),
            Planned::Halt(reason) => self.halt(HALTED, reason).await,
            Planned::Impossible(reason) => self.leave(reason).await,
            Planned::Write(intent, order) => {
                let asked = asked + begun.elapsed();
                self.send(Write { target, intent: *intent, order, asked, split: None }).await
            }
        }
    }

    /// Nothing is asked of the tool that nobody wants any more, or that it cannot do.
    async fn ground(&self) -> Result<Ground> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(mut phase) = self.lock(&mut tx).await? else { return Ok(Ground::End(Outcome::Done)) };
        let open = store::planning::intent::open_of(&mut tx, phase.id).await?;
        let is_agreed = phase.fields == PhaseFields::from(phase.base.clone());
        if is_agreed && open.is_none() {
            self.stand(&mut tx, &mut phase, ProviderSync::Synced, None).await?;
            tx.commit().await?;
            return Ok(Ground::End(Outcome::Done));
        }
        if matches!(phase.presence, Presence::Detached | Presence::Gone) {
            return Ok(Ground::Leave(NOT_PRESENT));
        }
        let integration = store::integration::find(&mut tx, phase.integration_id).await?;
        let is_let = consent::opens(&mut tx, &integration).await?;
        tx.end_reading();
        Ok(match integration.state {
            IntegrationState::Disconnecting | IntegrationState::Disconnected => Ground::Leave("DISCONNECTED"),
            IntegrationState::NeedsReconnect => Ground::Halt("CREDENTIAL_REFUSED"),
            IntegrationState::Connected if integration.read_only => Ground::Leave("READ_ONLY"),
            IntegrationState::Connected if integration.outbound_paused => Ground::Halt("OUTBOUND_PAUSED"),
            IntegrationState::Connected if !is_let => Ground::Halt(consent::MISSING),
            IntegrationState::Connected => {
                Ground::Ready(Target { integration: integration.id, task: phase.external_id })
            }
        })
    }

    async fn read(&self, target: &Target) -> Result<Task, AsanaFailure> {
        let gid = target.task.as_str();
        let (domain, tenant, integration) = (self.domain, self.tenant, target.integration);
        let ask = provider_call::asana(domain, tenant, integration, Urgency::Background, |way| async move {
            way.asana().task(gid).await
        });
        ask.await
    }

    /// Takes over what changed there, and records what is to be written of what changed here.
    async fn plan(&self, target: &Target, Read { task, asked }: &Read) -> Result<Planned> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(mut phase) = self.lock(&mut tx).await? else { return Ok(Planned::Nothing) };
        // Asked anew: it can be revoked while the task is being read.
        if !consent::covers(&mut tx, target.integration, ConsentScope::Planning).await? {
            tx.end_reading();
            return Ok(Planned::Halt(consent::MISSING));
        }
        let lens = Lens::of(&mut tx, target.integration, task).await?;
        let before = phase.sync.provider_sync;
        // This is the try that a dead letter was requeued for.
        phase.sync.provider_sync = ProviderSync::Pending;
        let is_news =
            store::planning::bulk::read_time(&mut tx, phase.id).await?.is_none_or(|read| read <= *asked);
        if is_news && self.observe(&mut tx, &lens, &mut phase, (task, *asked)).await? == Observed::NoPhase {
            return Ok(Planned::Impossible("NO_PHASE"));
        }
        let theirs = PhaseFields::from(phase.base.clone());
        if let Some(open) = store::planning::intent::open_of(&mut tx, phase.id).await? {
            let state = if open.is_in(&theirs) { IntentState::Done } else { IntentState::Superseded };
            settle_intent(&mut tx, open, state, None).await?;
        }
        if phase.fields == theirs {
            phase.sync.provider_sync = before;
            self.stand(&mut tx, &mut phase, ProviderSync::Synced, None).await?;
            tx.commit().await?;
            return Ok(Planned::Nothing);
        }
        let planned = match Order::of(&lens, task, &theirs, &phase.fields) {
            _ if phase.presence == Presence::Detached => Planned::Impossible(NOT_PRESENT),
            Err(_) => Planned::Impossible("DATES_DO_NOT_FIT"),
            Ok(order) if order.writes.is_empty() => Planned::Impossible(left_out(task)),
            Ok(order) => {
                let intent = self.intent(&phase, &order);
                store::planning::intent::insert(&mut tx, &intent).await?;
                Planned::Write(Box::new(intent), order)
            }
        };
        store::planning::phase::save(&mut tx, &phase).await?;
        tx.commit().await?;
        Ok(planned)
    }

    pub(super) fn intent(&self, phase: &Phase, order: &Order) -> PhaseIntent {
        let writes = |field| order.writes.contains(&field);
        PhaseIntent {
            id: PhaseIntentId::new(),
            integration_id: phase.integration_id,
            phase_id: phase.id,
            writes_dates: writes(PhaseField::DueDate),
            start_date: phase.fields.start_date.filter(|_| writes(PhaseField::StartDate)),
            due_date: phase.fields.due_date.filter(|_| writes(PhaseField::DueDate)),
            writes_hours: writes(PhaseField::PlannedHours),
            planned_hours: phase.fields.planned_hours.filter(|_| writes(PhaseField::PlannedHours)),
            writes_area: writes(PhaseField::Area),
            area: phase.fields.area.filter(|_| writes(PhaseField::Area)),
            state: IntentState::Sent,
            reason: None,
            cause: phase.sync.provider_sync_cause.clone().unwrap_or_else(|| "system".into()),
            create_time: self.now,
            send_time: Utc::now(),
            settle_time: None,
        }
    }

    /// For the history.
    pub(super) fn cause(&self) -> String {
        format!("outbox/{}", self.message)
    }

    /// The phase, locked; none if it was removed.
    pub(super) async fn lock(&self, tx: &mut TenantTx) -> Result<Option<Phase>> {
        match store::planning::phase::find_for_update(tx, self.phase).await {
            Ok(phase) => Ok(Some(phase)),
            Err(Error::NotFound(Noun::Phase)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes down whether the tool has what stands here, in the row and, where that is news, in the history.
    pub(super) async fn stand(
        &self,
        tx: &mut TenantTx,
        phase: &mut Phase,
        standing: ProviderSync,
        reason: Option<&str>,
    ) -> Result<()> {
        let is_news =
            phase.sync.provider_sync != standing || phase.sync.provider_sync_reason.as_deref() != reason;
        phase.sync.provider_sync = standing;
        phase.sync.provider_sync_attempts = self.attempts;
        phase.sync.provider_sync_reason = reason.map(Into::into);
        store::planning::phase::save(tx, phase).await?;
        if matches!(standing, ProviderSync::Synced | ProviderSync::Review) {
            super::settle_dead(tx, phase.id).await?;
        }
        if !is_news {
            return Ok(());
        }
        if reason == Some(Refusal::FieldNotOnTask.reason()) {
            self.look_at_fields(tx, phase).await?;
        }
        let change = PhaseChange::of(phase, PhaseChangeKind::Sync, Origin::System, &self.cause(), self.now);
        store::planning::phase_change::insert(tx, &[change]).await
    }

    /// Perhaps somebody took the field off the project, or deleted it: what the projects have is asked anew.
    async fn look_at_fields(&self, tx: &mut TenantTx, phase: &Phase) -> Result<()> {
        for project in store::planning::project::of_phase(tx, phase.id).await? {
            let (of, gid) = (phase.integration_id, project.external_id.as_str());
            refresh::queue_project(tx, of, gid, &self.cause(), self.now).await?;
        }
        Ok(())
    }
}

/// What is left to do once the task was read.
enum Planned {
    Nothing,
    Impossible(&'static str),
    Halt(&'static str),
    Write(Box<PhaseIntent>, Order),
}

/// Why the task cannot hold what is left.
pub(super) fn left_out(task: &Task) -> &'static str {
    if task.custom_fields.is_none() { "PLAN_LIMIT" } else { Refusal::FieldNotOnTask.reason() }
}

pub(super) async fn settle_intent(
    tx: &mut TenantTx,
    intent: PhaseIntent,
    state: IntentState,
    reason: Option<&str>,
) -> Result<()> {
    let settle_time = Some(Utc::now());
    let settled = PhaseIntent { state, reason: reason.map(Into::into), settle_time, ..intent };
    store::planning::intent::save(tx, &settled).await
}
