//! The steps: which one is next and why, each of them repeated, and refused where it comes too early.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::sync_log,
    proto::{self, OnboardingStep, OnboardingStepState, WorkspacePlan},
    store,
    words::{Plan, SyncKind},
};
use tonic::Code;
use uuid::Uuid;

use crate::support::{
    app::TestApp,
    fields,
    planned::{self, Planned},
    reason,
};

/// The next step and its reason.
fn next(onboarding: &proto::Onboarding) -> (OnboardingStep, &str) {
    (onboarding.next_step(), &onboarding.reason)
}

fn states(onboarding: &proto::Onboarding) -> Vec<OnboardingStepState> {
    onboarding.steps.iter().map(proto::OnboardingStepStatus::state).collect()
}

#[tokio::test]
async fn an_admin_is_led_from_the_workspace_to_webhooks_that_work() {
    let app = planned::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, planned::double().await);
    let planned = Planned::new(&app, &tenant, &double).await;
    let project = planned.add_project("Wohnhaus am Wall");
    planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 12.5.into());

    let begun = planned.onboarding().await;
    assert_eq!(next(&begun), (OnboardingStep::Workspace, "WORKSPACE_NOT_SELECTED"));
    use OnboardingStepState::{Done, Ready, Waiting};
    assert_eq!(states(&begun), [Done, Ready, Waiting, Waiting, Waiting]);

    let selected = planned.select(planned.workspace).await.unwrap();
    assert_eq!(next(&selected), (OnboardingStep::FieldMapping, "AREA_NOT_MAPPED"));
    let workspace = selected.workspace.unwrap();
    assert_eq!((workspace.name.as_str(), workspace.plan()), ("Planungsbüro am Wall", WorkspacePlan::Paid));

    let mapped = planned.map(planned.mapping()).await.unwrap();
    assert_eq!(next(&mapped), (OnboardingStep::InitialSync, "NOT_SYNCED"));

    let run = planned.start_sync().await.unwrap();
    assert_eq!(run.kind(), proto::SyncKind::Full);
    app.work_until_idle().await;
    let synced = planned.onboarding().await;
    assert_eq!(next(&synced), (OnboardingStep::Webhooks, "WEBHOOKS_NOT_ACTIVE"));

    planned.activate().await.unwrap();
    app.work_until_idle().await;
    let done = planned.onboarding().await;
    assert_eq!(next(&done), (OnboardingStep::Done, ""));
    assert_eq!((done.webhook_count, done.active_webhook_count), (2, 2));
    assert_eq!(states(&done), [Done, Done, Done, Done, Done]);
}

#[tokio::test]
async fn workspaces_are_paged_and_the_chosen_one_is_marked() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    for name in ["Zweitbüro", "Drittbüro"] {
        planned.asana.join(planned.asana.add_workspace(name), planned.user);
    }
    planned.select(planned.workspace).await.unwrap();

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = proto::ListWorkspacesRequest { integration_id: planned.id(), page_size: 2, page_token };
        let page = planned.admin.onboarding().list_workspaces(request).await.unwrap().into_inner();
        seen.extend(page.workspaces.into_iter().map(|one| (one.name, one.is_selected)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }

    seen.sort();
    let names: Vec<_> = seen.iter().map(|(name, is_selected)| (name.as_str(), *is_selected)).collect();
    assert_eq!(names, [("Drittbüro", false), ("Planungsbüro am Wall", true), ("Zweitbüro", false)]);
}

#[tokio::test]
async fn choosing_the_workspace_again_keeps_the_mapping_and_another_one_begins_anew() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let second = planned.asana.add_workspace("Zweitbüro");
    planned.asana.join(second, planned.user);
    planned.add_project("Wohnhaus am Wall");
    planned.select(planned.workspace).await.unwrap();
    planned.map(planned.mapping()).await.unwrap();

    let again = planned.select(planned.workspace).await.unwrap();
    let other = planned.select(second).await.unwrap();

    assert_eq!(next(&again), (OnboardingStep::InitialSync, "NOT_SYNCED"));
    assert_eq!(again.field_mapping.unwrap().area_field_name, "Bereich");
    assert_eq!(next(&other), (OnboardingStep::FieldMapping, "AREA_NOT_MAPPED"));
    assert!(other.field_mapping.is_none());
}

