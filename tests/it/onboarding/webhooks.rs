//! Our webhooks at Asana: one per project and one for the workspace, made again when they are gone.

use axum::{Router, response::IntoResponse};
use chrono::{TimeDelta, Utc};
use http::HeaderMap;
use serde_json::json;
use stellwerk::{
    proto,
    sandbox::asana::{Fault, Operation, Outcome, Rule},
    store,
    words::{Presence, SubscriptionState},
};

use tokio::net::TcpListener;

use crate::support::{
    PATIENCE,
    booking_tool::client,
    planned::{self, Planned, post, signature},
    wait_until,
};

/// Trap 11.
#[tokio::test]
async fn projects_tell_of_tasks_and_the_workspace_of_projects() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let projects = [planned.add_project("Wohnhaus"), planned.add_project("Werkhalle")];
    planned.with_webhooks(&app, &projects).await;

    assert_eq!(planned.asana.webhooks().len(), 3);
    let types = |resource| -> Vec<String> {
        let filters = planned.webhook(resource).unwrap().filters;
        let mut types: Vec<_> = filters.into_iter().filter_map(|filter| filter.resource_type).collect();
        types.dedup();
        types
    };
    assert_eq!(types(projects[0]), ["task"]);
    assert_eq!(types(planned.workspace), ["project"]);
    let states: Vec<_> = planned.subscriptions().await.into_iter().map(|one| one.state).collect();
    assert_eq!(states, [SubscriptionState::Active; 3]);
}

#[tokio::test]
async fn checking_webhooks_that_are_right_changes_nothing_and_costs_one_request() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus");
    planned.with_webhooks(&app, &[project]).await;
    let before = planned.asana.webhooks();

    planned.check(&app).await;

    assert_eq!(planned.asana.webhooks().len(), before.len());
    assert_eq!(planned.asana.webhooks()[0].target, before[0].target);
    assert_eq!(planned.asked(Operation::ListWebhooks), 1);
    assert_eq!(planned.asked(Operation::CreateWebhook), 0);
}

#[tokio::test]
async fn a_webhook_that_asana_dropped_is_made_again_with_another_address_and_its_project_is_read() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus");
    planned.with_webhooks(&app, &[project]).await;
    let before = planned.webhook(project).unwrap();
    planned.asana.drop_webhook(before.gid);

    planned.check(&app).await;

    let after = planned.webhook(project).unwrap();
    assert_ne!(after.target, before.target);
    assert_ne!(after.secret, before.secret);
    assert_eq!(planned.asana.webhooks().len(), 2);
    let looked = planned.asked(Operation::GetEvents) + planned.asked(Operation::ListTasks);
    assert!(looked > 0, "what happened meanwhile was told to nobody");
}

/// Somebody with access to the account, or an older version of ours, has it tell of less.
#[tokio::test]
async fn a_webhook_with_other_filters_gets_the_right_ones_and_keeps_its_address() {
    let app = planned::app().start().await;
    let (tenant, double) = (app.tenant("acme").await, planned::double().await);
    let planned = Planned::new(&app, &tenant, &double).await;
    let project = planned.add_project("Wohnhaus");
    planned.with_webhooks(&app, &[project]).await;
    let before = planned.webhook(project).unwrap();
    let task = |action: &str| json!({ "resource_type": "task", "action": action });
    let other = [
        json!([task("changed")]),
        json!([]),
        json!(["changed", "added", "removed", "deleted", "undeleted"].map(|action| {
            let mut filter = task(action);
            filter["resource_subtype"] = json!("milestone");
            filter
        })),
    ];

    for filters in other {
        planned.filter_there(before.gid, &filters).await;
        assert_ne!(planned.webhook(project).unwrap().filters, before.filters, "{filters}");
        double.forget_requests();
        planned.check(&app).await;

        let after = planned.webhook(project).unwrap();
        assert_eq!((after.gid, &after.target, &after.filters), (before.gid, &before.target, &before.filters));
        let looked = planned.asked(Operation::GetEvents) + planned.asked(Operation::ListTasks);
        assert!(looked > 0, "what it did not tell of nobody heard");
    }
    assert_eq!(planned.onboarding().await.active_webhook_count, 2);
}

