//! Users and workspaces.

use std::fmt;

use super::Asana;
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;

/// A person with an account. Known by gid; names and addresses change.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub gid: String,
    pub name: Option<String>,
    /// May be missing, as for guests.
    pub email: Option<String>,
}

/// What a grant reaches: one or several, of which the tenant chooses one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub gid: String,
    pub name: Option<String>,
    pub is_organization: bool,
}

const USER: &[&str] = &["name", "email"];

impl Asana<'_> {
    /// Tells whether the token works, and whose it is.
    pub async fn me(&self) -> Result<User, CallError> {
        self.send(Request::get(&["users", "me"]).fields(USER)).await?.one(User::of)
    }

    /// Those that the user of the token is in.
    pub async fn workspaces(&self, offset: Option<&Offset>) -> Result<Page<Workspace>, CallError> {
        let request = Request::get(&["workspaces"]).fields(&["name", "is_organization"]).page(offset);
        self.send(request).await?.page(offset, Workspace::of)
    }

    /// By gid. The list below the workspace would end at 2000.
    pub async fn users(&self, workspace: &str, offset: Option<&Offset>) -> Result<Page<User>, CallError> {
        let request = Request::get(&["users"]).query("workspace", workspace).fields(USER).page(offset);
        self.send(request).await?.page(offset, User::of)
    }
}

impl User {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            name: fields.text("name"),
            email: fields.text("email"),
        })
    }
}

impl Workspace {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            name: fields.text("name"),
            is_organization: fields.flag("is_organization").unwrap_or_default(),
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("gid", &self.gid).finish_non_exhaustive()
    }
}
