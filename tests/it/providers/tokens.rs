//! JWTs: signed with a shared secret, or with a provider's published keys.

use chrono::Utc;
use serde_json::{Value, json};
use stellwerk::proto::{SignatureScheme, WebhookEventStatus};

use super::{Hook, events, headers};
use crate::support::{
    app::TestApp,
    jwt::{ES256, KeyServer, PS256, RS256, sign_hs256, unsigned},
};

fn bearer(token: &str) -> http::HeaderMap {
    headers(&[("authorization", &format!("Bearer {token}"))])
}

/// P2.
#[tokio::test]
async fn jira_is_believed_by_a_token_that_its_clients_secret_signed() {
    const SECRET: &str = "client-secret-of-an-app-at-atlassian";
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "jira", SignatureScheme::JiraClient, SECRET).await;
    let now = Utc::now().timestamp();
    let claims = json!({ "iss": "jira", "iat": now, "exp": now + 180 });
    let old = json!({ "iss": "jira", "iat": now - 600, "exp": now - 400 });
    let body = br#"{"webhookEvent":"jira:issue_created","issue":{"id":"10001"}}"#;

    for (what, token) in [
        ("unsigned", unsigned(&claims)),
        ("of a stranger", sign_hs256("k", b"another", &claims)),
        ("expired", sign_hs256("k", SECRET.as_bytes(), &old)),
        ("signed with a key pair", RS256.sign(&claims)),
    ] {
        let answer = hook.post(bearer(&token), body).await;
        assert_eq!(answer.status, 401, "{what}");
    }
    assert_eq!(hook.post(http::HeaderMap::new(), body).await.status, 401);
    assert_eq!(events(&acme).await, []);
    let kept = hook.post(bearer(&sign_hs256("k", SECRET.as_bytes(), &claims)), body).await;

    assert_eq!((kept.status.as_u16(), kept.body["reason"].as_str()), (200, Some("NO_ADAPTER")));
    assert_eq!(events(&acme).await[0].event_type, "jira:issue_created");
}

/// P2.
#[tokio::test]
async fn gmail_is_believed_by_googles_token_for_this_address_and_its_service_account() {
    const ACCOUNT: &str = "push@project.iam.gserviceaccount.example.org";
    let keys = KeyServer::start(&[RS256]).await;
    let app = TestApp::builder()
        .setting(&format!("--egress-allow={}", keys.host()))
        .setting(&format!("--provider-setting=STELLWERK_GOOGLE_URL=http://{}", keys.host()))
        .start()
        .await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "google", SignatureScheme::GooglePush, ACCOUNT).await;
    let now = Utc::now().timestamp();
    let claims = |change: &[(&str, Value)]| {
        let mut claims = json!({
            "iss": "https://accounts.google.com", "aud": hook.endpoint.url, "email": ACCOUNT,
            "email_verified": true, "iat": now, "exp": now + 3600,
        });
        for (name, value) in change {
            claims[*name] = value.clone();
        }
        claims
    };
    let body = br#"{"message":{"messageId":"m-1","data":"eyJoaXN0b3J5SWQiOiIxIn0="},"subscription":"s"}"#;

    for (what, token) in [
        ("for another address", RS256.sign(&claims(&[("aud", json!("https://evil.example.org/"))]))),
        ("of another account", RS256.sign(&claims(&[("email", json!("evil@example.org"))]))),
        ("of an unverified account", RS256.sign(&claims(&[("email_verified", json!(false))]))),
        ("of another issuer", RS256.sign(&claims(&[("iss", json!("https://evil.example.org"))]))),
        ("expired", RS256.sign(&claims(&[("exp", json!(now - 120))]))),
        ("with an algorithm that Google does not use", PS256.sign(&claims(&[]))),
        ("signed with the name of a key", sign_hs256(RS256.kid, ACCOUNT.as_bytes(), &claims(&[]))),
        ("signed with an unknown key", ES256.sign(&claims(&[]))),
        ("unsigned", unsigned(&claims(&[]))),
    ] {
        assert_eq!(hook.post(bearer(&token), body).await.status, 401, "{what}");
    }
    assert_eq!(events(&acme).await, []);
    let good = RS256.sign(&claims(&[]));
    let kept = hook.post(bearer(&good), body).await;
    let again = hook.post(bearer(&good), body).await;

    assert_eq!([kept.status, again.status].map(|status| status.as_u16()), [200; 2]);
    let told: Vec<_> = events(&acme).await.iter().map(|e| (e.delivery_id.clone(), e.status())).collect();
    let id = || "m-1".to_owned();
    assert_eq!(told, [(id(), WebhookEventStatus::Duplicate), (id(), WebhookEventStatus::Ignored)]);
}

