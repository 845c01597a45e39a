//! Workspaces, users and teams.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::gid::Gid;
use super::refusal::Refusal;
use super::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    pub gid: Gid,
    pub name: String,
    pub is_organization: bool,
    pub members: Vec<Member>,
}

/// A user's place in a workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub gid: Gid,
    pub user: Gid,
    pub is_admin: bool,
    pub is_guest: bool,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub gid: Gid,
    pub name: String,
    /// Guests' may be hidden.
    pub email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub gid: Gid,
    pub workspace: Gid,
    pub name: String,
}

impl Workspace {
    pub(crate) fn has(&self, user: Gid) -> bool {
        self.members.iter().any(|member| member.user == user && member.is_active)
    }
}

impl World {
    pub(crate) fn add_workspace(&mut self, name: &str) -> Gid {
        let gid = self.next();
        let name = name.to_owned();
        self.workspaces.insert(gid, Workspace { gid, name, is_organization: true, members: Vec::new() });
        gid
    }

    pub(crate) fn add_user(
        &mut self,
        workspace: Gid,
        name: &str,
        email: Option<&str>,
        now: DateTime<Utc>,
    ) -> Gid {
        let gid = self.next();
        let user = User { gid, name: name.to_owned(), email: email.map(str::to_owned) };
        self.users.insert(gid, user);
        self.join(workspace, gid, email.is_none(), now);
        gid
    }

    /// Makes a user a member; nothing happens where there is no such workspace.
    pub(crate) fn join(&mut self, workspace: Gid, user: Gid, is_guest: bool, now: DateTime<Utc>) {
        let gid = self.next();
        if let Some(workspace) = self.workspaces.get_mut(&workspace) {
            let is_admin = workspace.members.is_empty();
            workspace.members.retain(|member| member.user != user);
            workspace.members.push(Member {
                gid,
                user,
                is_admin,
                is_guest,
                is_active: true,
                created_at: now,
            });
        }
    }

    pub(crate) fn leave(&mut self, workspace: Gid, user: Gid) {
        if let Some(workspace) = self.workspaces.get_mut(&workspace) {
            workspace.members.retain(|member| member.user != user);
        }
    }

    /// Of an id in the path; that of a stranger's workspace is refused.
    pub(crate) fn workspace_of(&self, text: &str, caller: Gid) -> Result<&Workspace, Refusal> {
        let unknown = || Refusal::unknown("workspace", text);
        let workspace = text.parse().ok().and_then(|gid| self.workspaces.get(&gid)).ok_or_else(unknown)?;
        if workspace.has(caller) { Ok(workspace) } else { Err(Refusal::forbidden()) }
    }

    /// By gid, `me` or e-mail.
    pub(crate) fn user_of(&self, text: &str, caller: Gid) -> Result<&User, Refusal> {
        let unknown = || Refusal::unknown("user", text);
        let has_email =
            |user: &&User| user.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(text));
        let found = match text {
            "me" => self.users.get(&caller),
            email if email.contains('@') => self.users.values().find(has_email),
            gid => gid.parse().ok().and_then(|gid| self.users.get(&gid)),
        };
        let shares = |user: Gid| self.workspaces.values().any(|one| one.has(user) && one.has(caller));
        found.filter(|user| user.gid == caller || shares(user.gid)).ok_or_else(unknown)
    }
}
