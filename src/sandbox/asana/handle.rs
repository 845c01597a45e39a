//! The handle tests and commands hold: what can be set up and looked at. What people do is in `person`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use chrono::TimeDelta;
use serde_json::Value;
use tokio::net::TcpListener;

use super::api::{self, Operation};
use super::courier::Delivery;
use super::faults::Rule;
use super::field::{CustomField, EnumOption, Format, Kind};
use super::gid::Gid;
use super::inner::Inner;
use super::oauth::{self, BY_HAND, Client, Consent};
use super::person::Person;
use super::project::Project;
use super::settings::{Clock, Limits, Settings};
use super::write::Writer;
use super::{Error, control};
use crate::sandbox::gate::{Gate, Point};
use crate::sandbox::wire::Wire;

/// How often a double whose clock runs looks for what is due.
const TICK: Duration = Duration::from_millis(250);

/// A running Asana. Clones are the same one; with the last of them it stops.
#[derive(Clone)]
pub struct Asana {
    pub(super) inner: Arc<Inner>,
    /// `None` in the handle that the control surface works with: it must not keep its own listener alive.
    wire: Option<Arc<Wire>>,
}

impl Asana {
    /// Serves on a free port of 127.0.0.1.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        Self::start_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, settings)
    }

    /// Serves on a loopback listener.
    pub fn start_on(listener: TcpListener, settings: Settings) -> Result<Self, Error> {
        if !listener.local_addr()?.ip().is_loopback() {
            return Err(Error::NotLoopback);
        }
        let inner = Arc::new(Inner::new(settings, listener.local_addr()?)?);
        let inside = Self { inner: inner.clone(), wire: None };
        let router =
            control::routes(inside).merge(api::routes(inner.clone())).merge(oauth::routes(inner.clone()));
        let ticking = Arc::downgrade(&inner);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(inner) = ticking.upgrade() else { return };
                inner.pass_time().await;
            }
        });
        Ok(Self { inner, wire: Some(Arc::new(Wire::start(listener, router)?)) })
    }

    /// Where it is, without a slash at the end: `http://127.0.0.1:7215`. The API is below `/api/1.0`.
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.address)
    }

    /// What stands for `https://app.asana.com/api/1.0`.
    pub fn api_url(&self) -> String {
        format!("{}/api/1.0", self.url())
    }

    /// An outage: connections are cut and refused. What was begun is finished behind closed doors.
    pub async fn stop(&self) {
        if let Some(wire) = &self.wire {
            wire.stop().await;
        }
    }

    /// The end of the outage, on the same port. Everything is as it was.
    pub async fn start_again(&self) -> Result<(), Error> {
        match &self.wire {
            Some(wire) => Ok(wire.start_again().await?),
            None => Ok(()),
        }
    }

    /// Keeps everything from now on in [`Settings::kept_in`], if it was not found there.
    pub fn keep(&self) -> Result<(), Error> {
        Ok(self.inner.keeper.begin(&*self.inner.world())?)
    }

    /// Waits until no request and no webhook is under way. Webhooks held back, or to be repeated, do not
    /// count.
    pub async fn quiet(&self) {
        self.inner.quiet().await;
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Moves the clock, and does what has become due: late webhooks, repeats, heartbeats, the end of webhooks
    /// nobody answers, tokens and offsets.
    pub async fn advance(&self, by: TimeDelta) {
        self.inner.clock.advance(by);
        self.inner.pass_time().await;
    }

    /// A user at the board.
    pub fn person(&self, user: Gid) -> Person {
        Person { inner: self.inner.clone(), user }
    }

    /// An organization, with nobody in it.
    pub fn add_workspace(&self, name: &str) -> Gid {
        self.inner.set_up(|world, _| world.add_workspace(name))
    }

    /// A member of the workspace; a guest if without an e-mail address. The first one is an admin.
    pub fn add_user(&self, workspace: Gid, name: &str, email: Option<&str>) -> Gid {
        self.inner.set_up(|world, now| world.add_user(workspace, name, email, now))
    }

    /// Makes a user a member of one more workspace.
    pub fn join(&self, workspace: Gid, user: Gid) {
        self.inner.set_up(|world, now| world.join(workspace, user, false, now));
    }

    pub fn leave(&self, workspace: Gid, user: Gid) {
        self.inner.set_up(|world, _| world.leave(workspace, user));
    }

    /// An access token that does not expire, with an authorisation (and so a budget) of its own.
    pub fn add_token(&self, user: Gid) -> String {
        self.inner.world_mut().add_token(user)
    }

    /// Whether there was such a token.
    pub fn revoke_token(&self, token: &str) -> bool {
        self.inner.world_mut().grants.revoke_token(token)
    }

    /// Registers an app.
    pub fn add_client(&self, client: Client) {
        let mut world = self.inner.world_mut();
        world.grants.clients.retain(|one| one.id != client.id);
        world.grants.clients.push(client);
    }

    /// An app that was registered before.
    pub fn client(&self, id: &str) -> Option<Client> {
        self.inner.world().grants.clients.iter().find(|client| client.id == id).cloned()
    }

    /// What the consent page does from now on.
    pub fn set_consent(&self, consent: Consent) {
        self.inner.set_consent(consent);
    }

    /// Whether a refresh from now on returns a new refresh token and ends the old one.
    pub fn rotate_refresh_tokens(&self, rotates: bool) {
        self.inner.rotate_refresh_tokens(rotates);
    }

    /// As a person with a browser at the consent page: where they are sent, with a code or a reason.
    pub fn decide(&self, authorize_url: &str, user: Gid, is_allowed: bool) -> Result<String, Error> {
        self.inner.decide(authorize_url, user, is_allowed)
    }

    /// As a person who takes an app's authorisation back; how many there were.
    pub fn take_back(&self, user: Gid, client_id: &str) -> usize {
        self.inner.world_mut().grants.revoke(user, client_id)
    }

    /// Ends all access tokens of OAuth now.
    pub fn expire_access_tokens(&self) {
        self.inner.world_mut().grants.expire();
    }

    /// Ends all sync tokens of event streams now.
    pub fn expire_sync_tokens(&self) {
        self.inner.world_mut().log.expire();
    }

    /// Shared by the whole workspace; its options are in the order of the names.
    pub fn add_enum_field(&self, workspace: Gid, name: &str, options: &[&str]) -> CustomField {
        self.add_field(workspace, name, true, Kind::Enum, options)
    }

    /// `precision`: digits after the point.
    pub fn add_number_field(&self, workspace: Gid, name: &str, precision: u32) -> CustomField {
        let format = Format::None;
        self.add_field(workspace, name, true, |_| Kind::Number { precision, format }, &[])
    }

    pub fn add_text_field(&self, workspace: Gid, name: &str) -> CustomField {
        self.add_field(workspace, name, true, |_| Kind::Text, &[])
    }

    /// Any kind; those that are not global are known to their projects only.
    pub fn add_field(
        &self,
        workspace: Gid,
        name: &str,
        is_global: bool,
        kind: impl FnOnce(Vec<EnumOption>) -> Kind,
        options: &[&str],
    ) -> CustomField {
        self.inner.set_up(|world, _| {
            let options = world.options_of(options);
            let gid = world.add_field(workspace, name, kind(options), is_global);
            world.fields[&gid].clone()
        })
    }

    /// Changes a field behind everybody's back.
    pub fn edit_field(&self, field: Gid, edit: impl FnOnce(&mut CustomField)) -> Result<(), Error> {
        let mut world = self.inner.world_mut();
        edit(world.fields.get_mut(&field).ok_or(Error::Unknown { noun: "custom field" })?);
        Ok(())
    }

    /// Whose tasks have these fields. Nobody is told.
    pub fn add_project(&self, workspace: Gid, name: &str, fields: &[Gid]) -> Gid {
        self.inner.set_up(|world, now| {
            let owner =
                world.workspaces.get(&workspace).and_then(|one| one.members.first()).map(|one| one.user);
            let gid = world.add_project(workspace, name, owner, now);
            for field in fields {
                let _ = world.attach_field(gid, *field, None, now);
            }
            gid
        })
    }

    /// Changes a project behind everybody's back.
    pub fn edit_quietly(&self, project: Gid, edit: impl FnOnce(&mut Project)) -> Result<(), Error> {
        let mut world = self.inner.world_mut();
        edit(world.projects.get_mut(&project).ok_or(Error::Unknown { noun: "project" })?);
        Ok(())
    }

    /// Takes the body of `POST /tasks`. Nobody is told.
    pub fn add_task(&self, project: Gid, data: Value) -> Result<Gid, Error> {
        let Value::Object(mut data) = data else { return Err(Error::Unknown { noun: "body" }) };
        data.insert("projects".into(), serde_json::json!([project]));
        Ok(self.inner.set_up(|world, now| {
            let owner = world.projects.get(&project).and_then(|home| home.owner).unwrap_or_default();
            let writer = Writer { user: owner, app: BY_HAND, now };
            world.create_task(&data, None, writer, &self.inner.settings)
        })?)
    }

    /// As Asana drops one it could not deliver to.
    pub fn drop_webhook(&self, gid: Gid) -> bool {
        self.inner.world_mut().webhooks.remove(&gid).is_some()
    }

    /// Sends everything that is held back or late, oldest first; the number of them.
    pub async fn release_webhooks(&self) -> usize {
        self.inner.release().await
    }

    /// The same bytes once more.
    pub async fn send_again(&self, delivery: u64) -> Result<Delivery, Error> {
        self.inner.send_again(delivery).await
    }

    /// Signs any bytes as this webhook's, and sends them.
    pub async fn send_raw(&self, webhook: Gid, body: impl Into<Bytes>) -> Result<Delivery, Error> {
        self.inner.send_raw(webhook, body.into()).await
    }

    /// An empty delivery, before it is due.
    pub async fn send_heartbeat(&self, webhook: Gid) {
        self.inner.beat(webhook).await;
    }

    pub fn limits(&self) -> Limits {
        self.inner.throttle.limits()
    }

    /// Every minute begins anew.
    pub fn set_limits(&self, limits: Limits) {
        self.inner.throttle.set(limits);
    }

    /// Adds a line to the script; its id is for [`Self::remove_fault`].
    pub fn add_fault(&self, rule: Rule) -> u64 {
        self.inner.script.add(rule)
    }

    /// What is left of the script.
    pub fn faults(&self) -> Vec<(u64, Rule)> {
        self.inner.script.rules()
    }

    pub fn remove_fault(&self, id: u64) -> bool {
        self.inner.script.remove(id)
    }

    pub fn clear_faults(&self) {
        self.inner.script.clear();
    }

    /// Stops the next request of this kind at this point.
    pub fn pause_next(&self, point: Point, operation: Operation) -> Gate {
        self.inner.gates.arm(point, operation)
    }
}
