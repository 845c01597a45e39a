//! What is read: every record of the description, and none of its parts for granted.

use super::spec::Spec;
use super::*;

#[tokio::test]
async fn every_record_reads_as_the_description_shows_it() {
    let Some(spec) = Spec::at_hand() else { return };
    let list = |schema: &str| page(json!([spec.example(schema)]), None);
    let double = Double::answering([
        list("WorkspaceResponse"),
        list("UserResponse"),
        list("ProjectResponse"),
        list("CustomFieldSettingResponse"),
        list("CustomFieldResponse"),
        list("TaskResponse"),
        list("TimeTrackingEntryBase"),
        list("OooEntryResponse"),
        list("WebhookResponse"),
        reply(200, json!({ "data": [spec.example("EventResponse")], "sync": "s", "has_more": true })),
    ])
    .await;
    let asana = double.asana();

    let workspace = asana.workspaces(None).await.unwrap().items.remove(0);
    let user = asana.users("1", None).await.unwrap().items.remove(0);
    let project = asana.projects("1", None).await.unwrap().items.remove(0);
    let setting = asana.custom_field_settings("1", None).await.unwrap().items.remove(0);
    let field = asana.workspace_custom_fields("1", None).await.unwrap().items.remove(0);
    let task = asana.tasks("1", None, None).await.unwrap().items.remove(0);
    let entry = asana.time_entries("1", None).await.unwrap().items.remove(0);
    let absence = asana.ooo_entries("1", "2", None, None, None).await.unwrap().items.remove(0);
    let webhook = asana.webhooks("1", None, None).await.unwrap().items.remove(0);
    let Events::Page(events) = asana.events("1", None).await.unwrap() else { panic!("no page") };

    assert_eq!((workspace.gid.as_str(), workspace.name.is_some()), ("12345", true));
    assert_eq!(user.email.as_deref(), Some("gsanchez@example.com"));
    assert!(project.name.is_some() && project.due_on.is_some() && project.workspace.is_some());
    assert_eq!(project.field_gids.as_deref(), Some(&["12345".to_owned()][..]));
    assert_eq!((setting.gid.as_str(), setting.field.gid.as_str()), ("12345", "12345"));
    assert!(!field.options.is_empty() && field.name.is_some() && field.precision.is_some());
    assert!(task.due_on.is_some() && task.due_at.is_some() && task.modified_at.is_some());
    assert_eq!(task.memberships.len(), 1);
    assert_eq!(task.custom_fields.as_ref().map(Vec::len), Some(1));
    assert_eq!((task.assignee.as_deref(), task.parent.as_deref()), (Some("12345"), Some("12345")));
    assert!(task.actual_time_minutes.is_some() && task.permalink_url.is_some());
    assert_eq!((entry.minutes, entry.created_by.as_deref()), (12, Some("12345")));
    assert_eq!((absence.start_date, absence.end_date), (day("2024-01-01"), day("2024-01-15")));
    assert!(webhook.target.is_some() && webhook.failure_deletion_time.is_some());
    assert_eq!(events.events.len(), 1);
    assert_eq!(events.events[0].change.as_ref().map(|change| change.field.as_str()), Some("assignee"));
}

/// Whatever is null, a list or a text instead of an object, nothing falls over.
#[tokio::test]
async fn nulls_and_other_types_are_read_as_absent() {
    let keys = [
        "name",
        "resource_subtype",
        "completed",
        "completed_at",
        "created_at",
        "modified_at",
        "assignee",
        "parent",
        "num_subtasks",
        "memberships",
        "custom_fields",
        "permalink_url",
    ];
    for value in [Value::Null, json!([]), json!({}), json!([null, 1, "x", {}]), json!(1e300)] {
        let mut record: serde_json::Map<_, _> =
            keys.map(|key| (key.to_owned(), value.clone())).into_iter().collect();
        record.insert("gid".into(), json!("1"));

        let task = task(Value::Object(record)).await;

        assert_eq!(task.subtype, TaskSubtype::Default, "{value}");
        assert_eq!((task.assignee, task.parent, task.num_subtasks), (None, None, None), "{value}");
        assert_eq!((task.memberships, task.permalink_url, task.name), (vec![], None, None), "{value}");
    }
}

/// Trap 19.
#[tokio::test]
async fn ids_are_texts_however_long() {
    let huge = "120461961140234157771234567890";
    let task = task(json!({
        "gid": huge,
        "assignee": { "gid": "9007199254740993" },
        "memberships": [
            { "project": { "gid": huge }, "section": null }, { "project": null }, { "section": {} },
        ],
    }))
    .await;

    assert_eq!((task.gid.as_str(), task.assignee.as_deref()), (huge, Some("9007199254740993")));
    assert!(task.is_in(huge) && !task.is_in("9007199254740993"));
    assert_eq!(task.memberships.len(), 1);
}

