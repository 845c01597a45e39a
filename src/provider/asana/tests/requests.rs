//! What leaves: method, path, query, credential and body of every call.

use secrecy::ExposeSecret as _;

use super::spec::Spec;
use super::*;

const TASK_GID: &str = "1204619611402341";

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

fn query(asked: &Asked) -> Vec<(String, String)> {
    let query = asked.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.filter(|(name, _)| name != "opt_fields").collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Checks what every request has in common, and the request against the official description.
fn check(asked: &Asked, method: Method, path: &str) {
    assert_eq!((&asked.method, asked.uri.path()), (&method, format!("/api/1.0{path}").as_str()));
    assert_eq!(asked.headers["authorization"], "Bearer asana_test_token");
    assert_eq!(asked.headers.contains_key("content-type"), !asked.body.is_empty());
    let named = asked.uri.query().is_some_and(|query| query.contains("opt_fields="));
    assert_eq!(named, method != Method::DELETE, "what is not named is not answered");
    let Some(spec) = Spec::at_hand() else { return };
    spec.check(asked);
}

#[tokio::test]
async fn people_and_workspaces_are_asked_for_by_page() {
    let replies = || [data(json!({ "gid": "1" })), page(json!([]), None), page(json!([]), None)];
    let double = Double::answering(replies()).await;
    let asana = double.asana();
    let offset = Offset::parse("eyJ0eXAi&x=1".into()).unwrap();

    asana.me().await.unwrap();
    asana.workspaces(None).await.unwrap();
    asana.users("12", Some(&offset)).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/users/me");
    check(&asked[1], Method::GET, "/workspaces");
    check(&asked[2], Method::GET, "/users");
    assert_eq!(query(&asked[1]), pairs(&[("limit", "100")]));
    assert_eq!(query(&asked[2]), pairs(&[("workspace", "12"), ("limit", "100"), ("offset", "eyJ0eXAi&x=1")]));
}

#[tokio::test]
async fn projects_and_their_fields_are_asked_for_archived_ones_included() {
    let one = data(json!({ "gid": "1" }));
    let lists = std::iter::repeat_with(|| page(json!([]), None)).take(3);
    let double = Double::answering(lists.chain([one])).await;
    let asana = double.asana();

    asana.projects("12", None).await.unwrap();
    asana.custom_field_settings("34", None).await.unwrap();
    asana.workspace_custom_fields("12", None).await.unwrap();
    asana.project("34").await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/projects");
    check(&asked[1], Method::GET, "/projects/34/custom_field_settings");
    check(&asked[2], Method::GET, "/workspaces/12/custom_fields");
    check(&asked[3], Method::GET, "/projects/34");
    assert_eq!(query(&asked[0]), pairs(&[("workspace", "12"), ("limit", "100")]));
}

#[tokio::test]
async fn tasks_are_asked_for_by_exactly_one_selector() {
    let lists = std::iter::repeat_with(|| page(json!([]), None)).take(3);
    let double = Double::answering(lists.chain([data(json!({ "gid": TASK_GID }))])).await;
    let asana = double.asana();

    asana.tasks("34", None, None).await.unwrap();
    asana.tasks("34", Some(at("2026-11-20T07:00:00.123456+01:00")), None).await.unwrap();
    asana.subtasks(TASK_GID, None).await.unwrap();
    asana.task(TASK_GID).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/tasks");
    check(&asked[1], Method::GET, "/tasks");
    check(&asked[2], Method::GET, &format!("/tasks/{TASK_GID}/subtasks"));
    check(&asked[3], Method::GET, &format!("/tasks/{TASK_GID}"));
    assert_eq!(query(&asked[0]), pairs(&[("project", "34"), ("limit", "100")]));
    let since = ("modified_since", "2026-11-20T06:00:00.123Z");
    assert_eq!(query(&asked[1]), pairs(&[("project", "34"), since, ("limit", "100")]));
}

#[tokio::test]
async fn hours_are_asked_for_by_task_and_absences_by_person() {
    let double = Double::answering([page(json!([]), None), page(json!([]), None)]).await;
    let asana = double.asana();

    asana.time_entries(TASK_GID, None).await.unwrap();
    asana.ooo_entries("12", "56", Some(day("2026-11-01")), Some(day("2027-01-31")), None).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, &format!("/tasks/{TASK_GID}/time_tracking_entries"));
    check(&asked[1], Method::GET, "/ooo_entries");
    let (from, to) = (("start_date", "2026-11-01"), ("end_date", "2027-01-31"));
    assert_eq!(query(&asked[1]), pairs(&[("user", "56"), ("workspace", "12"), from, to, ("limit", "100")]));
}

