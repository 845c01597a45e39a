//! An office to play with.

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Asana, Client, CustomField, Error, Gid, Task};

const PEOPLE: [(&str, &str); 3] = [
    ("Erika Muster", "erika.muster@example.org"),
    ("Max Beispiel", "max.beispiel@example.org"),
    ("Anna Probe", "anna.probe@example.org"),
];
const PROJECTS: [&str; 3] = ["Halle 7, Neubau", "Wartungshalle Nord", "Umbau Verwaltung"];
const PHASES: [(&str, usize); 6] = [
    ("Aufmaß und Planung", 2),
    ("Zuschnitt", 0),
    ("Schweißen", 0),
    ("Oberfläche", 0),
    ("Montage vor Ort", 1),
    ("Abnahme", 1),
];
/// Days a phase of the demo lasts, the weekend it may span included.
const PHASE_DAYS: u64 = 9;

/// What [`Asana::add_office`] made.
#[derive(Clone, Debug)]
pub struct Office {
    pub area: CustomField,
    pub hours: CustomField,
    pub projects: Vec<Gid>,
}

/// Who and what [`Asana::add_demo`] made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Demo {
    pub workspace: Gid,
    /// The first is the admin who is asked for consent.
    pub users: Vec<Gid>,
    pub area: CustomField,
    pub hours: CustomField,
    pub projects: Vec<Gid>,
    /// In the order of their projects.
    pub tasks: Vec<Gid>,
}

impl Asana {
    /// An office with three people, three projects of six phases each, hours logged and days off; and the
    /// app.
    pub fn add_demo(&self, client: Client) -> Result<Demo, Error> {
        self.add_client(client);
        let today = self.clock().now().date_naive();
        let workspace = self.add_workspace("Planungsbüro am Wall");
        let users: Vec<Gid> =
            PEOPLE.iter().map(|(name, email)| self.add_user(workspace, name, Some(email))).collect();
        let area = self.add_enum_field(workspace, "Bereich", &["Produktion", "Montage", "Büro"]);
        let hours = self.add_number_field(workspace, "Soll-Stunden", 1);
        let comment = self.add_text_field(workspace, "Bemerkung");
        let (mut projects, mut tasks) = (Vec::new(), Vec::new());
        for (nth, name) in (0..).zip(PROJECTS) {
            let project = self.add_project(workspace, name, &[area.gid, hours.gid, comment.gid]);
            projects.push(project);
            let mut start = workday(today + Days::new(7 * nth));
            for (phase, option) in PHASES {
                let due = workday(start + Days::new(PHASE_DAYS));
                let option = area.options().get(option).map(|option| option.gid);
                let planned = 8.0 * f64::from(u32::try_from(phase.len() % 5).unwrap_or_default() + 1);
                let user = users.get(tasks.len() % users.len());
                let task = self.add_task(
                    project,
                    json!({ "name": phase, "start_on": start, "due_on": due, "assignee": user,
                            "custom_fields": { area.gid.to_string(): option, hours.gid.to_string(): planned } }),
                )?;
                tasks.push(task);
                start = workday(due + Days::new(1));
            }
        }
        for (user, task) in users.iter().zip(&tasks) {
            let person = self.person(*user);
            person.log_time(*task, 150, today)?;
            person.take_leave(workspace, today + Days::new(14), today + Days::new(18))?;
        }
        let demo = Demo { workspace, users, area, hours, projects, tasks };
        self.inner.world_mut().demo = Some(demo.clone());
        Ok(demo)
    }

    /// What [`Self::add_demo`] made, here or in the life that was kept.
    pub fn demo(&self) -> Option<Demo> {
        self.inner.world().demo.clone()
    }

    /// Many projects of many tasks, all of them with dates, an area and hours. Nobody is told.
    pub fn add_office(&self, workspace: Gid, projects: usize, tasks_each: usize) -> Result<Office, Error> {
        let area = self.add_enum_field(workspace, "Bereich", &["Produktion", "Montage", "Büro"]);
        let hours = self.add_number_field(workspace, "Soll-Stunden", 1);
        let today = self.clock().now().date_naive();
        let fill = |nth: usize| -> Result<Gid, Error> {
            let project = self.add_project(workspace, &format!("Projekt {nth:03}"), &[area.gid, hours.gid]);
            for (days, phase) in (0_u64..).zip(0..tasks_each) {
                let option = area.options().get(phase % 3).map(|option| option.gid);
                let start = today + Days::new(days % 200);
                let due = start + Days::new(4 + days % 9);
                let data = json!({ "name": format!("Phase {phase:04}"), "start_on": start, "due_on": due,
                                   "custom_fields": { area.gid.to_string(): option,
                                                      hours.gid.to_string(): (days % 80) + 1 } });
                self.add_task(project, data)?;
            }
            Ok(project)
        };
        let made = (0..projects).map(fill).collect::<Result<_, _>>()?;
        Ok(Office { area, hours, projects: made })
    }

    /// Somebody moves a phase that has both dates by up to ten days; the same ones in turn for the same seed.
    /// `None` where there is none.
    pub fn invent_change(&self, seed: u64) -> Result<Option<Task>, Error> {
        let mut rng = StdRng::seed_from_u64(seed);
        let tasks: Vec<Task> =
            self.tasks().into_iter().filter(|task| !task.is_trashed && task.start.is_some()).collect();
        let Some(task) = tasks.choose(&mut rng) else { return Ok(None) };
        let homes = self.workspaces();
        let members = homes.iter().find(|home| home.gid == task.workspace).map(|home| &home.members);
        let users: Vec<Gid> = members.into_iter().flatten().map(|member| member.user).collect();
        let zone = self.inner.settings.time_zone;
        let (Some(start), Some(due), Some(user)) = (task.start, task.due, users.choose(&mut rng)) else {
            return Ok(None);
        };
        let by = Days::new(rng.random_range(1..=10));
        let (start, due) = (start.day(zone) + by, due.day(zone) + by);
        self.person(*user).set_dates(task.gid, Some(start), Some(due))?;
        Ok(self.task(task.gid))
    }
}

/// The day, or the Monday after it.
fn workday(day: NaiveDate) -> NaiveDate {
    match day.weekday() {
        Weekday::Sat => day + Days::new(2),
        Weekday::Sun => day + Days::new(1),
        _ => day,
    }
}
