//! Everything the double knows. Changes are made under one lock, and never while anything is awaited.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::demo::Demo;
use super::entry::{OooEntry, TimeEntry};
use super::event::Log;
use super::field::CustomField;
use super::gid::Gid;
use super::oauth::Grants;
use super::people::{Team, User, Workspace};
use super::project::{Project, Section};
use super::settings::Settings;
use super::task::Task;
use super::webhook::Webhook;

#[derive(Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) workspaces: BTreeMap<Gid, Workspace>,
    pub(crate) users: BTreeMap<Gid, User>,
    pub(crate) teams: BTreeMap<Gid, Team>,
    pub(crate) fields: BTreeMap<Gid, CustomField>,
    pub(crate) projects: BTreeMap<Gid, Project>,
    pub(crate) sections: BTreeMap<Gid, Section>,
    pub(crate) tasks: HashMap<Gid, Task>,
    pub(crate) entries: BTreeMap<Gid, TimeEntry>,
    pub(crate) entries_by_task: HashMap<Gid, Vec<Gid>>,
    pub(crate) absences: BTreeMap<Gid, OooEntry>,
    pub(crate) webhooks: BTreeMap<Gid, Webhook>,
    pub(crate) log: Log,
    pub(crate) grants: Grants,
    /// In which `due_on` of a task with a time of day is told.
    pub(crate) time_zone: Tz,
    /// What [`super::Asana::add_demo`] made.
    pub(crate) demo: Option<Demo>,
    last_gid: Gid,
}

impl World {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            workspaces: BTreeMap::new(),
            users: BTreeMap::new(),
            teams: BTreeMap::new(),
            fields: BTreeMap::new(),
            projects: BTreeMap::new(),
            sections: BTreeMap::new(),
            tasks: HashMap::new(),
            entries: BTreeMap::new(),
            entries_by_task: HashMap::new(),
            absences: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            log: Log::new(settings.kept_events),
            grants: Grants::default(),
            time_zone: settings.time_zone,
            demo: None,
            last_gid: Gid::first(settings.gid_offset),
        }
    }

    pub(crate) fn next(&mut self) -> Gid {
        self.last_gid = self.last_gid.after();
        self.last_gid
    }
}
