//! What one write changes: the fields in which the two sides differ, dates together,
//! and only what the task can hold.

use crate::{
    domain::planning::reading::Lens,
    provider::asana::{FieldChange, NewDates, NewDue, Task, TaskChange, UnfitDates},
    store::planning::phase::PhaseFields,
    words::PhaseField,
};

/// One write, and what it has to leave out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Order {
    pub(super) change: TaskChange,
    /// Fields that it writes.
    pub(super) writes: Vec<PhaseField>,
    /// Fields that the task cannot hold: one of them would cost the whole write.
    pub(super) left_out: Vec<PhaseField>,
}

impl Order {
    /// What makes `theirs`, which is what the task has, into `wanted`.
    pub(super) fn of(
        lens: &Lens,
        task: &Task,
        theirs: &PhaseFields,
        wanted: &PhaseFields,
    ) -> Result<Self, UnfitDates> {
        let mut order = Self::default();
        if (wanted.start_date, wanted.due_date) != (theirs.start_date, theirs.due_date) {
            order.change.dates = Some(dates(task, theirs, wanted)?);
            order.writes.extend([PhaseField::StartDate, PhaseField::DueDate]);
        }
        let differ = |field: &PhaseField| wanted.get(*field) != theirs.get(*field);
        for field in [PhaseField::PlannedHours, PhaseField::Area].into_iter().filter(differ) {
            match custom_field(lens, task, wanted, field) {
                Some(change) => {
                    order.change.fields.push(change);
                    order.writes.push(field);
                }
                None => order.left_out.push(field),
            }
        }
        Ok(order)
    }

    /// The same in as many writes as it has parts, the dates first: one field that the task does not have, or
    /// that is locked, makes the tool refuse the others, too.
    pub(super) fn parts(&self) -> Vec<Self> {
        let part = |change, writes| Self { change, writes, left_out: self.left_out.clone() };
        let dates = [PhaseField::StartDate, PhaseField::DueDate];
        let of_dates = self.change.dates.map(|_| part(self.change.dates_only(), dates.to_vec()));
        let custom = self.writes.iter().filter(|field| !dates.contains(field));
        let of_fields = custom.zip(&self.change.fields).map(|(field, change)| {
            let change = TaskChange { dates: None, fields: vec![change.clone()] };
            part(change, vec![*field])
        });
        of_dates.into_iter().chain(of_fields).collect()
    }
}

fn dates(task: &Task, theirs: &PhaseFields, wanted: &PhaseFields) -> Result<NewDates, UnfitDates> {
    let mut dates = NewDates::days(wanted.start_date, wanted.due_date)?;
    // Writing the day would drop the time of day that somebody set.
    if let Some(due_at) = task.due_at.filter(|_| wanted.due_date == theirs.due_date) {
        dates.due = NewDue::At(due_at);
    }
    Ok(dates)
}

