//! Which deliveries of a provider without ids are repeats.

use chrono::Utc;
use stellwerk::proto::{SignatureScheme, WebhookEventStatus};

use super::{Hook, events, headers, sha256};
use crate::support::app::TestApp;

/// BambooHR's trap 5: an employee's name may change to and fro.
#[tokio::test]
async fn what_bamboohr_says_again_at_another_time_is_news() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let secret = "bhr-private-key-0123456789";
    let hook = Hook::of(&app, &acme, "bamboohr", SignatureScheme::Bamboohr, secret).await;
    let body = br#"{"employees":[{"id":"7","changedFields":["lastName"],"action":"Updated"}]}"#;
    let said_ago = |seconds: i64| {
        let stamp = (Utc::now().timestamp() - seconds).to_string();
        let value = hex::encode(sha256(secret.as_bytes(), &[body, stamp.as_bytes()]));
        headers(&[("x-bamboohr-signature", &value), ("x-bamboohr-timestamp", &stamp)])
    };
    let (first, later) = (said_ago(20), said_ago(0));

    for headers in [&first, &first, &later, &later] {
        assert_eq!(hook.post(headers.clone(), body).await.status.as_u16(), 200);
    }

    use WebhookEventStatus::{Duplicate, Ignored};
    let newest_first: Vec<_> = events(&acme).await.iter().map(|event| event.status()).collect();
    assert_eq!(newest_first, [Duplicate, Ignored, Duplicate, Ignored]);
}
