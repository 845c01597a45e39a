//! What is odd about Cal.com, met from end to end: the program over its database on one side, Cal.com's
//! double over HTTP on the other.

mod deliveries;
mod moves;
mod shapes;
mod trouble;
mod writes;

use chrono::{DateTime, Utc};
use serde_json::Value;
use stellwerk::{
    proto::{self, AppointmentStatus, ProviderSyncState, WebhookEventStatus},
    sandbox::calcom::{Booking, Delivery, Outcome, Scope, Settings, Trigger},
};

use super::practice::{Bookable, Practice};
use crate::support::desk;

/// Over webhooks that come before the answer, unless a test says otherwise.
async fn open() -> Practice {
    Practice::open(Settings::default()).await
}

/// The begin of an appointment, and how it stands here and at Cal.com.
fn shape(appointment: &proto::Appointment) -> (DateTime<Utc>, AppointmentStatus, ProviderSyncState) {
    let begin = appointment.start_time.expect("a begin");
    let start = DateTime::from_timestamp(begin.seconds, 0).expect("a time");
    let sync = appointment.provider_sync.as_ref().map_or(ProviderSyncState::Unspecified, |sync| sync.state());
    (start, appointment.status(), sync)
}

/// What stands at Cal.com: uid and begin.
fn standing(practice: &Practice) -> Vec<(String, DateTime<Utc>)> {
    let standing = practice.calcom.bookings().into_iter().filter(Booking::is_active);
    standing.map(|one| (one.uid, one.start)).collect()
}

/// What became of the newest delivery, and why.
async fn newest_event(practice: &Practice) -> (WebhookEventStatus, String) {
    let newest = desk::events(&practice.acme.admin).await.remove(0);
    (newest.status(), newest.reason)
}

/// The newest delivery with this trigger.
fn delivered(practice: &Practice, trigger: Trigger) -> Delivery {
    let all = practice.calcom.deliveries();
    all.into_iter().rev().find(|one| one.trigger == trigger).expect("a delivery")
}

/// Says something to the address of an event type, signed as it should be.
async fn tell(practice: &Practice, about: &Bookable, trigger: Trigger, body: &Value) -> Outcome {
    let scope = Scope::EventType(about.event_type);
    let webhooks = practice.calcom.webhooks();
    let webhook = webhooks.iter().find(|one| one.scope == scope).expect("a webhook");
    let sent = practice.calcom.send_raw(&webhook.id, trigger, body.to_string()).await;
    sent.expect("sent").outcome
}
