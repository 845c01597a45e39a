//! Projects.

use chrono::{DateTime, NaiveDate, Utc};

use super::Asana;
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;

/// A project. Its own times say nothing about its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub gid: String,
    pub name: Option<String>,
    pub archived: bool,
    pub completed: bool,
    pub start_on: Option<NaiveDate>,
    pub due_on: Option<NaiveDate>,
    pub created_at: Option<DateTime<Utc>>,
    pub modified_at: Option<DateTime<Utc>>,
    /// A user's gid.
    pub owner: Option<String>,
    pub workspace: Option<String>,
    pub permalink_url: Option<String>,
    /// The gids of the custom fields that its tasks have; None where that was not told, as on a free plan.
    pub field_gids: Option<Vec<String>>,
}

const PROJECT: &[&str] = &[
    "name",
    "archived",
    "completed",
    "start_on",
    "due_on",
    "created_at",
    "modified_at",
    "owner",
    "workspace",
    "permalink_url",
    "custom_field_settings.custom_field",
];

impl Asana<'_> {
    /// All of a workspace, archived ones too.
    pub async fn projects(
        &self,
        workspace: &str,
        offset: Option<&Offset>,
    ) -> Result<Page<Project>, CallError> {
        let request = Request::get(&["projects"]).query("workspace", workspace).fields(PROJECT).page(offset);
        self.send(request).await?.page(offset, Project::of)
    }

    /// One of them; `Refused(NotFound)` also where the user does not see it.
    pub async fn project(&self, gid: &str) -> Result<Project, CallError> {
        self.send(Request::get(&["projects", gid]).fields(PROJECT)).await?.one(Project::of)
    }
}

impl Project {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let settings = fields.get("custom_field_settings").and_then(|settings| settings.as_array());
        let field_gid = |setting| Fields::of(setting)?.object("custom_field")?.key("gid");
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            name: fields.text("name"),
            archived: fields.flag("archived").unwrap_or_default(),
            completed: fields.flag("completed").unwrap_or_default(),
            start_on: fields.date("start_on")?,
            due_on: fields.date("due_on")?,
            created_at: fields.time("created_at"),
            modified_at: fields.time("modified_at"),
            owner: fields.object("owner").and_then(|owner| owner.key("gid")),
            workspace: fields.object("workspace").and_then(|workspace| workspace.key("gid")),
            permalink_url: fields.text("permalink_url").filter(|url| url.starts_with("https://")),
            field_gids: settings.map(|settings| settings.iter().filter_map(field_gid).collect()),
        })
    }
}
