//! Carries webhooks to their subscribers, once each: what is not taken is never sent again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use serde::Serialize;
use url::Url;

use super::Error;
use super::engine::{Detail, Event};
use super::faults::Fault;
use super::inner::Inner;
use super::payload::{self, Scene};
use super::settings::Generation;
use super::webhook::{Trigger, Webhook};
use crate::provider::signature;
use crate::sandbox::client::{self, is_loopback};
use crate::sandbox::ring::Ring;

/// Workers of the queued generation at once (tasker/trigger/config.ts).
const WORKERS: usize = 25;
/// What an unsecured subscription sends where the signature stands.
const NO_SECRET: &str = "no-secret-provided";

/// One webhook on its way, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    pub id: u64,
    pub time: DateTime<Utc>,
    pub trigger: Trigger,
    pub webhook_id: String,
    pub url: String,
    /// None of `PING` and of bodies sent by hand.
    pub booking_uid: Option<String>,
    pub content_type: &'static str,
    pub signature: String,
    pub body: String,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    UnderWay,
    /// The status of the answer.
    Answered(u16),
    /// Nobody answered in time.
    NoAnswer,
    /// Lost on purpose.
    Lost,
    /// Held back on purpose.
    Held,
    /// The sandbox posts to this machine only.
    NotLoopback,
}

pub(crate) struct Courier {
    client: reqwest::Client,
    pub(super) deliveries: Ring<Delivery>,
    held: Mutex<Vec<Held>>,
    workers: Arc<tokio::sync::Semaphore>,
}

struct Held {
    delivery: u64,
    parcel: Parcel,
    until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Passed,
    Released,
}

/// A body for one subscription.
#[derive(Clone)]
struct Parcel {
    trigger: Trigger,
    webhook: Webhook,
    booking_uid: Option<String>,
    content_type: &'static str,
    body: Bytes,
}

impl Courier {
    pub(crate) fn new(kept: usize, timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            client: client::of(timeout).map_err(Error::Client)?,
            deliveries: Ring::new(kept),
            held: Mutex::default(),
            workers: Arc::new(tokio::sync::Semaphore::new(WORKERS)),
        })
    }
}

impl Inner {
    /// Tells the subscribers. Inline, they have been told when this returns; queued, it returns at once.
    pub(crate) async fn tell(self: &Arc<Self>, events: Vec<Event>) {
        match self.generation() {
            Generation::Inline => {
                for event in events {
                    self.tell_one(&event, Generation::Inline, self.clock.now()).await;
                }
            }
            Generation::Queued => {
                let queued_at = self.clock.now();
                for event in events {
                    let (inner, busy) = (self.clone(), self.busy());
                    tokio::spawn(async move {
                        let _worker = inner.courier.workers.clone().acquire_owned().await;
                        inner.tell_one(&event, Generation::Queued, queued_at).await;
                        drop(busy);
                    });
                }
            }
        }
    }

    /// The test button: sent to this subscription whatever its triggers.
    pub(crate) async fn ping(self: &Arc<Self>, webhook_id: &str) -> Result<Delivery, Error> {
        let body = payload::ping(self.clock.now());
        self.send_raw(webhook_id, Trigger::Ping, body.to_string().into()).await
    }

    /// Signs and sends any bytes to one subscription, past all faults.
    pub(crate) async fn send_raw(
        self: &Arc<Self>,
        webhook_id: &str,
        trigger: Trigger,
        body: Bytes,
    ) -> Result<Delivery, Error> {
        let webhook =
            self.world().webhook(webhook_id).map_err(|_| Error::Unknown { noun: "webhook" })?.clone();
        let parcel = Parcel { trigger, webhook, booking_uid: None, content_type: "application/json", body };
        let id = self.put_down(&parcel, Outcome::UnderWay);
        self.carry(id, &parcel).await;
        self.delivery(id)
    }

    /// Sends the same bytes again, as a sender that believes it was not heard.
    pub(crate) async fn send_again(self: &Arc<Self>, id: u64) -> Result<Delivery, Error> {
        let old = self.delivery(id)?;
        let webhook =
            self.world().webhook(&old.webhook_id).map_err(|_| Error::Unknown { noun: "webhook" })?.clone();
        let parcel = Parcel {
            trigger: old.trigger,
            webhook,
            booking_uid: old.booking_uid,
            content_type: old.content_type,
            body: old.body.into(),
        };
        let id = self.put_down(&parcel, Outcome::UnderWay);
        self.carry(id, &parcel).await;
        self.delivery(id)
    }

    /// Sends everything that is held back, oldest first; the number of them.
    pub(crate) async fn release(self: &Arc<Self>) -> usize {
        let held = std::mem::take(&mut *self.courier.held.lock().unwrap_or_else(PoisonError::into_inner));
        let count = held.len();
        for one in held {
            self.carry(one.delivery, &one.parcel).await;
        }
        count
    }

    pub(crate) fn delivery(&self, id: u64) -> Result<Delivery, Error> {
        let found = self.courier.deliveries.all().into_iter().find(|one| one.id == id);
        found.ok_or(Error::Unknown { noun: "delivery" })
    }

    async fn tell_one(self: &Arc<Self>, event: &Event, generation: Generation, created_at: DateTime<Utc>) {
        let parcels = self.pack(event, generation, created_at);
        join_all(parcels.into_iter().map(|parcel| self.dispatch(parcel))).await;
    }

