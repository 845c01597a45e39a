//! What Asana delivers: verified, kept, answered at once, and read later. Traps of `asana.md` §7 by number.

use chrono::Utc;
use serde_json::json;
use stellwerk::{proto, sandbox::asana::Gid, store};

use crate::support::{
    app::TestApp,
    planned::{self, Planned, post, signature},
};

/// A body with one event of a task, as published.
fn event(task: &str, created_at: &str) -> Vec<u8> {
    json!({ "events": [{
        "user": null,
        "created_at": created_at,
        "action": "changed",
        "resource": { "gid": task, "resource_type": "task", "resource_subtype": "default_task" },
        "parent": null,
        "change": { "field": "due_on", "action": "changed" },
    }] })
    .to_string()
    .into_bytes()
}

async fn deliver(planned: &Planned, resource: Gid, body: &[u8]) -> (u16, String) {
    let webhook = planned.webhook(resource).unwrap();
    let digest = signature(&webhook.secret, body);
    let (status, _, answer) = post(&webhook.target, &[("x-hook-signature", &digest)], body).await;
    (status, answer["reason"].as_str().unwrap_or_default().to_string())
}

/// A tenant with webhooks of the workspace and one project, whose events nobody reads meanwhile.
async fn prepared(app: &TestApp, name: &str) -> (Planned, Gid) {
    let (tenant, double) = (app.tenant(name).await, planned::double().await);
    let planned = Planned::new(app, &tenant, &double).await;
    let project = planned.add_project("Wohnhaus am Wall");
    let worker = app.worker();
    planned.with_webhooks(app, &[project]).await;
    worker.kill().await;
    planned.owner.run("DELETE FROM outbox").await;
    (planned, project)
}

/// Trap 4: whatever ids a body names, the address decides whose it is. P3.
#[tokio::test]
async fn the_address_decides_the_tenant_and_not_what_the_events_name() {
    let app = planned::app().without_worker().start().await;
    let (acme, project) = prepared(&app, "acme").await;
    let (globex, _) = prepared(&app, "globex").await;
    let (before, theirs) = (acme.events().await.len(), globex.events().await);

    let body = event("1200000000000001", "2026-11-21T07:00:00.000Z");
    let answer = deliver(&acme, project, &body).await;

    assert_eq!(answer, (200, "BEING_READ".into()));
    assert_eq!(acme.events().await.len(), before + 1);
    assert_eq!(globex.events().await, theirs);
}

/// Trap 5. P2.
#[tokio::test]
async fn a_signature_that_is_no_hex_or_of_another_length_is_refused() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    let webhook = planned.webhook(project).unwrap();
    let body = event("1", "2026-11-21T07:00:00.000Z");
    let good = signature(&webhook.secret, &body);
    let before = planned.events().await;

    for wrong in [
        String::new(),
        "zz".repeat(32),
        good[1..].to_string(),
        good[..62].to_string(),
        good.to_uppercase(),
        format!("sha256={good}"),
        format!("{good}00"),
        signature("another", &body),
    ] {
        let (status, ..) = post(&webhook.target, &[("x-hook-signature", &wrong)], &body).await;
        assert_eq!(status, 401, "{wrong}");
    }
    let doubled = [("x-hook-signature", good.as_str()), ("x-hook-signature", good.as_str())];
    assert_eq!(post(&webhook.target, &doubled, &body).await.0, 401);
    assert_eq!(planned.events().await, before);
}

/// Trap 6.
#[tokio::test]
async fn the_bytes_are_verified_as_they_came_whatever_their_order_and_spaces() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;

    let odd = br#"{ "more":1, "events" :[ {"created_at":"2026-11-21T07:00:00.000Z","action":"changed",
        "resource":{"resource_type":"task","gid":"1200000000000001"},"user":null} ]  }"#;

    assert_eq!(deliver(&planned, project, odd).await.0, 200);
}

/// Trap 7. P2.
#[tokio::test]
async fn the_secret_is_text_even_where_it_looks_like_hex() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    let webhook = planned.webhook(project).unwrap();
    let body = event("1", "2026-11-21T07:00:00.000Z");

    let bytes = hex::decode(&webhook.secret).expect("the double's secrets look like hex");
    let decoded = stellwerk::provider::signature::sign_legacy(&bytes, &body);

    assert_eq!(post(&webhook.target, &[("x-hook-signature", &decoded)], &body).await.0, 401);
    assert_eq!(deliver(&planned, project, &body).await.0, 200);
}

/// Trap 8. P2.
#[tokio::test]
async fn a_heartbeat_without_a_signature_is_no_sign_of_life() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    planned.owner.run("UPDATE webhook_activity SET last_delivery_time = NULL").await;
    let target = planned.webhook(project).unwrap().target;

    let unsigned = post(&target, &[], br#"{"events":[]}"#).await;

    assert_eq!(unsigned.0, 401);
    let alive = "SELECT count(*) FROM webhook_activity WHERE last_delivery_time IS NOT NULL";
    assert_eq!(planned.owner.value(alive).await, "0");
}

