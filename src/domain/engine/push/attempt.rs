//! One attempt at an appointment: one thing after the other until the provider has what stands here, or
//! something is in the way.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use metrics::histogram;

use super::{
    context, lineage,
    order::{self, Order, Planned},
    plan::{self, Step},
    refused::Denial,
    target::{self, Standing},
};
use crate::{
    domain::{Domain, appointment, consent, engine::provider_call::Urgency},
    error::{Error, Noun, Result},
    ids::{AppointmentId, IntegrationId, IntentId, MessageId, TenantId},
    provider::calcom,
    store::{
        self, TenantTx,
        appointment::Appointment,
        intent::Intent,
        outbox::{Claimed, Outcome},
        retry_deadlocks,
    },
    telemetry::metrics as names,
    vault::TenantKey,
    words::{BookingStatus, IntegrationState, IntentKind, IntentState, ProviderSync},
};

/// Things done in one attempt, at most: whoever edits on meanwhile has a message of their own.
const STEPS: usize = 8;
/// Between two looks at an integration whose writes are paused, or whose credential is refused.
pub(super) const HALTED: Duration = Duration::from_secs(30);

/// One attempt.
pub(super) struct Attempt<'a> {
    pub(super) domain: &'a Domain,
    pub(super) tenant: TenantId,
    claimed: Claimed,
    pub(super) message: MessageId,
    /// The first one is 1.
    pub(super) attempts: i32,
    pub(super) appointment: AppointmentId,
    pub(super) urgency: Urgency,
    pub(super) now: DateTime<Utc>,
}

/// What comes next.
pub(super) enum Next {
    End(Outcome),
    /// Nobody knows what came of this write.
    LookUp(Intent),
    /// The write is recorded; it may be sent.
    Send(Intent, Order),
    /// The appointment becomes what its booking there is.
    Follow(IntegrationId),
}

