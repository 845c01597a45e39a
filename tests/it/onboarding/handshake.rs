//! How Asana tells the secret of a webhook: once, to an address that waits for it.
//! Traps of `asana.md` §7 by number.

use stellwerk::{
    sandbox::asana::{Fault, Operation, Outcome, Point, Rule},
    words::SubscriptionState,
};

use crate::support::{
    planned::{self, Planned, post, signature},
    wait_until,
};

const HEARTBEAT: &[u8] = br#"{"events":[]}"#;
const FORGED: &str = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0";

/// Trap 1. P2.
#[tokio::test]
async fn a_second_secret_is_refused_and_the_first_one_stays() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    let webhook = planned.webhook(planned.workspace).unwrap();

    let (status, headers, body) = post(&webhook.target, &[("x-hook-secret", FORGED)], b"").await;

    assert_eq!((status, body["reason"].as_str()), (409, Some("HANDSHAKE_NOT_EXPECTED")));
    assert!(!headers.contains_key("x-hook-secret"));
    let forged = signature(FORGED, HEARTBEAT);
    assert_eq!(post(&webhook.target, &[("x-hook-signature", &forged)], HEARTBEAT).await.0, 401);
    let genuine = signature(&webhook.secret, HEARTBEAT);
    assert_eq!(post(&webhook.target, &[("x-hook-signature", &genuine)], HEARTBEAT).await.0, 200);
}

/// Trap 1. P2.
#[tokio::test]
async fn an_address_that_nobody_made_takes_no_secret() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    let target = planned.webhook(planned.workspace).unwrap().target;
    let nobodys = format!("{}AAAA", &target[..target.len() - 4]);
    let of_another_provider = target.replace("/asana/", "/calcom/");

    for url in [nobodys, of_another_provider] {
        let (status, headers, _) = post(&url, &[("x-hook-secret", FORGED)], b"").await;
        assert_eq!(status, 404);
        assert!(!headers.contains_key("x-hook-secret"));
    }
}

/// Trap 1. P2.
#[tokio::test]
async fn an_address_waits_for_its_secret_a_minute_at_most() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let mut gate = planned.asana.pause_next(Point::BeforeApplying, Operation::CreateWebhook);
    planned.activate().await.unwrap();
    gate.reached().await.unwrap();
    let waits = "SELECT count(*) FROM webhook_endpoint \
        WHERE handshake_expire_time BETWEEN now() AND now() + interval '60 s'";
    assert_eq!(planned.owner.value(waits).await, "1");

    planned.owner.run("UPDATE webhook_endpoint SET handshake_expire_time = now() - interval '1 ms'").await;
    gate.open();

    wait_until("the handshake was refused", crate::support::PATIENCE, async || {
        planned.asana.deliveries().iter().any(|one| one.outcome == Outcome::Answered(409))
    })
    .await;
    assert_eq!(planned.owner.value("SELECT count(*) FROM webhook_secret").await, "0");
}

/// Trap 1: whoever is faster than Asana gains nothing, because its own handshake then fails. P2.
#[tokio::test]
async fn a_secret_that_somebody_slipped_in_never_signs_anything() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let mut gate = planned.asana.pause_next(Point::BeforeApplying, Operation::CreateWebhook);
    planned.activate().await.unwrap();
    gate.reached().await.unwrap();
    let target =
        planned.asana.requests().last().unwrap().body["data"]["target"].as_str().unwrap().to_string();

    let (status, ..) = post(&target, &[("x-hook-secret", FORGED)], b"").await;
    gate.open();
    app.work_until_idle().await;

    assert_eq!(status, 200);
    let forged = signature(FORGED, HEARTBEAT);
    assert_eq!(post(&target, &[("x-hook-signature", &forged)], HEARTBEAT).await.0, 404);
    let subscription = planned.subscriptions().await.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Failed);
    planned.activate().await.unwrap();
    app.work_until_idle().await;
    let subscription = planned.subscriptions().await.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Active, "with another address");
    assert_ne!(planned.webhook(planned.workspace).unwrap().target, target);
}

