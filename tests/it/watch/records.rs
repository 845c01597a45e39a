//! Watches of one record: a run, a dashboard.

use stellwerk::proto::{
    SyncLogChange, SyncState, UpdateIntegrationRequest, WatchIntegrationStatusRequest,
    WatchIntegrationStatusResponse, WatchSyncLogRequest, WatchSyncLogResponse,
    watch_sync_log_response::Event as RunEvent,
};
use tokio::time::timeout;
use tonic::Streaming;
use uuid::Uuid;

use crate::support::{PATIENCE, app::TestApp, database::Session, tenant::TestTenant};

#[tokio::test]
async fn a_run_is_shown_as_it_stands_then_by_what_changes_until_it_is_over() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let integration = link_by_hand(&owner, &acme).await;
    let run = run_by_hand(&owner, &acme, &integration).await;
    let hr = acme.hr().await;
    let request = |resume_token: &str| WatchSyncLogRequest {
        sync_log_id: run.clone(),
        resume_token: resume_token.into(),
    };
    let update = async |set: &str| {
        owner.run(&format!("UPDATE sync_log SET revision = revision + 1, {set} WHERE id = '{run}'")).await
    };

    let mut stream = hr.sync_logs().watch_sync_log(request("")).await.unwrap().into_inner();
    let (_, snapshot) = run_event(&mut stream).await;
    update(r#"state = 'running', stage = 'bookings', counts = '{"bookings": {"total": 2, "processed": 1}}'"#)
        .await;
    let (token, running) = run_event(&mut stream).await;
    drop(stream);
    let mut stream = hr.sync_logs().watch_sync_log(request(&token)).await.unwrap().into_inner();
    update(r#"state = 'succeeded', end_time = now(), counts = '{"bookings": {"total": 2, "processed": 2}}'"#)
        .await;
    // The watch may have looked before the change, or only after it.
    let (_, over) = run_event(&mut stream).await;
    let end = timeout(PATIENCE, stream.message()).await.unwrap().unwrap();

    let RunEvent::Snapshot(snapshot) = snapshot else { panic!("{snapshot:?}") };
    let RunEvent::Change(running) = running else { panic!("{running:?}") };
    assert_eq!((snapshot.sync_log_id.as_str(), snapshot.state()), (run.as_str(), SyncState::Queued));
    assert_eq!((running.state(), running.stage.as_str()), (SyncState::Running, "bookings"));
    assert_eq!((running.counts[0].total, running.counts[0].processed), (2, 1));
    let (state, counts) = match over {
        RunEvent::Snapshot(run) => (run.state(), run.counts),
        RunEvent::Change(change) => (SyncLogChange::state(&change), change.counts),
    };
    assert_eq!((state, counts[0].processed), (SyncState::Succeeded, 2));
    assert_eq!(end, None);
}

#[tokio::test]
async fn a_dashboard_is_shown_again_when_it_changes() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let integration = link_by_hand(&app.database.owner().await, &acme).await;
    let request = |resume_token: String| WatchIntegrationStatusRequest {
        integration_id: integration.clone(),
        resume_token,
    };
    let rename = async |name: &str| {
        let request = UpdateIntegrationRequest {
            integration_id: integration.clone(),
            name: name.into(),
            ..Default::default()
        };
        acme.admin.integrations().update_integration(request).await.unwrap();
    };
    let watch = async |token: String| {
        let answer = acme.admin.integrations().watch_integration_status(request(token)).await;
        answer.unwrap().into_inner()
    };

    let mut stream = watch(String::new()).await;
    let first = dashboard(&mut stream).await;
    rename("Praxiskalender").await;
    let second = dashboard(&mut stream).await;
    drop(stream);
    let mut stream = watch(second.1).await;
    rename("Kalender der Praxis").await;
    let third = dashboard(&mut stream).await;

    assert_eq!([first.0, second.0, third.0], ["Kalender", "Praxiskalender", "Kalender der Praxis"]);
}

/// The name on the next dashboard, and where to go on.
async fn dashboard(stream: &mut Streaming<WatchIntegrationStatusResponse>) -> (String, String) {
    loop {
        let message = timeout(PATIENCE, stream.message()).await.expect("in time").unwrap().expect("no end");
        if let Some(status) = message.status {
            return (status.integration.expect("the integration").name, message.resume_token);
        }
    }
}

/// The next message that is no heartbeat, and where to go on.
async fn run_event(stream: &mut Streaming<WatchSyncLogResponse>) -> (String, RunEvent) {
    loop {
        let message = timeout(PATIENCE, stream.message()).await.expect("in time").unwrap().expect("no end");
        if let Some(event) = message.event {
            return (message.resume_token, event);
        }
    }
}

/// A calendar that nobody asks; returns its id.
async fn link_by_hand(owner: &Session, tenant: &TestTenant) -> String {
    let id = Uuid::now_v7();
    let insert = "INSERT INTO integration (tenant_id, id, provider, name, instance_url, account_id)";
    owner
        .run(&format!(
            "{insert} VALUES ('{}', '{id}', 'calcom', 'Kalender', 'https://cal.example.org/api/v2', '1')",
            tenant.id
        ))
        .await;
    id.to_string()
}

/// A run that nobody works on; returns its id.
async fn run_by_hand(owner: &Session, tenant: &TestTenant, integration: &str) -> String {
    let id = Uuid::now_v7();
    owner
        .run(&format!(
            "INSERT INTO sync_log (tenant_id, id, integration_id, kind, state, cause) \
             VALUES ('{}', '{id}', '{integration}', 'manual', 'queued', 'system')",
            tenant.id
        ))
        .await;
    id.to_string()
}
