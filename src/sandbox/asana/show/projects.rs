//! Projects, their sections and the fields of their tasks.

use serde_json::{Value, json};

use super::stamp;
use crate::sandbox::asana::event::Noun;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::project::{FieldSetting, Project, Section};
use crate::sandbox::asana::shape::{Shape, Shown};
use crate::sandbox::asana::world::World;

impl World {
    pub(crate) fn show_project_gid(&self, gid: Gid, shape: &Shape) -> Value {
        match self.projects.get(&gid) {
            Some(project) => self.show_project(project, shape),
            None => self.show_ref(gid, Noun::Project, shape),
        }
    }

    pub(crate) fn show_project(&self, project: &Project, shape: &Shape) -> Value {
        let settings = |shape: &Shape| {
            project.settings.iter().map(|one| self.show_setting(project.gid, *one, shape)).collect()
        };
        let team = |shape: &Shape| match project.team.and_then(|gid| self.teams.get(&gid)) {
            Some(team) => self.show_team(team, shape),
            None => json!({}),
        };
        let privacy = || if project.is_private { "private" } else { "public_to_workspace" };
        let permalink = || format!("https://app.asana.com/1/{}/project/{}", project.workspace, project.gid);
        Shown::of(shape, project.gid, "project")
            .compact("name", || project.name.clone())
            .full("archived", || project.archived)
            .full("color", || Value::Null)
            .full("completed", || project.completed_at.is_some())
            .full("completed_at", || project.completed_at.map(stamp))
            .full("created_at", || stamp(project.created_at))
            .full("modified_at", || stamp(project.modified_at))
            .full("start_on", || json!(project.start_on))
            .full("due_on", || json!(project.due_on))
            .full("due_date", || json!(project.due_on))
            .full("notes", || project.notes.clone())
            .full("public", || !project.is_private)
            .full("privacy_setting", privacy)
            .full("permalink_url", permalink)
            .full_record("owner", |shape| self.show_user_or_null(project.owner, shape))
            .full_record("team", team)
            .full_record("workspace", |shape| self.show_ref(project.workspace, Noun::Workspace, shape))
            .full_record("members", |shape| self.show_refs(project.members.clone(), Noun::User, shape))
            .full_record("followers", |shape| self.show_refs(project.members.clone(), Noun::User, shape))
            .full_record("custom_field_settings", settings)
            .full("custom_fields", || json!([]))
            .done()
    }

    pub(crate) fn show_setting(&self, project: Gid, setting: FieldSetting, shape: &Shape) -> Value {
        let of_project = |shape: &Shape| self.show_ref(project, Noun::Project, shape);
        Shown::of(shape, setting.gid, "custom_field_setting")
            .full("is_important", || true)
            .full_record("project", of_project)
            .full_record("parent", of_project)
            .full_record("custom_field", |shape| self.show_field_gid(setting.field, shape))
            .done()
    }

    pub(crate) fn show_section(&self, section: &Section, shape: &Shape) -> Value {
        Shown::of(shape, section.gid, "section")
            .compact("name", || section.name.clone())
            .full("created_at", || stamp(section.created_at))
            .full_record("project", |shape| self.show_ref(section.project, Noun::Project, shape))
            .done()
    }
}
