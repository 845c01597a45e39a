//! Writes to a task: everything is looked at first, then everything is done.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::event::{Action, Change, Noun, Ref};
use super::field::Held;
use super::gid::Gid;
use super::refusal::Refusal;
use super::settings::{Plan, Settings};
use super::task::{External, Moment, Subtype, Task};
use super::world::World;

/// What PUT does not change; there are routes for it.
const ELSEWHERE: [&str; 6] = ["projects", "memberships", "tags", "followers", "parent", "workspace"];
/// What may be written and means nothing here.
const UNHEARD: [&str; 7] = [
    "html_notes",
    "liked",
    "approval_status",
    "assignee_status",
    "assignee_section",
    "custom_type",
    "custom_type_status_option",
];

/// Who writes.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) user: Gid,
    pub(crate) app: &'a str,
    pub(crate) now: DateTime<Utc>,
}

impl World {
    /// Changes what the data name; told, field by field.
    pub(crate) fn write_task(
        &mut self,
        gid: Gid,
        data: &Map<String, Value>,
        writer: Writer<'_>,
        settings: &Settings,
    ) -> Result<(), Refusal> {
        if let Some(key) = data.keys().find(|key| ELSEWHERE.contains(&key.as_str())) {
            return Err(Refusal::bad(format!("{key}: Cannot write this property")));
        }
        let was = self.tasks.get(&gid).ok_or_else(|| Refusal::unknown("task", &gid.to_string()))?;
        let mut is = self.written(was.clone(), data, writer, settings)?;
        let changes = changes(was, &is);
        let is_modified = changes.iter().any(|(change, _)| change.field != "start_on" || settings.stories);
        if is_modified {
            is.modified_at = writer.now;
        }
        let what = is.as_ref();
        self.tasks.insert(gid, is);
        let within = self.around(gid);
        for (change, story) in changes {
            self.tell_change(Some(writer.user), what, change, &within, writer.now);
            if settings.stories
                && let Some(subtype) = story
            {
                let story = Ref { gid: self.next(), noun: Noun::Story, subtype: Some(subtype) };
                self.tell(Some(writer.user), Action::Added, story, Some(what), &within, writer.now);
            }
        }
        Ok(())
    }

    /// A new task, in the projects named or below a parent; told.
    pub(crate) fn create_task(
        &mut self,
        data: &Map<String, Value>,
        parent: Option<Gid>,
        writer: Writer<'_>,
        settings: &Settings,
    ) -> Result<Gid, Refusal> {
        let mut data = data.clone();
        let parent = match (parent, data.remove("parent")) {
            (Some(parent), _) => Some(parent),
            (None, Some(Value::String(text))) => Some(self.task_of(&text, writer.user, writer.app)?.gid),
            (None, _) => None,
        };
        let mut homes = Vec::new();
        for project in list(&mut data, "projects")? {
            homes.push((self.project_in("projects", &project, writer.user)?.gid, None));
        }
        if let Some(Value::Array(memberships)) = data.remove("memberships") {
            for one in memberships {
                let named = |key: &str| one[key].as_str().map(str::to_owned);
                let project = named("project").ok_or_else(|| Refusal::bad("memberships: Missing project"))?;
                let section = named("section").and_then(|text| text.parse().ok());
                homes.push((self.project_in("memberships", &project, writer.user)?.gid, section));
            }
        }
        data.remove("followers");
        data.remove("tags");
        let workspace = match data.remove("workspace") {
            Some(Value::String(text)) => Some(self.workspace_of(&text, writer.user)?.gid),
            _ => None,
        };
        let home =
            homes.first().and_then(|(project, _)| self.projects.get(project)).map(|home| home.workspace);
        let above = parent.and_then(|gid| self.tasks.get(&gid)).map(|above| above.workspace);
        let workspace = home.or(above).or(workspace);
        let workspace =
            workspace.ok_or_else(|| Refusal::bad("You should specify one of workspace, parent, projects"))?;
        let mut blank = self.new_task(workspace, "", Some(writer.user), writer.now);
        blank.parent = parent;
        // For the look at its fields only: it comes into its projects below, one by one.
        let place = |(project, section): &(Gid, Option<Gid>)| super::task::Membership {
            project: *project,
            section: section.unwrap_or_default(),
        };
        blank.memberships = homes.iter().map(place).collect();
        let mut task = self.written(blank, &data, writer, settings)?;
        task.memberships.clear();
        let (gid, what) = (task.gid, task.as_ref());
        if let Some(above) = parent.and_then(|gid| self.tasks.get_mut(&gid)) {
            above.subtasks.insert(gid);
        }
        self.tasks.insert(gid, task);
        if let Some(parent) = parent.and_then(|gid| self.tasks.get(&gid)).map(Task::as_ref) {
            let within = self.around(gid);
            self.tell(Some(writer.user), Action::Added, what, Some(parent), &within, writer.now);
        }
        for (project, section) in homes {
            self.add_to_project((gid, project), section, Some(writer.user), writer.now)?;
        }
        Ok(gid)
    }

