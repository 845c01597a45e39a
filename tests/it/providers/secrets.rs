//! Secrets that come with what is told, and those that nobody has told yet.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{SecondsFormat, Utc};
use http::HeaderMap;
use stellwerk::proto::{SignatureScheme, WebhookEventStatus};

use super::{Hook, events, headers, sha256};
use crate::support::app::TestApp;

/// P2, P3.
#[tokio::test]
async fn an_element_with_another_client_state_is_dropped_and_the_others_are_kept() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "microsoft365", SignatureScheme::Microsoft365, "").await;
    let element = |id: &str, state: &str| {
        serde_json::json!({
            "id": id, "subscriptionId": "s1", "clientState": state, "changeType": "updated",
        })
    };
    let body = |elements: Vec<serde_json::Value>| serde_json::json!({ "value": elements }).to_string();
    let mixed = body(vec![element("n1", "forged"), element("n2", &hook.secret)]);
    let forged = body(vec![element("n1", "forged")]);

    let refused = hook.post(HeaderMap::new(), forged.as_bytes()).await;
    let kept = hook.post(HeaderMap::new(), mixed.as_bytes()).await;
    let again = hook.post(HeaderMap::new(), mixed.as_bytes()).await;

    assert_eq!([refused.status, kept.status, again.status].map(|status| status.as_u16()), [401, 200, 200]);
    let told = events(&acme).await;
    let ids: Vec<_> = told.iter().map(|event| (event.delivery_id.as_str(), event.status())).collect();
    assert_eq!(ids, [("n2", WebhookEventStatus::Duplicate), ("n2", WebhookEventStatus::Ignored)]);
    assert!(told[1].body_size_bytes < mixed.len() as i32);
}

/// P2.
#[tokio::test]
async fn an_address_whose_provider_has_not_told_its_secret_believes_nobody() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "zendesk", SignatureScheme::Zendesk, "").await;
    let stamp = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    // Everybody knows the secret of Zendesk's test sends.
    for secret in ["", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="] {
        let value = BASE64.encode(sha256(secret.as_bytes(), &[stamp.as_bytes(), b"{}"]));
        let signed = headers(&[
            ("x-zendesk-webhook-signature", &value),
            ("x-zendesk-webhook-signature-timestamp", &stamp),
        ]);

        let answer = hook.post(signed, b"{}").await;

        assert_eq!((answer.status.as_u16(), answer.body["reason"].as_str()), (401, Some("NO_SECRET")));
    }
    assert_eq!(hook.secret, "");
    assert_eq!(events(&acme).await, []);
}
