//! What people do at the board. It is told as what the API changes is.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Error;
use super::event::{Action, Change, Noun, Ref};
use super::gid::Gid;
use super::inner::Inner;
use super::oauth::BY_HAND;
use super::project::Project;
use super::refusal::Refusal;
use super::task::Task;
use super::world::World;
use super::write::Writer;

/// A user at the board.
#[derive(Clone)]
pub struct Person {
    pub(super) inner: Arc<Inner>,
    pub(super) user: Gid,
}

/// What changes of a project; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectEdit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub start_on: Option<Option<NaiveDate>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub due_on: Option<Option<NaiveDate>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_setting: Option<String>,
}

/// Tells null from absent.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<NaiveDate>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Person {
    pub fn gid(&self) -> Gid {
        self.user
    }

    pub fn create_project(&self, workspace: Gid, name: &str) -> Result<Gid, Error> {
        let edit = ProjectEdit { name: Some(name.to_owned()), ..ProjectEdit::default() };
        Ok(self.inner.change(|world, now| world.create_project(workspace, edit, Some(self.user), now))?)
    }

    pub fn edit_project(&self, project: Gid, edit: ProjectEdit) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| world.edit_project(project, edit, Some(self.user), now))?)
    }

    /// With its tasks that are in no other project.
    pub fn delete_project(&self, project: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| world.trash_project(project, Some(self.user), now))?)
    }

    pub fn undelete_project(&self, project: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| world.restore_project(project, Some(self.user), now))?)
    }

    /// Takes the body of `POST /tasks`, as `{"name": "…", "start_on": "2026-11-02", "due_on": "2026-11-13"}`.
    pub fn create_task(&self, project: Gid, data: Value) -> Result<Gid, Error> {
        let mut data = object(data)?;
        data.insert("projects".into(), json!([project]));
        Ok(self
            .inner
            .change(|world, now| world.create_task(&data, None, self.writer(now), &self.inner.settings))?)
    }

    pub fn create_subtask(&self, parent: Gid, data: Value) -> Result<Gid, Error> {
        let data = object(data)?;
        let parent = Some(parent);
        Ok(self
            .inner
            .change(|world, now| world.create_task(&data, parent, self.writer(now), &self.inner.settings))?)
    }

    /// Takes the body of `PUT /tasks/{}`, and keeps its rules.
    pub fn change_task(&self, task: Gid, data: Value) -> Result<(), Error> {
        let data = object(data)?;
        Ok(self.inner.change(|world, now| {
            world.task_of(&task.to_string(), self.user, BY_HAND)?;
            world.write_task(task, &data, self.writer(now), &self.inner.settings)
        })?)
    }

    /// `None` for a task of one day, or without a start.
    pub fn set_dates(
        &self,
        task: Gid,
        start: Option<NaiveDate>,
        due: Option<NaiveDate>,
    ) -> Result<(), Error> {
        self.change_task(task, json!({ "start_on": start, "due_on": due }))
    }

    /// A number, the gid of an option, a text, or null.
    pub fn set_field(&self, task: Gid, field: Gid, value: impl Into<Value>) -> Result<(), Error> {
        self.change_task(task, json!({ "custom_fields": { field.to_string(): value.into() } }))
    }

    /// A comment: the task counts as modified, and nothing of it has changed.
    pub fn comment(&self, task: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| {
            let what = world.task_of(&task.to_string(), self.user, BY_HAND)?.as_ref();
            if let Some(task) = world.tasks.get_mut(&task) {
                task.modified_at = now;
            }
            let story = Ref { gid: world.next(), noun: Noun::Story, subtype: Some("comment_added") };
            let within = world.around(task);
            world.tell(Some(self.user), Action::Added, story, Some(what), &within, now);
            Ok(())
        })?)
    }

    pub fn add_to_project(&self, task: Gid, project: Gid) -> Result<(), Error> {
        Ok(self
            .inner
            .change(|world, now| world.add_to_project((task, project), None, Some(self.user), now))?)
    }

    pub fn remove_from_project(&self, task: Gid, project: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| world.remove_from_project(task, project, Some(self.user), now))?)
    }

    /// Out of one project and into another.
    pub fn move_task(&self, task: Gid, from: Gid, to: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| {
            world.add_to_project((task, to), None, Some(self.user), now)?;
            world.remove_from_project(task, from, Some(self.user), now)
        })?)
    }

    /// Into the trash.
    pub fn delete_task(&self, task: Gid) {
        let _ = self.inner.change(|world, now| {
            world.trash(task, Some(self.user), now);
            Ok(())
        });
    }

    pub fn undelete_task(&self, task: Gid) {
        let _ = self.inner.change(|world, now| {
            world.restore(task, Some(self.user), now);
            Ok(())
        });
    }

    /// Nobody is told of time entries.
    pub fn log_time(&self, task: Gid, minutes: u32, day: NaiveDate) -> Result<Gid, Error> {
        Ok(self.inner.change(|world, now| world.log_time((task, self.user), minutes, day, now))?)
    }

    pub fn change_time(&self, entry: Gid, minutes: u32) -> Result<(), Error> {
        Ok(self.inner.change(|world, _| world.change_time(entry, Some(minutes), None))?)
    }

    pub fn delete_time(&self, entry: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, _| world.delete_time(entry))?)
    }

    /// Out of office on all of these days. Nobody is told of absences.
    pub fn take_leave(&self, workspace: Gid, first: NaiveDate, last: NaiveDate) -> Result<Gid, Error> {
        let whose = (workspace, self.user);
        Ok(self.inner.change(|world, _| world.take_leave(whose, (first, last), self.user))?)
    }

    pub fn change_leave(&self, entry: Gid, first: NaiveDate, last: NaiveDate) -> Result<(), Error> {
        let mut world = self.inner.world_mut();
        let entry = world.absences.get_mut(&entry).ok_or(Error::Unknown { noun: "absence" })?;
        (entry.start_date, entry.end_date) = (first, last);
        Ok(())
    }

    pub fn cancel_leave(&self, entry: Gid) {
        self.inner.world_mut().absences.remove(&entry);
    }

    pub fn attach_field(&self, project: Gid, field: Gid) -> Result<(), Error> {
        self.inner.change(|world, now| world.attach_field(project, field, Some(self.user), now))?;
        Ok(())
    }

    pub fn detach_field(&self, project: Gid, field: Gid) -> Result<(), Error> {
        Ok(self.inner.change(|world, now| world.detach_field(project, field, Some(self.user), now))?)
    }

    fn writer(&self, now: DateTime<Utc>) -> Writer<'_> {
        Writer { user: self.user, app: BY_HAND, now }
    }
}

