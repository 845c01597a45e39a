//! Authorisations: what an app may do in a user's name, and the tokens that show it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::gid::Gid;
use super::world::World;

mod browser;
mod consent;
mod refused;
mod routes;
mod scope;

pub(crate) use routes::routes;

/// The app that tokens made by hand belong to.
pub(crate) const BY_HAND: &str = "sandbox";
/// Full permissions.
const DEFAULT: &str = "default";

/// An app as the developer console knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub secret: String,
    /// Compared as they stand.
    pub redirect_uris: Vec<String>,
    /// `None`: full permissions; otherwise the granular ones it may ask for. The two do not mix.
    pub scopes: Option<Vec<String>>,
}

impl Client {
    /// With full permissions and a secret of its own.
    pub fn invented(id: &str, redirect_uris: Vec<String>) -> Self {
        Self { id: id.to_owned(), secret: secret(), redirect_uris, scopes: None }
    }
}

/// What the consent page does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Shows two buttons.
    #[default]
    Ask,
    /// As if the first had been pressed at once.
    Approve,
    /// The second.
    Deny,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    pub(crate) clients: Vec<Client>,
    codes: HashMap<String, Code>,
    grants: HashMap<u64, Grant>,
    access: HashMap<String, Access>,
    /// Whose authorisation a refresh token is for.
    refresh: HashMap<String, u64>,
    last: u64,
}

/// One authorisation: limits and webhooks hang on it, whatever token is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) id: u64,
    pub(crate) app: String,
    pub(crate) user: Gid,
    /// `None`: everything.
    pub(crate) scopes: Option<Vec<String>>,
}

/// What a code was given for; it can be spent once, soon.
#[derive(Serialize, Deserialize)]
struct Code {
    client: String,
    user: Gid,
    redirect_uri: String,
    challenge: String,
    scopes: Option<Vec<String>>,
    until: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Access {
    grant: u64,
    /// `None`: never.
    until: Option<DateTime<Utc>>,
}

impl Grants {
    fn add(&mut self, app: &str, user: Gid, scopes: Option<Vec<String>>) -> u64 {
        self.last += 1;
        self.grants.insert(self.last, Grant { id: self.last, app: app.to_owned(), user, scopes });
        self.last
    }

    /// A new access token.
    fn access(&mut self, grant: u64, until: Option<DateTime<Utc>>) -> String {
        let token = format!("2/{grant}/{}", secret());
        self.access.insert(token.clone(), Access { grant, until });
        token
    }

    fn refresh(&mut self, grant: u64) -> String {
        let token = format!("3/{grant}/{}", secret());
        self.refresh.insert(token.clone(), grant);
        token
    }

    pub(crate) fn of_token(&self, token: &str, now: DateTime<Utc>) -> Option<&Grant> {
        let access = self.access.get(token).filter(|access| access.until.is_none_or(|until| now < until))?;
        self.grants.get(&access.grant)
    }

    /// The authorisation and every token of it are gone; how many there were.
    pub(crate) fn revoke(&mut self, user: Gid, app: &str) -> usize {
        let is_meant = |grant: &Grant| grant.user == user && grant.app == app;
        let count = self.grants.values().filter(|grant| is_meant(grant)).count();
        self.grants.retain(|_, grant| !is_meant(grant));
        self.drop_orphans();
        count
    }

    fn drop_orphans(&mut self) {
        let grants = &self.grants;
        self.access.retain(|_, access| grants.contains_key(&access.grant));
        self.refresh.retain(|_, grant| grants.contains_key(grant));
    }

    pub(crate) fn revoke_token(&mut self, token: &str) -> bool {
        self.access.remove(token).is_some()
    }

    /// Ends every access token that expires at all; refresh tokens stay.
    pub(crate) fn expire(&mut self) {
        self.access.retain(|_, access| access.until.is_none());
    }
}

impl Grant {
    /// Whether it may ask for this at all.
    pub(crate) fn covers(&self, operation: super::api::Operation) -> bool {
        match &self.scopes {
            None => true,
            Some(granted) => {
                scope::needed(operation).is_some_and(|needed| granted.iter().any(|one| one == needed))
            }
        }
    }
}

impl World {
    /// One that does not expire, with an authorisation of its own.
    pub(crate) fn add_token(&mut self, user: Gid) -> String {
        let grant = self.grants.add(BY_HAND, user, None);
        self.grants.access(grant, None)
    }
}

/// 32 hex digits nobody guesses.
pub(crate) fn secret() -> String {
    Uuid::from_bytes(rand::random()).simple().to_string()
}
