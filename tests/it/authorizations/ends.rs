//! Whose account it is, connecting again, and the end.

use stellwerk::{
    proto::{self, Integration, IntegrationState},
    sandbox::oauth::OAuth,
};
use tonic::Code;

use crate::support::{
    app::TestApp,
    oauth::{app, complete, connect, double, obtain_code, start_request},
    reason,
    tenant::TestTenant,
};

async fn shown(tenant: &TestTenant, id: &str) -> Integration {
    let request = proto::GetIntegrationRequest { integration_id: id.into() };
    let found = tenant.admin.integrations().get_integration(request).await.unwrap().into_inner();
    found.integration.unwrap()
}

async fn disconnect(app: &TestApp, tenant: &TestTenant, id: &str) -> Integration {
    let request = proto::DisconnectIntegrationRequest { integration_id: id.into(), ..Default::default() };
    tenant.admin.integrations().disconnect_integration(request).await.unwrap();
    app.work_until_idle().await;
    shown(tenant, id).await
}

async fn linked() -> (OAuth, TestApp, TestTenant, Integration) {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let made = connect(&app, &acme, "asana").await;
    (asana, app, acme, made)
}

/// P3.
#[tokio::test]
async fn an_account_belongs_to_one_tenant_until_it_is_disconnected() {
    let (_asana, app, acme, made) = linked().await;
    let globex = app.tenant("globex").await;
    let code = obtain_code(&app, &globex.admin, start_request("asana")).await;

    let taken = complete(&globex.admin, &code).await.unwrap_err();
    let another = proto::StartAuthorizationRequest { another: true, ..start_request("asana") };
    let code = obtain_code(&app, &globex.admin, another).await;
    let taken_too = complete(&globex.admin, &code).await.unwrap_err();
    disconnect(&app, &acme, &made.integration_id).await;
    let theirs = connect(&app, &globex, "asana").await;

    assert_eq!((taken.code(), reason(&taken)), (Code::AlreadyExists, "ACCOUNT_TAKEN".into()));
    assert_eq!(reason(&taken_too), "ACCOUNT_TAKEN");
    assert_eq!(theirs.state(), IntegrationState::Connected);
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
    assert_eq!(reason(&complete(&acme.admin, &code).await.unwrap_err()), "ACCOUNT_TAKEN");
}

#[tokio::test]
async fn an_account_is_several_integrations_only_where_it_has_workspaces_to_choose_from() {
    let (_asana, app, acme, made) = linked().await;
    let of = |provider: &str| proto::StartAuthorizationRequest { another: true, ..start_request(provider) };
    let named =
        proto::StartAuthorizationRequest { integration_id: made.integration_id.clone(), ..of("asana") };

    let mut refused = Vec::new();
    for request in [of("slack"), of("calcom"), named] {
        refused.push(acme.admin.integrations().start_authorization(request).await.unwrap_err());
    }
    let code = obtain_code(&app, &acme.admin, of("asana")).await;
    let other = complete(&acme.admin, &code).await.unwrap();
    disconnect(&app, &acme, &other.integration_id).await;
    let same = connect(&app, &acme, "asana").await;

    assert!(refused.iter().all(|one| one.code() == Code::InvalidArgument), "{refused:?}");
    assert_ne!(other.integration_id, made.integration_id);
    assert_eq!(other.account_id, made.account_id);
    assert_eq!(same.integration_id, made.integration_id, "the one that was not ended");
}

#[tokio::test]
async fn connecting_again_keeps_the_integration_and_its_settings() {
    let (asana, app, acme, made) = linked().await;
    let change = proto::UpdateIntegrationRequest {
        integration_id: made.integration_id.clone(),
        name: "Board".into(),
        outbound_paused: true,
        requests_per_minute: 77,
        ..Default::default()
    };
    acme.admin.integrations().update_integration(change).await.unwrap();
    asana.forget_everybody();
    let refresh = proto::RefreshCredentialRequest { integration_id: made.integration_id.clone() };
    acme.admin.integrations().refresh_credential(refresh).await.unwrap_err();
    assert_eq!(shown(&acme, &made.integration_id).await.state(), IntegrationState::NeedsReconnect);

    let again = proto::StartAuthorizationRequest {
        integration_id: made.integration_id.clone(),
        ..start_request("asana")
    };
    let code = obtain_code(&app, &acme.admin, again).await;
    let back = complete(&acme.admin, &code).await.unwrap();

    assert_eq!(back.integration_id, made.integration_id);
    assert_eq!(
        (back.state(), back.name.as_str(), back.outbound_paused),
        (IntegrationState::Connected, "Board", true)
    );
    let owner = app.database.owner().await;
    assert_eq!(owner.value("SELECT capacity FROM integration_flow").await, "38.5");
    assert_eq!(owner.value("SELECT count(*) FROM integration").await, "1");
}

