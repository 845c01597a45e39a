//! What a task of the planning tool is here, if it is anything.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::hints::{Hint, MappedFields, What};
use crate::{
    domain::planning::merge::Theirs,
    ids::{ExternalUserId, ProjectId},
    provider::asana::{FieldContent, Task, TaskSubtype},
    store::planning::phase::{PhaseChangeTimes, PhaseFields},
    words::Area,
};

/// What the tool's ids mean here, as of a run's begin.
#[derive(Debug, Default)]
pub(in crate::domain::planning) struct Dictionary {
    pub(in crate::domain::planning) zone: Tz,
    pub(in crate::domain::planning) area_field: Option<String>,
    pub(in crate::domain::planning) hours_field: Option<String>,
    /// Decimal places that the tool keeps of planned hours.
    pub(in crate::domain::planning) hours_precision: Option<i16>,
    /// By option; one that is not here is ignored.
    pub(in crate::domain::planning) areas: HashMap<String, Area>,
    pub(in crate::domain::planning) users: HashMap<String, ExternalUserId>,
    /// Those whose tasks are phases.
    pub(in crate::domain::planning) projects: HashMap<String, ProjectId>,
    /// Those that would be if they were not archived: nothing is looked for in them, and what is in them stays.
    pub(in crate::domain::planning) archived: HashMap<String, ProjectId>,
    /// By how much the tool's clock is ahead of ours.
    pub(in crate::domain::planning) skew: TimeDelta,
}

/// A task that is a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::domain::planning) struct Understood {
    pub(super) external_id: String,
    pub(super) name: String,
    pub(super) is_completed: bool,
    pub(super) assignee_id: Option<ExternalUserId>,
    pub(super) start_and_due: PhaseFields,
    pub(super) hours: Told<Option<Decimal>>,
    pub(super) area: Told<Option<Area>>,
    pub(super) area_option_id: Told<Option<String>>,
    /// None where time is not tracked, or the plan does not tell.
    pub(super) actual_minutes: Option<i32>,
    /// By the tool's clock.
    pub(super) modified_at: Option<DateTime<Utc>>,
    /// Those of its projects whose tasks are phases, or were when they were archived.
    pub(super) projects: Vec<ProjectId>,
    /// Whether it is in one that is not archived.
    pub(super) is_in_use: bool,
}

/// What an answer says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told<T> {
    Value(T),
    /// Nothing, or nothing that could be kept: what is known stays.
    Nothing,
    /// It is there and cannot be kept, and why.
    Unfit(&'static str),
}

impl<T> Told<T> {
    fn or(&self, known: &T) -> T
    where
        T: Clone,
    {
        match self {
            Self::Value(value) => value.clone(),
            Self::Nothing | Self::Unfit(_) => known.clone(),
        }
    }
}

/// More than any phase has; the table has room for eight digits before the point.
const HOURS_AT_MOST: i64 = 99_999_999;

