use chrono::NaiveDate;
use chrono_tz::{America::New_York, Europe::Berlin};

use super::*;
use crate::provider::asana::{EnumOption, FieldValue, Membership};

const AREA: &str = "11";
const HOURS: &str = "12";

fn dictionary() -> Dictionary {
    Dictionary {
        zone: Berlin,
        area_field: Some(AREA.into()),
        hours_field: Some(HOURS.into()),
        hours_precision: Some(1),
        areas: HashMap::from([("21".into(), Area::Production)]),
        projects: HashMap::from([("31".into(), project(1)), ("32".into(), project(2))]),
        ..Dictionary::default()
    }
}

fn project(number: u128) -> ProjectId {
    ProjectId(uuid::Uuid::from_u128(number))
}

fn task() -> Task {
    Task {
        gid: "1".into(),
        name: Some("Rohbau".into()),
        subtype: TaskSubtype::Default,
        completed: false,
        completed_at: None,
        start_on: None,
        start_at: None,
        due_on: None,
        due_at: None,
        created_at: None,
        modified_at: None,
        assignee: None,
        parent: None,
        num_subtasks: None,
        memberships: Vec::new(),
        actual_time_minutes: None,
        custom_fields: Some(Vec::new()),
        permalink_url: None,
    }
}

fn with(gid: &str, content: FieldContent) -> Task {
    let value =
        FieldValue { gid: gid.into(), name: None, enabled: true, format: None, precision: None, content };
    Task { custom_fields: Some(vec![value]), ..task() }
}

fn hours(text: &str) -> Task {
    with(HOURS, FieldContent::Number(Some(text.parse().unwrap())))
}

fn option(gid: &str) -> Task {
    let option = EnumOption { gid: gid.into(), name: None, color: None, enabled: true };
    with(AREA, FieldContent::Enum(Some(option)))
}

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

fn fields(task: &Task) -> PhaseFields {
    dictionary().understand(task).unwrap().fields(&PhaseFields::default())
}

/// Trap: a milestone has no start, and is no work.
#[test]
fn milestones_and_subtasks_are_no_phases() {
    let milestone = Task { subtype: TaskSubtype::Milestone, ..task() };
    let subtask = Task { parent: Some("9".into()), ..task() };
    let new = Task { subtype: TaskSubtype::Other("novel".into()), ..task() };

    assert_eq!(dictionary().understand(&milestone), None);
    assert_eq!(dictionary().understand(&subtask), None);
    assert!(dictionary().understand(&new).is_some());
}

#[test]
fn a_date_without_a_time_is_the_same_day_in_every_zone() {
    for zone in [Berlin, New_York, Tz::Pacific__Kiritimati] {
        let task = Task { start_on: day("2026-03-29"), due_on: day("2026-10-25"), ..task() };

        let understood = Dictionary { zone, ..dictionary() }.understand(&task).unwrap();

        let dates = (understood.start_and_due.start_date, understood.start_and_due.due_date);
        assert_eq!(dates, (day("2026-03-29"), day("2026-10-25")), "{zone}");
    }
}

#[test]
fn an_instant_lies_on_the_day_of_the_tenants_zone_on_both_sides_of_a_change_of_the_clocks() {
    // Berlin is an hour ahead of UTC until 2026-03-29T01:00Z, and two hours until 2026-10-25T01:00Z.
    for (instant, lies_on) in [
        ("2026-03-28T22:59:59Z", "2026-03-28"),
        ("2026-03-28T23:00:00Z", "2026-03-29"),
        ("2026-03-29T21:59:59Z", "2026-03-29"),
        ("2026-03-29T22:00:00Z", "2026-03-30"),
        ("2026-10-24T22:00:00Z", "2026-10-25"),
        ("2026-10-25T22:59:59Z", "2026-10-25"),
        ("2026-10-25T23:00:00Z", "2026-10-26"),
    ] {
        // The day that Asana tells beside an instant is by a zone that nobody documents.
        let task = Task { due_at: Some(instant.parse().unwrap()), due_on: day("2026-01-01"), ..task() };

        assert_eq!(fields(&task).due_date, day(lies_on), "{instant}");
    }
}