#[tokio::test]
async fn the_same_account_is_the_same_integration_and_another_one_is_refused_there() {
    let (asana, app, acme, made) = linked().await;

    let same = connect(&app, &acme, "asana").await;
    asana.account("9999", "Max Beispiel");
    let again = proto::StartAuthorizationRequest {
        integration_id: made.integration_id.clone(),
        ..start_request("asana")
    };
    let code = obtain_code(&app, &acme.admin, again).await;
    let refused = complete(&acme.admin, &code).await.unwrap_err();
    let other = connect(&app, &acme, "asana").await;

    assert_eq!(same.integration_id, made.integration_id);
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "OTHER_ACCOUNT".into()));
    assert_ne!(other.integration_id, made.integration_id);
    assert_eq!(shown(&acme, &made.integration_id).await.account_id, made.account_id);
}

/// A provider whose token answer does not say whose account it is, is asked; one that cannot be is refused.
#[tokio::test]
async fn an_account_that_the_token_answer_leaves_out_is_asked_for() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let told = connect(&app, &acme, "asana").await;
    asana.keep_account_secret();

    let asked = connect(&app, &acme, "asana").await;
    asana.account("", "");
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
    let unknown = complete(&acme.admin, &code).await.unwrap_err();

    assert_eq!(asked.integration_id, told.integration_id);
    assert_eq!((asked.account_id, asked.account_name), (told.account_id, told.account_name));
    assert_eq!((unknown.code(), reason(&unknown)), (Code::FailedPrecondition, "ACCOUNT_UNKNOWN".into()));
}

/// Asana's trap 31.
#[tokio::test]
async fn disconnecting_revokes_and_destroys_and_leaves_a_history() {
    let (asana, app, acme, made) = linked().await;
    assert_eq!(asana.grants(), 1);

    let ended = disconnect(&app, &acme, &made.integration_id).await;

    assert_eq!((ended.state(), ended.state_reason.as_str()), (IntegrationState::Disconnected, ""));
    // The double, as Asana, refuses an access token here.
    assert_eq!((asana.grants(), asana.revocations()), (0, 1));
    let request =
        proto::ListCredentialChangesRequest { integration_id: made.integration_id, ..Default::default() };
    let changes =
        acme.admin.integrations().list_credential_changes(request).await.unwrap().into_inner().changes;
    use proto::CredentialEvent::{Destroyed, Given, Revoked};
    assert_eq!(changes.iter().map(|one| one.event()).collect::<Vec<_>>(), [Destroyed, Revoked, Given]);
    assert_eq!(app.database.owner().await.value("SELECT count(*) FROM credential").await, "0");
}

#[tokio::test]
async fn a_calendar_is_connected_by_a_grant_as_by_a_key() {
    let calcom = double("calcom").await;
    let app = app("calcom", &calcom).without_worker().start().await;
    let acme = app.tenant("acme").await;

    let made = connect(&app, &acme, "calcom").await;

    assert_eq!(
        (made.state(), made.instance_url),
        (IntegrationState::Connected, format!("{}/v2", calcom.url()))
    );
    let owner = app.database.owner().await;
    assert_eq!(owner.lines("SELECT kind || ' ' || state FROM sync_log").await, ["full queued"]);
    assert_eq!(owner.lines("SELECT kind FROM outbox").await, ["sync_run"]);
}

/// Nobody would begin it again: what was told before it was disconnected still holds.
#[tokio::test]
async fn a_planning_tool_that_was_read_before_is_read_again_when_it_is_connected_again() {
    let (_asana, app, acme, made) = linked().await;
    let owner = app.database.owner().await;
    let read = "INSERT INTO planning_settings (tenant_id, integration_id, initial_sync_time) \
        SELECT tenant_id, id, now() FROM integration";
    owner.run(read).await;
    disconnect(&app, &acme, &made.integration_id).await;
    assert_eq!(owner.value("SELECT count(*) FROM sync_log").await, "0");

    let back = connect(&app, &acme, "asana").await;
    app.work_until_idle().await;

    assert_eq!(back.integration_id, made.integration_id);
    assert_eq!(owner.lines("SELECT kind FROM sync_log").await, ["incremental"]);
}
