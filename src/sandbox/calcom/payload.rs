//! Webhook bodies. The two generations of Cal.com's source say the same thing in different shapes, and each
//! trigger has its own; what a receiver may rely on is in common, and little.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::engine::{Detail, Event};
use super::event_type::EventType;
use super::people::User;
use super::settings::Generation;

mod flat;
mod inline;
mod parts;
mod queued;
mod template;

pub(crate) use flat::ping;
pub(crate) use parts::millis;
pub(crate) use template::fill;

/// Whom and what a booking is of.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) host: &'a User,
    pub(crate) kind: &'a EventType,
    /// Whether a request says which booking it replaces.
    pub(crate) names_predecessor: bool,
}

/// The default body, before a subscription's template.
pub(crate) fn body(
    generation: Generation,
    event: &Event,
    scene: Scene<'_>,
    created_at: DateTime<Utc>,
) -> Value {
    let payload = match (&event.detail, generation) {
        (Detail::Meeting, _) => return flat::meeting(event, scene),
        (Detail::NoShow { emails }, _) => flat::no_show(&event.booking, emails),
        (Detail::Payment, _) => inline::payment(event, scene),
        (Detail::SeatCancelled { attendee, reason }, _) => {
            inline::seat_cancelled(&event.booking, scene, attendee, reason.as_deref())
        }
        (Detail::Cancelled { request_reschedule: true, by, reason, .. }, _) => {
            inline::another_time(&event.booking, scene, by.as_deref(), reason.as_deref())
        }
        (_, Generation::Queued) => queued::booking(event, scene),
        (Detail::Made { .. } | Detail::Moved(_), Generation::Inline) => inline::direct(event, scene),
        (Detail::Decided | Detail::Rejected { .. }, Generation::Inline) => inline::decided(event, scene),
        (Detail::Cancelled { .. }, Generation::Inline) => inline::cancelled(event, scene),
    };
    json!({ "triggerEvent": event.trigger, "createdAt": millis(created_at), "payload": payload })
}