/// What was learned of a write.
pub(super) struct Told {
    pub(super) seen: Vec<lineage::Seen>,
    /// What became of it.
    pub(super) state: IntentState,
    pub(super) result: Option<String>,
    pub(super) reason: Option<&'static str>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        domain: &'a Domain,
        message: &Claimed,
        appointment: AppointmentId,
        urgency: Urgency,
        now: DateTime<Utc>,
    ) -> Self {
        let claimed = *message;
        let Claimed { tenant_id: tenant, id: message, attempts, .. } = claimed;
        Self { domain, tenant, claimed, message, attempts, appointment, urgency, now }
    }

    pub(super) async fn run(self) -> Result<Outcome> {
        let mut next = retry_deadlocks(|| self.begin()).await?;
        for _ in 0..STEPS {
            next = match next {
                Next::End(outcome) => return Ok(outcome),
                Next::LookUp(intent) => self.look_up(intent).await?,
                Next::Send(intent, order) => self.send(intent, order).await?,
                Next::Follow(integration) => retry_deadlocks(|| self.follow(integration)).await?,
            };
        }
        let reason = "CHANGES_TOO_FAST";
        match (next, self.pause()) {
            (Next::End(outcome), _) => Ok(outcome),
            (_, Some(after)) => Ok(Outcome::Retry { after, reason: reason.into() }),
            (_, None) => self.give_up(reason).await.map(|()| Outcome::Done),
        }
    }

    async fn begin(&self) -> Result<Next> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        match self.lock(&mut tx).await? {
            // Whoever asks for another try says so in the row first.
            Some(row) if row.sync.provider_sync != ProviderSync::Review => self.advance(tx, row, true).await,
            Some(_) | None => Ok(Next::End(Outcome::Done)),
        }
    }

    /// The appointment, locked; none if it was deleted: what is to be done then has messages of its own.
    pub(super) async fn lock(&self, tx: &mut TenantTx) -> Result<Option<Appointment>> {
        match appointment::open_with(tx, self.appointment, None, self.now).await {
            Ok(row) => Ok(Some(row)),
            Err(Error::NotFound(Noun::Appointment)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Decides what is left to do and records it; ends the transaction, in which the appointment is locked.
    pub(super) async fn advance(&self, mut tx: TenantTx, row: Appointment, may_follow: bool) -> Result<Next> {
        let open = self.open_write(&mut tx).await?;
        if let Some(intent) = open.as_ref().filter(|intent| intent.state != IntentState::Recorded) {
            tx.commit().await?;
            return Ok(Next::LookUp(intent.clone()));
        }
        let standing = target::standing(&mut tx, &row).await?;
        let step = match plan::next(&row, &standing, Utc::now()) {
            Step::Follow if !may_follow => Step::Nothing,
            step => step,
        };
        let planned = match step {
            Step::Nothing => {
                supersede(&mut tx, open).await?;
                self.settle_row(&mut tx, row, &standing).await?;
                tx.commit().await?;
                return Ok(Next::End(Outcome::Done));
            }
            Step::Follow => {
                let integration = head_of(&standing)?;
                tx.commit().await?;
                return Ok(Next::Follow(integration));
            }
            Step::Unfit(code) => Err(code),
            Step::Create(_) | Step::Reschedule(_) | Step::Cancel(_) => {
                order::plan(&mut tx, &row, &step).await?
            }
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(code) => {
                supersede(&mut tx, open).await?;
                self.review(&mut tx, row, code, None).await?;
                tx.commit().await?;
                return Ok(Next::End(Outcome::Done));
            }
        };
        self.record(tx, row, open, planned, matches!(step, Step::Cancel(_))).await
    }

    /// The write that is open. What came of one nobody will ever know whose integration was disconnected
    /// meanwhile: it is let go, or what is wanted now would wait for it for ever.
    async fn open_write(&self, tx: &mut TenantTx) -> Result<Option<Intent>> {
        let open = store::intent::open_for_update(tx, self.appointment).await?;
        let Some(intent) = open.as_ref().filter(|intent| intent.state != IntentState::Recorded) else {
            return Ok(open);
        };
        let integration = store::integration::find(tx, intent.integration_id).await?;
        if integration.state != IntegrationState::Disconnected {
            return Ok(open);
        }
        let lost = Intent { reason: Some("INTEGRATION_DISCONNECTED".into()), ..intent.clone() };
        supersede(tx, Some(lost)).await?;
        Ok(None)
    }

    /// Records the write that is planned, unless writing is halted; ends the transaction.
    async fn record(
        &self,
        mut tx: TenantTx,
        mut row: Appointment,
        open: Option<Intent>,
        planned: Planned,
        is_cancel: bool,
    ) -> Result<Next> {
        if matches!(row.sync.provider_sync, ProviderSync::None | ProviderSync::Synced) {
            row.sync.provider_sync = ProviderSync::Pending;
            row.sync.provider_sync_time = Some(self.now);
            row.sync.provider_sync_message_id = Some(self.message);
            store::appointment::update_sync(&mut tx, row.id, &row.sync).await?;
        }
        let integration = store::integration::find(&mut tx, planned.integration).await?;
        if integration.outbound_paused {
            tx.commit().await?;
            return self.halt(HALTED, "OUTBOUND_PAUSED").await;
        }
        // What was told before the word was taken back may still be taken back there.
        let patient = row.patient_id.filter(|_| !is_cancel);
        if !consent::opens_for(&mut tx, &integration, patient).await? {
            tx.commit().await?;
            return self.halt(HALTED, consent::MISSING).await;
        }
        // Whoever slept past the lease does not send beside its successor.
        if store::outbox::payload(&mut tx, &self.claimed).await?.is_none() {
            return Ok(Next::End(Outcome::Done));
        }
        let key = self.key().await?;
        let fingerprint = planned.fingerprint(&key);
        let intent = match open {
            Some(open) if planned.is_what(&open) => Intent { fingerprint, ..open },
            other => {
                supersede(&mut tx, other).await?;
                let cause = row.sync.provider_sync_cause.as_deref().unwrap_or("system");
                let intent = planned.record(row.id, fingerprint, cause);
                store::intent::insert(&mut tx, &intent).await?;
                intent
            }
        };
        let intent = Intent {
            state: IntentState::Sent,
            attempts: intent.attempts + 1,
            send_time: Some(Utc::now()),
            reason: None,
            ..intent
        };
        store::intent::save(&mut tx, &intent).await?;
        tx.commit().await?;
        let order = planned.named(intent.id);
        Ok(Next::Send(intent, order))
    }

    /// Writes down what was learned of a write, and goes on from there.
    pub(super) async fn settle(&self, intent: &Intent, told: &Told) -> Result<Next> {
        retry_deadlocks(|| self.settle_once(intent, told)).await
    }

    async fn settle_once(&self, intent: &Intent, told: &Told) -> Result<Next> {
        let context = self.context(intent.integration_id).await?;
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        // What is learned of a person who was deleted is not kept.
        if !self.is_there(&mut tx).await? {
            return Ok(Next::End(Outcome::Done));
        }
        let mut last = None;
        for seen in &told.seen {
            last = Some(lineage::apply(&mut tx, &context, seen.clone()).await?.outcome);
        }
        // The last one is the head: those before it lead there.
        if last == Some(lineage::Outcome::NeedsLook) {
            drop(tx);
            return self.failed(intent, "CONTRADICTORY").await;
        }
        if told.state == IntentState::Done && is_overtaken(intent, &told.seen) {
            lineage::follow_head(&mut tx, &context, self.appointment).await?;
        }
        let Some(row) = self.lock(&mut tx).await? else { return Ok(Next::End(Outcome::Done)) };
        let mut took = None;
        if let Some(result) = &told.result
            && self.is_anothers(&mut tx, intent.integration_id, result).await?
        {
            // Cal.com answers a second booking of one attendee for one slot with the first one.
            drop(tx);
            return self.refuse(intent, Denial::BookedAlready).await;
        }
        if let Some(open) = self.open(&mut tx, intent.id).await? {
            let is_open = told.state == IntentState::Recorded;
            let settled = Intent {
                state: told.state,
                result_external_id: told.result.clone(),
                reason: told.reason.map(str::to_owned),
                settle_time: Some(Utc::now()).filter(|_| !is_open),
                ..open
            };
            store::intent::save(&mut tx, &settled).await?;
            took = (settled.state == IntentState::Done).then(|| age(&settled, &row));
        }
        let next = self.advance(tx, row, true).await?;
        if let Some(took) = took {
            let labels = [("provider", calcom::PROVIDER), ("kind", intent.kind.as_str())];
            histogram!(names::PUSH_LATENCY, &labels).record(took);
        }
        Ok(next)
    }

    /// The write's record, if it is still open.
    pub(super) async fn open(&self, tx: &mut TenantTx, id: IntentId) -> Result<Option<Intent>> {
        Ok(store::intent::open_for_update(tx, self.appointment).await?.filter(|open| open.id == id))
    }

    /// Whether the booking is known as that of another appointment.
    async fn is_anothers(
        &self,
        tx: &mut TenantTx,
        integration: IntegrationId,
        external_id: &str,
    ) -> Result<bool> {
        let booking = store::booking::find(tx, integration, external_id).await?;
        Ok(booking.and_then(|booking| booking.appointment_id).is_some_and(|id| id != self.appointment))
    }

    async fn follow(&self, integration: IntegrationId) -> Result<Next> {
        let context = self.context(integration).await?;
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        // Decided with everything locked, for an edit that comes in between must not be followed over.
        lineage::lock(&mut tx, integration).await?;
        let Some(row) = self.lock(&mut tx).await? else { return Ok(Next::End(Outcome::Done)) };
        let standing = target::standing(&mut tx, &row).await?;
        if plan::next(&row, &standing, Utc::now()) == Step::Follow {
            lineage::follow_head(&mut tx, &context, self.appointment).await?;
        }
        match self.lock(&mut tx).await? {
            Some(row) => self.advance(tx, row, false).await,
            None => Ok(Next::End(Outcome::Done)),
        }
    }

    /// The record goes back to what it was before it was sent, or to what is not known of it.
    pub(super) async fn mark(&self, intent: &Intent, state: IntentState, reason: &'static str) -> Result<()> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(open) = self.open(&mut tx, intent.id).await? {
            let marked = Intent { state, reason: Some(reason.into()), ..open };
            store::intent::save(&mut tx, &marked).await?;
        }
        tx.commit().await
    }

    async fn is_there(&self, tx: &mut TenantTx) -> Result<bool> {
        match store::appointment::find(tx, self.appointment).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn context(&self, integration: IntegrationId) -> Result<lineage::Context> {
        // Nothing that stands against what is known is believed at the first look.
        let certainty = match self.attempts {
            ..=1 => lineage::Certainty::Read,
            _ => lineage::Certainty::Reread,
        };
        context(self.domain, self.tenant, integration, self.message, certainty).await
    }

    async fn key(&self) -> Result<Arc<TenantKey>> {
        self.domain.tenant_key(self.tenant).await
    }
}

/// How long ago the change was made that the write tells of. Who changed something since waits for another
/// write.
fn age(intent: &Intent, row: &Appointment) -> Duration {
    let change_time =
        row.sync.provider_sync_time.map_or(intent.create_time, |time| time.min(intent.create_time));
    (Utc::now() - change_time).to_std().unwrap_or_default()
}

/// Whether somebody moved or ended at the provider what this write made, before anybody here knew of it.
fn is_overtaken(intent: &Intent, seen: &[lineage::Seen]) -> bool {
    let Some(head) = seen.last().filter(|_| intent.kind != IntentKind::Cancel) else { return false };
    let lives = matches!(head.status, BookingStatus::Pending | BookingStatus::Accepted);
    !lives || head.start != intent.start_time
}

/// It is no longer wanted, and nothing came of it.
async fn supersede(tx: &mut TenantTx, open: Option<Intent>) -> Result<()> {
    let Some(open) = open else { return Ok(()) };
    let gone = Intent { state: IntentState::Superseded, settle_time: Some(Utc::now()), ..open };
    store::intent::save(tx, &gone).await
}

fn head_of(standing: &Standing) -> Result<IntegrationId> {
    let head =
        standing.living.first().ok_or_else(|| Error::internal("a booking that is followed is gone"))?;
    Ok(head.booking.integration_id)
}
