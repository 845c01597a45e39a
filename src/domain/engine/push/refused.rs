//! What follows when the provider says no.

use std::time::Duration;

use chrono::Utc;

use super::{
    attempt::{Attempt, Next},
    lineage,
    look_up::Look,
    target::lives,
};
use crate::{
    domain::{appointment, engine::sync_run},
    error::Result,
    ids::AppointmentId,
    provider::calcom::Refusal,
    store::{
        self, TenantTx,
        appointment::{Appointment, Change, SyncStanding},
        booking::Booking,
        intent::Intent,
        outbox::Outcome,
        retry_deadlocks,
    },
    words::{AppointmentStatus, ChangeKind, IntentKind, IntentState, Origin, ProviderSync, RefusalCode},
};

/// Why a write is not tried again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Denial {
    /// The provider said no.
    Refused(RefusalCode),
    /// The attendee has another appointment's booking for this very slot.
    BookedAlready,
    /// Nothing can be sent, or no answer understood; the reason says which.
    Hopeless(&'static str),
}

/// How far a reading connection may lag behind.
const LAG: Duration = Duration::from_secs(2);

impl Attempt<'_> {
    /// The provider refused a write. It is believed when nothing of our own is what stands in the way.
    pub(super) async fn refused(&self, intent: Intent, refusal: Refusal) -> Result<Next> {
        let code = refusal.reason();
        if intent.kind == IntentKind::Cancel && refusal == Refusal::NotFound {
            return self.conclude(&intent, Look::Gone).await;
        }
        if refusal.may_be_our_own_doing() {
            // Before anything else: if this process ends now, the next one must not take the write for one
            // that was never answered.
            self.mark(&intent, IntentState::Unknown, code).await?;
            let look = match self.look(&intent).await {
                Ok(look) => look,
                Err(failure) => return self.unanswered(&intent, failure).await,
            };
            match look {
                Look::NotDone { .. } | Look::Gone if intent.attempts > 1 || is_contrary(&refusal) => {
                    let reason = Some(code.to_owned());
                    return Ok(Next::End(Outcome::Release { after: LAG, reason }));
                }
                Look::NotDone { .. } | Look::Gone => {}
                look => return self.conclude(&intent, look).await,
            }
        }
        self.refuse(&intent, Denial::Refused(refusal.code())).await
    }

    /// The refusal stands: the time is given up, or a person must look at once.
    pub(super) async fn refuse(&self, intent: &Intent, denial: Denial) -> Result<Next> {
        retry_deadlocks(|| self.refuse_once(intent, denial)).await
    }

    async fn refuse_once(&self, intent: &Intent, denial: Denial) -> Result<Next> {
        let (code, about_the_time) = (denial.code(), denial.is_about_the_time());
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        let head = match about_the_time {
            true => moved_from(&mut tx, self.appointment, intent.kind).await?,
            false => None,
        };
        if let Some(head) = &head {
            lineage::lock(&mut tx, head.integration_id).await?;
        }
        let Some(row) = self.lock(&mut tx).await? else { return Ok(Next::End(Outcome::Done)) };
        if let Some(open) = self.open(&mut tx, intent.id).await? {
            let refused = Intent {
                state: IntentState::Refused,
                reason: Some(code.into()),
                settle_time: Some(Utc::now()),
                ..open
            };
            store::intent::save(&mut tx, &refused).await?;
        }
        let is_wanted = match intent.kind {
            IntentKind::Create | IntentKind::Reschedule => {
                row.status == AppointmentStatus::Booked && Some(row.start_time) == intent.start_time
            }
            IntentKind::Cancel => row.status == AppointmentStatus::Cancelled,
        };
        if !is_wanted {
            // Edited meanwhile: what is wanted now may be granted.
            return self.advance(tx, row, true).await;
        }
        let row = match intent.kind {
            _ if let Some(head) = head => {
                let context = self.context(head.integration_id).await?;
                lineage::follow_head(&mut tx, &context, row.id).await?;
                store::appointment::find_for_update(&mut tx, row.id).await?
            }
            IntentKind::Create if about_the_time => self.give_time_up(&mut tx, row, intent, code).await?,
            IntentKind::Create | IntentKind::Reschedule | IntentKind::Cancel => row,
        };
        if denial.may_be_the_event_types() {
            let cause = format!("outbox/{}", self.message);
            sync_run::queue_event_types(&mut tx, intent.integration_id, &cause, self.now).await?;
        }
        self.review(&mut tx, row, code, Some(intent.id)).await?;
        tx.commit().await?;
        Ok(Next::End(Outcome::Done))
    }

    /// Somebody has the time at the provider, or nobody can have it: it is not kept from others here any
    /// longer.
    async fn give_time_up(
        &self,
        tx: &mut TenantTx,
        before: Appointment,
        intent: &Intent,
        code: &'static str,
    ) -> Result<Appointment> {
        let row = Appointment {
            status: AppointmentStatus::Conflicting,
            last_change_origin: Origin::Calcom,
            update_time: self.now,
            // What a person must decide about does not take its time back by itself.
            sync: SyncStanding { provider_sync: ProviderSync::Review, ..before.sync.clone() },
            ..before.clone()
        };
        store::appointment::update(tx, &row).await?;
        let cause = format!("outbox/{}", self.message);
        let change = Change {
            intent_id: Some(intent.id),
            reason: Some(code.into()),
            ..Change::of(&row, ChangeKind::Status, Origin::Calcom, &cause, self.now)
        };
        store::appointment::insert_change(tx, &change).await?;
        appointment::free(tx, &before, self.now).await?;
        Ok(row)
    }
}

impl Denial {
    fn code(self) -> &'static str {
        match self {
            Self::Refused(code) => code.as_str(),
            Self::BookedAlready => "BOOKED_ALREADY",
            Self::Hopeless(reason) => reason,
        }
    }

    /// A booking for a time that is not to be had waits for a person without keeping others out.
    fn is_about_the_time(self) -> bool {
        matches!(self, Self::Refused(code) if code.is_about_the_time())
    }

    /// Whether the event type is looked at again.
    fn may_be_the_event_types(self) -> bool {
        match self {
            Self::Refused(code) => code.may_be_the_event_types(),
            Self::BookedAlready => false,
            Self::Hopeless(_) => true,
        }
    }
}

/// The booking that an appointment goes back to when this write of it is refused. A move into another
/// calendar makes a new one there first.
pub async fn moved_from(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    write: IntentKind,
) -> Result<Option<Booking>> {
    let current = store::booking::current(tx, appointment).await?;
    Ok(current.filter(|booking| match write {
        IntentKind::Create => lives(booking),
        IntentKind::Reschedule => true,
        IntentKind::Cancel => false,
    }))
}

/// It says that nothing is there to be moved or cancelled: a read that shows something contradicts it.
fn is_contrary(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::AlreadyCancelled | Refusal::AlreadyRescheduled { .. })
}
