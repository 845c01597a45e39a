//! Time entries: hours that were worked.

use chrono::NaiveDate;

use super::Asana;
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;

/// Time that somebody logged on a task. It tells no time of its own change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub gid: String,
    pub minutes: u32,
    pub entered_on: NaiveDate,
    /// A user's gid; None where that user is gone.
    pub created_by: Option<String>,
    /// The project whose budget it counts for.
    pub attributable_to: Option<String>,
}

const TIME_ENTRY: &[&str] = &["duration_minutes", "entered_on", "created_by", "attributable_to"];

impl Asana<'_> {
    /// Of one task: a list across tasks does not say which task an entry belongs to.
    pub async fn time_entries(
        &self,
        task: &str,
        offset: Option<&Offset>,
    ) -> Result<Page<TimeEntry>, CallError> {
        let request = Request::get(&["tasks", task, "time_tracking_entries"]).fields(TIME_ENTRY).page(offset);
        self.send(request).await?.page(offset, TimeEntry::of)
    }
}

impl TimeEntry {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let gid_of = |name| fields.object(name).and_then(|of| of.key("gid"));
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            minutes: fields.count("duration_minutes").ok_or("duration_minutes")?,
            entered_on: fields.date("entered_on")?.ok_or("entered_on")?,
            created_by: gid_of("created_by"),
            attributable_to: gid_of("attributable_to"),
        })
    }
}
