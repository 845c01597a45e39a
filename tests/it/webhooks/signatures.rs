//! Who is believed. Whatever is not signed as the endpoint asks for is answered 401 and leaves nothing.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::Utc;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use stellwerk::{
    ids::TenantId,
    proto::{self, SignatureScheme},
    vault::Place,
};
use uuid::Uuid;

use super::erika;
use crate::support::{
    app::TestApp,
    booking_tool::{TestBookingTool, headers},
    caller::TestCaller,
    database::{Session, until_waiting},
    desk,
    said::said,
};

/// Everything that a delivery could leave behind.
async fn traces(owner: &Session) -> Vec<String> {
    owner
        .lines(
            "SELECT 'event' FROM webhook_event UNION ALL SELECT 'key' FROM webhook_body_key \
             UNION ALL SELECT 'dedupe' FROM webhook_dedupe UNION ALL SELECT 'patient' FROM patient \
             UNION ALL SELECT 'message' FROM outbox \
             UNION ALL SELECT 'activity' FROM webhook_activity \
             WHERE window_count > 0 OR last_delivery_time IS NOT NULL",
        )
        .await
}

fn with(mut headers: HeaderMap, name: &'static str, value: &str) -> HeaderMap {
    headers.insert(name, value.parse().unwrap());
    headers
}

fn doubled(mut headers: HeaderMap, name: &'static str) -> HeaderMap {
    let value = headers[name].clone();
    headers.append(name, value);
    headers
}

fn joined(mut headers: HeaderMap, others: HeaderMap) -> HeaderMap {
    headers.extend(others);
    headers
}

fn without(mut headers: HeaderMap, name: &'static str) -> HeaderMap {
    headers.remove(name).unwrap();
    headers
}

/// P2.
#[tokio::test]
async fn a_legacy_delivery_that_is_not_signed_as_agreed_leaves_nothing_behind() {
    const NAME: &str = "x-webhook-signature";
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let standard = acme.booking_tool(SignatureScheme::Standard).await;
    let body = said("patient.created", erika()).to_string().into_bytes();
    let now = Utc::now().timestamp();
    let good = tool.signed("msg_0", now, &body);
    let digits = good[NAME].to_str().unwrap().trim_start_matches("sha256=").to_string();
    let stranger = tool.with_secret(&"0".repeat(64)).signed("msg_0", now, &body);
    let both = joined(good.clone(), standard.signed("msg_0", now, &body));
    let unbelievable = [
        ("none", HeaderMap::new()),
        ("empty", with(good.clone(), NAME, "")),
        ("a stranger's", stranger),
        ("of another body", tool.signed("msg_0", now, b"{}")),
        ("truncated", with(good.clone(), NAME, &digits[..62])),
        ("a prefix of it", with(good.clone(), NAME, &digits[..8])),
        ("longer", with(good.clone(), NAME, &format!("{digits}00"))),
        ("non-hex", with(good.clone(), NAME, &format!("zz{}", &digits[2..]))),
        ("upper case", with(good.clone(), NAME, &digits.to_uppercase())),
        ("of another hash", with(good.clone(), NAME, &format!("sha1={digits}"))),
        ("doubled", doubled(good.clone(), NAME)),
        ("both in one", with(good.clone(), NAME, &format!("{digits},{digits}"))),
        ("two schemes'", both),
        ("the other scheme's", standard.signed("msg_0", now, &body)),
        ("half of the other scheme", with(good.clone(), "webhook-id", "msg_1")),
    ];

    for (what, headers) in unbelievable {
        let answer = tool.post(headers, body.clone()).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert!(answer.body.get("event_id").is_none(), "{what}");
    }

    assert_eq!(traces(&app.database.owner().await).await, [""; 0]);
    let bare = with(good.clone(), NAME, &digits);
    assert_eq!(tool.post(bare, body.clone()).await.kept(), "success");
    let prefixed = with(good, NAME, &format!("sha256={digits}"));
    assert_eq!(tool.post(prefixed, body).await.kept(), "duplicate");
}

