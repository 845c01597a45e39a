//! Tasks: writes, places, the trash.

use super::*;

#[tokio::test]
async fn a_write_changes_what_it_names_and_answers_with_the_whole_record() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.asana.advance(TimeDelta::minutes(5)).await;

    let written =
        stage.put(&format!("/tasks/{task}"), json!({ "name": "Bodenplatte", "assignee": "me" })).await;

    assert_eq!(written.data()["name"], "Bodenplatte");
    assert_eq!(written.data()["assignee"]["name"], "Erika Muster");
    assert_eq!(written.data()["modified_at"], "2026-10-01T08:05:00.000Z");
    assert_eq!(written.data()["created_at"], "2026-10-01T08:00:00.000Z");
}

#[tokio::test]
async fn places_are_not_written_but_added_to_and_removed_from() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let other = stage.asana.add_project(stage.workspace, "Halle 8", &[]);
    let path = format!("/tasks/{task}");

    let refused = stage.put(&path, json!({ "projects": [other] })).await;
    let added = stage.post(&format!("{path}/addProject"), json!({ "project": other })).await;
    let both = stage.get(&path).await;
    let removed = stage.post(&format!("{path}/removeProject"), json!({ "project": stage.project })).await;
    let listed = stage.page(&format!("/tasks?project={other}"), None).await;
    let twice = stage.post(&format!("{path}/removeProject"), json!({ "project": stage.project })).await;

    assert_eq!(refused.refusal(), (400, "projects: Cannot write this property"));
    assert_eq!((added.status, removed.status, twice.status), (200, 200, 400));
    assert_eq!(both.data()["memberships"].as_array().unwrap().len(), 2);
    assert_eq!(listed.gids(), [task.to_string()]);
}

#[tokio::test]
async fn a_body_has_nothing_beside_data_and_options() {
    let stage = Stage::start().await;
    let path = format!("/tasks/{}", stage.task("Fundament"));

    let stray = stage.call(Method::PUT, &path, Some(json!({ "data": {}, "name": "x" }))).await;
    let bare = stage.call(Method::PUT, &path, Some(json!({ "name": "x" }))).await;
    let unknown = stage.put(&path, json!({ "colour": "red" })).await;

    assert_eq!([stray.status, bare.status, unknown.status], [400, 400, 400]);
}

#[tokio::test]
async fn exactly_one_selector_is_needed() {
    let stage = Stage::start().await;
    let section = stage.asana.project(stage.project).unwrap().sections[0];

    let none = stage.page("/tasks", None).await;
    let two = stage.page(&format!("/tasks?project={}&section={section}", stage.project), None).await;
    let assignee = stage.page("/tasks?assignee=me", None).await;
    let both = stage.page(&format!("/tasks?assignee=me&workspace={}", stage.workspace), None).await;

    assert_eq!([none.status, two.status, assignee.status, both.status], [400, 400, 400, 200]);
}

#[tokio::test]
async fn modified_since_tells_changes_and_arrivals_and_neither_departures_nor_deletions() {
    let stage = Stage::start().await;
    let [old, changed, gone, left] = ["old", "changed", "gone", "left"].map(|name| stage.task(name));
    let elsewhere = stage.asana.add_project(stage.workspace, "Halle 8", &[]);
    let arrived = stage.asana.add_task(elsewhere, json!({ "name": "arrived" })).unwrap();
    stage.asana.advance(TimeDelta::hours(1)).await;
    let erika = stage.erika();
    erika.set_dates(changed, None, Some(day("2026-11-13"))).unwrap();
    erika.add_to_project(arrived, stage.project).unwrap();
    erika.delete_task(gone);
    erika.remove_from_project(left, stage.project).unwrap();

    let since = "2026-10-01T08:30:00.000Z";
    let told = stage.page(&format!("/tasks?project={}&modified_since={since}", stage.project), None).await;
    let all = stage.page(&format!("/tasks?project={}", stage.project), None).await;

    assert_eq!(told.gids(), [changed, arrived].map(|gid| gid.to_string()));
    assert_eq!(all.gids(), [old, changed, arrived].map(|gid| gid.to_string()));
}

