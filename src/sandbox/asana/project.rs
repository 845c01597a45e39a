//! Projects and their sections.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::gid::Gid;
use super::refusal::Refusal;
use super::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub gid: Gid,
    pub workspace: Gid,
    pub team: Option<Gid>,
    pub name: String,
    pub notes: String,
    pub archived: bool,
    pub completed_at: Option<DateTime<Utc>>,
    pub start_on: Option<NaiveDate>,
    pub due_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    /// Not moved by what happens to its tasks.
    pub modified_at: DateTime<Utc>,
    pub owner: Option<Gid>,
    /// Who sees it although it is private.
    pub members: Vec<Gid>,
    pub is_private: bool,
    /// The fields its tasks have.
    pub settings: Vec<FieldSetting>,
    pub sections: Vec<Gid>,
    /// Top-level or not: those that were added to it, without those in the trash.
    pub tasks: BTreeSet<Gid>,
    pub is_trashed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSetting {
    pub gid: Gid,
    pub field: Gid,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub gid: Gid,
    pub project: Gid,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl Project {
    pub(crate) fn is_seen_by(&self, user: Gid) -> bool {
        !self.is_private || self.owner == Some(user) || self.members.contains(&user)
    }

    pub(crate) fn has_field(&self, field: Gid) -> bool {
        self.settings.iter().any(|setting| setting.field == field)
    }
}

impl World {
    /// With a first section, as the board makes it.
    pub(crate) fn add_project(
        &mut self,
        workspace: Gid,
        name: &str,
        owner: Option<Gid>,
        now: DateTime<Utc>,
    ) -> Gid {
        let gid = self.next();
        let project = Project {
            gid,
            workspace,
            team: self.teams.values().find(|team| team.workspace == workspace).map(|team| team.gid),
            name: name.to_owned(),
            notes: String::new(),
            archived: false,
            completed_at: None,
            start_on: None,
            due_on: None,
            created_at: now,
            modified_at: now,
            owner,
            members: owner.into_iter().collect(),
            is_private: false,
            settings: Vec::new(),
            sections: Vec::new(),
            tasks: BTreeSet::new(),
            is_trashed: false,
        };
        self.projects.insert(gid, project);
        self.add_section(gid, "Untitled section", now);
        gid
    }

    pub(crate) fn add_section(&mut self, project: Gid, name: &str, now: DateTime<Utc>) -> Gid {
        let gid = self.next();
        self.sections.insert(gid, Section { gid, project, name: name.to_owned(), created_at: now });
        if let Some(project) = self.projects.get_mut(&project) {
            project.sections.push(gid);
        }
        gid
    }

    /// Of an id in the path.
    pub(crate) fn project_of(&self, text: &str, caller: Gid) -> Result<&Project, Refusal> {
        self.project_seen(text, caller)?.ok_or_else(|| Refusal::unknown("project", text))
    }

    /// Of an id in the query or the body.
    pub(crate) fn project_in(&self, field: &str, text: &str, caller: Gid) -> Result<&Project, Refusal> {
        self.project_seen(text, caller)?.ok_or_else(|| Refusal::unknown_in(field, text))
    }

    fn project_seen(&self, text: &str, caller: Gid) -> Result<Option<&Project>, Refusal> {
        let found = text.parse().ok().and_then(|gid| self.projects.get(&gid));
        let Some(project) = found.filter(|project| !project.is_trashed) else { return Ok(None) };
        let is_member = self.workspaces.get(&project.workspace).is_some_and(|one| one.has(caller));
        if is_member && project.is_seen_by(caller) { Ok(Some(project)) } else { Err(Refusal::forbidden()) }
    }

    pub(crate) fn section_of(&self, text: &str, caller: Gid) -> Result<&Section, Refusal> {
        let unknown = || Refusal::unknown("section", text);
        let section: &Section =
            text.parse().ok().and_then(|gid| self.sections.get(&gid)).ok_or_else(unknown)?;
        self.project_of(&section.project.to_string(), caller)?;
        Ok(section)
    }
}
