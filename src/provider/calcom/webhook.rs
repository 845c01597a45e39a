//! What Cal.com calls us with: the body of an authentic delivery, read into one typed event.
//!
//! Two generations of the sender are in use, told apart nowhere: one sends while the change is made (some
//! cancellations even before), one from a queue that reads the booking again. Either way a delivery is a
//! hint: it may be lost, doubled, late or out of order, and the echo of our own write may come before the
//! answer to it.
//! The content type says nothing (a template can change it), so the body alone is read.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::provider::fields::{Fields, text};

mod facts;
mod trigger;

pub use facts::{Absence, BookingFacts, NoShow};
pub use trigger::{Handling, SUBSCRIBED_TRIGGERS, Trigger};

/// One delivery.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub trigger: Trigger,
    /// When it was sent or queued: not a version, and not when the change was made. Absent for MEETING_*,
    /// whose `createdAt` is the booking's.
    pub created_at: Option<DateTime<Utc>>,
    /// Anyone can write it into a body: it narrows, it proves nothing. Absent from no-show marks and
    /// recordings, and sometimes from cancellations; then the uid must be known.
    pub event_type_id: Option<i64>,
    /// Present wherever there is a booking; of a moved one the new uid.
    pub uid: Option<String>,
    pub booking_id: Option<i64>,
    /// What the booking was called before it was moved. A move that needs confirmation may leave it out: then
    /// only the API knows.
    pub reschedule_uid: Option<String>,
    pub booking: Option<BookingFacts>,
    pub no_show: Option<NoShow>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Answered 400, nothing is kept.
    #[error("not JSON")]
    NotJson,
    /// Not in Cal.com's own form: whoever owns the webhook set a payload template. Kept aside.
    #[error("the body follows a payload template of the webhook's owner; remove the template")]
    CustomTemplate,
    /// In Cal.com's form, but without a key that this trigger must have.
    #[error("{field} is missing or not of the documented form")]
    Unfit {
        trigger: Trigger,
        /// As in `payload.uid`, or `uid` for bodies without payload.
        field: String,
    },
}

/// Reads the body of an authentic delivery.
pub fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let root: Value = serde_json::from_slice(body).map_err(|_| ParseError::NotJson)?;
    let root = Fields::of(&root).ok_or(ParseError::CustomTemplate)?;
    let name = root.get("triggerEvent").and_then(Value::as_str).and_then(text);
    let trigger = Trigger::of(&name.ok_or(ParseError::CustomTemplate)?);
    let is_flat = matches!(trigger, Trigger::MeetingStarted | Trigger::MeetingEnded);
    match root.object("payload") {
        Some(payload) => {
            Reader { trigger, path: "payload.", created_at: root.time("createdAt") }.read(payload)
        }
        None if is_flat => Reader { trigger, path: "", created_at: None }.read(root),
        None => Err(ParseError::CustomTemplate),
    }
}

struct Reader {
    trigger: Trigger,
    /// Of the keys that are read, for naming them.
    path: &'static str,
    created_at: Option<DateTime<Utc>>,
}

impl Reader {
    /// Requires the keys by which a booking is known, and the time where the trigger tells one; nothing else.
    fn read(self, payload: Fields<'_>) -> Result<Event, ParseError> {
        let own = |name| payload.int(name);
        let mut event = Event {
            trigger: self.trigger.clone(),
            created_at: self.created_at,
            event_type_id: own("eventTypeId").or_else(|| payload.object("eventType")?.int("id")),
            uid: payload.key("uid").or_else(|| payload.key("bookingUid")),
            booking_id: own("bookingId"),
            reschedule_uid: payload.key("rescheduleUid"),
            booking: BookingFacts::of(payload),
            no_show: None,
        };
        match event.trigger {
            Trigger::BookingCreated
            | Trigger::BookingRequested
            | Trigger::BookingCancelled
            | Trigger::BookingRejected
            | Trigger::BookingPaymentInitiated
            | Trigger::BookingPaid => self.require_booking(payload, &event)?,
            Trigger::BookingRescheduled => {
                self.require_booking(payload, &event)?;
                self.require("rescheduleUid", event.reschedule_uid.is_some())?;
            }
            Trigger::MeetingStarted | Trigger::MeetingEnded => {
                event.booking_id = own("id");
                event.reschedule_uid = payload.key("fromReschedule");
                self.require_booking(payload, &event)?;
            }
            Trigger::BookingNoShowUpdated => {
                self.require("bookingUid", event.uid.is_some())?;
                event.no_show = NoShow::of(payload);
                self.require("attendees", event.no_show.is_some())?;
                event.booking = None;
            }
            Trigger::AfterHostsCalVideoNoShow | Trigger::AfterGuestsCalVideoNoShow => {
                self.require("bookingUid", event.uid.is_some())?;
                event.no_show = NoShow::of(payload);
            }
            Trigger::RecordingReady | Trigger::RecordingTranscriptionGenerated | Trigger::InstantMeeting => {
                self.require("uid", event.uid.is_some())?;
                // Of a recording even the keys mean other things: `type` is the title.
                event.booking = None;
            }
            Trigger::WrongAssignmentReport => {
                if let Some(booking) = payload.object("booking") {
                    event.uid = booking.key("uid");
                    event.booking_id = booking.int("id");
                    event.event_type_id = booking.object("eventType").and_then(|of| of.int("id"));
                    event.booking = BookingFacts::of(booking);
                }
                self.require("booking.uid", event.uid.is_some())?;
            }
            // The test button sends invented people and times.
            Trigger::Ping
            | Trigger::OooCreated
            | Trigger::FormSubmitted
            | Trigger::FormSubmittedNoEvent
            | Trigger::RoutingFormFallbackHit
            | Trigger::DelegationCredentialError => event.booking = None,
            Trigger::Other(_) => {}
        }
        Ok(event)
    }

    fn require_booking(&self, payload: Fields<'_>, event: &Event) -> Result<(), ParseError> {
        self.require("uid", event.uid.is_some())?;
        self.require("startTime", payload.time("startTime").is_some())?;
        self.require("endTime", payload.time("endTime").is_some())?;
        self.require("endTime", event.booking.is_some())
    }

    fn require(&self, name: &str, fits: bool) -> Result<(), ParseError> {
        if fits {
            return Ok(());
        }
        Err(ParseError::Unfit { trigger: self.trigger.clone(), field: format!("{}{name}", self.path) })
    }
}

// Neither people nor uids have a place in a log line.

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trigger, event_type_id, booking_id, .. } = self;
        f.debug_struct("Event")
            .field("trigger", trigger)
            .field("event_type_id", event_type_id)
            .field("booking_id", booking_id)
            .finish_non_exhaustive()
    }
}
