//! How far an onboarding is: which step is next, and why.

use chrono::{DateTime, Utc};

use crate::{
    store::{
        integration::Integration, planning::settings::PlanningSettings, subscription::Subscription,
        sync_log::SyncLog,
    },
    words::{IntegrationState, SubscriptionState, SyncState},
};

/// In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Authorization,
    Workspace,
    FieldMapping,
    InitialSync,
    Webhooks,
    /// Nothing is left to do.
    Done,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// An earlier one comes first.
    Waiting,
    Ready,
    Running,
    /// It can be done again.
    Failed,
    Done,
}

/// A step, how it stands, and why it is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub step: Step,
    pub state: StepState,
    /// A code; empty when it is done.
    pub reason: String,
    pub done_time: Option<DateTime<Utc>>,
}

/// What a progress is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) integration: &'a Integration,
    /// Absent while nothing was chosen.
    pub(super) settings: Option<&'a PlanningSettings>,
    /// A mapped field that no project has any more, a code.
    pub(super) lost_field: Option<&'static str>,
    /// Data may flow: consent was given where it is needed.
    pub(super) may_flow: bool,
    /// The newest run of everything, and the one that is under way.
    pub(super) newest_run: Option<&'a SyncLog>,
    pub(super) subscriptions: &'a [Subscription],
}

const AN_EARLIER_STEP: &str = "EARLIER_STEP_MISSING";

/// All five steps. What is done may be undone again, as by a credential that the provider no longer takes.
pub(super) fn steps(facts: &Facts<'_>) -> [Status; 5] {
    let mut steps =
        [authorization(facts), workspace(facts), field_mapping(facts), initial_sync(facts), webhooks(facts)];
    let first_open = steps.iter().position(|step| step.state != StepState::Done);
    for later in first_open.map_or(&mut [][..], |first| &mut steps[first + 1..]) {
        if matches!(later.state, StepState::Ready) {
            later.state = StepState::Waiting;
            later.reason = AN_EARLIER_STEP.into();
        }
    }
    steps
}

/// The first step that is not done, and why.
pub(super) fn next(steps: &[Status]) -> (Step, String) {
    let open = steps.iter().find(|step| step.state != StepState::Done);
    open.map_or((Step::Done, String::new()), |open| (open.step, open.reason.clone()))
}

fn authorization(facts: &Facts<'_>) -> Status {
    let integration = facts.integration;
    let failed = |reason: &str| {
        let reason = integration.state_reason.clone().unwrap_or_else(|| reason.into());
        status(Step::Authorization, StepState::Failed, &reason)
    };
    match integration.state {
        IntegrationState::Connected => done(Step::Authorization, Some(integration.create_time)),
        IntegrationState::NeedsReconnect => failed("CREDENTIAL_REFUSED"),
        IntegrationState::Disconnecting | IntegrationState::Disconnected => {
            failed("INTEGRATION_DISCONNECTED")
        }
    }
}

fn workspace(facts: &Facts<'_>) -> Status {
    match facts.settings.filter(|settings| settings.workspace_id.is_some()) {
        Some(settings) => done(Step::Workspace, settings.workspace_time),
        None => ready(Step::Workspace, "WORKSPACE_NOT_SELECTED"),
    }
}

fn field_mapping(facts: &Facts<'_>) -> Status {
    match (facts.settings.filter(|settings| settings.area_field_id.is_some()), facts.lost_field) {
        (Some(_), Some(lost)) => status(Step::FieldMapping, StepState::Failed, lost),
        (Some(settings), None) => done(Step::FieldMapping, settings.mapping_time),
        (None, _) => ready(Step::FieldMapping, "AREA_NOT_MAPPED"),
    }
}

fn initial_sync(facts: &Facts<'_>) -> Status {
    let step = Step::InitialSync;
    let (synced, mapped) =
        facts.settings.map_or((None, None), |settings| (settings.initial_sync_time, settings.mapping_time));
    if let Some(synced) = synced.filter(|synced| mapped.is_none_or(|mapped| *synced >= mapped)) {
        return done(step, Some(synced));
    }
    let run = facts.newest_run.filter(|run| mapped.is_some_and(|mapped| run.start_time >= mapped));
    match run.map(|run| (run.state, run.reason.as_deref())) {
        Some((SyncState::Queued | SyncState::Running, _)) => status(step, StepState::Running, "SYNC_RUNNING"),
        Some((SyncState::Failed, reason)) => status(step, StepState::Failed, reason.unwrap_or("SYNC_FAILED")),
        Some((SyncState::Partial, _)) => status(step, StepState::Failed, "SYNC_INCOMPLETE"),
        Some((SyncState::Cancelled, _)) => status(step, StepState::Failed, "SYNC_CANCELLED"),
        Some((SyncState::Succeeded, _)) | None if !facts.may_flow => ready(step, "CONSENT_MISSING"),
        Some((SyncState::Succeeded, _)) | None if synced.is_some() => ready(step, "MAPPING_CHANGED"),
        Some((SyncState::Succeeded, _)) | None => ready(step, "NOT_SYNCED"),
    }
}

fn webhooks(facts: &Facts<'_>) -> Status {
    let step = Step::Webhooks;
    let asked = facts.settings.and_then(|settings| settings.webhooks_time);
    let Some(asked) = asked else { return ready(step, "WEBHOOKS_NOT_ACTIVE") };
    let with = |state| facts.subscriptions.iter().find(|one| one.state == state);
    if let Some(failed) = with(SubscriptionState::Failed) {
        let reason = failed.reason.as_deref().unwrap_or("WEBHOOK_FAILED");
        return status(step, StepState::Failed, reason);
    }
    if facts.subscriptions.is_empty() || with(SubscriptionState::Pending).is_some() {
        return status(step, StepState::Running, "WEBHOOKS_PENDING");
    }
    done(step, Some(asked))
}

fn done(step: Step, done_time: Option<DateTime<Utc>>) -> Status {
    Status { step, state: StepState::Done, reason: String::new(), done_time }
}

fn ready(step: Step, reason: &str) -> Status {
    status(step, StepState::Ready, reason)
}

fn status(step: Step, state: StepState, reason: &str) -> Status {
    Status { step, state, reason: reason.into(), done_time: None }
}

#[cfg(test)]
mod tests;
