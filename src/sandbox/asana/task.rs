//! Tasks: what they are, where they are, and what a board does to them.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::event::{Action, Noun, Ref};
use super::field::Held;
use super::gid::Gid;
use super::refusal::Refusal;
use super::world::World;

/// Most projects a task can be in.
const MOST_PROJECTS: usize = 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub gid: Gid,
    pub workspace: Gid,
    pub name: String,
    pub notes: String,
    pub subtype: Subtype,
    pub completed_at: Option<DateTime<Utc>>,
    pub assignee: Option<Gid>,
    pub created_by: Option<Gid>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
    /// When it last came into a project or left one; `modified_since` looks at it, `modified_at` does not.
    pub moved_at: DateTime<Utc>,
    pub start: Option<Moment>,
    pub due: Option<Moment>,
    pub parent: Option<Gid>,
    pub subtasks: BTreeSet<Gid>,
    pub memberships: Vec<Membership>,
    pub values: Vec<(Gid, Held)>,
    /// By client id: an app sees its own only.
    pub external: Vec<(String, External)>,
    /// Of all its time entries.
    pub minutes: Option<u32>,
    pub is_trashed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subtype {
    #[default]
    DefaultTask,
    Milestone,
    Approval,
}

impl Subtype {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::DefaultTask => "default_task",
            Self::Milestone => "milestone",
            Self::Approval => "approval",
        }
    }
}

/// A day, or a time of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    On(NaiveDate),
    At(DateTime<Utc>),
}

impl Moment {
    /// As `due_on` tells it.
    pub(crate) fn day(self, time_zone: Tz) -> NaiveDate {
        match self {
            Self::On(day) => day,
            Self::At(time) => time.with_timezone(&time_zone).date_naive(),
        }
    }

