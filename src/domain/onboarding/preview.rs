//! What a mapping would make of real tasks, and what of them would be lost.

use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::{
    Checked, Found, Ground, NewMapping,
    mapping::{Absences, check},
};
use crate::{
    caller::Caller,
    domain::Domain,
    error::{Error, Result},
    ids::IntegrationId,
    provider::asana::{FieldContent, Project, Task, TaskSubtype, rounded},
    store::{self, planning::settings::PlanningSettings},
    words::Area,
};

/// Projects that tasks are shown of, at most: each takes a request.
const PROJECTS: usize = 5;
/// Tasks that are shown at most.
pub const TASKS_AT_MOST: usize = 100;
/// Tasks that are shown when nobody says how many.
pub const TASKS: usize = 50;

/// What a mapping would make of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    pub task: String,
    pub name: String,
    pub project: String,
    pub start_date: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    /// The option that the task has.
    pub option: Option<String>,
    pub area: Option<Area>,
    pub planned_hours: Option<Decimal>,
    /// It becomes no phase at all.
    pub is_left_out: bool,
    pub losses: Vec<Loss>,
}

/// What of a task is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loss {
    /// Has no duration: no phase.
    Milestone,
    /// Part of another task: no phase.
    Subtask,
    /// Its project lacks the field that makes a task a phase.
    AreaFieldNotInProject,
    AreaEmpty,
    OptionIgnored,
    HoursFieldNotInProject,
    HoursEmpty,
    HoursNegative,
    /// Only the day is kept.
    TimeOfDay,
    StartAfterDue,
}

/// What is lost, added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub loss: Loss,
    /// Of what was ignored.
    pub option: Option<String>,
    pub count: usize,
}

/// Phases as a mapping would make them, and what would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub phases: Vec<Phase>,
    /// Most frequent first.
    pub losses: Vec<Sum>,
}

impl Loss {
    /// A code for answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Milestone => "MILESTONE",
            Self::Subtask => "SUBTASK",
            Self::AreaFieldNotInProject => "AREA_FIELD_NOT_IN_PROJECT",
            Self::AreaEmpty => "AREA_EMPTY",
            Self::OptionIgnored => "OPTION_IGNORED",
            Self::HoursFieldNotInProject => "HOURS_FIELD_NOT_IN_PROJECT",
            Self::HoursEmpty => "HOURS_EMPTY",
            Self::HoursNegative => "HOURS_NEGATIVE",
            Self::TimeOfDay => "TIME_OF_DAY",
            Self::StartAfterDue => "START_AFTER_DUE",
        }
    }

    fn leaves_out(self) -> bool {
        matches!(self, Self::Milestone | Self::Subtask | Self::AreaFieldNotInProject)
    }
}

/// Shows a mapping on tasks of the first projects; the saved one if none is given. Nothing is kept.
///
/// Errors: `NotFound`, `Invalid`, `WorkspaceNotSelected`, `FieldMappingMissing`, as of asking the provider.
pub async fn preview(
    domain: &Domain,
    caller: &Caller,
    id: IntegrationId,
    mapping: Option<NewMapping>,
    tasks: usize,
) -> Result<Preview> {
    let ground = Ground::of_reading(domain, caller, id).await?;
    let (workspace, settings) = ground.workspace().await?;
    let mapping = match mapping {
        Some(mapping) => mapping,
        None => saved(&ground, &settings).await?,
    };
    let found = Found::read(&ground, &workspace).await?;
    let checked = check(&found, mapping)?;

    let mut tx = domain.store.caller(caller).await?;
    let zone: Tz = store::tenant::current(&mut tx).await?.time_zone.parse().map_err(Error::internal)?;
    tx.end_reading();
    let is_of_absences = |project: &Project| checked.absences.project.as_ref() == Some(&project.gid);
    let (with, without): (Vec<&Project>, Vec<&Project>) = found
        .projects
        .iter()
        .filter(|project| !is_of_absences(project))
        .partition(|project| checked.is_area_in(project));
    let chosen: Vec<&Project> = with.into_iter().chain(without).take(PROJECTS).collect();
    let share = tasks.div_ceil(chosen.len().max(1));
    let mut phases = Vec::with_capacity(tasks);
    for project in chosen {
        let gid = project.gid.as_str();
        let page = ground.ask(move |way| async move { way.asana().tasks(gid, None, None).await }).await?;
        let room = share.min(tasks - phases.len());
        phases.extend(page.items.iter().take(room).map(|task| shown(task, project, &checked, zone)));
    }
    Ok(Preview { losses: add_up(&phases), phases })
}

