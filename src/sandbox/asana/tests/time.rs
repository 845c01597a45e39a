//! Time entries.

use super::*;

#[tokio::test]
async fn logged_time_adds_up_on_the_task_without_modifying_it_or_telling_anybody() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.asana.advance(TimeDelta::hours(1)).await;
    let before = stage.asana.events().len();

    let entry = stage.erika().log_time(task, 90, day("2026-10-01")).unwrap();
    stage.asana.person(stage.max).log_time(task, 30, day("2026-10-02")).unwrap();
    let both = stage.get(&format!("/tasks/{task}")).await;
    stage.erika().change_time(entry, 60).unwrap();
    let less = stage.get(&format!("/tasks/{task}?opt_fields=actual_time_minutes")).await;

    assert_eq!(both.data()["actual_time_minutes"], 120);
    assert_eq!(both.data()["modified_at"], "2026-10-01T08:00:00.000Z");
    assert_eq!(*less.data(), json!({ "gid": task, "actual_time_minutes": 90 }));
    assert_eq!(stage.asana.events().len(), before);
}

#[tokio::test]
async fn a_list_of_entries_does_not_tell_their_task_and_one_by_itself_does() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let made = stage
        .post(
            &format!("/tasks/{task}/time_tracking_entries"),
            json!({ "duration_minutes": 45, "entered_on": "2026-10-01" }),
        )
        .await;

    let of_task = stage.page(&format!("/tasks/{task}/time_tracking_entries"), None).await;
    let window =
        format!("/time_tracking_entries?workspace={}&entered_on_start_date=2026-10-01", stage.workspace);
    let of_workspace = stage.page(&format!("{window}&opt_fields=task,duration_minutes"), None).await;
    let one = stage.get(&format!("/time_tracking_entries/{}", made.gid())).await;
    let unbound = stage.page(&format!("/time_tracking_entries?workspace={}", stage.workspace), None).await;

    assert_eq!(made.status, 201);
    assert_eq!(of_task.data()[0]["created_by"]["gid"], json!(stage.erika));
    assert_eq!(of_workspace.data()[0], json!({ "gid": made.gid(), "duration_minutes": 45 }));
    assert_eq!(one.data()["task"]["gid"], json!(task));
    assert_eq!(unbound.status, 400);
}

#[tokio::test]
async fn no_time_at_all_is_refused_and_a_free_workspace_tracks_none() {
    let stage = Stage::start().await;
    let free = Stage::with(Settings { plan: Plan::Free, ..Settings::default() }).await;
    let path = |stage: &Stage| format!("/tasks/{}/time_tracking_entries", stage.task("Fundament"));

    let none = stage.post(&path(&stage), json!({ "duration_minutes": 0 })).await;
    let unpaid = free.page(&path(&free), None).await;

    assert_eq!((none.status, unpaid.status), (400, 402));
}