/// P12.
#[tokio::test]
async fn filters_that_may_not_be_put_right_are_told() {
    let app = planned::app().start().await;
    let (tenant, double) = (app.tenant("acme").await, planned::double().await);
    let planned = Planned::new(&app, &tenant, &double).await;
    planned.with_webhooks(&app, &[]).await;
    let webhook = planned.webhook(planned.workspace).unwrap();
    let less = json!([{ "resource_type": "project", "action": "changed" }]);
    planned.filter_there(webhook.gid, &less).await;
    let read_only = |read_only: bool| proto::UpdateIntegrationRequest {
        integration_id: planned.id(),
        read_only,
        update_mask: Some(prost_types::FieldMask { paths: vec!["read_only".into()] }),
        ..Default::default()
    };

    planned.admin.integrations().update_integration(read_only(true)).await.unwrap();
    planned.check(&app).await;
    let held = planned.subscriptions().await.remove(0);
    planned.admin.integrations().update_integration(read_only(false)).await.unwrap();
    app.work_until_idle().await;

    assert_eq!((held.state, held.reason.as_deref()), (SubscriptionState::Failed, Some("READ_ONLY")));
    assert_eq!(planned.subscriptions().await[0].state, SubscriptionState::Active);
    assert_eq!(planned.webhook(planned.workspace).unwrap().filters, webhook.filters);
}

/// What was on its way to the address before is still taken.
#[tokio::test]
async fn a_replaced_address_still_answers_for_a_while_and_then_no_more() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    let before = planned.webhook(planned.workspace).unwrap();
    planned.asana.drop_webhook(before.gid);
    planned.check(&app).await;
    let body = br#"{"events":[{"action":"changed","resource":{"gid":"7","resource_type":"project"}}]}"#;
    let digest = signature(&before.secret, body);

    let (status, _, answer) = post(&before.target, &[("x-hook-signature", &digest)], body).await;
    assert_eq!((status, answer["reason"].as_str()), (200, Some("WEBHOOK_REPLACED")));

    let aged = "UPDATE webhook_endpoint SET create_time = create_time - interval '3 days'; \
        UPDATE webhook_secret SET expire_time = expire_time - interval '3 days'";
    planned.owner.run(aged).await;
    planned.check(&app).await;
    let (status, ..) = post(&before.target, &[("x-hook-signature", &digest)], body).await;
    assert_eq!(status, 404);
    let now = planned.webhook(planned.workspace).unwrap();
    let digest = signature(&now.secret, body);
    assert_eq!(post(&now.target, &[("x-hook-signature", &digest)], body).await.0, 200);
}

/// Trap 30: nothing else is ever made there. P7.
#[tokio::test]
async fn a_webhook_whose_making_was_not_answered_is_found_and_not_made_twice() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    planned.asana.add_fault(Rule::next(1, Fault::AnswerLost { hold: false }).on(Operation::CreateWebhook));

    planned.activate().await.unwrap();
    app.work_until_idle().await;

    assert_eq!(planned.asana.webhooks().len(), 1);
    assert_eq!(planned.asked(Operation::CreateWebhook), 1);
    let subscription = planned.subscriptions().await.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Active);
    assert_eq!(subscription.external_id, Some(planned.asana.webhooks()[0].gid.to_string()));
}

/// P12.
#[tokio::test]
async fn a_webhook_that_is_refused_says_so_and_the_others_are_made() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus");
    planned.with_projects(&[project]).await;
    planned.asana.add_fault(Rule::next(1, Fault::HandshakeLost).on(Operation::CreateWebhook));

    planned.activate().await.unwrap();
    app.work_until_idle().await;

    let onboarding = planned.onboarding().await;
    assert_eq!(onboarding.next_step(), proto::OnboardingStep::Webhooks);
    assert_eq!(onboarding.reason, "VALIDATION");
    assert_eq!((onboarding.webhook_count, onboarding.active_webhook_count), (2, 1));
    planned.activate().await.unwrap();
    app.work_until_idle().await;
    assert_eq!(planned.onboarding().await.next_step(), proto::OnboardingStep::Done);
}

