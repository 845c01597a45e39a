//! What people do: attendees at the booking page, hosts in the app. No version header, no throttle, no faults
//! but those of webhooks. Each returns when inline webhooks have been delivered.

use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};

use super::Error;
use super::booking::{Booking, NewBooking, Source};
use super::courier::Delivery;
use super::engine::{Actor, Cancelling, Change, Detail, Event, Moving, Shown};
use super::handle::Calcom;
use super::inner::{Inner, Passage};
use super::refusal::Refusal;
use super::webhook::{Scope, Trigger, Webhook, WebhookInput};

impl Calcom {
    /// The first booking, where the event type recurs.
    pub async fn book_as_attendee(&self, wish: NewBooking) -> Result<Booking, Error> {
        one(self.inner.create(wish, Source::Webapp, Passage::default()).await)
    }

    /// The booking that takes the old one's place.
    pub async fn reschedule_as_attendee(&self, uid: &str, start: DateTime<Utc>) -> Result<Booking, Error> {
        let by = self.inner.booker_of(uid)?;
        self.inner.move_by_hand(uid, start, by, Actor::Attendee, false).await
    }

    /// Stays confirmed where the event type needs confirmation.
    pub async fn reschedule_as_host(&self, uid: &str, start: DateTime<Utc>) -> Result<Booking, Error> {
        let by = self.inner.host_of(uid)?;
        self.inner.move_by_hand(uid, start, by, Actor::Host, false).await
    }

    /// As synchronisation with the host's calendar does it: whatever else is there at that time.
    pub async fn reschedule_unchecked(&self, uid: &str, start: DateTime<Utc>) -> Result<Booking, Error> {
        let by = self.inner.host_of(uid)?;
        self.inner.move_by_hand(uid, start, by, Actor::Host, true).await
    }

    pub async fn cancel_as_attendee(&self, uid: &str, reason: Option<&str>) -> Result<Booking, Error> {
        let wanted = cancelling(uid, reason, Actor::Attendee);
        one(self.inner.cancel(wanted, Passage::default()).await)
    }

    /// Also of a whole series, by its uid.
    pub async fn cancel_as_host(&self, uid: &str, reason: Option<&str>) -> Result<Booking, Error> {
        let wanted = cancelling(uid, reason, Actor::Host);
        one(self.inner.cancel(wanted, Passage::default()).await)
    }

    /// One attendee gives a seat back; the booking stands while others keep theirs.
    pub async fn cancel_seat(&self, uid: &str, seat_uid: &str) -> Result<Booking, Error> {
        let wanted =
            Cancelling { seat_uid: Some(seat_uid.to_owned()), ..cancelling(uid, None, Actor::Attendee) };
        one(self.inner.cancel(wanted, Passage::default()).await)
    }

    /// The host asks for another time: cancelled, with no successor as long as the attendee chooses none.
    pub async fn request_reschedule(&self, uid: &str, reason: &str) -> Result<Booking, Error> {
        let wanted = Cancelling { request_reschedule: true, ..cancelling(uid, Some(reason), Actor::Host) };
        one(self.inner.cancel(wanted, Passage::default()).await)
    }

    /// The attendee chooses another time after [`Self::request_reschedule`].
    pub async fn answer_reschedule_request(&self, uid: &str, start: DateTime<Utc>) -> Result<Booking, Error> {
        let by = self.inner.booker_of(uid)?;
        let moving = moving(uid, start, by, Actor::Attendee, false);
        let change = {
            let now = self.inner.clock.now();
            self.inner.world().take_up(&moving, now)?
        };
        self.inner.finish(change).await
    }

    pub async fn confirm(&self, uid: &str) -> Result<Booking, Error> {
        let change = self.inner.world().confirm(uid, self.inner.clock.now())?;
        self.inner.finish(change).await
    }

    pub async fn reject(&self, uid: &str, reason: Option<&str>) -> Result<Booking, Error> {
        let change = {
            let now = self.inner.clock.now();
            self.inner.world().reject(uid, reason.map(str::to_owned), now)?
        };
        self.inner.finish(change).await
    }

    /// Pays what a booking with a price waits for.
    pub async fn pay(&self, uid: &str) -> Result<Booking, Error> {
        let change = self.inner.world().pay(uid, self.inner.clock.now())?;
        self.inner.finish(change).await
    }

    /// Marks an attendee absent, or takes it back.
    pub async fn mark_no_show(&self, uid: &str, email: &str, absent: bool) -> Result<Booking, Error> {
        let change = {
            let now = self.inner.clock.now();
            self.inner.world().mark_absent(uid, None, &[(email.to_owned(), absent)], now)?
        };
        self.inner.finish(change).await
    }

    pub async fn mark_host_absent(&self, uid: &str) -> Result<Booking, Error> {
        let change = {
            let now = self.inner.clock.now();
            self.inner.world().mark_absent(uid, Some(true), &[], now)?
        };
        self.inner.finish(change).await
    }

