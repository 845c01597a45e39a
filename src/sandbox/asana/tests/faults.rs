//! What goes wrong on purpose.

use super::*;

#[tokio::test]
async fn an_answer_can_be_lost_after_the_change_or_the_request_before_it() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    let url = format!("{}/tasks/{task}", stage.asana.api_url());
    let write = async |name: &str| {
        let body = json!({ "data": { "name": name } });
        stage
            .client
            .put(&url)
            .bearer_auth(&stage.token)
            .json(&body)
            .send()
            .await
            .map(|reply| reply.status().as_u16())
    };
    let name = || stage.asana.task(task).unwrap().name;

    stage.asana.add_fault(Rule::next(1, Fault::AnswerLost { hold: false }).on(Operation::UpdateTask));
    let lost = write("a").await;
    let after_lost = name();
    stage.asana.add_fault(Rule::next(1, Fault::Reset).on(Operation::UpdateTask));
    let reset = write("b").await;
    let after_reset = name();
    stage.asana.add_fault(Rule::next(1, Fault::ErrorAfter { status: 500 }));
    let failed = write("c").await;

    assert!(lost.is_err() && reset.is_err());
    assert_eq!((after_lost.as_str(), after_reset.as_str(), name().as_str()), ("a", "a", "c"));
    assert_eq!(failed.unwrap(), 500);
}

#[tokio::test]
async fn the_balancer_speaks_html_and_the_server_a_phrase() {
    let stage = Stage::start().await;
    stage.asana.add_fault(Rule::next(1, Fault::ErrorBefore { status: 503 }));
    let balancer = stage.get("/users/me").await;
    stage.asana.add_fault(Rule::next(1, Fault::ErrorBefore { status: 500 }));
    let server = stage.get("/users/me").await;

    assert!(balancer.body.as_str().unwrap().starts_with("<html>"));
    assert_eq!(balancer.headers["content-type"], "text/html");
    assert!(server.body["errors"][0]["phrase"].is_string());
}

#[tokio::test]
async fn a_throttle_an_expired_offset_a_stale_token_and_half_an_answer_can_be_had_at_will() {
    let stage = Stage::start().await;
    for nth in 0..101 {
        stage.task(&format!("Phase {nth}"));
    }
    let path = format!("/tasks?project={}", stage.project);
    let first = stage.page(&path, None).await;
    let offset = first.body["next_page"]["offset"].as_str();
    let sync = stage.get(&format!("/events?resource={}", stage.project)).await.body["sync"].clone();

    stage.asana.add_fault(Rule::next(1, Fault::Throttled { retry_after_seconds: 7 }));
    let throttled = stage.page(&path, None).await;
    stage.asana.add_fault(Rule::next(1, Fault::OffsetExpired));
    let expired = stage.page(&path, offset).await;
    stage.asana.add_fault(Rule::next(1, Fault::SyncTokenExpired));
    let path_of_events = format!("/events?resource={}&sync={}", stage.project, sync.as_str().unwrap());
    let stale = stage.get(&path_of_events).await;
    stage.asana.add_fault(Rule::next(1, Fault::Truncated));
    let half = stage.page(&path, None).await;

    assert_eq!((throttled.status, &throttled.headers["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!((expired.status, stale.status, half.status), (400, 412, 200));
    assert!(half.body.is_string(), "no JSON any more");
}

#[tokio::test]
async fn an_outage_refuses_and_its_end_finds_everything_as_it_was() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.asana.stop().await;

    let during = stage.client.get(format!("{}/users/me", stage.asana.api_url())).send().await;
    stage.asana.start_again().await.unwrap();
    let after = stage.get(&format!("/tasks/{task}")).await;

    assert!(during.is_err());
    assert_eq!(after.status, 200);
}

#[tokio::test]
async fn requests_are_kept_without_their_token_and_counted_by_route() {
    let stage = Stage::start().await;
    let task = stage.task("Fundament");
    stage.get(&format!("/tasks/{task}?opt_fields=name")).await;
    stage.get(&format!("/tasks/{task}")).await;

    let requests = stage.asana.requests();

    assert_eq!(stage.asana.counts(), [(Operation::GetTask, 2)]);
    assert_eq!((requests[0].parameter("opt_fields"), requests[0].user), (Some("name"), Some(stage.erika)));
    assert_eq!(requests[1].status, Some(200));
    assert!(!format!("{requests:?}").contains(&stage.token));
}