    /// One parcel per subscription.
    fn pack(&self, event: &Event, generation: Generation, created_at: DateTime<Utc>) -> Vec<Parcel> {
        let world = self.world();
        let mut event = event.clone();
        let is_read_again = !matches!(
            event.detail,
            Detail::SeatCancelled { .. } | Detail::Cancelled { request_reschedule: true, .. }
        );
        if generation == Generation::Queued
            && is_read_again
            && let Some(current) = world.booking(&event.booking.uid)
        {
            event.booking = current.clone();
        }
        let (Ok(kind), Ok(host)) = (world.kind_of(&event.booking), world.owner(event.booking.user_id)) else {
            return Vec::new();
        };
        let scene = Scene { host, kind, names_predecessor: self.settings.requests_name_predecessor };
        let body = payload::body(generation, &event, scene, created_at);
        let subscribers = world.subscribers(event.booking.user_id, kind.id, event.trigger);
        let pack = |webhook: Webhook| {
            // MEETING_* know no templates, and the queued sender takes only the content type from them.
            let template = webhook.payload_template.as_deref().filter(|template| !template.is_empty());
            let template = template.filter(|_| !matches!(event.detail, Detail::Meeting));
            let filled = template.map(|template| payload::fill(template, &body));
            let content_type = match &filled {
                Some(filled) if serde_json::from_str::<serde::de::IgnoredAny>(filled).is_err() => {
                    "application/x-www-form-urlencoded"
                }
                _ => "application/json",
            };
            let text = match (filled, generation) {
                (Some(filled), Generation::Inline) => filled,
                _ => body.to_string(),
            };
            let booking_uid = Some(event.booking.uid.clone());
            Parcel { trigger: event.trigger, webhook, booking_uid, content_type, body: text.into() }
        };
        subscribers.into_iter().map(pack).collect()
    }

    /// Sends a parcel, or does to it what the script says; then those it was to pass.
    async fn dispatch(self: &Arc<Self>, parcel: Parcel) {
        let faults = self.script.of_webhook(parcel.trigger);
        let overtaken = self.take_overtaken(&parcel.webhook.id);
        if faults.contains(&Fault::WebhookLost) {
            self.put_down(&parcel, Outcome::Lost);
        } else if faults.contains(&Fault::WebhookHeld) {
            self.hold(&parcel, Until::Released);
        } else if faults.contains(&Fault::WebhookPassed) && overtaken.is_empty() {
            self.hold(&parcel, Until::Passed);
        } else {
            let delay = faults.iter().find_map(|fault| match fault {
                Fault::WebhookDelayed { millis } => Some(Duration::from_millis(*millis)),
                _ => None,
            });
            let times = if faults.contains(&Fault::WebhookTwice) { 2 } else { 1 };
            let ids: Vec<u64> = (0..times).map(|_| self.put_down(&parcel, Outcome::UnderWay)).collect();
            match delay {
                Some(delay) => self.carry_later(ids, parcel, delay),
                None => {
                    for id in ids {
                        self.carry(id, &parcel).await;
                    }
                }
            }
        }
        for one in overtaken {
            self.carry(one.delivery, &one.parcel).await;
        }
    }

    fn carry_later(self: &Arc<Self>, ids: Vec<u64>, parcel: Parcel, delay: Duration) {
        let (inner, busy) = (self.clone(), self.busy());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            for id in ids {
                inner.carry(id, &parcel).await;
            }
            drop(busy);
        });
    }

    fn hold(&self, parcel: &Parcel, until: Until) {
        let delivery = self.put_down(parcel, Outcome::Held);
        let held = Held { delivery, parcel: parcel.clone(), until };
        self.courier.held.lock().unwrap_or_else(PoisonError::into_inner).push(held);
    }

    fn take_overtaken(&self, webhook_id: &str) -> Vec<Held> {
        let mut held = self.courier.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_overtaken = |one: &mut Held| one.until == Until::Passed && one.parcel.webhook.id == webhook_id;
        held.extract_if(.., is_overtaken).collect()
    }

    fn put_down(&self, parcel: &Parcel, outcome: Outcome) -> u64 {
        self.courier.deliveries.push(|id| Delivery {
            id,
            time: self.clock.now(),
            trigger: parcel.trigger,
            webhook_id: parcel.webhook.id.clone(),
            url: parcel.webhook.subscriber_url.clone(),
            booking_uid: parcel.booking_uid.clone(),
            content_type: parcel.content_type,
            signature: signed(&parcel.webhook, &parcel.body),
            body: String::from_utf8_lossy(&parcel.body).into_owned(),
            outcome,
        })
    }

    /// One request; its outcome is noted.
    async fn carry(&self, id: u64, parcel: &Parcel) {
        let outcome = match Url::parse(&parcel.webhook.subscriber_url) {
            Ok(url) if is_loopback(&url) => self.post(url, parcel).await,
            Ok(_) | Err(_) => Outcome::NotLoopback,
        };
        let time = self.clock.now();
        self.courier.deliveries.change(id, |delivery| {
            delivery.outcome = outcome;
            delivery.time = time;
        });
    }

    async fn post(&self, url: Url, parcel: &Parcel) -> Outcome {
        let request = self
            .courier
            .client
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, parcel.content_type)
            .header("x-cal-signature-256", signed(&parcel.webhook, &parcel.body))
            .header("x-cal-webhook-version", "2021-10-20")
            .body(parcel.body.clone());
        match request.send().await {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "nobody took the webhook");
                Outcome::NoAnswer
            }
        }
    }
}

/// Lower-case hex HMAC-SHA256 of the raw body under the subscription's own secret.
fn signed(webhook: &Webhook, body: &[u8]) -> String {
    match &webhook.secret {
        Some(secret) if !secret.is_empty() => signature::sign_legacy(secret.as_bytes(), body),
        _ => NO_SECRET.to_owned(),
    }
}