/// Trap 1.
#[tokio::test]
async fn a_doubled_or_empty_secret_is_no_handshake() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let mut gate = planned.asana.pause_next(Point::BeforeApplying, Operation::CreateWebhook);
    planned.activate().await.unwrap();
    gate.reached().await.unwrap();
    let target =
        planned.asana.requests().last().unwrap().body["data"]["target"].as_str().unwrap().to_string();

    let doubled = post(&target, &[("x-hook-secret", FORGED), ("x-hook-secret", "another")], b"").await;
    let empty = post(&target, &[("x-hook-secret", "")], b"").await;
    gate.open();
    app.work_until_idle().await;

    assert_eq!((doubled.0, empty.0), (400, 400));
    let subscription = planned.subscriptions().await.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Active, "Asana's own came through");
}

/// Trap 2: the one in the header, compared with the key beside `data` of the answer.
#[tokio::test]
async fn the_secret_is_the_one_that_the_handshake_told() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus am Wall");
    planned.with_webhooks(&app, &[project]).await;

    for webhook in planned.asana.webhooks() {
        let digest = signature(&webhook.secret, HEARTBEAT);
        let (status, ..) = post(&webhook.target, &[("x-hook-signature", &digest)], HEARTBEAT).await;
        assert_eq!(status, 200);
    }
}

/// Trap 3: the address is committed before Asana is asked,
/// and the handshake is answered while the call is open.
#[tokio::test]
async fn the_handshake_is_answered_while_the_call_is_in_flight_and_nothing_is_locked() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    let mut before = planned.asana.pause_next(Point::BeforeApplying, Operation::CreateWebhook);
    let mut after = planned.asana.pause_next(Point::AfterApplying, Operation::CreateWebhook);
    planned.activate().await.unwrap();

    before.reached().await.unwrap();
    let subscription = planned.subscriptions().await.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Pending);
    let database = planned.owner.value("SELECT current_database()").await;
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
         AND state = 'idle in transaction' AND query NOT LIKE '%pg_stat_activity%'"
    );
    wait_until("no transaction is open", crate::support::PATIENCE, async || {
        planned.owner.value(&open).await == "0"
    })
    .await;
    before.open();
    after.reached().await.unwrap();

    assert_eq!(planned.owner.value("SELECT count(*) FROM webhook_secret").await, "1");
    // The first heartbeat came before the answer.
    assert_eq!(planned.events().await, ["ignored HEARTBEAT heartbeat"]);
    assert_eq!(planned.subscriptions().await[0].state, SubscriptionState::Pending);
    after.open();
    app.work_until_idle().await;
    assert_eq!(planned.subscriptions().await[0].state, SubscriptionState::Active);
}

/// Trap 12.
#[tokio::test]
async fn every_webhook_has_a_secret_and_an_address_of_its_own() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus am Wall");
    planned.with_webhooks(&app, &[project]).await;
    let (of_project, of_workspace) =
        (planned.webhook(project).unwrap(), planned.webhook(planned.workspace).unwrap());

    assert_ne!(of_project.target, of_workspace.target);
    assert_ne!(of_project.secret, of_workspace.secret);
    let others = signature(&of_workspace.secret, HEARTBEAT);
    assert_eq!(post(&of_project.target, &[("x-hook-signature", &others)], HEARTBEAT).await.0, 401);
}

/// Trap 1: as when Asana repeats a handshake, which it does not say it does.
#[tokio::test]
async fn a_handshake_that_comes_twice_does_no_harm() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.asana.add_fault(Rule::next(1, Fault::HandshakeTwice));
    planned.with_webhooks(&app, &[]).await;

    let webhook = planned.webhook(planned.workspace).unwrap();

    assert_eq!(planned.subscriptions().await[0].state, SubscriptionState::Active);
    let digest = signature(&webhook.secret, HEARTBEAT);
    assert_eq!(post(&webhook.target, &[("x-hook-signature", &digest)], HEARTBEAT).await.0, 200);
}

/// P10.
#[tokio::test]
async fn secrets_of_webhooks_are_sealed() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    let webhook = planned.webhook(planned.workspace).unwrap();

    let sealed = planned.owner.value("SELECT encode(sealed_secret, 'escape') FROM webhook_secret").await;
    let tokens = planned.owner.value("SELECT encode(sealed_token, 'escape') FROM webhook_endpoint").await;

    assert!(!sealed.contains(&webhook.secret));
    assert!(!tokens.contains(webhook.target.rsplit('/').next().unwrap()));
}
