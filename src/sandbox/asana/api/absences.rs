//! Out of office.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value;

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::world::World;

pub(super) fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::CreateAbsence => {
            call.check_keys(&["user", "workspace", "start_date", "end_date"])?;
            let workspace = inner.world().workspace_of(call.required_text("workspace")?, user)?.gid;
            let whose = inner.world().user_of(call.required_text("user")?, user)?.gid;
            let missing = |key: &str| Refusal::bad(format!("{key}: Missing input"));
            let start = call.day("start_date")?.ok_or_else(|| missing("start_date"))?;
            let end = call.day("end_date")?.ok_or_else(|| missing("end_date"))?;
            let gid = inner.change(|world, _| world.take_leave((workspace, whose), (start, end), user))?;
            let world = inner.world();
            let entry = world.absence_of(&gid.to_string())?;
            Ok(Answer::created(world.show_absence(entry, &call.shape())))
        }
        Operation::UpdateAbsence => {
            call.check_keys(&["start_date", "end_date"])?;
            let was = inner.world().absence_of(first)?.clone();
            let start = call.day("start_date")?.unwrap_or(was.start_date);
            let end = call.day("end_date")?.unwrap_or(was.end_date);
            if end < start {
                return Err(Refusal::bad("end_date: Must not be before start_date"));
            }
            if let Some(entry) = inner.world_mut().absences.get_mut(&was.gid) {
                (entry.start_date, entry.end_date) = (start, end);
            }
            let world = inner.world();
            let entry = world.absence_of(first)?;
            Ok(call.one(|shape| world.show_absence(entry, shape)))
        }
        Operation::DeleteAbsence => {
            let gid = inner.world().absence_of(first)?.gid;
            inner.world_mut().absences.remove(&gid);
            Ok(Answer::nothing())
        }
        Operation::GetAbsence => {
            let world = inner.world();
            let entry = world.absence_of(first)?;
            Ok(call.one(|shape| world.show_absence(entry, shape)))
        }
        _ => list(inner, call),
    }
}

/// One person's, in one workspace; those that touch the days asked for.
fn list(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let whose = world.user_of(call.required("user")?, call.user())?.gid;
    let workspace = world.workspace_of(call.required("workspace")?, call.user())?.gid;
    let from: Option<NaiveDate> = call.parsed("start_date")?;
    let to: Option<NaiveDate> = call.parsed("end_date")?;
    let entries = |world: &World, after, look| {
        let wanted = world.absences.range(next(after)..).filter(|(_, entry)| {
            entry.user == whose
                && entry.workspace == workspace
                && from.is_none_or(|from| entry.end_date >= from)
                && to.is_none_or(|to| entry.start_date <= to)
        });
        Ok(wanted.map(|(gid, _)| *gid).take(look).collect())
    };
    call.list(&world, inner, entries, |world, gid, shape| {
        world.absences.get(&gid).map_or(Value::Null, |entry| world.show_absence(entry, shape))
    })
}
