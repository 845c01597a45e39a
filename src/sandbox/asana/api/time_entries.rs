//! Time tracking.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::entry::TimeEntry;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::settings::Plan;
use crate::sandbox::asana::shape::Shape;
use crate::sandbox::asana::world::World;

const WRITABLE: [&str; 6] =
    ["duration_minutes", "entered_on", "attributable_to", "billable_status", "description", "categories"];

pub(super) fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    if inner.settings.plan == Plan::Free {
        return Err(Refusal::payment());
    }
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::ListTaskTimeEntries => {
            let world = inner.world();
            let task = world.task_of(first, user, call.app())?.gid;
            let entries = |world: &World, after, look| {
                let of_task = world.entries_by_task.get(&task).map(Vec::as_slice).unwrap_or_default();
                Ok(of_task.iter().copied().filter(|gid| *gid > after).take(look).collect())
            };
            call.list(&world, inner, entries, shown(inner.settings.listed_entries_name_task))
        }
        Operation::CreateTimeEntry => {
            call.check_keys(&WRITABLE)?;
            let task = inner.world().task_of(first, user, call.app())?.gid;
            let minutes = minutes(call)?.ok_or_else(|| Refusal::bad("duration_minutes: Missing input"))?;
            let day = call.day("entered_on")?.unwrap_or_else(|| call.now.date_naive());
            let gid = inner.change(|world, now| world.log_time((task, user), minutes, day, now))?;
            let world = inner.world();
            let entry = world.entry_of(&gid.to_string())?;
            Ok(Answer::created(world.show_entry(entry, true, &call.shape())))
        }
        Operation::ListTimeEntries => list(inner, call),
        Operation::UpdateTimeEntry => {
            call.check_keys(&WRITABLE)?;
            let gid = inner.world().entry_of(first)?.gid;
            let (minutes, day) = (minutes(call)?, call.day("entered_on")?);
            inner.change(|world, _| world.change_time(gid, minutes, day))?;
            let world = inner.world();
            let entry = world.entry_of(first)?;
            Ok(call.one(|shape| world.show_entry(entry, true, shape)))
        }
        Operation::DeleteTimeEntry => {
            let gid = inner.world().entry_of(first)?.gid;
            inner.change(|world, _| world.delete_time(gid))?;
            Ok(Answer::nothing())
        }
        _ => {
            let world = inner.world();
            let entry = world.entry_of(first)?;
            Ok(call.one(|shape| world.show_entry(entry, true, shape)))
        }
    }
}

/// Of a task, a project, a person, or a workspace within days.
fn list(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let user = call.user();
    let task = match call.parameter("task") {
        Some(text) => Some(world.task_of(text, user, call.app())?.gid),
        None => None,
    };
    let project = match call.parameter("attributable_to") {
        Some(text) => Some(world.project_in("attributable_to", text, user)?.gid),
        None => None,
    };
    let by = match call.parameter("user") {
        Some(text) => Some(world.user_of(text, user)?.gid),
        None => None,
    };
    let workspace = match call.parameter("workspace") {
        Some(text) => Some(world.workspace_of(text, user)?.gid),
        None => None,
    };
    let from: Option<NaiveDate> = call.parsed("entered_on_start_date")?;
    let to: Option<NaiveDate> = call.parsed("entered_on_end_date")?;
    if workspace.is_some() && from.is_none() && to.is_none() {
        return Err(Refusal::bad(
            "workspace: entered_on_start_date or entered_on_end_date is needed as well",
        ));
    }
    if task.is_none() && project.is_none() && by.is_none() && workspace.is_none() {
        return Err(Refusal::bad("One of task, attributable_to, portfolio, user or workspace is needed"));
    }
    let is_wanted = |entry: &TimeEntry| {
        let of_task = world.tasks.get(&entry.task);
        task.is_none_or(|task| entry.task == task)
            && project.is_none_or(|project| entry.attributable_to == Some(project))
            && by.is_none_or(|by| entry.user == by)
            && from.is_none_or(|from| entry.entered_on >= from)
            && to.is_none_or(|to| entry.entered_on <= to)
            && of_task.is_some_and(|task| {
                workspace.is_none_or(|workspace| task.workspace == workspace) && world.sees(user, task)
            })
    };
    let entries = |world: &World, after, look| {
        let wanted = world.entries.range(next(after)..).filter(|(_, entry)| is_wanted(entry));
        Ok(wanted.map(|(gid, _)| *gid).take(look).collect())
    };
    call.list(&world, inner, entries, shown(inner.settings.listed_entries_name_task))
}

fn shown(names_task: bool) -> impl Fn(&World, Gid, &Shape) -> Value {
    move |world, gid, shape| {
        world.entries.get(&gid).map_or(Value::Null, |entry| world.show_entry(entry, names_task, shape))
    }
}

fn minutes(call: &Call) -> Result<Option<u32>, Refusal> {
    let read = |value: &Value| {
        let minutes = value.as_u64().and_then(|minutes| u32::try_from(minutes).ok());
        minutes.ok_or_else(|| Refusal::bad("duration_minutes: Not a whole number"))
    };
    call.data.get("duration_minutes").map(read).transpose()
}
