//! Webhooks: the handshake, signatures, repeats, the end.

use super::*;
use crate::provider::signature;
use crate::sandbox::keeper::tests::Folder;

impl Stage {
    async fn subscribe(&self, target: &Target) -> Reply {
        self.post("/webhooks", json!({ "resource": self.project, "target": target.url })).await
    }
}

fn is_signed(secret: &str, (headers, body): &(HeaderMap, Bytes)) -> bool {
    headers
        .get("x-hook-signature")
        .is_some_and(|value| *value == signature::sign_legacy(secret.as_bytes(), body))
}

#[tokio::test]
async fn a_webhook_shakes_hands_and_beats_while_the_request_for_it_is_open() {
    let stage = Stage::start().await;
    let target = Target::start().await;

    let made = stage.subscribe(&target).await;
    let listed = stage.page(&format!("/webhooks?workspace={}", stage.workspace), None).await;
    let one = stage.get(&format!("/webhooks/{}", made.gid())).await;

    let secret = made.body["X-Hook-Secret"].as_str().unwrap();
    let seen = target.seen();
    assert_eq!((made.status, seen.len()), (201, 2));
    assert_eq!(seen[0].0["x-hook-secret"], secret);
    assert!(is_signed(secret, &seen[1]));
    assert_eq!(seen[1].1, r#"{"events":[]}"#);
    assert!(made.data()["last_success_at"].is_string());
    assert_eq!(listed.gids(), [made.gid().to_string()]);
    for text in [made.data().to_string(), listed.body.to_string(), one.body.to_string()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_target_that_does_not_say_the_secret_back_gets_no_webhook() {
    let stage = Stage::start().await;
    let (mute, failing) = (Target::mute().await, Target::start().await);
    failing.answer(StatusCode::NOT_FOUND);

    let unsaid = stage.subscribe(&mute).await;
    let failed = stage.subscribe(&failing).await;
    let nobody =
        stage.post("/webhooks", json!({ "resource": stage.project, "target": "http://127.0.0.1:9/" })).await;
    let outside =
        stage.post("/webhooks", json!({ "resource": stage.project, "target": "https://example.org/" })).await;

    assert_eq!([unsaid.status, failed.status, nobody.status, outside.status], [400, 400, 400, 403]);
    assert!(stage.asana.webhooks().is_empty());
}

#[tokio::test]
async fn the_same_target_for_the_same_resource_is_refused() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let first = stage.subscribe(&target).await;

    let twin = stage.subscribe(&target).await;
    stage.delete(&format!("/webhooks/{}", first.gid())).await;
    let again = stage.subscribe(&target).await;

    assert_eq!(twin.refusal(), (403, "Duplicated webhook"));
    assert_eq!(again.status, 201);
}

#[tokio::test]
async fn a_delivery_is_signed_with_the_webhooks_own_secret_and_tells_ids_only() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let secret = stage.subscribe(&target).await.body["X-Hook-Secret"].as_str().unwrap().to_owned();
    let task = stage.task("Fundament");

    stage.erika().set_dates(task, Some(day("2026-11-02")), Some(day("2026-11-13"))).unwrap();
    stage.asana.quiet().await;

    let seen = target.seen();
    assert!(is_signed(&secret, &seen[2]));
    let events = &target.told()[0];
    let told: Vec<_> =
        events.iter().map(|one| (one["action"].clone(), one["change"]["field"].clone())).collect();
    assert_eq!(told[0], (json!("changed"), json!("start_on")));
    assert_eq!(told[2], (json!("changed"), json!("due_on")));
    assert_eq!(
        events[0]["resource"],
        json!({ "gid": task, "resource_type": "task", "resource_subtype": "default_task" })
    );
    assert_eq!(events[0]["change"], json!({ "field": "start_on", "action": "changed" }));
}

#[tokio::test]
async fn a_workspace_webhook_needs_filters_and_hears_of_projects_only() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let data =
        |filters: Value| json!({ "resource": stage.workspace, "target": target.url, "filters": filters });

    let bare = stage.post("/webhooks", data(json!([]))).await;
    let of_tasks = stage.post("/webhooks", data(json!([{ "resource_type": "task" }]))).await;
    let fields = json!([{ "resource_type": "project", "action": "changed", "fields": ["name"] }]);
    let with_fields = stage.post("/webhooks", data(fields)).await;
    let made = stage.post("/webhooks", data(json!([{ "resource_type": "project" }]))).await;
    let project = stage.erika().create_project(stage.workspace, "Halle 9").unwrap();
    stage.erika().create_task(project, json!({ "name": "Fundament" })).unwrap();
    stage.asana.quiet().await;

    assert_eq!([bare.status, of_tasks.status, with_fields.status, made.status], [400, 400, 400, 201]);
    let told = target.told().concat();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["action"], &told[0]["resource"]["gid"]), (&json!("added"), &json!(project)));
}

#[tokio::test]
async fn filters_let_through_what_any_of_them_lets_through() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let filters = json!([
        { "resource_type": "task", "action": "changed", "fields": ["due_on"] },
        { "resource_type": "task", "action": "deleted" }
    ]);
    stage
        .post("/webhooks", json!({ "resource": stage.project, "target": target.url, "filters": filters }))
        .await;
    let task = stage.task("Fundament");

    stage.erika().change_task(task, json!({ "name": "Bodenplatte" })).unwrap();
    stage.erika().set_dates(task, None, Some(day("2026-11-13"))).unwrap();
    stage.asana.quiet().await;
    stage.erika().delete_task(task);
    stage.asana.quiet().await;

    let told = target.told().concat();
    let told: Vec<_> =
        told.iter().map(|one| (one["action"].as_str().unwrap(), one["change"]["field"].as_str())).collect();
    assert_eq!(told, [("changed", Some("due_on")), ("deleted", None)]);
}