#[tokio::test]
async fn a_comment_counts_as_a_modification_and_a_move_does_not() {
    let stage = Stage::start().await;
    let (commented, moved) = (stage.task("commented"), stage.task("moved"));
    let other = stage.asana.add_project(stage.workspace, "Halle 8", &[]);
    stage.asana.advance(TimeDelta::hours(1)).await;

    stage.erika().comment(commented).unwrap();
    stage.erika().move_task(moved, stage.project, other).unwrap();

    let modified = |gid| stage.asana.task(gid).unwrap().modified_at;
    assert_eq!(modified(commented), at("2026-10-01T09:00:00Z"));
    assert_eq!(modified(moved), at("2026-10-01T08:00:00Z"));
}

#[tokio::test]
async fn subtasks_are_in_no_project_and_are_counted_when_asked() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let made = stage.post(&format!("/tasks/{task}/subtasks"), json!({ "name": "Schalung" })).await;

    let listed = stage.page(&format!("/tasks?project={}&opt_fields=num_subtasks", stage.project), None).await;
    let below = stage.page(&format!("/tasks/{task}/subtasks"), None).await;

    assert_eq!(made.status, 201);
    assert_eq!(made.data()["parent"]["gid"], json!(task));
    assert_eq!(listed.data()[0], json!({ "gid": task, "num_subtasks": 1 }));
    assert_eq!(below.gids(), [made.gid().to_string()]);
}

#[tokio::test]
async fn a_deleted_task_is_gone_and_comes_back_where_it_was() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let path = format!("/tasks/{task}");

    let deleted = stage.delete(&path).await;
    let gone = stage.get(&path).await;
    let listed = stage.page(&format!("/tasks?project={}", stage.project), None).await;
    stage.erika().undelete_task(task);
    let back = stage.get(&path).await;

    assert_eq!(*deleted.data(), json!({}));
    assert_eq!(gone.refusal(), (404, format!("task: Unknown object: {task}").as_str()));
    assert_eq!(listed.gids().len(), 0);
    assert_eq!(back.data()["memberships"][0]["project"]["gid"], json!(stage.project));
}

#[tokio::test]
async fn external_data_is_the_apps_own_and_finds_the_task() {
    let stage = Stage::start().await;
    let data = json!({ "name": "Fundament", "projects": [stage.project], "external": { "gid": "phase-1" } });
    let made = stage.post("/tasks", data).await;

    let found = stage.get("/tasks/external:phase-1?opt_fields=name,external").await;
    let unknown = stage.get("/tasks/external:phase-2").await;

    assert_eq!(made.status, 201);
    assert_eq!(found.gid(), made.gid());
    assert_eq!(found.data()["external"]["gid"], "phase-1");
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn an_unknown_route_and_a_wrong_method_are_not_found() {
    let stage = Stage::start().await;

    let unknown = stage.get("/tribes").await;
    let wrong = stage.put("/tasks", json!({})).await;

    assert_eq!((unknown.status, wrong.status), (404, 404));
}

#[tokio::test]
async fn projects_are_listed_archived_or_not_and_what_happens_to_tasks_does_not_modify_them() {
    let stage = Stage::start().await;
    let archived = stage.asana.add_project(stage.workspace, "Alt", &[]);
    stage
        .erika()
        .edit_project(archived, ProjectEdit { archived: Some(true), ..ProjectEdit::default() })
        .unwrap();
    stage.asana.advance(TimeDelta::hours(1)).await;
    stage.erika().create_task(stage.project, json!({ "name": "Fundament" })).unwrap();

    let path = format!("/projects?workspace={}", stage.workspace);
    let (all, _) = stage.all(&path).await;
    let (active, _) = stage.all(&format!("{path}&archived=false")).await;
    let project = stage.get(&format!("/projects/{}", stage.project)).await;
    let counts = stage.get(&format!("/projects/{}/task_counts?opt_fields=num_tasks", stage.project)).await;

    assert_eq!((all.len(), active), (2, vec![stage.project.to_string()]));
    assert_eq!(project.data()["modified_at"], "2026-10-01T08:00:00.000Z");
    assert_eq!(*counts.data(), json!({ "num_tasks": 1 }));
}

#[tokio::test]
async fn a_projects_start_needs_another_day_as_its_due_date() {
    let stage = Stage::start().await;
    let path = format!("/projects/{}", stage.project);

    let same = stage.put(&path, json!({ "start_on": "2026-11-02", "due_on": "2026-11-02" })).await;
    let alone = stage.put(&path, json!({ "start_on": "2026-11-02" })).await;
    let both = stage.put(&path, json!({ "start_on": "2026-11-02", "due_on": "2026-11-03" })).await;

    assert_eq!([same.status, alone.status, both.status], [400, 400, 200]);
}