#[tokio::test]
async fn a_project_that_went_loses_its_webhook_and_a_new_one_gets_one() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let (old, new) = (planned.add_project("Wohnhaus"), planned.add_project("Werkhalle"));
    planned.with_webhooks(&app, &[old]).await;
    let mut tx = planned.tx().await;
    let mut row =
        store::planning::project::find_by_external_id(&mut tx, planned.integration, &old.to_string())
            .await
            .unwrap()
            .unwrap();
    let fresh = store::planning::project::Project {
        id: stellwerk::ids::ProjectId::new(),
        external_id: new.to_string(),
        ..row.clone()
    };
    (row.presence, row.missing_time) = (Presence::Gone, Some(Utc::now()));
    store::planning::project::save(&mut tx, &row).await.unwrap();
    store::planning::project::insert(&mut tx, &fresh).await.unwrap();
    tx.commit().await.unwrap();

    planned.check(&app).await;

    assert!(planned.webhook(old).is_none());
    assert!(planned.webhook(new).is_some());
    assert_eq!(planned.subscriptions().await.len(), 2);
}

#[tokio::test]
async fn strays_of_ours_are_deleted_and_those_of_others_are_left_alone() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    let stray = planned.webhook(planned.workspace).unwrap();
    // The same row, whose endpoint was lost: its webhook is nobody's any more.
    planned.owner.run("UPDATE webhook_endpoint SET disable_time = now()").await;
    let elsewhere = elsewhere().await;
    let data = json!({ "resource": planned.workspace.to_string(), "target": elsewhere,
        "filters": [{ "resource_type": "project", "action": "added" }] });
    let request = client().post(format!("{}/webhooks", planned.asana.api_url())).bearer_auth(&planned.token);
    request.json(&json!({ "data": data })).send().await.unwrap().error_for_status().unwrap();

    planned.check(&app).await;

    let now = planned.asana.webhooks();
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|one| one.gid != stray.gid));
    assert!(now.iter().any(|one| one.target == elsewhere));
}

/// The address of another program of the same account, which agrees to every handshake.
async fn elsewhere() -> String {
    let agree = async |headers: HeaderMap| {
        let secret = headers.get("x-hook-secret").cloned();
        (secret.map(|secret| [("x-hook-secret", secret)]), ()).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(agree)).await });
    url
}

#[tokio::test]
async fn nothing_is_registered_where_nothing_may_be_written() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_projects(&[]).await;
    planned.owner.run("UPDATE integration SET read_only = true").await;

    planned.activate().await.unwrap();
    app.work_until_idle().await;

    assert_eq!(planned.asana.webhooks().len(), 0);
    let onboarding = planned.onboarding().await;
    assert_eq!(onboarding.reason, "READ_ONLY");
}

/// What the provider itself says about its deliveries is shown beside what arrived here.
#[tokio::test]
async fn the_health_of_each_webhook_is_told() {
    let app = planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    planned.with_webhooks(&app, &[]).await;
    planned.check(&app).await;

    let shown = planned.status().await.subscriptions.remove(0);

    assert_eq!(shown.state(), proto::SubscriptionState::Active);
    assert!(shown.provider_success_time.is_some());
    assert!(shown.last_delivery_time.is_some());
    assert!(shown.provider_removal_time.is_none());
}

/// Asana gives a webhook up that nobody answered for a day; the hourly check makes it again.
#[tokio::test]
async fn an_outage_of_a_day_costs_the_webhook_and_it_comes_back() {
    let app = planned::app().start().await;
    let tenant = app.tenant("acme").await;
    let settings = stellwerk::sandbox::asana::Settings {
        limits: stellwerk::sandbox::asana::Limits::none(),
        clock: stellwerk::sandbox::asana::Clock::standing_at(Utc::now()),
        ..Default::default()
    };
    let double = stellwerk::sandbox::asana::Asana::start(settings).await.unwrap();
    let planned = Planned::new(&app, &tenant, &double).await;
    let project = planned.add_project("Wohnhaus");
    planned.with_webhooks(&app, &[project]).await;
    let task = planned.add_task(project, "Dachstuhl", None, 4.into());
    // As if we were not there.
    planned.owner.run("UPDATE webhook_endpoint SET disable_time = now()").await;
    planned.board().set_dates(task, "2027-04-01".parse().ok(), "2027-04-09".parse().ok()).unwrap();
    double.quiet().await;
    for _ in 0..30 {
        double.advance(TimeDelta::hours(1)).await;
    }
    wait_until("Asana gave it up", PATIENCE, async || planned.webhook(project).is_none()).await;

    planned.check(&app).await;

    let again = planned.webhook(project).unwrap();
    assert!(again.active);
    let answered = double.deliveries().into_iter().rfind(|one| one.webhook == again.gid).unwrap();
    assert_eq!(answered.outcome, Outcome::Answered(200));
}
