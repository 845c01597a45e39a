//! Carries events to webhooks: signed, repeated for a day where they are not taken, then given up with the
//! webhook.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use url::Url;

use super::Error;
use super::event::{Action, Event};
use super::faults::Fault;
use super::gid::Gid;
use super::inner::Inner;
use super::webhook::{self, HEARTBEAT};
use crate::provider::signature;
use crate::sandbox::client::{self, is_loopback};
use crate::sandbox::ring::Ring;

/// How much of what a target said is kept.
const MOST_CONTENT: usize = 200;
/// Before the first repeat; doubled each time.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(30);
const LAST_RETRY: TimeDelta = TimeDelta::hours(1);

/// One delivery on its way, or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    pub id: u64,
    pub time: DateTime<Utc>,
    pub webhook: Gid,
    pub target: String,
    /// Nothing: a heartbeat.
    pub events: Vec<Event>,
    /// `None`: a handshake, or unsigned on purpose.
    pub signature: Option<String>,
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
    /// Held back on purpose, or not yet due.
    Held,
    /// The webhook was gone when it was its turn.
    Dropped,
}

pub(crate) struct Courier {
    client: reqwest::Client,
    pub(super) deliveries: Ring<Delivery>,
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    delivery: u64,
    parcel: Parcel,
    until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Passed,
    Released,
    Time(DateTime<Utc>),
}

#[derive(Clone)]
struct Parcel {
    webhook: Gid,
    events: Arc<Vec<Event>>,
    body: Bytes,
    is_signed: bool,
    /// How often it was refused.
    refused: u32,
}