/// Trap 9. P15.
#[tokio::test]
async fn a_heartbeat_is_taken_and_counts_as_a_sign_of_life() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    planned.owner.run("UPDATE webhook_activity SET last_delivery_time = NULL").await;
    let webhook = planned.webhook(project).unwrap();

    let before = planned.events().await.len();
    planned.asana.send_heartbeat(webhook.gid).await;
    planned.asana.send_heartbeat(webhook.gid).await;

    assert_eq!(
        planned.events().await[before..],
        ["ignored HEARTBEAT heartbeat"; 2],
        "no duplicate of another"
    );
    let request = proto::GetIntegrationStatusRequest { integration_id: planned.id() };
    let status = planned.admin.integrations().get_integration_status(request).await.unwrap().into_inner();
    let status = status.status.unwrap();
    assert!(status.last_delivery_time.is_some() && !status.is_stale);
}

/// Trap 10. P1.
#[tokio::test]
async fn a_delivery_is_answered_before_anything_is_read_and_its_reading_is_promised() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    planned.asana.stop().await;

    let answer = deliver(&planned, project, &event("1200000000000001", "2026-11-21T07:00:00.000Z")).await;

    assert_eq!(answer, (200, "BEING_READ".into()));
    assert_eq!(planned.events().await.last().unwrap(), "success BEING_READ task.changed");
    let promised = "SELECT count(*) FROM outbox WHERE kind = 'planning_refresh'";
    assert_eq!(planned.owner.value(promised).await, "1");
}

/// P1.
#[tokio::test]
async fn a_repeated_delivery_changes_nothing_more() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    let body = event("1200000000000001", "2026-11-21T07:00:00.000Z");
    let later = event("1200000000000001", "2026-11-21T07:00:00.001Z");

    deliver(&planned, project, &body).await;
    let repeated = deliver(&planned, project, &body).await;
    let another = deliver(&planned, project, &later).await;

    assert_eq!((repeated.0, another), (200, (200, "BEING_READ".into())));
    let events = planned.events().await;
    let statuses: Vec<_> =
        events[events.len() - 3..].iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(statuses, ["success", "duplicate", "success"]);
}

/// What several events say of one project is read once.
#[tokio::test]
async fn events_that_come_together_are_promised_to_be_read_once() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;

    for nth in 0..5 {
        deliver(&planned, project, &event("1200000000000001", &format!("2026-11-21T07:00:0{nth}.000Z")))
            .await;
    }

    let promised = "SELECT count(*) FROM outbox WHERE kind = 'planning_refresh'";
    assert_eq!(planned.owner.value(promised).await, "1");
}

/// Not an event of an unknown shape, nor what is no list of events, makes Asana give the webhook up for long.
#[tokio::test]
async fn what_is_no_list_of_events_is_told_to_the_sender() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;

    let no_json = deliver(&planned, project, b"events").await;
    let no_list = deliver(&planned, project, br#"{"event":[]}"#).await;
    let unknown_shape = deliver(&planned, project, br#"{"events":[{"odd":true}]}"#).await;

    assert_eq!(no_json, (400, "NOT_PARSEABLE".into()));
    assert_eq!(no_list, (422, "MALFORMED".into()));
    assert_eq!(unknown_shape, (200, "BEING_READ".into()), "something happened");
}

/// Nothing of Asana's is asked for: a comment is none of ours.
#[tokio::test]
async fn what_a_person_does_at_the_board_arrives_and_comments_do_not() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    let task = planned.add_task(project, "Dachstuhl", None, 4.into());
    let before = planned.events().await.len();

    planned.board().comment(task).unwrap();
    planned.asana.quiet().await;
    assert_eq!(planned.events().await.len(), before);
    planned.board().set_dates(task, "2027-04-01".parse().ok(), "2027-04-09".parse().ok()).unwrap();
    planned.asana.quiet().await;

    let events = planned.events().await;
    assert!(events.len() > before);
    assert!(events[before..].iter().all(|line| line.starts_with("success BEING_READ task.")));
}

/// Trap 31: the body is dropped, and the sender is content.
#[tokio::test]
async fn late_deliveries_after_the_end_are_taken_and_dropped() {
    let app = planned::app().without_worker().start().await;
    let (planned, project) = prepared(&app, "acme").await;
    let webhook = planned.webhook(project).unwrap();
    let mut tx = planned.tx().await;
    let mut row = store::integration::find_for_update(&mut tx, planned.integration).await.unwrap();
    row.state = stellwerk::words::IntegrationState::Disconnected;
    row.update_time = Utc::now();
    store::integration::save(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();

    let body = event("1200000000000001", "2026-11-21T07:00:00.000Z");
    let digest = signature(&webhook.secret, &body);
    let (status, _, answer) = post(&webhook.target, &[("x-hook-signature", &digest)], &body).await;

    assert_eq!((status, answer["reason"].as_str()), (200, Some("INTEGRATION_DISCONNECTED")));
    let kept = "SELECT count(*) FROM webhook_event WHERE reason = 'INTEGRATION_DISCONNECTED' \
        AND sealed_body IS NOT NULL";
    assert_eq!(planned.owner.value(kept).await, "0");
    assert_eq!(planned.owner.value("SELECT count(*) FROM outbox").await, "0", "nothing is to be read");
}
