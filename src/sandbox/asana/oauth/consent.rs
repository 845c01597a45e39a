//! The authorisation request, from the link to the way back.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::refused::{SentBack, Shown};
use super::{Client, Code, DEFAULT, secret};
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::world::World;

/// How long a code can be spent.
const CODE_LIVES: TimeDelta = TimeDelta::minutes(5);

/// A request that can be put to a person.
pub(super) struct Request {
    pub(super) client: Client,
    redirect: Url,
    redirect_uri: String,
    state: String,
    challenge: String,
    scopes: Option<Vec<String>>,
}

pub(super) enum Refused {
    Shown(Shown),
    SentBack(Box<SentBack>),
}

impl Request {
    /// A stranger and an unknown address are never sent back to; everybody else is, with a reason.
    pub(super) fn of(world: &World, query: &HashMap<String, String>) -> Result<Self, Refused> {
        let given = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let client = world.grants.clients.iter().find(|client| client.id == given("client_id"));
        let client =
            client.ok_or(Refused::Shown(Shown("invalid_request: The client_id provided is not valid.")))?;
        let redirect_uri = given("redirect_uri").to_owned();
        let is_known = client.redirect_uris.contains(&redirect_uri);
        let redirect = Url::parse(&redirect_uri).ok().filter(|_| is_known);
        let unknown = Shown(
            "invalid_request: The `redirect_uri` parameter does not match a valid url for the application.",
        );
        let redirect = redirect.ok_or(Refused::Shown(unknown))?;
        let state = query.get("state").cloned();
        let back = |error, description| {
            let (to, state) = (redirect.clone(), state.clone());
            Err(Refused::SentBack(Box::new(SentBack { to, error, description, state })))
        };
        if given("response_type") != "code" {
            return back("unsupported_response_type", "response_type must be code");
        }
        if given("state").is_empty() {
            return back("invalid_request", "state is missing");
        }
        if given("code_challenge").is_empty() || given("code_challenge_method") != "S256" {
            return back("invalid_request", "a code_challenge with code_challenge_method S256 is needed");
        }
        let asked: Vec<String> = given("scope").split_whitespace().map(str::to_owned).collect();
        let is_default = asked.is_empty() || asked == [DEFAULT];
        let scopes = match &client.scopes {
            None if is_default => None,
            None => return back("forbidden_scopes", "the app has full permissions"),
            Some(_) if is_default => return back("forbidden_scopes", "default identity is not allowed"),
            Some(known) if asked.iter().all(|one| known.contains(one)) => Some(asked),
            Some(_) => return back("invalid_scope", "a scope is not known, or not the app's"),
        };
        Ok(Self {
            client: client.clone(),
            redirect,
            redirect_uri,
            state: given("state").to_owned(),
            challenge: given("code_challenge").to_owned(),
            scopes,
        })
    }

    /// The way back with a code.
    pub(super) fn allowed(self, world: &mut World, user: Gid, now: DateTime<Utc>) -> Url {
        let text = secret();
        let code = Code {
            client: self.client.id,
            user,
            redirect_uri: self.redirect_uri,
            challenge: self.challenge,
            scopes: self.scopes,
            until: now + CODE_LIVES,
        };
        world.grants.codes.insert(text.clone(), code);
        let mut to = self.redirect;
        to.query_pairs_mut().append_pair("code", &text).append_pair("state", &self.state);
        to
    }

    /// The way back without one.
    pub(super) fn denied(self) -> Url {
        let (error, description) = ("access_denied", "The user denied access to your application");
        SentBack { to: self.redirect, error, description, state: Some(self.state) }.url()
    }
}
