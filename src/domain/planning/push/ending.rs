//! How an attempt ends that did not bring the phase to the tool, and how that is told.

use std::time::Duration;

use super::{
    PAUSES,
    attempt::{Attempt, HALTED},
};
use crate::{
    domain::{consent, engine::provider_call::AsanaFailure},
    error::Result,
    provider::{
        asana::{CallError, Refusal},
        call::Class,
    },
    store::{self, outbox::Outcome, planning::phase_change::PhaseChange},
    words::{Origin, PhaseChangeKind, Presence, ProviderSync},
};

impl Attempt<'_> {
    /// What no answer came to: waits, tries again, or is left.
    pub(super) async fn unanswered(&self, failure: AsanaFailure) -> Result<Outcome> {
        match failure {
            AsanaFailure::NotNow { after, reason } => self.halt(after, reason).await,
            AsanaFailure::Credential => self.halt(HALTED, "CREDENTIAL_REFUSED").await,
            AsanaFailure::Consent => self.halt(HALTED, consent::MISSING).await,
            AsanaFailure::Call(CallError::Refused(Refusal::NotFound)) => {
                self.vanished(Refusal::NotFound.reason()).await
            }
            AsanaFailure::Call(error) => match error.class() {
                Class::Permanent => self.leave(error.reason()).await,
                Class::Transient | Class::Unknown | Class::Throttled | Class::Credential => {
                    self.failed(error.reason()).await
                }
            },
            AsanaFailure::Own(error) => Err(error),
        }
    }

    /// Nothing was tried: later, and no attempt is used up.
    pub(super) async fn halt(&self, after: Duration, reason: &'static str) -> Result<Outcome> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(mut phase) = self.lock(&mut tx).await?
            && phase.sync.provider_sync_reason.as_deref() != Some(reason)
        {
            phase.sync.provider_sync_reason = Some(reason.into());
            store::planning::phase::save_sync(&mut tx, phase.id, &phase.sync).await?;
        }
        tx.commit().await?;
        Ok(Outcome::Release { after, reason: Some(reason.into()) })
    }

    /// A try failed: another one follows, or a person must look.
    pub(super) async fn failed(&self, reason: &'static str) -> Result<Outcome> {
        let tried = usize::try_from(self.attempts - 1).unwrap_or_default();
        let Some(pause) = PAUSES.get(tried) else { return self.leave(reason).await };
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(mut phase) = self.lock(&mut tx).await? {
            self.stand(&mut tx, &mut phase, ProviderSync::Failed, Some(reason)).await?;
        }
        tx.commit().await?;
        let after = pause.mul_f64(0.8 + 0.4 * rand::random::<f64>());
        Ok(Outcome::Retry { after, reason: reason.into() })
    }

    /// No further try makes sense. It shows in the phase and among the dead letters,
    /// from where it can be requeued.
    pub(super) async fn leave(&self, reason: &'static str) -> Result<Outcome> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(mut phase) = self.lock(&mut tx).await? {
            self.stand(&mut tx, &mut phase, ProviderSync::Review, Some(reason)).await?;
        }
        tx.commit().await?;
        Ok(Outcome::Dead { reason: reason.into() })
    }

    /// The tool does not have it, or does not show it to us: the next full run decides which.
    pub(super) async fn vanished(&self, reason: &'static str) -> Result<Outcome> {
        let mut tx = self.domain.store.tenant(self.tenant).await?;
        if let Some(mut phase) = self.lock(&mut tx).await?
            && phase.presence == Presence::Present
        {
            phase.presence = Presence::Missing;
            phase.missing_time = Some(self.now);
            store::planning::phase::save(&mut tx, &phase).await?;
            let change =
                PhaseChange::of(&phase, PhaseChangeKind::Presence, Origin::Asana, &self.cause(), self.now);
            store::planning::phase_change::insert(&mut tx, &[change]).await?;
        }
        tx.commit().await?;
        self.leave(reason).await
    }
}
