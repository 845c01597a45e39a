use std::{collections::BTreeMap, str::FromStr};

use chrono::{DateTime, Utc};

use super::*;
use crate::{
    provider::asana::{CustomField, EnumOption, FieldSubtype, FieldValue, NumberFormat},
    words::AbsenceSource,
};

const BERLIN: Tz = Tz::Europe__Berlin;

fn custom_field(gid: &str, subtype: FieldSubtype) -> CustomField {
    CustomField {
        gid: gid.into(),
        name: Some("Feld".into()),
        subtype,
        description: None,
        format: Some(NumberFormat::Plain),
        precision: Some(1),
        currency_code: None,
        custom_label: None,
        options: vec![option("11", "Produktion"), option("13", "Verwaltung")],
        is_global: true,
        is_read_only: false,
    }
}

fn option(gid: &str, name: &str) -> EnumOption {
    EnumOption { gid: gid.into(), name: Some(name.into()), color: None, enabled: true }
}

fn mapping() -> Checked {
    Checked {
        area_field: custom_field("1", FieldSubtype::Enum),
        hours_field: Some(custom_field("2", FieldSubtype::Number)),
        areas: BTreeMap::from([("11".into(), Some(Area::Production)), ("13".into(), None)]),
        absences: Absences { source: AbsenceSource::None, project: None, kind_field: None },
    }
}

fn project(fields: &[&str]) -> Project {
    Project {
        gid: "100".into(),
        name: Some("Wohnhaus am Wall".into()),
        archived: false,
        completed: false,
        start_on: None,
        due_on: None,
        created_at: None,
        modified_at: None,
        owner: None,
        workspace: None,
        permalink_url: None,
        field_gids: Some(fields.iter().map(ToString::to_string).collect()),
    }
}

fn value(gid: &str, content: FieldContent) -> FieldValue {
    FieldValue { gid: gid.into(), name: None, enabled: true, format: None, precision: None, content }
}

fn task(chosen: Option<EnumOption>, hours: Option<&str>) -> Task {
    let hours = hours.map(|hours| Decimal::from_str(hours).unwrap());
    Task {
        gid: "5".into(),
        name: Some("Dachstuhl".into()),
        subtype: TaskSubtype::Default,
        completed: false,
        completed_at: None,
        start_on: day("2027-03-01"),
        start_at: None,
        due_on: day("2027-03-05"),
        due_at: None,
        created_at: None,
        modified_at: None,
        assignee: None,
        parent: None,
        num_subtasks: None,
        memberships: Vec::new(),
        actual_time_minutes: None,
        custom_fields: Some(vec![
            value("1", FieldContent::Enum(chosen)),
            value("2", FieldContent::Number(hours)),
        ]),
        permalink_url: None,
    }
}

fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn of(task: &Task) -> Phase {
    shown(task, &project(&["1", "2"]), &mapping(), BERLIN)
}

#[test]
fn a_task_that_has_everything_loses_nothing() {
    let phase = of(&task(Some(option("11", "Produktion")), Some("12.5")));

    assert_eq!(phase.losses, []);
    assert_eq!(phase.area, Some(Area::Production));
    assert_eq!(phase.planned_hours, Decimal::from_str("12.5").ok());
    assert_eq!((phase.start_date, phase.due_date), (day("2027-03-01"), day("2027-03-05")));
    assert!(!phase.is_left_out);
}

#[test]
fn what_has_no_area_or_hours_is_told_and_stays_a_phase() {
    let ignored = of(&task(Some(option("13", "Verwaltung")), None));
    let empty = of(&task(None, Some("-3")));

    assert_eq!(ignored.losses, [Loss::OptionIgnored, Loss::HoursEmpty]);
    assert_eq!(ignored.option.as_deref(), Some("Verwaltung"));
    assert_eq!(empty.losses, [Loss::AreaEmpty, Loss::HoursNegative]);
    assert_eq!(empty.planned_hours, None);
    assert!(!ignored.is_left_out && !empty.is_left_out);
}

#[test]
fn milestones_subtasks_and_tasks_without_the_field_become_no_phases() {
    let whole = task(Some(option("11", "Produktion")), Some("1"));
    let milestone = Task { subtype: TaskSubtype::Milestone, ..whole.clone() };
    let subtask = Task { parent: Some("4".into()), ..whole.clone() };
    let elsewhere = shown(&whole, &project(&["2"]), &mapping(), BERLIN);

    assert_eq!(of(&milestone).losses, [Loss::Milestone]);
    assert_eq!(of(&subtask).losses, [Loss::Subtask]);
    assert_eq!(elsewhere.losses, [Loss::AreaFieldNotInProject]);
    assert!(of(&milestone).is_left_out && of(&subtask).is_left_out && elsewhere.is_left_out);
}

#[test]
fn a_time_of_day_is_lost_and_its_day_is_the_tenants() {
    let late =
        Task { due_at: time("2027-03-05T23:30:00Z"), ..task(Some(option("11", "Produktion")), Some("1")) };

    let phase = of(&late);

    assert_eq!(phase.losses, [Loss::TimeOfDay]);
    assert_eq!(phase.due_date, day("2027-03-06"), "half past midnight in Berlin");
}

#[test]
fn hours_are_rounded_as_the_provider_keeps_them() {
    assert_eq!(
        of(&task(Some(option("11", "Produktion")), Some("7.25"))).planned_hours,
        Decimal::from_str("7.3").ok()
    );
}

#[test]
fn dates_in_the_wrong_order_are_told() {
    let backwards = Task { due_on: day("2027-02-01"), ..task(Some(option("11", "Produktion")), Some("1")) };

    assert_eq!(of(&backwards).losses, [Loss::StartAfterDue]);
}

#[test]
fn losses_are_added_up_with_the_most_frequent_first_and_options_by_name() {
    let ignored = of(&task(Some(option("13", "Verwaltung")), Some("1")));
    let other = of(&task(Some(option("14", "Einkauf")), Some("1")));
    let empty = of(&task(None, None));

    let sums = add_up(&[ignored.clone(), empty, other, ignored]);

    let told: Vec<_> = sums.iter().map(|sum| (sum.loss, sum.option.as_deref(), sum.count)).collect();
    assert_eq!(
        told,
        [
            (Loss::OptionIgnored, Some("Verwaltung"), 2),
            (Loss::AreaEmpty, None, 1),
            (Loss::OptionIgnored, Some("Einkauf"), 1),
            (Loss::HoursEmpty, None, 1),
        ]
    );
}
