//! Runs that wait for a consent: refused without one, begun by whoever agrees, ended by who takes it back.

use prost_types::FieldMask;
use stellwerk::{
    proto::{
        ConsentScope, GrantConsentRequest, IntegrationHealth, ListSyncLogsRequest, OnboardingStep, SyncKind,
        SyncLog, SyncState, UpdateIntegrationRequest,
    },
    sandbox::asana::{Operation, Point},
};
use tonic::Code;

use super::{appointments_for, grant, require, revoke};
use crate::support::{
    app::TestApp,
    planned::{self, Planned},
    reason,
    tenant::TestTenant,
};

/// Onboarded up to the first run, with a project and a phase; a consent is needed, and none is there.
async fn unread() -> (TestApp, TestTenant, Planned) {
    let app = planned::app().start().await;
    let (tenant, double) = (app.tenant("acme").await, planned::double().await);
    let planned = Planned::new(&app, &tenant, &double).await;
    let project = planned.add_project("Wohnhaus");
    planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 4.into());
    planned.select(planned.workspace).await.unwrap();
    planned.map(planned.mapping()).await.unwrap();
    require(&tenant.admin, &planned.id()).await;
    app.work_until_idle().await;
    double.forget_requests();
    (app, tenant, planned)
}

/// Everything that a planning tool tells.
fn everything(planned: &Planned) -> GrantConsentRequest {
    let scopes = [ConsentScope::Planning, ConsentScope::Absences, ConsentScope::TimeEntries];
    GrantConsentRequest { scopes: scopes.map(Into::into).to_vec(), ..appointments_for(planned.integration) }
}

/// Those of everything, newest first.
async fn runs(planned: &Planned) -> Vec<SyncLog> {
    let kind = SyncKind::Full.into();
    let request = ListSyncLogsRequest { integration_id: planned.id(), kind, ..Default::default() };
    planned.admin.sync_logs().list_sync_logs(request).await.unwrap().into_inner().sync_logs
}

async fn health(planned: &Planned) -> (IntegrationHealth, String) {
    let status = planned.status().await;
    (status.health(), status.health_reason)
}

/// P2, P12.
#[tokio::test]
async fn a_first_run_that_was_refused_begins_by_itself_when_somebody_agrees() {
    let (app, tenant, planned) = unread().await;
    let hr = tenant.hr().await;

    let refused = [planned.start_sync().await.unwrap_err(), planned.start_sync().await.unwrap_err()];
    app.work_until_idle().await;
    let (onboarding, status) = (planned.onboarding().await, planned.status().await);
    let asked = planned.asana.requests().len();
    grant(&hr, everything(&planned)).await.unwrap();
    app.work_until_idle().await;

    for refused in refused {
        assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "CONSENT_MISSING".into()));
    }
    assert_eq!(
        (onboarding.next_step(), onboarding.reason.as_str()),
        (OnboardingStep::InitialSync, "CONSENT_MISSING")
    );
    assert_eq!(
        (status.health(), status.health_reason.as_str()),
        (IntegrationHealth::Degraded, "CONSENT_MISSING")
    );
    assert!(status.health_advice.starts_with("Grant a consent"), "{}", status.health_advice);
    assert_eq!(asked, 0);
    let runs: Vec<_> = runs(&planned).await.into_iter().map(|run| (run.state(), run.reason)).collect();
    let failed = (SyncState::Failed, "CONSENT_MISSING".to_owned());
    assert_eq!(runs, [(SyncState::Succeeded, String::new()), failed]);
    assert_eq!(planned.onboarding().await.next_step(), OnboardingStep::Webhooks);
    assert_eq!(health(&planned).await, (IntegrationHealth::Healthy, String::new()));
}

/// P2. The next one who agrees sets it going again; agreeing when nothing waits begins nothing.
#[tokio::test]
async fn a_run_that_a_revoked_consent_ended_begins_again_with_the_next_one() {
    let (app, tenant, planned) = unread().await;
    let first = grant(&tenant.admin, everything(&planned)).await.unwrap();
    let mut gate = planned.asana.pause_next(Point::AfterApplying, Operation::ListTasks);
    planned.start_sync().await.unwrap();
    gate.reached().await.expect("the tasks are asked for");

    revoke(&tenant.admin, &first).await.unwrap();
    gate.open();
    app.work_until_idle().await;
    let (ended, degraded) = (runs(&planned).await, health(&planned).await);
    grant(&tenant.admin, everything(&planned)).await.unwrap();
    app.work_until_idle().await;
    let begun = runs(&planned).await;
    grant(&tenant.admin, everything(&planned)).await.unwrap();
    app.work_until_idle().await;

    assert_eq!((ended.len(), ended[0].state()), (1, SyncState::Failed));
    assert_eq!(degraded, (IntegrationHealth::Degraded, "CONSENT_MISSING".into()));
    assert_eq!((begun.len(), begun[0].state()), (2, SyncState::Succeeded));
    assert_eq!(runs(&planned).await.len(), 2);
}

#[tokio::test]
async fn a_consent_that_is_needed_no_more_lets_go_what_waited_for_it() {
    let (app, _, planned) = unread().await;
    planned.start_sync().await.unwrap_err();

    let change = UpdateIntegrationRequest {
        integration_id: planned.id(),
        update_mask: Some(FieldMask { paths: vec!["consent_required".into()] }),
        ..Default::default()
    };
    planned.admin.integrations().update_integration(change).await.unwrap();
    app.work_until_idle().await;

    assert_eq!(runs(&planned).await[0].state(), SyncState::Succeeded);
    assert_eq!(health(&planned).await, (IntegrationHealth::Healthy, String::new()));
}
