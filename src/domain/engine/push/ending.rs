//! How an attempt ends when it does not simply go on, and how that is told.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    PAUSES,
    attempt::{Attempt, HALTED, Next},
    target::Standing,
};
use crate::{
    domain::{
        consent,
        engine::provider_call::{self, CallFailure},
    },
    error::Result,
    ids::{AppointmentId, IntegrationId, IntentId, ReviewItemId},
    store::{
        self, TenantTx,
        appointment::{Appointment, Change, SyncStanding},
        intent::Intent,
        outbox::Outcome,
        retry_deadlocks,
        review_item::ReviewItem,
    },
    words::{AppointmentStatus, ChangeKind, IntentState, Origin, ProviderSync, ReviewKind, ReviewState},
};

/// It could have been booked there until it began.
const TOO_LATE: &str = "TOO_LATE";

impl Attempt<'_> {
    /// How long to wait before the next try, if there is one.
    pub(super) fn pause(&self) -> Option<Duration> {
        usize::try_from(self.attempts - 1).ok().and_then(|tried| PAUSES.get(tried)).copied()
    }

    /// Leaves it to a person.
    pub(super) async fn give_up(&self, reason: &'static str) -> Result<()> {
        retry_deadlocks(|| self.give_up_once(reason)).await
    }

    async fn give_up_once(&self, reason: &'static str) -> Result<()> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(row) = self.lock(&mut tx).await? {
            self.review(&mut tx, row, reason, None).await?;
        }
        tx.commit().await
    }

    /// What no answer came to: waits, tries again, or is left to a person.
    pub(super) async fn unanswered(&self, intent: &Intent, failure: CallFailure) -> Result<Next> {
        match failure {
            CallFailure::NotNow { after, reason } => self.halt(after, reason).await,
            CallFailure::Credential => self.halt(HALTED, "CREDENTIAL_REFUSED").await,
            CallFailure::Consent => self.halt(HALTED, consent::MISSING).await,
            CallFailure::Call(error) => self.failed(intent, error.reason()).await,
            CallFailure::Own(error) => Err(error),
        }
    }

    /// Nothing was tried: later, and no attempt is used up.
    pub(super) async fn halt(&self, after: Duration, reason: &'static str) -> Result<Next> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Ok(mut row) = store::appointment::find_for_update(&mut tx, self.appointment).await
            && row.sync.provider_sync_reason.as_deref() != Some(reason)
        {
            row.sync.provider_sync_reason = Some(reason.into());
            store::appointment::update_sync(&mut tx, row.id, &row.sync).await?;
        }
        tx.commit().await?;
        Ok(Next::End(Outcome::Release { after, reason: Some(reason.into()) }))
    }

    /// A try failed: another one follows, or a person must look. While the provider answers nobody, no try is
    /// used up.
    pub(super) async fn failed(&self, intent: &Intent, reason: &'static str) -> Result<Next> {
        let pause = self.pause();
        if pause.is_none() && self.is_out(intent.integration_id).await? {
            return self.halt(HALTED, "PROVIDER_OUT").await;
        }
        retry_deadlocks(|| self.failed_once(intent, reason, pause)).await
    }

    async fn failed_once(
        &self,
        intent: &Intent,
        reason: &'static str,
        pause: Option<Duration>,
    ) -> Result<Next> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let Some(mut row) = self.lock(&mut tx).await? else { return Ok(Next::End(Outcome::Done)) };
        let Some(pause) = pause else {
            if !super::is_asked_again(&mut tx, row.id, self.message).await? {
                self.review(&mut tx, row, reason, Some(intent.id)).await?;
            }
            tx.commit().await?;
            return Ok(Next::End(Outcome::Done));
        };
        row.sync.provider_sync = ProviderSync::Failed;
        row.sync.provider_sync_attempts = self.attempts;
        row.sync.provider_sync_reason = Some(reason.into());
        store::appointment::update_sync(&mut tx, row.id, &row.sync).await?;
        write_down(&mut tx, &row, Some(reason), Some(intent.id), self.now).await?;
        tx.commit().await?;
        Ok(Next::End(Outcome::Retry { after: pause, reason: reason.into() }))
    }

    async fn is_out(&self, integration: IntegrationId) -> Result<bool> {
        provider_call::is_calcom_out(self.domain, self.tenant, integration, self.urgency).await
    }

    /// Nothing is left to do: the provider has it, or there is none that could, or it is too late.
    pub(super) async fn settle_row(
        &self,
        tx: &mut TenantTx,
        mut row: Appointment,
        standing: &Standing,
    ) -> Result<()> {
        // What was learned of it may have settled the row before its try was counted.
        let is_uncounted = row.sync.provider_sync == ProviderSync::Synced
            && row.sync.provider_sync_message_id == Some(self.message)
            && row.sync.provider_sync_attempts != self.attempts;
        if !matches!(row.sync.provider_sync, ProviderSync::Pending | ProviderSync::Failed) && !is_uncounted {
            return Ok(());
        }
        let is_there = standing.has(&row);
        if !is_there && row.status == AppointmentStatus::Booked && standing.target.is_some() {
            return self.review(tx, row, TOO_LATE, None).await;
        }
        row.sync = SyncStanding {
            provider_sync: if is_there { ProviderSync::Synced } else { ProviderSync::None },
            provider_sync_attempts: self.attempts,
            provider_sync_reason: standing.bound.filter(|_| !is_there).map(str::to_owned),
            provider_sync_review_time: None,
            ..row.sync
        };
        store::appointment::update_sync(tx, row.id, &row.sync).await?;
        let writes = store::intent::of_appointment(tx, row.id, 1).await?;
        let done = writes.first().filter(|intent| intent.state == IntentState::Done);
        write_down(tx, &row, None, done.map(|intent| intent.id), self.now).await?;
        super::settle_trouble(tx, row.id, self.now).await
    }

    /// Leaves it to a person: the item says why.
    pub(super) async fn review(
        &self,
        tx: &mut TenantTx,
        mut row: Appointment,
        reason: &'static str,
        intent: Option<IntentId>,
    ) -> Result<()> {
        row.sync.provider_sync = ProviderSync::Review;
        row.sync.provider_sync_attempts = self.attempts;
        row.sync.provider_sync_reason = Some(reason.into());
        row.sync.provider_sync_review_time = Some(self.now);
        store::appointment::update_sync(tx, row.id, &row.sync).await?;
        write_down(tx, &row, Some(reason), intent, self.now).await?;
        let item = ReviewItem {
            id: ReviewItemId::new(),
            kind: ReviewKind::RequiresManualReview,
            state: ReviewState::Open,
            integration_id: integration_of(tx, intent, row.id).await?,
            appointment_id: Some(row.id),
            intent_id: intent,
            reason: reason.into(),
            resolution: None,
            resolver: None,
            open_time: self.now,
            resolve_time: None,
        };
        // One that is open tells of an older reason.
        if !store::review_item::open(tx, &item).await? {
            store::review_item::settle(tx, row.id, item.kind, self.now).await?;
            store::review_item::open(tx, &item).await?;
        }
        Ok(())
    }
}

/// What the provider did, in the history.
async fn write_down(
    tx: &mut TenantTx,
    row: &Appointment,
    reason: Option<&str>,
    intent: Option<IntentId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let change = Change {
        intent_id: intent,
        reason: reason.map(str::to_owned),
        ..Change::of(row, ChangeKind::Sync, Origin::System, "system", now)
    };
    store::appointment::insert_change(tx, &change).await
}

async fn integration_of(
    tx: &mut TenantTx,
    intent: Option<IntentId>,
    appointment: AppointmentId,
) -> Result<Option<IntegrationId>> {
    let writes = store::intent::of_appointment(tx, appointment, 1).await?;
    let of_write = writes.iter().find(|write| intent.is_none_or(|id| id == write.id));
    match of_write {
        Some(write) => Ok(Some(write.integration_id)),
        None => {
            let booking = store::booking::current(tx, appointment).await?;
            Ok(booking.map(|booking| booking.integration_id))
        }
    }
}
