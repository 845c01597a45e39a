//! Time entries and absences.

use serde_json::{Value, json};

use super::stamp;
use crate::sandbox::asana::entry::{OooEntry, TimeEntry};
use crate::sandbox::asana::event::Noun;
use crate::sandbox::asana::shape::{Shape, Shown};
use crate::sandbox::asana::world::World;

impl World {
    /// In lists the task is not told, unless the settings say so.
    pub(crate) fn show_entry(&self, entry: &TimeEntry, names_task: bool, shape: &Shape) -> Value {
        let project = |shape: &Shape| match entry.attributable_to {
            Some(gid) => self.show_ref(gid, Noun::Project, shape),
            None => Value::Null,
        };
        let shown = Shown::of(shape, entry.gid, "time_tracking_entry")
            .compact("duration_minutes", || entry.minutes)
            .compact("entered_on", || json!(entry.entered_on))
            .compact_record("created_by", |shape| self.show_user(entry.user, shape))
            .compact("categories", || json!([]))
            .full("created_at", || stamp(entry.created_at))
            .full("approval_status", || "DRAFT")
            .full("billable_status", || "notApplicable")
            .full("description", || entry.description.clone());
        let shown = match entry.attributable_to {
            Some(_) => shown.compact_record("attributable_to", project),
            None => shown,
        };
        if names_task {
            shown.full_record("task", |shape| self.show_ref(entry.task, Noun::Task, shape)).done()
        } else {
            shown.done()
        }
    }

    pub(crate) fn show_absence(&self, entry: &OooEntry, shape: &Shape) -> Value {
        Shown::of(shape, entry.gid, "ooo_entry")
            .compact("start_date", || json!(entry.start_date))
            .compact("end_date", || json!(entry.end_date))
            .compact_record("user", |shape| self.show_user(entry.user, shape))
            .compact_record("created_by", |shape| self.show_user(entry.created_by, shape))
            .done()
    }
}
