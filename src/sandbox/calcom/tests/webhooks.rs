//! Subscriptions, as the API keeps them.

use super::*;

fn subscription(url: &str) -> Value {
    json!({ "subscriberUrl": url, "active": true, "triggers": ["BOOKING_CREATED", "BOOKING_CANCELLED"],
            "secret": "hush" })
}

const URL: &str = "https://example.org/hook";

#[tokio::test]
async fn a_subscription_is_made_shown_changed_and_deleted() {
    let stage = Stage::start().await;

    let made = stage.post("/v2/webhooks", subscription(URL)).await;
    let path = format!("/v2/webhooks/{}", made.data()["id"].as_str().unwrap());
    let shown = stage.get(&path).await;
    let change = json!({ "active": false, "secret": "new", "triggers": ["BOOKING_PAID"] });
    let changed = stage.call(Method::PATCH, &path, Some(change)).await;
    let listed = stage.get("/v2/webhooks").await;
    let deleted = stage.call(Method::DELETE, &path, None).await;

    assert_eq!((made.status, &made.data()["userId"]), (201, &json!(stage.host.id)));
    assert_eq!(shown.data()["secret"], "hush", "in clear");
    assert_eq!((&changed.data()["active"], &changed.data()["secret"]), (&json!(false), &json!("new")));
    assert_eq!(changed.data()["subscriberUrl"], URL);
    assert_eq!(listed.data().as_array().unwrap().len(), 1);
    assert_eq!((deleted.status, stage.get(&path).await.refusal().0), (200, 404));
}

#[tokio::test]
async fn a_url_is_taken_once_per_user_and_once_per_event_type() {
    let stage = Stage::start().await;
    let of_type = format!("/v2/event-types/{}/webhooks", stage.visit);
    let other = stage.post("/v2/webhooks", subscription("https://example.org/other")).await;

    let first = stage.post("/v2/webhooks", subscription(URL)).await;
    let second = stage.post("/v2/webhooks", subscription(URL)).await;
    let narrow = stage.post(&of_type, subscription(URL)).await;
    let narrow_again = stage.post(&of_type, subscription(URL)).await;
    let path = format!("/v2/webhooks/{}", other.data()["id"].as_str().unwrap());
    let renamed = stage.call(Method::PATCH, &path, Some(json!({ "subscriberUrl": URL }))).await;

    assert_eq!((first.status, narrow.status), (201, 201));
    assert_eq!((second.refusal().0, second.refusal().1), (409, 'A'));
    assert_eq!(second.body["error"]["code"], "ConflictException");
    assert_eq!((narrow_again.refusal().0, renamed.refusal().0), (409, 409));
}

#[tokio::test]
async fn what_cannot_be_subscribed_is_400() {
    let stage = Stage::start().await;
    let changed = |key: &str, value: Value| {
        let mut body = subscription(URL);
        body[key] = value;
        body
    };

    for body in [
        changed("triggers", json!(["BOOKING_CONFIRMED"])),
        changed("triggers", json!(["PING"])),
        changed("triggers", json!([])),
        changed("active", Value::Null),
        changed("subscriberUrl", json!("hook")),
        changed("version", json!("2020-01-01")),
    ] {
        let refused = stage.post("/v2/webhooks", body.clone()).await;
        assert_eq!((refused.refusal().0, refused.refusal().1), (400, 'A'), "{body}");
    }
    assert!(stage.calcom.webhooks().is_empty());
}

#[tokio::test]
async fn subscriptions_of_an_event_type_are_a_list_of_their_own() {
    let stage = Stage::start().await;
    let of_type = format!("/v2/event-types/{}/webhooks", stage.visit);
    let wide = stage.post("/v2/webhooks", subscription(URL)).await;
    let narrow = stage.post(&of_type, subscription(URL)).await;
    let one = format!("{of_type}/{}", narrow.data()["id"].as_str().unwrap());
    let crossed = format!("{of_type}/{}", wide.data()["id"].as_str().unwrap());

    let shown = stage.get(&one).await;
    let changed = stage.call(Method::PATCH, &one, Some(json!({ "active": false }))).await;
    let wrong = stage.get(&crossed).await;
    let deleted = stage.call(Method::DELETE, &one, None).await;
    stage.post(&of_type, subscription(URL)).await.data();
    let emptied = stage.call(Method::DELETE, &of_type, None).await;

    assert_eq!(shown.data()["eventTypeId"], stage.visit);
    assert_eq!((&changed.data()["active"], deleted.status), (&json!(false), 200));
    assert_eq!(wrong.refusal().0, 400);
    assert!(emptied.data().is_string());
    assert_eq!(stage.get(&of_type).await.data(), &json!([]));
    assert_eq!(stage.calcom.webhooks().len(), 1);
}

#[tokio::test]
async fn subscriptions_are_their_owners_business() {
    let stage = Stage::start().await;
    let stranger = stage.calcom.add_user("Max Beispiel", "max@example.org", Berlin);
    let made = stage.post("/v2/webhooks", subscription(URL)).await;
    let path = format!("/v2/webhooks/{}", made.data()["id"].as_str().unwrap());
    let of_type = format!("/v2/event-types/{}/webhooks", stage.visit);
    let as_stranger = async |method, path: &str, body| {
        stage.call_as(Some(&stranger.api_key), None, method, path, body).await
    };

    assert_eq!(as_stranger(Method::DELETE, &path, None).await.refusal().0, 403);
    let body = Some(subscription(URL));
    assert_eq!(as_stranger(Method::POST, &of_type, body).await.refusal().0, 403);
    assert_eq!(as_stranger(Method::GET, "/v2/webhooks", None).await.data(), &json!([]));
    assert_eq!(stage.anonymous(Method::GET, "/v2/webhooks", None).await.refusal().0, 401);
    assert_eq!(stage.post("/v2/event-types/1/webhooks", subscription(URL)).await.refusal().0, 404);
}
