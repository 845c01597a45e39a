//! Tasks: lists, records, writes, and where they are.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::call::{Answer, Answered, Call};
use super::operation::Operation;
use super::people::next;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::settings::Plan;
use crate::sandbox::asana::shape::Shape;
use crate::sandbox::asana::task::Task;
use crate::sandbox::asana::world::World;

pub(super) fn answer(inner: &Arc<Inner>, call: &Call) -> Answered {
    let first = call.argument(0);
    let known = |text: &str| Ok(inner.world().task_of(text, call.user(), call.app())?.gid);
    match call.operation {
        Operation::GetTask => {
            let world = inner.world();
            let task = world.task_of(first, call.user(), call.app())?;
            Ok(call.one(|shape| world.show_task(task, call.app(), shape)))
        }
        Operation::UpdateTask => {
            let gid = known(first)?;
            inner.change(|world, _| world.write_task(gid, &call.data, call.writer(), &inner.settings))?;
            let world = inner.world();
            let task = world.tasks.get(&gid).ok_or_else(|| Refusal::unknown("task", first))?;
            Ok(call.one(|shape| world.show_task(task, call.app(), shape)))
        }
        Operation::CreateTask => create(inner, call, None),
        Operation::CreateSubtask => create(inner, call, Some(known(first)?)),
        Operation::DeleteTask => {
            let gid: Gid = known(first)?;
            inner.change(|world, now| {
                world.trash(gid, Some(call.user()), now);
                Ok(())
            })?;
            Ok(Answer::nothing())
        }
        Operation::AddTaskToProject => {
            call.check_keys(&["project", "section", "insert_after", "insert_before"])?;
            let (gid, text) = (known(first)?, call.required_text("project")?);
            let project = inner.world().project_in("project", text, call.user())?.gid;
            let section = match call.text("section")? {
                Some(text) => Some(inner.world().section_of(text, call.user())?.gid),
                None => None,
            };
            let by = Some(call.user());
            inner.change(|world, now| world.add_to_project((gid, project), section, by, now))?;
            Ok(Answer::nothing())
        }
        Operation::RemoveTaskFromProject => {
            call.check_keys(&["project"])?;
            let (gid, text) = (known(first)?, call.required_text("project")?);
            let project = inner.world().project_in("project", text, call.user())?.gid;
            inner.change(|world, now| world.remove_from_project(gid, project, Some(call.user()), now))?;
            Ok(Answer::nothing())
        }
        Operation::AddTaskToSection => {
            call.check_keys(&["task", "insert_after", "insert_before"])?;
            let gid = known(call.required_text("task")?)?;
            let (section, project) = {
                let world = inner.world();
                let section = world.section_of(first, call.user())?;
                (section.gid, section.project)
            };
            let by = Some(call.user());
            inner.change(|world, now| world.add_to_project((gid, project), Some(section), by, now))?;
            Ok(Answer::nothing())
        }
        Operation::ListTaskProjects => {
            let world = inner.world();
            let task = world.task_of(first, call.user(), call.app())?;
            let projects = |_: &World, after, look| {
                Ok(sorted(task.memberships.iter().map(|one| one.project), after, look))
            };
            call.list(&world, inner, projects, World::show_project_gid)
        }
        _ => list(inner, call),
    }
}

fn create(inner: &Arc<Inner>, call: &Call, parent: Option<Gid>) -> Answered {
    let gid =
        inner.change(|world, _| world.create_task(&call.data, parent, call.writer(), &inner.settings))?;
    let world = inner.world();
    let task = world.tasks.get(&gid).ok_or_else(Refusal::no_route)?;
    Ok(Answer::created(world.show_task(task, call.app(), &call.shape())))
}

