//! Tasks as people read and write them: fields and options by name.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::sandbox::asana::field::Held;
use crate::sandbox::asana::{Asana, CustomField, Gid, Refusal, Task};

#[derive(Serialize)]
pub(super) struct Phase {
    gid: Gid,
    name: String,
    projects: Vec<String>,
    start_on: Option<NaiveDate>,
    due_on: Option<NaiveDate>,
    fields: BTreeMap<String, Value>,
    actual_time_minutes: Option<u32>,
    deleted: bool,
}

impl Asana {
    pub(super) fn told(&self, task: &Task) -> Phase {
        let zone = self.inner.settings.time_zone;
        let project = |gid: Gid| self.project(gid).map(|project| project.name);
        let field = |(gid, held): &(Gid, Held)| {
            let field = self.field(*gid)?;
            let value = match held {
                Held::Option(option) => json!(field.option(*option).map(|option| option.name.clone())),
                Held::Number(number) => number.json(),
                Held::Text(text) => json!(text),
                Held::Date(day) => json!(day),
                Held::Options(gids) | Held::People(gids) => json!(gids),
            };
            Some((field.name, value))
        };
        Phase {
            gid: task.gid,
            name: task.name.clone(),
            projects: task.memberships.iter().filter_map(|one| project(one.project)).collect(),
            start_on: task.start.map(|start| start.day(zone)),
            due_on: task.due.map(|due| due.day(zone)),
            fields: task.values.iter().filter_map(field).collect(),
            actual_time_minutes: task.minutes,
            deleted: task.is_trashed,
        }
    }

    /// Puts gids where `custom_fields` has names of fields and options.
    pub(super) fn name_fields(&self, data: &mut Map<String, Value>) -> Result<(), Refusal> {
        let Some(Value::Object(named)) = data.remove("custom_fields") else { return Ok(()) };
        let known = self.fields();
        let mut values = Map::new();
        for (name, value) in named {
            let is_meant = |field: &&CustomField| field.name == name || field.gid.to_string() == name;
            let field =
                known.iter().find(is_meant).ok_or_else(|| Refusal::unknown_in("custom_fields", &name))?;
            let option = field.options().iter().find(|option| Some(option.name.as_str()) == value.as_str());
            values.insert(field.gid.to_string(), option.map_or(value, |option| json!(option.gid)));
        }
        data.insert("custom_fields".into(), Value::Object(values));
        Ok(())
    }
}
