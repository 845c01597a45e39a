use super::*;
use crate::{
    ids::{IntegrationId, SyncLogId, WebhookEndpointId},
    words::{Plan, SyncKind},
};
use chrono::TimeDelta;

const ID: IntegrationId = IntegrationId(uuid::Uuid::nil());

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn integration(state: IntegrationState) -> Integration {
    Integration { state, ..Integration::new(ID, "asana", "Planung", at(0)) }
}

fn workspace() -> PlanningSettings {
    PlanningSettings {
        workspace_id: Some("1".into()),
        workspace_time: Some(at(1)),
        plan: Plan::Free,
        ..PlanningSettings::new(ID, at(1))
    }
}

fn mapped() -> PlanningSettings {
    PlanningSettings { area_field_id: Some("2".into()), mapping_time: Some(at(2)), ..workspace() }
}

fn synced() -> PlanningSettings {
    PlanningSettings { initial_sync_time: Some(at(3)), ..mapped() }
}

fn run(state: SyncState) -> SyncLog {
    SyncLog { state, ..SyncLog::queued(SyncLogId::new(), ID, SyncKind::Full, "admin", at(2)) }
}

fn webhook(state: SubscriptionState) -> Subscription {
    Subscription {
        state,
        reason: (state == SubscriptionState::Failed).then(|| "NOT_ALLOWED".into()),
        ..Subscription::new(ID, WebhookEndpointId::new(), "project/3".into(), at(4))
    }
}

/// The next step of a connected integration, with its reason.
fn next_of(
    settings: Option<&PlanningSettings>,
    newest_run: Option<&SyncLog>,
    subscriptions: &[Subscription],
) -> (Step, StepState, String) {
    let integration = integration(IntegrationState::Connected);
    let facts = Facts {
        integration: &integration,
        settings,
        lost_field: None,
        may_flow: true,
        newest_run,
        subscriptions,
    };
    let steps = steps(&facts);
    let (next, reason) = next(&steps);
    let state = steps.iter().find(|step| step.step == next).map_or(StepState::Done, |step| step.state);
    (next, state, reason)
}

fn is(step: Step, state: StepState, reason: &str) -> (Step, StepState, String) {
    (step, state, reason.into())
}

#[test]
fn a_connected_integration_is_led_from_step_to_step() {
    let activated = PlanningSettings { webhooks_time: Some(at(4)), ..synced() };
    let active = [webhook(SubscriptionState::Active)];

    assert_eq!(next_of(None, None, &[]), is(Step::Workspace, StepState::Ready, "WORKSPACE_NOT_SELECTED"));
    assert_eq!(
        next_of(Some(&workspace()), None, &[]),
        is(Step::FieldMapping, StepState::Ready, "AREA_NOT_MAPPED")
    );
    assert_eq!(next_of(Some(&mapped()), None, &[]), is(Step::InitialSync, StepState::Ready, "NOT_SYNCED"));
    assert_eq!(
        next_of(Some(&synced()), None, &[]),
        is(Step::Webhooks, StepState::Ready, "WEBHOOKS_NOT_ACTIVE")
    );
    assert_eq!(
        next_of(Some(&activated), None, &[]),
        is(Step::Webhooks, StepState::Running, "WEBHOOKS_PENDING")
    );
    assert_eq!(next_of(Some(&activated), None, &active), is(Step::Done, StepState::Done, ""));
}

#[test]
fn what_comes_later_waits_for_what_comes_before() {
    let integration = integration(IntegrationState::Connected);
    let facts = Facts {
        integration: &integration,
        settings: None,
        lost_field: None,
        may_flow: true,
        newest_run: None,
        subscriptions: &[],
    };

    let states = steps(&facts).map(|step| step.state);

    use StepState::{Done, Ready, Waiting};
    assert_eq!(states, [Done, Ready, Waiting, Waiting, Waiting]);
}

#[test]
fn a_credential_that_is_no_longer_taken_comes_first() {
    let lost = Integration {
        state_reason: Some("ACCESS_BLOCKED".into()),
        ..integration(IntegrationState::NeedsReconnect)
    };
    let settings = synced();
    let facts = Facts {
        integration: &lost,
        settings: Some(&settings),
        lost_field: None,
        may_flow: true,
        newest_run: None,
        subscriptions: &[],
    };

    let steps = steps(&facts);

    assert_eq!(next(&steps), (Step::Authorization, "ACCESS_BLOCKED".into()));
    assert_eq!(steps[1].state, StepState::Done, "what was chosen stays chosen");
}

#[test]
fn a_run_that_is_under_way_or_went_wrong_is_told() {
    let told = |state, reason: Option<&str>| {
        let run = SyncLog { reason: reason.map(Into::into), ..run(state) };
        next_of(Some(&mapped()), Some(&run), &[])
    };

    let (running, failed) = (StepState::Running, StepState::Failed);
    assert_eq!(told(SyncState::Queued, None), is(Step::InitialSync, running, "SYNC_RUNNING"));
    assert_eq!(told(SyncState::Running, None), is(Step::InitialSync, running, "SYNC_RUNNING"));
    assert_eq!(told(SyncState::Failed, Some("PLAN_LIMIT")), is(Step::InitialSync, failed, "PLAN_LIMIT"));
    assert_eq!(told(SyncState::Partial, None), is(Step::InitialSync, failed, "SYNC_INCOMPLETE"));
    assert_eq!(told(SyncState::Cancelled, None), is(Step::InitialSync, failed, "SYNC_CANCELLED"));
}

#[test]
fn another_mapping_asks_for_everything_to_be_read_again() {
    let remapped = PlanningSettings { mapping_time: Some(at(9)), ..synced() };
    // It belongs to the mapping before.
    let old = run(SyncState::Succeeded);

    let next = next_of(Some(&remapped), Some(&old), &[]);

    assert_eq!(next, is(Step::InitialSync, StepState::Ready, "MAPPING_CHANGED"));
}

#[test]
fn a_missing_consent_is_named_before_anything_is_read() {
    let integration = integration(IntegrationState::Connected);
    let settings = mapped();
    let facts = Facts {
        integration: &integration,
        settings: Some(&settings),
        lost_field: None,
        may_flow: false,
        newest_run: None,
        subscriptions: &[],
    };

    assert_eq!(next(&steps(&facts)), (Step::InitialSync, "CONSENT_MISSING".into()));
}

#[test]
fn a_mapped_field_that_is_gone_asks_for_the_mapping_again() {
    let integration = integration(IntegrationState::Connected);
    let settings = synced();
    let facts = Facts {
        integration: &integration,
        settings: Some(&settings),
        lost_field: Some("AREA_FIELD_LOST"),
        may_flow: true,
        newest_run: None,
        subscriptions: &[],
    };

    let steps = steps(&facts);

    assert_eq!(next(&steps), (Step::FieldMapping, "AREA_FIELD_LOST".into()));
    assert_eq!((steps[2].state, steps[3].state), (StepState::Failed, StepState::Done));
}

#[test]
fn one_webhook_that_failed_is_told_though_others_work() {
    let activated = PlanningSettings { webhooks_time: Some(at(4)), ..synced() };
    let both = [webhook(SubscriptionState::Active), webhook(SubscriptionState::Failed)];

    let next = next_of(Some(&activated), None, &both);

    assert_eq!(next, is(Step::Webhooks, StepState::Failed, "NOT_ALLOWED"));
}
