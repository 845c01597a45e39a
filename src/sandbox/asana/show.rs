//! Records as Asana tells them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::event::{Event, Noun, Ref};
use super::gid::Gid;
use super::shape::{Shape, Shown};
use super::world::World;

mod fields;
mod people;
mod projects;
mod tasks;
mod time;

pub(crate) use fields::show_option;

/// UTC, to the millisecond.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// As a webhook tells it: ids and types, no names, no values.
pub(crate) fn event_of_webhook(event: &Event) -> Value {
    let bare = |one: &Ref| {
        let mut shown = json!({ "gid": one.gid, "resource_type": one.noun.word() });
        if let Some(subtype) = one.subtype {
            shown["resource_subtype"] = json!(subtype);
        }
        shown
    };
    let mut shown = Map::new();
    let user = |gid: Gid| json!({ "gid": gid, "resource_type": "user" });
    shown.insert("user".into(), event.user.map_or(Value::Null, user));
    shown.insert("created_at".into(), json!(stamp(event.time)));
    shown.insert("action".into(), json!(event.action.word()));
    shown.insert("resource".into(), bare(&event.resource));
    shown.insert("parent".into(), event.parent.as_ref().map_or(Value::Null, bare));
    if let Some(change) = &event.change {
        let mut told = json!({ "field": change.field, "action": change.action.word() });
        if let Some(value) = &change.new_value {
            told["new_value"] = bare(value);
        }
        shown.insert("change".into(), told);
    }
    Value::Object(shown)
}

impl World {
    /// As a stream tells it: what it names may be told more about.
    pub(crate) fn show_event(&self, event: &Event, shape: &Shape) -> Value {
        let shown = Shown::anonymous(shape)
            .full("created_at", || stamp(event.time))
            .full("action", || event.action.word())
            .full("type", || event.resource.noun.word())
            .full_record("user", |shape| event.user.map_or(Value::Null, |gid| self.show_user(gid, shape)))
            .full_record("resource", |shape| self.show_some(&event.resource, shape));
        let shown = match &event.parent {
            Some(parent) => shown.full_record("parent", |shape| self.show_some(parent, shape)),
            None => shown,
        };
        let Some(change) = &event.change else { return shown.done() };
        let told = |shape: &Shape| {
            // Not a record: without a field of it named, it is told whole.
            let shape = if matches!(shape, Shape::Bare) { &Shape::Full } else { shape };
            let told = Shown::anonymous(shape)
                .compact("field", || change.field)
                .compact("action", || change.action.word());
            match &change.new_value {
                Some(value) => told.compact_record("new_value", |shape| self.show_some(value, shape)).done(),
                None => told.done(),
            }
        };
        shown.full_record("change", told).done()
    }

    fn show_some(&self, one: &Ref, shape: &Shape) -> Value {
        match one.noun {
            Noun::Task if self.tasks.contains_key(&one.gid) => self.show_task_gid(one.gid, shape),
            Noun::Project if self.projects.contains_key(&one.gid) => self.show_project_gid(one.gid, shape),
            noun => {
                let mut shown = self.show_ref(one.gid, noun, shape);
                if let (Some(subtype), Shape::Compact | Shape::Full) = (one.subtype, shape) {
                    shown["resource_subtype"] = json!(subtype);
                }
                shown
            }
        }
    }

    /// Anything, by its name.
    pub(crate) fn show_ref(&self, gid: Gid, noun: Noun, shape: &Shape) -> Value {
        let name = || match noun {
            Noun::Workspace => self.workspaces.get(&gid).map(|one| one.name.clone()),
            Noun::User => self.users.get(&gid).map(|one| one.name.clone()),
            Noun::Project => self.projects.get(&gid).map(|one| one.name.clone()),
            Noun::Section => self.sections.get(&gid).map(|one| one.name.clone()),
            Noun::Task => self.tasks.get(&gid).map(|one| one.name.clone()),
            Noun::CustomField => self.fields.get(&gid).map(|one| one.name.clone()),
            Noun::Story | Noun::EnumOption | Noun::WorkspaceMembership => None,
        };
        let shown = Shown::of(shape, gid, noun.word());
        match name() {
            Some(name) => shown.compact("name", || name).done(),
            None => shown.done(),
        }
    }

    pub(crate) fn show_refs(&self, gids: impl IntoIterator<Item = Gid>, noun: Noun, shape: &Shape) -> Value {
        gids.into_iter().map(|gid| self.show_ref(gid, noun, shape)).collect()
    }
}
