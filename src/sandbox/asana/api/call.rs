//! One request, understood as far as all of them are alike.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::{absences, events, fields, people, projects, tasks, time_entries, webhooks};
use crate::sandbox::asana::faults::Fault;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::oauth::Grant;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::shape::Shape;
use crate::sandbox::asana::world::World;
use crate::sandbox::asana::write::Writer;

pub(super) type Answered = Result<Answer, Refusal>;

pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) arguments: Vec<String>,
    /// Below `/api/1.0`.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) grant: Grant,
    /// Of the body; nothing where there was none.
    pub(super) data: Map<String, Value>,
    /// Of the body: `fields` does what `opt_fields` does.
    pub(super) options: Map<String, Value>,
    pub(super) now: DateTime<Utc>,
    /// What goes wrong with it.
    pub(super) faults: Vec<Fault>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// Records told, for the cost limiter.
    pub(super) records: usize,
}

impl Answer {
    pub(super) fn ok(data: Value) -> Self {
        Self::with(StatusCode::OK, data)
    }

    pub(super) fn created(data: Value) -> Self {
        Self::with(StatusCode::CREATED, data)
    }

    pub(super) fn nothing() -> Self {
        Self::ok(json!({}))
    }

    pub(super) fn raw(body: Value) -> Self {
        Self { status: StatusCode::OK, body, records: 1 }
    }

    fn with(status: StatusCode, data: Value) -> Self {
        Self { status, body: json!({ "data": data }), records: 1 }
    }
}

impl Call {
    pub(super) async fn perform(&self, inner: &Arc<Inner>) -> Answered {
        match self.operation {
            Operation::ListWorkspaces
            | Operation::GetWorkspace
            | Operation::ListWorkspaceUsers
            | Operation::GetWorkspaceUser
            | Operation::ListTeams
            | Operation::GetTeam
            | Operation::ListWorkspaceMembers
            | Operation::GetWorkspaceMember
            | Operation::ListUsers
            | Operation::GetUser => people::answer(inner, self),
            Operation::ListWorkspaceProjects
            | Operation::CreateWorkspaceProject
            | Operation::ListTeamProjects
            | Operation::ListProjects
            | Operation::CreateProject
            | Operation::GetProject
            | Operation::UpdateProject
            | Operation::ListSections
            | Operation::CreateSection
            | Operation::GetSection
            | Operation::CountTasks => projects::answer(inner, self),
            Operation::ListWorkspaceFields
            | Operation::ListFieldSettings
            | Operation::AddFieldSetting
            | Operation::RemoveFieldSetting
            | Operation::GetField
            | Operation::UpdateField
            | Operation::CreateOption
            | Operation::UpdateOption => fields::answer(inner, self),
            Operation::SearchTasks
            | Operation::ListProjectTasks
            | Operation::ListSectionTasks
            | Operation::AddTaskToSection
            | Operation::ListTasks
            | Operation::CreateTask
            | Operation::GetTask
            | Operation::UpdateTask
            | Operation::DeleteTask
            | Operation::ListTaskProjects
            | Operation::ListSubtasks
            | Operation::CreateSubtask
            | Operation::AddTaskToProject
            | Operation::RemoveTaskFromProject => tasks::answer(inner, self),
            Operation::ListTaskTimeEntries
            | Operation::CreateTimeEntry
            | Operation::ListTimeEntries
            | Operation::GetTimeEntry
            | Operation::UpdateTimeEntry
            | Operation::DeleteTimeEntry => time_entries::answer(inner, self),
            Operation::ListAbsences
            | Operation::CreateAbsence
            | Operation::GetAbsence
            | Operation::UpdateAbsence
            | Operation::DeleteAbsence => absences::answer(inner, self),
            Operation::GetEvents | Operation::GetWorkspaceEvents => events::answer(inner, self),
            Operation::ListWebhooks
            | Operation::CreateWebhook
            | Operation::GetWebhook
            | Operation::UpdateWebhook
            | Operation::DeleteWebhook => webhooks::answer(inner, self).await,
            // Not below the API's path.
            Operation::Authorize | Operation::Token | Operation::Revoke => Err(Refusal::no_route()),
            Operation::Batch => super::batch::answer(inner, self).await,
        }
    }

    pub(super) fn suffers(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    pub(super) fn user(&self) -> Gid {
        self.grant.user
    }

    pub(super) fn app(&self) -> &str {
        &self.grant.app
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { user: self.grant.user, app: &self.grant.app, now: self.now }
    }

    /// What stands in for a brace of the route.
    pub(super) fn argument(&self, nth: usize) -> &str {
        self.arguments.get(nth).map(String::as_str).unwrap_or_default()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.parameter(name).ok_or_else(|| Refusal::bad(format!("{name}: Missing input")))
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::bad(format!("{name}: Not a recognized value: {text}")))
        };
        self.parameter(name).map(parse).transpose()
    }

    /// A text of the body.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Refusal> {
        match self.data.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::bad(format!("{key}: Not a string"))),
        }
    }

    pub(super) fn required_text(&self, key: &str) -> Result<&str, Refusal> {
        self.text(key)?.ok_or_else(|| Refusal::bad(format!("{key}: Missing input")))
    }

    pub(super) fn day(&self, key: &str) -> Result<Option<NaiveDate>, Refusal> {
        let parse = |text: &str| text.parse().map_err(|_| Refusal::bad(format!("{key}: Not a date: {text}")));
        self.text(key)?.map(parse).transpose()
    }

    pub(super) fn check_keys(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.data.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(Refusal::bad(format!("{key}: Cannot write this property"))),
            None => Ok(()),
        }
    }

    /// What is told of each record: the whole or the compact one, or what was asked for.
    pub(super) fn shape(&self) -> Shape {
        let of_body = || self.options.get("fields").and_then(Value::as_array);
        if let Some(paths) = self.parameter("opt_fields") {
            return Shape::named(paths.split(','));
        }
        match of_body() {
            Some(paths) => Shape::named(paths.iter().filter_map(Value::as_str)),
            None if self.operation.is_list() => Shape::Compact,
            None => Shape::Full,
        }
    }

    /// The whole record, or what was asked for.
    pub(super) fn one(&self, show: impl FnOnce(&Shape) -> Value) -> Answer {
        Answer::ok(show(&self.shape()))
    }

    pub(super) fn list(
        &self,
        world: &World,
        inner: &Inner,
        after: impl FnOnce(&World, Gid, usize) -> Result<Vec<Gid>, Refusal>,
        show: impl Fn(&World, Gid, &Shape) -> Value,
    ) -> Answered {
        let page = super::page::Page::of(self, inner)?;
        page.list(self, inner, after(world, page.after, page.look())?, |gid, shape| show(world, gid, shape))
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer "))
}