#[tokio::test]
async fn a_task_is_changed_in_one_request_with_start_and_due_together() {
    let answer = || data(json!({ "gid": TASK_GID, "due_on": "2026-12-11" }));
    let double = Double::answering([answer(), answer()]).await;
    let change = TaskChange {
        dates: Some(NewDates::days(Some(day("2026-12-07")), Some(day("2026-12-11"))).unwrap()),
        fields: vec![
            ("71".into(), FieldChange::Number(decimal("37.50"))),
            ("72".into(), FieldChange::Option("7201".into())),
            ("73".into(), FieldChange::Clear),
        ],
    };

    double.asana().update_task(TASK_GID, &change).await.unwrap();
    double.asana().update_task(TASK_GID, &change.dates_only()).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::PUT, &format!("/tasks/{TASK_GID}"));
    check(&asked[1], Method::PUT, &format!("/tasks/{TASK_GID}"));
    let dates = json!({ "start_on": "2026-12-07", "due_on": "2026-12-11" });
    let fields = json!({ "71": 37.5, "72": "7201", "73": null });
    let mut whole = dates.clone();
    whole["custom_fields"] = fields;
    assert_eq!(body(&asked[0]), json!({ "data": whole }));
    assert_eq!(body(&asked[1]), json!({ "data": dates }));
}

#[tokio::test]
async fn webhooks_are_listed_made_with_filters_and_deleted() {
    let secret = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    let made = json!({ "data": { "gid": "91", "active": false }, "X-Hook-Secret": secret });
    let double = Double::answering([
        page(json!([]), None),
        reply(201, &made),
        reply(201, json!({ "data": { "gid": "92" } })),
        data(json!({ "gid": "92", "filters": [
            { "resource_type": "project", "action": "undeleted" },
            { "resource_type": "task", "action": "changed", "fields": ["due_on"] },
        ] })),
        data(json!({})),
    ])
    .await;
    let asana = double.asana();
    let filters = vec![Filter { kind: ResourceKind::Project, action: Action::Undeleted }];
    let of_workspace = SubscriptionWish { resource: "12", target: "https://hub.example.org/a?b=c", filters };
    let of_project = SubscriptionWish { resource: "34", filters: vec![], ..of_workspace.clone() };

    asana.webhooks("12", Some("34"), None).await.unwrap();
    let created = asana.create_webhook(&of_workspace).await.unwrap();
    let silent = asana.create_webhook(&of_project).await.unwrap();
    let filtered = asana.filter_webhook("92", &of_workspace.filters).await.unwrap();
    asana.delete_webhook("91").await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/webhooks");
    check(&asked[1], Method::POST, "/webhooks");
    check(&asked[2], Method::POST, "/webhooks");
    check(&asked[3], Method::PUT, "/webhooks/92");
    check(&asked[4], Method::DELETE, "/webhooks/91");
    assert_eq!(query(&asked[0]), pairs(&[("workspace", "12"), ("resource", "34"), ("limit", "100")]));
    let filters = json!([{ "resource_type": "project", "action": "undeleted" }]);
    let target = "https://hub.example.org/a?b=c";
    assert_eq!(
        body(&asked[1]),
        json!({ "data": { "resource": "12", "target": target, "filters": filters } })
    );
    assert_eq!(body(&asked[2]), json!({ "data": { "resource": "34", "target": target } }));
    assert_eq!(
        body(&asked[3]),
        json!({ "data": { "filters": [{ "resource_type": "project", "action": "undeleted" }] } })
    );
    // What lets only a part of a kind pass is none of ours.
    assert_eq!(filtered.filters, Some(of_workspace.filters));
    assert_eq!(created.secret.map(|told| told.expose_secret().to_owned()).as_deref(), Some(secret));
    assert!(silent.secret.is_none());
}

/// Trap 35: it may repeat what we answered, addresses and people among it.
#[tokio::test]
async fn what_a_delivery_failed_with_is_not_asked_for_and_not_shown_if_it_comes() {
    let told =
        json!([{ "gid": "91", "target": "https://hub.example.org/a?b=c", "last_failure_content": "Erika" }]);
    let double = Double::answering([page(told, None)]).await;

    let page = double.asana().webhooks("12", None, None).await.unwrap();

    assert!(!double.the_one().uri.query().unwrap().contains("last_failure_content"));
    let shown = format!("{page:?}");
    assert!(shown.contains("91") && !shown.contains("Erika") && !shown.contains("b=c"), "{shown}");
}

#[tokio::test]
async fn events_are_asked_for_with_the_newest_token() {
    let answer = || reply(200, json!({ "data": [], "sync": "next", "has_more": false }));
    let double = Double::answering([answer(), answer()]).await;

    double.asana().events("34", None).await.unwrap();
    double.asana().events("34", Some("de4774f6915eae04714ca93bb2f5ee81")).await.unwrap();

    let asked = double.asked();
    check(&asked[0], Method::GET, "/events");
    check(&asked[1], Method::GET, "/events");
    assert_eq!(query(&asked[0]), pairs(&[("resource", "34")]));
    assert_eq!(query(&asked[1]), pairs(&[("resource", "34"), ("sync", "de4774f6915eae04714ca93bb2f5ee81")]));
}

#[tokio::test]
async fn an_id_cannot_lead_anywhere_else() {
    let double = Double::answering([data(json!({ "gid": "1" }))]).await;
    let asana = double.asana();

    for id in ["", ".", "..", "1 2", "1\n2"] {
        assert_eq!(asana.task(id).await, Err(CallError::Refused(Refusal::NotFound)), "{id:?}");
    }
    assert!(double.asked().is_empty());
    asana.task("../users/me?x#y").await.unwrap();

    assert_eq!(double.the_one().uri.path(), "/api/1.0/tasks/..%2Fusers%2Fme%3Fx%23y");
}