fn object(data: Value) -> Result<Map<String, Value>, Refusal> {
    match data {
        Value::Object(data) => Ok(data),
        _ => Err(Refusal::bad("data: Value is not an object")),
    }
}

fn as_ref(project: Gid) -> Ref {
    Ref { gid: project, noun: Noun::Project, subtype: None }
}

impl World {
    pub(crate) fn around_project(&self, project: Gid) -> Vec<Gid> {
        let workspace = self.projects.get(&project).map(|project| project.workspace);
        [project].into_iter().chain(workspace).collect()
    }

    pub(crate) fn create_project(
        &mut self,
        workspace: Gid,
        edit: ProjectEdit,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<Gid, Refusal> {
        check_days(edit.start_on.flatten(), edit.due_on.flatten(), &edit)?;
        let name = edit.name.clone().ok_or_else(|| Refusal::bad("name: Missing input"))?;
        let gid = self.add_project(workspace, &name, by, now);
        if let Some(project) = self.projects.get_mut(&gid) {
            take(project, &edit);
        }
        let parent = Ref { gid: workspace, noun: Noun::Workspace, subtype: None };
        let within = self.around_project(gid);
        self.tell(by, Action::Added, as_ref(gid), Some(parent), &within, now);
        Ok(gid)
    }

    pub(crate) fn edit_project(
        &mut self,
        gid: Gid,
        edit: ProjectEdit,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let project = self.projects.get_mut(&gid).filter(|project| !project.is_trashed);
        let project = project.ok_or_else(|| Refusal::unknown("project", &gid.to_string()))?;
        let start = edit.start_on.unwrap_or(project.start_on);
        check_days(start, edit.due_on.unwrap_or(project.due_on), &edit)?;
        let was = project.clone();
        take(project, &edit);
        let changed: Vec<&'static str> = [
            ("name", was.name != project.name),
            ("notes", was.notes != project.notes),
            ("archived", was.archived != project.archived),
            ("start_on", was.start_on != project.start_on),
            ("due_on", was.due_on != project.due_on),
            ("privacy_setting", was.is_private != project.is_private),
        ]
        .into_iter()
        .filter_map(|(field, is_so)| is_so.then_some(field))
        .collect();
        if !changed.is_empty() {
            project.modified_at = now;
        }
        let within = self.around_project(gid);
        for field in changed {
            let change = Change { field, action: Action::Changed, new_value: None };
            self.tell_change(by, as_ref(gid), change, &within, now);
        }
        Ok(())
    }

