//! What a run has done so far: counts and errors,
//! written down page by page so that somebody can watch it, end it, or go on with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::provider_call::CallFailure;
use crate::{
    domain::{Domain, consent},
    error::{Error, Result},
    ids::{IntegrationId, SyncLogId, TenantId},
    provider::{
        call::{CallError, Class, Refuses},
        catalog::{self, Adapter},
    },
    store::{self, TenantTx, integration::Integration, sync_log::SyncLog},
    vault::TenantKey,
    words::{SyncKind, SyncState},
};

/// Errors that are kept word by word; all of them are counted.
const ERRORS_KEPT: usize = 100;
/// Until a provider that did not answer is worth another try.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Whose work is done.
pub(in crate::domain) struct Ground<'a> {
    pub(in crate::domain) domain: &'a Domain,
    pub(in crate::domain) tenant: TenantId,
    pub(in crate::domain) integration: Integration,
    pub(super) key: Arc<TenantKey>,
}

/// Why a run does not go on here.
#[derive(Debug)]
pub(in crate::domain) enum Stop {
    /// Somebody called it off, or it had ended.
    Over,
    /// Nothing is wrong: later, and no attempt is used up.
    Later { after: Duration, reason: &'static str },
    /// Another attempt would find the same.
    Ended(&'static str),
    /// Worth another attempt.
    Failed(Error),
}

/// What was done about one noun.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::domain) struct Count {
    /// As far as the provider says.
    pub(in crate::domain) total: Option<u64>,
    pub(in crate::domain) processed: u64,
    /// Was another here than there, and nobody had told.
    pub(in crate::domain) repaired: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Problem {
    /// As in `event_type/12`; never a uid, which opens a booking to whoever knows it.
    subject: String,
    reason: String,
}

/// The record of one run.
pub(in crate::domain) struct Record {
    log: SyncLog,
    /// Its row is there, for whoever watches; otherwise it is added when the run ends.
    is_kept: bool,
    counts: BTreeMap<String, Count>,
    problems: Vec<Problem>,
}

impl<'a> Ground<'a> {
    pub(in crate::domain) async fn find(
        domain: &'a Domain,
        tenant: TenantId,
        id: IntegrationId,
    ) -> Result<Self> {
        let key = domain.tenant_key(tenant).await?;
        let mut tx = domain.store.tenant(tenant).await?;
        let integration = store::integration::find(&mut tx, id).await?;
        tx.commit().await?;
        Ok(Self { domain, tenant, integration, key })
    }

    pub(in crate::domain) fn id(&self) -> IntegrationId {
        self.integration.id
    }

    /// Whose records are moved.
    pub(in crate::domain) fn adapter(&self) -> Adapter {
        catalog::adapter(&self.integration.provider)
    }

    /// A transaction of its tenant's.
    pub(in crate::domain) async fn tx(&self) -> Result<TenantTx> {
        self.domain.store.tenant(self.tenant).await
    }
}

impl Record {
    /// A run whose row is added when it ends.
    pub(in crate::domain) fn begin(
        id: SyncLogId,
        integration: IntegrationId,
        kind: SyncKind,
        cause: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let log = SyncLog { state: SyncState::Running, ..SyncLog::queued(id, integration, kind, cause, now) };
        Self { log, is_kept: false, counts: BTreeMap::new(), problems: Vec::new() }
    }

    /// A run whose row is there; what was counted before goes on.
    pub(in crate::domain) fn resume(log: SyncLog) -> Self {
        let counts = serde_json::from_value(log.counts.clone()).unwrap_or_default();
        let problems = serde_json::from_value(log.errors.clone()).unwrap_or_default();
        Self { log, is_kept: true, counts, problems }
    }

    pub(in crate::domain) fn id(&self) -> SyncLogId {
        self.log.id
    }

    pub(in crate::domain) fn begin_time(&self) -> DateTime<Utc> {
        self.log.start_time
    }

    /// What its changes are caused by.
    pub(in crate::domain) fn cause(&self) -> String {
        format!("sync_log/{}", self.log.id)
    }

    pub(in crate::domain) fn stage(&self) -> Option<&str> {
        self.log.stage.as_deref()
    }

    /// Whether what it finds should have been here: a first run takes everything over.
    pub(in crate::domain) fn is_repair(&self) -> bool {
        self.log.kind != SyncKind::Full
    }

    pub(in crate::domain) fn count(&mut self, noun: &str) -> &mut Count {
        self.counts.entry(noun.into()).or_default()
    }

    /// Whether it came to anything.
    pub(in crate::domain) fn is_empty(&self) -> bool {
        self.log.error_count == 0 && self.counts.values().all(|count| count.processed == 0)
    }

    pub(in crate::domain) fn add_error(&mut self, subject: String, reason: &str) {
        self.log.error_count = self.log.error_count.saturating_add(1);
        if self.problems.len() < ERRORS_KEPT {
            self.problems.push(Problem { subject, reason: reason.into() });
        }
    }

    /// Whether something failed for this reason, as far as is known: of many errors the last are only
    /// counted.
    pub(in crate::domain) fn may_have_met(&self, reason: &str) -> bool {
        let is_counted_only =
            usize::try_from(self.log.error_count).is_ok_and(|all| all > self.problems.len());
        is_counted_only || self.problems.iter().any(|problem| problem.reason == reason)
    }

    /// When it is expected to end.
    pub(in crate::domain) fn set_expect_end_time(&mut self, time: Option<DateTime<Utc>>) {
        self.log.expect_end_time = time;
    }

    /// Begins a stage, or goes on with it.
    pub(in crate::domain) async fn enter(&mut self, ground: &Ground<'_>, stage: &str) -> Result<(), Stop> {
        self.log.stage = Some(stage.into());
        self.save(ground).await
    }

    /// Writes down how far it is. `Stop::Over`: somebody called it off.
    pub(in crate::domain) async fn save(&mut self, ground: &Ground<'_>) -> Result<(), Stop> {
        if !self.is_kept {
            return Ok(());
        }
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        let kept = store::sync_log::find_for_update(&mut tx, self.log.id).await?;
        if !matches!(kept.state, SyncState::Queued | SyncState::Running) {
            return Err(Stop::Over);
        }
        self.write_counts()?;
        self.log.revision = kept.revision + 1;
        self.log.state = SyncState::Running;
        self.log.cancel_asked = kept.cancel_asked;
        if kept.cancel_asked {
            self.log.state = SyncState::Cancelled;
            self.log.end_time = Some(Utc::now());
        }
        store::sync_log::save(&mut tx, &self.log).await?;
        tx.commit().await?;
        if kept.cancel_asked { Err(Stop::Over) } else { Ok(()) }
    }

    /// Ends it: with `reason` it failed, otherwise it succeeded, perhaps with errors.
    pub(in crate::domain) async fn end(mut self, ground: &Ground<'_>, reason: Option<&str>) -> Result<()> {
        self.write_counts()?;
        self.log.state = match (reason, self.log.error_count) {
            (Some(_), _) => SyncState::Failed,
            (None, 0) => SyncState::Succeeded,
            (None, _) => SyncState::Partial,
        };
        self.log.reason = reason.map(Into::into);
        self.log.stage = None;
        self.log.end_time = Some(Utc::now());
        let mut tx = ground.domain.store.tenant(ground.tenant).await?;
        if self.is_kept {
            let kept = store::sync_log::find_for_update(&mut tx, self.log.id).await?;
            if !matches!(kept.state, SyncState::Queued | SyncState::Running) {
                return Ok(());
            }
            self.log.revision = kept.revision + 1;
            store::sync_log::save(&mut tx, &self.log).await?;
        } else {
            // False when an attempt before this one had written it and was not settled.
            store::sync_log::insert(&mut tx, &self.log).await?;
        }
        tx.commit().await
    }

    fn write_counts(&mut self) -> Result<()> {
        self.log.counts = serde_json::to_value(&self.counts).map_err(Error::internal)?;
        self.log.errors = serde_json::to_value(&self.problems).map_err(Error::internal)?;
        Ok(())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<R: Refuses> From<CallFailure<R>> for Stop {
    fn from(failure: CallFailure<R>) -> Self {
        match failure {
            CallFailure::NotNow { after, reason } => Self::Later { after, reason },
            CallFailure::Credential => Self::Ended("CREDENTIAL_REFUSED"),
            CallFailure::Consent => Self::Ended(consent::MISSING),
            CallFailure::Call(error) => Self::of_call(&error),
            CallFailure::Own(error) => Self::Failed(error),
        }
    }
}

impl Stop {
    fn of_call<R: Refuses>(error: &CallError<R>) -> Self {
        match error.class() {
            Class::Permanent => Self::Ended(error.reason()),
            Class::Credential => Self::Ended("CREDENTIAL_REFUSED"),
            Class::Throttled | Class::Transient | Class::Unknown => {
                Self::Failed(Error::ProviderUnavailable(TRY_AGAIN))
            }
        }
    }
}
