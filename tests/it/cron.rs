//! An outside scheduler at the HTTP adapter.

use chrono::Utc;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use stellwerk::domain::engine::schedule::{self, Seen};

use crate::support::{app::TestApp, booking_tool};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Whatever the answer is.
async fn ask(app: &TestApp, method: Method, path: &str, bearers: &[&str]) -> (StatusCode, Value) {
    let url = format!("http://{}{path}", app.http());
    let client = booking_tool::client();
    let mut request = client.request(method, url);
    for bearer in bearers {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.unwrap_or_default())
}

async fn with_secret(secret: &str) -> TestApp {
    TestApp::builder().setting(&format!("--cron-secret={secret}")).without_worker().start().await
}

/// P14.
#[tokio::test]
async fn an_occurrence_is_run_once_whoever_asks_for_it_and_how_often() {
    let app = with_secret(SECRET).await;
    let path = "/api/cron/sweep-calcom";

    let first = ask(&app, Method::GET, path, &[SECRET]).await;
    let second = ask(&app, Method::POST, path, &[SECRET]).await;

    let owner = app.database.owner().await;
    let claimed = "SELECT to_char(occurrence_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') \
        FROM schedule_run WHERE schedule = 'sweep-calcom'";
    let occurrences = owner.lines(claimed).await;
    let answer = |status| {
        let time = &occurrences[0];
        json!({ "status": status, "schedule": "sweep-calcom", "occurrence_time": time, "queued": 0 })
    };
    assert_eq!(occurrences.len(), 1);
    assert_eq!(first, (StatusCode::OK, answer("run")));
    assert_eq!(second, (StatusCode::OK, answer("run_before")));
}

/// P14. The built-in scheduler and the outside one claim from the same list.
#[tokio::test]
async fn what_the_built_in_scheduler_ran_is_not_run_again() {
    let app = with_secret(SECRET).await;
    schedule::run(&app.domain, &mut Seen::default(), Utc::now()).await;

    let answers = [
        ask(&app, Method::GET, "/api/cron/sweep-calcom", &[SECRET]).await,
        ask(&app, Method::GET, "/api/cron/cleanup-sync-logs", &[SECRET]).await,
    ];

    assert_eq!(answers.map(|(_, answer)| answer["status"].clone()), ["run_before", "run_before"]);
}

/// P2.
#[tokio::test]
async fn nobody_without_the_secret_runs_anything() {
    let app = with_secret(SECRET).await;
    let other = SECRET.replace('0', "1");

    let mut answers = Vec::new();
    for bearers in [&[][..], &[other.as_str()], &[&SECRET[1..]], &[""], &[SECRET, SECRET]] {
        for schedule in ["sweep-calcom", "no-such-schedule"] {
            answers.push(ask(&app, Method::GET, &format!("/api/cron/{schedule}"), bearers).await);
        }
    }
    let unknown = ask(&app, Method::GET, "/api/cron/no-such-schedule", &[SECRET]).await;
    let head = ask(&app, Method::HEAD, "/api/cron/sweep-calcom", &[SECRET]).await;

    for (status, body) in answers {
        assert_eq!((status, &body["reason"]), (StatusCode::UNAUTHORIZED, &json!("CRON_SECRET_WRONG")));
    }
    assert_eq!((unknown.0, &unknown.1["reason"]), (StatusCode::NOT_FOUND, &json!("SCHEDULE_NOT_FOUND")));
    assert_eq!(head.0, StatusCode::METHOD_NOT_ALLOWED);
    let claimed = app.database.owner().await.value("SELECT count(*) FROM schedule_run").await;
    assert_eq!(claimed, "0");
}

/// P2. A secret that can be guessed is none.
#[tokio::test]
async fn without_a_secret_of_32_characters_there_is_no_such_route() {
    let short = &SECRET[1..];

    for app in [with_secret(short).await, TestApp::builder().without_worker().start().await] {
        for bearers in [&[][..], &[short]] {
            let (status, body) = ask(&app, Method::GET, "/api/cron/sweep-calcom", bearers).await;
            assert_eq!((status, &body["reason"]), (StatusCode::NOT_FOUND, &json!("ROUTE_NOT_FOUND")));
        }
    }
}
