//! The rules of dates.

use super::*;

#[tokio::test]
async fn a_start_goes_with_a_due_date_of_the_same_request() {
    let stage = Stage::start().await;
    let path = format!("/tasks/{}", stage.task("Fundament"));

    let both = stage.put(&path, json!({ "start_on": "2026-11-02", "due_on": "2026-11-13" })).await;
    let start_alone = stage.put(&path, json!({ "start_on": "2026-11-03" })).await;
    let cleared_alone = stage.put(&path, json!({ "start_on": null })).await;
    let due_alone = stage.put(&path, json!({ "due_on": "2026-11-14" })).await;
    let due_cleared = stage.put(&path, json!({ "due_on": null })).await;
    let without_due = stage.put(&path, json!({ "start_on": "2026-11-03", "due_on": null })).await;
    let turned = stage.put(&path, json!({ "start_on": "2026-11-20", "due_on": "2026-11-13" })).await;
    let one_day = stage.put(&path, json!({ "start_on": "2026-11-13", "due_on": "2026-11-13" })).await;
    let without_start = stage.put(&path, json!({ "start_on": null, "due_on": "2026-11-13" })).await;

    assert_eq!(
        (&both.data()["start_on"], &both.data()["due_on"]),
        (&json!("2026-11-02"), &json!("2026-11-13"))
    );
    for refused in [start_alone, cleared_alone, due_cleared, without_due, turned, one_day] {
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    assert_eq!(due_alone.data()["start_on"], "2026-11-02");
    assert_eq!(without_start.data()["start_on"], Value::Null);
}

#[tokio::test]
async fn a_day_and_a_time_exclude_each_other_and_the_day_drops_the_time() {
    let stage = Stage::start().await;
    let path = format!("/tasks/{}", stage.task("Abnahme"));

    let both =
        stage.put(&path, json!({ "due_on": "2026-11-02", "due_at": "2026-11-02T10:00:00.000Z" })).await;
    let timed = stage.put(&path, json!({ "due_at": "2026-11-02T23:30:00.000Z" })).await;
    let day = stage.put(&path, json!({ "due_on": "2026-11-03" })).await;

    assert_eq!(both.refusal(), (400, "You may only provide one of due_on or due_at!"));
    // In Berlin it is the next day already.
    assert_eq!(
        (&timed.data()["due_on"], &timed.data()["due_at"]),
        (&json!("2026-11-03"), &json!("2026-11-02T23:30:00.000Z"))
    );
    assert_eq!(day.data()["due_at"], Value::Null);
}

#[tokio::test]
async fn a_milestone_has_no_start() {
    let stage = Stage::start().await;
    let data = json!({ "name": "Richtfest", "resource_subtype": "milestone" });
    let milestone = stage.asana.add_task(stage.project, data).unwrap();

    let refused = stage
        .put(&format!("/tasks/{milestone}"), json!({ "start_on": "2026-11-02", "due_on": "2026-11-13" }))
        .await;

    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_free_workspace_knows_no_start_dates() {
    let stage = Stage::with(Settings { plan: Plan::Free, ..Settings::default() }).await;
    let path = format!("/tasks/{}", stage.task("Fundament"));

    let refused = stage.put(&path, json!({ "start_on": "2026-11-02", "due_on": "2026-11-13" })).await;
    let due = stage.put(&path, json!({ "due_on": "2026-11-13" })).await;

    assert_eq!((refused.status, due.status), (402, 200));
}
