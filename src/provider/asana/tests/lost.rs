//! Requests that come to nothing, and what an answer tells beside its body.

use http::{HeaderValue, StatusCode};

use super::super::request::affecting;
use super::*;

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_and_a_read_may_be_repeated() {
    let router = Router::new().fallback(std::future::pending::<StatusCode>);
    let hurried = |config| EgressConfig { request_timeout: Duration::from_millis(100), ..config };
    let double = Double::serving(router, hurried).await;
    let asana = Asana { write_timeout: Duration::from_millis(100), ..double.asana() };
    let dates = NewDates::days(None, Some(day("2026-12-11"))).unwrap();
    let change = TaskChange { dates: Some(dates), fields: vec![] };
    let wish = SubscriptionWish { resource: "1", target: "https://hub.example.org/x", filters: vec![] };

    let unknown = CallError::Unknown(NoAnswer::Timeout);
    assert_eq!(asana.update_task("1", &change).await.unwrap_err(), unknown);
    assert_eq!(asana.create_webhook(&wish).await.unwrap_err(), unknown);
    assert_eq!(asana.task("1").await.unwrap_err(), CallError::Transient(NoAnswer::Timeout));
    assert_eq!((unknown.class(), asana.newest_exchange()), (Class::Unknown, None));
}

/// A webhook is made only after a call to us of up to ten seconds.
#[test]
fn a_write_is_given_more_time_than_a_handshake_takes() {
    assert!(WRITE_TIMEOUT >= Duration::from_secs(20));
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_no_token() {
    let double = Double::answering([]).await;
    let token = "asana_\ntoken".into();

    let error = Asana::new(&double.egress, &double.base, &token).me().await.unwrap_err();

    assert_eq!(error, CallError::Credential);
    assert!(double.asked().is_empty());
}

#[tokio::test]
async fn what_an_answer_says_about_the_clock_is_remembered() {
    let date = "Sat, 21 Nov 2026 06:30:00 GMT";
    let double = Double::answering([
        complaint(404, "gone").with("date", date),
        data(json!({ "gid": "1" })).with("date", "yesterday"),
    ])
    .await;
    let asana = double.asana();
    let mut seen = vec![asana.newest_exchange()];

    for _ in 0..2 {
        let _ = asana.task("1").await;
        seen.push(asana.newest_exchange());
    }

    let first = Exchange { status: 404, date: Some(at("2026-11-21T06:30:00Z")) };
    assert_eq!(seen, [None, Some(first), Some(Exchange { status: 200, date: None })]);
}

#[test]
fn announced_changes_are_named_where_they_affect_us() {
    let cases = [
        (
            "name=new_user_task_lists;info=https://forum.example.org/t/1;affected=true",
            Some("new_user_task_lists"),
        ),
        ("affected=true; name=team_plus", Some("team_plus")),
        ("name=new_user_task_lists;info=x;affected=false", None),
        ("name=new_user_task_lists", None),
        ("name=;affected=true", None),
        ("", None),
        ("name=a b\u{e4};affected=true", None),
    ];
    for (header, name) in cases {
        let header = HeaderValue::from_bytes(header.as_bytes()).unwrap();

        assert_eq!(affecting(&header).as_deref(), name, "{header:?}");
    }
}
