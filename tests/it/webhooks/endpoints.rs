//! Addresses that a booking tool posts to: made, listed, given new secrets, taken out of use.

use stellwerk::proto::{self, SignatureScheme};
use tonic::{Code, Status};

use crate::support::{app::TestApp, caller::TestCaller, database::until_waiting, reason};

fn request(name: &str) -> proto::CreateWebhookEndpointRequest {
    proto::CreateWebhookEndpointRequest {
        provider: "booking".into(),
        name: name.into(),
        ..Default::default()
    }
}

async fn create(
    by: &TestCaller,
    request: proto::CreateWebhookEndpointRequest,
) -> (proto::WebhookEndpoint, String) {
    let made = by.webhooks().create_webhook_endpoint(request).await.unwrap().into_inner();
    (made.webhook_endpoint.unwrap(), made.secret)
}

async fn rotate(by: &TestCaller, id: &str, key: &str) -> Result<(proto::WebhookEndpoint, String), Status> {
    let request = proto::RotateWebhookSecretRequest {
        webhook_endpoint_id: id.into(),
        idempotency_key: key.into(),
        ..Default::default()
    };
    let rotated = by.webhooks().rotate_webhook_secret(request).await?.into_inner();
    Ok((rotated.webhook_endpoint.unwrap(), rotated.secret))
}

async fn disable(by: &TestCaller, id: &str) -> proto::WebhookEndpoint {
    let request =
        proto::DisableWebhookEndpointRequest { webhook_endpoint_id: id.into(), ..Default::default() };
    let disabled = by.webhooks().disable_webhook_endpoint(request).await.unwrap().into_inner();
    disabled.webhook_endpoint.unwrap()
}

async fn page(by: &TestCaller, page_size: i32, page_token: &str) -> proto::ListWebhookEndpointsResponse {
    let request = proto::ListWebhookEndpointsRequest { page_size, page_token: page_token.into() };
    by.webhooks().list_webhook_endpoints(request).await.unwrap().into_inner()
}

/// P10.
#[tokio::test]
async fn a_secret_is_shown_once_and_not_when_the_call_is_repeated() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let keyed =
        proto::CreateWebhookEndpointRequest { idempotency_key: "k-1".into(), ..request("front desk") };

    let (made, secret) = create(&acme.admin, keyed.clone()).await;
    let (repeated, nothing) = create(&acme.admin, keyed).await;
    let (rotated, next_secret) = rotate(&acme.admin, &made.webhook_endpoint_id, "k-1").await.unwrap();
    let (again, nothing_again) = rotate(&acme.admin, &made.webhook_endpoint_id, "k-1").await.unwrap();

    assert_eq!((&repeated, &again), (&made, &rotated));
    assert_eq!([nothing, nothing_again], ["", ""]);
    assert!(secret.starts_with("whsec_") && next_secret.starts_with("whsec_") && secret != next_secret);
    assert_eq!(page(&acme.admin, 0, "").await.webhook_endpoints, [rotated]);
}

/// P3.
#[tokio::test]
async fn endpoints_are_listed_newest_first_by_page_with_the_secrets_that_still_work() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    create(&globex.admin, request("theirs")).await;
    let (old, _) = create(
        &acme.admin,
        proto::CreateWebhookEndpointRequest {
            scheme: SignatureScheme::Legacy.into(),
            limit_per_minute: 7,
            ..request("old")
        },
    )
    .await;
    let (new, _) = create(&acme.admin, request("new")).await;
    rotate(&acme.admin, &old.webhook_endpoint_id, "").await.unwrap();

    let first = page(&acme.admin, 1, "").await;
    let last = page(&acme.admin, 1, &first.next_page_token).await;

    assert_eq!((&first.webhook_endpoints[0], last.next_page_token.as_str()), (&new, ""));
    let [listed] = &last.webhook_endpoints[..] else { panic!("{last:?}") };
    assert_eq!((listed.name.as_str(), listed.scheme()), ("old", SignatureScheme::Legacy));
    assert_eq!((listed.limit_per_minute, new.limit_per_minute), (7, 100));
    assert_eq!((&listed.url, &listed.integration_id), (&old.url, &new.integration_id));
    let expires: Vec<bool> = listed.secrets.iter().map(|secret| secret.expire_time.is_some()).collect();
    assert_eq!(expires, [false, true]);
}

