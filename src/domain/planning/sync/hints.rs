//! What webhooks and event streams say of tasks, boiled down to which of them must be read again, and since
//! when each of their fields may be another.
//!
//! Events carry no values and come late, doubled and in any order, so nothing is done by them alone. Of
//! several about one field the newest counts; hints can therefore be merged in any order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::provider::asana::{Action, Event, ResourceKind};

/// Tasks that one message names; of more, the whole project is read.
pub(super) const TASKS_AT_MOST: usize = 200;

/// What can have happened to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    StartDate,
    DueDate,
    PlannedHours,
    Area,
    /// Something else, or nobody knows what.
    Other,
    /// Into the trash.
    Deleted,
}

const WHATS: [(What, &str); 6] = [
    (What::StartDate, "start_date"),
    (What::DueDate, "due_date"),
    (What::PlannedHours, "planned_hours"),
    (What::Area, "area"),
    (What::Other, "other"),
    (What::Deleted, "deleted"),
];

/// When which of a task's fields changed last, by the provider's clock, as far as was told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::domain::planning) struct Hint(BTreeMap<What, DateTime<Utc>>);

/// What was told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hints {
    /// By task.
    pub(super) tasks: BTreeMap<String, Hint>,
    /// Projects that changed themselves: their names, their fields, whether they are there.
    pub(super) projects: BTreeSet<String>,
    /// So much happened that the project is read as a whole.
    pub(super) everything: bool,
}

/// The custom fields that mean something here.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct MappedFields<'a> {
    pub(super) area: Option<&'a str>,
    pub(super) hours: Option<&'a str>,
}

/// What of a task is not kept here; the names are those of the API's fields (2026-06-11). An unknown one is
/// looked at.
const ELSEWHERE: [&str; 13] = [
    "notes",
    "html_notes",
    "followers",
    "tags",
    "likes",
    "hearts",
    "liked",
    "hearted",
    "attachments",
    "dependencies",
    "dependents",
    "stories",
    "custom_type",
];

impl Hint {
    pub(super) fn note(&mut self, what: What, time: DateTime<Utc>) {
        let newest = self.0.entry(what).or_insert(time);
        *newest = time.max(*newest);
    }

    /// When a field changed last, if any event told of it.
    pub(super) fn time_of(&self, what: What) -> Option<DateTime<Utc>> {
        self.0.get(&what).copied()
    }

    /// The last event was that it went into the trash.
    pub(super) fn is_of_deletion(&self) -> bool {
        let newest = self.0.values().max();
        self.time_of(What::Deleted).is_some_and(|deleted| Some(&deleted) == newest)
    }

    /// When the oldest of what was told happened.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.0.values().min().copied()
    }
}

impl Hints {
    /// Reads events. `now` stands for the time of one that tells none.
    pub(super) fn of(events: &[Event], fields: MappedFields<'_>, now: DateTime<Utc>) -> Self {
        let mut hints = Self::default();
        for event in events {
            hints.note(event, fields, now);
        }
        hints.bound();
        hints
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.projects.is_empty() && !self.everything
    }

    fn note(&mut self, event: &Event, fields: MappedFields<'_>, now: DateTime<Utc>) {
        let time = event.created_at.unwrap_or(now);
        let gid = &event.resource.gid;
        match event.resource.kind {
            ResourceKind::Task => {
                let whats = whats(event, fields);
                if !whats.is_empty() {
                    let hint = self.tasks.entry(gid.clone()).or_default();
                    whats.into_iter().for_each(|what| hint.note(what, time));
                }
            }
            ResourceKind::Project => drop(self.projects.insert(gid.clone())),
            // A field that came to a project, or left it, is told with the project as its parent.
            ResourceKind::CustomField | ResourceKind::Other(_) => {
                if let Some(parent) =
                    event.parent.as_ref().filter(|parent| parent.kind == ResourceKind::Project)
                {
                    self.projects.insert(parent.gid.clone());
                }
            }
            ResourceKind::Section | ResourceKind::Story | ResourceKind::Workspace => {}
        }
    }

    fn bound(&mut self) {
        if self.tasks.len() > TASKS_AT_MOST {
            self.tasks.clear();
            self.everything = true;
        }
    }

    /// As a message's payload carries them: a flat object, so that merging payloads by key merges hints. A
    /// later event of one field overwrites an earlier one; that the other way about costs at most the finer
    /// time.
    pub(super) fn to_payload(&self) -> Map<String, Value> {
        let mut payload = Map::new();
        for (task, hint) in &self.tasks {
            for (what, time) in &hint.0 {
                payload.insert(format!("task/{task}/{}", what.as_str()), json!(time));
            }
        }
        payload.extend(self.projects.iter().map(|project| (format!("project/{project}"), json!(true))));
        if self.everything {
            payload.insert("everything".into(), json!(true));
        }
        payload
    }

    /// The other way. What a newer version wrote and this one does not know counts as a change of something.
    pub(super) fn from_payload(payload: &Value) -> Self {
        let mut hints = Self::default();
        for (key, value) in payload.as_object().into_iter().flatten() {
            let mut parts = key.splitn(3, '/');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("task"), Some(task), Some(what)) => {
                    let time = serde_json::from_value(value.clone()).unwrap_or_default();
                    hints.tasks.entry(task.into()).or_default().note(What::read(what), time);
                }
                (Some("project"), Some(project), None) => drop(hints.projects.insert(project.into())),
                (Some("everything"), None, None) => hints.everything = true,
                _ => {}
            }
        }
        hints.bound();
        hints
    }
}

impl What {
    fn as_str(self) -> &'static str {
        WHATS.iter().find(|(what, _)| *what == self).map_or("other", |(_, word)| word)
    }

    fn read(word: &str) -> Self {
        WHATS.iter().find(|(_, known)| *known == word).map_or(Self::Other, |(what, _)| *what)
    }
}

/// What an event about a task may have changed of it. How it names dates and custom fields is not documented
/// for webhooks, so an unknown name stands for anything.
fn whats(event: &Event, fields: MappedFields<'_>) -> Vec<What> {
    match (&event.action, &event.change) {
        (Action::Deleted, _) => vec![What::Deleted],
        (Action::Changed, Some(change)) => match change.field.as_str() {
            "start_on" | "start_at" => vec![What::StartDate],
            "due_on" | "due_at" | "due_date" => vec![What::DueDate],
            "custom_fields" => match change.value.as_deref() {
                None => vec![What::PlannedHours, What::Area],
                field if field == fields.area => vec![What::Area],
                field if field == fields.hours => vec![What::PlannedHours],
                // An option, or a field that is not mapped: which of the two is not told.
                Some(_) => vec![What::Other],
            },
            field if ELSEWHERE.contains(&field) => Vec::new(),
            _ => vec![What::Other],
        },
        _ => vec![What::Other],
    }
}

#[cfg(test)]
mod tests;
