//! How providers ask whether an address is meant for them.

use chrono::Utc;
use http::{HeaderMap, Method};
use serde_json::json;
use stellwerk::proto::{
    RevealWebhookSecretRequest, RotateWebhookSecretRequest, SignatureScheme, WebhookEventStatus,
};

use super::{Hook, events, headers, sha256};
use crate::support::{app::TestApp, reason};

fn notion(token: &str, body: &[u8]) -> HeaderMap {
    let value = format!("sha256={}", hex::encode(sha256(token.as_bytes(), &[body])));
    headers(&[("x-notion-signature", &value)])
}

/// P2, P10.
#[tokio::test]
async fn notion_tells_its_token_once_and_a_person_sees_it_once() {
    const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "notion", SignatureScheme::Notion, "").await;
    let id = hook.endpoint.webhook_endpoint_id.clone();
    let reveal = async |key: &str| {
        let request =
            RevealWebhookSecretRequest { webhook_endpoint_id: id.clone(), idempotency_key: key.into() };
        let shown = acme.admin.webhooks().reveal_webhook_secret(request).await;
        shown.map(|shown| shown.into_inner().secret).map_err(|status| reason(&status))
    };
    let told = json!({ "verification_token": TOKEN }).to_string();
    let event = br#"{"id":"e-1","type":"page.created"}"#;
    assert_eq!(reveal("too-early").await, Err("WEBHOOK_SECRET_NOT_TO_BE_SHOWN".into()));

    let forged = hook.post(notion("another", told.as_bytes()), told.as_bytes()).await;
    let taken = hook.post(notion(TOKEN, told.as_bytes()), told.as_bytes()).await;
    let other = json!({ "verification_token": "secret_of_somebody_else" }).to_string();
    let second = hook.post(notion("secret_of_somebody_else", other.as_bytes()), other.as_bytes()).await;
    let believed = hook.post(notion(TOKEN, event), event).await;
    let not_believed = hook.post(notion("secret_of_somebody_else", event), event).await;

    assert_eq!([&forged, &taken, &second].map(|answer| answer.status.as_u16()), [401, 200, 409]);
    assert_eq!(second.body["reason"], "HANDSHAKE_NOT_EXPECTED");
    assert_eq!([&believed, &not_believed].map(|answer| answer.status.as_u16()), [200, 401]);
    assert_eq!(events(&acme).await.len(), 1);
    assert_eq!(reveal("k-1").await, Ok(TOKEN.into()));
    assert_eq!(reveal("k-1").await, Ok(String::new()));
    assert_eq!(reveal("k-2").await, Err("WEBHOOK_SECRET_NOT_TO_BE_SHOWN".into()));
}

/// P2.
#[tokio::test]
async fn after_a_rotation_notion_may_tell_another_token() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "notion", SignatureScheme::Notion, "secret_of_the_first_days").await;
    let request = RotateWebhookSecretRequest {
        webhook_endpoint_id: hook.endpoint.webhook_endpoint_id.clone(),
        grace_period: Some(prost_types::Duration { seconds: 0, nanos: 0 }),
        ..Default::default()
    };
    let told = json!({ "verification_token": "secret_of_the_second_day" }).to_string();
    let tell = async || hook.post(notion("secret_of_the_second_day", told.as_bytes()), told.as_bytes()).await;
    let unasked = tell().await;

    acme.admin.webhooks().rotate_webhook_secret(request).await.unwrap();
    let asked = tell().await;

    assert_eq!([unasked.status, asked.status].map(|status| status.as_u16()), [409, 200]);
    let old = hook.post(notion("secret_of_the_first_days", b"{}"), b"{}").await;
    let new = hook.post(notion("secret_of_the_second_day", b"{}"), b"{}").await;
    assert_eq!([old.status, new.status].map(|status| status.as_u16()), [401, 200]);
}

