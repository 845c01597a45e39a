//! What is learned of bookings, how sure it is, and what comes of it.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    ids::{AppointmentId, IntegrationId, IntentId, PatientId},
    provider::calcom,
    vault::TenantKey,
    words::BookingStatus,
};

/// What was learned of one booking.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    pub uid: String,
    /// `Pending`, `Accepted`, `Cancelled` or `Rejected`;
    /// `Unknown` where the provider says something newer than this list.
    pub status: BookingStatus,
    /// A booking's times never change. Absent where only its end is known.
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub event_type_id: Option<String>,
    /// The uid before it was moved here.
    pub rescheduled_from: Option<String>,
    /// The uid after it was moved away.
    pub rescheduled_to: Option<String>,
    /// Who booked; the first of several.
    pub attendee: Option<Attendee>,
    /// Whether that attendee was marked as not having come; absent where it is not said.
    pub is_absent: Option<bool>,
    /// The host's name.
    pub host: Option<String>,
    pub cancel_reason: Option<String>,
    /// The write of ours that made it, or one before it in its lineage: a hint, because moves inherit it.
    pub intent: Option<IntentId>,
    /// When the booking was made. Only from a read.
    pub created_at: Option<DateTime<Utc>>,
    /// The provider's version. Only from a read.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Who comes, as the provider knows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attendee {
    pub name: Option<String>,
    /// Never one of the provider's placeholders.
    pub email: Option<String>,
    pub phone: Option<String>,
    /// IANA.
    pub time_zone: Option<String>,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// By a webhook: a hint, which only ever moves a booking on.
    Told,
    /// By an answer of the provider's API. If that contradicts what is known,
    /// it may come from a replica that lags behind.
    Read,
    /// By a second answer, some seconds later: believed whatever is known.
    Reread,
}

/// What is the same for everything that one transaction learns.
#[derive(Clone)]
pub struct Context {
    pub key: Arc<TenantKey>,
    pub integration: IntegrationId,
    /// `webhook_event/{id}`, `sync_log/{id}`, `outbox/{id}` …
    pub cause: String,
    pub certainty: Certainty,
    pub now: DateTime<Utc>,
}

/// What happened at a booking's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The attendee was marked as not having come, or no longer so.
    Absent(bool),
    /// It took place.
    Over,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub appointment: Option<AppointmentId>,
    pub patient: Option<PatientId>,
    pub outcome: Outcome,
}

/// The part of it that tells callers what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The appointment, or what is known of its bookings, is another now.
    Changed,
    /// All of it was known.
    Unchanged,
    /// It was this write of ours; its uid is known now, the appointment was not touched.
    Echo(IntentId),
    /// The booking is retired, or a later state of it is known.
    Stale,
    /// Nothing was done: it contradicts what is known, or too little was said.
    /// Queue a `booking_refresh` of the uid.
    NeedsLook,
    /// Nothing was done, and nothing is to be kept: the person was deleted here.
    Forgotten,
    /// The same, but a read may tell that the booking was made after that:
    /// queue a `booking_refresh` of the uid.
    ForgottenUnlessNew,
    /// Nothing was done, and nothing is to be kept: the event type is none of this integration's.
    Foreign,
}

impl Seen {
    /// Of an answer of Cal.com's API.
    pub fn of(booking: &calcom::Booking) -> Self {
        let attendee = booking.attendees.first();
        Self {
            uid: booking.uid.clone(),
            status: status_of(&booking.status),
            start: Some(booking.start),
            end: Some(booking.end),
            event_type_id: booking.event_type_id.map(|id| id.to_string()),
            rescheduled_from: booking.rescheduled_from_uid.clone(),
            rescheduled_to: booking.rescheduled_to_uid.clone(),
            attendee: attendee.map(Attendee::of),
            is_absent: attendee.and_then(|attendee| attendee.absent),
            host: booking.hosts.first().and_then(|host| host.name.clone()),
            cancel_reason: booking.cancellation_reason.clone(),
            intent: booking.metadata.get(INTENT_KEY).and_then(|id| id.parse().ok()),
            created_at: booking.created_at,
            updated_at: booking.updated_at,
        }
    }

    /// Of a booking that the provider no longer has.
    pub fn gone(uid: &str) -> Self {
        Self {
            uid: uid.into(),
            status: BookingStatus::Cancelled,
            start: None,
            end: None,
            event_type_id: None,
            rescheduled_from: None,
            rescheduled_to: None,
            attendee: None,
            is_absent: None,
            host: None,
            cancel_reason: None,
            intent: None,
            created_at: None,
            updated_at: None,
        }
    }
}

impl Attendee {
    pub fn of(said: &calcom::Attendee) -> Self {
        Self {
            name: said.name.clone(),
            email: said.email.clone(),
            phone: said.phone.clone(),
            time_zone: said.time_zone.clone(),
        }
    }
}

/// The metadata key under which a create carries its intent's id.
pub const INTENT_KEY: &str = "stellwerk_intent";

fn status_of(said: &calcom::BookingStatus) -> BookingStatus {
    match said {
        calcom::BookingStatus::Accepted => BookingStatus::Accepted,
        calcom::BookingStatus::Pending | calcom::BookingStatus::AwaitingHost => BookingStatus::Pending,
        calcom::BookingStatus::Cancelled => BookingStatus::Cancelled,
        calcom::BookingStatus::Rejected => BookingStatus::Rejected,
        calcom::BookingStatus::Other(_) => BookingStatus::Unknown,
    }
}

impl Applied {
    pub(super) fn nothing(outcome: Outcome) -> Self {
        Self { appointment: None, patient: None, outcome }
    }
}

// Neither people nor uids have a place in a log line.

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, start, rescheduled_from, .. } = self;
        f.debug_struct("Seen")
            .field("status", status)
            .field("start", start)
            .field("was_moved", &rescheduled_from.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attendee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendee").finish_non_exhaustive()
    }
}