#[tokio::test]
async fn new_kinds_of_tasks_and_fields_are_kept_by_name() {
    let fields = json!([
        { "gid": "1", "resource_subtype": "rating", "number_value": 5 },
        { "gid": "2", "type": "enum", "enum_value": { "gid": "21", "name": "Montage", "enabled": false } },
        { "gid": "3", "resource_subtype": "enum", "enum_value": null },
        { "gid": "4", "resource_subtype": "enum", "enum_value": "Montage" },
        { "gid": "5", "resource_subtype": "number", "enabled": false },
        { "gid": "6" },
        { "resource_subtype": "number", "number_value": 5 },
    ]);

    let task = task(json!({ "gid": "1", "resource_subtype": "sprint", "custom_fields": fields })).await;

    let content = |gid| task.field(gid).map(|field| field.content.clone());
    assert_eq!(task.subtype, TaskSubtype::Other("sprint".into()));
    assert_eq!(content("1"), Some(FieldContent::Other(FieldSubtype::Other("rating".into()))));
    assert_eq!((task.option("2"), task.number("2")), (Some("21"), None));
    assert_eq!(content("3"), Some(FieldContent::Enum(None)));
    assert_eq!(content("4"), Some(FieldContent::Unreadable));
    assert_eq!(task.field("5").map(|field| field.enabled), Some(false));
    assert_eq!(content("6"), Some(FieldContent::Unreadable));
    assert_eq!(task.custom_fields.map(|fields| fields.len()), Some(6));
}

#[tokio::test]
async fn fields_that_were_not_told_are_not_taken_for_none() {
    let untold = task(json!({ "gid": "1" })).await;
    let none = task(json!({ "gid": "1", "custom_fields": [] })).await;

    assert_eq!((untold.custom_fields, none.custom_fields), (None, Some(vec![])));
}

#[tokio::test]
async fn a_field_says_what_it_is_and_whether_it_can_be_written() {
    let option =
        |gid: &str, enabled: bool| json!({ "gid": gid, "name": gid, "color": "blue", "enabled": enabled });
    let fields = json!([
        {
            "gid": "1", "name": "Bereich", "resource_subtype": "enum", "description": "Wo gearbeitet wird",
            "enum_options": [option("11", true), option("12", false), {}, null],
            "is_global_to_workspace": true,
        },
        { "gid": "2", "resource_subtype": "number", "format": "duration", "precision": 2 },
        { "gid": "3", "resource_subtype": "number", "format": "points", "precision": 99 },
        { "gid": "4", "resource_subtype": "number", "representation_type": "formula" },
        { "gid": "5", "resource_subtype": "text", "representation_type": "custom_id" },
        { "gid": "6", "resource_subtype": "number", "is_value_read_only": true },
        { "gid": "7" },
    ]);
    let double = Double::answering([page(fields, None)]).await;

    let list = double.asana().workspace_custom_fields("1", None).await.unwrap();

    let [area, hours, points, formula, id, locked] = &list.items[..] else { panic!("{list:?}") };
    assert_eq!((area.options.len(), area.options[1].enabled, area.is_global), (2, false, true));
    assert_eq!(area.options[0].color.as_deref(), Some("blue"));
    assert_eq!(area.description.as_deref(), Some("Wo gearbeitet wird"));
    assert_eq!((&hours.format, hours.precision), (&Some(NumberFormat::Duration), Some(2)));
    assert_eq!((&points.format, points.precision), (&Some(NumberFormat::Other("points".into())), None));
    assert!(formula.is_read_only && id.is_read_only && locked.is_read_only && !hours.is_read_only);
    assert_eq!(list.unfit, [Unfit { gid: Some("7".into()), what: "resource_subtype" }]);
}

#[tokio::test]
async fn only_a_web_address_is_passed_on_as_one() {
    let read = task(json!({ "gid": "1", "permalink_url": "javascript:alert(1)" })).await;

    assert_eq!(read.permalink_url, None);
}

#[tokio::test]
async fn hours_and_absences_need_their_days() {
    let entries = json!([
        { "gid": "1", "duration_minutes": 90, "entered_on": "2026-11-20", "created_by": null },
        { "gid": "2", "duration_minutes": 90 },
        { "gid": "3", "duration_minutes": -5, "entered_on": "2026-11-20" },
        { "gid": "4", "entered_on": "2026-11-20" },
    ]);
    let absences = json!([
        { "gid": "5", "start_date": "2026-12-24", "end_date": "2026-12-24", "user": { "gid": "7" } },
        { "gid": "6", "start_date": "2026-12-24", "end_date": "2026-12-23", "user": { "gid": "7" } },
        { "gid": "8", "start_date": "2026-12-24", "end_date": null },
    ]);
    let double = Double::answering([page(entries, None), page(absences, None)]).await;

    let hours = double.asana().time_entries("1", None).await.unwrap();
    let away = double.asana().ooo_entries("1", "7", None, None, None).await.unwrap();

    assert_eq!((hours.items[0].minutes, hours.items[0].created_by.as_deref()), (90, None));
    let what: Vec<_> = hours.unfit.iter().map(|unfit| unfit.what).collect();
    assert_eq!(what, ["entered_on", "duration_minutes", "duration_minutes"]);
    assert_eq!(away.items[0].user.as_deref(), Some("7"));
    let what: Vec<_> = away.unfit.iter().map(|unfit| unfit.what).collect();
    assert_eq!(what, ["end_date", "end_date"]);
}