/// None: the task does not have the field, its value cannot be set,
/// or no option can be chosen that means the area.
fn custom_field(
    lens: &Lens,
    task: &Task,
    wanted: &PhaseFields,
    field: PhaseField,
) -> Option<(String, FieldChange)> {
    let (gid, change) = match field {
        PhaseField::PlannedHours => {
            let change = wanted.planned_hours.map_or(FieldChange::Clear, FieldChange::Number);
            (lens.settings.hours_field_id.as_ref()?, change)
        }
        PhaseField::Area => {
            let change = match wanted.area {
                Some(area) => FieldChange::Option(lens.option_for(area)?.into()),
                None => FieldChange::Clear,
            };
            (lens.settings.area_field_id.as_ref()?, change)
        }
        PhaseField::StartDate | PhaseField::DueDate => return None,
    };
    let value = task.field(gid)?;
    (value.enabled || change == FieldChange::Clear).then(|| (gid.clone(), change))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, Utc};
    use chrono_tz::Tz;
    use rust_decimal::Decimal;

    use super::*;
    use crate::{
        domain::planning::sync::Dictionary,
        ids::IntegrationId,
        provider::asana::{EnumOption, FieldContent, FieldValue, NewStart, TaskSubtype},
        store::planning::settings::{AreaMapping, PlanningSettings},
        words::Area,
    };

    fn lens() -> Lens {
        let integration_id = IntegrationId::new();
        let option = |id: &str, is_enabled, area| AreaMapping {
            integration_id,
            option_id: id.into(),
            option_name: id.into(),
            color: None,
            is_enabled,
            area,
        };
        Lens {
            settings: PlanningSettings {
                area_field_id: Some("200".into()),
                hours_field_id: Some("201".into()),
                hours_precision: Some(1),
                ..PlanningSettings::new(integration_id, Utc::now())
            },
            options: vec![
                option("209", false, Some(Area::Production)),
                option("210", true, Some(Area::Production)),
                option("212", true, None),
            ],
            dictionary: Dictionary {
                zone: Tz::Europe__Berlin,
                area_field: Some("200".into()),
                hours_field: Some("201".into()),
                hours_precision: Some(1),
                areas: [("210".to_string(), Area::Production)].into(),
                ..Dictionary::default()
            },
        }
    }

    fn day(day: u32) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(2026, 3, day)
    }

    fn value(gid: &str, content: FieldContent) -> FieldValue {
        let gid = gid.into();
        FieldValue { gid, name: None, enabled: true, format: None, precision: None, content }
    }

    fn chosen(gid: &str) -> FieldContent {
        let option = EnumOption { gid: gid.into(), name: None, color: None, enabled: true };
        FieldContent::Enum(Some(option))
    }

    /// From the second to the sixth, 8 hours, an option that is ignored.
    fn task() -> Task {
        Task {
            gid: "1".into(),
            name: Some("Montage".into()),
            subtype: TaskSubtype::Default,
            completed: false,
            completed_at: None,
            start_on: day(2),
            start_at: None,
            due_on: day(6),
            due_at: None,
            created_at: None,
            modified_at: None,
            assignee: None,
            parent: None,
            num_subtasks: None,
            memberships: Vec::new(),
            actual_time_minutes: None,
            custom_fields: Some(vec![
                value("200", chosen("212")),
                value("201", FieldContent::Number(Some(8.into()))),
            ]),
            permalink_url: None,
        }
    }

    fn theirs(task: &Task) -> PhaseFields {
        lens().dictionary.understand(task).unwrap().fields(&PhaseFields::default())
    }

    fn order(task: &Task, wanted: &PhaseFields) -> Order {
        Order::of(&lens(), task, &theirs(task), wanted).unwrap()
    }

    /// Trap 22.
    #[test]
    fn start_and_due_go_together_even_if_one_alone_differs() {
        let wanted = PhaseFields { start_date: day(3), ..theirs(&task()) };

        let order = order(&task(), &wanted);

        let dates = NewDates { start: NewStart::On(day(3).unwrap()), due: NewDue::On(day(6).unwrap()) };
        assert_eq!(order.change, TaskChange { dates: Some(dates), fields: vec![] });
    }

    #[test]
    fn only_what_differs_is_written() {
        let wanted = PhaseFields { planned_hours: Some(Decimal::new(95, 1)), ..theirs(&task()) };

        let order = order(&task(), &wanted);

        let hours = ("201".to_string(), FieldChange::Number(Decimal::new(95, 1)));
        assert_eq!(order.change, TaskChange { dates: None, fields: vec![hours] });
    }

    #[test]
    fn a_phase_of_one_day_is_written_without_a_start() {
        let wanted = PhaseFields { start_date: None, due_date: day(9), ..theirs(&task()) };

        let dates = order(&task(), &wanted).change.dates.unwrap();

        assert_eq!((dates.start, dates.due), (NewStart::Clear, NewDue::On(day(9).unwrap())));
    }

    #[test]
    fn a_time_of_day_stays_while_the_day_does() {
        let due_at: DateTime<Utc> = "2026-03-06T16:00:00Z".parse().unwrap();
        let task = Task { due_at: Some(due_at), ..task() };
        let begun_later = PhaseFields { start_date: day(4), ..theirs(&task) };
        let due_later = PhaseFields { due_date: day(9), ..theirs(&task) };

        assert_eq!(order(&task, &begun_later).change.dates.unwrap().due, NewDue::At(due_at));
        assert_eq!(order(&task, &due_later).change.dates.unwrap().due, NewDue::On(day(9).unwrap()));
    }

    /// Trap 23.
    #[test]
    fn an_area_is_written_as_an_option_that_can_be_chosen() {
        let wanted = PhaseFields { area: Some(Area::Production), ..theirs(&task()) };

        let order = order(&task(), &wanted);

        assert_eq!(order.change.fields, [("200".to_string(), FieldChange::Option("210".into()))]);
    }

    /// Trap 24.
    #[test]
    fn a_field_that_the_task_cannot_hold_is_left_out_and_the_dates_are_written() {
        let mut bare = task();
        bare.custom_fields = Some(vec![]);
        let wanted = PhaseFields { due_date: day(9), planned_hours: Some(1.into()), ..theirs(&bare) };
        let no_option = PhaseFields { area: Some(Area::Assembly), ..theirs(&task()) };
        let mut fixed = task();
        fixed.custom_fields.as_mut().unwrap()[1].enabled = false;
        let set = PhaseFields { planned_hours: Some(1.into()), ..theirs(&fixed) };
        let cleared = PhaseFields { planned_hours: None, ..theirs(&fixed) };

        let without_hours = order(&bare, &wanted);

        assert!(without_hours.change.dates.is_some() && without_hours.change.fields.is_empty());
        assert_eq!(without_hours.left_out, [PhaseField::PlannedHours]);
        assert_eq!(order(&task(), &no_option).left_out, [PhaseField::Area]);
        assert_eq!(order(&fixed, &set).left_out, [PhaseField::PlannedHours]);
        assert_eq!(order(&fixed, &cleared).change.fields.len(), 1);
    }

    #[test]
    fn the_parts_of_a_write_are_its_dates_and_each_of_its_fields() {
        let wanted = PhaseFields {
            due_date: day(9),
            planned_hours: Some(1.into()),
            area: Some(Area::Production),
            ..theirs(&task())
        };

        let whole = order(&task(), &wanted);
        let parts = whole.parts();

        let writes: Vec<&[PhaseField]> = parts.iter().map(|part| part.writes.as_slice()).collect();
        let dates = [PhaseField::StartDate, PhaseField::DueDate];
        assert_eq!(writes, [&dates[..], &[PhaseField::PlannedHours], &[PhaseField::Area]]);
        assert_eq!(parts[0].change, whole.change.dates_only());
        let fields: Vec<_> = parts[1..].iter().flat_map(|part| part.change.fields.clone()).collect();
        assert!(parts[1..].iter().all(|part| part.change.dates.is_none()));
        assert_eq!(fields, whole.change.fields);
        assert_eq!(parts[0].parts(), parts[..1]);
    }
}