/// P2.
#[tokio::test]
async fn a_disabled_endpoint_stays_disabled_and_gets_no_new_secret() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (made, _) = create(&acme.admin, request("front desk")).await;

    let disabled = disable(&acme.admin, &made.webhook_endpoint_id).await;
    let again = disable(&acme.admin, &made.webhook_endpoint_id).await;
    let refused = rotate(&acme.admin, &made.webhook_endpoint_id, "").await.unwrap_err();

    assert!(disabled.disabled && !made.disabled);
    assert_eq!(again, disabled);
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "WEBHOOK_ENDPOINT_DISABLED")
    );
}

/// P10. Nothing is held against them any more.
#[tokio::test]
async fn the_secrets_of_a_disabled_endpoint_end_with_it() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (made, _) = create(&acme.admin, request("front desk")).await;
    rotate(&acme.admin, &made.webhook_endpoint_id, "").await.unwrap();

    let disabled = disable(&acme.admin, &made.webhook_endpoint_id).await;

    assert_eq!(disabled.secrets, []);
    let lasting = "SELECT count(*) FROM webhook_secret WHERE expire_time IS NULL OR expire_time > now()";
    assert_eq!(app.database.owner().await.value(lasting).await, "0");
}

/// Ninety-nine more like the one that there is.
const COPIES: &str = "CREATE TEMP TABLE copy AS SELECT e.* FROM webhook_endpoint e, generate_series(1, 99); \
    UPDATE copy SET id = gen_random_uuid(), token_hash = sha256(gen_random_uuid()::text::bytea); \
    INSERT INTO webhook_endpoint SELECT * FROM copy";

/// P13.
#[tokio::test]
async fn a_hundred_open_endpoints_are_the_most_and_disabled_ones_make_room() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (made, _) = create(&acme.admin, request("front desk")).await;
    app.database.owner().await.run(COPIES).await;

    let beyond = acme.admin.webhooks().create_webhook_endpoint(request("one more")).await.unwrap_err();
    disable(&acme.admin, &made.webhook_endpoint_id).await;
    let instead = acme.admin.webhooks().create_webhook_endpoint(request("instead")).await;

    assert_eq!((beyond.code(), reason(&beyond).as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    assert!(instead.is_ok(), "{instead:?}");
}

/// P10.
#[tokio::test]
async fn of_two_rotations_at_once_one_secret_lasts() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (made, _) = create(&acme.admin, request("front desk")).await;
    let id = &made.webhook_endpoint_id;
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run(&format!("BEGIN; SELECT FROM webhook_endpoint WHERE id = '{id}' FOR UPDATE")).await;

    let (first, second, ()) =
        tokio::join!(rotate(&acme.admin, id, "k-1"), rotate(&acme.admin, id, "k-2"), async {
            until_waiting(&owner, 2).await;
            blocker.run("ROLLBACK").await;
        });

    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let listed = page(&acme.admin, 0, "").await.webhook_endpoints.remove(0);
    let lasting = listed.secrets.iter().filter(|secret| secret.expire_time.is_none()).count();
    assert_eq!((lasting, listed.secrets.len()), (1, 3));
}

/// P13. Every delivery, a forged one too, is held against each valid secret.
#[tokio::test]
async fn of_an_endpoint_five_secrets_are_valid_at_most() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (made, _) = create(&acme.admin, request("front desk")).await;
    let id = &made.webhook_endpoint_id;
    for valid in 2..=5 {
        let (rotated, _) = rotate(&acme.admin, id, "").await.unwrap();
        assert_eq!(rotated.secrets.len(), valid);
    }

    let sixth = rotate(&acme.admin, id, "").await.unwrap_err();
    let kept = page(&acme.admin, 0, "").await.webhook_endpoints.remove(0).secrets.len();
    let at_once = proto::RotateWebhookSecretRequest {
        webhook_endpoint_id: id.clone(),
        grace_period: Some(prost_types::Duration::default()),
        ..Default::default()
    };
    let alone = acme.admin.webhooks().rotate_webhook_secret(at_once).await.unwrap().into_inner();

    assert_eq!((sixth.code(), reason(&sixth).as_str()), (Code::ResourceExhausted, "LIMIT_REACHED"));
    assert_eq!((kept, alone.webhook_endpoint.unwrap().secrets.len()), (5, 1));
}