async fn saved(ground: &Ground<'_>, settings: &PlanningSettings) -> Result<NewMapping> {
    let area_field = settings.area_field_id.clone().ok_or(Error::FieldMappingMissing)?;
    let mut tx = ground.domain.store.tenant(ground.tenant).await?;
    let rows = store::planning::settings::area_mappings(&mut tx, settings.integration_id).await?;
    tx.end_reading();
    Ok(NewMapping {
        area_field,
        options: rows.into_iter().map(|row| (row.option_id, row.area)).collect(),
        hours_field: settings.hours_field_id.clone(),
        absences: Absences {
            source: settings.absence_source,
            project: settings.absence_project_id.clone(),
            kind_field: settings.absence_kind_field_id.clone(),
        },
    })
}

/// What the mapping makes of a task that is in this project; times are days in `zone`, the tenant's.
pub(super) fn shown(task: &Task, project: &Project, mapping: &Checked, zone: Tz) -> Phase {
    let mut losses = Vec::new();
    if task.subtype == TaskSubtype::Milestone {
        losses.push(Loss::Milestone);
    }
    if task.parent.is_some() {
        losses.push(Loss::Subtask);
    }
    let option = match task.field(&mapping.area_field.gid).map(|value| &value.content) {
        Some(FieldContent::Enum(option)) => option.as_ref(),
        _ => None,
    };
    let area = option.and_then(|option| mapping.areas.get(&option.gid).copied().flatten());
    if !mapping.is_area_in(project) {
        losses.push(Loss::AreaFieldNotInProject);
    } else if option.is_none() {
        losses.push(Loss::AreaEmpty);
    } else if area.is_none() {
        losses.push(Loss::OptionIgnored);
    }
    let (start_date, due_date) =
        (task.start_on.or(task.start_at.map(|at| day(at, zone))), task.due_date(zone));
    if task.due_at.is_some() || task.start_at.is_some() {
        losses.push(Loss::TimeOfDay);
    }
    if start_date.zip(due_date).is_some_and(|(start, due)| start > due) {
        losses.push(Loss::StartAfterDue);
    }
    let planned_hours = mapping.hours_field.as_ref().and_then(|field| {
        let number = task.number(&field.gid);
        if !is_in(&field.gid, project) {
            losses.push(Loss::HoursFieldNotInProject);
        } else if number.is_none() {
            losses.push(Loss::HoursEmpty);
        } else if number.is_some_and(|hours| hours.is_sign_negative() && !hours.is_zero()) {
            losses.push(Loss::HoursNegative);
        }
        let places = mapping.hours_precision().and_then(|places| u32::try_from(places).ok());
        number.filter(|hours| !hours.is_sign_negative()).map(|hours| rounded(hours, places))
    });
    Phase {
        task: task.gid.clone(),
        name: task.name.clone().unwrap_or_default(),
        project: project.name.clone().unwrap_or_default(),
        start_date,
        due_date,
        option: option.and_then(|option| option.name.clone()),
        area,
        planned_hours,
        is_left_out: losses.iter().any(|loss| loss.leaves_out()),
        losses,
    }
}

fn day(at: chrono::DateTime<chrono::Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// Losses by kind, ignored options by name.
pub(super) fn add_up(phases: &[Phase]) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for phase in phases {
        for loss in &phase.losses {
            let option = phase.option.clone().filter(|_| *loss == Loss::OptionIgnored);
            match sums.iter_mut().find(|sum| sum.loss == *loss && sum.option == option) {
                Some(sum) => sum.count += 1,
                None => sums.push(Sum { loss: *loss, option, count: 1 }),
            }
        }
    }
    sums.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| (a.loss, &a.option).cmp(&(b.loss, &b.option))));
    sums
}

impl Checked {
    fn is_area_in(&self, project: &Project) -> bool {
        is_in(&self.area_field.gid, project)
    }
}

/// Whether a project's tasks have the field. Where the provider does not tell, they might.
fn is_in(field: &str, project: &Project) -> bool {
    project.field_gids.as_ref().is_none_or(|gids| gids.iter().any(|gid| gid == field))
}

#[cfg(test)]
mod tests;