    /// The task as it would be; or what is wrong with the data.
    fn written(
        &self,
        mut task: Task,
        data: &Map<String, Value>,
        writer: Writer<'_>,
        settings: &Settings,
    ) -> Result<Task, Refusal> {
        for (key, value) in data {
            match key.as_str() {
                "name" => task.name = text(key, value)?,
                "notes" => task.notes = text(key, value)?,
                "completed" => {
                    let completed =
                        value.as_bool().ok_or_else(|| Refusal::bad("completed: Not a boolean"))?;
                    task.completed_at = completed.then(|| task.completed_at.unwrap_or(writer.now));
                }
                "resource_subtype" => {
                    let subtype = serde_json::from_value(value.clone());
                    task.subtype =
                        subtype.map_err(|_| Refusal::bad("resource_subtype: Not a recognized value"))?;
                }
                "assignee" => task.assignee = self.assignee(value, writer.user)?,
                "external" => take_external(&mut task, value, writer.app)?,
                "custom_fields" => {}
                "due_on" | "due_at" | "start_on" | "start_at" => {}
                key if UNHEARD.contains(&key) => {}
                key => return Err(Refusal::bad(format!("{key}: Cannot write this property"))),
            }
        }
        take_dates(&mut task, data, settings)?;
        match data.get("custom_fields") {
            None => {}
            Some(Value::Object(values)) if settings.plan == Plan::Paid => {
                self.take_values(&mut task, values)?
            }
            Some(Value::Object(_)) => return Err(Refusal::payment()),
            Some(_) => return Err(Refusal::bad("custom_fields: Value is not an object")),
        }
        if task.subtype == Subtype::Milestone && task.start.is_some() {
            return Err(Refusal::bad("start_on: Milestones cannot have a start date"));
        }
        Ok(task)
    }

    fn assignee(&self, value: &Value, caller: Gid) -> Result<Option<Gid>, Refusal> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => match self.user_of(text, caller) {
                Ok(user) => Ok(Some(user.gid)),
                Err(_) => Err(Refusal::unknown_in("assignee", text)),
            },
            _ => Err(Refusal::bad("assignee: Not a recognized ID")),
        }
    }

    fn take_values(&self, task: &mut Task, values: &Map<String, Value>) -> Result<(), Refusal> {
        for (key, value) in values {
            let found = key.parse().ok().and_then(|gid: Gid| self.fields.get(&gid));
            let field = found.ok_or_else(|| Refusal::unknown_in("custom_fields", key))?;
            let is_given = self.has_field(task, field.gid);
            // What a task kept from a project it left can only be cleared.
            let is_left_over = value.is_null() && task.value(field.gid).is_some();
            if !is_given && !is_left_over {
                return Err(Refusal::bad(format!("Custom field with ID {key} is not on given object")));
            }
            let held: Option<Held> = field.read(value)?;
            task.set_value(field.gid, held);
        }
        Ok(())
    }

    /// Whether one of its projects has the field; being below a task that has it is not enough.
    pub(crate) fn has_field(&self, task: &Task, field: Gid) -> bool {
        let has = |gid: &Gid| self.projects.get(gid).is_some_and(|project| project.has_field(field));
        task.memberships.iter().map(|one| one.project).any(|gid| has(&gid))
    }
}