/// What a list is a list of.
enum Source<'w> {
    Project(&'w std::collections::BTreeSet<Gid>),
    Section(Gid, &'w std::collections::BTreeSet<Gid>),
    Subtasks(&'w std::collections::BTreeSet<Gid>),
    Assignee(Gid, Gid),
    Workspace(Gid),
}

fn list(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let source = source(&world, inner, call)?;
    let modified_since = since(call, "modified_since")?;
    let completed_since = match call.parameter("completed_since") {
        Some("now") => Some(call.now),
        _ => since(call, "completed_since")?,
    };
    let is_wanted = |task: &Task| {
        !task.is_trashed
            && modified_since.is_none_or(|since| task.modified_at.max(task.moved_at) >= since)
            && completed_since.is_none_or(|since| task.completed_at.is_none_or(|at| at >= since))
            && world.sees(call.user(), task)
    };
    let tasks = |world: &World, after: Gid, look| {
        let wanted = |gid: &Gid| world.tasks.get(gid).is_some_and(is_wanted);
        Ok(match &source {
            Source::Project(tasks) | Source::Subtasks(tasks) => {
                tasks.range(next(after)..).copied().filter(wanted).take(look).collect()
            }
            Source::Section(section, tasks) => {
                let is_there = |gid: &Gid| {
                    world
                        .tasks
                        .get(gid)
                        .is_some_and(|task| task.memberships.iter().any(|one| one.section == *section))
                };
                tasks.range(next(after)..).copied().filter(is_there).filter(wanted).take(look).collect()
            }
            Source::Assignee(user, workspace) => {
                let theirs = world.tasks.values().filter(|task| {
                    task.assignee == Some(*user) && task.workspace == *workspace && is_wanted(task)
                });
                sorted(theirs.map(|task| task.gid), after, look)
            }
            Source::Workspace(workspace) => {
                let there =
                    world.tasks.values().filter(|task| task.workspace == *workspace && is_wanted(task));
                sorted(there.map(|task| task.gid), after, look)
            }
        })
    };
    call.list(&world, inner, tasks, |world, gid, shape: &Shape| {
        world.tasks.get(&gid).map_or(Value::Null, |task| world.show_task(task, call.app(), shape))
    })
}

fn source<'w>(world: &'w World, inner: &Inner, call: &Call) -> Result<Source<'w>, Refusal> {
    let (first, user) = (call.argument(0), call.user());
    let of_section = |text: &str| {
        let section = world.section_of(text, user)?;
        let project = world.project_of(&section.project.to_string(), user)?;
        Ok(Source::Section(section.gid, &project.tasks))
    };
    match call.operation {
        Operation::ListProjectTasks => Ok(Source::Project(&world.project_of(first, user)?.tasks)),
        Operation::ListSectionTasks => of_section(first),
        Operation::ListSubtasks => Ok(Source::Subtasks(&world.task_of(first, user, call.app())?.subtasks)),
        Operation::SearchTasks if inner.settings.plan == Plan::Free => Err(Refusal::payment()),
        Operation::SearchTasks => Ok(Source::Workspace(world.workspace_of(first, user)?.gid)),
        _ => {
            let selectors = ["project", "section", "tag", "user_task_list", "assignee"];
            let given = selectors.iter().filter(|name| call.parameter(name).is_some()).count();
            let has_workspace = call.parameter("workspace").is_some();
            if given != 1 || has_workspace != call.parameter("assignee").is_some() {
                return Err(Refusal::bad(
                    "Must specify exactly one of project, tag, section, user task list, \
                     or assignee + workspace",
                ));
            }
            if let Some(text) = call.parameter("project") {
                return Ok(Source::Project(&world.project_in("project", text, user)?.tasks));
            }
            if let Some(text) = call.parameter("section") {
                return of_section(text);
            }
            let workspace = world.workspace_of(call.required("workspace")?, user)?.gid;
            let assignee = world.user_of(call.required("assignee")?, user)?.gid;
            Ok(Source::Assignee(assignee, workspace))
        }
    }
}

fn since(call: &Call, name: &str) -> Result<Option<DateTime<Utc>>, Refusal> {
    let parse = |text: &str| {
        let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
        time.map_err(|_| Refusal::bad(format!("{name}: Not a recognized date-time: {text}")))
    };
    call.parameter(name).map(parse).transpose()
}

fn sorted(gids: impl Iterator<Item = Gid>, after: Gid, look: usize) -> Vec<Gid> {
    let mut gids: Vec<Gid> = gids.filter(|gid| *gid > after).collect();
    gids.sort_unstable();
    gids.truncate(look);
    gids
}