#[tokio::test]
async fn a_workspace_of_which_something_was_read_cannot_be_exchanged() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let second = planned.asana.add_workspace("Zweitbüro");
    planned.asana.join(second, planned.user);
    planned.with_projects(&[]).await;

    let refused = planned.select(second).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "WORKSPACE_IN_USE"));
    planned.select(planned.workspace).await.unwrap();
}

#[tokio::test]
async fn a_workspace_that_the_account_is_not_in_is_not_found() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let strangers = planned.asana.add_workspace("Fremdes Büro");

    let refused = planned.select(strangers).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "WORKSPACE_NOT_FOUND"));
}

#[tokio::test]
async fn the_plan_decides_how_often_asana_is_asked() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;

    planned.select(planned.workspace).await.unwrap();

    let mut tx = planned.tx().await;
    let flow = store::integration_flow::find(&mut tx, planned.integration).await.unwrap().unwrap();
    assert!(flow.capacity + 60.0 * flow.refill_per_s <= 1500.0);
    assert!(flow.refill_per_s >= 12.0);
    let settings = store::planning::settings::find(&mut tx, planned.integration).await.unwrap().unwrap();
    assert_eq!(settings.plan, Plan::Paid);
}

/// A budget that is there already follows what is said about the plan later.
#[tokio::test]
async fn another_plan_or_rate_counts_at_once_and_a_repeated_choice_keeps_it() {
    let app = planned::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("acme").await, planned::double().await);
    let planned = Planned::new(&app, &tenant, &double).await;
    let capacity = async || {
        let mut tx = planned.tx().await;
        let flow = store::integration_flow::find(&mut tx, planned.integration).await.unwrap().unwrap();
        flow.capacity
    };
    let choose = async |plan: WorkspacePlan| {
        let request = proto::SelectWorkspaceRequest {
            integration_id: planned.id(),
            workspace_gid: planned.workspace.to_string(),
            plan: plan.into(),
            ..Default::default()
        };
        planned.admin.onboarding().select_workspace(request).await.unwrap();
        capacity().await
    };

    let paid = choose(WorkspacePlan::Paid).await;
    let free = choose(WorkspacePlan::Free).await;
    let rate = proto::UpdateIntegrationRequest {
        integration_id: planned.id(),
        requests_per_minute: 600,
        ..Default::default()
    };
    planned.admin.integrations().update_integration(rate).await.unwrap();
    let agreed = capacity().await;
    let repeated = choose(WorkspacePlan::Unspecified).await;
    let paid_again = choose(WorkspacePlan::Paid).await;

    assert_eq!([paid, free, agreed, repeated, paid_again], [750.0, 75.0, 300.0, 300.0, 750.0]);
    assert_eq!(planned.owner.value("SELECT count(*) FROM integration_flow").await, "1");
}