impl Courier {
    pub(crate) fn new(kept: usize, timeout: Duration) -> Result<Self, Error> {
        let client = client::of(timeout).map_err(Error::Client)?;
        Ok(Self { client, deliveries: Ring::new(kept), waiting: Mutex::default() })
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Sends each webhook what it should hear: all that one change caused in one delivery.
    pub(crate) fn tell(self: &Arc<Self>, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        let parcels: Vec<Parcel> = {
            let world = self.world();
            let pack = |webhook: &webhook::Webhook| {
                let heard: Vec<Event> = events.iter().filter(|event| webhook.hears(event)).cloned().collect();
                (!heard.is_empty()).then(|| Parcel::of(webhook.gid, heard))
            };
            world.webhooks.values().filter_map(pack).collect()
        };
        for parcel in parcels {
            self.dispatch(parcel);
        }
    }

    /// What the passing of time brings: late deliveries, repeats, heartbeats, and the end of webhooks nobody
    /// answers.
    pub(crate) async fn pass_time(self: &Arc<Self>) {
        let now = self.clock.now();
        let is_due = |one: &mut Waiting| matches!(one.until, Until::Time(time) if time <= now);
        let due: Vec<Waiting> = self.courier.waiting().extract_if(.., is_due).collect();
        for one in due {
            self.carry(one.delivery, one.parcel).await;
        }
        let wants = |webhook: &webhook::Webhook| webhook.is_dead(now) || webhook.heartbeat_at <= now;
        // Asked several times a second, a change hardly ever.
        if !self.world().webhooks.values().any(wants) {
            return;
        }
        let heartbeats: Vec<Gid> = {
            let mut world = self.world_mut();
            world.webhooks.retain(|_, webhook| !webhook.is_dead(now));
            let due = world.webhooks.values_mut().filter(|webhook| webhook.heartbeat_at <= now);
            due.map(|webhook| {
                webhook.heartbeat_at = now + HEARTBEAT;
                webhook.gid
            })
            .collect()
        };
        for webhook in heartbeats {
            self.beat(webhook).await;
        }
    }

    /// An empty delivery.
    pub(crate) async fn beat(self: &Arc<Self>, webhook: Gid) {
        let parcel = Parcel::of(webhook, Vec::new());
        let id = self.put_down(&parcel, Outcome::UnderWay);
        self.carry(id, parcel).await;
    }

    /// Sends everything that is held back, oldest first; the number of them.
    pub(crate) async fn release(self: &Arc<Self>) -> usize {
        let is_held = |one: &mut Waiting| one.parcel.refused == 0;
        let held: Vec<Waiting> = self.courier.waiting().extract_if(.., is_held).collect();
        let count = held.len();
        for one in held {
            self.carry(one.delivery, one.parcel).await;
        }
        count
    }

    /// The same bytes once more, as after a lost acknowledgement.
    pub(crate) async fn send_again(self: &Arc<Self>, id: u64) -> Result<Delivery, Error> {
        let old = self.delivery(id)?;
        let body = Bytes::from(old.body);
        let parcel = Parcel { body, ..Parcel::of(old.webhook, old.events) };
        let id = self.put_down(&parcel, Outcome::UnderWay);
        self.carry(id, parcel).await;
        self.delivery(id)
    }

    /// Signs any bytes as the webhook's, and sends them past all faults.
    pub(crate) async fn send_raw(self: &Arc<Self>, webhook: Gid, body: Bytes) -> Result<Delivery, Error> {
        let parcel = Parcel { body, ..Parcel::of(webhook, Vec::new()) };
        let id = self.put_down(&parcel, Outcome::UnderWay);
        self.carry(id, parcel).await;
        self.delivery(id)
    }

    pub(crate) fn delivery(&self, id: u64) -> Result<Delivery, Error> {
        let found = self.courier.deliveries.all().into_iter().find(|one| one.id == id);
        found.ok_or(Error::Unknown { noun: "delivery" })
    }

    /// Asks a target whether it wants a webhook: it must say the secret back.
    pub(crate) async fn shake_hands(&self, target: &Url, secret: &str) -> Result<(), String> {
        let request = self.courier.client.post(target.clone()).header("x-hook-secret", secret);
        let id = self.courier.deliveries.push(|id| Delivery {
            id,
            time: self.clock.now(),
            webhook: Gid::ZERO,
            target: target.to_string(),
            events: Vec::new(),
            signature: None,
            body: String::new(),
            outcome: Outcome::UnderWay,
        });
        let answered = request.send().await;
        let outcome =
            answered.as_ref().map_or(Outcome::NoAnswer, |one| Outcome::Answered(one.status().as_u16()));
        self.courier.deliveries.change(id, |delivery| delivery.outcome = outcome);
        let response = answered.map_err(|_| {
            "Could not complete activation handshake with target URL. Please ensure that the receiving server is \
             accepting connections and supports SSL"
                .to_owned()
        })?;
        let echoed = response.headers().get("x-hook-secret").is_some_and(|value| value == secret);
        if matches!(response.status().as_u16(), 200 | 204) && echoed {
            return Ok(());
        }
        Err("The remote server which is intended to receive the webhook did not respond with the handshake secret."
            .to_owned())
    }

    /// Sends a parcel, or does to it what the script says; then those it was to pass.
    fn dispatch(self: &Arc<Self>, mut parcel: Parcel) {
        let actions: Vec<Action> = parcel.events.iter().map(|event| event.action).collect();
        let faults = self.script.of_webhook(&actions);
        let is_overtaken =
            |one: &mut Waiting| one.until == Until::Passed && one.parcel.webhook == parcel.webhook;
        let overtaken: Vec<Waiting> = self.courier.waiting().extract_if(.., is_overtaken).collect();
        parcel.is_signed = !faults.contains(&Fault::WebhookUnsigned);
        let late = faults.iter().find_map(|fault| match fault {
            Fault::WebhookLate { seconds } => Some(TimeDelta::seconds((*seconds).into())),
            _ => None,
        });
        let delay = self.settings.event_delay + late.unwrap_or_default();
        let mut sent = Vec::new();
        if faults.contains(&Fault::WebhookLost) {
            self.put_down(&parcel, Outcome::Lost);
        } else if faults.contains(&Fault::WebhookHeld) {
            self.wait(&parcel, Until::Released);
        } else if faults.contains(&Fault::WebhookPassed) && overtaken.is_empty() {
            self.wait(&parcel, Until::Passed);
        } else if delay > TimeDelta::zero() {
            self.wait(&parcel, Until::Time(self.clock.now() + delay));
        } else {
            let times = if faults.contains(&Fault::WebhookTwice) { 2 } else { 1 };
            sent.extend((0..times).map(|_| (self.put_down(&parcel, Outcome::UnderWay), parcel.clone())));
        }
        sent.extend(overtaken.into_iter().map(|one| (one.delivery, one.parcel)));
        if sent.is_empty() {
            return;
        }
        let (inner, busy) = (self.clone(), self.busy());
        tokio::spawn(async move {
            for (id, parcel) in sent {
                inner.carry(id, parcel).await;
            }
            drop(busy);
        });
    }

    fn wait(&self, parcel: &Parcel, until: Until) {
        let delivery = self.put_down(parcel, Outcome::Held);
        self.courier.waiting().push(Waiting { delivery, parcel: parcel.clone(), until });
    }

    fn put_down(&self, parcel: &Parcel, outcome: Outcome) -> u64 {
        let (target, signature) = {
            let world = self.world();
            let webhook = world.webhooks.get(&parcel.webhook);
            let sign =
                |webhook: &webhook::Webhook| signature::sign_legacy(webhook.secret.as_bytes(), &parcel.body);
            let signature = webhook.filter(|_| parcel.is_signed).map(sign);
            (webhook.map(|webhook| webhook.target.clone()).unwrap_or_default(), signature)
        };
        self.courier.deliveries.push(|id| Delivery {
            id,
            time: self.clock.now(),
            webhook: parcel.webhook,
            target,
            events: parcel.events.to_vec(),
            signature,
            body: String::from_utf8_lossy(&parcel.body).into_owned(),
            outcome,
        })
    }

    /// One request; its outcome is noted, here and on the webhook.
    async fn carry(self: &Arc<Self>, id: u64, mut parcel: Parcel) {
        let known = {
            let world = self.world();
            world.webhooks.get(&parcel.webhook).map(|one| (one.target.clone(), one.secret.clone()))
        };
        let Some((target, secret)) = known else {
            self.courier.deliveries.change(id, |delivery| delivery.outcome = Outcome::Dropped);
            return;
        };
        let (outcome, content) = match Url::parse(&target) {
            Ok(url) if is_loopback(&url) => self.post(url, &secret, &parcel).await,
            Ok(_) | Err(_) => (Outcome::NoAnswer, "not on this machine".to_owned()),
        };
        let now = self.clock.now();
        self.courier.deliveries.change(id, |delivery| {
            delivery.outcome = outcome;
            delivery.time = now;
        });
        let was_taken = matches!(outcome, Outcome::Answered(200 | 204));
        let wait = FIRST_RETRY * 2_i32.pow(parcel.refused.min(8));
        let retry_at = now + wait.min(LAST_RETRY);
        if let Some(webhook) = self.world_mut().webhooks.get_mut(&parcel.webhook) {
            if was_taken {
                webhook.took(now);
            } else {
                webhook.refused(content, retry_at, now);
            }
        }
        if !was_taken {
            parcel.refused += 1;
            self.wait(&parcel, Until::Time(retry_at));
        }
    }

    async fn post(&self, url: Url, secret: &str, parcel: &Parcel) -> (Outcome, String) {
        let mut request = self.courier.client.post(url).header("content-type", "application/json");
        if parcel.is_signed {
            request =
                request.header("x-hook-signature", signature::sign_legacy(secret.as_bytes(), &parcel.body));
        }
        match request.body(parcel.body.clone()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let said = response.text().await.unwrap_or_default();
                (Outcome::Answered(status), said.chars().take(MOST_CONTENT).collect())
            }
            Err(error) => {
                let error = error.without_url();
                tracing::debug!(%error, "nobody took the webhook");
                (Outcome::NoAnswer, "no answer".to_owned())
            }
        }
    }
}

impl Parcel {
    fn of(webhook: Gid, events: Vec<Event>) -> Self {
        let body = webhook::body(&events).to_string().into();
        Self { webhook, events: Arc::new(events), body, is_signed: true, refused: 0 }
    }
}
