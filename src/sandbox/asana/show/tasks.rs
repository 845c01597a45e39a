//! Tasks.

use serde_json::{Value, json};

use super::stamp;
use crate::sandbox::asana::event::Noun;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::oauth::BY_HAND;
use crate::sandbox::asana::shape::{Shape, Shown};
use crate::sandbox::asana::task::{Membership, Moment, Task};
use crate::sandbox::asana::world::World;

impl World {
    pub(crate) fn show_task_gid(&self, gid: Gid, shape: &Shape) -> Value {
        match self.tasks.get(&gid) {
            Some(task) => self.show_task(task, BY_HAND, shape),
            None => self.show_ref(gid, Noun::Task, shape),
        }
    }

    /// `app` sees its own external data only.
    pub(crate) fn show_task(&self, task: &Task, app: &str, shape: &Shape) -> Value {
        let zone = self.time_zone;
        let day = |moment: Option<Moment>| json!(moment.map(|moment| moment.day(zone)));
        let time = |moment: Option<Moment>| json!(moment.and_then(Moment::time).map(stamp));
        let membership = |one: &Membership, shape: &Shape| {
            let shape = if matches!(shape, Shape::Bare) { &Shape::Full } else { shape };
            Shown::anonymous(shape)
                .compact_record("project", |shape| self.show_ref(one.project, Noun::Project, shape))
                .compact_record("section", |shape| self.show_ref(one.section, Noun::Section, shape))
                .done()
        };
        let memberships = |shape: &Shape| task.memberships.iter().map(|one| membership(one, shape)).collect();
        let projects = |shape: &Shape| {
            self.show_refs(task.memberships.iter().map(|one| one.project), Noun::Project, shape)
        };
        let parent = |shape: &Shape| match task.parent {
            Some(parent) => self.show_task_gid(parent, shape),
            None => Value::Null,
        };
        let subtasks =
            || task.subtasks.iter().filter(|gid| self.tasks.get(gid).is_some_and(|one| !one.is_trashed));
        let creator = |shape: &Shape| task.created_by.map_or(json!({}), |gid| self.show_user(gid, shape));
        let shown = Shown::of(shape, task.gid, "task")
            .compact("name", || task.name.clone())
            .compact("resource_subtype", || task.subtype.word())
            .asked_record("created_by", creator)
            .full("notes", || task.notes.clone())
            .full("completed", || task.completed_at.is_some())
            .full("completed_at", || task.completed_at.map(stamp))
            .full("created_at", || stamp(task.created_at))
            .full("modified_at", || stamp(task.modified_at))
            .full("start_on", || day(task.start))
            .full("start_at", || time(task.start))
            .full("due_on", || day(task.due))
            .full("due_at", || time(task.due))
            .full("actual_time_minutes", || json!(task.minutes))
            .asked("num_subtasks", || subtasks().count())
            .full("liked", || false)
            .full("tags", || json!([]))
            .full("permalink_url", || format!("https://app.asana.com/1/{}/task/{}", task.workspace, task.gid))
            .full_record("assignee", |shape| self.show_user_or_null(task.assignee, shape))
            .full_record("followers", |shape| self.show_refs(task.created_by, Noun::User, shape))
            .full_record("parent", parent)
            .full_record("memberships", memberships)
            .full_record("projects", projects)
            .full_record("workspace", |shape| self.show_ref(task.workspace, Noun::Workspace, shape))
            .full_record("custom_fields", |shape| self.show_values(task, shape));
        // Whole without a field of it named: it is no record. What was not written is not there.
        let external = |shape: &Shape| match (task.external_of(app), shape) {
            (None, _) => Value::Null,
            (Some(external), Shape::Named(_)) => {
                let shown = Shown::anonymous(shape);
                let shown =
                    external.gid.iter().fold(shown, |shown, gid| shown.compact("gid", || gid.clone()));
                external.data.iter().fold(shown, |shown, data| shown.compact("data", || data.clone())).done()
            }
            (Some(external), _) => json!(external),
        };
        match task.external_of(app) {
            Some(_) => shown.asked_record("external", external).done(),
            None => shown.done(),
        }
    }

    /// The fields of its projects, each once; then what it kept from projects it has left.
    fn show_values(&self, task: &Task, shape: &Shape) -> Value {
        let settings = |one: &Membership| self.projects.get(&one.project).map(|project| &project.settings);
        let mut seen: Vec<Gid> = Vec::new();
        for setting in task.memberships.iter().filter_map(settings).flatten() {
            if !seen.contains(&setting.field) {
                seen.push(setting.field);
            }
        }
        let given = seen.len();
        seen.extend(task.values.iter().map(|(gid, _)| *gid).filter(|gid| {
            !task.memberships.iter().filter_map(settings).flatten().any(|setting| setting.field == *gid)
        }));
        let show = |(nth, gid): (usize, &Gid)| {
            let field = self.fields.get(gid)?;
            Some(self.show_value(field, task.value(*gid), nth < given, shape))
        };
        seen.iter().enumerate().filter_map(show).collect()
    }
}