/// P1, P2. Nobody can say whether it is authentic, so the provider is to repeat it.
#[tokio::test]
async fn while_a_providers_keys_cannot_be_read_it_is_asked_to_come_again() {
    let keys = KeyServer::start(&[RS256]).await;
    keys.answer_with(http::StatusCode::SERVICE_UNAVAILABLE, "");
    let app = TestApp::builder()
        .setting(&format!("--egress-allow={}", keys.host()))
        .setting(&format!("--provider-setting=STELLWERK_GOOGLE_URL=http://{}", keys.host()))
        .start()
        .await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "google", SignatureScheme::GooglePush, "push@project.example.org").await;

    let answer =
        hook.post(bearer(&RS256.sign(&json!({ "iss": "https://accounts.google.com" }))), b"{}").await;

    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(events(&acme).await, []);
}

/// P2.
#[tokio::test]
async fn microsoft_is_believed_with_data_only_beside_tokens_for_our_client() {
    const PUBLISHER: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";
    let keys = KeyServer::start(&[RS256]).await;
    let app = TestApp::builder()
        .setting(&format!("--egress-allow={}", keys.host()))
        .setting(&format!("--provider-setting=STELLWERK_MICROSOFT365_URL=http://{}", keys.host()))
        .setting("--provider-setting=MICROSOFT365_CLIENT_ID=our-client")
        .setting("--provider-setting=MICROSOFT365_CLIENT_SECRET=a-secret-that-nobody-needs-here")
        .start()
        .await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "microsoft365", SignatureScheme::Microsoft365Data, "").await;
    let now = Utc::now().timestamp();
    let token = |audience: &str, publisher: (&str, &str)| {
        RS256.sign(&json!({
            "iss": "https://login.microsoftonline.com/84bd8158/v2.0", "aud": audience,
            publisher.0: publisher.1, "iat": now, "exp": now + 600,
        }))
    };
    let body = |state: &str, tokens: Value| {
        let element = json!({ "id": "n1", "clientState": state, "changeType": "created" });
        json!({ "value": [element], "validationTokens": tokens }).to_string()
    };
    let good = [token("our-client", ("azp", PUBLISHER)), token("our-client", ("appid", PUBLISHER))];

    for (what, body) in [
        ("no token", body(&hook.secret, json!([]))),
        ("no list", body(&hook.secret, Value::Null)),
        (
            "a token for another client",
            body(&hook.secret, json!([good[0], token("other", ("azp", PUBLISHER))])),
        ),
        ("a token of another publisher", body(&hook.secret, json!([token("our-client", ("azp", "other"))]))),
        ("another client state", body("forged", json!(good))),
    ] {
        assert_eq!(hook.post(http::HeaderMap::new(), body.as_bytes()).await.status, 401, "{what}");
    }
    assert_eq!(events(&acme).await, []);
    let kept = hook.post(http::HeaderMap::new(), body(&hook.secret, json!(good)).as_bytes()).await;

    assert_eq!((kept.status.as_u16(), kept.body["reason"].as_str()), (200, Some("NO_ADAPTER")));
}
