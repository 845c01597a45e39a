//! Lists: pages, offsets, and records that tell only what was asked for.

use super::*;

fn fill(stage: &Stage, count: usize) -> Vec<String> {
    (0..count).map(|nth| stage.task(&format!("Phase {nth}")).to_string()).collect()
}

#[tokio::test]
async fn a_listing_is_told_in_pages_of_at_most_a_hundred() {
    let stage = Stage::start().await;
    let made = fill(&stage, 250);

    let path = format!("/tasks?project={}&opt_fields=name", stage.project);
    let (gids, pages) = stage.all(&path).await;

    assert_eq!((gids, pages), (made, 3));
    for limit in ["0", "101", "many"] {
        let refused = stage.get(&format!("{path}&limit={limit}")).await;
        assert_eq!(refused.status, 400, "{limit}");
    }
}

#[tokio::test]
async fn without_a_limit_there_are_no_pages_and_at_most_a_thousand_records() {
    let stage = Stage::start().await;
    fill(&stage, 1000);
    let path = format!("/tasks?project={}&opt_fields=name", stage.project);

    let whole = stage.get(&path).await;
    stage.task("One too many");
    let refused = stage.get(&path).await;

    assert_eq!(whole.gids().len(), 1000);
    assert!(whole.body.get("next_page").is_none());
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn an_offset_ends_with_its_time_and_belongs_to_its_listing() {
    let stage = Stage::start().await;
    fill(&stage, 101);
    let path = format!("/tasks?project={}", stage.project);
    let offset = stage.page(&path, None).await.body["next_page"]["offset"].as_str().unwrap().to_owned();

    let elsewhere = stage.page(&format!("/projects/{}/tasks", stage.project), Some(&offset)).await;
    let fresh = stage.page(&path, Some(&offset)).await;
    stage.asana.advance(TimeDelta::minutes(16)).await;
    let stale = stage.page(&path, Some(&offset)).await;

    assert_eq!(fresh.gids().len(), 1);
    assert_eq!(elsewhere.status, 400);
    assert!(stale.refusal().1.contains("expired"), "{stale:?}");
}

#[tokio::test]
async fn what_is_deleted_meanwhile_moves_nobody_else_off_the_next_page() {
    let stage = Stage::start().await;
    let made = fill(&stage, 150);
    let path = format!("/tasks?project={}", stage.project);
    let first = stage.page(&path, None).await;
    stage.erika().delete_task(made[3].parse().unwrap());

    let next = stage.page(&path, first.body["next_page"]["offset"].as_str()).await;

    assert_eq!(next.gids(), made[100..]);
}

#[tokio::test]
async fn the_uri_of_a_next_page_can_be_made_to_lead_elsewhere() {
    let stage = Stage::start().await;
    fill(&stage, 101);
    stage.asana.add_fault(Rule::next(1, Fault::StrayNextPage));
    let path = format!("/tasks?project={}", stage.project);

    let first = stage.page(&path, None).await;
    let next = stage.page(&path, first.body["next_page"]["offset"].as_str()).await;

    let uri = first.body["next_page"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("https://asana.example.org/"), "{uri}");
    assert_eq!(next.gids().len(), 1);
}

#[tokio::test]
async fn only_the_fields_named_come_back_and_the_gid() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let path = format!("/tasks/{task}");
    let section = stage.asana.project(stage.project).unwrap().sections[0];

    let compact = stage.page(&format!("/tasks?project={}", stage.project), None).await;
    let named =
        stage.get(&format!("{path}?opt_fields=name,assignee,memberships.section.name,projects")).await;
    let nothing = stage.get(&format!("{path}?opt_fields=no_such_field")).await;
    let by_body = json!({ "data": { "name": "Bodenplatte" }, "options": { "fields": ["name"] } });
    let by_body = stage.call(Method::PUT, &path, Some(by_body)).await;

    assert_eq!(
        compact.data()[0],
        json!({
            "gid": task, "resource_type": "task", "resource_subtype": "default_task", "name": "Fundament",
        })
    );
    let section = json!({ "section": { "gid": section, "name": "Untitled section" } });
    let bare = json!([{ "gid": stage.project, "resource_type": "project" }]);
    assert_eq!(
        *named.data(),
        json!({
            "gid": task, "name": "Fundament", "assignee": null, "memberships": [section], "projects": bare,
        })
    );
    assert_eq!(*nothing.data(), json!({ "gid": task }));
    assert_eq!(*by_body.data(), json!({ "gid": task, "name": "Bodenplatte" }));
}

#[tokio::test]
async fn gids_are_texts_too_large_for_a_double() {
    let stage = Stage::start().await;

    let task = stage.get(&format!("/tasks/{}", stage.task("Fundament"))).await.gid();

    assert!(task.to_string().parse::<u64>().unwrap() > 1 << 53);
}
