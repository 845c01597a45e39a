//! Workspaces, users, teams.

use serde_json::Value;

use super::call::{Answered, Call};
use super::operation::Operation;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::shape::Shape;
use crate::sandbox::asana::world::World;

/// A workspace's own list of users has no pages and ends here.
const MOST_OF_WORKSPACE: usize = 2000;

pub(super) fn answer(inner: &Inner, call: &Call) -> Answered {
    let world = inner.world();
    let (first, user) = (call.argument(0), call.user());
    match call.operation {
        Operation::GetWorkspace => {
            let workspace = world.workspace_of(first, user)?;
            Ok(call.one(|shape| world.show_workspace(workspace, shape)))
        }
        Operation::ListWorkspaceUsers => of_workspace(&world, call),
        Operation::ListTeams => {
            let workspace = world.workspace_of(first, user)?.gid;
            let teams = |world: &World, after, look| {
                let of_it = world.teams.range(next(after)..).filter(|(_, team)| team.workspace == workspace);
                Ok(of_it.map(|(gid, _)| *gid).take(look).collect())
            };
            call.list(&world, inner, teams, |world, gid, shape| {
                world.teams.get(&gid).map_or(Value::Null, |team| world.show_team(team, shape))
            })
        }
        Operation::GetTeam => {
            let team = first.parse().ok().and_then(|gid| world.teams.get(&gid));
            let team = team.ok_or_else(|| Refusal::unknown("team", first))?;
            Ok(call.one(|shape| world.show_team(team, shape)))
        }
        Operation::ListWorkspaceMembers => {
            let workspace = world.workspace_of(first, user)?;
            let wanted = match call.parameter("user") {
                Some(text) => Some(world.user_of(text, user)?.gid),
                None => None,
            };
            let members = |_: &World, after, _| {
                let of_it = workspace.members.iter().filter(|one| one.gid > after);
                let wanted = of_it.filter(|one| wanted.is_none_or(|wanted| one.user == wanted));
                let mut gids: Vec<Gid> = wanted.map(|one| one.gid).collect();
                gids.sort_unstable();
                Ok(gids)
            };
            call.list(&world, inner, members, |world, gid, shape| {
                let member = workspace.members.iter().find(|one| one.gid == gid);
                member.map_or(Value::Null, |member| world.show_member(workspace.gid, member, shape))
            })
        }
        Operation::GetWorkspaceMember => {
            let mut all = world.workspaces.values().filter(|workspace| workspace.has(user));
            let found = all.find_map(|workspace| {
                let member = workspace.members.iter().find(|one| one.gid.to_string() == first)?;
                Some((workspace.gid, member))
            });
            let (workspace, member) = found.ok_or_else(|| Refusal::unknown("workspace_membership", first))?;
            Ok(call.one(|shape| world.show_member(workspace, member, shape)))
        }
        Operation::ListUsers => of_all(&world, inner, call),
        Operation::GetUser => {
            let found = world.user_of(first, user)?.gid;
            Ok(call.one(|shape| world.show_user(found, shape)))
        }
        Operation::GetWorkspaceUser => {
            let workspace = world.workspace_of(first, user)?;
            let found = world.user_of(call.argument(1), user)?.gid;
            if !workspace.has(found) {
                return Err(Refusal::unknown("user", call.argument(1)));
            }
            Ok(call.one(|shape| world.show_user(found, shape)))
        }
        _ => {
            let mine = |world: &World, after, look| {
                let of_mine = world.workspaces.range(next(after)..).filter(|(_, one)| one.has(user));
                Ok(of_mine.map(|(gid, _)| *gid).take(look).collect())
            };
            call.list(&world, inner, mine, |world, gid, shape| {
                world.workspaces.get(&gid).map_or(Value::Null, |one| world.show_workspace(one, shape))
            })
        }
    }
}

/// By name, unpaged, cut.
fn of_workspace(world: &World, call: &Call) -> Answered {
    let workspace = world.workspace_of(call.argument(0), call.user())?;
    let members = workspace.members.iter().filter(|member| member.is_active);
    let mut users: Vec<_> = members.filter_map(|member| world.users.get(&member.user)).collect();
    users.sort_by(|one, other| one.name.cmp(&other.name));
    users.truncate(MOST_OF_WORKSPACE);
    let shape: Shape = call.shape();
    Ok(super::call::Answer::ok(users.iter().map(|user| world.show_user(user.gid, &shape)).collect()))
}

/// By gid, paged.
fn of_all(world: &World, inner: &Inner, call: &Call) -> Answered {
    let workspace = match call.parameter("workspace") {
        Some(text) => Some(world.workspace_of(text, call.user())?.gid),
        None => None,
    };
    let users = |world: &World, after, look| {
        let shares = |user: Gid| {
            world.workspaces.values().any(|one| {
                workspace.is_none_or(|wanted| one.gid == wanted) && one.has(user) && one.has(call.user())
            })
        };
        let known = world.users.range(next(after)..).map(|(gid, _)| *gid);
        Ok(known.filter(|gid| shares(*gid)).take(look).collect())
    };
    call.list(world, inner, users, World::show_user)
}

/// The first gid after this one.
pub(super) fn next(gid: Gid) -> Gid {
    gid.after()
}
