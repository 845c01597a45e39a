//! Signatures over the body, and secrets that are repeated: a test per provider.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{SecondsFormat, Utc};
use http::HeaderMap;
use stellwerk::proto::{SignatureScheme, WebhookEventStatus};

use super::{Hook, events, headers, sha1, sha256};
use crate::support::app::TestApp;

/// What a provider does, as its documentation says.
struct Story {
    provider: &'static str,
    scheme: SignatureScheme,
    /// The one that the provider made; empty where it is made here.
    secret: &'static str,
    /// Beside the proof.
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// The proof of a body under a secret, for an address.
    sign: fn(&str, &[u8], &str) -> HeaderMap,
    /// What the event is called, and its id; an empty one is none.
    told: (&'static str, &'static str),
    /// Whether the proof covers the body.
    covers_body: bool,
}

impl Story {
    async fn holds(self) {
        let app = TestApp::start().await;
        let acme = app.tenant("acme").await;
        let hook = Hook::of(&app, &acme, self.provider, self.scheme, self.secret).await;
        let address = hook.endpoint.url.clone();
        let signed = |secret: &str, body: &[u8]| {
            let mut all = headers(self.headers);
            all.extend((self.sign)(secret, body, &address));
            all
        };
        let body = self.body.as_bytes();
        let good = signed(&hook.secret, body);

        let unsigned = hook.post(headers(self.headers), body).await;
        let forged = hook.post(signed("another secret, which is long enough", body), body).await;
        let mut two = good.clone();
        two.insert("x-cal-signature-256", "00".parse().unwrap());
        let doubly = hook.post(two, body).await;
        assert_eq!([&unsigned, &forged, &doubly].map(|answer| answer.status.as_u16()), [401; 3]);
        assert_eq!(doubly.body["reason"], "TWO_SCHEMES");
        if self.covers_body {
            let changed = hook.post(good.clone(), &[body, b" "].concat()).await;
            assert_eq!((changed.status.as_u16(), changed.body["reason"].as_str()), (401, Some("MISMATCH")));
        }
        assert_eq!(events(&acme).await, [], "{}", self.provider);

        let kept = hook.post(good.clone(), body).await;
        let again = hook.post(good, body).await;

        assert_eq!([kept.status, again.status].map(|status| status.as_u16()), [200; 2], "{}", kept.body);
        let kept_ones = events(&acme).await;
        let [repeat, first] = &kept_ones[..] else { panic!("{kept_ones:?}") };
        assert_eq!(first.status(), WebhookEventStatus::Ignored);
        assert_eq!((first.provider.as_str(), first.reason.as_str()), (self.provider, "NO_ADAPTER"));
        assert_eq!((first.event_type.as_str(), first.delivery_id.as_str()), self.told);
        // Nobody would find a person in what nobody reads.
        assert_eq!(first.body_preview, "");
        let is_told = !self.told.1.is_empty() || self.provider == "bamboohr";
        let expected = if is_told { WebhookEventStatus::Duplicate } else { WebhookEventStatus::Ignored };
        assert_eq!(repeat.status(), expected);
    }
}