/// P2.
#[tokio::test]
async fn slacks_challenge_is_echoed_when_it_is_signed_and_only_then() {
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "slack", SignatureScheme::Slack, SECRET).await;
    const CHALLENGE: &str = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    let body = json!({ "type": "url_verification", "token": "x", "challenge": CHALLENGE }).to_string();
    let body = body.as_bytes();
    let stamp = Utc::now().timestamp().to_string();
    let value =
        format!("v0={}", hex::encode(sha256(SECRET.as_bytes(), &[b"v0:", stamp.as_bytes(), b":", body])));
    let signed = headers(&[("x-slack-signature", &value), ("x-slack-request-timestamp", &stamp)]);

    let unsigned = hook.post(HeaderMap::new(), body).await;
    let (echoed, text) = super::ask(&hook.client, hook.http, Method::POST, &hook.path, signed, body).await;

    assert_eq!(unsigned.status, 401);
    assert_eq!(echoed.status, 200);
    assert!(echoed.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!(text, CHALLENGE);
    assert_eq!(events(&acme).await, []);
}

/// P2.
#[tokio::test]
async fn microsofts_token_is_echoed_decoded_as_plain_text_at_a_known_address() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "microsoft365", SignatureScheme::Microsoft365, "").await;

    let (echoed, text) = hook.read(Method::POST, "?validationToken=Validation%3A+a%2Bb%20%3Cc%3E").await;
    let (twice, _) = hook.read(Method::POST, "?validationToken=a&validationToken=b").await;
    let (got, _) = hook.read(Method::GET, "?validationToken=a").await;
    let long = "a".repeat(5000);
    let (too_long, _) = hook.read(Method::POST, &format!("?validationToken={long}")).await;
    let nowhere = "/api/webhooks/microsoft365/nobody?validationToken=a";
    let (unknown, _) =
        super::ask(&hook.client, hook.http, Method::POST, nowhere, HeaderMap::new(), b"").await;

    assert_eq!((echoed.status.as_u16(), text.as_str()), (200, "Validation: a+b <c>"));
    assert!(echoed.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
    assert_eq!([&twice, &got, &too_long, &unknown].map(|one| one.status.as_u16()), [401, 405, 401, 404]);
    assert_eq!(events(&acme).await, []);
}

/// P2.
#[tokio::test]
async fn trello_finds_a_known_address_by_head_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let trello = Hook::of(&app, &acme, "trello", SignatureScheme::Trello, "").await;
    let github = Hook::of(&app, &acme, "github", SignatureScheme::Github, "").await;
    let known = trello.read(Method::HEAD, "").await.0;
    let got = trello.read(Method::GET, "").await.0;
    let others = github.read(Method::HEAD, "").await.0;
    let nowhere = "/api/webhooks/trello/nobody";
    let unknown =
        super::ask(&trello.client, trello.http, Method::HEAD, nowhere, HeaderMap::new(), b"").await.0;

    assert_eq!([&known, &got, &others, &unknown].map(|one| one.status.as_u16()), [200, 405, 405, 404]);
}

/// P1.
#[tokio::test]
async fn a_first_delivery_that_says_nothing_is_verified_and_noted_as_that() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let google = Hook::of(&app, &acme, "google", SignatureScheme::GoogleChannel, "").await;
    let github = Hook::of(&app, &acme, "github", SignatureScheme::Github, "").await;
    let sync = headers(&[
        ("x-goog-channel-token", &google.secret),
        ("x-goog-channel-id", "4ba78bf0"),
        ("x-goog-message-number", "1"),
        ("x-goog-resource-state", "sync"),
    ]);
    let body = br#"{"zen":"Keep it logically awesome."}"#;
    let value = format!("sha256={}", hex::encode(sha256(github.secret.as_bytes(), &[body])));
    let ping = headers(&[("x-hub-signature-256", &value), ("x-github-event", "ping")]);

    let synced = google.post(sync, b"").await;
    let pinged = github.post(ping.clone(), body).await;
    let forged = github.post(ping, b"{}").await;

    assert_eq!([synced.status, pinged.status, forged.status].map(|status| status.as_u16()), [200, 200, 401]);
    for event in events(&acme).await {
        assert_eq!((event.status(), event.reason.as_str()), (WebhookEventStatus::Ignored, "HANDSHAKE"));
    }
    assert_eq!(events(&acme).await.len(), 2);
}