/// <https://developers.asana.com/reference/updatetask>: a start goes with a due date of the same request.
fn take_dates(task: &mut Task, data: &Map<String, Value>, settings: &Settings) -> Result<(), Refusal> {
    let has = |key: &str| data.contains_key(key);
    if has("due_on") && has("due_at") {
        return Err(Refusal::bad("You may only provide one of due_on or due_at!"));
    }
    if has("start_on") && has("start_at") {
        return Err(Refusal::bad("You may only provide one of start_on or start_at!"));
    }
    if has("start_on") && !has("due_on") && !has("due_at") {
        return Err(Refusal::bad(
            "start_on: due_on or due_at must be present in the request when setting or unsetting start_on",
        ));
    }
    if has("start_at") && !has("due_at") {
        return Err(Refusal::bad(
            "start_at: due_at must be present in the request when setting or unsetting start_at",
        ));
    }
    for (key, value) in data {
        match key.as_str() {
            "due_on" => task.due = day(key, value)?.map(Moment::On),
            "due_at" => task.due = time(key, value)?.map(Moment::At),
            "start_on" => task.start = day(key, value)?.map(Moment::On),
            "start_at" => task.start = time(key, value)?.map(Moment::At),
            _ => {}
        }
    }
    if task.start.is_some() && settings.plan == Plan::Free && (has("start_on") || has("start_at")) {
        return Err(Refusal::payment());
    }
    let zone = settings.time_zone;
    match (task.start, task.due) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::bad("start_on: A start date needs a due date")),
        (Some(Moment::At(start)), Some(Moment::At(due))) if start < due => Ok(()),
        (Some(start), Some(due)) if start.day(zone) < due.day(zone) => Ok(()),
        (Some(start), Some(due)) if start.day(zone) == due.day(zone) && settings.one_day_tasks => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::bad("start_on: The start date must be before the due date")),
    }
}

fn take_external(task: &mut Task, value: &Value, app: &str) -> Result<(), Refusal> {
    let mut external = task.external_of(app).cloned().unwrap_or_default();
    let written: &Map<String, Value> =
        value.as_object().ok_or_else(|| Refusal::bad("external: Value is not an object"))?;
    for (key, value) in written {
        let (place, most) = match key.as_str() {
            "gid" => (&mut external.gid, 1024),
            "data" => (&mut external.data, 32_768),
            _ => return Err(Refusal::bad(format!("external.{key}: Cannot write this property"))),
        };
        let text = value.as_str().filter(|text| text.chars().count() <= most);
        *place = Some(
            text.ok_or_else(|| Refusal::bad(format!("external.{key}: Too long, or no text")))?.to_owned(),
        );
    }
    task.external.retain(|(one, _)| one != app);
    if external != External::default() {
        task.external.push((app.to_owned(), external));
    }
    Ok(())
}

/// What the events tell, with the story each makes. None has a value, except where that is a thing of
/// Asana's.
fn changes(was: &Task, is: &Task) -> Vec<(Change, Option<&'static str>)> {
    let mut changes = Vec::new();
    let mut add = |field, new_value, story| {
        changes.push((Change { field, action: Action::Changed, new_value }, story));
    };
    if was.name != is.name {
        add("name", None, Some("name_changed"));
    }
    if was.notes != is.notes {
        add("notes", None, Some("notes_changed"));
    }
    if was.start != is.start {
        add("start_on", None, Some("start_date_changed"));
    }
    if was.due != is.due {
        let is_timed = is.due.and_then(Moment::time).is_some();
        add(if is_timed { "due_at" } else { "due_on" }, None, Some("due_date_changed"));
    }
    if was.completed_at != is.completed_at {
        add("completed", None, Some("marked_complete"));
    }
    if was.assignee != is.assignee {
        let user = is.assignee.map(|gid| Ref { gid, noun: Noun::User, subtype: None });
        add("assignee", user, Some("assigned"));
    }
    if was.subtype != is.subtype {
        add("resource_subtype", None, None);
    }
    let fields = was.values.iter().chain(&is.values).map(|(field, _)| *field);
    let mut told = Vec::new();
    for field in fields {
        if was.value(field) != is.value(field) && !told.contains(&field) {
            told.push(field);
            let field = Ref { gid: field, noun: Noun::CustomField, subtype: None };
            add("custom_fields", Some(field), Some("custom_field_changed"));
        }
    }
    changes
}

fn text(key: &str, value: &Value) -> Result<String, Refusal> {
    value.as_str().map(str::to_owned).ok_or_else(|| Refusal::bad(format!("{key}: Not a string")))
}

fn day(key: &str, value: &Value) -> Result<Option<NaiveDate>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
            day.map(Some).map_err(|_| Refusal::bad(format!("{key}: Not a date: {text}")))
        }
        _ => Err(Refusal::bad(format!("{key}: Not a date"))),
    }
}

fn time(key: &str, value: &Value) -> Result<Option<DateTime<Utc>>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => {
            let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
            time.map(Some).map_err(|_| Refusal::bad(format!("{key}: Not a date-time: {text}")))
        }
        _ => Err(Refusal::bad(format!("{key}: Not a date-time"))),
    }
}

fn list(data: &mut Map<String, Value>, key: &str) -> Result<Vec<String>, Refusal> {
    match data.remove(key) {
        None => Ok(Vec::new()),
        Some(value) => {
            serde_json::from_value(value).map_err(|_| Refusal::bad(format!("{key}: Not an array of IDs")))
        }
    }
}
