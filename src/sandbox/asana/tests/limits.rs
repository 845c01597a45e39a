//! Budgets.

use super::*;

#[tokio::test]
async fn whoever_asks_too_much_waits_as_told_and_refusals_count() {
    let limits = Limits { per_minute: Some(60), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let ask = async || stage.get("/users/me").await;
    while ask().await.status == 200 {}

    let refused = ask().await;
    let longer = ask().await;
    stage.asana.advance(TimeDelta::seconds(2)).await;
    let early = ask().await;
    stage.asana.advance(TimeDelta::seconds(60)).await;
    let again = ask().await;

    let wait = |reply: &Reply| reply.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap();
    assert_eq!((refused.status, early.status, again.status), (429, 429, 200));
    assert!(wait(&longer) > wait(&refused));
}

#[tokio::test]
async fn each_authorisation_has_a_budget_of_its_own() {
    let limits = Limits { per_minute: Some(4), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let max = stage.asana.add_token(stage.max);

    let first = stage.get("/users/me").await;
    let second = stage.get("/users/me").await;
    let other = stage.call_as(Some(&max), Method::GET, "/users/me", None).await;

    assert_eq!([first.status, second.status, other.status], [200, 429, 200]);
}

#[tokio::test]
async fn requests_in_flight_are_counted_apart_for_reads_and_writes() {
    let limits = Limits { reads: Some(1), writes: Some(1), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let path = format!("/tasks/{}", stage.task("Fundament"));
    let mut gate = stage.asana.pause_next(Point::BeforeApplying, Operation::GetTask);

    let waiting = stage.get(&path);
    let meanwhile = async {
        gate.reached().await.unwrap();
        let read = stage.get("/users/me").await;
        let written = stage.put(&path, json!({ "name": "Bodenplatte" })).await;
        gate.open();
        (read.status, written.status)
    };
    let (waited, meanwhile) = tokio::join!(waiting, meanwhile);
    let after = stage.get("/users/me").await;

    assert_eq!(meanwhile, (429, 200));
    assert_eq!((waited.status, after.status), (200, 200));
}

#[tokio::test]
async fn the_cost_of_an_answer_is_charged_after_it() {
    let limits = Limits { cost_per_minute: Some(60), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    for nth in 0..100 {
        stage.task(&format!("Phase {nth}"));
    }
    let path = format!("/tasks?project={}", stage.project);

    let told = stage.page(&path, None).await;
    stage.asana.quiet().await;
    let refused = stage.page(&path, None).await;

    assert_eq!((told.gids().len(), refused.status), (100, 429));
}

#[tokio::test]
async fn a_search_has_a_limit_beside_the_general_one() {
    let limits = Limits { searches_per_minute: Some(4), ..Limits::none() };
    let stage = Stage::with(Settings { limits, ..Settings::default() }).await;
    let path = format!("/workspaces/{}/tasks/search", stage.workspace);

    let first = stage.get(&path).await;
    let second = stage.get(&path).await;
    let other = stage.get("/users/me").await;

    assert_eq!([first.status, second.status, other.status], [200, 429, 200]);
}
