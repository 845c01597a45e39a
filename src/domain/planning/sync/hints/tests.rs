use chrono::TimeDelta;
use proptest::strategy::Strategy;
use proptest::{collection::vec, prelude::any, prop_assert_eq, prop_oneof, proptest, strategy::Just};

use super::*;
use crate::provider::asana::{Change, Resource};

const FIELDS: MappedFields<'_> = MappedFields { area: Some("11"), hours: Some("12") };

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

fn event(kind: ResourceKind, gid: &str, action: Action, minute: i64) -> Event {
    Event {
        action,
        resource: Resource { gid: gid.into(), kind, subtype: None },
        parent: None,
        change: None,
        user: None,
        created_at: Some(at(minute)),
    }
}

fn changed(gid: &str, field: &str, value: Option<&str>, minute: i64) -> Event {
    let change = Change { field: field.into(), action: Some(Action::Changed), value: value.map(Into::into) };
    Event { change: Some(change), ..event(ResourceKind::Task, gid, Action::Changed, minute) }
}

fn whats_of(event: Event) -> Vec<What> {
    let hints = Hints::of(&[event], FIELDS, at(0));
    hints.tasks.values().flat_map(|hint| hint.0.keys().copied()).collect()
}

#[test]
fn an_event_names_the_fields_that_may_have_changed() {
    assert_eq!(whats_of(changed("1", "due_on", None, 1)), [What::DueDate]);
    assert_eq!(whats_of(changed("1", "due_at", None, 1)), [What::DueDate]);
    assert_eq!(whats_of(changed("1", "start_on", None, 1)), [What::StartDate]);
    assert_eq!(whats_of(changed("1", "custom_fields", Some("11"), 1)), [What::Area]);
    assert_eq!(whats_of(changed("1", "custom_fields", Some("12"), 1)), [What::PlannedHours]);
    assert_eq!(whats_of(changed("1", "custom_fields", None, 1)), [What::PlannedHours, What::Area]);
    assert_eq!(whats_of(changed("1", "custom_fields", Some("99"), 1)), [What::Other]);
}

#[test]
fn a_field_of_a_name_that_nobody_knows_is_looked_at_and_a_note_is_not() {
    assert_eq!(whats_of(changed("1", "something_new", None, 1)), [What::Other]);
    assert_eq!(whats_of(changed("1", "notes", None, 1)), []);
}

#[test]
fn comments_and_sections_are_nothing_to_read_a_task_for() {
    let events = [
        event(ResourceKind::Story, "7", Action::Added, 1),
        event(ResourceKind::Section, "8", Action::Changed, 1),
    ];

    assert!(Hints::of(&events, FIELDS, at(0)).is_empty());
}

#[test]
fn a_field_that_comes_to_a_project_is_a_change_of_the_project() {
    let parent = Resource { gid: "5".into(), kind: ResourceKind::Project, subtype: None };
    let setting = ResourceKind::Other("custom_field_setting".into());
    let added = Event { parent: Some(parent), ..event(setting, "9", Action::Added, 1) };

    let hints = Hints::of(&[added], FIELDS, at(0));

    assert_eq!(hints.projects, BTreeSet::from(["5".to_owned()]));
}

#[test]
fn only_a_deletion_that_nothing_followed_is_one() {
    let deleted = |minute| event(ResourceKind::Task, "1", Action::Deleted, minute);
    let undeleted = |minute| event(ResourceKind::Task, "1", Action::Undeleted, minute);
    let is_deletion = |events: &[Event]| Hints::of(events, FIELDS, at(0)).tasks["1"].is_of_deletion();

    assert!(is_deletion(&[undeleted(1), deleted(2)]));
    assert!(is_deletion(&[deleted(2), undeleted(1)]), "in any order");
    assert!(!is_deletion(&[deleted(2), undeleted(3)]));
    assert!(!is_deletion(&[undeleted(3)]));
}

#[test]
fn of_more_tasks_than_a_message_may_name_the_whole_project_is_read() {
    let events: Vec<_> =
        (0..=TASKS_AT_MOST).map(|gid| changed(&gid.to_string(), "due_on", None, 1)).collect();

    let hints = Hints::of(&events, FIELDS, at(0));

    assert!(hints.everything && hints.tasks.is_empty());
}

fn any_event() -> impl Strategy<Value = Event> {
    let field = prop_oneof![Just("due_on"), Just("start_on"), Just("custom_fields"), Just("name")];
    prop_oneof![
        (0..4u8, field, 0..100i64).prop_map(|(gid, field, minute)| changed(
            &gid.to_string(),
            field,
            None,
            minute
        )),
        (0..4u8, any::<bool>(), 0..100i64).prop_map(|(gid, back, minute)| {
            let action = if back { Action::Undeleted } else { Action::Deleted };
            event(ResourceKind::Task, &gid.to_string(), action, minute)
        }),
        (0..4u8, 0..100i64).prop_map(|(gid, minute)| event(
            ResourceKind::Project,
            &gid.to_string(),
            Action::Changed,
            minute
        )),
    ]
}

proptest! {
    /// P9.
    #[test]
    fn doubled_and_reordered_events_say_the_same(
        events in vec(any_event(), 0..12).prop_shuffle(),
        split in 0..12usize,
    ) {
        let split = split.min(events.len());
        let doubled = [&events[split..], &events[..], &events[..split]].concat();

        prop_assert_eq!(Hints::of(&doubled, FIELDS, at(0)), Hints::of(&events, FIELDS, at(0)));
    }

    #[test]
    fn what_a_message_carries_is_what_was_told(events in vec(any_event(), 0..12)) {
        let told = Hints::of(&events, FIELDS, at(0));

        prop_assert_eq!(Hints::from_payload(&Value::Object(told.to_payload())), told);
    }

    /// Messages of one lane are merged by the keys of their payloads, the later one's values on top.
    #[test]
    fn merged_messages_leave_nothing_out(
        events in vec(any_event(), 0..12),
        split in 0..12usize,
    ) {
        let split = split.min(events.len());
        let mut payload = Hints::of(&events[..split], FIELDS, at(0)).to_payload();
        payload.extend(Hints::of(&events[split..], FIELDS, at(0)).to_payload());

        let merged = Hints::from_payload(&Value::Object(payload));

        let told = Hints::of(&events, FIELDS, at(0));
        let named = |hints: &Hints| -> Vec<(String, Vec<What>)> {
            let whats = |hint: &Hint| hint.0.keys().copied().collect();
            hints.tasks.iter().map(|(task, hint)| (task.clone(), whats(hint))).collect()
        };
        prop_assert_eq!(named(&merged), named(&told));
        prop_assert_eq!(merged.projects, told.projects);
    }
}
