//! Projects and sections.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::person::ProjectEdit;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::task::Subtype;
use crate::sandbox::asana::world::World;

pub(super) fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::GetProject => {
            let world = inner.world();
            let project = world.project_of(first, user)?;
            Ok(call.one(|shape| world.show_project(project, shape)))
        }
        Operation::CreateProject => create(inner, call, call.required_text("workspace")?),
        Operation::CreateWorkspaceProject => create(inner, call, first),
        Operation::UpdateProject => {
            let edit = edit(call)?;
            let gid = inner.world().project_of(first, user)?.gid;
            inner.change(|world, now| world.edit_project(gid, edit, Some(user), now))?;
            let world = inner.world();
            Ok(call.one(|shape| world.show_project_gid(gid, shape)))
        }
        Operation::ListSections => {
            let world = inner.world();
            let project = world.project_of(first, user)?;
            let sections = |_: &World, after, look| {
                Ok(project.sections.iter().copied().filter(|gid| *gid > after).take(look).collect())
            };
            call.list(&world, inner, sections, |world, gid, shape| {
                world.sections.get(&gid).map_or(Value::Null, |one| world.show_section(one, shape))
            })
        }
        Operation::CreateSection => {
            let gid = inner.world().project_of(first, user)?.gid;
            let name = call.required_text("name")?;
            let section = inner.change(|world, now| Ok(world.add_section(gid, name, now)))?;
            let world = inner.world();
            let section = world.sections.get(&section).ok_or_else(Refusal::no_route)?;
            Ok(Answer::created(world.show_section(section, &call.shape())))
        }
        Operation::GetSection => {
            let world = inner.world();
            let section = world.section_of(first, user)?;
            Ok(call.one(|shape| world.show_section(section, shape)))
        }
        Operation::CountTasks => count(&inner.world(), call),
        _ => list(inner, call),
    }
}

/// Of a workspace, a team, or all the caller sees; archived ones too unless they are not wanted.
fn list(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let user = call.user();
    let workspace = match (call.operation, call.parameter("workspace")) {
        (Operation::ListWorkspaceProjects, _) => Some(world.workspace_of(call.argument(0), user)?.gid),
        (Operation::ListProjects, Some(text)) => Some(world.workspace_of(text, user)?.gid),
        _ => None,
    };
    let team: Option<Gid> = match call.operation {
        Operation::ListTeamProjects => Some(call.argument(0).parse().map_err(|_| Refusal::no_route())?),
        _ => call.parsed("team")?,
    };
    let archived: Option<bool> = call.parsed("archived")?;
    let projects = |world: &World, after, look| {
        let wanted = world.projects.range(next(after)..).filter(|(_, one)| {
            !one.is_trashed
                && workspace.is_none_or(|wanted| one.workspace == wanted)
                && team.is_none_or(|wanted| one.team == Some(wanted))
                && archived.is_none_or(|wanted| one.archived == wanted)
                && one.is_seen_by(user)
                && world.workspaces.get(&one.workspace).is_some_and(|home| home.has(user))
        });
        Ok(wanted.map(|(gid, _)| *gid).take(look).collect())
    };
    call.list(&world, inner, projects, World::show_project_gid)
}

const WRITABLE: [&str; 8] =
    ["name", "notes", "archived", "start_on", "due_on", "privacy_setting", "workspace", "team"];

fn edit(call: &Call) -> Result<ProjectEdit, Refusal> {
    call.check_keys(&WRITABLE)?;
    serde_json::from_value(Value::Object(call.data.clone())).map_err(|error| Refusal::bad(error.to_string()))
}

fn create(inner: &Arc<Inner>, call: &Call, workspace: &str) -> Answered {
    let edit = edit(call)?;
    let workspace = inner.world().workspace_of(workspace, call.user())?.gid;
    let gid = inner.change(|world, now| world.create_project(workspace, edit, Some(call.user()), now))?;
    Ok(Answer::created(inner.world().show_project_gid(gid, &call.shape())))
}

/// Only what is asked for is counted.
fn count(world: &World, call: &Call) -> Answered {
    let project = world.project_of(call.argument(0), call.user())?;
    let tasks = || project.tasks.iter().filter_map(|gid| world.tasks.get(gid));
    let milestones = || tasks().filter(|task| task.subtype == Subtype::Milestone);
    let open = || tasks().filter(|task| task.completed_at.is_none());
    let counts = json!({
        "num_tasks": tasks().count(),
        "num_incomplete_tasks": open().count(),
        "num_completed_tasks": tasks().count() - open().count(),
        "num_milestones": milestones().count(),
        "num_incomplete_milestones": milestones().filter(|task| task.completed_at.is_none()).count(),
        "num_completed_milestones": milestones().filter(|task| task.completed_at.is_some()).count(),
    });
    let named = call.parameter("opt_fields").unwrap_or_default();
    let mut told = json!({});
    for name in named.split(',').filter(|name| !counts[name].is_null()) {
        told[name] = counts[name].clone();
    }
    Ok(Answer::ok(told))
}