    pub(crate) fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Self::On(_) => None,
            Self::At(time) => Some(time),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub project: Gid,
    pub section: Gid,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Task {
    pub(crate) fn value(&self, field: Gid) -> Option<&Held> {
        self.values.iter().find(|(gid, _)| *gid == field).map(|(_, held)| held)
    }

    pub(crate) fn set_value(&mut self, field: Gid, value: Option<Held>) {
        self.values.retain(|(gid, _)| *gid != field);
        self.values.extend(value.map(|value| (field, value)));
    }

    pub(crate) fn is_in(&self, project: Gid) -> bool {
        self.memberships.iter().any(|one| one.project == project)
    }

    pub(crate) fn as_ref(&self) -> Ref {
        Ref { gid: self.gid, noun: Noun::Task, subtype: Some(self.subtype.word()) }
    }

    pub(crate) fn external_of(&self, app: &str) -> Option<&External> {
        self.external.iter().find(|(one, _)| one == app).map(|(_, external)| external)
    }
}

impl World {
    /// An empty one, not yet in any project.
    pub(crate) fn new_task(
        &mut self,
        workspace: Gid,
        name: &str,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Task {
        Task {
            gid: self.next(),
            workspace,
            name: name.to_owned(),
            notes: String::new(),
            subtype: Subtype::default(),
            completed_at: None,
            assignee: None,
            created_by: by,
            created_at: now,
            modified_at: now,
            moved_at: now,
            start: None,
            due: None,
            parent: None,
            subtasks: BTreeSet::new(),
            memberships: Vec::new(),
            values: Vec::new(),
            external: Vec::new(),
            minutes: None,
            is_trashed: false,
        }
    }

    /// Of an id in the path, which may be `external:` and the caller's own id.
    pub(crate) fn task_of(&self, text: &str, caller: Gid, app: &str) -> Result<&Task, Refusal> {
        let unknown = || Refusal::unknown("task", text);
        let is_named = |task: &&Task, name: &str| {
            task.external_of(app).is_some_and(|external| external.gid.as_deref() == Some(name))
        };
        let found = match text.strip_prefix("external:") {
            Some(name) => self.tasks.values().find(|task| !task.is_trashed && is_named(task, name)),
            None => text.parse().ok().and_then(|gid| self.tasks.get(&gid)),
        };
        let task = found.filter(|task| !task.is_trashed).ok_or_else(unknown)?;
        if self.sees(caller, task) { Ok(task) } else { Err(Refusal::forbidden()) }
    }

    pub(crate) fn sees(&self, user: Gid, task: &Task) -> bool {
        let is_member = self.workspaces.get(&task.workspace).is_some_and(|one| one.has(user));
        let of_project = |one: &Membership| {
            self.projects
                .get(&one.project)
                .is_some_and(|project| project.is_seen_by(user) && !project.is_trashed)
        };
        is_member
            && (task.assignee == Some(user)
                || task.created_by == Some(user)
                || task.memberships.iter().any(of_project)
                || task
                    .parent
                    .and_then(|gid| self.tasks.get(&gid))
                    .is_some_and(|parent| self.sees(user, parent)))
    }

    /// Everything whose streams and webhooks hear of a task: itself, those above it, their projects.
    pub(crate) fn around(&self, task: Gid) -> Vec<Gid> {
        let mut around = Vec::new();
        let mut above = Some(task);
        while let Some(task) = above.and_then(|gid| self.tasks.get(&gid)) {
            around.push(task.gid);
            around.extend(task.memberships.iter().map(|one| one.project));
            above = task.parent.filter(|gid| !around.contains(gid));
        }
        around
    }

    /// Puts a task into a project, or elsewhere in it; told.
    pub(crate) fn add_to_project(
        &mut self,
        (task, project): (Gid, Gid),
        section: Option<Gid>,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let unknown = || Refusal::unknown_in("project", &project.to_string());
        let home = self.projects.get(&project).filter(|home| !home.is_trashed).ok_or_else(unknown)?;
        let section = match section {
            Some(section) if home.sections.contains(&section) => section,
            Some(section) => return Err(Refusal::unknown_in("section", &section.to_string())),
            None => *home.sections.first().ok_or_else(unknown)?,
        };
        let found = self.tasks.get(&task).ok_or_else(|| Refusal::unknown("task", &task.to_string()))?;
        let was = found.memberships.iter().find(|one| one.project == project).copied();
        if was.is_none() && found.memberships.len() >= MOST_PROJECTS {
            return Err(Refusal::bad("A task can be in up to 20 projects."));
        }
        let what = found.as_ref();
        let section_ref = |gid| Ref { gid, noun: Noun::Section, subtype: None };
        if let Some(found) = self.tasks.get_mut(&task) {
            found.memberships.retain(|one| one.project != project);
            found.memberships.push(Membership { project, section });
            found.moved_at = now;
        }
        if let Some(home) = self.projects.get_mut(&project) {
            home.tasks.insert(task);
        }
        let within = self.around(task);
        match was {
            Some(was) if was.section == section => return Ok(()),
            Some(was) => self.tell(by, Action::Removed, what, Some(section_ref(was.section)), &within, now),
            None => {
                let parent = Ref { gid: project, noun: Noun::Project, subtype: None };
                self.tell(by, Action::Added, what, Some(parent), &within, now);
            }
        }
        self.tell(by, Action::Added, what, Some(section_ref(section)), &within, now);
        Ok(())
    }

    /// Takes a task out of a project; told. It lives on, elsewhere or nowhere.
    pub(crate) fn remove_from_project(
        &mut self,
        task: Gid,
        project: Gid,
        by: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let within = self.around(task);
        let found = self.tasks.get_mut(&task).ok_or_else(|| Refusal::unknown("task", &task.to_string()))?;
        if !found.is_in(project) {
            return Err(Refusal::bad(format!("project: Task is not in project {project}")));
        }
        found.memberships.retain(|one| one.project != project);
        found.moved_at = now;
        let what = found.as_ref();
        if let Some(home) = self.projects.get_mut(&project) {
            home.tasks.remove(&task);
        }
        let parent = Ref { gid: project, noun: Noun::Project, subtype: None };
        self.tell(by, Action::Removed, what, Some(parent), &within, now);
        Ok(())
    }

    /// Into the trash, with its subtasks; told.
    pub(crate) fn trash(&mut self, task: Gid, by: Option<Gid>, now: DateTime<Utc>) {
        let within = self.around(task);
        let Some(found) = self.tasks.get_mut(&task).filter(|task| !task.is_trashed) else { return };
        found.is_trashed = true;
        found.modified_at = now;
        let (what, homes, below) = (found.as_ref(), found.memberships.clone(), found.subtasks.clone());
        for home in homes {
            if let Some(project) = self.projects.get_mut(&home.project) {
                project.tasks.remove(&task);
            }
        }
        self.tell(by, Action::Deleted, what, None, &within, now);
        for one in below {
            self.trash(one, by, now);
        }
    }

    /// Out of the trash, where it was; told. Nothing happens to what is not there.
    pub(crate) fn restore(&mut self, task: Gid, by: Option<Gid>, now: DateTime<Utc>) {
        let Some(found) = self.tasks.get_mut(&task).filter(|task| task.is_trashed) else { return };
        found.is_trashed = false;
        found.modified_at = now;
        let (what, homes, below) = (found.as_ref(), found.memberships.clone(), found.subtasks.clone());
        for home in homes {
            if let Some(project) = self.projects.get_mut(&home.project) {
                project.tasks.insert(task);
            }
        }
        let within = self.around(task);
        self.tell(by, Action::Undeleted, what, None, &within, now);
        for one in below {
            self.restore(one, by, now);
        }
    }
}