    /// Another location, which nobody is told of.
    pub fn change_location(&self, uid: &str, location: &str) -> Result<Booking, Error> {
        let mut world = self.inner.world();
        let booking = Booking { location: location.to_owned(), ..world.known(uid)?.clone() };
        world.begin();
        Ok(world.put(booking, self.inner.clock.now()))
    }

    /// What the schedule sends when a booking begins.
    pub async fn start_meeting(&self, uid: &str) -> Result<Booking, Error> {
        self.inner.meet(uid, Trigger::MeetingStarted).await
    }

    /// What the schedule sends when a booking ends.
    pub async fn end_meeting(&self, uid: &str) -> Result<Booking, Error> {
        self.inner.meet(uid, Trigger::MeetingEnded).await
    }

    /// A subscription made in the settings rather than by the API.
    pub fn subscribe(
        &self,
        scope: Scope,
        subscriber_url: &str,
        secret: Option<&str>,
        triggers: &[Trigger],
    ) -> Result<Webhook, Error> {
        let input = WebhookInput {
            subscriber_url: Some(subscriber_url.to_owned()),
            secret: secret.map(str::to_owned),
            triggers: Some(triggers.to_vec()),
            ..WebhookInput::default()
        };
        Ok(self.inner.world().subscribe(scope, input)?)
    }

    /// Gives a subscription a template of its own, as its owner may.
    pub fn set_payload_template(&self, webhook_id: &str, template: &str) -> Result<Webhook, Error> {
        let input = WebhookInput { payload_template: Some(template.to_owned()), ..WebhookInput::default() };
        Ok(self.inner.world().change_webhook(webhook_id, input)?)
    }

    /// Takes a subscription away, as its owner may.
    pub fn unsubscribe(&self, webhook_id: &str) -> Result<Webhook, Error> {
        Ok(self.inner.world().unsubscribe(webhook_id)?)
    }

    /// The test button of a subscription.
    pub async fn ping(&self, webhook_id: &str) -> Result<Delivery, Error> {
        self.inner.ping(webhook_id).await
    }

    /// Signs and sends any bytes to one subscription, past all faults.
    pub async fn send_raw(
        &self,
        webhook_id: &str,
        trigger: Trigger,
        body: impl Into<Bytes>,
    ) -> Result<Delivery, Error> {
        self.inner.send_raw(webhook_id, trigger, body.into()).await
    }

    /// Sends the bytes of an earlier delivery once more.
    pub async fn send_again(&self, delivery_id: u64) -> Result<Delivery, Error> {
        self.inner.send_again(delivery_id).await
    }

    /// Sends what was held back, oldest first; the number of them.
    pub async fn release_webhooks(&self) -> usize {
        self.inner.release().await
    }
}

impl Inner {
    async fn finish(self: &Arc<Self>, change: Change) -> Result<Booking, Error> {
        self.tell(change.events).await;
        one(Ok(change.shown))
    }

    async fn move_by_hand(
        self: &Arc<Self>,
        uid: &str,
        start: DateTime<Utc>,
        by: String,
        actor: Actor,
        unchecked: bool,
    ) -> Result<Booking, Error> {
        one(self.reschedule(moving(uid, start, by, actor, unchecked), Passage::default()).await)
    }

    async fn meet(self: &Arc<Self>, uid: &str, trigger: Trigger) -> Result<Booking, Error> {
        let booking = self.world().known(uid)?.clone();
        self.tell(vec![Event { trigger, booking: booking.clone(), detail: Detail::Meeting }]).await;
        Ok(booking)
    }

    fn booker_of(&self, uid: &str) -> Result<String, Error> {
        let world = self.world();
        let booking = world.known(uid)?;
        Ok(booking.booker().map(|booker| booker.email.clone()).unwrap_or_default())
    }

    fn host_of(&self, uid: &str) -> Result<String, Error> {
        let world = self.world();
        let user_id = world.known(uid)?.user_id;
        Ok(world.owner(user_id)?.email.clone())
    }
}

fn moving(uid: &str, start: DateTime<Utc>, by: String, actor: Actor, unchecked: bool) -> Moving {
    Moving { uid: uid.to_owned(), start, by: Some(by), reason: None, seat_uid: None, actor, unchecked }
}

fn cancelling(uid: &str, reason: Option<&str>, actor: Actor) -> Cancelling {
    Cancelling {
        uid: uid.to_owned(),
        reason: reason.map(str::to_owned),
        subsequent: false,
        seat_uid: None,
        actor,
        request_reschedule: false,
    }
}

fn one(result: Result<Shown, Refusal>) -> Result<Booking, Error> {
    result?.booking().ok_or(Error::Unknown { noun: "booking" })
}
