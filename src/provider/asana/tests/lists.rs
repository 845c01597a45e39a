//! Where a list ends. What is missing from it counts as deleted, so it must never end by a misunderstanding.

use super::*;

fn records(count: usize) -> Value {
    (0..count).map(|gid| json!({ "gid": gid.to_string() })).collect()
}

const NO_NEXT: CallError = CallError::UnexpectedShape { what: "next_page.offset", may_be_done: false };

/// Trap 33.
#[tokio::test]
async fn the_next_page_is_asked_for_by_its_offset_wherever_its_address_leads() {
    let double = Double::answering([page(records(100), Some("second")), page(records(1), None)]).await;

    let first = double.asana().tasks("34", None, None).await.unwrap();
    let second = double.asana().tasks("34", None, first.next.as_ref()).await.unwrap();

    let asked = double.asked();
    assert!(asked[1].uri.query().unwrap().ends_with("&limit=100&offset=second"));
    assert_eq!(asked[1].uri.path(), asked[0].uri.path());
    assert_eq!((first.items.len(), second.items.len(), second.next), (100, 1, None));
}

#[tokio::test]
async fn a_short_list_may_leave_out_where_the_next_page_is() {
    let double = Double::answering([reply(200, json!({ "data": records(99) }))]).await;

    let list = double.asana().workspaces(None).await.unwrap();

    assert_eq!((list.items.len(), list.next), (99, None));
}

#[tokio::test]
async fn a_full_page_that_does_not_say_whether_it_is_the_last_is_no_list() {
    for next in [None, Some(json!({})), Some(json!({ "offset": "" })), Some(json!("more")), Some(json!([]))] {
        let mut body = json!({ "data": records(100) });
        if let Some(next) = next {
            body["next_page"] = next;
        }
        let double = Double::answering([reply(200, &body)]).await;

        assert_eq!(double.asana().tasks("34", None, None).await, Err(NO_NEXT), "{body}");
    }
}

/// P13.
#[tokio::test]
async fn a_page_that_leads_to_itself_is_no_page() {
    let double = Double::answering([page(records(100), Some("same"))]).await;
    let offset = Offset::parse("same".into());

    assert_eq!(double.asana().tasks("34", None, offset.as_ref()).await, Err(NO_NEXT));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_and_the_others_are_read() {
    let records = json!([
        { "gid": "1", "due_on": "2026-12-11" },
        { "gid": "2", "due_on": "11.12.2026" },
        { "gid": "3", "due_on": 20261211 },
        { "gid": "4", "start_at": "yesterday" },
        { "gid": "5", "actual_time_minutes": "many" },
        { "name": "no gid" },
        null,
        "6",
    ]);
    let double = Double::answering([page(records, None)]).await;

    let list = double.asana().tasks("34", None, None).await.unwrap();

    let unfit = |gid: Option<&str>, what| Unfit { gid: gid.map(str::to_owned), what };
    assert_eq!(list.items.len(), 1);
    assert_eq!(
        list.unfit,
        [
            unfit(Some("2"), "due_on"),
            unfit(Some("3"), "due_on"),
            unfit(Some("4"), "start_at"),
            unfit(Some("5"), "actual_time_minutes"),
            unfit(None, "gid"),
            unfit(None, "gid"),
            unfit(None, "gid"),
        ]
    );
}

#[tokio::test]
async fn an_answer_without_its_envelope_is_none() {
    let bodies =
        ["", "null", "[]", "<html>busy</html>", r#"{"gid":"1"}"#, r#"{"data":null}"#, r#"{"data":"x"}"#];
    for body in bodies {
        let double = Double::answering([reply(200, body), reply(200, body), reply(200, body)]).await;
        let asana = double.asana();
        let change = TaskChange { fields: vec![("7".into(), FieldChange::Clear)], ..TaskChange::default() };

        let (list, one) = (asana.tasks("34", None, None).await, asana.task("1").await);
        let written = asana.update_task("1", &change).await;

        let unexpected = |may_be_done| CallError::UnexpectedShape { what: "data", may_be_done };
        assert_eq!((list.unwrap_err(), one.unwrap_err()), (unexpected(false), unexpected(false)), "{body}");
        assert_eq!(written.unwrap_err().class(), Class::Unknown, "{body}");
    }
}

#[test]
fn an_offset_is_taken_as_it_is_kept_or_not_at_all() {
    let longest = "x".repeat(2000);

    assert_eq!(Offset::parse("eyJ0eXAi+/=".into()).unwrap().as_str(), "eyJ0eXAi+/=");
    assert!(Offset::parse(longest.clone()).is_some());
    for text in [String::new(), "a b".into(), "a\n".into(), longest + "x"] {
        assert_eq!(Offset::parse(text), None);
    }
}
