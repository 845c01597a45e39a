//! The one address of our client at a provider: our secret first,
//! then the account in the body finds the tenant.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::Utc;
use http::{HeaderMap, Method};
use serde_json::json;
use stellwerk::proto::{
    DisableWebhookEndpointRequest, ListProvidersRequest, ListWebhookEndpointsRequest,
    RotateWebhookSecretRequest, SignatureScheme,
};
use tonic::Code;

use super::{Hook, ask, events, headers, sha256};
use crate::support::{
    app::TestApp,
    booking_tool::{Answer, client},
    tenant::TestTenant,
};

const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Posts to the client's address.
async fn post(app: &TestApp, provider: &str, headers: HeaderMap, body: &[u8]) -> (Answer, String) {
    let path = format!("/api/webhooks/{provider}");
    ask(&client(), app.http(), Method::POST, &path, headers, body).await
}

fn slack(secret: &str, body: &[u8]) -> HeaderMap {
    let stamp = Utc::now().timestamp().to_string();
    let mac = sha256(secret.as_bytes(), &[b"v0:", stamp.as_bytes(), b":", body]);
    headers(&[
        ("x-slack-signature", &format!("v0={}", hex::encode(mac))),
        ("x-slack-request-timestamp", &stamp),
    ])
}

fn dropbox(secret: &str, body: &[u8]) -> HeaderMap {
    headers(&[("x-dropbox-signature", &hex::encode(sha256(secret.as_bytes(), &[body])))])
}

/// An integration of the tenant whose grant the provider gave for this account.
async fn granted(app: &TestApp, tenant: &TestTenant, provider: &str, account: &str) -> String {
    let hook = Hook::of(app, tenant, provider, SignatureScheme::Unspecified, "").await;
    let id = hook.endpoint.integration_id;
    let owner = app.database.owner().await;
    owner.run(&format!("UPDATE integration SET granted_account_id = '{account}' WHERE id = '{id}'")).await;
    id
}

async fn with_slack() -> TestApp {
    let setting = format!("--provider-setting=SLACK_SIGNING_SECRET={SLACK_SECRET}");
    TestApp::builder().setting(&setting).start().await
}

fn message(team: &str, event: &str) -> Vec<u8> {
    json!({ "type": "event_callback", "team_id": team, "event_id": event, "event": { "type": "message" } })
        .to_string()
        .into_bytes()
}

/// P2, P3.
#[tokio::test]
async fn a_delivery_lands_at_the_tenant_whose_account_it_names_and_nowhere_else() {
    let app = with_slack().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    granted(&app, &acme, "slack", "T-acme").await;
    granted(&app, &globex, "slack", "T-globex").await;
    let body = message("T-acme", "Ev1");

    let forged = post(&app, "slack", slack("another", &body), &body).await.0;
    let kept = post(&app, "slack", slack(SLACK_SECRET, &body), &body).await;
    let again = post(&app, "slack", slack(SLACK_SECRET, &body), &body).await;
    let form = b"team_id=T-globex&command=%2Fstatus".as_slice();
    let mut of_form = slack(SLACK_SECRET, form);
    of_form.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let asked = post(&app, "slack", of_form, form).await.0;

    assert_eq!((forged.status.as_u16(), forged.body["reason"].as_str()), (401, Some("MISMATCH")));
    assert_eq!([&kept, &again].map(|(answer, text)| (answer.status.as_u16(), text.as_str())), [(200, ""); 2]);
    assert_eq!(asked.status, 200);
    let told = |events: &[stellwerk::proto::WebhookEvent]| {
        events.iter().map(|e| (e.event_type.clone(), e.delivery_id.clone())).collect::<Vec<_>>()
    };
    let entry = |name: &str, id: &str| (name.to_owned(), id.to_owned());
    assert_eq!(told(&events(&acme).await), [entry("message", "Ev1"), entry("message", "Ev1")]);
    assert_eq!(told(&events(&globex).await), [entry("/status", "")]);
}

/// P3, P13. What nobody here has connected is taken and forgotten, or the provider would shut our address.
#[tokio::test]
async fn an_account_that_nobody_has_is_answered_well_and_leaves_nothing() {
    let app = with_slack().await;
    let acme = app.tenant("acme").await;
    let integration = granted(&app, &acme, "slack", "T-acme").await;
    let stranger = message("T-nobody", "Ev1");

    let unknown = post(&app, "slack", slack(SLACK_SECRET, &stranger), &stranger).await.0;
    let owner = app.database.owner().await;
    owner.run(&format!("UPDATE integration SET state = 'disconnected' WHERE id = '{integration}'")).await;
    let late = message("T-acme", "Ev2");
    let late = post(&app, "slack", slack(SLACK_SECRET, &late), &late).await.0;
    let nameless = post(&app, "slack", slack(SLACK_SECRET, b"no json"), b"no json").await.0;

    assert_eq!([&unknown, &late, &nameless].map(|answer| answer.status.as_u16()), [200; 3]);
    assert_eq!(events(&acme).await, []);
}

/// P2.
#[tokio::test]
async fn without_the_clients_secret_there_is_no_such_address() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    granted(&app, &acme, "slack", "T-acme").await;
    let body = message("T-acme", "Ev1");

    for provider in ["slack", "dropbox", "notion", "github", "booking", "timetac"] {
        let answer = post(&app, provider, slack("", &body), &body).await.0;
        assert_eq!(
            (answer.status.as_u16(), answer.body["reason"].as_str()),
            (404, Some("WEBHOOK_ENDPOINT_NOT_FOUND")),
            "{provider}"
        );
    }
    let path = "/api/webhooks/dropbox?challenge=x";
    let asked = ask(&client(), app.http(), Method::GET, path, HeaderMap::new(), b"").await.0;
    assert_eq!(asked.status, 404);
    assert_eq!(events(&acme).await, []);
}

