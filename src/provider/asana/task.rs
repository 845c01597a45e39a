//! Tasks: what a project's phases are there.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Asana;
use super::custom_field::{FieldContent, FieldValue, decimal};
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::{Request, instant};
use crate::provider::fields::Fields;

/// A task. It may be in up to 20 projects at once and is one task all the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    pub gid: String,
    pub name: Option<String>,
    pub subtype: TaskSubtype,
    pub completed: bool,
    pub completed_at: Option<DateTime<Utc>>,
    pub start_on: Option<NaiveDate>,
    pub start_at: Option<DateTime<Utc>>,
    /// Where there is a time, in a zone that nobody documents: use [`Task::due_date`].
    pub due_on: Option<NaiveDate>,
    pub due_at: Option<DateTime<Utc>>,
    pub created_at: Option<DateTime<Utc>>,
    /// A mere comment moves it; a change of project does not.
    pub modified_at: Option<DateTime<Utc>>,
    /// A user's gid.
    pub assignee: Option<String>,
    /// A task's gid: this is a subtask.
    pub parent: Option<String>,
    pub num_subtasks: Option<u32>,
    pub memberships: Vec<Membership>,
    /// The sum of all time entries; None where nothing was told or logged.
    pub actual_time_minutes: Option<Decimal>,
    /// None where they were not told, as on a free plan; that is not the same as having none.
    pub custom_fields: Option<Vec<FieldValue>>,
    pub permalink_url: Option<String>,
}

/// A task's place in one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub project: String,
    pub section: Option<String>,
    pub section_name: Option<String>,
}

/// What a task stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSubtype {
    Default,
    /// Has no start.
    Milestone,
    Approval,
    Custom,
    Other(String),
}

const TASK: &[&str] = &[
    "name",
    "resource_subtype",
    "completed",
    "completed_at",
    "start_on",
    "start_at",
    "due_on",
    "due_at",
    "created_at",
    "modified_at",
    "assignee",
    "parent",
    "num_subtasks",
    "memberships.project",
    "memberships.section",
    "memberships.section.name",
    "actual_time_minutes",
    "custom_fields",
    "custom_fields.name",
    "custom_fields.resource_subtype",
    "custom_fields.enabled",
    "custom_fields.number_value",
    "custom_fields.enum_value",
    "custom_fields.enum_value.name",
    "custom_fields.precision",
    "custom_fields.format",
    "permalink_url",
];

impl Asana<'_> {
    /// A project's top-level tasks, subtasks only where they were added to the project. With `modified_since`
    /// those changed or brought in since; never what was deleted or taken out.
    pub async fn tasks(
        &self,
        project: &str,
        modified_since: Option<DateTime<Utc>>,
        offset: Option<&Offset>,
    ) -> Result<Page<Task>, CallError> {
        let request = Request::get(&["tasks"])
            .query("project", project)
            .query_if("modified_since", modified_since.map(instant))
            .fields(TASK)
            .page(offset);
        self.send(request).await?.page(offset, Task::of)
    }

    /// One level below a task.
    pub async fn subtasks(&self, task: &str, offset: Option<&Offset>) -> Result<Page<Task>, CallError> {
        let request = Request::get(&["tasks", task, "subtasks"]).fields(TASK).page(offset);
        self.send(request).await?.page(offset, Task::of)
    }

    /// One of them; `Refused(NotFound)` also where the user does not see it.
    pub async fn task(&self, gid: &str) -> Result<Task, CallError> {
        self.send(Request::get(&["tasks", gid]).fields(TASK)).await?.one(Task::of)
    }
}

/// For requests that answer with a task.
pub(super) fn with_fields(request: Request) -> Request {
    request.fields(TASK)
}

impl Task {
    pub(super) fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let gid_of = |name| fields.object(name).and_then(|of| of.key("gid"));
        let custom_fields = fields.get("custom_fields").and_then(Value::as_array);
        let actual = fields.get("actual_time_minutes");
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            name: fields.text("name"),
            subtype: TaskSubtype::of(fields.text("resource_subtype")),
            completed: fields.flag("completed").unwrap_or_default(),
            completed_at: fields.time("completed_at"),
            start_on: fields.date("start_on")?,
            start_at: fields.instant("start_at")?,
            due_on: fields.date("due_on")?,
            due_at: fields.instant("due_at")?,
            created_at: fields.time("created_at"),
            modified_at: fields.time("modified_at"),
            assignee: gid_of("assignee"),
            parent: gid_of("parent"),
            num_subtasks: fields.count("num_subtasks"),
            memberships: fields.list("memberships").iter().filter_map(Membership::of).collect(),
            actual_time_minutes: actual
                .map(|value| decimal(value).ok_or("actual_time_minutes"))
                .transpose()?,
            custom_fields: custom_fields.map(|fields| fields.iter().filter_map(FieldValue::of).collect()),
            permalink_url: fields.text("permalink_url").filter(|url| url.starts_with("https://")),
        })
    }

    /// The day it is due; a due time is a day in `zone`, the tenant's.
    pub fn due_date(&self, zone: Tz) -> Option<NaiveDate> {
        self.due_at.map(|at| at.with_timezone(&zone).date_naive()).or(self.due_on)
    }

    /// The day it starts. A day's work has only a due date there,
    /// so without a start it starts when it is due.
    pub fn start_date(&self, zone: Tz) -> Option<NaiveDate> {
        let start = self.start_at.map(|at| at.with_timezone(&zone).date_naive()).or(self.start_on);
        start.or_else(|| self.due_date(zone))
    }

    /// What it has in a custom field; None where the task does not have the field or nothing was told.
    pub fn field(&self, gid: &str) -> Option<&FieldValue> {
        self.custom_fields.as_ref()?.iter().find(|field| field.gid == gid)
    }

    /// The number in a custom field, as it was told.
    pub fn number(&self, gid: &str) -> Option<Decimal> {
        match self.field(gid)?.content {
            FieldContent::Number(number) => number,
            FieldContent::Enum(_) | FieldContent::Unreadable | FieldContent::Other(_) => None,
        }
    }

    /// The gid of the option chosen in a custom field.
    pub fn option(&self, gid: &str) -> Option<&str> {
        match &self.field(gid)?.content {
            FieldContent::Enum(option) => option.as_ref().map(|option| option.gid.as_str()),
            FieldContent::Number(_) | FieldContent::Unreadable | FieldContent::Other(_) => None,
        }
    }

    /// Whether it is in a project, by gid.
    pub fn is_in(&self, project: &str) -> bool {
        self.memberships.iter().any(|membership| membership.project == project)
    }
}

impl Membership {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let section = fields.object("section");
        Some(Self {
            project: fields.object("project")?.key("gid")?,
            section: section.and_then(|section| section.key("gid")),
            section_name: section.and_then(|section| section.text("name")),
        })
    }
}

impl TaskSubtype {
    /// A task of no stated subtype is an ordinary one.
    pub(super) fn of(word: Option<String>) -> Self {
        match word.as_deref() {
            None | Some("default_task") => Self::Default,
            Some("milestone") => Self::Milestone,
            Some("approval") => Self::Approval,
            Some("custom") => Self::Custom,
            Some(_) => Self::Other(word.unwrap_or_default()),
        }
    }
}

// Names of tasks may be a person's sick days.

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gid, subtype, start_on, due_on, modified_at, .. } = self;
        f.debug_struct("Task")
            .field("gid", gid)
            .field("subtype", subtype)
            .field("start_on", start_on)
            .field("due_on", due_on)
            .field("modified_at", modified_at)
            .finish_non_exhaustive()
    }
}
