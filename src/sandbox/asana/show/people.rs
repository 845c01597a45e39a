//! Workspaces, users, teams and memberships.

use serde_json::{Value, json};

use super::stamp;
use crate::sandbox::asana::event::Noun;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::people::{Member, Team, Workspace};
use crate::sandbox::asana::shape::{Shape, Shown};
use crate::sandbox::asana::world::World;

impl World {
    pub(crate) fn show_workspace(&self, workspace: &Workspace, shape: &Shape) -> Value {
        Shown::of(shape, workspace.gid, "workspace")
            .compact("name", || workspace.name.clone())
            .full("is_organization", || workspace.is_organization)
            .full("email_domains", || json!(["example.org"]))
            .done()
    }

    pub(crate) fn show_user(&self, gid: Gid, shape: &Shape) -> Value {
        let shown = Shown::of(shape, gid, "user");
        let Some(user) = self.users.get(&gid) else { return shown.done() };
        let shown = shown.compact("name", || user.name.clone());
        let shown = match &user.email {
            Some(email) => shown.full("email", || email.clone()),
            // Hidden: the key is not there.
            None => shown,
        };
        let workspaces = |shape: &Shape| {
            let of_user = self.workspaces.values().filter(|workspace| workspace.has(gid));
            of_user.map(|workspace| self.show_workspace(workspace, shape)).collect()
        };
        shown.full("photo", || Value::Null).full_record("workspaces", workspaces).done()
    }

    pub(crate) fn show_user_or_null(&self, gid: Option<Gid>, shape: &Shape) -> Value {
        gid.map_or(Value::Null, |gid| self.show_user(gid, shape))
    }

    pub(crate) fn show_team(&self, team: &Team, shape: &Shape) -> Value {
        Shown::of(shape, team.gid, "team")
            .compact("name", || team.name.clone())
            .full_record("organization", |shape| self.show_ref(team.workspace, Noun::Workspace, shape))
            .done()
    }

    pub(crate) fn show_member(&self, workspace: Gid, member: &Member, shape: &Shape) -> Value {
        Shown::of(shape, member.gid, "workspace_membership")
            .compact_record("user", |shape| self.show_user(member.user, shape))
            .compact_record("workspace", |shape| self.show_ref(workspace, Noun::Workspace, shape))
            .full("is_active", || member.is_active)
            .full("is_admin", || member.is_admin)
            .full("is_guest", || member.is_guest)
            .full("is_view_only", || false)
            .full("vacation_dates", || Value::Null)
            .full("created_at", || stamp(member.created_at))
            .done()
    }
}