/// P3. Each tenant is told of its own account alone, though one delivery names them all.
#[tokio::test]
async fn a_delivery_for_several_accounts_is_kept_for_each_without_the_others() {
    const SECRET: &str = "a1b2c3d4e5f6g7h";
    let app = TestApp::builder()
        .setting("--provider-setting=DROPBOX_CLIENT_ID=our-app")
        .setting(&format!("--provider-setting=DROPBOX_CLIENT_SECRET={SECRET}"))
        .start()
        .await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    granted(&app, &acme, "dropbox", "dbid:acme").await;
    granted(&app, &globex, "dropbox", "dbid:globex").await;
    let body =
        json!({ "list_folder": { "accounts": ["dbid:acme", "dbid:nobody", "dbid:globex"] } }).to_string();

    let forged = post(&app, "dropbox", dropbox("another", body.as_bytes()), body.as_bytes()).await.0;
    let kept = post(&app, "dropbox", dropbox(SECRET, body.as_bytes()), body.as_bytes()).await.0;
    let (challenge, text) = ask(
        &client(),
        app.http(),
        Method::GET,
        "/api/webhooks/dropbox?challenge=abc%20def",
        HeaderMap::new(),
        b"",
    )
    .await;

    assert_eq!([forged.status, kept.status].map(|status| status.as_u16()), [401, 200]);
    for (tenant, account) in [(&acme, "dbid:acme"), (&globex, "dbid:globex")] {
        let [event] = &events(tenant).await[..] else { panic!("one event") };
        let own = json!({ "list_folder": { "accounts": [account] } }).to_string();
        assert_eq!((event.event_type.as_str(), event.reason.as_str()), ("files.changed", "NO_ADAPTER"));
        assert_eq!(event.body_size_bytes as usize, own.len());
    }
    assert_eq!((challenge.status.as_u16(), text.as_str()), (200, "abc def"));
    assert_eq!(challenge.headers["x-content-type-options"], "nosniff");
}

/// P2. Our client's OAuth secret also signs what comes to a tenant's own address, where that has no secret.
#[tokio::test]
async fn an_address_without_a_secret_falls_back_to_the_clients_and_one_with_a_secret_does_not() {
    const SECRET: &str = "secret-of-our-trello-app";
    let app = TestApp::builder()
        .setting("--provider-setting=TRELLO_CLIENT_ID=our-app")
        .setting(&format!("--provider-setting=TRELLO_CLIENT_SECRET={SECRET}"))
        .start()
        .await;
    let acme = app.tenant("acme").await;
    let of_ours = Hook::of(&app, &acme, "trello", SignatureScheme::Trello, "").await;
    let of_theirs = Hook::of(&app, &acme, "trello", SignatureScheme::Trello, "secret-of-their-own-app").await;
    let signed = |hook: &Hook| {
        let mac = super::sha1(SECRET.as_bytes(), &[b"{}", hook.endpoint.url.as_bytes()]);
        headers(&[("x-trello-webhook", &BASE64.encode(mac))])
    };

    let believed = of_ours.post(signed(&of_ours), b"{}").await;
    let not_believed = of_theirs.post(signed(&of_theirs), b"{}").await;

    assert_eq!([believed.status, not_believed.status].map(|status| status.as_u16()), [200, 401]);
}

/// P12. What comes in at the client's address is visible beside the tenant's own addresses,
/// and can be refused.
#[tokio::test]
async fn the_clients_address_is_shown_and_can_be_closed_for_one_tenant() {
    let app = with_slack().await;
    let acme = app.tenant("acme").await;
    let integration = granted(&app, &acme, "slack", "T-acme").await;
    let first = message("T-acme", "Ev1");
    post(&app, "slack", slack(SLACK_SECRET, &first), &first).await;

    let listed = acme.admin.webhooks().list_webhook_endpoints(ListWebhookEndpointsRequest::default()).await;
    let listed = listed.unwrap().into_inner().webhook_endpoints;
    let stand_in = listed.iter().find(|one| one.url.ends_with("/api/webhooks/slack")).unwrap();
    assert_eq!((&stand_in.integration_id, stand_in.secrets.len()), (&integration, 0));
    assert!(stand_in.last_delivery_time.is_some());
    let rotated = acme
        .admin
        .webhooks()
        .rotate_webhook_secret(RotateWebhookSecretRequest {
            webhook_endpoint_id: stand_in.webhook_endpoint_id.clone(),
            secret: "a-secret-of-my-own".into(),
            ..Default::default()
        })
        .await;
    assert_eq!(rotated.unwrap_err().code(), Code::InvalidArgument);
    let request = ListProvidersRequest { page_size: 200, ..Default::default() };
    let providers = acme.admin.integrations().list_providers(request).await.unwrap().into_inner().providers;
    let told = providers.iter().find(|one| one.provider == "slack").unwrap();
    assert_eq!(told.client_webhook_url, stand_in.url);

    let request = DisableWebhookEndpointRequest {
        webhook_endpoint_id: stand_in.webhook_endpoint_id.clone(),
        ..Default::default()
    };
    acme.admin.webhooks().disable_webhook_endpoint(request).await.unwrap();
    let second = message("T-acme", "Ev2");
    let answer = post(&app, "slack", slack(SLACK_SECRET, &second), &second).await.0;

    assert_eq!(answer.status, 200);
    assert_eq!(events(&acme).await.len(), 1);
}