#[test]
fn a_phase_of_one_day_has_no_start() {
    let told_both = Task { start_on: day("2026-06-01"), due_on: day("2026-06-01"), ..task() };
    let told_one = Task { due_on: day("2026-06-01"), ..task() };

    assert_eq!(fields(&told_both), fields(&told_one));
    assert_eq!((fields(&told_one).start_date, fields(&told_one).due_date), (None, day("2026-06-01")));
}

#[test]
fn a_start_without_an_end_is_no_plan() {
    let task = Task { start_on: day("2026-06-01"), ..task() };

    assert_eq!(fields(&task).start_date, None);
}

/// Trap: comparing hours as doubles makes them change for ever.
#[test]
fn hours_are_rounded_to_the_precision_that_the_tool_keeps() {
    let hours_of = |text| fields(&hours(text)).planned_hours.map(|hours| hours.to_string());

    assert_eq!(hours_of("7.25").as_deref(), Some("7.3"));
    assert_eq!(hours_of("0.1").as_deref(), Some("0.1"));
    assert_eq!(hours_of("7.30"), hours_of("7.3"));
}

#[test]
fn hours_that_cannot_be_kept_leave_what_is_known_and_are_told() {
    let known = PhaseFields { planned_hours: Some(Decimal::from(5)), ..PhaseFields::default() };
    for (task, reason) in [
        (hours("-1"), "HOURS_NEGATIVE"),
        (hours("100000000"), "HOURS_TOO_MANY"),
        (with(HOURS, FieldContent::Unreadable), "HOURS_UNREADABLE"),
    ] {
        let understood = dictionary().understand(&task).unwrap();

        assert_eq!(understood.fields(&known).planned_hours, known.planned_hours, "{reason}");
        assert_eq!(understood.complaint(), Some(reason));
    }
}

#[test]
fn an_area_is_what_its_option_means_and_an_ignored_option_means_none() {
    assert_eq!(fields(&option("21")).area, Some(Area::Production));
    assert_eq!(fields(&option("22")).area, None);
    let ignored = dictionary().understand(&option("22")).unwrap();
    assert_eq!(ignored.option(&None).as_deref(), Some("22"));
}

#[test]
fn a_task_without_the_field_has_no_area_and_one_whose_fields_were_not_told_keeps_its() {
    let known = PhaseFields {
        area: Some(Area::Assembly),
        planned_hours: Some(Decimal::ONE),
        ..PhaseFields::default()
    };
    let bare = dictionary().understand(&task()).unwrap();
    let untold = dictionary().understand(&Task { custom_fields: None, ..task() }).unwrap();

    assert_eq!((bare.fields(&known).area, bare.fields(&known).planned_hours), (None, None));
    assert_eq!(untold.fields(&known).area, known.area);
    assert_eq!(untold.fields(&known).planned_hours, known.planned_hours);
}

#[test]
fn of_a_tasks_projects_only_those_count_whose_tasks_are_phases() {
    let at = |project: &str| Membership { project: project.into(), section: None, section_name: None };
    let task = Task { memberships: vec![at("32"), at("99"), at("31"), at("31")], ..task() };

    assert_eq!(dictionary().understand(&task).unwrap().projects, [project(1), project(2)]);
}

/// Clocks differ: a change is as old as our clock would have said.
#[test]
fn their_times_are_told_by_our_clock() {
    let told: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let (ahead, asked) = (TimeDelta::minutes(5), told + TimeDelta::hours(1));
    let task = Task { modified_at: Some(told), due_on: day("2026-06-03"), ..task() };
    let mut hint = Hint::default();
    hint.note(What::DueDate, told - TimeDelta::minutes(1));

    let understood = dictionary().understand(&task).unwrap();
    let theirs = understood.theirs(&PhaseFields::default(), Some(&hint), ahead, asked);

    assert_eq!(theirs.update_time, told - ahead);
    assert_eq!(theirs.changed.due_date_change_time, Some(told - TimeDelta::minutes(6)));
    assert_eq!(theirs.changed.start_date_change_time, None);
}
