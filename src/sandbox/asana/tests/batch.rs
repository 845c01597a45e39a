//! Several requests in one.

use super::*;

#[tokio::test]
async fn a_batch_answers_each_action_in_order() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let path = format!("/tasks/{task}");
    let actions = json!([
        { "method": "get", "relative_path": path, "data": { "opt_fields": "name" } },
        { "method": "put", "relative_path": path, "data": { "due_on": "2026-11-13" } },
        { "method": "get", "relative_path": "/tasks/1" },
    ]);

    let done = stage.post("/batch", json!({ "actions": actions })).await;

    let codes: Vec<_> =
        done.data().as_array().unwrap().iter().map(|one| one["status_code"].as_u64()).collect();
    assert_eq!(codes, [Some(200), Some(200), Some(404)]);
    assert_eq!(done.data()[0]["body"]["data"], json!({ "gid": task, "name": "Fundament" }));
    assert_eq!(stage.asana.task(task).unwrap().due, Some(Moment::On(day("2026-11-13"))));
}

#[tokio::test]
async fn a_batch_has_one_to_ten_actions_and_counts_as_so_many_requests() {
    let limits = Limits { per_minute: Some(40), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let action = json!({ "method": "get", "relative_path": "/users/me" });
    let batch = async |count: usize| {
        stage.post("/batch", json!({ "actions": vec![action.clone(); count] })).await.status
    };

    let codes = [batch(0).await, batch(9).await, batch(9).await];
    stage.asana.set_limits(Limits::none());
    let eleven = batch(11).await;

    assert_eq!((codes, eleven), ([400, 200, 429], 400));
}