#[tokio::test]
async fn steps_that_come_too_early_say_what_is_missing() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let list = proto::ListCustomFieldsRequest { integration_id: planned.id(), ..Default::default() };
    let preview = proto::PreviewFieldMappingRequest { integration_id: planned.id(), ..Default::default() };

    let before_workspace = [
        planned.admin.onboarding().list_custom_fields(list).await.unwrap_err(),
        planned.map(planned.mapping()).await.unwrap_err(),
        planned.admin.onboarding().preview_field_mapping(preview.clone()).await.unwrap_err(),
        planned.start_sync().await.unwrap_err(),
    ];
    planned.select(planned.workspace).await.unwrap();
    let before_mapping = [
        planned.admin.onboarding().preview_field_mapping(preview).await.unwrap_err(),
        planned.start_sync().await.unwrap_err(),
    ];
    let before_sync = planned.activate().await.unwrap_err();

    assert!(before_workspace.iter().all(|status| reason(status) == "WORKSPACE_NOT_SELECTED"));
    assert!(before_mapping.iter().all(|status| reason(status) == "FIELD_MAPPING_MISSING"));
    assert_eq!(reason(&before_sync), "INITIAL_SYNC_MISSING");
    assert_eq!(before_sync.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_run_that_is_under_way_is_named_when_another_is_asked_for() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.add_project("Wohnhaus am Wall");
    planned.select(planned.workspace).await.unwrap();
    planned.map(planned.mapping()).await.unwrap();
    let request =
        proto::StartInitialSyncRequest { integration_id: planned.id(), idempotency_key: "first".into() };

    let first = planned.admin.onboarding().start_initial_sync(request.clone()).await.unwrap().into_inner();
    let repeated = planned.admin.onboarding().start_initial_sync(request).await.unwrap().into_inner();
    let refused = planned.start_sync().await.unwrap_err();

    assert_eq!(first.sync_log.unwrap().sync_log_id, repeated.sync_log.unwrap().sync_log_id);
    assert_eq!(reason(&refused), "SYNC_RUNNING");
    let onboarding = planned.onboarding().await;
    assert_eq!(next(&onboarding), (OnboardingStep::InitialSync, "SYNC_RUNNING"));
    assert_eq!(onboarding.steps[3].state(), OnboardingStepState::Running);
}

#[tokio::test]
async fn an_integration_of_another_kind_or_tenant_has_no_onboarding() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    let stranger = app.tenant("globex").await;
    let request = proto::GetOnboardingRequest { integration_id: planned.id() };
    let unknown = proto::GetOnboardingRequest { integration_id: Uuid::now_v7().to_string() };

    let strangers = stranger.admin.onboarding().get_onboarding(request).await.unwrap_err();
    let nobodys = planned.admin.onboarding().get_onboarding(unknown).await.unwrap_err();
    let booking = booking_integration(&app, &planned).await;
    let booking = proto::GetOnboardingRequest { integration_id: booking };
    let of_another_kind = planned.admin.onboarding().get_onboarding(booking).await.unwrap_err();

    assert_eq!(reason(&strangers), "INTEGRATION_NOT_FOUND");
    assert_eq!(reason(&nobodys), "INTEGRATION_NOT_FOUND");
    assert_eq!(fields(&of_another_kind), ["integration_id"]);
}

async fn booking_integration(app: &TestApp, planned: &Planned) -> String {
    let mut tx = app.domain.store.tenant(planned.tenant).await.unwrap();
    let id = stellwerk::ids::IntegrationId::new();
    let row = store::integration::Integration::new(id, "booking", "Buchung", Utc::now());
    store::integration::insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

#[tokio::test]
async fn an_account_that_lets_us_in_no_more_is_to_be_connected_again_first() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.asana.revoke_token(&planned.token);

    let refused = planned.select(planned.workspace).await.unwrap_err();

    assert_eq!(reason(&refused), "INTEGRATION_STATE");
    let onboarding = planned.onboarding().await;
    assert_eq!(next(&onboarding), (OnboardingStep::Authorization, "CREDENTIAL_REFUSED"));
    let again = planned.select(planned.workspace).await.unwrap_err();
    assert_eq!(reason(&again), "INTEGRATION_STATE");
}

#[tokio::test]
async fn a_run_by_hand_counts_as_the_newest_one() {
    let app = planned::app().without_worker().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let mut tx = planned.tx().await;
    let mut settings = store::planning::settings::find(&mut tx, planned.integration).await.unwrap().unwrap();
    settings.mapping_time = settings.mapping_time.map(|time| time + TimeDelta::milliseconds(1));
    store::planning::settings::save(&mut tx, &settings).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(next(&planned.onboarding().await), (OnboardingStep::InitialSync, "MAPPING_CHANGED"));
    let (caller, none) = (planned.caller(), crate::support::calcom::no_key());
    let now = Utc::now() + TimeDelta::seconds(1);
    let run = sync_log::start(&planned.domain, &caller, &none, planned.integration, now).await.unwrap();

    assert_eq!(run.kind, SyncKind::Manual);
    assert_eq!(next(&planned.onboarding().await), (OnboardingStep::InitialSync, "SYNC_RUNNING"));
}