/// P2.
#[tokio::test]
async fn a_standard_delivery_that_is_not_signed_as_agreed_leaves_nothing_behind() {
    const NAMES: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    const SIGNATURE: &str = NAMES[2];
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let legacy = acme.booking_tool(SignatureScheme::Legacy).await;
    let body = said("patient.created", erika()).to_string().into_bytes();
    let now = Utc::now().timestamp();
    let good = tool.signed("msg_1", now, &body);
    let value = good[SIGNATURE].to_str().unwrap().to_string();
    let stranger = tool.with_secret(&format!("whsec_{}", BASE64.encode([0; 32]))).signed("msg_0", now, &body);
    let both = joined(good.clone(), legacy.signed("msg_0", now, &body));
    let mut unbelievable = vec![
        ("none", HeaderMap::new()),
        ("a stranger's", stranger),
        ("of another body", tool.signed("msg_0", now, b"{}")),
        ("of another id", with(good.clone(), NAMES[0], "msg_2")),
        ("of another time", with(good.clone(), NAMES[1], &(now - 1).to_string())),
        ("replayed late", tool.signed("msg_1", now - 330, &body)),
        ("from the future", tool.signed("msg_1", now + 330, &body)),
        ("no time", with(good.clone(), NAMES[1], "yesterday")),
        ("an odd id", tool.signed("msg.1", now, &body)),
        ("too long an id", tool.signed(&"m".repeat(65), now, &body)),
        ("truncated", with(good.clone(), SIGNATURE, &value[..value.len() - 4])),
        ("non-base64", with(good.clone(), SIGNATURE, "v1,!!!!")),
        ("no version", with(good.clone(), SIGNATURE, &value[3..])),
        ("an unknown version", with(good.clone(), SIGNATURE, &value.replace("v1,", "v1a,"))),
        ("two schemes'", both),
        ("the other scheme's", legacy.signed("msg_0", now, &body)),
    ];
    for name in NAMES {
        unbelievable.push(("missing", without(good.clone(), name)));
        unbelievable.push(("doubled", doubled(good.clone(), name)));
        unbelievable.push(("empty", with(good.clone(), name, "")));
    }

    for (what, headers) in unbelievable {
        let answer = tool.post(headers, body.clone()).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert!(answer.body.get("event_id").is_none(), "{what}");
    }

    assert_eq!(traces(&app.database.owner().await).await, [""; 0]);
    assert_eq!(tool.post(good, body.clone()).await.kept(), "success");
    let within_300_s = tool.signed("msg_1", now - 270, &body);
    assert_eq!(tool.post(within_300_s, body).await.kept(), "duplicate");
}

#[derive(Deserialize)]
struct Vectors {
    /// Those of other kinds have other fields.
    vectors: Vec<Value>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    key: String,
    key_encoding: String,
    body: Option<String>,
    message_id: Option<String>,
    timestamp: Option<String>,
    expected: String,
    header_value: Option<String>,
}

/// P2. A published signature is believed, which shows in that the body is read; with a bit of it turned it is
/// not. Old timestamps cannot be believed, so that of the Standard Webhooks vectors only refusals are seen.
#[tokio::test]
async fn published_vectors_are_believed_over_http() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let vectors: Vectors = serde_json::from_str(include_str!("../../data/signature_vectors.json")).unwrap();
    let of_ours = vectors.vectors.into_iter().filter(|vector| vector["group"] == "hmac");

    let mut seen = 0;
    for vector in of_ours {
        let vector: Vector = serde_json::from_value(vector).unwrap();
        let is_standard = vector.key_encoding == "whsec-base64";
        let scheme = if is_standard { SignatureScheme::Standard } else { SignatureScheme::Legacy };
        let tool = acme.booking_tool(scheme).await;
        give_secret(&app, TenantId(acme.id), &tool, &vector.key).await;
        let value = vector.header_value.clone().unwrap_or_else(|| vector.expected.clone());
        let body = vector.body.clone().unwrap().into_bytes();
        let sent = |value: String| match (&vector.message_id, &vector.timestamp) {
            (Some(id), Some(time)) => headers([
                ("webhook-id", id.clone()),
                ("webhook-timestamp", time.clone()),
                ("webhook-signature", value),
            ]),
            _ => headers([("x-webhook-signature", value)]),
        };

        let published = tool.post(sent(value.clone()), body.clone()).await;
        let mut turned = value.into_bytes();
        let last = turned.len() - 2;
        turned[last] = if turned[last] == b'0' { b'1' } else { b'0' };
        let forged = tool.post(sent(String::from_utf8(turned).unwrap()), body).await;

        assert_eq!(forged.status, 401, "{}", vector.id);
        match is_standard {
            true => assert_eq!(published.status, 401, "{}", vector.id),
            false => {
                assert!([200, 400].contains(&published.status.as_u16()), "{}: {}", vector.id, published.body)
            }
        }
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

/// Seals a secret of our choice where the endpoint's own one lies.
async fn give_secret(app: &TestApp, tenant: TenantId, tool: &TestBookingTool, secret: &str) {
    let owner = app.database.owner().await;
    let row = owner
        .value(&format!(
            "SELECT id FROM webhook_secret WHERE webhook_endpoint_id = '{}'",
            tool.endpoint.webhook_endpoint_id
        ))
        .await;
    let place = Place { table: "webhook_secret", column: "sealed_secret", row: row.parse::<Uuid>().unwrap() };
    let key = app.domain.tenant_key(tenant).await.unwrap();
    let sealed = hex::encode(key.seal(place, secret.as_bytes()).unwrap());
    owner.run(&format!("UPDATE webhook_secret SET sealed_secret = '\\x{sealed}' WHERE id = '{row}'")).await;
}

async fn rotate(admin: &TestCaller, tool: &TestBookingTool, grace_s: i64) -> TestBookingTool {
    let request = proto::RotateWebhookSecretRequest {
        webhook_endpoint_id: tool.endpoint.webhook_endpoint_id.clone(),
        grace_period: Some(prost_types::Duration { seconds: grace_s, nanos: 0 }),
        ..Default::default()
    };
    let rotated = admin.webhooks().rotate_webhook_secret(request).await.unwrap().into_inner();
    tool.with_secret(&rotated.secret)
}

/// What each of them is answered to a ping.
async fn statuses<const N: usize>(tools: [&TestBookingTool; N]) -> Vec<u16> {
    let mut told = Vec::new();
    for tool in tools {
        told.push(tool.tell(&said("ping", json!({}))).await.status.as_u16());
    }
    told
}

/// P2, P10.
#[tokio::test]
async fn after_a_rotation_the_old_secret_works_for_the_grace_period_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    for scheme in [SignatureScheme::Legacy, SignatureScheme::Standard] {
        let first = acme.booking_tool(scheme).await;
        let second = rotate(&acme.admin, &first, 3600).await;
        let in_overlap = statuses([&first, &second]).await;
        let owner = app.database.owner().await;
        owner
            .run(
                "UPDATE webhook_secret SET expire_time = now() - interval '1 ms' \
                 WHERE expire_time IS NOT NULL",
            )
            .await;
        let afterwards = statuses([&first, &second]).await;
        let third = rotate(&acme.admin, &second, 0).await;
        let without_grace = statuses([&second, &third]).await;

        assert_eq!([in_overlap, afterwards, without_grace], [vec![200, 200], vec![401, 200], vec![401, 200]]);
    }
}

