//! Changing a task: one request, only what is meant to change, start and due together.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::Asana;
use super::custom_field::json_number;
use super::error::{CallError, Refusal};
use super::request::{Request, instant};
use super::task::{self, Task};

/// What one write changes; everything else stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskChange {
    pub dates: Option<NewDates>,
    /// By the field's gid.
    pub fields: Vec<(String, FieldChange)>,
}

/// A task's new days. Asana takes a start only together with a due date, so the due date is always sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDates {
    pub start: NewStart,
    pub due: NewDue,
}

/// What becomes of the first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStart {
    /// Not sent. A milestone's, which has none.
    Keep,
    Clear,
    On(NaiveDate),
}

/// What becomes of the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewDue {
    Clear,
    /// Drops a time of day that somebody set.
    On(NaiveDate),
    /// A time that is there already and stays.
    At(DateTime<Utc>),
}

/// What becomes of a custom field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldChange {
    /// Rounded to the field's precision by the caller.
    Number(Decimal),
    /// An option's gid; a name is not taken.
    Option(String),
    Clear,
}

/// Why days cannot be written to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitDates {
    #[error("a start needs a due date")]
    StartWithoutDue,
    #[error("the start is after the due date")]
    StartAfterDue,
}

impl NewDates {
    /// From first to last day. A single day is written as a due date without start: Asana refused a start on
    /// the due date once, and does not say whether it still does.
    pub fn days(start: Option<NaiveDate>, due: Option<NaiveDate>) -> Result<Self, UnfitDates> {
        match (start, due) {
            (None, None) => Ok(Self { start: NewStart::Clear, due: NewDue::Clear }),
            (Some(_), None) => Err(UnfitDates::StartWithoutDue),
            (Some(start), Some(due)) if start > due => Err(UnfitDates::StartAfterDue),
            (Some(start), Some(due)) if start < due => {
                Ok(Self { start: NewStart::On(start), due: NewDue::On(due) })
            }
            (_, Some(due)) => Ok(Self { start: NewStart::Clear, due: NewDue::On(due) }),
        }
    }
}

impl TaskChange {
    /// Nothing is left to send.
    pub fn is_empty(&self) -> bool {
        self.dates.is_none() && self.fields.is_empty()
    }

    /// The same without custom fields: one that the task does not have makes Asana refuse the dates too.
    pub fn dates_only(&self) -> Self {
        Self { dates: self.dates, fields: Vec::new() }
    }

    fn body(&self) -> Option<Value> {
        let mut data = Map::new();
        if let Some(dates) = self.dates {
            match dates.start {
                NewStart::Keep => {}
                NewStart::Clear => drop(data.insert("start_on".into(), Value::Null)),
                NewStart::On(day) => drop(data.insert("start_on".into(), json!(day))),
            }
            match dates.due {
                NewDue::Clear => drop(data.insert("due_on".into(), Value::Null)),
                NewDue::On(day) => drop(data.insert("due_on".into(), json!(day))),
                NewDue::At(time) => drop(data.insert("due_at".into(), instant(time).into())),
            }
        }
        if !self.fields.is_empty() {
            let fields = self.fields.iter().map(|(gid, change)| Some((gid.clone(), change.json()?)));
            data.insert("custom_fields".into(), Value::Object(fields.collect::<Option<Map<_, _>>>()?));
        }
        Some(Value::Object(data))
    }
}

impl FieldChange {
    fn json(&self) -> Option<Value> {
        match self {
            Self::Number(number) => json_number(*number),
            Self::Option(gid) => Some(json!(gid)),
            Self::Clear => Some(Value::Null),
        }
    }
}

impl Asana<'_> {
    /// Changes a task and answers with what it is then, to be compared with what was meant. There is no lock
    /// and no condition: read it right before.
    pub async fn update_task(&self, gid: &str, change: &TaskChange) -> Result<Task, CallError> {
        // Asana would refuse it too.
        let refused = CallError::Refused(Refusal::Invalid);
        let body = change.body().filter(|_| !change.is_empty()).ok_or(refused)?;
        self.send(task::with_fields(Request::put(&["tasks", gid], body))).await?.one(Task::of)
    }
}