#[tokio::test]
async fn a_heartbeat_comes_every_eight_hours() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let secret = stage.subscribe(&target).await.body["X-Hook-Secret"].as_str().unwrap().to_owned();

    stage.asana.advance(TimeDelta::hours(9)).await;

    target.has_seen(3).await;
    let beat = &target.seen()[2];
    assert!(is_signed(&secret, beat) && beat.1 == r#"{"events":[]}"#);
}

#[tokio::test]
async fn what_is_not_taken_is_repeated_and_after_a_day_the_webhook_is_gone() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let made = stage.subscribe(&target).await;
    let task = stage.task("Fundament");
    target.answer(StatusCode::INTERNAL_SERVER_ERROR);

    stage.erika().comment(task).unwrap();
    stage.asana.quiet().await;
    let failing = stage.get(&format!("/webhooks/{}", made.gid())).await;
    stage.asana.advance(TimeDelta::minutes(1)).await;
    let tried = target.told().len();
    target.answer(StatusCode::OK);
    stage.asana.advance(TimeDelta::minutes(5)).await;
    let well = stage.get(&format!("/webhooks/{}", made.gid())).await;
    let taken = target.told().len();
    target.answer(StatusCode::GONE);
    stage.erika().comment(task).unwrap();
    stage.asana.quiet().await;
    for _ in 0..25 {
        stage.asana.advance(TimeDelta::hours(1)).await;
    }

    assert_eq!(failing.data()["delivery_retry_count"], 1);
    assert!(failing.data()["failure_deletion_timestamp"].is_string());
    assert_eq!((tried, taken), (2, 3));
    assert_eq!(well.data()["delivery_retry_count"], 0);
    assert!(stage.asana.webhooks().is_empty());
}

#[tokio::test]
async fn deliveries_can_be_lost_doubled_late_overtaken_or_unsigned() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    stage.subscribe(&target).await;
    let task = stage.task("Fundament");
    let erika = stage.erika();
    let change = async |fault: Option<Fault>, name: &str| {
        if let Some(fault) = fault {
            stage.asana.add_fault(Rule::next(1, fault));
        }
        erika.change_task(task, json!({ "name": name })).unwrap();
        stage.asana.quiet().await;
        target.told().len()
    };

    let lost = change(Some(Fault::WebhookLost), "a").await;
    let doubled = change(Some(Fault::WebhookTwice), "b").await;
    let late = change(Some(Fault::WebhookLate { seconds: 600 }), "c").await;
    stage.asana.advance(TimeDelta::minutes(11)).await;
    let arrived = target.told().len();
    let passed = change(Some(Fault::WebhookPassed), "d").await;
    let both = change(None, "e").await;
    let unsigned = change(Some(Fault::WebhookUnsigned), "f").await;
    let held = change(Some(Fault::WebhookHeld), "g").await;
    let released = stage.asana.release_webhooks().await;

    assert_eq!([lost, doubled, late, arrived, passed, both, unsigned, held], [0, 2, 2, 3, 3, 5, 6, 6]);
    assert_eq!((released, target.told().len()), (1, 7));
    let signed = target.seen().iter().filter(|(headers, _)| headers.contains_key("x-hook-signature")).count();
    assert_eq!(signed, 1 + 6);
}

#[tokio::test]
async fn after_its_deletion_a_webhook_hears_nothing() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let made = stage.subscribe(&target).await;
    let task = stage.task("Fundament");

    stage.delete(&format!("/webhooks/{}", made.gid())).await;
    stage.erika().comment(task).unwrap();
    stage.asana.quiet().await;

    assert!(target.told().is_empty());
    assert_eq!(stage.get(&format!("/webhooks/{}", made.gid())).await.status, 404);
}

#[tokio::test]
async fn only_the_app_and_user_that_made_a_webhook_see_it() {
    let stage = Stage::start().await;
    let target = Target::start().await;
    let made = stage.subscribe(&target).await;
    let max = stage.asana.add_token(stage.max);

    let path = format!("/webhooks?workspace={}&limit=100", stage.workspace);
    let theirs = stage.call_as(Some(&max), Method::GET, &path, None).await;
    let path = format!("/webhooks/{}", made.gid());
    let one = stage.call_as(Some(&max), Method::GET, &path, None).await;

    assert_eq!((theirs.gids().len(), one.status), (0, 404));
}

#[tokio::test]
async fn a_webhook_outlives_the_double_with_its_secret() {
    let folder = Folder::new("asana-webhooks");
    let first = Stage::kept(&folder).await;
    let (target, task) = (Target::start().await, first.task("Fundament"));
    let made = first.subscribe(&target).await;
    first.asana.quiet().await;
    let (secret, seen) = (made.body["X-Hook-Secret"].as_str().unwrap(), target.seen().len());

    let second = first.next_life(&folder).await;
    second.erika().set_field(task, second.hours.gid, 8).unwrap();
    target.has_seen(seen + 1).await;

    assert_eq!(second.asana.webhooks()[0].gid, made.gid());
    assert!(is_signed(secret, target.seen().last().unwrap()));
}
