//! Time entries and absences. Neither has an event, nor a time of its last change.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::gid::Gid;
use super::refusal::Refusal;
use super::world::World;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeEntry {
    pub gid: Gid,
    pub task: Gid,
    /// The one who entered it; the API writes in nobody else's name.
    pub user: Gid,
    pub minutes: u32,
    pub entered_on: NaiveDate,
    /// The project it counts for.
    pub attributable_to: Option<Gid>,
    pub description: String,
    pub created_at: DateTime<Utc>,
}

/// Out of office: whole days, both of them included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OooEntry {
    pub gid: Gid,
    pub workspace: Gid,
    pub user: Gid,
    pub start_date: NaiveDate,
    pub end_date: NaiveDate,
    pub created_by: Gid,
}

impl World {
    pub(crate) fn log_time(
        &mut self,
        (task, user): (Gid, Gid),
        minutes: u32,
        entered_on: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Gid, Refusal> {
        let unknown = || Refusal::unknown("task", &task.to_string());
        let found = self.tasks.get(&task).filter(|task| !task.is_trashed).ok_or_else(unknown)?;
        if minutes == 0 {
            return Err(Refusal::bad("duration_minutes: Must be greater than 0"));
        }
        let attributable_to = found.memberships.first().map(|one| one.project);
        let gid = self.next();
        let description = String::new();
        let entry =
            TimeEntry { gid, task, user, minutes, entered_on, attributable_to, description, created_at: now };
        self.entries.insert(gid, entry);
        self.entries_by_task.entry(task).or_default().push(gid);
        self.sum_time(task);
        Ok(gid)
    }

    pub(crate) fn change_time(
        &mut self,
        gid: Gid,
        minutes: Option<u32>,
        day: Option<NaiveDate>,
    ) -> Result<(), Refusal> {
        let entry = self.entries.get_mut(&gid).ok_or_else(|| unknown_entry(gid))?;
        if minutes == Some(0) {
            return Err(Refusal::bad("duration_minutes: Must be greater than 0"));
        }
        entry.minutes = minutes.unwrap_or(entry.minutes);
        entry.entered_on = day.unwrap_or(entry.entered_on);
        let task = entry.task;
        self.sum_time(task);
        Ok(())
    }

    pub(crate) fn delete_time(&mut self, gid: Gid) -> Result<(), Refusal> {
        let entry = self.entries.remove(&gid).ok_or_else(|| unknown_entry(gid))?;
        if let Some(of_task) = self.entries_by_task.get_mut(&entry.task) {
            of_task.retain(|one| *one != gid);
        }
        self.sum_time(entry.task);
        Ok(())
    }

    /// `modified_at` does not move.
    fn sum_time(&mut self, task: Gid) {
        let of_task = self.entries_by_task.get(&task).map(Vec::as_slice).unwrap_or_default();
        let minutes = of_task.iter().filter_map(|gid| self.entries.get(gid)).map(|entry| entry.minutes).sum();
        if let Some(task) = self.tasks.get_mut(&task) {
            task.minutes = Some(minutes);
        }
    }

    pub(crate) fn take_leave(
        &mut self,
        (workspace, user): (Gid, Gid),
        (start_date, end_date): (NaiveDate, NaiveDate),
        created_by: Gid,
    ) -> Result<Gid, Refusal> {
        if end_date < start_date {
            return Err(Refusal::bad("end_date: Must not be before start_date"));
        }
        let is_member = self.workspaces.get(&workspace).is_some_and(|one| one.has(user));
        if !is_member {
            return Err(Refusal::unknown_in("user", &user.to_string()));
        }
        let gid = self.next();
        self.absences.insert(gid, OooEntry { gid, workspace, user, start_date, end_date, created_by });
        Ok(gid)
    }

    pub(crate) fn absence_of(&self, text: &str) -> Result<&OooEntry, Refusal> {
        let found = text.parse().ok().and_then(|gid| self.absences.get(&gid));
        found.ok_or_else(|| Refusal::unknown("ooo_entry", text))
    }

    pub(crate) fn entry_of(&self, text: &str) -> Result<&TimeEntry, Refusal> {
        let found = text.parse().ok().and_then(|gid| self.entries.get(&gid));
        found.ok_or_else(|| Refusal::unknown("time_tracking_entry", text))
    }
}

fn unknown_entry(gid: Gid) -> Refusal {
    Refusal::unknown("time_tracking_entry", &gid.to_string())
}
