//! Events, as the stream tells them and as webhooks do.

use super::*;

fn changed(field: &str) -> Value {
    json!({
        "user": { "gid": "56", "resource_type": "user" }, "created_at": "2026-11-21T06:30:00.123Z",
        "action": "changed",
        "resource": { "gid": "1", "resource_type": "task", "resource_subtype": "default_task" },
        "parent": null, "change": { "field": field, "action": "changed" },
    })
}

fn delivery(events: Value) -> webhook::Delivery {
    webhook::parse(json!({ "events": events }).to_string().as_bytes()).unwrap()
}

/// Trap 21: the first call of all is answered so.
#[tokio::test]
async fn without_a_way_on_the_stream_gives_a_new_token() {
    let body =
        json!({ "errors": [{ "message": "Sync token invalid or too old" }], "sync": "de4774f6915eae04" });
    let double = Double::answering([reply(412, &body), reply(412, &body)]).await;

    let first = double.asana().events("34", None).await.unwrap();
    let expired = double.asana().events("34", Some("old")).await.unwrap();

    let restart = Events::Restart { sync: "de4774f6915eae04".into() };
    assert_eq!((first, expired), (restart.clone(), restart));
}

#[tokio::test]
async fn a_restart_without_a_token_is_no_answer() {
    for body in ["", "<html>412</html>", "{}", r#"{"sync":null}"#, r#"{"sync":""}"#, r#"{"sync":"a b"}"#] {
        let double = Double::answering([reply(412, body), reply(200, body)]).await;

        let unfit = |what| CallError::UnexpectedShape { what, may_be_done: false };
        assert_eq!(double.asana().events("34", None).await.unwrap_err(), unfit("sync"), "{body}");
        assert_eq!(double.asana().events("34", None).await.unwrap_err(), unfit("data"), "{body}");
    }
}

#[tokio::test]
async fn a_page_of_events_says_whether_more_wait() {
    let events = json!([changed("due_on"), changed("start_on"), { "action": "changed" }]);
    let body = json!({ "data": events, "sync": "next", "has_more": true });
    let double = Double::answering([reply(200, body), reply(404, "<html>"), complaint(404, "gone")]).await;

    let Events::Page(page) = double.asana().events("34", Some("old")).await.unwrap() else {
        panic!("no page")
    };

    assert_eq!((page.events.len(), page.unfit.len(), page.has_more), (2, 1, true));
    assert_eq!(page.sync, "next");
    let error = double.asana().events("34", Some("old")).await.unwrap_err();
    assert_eq!(error, CallError::UnexpectedShape { what: "errors", may_be_done: false });
    let error = double.asana().events("34", Some("old")).await.unwrap_err();
    assert_eq!(error, CallError::Refused(Refusal::NotFound));
}

/// Trap 28.
#[test]
fn an_event_says_what_changed_and_never_to_what() {
    let mut field = changed("custom_fields");
    field["change"]["new_value"] =
        json!({ "gid": "71", "resource_type": "custom_field", "number_value": 40 });

    let delivery = delivery(json!([field]));

    let change =
        Change { field: "custom_fields".into(), action: Some(Action::Changed), value: Some("71".into()) };
    let event = &delivery.events[0];
    assert_eq!(event.change, Some(change));
    assert_eq!((&event.action, event.user.as_deref()), (&Action::Changed, Some("56")));
    assert_eq!(event.resource.kind, ResourceKind::Task);
    assert_eq!(event.created_at, Some(at("2026-11-21T06:30:00.123Z")));
}

#[test]
fn a_change_by_nobody_and_kinds_not_known_are_read() {
    let event = json!({
        "user": null, "action": "archived", "resource": { "gid": "1", "resource_type": "goal" },
        "parent": { "gid": "34", "resource_type": "project" }, "created_at": "soon",
    });

    let delivery = delivery(json!([event]));

    let event = &delivery.events[0];
    assert_eq!((&event.user, event.created_at, &event.change), (&None, None, &None));
    assert_eq!(event.action, Action::Other("archived".into()));
    assert_eq!(event.resource.kind, ResourceKind::Other("goal".into()));
    assert_eq!(event.parent.as_ref().map(|parent| &parent.kind), Some(&ResourceKind::Project));
}

/// Traps 8 and 9.
#[test]
fn a_heartbeat_is_a_delivery_without_events() {
    assert!(delivery(json!([])).is_heartbeat());
    assert!(!delivery(json!([changed("name")])).is_heartbeat());
    assert!(!delivery(json!([{}])).is_heartbeat());
}

#[test]
fn one_event_without_form_does_not_spoil_the_others() {
    let delivery =
        delivery(json!([null, "x", { "action": "added" }, { "resource": { "gid": "1" } }, changed("name")]));

    let what: Vec<_> = delivery.unfit.iter().map(|unfit| unfit.what).collect();
    assert_eq!((delivery.events.len(), what), (1, vec!["gid", "gid", "resource", "action"]));
}

#[test]
fn what_is_no_delivery_is_said_to_be_none() {
    use webhook::ParseError::{NoEvents, NotJson};

    let parse = |body: &str| webhook::parse(body.as_bytes()).unwrap_err();
    assert_eq!([parse(""), parse("{"), parse("events=1")], [NotJson; 3]);
    assert_eq!(
        [parse("{}"), parse("[]"), parse(r#"{"events":null}"#), parse(r#"{"events":{}}"#)],
        [NoEvents; 4]
    );
}