/// P2, P10.
#[tokio::test]
async fn a_rotation_without_grace_ends_every_older_secret() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let first = acme.booking_tool(SignatureScheme::Standard).await;
    let second = rotate(&acme.admin, &first, 3600).await;

    let third = rotate(&acme.admin, &second, 0).await;

    let told = statuses([&first, &second, &third]).await;
    assert_eq!(told, [401, 401, 200]);
    assert_eq!(desk::events(&acme.admin).await.len(), 1);
}

/// P2, P10. What somebody takes back binds the deliveries, too, that have been judged and wait for their turn.
#[tokio::test]
async fn a_delivery_that_waited_is_judged_by_what_is_valid_when_its_turn_comes() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    let [disabled, rotated, graced] = [
        acme.booking_tool(SignatureScheme::Legacy).await,
        acme.booking_tool(SignatureScheme::Legacy).await,
        acme.booking_tool(SignatureScheme::Legacy).await,
    ];
    let id = |tool: &TestBookingTool| tool.endpoint.webhook_endpoint_id.clone();
    let disable =
        proto::DisableWebhookEndpointRequest { webhook_endpoint_id: id(&disabled), ..Default::default() };
    let rotate = |tool: &TestBookingTool, seconds| proto::RotateWebhookSecretRequest {
        webhook_endpoint_id: id(tool),
        grace_period: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..Default::default()
    };
    let (at_once, later) = (rotate(&rotated, 0), rotate(&graced, 3600));
    let body = said("patient.created", erika());
    blocker.run("BEGIN; SELECT FROM webhook_activity FOR UPDATE").await;

    let (of_disabled, of_rotated, of_graced, ()) =
        tokio::join!(disabled.tell(&body), rotated.tell(&body), graced.tell(&body), async {
            until_waiting(&owner, 3).await;
            acme.admin.webhooks().disable_webhook_endpoint(disable).await.unwrap();
            acme.admin.webhooks().rotate_webhook_secret(at_once).await.unwrap();
            acme.admin.webhooks().rotate_webhook_secret(later).await.unwrap();
            blocker.run("ROLLBACK").await;
        });

    assert_eq!((of_disabled.status.as_u16(), of_disabled.reason()), (404, "WEBHOOK_ENDPOINT_NOT_FOUND"));
    assert_eq!((of_rotated.status.as_u16(), of_rotated.reason()), (401, "MISMATCH"));
    assert_eq!(of_graced.kept(), "success");
    assert_eq!(desk::events(&acme.admin).await.len(), 1);
}