/// P2, P1.
#[tokio::test]
async fn github_is_believed_by_its_newer_signature() {
    Story {
        provider: "github",
        scheme: SignatureScheme::Github,
        secret: "",
        headers: &[
            ("x-github-event", "issues"),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ],
        body: r#"{"action":"opened","issue":{"number":1}}"#,
        sign: |secret, body, _| {
            let newer = format!("sha256={}", hex::encode(sha256(secret.as_bytes(), &[body])));
            let older = format!("sha1={}", hex::encode(sha1(secret.as_bytes(), &[body])));
            headers(&[("x-hub-signature-256", &newer), ("x-hub-signature", &older)])
        },
        told: ("issues", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn gitlab_is_believed_by_its_signing_token() {
    Story {
        provider: "gitlab",
        scheme: SignatureScheme::Standard,
        secret: "",
        headers: &[
            ("x-gitlab-event", "Issue Hook"),
            ("idempotency-key", "0b6b6a5e-1f0e-4b0c-9f10-2d6a1b6f0001"),
        ],
        body: r#"{"object_kind":"issue","project":{"id":1}}"#,
        sign: |secret, body, _| {
            let Some(encoded) = secret.strip_prefix("whsec_") else { return headers(&[("webhook-id", "x")]) };
            let (key, stamp) = (BASE64.decode(encoded).unwrap(), Utc::now().timestamp().to_string());
            let id = "0b6b6a5e-1f0e-4b0c-9f10-2d6a1b6f0001";
            let signed = sha256(&key, &[id.as_bytes(), b".", stamp.as_bytes(), b".", body]);
            let value = format!("v1,{}", BASE64.encode(signed));
            headers(&[("webhook-id", id), ("webhook-timestamp", &stamp), ("webhook-signature", &value)])
        },
        told: ("Issue Hook", "0b6b6a5e-1f0e-4b0c-9f10-2d6a1b6f0001"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn gitlab_is_believed_by_its_plain_token_where_the_address_was_made_for_that() {
    Story {
        provider: "gitlab",
        scheme: SignatureScheme::GitlabToken,
        secret: "",
        headers: &[("x-gitlab-event", "Note Hook"), ("idempotency-key", "key-1")],
        body: r#"{"object_kind":"note"}"#,
        sign: |secret, _, _| headers(&[("x-gitlab-token", secret)]),
        told: ("Note Hook", "key-1"),
        covers_body: false,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn jira_is_believed_by_the_signature_of_an_administrators_webhook() {
    Story {
        provider: "jira",
        scheme: SignatureScheme::Jira,
        secret: "",
        headers: &[("x-atlassian-webhook-identifier", "c0ffee-1")],
        body: r#"{"webhookEvent":"jira:issue_updated","issue":{"id":"10001"}}"#,
        sign: |secret, body, _| {
            let value = format!("sha256={}", hex::encode(sha256(secret.as_bytes(), &[body])));
            headers(&[("x-hub-signature", &value)])
        },
        told: ("jira:issue_updated", "c0ffee-1"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn trello_is_believed_by_a_signature_over_body_and_address() {
    Story {
        provider: "trello",
        scheme: SignatureScheme::Trello,
        secret: "5f1c0a9e7b3d4c2a8e6f1b0d9c8a7e6f",
        headers: &[],
        body: r#"{"action":{"id":"5f1c0a9e7b3d4c2a8e6f1b0d","type":"updateCard"},"model":{"id":"b1"}}"#,
        sign: |secret, body, address| {
            let value = BASE64.encode(sha1(secret.as_bytes(), &[body, address.as_bytes()]));
            headers(&[("x-trello-webhook", &value)])
        },
        told: ("updateCard", "5f1c0a9e7b3d4c2a8e6f1b0d"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn bamboohr_is_believed_by_a_signature_over_body_and_timestamp() {
    Story {
        provider: "bamboohr",
        scheme: SignatureScheme::Bamboohr,
        secret: "bhr-private-key-0123456789",
        headers: &[],
        body: r#"{"type":"employee.updated","data":{"employeeId":"7"}}"#,
        sign: |secret, body, _| {
            let stamp = Utc::now().timestamp().to_string();
            let value = hex::encode(sha256(secret.as_bytes(), &[body, stamp.as_bytes()]));
            headers(&[("x-bamboohr-signature", &value), ("x-bamboohr-timestamp", &stamp)])
        },
        told: ("employee.updated", ""),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn zendesk_is_believed_by_a_signature_over_timestamp_and_body() {
    Story {
        provider: "zendesk",
        scheme: SignatureScheme::Zendesk,
        secret: "dGhlIHNlY3JldCBvZiB0aGlzIHdlYmhvb2s=",
        headers: &[("x-zendesk-webhook-invocation-id", "01HINVOCATION")],
        body: r#"{"type":"zen:event-type:ticket.created","id":"evt-1"}"#,
        sign: |secret, body, _| {
            let stamp = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
            let value = BASE64.encode(sha256(secret.as_bytes(), &[stamp.as_bytes(), body]));
            headers(&[
                ("x-zendesk-webhook-signature", &value),
                ("x-zendesk-webhook-signature-timestamp", &stamp),
            ])
        },
        told: ("zen:event-type:ticket.created", "01HINVOCATION"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn dropbox_is_believed_by_its_apps_secret_at_an_address_of_a_tenants_own_app() {
    Story {
        provider: "dropbox",
        scheme: SignatureScheme::Dropbox,
        secret: "a1b2c3d4e5f6g7h",
        headers: &[],
        body: r#"{"list_folder":{"accounts":["dbid:AAA"]}}"#,
        sign: |secret, body, _| {
            headers(&[("x-dropbox-signature", &hex::encode(sha256(secret.as_bytes(), &[body])))])
        },
        told: ("files.changed", ""),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn notion_is_believed_by_a_verification_token_that_was_given_by_hand() {
    Story {
        provider: "notion",
        scheme: SignatureScheme::Notion,
        secret: "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl",
        headers: &[],
        body: r#"{"id":"367cba44-b6f3-4c92-81e7-6a2e9659efd4","type":"page.created","workspace_id":"w1"}"#,
        sign: |secret, body, _| {
            let value = format!("sha256={}", hex::encode(sha256(secret.as_bytes(), &[body])));
            headers(&[("x-notion-signature", &value)])
        },
        told: ("page.created", "367cba44-b6f3-4c92-81e7-6a2e9659efd4"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn google_channels_are_believed_by_the_token_that_they_were_opened_with() {
    Story {
        provider: "google",
        scheme: SignatureScheme::GoogleChannel,
        secret: "",
        headers: &[
            ("x-goog-channel-id", "4ba78bf0"),
            ("x-goog-message-number", "10"),
            ("x-goog-resource-state", "exists"),
        ],
        body: "",
        sign: |secret, _, _| headers(&[("x-goog-channel-token", secret)]),
        told: ("exists", "4ba78bf0/10"),
        covers_body: false,
    }
    .holds()
    .await;
}

/// P2, P1.
#[tokio::test]
async fn workday_is_believed_where_a_customer_posts_as_standard_webhooks_do() {
    Story {
        provider: "workday",
        scheme: SignatureScheme::Unspecified,
        secret: "",
        headers: &[],
        body: r#"{"type":"absence.requested","worker":"0e44c92412d34b01ace61e80a47aaf6d"}"#,
        sign: |secret, body, _| {
            let Some(encoded) = secret.strip_prefix("whsec_") else { return headers(&[("webhook-id", "x")]) };
            let (key, stamp) = (BASE64.decode(encoded).unwrap(), Utc::now().timestamp().to_string());
            let signed = sha256(&key, &[b"msg_1.", stamp.as_bytes(), b".", body]);
            let value = format!("v1,{}", BASE64.encode(signed));
            headers(&[("webhook-id", "msg_1"), ("webhook-timestamp", &stamp), ("webhook-signature", &value)])
        },
        told: ("absence.requested", "msg_1"),
        covers_body: true,
    }
    .holds()
    .await;
}

/// P2. A tenant's own app, at an address of its own.
#[tokio::test]
async fn slack_is_believed_by_its_signing_secret_and_answered_without_a_word() {
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let hook = Hook::of(&app, &acme, "slack", SignatureScheme::Slack, SECRET).await;
    let signed = |secret: &str, stamp: i64, body: &str| {
        let stamp = stamp.to_string();
        let mac = sha256(secret.as_bytes(), &[b"v0:", stamp.as_bytes(), b":", body.as_bytes()]);
        let value = format!("v0={}", hex::encode(mac));
        headers(&[("x-slack-signature", &value), ("x-slack-request-timestamp", &stamp)])
    };
    let now = Utc::now().timestamp();
    let event = r#"{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"message"}}"#;
    let command = "team_id=T1&command=%2Fstatus&text=";

    let stale = hook.post(signed(SECRET, now - 301, event), event.as_bytes()).await;
    let forged = hook.post(signed("another", now, event), event.as_bytes()).await;
    let moved = hook.post(signed(SECRET, now, event), command.as_bytes()).await;
    let kept = hook.post(signed(SECRET, now, event), event.as_bytes()).await;
    let again = hook.post(signed(SECRET, now, event), event.as_bytes()).await;
    let mut of_form = signed(SECRET, now, command);
    of_form.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let asked = hook.post(of_form, command.as_bytes()).await;

    assert_eq!([&stale, &forged, &moved].map(|answer| answer.status.as_u16()), [401; 3]);
    assert_eq!(
        [stale.body["reason"].as_str(), moved.body["reason"].as_str()],
        [Some("TIMESTAMP_TOO_OLD"), Some("MISMATCH")]
    );
    for answer in [&kept, &again, &asked] {
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &serde_json::Value::Null));
    }
    let told: Vec<_> =
        events(&acme).await.into_iter().map(|event| (event.event_type.clone(), event.status())).collect();
    assert_eq!(
        told,
        [
            ("/status".to_owned(), WebhookEventStatus::Ignored),
            ("message".to_owned(), WebhookEventStatus::Duplicate),
            ("message".to_owned(), WebhookEventStatus::Ignored),
        ]
    );
}
