//! The handle tests and commands hold: what can be set up and looked at. What people do is in `actions`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use tokio::net::TcpListener;

use super::api::{self, Operation};
use super::booking::Booking;
use super::courier::Delivery;
use super::event_type::{EventType, EventTypeOptions};
use super::faults::Rule;
use super::inner::Inner;
use super::people::{Hours, User};
use super::record::Recorded;
use super::reservation::Reservation;
use super::settings::{Clock, Generation, Limits, Settings};
use super::webhook::Webhook;
use super::{Error, control};
use crate::sandbox::gate::{Gate, Point};
use crate::sandbox::wire::Wire;

/// A running Cal.com. Clones are the same one; with the last of them it stops.
#[derive(Clone)]
pub struct Calcom {
    pub(super) inner: Arc<Inner>,
    /// `None` in the handle that the control surface works with: it must not keep its own listener alive.
    wire: Option<Arc<Wire>>,
}

impl Calcom {
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
        let router = control::routes(inside).merge(api::routes(inner.clone()));
        Ok(Self { inner, wire: Some(Arc::new(Wire::start(listener, router)?)) })
    }

    /// Where it is, without a slash at the end: `http://127.0.0.1:7214`. The API is below `/v2`.
    pub fn url(&self) -> String {
        format!("http://{}", self.inner.address)
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

    /// Waits until no request and no webhook is under way. Webhooks held back do not count.
    pub async fn quiet(&self) {
        self.inner.quiet().await;
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// A host who works at any time.
    pub fn add_user(&self, name: &str, email: &str, time_zone: Tz) -> User {
        self.inner.world().add_user(name, email, time_zone, Hours::always())
    }

    pub fn set_hours(&self, user_id: i64, hours: Vec<Hours>) -> Result<(), Error> {
        self.inner.world().user_mut(user_id)?.hours = hours;
        Ok(())
    }

    /// One more API key of the user.
    pub fn add_key(&self, user_id: i64) -> Result<String, Error> {
        self.inner.world().add_key(user_id)
    }

    /// Whether there was such a key.
    pub fn revoke_key(&self, key: &str) -> bool {
        self.inner.world().revoke_key(key)
    }

    /// The id of the new event type.
    pub fn add_event_type(
        &self,
        user_id: i64,
        slug: &str,
        title: &str,
        length_minutes: u32,
        options: EventTypeOptions,
    ) -> Result<i64, Error> {
        self.inner.world().add_event_type(user_id, (slug, title), length_minutes, options)
    }

    /// Changes an event type behind everybody's back.
    pub fn edit_event_type(&self, id: i64, edit: impl FnOnce(&mut EventType)) -> Result<(), Error> {
        let mut world = self.inner.world();
        let found = world.event_types.iter_mut().find(|one| one.id == id);
        edit(found.ok_or(Error::Unknown { noun: "event type" })?);
        Ok(())
    }

    /// Its bookings stay.
    pub fn delete_event_type(&self, id: i64) {
        self.inner.world().event_types.retain(|one| one.id != id);
    }

    /// An appointment in the host's own calendar: no booking, but no time either.
    pub fn block(&self, user_id: i64, start: DateTime<Utc>, end: DateTime<Utc>) {
        self.inner.world().elsewhere.push((user_id, start, end));
    }

    /// Takes the host's own appointments away.
    pub fn unblock(&self, user_id: i64) {
        self.inner.world().elsewhere.retain(|(one, ..)| *one != user_id);
    }

    /// Refuses an attendee: 403, envelope B.
    pub fn block_attendee(&self, email: &str) {
        self.inner.world().blocked.insert(email.to_owned());
    }

    /// Puts an attendee on the spam watch list: bookings seem to be made and are not; 500, envelope B.
    pub fn watch_attendee(&self, email: &str) {
        self.inner.world().watched.insert(email.to_owned());
    }

    pub fn users(&self) -> Vec<User> {
        self.inner.world().users.clone()
    }

    pub fn event_types(&self) -> Vec<EventType> {
        self.inner.world().event_types.clone()
    }

    /// All of them, in the order in which they were made.
    pub fn bookings(&self) -> Vec<Booking> {
        self.inner.world().bookings().to_vec()
    }

    pub fn booking(&self, uid: &str) -> Option<Booking> {
        self.inner.world().booking(uid).cloned()
    }

    pub fn reservations(&self) -> Vec<Reservation> {
        let now = self.inner.clock.now();
        self.inner.world().reservations.iter().filter(|one| one.until > now).cloned().collect()
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        self.inner.world().webhooks.clone()
    }

    /// Requests to `/v2`, oldest first; the last [`Settings::kept_requests`].
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.requests.all()
    }

    pub fn forget_requests(&self) {
        self.inner.requests.clear();
    }

    /// Webhooks sent or not, oldest first; the last [`Settings::kept_deliveries`].
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.courier.deliveries.all()
    }

    pub fn forget_deliveries(&self) {
        self.inner.courier.deliveries.clear();
    }

    pub fn generation(&self) -> Generation {
        self.inner.generation()
    }

    pub fn set_generation(&self, generation: Generation) {
        self.inner.set_generation(generation);
    }

    pub fn limits(&self) -> Limits {
        self.inner.throttle.limits()
    }

    /// Everybody's count begins anew.
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