impl Dictionary {
    pub(super) fn fields(&self) -> MappedFields<'_> {
        MappedFields { area: self.area_field.as_deref(), hours: self.hours_field.as_deref() }
    }

    /// A task as a phase; none: a milestone or a subtask is none.
    pub(in crate::domain::planning) fn understand(&self, task: &Task) -> Option<Understood> {
        if task.subtype == TaskSubtype::Milestone || task.parent.is_some() {
            return None;
        }
        let due_date = task.due_date(self.zone);
        // A start without an end, which Asana does not allow, is no plan.
        let start_date = due_date.and_then(|_| task.start_date(self.zone));
        let dates = PhaseFields { start_date, due_date, ..PhaseFields::default() };
        let place_of = |gid: &String| self.projects.get(gid).or_else(|| self.archived.get(gid)).copied();
        let projects = task.memberships.iter().filter_map(|at| place_of(&at.project));
        let mut projects: Vec<_> = projects.collect();
        projects.sort_unstable();
        projects.dedup();
        let (area, area_option_id) = self.area(task);
        Some(Understood {
            external_id: task.gid.clone(),
            name: task.name.clone().unwrap_or_default(),
            is_completed: task.completed,
            assignee_id: task.assignee.as_ref().and_then(|user| self.users.get(user).copied()),
            start_and_due: dates.normalize(None),
            hours: self.hours(task),
            area,
            area_option_id,
            actual_minutes: task.actual_time_minutes.and_then(|minutes| minutes.round().to_i32()),
            modified_at: task.modified_at,
            projects,
            is_in_use: task.memberships.iter().any(|at| self.projects.contains_key(&at.project)),
        })
    }

    fn hours(&self, task: &Task) -> Told<Option<Decimal>> {
        // A field that nobody mapped has no value, which also forgets the values of one that was.
        let Some(field) = &self.hours_field else { return Told::Value(None) };
        if task.custom_fields.is_none() {
            return Told::Nothing;
        }
        let hours = match task.field(field).map(|field| &field.content) {
            None => None,
            Some(FieldContent::Number(number)) => *number,
            Some(FieldContent::Unreadable | FieldContent::Enum(_) | FieldContent::Other(_)) => {
                return Told::Unfit("HOURS_UNREADABLE");
            }
        };
        let Some(hours) = hours else { return Told::Value(None) };
        if hours.is_sign_negative() && !hours.is_zero() {
            return Told::Unfit("HOURS_NEGATIVE");
        }
        if hours > Decimal::from(HOURS_AT_MOST) {
            return Told::Unfit("HOURS_TOO_MANY");
        }
        let rounded = PhaseFields { planned_hours: Some(hours), ..PhaseFields::default() };
        Told::Value(rounded.normalize(self.hours_precision).planned_hours)
    }

    fn area(&self, task: &Task) -> (Told<Option<Area>>, Told<Option<String>>) {
        let Some(field) = self.area_field.as_ref().filter(|_| task.custom_fields.is_some()) else {
            return (Told::Nothing, Told::Nothing);
        };
        match task.field(field).map(|field| &field.content) {
            None | Some(FieldContent::Enum(None)) => (Told::Value(None), Told::Value(None)),
            Some(FieldContent::Enum(Some(option))) => {
                (Told::Value(self.areas.get(&option.gid).copied()), Told::Value(Some(option.gid.clone())))
            }
            Some(FieldContent::Unreadable | FieldContent::Number(_) | FieldContent::Other(_)) => {
                (Told::Unfit("AREA_UNREADABLE"), Told::Nothing)
            }
        }
    }
}

impl Understood {
    /// What both sides can change, as it stands there; what was not told stands as both sides last agreed.
    pub(in crate::domain::planning) fn fields(&self, base: &PhaseFields) -> PhaseFields {
        PhaseFields {
            planned_hours: self.hours.or(&base.planned_hours),
            area: self.area.or(&base.area),
            ..self.start_and_due.clone()
        }
    }

    pub(super) fn option(&self, known: &Option<String>) -> Option<String> {
        self.area_option_id.or(known)
    }

    /// The same with the times of its changes, as our clock would have told them. `asked` stands for what
    /// nobody tells.
    pub(in crate::domain::planning) fn theirs(
        &self,
        base: &PhaseFields,
        hint: Option<&Hint>,
        skew: TimeDelta,
        asked: DateTime<Utc>,
    ) -> Theirs {
        let time_of = |what| hint.and_then(|hint| hint.time_of(what)).map(|time| time - skew);
        Theirs {
            fields: self.fields(base),
            changed: PhaseChangeTimes {
                start_date_change_time: time_of(What::StartDate),
                due_date_change_time: time_of(What::DueDate),
                planned_hours_change_time: time_of(What::PlannedHours),
                area_change_time: time_of(What::Area),
            },
            update_time: self.modified_at.map_or(asked, |time| time - skew),
        }
    }

    /// Why some of it cannot be kept.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        match (&self.hours, &self.area) {
            (Told::Unfit(reason), _) | (_, Told::Unfit(reason)) => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