    pub(crate) fn trash_project(
        &mut self,
        gid: Gid,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let within = self.around_project(gid);
        let project = self.projects.get_mut(&gid).filter(|project| !project.is_trashed);
        let project = project.ok_or_else(|| Refusal::unknown("project", &gid.to_string()))?;
        project.is_trashed = true;
        let tasks: Vec<Gid> = project.tasks.iter().copied().collect();
        let is_only_here = |task: &&Gid| {
            self.tasks
                .get(task)
                .is_some_and(|task: &Task| task.memberships.iter().all(|one| one.project == gid))
        };
        let lost: Vec<Gid> = tasks.iter().filter(is_only_here).copied().collect();
        self.tell(by, Action::Deleted, as_ref(gid), None, &within, now);
        for task in lost {
            self.trash(task, by, now);
        }
        Ok(())
    }

    pub(crate) fn restore_project(
        &mut self,
        gid: Gid,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let project = self.projects.get_mut(&gid).filter(|project| project.is_trashed);
        project.ok_or_else(|| Refusal::unknown("project", &gid.to_string()))?.is_trashed = false;
        let within = self.around_project(gid);
        self.tell(by, Action::Undeleted, as_ref(gid), None, &within, now);
        let lost: Vec<Gid> = self
            .tasks
            .values()
            .filter(|task| task.is_trashed && task.is_in(gid))
            .map(|task| task.gid)
            .collect();
        for task in lost {
            self.restore(task, by, now);
        }
        Ok(())
    }
}

fn take(project: &mut Project, edit: &ProjectEdit) {
    if let Some(name) = &edit.name {
        project.name.clone_from(name);
    }
    if let Some(notes) = &edit.notes {
        project.notes.clone_from(notes);
    }
    project.archived = edit.archived.unwrap_or(project.archived);
    project.start_on = edit.start_on.unwrap_or(project.start_on);
    project.due_on = edit.due_on.unwrap_or(project.due_on);
    if let Some(privacy) = &edit.privacy_setting {
        project.is_private = privacy == "private";
    }
}

/// A project's start needs its due date in the same request, and another day.
fn check_days(start: Option<NaiveDate>, due: Option<NaiveDate>, edit: &ProjectEdit) -> Result<(), Refusal> {
    if edit.start_on.is_some() && edit.due_on.is_none() {
        return Err(Refusal::bad("start_on: due_on must be present in the request"));
    }
    match (start, due) {
        (Some(start), Some(due)) if start >= due => Err(Refusal::bad("start_on: Must be before due_on")),
        (Some(_), None) => Err(Refusal::bad("start_on: A start date needs a due date")),
        _ => Ok(()),
    }
}
