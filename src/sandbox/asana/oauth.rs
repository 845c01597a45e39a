//! Authorisations: what an app may do in a user's name, and the tokens that show it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::gid::Gid;
use super::world::World;

/// The app that tokens made by hand belong to.
pub(crate) const BY_HAND: &str = "sandbox";

#[derive(Default)]
pub(crate) struct Grants {
    grants: HashMap<u64, Grant>,
    access: HashMap<String, Access>,
    last: u64,
}

/// One authorisation: limits and webhooks hang on it, whatever token is shown.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: u64,
    pub(crate) app: String,
    pub(crate) user: Gid,
}

struct Access {
    grant: u64,
    /// `None`: never.
    until: Option<DateTime<Utc>>,
}

impl Grants {
    pub(crate) fn add(&mut self, app: &str, user: Gid) -> u64 {
        self.last += 1;
        self.grants.insert(self.last, Grant { id: self.last, app: app.to_owned(), user });
        self.last
    }

    /// A new access token.
    pub(crate) fn access(&mut self, grant: u64, until: Option<DateTime<Utc>>) -> String {
        let token = format!("2/{grant}/{}", secret());
        self.access.insert(token.clone(), Access { grant, until });
        token
    }

    pub(crate) fn of_token(&self, token: &str, now: DateTime<Utc>) -> Option<&Grant> {
        let access = self.access.get(token).filter(|access| access.until.is_none_or(|until| now < until))?;
        self.grants.get(&access.grant)
    }

    pub(crate) fn revoke_token(&mut self, token: &str) -> bool {
        self.access.remove(token).is_some()
    }

    /// Ends every access token that expires at all; refresh tokens stay.
    pub(crate) fn expire(&mut self) {
        self.access.retain(|_, access| access.until.is_none());
    }
}

impl World {
    /// One that does not expire, with an authorisation of its own.
    pub(crate) fn add_token(&mut self, user: Gid) -> String {
        let grant = self.grants.add(BY_HAND, user);
        self.grants.access(grant, None)
    }
}

/// 32 hex digits nobody guesses.
pub(crate) fn secret() -> String {
    Uuid::from_bytes(rand::random()).simple().to_string()
}
